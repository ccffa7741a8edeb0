//! By which identity of Microsoft Entra something of Azure is used. What the file leaves out, the environment says.

use std::path::Path;

use super::{flag, has, path, place_of, setting};
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
    /// The file in PEM with the application's certificate and key.
    pub certificate: Option<String>,
    /// Whether the account of Azure CLI is used.
    pub cli: bool,
    /// The file with a workload's own token.
    pub token_file: Option<String>,
    /// The address of Entra.
    pub authority: Option<String>,
}

/// The identity under the key `entra` of `node`, if there is one.
pub(super) fn read(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<Entra> {
    let own = node.child("entra").filter(|_| has(node, "entra"))?;
    let cli = flag(own, "cli").unwrap_or(false);
    let mut proofs = ["secret", "certificate", "token_file"].into_iter().filter(|key| has(own, key));
    if let (Some(first), Some(second)) = (proofs.next(), proofs.next()) {
        let message = format!("an application is known by its `{first}` or by a `{second}`, not by both");
        problems.push(Problem::new(place_of(own, second), message));
    } else if cli && ["secret", "certificate", "token_file"].into_iter().any(|key| has(own, key)) {
        let message = "`cli: true` takes the account of Azure CLI: leave out what an application is known by";
        problems.push(Problem::new(place_of(own, "cli"), message));
    }
    Some(Entra {
        tenant: label(own, "tenant"),
        client: label(own, "client"),
        secret: setting(own, "secret", folder),
        certificate: path(own, "certificate", folder),
        cli,
        token_file: path(own, "token_file", folder),
        authority: label(own, "authority"),
    })
}

impl Entra {
    /// What it is, for people; no secret.
    #[must_use]
    pub fn describe(&self) -> String {
        let client = self.client.as_ref().map(|client| format!(" {client}")).unwrap_or_default();
        if self.cli {
            return "the account of Azure CLI".to_owned();
        }
        if let Some(file) = &self.certificate {
            return format!("application{client}, certificate in {file}");
        }
        match (&self.secret, &self.token_file) {
            (Some(secret), _) => format!("application{client}, secret {}", secret.describe()),
            (None, Some(file)) => format!("application{client}, token in {file}"),
            (None, None) => format!("identity{client} of the environment"),
        }
    }
}
