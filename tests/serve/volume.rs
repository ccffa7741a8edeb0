//! How many rows come, and where a new series begins.

use std::io::Write as _;

use driftlead::serve::fault;

use super::rows::{self, BEGIN, Row};
use super::same::{assert_same, checked, end_of};
use super::service;
use crate::support::folder::Folder;
use crate::support::service::{Service, eventually, stored_windows};

const MINUTE: i64 = 60_000_000;

/// The baseline has 250 rows an hour; one window of these has ten times as many, and the first lacks its beginning.
fn uneven() -> Vec<Row> {
    let steady = rows::rows(750, 3, 0, 41).into_iter().skip(10);
    let burst = BEGIN + 120 * MINUTE..BEGIN + 130 * MINUTE;
    let more = rows::rows(8_000, 3, 0, 42).into_iter().filter(|row| burst.contains(&row.time));
    let mut all: Vec<Row> = steady.chain(more).collect();
    all.sort_by_key(|row| row.time);
    all
}

#[test]
fn s21_an_unusual_number_of_rows_is_told_by_check_and_serve_alike() {
    let folder = Folder::new();
    service(&folder, "{stdin: {}, format: json}", "");
    let rows = uneven();
    let (running, mut input) = Service::with_input(&folder);
    for row in &rows {
        writeln!(input, "{}", row.json).expect("it reads");
    }
    drop(input);
    let (status, log) = running.wait();
    assert!(status.success(), "{status}: {log:#?}");
    assert_same(&folder, &rows, i64::MAX);

    let windows = checked(&folder, &rows);
    let mut whole: Vec<&serde_json::Value> =
        windows.values().filter(|window| window["segment"].is_null()).collect();
    whole.sort_by_key(|window| end_of(window));
    assert_eq!(whole.len(), 18);
    assert!(whole[0]["metrics"].get("row_count").is_none(), "rows may be missing: {}", whole[0]);
    for (at, window) in whole.iter().enumerate().skip(1) {
        let count = &window["metrics"]["row_count"];
        if at == 12 {
            assert_eq!((&count["verdict"], &count["direction"]), (&"warn".into(), &"up".into()), "{window}");
            assert!(count["p_value"].as_f64().expect("a p") < 1e-9, "{count}");
            assert!((count["baseline"].as_f64().expect("a mean") - 41.7).abs() < 0.5, "{count}");
        } else {
            assert_eq!(count["verdict"], "ok", "{window}");
            assert_eq!(window["verdict"], "insufficient", "the number of rows vouches for none of them");
        }
    }
    let segments = windows.values().filter(|window| !window["segment"].is_null());
    assert!(segments.clone().count() > 18);
    assert!(segments.into_iter().all(|window| window["metrics"].get("row_count").is_none()));
}

#[test]
fn a_new_version_begins_at_the_next_border_and_alerts_of_no_part_before() {
    let folder = Folder::new();
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", "");
    // Drift begins in the middle, an hour and a half from the beginning; the new version comes minutes after.
    let rows = rows::rows(6_000, 3, 30, 2);
    let (first, second) = rows.split_at(3_217);
    rows::file(&folder, "rows.ndjson", first);
    let mut running = Service::start(&folder, &[]);
    running.wait_for("caught up");
    let (status, log) = running.stop();
    assert!(status.success(), "{status}: {log:#?}");

    folder.write("model.yaml", super::MODEL.replace("version: \"1\"", "version: \"2\""));
    let path = folder.path("rows.ndjson");
    let mut file = std::fs::OpenOptions::new().append(true).open(path).expect("the file");
    for row in second {
        writeln!(file, "{}", row.json).expect("written");
    }
    // Killed with nothing but the border committed: it is where it was.
    let (_, log) = Service::start(&folder, &[(fault::VARIABLE, "after_commit:1")]).wait();
    assert!(log.iter().any(|line| line.contains("series ended")), "{log:#?}");
    let mut running = Service::start(&folder, &[]);
    running.wait_for("caught up");
    let border = BEGIN + 100 * MINUTE;
    let last = BEGIN + 170 * MINUTE;
    let own = || {
        let mut windows = stored_windows(&folder, "rows");
        windows.retain(|window| window.version == "2" && window.is_final);
        windows
    };
    eventually("the windows of the new version are final", || {
        own().iter().any(|window| window.end == Some(last))
    });
    let (status, log) = running.stop();
    assert!(status.success(), "{status}: {log:#?}");

    let checked = checked(&folder, &rows);
    let mut partial = 0;
    for window in own() {
        let mut document: serde_json::Value =
            serde_json::from_str(window.document.as_deref().expect("a document")).expect("JSON");
        let arrival = document.as_object_mut().and_then(|own| own.shift_remove("arrival")).expect("arrival");
        let is_part = window.start.expect("a start") < border;
        assert_eq!(arrival["partial"], is_part, "{document}");
        partial += usize::from(is_part);
        let wanted = checked.get(&window.id).expect("check knows it");
        if !is_part {
            assert_eq!(document.to_string(), wanted.to_string());
        } else if window.segment.is_none() {
            assert!(document["rows"].as_u64() < wanted["rows"].as_u64(), "{document}");
        }
    }
    assert!(partial > 0);

    let events = std::fs::read_to_string(folder.path("events.ndjson")).expect("events");
    let events = events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let opened: Vec<serde_json::Value> = events
        .filter(|event| event["type"] == "alert" && event["status"] == "open" && event["segment"].is_null())
        .collect();
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert_eq!(opened[0]["model"]["version"], "2");
    assert_eq!(opened[0]["first_window"]["start"], "2001-01-01T01:40:00.000000Z", "{}", opened[0]);
}
