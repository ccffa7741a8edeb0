//! The largest difference of a single cell's share.
//!
//! `linf = max |q - p|`, no smoothing. For a categorical feature it reads as "one category gained or lost this share of
//! all rows".

use super::Score;
use super::share::Pair;

/// Largest difference of a cell's share between two sets of counts on the same pooled cells; in `[0, 1]`.
///
/// No value (with a reason) for fewer than two cells or an empty side. It has no p-value of its own; that of
/// chi2 serves.
///
/// # Panics
///
/// If the two sides have different numbers of cells.
#[must_use]
pub fn linf(baseline: &[u64], window: &[u64]) -> Score {
    let pair = match Pair::new(baseline, window) {
        Ok(pair) => pair,
        Err(refusal) => return refusal.score(),
    };
    let largest = pair.shares().map(|cell| cell.distance()).max().unwrap_or(0);
    let whole = u128::from(pair.n) * u128::from(pair.n_baseline);
    pair.score(largest as f64 / whole as f64)
}
