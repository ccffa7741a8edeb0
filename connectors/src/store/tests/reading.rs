//! Questions, page by page.

use super::*;
use crate::error::ErrorKind;

const HOUR: i64 = 3_600_000_000;

/// Windows of two models, two names and three segments, one an hour.
fn fill(store: &mut Store) {
    for hour in 0..12 {
        let mut commit = Commit { now: 1_000 + hour, ..Commit::default() };
        for (model, name) in [("flights", "default"), ("flights", "daily"), ("taxis", "default")] {
            for segment in [None, Some("{\"origin\":\"ATL\"}"), Some("{\"origin\":null}")] {
                let id = format!("{model} {name} {} {hour}", segment.unwrap_or("whole"));
                commit.windows.push(Window {
                    model: model.to_owned(),
                    name: name.to_owned(),
                    version: if hour < 6 { "1" } else { "2" }.to_owned(),
                    segment: segment.map(str::to_owned),
                    start: Some(hour * HOUR),
                    end: Some((hour + 1) * HOUR),
                    is_final: hour < 4,
                    ..window(&id, 0)
                });
            }
        }
        store.commit(&commit).unwrap();
    }
}

fn ids(reader: &Reader, filter: &WindowFilter, limit: usize) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), None);
    loop {
        let page = reader.windows(filter, cursor.as_deref(), limit).unwrap();
        assert!(page.items.len() <= limit);
        assert!(page.next.is_none() || page.items.len() == limit, "only the last page is short");
        ids.extend(page.items.into_iter().map(|window| window.id));
        cursor = page.next;
        if cursor.is_none() {
            return ids;
        }
    }
}

#[test]
fn every_filter_and_every_page_size_gives_the_windows_asked_for() {
    let folder = folder();
    let mut store = open(&folder);
    fill(&mut store);
    let reader = store.reader().unwrap();
    let flights = WindowFilter { model: "flights".to_owned(), ..WindowFilter::default() };
    let cases = [
        (flights.clone(), 72),
        (WindowFilter { name: Some("daily".to_owned()), ..flights.clone() }, 36),
        (WindowFilter { segment: Segments::Whole, ..flights.clone() }, 24),
        (WindowFilter { segment: Segments::One("{\"origin\":null}".to_owned()), ..flights.clone() }, 24),
        (WindowFilter { segment: Segments::One("{\"origin\":\"LGA\"}".to_owned()), ..flights.clone() }, 0),
        (WindowFilter { version: Some("2".to_owned()), ..flights.clone() }, 36),
        (WindowFilter { is_final: Some(true), ..flights.clone() }, 24),
        (WindowFilter { is_final: Some(false), ..flights.clone() }, 48),
        (WindowFilter { since: Some(3 * HOUR), until: Some(5 * HOUR), ..flights.clone() }, 12),
        (WindowFilter { since: Some(5 * HOUR), until: Some(3 * HOUR), ..flights.clone() }, 0),
        (
            WindowFilter {
                name: Some("default".to_owned()),
                segment: Segments::Whole,
                since: Some(HOUR),
                is_final: Some(true),
                ..flights.clone()
            },
            3,
        ),
        (WindowFilter { model: "nobody".to_owned(), ..WindowFilter::default() }, 0),
    ];
    for (filter, expected) in cases {
        let all = ids(&reader, &filter, 1_000);
        assert_eq!(all.len(), expected, "{filter:?}");
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), expected, "{filter:?} repeats some");
        for limit in [1, 5, 12] {
            assert_eq!(ids(&reader, &filter, limit), all, "{filter:?} by {limit}");
        }
    }
    let page = reader.windows(&flights, None, 1).unwrap();
    assert_eq!(page.items[0].end, Some(12 * HOUR), "the latest comes first");
    assert_eq!(page.items[0].committed, 1_011);
    assert_eq!(page.items[0].document.as_deref(), Some(window(&page.items[0].id, 0).document.as_str()));
    assert_eq!(reader.windows(&flights, None, 0).unwrap().items.len(), 1, "a page has at least one");
}

#[test]
fn pages_hold_still_while_more_is_committed() {
    let folder = folder();
    let mut store = open(&folder);
    fill(&mut store);
    let reader = store.reader().unwrap();
    let filter = WindowFilter { model: "flights".to_owned(), ..WindowFilter::default() };
    let before = ids(&reader, &filter, 1_000);
    let first = reader.windows(&filter, None, 10).unwrap();
    let newer = Window { end: Some(50 * HOUR), ..window("newer", 0) };
    // The page ended among the six windows of an hour: one before its end and one after it are corrected.
    let corrected = [9, 10].map(|i| Window { end: Some(11 * HOUR), ..window(&before[i], 1) });
    let windows = [newer].into_iter().chain(corrected).collect();
    store.commit(&Commit { now: 5_000, windows, ..Commit::default() }).unwrap();
    let mut seen: Vec<String> = first.items.into_iter().map(|window| window.id).collect();
    let mut cursor = first.next;
    while let Some(at) = cursor {
        let page = reader.windows(&filter, Some(&at), 10).unwrap();
        seen.extend(page.items.into_iter().map(|window| window.id));
        cursor = page.next;
    }
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "no window twice");
    assert_eq!(seen.iter().collect::<BTreeSet<_>>(), before.iter().collect(), "no window left out");
    assert_eq!(
        ids(&reader, &filter, 10),
        [&["newer".to_owned()], &before[..]].concat(),
        "corrections move nothing"
    );
}

#[test]
fn windows_without_event_time_stand_where_they_were_committed() {
    let folder = folder();
    let mut store = open(&folder);
    for (now, id) in [(30, "c"), (10, "a"), (20, "b")] {
        let windows = vec![Window { start: None, end: None, ..window(id, 0) }];
        store.commit(&Commit { now, windows, ..Commit::default() }).unwrap();
    }
    let filter = WindowFilter { model: "flights".to_owned(), since: Some(10), ..WindowFilter::default() };
    assert_eq!(ids(&store.reader().unwrap(), &filter, 1), ["c", "b"]);
}

#[test]
fn cursors_that_are_none_are_refused() {
    let folder = folder();
    let reader = open(&folder).reader().unwrap();
    for cursor in ["", "x", "1", "1.", "1.2.3", "1.9223372036854775808"] {
        let error = reader.alerts(&AlertFilter::default(), Some(cursor), 10).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{cursor}");
        assert!(error.to_string().contains(&format!("`{cursor}` is no cursor")), "{error}");
    }
}

#[test]
fn alerts_are_found_by_model_and_status() {
    let folder = folder();
    let mut store = open(&folder);
    let mut commit = Commit::default();
    for i in 0..9 {
        let status = if i % 3 == 0 { AlertStatus::Open } else { AlertStatus::Resolved };
        let model = if i % 2 == 0 { "flights" } else { "taxis" };
        // Several open at the same moment.
        commit.alerts.push(Alert {
            model: model.to_owned(),
            opened: i / 4,
            ..alert(&format!("a{i}"), 0, status)
        });
    }
    store.commit(&commit).unwrap();
    let reader = store.reader().unwrap();
    let ids = |model: Option<&str>, status| {
        let filter = AlertFilter { model: model.map(str::to_owned), status };
        let (mut ids, mut cursor) = (Vec::new(), None);
        loop {
            let page = reader.alerts(&filter, cursor.as_deref(), 2).unwrap();
            ids.extend(page.items.into_iter().map(|alert| alert.id));
            cursor = page.next;
            if cursor.is_none() {
                return ids;
            }
        }
    };
    assert_eq!(ids(None, None), ["a8", "a7", "a6", "a5", "a4", "a3", "a2", "a1", "a0"]);
    assert_eq!(ids(None, Some(AlertStatus::Open)), ["a6", "a3", "a0"]);
    assert_eq!(ids(Some("taxis"), Some(AlertStatus::Resolved)), ["a7", "a5", "a1"]);
    assert_eq!(reader.alert("a3").unwrap().unwrap().opened, 0);
    assert_eq!(reader.alert("none").unwrap(), None);
}

#[test]
fn sinks_are_summed_up() {
    let folder = folder();
    let mut store = open(&folder);
    let mut outbox = store.outbox().unwrap();
    let reader = store.reader().unwrap();
    assert_eq!(reader.sinks().unwrap(), []);
    let messages = (0..6).map(|i| message("oncall", Some("a"), i)).chain([message("record", None, 1)]);
    store.commit(&Commit { now: 10, messages: messages.collect(), ..Commit::default() }).unwrap();
    outbox.delivered(&["a:0:oncall", "a:1:oncall"], 20).unwrap();
    outbox.dead("a:2:oncall", "status 400", 21).unwrap();
    outbox.expired("a:3:oncall", "too old", 22).unwrap();
    outbox.failed("a:4:oncall", "status 503", 90).unwrap();
    let expected = [
        SinkSummary {
            sink: "oncall".to_owned(),
            pending: 2,
            delivered: 2,
            dead: 1,
            expired: 1,
            oldest: Some(10),
            next_attempt: Some(90),
            error: Some("status 503".to_owned()),
        },
        SinkSummary {
            sink: "record".to_owned(),
            pending: 1,
            oldest: Some(10),
            next_attempt: Some(10),
            ..SinkSummary::default()
        },
    ];
    assert_eq!(reader.sinks().unwrap(), expected);
    let dead = MessageFilter { sink: Some("oncall".to_owned()), state: Some(MessageState::Dead) };
    let page = reader.messages(&dead, None, 10).unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(
        (page.items[0].key.as_str(), page.items[0].error.as_deref()),
        ("a:2:oncall", Some("status 400"))
    );
}

#[test]
fn keys_of_requests_are_remembered_for_as_long_as_asked() {
    let folder = folder();
    let mut store = open(&folder);
    let row = |created, answer: &str| Idempotency {
        scope: "flights".to_owned(),
        key: "k".to_owned(),
        created,
        answer: answer.to_owned(),
    };
    store.commit(&Commit { idempotency: vec![row(100, "first")], ..Commit::default() }).unwrap();
    let reader = store.reader().unwrap();
    assert_eq!(store.idempotency("flights", "k", 100).unwrap(), Some(row(100, "first")));
    assert_eq!(reader.idempotency("flights", "k", 100).unwrap(), Some(row(100, "first")));
    assert_eq!(reader.idempotency("flights", "k", 101).unwrap(), None, "too old");
    assert_eq!(reader.idempotency("taxis", "k", 0).unwrap(), None, "another scope");
    store.commit(&Commit { idempotency: vec![row(300, "again")], ..Commit::default() }).unwrap();
    assert_eq!(reader.idempotency("flights", "k", 101).unwrap(), Some(row(300, "again")));
}

#[test]
fn silences_and_series_are_listed() {
    let folder = folder();
    let mut store = open(&folder);
    for n in 1..=5 {
        let commit = step(&mut store, n);
        store.commit(&commit).unwrap();
    }
    let reader = store.reader().unwrap();
    let ending: Vec<_> = reader.silences(13).unwrap().into_iter().map(|silence| silence.expires).collect();
    assert_eq!(ending, [15, 14], "by id: `s0` is of step 5");
    let loaded = store.load().unwrap();
    assert_eq!(reader.series().unwrap(), loaded.series);
    let hourly: Vec<_> = loaded.slots.into_iter().filter(|slot| slot.key.series == HOURLY).collect();
    assert_eq!(reader.slots(HOURLY).unwrap(), hourly);
    assert!(hourly.len() > 10);
}
