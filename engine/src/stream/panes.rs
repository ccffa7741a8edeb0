//! The panes of a series: rows in, slots out.

use std::borrow::Cow;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use arrow_buffer::BooleanBuffer;

use crate::accumulate::{Accumulator, Column, Place, Placement, SlotKey, Slots, Split};
use crate::codec::{self, damaged};
use crate::digest::sha256_hex;
use crate::embedding::{Ids, RowIds};
use crate::feature::FeatureCells;
use crate::{Error, Result};

/// Rows of one partition, in the order in which they came.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The event time of each row, in microseconds since the epoch; `None` for a row that was set aside: it is counted
    /// nowhere and moves no clock.
    pub times: &'a [Option<i64>],
    /// Columns by the number of their feature, each at most once, with as many rows as there are times.
    pub features: &'a [(usize, Column<'a>)],
    /// Features that have no column in this batch, and why. One that is neither here nor there is taken as one of
    /// these.
    pub failed: &'a [(usize, &'a str)],
    /// The segments of each split, with as many rows as there are times.
    pub splits: &'a [Split<'a>],
    /// The ids of the rows, as many as there are times; `None` where they have none.
    pub ids: Option<&'a RowIds>,
}

/// Runs of at least so many rows on average are counted one by one: below, what every run costs is more than it saves.
const LONG_RUN: usize = 256;

/// The states of all panes, and where the rows of the batch at hand lie.
#[derive(Debug)]
pub(super) struct Panes {
    cells: Vec<Arc<FeatureCells>>,
    accumulator: Accumulator,
    pub(super) placement: Placement,
}

impl Panes {
    pub(super) fn new(cells: Vec<Arc<FeatureCells>>) -> Self {
        let accumulator = Accumulator::new(cells.iter().cloned());
        Self { cells, accumulator, placement: Placement::default() }
    }

    /// Counts the rows of a batch where `placement` has them.
    ///
    /// Rows that all lie in one slot are counted several times as fast as rows that are scattered. So where panes
    /// follow each other in long runs, as they do when history is read, each run is counted by itself (I-GROUP).
    pub(super) fn count(&mut self, batch: &Rows<'_>) {
        let columns = self.columns(batch);
        let ids = batch.ids.map(RowIds::all);
        let placement = std::mem::take(&mut self.placement);
        let (n_rows, n_runs) = (placement.n_rows(), placement.runs().len());
        if n_runs < 2 || n_rows / n_runs < LONG_RUN {
            self.count_part(&placement, &columns, batch.splits, ids, 0..n_rows);
        } else {
            let mut part = Placement::default();
            for (place, rows) in placement.runs().filter(|(place, _)| *place != Place::Nowhere) {
                part.clear();
                part.push(place, rows.len());
                let splits: Vec<Split<'_>> = batch
                    .splits
                    .iter()
                    .map(|split| Split { segments: split.segments, rows: &split.rows[rows.clone()] })
                    .collect();
                let ids = ids.map(|ids| ids.slice(rows.clone()));
                self.count_part(&part, &columns, &splits, ids, rows);
            }
        }
        self.placement = placement;
    }

    /// Each feature's column, or why there is none.
    fn columns<'a>(&self, batch: &Rows<'a>) -> Vec<Result<Column<'a>, Cow<'a, str>>> {
        let n_rows = batch.times.len();
        let mut columns: Vec<Option<Result<Column<'a>, Cow<'a, str>>>> = vec![None; self.cells.len()];
        let mut set = |feature: usize, column| {
            assert!(columns[feature].is_none(), "feature {feature} comes twice");
            columns[feature] = Some(column);
        };
        for (feature, column) in batch.features {
            let lengths = [column.array.len(), column.errors.map_or(n_rows, BooleanBuffer::len)];
            set(
                *feature,
                match lengths.iter().find(|found| **found != n_rows) {
                    None => Ok(*column),
                    Some(found) => {
                        Err(format!("expected a column of `{n_rows}` rows, found `{found}`").into())
                    }
                },
            );
        }
        for (feature, message) in batch.failed {
            set(*feature, Err((*message).into()));
        }
        let missing = || Err("the column is missing in some rows".into());
        columns.into_iter().map(|column| column.unwrap_or_else(missing)).collect()
    }

    /// Counts some rows of a batch, which lie where `placement` has them.
    fn count_part(
        &mut self,
        placement: &Placement,
        columns: &[Result<Column<'_>, Cow<'_, str>>],
        splits: &[Split<'_>],
        ids: Option<Ids<'_>>,
        rows: Range<usize>,
    ) {
        let groupings = placement.group(&mut self.accumulator, splits);
        let slots: Vec<Slots<'_>> = groupings.iter().map(|grouping| grouping.as_slots()).collect();
        self.accumulator.add_rows(rows.len() as u64, &slots);
        for (feature, column) in columns.iter().enumerate() {
            match column {
                Ok(column) if column.array.len() == rows.len() => {
                    self.accumulator.update_within(feature, *column, ids, &slots);
                }
                Ok(column) => {
                    let array = column.array.slice(rows.start, rows.len());
                    let errors = column.errors.map(|errors| errors.slice(rows.start, rows.len()));
                    let column = Column { array: array.as_ref(), errors: errors.as_ref() };
                    self.accumulator.update_within(feature, column, ids, &slots);
                }
                Err(message) => self.accumulator.fail_within(feature, message, &slots),
            }
        }
    }

    pub(super) fn remove(&mut self, pane: i64) -> Vec<SlotKey> {
        self.accumulator.remove_pane(pane)
    }

    /// The slots of a pane, each as bytes.
    pub(super) fn slots_of(&self, pane: i64) -> Vec<(SlotKey, Vec<u8>)> {
        let whole = SlotKey { pane: Some(pane), segment: None };
        let segments = self.accumulator.segments_of(Some(pane)).cloned();
        let segments = segments.map(|segment| SlotKey { pane: Some(pane), segment: Some(segment) });
        let keys = std::iter::once(whole).chain(segments);
        keys.filter_map(|key| codec::encode_slot(&self.accumulator, &key).map(|bytes| (key, bytes))).collect()
    }

    pub(super) fn dirty_slots(&self) -> impl Iterator<Item = (SlotKey, Vec<u8>)> {
        let slots = self.accumulator.dirty_slots();
        slots.filter_map(|key| Some((key.clone(), codec::encode_slot(&self.accumulator, key)?)))
    }

    pub(super) fn mark_clean(&mut self) {
        self.accumulator.mark_clean();
    }

    pub(super) fn accumulator(&self) -> &Accumulator {
        &self.accumulator
    }

    /// Names the features by their cells: counts on other edges never combine (I-EDGES).
    pub(super) fn features_id(&self) -> String {
        let ids: Vec<String> = self.cells.iter().map(|cells| cells.cutset_id()).collect();
        let mut id = sha256_hex(ids.join(",").as_bytes());
        id.truncate(32);
        id
    }

    /// Puts slots back; rows can lie in the panes `possible`.
    ///
    /// # Errors
    ///
    /// `Codec` if a slot is damaged or cannot be, `Mismatch` if it comes twice; names it.
    pub(super) fn restore(
        &mut self,
        possible: RangeInclusive<i64>,
        slots: impl Iterator<Item = (SlotKey, Vec<u8>)>,
    ) -> Result<()> {
        for (key, bytes) in slots {
            let named = |error: Error| {
                let place = match (key.pane, &key.segment) {
                    (Some(pane), Some(segment)) => format!("pane `{pane}` of segment `{segment}`"),
                    (Some(pane), None) => format!("pane `{pane}`"),
                    (None, _) => "a slot without a pane".to_owned(),
                };
                Error::new(error.kind(), format!("{place}: {error}"))
            };
            if !key.pane.is_some_and(|pane| possible.contains(&pane)) {
                return Err(named(damaged("no row can lie there".to_owned())));
            }
            let state = codec::decode_slot(&bytes, &self.cells).map_err(named)?;
            if state.rows == 0 {
                return Err(named(damaged("it holds no rows".to_owned())));
            }
            self.accumulator.restore(&key, state).map_err(named)?;
        }
        let mut whole = None;
        for (key, _) in self.accumulator.slots() {
            // The whole comes first among the slots of a pane.
            if key.segment.is_none() {
                whole = key.pane;
            } else if key.pane != whole {
                let pane = key.pane.unwrap_or_default();
                return Err(damaged(format!("pane {pane} has segments and no whole")));
            }
        }
        Ok(())
    }

    /// The panes that hold rows, and how many.
    pub(super) fn occupied(&self) -> impl Iterator<Item = (i64, u64)> {
        let whole = self.accumulator.slots().filter(|(key, _)| key.segment.is_none());
        whole.filter_map(|(key, rows)| Some((key.pane?, rows)))
    }
}
