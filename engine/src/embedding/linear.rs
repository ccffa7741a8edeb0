//! The linear algebra of a fit: Cholesky's factor, leading eigenvectors, eigenvalues of small matrices.
//!
//! Products of large matrices are those of libraries; what is here works on their results, in one fixed order.

use ndarray::{Array2, ArrayView2, s};

use super::product::times_transposed;
use crate::random::Random;

/// Columns that are factored together.
const PANEL: usize = 64;

/// The lower Cholesky factor of a positive definite matrix, which is overwritten; `None` if it is not positive definite.
/// What stands above the diagonal afterwards means nothing.
pub(super) fn cholesky(a: &mut Array2<f64>) -> Option<()> {
    let n = a.nrows();
    for from in (0..n).step_by(PANEL) {
        let to = (from + PANEL).min(n);
        for j in from..to {
            for i in j..n {
                let mut sum = a[[i, j]];
                for k in from..j {
                    sum -= a[[i, k]] * a[[j, k]];
                }
                if i == j {
                    if !(sum > 0.0 && sum.is_finite()) {
                        return None;
                    }
                    a[[i, j]] = sum.sqrt();
                } else {
                    a[[i, j]] = sum / a[[j, j]];
                }
            }
        }
        if to < n {
            let panel = a.slice(s![to.., from..to]).to_owned();
            let mut rest = a.slice_mut(s![to.., to..]);
            rest -= &times_transposed(panel.view(), panel.view());
        }
    }
    Some(())
}

/// `L^-1 X^T` for the rows of `x`, in place: each row is whitened.
pub(super) fn whiten_rows(factor: &Array2<f64>, x: &mut Array2<f64>) {
    let n = factor.nrows();
    for from in (0..n).step_by(PANEL) {
        let to = (from + PANEL).min(n);
        for mut row in x.rows_mut() {
            for j in from..to {
                let done = row.slice(s![from..j]).dot(&factor.slice(s![j, from..j]));
                row[j] = (row[j] - done) / factor[[j, j]];
            }
        }
        if to < n {
            let done = x.slice(s![.., from..to]).to_owned();
            let below = factor.slice(s![to.., from..to]);
            let mut rest = x.slice_mut(s![.., to..]);
            rest -= &times_transposed(done.view(), below);
        }
    }
}

/// The `k` leading eigenvectors of a symmetric matrix, as columns, with their eigenvalues, largest first: subspace
/// iteration from a seeded start, with a few vectors more than asked for (Halko, Martinsson & Tropp, SIAM Rev. 53, 2011,
/// algorithm 4.4), then Rayleigh and Ritz. `k` is at most the size of the matrix.
pub(super) fn leading(a: ArrayView2<'_, f64>, k: usize, seed: u64) -> (Array2<f64>, Vec<f64>) {
    const OVERSAMPLE: usize = 16;
    const STEPS: usize = 24;
    let n = a.nrows();
    let wide = (k + OVERSAMPLE).min(n);
    let mut random = Random::new(seed);
    let mut q = Array2::from_shape_simple_fn((n, wide), || random.signed());
    orthonormalise(&mut q);
    for _ in 0..STEPS {
        q = a.dot(&q);
        orthonormalise(&mut q);
    }
    let inner = q.t().dot(&a.dot(&q));
    let (values, vectors) = jacobi(inner);
    let mut order: Vec<usize> = (0..wide).collect();
    order.sort_by(|i, j| values[*j].total_cmp(&values[*i]));
    order.truncate(k);
    let chosen = Array2::from_shape_fn((wide, k), |(row, column)| vectors[[row, order[column]]]);
    let mut basis = q.dot(&chosen);
    // A direction has no sign of its own: the largest number of each is positive.
    for mut column in basis.columns_mut() {
        let largest = column.iter().copied().fold(0.0_f64, |a, b| if b.abs() > a.abs() { b } else { a });
        if largest < 0.0 {
            column.mapv_inplace(|x| -x);
        }
    }
    (basis, order.into_iter().map(|i| values[i].max(0.0)).collect())
}

/// Gram and Schmidt, twice; a column that the ones before span becomes zero.
fn orthonormalise(q: &mut Array2<f64>) {
    let mut columns = q.t().to_owned();
    let n = columns.nrows();
    for j in 0..n {
        let length = columns.row(j).dot(&columns.row(j)).sqrt();
        for _ in 0..2 {
            for i in 0..j {
                let (before, mut rest) = columns.view_mut().split_at(ndarray::Axis(0), j);
                let along = before.row(i).dot(&rest.row(0));
                rest.row_mut(0).scaled_add(-along, &before.row(i));
            }
        }
        let left = columns.row(j).dot(&columns.row(j)).sqrt();
        let factor = if left > 1e-12 * length { 1.0 / left } else { 0.0 };
        columns.row_mut(j).mapv_inplace(|x| x * factor);
    }
    q.assign(&columns.t());
}

/// Eigenvalues and eigenvectors (as columns) of a small symmetric matrix, by cyclic Jacobi rotations (Golub & Van Loan,
/// Matrix Computations, 8.5).
fn jacobi(mut a: Array2<f64>) -> (Vec<f64>, Array2<f64>) {
    const SWEEPS: usize = 30;
    let n = a.nrows();
    let mut v = Array2::eye(n);
    for _ in 0..SWEEPS {
        let off: f64 = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|at| a[at] * a[at]).sum();
        let whole: f64 = a.diag().iter().map(|x| x * x).sum();
        if off <= 1e-28 * whole {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[[p, q]] == 0.0 {
                    continue;
                }
                let theta = (a[[q, q]] - a[[p, p]]) / (2.0 * a[[p, q]]);
                let sign = if theta < 0.0 { -1.0 } else { 1.0 };
                let t = sign / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[[k, p]], a[[k, q]]);
                    a[[k, p]] = c * x - s * y;
                    a[[k, q]] = s * x + c * y;
                }
                for k in 0..n {
                    let (x, y) = (a[[p, k]], a[[q, k]]);
                    a[[p, k]] = c * x - s * y;
                    a[[q, k]] = s * x + c * y;
                }
                for k in 0..n {
                    let (x, y) = (v[[k, p]], v[[k, q]]);
                    v[[k, p]] = c * x - s * y;
                    v[[k, q]] = s * x + c * y;
                }
            }
        }
    }
    (a.diag().to_vec(), v)
}

/// The eigenvalues of a small symmetric matrix, in no order.
pub(crate) fn eigenvalues(a: Array2<f64>) -> Vec<f64> {
    jacobi(a).0
}

/// The symmetric root of a small positive semidefinite matrix.
pub(crate) fn matrix_root(a: Array2<f64>) -> Array2<f64> {
    let (values, vectors) = jacobi(a);
    let scaled = Array2::from_shape_fn(vectors.dim(), |(i, j)| vectors[[i, j]] * values[j].max(0.0).sqrt());
    scaled.dot(&vectors.t())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A random positive definite matrix with eigenvalues that fall.
    fn matrix(n: usize) -> Array2<f64> {
        let mut random = Random::new(7);
        let mut q = Array2::from_shape_simple_fn((n, n), || random.signed());
        orthonormalise(&mut q);
        let scaled = Array2::from_shape_fn((n, n), |(i, j)| q[[i, j]] / (1.0 + j as f64));
        scaled.dot(&q.t())
    }

    #[test]
    fn a_factor_multiplies_back_and_whitens() {
        for n in [1, 2, 63, 64, 65, 200] {
            let a = matrix(n);
            let mut l = a.clone();
            cholesky(&mut l).expect("positive definite");
            for i in 0..n {
                for j in i + 1..n {
                    l[[i, j]] = 0.0;
                }
            }
            assert!((&l.dot(&l.t()) - &a).iter().all(|x| x.abs() < 1e-10), "{n}");
            let mut rows = l.t().to_owned();
            whiten_rows(&l, &mut rows);
            assert!((&rows - &Array2::<f64>::eye(n)).iter().all(|x| x.abs() < 1e-9), "{n}");
        }
        assert!(cholesky(&mut -matrix(5)).is_none());
    }

    #[test]
    fn leading_eigenvectors_are_found() {
        let a = matrix(120);
        let (basis, values) = leading(a.view(), 8, 1);
        for (k, value) in values.iter().enumerate() {
            assert!((value - 1.0 / (1.0 + k as f64)).abs() < 1e-6, "{k}: {value}");
            let column = basis.column(k);
            let image = a.dot(&column);
            assert!((&image - &(&column * *value)).iter().all(|x| x.abs() < 1e-4), "{k}");
        }
        let root = matrix_root(a.clone());
        assert!((&root.dot(&root) - &a).iter().all(|x| x.abs() < 1e-9));
        assert!(
            (eigenvalues(a).iter().sum::<f64>() - (1..=120).map(|k| 1.0 / f64::from(k)).sum::<f64>()).abs()
                < 1e-9
        );
    }

    #[test]
    fn a_matrix_of_low_rank_has_zeros() {
        let u = Array2::from_shape_fn((10, 2), |(i, j)| ((i + 1) * (j + 2) % 7) as f64);
        let (_, values) = leading(u.dot(&u.t()).view(), 5, 3);
        assert!(values[2..].iter().all(|x| x.abs() < 1e-9), "{values:?}");
    }
}
