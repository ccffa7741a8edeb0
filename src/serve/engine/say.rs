//! What closed windows and alerts become: rows for the store, messages for the sinks.

use driftlead_connectors::store;
use driftlead_engine::alert::Change;
use driftlead_engine::id::{self, Field};
use tracing::info;

use super::super::alerting;
use super::super::counters::{Counters, OfValue, OfVerdict};
use super::super::watch::{Closed, Watch};
use super::super::wire::{self, Body, Status};
use super::{Engine, OpenAlert, Subscription};
use crate::exit::{Error, Result};
use crate::report::{Verdict, wire as report};
use crate::time::Timestamp;

impl Engine {
    /// Ends series that no model has any more: another version, baseline or window took their place. Their open alerts
    /// are resolved as superseded (SEMANTICS S19). Those of models that are gone are resolved too.
    pub(in crate::serve) fn retire(&mut self, stale: Vec<store::Series>) -> Result<()> {
        let now = self.clock.now();
        for series in stale {
            let Some(at) = self.models.iter().position(|own| own.model.config.model == series.key.model)
            else {
                self.lay_aside(&series)?;
                continue;
            };
            info!(
                model = series.key.model,
                version = series.key.version,
                window = series.key.name,
                "series ended"
            );
            let changes = match series.track.as_deref().filter(|bytes| !bytes.is_empty()) {
                Some(bytes) => Watch::superseded(bytes)?,
                None => Vec::new(),
            };
            for change in &changes {
                self.note_change_of(at, &series.key.version, &series.key.name, change, None, now)?;
            }
            self.progress.pending.commit.forgotten_series.push(series.id);
            self.progress.pending.is_dirty = true;
        }
        self.end_alerts_of_gone(now)
    }

    /// Windows, gaps, alerts and messages of one closing, as rows for the store.
    pub(super) fn note(&mut self, at: usize, name: &str, closed: Closed, now: i64) -> Result<()> {
        self.progress.pending.is_dirty = true;
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
            self.note_gap(at, gap, now)?;
        }
        Ok(())
    }

    /// A stretch of windows without rows: its row, and a message in place of those of its windows.
    fn note_gap(&mut self, at: usize, gap: report::Gap, now: i64) -> Result<()> {
        let working = &self.models[at];
        let config = &working.model.config;
        info!(model = config.model, window = gap.name, windows = gap.windows, "windows without rows");
        let row = store::Gap {
            model: config.model.clone(),
            version: config.version.clone(),
            name: gap.name.clone(),
            start: gap.start.micros(),
            end: gap.end.micros(),
            windows: gap.windows,
        };
        let is_of = |watch: &Watch| config.windows[watch.window].name == gap.name;
        let is_said = working.watches.iter().any(|own| own.is_new && is_of(own)) && self.knows(&row)?;
        let wanted: Vec<&Subscription> = working.sinks.iter().filter(|sink| sink.verdicts).collect();
        if is_said || wanted.is_empty() && self.listener.is_none() {
            self.progress.pending.commit.gaps.push(row);
            return Ok(());
        }
        // Read again, it is the same message.
        let id = id::hash(&[
            Field::Str("gap"),
            Field::Str(&row.model),
            Field::Str(&row.version),
            Field::Str(&row.name),
            Field::Int(row.start),
            Field::Int(row.end),
        ]);
        self.progress.pending.commit.gaps.push(row);
        let model = report::Model { name: config.model.clone(), version: config.version.clone() };
        let time = Timestamp::from_micros(now);
        let body = Body::Gap(wire::Gap { id: id.clone(), revision: 0, time, model, gap });
        if self.listener.is_some() {
            self.progress.pending.heard.push(body.clone());
        }
        let body = json(&wire::Event { schema: wire::SCHEMA.to_owned(), body })?;
        for subscription in wanted {
            self.progress.pending.commit.messages.push(store::Message {
                key: id::delivery_key(&id, 0, &subscription.sink),
                sink: subscription.sink.clone(),
                lane: Some(id.clone()),
                body: body.clone(),
            });
        }
        Ok(())
    }

    /// Whether the store has this gap already: a series that begins anew says nothing twice, as of a window.
    fn knows(&self, gap: &store::Gap) -> Result<bool> {
        let filter = store::GapFilter {
            model: gap.model.clone(),
            version: Some(gap.version.clone()),
            name: Some(gap.name.clone()),
            since: Some(gap.start),
            until: Some(gap.end),
        };
        let found = self.reader.gaps(&filter, None, None).map_err(|error| Error::run(error.to_string()))?;
        Ok(found.iter().any(|own| own == gap))
    }

    /// One window: its row, and its messages.
    pub(super) fn note_window(
        &mut self,
        at: usize,
        name: &str,
        window: &report::Window,
        segment: Option<&str>,
        now: i64,
    ) -> Result<()> {
        let working = &self.models[at];
        let config = &working.model.config;
        let model = report::Model { name: config.model.clone(), version: config.version.clone() };
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
        self.progress.pending.commit.windows.push(store::Window {
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
                self.progress.pending.heard.push(verdict.clone());
            }
            let event = wire::Event { schema: wire::SCHEMA.to_owned(), body: verdict };
            let body = json(&event)?;
            for subscription in wanted {
                self.progress.pending.commit.messages.push(store::Message {
                    key: id::delivery_key(&window.id, revision, &subscription.sink),
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
    pub(super) fn is_said(&self, window: &report::Window) -> Result<bool> {
        let revision = window.arrival.map_or(0, |arrival| arrival.revision);
        let said = self.reader.revisions(&window.id).map_err(|error| Error::run(error.to_string()))?;
        Ok(said.first().is_some_and(|last| last.is_final || u64::from(last.revision) >= revision))
    }

    /// One change of an alert: its row, and its messages.
    pub(super) fn note_change(
        &mut self,
        at: usize,
        name: &str,
        change: &Change,
        window: Option<&report::Window>,
        now: i64,
    ) -> Result<()> {
        let version = self.models[at].model.config.version.clone();
        self.note_change_of(at, &version, name, change, window, now)
    }

    pub(super) fn note_change_of(
        &mut self,
        at: usize,
        version: &str,
        name: &str,
        change: &Change,
        window: Option<&report::Window>,
        now: i64,
    ) -> Result<()> {
        let working = &self.models[at];
        let config = &working.model.config;
        let model = report::Model { name: config.model.clone(), version: version.to_owned() };
        let alert = alerting::message((model, config.time.is_some()), name, change, window, now);
        self.note_alert(at, change.segment.as_deref(), alert, now)
    }

    /// One state of an alert: its row, and its messages.
    pub(super) fn note_alert(
        &mut self,
        at: usize,
        segment: Option<&str>,
        alert: wire::Alert,
        now: i64,
    ) -> Result<()> {
        let sinks = self.models[at].sinks.clone();
        self.put_alert(&sinks, segment, alert, now)
    }

    /// The same, with messages for these sinks.
    pub(super) fn put_alert(
        &mut self,
        sinks: &[Subscription],
        segment: Option<&str>,
        mut alert: wire::Alert,
        now: i64,
    ) -> Result<()> {
        alert.opened = match alert.status {
            Status::Open => Some(alert.time),
            Status::Update | Status::Resolved => self.open.get(&alert.id).and_then(OpenAlert::opened),
        };
        let is_over = alert.status == Status::Resolved;
        let _: i64 = self.counters.open_alerts.inc_by(match alert.status {
            Status::Open => 1,
            Status::Update => 0,
            Status::Resolved => -1,
        });
        info!(
            model = alert.model.name,
            alert = alert.id,
            status = alert.status.word(),
            severity = alert.severity,
            window = alert.window,
            segment,
            "alert"
        );
        let revision = alert.revision;
        if self.listener.is_some() {
            self.progress.pending.heard.push(Body::Alert(alert.clone()));
        }
        let row = store::Alert {
            id: alert.id.clone(),
            revision: u32::try_from(revision).unwrap_or(u32::MAX),
            model: alert.model.name.clone(),
            version: alert.model.version.clone(),
            name: alert.window.clone(),
            segment: segment.map(str::to_owned),
            status: if is_over { store::AlertStatus::Resolved } else { store::AlertStatus::Open },
            severity: alert.severity.clone(),
            // Without event time an alert is of when it was first told.
            opened: moment(
                alert.first_window.end,
                self.open.get(&alert.id).map_or(now, |own| own.alert.opened),
            ),
            resolved: is_over.then(|| moment(alert.last_window.period.end, now)),
            document: String::new(),
            acknowledged: None,
        };
        let event = wire::Event { schema: wire::SCHEMA.to_owned(), body: Body::Alert(alert) };
        let alert = store::Alert { document: json(&event)?, ..row };
        self.progress.pending.commit.alerts.push(alert.clone());
        // Who was told of the opening is told of the end, silence or not: else their incident stays open for ever.
        let was_told = self.open.get(&alert.id).is_some_and(|open| !open.is_kept_back);
        let is_kept_back = self.is_kept_back(&alert, now) && !(is_over && was_told);
        if !is_kept_back {
            self.send(sinks, &alert);
        }
        if is_over {
            self.open.remove(&alert.id);
        } else {
            self.open.insert(alert.id.clone(), OpenAlert { alert, is_kept_back });
        }
        self.progress.pending.is_dirty = true;
        Ok(())
    }

    /// An alert as it stands, as a message for each sink that wants it.
    fn send(&mut self, sinks: &[Subscription], alert: &store::Alert) {
        for subscription in sinks.iter().filter(|sink| sink.alerts) {
            self.progress.pending.commit.messages.push(store::Message {
                key: id::delivery_key(&alert.id, u64::from(alert.revision), &subscription.sink),
                sink: subscription.sink.clone(),
                lane: Some(alert.id.clone()),
                body: alert.document.clone(),
            });
        }
    }

    pub(super) fn is_kept_back(&self, alert: &store::Alert, now: i64) -> bool {
        self.silences.keep_back(alert, now)
    }

    /// Sends what silences that have ended kept back, if it is still open.
    pub(super) fn break_silence(&mut self, now: i64) {
        let since = std::mem::replace(&mut self.progress.silences_seen_at, now);
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
            let sinks = self.models[at].sinks.clone();
            self.send(&sinks, &alert);
            if let Some(open) = self.open.get_mut(&alert.id) {
                open.is_kept_back = false;
            }
            self.progress.pending.is_dirty = true;
        }
    }
}

fn moment(time: Option<Timestamp>, otherwise: i64) -> i64 {
    time.map_or(otherwise, Timestamp::micros)
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::run("a result cannot be written as JSON").because(error))
}

/// The newest value of each metric of the whole.
fn show_values(counters: &Counters, model: &str, name: &str, window: &report::Window) {
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
