//! A sink of Application Insights.

use std::path::Path;

use super::azure::{self, Access};
use super::{has, setting};
use crate::config::label;
use crate::config::node::Node;
use crate::config::problem::Problem;
use crate::config::secret::Setting;

/// Application Insights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insights {
    /// Where telemetry goes, and under which key.
    pub connection_string: Setting,
    /// Whether an identity speaks too; else the key is enough.
    pub has_entra: bool,
    /// Who speaks, and how.
    pub access: Access,
    /// What the application map calls the service.
    pub role: String,
}

/// What the application map calls a service, unless told otherwise.
pub(super) const ROLE: &str = "driftlead";

impl Insights {
    /// Every setting that may have to be fetched.
    pub(super) fn settings(&self) -> Vec<&Setting> {
        std::iter::once(&self.connection_string).chain(&self.access.entra.secret).collect()
    }
}

pub(super) fn read(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<Insights> {
    let access = azure::access(node, folder, problems);
    let connection_string = setting(node, "connection_string", folder)?;
    let role = label(node, "role").unwrap_or_else(|| ROLE.to_owned());
    Some(Insights { connection_string, has_entra: has(node, "entra"), access, role })
}
