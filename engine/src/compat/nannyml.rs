//! NannyML: its univariate drift methods, one chunk against the whole reference.
//!
//! Missing values are dropped. Bins are laid by Doane's rule on the reference alone, so the chunk's rows beyond the
//! reference's range go to one left-over cell. From 10,000 reference rows on, KS and Wasserstein use 10,000 bins of
//! equal width (`calculation_method: auto`): one outlier in the reference then hides almost everything.
//! Source: nannyml 0.13.1, `drift/univariate/methods.py`. Its default thresholds come from the reference's own chunks
//! (mean and 3 standard deviations) and so are no constants; only `chi2` has one.

use super::columns::{Columns, Sorted, categories, shares, wrong_kind};
use super::{CompatScore, Rule, numpy, scipy};
use crate::Result;

/// From this many reference rows on, KS and Wasserstein are binned.
const BINNED_FROM: usize = 10_000;
const BINS: usize = 10_000;

/// Jensen-Shannon distance to base 2, in `[0, 1]`.
///
/// # Errors
/// As [`super::score`].
pub fn jensen_shannon(columns: Columns<'_>) -> Result<CompatScore> {
    let (p, q) = binned(columns)?;
    CompatScore::distance(scipy::jensen_shannon(&p, &q, Some(2.0)), None)
}

/// Hellinger distance, in `[0, 1]`.
///
/// # Errors
/// As [`super::score`].
pub fn hellinger(columns: Columns<'_>) -> Result<CompatScore> {
    let (p, q) = binned(columns)?;
    let terms: Vec<f64> = p
        .iter()
        .zip(&q)
        .map(|(p, q)| {
            let diff = p.sqrt() - q.sqrt();
            diff * diff
        })
        .collect();
    CompatScore::distance(numpy::sum(&terms).sqrt() / 2.0_f64.sqrt(), None)
}

/// The largest difference of a category's share, in `[0, 1]`.
///
/// # Errors
/// As [`super::score`].
pub fn l_infinity(columns: Columns<'_>) -> Result<CompatScore> {
    let Columns::Categorical { reference, current } = columns else {
        return wrong_kind("l_infinity", "categorical");
    };
    let (p, q) = shares(&categories(reference, current)?);
    CompatScore::distance(p.iter().zip(&q).fold(0.0, |most, (p, q)| (p - q).abs().max(most)), None)
}

/// The statistic of the 2 x B contingency table, with Yates' correction where B is 2; drift is a p below 0.05.
///
/// # Errors
/// As [`super::score`].
pub fn chi2(columns: Columns<'_>) -> Result<CompatScore> {
    let Columns::Categorical { reference, current } = columns else {
        return wrong_kind("chi2", "categorical");
    };
    let test = scipy::chi2_contingency(&categories(reference, current)?);
    let score = CompatScore::distance(test.statistic, Some(Rule::Below(0.05)))?;
    Ok(CompatScore { statistic: Some(test.statistic), p_value: Some(test.p_value), ..score })
}

/// The Kolmogorov-Smirnov statistic D, in `[0, 1]`: of the samples below 10,000 reference rows, else of 10,000 bins.
///
/// # Errors
/// As [`super::score`].
pub fn kolmogorov_smirnov(columns: Columns<'_>) -> Result<CompatScore> {
    let Columns::Numeric { reference, current, .. } = columns else {
        return wrong_kind("kolmogorov_smirnov", "numeric");
    };
    let both = clean(reference, current)?;
    if both.reference.len() < BINNED_FROM {
        return CompatScore::distance(scipy::ks(&both.reference, &both.current), None);
    }
    let (low, high) = numpy::extent(&both.reference);
    numpy::finite_range(low, high)?;
    let edges = numpy::linspace(low, high, BINS + 1);
    let n = both.current.len() as f64;
    let below = both.current.partition_point(|x| *x < edges[0]) as f64 / n;
    let reference = numpy::cumsum(&rates(&both.reference, &edges));
    let current = numpy::cumsum(&rates(&both.current, &edges));
    let largest =
        reference.iter().zip(&current).fold(0.0, |most: f64, (r, c)| most.max((r - (below + c)).abs()));
    CompatScore::distance(largest, None)
}

/// Wasserstein distance in the feature's unit: of the samples below 10,000 reference rows, else of 10,000 bins with
/// terms of their own for the chunk's rows beyond the reference's range.
///
/// # Errors
/// As [`super::score`]; an infinity has no distance.
pub fn wasserstein(columns: Columns<'_>) -> Result<CompatScore> {
    let Columns::Numeric { reference, current, .. } = columns else {
        return wrong_kind("wasserstein", "numeric");
    };
    let both = clean(reference, current)?;
    if both.reference.len() < BINNED_FROM {
        return CompatScore::distance(scipy::wasserstein(&both.reference, &both.current), None);
    }
    let (low, high) = numpy::extent(&both.reference);
    let edges = numpy::equal_edges(low, high, BINS)?;
    let (first, last) = (edges[0], edges[BINS]);
    let n = both.current.len() as f64;

    let smaller = &both.current[..both.current.partition_point(|x| *x < first)];
    let bigger = &both.current[both.current.partition_point(|x| *x <= last)..];
    // The border itself joins the rows beyond it, which is why their share counts one row too many.
    let share = |rows: &[f64]| if rows.is_empty() { 0.0 } else { (rows.len() + 1) as f64 / n };
    let left = area(&[smaller, &[first]].concat(), |cdf| cdf) * share(smaller);
    let right = area(&[&[last], bigger].concat(), |cdf| 1.0 - cdf) * share(bigger);

    let width = edges[1] - edges[0];
    let reference = numpy::cumsum(&rates(&both.reference, &edges));
    let current = numpy::cumsum(&rates(&both.current, &edges));
    let terms: Vec<f64> =
        reference.iter().zip(&current).map(|(r, c)| (r - (c + share(smaller))).abs() * width).collect();
    CompatScore::distance(numpy::sum(&terms) + left + right, None)
}

/// The sum of `height(cdf)` times the step to the next distinct value, over sorted values.
fn area(sorted: &[f64], height: fn(f64) -> f64) -> f64 {
    let n = sorted.len() as f64;
    let terms: Vec<f64> = sorted
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[0] < pair[1])
        .map(|(k, pair)| height((k + 1) as f64 / n) * (pair[1] - pair[0]))
        .collect();
    numpy::sum(&terms)
}

/// Shares of a sorted side in the cells between `edges`; rows beyond them count in the total alone.
fn rates(sorted: &[f64], edges: &[f64]) -> Vec<f64> {
    let n = sorted.len() as f64;
    numpy::histogram(sorted, edges).into_iter().map(|rows| rows as f64 / n).collect()
}

/// The values of both sides that are not missing. Infinities stay.
fn clean(reference: &[f64], current: &[f64]) -> Result<Sorted> {
    Sorted::of(reference, current, |x| !x.is_nan())
}

/// The shares of both sides in nannyml's cells, with the left-over cell where rounding or rows leave one.
fn binned(columns: Columns<'_>) -> Result<(Vec<f64>, Vec<f64>)> {
    let (mut p, mut q) = match columns {
        Columns::Numeric { reference, current, .. } => {
            let both = clean(reference, current)?;
            // Doane's skewness is a sum in the order of rows.
            let rows: Vec<f64> = reference.iter().copied().filter(|x| !x.is_nan()).collect();
            let edges = numpy::doane_edges(&rows)?;
            (rates(&both.reference, &edges), rates(&both.current, &edges))
        }
        Columns::Categorical { reference, current } => {
            let rows = categories(reference, current)?;
            let (p, q) = shares(&rows);
            p.into_iter().zip(q).filter(|(p, _)| *p > 0.0).unzip()
        }
    };
    let rest = 1.0 - numpy::sum(&q);
    if rest > 0.0 {
        p.push(0.0);
        q.push(rest);
    }
    Ok((p, q))
}
