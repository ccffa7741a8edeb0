//! What mends a fault of a sink in Azure: a sentence, and the command.

use std::path::Path;

use driftlead_connectors::azure::{Claims, Fault};

use crate::config::service::Target;

/// What the advice is about.
pub(super) struct Subject {
    /// For what the tokens are.
    audience: String,
    /// A command that prints the id of the resource on which the identity needs its role.
    scope: String,
    /// A command that shows what there is.
    list: String,
    /// The command that tries the sink with a record.
    test: String,
}

impl Subject {
    /// The words for a sink.
    pub(super) fn of(target: &Target, file: &Path, name: &str) -> Self {
        let test = format!("driftlead alerts test-sink {} {name}", file.display());
        let rules = "az monitor data-collection rule list --query \"[].{name: name, rule: immutableId, endpoint: \
                     endpoints.logsIngestion}\" --output table";
        let (audience, rule) = match target {
            Target::AzureLogs(own) => (own.access.cloud.monitor(), own.first.rule.plain()),
            _ => ("", None),
        };
        let rule = rule.unwrap_or_else(|| "IMMUTABLE_ID".to_owned());
        Self {
            audience: audience.to_owned(),
            scope: format!(
                "az monitor data-collection rule list --query \"[?immutableId=='{rule}'].id\" --output tsv"
            ),
            list: rules.to_owned(),
            test,
        }
    }

    /// What a look that writes nothing cannot tell.
    pub(super) fn beyond(&self) -> String {
        format!("whether the columns fit only a record can tell; this sends one: {}", self.test)
    }

    /// What mends the fault, where `said` is what was said of it.
    pub(super) fn advice(&self, fault: Fault, said: &str, claims: &Claims) -> String {
        match fault {
            Fault::NoToken => self.no_token(said),
            Fault::OtherAudience => format!(
                "the identity belongs to another cloud than the sink: set its `cloud`, which decides that tokens are for \
                 `{}`\naz cloud show --query name",
                self.audience
            ),
            Fault::NoAddress => format!(
                "the endpoint is misspelled, or its name is known in a private network only; these are the endpoints:\n{}",
                self.list
            ),
            Fault::NoAnswer => "nothing answers there: a firewall, a private link, a proxy (`HTTPS_PROXY`) or a certificate \
                                (`tls`) may be in the way; from this machine try:\ncurl --verbose ENDPOINT"
                .to_owned(),
            Fault::TokenRefused => "the token is not taken: the rule belongs to another directory or cloud than the \
                                    identity; compare `tenant` with\naz account show --query tenantId"
                .to_owned(),
            Fault::NoRight => {
                let who = match &claims.object {
                    Some(object) => format!("--assignee-object-id {object} --assignee-principal-type ServicePrincipal"),
                    None => "--assignee CLIENT_ID".to_owned(),
                };
                format!(
                    "the identity may not send there; a new right takes up to half an hour to hold:\naz role assignment create \
                     {who} --role \"Monitoring Metrics Publisher\" --scope \"$({})\"",
                    self.scope
                )
            }
            Fault::NotFound => format!(
                "there is no such rule or stream at this endpoint; these are the rules and their endpoints:\n{}",
                self.list
            ),
            Fault::Refused => format!("the request is refused as a whole; try a record:\n{}", self.test),
            Fault::Busy => "the service has too much to do or fails: try again later; driftlead keeps what it has to send"
                .to_owned(),
            Fault::OtherServer => format!(
                "this is no endpoint for logs ingestion; these are:\n{}",
                self.list
            ),
        }
    }

    fn no_token(&self, said: &str) -> String {
        let expired = ["AADSTS7000215", "AADSTS7000222"];
        let (why, command) = if expired.iter().any(|own| said.contains(own)) {
            (
                "the secret is wrong or has expired: make a new one",
                "az ad app credential reset --id CLIENT_ID".to_owned(),
            )
        } else if said.contains("AADSTS700016") {
            (
                "there is no such application in this directory: compare `client` and `tenant`",
                "az ad app list --all --query \"[].{name: displayName, client: appId}\" --output table"
                    .to_owned(),
            )
        } else if said.contains("AADSTS90002") || said.contains("AADSTS900023") {
            ("there is no such directory: compare `tenant`", "az account show --query tenantId".to_owned())
        } else if said.contains("AADSTS70021") || said.contains("AADSTS700213") {
            (
                "the application trusts another token than that of this pod",
                "az ad app federated-credential list --id CLIENT_ID".to_owned(),
            )
        } else if said.contains("of the machine") {
            (
                "this machine has no managed identity, or several of which none is named as `client`",
                "az vm identity show --resource-group GROUP --name MACHINE".to_owned(),
            )
        } else {
            (
                "no token can be had: can anybody get one here?",
                format!("az account get-access-token --resource {}", self.audience),
            )
        };
        format!("{why}\n{command}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_advice_of_its_own() {
        let subject = Subject::of(&Target::Stdout, Path::new("service.yaml"), "workspace");
        let faults = [
            Fault::NoToken,
            Fault::OtherAudience,
            Fault::NoAddress,
            Fault::NoAnswer,
            Fault::TokenRefused,
            Fault::NoRight,
            Fault::NotFound,
            Fault::Refused,
            Fault::Busy,
            Fault::OtherServer,
        ];
        let mut all: Vec<String> =
            faults.iter().map(|fault| subject.advice(*fault, "", &Claims::default())).collect();
        assert!(all[5].contains("--assignee CLIENT_ID --role"), "{}", all[5]);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), faults.len(), "{all:#?}");
    }
}
