//! Total variation distance.
//!
//! `tvd = sum |q - p| / 2`: the share of rows that would have to change cell to turn one into the other. No smoothing;
//! the sum is exact in integers and rounded once.

use super::Score;
use super::share::Pair;

/// Total variation distance between two sets of counts on the same pooled cells; in `[0, 1]`.
///
/// No value (with a reason) for fewer than two cells or an empty side. It has no p-value of its own; that of
/// chi2 serves.
///
/// # Panics
///
/// If the two sides have different numbers of cells.
#[must_use]
pub fn tvd(baseline: &[u64], window: &[u64]) -> Score {
    let pair = match Pair::new(baseline, window) {
        Ok(pair) => pair,
        Err(refusal) => return refusal.score(),
    };
    // The sum is at most 2nN: gains and losses are equal, so half of it is a whole number.
    let moved: u128 = pair.shares().map(|cell| cell.distance()).sum::<u128>() / 2;
    let whole = u128::from(pair.n) * u128::from(pair.n_baseline);
    pair.score(moved as f64 / whole as f64)
}
