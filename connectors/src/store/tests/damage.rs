//! What a check finds in a store that something else has changed.

use std::fs;
use std::io::{Seek, SeekFrom, Write};

use rusqlite::Connection;

use super::*;
use crate::error::ErrorKind;

fn filled() -> TempDir {
    let folder = folder();
    let mut store = open(&folder);
    for n in 1..=8 {
        let commit = step(&mut store, n);
        store.commit(&commit).unwrap();
    }
    folder
}

#[test]
fn each_broken_promise_is_found() {
    for (change, table, says) in [
        ("UPDATE slots SET state = x'' WHERE pane = 9 AND segment = ''", "slots", "has no state"),
        ("UPDATE series SET head = x'' WHERE id = 1", "series", "series 1 of model flights has panes and no head"),
        ("UPDATE tracks SET state = x''", "tracks", "the track of series 1 is empty"),
        ("UPDATE partitions SET next = -1 WHERE number = 2", "partitions", "flights[2] of source flights has position -1"),
        ("DELETE FROM windows WHERE id = 'w4' AND newest = 1", "windows", "window w4 has 0 newest revisions"),
        (
            "DROP TRIGGER windows_never_change;
             UPDATE windows SET document = replace(document, 'w5', 'w6') WHERE id = 'w5' AND newest = 1",
            "windows",
            "revision 1 of window w5 is not what was committed",
        ),
        (
            "DROP TRIGGER windows_never_change; UPDATE windows SET final = 1 WHERE id = 'w5'  AND revision = 0;
             UPDATE windows SET final = 0 WHERE id = 'w5' AND revision = 1",
            "windows",
            "window w5 has revisions after its final one",
        ),
        ("UPDATE alerts SET document = 'x' WHERE id = 'a3'", "alerts", "the document of alert a3 is no JSON"),
        ("UPDATE counters SET value = '{' WHERE name = 'rows'", "counters", "counter rows is no JSON"),
        ("UPDATE silences SET matcher = '' WHERE id = 's1'", "silences", "the matcher of silence s1 is no JSON"),
        ("UPDATE outbox SET held = 1 WHERE key = 'a:1:oncall'", "outbox", "message a:1:oncall is held by none"),
        (
            "UPDATE outbox SET held = 0 WHERE key = 'a:3:oncall'",
            "outbox",
            "message a:3:oncall is not held by an earlier one of its lane",
        ),
        ("UPDATE outbox SET body = '' WHERE key = 'a:3:oncall'", "outbox", "message a:3:oncall is empty"),
        (
            "PRAGMA foreign_keys = OFF; DELETE FROM series WHERE id = 3",
            "file",
            "of table slots belongs to a row of table series that does not exist",
        ),
        ("DROP INDEX outbox_due", "file", "index outbox_due is missing or was changed"),
        ("CREATE TABLE mine (x)", "file", "table mine is none that driftlead makes"),
    ] {
        let folder = filled();
        assert_eq!(check(folder.path()).unwrap(), []);
        Connection::open(folder.path().join(FILE)).unwrap().execute_batch(change).unwrap();
        let findings = check(folder.path()).unwrap();
        let found = findings.iter().any(|finding| finding.table == table && finding.message.contains(says));
        assert!(found, "{change}: {findings:?}");
    }
}

#[test]
fn a_damaged_page_is_found_and_said() {
    let folder = filled();
    let file = folder.path().join(FILE);
    let size = fs::metadata(&file).unwrap().len();
    let mut handle = fs::OpenOptions::new().write(true).open(&file).unwrap();
    for page in 8..(size / 16_384).min(40) {
        handle.seek(SeekFrom::Start(page * 16_384)).unwrap();
        handle.write_all(&[0xa5; 200]).unwrap();
    }
    let findings = check(folder.path()).unwrap();
    assert!(!findings.is_empty());
    let store = Store::open(folder.path(), 1);
    let error = match store {
        Ok(store) => store.load().unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("it is damaged"), "{error}");
    assert!(error.to_string().contains("driftlead store check"), "{error}");
}

#[test]
fn a_file_that_was_cut_off_is_said() {
    let folder = filled();
    let file = folder.path().join(FILE);
    let size = fs::metadata(&file).unwrap().len();
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(size / 2).unwrap();
    let error = match Store::open(folder.path(), 1) {
        Ok(store) => store.load().unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
    assert!(error.to_string().contains("it is damaged"), "{error}");
}

#[test]
fn checking_runs_beside_the_service() {
    let folder = folder();
    let mut store = open(&folder);
    let commit = step(&mut store, 1);
    store.commit(&commit).unwrap();
    assert_eq!(check(folder.path()).unwrap(), []);
    let commit = step(&mut store, 2);
    store.commit(&commit).unwrap();
}
