//! From the settings of sinks of numbers to what carries the numbers there.

use std::collections::BTreeMap;

use driftlead_connectors::azure::{
    self, CustomMetrics, Login, MetricsSettings, RemoteWrite, RemoteWriteSettings,
};

use super::build::{Vault, std_duration, tls};
use super::carrier::Freight;
use crate::azure::series::Selection;
use crate::config::service as file;
use crate::exit::{Error, Result};

impl Vault<'_> {
    pub(super) fn azure_metrics(&self, own: &file::AzureMetrics, name: &str) -> Result<Freight> {
        let resource = |own: &file::Resource| -> Result<azure::Resource> {
            Ok(azure::Resource {
                endpoint: self.text(&own.endpoint, name)?,
                resource: self.text(&own.resource, name)?,
            })
        };
        let settings = MetricsSettings {
            first: resource(&own.first)?,
            second: own.second.as_ref().map(resource).transpose()?,
            namespace: own.namespace.clone(),
            access: self.azure_access(&own.access, own.access.cloud.metrics(), name)?,
        };
        let client = CustomMetrics::new(&settings).map_err(|error| refused(name, &error))?;
        let selection = Box::new(selection(own.numbers, BTreeMap::new()));
        Ok(Freight::Metrics { client: Box::new(client), selection })
    }

    pub(super) fn prometheus(&self, own: &file::Prometheus, name: &str) -> Result<Freight> {
        let access = match &own.entra {
            Some(entra) => {
                let access = file::AzureAccess {
                    entra: entra.clone(),
                    cloud: own.cloud,
                    tls: own.tls.clone(),
                    timeout: own.timeout,
                };
                let audience = own.audience.as_deref().unwrap_or(own.cloud.monitor());
                self.azure_access(&access, audience, name)?
            }
            None => {
                azure::Access { login: Login::None, tls: tls(&own.tls), timeout: std_duration(own.timeout) }
            }
        };
        let settings = RemoteWriteSettings {
            url: self.text(&own.url, name)?,
            headers: self.headers(&own.headers, name)?,
            access,
        };
        let client = RemoteWrite::new(&settings).map_err(|error| refused(name, &error))?;
        let selection = Box::new(selection(own.numbers, own.labels.iter().cloned().collect()));
        Ok(Freight::Prometheus { client: Box::new(client), selection })
    }
}

fn selection(numbers: file::Numbers, labels: BTreeMap<String, String>) -> Selection {
    Selection::new(numbers.segments, usize::try_from(numbers.max_series).unwrap_or(usize::MAX), labels)
}

fn refused(name: &str, error: &driftlead_connectors::Error) -> Error {
    Error::input(format!("`{name}`: {error}"))
}
