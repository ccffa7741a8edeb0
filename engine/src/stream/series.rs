//! One window name of one model over time.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::accumulate::{Accumulator, Place, SlotKey};
use crate::feature::FeatureCells;
use crate::stream::agenda::{Agenda, Due};
use crate::stream::clocks::Clocks;
use crate::stream::fate::{self, Fate, Run};
use crate::stream::panes::Panes;
use crate::stream::{Closing, PartitionId, Phase, Rows, Timing};
use crate::window::WindowIndex;
use crate::{Error, ErrorKind, Result};

/// What became of rows; the four add up to all that were given (I-ASIDE).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Rows counted in their pane.
    pub counted: u64,
    /// Rows whose pane was frozen by their own partition: `late_dropped` of SEMANTICS S14.
    pub late: u64,
    /// Rows in time for their partition whose pane was frozen, because the partition had been idle or unknown.
    pub late_after_final: u64,
    /// Rows without an event time.
    pub untimed: u64,
}

/// Rows of a pane that came too late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missed {
    pub(super) late: u64,
    pub(super) late_after_final: u64,
}

/// One window name of one model over time: its panes, the clocks of its partitions, and which window closes when.
///
/// The contract is *mutate, poll until `None`, mutate*: after [`add`](Self::add), [`assign`](Self::assign),
/// [`set_idle`](Self::set_idle), [`end`](Self::end) or [`retime`](Self::retime), and when
/// [`next_deadline`](Self::next_deadline) has come, the driver calls [`poll`](Self::poll) until it answers `None`.
/// Between two polls [`accumulator`](Self::accumulator) holds what the window that just closed is judged by. When all
/// are judged, [`release`](Self::release) drops what no window needs any more. [`head`](Self::head) and
/// [`dirty_slots`](Self::dirty_slots) can be stored at any moment, together with the positions of the source.
///
/// A partition holds the watermark from when it is assigned, or has its first row with an event time, until it is idle;
/// a row wakes an idle one. A partition that comes back behind the watermark, or is new there, does not move it back,
/// but holds it until it has caught up: its rows are late only by its own clock, and those whose pane was frozen
/// meanwhile are `late_after_final`.
#[derive(Debug)]
pub struct Series {
    pub(super) timing: Timing,
    pub(super) panes: Panes,
    pub(super) clocks: Clocks,
    pub(super) agenda: Agenda,
    /// By pane, for panes that an unfinished window needs.
    pub(super) missed: BTreeMap<i64, Missed>,
    pub(super) totals: Added,
    /// The smallest event time that was counted.
    pub(super) oldest: Option<i64>,
    /// Windows that start before this saw only some of their rows.
    pub(super) begins: Option<i64>,
    runs: Vec<Run>,
}

impl Series {
    /// A series that has seen nothing, for features with these cells.
    #[must_use]
    pub fn new(timing: Timing, cells: Vec<Arc<FeatureCells>>) -> Self {
        let timing = timing.floored();
        Self {
            timing,
            panes: Panes::new(cells),
            clocks: Clocks::default(),
            agenda: Agenda::new(&timing),
            missed: BTreeMap::new(),
            totals: Added::default(),
            oldest: None,
            begins: None,
            runs: Vec::new(),
        }
    }

    /// Counts rows of one partition, and moves its clock row by row: a row is late by what came before it.
    ///
    /// A column that cannot be read, or that has another number of rows than there are times, puts its feature into
    /// error in the panes of these rows and nowhere else (I-ONE).
    ///
    /// # Panics
    ///
    /// If a feature has no cells here or comes twice, or a split has fewer rows than there are times or names a segment
    /// that it does not have.
    pub fn add(&mut self, partition: PartitionId, batch: &Rows<'_>) -> Added {
        let mut clock = self.clocks.partitions.get(&partition).copied().unwrap_or_default();
        let frozen = self.agenda.frozen();
        fate::judge(&self.timing, frozen, &mut clock.newest, batch.times, &mut self.runs);
        let added = self.place(batch.times);
        if added.counted > 0 {
            self.panes.count(batch);
        }
        if added.untimed < batch.times.len() as u64 {
            clock.is_idle = false;
            self.clocks.partitions.insert(partition, clock);
            self.advance();
        }
        self.totals.add(&added);
        added
    }

    /// Makes a partition known before its first row: from now on it holds the watermark. One that is known stays as it
    /// is.
    pub fn assign(&mut self, partition: PartitionId) {
        self.clocks.partitions.entry(partition).or_default();
        self.advance();
    }

    /// Says whether a partition is idle: read to its end, and silent for a while (SEMANTICS S15). It need not be known.
    pub fn set_idle(&mut self, partition: PartitionId, is_idle: bool) {
        self.clocks.partitions.entry(partition).or_default().is_idle = is_idle;
        self.advance();
    }

    /// The input is over: every window is final. Rows that are added afterwards find their panes frozen.
    pub fn end(&mut self) {
        self.clocks.is_over = true;
        self.advance();
    }

    /// Other waiting times on the same grid. What is frozen stays so, however long the lateness becomes.
    ///
    /// # Errors
    ///
    /// `Plan` if the grid is another one, or more or fewer panes are to be kept: windows that lie elsewhere or are compared
    /// with other windows are another series. Then nothing is changed.
    pub fn retime(&mut self, timing: Timing) -> Result<()> {
        if timing.grid != self.timing.grid || timing.floored().keep != self.timing.keep {
            return Err(Error::new(
                ErrorKind::Plan,
                "a series keeps its windows' length, distance and offset, and how many it looks back: start a new series for others",
            ));
        }
        self.timing = timing.floored();
        self.advance();
        Ok(())
    }

    /// The next window that closes, in the order in which windows end; `None` if there is nothing to say until the next
    /// mutation or [`next_deadline`](Self::next_deadline).
    ///
    /// `now` is processing time in microseconds, from any fixed origin. It decides only when a window that took rows
    /// after its `OnTime` closing closes again as `Late`. A window closes as `Final` once, and then never again.
    #[must_use]
    pub fn poll(&mut self, now: i64) -> Option<Closing> {
        Some(match self.agenda.poll(now, self.timing.debounce)? {
            Due::Gap { first, last } => {
                self.forget_missed();
                Closing::Gap { first: WindowIndex(first), last: WindowIndex(last) }
            }
            Due::Window { window, phase, revision, is_empty } => {
                let missed = self.missed_of(window);
                if phase == Phase::Final {
                    self.forget_missed();
                }
                Closing::Window {
                    index: WindowIndex(window),
                    span: self.timing.grid.span(WindowIndex(window)),
                    phase,
                    revision,
                    late_rows: missed.late,
                    late_after_final: missed.late_after_final,
                    is_empty,
                }
            }
        })
    }

    /// Drops the panes that no unfinished window needs, and names their slots, for the store to delete. To be called
    /// when the windows that closed have been judged.
    #[must_use]
    pub fn release(&mut self) -> Vec<SlotKey> {
        let panes = self.agenda.release();
        panes.into_iter().flat_map(|pane| self.panes.remove(pane)).collect()
    }

    /// As [`release`](Self::release), with the last bytes of each slot, for whoever keeps counts beyond their windows.
    #[must_use]
    pub fn release_with_states(&mut self) -> Vec<(SlotKey, Vec<u8>)> {
        let panes = self.agenda.release();
        let mut released = Vec::new();
        for pane in panes {
            released.extend(self.panes.slots_of(pane));
            drop(self.panes.remove(pane));
        }
        released
    }

    /// The slots that took rows since [`mark_clean`](Self::mark_clean), each as bytes of its own: what has to be stored
    /// beside [`head`](Self::head).
    pub fn dirty_slots(&self) -> impl Iterator<Item = (SlotKey, Vec<u8>)> {
        self.panes.dirty_slots()
    }

    /// The slots that there are have been stored.
    pub fn mark_clean(&mut self) {
        self.panes.mark_clean();
    }

    /// What was counted, by pane and segment.
    #[must_use]
    pub fn accumulator(&self) -> &Accumulator {
        self.panes.accumulator()
    }

    /// The earliest processing time at which a window closes again because it took rows; `None` if none waits for that.
    #[must_use]
    pub fn next_deadline(&self) -> Option<i64> {
        self.agenda.next_deadline(self.timing.debounce)
    }

    /// The watermark, in microseconds of event time: `None` before the first, `i64::MAX` when the input is over.
    #[must_use]
    pub fn watermark(&self) -> Option<i64> {
        self.clocks.watermark
    }

    /// The largest event time seen in any partition; what [`Span::is_partial`](crate::window::Span::is_partial) asks
    /// for.
    #[must_use]
    pub fn newest(&self) -> Option<i64> {
        self.clocks.newest()
    }

    /// The smallest event time that was counted; what
    /// [`Span::may_lack_its_beginning`](crate::window::Span::may_lack_its_beginning) asks for.
    #[must_use]
    pub fn oldest(&self) -> Option<i64> {
        self.oldest
    }

    /// Says that rows up to the instant `at` were counted elsewhere: the series begins at the first border between panes
    /// after it. What it holds of windows that start earlier is a part of them.
    pub fn begin_after(&mut self, at: i64) {
        let grid = self.timing.grid;
        self.begins = Some(grid.pane_span(grid.pane_of(at)).end);
    }

    /// Where the series begins, if rows before that were counted elsewhere.
    #[must_use]
    pub fn begins(&self) -> Option<i64> {
        self.begins
    }

    /// The first pane that ever held a row: windows before it were never seen. When a window is final, no row can move it
    /// back to before that window any more.
    #[must_use]
    pub fn first_pane(&self) -> Option<i64> {
        self.oldest.map(|oldest| self.timing.grid.pane_of(oldest).0)
    }

    /// What became of all rows since the series began.
    #[must_use]
    pub fn totals(&self) -> Added {
        self.totals
    }

    /// Where windows lie and how long they wait.
    #[must_use]
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// Moves the watermark, and tells what it ends and freezes.
    pub(super) fn advance(&mut self) {
        self.clocks.advance(&self.timing);
        let (ended, frozen) = frontiers(&self.timing, &self.clocks);
        self.agenda.advance(ended, frozen);
    }

    /// Places the rows that were judged, and counts those that are not counted in a pane.
    fn place(&mut self, times: &[Option<i64>]) -> Added {
        let needed = self.agenda.first_open_pane();
        let mut added = Added::default();
        self.panes.placement.clear();
        let mut oldest_pane = self.oldest.map(|oldest| self.timing.grid.pane_of(oldest).0);
        let mut at = 0;
        for run in &self.runs {
            let n_rows = run.n_rows as u64;
            let of_run = at..at + run.n_rows;
            at = of_run.end;
            if run.fate == Fate::Counted && oldest_pane.is_none_or(|pane| run.pane <= pane) {
                let first = times[of_run].iter().flatten().copied().min();
                self.oldest = [self.oldest, first].into_iter().flatten().min();
                oldest_pane = Some(run.pane);
            }
            let mut missed = Missed::default();
            match run.fate {
                Fate::Counted => added.counted += n_rows,
                Fate::Late => (added.late, missed.late) = (added.late + n_rows, n_rows),
                Fate::AfterFinal => {
                    added.late_after_final += n_rows;
                    missed.late_after_final = n_rows;
                }
                Fate::Untimed => added.untimed += n_rows,
            }
            let is_counted = run.fate == Fate::Counted;
            let place = if is_counted { Place::Pane(Some(run.pane)) } else { Place::Nowhere };
            self.panes.placement.push(place, run.n_rows);
            if missed != Missed::default() && needed.is_none_or(|first| run.pane >= first) {
                self.missed.entry(run.pane).or_default().add(missed);
            }
        }
        for pane in self.panes.placement.panes().iter().flatten() {
            self.agenda.occupy(*pane);
        }
        added
    }

    fn missed_of(&self, window: i64) -> Missed {
        let mut sum = Missed::default();
        self.missed.range(self.agenda.panes_of(window)).for_each(|(_, missed)| sum.add(*missed));
        sum
    }

    fn forget_missed(&mut self) {
        let Some(first) = self.agenda.first_open_pane() else { return };
        if self.missed.first_key_value().is_some_and(|(pane, _)| *pane < first) {
            self.missed = self.missed.split_off(&first);
        }
    }
}

/// The last window that ended and the last pane that is frozen, as the watermark has it.
pub(super) fn frontiers(timing: &Timing, clocks: &Clocks) -> (Option<i64>, Option<i64>) {
    if clocks.is_over {
        let last = last_window(timing);
        return (Some(last), Some(last));
    }
    let watermark = clocks.watermark;
    (watermark.map(|at| timing.ended(at)), watermark.map(|at| timing.frozen(at)))
}

/// The last window that can hold a row.
pub(super) fn last_window(timing: &Timing) -> i64 {
    timing.grid.pane_of(i64::MAX).0 + timing.grid.panes_per_window() - 1
}

impl Missed {
    fn add(&mut self, other: Self) {
        self.late = self.late.saturating_add(other.late);
        self.late_after_final = self.late_after_final.saturating_add(other.late_after_final);
    }
}

impl Added {
    fn add(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.counted, other.counted),
            (&mut self.late, other.late),
            (&mut self.late_after_final, other.late_after_final),
            (&mut self.untimed, other.untimed),
        ] {
            *own = own.saturating_add(other);
        }
    }
}
