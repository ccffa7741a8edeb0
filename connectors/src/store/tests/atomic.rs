//! A commit is there as a whole or not at all, and what was committed comes back.

use rusqlite::Connection;

use super::*;
use crate::error::ErrorKind;

#[test]
fn what_was_committed_comes_back() {
    let folder = folder();
    let mut store = open(&folder);
    let mut model = Model::default();
    for n in 1..=30 {
        let commit = step(&mut store, n);
        store.commit(&commit).unwrap();
        model.apply(&commit);
        if n % 10 == 0 {
            assert_eq!(Model::read(&store), model, "after commit {n}");
        }
        if n == 15 {
            drop(store);
            store = open(&folder);
            assert_eq!(Model::read(&store), model, "after opening anew");
        }
    }
    assert_eq!(check(folder.path()).unwrap(), []);
}

#[test]
fn ids_are_given_once_and_kept() {
    let folder = folder();
    let mut store = open(&folder);
    let (a, b) = (store.series(&series_key("a")), store.series(&series_key("b")));
    assert_ne!(a, b);
    assert_eq!(store.series(&series_key("a")), a, "asked again before the commit");
    let p = store.partition(&partition_key(3));
    store.commit(&Commit { heads: vec![(a, vec![1])], ..Commit::default() }).unwrap();
    drop(store);
    let mut store = open(&folder);
    assert_eq!((store.series(&series_key("a")), store.series(&series_key("b"))), (a, b));
    assert_eq!(store.partition(&partition_key(3)), p);
    let c = store.series(&series_key("c"));
    assert!(c != a && c != b);
}

#[test]
fn the_whole_and_a_segment_are_two_slots_and_shards_are_apart() {
    let folder = folder();
    let mut store = open(&folder);
    let series = store.series(&series_key("a"));
    let key = |segment: Option<&str>, shard| SlotKey {
        series,
        pane: -7,
        segment: segment.map(str::to_owned),
        shard,
    };
    let slots = [(None, 0), (None, 1), (Some("{\"origin\":null}"), 0)]
        .map(|(segment, shard)| Slot { key: key(segment, shard), state: vec![shard as u8 + 1] });
    for _ in 0..2 {
        // The second time overwrites; SQL must not hold the whole for new because it is null.
        store.commit(&Commit { slots: slots.to_vec(), ..Commit::default() }).unwrap();
    }
    assert_eq!(store.load().unwrap().slots, slots);
    store.commit(&Commit { forgotten_slots: vec![key(None, 0)], ..Commit::default() }).unwrap();
    assert_eq!(store.load().unwrap().slots, slots[1..]);

    let empty = Commit { slots: vec![Slot { key: key(Some(""), 0), state: vec![1] }], ..Commit::default() };
    let error = store.commit(&empty).unwrap_err();
    assert!(error.to_string().contains("a segment is empty text"), "{error}");
}

/// Everything that a commit writes, in every way in which it does.
const WRITES: [(&str, &str); 21] = [
    ("INSERT", "series"),
    ("UPDATE", "series"),
    ("DELETE", "series"),
    ("INSERT", "tracks"),
    ("INSERT", "slots"),
    ("UPDATE", "slots"),
    ("DELETE", "slots"),
    ("INSERT", "partitions"),
    ("UPDATE", "partitions"),
    ("INSERT", "windows"),
    ("UPDATE", "windows"),
    ("INSERT", "alerts"),
    ("UPDATE", "alerts"),
    ("INSERT", "silences"),
    ("INSERT", "outbox"),
    ("INSERT", "files"),
    ("DELETE", "files"),
    ("INSERT", "idempotency"),
    ("INSERT", "counters"),
    ("INSERT", "settings"),
    ("DELETE", "settings"),
];

#[test]
fn a_failure_anywhere_in_a_commit_leaves_nothing_of_it() {
    let folder = folder();
    let mut store = open(&folder);
    let mut model = Model::default();
    for n in 1..=7 {
        let commit = step(&mut store, n);
        store.commit(&commit).unwrap();
        model.apply(&commit);
    }
    // The eighth makes a series and deletes a slot, a file and a setting; a new partition and the end of a series are
    // what it lacks.
    let mut commit = step(&mut store, 8);
    commit.partitions.push(PartitionState {
        id: store.partition(&partition_key(99)),
        position: Position { next: 1, mark: None },
        note: vec![],
    });
    commit.forgotten_series = vec![DAILY];

    let other = Connection::open(folder.path().join(FILE)).unwrap();
    for (verb, table) in WRITES {
        other
            .execute_batch(&format!(
                "CREATE TRIGGER injected BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, 'injected failure'); END"
            ))
            .unwrap();
        let error = store.commit(&commit).expect_err(&format!("{verb} {table} was never reached"));
        assert_eq!(error.kind(), ErrorKind::Malformed, "{verb} {table}: {error}");
        assert!(error.to_string().contains("injected failure"), "{verb} {table}: {error}");
        assert_eq!(Model::read(&store), model, "{verb} {table} left something");
        other.execute_batch("DROP TRIGGER injected").unwrap();
    }
    store.commit(&commit).unwrap();
    model.apply(&commit);
    assert_eq!(Model::read(&store), model);
    assert_eq!(check(folder.path()).unwrap(), []);
}

#[test]
fn a_committed_revision_never_changes() {
    let folder = folder();
    let mut store = open(&folder);
    let windows = |windows: Vec<Window>| Commit { now: 7, windows, ..Commit::default() };
    store.commit(&windows(vec![window("w", 0)])).unwrap();
    store.commit(&windows(vec![window("w", 3)])).unwrap();
    for revision in [0, 2, 3] {
        let error = store.commit(&windows(vec![window("w", revision)])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(
            error.to_string().contains(&format!("revision {revision} of window `w` comes after revision 3")),
            "{error}"
        );
    }
    store.commit(&windows(vec![Window { is_final: true, ..window("w", 4) }])).unwrap();
    let error = store.commit(&windows(vec![window("w", 5)])).unwrap_err();
    assert!(error.to_string().contains("follows revision 4, which is final"), "{error}");

    // Older revisions keep their row and what their document hashed to; the newest alone is kept in full.
    let revisions = store.reader().unwrap().revisions("w").unwrap();
    let seen: Vec<_> = revisions.iter().map(|w| (w.revision, w.is_final, w.document.is_some())).collect();
    assert_eq!(seen, [(4, true, true), (3, false, false), (0, false, false)]);
    for (revision, stored) in [4, 3, 0].into_iter().zip(&revisions) {
        assert_eq!(stored.digest, window::digest(&window("w", revision).document));
        assert_eq!((stored.committed, stored.verdict.as_str()), (7, "drift"));
    }

    // Not even by SQL, so that no later code of ours does it by mistake.
    for change in [
        "verdict = 'ok'",
        "document = '{}'",
        "final = 0",
        "newest = 0",
        "document = NULL, newest = 0, verdict = 'ok'",
        "committed = 8",
        "segment = 'x'",
    ] {
        let error = store.connection.execute(&format!("UPDATE windows SET {change} WHERE revision = 4"), []);
        let message = error.expect_err(change).to_string();
        assert!(message.contains("never changes") || message.contains("CHECK"), "{change}: {message}");
    }
}

#[test]
fn a_revision_of_an_alert_is_said_once_and_its_acknowledgement_stays() {
    let folder = folder();
    let mut store = open(&folder);
    let seen = Acknowledgement { by: "kim".to_owned(), at: 3, comment: Some("looking".to_owned()) };
    store
        .commit(&Commit {
            alerts: vec![alert("a", 0, AlertStatus::Open)],
            acknowledged: vec![("a".to_owned(), seen.clone())],
            ..Commit::default()
        })
        .unwrap();
    let again = Commit { alerts: vec![alert("a", 0, AlertStatus::Resolved)], ..Commit::default() };
    let error = store.commit(&again).unwrap_err();
    assert!(error.to_string().contains("revision 0 of alert `a` comes after revision 0"), "{error}");
    let next = Commit { alerts: vec![alert("a", 1, AlertStatus::Resolved)], ..Commit::default() };
    store.commit(&next).unwrap();
    assert_eq!(store.load().unwrap().alerts, [], "it is resolved");
    let stored = store.reader().unwrap().alert("a").unwrap().unwrap();
    assert_eq!((stored.revision, stored.status), (1, AlertStatus::Resolved));
    assert_eq!(stored.acknowledged, Some(seen.clone()));

    let unknown = Commit { acknowledged: vec![("b".to_owned(), seen)], ..Commit::default() };
    let error = store.commit(&unknown).unwrap_err();
    assert!(error.to_string().contains("alert `b` does not exist"), "{error}");
}

#[test]
fn ids_that_were_not_given_out_are_refused() {
    let folder = folder();
    let mut store = open(&folder);
    let head = Commit { heads: vec![(SeriesId(9), vec![1])], ..Commit::default() };
    let error = store.commit(&head).unwrap_err();
    assert!(error.to_string().contains("series `9` does not exist"), "{error}");
    let key = SlotKey { series: SeriesId(9), pane: 0, segment: None, shard: 0 };
    let slot = Commit { slots: vec![Slot { key, state: vec![1] }], ..Commit::default() };
    assert_eq!(store.commit(&slot).unwrap_err().kind(), ErrorKind::Malformed);
    let position = Position { next: 0, mark: None };
    let state = PartitionState { id: PartitionId(4), position, note: vec![] };
    let error = store.commit(&Commit { partitions: vec![state], ..Commit::default() }).unwrap_err();
    assert!(error.to_string().contains("partition `4` does not exist"), "{error}");
    store.commit(&Commit::default()).unwrap();
}
