//! Counts columns of vectors.

use super::block::{BLOCK, Block, Column};
use super::vectors::{Found, Vectors};
use super::{
    CELLS, CODES, COMPONENTS, EmbeddingCells, EmbeddingState, FREQUENCIES, Ids, MAX_NUMBER, MOMENTS,
    SCORE_CELLS, SCORES, WAVES, is_fitted,
};
use crate::accumulate::{NO_SLOT, Slots};
use crate::{Error, ErrorKind, Result};
use arrow_array::Array;
use arrow_buffer::BooleanBuffer;

/// The rows of a block, located.
struct Located {
    cells: [Column<u8>; SCORES],
    codes: Column<u8>,
    /// What a row's numbers, and its products of components, are multiplied with before they are rounded; zero for a row
    /// that is in no sum.
    weights: Column<f32>,
    product_weights: Column<f32>,
}

/// Counts columns of one embedding.
#[derive(Debug, Default)]
pub(crate) struct EmbeddingCounter {
    block: Option<Block>,
    /// Where a vector is read to that cannot be read in place.
    vector: Vec<f32>,
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

    /// Adds a column to the states that `slots` name; `ids` are those of its rows, where they have some.
    ///
    /// # Errors
    ///
    /// `Schema` if the column can hold no vectors, or holds only vectors of other lengths.
    pub(crate) fn update(
        &mut self,
        cells: &EmbeddingCells,
        array: &dyn Array,
        errors: Option<&BooleanBuffer>,
        ids: Option<Ids<'_>>,
        slots: &[Slots<'_>],
        states: &mut [EmbeddingState],
    ) -> Result<()> {
        let vectors = Vectors::of(array)?;
        let mut block = self.block.take().unwrap_or_else(|| Block::new(cells.dim));
        block.clear();
        self.places.clear();
        self.vector.resize(cells.dim, 0.0);
        for row in 0..array.len() {
            let (found, vector) = if errors.is_some_and(|errors| errors.value(row)) {
                (Found::Unreadable, [].as_slice())
            } else {
                vectors.find(row, &mut self.vector)
            };
            let apart = match found {
                Found::Null => Some(Apart::Null),
                Found::Unreadable => Some(Apart::TypeError),
                Found::Length(length) if length != cells.dim => Some(Apart::WrongDim),
                Found::Length(_) => {
                    let is_fitted = self.is_baseline && is_fitted(vector);
                    let size = block.center_next(vector, &cells.center);
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
                self.add_block(cells, &mut block, ids, slots, states)?;
            }
        }
        if block.len() > 0 {
            self.add_block(cells, &mut block, ids, slots, states)?;
        }
        self.block = Some(block);
        Ok(())
    }

    fn add_block(
        &mut self,
        cells: &EmbeddingCells,
        block: &mut Block,
        ids: Option<Ids<'_>>,
        slots: &[Slots<'_>],
        states: &mut [EmbeddingState],
    ) -> Result<()> {
        block.multiply(cells);
        let located = locate(cells, block);
        for slots in slots {
            match slots {
                Slots::All(slot) => {
                    let state = &mut states[*slot as usize];
                    add_all(cells, block, &located, state)?;
                    if let Some(ids) = ids {
                        for (code, row) in located.codes.iter().zip(&self.places) {
                            state.exemplars.add(*code, ids, *row);
                        }
                    }
                }
                Slots::Each(slots) => {
                    for (at, row) in self.places.iter().enumerate() {
                        if slots[*row] != NO_SLOT {
                            let state = &mut states[slots[*row] as usize];
                            add_one(cells, block, at, &located, state)?;
                            if let Some(ids) = ids {
                                state.exemplars.add(located.codes[at], ids, *row);
                            }
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

fn locate(cells: &EmbeddingCells, block: &Block) -> Located {
    let scores = block.scores(cells);
    let mut of_scores = [[0; BLOCK]; SCORES];
    for ((to, score), edges) in of_scores.iter_mut().zip(&scores.columns).zip(&cells.edges) {
        *to = block.kernel.locate(score, edges);
    }
    let (mut weights, mut product_weights) = ([0.0; BLOCK], [0.0; BLOCK]);
    for row in 0..block.len() {
        if block.size(row).largest <= cells.limit && scores.largest[row] <= cells.score_limit {
            (weights[row], product_weights[row]) = (cells.scale, cells.moment_scale);
        }
    }
    Located { cells: of_scores, codes: block.codes(cells), weights, product_weights }
}

/// The sums of so many rows always fit: each summand has 24 bits.
const MOST_ROWS: u64 = 1 << 38;

fn make_room(cells: &EmbeddingCells, state: &mut EmbeddingState, rows: usize) -> Result<()> {
    if state.rows + rows as u64 > MOST_ROWS {
        return Err(Error::new(ErrorKind::Mismatch, "more than 274,877,906,944 vectors in one window"));
    }
    if state.sums.is_empty() {
        state.sums = vec![0; cells.dim];
    }
    if state.moments.is_empty() {
        state.moments = vec![0; MOMENTS];
    }
    if state.waves.is_empty() && cells.waves.is_some() {
        state.waves = vec![0; WAVES];
    }
    Ok(())
}

fn cell_of_code(code: u8) -> usize {
    SCORES * SCORE_CELLS + usize::from(code)
}

/// The cell of the map for these cells of the first two components.
fn cell_of_map(first: u8, second: u8) -> usize {
    SCORES * SCORE_CELLS + CODES + usize::from(first & 15) * SCORE_CELLS + usize::from(second & 15)
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
    for (score, of_rows) in located.cells.iter().enumerate() {
        state.cells.add_one((score * SCORE_CELLS) as u16 + u16::from(of_rows[at]));
    }
    state.cells.add_one(cell_of_code(located.codes[at]) as u16);
    state.cells.add_one(cell_of_map(located.cells[0][at], located.cells[1][at]) as u16);
    state.rows += 1;
    let weight = located.weights[at];
    if weight == 0.0 {
        state.overflow += 1;
    } else {
        block.kernel.add_row(&mut state.sums, &block.rows()[at * cells.dim..(at + 1) * cells.dim], weight);
        let mut z = [0.0; COMPONENTS];
        z.iter_mut().zip(block.components()).for_each(|(z, column)| *z = column[at]);
        let mut sums = state.moments.as_mut_slice();
        for (i, first) in z.iter().enumerate() {
            let (own, rest) = sums.split_at_mut(COMPONENTS - i);
            block.kernel.add_row(own, &z[i..], first * located.product_weights[at]);
            sums = rest;
        }
        if cells.waves.is_some() {
            let mut phases = [0.0; FREQUENCIES];
            phases.iter_mut().zip(block.phases()).for_each(|(phase, column)| *phase = column[at]);
            block.kernel.add_wave(&mut state.waves, &phases);
        }
    }
    tidy(state);
    Ok(())
}

fn add_all(
    cells: &EmbeddingCells,
    block: &Block,
    located: &Located,
    state: &mut EmbeddingState,
) -> Result<()> {
    make_room(cells, state, block.len())?;
    let mut counts = vec![0_u64; CELLS];
    for (counts, of_rows) in counts.as_chunks_mut::<SCORE_CELLS>().0.iter_mut().zip(&located.cells) {
        for cell in &of_rows[..block.len()] {
            counts[usize::from(*cell & 15)] += 1;
        }
    }
    for code in &located.codes[..block.len()] {
        counts[cell_of_code(*code)] += 1;
    }
    for (first, second) in located.cells[0].iter().zip(&located.cells[1]).take(block.len()) {
        counts[cell_of_map(*first, *second)] += 1;
    }
    state.cells.add_counts(&counts);
    state.rows += block.len() as u64;
    state.overflow += located.weights[..block.len()].iter().filter(|weight| **weight == 0.0).count() as u64;
    block.kernel.add_block(&mut state.sums, block.rows(), &located.weights);
    block.kernel.add_products(&mut state.moments, block.components(), &located.product_weights);
    if cells.waves.is_some() {
        block.kernel.add_waves(&mut state.waves, block.phases(), &located.weights);
    }
    tidy(state);
    Ok(())
}

/// Sums that are all zero have one form, so that equal states are equal.
fn tidy(state: &mut EmbeddingState) {
    for sums in [&mut state.sums, &mut state.moments, &mut state.waves] {
        if sums.first() == Some(&0) && sums.iter().all(|sum| *sum == 0) {
            sums.clear();
        }
    }
}
