//! The rules as they are written: every row is kept, every list is made anew, nothing is remembered that can be
//! counted.

use std::collections::{BTreeMap, BTreeSet};

use driftlead_engine::stream::{Added, Closing, Phase, Timing};
use driftlead_engine::window::{Pane, Slot, WindowIndex};

use super::rows::Row;

/// Infinite.
const NEVER: i128 = i128::MAX;

pub(super) struct Reference {
    timing: Timing,
    /// Largest event time, and whether it is idle.
    partitions: BTreeMap<u32, (Option<i64>, bool)>,
    watermark: Option<i128>,
    is_over: bool,
    /// The largest watermark - lateness there was: panes that ended there are frozen.
    frozen_at: i128,
    pub(super) counted: Vec<(i64, Row)>,
    /// Panes of rows not counted, and whether they were late after the final word.
    missed: Vec<(i64, bool)>,
    pub(super) totals: Added,
    /// Of each window: revision, when, and its rows then.
    said: BTreeMap<i64, (u32, i64, usize)>,
    final_to: Option<i64>,
}

impl Reference {
    pub(super) fn new(timing: Timing) -> Self {
        Self {
            timing,
            partitions: BTreeMap::new(),
            watermark: None,
            is_over: false,
            frozen_at: i128::MIN,
            counted: Vec::new(),
            missed: Vec::new(),
            totals: Added::default(),
            said: BTreeMap::new(),
            final_to: None,
        }
    }

    pub(super) fn watermark(&self) -> Option<i64> {
        self.watermark.map(|at| i64::try_from(at).unwrap_or(i64::MAX))
    }

    pub(super) fn newest(&self) -> Option<i64> {
        self.partitions.values().filter_map(|(newest, _)| *newest).max()
    }

    /// Row by row, the watermark after each.
    pub(super) fn add(&mut self, partition: u32, rows: &[Row]) {
        for row in rows {
            let Some(time) = row.time else {
                self.totals.untimed += 1;
                continue;
            };
            let clock = self.partitions.entry(partition).or_default();
            let own = clock.0.map(|newest| i128::from(newest) - i128::from(self.timing.out_of_orderness));
            *clock = (clock.0.max(Some(time)), false);
            let pane = self.timing.grid.pane_of(time).0;
            let end = self.end(pane);
            if own.is_some_and(|own| end + i128::from(self.timing.lateness) <= own) {
                self.missed.push((pane, false));
                self.totals.late += 1;
            } else if end <= self.frozen_at {
                self.missed.push((pane, true));
                self.totals.late_after_final += 1;
            } else {
                self.counted.push((pane, *row));
                self.totals.counted += 1;
            }
            self.advance();
        }
    }

    pub(super) fn assign(&mut self, partition: u32) {
        self.partitions.entry(partition).or_default();
        self.advance();
    }

    pub(super) fn set_idle(&mut self, partition: u32, is_idle: bool) {
        self.partitions.entry(partition).or_default().1 = is_idle;
        self.advance();
    }

    pub(super) fn end_input(&mut self) {
        self.is_over = true;
        self.advance();
    }

    pub(super) fn retime(&mut self, timing: Timing) {
        self.timing = timing;
        self.advance();
    }

    fn advance(&mut self) {
        let active: Vec<Option<i64>> =
            self.partitions.values().filter(|(_, idle)| !idle).map(|(newest, _)| *newest).collect();
        let reached = if self.is_over {
            Some(NEVER)
        } else if active.is_empty() {
            self.newest().map(i128::from)
        } else if active.iter().any(Option::is_none) {
            None
        } else {
            let least = active.iter().flatten().min();
            least.map(|newest| i128::from(*newest) - i128::from(self.timing.out_of_orderness))
        };
        self.watermark = self.watermark.max(reached);
        if let Some(watermark) = self.watermark {
            self.frozen_at = self.frozen_at.max(watermark - i128::from(self.timing.lateness));
        }
    }

    /// Everything that is due, one after the other.
    pub(super) fn drain(&mut self, now: i64) -> Vec<Closing> {
        std::iter::from_fn(|| self.due(now)).collect()
    }

    fn due(&mut self, now: i64) -> Option<Closing> {
        let slots: Vec<Slot> = self.list();
        for (i, slot) in slots.iter().enumerate() {
            let (window, last) = match slot {
                Slot::Occupied(window) | Slot::Empty(window) => (window.0, window.0),
                Slot::Gap { first, last } => (first.0, last.0),
            };
            if self.final_to.is_some_and(|to| last <= to) {
                continue;
            }
            let after = slots[i..].iter().find_map(|slot| match slot {
                Slot::Occupied(window) => Some(window.0),
                _ => None,
            });
            let after = after.expect("the list ends with rows");
            if let Slot::Gap { first, last } = slot {
                if self.is_frozen(after) {
                    self.final_to = Some(last.0);
                    return Some(Closing::Gap { first: *first, last: *last });
                }
                continue;
            }
            if !self.has_ended(window) || !self.has_ended(after) {
                continue;
            }
            let rows = self.rows_of(window).len();
            let said = self.said.get(&window).copied();
            let phase = match said {
                _ if self.is_frozen(window) => Phase::Final,
                None => Phase::OnTime,
                Some((_, at, then)) if then != rows && at + self.timing.debounce <= now => Phase::Late,
                Some(_) => continue,
            };
            if phase == Phase::Final {
                self.final_to = Some(window);
            }
            let revision = said.map_or(0, |(revision, ..)| revision + 1);
            self.said.insert(window, (revision, now, rows));
            let missed = |after_final: bool| {
                let own = |(pane, after): &&(i64, bool)| *after == after_final && self.holds(window, *pane);
                self.missed.iter().filter(own).count() as u64
            };
            return Some(Closing::Window {
                index: WindowIndex(window),
                span: self.timing.grid.span(WindowIndex(window)),
                phase,
                revision,
                late_rows: missed(false),
                late_after_final: missed(true),
                is_empty: rows == 0,
            });
        }
        None
    }

    /// The windows that there are, as `check` lists them.
    pub(super) fn list(&self) -> Vec<Slot> {
        let panes: BTreeSet<Pane> = self.counted.iter().map(|(pane, _)| Pane(*pane)).collect();
        self.timing.grid.slots(panes).collect()
    }

    /// The rows counted in a window.
    pub(super) fn rows_of(&self, window: i64) -> Vec<Row> {
        self.counted.iter().filter(|(pane, _)| self.holds(window, *pane)).map(|(_, row)| *row).collect()
    }

    /// The rows counted in the windows that a window is compared with: one, two, ... lengths before it.
    pub(super) fn rows_before(&self, window: i64) -> Vec<Row> {
        let length = self.timing.grid.panes_per_window();
        (1..=self.timing.keep / length).flat_map(|k| self.rows_of(window - k * length)).collect()
    }

    /// How many of those windows begin no earlier than the first pane with rows.
    pub(super) fn seen_before(&self, window: i64) -> u32 {
        let length = self.timing.grid.panes_per_window();
        let Some(first) = self.counted.iter().map(|(pane, _)| *pane).min() else { return 0 };
        (1..=self.timing.keep / length).filter(|k| window - (k + 1) * length + 1 >= first).count() as u32
    }

    /// Whether any window that is not final has this pane, or is compared with it.
    pub(super) fn needs(&self, pane: i64) -> bool {
        let reach = self.timing.grid.panes_per_window() - 1 + self.timing.keep;
        self.final_to.is_none_or(|to| pane + reach > to)
    }

    /// The earliest time at which a window that took rows closes again.
    pub(super) fn next_deadline(&self) -> Option<i64> {
        let open = self.said.iter().filter(|(window, (.., then))| {
            self.final_to.is_none_or(|to| **window > to) && self.rows_of(**window).len() != *then
        });
        open.map(|(_, (_, at, _))| at + self.timing.debounce).min()
    }

    fn holds(&self, window: i64, pane: i64) -> bool {
        (window - self.timing.grid.panes_per_window() < pane) && pane <= window
    }

    fn end(&self, pane: i64) -> i128 {
        i128::from(self.timing.grid.pane_span(Pane(pane)).end)
    }

    fn has_ended(&self, window: i64) -> bool {
        self.watermark.is_some_and(|watermark| self.end(window) <= watermark)
    }

    fn is_frozen(&self, window: i64) -> bool {
        self.end(window) <= self.frozen_at
    }
}
