//! A codebook: mini-batch k-means (Sculley, WWW 2010) from a seeded start.

use ndarray::{ArrayView2, ArrayViewMut2};

use super::CODES;
use crate::random::Random;

/// Rows of a step, if there are as many.
const BATCH: usize = 1024;
const STEPS: usize = 80;
const SEED: u64 = 0x636f_6465_626f_6f6b;

/// At most [`CODES`] codes, one after the other, for `rows` of `dim` numbers that are already centered.
pub(super) fn codebook(rows: &[f32], dim: usize) -> Vec<f32> {
    let n = rows.len() / dim;
    let row = |i: usize| &rows[i * dim..(i + 1) * dim];
    let mut random = Random::new(SEED);
    let mut codes: Vec<f32> = Vec::with_capacity(CODES * dim);
    // Starting points are rows that differ; a few more draws than codes find them unless there are few.
    for _ in 0..8 * CODES {
        if codes.len() == CODES * dim || n == 0 {
            break;
        }
        let drawn = row(random.below(n));
        if codes.chunks_exact(dim).all(|code| code != drawn) {
            codes.extend_from_slice(drawn);
        }
    }
    let k = codes.len() / dim;
    let batch_rows = BATCH.min(n);
    let mut taken = vec![0_u32; k];
    let mut batch = vec![0.0_f32; batch_rows * dim];
    let mut along = vec![0.0_f32; batch_rows * k];
    for _ in 0..STEPS {
        for to in batch.chunks_exact_mut(dim) {
            to.copy_from_slice(row(random.below(n)));
        }
        let views = (
            ArrayView2::from_shape((batch_rows, dim), &batch),
            ArrayView2::from_shape((k, dim), &codes),
            ArrayViewMut2::from_shape((batch_rows, k), &mut along),
        );
        if let (Ok(batch), Ok(codes), Ok(mut along)) = views {
            ndarray::linalg::general_mat_mul(1.0, &batch, &codes.t(), 0.0, &mut along);
        }
        let offsets: Vec<f32> = codes.chunks_exact(dim).map(half_square).collect();
        for (row, along) in batch.chunks_exact(dim).zip(along.chunks_exact(k)) {
            let mut nearest = 0;
            for code in 1..k {
                if along[code] - offsets[code] > along[nearest] - offsets[nearest] {
                    nearest = code;
                }
            }
            taken[nearest] += 1;
            #[expect(clippy::cast_precision_loss, reason = "a rate")]
            let rate = 1.0 / taken[nearest] as f32;
            for (code, x) in codes[nearest * dim..(nearest + 1) * dim].iter_mut().zip(row) {
                *code += rate * (x - *code);
            }
        }
    }
    codes
}

/// Half the squared length.
pub(super) fn half_square(code: &[f32]) -> f32 {
    0.5 * code.iter().map(|x| x * x).sum::<f32>()
}
