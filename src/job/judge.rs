//! From counted windows to the report's windows: measure, judge each window's family, write down.

use std::collections::BTreeMap;
use std::sync::Arc;

use driftlead_engine::accumulate::{Accumulator, FeatureState, SlotKey};
use driftlead_engine::baseline::{Baseline, BaselineFeature, Forecast};
use driftlead_engine::codec;
use driftlead_engine::digest::sha256_hex;
use driftlead_engine::feature::{Family, FeatureCells};
use driftlead_engine::id::{self, Extent};
use driftlead_engine::policy::{
    self, FeatureInput, FeatureVerdict, Policy, RuleSet, VolumeInput, judge_window,
};
use driftlead_engine::score::{Measured, Moved, Place};
use driftlead_engine::statistic::Score;
use driftlead_engine::window::{Grid, Pane, Preceding, Slot, WindowIndex};
use driftlead_engine::{Kind, Metric};
use rayon::prelude::*;

use super::at::At;
use super::direction;
use super::reference::{Before, Reference};
use super::segments::pairs_of;
use super::tally::{Tally, Windowing};
use super::windows::{Bounds, Counted};
use crate::config::{Config, Window};
use crate::exit::Result;
use crate::report::wire;
use crate::report::{Verdict, number};
use crate::time::Timestamp;

/// How many cells a feature names.
const TOP_CELLS: usize = 5;

/// The windows of a report.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) windows: Vec<wire::Window>,
    pub(super) gaps: Vec<wire::Gap>,
}

/// Judges every window.
pub(super) fn judge(
    config: &Config,
    baseline: &Baseline,
    rules: &RuleSet,
    counted: &Counted,
    bounds: Bounds,
) -> Result<Judged> {
    let baseline_id = baseline_id(config, baseline);
    let mut judged = Judged::default();
    for (window, Tally { kind, accumulator }) in config.windows.iter().zip(&counted.windows) {
        let forecast = forecast(config, baseline, window);
        let judge = Judge::new(config, baseline, &baseline_id, window, rules, forecast.as_ref());
        let grid = match kind {
            Windowing::Whole => {
                let counted = Counts { accumulator, first: None };
                judged.windows.extend(judge.windows(counted, At::Whole, arrived(false), false));
                continue;
            }
            Windowing::Rows(run) => {
                let counted = Counts { accumulator, first: Some(0) };
                let windows = (0..run.windows(accumulator)).into_par_iter().map(|ordinal| {
                    let at = At::Rows { ordinal, seen: run.seen(ordinal) };
                    judge.windows(counted, at, arrived(run.is_partial(accumulator, ordinal)), false)
                });
                judged.windows.extend(windows.collect::<Vec<_>>().into_iter().flatten());
                continue;
            }
            Windowing::Time(grid) => grid,
        };
        let panes: Vec<Pane> = {
            let mut panes: Vec<i64> = accumulator.slots().filter_map(|(key, _)| key.pane).collect();
            panes.dedup();
            panes.into_iter().map(Pane).collect()
        };
        let counted_panes = Counts { accumulator, first: first_pane(*grid, &panes, bounds) };
        let slots: Vec<Slot> = grid.slots(panes).collect();
        let of_slots: Vec<(Vec<wire::Window>, Option<wire::Gap>)> = slots
            .par_iter()
            .map(|slot| match slot {
                Slot::Gap { first, last } => (Vec::new(), Some(gap(&window.name, *grid, *first, *last))),
                Slot::Occupied(index) | Slot::Empty(index) => {
                    let span = grid.span(*index);
                    let newest = counted.newest;
                    let partial =
                        span.is_partial(bounds.since, bounds.until, newest, window.out_of_orderness.micros());
                    let is_complete = !partial
                        && !span.may_lack_its_beginning(
                            bounds.since,
                            counted.oldest,
                            window.out_of_orderness.micros(),
                        );
                    let at = At::Time { grid: *grid, index: *index };
                    (judge.windows(counted_panes, at, arrived(partial), is_complete), None)
                }
            })
            .collect();
        for (windows, gap) in of_slots {
            judged.windows.extend(windows);
            judged.gaps.extend(gap);
        }
    }
    Ok(judged)
}

/// The first pane that counts as seen: the first with rows, but not one that `--since` cuts.
fn first_pane(grid: Grid, panes: &[Pane], bounds: Bounds) -> Option<i64> {
    let first = panes.first()?;
    let is_cut = bounds.since.is_some_and(|since| grid.pane_span(*first).start < since);
    Some(first.0 + i64::from(is_cut))
}

/// How the windows of a batch arrived: at once and for good.
fn arrived(partial: bool) -> wire::Arrival {
    wire::Arrival { late_rows: 0, revision: 0, is_final: true, partial }
}

/// A stretch of empty windows that is too long to list.
pub(crate) fn gap(name: &str, grid: Grid, first: WindowIndex, last: WindowIndex) -> wire::Gap {
    wire::Gap {
        name: name.to_owned(),
        start: Timestamp::from_micros(grid.span(first).start),
        end: Timestamp::from_micros(grid.span(last).end),
        windows: last.0.abs_diff(first.0) + 1,
    }
}

/// How many rows the windows named `window` have, as the baseline says; `None` if it cannot say, and where the baseline moves:
/// such windows are not held to how many rows there once were.
pub(crate) fn forecast(config: &Config, baseline: &Baseline, window: &Window) -> Option<Forecast> {
    let grid = window.cut.filter(|_| config.moving().is_none())?.grid().ok()?;
    Some(Forecast::new(baseline.volume(&grid)?, grid))
}

/// Judges windows of one name: what `check` and `serve` share, so that equal counts give equal bytes (I-FINAL).
pub(crate) struct Judge<'a> {
    config: &'a Config,
    baseline: &'a Baseline,
    baseline_id: &'a str,
    window: &'a Window,
    moving: Option<Preceding>,
    policy: Policy,
    /// How many rows such windows have, if the baseline can say.
    forecast: Option<&'a Forecast>,
}

/// What was counted, by pane and segment.
#[derive(Clone, Copy)]
pub(crate) struct Counts<'a> {
    pub(crate) accumulator: &'a Accumulator,
    /// The first pane that ever held a row, where windows are compared with those before them.
    pub(crate) first: Option<i64>,
}

/// One feature of one segment, measured or not.
#[derive(Default)]
struct Entry {
    feature: usize,
    measured: Measured,
    error: Option<String>,
    /// Why there is not enough to compare with.
    lacks: Option<String>,
}

impl<'a> Judge<'a> {
    /// A judge of the windows named `window`; `baseline_id` is that of [`baseline_id`] and `forecast` that of [`forecast`],
    /// which take long to compute.
    pub(crate) fn new(
        config: &'a Config,
        baseline: &'a Baseline,
        baseline_id: &'a str,
        window: &'a Window,
        rules: &RuleSet,
        forecast: Option<&'a Forecast>,
    ) -> Self {
        let moving = config.moving();
        let min_baseline_rows = if moving.is_some() { window.min_rows } else { 0 };
        let policy = Policy { rules: rules.clone(), min_rows: window.min_rows, min_baseline_rows };
        Self { config, baseline, baseline_id, window, moving, policy, forecast }
    }

    /// One window as `accumulator` has counted it, its whole first, then its segments: those of the baseline, and
    /// those that its own rows have. `is_complete` says that nothing is known to have kept rows of its time away: only then
    /// their number is held against the baseline's.
    pub(crate) fn windows(
        &self,
        counts: Counts<'_>,
        at: At,
        arrival: wire::Arrival,
        is_complete: bool,
    ) -> Vec<wire::Window> {
        let Counts { accumulator, first } = counts;
        let (span, extent) = (at.span(), at.extent());
        let panes = at.panes();
        let before = self
            .moving
            .zip(at.run())
            .map(|(moving, (last, per))| Before::find(moving, accumulator, first, last, per));
        let mut segments: Vec<Option<Arc<str>>> = vec![None];
        let mut seen: Vec<Arc<str>> = self.baseline.segments().keys().cloned().collect();
        for pane in &panes {
            seen.extend(accumulator.segments_of(*pane).cloned());
        }
        seen.sort_unstable();
        seen.dedup();
        segments.extend(seen.into_iter().map(Some));

        let mut rows = Vec::with_capacity(segments.len());
        let mut entries: Vec<Vec<Entry>> = Vec::with_capacity(segments.len());
        let mut states_hash = Vec::with_capacity(segments.len());
        let mut references = Vec::with_capacity(segments.len());
        for segment in &segments {
            let keys: Vec<SlotKey> =
                panes.iter().map(|pane| SlotKey { pane: *pane, segment: segment.clone() }).collect();
            rows.push(accumulator.rows_of(&keys));
            let reference = match &before {
                Some(before) => {
                    Reference::Moving { keys: before.keys(segment.as_ref()), lacks: before.lacks() }
                }
                None => Reference::Frozen { segment: segment.as_deref() },
            };
            let (of_segment, hash) = self.measure(accumulator, &reference, &keys, extent.is_none());
            references.push(reference);
            entries.push(of_segment);
            states_hash.push(hash);
        }

        let volumes: Vec<Score> = segments
            .iter()
            .zip(&rows)
            .map(|(segment, rows)| {
                let whole = match at {
                    At::Time { index, .. } if is_complete && segment.is_none() => Some(index),
                    _ => None,
                };
                self.volume(whole, *rows)
            })
            .collect();
        let mut inputs = Vec::new();
        for (segment, of_segment) in segments.iter().zip(&entries) {
            for entry in of_segment {
                inputs.push(self.input(segment.as_deref(), entry));
            }
        }
        let volume_inputs: Vec<VolumeInput<'_>> = segments
            .iter()
            .zip(&volumes)
            .map(|(segment, score)| VolumeInput { segment: segment.as_deref(), score })
            .collect();
        let judgement = judge_window(&self.policy, &inputs, &volume_inputs);
        let mut verdicts = judgement.features.iter();
        let mut windows = Vec::with_capacity(segments.len());
        for (place, segment) in segments.iter().enumerate() {
            let mut features: Vec<wire::Feature> = entries[place]
                .iter()
                .zip(verdicts.by_ref())
                .map(|(entry, verdict)| self.feature(entry, verdict, segment.is_none()))
                .collect();
            share_contributions(&mut features);
            let mut metrics = wire::Metrics::default();
            let volume = &judgement.volumes[place];
            let own = entries[place].len() * place..entries[place].len() * (place + 1);
            let mut parts: Vec<policy::Verdict> =
                judgement.features[own].iter().map(|feature| feature.verdict).collect();
            if let Some(verdict) = volume {
                metrics.0.insert(
                    Metric::RowCount,
                    wire::Measure::judged(Metric::RowCount, &volumes[place], Some(verdict)),
                );
                // As many rows as ever do not vouch for values that nobody could look at.
                if verdict.verdict >= policy::Verdict::Warn || parts.iter().any(|part| part.is_judged()) {
                    parts.push(verdict.verdict);
                }
            }
            windows.push(wire::Window {
                id: id::verdict_id(
                    &self.config.model,
                    &self.config.version,
                    self.baseline_id,
                    &self.window.name,
                    segment.as_deref(),
                    extent.unwrap_or(Extent::State(&states_hash[place])),
                ),
                name: self.window.name.clone(),
                ordinal: at.ordinal(),
                start: span.map(|span| Timestamp::from_micros(span.start)),
                end: span.map(|span| Timestamp::from_micros(span.end)),
                segment: segment.as_deref().and_then(pairs_of).map(wire::Segment),
                rows: rows[place],
                reference: before.as_ref().map(|before| wire::Reference {
                    windows: u64::from(before.seen),
                    of: u64::from(before.wanted),
                    rows: references[place].rows(accumulator),
                }),
                arrival: Some(arrival),
                verdict: policy::window_verdict(parts).into(),
                metrics,
                features,
            });
        }
        windows
    }

    /// The rows of a window as a score; with a p-value if it is this window of the whole.
    fn volume(&self, whole: Option<WindowIndex>, rows: u64) -> Score {
        match (self.forecast, whole) {
            (Some(forecast), Some(index)) => forecast.score(index, rows),
            _ => {
                let reason = Some(match self.window.rows {
                    Some(_) => "windows of so many rows are not held to how many they have",
                    None => {
                        "such windows of the baseline were not counted, or rows of this one may be missing"
                    }
                });
                Score { n: rows, reason, ..Score::of(as_float(rows)) }
            }
        }
    }

    /// Measures every feature of one segment, and hashes the states where they have to name the window.
    fn measure(
        &self,
        accumulator: &Accumulator,
        reference: &Reference<'_>,
        keys: &[SlotKey],
        hashed: bool,
    ) -> (Vec<Entry>, String) {
        let measured: Vec<(Entry, Vec<u8>)> = (0..self.baseline.features().len())
            .into_par_iter()
            .map(|feature| self.measure_one(accumulator, feature, reference, keys, hashed))
            .collect();
        let mut bytes = Vec::new();
        let mut entries = Vec::with_capacity(measured.len());
        for (entry, of_entry) in measured {
            bytes.extend(of_entry);
            entries.push(entry);
        }
        let mut hash = sha256_hex(&bytes);
        hash.truncate(32);
        (entries, hash)
    }

    fn measure_one(
        &self,
        accumulator: &Accumulator,
        feature: usize,
        reference: &Reference<'_>,
        keys: &[SlotKey],
        hashed: bool,
    ) -> (Entry, Vec<u8>) {
        let own = &self.baseline.features()[feature];
        let mut state = FeatureState::empty(own.cells());
        for key in keys {
            if let Err(error) = accumulator.add_state(feature, key, &mut state) {
                return (Entry { feature, error: Some(error.to_string()), ..Entry::default() }, Vec::new());
            }
        }
        let bytes = if hashed { codec::encode_state(&state) } else { Vec::new() };
        let deff = self.design_effect(own).unwrap_or(1.0);
        let (measured, lacks) = reference.measure(own, accumulator, feature, &state, deff);
        let entry = match measured {
            Ok(measured) => Entry { feature, measured, error: None, lacks },
            Err(error) => Entry { feature, error: Some(error.to_string()), ..Entry::default() },
        };
        (entry, bytes)
    }

    /// How much more the baseline's panes of this window's length vary than chance alone.
    fn design_effect(&self, feature: &BaselineFeature) -> Option<f64> {
        self.window.cut.and_then(|cut| feature.design_effect(cut.length.micros()))
    }

    fn input<'b>(&'b self, segment: Option<&'b str>, entry: &'b Entry) -> FeatureInput<'b> {
        let own = &self.baseline.features()[entry.feature];
        FeatureInput {
            feature: own.name(),
            kind: own.cells().kind(),
            segment,
            rows: entry.measured.rows,
            n: entry.measured.n,
            baseline_rows: entry.measured.baseline_rows,
            baseline_n: entry.measured.baseline_n,
            calibrated: self.design_effect(own).is_some(),
            scores: &entry.measured.scores,
            error: entry.error.as_deref(),
            skipped: None,
            lacks: entry.lacks.as_deref(),
        }
    }

    fn feature(&self, entry: &Entry, verdict: &FeatureVerdict, is_whole: bool) -> wire::Feature {
        let own = &self.baseline.features()[entry.feature];
        let measured = &entry.measured;
        let metrics = measured
            .scores
            .iter()
            .map(|(metric, score)| {
                (*metric, wire::Measure::judged(*metric, score, verdict.metrics.get(metric)))
            })
            .collect();
        let top = measured
            .cells
            .iter()
            .filter(|cell| cell.contribution > 0.0)
            .take(TOP_CELLS)
            .map(|cell| cell_of(own.cells(), cell))
            .collect();
        // A picture for each of hundreds of segments would be most of a report.
        let map = match (own.cells().as_ref(), &measured.map) {
            (FeatureCells::Embedding(cells), Some(counts)) if is_whole => Some(direction::map(cells, counts)),
            _ => None,
        };
        wire::Feature {
            name: own.name().to_owned(),
            kind: own.cells().kind(),
            rows: measured.rows,
            nulls: measured.nulls,
            nans: measured.nans,
            infinities: measured.infinities,
            type_errors: measured.type_errors,
            cutset_id: entry.error.is_none().then(|| own.cutset_id().to_owned()),
            dtype_narrowed: measured.narrowed,
            verdict: verdict.verdict.into(),
            reason: entry.error.clone().or_else(|| verdict.reason.clone()),
            calibrated: Some(verdict.calibrated),
            missing_rows: verdict.missing_rows,
            contribution: None,
            metrics: wire::Metrics(metrics),
            top,
            directions: measured.directions.iter().map(direction::shown).collect(),
            vectors_without_id: measured.unnamed,
            map,
            compat: Vec::new(),
        }
    }
}

/// Each feature's share in the window's drift: of the sum of what PSI says beyond chance.
fn share_contributions(features: &mut [wire::Feature]) {
    let psi = |feature: &wire::Feature| {
        feature.metrics.of(Metric::Psi).and_then(|psi| psi.corrected).unwrap_or(0.0).max(0.0)
    };
    let total: f64 = features.iter().map(psi).sum();
    if total > 0.0 {
        for feature in features {
            let share = psi(feature) / total;
            feature.contribution = Some(share);
        }
    }
}

/// What verdicts are named after (SEMANTICS S20): the baseline's id, or the grid's if the baseline moves.
pub(crate) fn baseline_id(config: &Config, baseline: &Baseline) -> String {
    config.moving().map_or_else(|| baseline.id(), |moving| baseline.moving_id(moving))
}

/// The rules of the model file against what the baseline has.
///
/// # Errors
///
/// The rule that matches nothing, as the engine describes it.
pub(crate) fn rules(config: &Config, baseline: &Baseline) -> Result<RuleSet, policy::RuleError> {
    let features: Vec<(&str, Kind)> =
        baseline.features().iter().map(|own| (own.name(), own.cells().kind())).collect();
    let segments: Vec<&str> = baseline.segments().keys().map(AsRef::as_ref).collect();
    let set =
        RuleSet::new(config.rules.iter().map(|rule| rule.rule.clone()).collect(), &features, &segments)?;
    for (place, rule) in config.rules.iter().map(|own| &own.rule).enumerate() {
        let metric = rule.metric();
        let is_lacking = |own: &&BaselineFeature| {
            metric.applies_to(own.cells().kind())
                && !own.cells().measures(metric)
                && rule.features().is_none_or(|names| names.contains(own.name()))
        };
        if let Some(own) = baseline.features().iter().find(is_lacking) {
            return Err(policy::RuleError::NotMeasured {
                rule: place,
                metric,
                feature: own.name().to_owned(),
            });
        }
    }
    Ok(set)
}

fn cell_of(cells: &FeatureCells, moved: &Moved) -> wire::Cell {
    let is_time = cells.value_type().family == Family::Time;
    let name = |x: f64| {
        if is_time {
            // Steps of the column, in nanoseconds each, as microseconds.
            #[expect(clippy::cast_possible_truncation, reason = "saturates")]
            let micros = (x * cells.value_type().unit.ratio() / 1_000.0) as i64;
            return Timestamp::from_micros(micros).short();
        }
        number(x)
    };
    let (label, low, high, category) = match &moved.place {
        Place::Range(low, high) => (
            match (low, high) {
                (Some(low), Some(high)) => format!("({}, {}]", name(*low), name(*high)),
                (None, Some(high)) => format!("<= {}", name(*high)),
                (Some(low), None) => format!("> {}", name(*low)),
                (None, None) => "all values".to_owned(),
            },
            *low,
            *high,
            None,
        ),
        Place::Value(x) => (name(*x), Some(*x), Some(*x), None),
        Place::Cluster(number) => (format!("cluster {number}"), None, None, None),
        Place::Category(name) => (name.clone(), None, None, Some(name.clone())),
        Place::Rest(newcomers) if newcomers.is_empty() => ("all other values".to_owned(), None, None, None),
        Place::Rest(newcomers) => {
            let names: Vec<String> =
                newcomers.iter().map(|(name, rows)| format!("{name} ({rows})")).collect();
            (format!("rare and new, such as {}", names.join(", ")), None, None, None)
        }
    };
    wire::Cell {
        label,
        low,
        high,
        category,
        baseline: moved.baseline,
        window: moved.window,
        contribution: moved.contribution,
        ids: moved.ids.clone(),
    }
}

fn as_float(rows: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count as a score")]
    let float = rows as f64;
    float
}

/// Features of a report that could not be compared at all, by name, once.
pub(super) fn failed(windows: &[wire::Window]) -> BTreeMap<String, String> {
    windows
        .iter()
        .flat_map(|window| &window.features)
        .filter(|feature| feature.verdict == Verdict::Error)
        .map(|feature| (feature.name.clone(), feature.reason.clone().unwrap_or_default()))
        .collect()
}
