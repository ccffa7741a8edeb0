//! The owner, workers and readers on one file at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

const SINKS: [&str; 4] = ["a", "b", "c", "d"];
const COMMITS: i64 = 150;
const LANES: i64 = 3;

#[test]
fn commits_never_fail_because_others_write_or_read() {
    let folder = folder();
    let mut store = open(&folder);
    let done = AtomicBool::new(false);
    let delivered = thread::scope(|scope| {
        let workers: Vec<_> = SINKS
            .iter()
            .enumerate()
            .map(|(i, sink)| {
                let mut outbox = store.outbox().unwrap();
                let done = &done;
                scope.spawn(move || {
                    let mut order = Vec::new();
                    let mut turn = i;
                    loop {
                        // Looked at first: what was committed before is then seen below.
                        let last = done.load(Ordering::Acquire);
                        let due = outbox.due(sink, i64::MAX, 3).unwrap();
                        if due.is_empty() {
                            if last && outbox.next_due(sink).unwrap().is_none() {
                                return order;
                            }
                            thread::yield_now();
                            continue;
                        }
                        for delivery in due {
                            turn += 1;
                            if turn % 5 == 0 {
                                outbox.failed(&delivery.key, "refused", 0).unwrap();
                            } else {
                                outbox.delivered(&[&delivery.key], 1).unwrap();
                                order.push((delivery.lane.unwrap(), delivery.created));
                            }
                        }
                    }
                })
            })
            .collect();
        let reading = {
            let reader = store.reader().unwrap();
            let done = &done;
            scope.spawn(move || {
                let filter = WindowFilter { model: "flights".to_owned(), ..WindowFilter::default() };
                let mut most = 0;
                while !done.load(Ordering::Acquire) {
                    let (mut seen, mut cursor) = (0, None);
                    loop {
                        let page = reader.windows(&filter, cursor.as_deref(), 7).unwrap();
                        seen += page.items.len();
                        cursor = page.next;
                        if cursor.is_none() {
                            break;
                        }
                    }
                    assert!(seen >= most, "{seen} windows after {most}");
                    most = seen;
                    assert!(reader.sinks().unwrap().len() <= SINKS.len());
                }
            })
        };
        let key = store.series(&series_key("hourly"));
        for now in 0..COMMITS {
            let slot = SlotKey { series: key, pane: now % 10, segment: None, shard: 0 };
            store
                .commit(&Commit {
                    now,
                    heads: vec![(key, vec![1; 100])],
                    slots: vec![Slot { key: slot, state: vec![now as u8; 30_000] }],
                    windows: vec![window(&format!("w{now}"), 0)],
                    messages: SINKS
                        .iter()
                        .map(|sink| message(sink, Some(&format!("lane{}", now % LANES)), now.cast_unsigned()))
                        .collect(),
                    ..Commit::default()
                })
                .unwrap();
            if now % 20 == 0 {
                store.sweep(now, &Retention::default()).unwrap();
            }
        }
        done.store(true, Ordering::Release);
        reading.join().unwrap();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    for (sink, order) in SINKS.iter().zip(delivered) {
        assert_eq!(order.len() as i64, COMMITS, "sink {sink}: every message once");
        for lane in 0..LANES {
            let lane = format!("lane{lane}");
            let times: Vec<i64> = order.iter().filter(|(of, _)| *of == lane).map(|(_, at)| *at).collect();
            assert!(times.is_sorted(), "sink {sink}, {lane}: {times:?}");
        }
    }
    drop(store);
    assert_eq!(check(folder.path()).unwrap(), []);
}
