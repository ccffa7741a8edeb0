//! I-FINAL: a FINAL window of the service has the bytes that `check` gives for the same rows.

use std::collections::BTreeMap;

use super::rows::{self, BEGIN, Row};
use super::{piped, service};
use driftlead_connectors::store::StoredWindow;

use crate::support::folder::Folder;
use crate::support::program::json;
use crate::support::service::{Service, eventually, stored_windows};

/// The windows of a reproducible report as JSON, by id.
pub(super) fn checked(folder: &Folder, rows: &[Row]) -> BTreeMap<String, serde_json::Value> {
    checked_file(folder, &rows::file(folder, "all.ndjson", rows))
}

/// The same of a file of rows.
pub(super) fn checked_file(folder: &Folder, data: &str) -> BTreeMap<String, serde_json::Value> {
    windows_of(&json(&[&folder.path("model.yaml"), data]))
}

/// The windows of a report, by id.
pub(super) fn windows_of(report: &str) -> BTreeMap<String, serde_json::Value> {
    let report: serde_json::Value = serde_json::from_str(report).expect("JSON");
    let windows = report["windows"].as_array().expect("windows").clone();
    windows.into_iter().map(|window| (window["id"].as_str().expect("an id").to_owned(), window)).collect()
}

/// The FINAL windows of the store, without what depends on arrival, by id.
pub(super) fn finals(folder: &Folder) -> BTreeMap<String, serde_json::Value> {
    finals_of(folder, "rows")
}

/// The same of any model.
pub(super) fn finals_of(folder: &Folder, model: &str) -> BTreeMap<String, serde_json::Value> {
    stored_windows(folder, model)
        .into_iter()
        .filter(|window| window.is_final)
        .map(|window| {
            let (document, arrival) = parts_of(&window);
            assert_eq!(arrival["late_rows"], 0, "{document}");
            (window.id, document)
        })
        .collect()
}

/// What a stored window says of its rows, and what of their arrival.
pub(super) fn parts_of(window: &StoredWindow) -> (serde_json::Value, serde_json::Value) {
    let document = window.document.as_deref().expect("the newest has its document");
    let mut document: serde_json::Value = serde_json::from_str(document).expect("JSON");
    let arrival = document.as_object_mut().and_then(|own| own.shift_remove("arrival")).expect("arrival");
    (document, arrival)
}

/// Holds the store's FINAL windows to those of `check` that end at or before `until`, byte for byte.
pub(super) fn assert_same(folder: &Folder, rows: &[Row], until: i64) {
    assert_finals(folder, &checked(folder, rows), until);
}

/// The same for windows that `check` gave before.
pub(super) fn assert_finals(folder: &Folder, checked: &BTreeMap<String, serde_json::Value>, until: i64) {
    let finals = finals(folder);
    let wanted: BTreeMap<&String, &serde_json::Value> =
        checked.iter().filter(|(_, window)| end_of(window) <= until).collect();
    assert!(wanted.len() >= 12, "only {} windows to compare", wanted.len());
    let ids: Vec<&&String> = wanted.keys().collect();
    let own: Vec<&String> = finals.keys().collect();
    assert_eq!(own.len(), ids.len(), "windows: {own:?} and {ids:?}");
    for (id, window) in wanted {
        // As text: equal numbers of another spelling would not be the same bytes.
        let (own, wanted) = (finals.get(id).map(ToString::to_string).unwrap_or_default(), window.to_string());
        let differs =
            own.bytes().zip(wanted.bytes()).position(|(a, b)| a != b).unwrap_or(own.len().min(wanted.len()));
        let around = |text: &str| text.chars().skip(differs.saturating_sub(80)).take(160).collect::<String>();
        assert!(own == wanted, "window {id}:\n  serve {}\n  check {}", around(&own), around(&wanted));
    }
}

/// Event time up to which all windows must be final once every partition is idle: the watermark stands at the newest row.
pub(super) fn horizon(rows: &[Row]) -> i64 {
    rows.iter().map(|row| row.time).max().expect("rows") - 60_000_000
}

/// Waits until the service has said all that it can of these rows, and holds it to what `check` says.
pub(super) fn assert_complete(folder: &Folder, rows: &[Row]) {
    assert_complete_until(folder, rows, horizon(rows));
}

/// The same where windows are final only up to `until`.
pub(super) fn assert_complete_until(folder: &Folder, rows: &[Row], until: i64) {
    let checked = checked(folder, rows);
    let complete = checked.values().filter(|window| end_of(window) <= until).count();
    eventually("all windows are final", || finals(folder).len() >= complete);
    assert_finals(folder, &checked, until);
}

pub(super) fn end_of(window: &serde_json::Value) -> i64 {
    let end = window["end"].as_str().expect("an end");
    end.parse::<driftlead::time::Timestamp>().expect("a time").micros()
}

#[test]
fn a_pipe_that_ends_gives_what_check_gives() {
    let folder = Folder::new();
    service(&folder, "{stdin: {}, format: json}", "");
    let rows = rows::rows(6_000, 3, 30, 1);
    piped(&folder, &rows);
    // All windows, those at the end that are partial too.
    assert_same(&folder, &rows, i64::MAX);
}

#[test]
fn a_file_of_lines_that_grows_is_read_on_after_a_stop() {
    let folder = Folder::new();
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", "");
    let rows = rows::rows(6_000, 3, 30, 2);
    let (first, second) = rows.split_at(3_217);
    rows::file(&folder, "rows.ndjson", first);
    let mut running = Service::start(&folder, &[]);
    running.wait_for("caught up");
    running.stop_well();
    assert!(!finals(&folder).is_empty());

    rows::append(&folder, "rows.ndjson", second);
    let running = Service::start(&folder, &[]);
    assert_complete(&folder, &rows);
    running.stop_well();
    // And it stays so.
    assert_same(&folder, &rows, horizon(&rows));
    assert!(horizon(&rows) > BEGIN);
}
