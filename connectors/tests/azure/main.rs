//! Sinks in Azure Monitor against a strict server on the loopback address, which knows each service by its documented
//! contract and refuses what does not keep it. Nothing is sent to Azure.

mod logs;
mod place;
#[path = "../support/stub.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod stub;
