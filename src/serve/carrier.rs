//! What carries messages to their place: one at a time as a sink takes them, or many at once as records.
//!
//! Of a message whose records have arrived in part, only the rest is sent again. Which those are is remembered here and
//! not in the store: after a crash the whole message is sent again, and each of its records carries an id by which a
//! reader drops the copy.

use std::collections::BTreeSet;
use std::time::Duration;

use driftlead_connectors::azure::{Examination, LogsIngestion, RecordSink};
use driftlead_connectors::sink::{self, Delivery, Sink};

use super::template::Template;
use super::wire::Event;
use crate::azure::records::{Streams, records};
use crate::exit::{Error, Result};

/// How messages are carried.
#[derive(Debug)]
pub enum Carrier {
    /// One at a time.
    Message {
        /// To where.
        sink: Box<Sink>,
        /// What is written.
        template: Box<Template>,
    },
    /// Many at once.
    Freight(Freight),
}

/// What takes records.
#[derive(Debug)]
pub enum Freight {
    /// The Logs Ingestion API.
    Logs {
        /// To where.
        client: Box<LogsIngestion>,
        /// Into which streams.
        streams: Streams,
    },
}

/// A message on its way.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) event: Event,
    /// Which of its records have arrived, by their place.
    pub(super) arrived: BTreeSet<usize>,
}

impl Carrier {
    /// Tries one event by itself, at `now` in microseconds since the epoch: for a person who asks whether it would arrive.
    ///
    /// # Errors
    ///
    /// It is no event, or the template does not give JSON for it.
    pub async fn deliver_one(&self, key: String, event: &serde_json::Value, now: i64) -> Result<Delivery> {
        match self {
            Self::Message { sink, template } => {
                let body = template.render(event)?;
                let content_type = "application/json".to_owned();
                let message = sink::Message { order: key.clone(), key, body, content_type };
                Ok(sink.deliver(&message, now.div_euclid(1_000_000)).await)
            }
            Self::Freight(freight) => {
                let event = serde_json::from_value(event.clone())
                    .map_err(|error| Error::run("the event cannot be read").because(error))?;
                let mut loads = [Load { event, arrived: BTreeSet::new() }];
                let answer = freight.deliver(&mut loads, now).await.pop();
                Ok(answer.unwrap_or(Delivery::Delivered))
            }
        }
    }
}

impl Freight {
    /// Looks whether it would be taken, without writing anything; of what is sent, verdicts, alerts or both.
    pub async fn examine(&self, verdicts: bool, alerts: bool, now: i64) -> Examination {
        match self {
            Self::Logs { client, streams } => {
                let of_verdicts = [&streams.verdicts, &streams.metrics].into_iter().filter(|_| verdicts);
                let all = of_verdicts.chain(Some(&streams.alerts).filter(|_| alerts));
                let names: Vec<&str> = all.filter_map(Option::as_deref).collect();
                client.examine(&names, now).await
            }
        }
    }

    /// Tries once; answers for each message, and notes which records have arrived.
    pub(super) async fn deliver(&self, loads: &mut [Load], now: i64) -> Vec<Delivery> {
        match self {
            Self::Logs { client, streams } => {
                carry(&**client, loads, |event| records(event, streams), now).await
            }
        }
    }
}

async fn carry<S: RecordSink>(
    sink: &S,
    loads: &mut [Load],
    compose: impl Fn(&Event) -> Vec<S::Record>,
    now: i64,
) -> Vec<Delivery> {
    let (mut records, mut origin) = (Vec::new(), Vec::new());
    for (message, load) in loads.iter().enumerate() {
        for (at, record) in compose(&load.event).into_iter().enumerate() {
            if !load.arrived.contains(&at) {
                records.push(record);
                origin.push((message, at));
            }
        }
    }
    let answers = sink.send(&records, now).await;
    let mut said: Vec<Said> = loads.iter().map(|_| Said::default()).collect();
    for ((message, at), answer) in origin.into_iter().zip(answers) {
        if matches!(answer, Delivery::Delivered | Delivery::Expired { .. }) {
            loads[message].arrived.insert(at);
        }
        said[message].take(answer);
    }
    said.into_iter().map(Said::whole).collect()
}

/// What was said of one message's records.
#[derive(Default)]
struct Said {
    delivered: usize,
    refused: Vec<String>,
    expired: Option<String>,
    retry: Option<(Option<Duration>, String)>,
}

impl Said {
    fn take(&mut self, answer: Delivery) {
        match answer {
            Delivery::Delivered => self.delivered += 1,
            Delivery::Refused { reason } => self.refused.push(reason),
            Delivery::Expired { reason } => self.expired = Some(reason),
            Delivery::Retry { after, reason } => {
                let longest = self.retry.take().and_then(|(longest, _)| longest).max(after);
                self.retry = Some((longest, reason));
            }
        }
    }

    /// As long as some record may still arrive the message waits; else one that was refused counts.
    fn whole(self) -> Delivery {
        if let Some((after, reason)) = self.retry {
            return Delivery::Retry { after, reason };
        }
        if let Some(first) = self.refused.first() {
            let reason = format!(
                "{} of {} records refused: {first}",
                self.refused.len(),
                self.refused.len() + self.delivered
            );
            return Delivery::Refused { reason };
        }
        match self.expired {
            Some(reason) if self.delivered == 0 => Delivery::Expired { reason },
            _ => Delivery::Delivered,
        }
    }
}
