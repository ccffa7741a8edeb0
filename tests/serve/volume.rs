//! How many rows come, and where a new series begins.

use driftlead::serve::fault;

use super::rows::{self, BEGIN, Row};
use super::same::{assert_same, checked, end_of, parts_of};
use super::{piped, service};
use crate::support::folder::Folder;
use crate::support::program::{driftlead, json};
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
    piped(&folder, &rows);
    assert_same(&folder, &rows, i64::MAX);

    let windows = checked(&folder, &rows);
    // A frozen baseline knows as much.
    let built =
        driftlead(&["baseline", &folder.path("model.yaml"), "--output", &folder.path("frozen.parquet")]);
    assert_eq!(built.code, Some(0), "{built:?}");
    let frozen = folder.path("frozen.parquet");
    let report = json(&[&folder.path("model.yaml"), &folder.path("all.ndjson"), "--baseline", &frozen]);
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    for window in report["windows"].as_array().expect("windows") {
        assert_eq!(Some(window), windows.get(window["id"].as_str().expect("an id")));
    }
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

/// Ten times the rows of the baseline in every window: `warn` for ever, and no reason to keep an alert open.
#[test]
fn an_alert_ends_when_its_features_are_calm_however_many_rows_come() {
    let folder = Folder::new();
    service(&folder, "{stdin: {}, format: json}", "");
    // An hour of calm, one of drift, two of calm.
    let calm = rows::rows(16_000, 8, 0, 62).into_iter();
    let calm = calm.filter(|row| (BEGIN + 120 * MINUTE..BEGIN + 240 * MINUTE).contains(&row.time));
    let rows: Vec<Row> = rows::rows(4_000, 2, 0, 61).into_iter().chain(calm).collect();
    piped(&folder, &rows);
    let events = std::fs::read_to_string(folder.path("events.ndjson")).expect("events");
    let events: Vec<serde_json::Value> =
        events.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let is_whole = |event: &&serde_json::Value| event["type"] == "alert" && event["segment"].is_null();
    let last = events.iter().rfind(is_whole).expect("an alert");
    assert_eq!((&last["status"], &last["reason"]), (&"resolved".into(), &"calm".into()), "{last}");
    let windows =
        events.iter().filter(|event| event["type"] == "verdict" && event["window"]["segment"].is_null());
    let warned = windows.filter(|event| event["window"]["metrics"]["row_count"]["verdict"] == "warn").count();
    assert!(warned > 20, "{warned}");
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
    running.stop_well();

    folder.write("model.yaml", super::MODEL.replace("version: \"1\"", "version: \"2\""));
    rows::append(&folder, "rows.ndjson", second);
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
    running.stop_well();

    let checked = checked(&folder, &rows);
    let mut partial = 0;
    for window in own() {
        let (document, arrival) = parts_of(&window);
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

/// The metrics of a report that say how far two sets of counts are apart, each of which is 0 only if all shares are equal.
const DISTANCES: [&str; 3] = ["js", "linf", "ks"];

#[test]
fn a_baseline_from_the_store_has_the_counts_of_the_rows_that_were_seen() {
    let folder = Folder::new();
    service(&folder, "{stdin: {}, format: json}", "");
    let rows = rows::rows(12_000, 6, 0, 51);
    piped(&folder, &rows);

    let made = driftlead(&[
        "baseline",
        "--from-store",
        &folder.path("service.yaml"),
        "--model",
        "rows",
        "--since",
        "2001-01-01T02:55:00Z",
        "--until",
        "2001-01-01T06:00:00Z",
        "--output",
        &folder.path("seen.parquet"),
    ]);
    assert_eq!((made.code, made.err.as_str()), (Some(0), ""), "{made:?}");
    let span = "made of 18 panes from 2001-01-01T03:00:00.000000Z to 2001-01-01T06:00:00.000000Z";
    assert!(made.out.contains(span), "{}", made.out);
    assert!(made.out.contains("`c`") && made.out.contains("stay new"), "{}", made.out);

    // The same rows against it: of every feature and segment all cells hold the same share, of the same number of rows.
    let last: Vec<Row> = rows.iter().filter(|row| row.time >= BEGIN + 180 * MINUTE).cloned().collect();
    let data = rows::file(&folder, "last.ndjson", &last);
    let model = super::MODEL
        .replace("baseline: baseline.parquet", "baseline: seen.parquet")
        .replace("version: \"1\"", "version: \"2\"")
        .lines()
        .filter(|line| {
            !["time:", "window:", "alert:", "source:", "sinks:"].iter().any(|key| line.starts_with(key))
        })
        .collect::<Vec<_>>()
        .join("\n");
    let model = folder.write("seen.yaml", model + "\n");
    let report: serde_json::Value = serde_json::from_str(&json(&[&model, &data])).expect("JSON");
    assert_eq!(report["baseline"]["rows"].as_u64(), Some(last.len() as u64));
    let windows = report["windows"].as_array().expect("windows");
    assert!(windows.len() >= 4, "the whole and its segments");
    let mut compared = 0;
    for window in windows {
        for feature in window["features"].as_array().expect("features") {
            for (name, metric) in feature["metrics"].as_object().expect("metrics") {
                let is_rate = name == "null_rate" || name == "type_error_rate" || name == "nan_rate";
                if DISTANCES.contains(&name.as_str()) && metric["n"].as_u64() > Some(0) {
                    assert_eq!(metric["n"], metric["n_baseline"], "{feature}");
                    // A segment's own column has one value in it, and so nothing to compare.
                    let Some(value) = metric["value"].as_f64() else { continue };
                    assert!(value < 1e-6, "{name} of {feature}");
                    compared += 1;
                } else if is_rate && !metric["value"].is_null() {
                    assert_eq!(metric["value"], metric["baseline"], "{name} of {feature}");
                }
            }
        }
    }
    assert!(compared > 20, "{compared}");
    // On the same cells as before, and it says where it came from.
    let (old, new) = (folder.path("old.parquet"), folder.path("seen.parquet"));
    let built = driftlead(&["baseline", &folder.path("model.yaml"), "--output", &old]);
    assert_eq!(built.code, Some(0), "{built:?}");
    let cells = |file: &str| -> Vec<String> {
        let shown = driftlead(&["inspect", file]);
        assert_eq!(shown.code, Some(0), "{shown:?}");
        shown.out.lines().filter(|line| line.starts_with("  cells ")).map(str::to_owned).collect()
    };
    assert_eq!(cells(&old), cells(&new));
    let shown = driftlead(&["inspect", &new]).out;
    assert!(shown.contains("2001-01-01T03:00:00.000000Z/2001-01-01T06:00:00.000000Z"), "{shown}");
    assert!(shown.contains("design effect"), "{shown}");

    for (args, message) in [
        (["--since", "2001-02-01"], "has no counts of the model `rows`"),
        (["--model", "row"], "has no model `row`: did you mean `rows`"),
    ] {
        let refused =
            driftlead(&[&["baseline", "--from-store", &folder.path("service.yaml")], &args[..]].concat());
        assert!(refused.code == Some(2) && refused.err.contains(message), "{refused:?}");
    }
    let refused = driftlead(&["baseline", "--from-store", &folder.path("state")]);
    assert!(refused.code == Some(2) && refused.err.contains("MODEL.yaml --from-store"), "{refused:?}");
}
