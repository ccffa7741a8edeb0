//! The integration tests: one binary, because each of its own would link the whole dependency tree once more.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod azure;
#[cfg(all(unix, feature = "kafka"))]
mod azure_check;
mod azureml;
mod azureml_outputs;
mod cli;
mod compat;
mod deps;
mod determinism;
mod doctor;
mod embeddings;
mod errors;
mod fuzz;
mod mmd;
mod models;
mod moved;
mod moving;
mod oracle;
mod rivals;
#[cfg(feature = "kafka")]
mod serve;
mod support;
mod templates;
mod tidy;
