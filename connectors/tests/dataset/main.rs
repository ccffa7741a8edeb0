//! Data sets as their users meet them: paths in, batches or a message out.

#[path = "../support/azurite.rs"]
mod azurite;
mod baseline_file;
mod errors;
mod files;
mod paths;
mod reading;
mod stores;
