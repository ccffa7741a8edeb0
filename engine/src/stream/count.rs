//! Windows of a fixed number of rows: SEMANTICS S26.
//!
//! Which rows share a window is decided by their order alone, so the source has to have one: a single partition, totally
//! ordered. The first partition that is assigned is the one, and rows of any other are refused. There is no watermark and
//! no lateness; a window is final when it is full.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use crate::accumulate::{Accumulator, Place, SlotKey};
use crate::codec::{self, Reader, damaged};
use crate::feature::FeatureCells;
use crate::stream::head::{ensure_same, read_maybe, write_maybe};
use crate::stream::panes::Panes;
use crate::stream::{Added, PartitionId, Rows};
use crate::window::Span;
use crate::{Error, ErrorKind, Result};

const COUNT_SERIES: &[u8; 4] = b"dlc\0";

/// How rows make windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowCut {
    /// How many rows a window has.
    pub rows: NonZeroU64,
    /// How many windows before an unfinished one are kept, because it is compared with them (SEMANTICS S25).
    pub keep: u64,
    /// Whether rows have event times: then a row without one was set aside, and each window knows which it saw.
    pub is_timed: bool,
}

/// A window of rows that is full, or the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountClosing {
    /// Its number in the source; also that of its only pane.
    pub ordinal: u64,
    /// How many rows it has: at least 1.
    pub rows: u64,
    /// From its first event time to its last, both of them seen; `None` if rows have none.
    pub seen: Option<Span>,
    /// Whether the input ended before it was full.
    pub is_partial: bool,
}

/// Windows of so many rows each, of one totally ordered partition; the contract is that of
/// [`Series`](crate::stream::Series): mutate, poll until `None`, mutate.
///
/// A row whose time is `None` was set aside: it takes no place in a window. Where rows have no times, any will do.
#[derive(Debug)]
pub struct CountSeries {
    cut: RowCut,
    panes: Panes,
    /// The only partition that it takes rows of.
    partition: Option<PartitionId>,
    /// The number of its first window.
    first: u64,
    /// Rows counted so far: where the next one stands.
    counted: u64,
    /// Rows set aside, and rows that came after the end.
    untimed: u64,
    after_end: u64,
    /// The first window that did not close.
    next: u64,
    /// The event times of windows that did not close.
    seen: BTreeMap<u64, Span>,
    newest: Option<i64>,
    is_over: bool,
}

impl CountSeries {
    /// A series that has seen nothing, for features with these cells. Its first window is number `first`: 0, or where an
    /// earlier series of the same name ended.
    #[must_use]
    pub fn new(cut: RowCut, first: u64, cells: Vec<Arc<FeatureCells>>) -> Self {
        Self {
            cut,
            panes: Panes::new(cells),
            partition: None,
            first,
            counted: 0,
            untimed: 0,
            after_end: 0,
            next: first,
            seen: BTreeMap::new(),
            newest: None,
            is_over: false,
        }
    }

    /// Makes a partition the one whose rows are counted.
    ///
    /// # Errors
    ///
    /// `Plan` if there is another one: the rows of two have no order.
    pub fn assign(&mut self, partition: PartitionId) -> Result<()> {
        let own = *self.partition.get_or_insert(partition);
        if own == partition {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Plan,
            format!(
                "windows of rows are of partition `{}`, and rows of `{}` have no place among its rows: expected one \
                 partition",
                own.0, partition.0
            ),
        ))
    }

    /// Counts rows in the order in which they came. Columns that cannot be read are treated as by
    /// [`Series::add`](crate::stream::Series::add).
    ///
    /// # Errors
    ///
    /// As [`assign`](Self::assign); then nothing is counted.
    ///
    /// # Panics
    ///
    /// As [`Series::add`](crate::stream::Series::add).
    pub fn add(&mut self, partition: PartitionId, batch: &Rows<'_>) -> Result<Added> {
        self.assign(partition)?;
        let mut added = Added::default();
        let mut open: Option<(u64, Span)> = None;
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
                Some(time) => {
                    let ordinal = self.ordinal_of(self.counted + added.counted);
                    added.counted += 1;
                    match &mut open {
                        Some((own, span)) if *own == ordinal => *span = widened(*span, *time),
                        _ => {
                            self.note(open.take());
                            open = Some((ordinal, Span { start: *time, end: *time }));
                        }
                    }
                    Place::Pane(Some(pane_of(ordinal)))
                }
            };
            if self.cut.is_timed {
                self.newest = self.newest.max(*time);
            }
            self.panes.placement.push(place, 1);
        }
        self.note(open);
        if added.counted > 0 {
            self.panes.count(batch);
        }
        self.counted += added.counted;
        self.untimed += added.untimed;
        self.after_end += added.late_after_final;
        Ok(added)
    }

    /// The input is over: a window that is not full closes too.
    pub fn end(&mut self) {
        self.is_over = true;
    }

    /// The next window that closes, for good, in the order of their numbers; `None` if none is full.
    #[must_use]
    pub fn poll(&mut self) -> Option<CountClosing> {
        let rows = self.rows_of(self.next);
        let is_partial = rows < self.cut.rows.get();
        if rows == 0 || (is_partial && !self.is_over) {
            return None;
        }
        let ordinal = self.next;
        self.next += 1;
        let seen = self.seen.remove(&ordinal);
        Some(CountClosing { ordinal, rows, seen, is_partial })
    }

    /// Drops the panes of windows that closed and that none is compared with any more, and names their slots, for the
    /// store to delete.
    #[must_use]
    pub fn release(&mut self) -> Vec<SlotKey> {
        let closed = self.closed_panes();
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

    /// The pane of its first window, once a row was counted: those before it were never seen.
    #[must_use]
    pub fn first_pane(&self) -> Option<i64> {
        (self.counted > 0).then(|| pane_of(self.first))
    }

    /// The partition whose rows are counted, once there is one.
    #[must_use]
    pub fn partition(&self) -> Option<PartitionId> {
        self.partition
    }

    /// The largest event time seen; `None` also where rows have none.
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
        writer.count(self.cut.rows.get());
        writer.count(self.cut.keep);
        writer.byte(u8::from(self.cut.is_timed));
        writer.byte(u8::from(self.is_over));
        for count in [self.first, self.counted, self.after_end, self.untimed, self.next] {
            writer.count(count);
        }
        write_maybe(&mut writer, self.newest);
        write_maybe(&mut writer, self.partition.map(|partition| i64::from(partition.0)));
        for span in self.seen.values() {
            writer.long(span.start);
            writer.long(span.end);
        }
        writer.into_bytes()
    }

    /// The series whose [`head`](Self::head) and slots these are; see
    /// [`Series::restore`](crate::stream::Series::restore).
    ///
    /// # Errors
    ///
    /// `Mismatch` if the head is of other windows or of other features; `Codec` if bytes are damaged, foreign, or of a
    /// newer version, or slots are missing. Says which.
    pub fn restore(
        cut: RowCut,
        cells: Vec<Arc<FeatureCells>>,
        head: &[u8],
        slots: impl Iterator<Item = (SlotKey, Vec<u8>)>,
    ) -> Result<Self> {
        let mut series = Self::new(cut, 0, cells);
        let mut reader = codec::open(head, COUNT_SERIES)?;
        ensure_same(&mut reader, "features or edges", |reader| {
            Ok(reader.text()? == series.panes.features_id())
        })?;
        ensure_same(&mut reader, "windows", |reader| {
            Ok(reader.count()? == cut.rows.get()
                && reader.count()? == cut.keep
                && reader.flag()? == cut.is_timed)
        })?;
        series.is_over = reader.flag()?;
        let counts = read_counts(&mut reader)?;
        [series.first, series.counted, series.after_end, series.untimed, series.next] = counts;
        series.newest = read_maybe(&mut reader)?;
        series.partition = read_maybe(&mut reader)?
            .map(|number| u32::try_from(number).map_err(|_| damaged(format!("partition {number}"))))
            .transpose()?
            .map(PartitionId);
        if !(series.first..=series.end_of_last()).contains(&series.next) {
            return Err(damaged(format!("window {} closed without rows", series.next.saturating_sub(1))));
        }
        if cut.is_timed {
            for ordinal in series.next..series.end_of_last() {
                let span = Span { start: reader.long()?, end: reader.long()? };
                if span.start > span.end || series.newest.is_none_or(|newest| span.end > newest) {
                    return Err(damaged(format!("window {ordinal} has times that were not seen")));
                }
                series.seen.insert(ordinal, span);
            }
        }
        reader.ensure_end()?;
        series.panes.restore(pane_of(series.first)..=pane_of(series.end_of_last()) - 1, slots)?;
        series.ensure_rows()?;
        Ok(series)
    }

    /// The largest event time that the series of a stored [`head`](Self::head) has seen; `None` if the head is of another
    /// kind of series.
    pub(super) fn newest_of(head: &[u8]) -> Option<Result<Option<i64>>> {
        let mut reader = codec::open(head, COUNT_SERIES).ok()?;
        let mut read = || {
            reader.text()?;
            reader.count()?;
            reader.count()?;
            reader.flag()?;
            reader.flag()?;
            read_counts(&mut reader)?;
            read_maybe(&mut reader)
        };
        Some(read())
    }

    /// The window of the row that `before` rows of this series come before.
    fn ordinal_of(&self, before: u64) -> u64 {
        self.first.saturating_add(before / self.cut.rows)
    }

    /// The rows that window `ordinal` has so far.
    fn rows_of(&self, ordinal: u64) -> u64 {
        let windows = ordinal.saturating_sub(self.first);
        let before = windows.saturating_mul(self.cut.rows.get());
        self.counted.saturating_sub(before).min(self.cut.rows.get())
    }

    /// The window after the last that has rows.
    fn end_of_last(&self) -> u64 {
        self.counted.checked_sub(1).map_or(self.first, |last| self.ordinal_of(last) + 1)
    }

    /// The first window that is compared with, or that did not close.
    fn first_needed(&self) -> u64 {
        self.next.saturating_sub(self.cut.keep).max(self.first)
    }

    fn closed_panes(&self) -> Vec<i64> {
        let needed = pane_of(self.first_needed());
        self.panes.occupied().map(|(pane, _)| pane).take_while(|pane| *pane < needed).collect()
    }

    /// Adds the times of some rows to those of their window.
    fn note(&mut self, open: Option<(u64, Span)>) {
        if let Some((ordinal, span)) = open.filter(|_| self.cut.is_timed) {
            let own = self.seen.entry(ordinal).or_insert(span);
            *own = widened(widened(*own, span.start), span.end);
        }
    }

    /// I-LOST: every window that is needed has the rows that were counted in it.
    fn ensure_rows(&self) -> Result<()> {
        let needed = self.first_needed();
        let mut expected = needed..self.end_of_last();
        for (pane, rows) in self.panes.occupied() {
            let ordinal = u64::try_from(pane).unwrap_or_default();
            if ordinal >= needed && expected.next() != Some(ordinal) {
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

/// The most that a number of rows or windows in stored bytes is believed to be.
const MOST: u64 = 1 << 61;

/// The first window; rows counted, after the end and set aside; the first window that did not close.
fn read_counts(reader: &mut Reader<'_>) -> Result<[u64; 5]> {
    let mut counts = [0; 5];
    for count in &mut counts {
        *count = reader.count()?;
    }
    // More than rows of one a nanosecond in a lifetime: what is counted on cannot overflow.
    if counts.iter().any(|count| *count > MOST) {
        return Err(damaged("more rows than there can be".to_owned()));
    }
    Ok(counts)
}

fn widened(span: Span, time: i64) -> Span {
    Span { start: span.start.min(time), end: span.end.max(time) }
}

/// The pane of a window; windows have at least one row, so there are no more than rows.
fn pane_of(ordinal: u64) -> i64 {
    i64::try_from(ordinal).unwrap_or(i64::MAX)
}
