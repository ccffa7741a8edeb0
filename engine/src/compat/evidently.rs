//! Evidently: `evidently.legacy.calculations.stattests`, which its 0.7 reports use.
//!
//! Infinities and missing values are dropped first. PSI, KL and JS bin by Sturges' rule over both sides together,
//! so one outlier on either side widens every bin; 20 or fewer distinct reference values are categories instead.
//! Source: evidently 0.7.23, `psi.py`, `kl_div.py`, `jensenshannon.py`, `hellinger_distance.py`,
//! `wasserstein_distance_norm.py`, `chisquare_stattest.py`, `z_stattest.py`, `tvd_stattest.py`, `utils.py`,
//! `registry.py`.

use super::columns::{Columns, Sorted, categories, shares, wrong_kind};
use super::twister::Twister;
use super::{CompatScore, Rule, numpy, scipy};
use crate::statistic::p_value::normal;
use crate::{Error, ErrorKind, Result};

const DISTANCE: Option<Rule> = Some(Rule::AtLeast(0.1));
const P_VALUE: Option<Rule> = Some(Rule::Below(0.05));

/// The tests among which evidently chooses when none is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// Kolmogorov-Smirnov, by its p-value.
    Ks,
    /// Pearson's chi-squared test against the reference's shares, by its p-value.
    ChiSquare,
    /// The test of two proportions, by its p-value.
    Z,
    /// The Jensen-Shannon distance.
    JensenShannon,
    /// The normed Wasserstein distance.
    Wasserstein,
}

impl Test {
    /// The name by which it can be asked for.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ks => "ks",
            Self::ChiSquare => "chisquare",
            Self::Z => "z",
            Self::JensenShannon => "jensenshannon",
            Self::Wasserstein => "wasserstein",
        }
    }
}

/// The test that evidently chooses by itself: of a reference of up to 1,000 rows a significance test, of more a
/// distance; among those by the distinct values of both sides together (2, 5).
///
/// # Errors
/// Of kind [`ErrorKind::Plan`] where a side is empty.
pub fn default_metric(columns: Columns<'_>) -> Result<Test> {
    let (rows, values, numeric) = match columns {
        Columns::Numeric { reference, current, .. } => {
            let both = clean(reference, current)?;
            (both.reference.len() as u64, both.values().len(), true)
        }
        Columns::Categorical { reference, current } => {
            let rows = categories(reference, current)?;
            (rows.iter().map(|r| r.0).sum(), rows.len(), false)
        }
    };
    Ok(match (rows <= 1000, numeric && values > 5) {
        (true, true) => Test::Ks,
        (true, false) if values > 2 => Test::ChiSquare,
        (true, false) => Test::Z,
        (false, true) => Test::Wasserstein,
        (false, false) => Test::JensenShannon,
    })
}

/// Population stability index in nats; drift at 0.1.
///
/// # Errors
/// As [`super::score`].
pub fn psi(columns: Columns<'_>) -> Result<CompatScore> {
    let (mut p, mut q) = binned(columns)?;
    fill_zeros(&mut p);
    fill_zeros(&mut q);
    let terms: Vec<f64> = p.iter().zip(&q).map(|(p, q)| (p - q) * (p / q).ln()).collect();
    CompatScore::distance(numpy::sum(&terms), DISTANCE)
}

/// KL(reference || current) in nats, the other direction than driftlead's `kl`; drift at 0.1.
///
/// # Errors
/// As [`super::score`].
pub fn kl_div(columns: Columns<'_>) -> Result<CompatScore> {
    let (mut p, mut q) = binned(columns)?;
    fill_zeros(&mut p);
    fill_zeros(&mut q);
    CompatScore::distance(scipy::entropy(&p, &q), DISTANCE)
}

/// Jensen-Shannon distance to base e, at most sqrt(ln 2) = 0.8326; drift at 0.1.
///
/// # Errors
/// As [`super::score`].
pub fn jensenshannon(columns: Columns<'_>) -> Result<CompatScore> {
    let (p, q) = binned(columns)?;
    CompatScore::distance(scipy::jensen_shannon(&p, &q, None), DISTANCE)
}

/// Hellinger distance, in `[0, 1]`; drift at 0.1. Numeric bins follow Sturges' rule for the *distinct* values.
///
/// # Errors
/// As [`super::score`].
pub fn hellinger(columns: Columns<'_>) -> Result<CompatScore> {
    let overlap = match columns {
        Columns::Categorical { reference, current } => {
            let (p, q) = shares(&categories(reference, current)?);
            p.iter().zip(&q).fold(0.0, |sum, (p, q)| sum + (p * q).sqrt())
        }
        Columns::Numeric { reference, current, integer } => {
            let both = clean(reference, current)?;
            let (low, high) = both.extent();
            let edges = numpy::sturges_edges(low, high, both.values().len(), integer)?;
            let density = |side: &[f64]| -> Vec<f64> {
                let rows = numpy::histogram(side, &edges);
                let total = rows.iter().sum::<u64>() as f64;
                rows.iter().zip(edges.windows(2)).map(|(n, e)| *n as f64 / (e[1] - e[0]) / total).collect()
            };
            let width = (edges[edges.len() - 1] - edges[0]) / (edges.len() - 1) as f64;
            let sides = density(&both.reference).into_iter().zip(density(&both.current));
            sides.fold(0.0, |sum, (p, q)| sum + (p * q).sqrt() * width)
        }
    };
    CompatScore::distance((1.0 - overlap.clamp(0.0, 1.0)).sqrt(), DISTANCE)
}

/// Wasserstein distance in standard deviations (`ddof = 0`, at least 0.001) of the reference; drift at 0.1.
///
/// # Errors
/// As [`super::score`].
pub fn wasserstein(columns: Columns<'_>) -> Result<CompatScore> {
    let Columns::Numeric { reference, current, .. } = columns else {
        return wrong_kind("wasserstein", "numeric");
    };
    let both = clean(reference, current)?;
    let norm = numpy::std(&both.reference, 0).max(0.001);
    CompatScore::distance(scipy::wasserstein(&both.reference, &both.current) / norm, DISTANCE)
}

/// Two-sided p-value of the two-sample Kolmogorov-Smirnov test: exact up to 10,000 rows on the larger side. Drift at or
/// below 0.05.
///
/// # Errors
/// As [`super::score`].
pub fn ks(columns: Columns<'_>) -> Result<CompatScore> {
    let Columns::Numeric { reference, current, .. } = columns else {
        return wrong_kind("ks", "numeric");
    };
    let both = clean(reference, current)?;
    let test = scipy::ks_2samp(&both.reference, &both.current);
    CompatScore::test(test.statistic, test.p_value, Some(Rule::AtMost(0.05)))
}

/// p-value of Pearson's test against the reference's shares, taken as exact: a new category makes it 0. Drift below
/// 0.05.
///
/// Evidently takes it by name for categories only, and by itself for numbers of 3 to 5 distinct values.
///
/// # Errors
/// As [`super::score`]; a single category has no such test.
pub fn chisquare(columns: Columns<'_>) -> Result<CompatScore> {
    let rows = value_rows(columns)?;
    let n = rows.iter().map(|r| r.0).sum::<u64>() as f64;
    let m = rows.iter().map(|r| r.1).sum::<u64>() as f64;
    let (expected, observed): (Vec<f64>, Vec<f64>) =
        rows.iter().map(|(a, b)| (*a as f64 * (m / n), *b as f64)).unzip();
    let test = scipy::chisquare(&observed, &expected)?;
    CompatScore::test(test.statistic, test.p_value, P_VALUE)
}

/// Two-sided p-value of the test of two proportions, of "is not the least category"; drift below 0.05. Two constant
/// sides of one value have p 1.
///
/// # Errors
/// As [`super::score`].
pub fn z(columns: Columns<'_>) -> Result<CompatScore> {
    let rows = value_rows(columns)?;
    if rows.len() == 1 {
        return CompatScore::test(0.0, 1.0, P_VALUE);
    }
    let n = rows.iter().map(|r| r.0).sum::<u64>() as f64;
    let m = rows.iter().map(|r| r.1).sum::<u64>() as f64;
    let p = (n - rows[0].0 as f64) / n;
    let q = (m - rows[0].1 as f64) / m;
    let pooled = (p * n + q * m) / (n + m);
    let z = (p - q) / (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    // By way of the distribution function, as there: below 1e-16 nothing is left of p.
    let p_value = 2.0 * (1.0 - (1.0 - normal::upper(z.abs())));
    CompatScore::test(z, p_value, P_VALUE)
}

/// p-value of the total variation distance under 1,000 permutations of the rows, numpy's generator seeded with 0;
/// drift below 0.1. `statistic` is the distance itself.
///
/// `reference` and `current` are category codes in the order of rows, 0 to at most 31 without gaps. The permutations
/// depend on that order, so counts do not suffice. With string categories evidently adds the shares in the order of a
/// Python set, which differs from process to process, and a permutation that ties with the data may count or not.
///
/// # Errors
/// Of kind [`ErrorKind::Plan`] where a side is empty.
pub fn tvd(reference: &[u32], current: &[u32]) -> Result<CompatScore> {
    if reference.is_empty() || current.is_empty() {
        return Err(Error::new(ErrorKind::Plan, "`TVD` needs rows on both sides, and one has none"));
    }
    let all = [reference, current].concat();
    let codes = all.iter().max().map_or(0, |code| *code as usize + 1);
    let distance = |left: &[u64], right: &[u64]| {
        let (n, m) = (left.iter().sum::<u64>() as f64, right.iter().sum::<u64>() as f64);
        let terms: Vec<f64> =
            left.iter().zip(right).map(|(a, b)| (*a as f64 / n - *b as f64 / m).abs()).collect();
        0.5 * numpy::sum(&terms)
    };
    let count = |rows: &mut dyn Iterator<Item = usize>| {
        let mut counts = vec![0_u64; codes];
        for row in rows {
            counts[all[row] as usize] += 1;
        }
        counts
    };
    let n = reference.len();
    let observed = distance(&count(&mut (0..n)), &count(&mut (n..all.len())));
    let mut twister = Twister::new(0);
    let mut at_least = 0;
    for _ in 0..1000 {
        let order = twister.permutation(all.len());
        let left = count(&mut order[..n].iter().copied());
        let right = count(&mut order[n..].iter().copied());
        at_least += usize::from(observed <= distance(&left, &right));
    }
    CompatScore::test(observed, at_least as f64 / 1000.0, Some(Rule::Below(0.1)))
}

/// The finite values of both sides.
fn clean(reference: &[f64], current: &[f64]) -> Result<Sorted> {
    Sorted::of(reference, current, f64::is_finite)
}

/// Rows per category or distinct number.
fn value_rows(columns: Columns<'_>) -> Result<Vec<(u64, u64)>> {
    match columns {
        Columns::Categorical { reference, current } => categories(reference, current),
        Columns::Numeric { reference, current, .. } => {
            Ok(clean(reference, current)?.values().into_iter().map(|(_, a, b)| (a, b)).collect())
        }
    }
}

/// The shares of both sides in evidently's bins. (Its parameter of 30 bins is not used.)
fn binned(columns: Columns<'_>) -> Result<(Vec<f64>, Vec<f64>)> {
    let Columns::Numeric { reference, current, integer } = columns else {
        return Ok(shares(&value_rows(columns)?));
    };
    let both = clean(reference, current)?;
    let values = both.values();
    if values.iter().filter(|v| v.1 > 0).count() <= 20 {
        let rows: Vec<(u64, u64)> = values.into_iter().map(|(_, a, b)| (a, b)).collect();
        return Ok(shares(&rows));
    }
    let (low, high) = both.extent();
    let edges = numpy::sturges_edges(low, high, both.reference.len() + both.current.len(), integer)?;
    let rows: Vec<(u64, u64)> = numpy::histogram(&both.reference, &edges)
        .into_iter()
        .zip(numpy::histogram(&both.current, &edges))
        .collect();
    Ok(shares(&rows))
}

/// An empty cell gets 0.0001, or a millionth of the smallest share where that is 0.0001 or less. The shares then add
/// up to more than 1.
fn fill_zeros(shares: &mut [f64]) {
    let least = shares.iter().copied().filter(|s| *s > 0.0).fold(f64::INFINITY, f64::min);
    let fill = if least <= 0.0001 { least / 1e6 } else { 0.0001 };
    for share in shares.iter_mut().filter(|s| **s == 0.0) {
        *share = fill;
    }
}
