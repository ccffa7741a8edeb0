//! Which window of its name a window is, and what follows from that: its panes, its times, its id.

use driftlead_engine::id::Extent;
use driftlead_engine::window::{Grid, Span, WindowIndex};

/// Where a window stands among those of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// All rows are one window.
    Whole,
    /// A window of event time.
    Time {
        /// Where such windows lie.
        grid: Grid,
        /// Which of them it is.
        index: WindowIndex,
    },
    /// A window of so many rows in their order (SEMANTICS S26).
    Rows {
        /// Its number in the source, from 0.
        ordinal: u64,
        /// Its first event time and its last, where its rows have any.
        seen: Option<Span>,
    },
}

impl At {
    /// The panes that hold its rows.
    pub(super) fn panes(self) -> Vec<Option<i64>> {
        match self {
            Self::Whole => vec![None],
            Self::Time { grid, index } => {
                let (first, last) = grid.panes_of_window(index).into_inner();
                (first.0..=last.0).map(Some).collect()
            }
            Self::Rows { ordinal, .. } => vec![Some(pane_of(ordinal))],
        }
    }

    /// The number of its last pane, and of how many it is made; `None` if nothing precedes or follows it.
    pub(super) fn run(self) -> Option<(i64, i64)> {
        match self {
            Self::Whole => None,
            Self::Time { grid, index } => Some((index.0, grid.panes_per_window())),
            Self::Rows { ordinal, .. } => Some((pane_of(ordinal), 1)),
        }
    }

    /// What it is called among those of its name; `None` if nothing but its counts tell it from others.
    pub(super) fn extent(self) -> Option<Extent<'static>> {
        match self {
            Self::Whole => None,
            Self::Time { grid, index } => {
                let Span { start, end } = grid.span(index);
                Some(Extent::Time { start, end })
            }
            Self::Rows { ordinal, .. } => Some(Extent::Ordinal(ordinal)),
        }
    }

    /// From when to when it is, as a report says it: of a window of event time the first instant after it, of one of rows
    /// the last that it saw.
    pub(super) fn span(self) -> Option<Span> {
        match self {
            Self::Whole => None,
            Self::Time { grid, index } => Some(grid.span(index)),
            Self::Rows { seen, .. } => seen,
        }
    }

    /// Its number in the source, if it is of so many rows.
    pub(super) fn ordinal(self) -> Option<u64> {
        match self {
            Self::Rows { ordinal, .. } => Some(ordinal),
            Self::Whole | Self::Time { .. } => None,
        }
    }
}

/// The pane of a window of rows: windows have at least one row, so there are no more than rows.
pub(super) fn pane_of(ordinal: u64) -> i64 {
    i64::try_from(ordinal).unwrap_or(i64::MAX)
}
