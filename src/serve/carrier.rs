//! What carries messages to their place: one at a time as a sink takes them, or many at once as records.
//!
//! Of a message whose records have arrived in part, only the rest is sent again. Which those are is remembered here and
//! not in the store: after a crash the whole message is sent again, and each of its records carries an id by which a
//! reader drops the copy.

use std::collections::BTreeSet;
use std::time::Duration;

use driftlead_connectors::azure::{
    ApplicationInsights, CustomMetrics, Examination, LogsIngestion, RecordSink, RemoteWrite,
};
use driftlead_connectors::retry::Backoff;
use driftlead_connectors::sink::{self, Delivery, Sink};

use super::template::Template;
use super::wire::Event;
use crate::azure::insights::telemetry;
use crate::azure::records::{Streams, records};
use crate::azure::series::Selection;
use crate::config::service::Send;
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
    /// Custom metrics of a resource of Azure.
    Metrics {
        /// To where.
        client: Box<CustomMetrics>,
        /// Which.
        selection: Box<Selection>,
    },
    /// Remote write of Prometheus.
    Prometheus {
        /// To where.
        client: Box<RemoteWrite>,
        /// Which samples.
        selection: Box<Selection>,
    },
    /// Application Insights.
    Insights {
        /// To where.
        client: Box<ApplicationInsights>,
    },
}

/// A message on its way.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) event: Event,
    /// Which of its records have arrived, by their place.
    pub(super) arrived: BTreeSet<usize>,
    /// Numbers of it that are not sent because there are too many series.
    pub(super) left_out: u64,
    /// Whether the other side was to say something of it: not of what holds no record, nor of what has expired.
    pub(super) was_tried: bool,
}

impl Load {
    /// An event, of which these records have arrived.
    pub(super) fn of(event: Event, arrived: BTreeSet<usize>) -> Self {
        Self { event, arrived, left_out: 0, was_tried: false }
    }
}

impl Carrier {
    /// How long is waited between attempts: what loses its use in 20 minutes is tried each minute.
    pub(super) fn backoff(&self) -> Backoff {
        let usual = Backoff::default();
        match self {
            Self::Freight(Freight::Metrics { .. }) => Backoff { most: 60_000_000, ..usual },
            Self::Freight(_) | Self::Message { .. } => usual,
        }
    }

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
                let mut loads = [Load::of(event, BTreeSet::new())];
                let answer = freight.deliver(&mut loads, now).await.pop();
                Ok(answer.unwrap_or(Delivery::Delivered))
            }
        }
    }
}

impl Freight {
    /// Looks whether what is sent would be taken, without writing anything.
    pub async fn examine(&self, sends: Send, now: i64) -> Examination {
        match self {
            Self::Logs { client, streams } => {
                let of_verdicts =
                    [&streams.verdicts, &streams.metrics].into_iter().filter(|_| sends.verdicts);
                let of_alerts = Some(&streams.alerts).filter(|_| sends.alerts);
                let of_service = Some(&streams.diagnostics).filter(|_| sends.diagnostics);
                let all = of_verdicts.chain(of_alerts).chain(of_service);
                let names: Vec<&str> = all.filter_map(Option::as_deref).collect();
                client.examine(&names, now).await
            }
            Self::Metrics { client, .. } => client.examine(now).await,
            Self::Prometheus { client, .. } => client.examine(now).await,
            Self::Insights { client } => client.examine(now).await,
        }
    }

    /// Tries once; answers for each message, and notes which records have arrived.
    pub(super) async fn deliver(&self, loads: &mut [Load], now: i64) -> Vec<Delivery> {
        match self {
            Self::Logs { client, streams } => {
                carry(&**client, loads, |event| (records(event, streams), 0), now).await
            }
            Self::Metrics { client, selection } => {
                carry(&**client, loads, |event| selection.metrics(event), now).await
            }
            Self::Prometheus { client, selection } => {
                carry(&**client, loads, |event| selection.samples(event), now).await
            }
            Self::Insights { client } => carry(&**client, loads, |event| (telemetry(event), 0), now).await,
        }
    }
}

async fn carry<S: RecordSink>(
    sink: &S,
    loads: &mut [Load],
    compose: impl Fn(&Event) -> (Vec<S::Record>, u64),
    now: i64,
) -> Vec<Delivery> {
    let (mut records, mut origin) = (Vec::new(), Vec::new());
    for (message, load) in loads.iter_mut().enumerate() {
        let (all, left_out) = compose(&load.event);
        load.left_out = left_out;
        for (at, record) in all.into_iter().enumerate() {
            if !load.arrived.contains(&at) {
                records.push(record);
                origin.push((message, at));
            }
        }
    }
    let answers = sink.send(&records, now).await;
    let mut said: Vec<Said> = loads.iter().map(|_| Said::default()).collect();
    for ((message, at), answer) in origin.into_iter().zip(answers) {
        let is_over = matches!(answer, Delivery::Expired { .. });
        if is_over || answer == Delivery::Delivered {
            loads[message].arrived.insert(at);
        }
        loads[message].was_tried |= !is_over;
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
