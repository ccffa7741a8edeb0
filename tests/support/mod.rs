//! What several tests share.

pub(crate) mod checkout;
pub(crate) mod folder;
pub(crate) mod program;
pub(crate) mod random;
