//! How many rows a baseline has, pane by pane: what a window's number of rows is held against (SEMANTICS S21).
//!
//! A window is predicted from the sums of as many consecutive panes of the baseline as it has itself: from those that
//! begin at the same moment of the UTC week, which is the same hour of the week and, where panes are shorter than an
//! hour, the same place in it; and where they are fewer than [`MIN_COUNTS`], from all that do not overlap. Several panes
//! of one hour are not taken for several hours: they rise and fall together, so that thirty panes of one week would
//! promise what one week cannot know.

use std::collections::BTreeMap;

use crate::statistic::{MIN_COUNTS, Past, Score, row_count};
use crate::window::{Grid, WindowIndex};

const WEEK_US: i64 = 7 * 86_400_000_000;

/// How many panes a volume reaches back from its last: seven years of hours, six weeks of minutes.
const MAX_PANES: i64 = 65_536;

/// The rows of a baseline's panes on one grid, without its first and its last pane, which it may hold in part only.
///
/// Empty panes are panes too, unless nothing comes for longer than a week: then the baseline is taken to have a hole
/// there, and says nothing of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    stretches: Vec<Stretch>,
}

/// Panes that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The number of the first pane.
    pub first: i64,
    /// The rows of each.
    pub rows: Vec<u64>,
}

impl Volume {
    /// The volume of a baseline that has so many rows in these panes of `grid`; of fewer than three it says nothing.
    #[must_use]
    pub fn of_panes(grid: &Grid, panes: &BTreeMap<i64, u64>) -> Self {
        let (Some((first, _)), Some((last, _))) = (panes.first_key_value(), panes.last_key_value()) else {
            return Self::default();
        };
        let hole = WEEK_US / grid.every_us();
        let mut next = first.saturating_add(1).max(last.saturating_sub(MAX_PANES));
        if next >= *last {
            return Self::default();
        }
        let mut stretches = vec![Stretch { first: next, rows: Vec::new() }];
        let inside = panes.range(next..*last).map(|(pane, rows)| (*pane, Some(*rows)));
        for (pane, rows) in inside.chain([(*last, None)]) {
            let empty = pane - next;
            if empty > hole {
                stretches.push(Stretch { first: pane, rows: Vec::new() });
            }
            if let Some(stretch) = stretches.last_mut() {
                let n_empty = if empty > hole { 0 } else { usize::try_from(empty).unwrap_or_default() };
                stretch.rows.resize(stretch.rows.len() + n_empty, 0);
                stretch.rows.extend(rows);
            }
            next = pane + 1;
        }
        Self::of_stretches(stretches)
    }

    /// A volume as it was stored.
    #[must_use]
    pub fn of_stretches(mut stretches: Vec<Stretch>) -> Self {
        stretches.retain(|stretch| !stretch.rows.is_empty());
        Self { stretches }
    }

    /// Its panes, as they are stored.
    #[must_use]
    pub fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }
}

/// What a volume predicts of the windows of one grid.
#[derive(Clone, Debug)]
pub struct Forecast {
    panes_per_window: i64,
    grid: Grid,
    /// By the moment of the week at which windows begin, in microseconds; empty if windows are longer than a week, since
    /// they would overlap.
    of_moment: BTreeMap<i64, Past>,
    /// All that do not overlap each other, by which of a window's panes ends them.
    of_all: BTreeMap<i64, Past>,
}

impl Forecast {
    /// The forecast of windows of `grid`, of whose panes `volume` is.
    #[must_use]
    pub fn new(volume: &Volume, grid: Grid) -> Self {
        let panes_per_window = grid.panes_per_window();
        let mut own = Self { panes_per_window, grid, of_moment: BTreeMap::new(), of_all: BTreeMap::new() };
        let n_panes = usize::try_from(panes_per_window).unwrap_or(usize::MAX);
        for stretch in &volume.stretches {
            let mut sum = 0_u64;
            for (at, pane) in (stretch.first..).zip(0..stretch.rows.len()) {
                sum = sum.saturating_add(stretch.rows[pane]);
                if let Some(left) = pane.checked_sub(n_panes) {
                    sum = sum.saturating_sub(stretch.rows[left]);
                }
                if pane + 1 >= n_panes {
                    own.add(WindowIndex(at), sum);
                }
            }
        }
        own
    }

    fn add(&mut self, window: WindowIndex, rows: u64) {
        if self.grid.length_us() <= WEEK_US {
            self.of_moment.entry(self.moment(window)).or_default().add(rows);
        }
        self.of_all.entry(window.0.rem_euclid(self.panes_per_window)).or_default().add(rows);
    }

    fn moment(&self, window: WindowIndex) -> i64 {
        self.grid.span(window).start.rem_euclid(WEEK_US)
    }

    /// The rows of a window against what is predicted of it, as [`row_count`].
    #[must_use]
    pub fn score(&self, window: WindowIndex, rows: u64) -> Score {
        let same = self.of_moment.get(&self.moment(window)).filter(|past| past.n() >= MIN_COUNTS);
        let all = self.of_all.get(&window.0.rem_euclid(self.panes_per_window));
        row_count(same.or(all).unwrap_or(&Past::default()), rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn hourly(panes_per_window: i64) -> Grid {
        Grid::new(panes_per_window * HOUR, HOUR, 0).unwrap()
    }

    fn panes(rows: impl IntoIterator<Item = (i64, u64)>) -> BTreeMap<i64, u64> {
        rows.into_iter().collect()
    }

    #[test]
    fn border_panes_are_left_out_and_empty_ones_are_panes() {
        let volume = Volume::of_panes(&hourly(1), &panes([(0, 7), (3, 5), (4, 6), (6, 9)]));
        assert_eq!(volume.stretches(), [Stretch { first: 1, rows: vec![0, 0, 5, 6, 0] }]);
        for few in [panes([]), panes([(1, 5)]), panes([(1, 5), (2, 5)])] {
            assert_eq!(Volume::of_panes(&hourly(1), &few), Volume::default());
        }
    }

    #[test]
    fn more_than_a_week_of_nothing_is_a_hole() {
        let of = |empty: i64| {
            Volume::of_panes(&hourly(1), &panes([(0, 1), (1, 2), (2 + empty, 3), (3 + empty, 4)]))
        };
        assert_eq!(of(168).stretches().len(), 1);
        let stretches = [Stretch { first: 1, rows: vec![2] }, Stretch { first: 171, rows: vec![3] }];
        assert_eq!(of(169).stretches(), stretches);
        // A stray row of long ago neither costs memory nor counts.
        let stray = Volume::of_panes(&hourly(1), &panes([(-1 << 40, 1), (1, 2), (2, 3), (3, 4)]));
        assert_eq!(stray.stretches(), [Stretch { first: 1, rows: vec![2, 3] }]);
    }

    /// Forty weeks in which one hour of the week has a hundred times the rows of the others.
    #[test]
    fn the_same_hour_of_the_week_is_asked_first() {
        let rows = |pane: i64| if pane.rem_euclid(168) == 20 { 10_000 } else { 100 } + pane.rem_euclid(7).unsigned_abs();
        let volume = Volume::of_panes(&hourly(1), &panes((0..40 * 168).map(|pane| (pane, rows(pane)))));
        let forecast = Forecast::new(&volume, hourly(1));
        let p = |pane, rows| forecast.score(WindowIndex(pane), rows).p_value.unwrap();
        assert!(p(168 * 50 + 20, 10_003) > 0.5 && p(168 * 50 + 20, 103) < 1e-6);
        assert!(p(168 * 50 + 21, 10_003) < 1e-6 && p(168 * 50 + 21, 103) > 0.5);
        // Of 20 weeks all hours are asked, which say less.
        let volume = Volume::of_panes(&hourly(1), &panes((0..20 * 168).map(|pane| (pane, rows(pane)))));
        let score = Forecast::new(&volume, hourly(1)).score(WindowIndex(168 * 50 + 21), 103);
        assert!(score.p_value.unwrap() > 0.05 && score.baseline.unwrap() > 150.0, "{score:?}");
    }

    #[test]
    fn longer_windows_are_sums_of_panes() {
        let volume = Volume::of_panes(&hourly(1), &panes((0..400).map(|pane| (pane, 10))));
        for length in [2, 6, 12] {
            let score =
                Forecast::new(&volume, hourly(length)).score(WindowIndex(1_000), 10 * length.unsigned_abs());
            let mean = score.baseline.unwrap();
            assert!((mean / (10 * length) as f64 - 1.0).abs() < 0.01, "{length}: {score:?}");
            // Every window's phase is held against windows of its own, which do not overlap.
            assert!(score.p_value.unwrap() > 0.5 && score.n_baseline >= 10 * 390 - 120, "{score:?}");
        }
        assert_eq!(
            Forecast::new(&volume, hourly(24)).score(WindowIndex(1_000), 240).p_value,
            None,
            "16 of them"
        );
        let monthly = Grid::new(28 * 24 * HOUR, 7 * 24 * HOUR, 0).unwrap();
        let volume = Volume::of_panes(&monthly, &panes((0..119).map(|pane| (pane, 10))));
        assert_eq!(Forecast::new(&volume, monthly).score(WindowIndex(500), 40).p_value, None, "29 of them");
    }
}
