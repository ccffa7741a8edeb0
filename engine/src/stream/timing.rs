//! When panes are complete, late and frozen: SEMANTICS S14 as arithmetic on the grid.

use crate::window::{Grid, Pane};

/// Where windows lie, and how long they wait. Times are microseconds; a negative one counts as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Where panes and windows begin and end.
    pub grid: Grid,
    /// How far a partition's rows may be out of order before its watermark passes them.
    pub out_of_orderness: i64,
    /// How long after its end, by the watermark, a pane still takes rows.
    pub lateness: i64,
    /// Processing time between a window's last closing and a `LATE` revision of it.
    pub debounce: i64,
    /// How many panes before an unfinished window's first are kept, because it is compared with them (SEMANTICS S25).
    pub keep: i64,
}

impl Timing {
    /// The same without negative times.
    pub(super) fn floored(self) -> Self {
        Self {
            grid: self.grid,
            out_of_orderness: self.out_of_orderness.max(0),
            lateness: self.lateness.max(0),
            debounce: self.debounce.max(0),
            keep: self.keep.max(0),
        }
    }

    /// The watermark of a partition whose largest event time is `newest`.
    pub(super) fn watermark(&self, newest: i64) -> i64 {
        newest.saturating_sub(self.out_of_orderness)
    }

    /// The last pane, and so the last window, that ended at or before `watermark`: all before it did too.
    pub(super) fn ended(&self, watermark: i64) -> i64 {
        // The pane that holds an instant has not ended there; exact at the ends of `i64` too, where spans saturate.
        self.grid.pane_of(watermark).0 - 1
    }

    /// The last pane that takes no more rows at `watermark`: the last whose end + lateness lies at or before it.
    pub(super) fn frozen(&self, watermark: i64) -> i64 {
        self.ended(watermark.saturating_sub(self.lateness))
    }

    /// The first watermark at which more panes are frozen than those up to `frozen`; saturating.
    pub(super) fn thaws_until(&self, frozen: i64) -> i64 {
        self.grid.pane_span(Pane(frozen.saturating_add(1))).end.saturating_add(self.lateness)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(14),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// The rule as it is written: a pane is frozen iff its end + lateness <= the watermark.
        #[test]
        fn s14_the_frontiers_are_the_rule(
            every in 1_000_i64..5_000,
            base in 0_i64..5_000,
            lateness in 0_i64..20_000,
            watermark in -50_000_i64..50_000,
        ) {
            let grid = Grid::new(3 * every, every, base).unwrap();
            let timing = Timing { grid, out_of_orderness: 0, lateness, debounce: 0, keep: 0 };
            let (ended, frozen) = (timing.ended(watermark), timing.frozen(watermark));
            for pane in -80..80 {
                let end = grid.pane_span(Pane(pane)).end;
                prop_assert_eq!(pane <= ended, end <= watermark);
                prop_assert_eq!(pane <= frozen, end + lateness <= watermark);
            }
            let next = timing.thaws_until(frozen);
            prop_assert!(timing.frozen(next - 1) == frozen && timing.frozen(next) == frozen + 1);
        }
    }

    #[test]
    fn s14_the_ends_of_time_overflow_nothing() {
        let grid = Grid::new(60_000_000, 1_000_000, 0).unwrap();
        let timing =
            Timing { grid, out_of_orderness: i64::MAX, lateness: i64::MAX, debounce: i64::MAX, keep: 0 };
        assert_eq!(timing.watermark(-5), i64::MIN);
        assert_eq!(timing.frozen(i64::MIN), grid.pane_of(i64::MIN).0 - 1);
        assert_eq!(timing.thaws_until(i64::MAX), i64::MAX);
        let negative =
            Timing { out_of_orderness: -1, lateness: i64::MIN, debounce: -7, keep: -2, ..timing }.floored();
        assert_eq!((negative.out_of_orderness, negative.lateness), (0, 0));
        assert_eq!((negative.debounce, negative.keep), (0, 0));
    }
}
