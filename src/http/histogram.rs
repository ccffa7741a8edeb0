//! A state's counts as bars that can be drawn: at most [`BARS`] stretches of equal width, or categories.
//!
//! A state has cells between frozen edges, far more than a picture has room for. A cell's rows stand in the bar in which
//! the mean of the baseline's rows in that cell lies: exact where every value has a cell of its own, and off by less than
//! a cell's width elsewhere. What lies outside of the baseline's range stands apart, so that the bars add up (I-LOST).

use driftlead_engine::accumulate::{CategoricalState, FeatureState, NumericState};
use driftlead_engine::embedding::{EmbeddingCells, EmbeddingState};
use driftlead_engine::feature::{Categories, FeatureCells, NumericCells};
use serde_json::{Value, json};

/// The most bars of a numeric feature.
pub(super) const BARS: usize = 24;
/// The most categories that are named.
pub(super) const CATEGORIES: usize = 50;

/// The bars of `state`, a state on `cells`, over the `range` of the baseline's values; null if it has none.
pub(super) fn of(cells: &FeatureCells, state: &FeatureState, range: Option<(f64, f64)>) -> Value {
    match (cells, state) {
        (FeatureCells::Numeric(cells), FeatureState::Numeric(state)) => numeric(cells, state, range),
        (FeatureCells::Categorical(cells), FeatureState::Categorical(state)) => categorical(cells, state),
        (FeatureCells::Embedding(cells), FeatureState::Embedding(state)) => embedding(cells, state),
        _ => Value::Null,
    }
}

/// The clusters, and the map: rows in each cell of the first two principal components, 16 of the second for each of the
/// first, between these edges.
fn embedding(cells: &EmbeddingCells, state: &EmbeddingState) -> Value {
    let [first, second] = cells.map_edges();
    let clusters: Vec<u64> = state.codes().into_iter().take(cells.n_codes()).collect();
    json!({"clusters": clusters, "map": {"first": first, "second": second, "rows": state.map()}})
}

fn numeric(cells: &NumericCells, state: &NumericState, range: Option<(f64, f64)>) -> Value {
    let (first, last) = cells.inside();
    let positions = cells.positions();
    // A baseline that holds infinities has them for its extent: its finite values lie between these edges.
    let edge = |at: usize| at.checked_sub(1).and_then(|at| positions.get(at)).copied();
    let finite = |x: f64, at: usize| if x.is_finite() { Some(x) } else { edge(at).filter(|x| x.is_finite()) };
    let ends = range.and_then(|(min, max)| finite(min, first).zip(finite(max, last)));
    let Some((min, max)) = ends.filter(|(min, max)| min <= max) else { return Value::Null };
    let n_bars = if min < max { BARS } else { 1 };
    let mut bars = vec![0_u64; n_bars];
    let (mut below, mut above) = state.infinities;
    for (cell, rows) in state.cells.to_vec().into_iter().enumerate().filter(|(_, rows)| *rows > 0) {
        if cell < first {
            below += rows;
        } else if cell >= last {
            above += rows;
        } else {
            let mean = cells.means.get(cell).copied().filter(|mean| mean.is_finite()).unwrap_or(min);
            bars[bar(mean, min, max, n_bars)] += rows;
        }
    }
    let edge = |at: usize| if at == n_bars { max } else { at_share(min, max, at, n_bars) };
    let shown: Vec<Value> = bars
        .iter()
        .enumerate()
        .map(|(at, rows)| json!({"low": edge(at), "high": edge(at + 1), "rows": rows}))
        .collect();
    json!({"bars": shown, "below": below, "above": above})
}

/// The point that lies `at` parts of `parts` from `min` to `max`; halves, because their distance may overflow.
#[expect(clippy::cast_precision_loss, reason = "a few bars")]
fn at_share(min: f64, max: f64, at: usize, parts: usize) -> f64 {
    let share = at as f64 / parts as f64;
    2.0 * (min / 2.0 * (1.0 - share) + max / 2.0 * share)
}

/// The bar of a value.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "clamped"
)]
fn bar(value: f64, min: f64, max: f64, n_bars: usize) -> usize {
    let share = (value / 2.0 - min / 2.0) / (max / 2.0 - min / 2.0);
    if share.is_nan() { 0 } else { ((share.clamp(0.0, 1.0) * n_bars as f64) as usize).min(n_bars - 1) }
}

fn categorical(cells: &Categories, state: &CategoricalState) -> Value {
    let counts = state.cells.to_vec();
    let named: Vec<Value> = cells
        .names()
        .iter()
        .zip(&counts)
        .take(CATEGORIES)
        .map(|(name, rows)| json!({"category": name, "rows": rows}))
        .collect();
    let shown = named.len();
    let count = |cell: usize| counts.get(cell).copied().unwrap_or(0);
    // Those beyond the named ones and those that never had a name.
    let others: u64 = (shown..cells.names().len()).map(count).sum::<u64>() + count(cells.other());
    json!({
        "categories": named,
        "others": others,
        "other_categories": cells.n_distinct() - shown,
        "new": count(cells.new_cell()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_bar_even_at_the_ends_of_the_floats() {
        for (min, max) in [(0.0, 1.0), (-1e308, 1e308), (1e-300, 2e-300), (5.0, 5.0)] {
            let bars: Vec<usize> = [min, max].map(|x| bar(x, min, max, BARS)).to_vec();
            let last = if min < max { BARS - 1 } else { 0 };
            assert_eq!(bars, [0, last], "{min} to {max}");
            assert!(
                (0..=BARS).all(|at| (min..=max).contains(&at_share(min, max, at, BARS))),
                "{min} to {max}"
            );
        }
        assert_eq!(bar(f64::NAN, 0.0, 1.0, BARS), 0);
        assert_eq!(bar(0.5, 0.0, 1.0, BARS), BARS / 2);
    }
}
