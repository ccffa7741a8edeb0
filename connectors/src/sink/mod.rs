//! Sinks: where messages go, and what their answers mean.
//!
//! A sink moves bytes. What they say is composed elsewhere, once for all sinks; when to try again is decided by
//! [`crate::retry`]; that nothing is lost or repeated under another key is the outbox's law. So a sink has one verb and
//! three answers, and every way in which a server can fail is one of them.

mod address;
mod answer;
mod file;
#[cfg(feature = "kafka")]
mod kafka;
mod signature;
mod webhook;

use std::time::Duration;

pub use self::address::is_private;
pub use self::answer::{retry_after, verdict_of_status};
pub use self::file::{FileSink, StdoutSink};
#[cfg(feature = "kafka")]
pub use self::kafka::KafkaSink;
pub use self::signature::{Key, sign};
pub use self::webhook::{Webhook, WebhookSettings};
pub use crate::http::Tls;

/// One message on its way to one sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The idempotency key, the same in every attempt: `id:revision:sink` (SEMANTICS S20).
    pub key: String,
    /// What messages must stay in order for, such as an alert's id.
    pub order: String,
    /// The body.
    pub body: Vec<u8>,
    /// Its media type.
    pub content_type: String,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The sink has it.
    Delivered,
    /// Not now: try again, after the wait that the sink asked for if it did.
    Retry {
        /// What the sink asked for.
        after: Option<Duration>,
        /// What happened, for a person; never holds a secret.
        reason: String,
    },
    /// This message will never be taken as it is: waiting does not mend it.
    Refused {
        /// What happened, for a person; never holds a secret.
        reason: String,
    },
    /// It came too late to be of use: the sink takes nothing so old.
    Expired {
        /// How old it was.
        reason: String,
    },
}

/// A sink of whatever kind.
#[derive(Debug)]
pub enum Sink {
    /// An HTTP endpoint.
    Webhook(Box<Webhook>),
    /// A file that grows by a line a message.
    File(FileSink),
    /// Standard output, a line a message.
    Stdout(StdoutSink),
    /// A topic.
    #[cfg(feature = "kafka")]
    Kafka(KafkaSink),
}

impl Sink {
    /// Tries once. `now` is the time of the attempt in seconds since the epoch, for signatures.
    pub async fn deliver(&self, message: &Message, now: i64) -> Delivery {
        match self {
            Self::Webhook(webhook) => webhook.deliver(message, now).await,
            Self::File(file) => file.deliver(message),
            Self::Stdout(stdout) => stdout.deliver(message),
            #[cfg(feature = "kafka")]
            Self::Kafka(kafka) => kafka.deliver(message).await,
        }
    }
}
