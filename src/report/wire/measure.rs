//! A metric's number with everything that was known when it was judged.

use std::collections::BTreeMap;

use driftlead_engine::policy::{self, MetricVerdict};
use driftlead_engine::statistic::{self, Score};
use driftlead_engine::{Metric, metric};
use serde::de::Deserializer;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use super::value::finite;
use crate::report::verdict::Verdict;

/// The metrics of a feature or window; written in the order of [`metric::ALL`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(pub BTreeMap<Metric, Measure>);

impl Metrics {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The measure of `metric`, if it was taken.
    #[must_use]
    pub fn of(&self, metric: Metric) -> Option<&Measure> {
        self.0.get(&metric)
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        // Not the map's own order: that of `ALL` is the documented one, even should the two ever part.
        for metric in metric::ALL {
            if let Some(measure) = self.0.get(&metric) {
                map.serialize_entry(metric.name(), measure)?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Metrics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = BTreeMap::<String, Measure>::deserialize(deserializer)?;
        // A reader of an older version skips metrics that a newer one has added.
        let known = named.into_iter().filter_map(|(name, measure)| Some((Metric::parse(&name)?, measure)));
        Ok(Self(known.collect()))
    }
}

/// One metric with everything that was known when it was judged; keys that do not apply are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The metric; null with a `reason` where it cannot be computed.
    #[serde(with = "finite")]
    pub value: Option<f64>,
    /// The same of the baseline, where the metric compares two such values (rates).
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// The value less what sampling alone adds on average.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub corrected: Option<f64>,
    /// A certified lower bound of the value.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// A certified upper bound of the value.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// The probability of such a value without any drift.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// The probability of such a value under the smallest drift that matters.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub p_effect: Option<f64>,
    /// The feature's p after Benjamini-Hochberg over its family.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub q_value: Option<f64>,
    /// The window's rows that entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// The baseline's rows that entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_baseline: Option<u64>,
    /// The cells that were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cells: Option<u64>,
    /// The design effect that divided the sample size in the p-values.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub deff: Option<f64>,
    /// Which way the window moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Which number the threshold was compared with, if not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<On>,
    /// Above this it is `warn`.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub warn: Option<f64>,
    /// Above this it is `drift`.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub drift: Option<f64>,
    /// The same bounds where small is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Bounds>,
    /// Where the threshold comes from; left out where the metric is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_source: Option<ThresholdSource>,
    /// What is said of it; left out where the metric is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The verdict that the bounds alone would have given, where significance was missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back: Option<Verdict>,
    /// Why `value` is null, or why there is no verdict or a milder one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<&Score> for Measure {
    /// What a statistic found, before any policy. A value that is not finite becomes null with a reason.
    fn from(score: &Score) -> Self {
        let value = score.value.filter(|value| value.is_finite());
        let reason = match (score.reason, score.value) {
            (Some(reason), _) => Some(reason.to_owned()),
            (None, Some(_)) if value.is_none() => Some("the value is infinite".to_owned()),
            (None, Some(_)) => None,
            (None, None) => Some("not available".to_owned()),
        };
        Self {
            value,
            baseline: score.baseline,
            corrected: score.corrected,
            low: score.low,
            high: score.high,
            p_value: score.p_value,
            p_effect: score.p_effect,
            n: Some(score.n),
            n_baseline: Some(score.n_baseline),
            cells: score.cells.map(|cells| cells as u64),
            deff: score.p_value.or(score.p_effect).map(|_| score.deff),
            direction: score.direction.map(Direction::from),
            reason,
            ..Self::default()
        }
    }
}

impl Measure {
    /// What a statistic found and the policy said of it; `verdict` is `None` for a metric that is only shown.
    #[must_use]
    pub fn judged(metric: Metric, score: &Score, verdict: Option<&MetricVerdict>) -> Self {
        let mut measure = Self::from(score);
        let Some(judged) = verdict else { return measure };
        let applied = judged.applied;
        measure.q_value = judged.q_value;
        // The usual number need not be named; a reader of the contract knows it.
        measure.on = (applied.on != policy::On::default_for(metric)).then(|| applied.on.into());
        measure.warn = applied.above.warn;
        measure.drift = applied.above.drift;
        measure.below = (!applied.below.is_empty()).then(|| applied.below.into());
        measure.threshold_source = Some(judged.source.into());
        measure.verdict = Some(judged.verdict.into());
        measure.held_back = judged.held_back.map(Verdict::from);
        measure.reason = judged.reason.clone().or(measure.reason);
        measure
    }
}

/// Two bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The bound of `warn`.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub warn: Option<f64>,
    /// The bound of `drift`.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub drift: Option<f64>,
}

impl From<policy::Bounds> for Bounds {
    fn from(bounds: policy::Bounds) -> Self {
        Self { warn: bounds.warn, drift: bounds.drift }
    }
}

/// Which way a window moved against the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Larger values or shares.
    Up,
    /// Smaller values or shares.
    Down,
}

impl From<statistic::Direction> for Direction {
    fn from(direction: statistic::Direction) -> Self {
        match direction {
            statistic::Direction::Up => Self::Up,
            statistic::Direction::Down => Self::Down,
        }
    }
}

/// Which number of a metric a threshold was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// The metric itself.
    Value,
    /// The metric less what sampling alone adds.
    Corrected,
    /// The probability without drift.
    PValue,
}

impl From<policy::On> for On {
    fn from(on: policy::On) -> Self {
        match on {
            policy::On::Value => Self::Value,
            policy::On::Corrected => Self::Corrected,
            policy::On::PValue => Self::PValue,
        }
    }
}

/// Where a threshold comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThresholdSource {
    /// The default policy.
    Default,
    /// A rule of the model file.
    Model,
}

impl From<policy::ThresholdSource> for ThresholdSource {
    fn from(source: policy::ThresholdSource) -> Self {
        match source {
            policy::ThresholdSource::Default => Self::Default,
            policy::ThresholdSource::Model => Self::Model,
        }
    }
}
