//! Messages to a topic.
//!
//! The key is what messages keep their order by, so that all of an alert lie in one partition; the idempotency key is a
//! header, `driftlead-key`. A message is delivered when the brokers have it on all in-sync replicas.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Delivery, Message};
use crate::error::{ErrorKind, Result};
use crate::kafka::{Connection, KafkaProducer};

/// How long an attempt waits for the brokers.
const PATIENCE: Duration = Duration::from_secs(30);

/// A topic as a sink.
pub struct KafkaSink {
    producer: Arc<Mutex<KafkaProducer>>,
    topic: String,
}

impl fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KafkaSink({})", self.topic)
    }
}

impl KafkaSink {
    /// A sink into `topic`; the cluster is not asked yet.
    ///
    /// # Errors
    ///
    /// As [`KafkaProducer::open`].
    pub fn open(connection: &Connection, topic: &str) -> Result<Self> {
        let producer = Arc::new(Mutex::new(KafkaProducer::open(connection)?));
        Ok(Self { producer, topic: topic.to_owned() })
    }

    pub(super) async fn deliver(&self, message: &Message) -> Delivery {
        let (producer, topic, message) = (self.producer.clone(), self.topic.clone(), message.clone());
        // librdkafka waits on threads, not on futures.
        let sent = tokio::task::spawn_blocking(move || {
            let mut producer = producer.lock().unwrap_or_else(PoisonError::into_inner);
            send(&mut producer, &topic, &message)
        });
        match sent.await {
            Ok(Ok(())) => Delivery::Delivered,
            Ok(Err(error)) if error.kind() == ErrorKind::Rejected => {
                Delivery::Refused { reason: error.to_string() }
            }
            Ok(Err(error)) => Delivery::Retry { after: None, reason: error.to_string() },
            Err(error) => Delivery::Retry { after: None, reason: error.to_string() },
        }
    }
}

fn send(producer: &mut KafkaProducer, topic: &str, message: &Message) -> Result<()> {
    let headers =
        [("driftlead-key", message.key.as_bytes()), ("content-type", message.content_type.as_bytes())];
    let ticket = producer.send(topic, Some(message.order.as_bytes()), Some(&message.body), &headers)?;
    let flushed = producer.flush(PATIENCE);
    match flushed.outcomes.into_iter().find(|(own, _)| *own == ticket) {
        Some((_, outcome)) => outcome,
        None => Err(crate::error::Error::unavailable("the brokers did not answer in time")),
    }
}
