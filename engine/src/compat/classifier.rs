//! A logistic classifier of vectors as scikit-learn trains one, for the one metric that needs it.
//!
//! Stochastic gradient descent with weight decay (Bottou 2012): one vector at a time, in an order that is drawn anew for
//! each pass, with steps that shrink as `1 / (a (t + 1000))`. Source: scikit-learn 1.9, `SGDClassifier(loss="log_loss",
//! random_state=42)` with all other settings as they are.
//!
//! The first steps are so long that a difference in the last bit grows with every row, so sums are added up one by one and
//! each product is rounded as there.

use super::twister::Twister;

/// A vector, and whether it is of the reference.
pub(super) type Labelled<'a> = (&'a [f32], bool);

const SEED: u32 = 42;
const MAX_PASSES: usize = 1_000;
/// Training ends after so many passes in a row without an improvement of [`TOLERANCE`].
const PATIENCE: usize = 5;
const TOLERANCE: f64 = 1e-3;
/// Below this score the probability is the exponential itself.
const FLAT: f64 = -37.0;
/// The weight of the squared length in what is minimised.
const ALPHA: f64 = 1e-4;
/// Passed over at the start of the schedule of steps, so that the first one is `1 / (ALPHA * FIRST)`.
const FIRST: f64 = 1_000.0;

/// What was learnt.
pub(super) struct Classifier {
    weights: Vec<f64>,
    intercept: f64,
}

impl Classifier {
    /// How likely the vector is of the reference, from 0 to 1.
    pub(super) fn probability(&self, row: &[f32]) -> f64 {
        sigmoid(dot(&self.weights, row) + self.intercept)
    }
}

/// Trains on `rows`, of which some are of either side.
///
/// Single-precision vectors cannot make the weights infinite, nor so many passes the decay too small for a double, which
/// is what the original looks out for.
pub(super) fn train(rows: &[Labelled<'_>], dim: usize) -> Classifier {
    let mut twister = Twister::new(SEED);
    // The first draw seeds a generator that is not used here.
    twister.up_to(i32::MAX.unsigned_abs() - 2);
    let seed = twister.up_to(i32::MAX.unsigned_abs() - 1);
    let mut weights = Weights { numbers: vec![0.0; dim], scale: 1.0, square: 0.0 };
    let mut intercept = 0.0;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let (mut best, mut passes_without, mut steps) = (f64::INFINITY, 0, 0.0);
    for _ in 0..MAX_PASSES {
        shuffle(&mut order, seed);
        let mut objective = 0.0;
        for row in &order {
            let (row, is_reference) = rows[*row];
            let label = f64::from(u8::from(is_reference));
            let score = dot(&weights.numbers, row) * weights.scale + intercept;
            objective += soft_plus(score) - label * score + ALPHA * 0.5 * weights.square;
            let step = 1.0 / (ALPHA * (FIRST + steps));
            let update = -step * slope(score, label);
            weights.shrink(1.0 - step * ALPHA);
            if update != 0.0 {
                weights.add(row, update);
                intercept += update;
            }
            steps += 1.0;
        }
        let objective = objective / rows.len() as f64;
        passes_without = if objective > best - TOLERANCE { passes_without + 1 } else { 0 };
        best = best.min(objective);
        if passes_without >= PATIENCE {
            break;
        }
    }
    let scale = weights.scale;
    Classifier { weights: weights.numbers.into_iter().map(|weight| weight * scale).collect(), intercept }
}

/// Weights with a scale of their own, so that a decay costs one product.
struct Weights {
    numbers: Vec<f64>,
    scale: f64,
    /// The squared length of the scaled weights.
    square: f64,
}

impl Weights {
    fn shrink(&mut self, by: f64) {
        self.scale *= by;
        self.square *= by * by;
    }

    /// Adds `row` times `by`.
    fn add(&mut self, row: &[f32], by: f64) {
        let factor = by / self.scale;
        let mut square = 0.0;
        for (weight, x) in self.numbers.iter_mut().zip(row) {
            *weight += f64::from(*x) * factor;
            square += *weight * *weight;
        }
        self.square = square * (self.scale * self.scale);
    }
}

fn dot(weights: &[f64], row: &[f32]) -> f64 {
    weights.iter().zip(row).fold(0.0, |sum, (weight, x)| sum + weight * f64::from(*x))
}

/// How the loss of a row grows with its score.
fn slope(score: f64, label: f64) -> f64 {
    if score > FLAT {
        let rest = (-score).exp();
        ((1.0 - label) - label * rest) / (1.0 + rest)
    } else {
        score.exp() - label
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `ln(1 + e^x)`.
fn soft_plus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Fisher and Yates with Marsaglia's 32-bit xorshift (2003), of which 31 bits are used.
fn shuffle(order: &mut [usize], seed: u32) {
    let mut state = seed.max(1);
    let n = order.len();
    for i in 0..n.saturating_sub(1) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let draw = (state & 0x7fff_ffff) as usize;
        order.swap(i, i + draw % (n - i));
    }
}

/// The area under the receiver operating characteristic of `scores`; ties count half. NaN without a row of either label.
pub(super) fn area(scores: &[f64], labels: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let (mut below, mut pairs) = (0_u64, 0_u64);
    for tied in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        let of_reference = tied.iter().filter(|row| labels[**row]).count() as u64;
        let others = tied.len() as u64 - of_reference;
        // Twice the pairs that are in order.
        pairs += of_reference * (2 * below + others);
        below += others;
    }
    let of_reference = scores.len() as u64 - below;
    pairs as f64 / 2.0 / (of_reference as f64 * below as f64)
}

/// The `share`-quantile of the areas of 100 classifiers that guess, seeded with 0 to 99.
pub(super) fn chance(labels: &[bool], share: f64) -> f64 {
    let mut areas: Vec<f64> = (0..100)
        .map(|seed| {
            let mut twister = Twister::new(seed);
            let guesses: Vec<f64> = labels.iter().map(|_| twister.unit()).collect();
            area(&guesses, labels)
        })
        .collect();
    areas.sort_unstable_by(f64::total_cmp);
    let place = share * (areas.len() - 1) as f64;
    let (whole, part) = (place.floor(), place.fract());
    let lower = areas[whole as usize];
    let upper = areas.get(whole as usize + 1).copied().unwrap_or(lower);
    lower + (upper - lower) * part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_counts_pairs_and_half_of_ties() {
        let labels = [false, true, false, true];
        assert_eq!(area(&[0.1, 0.9, 0.2, 0.8], &labels), 1.0);
        assert_eq!(area(&[0.9, 0.1, 0.8, 0.2], &labels), 0.0);
        assert_eq!(area(&[0.5; 4], &labels), 0.5);
        assert_eq!(area(&[0.1, 0.2, 0.2, 0.3], &labels), 0.875);
        assert!(area(&[0.5], &[true]).is_nan());
    }

    #[test]
    fn what_can_be_told_apart_is_learnt() {
        let rows: Vec<[f32; 2]> = (0..200_u8).map(|i| [f32::from(i % 7), f32::from(i % 2) * 4.0]).collect();
        let labelled: Vec<Labelled<'_>> = rows.iter().map(|row| (row.as_slice(), row[1] > 0.0)).collect();
        let classifier = train(&labelled, 2);
        let labels: Vec<bool> = labelled.iter().map(|row| row.1).collect();
        let scores: Vec<f64> = rows.iter().map(|row| classifier.probability(row)).collect();
        assert_eq!(area(&scores, &labels), 1.0);
    }
}
