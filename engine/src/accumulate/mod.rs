//! Accumulators: what a window knows, as integers that add up in any order.
//!
//! The laws, each with a property test: merging is commutative and associative, any split of the rows gives the same
//! state, and adding then subtracting gives back what was there (I-COUNTS, I-GROUP).

mod accumulator;
mod categorical;
mod cells;
mod column;
pub(crate) mod counters;
mod grouping;
mod names;
mod newcomers;
mod numeric;
mod numeric_state;
mod slot_table;
mod text;

pub(crate) use accumulator::StateView;
pub use accumulator::{Accumulator, Column, FeatureState, SlotState};
pub(crate) use categorical::CategoricalCounter;
pub use categorical::CategoricalState;
pub use cells::CellCounts;
pub(crate) use column::{Values, numeric_values, validity};
pub use grouping::{Grouping, Place, Placement, Split};
pub(crate) use names::for_each_name;
pub use names::{NO_NAME, row_names};
pub use newcomers::Newcomers;
pub(crate) use numeric::NumericCounter;
pub use numeric_state::NumericState;
pub use slot_table::SlotKey;
pub(crate) use text::{TextColumn, same_array};

/// A row that belongs to no slot of a grouping.
pub const NO_SLOT: u32 = u32::MAX;

/// One grouping of a batch's rows: which slot (pane and segment) each row belongs to.
#[derive(Clone, Copy, Debug)]
pub enum Slots<'a> {
    /// Every row belongs to this slot.
    All(u32),
    /// Each row's slot, or [`NO_SLOT`].
    Each(&'a [u32]),
}
