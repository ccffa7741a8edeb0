//! Pearson's chi-squared statistic of homogeneity.
//!
//! The 2 x B table of baseline and window rows by cell, without continuity correction: both sides are samples, so both
//! have an error. (The one-sample form, which takes the baseline's shares for the truth, rejects too often and makes any
//! new category infinitely significant.) Cells are pooled by baseline expectation before, see `cells`.

use super::Score;
use super::share::Pair;

/// Chi-squared of the 2 x B table of two sets of counts on the same pooled cells; in `[0, n + N]`, no unit.
///
/// `sum (wN - bn)^2 / (nN (b+w))` over the cells that hold any row; `cells` counts those, so that the degrees of freedom
/// are `cells - 1`. No value (with a reason) for fewer than two such cells or an empty side.
///
/// # Panics
///
/// If the two sides have different numbers of cells.
#[must_use]
pub fn chi2(baseline: &[u64], window: &[u64]) -> Score {
    let pair = match Pair::new(baseline, window) {
        Ok(pair) => pair,
        Err(refusal) => return refusal.score(),
    };
    let (n, n_baseline) = (pair.n as f64, pair.n_baseline as f64);
    let mut cells = 0;
    let mut value = 0.0;
    for (cell, (&b, &w)) in pair.shares().zip(pair.baseline.iter().zip(pair.window)) {
        let rows = b + w;
        if rows > 0 {
            let difference = cell.distance() as f64;
            // difference / rows first: the square of a difference of large counts would leave f64's integers.
            value += difference / rows as f64 * (difference / n / n_baseline);
            cells += 1;
        }
    }
    if cells < 2 {
        let reason = Some("fewer than two cells hold enough rows");
        return Score { value: None, reason, cells: Some(cells), ..pair.score(0.0) };
    }
    Score { cells: Some(cells), ..pair.score(value) }
}
