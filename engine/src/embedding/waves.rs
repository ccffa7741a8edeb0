//! Random Fourier features for `mmd`, fitted where they are asked for.
//!
//! The kernel is Gaussian, `exp(-|x - y|^2 / s^2)`, and s the median distance of two vectors (Gretton et al., JMLR 13, 2012,
//! section 8; without a 2, as Evidently has it). The mean of `cos w(x - y)` over frequencies w that are normal with
//! variance `2 / s^2` estimates it (Rahimi & Recht, NIPS 2007), so that sums of cosines and sines say what sums over all pairs of vectors would
//! (Sutherland & Schneider, UAI 2015): one product more for a vector, and nothing kept.

use ndarray::{Array2, ArrayView2, Axis};

use super::product::{squares, times_transposed};
use crate::random::Random;

/// Frequencies, each with a cosine and a sine: 1,024 features.
pub const FREQUENCIES: usize = 512;

/// Sums of a state: the cosines of all frequencies, then the sines.
pub(crate) const WAVES: usize = 2 * FREQUENCIES;

/// Pairs of vectors of whose distances the median is taken.
const PAIRS: usize = 4096;
/// Vectors held out of which the features' covariance is taken.
const MEASURED: usize = 4096;
const SEED: u64 = 0x7261_6e64_6f6d_7761;

/// What the waves of a vector are, and how they vary over the rows held out.
#[derive(Clone, Debug, PartialEq)]
pub struct Waves {
    /// For each number of a vector, its share of each phase, in turns: `dim` rows of [`FREQUENCIES`].
    pub(crate) frequencies: Vec<f32>,
    /// The median distance of two vectors, by which the kernel measures, in their unit.
    pub(crate) bandwidth: f64,
    /// The traces of the features' covariance over the rows held out, of its square and of its cube; each feature over the
    /// root of [`FREQUENCIES`].
    pub(crate) traces: [f64; 3],
}

impl Waves {
    /// The waves of vectors that are centered: the bandwidth of those that are `fitted`, the covariance of those `held`
    /// out. `None` if no two vectors differ enough, or those held out do not vary.
    pub(super) fn fit(fitted: &[f32], held: &[f32], dim: usize) -> Option<Self> {
        let mut random = Random::new(SEED);
        let bandwidth = median_distance(fitted, dim, &mut random)?;
        let per_turn = std::f64::consts::SQRT_2 / (bandwidth * std::f64::consts::TAU);
        #[expect(clippy::cast_possible_truncation, reason = "as the vectors")]
        let frequencies: Vec<f32> =
            (0..dim * FREQUENCIES).map(|_| (normal(&mut random) * per_turn) as f32).collect();
        if !frequencies.iter().all(|x| x.is_finite()) {
            return None;
        }
        let traces = traces(&frequencies, held, dim);
        traces.iter().all(|trace| *trace > 0.0).then_some(Self { frequencies, bandwidth, traces })
    }

    /// The distance at which the kernel has fallen to 1/e: the median of two vectors, in their unit.
    #[must_use]
    pub fn bandwidth(&self) -> f64 {
        self.bandwidth
    }

    /// For each number of a vector, its share of each phase, in turns: rows of [`FREQUENCIES`].
    #[must_use]
    pub fn frequencies(&self) -> &[f32] {
        &self.frequencies
    }
}

/// The median distance of two vectors, of pairs that differ: where most vectors are equal, the distance of those that are
/// not is the one that a kernel can tell.
fn median_distance(rows: &[f32], dim: usize, random: &mut Random) -> Option<f64> {
    let n = rows.len() / dim;
    let row = |i: usize| &rows[i * dim..(i + 1) * dim];
    let mut distances: Vec<f64> = (0..PAIRS)
        .map(|_| {
            let (a, b) = (row(random.below(n)), row(random.below(n)));
            a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
        })
        .filter(|distance| *distance > 0.0 && distance.is_finite())
        .collect();
    distances.sort_by(f64::total_cmp);
    distances.get(distances.len() / 2).copied()
}

/// A standard normal number: Marsaglia's polar method, without its second number.
fn normal(random: &mut Random) -> f64 {
    loop {
        let (x, y) = (random.signed(), random.signed());
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            return x * (-2.0 * square.ln() / square).sqrt();
        }
    }
}

/// The traces of the features' covariance, of its square and of its cube, over rows spread evenly over those held out.
///
/// Those of powers are means over products of different rows, `sum G_ij G_ji` and `sum G_ij G_jk G_ki` of the products
/// `G = X X'` of rows: without bias, but for what the mean takes, which is of order `1 / n^2`.
fn traces(frequencies: &[f32], held: &[f32], dim: usize) -> [f64; 3] {
    let total = held.len() / dim;
    let n = total.min(MEASURED);
    let rows = Array2::from_shape_fn((n, dim), |(i, j)| held[(i * total / n) * dim + j]);
    let Ok(frequencies) = ArrayView2::from_shape((dim, FREQUENCIES), frequencies) else { return [0.0; 3] };
    let phases = rows.dot(&frequencies);
    let size = 1.0 / (FREQUENCIES as f64).sqrt();
    let mut x = Array2::<f64>::zeros((n, WAVES));
    for ((row, frequency), phase) in phases.indexed_iter() {
        // Whole turns are taken away before anything is rounded.
        let turn = f64::from(*phase) - f64::from(*phase).round();
        let (sine, cosine) = (std::f64::consts::TAU * turn).sin_cos();
        x[[row, frequency]] = size * cosine;
        x[[row, FREQUENCIES + frequency]] = size * sine;
    }
    if let Some(mean) = x.mean_axis(Axis(0)) {
        x -= &mean;
    }
    // The powers of G by products of features, of which there are fewer than rows.
    #[expect(clippy::cast_possible_truncation, reason = "far finer than sampling")]
    let single: Vec<f32> = x.iter().map(|x| *x as f32).collect();
    let inner = squares(&single, WAVES);
    let outer = times_transposed(x.view(), inner.view());
    let [mut own, mut second, mut third] =
        [0.0, inner.iter().map(|y| y * y).sum::<f64>(), outer.iter().map(|y| y * y).sum::<f64>()];
    for (x, outer) in x.rows().into_iter().zip(outer.rows()) {
        // What a row makes with itself is taken out.
        let square = x.dot(&x);
        own += square;
        second -= square * square;
        third += square * (2.0 * square * square - 3.0 * x.dot(&outer));
    }
    let n = n as f64;
    let trace = own / (n - 1.0);
    // No covariance of so many features has less (Cauchy and Schwarz); with the least cube the first two moments decide.
    let square = (second / (n * (n - 1.0))).max(trace * trace / WAVES as f64);
    let cube = (third / (n * (n - 1.0) * (n - 2.0))).max(square * square / trace);
    [trace, square, cube]
}
