//! An accumulator: the states of all features, for every pane and segment seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::Array;
use arrow_buffer::BooleanBuffer;

use crate::accumulate::{CategoricalCounter, CategoricalState, NumericCounter, NumericState, Slots};
use crate::feature::FeatureCells;
use crate::{Error, ErrorKind, Result};

/// Which rows a state speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotKey {
    /// The number of the pane on its grid; `None` without windows.
    pub pane: Option<i64>,
    /// The segment as a JSON object (SEMANTICS S18); `None` for the whole.
    pub segment: Option<Arc<str>>,
}

/// One column of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// The values.
    pub array: &'a dyn Array,
    /// Rows that are null because their value could not be read as the column's type.
    pub errors: Option<&'a BooleanBuffer>,
}

/// The state of one feature in one slot.
#[derive(Clone, Debug, PartialEq)]
pub enum FeatureState {
    /// Of a numeric feature.
    Numeric(NumericState),
    /// Of a categorical feature.
    Categorical(CategoricalState),
}

impl FeatureState {
    /// No rows.
    #[must_use]
    pub fn empty(cells: &FeatureCells) -> Self {
        match cells {
            FeatureCells::Numeric(cells) => Self::Numeric(NumericState::empty(cells.n_cells())),
            FeatureCells::Categorical(cells) => Self::Categorical(CategoricalState::empty(cells.n_cells())),
        }
    }

    /// All rows, whatever they hold.
    #[must_use]
    pub fn rows(&self) -> u64 {
        match self {
            Self::Numeric(state) => state.rows,
            Self::Categorical(state) => state.rows,
        }
    }

    /// Adds another state.
    ///
    /// # Errors
    ///
    /// `Mismatch` if the two are of different kinds or cells.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        match (self, other) {
            (Self::Numeric(own), Self::Numeric(other)) => own.merge(other),
            (Self::Categorical(own), Self::Categorical(other)) => own.merge(other),
            _ => Err(different_kinds()),
        }
    }

    /// Takes a state away that was added before.
    ///
    /// # Errors
    ///
    /// `Mismatch` if the two are of different kinds or cells, or the other was never added; then nothing is changed.
    pub fn subtract(&mut self, other: &Self) -> Result<()> {
        match (self, other) {
            (Self::Numeric(own), Self::Numeric(other)) => own.subtract(other),
            (Self::Categorical(own), Self::Categorical(other)) => own.subtract(other),
            _ => Err(different_kinds()),
        }
    }
}

fn different_kinds() -> Error {
    Error::new(ErrorKind::Mismatch, "a numeric and a categorical state cannot be combined")
}

/// The states of several features over slots that appear as rows come.
#[derive(Debug)]
pub struct Accumulator {
    features: Vec<FeatureSlots>,
    slots: BTreeMap<SlotKey, u32>,
    rows: Vec<u64>,
}

#[derive(Debug)]
struct FeatureSlots {
    cells: Arc<FeatureCells>,
    states: States,
    counters: Vec<NumericCounter>,
    categories: CategoricalCounter,
    error: Option<String>,
}

#[derive(Debug)]
enum States {
    Numeric(Vec<NumericState>),
    Categorical(Vec<CategoricalState>),
}

impl FeatureSlots {
    fn push_slot(&mut self) {
        match &mut self.states {
            States::Numeric(states) => states.push(NumericState::empty(self.cells.n_cells())),
            States::Categorical(states) => states.push(CategoricalState::empty(self.cells.n_cells())),
        }
    }

    fn try_update(&mut self, column: Column<'_>, slots: &[Slots<'_>]) -> Result<()> {
        match (self.cells.as_ref(), &mut self.states) {
            (FeatureCells::Numeric(cells), States::Numeric(states)) => {
                let data_type = column.array.data_type();
                let at = match self.counters.iter().position(|counter| counter.reads(data_type)) {
                    Some(at) => at,
                    None => {
                        self.counters.push(NumericCounter::new(cells, data_type)?);
                        self.counters.len() - 1
                    }
                };
                self.counters[at].update(cells, column.array, column.errors, slots, states)
            }
            (FeatureCells::Categorical(cells), States::Categorical(states)) => {
                self.categories.update(cells, column.array, column.errors, slots, states)
            }
            _ => Err(different_kinds()),
        }
    }
}

impl Accumulator {
    /// Nothing yet, for features with these cells.
    #[must_use]
    pub fn new(cells: impl IntoIterator<Item = Arc<FeatureCells>>) -> Self {
        let features = cells
            .into_iter()
            .map(|cells| FeatureSlots {
                states: match cells.as_ref() {
                    FeatureCells::Numeric(_) => States::Numeric(Vec::new()),
                    FeatureCells::Categorical(_) => States::Categorical(Vec::new()),
                },
                cells,
                counters: Vec::new(),
                categories: CategoricalCounter::default(),
                error: None,
            })
            .collect();
        Self { features, slots: BTreeMap::new(), rows: Vec::new() }
    }

    /// The slot of `key`, made if it is new.
    ///
    /// # Panics
    ///
    /// If there are 2^32 - 1 slots already.
    pub fn slot(&mut self, key: &SlotKey) -> u32 {
        if let Some(slot) = self.slots.get(key) {
            return *slot;
        }
        let slot = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        assert!(slot < crate::accumulate::NO_SLOT, "too many panes and segments");
        self.slots.insert(key.clone(), slot);
        self.rows.push(0);
        self.features.iter_mut().for_each(FeatureSlots::push_slot);
        slot
    }

    /// Counts the rows themselves, once for each grouping, whatever their features hold.
    pub fn add_rows(&mut self, n_rows: u64, slots: &[Slots<'_>]) {
        for slots in slots {
            match slots {
                Slots::All(slot) => self.rows[*slot as usize] += n_rows,
                Slots::Each(slots) => {
                    for slot in slots.iter().filter(|slot| **slot != crate::accumulate::NO_SLOT) {
                        self.rows[*slot as usize] += 1;
                    }
                }
            }
        }
    }

    /// Adds a column to feature number `feature`.
    ///
    /// A column that cannot be read puts that feature, and no other, into error (I-ONE).
    pub fn update(&mut self, feature: usize, column: Column<'_>, slots: &[Slots<'_>]) {
        let feature = &mut self.features[feature];
        if feature.error.is_some() {
            return;
        }
        if let Err(error) = feature.try_update(column, slots) {
            feature.error = Some(error.to_string());
        }
    }

    /// Puts feature number `feature` into error.
    pub fn fail(&mut self, feature: usize, message: impl Into<String>) {
        let error = &mut self.features[feature].error;
        let message = message.into();
        // The least message, so that the order in which parts are read cannot show.
        *error = Some(match error.take() {
            Some(own) => own.min(message),
            None => message,
        });
    }

    /// Adds another accumulator of the same features; its slots are matched by key.
    ///
    /// # Errors
    ///
    /// `Mismatch` if the features differ.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        let same = |(own, other): (&FeatureSlots, &FeatureSlots)| {
            Arc::ptr_eq(&own.cells, &other.cells) || own.cells == other.cells
        };
        // Equal numbers of cells are not equal edges (I-EDGES).
        if self.features.len() != other.features.len() || !self.features.iter().zip(&other.features).all(same)
        {
            return Err(Error::new(
                ErrorKind::Mismatch,
                "accumulators of different features or edges cannot be combined",
            ));
        }
        for (key, from) in &other.slots {
            let to = self.slot(key) as usize;
            let from = *from as usize;
            self.rows[to] += other.rows[from];
            for (own, other) in self.features.iter_mut().zip(&other.features) {
                match (&mut own.states, &other.states) {
                    (States::Numeric(own), States::Numeric(other)) => own[to].merge(&other[from])?,
                    (States::Categorical(own), States::Categorical(other)) => own[to].merge(&other[from])?,
                    _ => return Err(different_kinds()),
                }
            }
        }
        for (at, other) in other.features.iter().enumerate() {
            if let Some(error) = &other.error {
                self.fail(at, error.clone());
            }
        }
        Ok(())
    }

    /// The slots seen, in the order of their keys, with their rows.
    pub fn slots(&self) -> impl Iterator<Item = (&SlotKey, u64)> {
        self.slots.iter().map(|(key, slot)| (key, self.rows[*slot as usize]))
    }

    /// The segments that have rows in a pane, in the order of their texts.
    pub fn segments_of(&self, pane: Option<i64>) -> impl Iterator<Item = &Arc<str>> {
        let whole = SlotKey { pane, segment: None };
        let of_pane = self.slots.range(whole..).map(|(key, _)| key).take_while(move |key| key.pane == pane);
        of_pane.filter_map(|key| key.segment.as_ref())
    }

    /// The rows of several slots together.
    #[must_use]
    pub fn rows_of(&self, keys: &[SlotKey]) -> u64 {
        keys.iter().filter_map(|key| self.slots.get(key)).map(|slot| self.rows[*slot as usize]).sum()
    }

    /// The state of feature number `feature` in the slot of `key`, or why there is none.
    ///
    /// # Errors
    ///
    /// `Schema` if the feature is in error.
    pub fn state(&self, feature: usize, key: &SlotKey) -> Result<FeatureState> {
        let feature = &self.features[feature];
        if let Some(error) = &feature.error {
            return Err(Error::new(ErrorKind::Schema, error.clone()));
        }
        Ok(match (self.slots.get(key), &feature.states) {
            (Some(slot), States::Numeric(states)) => FeatureState::Numeric(states[*slot as usize].clone()),
            (Some(slot), States::Categorical(states)) => {
                FeatureState::Categorical(states[*slot as usize].clone())
            }
            (None, _) => FeatureState::empty(&feature.cells),
        })
    }
}
