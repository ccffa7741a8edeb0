//! What a run tells people and programs.
//!
//! [`wire`] is the public contract `driftlead.report/1`; the terminal table and the Markdown are drawn from it alone, so
//! that nothing a person reads is missing from what a program reads.

pub mod wire;

mod verdict;

pub use self::verdict::{FailOn, Verdict};
