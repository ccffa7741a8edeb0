//! Who may open what: locks, foreign files, versions.

use std::fs;
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;

use super::*;
use crate::error::ErrorKind;

/// Names the store for the child; without it the child's test has nothing to do.
const FOLDER: &str = "DRIFTLEAD_TEST_STORE_IN_USE";

/// The child: another process that wants the store.
#[test]
fn child_opens_a_store_that_is_in_use() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let error = Store::open(Path::new(&folder), 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    let message = error.to_string();
    let owner = std::env::var("DRIFTLEAD_TEST_OWNER").unwrap();
    assert!(message.contains(&format!("is in use by process `{owner}`: stop that one first")), "{message}");
    // Reading it is allowed.
    let reader = Reader::open(Path::new(&folder)).unwrap();
    assert_eq!(reader.series().unwrap().len(), 3);
}

#[test]
fn a_second_process_is_refused_and_may_read() {
    let folder = folder();
    let mut store = open(&folder);
    let commit = step(&mut store, 1);
    store.commit(&commit).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["store::tests::opening::child_opens_a_store_that_is_in_use", "--exact"])
        .env(FOLDER, folder.path())
        .env("DRIFTLEAD_TEST_OWNER", std::process::id().to_string())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"), "the child did not run");
}

#[test]
fn the_lock_lasts_as_long_as_anything_writes() {
    let folder = folder();
    let store = open(&folder);
    assert!(Store::open(folder.path(), 1).is_err(), "twice in one process");
    let outbox = store.outbox().unwrap();
    drop(store);
    assert!(Store::open(folder.path(), 1).is_err(), "a worker still has it");
    drop(outbox);
    open(&folder);
}

#[test]
fn only_the_last_part_of_the_folder_is_made() {
    let folder = folder();
    let made = folder.path().join("state");
    drop(Store::open(&made, 5).unwrap());
    let store = Store::open(&made, 6).unwrap();
    assert_eq!(store.load().unwrap().settings["created"], "5", "when it was made, not when it was opened");

    let error = Store::open(&folder.path().join("a/b"), 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("the folder above it does not exist; create it first"), "{error}");
    fs::write(folder.path().join("file"), "x").unwrap();
    let error = Store::open(&folder.path().join("file"), 1).unwrap_err();
    assert!(error.to_string().contains("it is a file; name a folder"), "{error}");
}

#[test]
fn the_file_has_the_settings_that_safety_needs() {
    let folder = folder();
    let store = open(&folder);
    let outbox = store.outbox().unwrap();
    drop(outbox);
    let ask = |pragma: &str| {
        store
            .connection
            .pragma_query_value(None, pragma, |row| row.get::<_, rusqlite::types::Value>(0))
            .unwrap()
    };
    for (pragma, expected) in [
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("auto_vacuum", 2),
        ("page_size", 16_384),
        ("user_version", i64::try_from(schema::STEPS.len()).unwrap()),
    ] {
        assert_eq!(ask(pragma), rusqlite::types::Value::Integer(expected), "{pragma}");
    }
    assert_eq!(ask("journal_mode"), rusqlite::types::Value::Text("wal".to_owned()));
}

#[test]
fn files_of_others_are_refused_and_left_alone() {
    let folder = folder();
    let file = folder.path().join(FILE);
    let garbage: Vec<u8> = (0..50_000u32).map(|i| (i * 7) as u8).collect();
    let foreign = {
        let other = folder.path().join("other.db");
        Connection::open(&other)
            .unwrap()
            .execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
            .unwrap();
        fs::read(other).unwrap()
    };
    for (bytes, kind, says) in [
        (&garbage, ErrorKind::Malformed, "it is damaged"),
        (&foreign, ErrorKind::Misconfigured, "is a database of another program"),
    ] {
        fs::write(&file, bytes).unwrap();
        let error = Store::open(folder.path(), 1).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.to_string().contains("driftlead.db"), "{error}");
        assert!(fs::read(&file).unwrap() == *bytes, "the file was changed");
        assert!(Reader::open(folder.path()).is_err());
    }
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let folder = folder();
    let store = open(&folder);
    store.connection.pragma_update(None, "user_version", 7).unwrap();
    drop(store);
    for error in [Store::open(folder.path(), 1).unwrap_err(), Reader::open(folder.path()).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        let known = schema::STEPS.len();
        let wanted = format!("is of version 7, and this driftlead knows up to {known}: update");
        assert!(error.to_string().contains(&wanted), "{error}");
    }
}

#[test]
fn reading_needs_a_store() {
    let folder = folder();
    let error = Reader::open(folder.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("holds no store"), "{error}");
}

/// A store of version 1 as this program once wrote it, by the first commits of the history: what `sqlite3 driftlead.db
/// .dump` prints, and the two numbers that it leaves out. It is never changed; a version 2 gets its own.
const VERSION_1: &str = include_str!("golden/1.sql");

/// The same store when step 2 had been taken, and counts of two panes were kept.
const VERSION_2: &str = include_str!("golden/2.sql");

/// The same store when step 3 had been taken, and a gap was kept.
const VERSION_3: &str = include_str!("golden/3.sql");

fn golden(folder: &TempDir) {
    golden_of(folder, VERSION_1);
}

fn golden_of(folder: &TempDir, dump: &str) {
    let connection = Connection::open(folder.path().join(FILE)).unwrap();
    connection.execute_batch("PRAGMA page_size = 16384; PRAGMA auto_vacuum = INCREMENTAL").unwrap();
    connection.execute_batch(dump).unwrap();
}

fn schema(connection: &Connection) -> Vec<(String, Option<String>)> {
    let mut statement = connection
        .prepare("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
        .unwrap();
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

#[test]
fn version_1_is_what_it_was() {
    let (old, new) = (folder(), folder());
    golden(&old);
    let (old_store, new_store) = (open(&old), open(&new));
    assert_eq!(schema(&old_store.connection), schema(&new_store.connection));
    let mut model = Model::default();
    for n in 1..=GOLDEN {
        model.apply(&small(history(n)));
    }
    assert_eq!(Model::read(&old_store), model);
    drop(old_store);
    assert_eq!(check(old.path()).unwrap(), []);
}

#[test]
fn version_2_is_what_it_was_and_keeps_gaps_from_now_on() {
    let (old, new) = (folder(), folder());
    golden_of(&old, VERSION_2);
    let (mut old_store, new_store) = (open(&old), open(&new));
    assert_eq!(schema(&old_store.connection), schema(&new_store.connection));
    let mut model = Model::default();
    for n in 1..=GOLDEN {
        model.apply(&small(history(n)));
    }
    assert_eq!(Model::read(&old_store), model);
    let SeriesKey { model: of, version, baseline, name, .. } = series_key("hourly");
    let filter = KeptFilter { model: of, version, baseline, name, since: None, until: None };
    let kept: Vec<Vec<u8>> =
        old_store.reader().unwrap().kept(&filter).unwrap().into_iter().map(|pane| pane.state).collect();
    assert_eq!(kept, [vec![1, 2, 3, 4], vec![5, 6]]);
    let commit = Commit { now: 9, gaps: vec![gap(9_000)], ..Commit::default() };
    old_store.commit(&commit).unwrap();
    model.apply(&commit);
    assert_eq!(Model::read(&old_store), model);
    drop(old_store);
    assert_eq!(check(old.path()).unwrap(), []);
}

#[test]
fn version_3_is_what_it_was_and_hears_of_others_from_now_on() {
    let (old, new) = (folder(), folder());
    golden_of(&old, VERSION_3);
    let (old_store, new_store) = (open(&old), open(&new));
    assert_eq!(schema(&old_store.connection), schema(&new_store.connection));
    let mut model = Model::default();
    for n in 1..=GOLDEN {
        model.apply(&small(history(n)));
    }
    model.apply(&Commit { now: 9, gaps: vec![gap(9_000)], ..Commit::default() });
    assert_eq!(Model::read(&old_store), model);
    let alert = external::fired("a", 10);
    assert_eq!(old_store.outbox().unwrap().hear(&alert).unwrap(), Heard::News);
    assert_eq!(old_store.reader().unwrap().external_alert("azure", "a").unwrap(), Some(alert));
    drop(old_store);
    assert_eq!(check(old.path()).unwrap(), []);
}

/// Commits of the golden store, with states short enough to be read.
const GOLDEN: u64 = 5;

fn small(mut commit: Commit) -> Commit {
    // Versions 1 and 2 know none.
    commit.gaps.clear();
    for slot in &mut commit.slots {
        slot.state.truncate(4);
    }
    commit
}

/// What a next version could look like: a new column with values, and a table made anew.
const NEXT: &str = "
    ALTER TABLE windows ADD COLUMN rows INTEGER;
    CREATE TABLE tracks_2 (series INTEGER NOT NULL PRIMARY KEY REFERENCES series (id) ON DELETE CASCADE,
                           state BLOB NOT NULL, changed INTEGER NOT NULL);
    INSERT INTO tracks_2 SELECT series, state, 0 FROM tracks;
    DROP TABLE tracks;
    ALTER TABLE tracks_2 RENAME TO tracks;";

#[test]
fn an_older_store_is_brought_to_the_next_version() {
    let folder = folder();
    golden(&folder);
    let before = Model::read(&open(&folder));
    let steps = [schema::STEPS, &[NEXT]].concat();
    for _ in 0..2 {
        // The second time there is nothing left to do.
        let store = Store::open_with(folder.path(), 9, &steps).unwrap();
        assert_eq!(Model::read(&store), before);
        let version: i64 =
            store.connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, i64::try_from(steps.len()).unwrap());
        let keys: bool = store.connection.pragma_query_value(None, "foreign_keys", |row| row.get(0)).unwrap();
        assert!(keys, "foreign keys are watched again");
        let rows: i64 = store
            .connection
            .query_row("SELECT count(*) FROM tracks WHERE changed = 0", [], |r| r.get(0))
            .unwrap();
        assert_eq!(rows, before.tracks.len() as i64);
    }
    assert!(Store::open(folder.path(), 1).is_err(), "this version knows no version 2");
    // A new store takes all steps.
    let new = super::folder();
    let fresh = Store::open_with(new.path(), 1, &steps).unwrap();
    let migrated = Store::open_with(folder.path(), 1, &steps).unwrap();
    assert_eq!(schema(&fresh.connection), schema(&migrated.connection));
}

#[test]
fn a_step_that_fails_changes_nothing() {
    for (bad, says) in [
        ("CREATE TABLE half (x); DELETE FROM windows; SELECT * FROM nowhere;", "no such table: nowhere"),
        ("CREATE TABLE half (x); DELETE FROM series;", "leaves rows without what they belong to"),
    ] {
        let folder = folder();
        golden(&folder);
        let before = Model::read(&open(&folder));
        let steps = [schema::STEPS, &[bad]].concat();
        let error = Store::open_with(folder.path(), 9, &steps).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(Model::read(&open(&folder)), before);
        assert_eq!(check(folder.path()).unwrap(), []);
    }
}
