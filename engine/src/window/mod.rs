//! Which rows belong to which window: pure arithmetic on event time.

mod grid;
mod preceding;

pub use grid::{Grid, MAX_EMPTY_WINDOWS, MIN_PANE_US, Pane, Slot, Span, WindowIndex};
pub use preceding::Preceding;
