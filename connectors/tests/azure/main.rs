//! Sinks in Azure Monitor against a strict server on the loopback address, which knows each service by its documented
//! contract and refuses what does not keep it. Nothing is sent to Azure.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod insights;
mod logs;
mod metrics;
mod place;
mod prometheus;
mod sdk;
#[path = "../support/stub.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod stub;
#[path = "../support/tls.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod tls;
