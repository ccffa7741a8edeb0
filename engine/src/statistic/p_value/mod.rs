//! The distributions behind the p-values.
//!
//! Upper tails are computed as such, never as one less the rest, so that far tails keep their digits: relative error
//! below 1e-9 down to 1e-250 (SEMANTICS S7). statrs supplies the logarithm of the gamma function; its chi-squared tail
//! loses all digits below 1e-16 and it has no noncentral chi-squared and no Kolmogorov distribution.

pub mod beta;
pub mod chi_squared;
mod gamma;
pub mod kolmogorov;
pub mod negative_binomial;
pub mod noncentral_chi_squared;
pub mod normal;
mod smirnov;
pub mod student;
pub mod two_sample;
