//! Where to cut a numeric feature: from a sorted sample to edges (algorithms of DESIGN section 2).
//!
//! Half of the cuts are quantiles, which bound the error of KS by 1/513 of the mass; the other half are placed where
//! mass is transported far, which keeps Wasserstein right in heavy tails. A value that is heavier than a quantile step
//! becomes an atom with two edges. The deciles are always cuts, since PSI's cells are made of them.

use std::collections::{BTreeMap, BinaryHeap};

use crate::feature::Value;

/// Quantile cuts; the a-priori bound of KS is one over one more.
pub(crate) const QUANTILE_CUTS: usize = 512;

/// Cuts that halve the stretch with the largest width times mass.
const TRANSPORT_CUTS: usize = 512;

/// More distinct values than this are cut; up to this many are atoms, and everything is exact.
pub(crate) const MAX_ATOMS: usize = 4096;

/// Sorted, distinct edges for a sorted sample of finite values, with the `extra` edges that somebody asked for.
///
/// An empty sample gives the extra edges alone.
#[must_use]
pub(crate) fn cuts<T: Value>(sample: &[T], extra: &[T]) -> Vec<T> {
    let mut edges: BTreeMap<i128, T> = BTreeMap::new();
    let mut add = |edge: T| {
        edges.insert(edge.order_key(), edge);
    };
    extra.iter().for_each(|edge| add(*edge));
    let n = sample.len();
    if let (Some(first), Some(last)) = (sample.first(), sample.last()) {
        add(first.pred());
        add(*last);
        for j in 1..=QUANTILE_CUTS {
            add(sample[(j * n).div_ceil(QUANTILE_CUTS + 1).max(1) - 1]);
        }
        for decile in 1..10 {
            add(sample[(decile * n).div_ceil(10) - 1]);
        }
        for (value, count) in runs(sample) {
            if count * (QUANTILE_CUTS + 1) > n {
                add(value.pred());
                add(value);
            }
        }
        for edge in transport_cuts(sample, &edges.values().copied().collect::<Vec<_>>()) {
            edges.insert(edge.order_key(), edge);
        }
    }
    edges.into_values().collect()
}

/// The distinct values of a sorted slice with their counts.
pub(crate) fn runs<T: Value>(sorted: &[T]) -> impl Iterator<Item = (T, usize)> {
    sorted.chunk_by(|a, b| a == b).map(|run| (run[0], run.len()))
}

/// A stretch between two cuts, by how much transport it may hide.
struct Stretch<T> {
    cost: f64,
    left: T,
    right: T,
    from: usize,
    to: usize,
}

impl<T: Value> PartialEq for Stretch<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl<T: Value> Eq for Stretch<T> {}
impl<T: Value> PartialOrd for Stretch<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T: Value> Ord for Stretch<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.cost.total_cmp(&other.cost).then_with(|| other.left.order_key().cmp(&self.left.order_key()))
    }
}

/// Greedily halves the stretch whose width times mass is largest.
fn transport_cuts<T: Value>(sample: &[T], edges: &[T]) -> Vec<T> {
    let stretch = |left: T, right: T| {
        let from = sample.partition_point(|x| *x <= left);
        let to = sample.partition_point(|x| *x < right);
        // Mass at the right edge itself is not moved: only what lies strictly between is uncertain.
        let mass = to - from;
        let width = right.to_f64() - left.to_f64();
        #[expect(clippy::cast_precision_loss, reason = "at most 64 Ki rows")]
        let cost = if mass == 0 { 0.0 } else { width.min(f64::MAX) * mass as f64 };
        Stretch { cost, left, right, from, to }
    };
    let mut heap: BinaryHeap<Stretch<T>> = edges.windows(2).map(|pair| stretch(pair[0], pair[1])).collect();
    let mut added = Vec::with_capacity(TRANSPORT_CUTS);
    while added.len() < TRANSPORT_CUTS {
        let Some(widest) = heap.pop().filter(|stretch| stretch.cost > 0.0) else { break };
        debug_assert!(widest.from < widest.to);
        let middle = T::midpoint(widest.left, widest.right);
        if middle == widest.left {
            continue;
        }
        added.push(middle);
        heap.push(stretch(widest.left, middle));
        heap.push(stretch(middle, widest.right));
    }
    added
}

/// Edges beyond both ends, so that drift out of the baseline's range stays resolved: 32 steps that double, from a
/// thirty-second of the range to 2^26 times it.
#[must_use]
pub(crate) fn guards<T: Value>(min: T, max: T) -> Vec<T> {
    const STEPS: i32 = 32;
    let span = max.to_f64() - min.to_f64();
    let span = if span > 0.0 && span.is_finite() { span } else { max.to_f64().abs().max(1.0) };
    let mut edges = Vec::new();
    for step in 0..STEPS {
        let reach = span * 2.0_f64.powi(step - 5);
        // Far from zero a double may round an edge back to the end it left, or past it into the data.
        let below = Some(T::from_f64(min.to_f64() - reach)).filter(|edge| *edge < min.pred());
        let above = Some(T::from_f64(max.to_f64() + reach)).filter(|edge| *edge > max);
        for edge in below.into_iter().chain(above) {
            if edge.is_finite() && edge > T::EXTREMES.0 && edge < T::EXTREMES.1 {
                edges.push(edge);
            }
        }
    }
    edges.sort_by_key(|edge| edge.order_key());
    edges.dedup();
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut values: Vec<f64>) -> Vec<f64> {
        values.sort_by(f64::total_cmp);
        values
    }

    #[test]
    fn no_stretch_between_cuts_holds_more_than_a_quantile_step() {
        let sample =
            sorted((0..20_000).map(|i| (f64::from(i) * 0.618_033_988_749).fract().powi(9) * 1e6).collect());
        let edges = cuts(&sample, &[0.0]);
        for pair in edges.windows(2) {
            let inside = sample.iter().filter(|x| **x > pair[0] && **x < pair[1]).count();
            assert!(
                inside * (QUANTILE_CUTS + 1) <= sample.len() + QUANTILE_CUTS + 1,
                "{pair:?} holds {inside}"
            );
        }
        assert!(edges.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(edges.len() > 1000 && edges.len() < 1100, "{}", edges.len());
    }

    #[test]
    fn heavy_values_are_atoms() {
        let mut values: Vec<f64> = (1..=10_000).map(f64::from).collect();
        values.extend([0.0; 6_000]);
        let edges = cuts(&sorted(values), &[]);
        assert!(edges.contains(&0.0) && edges.contains(&0.0_f64.next_down()));
    }

    #[test]
    fn guards_lie_outside_and_grow() {
        let edges = guards(0_i64, 100);
        assert!(edges.iter().all(|e| *e < -1 || *e > 100));
        assert_eq!(edges.len(), 64);
        assert!(guards(f64::MIN / 2.0, f64::MAX / 2.0).iter().all(|e| e.is_finite()));
        assert!(guards(i64::MIN, i64::MAX).is_empty());
        assert!(!guards(5.0_f32, 5.0).is_empty());
    }
}
