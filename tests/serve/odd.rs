//! What is odd about records, machines and clocks, and stops nothing.

use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;

use driftlead::clock::{Clock, ManualClock};
use driftlead::serve::Service as Library;
use driftlead::serve::plan::{Plan, SourceKind, SourcePlan};
use driftlead_connectors::dataset::Remotes;
use driftlead_connectors::store::Retention;

use super::rows::{self, Row};
use super::same::{assert_complete, assert_same, finals, horizon};
use super::service;
use super::topic::{PARTITIONS, append, produce, source, source_on};
use super::truth::assert_true;
use crate::support::broker::broker;
use crate::support::folder::Folder;
use crate::support::service::{Service, eventually};
use crate::support::stub::{Answer, Stub};

/// A row in Avro's binary encoding, by the second schema if it `is_new`: other order, other widths, a field more.
pub(super) fn avro(row: &Row, is_new: bool) -> Vec<u8> {
    let value: serde_json::Value = serde_json::from_str(&row.json).expect("JSON");
    let text = |key: &str| {
        let text = value[key].as_str().expect("text");
        [long(i64::try_from(text.len()).expect("short")), text.as_bytes().to_vec()].concat()
    };
    let x = match value["x"].as_f64() {
        None => long(0),
        Some(x) => [long(1), x.to_le_bytes().to_vec()].concat(),
    };
    let y = long(value["y"].as_i64().expect("an integer"));
    let own = if is_new {
        [text("c"), long(7), y, x, text("ts")].concat()
    } else {
        [text("ts"), x, y, text("c")].concat()
    };
    [vec![0, 0, 0, 0, 1 + u8::from(is_new)], own].concat()
}

/// The first schema.
pub(super) const SCHEMA: &str = r#"{"type":"record","name":"Row","fields":[{"name":"ts","type":"string"},
    {"name":"x","type":["null","double"]},{"name":"y","type":"int"},{"name":"c","type":"string"}]}"#;

/// A row by it, without the header of a registry.
pub(super) fn avro_alone(row: &Row) -> Vec<u8> {
    avro(row, false).split_off(5)
}

/// Avro's variable length.
fn long(value: i64) -> Vec<u8> {
    let mut rest = (value << 1) as u64 ^ (value >> 63) as u64;
    let mut out = Vec::new();
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out
}

#[test]
fn another_schema_in_mid_stream_is_asked_for_and_read() {
    let fields = |fields: &str| {
        let schema = format!(r#"{{"type":"record","name":"Row","fields":[{fields}]}}"#);
        serde_json::json!({"schema": schema}).to_string()
    };
    let x = r#"{"name":"x","type":["null","double"]}"#;
    let first = serde_json::json!({"schema": SCHEMA}).to_string();
    let second = fields(&format!(
        r#"{{"name":"c","type":"string"}},{{"name":"more","type":"long"}},{{"name":"y","type":"long"}},{x},
           {{"name":"ts","type":"string"}}"#
    ));
    let registry = Stub::start(move |request| {
        let body = match request.target.split('?').next() {
            Some("/schemas/ids/1") => &first,
            Some("/schemas/ids/2") => &second,
            _ => return Some(Answer::of(404).saying(r#"{"error_code":40403,"message":"Schema not found"}"#)),
        };
        Some(Answer::of(200).with("content-type", "application/vnd.schemaregistry.v1+json").saying(body))
    });
    let rows = rows::rows(8_000, 3, 30, 101);
    let topic = broker().topic("rows", PARTITIONS);
    for (at, row) in rows.iter().enumerate() {
        let record = crate::support::broker::Message::new("k", avro(row, at >= 4_000), row.time / 1_000);
        WRITER.with(|writer| {
            let partition = i32::try_from(at).expect("small") % PARTITIONS;
            writer.send(&topic, partition, std::slice::from_ref(&record));
        });
    }
    WRITER.with(crate::support::broker::Writer::flush);
    let folder = Folder::new();
    let format = format!("{{avro: {{registry: {{url: \"{}\"}}}}}}", registry.url());
    service(&folder, &source_on(broker(), &topic, &format), "");
    let running = Service::start(&folder, &[]);
    assert_complete(&folder, &rows);
    running.stop_well();
    let asked: std::collections::BTreeSet<String> =
        registry.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
}

thread_local! {
    static WRITER: crate::support::broker::Writer = broker().writer(&[]);
}

#[test]
fn a_field_that_changes_its_type_is_counted_and_costs_no_row() {
    let mut rows = rows::rows(8_000, 3, 30, 102);
    for row in rows.iter_mut().skip(4_000) {
        row.json = row.json.replace(r#""y":"#, r#""y":"no number","z":"#);
    }
    let folder = Folder::new();
    let topic = produce(&rows, 102);
    service(&folder, &source(&topic), "");
    let mut running = Service::start(&folder, &[]);
    running.wait_for("started");
    let until = horizon(&rows);
    let ends = |window: &serde_json::Value| super::same::end_of(window);
    eventually("the last window is final", || {
        finals(&folder).values().any(|window| ends(window) <= until && ends(window) > until - 600_000_000)
    });
    running.stop_well();
    // The script counts types by itself, and finds every row.
    rows::file(&folder, "all.ndjson", &rows);
    assert_true(&folder, &topic, until);
    let finals = finals(&folder);
    let last = finals.values().filter(|own| own["segment"].is_null()).max_by_key(|own| ends(own));
    let last = last.expect("a window");
    let feature = |name: &str| {
        let features = last["features"].as_array().expect("features");
        features.iter().find(|own| own["name"] == name).expect("the feature").clone()
    };
    assert_eq!(feature("y")["type_errors"], last["rows"], "{}", feature("y"));
    assert_eq!(feature("y")["metrics"]["type_error_rate"]["verdict"], "drift", "{}", feature("y"));
    assert!(feature("x")["metrics"]["psi"]["value"].is_f64(), "{}", feature("x"));
}

#[test]
fn records_of_a_megabyte_are_rows_like_others() {
    let rows = rows::rows(6_000, 3, 30, 103);
    let padding = "p".repeat(1_000_000);
    let mut padded = rows.clone();
    for row in padded.iter_mut().step_by(150) {
        row.json = row.json.replacen('{', &format!(r#"{{"padding":"{padding}","#), 1);
    }
    let folder = Folder::new();
    let topic = produce(&padded, 103);
    service(&folder, &source(&topic), "");
    let running = Service::start(&folder, &[]);
    assert_complete(&folder, &rows);
    running.stop_well();
    assert_true(&folder, &topic, horizon(&rows));
}

#[test]
fn a_process_that_stands_still_for_a_while_goes_on() {
    let rows = rows::rows(8_000, 3, 30, 104);
    let topic = produce(&rows, 104);
    let folder = Folder::new();
    service(&folder, &source(&topic), "");
    let mut running = Service::start(&folder, &[]);
    running.wait_for("started");
    running.freeze(true);
    // Longer than its partitions take to be idle.
    std::thread::park_timeout(std::time::Duration::from_secs(2));
    running.freeze(false);
    assert_complete(&folder, &rows);
    running.stop_well();
    assert_true(&folder, &topic, horizon(&rows));
}

/// A small file system in the store's place, unmounted at the end.
struct Mount(String);

impl Mount {
    /// `None`, with a word about it, where mounting is not allowed.
    fn of(path: &str) -> Option<Self> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "none", path]).output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self(path.to_owned()));
        }
        let text = "mounting is not allowed here: the full disk is left to the store's own tests";
        writeln!(std::io::stderr(), "{text}").expect("somebody reads");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("umount").args(["--lazy", &self.0]).status());
    }
}

#[test]
fn a_full_disk_ends_it_with_a_reason_and_with_room_it_goes_on() {
    let rows = rows::rows(8_000, 3, 30, 106);
    let folder = Folder::new();
    let topic = produce(&rows[..4_000], 106);
    service(&folder, &source(&topic), "");
    let Some(_mount) = Mount::of(&folder.path("state")) else { return };
    let mut running = Service::start(&folder, &[]);
    running.wait_for("caught up");
    let ballast = folder.path("state/ballast");
    // `cp` takes all that is left and says so.
    drop(Command::new("cp").args(["/dev/zero", &ballast]).output());
    append(&topic, &rows[4_000..], 107);
    let (status, log) = running.wait();
    assert_eq!(status.code(), Some(3), "{log:#?}");
    assert!(log.iter().any(|line| line.contains("no space is left")), "{log:#?}");
    std::fs::remove_file(&ballast).expect("room");
    let running = Service::start(&folder, &[]);
    assert_complete(&folder, &rows);
    running.stop_well();
    assert_true(&folder, &topic, horizon(&rows));
}

/// A clock that jumps at every look: an hour ahead, and back by most of it.
#[derive(Debug)]
struct Jumping(ManualClock);

impl Clock for Jumping {
    fn now(&self) -> i64 {
        let now = self.0.now();
        let is_ahead = (now / 1_000_000) % 2 == 0;
        self.0.set(if is_ahead { now + 3_600_000_000 + 1_000_000 } else { now - 3_599_000_000 });
        now
    }
}

#[test]
fn a_clock_that_jumps_changes_no_window() {
    let rows = rows::rows(6_000, 3, 30, 108);
    let folder = Folder::new();
    service(&folder, "{stdin: {}, format: json}", "");
    let path = rows::file(&folder, "rows.ndjson", &rows);
    // Years after the rows, so that none is ahead of it.
    let clock: Arc<dyn Clock> = Arc::new(Jumping(ManualClock::at(rows::BEGIN + 86_400_000_000_000)));
    let plan = Plan {
        file: None,
        store: folder.path("state").into(),
        models: vec![folder.path("model.yaml").into()],
        sources: vec![SourcePlan::json("rows", SourceKind::Lines { path: path.into(), ends: true })],
        sinks: Vec::new(),
        commit_every: std::time::Duration::from_millis(200),
        listener: None,
        retention: Retention::default(),
    };
    let model = super::MODEL.replace("sinks: [record]\n", "");
    folder.write("model.yaml", model);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let service =
        Library::start(plan, &Arc::new(Remotes::default()), &clock, runtime.handle()).expect("it starts");
    service.wait().expect("it ends");
    assert_same(&folder, &rows, i64::MAX);
}
