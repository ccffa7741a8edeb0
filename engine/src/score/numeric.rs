//! Scores of a numeric feature: the PSI family on its few cells, KS and Wasserstein on all of them.

use std::collections::BTreeMap;

use super::{Measured, Place, Pool, family};
use crate::Metric;
use crate::accumulate::NumericState;
use crate::feature::{Edges, Narrowing, NumericCells};
use crate::statistic::{
    Line, Moments, Score, ks, kurtosis, mean_shift, rate, sd_shift, significance, wasserstein,
    wasserstein_normalized,
};

pub(super) fn measure(
    cells: &NumericCells,
    baseline: &NumericState,
    window: &NumericState,
    deff: f64,
) -> Measured {
    let mut p = baseline.cells.to_vec();
    let q = window.cells.to_vec();
    let mut atoms = cells.edges.atoms();
    let mut means = std::borrow::Cow::Borrowed(&cells.means);
    if window.narrowed
        && let Edges::F64(edges) = &cells.edges
    {
        // Cells that collide for float32 rows are merged on the baseline's side too (SEMANTICS S4). A merged cell
        // still holds one float32 value where one of its parts was an atom.
        let narrowing = Narrowing::new(edges);
        let unmerged = std::mem::take(&mut p);
        p = narrowing.merge(&unmerged);
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
    let pool = family(&cells.psi.fold(&p), &cells.psi.fold(&q), &between, deff, &mut scores);
    let ks = ks(&p, &q, &atoms);
    let ks = ks.map_or_else(|| Score::none(empty_side(baseline)), |ks| ks.score());
    scores.insert(Metric::Ks, significance::test(Metric::Ks, ks, deff));

    let moments = (moments(cells, baseline, &p), moments(cells, window, &q));
    let mut w1 = distance(cells, &p, &q, &means, window, &atoms, moments);
    if baseline.values() != cells.values || baseline.overflow.0 > 0 {
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
    let outside = |counts: &[u64]| match cells.range {
        Some((low, high)) => counts[..low].iter().chain(&counts[high + 1..]).sum::<u64>(),
        None => 0,
    };
    scores.insert(Metric::NullRate, rate(window.nulls, window.rows, baseline.nulls, baseline.rows, deff));
    scores.insert(Metric::NanRate, rate(window.nans, window.rows, baseline.nans, baseline.rows, deff));
    scores.insert(
        Metric::TypeErrorRate,
        rate(window.type_errors, window.rows, baseline.type_errors, baseline.rows, deff),
    );
    scores.insert(Metric::OutOfRangeRate, rate(outside(&q), n, outside(&p), baseline_n, deff));
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

/// Wasserstein-1 on the finite part of the line.
fn distance(
    cells: &NumericCells,
    p: &[u64],
    q: &[u64],
    means: &[f64],
    window: &NumericState,
    atoms: &[bool],
    moments: (Option<Moments>, Option<Moments>),
) -> Score {
    let positions = cells.positions();
    // Float edges begin with -inf and end with the largest float: their outer cells hold the infinities.
    let (cut, edges) = match cells.infinite() {
        Some(_) => (1..p.len() - 1, &positions[1..positions.len() - 1]),
        None => (0..p.len(), &positions[..]),
    };
    let (mut p, mut q) = (p[cut.clone()].to_vec(), q[cut.clone()].to_vec());
    let last = q.len() - 1;
    // Where infinities have no cells of their own they were counted in the unbounded ones.
    q[0] -= window.infinities.0.min(q[0]);
    q[last] -= window.infinities.1.min(q[last]);
    if edges.is_empty() || p.iter().sum::<u64>() == 0 || q.iter().sum::<u64>() == 0 {
        let reason = if p.iter().sum::<u64>() == 0 {
            "the baseline has no values"
        } else {
            "the window has no values"
        };
        return Score::none(reason);
    }
    let tail = |sum: i128, count: u64| {
        let fits = window.overflow.0 == 0;
        let step = cells.ratio();
        fits.then(
            || if count == 0 { 0.0 } else { cells.scale.mean(sum, count) * step * count_as_float(count) },
        )
    };
    let window_tails = [tail(window.tails.0, q[0]), tail(window.tails.1, q[last])];
    let line = Line {
        edges,
        is_atom: &atoms[cut.clone()],
        baseline: p.as_mut_slice(),
        window: q.as_mut_slice(),
        baseline_means: &means[cut],
        window_tails,
        means: moments.0.zip(moments.1).map(|(own, other)| [own.mean, other.mean]),
    };
    wasserstein(&line)
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
