//! Sinks of numbers: custom metrics of Azure, and Prometheus by remote write.

use std::path::Path;

use driftlead_connectors::azure::Cloud;

use super::azure::{Access, access};
use super::sink::{check_headers, check_url, timeout, tls};
use super::{Entra, Tls, entra, flag, place_of, setting, settings};
use crate::config::duration::Duration;
use crate::config::label;
use crate::config::node::Node;
use crate::config::problem::Problem;
use crate::config::secret::Setting;

/// Which numbers are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Whether those of segments are.
    pub segments: bool,
    /// The most series; more than 0.
    pub max_series: u32,
}

impl Numbers {
    /// Unless the file says otherwise.
    pub const DEFAULT: Self = Self { segments: false, max_series: 2_000 };
}

/// Custom metrics of Azure Monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureMetrics {
    /// Where they go.
    pub first: Resource,
    /// Where they go while that fails.
    pub second: Option<Resource>,
    /// The namespace.
    pub namespace: String,
    /// Which.
    pub numbers: Numbers,
    /// Who sends.
    pub access: Access,
}

/// On what metrics are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The address of the region.
    pub endpoint: Setting,
    /// The resource's id.
    pub resource: Setting,
}

/// A receiver of Prometheus' remote write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prometheus {
    /// The whole address.
    pub url: Setting,
    /// By which identity; `None` for none.
    pub entra: Option<Entra>,
    /// In which cloud.
    pub cloud: Cloud,
    /// For what the tokens are; `None` for that of the cloud's Azure Monitor.
    pub audience: Option<String>,
    /// Headers of each request, in the file's order.
    pub headers: Vec<(String, Setting)>,
    /// Labels of each sample, in the file's order.
    pub labels: Vec<(String, String)>,
    /// Which numbers.
    pub numbers: Numbers,
    /// How the server is known.
    pub tls: Tls,
    /// How long an answer may take; more than 0.
    pub timeout: Duration,
}

/// The most series that a file may ask for: the limit of a subscription in a region.
const MOST_SERIES: u32 = 50_000;
/// Labels that are driftlead's own.
const OWN_LABELS: [&str; 5] = ["model", "window", "feature", "metric", "segment"];

impl AzureMetrics {
    /// Every setting that may have to be fetched.
    pub(super) fn settings(&self) -> Vec<&Setting> {
        let all = std::iter::once(&self.first).chain(&self.second);
        let mut all: Vec<&Setting> = all.flat_map(|own| [&own.endpoint, &own.resource]).collect();
        all.extend(&self.access.entra.secret);
        all
    }
}

impl Prometheus {
    /// Every setting that may have to be fetched.
    pub(super) fn settings(&self) -> Vec<&Setting> {
        let mut all = vec![&self.url];
        all.extend(self.headers.iter().map(|(_, setting)| setting));
        all.extend(self.entra.iter().filter_map(|entra| entra.secret.as_ref()));
        all
    }
}

pub(super) fn azure_metrics(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<AzureMetrics> {
    let access = access(node, folder, problems);
    let numbers = numbers(node, problems);
    let first = resource(node, folder, problems);
    let second = node.child("second").and_then(|node| resource(node, folder, problems));
    let namespace = label(node, "namespace").unwrap_or_else(|| "driftlead".to_owned());
    if !(1..=256).contains(&namespace.chars().count()) {
        let message = "a `namespace` of custom metrics has 1 to 256 characters";
        problems.push(Problem::new(place_of(node, "namespace"), message));
    }
    Some(AzureMetrics { first: first?, second, namespace, numbers, access })
}

fn resource(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<Resource> {
    let endpoint = setting(node, "endpoint", folder)?;
    check_url("https://REGION.monitoring.azure.com", &endpoint, problems);
    let resource = setting(node, "resource", folder)?;
    let is_one =
        |id: &String| id.starts_with("/subscriptions/") && id.to_ascii_lowercase().contains("/providers/");
    if let Some(id) = resource.plain().filter(|id| !is_one(id)) {
        let message = format!(
            "`{id}` is not the id of a resource: custom metrics are kept on a resource, not on a subscription or group; \
             `az resource show` has it as `id`: `/subscriptions/…/resourceGroups/…/providers/…`"
        );
        problems.push(Problem::new(place_of(node, "resource"), message));
    }
    Some(Resource { endpoint, resource })
}

pub(super) fn prometheus(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<Prometheus> {
    let numbers = numbers(node, problems);
    let (entra, tls) = (entra::read(node, folder, problems), tls(node, folder, problems));
    let timeout = timeout(node, problems);
    check_headers(node, folder, problems);
    let headers = settings(node, "headers", folder);
    for key in ["audience", "cloud"] {
        if entra.is_none() && node.child(key).is_some() {
            let message = format!("`{key}` is of tokens: write `entra` beside it, such as `entra: {{}}`");
            problems.push(Problem::new(place_of(node, key), message));
        }
    }
    let is_login = |(name, _): &&(String, Setting)| name.eq_ignore_ascii_case("authorization");
    if entra.is_some() && headers.iter().any(|own| is_login(&own)) {
        let message = "a request has one login: `entra`, or a header `Authorization`, not both";
        problems.push(Problem::new(place_of(node, "headers"), message));
    }
    let url = setting(node, "url", folder)?;
    check_url("https://prometheus.example.org/api/v1/write", &url, problems);
    Some(Prometheus {
        url,
        entra,
        cloud: label(node, "cloud").and_then(|name| Cloud::parse(&name)).unwrap_or_default(),
        audience: label(node, "audience"),
        headers,
        labels: labels(node, problems),
        numbers,
        tls,
        timeout,
    })
}

/// Labels keep Prometheus' rules for names, and are none of driftlead's.
fn labels(node: &Node, problems: &mut Vec<Problem>) -> Vec<(String, String)> {
    let entries = node.child("labels").map(Node::entries).unwrap_or_default();
    let mut all = Vec::new();
    for (key, value) in entries {
        let name = &key.name;
        let is_name = name
            .chars()
            .enumerate()
            .all(|(at, c)| c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit()));
        if !is_name || name.is_empty() || name.starts_with("__") || OWN_LABELS.contains(&name.as_str()) {
            let message = format!(
                "`{name}` cannot name a label: expected letters, digits and `_`, not `__` at the beginning, and none of \
                 {}",
                OWN_LABELS.join(", ")
            );
            problems.push(Problem::new(key.place, message));
        }
        all.extend(value.text().map(|text| (name.clone(), text)));
    }
    all
}

fn numbers(node: &Node, problems: &mut Vec<Problem>) -> Numbers {
    let base = Numbers::DEFAULT;
    let segments = flag(node, "segments").unwrap_or(base.segments);
    let max_series = match label(node, "max_series") {
        None => base.max_series,
        // What is no whole number is reported already.
        Some(text) => text.parse().unwrap_or(base.max_series),
    };
    if max_series > MOST_SERIES {
        let message =
            format!("`max_series: {max_series}` is more than {MOST_SERIES}, which Azure takes of everybody");
        problems.push(Problem::new(place_of(node, "max_series"), message));
    }
    Numbers { segments, max_series }
}
