//! I-ONCE: whatever is killed when, the FINAL windows are those of the rows, each counted once.

use driftlead::serve::fault;

use super::rows::{self, Row};
use super::same::{assert_complete, horizon};
use super::service;
use super::topic::{self, append, produce, source};
use super::truth::assert_true;
use crate::support::broker::broker;
use crate::support::folder::Folder;
use crate::support::random::Random;
use crate::support::service::Service;

#[test]
fn seven_partitions_in_any_order_give_what_check_gives() {
    let rows = rows::rows(8_000, 3, 30, 11);
    for seed in 0..3 {
        let folder = Folder::new();
        let topic = produce(&rows, seed);
        service(&folder, &source(&topic), "");
        let running = Service::start(&folder, &[]);
        assert_complete(&folder, &rows);
        running.stop_well();
        assert_true(&folder, &topic, horizon(&rows));
    }
}

#[test]
fn killed_at_every_named_point_and_started_again_nothing_is_lost_or_counted_twice() {
    let rows = rows::rows(8_000, 3, 30, 12);
    let folder = Folder::new();
    let topic = broker().topic("rows", topic::PARTITIONS);
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
    running.stop_well();
    assert_true(&folder, &topic, horizon(&rows));
}

#[test]
fn killed_at_random_nothing_is_lost_or_counted_twice() {
    let rows = rows::rows(8_000, 3, 30, 13);
    let folder = Folder::new();
    let topic = produce(&rows, 6);
    service(&folder, &source(&topic), "");
    kill_at_random(&folder, 10, 77);
    let running = Service::start(&folder, &[]);
    assert_complete(&folder, &rows);
    running.stop_well();
    assert_true(&folder, &topic, horizon(&rows));
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
    running.stop_well();
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

/// Starts the service and kills it, so often.
pub(super) fn kill_at_random(folder: &Folder, times: usize, seed: u64) {
    let mut random = Random::new(seed);
    for _ in 0..times {
        let mut running = Service::start(folder, &[]);
        running.wait_for("started");
        // Between a quarter of a millisecond and some hundreds after the start: before, amid and after its commits.
        let nap = std::time::Duration::from_micros(250 << random.below(11));
        std::thread::park_timeout(nap);
        running.kill();
    }
}

fn signal(status: std::process::ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}
