//! What becomes of each row of one partition: counted, late, too late after all, or set aside. SEMANTICS S14.
//!
//! Row by row: a row is judged by its partition's watermark as the rows before it left it, then moves it. So where a
//! batch ends never shows. The panes frozen for all partitions are those at the batch's beginning, which is the same
//! thing: within the batch the watermark of all can only follow this partition's, and what it freezes then is late
//! here.

use crate::stream::Timing;
use crate::window::{Pane, Span};

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Counted in its pane.
    Counted,
    /// Its pane was frozen by its own partition.
    Late,
    /// Its pane was frozen while its partition held nothing up.
    AfterFinal,
    /// It has no event time: it was set aside before.
    Untimed,
}

/// Rows that follow each other, of one pane and fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) fate: Fate,
    /// 0 for untimed rows.
    pub(super) pane: i64,
    pub(super) n_rows: usize,
}

/// The partition's rows in the order in which they came, as runs; `newest` is the partition's largest event time, and
/// is moved. Panes up to `frozen` are frozen for everybody.
pub(super) fn judge(
    timing: &Timing,
    frozen: Option<i64>,
    newest: &mut Option<i64>,
    times: &[Option<i64>],
    runs: &mut Vec<Run>,
) {
    runs.clear();
    let mut frontier = Frontier::new(timing, *newest);
    if let Some((pane, last)) = only_pane(timing, times) {
        // A row never makes its own pane late: its time less anything is before the pane's end.
        runs.push(Run { fate: frontier.fate(pane, frozen), pane, n_rows: times.len() });
        *newest = (*newest).max(Some(last));
        return;
    }
    let mut pane = 0;
    let mut span = Span { start: 0, end: 0 };
    for time in times {
        let run = match *time {
            None => Run { fate: Fate::Untimed, pane: 0, n_rows: 1 },
            Some(time) => {
                if !span.contains(time) {
                    pane = timing.grid.pane_of(time).0;
                    span = timing.grid.pane_span(Pane(pane));
                }
                let fate = frontier.fate(pane, frozen);
                if *newest < Some(time) {
                    *newest = Some(time);
                    frontier.advance(time);
                }
                Run { fate, pane, n_rows: 1 }
            }
        };
        match runs.last_mut() {
            Some(last) if last.fate == run.fate && last.pane == run.pane => last.n_rows += 1,
            _ => runs.push(run),
        }
    }
}

/// The pane of all rows and their largest time, if all have one and lie in one pane, as most batches do.
fn only_pane(timing: &Timing, times: &[Option<i64>]) -> Option<(i64, i64)> {
    let mut is_timed = !times.is_empty();
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for time in times {
        is_timed &= time.is_some();
        first = first.min(time.unwrap_or(i64::MAX));
        last = last.max(time.unwrap_or(i64::MIN));
    }
    let pane = timing.grid.pane_of(first);
    (is_timed && pane == timing.grid.pane_of(last)).then_some((pane.0, last))
}

/// Up to which pane rows of the partition are late.
struct Frontier<'a> {
    timing: &'a Timing,
    late: Option<i64>,
    /// The watermark at which more panes are.
    until: i64,
}

impl<'a> Frontier<'a> {
    fn new(timing: &'a Timing, newest: Option<i64>) -> Self {
        let mut frontier = Self { timing, late: None, until: i64::MIN };
        if let Some(newest) = newest {
            frontier.advance(newest);
        }
        frontier
    }

    fn advance(&mut self, newest: i64) {
        let watermark = self.timing.watermark(newest);
        if watermark >= self.until {
            let late = self.timing.frozen(watermark);
            self.late = Some(late);
            self.until = self.timing.thaws_until(late);
        }
    }

    fn fate(&self, pane: i64, frozen: Option<i64>) -> Fate {
        if self.late.is_some_and(|late| pane <= late) {
            Fate::Late
        } else if frozen.is_some_and(|frozen| pane <= frozen) {
            Fate::AfterFinal
        } else {
            Fate::Counted
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;
    use crate::window::Grid;

    fn timing(out_of_orderness: i64, lateness: i64) -> Timing {
        let grid = Grid::new(2_000, 1_000, 0).unwrap();
        Timing { grid, out_of_orderness, lateness, debounce: 0, keep: 0 }
    }

    /// The rule as it is written, for one row.
    fn by_rule(timing: &Timing, frozen: Option<i64>, newest: &mut Option<i64>, time: Option<i64>) -> Run {
        let Some(time) = time else { return Run { fate: Fate::Untimed, pane: 0, n_rows: 1 } };
        let pane = timing.grid.pane_of(time);
        let end = timing.grid.pane_span(pane).end;
        let own = newest.map(|newest| newest - timing.out_of_orderness);
        *newest = (*newest).max(Some(time));
        let fate = if own.is_some_and(|own| end + timing.lateness <= own) {
            Fate::Late
        } else if frozen.is_some_and(|frozen| pane.0 <= frozen) {
            Fate::AfterFinal
        } else {
            Fate::Counted
        };
        Run { fate, pane: pane.0, n_rows: 1 }
    }

    fn spread(runs: &[Run]) -> Vec<Run> {
        runs.iter().flat_map(|run| std::iter::repeat_n(Run { n_rows: 1, ..*run }, run.n_rows)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 1_000,
            rng_seed: RngSeed::Fixed(15),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn s14_rows_are_judged_one_by_one_however_they_are_cut(
            times in prop::collection::vec(prop_oneof![
                1 => Just(None),
                6 => (0_i64..900).prop_map(Some),
                6 => (0_i64..30_000).prop_map(Some),
            ], 0..60),
            cut in 0_usize..60,
            out_of_orderness in 0_i64..3_000,
            lateness in 0_i64..3_000,
            newest in prop::option::of(-5_000_i64..20_000),
            frozen in prop::option::of(-3_i64..20),
        ) {
            let timing = timing(out_of_orderness, lateness);
            let mut expected_newest = newest;
            let expected: Vec<Run> =
                times.iter().map(|time| by_rule(&timing, frozen, &mut expected_newest, *time)).collect();
            let (mut own_newest, mut runs, mut own) = (newest, Vec::new(), Vec::new());
            let (head, tail) = times.split_at(cut.min(times.len()));
            for part in [head, tail] {
                judge(&timing, frozen, &mut own_newest, part, &mut runs);
                prop_assert!(runs.windows(2).all(|pair| (pair[0].fate, pair[0].pane) != (pair[1].fate, pair[1].pane)));
                own.extend(spread(&runs));
            }
            prop_assert_eq!(own, expected);
            prop_assert_eq!(own_newest, expected_newest);
        }
    }

    #[test]
    fn s14_the_ends_of_time_are_instants_like_others() {
        let times = [Some(i64::MAX), Some(i64::MAX), Some(i64::MIN), Some(0)];
        let (mut newest, mut runs) = (None, Vec::new());
        judge(&timing(i64::MAX, 5), None, &mut newest, &times, &mut runs);
        let fates: Vec<(Fate, usize)> = runs.iter().map(|run| (run.fate, run.n_rows)).collect();
        assert_eq!(fates, [(Fate::Counted, 2), (Fate::Late, 1), (Fate::Counted, 1)]);
        assert_eq!(newest, Some(i64::MAX));
    }
}
