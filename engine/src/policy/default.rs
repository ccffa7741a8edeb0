//! What is judged, and how, where no rule says otherwise.
//!
//! Evidence first, size second: a metric is graded by its size only if the change is significant against a minimum
//! effect, corrected for the number of features (SEMANTICS S9). With many rows everything is significant and the size
//! alone decides; with few rows the evidence does. The sizes are choices that the tools of the trade share
//! (`psi` 0.1 and 0.2); what makes them calm is the mechanism around them. The minimum effects are part of the tests:
//! [`PSI_EFFECT`](crate::statistic::significance::PSI_EFFECT), [`KS_EFFECT`](crate::statistic::significance::KS_EFFECT)
//! and [`RATE_EFFECT`](crate::statistic::RATE_EFFECT).

use super::rule::{Bounds, On};
use super::verdict::Verdict;
use crate::kind::Kind;
use crate::metric::Metric;
use crate::statistic::Score;

/// Rows with a value that a window needs before a feature is judged, unless the model says otherwise (SEMANTICS S6).
pub const MIN_ROWS: u64 = 200;

/// Rows of the baseline that a segment needs before it is judged (SEMANTICS S6).
pub const MIN_BASELINE_ROWS: u64 = 1_000;

/// Rows below which a rule also demands significance, unless it says otherwise (SEMANTICS S11).
pub const GATED_ROWS: u64 = 1_000;

/// The bound on the expected share of false rejections in a window: significant means `q <= 0.05`.
pub const FALSE_DISCOVERY_RATE: f64 = 0.05;

/// Corrected PSI from which a significant change is `warn`.
pub const PSI_WARN: f64 = 0.1;

/// Corrected PSI from which a significant change is `drift`.
pub const PSI_DRIFT: f64 = 0.2;

/// Kolmogorov-Smirnov distance from which a significant change is `warn`.
pub const KS_WARN: f64 = 0.1;

/// Kolmogorov-Smirnov distance from which a significant change is `drift`.
pub const KS_DRIFT: f64 = 0.15;

/// Area under the curve of `embedding_drift` from which a significant change is `warn` (SEMANTICS S9).
pub const EMBEDDING_WARN: f64 = 0.55;

/// Area under the curve of `embedding_drift` from which a significant change is `drift` (SEMANTICS S9).
pub const EMBEDDING_DRIFT: f64 = 0.60;

/// The growth of a rate over the baseline's beyond which a significant one is `drift`, as a share of rows (SEMANTICS S3a).
pub const RATE_DRIFT: f64 = 0.05;

/// Whether the default policy judges `metric` for features of `kind`.
#[must_use]
pub fn judges(metric: Metric, kind: Kind) -> bool {
    metric.applies_to(kind)
        && (matches!(metric, Metric::Psi | Metric::Ks | Metric::EmbeddingDrift) || metric.is_rate())
}

/// The bounds that the default policy applies to `metric`: reached from the bound on for `psi` and `ks`, passed
/// beyond it for rates. A rate's bound is [`RATE_DRIFT`] above the baseline's own rate, if that is known, and every
/// significant growth is `warn`. Metrics that are not judged have none.
#[must_use]
pub fn bounds(metric: Metric, score: &Score) -> Bounds {
    match metric {
        Metric::Psi => Bounds { warn: Some(PSI_WARN), drift: Some(PSI_DRIFT) },
        Metric::Ks => Bounds { warn: Some(KS_WARN), drift: Some(KS_DRIFT) },
        Metric::EmbeddingDrift => Bounds { warn: Some(EMBEDDING_WARN), drift: Some(EMBEDDING_DRIFT) },
        _ if metric.is_rate() => Bounds { warn: None, drift: score.baseline.map(|p| p + RATE_DRIFT) },
        _ => Bounds::NONE,
    }
}

/// The grade of a *significant* change: at least `info` for `psi` and `ks`, at least `warn` for rates and
/// `row_count`. `None` if the score has no size to grade.
#[must_use]
pub fn grade(metric: Metric, score: &Score) -> Option<Verdict> {
    let size = On::default_for(metric).observe(metric, score)?;
    if metric.is_rate() {
        let growth = score.baseline.map(|p| size - p);
        return Some(if growth.is_some_and(|growth| growth > RATE_DRIFT) {
            Verdict::Drift
        } else {
            Verdict::Warn
        });
    }
    if metric == Metric::RowCount {
        return Some(Verdict::Warn);
    }
    let bounds = bounds(metric, score);
    let reaches = |bound: Option<f64>| bound.is_some_and(|bound| size >= bound);
    Some(if reaches(bounds.drift) {
        Verdict::Drift
    } else if reaches(bounds.warn) {
        Verdict::Warn
    } else {
        Verdict::Info
    })
}
