//! Counting a baseline's rows of one categorical feature: every category, up to a limit (SEMANTICS S3).

use arrow_array::Array;
use arrow_buffer::BooleanBuffer;

use crate::Result;
use crate::accumulate::{CategoricalState, CellCounts, for_each_name};
use crate::feature::{Categories, HashIndex, ValueType, category_hash};

/// More distinct categories than this are not followed.
pub(crate) const MAX_CATEGORIES: usize = 256 * 1024;

/// What the counting pass knows of one categorical feature.
#[derive(Debug)]
pub(crate) struct Census {
    value_type: ValueType,
    rows: u64,
    nulls: u64,
    nans: u64,
    type_errors: u64,
    /// `None` once there were too many.
    by_hash: Option<HashIndex<(String, u64)>>,
}

impl Census {
    pub(crate) fn new(value_type: ValueType) -> Self {
        Self { value_type, rows: 0, nulls: 0, nans: 0, type_errors: 0, by_hash: Some(HashIndex::default()) }
    }

    /// Adds a column.
    ///
    /// # Errors
    ///
    /// `Schema` if it is not of the feature's family.
    pub(crate) fn update(&mut self, array: &dyn Array, errors: Option<&BooleanBuffer>) -> Result<()> {
        let n_errors = errors.map_or(0, |errors| errors.count_set_bits() as u64);
        let mut by_hash = self.by_hash.take();
        let unnamed = for_each_name(array, self.value_type.family, |name, rows| {
            if let Some(counts) = &mut by_hash {
                counts.entry(category_hash(name)).or_insert_with(|| (name.to_owned(), 0)).1 += rows.len();
            }
        })?;
        self.by_hash = by_hash.filter(|counts| counts.len() <= MAX_CATEGORIES);
        self.rows += array.len() as u64;
        self.nulls += unnamed.nulls - n_errors;
        self.nans += unnamed.nans;
        self.type_errors += n_errors;
        Ok(())
    }

    /// Adds another census of the same feature.
    pub(crate) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.nulls += other.nulls;
        self.nans += other.nans;
        self.type_errors += other.type_errors;
        self.by_hash = match (self.by_hash.take(), other.by_hash) {
            (Some(mut own), Some(other)) => {
                for (hash, (name, count)) in other {
                    own.entry(hash).or_insert((name, 0)).1 += count;
                }
                Some(own).filter(|counts| counts.len() <= MAX_CATEGORIES)
            }
            _ => None,
        };
    }

    /// Rows that have a value.
    pub(crate) fn values(&self) -> u64 {
        self.rows - self.nulls - self.nans - self.type_errors
    }

    /// How many categories there are; `None` if too many to follow.
    pub(crate) fn n_distinct(&self) -> Option<usize> {
        self.by_hash.as_ref().map(HashIndex::len)
    }

    /// The frozen dictionary and the baseline's own state on it; `None` if there are too many categories.
    pub(crate) fn freeze(self) -> Option<(Categories, CategoricalState)> {
        let mut counted: Vec<(u64, String, u64)> =
            self.by_hash?.into_iter().map(|(hash, (name, count))| (hash, name, count)).collect();
        // Most frequent first, ties by bytes.
        counted.sort_unstable_by(|a, b| b.2.cmp(&a.2).then_with(|| a.1.cmp(&b.1)));
        let singletons = counted.iter().filter(|(_, _, count)| *count == 1).count() as u64;
        let rare = counted.split_off(counted.len().min(Categories::MAX_NAMED));
        let mut counts: Vec<u64> = counted.iter().map(|(_, _, count)| *count).collect();
        counts.extend([rare.iter().map(|(_, _, count)| count).sum(), 0]);
        let names = counted.into_iter().map(|(_, name, _)| name).collect();
        let rare = rare.into_iter().map(|(hash, _, _)| hash).collect();
        let categories = Categories::new(self.value_type, names, rare, singletons);
        let mut state = CategoricalState::empty(categories.n_cells());
        state.cells = CellCounts::from_counts(&counts);
        state.rows = self.rows;
        state.nulls = self.nulls;
        state.nans = self.nans;
        state.type_errors = self.type_errors;
        Some((categories, state))
    }
}
