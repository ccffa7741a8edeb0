//! A running service takes models, series and sources that are others, as a restart would, within its process: through the
//! API and by SIGHUP, with topics and with files (decision 0042).

use driftlead_connectors::store::{AlertFilter, AlertStatus, Reader};

use super::odd;
use super::rows::{self, BEGIN, Row};
use super::same::{assert_complete, checked_file, end_of, finals_of, parts_of};
use super::topic::{self, source};
use super::{MODEL, service};
use crate::support::broker::{Broker, Message, broker};
use crate::support::client::{Reply, ask};
use crate::support::folder::Folder;
use crate::support::program::json;
use crate::support::service::{Service, asked, eventually, stored_windows};

const PANE: i64 = 600_000_000;

/// Has the settings read again, and answers what the service says to it.
pub(super) fn reload(address: &str) -> Reply {
    ask(address, "POST", "/api/v1/reload", &[], b"").expect("an answer")
}

/// The same, which is to be taken; what changed.
pub(super) fn reload_well(address: &str) -> String {
    let reply = reload(address);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["changed"].as_str().expect("what changed").to_owned()
}

/// The service file with these models and sources, as lines of YAML without their indent.
pub(super) fn settings(folder: &Folder, models: &[&str], sources: &[&str]) {
    std::fs::create_dir_all(folder.path("state")).expect("a folder");
    let models = models.join(", ");
    let sources: String = sources.iter().map(|own| format!("  {own}\n")).collect();
    let text = format!(
        "listen: 127.0.0.1:0\nstore: ./state\nmodels: [{models}]\ncommit_every: 200ms\nsources:\n{sources}sinks:\n  \
         record: {{file: {{path: ./events.ndjson, send: [verdicts, alerts]}}}}\n"
    );
    folder.write("service.yaml", text);
}

/// The model of these tests under another name, on this source.
pub(super) fn other_model(name: &str, source: &str) -> String {
    MODEL
        .replace("model: rows", &format!("model: {name}"))
        .replace("source: rows", &format!("source: {source}"))
}

/// Where a series begins that sees what comes after these rows.
fn border(rows: &[Row]) -> i64 {
    let newest = rows.iter().map(|row| row.time).max().expect("rows");
    (newest.div_euclid(PANE) + 1) * PANE
}

fn start_of(window: &serde_json::Value) -> i64 {
    window["start"].as_str().expect("a start").parse::<driftlead::time::Timestamp>().expect("a time").micros()
}

/// Holds the FINAL windows of a model that start at `begin` or later to those of `check` on all rows, and all before to be
/// `partial`, or to be of a series that was there; waits until those up to `until` are there.
fn assert_from(folder: &Folder, (model, file): (&str, &str), rows: &[Row], begin: i64, until: i64) {
    let data = rows::file(folder, "all.ndjson", rows);
    let report: serde_json::Value = serde_json::from_str(&json(&[&folder.path(file), &data])).expect("JSON");
    let wanted: Vec<&serde_json::Value> = report["windows"].as_array().expect("windows").iter().collect();
    let wanted: Vec<_> =
        wanted.into_iter().filter(|own| start_of(own) >= begin && end_of(own) <= until).collect();
    assert!(wanted.len() >= 4, "only {} windows to compare", wanted.len());
    let id = |window: &serde_json::Value| window["id"].as_str().expect("an id").to_owned();
    eventually("the windows are final", || {
        let finals = finals_of(folder, model);
        wanted.iter().all(|own| finals.contains_key(&id(own)))
    });
    let finals = finals_of(folder, model);
    for own in wanted {
        assert_eq!(finals[&id(own)].to_string(), own.to_string());
    }
}

/// Event time until which windows are final once all is read.
fn horizon(rows: &[Row]) -> i64 {
    super::same::horizon(rows) - 60_000_000
}

fn alerts(folder: &Folder, model: &str, status: AlertStatus) -> Vec<serde_json::Value> {
    let reader = Reader::open(folder.path("state").as_ref()).expect("a store");
    let filter = AlertFilter { model: Some(model.to_owned()), status: Some(status) };
    let page = reader.alerts(&filter, None, 100).expect("a page");
    page.items.iter().map(|own| serde_json::from_str(&own.document).expect("JSON")).collect()
}

#[test]
fn a_model_is_added_on_a_topic_that_is_read_and_taken_out_again() {
    let rows = rows::rows(12_000, 6, 30, 301);
    let (first, rest) = rows.split_at(5_000);
    let folder = Folder::new();
    // Of several, one would be idle while another is written to.
    let topic = broker().topic("rows", 1);
    let append = |rows: &[Row]| topic::append_to(broker(), &topic, 1, rows, 1);
    service(&folder, "{}", "");
    let own = format!("rows: {}", source(&topic));
    settings(&folder, &["model.yaml"], &[&own]);
    append(first);
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    eventually("the first rows are counted", || {
        stored_windows(&folder, "rows").iter().any(|own| own.end >= Some(border(first) - 2 * PANE))
    });

    folder.write("more.yaml", other_model("more", "rows"));
    settings(&folder, &["model.yaml", "more.yaml"], &[&own]);
    assert_eq!(reload_well(&address), "the model `more` is new");
    assert!(asked(&address, "/api/v1/models").contains(r#""more""#));
    append(rest);
    assert_complete(&folder, &rows);
    assert_from(&folder, ("more", "more.yaml"), &rows, border(first), horizon(&rows));
    // What it saw a part of says so.
    for window in stored_windows(&folder, "more") {
        if window.start < Some(border(first)) {
            assert_eq!(parts_of(&window).1["partial"], true, "{window:?}");
        }
    }

    settings(&folder, &["model.yaml"], &[&own]);
    assert_eq!(reload_well(&address), "the model `more` is gone");
    assert!(!asked(&address, "/api/v1/models").contains(r#""more""#));
    let numbers = asked(&address, "/metrics");
    assert!(!numbers.contains(r#"model="more""#) && numbers.contains(r#"model="rows""#), "{numbers}");
    assert_eq!(reload_well(&address), "nothing changed");
    running.stop_well();
    assert_complete(&folder, &rows);
}

/// Nobody else would ever end it.
#[test]
fn an_alert_of_a_model_that_is_taken_out_is_resolved_by_a_reload_and_by_a_start() {
    for is_reload in [true, false] {
        let folder = Folder::new();
        service(&folder, "{}", "");
        let own = "rows: {lines: {path: rows.ndjson}, format: json}";
        settings(&folder, &["model.yaml"], &[own]);
        let all = rows::rows(8_000, 6, 30, 302);
        let (rows, more) = all.split_at(5_500);
        rows::file(&folder, "rows.ndjson", &rows[..3_500]);
        let mut running = Service::start(&folder, &[]);
        let mut address = running.address();

        // A source with its model, by SIGHUP.
        folder.write("others.yaml", other_model("others", "others"));
        rows::file(&folder, "others.ndjson", rows);
        let others = "others: {lines: {path: others.ndjson}, format: json}";
        settings(&folder, &["model.yaml", "others.yaml"], &[own, others]);
        running.hang_up();
        let line = running.wait_for(r#""message":"SIGHUP""#);
        assert!(line.contains("the source `others` is new; the model `others` is new"), "{line}");
        eventually("its alert is open", || !alerts(&folder, "others", AlertStatus::Open).is_empty());
        let opened = alerts(&folder, "others", AlertStatus::Open);
        // It began with the first row of an input that nobody read before.
        assert_from(&folder, ("others", "others.yaml"), rows, BEGIN, horizon(rows));

        settings(&folder, &["model.yaml"], &[own]);
        if is_reload {
            let changed = reload_well(&address);
            assert_eq!(changed, "the source `others` is gone; the model `others` is gone");
        } else {
            running.stop_well();
            running = Service::start(&folder, &[]);
            address = running.address();
        }
        eventually("its alert is over", || alerts(&folder, "others", AlertStatus::Open).is_empty());
        let told = || std::fs::read_to_string(folder.path("events.ndjson")).expect("messages");
        for alert in &opened {
            let id = alert["id"].as_str().expect("an id");
            let resolved = alerts(&folder, "others", AlertStatus::Resolved);
            let resolved = resolved.iter().find(|own| own["id"] == id).expect("the alert");
            assert_eq!((&resolved["status"], &resolved["reason"]), (&"resolved".into(), &"removed".into()));
            eventually("who was told of it is told", || {
                told().lines().any(|line| line.contains(id) && line.contains(r#""reason":"removed""#))
            });
        }
        let readiness = asked(&address, "/readyz");
        assert!(!readiness.contains("others"), "{readiness}");

        // It comes back, and counts what is new from the next border on.
        settings(&folder, &["model.yaml", "others.yaml"], &[own, others]);
        reload_well(&address);
        rows::append(&folder, "others.ndjson", more);
        rows::append(&folder, "rows.ndjson", &rows[3_500..]);
        assert_from(&folder, ("others", "others.yaml"), &all, border(rows), horizon(&all));
        assert_complete(&folder, rows);
        running.stop_well();
    }
}

/// Windows that lie behind the change are those of `check` by the new settings, whatever changed.
#[test]
fn another_version_baseline_window_condition_column_or_segment_is_taken() {
    // Conditions are SQL, which not every build has.
    let is_taken = |change: &(&str, &str, &str)| cfg!(feature = "sql") || !change.1.contains("where");
    let changes: Vec<_> = [
        ("version: \"1\"", "version: \"2\"", "another version, baseline or window of `rows`"),
        (
            "baseline: baseline.parquet",
            "baseline: other.parquet",
            "another version, baseline or window of `rows`",
        ),
        ("length: 10m", "length: 5m", "another version, baseline or window of `rows`"),
        ("time: ts", "time: ts\nwhere: y < 9", "of `rows`"),
        ("segments: [c]\n", "", "another version, baseline or window of `rows`"),
        (", y: numeric", "", "another version, baseline or window of `rows`"),
        ("future: 5m", "future: 6m", "other rows or columns of `rows`"),
    ]
    .into_iter()
    .filter(is_taken)
    .collect();
    let rows = rows::rows(24_000, 24, 30, 304);
    let parts: Vec<&[Row]> = rows.chunks(rows.len() / (changes.len() + 1)).collect();
    let folder = Folder::new();
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", "");
    rows::file(&folder, "rows.ndjson", parts[0]);
    // Other rows, so another baseline.
    folder.write("other.ndjson", "");
    rows::baseline(&folder);
    let text = std::fs::read_to_string(folder.path("baseline.ndjson")).expect("lines");
    let times: Vec<i64> = (0..5_000).map(|at| BEGIN - 86_400_000_000 + at * 14_400_000).collect();
    let values: Vec<serde_json::Value> =
        text.lines().take(5_000).map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let y = arrow_array::Int64Array::from_iter(values.iter().map(|own| own["y"].as_i64()));
    folder.parquet(
        "other.parquet",
        vec![
            ("ts", crate::support::folder::times(times)),
            ("x", crate::support::folder::floats(values.iter().map(|own| own["x"].as_f64()))),
            ("y", std::sync::Arc::new(y)),
            ("c", crate::support::folder::texts(values.iter().map(|own| own["c"].as_str()))),
        ],
    );
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    let mut model = MODEL.to_owned();
    let mut read = parts[0].len();
    for ((from, to, what), part) in changes.into_iter().zip(&parts[1..]) {
        let seen = &rows[..read];
        eventually("what came before is counted", || {
            stored_windows(&folder, "rows").iter().any(|own| own.end >= Some(border(seen) - 2 * PANE))
        });
        let changed = model.replace(from, to);
        assert_ne!(changed, model, "{from}");
        model = changed;
        folder.write("model.yaml", &model);
        let said = reload_well(&address);
        assert!(said.ends_with(what), "{from} -> {to}: {said}");
        rows::append(&folder, "rows.ndjson", part);
        read += part.len();
        assert_from(&folder, ("rows", "model.yaml"), &rows[..read], border(seen), horizon(&rows[..read]));
    }
    running.stop_well();
}

#[test]
fn a_source_with_another_topic_or_folder_is_taken() {
    let rows = rows::rows(8_000, 4, 30, 305);
    let (first, second) = rows.split_at(3_900);
    let folder = Folder::new();
    let (before, after) = (topic::produce(first, 3), topic::produce(second, 4));
    service(&folder, &source(&before), "");
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    eventually("the first topic is counted", || {
        stored_windows(&folder, "rows").iter().any(|own| own.end >= Some(border(first) - 2 * PANE))
    });
    super::service_file(&folder, &source(&after), "200ms", "");
    assert_eq!(reload_well(&address), "the source `rows` has other settings");
    assert_complete(&folder, &rows);
    running.stop_well();

    let folder = Folder::new();
    let input = |name: &str| format!("{{files: {{path: ./{name}, every: 50ms}}}}");
    service(&folder, &input("a"), "");
    folder.write("a/1.ndjson", first.iter().map(|row| format!("{}\n", row.json)).collect::<String>());
    folder.write("b/2.ndjson", second.iter().map(|row| format!("{}\n", row.json)).collect::<String>());
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    eventually("the first folder is counted", || {
        stored_windows(&folder, "rows").iter().any(|own| own.end >= Some(border(first) - 2 * PANE))
    });
    super::service_file(&folder, &input("b"), "200ms", "");
    assert_eq!(reload_well(&address), "the source `rows` has other settings");
    let data = rows::file(&folder, "all.ndjson", &rows);
    let complete = checked_file(&folder, &data).values().filter(|own| end_of(own) <= horizon(&rows)).count();
    eventually("the second folder is counted", || finals_of(&folder, "rows").len() >= complete);
    running.stop_well();
    assert_from(&folder, ("rows", "model.yaml"), &rows, BEGIN, horizon(&rows));
}

#[test]
fn a_topic_that_goes_on_in_another_format_or_on_another_broker_is_taken() {
    let rows = rows::rows(9_000, 4, 30, 306);
    let parts = [&rows[..3_000], &rows[3_000..6_000], &rows[6_000..]];
    let topic = topic::produce(parts[0], 5);
    let folder = Folder::new();
    service(&folder, &source(&topic), "");
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    let until_counted = |rows: &[Row]| {
        eventually("what was written is counted", || {
            stored_windows(&folder, "rows").iter().any(|own| own.end >= Some(border(rows) - 2 * PANE))
        });
    };
    until_counted(parts[0]);

    // The producers change to Avro: the service is told between the last record of JSON and the first of Avro.
    folder.write("row.avsc", odd::SCHEMA);
    let in_avro = topic::source_on(broker(), &topic, "{avro: {schema: row.avsc}}");
    super::service_file(&folder, &in_avro, "200ms", "");
    assert_eq!(reload_well(&address), "the source `rows` has other settings");
    let messages = |rows: &[Row]| -> Vec<Message> {
        rows.iter().map(|row| Message::new("k", odd::avro_alone(row), row.time / 1_000)).collect()
    };
    broker().produce(&topic, 0, &messages(parts[1]));
    until_counted(parts[1]);

    // The topic moves: on the other broker it begins anew, shorter than what was read, which is said and read from its begin.
    let other = Broker::start();
    other.create_topic(&topic, topic::PARTITIONS, &[]);
    other.produce(&topic, 0, &messages(parts[2]));
    super::service_file(&folder, &in_avro.replace(broker().bootstrap(), other.bootstrap()), "200ms", "");
    assert_eq!(reload_well(&address), "the source `rows` has other settings");
    assert_complete(&folder, &rows);
    let log = running.stop_well();
    assert!(log.iter().any(|line| line.contains("records were lost before they were read")), "{log:#?}");
}
