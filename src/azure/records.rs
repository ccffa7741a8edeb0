//! Events as records of the tables in [`table`](super::table).
//!
//! A value of a column is at most 64 KB; Azure cuts what is longer, which would leave broken JSON. So lists are cut here,
//! at a whole element, the least important last.

use driftlead_connectors::azure::LogRecord;
use serde_json::{Map, Value as Json, json};

use super::table::{ALERTS, DIAGNOSTICS, METRICS, Table, VERDICTS};
use crate::report::Verdict;
use crate::report::wire::{Feature, Measure, Metrics, Segment, Window};
use crate::serve::wire::{Alert, Body, Diagnostic, Event, Verdict as VerdictEvent};
use crate::time::Timestamp;

/// The most bytes of one value.
const MAX_VALUE: usize = 60_000;

/// The streams of a sink, by table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streams {
    /// Of verdicts; `None` if they are not sent.
    pub verdicts: Option<String>,
    /// Of the metrics of a verdict.
    pub metrics: Option<String>,
    /// Of alerts.
    pub alerts: Option<String>,
    /// Of what the service says of itself.
    pub diagnostics: Option<String>,
}

impl Default for Streams {
    fn default() -> Self {
        let own = |table: Table| Some(table.stream.to_owned());
        Self {
            verdicts: own(VERDICTS),
            metrics: own(METRICS),
            alerts: own(ALERTS),
            diagnostics: own(DIAGNOSTICS),
        }
    }
}

/// The records of an event, in an order that does not change.
#[must_use]
pub fn records(event: &Event, streams: &Streams) -> Vec<LogRecord> {
    let mut records = Vec::new();
    let mut add = |stream: &Option<String>, row: Row| {
        if let Some(stream) = stream {
            records.push(LogRecord { stream: stream.clone(), json: row.finish() });
        }
    };
    match &event.body {
        Body::Verdict(verdict) => {
            add(&streams.verdicts, of_verdict(verdict));
            let whole = measures(None, &verdict.window.metrics);
            let features = verdict.window.features.iter();
            let all = whole.into_iter().chain(features.flat_map(|own| measures(Some(own), &own.metrics)));
            for (feature, name, measure) in all {
                add(&streams.metrics, of_measure(verdict, feature, name, measure));
            }
        }
        // No table has columns for it.
        Body::Gap(_) => {}
        Body::Alert(alert) => add(&streams.alerts, of_alert(alert)),
        Body::Diagnostic(own) => add(&streams.diagnostics, of_diagnostic(own)),
    }
    records
}

pub(super) fn measures<'a>(
    feature: Option<&'a Feature>,
    metrics: &'a Metrics,
) -> Vec<(Option<&'a Feature>, &'static str, &'a Measure)> {
    metrics.0.iter().map(|(metric, measure)| (feature, metric.name(), measure)).collect()
}

/// A record as it grows, held to its table's columns.
struct Row {
    table: Table,
    values: Map<String, Json>,
}

impl Row {
    fn new(table: Table) -> Self {
        Self { table, values: Map::new() }
    }

    /// The value of the next column. Columns are given in the table's order, every one of them.
    fn put(mut self, name: &'static str, value: impl Into<Json>) -> Self {
        debug_assert_eq!(
            self.table.columns.get(self.values.len()).map(|column| column.name),
            Some(name),
            "the columns of {}",
            self.table.key
        );
        self.values.insert(name.to_owned(), value.into());
        self
    }

    fn finish(self) -> String {
        debug_assert_eq!(self.values.len(), self.table.columns.len(), "the columns of {}", self.table.key);
        Json::Object(self.values).to_string()
    }
}

fn of_verdict(event: &VerdictEvent) -> Row {
    let window = &event.window;
    let arrival = window.arrival;
    let row = Row::new(VERDICTS)
        .put("TimeGenerated", event.time.to_string())
        .put("EventId", format!("{}:{}", event.id, event.revision));
    head(row, event)
        .put("Rows", window.rows)
        .put("LateRows", arrival.map_or(0, |arrival| arrival.late_rows))
        .put("IsFinal", is_final(window))
        .put("IsPartial", arrival.is_some_and(|arrival| arrival.partial))
        .put("Verdict", window.verdict.name())
        .put("Features", drifting(window, MAX_VALUE))
}

fn of_measure(event: &VerdictEvent, feature: Option<&Feature>, name: &str, measure: &Measure) -> Row {
    let of = feature.map_or("", |feature| &feature.name);
    let bounds = measure.below.unwrap_or_default();
    let row = Row::new(METRICS)
        .put("TimeGenerated", event.time.to_string())
        .put("EventId", format!("{}:{}:{of}:{name}", event.id, event.revision));
    head(row, event)
        .put("IsFinal", is_final(&event.window))
        .put("Feature", of)
        .put("Kind", feature.map_or("", |feature| feature.kind.name()))
        .put("Metric", name)
        .put("Value", measure.value)
        .put("Corrected", measure.corrected)
        .put("PValue", measure.p_value)
        .put("PEffect", measure.p_effect)
        .put("QValue", measure.q_value)
        .put("TargetRows", measure.n)
        .put("BaselineRows", measure.n_baseline)
        .put("Warn", measure.warn.or(bounds.warn))
        .put("Drift", measure.drift.or(bounds.drift))
        .put("ThresholdSource", word(&measure.threshold_source))
        .put("Direction", word(&measure.direction))
        .put("Verdict", measure.verdict.map_or("", Verdict::name))
        .put("Share", feature.and_then(|feature| feature.contribution))
}

/// What all records of a window have.
fn head(row: Row, event: &VerdictEvent) -> Row {
    let window = &event.window;
    row.put("VerdictId", event.id.clone())
        .put("Revision", event.revision)
        .put("Model", event.model.name.clone())
        .put("ModelVersion", event.model.version.clone())
        .put("WindowName", window.name.clone())
        .put("WindowStart", moment(window.start))
        .put("WindowEnd", moment(window.end))
        .put("Segment", segment(window.segment.as_ref()))
}

fn of_alert(alert: &Alert) -> Row {
    let last = &alert.last_window;
    Row::new(ALERTS)
        .put("TimeGenerated", alert.time.to_string())
        .put("EventId", format!("{}:{}", alert.id, alert.revision))
        .put("AlertId", alert.id.clone())
        .put("Revision", alert.revision)
        .put("Model", alert.model.name.clone())
        .put("ModelVersion", alert.model.version.clone())
        .put("WindowName", alert.window.clone())
        .put("Segment", segment(alert.segment.as_ref()))
        .put("Status", alert.status.word())
        .put("Severity", alert.severity.clone())
        .put("Reason", alert.reason.clone().unwrap_or_default())
        .put("FirstWindowStart", moment(alert.first_window.start))
        .put("FirstWindowEnd", moment(alert.first_window.end))
        .put("LastWindowStart", moment(last.period.start))
        .put("LastWindowEnd", moment(last.period.end))
        .put("VerdictId", last.id.clone())
        .put("Causes", bounded(alert.causes.iter().map(|cause| json!(cause)), MAX_VALUE))
        .put("Segments", bounded(alert.segments.iter().map(|segment| json!(segment)), MAX_VALUE))
}

fn of_diagnostic(own: &Diagnostic) -> Row {
    let mut properties = own.properties.clone();
    properties.insert("message".to_owned(), own.message.clone().into());
    Row::new(DIAGNOSTICS)
        .put("TimeGenerated", own.time.to_string())
        .put("EventId", format!("{}:{}", own.id, own.revision))
        .put("Category", own.category.word())
        .put("OperationName", own.operation.word())
        .put("Level", own.level.word())
        .put("Instance", own.instance.clone())
        .put("CorrelationId", own.correlation.clone().unwrap_or_default())
        .put("DurationMs", own.duration_ms)
        .put("Properties", json!(properties))
}

pub(super) fn is_final(window: &Window) -> bool {
    window.arrival.is_none_or(|arrival| arrival.is_final)
}

/// The features that a person should look at, in at most so many bytes.
pub(super) fn drifting(window: &Window, most: usize) -> Json {
    let mut all: Vec<&Feature> = window
        .features
        .iter()
        .filter(|feature| matches!(feature.verdict, Verdict::Warn | Verdict::Drift | Verdict::Error))
        .collect();
    // A stable sort: equal shares stay in the baseline's order.
    let share = |feature: &Feature| feature.contribution.unwrap_or(0.0);
    all.sort_by(|a, b| share(b).total_cmp(&share(a)));
    let items = all.into_iter().map(|feature| {
        json!({"name": feature.name, "verdict": feature.verdict.name(), "share": feature.contribution})
    });
    bounded(items, most)
}

/// A list of at most so many bytes.
pub(super) fn bounded(items: impl Iterator<Item = Json>, most: usize) -> Json {
    let mut bytes = 2;
    let fits = items.take_while(|item| {
        bytes += item.to_string().len() + 1;
        bytes <= most
    });
    Json::Array(fits.collect())
}

fn moment(time: Option<Timestamp>) -> Json {
    time.map_or(Json::Null, |time| Json::String(time.to_string()))
}

pub(super) fn segment(own: Option<&Segment>) -> String {
    own.map_or_else(String::new, |own| json!(own).to_string())
}

/// A word of the wire; empty if there is none.
fn word(own: &Option<impl serde::Serialize>) -> Json {
    match own {
        Some(own) => json!(own),
        None => Json::String(String::new()),
    }
}
