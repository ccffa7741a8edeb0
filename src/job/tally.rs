//! What is counted of the windows of one name, and which window a row belongs to.
//!
//! The law of windows of rows (SEMANTICS S26): the rows of an input stand in the order of its files by name, and
//! in a file as they stand there; window `k` has the rows from `k * rows` on. Parts are read in parallel, each from its
//! first row's place on, so a window may be counted by several threads; counts and times merge in any order.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use driftlead_engine::accumulate::{Accumulator, Place, Placement, SlotKey};
use driftlead_engine::window::{Grid, Span};

use super::at::pane_of;
use crate::config::Window;
use crate::exit::{Error, Result};

/// The windows of one name and their counts.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) kind: Windowing,
    pub(super) accumulator: Accumulator,
}

/// What makes rows a window.
#[derive(Debug)]
pub(super) enum Windowing {
    /// All of them are one.
    Whole,
    /// Their event time.
    Time(Grid),
    /// Their place among all.
    Rows(Run),
}

/// Windows of so many rows each.
#[derive(Debug)]
pub(super) struct Run {
    length: NonZeroU64,
    /// The first and the last event time of each, where rows have any.
    seen: BTreeMap<u64, Span>,
}

impl Tally {
    /// Nothing counted yet, in the empty `accumulator`.
    pub(super) fn new(window: &Window, mut accumulator: Accumulator) -> Self {
        let kind = match (window.cut.and_then(|cut| cut.grid().ok()), window.rows) {
            (Some(grid), _) => Windowing::Time(grid),
            (None, Some(length)) => Windowing::Rows(Run { length, seen: BTreeMap::new() }),
            (None, None) => {
                // A batch without windows has its one window even without rows.
                accumulator.slot(&SlotKey::default());
                Windowing::Whole
            }
        };
        Self { kind, accumulator }
    }

    /// The pane of each of `n_rows` rows, the first of which that belongs anywhere comes after `before` others; rows whose
    /// time is `None` belong nowhere.
    pub(super) fn place(&mut self, times: Option<&[Option<i64>]>, n_rows: usize, before: u64) -> Placement {
        let mut placement = Placement::default();
        match (&mut self.kind, times) {
            (Windowing::Rows(run), times) => run.place(&mut placement, times, n_rows, before),
            (Windowing::Whole | Windowing::Time(_), None) => placement.push(Place::Pane(None), n_rows),
            (kind, Some(times)) => {
                let grid = if let Windowing::Time(grid) = kind { Some(*grid) } else { None };
                for time in times {
                    let place = match time {
                        Some(time) => Place::Pane(grid.map(|grid| grid.pane_of(*time).0)),
                        None => Place::Nowhere,
                    };
                    placement.push(place, 1);
                }
            }
        }
        placement
    }

    /// Adds what another thread has counted.
    ///
    /// # Errors
    ///
    /// None for the same windows on the same cells.
    pub(super) fn merge(&mut self, other: &Self) -> Result<()> {
        self.accumulator.merge(&other.accumulator).map_err(|error| Error::run(error.to_string()))?;
        if let (Windowing::Rows(own), Windowing::Rows(other)) = (&mut self.kind, &other.kind) {
            other.seen.iter().for_each(|(ordinal, span)| own.note(*ordinal, *span));
        }
        Ok(())
    }
}

impl Run {
    /// How many windows there are: all but the last are full.
    pub(super) fn windows(&self, accumulator: &Accumulator) -> u64 {
        let last = accumulator.slots().filter_map(|(key, _)| key.pane).max();
        last.map_or(0, |last| u64::try_from(last).unwrap_or_default() + 1)
    }

    /// The first and the last event time of a window.
    pub(super) fn seen(&self, ordinal: u64) -> Option<Span> {
        self.seen.get(&ordinal).copied()
    }

    /// Whether the input ended before the window was full.
    pub(super) fn is_partial(&self, accumulator: &Accumulator, ordinal: u64) -> bool {
        accumulator.rows_of(&[SlotKey { pane: Some(pane_of(ordinal)), segment: None }]) < self.length.get()
    }

    fn place(
        &mut self,
        placement: &mut Placement,
        times: Option<&[Option<i64>]>,
        n_rows: usize,
        before: u64,
    ) {
        let mut at = before;
        let Some(times) = times else {
            let mut left = n_rows as u64;
            while left > 0 {
                let run = left.min(self.length.get() - at % self.length);
                placement.push(
                    Place::Pane(Some(pane_of(at / self.length))),
                    usize::try_from(run).unwrap_or(n_rows),
                );
                at += run;
                left -= run;
            }
            return;
        };
        for time in times {
            let Some(time) = time else {
                placement.push(Place::Nowhere, 1);
                continue;
            };
            let ordinal = at / self.length;
            self.note(ordinal, Span { start: *time, end: *time });
            placement.push(Place::Pane(Some(pane_of(ordinal))), 1);
            at += 1;
        }
    }

    fn note(&mut self, ordinal: u64, span: Span) {
        let own = self.seen.entry(ordinal).or_insert(span);
        *own = Span { start: own.start.min(span.start), end: own.end.max(span.end) };
    }
}
