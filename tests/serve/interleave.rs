//! I-FINAL under interleavings: however a broker hands seven partitions over, and however often the service commits, its
//! final windows have the bytes that `check` gives for the same rows as a Parquet file.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::rows::{self, Row};
use super::same::{assert_finals, checked_file, end_of, finals, horizon};
use super::topic::append;
use super::{service_file, wide};
use crate::support::broker::broker;
use crate::support::checkout::workspace;
use crate::support::folder::Folder;
use crate::support::random::Random;
use crate::support::service::{Service, eventually};

/// Set to anything, each interleaving is run with each commit interval, which `make chaos` does; else with one of them.
const ALL: &str = "DRIFTLEAD_CHAOS_KILLS";
const INTERVALS: [&str; 3] = ["1ms", "200ms", "10s"];

/// Runs the service over the rows in one interleaving, and compares.
fn run(folder: &Folder, data: &str, rows: &[Row], seed: u64, commit_every: &str) {
    let mut random = Random::new(seed);
    let topic = broker().topic("interleaved", super::topic::PARTITIONS);
    append(&topic, rows, seed);
    // How much of one partition comes before the next one's turn.
    let piece = 500 << random.below(9);
    let source = format!(
        "{{kafka: {{brokers: \"{}\", topics: [{topic}], properties: {{max.partition.fetch.bytes: {piece}}}}}, \
         format: json}}",
        broker().bootstrap()
    );
    drop(std::fs::remove_dir_all(folder.path("state")));
    service_file(folder, &source, commit_every, "");
    let checked = checked_file(folder, data);
    let until = horizon(rows);
    let complete = checked.values().filter(|window| end_of(window) <= until).count();
    let mut running = Service::start(folder, &[]);
    running.wait_for("started");
    eventually("all windows are final", || finals(folder).len() >= complete);
    let (status, log) = running.stop();
    assert!(status.success(), "seed {seed}, {commit_every}: {status}: {log:#?}");
    assert_finals(folder, &checked, until);
}

#[test]
fn every_type_in_twenty_interleavings_gives_what_check_gives() {
    let folder = Folder::new();
    wide::baseline(&folder);
    folder.write("model.yaml", wide::MODEL);
    let rows = wide::rows(&folder, 2_400, 1, 51);
    let data = folder.path("all.parquet");
    // The comparison is worth nothing if every feature is an error.
    let checked = checked_file(&folder, &data);
    let whole = checked.values().find(|window| window["segment"].is_null()).expect("a window");
    for feature in whole["features"].as_array().expect("features") {
        let metric = if feature["kind"] == "embedding" { "embedding_drift" } else { "psi" };
        assert!(feature["metrics"][metric]["value"].is_f64(), "{feature}");
        assert_eq!(feature["metrics"]["mmd"]["p_value"].is_f64(), feature["name"] == "vector", "{feature}");
    }
    // Nor are ids, ways and maps that nobody has.
    let embeddings = || {
        let features = checked.values().filter_map(|window| window["features"].as_array()).flatten();
        features.filter(|feature| feature["kind"] == "embedding")
    };
    let has = |list: &serde_json::Value| list.as_array().is_some_and(|list| !list.is_empty());
    assert!(
        embeddings()
            .any(|own| own["top"].as_array().is_some_and(|top| top.iter().any(|cell| has(&cell["ids"]))))
    );
    assert!(embeddings().any(|own| has(&own["directions"]) && own["map"].is_object()));
    assert!(embeddings().any(|own| own["vectors_without_id"].as_u64().is_some_and(|count| count > 0)));
    // The same rows as text, for `check` too.
    let text = rows::file(&folder, "all.ndjson", &rows);
    for (id, window) in checked_file(&folder, &text) {
        assert_eq!(window.to_string(), checked[&id].to_string());
    }
    let is_whole = std::env::var_os(ALL).is_some();
    for seed in 0..20 {
        for (at, interval) in INTERVALS.into_iter().enumerate() {
            if is_whole || seed % 3 == at as u64 {
                run(&folder, &data, &rows, 100 + seed, interval);
            }
        }
    }
}

#[test]
fn the_flights_of_the_demo_give_what_check_gives() {
    let folder = Folder::new();
    let month = |number: u32| format!("fixtures/flights/newark-2001-0{number}.parquet");
    let baseline = workspace().join(month(1));
    let model = format!(
        "model: rows\nversion: \"1\"\nbaseline: {}\nsource: rows\ntime: date\n\
         window: {{length: 1d, out_of_orderness: 0s, lateness: 0s, idle: 100ms}}\n\
         segments: [destination]\nfeatures: {{delay: numeric, distance: numeric, destination: categorical}}\n",
        baseline.display()
    );
    folder.write("model.yaml", model);
    let rows = flights(&month(2));
    for (seed, interval) in INTERVALS.into_iter().enumerate() {
        run(&folder, &month(2), &rows, seed as u64, interval);
    }
}

/// A file of flights as records.
fn flights(path: &str) -> Vec<Row> {
    let file = std::fs::File::open(workspace().join(path)).expect("the fixture");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet").build().expect("a reader");
    let mut rows = Vec::new();
    for batch in reader.map(|batch| batch.expect("rows")) {
        let column = |name: &str| batch.column_by_name(name).expect("a column").clone();
        let (date, delay) = (column("date"), column("delay"));
        let (distance, destination) = (column("distance"), column("destination"));
        let destination = arrow_cast::cast(&destination, &arrow_schema::DataType::Utf8).expect("text");
        for at in 0..batch.num_rows() {
            let time = date.as_primitive::<TimestampMicrosecondType>().value(at);
            let json = format!(
                r#"{{"date":"{}","delay":{},"distance":{},"destination":"{}"}}"#,
                driftlead::time::Timestamp::from_micros(time),
                delay.as_primitive::<Int64Type>().value(at),
                distance.as_primitive::<Int64Type>().value(at),
                destination.as_string::<i32>().value(at),
            );
            rows.push(Row { time, json });
        }
    }
    rows
}
