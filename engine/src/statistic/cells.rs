//! Which cells are compared: the REST rule of SEMANTICS S3.
//!
//! A cell that the baseline hardly knows says more about chance than about drift, and its terms have no chi-squared
//! scale. Such cells are pooled into one, REST, by the *baseline's* counts and the two sizes alone, never by the
//! window's counts: otherwise the choice of cells would itself depend on the drift. The rule serves the values of psi, kl,
//! js, hellinger, tvd, linf and chi2, for every kind of feature.
//!
//! Their p-values have cells of their own ([`pool_tested`]). A cell that is kept because the baseline *has* 30 rows of it has
//! more than its share by luck if its share is near 30: the cells kept hold too much of the baseline, REST too little, and
//! every window shows it. Given how many rows both sides together have in each cell, chance alone decides which of them
//! are the baseline's, so that cells chosen by the rows of both sides leave a test what it says (the permutation
//! argument of Fisher's and Pitman's; measured in docs/decisions/0011-calibration.md).

use super::share::Pair;

/// A cell with fewer baseline rows than this goes to REST.
pub const MIN_BASELINE: u64 = 30;
/// A cell in which the baseline lets fewer rows than this be expected in the window goes to REST.
pub const MIN_EXPECTED: u64 = 5;

/// A tested cell is one in which both sides together let as many rows of the baseline be expected. With a share just below
/// that a baseline of [`MIN_BASELINE`] rows has a probability of 0.0004: such a cell may stay whatever the window
/// holds, and a category that vanishes is still seen.
const MIN_TESTED: Least = Least { expected: 15, held: MIN_BASELINE };
/// The same for the value's own rule: with fewer than two such cells it is luck that there is a value, and none is tested.
const MIN_KEPT: Least = Least { expected: MIN_BASELINE, held: 50 };

/// The baseline's rows that a cell needs: so many expected by both sides together, or so many held.
#[derive(Clone, Copy)]
struct Least {
    expected: u64,
    held: u64,
}

impl Least {
    /// The least for cells of which only those with at least `edge` baseline rows are there, as in a dictionary that is full:
    /// so many that a cell would not be missing by chance (three standard deviations), or be there by chance (four).
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a square root of rows")]
    fn beyond(self, edge: u64) -> Self {
        let root = 0.5 * (3.0 + (9.0 + 4.0 * edge as f64).sqrt());
        let expected = (root * root).ceil();
        if expected as u64 <= self.expected {
            return self;
        }
        Self { expected: expected as u64, held: (expected + 4.0 * expected.sqrt()) as u64 }
    }
}

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
    let (n_baseline, n) = (total(baseline), total(window));
    let small = |count: u64, _| {
        count < MIN_BASELINE
            || u128::from(count) * u128::from(n) < u128::from(MIN_EXPECTED) * u128::from(n_baseline)
    };
    pool_by(baseline, window, always_rest, small, |count, _| count)
}

/// The cells on which [`pool`]'s values are tested, and, if there can be no test of any change, why.
///
/// A cell stays if the rows of both sides together let at least 5 be expected in the window and 15 in the baseline, or if the
/// baseline holds 30; where the dictionary is full, as many more as take it well clear of the last place there. `always_rest` and a REST that is too small are treated as by [`pool`], but the smallest cell is that
/// of both sides. Where that leaves fewer than two cells, those of [`pool`] are taken.
///
/// # Panics
///
/// If the two sides have different numbers of cells.
#[must_use]
pub fn pool_tested(
    baseline: &[u64],
    window: &[u64],
    always_rest: &[usize],
) -> (Pooled, Option<&'static str>) {
    // OTHER holds what the dictionary has no place for: then the cells are there for their baseline rows.
    let is_full = always_rest.iter().any(|cell| baseline[*cell] > 0);
    let listed = baseline.iter().enumerate().filter(|(cell, _)| !always_rest.contains(cell));
    let edge = listed.map(|(_, rows)| *rows).min().filter(|_| is_full).unwrap_or(0);
    let together = |least: Least| {
        let least = least.beyond(edge);
        let small = small_together(total(baseline), total(window), least);
        pool_by(baseline, window, always_rest, small, |b, w| b + w)
    };
    let tested = together(MIN_TESTED);
    let refusal = (together(MIN_KEPT).len() < 2)
        .then_some("both sides together hold too few rows outside of one cell for a p-value");
    (if tested.len() < 2 { pool(baseline, window, always_rest) } else { tested }, refusal)
}

/// Whether a cell with these rows in baseline and window is too small, of `n_baseline` and `n`.
fn small_together(n_baseline: u64, n: u64, least: Least) -> impl Fn(u64, u64) -> bool {
    let all = u128::from(n_baseline) + u128::from(n);
    move |b, w| {
        let rows = u128::from(b) + u128::from(w);
        rows * u128::from(n) < u128::from(MIN_EXPECTED) * all
            || (b < least.held && rows * u128::from(n_baseline) < u128::from(least.expected) * all)
    }
}

fn total(counts: &[u64]) -> u64 {
    counts.iter().sum()
}

/// Pools the cells that are `small` into REST, and a small REST into the cell kept that is first by `size`, then by order;
/// both are functions of a cell's rows in baseline and window.
fn pool_by(
    baseline: &[u64],
    window: &[u64],
    always_rest: &[usize],
    small: impl Fn(u64, u64) -> bool,
    size: impl Fn(u64, u64) -> u64,
) -> Pooled {
    assert_eq!(baseline.len(), window.len(), "both sides are counted on the same cells");
    let mut pooled = Pooled {
        baseline: Vec::with_capacity(baseline.len()),
        window: Vec::with_capacity(baseline.len()),
        cell_of: vec![None; baseline.len()],
        rest: None,
    };
    let (mut rest_baseline, mut rest_window) = (0, 0);
    for (cell, (&b, &w)) in baseline.iter().zip(window).enumerate() {
        if small(b, w) || always_rest.contains(&cell) {
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

    let smallest =
        (0..pooled.len()).min_by_key(|&cell| (size(pooled.baseline[cell], pooled.window[cell]), cell));
    let rest = match smallest {
        Some(cell) if small(rest_baseline, rest_window) => {
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
    fn tested_cells_are_those_of_both_sides_together() {
        // Of 2,000 rows on each side, 26 and 38 let 32 be expected in each, 33 and 1 let 17, and 20 and 8 let 14: those join
        // the smallest cell of both sides.
        let (tested, refusal) = pool_tested(&[1921, 26, 33, 20], &[1953, 38, 1, 8], &[]);
        assert_eq!((tested.baseline, tested.window), (vec![1921, 26, 53], vec![1953, 38, 9]));
        assert_eq!(refusal, None);
        // Which side holds a cell's rows does not choose it, below what the baseline hardly has by chance.
        let (swapped, _) = pool_tested(&[1953, 20, 1, 26], &[1921, 26, 33, 20], &[]);
        assert_eq!(swapped.cell_of, [Some(0), Some(1), Some(2), Some(3)]);
        let (swapped, _) = pool_tested(&[1921, 26, 33, 20], &[1953, 20, 1, 26], &[]);
        assert_eq!(swapped.cell_of, [Some(0), Some(1), Some(2), Some(3)]);
    }

    #[test]
    fn a_category_that_vanishes_keeps_its_cell() {
        let (tested, _) = pool_tested(&[965, 35], &[10_000, 0], &[]);
        assert_eq!(tested.baseline, [965, 35]);
        // Unless it may never have been there: 25 rows of which ten times as many windows rows know nothing.
        let (tested, refusal) = pool_tested(&[975, 25], &[10_000, 0], &[]);
        assert_eq!((tested.len(), refusal.is_some()), (1, true));
    }

    #[test]
    fn no_test_rests_on_a_cell_that_is_there_by_luck() {
        // A category of 23 expected rows has 31 in this baseline; windows say that it is 23.
        let (baseline, window) = ([31, 169], [1_150, 8_850]);
        assert_eq!(pool(&baseline, &window, &[]).len(), 2);
        let (tested, refusal) = pool_tested(&baseline, &window, &[]);
        assert_eq!((tested.len(), refusal.is_some()), (2, true));
        assert_eq!(pool_tested(&baseline, &[1_600, 8_400], &[]).1, None);
    }

    #[test]
    fn a_full_dictionary_chooses_no_tested_cells() {
        // The least of the dictionary holds 100 rows: 135 less three standard deviations.
        let baseline = [5_000, 140, 130, 120, 100, 3_000, 0];
        let (tested, _) = pool_tested(&baseline, &baseline, &[5, 6]);
        assert_eq!(tested.baseline, [5_000, 140, 3_350]);
        let (all, _) = pool_tested(&baseline, &baseline, &[6]);
        assert_eq!(all.len(), 6, "without OTHER all categories are there");
    }

    #[test]
    fn new_and_other_are_never_tested_alone() {
        let (tested, _) = pool_tested(&[900, 100, 0], &[500, 50, 450], &[2]);
        assert_eq!((tested.baseline, tested.window), (vec![900, 100, 0], vec![500, 50, 450]));
        assert_eq!(tested.rest, Some(2));
    }

    #[test]
    fn contributions_sum_to_one_and_name_the_cell_that_moved() {
        let shares = contributions(&pool(&[100, 100, 100], &[100, 100, 300], &[]));
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        assert!(shares[2] > shares[0] && shares[2] > shares[1]);
        assert_eq!(contributions(&pool(&[100, 100], &[50, 50], &[])), [0.0, 0.0]);
    }
}
