//! Windows of so many rows (SEMANTICS S26): those of `check`, whatever is stopped or killed, of one partition only.

use std::collections::BTreeMap;

use driftlead::serve::fault;

use super::rows;
use super::same::{checked, finals};
use super::topic::{produce, source};
use super::{MODEL, piped, service};
use crate::support::folder::Folder;
use crate::support::program::json;
use crate::support::service::{Service, eventually};

const TIME_WINDOW: &str = "window: {length: 10m, out_of_orderness: 60s, lateness: 60s, idle: 1s, future: 5m}";

/// The model of these tests, of windows of 700 rows, with event times or without.
fn model(folder: &Folder, is_timed: bool) {
    let model = MODEL.replace(TIME_WINDOW, "window: {rows: 700}");
    assert_ne!(model, MODEL, "the window is another");
    folder.write("model.yaml", if is_timed { model } else { model.replace("time: ts\n", "") });
}

fn assert_equal(own: &BTreeMap<String, serde_json::Value>, wanted: &BTreeMap<String, serde_json::Value>) {
    let only = |these: &BTreeMap<String, serde_json::Value>, those: &BTreeMap<String, serde_json::Value>| {
        let lone = these.iter().filter(|(id, _)| !those.contains_key(*id));
        lone.map(|(_, window)| format!("{:.200}", window.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(only(own, wanted), Vec::<String>::new(), "windows too many");
    assert_eq!(only(wanted, own), Vec::<String>::new(), "windows too few");
    for (id, window) in wanted {
        assert_eq!(own[id].to_string(), window.to_string(), "window {id}");
    }
}

#[test]
fn a_pipe_that_ends_gives_what_check_gives() {
    for is_timed in [true, false] {
        let folder = Folder::new();
        service(&folder, "{stdin: {}, format: json}", "");
        model(&folder, is_timed);
        let rows = rows::rows(6_000, 3, 30, 21);
        piped(&folder, &rows);
        let wanted = checked(&folder, &rows);
        let wholes: Vec<&serde_json::Value> =
            wanted.values().filter(|window| window["segment"].is_null()).collect();
        assert_eq!(wholes.len(), 9, "eight full ones, and the last");
        assert!(wholes.iter().all(|window| window["start"].is_null() != is_timed));
        assert_equal(&finals(&folder), &wanted);
    }
}

/// The order is that of the files' names, however they are given, and the place of a row is exact wherever a file ends.
#[test]
fn files_in_their_order_are_one_file() {
    let folder = Folder::new();
    service(&folder, "{stdin: {}, format: json}", "");
    let rows = rows::rows(6_000, 3, 30, 22);
    for is_timed in [true, false] {
        model(&folder, is_timed);
        let mut command = vec![folder.path("model.yaml")];
        for (at, part) in rows.chunks(611).enumerate() {
            // Given the other way round.
            command.insert(1, rows::file(&folder, &format!("{}.ndjson", 10 + at), part));
        }
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let report: serde_json::Value = serde_json::from_str(&json(&command)).expect("JSON");
        let windows = report["windows"].as_array().expect("windows").iter();
        let id = |window: &serde_json::Value| window["id"].as_str().expect("an id").to_owned();
        assert_equal(&windows.map(|window| (id(window), window.clone())).collect(), &checked(&folder, &rows));
    }
}

#[test]
fn killed_at_every_named_point_the_windows_are_those_of_check() {
    let folder = Folder::new();
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", "");
    model(&folder, true);
    let rows = rows::rows(8_000, 3, 30, 23);
    folder.write("rows.ndjson", "");
    let parts = rows.chunks(rows.len().div_ceil(fault::ALL.len()));
    for (point, part) in fault::ALL.into_iter().zip(parts) {
        rows::append(&folder, "rows.ndjson", part);
        let fault = format!("{point}:1");
        let mut running = Service::start(&folder, &[(fault::VARIABLE, &fault)]);
        if point == "before_shutdown_commit" {
            running.wait_for("started");
            drop(running.stop());
        } else {
            drop(running.wait());
        }
    }
    let running = Service::start(&folder, &[]);
    let mut wanted = checked(&folder, &rows);
    // The last window is not full, and more rows may come.
    wanted.retain(|_, window| window["ordinal"].as_u64().expect("a number") < 8_000 / 700);
    eventually("all full windows are final", || finals(&folder).len() >= wanted.len());
    running.stop_well();
    assert_equal(&finals(&folder), &wanted);
}

#[test]
fn a_topic_of_several_partitions_is_refused() {
    let folder = Folder::new();
    let topic = produce(&rows::rows(500, 3, 30, 24), 3);
    service(&folder, &source(&topic), "");
    model(&folder, true);
    let (status, log) = Service::start(&folder, &[]).wait();
    let log = log.join("\n");
    assert_eq!(status.code(), Some(2), "{log}");
    assert!(log.contains("rows of two partitions have no order; give the topic one partition"), "{log}");
    assert!(finals(&folder).is_empty(), "nothing was mixed");
}
