//! Jensen-Shannon distance.
//!
//! `js = sqrt(JSD)` with `JSD = KL(q || m)/2 + KL(p || m)/2`, `m = (p+q)/2`, in base 2: 0 for equal shares, 1 for
//! disjoint ones, and a metric. No smoothing is needed, as `m` is positive wherever `p` or `q` is. With natural
//! logarithms, as some tools have it, the same distance ends at 0.8326.

use std::f64::consts::LN_2;

use super::Score;
use super::share::{Pair, entropy_excess};

/// Jensen-Shannon distance, base 2, between two sets of counts on the same pooled cells; in `[0, 1]`.
///
/// No value (with a reason) for fewer than two cells or an empty side.
///
/// # Panics
///
/// If the two sides have different numbers of cells.
#[must_use]
pub fn js(baseline: &[u64], window: &[u64]) -> Score {
    let pair = match Pair::new(baseline, window) {
        Ok(pair) => pair,
        Err(refusal) => return refusal.score(),
    };
    // With t = (q-p)/(q+p) the term is m ((1+t) ln(1+t) + (1-t) ln(1-t)) / 2: both parts positive, exact at t = 0.
    let divergence = pair.shares().fold(0.0, |sum, cell| {
        let t = cell.contrast();
        sum + 0.25 * (cell.p() + cell.q()) * (entropy_excess(t) + entropy_excess(-t))
    });
    pair.score((divergence / LN_2).sqrt().min(1.0))
}
