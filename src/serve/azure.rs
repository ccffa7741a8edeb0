//! From the settings of sinks in Azure Monitor to what carries records there.

use std::sync::Arc;

use driftlead_connectors::azure::{self, Login, LogsIngestion, LogsSettings};
use driftlead_connectors::entra::Entra;

use super::build::{Vault, std_duration, tls};
use super::carrier::Freight;
use super::identity::identity;
use crate::azure::records::Streams;
use crate::clock::{Clock as _, SystemClock};
use crate::config::service as file;
use crate::exit::{Error, Result};

impl Vault<'_> {
    /// Who asks, for a resource of the cloud.
    pub(super) fn azure_access(
        &self,
        own: &file::AzureAccess,
        resource: &str,
        name: &str,
    ) -> Result<azure::Access> {
        let mut entra = own.entra.clone();
        let of_environment = (self.environment)("AZURE_AUTHORITY_HOST").filter(|host| !host.is_empty());
        if entra.authority.is_none() && of_environment.is_none() {
            entra.authority = Some(own.cloud.authority().to_owned());
        }
        let identity = identity(&entra, name, |own| self.open(own, name), self.environment)?;
        let now = Arc::new(|| SystemClock.now().div_euclid(1_000));
        let entra = Entra::new(identity, resource, now)
            .map_err(|error| Error::input(format!("`{name}`: `entra`: {error}")))?;
        Ok(azure::Access {
            login: Login::Entra(Arc::new(entra)),
            tls: tls(&own.tls),
            timeout: std_duration(own.timeout),
        })
    }

    pub(super) fn azure_logs(&self, own: &file::AzureLogs, name: &str) -> Result<Freight> {
        let rule = |own: &file::Rule| -> Result<azure::Rule> {
            Ok(azure::Rule { endpoint: self.text(&own.endpoint, name)?, rule: self.text(&own.rule, name)? })
        };
        let settings = LogsSettings {
            first: rule(&own.first)?,
            second: own.second.as_ref().map(rule).transpose()?,
            access: self.azure_access(&own.access, own.access.cloud.monitor(), name)?,
        };
        let client =
            LogsIngestion::new(&settings).map_err(|error| Error::input(format!("`{name}`: {error}")))?;
        let file::Streams { verdicts, metrics, alerts } = own.streams.clone();
        let streams = Streams { verdicts: Some(verdicts), metrics: Some(metrics), alerts: Some(alerts) };
        Ok(Freight::Logs { client: Box::new(client), streams })
    }
}
