//! A new baseline from what the service has seen, after a change that somebody accepted.
//!
//! The service keeps no rows, but for a while it keeps the counts of panes whose windows are final. They are added up on
//! the cells of the old baseline, so the new one has the same `cutset_id`s: it compares at the old deciles, and categories
//! that the old one did not know stay new. Only rows can give new cells.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use driftlead_connectors::dataset::Remotes;
use driftlead_connectors::store::{KeptFilter, KeptPane, Reader};
use driftlead_engine::accumulate::{FeatureState, SlotState};
use driftlead_engine::baseline::{Baseline, BaselineFeature, Volume};
use driftlead_engine::codec;
use driftlead_engine::embedding::Exemplars;
use driftlead_engine::feature::FeatureCells;
use driftlead_engine::score::design_effect;
use driftlead_engine::window::{Grid, Pane};

use super::baseline::{self, Loaded};
use super::segments::Segments;
use super::windows::Bounds;
use crate::config::{Config, Cut};
use crate::exit::{Error, Result};
use crate::report::wire::Failed;
use crate::time::Timestamp;

/// Panes longer than this are kept only where there are no shorter ones, in microseconds: an hour.
const LONGEST: i64 = 3_600_000_000;

/// A baseline made of kept counts, and what a person should know of it.
#[derive(Debug)]
pub struct Seen {
    /// The baseline.
    pub loaded: Loaded,
    /// The panes it was made of.
    pub panes: usize,
    /// The event time from the first to the end of the last.
    pub span: (Timestamp, Timestamp),
    /// What it cannot do, a line each.
    pub notes: Vec<String>,
}

/// The window whose panes the service keeps: the one with the longest panes up to an hour, else the shortest. All windows
/// count the same rows, and once is enough.
#[must_use]
pub fn kept_window(config: &Config) -> Option<usize> {
    let panes = config.windows.iter().enumerate();
    let panes = panes.filter_map(|(at, window)| Some((at, window.cut?.every.micros())));
    let rank = |every: i64| if every <= LONGEST { (0, -every) } else { (1, every) };
    panes.min_by_key(|(at, every)| (rank(*every), *at)).map(|(at, _)| at)
}

/// The baseline of `config` from the counts that the store in `folder` holds of its version and present baseline, of panes
/// wholly within `bounds`.
///
/// # Errors
///
/// If there is no such store, no such counts, or the present baseline cannot be read.
pub fn build(config: &Config, folder: &Path, bounds: Bounds, remotes: &Arc<Remotes>) -> Result<Seen> {
    let Some(paths) = config.baseline.as_ref().map(|baseline| baseline.paths.clone()) else {
        return Err(Error::input(format!(
            "the model `{}` names no baseline: the service's counts lie on the cells of one",
            config.model
        )));
    };
    let Some(at) = kept_window(config) else {
        return Err(Error::input(format!(
            "the model `{}` has no window with a `length`: `serve` has kept nothing of it",
            config.model
        )));
    };
    let old = baseline::load(config, &paths, remotes)?;
    let filter = KeptFilter {
        model: config.model.clone(),
        version: config.version.clone(),
        baseline: old.baseline.id(),
        name: config.windows[at].name.clone(),
        since: bounds.since,
        until: bounds.until,
    };
    let kept = Reader::open(folder)
        .and_then(|reader| reader.kept(&filter))
        .map_err(|error| Error::input(error.to_string()))?;
    let slots = Slots::read(&old.baseline, &kept)?;
    let (Some(first), Some(last)) = (slots.panes.first(), slots.panes.last()) else {
        return Err(Error::input(format!(
            "the store in `{}` has no counts of the model `{}`, version `{}`, on its present baseline, in panes of window \
             `{}` within that time: it has those of final windows, for as long as `retention.counts` says",
            folder.display(),
            config.model,
            config.version,
            filter.name
        )));
    };
    let span = (Timestamp::from_micros(first.start), Timestamp::from_micros(last.end));
    let n_panes = slots.panes.len();
    let (mut baseline, failed) = slots.sum(&old.baseline)?;
    calibrate(config, &slots, &old.baseline, &mut baseline)?;
    let notes = notes(&baseline);
    let segments = Segments::stored(&config.segments, baseline.segments().keys())?;
    let labels = BTreeMap::from([
        ("driftlead.source".to_owned(), format!("the counts of `driftlead serve`, window `{}`", filter.name)),
        ("driftlead.span".to_owned(), format!("{}/{}", span.0, span.1)),
        ("driftlead.cells_of".to_owned(), filter.baseline),
    ]);
    let loaded =
        Loaded { baseline, segments, skipped: old.skipped, failed, excluded_rows: 0, rows_read: 0, labels };
    Ok(Seen { loaded, panes: n_panes, span, notes })
}

/// A pane of the whole.
struct Whole {
    start: i64,
    end: i64,
    slot: SlotState,
}

/// The counts of all panes.
struct Slots {
    /// Of the whole, by start.
    panes: Vec<Whole>,
    /// Of segments, added up.
    segments: BTreeMap<Arc<str>, SlotState>,
}

impl Slots {
    fn read(baseline: &Baseline, kept: &[KeptPane]) -> Result<Self> {
        let cells: Vec<Arc<FeatureCells>> =
            baseline.features().iter().map(|feature| feature.cells().clone()).collect();
        let mut own = Self { panes: Vec::new(), segments: BTreeMap::new() };
        for pane in kept {
            let mut slot = codec::decode_slot(&pane.state, &cells)?;
            // A baseline keeps no ids: those of its windows are what is looked at.
            for state in slot.features.iter_mut().flatten() {
                if let FeatureState::Embedding(state) = state {
                    state.exemplars = Exemplars::default();
                }
            }
            match &pane.segment {
                // One pane may have been kept of two grids, which share it.
                None if own.panes.last().is_some_and(|last| pane.start < last.end) => {}
                None => own.panes.push(Whole { start: pane.start, end: pane.end, slot }),
                Some(segment) => match own.segments.get_mut(segment.as_str()) {
                    None => drop(own.segments.insert(segment.as_str().into(), slot)),
                    Some(sum) => add(sum, &slot)?,
                },
            }
        }
        Ok(own)
    }

    /// The baseline of all panes together, and the features that some of them could not read.
    fn sum(&self, old: &Baseline) -> Result<(Baseline, Vec<Failed>)> {
        let mut panes = self.panes.iter();
        let Some(first) = panes.next() else { return Err(Error::input("there are no panes")) };
        let mut whole = first.slot.clone();
        for pane in panes {
            add(&mut whole, &pane.slot)?;
        }
        let (mut features, mut failed) = (Vec::new(), Vec::new());
        for (at, (own, state)) in old.features().iter().zip(whole.features).enumerate() {
            match state {
                Ok(state) => {
                    let mut feature =
                        BaselineFeature::new(own.name().to_owned(), own.cells().as_ref().clone(), state);
                    for (segment, slot) in &self.segments {
                        if let Some(Ok(state)) = slot.features.get(at) {
                            feature.set_segment(segment.clone(), state.clone());
                        }
                    }
                    features.push(feature);
                }
                Err(reason) => failed.push(Failed { name: own.name().to_owned(), reason }),
            }
        }
        if features.is_empty() {
            return Err(Error::input("no feature of the model could be read in every pane of that time"));
        }
        let mut baseline = Baseline::new(whole.rows, features, Vec::new(), Vec::new());
        baseline.set_segments(self.segments.iter().map(|(name, slot)| (name.clone(), slot.rows)).collect());
        Ok((baseline, failed))
    }

    /// The panes that make up each pane of `grid`; `None` if its borders are not theirs.
    fn by_pane(&self, grid: &Grid) -> Option<BTreeMap<i64, Vec<&Whole>>> {
        let mut groups: BTreeMap<i64, Vec<&Whole>> = BTreeMap::new();
        for own in &self.panes {
            let pane = grid.pane_of(own.start);
            if grid.pane_of(own.end.saturating_sub(1)) != pane {
                return None;
            }
            groups.entry(pane.0).or_default().push(own);
        }
        Some(groups)
    }
}

/// Adds counts; a feature that cannot be read in one of them cannot be read in the sum.
fn add(sum: &mut SlotState, other: &SlotState) -> Result<()> {
    sum.rows += other.rows;
    for (own, other) in sum.features.iter_mut().zip(&other.features) {
        match (&mut *own, other) {
            (Ok(state), Ok(other)) => state.merge(other)?,
            (Ok(_), Err(reason)) => *own = Err(reason.clone()),
            (Err(_), _) => {}
        }
    }
    Ok(())
}

/// Design effects and volumes, as far as the kept panes make up those of the windows.
fn calibrate(config: &Config, slots: &Slots, old: &Baseline, baseline: &mut Baseline) -> Result<()> {
    // Features that could not be read are gone, so places have moved.
    let place = |own: &BaselineFeature| old.features().iter().position(|other| other.name() == own.name());
    let places: Vec<usize> = baseline.features().iter().filter_map(place).collect();
    for cut in config.windows.iter().filter_map(|window| window.cut) {
        let grid = cut.grid()?;
        if let Some(groups) = slots.by_pane(&grid) {
            let rows = |panes: Vec<&Whole>| panes.iter().map(|pane| pane.slot.rows).sum();
            let panes: BTreeMap<i64, u64> = groups.into_iter().map(|(pane, own)| (pane, rows(own))).collect();
            baseline.set_volume((grid.every_us(), grid.base_us()), Volume::of_panes(&grid, &panes));
        }
        let whole = Cut { every: cut.length, ..cut }.grid()?;
        let Some(groups) = slots.by_pane(&whole) else { continue };
        let (Some(first), Some(last)) = (slots.panes.first(), slots.panes.last()) else { continue };
        let is_complete = |pane: i64| {
            let span = whole.pane_span(Pane(pane));
            span.start >= first.start && span.end <= last.end
        };
        for (at, place) in places.iter().enumerate() {
            let own = &baseline.features()[at];
            let state = |panes: &Vec<&Whole>| -> Option<FeatureState> {
                let mut sum = FeatureState::empty(own.cells());
                for pane in panes {
                    sum.merge(pane.slot.features.get(*place)?.as_ref().ok()?).ok()?;
                }
                Some(sum)
            };
            let panes =
                groups.iter().filter(|(pane, _)| is_complete(**pane)).filter_map(|(_, own)| state(own));
            let effect = own.state(None).and_then(|all| design_effect(own.cells(), all, panes));
            if let Some(effect) = effect {
                baseline.features_mut()[at].set_design_effect(cut.length.micros(), effect)?;
            }
        }
    }
    Ok(())
}

/// What a baseline on old cells cannot do.
fn notes(baseline: &Baseline) -> Vec<String> {
    let mut notes = Vec::new();
    for feature in baseline.features() {
        if let (FeatureCells::Categorical(cells), Some(FeatureState::Categorical(state))) =
            (feature.cells().as_ref(), feature.state(None))
        {
            let new = state.cells.to_vec()[cells.new_cell()];
            if new > 0 {
                notes.push(format!(
                    "`{}`: {new} rows are of categories that the old baseline does not have; they stay new until a \
                     baseline is made from rows",
                    feature.name()
                ));
            }
        }
    }
    notes
}
