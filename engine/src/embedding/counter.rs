//! Counts columns of vectors.
//!
//! Vectors are gathered into blocks of [`BLOCK`] rows, the last one padded with zeros, so that every product has the same
//! shape and a row's numbers do not depend on which rows stand beside it (SEMANTICS S1).

use arrow_array::Array;
use arrow_buffer::BooleanBuffer;
use ndarray::{ArrayView2, ArrayViewMut2};

use super::vectors::{Found, Vectors};
use super::{
    CELLS, COLUMNS, COMPONENTS, DISTANCE, ERROR, EmbeddingCells, EmbeddingState, MAX_NUMBER, MOMENTS, NORM,
    SCORE_CELLS, SCORES, is_fitted,
};
use crate::accumulate::{NO_SLOT, Slots};
use crate::kernel::{RowSize, VectorKernel};
use crate::{Error, ErrorKind, Result};

/// Rows that are multiplied at a time.
pub(super) const BLOCK: usize = 128;

/// The numbers of the vectors of one block.
#[derive(Debug)]
pub(super) struct Block {
    dim: usize,
    kernel: VectorKernel,
    /// [`BLOCK`] rows of `dim`, less the center.
    pub(super) rows: Vec<f32>,
    sizes: Vec<RowSize>,
    /// [`BLOCK`] rows of [`COLUMNS`].
    products: Vec<f32>,
}

impl Block {
    pub(super) fn new(dim: usize) -> Self {
        Self {
            dim,
            kernel: VectorKernel::detect(),
            rows: vec![0.0; BLOCK * dim],
            sizes: Vec::with_capacity(BLOCK),
            products: vec![0.0; BLOCK * COLUMNS],
        }
    }

    pub(super) fn clear(&mut self) {
        self.sizes.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.sizes.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.sizes.len() == BLOCK
    }

    /// Where the next vector goes.
    pub(super) fn next(&mut self) -> &mut [f32] {
        let at = self.sizes.len() * self.dim;
        &mut self.rows[at..at + self.dim]
    }

    /// What the vector that was written to [`next`](Self::next) is, once it is centered.
    pub(super) fn center_next(&mut self, center: &[f32]) -> RowSize {
        let at = self.sizes.len() * self.dim;
        self.kernel.center(&mut self.rows[at..at + self.dim], center)
    }

    /// Keeps the vector that was written to [`next`](Self::next) and centered.
    pub(super) fn keep(&mut self, size: RowSize) {
        self.sizes.push(size);
    }

    /// Multiplies the block with the basis.
    pub(super) fn multiply(&mut self, cells: &EmbeddingCells) {
        self.rows[self.sizes.len() * self.dim..].fill(0.0);
        let rows = ArrayView2::from_shape((BLOCK, self.dim), &self.rows);
        let basis = ArrayView2::from_shape((self.dim, COLUMNS), &cells.basis);
        let products = ArrayViewMut2::from_shape((BLOCK, COLUMNS), &mut self.products);
        if let (Ok(rows), Ok(basis), Ok(mut products)) = (rows, basis, products) {
            ndarray::linalg::general_mat_mul(1.0, &rows, &basis, 0.0, &mut products);
        }
    }

    /// The scores of row `row` of the block.
    pub(super) fn scores(&self, cells: &EmbeddingCells, row: usize) -> [f32; SCORES] {
        let mut scores = [0.0; SCORES];
        let z = &self.products[row * COLUMNS..row * COLUMNS + COMPONENTS];
        scores[..COMPONENTS].copy_from_slice(z);
        let (mut within, mut distance) = (0.0_f32, 0.0_f32);
        for (z, precision) in z.iter().zip(&cells.precisions) {
            within += z * z;
            distance += z * z * precision;
        }
        let square = self.sizes[row].square;
        scores[ERROR] = (square - within).max(0.0).sqrt();
        scores[NORM] = square.sqrt();
        scores[DISTANCE] = distance.sqrt();
        scores
    }

    /// Products of row `row` with the codes.
    fn codes(&self, row: usize) -> &[f32] {
        &self.products[row * COLUMNS + COMPONENTS..(row + 1) * COLUMNS]
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.rows[row * self.dim..(row + 1) * self.dim]
    }
}

/// A row of a block, located.
struct Located {
    cells: [u8; SCORES],
    code: usize,
    scores: [f32; SCORES],
    is_summed: bool,
}

/// Counts columns of one embedding.
#[derive(Debug, Default)]
pub(crate) struct EmbeddingCounter {
    block: Option<Block>,
    /// The rows of the column that the block holds.
    places: Vec<usize>,
    /// Whether the column is one of the baseline itself, of which the fitted vectors are not counted.
    is_baseline: bool,
}

/// What is known of a row that has no vector to count.
#[derive(Clone, Copy)]
enum Apart {
    Null,
    TypeError,
    WrongDim,
    Nan,
    Zero,
    Fitted,
}

impl EmbeddingCounter {
    /// A counter of the rows of the baseline that the cells were fitted on.
    pub(crate) fn of_baseline() -> Self {
        Self { is_baseline: true, ..Self::default() }
    }

    /// Adds a column to the states that `slots` name.
    ///
    /// # Errors
    ///
    /// `Schema` if the column can hold no vectors, or holds only vectors of other lengths.
    pub(crate) fn update(
        &mut self,
        cells: &EmbeddingCells,
        array: &dyn Array,
        errors: Option<&BooleanBuffer>,
        slots: &[Slots<'_>],
        states: &mut [EmbeddingState],
    ) -> Result<()> {
        let vectors = Vectors::of(array)?;
        let mut block = self.block.take().unwrap_or_else(|| Block::new(cells.dim));
        block.clear();
        self.places.clear();
        for row in 0..array.len() {
            let found = if errors.is_some_and(|errors| errors.value(row)) {
                Found::Unreadable
            } else {
                vectors.read(row, block.next())
            };
            let apart = match found {
                Found::Null => Some(Apart::Null),
                Found::Unreadable => Some(Apart::TypeError),
                Found::Length(length) if length != cells.dim => Some(Apart::WrongDim),
                Found::Length(_) => {
                    let is_fitted = self.is_baseline && is_fitted(block.next());
                    let size = block.center_next(&cells.center);
                    if size.largest > MAX_NUMBER {
                        Some(Apart::Nan)
                    } else if size.is_zero {
                        Some(Apart::Zero)
                    } else if is_fitted {
                        Some(Apart::Fitted)
                    } else {
                        block.keep(size);
                        self.places.push(row);
                        None
                    }
                }
            };
            if let Some(apart) = apart {
                set_apart(apart, row, slots, states);
            }
            if block.is_full() {
                self.add_block(cells, &mut block, slots, states)?;
            }
        }
        if block.len() > 0 {
            self.add_block(cells, &mut block, slots, states)?;
        }
        self.block = Some(block);
        Ok(())
    }

    fn add_block(
        &mut self,
        cells: &EmbeddingCells,
        block: &mut Block,
        slots: &[Slots<'_>],
        states: &mut [EmbeddingState],
    ) -> Result<()> {
        block.multiply(cells);
        let located: Vec<Located> = (0..block.len()).map(|row| locate(cells, block, row)).collect();
        for slots in slots {
            match slots {
                Slots::All(slot) => add_all(cells, block, &located, &mut states[*slot as usize])?,
                Slots::Each(slots) => {
                    for (at, (row, located)) in self.places.iter().zip(&located).enumerate() {
                        if slots[*row] != NO_SLOT {
                            add_one(cells, block, at, located, &mut states[slots[*row] as usize])?;
                        }
                    }
                }
            }
        }
        block.clear();
        self.places.clear();
        Ok(())
    }
}

fn set_apart(apart: Apart, row: usize, slots: &[Slots<'_>], states: &mut [EmbeddingState]) {
    for slots in slots {
        let slot = match slots {
            Slots::All(slot) => *slot,
            Slots::Each(slots) => slots[row],
        };
        if slot == NO_SLOT {
            continue;
        }
        let state = &mut states[slot as usize];
        state.rows += 1;
        *match apart {
            Apart::Null => &mut state.nulls,
            Apart::TypeError => &mut state.type_errors,
            Apart::WrongDim => &mut state.wrong_dims,
            Apart::Nan => &mut state.nans,
            Apart::Zero => &mut state.zeros,
            Apart::Fitted => &mut state.fitted,
        } += 1;
    }
}

fn locate(cells: &EmbeddingCells, block: &Block, row: usize) -> Located {
    let scores = block.scores(cells, row);
    let mut of_scores = [0; SCORES];
    block.kernel.locate(&scores, &cells.edges, &mut of_scores);
    let code = match (block.codes(row).as_array(), cells.offsets.as_array()) {
        (Some(along), Some(offsets)) => block.kernel.nearest(along, offsets),
        _ => 0,
    };
    let farthest = scores[..COMPONENTS].iter().fold(0.0_f32, |a, z| a.max(z.abs()));
    let is_summed = block.sizes[row].largest <= cells.limit && farthest <= cells.score_limit;
    Located { cells: of_scores, code, scores, is_summed }
}

/// The sums of so many rows always fit: each summand has 31 bits.
const MOST_ROWS: u64 = 1 << 32;

fn make_room(cells: &EmbeddingCells, state: &mut EmbeddingState, rows: usize) -> Result<()> {
    if state.rows + rows as u64 > MOST_ROWS {
        return Err(Error::new(ErrorKind::Mismatch, "more than 4,294,967,296 vectors in one window"));
    }
    if state.sums.is_empty() {
        state.sums = vec![0; cells.dim];
    }
    if state.moments.is_empty() {
        state.moments = vec![0; MOMENTS];
    }
    Ok(())
}

fn cell_of_code(code: usize) -> usize {
    SCORES * SCORE_CELLS + code
}

#[expect(clippy::cast_possible_truncation, reason = "there are a few hundred cells")]
fn add_one(
    cells: &EmbeddingCells,
    block: &Block,
    at: usize,
    located: &Located,
    state: &mut EmbeddingState,
) -> Result<()> {
    make_room(cells, state, 1)?;
    for (score, cell) in located.cells.iter().enumerate() {
        state.cells.add_one((score * SCORE_CELLS) as u16 + u16::from(*cell));
    }
    state.cells.add_one(cell_of_code(located.code) as u16);
    state.rows += 1;
    add_sums(cells, block, at, located, state);
    Ok(())
}

fn add_all(
    cells: &EmbeddingCells,
    block: &Block,
    located: &[Located],
    state: &mut EmbeddingState,
) -> Result<()> {
    make_room(cells, state, located.len())?;
    let mut counts = vec![0_u64; CELLS];
    for (at, located) in located.iter().enumerate() {
        for (score, cell) in located.cells.iter().enumerate() {
            counts[score * SCORE_CELLS + usize::from(*cell)] += 1;
        }
        counts[cell_of_code(located.code)] += 1;
        add_sums(cells, block, at, located, state);
    }
    state.cells.add_counts(&counts);
    state.rows += located.len() as u64;
    Ok(())
}

fn add_sums(cells: &EmbeddingCells, block: &Block, at: usize, located: &Located, state: &mut EmbeddingState) {
    if !located.is_summed {
        state.overflow += 1;
        return;
    }
    block.kernel.add_scaled(&mut state.sums, block.row(at), cells.scale);
    block.kernel.add_products(&mut state.moments, &located.scores[..COMPONENTS], cells.moment_scale);
}
