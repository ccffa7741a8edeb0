//! One window name of one model at work: its series, its alerts, and what they say.

use std::collections::BTreeSet;

use driftlead_connectors::store;
use driftlead_engine::alert::{self, Change, Track};
use driftlead_engine::baseline::{Baseline, Forecast};
use driftlead_engine::policy::RuleSet;
use driftlead_engine::stream::{Added, Closing, PartitionId, Phase, Rows as SeriesRows, Series, Timing};
use driftlead_engine::window::{Grid, Pane, Span, WindowIndex};

use super::alerting;
use super::model::Model;
use crate::config::{Config, Window};
use crate::exit::{Error, Result};
use crate::job::judge::{Counts, Judge, forecast, gap};
use crate::job::seen::kept_window;
use crate::report::wire;

/// A window that took rows after it closed is corrected at most this often, in microseconds (SEMANTICS S15).
const DEBOUNCE: i64 = 10_000_000;

/// A window name of a model, over time.
pub(super) struct Watch {
    /// Its place among the model's windows.
    pub(super) window: usize,
    pub(super) id: store::SeriesId,
    pub(super) series: Series,
    pub(super) track: Track,
    pub(super) grid: Grid,
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
        let grid = grid(window)?;
        Ok(store::SeriesKey {
            model: model.config.model.clone(),
            version: model.config.version.clone(),
            baseline: model.baseline_id.clone(),
            name: window.name.clone(),
            grid: format!("{}us every {}us from {}us", grid.length_us(), grid.every_us(), offset(window)),
        })
    }

    /// A series as the store has it, or a new one. `seen` is the newest event time of what the source gave before a new
    /// one: it begins at the next border between panes (decision 0033).
    pub(super) fn open(
        model: &Model,
        window: usize,
        id: store::SeriesId,
        stored: Option<Stored>,
        seen: Option<i64>,
    ) -> Result<Self> {
        let own = &model.config.windows[window];
        let grid = grid(own)?;
        let timing = timing(&model.config, own, grid);
        let cells = model.baseline.features().iter().map(|feature| feature.cells().clone()).collect();
        let policy = policy(&model.config, own, grid);
        let is_new = stored.as_ref().is_none_or(|stored| stored.head.is_empty());
        let is_kept = kept_window(&model.config) == Some(window);
        let (name, version) = (&model.config.model, &model.config.version);
        let track =
            match stored.as_ref().and_then(|stored| stored.track.as_deref()).filter(|own| !own.is_empty()) {
                Some(bytes) => Track::decode(bytes, policy)?,
                None => Track::new(name, version, &own.name, policy)?,
            };
        let series = match stored.filter(|stored| !stored.head.is_empty()) {
            Some(Stored { head, slots, .. }) => {
                let slots = slots.into_iter().map(|slot| {
                    let segment = slot.key.segment.as_deref().map(Into::into);
                    let key = driftlead_engine::accumulate::SlotKey { pane: Some(slot.key.pane), segment };
                    (key, slot.state)
                });
                Series::restore(timing, cells, &head, slots)?
            }
            None => {
                let mut series = Series::new(timing, cells);
                if let Some(seen) = seen {
                    series.begin_after(seen);
                }
                series
            }
        };
        let forecast = forecast(&model.config, &model.baseline, own);
        Ok(Self {
            window,
            id,
            series,
            track,
            grid,
            forecast,
            is_new,
            is_kept,
            is_over: false,
            idle: BTreeSet::new(),
        })
    }

    /// Counts rows.
    pub(super) fn add(&mut self, partition: PartitionId, rows: &SeriesRows<'_>) -> Added {
        self.idle.remove(&partition);
        self.series.add(partition, rows)
    }

    /// The input is over.
    pub(super) fn end(&mut self) {
        self.is_over = true;
        self.series.end();
    }

    /// Judges everything that closes now.
    pub(super) fn close(&mut self, bench: &Bench<'_>, now: i64) -> Closed {
        let mut closed = Closed::default();
        let own = &bench.config.windows[self.window];
        let mut judge = None;
        while let Some(closing) = self.series.poll(now) {
            let (index, span, arrival) = match closing {
                Closing::Gap { first, last } => {
                    closed.gaps.push(gap(&own.name, self.grid, first, last));
                    continue;
                }
                Closing::Window { index, span, phase, revision, late_rows, late_after_final, .. } => {
                    (index, span, self.arrival(own, span, phase, revision, late_rows + late_after_final))
                }
            };
            let judge = judge.get_or_insert_with(|| {
                let Bench { config, baseline, baseline_id, rules } = *bench;
                Judge::new(config, baseline, baseline_id, own, rules, self.forecast.as_ref())
            });
            let is_complete = !arrival.partial
                && !span.may_lack_its_beginning(None, self.series.oldest(), own.out_of_orderness.micros());
            let counts = Counts { accumulator: self.series.accumulator(), first: self.series.first_pane() };
            let windows = judge.windows(counts, Some((self.grid, index)), arrival, is_complete);
            follow(&mut self.track, &mut closed, windows, (index, span));
        }
        closed
    }

    /// Takes new waiting times and another alert policy on the same windows.
    pub(super) fn retime(&mut self, model: &Model) -> Result<()> {
        let own = &model.config.windows[self.window];
        self.series.retime(timing(&model.config, own, self.grid))?;
        self.track.set_policy(policy(&model.config, own, self.grid))?;
        Ok(())
    }

    /// Says that a partition is idle; answers whether that was news.
    pub(super) fn set_idle(&mut self, partition: PartitionId) -> bool {
        self.idle.insert(partition) && {
            self.series.set_idle(partition, true);
            true
        }
    }

    /// Makes a partition known, and hold the watermark until it is idle again.
    pub(super) fn wake(&mut self, partition: PartitionId) {
        self.idle.remove(&partition);
        self.series.set_idle(partition, false);
    }

    /// What changed since the last commit, as rows for the store.
    pub(super) fn stage(&mut self, commit: &mut store::Commit) {
        let slot = |key: &driftlead_engine::accumulate::SlotKey, series| store::SlotKey {
            series,
            pane: key.pane.unwrap_or_default(),
            segment: key.segment.as_deref().map(str::to_owned),
            shard: 0,
        };
        if self.is_kept {
            for (key, state) in self.series.release_with_states() {
                let key = slot(&key, self.id);
                let span = self.grid.pane_span(Pane(key.pane));
                commit.forgotten_slots.push(key.clone());
                // Of a pane that began before the series it saw a part.
                if self.series.begins().is_none_or(|begins| begins <= span.start) {
                    commit.kept.push(store::Kept { key, start: span.start, end: span.end, state });
                }
            }
        } else {
            let released = self.series.release();
            commit.forgotten_slots.extend(released.iter().map(|key| slot(key, self.id)));
        }
        commit.slots.extend(
            self.series.dirty_slots().map(|(key, state)| store::Slot { key: slot(&key, self.id), state }),
        );
        // A series whose input is over has said all that it ever will; whatever is read next begins another one, under
        // the same alerts.
        let head = if self.is_over { Vec::new() } else { self.series.head() };
        commit.heads.push((self.id, head));
        commit.tracks.push((self.id, self.track.encode()));
    }

    /// The changes with which the alerts of a stored track end, because another version took the model's place. Its
    /// policy does not matter any more.
    pub(super) fn superseded(track: &[u8]) -> Result<Vec<Change>> {
        let any = alert::Policy { needed: 1, last: 1, resolve_after: 1, cooldown: 0, stride: 1 };
        Ok(Track::decode(track, any)?.supersede())
    }

    fn arrival(
        &self,
        own: &Window,
        span: Span,
        phase: Phase,
        revision: u32,
        late_rows: u64,
    ) -> wire::Arrival {
        let is_cut = self.series.begins().is_some_and(|begins| span.start < begins);
        let partial = is_cut
            || self.is_over
                && span.is_partial(None, None, self.series.newest(), own.out_of_orderness.micros());
        wire::Arrival { late_rows, revision: u64::from(revision), is_final: phase == Phase::Final, partial }
    }
}

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

fn grid(window: &Window) -> Result<Grid> {
    let Some(cut) = window.cut else {
        return Err(Error::input(format!("window `{}` has no `length`", window.name)));
    };
    Ok(cut.grid()?)
}

fn offset(window: &Window) -> i64 {
    window.cut.map_or(0, |cut| cut.offset.micros())
}

fn timing(config: &Config, window: &Window, grid: Grid) -> Timing {
    Timing {
        grid,
        out_of_orderness: window.out_of_orderness.micros(),
        lateness: window.lateness.micros(),
        debounce: DEBOUNCE,
        keep: config.moving().map_or(0, |moving| moving.n_panes(grid.panes_per_window())),
    }
}

fn policy(config: &Config, window: &Window, grid: Grid) -> alert::Policy {
    let quorum = config.alert.quorum(window);
    alert::Policy {
        needed: quorum.needed,
        last: quorum.last,
        resolve_after: u32::try_from(config.alert.resolve_after(window)).unwrap_or(u32::MAX),
        cooldown: config.alert.cooldown.micros(),
        stride: grid.panes_per_window(),
    }
}
