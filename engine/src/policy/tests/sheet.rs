//! Measured features, written in a line.

use std::collections::BTreeMap;

use crate::kind::Kind;
use crate::metric::Metric;
use crate::policy::{FeatureInput, FeatureVerdict, MetricVerdict, Policy, Rule, RuleSet, RuleSpec, judge};
use crate::statistic::Score;

/// A measured feature that owns what [`FeatureInput`] borrows.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    pub(super) feature: String,
    pub(super) kind: Kind,
    pub(super) segment: Option<String>,
    pub(super) rows: u64,
    pub(super) n: u64,
    pub(super) baseline_rows: u64,
    pub(super) baseline_n: u64,
    pub(super) scores: BTreeMap<Metric, Score>,
}

impl Sheet {
    /// A feature with 5,000 rows against a million, all with a value, and no scores yet.
    pub(super) fn new(feature: &str, kind: Kind) -> Self {
        Self {
            feature: feature.to_owned(),
            kind,
            segment: None,
            rows: 5_000,
            n: 5_000,
            baseline_rows: 1_000_000,
            baseline_n: 1_000_000,
            scores: BTreeMap::new(),
        }
    }

    pub(super) fn numeric(feature: &str) -> Self {
        Self::new(feature, Kind::Numeric)
    }

    pub(super) fn categorical(feature: &str) -> Self {
        Self::new(feature, Kind::Categorical)
    }

    pub(super) fn segment(mut self, segment: &str) -> Self {
        self.segment = Some(segment.to_owned());
        self
    }

    /// `rows` rows, `n` of them with a value.
    pub(super) fn rows(mut self, rows: u64, n: u64) -> Self {
        (self.rows, self.n) = (rows, n);
        self
    }

    pub(super) fn baseline(mut self, rows: u64, n: u64) -> Self {
        (self.baseline_rows, self.baseline_n) = (rows, n);
        self
    }

    pub(super) fn score(mut self, metric: Metric, score: Score) -> Self {
        self.scores.insert(metric, score);
        self
    }

    /// `psi` with this corrected value and p of the minimum effect.
    pub(super) fn psi(self, corrected: f64, p_effect: f64) -> Self {
        let score = Score {
            corrected: Some(corrected),
            p_effect: Some(p_effect),
            p_value: Some(p_effect / 10.0),
            ..Score::of(corrected + 0.01)
        };
        self.score(Metric::Psi, score)
    }

    /// `ks` with this distance and p of the minimum effect.
    pub(super) fn ks(self, value: f64, p_effect: f64) -> Self {
        self.score(Metric::Ks, Score { p_effect: Some(p_effect), ..Score::of(value) })
    }

    /// A rate of `q` in the window and `p` in the baseline.
    pub(super) fn rate(self, metric: Metric, q: f64, p: f64, p_effect: f64) -> Self {
        self.score(metric, Score { baseline: Some(p), p_effect: Some(p_effect), ..Score::of(q) })
    }

    pub(super) fn input(&self) -> FeatureInput<'_> {
        FeatureInput {
            feature: &self.feature,
            kind: self.kind,
            segment: self.segment.as_deref(),
            rows: self.rows,
            n: self.n,
            baseline_rows: self.baseline_rows,
            baseline_n: self.baseline_n,
            calibrated: true,
            scores: &self.scores,
            error: None,
            skipped: None,
            lacks: None,
        }
    }

    /// The verdict on this feature alone in its window.
    pub(super) fn judged_by(&self, policy: &Policy) -> FeatureVerdict {
        judge(policy, &[self.input()]).remove(0)
    }

    /// The verdict on one metric of this feature, alone in its window.
    pub(super) fn metric(&self, policy: &Policy, metric: Metric) -> MetricVerdict {
        self.judged_by(policy).metrics.remove(&metric).unwrap()
    }
}

pub(super) fn judge_all(policy: &Policy, sheets: &[Sheet]) -> Vec<FeatureVerdict> {
    let inputs: Vec<FeatureInput<'_>> = sheets.iter().map(Sheet::input).collect();
    judge(policy, &inputs)
}

/// A policy with these rules, for a numeric feature `x` and a categorical feature `c` with segment `a=1`.
pub(super) fn policy(rules: impl IntoIterator<Item = RuleSpec>) -> Policy {
    let rules = rules.into_iter().map(|spec| Rule::new(spec).unwrap()).collect();
    let features = [("x", Kind::Numeric), ("c", Kind::Categorical)];
    Policy { rules: RuleSet::new(rules, &features, &[SEGMENT]).unwrap(), ..Policy::default() }
}

/// The one segment of [`policy`]'s baseline.
pub(super) const SEGMENT: &str = r#"{"a":"1"}"#;

/// `{metric, warn, drift}`.
pub(super) fn above(metric: Metric, warn: impl Into<Option<f64>>, drift: impl Into<Option<f64>>) -> RuleSpec {
    let mut spec = RuleSpec::of(metric);
    (spec.above.warn, spec.above.drift) = (warn.into(), drift.into());
    spec
}

/// `{metric, below: {warn, drift}}`.
pub(super) fn below(metric: Metric, warn: impl Into<Option<f64>>, drift: impl Into<Option<f64>>) -> RuleSpec {
    let mut spec = RuleSpec::of(metric);
    (spec.below.warn, spec.below.drift) = (warn.into(), drift.into());
    spec
}
