//! Alerts: each sentence of SEMANTICS S19 as a story, the whole against a naive reference, and the bytes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets the unexpected fails there")]

mod bytes;
mod folding;
mod laws;
mod life;
mod reference;
mod story;
mod telling;
