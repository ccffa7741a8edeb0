//! Evidently's drift of embeddings: `evidently.legacy.metrics.data_drift.embedding_drift_methods`.
//!
//! Four methods that know nothing of each other: a distance of the two means, the share of numbers that drift by
//! themselves, a kernel distance of all pairs of rows (MMD), and how well a linear classifier tells the sides apart. Its
//! option to reduce the vectors first (`pca_components`) is left out. Source: evidently 0.7.23,
//! `embedding_drift_methods.py`, on numpy 2.4, scipy 1.17 and scikit-learn 1.9.

use super::classifier::{self, Labelled};
use super::columns::Columns;
use super::twister::Twister;
use super::{CompatScore, Rule, evidently, numpy};
use crate::kernel::{GRAM, gram};
use crate::{Error, ErrorKind, Metric, Result};

/// The most rows of both sides together for [`mmd`], whose time grows with their square.
pub const MMD_ROWS: usize = 32_768;

/// Up to so many reference rows evidently judges its own choice by a bootstrap.
const BOOTSTRAP_ROWS: usize = 1_000;
/// Rows of each side whose distances give the width of the kernel.
const SAMPLE: usize = 1_000;
/// Rows whose products with a block are computed at once.
const ROWS: usize = 64;

/// Our metric beside one of evidently's of vectors: the nearest, not the same.
#[must_use]
pub fn counterpart(name: &str) -> Option<Metric> {
    Some(match name {
        "distance" => Metric::CentroidEuclidean,
        "distance_cosine" => Metric::CentroidCosine,
        "ratio" => Metric::DimensionDriftShare,
        "mmd" => Metric::Mmd,
        "model" => Metric::EmbeddingDrift,
        _ => return None,
    })
}

/// The vectors of one side, in the order of rows: those that are complete.
#[derive(Clone, Copy, Debug)]
pub struct Vectors<'a> {
    dim: usize,
    numbers: &'a [f32],
}

impl<'a> Vectors<'a> {
    /// Vectors of `dim` numbers, one after the other; what is left over at the end is none.
    #[must_use]
    pub fn new(dim: usize, numbers: &'a [f32]) -> Self {
        Self { dim, numbers }
    }

    /// How many there are.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.numbers.len().checked_div(self.dim).unwrap_or(0)
    }

    fn row(&self, row: usize) -> &'a [f32] {
        &self.numbers[row * self.dim..(row + 1) * self.dim]
    }

    /// The number at `at` of every vector.
    fn column(&self, at: usize) -> Vec<f64> {
        self.numbers.chunks_exact(self.dim).map(|row| f64::from(row[at])).collect()
    }
}

/// A distance of two means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// The length of their difference; evidently's default.
    Euclidean,
    /// One less the cosine of the angle between them.
    Cosine,
    /// The sum of their differences without signs.
    Cityblock,
    /// The largest of their differences without signs.
    Chebyshev,
}

impl Distance {
    /// Every distance, the default first.
    pub const ALL: [Self; 4] = [Self::Euclidean, Self::Cosine, Self::Cityblock, Self::Chebyshev];

    /// The name in reports: `distance`, followed by what is not the default.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Euclidean => "distance",
            Self::Cosine => "distance_cosine",
            Self::Cityblock => "distance_cityblock",
            Self::Chebyshev => "distance_chebyshev",
        }
    }
}

/// The distance of the means of both sides; drift above 0.2, whatever the distance.
///
/// # Errors
/// Of kind [`ErrorKind::Plan`] where a side is empty, the two have different lengths, or a mean of zero has no angle.
pub fn distance(reference: Vectors<'_>, current: Vectors<'_>, distance: Distance) -> Result<CompatScore> {
    check(reference, current)?;
    let mean = |side: Vectors<'_>, at| numpy::sum(&side.column(at)) / side.n_rows() as f64;
    let means: Vec<(f64, f64)> =
        (0..reference.dim).map(|at| (mean(reference, at), mean(current, at))).collect();
    let sum = |term: fn(f64, f64) -> f64| means.iter().fold(0.0, |sum, (u, v)| sum + term(*u, *v));
    let value = match distance {
        Distance::Euclidean => sum(|u, v| (u - v) * (u - v)).sqrt(),
        Distance::Cosine => {
            let lengths = (sum(|u, _| u * u) * sum(|_, v| v * v)).sqrt();
            (1.0 - sum(|u, v| u * v) / lengths).clamp(0.0, 2.0)
        }
        Distance::Cityblock => sum(|u, v| (u - v).abs()),
        Distance::Chebyshev => means.iter().fold(0.0, |most: f64, (u, v)| most.max((u - v).abs())),
    };
    CompatScore::distance(value, Some(Rule::Above(0.2)))
}

/// The share of numbers whose normed Wasserstein distance is 0.1 or more; drift above 0.2.
///
/// # Errors
/// Of kind [`ErrorKind::Plan`] where a side is empty or the two have different lengths.
pub fn ratio(reference: Vectors<'_>, current: Vectors<'_>) -> Result<CompatScore> {
    check(reference, current)?;
    let mut drifted = 0_u32;
    for at in 0..reference.dim {
        let (reference, current) = (reference.column(at), current.column(at));
        let columns = Columns::Numeric { reference: &reference, current: &current, integer: false };
        drifted += u32::from(evidently::wasserstein(columns)?.drifted() == Some(true));
    }
    CompatScore::distance(f64::from(drifted) / reference.dim as f64, Some(Rule::Above(0.2)))
}

/// The squared maximum mean discrepancy of a Gaussian kernel, without its bias and at least 0; drift above 0.015.
///
/// Its width is the median distance between up to 1,000 rows of each side, which numpy's generator draws with seed 0.
///
/// # Errors
/// Of kind [`ErrorKind::Plan`] where a side has fewer than two rows, the two have different lengths or more than
/// [`MMD_ROWS`] rows together, or half of the distances are zero.
pub fn mmd(reference: Vectors<'_>, current: Vectors<'_>) -> Result<CompatScore> {
    check(reference, current)?;
    let (n, m) = (reference.n_rows(), current.n_rows());
    if n.min(m) < 2 {
        return Err(plan("`mmd` compares the rows of a side with each other, and one has a single row"));
    }
    if n + m > MMD_ROWS {
        return Err(plan(format!(
            "`mmd` compares every row with every row, which is done for up to {MMD_ROWS} rows of both sides, and these are {}",
            n + m
        )));
    }
    let mut distances = Vec::new();
    between(&Rows::drawn(reference), &Rows::drawn(current), false, |square| distances.push(square.sqrt()));
    let width = median(&mut distances);
    let gamma = 1.0 / (width * width);
    if !gamma.is_finite() {
        return Err(plan("half of the vectors are the same, so the kernel of `mmd` has no width"));
    }
    let sides = [Rows::all(reference), Rows::all(current)];
    let sum = |left: &Rows<'_>, right: &Rows<'_>, above_only: bool| {
        let mut sum = 0.0;
        between(left, right, above_only, |square| sum += (-gamma * square).exp());
        sum
    };
    let own = |side: &Rows<'_>| {
        let n = side.rows.len() as f64;
        2.0 * sum(side, side, true) / (n * (n - 1.0))
    };
    let across = sum(&sides[0], &sides[1], false) / (n as f64 * m as f64);
    let value = own(&sides[0]) + own(&sides[1]) - 2.0 * across;
    CompatScore::distance(value.max(0.0), Some(Rule::Above(0.015)))
}

/// The area under the curve of a linear classifier that was trained on half of all rows to tell the sides apart, on the
/// other half; drift above 0.55.
///
/// The halves, the order of training and the steps are those of scikit-learn's `train_test_split` and `SGDClassifier` with
/// seed 42.
///
/// # Errors
/// Of kind [`ErrorKind::Plan`] where a side is empty, the two have different lengths, or a half lacks a side.
pub fn model(reference: Vectors<'_>, current: Vectors<'_>) -> Result<CompatScore> {
    let (value, _) = area(reference, current)?;
    CompatScore::distance(value, Some(Rule::Above(0.55)))
}

/// What evidently takes if no method is named: [`model`], held against a random classifier's 95th percentile where the
/// reference has fewer than 1,000 rows.
///
/// # Errors
/// As [`model`].
pub fn default_model(reference: Vectors<'_>, current: Vectors<'_>) -> Result<CompatScore> {
    let (value, labels) = area(reference, current)?;
    let bound = if reference.n_rows() < BOOTSTRAP_ROWS { classifier::chance(&labels, 0.95) } else { 0.55 };
    CompatScore::distance(value, Some(Rule::Above(bound)))
}

/// The area under the curve, and the labels of the half on which it was measured.
fn area(reference: Vectors<'_>, current: Vectors<'_>) -> Result<(f64, Vec<bool>)> {
    check(reference, current)?;
    let sides = [(reference, true), (current, false)];
    let rows: Vec<Labelled<'_>> = sides
        .iter()
        .flat_map(|(side, label)| (0..side.n_rows()).map(|row| (side.row(row), *label)))
        .collect();
    let order = Twister::new(42).permutation(rows.len());
    let (test, train) = order.split_at(rows.len().div_ceil(2));
    let pick = |order: &[usize]| -> Vec<Labelled<'_>> { order.iter().map(|row| rows[*row]).collect() };
    let (test, train) = (pick(test), pick(train));
    for (half, what) in [(&train, "trained"), (&test, "measured")] {
        if half.iter().all(|row| row.1) || half.iter().all(|row| !row.1) {
            return Err(plan(format!("`model` is {what} on rows of both sides, and drew those of one only")));
        }
    }
    let classifier = classifier::train(&train, reference.dim);
    let scores: Vec<f64> = test.iter().map(|(row, _)| classifier.probability(row)).collect();
    let labels: Vec<bool> = test.iter().map(|row| row.1).collect();
    Ok((classifier::area(&scores, &labels), labels))
}

fn check(reference: Vectors<'_>, current: Vectors<'_>) -> Result<()> {
    for (name, side) in [("reference", reference), ("current", current)] {
        if side.n_rows() == 0 {
            return Err(plan(format!("the {name} side has no vector that is complete")));
        }
    }
    if reference.dim != current.dim {
        return Err(plan(format!(
            "vectors of one length are compared, and these have {} and {} numbers",
            reference.dim, current.dim
        )));
    }
    Ok(())
}

fn plan(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Plan, message.into())
}

/// The middle of `values`, or the mean of the two middle ones.
fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    let is_odd = values.len() % 2 == 1;
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if is_odd {
        return *upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    f64::midpoint(lower, *upper)
}

/// Vectors with their squared lengths.
struct Rows<'a> {
    dim: usize,
    rows: Vec<&'a [f32]>,
    squares: Vec<f64>,
}

impl<'a> Rows<'a> {
    fn of(dim: usize, rows: Vec<&'a [f32]>) -> Self {
        let square = |row: &&[f32]| row.iter().map(|x| f64::from(*x)).fold(0.0, |sum, x| sum + x * x);
        Self { dim, squares: rows.iter().map(square).collect(), rows }
    }

    fn all(side: Vectors<'a>) -> Self {
        Self::of(side.dim, side.numbers.chunks_exact(side.dim).collect())
    }

    /// As pandas draws rows with the random state 0.
    fn drawn(side: Vectors<'a>) -> Self {
        let order = Twister::new(0).permutation(side.n_rows());
        Self::of(side.dim, order.into_iter().take(SAMPLE).map(|row| side.row(row)).collect())
    }

    /// [`GRAM`] rows from `from` on, number by number; zero where there are no more.
    fn interleaved(&self, from: usize) -> Vec<[f64; GRAM]> {
        let mut block = vec![[0.0; GRAM]; self.dim];
        for (lane, row) in self.rows.iter().skip(from).take(GRAM).enumerate() {
            for (numbers, x) in block.iter_mut().zip(*row) {
                numbers[lane] = f64::from(*x);
            }
        }
        block
    }
}

/// Hands `on` the squared distance of each row of `left` to each of `right`; of one and the same list only those where the
/// row of `right` comes after that of `left`. Only a block of each is there as doubles.
fn between(left: &Rows<'_>, right: &Rows<'_>, above_only: bool, mut on: impl FnMut(f64)) {
    for (rows, start) in left.rows.chunks(ROWS).zip((0..).step_by(ROWS)) {
        let doubles: Vec<f64> = rows.iter().copied().flatten().map(|x| f64::from(*x)).collect();
        let begin = if above_only { start / GRAM * GRAM } else { 0 };
        for from in (begin..right.rows.len()).step_by(GRAM) {
            let lanes = GRAM.min(right.rows.len() - from);
            let products = gram(&doubles, &right.interleaved(from));
            for (row, products) in (start..).zip(products) {
                let first = if above_only { (row + 1).saturating_sub(from) } else { 0 };
                for (lane, product) in products.iter().enumerate().take(lanes).skip(first) {
                    let square = left.squares[row] + right.squares[from + lane] - 2.0 * product;
                    on(square.max(0.0));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_all_there_once() {
        let rows: Vec<f32> = (0..141_u8).flat_map(|i| [f32::from(i), 1.0]).collect();
        let side = Rows::of(2, rows.chunks_exact(2).collect());
        let (mut above, mut all) = (Vec::new(), Vec::new());
        between(&side, &side, true, |square| above.push(square));
        between(&side, &side, false, |square| all.push(square));
        assert_eq!((above.len(), all.len()), (141 * 140 / 2, 141 * 141));
        assert_eq!(2.0 * above.iter().sum::<f64>(), all.iter().sum::<f64>());
        assert_eq!(above.iter().copied().fold(0.0, f64::max), 140.0 * 140.0);
    }

    #[test]
    fn a_median_is_the_middle_or_between_two() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 9.0]), 3.0);
    }

    #[test]
    fn what_has_no_answer_is_refused() {
        let (some, none) = (Vectors::new(2, &[1.0, 0.0, 0.0, 1.0]), Vectors::new(2, &[]));
        let other = Vectors::new(1, &[1.0, 2.0]);
        for (left, right) in [(some, none), (none, some), (some, other)] {
            assert!(Distance::ALL.into_iter().all(|own| distance(left, right, own).is_err()));
            assert!(ratio(left, right).is_err() && mmd(left, right).is_err() && model(left, right).is_err());
        }
        let zero = Vectors::new(2, &[0.0; 4]);
        assert!(distance(some, zero, Distance::Cosine).is_err() && mmd(zero, zero).is_err());
        let wide = vec![0.5; MMD_ROWS];
        assert!(mmd(Vectors::new(1, &wide), other).unwrap_err().to_string().contains("32768"));
    }
}
