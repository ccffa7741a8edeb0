//! A consumer of a fixed set of partitions, each with a queue of its own.
//!
//! Fair: partitions are asked in turn, and each gives up to one batch. What librdkafka holds fetched and unread stays
//! below 32 MB over all partitions (SEMANTICS S16): its limit is per partition, so it is divided by their number when
//! the consumer is made, and a change of the set makes a new one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::connection::explain_config;
use super::context::Context;
use super::lane::{Doubt, Lane};
use super::native::{Client, PartitionQueue, known_end};
use super::plan::Plan;
use super::waker::Waker;
use crate::error::{Error, Result};
use crate::stream::{Event, Partition, Position};

/// What librdkafka may hold for all partitions together, in bytes.
const HELD: usize = 32 << 20;
/// The most that one answer should bring of one partition, in bytes: librdkafka's own default.
const FETCH: usize = 1 << 20;
/// What librdkafka keeps in memory beside the bytes of a record, in bytes: measured, 238 (docs/decisions/0040).
const BESIDE: usize = 256;

/// A consumer of a fixed set of partitions.
pub(super) struct Reader {
    lanes: Vec<Lane>,
    /// The lane to ask first.
    turn: usize,
    /// The consumer has something to say beside records.
    events: Arc<AtomicBool>,
    client: Arc<Client>,
}

impl Reader {
    /// Begins to read the partitions as planned; `waker` rings when something comes.
    ///
    /// # Errors
    /// If librdkafka does not take the configuration or a topic's name.
    pub(super) fn open(
        config: &ClientConfig,
        context: Context,
        waker: &Arc<Waker>,
        plans: &BTreeMap<Partition, Plan>,
    ) -> Result<Self> {
        let mut config = config.clone();
        for (key, value) in limits(plans.len()) {
            if config.get(key).is_none() {
                config.set(key, value);
            }
        }
        let mut client: Client = config.create_with_context(context).map_err(explain_config)?;
        let events = Arc::new(AtomicBool::new(true));
        client.set_nonempty_callback({
            let (events, waker) = (Arc::clone(&events), Arc::clone(waker));
            move || {
                events.store(true, Ordering::Release);
                waker.ring();
            }
        });
        let client = Arc::new(client);
        let mut lanes = Vec::with_capacity(plans.len());
        let mut assignment = TopicPartitionList::with_capacity(plans.len());
        for (partition, plan) in plans {
            let queue = PartitionQueue::open(&client, partition, waker).ok_or_else(|| {
                Error::misconfigured(format!("`{partition}` cannot be a partition of a Kafka topic"))
            })?;
            assignment
                .add_partition_offset(
                    &partition.topic,
                    partition.number,
                    Offset::Offset(plan.fetch_from().max(0)),
                )
                .map_err(explain_config)?;
            lanes.push(Lane::new(partition.clone(), queue, plan.position, plan.check));
        }
        client.assign(&assignment).map_err(explain_config)?;
        Ok(Self { lanes, turn: 0, events, client })
    }

    /// The partitions that are read.
    pub(super) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Hands over one batch of the partition whose turn it is among those that have something; whether there was one.
    pub(super) fn step(&mut self, headers: bool, handle: &mut dyn FnMut(Event<'_>)) -> bool {
        let lanes = self.lanes.len();
        for at in (self.turn..lanes).chain(0..self.turn) {
            if self.lanes[at].step(headers, handle) {
                self.turn = (at + 1) % lanes;
                return true;
            }
        }
        false
    }

    /// Serves what the consumer has to say beside records; what it says arrives in its context.
    pub(super) fn serve(&mut self) {
        if !self.events.swap(false, Ordering::AcqRel) {
            return;
        }
        // One call serves all that is there, and waits a millisecond for more.
        while let Some(message) = self.client.poll(Duration::from_millis(1)) {
            // No record can come this way (see `native`). Should one, its partition is read again from its position.
            let Ok(message) = message else { continue };
            let stray = self.lanes.iter_mut().find(|lane| {
                lane.partition().number == message.partition() && lane.partition().topic == message.topic()
            });
            if let Some(lane) = stray {
                lane.stop(Doubt::Outside);
            }
        }
    }

    /// Commits positions as the group's offsets, without waiting, for those who look at lags.
    pub(super) fn commit(&self, positions: &BTreeMap<Partition, Position>) {
        let mut offsets = TopicPartitionList::new();
        for lane in &self.lanes {
            if let Some(position) = positions.get(lane.partition()) {
                let Partition { topic, number } = lane.partition();
                let _ = offsets.add_partition_offset(topic, *number, Offset::Offset(position.next.max(0)));
            }
        }
        if offsets.count() > 0
            && let Err(error) = self.client.commit(&offsets, CommitMode::Async)
        {
            tracing::debug!(%error, "group offsets could not be committed");
        }
    }

    /// How many offsets each partition has beyond what was read, where an answer has told yet.
    pub(super) fn lag(&self) -> BTreeMap<Partition, u64> {
        let behind = |lane: &Lane| {
            let end = known_end(&self.client, lane.partition())?;
            Some((lane.partition().clone(), u64::try_from(end - lane.end()).unwrap_or(0)))
        };
        self.lanes.iter().filter_map(behind).collect()
    }
}

/// The properties that keep the fetched and unread records of `partitions` partitions below [`HELD`].
///
/// A partition is asked for more while it holds fewer bytes and fewer records than its limits, and one answer then brings
/// up to a fetch beyond them. librdkafka counts the records' own bytes only: half of a partition's share is for these, a
/// quarter for what it keeps beside the records, the rest for what comes with the last fetch (records of 256 bytes and
/// more; smaller ones take somewhat more).
fn limits(partitions: usize) -> [(&'static str, String); 4] {
    let share = HELD / partitions.max(1);
    let fetch = (share / 8).clamp(1 << 10, FETCH);
    let bytes = (share / 2).saturating_sub(fetch).max(1 << 10);
    let records = (share / 4 / BESIDE).max(1);
    [
        ("fetch.message.max.bytes", fetch.to_string()),
        ("queued.max.messages.kbytes", (bytes >> 10).to_string()),
        ("queued.min.messages", records.to_string()),
        // A full queue is looked at again after this: by default a second, in which a small queue runs empty.
        ("fetch.queue.backoff.ms", "10".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queues_hold_32_mb_together_however_many_they_are() {
        for partitions in [0, 1, 2, 4, 7, 16, 17, 100, 1024, 4096] {
            let [fetch, kilobytes, records, _] =
                limits(partitions).map(|(_, value)| value.parse::<usize>().unwrap());
            let held = partitions.max(1) * (fetch + (kilobytes << 10) + records * 256 + fetch);
            assert!(held <= 32 << 20, "{partitions} partitions: {held} bytes");
            assert!(held >= 16 << 20, "{partitions} partitions: only {held} bytes");
        }
    }
}
