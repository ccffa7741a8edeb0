//! Apache Kafka, and Azure Event Hubs by its Kafka endpoint: a source that can be read again, and a producer.
//!
//! librdkafka does the protocol; this module adds what exactness needs (SEMANTICS S16):
//!
//! - All partitions are taken by `assign()`. The caller's positions decide where reading begins; group offsets are
//!   committed for lag displays only and never read.
//! - A stored position is proven before anything is read after it: the record before it is fetched again and its hash
//!   compared ([`mark`]). Another record, or an offset outside of the log, is a [`Gap`](crate::stream::Event::Gap).
//! - What is to be read is decided in one pure function, [`plan`], from what is held and what the [`survey`] found.
//!   Every change (partitions added, a topic deleted and made anew, records deleted under the position) goes the same
//!   way: survey, plan, a new [`reader`] at the planned offsets.
//! - librdkafka's queues hold 32 MB together, over however many partitions.
//!
//! Only [`native`] is unsafe: librdkafka's batch call has no safe form.

mod connection;
mod context;
mod explain;
mod lane;
mod ledger;
mod mark;
#[expect(unsafe_code, reason = "librdkafka takes many records at a time only from queues of its C interface")]
mod native;
mod plan;
mod producer;
mod reader;
mod source;
mod survey;
mod token;
mod waker;

pub use connection::{Connection, Preset, kafka_endpoint};
pub use plan::Start;
pub use producer::{Flushed, KafkaProducer, Ticket};
pub use source::{KafkaSettings, KafkaSource};
pub use token::{Token, TokenSource};
