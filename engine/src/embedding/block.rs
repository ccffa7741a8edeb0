//! A block of vectors and the numbers that are computed of them.
//!
//! Every product has the same shape, the last one padded with zeros, so that a row's numbers do not depend on which rows
//! stand beside it (SEMANTICS S1).

use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder as _};

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
    /// A column for each column of the basis, that is, the first number of each row, then the second.
    products: Vec<f32>,
    /// As `products`, for each frequency; empty where there are none.
    phases: Vec<f32>,
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
            products: vec![0.0; BLOCK * COLUMNS],
            phases: Vec::new(),
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
        product(&self.rows, &cells.basis, COLUMNS, &mut self.products);
        if let Some(waves) = &cells.waves {
            self.phases.resize(BLOCK * FREQUENCIES, 0.0);
            product(&self.rows, &waves.frequencies, FREQUENCIES, &mut self.phases);
        }
    }

    /// Each phase of all rows; nothing where `mmd` is not asked for.
    pub(super) fn phases(&self) -> &[Column<f32>] {
        self.phases.as_chunks::<BLOCK>().0
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
        &self.products.as_chunks::<BLOCK>().0[..COMPONENTS]
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
        let along = &self.products.as_chunks::<BLOCK>().0[COMPONENTS..COMPONENTS + CODES];
        self.kernel.nearest(along, &cells.offsets)
    }
}

/// The product of [`BLOCK`] rows with a matrix of so many `columns`, a column for each.
fn product(rows: &[f32], matrix: &[f32], columns: usize, to: &mut [f32]) {
    let dim = rows.len() / BLOCK;
    let rows = ArrayView2::from_shape((BLOCK, dim), rows);
    let matrix = ArrayView2::from_shape((dim, columns), matrix);
    let to = ArrayViewMut2::from_shape((BLOCK, columns).f(), to);
    if let (Ok(rows), Ok(matrix), Ok(mut to)) = (rows, matrix, to) {
        ndarray::linalg::general_mat_mul(1.0, &rows, &matrix, 0.0, &mut to);
    }
}
