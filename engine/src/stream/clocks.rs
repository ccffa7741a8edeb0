//! Partition clocks, and the watermark that is their minimum: SEMANTICS S14, S15.

use std::collections::BTreeMap;

use crate::stream::Timing;

/// A partition of a source; which number stands for which is the caller's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub u32);

/// What is known of the time of one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    /// The largest event time seen.
    pub(super) newest: Option<i64>,
    /// Whether it was read to its end and is silent: then nobody waits for it.
    pub(super) is_idle: bool,
}

/// The clocks of all partitions, and the watermark.
///
/// The watermark is the least of the active partitions', and never moves back: one that comes back from idleness, or is
/// new, holds it where it is until it has caught up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Clocks {
    pub(super) partitions: BTreeMap<PartitionId, Clock>,
    /// `None` before the first.
    pub(super) watermark: Option<i64>,
    /// Whether the input is over: then the watermark is infinite, `i64::MAX`.
    pub(super) is_over: bool,
}

impl Clocks {
    /// The largest event time seen in any partition.
    pub(super) fn newest(&self) -> Option<i64> {
        self.partitions.values().filter_map(|clock| clock.newest).max()
    }

    /// Moves the watermark to where the clocks let it.
    pub(super) fn advance(&mut self, timing: &Timing) {
        if self.is_over {
            self.watermark = Some(i64::MAX);
            return;
        }
        let mut active = self.partitions.values().filter(|clock| !clock.is_idle).peekable();
        let reached = if active.peek().is_none() {
            // All are idle: what was seen is all there is, so nothing is out of order any more.
            self.newest()
        } else {
            // A partition without rows may still bring any: `None`, which is less than every time, holds it.
            active.map(|clock| clock.newest.map(|newest| timing.watermark(newest))).min().flatten()
        };
        self.watermark = self.watermark.max(reached);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Grid;

    #[test]
    fn s15_the_watermark_is_the_least_of_the_active_and_never_moves_back() {
        let grid = Grid::new(60_000_000, 60_000_000, 0).unwrap();
        let timing = Timing { grid, out_of_orderness: 10, lateness: 0, debounce: 0, keep: 0 };
        let mut clocks = Clocks::default();
        let mut at = |partition: u32, newest: Option<i64>, is_idle: bool| {
            clocks.partitions.insert(PartitionId(partition), Clock { newest, is_idle });
            clocks.advance(&timing);
            clocks.watermark
        };
        assert_eq!(at(0, None, true), None, "no event, no time");
        assert_eq!(at(0, Some(100), false), Some(90));
        assert_eq!(at(1, None, false), Some(90), "a new partition holds it");
        assert_eq!(at(0, Some(200), false), Some(90));
        assert_eq!(at(1, Some(50), false), Some(90), "and does not move it back");
        assert_eq!(at(1, Some(120), false), Some(110));
        assert_eq!(at(1, Some(120), true), Some(190), "an idle one does not hold it");
        assert_eq!(at(0, Some(200), true), Some(200), "with all idle, the largest event time");
        assert_eq!(at(1, Some(150), false), Some(200), "back, and behind");
        assert_eq!(at(1, Some(220), false), Some(210));
        assert_eq!(at(0, Some(i64::MIN), false), Some(210));
        clocks.is_over = true;
        clocks.advance(&timing);
        assert_eq!((clocks.watermark, clocks.newest()), (Some(i64::MAX), Some(220)));
    }
}
