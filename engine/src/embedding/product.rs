//! Products of matrices, whose bits depend on their shapes and the set of instructions, and on nothing else of a machine.

use faer::linalg::matmul::{matmul, triangular};
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayView2};

use crate::kernel::{BLOCK, Column, VectorKernel};

/// Numbers of a row that are multiplied at once. A product that chose for itself could choose by the sizes of caches, and
/// the order of a sum would be the machine's.
const DEPTH: usize = 512;

/// The product of [`BLOCK`] rows with a matrix of so many `columns`, a column for each; `room` is for what is between.
///
/// Along a row of the result is how the product is fastest; along a column is how its numbers are worked on.
pub(super) fn columns_of(
    kernel: VectorKernel,
    rows: &[f32],
    matrix: &[f32],
    columns: usize,
    room: &mut Vec<f32>,
    to: &mut [Column<f32>],
) {
    let dim = rows.len() / BLOCK;
    room.resize(BLOCK * columns, 0.0);
    let rows = MatRef::from_row_major_slice(rows, BLOCK, dim);
    let matrix = MatRef::from_row_major_slice(matrix, dim, columns);
    let mut products = MatMut::from_row_major_slice_mut(room, BLOCK, columns);
    for from in (0..dim).step_by(DEPTH) {
        let depth = DEPTH.min(dim - from);
        let accumulate = if from == 0 { Accum::Replace } else { Accum::Add };
        let (rows, matrix) = (rows.subcols(from, depth), matrix.subrows(from, depth));
        matmul(products.as_mut(), accumulate, rows, matrix, 1.0_f32, Par::Seq);
    }
    kernel.transpose(room, to);
}

/// `X^T X` of rows of `dim` numbers.
pub(super) fn squares(rows: &[f32], dim: usize) -> Array2<f64> {
    let mut sum = vec![0.0_f64; dim * dim];
    let mut part = Vec::with_capacity(DEPTH * dim);
    for rows in rows.chunks(DEPTH * dim) {
        part.clear();
        part.extend(rows.iter().map(|x| f64::from(*x)));
        let part = MatRef::from_row_major_slice(&part, part.len() / dim, dim);
        let to = MatMut::from_row_major_slice_mut(&mut sum, dim, dim);
        let (lower, whole) =
            (triangular::BlockStructure::TriangularLower, triangular::BlockStructure::Rectangular);
        triangular::matmul(to, lower, Accum::Add, part.transpose(), whole, part, whole, 1.0, Par::Seq);
    }
    Array2::from_shape_fn((dim, dim), |(i, j)| sum[i.max(j) * dim + i.min(j)])
}

/// `A B^T`.
pub(super) fn times_transposed(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    let ((n, depth), (m, _)) = (a.dim(), b.dim());
    let (a, b) = (a.as_standard_layout(), b.as_standard_layout());
    let mut to = vec![0.0; n * m];
    if let (Some(a), Some(b)) = (a.as_slice(), b.as_slice()) {
        let (a, b) = (MatRef::from_row_major_slice(a, n, depth), MatRef::from_row_major_slice(b, m, depth));
        let mut to = MatMut::from_row_major_slice_mut(&mut to, n, m);
        for from in (0..depth).step_by(DEPTH) {
            let some = DEPTH.min(depth - from);
            let (a, b) = (a.subcols(from, some), b.subcols(from, some));
            matmul(to.as_mut(), Accum::Add, a, b.transpose(), 1.0, Par::Seq);
        }
    }
    Array2::from_shape_fn((n, m), |(i, j)| to[i * m + j])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn products_are_those_of_another_library() {
        let mut random = Random::new(3);
        for (n, dim) in [(1, 1), (70, 33), (600, 130)] {
            let x = Array2::from_shape_simple_fn((n, dim), || f64::from(random.signed() as f32));
            let single: Vec<f32> = x.iter().map(|x| *x as f32).collect();
            let close = |a: &Array2<f64>, b: &Array2<f64>| (a - b).iter().all(|x| x.abs() < 1e-9);
            assert!(close(&squares(&single, dim), &x.t().dot(&x)), "{n} x {dim}");
            assert!(close(&times_transposed(x.view(), x.view()), &x.dot(&x.t())), "{n} x {dim}");
        }
        for dim in [1, 7, 512, 513, 1100] {
            let rows = Array2::from_shape_simple_fn((BLOCK, dim), || random.signed() as f32);
            let matrix = Array2::from_shape_simple_fn((dim, 96), || random.signed() as f32);
            let mut to = vec![[0.0; BLOCK]; 96];
            let (own, other) = (rows.as_slice().expect("contiguous"), matrix.as_slice().expect("contiguous"));
            columns_of(VectorKernel::detect(), own, other, 96, &mut Vec::new(), &mut to);
            for ((row, column), expected) in rows.dot(&matrix).indexed_iter() {
                assert!((to[column][row] - expected).abs() < 1e-3, "{dim}: {row}, {column}");
            }
        }
    }
}
