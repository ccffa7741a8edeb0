//! The integration tests: one binary, because each of its own would link the whole dependency tree once more.

mod deps;
mod support;
mod tidy;
