//! Windows of a fixed number of rows: SEMANTICS S26.
//!
//! Which rows share a window is decided by their order, so the source has to have one: a single partition, totally
//! ordered. Refusing any other is the caller's part. There is no watermark and no lateness; a window is final when it
//! is full.

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::Result;
use crate::accumulate::{Accumulator, Place, SlotKey};
use crate::codec::{self, damaged};
use crate::feature::FeatureCells;
use crate::stream::head::{ensure_same, read_maybe, write_maybe};
use crate::stream::panes::Panes;
use crate::stream::{Added, Rows};

const COUNT_SERIES: &[u8; 4] = b"dlc\0";

/// A window of rows that is full, or the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountClosing {
    /// Its number in the source, from 0; also that of its only pane.
    pub ordinal: u64,
    /// How many rows it has: at least 1.
    pub rows: u64,
    /// Whether the input ended before it was full.
    pub is_partial: bool,
}

/// Windows of so many rows each, of one totally ordered partition; the contract is that of
/// [`Series`](crate::stream::Series): mutate, poll until `None`, mutate.
///
/// A row whose time is `None` was set aside: it takes no place in a window. Other times only move
/// [`newest`](Self::newest); where rows have none, any will do.
#[derive(Debug)]
pub struct CountSeries {
    length: NonZeroU64,
    panes: Panes,
    /// Rows counted so far: where the next one stands.
    counted: u64,
    /// Rows set aside, and rows that came after the end.
    untimed: u64,
    after_end: u64,
    /// The first window that did not close.
    next: u64,
    newest: Option<i64>,
    is_over: bool,
}

impl CountSeries {
    /// A series that has seen nothing, of windows of `length` rows, for features with these cells.
    #[must_use]
    pub fn new(length: NonZeroU64, cells: Vec<Arc<FeatureCells>>) -> Self {
        Self {
            length,
            panes: Panes::new(cells),
            counted: 0,
            untimed: 0,
            after_end: 0,
            next: 0,
            newest: None,
            is_over: false,
        }
    }

    /// Counts rows in the order in which they came. Columns that cannot be read are treated as by
    /// [`Series::add`](crate::stream::Series::add).
    ///
    /// # Panics
    ///
    /// As [`Series::add`](crate::stream::Series::add).
    pub fn add(&mut self, batch: &Rows<'_>) -> Added {
        let mut added = Added::default();
        self.panes.placement.clear();
        for time in batch.times {
            let place = match time {
                None => {
                    added.untimed += 1;
                    Place::Nowhere
                }
                Some(_) if self.is_over => {
                    added.late_after_final += 1;
                    Place::Nowhere
                }
                Some(_) => {
                    added.counted += 1;
                    Place::Pane(Some(pane_of((self.counted + added.counted - 1) / self.length)))
                }
            };
            self.newest = self.newest.max(*time);
            self.panes.placement.push(place, 1);
        }
        if added.counted > 0 {
            self.panes.count(batch);
        }
        self.counted += added.counted;
        self.untimed += added.untimed;
        self.after_end += added.late_after_final;
        added
    }

    /// The input is over: a window that is not full closes too.
    pub fn end(&mut self) {
        self.is_over = true;
    }

    /// The next window that closes, for good, in the order of their numbers; `None` if none is full.
    #[must_use]
    pub fn poll(&mut self) -> Option<CountClosing> {
        let rows = self.rows_of(self.next);
        let is_partial = rows < self.length.get();
        if rows == 0 || (is_partial && !self.is_over) {
            return None;
        }
        let ordinal = self.next;
        self.next += 1;
        Some(CountClosing { ordinal, rows, is_partial })
    }

    /// Drops the panes of windows that closed, and names their slots, for the store to delete.
    #[must_use]
    pub fn release(&mut self) -> Vec<SlotKey> {
        let closed: Vec<i64> = self
            .panes
            .occupied()
            .map(|(pane, _)| pane)
            .take_while(|pane| *pane < pane_of(self.next))
            .collect();
        closed.into_iter().flat_map(|pane| self.panes.remove(pane)).collect()
    }

    /// The slots that took rows since [`mark_clean`](Self::mark_clean), each as bytes of its own.
    pub fn dirty_slots(&self) -> impl Iterator<Item = (SlotKey, Vec<u8>)> {
        self.panes.dirty_slots()
    }

    /// The slots that there are have been stored.
    pub fn mark_clean(&mut self) {
        self.panes.mark_clean();
    }

    /// What was counted, by window and segment.
    #[must_use]
    pub fn accumulator(&self) -> &Accumulator {
        self.panes.accumulator()
    }

    /// The largest event time seen.
    #[must_use]
    pub fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// What became of all rows since the series began; `late_after_final` are those that came after the end.
    #[must_use]
    pub fn totals(&self) -> Added {
        Added { counted: self.counted, late: 0, late_after_final: self.after_end, untimed: self.untimed }
    }

    /// Everything but the panes, as bytes; the layout stands in `docs/formats/state.md`.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        let mut writer = codec::begin(COUNT_SERIES);
        writer.text(&self.panes.features_id());
        writer.count(self.length.get());
        writer.byte(u8::from(self.is_over));
        for count in [self.counted, self.after_end, self.untimed, self.next] {
            writer.count(count);
        }
        write_maybe(&mut writer, self.newest);
        writer.into_bytes()
    }

    /// The series whose [`head`](Self::head) and slots these are; see
    /// [`Series::restore`](crate::stream::Series::restore).
    ///
    /// # Errors
    ///
    /// `Mismatch` if the head is of windows of another length or of other features; `Codec` if bytes are damaged,
    /// foreign, or of a newer version, or slots are missing. Says which.
    pub fn restore(
        length: NonZeroU64,
        cells: Vec<Arc<FeatureCells>>,
        head: &[u8],
        slots: impl Iterator<Item = (SlotKey, Vec<u8>)>,
    ) -> Result<Self> {
        let mut series = Self::new(length, cells);
        let mut reader = codec::open(head, COUNT_SERIES)?;
        ensure_same(&mut reader, "features or edges", |reader| {
            Ok(reader.text()? == series.panes.features_id())
        })?;
        ensure_same(&mut reader, "windows", |reader| Ok(reader.count()? == length.get()))?;
        series.is_over = reader.flag()?;
        series.counted = reader.count()?;
        series.after_end = reader.count()?;
        series.untimed = reader.count()?;
        series.next = reader.count()?;
        series.newest = read_maybe(&mut reader)?;
        reader.ensure_end()?;
        // As many as rows of one a nanosecond in a century: what is counted on cannot overflow.
        if [series.counted, series.after_end, series.untimed].iter().any(|count| *count > MAX_ROWS) {
            return Err(damaged("more rows than there can be".to_owned()));
        }
        if series.next > series.last().map_or(0, |last| last + 1) {
            return Err(damaged(format!("window {} closed without rows", series.next.saturating_sub(1))));
        }
        series.panes.restore(0..=series.last().map_or(-1, pane_of), slots)?;
        series.ensure_rows()?;
        Ok(series)
    }

    /// The rows that window `ordinal` has so far.
    fn rows_of(&self, ordinal: u64) -> u64 {
        let before = ordinal.saturating_mul(self.length.get());
        self.counted.saturating_sub(before).min(self.length.get())
    }

    /// The last window that has rows.
    fn last(&self) -> Option<u64> {
        self.counted.checked_sub(1).map(|last| last / self.length)
    }

    /// I-LOST: every window that did not close has the rows that were counted in it.
    fn ensure_rows(&self) -> Result<()> {
        let mut expected = self.next..self.last().map_or(0, |last| last + 1);
        for (pane, rows) in self.panes.occupied() {
            let ordinal = u64::try_from(pane).unwrap_or_default();
            if ordinal >= self.next && expected.next() != Some(ordinal) {
                return Err(damaged(format!("a window before window {ordinal} is missing")));
            }
            if rows != self.rows_of(ordinal) {
                return Err(damaged(format!(
                    "window {ordinal} has {rows} rows, not {}",
                    self.rows_of(ordinal)
                )));
            }
        }
        match expected.next() {
            Some(ordinal) => Err(damaged(format!("window {ordinal} is missing"))),
            None => Ok(()),
        }
    }
}

/// The most rows that a count in stored bytes is believed to have.
const MAX_ROWS: u64 = 1 << 62;

/// The pane of a window; windows have at least one row, so there are no more than rows.
fn pane_of(ordinal: u64) -> i64 {
    i64::try_from(ordinal).unwrap_or(i64::MAX)
}
