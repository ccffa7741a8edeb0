//! Rows that are sent: counted once, whatever happens between the request and its answer (SEMANTICS S17).

use std::process::ExitStatus;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow_ipc::writer::StreamWriter;
use driftlead::serve::fault;
use serde_json::json;

use super::rows::{self, Row};
use super::same::{assert_complete, assert_same};
use super::{MODEL, service};
use crate::support::client::{Reply, ask};
use crate::support::folder::{Folder, table, times};
use crate::support::program::driftlead;
use crate::support::service::Service;

pub(super) const SOURCE: &str = "{ingest: {}, dead_letter: {file: ./dead.ndjson}}";
pub(super) const PATH: &str = "/api/v1/ingest/rows";
pub(super) const LINES: (&str, &str) = ("content-type", "application/x-ndjson");
pub(super) const ARROW: (&str, &str) = ("content-type", "application/vnd.apache.arrow.stream");

/// Rows as the lines of a body.
pub(super) fn lines(rows: &[Row]) -> String {
    rows.iter().map(|row| row.json.as_str()).collect::<Vec<_>>().join("\n")
}

/// Sends lines under a key; `None` if no answer came.
pub(super) fn send(address: &str, key: &str, body: &str) -> Option<Reply> {
    ask(address, "POST", PATH, &[LINES, ("idempotency-key", key)], body.as_bytes())
}

/// Rows as an Arrow stream of one batch.
pub(super) fn stream(rows: &[Row]) -> Vec<u8> {
    let parsed: Vec<serde_json::Value> =
        rows.iter().map(|row| serde_json::from_str(&row.json).expect("JSON")).collect();
    let x: Float64Array = parsed.iter().map(|row| row["x"].as_f64()).collect();
    let y: Int64Array = parsed.iter().map(|row| row["y"].as_i64()).collect();
    let c: StringArray = parsed.iter().map(|row| row["c"].as_str()).collect();
    // Times are read as they stand in the lines, whose last digit `rows` may have cut off.
    let time = |row: &serde_json::Value| {
        let text = row["ts"].as_str().expect("a time");
        text.parse::<driftlead::time::Timestamp>().expect("a time").micros()
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("c", Arc::new(c)),
        ("more", Arc::new(Int64Array::from(vec![1; rows.len()]))),
        ("ts", times(parsed.iter().map(time))),
        ("x", Arc::new(x)),
        ("y", Arc::new(y)),
    ];
    let batch = table(columns);
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).expect("a schema");
    writer.write(&batch).expect("rows");
    writer.into_inner().expect("an end")
}

fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[test]
fn lines_and_arrow_give_what_check_gives() {
    let folder = Folder::new();
    service(&folder, SOURCE, "");
    let rows = rows::rows(6_000, 3, 30, 41);
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    for (at, part) in rows.chunks(500).enumerate() {
        let (kind, body) =
            if at % 3 == 1 { (ARROW, stream(part)) } else { (LINES, lines(part).into_bytes()) };
        let reply = ask(&address, "POST", PATH, &[kind], &body).expect("an answer");
        assert_eq!(reply.status, 202, "{reply:?}");
        let expected = json!({
            "model": "rows", "records": 500, "taken": 500, "set_aside": {}, "excluded": 0, "late": {}
        });
        assert_eq!(reply.json(), expected);
    }
    // Nothing more is sent, so the source becomes idle and the watermark stands at the newest row.
    assert_complete(&folder, &rows);
    running.stop_well();
}

#[test]
fn killed_at_every_point_of_a_commit_a_request_under_its_key_is_counted_once() {
    let folder = Folder::new();
    service(&folder, SOURCE, "");
    // No commit but those of requests, so that it is a request that meets the point.
    folder.write("model.yaml", MODEL.replace("idle: 1s", "idle: 1h"));
    let rows = rows::rows(6_000, 3, 30, 42);
    // A series that begins judges once before there are rows.
    let points = [
        "chunk_counted:1",
        "windows_judged:2",
        "dead_letters_written:1",
        "before_commit:1",
        "after_commit:1",
    ];
    let parts: Vec<&[Row]> = rows.chunks(rows.len().div_ceil(points.len())).collect();
    for (fault, part) in points.into_iter().zip(parts) {
        let (key, body) = (format!("part-{fault}"), lines(part));
        let mut running = Service::start(&folder, &[(fault::VARIABLE, fault)]);
        let address = running.address();
        let reply = send(&address, &key, &body);
        assert!(reply.is_none(), "{fault}: answered before it was committed: {reply:?}");
        let (status, log) = running.wait();
        assert_eq!(signal(status), Some(9), "{fault} was not reached: {status}: {log:#?}");

        let mut running = Service::start(&folder, &[]);
        let address = running.address();
        let is_committed = fault.starts_with("after_commit");
        let mut receipts = Vec::new();
        for is_replay in [is_committed, true] {
            let reply = send(&address, &key, &body).expect("an answer");
            assert_eq!(reply.status, 202, "{fault}: {reply:?}");
            assert_eq!(reply.header("idempotency-replayed"), is_replay.to_string(), "{fault}: {reply:?}");
            assert_eq!(reply.json()["taken"], part.len(), "{reply:?}");
            receipts.push(reply.body);
        }
        assert_eq!(receipts[0], receipts[1], "the first answer is given again");
        running.stop_well();
    }
    let until = rows.iter().map(|row| row.time).max().expect("rows") - 120_000_000;
    assert_same(&folder, &rows, until);
}

#[test]
fn what_becomes_of_each_row_is_said_and_a_bad_one_stops_nothing() {
    let folder = Folder::new();
    service(&folder, SOURCE, "");
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    let body = [
        r#"{"ts":"2001-01-01T00:30:00Z","x":1.0,"y":2,"c":"a"}"#,
        r#"{"ts":oops}"#,
        "",
        r#"{"ts":"2001-01-01T00:10:00Z","x":1.0"#,
        r#"{"x":1.0,"y":2,"c":"a"}"#,
        r#"{"ts":"2999-01-01T00:00:00Z","x":1.0,"y":2,"c":"a"}"#,
        "[1,2,3]\r",
        r#"{"ts":"2001-01-01T00:31:00Z","x":"text","y":2,"c":"a"}"#,
        r#"{"ts":"2001-01-01T00:01:00Z","x":1.0,"y":2,"c":"a"}"#,
    ];
    let reply = send(&address, "k", &body.join("\n")).expect("an answer");
    assert_eq!(reply.status, 202, "{reply:?}");
    let expected = json!({
        "model": "rows", "records": 8, "taken": 3,
        "set_aside": {"far_future": 1, "missing_time": 1, "not_an_object": 1, "not_json": 1, "truncated": 1},
        "excluded": 0, "late": {"default": 1},
    });
    assert_eq!(reply.json(), expected);
    // They were written before the answer was.
    let dead = std::fs::read_to_string(folder.path("dead.ndjson")).expect("dead letters");
    let letters: Vec<serde_json::Value> =
        dead.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(letters.len(), 5);
    assert!(letters.iter().all(|own| own["topic"] == "ingest/rows" && own["payload"]["sha256"].is_string()));

    let metrics = ask(&address, "GET", "/metrics", &[], b"").expect("metrics");
    for line in [
        "driftlead_source_records_total{source=\"rows\"} 8",
        "driftlead_source_bad_records_total{source=\"rows\",reason=\"far_future\"} 1",
        "driftlead_rows_total{model=\"rows\",window=\"default\"} 2",
    ] {
        assert!(metrics.body.contains(line), "no `{line}`: {}", metrics.body);
    }
    running.stop_well();
}

/// A minute of real time, most of which it waits: who says how much comes and does not send it is answered, and holds
/// neither rows nor room.
#[test]
fn a_body_that_does_not_come_is_answered_and_counts_nothing() {
    use std::io::{Read as _, Write as _};

    let folder = Folder::new();
    service(&folder, SOURCE, "");
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    let row = rows::rows(1, 1, 0, 1).remove(0).json;
    let mut stream = std::net::TcpStream::connect(&address).expect("it listens");
    let (kind, length) = (LINES.1, row.len() + 2);
    // A whole row, and not the end of the body.
    write!(
        stream,
        "POST {PATH} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {kind}\r\nidempotency-key: k\r\n\
         content-length: {length}\r\n\r\n{row}\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, and the end of the connection");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"code\":\"timeout\"") && answer.contains("send it at once"), "{answer}");
    // Sent again with its key, as the answer says, it is the first.
    let reply = send(&address, "k", &row).expect("an answer");
    assert_eq!((reply.status, reply.header("idempotency-replayed")), (202, "false"), "{reply:?}");
    assert_eq!(reply.json()["taken"], 1, "{reply:?}");
    let metrics = ask(&address, "GET", "/metrics", &[], b"").expect("metrics");
    assert!(metrics.body.contains("driftlead_source_records_total{source=\"rows\"} 1"), "{}", metrics.body);
    running.stop_well();
}

#[test]
fn what_cannot_be_taken_is_refused_with_what_to_do_and_counts_nothing() {
    let folder = Folder::new();
    let source = "{ingest: {max_body: 20KB}, dead_letter: {file: ./dead.ndjson}}\n  other: {lines: {path: other.ndjson}}";
    service(&folder, source, "");
    folder.write("other.ndjson", "");
    folder.write(
        "other.yaml",
        MODEL.replace("model: rows", "model: other").replace("source: rows", "source: other"),
    );
    let text = std::fs::read_to_string(folder.path("service.yaml")).expect("settings");
    folder.write("service.yaml", text.replace("[model.yaml]", "[model.yaml, other.yaml]"));
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    let row = rows::rows(1, 1, 0, 1).remove(0).json;
    let long = "x".repeat(256);
    let large = " ".repeat(20_001);
    let packed = ("content-encoding", "br");
    let csv = ("content-type", "text/csv");
    let other = "/api/v1/ingest/other";
    for (status, says, path, headers, body) in [
        (404, "did you mean `rows`", "/api/v1/ingest/row", &[LINES][..], row.as_bytes()),
        (409, "the models that do are `rows`", other, &[LINES], row.as_bytes()),
        (415, "`application/x-ndjson`", PATH, &[csv], row.as_bytes()),
        (415, "encoded as br", PATH, &[LINES, packed], row.as_bytes()),
        (400, "there is no body", PATH, &[LINES], b""),
        (400, "blank lines", PATH, &[LINES], b"\n \r\n"),
        (400, "none were counted", PATH, &[ARROW], row.as_bytes()),
        (400, "expected 1 to 255", PATH, &[LINES, ("idempotency-key", long.as_str())], row.as_bytes()),
        (413, "at most 20000 bytes", PATH, &[LINES], large.as_bytes()),
    ] {
        let reply = ask(&address, "POST", path, headers, body).expect("an answer");
        assert_eq!(reply.status, status, "{says}: {reply:?}");
        assert!(reply.body.contains(says), "no `{says}`: {reply:?}");
    }
    let first = send(&address, "k", &row).expect("an answer");
    assert_eq!((first.status, first.header("idempotency-replayed")), (202, "false"), "{first:?}");
    let another = send(&address, "k", &format!("{row}\n{row}")).expect("an answer");
    assert!(another.status == 422 && another.body.contains("another body"), "{another:?}");
    let again = send(&address, "k", &row).expect("an answer");
    assert_eq!((again.status, &again.body), (202, &first.body));

    let metrics = ask(&address, "GET", "/metrics", &[], b"").expect("metrics");
    assert!(metrics.body.contains("driftlead_source_records_total{source=\"rows\"} 1"), "{}", metrics.body);
    assert!(!std::path::Path::new(&folder.path("dead.ndjson")).exists(), "nothing was set aside");
    running.stop_well();

    folder.write("service.yaml", text.replace("20KB", "65MiB"));
    let refused = driftlead(&["validate", &folder.path("service.yaml")]);
    assert!(refused.code == Some(2) && refused.err.contains("`64MiB`"), "{refused:?}");
}
