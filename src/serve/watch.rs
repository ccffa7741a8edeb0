//! One window name of one model at work: its series, its alerts, and what they say.

use std::collections::BTreeSet;

use driftlead_connectors::store;
use driftlead_engine::alert::{self, Change, Track};
use driftlead_engine::baseline::{Baseline, Forecast};
use driftlead_engine::policy::RuleSet;
use driftlead_engine::stream::{Added, PartitionId, Rows as SeriesRows};
use driftlead_engine::window::{Pane, Span, WindowIndex};

use super::alerting;
use super::flow::{Begin, Flow, Step};
use super::model::Model;
use crate::config::{Config, Window};
use crate::exit::Result;
use crate::job::judge::{Counts, Judge, forecast, gap};
use crate::job::seen::kept_window;
use crate::report::wire;

/// A window name of a model, over time.
pub(super) struct Watch {
    /// Its place among the model's windows.
    pub(super) window: usize,
    pub(super) id: store::SeriesId,
    pub(super) flow: Flow,
    pub(super) track: Track,
    /// How many rows such windows have, as the baseline says: it does not change while the series lasts.
    forecast: Option<Forecast>,
    /// Whether the store did not have it when the service started.
    pub(super) is_new: bool,
    /// Whether its panes are kept for a while once their windows are final.
    is_kept: bool,
    /// Whether the input is over, so that the last windows may be partial.
    is_over: bool,
    /// Partitions said to be idle since their last row.
    idle: BTreeSet<PartitionId>,
}

/// What closed at once.
#[derive(Debug, Default)]
pub(super) struct Closed {
    /// Windows, the whole before its segments, in the order in which they closed.
    pub(super) windows: Vec<wire::Window>,
    /// Their segments as texts.
    pub(super) segments: Vec<Option<String>>,
    pub(super) gaps: Vec<wire::Gap>,
    /// Alerts that opened, changed or were resolved, each with the window that brought it, if that closed here.
    pub(super) changes: Vec<(Change, Option<usize>)>,
}

/// What the judging of a model needs.
pub(super) struct Bench<'a> {
    pub(super) config: &'a Config,
    pub(super) baseline: &'a Baseline,
    pub(super) baseline_id: &'a str,
    pub(super) rules: &'a RuleSet,
}

impl<'a> Bench<'a> {
    pub(super) fn of(model: &'a Model) -> Self {
        Self {
            config: &model.config,
            baseline: &model.baseline,
            baseline_id: &model.baseline_id,
            rules: &model.rules,
        }
    }
}

impl Watch {
    /// The key under which the store knows the series.
    pub(super) fn key(model: &Model, window: &Window) -> Result<store::SeriesKey> {
        Ok(store::SeriesKey {
            model: model.config.model.clone(),
            version: model.config.version.clone(),
            baseline: model.baseline_id.clone(),
            name: window.name.clone(),
            grid: Flow::key(&model.config, window)?,
        })
    }

    /// A series as the store has it, or a new one. `seen` is the newest event time of what the source gave before a new
    /// one: it begins at the next border between panes (decision 0033); `first` is the number of a new one's first window
    /// of rows.
    pub(super) fn open(
        model: &Model,
        window: usize,
        id: store::SeriesId,
        stored: Option<Stored>,
        (seen, first): (Option<i64>, u64),
    ) -> Result<Self> {
        let own = &model.config.windows[window];
        let policy = policy(&model.config, own);
        let known = match stored.as_ref().and_then(|own| own.track.as_deref()).filter(|own| !own.is_empty()) {
            Some(bytes) => Some(Track::decode(bytes, policy)?),
            None => None,
        };
        // One that was laid aside missed what its source gave meanwhile: it is as new.
        let is_aside = known.as_ref().is_some_and(Track::is_superseded);
        let stored = stored.filter(|stored| !is_aside && !stored.head.is_empty());
        let is_new = stored.is_none();
        let is_kept = kept_window(&model.config) == Some(window);
        let (name, version) = (&model.config.model, &model.config.version);
        let track = match known.filter(|_| !is_aside) {
            Some(track) => track,
            None => Track::new(name, version, &own.name, policy)?,
        };
        let stored = stored.map(|Stored { head, slots, .. }| {
            let slots = slots.into_iter().map(|slot| {
                let segment = slot.key.segment.as_deref().map(Into::into);
                let key = driftlead_engine::accumulate::SlotKey { pane: Some(slot.key.pane), segment };
                (key, slot.state)
            });
            (head, slots)
        });
        let flow = Flow::open(&Begin { model, window: own, seen, first }, stored)?;
        let forecast = forecast(&model.config, &model.baseline, own);
        let (is_over, idle) = (false, BTreeSet::new());
        Ok(Self { window, id, flow, track, forecast, is_new, is_kept, is_over, idle })
    }

    /// Counts rows.
    ///
    /// # Errors
    ///
    /// If windows are of rows, and of another partition's.
    pub(super) fn add(&mut self, partition: PartitionId, rows: &SeriesRows<'_>) -> Result<Added> {
        self.idle.remove(&partition);
        self.flow.add(partition, rows)
    }

    /// The input is over.
    pub(super) fn end(&mut self) {
        self.is_over = true;
        self.flow.end();
    }

    /// Judges everything that closes now.
    pub(super) fn close(&mut self, bench: &Bench<'_>, now: i64) -> Closed {
        let mut closed = Closed::default();
        let own = &bench.config.windows[self.window];
        let mut judge = None;
        while let Some(step) = self.flow.poll(own, self.is_over, now) {
            let (at, index, span, arrival, is_complete) = match step {
                Step::Gap { grid, first, last } => {
                    closed.gaps.push(gap(&own.name, grid, first, last));
                    continue;
                }
                Step::Window { at, index, span, arrival, is_complete } => {
                    (at, index, span, arrival, is_complete)
                }
            };
            let judge = judge.get_or_insert_with(|| {
                let Bench { config, baseline, baseline_id, rules } = *bench;
                Judge::new(config, baseline, baseline_id, own, rules, self.forecast.as_ref())
            });
            let counts = Counts { accumulator: self.flow.accumulator(), first: self.flow.first_pane() };
            let windows = judge.windows(counts, at, arrival, is_complete);
            follow(&mut self.track, &mut closed, windows, (index, span));
        }
        closed
    }

    /// Takes new waiting times and another alert policy on the same windows.
    pub(super) fn retime(&mut self, model: &Model) -> Result<()> {
        let own = &model.config.windows[self.window];
        self.flow.retime(&model.config, own)?;
        self.track.set_policy(policy(&model.config, own))?;
        Ok(())
    }

    /// Says that a partition is idle; answers whether that was news.
    pub(super) fn set_idle(&mut self, partition: PartitionId) -> bool {
        self.flow.knows_idle() && self.idle.insert(partition) && {
            self.flow.set_idle(partition);
            true
        }
    }

    /// Makes a partition known, and hold the watermark until it is idle again.
    ///
    /// # Errors
    ///
    /// If windows are of rows, and of another partition's.
    pub(super) fn wake(&mut self, partition: PartitionId) -> Result<()> {
        self.idle.remove(&partition);
        self.flow.assign(partition)
    }

    /// What changed since the last commit, as rows for the store.
    pub(super) fn stage(&mut self, commit: &mut store::Commit) {
        let slot = |key: &driftlead_engine::accumulate::SlotKey, series| store::SlotKey {
            series,
            pane: key.pane.unwrap_or_default(),
            segment: key.segment.as_deref().map(str::to_owned),
            shard: 0,
        };
        match &mut self.flow {
            Flow::Time { series, grid } if self.is_kept => {
                for (key, state) in series.release_with_states() {
                    let key = slot(&key, self.id);
                    let span = grid.pane_span(Pane(key.pane));
                    commit.forgotten_slots.push(key.clone());
                    // Of a pane that began before the series it saw a part.
                    if series.begins().is_none_or(|begins| begins <= span.start) {
                        commit.kept.push(store::Kept { key, start: span.start, end: span.end, state });
                    }
                }
            }
            flow => {
                let released = flow.release();
                commit.forgotten_slots.extend(released.iter().map(|key| slot(key, self.id)));
            }
        }
        let dirty = self.flow.dirty_slots().into_iter();
        commit.slots.extend(dirty.map(|(key, state)| store::Slot { key: slot(&key, self.id), state }));
        // A series whose input is over has said all that it ever will; whatever is read next begins another one, under
        // the same alerts.
        let head = if self.is_over { Vec::new() } else { self.flow.head() };
        commit.heads.push((self.id, head));
        commit.tracks.push((self.id, self.track.encode()));
    }

    /// The changes with which the alerts of a stored track end, because another version took the model's place. Its
    /// policy does not matter any more.
    pub(super) fn superseded(track: &[u8]) -> Result<Vec<Change>> {
        Ok(Track::decode(track, ANY)?.supersede())
    }

    /// The track of a series that is laid aside because its model is gone; `None` if it is already.
    pub(super) fn laid_aside(series: &store::Series) -> Result<Option<Vec<u8>>> {
        let mut track = match series.track.as_deref().filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => Track::decode(bytes, ANY)?,
            None => Track::new(&series.key.model, &series.key.version, &series.key.name, ANY)?,
        };
        if track.is_superseded() {
            return Ok(None);
        }
        // The alerts themselves are ended where they are told of.
        drop(track.supersede());
        Ok(Some(track.encode()))
    }
}

/// The policy of a track that tells of nothing any more.
const ANY: alert::Policy =
    alert::Policy { needed: 1, last: 1, resolve_after: 1, cooldown: 0, stride: 1, is_even: true };

/// Notes windows that closed, and what they change of the alerts.
fn follow(track: &mut Track, closed: &mut Closed, windows: Vec<wire::Window>, at: (WindowIndex, Span)) {
    let segments: Vec<Option<String>> =
        windows.iter().map(|window| window.segment.as_ref().map(alerting::segment_text)).collect();
    let changes = alerting::observe(&windows, &segments, at, |observation| track.observe(observation));
    let first = closed.windows.len();
    for change in changes {
        let at = segments.iter().position(|segment| *segment == change.segment).map(|at| first + at);
        closed.changes.push((change, at));
    }
    closed.windows.extend(windows);
    closed.segments.extend(segments);
}

/// What the store has of a series.
pub(super) struct Stored {
    pub(super) head: Vec<u8>,
    pub(super) track: Option<Vec<u8>>,
    pub(super) slots: Vec<store::Slot>,
}

fn policy(config: &Config, window: &Window) -> alert::Policy {
    let quorum = config.alert.quorum(window);
    alert::Policy {
        needed: quorum.needed,
        last: quorum.last,
        resolve_after: u32::try_from(config.alert.resolve_after(window)).unwrap_or(u32::MAX),
        cooldown: config.alert.cooldown.micros(),
        stride: window.panes(),
        is_even: window.rows.is_none(),
    }
}
