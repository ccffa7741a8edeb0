//! What is sent is written, or it is said why not.

use std::collections::BTreeMap;
use std::time::Duration;

use driftlead_connectors::ErrorKind;
use driftlead_connectors::kafka::{Connection, KafkaProducer, Start};

use crate::broker::{Broker, broker};
use crate::watcher::{Positions, Watcher, partition, settings};

/// Longer than a slow machine needs, so that a failure is one.
const PATIENCE: Duration = Duration::from_secs(60);

fn connection(broker: &Broker, properties: &[(&str, &str)]) -> Connection {
    let properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Connection { brokers: broker.bootstrap().to_owned(), properties, ..Connection::default() }
}

#[test]
fn what_is_sent_is_written_once_and_in_order() {
    let broker = broker();
    let topic = broker.topic("produced", 1);
    let mut producer = KafkaProducer::open(&connection(broker, &[])).unwrap();
    let mut tickets = Vec::new();
    for n in 0..2000 {
        let payload = format!("m{n}");
        let headers: &[(&str, &[u8])] = &[("type", b"alert"), ("n", &[1, 2])];
        let headers = if n % 2 == 0 { headers } else { &[] };
        tickets.push(producer.send(&topic, Some(b"k"), Some(payload.as_bytes()), headers).unwrap());
    }
    tickets.push(producer.send(&topic, Some(b"k"), None, &[]).unwrap());
    let flushed = producer.flush(PATIENCE);
    assert_eq!(flushed.pending, 0);
    let written: Vec<_> =
        flushed.outcomes.iter().map(|(ticket, outcome)| (*ticket, outcome.is_ok())).collect();
    assert_eq!(written, tickets.iter().map(|&ticket| (ticket, true)).collect::<Vec<_>>());
    assert!(producer.flush(PATIENCE).outcomes.is_empty(), "each is told once");

    let mut settings = settings(broker, &[&topic]);
    settings.headers = true;
    let mut watcher = Watcher::open(&settings, &Positions::new(), Start::Beginning);
    watcher.until_records(&partition(&topic, 0), 2001);
    let kept = watcher.of_partition(&partition(&topic, 0));
    assert_eq!(kept.len(), 2001);
    assert_eq!(kept[2000].payload, None);
    for (n, kept) in kept[..2000].iter().enumerate() {
        assert_eq!(kept.payload.as_deref(), Some(format!("m{n}").as_bytes()));
        assert_eq!(kept.key.as_deref(), Some(&b"k"[..]));
        assert_eq!(kept.headers.len(), if n % 2 == 0 { 2 } else { 0 });
    }
    assert_eq!(kept[0].headers[1], ("n".to_owned(), vec![1, 2]));
}

#[test]
fn a_refused_message_says_why_and_stops_no_other() {
    let broker = broker();
    let topic = broker.topic("produced", 1);
    // How long a topic that is not there may yet appear: half a minute by default.
    let soon = [("topic.metadata.propagation.max.ms", "500")];
    let mut producer = KafkaProducer::open(&connection(broker, &soon)).unwrap();
    let lost = producer.send("no-such-topic", None, Some(b"m"), &[]).unwrap();
    let fine = producer.send(&topic, None, Some(b"m"), &[]).unwrap();
    let outcomes: BTreeMap<_, _> = producer.flush(PATIENCE).outcomes.into_iter().collect();
    let error = outcomes[&lost].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("`no-such-topic`"), "{error}");
    assert!(outcomes[&fine].is_ok());

    let error = producer.send(&topic, None, Some(&vec![0; 3_000_000]), &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(error.to_string().contains("`message.max.bytes`"), "{error}");
}

#[test]
fn messages_wait_for_a_broker_that_is_away() {
    let mut broker = Broker::start();
    let topic = broker.topic("produced", 1);
    let mut producer = KafkaProducer::open(&connection(&broker, &[])).unwrap();
    producer.send(&topic, None, Some(b"before"), &[]).unwrap();
    assert!(producer.flush(PATIENCE).outcomes[0].1.is_ok());
    broker.kill();
    let waiting = producer.send(&topic, None, Some(b"while it was away"), &[]).unwrap();
    let flushed = producer.flush(Duration::from_millis(300));
    assert_eq!((flushed.outcomes.len(), flushed.pending), (0, 1));
    broker.restart();
    let flushed = producer.flush(PATIENCE);
    assert_eq!(flushed.pending, 0);
    assert!(flushed.outcomes[0].0 == waiting && flushed.outcomes[0].1.is_ok());

    // And are given up in the end.
    let mut impatient = KafkaProducer::open(&connection(&broker, &[("message.timeout.ms", "500")])).unwrap();
    broker.kill();
    let lost = impatient.send(&topic, None, Some(b"too late"), &[]).unwrap();
    let flushed = impatient.flush(PATIENCE);
    assert_eq!((flushed.outcomes.len(), flushed.pending), (1, 0));
    let (ticket, outcome) = &flushed.outcomes[0];
    assert_eq!(*ticket, lost);
    assert!(outcome.as_ref().unwrap_err().retryable(), "{outcome:?}");
}

#[test]
fn a_property_that_is_refused_is_named() {
    let error = KafkaProducer::open(&connection(broker(), &[("enable.idempotence", "false")])).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("`enable.idempotence`"), "{error}");
    let error = KafkaProducer::open(&connection(broker(), &[("no.such.property", "1")])).err().unwrap();
    assert!(error.to_string().contains("`no.such.property: 1`"), "{error}");
}
