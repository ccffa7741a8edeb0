//! I-ONCE: whatever is killed when, the FINAL windows are those of the rows, each counted once.

use driftlead::serve::fault;

use super::rows::{self, Row};
use super::same::{assert_same, checked, end_of, finals};
use super::service;
use crate::support::broker::{Message, broker};
use crate::support::folder::Folder;
use crate::support::random::Random;
use crate::support::service::{Service, eventually};

const PARTITIONS: i32 = 7;

/// A topic with these rows; see [`append`].
pub(super) fn produce(rows: &[Row], seed: u64) -> String {
    let topic = broker().topic("rows", PARTITIONS);
    append(&topic, rows, seed);
    topic
}

/// Writes the rows over all partitions at random, each partition in the order of the rows.
fn append(topic: &str, rows: &[Row], seed: u64) {
    let mut random = Random::new(seed);
    let mut parts: Vec<Vec<Message>> = vec![Vec::new(); PARTITIONS as usize];
    for row in rows {
        parts[random.below(PARTITIONS as usize)].push(Message::new("k", row.json.clone(), row.time / 1_000));
    }
    for (partition, messages) in parts.iter().enumerate() {
        broker().produce(topic, i32::try_from(partition).expect("small"), messages);
    }
}

pub(super) fn source(topic: &str) -> String {
    format!(
        "{{kafka: {{brokers: \"{}\", topics: [{topic}]}}, format: json, dead_letter: {{file: ./dead.ndjson}}}}",
        broker().bootstrap()
    )
}

/// Event time up to which all windows must be final once every partition is idle.
fn horizon(rows: &[Row]) -> i64 {
    rows.iter().map(|row| row.time).max().expect("rows") - 60_000_000
}

pub(super) fn assert_complete(folder: &Folder, rows: &[Row]) {
    let until = horizon(rows);
    let complete = checked(folder, rows).values().filter(|window| end_of(window) <= until).count();
    eventually("all windows are final", || finals(folder).len() >= complete);
    assert_same(folder, rows, until);
}

#[test]
fn seven_partitions_in_any_order_give_what_check_gives() {
    let rows = rows::rows(8_000, 3, 30, 11);
    for seed in 0..3 {
        let folder = Folder::new();
        service(&folder, &source(&produce(&rows, seed)), "");
        let running = Service::start(&folder, &[]);
        assert_complete(&folder, &rows);
        let (status, log) = running.stop();
        assert!(status.success(), "{status}: {log:#?}");
    }
}

#[test]
fn killed_at_every_named_point_and_started_again_nothing_is_lost_or_counted_twice() {
    let rows = rows::rows(8_000, 3, 30, 12);
    let folder = Folder::new();
    let topic = broker().topic("rows", PARTITIONS);
    service(&folder, &source(&topic), "");
    // New rows for each point, so that each is passed.
    let parts = rows.chunks(rows.len().div_ceil(fault::ALL.len()));
    for ((point, part), seed) in fault::ALL.into_iter().zip(parts).zip(5..) {
        append(&topic, part, seed);
        let is_at_the_end = point == "before_shutdown_commit";
        let fault = format!("{point}:1");
        let mut running = Service::start(&folder, &[(fault::VARIABLE, &fault)]);
        let (status, log) = if is_at_the_end {
            // Some of the new rows are counted, and not all is committed.
            running.wait_for("started");
            running.stop()
        } else {
            running.wait()
        };
        assert_eq!(signal(status), Some(9), "{fault} was not reached: {status}: {log:#?}");
    }
    let running = Service::start(&folder, &[]);
    assert_complete(&folder, &rows);
    let (status, log) = running.stop();
    assert!(status.success(), "{status}: {log:#?}");
}

#[test]
fn killed_at_random_nothing_is_lost_or_counted_twice() {
    let rows = rows::rows(8_000, 3, 30, 13);
    let folder = Folder::new();
    service(&folder, &source(&produce(&rows, 6)), "");
    let mut random = Random::new(77);
    for _ in 0..10 {
        let mut running = Service::start(&folder, &[]);
        running.wait_for("started");
        // Between a quarter of a millisecond and some hundreds after the start: before, amid and after its commits.
        let nap = std::time::Duration::from_micros(250 << random.below(11));
        std::thread::park_timeout(nap);
        running.kill();
    }
    let running = Service::start(&folder, &[]);
    assert_complete(&folder, &rows);
    let (status, log) = running.stop();
    assert!(status.success(), "{status}: {log:#?}");
}

#[test]
fn poison_is_set_aside_with_its_place_and_stops_nothing() {
    let mut rows = rows::rows(6_000, 3, 30, 14);
    let good = rows.clone();
    let poison = [
        r#"{"ts":oops}"#,
        r#"{"ts":"2001-01-01T00:10:00Z","x":1.0"#,
        r#"{"x":1.0,"y":2,"c":"a"}"#,
        r#"{"ts":"2999-01-01T00:00:00Z","x":1.0,"y":2,"c":"a"}"#,
        r#"[1,2,3]"#,
    ];
    for (at, text) in poison.iter().enumerate() {
        let time = rows[1_000 * at].time;
        rows.insert(1_000 * at + 500, Row { time, json: (*text).to_owned() });
    }
    let folder = Folder::new();
    service(&folder, &source(&produce(&rows, 7)), "");
    let running = Service::start(&folder, &[]);
    assert_complete(&folder, &good);
    let (status, log) = running.stop();
    assert!(status.success(), "{status}: {log:#?}");
    let dead = std::fs::read_to_string(folder.path("dead.ndjson")).expect("dead letters");
    let mut reasons: Vec<String> = dead
        .lines()
        .map(|line| {
            let letter: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert!(letter["offset"].is_i64() && letter["payload"]["sha256"].is_string(), "{letter}");
            letter["reason"].as_str().expect("a reason").to_owned()
        })
        .collect();
    reasons.sort();
    assert_eq!(reasons, ["far_future", "missing_time", "not_an_object", "not_json", "truncated"]);
}

fn signal(status: std::process::ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}
