//! Statistics: functions of two sets of finished counts.

mod score;

pub use score::{Direction, Score};
