//! Hellinger distance.
//!
//! `H = sqrt(1 - sum sqrt(pq)) = sqrt(sum (sqrt p - sqrt q)^2 / 2)`, no smoothing. The second form is computed: the
//! first loses all digits where the window agrees with the baseline.

use super::Score;
use super::share::Pair;

/// Hellinger distance between two sets of counts on the same pooled cells; in `[0, 1]`.
///
/// No value (with a reason) for fewer than two cells or an empty side.
///
/// # Panics
///
/// If the two sides have different numbers of cells.
#[must_use]
pub fn hellinger(baseline: &[u64], window: &[u64]) -> Score {
    let pair = match Pair::new(baseline, window) {
        Ok(pair) => pair,
        Err(refusal) => return refusal.score(),
    };
    let squares = pair.shares().fold(0.0, |sum, cell| {
        let roots = cell.p().sqrt() + cell.q().sqrt();
        let difference = if roots > 0.0 { cell.difference() / roots } else { 0.0 };
        sum + difference * difference
    });
    pair.score((0.5 * squares).sqrt().min(1.0))
}
