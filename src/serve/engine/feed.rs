//! The sources as the engine sees them, and how far each partition is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crossbeam_channel::Sender;
use driftlead_connectors::store::{self, PartitionKey};
use driftlead_connectors::stream::{Partition, Position};
use driftlead_engine::stream::PartitionId;
use tracing::{info, warn};

use super::super::health::SourceHealth;
use super::super::intake::Door;
use super::super::reader::Control;
use super::Engine;
use crate::exit::{Error, Result};

/// So many different troubles are said before a source is read again; the newest of all stands in `/readyz`.
const SAID: usize = 32;

/// A source as the engine sees it.
pub(in crate::serve) struct Feed {
    pub(in crate::serve) name: String,
    pub(in crate::serve) control: Sender<Control>,
    pub(in crate::serve) partitions: BTreeMap<Partition, PartitionNow>,
    /// Where rows are sent to it, the door of each partition.
    pub(in crate::serve) doors: BTreeMap<Partition, Arc<Door>>,
    pub(in crate::serve) has_ended: bool,
    /// Its troubles that were said since it was last read.
    pub(super) troubles: BTreeSet<String>,
}

impl Feed {
    /// A source with the partitions that the store knows of.
    pub(in crate::serve) fn new(name: &str, control: Sender<Control>, loaded: &store::Loaded) -> Self {
        let own = loaded.partitions.iter().filter(|(key, _)| key.source == name);
        let partitions = own
            .map(|(key, state)| {
                let now = PartitionNow {
                    id: state.id,
                    position: Some(state.position),
                    quiet_since: None,
                    was_caught_up: false,
                };
                (key.partition.clone(), now)
            })
            .collect();
        Self {
            name: name.to_owned(),
            control,
            partitions,
            doors: BTreeMap::new(),
            has_ended: false,
            troubles: BTreeSet::new(),
        }
    }

    /// Whether its rows are sent to it by requests.
    pub(super) fn is_sent(&self) -> bool {
        !self.doors.is_empty()
    }

    /// The partitions that have been read to their end for so long at least.
    pub(super) fn quiet(
        &self,
        now: i64,
        idle: i64,
    ) -> impl Iterator<Item = (&Partition, store::PartitionId)> {
        let is_quiet = move |(partition, own): &(&Partition, &PartitionNow)| {
            own.quiet_since.is_some_and(|since| now.saturating_sub(since) >= idle)
                && self.doors.get(partition).is_none_or(|door| door.is_quiet())
        };
        self.partitions.iter().filter(is_quiet).map(|(partition, own)| (partition, own.id))
    }

    /// The source has no other partition than this one any more, as after another path in its settings.
    pub(in crate::serve) fn narrow_to(&mut self, own: &Partition, now: i64) {
        for (_, partition) in self.partitions.iter_mut().filter(|(partition, _)| *partition != own) {
            partition.quiet_since = Some(now);
        }
    }
}

/// What is known of a partition.
#[derive(Debug)]
pub(in crate::serve) struct PartitionNow {
    pub(super) id: store::PartitionId,
    pub(super) position: Option<Position>,
    /// When it was read to its end or seen not to be there, if nothing came since.
    pub(super) quiet_since: Option<i64>,
    /// Whether it was ever read to its end.
    pub(super) was_caught_up: bool,
}

impl Engine {
    /// A source is being read.
    pub(super) fn reading(&mut self, source: usize) {
        let feed = &mut self.feeds[source];
        if let SourceHealth::Troubled { .. } = self.health.source(&feed.name, SourceHealth::Reading) {
            info!(source = feed.name, "the source is read again");
            feed.troubles.clear();
            self.tell_recovery(source);
        }
    }

    /// A source has trouble; each is said once until it is read again.
    pub(super) fn trouble(&mut self, source: usize, message: String) {
        self.tell_trouble(source, &message);
        let feed = &mut self.feeds[source];
        if feed.troubles.len() < SAID && feed.troubles.insert(message.clone()) {
            warn!(source = feed.name, message, "the source has trouble, and goes on by itself");
        }
        self.health.source(&feed.name, SourceHealth::Troubled { message });
    }

    /// Whether a model reads a partition of this source: all of them, but of what is sent only what is sent to itself.
    pub(super) fn reads(&self, at: usize, source: usize, partition: &Partition) -> bool {
        let own = &self.models[at];
        let door = self.feeds[source].doors.get(partition);
        own.source == source && door.is_none_or(|door| door.model() == own.model.config.model)
    }

    /// Holds a partition against the windows of rows of a model: the rows of two have no order, so which shared a window
    /// would be chance (SEMANTICS S26).
    ///
    /// # Errors
    ///
    /// There is another one; what was counted before is committed.
    pub(super) fn admit(
        &mut self,
        at: usize,
        source: usize,
        partition: &Partition,
        id: store::PartitionId,
    ) -> Result<()> {
        let working = &self.models[at];
        let mixes = working.watches.iter().find_map(|watch| {
            let own = watch.flow.only_partition().filter(|own| *own != series_id(id))?;
            Some((own, &working.model.config.windows[watch.window].name))
        });
        let Some((own, window)) = mixes else { return Ok(()) };
        let feed = &self.feeds[source];
        let known = feed.partitions.iter().find(|(_, known)| series_id(known.id) == own);
        let message = format!(
            "window `{window}` of model `{}` is of rows in their order, those of `{}`, and source `{}` now gives rows of \
             `{partition}` too: rows of two partitions have no order; give the topic one partition, or cut event time with \
             such as `length: 1h`; where one input has taken the other's place, another `version` of the model begins anew",
            working.model.config.model,
            known.map_or_else(String::new, |(known, _)| known.to_string()),
            feed.name,
        );
        self.commit_if(true)?;
        Err(Error::input(message))
    }

    pub(super) fn partition(&mut self, source: usize, partition: &Partition) -> &mut PartitionNow {
        let feed = &mut self.feeds[source];
        let name = &feed.name;
        let store = self.committer.store();
        feed.partitions.entry(partition.clone()).or_insert_with(|| {
            let key = PartitionKey { source: name.clone(), partition: partition.clone() };
            PartitionNow {
                id: store.partition(&key),
                position: None,
                quiet_since: None,
                was_caught_up: false,
            }
        })
    }

    /// A partition that is not there brings nothing: like one that was read to its end it is idle after a while, and does
    /// not hold up the others for ever. Not at once, because it may be a broker's restart that hides it.
    pub(super) fn lose(&mut self, source: usize, partition: &Partition, now: i64) {
        if let Some(own) = self.feeds[source].partitions.get_mut(partition) {
            own.quiet_since.get_or_insert(now);
        }
    }

    /// Forgets that partitions were read to their end; answers which.
    pub(super) fn wake_all(&mut self, source: usize) -> Vec<store::PartitionId> {
        let all = self.feeds[source].partitions.values_mut();
        all.filter_map(|own| own.quiet_since.take().map(|_| own.id)).collect()
    }

    pub(super) fn remember(
        &mut self,
        source: usize,
        partition: &Partition,
        id: store::PartitionId,
        position: Position,
    ) {
        self.progress.pending.is_dirty = true;
        self.progress.pending.positions.entry(source).or_default().insert(partition.clone(), position);
        let state = store::PartitionState { id, position, note: Vec::new() };
        match self.progress.pending.commit.partitions.iter_mut().find(|own| own.id == id) {
            Some(own) => *own = state,
            None => self.progress.pending.commit.partitions.push(state),
        }
    }
}

/// Partitions have the same number in the store and in a series.
pub(super) fn series_id(id: store::PartitionId) -> PartitionId {
    PartitionId(u32::try_from(id.0).unwrap_or(u32::MAX))
}
