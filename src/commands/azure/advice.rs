//! What mends a fault of a sink in Azure: a sentence, and the command.

use std::path::Path;

use driftlead_connectors::azure::{Claims, ConnectionString, Fault};

use crate::config::secret::Setting;
use crate::config::service::Target;

/// What the advice is about.
pub(super) struct Subject {
    /// For what the tokens are.
    audience: String,
    /// On what rights are given, as a word of a command: an id, or a command that prints it.
    scope: String,
    /// A command that shows what there is.
    list: String,
    /// What has to be there, and what else an endpoint may be.
    noun: &'static str,
    endpoint: &'static str,
    /// The key that names an identity, if none asks.
    missing: Option<&'static str>,
    /// What a look cannot tell, whatever is sent.
    open: Option<String>,
    /// The commands that try the sink with a record.
    test: String,
}

const RULES: &str = "az monitor data-collection rule list --query \"[].{name: name, rule: immutableId, endpoint: \
                     endpoints.logsIngestion}\" --output table";

/// A command that prints the id of the rule with this immutable id.
fn rule(immutable: &str) -> String {
    format!(
        "$(az monitor data-collection rule list --query \"[?immutableId=='{immutable}'].id\" --output tsv)"
    )
}

fn plain(setting: &Setting, other: &str) -> String {
    setting.plain().unwrap_or_else(|| other.to_owned())
}

impl Subject {
    /// The words for a sink; `connection` is the connection string of one of Application Insights.
    pub(super) fn of(
        target: &Target,
        connection: Option<&ConnectionString>,
        file: &Path,
        name: &str,
    ) -> Self {
        let logs = Self {
            audience: String::new(),
            scope: rule("IMMUTABLE_ID"),
            list: RULES.to_owned(),
            noun: "rule or stream",
            endpoint: "endpoint for logs ingestion",
            missing: None,
            open: None,
            test: format!("driftlead alerts test-sink {} {name}", file.display()),
        };
        match target {
            Target::AzureLogs(own) => Self {
                audience: own.access.cloud.monitor().to_owned(),
                scope: rule(&plain(&own.first.rule, "IMMUTABLE_ID")),
                ..logs
            },
            Target::AzureMetrics(own) => {
                let resource = plain(&own.first.resource, "RESOURCE_ID");
                let show = format!("az resource show --ids \"{resource}\" --query location");
                Self {
                    audience: own.access.cloud.metrics().to_owned(),
                    list: show.clone(),
                    noun: "resource",
                    endpoint: "endpoint of custom metrics: it is `https://REGION.monitoring.azure.com`",
                    open: Some(format!(
                        "region: whether the endpoint is that of the resource's region tells\n{show}"
                    )),
                    scope: resource,
                    ..logs
                }
            }
            Target::Insights(own) => {
                let query = match connection.and_then(ConnectionString::application) {
                    Some(application) => format!("[?appId=='{application}'].id"),
                    None => "[?name=='NAME'].id".to_owned(),
                };
                let audience = connection.and_then(ConnectionString::audience);
                Self {
                    audience: audience.unwrap_or(own.access.cloud.monitor()).to_owned(),
                    scope: format!(
                        "$(az monitor app-insights component show --query \"{query}\" --output tsv)"
                    ),
                    list: "az monitor app-insights component show --query \"[].{name: name, connection: connectionString}\" \
                           --output table"
                        .to_owned(),
                    noun: "resource",
                    endpoint: "ingestion of Application Insights",
                    missing: Some("entra").filter(|_| !own.has_entra),
                    ..logs
                }
            }
            Target::Prometheus(own) => {
                let audience = own.audience.as_deref().unwrap_or(own.cloud.monitor());
                let immutable = own.url.plain().and_then(|url| {
                    let id = url.split('/').find(|part| part.starts_with("dcr-"))?;
                    Some(id.to_owned())
                });
                Self {
                    audience: audience.to_owned(),
                    scope: rule(immutable.as_deref().unwrap_or("IMMUTABLE_ID")),
                    list: "az monitor account list --query \"[].{name: name, endpoint: metrics.prometheusQueryEndpoint, \
                           rule: defaultIngestionSettings.dataCollectionRuleResourceId}\" --output table"
                        .to_owned(),
                    noun: "address",
                    endpoint: "receiver of remote write",
                    missing: Some("entra` or `headers").filter(|_| own.entra.is_none()),
                    ..logs
                }
            }
            _ => logs,
        }
    }

    /// What a look cannot tell, which is less where a record was sent.
    pub(super) fn beyond(&self, has_sent: bool) -> Vec<String> {
        let record = format!(
            "records: whether what is sent fits only a record can tell; this sends one: {}",
            self.test
        );
        let all = [Some(record).filter(|_| !has_sent), self.open.clone()];
        all.into_iter().flatten().map(|own| own.replace('\n', "\n           ")).collect()
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
                "the endpoint is misspelled, or its name is known in a private network only; this shows what there is:\n{}",
                self.list
            ),
            Fault::NoAnswer => "nothing answers there: a firewall, a private link, a proxy (`HTTPS_PROXY`) or a certificate \
                                (`tls`) may be in the way; from this machine try:\ncurl --verbose ENDPOINT"
                .to_owned(),
            Fault::TokenRefused => match self.missing {
                Some(key) => format!("it takes nobody without an identity: name one with `{key}`"),
                None => "the token is not taken: the resource belongs to another directory or cloud than the identity; \
                         compare `tenant` with\naz account show --query tenantId"
                    .to_owned(),
            },
            Fault::NoRight => match self.missing {
                Some(key) => format!("it takes this from an identity with a role only: name one with `{key}`"),
                None => self.no_right(claims),
            },
            Fault::NotFound => format!(
                "there is no such {} at this endpoint; this shows what there is:\n{}",
                self.noun, self.list
            ),
            Fault::Refused => format!("the request is refused as a whole; try a record:\n{}", self.test),
            Fault::Busy => "the service has too much to do or fails: try again later; driftlead keeps what it has to send"
                .to_owned(),
            Fault::Exhausted => "the daily cap or the quota of the resource is used up: raise it, or wait for the next day; \
                                 what was set aside goes out with `driftlead alerts retry`"
                .to_owned(),
            Fault::OtherServer => {
                format!("this is no {}; this shows what there is:\n{}", self.endpoint, self.list)
            }
        }
    }

    fn no_right(&self, claims: &Claims) -> String {
        let who = match (&claims.object, &claims.application) {
            (Some(object), _) => {
                format!("--assignee-object-id {object} --assignee-principal-type ServicePrincipal")
            }
            (None, Some(application)) => format!("--assignee {application}"),
            (None, None) => "--assignee CLIENT_ID".to_owned(),
        };
        format!(
            "the identity may not send there; a new right takes up to half an hour to hold:\naz role assignment create {who} \
             --role \"Monitoring Metrics Publisher\" --scope \"{}\"",
            self.scope
        )
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
        let subject = Subject::of(&Target::Stdout, None, Path::new("service.yaml"), "workspace");
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
            Fault::Exhausted,
            Fault::OtherServer,
        ];
        let mut all: Vec<String> =
            faults.iter().map(|fault| subject.advice(*fault, "", &Claims::default())).collect();
        assert!(all[5].contains("--assignee CLIENT_ID --role"), "{}", all[5]);
        let of_token = Claims { application: Some("c-7".to_owned()), ..Claims::default() };
        let own = subject.advice(Fault::NoRight, "", &of_token);
        assert!(own.contains("--assignee c-7 --role"), "{own}");
        all.sort();
        all.dedup();
        assert_eq!(all.len(), faults.len(), "{all:#?}");
    }
}
