//! An accumulator: the states of all features, for every pane and segment seen.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::Array;
use arrow_buffer::BooleanBuffer;

use crate::accumulate::slot_table::SlotTable;
use crate::accumulate::{
    CategoricalCounter, CategoricalState, NO_SLOT, NumericCounter, NumericState, SlotKey, Slots,
};
use crate::embedding::{EmbeddingCounter, EmbeddingState, Ids};
use crate::feature::FeatureCells;
use crate::{Error, ErrorKind, Result};

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
    /// Of an embedding.
    Embedding(EmbeddingState),
}

impl FeatureState {
    /// No rows.
    #[must_use]
    pub fn empty(cells: &FeatureCells) -> Self {
        match cells {
            FeatureCells::Numeric(cells) => Self::Numeric(NumericState::empty(cells.n_cells())),
            FeatureCells::Categorical(cells) => Self::Categorical(CategoricalState::empty(cells.n_cells())),
            FeatureCells::Embedding(_) => Self::Embedding(EmbeddingState::empty()),
        }
    }

    /// All rows, whatever they hold.
    #[must_use]
    pub fn rows(&self) -> u64 {
        match self {
            Self::Numeric(state) => state.rows,
            Self::Categorical(state) => state.rows,
            Self::Embedding(state) => state.rows,
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
            (Self::Embedding(own), Self::Embedding(other)) => own.merge(other),
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
            (Self::Embedding(own), Self::Embedding(other)) => own.subtract(other),
            _ => Err(different_kinds()),
        }
    }
}

/// What a slot holds, apart from its accumulator: what is stored of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotState {
    /// All rows, whatever they hold.
    pub rows: u64,
    /// Each feature's state, or why it has none.
    pub features: Vec<Result<FeatureState, String>>,
}

/// A state where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StateView<'a> {
    Numeric(&'a NumericState),
    Categorical(&'a CategoricalState),
    Embedding(&'a EmbeddingState),
}

impl StateView<'_> {
    fn to_state(self) -> FeatureState {
        match self {
            Self::Numeric(state) => FeatureState::Numeric(state.clone()),
            Self::Categorical(state) => FeatureState::Categorical(state.clone()),
            Self::Embedding(state) => FeatureState::Embedding(state.clone()),
        }
    }
}

fn different_kinds() -> Error {
    Error::new(ErrorKind::Mismatch, "states of features of different kinds cannot be combined")
}

/// The states of several features over slots that appear as rows come.
#[derive(Debug)]
pub struct Accumulator {
    features: Vec<FeatureSlots>,
    slots: SlotTable,
}

#[derive(Debug)]
struct FeatureSlots {
    cells: Arc<FeatureCells>,
    states: States,
    counters: Vec<NumericCounter>,
    categories: CategoricalCounter,
    vectors: EmbeddingCounter,
    /// Why the feature has no state at all.
    error: Option<String>,
    /// Why it has none in some slots.
    slot_errors: BTreeMap<u32, String>,
}

#[derive(Debug)]
enum States {
    Numeric(Vec<NumericState>),
    Categorical(Vec<CategoricalState>),
    Embedding(Vec<EmbeddingState>),
}

impl FeatureSlots {
    /// Makes room for a slot that was added at `slot`.
    fn make_slot(&mut self, slot: u32) {
        match &mut self.states {
            States::Numeric(states) if states.len() == slot as usize => {
                states.push(NumericState::empty(self.cells.n_cells()));
            }
            States::Categorical(states) if states.len() == slot as usize => {
                states.push(CategoricalState::empty(self.cells.n_cells()));
            }
            States::Embedding(states) if states.len() == slot as usize => {
                states.push(EmbeddingState::empty())
            }
            // A place that is used again was emptied when it became free.
            _ => {}
        }
    }

    fn empty_slot(&mut self, slot: u32) {
        match &mut self.states {
            States::Numeric(states) => states[slot as usize] = NumericState::empty(self.cells.n_cells()),
            States::Categorical(states) => {
                states[slot as usize] = CategoricalState::empty(self.cells.n_cells());
            }
            States::Embedding(states) => states[slot as usize] = EmbeddingState::empty(),
        }
        self.slot_errors.remove(&slot);
    }

    fn set_slot(&mut self, slot: u32, state: FeatureState) -> Result<()> {
        match (&mut self.states, state) {
            (States::Numeric(states), FeatureState::Numeric(state)) => states[slot as usize] = state,
            (States::Categorical(states), FeatureState::Categorical(state)) => states[slot as usize] = state,
            (States::Embedding(states), FeatureState::Embedding(state)) => states[slot as usize] = state,
            _ => return Err(different_kinds()),
        }
        Ok(())
    }

    fn fail_slot(&mut self, slot: u32, message: &str) {
        let error = self.slot_errors.entry(slot).or_insert_with(|| message.to_owned());
        // The least message, so that the order in which batches come cannot show.
        if message < error.as_str() {
            message.clone_into(error);
        }
    }

    /// The state in a slot, or why there is none.
    fn view(&self, slot: u32) -> Result<StateView<'_>, &str> {
        if let Some(error) = self.error.as_ref().or_else(|| self.slot_errors.get(&slot)) {
            return Err(error);
        }
        Ok(match &self.states {
            States::Numeric(states) => StateView::Numeric(&states[slot as usize]),
            States::Categorical(states) => StateView::Categorical(&states[slot as usize]),
            States::Embedding(states) => StateView::Embedding(&states[slot as usize]),
        })
    }

    fn try_update(&mut self, column: Column<'_>, ids: Option<Ids<'_>>, slots: &[Slots<'_>]) -> Result<()> {
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
            (FeatureCells::Embedding(cells), States::Embedding(states)) => {
                self.vectors.update(cells, column.array, column.errors, ids, slots, states)
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
                    FeatureCells::Embedding(_) => States::Embedding(Vec::new()),
                },
                cells,
                counters: Vec::new(),
                categories: CategoricalCounter::default(),
                vectors: EmbeddingCounter::default(),
                error: None,
                slot_errors: BTreeMap::new(),
            })
            .collect();
        Self { features, slots: SlotTable::default() }
    }

    /// Nothing yet, for rows of the baseline that these cells come from.
    #[must_use]
    pub fn of_baseline(cells: impl IntoIterator<Item = Arc<FeatureCells>>) -> Self {
        let mut own = Self::new(cells);
        for feature in &mut own.features {
            feature.vectors = EmbeddingCounter::of_baseline();
        }
        own
    }

    /// How many features there are.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.features.len()
    }

    /// The slot of `key`, made if it is new. The number holds until the slot is removed.
    ///
    /// # Panics
    ///
    /// If there are 2^32 - 1 slots already.
    pub fn slot(&mut self, key: &SlotKey) -> u32 {
        if let Some(slot) = self.slots.find(key) {
            return slot;
        }
        let slot = self.slots.insert(key.clone());
        self.features.iter_mut().for_each(|feature| feature.make_slot(slot));
        slot
    }

    /// Counts the rows themselves, once for each grouping, whatever their features hold.
    pub fn add_rows(&mut self, n_rows: u64, slots: &[Slots<'_>]) {
        for slots in slots {
            match slots {
                Slots::All(slot) => self.slots.add_rows(*slot, n_rows),
                Slots::Each(slots) => {
                    for slot in slots.iter().filter(|slot| **slot != NO_SLOT) {
                        self.slots.add_rows(*slot, 1);
                    }
                }
            }
        }
    }

    /// Adds a column to feature number `feature`.
    ///
    /// A column that cannot be read puts that feature, and no other, into error (I-ONE).
    pub fn update(&mut self, feature: usize, column: Column<'_>, slots: &[Slots<'_>]) {
        self.update_named(feature, column, None, slots);
    }

    /// The same of rows that have ids, of which embeddings keep some.
    pub fn update_named(
        &mut self,
        feature: usize,
        column: Column<'_>,
        ids: Option<Ids<'_>>,
        slots: &[Slots<'_>],
    ) {
        let feature = &mut self.features[feature];
        if feature.error.is_some() {
            return;
        }
        if let Err(error) = feature.try_update(column, ids, slots) {
            feature.error = Some(error.to_string());
        }
    }

    /// Adds a column to feature number `feature`; one that cannot be read puts that feature into error in the slots
    /// that were to have its rows, and nowhere else: the windows of a stream do not end with a bad hour (I-ONE). Of rows
    /// that have `ids`, embeddings keep some.
    pub fn update_within(
        &mut self,
        feature: usize,
        column: Column<'_>,
        ids: Option<Ids<'_>>,
        slots: &[Slots<'_>],
    ) {
        if let Err(error) = self.features[feature].try_update(column, ids, slots) {
            self.fail_within(feature, &error.to_string(), slots);
        }
    }

    /// Puts feature number `feature` into error in these slots.
    pub fn fail_within(&mut self, feature: usize, message: &str, slots: &[Slots<'_>]) {
        let feature = &mut self.features[feature];
        for slots in slots {
            match slots {
                Slots::All(slot) => feature.fail_slot(*slot, message),
                Slots::Each(slots) => {
                    let mut last = NO_SLOT;
                    for slot in slots.iter().filter(|slot| **slot != NO_SLOT) {
                        // Rows of one slot often follow each other.
                        if *slot != last {
                            feature.fail_slot(*slot, message);
                            last = *slot;
                        }
                    }
                }
            }
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
        for (key, from) in other.slots.iter() {
            let to = self.slot(key);
            self.slots.add_rows(to, other.slots.rows(from));
            for (own, other) in self.features.iter_mut().zip(&other.features) {
                if let Some(error) = other.slot_errors.get(&from) {
                    own.fail_slot(to, error);
                }
                let (to, from) = (to as usize, from as usize);
                match (&mut own.states, &other.states) {
                    (States::Numeric(own), States::Numeric(other)) => own[to].merge(&other[from])?,
                    (States::Categorical(own), States::Categorical(other)) => own[to].merge(&other[from])?,
                    (States::Embedding(own), States::Embedding(other)) => own[to].merge(&other[from])?,
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

    /// Drops every slot of a pane, and says which there were, in the order of their keys.
    pub fn remove_pane(&mut self, pane: i64) -> Vec<SlotKey> {
        let removed = self.slots.remove_pane(pane);
        for (_, slot) in &removed {
            self.features.iter_mut().for_each(|feature| feature.empty_slot(*slot));
        }
        removed.into_iter().map(|(key, _)| key).collect()
    }

    /// Puts a slot back that was stored; it is clean.
    ///
    /// # Errors
    ///
    /// `Mismatch` if there is such a slot already, or the state is not one of these features.
    pub fn restore(&mut self, key: &SlotKey, state: SlotState) -> Result<()> {
        if self.slots.find(key).is_some() || state.features.len() != self.features.len() {
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!(
                    "a slot can be put back once, with `{}` features, not `{}`",
                    self.features.len(),
                    state.features.len()
                ),
            ));
        }
        let slot = self.slot(key);
        self.slots.set_clean_rows(slot, state.rows);
        for (own, state) in self.features.iter_mut().zip(state.features) {
            match state {
                Ok(state) => own.set_slot(slot, state)?,
                Err(message) => own.fail_slot(slot, &message),
            }
        }
        Ok(())
    }

    /// The slots that took rows since [`Self::mark_clean`], in the order of their keys.
    pub fn dirty_slots(&self) -> impl Iterator<Item = &SlotKey> {
        self.slots.dirty().map(|(key, _)| key)
    }

    /// From here on, the slots that there are count as stored.
    pub fn mark_clean(&mut self) {
        self.slots.mark_clean();
    }

    /// The slots seen, in the order of their keys, with their rows.
    pub fn slots(&self) -> impl Iterator<Item = (&SlotKey, u64)> {
        self.slots.iter().map(|(key, slot)| (key, self.slots.rows(slot)))
    }

    /// The segments that have rows in a pane, in the order of their texts.
    pub fn segments_of(&self, pane: Option<i64>) -> impl Iterator<Item = &Arc<str>> {
        self.slots.of_pane(pane).filter_map(|key| key.segment.as_ref())
    }

    /// The panes within these that hold rows, in order.
    pub fn panes_within(&self, panes: RangeInclusive<i64>) -> impl Iterator<Item = i64> {
        self.slots.panes_within(panes)
    }

    /// The rows of several slots together.
    #[must_use]
    pub fn rows_of(&self, keys: &[SlotKey]) -> u64 {
        keys.iter().filter_map(|key| self.slots.find(key)).map(|slot| self.slots.rows(slot)).sum()
    }

    /// The state of feature number `feature` in the slot of `key`, or why there is none.
    ///
    /// # Errors
    ///
    /// `Schema` if the feature is in error, everywhere or in this slot.
    pub fn state(&self, feature: usize, key: &SlotKey) -> Result<FeatureState> {
        let feature = &self.features[feature];
        let view = match (self.slots.find(key), &feature.error) {
            (Some(slot), _) => feature.view(slot),
            (None, Some(error)) => Err(error.as_str()),
            (None, None) => return Ok(FeatureState::empty(&feature.cells)),
        };
        view.map(StateView::to_state).map_err(|error| Error::new(ErrorKind::Schema, error))
    }

    /// Adds the state of feature number `feature` in the slot of `key` to `sum`; nothing if there is no such slot.
    ///
    /// # Errors
    ///
    /// `Schema` as [`Self::state`]; `Mismatch` if `sum` is of another feature.
    pub fn add_state(&self, feature: usize, key: &SlotKey, sum: &mut FeatureState) -> Result<()> {
        let feature = &self.features[feature];
        let view = match (self.slots.find(key), &feature.error) {
            (Some(slot), _) => feature.view(slot),
            (None, Some(error)) => Err(error.as_str()),
            (None, None) => return Ok(()),
        };
        match (view.map_err(|error| Error::new(ErrorKind::Schema, error))?, sum) {
            (StateView::Numeric(state), FeatureState::Numeric(sum)) => sum.merge(state),
            (StateView::Categorical(state), FeatureState::Categorical(sum)) => sum.merge(state),
            (StateView::Embedding(state), FeatureState::Embedding(sum)) => sum.merge(state),
            _ => Err(different_kinds()),
        }
    }

    /// The rows of a slot, and each feature's state in it or why there is none; `None` if there is no such slot.
    pub(crate) fn view(
        &self,
        key: &SlotKey,
    ) -> Option<(u64, impl ExactSizeIterator<Item = Result<StateView<'_>, &str>>)> {
        let slot = self.slots.find(key)?;
        Some((self.slots.rows(slot), self.features.iter().map(move |feature| feature.view(slot))))
    }
}
