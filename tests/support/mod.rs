//! What several tests share.

#[path = "../../connectors/tests/support/azurite.rs"]
pub(crate) mod azurite;
#[cfg(feature = "kafka")]
#[allow(dead_code, reason = "shared with the connectors' tests")]
#[path = "../../connectors/tests/support/broker.rs"]
pub(crate) mod broker;
pub(crate) mod checkout;
pub(crate) mod client;
pub(crate) mod common_alert;
pub(crate) mod folder;
pub(crate) mod program;
pub(crate) mod random;
pub(crate) mod service;
mod splitmix;
#[allow(dead_code, reason = "shared with the connectors' tests")]
#[path = "../../connectors/tests/support/stub.rs"]
pub(crate) mod stub;
