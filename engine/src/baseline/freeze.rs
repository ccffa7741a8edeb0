//! From a finished count to frozen cells: the last edges, PSI's cells, the means.

use std::ops::Range;

use crate::accumulate::{CellCounts, NumericState};
use crate::baseline::cuts::guards;
use crate::baseline::draft::{BaselineValue, COARSE_BITS, Cells, Counted, DraftCounter, atom_edges};
use crate::feature::{Edges, Family, NumericCells, PsiCells, Value, ValueType};

/// With this many distinct values or fewer, each is a cell of PSI (SEMANTICS S2).
const FEW_VALUES: usize = 20;

/// The most cells of PSI on values that are not few.
const PSI_CELLS: u64 = 10;

/// The frozen cells and the baseline's own state on them.
pub(crate) fn freeze<T: BaselineValue>(
    counter: &DraftCounter<T>,
    extra: &[f64],
    wrap: impl Fn(Vec<T>) -> Edges,
) -> (NumericCells, NumericState) {
    let draft = counter.draft();
    let owned;
    let values = counter.values();
    let (edges, cells) = match (&values, &counter.counted) {
        (Some(values), _) => {
            let atoms: Vec<T> = values.iter().map(|(value, _)| *value).collect();
            let (mut edges, _) = atom_edges(&atoms);
            edges.extend(T::STRUCTURAL);
            edges.sort_by_key(|edge| edge.order_key());
            edges.dedup();
            // The largest finite value ends the edges of floats: what is above it is the cell of +inf.
            edges.retain(|edge| edge.is_finite() || *edge < T::ZERO);
            owned = counter.cells_of(values, &edges);
            (edges, &owned)
        }
        (None, Counted::Cuts(cells)) => (draft.cuts.clone(), cells),
        (None, Counted::Atoms(_)) => (
            Vec::new(),
            &Cells {
                counts: vec![0],
                sums: vec![0],
                sum: 0,
                squares: 0,
                overflow: (0, 0),
                extent: None,
                finite_extent: None,
            },
        ),
    };
    let mut table = Table { edges, counts: cells.counts.clone(), sums: cells.sums.clone() };
    if let Some((low, high)) = cells.finite_extent {
        table.insert_below(low.pred());
        table.insert_above(high);
        for edge in guards(low, high) {
            if edge < low { table.insert_below(edge) } else { table.insert_above(edge) }
        }
        if values.is_some() {
            // Between atoms there are no rows, so an edge may be added anywhere.
            for edge in
                extra.iter().map(|edge| T::from_f64(edge / draft.value_type.unit.ratio())).chain([T::ZERO])
            {
                if edge > low && edge < high {
                    table.insert_above(edge);
                }
            }
        }
    }
    let Table { edges, counts, sums } = table;
    let range = cells.finite_extent.map(|(low, high)| {
        let cell = |x: T| edges.partition_point(|e| *e < x);
        (cell(low), cell(high))
    });
    let core: Range<usize> =
        range.map_or(0..0, |(low, high)| low.saturating_sub(1)..(high + 1).min(edges.len()));
    let psi = psi_cells(&edges, &counts, values.as_deref(), draft.complete || values.is_some());
    let means = means(&edges, &counts, &sums, draft);
    let numeric = NumericCells {
        value_type: draft.value_type,
        edges: wrap(edges),
        core,
        exact: values.is_some(),
        sampled: !draft.complete,
        range,
        psi,
        means,
        values: counts.iter().sum(),
        scale: draft.scale,
    };
    let (low, high) = numeric.inside();
    let low = low.min(high);
    let state = NumericState {
        cells: CellCounts::from_counts(&counts),
        beside: CellCounts::zero(counts.len()),
        rows: counter.rows,
        nulls: counter.nulls,
        nans: counter.nans,
        type_errors: counter.type_errors,
        infinities: (0, 0),
        sums: (cells.sum, cells.squares),
        overflow: cells.overflow,
        tails: (
            sums[..low].iter().sum::<i128>() << COARSE_BITS,
            sums[high..].iter().sum::<i128>() << COARSE_BITS,
        ),
        extent: cells.extent.map(|(low, high)| (low.to_f64() + 0.0, high.to_f64() + 0.0)),
        narrowed: false,
    };
    (numeric, state)
}

/// Edges with the rows and sums of their cells, while edges are still added.
struct Table<T> {
    edges: Vec<T>,
    counts: Vec<u64>,
    sums: Vec<i128>,
}

impl<T: Value> Table<T> {
    /// Adds an edge that no row lies below within its cell.
    fn insert_below(&mut self, edge: T) {
        let cell = self.edges.partition_point(|e| *e < edge);
        if self.edges.get(cell).is_none_or(|e| *e != edge) {
            self.edges.insert(cell, edge);
            self.counts.insert(cell, 0);
            self.sums.insert(cell, 0);
        }
    }

    /// Adds an edge that no row lies above within its cell.
    fn insert_above(&mut self, edge: T) {
        let cell = self.edges.partition_point(|e| *e < edge);
        if self.edges.get(cell).is_none_or(|e| *e != edge) {
            self.edges.insert(cell, edge);
            self.counts.insert(cell + 1, 0);
            self.sums.insert(cell + 1, 0);
        }
    }
}

/// PSI's cells: one per distinct value where they are few, else the deciles of the baseline (SEMANTICS S2).
fn psi_cells<T: Value>(edges: &[T], counts: &[u64], values: Option<&[(T, u64)]>, exact: bool) -> PsiCells {
    if let Some(values) = values.filter(|values| values.len() <= FEW_VALUES) {
        #[expect(clippy::cast_possible_truncation, reason = "at most 20 values")]
        let between = values.len() as u16;
        let mut cell_of = vec![between; counts.len()];
        for (cell, (value, _)) in (0_u16..).zip(values) {
            cell_of[edges.partition_point(|e| e < value)] = cell;
        }
        return PsiCells { cell_of, n_cells: values.len() + 1, between: Some(values.len()) };
    }
    let total: u64 = counts.iter().sum();
    let cumulated: Vec<u64> = counts
        .iter()
        .scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        })
        .collect();
    let mut borders: Vec<usize> = Vec::new();
    for decile in 1..PSI_CELLS {
        // The inverted CDF: the first edge with at least this share of the rows at or below it.
        let wanted = (u128::from(total) * u128::from(decile)).div_ceil(u128::from(PSI_CELLS));
        let at = cumulated.partition_point(|sum| u128::from(*sum) < wanted);
        if at >= edges.len() || cumulated[at] == total {
            continue;
        }
        let is_atom = at > 0 && edges[at].pred() == edges[at - 1];
        let nearer_below = at > 0 && {
            let below = u128::from(cumulated[at - 1]);
            below > 0 && wanted - below < u128::from(cumulated[at]) - wanted
        };
        borders.push(if !exact && !is_atom && nearer_below { at - 1 } else { at });
    }
    borders.dedup();
    let mut cell_of = Vec::with_capacity(counts.len());
    let mut cell = 0_u16;
    for at in 0..counts.len() {
        cell_of.push(cell);
        if borders.get(usize::from(cell)) == Some(&at) {
            cell += 1;
        }
    }
    PsiCells { cell_of, n_cells: borders.len() + 1, between: None }
}

/// The mean of the baseline's rows in each cell, in the feature's unit; the middle of an empty cell.
#[expect(clippy::cast_precision_loss, reason = "a mean is a float")]
fn means<T: BaselineValue>(
    edges: &[T],
    counts: &[u64],
    sums: &[i128],
    draft: &crate::baseline::draft::Draft<T>,
) -> Vec<f64> {
    let scale = draft.scale;
    let ratio = unit_ratio(draft.value_type);
    let at = |edge: Option<&T>| edge.map(|e| e.to_f64()).filter(|x| x.is_finite());
    (0..counts.len())
        .map(|cell| {
            let left = at(cell.checked_sub(1).and_then(|left| edges.get(left)));
            let right = at(edges.get(cell));
            let middle = match (left, right) {
                (Some(left), Some(right)) => left / 2.0 + right / 2.0,
                (Some(x), None) | (None, Some(x)) => x,
                (None, None) => 0.0,
            };
            if counts[cell] == 0 {
                return middle * ratio + 0.0;
            }
            let mean = sums[cell] as f64 / counts[cell] as f64
                * crate::feature::power_of_two(COARSE_BITS - scale.exponent_x)
                + scale.center;
            // A mean lies in its cell; scaling rounds, so it is held there.
            let mean = left.map_or(mean, |left| mean.max(left));
            right.map_or(mean, |right| mean.min(right)) * ratio + 0.0
        })
        .collect()
}

/// What one step is worth in the unit in which a person reads the feature: times stay in steps.
fn unit_ratio(value_type: ValueType) -> f64 {
    if value_type.family == Family::Time { 1.0 } else { value_type.unit.ratio() }
}
