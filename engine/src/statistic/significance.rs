//! P-values of the distribution metrics: of any change, and of a change beyond the minimum effect.
//!
//! On pooled cells the divergences share one scale: if nothing has changed, `n_e psi`, `2 n_e kl`, `8 n_e JSD` (nats)
//! and `8 n_e H^2` are all close to chi-squared with B-1 degrees of freedom, `n_e = nN/(n+N)`. With a true psi of delta,
//! `n_e psi` is close to noncentral chi-squared with noncentrality `n_e delta`, which answers the question that matters
//! with many rows: is the change larger than one nobody minds (SEMANTICS S7, S9)? The design effect of SEMANTICS S6
//! divides `n_e` here and is used nowhere else.

use std::f64::consts::LN_2;

use super::Score;
use super::p_value::{chi_squared, kolmogorov, noncentral_chi_squared, two_sample};
use crate::metric::Metric;

/// The psi that nobody minds, in nats.
pub const PSI_EFFECT: f64 = 0.02;
/// The Kolmogorov-Smirnov distance that nobody minds.
pub const KS_EFFECT: f64 = 0.05;
/// Up to this `n N` the exact test of ks is used.
const EXACT_PAIRS: u128 = 100_000_000;

/// `n N / (n + N) / deff`, the effective size of a two-sample comparison; 0 if a side is empty.
#[must_use]
pub fn effective_size(n: u64, n_baseline: u64, deff: f64) -> f64 {
    if n == 0 || n_baseline == 0 {
        return 0.0;
    }
    1.0 / (1.0 / n as f64 + 1.0 / n_baseline as f64) / deff
}

/// `score` of `metric` with its p-values and `deff` filled in.
///
/// psi, kl, js, hellinger and chi2 get `p_value` from chi-squared on their cells, psi also `p_effect`; ks gets both. Other
/// metrics and scores without a value only get `deff`. A design effect below 1 counts as 1.
///
/// ```
/// use driftlead_engine::Metric;
/// use driftlead_engine::statistic::{psi, significance};
///
/// let score = significance::test(Metric::Psi, psi(&[5000; 10], &[50; 10]), 1.0);
/// assert_eq!(score.p_value, Some(1.0));
/// ```
#[must_use]
pub fn test(metric: Metric, score: Score, deff: f64) -> Score {
    let deff = if deff > 1.0 { deff } else { 1.0 };
    let score = Score { deff, ..score };
    let Some(value) = score.value else { return score };
    let size = effective_size(score.n, score.n_baseline, deff);
    let freedom = score.cells.map(|cells| cells as f64 - 1.0);
    let chi_squared = |x: f64| freedom.filter(|freedom| *freedom > 0.0).map(|f| chi_squared::upper(x, f));
    match metric {
        Metric::Psi => Score {
            p_value: chi_squared(size * value),
            p_effect: freedom
                .filter(|freedom| *freedom > 0.0)
                .map(|f| psi_beyond(value, size, f, PSI_EFFECT)),
            ..score
        },
        Metric::Kl => Score { p_value: chi_squared(2.0 * size * value), ..score },
        Metric::Js => Score { p_value: chi_squared(8.0 * size * LN_2 * value * value), ..score },
        Metric::Hellinger => Score { p_value: chi_squared(8.0 * size * value * value), ..score },
        Metric::Chi2 => Score { p_value: chi_squared(value / deff), ..score },
        Metric::Ks => Score {
            p_value: Some(ks_any(value, score.n, score.n_baseline, deff)),
            p_effect: Some(ks_beyond(value, size, KS_EFFECT)),
            ..score
        },
        _ => score,
    }
}

/// The p of `H0: psi <= delta`, from the observed psi, the effective size and B-1.
#[must_use]
pub fn psi_beyond(psi: f64, size: f64, freedom: f64, delta: f64) -> f64 {
    noncentral_chi_squared::upper(size * psi, freedom, size * delta)
}

/// The p of `H0: D <= delta`, `min(1, 2 exp(-2 size (d - delta)^2))` for `d > delta`, else 1.
///
/// The factor 2 is Massart's for both sides; with it the bound holds for any distribution.
#[must_use]
pub fn ks_beyond(d: f64, size: f64, delta: f64) -> f64 {
    let excess = (d - delta).max(0.0);
    (2.0 * (-2.0 * size * excess * excess).exp()).min(1.0)
}

/// The p of `H0`: both samples come from one distribution, two-sided.
///
/// Exact for `n N <= 1e8` and `deff = 1`, else the one-sample distribution at `round(n_e / deff)` rows. Ties make it
/// conservative in both cases.
#[must_use]
pub fn ks_any(d: f64, n: u64, n_baseline: u64, deff: f64) -> f64 {
    let pairs = u128::from(n) * u128::from(n_baseline);
    if pairs <= EXACT_PAIRS && deff <= 1.0 {
        // d is a whole number of n N-ths, rounded once: nothing is lost at this size.
        return two_sample::upper(n, n_baseline, (d * pairs as f64).round() as u128);
    }
    let size = effective_size(n, n_baseline, deff).round_ties_even();
    kolmogorov::upper(d, if size < 1.0 { 1 } else { size as u64 })
}
