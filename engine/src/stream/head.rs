//! A series as bytes, apart from its panes: clocks, watermark, what was said of which window, counters.
//!
//! The layout stands in `docs/formats/state.md`. The waiting times are not in it: they belong to the configuration,
//! which may change between two runs. What is frozen is, so that no change opens it again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::accumulate::SlotKey;
use crate::codec::{self, Reader, Writer, damaged};
use crate::feature::FeatureCells;
use crate::stream::agenda::{Agenda, Said};
use crate::stream::clocks::{Clock, Clocks};
use crate::stream::series::{Missed, frontiers, last_window};
use crate::stream::{Added, CountSeries, PartitionId, Series, Timing};
use crate::window::{Grid, Pane};
use crate::{Error, ErrorKind, Result};

const SERIES: &[u8; 4] = b"dlw\0";
/// A series that keeps panes to compare windows with has one field more.
const MOVING: &[u8; 4] = b"dlv\0";

impl Series {
    /// Everything but the panes, as bytes. Equal series have equal bytes.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        let mut writer = codec::begin(magic_of(&self.timing));
        writer.text(&self.panes.features_id());
        for edge in grid_of(&self.timing.grid) {
            writer.long(edge);
        }
        writer.byte(u8::from(self.clocks.is_over));
        for instant in [self.clocks.watermark, self.agenda.frozen(), self.agenda.next()] {
            write_maybe(&mut writer, instant);
        }
        let totals = &self.totals;
        for count in [totals.counted, totals.late, totals.late_after_final, totals.untimed] {
            writer.count(count);
        }
        writer.count(self.clocks.partitions.len() as u64);
        for (partition, clock) in &self.clocks.partitions {
            writer.count(u64::from(partition.0));
            writer.byte(u8::from(clock.is_idle));
            write_maybe(&mut writer, clock.newest);
        }
        writer.count(self.agenda.said().len() as u64);
        for (window, said) in self.agenda.said() {
            writer.long(*window);
            writer.count(u64::from(said.revision));
            writer.long(said.at);
            writer.byte(u8::from(self.agenda.is_changed(*window)));
        }
        writer.count(self.missed.len() as u64);
        for (pane, missed) in &self.missed {
            writer.long(*pane);
            writer.count(missed.late);
            writer.count(missed.late_after_final);
        }
        write_maybe(&mut writer, self.oldest);
        write_maybe(&mut writer, self.begins);
        if self.timing.keep > 0 {
            writer.long(self.timing.keep);
        }
        writer.into_bytes()
    }

    /// The largest event time that the series of a stored [`head`](Self::head) has seen, whatever its windows and features
    /// are; of one of windows of rows too.
    ///
    /// # Errors
    ///
    /// `Codec` if the bytes are damaged, foreign, or of a newer version.
    pub fn newest_of(head: &[u8]) -> Result<Option<i64>> {
        if let Some(newest) = CountSeries::newest_of(head) {
            return newest;
        }
        let mut reader = codec::open(head, MOVING).or_else(|_| codec::open(head, SERIES))?;
        reader.text()?;
        for _ in 0..3 {
            reader.long()?;
        }
        let is_over = reader.flag()?;
        for _ in 0..3 {
            read_maybe(&mut reader)?;
        }
        for _ in 0..4 {
            reader.count()?;
        }
        let partitions = read_partitions(&mut reader)?;
        Ok(Clocks { partitions, watermark: None, is_over }.newest())
    }

    /// The series whose [`head`](Self::head) and slots these are: the latest bytes of every slot that
    /// [`dirty_slots`](Self::dirty_slots) named and [`release`](Self::release) did not. It goes on as the one that was
    /// stored would have; its slots are clean. The waiting times of `timing` hold from now on.
    ///
    /// # Errors
    ///
    /// `Mismatch` if the head is of other windows or other features; `Codec` if bytes are damaged, foreign, or of a
    /// newer version. Says which, and of which slot.
    pub fn restore(
        timing: Timing,
        cells: Vec<Arc<FeatureCells>>,
        head: &[u8],
        slots: impl Iterator<Item = (SlotKey, Vec<u8>)>,
    ) -> Result<Self> {
        let mut series = Self::new(timing, cells);
        let timing = series.timing;
        let mut reader = codec::open(head, magic_of(&timing))?;
        ensure_same(&mut reader, "features or edges", |reader| {
            Ok(reader.text()? == series.panes.features_id())
        })?;
        ensure_same(&mut reader, "windows", |reader| {
            Ok([reader.long()?, reader.long()?, reader.long()?] == grid_of(&timing.grid))
        })?;
        let is_over = reader.flag()?;
        let watermark = read_maybe(&mut reader)?;
        let (frozen, next) = (read_maybe(&mut reader)?, read_maybe(&mut reader)?);
        series.totals = Added {
            counted: reader.count()?,
            late: reader.count()?,
            late_after_final: reader.count()?,
            untimed: reader.count()?,
        };
        series.clocks = Clocks { partitions: read_partitions(&mut reader)?, watermark, is_over };
        let (ended, _) = frontiers(&timing, &series.clocks);
        ensure_in_order(&series.clocks, ended, frozen, next)?;
        let windows = next.unwrap_or(first_pane(&timing.grid))..=ended.unwrap_or(i64::MIN);
        let (said, changed) = read_said(&mut reader, |window| windows.contains(&window))?;
        let panes = first_pane(&timing.grid)..=last_window(&timing);
        series.missed = read_missed(&mut reader, |pane| panes.contains(&pane))?;
        series.oldest = read_maybe(&mut reader)?;
        series.begins = read_maybe(&mut reader)?;
        if series.oldest > series.clocks.newest() {
            return Err(damaged("the oldest row is newer than the newest".to_owned()));
        }
        if timing.keep > 0 {
            ensure_same(&mut reader, "windows before it", |reader| Ok(reader.long()? == timing.keep))?;
        }
        reader.ensure_end()?;
        series.panes.restore(first_pane(&timing.grid)..=timing.grid.pane_of(i64::MAX).0, slots)?;
        let occupied: BTreeSet<i64> = series.panes.occupied().map(|(pane, _)| pane).collect();
        if timing.keep > 0
            && occupied.first().is_some_and(|pane| series.first_pane().is_none_or(|first| first > *pane))
        {
            return Err(damaged("a pane lies before the first that held rows".to_owned()));
        }
        series.agenda = Agenda::restored(&timing, occupied, (next, frozen), (said, changed));
        series.advance();
        Ok(series)
    }
}

/// How the bytes begin.
fn magic_of(timing: &Timing) -> &'static [u8; 4] {
    if timing.keep > 0 { MOVING } else { SERIES }
}

/// The length, the distance and the offset of windows.
fn grid_of(grid: &Grid) -> [i64; 3] {
    [grid.length_us(), grid.every_us(), grid.pane_span(Pane(0)).start]
}

fn first_pane(grid: &Grid) -> i64 {
    grid.pane_of(i64::MIN).0
}

/// Reads what names a part of the model, and compares it.
pub(super) fn ensure_same<'a>(
    reader: &mut Reader<'a>,
    what: &str,
    is_same: impl FnOnce(&mut Reader<'a>) -> Result<bool>,
) -> Result<()> {
    if is_same(reader)? {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Mismatch,
        format!("the stored series has other {what} than the model: start a new series for these"),
    ))
}

/// What follows from how clocks move; what is computed from them relies on it.
fn ensure_in_order(
    clocks: &Clocks,
    ended: Option<i64>,
    frozen: Option<i64>,
    next: Option<i64>,
) -> Result<()> {
    let watermark_fits =
        if clocks.is_over { clocks.watermark == Some(i64::MAX) } else { clocks.watermark <= clocks.newest() };
    if !watermark_fits {
        return Err(damaged("the watermark lies beyond every row".to_owned()));
    }
    if frozen.is_some() != ended.is_some() || frozen > ended {
        return Err(damaged("panes are frozen that have not ended".to_owned()));
    }
    if next.is_some_and(|next| frozen.is_none_or(|frozen| next.saturating_sub(1) > frozen)) {
        return Err(damaged("a window is final that is not frozen".to_owned()));
    }
    Ok(())
}

fn read_partitions(reader: &mut Reader<'_>) -> Result<BTreeMap<PartitionId, Clock>> {
    let mut partitions = BTreeMap::new();
    for _ in 0..reader.length(3)? {
        let number = reader.count()?;
        let partition = u32::try_from(number)
            .ok()
            .map(PartitionId)
            .filter(|partition| partitions.last_key_value().is_none_or(|(last, _)| last < partition))
            .ok_or_else(|| damaged(format!("partition {number} is out of order")))?;
        let is_idle = reader.flag()?;
        partitions.insert(partition, Clock { newest: read_maybe(reader)?, is_idle });
    }
    Ok(partitions)
}

fn read_said(
    reader: &mut Reader<'_>,
    can_be: impl Fn(i64) -> bool,
) -> Result<(BTreeMap<i64, Said>, BTreeSet<i64>)> {
    let (mut said, mut changed) = (BTreeMap::new(), BTreeSet::new());
    for _ in 0..reader.length(18)? {
        let window = reader.long()?;
        if !can_be(window) || said.last_key_value().is_some_and(|(last, _)| *last >= window) {
            return Err(damaged(format!("window {window} is out of order")));
        }
        let revision = reader.count()?;
        let revision =
            u32::try_from(revision).map_err(|_| damaged(format!("revision {revision} of a window")))?;
        said.insert(window, Said { revision, at: reader.long()? });
        if reader.flag()? {
            changed.insert(window);
        }
    }
    Ok((said, changed))
}

fn read_missed(reader: &mut Reader<'_>, can_be: impl Fn(i64) -> bool) -> Result<BTreeMap<i64, Missed>> {
    let mut by_pane = BTreeMap::new();
    for _ in 0..reader.length(10)? {
        let pane = reader.long()?;
        if !can_be(pane) || by_pane.last_key_value().is_some_and(|(last, _)| *last >= pane) {
            return Err(damaged(format!("pane {pane} is out of order")));
        }
        by_pane.insert(pane, Missed { late: reader.count()?, late_after_final: reader.count()? });
    }
    Ok(by_pane)
}

pub(super) fn write_maybe(writer: &mut Writer, instant: Option<i64>) {
    writer.byte(u8::from(instant.is_some()));
    if let Some(instant) = instant {
        writer.long(instant);
    }
}

pub(super) fn read_maybe(reader: &mut Reader<'_>) -> Result<Option<i64>> {
    Ok(if reader.flag()? { Some(reader.long()?) } else { None })
}
