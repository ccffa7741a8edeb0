//! The pure core of driftlead.
//!
//! A [`baseline`] freezes sorted edges per feature; a window's whole state is integer counts between them
//! ([`accumulate`]); every [`statistic`] is a function of two sets of counts; [`policy`] turns scores into verdicts, and
//! [`alert`] verdicts over time into alerts.
//! Nothing here reads a file, a clock, an environment variable or a random source.

pub mod accumulate;
pub mod alert;
pub mod baseline;
pub mod codec;
pub mod compat;
pub mod digest;
pub mod embedding;
pub mod error;
pub mod feature;
pub mod id;
pub mod kernel;
pub mod kind;
pub mod metric;
pub mod policy;
mod random;
pub mod score;
pub mod statistic;
pub mod stream;
pub mod window;

#[cfg(test)]
#[path = "../../tests/support/splitmix.rs"]
mod splitmix;

pub use error::{Error, ErrorKind, Result};
pub use kind::Kind;
pub use metric::Metric;
