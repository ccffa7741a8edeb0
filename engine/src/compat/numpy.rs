//! The arithmetic of numpy, to the bit where a bin border or a left-over share depends on it.
//!
//! Source: numpy 2.4, `lib/_histograms_impl.py`, `_core/function_base.py`, and the pairwise sum of its reductions. A
//! value that falls on an edge falls where numpy's does, because the edge is the same float.

use crate::{Error, ErrorKind, Result};

/// Below this many terms numpy adds in order; above it, in eight lanes; above [`LANES_MAX`], by halves.
const LANES: usize = 8;
const LANES_MAX: usize = 128;

/// `np.sum` of a contiguous float64 array: pairwise, so that rounding errors are numpy's own.
pub(super) fn sum(terms: &[f64]) -> f64 {
    let n = terms.len();
    if n < LANES {
        return terms.iter().fold(0.0, |total, term| total + term);
    }
    if n <= LANES_MAX {
        let mut lanes = [0.0; LANES];
        lanes.copy_from_slice(&terms[..LANES]);
        let blocks = terms[LANES..].chunks_exact(LANES);
        let rest = blocks.remainder();
        for block in blocks {
            for (lane, term) in lanes.iter_mut().zip(block) {
                *lane += term;
            }
        }
        let [a, b, c, d, e, f, g, h] = lanes;
        let total = ((a + b) + (c + d)) + ((e + f) + (g + h));
        return rest.iter().fold(total, |total, term| total + term);
    }
    let half = n / 2;
    let half = half - half % LANES;
    sum(&terms[..half]) + sum(&terms[half..])
}

/// `np.mean`; NaN of an empty slice.
pub(super) fn mean(values: &[f64]) -> f64 {
    sum(values) / values.len() as f64
}

/// `np.std` with `ddof` degrees of freedom taken off; NaN where fewer than `ddof + 1` values stand.
pub(super) fn std(values: &[f64], ddof: usize) -> f64 {
    if values.len() <= ddof {
        return f64::NAN;
    }
    let center = mean(values);
    let squares: Vec<f64> = values.iter().map(|x| (x - center) * (x - center)).collect();
    (sum(&squares) / (values.len() - ddof) as f64).sqrt()
}

/// `np.cumsum(terms)`, added in order.
pub(super) fn cumsum(terms: &[f64]) -> Vec<f64> {
    let mut total = 0.0;
    terms
        .iter()
        .map(|term| {
            total += term;
            total
        })
        .collect()
}

/// `np.linspace(start, stop, num)` with `num >= 2`: `k * step + start`, and the end exactly `stop`.
pub(super) fn linspace(start: f64, stop: f64, num: usize) -> Vec<f64> {
    let delta = stop - start;
    let div = (num - 1) as f64;
    let step = delta / div;
    let at = |k: usize| if step == 0.0 { k as f64 / div * delta + start } else { k as f64 * step + start };
    let mut points: Vec<f64> = (0..num).map(at).collect();
    points[num - 1] = stop;
    points
}

/// The range over which numpy lays its bins: half a unit to each side where all values are one.
fn outer(low: f64, high: f64) -> (f64, f64) {
    if low == high { (low - 0.5, high + 0.5) } else { (low, high) }
}

/// Refuses a range that is not finite.
///
/// # Errors
/// Of kind [`ErrorKind::Plan`].
pub(super) fn finite_range(low: f64, high: f64) -> Result<()> {
    if (high - low).is_finite() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Plan,
        format!("the range `{low}` to `{high}` is not finite, so it has no bins"),
    ))
}

/// The edges of `bins` cells of equal width over `[low, high]`.
///
/// # Errors
/// Of kind [`ErrorKind::Plan`] where the range is not finite, or the floats in it do not suffice for distinct edges;
/// numpy refuses both too.
pub(super) fn equal_edges(low: f64, high: f64, bins: usize) -> Result<Vec<f64>> {
    let (first, last) = outer(low, high);
    finite_range(first, last)?;
    let edges = linspace(first, last, bins + 1);
    if edges.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(Error::new(
            ErrorKind::Plan,
            format!("the range `{first}` to `{last}` holds too few floats for `{bins}` bins of equal width"),
        ));
    }
    Ok(edges)
}

/// How many cells of `width` numpy lays over `[low, high]`; cells of an integer column are at least 1 wide.
fn bins_of_width(low: f64, high: f64, width: f64, integer: bool) -> usize {
    let (first, last) = outer(low, high);
    if width == 0.0 {
        return 1;
    }
    let width = if integer && width < 1.0 { 1.0 } else { width };
    ((last - first) / width).ceil() as usize
}

/// The edges of `np.histogram_bin_edges(values, "sturges")` for `n` values between `low` and `high`.
///
/// # Errors
/// As [`equal_edges`].
pub(super) fn sturges_edges(low: f64, high: f64, n: usize, integer: bool) -> Result<Vec<f64>> {
    let width = (high - low) / ((n as f64).log2() + 1.0);
    equal_edges(low, high, bins_of_width(low, high, width, integer))
}

/// The edges of `np.histogram_bin_edges(values, "doane")` for floats; `values` in the order of rows.
///
/// # Errors
/// As [`equal_edges`].
pub(super) fn doane_edges(values: &[f64]) -> Result<Vec<f64>> {
    let (low, high) = extent(values);
    equal_edges(low, high, bins_of_width(low, high, doane_width(values, high - low), false))
}

fn doane_width(values: &[f64], range: f64) -> f64 {
    let n = values.len() as f64;
    if values.len() <= 2 {
        return 0.0;
    }
    let sigma = std(values, 0);
    if sigma <= 0.0 {
        return 0.0;
    }
    let sg1 = (6.0 * (n - 2.0) / ((n + 1.0) * (n + 3.0))).sqrt();
    let center = mean(values);
    let cubes: Vec<f64> = values.iter().map(|x| ((x - center) / sigma).powf(3.0)).collect();
    let g1 = mean(&cubes);
    range / (1.0 + n.log2() + (1.0 + g1.abs() / sg1).log2())
}

/// `np.histogram(values, edges)[0]` of sorted values: `[a, b)`, the last cell `[a, b]`, the rest uncounted.
pub(super) fn histogram(sorted: &[f64], edges: &[f64]) -> Vec<u64> {
    let last = edges.len() - 1;
    let below = |k: usize| {
        let edge = edges[k];
        sorted.partition_point(|x| if k == last { *x <= edge } else { *x < edge }) as u64
    };
    (0..last).map(|k| below(k + 1) - below(k)).collect()
}

/// The least and the greatest value; infinities of an empty slice, reversed.
pub(super) fn extent(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(*x), high.max(*x)))
}

/// The values in ascending order. NaN must be gone.
pub(super) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_pairwise() {
        // np.sum([0.1] * 10) and np.sum([0.1] * 1000); added in order they are 0.9999999999999999 and
        // 99.9999999999986.
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[0.1; 1000]), 100.000_000_000_000_01);
    }

    #[test]
    fn linspace_ends_on_its_end() {
        let points = linspace(0.1, 0.7, 4);
        assert_eq!(points[0], 0.1);
        assert_eq!(points[3], 0.7);
        assert_eq!(points[2], 2.0 * ((0.7 - 0.1) / 3.0) + 0.1);
    }

    #[test]
    fn only_the_last_cell_is_closed() {
        assert_eq!(histogram(&[0.0, 1.0, 1.0, 2.0, 3.0, 3.5], &[0.0, 1.0, 2.0, 3.0]), [1, 2, 2]);
    }

    #[test]
    fn equal_values_have_one_cell() {
        assert_eq!(sturges_edges(7.5, 7.5, 40, false).unwrap(), [7.0, 8.0]);
        assert_eq!(doane_edges(&[7.5; 9]).unwrap(), [7.0, 8.0]);
    }

    #[test]
    fn an_infinite_range_is_refused() {
        assert!(doane_edges(&[0.0, 1.0, f64::INFINITY]).is_err());
        assert!(sturges_edges(f64::MIN, f64::MAX, 100, false).is_err());
    }

    #[test]
    fn a_range_without_floats_is_refused() {
        let low = 1e16;
        assert!(sturges_edges(low, low + 2.0, 100, false).is_err());
    }
}
