//! Where alerts and verdicts go.

use std::path::Path;

use super::azure::{self, AzureLogs};
use super::insights::{self, Insights};
use super::kafka::{self, Cluster, is_secret};
use super::metrics::{self, AzureMetrics, Prometheus};
use super::{check_name, duration, flag, has, keys, path, place_of, setting, settings};
use crate::azure::common_schema::CommonSchema;
use crate::config::duration::Duration;
use crate::config::node::{Key, Node};
use crate::config::problem::Problem;
use crate::config::secret::Setting;
use crate::config::{beside, label, labels};

/// One sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sink {
    /// By which models name it.
    pub name: String,
    /// Where messages go.
    pub target: Target,
    /// What is sent.
    pub send: Send,
    /// After how long a message that cannot be delivered is set aside.
    pub max_age: Duration,
}

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A POST for each message.
    Webhook(Box<Webhook>),
    /// A topic.
    Kafka {
        /// How it is reached.
        cluster: Box<Cluster>,
        /// Its name.
        topic: String,
    },
    /// The Logs Ingestion API of Azure Monitor.
    AzureLogs(Box<AzureLogs>),
    /// Custom metrics of Azure Monitor.
    AzureMetrics(Box<AzureMetrics>),
    /// Prometheus by remote write.
    Prometheus(Box<Prometheus>),
    /// Application Insights.
    Insights(Box<Insights>),
    /// A file, as seen from the working folder; one message a line.
    File(String),
    /// The standard output, one message a line.
    Stdout,
}

/// What a sink receives; at least one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// Changes of alerts.
    pub alerts: bool,
    /// Verdicts of windows.
    pub verdicts: bool,
    /// What the service says of itself.
    pub diagnostics: bool,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where messages are sent.
    pub url: Setting,
    /// Signs each message as Standard Webhooks say; `None` for no signature.
    pub secret: Option<Setting>,
    /// Headers of each request, in the file's order.
    pub headers: Vec<(String, Setting)>,
    /// How a message is written.
    pub template: Template,
    /// How the server is known, and this client.
    pub tls: Tls,
    /// Whether a redirect may lead to an address of a private network.
    pub allow_private: bool,
    /// How long an answer may take; more than 0.
    pub timeout: Duration,
}

/// How a message is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Template {
    /// As it is: one object of `driftlead.event/1`.
    Event,
    /// A card for a workflow of Microsoft Teams.
    Teams,
    /// A message of Slack.
    Slack,
    /// An event of PagerDuty, version 2.
    PagerDuty {
        /// The integration key.
        routing_key: Setting,
    },
    /// The common alert schema of Azure Monitor.
    CommonAlertSchema {
        /// The id of the resource that alerts are about.
        resource: Setting,
    },
    /// By the template in this file.
    File(String),
}

/// How the two ends of a connection know each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// A file of certificates to trust, in PEM; `None` for those of the system.
    pub ca: Option<String>,
    /// Files of this client's certificate and key, in PEM.
    pub client: Option<(String, String)>,
    /// Whether any certificate will do.
    pub insecure: bool,
}

/// Where PagerDuty takes events.
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

impl Target {
    /// The key by which the file names it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Kafka { .. } => "kafka",
            Self::AzureLogs(_) => "azure_logs",
            Self::AzureMetrics(_) => "azure_metrics",
            Self::Prometheus(_) => "prometheus",
            Self::Insights(_) => "application_insights",
            Self::File(_) => "file",
            Self::Stdout => "stdout",
        }
    }
}

impl Target {
    /// Whether it takes verdicts unless told otherwise: a table does, a person does not.
    pub(super) const fn takes_all(&self) -> bool {
        matches!(self, Self::AzureLogs(_) | Self::AzureMetrics(_) | Self::Prometheus(_) | Self::Insights(_))
    }
}

impl Template {
    /// The word in files; a file's path.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Event => "the message as it is",
            Self::Teams => "teams",
            Self::Slack => "slack",
            Self::PagerDuty { .. } => "pagerduty",
            Self::CommonAlertSchema { .. } => "common_alert_schema",
            Self::File(path) => path,
        }
    }
}

impl Sink {
    /// Every setting that may have to be fetched.
    pub(super) fn settings(&self) -> Vec<&Setting> {
        match &self.target {
            Target::Webhook(webhook) => {
                let mut all = vec![&webhook.url];
                all.extend(&webhook.secret);
                all.extend(webhook.headers.iter().map(|(_, setting)| setting));
                match &webhook.template {
                    Template::PagerDuty { routing_key: own }
                    | Template::CommonAlertSchema { resource: own } => all.push(own),
                    Template::Event | Template::Teams | Template::Slack | Template::File(_) => {}
                }
                all
            }
            Target::Kafka { cluster, .. } => cluster.settings().collect(),
            Target::AzureLogs(logs) => logs.settings(),
            Target::AzureMetrics(metrics) => metrics.settings(),
            Target::Prometheus(prometheus) => prometheus.settings(),
            Target::Insights(insights) => insights.settings(),
            Target::File(_) | Target::Stdout => Vec::new(),
        }
    }
}

pub(super) fn read(root: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Vec<Sink> {
    let entries = root.child("sinks").map(Node::entries).unwrap_or_default();
    entries.iter().filter_map(|(key, node)| sink(key, node, folder, problems)).collect()
}

fn sink(key: &Key, node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<Sink> {
    check_name("sink", key, problems);
    let name = keys::TARGETS.into_iter().find(|name| has(node, name))?;
    let own = node.child(name)?;
    let target = match name {
        "webhook" => Target::Webhook(Box::new(webhook(own, folder, problems)?)),
        "kafka" => Target::Kafka {
            cluster: Box::new(kafka::read(own, folder, problems)),
            topic: label(own, "topic")?,
        },
        "azure_logs" => Target::AzureLogs(Box::new(azure::logs(own, folder, problems)?)),
        "azure_metrics" => Target::AzureMetrics(Box::new(metrics::azure_metrics(own, folder, problems)?)),
        "prometheus" => Target::Prometheus(Box::new(metrics::prometheus(own, folder, problems)?)),
        "application_insights" => Target::Insights(Box::new(insights::read(own, folder, problems)?)),
        "file" => Target::File(file(own, folder, problems)?),
        _ => Target::Stdout,
    };
    let words = labels(own, "send");
    let sends = |word: &str| words.iter().any(|own| own == word);
    let sends_all = words.is_empty() && target.takes_all();
    let send = Send {
        alerts: words.is_empty() || sends("alerts"),
        verdicts: sends_all || sends("verdicts"),
        diagnostics: sends("diagnostics"),
    };
    if let (true, Target::Webhook(webhook)) = (send.diagnostics, &target)
        && matches!(webhook.template, Template::PagerDuty { .. })
    {
        let message = "`pagerduty` opens an incident for each message, and nothing resolves one of `diagnostics`: \
                       leave them out of `send`, or give them a sink of their own";
        problems.push(Problem::new(place_of(own, "send"), message));
    }
    let max_age = duration(own, "max_age").unwrap_or(Duration::WEEK);
    Some(Sink { name: key.name.clone(), target, send, max_age })
}

fn file(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<String> {
    let path = path(node, "path", folder)?;
    if path.contains("://") {
        let message =
            format!("`{path}` is no file of this machine: a sink is added to, which object stores cannot");
        problems.push(Problem::new(place_of(node, "path"), message));
    }
    Some(path)
}

fn webhook(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<Webhook> {
    let template = template(node, folder, problems);
    let url = match setting(node, "url", folder) {
        Some(url) => {
            check_url("https://example.org/hook", &url, problems);
            Some(url)
        }
        None if matches!(template, Template::PagerDuty { .. }) => Some(Setting::of(PAGERDUTY, node.place)),
        // There is a problem already, with the URL or with PagerDuty's key.
        None if has(node, "url") || label(node, "template").as_deref() == Some("pagerduty") => None,
        None => {
            let message = "`url` is missing in a webhook: write such as `url: \"https://example.org/hook\"`";
            problems.push(Problem::new(node.place, message));
            None
        }
    };
    check_headers(node, folder, problems);
    let timeout = timeout(node, problems);
    Some(Webhook {
        url: url?,
        secret: setting(node, "secret", folder),
        headers: settings(node, "headers", folder),
        template,
        tls: tls(node, folder, problems),
        allow_private: flag(node, "allow_private").unwrap_or(false),
        timeout,
    })
}

fn template(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Template {
    let routing_key = setting(node, "routing_key", folder);
    let name = label(node, "template");
    if has(node, "routing_key") && name.as_deref() != Some("pagerduty") {
        let message = "`routing_key` is PagerDuty's: write `template: pagerduty` beside it";
        problems.push(Problem::new(place_of(node, "routing_key"), message));
    }
    let resource = setting(node, "resource", folder);
    if has(node, "resource") && name.as_deref() != Some("common_alert_schema") {
        let message =
            "`resource` is the common alert schema's: write `template: common_alert_schema` beside it";
        problems.push(Problem::new(place_of(node, "resource"), message));
    }
    if name.as_deref() == Some("common_alert_schema") {
        return common_alert_schema(node, resource, problems);
    }
    match (name.as_deref(), routing_key) {
        (None, _) => Template::Event,
        (Some("teams"), _) => Template::Teams,
        (Some("slack"), _) => Template::Slack,
        (Some("pagerduty"), Some(routing_key)) => Template::PagerDuty { routing_key },
        (Some("pagerduty"), None) => {
            let message =
                "`template: pagerduty` needs an integration key: write `routing_key: \"${PAGERDUTY_KEY}\"`";
            problems.push(Problem::new(place_of(node, "template"), message));
            Template::Event
        }
        (Some(file), _) => {
            // A word without a dot or a slash is hardly a file.
            if !file.contains(['.', '/', '\\']) {
                let hint = crate::config::problem::suggest(file, keys::TEMPLATES);
                let message = format!("there is no template `{file}`: {hint} (a file would be `./{file}`)");
                problems.push(Problem::new(place_of(node, "template"), message));
            }
            Template::File(beside(folder, file))
        }
    }
}

fn common_alert_schema(node: &Node, resource: Option<Setting>, problems: &mut Vec<Problem>) -> Template {
    if labels(node, "send").iter().any(|own| own != "alerts") {
        let message = "`common_alert_schema` has no place but for alerts: write `send: alerts`, or send the rest to a sink \
                       of their own";
        problems.push(Problem::new(place_of(node, "send"), message));
    }
    let Some(resource) = resource else {
        let message = "`template: common_alert_schema` needs the resource that alerts are about: write `resource: \
                       /subscriptions/S/resourceGroups/G/providers/…`";
        problems.push(Problem::new(place_of(node, "template"), message));
        return Template::Event;
    };
    if let Some(Err(message)) = resource.plain().map(|own| CommonSchema::of(&own)) {
        problems.push(Problem::new(resource.place(), message));
    }
    Template::CommonAlertSchema { resource }
}

/// How long an answer may take.
pub(super) fn timeout(node: &Node, problems: &mut Vec<Problem>) -> Duration {
    let timeout = duration(node, "timeout").unwrap_or(Duration::from_secs(10));
    if timeout.is_zero() {
        let message = "`timeout: 0s` leaves no time for an answer: write such as `timeout: 10s`";
        problems.push(Problem::new(place_of(node, "timeout"), message));
    }
    timeout
}

/// How `node`, a webhook or a registry, is reached by TLS.
pub(super) fn tls(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Tls {
    let Some(node) = node.child("tls") else { return Tls::default() };
    let client = match (path(node, "certificate", folder), path(node, "key", folder)) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => {
            problems.push(Problem::new(
                place_of(node, "certificate"),
                "a `certificate` needs its `key` beside it",
            ));
            None
        }
        (None, Some(_)) => {
            problems.push(Problem::new(place_of(node, "key"), "a `key` needs its `certificate` beside it"));
            None
        }
    };
    Tls { ca: path(node, "ca", folder), client, insecure: flag(node, "insecure").unwrap_or(false) }
}

/// A URL that stands in the file is one of http or https, with a host and without a password.
pub(super) fn check_url(example: &str, url: &Setting, problems: &mut Vec<Problem>) {
    let Some(text) = url.plain() else { return };
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    match host {
        Some(host) if host.contains('@') => {
            let message = "a URL in the file may not hold a user or password: take all of it from the environment, \
                           such as `url: \"${HOOK_URL}\"`";
            problems.push(Problem::hidden(url.place(), message));
        }
        Some(host) if !host.is_empty() && !host.contains(char::is_whitespace) => {}
        _ => {
            let message =
                format!("`{text}` is not an address of a web server: write such as `url: \"{example}\"`");
            problems.push(Problem::new(url.place(), message));
        }
    }
}

/// Headers that are secrets by their names come from the environment.
pub(super) fn check_headers(node: &Node, folder: &Path, problems: &mut Vec<Problem>) {
    for (key, value) in node.child("headers").map(Node::entries).unwrap_or_default() {
        let name = key.name.to_ascii_lowercase();
        let is_secret = is_secret(&name)
            || ["authorization", "cookie", "token", "api-key", "apikey"]
                .iter()
                .any(|part| name.contains(part));
        let is_plain = Setting::read(value, folder).is_some_and(|setting| setting.plain().is_some());
        if is_secret && is_plain {
            let message = format!(
                "`{}`: a secret never stands in a file; write such as `\"Bearer ${{HOOK_TOKEN}}\"`",
                key.name
            );
            problems.push(Problem::hidden(value.place, message));
        }
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if key.name.is_empty() || !key.name.chars().all(is_token) {
            problems.push(Problem::new(key.place, format!("`{}` cannot name a header", key.name)));
        }
    }
}
