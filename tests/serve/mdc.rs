//! Data of Azure ML's Model Data Collector: append blobs of events that grow in folders by the hour, each event with the
//! records of a request.

use driftlead::time::Timestamp;
use serde_json::Value;

use super::append::Blobs;
use super::rows::{self, Row};
use super::same::{assert_finals, end_of, finals, windows_of};
use super::service;
use crate::support::azurite::block_on;
use crate::support::folder::Folder;
use crate::support::program::program;
use crate::support::service::{eventually, metric};
use object_store::ObjectStoreExt as _;

const HOUR: i64 = 3_600_000_000;

fn model() -> String {
    let own = super::MODEL.replace("baseline: baseline.parquet", "baseline: {path: base, format: mdc}");
    own.replace("time: ts", "time: mdc_time").replace("segments: [c]", "segments: [mdc_deployment]")
}

/// An event of these records at this time, in whole seconds; the order of its keys varies.
fn event(time: i64, deployment: &str, data: &str) -> String {
    let time =
        Timestamp::from_micros(time.div_euclid(1_000_000) * 1_000_000).to_string().replace(".000000", "");
    let source = format!("/subscriptions/s/onlineEndpoints/ep/deployments/{deployment}");
    let head = format!(
        r#""specversion":"1.0","id":"i","source":"{source}","type":"azureml.inference.model_inputs""#
    );
    let tail = format!(
        r#""time":"{time}","correlationid":"c{time}","modelversion":"3","contentrange":"bytes_0-1/*""#
    );
    if deployment == "blue" {
        format!("{{{head},{data},{tail}}}\n")
    } else {
        format!("{{{tail},{data},{head}}}\n")
    }
}

fn data(rows: &[Row]) -> String {
    let records: Vec<&str> = rows.iter().map(|row| row.json.as_str()).collect();
    format!(r#""data":[{}]"#, records.join(","))
}

/// Rows as events of one to four, each with the key of the blob in which it is written: that of the hour a minute later, so
/// that some of each hour are in the next one's folder.
fn events(rows: &[Row]) -> Vec<(String, String, usize)> {
    let (mut events, mut rest, mut at) = (Vec::new(), rows, 0);
    while !rest.is_empty() {
        let (own, more) = rest.split_at((1 + at % 4).min(rest.len()));
        let time = own[0].time;
        let hour = (time + 60_000_000 - rows::BEGIN).div_euclid(HOUR);
        let deployment = if at % 3 == 0 { "green" } else { "blue" };
        events.push((key(hour), event(time, deployment, &data(own)), own.len()));
        (rest, at) = (more, at + 1);
    }
    events
}

fn key(hour: i64) -> String {
    format!("mdc/ep/blue/model_inputs/2001/01/01/{hour:02}/instance.jsonl")
}

fn base(folder: &Folder) {
    let lines = std::fs::read_to_string(folder.path("baseline.ndjson")).expect("rows");
    let text: String = lines
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let time = rows::BEGIN - 24 * HOUR + i64::try_from(at).expect("small") * 14_400_000;
            event(time, if at % 2 == 0 { "blue" } else { "green" }, &format!(r#""data":[{line}]"#))
        })
        .collect();
    folder.write("base/2000/12/31/00/instance.jsonl", text);
}

fn append(blobs: &Blobs<'_>, events: &[(String, String, usize)]) -> usize {
    let mut rest = events;
    while let Some((key, ..)) = rest.first() {
        let same = rest.iter().take_while(|(own, ..)| own == key).count();
        let text: String = rest[..same].iter().map(|(_, line, _)| line.as_str()).collect();
        blobs.append(key, &text);
        rest = &rest[same..];
    }
    events.iter().map(|(_, _, n_rows)| n_rows).sum()
}

#[test]
fn events_that_are_added_give_what_check_gives_through_a_power_cut_and_windows_cross_folders() {
    let folder = Folder::new();
    let blobs = Blobs::new(&folder);
    let source = blobs.source("mdc/ep/blue/model_inputs", ", format: mdc");
    service(&folder, &source, "");
    base(&folder);
    folder.write("model.yaml", model());
    let rows = rows::rows(12_000, 3, 30, 261);
    let mut events = events(&rows);
    // Records that are none beside those that are, a payload in a file of its own, one that is out of reach, and a torn line.
    let (place, record) = (events[100].0.clone(), &rows[200].json);
    let time = rows[200].time;
    let bad = format!(r#""data":[{record},7,{{"x":1,,"y":2}},{record}]"#);
    let address = |container: &str| {
        format!(
            r#""dataref":"{}/devstoreaccount1/{container}/raw/big.jsonl?sig=secret""#,
            blobs.azurite.url()
        )
    };
    let client = blobs.azurite.client(&blobs.container);
    let raw = format!("[{record},{record},{record}]");
    block_on(client.put(&"raw/big.jsonl".into(), raw.into())).expect("written");
    let special = [
        (event(time, "blue", &bad), 2),
        (event(time, "green", &address(&blobs.container)), 3),
        (event(time, "green", &address("other")), 0),
        ("{\"data\":[{\n".to_owned(), 0),
    ];
    events.splice(100..100, special.into_iter().map(|(line, n_rows)| (place.clone(), line, n_rows)));

    let (first, rest) = events.split_at(1_500);
    let (second, third) = rest.split_at(1_500);
    let mut n_rows = append(&blobs, first);
    let mut running = blobs.start();
    let address = running.address();
    let counted = |rows: usize| metric(&address, "driftlead_rows_total") == rows as u64;
    eventually("the first events are counted", || counted(n_rows));
    // Half an event is none yet; its rest comes after a power cut.
    n_rows += append(&blobs, &second[..700]);
    let (key, line, _) = &second[700];
    let (half, rest) = line.split_at(line.len() / 2);
    blobs.append(key, half);
    eventually("all whole events are counted", || counted(n_rows));
    running.kill();
    blobs.append(key, rest);
    append(&blobs, &second[701..]);
    let mut running = blobs.start();
    running.wait_for("caught up");
    append(&blobs, third);
    let until = rows.iter().map(|row| row.time).max().expect("rows") - 900_000_000;
    eventually("all is counted", || finals(&folder).values().any(|window| end_of(window) >= until));
    running.stop_well();

    let input = format!("mdc:az://{}/mdc/ep/blue/model_inputs", blobs.container);
    let check = ["check", "--format", "json", "--reproducible", &folder.path("model.yaml"), &input];
    let output = program(&check).envs(blobs.azurite.environment()).output().expect("the program runs");
    let checked = windows_of(&String::from_utf8(output.stdout).expect("UTF-8"));
    let end = finals(&folder).values().map(end_of).max().expect("windows");
    assert_finals(&folder, &checked, end);
    // No window is cut where a folder is, and every row is in that of its event's time.
    let n_whole: u64 = checked
        .values()
        .filter(|window| window["segment"].is_null())
        .map(|window| window["rows"].as_u64().expect("rows"))
        .sum();
    assert_eq!(n_whole, 12_005);
    let segments: std::collections::BTreeSet<String> = checked
        .values()
        .filter(|own| !own["segment"].is_null())
        .map(|own| own["segment"].to_string())
        .collect();
    assert!(segments.len() == 2 && segments.iter().any(|own| own.contains("green")), "{segments:?}");

    let dead = std::fs::read_to_string(folder.path("dead.ndjson")).expect("dead letters");
    let mut places: Vec<(u64, Option<u64>, String)> = Vec::new();
    for line in dead.lines() {
        let letter: Value = serde_json::from_str(line).expect("JSON");
        assert!(letter["file"].as_str().expect("a file").ends_with(&place), "{letter}");
        assert!(!line.contains("secret"), "{letter}");
        let reason = letter["reason"].as_str().expect("a reason").to_owned();
        places.push((letter["line"].as_u64().expect("a line"), letter["record"].as_u64(), reason));
    }
    places.sort();
    let of = |line, record, reason: &str| (line, record, reason.to_owned());
    let wanted = [
        of(101, Some(1), "not_an_object"),
        of(101, Some(2), "not_json"),
        of(103, None, "data_elsewhere"),
        of(104, None, "truncated"),
    ];
    assert_eq!(places, wanted);
}
