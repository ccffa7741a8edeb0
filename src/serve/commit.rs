//! THE ORDER: the one module that writes state.
//!
//! 1. Dead letters are written and synced: they are outside of the store, and at least once (SEMANTICS S17).
//! 2. One transaction: panes, heads, alerts, windows, positions, outbox. Before it nothing has happened; after it all has.
//! 3. Only then does the world hear of it: workers are rung, sources are told of positions, requests are answered.
//!
//! A crash between 1 and 2 repeats dead letters; one between 2 and 3 repeats nothing but the ringing, which a restart
//! does anyway. No other module calls `Store::commit`.

use std::collections::BTreeMap;
use std::sync::Arc;

use driftlead_connectors::store::{Commit, Store};
use driftlead_connectors::stream::{Partition, Position};

use super::counters::Counters;
use super::dead::DeadLetters;
use super::engine::Waiting;
use super::fault;
use super::plan::SinkPlan;
use super::sinks::{SinkChanges, Sinks};
use super::wire::Body;
use crate::clock::Clock;
use crate::exit::{Error, Result};

/// What happened since the last commit.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Rows for the store; positions, heads and slots are added when it is written.
    pub(super) commit: Commit,
    /// Positions by source.
    pub(super) positions: BTreeMap<usize, BTreeMap<Partition, Position>>,
    /// Who is answered after the commit.
    pub(super) waiting: Vec<Waiting>,
    /// What listeners hear after the commit.
    pub(super) heard: Vec<Body>,
    /// When the first chunk with a window that closed was received.
    pub(super) closing_since: Option<i64>,
    /// Whether anything is there to be written.
    pub(super) is_dirty: bool,
}

/// Writes state.
pub(super) struct Committer {
    store: Store,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    sinks: Sinks,
    /// How long the newest commit took, in microseconds.
    took: Option<i64>,
}

impl Committer {
    pub(super) fn new(store: Store, clock: Arc<dyn Clock>, counters: Arc<Counters>, sinks: Sinks) -> Self {
        Self { store, clock, counters, sinks, took: None }
    }

    /// The store, for ids and reading.
    pub(super) fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    /// How long the newest commit took, in microseconds; `None` before the first.
    pub(super) fn took(&self) -> Option<i64> {
        self.took
    }

    /// From now on these are the sinks; `others` have other settings than before.
    ///
    /// # Errors
    ///
    /// The store gives no connection for a new one; then nothing has changed.
    pub(super) fn put_sinks(&mut self, plans: Vec<SinkPlan>, others: &[String]) -> Result<SinkChanges> {
        let Self { store, sinks, .. } = self;
        let is_other = |name: &str| others.iter().any(|other| other == name);
        let outbox = || store.outbox().map_err(|error| Error::run(error.to_string()).because(error));
        sinks.put(plans, is_other, outbox)
    }

    /// Writes all of `pending`, or fails and leaves the store as it was; then what was pending is still to be written.
    ///
    /// # Errors
    ///
    /// A dead letter cannot be written, or the store takes no commit.
    pub(super) fn commit(&mut self, pending: &mut Pending, dead: &mut [DeadLetters]) -> Result<()> {
        let began = self.clock.now();
        for letters in dead.iter_mut() {
            letters.flush()?;
        }
        fault::point("dead_letters_written");
        pending.commit.now = began;
        fault::point("before_commit");
        self.store.commit(&pending.commit).map_err(|error| {
            let message = error.to_string();
            match error.kind() {
                driftlead_connectors::ErrorKind::Unavailable => Error::run(message).because(error),
                _ => Error::input(message).because(error),
            }
        })?;
        fault::point("after_commit");
        let ended = self.clock.now();
        let seconds = |from: i64| (ended.saturating_sub(from)) as f64 / 1e6;
        self.took = Some(ended.saturating_sub(began));
        self.counters.commits.inc();
        self.counters.commit_latency.observe(seconds(began));
        if let Some(since) = pending.closing_since {
            self.counters.close_latency.observe(seconds(since));
        }
        if !pending.commit.messages.is_empty() {
            // A worker that is busy finds the permit when it is done.
            self.sinks.ring();
        }
        Ok(())
    }
}
