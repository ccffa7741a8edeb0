//! Which window closes next: SEMANTICS S13 to S15.
//!
//! The law: the final closings, in their order, are [`Grid::slots`](crate::window::Grid::slots) over the panes that hold
//! rows. `slots` sees all rows at once; here rows still come, so a window without rows waits until it is known to lie
//! between two that have some, and a run of more than [`MAX_EMPTY_WINDOWS`] until no row can end it any more.
//!
//! Windows are numbered by their last pane, so a window ends where the pane of its number does, and the frontiers
//! (panes that ended, panes that are frozen) are frontiers of windows too.

use std::collections::{BTreeMap, BTreeSet};

use crate::stream::{Phase, Timing};
use crate::window::MAX_EMPTY_WINDOWS;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Something is said of one window.
    Window { window: i64, phase: Phase, revision: u32, is_empty: bool },
    /// A run of empty windows is over.
    Gap { first: i64, last: i64 },
}

/// What was last said of a window that is not final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) revision: u32,
    /// Processing time.
    pub(super) at: i64,
}

/// What was said of which window, and what is to be said.
#[derive(Clone, Debug)]
pub(super) struct Agenda {
    /// How far the last window of a pane, and the first pane of a window, lie from it.
    reach: i64,
    /// How many panes before a window's first it is compared with.
    keep: i64,
    /// The panes that hold rows and that an unfinished window needs, and maybe some before them.
    occupied: BTreeSet<i64>,
    /// The first window of which the last word was not said; `None` before the first last word.
    next: Option<i64>,
    /// The last window that ended, and the last that takes no more rows. Neither moves back.
    ended: Option<i64>,
    frozen: Option<i64>,
    /// Unfinished windows of which something was said, and those of them that took rows since.
    said: BTreeMap<i64, Said>,
    changed: BTreeSet<i64>,
    /// Windows before this one need no first word. It only saves looking: every look begins there.
    looked_to: i64,
}

impl Agenda {
    pub(super) fn new(timing: &Timing) -> Self {
        Self {
            reach: timing.grid.panes_per_window() - 1,
            keep: timing.keep,
            occupied: BTreeSet::new(),
            next: None,
            ended: None,
            frozen: None,
            said: BTreeMap::new(),
            changed: BTreeSet::new(),
            looked_to: i64::MIN,
        }
    }

    /// An agenda as it was when it was stored; what was said is of windows not before `next`.
    pub(super) fn restored(
        timing: &Timing,
        occupied: BTreeSet<i64>,
        (next, frozen): (Option<i64>, Option<i64>),
        (said, changed): (BTreeMap<i64, Said>, BTreeSet<i64>),
    ) -> Self {
        Self { occupied, next, frozen, said, changed, ..Self::new(timing) }
    }

    /// Rows were counted in `pane`.
    pub(super) fn occupy(&mut self, pane: i64) {
        if self.occupied.insert(pane) && self.ended.is_some_and(|ended| pane <= ended) {
            // Windows that were passed over, because they were empty, may now have something to say.
            self.looked_to = i64::MIN;
        }
        let windows = pane..=pane.saturating_add(self.reach);
        self.changed.extend(self.said.range(windows).map(|(window, _)| *window));
    }

    /// The watermark moved: windows up to `ended` ended, panes up to `frozen` take no more rows.
    pub(super) fn advance(&mut self, ended: Option<i64>, frozen: Option<i64>) {
        self.ended = self.ended.max(ended);
        self.frozen = self.frozen.max(frozen);
    }

    /// The next thing that is due at processing time `now`, as said; in the order in which windows end.
    pub(super) fn poll(&mut self, now: i64, debounce: i64) -> Option<Due> {
        // What is final lies before what is not.
        self.poll_final().or_else(|| self.poll_provisional(now, debounce))
    }

    fn poll_final(&mut self) -> Option<Due> {
        let (ended, frozen) = (self.ended?, self.frozen?);
        let window = self.next.or_else(|| self.occupied.first().copied())?;
        let filled = self.filled_from(window)?;
        let is_listed = filled.abs_diff(window) <= MAX_EMPTY_WINDOWS;
        if !is_listed {
            // A row in a pane that is not frozen could still end the run.
            if filled > frozen {
                return None;
            }
            self.next = Some(filled);
            return Some(Due::Gap { first: window, last: filled - 1 });
        }
        if window > frozen || filled > ended {
            return None;
        }
        self.next = Some(window + 1);
        self.changed.remove(&window);
        let revision = self.said.remove(&window).map_or(0, |said| said.revision.saturating_add(1));
        Some(Due::Window { window, phase: Phase::Final, revision, is_empty: window < filled })
    }

    fn poll_provisional(&mut self, now: i64, debounce: i64) -> Option<Due> {
        let on_time = self.unsaid();
        let is_due =
            |window: &&i64| self.said.get(window).is_some_and(|said| said.at.saturating_add(debounce) <= now);
        let late = self.changed.iter().find(is_due).copied();
        let (window, phase) = match (on_time, late) {
            (Some(on_time), Some(late)) if late < on_time => (late, Phase::Late),
            (Some(on_time), _) => (on_time, Phase::OnTime),
            (None, late) => (late?, Phase::Late),
        };
        let revision = self.said.get(&window).map_or(0, |said| said.revision.saturating_add(1));
        self.said.insert(window, Said { revision, at: now });
        self.changed.remove(&window);
        let is_empty = self.filled_from(window) != Some(window);
        Some(Due::Window { window, phase, revision, is_empty })
    }

    /// The first window that ended, is not frozen, and of which nothing was said though there is something to say.
    fn unsaid(&mut self) -> Option<i64> {
        let ended = self.ended?;
        let mut window = self.looked_to.max(self.first_open());
        let mut found = None;
        while found.is_none() && window <= ended {
            let Some(filled) = self.filled_from(window).filter(|filled| *filled <= ended) else { break };
            // Before the first window with rows nothing is listed; a long run waits until it is final.
            let run = self.run_start(window).map(|start| filled.abs_diff(start));
            if window < filled && run.is_none_or(|run| run > MAX_EMPTY_WINDOWS) {
                window = filled;
            }
            if self.said.contains_key(&window) {
                window += 1;
            } else {
                found = Some(window);
            }
        }
        // Never beyond what ended: there, a pane before the first could still come to hold rows.
        self.looked_to = window.min(ended + 1);
        found
    }

    /// The first window that may be open.
    fn first_open(&self) -> i64 {
        let thawed = self.frozen.map_or(i64::MIN, |frozen| frozen + 1);
        thawed.max(self.next.or_else(|| self.occupied.first().copied()).unwrap_or(i64::MIN))
    }

    /// The first window from `window` on that holds rows.
    fn filled_from(&self, window: i64) -> Option<i64> {
        let pane = self.occupied.range(window.saturating_sub(self.reach)..).next()?;
        Some(window.max(*pane))
    }

    /// Where the run of empty windows that holds `window` began, as far as it was not said to be final.
    fn run_start(&self, window: i64) -> Option<i64> {
        let before = self.occupied.range(..window.saturating_sub(self.reach)).next_back();
        before.map(|pane| pane.saturating_add(self.reach) + 1).max(self.next)
    }

    /// Windows from this one on are unfinished, so panes that lie more than a window before it take part in none.
    pub(super) fn first_open_pane(&self) -> Option<i64> {
        let unfinished = self.next.or_else(|| {
            // Before the first last word: what is frozen and holds rows waits for its own.
            let thawed = self.frozen? + 1;
            Some(self.occupied.first().map_or(thawed, |pane| thawed.min(*pane)))
        })?;
        Some(unfinished.saturating_sub(self.reach))
    }

    /// Panes before this one are needed no more: neither in a window nor to compare one with.
    fn first_needed_pane(&self) -> Option<i64> {
        Some(self.first_open_pane()?.saturating_sub(self.keep))
    }

    /// Forgets the panes that no unfinished window needs, and says which.
    pub(super) fn release(&mut self) -> BTreeSet<i64> {
        let Some(first) = self.first_needed_pane() else { return BTreeSet::new() };
        let needed = self.occupied.split_off(&first);
        std::mem::replace(&mut self.occupied, needed)
    }

    /// The earliest processing time at which a window that took rows is due.
    pub(super) fn next_deadline(&self, debounce: i64) -> Option<i64> {
        let said = self.changed.iter().filter_map(|window| self.said.get(window));
        said.map(|said| said.at.saturating_add(debounce)).min()
    }

    pub(super) fn panes_of(&self, window: i64) -> std::ops::RangeInclusive<i64> {
        window.saturating_sub(self.reach)..=window
    }

    pub(super) fn frozen(&self) -> Option<i64> {
        self.frozen
    }

    pub(super) fn next(&self) -> Option<i64> {
        self.next
    }

    pub(super) fn said(&self) -> &BTreeMap<i64, Said> {
        &self.said
    }

    pub(super) fn is_changed(&self, window: i64) -> bool {
        self.changed.contains(&window)
    }
}
