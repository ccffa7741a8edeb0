//! From the scores of one window to its verdicts; the order of work is DESIGN section 5.
//!
//! Minimum rows, then the two families of tests over all features and segments (SEMANTICS S9), then each metric by
//! its rule (S11) or by the [default policy](super::default), then the worst per feature.
//!
//! # What `insufficient` covers
//!
//! A metric needs `min_rows` of the rows *it is computed from*: rows with a value for distances, `out_of_range_rate`
//! and `new_category_rate`; all rows for `null_rate`, `nan_rate` and `type_error_rate`; none for `row_count`. So a
//! column that turns all null leaves its distances `insufficient`, while its `null_rate`, a share of all rows, is
//! judged and makes the feature `drift` (SEMANTICS S6 and S9 read together). A feature is `insufficient` when nothing
//! that looks at its values could be judged and no hard check fired: a hard check that finds nothing does not vouch
//! for a distribution that nobody could look at.

use std::collections::BTreeMap;

use super::default;
use super::family;
use super::rule::{Bounds, Gate, On, Rule};
use super::rules::RuleSet;
use super::verdict::Verdict;
use crate::kind::Kind;
use crate::metric::{self, Metric};
use crate::statistic::Score;

/// How a model's windows are judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The model's rules.
    pub rules: RuleSet,
    /// Rows that a metric needs in a window ([`default::MIN_ROWS`] unless the model says otherwise).
    pub min_rows: u64,
    /// Rows that it needs in the baseline: 0 for a frozen one, which somebody chose; `min_rows` where windows before it stand
    /// for one (SEMANTICS S25). A segment needs [`default::MIN_BASELINE_ROWS`] in any case.
    pub min_baseline_rows: u64,
}

impl Default for Policy {
    /// No rules, [`default::MIN_ROWS`], a frozen baseline.
    fn default() -> Self {
        Self { rules: RuleSet::default(), min_rows: default::MIN_ROWS, min_baseline_rows: 0 }
    }
}

/// One feature of one segment in the window, measured.
#[derive(Clone, Copy, Debug)]
pub struct FeatureInput<'a> {
    /// The feature's name.
    pub feature: &'a str,
    /// What it is.
    pub kind: Kind,
    /// The text of the segment (see [`id::segment`](crate::id::segment)); `None` for the whole.
    pub segment: Option<&'a str>,
    /// Rows of the segment in the window.
    pub rows: u64,
    /// Those of them that carry a value: neither null nor NaN nor of a wrong type.
    pub n: u64,
    /// Rows of the segment in the baseline.
    pub baseline_rows: u64,
    /// Those of them that carry a value.
    pub baseline_n: u64,
    /// Whether the design effect was estimated from the baseline's panes (SEMANTICS S6).
    pub calibrated: bool,
    /// What was measured.
    pub scores: &'a BTreeMap<Metric, Score>,
    /// Why the feature could not be measured: the data do not fit the baseline.
    pub error: Option<&'a str>,
    /// Why the feature is not looked at.
    pub skipped: Option<&'a str>,
    /// Why there is not enough yet to compare with, though the window can be measured: windows before it are missing.
    pub lacks: Option<&'a str>,
}

/// The row count of one segment in the window, measured.
#[derive(Clone, Copy, Debug)]
pub struct VolumeInput<'a> {
    /// The text of the segment; `None` for the whole.
    pub segment: Option<&'a str>,
    /// The score of [`Metric::RowCount`]: its `value` is the number of rows, its `p_value` the one of SEMANTICS S21.
    pub score: &'a Score,
}

/// Where the bounds of a verdict come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThresholdSource {
    /// The default policy.
    Default,
    /// A rule of the model.
    Model,
}

impl ThresholdSource {
    /// The word in reports: `default` or `model`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Model => "model",
        }
    }
}

/// The bounds that were applied to a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Applied {
    /// What was compared.
    pub on: On,
    /// The bounds that fire above.
    pub above: Bounds,
    /// The bounds that fire below.
    pub below: Bounds,
}

/// What is said of one metric that is judged; a metric that is only shown has none.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricVerdict {
    /// `ok` to `drift`, or `insufficient` with a `reason`.
    pub verdict: Verdict,
    /// Where the bounds come from.
    pub source: ThresholdSource,
    /// The bounds.
    pub applied: Applied,
    /// The false-discovery rate at which the test that this metric takes part in would just be rejected: the
    /// feature's for `psi` and `ks`, its own for a hard check; `None` for others and without a p-value.
    pub q_value: Option<f64>,
    /// The level that a rule's bounds alone would have given, where the significance gate held it back.
    pub held_back: Option<Verdict>,
    /// Why there is no verdict, or why it was held back: a lowercase fragment.
    pub reason: Option<String>,
}

/// What is said of one feature of one segment.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureVerdict {
    /// The worst of its metrics, or why there is none.
    pub verdict: Verdict,
    /// Why it is `error` or `skipped`, or why its values could not be judged (the verdict is then `insufficient`,
    /// or that of a hard check that fired): a lowercase fragment.
    pub reason: Option<String>,
    /// Rows with a value that are missing to `min_rows`; `None` if there are enough.
    pub missing_rows: Option<u64>,
    /// The q-value of the feature in its family; `None` if it stayed outside.
    pub q_value: Option<f64>,
    /// As in the input.
    pub calibrated: bool,
    /// The metrics that were to be judged.
    pub metrics: BTreeMap<Metric, MetricVerdict>,
}

/// All that is said of one window, in the order of the inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// One for each feature of each segment.
    pub features: Vec<FeatureVerdict>,
    /// One for each row count; `None` where neither a rule nor a p-value judges it.
    pub volumes: Vec<Option<MetricVerdict>>,
}

/// Judges the features of one window: all features of all its segments at once, because they are one family.
#[must_use]
pub fn judge(policy: &Policy, inputs: &[FeatureInput<'_>]) -> Vec<FeatureVerdict> {
    judge_window(policy, inputs, &[]).features
}

/// Judges one window: its features and its row counts.
///
/// `inputs` and `volumes` hold everything of one (window name, start, end); a second call would be a second family.
#[must_use]
pub fn judge_window(policy: &Policy, inputs: &[FeatureInput<'_>], volumes: &[VolumeInput<'_>]) -> Judgement {
    let needs: Vec<Needs> = inputs.iter().map(|input| Needs::measure(policy, input)).collect();
    let p_values: Vec<Option<f64>> = inputs
        .iter()
        .zip(&needs)
        .map(
            |(input, needs)| {
                if needs.of_values.is_some() { None } else { family::feature_p(input.kind, input.scores) }
            },
        )
        .collect();
    let q_values = family::benjamini_hochberg(&p_values);

    let mut hard: Vec<Option<f64>> =
        volumes.iter().map(|v| family::hard_p(Metric::RowCount, v.score)).collect();
    let mut places: BTreeMap<(usize, Metric), usize> = BTreeMap::new();
    for (i, (input, needs)) in inputs.iter().zip(&needs).enumerate() {
        for (&metric, score) in input.scores {
            if metric.is_rate() && metric.applies_to(input.kind) && needs.of(metric).is_none() {
                places.insert((i, metric), hard.len());
                hard.push(family::hard_p(metric, score));
            }
        }
    }
    let hard = family::benjamini_hochberg(&hard);

    let features = inputs
        .iter()
        .zip(&needs)
        .enumerate()
        .map(|(i, (input, needs))| {
            let own = |metric| places.get(&(i, metric)).and_then(|&place| hard[place]);
            feature_verdict(policy, input, needs, q_values[i], own)
        })
        .collect();
    let volumes = volumes.iter().zip(&hard).map(|(volume, q)| volume_verdict(policy, volume, *q)).collect();
    Judgement { features, volumes }
}

/// `1 row`, `2 rows`, of which kind.
fn counted(rows: u64, which: &str) -> String {
    format!("{rows} row{}{which}", if rows == 1 { "" } else { "s" })
}

/// What a feature lacks to be judged, for the two sorts of metrics; `None` where it lacks nothing.
struct Needs {
    /// For metrics of the rows with a value.
    of_values: Option<String>,
    /// For metrics of all rows.
    of_rows: Option<String>,
    /// Rows with a value that are missing.
    missing: Option<u64>,
}

impl Needs {
    fn measure(policy: &Policy, input: &FeatureInput<'_>) -> Self {
        if let Some(reason) = input.error.or(input.skipped) {
            return Self {
                of_values: Some(reason.to_owned()),
                of_rows: Some(reason.to_owned()),
                missing: None,
            };
        }
        let lack = |rows: u64, baseline: u64, what: &str| {
            if rows < policy.min_rows {
                Some(format!("{}, {} are needed", counted(rows, what), policy.min_rows))
            } else if let Some(lacks) = input.lacks {
                Some(lacks.to_owned())
            } else {
                let (least, whose) = match input.segment {
                    Some(_) => {
                        (policy.min_baseline_rows.max(default::MIN_BASELINE_ROWS), "segment's baseline")
                    }
                    None => (policy.min_baseline_rows, "baseline"),
                };
                (baseline < least)
                    .then(|| format!("{} in the {whose}, {least} are needed", counted(baseline, what)))
            }
        };
        Self {
            of_values: lack(input.n, input.baseline_n, " with a value"),
            of_rows: lack(input.rows, input.baseline_rows, ""),
            missing: policy.min_rows.checked_sub(input.n).filter(|missing| *missing > 0),
        }
    }

    fn of(&self, metric: Metric) -> Option<&str> {
        if metric.counts_all_rows() { self.of_rows.as_deref() } else { self.of_values.as_deref() }
    }
}

fn feature_verdict(
    policy: &Policy,
    input: &FeatureInput<'_>,
    needs: &Needs,
    q_value: Option<f64>,
    own_q: impl Fn(Metric) -> Option<f64>,
) -> FeatureVerdict {
    let apart = match (input.error, input.skipped) {
        (Some(reason), _) => Some((Verdict::Error, reason)),
        (None, Some(reason)) => Some((Verdict::Skipped, reason)),
        (None, None) => None,
    };
    if let Some((verdict, reason)) = apart {
        return FeatureVerdict {
            verdict,
            reason: Some(reason.to_owned()),
            missing_rows: None,
            q_value: None,
            calibrated: input.calibrated,
            metrics: BTreeMap::new(),
        };
    }

    let mut metrics = BTreeMap::new();
    for metric in metric::ALL.into_iter().filter(|metric| metric.applies_to(input.kind)) {
        let rule = policy.rules.resolve(metric, Some(input.feature), input.segment);
        let score = input.scores.get(&metric);
        // A metric that was not measured is missed only by a rule that asks for it.
        if rule.is_none() && (score.is_none() || !default::judges(metric, input.kind)) {
            continue;
        }
        let q = if metric.is_rate() { own_q(metric) } else { q_value };
        let rows = if metric.counts_all_rows() { input.rows } else { input.n };
        metrics.insert(metric, metric_verdict(metric, score, rule, needs.of(metric), q, rows));
    }

    let worst = metrics.values().map(|m: &MetricVerdict| m.verdict).filter(|v| v.is_judged()).max();
    let saw_values = metrics.iter().any(|(metric, m)| !metric.counts_all_rows() && m.verdict.is_judged());
    let verdict = match worst {
        Some(worst) if saw_values || worst >= Verdict::Warn => worst,
        _ => Verdict::Insufficient,
    };
    let reason = (!saw_values).then(|| {
        let unmeasured = || {
            metrics.iter().find(|(metric, _)| !metric.counts_all_rows()).and_then(|(_, m)| m.reason.clone())
        };
        needs
            .of_values
            .clone()
            .or_else(unmeasured)
            .unwrap_or_else(|| "no metric of this feature's values was measured".to_owned())
    });
    FeatureVerdict {
        verdict,
        reason,
        missing_rows: needs.missing,
        q_value,
        calibrated: input.calibrated,
        metrics,
    }
}

fn volume_verdict(policy: &Policy, volume: &VolumeInput<'_>, q: Option<f64>) -> Option<MetricVerdict> {
    let rule = policy.rules.resolve(Metric::RowCount, None, volume.segment);
    if rule.is_none() && q.is_none() {
        return None;
    }
    Some(metric_verdict(Metric::RowCount, Some(volume.score), rule, None, q, 0))
}

/// `lack` says what is missing to judge at all; `q` belongs to the test the metric takes part in; `rows` entered it.
fn metric_verdict(
    metric: Metric,
    score: Option<&Score>,
    rule: Option<&Rule>,
    lack: Option<&str>,
    q: Option<f64>,
    rows: u64,
) -> MetricVerdict {
    let source = if rule.is_some() { ThresholdSource::Model } else { ThresholdSource::Default };
    let applied = match (rule, score) {
        (Some(rule), _) => Applied { on: rule.on(), above: rule.above(), below: rule.below() },
        (None, Some(score)) => Applied {
            on: On::default_for(metric),
            above: default::bounds(metric, score),
            below: Bounds::NONE,
        },
        (None, None) => Applied { on: On::default_for(metric), above: Bounds::NONE, below: Bounds::NONE },
    };
    let is_tested = matches!(metric, Metric::Psi | Metric::Ks | Metric::EmbeddingDrift | Metric::RowCount)
        || metric.is_rate();
    let unjudged = |reason: String| MetricVerdict {
        verdict: Verdict::Insufficient,
        source,
        applied,
        q_value: None,
        held_back: None,
        reason: Some(reason),
    };
    if let Some(lack) = lack {
        return unjudged(lack.to_owned());
    }
    let Some(score) = score else {
        return unjudged(format!("`{metric}` was not measured"));
    };
    let missing = |what: &str| match score.reason {
        Some(reason) => reason.to_owned(),
        None => format!("`{metric}` has no {what}"),
    };
    let is_significant = q.map(|q| q <= default::FALSE_DISCOVERY_RATE);
    let (verdict, held_back) = match rule {
        Some(rule) => {
            let Some(level) = rule.grade(score) else {
                return unjudged(missing(rule.on().name()));
            };
            if level > Verdict::Ok && holds_back(rule, is_significant, rows) {
                (Verdict::Ok, Some(level))
            } else {
                (level, None)
            }
        }
        None => {
            let Some(level) = default::grade(metric, score) else {
                return unjudged(missing(applied.on.name()));
            };
            match is_significant {
                Some(true) => (level, None),
                Some(false) => (Verdict::Ok, None),
                None => return unjudged(missing("p-value")),
            }
        }
    };
    MetricVerdict {
        verdict,
        source,
        applied,
        q_value: q.filter(|_| is_tested),
        held_back,
        reason: held_back
            .map(|level| format!("`{level}` by its bound, but not significant in `{rows}` rows")),
    }
}

/// Whether a rule that passed its bound lacks the significance that it asks for.
///
/// Asked for by the rule itself, a test that could not be carried out is a test that was not passed. Asked for by
/// default, it is no obstacle: the model's own threshold outranks a gate that nobody set.
fn holds_back(rule: &Rule, is_significant: Option<bool>, rows: u64) -> bool {
    match rule.gate() {
        Gate::None => false,
        Gate::Significance => is_significant != Some(true),
        Gate::SmallWindows => {
            let is_noisy = rows < default::GATED_ROWS;
            let applies = rule.metric() != Metric::RowCount && rule.on() != On::PValue;
            applies && is_noisy && is_significant == Some(false)
        }
    }
}
