//! Stretches of windows without rows (SEMANTICS S13): what `check` says of them the service says too, whatever was killed.

use driftlead::serve::fault;
use driftlead::time::Timestamp;
use serde_json::Value;

use super::rows::{self, Row};
use super::same::assert_complete;
use super::service;
use crate::support::client::ask;
use crate::support::folder::Folder;
use crate::support::program::json;
use crate::support::service::{Service, eventually};

const DAY: i64 = 86_400_000_000;

/// The same rows, so many days later.
fn later(rows: &[Row], days: i64) -> Vec<Row> {
    let text = |time: i64| Timestamp::from_micros(time).to_string();
    let moved = |row: &Row| {
        let time = row.time + days * DAY;
        Row { time, json: row.json.replace(&text(row.time), &text(time)) }
    };
    rows.iter().map(moved).collect()
}

/// All windows and gaps that the API lists, a page after the other.
fn listed(address: &str, query: &str) -> (usize, Vec<Value>) {
    let (mut n_items, mut gaps, mut cursor) = (0, Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/models/rows/windows?{query}{cursor}");
        let reply = ask(address, "GET", &path, &[], b"").expect("an answer");
        assert_eq!(reply.status, 200, "{reply:?}");
        let page = reply.json();
        n_items += page["items"].as_array().expect("items").len();
        gaps.extend(page["gaps"].as_array().expect("gaps").clone());
        let Some(next) = page["next"].as_str() else { return (n_items, gaps) };
        cursor = format!("&cursor={next}");
    }
}

#[test]
fn s13_serve_and_check_tell_the_same_gaps_whatever_is_killed() {
    let folder = Folder::new();
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", "");
    let hour = rows::rows(2_000, 1, 30, 91);
    // Two holes of more than 1,000 windows of ten minutes, and one that is listed window by window.
    let parts =
        [(0, "chunk_counted:1"), (9, "before_commit:1"), (10, "after_commit:1"), (22, "after_commit:1")];
    let mut all = Vec::new();
    folder.write("rows.ndjson", "");
    for (days, point) in parts {
        let part = later(&hour, days);
        rows::append(&folder, "rows.ndjson", &part);
        all.extend(part);
        let (status, log) = Service::start(&folder, &[(fault::VARIABLE, point)]).wait();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(9), "{point} was not reached: {status}: {log:#?}");
    }
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    assert_complete(&folder, &all);

    let report: Value =
        serde_json::from_str(&json(&[&folder.path("model.yaml"), &folder.path("all.ndjson")])).expect("JSON");
    let mut wanted = report["gaps"].as_array().expect("gaps").clone();
    assert_eq!(wanted.len(), 2, "{wanted:#?}");
    // The latest first, as windows are.
    wanted.reverse();
    let text = |gaps: &[Value]| gaps.iter().map(Value::to_string).collect::<Vec<_>>();
    for query in ["limit=500", "limit=7", "limit=500&segment=null&final=true"] {
        let (n_items, gaps) = listed(&address, query);
        assert!(n_items > 24, "{query}: {n_items} windows");
        assert_eq!(text(&gaps), text(&wanted), "{query}");
    }
    // Within a gap there is nothing but the gap; outside of it no word of it.
    let of = |query: &str| {
        let (n_items, gaps) = listed(&address, query);
        (n_items, text(&gaps))
    };
    let first = vec![wanted[1].to_string()];
    assert_eq!(of("since=2001-01-03T00:00:00Z&until=2001-01-04T00:00:00Z"), (0, first));
    let (n_items, gaps) = of("until=2001-01-01T01:00:00Z");
    assert!(n_items > 0 && gaps.is_empty(), "{n_items} windows, {gaps:?}");
    assert_eq!(listed(&address, "final=false").1, Vec::<Value>::new(), "what is a gap is final");
    // Who asked for verdicts is told of a gap once, though the records around it were read more than once.
    let told = || -> Vec<Value> {
        let text = std::fs::read_to_string(folder.path("events.ndjson")).unwrap_or_default();
        let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        events.filter(|event| event["type"] == "gap").collect()
    };
    eventually("both gaps are told", || told().len() >= 2);
    running.stop_well();
    let mut told = told();
    told.sort_by_key(|event| std::cmp::Reverse(event["gap"]["start"].to_string()));
    assert_eq!(text(&told.iter().map(|event| event["gap"].clone()).collect::<Vec<_>>()), text(&wanted));
    for event in &told {
        assert_eq!(
            (&event["schema"], &event["revision"]),
            (&"driftlead.event/1".into(), &0.into()),
            "{event}"
        );
        assert_eq!(event["model"].to_string(), r#"{"name":"rows","version":"1"}"#, "{event}");
    }
    assert_ne!(told[0]["id"], told[1]["id"]);
}
