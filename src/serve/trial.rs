//! Messages of a test: what a person sends to see whether a sink takes it.
//!
//! They are of the model [`MODEL`], which no service has, so that nothing which looks at a model is misled; nothing resolves the
//! alert. A verdict is `ok`, of one row and one feature.

use serde_json::{Value as Json, json};

use super::wire::SCHEMA;
use crate::config::service::Send;
use crate::time::Timestamp;

/// Whose messages these are.
pub const MODEL: &str = "test of this sink";
/// Their id.
const ID: &str = "00000000000000000000000000000000";

/// A message, and by what it is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// What it is: `alert`, `verdict` or `diagnostic`.
    pub kind: &'static str,
    /// Its delivery key.
    pub key: String,
    /// The message, as `driftlead.event/1` has it.
    pub event: Json,
}

/// An alert for the sink of that name, at `now` in microseconds since the epoch.
#[must_use]
pub fn alert(sink: &str, now: i64) -> Trial {
    let time = Timestamp::from_micros(now).to_string();
    let body = json!({
        "type": "alert", "id": ID, "revision": 0, "time": time, "model": {"name": MODEL, "version": "test"},
        "status": "open", "severity": "major", "window": "test", "segment": null,
        "first_window": {"start": time, "end": time},
        "last_window": {"id": ID, "start": time, "end": time},
        "causes": [],
    });
    trial("alert", sink, now, body)
}

/// A message of each kind that the sink is sent.
#[must_use]
pub fn all(sends: Send, sink: &str, now: i64) -> Vec<Trial> {
    let mut all = Vec::new();
    if sends.alerts {
        all.push(alert(sink, now));
    }
    let time = Timestamp::from_micros(now).to_string();
    if sends.verdicts {
        let psi = json!({"value": 0.0, "warn": 0.1, "drift": 0.2, "verdict": "ok"});
        let feature = json!({
            "name": "test", "kind": "numeric", "rows": 1, "nulls": 0, "nans": 0, "infinities": 0, "cutset_id": null,
            "verdict": "ok", "metrics": {"psi": psi},
        });
        let window = json!({
            "id": ID, "name": "test", "start": time, "end": time, "segment": null, "rows": 1,
            "arrival": {"late_rows": 0, "revision": 0, "final": true, "partial": false}, "verdict": "ok",
            "features": [feature],
        });
        let body = json!({
            "type": "verdict", "id": ID, "revision": 0, "time": time, "model": {"name": MODEL, "version": "test"},
            "window": window,
        });
        all.push(trial("verdict", sink, now, body));
    }
    if sends.diagnostics {
        let body = json!({
            "type": "diagnostic", "id": ID, "revision": 0, "time": time, "category": "service", "operation": "status",
            "level": "info", "instance": MODEL, "message": "a test of this sink",
        });
        all.push(trial("diagnostic", sink, now, body));
    }
    all
}

fn trial(kind: &'static str, sink: &str, now: i64, body: Json) -> Trial {
    let mut event = json!({"schema": SCHEMA});
    if let (Json::Object(event), Json::Object(body)) = (&mut event, body) {
        event.extend(body);
    }
    Trial { kind, key: format!("{ID}:{now}:{sink}"), event }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::insights::telemetry;
    use crate::azure::points::points;
    use crate::azure::records::{Streams, records};
    use crate::serve::wire::Event;

    #[test]
    fn each_is_a_message_of_the_contract_that_every_sink_has_something_of() {
        let sends = Send { alerts: true, verdicts: true, diagnostics: true };
        let all = all(sends, "workspace", 1_767_600_900_000_000);
        let kinds: Vec<&str> = all.iter().map(|own| own.kind).collect();
        assert_eq!(kinds, ["alert", "verdict", "diagnostic"]);
        for own in &all {
            let event: Event = serde_json::from_value(own.event.clone()).expect(own.kind);
            assert_eq!(own.event["type"], own.kind);
            assert!(!records(&event, &Streams::default()).is_empty(), "{}", own.kind);
            assert!(!telemetry(&event).is_empty(), "{}", own.kind);
            assert_eq!(points(&event, false).is_empty(), own.kind == "diagnostic", "{}", own.kind);
        }
        let none = Send { alerts: false, verdicts: false, diagnostics: false };
        assert!(super::all(none, "workspace", 0).is_empty());
    }
}
