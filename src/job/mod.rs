//! The batch job: files in, a report out. The only place where engine and connectors meet.
//!
//! ```text
//! input    what to read: data set, columns, SQL preparation
//! read     all parts of it, in parallel, a state per thread
//! prune    parts whose event times are all out of bounds
//! columns  which columns are features, of which kind (SEMANTICS S10)
//! baseline raw rows or a baseline file -> engine::Baseline
//! segments the splits, and which of their segments are followed (S18)
//! ordinals which place each row has among all, for windows of rows (S26)
//! tally    which window of a name a row belongs to
//! windows  rows -> panes and segments -> accumulators
//! judge    states -> scores -> verdicts -> the report's windows
//! compat   rows -> the metrics of other tools, beside ours (S24)
//! seen     a store's counts -> a new baseline on the old cells
//! check    all of it in order
//! ```

mod at;
pub mod baseline;
pub mod check;
pub mod columns;
pub mod compat;
mod direction;
mod feature_row;
pub mod input;
pub(crate) mod judge;
pub mod look;
mod ordinals;
mod prune;
mod read;
mod reference;
pub mod seen;
pub mod segments;
mod tally;
mod time;
mod volume;
pub mod windows;

pub(crate) use self::at::At;
pub(crate) use self::baseline::raw_schema;
pub(crate) use self::columns::{baseline_types, declared_types, ensure_ids, lacking};
pub(crate) use self::time::event_times;
