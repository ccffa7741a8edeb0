//! Azure Machine Learning model monitoring: the metrics of its data drift signal.
//!
//! Rows with a missing value in *any* selected column are dropped first; do so before calling. Numeric bins follow
//! Sturges' rule for the smaller side, with equal widths over both sides' range. The service stores float32; the values
//! here are not rounded. Source: Azure/azureml-assets, `assets/model_monitoring/components/src`:
//! `data_drift_compute_metrics` and `shared_utilities/histogram_utils.py`; the binning is that of PySpark's
//! `RDD.histogram`.

use super::columns::{Columns, Sorted, categories, shares, wrong_kind};
use super::{CompatScore, Rule, numpy, scipy};
use crate::{Error, ErrorKind, Result};

/// From this many rows on either side on, the service refuses the Kolmogorov-Smirnov test.
const KS_ROWS: usize = 10_000;

/// The default of the Python SDK; the component itself has 0.5, the documents 0.01.
const DISTANCE: Option<Rule> = Some(Rule::Above(0.1));

/// Jensen-Shannon distance to base 2, in `[0, 1]`; drift above 0.1 by the SDK's default.
///
/// # Errors
/// As [`super::score`].
pub fn js(columns: Columns<'_>) -> Result<CompatScore> {
    let (p, q) = match columns {
        Columns::Categorical { reference, current } => shares(&categories(reference, current)?),
        Columns::Numeric { reference, current, .. } => {
            let both = clean(reference, current)?;
            let rates = |rows: Vec<u64>, n: usize| rows.into_iter().map(|r| r as f64 / n as f64).collect();
            let (base, prod) = counted(&both)?;
            let (p, q): (Vec<f64>, Vec<f64>) =
                (rates(base, both.reference.len()), rates(prod, both.current.len()));
            (p, q)
        }
    };
    CompatScore::distance(scipy::jensen_shannon(&p, &q, Some(2.0)), DISTANCE)
}

/// Population stability index in nats, Laplace's 1 added in every cell. The service has no default bound for it.
///
/// # Errors
/// As [`super::score`].
pub fn psi(columns: Columns<'_>) -> Result<CompatScore> {
    let (base, prod, n, m): (Vec<u64>, Vec<u64>, u64, u64) = match columns {
        Columns::Categorical { reference, current } => {
            let (base, prod): (Vec<u64>, Vec<u64>) = categories(reference, current)?.into_iter().unzip();
            let rows = (base.iter().sum(), prod.iter().sum());
            (base, prod, rows.0, rows.1)
        }
        Columns::Numeric { reference, current, .. } => {
            let both = clean(reference, current)?;
            let (base, prod) = counted(&both)?;
            (base, prod, both.reference.len() as u64, both.current.len() as u64)
        }
    };
    let cells = base.len() as u64;
    let value = base.iter().zip(&prod).fold(0.0, |sum, (b, c)| {
        let p = (b + 1) as f64 / (n + cells) as f64;
        let q = (c + 1) as f64 / (m + cells) as f64;
        sum + (q - p) * (q / p).ln()
    });
    CompatScore::distance(value, None)
}

/// Wasserstein distance in standard deviations (`ddof = 1`, at least 0.001) of the baseline; drift above 0.1 by the
/// SDK's default.
///
/// # Errors
/// As [`super::score`]; an infinity has no distance.
pub fn wasserstein_normalized(columns: Columns<'_>) -> Result<CompatScore> {
    let Columns::Numeric { reference, current, .. } = columns else {
        return wrong_kind("normalized_wasserstein_distance", "numeric");
    };
    let both = clean(reference, current)?;
    // Of a single row Spark's stddev is null, and the floor stands in; so does `max` with NaN here.
    let norm = numpy::std(&both.reference, 1).max(0.001);
    CompatScore::distance(scipy::wasserstein(&both.reference, &both.current) / norm, DISTANCE)
}

/// Two-sided p-value of the two-sample Kolmogorov-Smirnov test. Drift is a p-value *below* the bound, for which the
/// service has no default.
///
/// # Errors
/// As [`super::score`]; from 10,000 rows on either side on the service refuses.
pub fn ks(columns: Columns<'_>) -> Result<CompatScore> {
    let Columns::Numeric { reference, current, .. } = columns else {
        return wrong_kind("two_sample_kolmogorov_smirnov_test", "numeric");
    };
    let both = clean(reference, current)?;
    let rows = both.reference.len().max(both.current.len());
    if rows >= KS_ROWS {
        return Err(Error::new(
            ErrorKind::Plan,
            format!(
                "azureml's Kolmogorov-Smirnov test takes fewer than `{KS_ROWS}` rows a side, and there are `{rows}`"
            ),
        ));
    }
    let test = scipy::ks_2samp(&both.reference, &both.current);
    CompatScore::test(test.statistic, test.p_value, None)
}

/// p-value of Pearson's test against the baseline's shares, taken as exact: a new category makes it 0. Drift is a
/// p-value *below* the bound, for which the service has no default.
///
/// # Errors
/// As [`super::score`]; a single category has no such test.
pub fn chi2(columns: Columns<'_>) -> Result<CompatScore> {
    let Columns::Categorical { reference, current } = columns else {
        return wrong_kind("pearsons_chi_squared_test", "categorical");
    };
    let rows = categories(reference, current)?;
    let n = rows.iter().map(|r| r.0).sum::<u64>() as f64;
    let m = rows.iter().map(|r| r.1).sum::<u64>() as f64;
    let (expected, observed): (Vec<f64>, Vec<f64>) =
        rows.iter().map(|(a, b)| (*a as f64 / n * m, *b as f64)).unzip();
    let test = scipy::chisquare(&observed, &expected)?;
    CompatScore::test(test.statistic, test.p_value, None)
}

/// A bar of a histogram over both sides, `[low, high)`; the last is closed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Where it begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
    /// Rows of the reference.
    pub reference: u64,
    /// Rows of the current side.
    pub current: u64,
}

/// The histogram that the service draws of a numeric feature. NaN is left out; `rows` are those of the smaller side with
/// what is missing, from which Sturges' rule takes the number of bars.
///
/// # Errors
/// As [`super::score`]: an empty side, or a range that has no finite edges.
pub fn bars(reference: &[f64], current: &[f64], rows: usize) -> Result<Vec<Bar>> {
    let both = clean(reference, current)?;
    let edges = edges(&both, rows);
    let (base, prod) = (histogram(&both.reference, &edges)?, histogram(&both.current, &edges)?);
    let counts = base.into_iter().zip(prod);
    let bar = |(pair, (reference, current)): (&[f64], (u64, u64))| Bar {
        low: pair[0],
        high: pair[1],
        reference,
        current,
    };
    Ok(edges.windows(2).zip(counts).map(bar).collect())
}

/// The values of both sides that are not missing.
fn clean(reference: &[f64], current: &[f64]) -> Result<Sorted> {
    Sorted::of(reference, current, |x| !x.is_nan())
}

/// Rows per cell of both sides.
fn counted(both: &Sorted) -> Result<(Vec<u64>, Vec<u64>)> {
    let edges = edges(both, both.reference.len().min(both.current.len()));
    Ok((histogram(&both.reference, &edges)?, histogram(&both.current, &edges)?))
}

/// Sturges' rule for the `rows` of the smaller side. The last edge is computed, not the maximum: rounding may leave the maximum
/// beyond it, and then it is counted nowhere.
fn edges(both: &Sorted, rows: usize) -> Vec<f64> {
    let (low, high) = both.extent();
    if low == high {
        let delta = if low == 0.0 { 0.005 } else { (low * 0.005).abs() };
        return vec![low - delta, low + delta];
    }
    let bins = ((rows as f64).log2() + 1.0).ceil();
    let width = (high - low) / bins;
    (0..=bins as usize).map(|k| if k == 0 { low } else { low + k as f64 * width }).collect()
}

/// PySpark's `RDD.histogram`: where the cells' widths differ by less than 1e-10 (which is absolute, so of tiny features
/// all do) the cell is found by division, else by search; the last cell is closed.
fn histogram(sorted: &[f64], edges: &[f64]) -> Result<Vec<u64>> {
    if edges.iter().any(|e| e.is_nan()) || edges.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(Error::new(
            ErrorKind::Plan,
            "the values' range has no distinct finite bin edges, and Spark refuses such a histogram",
        ));
    }
    let cells = edges.len() - 1;
    let (first, last) = (edges[0], edges[cells]);
    let steps = edges.windows(2).map(|pair| pair[1] - pair[0]);
    let widest = steps.clone().fold(f64::NEG_INFINITY, f64::max);
    let even = widest - steps.fold(f64::INFINITY, f64::min) < 1e-10;
    let width = (last - first) / cells as f64;
    let mut counts = vec![0; cells];
    for x in sorted.iter().copied().filter(|x| *x >= first && *x <= last) {
        let cell = if even { ((x - first) / width) as usize } else { edges.partition_point(|e| *e <= x) - 1 };
        counts[cell.min(cells - 1)] += 1;
    }
    Ok(counts)
}
