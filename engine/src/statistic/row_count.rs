//! How surprising a window's number of rows is: SEMANTICS S21.
//!
//! The law: counts of the past, of windows like this one, are draws of a negative binomial distribution; the next draw
//! is compared with what they predict. Its mean is estimated by theirs (with half a row more in all, so that a place that
//! never had a row does not forbid one), its variance by theirs, but no less than the mean: then it is Poisson's.
//!
//! # What thirty counts do not know
//!
//! A plain prediction takes both estimates for the truth, and with 30 counts alarms up to five times as often as it says
//! at p = 0.001 (docs/statistics/row_count.md has the measurement). Two corrections make it a prediction. The mean is
//! off by its own standard error: the variance of the next count about it is `1 + 1/n` times as large. And the variance
//! is unknown: `s^2 nu/chi^2_nu` is what it may have been, so the p is the mean of the p's over that (as Student's t is
//! the mean of normals), with the degrees of freedom that the variance of counts with the kurtosis of a negative
//! binomial has, `nu = 2 / (2/(n - 1) + kappa/n)`, `kappa = 6/r + 1/v`.

use super::p_value::negative_binomial::tails;
use super::{Direction, Score};

/// The fewest counts from which a prediction is made (SEMANTICS S21).
pub const MIN_COUNTS: u64 = 30;

/// Nodes of the mean over what the variance may have been, in standard deviations of its logarithm; the integrand is as
/// smooth as a normal density, for which so narrow steps are exact to more than ten digits, but for a corner where the variance becomes Poisson's: there
/// some thousandths of p may be lost.
const NODES: i32 = 61;
const FIRST_NODE: f64 = -9.0;
const STEP: f64 = 0.25;

/// With fewer degrees of freedom the variance is known to within no factor at all.
const MIN_FREEDOM: f64 = 2.0;

/// Counts of the past, as far as a prediction needs them; exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    n: u64,
    sum: u128,
    squares: u128,
}

impl Past {
    /// Adds the rows of one window of the past.
    pub fn add(&mut self, rows: u64) {
        let rows = u128::from(rows);
        self.n += 1;
        self.sum += rows;
        // 2^64 windows of 2^32 rows; more rows than that say no more by their exact number.
        self.squares = self.squares.saturating_add(rows * rows);
    }

    /// How many windows were added.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Their mean, with half a row more in all; 0 of none.
    #[expect(clippy::cast_precision_loss, reason = "a mean is a float")]
    fn mean(&self) -> f64 {
        if self.n == 0 { 0.0 } else { (self.sum as f64 + 0.5) / self.n as f64 }
    }

    /// Their variance, with divisor `n - 1`; 0 of one.
    #[expect(clippy::cast_precision_loss, reason = "a variance is a float")]
    fn variance(&self) -> f64 {
        if self.n < 2 {
            return 0.0;
        }
        let n = u128::from(self.n);
        // Exact while rows stay below 2^32 or so; rounded, the difference is still that of its parts.
        let spread = match (n.checked_mul(self.squares), self.sum.checked_mul(self.sum)) {
            (Some(squares), Some(square)) => squares.saturating_sub(square) as f64,
            _ => (n as f64 * self.squares as f64 - self.sum as f64 * self.sum as f64).max(0.0),
        };
        spread / (n as f64 * (n - 1) as f64)
    }
}

/// `rows` of a window against the past.
///
/// `value` is the number of rows, `baseline` the mean that the past predicts, `p_value` the two-sided p of the
/// prediction, `n` the window's rows and `n_baseline` those of the past; `p_value` is `None`, with a reason, from fewer
/// than [`MIN_COUNTS`] windows.
#[must_use]
pub fn row_count(past: &Past, rows: u64) -> Score {
    #[expect(clippy::cast_precision_loss, reason = "a score is a float")]
    let known = Score { n: rows, ..Score::of(rows as f64) };
    if past.n < MIN_COUNTS {
        return Score { reason: Some("the baseline has fewer than 30 windows like this one"), ..known };
    }
    let mean = past.mean();
    let (lower, upper) = predict(past, mean, rows);
    #[expect(clippy::cast_precision_loss, reason = "compared with a mean")]
    let direction = match (rows as f64).total_cmp(&mean) {
        std::cmp::Ordering::Less => Some(Direction::Down),
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some(Direction::Up),
    };
    Score {
        baseline: Some(mean),
        p_value: Some((2.0 * lower.min(upper)).min(1.0)),
        n_baseline: u64::try_from(past.sum).unwrap_or(u64::MAX),
        direction,
        ..known
    }
}

/// `P(Y <= rows)` and `P(Y >= rows)` of the next count.
fn predict(past: &Past, mean: f64, rows: u64) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "thousands of windows")]
    let n = past.n as f64;
    let sampled = past.variance();
    let variance = sampled.max(mean);
    let kurtosis = 6.0 * (variance - mean) / (mean * mean) + 1.0 / variance;
    let freedom = (2.0 / (2.0 / (n - 1.0) + kurtosis / n)).max(MIN_FREEDOM);
    let spread = (2.0 / freedom).sqrt();
    let next = 1.0 + 1.0 / n;
    let least = mean * next;
    let poisson = tails(rows, mean, least);
    let (mut lower, mut upper, mut total) = (0.0, 0.0, 0.0);
    for node in 0..NODES {
        // chi^2_nu/nu = e^u, whose density is e^(nu (u - e^u)/2) but for a constant.
        let u = spread * (FIRST_NODE + STEP * f64::from(node));
        let weight = (0.5 * freedom * (u - u.exp_m1())).exp();
        let supposed = sampled * (-u).exp() * next;
        let (below, above) = if supposed <= least { poisson } else { tails(rows, mean, supposed) };
        lower += weight * below;
        upper += weight * above;
        total += weight;
    }
    (lower / total, upper / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(counts: impl IntoIterator<Item = u64>) -> Past {
        let mut past = Past::default();
        counts.into_iter().for_each(|rows| past.add(rows));
        past
    }

    #[test]
    fn thirty_windows_are_enough_and_fewer_are_not() {
        let few = row_count(&past((0..29).map(|at| 100 + at)), 500);
        assert_eq!((few.value, few.p_value), (Some(500.0), None));
        assert!(few.reason.is_some());
        let enough = row_count(&past((0..30).map(|at| 100 + at)), 500);
        assert!(enough.p_value.unwrap() < 1e-9 && enough.direction == Some(Direction::Up), "{enough:?}");
    }

    #[test]
    fn both_sides_surprise_and_the_middle_does_not() {
        let own = past((0..200).map(|at| 900 + at));
        let p = |rows| row_count(&own, rows).p_value.unwrap();
        assert!(p(1_000) > 0.9 && p(0) < 1e-6 && p(5_000) < 1e-6);
        let falling: Vec<f64> = (1_000..1_300).step_by(20).map(p).collect();
        assert!(falling.windows(2).all(|pair| pair[1] <= pair[0]), "{falling:?}");
    }

    /// A place that never had a row is surprised by some, and not by none.
    #[test]
    fn a_silent_past_predicts_silence() {
        let own = past([0; 40]);
        assert_eq!(row_count(&own, 0).p_value, Some(1.0));
        assert!(row_count(&own, 1).p_value.unwrap() > 0.02);
        assert!(row_count(&own, 5).p_value.unwrap() < 1e-6);
    }

    #[test]
    fn counts_beyond_all_reason_are_answered() {
        let own = past([u64::MAX; 30]);
        assert!(row_count(&own, u64::MAX).p_value.is_some_and(|p| (0.0..=1.0).contains(&p)));
    }
}
