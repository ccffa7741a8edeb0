//! The driver of driftlead: command line, configuration, reports, and the loops in which engine and connectors meet.

pub mod cli;
pub mod config;
pub mod exit;
pub mod report;
pub mod time;
