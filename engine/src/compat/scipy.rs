//! The two-sample measures of scipy on which evidently, nannyml and Azure ML rest.
//!
//! Source: scipy 1.17, `spatial/distance.py`, `stats/_stats_py.py`, `stats/contingency.py`.

use super::numpy;
use crate::statistic::p_value::{chi_squared, kolmogorov, two_sample};
use crate::{Error, ErrorKind, Result};

/// `scipy.special.rel_entr`: `x ln(x/y)`, 0 at `x = 0`, infinite where only `y` is 0.
pub(super) fn rel_entr(x: f64, y: f64) -> f64 {
    if x > 0.0 && y > 0.0 {
        let ratio = x / y;
        if 0.5 < ratio && ratio < 2.0 {
            // Near equality the logarithm's argument would lose its digits.
            return x * ((x - y) / y).ln_1p();
        }
        return if ratio.is_normal() { x * ratio.ln() } else { x * (x.ln() - y.ln()) };
    }
    if x == 0.0 && y >= 0.0 { 0.0 } else { f64::INFINITY }
}

/// `x / sum(x)`.
fn normalized(x: &[f64]) -> Vec<f64> {
    let total = numpy::sum(x);
    x.iter().map(|v| v / total).collect()
}

/// `scipy.spatial.distance.jensenshannon(p, q, base)`: the distance, in `[0, sqrt(log_base 2)]`; base e where `None`.
/// Normalises both sides first.
pub(super) fn jensen_shannon(p: &[f64], q: &[f64], base: Option<f64>) -> f64 {
    let (p, q) = (normalized(p), normalized(q));
    let from_middle = |side: &[f64]| {
        let terms: Vec<f64> =
            p.iter().zip(&q).zip(side).map(|((a, b), x)| rel_entr(*x, (a + b) / 2.0)).collect();
        numpy::sum(&terms)
    };
    let js = from_middle(&p) + from_middle(&q);
    let js = base.map_or(js, |base| js / base.ln());
    (js / 2.0).sqrt()
}

/// `scipy.stats.entropy(p, q)`: KL(p || q) in nats. Normalises both sides first.
pub(super) fn entropy(p: &[f64], q: &[f64]) -> f64 {
    let (p, q) = (normalized(p), normalized(q));
    let terms: Vec<f64> = p.iter().zip(&q).map(|(x, y)| rel_entr(*x, *y)).collect();
    numpy::sum(&terms)
}

/// Up to this many rows on the larger side, scipy counts paths; above it, it uses the one-sample distribution.
const EXACT_ROWS: usize = 10_000;

/// A test statistic with its p-value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Test {
    pub(super) statistic: f64,
    pub(super) p_value: f64,
}

/// The statistic of `scipy.stats.ks_2samp`, of two sorted samples.
pub(super) fn ks(left: &[f64], right: &[f64]) -> f64 {
    steps_apart(left, right) as f64 / (left.len() as f64 * right.len() as f64)
}

/// `scipy.stats.ks_2samp` of two sorted samples, two-sided, `method="auto"`.
pub(super) fn ks_2samp(left: &[f64], right: &[f64]) -> Test {
    let statistic = ks(left, right);
    let (n, m) = (left.len(), right.len());
    let p_value = if n.max(m) <= EXACT_ROWS {
        two_sample::upper(n as u64, m as u64, steps_apart(left, right).into())
    } else {
        let (long, short) = (n.max(m) as f64, n.min(m) as f64);
        kolmogorov::upper(statistic, (long * short / (long + short)).round_ties_even().max(1.0) as u64)
    };
    Test { statistic, p_value }
}

/// The largest difference of the two distribution functions, times both sizes: a whole number.
fn steps_apart(left: &[f64], right: &[f64]) -> u64 {
    let (n, m) = (left.len() as u64, right.len() as u64);
    let (mut i, mut j, mut largest) = (0, 0, 0);
    while i < left.len() && j < right.len() {
        let at = left[i].min(right[j]);
        while i < left.len() && left[i] <= at {
            i += 1;
        }
        while j < right.len() && right[j] <= at {
            j += 1;
        }
        largest = largest.max((i as u64 * m).abs_diff(j as u64 * n));
    }
    largest
}

/// `scipy.stats.wasserstein_distance`, of two sorted samples without infinities.
pub(super) fn wasserstein(left: &[f64], right: &[f64]) -> f64 {
    let mut all = [left, right].concat();
    all.sort_by(f64::total_cmp);
    let (n, m) = (left.len() as f64, right.len() as f64);
    let (mut i, mut j) = (0, 0);
    let mut terms = Vec::with_capacity(all.len());
    for pair in all.windows(2) {
        while i < left.len() && left[i] <= pair[0] {
            i += 1;
        }
        while j < right.len() && right[j] <= pair[0] {
            j += 1;
        }
        terms.push((i as f64 / n - j as f64 / m).abs() * (pair[1] - pair[0]));
    }
    numpy::sum(&terms)
}

/// `scipy.stats.chisquare(observed, expected)`: the expected counts are taken as exact, and one of 0 makes p 0.
///
/// # Errors
/// Of kind [`ErrorKind::Plan`] with fewer than two cells, where scipy answers NaN.
pub(super) fn chisquare(observed: &[f64], expected: &[f64]) -> Result<Test> {
    if observed.len() < 2 {
        return Err(Error::new(
            ErrorKind::Plan,
            format!("a chi-squared test needs `2` categories, and there is `{}`", observed.len()),
        ));
    }
    let terms: Vec<f64> = observed.iter().zip(expected).map(|(o, e)| (o - e) * (o - e) / e).collect();
    let statistic = numpy::sum(&terms);
    Ok(Test { statistic, p_value: chi_squared::upper(statistic, (observed.len() - 1) as f64) })
}

/// `scipy.stats.chi2_contingency` of a table of two rows: Yates' correction in the 2 x 2 table, and statistic 0 with
/// p 1 for a single column. Every column must hold a count.
pub(super) fn chi2_contingency(columns: &[(u64, u64)]) -> Test {
    if columns.len() < 2 {
        return Test { statistic: 0.0, p_value: 1.0 };
    }
    let row = |pick: fn(&(u64, u64)) -> u64| columns.iter().map(pick).sum::<u64>() as f64;
    let rows = (row(|c| c.0), row(|c| c.1));
    let total = rows.0 + rows.1;
    let cell = |count: u64, row: f64, column: f64| {
        let (count, expected) = (count as f64, row * column / total);
        let diff = expected - count;
        let diff = if columns.len() == 2 { diff - diff.abs().min(0.5).copysign(diff) } else { diff };
        diff * diff / expected
    };
    let terms: Vec<f64> = columns
        .iter()
        .flat_map(|(a, b)| {
            let column = (a + b) as f64;
            [cell(*a, rows.0, column), cell(*b, rows.1, column)]
        })
        .collect();
    let statistic = numpy::sum(&terms);
    Test { statistic, p_value: chi_squared::upper(statistic, (columns.len() - 1) as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_disjoint_sides_is_the_largest() {
        assert_eq!(jensen_shannon(&[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0], Some(2.0)), 1.0);
        assert_eq!(jensen_shannon(&[0.3, 0.7], &[0.3, 0.7], None), 0.0);
    }

    #[test]
    fn ks_and_wasserstein_see_ties() {
        assert_eq!(ks(&[1.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 2.0, 4.0]), 0.25);
        assert_eq!(wasserstein(&[0.0, 1.0, 3.0], &[5.0, 6.0, 8.0]), 5.0);
        assert_eq!(wasserstein(&[1.0], &[1.0]), 0.0);
    }

    #[test]
    fn an_unexpected_category_has_p_0() {
        assert_eq!(chisquare(&[5.0, 1.0], &[6.0, 0.0]).unwrap().p_value, 0.0);
        assert!(chisquare(&[5.0], &[5.0]).is_err());
    }
}
