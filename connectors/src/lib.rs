//! All input and output of driftlead.
//!
//! A [`dataset::Dataset`] turns paths and URLs into batches of bounded size, read in parallel; [`baseline_file`] stores a
//! baseline as a plain Parquet file. Nothing here knows of windows, statistics or policies.

pub mod baseline_file;
pub mod dataset;
pub mod error;

mod location;
mod remote;
mod source;

pub use error::{Error, ErrorKind, Result};
