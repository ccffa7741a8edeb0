//! The service, driven from outside as people and power cuts drive it.

mod anew;
mod append;
mod azure;
mod begin;
mod begun;
mod care;
mod chaos;
mod common_alert;
mod counted;
mod crash;
mod diagnostics;
mod entra;
mod faults;
mod folder;
mod freshness;
mod gaps;
mod growing;
mod ingest;
mod insights;
mod interleave;
mod lacks;
mod mdc;
mod moving;
mod numbers;
mod odd;
mod order;
mod packed;
mod reload;
mod remembered;
mod renewal;
mod rows;
mod same;
mod schemas;
mod sinks;
pub(crate) mod slow;
mod topic;
mod truth;
mod vectors;
mod volume;
mod wide;

use std::io::Write as _;

use crate::support::folder::Folder;
use crate::support::service::Service;

/// The model of these tests; `{source}` is nothing that changes between them.
const MODEL: &str = r#"
model: rows
version: "1"
baseline: baseline.parquet
source: rows
time: ts
window: {length: 10m, out_of_orderness: 60s, lateness: 60s, idle: 1s, future: 5m}
segments: [c]
features: {x: numeric, y: numeric, c: categorical}
alert: {windows: 2 of 3, resolve_after: 2}
sinks: [record]
"#;

/// The same against the windows before each.
fn moving_model(windows: u32) -> String {
    MODEL.replace(
        "baseline: baseline.parquet",
        &format!("baseline: {{path: baseline.parquet, moving: {{windows: {windows}}}}}"),
    )
}

/// A folder with a model, a service of this `source` (the value of its YAML key), and sinks besides `record`.
fn service(folder: &Folder, source: &str, sinks: &str) {
    rows::baseline(folder);
    folder.write("model.yaml", MODEL);
    service_file(folder, source, "200ms", sinks);
}

/// Runs the service of a pipe over these rows, to their end.
fn piped(folder: &Folder, rows: &[rows::Row]) {
    let (running, mut input) = Service::with_input(folder);
    for row in rows {
        writeln!(input, "{}", row.json).expect("it reads");
    }
    drop(input);
    running.wait_well();
}

/// The service's file alone, with its store's folder, for a model that is there.
fn service_file(folder: &Folder, source: &str, commit_every: &str, sinks: &str) {
    std::fs::create_dir_all(folder.path("state")).expect("a folder");
    let text = format!(
        "listen: 127.0.0.1:0\nstore: ./state\nmodels: [model.yaml]\ncommit_every: {commit_every}\nsources:\n  rows: \
         {source}\nsinks:\n  record: {{file: {{path: ./events.ndjson, send: [verdicts, alerts]}}}}\n{sinks}"
    );
    folder.write("service.yaml", text);
}
