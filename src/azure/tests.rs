//! What the service says of itself, as Azure Monitor is told.

use std::collections::BTreeMap;

use driftlead_connectors::azure::Kind;
use serde_json::{Value as Json, json};

use super::insights::telemetry;
use super::records::{Streams, records};
use super::table::{DIAGNOSTICS, Type};
use crate::serve::wire::{Body, Category, Diagnostic, Event, Level, Operation, SCHEMA};
use crate::time::Timestamp;

fn event(operation: Operation, level: Level) -> Event {
    let own = Diagnostic {
        id: "d-1".to_owned(),
        revision: 1,
        time: Timestamp::from_micros(1_767_600_900_000_001),
        category: Category::Audit,
        operation,
        level,
        instance: "drift-0".to_owned(),
        correlation: Some("a-1".to_owned()),
        duration_ms: Some(2.5),
        message: "it is so".to_owned(),
        properties: BTreeMap::from([
            ("by".to_owned(), json!("ops")),
            ("late_rows".to_owned(), json!(7)),
            ("ready".to_owned(), json!(true)),
        ]),
    };
    Event { schema: SCHEMA.to_owned(), body: Body::Diagnostic(own) }
}

#[test]
fn a_diagnostic_is_a_record_of_its_table_column_by_column() {
    let all = records(&event(Operation::Acknowledged, Level::Info), &Streams::default());
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].stream, "Custom-DriftleadDiagnostics");
    let record: Json = serde_json::from_str(&all[0].json).expect("JSON");
    let record = record.as_object().expect("an object");
    assert_eq!(record.len(), DIAGNOSTICS.columns.len());
    for (column, (name, value)) in DIAGNOSTICS.columns.iter().zip(record) {
        assert_eq!(column.name, name, "in the table's order");
        let fits = match column.kind {
            Type::DateTime | Type::String => value.is_string(),
            Type::Real | Type::Long => value.is_number(),
            Type::Boolean => value.is_boolean(),
            Type::Dynamic => value.is_object(),
        };
        assert!(fits, "{name}: {value}");
    }
    assert_eq!((&record["EventId"], &record["OperationName"]), (&json!("d-1:1"), &json!("acknowledged")));
    assert_eq!(record["Properties"]["message"], "it is so");
    let none = Streams { diagnostics: None, ..Streams::default() };
    assert!(records(&event(Operation::Started, Level::Info), &none).is_empty());
}

#[test]
fn a_diagnostic_is_an_event_and_a_status_an_availability_result() {
    let all = telemetry(&event(Operation::Acknowledged, Level::Info));
    let [own] = &all[..] else { panic!("{all:?}") };
    assert_eq!((own.kind, own.operation.as_str()), (Kind::Event, "a-1"));
    assert_eq!(
        own.data,
        json!({
            "ver": 2, "name": "driftlead.diagnostic",
            "properties": {"EventId": "d-1:1", "Category": "audit", "OperationName": "acknowledged", "Level": "info",
                "Instance": "drift-0", "CorrelationId": "a-1", "by": "ops", "ready": "true", "Message": "it is so"},
            "measurements": {"DurationMs": 2.5, "late_rows": 7},
        })
    );
    for (level, success) in [(Level::Info, true), (Level::Warning, false)] {
        let all = telemetry(&event(Operation::Status, level));
        let [own] = &all[..] else { panic!("{all:?}") };
        assert_eq!((own.kind, own.time.as_str()), (Kind::Availability, "2026-01-05T08:15:00.000001Z"));
        let data = &own.data;
        assert_eq!(
            (&data["id"], &data["name"], &data["success"]),
            (&json!("d-1"), &json!("driftlead"), &json!(success))
        );
        assert_eq!((&data["duration"], &data["runLocation"]), (&json!("0.00:00:00.003"), &json!("drift-0")));
        assert_eq!((&data["message"], &data["measurements"]["late_rows"]), (&json!("it is so"), &json!(7)));
    }
}
