//! The windows before a window, as what it is compared with: SEMANTICS S25.
//!
//! The law: the windows that precede a window do not overlap it or each other. So those before window `w` end `k` lengths
//! before it, `k = 1, 2, ...`, and together they are one run of panes that ends where `w` begins: their state is a plain
//! sum of panes, as the window's own is. All those panes lie before the window's last, so whatever makes the window final
//! has made them final first, and a final verdict rests on final counts only.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

/// How many windows before each window it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preceding {
    windows: NonZeroU32,
}

impl Preceding {
    /// So many windows; 1 is the previous one.
    #[must_use]
    pub fn new(windows: NonZeroU32) -> Self {
        Self { windows }
    }

    /// How many windows; at least 1.
    #[must_use]
    pub fn windows(self) -> u32 {
        self.windows.get()
    }

    /// How many panes before a window's first it takes to hold them, of windows of so many panes each; saturating.
    #[must_use]
    pub fn n_panes(self, panes_per_window: i64) -> i64 {
        i64::from(self.windows.get()).saturating_mul(panes_per_window)
    }

    /// The panes of the windows before `window`, which is the number of its last pane; saturating at the ends of `i64`.
    #[must_use]
    pub fn panes_before(self, window: i64, panes_per_window: i64) -> RangeInclusive<i64> {
        let last = window.saturating_sub(panes_per_window);
        last.saturating_sub(self.n_panes(panes_per_window) - 1)..=last
    }

    /// How many of them lie wholly at or after `first`, the first pane that ever held a row: windows before it were not
    /// empty, they were never seen. 0 if no pane held one.
    #[must_use]
    pub fn seen_since(self, first: Option<i64>, window: i64, panes_per_window: i64) -> u32 {
        let Some(first) = first else { return 0 };
        let begins = i128::from(window) - i128::from(panes_per_window) + 1;
        let seen = (begins - i128::from(first)).max(0) / i128::from(panes_per_window);
        u32::try_from(seen).unwrap_or(u32::MAX).min(self.windows.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::{Grid, WindowIndex};

    fn preceding(windows: u32) -> Preceding {
        Preceding::new(NonZeroU32::new(windows).unwrap())
    }

    /// The rule as it is written: windows that end one, two, ... lengths before this one.
    #[test]
    fn s25_they_are_the_windows_that_end_whole_lengths_before() {
        for (panes, windows) in [(1, 1), (1, 7), (6, 1), (6, 3)] {
            let grid = Grid::new(panes * 1_000, 1_000, 0).unwrap();
            for window in -20..20 {
                let mut own: Vec<i64> = (1..=i64::from(windows))
                    .flat_map(|k| {
                        let (first, last) =
                            grid.panes_of_window(WindowIndex(window - k * panes)).into_inner();
                        first.0..=last.0
                    })
                    .collect();
                own.sort_unstable();
                let before = preceding(windows).panes_before(window, panes);
                assert_eq!(
                    before.clone().collect::<Vec<_>>(),
                    own,
                    "{panes} panes, {windows} before {window}"
                );
                assert_eq!(before.count() as i64, preceding(windows).n_panes(panes));
            }
        }
    }

    #[test]
    fn s25_what_began_before_the_first_row_was_never_seen() {
        for (panes, windows, first) in [(1, 3, 5), (4, 2, -9)] {
            for window in -20..30 {
                let whole = |k: &i64| window - k * panes - panes + 1 >= first;
                let expected = (1..=i64::from(windows)).filter(whole).count();
                let seen = preceding(windows).seen_since(Some(first), window, panes);
                assert_eq!(seen as usize, expected, "{panes} panes before {window}");
            }
        }
        assert_eq!(preceding(3).seen_since(None, 10, 1), 0, "nothing was seen");
    }

    #[test]
    fn the_ends_of_time_overflow_nothing() {
        let most = preceding(u32::MAX);
        assert_eq!(most.n_panes(i64::MAX), i64::MAX);
        assert_eq!(*most.panes_before(i64::MIN, 10).end(), i64::MIN);
        assert_eq!(most.seen_since(Some(i64::MIN), i64::MAX, 1), u32::MAX);
        assert_eq!(most.seen_since(Some(i64::MAX), i64::MIN, i64::MAX), 0);
    }
}
