//! Many tests in one window: which of them count as evidence (SEMANTICS S9).
//!
//! With a hundred features and one test each at 5 %, five alarm in every window of clean data. The Benjamini-Hochberg
//! procedure (J. R. Stat. Soc. B 57, 1995, 289-300) bounds the expected share of false ones among all that are
//! rejected. Its step-up form is used, given as q-values: the level at which a test would just be rejected.

use std::collections::BTreeMap;

use crate::kind::Kind;
use crate::metric::Metric;
use crate::statistic::Score;

/// The q-values of a family of p-values, in the same order: reject where `q <= level`.
///
/// `q_(i) = min over j >= i of p_(j) * m / j`, at most 1, where `m` counts the members that have a p-value. A member
/// without one (`None`, NaN) stays outside the family and has no q-value; a p-value is clamped into `[0, 1]`.
#[must_use]
pub fn benjamini_hochberg(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut members: Vec<(usize, f64)> = p_values
        .iter()
        .enumerate()
        .filter_map(|(i, p)| Some((i, p.filter(|p| !p.is_nan())?.clamp(0.0, 1.0))))
        .collect();
    members.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let n_members = members.len();
    let mut q_values = vec![None; p_values.len()];
    let mut least = 1.0f64;
    for (rank, (i, p)) in members.into_iter().enumerate().rev() {
        least = least.min(p * (n_members as f64 / (rank + 1) as f64));
        q_values[i] = Some(least);
    }
    q_values
}

/// The one p-value with which a feature joins its family, from the `p_effect` of its primary metrics.
///
/// Numeric: `min(1, 2 min(psi, ks))`; if only one of the two could be computed it stands alone, without the factor.
/// Categorical: `psi`. Embedding: `embedding_drift`. NaN counts as absent, and so does the p of a score without a value.
#[must_use]
pub fn feature_p(kind: Kind, scores: &BTreeMap<Metric, Score>) -> Option<f64> {
    let p_effect = |metric| {
        let score = scores.get(&metric).filter(|score| score.value.is_some_and(|x| !x.is_nan()))?;
        score.p_effect.filter(|p| !p.is_nan())
    };
    match kind {
        Kind::Numeric => match (p_effect(Metric::Psi), p_effect(Metric::Ks)) {
            (Some(psi), Some(ks)) => Some((2.0 * psi.min(ks)).min(1.0)),
            (psi, ks) => psi.or(ks),
        },
        Kind::Categorical => p_effect(Metric::Psi),
        Kind::Embedding => p_effect(Metric::EmbeddingDrift),
    }
}

/// The p-value with which a hard check joins the family of hard checks: the `p_effect` of a rate, the `p_value` of
/// `row_count`; other metrics are no hard checks.
#[must_use]
pub fn hard_p(metric: Metric, score: &Score) -> Option<f64> {
    if metric.is_rate() {
        score.p_effect
    } else if metric == Metric::RowCount {
        score.p_value
    } else {
        None
    }
}
