//! Wasserstein-1 distance from counts: an estimate inside a certified interval (SEMANTICS S8).
//!
//! `W1 = integral of |F - G|` over the line, in the feature's unit. At every edge F and G are known. Inside a cell
//! `(l, r]` of width h the baseline's mean is known too, hence the area under G; of the window's rows only their number
//! is known. From that follow, cell by cell,
//!
//! - an estimate: put the window's rows at the baseline's mean there (the middle, if the baseline has none) and take the
//!   signed area `|S|`; where F - G changes its sign, at least what two straight lines would enclose;
//! - a lower bound: the area between G's mean and the nearest value that F may take (Jensen);
//! - an upper bound: for each value g of G the farthest value that F may take, a convex function of g, is at most its
//!   chord (Edmundson and Madansky), whose mean the area under G gives.
//!
//! In the two unbounded cells the sums of both sides' rows stand in for the missing edge. A difference of means is a
//! lower bound of W1 as well, and W1 itself where no cell up to the last of one side's holds rows of the other. The interval may be wide where many window rows share a cell; it is never wrong: it is
//! widened by more than the rounding of the sums and of this computation.

use super::{Direction, Score};

/// Two sets of counts on the real line, with what is known about the rows inside the cells.
///
/// With K edges there are K+1 cells; cell `j` is `(edges[j-1], edges[j]]`, the first and the last are unbounded. Infinite
/// values must be left out of the counts and their cells off the line.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Increasing finite edges, in the feature's unit; at least one.
    pub edges: &'a [f64],
    /// Whether a cell holds a single representable value, its right edge.
    pub is_atom: &'a [bool],
    /// The baseline's rows in each cell.
    pub baseline: &'a [u64],
    /// The window's rows in each cell.
    pub window: &'a [u64],
    /// The mean of the baseline's rows in each cell; not read where there are none.
    pub baseline_means: &'a [f64],
    /// The sums of the window's rows in the first and the last cell; `None` where a row was too large to be summed.
    pub window_tails: [Option<f64>; 2],
    /// The means of all rows of the baseline and of the window, if every row entered both sums.
    pub means: Option<[f64; 2]>,
}

/// Wasserstein-1 distance between the two sides of `line`: `value`, `low` and `high` in the feature's unit.
///
/// `value` and `high` are `None` where a tail that holds window rows has no sum; `low` always holds. `direction` is that
/// of the estimated means. No value (with a reason) if a side is empty.
///
/// # Panics
///
/// If the slices' lengths do not agree or there is no edge.
#[must_use]
pub fn wasserstein(line: &Line<'_>) -> Score {
    let cells = line.edges.len() + 1;
    assert!(!line.edges.is_empty(), "a line has at least one edge");
    assert!(
        [line.is_atom.len(), line.baseline.len(), line.window.len(), line.baseline_means.len()] == [cells; 4],
        "every cell has two counts, a mean and a kind"
    );
    let n_baseline: u64 = line.baseline.iter().sum();
    let n: u64 = line.window.iter().sum();
    let known = Score { n, n_baseline, ..Score::default() };
    if n_baseline == 0 {
        return Score { reason: Some("the baseline has no rows"), deff: 1.0, ..known };
    }
    if n == 0 {
        return Score { reason: Some("the window has no rows"), deff: 1.0, ..known };
    }

    let mut total = Area { signed: 0.0, value: Some(0.0), low: 0.0, high: Some(0.0) };
    let mut heights = Heights::new(n, n_baseline);
    for cell in 0..cells {
        let (left, right) = (heights, heights.after(line.baseline[cell], line.window[cell]));
        total.add(if cell == 0 {
            tail(line, cell, line.edges[0], left, right)
        } else if cell == cells - 1 {
            tail(line, cell, line.edges[cell - 1], left, right)
        } else if line.is_atom[cell] {
            // All rows lie at the right edge, so F - G keeps its left value across the cell.
            let signed = (line.edges[cell] - line.edges[cell - 1]) * left.difference();
            Area { signed, value: Some(signed.abs()), low: signed.abs(), high: Some(signed.abs()) }
        } else {
            bounded(line, cell, left, right)
        });
        heights = right;
    }

    let reach = line.edges.iter().fold(0.0_f64, |most, edge| most.max(edge.abs()));
    if let Some([baseline, window]) = line.means {
        let between = (window - baseline).abs();
        total.low = total.low.max(between);
        if are_apart(line) {
            total = Area { value: Some(between), low: between, high: Some(between), ..total };
        }
    }
    // Sums are scaled integers: half a unit of 2^(ceil(log2 max) - 52) a row, which 2^-50 of the largest edge exceeds
    // on both sides together; the rest is for this function's own rounding.
    let slack = reach * 2.0_f64.powi(-50);
    let low = (total.low * (1.0 - 1e-12) - slack).max(0.0);
    let high = total.high.map(|high| high * (1.0 + 1e-12) + slack).filter(|high| high.is_finite());
    let value = total.value.filter(|value| value.is_finite());
    let value = value.map(|value| high.map_or(value, |high| value.min(high)).max(low));
    Score {
        value,
        low: Some(low),
        high,
        deff: 1.0,
        direction: direction(total.signed).filter(|_| value.is_some()),
        reason: value.is_none().then_some("window rows lie too far outside the baseline to be summed"),
        ..known
    }
}

/// `wasserstein` divided by the baseline's standard deviation, so that features of different units compare.
///
/// No value (with a reason) if the baseline is constant.
#[must_use]
pub fn wasserstein_normalized(wasserstein: &Score, baseline_sd: f64) -> Score {
    let divided =
        |value: Option<f64>| value.map(|value| value / baseline_sd).filter(|value| value.is_finite());
    if baseline_sd > 0.0 && baseline_sd.is_finite() {
        Score {
            value: divided(wasserstein.value),
            low: divided(wasserstein.low),
            high: divided(wasserstein.high),
            ..wasserstein.clone()
        }
    } else {
        Score {
            value: None,
            low: None,
            high: None,
            direction: None,
            reason: wasserstein.reason.or(Some("the baseline has no spread to divide by")),
            ..wasserstein.clone()
        }
    }
}

/// What a part of the line adds: the integral of F - G and of |F - G|.
struct Area {
    signed: f64,
    value: Option<f64>,
    low: f64,
    high: Option<f64>,
}

impl Area {
    fn add(&mut self, part: Self) {
        *self = Self {
            signed: self.signed + part.signed,
            value: self.value.zip(part.value).map(|(sum, value)| sum + value),
            low: self.low + part.low,
            high: self.high.zip(part.high).map(|(sum, high)| sum + high),
        };
    }
}

/// F and G at one edge, as counts, so that their difference is rounded once.
#[derive(Clone, Copy)]
struct Heights {
    window: u64,
    baseline: u64,
    n: u64,
    n_baseline: u64,
}

impl Heights {
    fn new(n: u64, n_baseline: u64) -> Self {
        Self { window: 0, baseline: 0, n, n_baseline }
    }

    fn after(self, baseline: u64, window: u64) -> Self {
        Self { window: self.window + window, baseline: self.baseline + baseline, ..self }
    }

    /// F - G.
    fn difference(self) -> f64 {
        self.against(self)
    }

    /// F here less G at `other`.
    fn against(self, other: Self) -> f64 {
        let f = u128::from(self.window) * u128::from(self.n_baseline);
        let g = u128::from(other.baseline) * u128::from(self.n);
        let whole = (u128::from(self.n) * u128::from(self.n_baseline)) as f64;
        if f >= g { (f - g) as f64 / whole } else { -((g - f) as f64 / whole) }
    }
}

/// Whether all rows of one side lie to the left of all of the other's. Then F - G keeps its sign, and the distance is
/// that of the means, wherever in their cells the rows are.
fn are_apart(line: &Line<'_>) -> bool {
    let first = |counts: &[u64]| counts.iter().position(|count| *count > 0);
    let last = |counts: &[u64]| counts.iter().rposition(|count| *count > 0);
    last(line.baseline) < first(line.window) || last(line.window) < first(line.baseline)
}

/// An unbounded cell: the area on either side is the mean distance of its rows from the cell's one edge.
fn tail(line: &Line<'_>, cell: usize, edge: f64, left: Heights, right: Heights) -> Area {
    let first = cell == 0;
    let distance = |sum_of_distances: f64| if first { sum_of_distances } else { -sum_of_distances };
    let (b, w) = (line.baseline[cell], line.window[cell]);
    let n = left.n as f64;
    let baseline = if b == 0 {
        0.0
    } else {
        distance((edge - line.baseline_means[cell]) * (b as f64 / left.n_baseline as f64))
    };
    let sum = if w == 0 { Some(0.0) } else { line.window_tails[usize::from(!first)] };
    let Some(sum) = sum else {
        let signed = if first { right.difference() } else { left.difference() };
        return Area { signed, value: None, low: 0.0, high: None };
    };
    let window = if w == 0 { 0.0 } else { distance(edge * (w as f64 / n) - sum / n) };
    let between = (window - baseline).abs();
    // F's surplus on the left is its rows there; on the right it is what is missing above.
    let signed = if first { window - baseline } else { baseline - window };
    let high = if b == 0 || w == 0 { between } else { window.max(0.0) + baseline.max(0.0) };
    Area { signed, value: Some(between), low: between, high: Some(high.max(between)) }
}

/// A cell between two edges that may hold rows anywhere inside.
fn bounded(line: &Line<'_>, cell: usize, left: Heights, right: Heights) -> Area {
    let (from, to) = (line.edges[cell - 1], line.edges[cell]);
    let h = to - from;
    let (b, w) = (line.baseline[cell], line.window[cell]);
    // The place of the mean inside the cell, as the share of the cell to its right.
    let beyond = if b == 0 { 0.5 } else { ((to - line.baseline_means[cell]) / h).clamp(0.0, 1.0) };
    let (d_left, d_right) = (left.difference(), right.difference());
    let (rows_window, rows_baseline) = (w as f64 / left.n as f64, b as f64 / left.n_baseline as f64);

    let signed = h * (d_left + (rows_window - rows_baseline) * beyond);
    let crossing = if d_left * d_right < 0.0 {
        h * (d_left * d_left + d_right * d_right) / (2.0 * (d_left.abs() + d_right.abs()))
    } else {
        0.0
    };

    // F - (mean of G) when no window row of the cell has come yet, and when all have.
    let least = d_left - rows_baseline * beyond;
    let most = least + rows_window;
    let low = h * least.max(-most).max(0.0);
    // G spends the share `beyond` of the cell at its upper value, or the equivalent; F is anywhere in its range.
    let farthest = |f_low: f64, f_high: f64| f_low.abs().max(f_high.abs());
    let at_lower = farthest(d_left, right.against(left));
    let at_upper = farthest(left.against(right), d_right);
    let high = h * ((1.0 - beyond) * at_lower + beyond * at_upper);
    Area { signed, value: Some(signed.abs().max(crossing)), low, high: Some(high) }
}

/// A positive integral of F - G means that the window's mean is smaller.
fn direction(signed: f64) -> Option<Direction> {
    match signed {
        s if s > 0.0 => Some(Direction::Down),
        s if s < 0.0 => Some(Direction::Up),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_that_are_apart_are_as_far_as_their_means() {
        // 5 and 19 on average: the middle of the window's cell, 15, would be a guess.
        for mirrored in [false, true] {
            let (mut near, mut far) = ([0, 4, 0, 0], [0, 0, 3, 0]);
            let (mut means, mut baseline_means) = ([5.0, 19.0], [0.0, 5.0, 0.0, 0.0]);
            if mirrored {
                (near, far) = (far, near);
                (means, baseline_means) = ([19.0, 5.0], [0.0, 0.0, 19.0, 0.0]);
            }
            let score = wasserstein(&Line {
                edges: &[0.0, 10.0, 20.0],
                is_atom: &[false; 4],
                baseline: &near,
                window: &far,
                baseline_means: &baseline_means,
                window_tails: [Some(0.0); 2],
                means: Some(means),
            });
            for bound in [score.value, score.low, score.high] {
                assert!(bound.is_some_and(|bound| (bound - 14.0).abs() < 1e-10), "{score:?}");
            }
        }
    }
}
