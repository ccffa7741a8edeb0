//! An embedding that drifts in a service: what the alert and the API say of it, and a start that is refused.

use std::io::Write as _;
use std::sync::Arc;

use arrow_array::types::Float32Type;
use arrow_array::{ArrayRef, ListArray};
use driftlead::time::Timestamp;
use serde_json::Value;

use super::rows::BEGIN;
use super::service_file;
use crate::support::client::ask;
use crate::support::folder::Folder;
use crate::support::random::Random;
use crate::support::service::{Service, eventually};

const MODEL: &str = r#"
model: prompts
baseline: baseline.parquet
source: rows
time: ts
id: request
window: {length: 10m, out_of_orderness: 1s, lateness: 1s, idle: 1s}
features: {v: {kind: embedding, dim: 6}}
alert: {windows: 1 of 1}
sinks: [record]
"#;
const WINDOW: i64 = 600_000_000;
const ROWS: i64 = 600;

/// A vector near one of two centers.
fn vector(random: &mut Random, is_far: bool) -> Vec<f32> {
    (0..6).map(|j| (random.normal() + if is_far && j < 2 { 9.0 } else { 1.0 }) as f32).collect()
}

fn folder(model: &str) -> Folder {
    let folder = Folder::new();
    let mut random = Random::new(31);
    // One of forty is far.
    let rows: Vec<Vec<f32>> = (0..3_000).map(|at| vector(&mut random, at % 40 == 0)).collect();
    let lists = rows.iter().map(|row| Some(row.iter().map(|x| Some(*x)).collect::<Vec<_>>()));
    let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(lists));
    folder.parquet("baseline.parquet", vec![("v", lists)]);
    folder.write("model.yaml", model);
    service_file(&folder, "{stdin: {}, format: json}", "200ms", "");
    folder
}

#[test]
fn an_alert_and_the_api_say_what_moved_and_which_rows_did() {
    let folder = folder(MODEL);
    let (mut running, mut input) = Service::with_input(&folder);
    let address = running.address();
    let mut random = Random::new(32);
    // Two windows like the baseline, one in which a third is far, and the first row of one more.
    for window in 0..4 {
        for at in 0..if window == 3 { 1 } else { ROWS } {
            let is_far = at % if window == 2 { 3 } else { 40 } == 0;
            let time = Timestamp::from_micros(
                BEGIN + window * WINDOW + at * 900_000 + i64::from(window == 3) * 60_000_000,
            );
            let kind = if is_far { "far" } else { "near" };
            let v = vector(&mut random, is_far);
            writeln!(input, r#"{{"ts":"{time}","request":"{kind}-{window}-{at}","v":{v:?}}}"#)
                .expect("it reads");
        }
    }
    input.flush().expect("it reads");
    let path = "/api/v1/models/prompts/features?feature=v";
    let shown = || ask(&address, "GET", path, &[], b"").expect("an answer").json();
    let end = Timestamp::from_micros(BEGIN + 3 * WINDOW).to_string();
    eventually("the third window is final", || shown()["items"][0]["windows"][0]["end"] == end.as_str());
    let shown = shown();
    let histogram = &shown["items"][0]["baseline"]["histogram"];
    let total =
        |counts: &Value| counts.as_array().expect("counts").iter().filter_map(Value::as_u64).sum::<u64>();
    let vectors = total(&histogram["map"]["rows"]);
    assert!((1_000..2_000).contains(&vectors), "half of the baseline is fitted: {histogram}");
    let window = &shown["items"][0]["windows"][0]["feature"];
    assert_eq!(window["verdict"], "drift", "{window}");
    let directions = window["directions"].as_array().expect("directions");
    assert!(directions.iter().any(|own| own["part"] == "embedding_mean"), "{directions:?}");

    let opened = || -> Option<Value> {
        let lines = folder.whole_lines("events.ndjson");
        let events = lines.iter().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        events.into_iter().find(|event| event["type"] == "alert" && event["status"] == "open")
    };
    eventually("the alert is sent", || opened().is_some());
    let alert = opened().expect("an alert");
    let cause = &alert["causes"][0];
    assert_eq!((&cause["feature"], &cause["metric"]), (&Value::from("v"), &Value::from("embedding_drift")));
    assert_eq!(cause["directions"], window["directions"], "the alert says what the API says");
    let grown = cause["top"].as_array().expect("cells").iter().filter(|cell| cell["ids"].is_array());
    let ids: Vec<&str> =
        grown.flat_map(|cell| cell["ids"].as_array().expect("ids")).filter_map(Value::as_str).collect();
    assert!(!ids.is_empty() && ids.iter().all(|id| id.starts_with("far-2-")), "{cause}");
    drop(input);
    running.wait_well();
}

#[test]
fn a_length_that_no_vector_has_is_refused_at_the_start() {
    let folder = folder(&MODEL.replace("dim: 6", "dim: 7"));
    let (status, log) = Service::start(&folder, &[]).wait();
    assert_eq!(status.code(), Some(2), "{log:#?}");
    let said = log.join("\n");
    for text in ["model.yaml:8:", "`dim: 7`", "3000 have 6 numbers"] {
        assert!(said.contains(text), "`{text}` is not in {said}");
    }
}
