//! What several tests share.

#[path = "../../connectors/tests/support/azurite.rs"]
pub(crate) mod azurite;
pub(crate) mod checkout;
pub(crate) mod folder;
pub(crate) mod program;
pub(crate) mod random;
mod splitmix;
