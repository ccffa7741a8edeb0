//! Events as numbers, for charts of the clock's time: what metrics of Azure and samples of Prometheus are made of.
//!
//! A number that was sent cannot be taken back, and stands at the time when it was decided. So a window gives its numbers
//! once, when it closes (revision 0): what late rows change of it later, the logs tell. What could not be judged gives
//! none, because a rule at the other side knows only the number: a PSI of three rows would fire it. A window that is cut
//! by the end of the data gives none either, as it never alerts (SEMANTICS S13).

use driftlead_engine::Metric;

use crate::report::Verdict;
use crate::report::wire::{Measure, Metrics, Segment};
use crate::serve::wire::{Alert, Body, Event, Status, Verdict as VerdictEvent};

/// What a number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The value of a metric that was judged.
    Value(Metric),
    /// The window's rows.
    Rows,
    /// What is said of a window, as a number: 0 `ok`, 1 `info`, 2 `warn`, 3 `drift`.
    Verdict,
    /// The same of a feature.
    FeatureVerdict,
    /// 1 when an alert opens or changes, 0 when it is resolved.
    OpenAlert,
}

/// One number.
#[derive(Clone, Debug, PartialEq)]
pub struct Point<'a> {
    /// What it says.
    pub what: What,
    /// Of which model.
    pub model: &'a str,
    /// The windows' name.
    pub window: &'a str,
    /// The segment; `None` for the whole.
    pub segment: Option<&'a Segment>,
    /// The feature; `None` for what belongs to no feature.
    pub feature: Option<&'a str>,
    /// When it was decided, in microseconds since the epoch.
    pub time: i64,
    /// The number; finite.
    pub value: f64,
}

/// The numbers of an event, in an order that does not change. Segments only if they are asked for.
#[must_use]
pub fn points(event: &Event, segments: bool) -> Vec<Point<'_>> {
    match &event.body {
        Body::Verdict(verdict) if segments || verdict.window.segment.is_none() => of_verdict(verdict),
        Body::Alert(alert) if segments || alert.segment.is_none() => vec![of_alert(alert)],
        // What the service says of itself is shown at `/metrics`.
        Body::Verdict(_) | Body::Gap(_) | Body::Alert(_) | Body::Diagnostic(_) => Vec::new(),
    }
}

/// What is said, as a number; nothing for what was not judged.
#[must_use]
pub const fn level(verdict: Verdict) -> Option<f64> {
    match verdict {
        Verdict::Ok => Some(0.0),
        Verdict::Info => Some(1.0),
        Verdict::Warn => Some(2.0),
        Verdict::Drift => Some(3.0),
        Verdict::Insufficient | Verdict::Error | Verdict::Skipped => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "rows of a window, for a chart")]
fn of_verdict(event: &VerdictEvent) -> Vec<Point<'_>> {
    let window = &event.window;
    if event.revision > 0 || window.arrival.is_some_and(|arrival| arrival.partial) {
        return Vec::new();
    }
    let mut points = Vec::new();
    let mut add = |what, feature, value| {
        points.push(Point {
            what,
            model: &event.model.name,
            window: &window.name,
            segment: window.segment.as_ref(),
            feature,
            time: event.time.micros(),
            value,
        });
    };
    add(What::Rows, None, window.rows as f64);
    if let Some(level) = level(window.verdict) {
        add(What::Verdict, None, level);
    }
    for (metric, value) in judged(&window.metrics).filter(|(metric, _)| *metric != Metric::RowCount) {
        add(What::Value(metric), None, value);
    }
    for feature in &window.features {
        let Some(level) = level(feature.verdict) else { continue };
        add(What::FeatureVerdict, Some(feature.name.as_str()), level);
        for (metric, value) in judged(&feature.metrics) {
            add(What::Value(metric), Some(feature.name.as_str()), value);
        }
    }
    points
}

fn of_alert(alert: &Alert) -> Point<'_> {
    Point {
        what: What::OpenAlert,
        model: &alert.model.name,
        window: &alert.window,
        segment: alert.segment.as_ref(),
        feature: None,
        time: alert.time.micros(),
        value: if alert.status == Status::Resolved { 0.0 } else { 1.0 },
    }
}

/// Metrics that were judged, with their values.
fn judged(metrics: &Metrics) -> impl Iterator<Item = (Metric, f64)> + '_ {
    let is_judged = |measure: &&Measure| measure.verdict.is_some_and(|verdict| level(verdict).is_some());
    metrics.0.iter().filter_map(move |(metric, measure)| {
        let value = Some(measure).filter(is_judged)?.value?;
        value.is_finite().then_some((*metric, value))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn window(verdict: &str, segment: Json) -> Json {
        json!({
            "schema": "driftlead.event/1", "type": "verdict", "id": "1", "revision": 0,
            "time": "2026-01-05T08:15:00.000000Z", "model": {"name": "orders", "version": "1"},
            "window": {
                "id": "1", "name": "hourly", "start": "2001-01-01T00:00:00.000000Z",
                "end": "2001-01-01T01:00:00.000000Z", "segment": segment, "rows": 900, "verdict": verdict,
                "arrival": {"late_rows": 0, "revision": 0, "final": false, "partial": false},
                "metrics": {"row_count": {"value": 900, "verdict": "ok"}},
                "features": [
                    {
                        "name": "age", "kind": "numeric", "rows": 900, "nulls": 0, "nans": 0, "infinities": 0,
                        "cutset_id": null, "verdict": "drift", "metrics": {
                            "psi": {"value": 0.31, "verdict": "drift"}, "js": {"value": 0.1},
                            "ks": {"value": null, "reason": "x", "verdict": "ok"},
                            "null_rate": {"value": 0.5, "verdict": "insufficient"},
                        },
                    },
                    {
                        "name": "plan", "kind": "categorical", "rows": 3, "nulls": 0, "nans": 0, "infinities": 0,
                        "cutset_id": null, "verdict": "insufficient",
                        "metrics": {"psi": {"value": 4.0, "verdict": "insufficient"}},
                    },
                ],
            },
        })
    }

    fn said(event: &Json, segments: bool) -> Vec<(What, Option<String>, f64)> {
        let event: Event = serde_json::from_value(event.clone()).unwrap();
        let points = points(&event, segments);
        assert!(points.iter().all(|own| own.time == 1_767_600_900_000_000), "when it was decided");
        points.iter().map(|own| (own.what, own.feature.map(str::to_owned), own.value)).collect()
    }

    #[test]
    fn what_was_judged_becomes_a_number_once() {
        let age = || Some("age".to_owned());
        let expected = vec![
            (What::Rows, None, 900.0),
            (What::Verdict, None, 3.0),
            (What::FeatureVerdict, age(), 3.0),
            (What::Value(Metric::Psi), age(), 0.31),
        ];
        let event = window("drift", Json::Null);
        assert_eq!(said(&event, false), expected);
        let mut corrected = event.clone();
        corrected["revision"] = 1.into();
        assert_eq!(said(&corrected, true), [], "what was sent cannot be taken back");
        let mut partial = event;
        partial["window"]["arrival"]["partial"] = true.into();
        assert_eq!(said(&partial, true), []);
        let segment = window("drift", json!({"region": "eu"}));
        assert_eq!((said(&segment, false), said(&segment, true)), (vec![], expected));
        for verdict in ["insufficient", "error", "skipped"] {
            let whats = said(&window(verdict, Json::Null), false);
            assert!(!whats.iter().any(|own| own.0 == What::Verdict), "{whats:?}");
        }
    }

    #[test]
    fn an_alert_is_one_while_it_is_open() {
        let period =
            json!({"id": "1", "start": "2001-01-01T00:00:00.000000Z", "end": "2001-01-01T01:00:00.000000Z"});
        let alert = |status: &str, segment: Json| {
            json!({
                "schema": "driftlead.event/1", "type": "alert", "id": "1", "revision": 0,
                "time": "2026-01-05T08:15:00.000000Z", "model": {"name": "orders", "version": "1"},
                "status": status, "severity": "major", "window": "hourly", "segment": segment,
                "first_window": period, "last_window": period, "causes": [],
            })
        };
        for (status, value) in [("open", 1.0), ("update", 1.0), ("resolved", 0.0)] {
            assert_eq!(said(&alert(status, Json::Null), false), [(What::OpenAlert, None, value)]);
        }
        assert_eq!(said(&alert("open", json!({"region": null})), false), []);
    }
}
