//! Data sets as their users meet them: paths in, batches or a message out.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::single_range_in_vec_init, reason = "one range of rows is what is meant")]

#[path = "../support/azurite.rs"]
mod azurite;
mod baseline_file;
mod errors;
mod files;
mod formats;
mod mdc;
mod paths;
mod reading;
mod stores;
