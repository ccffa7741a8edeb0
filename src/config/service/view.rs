//! What a service file means, for a person: `driftlead validate`. Secrets are never shown, only where they come from.

use std::fmt::Write as _;

use super::{
    Access, Aside, AzureAccess, AzureLogs, AzureMetrics, Cluster, Format, Input, Insights, Login, Numbers,
    Prometheus, Proof, Retention, Send, Service, Sink, Source, Start, Streams, Target, Time, Tls, Topics,
    Where,
};
use crate::azure::table::{ALERTS, DIAGNOSTICS, METRICS, VERDICTS};
use crate::config::duration::Duration;
use crate::config::secret::Setting;
use crate::time::Timestamp;

const DEFAULT: &str = "  (default)";

/// The resolved settings, a line each; the lines of a source or sink are indented below it.
#[must_use]
pub fn text(service: &Service) -> String {
    let mut page = Page(String::new());
    page.line("listen", &service.listen.to_string(), service.listen.to_string() == "127.0.0.1:7070");
    if service.tokens.is_empty() {
        page.line("tokens", "none: this machine alone is let in", true);
    }
    for token in &service.tokens {
        let proof = match &token.proof {
            Proof::Sha256(_) => "known by its SHA-256".to_owned(),
            Proof::Secret(setting) => setting.describe(),
        };
        page.line("token", &format!("{}: {}, {proof}", token.name, token.scope.name()), false);
    }
    page.line("store", &service.store, false);
    let every = service.commit_every;
    page.line("commit", &format!("every {every}"), every == Duration::from_secs(2));
    let retention = service.retention;
    let kept = format!(
        "verdicts {}, delivered messages {}, counts {}, at most {}",
        retention.verdicts, retention.delivered, retention.counts, retention.size
    );
    page.line("retention", &kept, retention == Retention::default());
    page.line("models", &service.models.join(", "), false);
    for source in &service.sources {
        page.source(source);
    }
    if service.sinks.is_empty() {
        page.line("sinks", "none: verdicts and alerts are kept in the store only", true);
    }
    for sink in &service.sinks {
        page.sink(sink);
    }
    page.0
}

struct Page(String);

impl Page {
    fn line(&mut self, name: &str, value: &str, is_default: bool) {
        let mark = if is_default { DEFAULT } else { "" };
        let _ = writeln!(self.0, "{name:<12} {value}{mark}");
    }

    fn source(&mut self, source: &Source) {
        let input = match &source.input {
            Input::Kafka { cluster, topics, .. } => {
                let topics = match topics {
                    Topics::Named(topics) => format!("topics {}", topics.join(", ")),
                    Topics::Pattern(pattern) => format!("topics that match {pattern}"),
                };
                format!("kafka, {topics}, at {}", describe_cluster(cluster))
            }
            Input::Files { path, every } => format!("files in {path}, looked at every {every}"),
            Input::Lines { path } => format!("lines added to {path}"),
            Input::Stdin => "lines of the standard input, each counted at most once".to_owned(),
            Input::Ingest { max_body } => {
                format!("what is sent to the HTTP API, at most {max_body} at a time")
            }
        };
        self.line("source", &format!("{}: {input}", source.name), false);
        if let Input::Kafka { cluster, start, .. } = &source.input {
            let from = match start {
                Start::Earliest => "the oldest record".to_owned(),
                Start::Latest => "the next record that is written".to_owned(),
                Start::At(micros) => format!("records of {}", Timestamp::from_micros(*micros)),
            };
            self.line("  start", &format!("with {from}, if it was never read"), *start == Start::Earliest);
            self.settings("  property", &cluster.properties);
        }
        if let Some(format) = &source.format {
            self.format(format);
        }
        match &source.time {
            Some(Time::Record) => {
                self.line("  time", "the timestamp that Kafka keeps beside the record", false)
            }
            Some(Time::Field { at, unit }) => {
                let unit = unit.map_or("text in RFC 3339".to_owned(), |unit| format!("in {}", unit.name()));
                self.line("  time", &format!("{}, {unit}", describe_where(at)), false);
            }
            None => self.line("  time", "the model's `time` column", true),
        }
        for (column, at) in &source.fields {
            self.line("  field", &format!("{column}: {}", describe_where(at)), false);
        }
        match &source.dead_letter {
            Some(dead) => {
                let to = match &dead.to {
                    Aside::File(file) => format!("the file {file}"),
                    Aside::Topic(topic) => format!("the topic {topic}"),
                };
                self.line("  bad records", &format!("to {to}, payload {}", dead.payload.name()), false);
            }
            None => self.line("  bad records", "counted only", true),
        }
    }

    fn format(&mut self, format: &Format) {
        let value = match format {
            Format::Json => "json".to_owned(),
            Format::Mdc => "mdc, the records of each event".to_owned(),
            Format::Arrow => "arrow".to_owned(),
            Format::AvroSchema(file) => format!("avro, schema {file}"),
            Format::AvroRegistry(registry) => format!("avro, schemas of {}", registry.url.describe()),
            Format::Protobuf { descriptors, message, is_confluent } => {
                let framing = if *is_confluent { ", behind a registry's id" } else { "" };
                format!("protobuf, {message} of {descriptors}{framing}")
            }
            Format::Csv(csv) => {
                format!(
                    "csv, columns {} between `{}`",
                    csv.header.join(", "),
                    char::from(csv.delimiter).escape_default()
                )
            }
        };
        self.line("  format", &value, *format == Format::Json);
        if let Format::AvroRegistry(registry) = format {
            match &registry.login {
                Some(Login::Basic { username, password }) => {
                    let login = format!("{}, password {}", username.describe(), password.describe());
                    self.line("  login", &login, false);
                }
                Some(Login::Bearer(token)) => {
                    self.line("  login", &format!("token {}", token.describe()), false)
                }
                None => {}
            }
            self.settings("  header", &registry.headers);
            self.tls(&registry.tls);
        }
    }

    fn sink(&mut self, sink: &Sink) {
        let target = match &sink.target {
            Target::Webhook(webhook) => format!("webhook to {}", webhook.url.describe()),
            Target::Kafka { cluster, topic } => {
                format!("kafka, topic {topic}, at {}", describe_cluster(cluster))
            }
            Target::AzureLogs(logs) => {
                format!(
                    "azure_logs, rule {} at {}",
                    logs.first.rule.describe(),
                    logs.first.endpoint.describe()
                )
            }
            Target::AzureMetrics(metrics) => {
                format!(
                    "azure_metrics, on {} at {}",
                    metrics.first.resource.describe(),
                    metrics.first.endpoint.describe()
                )
            }
            Target::Prometheus(prometheus) => format!("prometheus, at {}", prometheus.url.describe()),
            Target::Insights(insights) => {
                format!("application_insights, connection string {}", insights.connection_string.describe())
            }
            Target::File(path) => format!("file {path}"),
            Target::Stdout => "the standard output".to_owned(),
        };
        self.line("sink", &format!("{}: {target}", sink.name), false);
        match &sink.target {
            Target::Webhook(webhook) => {
                let template = webhook.template.name();
                self.line("  message", template, webhook.template == super::Template::Event);
                if let super::Template::PagerDuty { routing_key } = &webhook.template {
                    self.line("  key", &routing_key.describe(), false);
                }
                if let super::Template::CommonAlertSchema { resource } = &webhook.template {
                    self.line("  about", &resource.describe(), false);
                }
                match &webhook.secret {
                    Some(secret) => self.line("  signed", &format!("with {}", secret.describe()), false),
                    None => self.line("  signed", "no", true),
                }
                self.settings("  header", &webhook.headers);
                self.tls(&webhook.tls);
                if webhook.allow_private {
                    self.line("  redirects", "may lead into private networks", false);
                }
                let timeout = webhook.timeout;
                self.line("  timeout", &timeout.to_string(), timeout == Duration::from_secs(10));
            }
            Target::Kafka { cluster, .. } => self.settings("  property", &cluster.properties),
            Target::AzureLogs(logs) => self.azure_logs(logs),
            Target::AzureMetrics(metrics) => self.azure_metrics(metrics),
            Target::Prometheus(prometheus) => self.prometheus(prometheus),
            Target::Insights(insights) => self.insights(insights),
            Target::File(_) | Target::Stdout => {}
        }
        let Send { alerts, verdicts, diagnostics } = sink.send;
        let sends = [(alerts, "alerts"), (verdicts, "verdicts"), (diagnostics, "diagnostics")];
        let sends: Vec<&str> = sends.into_iter().filter(|(sends, _)| *sends).map(|(_, name)| name).collect();
        let is_default = alerts && verdicts == sink.target.takes_all() && !diagnostics;
        self.line("  send", &sends.join(", "), is_default);
        self.line("  max age", &sink.max_age.to_string(), sink.max_age == Duration::WEEK);
    }

    fn azure_logs(&mut self, logs: &AzureLogs) {
        if let Some(second) = &logs.second {
            let second = format!("rule {} at {}", second.rule.describe(), second.endpoint.describe());
            self.line("  else", &second, false);
        }
        let Streams { verdicts, metrics, alerts, diagnostics } = &logs.streams;
        let is_default =
            [(verdicts, VERDICTS), (metrics, METRICS), (alerts, ALERTS), (diagnostics, DIAGNOSTICS)]
                .iter()
                .all(|(own, table)| *own == table.stream);
        self.line("  streams", &format!("{verdicts}, {metrics}, {alerts}, {diagnostics}"), is_default);
        self.azure(&logs.access);
    }

    fn azure_metrics(&mut self, metrics: &AzureMetrics) {
        if let Some(second) = &metrics.second {
            let second = format!("on {} at {}", second.resource.describe(), second.endpoint.describe());
            self.line("  else", &second, false);
        }
        self.line("  namespace", &metrics.namespace, metrics.namespace == "driftlead");
        self.numbers(metrics.numbers);
        self.azure(&metrics.access);
    }

    fn prometheus(&mut self, own: &Prometheus) {
        match &own.entra {
            Some(entra) => {
                let audience = own.audience.as_deref().unwrap_or(own.cloud.monitor());
                self.line("  identity", &format!("{}, for {audience}", entra.describe()), false);
            }
            None => self.line("  identity", "none", true),
        }
        self.settings("  header", &own.headers);
        for (name, value) in &own.labels {
            self.line("  label", &format!("{name}: {value}"), false);
        }
        self.numbers(own.numbers);
        self.tls(&own.tls);
        self.line("  timeout", &own.timeout.to_string(), own.timeout == Duration::from_secs(10));
    }

    /// Which numbers are sent.
    fn numbers(&mut self, own: Numbers) {
        let of = if own.segments { "the whole and segments" } else { "the whole" };
        let numbers = format!("of {of}, at most {} series", own.max_series);
        self.line("  numbers", &numbers, own == Numbers::DEFAULT);
    }

    fn insights(&mut self, insights: &Insights) {
        self.line("  role", &insights.role, insights.role == super::insights::ROLE);
        if insights.has_entra {
            self.azure(&insights.access);
            return;
        }
        self.line("  identity", "none: the key of the connection string", true);
        self.tls(&insights.access.tls);
        let timeout = insights.access.timeout;
        self.line("  timeout", &timeout.to_string(), timeout == Duration::from_secs(10));
    }

    /// Who asks a service of Azure.
    fn azure(&mut self, access: &AzureAccess) {
        self.line("  identity", &access.entra.describe(), access.entra == super::Entra::default());
        let cloud = access.cloud;
        self.line("  cloud", cloud.name(), cloud == driftlead_connectors::azure::Cloud::Public);
        self.tls(&access.tls);
        self.line("  timeout", &access.timeout.to_string(), access.timeout == Duration::from_secs(10));
    }

    fn settings(&mut self, name: &str, settings: &[(String, Setting)]) {
        for (key, setting) in settings {
            self.line(name, &format!("{key}: {}", setting.describe()), false);
        }
    }

    fn tls(&mut self, tls: &Tls) {
        if let Some(ca) = &tls.ca {
            self.line("  tls", &format!("certificates of {ca} are trusted"), false);
        }
        if let Some((certificate, key)) = &tls.client {
            self.line("  tls", &format!("known by {certificate}, key {key}"), false);
        }
        if tls.insecure {
            self.line("  tls", "any certificate will do", false);
        }
    }
}

fn describe_cluster(cluster: &Cluster) -> String {
    match &cluster.access {
        Access::Brokers(brokers) => brokers.iter().map(Setting::describe).collect::<Vec<_>>().join(", "),
        Access::EventHubs { connection_string } => {
            format!("Event Hubs, connection string {}", connection_string.describe())
        }
        Access::Namespace { host, entra } => format!("Event Hubs, namespace {host}, {}", entra.describe()),
    }
}

fn describe_where(at: &Where) -> String {
    match at {
        Where::Payload(pointer) => pointer.clone(),
        Where::Header(name) => format!("header {name}"),
        Where::Key => "the key".to_owned(),
    }
}
