//! Deliveries: order within a lane, at least once, and what a worker may be told.

use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;

fn put(store: &mut Store, now: i64, messages: Vec<Message>) {
    store.commit(&Commit { now, messages, ..Commit::default() }).unwrap();
}

fn keys(due: &[Delivery]) -> Vec<&str> {
    due.iter().map(|delivery| delivery.key.as_str()).collect()
}

#[test]
fn later_messages_of_an_alert_wait_for_the_earlier_ones() {
    let folder = folder();
    let mut store = open(&folder);
    let mut outbox = store.outbox().unwrap();
    put(
        &mut store,
        10,
        vec![message("s", Some("a"), 1), message("s", Some("a"), 2), message("s", Some("b"), 1)],
    );
    put(&mut store, 11, vec![message("s", Some("a"), 3), message("s", None, 9), message("t", Some("a"), 1)]);
    assert_eq!(outbox.next_due("s").unwrap(), Some(10));
    assert_eq!(keys(&outbox.due("s", 10, 10).unwrap()), ["a:1:s", "b:1:s"], "what is due later is not due");
    assert_eq!(keys(&outbox.due("s", 11, 10).unwrap()), ["a:1:s", "b:1:s", "free:9:s"]);
    assert_eq!(keys(&outbox.due("s", 11, 1).unwrap()), ["a:1:s"]);
    assert_eq!(keys(&outbox.due("t", 11, 10).unwrap()), ["a:1:t"], "another sink has an order of its own");

    outbox.failed("a:1:s", "status 503", 50).unwrap();
    outbox.failed("a:1:s", "status 502", 60).unwrap();
    outbox.delivered(&["b:1:s", "free:9:s"], 12).unwrap();
    assert_eq!(keys(&outbox.due("s", 59, 10).unwrap()), [""; 0], "the failure holds up its lane");
    assert_eq!(outbox.next_due("s").unwrap(), Some(60));
    let due = outbox.due("s", 60, 10).unwrap();
    assert_eq!((due[0].attempts, due[0].error.as_deref()), (2, Some("status 502")));
    assert_eq!((due[0].created, due[0].queued), (10, 10));
    assert_eq!(due[0].body, "{\"number\":1}");

    outbox.delivered(&["a:1:s"], 61).unwrap();
    assert_eq!(keys(&outbox.due("s", 61, 10).unwrap()), ["a:2:s"]);
    outbox.dead("a:2:s", "status 400", 62).unwrap();
    assert_eq!(keys(&outbox.due("s", 62, 10).unwrap()), ["a:3:s"], "what was given up holds up nothing");
    outbox.expired("a:3:s", "older than 20 minutes", 63).unwrap();
    assert_eq!(outbox.next_due("s").unwrap(), None);

    assert_eq!(outbox.retry(Selection::Sink("t"), 70).unwrap(), 0);
    assert_eq!(outbox.retry(Selection::Key("a:2:s"), 70).unwrap(), 1);
    let due = outbox.due("s", 70, 10).unwrap();
    assert_eq!(keys(&due), ["a:2:s"]);
    assert_eq!((due[0].attempts, due[0].queued, due[0].created, due[0].finished), (0, 70, 10, None));
    assert_eq!(outbox.retry(Selection::All, 71).unwrap(), 0, "nothing is dead any more");
    assert_eq!(check(folder.path()).unwrap(), []);
}

#[test]
fn what_a_sink_has_it_has() {
    let folder = folder();
    let mut store = open(&folder);
    let mut outbox = store.outbox().unwrap();
    put(&mut store, 1, vec![message("s", Some("a"), 1), message("s", Some("a"), 2)]);
    outbox.delivered(&["a:1:s"], 2).unwrap();
    outbox.delivered(&["a:1:s"], 3).unwrap();
    outbox.dead("a:1:s", "late news", 4).unwrap();
    outbox.failed("a:1:s", "late news", 4).unwrap();
    let all = store.reader().unwrap().messages(&MessageFilter::default(), None, 10).unwrap().items;
    let first = all.iter().find(|delivery| delivery.key == "a:1:s").unwrap();
    assert_eq!((first.state, first.finished, first.attempts), (MessageState::Delivered, Some(2), 0));
    // The same message once more is no new one.
    put(&mut store, 5, vec![message("s", Some("a"), 1)]);
    assert_eq!(keys(&outbox.due("s", 9, 10).unwrap()), ["a:2:s"]);
}

#[test]
fn unknown_keys_are_said_and_nothing_of_the_call_is_done() {
    let folder = folder();
    let mut store = open(&folder);
    let mut outbox = store.outbox().unwrap();
    put(&mut store, 1, vec![message("s", None, 1)]);
    for error in [
        outbox.delivered(&["free:1:s", "x:0:s"], 2).unwrap_err(),
        outbox.failed("x:0:s", "", 2).unwrap_err(),
        outbox.dead("x:0:s", "", 2).unwrap_err(),
        outbox.retry(Selection::Key("x:0:s"), 2).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error}");
        assert!(error.to_string().contains("there is no message `x:0:s`"), "{error}");
    }
    assert_eq!(keys(&outbox.due("s", 2, 10).unwrap()), ["free:1:s"], "it is still to be delivered");
}

#[test]
fn what_is_due_is_found_by_an_index_however_much_waits() {
    let folder = folder();
    let store = open(&folder);
    let plan = |sql: &str| -> String {
        let mut statement = store.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    for (sql, index) in [
        (
            "SELECT key FROM outbox WHERE sink = 's' AND state = 'pending' AND held = 0 AND next_attempt <= 5
             ORDER BY next_attempt, seq LIMIT 3",
            "outbox_due",
        ),
        (
            "SELECT min(next_attempt) FROM outbox WHERE sink = 's' AND state = 'pending' AND held = 0",
            "outbox_due",
        ),
        ("SELECT min(seq) FROM outbox WHERE sink = 's' AND lane = 'l' AND state = 'pending'", "outbox_lanes"),
        ("SELECT seq FROM windows WHERE committed < 5 ORDER BY committed LIMIT 3", "windows_by_age"),
        (
            "SELECT seq FROM windows WHERE (at, place) < (5, 5) AND newest = 1 AND model = 'm'
             ORDER BY at DESC, place DESC LIMIT 3",
            "windows_by_model",
        ),
        (
            "SELECT seq FROM windows WHERE (at, place) < (5, 5) AND newest = 1 AND model = 'm' AND name = 'n'
             AND segment IS NULL ORDER BY at DESC, place DESC LIMIT 3",
            "windows_by_name",
        ),
    ] {
        let plan = plan(sql);
        assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
}

/// What may happen to an outbox; numbers choose among the messages that are there.
#[derive(Clone, Debug)]
enum Act {
    Put { sink: u8, lane: Option<u8> },
    Delivered(usize),
    Failed(usize, i64),
    Dead(usize),
    Expired(usize),
    Retry(usize),
    RetryAll,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..2u8, proptest::option::of(0..3u8)).prop_map(|(sink, lane)| Act::Put { sink, lane }),
        3 => any::<usize>().prop_map(Act::Delivered),
        2 => (any::<usize>(), 0..40i64).prop_map(|(i, next)| Act::Failed(i, next)),
        2 => any::<usize>().prop_map(Act::Dead),
        1 => any::<usize>().prop_map(Act::Expired),
        2 => any::<usize>().prop_map(Act::Retry),
        1 => Just(Act::RetryAll),
    ];
    proptest::collection::vec(act, 1..40)
}

/// A message in the simplest outbox there is: a list in the order in which messages came.
#[derive(Clone, Debug)]
struct Simple {
    key: String,
    sink: String,
    lane: Option<String>,
    state: MessageState,
    next: i64,
}

fn simple_due(all: &[Simple], sink: &str, now: i64) -> Vec<String> {
    let mut due: Vec<(i64, usize, String)> = Vec::new();
    for (i, one) in all.iter().enumerate() {
        let earlier = all[..i].iter().any(|other| {
            other.sink == one.sink
                && other.lane.is_some()
                && other.lane == one.lane
                && other.state == MessageState::Pending
        });
        if one.sink == sink && one.state == MessageState::Pending && one.next <= now && !earlier {
            due.push((one.next, i, one.key.clone()));
        }
    }
    due.sort();
    due.into_iter().map(|(_, _, key)| key).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_outbox_behaves_as_a_list(acts in acts()) {
        let folder = folder();
        let mut store = open(&folder);
        // The disk is not what is tested here.
        store.connection.pragma_update(None, "synchronous", "OFF").unwrap();
        let mut outbox = store.outbox().unwrap();
        outbox.connection.pragma_update(None, "synchronous", "OFF").unwrap();
        let mut all: Vec<Simple> = Vec::new();
        for (now, act) in (1i64..).zip(acts) {
            let pick = |i: usize, all: &[Simple]| (!all.is_empty()).then(|| i % all.len());
            match act {
                Act::Put { sink, lane } => {
                    let (sink, lane) = (format!("s{sink}"), lane.map(|lane| format!("l{lane}")));
                    let message = message(&sink, lane.as_deref(), now.cast_unsigned());
                    all.push(Simple { key: message.key.clone(), sink, lane, state: MessageState::Pending, next: now });
                    put(&mut store, now, vec![message]);
                }
                Act::Delivered(i) => if let Some(i) = pick(i, &all) {
                    outbox.delivered(&[&all[i].key], now).unwrap();
                    all[i].state = MessageState::Delivered;
                },
                Act::Failed(i, next) => if let Some(i) = pick(i, &all) {
                    outbox.failed(&all[i].key, "no", next).unwrap();
                    if all[i].state == MessageState::Pending {
                        all[i].next = next;
                    }
                },
                Act::Dead(i) | Act::Expired(i) => if let Some(i) = pick(i, &all) {
                    let state = if matches!(act, Act::Dead(_)) {
                        outbox.dead(&all[i].key, "no", now).unwrap();
                        MessageState::Dead
                    } else {
                        outbox.expired(&all[i].key, "no", now).unwrap();
                        MessageState::Expired
                    };
                    if all[i].state != MessageState::Delivered {
                        all[i].state = state;
                    }
                },
                Act::Retry(_) | Act::RetryAll => {
                    let one = match act {
                        Act::Retry(i) => match pick(i, &all) { Some(i) => Some(i), None => continue },
                        _ => None,
                    };
                    let selection = one.map_or(Selection::All, |i| Selection::Key(&all[i].key));
                    let retried = outbox.retry(selection, now).unwrap();
                    let mut expected = 0;
                    for (i, message) in all.iter_mut().enumerate() {
                        if message.state == MessageState::Dead && one.is_none_or(|one| one == i) {
                            (message.state, message.next) = (MessageState::Pending, now);
                            expected += 1;
                        }
                    }
                    prop_assert_eq!(retried, expected);
                }
            }
            for sink in ["s0", "s1"] {
                for at in [now, 100] {
                    let due = outbox.due(sink, at, 100).unwrap();
                    prop_assert_eq!(keys(&due), simple_due(&all, sink, at), "sink {} at {}", sink, at);
                }
                let next = outbox.next_due(sink).unwrap();
                let expected = (0..=100).find(|at| !simple_due(&all, sink, *at).is_empty());
                prop_assert_eq!(next, expected);
            }
        }
        prop_assert_eq!(check(folder.path()).unwrap(), []);
    }
}
