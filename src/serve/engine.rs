//! The engine thread: every event, one after the other.
//!
//! It owns the series, the alerts and the store. After each event that moves a series it judges what closed, and writes
//! state when a window closed or the commit interval is over. Between events it waits for the next, or for whatever
//! falls due first: a commit, a partition that becomes idle, a correction that was held back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use driftlead_connectors::store::{self, PartitionKey};
use driftlead_connectors::stream::{Partition, Position};
use driftlead_engine::accumulate::Split;
use driftlead_engine::alert::Change;
use driftlead_engine::stream::{PartitionId, Rows as SeriesRows};
use tracing::{error, info, warn};

use super::alerting;
use super::chunk::Chunk;
use super::commit::{Committer, Pending};
use super::counters::{
    Counters, OfModel, OfPartition, OfReason, OfSink, OfSource, OfValue, OfVerdict, OfWindow,
};
use super::dead::DeadLetters;
use super::event::Event;
use super::fault;
use super::health::{Health, SourceHealth};
use super::model::Model;
use super::reader::Control;
use super::silence::{Silences, Subject};
use super::watch::{Bench, Closed, Watch};
use super::wire::{self, Body, Status};
use crate::clock::Clock;
use crate::exit::{Error, Result};
use crate::report::Verdict;
use crate::time::Timestamp;

/// The engine thread looks around at least so often.
const TICK: Duration = Duration::from_millis(200);
/// While chunks wait, closed windows wait so long for company before they are committed, in microseconds.
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
    /// Its place among the source's time columns.
    pub(super) time: usize,
    pub(super) watches: Vec<Watch>,
    /// For each sink of the model its name, and whether it wants verdicts and alerts.
    pub(super) sinks: Vec<Subscription>,
}

/// What a sink wants.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) sink: String,
    pub(super) verdicts: bool,
    pub(super) alerts: bool,
}

/// A source as the engine sees it.
pub(super) struct Feed {
    pub(super) name: String,
    pub(super) control: Sender<Control>,
    pub(super) partitions: BTreeMap<Partition, PartitionNow>,
    pub(super) has_ended: bool,
}

impl Feed {
    /// A source with the partitions that the store knows of.
    pub(super) fn new(name: &str, control: Sender<Control>, loaded: &store::Loaded) -> Self {
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
        Self { name: name.to_owned(), control, partitions, has_ended: false }
    }
}

/// What is known of a partition.
#[derive(Debug)]
pub(super) struct PartitionNow {
    id: store::PartitionId,
    position: Option<Position>,
    /// When it was read to its end, if nothing came since.
    quiet_since: Option<i64>,
    /// Whether it was ever read to its end.
    was_caught_up: bool,
}

/// Why the engine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Somebody asked.
    Stopped,
    /// Every source has ended.
    Exhausted,
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
    pub(super) events: Receiver<Event>,
    pub(super) health: Arc<Health>,
    pub(super) listener: Option<Sender<Body>>,
    reader: store::Reader,
    retention: store::Retention,
    swept_at: i64,
    silences: Silences,
    /// Open alerts by id, as they were last said.
    open: BTreeMap<String, OpenAlert>,
    silences_seen_at: i64,
    pending: Pending,
    committed_at: i64,
}

/// The parts of an engine.
pub(super) struct Parts {
    pub(super) models: Vec<Working>,
    pub(super) feeds: Vec<Feed>,
    pub(super) dead: Vec<DeadLetters>,
    pub(super) committer: Committer,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) counters: Arc<Counters>,
    pub(super) commit_every: i64,
    pub(super) events: Receiver<Event>,
    pub(super) health: Arc<Health>,
    /// Who hears of every verdict and alert once it is committed, beside the sinks.
    pub(super) listener: Option<Sender<Body>>,
    pub(super) reader: store::Reader,
    pub(super) retention: store::Retention,
    pub(super) silences: Silences,
    pub(super) alerts: Vec<store::Alert>,
}

/// An alert that is open.
#[derive(Debug)]
struct OpenAlert {
    alert: store::Alert,
    /// Whether its last message was kept back by a silence.
    is_kept_back: bool,
}

impl Engine {
    pub(super) fn new(parts: Parts) -> Self {
        let committed_at = parts.clock.now();
        let Parts {
            models,
            feeds,
            dead,
            committer,
            clock,
            counters,
            commit_every,
            events,
            health,
            listener,
            reader,
            retention,
            silences,
            alerts,
        } = parts;
        let pending = Pending::default();
        counters.open_alerts.set(i64::try_from(alerts.len()).unwrap_or(i64::MAX));
        // Whether the last message went out is the outbox's knowledge: sending it again does nothing under its old key.
        let open = alerts
            .into_iter()
            .map(|alert| (alert.id.clone(), OpenAlert { alert, is_kept_back: true }))
            .collect();
        Self {
            models,
            feeds,
            dead,
            committer,
            clock,
            counters,
            commit_every,
            events,
            health,
            listener,
            reader,
            retention,
            swept_at: committed_at,
            silences,
            open,
            silences_seen_at: committed_at,
            pending,
            committed_at,
        }
    }

    /// Ends series that no model has any more: another version, baseline or window took their place. Their open alerts
    /// are resolved as superseded (SEMANTICS S19).
    pub(super) fn retire(&mut self, stale: Vec<store::Series>) -> Result<()> {
        let now = self.clock.now();
        for series in stale {
            info!(
                model = series.key.model,
                version = series.key.version,
                window = series.key.name,
                "series ended"
            );
            let Some(at) = self.models.iter().position(|own| own.model.config.model == series.key.model)
            else {
                // A model that is gone may come back.
                continue;
            };
            let changes = match series.track.as_deref().filter(|bytes| !bytes.is_empty()) {
                Some(bytes) => Watch::superseded(bytes)?,
                None => Vec::new(),
            };
            for change in &changes {
                self.note_change_of(at, &series.key.version, &series.key.name, change, None, now)?;
            }
            self.pending.commit.forgotten_series.push(series.id);
            self.pending.is_dirty = true;
        }
        Ok(())
    }

    /// Runs until somebody says stop or all sources have ended.
    ///
    /// # Errors
    ///
    /// A source that cannot go on, a store that takes no commit. What was committed stays.
    pub(super) fn run(&mut self) -> Result<End> {
        // What was changed by the start itself, such as alerts of an old version.
        self.commit_if(true)?;
        loop {
            self.health.beat(self.clock.now());
            match self.events.recv_timeout(self.nap()) {
                Ok(Event::Stop) => return self.stop(),
                Ok(event) => self.take(event)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.stop(),
            }
            self.tick()?;
            if self.feeds.iter().all(|feed| feed.has_ended) {
                self.commit_if(true)?;
                return Ok(End::Exhausted);
            }
            self.commit_if(false)?;
        }
    }

    fn take(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Chunk(chunk) => self.count(&chunk),
            Event::Assigned { source, partition, position } => {
                self.health.source(&self.feeds[source].name, SourceHealth::Reading);
                self.partition(source, &partition).position.get_or_insert(position);
                let id = self.partition(source, &partition).id;
                self.each_watch(source, |watch| watch.series.assign(series_id(id)))
            }
            Event::CaughtUp { source, partition, lag } => {
                self.health.source(&self.feeds[source].name, SourceHealth::Reading);
                let now = self.clock.now();
                let name = self.feeds[source].name.clone();
                let own = self.partition(source, &partition);
                if !std::mem::replace(&mut own.was_caught_up, true) {
                    info!(source = name, %partition, "caught up");
                }
                own.quiet_since.get_or_insert(now);
                for (partition, records) in lag {
                    let of = OfPartition {
                        source: self.feeds[source].name.clone(),
                        topic: partition.topic,
                        partition: partition.number,
                    };
                    self.counters.lag.get_or_create(&of).set(i64::try_from(records).unwrap_or(i64::MAX));
                }
                Ok(())
            }
            Event::Gap { source, partition, expected, found, reason } => {
                let name = &self.feeds[source].name;
                error!(source = name, %partition, expected, found, reason, "records were lost before they were read");
                self.counters.gaps.get_or_create(&OfSource { source: name.clone() }).inc();
                Ok(())
            }
            Event::Trouble { source, message } => {
                warn!(
                    source = self.feeds[source].name,
                    message, "the source has trouble, and goes on by itself"
                );
                self.health.source(&self.feeds[source].name, SourceHealth::Troubled { message });
                Ok(())
            }
            Event::Ended { source } => self.end(source),
            Event::Failed { source, error } => {
                // What was read before is not lost, and the person sees why it ends.
                self.commit_if(true)?;
                error!(source = self.feeds[source].name, error = error.chain(), "the source cannot go on");
                Err(error)
            }
            Event::Reload { models, answer } => {
                let changed = self.reload(models)?;
                drop(answer.send(changed));
                Ok(())
            }
            Event::Acknowledge { alert, acknowledgement, answer } => {
                let is_known = self.open.contains_key(&alert);
                if is_known {
                    self.pending.commit.acknowledged.push((alert, acknowledgement));
                    self.pending.is_dirty = true;
                    self.commit_if(true)?;
                }
                drop(answer.send(Ok(is_known)));
                Ok(())
            }
            Event::Silence { silence, answer } => {
                self.pending.commit.silences.retain(|own| own.id != silence.id);
                self.pending.commit.silences.push(silence.clone());
                self.pending.is_dirty = true;
                self.commit_if(true)?;
                self.silences.put(silence);
                drop(answer.send(Ok(())));
                Ok(())
            }
            Event::Stop => Ok(()),
        }
    }

    /// Counts a chunk's rows in every model that reads its source.
    fn count(&mut self, chunk: &Chunk) -> Result<()> {
        let source = chunk.source;
        self.health.source(&self.feeds[source].name, SourceHealth::Reading);
        let of = OfSource { source: self.feeds[source].name.clone() };
        self.counters.records.get_or_create(&of).inc_by(chunk.records);
        for (reason, count) in chunk.dead_by_reason() {
            let of = OfReason { source: of.source.clone(), reason: reason.to_owned() };
            self.counters.bad_records.get_or_create(&of).inc_by(count);
        }
        let now = self.clock.now();
        self.dead[source].add(&chunk.partition, &chunk.dead, now);
        let partition = self.partition(source, &chunk.partition);
        partition.position = Some(chunk.position);
        partition.quiet_since = None;
        let id = partition.id;
        self.remember(source, &chunk.partition, id, chunk.position);
        if let Some(file) = &chunk.file {
            self.pending.commit.files.retain(|own| (&own.source, &own.path) != (&file.source, &file.path));
            self.pending.commit.files.push(file.clone());
        }
        for at in 0..self.models.len() {
            if self.models[at].source != source {
                continue;
            }
            self.count_model(at, chunk, id)?;
            fault::point("chunk_counted");
            self.close(at, chunk.received)?;
        }
        Ok(())
    }

    fn count_model(&mut self, at: usize, chunk: &Chunk, partition: store::PartitionId) -> Result<()> {
        let working = &mut self.models[at];
        let rows = working.model.rows(chunk, &working.places, working.time)?;
        if rows.excluded > 0 {
            let of = OfModel { model: working.model.config.model.clone() };
            self.counters.excluded.get_or_create(&of).inc_by(rows.excluded);
        }
        let features = working.model.features(&rows);
        let splits: Vec<Split<'_>> =
            rows.segments.iter().map(|own| Split { segments: &own.segments, rows: &own.rows }).collect();
        let batch = SeriesRows { times: &rows.times, features: &features, failed: &[], splits: &splits };
        for watch in &mut working.watches {
            let added = watch.add(series_id(partition), &batch);
            let of = OfWindow {
                model: working.model.config.model.clone(),
                window: working.model.config.windows[watch.window].name.clone(),
            };
            self.counters.rows.get_or_create(&of).inc_by(added.counted);
            if added.late > 0 {
                self.counters.late_rows.get_or_create(&of).inc_by(added.late);
            }
            if added.late_after_final > 0 {
                self.counters.late_after_final.get_or_create(&of).inc_by(added.late_after_final);
            }
        }
        self.pending.is_dirty = true;
        Ok(())
    }

    /// Judges what closed in a model's windows, and notes it for the next commit.
    fn close(&mut self, at: usize, since: i64) -> Result<()> {
        let now = self.clock.now();
        let working = &mut self.models[at];
        let bench = Bench::of(&working.model);
        let mut all = Vec::new();
        for watch in &mut working.watches {
            let closed = watch.close(&bench, now);
            if !closed.windows.is_empty() || !closed.gaps.is_empty() {
                all.push((working.model.config.windows[watch.window].name.clone(), closed));
            }
        }
        for (name, closed) in all {
            self.pending.closing_since.get_or_insert(since);
            self.note(at, &name, closed, now)?;
        }
        fault::point("windows_judged");
        Ok(())
    }

    /// Windows, alerts and messages of one closing, as rows for the store.
    fn note(&mut self, at: usize, name: &str, closed: Closed, now: i64) -> Result<()> {
        self.pending.is_dirty = true;
        for (place, (window, segment)) in closed.windows.iter().zip(&closed.segments).enumerate() {
            self.note_window(at, name, window, segment.as_deref(), now)?;
            // In the order in which they came about.
            for (change, _) in closed.changes.iter().filter(|(_, at)| *at == Some(place)) {
                self.note_change(at, name, change, Some(window), now)?;
            }
        }
        for (change, _) in closed.changes.iter().filter(|(_, at)| at.is_none()) {
            self.note_change(at, name, change, None, now)?;
        }
        for gap in closed.gaps {
            info!(
                model = self.models[at].model.config.model,
                window = name,
                windows = gap.windows,
                "windows without rows"
            );
        }
        Ok(())
    }

    /// One window: its row, and its messages.
    fn note_window(
        &mut self,
        at: usize,
        name: &str,
        window: &crate::report::wire::Window,
        segment: Option<&str>,
        now: i64,
    ) -> Result<()> {
        let working = &self.models[at];
        let config = &working.model.config;
        let model =
            crate::report::wire::Model { name: config.model.clone(), version: config.version.clone() };
        if working
            .watches
            .iter()
            .any(|own| own.is_new && working.model.config.windows[own.window].name == name)
            && self.is_said(window)?
        {
            return Ok(());
        }
        let revision = window.arrival.map_or(0, |arrival| arrival.revision);
        let is_final = window.arrival.is_none_or(|arrival| arrival.is_final);
        let of = OfVerdict {
            model: config.model.clone(),
            window: name.to_owned(),
            verdict: window.verdict.name().to_owned(),
        };
        self.counters.windows.get_or_create(&of).inc();
        self.pending.commit.windows.push(store::Window {
            id: window.id.clone(),
            revision: u32::try_from(revision).unwrap_or(u32::MAX),
            model: config.model.clone(),
            version: config.version.clone(),
            name: name.to_owned(),
            segment: segment.map(str::to_owned),
            start: window.start.map(Timestamp::micros),
            end: window.end.map(Timestamp::micros),
            verdict: window.verdict.name().to_owned(),
            is_final,
            document: json(window)?,
        });
        if segment.is_none() {
            show_values(&self.counters, &config.model, name, window);
        }
        let wanted: Vec<&Subscription> = working.sinks.iter().filter(|sink| sink.verdicts).collect();
        if !wanted.is_empty() || self.listener.is_some() {
            let verdict = Body::Verdict(wire::Verdict {
                id: window.id.clone(),
                revision,
                time: Timestamp::from_micros(now),
                model: model.clone(),
                window: window.clone(),
            });
            if self.listener.is_some() {
                self.pending.heard.push(verdict.clone());
            }
            let event = wire::Event { schema: wire::SCHEMA.to_owned(), body: verdict };
            let body = json(&event)?;
            for subscription in wanted {
                self.pending.commit.messages.push(store::Message {
                    key: driftlead_engine::id::delivery_key(&window.id, revision, &subscription.sink),
                    sink: subscription.sink.clone(),
                    lane: Some(window.id.clone()),
                    body: body.clone(),
                });
            }
        }
        Ok(())
    }

    /// Whether the store has this window's last word already, or this revision: a series that begins anew over records
    /// that an earlier one has read says nothing twice (SEMANTICS S15: a committed revision never changes).
    fn is_said(&self, window: &crate::report::wire::Window) -> Result<bool> {
        let revision = window.arrival.map_or(0, |arrival| arrival.revision);
        let said = self.reader.revisions(&window.id).map_err(|error| Error::run(error.to_string()))?;
        Ok(said.first().is_some_and(|last| last.is_final || u64::from(last.revision) >= revision))
    }

    /// One change of an alert: its row, and its messages.
    fn note_change(
        &mut self,
        at: usize,
        name: &str,
        change: &Change,
        window: Option<&crate::report::wire::Window>,
        now: i64,
    ) -> Result<()> {
        let version = self.models[at].model.config.version.clone();
        self.note_change_of(at, &version, name, change, window, now)
    }

    fn note_change_of(
        &mut self,
        at: usize,
        version: &str,
        name: &str,
        change: &Change,
        window: Option<&crate::report::wire::Window>,
        now: i64,
    ) -> Result<()> {
        let working = &self.models[at];
        let config = &working.model.config;
        let model = crate::report::wire::Model { name: config.model.clone(), version: version.to_owned() };
        let alert = alerting::message(model, name, change, window, now);
        let is_over = alert.status == Status::Resolved;
        let _: i64 = self.counters.open_alerts.inc_by(match alert.status {
            Status::Open => 1,
            Status::Update => 0,
            Status::Resolved => -1,
        });
        info!(
            model = config.model,
            alert = alert.id,
            status = alert.status.word(),
            severity = alert.severity,
            segment = change.segment.as_deref().unwrap_or(""),
            "alert"
        );
        let revision = alert.revision;
        if self.listener.is_some() {
            self.pending.heard.push(Body::Alert(alert.clone()));
        }
        let event = wire::Event { schema: wire::SCHEMA.to_owned(), body: Body::Alert(alert) };
        let document = json(&event)?;
        let alert = store::Alert {
            id: change.alert_id.clone(),
            revision: u32::try_from(revision).unwrap_or(u32::MAX),
            model: config.model.clone(),
            version: version.to_owned(),
            name: name.to_owned(),
            segment: change.segment.clone(),
            status: if is_over { store::AlertStatus::Resolved } else { store::AlertStatus::Open },
            severity: change.severity.name().to_owned(),
            opened: change.first_window.end,
            resolved: is_over.then_some(change.window.end),
            document,
            acknowledged: None,
        };
        self.pending.commit.alerts.push(alert.clone());
        let is_kept_back = self.is_kept_back(&alert, now);
        if !is_kept_back {
            self.send(at, &alert);
        }
        if is_over {
            self.open.remove(&alert.id);
        } else {
            self.open.insert(alert.id.clone(), OpenAlert { alert, is_kept_back });
        }
        self.pending.is_dirty = true;
        Ok(())
    }

    /// An alert as it stands, as a message for each sink that wants it.
    fn send(&mut self, at: usize, alert: &store::Alert) {
        for subscription in self.models[at].sinks.iter().filter(|sink| sink.alerts) {
            self.pending.commit.messages.push(store::Message {
                key: driftlead_engine::id::delivery_key(
                    &alert.id,
                    u64::from(alert.revision),
                    &subscription.sink,
                ),
                sink: subscription.sink.clone(),
                lane: Some(alert.id.clone()),
                body: alert.document.clone(),
            });
        }
    }

    fn is_kept_back(&self, alert: &store::Alert, now: i64) -> bool {
        let segment = alert.segment.as_deref().and_then(crate::job::segments::pairs_of);
        let subject = Subject {
            model: &alert.model,
            window: &alert.name,
            segment: segment.as_deref(),
            alert: &alert.id,
        };
        self.silences.keep_back(subject, now)
    }

    /// Sends what silences that have ended kept back, if it is still open.
    fn break_silence(&mut self, now: i64) {
        let since = std::mem::replace(&mut self.silences_seen_at, now);
        if !self.silences.ended_between(since, now) {
            return;
        }
        let kept: Vec<store::Alert> =
            self.open.values().filter(|open| open.is_kept_back).map(|open| open.alert.clone()).collect();
        for alert in kept {
            if self.is_kept_back(&alert, now) {
                continue;
            }
            let Some(at) = self.models.iter().position(|own| own.model.config.model == alert.model) else {
                continue;
            };
            self.send(at, &alert);
            if let Some(open) = self.open.get_mut(&alert.id) {
                open.is_kept_back = false;
            }
            self.pending.is_dirty = true;
        }
    }

    /// Takes new settings for the models that run, all or none. What would make another series of a model (its baseline,
    /// version, windows, columns, sources) needs a restart, which loses nothing; the inner error says so.
    ///
    /// # Errors
    ///
    /// The state cannot be committed.
    fn reload(&mut self, models: Vec<Model>) -> Result<Result<String>> {
        if let Err(refusal) = self.reloadable(&models) {
            return Ok(Err(refusal));
        }
        let mut changed = Vec::new();
        for model in models {
            let Some(working) =
                self.models.iter_mut().find(|own| own.model.config.model == model.config.model)
            else {
                continue;
            };
            if working.model.config != model.config {
                changed.push(format!("`{}`", model.config.model));
            }
            working.model = model;
            for watch in &mut working.watches {
                watch.retime(&working.model)?;
            }
        }
        // Waiting times that became shorter may close windows.
        for at in 0..self.models.len() {
            let now = self.clock.now();
            self.close(at, now)?;
        }
        self.pending.is_dirty = true;
        self.commit_if(true)?;
        let text = match changed.as_slice() {
            [] => "nothing changed".to_owned(),
            changed => format!("new settings for {}", changed.join(", ")),
        };
        info!(text, "reloaded");
        Ok(Ok(text))
    }

    fn reloadable(&self, models: &[Model]) -> Result<()> {
        let restart = |what: String| {
            Err(Error::input(format!(
                "{what}: restart the service for that, which loses nothing; nothing has changed"
            )))
        };
        if models.len() != self.models.len() {
            return restart("models were added or removed".to_owned());
        }
        for model in models {
            let name = &model.config.model;
            let Some(own) = self.models.iter().find(|own| own.model.config.model == *name) else {
                return restart(format!("the model `{name}` is new"));
            };
            let keys = |model: &Model| -> Result<Vec<store::SeriesKey>> {
                model.config.windows.iter().map(|window| Watch::key(model, window)).collect()
            };
            if keys(model)? != keys(&own.model)? {
                return restart(format!("the version, baseline or windows of `{name}` changed"));
            }
            if model.wanted != own.model.wanted
                || model.config.source != own.model.config.source
                || model.config.sinks != own.model.config.sinks
                || model.config.segments != own.model.config.segments
                || model.config.filter != own.model.config.filter
                || model.config.derive != own.model.config.derive
            {
                return restart(format!("the rows, columns, source or sinks of `{name}` changed"));
            }
        }
        Ok(())
    }

    /// What falls due by the clock: partitions that became idle, corrections that were held back.
    fn tick(&mut self) -> Result<()> {
        let now = self.clock.now();
        self.break_silence(now);
        self.sweep(now)?;
        for at in 0..self.models.len() {
            let source = self.models[at].source;
            let mut moved = false;
            for watch in 0..self.models[at].watches.len() {
                let window = &self.models[at].model.config.windows[self.models[at].watches[watch].window];
                let idle = window.idle.micros();
                let quiet: Vec<store::PartitionId> = self.feeds[source]
                    .partitions
                    .values()
                    .filter(|partition| {
                        partition.quiet_since.is_some_and(|since| now.saturating_sub(since) >= idle)
                    })
                    .map(|partition| partition.id)
                    .collect();
                let watch = &mut self.models[at].watches[watch];
                for id in quiet {
                    moved |= watch.set_idle(series_id(id));
                }
                moved |= watch.series.next_deadline().is_some_and(|deadline| deadline <= now);
            }
            if moved {
                self.pending.is_dirty = true;
                self.close(at, now)?;
            }
        }
        Ok(())
    }

    /// A source has ended: its partitions hold nothing up any more.
    fn end(&mut self, source: usize) -> Result<()> {
        self.feeds[source].has_ended = true;
        self.pending.is_dirty = true;
        self.health.source(&self.feeds[source].name, SourceHealth::Ended);
        info!(source = self.feeds[source].name, "the source has ended");
        self.each_watch(source, Watch::end)
    }

    /// Deletes what is beyond its time, a little at once, and looks how the outbox stands.
    fn sweep(&mut self, now: i64) -> Result<()> {
        if (0..SWEEP_EVERY).contains(&now.saturating_sub(self.swept_at)) {
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
        self.swept_at = if swept.more { self.swept_at } else { now };
        for sink in self.reader.sinks().map_err(|error| Error::run(error.to_string()))? {
            let of = OfSink { sink: sink.sink };
            self.counters.outbox.get_or_create(&of).set(i64::try_from(sink.pending).unwrap_or(i64::MAX));
        }
        Ok(())
    }

    fn each_watch(&mut self, source: usize, mut change: impl FnMut(&mut Watch)) -> Result<()> {
        for at in 0..self.models.len() {
            if self.models[at].source == source {
                self.models[at].watches.iter_mut().for_each(&mut change);
                let now = self.clock.now();
                self.close(at, now)?;
            }
        }
        Ok(())
    }

    /// Writes state if it is time, or if `now_or_never`.
    fn commit_if(&mut self, now_or_never: bool) -> Result<()> {
        if !self.pending.is_dirty {
            return Ok(());
        }
        let now = self.clock.now();
        let age = now.saturating_sub(self.committed_at);
        let has_closed = !self.pending.commit.windows.is_empty() || !self.pending.commit.alerts.is_empty();
        let wait =
            if has_closed && (self.events.is_empty() || age >= GATHER) { 0 } else { self.commit_every };
        // A clock that went back must not stop commits.
        if !now_or_never && (0..wait).contains(&age) {
            return Ok(());
        }
        for working in &mut self.models {
            for watch in &mut working.watches {
                watch.stage(&mut self.pending.commit);
            }
        }
        self.committer.commit(&mut self.pending, &mut self.dead)?;
        for working in &mut self.models {
            for watch in &mut working.watches {
                watch.series.mark_clean();
                let of = OfWindow {
                    model: working.model.config.model.clone(),
                    window: working.model.config.windows[watch.window].name.clone(),
                };
                if let Some(watermark) = watch.series.watermark().filter(|watermark| *watermark < i64::MAX) {
                    let delay = now.saturating_sub(watermark) as f64 / 1e6;
                    self.counters.watermark_delay.get_or_create(&of).set(delay);
                }
            }
        }
        let pending = std::mem::take(&mut self.pending);
        if let Some(listener) = &self.listener {
            for body in pending.heard {
                // One that has stopped to listen misses nothing that it wanted.
                drop(listener.send(body));
            }
        }
        for (source, positions) in pending.positions {
            // A thread that has ended needs no telling.
            drop(self.feeds[source].control.send(Control::Committed(positions)));
        }
        self.committed_at = now;
        Ok(())
    }

    /// Ends with everything committed that was read.
    fn stop(&mut self) -> Result<End> {
        for feed in &self.feeds {
            drop(feed.control.send(Control::Stop));
        }
        let deadline = self.clock.now().saturating_add(PATIENCE);
        // Chunks that are under way are counted; the channel closes when the last thread is gone.
        while self.clock.now() < deadline {
            match self.events.recv_timeout(TICK) {
                Ok(Event::Chunk(chunk)) => self.count(&chunk)?,
                Ok(Event::Ended { source }) => self.feeds[source].has_ended = true,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        fault::point("before_shutdown_commit");
        self.commit_if(true)?;
        Ok(End::Stopped)
    }

    fn nap(&self) -> Duration {
        if !self.pending.is_dirty {
            return TICK;
        }
        let due = self.committed_at.saturating_add(self.commit_every).saturating_sub(self.clock.now());
        TICK.min(Duration::from_micros(due.max(1_000).unsigned_abs()))
    }

    fn partition(&mut self, source: usize, partition: &Partition) -> &mut PartitionNow {
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

    fn remember(&mut self, source: usize, partition: &Partition, id: store::PartitionId, position: Position) {
        self.pending.is_dirty = true;
        self.pending.positions.entry(source).or_default().insert(partition.clone(), position);
        let state = store::PartitionState { id, position, note: Vec::new() };
        match self.pending.commit.partitions.iter_mut().find(|own| own.id == id) {
            Some(own) => *own = state,
            None => self.pending.commit.partitions.push(state),
        }
    }
}

/// Partitions have the same number in the store and in a series.
fn series_id(id: store::PartitionId) -> PartitionId {
    PartitionId(u32::try_from(id.0).unwrap_or(u32::MAX))
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::run("a result cannot be written as JSON").because(error))
}

/// The newest value of each metric of the whole.
fn show_values(counters: &Counters, model: &str, name: &str, window: &crate::report::wire::Window) {
    for feature in &window.features {
        if feature.verdict == Verdict::Insufficient {
            continue;
        }
        for (metric, measure) in &feature.metrics.0 {
            let Some(value) = measure.value else { continue };
            let of = OfValue {
                model: model.to_owned(),
                window: name.to_owned(),
                feature: feature.name.clone(),
                metric: metric.to_string(),
            };
            counters.set_value(&of, value);
        }
    }
}
