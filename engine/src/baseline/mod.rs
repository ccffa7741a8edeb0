//! Baselines: what the past looked like, frozen.
//!
//! A baseline is made in two readings of its rows: a seeded sample decides where to cut, then every row is counted
//! (SEMANTICS S5). It never changes afterwards; its id is a hash of what it holds, never of where that came from.

mod builder;
mod census;
mod cuts;
mod draft;
mod freeze;
mod sample;
mod vectors;
mod volume;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use builder::{Counter, FeatureSpec, Plan, Sampler, TEMPORAL_TEXT};

pub use sample::{SAMPLE_ROWS, sample_plan};
pub use vectors::WrongDim;
pub use volume::{Forecast, Stretch, Volume};

use crate::accumulate::{Accumulator, FeatureState};
use crate::codec;
use crate::digest::sha256_hex;
use crate::feature::FeatureCells;
use crate::window::{Grid, Preceding};
use crate::{Error, ErrorKind, Result};

/// A frozen baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    rows: u64,
    features: Vec<BaselineFeature>,
    skipped: Vec<Skipped>,
    failed: Vec<Skipped>,
    segments: BTreeMap<Arc<str>, u64>,
    /// By the distance between panes' borders and the first of them.
    volumes: BTreeMap<(i64, i64), Volume>,
}

/// A column that is no feature, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The column.
    pub name: String,
    /// Why, as a lowercase fragment.
    pub reason: String,
}

/// One feature of a baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct BaselineFeature {
    name: String,
    cells: Arc<FeatureCells>,
    cutset_id: String,
    whole: FeatureState,
    segments: BTreeMap<Arc<str>, FeatureState>,
    design_effects: BTreeMap<i64, f64>,
}

impl BaselineFeature {
    /// A feature with its frozen cells and its state over the whole baseline.
    #[must_use]
    pub fn new(name: String, cells: FeatureCells, whole: FeatureState) -> Self {
        let cutset_id = cells.cutset_id();
        Self {
            name,
            cells: Arc::new(cells),
            cutset_id,
            whole,
            segments: BTreeMap::new(),
            design_effects: BTreeMap::new(),
        }
    }

    /// The column.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The frozen cells.
    #[must_use]
    pub fn cells(&self) -> &Arc<FeatureCells> {
        &self.cells
    }

    /// The name of the cells: states of other names never combine (I-EDGES).
    #[must_use]
    pub fn cutset_id(&self) -> &str {
        &self.cutset_id
    }

    /// The baseline's state: of a segment, or of the whole.
    #[must_use]
    pub fn state(&self, segment: Option<&str>) -> Option<&FeatureState> {
        match segment {
            None => Some(&self.whole),
            Some(segment) => self.segments.get(segment),
        }
    }

    /// The states of the segments.
    #[must_use]
    pub fn segments(&self) -> &BTreeMap<Arc<str>, FeatureState> {
        &self.segments
    }

    /// Gives the feature the baseline's state of a segment.
    pub fn set_segment(&mut self, segment: Arc<str>, state: FeatureState) {
        self.segments.insert(segment, state);
    }

    /// How much more the baseline's panes of `length` microseconds vary than independent rows would, at least 1; `None`
    /// if that was not measured for this length (SEMANTICS S6). Longer panes vary more: no length speaks for another.
    #[must_use]
    pub fn design_effect(&self, length: i64) -> Option<f64> {
        self.design_effects.get(&length).copied()
    }

    /// Every design effect that was measured, by the panes' length in microseconds.
    #[must_use]
    pub fn design_effects(&self) -> &BTreeMap<i64, f64> {
        &self.design_effects
    }

    /// Gives the feature the design effect of the baseline's panes of `length` microseconds.
    ///
    /// # Errors
    ///
    /// `Plan` if the length is not positive, or the effect is not finite and at least 1.
    pub fn set_design_effect(&mut self, length: i64, effect: f64) -> Result<()> {
        if length <= 0 || !(effect >= 1.0 && effect.is_finite()) {
            return Err(Error::new(
                ErrorKind::Plan,
                format!(
                    "a design effect of `{effect}` for panes of `{length}` microseconds: expected at least 1, and a length"
                ),
            ));
        }
        self.design_effects.insert(length, effect);
        Ok(())
    }
}

impl Baseline {
    /// A baseline of `rows` rows.
    #[must_use]
    pub fn new(
        rows: u64,
        features: Vec<BaselineFeature>,
        skipped: Vec<Skipped>,
        failed: Vec<Skipped>,
    ) -> Self {
        Self { rows, features, skipped, failed, segments: BTreeMap::new(), volumes: BTreeMap::new() }
    }

    /// The name of the baseline: SHA-256 of its rows and features, never of paths or times (SEMANTICS S5).
    ///
    /// Design effects and volumes are left out: they follow from the windows that somebody asks for, and the same rows are the same
    /// baseline for hourly and for daily windows.
    #[must_use]
    pub fn id(&self) -> String {
        let mut bytes = self.rows.to_le_bytes().to_vec();
        for feature in &self.features {
            bytes.extend(sha256_hex(&codec::encode_content(feature)).as_bytes());
        }
        for (segment, rows) in &self.segments {
            bytes.extend((segment.len() as u64).to_le_bytes());
            bytes.extend(segment.as_bytes());
            bytes.extend(rows.to_le_bytes());
        }
        sha256_hex(&bytes)
    }

    /// The name of what windows are counted on: features, cells and segments, without a row of the baseline's. It stands in
    /// place of [`Self::id`] where the baseline's counts are compared with nothing, because the windows before each window
    /// are its baseline (SEMANTICS S20, S25); how many of them is part of the name, since it decides what a verdict says.
    #[must_use]
    pub fn moving_id(&self, preceding: Preceding) -> String {
        let mut bytes = preceding.windows().to_le_bytes().to_vec();
        for feature in &self.features {
            bytes.extend(sha256_hex(&codec::encode_grid(feature)).as_bytes());
        }
        for segment in self.segments.keys() {
            bytes.extend((segment.len() as u64).to_le_bytes());
            bytes.extend(segment.as_bytes());
        }
        sha256_hex(&bytes)
    }

    /// All rows, whatever they hold.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The features, in the order of their columns.
    #[must_use]
    pub fn features(&self) -> &[BaselineFeature] {
        &self.features
    }

    /// The features, to give them segments or design effects.
    pub fn features_mut(&mut self) -> &mut [BaselineFeature] {
        &mut self.features
    }

    /// Columns that are no features, and why.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Columns that should have been features but could not be read.
    #[must_use]
    pub fn failed(&self) -> &[Skipped] {
        &self.failed
    }

    /// Rows per segment.
    #[must_use]
    pub fn segments(&self) -> &BTreeMap<Arc<str>, u64> {
        &self.segments
    }

    /// Sets the rows per segment.
    pub fn set_segments(&mut self, segments: BTreeMap<Arc<str>, u64>) {
        self.segments = segments;
    }

    /// The rows of the panes that windows of `grid` are made of; `None` if they were not counted.
    #[must_use]
    pub fn volume(&self, grid: &Grid) -> Option<&Volume> {
        self.volumes.get(&(grid.every_us(), grid.base_us()))
    }

    /// Every volume that was counted, by the distance between panes' borders and the first of them at or after the epoch,
    /// in microseconds.
    #[must_use]
    pub fn volumes(&self) -> &BTreeMap<(i64, i64), Volume> {
        &self.volumes
    }

    /// Gives the baseline the rows of its panes; the key as in [`volumes`](Self::volumes).
    pub fn set_volume(&mut self, panes: (i64, i64), volume: Volume) {
        self.volumes.insert(panes, volume);
    }

    /// An empty accumulator for the baseline's own rows: vectors that an embedding's measures were fitted on are set apart.
    #[must_use]
    pub fn own_accumulator(&self) -> Accumulator {
        Accumulator::of_baseline(self.features.iter().map(|feature| feature.cells.clone()))
    }

    /// An empty accumulator on this baseline's cells.
    #[must_use]
    pub fn accumulator(&self) -> Accumulator {
        Accumulator::new(self.features.iter().map(|feature| feature.cells.clone()))
    }
}
