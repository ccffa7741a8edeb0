//! The state of one categorical feature, and the counter that fills it.

use arrow_array::Array;
use arrow_buffer::BooleanBuffer;

use crate::accumulate::names::for_each_name;
use crate::accumulate::{CellCounts, NO_SLOT, Newcomers, Slots};
use crate::feature::{Categories, category_hash};
use crate::{Error, ErrorKind, Result};

/// What a window (or a baseline) knows of one categorical feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CategoricalState {
    /// Rows per category of the dictionary, then OTHER, then NEW.
    pub cells: CellCounts,
    /// All rows, whatever they hold.
    pub rows: u64,
    /// Rows without a value.
    pub nulls: u64,
    /// Rows whose value is NaN (float categories).
    pub nans: u64,
    /// Rows whose value could not be read as the feature's type.
    pub type_errors: u64,
    /// Some of the new categories by name.
    pub newcomers: Newcomers,
}

impl CategoricalState {
    /// No rows.
    #[must_use]
    pub fn empty(n_cells: usize) -> Self {
        Self {
            cells: CellCounts::zero(n_cells),
            rows: 0,
            nulls: 0,
            nans: 0,
            type_errors: 0,
            newcomers: Newcomers::default(),
        }
    }

    /// Rows that have a value: those in a cell.
    #[must_use]
    pub fn values(&self) -> u64 {
        self.rows - self.nulls - self.nans - self.type_errors
    }

    /// Adds another state.
    ///
    /// # Errors
    ///
    /// `Mismatch` if the number of cells differs.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.cells.merge(&other.cells)?;
        self.rows += other.rows;
        self.nulls += other.nulls;
        self.nans += other.nans;
        self.type_errors += other.type_errors;
        self.newcomers.merge(&other.newcomers);
        Ok(())
    }

    /// Takes a state away that was added before. The names of new categories stay, since they cannot be taken away.
    ///
    /// # Errors
    ///
    /// `Mismatch` if the number of cells differs or the other state was never added; then nothing is changed.
    pub fn subtract(&mut self, other: &Self) -> Result<()> {
        let counters = |s: &Self| [s.rows, s.nulls, s.nans, s.type_errors];
        if counters(self).iter().zip(counters(other)).any(|(own, other)| *own < other) {
            return Err(Error::new(ErrorKind::Mismatch, "cannot subtract a state that was never added"));
        }
        self.cells.subtract(&other.cells)?;
        self.rows -= other.rows;
        self.nulls -= other.nulls;
        self.nans -= other.nans;
        self.type_errors -= other.type_errors;
        Ok(())
    }
}

/// Adds a column to the states that `slots` name. `errors` marks rows that are null because their value could not be
/// read.
///
/// # Errors
///
/// `Schema` if the column cannot be read as categories of the baseline's family.
pub(crate) fn update(
    feature: &Categories,
    array: &dyn Array,
    errors: Option<&BooleanBuffer>,
    slots: &[Slots<'_>],
    states: &mut [CategoricalState],
) -> Result<()> {
    let whole = slots.iter().any(|slots| matches!(slots, Slots::All(_)));
    if whole {
        let mut partial = CategoricalState::empty(feature.n_cells());
        partial.rows = array.len() as u64;
        let tally = for_each_name(array, feature.value_type.family, |name, rows| {
            let hash = category_hash(name);
            let cell = feature.cell(hash);
            partial.cells.add(cell, rows.len());
            if usize::from(cell) == feature.new_cell() {
                partial.newcomers.add(hash, name, rows.len());
            }
        })?;
        partial.type_errors = errors.map_or(0, |errors| errors.count_set_bits() as u64);
        partial.nulls = tally.nulls - partial.type_errors;
        partial.nans = tally.nans;
        for slots in slots {
            if let Slots::All(slot) = slots {
                states[*slot as usize].merge(&partial)?;
            }
        }
    }
    if slots.iter().any(|slots| matches!(slots, Slots::Each(_))) {
        scatter(feature, array, errors, slots, states)?;
    }
    Ok(())
}

/// Adds each row to the state that its slot names.
fn scatter(
    feature: &Categories,
    array: &dyn Array,
    errors: Option<&BooleanBuffer>,
    slots: &[Slots<'_>],
    states: &mut [CategoricalState],
) -> Result<()> {
    const NULL: u16 = u16::MAX;
    const NAN: u16 = u16::MAX - 1;
    let mut cells = vec![NULL; array.len()];
    let tally = for_each_name(array, feature.value_type.family, |name, rows| {
        let hash = category_hash(name);
        let cell = feature.cell(hash);
        for row in rows.iter() {
            cells[row] = cell;
        }
        if usize::from(cell) == feature.new_cell() {
            for slots in slots {
                let Slots::Each(slots) = slots else { continue };
                for row in rows.iter().filter(|row| slots[*row] != NO_SLOT) {
                    states[slots[row] as usize].newcomers.add(hash, name, 1);
                }
            }
        }
    })?;
    for row in &tally.nan_rows {
        cells[*row] = NAN;
    }
    for slots in slots {
        let Slots::Each(slots) = slots else { continue };
        for (row, (slot, cell)) in slots.iter().zip(&cells).enumerate() {
            if *slot == NO_SLOT {
                continue;
            }
            let state = &mut states[*slot as usize];
            state.rows += 1;
            match *cell {
                NULL if errors.is_some_and(|errors| errors.value(row)) => state.type_errors += 1,
                NULL => state.nulls += 1,
                NAN => state.nans += 1,
                cell => state.cells.add_one(cell),
            }
        }
    }
    Ok(())
}
