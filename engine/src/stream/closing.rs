//! What a series says of a window when it closes.

use crate::window::{Span, WindowIndex};

/// How final a closing is (SEMANTICS S15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The watermark passed the window's end; rows may still come.
    OnTime,
    /// Rows came after that.
    Late,
    /// No row comes any more: this is what `check` says of the same rows.
    Final,
}

/// A window that closes, or a run of windows that never held a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// One window.
    Window {
        /// Its number.
        index: WindowIndex,
        /// When it begins and ends.
        span: Span,
        /// How final this is.
        phase: Phase,
        /// How often the window closed before: 0 the first time.
        revision: u32,
        /// Rows of the window that came too late by their own partition's watermark until now, and were not counted. It
        /// tells how rows arrived, so it depends on when they were added and polled; what was counted does not.
        late_rows: u64,
        /// Rows that were in time for their partition and found their pane frozen, because the partition had been idle
        /// or unknown; not counted either. Where this is not 0, the window may differ from `check` on the same rows.
        late_after_final: u64,
        /// Whether no row was counted in it.
        is_empty: bool,
    },
    /// More than [`MAX_EMPTY_WINDOWS`](crate::window::MAX_EMPTY_WINDOWS) windows in a row without rows, for good.
    Gap {
        /// The first of them.
        first: WindowIndex,
        /// The last of them.
        last: WindowIndex,
    },
}
