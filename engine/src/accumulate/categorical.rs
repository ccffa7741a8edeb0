//! The state of one categorical feature, and the counter that fills it.

use arrow_array::{Array, ArrayRef};
use arrow_buffer::BooleanBuffer;

use crate::Result;
use crate::accumulate::counters;
use crate::accumulate::names::for_each_name;
use crate::accumulate::text::{TextColumn, Texts, same_array};
use crate::accumulate::{CellCounts, NO_SLOT, Newcomers, Slots};
use crate::feature::{Categories, Family, HashIndex, category_hash};

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
        counters::add(
            [&mut self.rows, &mut self.nulls, &mut self.nans, &mut self.type_errors],
            other.counters(),
        );
        self.newcomers.merge(&other.newcomers);
        Ok(())
    }

    /// Takes a state away that was added before. The names of new categories stay, since they cannot be taken away.
    ///
    /// # Errors
    ///
    /// `Mismatch` if the number of cells differs or the other state was never added; then nothing is changed.
    pub fn subtract(&mut self, other: &Self) -> Result<()> {
        counters::take(
            [&mut self.rows, &mut self.nulls, &mut self.nans, &mut self.type_errors],
            other.counters(),
            || self.cells.subtract(&other.cells),
        )
    }

    fn counters(&self) -> [u64; 4] {
        [self.rows, self.nulls, self.nans, self.type_errors]
    }
}

/// Counts columns of one categorical feature.
///
/// A dictionary column's entries are looked up once for all batches that share them, which are mostly all of a row
/// group; then a row costs one look-up in an array.
#[derive(Debug, Default)]
pub(crate) struct CategoricalCounter {
    known: Option<KnownEntries>,
    cells: Vec<u16>,
    counts: Vec<u32>,
}

/// A dictionary whose entries' cells are known. Holding the entries keeps them from being freed and their place reused.
#[derive(Debug)]
struct KnownEntries {
    entries: ArrayRef,
    cells: Vec<u16>,
}

impl KnownEntries {
    /// The cells of `entries`: those in `known` if they are the same, else looked up and kept there.
    fn of<'a>(
        known: &'a mut Option<Self>,
        feature: &Categories,
        entries: &ArrayRef,
        texts: Texts<'_>,
    ) -> &'a Self {
        let known_too = known.take().filter(|known| same_array(&known.entries, entries));
        known.insert(known_too.unwrap_or_else(|| {
            let mut cells = vec![NULL; entries.len()];
            texts.for_each(&mut |entry, text| cells[entry] = feature.cell(category_hash(text)));
            Self { entries: entries.clone(), cells }
        }))
    }
}

/// No cell: a null, or a value that could not be read.
const NULL: u16 = u16::MAX;
/// No cell: NaN.
const NAN: u16 = u16::MAX - 1;

impl CategoricalCounter {
    /// Adds a column to the states that `slots` name. `errors` marks rows that are null because their value could not
    /// be read.
    ///
    /// # Errors
    ///
    /// `Schema` if the column cannot be read as categories of the baseline's family.
    pub(crate) fn update(
        &mut self,
        feature: &Categories,
        array: &dyn Array,
        errors: Option<&BooleanBuffer>,
        slots: &[Slots<'_>],
        states: &mut [CategoricalState],
    ) -> Result<()> {
        if let [Slots::All(slot)] = slots
            && self.count_entries(feature, array, errors, &mut states[*slot as usize])
        {
            return Ok(());
        }
        self.cells.clear();
        self.cells.resize(array.len(), NULL);
        let new_names = self.locate(feature, array)?;
        for slots in slots {
            match slots {
                Slots::All(slot) => self.count(feature, errors, &new_names, &mut states[*slot as usize]),
                Slots::Each(slots) => self.scatter(errors, &new_names, slots, states),
            }
        }
        Ok(())
    }

    /// Adds a dictionary column to one state by counting its keys, if it is a short one; says whether it was.
    fn count_entries(
        &mut self,
        feature: &Categories,
        array: &dyn Array,
        errors: Option<&BooleanBuffer>,
        state: &mut CategoricalState,
    ) -> bool {
        let Some(TextColumn::Entries { entries, texts, keys }) =
            TextColumn::of(array).filter(|_| feature.value_type.family == Family::Text)
        else {
            return false;
        };
        if entries.len() > array.len() / 4 {
            return false;
        }
        let known = KnownEntries::of(&mut self.known, feature, entries, texts);
        let counts = &mut self.counts;
        counts.clear();
        counts.resize(entries.len(), 0);
        let mut with_key = 0;
        keys.for_each(&mut |_, entry| {
            counts[entry] += 1;
            with_key += 1;
        });
        let n_errors = errors.map_or(0, |errors| errors.count_set_bits() as u64);
        let mut nulls = array.len() as u64 - with_key;
        for (entry, (cell, count)) in known.cells.iter().zip(counts).enumerate() {
            let count = u64::from(*count);
            match *cell {
                _ if count == 0 => {}
                NULL => nulls += count,
                cell => {
                    state.cells.add(cell, count);
                    if usize::from(cell) == feature.new_cell() {
                        let text = texts.value(entry);
                        state.newcomers.add(category_hash(text), text, count);
                    }
                }
            }
        }
        state.rows += array.len() as u64;
        state.type_errors += n_errors;
        state.nulls += nulls - n_errors;
        true
    }

    /// Finds each row's cell, and the names that the baseline has not seen.
    fn locate(&mut self, feature: &Categories, array: &dyn Array) -> Result<NewNames> {
        let family = feature.value_type.family;
        let mut new_names = NewNames::default();
        if let Some(column) = TextColumn::of(array).filter(|_| family == Family::Text) {
            match column {
                TextColumn::Plain(texts) => texts.for_each(&mut |row, text| {
                    let hash = category_hash(text);
                    let cell = feature.cell(hash);
                    self.cells[row] = cell;
                    if usize::from(cell) == feature.new_cell() {
                        new_names.add(hash, text, row);
                    }
                }),
                TextColumn::Entries { entries, texts, keys } => {
                    let known = KnownEntries::of(&mut self.known, feature, entries, texts);
                    keys.for_each(&mut |row, entry| self.cells[row] = known.cells[entry]);
                    let new_cell = feature.new_cell();
                    if self.cells.iter().any(|cell| usize::from(*cell) == new_cell) {
                        keys.for_each(&mut |row, entry| {
                            if usize::from(known.cells[entry]) == new_cell {
                                let text = texts.value(entry);
                                new_names.add(category_hash(text), text, row);
                            }
                        });
                    }
                }
            }
            return Ok(new_names);
        }
        let unnamed = for_each_name(array, family, |name, rows| {
            let hash = category_hash(name);
            let cell = feature.cell(hash);
            for row in rows.iter() {
                self.cells[row] = cell;
                if usize::from(cell) == feature.new_cell() {
                    new_names.add(hash, name, row);
                }
            }
        })?;
        for row in &unnamed.nan_rows {
            self.cells[*row] = NAN;
        }
        Ok(new_names)
    }

    /// Adds all rows to one state.
    fn count(
        &self,
        feature: &Categories,
        errors: Option<&BooleanBuffer>,
        new_names: &NewNames,
        state: &mut CategoricalState,
    ) {
        let n_cells = feature.n_cells();
        // Rows of one category often follow each other: by turns, so that no count waits for the one before.
        let mut counts = [vec![0_u64; n_cells], vec![0; n_cells]];
        let mut nulls = 0;
        let [even, odd] = &mut counts;
        let mut add = |cell: u16, counts: &mut Vec<u64>| match counts.get_mut(usize::from(cell)) {
            Some(count) => *count += 1,
            None if cell == NAN => state.nans += 1,
            None => nulls += 1,
        };
        let pairs = self.cells.chunks_exact(2);
        if let [last] = pairs.remainder() {
            add(*last, even);
        }
        for pair in pairs {
            add(pair[0], even);
            add(pair[1], odd);
        }
        even.iter_mut().zip(odd).for_each(|(even, odd)| *even += *odd);
        state.cells.add_counts_at(0, even);
        let n_errors = errors.map_or(0, |errors| errors.count_set_bits() as u64);
        state.rows += self.cells.len() as u64;
        state.type_errors += n_errors;
        state.nulls += nulls - n_errors;
        for (hash, (name, rows)) in &new_names.by_hash {
            state.newcomers.add(*hash, name, rows.len() as u64);
        }
    }

    /// Adds each row to the state that its slot names.
    fn scatter(
        &self,
        errors: Option<&BooleanBuffer>,
        new_names: &NewNames,
        slots: &[u32],
        states: &mut [CategoricalState],
    ) {
        for (row, (slot, cell)) in slots.iter().zip(&self.cells).enumerate() {
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
        for (hash, (name, rows)) in &new_names.by_hash {
            for row in rows.iter().filter(|row| slots[**row as usize] != NO_SLOT) {
                states[slots[*row as usize] as usize].newcomers.add(*hash, name, 1);
            }
        }
    }
}

/// The names of a batch that the baseline has not seen, each with its rows.
#[derive(Debug, Default)]
struct NewNames {
    by_hash: HashIndex<(String, Vec<u32>)>,
}

impl NewNames {
    fn add(&mut self, hash: u64, name: &str, row: usize) {
        #[expect(clippy::cast_possible_truncation, reason = "a batch has fewer than 2^32 rows")]
        self.by_hash.entry(hash).or_insert_with(|| (name.to_owned(), Vec::new())).1.push(row as u32);
    }
}
