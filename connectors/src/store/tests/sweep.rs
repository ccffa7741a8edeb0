//! Retention: what goes, what never goes, and how much at a time.

use std::time::Duration;

use super::*;

const DAY: i64 = 86_400_000_000;

/// Sweeps until there is nothing more to do; answers the sum, and how many calls it took.
fn all(store: &mut Store, now: i64, retention: &Retention) -> (Swept, u32) {
    let mut sum = Swept::default();
    for calls in 1..1_000 {
        let swept = store.sweep(now, retention).unwrap();
        for (of, part) in [
            (&mut sum.windows, swept.windows),
            (&mut sum.alerts, swept.alerts),
            (&mut sum.messages, swept.messages),
            (&mut sum.idempotency, swept.idempotency),
            (&mut sum.silences, swept.silences),
        ] {
            assert!(part <= u64::from(retention.rows), "{swept:?} is more than one sweep may do");
            *of += part;
        }
        (sum.bytes, sum.too_large) = (swept.bytes, swept.too_large);
        if !swept.more {
            return (sum, calls);
        }
    }
    panic!("it never ends: {sum:?}");
}

#[test]
fn what_is_old_goes_and_what_is_open_or_undelivered_stays() {
    let folder = folder();
    let mut store = open(&folder);
    let mut outbox = store.outbox().unwrap();
    store
        .commit(&Commit {
            now: 0,
            windows: vec![window("old", 0), window("corrected", 0)],
            alerts: vec![alert("open", 0, AlertStatus::Open), alert("over", 0, AlertStatus::Resolved)],
            messages: (0..5).map(|i| message("s", None, i)).collect(),
            idempotency: vec![Idempotency {
                scope: "m".to_owned(),
                key: "old".to_owned(),
                created: 0,
                answer: String::new(),
            }],
            silences: vec![Silence {
                id: "s".to_owned(),
                matcher: "{}".to_owned(),
                author: "kim".to_owned(),
                reason: "r".to_owned(),
                starts: 0,
                expires: 5,
            }],
            ..Commit::default()
        })
        .unwrap();
    store
        .commit(&Commit { now: 60 * DAY, windows: vec![window("corrected", 1)], ..Commit::default() })
        .unwrap();
    outbox.delivered(&["free:0:s"], 2 * DAY).unwrap();
    outbox.delivered(&["free:1:s"], DAY).unwrap();
    outbox.dead("free:2:s", "no", 1).unwrap();
    outbox.expired("free:3:s", "too old", 1).unwrap();
    let retention = Retention::default();
    let none = Swept { bytes: store.sweep(0, &retention).unwrap().bytes, ..Swept::default() };

    assert_eq!(store.sweep(DAY, &retention).unwrap(), none, "a day is not more than a day");
    let (swept, _) = all(&mut store, DAY + 1, &retention);
    assert_eq!((swept.idempotency, swept.messages, swept.windows), (1, 0, 0));
    let (swept, _) = all(&mut store, 8 * DAY + 1, &retention);
    assert_eq!(swept.messages, 2, "seven days after they were delivered or expired");
    let (swept, _) = all(&mut store, 90 * DAY, &retention);
    assert_eq!((swept.windows, swept.alerts, swept.messages), (0, 0, 1));
    let (swept, _) = all(&mut store, 90 * DAY + 6, &retention);
    assert_eq!((swept.windows, swept.alerts, swept.silences), (2, 1, 1));
    let (swept, _) = all(&mut store, 100_000 * DAY, &retention);
    assert_eq!(swept.windows, 1, "the correction, which came later");
    assert_eq!((swept.alerts, swept.messages), (0, 0));

    let reader = store.reader().unwrap();
    let left = reader.messages(&MessageFilter::default(), None, 10).unwrap().items;
    let left: Vec<_> = left.iter().map(|message| (message.key.as_str(), message.state)).collect();
    assert_eq!(left, [("free:4:s", MessageState::Pending), ("free:2:s", MessageState::Dead)]);
    assert_eq!(store.load().unwrap().alerts.len(), 1, "an open alert stays for ever");
    assert_eq!(check(folder.path()).unwrap(), []);
}

/// Windows with documents of 20 KB, a delivered and a pending message of 20 KB each, commit by commit.
fn large(store: &mut Store, commits: i64) {
    let mut outbox = store.outbox().unwrap();
    let text = "x".repeat(20_000);
    for now in 0..commits {
        let document = format!("{{\"text\":\"{text}\"}}");
        let big = |number: u64, sink: &str| Message { body: document.clone(), ..message(sink, None, number) };
        let number = now.cast_unsigned();
        store
            .commit(&Commit {
                now,
                windows: vec![Window { document: document.clone(), ..window(&format!("w{now}"), 0) }],
                messages: vec![big(number, "done"), big(number, "waiting")],
                ..Commit::default()
            })
            .unwrap();
        outbox.delivered(&[&format!("free:{now}:done")], now).unwrap();
    }
}

#[test]
fn beyond_its_size_the_oldest_goes_first_a_little_at_a_time() {
    let folder = folder();
    let mut store = open(&folder);
    store.connection.pragma_update(None, "synchronous", "OFF").unwrap();
    large(&mut store, 400);
    let retention = Retention { bytes: 12 << 20, rows: 10, pages: 20, ..Retention::default() };
    let before = store.sweep(0, &Retention { bytes: u64::MAX, ..retention }).unwrap();
    assert!(before.bytes > retention.bytes && !before.more && !before.too_large, "{before:?}");
    let size_before = size(&store);

    let (swept, calls) = all(&mut store, 0, &retention);
    assert!(swept.bytes <= retention.bytes && swept.bytes > retention.bytes - (1 << 20), "{swept:?}");
    assert!(calls > 5, "{calls} calls");
    assert!(!swept.too_large);
    let times: (i64, i64) = store
        .connection
        .query_row(
            "SELECT (SELECT min(committed) FROM windows),
                    (SELECT min(finished) FROM outbox WHERE state = 'delivered')",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert!(
        times.0 > 10 && (times.0 - times.1).abs() <= 1,
        "windows and messages go by age together: {times:?}"
    );
    let pending: i64 = store
        .connection
        .query_row("SELECT count(*) FROM outbox WHERE state = 'pending'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(pending, 400, "what is undelivered stays");
    assert!(size(&store) < size_before, "pages were given back");
    assert!(free(&store) <= pages(&store) / 16 + 257, "{} of {}", free(&store), pages(&store));
    assert_eq!(check(folder.path()).unwrap(), []);

    // When only what must stay is left, it says so and goes on living.
    let (swept, _) = all(&mut store, 0, &Retention { bytes: 1 << 20, ..retention });
    assert!(swept.too_large && swept.bytes > 1 << 20, "{swept:?}");
    assert_eq!(store.sweep(0, &Retention { bytes: 1 << 20, ..retention }).unwrap().windows, 0);
    let commit = step(&mut store, 1);
    store.commit(&commit).unwrap();
}

#[test]
fn free_pages_go_back_to_the_file_system_in_steps() {
    let folder = folder();
    let mut store = open(&folder);
    store.connection.pragma_update(None, "synchronous", "OFF").unwrap();
    large(&mut store, 400);
    let retention =
        Retention { windows: Duration::ZERO, delivered: Duration::ZERO, pages: 50, ..Retention::default() };
    let mut last = size(&store);
    let mut shrinking = 0;
    loop {
        let swept = store.sweep(1_000, &retention).unwrap();
        let now = size(&store);
        assert!(last - now <= 50 * 16_384, "more than 50 pages at once");
        shrinking += u32::from(now < last);
        last = now;
        if !swept.more {
            break;
        }
    }
    assert!(shrinking > 3, "{shrinking}");
    assert!(free(&store) <= pages(&store) / 16 + 257, "{} of {}", free(&store), pages(&store));
    drop(store);
    let file = std::fs::metadata(folder.path().join(FILE)).unwrap().len();
    assert_eq!(file.cast_signed(), last, "the file is that small when the log is brought back");
}

fn number(store: &Store, pragma: &str) -> i64 {
    store.connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap()
}

fn pages(store: &Store) -> i64 {
    number(store, "page_count")
}

fn free(store: &Store) -> i64 {
    number(store, "freelist_count")
}

fn size(store: &Store) -> i64 {
    pages(store) * 16_384
}
