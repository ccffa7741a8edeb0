//! Shifts of the mean and of the standard deviation, from moments.
//!
//! Both are read from integer sums, so they cost nothing beside the counts; both are led by outliers, which is why they
//! stand beside the distribution metrics and not in their place.

use super::p_value::{normal, student};
use super::{Direction, Score};

/// The moments of one side's finite rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Rows that entered the sums.
    pub n: u64,
    /// Their mean, in the feature's unit.
    pub mean: f64,
    /// Their population variance (divisor `n`), in the feature's unit squared.
    pub variance: f64,
}

impl Moments {
    /// The sample variance, divisor `n - 1`.
    fn sample_variance(&self) -> f64 {
        self.variance * (self.n as f64 / (self.n as f64 - 1.0))
    }
}

/// Difference of means in baseline standard deviations, `(mean_w - mean_b) / sd_b`, with Welch's two-sided test.
///
/// The test assumes that means are close to normal (the central limit theorem: finite variance, and more rows the heavier
/// the tails) and that rows are independent once `deff` has divided both sizes. No value (with a reason) for an empty
/// side or a baseline without spread; no p-value below two effective rows on either side.
#[must_use]
pub fn mean_shift(baseline: &Moments, window: &Moments, deff: f64) -> Score {
    let known = described(baseline, window, deff);
    if known.reason.is_some() {
        return known;
    }
    let difference = window.mean - baseline.mean;
    let value = difference / baseline.variance.sqrt();
    let (n, n_baseline) = (window.n as f64 / deff, baseline.n as f64 / deff);
    let p_value = (n >= 2.0 && n_baseline >= 2.0).then(|| {
        let (w, b) = (window.sample_variance() / n, baseline.sample_variance() / n_baseline);
        let freedom = (w + b) * (w + b) / (w * w / (n - 1.0) + b * b / (n_baseline - 1.0));
        student::two_sided(difference / (w + b).sqrt(), freedom)
    });
    Score { p_value, direction: direction(value), ..known.with_value(value) }
}

/// Logarithm of the ratio of standard deviations, `ln(sd_w / sd_b)`; 0.69 is a doubling, -0.69 a halving.
///
/// The p-value is the large-sample (delta method) test: if the distributions agree, `ln s^2` of m rows has variance
/// `(kurtosis - 1)/m` whatever their shape, so `2 value / sqrt((kurtosis - 1)(1/n + 1/N) deff)` is close to normal.
/// `kurtosis` is the baseline's fourth standardised moment (3 for a normal one), see [`kurtosis`]; without it there is
/// no p-value, because the F test that assumes 3 is wrong by any factor on other shapes. It needs a finite fourth moment:
/// on heavier tails it rejects too rarely or too often without warning.
///
/// No value (with a reason) for an empty side or a side without spread.
#[must_use]
pub fn sd_shift(baseline: &Moments, window: &Moments, kurtosis: Option<f64>, deff: f64) -> Score {
    let known = described(baseline, window, deff);
    if known.reason.is_some() {
        return known;
    }
    if window.variance <= 0.0 {
        return Score { reason: Some("the window has no spread"), ..known };
    }
    let value = 0.5 * (window.variance / baseline.variance).ln();
    let p_value = kurtosis.filter(|kurtosis| *kurtosis > 1.0).map(|kurtosis| {
        let each = 1.0 / window.n as f64 + 1.0 / baseline.n as f64;
        normal::two_sided(2.0 * value / ((kurtosis - 1.0) * each * deff).sqrt())
    });
    Score { p_value, direction: direction(value), ..known.with_value(value) }
}

/// The fourth standardised moment, at least 1, of rows given as counts and means of cells.
///
/// Rows count as if they lay at their cell's mean, which understates the moment a little. `None` for fewer than two
/// distinct means or a moment that is not finite.
///
/// # Panics
///
/// If the slices differ in length.
#[must_use]
pub fn kurtosis(counts: &[u64], means: &[f64]) -> Option<f64> {
    assert_eq!(counts.len(), means.len(), "every cell has a count and a mean");
    let rows: u64 = counts.iter().sum();
    let held = || counts.iter().zip(means).filter(|(count, _)| **count > 0);
    let average = |f: &dyn Fn(f64) -> f64| {
        held().fold(0.0, |sum, (&count, &mean)| sum + f(mean) * (count as f64 / rows as f64))
    };
    let mean = average(&|x| x);
    let variance = average(&|x| (x - mean) * (x - mean));
    if !(variance > 0.0 && variance.is_finite()) {
        return None;
    }
    let moment = average(&|x| {
        let square = (x - mean) * (x - mean) / variance;
        square * square
    });
    moment.is_finite().then_some(moment)
}

/// The score's frame, with a reason if there can be no value.
fn described(baseline: &Moments, window: &Moments, deff: f64) -> Score {
    let reason = match (baseline.n, window.n) {
        (0, _) => Some("the baseline has no rows"),
        (_, 0) => Some("the window has no rows"),
        _ if baseline.variance > 0.0 => None,
        _ => Some("the baseline has no spread to divide by"),
    };
    Score { n: window.n, n_baseline: baseline.n, deff, reason, ..Score::default() }
}

fn direction(value: f64) -> Option<Direction> {
    match value {
        v if v > 0.0 => Some(Direction::Up),
        v if v < 0.0 => Some(Direction::Down),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASELINE: Moments = Moments { n: 1000, mean: 10.0, variance: 4.0 };

    #[test]
    fn shifts_are_in_baseline_deviations_and_log_ratios() {
        let window = Moments { n: 500, mean: 11.0, variance: 16.0 };
        let mean = mean_shift(&BASELINE, &window, 1.0);
        assert_eq!((mean.value, mean.direction), (Some(0.5), Some(Direction::Up)));
        let sd = sd_shift(&BASELINE, &window, Some(3.0), 1.0);
        assert_eq!((sd.value, sd.direction), (Some(2.0_f64.ln()), Some(Direction::Up)));
        assert!(sd.p_value < Some(1e-60));
        assert_eq!(sd_shift(&BASELINE, &window, None, 1.0).p_value, None);
    }

    #[test]
    fn a_design_effect_only_weakens_the_evidence() {
        let window = Moments { n: 500, mean: 10.2, variance: 4.4 };
        let (one, four) = (mean_shift(&BASELINE, &window, 1.0), mean_shift(&BASELINE, &window, 4.0));
        assert_eq!(one.value, four.value);
        assert!(one.p_value < four.p_value);
        assert!(
            sd_shift(&BASELINE, &window, Some(3.0), 1.0).p_value
                < sd_shift(&BASELINE, &window, Some(3.0), 4.0).p_value
        );
    }

    #[test]
    fn sides_without_rows_or_spread_say_so() {
        let constant = Moments { variance: 0.0, ..BASELINE };
        let empty = Moments { n: 0, mean: 0.0, variance: 0.0 };
        assert_eq!(
            mean_shift(&constant, &BASELINE, 1.0).reason,
            Some("the baseline has no spread to divide by")
        );
        assert_eq!(mean_shift(&BASELINE, &empty, 1.0).reason, Some("the window has no rows"));
        assert_eq!(sd_shift(&BASELINE, &constant, Some(3.0), 1.0).reason, Some("the window has no spread"));
        let single = Moments { n: 1, mean: 12.0, variance: 0.0 };
        let score = mean_shift(&BASELINE, &single, 1.0);
        assert_eq!((score.value, score.p_value), (Some(1.0), None));
    }

    #[test]
    fn kurtosis_of_known_shapes() {
        assert_eq!(kurtosis(&[5, 5], &[-1.0, 1.0]), Some(1.0));
        // One row in 101 at 10 and the rest at -0.1: far from normal.
        let heavy = kurtosis(&[100, 1], &[-0.1, 10.0]).expect("the cells differ");
        assert!((heavy - 99.01).abs() < 1e-9, "{heavy}");
        assert_eq!(kurtosis(&[7, 0], &[2.0, 9.0]), None);
    }
}
