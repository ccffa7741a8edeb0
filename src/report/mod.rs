//! What a run tells people and programs.
//!
//! [`wire`] is the public contract `driftlead.report/1`; the terminal table and the Markdown are drawn from it alone, so
//! that nothing a person reads is missing from what a program reads.

mod compat;
mod format;
pub mod histogram;
pub mod markdown;
mod summary;
pub mod table;
mod verdict;
pub mod wire;

#[cfg(test)]
mod tests;

pub use self::format::{count, number, plural};
pub use self::summary::sentence;
pub use self::verdict::{Verdict, exit_code, of_windows};
