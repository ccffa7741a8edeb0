//! The state of one numeric feature: what is left of its rows once they are counted.

use crate::Result;
use crate::accumulate::{CellCounts, counters};
use crate::feature::Scale;

/// What a window (or a baseline) knows of one numeric feature: integers only (I-COUNTS), and its extent.
#[derive(Clone, Debug, PartialEq)]
pub struct NumericState {
    /// Rows per cell of the baseline's edges.
    pub cells: CellCounts,
    /// Of these, rows that lie in the cell of an atom of an integer baseline and are not the atom: `0.5` in `(0, 1]`.
    pub beside: CellCounts,
    /// All rows, whatever they hold.
    pub rows: u64,
    /// Rows without a value.
    pub nulls: u64,
    /// Rows whose value is NaN.
    pub nans: u64,
    /// Rows whose value could not be read as the feature's type.
    pub type_errors: u64,
    /// Infinite rows below and above, where they have no cells of their own (integer baselines).
    pub infinities: (u64, u64),
    /// Sum of the finite rows' distances from the center, and of their squares, scaled (SEMANTICS S1).
    pub sums: (i128, i128),
    /// Summands too large for the two sums.
    pub overflow: (u64, u64),
    /// The part of the first sum that lies below and above the baseline's range ([`NumericCells::inside`](crate::feature::NumericCells::inside)).
    pub tails: (i128, i128),
    /// The least and the greatest value, infinities included, in steps of the feature's unit; unknown after a
    /// subtraction.
    pub extent: Option<(f64, f64)>,
    /// Whether any row was float32 against a float64 baseline (SEMANTICS S4).
    pub narrowed: bool,
}

impl NumericState {
    /// No rows.
    #[must_use]
    pub fn empty(n_cells: usize) -> Self {
        Self {
            cells: CellCounts::zero(n_cells),
            beside: CellCounts::zero(n_cells),
            rows: 0,
            nulls: 0,
            nans: 0,
            type_errors: 0,
            infinities: (0, 0),
            sums: (0, 0),
            overflow: (0, 0),
            tails: (0, 0),
            extent: None,
            narrowed: false,
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
        self.beside.merge(&other.beside)?;
        let (low, high) = (&mut self.infinities.0, &mut self.infinities.1);
        counters::add(
            [&mut self.rows, &mut self.nulls, &mut self.nans, &mut self.type_errors, low, high],
            other.counters(),
        );
        self.sums = pair(self.sums, other.sums, |a, b| a + b);
        self.overflow = pair(self.overflow, other.overflow, |a, b| a + b);
        self.tails = pair(self.tails, other.tails, |a, b| a + b);
        if let Some((low, high)) = other.extent {
            self.stretch(low, high);
        }
        self.narrowed |= other.narrowed;
        Ok(())
    }

    /// Takes a state away that was added before. The extent is unknown afterwards, since it cannot be taken away.
    ///
    /// # Errors
    ///
    /// `Mismatch` if the number of cells differs or the other state was never added; then nothing is changed.
    pub fn subtract(&mut self, other: &Self) -> Result<()> {
        let (low, high) = (&mut self.infinities.0, &mut self.infinities.1);
        counters::take(
            [&mut self.rows, &mut self.nulls, &mut self.nans, &mut self.type_errors, low, high],
            other.counters(),
            || {
                let mut beside = self.beside.clone();
                beside.subtract(&other.beside)?;
                self.cells.subtract(&other.cells)?;
                self.beside = beside;
                Ok(())
            },
        )?;
        self.sums = pair(self.sums, other.sums, |a, b| a - b);
        self.overflow = pair(self.overflow, other.overflow, |a, b| a.saturating_sub(b));
        self.tails = pair(self.tails, other.tails, |a, b| a - b);
        self.extent = None;
        Ok(())
    }

    fn counters(&self) -> [u64; 6] {
        [self.rows, self.nulls, self.nans, self.type_errors, self.infinities.0, self.infinities.1]
    }

    pub(super) fn stretch(&mut self, low: f64, high: f64) {
        // -0.0 becomes 0.0, so that the order of rows cannot show.
        let (low, high) = (low + 0.0, high + 0.0);
        self.extent = Some(match self.extent {
            Some((own_low, own_high)) => (own_low.min(low), own_high.max(high)),
            None => (low, high),
        });
    }

    pub(super) fn add_sum(&mut self, x: f64, scale: &Scale) {
        match scale.summand(x) {
            Some(summand) => self.sums.0 += summand,
            None => self.overflow.0 += 1,
        }
        match scale.square(x) {
            Some(square) => self.sums.1 += square,
            None => self.overflow.1 += 1,
        }
    }
}

fn pair<T>(a: (T, T), b: (T, T), f: impl Fn(T, T) -> T) -> (T, T) {
    (f(a.0, b.0), f(a.1, b.1))
}
