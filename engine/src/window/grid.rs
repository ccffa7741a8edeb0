//! The grid of windows in event time: SEMANTICS S13.
//!
//! Time is cut into *panes* `[offset + k every, offset + (k + 1) every)`, half open, in microseconds since
//! 1970-01-01T00:00:00Z. A window is a run of `length / every` panes, so a window's state is the plain sum of its
//! panes' states, and every row is counted once, in one pane. Windows of a multiple of seven days start on a Monday.
//!
//! Panes and windows are numbered, and the numbers are exact for every `i64` instant. Only [`Grid::span`] and
//! [`Grid::pane_span`], which turn numbers back into instants, saturate at the ends of `i64` (the year 292,277).

use std::ops::RangeInclusive;

use crate::error::{Error, ErrorKind, Result};

/// The shortest pane, in microseconds: a millisecond. It keeps every number of a pane or window within `i64`.
pub const MIN_PANE_US: i64 = 1_000;

/// Empty windows in a row beyond which they are reported as one gap.
pub const MAX_EMPTY_WINDOWS: u64 = 1_000;

const DAY_US: i64 = 86_400_000_000;
const WEEK_US: i64 = 7 * DAY_US;
/// 1970-01-05 was the first Monday after the epoch, a Thursday.
const MONDAY_US: i64 = 4 * DAY_US;

/// The number of a pane: pane `k` starts at `offset + k every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pane(pub i64);

/// The number of a window: that of its last pane, so that windows are numbered in the order in which they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowIndex(pub i64);

/// A half-open interval of event time, in microseconds since the epoch (UTC; naive timestamps are UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first microsecond.
    pub start: i64,
    /// The first microsecond after.
    pub end: i64,
}

impl Span {
    /// Whether the instant `t` lies inside.
    #[must_use]
    pub fn contains(self, t: i64) -> bool {
        self.start <= t && t < self.end
    }

    /// Whether the window is marked partial: `since` or `until` cuts it, or its end lies beyond the newest event by
    /// more than `out_of_orderness` microseconds (the data stop inside it).
    ///
    /// `since` is the first instant that was admitted, `until` the first that was not; `newest` is the newest event
    /// time of the input, `None` if it had none.
    #[must_use]
    pub fn is_partial(
        self,
        since: Option<i64>,
        until: Option<i64>,
        newest: Option<i64>,
        out_of_orderness: i64,
    ) -> bool {
        since.is_some_and(|since| since > self.start)
            || until.is_some_and(|until| until < self.end)
            || newest.is_some_and(|newest| {
                i128::from(self.end) - i128::from(newest) > i128::from(out_of_orderness)
            })
    }
}

impl Span {
    /// Whether rows of the window may be missing because the input began inside it: its start lies before the oldest
    /// event by more than `out_of_orderness` microseconds, and `since`, from which on all rows were admitted, is later or
    /// not said. It is the other end of [`is_partial`](Self::is_partial), and no reason to call a window partial: rows
    /// may as well have begun late.
    #[must_use]
    pub fn may_lack_its_beginning(
        self,
        since: Option<i64>,
        oldest: Option<i64>,
        out_of_orderness: i64,
    ) -> bool {
        since.is_none_or(|since| since > self.start)
            && oldest.is_some_and(|oldest| {
                i128::from(oldest) - i128::from(self.start) > i128::from(out_of_orderness)
            })
    }
}

/// One entry of the list of windows between the first and the last that hold rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A window that holds rows.
    Occupied(WindowIndex),
    /// A window without rows, between windows that have some.
    Empty(WindowIndex),
    /// More than [`MAX_EMPTY_WINDOWS`] empty windows in a row, as one record.
    Gap {
        /// The first of them.
        first: WindowIndex,
        /// The last of them.
        last: WindowIndex,
    },
}

/// Where panes and windows begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    length: i64,
    every: i64,
    /// In `[0, every)`; holds the shift to Monday.
    base: i64,
}

impl Grid {
    /// A grid of windows of `length_us` microseconds, one ending every `every_us`, shifted by `offset_us` from the
    /// epoch, or from its first Monday for lengths that are a multiple of seven days.
    ///
    /// # Errors
    /// `Plan`, when `every_us` is shorter than [`MIN_PANE_US`] or does not divide `length_us`.
    pub fn new(length_us: i64, every_us: i64, offset_us: i64) -> Result<Self> {
        if every_us < MIN_PANE_US {
            return Err(Error::new(
                ErrorKind::Plan,
                format!("windows can end at most every `{MIN_PANE_US}` us, not every `{every_us}` us"),
            ));
        }
        if length_us < every_us || length_us % every_us != 0 {
            return Err(Error::new(
                ErrorKind::Plan,
                format!(
                    "`every` must divide the window's length: `{every_us}` us does not divide `{length_us}` us; \
                     rows would fall between windows or windows could not be summed from whole panes"
                ),
            ));
        }
        let monday = if length_us % WEEK_US == 0 { MONDAY_US } else { 0 };
        let base = (i128::from(offset_us) + i128::from(monday)).rem_euclid(i128::from(every_us));
        Ok(Self { length: length_us, every: every_us, base: saturate(base) })
    }

    /// The length of a window, in microseconds.
    #[must_use]
    pub fn length_us(&self) -> i64 {
        self.length
    }

    /// The length of a pane and the distance between the ends of windows, in microseconds: since `every` divides
    /// `length`, it is their greatest common divisor.
    #[must_use]
    pub fn every_us(&self) -> i64 {
        self.every
    }

    /// Where panes begin: the first border between panes at or after the epoch, in `[0, every)` microseconds. Grids of one
    /// [`every_us`](Self::every_us) and base have the same panes.
    #[must_use]
    pub fn base_us(&self) -> i64 {
        self.base
    }

    /// How many panes make a window; at least 1.
    #[must_use]
    pub fn panes_per_window(&self) -> i64 {
        self.length / self.every
    }

    /// The pane that holds the instant `t`, any `i64`.
    #[must_use]
    pub fn pane_of(&self, t: i64) -> Pane {
        // `base` is in [0, every), so a pane's number is that of the epoch's grid or one less.
        let below_base = t.rem_euclid(self.every) < self.base;
        Pane(t.div_euclid(self.every) - i64::from(below_base))
    }

    /// The windows that contain a pane, in the order in which they end: [`Self::panes_per_window`] of them.
    pub fn windows_of_pane(&self, pane: Pane) -> impl Iterator<Item = WindowIndex> + use<> {
        (pane.0..=pane.0.saturating_add(self.reach())).map(WindowIndex)
    }

    /// The first and the last pane of a window, as a range for lookups in ordered maps.
    #[must_use]
    pub fn panes_of_window(&self, window: WindowIndex) -> RangeInclusive<Pane> {
        Pane(window.0.saturating_sub(self.reach()))..=Pane(window.0)
    }

    /// When a pane begins and ends; saturating.
    #[must_use]
    pub fn pane_span(&self, pane: Pane) -> Span {
        Span { start: self.edge(pane.0), end: self.edge(pane.0.saturating_add(1)) }
    }

    /// When a window begins and ends; saturating.
    #[must_use]
    pub fn span(&self, window: WindowIndex) -> Span {
        Span {
            start: self.edge(window.0.saturating_sub(self.reach())),
            end: self.edge(window.0.saturating_add(1)),
        }
    }

    /// The windows from the first to the last that hold rows, given the panes that do, in ascending order; empty
    /// windows between them are listed, more than [`MAX_EMPTY_WINDOWS`] in a row as one [`Slot::Gap`].
    pub fn slots<I>(&self, panes: I) -> impl Iterator<Item = Slot> + use<I>
    where
        I: IntoIterator<Item = Pane>,
    {
        let reach = self.reach();
        let mut next: Option<i64> = None;
        panes.into_iter().flat_map(move |Pane(pane)| {
            let last = pane.saturating_add(reach);
            let first = next.map_or(pane, |next| next.max(pane));
            let (gap, empty) = match next {
                Some(next) if next < pane => {
                    if pane.abs_diff(next) > MAX_EMPTY_WINDOWS {
                        let gap = Slot::Gap { first: WindowIndex(next), last: WindowIndex(pane - 1) };
                        (Some(gap), None)
                    } else {
                        (None, Some(next..pane))
                    }
                }
                _ => (None, None),
            };
            next = Some(last.saturating_add(1));
            let empty = empty.into_iter().flatten().map(|k| Slot::Empty(WindowIndex(k)));
            gap.into_iter().chain(empty).chain((first..=last).map(|k| Slot::Occupied(WindowIndex(k))))
        })
    }

    /// How far the last window of a pane, and the first pane of a window, lie from it.
    fn reach(&self) -> i64 {
        self.panes_per_window() - 1
    }

    /// The instant at which pane `k` begins, beyond `i64` where it must.
    fn exact_edge(&self, k: i64) -> i128 {
        i128::from(k) * i128::from(self.every) + i128::from(self.base)
    }

    fn edge(&self, k: i64) -> i64 {
        saturate(self.exact_edge(k))
    }
}

fn saturate(x: i128) -> i64 {
    i64::try_from(x).unwrap_or(if x < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
