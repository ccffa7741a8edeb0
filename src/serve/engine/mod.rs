//! The engine thread: every event, one after the other.
//!
//! It owns the series, the alerts and the store. After each event that moves a series it judges what closed, and writes
//! state when a window closed or the commit interval is over. Between events it waits for the next, or for whatever
//! falls due first: a commit, a partition that becomes idle, a correction that was held back.

mod count;
mod diagnose;
mod feed;
mod freshness;
mod gauge;
mod gone;
mod reload;
mod say;
#[cfg(test)]
mod simulation;
mod take;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, never, select};
use driftlead_connectors::store::{self};
use tracing::{error, info, warn};

pub(super) use self::feed::Feed;
use self::feed::series_id;
pub(super) use self::reload::Anew;
pub(super) use self::take::Waiting;
use super::commit::{Committer, Pending};
use super::counters::{Counters, OfSink, OfSource};
use super::dead::DeadLetters;
use super::diary::Diary;
use super::event::Event;
use super::fault;
use super::health::{Health, SourceHealth};
use super::layout::Placed;
use super::model::Model;
use super::reader::Control;
use super::silence::Silences;
use super::watch::Watch;
use super::wire::{self, Body};
use crate::clock::Clock;
use crate::exit::{Error, Result};
use crate::time::Timestamp;

/// The engine thread looks around at least so often.
const TICK: Duration = Duration::from_millis(200);
/// While chunks wait, closed windows and requests wait so long for company before they are committed, in microseconds.
const GATHER: i64 = 250_000;
/// How often the store is swept, in microseconds.
const SWEEP_EVERY: i64 = 10_000_000;
/// How long a shutdown waits for the source threads, in microseconds.
const PATIENCE: i64 = 5_000_000;

/// A model with its windows.
pub(super) struct Working {
    pub(super) model: Model,
    /// The place of its source.
    pub(super) source: usize,
    /// Each wanted column's place among the source's.
    pub(super) places: Vec<usize>,
    /// Its place among the source's time columns; `None` if it names no `time`.
    pub(super) time: Option<usize>,
    pub(super) watches: Vec<Watch>,
    /// For each sink of the model its name, and whether it wants verdicts and alerts.
    pub(super) sinks: Vec<Subscription>,
}

impl Working {
    /// A model at its place, with its windows.
    pub(super) fn new(placed: Placed, watches: Vec<Watch>) -> Self {
        let Placed { model, source, places, time, sinks } = placed;
        Self { model, source, places, time, watches, sinks }
    }
}

/// What a sink wants.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) sink: String,
    pub(super) verdicts: bool,
    pub(super) alerts: bool,
}

/// Why the engine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Somebody asked.
    Stopped,
    /// Every source has ended.
    Exhausted,
}

/// Why the engine thread stops to go round.
pub(super) enum Outcome {
    /// The service ends.
    Ended(End),
    /// All is committed and no source is read: it is to go on with other settings.
    Anew(Box<Anew>),
}

/// The state of the engine thread.
pub(super) struct Engine {
    pub(super) models: Vec<Working>,
    pub(super) feeds: Vec<Feed>,
    pub(super) dead: Vec<DeadLetters>,
    pub(super) committer: Committer,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) counters: Arc<Counters>,
    pub(super) commit_every: i64,
    /// What the sources say.
    pub(super) events: Receiver<Event>,
    /// What people ask for.
    pub(super) orders: Receiver<Event>,
    pub(super) health: Arc<Health>,
    /// Who hears of every verdict and alert once it is committed, beside the sinks.
    pub(super) listener: Option<Sender<Body>>,
    pub(super) reader: store::Reader,
    pub(super) retention: store::Retention,
    /// What all sinks want, whichever models name them.
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) silences: Silences,
    /// Open alerts by id, as they were last said.
    pub(super) open: BTreeMap<String, OpenAlert>,
    /// What it says of itself.
    pub(super) diary: Diary,
    pub(super) progress: Progress,
}

/// How far an engine is.
pub(super) struct Progress {
    /// When it started.
    began: i64,
    /// Since when these sources are read: a reload may begin anew.
    reads_since: i64,
    swept_at: i64,
    outbox_seen_at: i64,
    silences_seen_at: i64,
    committed_at: i64,
    pending: Pending,
}

impl Progress {
    /// That of an engine that starts `now`.
    pub(super) fn since(now: i64) -> Self {
        Self {
            began: now,
            reads_since: now,
            swept_at: now,
            outbox_seen_at: now,
            silences_seen_at: i64::MIN,
            committed_at: now,
            pending: Pending::default(),
        }
    }
}

/// An alert that is open.
#[derive(Debug)]
pub(super) struct OpenAlert {
    alert: store::Alert,
    /// Whether its last message was kept back by a silence.
    is_kept_back: bool,
}

impl OpenAlert {
    /// The alerts that were open at the last commit, by id.
    ///
    /// Whether a message was kept back before the start is not known: one that a silence may have kept back is sent again
    /// when none does, which under its old key is the same message.
    pub(super) fn all(alerts: Vec<store::Alert>, silences: &Silences) -> BTreeMap<String, Self> {
        let with_id = |alert: store::Alert| {
            let is_kept_back = silences.may_have_kept_back(&alert);
            (alert.id.clone(), Self { alert, is_kept_back })
        };
        alerts.into_iter().map(with_id).collect()
    }

    /// When its opening was decided; `None` if an older version opened it.
    fn opened(&self) -> Option<Timestamp> {
        let event: wire::Event = serde_json::from_str(&self.alert.document).ok()?;
        match event.body {
            Body::Alert(alert) => alert.opened,
            Body::Verdict(_) | Body::Gap(_) | Body::Diagnostic(_) => None,
        }
    }
}

impl Engine {
    /// Says that it begins.
    ///
    /// # Errors
    ///
    /// The store takes no commit.
    pub(super) fn begin(&mut self) -> Result<()> {
        self.tell_start();
        // What was changed by the start itself, such as alerts of an old version.
        self.commit_if(true)
    }

    /// Runs until somebody says stop, all sources have ended, or other settings need a new beginning.
    ///
    /// # Errors
    ///
    /// A source that cannot go on, a store that takes no commit. What was committed stays.
    pub(super) fn run(&mut self) -> Result<Outcome> {
        loop {
            self.health.beat(self.clock.now());
            let mut is_deaf = false;
            let event = select! {
                recv(self.orders) -> order => {
                    is_deaf = order.is_err();
                    order.ok()
                }
                recv(self.events) -> event => match event {
                    Ok(event) => Some(event),
                    Err(_) => return Err(Error::run("the threads of all sources have ended without a word")),
                },
                default(self.nap()) => None,
            };
            if is_deaf {
                // Nobody is left who could ask for anything.
                self.orders = never();
            }
            if let Some(outcome) = self.step(event)? {
                return Ok(outcome);
            }
        }
    }

    /// One round: the event, if there is one, then what is due by the clock, then a commit if it is time.
    fn step(&mut self, event: Option<Event>) -> Result<Option<Outcome>> {
        match event {
            Some(Event::Stop) => return self.stop().map(|end| Some(Outcome::Ended(end))),
            Some(Event::Reload { draft, by, answer }) => {
                if let Some(anew) = self.reload(*draft, by, answer)? {
                    self.pause(&anew)?;
                    return Ok(Some(Outcome::Anew(anew)));
                }
            }
            Some(event) => self.take(event)?,
            None => {}
        }
        self.tick()?;
        if self.feeds.iter().all(|feed| feed.has_ended) {
            self.tell_end("every source has ended");
            self.commit_if(true)?;
            return Ok(Some(Outcome::Ended(End::Exhausted)));
        }
        self.commit_if(false)?;
        Ok(None)
    }

    fn take(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Chunk(chunk) => self.take_in(*chunk),
            Event::Assigned { source, partition, position } => {
                self.reading(source);
                let name = self.feeds[source].name.clone();
                let own = self.partition(source, &partition);
                if own.position.is_none() {
                    info!(source = name, %partition, offset = position.next, "begun, as it was never read");
                }
                own.position.get_or_insert(position);
                // One that was quiet, or not there, may hold anything now: it holds the watermark until it is read to its end.
                own.quiet_since = None;
                let id = own.id;
                for at in 0..self.models.len() {
                    if self.reads(at, source, &partition) {
                        self.admit(at, source, &partition, id)?;
                        self.each_watch(at, |watch| watch.wake(series_id(id)))?;
                    }
                }
                Ok(())
            }
            Event::CaughtUp { source, partition, lag } => {
                self.reading(source);
                let now = self.clock.now();
                let name = self.feeds[source].name.clone();
                let own = self.partition(source, &partition);
                if !std::mem::replace(&mut own.was_caught_up, true) {
                    info!(source = name, %partition, "caught up");
                }
                own.quiet_since.get_or_insert(now);
                self.show_lag(source, lag);
                Ok(())
            }
            Event::Lag { source, lag } => {
                self.show_lag(source, lag);
                self.show_delay(Some(source), self.clock.now());
                Ok(())
            }
            Event::Gap { source, partition, expected, found, reason } => {
                let name = &self.feeds[source].name;
                error!(source = name, %partition, expected, found, reason, "records were lost before they were read");
                self.counters.gaps.get_or_create(&OfSource { source: name.clone() }).inc();
                Ok(())
            }
            Event::Lost { source, partition } => {
                let now = self.clock.now();
                self.lose(source, &partition, now);
                Ok(())
            }
            Event::Trouble { source, message } => {
                self.trouble(source, message);
                // What was written meanwhile is not known: who was read to the end has to be again.
                let quiet: Vec<store::PartitionId> = self.wake_all(source);
                for at in 0..self.models.len() {
                    if self.models[at].source == source {
                        self.each_watch(at, |watch| {
                            quiet.iter().try_for_each(|id| watch.wake(series_id(*id)))
                        })?;
                    }
                }
                Ok(())
            }
            Event::Ended { source } => self.end(source),
            // Only after a stop, which waits for it elsewhere.
            Event::Stopped { .. } => Ok(()),
            Event::Failed { source, error } => {
                // What was read before is not lost, and the person sees why it ends.
                self.tell_failure(source, &error);
                self.commit_if(true)?;
                error!(source = self.feeds[source].name, error = error.chain(), "the source cannot go on");
                Err(error)
            }
            Event::Acknowledge { alert, acknowledgement, answer } => {
                let is_known = self.open.contains_key(&alert);
                if is_known {
                    self.tell_acknowledgement(&alert, &acknowledgement);
                    self.progress.pending.commit.acknowledged.push((alert, acknowledgement));
                    self.progress.pending.is_dirty = true;
                    self.commit_if(true)?;
                }
                drop(answer.send(Ok(is_known)));
                Ok(())
            }
            Event::Silence { silence, by, answer } => {
                self.tell_silence(&silence, &by);
                self.progress.pending.commit.silences.retain(|own| own.id != silence.id);
                self.progress.pending.commit.silences.push(silence.clone());
                self.progress.pending.is_dirty = true;
                self.commit_if(true)?;
                self.silences.put(silence);
                // One that was lifted has ended before the last look.
                self.progress.silences_seen_at = i64::MIN;
                drop(answer.send(Ok(())));
                Ok(())
            }
            // They may end the round, which is not for here to say.
            Event::Stop | Event::Reload { .. } => Ok(()),
        }
    }

    /// What falls due by the clock: partitions that became idle, corrections that were held back.
    fn tick(&mut self) -> Result<()> {
        let now = self.clock.now();
        self.break_silence(now);
        self.sweep(now)?;
        self.look_at_freshness(now)?;
        self.tell_status(now);
        for at in 0..self.models.len() {
            let source = self.models[at].source;
            let mut moved = false;
            for watch in 0..self.models[at].watches.len() {
                let window = &self.models[at].model.config.windows[self.models[at].watches[watch].window];
                let idle = window.idle.micros();
                let quiet: Vec<store::PartitionId> = self.feeds[source]
                    .quiet(now, idle)
                    .filter(|(partition, _)| self.reads(at, source, partition))
                    .map(|(_, id)| id)
                    .collect();
                let watch = &mut self.models[at].watches[watch];
                for id in quiet {
                    moved |= watch.set_idle(series_id(id));
                }
                moved |= watch.flow.next_deadline().is_some_and(|deadline| deadline <= now);
            }
            if moved {
                self.progress.pending.is_dirty = true;
                self.close(at, now)?;
            }
        }
        Ok(())
    }

    /// A source has ended: its partitions hold nothing up any more.
    fn end(&mut self, source: usize) -> Result<()> {
        self.feeds[source].has_ended = true;
        self.progress.pending.is_dirty = true;
        self.health.source(&self.feeds[source].name, SourceHealth::Ended);
        info!(source = self.feeds[source].name, "the source has ended");
        for at in 0..self.models.len() {
            if self.models[at].source == source {
                self.each_watch(at, |watch| {
                    watch.end();
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// Deletes what is beyond its time, a little at once, and looks how the outbox stands.
    fn sweep(&mut self, now: i64) -> Result<()> {
        if (0..SWEEP_EVERY).contains(&now.saturating_sub(self.progress.swept_at)) {
            return Ok(());
        }
        let swept = self
            .committer
            .store()
            .sweep(now, &self.retention)
            .map_err(|error| Error::run(error.to_string()).because(error))?;
        if swept.too_large {
            warn!("the store is larger than `retention.size`, and nothing is left that may be deleted");
        }
        // More of the same is done after the next events.
        self.progress.swept_at = if swept.more { self.progress.swept_at } else { now };
        if (0..SWEEP_EVERY).contains(&now.saturating_sub(self.progress.outbox_seen_at)) {
            return Ok(());
        }
        self.progress.outbox_seen_at = now;
        for sink in self.reader.sinks().map_err(|error| Error::run(error.to_string()))? {
            let of = OfSink { sink: sink.sink };
            self.counters.outbox.get_or_create(&of).set(i64::try_from(sink.pending).unwrap_or(i64::MAX));
        }
        Ok(())
    }

    /// Changes every window name of a model.
    fn each_watch(&mut self, at: usize, change: impl FnMut(&mut Watch) -> Result<()>) -> Result<()> {
        self.models[at].watches.iter_mut().try_for_each(change)?;
        let now = self.clock.now();
        self.close(at, now)
    }

    /// Writes state if it is time, or if `now_or_never`.
    pub(super) fn commit_if(&mut self, now_or_never: bool) -> Result<()> {
        if !self.progress.pending.is_dirty {
            return Ok(());
        }
        let now = self.clock.now();
        let age = now.saturating_sub(self.progress.committed_at);
        // Windows that closed and requests that wait are committed soon, those that come together at once.
        let is_urgent = !self.progress.pending.commit.windows.is_empty()
            || !self.progress.pending.commit.alerts.is_empty()
            || !self.progress.pending.waiting.is_empty();
        let wait = if is_urgent && (self.events.is_empty() || age >= GATHER) { 0 } else { self.commit_every };
        // A clock that went back must not stop commits.
        if !now_or_never && (0..wait).contains(&age) {
            return Ok(());
        }
        for working in &mut self.models {
            for watch in &mut working.watches {
                watch.stage(&mut self.progress.pending.commit);
            }
        }
        self.committer.commit(&mut self.progress.pending, &mut self.dead)?;
        for working in &mut self.models {
            for watch in &mut working.watches {
                watch.flow.mark_clean();
            }
        }
        self.show_delay(None, now);
        let pending = std::mem::take(&mut self.progress.pending);
        if let Some(listener) = &self.listener {
            for body in pending.heard {
                // One that has stopped to listen misses nothing that it wanted.
                drop(listener.send(body));
            }
        }
        pending.waiting.into_iter().for_each(Waiting::tell);
        for (source, positions) in pending.positions {
            // A thread that has ended needs no telling.
            drop(self.feeds[source].control.send(Control::Committed(positions)));
        }
        self.progress.committed_at = now;
        Ok(())
    }

    /// Ends with everything committed that was read.
    fn stop(&mut self) -> Result<End> {
        self.still(|| Control::Stop)?;
        self.tell_end("somebody asked");
        fault::point("before_shutdown_commit");
        self.commit_if(true)?;
        Ok(End::Stopped)
    }

    /// Has the source threads end by this word, and counts what is under way.
    fn still(&mut self, word: fn() -> Control) -> Result<()> {
        for feed in &self.feeds {
            drop(feed.control.send(word()));
        }
        let deadline = self.clock.now().saturating_add(PATIENCE);
        // Chunks that are under way are counted; the channel closes when the last thread is gone.
        while self.clock.now() < deadline && !self.feeds.iter().all(|feed| feed.has_ended) {
            match self.events.recv_timeout(TICK) {
                Ok(Event::Chunk(chunk)) => self.take_in(*chunk)?,
                Ok(Event::Ended { source } | Event::Stopped { source } | Event::Failed { source, .. }) => {
                    self.feeds[source].has_ended = true;
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(())
    }

    fn nap(&self) -> Duration {
        if !self.progress.pending.is_dirty {
            return TICK;
        }
        let due =
            self.progress.committed_at.saturating_add(self.commit_every).saturating_sub(self.clock.now());
        TICK.min(Duration::from_micros(due.max(1_000).unsigned_abs()))
    }
}
