//! Which cells are compared: the REST rule of SEMANTICS S3.
//!
//! A cell that the baseline hardly knows says more about chance than about drift, and its terms have no chi-squared
//! scale. Such cells are pooled into one, REST, by the *baseline's* counts and the two sizes alone, never by the
//! window's counts: otherwise the choice of cells would itself depend on the drift. The rule serves psi, kl, js,
//! hellinger, tvd, linf and chi2, their p-values included, for every kind of feature.

use super::share::Pair;

/// A cell with fewer baseline rows than this goes to REST.
pub const MIN_BASELINE: u64 = 30;
/// A cell in which the baseline lets fewer rows than this be expected in the window goes to REST.
pub const MIN_EXPECTED: u64 = 5;

/// Two sets of counts on the cells that are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pooled {
    /// The baseline's rows in each pooled cell.
    pub baseline: Vec<u64>,
    /// The window's rows in each pooled cell.
    pub window: Vec<u64>,
    /// For each input cell the pooled cell that holds it; `None` if it belongs to a REST that is empty on both sides.
    pub cell_of: Vec<Option<usize>>,
    /// The pooled cell that holds REST, of its own (then the last one) or joined to another.
    pub rest: Option<usize>,
}

impl Pooled {
    /// B, the number of cells compared; below 2 there is nothing to compare.
    #[must_use]
    pub fn len(&self) -> usize {
        self.baseline.len()
    }

    /// Whether no cell is left, as when both sides are empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.baseline.is_empty()
    }
}

/// Pools the cells too small to compare into REST; the cells kept stay in their order.
///
/// `always_rest` names the cells that belong to REST whatever they hold (OTHER and NEW of a categorical feature). If
/// REST is itself too small, it joins the smallest cell kept (by baseline count, then order).
///
/// # Panics
///
/// If the two sides have different numbers of cells.
#[must_use]
pub fn pool(baseline: &[u64], window: &[u64], always_rest: &[usize]) -> Pooled {
    assert_eq!(baseline.len(), window.len(), "both sides are counted on the same cells");
    let n_baseline: u64 = baseline.iter().sum();
    let n: u64 = window.iter().sum();
    let small = |count: u64| {
        count < MIN_BASELINE
            || u128::from(count) * u128::from(n) < u128::from(MIN_EXPECTED) * u128::from(n_baseline)
    };

    let mut pooled = Pooled {
        baseline: Vec::with_capacity(baseline.len()),
        window: Vec::with_capacity(baseline.len()),
        cell_of: vec![None; baseline.len()],
        rest: None,
    };
    let (mut rest_baseline, mut rest_window) = (0, 0);
    for (cell, (&b, &w)) in baseline.iter().zip(window).enumerate() {
        if small(b) || always_rest.contains(&cell) {
            rest_baseline += b;
            rest_window += w;
        } else {
            pooled.cell_of[cell] = Some(pooled.baseline.len());
            pooled.baseline.push(b);
            pooled.window.push(w);
        }
    }
    if rest_baseline == 0 && rest_window == 0 {
        return pooled;
    }

    let smallest = (0..pooled.len()).min_by_key(|&cell| (pooled.baseline[cell], cell));
    let rest = match smallest {
        Some(cell) if small(rest_baseline) => {
            pooled.baseline[cell] += rest_baseline;
            pooled.window[cell] += rest_window;
            cell
        }
        _ => {
            pooled.baseline.push(rest_baseline);
            pooled.window.push(rest_window);
            pooled.len() - 1
        }
    };
    pooled.rest = Some(rest);
    for cell in pooled.cell_of.iter_mut().filter(|cell| cell.is_none()) {
        *cell = Some(rest);
    }
    pooled
}

/// Each pooled cell's part of psi, in `[0, 1]`, summing to 1: which cells moved, for naming causes.
///
/// All zero where psi is 0 or cannot be computed.
#[must_use]
pub fn contributions(pooled: &Pooled) -> Vec<f64> {
    let Ok(pair) = Pair::new(&pooled.baseline, &pooled.window) else {
        return vec![0.0; pooled.len()];
    };
    let terms: Vec<f64> = pair.smoothed().map(|cell| cell.difference() * cell.log_ratio()).collect();
    let psi: f64 = terms.iter().sum();
    if psi > 0.0 { terms.iter().map(|term| term / psi).collect() } else { vec![0.0; terms.len()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_large_enough_stay() {
        let pooled = pool(&[500, 300, 200], &[10, 30, 60], &[]);
        assert_eq!(pooled.baseline, [500, 300, 200]);
        assert_eq!(pooled.window, [10, 30, 60]);
        assert_eq!(pooled.cell_of, [Some(0), Some(1), Some(2)]);
        assert_eq!(pooled.rest, None);
    }

    #[test]
    fn small_cells_other_and_new_form_rest() {
        // 25 < 30 rows; 40 rows of 1065 let 3.8 of 100 be expected; the last is NEW.
        let pooled = pool(&[1000, 25, 40, 0], &[50, 10, 20, 20], &[3]);
        assert_eq!(pooled.baseline, [1000, 65]);
        assert_eq!(pooled.window, [50, 50]);
        assert_eq!(pooled.cell_of, [Some(0), Some(1), Some(1), Some(1)]);
        assert_eq!(pooled.rest, Some(1));
    }

    #[test]
    fn a_small_rest_joins_the_smallest_cell_kept() {
        let pooled = pool(&[600, 400, 400, 5], &[60, 20, 20, 7], &[]);
        assert_eq!(pooled.baseline, [600, 405, 400]);
        assert_eq!(pooled.window, [60, 27, 20]);
        assert_eq!(pooled.cell_of, [Some(0), Some(1), Some(2), Some(1)]);
        assert_eq!(pooled.rest, Some(1));
    }

    #[test]
    fn an_empty_rest_is_dropped_but_a_new_category_is_not() {
        let empty = pool(&[600, 400, 0], &[60, 40, 0], &[2]);
        assert_eq!((empty.len(), empty.rest, empty.cell_of[2]), (2, None, None));
        let new = pool(&[600, 400, 0], &[60, 40, 3], &[2]);
        assert_eq!((new.len(), new.rest), (2, Some(1)));
        assert_eq!(new.window, [60, 43]);
    }

    #[test]
    fn tiny_sides_leave_a_single_cell_or_none() {
        assert_eq!(pool(&[3, 4, 5], &[1, 1, 1], &[]).len(), 1);
        assert!(pool(&[0, 0], &[0, 0], &[]).is_empty());
        assert!(pool(&[], &[], &[]).is_empty());
    }

    #[test]
    fn the_window_never_chooses_the_cells() {
        let one = pool(&[900, 60, 31, 9], &[100, 0, 0, 0], &[]);
        let other = pool(&[900, 60, 31, 9], &[0, 0, 0, 100], &[]);
        assert_eq!(one.baseline, other.baseline);
        assert_eq!(one.cell_of, other.cell_of);
    }

    #[test]
    fn contributions_sum_to_one_and_name_the_cell_that_moved() {
        let shares = contributions(&pool(&[100, 100, 100], &[100, 100, 300], &[]));
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        assert!(shares[2] > shares[0] && shares[2] > shares[1]);
        assert_eq!(contributions(&pool(&[100, 100], &[50, 50], &[])), [0.0, 0.0]);
    }
}
