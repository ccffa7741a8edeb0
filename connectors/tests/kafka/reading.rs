//! What stands in the log comes: all of it, once, in order, from where it should begin.

use std::collections::BTreeMap;
use std::time::Duration;

use driftlead_connectors::kafka::Start;
use driftlead_connectors::stream::{Source, Stamp};
use rdkafka::producer::Producer;

use crate::broker::{Message, broker};
use crate::watcher::{Kept, Positions, Watcher, numbered, partition, settings, texts};

#[test]
fn seven_partitions_come_whole_and_in_order() {
    let broker = broker();
    let topic = broker.topic("seven", 7);
    let written: Vec<_> = (0..7).map(|p| numbered(&format!("p{p}"), 0..3000 + i64::from(p))).collect();
    for (p, messages) in (0..).zip(&written) {
        broker.produce(&topic, p, messages);
    }
    let mut watcher = Watcher::of(broker, &[&topic]);
    watcher.until_caught_up(&topic, 7);
    for (p, messages) in (0..).zip(&written) {
        let partition = partition(&topic, p);
        let expected: Vec<_> = messages
            .iter()
            .zip(0..)
            .map(|(message, offset)| Kept {
                offset,
                stamp: message.timestamp.map(|millis| Stamp::Created(millis * 1000)),
                key: message.key.clone(),
                payload: message.payload.clone(),
                headers: Vec::new(),
            })
            .collect();
        assert_eq!(watcher.of_partition(&partition), expected, "{partition}");
    }
    assert!(watcher.gaps.is_empty() && watcher.troubles.is_empty());
    assert!(watcher.runs.contains(&1024), "no full batch in {:?}", watcher.runs);
    assert!(watcher.source().is_replayable());
    assert_eq!(watcher.source().lag(), (0..7).map(|p| (partition(&topic, p), 0)).collect());
}

#[test]
fn reading_goes_on_exactly_at_stored_positions() {
    let broker = broker();
    let topic = broker.topic("resume", 2);
    let written: Vec<_> = (0..2).map(|p| numbered(&format!("p{p}"), 0..5000)).collect();
    for (p, messages) in (0..).zip(&written) {
        broker.produce(&topic, p, messages);
    }
    let mut positions = Positions::new();
    let mut read: BTreeMap<_, Vec<String>> = BTreeMap::new();
    let mut rounds = 0;
    while positions.len() < 2 || positions.values().any(|position| position.next < 5000) {
        let mut watcher = Watcher::open(&settings(broker, &[&topic]), &positions, Start::End);
        if rounds == 0 {
            watcher = Watcher::of(broker, &[&topic]);
        }
        let runs = 1 + rounds % 3;
        let at_end = |w: &Watcher| w.positions.len() == 2 && w.positions.values().all(|p| p.next == 5000);
        watcher.until("some runs", |w| w.runs.len() >= runs || at_end(w));
        for p in 0..2 {
            read.entry(p).or_default().extend(watcher.payloads(&partition(&topic, p)));
        }
        assert!(watcher.gaps.is_empty(), "{:?}", watcher.gaps);
        positions = watcher.positions;
        rounds += 1;
    }
    assert!(rounds > 3, "all was read in {rounds} rounds, which proves little");
    for (p, messages) in (0..).zip(&written) {
        assert_eq!(read[&p], texts(messages), "partition {p}");
    }
}

#[test]
fn a_batch_may_end_anywhere() {
    let broker = broker();
    for count in [1, 1023, 1024, 1025, 2048] {
        let topic = broker.topic("batch", 1);
        let messages = numbered("m", 0..count);
        broker.produce(&topic, 0, &messages);
        let mut watcher = Watcher::of(broker, &[&topic]);
        watcher.until_caught_up(&topic, 1);
        assert_eq!(watcher.payloads(&partition(&topic, 0)), texts(&messages));
        assert_eq!(watcher.positions[&partition(&topic, 0)].next, count);

        let mut again = Watcher::open(&settings(broker, &[&topic]), &watcher.positions, Start::Beginning);
        again.until_caught_up(&topic, 1);
        assert!(again.records.is_empty() && again.gaps.is_empty(), "read to the end is read to the end");
        broker.produce(&topic, 0, &numbered("more", 0..1));
        again.until_records(&partition(&topic, 0), 1);
        assert_eq!(again.payloads(&partition(&topic, 0)), ["more-0"]);
    }
}

#[test]
fn keys_tombstones_and_headers_come_as_they_are() {
    let broker = broker();
    let topic = broker.topic("shapes", 1);
    let headers = vec![
        ("trace".to_owned(), b"\x00\xff".to_vec()),
        ("empty".to_owned(), Vec::new()),
        ("trace".to_owned(), b"twice".to_vec()),
    ];
    let messages = [
        Message { key: Some(b"gone".to_vec()), timestamp: Some(1), ..Message::default() },
        Message { payload: Some(b"no key".to_vec()), timestamp: Some(2), ..Message::default() },
        Message { headers: headers.clone(), ..Message::new("k", "v", 3) },
        Message::new("", "", 4),
    ];
    broker.produce(&topic, 0, &messages);
    for asked in [true, false] {
        let mut settings = settings(broker, &[&topic]);
        settings.headers = asked;
        let mut watcher = Watcher::open(&settings, &Positions::new(), Start::Beginning);
        watcher.until_caught_up(&topic, 1);
        let kept = watcher.of_partition(&partition(&topic, 0));
        let shapes: Vec<_> = kept.iter().map(|k| (k.key.as_deref(), k.payload.as_deref())).collect();
        assert_eq!(
            shapes,
            [
                (Some(&b"gone"[..]), None),
                (None, Some(&b"no key"[..])),
                (Some(b"k"), Some(b"v")),
                (Some(b""), Some(b"")),
            ]
        );
        let found: Vec<_> = kept.iter().map(|k| k.headers.clone()).collect();
        let third = if asked { headers.clone() } else { Vec::new() };
        assert_eq!(found, [vec![], vec![], third, vec![]]);
        let stamps: Vec<_> = kept.iter().map(|k| k.stamp).collect();
        assert_eq!(stamps, [1000, 2000, 3000, 4000].map(|micros| Some(Stamp::Created(micros))));
    }
}

#[test]
fn the_logs_own_time_is_told_from_the_writers() {
    let broker = broker();
    let topic = broker.name("append");
    broker.create_topic(&topic, 1, &[("message.timestamp.type", "LogAppendTime")]);
    broker.produce(&topic, 0, &numbered("m", 0..3));
    let mut watcher = Watcher::of(broker, &[&topic]);
    watcher.until_caught_up(&topic, 1);
    for kept in watcher.of_partition(&partition(&topic, 0)) {
        let Some(Stamp::Appended(micros)) = kept.stamp else { panic!("{:?}", kept.stamp) };
        assert!(micros > 1_600_000_000_000_000, "{micros} is the writer's time");
    }
}

#[test]
fn large_and_compressed_records_come_whole() {
    let broker = broker();
    let large = |n: u8| -> Vec<u8> {
        (0..1_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 ^ n).collect()
    };
    let topic = broker.topic("large", 1);
    let messages: Vec<_> = (0..8).map(|n| Message::new("k", large(n), i64::from(n))).collect();
    broker.produce(&topic, 0, &messages);
    let mut watcher = Watcher::of(broker, &[&topic]);
    watcher.until_caught_up(&topic, 1);
    let kept = watcher.of_partition(&partition(&topic, 0));
    assert!(kept.iter().map(|k| &k.payload).eq(messages.iter().map(|m| &m.payload)), "megabytes differ");

    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let topic = broker.topic(codec, 1);
        let messages = numbered(codec, 0..4000);
        let writer = broker.writer(&[("compression.type", codec), ("linger.ms", "50")]);
        writer.send(&topic, 0, &messages);
        writer.flush();
        let mut watcher = Watcher::of(broker, &[&topic]);
        watcher.until_caught_up(&topic, 1);
        assert_eq!(watcher.payloads(&partition(&topic, 0)), texts(&messages), "{codec}");

        // Within a compressed batch, too.
        let first = watcher.positions[&partition(&topic, 0)];
        let middle = BTreeMap::from([(partition(&topic, 0), position_after(&watcher, &topic, 1234))]);
        let mut again = Watcher::open(&settings(broker, &[&topic]), &middle, Start::Beginning);
        again.until_caught_up(&topic, 1);
        assert_eq!(again.payloads(&partition(&topic, 0)), texts(&messages[1234..]), "{codec}");
        assert_eq!(
            again.positions[&partition(&topic, 0)],
            first,
            "{codec}: the mark of one record is one mark"
        );
    }
}

/// The position before offset `next`, without a mark: nobody has read just up to there.
fn position_after(watcher: &Watcher, topic: &str, next: i64) -> driftlead_connectors::stream::Position {
    let mark = (watcher.positions[&partition(topic, 0)].next == next)
        .then(|| watcher.positions[&partition(topic, 0)].mark)
        .flatten();
    driftlead_connectors::stream::Position { next, mark }
}

#[test]
fn aborted_transactions_are_not_seen_and_leave_no_doubt() {
    let broker = broker();
    let topic = broker.topic("transactions", 1);
    let only = partition(&topic, 0);
    let writer = broker.writer(&[("transactional.id", topic.as_str())]);
    let producer = writer.producer();
    let patience = Duration::from_secs(60);
    producer.init_transactions(patience).unwrap();
    let mut watcher = Watcher::of(broker, &[&topic]);
    let mut expected = Vec::new();
    for (round, commit) in [true, false, true, true, false].into_iter().enumerate() {
        let messages = numbered(&format!("r{round}"), 0..50);
        producer.begin_transaction().unwrap();
        writer.send(&topic, 0, &messages);
        if commit {
            producer.commit_transaction(patience).unwrap();
            expected.extend(texts(&messages));
        } else {
            // Written, so that there is something not to be seen.
            producer.flush(patience).unwrap();
            producer.abort_transaction(patience).unwrap();
        }
        watcher.until_records(&only, expected.len());
        // Read again from the position: the record before it is followed by the end of its transaction.
        let mut again = Watcher::open(&settings(broker, &[&topic]), &watcher.positions, Start::Beginning);
        again.until_caught_up(&topic, 1);
        assert!(again.records.is_empty() && again.gaps.is_empty(), "{:?} {:?}", again.records, again.gaps);
        assert_eq!(again.source().lag()[&only], 0, "what is last in the log are no records");
    }
    watcher.until_caught_up(&topic, 1);
    assert_eq!(watcher.payloads(&only), expected);
    assert!(watcher.gaps.is_empty());
    let (_, high) = broker.bounds(&topic, 0);
    assert!(watcher.positions[&only].next < high, "offsets have gaps where transactions end");
}

/// A partition begins with its first record of the time or later, and at its end if it has none.
#[test]
fn a_time_is_where_partitions_begin_that_were_never_read() {
    let broker = broker();
    let topic = broker.topic("since", 4);
    let millis = 1_000_000_000_000;
    // One before and after the time, one wholly after it, one wholly before it, and an empty one.
    broker.produce(&topic, 0, &numbered("m", 0..100));
    broker.produce(&topic, 1, &numbered("n", 60..70));
    broker.produce(&topic, 2, &numbered("o", 0..40));
    let mut watcher =
        Watcher::open(&settings(broker, &[&topic]), &Positions::new(), Start::Time(millis + 50));
    watcher.until_caught_up(&topic, 4);
    let begun: Vec<_> = watcher.assigned.iter().map(|(partition, next)| (partition.number, *next)).collect();
    assert_eq!(begun, [(0, 50), (1, 0), (2, 40), (3, 0)]);
    assert_eq!(watcher.payloads(&partition(&topic, 0)), texts(&numbered("m", 50..100)));
    assert_eq!(watcher.payloads(&partition(&topic, 1)), texts(&numbered("n", 60..70)));
    assert!(watcher.of_partition(&partition(&topic, 2)).is_empty());
    // From its end on everything is read, also what says that it is older.
    broker.produce(&topic, 2, &numbered("old", 1..2));
    watcher.until_records(&partition(&topic, 2), 1);

    // A partition that is added later begins at the time as well.
    broker.grow_topic(&topic, 5);
    broker.produce(&topic, 4, &numbered("p", 45..55));
    let newest = |w: &Watcher| w.payloads(&partition(&topic, 4)).last().is_some_and(|last| last == "p-54");
    watcher.until("the newest of the added partition", newest);
    let late = watcher.payloads(&partition(&topic, 4));
    let all = texts(&numbered("p", 45..55));
    assert!(late == all[5..] || late == all, "{late:?}: it may have been found when it was empty");

    // What is stored wins, and is no gap.
    let mut positions = watcher.positions.clone();
    drop(watcher);
    positions.insert(partition(&topic, 0), driftlead_connectors::stream::Position { next: 10, mark: None });
    let mut again = Watcher::open(&settings(broker, &[&topic]), &positions, Start::Time(millis + 50));
    again.until_records(&partition(&topic, 0), 90);
    assert!(again.gaps.is_empty() && again.troubles.is_empty(), "{:?} {:?}", again.gaps, again.troubles);
}

#[test]
fn new_partitions_are_found_and_read_from_their_beginning() {
    let broker = broker();
    let topic = broker.topic("grow", 1);
    broker.produce(&topic, 0, &numbered("before", 0..100));
    let mut watcher = Watcher::open(&settings(broker, &[&topic]), &Positions::new(), Start::End);
    watcher.until_caught_up(&topic, 1);
    assert_eq!(watcher.assigned, [(partition(&topic, 0), 100)]);
    assert!(watcher.records.is_empty(), "the end was asked for");
    broker.produce(&topic, 0, &numbered("after", 0..10));

    broker.grow_topic(&topic, 3);
    for p in [1, 2] {
        broker.produce(&topic, p, &numbered("new", 0..20));
    }
    watcher.until_caught_up(&topic, 3);
    watcher.until_records(&partition(&topic, 0), 10);
    assert_eq!(watcher.payloads(&partition(&topic, 0)), texts(&numbered("after", 0..10)));
    for p in [1, 2] {
        watcher.until_records(&partition(&topic, p), 20);
        assert_eq!(watcher.payloads(&partition(&topic, p)), texts(&numbered("new", 0..20)));
    }
    let expected = [(partition(&topic, 0), 100), (partition(&topic, 1), 0), (partition(&topic, 2), 0)];
    assert_eq!(watcher.assigned, expected, "the first one was not interrupted");
    assert!(watcher.gaps.is_empty());

    // A partition that was made while nobody read is new as well.
    let mut positions = watcher.positions.clone();
    drop(watcher);
    positions.remove(&partition(&topic, 2));
    let mut again = Watcher::open(&settings(broker, &[&topic]), &positions, Start::End);
    again.until_caught_up(&topic, 3);
    assert_eq!(again.payloads(&partition(&topic, 2)), texts(&numbered("new", 0..20)));
}

#[test]
fn patterns_find_topics_also_later_ones() {
    let broker = broker();
    let family = broker.name("family");
    let (first, second, stranger) = (format!("{family}.a"), format!("{family}.b"), format!("not-{family}.a"));
    broker.create_topic(&first, 1, &[]);
    broker.create_topic(&stranger, 1, &[]);
    let pattern = format!("^{family}\\.[a-z]+");
    let mut watcher = Watcher::open(&settings(broker, &[&pattern]), &Positions::new(), Start::End);
    watcher.until_caught_up(&first, 1);
    broker.create_topic(&second, 2, &[]);
    broker.produce(&second, 1, &numbered("late", 0..5));
    watcher.until_records(&partition(&second, 1), 5);
    let topics: Vec<_> = watcher.positions.keys().map(|p| p.topic.clone()).collect();
    assert_eq!(topics, [first, second.clone(), second]);
}

#[test]
fn progress_is_shown_as_the_groups_offsets() {
    let broker = broker();
    let topic = broker.topic("progress", 1);
    let only = partition(&topic, 0);
    broker.produce(&topic, 0, &numbered("m", 0..10));
    let mut settings = settings(broker, &[&topic]);
    settings.connection.properties.insert("group.id".to_owned(), topic.clone());
    let mut watcher = Watcher::open(&settings, &Positions::new(), Start::Beginning);
    watcher.until_caught_up(&topic, 1);
    let shown = watcher.positions.clone();
    watcher.source().committed(&shown);
    broker.produce(&topic, 0, &numbered("m", 10..12));
    watcher.until_records(&only, 12);
    // A moment after the other: told when the source ends at the latest.
    let shown = watcher.positions.clone();
    watcher.source().committed(&shown);
    watcher.source().keep_alive();
    drop(watcher);
    assert_eq!(broker.group_offset(&topic, &topic, 0), Some(12));

    // The caller's positions win over it.
    let mut again = Watcher::open(&settings, &Positions::new(), Start::Beginning);
    again.until_caught_up(&topic, 1);
    assert_eq!(again.of_partition(&only).len(), 12);
}

#[test]
fn an_empty_topic_is_at_its_end_at_once() {
    let broker = broker();
    let topic = broker.topic("empty", 2);
    let mut watcher = Watcher::of(broker, &[&topic]);
    watcher.until_caught_up(&topic, 2);
    assert!(watcher.records.is_empty());
    assert_eq!(watcher.positions.values().map(|p| p.next).collect::<Vec<_>>(), [0, 0]);
}
