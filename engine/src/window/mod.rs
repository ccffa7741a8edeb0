//! Which rows belong to which window: pure arithmetic on event time.

mod grid;

pub use grid::{Grid, MAX_EMPTY_WINDOWS, MIN_PANE_US, Pane, Slot, Span, WindowIndex};
