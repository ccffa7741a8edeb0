//! Kullback-Leibler divergence of the window from the baseline.
//!
//! `kl = KL(q || p) = sum q ln(q/p)` in nats, with Jeffreys smoothing of both sides: the information lost by describing
//! the window with the baseline. Some tools report `KL(p || q)` under the same name.

use super::Score;
use super::share::{Pair, entropy_excess};

/// `KL(q || p)` of `window` (q) from `baseline` (p), two sets of counts on the same pooled cells.
///
/// `value` lies in `[0, inf)`; `corrected = max(0, value - (B-1)(1/n + 1/N)/2)`. No value (with a reason) for fewer than
/// two cells or an empty side.
///
/// # Panics
///
/// If the two sides have different numbers of cells.
#[must_use]
pub fn kl(baseline: &[u64], window: &[u64]) -> Score {
    let pair = match Pair::new(baseline, window) {
        Ok(pair) => pair,
        Err(refusal) => return refusal.score(),
    };
    // sum q ln(q/p) - q + p has the same total, as both shares sum to 1, and no negative term.
    let value = pair.smoothed().fold(0.0, |sum, cell| sum + cell.p() * entropy_excess(cell.excess()));
    Score { corrected: Some((value - 0.5 * pair.psi_bias()).max(0.0)), ..pair.score(value) }
}
