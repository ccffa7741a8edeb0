//! A block of vectors and the numbers that are computed of them.
//!
//! Every product has the same shape, the last one padded with zeros, so that a row's numbers do not depend on which rows
//! stand beside it (SEMANTICS S1).

use super::product::columns_of;
use super::{CODES, COLUMNS, COMPONENTS, EmbeddingCells, FREQUENCIES, SCORES};
use crate::kernel::VectorKernel;
pub(super) use crate::kernel::{BLOCK, Column, RowSize};

/// Vectors of a block, and their numbers.
#[derive(Debug)]
pub(super) struct Block {
    dim: usize,
    pub(super) kernel: VectorKernel,
    /// [`BLOCK`] rows of `dim`, less the center.
    rows: Vec<f32>,
    sizes: Vec<RowSize>,
    /// A column for each column of the basis.
    products: Vec<Column<f32>>,
    /// A column for each frequency; empty where there are none.
    phases: Vec<Column<f32>>,
    room: Vec<f32>,
}

/// The scores of a block, and the largest component of each row without its sign.
pub(super) struct Scores {
    pub(super) columns: [Column<f32>; SCORES],
    pub(super) largest: Column<f32>,
}

impl Block {
    pub(super) fn new(dim: usize) -> Self {
        Self {
            dim,
            kernel: VectorKernel::detect(),
            rows: vec![0.0; BLOCK * dim],
            sizes: Vec::with_capacity(BLOCK),
            products: vec![[0.0; BLOCK]; COLUMNS],
            phases: Vec::new(),
            room: Vec::new(),
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

    /// Writes a vector, less the center, to where the next one goes, and says what it is.
    pub(super) fn center_next(&mut self, vector: &[f32], center: &[f32]) -> RowSize {
        let at = self.sizes.len() * self.dim;
        self.kernel.center(vector, center, &mut self.rows[at..at + self.dim])
    }

    /// Keeps the vector that was [centered](Self::center_next) last.
    pub(super) fn keep(&mut self, size: RowSize) {
        self.sizes.push(size);
    }

    /// Multiplies the block with the basis.
    pub(super) fn multiply(&mut self, cells: &EmbeddingCells) {
        self.rows[self.sizes.len() * self.dim..].fill(0.0);
        columns_of(self.kernel, &self.rows, &cells.basis, COLUMNS, &mut self.room, &mut self.products);
        if let Some(waves) = &cells.waves {
            let (matrix, columns) = (&waves.frequencies, FREQUENCIES);
            self.phases.resize(columns, [0.0; BLOCK]);
            columns_of(self.kernel, &self.rows, matrix, columns, &mut self.room, &mut self.phases);
        }
    }

    /// Each phase of all rows; nothing where `mmd` is not asked for.
    pub(super) fn phases(&self) -> &[Column<f32>] {
        &self.phases
    }

    /// The vectors, one after the other, less the center; zero beyond the last one.
    pub(super) fn rows(&self) -> &[f32] {
        &self.rows
    }

    pub(super) fn size(&self, row: usize) -> RowSize {
        self.sizes[row]
    }

    /// Each principal component of all rows.
    pub(super) fn components(&self) -> &[Column<f32>] {
        &self.products[..COMPONENTS]
    }

    pub(super) fn scores(&self, cells: &EmbeddingCells) -> Scores {
        let components = self.components();
        let [within, weighted, largest] = self.kernel.squares(components, &cells.precisions);
        let mut columns = [[0.0; BLOCK]; SCORES];
        columns[..COMPONENTS].copy_from_slice(components);
        for (row, size) in self.sizes.iter().enumerate() {
            columns[super::ERROR][row] = (size.square - within[row]).max(0.0).sqrt();
            columns[super::NORM][row] = size.square.sqrt();
            columns[super::DISTANCE][row] = weighted[row].sqrt();
        }
        Scores { columns, largest }
    }

    /// The nearest code of each row.
    pub(super) fn codes(&self, cells: &EmbeddingCells) -> Column<u8> {
        let along = &self.products[COMPONENTS..COMPONENTS + CODES];
        self.kernel.nearest(along, &cells.offsets)
    }
}
