//! How often driftlead alarms where nothing has changed, or no more than is tolerated, by simulation.
//!
//! Each *experiment* draws a fresh baseline and windows per replicate, seeds 0, 1, 2 and so on, and passes them through the engine's own
//! code: sampler, cuts, counting pass, accumulator, scores, policy. A *cell* is one test at one pair of sizes; its rate
//! of alarms is held against a [`Demand`]. `make calibrate` runs all of it and writes the record under benches/record;
//! tests/reduced.rs runs a small part with every `cargo test`.

pub mod draw;
pub mod effect;
pub mod embedding;
pub mod experiment;
pub mod fleet;
pub mod pipeline;
pub mod random;
pub mod rates;
pub mod stream;
pub mod tally;
pub mod volume;
pub mod zero;

pub use experiment::{Cell, Experiment, Sizes, run};
pub use tally::{Demand, FAR, NOMINAL, Tally};
