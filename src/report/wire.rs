//! The public contract `driftlead.report/1` (DESIGN section 7, SEMANTICS S12, S18, S20, S23), field by field.
//!
//! The order of fields is the order of keys. No number here is NaN or infinite: [`finite`] turns such into null, and a
//! null `value` stands beside a `reason`. What differs between equal runs (paths, durations, the version, order of
//! arrival) stands under `run` and `arrival` alone, so that [`Report::make_reproducible`] need only drop those two.
//! Adding a key is no new version of the contract; renaming, removing or redefining one is.

use std::collections::BTreeMap;
use std::fmt;

use driftlead_engine::policy::{self, MetricVerdict};
use driftlead_engine::statistic::{self, Score};
use driftlead_engine::{Kind, Metric, metric};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use super::verdict::Verdict;
use crate::time::Timestamp;

/// The name and version of this contract.
pub const SCHEMA: &str = "driftlead.report/1";

/// The result of one `driftlead check`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// The model.
    pub model: Model,
    /// What was compared with.
    pub baseline: Baseline,
    /// The worst of the windows.
    pub verdict: Verdict,
    /// Where the rows went that the windows do not show.
    pub input: Input,
    /// The windows: by name in the model file's order, then start, then the whole before its segments.
    pub windows: Vec<Window>,
    /// Stretches without rows that are too long to list window by window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// Columns that were not judged, by name.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// Features that could not be compared at all, by name.
    #[serde(default)]
    pub errors: Vec<Failed>,
    /// What belongs to this run alone; left out by `--reproducible`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
}

/// The model that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The baseline that was compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The hash of its state: equal baselines have equal ids wherever they were made.
    pub id: String,
    /// Its rows.
    pub rows: u64,
    /// Rows of its files that `where` left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub excluded_rows: u64,
}

/// Every row of the data is in a window or in one of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Rows read.
    pub rows: u64,
    /// Rows that `where` left out: false or null.
    pub excluded_rows: u64,
    /// Rows outside `--since` and `--until`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub outside_rows: u64,
    /// Rows whose event time is null or unreadable.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub untimed_rows: u64,
    /// Records of text files that could not become a row; not among the rows read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bad_records: u64,
}

/// One window of the whole or of one segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// A stable id: the same window of the same model, version and baseline has it in every run (SEMANTICS S20).
    pub id: String,
    /// The window's name in the model file.
    pub name: String,
    /// Its first moment; null without event time.
    #[serde(with = "moment")]
    pub start: Option<Timestamp>,
    /// The first moment after it; null without event time.
    #[serde(with = "moment")]
    pub end: Option<Timestamp>,
    /// The segment; null for the whole.
    pub segment: Option<Segment>,
    /// Its rows.
    pub rows: u64,
    /// What depends on when rows arrived; left out by `--reproducible`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<Arrival>,
    /// The worst of its judged features.
    pub verdict: Verdict,
    /// Metrics of the window as a whole: `row_count`.
    #[serde(default, skip_serializing_if = "Metrics::is_empty")]
    pub metrics: Metrics,
    /// The features, in the baseline's order.
    pub features: Vec<Feature>,
}

/// What depends on when rows arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// Rows that came too late to count.
    pub late_rows: u64,
    /// How often the window was corrected by late rows.
    pub revision: u64,
    /// Whether no further correction can come.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Whether the window is cut by `--since`, `--until` or the end of the data.
    pub partial: bool,
}

/// A segment: columns and their values, null being a value (SEMANTICS S18).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment(pub Vec<(String, Option<String>)>);

/// One feature in one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// The column.
    pub name: String,
    /// How it is compared.
    #[serde(with = "kind")]
    pub kind: Kind,
    /// Its rows.
    pub rows: u64,
    /// Of these, nulls.
    pub nulls: u64,
    /// Of these, NaN.
    pub nans: u64,
    /// Of these, infinities of either sign.
    pub infinities: u64,
    /// Of these, values that could not be read as the feature's type.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub type_errors: u64,
    /// The hash of the edges on which it was counted; null if it was not counted.
    pub cutset_id: Option<String>,
    /// Set if float32 rows were compared with a float64 baseline (SEMANTICS S4).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dtype_narrowed: bool,
    /// What is said of it.
    pub verdict: Verdict,
    /// Why it was not judged, or whatever else a person should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Rows with a value that are missing before it could be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_rows: Option<u64>,
    /// Whether a design effect was measured on the baseline (SEMANTICS S6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<bool>,
    /// Its share in the window's drift, from 0 to 1.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub contribution: Option<f64>,
    /// Its metrics.
    pub metrics: Metrics,
    /// The cells that moved most, by contribution.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<Cell>,
    /// The metrics of other tools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compat: Vec<CompatMetric>,
}

/// The metrics of a feature or window; written in the order of [`metric::ALL`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(pub BTreeMap<Metric, Measure>);

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

/// Which way a window moved against the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Larger values or shares.
    Up,
    /// Smaller values or shares.
    Down,
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

/// Where a threshold comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThresholdSource {
    /// The default policy.
    Default,
    /// A rule of the model file.
    Model,
}

/// A cell of a feature's distribution, and how its share moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// What a person would call it: `(10, 20]`, `ATL`, `new categories`.
    pub label: String,
    /// The number above which it begins; null if it has no lower end. Numeric features only.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The number with which it ends; null if it has no upper end. Numeric features only.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// The category, where the cell is one; the label may be shortened, this never is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Its share of the baseline's rows.
    #[serde(with = "share")]
    pub baseline: f64,
    /// Its share of the window's rows.
    #[serde(with = "share")]
    pub window: f64,
    /// Its share of the feature's PSI, from 0 to 1.
    #[serde(with = "share")]
    pub contribution: f64,
}

/// A metric as another tool computes it (SEMANTICS S24). It never enters a verdict of ours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompatMetric {
    /// The tool.
    pub tool: String,
    /// The metric, by the tool's own name.
    pub metric: String,
    /// Its value, as the tool reports it; null with a `reason`.
    #[serde(with = "finite")]
    pub value: Option<f64>,
    /// The p-value, where the tool computes one; where it reports that, the same as `value`.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// What the tool itself would say by its default bound; left out where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<bool>,
    /// Whether this is the metric that the tool takes for this feature if it is not told which.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub chosen: bool,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A stretch of more than 1,000 windows without rows (SEMANTICS S13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The windows' name.
    pub name: String,
    /// The start of the first.
    #[serde(with = "instant")]
    pub start: Timestamp,
    /// The end of the last.
    #[serde(with = "instant")]
    pub end: Timestamp,
    /// How many there are.
    pub windows: u64,
}

/// A column that was not judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The column.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// A feature that could not be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The column.
    pub name: String,
    /// What was expected and found.
    pub reason: String,
}

/// What belongs to one run alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The version of driftlead.
    pub version: String,
    /// Wall-clock seconds.
    #[serde(with = "share")]
    pub seconds: f64,
    /// Rows read per second, baseline included.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub rows_per_second: Option<f64>,
    /// What was read.
    pub paths: Paths,
}

/// What a run read, as typed or written in the model file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// The model file.
    pub model: Option<String>,
    /// The baseline.
    pub baseline: Vec<String>,
    /// The data.
    pub data: Vec<String>,
}

impl Report {
    /// Drops what differs between equal runs, so that equal inputs give equal bytes (SEMANTICS S23).
    pub fn make_reproducible(&mut self) {
        self.run = None;
        for window in &mut self.windows {
            window.arrival = None;
        }
    }

    /// The report as JSON in one line, without a line end.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Writing to a string fails only for maps with keys that are no strings; here are none.
        serde_json::to_string(self).expect("every key is a string")
    }
}

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

impl From<policy::ThresholdSource> for ThresholdSource {
    fn from(source: policy::ThresholdSource) -> Self {
        match source {
            policy::ThresholdSource::Default => Self::Default,
            policy::ThresholdSource::Model => Self::Model,
        }
    }
}

impl From<statistic::Direction> for Direction {
    fn from(direction: statistic::Direction) -> Self {
        match direction {
            statistic::Direction::Up => Self::Up,
            statistic::Direction::Down => Self::Down,
        }
    }
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

impl From<policy::Bounds> for Bounds {
    fn from(bounds: policy::Bounds) -> Self {
        Self { warn: bounds.warn, drift: bounds.drift }
    }
}

impl fmt::Display for Segment {
    /// `origin = ATL, carrier = null`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (column, value)) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{column} = {}", value.as_deref().unwrap_or("null"))?;
        }
        Ok(())
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

impl Serialize for Segment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(column, value)| (column, value)))
    }
}

impl<'de> Deserialize<'de> for Segment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;

        impl<'de> Visitor<'de> for Columns {
            type Value = Segment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from column to value")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Segment, A::Error> {
                let mut columns = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    columns.push(entry);
                }
                Ok(Segment(columns))
            }
        }

        deserializer.deserialize_map(Columns)
    }
}
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Kinds by their names.
mod kind {
    use driftlead_engine::Kind;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(kind.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
        let name = String::deserialize(deserializer)?;
        Kind::parse(&name).ok_or_else(|| de::Error::custom(format!("`{name}` is no kind of feature")))
    }
}

/// Numbers that may be missing; NaN and infinities are written as null.
mod finite {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    pub(super) fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.filter(|value| value.is_finite()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Option::deserialize(deserializer)
    }
}

/// Numbers that are always there; what is not finite is written as zero, which a share or duration of nothing is.
mod share {
    use serde::{Deserialize, Deserializer, Serializer};
    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(if value.is_finite() { *value } else { 0.0 })
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        f64::deserialize(deserializer)
    }
}

/// Points in time as RFC 3339.
mod instant {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::time::Timestamp;
    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(time)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Points in time that may be missing.
mod moment {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::time::Timestamp;
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
    }
}
