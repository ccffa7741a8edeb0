//! Population stability index.
//!
//! `psi = sum (q - p) ln(q/p)` in nats, over the cells of SEMANTICS S2 and S3, with Jeffreys smoothing of both sides. It
//! equals `KL(q||p) + KL(p||q)` of the smoothed shares. Smoothing makes an empty cell cost what its size warrants; the
//! usual tiny constant in its place makes one empty cell outweigh all others.

use super::Score;
use super::share::Pair;

/// PSI of `window` against `baseline`, two sets of counts on the same pooled cells.
///
/// `value` lies in `[0, inf)`; `corrected = max(0, value - (B-1)(1/n + 1/N))` takes off what sampling alone adds on
/// average. No value (with a reason) for fewer than two cells or an empty side.
///
/// # Panics
///
/// If the two sides have different numbers of cells.
///
/// ```
/// use driftlead_engine::statistic::psi;
///
/// assert_eq!(psi(&[50, 50], &[500, 500]).value, Some(0.0));
/// assert!(psi(&[50, 50], &[90, 10]).value > Some(0.8));
/// assert_eq!(psi(&[100], &[100]).reason, Some("fewer than two cells hold enough rows"));
/// ```
#[must_use]
pub fn psi(baseline: &[u64], window: &[u64]) -> Score {
    let pair = match Pair::new(baseline, window) {
        Ok(pair) => pair,
        Err(refusal) => return refusal.score(),
    };
    // A plain sum from zero: an empty f64 iterator sums to -0.0.
    let value = pair.smoothed().fold(0.0, |sum, cell| sum + cell.difference() * cell.log_ratio());
    Score { corrected: Some((value - pair.psi_bias()).max(0.0)), ..pair.score(value) }
}
