//! `mmd`: the squared distance of two distributions' means under a Gaussian kernel, from sums of waves.
//!
//! `MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y)` over pairs of different rows (Gretton et al., JMLR 13, 2012, lemma 6),
//! where k is the mean of cosines that the waves make of the kernel: without bias, as k(x, x) is 1. Under no drift
//! `n_e |m - M|^2` of the mean features is a weighted sum of chi-squareds whose weights are the eigenvalues of the
//! features' covariance; a shifted and scaled chi-squared with its first three moments stands for it (Hall, Biometrika 70,
//! 1983; Buckley & Eagleson, Aust. J. Stat. 30, 1988). Two moments alone, as of `embedding_mean`, would do for 5 %; where a
//! few eigenvalues stand out, as of clusters, they make p-values around 0.001 two to three times too small.

use crate::embedding::{EmbeddingState, FREQUENCIES, Waves};
use crate::kernel::WAVE_SCALE;
use crate::statistic::Score;
use crate::statistic::p_value::chi_squared;
use crate::statistic::significance::effective_size;

/// `mmd` of a window: MMD^2, from 0 to 2, not below 0 as shown, with its p-value. No value where a side has fewer than two
/// vectors in its sums.
pub(super) fn score(waves: &Waves, baseline: &EmbeddingState, window: &EmbeddingState, deff: f64) -> Score {
    let sizes = Score { n: window.values(), n_baseline: baseline.values(), deff, ..Score::default() };
    let (n, big) = (window.summed(), baseline.summed());
    if n < 2 || big < 2 {
        let reason = "fewer than two vectors are close enough to the baseline's for a sum";
        return Score { reason: Some(reason), ..sizes };
    }
    let mean = |state: &EmbeddingState, at: usize| {
        state.waves.get(at).map_or(0.0, |sum| *sum as f64 / f64::from(WAVE_SCALE) / state.summed() as f64)
    };
    let [mut own, mut other, mut cross, mut apart] = [0.0_f64; 4];
    for at in 0..2 * FREQUENCIES {
        let (w, b) = (mean(window, at), mean(baseline, at));
        own += w * w;
        other += b * b;
        cross += w * b;
        apart += (w - b) * (w - b);
    }
    let [own, other, cross, apart] = [own, other, cross, apart].map(|sum| sum / FREQUENCIES as f64);
    // The mean over pairs of different rows, from that over all pairs.
    let without_self = |square: f64, n: u64| (square * n as f64 - 1.0) / (n - 1) as f64;
    let value = without_self(own, n) + without_self(other, big) - 2.0 * cross;
    let [trace, square, cube] = waves.traces;
    let (stretch, freedom) = (cube / square, square * square * square / (cube * cube));
    let above = (effective_size(n, big, deff) * apart - trace) / stretch;
    let p = chi_squared::upper((above + freedom).max(0.0), freedom);
    Score { value: Some(value.clamp(0.0, 2.0)), p_value: Some(p), ..sizes }
}
