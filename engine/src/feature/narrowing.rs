//! Double-precision edges for single-precision rows (SEMANTICS S4).
//!
//! Such rows were rounded to nearest, so the edges are too. An atom keeps a cell of its own; cells that collide are
//! merged, and the baseline's counts are merged in the same way before anything is compared.

use crate::feature::Value;

/// The single-precision form of double-precision edges.
#[derive(Clone, Debug, PartialEq)]
pub struct Narrowing {
    /// Sorted, distinct edges in single precision.
    pub edges: Vec<f32>,
    /// For each cell of the single-precision edges, the cell of the double-precision ones that stands for it.
    pub stands_for: Vec<u16>,
    /// For each cell of the double-precision edges, the one that stands for it after merging.
    pub merged_into: Vec<u16>,
}

impl Narrowing {
    /// Narrows sorted `edges`.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding is the point; there are at most 65,533 edges"
    )]
    pub fn new(edges: &[f64]) -> Self {
        // Finite edges stay finite, so that infinite rows keep the outer cells to themselves.
        let nearest = |edge: f64| {
            if edge.is_finite() { (edge as f32).clamp(f32::MIN, f32::MAX) } else { edge as f32 }
        };
        let target = |j: usize| match edges.get(j + 1) {
            Some(next) if next.pred() == edges[j] => nearest(*next).next_down(),
            _ => nearest(edges[j]),
        };
        let mut narrow: Vec<f32> = Vec::with_capacity(edges.len());
        for j in 0..edges.len() {
            if narrow.last().is_none_or(|last| *last < target(j)) {
                narrow.push(target(j));
            }
        }
        let mut stands_for = vec![edges.len() as u16; narrow.len() + 1];
        // The rows of an atom round to the atom; the edge of any other cell goes where the edge went.
        let right = |j: usize| match j.checked_sub(1) {
            Some(left) if edges[j].pred() == edges[left] => nearest(edges[j]),
            _ => target(j),
        };
        let cells: Vec<usize> = (0..edges.len()).map(|j| narrow.partition_point(|e| *e < right(j))).collect();
        for (j, cell) in cells.iter().enumerate() {
            stands_for[*cell] = j as u16;
        }
        if let Some(last) = stands_for.last_mut() {
            *last = edges.len() as u16;
        }
        let merged_into = cells.iter().chain([&narrow.len()]).map(|cell| stands_for[*cell]).collect();
        Self { edges: narrow, stands_for, merged_into }
    }

    /// Counts of the double-precision cells, merged as the narrow ones are.
    #[must_use]
    pub fn merge(&self, counts: &[u64]) -> Vec<u64> {
        let mut merged = vec![0; counts.len()];
        for (cell, count) in self.merged_into.iter().zip(counts) {
            merged[usize::from(*cell)] += count;
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atoms(values: &[f64]) -> Vec<f64> {
        let mut edges: Vec<f64> = values.iter().flat_map(|v| [v.next_down(), *v]).collect();
        edges.dedup();
        edges
    }

    #[test]
    fn decimal_atoms_keep_their_cells() {
        let edges = atoms(&[0.1, 0.2, 0.3]);
        let narrowing = Narrowing::new(&edges);
        for (value, right) in [(0.1_f32, 0.1_f64), (0.2, 0.2), (0.3, 0.3)] {
            let narrow = narrowing.edges.partition_point(|e| *e < value);
            let wide = edges.partition_point(|e| *e < right);
            assert_eq!(usize::from(narrowing.stands_for[narrow]), wide, "{value}");
            assert_eq!(usize::from(narrowing.merged_into[wide]), wide, "{value}");
        }
    }

    #[test]
    fn values_that_collide_share_a_cell_on_both_sides() {
        let close = 1.0 + f64::EPSILON;
        let edges = atoms(&[1.0, close, 2.0]);
        let narrowing = Narrowing::new(&edges);
        let cell = |x: f64| edges.partition_point(|e| *e < x);
        let shared = narrowing.merged_into[cell(1.0)];
        assert_eq!(narrowing.merged_into[cell(close)], shared);
        let row = narrowing.edges.partition_point(|e| *e < 1.0_f32);
        assert_eq!(narrowing.stands_for[row], shared);
        let counts: Vec<u64> = (0..=edges.len() as u64).collect();
        assert_eq!(narrowing.merge(&counts).iter().sum::<u64>(), counts.iter().sum::<u64>());
    }
}
