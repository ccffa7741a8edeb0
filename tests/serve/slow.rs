//! A store that takes its time: who sends rows is made to wait or to come again, and no row is lost.

use std::sync::mpsc::channel;

use driftlead::serve::fault;

use super::ingest::{SOURCE, lines, send};
use super::rows::{self, BEGIN, Row};
use super::same::assert_complete_until;
use super::{MODEL, service};
use crate::support::client::Reply;
use crate::support::folder::Folder;
use crate::support::service::Service;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// Of rows in these tests, in hours.
const SPAN: i64 = 3;

/// A model for rows in any order: nothing closes before the last row has come, and that closes everything.
fn patient(folder: &Folder) {
    let model =
        MODEL.replace("idle: 1s", "idle: 1h").replace("out_of_orderness: 60s", "out_of_orderness: 1d");
    folder.write("model.yaml", model);
}

/// A row so late in event time that all windows of the others are final.
fn last() -> Row {
    let time = BEGIN + 2 * DAY;
    Row { time, json: r#"{"ts":"2001-01-03T00:00:00Z","x":0.5,"y":1,"c":"a"}"#.to_owned() }
}

/// Sends the last row, and holds the windows to those of `check`.
fn assert_complete(folder: &Folder, address: &str, mut rows: Vec<Row>) {
    let last = last();
    let reply = send(address, "last", &last.json).expect("an answer");
    assert_eq!(reply.status, 202, "{reply:?}");
    // The empty windows after them are told when the last row's own closes, which it does not.
    let until = BEGIN + SPAN * HOUR;
    rows.push(last);
    assert_complete_until(folder, &rows, until);
}

/// Rows as a body of about a megabyte.
fn wide(rows: &[Row]) -> String {
    let pad = "p".repeat(1_000_000 / rows.len());
    let wide = |row: &Row| format!("{},\"pad\":\"{pad}\"}}", row.json.trim_end_matches('}'));
    rows.iter().map(wide).collect::<Vec<_>>().join("\n")
}

/// What `rivals::a_slow_store_slows_the_source_and_loses_no_row` is: beside the other tests of the service, because it
/// needs one.
pub(crate) fn a_slow_store_slows_the_source_and_loses_no_row() {
    let folder = Folder::new();
    service(&folder, "{ingest: {max_body: 1MiB}}", "");
    patient(&folder);
    let rows = rows::rows(6_000, SPAN, 30, 51);
    let parts: Vec<(String, String)> =
        rows.chunks(500).enumerate().map(|(at, part)| (format!("part-{at}"), wide(part))).collect();
    // No commit is done until there is this file.
    let gate = folder.path("gate");
    let mut running = Service::start(&folder, &[(fault::VARIABLE, &format!("before_commit:1:{gate}"))]);
    let address = running.address();
    let (sender, replies) = channel();
    let again: Vec<usize> = std::thread::scope(|scope| {
        for (at, (key, body)) in parts.iter().enumerate() {
            let (sender, address) = (sender.clone(), address.as_str());
            scope.spawn(move || sender.send((at, send(address, key, body).expect("an answer"))));
        }
        drop(sender);
        // There is room for eight; the four others need not wait to hear that.
        let refused: Vec<(usize, Reply)> = replies.iter().take(4).collect();
        for (_, reply) in &refused {
            assert_eq!(reply.status, 503, "{reply:?}");
            assert!(reply.header("retry-after") == "1" && reply.body.contains("send it again"), "{reply:?}");
        }
        folder.write("gate", "");
        for (_, reply) in &replies {
            assert_eq!(reply.status, 202, "{reply:?}");
            assert_eq!(reply.json()["taken"], 500, "{reply:?}");
        }
        refused.into_iter().map(|(at, _)| at).collect()
    });
    for at in again {
        let (key, body) = &parts[at];
        let reply = send(&address, key, body).expect("an answer");
        assert_eq!((reply.status, reply.header("idempotency-replayed")), (202, "false"), "{reply:?}");
    }
    assert_complete(&folder, &address, rows);
    running.stop_well();
}

#[test]
fn the_same_key_twice_at_once_is_counted_once_and_answered_twice() {
    let folder = Folder::new();
    service(&folder, SOURCE, "");
    patient(&folder);
    let rows = rows::rows(6_000, SPAN, 30, 52);
    let gate = folder.path("gate");
    let mut running = Service::start(&folder, &[(fault::VARIABLE, &format!("before_commit:1:{gate}"))]);
    let address = running.address();
    let body = lines(&rows);
    let replies: Vec<Reply> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..3).map(|_| scope.spawn(|| send(&address, "k", &body))).collect();
        folder.write("gate", "");
        asking.into_iter().map(|own| own.join().expect("sent").expect("an answer")).collect()
    });
    let mut replayed: Vec<&str> = replies.iter().map(|reply| reply.header("idempotency-replayed")).collect();
    replayed.sort_unstable();
    assert_eq!(replayed, ["false", "true", "true"], "{replies:?}");
    assert!(replies.iter().all(|reply| reply.status == 202 && reply.body == replies[0].body), "{replies:?}");
    assert_complete(&folder, &address, rows);
    running.stop_well();
}

#[test]
fn at_the_end_everybody_is_answered_and_what_was_promised_is_there() {
    let folder = Folder::new();
    service(&folder, SOURCE, "");
    patient(&folder);
    let rows = rows::rows(6_000, SPAN, 30, 53);
    let parts: Vec<(String, String)> =
        rows.chunks(100).enumerate().map(|(at, part)| (format!("part-{at}"), lines(part))).collect();
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    let (sender, begun) = channel();
    let replies: Vec<Option<Reply>> = std::thread::scope(|scope| {
        let asking: Vec<_> = parts
            .iter()
            .map(|(key, body)| {
                let (sender, address) = (sender.clone(), address.as_str());
                scope.spawn(move || {
                    let reply = send(address, key, body);
                    let _ = sender.send(());
                    reply
                })
            })
            .collect();
        // In the middle of it.
        begun.recv().expect("an answer");
        running.stop_well();
        asking.into_iter().map(|own| own.join().expect("sent")).collect()
    });
    // Who came while it listened has an answer; who came later found nobody.
    for reply in replies.iter().flatten() {
        assert!(matches!(reply.status, 202 | 503), "{reply:?}");
    }
    assert!(replies.iter().flatten().any(|reply| reply.status == 202));

    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    for ((key, body), before) in parts.iter().zip(&replies) {
        let reply = send(&address, key, body).expect("an answer");
        assert_eq!(reply.status, 202, "{reply:?}");
        if before.as_ref().is_some_and(|before| before.status == 202) {
            assert_eq!(reply.header("idempotency-replayed"), "true", "what was promised is there: {reply:?}");
        }
        if before.as_ref().is_some_and(|before| before.status == 503) {
            assert_eq!(reply.header("idempotency-replayed"), "false", "what was refused is not: {reply:?}");
        }
    }
    assert_complete(&folder, &address, rows);
    running.stop_well();
}
