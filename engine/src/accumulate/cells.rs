//! Counts of one state: a number per cell, sparse until dense.
//!
//! A service holds thousands of cold states (a pane of a rare segment), so few counts cost few bytes; a busy state is
//! a plain vector. Which form a state has is never visible: equality, bytes and sums speak of the counts alone.

use crate::{Error, ErrorKind, Result};

/// Counts of `n_cells` cells.
#[derive(Clone, Debug)]
pub struct CellCounts {
    n_cells: usize,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// Cells with a count, sorted by cell.
    Sparse(Vec<(u16, u32)>),
    /// One count per cell; promoted to `Wide` before any could overflow.
    Narrow { counts: Vec<u32>, total: u64 },
    /// One count per cell.
    Wide(Vec<u64>),
}

/// A state is dense from one filled cell in this many.
const SPARSE_SHARE: usize = 16;

impl CellCounts {
    /// All zero.
    #[must_use]
    pub fn zero(n_cells: usize) -> Self {
        Self { n_cells, form: Form::Sparse(Vec::new()) }
    }

    /// These counts.
    #[must_use]
    pub fn from_counts(counts: &[u64]) -> Self {
        let mut cells = Self::zero(counts.len());
        cells.add_counts(counts);
        cells
    }

    /// How many cells there are, filled or not.
    #[must_use]
    pub fn n_cells(&self) -> usize {
        self.n_cells
    }

    /// The sum of all counts.
    #[must_use]
    pub fn total(&self) -> u64 {
        match &self.form {
            Form::Sparse(cells) => cells.iter().map(|(_, count)| u64::from(*count)).sum(),
            Form::Narrow { total, .. } => *total,
            Form::Wide(counts) => counts.iter().sum(),
        }
    }

    /// Every count, in the order of the cells.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u64> {
        match &self.form {
            Form::Sparse(cells) => {
                let mut counts = vec![0; self.n_cells];
                for (cell, count) in cells {
                    counts[usize::from(*cell)] = u64::from(*count);
                }
                counts
            }
            Form::Narrow { counts, .. } => counts.iter().map(|count| u64::from(*count)).collect(),
            Form::Wide(counts) => counts.clone(),
        }
    }

    /// Adds one row to `cell`.
    ///
    /// # Panics
    ///
    /// If there is no such cell.
    #[inline]
    pub fn add_one(&mut self, cell: u16) {
        match &mut self.form {
            Form::Narrow { counts, total } if *total < u64::from(u32::MAX) => {
                counts[usize::from(cell)] += 1;
                *total += 1;
            }
            Form::Wide(counts) => counts[usize::from(cell)] += 1,
            _ => self.add(cell, 1),
        }
    }

    /// Adds `count` rows to `cell`.
    ///
    /// # Panics
    ///
    /// If there is no such cell.
    pub fn add(&mut self, cell: u16, count: u64) {
        assert!(usize::from(cell) < self.n_cells, "cell {cell} of {}", self.n_cells);
        if count == 0 {
            return;
        }
        match &mut self.form {
            Form::Sparse(cells) => {
                let Ok(small) = u32::try_from(count) else {
                    self.widen();
                    return self.add(cell, count);
                };
                match cells.binary_search_by_key(&cell, |(c, _)| *c) {
                    Ok(at) => match cells[at].1.checked_add(small) {
                        Some(sum) => cells[at].1 = sum,
                        None => {
                            self.widen();
                            self.add(cell, count);
                        }
                    },
                    Err(_) if cells.len() >= (self.n_cells / SPARSE_SHARE).max(4) => {
                        self.densify();
                        self.add(cell, count);
                    }
                    Err(at) => cells.insert(at, (cell, small)),
                }
            }
            Form::Narrow { counts, total } => {
                if *total + count > u64::from(u32::MAX) {
                    self.widen();
                    return self.add(cell, count);
                }
                #[expect(clippy::cast_possible_truncation, reason = "at most the total, which fits")]
                let small = count as u32;
                counts[usize::from(cell)] += small;
                *total += count;
            }
            Form::Wide(counts) => counts[usize::from(cell)] += count,
        }
    }

    /// Adds a count to every cell.
    ///
    /// # Panics
    ///
    /// If the number of cells differs.
    pub fn add_counts(&mut self, counts: &[u64]) {
        assert_eq!(counts.len(), self.n_cells);
        if let Form::Wide(own) = &mut self.form {
            for (own, count) in own.iter_mut().zip(counts) {
                *own += count;
            }
            return;
        }
        for (cell, count) in (0_u16..).zip(counts) {
            self.add(cell, *count);
        }
    }

    /// Adds a count to every cell from `first` on: the form that becomes a plain vector at once, for busy states.
    ///
    /// # Panics
    ///
    /// If that goes beyond the last cell.
    pub fn add_counts_at(&mut self, first: usize, counts: &[u64]) {
        if !matches!(self.form, Form::Wide(_)) {
            self.widen();
        }
        if let Form::Wide(own) = &mut self.form {
            for (own, count) in own[first..first + counts.len()].iter_mut().zip(counts) {
                *own += count;
            }
        }
    }

    /// Adds another state's counts.
    ///
    /// # Errors
    ///
    /// `Mismatch` if the number of cells differs.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.ensure_same_cells(other)?;
        match &other.form {
            Form::Sparse(cells) => cells.iter().for_each(|(cell, count)| self.add(*cell, u64::from(*count))),
            _ => self.add_counts(&other.to_vec()),
        }
        Ok(())
    }

    /// Takes another state's counts away.
    ///
    /// # Errors
    ///
    /// `Mismatch` if the number of cells differs, or if a cell would fall below zero; then nothing is changed.
    pub fn subtract(&mut self, other: &Self) -> Result<()> {
        self.ensure_same_cells(other)?;
        let mut counts = self.to_vec();
        for (own, count) in counts.iter_mut().zip(other.to_vec()) {
            *own = own.checked_sub(count).ok_or_else(|| {
                Error::new(
                    ErrorKind::Mismatch,
                    "cannot subtract a state that was never added: a count would be negative",
                )
            })?;
        }
        *self = Self::from_counts(&counts);
        Ok(())
    }

    fn ensure_same_cells(&self, other: &Self) -> Result<()> {
        if self.n_cells == other.n_cells {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Mismatch,
            format!(
                "states of `{}` and `{}` cells were counted on different edges",
                self.n_cells, other.n_cells
            ),
        ))
    }

    fn densify(&mut self) {
        let total = self.total();
        if total > u64::from(u32::MAX) {
            return self.widen();
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most the total, which fits")]
        let counts = self.to_vec().into_iter().map(|count| count as u32).collect();
        self.form = Form::Narrow { counts, total };
    }

    fn widen(&mut self) {
        self.form = Form::Wide(self.to_vec());
    }
}

impl PartialEq for CellCounts {
    fn eq(&self, other: &Self) -> bool {
        self.n_cells == other.n_cells && self.to_vec() == other.to_vec()
    }
}

impl Eq for CellCounts {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_form_holds_the_same_counts(adds in prop::collection::vec((0_u16..200, 0_u64..6_000_000_000), 0..300)) {
            let mut plain = vec![0_u64; 200];
            let mut cells = CellCounts::zero(200);
            for (cell, count) in &adds {
                plain[usize::from(*cell)] += count;
                cells.add(*cell, *count);
            }
            prop_assert_eq!(cells.to_vec(), plain.clone());
            prop_assert_eq!(cells.total(), plain.iter().sum::<u64>());
            prop_assert_eq!(&cells, &CellCounts::from_counts(&plain));
        }

        #[test]
        fn subtracting_undoes_merging(a in prop::collection::vec(0_u64..9, 40), b in prop::collection::vec(0_u64..9, 40)) {
            let (a, b) = (CellCounts::from_counts(&a), CellCounts::from_counts(&b));
            let mut sum = a.clone();
            sum.merge(&b).unwrap();
            sum.subtract(&b).unwrap();
            prop_assert_eq!(sum, a);
        }
    }

    #[test]
    fn subtracting_what_was_not_added_is_refused() {
        let mut a = CellCounts::from_counts(&[1, 2]);
        assert_eq!(a.subtract(&CellCounts::from_counts(&[2, 0])).unwrap_err().kind(), ErrorKind::Mismatch);
        assert_eq!(a.to_vec(), [1, 2]);
        assert_eq!(a.merge(&CellCounts::zero(3)).unwrap_err().kind(), ErrorKind::Mismatch);
    }
}
