//! I-ONCE and I-FINAL, held to the rows: `scripts/truth.py` computes every final window anew from what the topic holds,
//! without the engine, and finds no difference.

use std::io::Write as _;
use std::process::Command;

use super::rows;
use super::same::{assert_complete, horizon};
use super::service;
use super::topic::{PARTITIONS, produce, source};
use crate::support::broker::{Broker, broker};
use crate::support::checkout::workspace;
use crate::support::folder::Folder;
use crate::support::program::{Ended, json};
use crate::support::service::{Service, stored_windows};

/// Holds the store's FINAL windows that end at or before `until` to the records of the topic.
pub(super) fn assert_true(folder: &Folder, topic: &str, until: i64) {
    assert_true_on(broker(), folder, topic, until);
}

/// The same on any broker.
pub(super) fn assert_true_on(broker: &Broker, folder: &Folder, topic: &str, until: i64) {
    dump(broker, folder, topic, until);
    let ended = truth(folder);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
    let said: serde_json::Value = serde_json::from_str(&ended.out).expect("JSON");
    let number = |key: &str| said[key].as_u64().expect("a number");
    // What it did not look at, it did not find right.
    assert!(number("windows") >= 48 && number("rows") >= 2_000 && number("numbers") >= 3_000, "{said}");
}

/// Writes what the script reads: the topic as it stands, the windows as they are stored, and what both mean.
fn dump(broker: &Broker, folder: &Folder, topic: &str, until: i64) {
    let mut records = Vec::new();
    for partition in 0..PARTITIONS {
        for (offset, payload) in broker.records(topic, partition) {
            let payload = String::from_utf8_lossy(&payload);
            let record = serde_json::json!({"partition": partition, "offset": offset, "payload": payload});
            writeln!(records, "{record}").expect("memory");
        }
    }
    folder.write("topic.ndjson", records);
    let windows = stored_windows(folder, "rows");
    let finals: Vec<String> = windows
        .into_iter()
        .filter(|window| window.is_final && window.end.is_some_and(|end| end <= until))
        .map(|window| window.document.expect("the newest has its document"))
        .collect();
    folder.write("windows.ndjson", finals.join("\n") + "\n");
    // Of the baseline only its name is asked for: the id is a hash of bytes that no other program writes.
    let report = json(&[&folder.path("model.yaml"), &folder.path("all.ndjson")]);
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let minute = 60_000_000;
    let window = serde_json::json!({
        "name": "default", "length": 10 * minute, "every": 10 * minute,
        "out_of_orderness": minute, "lateness": minute,
    });
    let spec = serde_json::json!({
        "model": "rows", "version": "1", "baseline_id": report["baseline"]["id"], "window": window,
        "time": "ts", "features": {"x": "numeric", "y": "numeric", "c": "categorical"}, "segments": ["c"],
        "until": until, "baseline": "baseline.ndjson", "topic": "topic.ndjson", "windows": "windows.ndjson",
    });
    folder.write("truth.json", spec.to_string());
}

fn truth(folder: &Folder) -> Ended {
    let mut command = Command::new("python3");
    command.arg(workspace().join("scripts/truth.py")).arg(folder.path("truth.json"));
    command.output().expect("Python runs").into()
}

/// What finds nothing has to be able to: one record more or less, one id, one number.
#[test]
fn the_script_finds_what_is_wrong() {
    let rows = rows::rows(8_000, 3, 30, 41);
    let folder = Folder::new();
    let topic = produce(&rows, 41);
    service(&folder, &source(&topic), "");
    let running = Service::start(&folder, &[]);
    assert_complete(&folder, &rows);
    running.stop_well();
    assert_true(&folder, &topic, horizon(&rows));

    let read = |name: &str| std::fs::read_to_string(folder.path(name)).expect("a file");
    let (records, windows) = (read("topic.ndjson"), read("windows.ndjson"));
    let cut = |text: &str| text.split_once('\n').expect("lines").1.to_owned();
    let twice = |text: &str| format!("{text}{}\n", text.lines().nth(10).expect("lines"));
    let other_id = windows.replacen(r#""id":""#, r#""id":"0"#, 1);
    let other_rows = windows.replacen(r#""nulls":0"#, r#""nulls":1"#, 1);
    for (what, records, windows) in [
        ("a record less", cut(&records), windows.clone()),
        ("a record twice", twice(&records), windows.clone()),
        ("a window less", records.clone(), cut(&windows)),
        ("a window twice", records.clone(), twice(&windows)),
        ("another id", records.clone(), other_id),
        ("another number", records.clone(), other_rows),
    ] {
        folder.write("topic.ndjson", records);
        folder.write("windows.ndjson", windows);
        let ended = truth(&folder);
        assert_eq!(ended.code, Some(1), "{what}: {ended:?}");
    }
}
