//! Events as telemetry of Application Insights.
//!
//! A verdict is an event and a metric for each number of each feature; an alert is an event; a status of the service is the
//! answer of an availability test, everything else that it says of itself an event. Properties are named as the columns in
//! [`table`](super::table), so that a query over one reads as over the other.
//!
//! A property is at most 8,192 characters; lists are cut at a whole element, the least important last.

use driftlead_connectors::azure::{Kind, Telemetry};
use serde_json::{Map, Value as Json, json};

use super::records::{bounded, drifting, is_final, measures, segment};
use crate::report::Verdict;
use crate::report::wire::{Feature, Measure};
use crate::serve::wire::{Alert, Body, Diagnostic, Event, Operation, Verdict as VerdictEvent};
use crate::time::Timestamp;

/// The most characters of a property; of a list as many bytes.
const MAX_PROPERTY: usize = 8_192;
/// The name of the availability test.
const HEARTBEAT: &str = "driftlead";

/// The items of an event, in an order that does not change.
#[must_use]
pub fn telemetry(event: &Event) -> Vec<Telemetry> {
    match &event.body {
        Body::Verdict(own) => {
            let item =
                |data, kind| Telemetry { kind, time: own.time.to_string(), operation: own.id.clone(), data };
            let whole = measures(None, &own.window.metrics);
            let features = own.window.features.iter();
            let all = whole
                .into_iter()
                .chain(features.flat_map(|feature| measures(Some(feature), &feature.metrics)));
            let metrics = all.filter_map(|(feature, name, measure)| of_measure(own, feature, name, measure));
            std::iter::once(item(of_verdict(own), Kind::Event))
                .chain(metrics.map(|data| item(data, Kind::Metric)))
                .collect()
        }
        // No number, and no event that a verdict's queries would expect.
        Body::Gap(_) => Vec::new(),
        Body::Alert(own) => vec![Telemetry {
            kind: Kind::Event,
            time: own.time.to_string(),
            operation: own.id.clone(),
            data: of_alert(own),
        }],
        Body::Diagnostic(own) => vec![Telemetry {
            kind: if own.operation == Operation::Status { Kind::Availability } else { Kind::Event },
            time: own.time.to_string(),
            operation: own.correlation.clone().unwrap_or_default(),
            data: of_diagnostic(own),
        }],
    }
}

/// Text and numbers of an item as they grow.
#[derive(Default)]
struct Bag {
    properties: Map<String, Json>,
    measurements: Map<String, Json>,
}

impl Bag {
    /// A text; nothing if it is empty.
    fn text(mut self, name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            let end = value.char_indices().nth(MAX_PROPERTY).map_or(value.len(), |(end, _)| end);
            self.properties.insert(name.to_owned(), value[..end].into());
        }
        self
    }

    /// A time; nothing if there is none.
    fn time(self, name: &str, value: Option<Timestamp>) -> Self {
        self.text(name, value.map(|time| time.to_string()).unwrap_or_default())
    }

    /// A number; nothing if it is none.
    fn number(mut self, name: &str, value: Option<impl Into<Json>>) -> Self {
        if let Some(value) = value.map(Into::into).filter(Json::is_number) {
            self.measurements.insert(name.to_owned(), value);
        }
        self
    }

    /// The data of an event.
    fn event(self, name: &str) -> Json {
        json!({"ver": 2, "name": name, "properties": self.properties, "measurements": self.measurements})
    }
}

/// What all items of a window have.
fn head(own: &VerdictEvent, event_id: String) -> Bag {
    let window = &own.window;
    Bag::default()
        .text("EventId", event_id)
        .text("VerdictId", &own.id)
        .text("Model", &own.model.name)
        .text("ModelVersion", &own.model.version)
        .text("WindowName", &window.name)
        .time("WindowStart", window.start)
        .time("WindowEnd", window.end)
        .text("Segment", segment(window.segment.as_ref()))
        .text("IsFinal", is_final(window).to_string())
}

fn of_verdict(own: &VerdictEvent) -> Json {
    let window = &own.window;
    head(own, format!("{}:{}", own.id, own.revision))
        .text("IsPartial", window.arrival.is_some_and(|arrival| arrival.partial).to_string())
        .text("Verdict", window.verdict.name())
        .text("Features", drifting(window, MAX_PROPERTY).to_string())
        .number("Revision", Some(own.revision))
        .number("Rows", Some(window.rows))
        .number("LateRows", Some(window.arrival.map_or(0, |arrival| arrival.late_rows)))
        .event("driftlead.verdict")
}

/// A metric; `None` if it has no value, because a metric without one is none.
fn of_measure(own: &VerdictEvent, feature: Option<&Feature>, name: &str, measure: &Measure) -> Option<Json> {
    let value = measure.value.filter(|value| value.is_finite())?;
    let of = feature.map_or("", |feature| &feature.name);
    let bounds = measure.below.unwrap_or_default();
    let bound = |bound: Option<f64>| bound.map(|bound| bound.to_string()).unwrap_or_default();
    let bag = head(own, format!("{}:{}:{of}:{name}", own.id, own.revision))
        .text("Revision", own.revision.to_string())
        .text("Feature", of)
        .text("Kind", feature.map_or("", |feature| feature.kind.name()))
        .text("Verdict", measure.verdict.map_or("", Verdict::name))
        .text("Warn", bound(measure.warn.or(bounds.warn)))
        .text("Drift", bound(measure.drift.or(bounds.drift)));
    let point = json!({"name": format!("driftlead.{name}"), "value": value, "count": 1});
    Some(json!({"ver": 2, "metrics": [point], "properties": bag.properties}))
}

fn of_alert(own: &Alert) -> Json {
    let last = &own.last_window;
    let first = own.causes.first();
    let causes = bounded(own.causes.iter().map(|cause| json!(cause)), MAX_PROPERTY);
    let segments = bounded(own.segments.iter().map(|segment| json!(segment)), MAX_PROPERTY);
    Bag::default()
        .text("EventId", format!("{}:{}", own.id, own.revision))
        .text("AlertId", &own.id)
        .text("Model", &own.model.name)
        .text("ModelVersion", &own.model.version)
        .text("WindowName", &own.window)
        .text("Segment", segment(own.segment.as_ref()))
        .text("Status", own.status.word())
        .text("Severity", &own.severity)
        .text("Reason", own.reason.clone().unwrap_or_default())
        .time("FirstWindowStart", own.first_window.start)
        .time("FirstWindowEnd", own.first_window.end)
        .time("LastWindowStart", last.period.start)
        .time("LastWindowEnd", last.period.end)
        .text("VerdictId", &last.id)
        .text("Causes", causes.to_string())
        .text("Segments", segments.to_string())
        .text("Feature", first.map_or("", |cause| &cause.feature))
        .text("Metric", first.map_or("", |cause| &cause.metric))
        .number("Revision", Some(own.revision))
        .number("Value", first.map(|cause| cause.value))
        .number("Threshold", first.map(|cause| cause.threshold))
        .number("Share", first.map(|cause| cause.share))
        .event("driftlead.alert")
}

fn of_diagnostic(own: &Diagnostic) -> Json {
    let mut bag = Bag::default()
        .text("EventId", format!("{}:{}", own.id, own.revision))
        .text("Category", own.category.word())
        .text("OperationName", own.operation.word())
        .text("Level", own.level.word())
        .text("Instance", &own.instance)
        .text("CorrelationId", own.correlation.clone().unwrap_or_default())
        .number("DurationMs", own.duration_ms);
    for (name, value) in &own.properties {
        bag = match value {
            Json::Number(number) => bag.number(name, Some(number.clone())),
            Json::String(text) => bag.text(name, text),
            Json::Null => bag,
            other => bag.text(name, other.to_string()),
        };
    }
    if own.operation != Operation::Status {
        return bag.text("Message", &own.message).event("driftlead.diagnostic");
    }
    json!({
        "ver": 2,
        "id": own.id,
        "name": HEARTBEAT,
        "duration": duration(own.duration_ms.unwrap_or(0.0)),
        "success": own.level == crate::serve::wire::Level::Info,
        "runLocation": own.instance,
        "message": own.message.chars().take(MAX_PROPERTY).collect::<String>(),
        "properties": bag.properties,
        "measurements": bag.measurements,
    })
}

/// `d.hh:mm:ss.mmm`, of milliseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn duration(milliseconds: f64) -> String {
    let all = milliseconds.round() as u64;
    let (seconds, milliseconds) = (all / 1_000, all % 1_000);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    format!("{days}.{:02}:{:02}:{:02}.{milliseconds:03}", hours % 24, minutes % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_days_and_milliseconds() {
        assert_eq!(duration(3.4), "0.00:00:00.003");
        assert_eq!(duration(93_784_005.0), "1.02:03:04.005");
        assert_eq!(duration(f64::NAN), "0.00:00:00.000");
    }

    #[test]
    fn text_is_cut_between_characters_and_nothing_is_left_out_or_no_number() {
        let bag = Bag::default()
            .text("long", "ü".repeat(9_000))
            .text("none", "")
            .number("nan", Some(f64::NAN))
            .number("missing", None::<f64>)
            .number("one", Some(1.5));
        assert_eq!(bag.properties["long"].as_str().map(|text| text.chars().count()), Some(MAX_PROPERTY));
        assert!(!bag.properties.contains_key("none"));
        assert_eq!(Json::Object(bag.measurements), json!({"one": 1.5}));
    }
}
