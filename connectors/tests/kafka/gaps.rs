//! Where records were lost, or are not the ones that were read, a gap says so.

use driftlead_connectors::ErrorKind;
use driftlead_connectors::kafka::Start;
use driftlead_connectors::stream::Position;

use crate::broker::{Broker, broker};
use crate::watcher::{Positions, Watcher, numbered, partition, settings, texts};

/// Reads a topic to its end; the positions.
fn positions_after_reading(broker: &Broker, topic: &str) -> Positions {
    let mut watcher = Watcher::of(broker, &[topic]);
    watcher.until_caught_up(topic, 1);
    watcher.positions.clone()
}

#[test]
fn records_deleted_before_they_were_read_are_a_gap() {
    let broker = broker();
    let topic = broker.topic("retention", 1);
    let only = partition(&topic, 0);
    broker.produce(&topic, 0, &numbered("m", 0..100));
    let positions = positions_after_reading(broker, &topic);
    broker.produce(&topic, 0, &numbered("m", 100..200));
    broker.delete_records(&topic, 0, 150);
    let mut watcher = Watcher::open(&settings(broker, &[&topic]), &positions, Start::End);
    watcher.until_caught_up(&topic, 1);
    assert_eq!(watcher.payloads(&only), texts(&numbered("m", 150..200)));
    let [gap] = watcher.gaps.as_slice() else { panic!("{:?}", watcher.gaps) };
    assert_eq!((gap.expected, gap.found), (100, 150));
    assert!(gap.reason.contains("50 offsets") && gap.reason.contains("retention"), "{}", gap.reason);

    // Up to the position is no loss: the record before it is gone, and proves nothing.
    for below in [100, 50] {
        let topic = broker.topic("retention", 1);
        broker.produce(&topic, 0, &numbered("m", 0..100));
        let positions = positions_after_reading(broker, &topic);
        broker.produce(&topic, 0, &numbered("m", 100..110));
        broker.delete_records(&topic, 0, below);
        let mut watcher = Watcher::open(&settings(broker, &[&topic]), &positions, Start::End);
        watcher.until_caught_up(&topic, 1);
        assert_eq!(watcher.payloads(&partition(&topic, 0)), texts(&numbered("m", 100..110)));
        assert!(watcher.gaps.is_empty(), "{:?}", watcher.gaps);
    }
}

#[test]
fn retention_that_overtakes_a_reader_is_a_gap() {
    let broker = broker();
    let topic = broker.topic("overtaken", 1);
    let only = partition(&topic, 0);
    // Small batches, because an answer to a fetch holds whole ones.
    let writer = broker.writer(&[("batch.num.messages", "10")]);
    writer.send(&topic, 0, &numbered("m", 0..10_000));
    writer.flush();
    let mut settings = settings(broker, &[&topic]);
    for (key, value) in [("queued.max.messages.kbytes", "1"), ("fetch.message.max.bytes", "512")] {
        settings.connection.properties.insert(key.to_owned(), value.to_owned());
    }
    let mut watcher = Watcher::open(&settings, &Positions::new(), Start::Beginning);
    watcher.until_records(&only, 1);
    let before = watcher.of_partition(&only).len();
    assert!(before < 5_000, "{before} records were read before any could be deleted");
    broker.delete_records(&topic, 0, 9_000);
    watcher.until("a gap", |w| !w.gaps.is_empty());
    watcher.until_caught_up(&topic, 1);
    assert_eq!(watcher.payloads(&only), texts(&numbered("m", 9_000..10_000)));
    let [gap] = watcher.gaps.as_slice() else { panic!("{:?}", watcher.gaps) };
    assert_eq!(gap.found, 9_000);
    assert_eq!(watcher.assigned.last(), Some(&(only, 9_000)));
}

#[test]
fn a_topic_made_anew_while_nobody_read_is_read_from_its_beginning() {
    let broker = broker();
    for (count, word) in [(0, "beyond"), (5, "beyond"), (10, "not the one"), (25, "not the one")] {
        let topic = broker.topic("anew", 1);
        let only = partition(&topic, 0);
        broker.produce(&topic, 0, &numbered("old", 0..10));
        let positions = positions_after_reading(broker, &topic);
        broker.delete_topic(&topic);
        broker.create_topic(&topic, 1, &[]);
        broker.produce(&topic, 0, &numbered("new", 0..count));
        let mut watcher = Watcher::open(&settings(broker, &[&topic]), &positions, Start::End);
        watcher.until("a gap", |w| !w.gaps.is_empty());
        watcher.until_caught_up(&topic, 1);
        assert_eq!(watcher.payloads(&only), texts(&numbered("new", 0..count)), "{count} records");
        let [gap] = watcher.gaps.as_slice() else { panic!("{:?}", watcher.gaps) };
        assert_eq!((gap.expected, gap.found), (10, 0));
        assert!(gap.reason.contains(word), "{}", gap.reason);
    }
}

#[test]
fn a_topic_made_anew_while_it_is_read_is_read_from_its_beginning() {
    let broker = broker();
    for count in [3, 30] {
        let topic = broker.topic("anew", 1);
        let only = partition(&topic, 0);
        broker.produce(&topic, 0, &numbered("old", 0..10));
        let mut watcher = Watcher::of(broker, &[&topic]);
        watcher.until_caught_up(&topic, 1);
        broker.delete_topic(&topic);
        watcher.until("the loss is told", |w| !w.troubles.is_empty());
        let (kind, trouble) = watcher.troubles.last().unwrap();
        assert!(
            *kind == ErrorKind::Misconfigured && trouble.contains(&format!("no topic `{topic}`")),
            "{trouble}"
        );
        broker.create_topic(&topic, 1, &[]);
        broker.produce(&topic, 0, &numbered("new", 0..count));
        watcher.until("a gap", |w| !w.gaps.is_empty());
        watcher.until_records(&only, usize::try_from(count).unwrap());
        assert_eq!(watcher.payloads(&only), texts(&numbered("new", 0..count)));
        assert_eq!((watcher.gaps[0].expected, watcher.gaps[0].found), (10, 0));
    }
}

#[test]
fn a_topic_that_comes_back_as_it_was_is_no_gap() {
    let broker = broker();
    let topic = broker.topic("same", 1);
    broker.produce(&topic, 0, &numbered("m", 0..10));
    let mut positions = positions_after_reading(broker, &topic);
    broker.delete_topic(&topic);
    broker.create_topic(&topic, 1, &[]);
    broker.produce(&topic, 0, &numbered("m", 0..20));
    let mut watcher = Watcher::open(&settings(broker, &[&topic]), &positions, Start::End);
    watcher.until_caught_up(&topic, 1);
    assert_eq!(watcher.payloads(&partition(&topic, 0)), texts(&numbered("m", 10..20)));
    assert!(watcher.gaps.is_empty(), "the record before the position is the same: {:?}", watcher.gaps);

    // Without a mark nothing is compared.
    positions.insert(partition(&topic, 0), Position { next: 15, mark: None });
    let mut watcher = Watcher::open(&settings(broker, &[&topic]), &positions, Start::End);
    watcher.until_caught_up(&topic, 1);
    assert_eq!(watcher.payloads(&partition(&topic, 0)), texts(&numbered("m", 15..20)));
}

#[test]
fn a_compacted_record_before_the_position_proves_nothing() {
    let broker = broker();
    let topic = broker.name("compacted");
    let options = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "1"),
        ("min.cleanable.dirty.ratio", "0.001"),
        ("max.compaction.lag.ms", "1"),
    ];
    broker.create_topic(&topic, 1, &options);
    let only = partition(&topic, 0);
    broker.produce(&topic, 0, &numbered("m", 0..10));
    let positions = positions_after_reading(broker, &topic);
    // One key: only the last record stays, once its segment is closed and the cleaner comes by.
    let mut next = 10;
    loop {
        broker.produce(&topic, 0, &numbered("m", next..next + 1));
        next += 1;
        let mut fresh = Watcher::of(broker, &[&topic]);
        fresh.until_caught_up(&topic, 1);
        if fresh.of_partition(&only)[0].offset >= 10 {
            break;
        }
        assert!(next < 10_000, "the cleaner never came");
    }
    let mut watcher = Watcher::open(&settings(broker, &[&topic]), &positions, Start::End);
    watcher.until_caught_up(&topic, 1);
    assert!(watcher.gaps.is_empty(), "{:?}", watcher.gaps);
    assert!(watcher.of_partition(&only)[0].offset >= 10);
}

#[test]
fn a_topic_that_does_not_exist_is_named() {
    let broker = broker();
    let error = Watcher::of(broker, &["no-such-topic"]).failure();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    let message = error.to_string();
    assert!(message.contains("`no-such-topic`") && message.contains(broker.bootstrap()), "{message}");
}
