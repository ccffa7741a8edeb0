//! What a window knows of an embedding: counts and integer sums.

use super::{CELLS, CODES, Exemplars, MAP_CELLS, MOMENTS, SCORE_CELLS, SCORES, WAVES};
use crate::accumulate::{CellCounts, counters};
use crate::{Error, ErrorKind, Result};

/// What a window (or a baseline) knows of one embedding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingState {
    /// Rows per cell of each score, then rows per code, then per cell of the map; each vector is in one cell of every
    /// score, in one code, and in one cell of the map.
    pub cells: CellCounts,
    /// All rows, whatever they hold.
    pub rows: u64,
    /// Rows without a value.
    pub nulls: u64,
    /// Rows whose value could not be read as a vector.
    pub type_errors: u64,
    /// Rows whose vector is of another length.
    pub wrong_dims: u64,
    /// Rows whose vector has a NaN, a null, or a number beyond [`MAX_NUMBER`](super::MAX_NUMBER) in it.
    pub nans: u64,
    /// Rows whose vector is all zero.
    pub zeros: u64,
    /// Vectors that the cells were fitted on, which are counted in none of them; of a baseline only.
    pub fitted: u64,
    /// Vectors so far out that they are in no sum.
    pub overflow: u64,
    /// The scaled sum of each component less the center; empty if all are zero.
    pub sums: Vec<i64>,
    /// The scaled sums of products of principal components; empty if all are zero.
    pub moments: Vec<i64>,
    /// The scaled sums of waves: all cosines, then all sines; empty if all are zero, or `mmd` is not asked for.
    pub waves: Vec<i64>,
    /// Ids of some rows of each cluster; none where rows have no ids.
    pub exemplars: Exemplars,
}

impl EmbeddingState {
    /// No rows.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            cells: CellCounts::zero(CELLS),
            rows: 0,
            nulls: 0,
            type_errors: 0,
            wrong_dims: 0,
            nans: 0,
            zeros: 0,
            fitted: 0,
            overflow: 0,
            sums: Vec::new(),
            moments: Vec::new(),
            waves: Vec::new(),
            exemplars: Exemplars::default(),
        }
    }

    /// Vectors that were counted: those in cells.
    #[must_use]
    pub fn values(&self) -> u64 {
        self.rows - self.nulls - self.type_errors - self.wrong_dims - self.nans - self.zeros - self.fitted
    }

    /// Vectors that are in the sums.
    #[must_use]
    pub fn summed(&self) -> u64 {
        self.values() - self.overflow
    }

    /// Adds another state.
    ///
    /// # Errors
    ///
    /// `Mismatch` if the length of the vectors differs, or the sums would not fit; then nothing is changed.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        let sums = self.combined_sums(other, i64::checked_add)?;
        self.cells.merge(&other.cells)?;
        self.exemplars.merge(&other.exemplars);
        counters::add(self.parts_mut().1, other.counters());
        self.set_sums(sums);
        Ok(())
    }

    /// Takes a state away that was added before. What is left has no [`exemplars`](Self::exemplars).
    ///
    /// # Errors
    ///
    /// `Mismatch` if the length of the vectors differs or the other state was never added; then nothing is changed.
    pub fn subtract(&mut self, other: &Self) -> Result<()> {
        let sums = self.combined_sums(other, i64::checked_sub)?;
        let (cells, own) = self.parts_mut();
        counters::take(own, other.counters(), || cells.subtract(&other.cells))?;
        self.set_sums(sums);
        self.exemplars = Exemplars::default();
        Ok(())
    }

    /// Every list of sums.
    pub(crate) fn sums(&self) -> [&Vec<i64>; 3] {
        [&self.sums, &self.moments, &self.waves]
    }

    fn combined_sums(&self, other: &Self, by: fn(i64, i64) -> Option<i64>) -> Result<[Vec<i64>; 3]> {
        let [sums, moments, waves] = self.sums();
        Ok([
            combined(sums, &other.sums, by)?,
            combined(moments, &other.moments, by)?,
            combined(waves, &other.waves, by)?,
        ])
    }

    fn set_sums(&mut self, sums: [Vec<i64>; 3]) {
        [self.sums, self.moments, self.waves] = sums;
    }

    /// Rows, then all that is set apart.
    pub(crate) fn counters(&self) -> [u64; 8] {
        [
            self.rows,
            self.nulls,
            self.type_errors,
            self.wrong_dims,
            self.nans,
            self.zeros,
            self.fitted,
            self.overflow,
        ]
    }

    /// The cells, and the counters as [`counters`](Self::counters).
    pub(crate) fn parts_mut(&mut self) -> (&mut CellCounts, [&mut u64; 8]) {
        let counters = [
            &mut self.rows,
            &mut self.nulls,
            &mut self.type_errors,
            &mut self.wrong_dims,
            &mut self.nans,
            &mut self.zeros,
            &mut self.fitted,
            &mut self.overflow,
        ];
        (&mut self.cells, counters)
    }

    /// Whether the counts can be those of so many rows (I-LOST): every row is in each score's cells, in one code and in
    /// one cell of the map, or set apart.
    pub(crate) fn adds_up(&self) -> bool {
        let apart = self.counters()[1..7].iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
        let Some(values) = apart.and_then(|apart| self.rows.checked_sub(apart)) else { return false };
        self.cells.n_cells() == CELLS
            && self.overflow <= values
            && values.checked_mul(SCORES as u64 + 2) == Some(self.cells.total())
            && self.map_adds_up()
            && self.exemplars.fit(&self.codes(), values)
            && self.sums().iter().all(|sums| values > 0 || sums.is_empty())
            && (self.moments.is_empty() || self.moments.len() == MOMENTS)
            && (self.waves.is_empty() || self.waves.len() == WAVES)
    }

    /// Whether the map's rows and columns have the counts of the first two components.
    fn map_adds_up(&self) -> bool {
        let (counts, map) = (self.cells.to_vec(), self.map());
        let map = map.as_chunks::<SCORE_CELLS>().0;
        let sums = [0, 1].map(|score| &counts[score * SCORE_CELLS..(score + 1) * SCORE_CELLS]);
        (0..SCORE_CELLS).all(|cell| {
            map[cell].iter().sum::<u64>() == sums[0][cell]
                && map.iter().map(|row| row[cell]).sum::<u64>() == sums[1][cell]
        })
    }

    /// Rows per code.
    #[must_use]
    pub fn codes(&self) -> Vec<u64> {
        self.cells.to_vec()[SCORES * SCORE_CELLS..][..CODES].to_vec()
    }

    /// Rows per cell of the map: [`SCORE_CELLS`] cells of the second component for each cell of the first.
    #[must_use]
    pub fn map(&self) -> Vec<u64> {
        self.cells.to_vec().split_off(CELLS - MAP_CELLS)
    }
}

/// The elements of two vectors combined, where an empty one is all zero; what is all zero comes out empty, so that equal
/// states have equal forms.
fn combined(own: &[i64], other: &[i64], by: fn(i64, i64) -> Option<i64>) -> Result<Vec<i64>> {
    let mismatch = |what: &str| Error::new(ErrorKind::Mismatch, what);
    if !own.is_empty() && !other.is_empty() && own.len() != other.len() {
        return Err(mismatch("the vectors of the two states have different lengths"));
    }
    let at = |sums: &[i64], i: usize| sums.get(i).copied().unwrap_or(0);
    let sums: Option<Vec<i64>> =
        (0..own.len().max(other.len())).map(|i| by(at(own, i), at(other, i))).collect();
    let sums = sums.ok_or_else(|| mismatch("the sums of the two states together are too large"))?;
    Ok(if sums.iter().all(|sum| *sum == 0) { Vec::new() } else { sums })
}
