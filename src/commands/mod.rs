//! The commands, one a file: each takes what was typed and returns an exit code.

pub mod completions;
pub mod validate;
