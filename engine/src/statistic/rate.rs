//! Rates: the share of rows that are null, NaN, of the wrong type, out of range, or of a new category.
//!
//! The question of SEMANTICS S3a is whether the share has risen by more than one percentage point, `H0: q - p <= delta` for
//! two binomials. Where rows are many it is answered by the score test, with the variance under the restricted maximum
//! likelihood estimates (Farrington and Manning, Statistics in Medicine 9, 1990). With few hits its normal tail is too
//! light, the more so the farther out: there the exact tests of both sides are melded ([`beta::melded`]), which is
//! Fisher's test for `delta = 0` and the binomial test against an endless baseline. For new categories `p` is not zero: by Good and Turing the
//! chance that the next row is of a category not seen so far is close to `f1/N`, with `f1` the number of categories that
//! the baseline holds exactly once.

use super::p_value::{beta, normal};
use super::{Direction, Score};

/// The rise of a rate that is tolerated, SEMANTICS S3a: one percentage point.
pub const RATE_EFFECT: f64 = 0.01;

/// The score test is used while the skewness of its statistic is at most this: its p of 1e-4 is then too small by less
/// than a fifth. Of a window against an endless baseline that takes 2,500 expected hits.
const MAX_SKEWNESS: f64 = 0.02;

/// The rate `x` of `n` window rows against `y` of `n_baseline` baseline rows.
///
/// `value` is the window's share and `baseline` the baseline's, both in `[0, 1]`. `p_effect` is the one-sided p of
/// `q - p <= 0.01`, `p_value` that of `q - p <= 0`; `deff` divides both sizes. Where neither side leaves any variance
/// (all or none on both) `p_value` is 1. No value (with a reason) for an empty side.
///
/// # Panics
///
/// If `x > n` or `y > n_baseline`.
#[must_use]
pub fn rate(x: u64, n: u64, y: u64, n_baseline: u64, deff: f64) -> Score {
    assert!(x <= n && y <= n_baseline, "a rate counts some of the rows");
    let known = Score { n, n_baseline, deff, ..Score::default() };
    if n_baseline == 0 {
        return Score { reason: Some("the baseline has no rows"), ..known };
    }
    if n == 0 {
        return Score { reason: Some("the window has no rows"), ..known };
    }
    let (q, p) = (x as f64 / n as f64, y as f64 / n_baseline as f64);
    let ahead = (u128::from(x) * u128::from(n_baseline)).cmp(&(u128::from(y) * u128::from(n)));
    let direction = match ahead {
        std::cmp::Ordering::Greater => Some(Direction::Up),
        std::cmp::Ordering::Less => Some(Direction::Down),
        std::cmp::Ordering::Equal => None,
    };
    Score {
        baseline: Some(p),
        p_value: Some(beyond(x, n, y, n_baseline, 0.0, deff)),
        p_effect: Some(beyond(x, n, y, n_baseline, RATE_EFFECT, deff)),
        direction,
        ..known.with_value(q)
    }
}

/// The rate of rows of categories that the baseline has never seen: `new` of `n` window rows.
///
/// `singletons` is the number of categories that the baseline's `n_baseline` rows hold exactly once; `singletons / N`
/// estimates how often a new category comes without any drift. As an estimate of that chance its variance is
/// `(f1 + 2 f2)/N^2` (Good 1953, Robbins 1968), where a counted share has `f1/N^2`; with `f2` about half of `f1`, as in a
/// long tail of frequencies, that is the share of half as many singletons in half as many rows.
///
/// # Panics
///
/// If `new > n` or `singletons > n_baseline`.
#[must_use]
pub fn new_category(new: u64, n: u64, singletons: u64, n_baseline: u64, deff: f64) -> Score {
    let score = rate(new, n, singletons, n_baseline, deff);
    if score.value.is_none() {
        return score;
    }
    let p = |delta| Some(beyond(new, n, singletons.div_ceil(2), n_baseline.div_ceil(2), delta, deff));
    Score { p_value: p(0.0), p_effect: p(RATE_EFFECT), ..score }
}

/// The one-sided p of `H0: q - p <= delta` for `x` of `n` (q) and `y` of `n_baseline` (p), `0 <= delta < 1`.
///
/// Where the rates differ by no more than `delta` nothing speaks against the hypothesis, and the score test says how
/// little.
fn beyond(x: u64, n: u64, y: u64, n_baseline: u64, delta: f64, deff: f64) -> f64 {
    let score = ScoreTest::new(x, n, y, n_baseline, delta);
    if score.excess <= 0.0 || score.skewness() <= MAX_SKEWNESS {
        score.p(deff)
    } else {
        normal::diluted(beta::melded(x, n, y, n_baseline, delta), deff)
    }
}

/// Farrington and Manning's statistic: what `q - p` exceeds `delta` by, and its variance's two parts under the restricted
/// estimates.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScoreTest {
    excess: f64,
    variances: [f64; 2],
    rows: [f64; 2],
}

impl ScoreTest {
    pub(super) fn new(x: u64, n: u64, y: u64, n_baseline: u64, delta: f64) -> Self {
        let p = restricted(x, n, y, n_baseline, delta);
        let q = (p + delta).min(1.0);
        let rows = [n as f64, n_baseline as f64];
        Self {
            excess: (x as f64 / rows[0] - y as f64 / rows[1]) - delta,
            variances: [q * (1.0 - q) / rows[0], p * (1.0 - p) / rows[1]],
            rows,
        }
    }

    /// The p. The design effect scales the variance and leaves the restricted estimates alone.
    pub(super) fn p(self, deff: f64) -> f64 {
        let variance = self.variances[0] + self.variances[1];
        if variance > 0.0 {
            normal::upper(self.excess / (variance * deff).sqrt())
        } else if self.excess > 0.0 {
            0.0
        } else {
            1.0
        }
    }

    /// The largest skewness that the statistic may have, with both sides skewed the same way; none without variance.
    fn skewness(self) -> f64 {
        let variance = self.variances[0] + self.variances[1];
        let third = self.variances[0] / self.rows[0] + self.variances[1] / self.rows[1];
        if variance > 0.0 { third / (variance * variance.sqrt()) } else { f64::INFINITY }
    }
}

/// The maximum likelihood estimate of p under `q = p + delta`, in `[0, 1 - delta]`.
///
/// The log-likelihood is concave in p, so its derivative falls through zero at most once; halving the bracket finds the
/// place to the last bit, where the closed form of the cubic would cancel for small rates.
fn restricted(x: u64, n: u64, y: u64, n_baseline: u64, delta: f64) -> f64 {
    if delta == 0.0 {
        return (u128::from(x) + u128::from(y)) as f64 / (u128::from(n) + u128::from(n_baseline)) as f64;
    }
    let (hit, miss) = (x as f64, (n - x) as f64);
    let (hit_baseline, miss_baseline) = (y as f64, (n_baseline - y) as f64);
    let share = |count: f64, share: f64| if count == 0.0 { 0.0 } else { count / share };
    let slope = |p: f64| {
        share(hit, p + delta) - share(miss, 1.0 - delta - p) + share(hit_baseline, p)
            - share(miss_baseline, 1.0 - p)
    };
    let (mut low, mut high) = (0.0, 1.0 - delta);
    if slope(low) <= 0.0 {
        return low;
    }
    if slope(high) >= 0.0 {
        return high;
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if slope(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_restricted_estimate_zeroes_the_likelihood_s_slope() {
        // Farrington and Manning's setting, delta = 0.1, checked against the score equation itself.
        let p = restricted(30, 100, 20, 100, 0.1);
        let slope = 30.0 / (p + 0.1) - 70.0 / (0.9 - p) + 20.0 / p - 80.0 / (1.0 - p);
        assert!(slope.abs() < 1e-9, "{slope}");
        assert!((p - 0.2).abs() < 1e-12, "the unrestricted estimates already differ by delta: {p}");
    }

    #[test]
    fn edges_are_exact() {
        let none = rate(0, 500, 0, 10_000, 1.0);
        assert_eq!((none.value, none.baseline, none.p_value), (Some(0.0), Some(0.0), Some(1.0)));
        assert!(none.p_effect > Some(0.98));
        let all = rate(500, 500, 10_000, 10_000, 1.0);
        assert_eq!((all.value, all.p_value, all.direction), (Some(1.0), Some(1.0), None));
        assert!(all.p_effect > Some(0.98));
        let broken = rate(500, 500, 0, 10_000, 1.0);
        assert!(broken.p_effect < Some(1e-300));
        assert_eq!(rate(0, 0, 3, 10, 1.0).reason, Some("the window has no rows"));
        assert_eq!(rate(0, 10, 0, 0, 1.0).reason, Some("the baseline has no rows"));
        assert_eq!(rate(1, 1, 0, 1, 1.0).value, Some(1.0));
    }

    #[test]
    fn a_rise_within_the_tolerance_is_no_evidence() {
        let small = rate(15, 1000, 500, 100_000, 1.0);
        assert!(small.p_value < Some(0.01) && small.p_effect > Some(0.4), "{small:?}");
        assert_eq!(small.direction, Some(Direction::Up));
        let large = rate(80, 1000, 500, 100_000, 1.0);
        assert!(large.p_effect < Some(1e-6));
        assert!(rate(80, 1000, 500, 100_000, 4.0).p_effect > large.p_effect);
    }

    /// 200 rows, none of 1,000,000 in the baseline: five hits or more have probability 0.0518 if the rate has risen by
    /// exactly one point. The score test says 0.017.
    #[test]
    fn few_hits_are_judged_by_the_binomial_test() {
        let p = rate(5, 200, 0, 1_000_000, 1.0).p_effect.expect("both sides hold rows");
        assert!((p - 0.0518).abs() < 2e-4, "{p}");
        assert!(ScoreTest::new(5, 200, 0, 1_000_000, RATE_EFFECT).p(1.0) < 0.02);
        let diluted = rate(5, 200, 0, 1_000_000, 4.0).p_effect;
        assert!(diluted > Some(0.15) && diluted < Some(0.3), "{diluted:?}");
    }

    /// Where the score test takes over, both agree.
    #[test]
    fn the_score_test_takes_over_where_both_agree() {
        for (x, n, y, n_baseline) in [
            (5_200, 500_000, 0, 10_000_000),
            (3_200, 100_000, 20_000, 1_000_000),
            (52_600, 100_000, 49_400, 100_000),
        ] {
            let score = ScoreTest::new(x, n, y, n_baseline, RATE_EFFECT);
            assert!(score.skewness() <= MAX_SKEWNESS && score.excess > 0.0, "{score:?}");
            let (far, melded) = (score.p(1.0), beta::melded(x, n, y, n_baseline, RATE_EFFECT));
            assert!((far / melded - 1.0).abs() < 0.15, "{x} of {n}: {far} {melded}");
        }
    }

    #[test]
    fn new_categories_are_expected_where_singletons_are_many() {
        let usual = new_category(50, 1000, 500, 10_000, 1.0);
        let strange = new_category(50, 1000, 0, 10_000, 1.0);
        assert!(usual.p_effect > Some(0.5) && strange.p_effect < Some(1e-4));
    }
}
