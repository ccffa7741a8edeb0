//! Rows of two features and one split, as batches.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, StringArray};
use driftlead_engine::Kind;
use driftlead_engine::accumulate::{Accumulator, Column, SlotKey, Slots, Split};
use driftlead_engine::codec::encode_state;
use driftlead_engine::feature::FeatureCells;
use driftlead_engine::stream::{Added, PartitionId, Rows, Series, Timing};
use driftlead_engine::window::Grid;

use crate::columns::{baseline_with, doubles, spec, texts};

pub(super) const WORDS: [&str; 4] = ["red", "green", "blue", "new"];

/// A row; what it holds follows from its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) time: Option<i64>,
    pub(super) number: u32,
}

impl Row {
    fn value(self) -> Option<f64> {
        (!self.number.is_multiple_of(13)).then_some(f64::from(self.number % 97) - 20.0)
    }

    fn word(self) -> Option<&'static str> {
        (!self.number.is_multiple_of(11)).then_some(WORDS[(self.number / 3) as usize % WORDS.len()])
    }

    pub(super) fn segment(self) -> u32 {
        self.number % 3
    }
}

pub(super) fn segments() -> Vec<Arc<str>> {
    ["a", "b", "c"].map(|name| Arc::from(format!(r#"{{"s":"{name}"}}"#))).to_vec()
}

pub(super) fn timing(panes: i64, every: i64, out_of_orderness: i64, lateness: i64, debounce: i64) -> Timing {
    let grid = Grid::new(panes * every, every, 0).unwrap();
    Timing { grid, out_of_orderness, lateness, debounce, keep: 0 }
}

/// The cells of a numeric and a categorical feature.
pub(super) fn cells() -> Vec<Arc<FeatureCells>> {
    let numbers = doubles(&(0..50).map(f64::from).collect::<Vec<_>>());
    let words = texts(&["red", "green", "blue", "red"]);
    [("x", Kind::Numeric, numbers), ("word", Kind::Categorical, words)]
        .into_iter()
        .map(|(name, kind, rows)| {
            baseline_with(spec(name, kind, &rows), &[rows]).features()[0].cells().clone()
        })
        .collect()
}

fn columns(rows: &[Row]) -> [ArrayRef; 2] {
    [
        Arc::new(rows.iter().map(|row| row.value()).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|row| row.word()).collect::<StringArray>()),
    ]
}

/// These rows as one batch.
pub(super) fn with_batch<T>(rows: &[Row], use_it: impl FnOnce(&Rows<'_>) -> T) -> T {
    let times: Vec<Option<i64>> = rows.iter().map(|row| row.time).collect();
    let numbers: Vec<u32> = rows.iter().map(|row| row.segment()).collect();
    let columns = columns(rows);
    let features: Vec<(usize, Column<'_>)> =
        columns.iter().map(|array| Column { array: array.as_ref(), errors: None }).enumerate().collect();
    use_it(&Rows {
        times: &times,
        features: &features,
        failed: &[],
        splits: &[Split { segments: &segments(), rows: &numbers }],
        ids: None,
    })
}

/// Adds one batch.
pub(super) fn add(series: &mut Series, partition: u32, rows: &[Row]) -> Added {
    with_batch(rows, |batch| series.add(PartitionId(partition), batch))
}

/// The bytes of both features' states over these rows, counted at once.
pub(super) fn counted_at_once(cells: &[Arc<FeatureCells>], rows: &[Row]) -> Vec<Vec<u8>> {
    let mut accumulator = Accumulator::new(cells.iter().cloned());
    let slot = accumulator.slot(&SlotKey::default());
    for (feature, array) in columns(rows).iter().enumerate() {
        accumulator.update(feature, Column { array: array.as_ref(), errors: None }, &[Slots::All(slot)]);
    }
    (0..cells.len())
        .map(|feature| encode_state(&accumulator.state(feature, &SlotKey::default()).unwrap()))
        .collect()
}

/// The rows of a window's panes in a segment, and the bytes of both features' states, as the driver would merge them.
pub(super) fn merged(
    accumulator: &Accumulator,
    panes: RangeInclusive<i64>,
    segment: Option<&Arc<str>>,
) -> (u64, Vec<Vec<u8>>) {
    let keys: Vec<SlotKey> =
        panes.map(|pane| SlotKey { pane: Some(pane), segment: segment.cloned() }).collect();
    let states = (0..accumulator.n_features())
        .map(|feature| {
            let mut sum =
                accumulator.state(feature, &SlotKey { pane: Some(i64::MIN), segment: None }).unwrap();
            keys.iter().for_each(|key| sum.merge(&accumulator.state(feature, key).unwrap()).unwrap());
            encode_state(&sum)
        })
        .collect();
    (accumulator.rows_of(&keys), states)
}
