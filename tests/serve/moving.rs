//! Moving baselines in the service (SEMANTICS S25): what `check` says of the same rows, though the windows before were
//! counted before a stop or a power cut, and are kept for it.

use super::crash::kill_at_random;
use super::rows;
use super::same::{assert_complete, assert_same, finals, horizon};
use super::topic;
use super::{moving_model, service};
use crate::support::folder::Folder;
use crate::support::service::{Service, eventually};

/// Something was judged against the windows before it, something drifted, and the first ones had none.
fn assert_moves(folder: &Folder, wanted: u64) {
    let finals = finals(folder);
    let whole: Vec<_> = finals.values().filter(|window| window["segment"].is_null()).collect();
    let of_verdict =
        |verdict: &str| whole.iter().filter(|window| window["verdict"] == verdict).count() as u64;
    assert!(of_verdict("drift") > 0 && of_verdict("ok") + of_verdict("info") > 3, "{whole:#?}");
    let few = whole.iter().filter(|window| window["reference"]["windows"] != wanted).count() as u64;
    assert_eq!(few, wanted, "the first windows have too few before them");
    assert!(whole.iter().all(|window| window["reference"]["of"] == wanted));
}

#[test]
fn windows_before_a_stop_are_compared_with_after_it() {
    for (windows, cut) in [(1, "length: 10m"), (2, "length: 20m, every: 10m")] {
        let folder = Folder::new();
        service(&folder, "{lines: {path: rows.ndjson}, format: json}", "");
        folder.write("model.yaml", moving_model(windows).replace("length: 10m", cut));
        let rows = rows::rows(8_000, 3, 30, 21);
        let (first, second) = rows.split_at(4_321);
        rows::file(&folder, "rows.ndjson", first);
        let mut running = Service::start(&folder, &[]);
        running.wait_for("caught up");
        running.stop_well();

        rows::append(&folder, "rows.ndjson", second);
        let running = Service::start(&folder, &[]);
        assert_complete(&folder, &rows);
        running.stop_well();
        assert_same(&folder, &rows, horizon(&rows));
        if cut == "length: 10m" {
            assert_moves(&folder, u64::from(windows));
        }
    }
}

#[test]
fn killed_at_random_the_windows_before_are_neither_lost_nor_counted_twice() {
    let rows = rows::rows(8_000, 3, 30, 22);
    let folder = Folder::new();
    service(&folder, &topic::source(&topic::produce(&rows, 8)), "");
    folder.write("model.yaml", moving_model(2));
    kill_at_random(&folder, 6, 78);
    let running = Service::start(&folder, &[]);
    assert_complete(&folder, &rows);
    running.stop_well();
    assert_moves(&folder, 2);
}

/// The alerts of the whole that were said, each as its status, its id, and the start of its first window.
fn said(folder: &Folder) -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(folder.path("events.ndjson")).expect("events");
    let events = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let alerts = events.filter(|event| event["type"] == "alert" && event["segment"].is_null());
    let word = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    alerts
        .map(|alert| (word(&alert["status"]), word(&alert["id"]), word(&alert["first_window"]["start"])))
        .collect()
}

/// A step is drift against the window before it, once; the windows after it are like the one before them (SEMANTICS S19:
/// one window is enough where a window is compared with the one before).
#[test]
fn a_step_against_the_window_before_opens_one_alert_that_outlives_a_stop_and_is_resolved() {
    let folder = Folder::new();
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", "");
    let model = moving_model(1).replace("moving: {windows: 1}", "moving: previous");
    let model = model.replace("alert: {windows: 2 of 3, resolve_after: 2}\n", "");
    folder.write("model.yaml", model);
    let rows = rows::rows(8_000, 3, 30, 21);
    // The step is at half past one. Ten minutes and some more after it the first window behind it is closed.
    let (first, second) = rows.split_at(4_700);
    rows::file(&folder, "rows.ndjson", first);
    let running = Service::start(&folder, &[]);
    eventually("an alert is open", || {
        std::fs::read_to_string(folder.path("events.ndjson"))
            .is_ok_and(|text| text.contains(r#""status":"open""#))
    });
    running.kill();

    rows::append(&folder, "rows.ndjson", second);
    let running = Service::start(&folder, &[]);
    assert_complete(&folder, &rows);
    running.stop_well();
    let said = said(&folder);
    let step = "2001-01-01T01:30:00.000000Z";
    let id = &said[0].1;
    assert!(said.iter().all(|(_, own, start)| own == id && start == step), "{said:#?}");
    // Delivered at least once: a kill may have told the opening twice.
    let mut statuses: Vec<&str> = said.iter().map(|(status, ..)| status.as_str()).collect();
    statuses.retain(|status| *status != "update");
    statuses.dedup();
    assert_eq!(statuses, ["open", "resolved"], "{said:#?}");
    let drifted: Vec<_> = finals(&folder)
        .into_values()
        .filter(|window| window["segment"].is_null() && window["verdict"] == "drift")
        .collect();
    assert!(drifted.len() == 1 && drifted[0]["start"] == step, "{drifted:#?}");
}
