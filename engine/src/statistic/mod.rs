//! Statistics: functions of two sets of finished counts, one of the baseline and one of a window.
//!
//! Divergences take counts on pooled cells ([`pool`], the REST rule; [`pool_tested`] for their p-values), distances on the
//! line take all cells of the state. [`significance`] adds p-values. Definitions, ranges and behaviour with few rows stand in `docs/statistics`, one page
//! each. Nothing here sees a row.

mod cells;
mod chi2;
mod hellinger;
mod js;
mod kl;
mod ks;
mod linf;
pub mod p_value;
mod psi;
mod rate;
mod row_count;
mod score;
mod share;
mod shift;
pub mod significance;
mod tvd;
mod wasserstein;

#[cfg(test)]
mod tests;

pub use cells::{MIN_BASELINE, MIN_EXPECTED, Pooled, contributions, pool, pool_tested};
pub use chi2::chi2;
pub use hellinger::hellinger;
pub use js::js;
pub use kl::kl;
pub use ks::{Ks, ks};
pub use linf::linf;
pub use psi::psi;
pub use rate::{RATE_EFFECT, new_category, rate};
pub use row_count::{MIN_COUNTS, Past, row_count};
pub use score::{Direction, Score};
pub use shift::{Moments, kurtosis, mean_shift, sd_shift};
pub use tvd::tvd;
pub use wasserstein::{Line, wasserstein, wasserstein_normalized};
