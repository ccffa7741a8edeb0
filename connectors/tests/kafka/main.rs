//! The Kafka source and producer against a real broker.

#![cfg(feature = "kafka")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/broker.rs"]
mod broker;
mod down;
mod gaps;
mod producing;
mod reading;
mod secured;
mod watcher;
