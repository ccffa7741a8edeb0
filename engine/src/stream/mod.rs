//! A model's windows over input that does not end: SEMANTICS S13 to S15.
//!
//! A [`Series`] is one window name of one model, a [`CountSeries`] one whose windows are so many rows. It is given
//! rows, partition by partition, and says which windows close; what a window holds and how it is judged is the same
//! code as for files. No clock is read and nothing is stored here: processing time is an argument, and what has to
//! survive a crash comes out as bytes, to be committed together with the positions of the source.
//!
//! The laws: where a batch ends never shows in a final window; the final closings in their order are
//! [`Grid::slots`](crate::window::Grid::slots) over the panes that hold rows; a series restored from its bytes goes on
//! as if nothing had been (`engine/tests/laws/stream`).

mod agenda;
mod clocks;
mod closing;
mod count;
mod fate;
mod head;
mod panes;
mod series;
mod timing;

pub use clocks::PartitionId;
pub use closing::{Closing, Phase};
pub use count::{CountClosing, CountSeries, RowCut};
pub use panes::Rows;
pub use series::{Added, Series};
pub use timing::Timing;
