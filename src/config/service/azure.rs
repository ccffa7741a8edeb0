//! Sinks in Azure Monitor.

use std::path::Path;

use driftlead_connectors::azure::Cloud;

use super::entra::{self, Entra};
use super::sink::{Tls, check_url, timeout, tls};
use super::{place_of, setting};
use crate::azure::table::{ALERTS, METRICS, Table, VERDICTS};
use crate::config::duration::Duration;
use crate::config::label;
use crate::config::node::Node;
use crate::config::problem::Problem;
use crate::config::secret::Setting;

/// Who asks a service of Azure, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// By which identity.
    pub entra: Entra,
    /// In which cloud.
    pub cloud: Cloud,
    /// How the server is known.
    pub tls: Tls,
    /// How long an answer may take; more than 0.
    pub timeout: Duration,
}

/// The Logs Ingestion API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureLogs {
    /// Where records go.
    pub first: Rule,
    /// Where they go while that fails.
    pub second: Option<Rule>,
    /// The streams of the rule.
    pub streams: Streams,
    /// Who sends.
    pub access: Access,
}

/// An endpoint and a data collection rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The address.
    pub endpoint: Setting,
    /// The immutable id.
    pub rule: Setting,
}

/// The names of streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streams {
    /// Of verdicts.
    pub verdicts: String,
    /// Of metrics.
    pub metrics: String,
    /// Of alerts.
    pub alerts: String,
}

impl AzureLogs {
    /// Every setting that may have to be fetched.
    pub(super) fn settings(&self) -> Vec<&Setting> {
        let rules = std::iter::once(&self.first).chain(&self.second);
        let mut all: Vec<&Setting> = rules.flat_map(|own| [&own.endpoint, &own.rule]).collect();
        all.extend(&self.access.entra.secret);
        all
    }
}

pub(super) fn access(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Access {
    Access {
        entra: entra::read(node, folder, problems).unwrap_or_default(),
        cloud: label(node, "cloud").and_then(|name| Cloud::parse(&name)).unwrap_or_default(),
        tls: tls(node, folder, problems),
        timeout: timeout(node, problems),
    }
}

pub(super) fn logs(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<AzureLogs> {
    let access = access(node, folder, problems);
    let first = rule(node, folder, problems);
    let second = node.child("second").and_then(|node| rule(node, folder, problems));
    let streams = node.child("streams");
    let mut stream = |key: &str, table: &Table| {
        let Some((node, name)) = streams.and_then(|node| Some((node, label(node, key)?))) else {
            return table.stream.to_owned();
        };
        if !name.starts_with("Custom-") {
            let message =
                format!("`{name}` is no stream of a table of one's own: expected `Custom-` and a name");
            problems.push(Problem::new(place_of(node, key), message));
        }
        name
    };
    let streams = Streams {
        verdicts: stream("verdicts", &VERDICTS),
        metrics: stream("metrics", &METRICS),
        alerts: stream("alerts", &ALERTS),
    };
    Some(AzureLogs { first: first?, second, streams, access })
}

fn rule(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<Rule> {
    let endpoint = setting(node, "endpoint", folder)?;
    check_url("https://NAME.REGION-1.ingest.monitor.azure.com", &endpoint, problems);
    let rule = setting(node, "rule", folder)?;
    if let Some(id) = rule.plain().filter(|id| !id.starts_with("dcr-")) {
        let message = format!(
            "`{id}` is not the immutable id of a data collection rule: it begins with `dcr-`; \
             `az monitor data-collection rule show` has it as `immutableId`"
        );
        problems.push(Problem::new(place_of(node, "rule"), message));
    }
    Some(Rule { endpoint, rule })
}
