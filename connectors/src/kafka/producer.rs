//! Messages to Kafka: what sinks and dead letters are written with.
//!
//! Idempotent: a message that librdkafka sends again is written once, and the messages of a partition keep their order.
//! [`KafkaProducer::send`] only queues; a message is written when [`KafkaProducer::flush`] says so. One that is sent again
//! by the caller, after it was said to have failed, may stand there twice: at least once (SEMANTICS S17, S22).

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::connection::{Connection, Role, explain_config};
use super::context::Context;
use super::explain;
use crate::error::{Error, ErrorKind, Result};

/// How long a full queue is waited for.
const ROOM: Duration = Duration::from_secs(1);

/// A message that was sent, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(usize);

/// How deliveries went.
#[derive(Debug)]
pub struct Flushed {
    /// The messages of which the outcome is known now and was not at the flush before, in the order of sending.
    pub outcomes: Vec<(Ticket, Result<()>)>,
    /// How many messages are still on their way. librdkafka gives each up after `message.timeout.ms` (60 s here).
    pub pending: usize,
}

/// A producer, used from one thread.
pub struct KafkaProducer {
    brokers: String,
    config: ClientConfig,
    context: Context,
    /// Topics of the messages on their way.
    pending: BTreeMap<usize, String>,
    outcomes: BTreeMap<usize, Result<()>>,
    next: usize,
    /// What the client last said went wrong.
    trouble: Option<Error>,
    producer: BaseProducer<Context>,
}

impl KafkaProducer {
    /// A producer for the cluster, which is not asked yet.
    ///
    /// # Errors
    /// If a property does not exist, is refused or does not fit.
    pub fn open(connection: &Connection) -> Result<Self> {
        let brokers = connection.bootstrap()?;
        let mut config = connection.config(Role::Producer)?;
        if config.get("message.timeout.ms").is_none() && config.get("delivery.timeout.ms").is_none() {
            config.set("message.timeout.ms", "60000");
        }
        let context = Context::new(connection.tokens.clone());
        let producer = config.create_with_context(context.clone()).map_err(explain_config)?;
        Ok(Self {
            brokers,
            config,
            context,
            pending: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            next: 0,
            trouble: None,
            producer,
        })
    }

    /// Queues a message; its partition is chosen by its key. A message without a payload is a tombstone. Bytes are copied.
    ///
    /// # Errors
    /// `Unavailable` if the queue stays full for a second: flush, and send it again. `Misconfigured` for a topic's name
    /// that cannot be one, `Rejected` for a message that is larger than `message.max.bytes`.
    pub fn send(
        &mut self,
        topic: &str,
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
        headers: &[(&str, &[u8])],
    ) -> Result<Ticket> {
        let number = self.next;
        let mut record = BaseRecord::<[u8], [u8], usize>::with_opaque_to(topic, number);
        record.key = key;
        record.payload = payload;
        if !headers.is_empty() {
            let empty = OwnedHeaders::new_with_capacity(headers.len());
            record.headers = Some(
                headers
                    .iter()
                    .fold(empty, |all, &(key, value)| all.insert(Header { key, value: Some(value) })),
            );
        }
        let mut full = false;
        loop {
            let Err((error, refused)) = self.producer.send(record) else { break };
            match error.rdkafka_error_code() {
                Some(Code::QueueFull) if !full => {
                    full = true;
                    let before = self.producer.in_flight_count();
                    self.producer.poll(ROOM);
                    tracing::debug!(
                        before,
                        after = self.producer.in_flight_count(),
                        "the producer's queue was full"
                    );
                    record = refused;
                }
                code => return Err(self.refusal(code, topic)),
            }
        }
        self.next += 1;
        self.pending.insert(number, topic.to_owned());
        self.producer.poll(Duration::ZERO);
        self.collect();
        Ok(Ticket(number))
    }

    /// Sends what is queued and waits up to `deadline` until every message's outcome is known.
    ///
    /// An outcome is `Unavailable` if the brokers did not answer in time, `Rejected` if they refuse the message or the
    /// user, `Misconfigured` if the topic does not exist.
    pub fn flush(&mut self, deadline: Duration) -> Flushed {
        // Only a deadline can be missed here; what became of each message, its own report says.
        let _ = self.producer.flush(deadline);
        self.collect();
        let outcomes = std::mem::take(&mut self.outcomes);
        Flushed {
            outcomes: outcomes.into_iter().map(|(number, result)| (Ticket(number), result)).collect(),
            pending: self.pending.len(),
        }
    }

    /// Takes in what the client has reported.
    fn collect(&mut self) {
        if let Some(fault) = self.context.faults().back() {
            self.trouble = Some(explain::fault(fault, &self.brokers));
        }
        for (number, result) in self.context.delivered() {
            let Some(topic) = self.pending.remove(&number) else { continue };
            let outcome = match result {
                Ok(()) => {
                    self.trouble = None;
                    Ok(())
                }
                Err(code) => Err(self.refusal(Some(code), &topic)),
            };
            self.outcomes.insert(number, outcome);
        }
        // A producer that has lost count of its sequence stays silent for ever.
        if self.producer.client().fatal_error().is_some() && self.pending.is_empty() {
            match self.config.create_with_context(self.context.clone()) {
                Ok(producer) => self.producer = producer,
                Err(error) => self.trouble = Some(explain_config(error)),
            }
        }
    }

    /// Why a message was not written.
    fn refusal(&self, code: Option<Code>, topic: &str) -> Error {
        let why = code.map_or_else(|| "it cannot be sent".to_owned(), explain::describe);
        let text = format!("a message to the topic `{topic}` of `{}` was not written: {why}", self.brokers);
        match code {
            Some(code) if explain::is_missing(code) => {
                Error::misconfigured(format!("{text}; create the topic"))
            }
            Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize) => {
                Error::rejected(format!("{text}; raise `message.max.bytes` here and of the topic"))
            }
            Some(code) if explain::is_authorization(code) => Error::rejected(text),
            Some(Code::InvalidArgument) | None => Error::misconfigured(text),
            _ => match &self.trouble {
                Some(trouble) => Error::new(trouble.kind(), format!("{text}; {trouble}")),
                None => Error::new(ErrorKind::Unavailable, text),
            },
        }
    }
}
