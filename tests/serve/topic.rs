//! A topic of the shared broker and the service that reads it to its end.

use super::rows::Row;
use crate::support::broker::{Broker, Message, broker};
use crate::support::random::Random;

pub(super) const PARTITIONS: i32 = 7;

/// A topic with these rows; see [`append`].
pub(super) fn produce(rows: &[Row], seed: u64) -> String {
    let topic = broker().topic("rows", PARTITIONS);
    append(&topic, rows, seed);
    topic
}

/// Writes the rows over all partitions at random, each partition in the order of the rows.
pub(super) fn append(topic: &str, rows: &[Row], seed: u64) {
    append_to(broker(), topic, PARTITIONS, rows, seed);
}

/// The same on any broker, over as many partitions.
pub(super) fn append_to(broker: &Broker, topic: &str, partitions: i32, rows: &[Row], seed: u64) {
    let mut random = Random::new(seed);
    let mut parts: Vec<Vec<Message>> = vec![Vec::new(); partitions as usize];
    for row in rows {
        parts[random.below(partitions as usize)].push(Message::new("k", row.json.clone(), row.time / 1_000));
    }
    for (partition, messages) in parts.iter().enumerate() {
        broker.produce(topic, i32::try_from(partition).expect("small"), messages);
    }
}

pub(super) fn source(topic: &str) -> String {
    source_on(broker(), topic, "json")
}

/// A source that looks for new partitions often.
pub(super) fn source_on(broker: &Broker, topic: &str, format: &str) -> String {
    format!(
        "{{kafka: {{brokers: \"{}\", topics: [{topic}], properties: {{topic.metadata.refresh.interval.ms: 200}}}}, \
         format: {format}, dead_letter: {{file: ./dead.ndjson}}}}",
        broker.bootstrap()
    )
}
