//! Fitting the measures of an embedding to a sample of its baseline.

use ndarray::{Array2, ArrayView2};
use xxhash_rust::xxh3::Xxh3;

use super::block::{BLOCK, Block};
use super::cells::{EmbeddingCells, Whitening, moment_at};
use super::codebook::{codebook, half_square};
use super::linear::{cholesky, leading, whiten_rows};
use super::product::{squares, times_transposed};
use super::{CODES, COLUMNS, COMPONENTS, MOMENTS, NORM, SCORE_CELLS, SCORES, Waves};

/// Vectors that each half needs before anything is fitted.
const MIN_HALF: usize = 100;
/// Vectors so many times farther from zero than the median are not fitted: one of them could turn every direction.
const OUTLIER: f64 = 16.0;
/// Vectors for each number that one has, before the mean is tested in all its directions.
const MIN_PER_DIM: usize = 10;
/// The ridge, as a share of the mean variance of a component.
const RIDGE: f64 = 0.05;
/// Vectors of each half of those held out that are whitened, spread evenly over the baseline.
const WHITENED: usize = 4096;
/// How much farther out than the sample's farthest a number may be and still enter a sum.
const HEADROOM: f32 = 8.0;
const SEED: u64 = 0x7072_696e_6369_7061;

/// Whether a vector belongs to the half that is fitted; its bytes decide, so that every reading agrees, and equal vectors
/// are on one side.
pub(crate) fn is_fitted(vector: &[f32]) -> bool {
    hash(vector) & 1 == 1
}

fn hash(vector: &[f32]) -> u64 {
    let mut hasher = Xxh3::new();
    let mut bytes = [0; 256];
    for part in vector.chunks(64) {
        for (to, x) in bytes.chunks_exact_mut(4).zip(part) {
            to.copy_from_slice(&x.to_le_bytes());
        }
        hasher.update(&bytes[..4 * part.len()]);
    }
    hasher.digest()
}

/// The sampled vectors of one embedding, in the order of rows.
#[derive(Debug)]
pub(crate) struct Fit {
    dim: usize,
    fitted: Vec<f32>,
    held: Vec<f32>,
    /// Whether `mmd` is asked for.
    has_waves: bool,
}

impl Fit {
    /// Nothing yet, of vectors of `dim` numbers; `has_waves` asks for what `mmd` is measured with.
    pub(crate) fn new(dim: usize, has_waves: bool) -> Self {
        Self { dim, fitted: Vec::new(), held: Vec::new(), has_waves }
    }

    /// Adds a vector that is finite and not all zero.
    pub(crate) fn add(&mut self, vector: &[f32]) {
        if is_fitted(vector) {
            self.fitted.extend_from_slice(vector)
        } else {
            self.held.extend_from_slice(vector)
        }
    }

    /// The measures.
    ///
    /// # Errors
    ///
    /// Why there are none: a lowercase fragment.
    #[expect(clippy::cast_possible_truncation, reason = "vectors are compared as float32")]
    pub(crate) fn finish(self) -> Result<EmbeddingCells, String> {
        let Self { dim, fitted, held, has_waves } = self;
        let (mut fitted, mut held) = without_outliers(dim, fitted, held);
        let (n, n_held) = (fitted.len() / dim, held.len() / dim);
        if n.min(n_held) < MIN_HALF {
            return Err(format!(
                "`{}` vectors of `{dim}` numbers: an embedding needs about {} in the baseline, one half to fit and one to compare with",
                n + n_held,
                3 * MIN_HALF,
            ));
        }
        let mut sums = vec![0.0_f64; dim];
        for row in fitted.chunks_exact(dim) {
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        let center: Vec<f32> = sums.iter().map(|sum| (sum / n as f64) as f32).collect();
        for row in fitted.chunks_exact_mut(dim).chain(held.chunks_exact_mut(dim)) {
            row.iter_mut().zip(&center).for_each(|(x, c)| *x -= c);
        }
        let covariance = squares(&fitted, dim) / (n - 1) as f64;
        let k = COMPONENTS.min(dim);
        let (components, variances) = leading(covariance.view(), k, SEED);
        let mean_variance = covariance.diag().sum() / dim as f64;
        if mean_variance <= 0.0 || !mean_variance.is_finite() {
            return Err("all its vectors are the same, or too far apart for float32".to_owned());
        }
        let codes = codebook(&fitted, dim);
        let mut basis = vec![0.0_f32; dim * COLUMNS];
        let mut offsets = vec![f32::INFINITY; CODES];
        for (code, values) in codes.chunks_exact(dim).enumerate() {
            offsets[code] = half_square(values);
            values.iter().enumerate().for_each(|(j, x)| basis[j * COLUMNS + COMPONENTS + code] = *x);
        }
        for ((j, component), x) in components.indexed_iter() {
            basis[j * COLUMNS + component] = *x as f32;
        }
        let mut precisions = vec![0.0_f32; COMPONENTS];
        for (precision, variance) in precisions.iter_mut().zip(&variances) {
            // A direction without variance of its own would make a distance of rounding errors.
            if *variance > 1e-9 * variances[0] {
                *precision = (1.0 / variance) as f32;
            }
        }
        let spread = covariance.diag().iter().map(|variance| variance.max(0.0).sqrt() as f32).collect();
        let whitening =
            if n + n_held >= MIN_PER_DIM * dim { whitening(covariance, &held, dim) } else { None };
        let farthest = |rows: &[f32]| rows.iter().fold(0.0_f32, |a, x| a.max(x.abs()));
        let largest = farthest(&fitted).max(farthest(&held));
        let (scale, limit) = scale(largest);
        let waves = if has_waves {
            let own = Waves::fit(&fitted, &held, dim);
            Some(own.ok_or(
                "`mmd` has no scale, because nearly all of its vectors are the same: leave `mmd` out",
            )?)
        } else {
            None
        };
        let mut cells = EmbeddingCells {
            dim,
            center: vec![0.0; dim],
            basis,
            offsets,
            precisions,
            edges: vec![[f32::INFINITY; SCORE_CELLS]; SCORES],
            limit,
            scale,
            score_limit: f32::INFINITY,
            moment_scale: 1.0,
            moment_variances: vec![0.0; MOMENTS],
            spread,
            whitening,
            waves,
            fitted: n as u64,
        };
        measure_held(&mut cells, &held)?;
        cells.center = center;
        Ok(cells)
    }
}

/// Both halves without the vectors that are too far out to be fitted.
fn without_outliers(dim: usize, fitted: Vec<f32>, held: Vec<f32>) -> (Vec<f32>, Vec<f32>) {
    let length = |row: &[f32]| row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    let mut lengths: Vec<f64> = fitted.chunks_exact(dim).chain(held.chunks_exact(dim)).map(length).collect();
    lengths.sort_by(f64::total_cmp);
    let Some(median) = lengths.get(lengths.len() / 2) else { return (fitted, held) };
    let most = OUTLIER * median;
    if lengths.last().is_none_or(|length| *length <= most) {
        return (fitted, held);
    }
    let keep = |rows: Vec<f32>| {
        rows.chunks_exact(dim).filter(|row| length(row) <= most).flatten().copied().collect()
    };
    (keep(fitted), keep(held))
}

/// A power of two that takes numbers of up to [`HEADROOM`] times `largest` to less than 24 bits, and that limit.
fn scale(largest: f32) -> (f32, f32) {
    let limit = (largest * HEADROOM).clamp(f32::MIN_POSITIVE, f32::MAX);
    // Between 2^-126 and 2^127.
    let exponent = (23.0 - limit.log2().ceil()).clamp(-126.0, 126.0);
    (exponent.exp2(), limit)
}

/// The factor of the covariance with its ridge, and what it makes of the rows held out.
fn whitening(mut covariance: Array2<f64>, held: &[f32], dim: usize) -> Option<Whitening> {
    let ridge = RIDGE * covariance.diag().sum() / dim as f64;
    covariance.diag_mut().mapv_inplace(|variance| variance + ridge);
    cholesky(&mut covariance)?;
    #[expect(clippy::cast_possible_truncation, reason = "the factor is kept as float32")]
    let factor: Vec<f32> =
        (0..dim).flat_map(|i| (0..=i).map(move |j| (i, j))).map(|at| covariance[at] as f32).collect();
    let pairs = held.len() / dim / 2;
    let n = pairs.min(WHITENED);
    let half = |first: usize| -> Array2<f64> {
        let rows = ArrayView2::from_shape((held.len() / dim, dim), held).ok();
        let mut half = Array2::from_shape_fn((n, dim), |(i, j)| {
            rows.as_ref().map_or(0.0, |rows| f64::from(rows[[2 * (i * pairs / n) + first, j]]))
        });
        if let Some(mean) = half.mean_axis(ndarray::Axis(0)) {
            half -= &mean;
        }
        whiten_rows(&covariance, &mut half);
        half
    };
    let (a, b) = (half(0), half(1));
    let freedom = (n - 1) as f64;
    let square = |rows: &Array2<f64>| rows.iter().map(|x| x * x).sum::<f64>() / freedom;
    let trace = 0.5 * (square(&a) + square(&b));
    // tr(A B) of two independent covariances is that of the square, without bias.
    let square_trace =
        times_transposed(a.view(), b.view()).iter().map(|x| x * x).sum::<f64>() / (freedom * freedom);
    (trace > 0.0 && square_trace > 0.0).then_some(Whitening { factor, trace, square_trace })
}

/// Edges, limits and moments of the rows held out, which are centered.
#[expect(clippy::cast_precision_loss, reason = "numbers of rows")]
fn measure_held(cells: &mut EmbeddingCells, held: &[f32]) -> Result<(), String> {
    let dim = cells.dim;
    let n = held.len() / dim;
    let mut columns: Vec<Vec<f32>> = vec![Vec::new(); SCORES];
    let mut block = Block::new(dim);
    for rows in held.chunks(BLOCK * dim) {
        block.clear();
        for row in rows.chunks_exact(dim) {
            let size = block.center_next(row, &cells.center);
            block.keep(size);
        }
        block.multiply(cells);
        for (column, scores) in columns.iter_mut().zip(&block.scores(cells).columns) {
            column.extend_from_slice(&scores[..block.len()]);
        }
    }
    let farthest = columns[..COMPONENTS].iter().flatten().fold(0.0_f32, |a, z| a.max(z.abs()));
    if !farthest.is_finite() || !columns[NORM].iter().all(|norm| norm.is_finite()) {
        return Err("its numbers are too large for float32".to_owned());
    }
    // Products grow with the square: less headroom for each factor.
    let (moment_scale, limit) = scale(farthest * farthest);
    (cells.moment_scale, cells.score_limit) = (moment_scale, limit.sqrt());
    for i in 0..COMPONENTS {
        for j in i..COMPONENTS {
            let (mut sum, mut squares) = (0.0_f64, 0.0_f64);
            for (x, y) in columns[i].iter().zip(&columns[j]) {
                let product = f64::from(*x) * f64::from(*y);
                sum += product;
                squares += product * product;
            }
            let mean = sum / n as f64;
            cells.moment_variances[moment_at(i, j)] = (squares / n as f64 - mean * mean).max(0.0);
        }
    }
    for (edges, column) in cells.edges.iter_mut().zip(&mut columns) {
        column.sort_by(f32::total_cmp);
        let mut quantiles: Vec<f32> =
            (1..SCORE_CELLS).map(|q| column[(n * q).div_ceil(SCORE_CELLS) - 1]).collect();
        quantiles.dedup();
        // An edge at the maximum has nothing beyond it.
        quantiles.retain(|edge| *edge < column[n - 1]);
        edges[..quantiles.len()].copy_from_slice(&quantiles);
    }
    Ok(())
}
