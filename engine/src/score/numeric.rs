//! Scores of a numeric feature: the PSI family on its few cells, KS and Wasserstein on all of them.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Against, Measured, Place, Pool, family};
use crate::Metric;
use crate::accumulate::{CellCounts, NumericState};
use crate::feature::{Edges, Narrowing, NumericCells};
use crate::statistic::{
    Line, Moments, Score, ks, kurtosis, mean_shift, rate, sd_shift, significance, wasserstein,
    wasserstein_normalized,
};

pub(super) fn measure(
    cells: &NumericCells,
    baseline: &NumericState,
    window: &NumericState,
    against: Against,
    deff: f64,
) -> Measured {
    let is_moving = against == Against::Moving;
    let mut p = baseline.cells.to_vec();
    let mut q = window.cells.to_vec();
    let mut atoms = cells.edges.atoms();
    let mut means = std::borrow::Cow::Borrowed(&cells.means);
    if (window.narrowed || (is_moving && baseline.narrowed))
        && let Edges::F64(edges) = &cells.edges
    {
        // Cells that collide for float32 rows are merged on the baseline's side too (SEMANTICS S4). A merged cell
        // still holds one float32 value where one of its parts was an atom.
        let narrowing = Narrowing::new(edges);
        let unmerged = std::mem::take(&mut p);
        p = narrowing.merge(&unmerged);
        if is_moving {
            // Of two windows only one may have been narrowed; merging twice is merging once.
            q = narrowing.merge(&q);
        }
        for (cell, to) in narrowing.merged_into.iter().enumerate() {
            let to = usize::from(*to);
            if p[to] > unmerged[to] && cell == to {
                means.to_mut()[to] = merged_mean(&narrowing, to, &unmerged, &cells.means);
            }
        }
        let mut merged = vec![false; atoms.len()];
        for (cell, to) in narrowing.merged_into.iter().enumerate() {
            merged[usize::from(*to)] |= atoms[cell];
        }
        atoms = merged;
    }
    let mut scores = BTreeMap::new();
    let between: Vec<usize> = cells.psi.between.into_iter().collect();
    let beside = [&baseline.beside, &window.beside].map(CellCounts::to_vec);
    let fold = |counts: &[u64], beside: &[u64]| {
        let mut folded = cells.psi.fold(counts);
        if let Some(between) = cells.psi.between {
            for (cell, rows) in cells.psi.cell_of.iter().zip(beside).filter(|(_, rows)| **rows > 0) {
                folded[usize::from(*cell)] -= rows;
                folded[between] += rows;
            }
        }
        folded
    };
    let pool = family(&fold(&p, &beside[0]), &fold(&q, &beside[1]), &between, deff, &mut scores);
    let line = CellsOnLine::new(cells, &p, &q, &atoms, &means, [&beside[0], &beside[1]]);
    let ks = ks(&line.baseline, &line.window, &line.is_atom);
    let ks = ks.map_or_else(|| Score::none(empty_side(baseline)), |ks| ks.score());
    scores.insert(Metric::Ks, significance::test(Metric::Ks, ks, deff));

    let moments = (moments(cells, baseline, &p), moments(cells, window, &q));
    let mut w1 = line.distance(cells, baseline, window, moments);
    if is_moving || baseline.values() != cells.values || baseline.overflow.0 > 0 {
        widen(&mut w1, cells, &p, &means);
    }
    // No field is ever infinite.
    w1.low = w1.low.filter(|low| low.is_finite());
    let sd = moments.0.map_or(0.0, |moments| moments.variance.sqrt());
    scores.insert(Metric::WassersteinNormalized, wasserstein_normalized(&w1, sd));
    scores.insert(Metric::Wasserstein, w1);
    match moments {
        (Some(own), Some(other)) => {
            scores.insert(Metric::MeanShift, mean_shift(&own, &other, deff));
            scores.insert(Metric::SdShift, sd_shift(&own, &other, kurtosis(&p, &means), deff));
        }
        _ => {
            scores.insert(Metric::MeanShift, Score::none(empty_side(baseline)));
            scores.insert(Metric::SdShift, Score::none(empty_side(baseline)));
        }
    }
    let (n, baseline_n) = (window.values(), baseline.values());
    let outside = |counts: &[u64], beside: &[u64]| match cells.range {
        Some((low, high)) => counts[..low].iter().chain(&counts[high + 1..]).sum::<u64>() + beside[low],
        None => 0,
    };
    scores.insert(Metric::NullRate, rate(window.nulls, window.rows, baseline.nulls, baseline.rows, deff));
    scores.insert(Metric::NanRate, rate(window.nans, window.rows, baseline.nans, baseline.rows, deff));
    scores.insert(
        Metric::TypeErrorRate,
        rate(window.type_errors, window.rows, baseline.type_errors, baseline.rows, deff),
    );
    // The ends of the range are rows of the frozen baseline, not of other windows.
    let lone = if is_moving { 0 } else { lone_ends(cells, &p, &atoms) };
    let known = (outside(&p, &beside[0]) + lone).min(baseline_n);
    scores.insert(Metric::OutOfRangeRate, rate(outside(&q, &beside[1]), n, known, baseline_n, deff));
    Measured {
        rows: window.rows,
        nulls: window.nulls,
        nans: window.nans,
        infinities: infinities(cells, window, &q),
        type_errors: window.type_errors,
        n,
        baseline_rows: baseline.rows,
        baseline_n,
        narrowed: window.narrowed,
        scores,
        cells: moved(cells, &pool),
        ..Measured::default()
    }
}

fn empty_side(baseline: &NumericState) -> &'static str {
    if baseline.values() == 0 { "the baseline has no values" } else { "the window has no values" }
}

/// Infinite rows: in cells of their own, or counted apart.
fn infinities(cells: &NumericCells, state: &NumericState, counts: &[u64]) -> u64 {
    let own = state.infinities.0 + state.infinities.1;
    own + cells.infinite().map_or(0, |(low, high)| counts[low] + counts[high])
}

/// The moments of the finite rows, in the feature's unit; `None` without rows or if one was too large to be summed.
pub(super) fn moments(cells: &NumericCells, state: &NumericState, counts: &[u64]) -> Option<Moments> {
    // Saturates for a damaged state that claims infinities twice.
    let finite = state.values().saturating_sub(infinities(cells, state, counts));
    if finite == 0 || state.overflow != (0, 0) {
        return None;
    }
    let ratio = cells.ratio();
    let mean = cells.scale.mean(state.sums.0, finite) * ratio;
    let variance = cells.scale.variance(state.sums.0, state.sums.1, finite) * ratio * ratio;
    Some(Moments { n: finite, mean, variance })
}

/// How many of the two ends of the baseline's range are held by one row alone. Without that row the range would be
/// narrower and the row outside of it: so often the next row falls outside without any drift, as with Good's and Turing's
/// singletons (SEMANTICS S3a).
fn lone_ends(cells: &NumericCells, p: &[u64], atoms: &[bool]) -> u64 {
    let Some((low, high)) = cells.range else { return 0 };
    // A cell of many values holds the end and others; of more than 4,096 values the ends are alone nearly always.
    let is_lone = |cell: usize| p[cell] == 1 || (!cells.exact && !atoms[cell]);
    if low == high { u64::from(is_lone(low)) } else { u64::from(is_lone(low)) + u64::from(is_lone(high)) }
}

/// Both sides' counts on the line, with rows beside an atom in a cell of their own.
struct CellsOnLine {
    positions: Vec<f64>,
    baseline: Vec<u64>,
    window: Vec<u64>,
    is_atom: Vec<bool>,
    means: Vec<f64>,
    /// As [`NumericCells::inside`].
    inside: (usize, usize),
}

impl CellsOnLine {
    fn new(
        cells: &NumericCells,
        p: &[u64],
        q: &[u64],
        atoms: &[bool],
        means: &[f64],
        beside: [&[u64]; 2],
    ) -> Self {
        let positions = cells.positions();
        let (low, high) = cells.inside();
        let mut line = Self {
            positions: Vec::with_capacity(positions.len()),
            baseline: Vec::with_capacity(p.len()),
            window: Vec::with_capacity(q.len()),
            is_atom: Vec::with_capacity(atoms.len()),
            means: Vec::with_capacity(means.len()),
            inside: (low, high),
        };
        for cell in 0..p.len() {
            let (b, w) = (beside[0][cell], beside[1][cell]);
            let split = positions.get(cell).map(|edge| edge.next_down()).filter(|below| {
                b + w > 0 && cell.checked_sub(1).is_some_and(|left| positions[left] < *below)
            });
            if let Some(below) = split {
                line.positions.push(below);
                line.baseline.push(b);
                line.window.push(w);
                line.is_atom.push(false);
                line.means.push((positions[cell - 1] + below) / 2.0);
                line.inside.0 += usize::from(cell < low);
                line.inside.1 += usize::from(cell < high);
            }
            let moved = if split.is_some() { (b, w) } else { (0, 0) };
            line.positions.extend(positions.get(cell));
            line.baseline.push(p[cell] - moved.0);
            line.window.push(q[cell] - moved.1);
            line.is_atom.push(atoms[cell]);
            line.means.push(means[cell]);
        }
        line
    }

    /// Wasserstein-1 on the finite part of the line. What lies beyond the baseline's range is one cell on each side: there
    /// the sums say all that matters, whatever edges there are.
    fn distance(
        &self,
        cells: &NumericCells,
        baseline: &NumericState,
        window: &NumericState,
        moments: (Option<Moments>, Option<Moments>),
    ) -> Score {
        // Float edges begin with -inf and end with the largest float: their outer cells hold the infinities.
        let all = self.window.len();
        let finite = if cells.infinite().is_some() { 1..all - 1 } else { 0..all };
        let (low, high) = self.inside;
        if self.positions.is_empty() || low <= finite.start || low > high || high >= finite.end {
            return Score::none(empty_side(baseline));
        }
        let folded = |counts: &[u64], infinities: (u64, u64)| {
            let sum = |range: Range<usize>| counts[range].iter().sum::<u64>();
            let (below, above) = (sum(finite.start..low), sum(high..finite.end));
            // Where infinities have no cells of their own they were counted in the unbounded ones.
            let mut folded = vec![below - infinities.0.min(below)];
            folded.extend(&counts[low..high]);
            folded.push(above - infinities.1.min(above));
            folded
        };
        let (p, q) = (folded(&self.baseline, baseline.infinities), folded(&self.window, window.infinities));
        if p.iter().sum::<u64>() == 0 || q.iter().sum::<u64>() == 0 {
            let is_baseline = p.iter().sum::<u64>() == 0;
            return Score::none(if is_baseline {
                "the baseline has no values"
            } else {
                "the window has no values"
            });
        }
        let mean = |sum: i128, count: u64| {
            if count == 0 { 0.0 } else { cells.scale.mean(sum, count) * cells.ratio() }
        };
        let tail = |sum: i128, count: u64| {
            (window.overflow.0 == 0).then(|| mean(sum, count) * count_as_float(count))
        };
        let last = q.len() - 1;
        // A frozen baseline has no rows there: they are what its range was taken from.
        if baseline.overflow.0 > 0 && p[0] + p[last] > 0 {
            return Score::none("rows of the baseline lie too far out to be summed");
        }
        let mut means = vec![mean(baseline.tails.0, p[0])];
        means.extend(&self.means[low..high]);
        means.push(mean(baseline.tails.1, p[last]));
        let mut is_atom = vec![false];
        is_atom.extend(&self.is_atom[low..high]);
        is_atom.push(false);
        wasserstein(&Line {
            edges: &self.positions[low - 1..high],
            is_atom: &is_atom,
            baseline: &p,
            window: &q,
            baseline_means: &means,
            window_tails: [tail(window.tails.0, q[0]), tail(window.tails.1, q[last])],
            means: moments.0.zip(moments.1).map(|(own, other)| [own.mean, other.mean]),
        })
    }
}

/// The mean of the baseline's rows in all cells that were merged into one.
fn merged_mean(narrowing: &Narrowing, into: usize, counts: &[u64], means: &[f64]) -> f64 {
    let (mut sum, mut rows) = (0.0, 0.0);
    for (cell, to) in narrowing.merged_into.iter().enumerate() {
        if usize::from(*to) == into {
            sum += means[cell] * count_as_float(counts[cell]);
            rows += count_as_float(counts[cell]);
        }
    }
    sum / rows
}

/// Widens the bounds of a distance for a baseline whose means in the cells are not known: those of a segment, or with a
/// row too large to be summed. They lie in the cells, so the distance is off by no more than it takes to carry each
/// cell's rows from the mean that was taken to the cell's farther end (the triangle inequality).
fn widen(w1: &mut Score, cells: &NumericCells, p: &[u64], means: &[f64]) {
    let positions = cells.positions();
    let rows: u64 = p.iter().sum();
    let mut spread = 0.0;
    for (cell, count) in p.iter().enumerate().filter(|(_, count)| **count > 0) {
        let ends = cell.checked_sub(1).and_then(|left| positions.get(left)).zip(positions.get(cell));
        let Some((left, right)) = ends.filter(|(left, right)| left.is_finite() && right.is_finite()) else {
            continue;
        };
        spread +=
            count_as_float(*count) / count_as_float(rows) * (means[cell] - left).max(right - means[cell]);
    }
    w1.low = w1.low.map(|low| (low - spread).max(0.0));
    w1.high = w1.high.map(|high| high + spread);
}

#[expect(clippy::cast_precision_loss, reason = "a sum is a float")]
fn count_as_float(count: u64) -> f64 {
    count as f64
}

/// The cells that PSI compared, named by their range or value.
fn moved(cells: &NumericCells, pool: &Pool) -> Vec<super::Moved> {
    let positions = cells.positions();
    let finite = |edge: Option<&f64>| edge.copied().filter(|x| x.is_finite() && x.abs() < f64::MAX);
    let bounds = |psi: usize| {
        let first = cells.psi.cell_of.iter().position(|cell| usize::from(*cell) == psi);
        let last = cells.psi.cell_of.iter().rposition(|cell| usize::from(*cell) == psi);
        (
            finite(first.and_then(|cell| cell.checked_sub(1)).and_then(|left| positions.get(left))),
            finite(last.and_then(|cell| positions.get(cell))),
        )
    };
    pool.moved(|members, _| {
        if let Some(between) = cells.psi.between {
            return match members {
                [cell] if *cell != between => bounds(*cell).1.map_or(Place::Range(None, None), Place::Value),
                _ => Place::Rest(Vec::new()),
            };
        }
        match members {
            [cell] => {
                let (low, high) = bounds(*cell);
                // The outermost cells of PSI reach to infinity.
                let low = low.filter(|_| *cell > 0);
                Place::Range(low, high.filter(|_| *cell + 1 < cells.psi.n_cells))
            }
            _ => Place::Rest(Vec::new()),
        }
    })
}
