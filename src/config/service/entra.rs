//! By which identity of Microsoft Entra something of Azure is used. What the file leaves out, the environment says.

use std::path::Path;

use super::{has, path, place_of, setting};
use crate::config::label;
use crate::config::node::Node;
use crate::config::problem::Problem;
use crate::config::secret::Setting;

/// An identity, as far as the file says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entra {
    /// The directory of an application.
    pub tenant: Option<String>,
    /// The id of the application or of a managed identity.
    pub client: Option<String>,
    /// The application's secret.
    pub secret: Option<Setting>,
    /// The file with a workload's own token.
    pub token_file: Option<String>,
    /// The address of Entra.
    pub authority: Option<String>,
}

/// The identity under the key `entra` of `node`, if there is one.
pub(super) fn read(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<Entra> {
    let own = node.child("entra").filter(|_| has(node, "entra"))?;
    if has(own, "secret") && has(own, "token_file") {
        let message = "an application is known by its `secret` or by a `token_file`, not by both";
        problems.push(Problem::new(place_of(own, "token_file"), message));
    }
    Some(Entra {
        tenant: label(own, "tenant"),
        client: label(own, "client"),
        secret: setting(own, "secret", folder),
        token_file: path(own, "token_file", folder),
        authority: label(own, "authority"),
    })
}

impl Entra {
    /// What it is, for people; no secret.
    #[must_use]
    pub fn describe(&self) -> String {
        let client = self.client.as_ref().map(|client| format!(" {client}")).unwrap_or_default();
        match (&self.secret, &self.token_file) {
            (Some(secret), _) => format!("application{client}, secret {}", secret.describe()),
            (None, Some(file)) => format!("application{client}, token in {file}"),
            (None, None) => format!("identity{client} of the environment"),
        }
    }
}
