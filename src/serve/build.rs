//! From a service file to a plan: secrets are fetched, files that the settings name are read, components are set up.
//!
//! What cannot be had is named with the source or sink that asks for it; nothing is connected yet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration as StdDuration;

use arrow_schema::TimeUnit;
use driftlead_connectors::dataset;
use driftlead_connectors::decode::{
    Auth, AvroSchema, CsvFormat, Format, Framing, Headers, Place, Pointer, ProtobufMessage, RegistryOptions,
};
use driftlead_connectors::sink::{self, FileSink, Key, StdoutSink, Webhook, WebhookSettings};
use driftlead_connectors::store::Retention;
use driftlead_connectors::{ClientFiles, Tls};

use super::carrier::Carrier;
use super::plan::{DeadPlace, Keep, Plan, SinkPlan, SourceKind, SourcePlan};
use super::template::Template;
use crate::config::Duration;
use crate::config::fleet::Fleet;
use crate::config::secret::{Secret, Setting};
use crate::config::service as file;
use crate::exit::{Error, Result};
use crate::http::auth::{Scope, Token, Tokens};

/// Fetches settings that are secrets.
pub(super) struct Vault<'a> {
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Plan {
    /// The plan of a service file and its models. `environment` has the variables that settings name.
    ///
    /// # Errors
    ///
    /// A secret that is missing, a file that cannot be read, a setting that a component refuses.
    pub fn of(file: &Path, fleet: &Fleet, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let vault = Vault { environment };
        let service = &fleet.service;
        Ok(Self {
            file: Some(file.to_owned()),
            store: PathBuf::from(&service.store),
            models: fleet.models.iter().map(|model| model.file.clone()).collect(),
            sources: service.sources.iter().map(|own| vault.source(own)).collect::<Result<_>>()?,
            sinks: service.sinks.iter().map(|own| vault.sink(own)).collect::<Result<_>>()?,
            commit_every: std_duration(service.commit_every),
            listener: None,
            retention: Retention {
                windows: std_duration(service.retention.verdicts),
                delivered: std_duration(service.retention.delivered),
                counts: std_duration(service.retention.counts),
                bytes: service.retention.size.bytes(),
                ..Retention::default()
            },
        })
    }
}

/// The tokens of a service.
///
/// # Errors
///
/// A secret that is missing.
pub fn tokens(service: &file::Service, environment: &dyn Fn(&str) -> Option<String>) -> Result<Tokens> {
    let vault = Vault { environment };
    let token = |own: &file::Token| {
        let sha256 = match &own.proof {
            file::Proof::Sha256(hash) => *hash,
            file::Proof::Secret(setting) => {
                use sha2::Digest as _;
                sha2::Sha256::digest(vault.open(setting, &own.name)?.reveal().as_bytes()).into()
            }
        };
        let scope = match own.scope {
            file::Scope::Read => Scope::Read,
            file::Scope::Write => Scope::Write,
            file::Scope::Admin => Scope::Admin,
        };
        Ok(Token { name: own.name.clone(), scope, sha256 })
    };
    service.tokens.iter().map(token).collect::<Result<_>>().map(Tokens::new)
}

impl Vault<'_> {
    pub(super) fn open(&self, setting: &Setting, of: &str) -> Result<Secret> {
        setting.open(self.environment).map_err(|message| Error::input(format!("`{of}`: {message}")))
    }

    pub(super) fn text(&self, setting: &Setting, of: &str) -> Result<String> {
        Ok(self.open(setting, of)?.reveal().to_owned())
    }

    fn source(&self, own: &file::Source) -> Result<SourcePlan> {
        let name = &own.name;
        let (format, registry) = match &own.format {
            Some(format) => self.format(format, name)?,
            // Files and requests say so themselves.
            None => (Format::Json { framing: Framing::Plain }, None),
        };
        let time = match &own.time {
            None => None,
            Some(file::Time::Record) => Some((Place::RecordTimestamp, None)),
            Some(file::Time::Field { at, unit }) => Some((place(at, name)?, unit.map(time_unit))),
        };
        let places: BTreeMap<String, Place> = own
            .fields
            .iter()
            .map(|(column, at)| Ok((column.clone(), place(at, name)?)))
            .collect::<Result<_>>()?;
        let wants_headers = time
            .iter()
            .map(|(place, _)| place)
            .chain(places.values())
            .any(|own| matches!(own, Place::Header(_)));
        let (keep, dead) = match &own.dead_letter {
            None => (Keep::Nothing, DeadPlace::Nowhere),
            Some(letter) => (
                match letter.payload {
                    file::Payload::Full => Keep::Full,
                    file::Payload::Hash => Keep::Hash,
                    file::Payload::None => Keep::Nothing,
                },
                self.dead_place(&letter.to, own)?,
            ),
        };
        let kind = match &own.input {
            file::Input::Kafka { cluster, topics, start } => {
                self.kafka_source(name, cluster, topics, *start, wants_headers)?
            }
            file::Input::Files { path, every } => {
                let is_mdc = own.format == Some(file::Format::Mdc);
                let path = if is_mdc { dataset::Format::Mdc.mark(path) } else { path.clone() };
                SourceKind::Files { paths: vec![path], every: Some(std_duration(*every)) }
            }
            file::Input::Lines { path } => SourceKind::Lines { path: PathBuf::from(path), ends: false },
            file::Input::Stdin => SourceKind::Stdin,
            file::Input::Ingest { max_body } => {
                SourceKind::Ingest { max_body: usize::try_from(max_body.bytes()).unwrap_or(usize::MAX) }
            }
        };
        Ok(SourcePlan { name: name.clone(), kind, format, registry, time, places, keep, dead })
    }

    fn dead_place(&self, to: &file::Aside, own: &file::Source) -> Result<DeadPlace> {
        Ok(match to {
            file::Aside::File(path) => DeadPlace::File(PathBuf::from(path)),
            file::Aside::Topic(topic) => {
                let file::Input::Kafka { cluster, .. } = &own.input else {
                    let message = format!("`{}`: a dead-letter topic needs a source of Kafka", own.name);
                    return Err(Error::input(message));
                };
                self.dead_topic(&own.name, cluster, topic)?
            }
        })
    }

    fn format(&self, own: &file::Format, name: &str) -> Result<(Format, Option<RegistryOptions>)> {
        let plain = |format| Ok((format, None));
        match own {
            // Files say so themselves, or their path does.
            file::Format::Json | file::Format::Mdc => plain(Format::Json { framing: Framing::Plain }),
            file::Format::Arrow => plain(Format::Arrow),
            file::Format::Csv(csv) => {
                let mut format = CsvFormat::new(csv.header.iter().cloned());
                format.delimiter = csv.delimiter;
                plain(Format::Csv(format))
            }
            file::Format::AvroSchema(path) => plain(Format::Avro(AvroSchema::Plain(read_text(path, name)?))),
            file::Format::AvroRegistry(registry) => {
                Ok((Format::Avro(AvroSchema::Registry), Some(self.registry(registry, name)?)))
            }
            file::Format::Protobuf { descriptors, message, is_confluent } => {
                plain(Format::Protobuf(ProtobufMessage {
                    descriptors: read_bytes(descriptors, name)?,
                    name: message.clone(),
                    framing: if *is_confluent { Framing::Registry } else { Framing::Plain },
                    index: None,
                }))
            }
        }
    }

    fn registry(&self, own: &file::Registry, name: &str) -> Result<RegistryOptions> {
        let mut options = RegistryOptions::new(self.text(&own.url, name)?);
        options.auth = match &own.login {
            None => Auth::None,
            Some(file::Login::Basic { username, password }) => {
                Auth::Basic { user: self.text(username, name)?, password: self.text(password, name)? }
            }
            Some(file::Login::Bearer(token)) => Auth::Bearer(self.text(token, name)?),
        };
        options.headers = Headers(self.headers(&own.headers, name)?);
        options.tls = tls(&own.tls);
        Ok(options)
    }

    pub(super) fn headers(&self, own: &[(String, Setting)], of: &str) -> Result<Vec<(String, String)>> {
        own.iter().map(|(name, value)| Ok((name.clone(), self.text(value, of)?))).collect()
    }

    fn sink(&self, own: &file::Sink) -> Result<SinkPlan> {
        let name = &own.name;
        let plain = |sink| Carrier::Message { sink: Box::new(sink), template: Box::new(Template::plain()) };
        let carrier = match &own.target {
            file::Target::File(path) => plain(sink::Sink::File(FileSink::new(path))),
            file::Target::Stdout => plain(sink::Sink::Stdout(StdoutSink)),
            file::Target::Webhook(webhook) => Carrier::Message {
                template: Box::new(self.template(&webhook.template, name)?),
                sink: Box::new(sink::Sink::Webhook(Box::new(self.webhook(webhook, name)?))),
            },
            file::Target::Kafka { cluster, topic } => plain(self.kafka_sink(name, cluster, topic)?),
            file::Target::AzureLogs(logs) => Carrier::Freight(self.azure_logs(logs, name)?),
            file::Target::AzureMetrics(own) => Carrier::Freight(self.azure_metrics(own, name)?),
            file::Target::Prometheus(own) => Carrier::Freight(self.prometheus(own, name)?),
            file::Target::Insights(insights) => Carrier::Freight(self.insights(insights, name)?),
        };
        Ok(SinkPlan {
            name: name.clone(),
            carrier,
            verdicts: own.send.verdicts,
            alerts: own.send.alerts,
            diagnostics: own.send.diagnostics,
            max_age: std_duration(own.max_age),
        })
    }

    fn webhook(&self, own: &file::Webhook, name: &str) -> Result<Webhook> {
        let key = match &own.secret {
            None => None,
            Some(secret) => Some(
                Key::of_secret(self.open(secret, name)?.reveal())
                    .map_err(|message| Error::input(format!("`{name}`: {message}")))?,
            ),
        };
        let settings = WebhookSettings {
            url: self.text(&own.url, name)?,
            key,
            headers: self.headers(&own.headers, name)?,
            tls: tls(&own.tls),
            allow_private_redirects: own.allow_private,
            timeout: std_duration(own.timeout),
        };
        Webhook::new(&settings).map_err(|error| Error::input(format!("`{name}`: {error}")))
    }

    fn template(&self, own: &file::Template, name: &str) -> Result<Template> {
        let none = BTreeMap::new;
        match own {
            file::Template::Event => Ok(Template::plain()),
            file::Template::Teams => Template::preset("teams", none()),
            file::Template::Slack => Template::preset("slack", none()),
            file::Template::PagerDuty { routing_key } => {
                let settings = BTreeMap::from([("routing_key".to_owned(), self.text(routing_key, name)?)]);
                Template::preset("pagerduty", settings)
            }
            file::Template::CommonAlertSchema { resource } => {
                Template::common_alert_schema(&self.text(resource, name)?)
                    .map_err(|error| Error::input(format!("`{name}`: `resource`: {error}")))
            }
            file::Template::File(path) => Template::parse(&read_text(path, name)?, none())
                .map_err(|error| Error::input(format!("`{name}`: `{path}`: {error}"))),
        }
    }
}

#[cfg(feature = "kafka")]
impl Vault<'_> {
    fn connection(
        &self,
        name: &str,
        cluster: &file::Cluster,
    ) -> Result<driftlead_connectors::kafka::Connection> {
        use std::sync::Arc;

        use driftlead_connectors::entra::Entra;
        use driftlead_connectors::kafka::{Connection, Preset, kafka_endpoint};

        use crate::clock::{Clock as _, SystemClock};

        let mut connection = Connection::default();
        match &cluster.access {
            file::Access::Brokers(brokers) => {
                let brokers: Vec<String> =
                    brokers.iter().map(|broker| self.text(broker, name)).collect::<Result<_>>()?;
                connection.brokers = brokers.join(",");
            }
            file::Access::EventHubs { connection_string } => {
                let connection_string = Some(self.text(connection_string, name)?);
                connection.preset = Some(Preset::EventHubs { connection_string });
            }
            file::Access::Namespace { host, entra } => {
                connection.brokers = kafka_endpoint(host);
                connection.preset = Some(Preset::EventHubs { connection_string: None });
                let identity =
                    super::identity::identity(entra, name, |own| self.open(own, name), self.environment)?;
                let resource = format!("https://{}", host.split(':').next().unwrap_or(host));
                // By the clock by which librdkafka takes a token for ended.
                let now = Arc::new(|| SystemClock.now().div_euclid(1_000));
                let tokens = Entra::new(identity, resource, now)
                    .map_err(|error| Error::input(format!("`{name}`: `entra`: {error}")))?;
                connection.tokens = Some(Arc::new(tokens));
            }
        }
        for (key, value) in &cluster.properties {
            connection.properties.insert(key.clone(), self.text(value, name)?);
        }
        Ok(connection)
    }

    fn kafka_source(
        &self,
        name: &str,
        cluster: &file::Cluster,
        topics: &file::Topics,
        start: file::Start,
        headers: bool,
    ) -> Result<SourceKind> {
        use driftlead_connectors::kafka::{KafkaSettings, Start};

        let topics = match topics {
            file::Topics::Named(names) => names.clone(),
            file::Topics::Pattern(pattern) if pattern.starts_with('^') => vec![pattern.clone()],
            file::Topics::Pattern(pattern) => vec![format!("^{pattern}")],
        };
        let start = match start {
            file::Start::Earliest => Start::Beginning,
            file::Start::Latest => Start::End,
            // Kafka counts in milliseconds: the first that is not before it.
            file::Start::At(micros) => Start::Time(micros.div_euclid(1_000) + i64::from(micros % 1_000 != 0)),
        };
        let connection = self.connection(name, cluster)?;
        Ok(SourceKind::Kafka { settings: Box::new(KafkaSettings { connection, topics, headers }), start })
    }

    fn kafka_sink(&self, name: &str, cluster: &file::Cluster, topic: &str) -> Result<sink::Sink> {
        let connection = self.connection(name, cluster)?;
        sink::KafkaSink::open(&connection, topic)
            .map(sink::Sink::Kafka)
            .map_err(|error| Error::input(format!("`{name}`: {error}")))
    }

    fn dead_topic(&self, name: &str, cluster: &file::Cluster, topic: &str) -> Result<DeadPlace> {
        let connection = Box::new(self.connection(name, cluster)?);
        Ok(DeadPlace::Topic { connection, topic: topic.to_owned() })
    }
}

#[cfg(not(feature = "kafka"))]
impl Vault<'_> {
    fn kafka_source(
        &self,
        name: &str,
        _: &file::Cluster,
        _: &file::Topics,
        _: file::Start,
        _: bool,
    ) -> Result<SourceKind> {
        Err(without_kafka(name))
    }

    fn kafka_sink(&self, name: &str, _: &file::Cluster, _: &str) -> Result<sink::Sink> {
        Err(without_kafka(name))
    }

    fn dead_topic(&self, name: &str, _: &file::Cluster, _: &str) -> Result<DeadPlace> {
        Err(without_kafka(name))
    }
}

#[cfg(not(feature = "kafka"))]
fn without_kafka(name: &str) -> Error {
    Error::input(format!("`{name}`: this build has no Kafka: build it with the feature `kafka`"))
}

fn place(own: &file::Where, name: &str) -> Result<Place> {
    Ok(match own {
        file::Where::Payload(pointer) => Place::Payload(
            Pointer::parse(pointer).map_err(|error| Error::input(format!("`{name}`: {error}")))?,
        ),
        file::Where::Header(header) => Place::Header(header.clone()),
        file::Where::Key => Place::Key(None),
    })
}

pub(super) fn tls(own: &file::Tls) -> Tls {
    let client = own.client.as_ref();
    Tls {
        ca_file: own.ca.as_ref().map(PathBuf::from),
        client: client
            .map(|(certificate, key)| ClientFiles { certificate: certificate.into(), key: key.into() }),
        accept_any: own.insecure,
    }
}

fn time_unit(unit: file::Unit) -> TimeUnit {
    match unit {
        file::Unit::Second => TimeUnit::Second,
        file::Unit::Millisecond => TimeUnit::Millisecond,
        file::Unit::Microsecond => TimeUnit::Microsecond,
        file::Unit::Nanosecond => TimeUnit::Nanosecond,
    }
}

pub(super) fn std_duration(duration: Duration) -> StdDuration {
    StdDuration::from_micros(duration.micros().unsigned_abs())
}

fn read_bytes(path: &str, name: &str) -> Result<Vec<u8>> {
    std::fs::read(Path::new(path)).map_err(|error| {
        Error::input(format!("`{name}` names the file `{path}`, which cannot be read")).because(error)
    })
}

fn read_text(path: &str, name: &str) -> Result<String> {
    String::from_utf8(read_bytes(path, name)?)
        .map_err(|_| Error::input(format!("`{name}`: `{path}` is not UTF-8 text")))
}
