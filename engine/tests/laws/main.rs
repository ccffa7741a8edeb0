//! The laws of counting, through the public API, against oracles that sort and loop.
//!
//! Everything is seeded: a failure comes again.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::float_cmp,
    reason = "a test that meets the unexpected fails there; oracles compare exactly"
)]

mod codec;
mod columns;
mod corners;
mod embedding_oracle;
mod exact;
mod group;
mod lost;
mod oracle;
mod stream;
mod types;
mod vectors;
