//! Topics to read from: made anew, and filled as fast as the producer goes.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::Failure;

pub(crate) const PARTITIONS: i32 = 4;

/// Makes a topic of [`PARTITIONS`] partitions with these settings.
pub(crate) fn create(brokers: &str, topic: &str, settings: &[(&str, &str)]) -> Result<(), Failure> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    let mut new = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(1));
    for (key, value) in settings {
        new = new.set(key, value);
    }
    let made = futures::executor::block_on(admin.create_topics([&new], &AdminOptions::new()))?;
    made.into_iter().next().ok_or("no answer")?.map_err(|(topic, code)| format!("{topic}: {code}"))?;
    Ok(())
}

/// Writes records to a topic.
pub(crate) struct Writer {
    producer: BaseProducer,
    topic: String,
}

impl Writer {
    pub(crate) fn open(brokers: &str, topic: &str) -> Result<Self, Failure> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("linger.ms", "20")
            .set("batch.num.messages", "2000")
            .create()?;
        Ok(Self { producer, topic: topic.to_owned() })
    }

    pub(crate) fn write(&self, partition: i32, payload: &[u8]) -> Result<(), Failure> {
        let mut record = BaseRecord::<(), [u8]>::to(&self.topic).payload(payload).partition(partition);
        while let Err((error, refused)) = self.producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            self.producer.poll(Duration::from_millis(10));
            record = refused;
        }
        Ok(())
    }

    /// Returns when the broker has all of it.
    pub(crate) fn flush(&self) -> Result<(), Failure> {
        Ok(self.producer.flush(Duration::from_secs(120))?)
    }
}
