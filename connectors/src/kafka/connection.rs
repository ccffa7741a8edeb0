//! How a cluster is reached: brokers, librdkafka's properties, presets, secrets.
//!
//! Every property of librdkafka passes through and wins over what is set here, except those by which reading would not be
//! exact any more (SEMANTICS S16): these are refused by name. No message and no `Debug` shows a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;

use super::token::TokenSource;
use crate::error::{Error, Result};

/// How to reach a cluster.
#[derive(Clone, Default)]
pub struct Connection {
    /// `host:port`, several with commas between. May be empty with [`Preset::EventHubs`] and a connection string.
    pub brokers: String,
    /// librdkafka's properties, by name: <https://docs.confluent.io/platform/current/clients/librdkafka/html/md_CONFIGURATION.html>.
    pub properties: BTreeMap<String, String>,
    /// A set of properties for one kind of cluster; `properties` win over it.
    pub preset: Option<Preset>,
    /// Where OAUTHBEARER tokens come from. Without it, librdkafka's own method `oidc` can be had by properties.
    pub tokens: Option<Arc<dyn TokenSource>>,
}

/// Sets of properties for kinds of clusters.
#[derive(Clone)]
pub enum Preset {
    /// Azure Event Hubs, whose load balancer silently drops connections that are idle for four minutes.
    EventHubs {
        /// `Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…`, whole, as the portal shows it. Without it tokens
        /// are asked for (OAUTHBEARER), and the brokers have to be named.
        connection_string: Option<String>,
    },
}

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Reads records.
    Consumer,
    /// Asks for topics and offsets.
    Lookout,
    /// Writes records.
    Producer,
}

/// Properties that are not the user's to set, with the reason.
const REFUSED: &[(&str, &str)] = &[
    ("enable.auto.commit", COMMITS),
    ("auto.commit.enable", COMMITS),
    ("enable.auto.offset.store", COMMITS),
    ("auto.offset.reset", "where reading begins is said by `start`, and lost records are reported as a gap"),
    ("enable.partition.eof", "that a partition is read to its end is how an idle one is told"),
    ("bootstrap.servers", "write it as `brokers`"),
    ("metadata.broker.list", "write it as `brokers`"),
    ("enable.idempotence", "a message that is sent again must not be written twice"),
    ("transactional.id", "messages are not sent in transactions"),
    ("test.mock.num.brokers", "it would replace the brokers by a mock inside of the client"),
];
const COMMITS: &str = "positions are kept in the store; group offsets only show them";

impl Connection {
    /// The brokers to ask first.
    ///
    /// # Errors
    /// If there are none.
    pub(super) fn bootstrap(&self) -> Result<String> {
        if !self.brokers.trim().is_empty() {
            return Ok(self.brokers.clone());
        }
        match &self.preset {
            Some(Preset::EventHubs { connection_string: Some(text) }) => namespace(text),
            _ => Err(Error::misconfigured("no Kafka brokers are named: expected `brokers: host:port`")),
        }
    }

    /// librdkafka's configuration for `role`: ours, below the preset's, below the user's.
    ///
    /// # Errors
    /// On a property that is refused or a connection string that is none. Values are judged when a client is made.
    pub(super) fn config(&self, role: Role) -> Result<ClientConfig> {
        let mut config = ClientConfig::new();
        let brokers = self.bootstrap()?;
        let ours = [
            ("bootstrap.servers", brokers.as_str()),
            ("client.id", "driftlead"),
            ("socket.keepalive.enable", "true"),
            // An idle connection that a broker closes is not worth an error.
            ("log.connection.close", "false"),
            // From the tries to a broker that is away, the first after it is back should come soon.
            ("reconnect.backoff.max.ms", "2000"),
        ];
        let theirs = self.preset.as_ref().map(|preset| preset.properties(role)).transpose()?;
        let users = self.properties.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        for (key, value) in ours.into_iter().chain(theirs.into_iter().flatten()).chain(users) {
            config.set(key, value);
        }
        if let Some((key, reason)) = REFUSED.iter().find(|(key, _)| self.properties.contains_key(*key)) {
            return Err(Error::misconfigured(format!(
                "the Kafka property `{key}` cannot be set: {reason}; leave it out"
            )));
        }
        let fixed: &[(&str, &str)] = match role {
            Role::Consumer => &[
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("auto.offset.reset", "error"),
                ("enable.partition.eof", "true"),
                // A topic that is gone is known at once: what reads it must stop before another one has its name.
                ("topic.metadata.propagation.max.ms", "0"),
            ],
            // The true end of the log, also below open transactions.
            Role::Lookout => &[("isolation.level", "read_uncommitted"), ("enable.auto.commit", "false")],
            Role::Producer => &[("enable.idempotence", "true")],
        };
        for (key, value) in fixed {
            config.set(*key, *value);
        }
        Ok(config)
    }
}

impl Preset {
    /// The properties, librdkafka's names.
    fn properties(&self, role: Role) -> Result<Vec<(&str, &str)>> {
        let Self::EventHubs { connection_string } = self;
        let mut properties = vec![
            ("security.protocol", "SASL_SSL"),
            ("metadata.max.age.ms", "180000"),
            ("connections.max.idle.ms", "180000"),
        ];
        match connection_string {
            Some(text) => {
                namespace(text)?;
                properties.push(("sasl.mechanism", "PLAIN"));
                properties.push(("sasl.username", "$ConnectionString"));
                properties.push(("sasl.password", text));
            }
            None => properties.push(("sasl.mechanism", "OAUTHBEARER")),
        }
        if role == Role::Producer {
            properties.push(("request.timeout.ms", "60000"));
            properties.push(("message.max.bytes", "1000000"));
        } else {
            properties.push(("session.timeout.ms", "30000"));
            properties.push(("heartbeat.interval.ms", "3000"));
        }
        Ok(properties)
    }
}

/// The Kafka endpoint of the namespace that a connection string of Event Hubs names.
fn namespace(connection_string: &str) -> Result<String> {
    let host = connection_string
        .split(';')
        .filter_map(|part| part.trim().strip_prefix("Endpoint=sb://"))
        .map(|host| host.trim_end_matches('/'))
        .find(|host| !host.is_empty());
    match host {
        Some(host) if connection_string.contains("SharedAccessKey=") => Ok(kafka_endpoint(host)),
        _ => Err(Error::misconfigured(
            "the connection string of Event Hubs is not one: expected \
             `Endpoint=sb://NAMESPACE/;SharedAccessKeyName=…;SharedAccessKey=…`, whole, as the portal shows it",
        )),
    }
}

/// The Kafka endpoint of the namespace at `host`: port 9093, unless it names another, as a local stand-in does.
#[must_use]
pub fn kafka_endpoint(host: &str) -> String {
    if host.contains(':') { host.to_owned() } else { format!("{host}:9093") }
}

/// Whether what a property holds may be shown.
fn is_secret(key: &str) -> bool {
    ["password", "secret", "pem", "token", "oauthbearer.config"].iter().any(|word| key.contains(word))
}

/// What librdkafka says to a configuration, without what is secret.
pub(super) fn explain_config(error: KafkaError) -> Error {
    match &error {
        KafkaError::ClientConfig(_, reason, key, value) => {
            let value = if is_secret(key) { "…" } else { value };
            Error::misconfigured(format!(
                "the Kafka property `{key}: {value}` is not accepted: {}; see librdkafka's CONFIGURATION.md",
                reason.trim_end_matches('.')
            ))
        }
        KafkaError::ClientCreation(reason) => {
            Error::misconfigured(format!("the Kafka properties do not fit together: {reason}"))
        }
        _ => Error::misconfigured(format!("the Kafka client could not be made: {error}")),
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(key, value): (&String, &String)| {
            (key.clone(), if is_secret(key) { "…".to_owned() } else { value.clone() })
        };
        f.debug_struct("Connection")
            .field("brokers", &self.brokers)
            .field("properties", &self.properties.iter().map(shown).collect::<BTreeMap<_, _>>())
            .field("preset", &self.preset)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::EventHubs { connection_string } = self;
        let shown = connection_string.as_ref().map(|_| "…");
        f.debug_struct("EventHubs").field("connection_string", &shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRING: &str =
        "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=all;SharedAccessKey=a2V5c2VjcmV0";

    fn connection(properties: &[(&str, &str)]) -> Connection {
        let properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Connection { brokers: "127.0.0.1:9092".to_owned(), properties, ..Connection::default() }
    }

    #[test]
    fn the_users_properties_win_over_ours_and_the_presets() {
        let mut connection =
            connection(&[("socket.keepalive.enable", "false"), ("security.protocol", "plaintext")]);
        connection.preset = Some(Preset::EventHubs { connection_string: Some(STRING.to_owned()) });
        let config = connection.config(Role::Consumer).unwrap();
        assert_eq!(config.get("socket.keepalive.enable"), Some("false"));
        assert_eq!(config.get("security.protocol"), Some("plaintext"));
        assert_eq!(config.get("sasl.username"), Some("$ConnectionString"));
        assert_eq!(config.get("sasl.password"), Some(STRING));
        assert_eq!(config.get("connections.max.idle.ms"), Some("180000"));
    }

    #[test]
    fn what_would_break_exactness_is_refused_by_name() {
        for key in REFUSED.iter().map(|(key, _)| key) {
            let error = connection(&[(key, "true")]).config(Role::Consumer).unwrap_err();
            let message = error.to_string();
            assert!(message.contains(&format!("`{key}`")) && message.contains("leave it out"), "{message}");
        }
    }

    #[test]
    fn event_hubs_are_found_by_their_connection_string() {
        let preset = |text: &str| Connection {
            preset: Some(Preset::EventHubs { connection_string: Some(text.to_owned()) }),
            ..Connection::default()
        };
        assert_eq!(preset(STRING).bootstrap().unwrap(), "ns.servicebus.windows.net:9093");
        let local = "Endpoint=sb://127.0.0.1:1234/;SharedAccessKeyName=all;SharedAccessKey=x";
        assert_eq!(preset(local).bootstrap().unwrap(), "127.0.0.1:1234");
        for wrong in ["", "a2V5c2VjcmV0", "Endpoint=sb://;SharedAccessKey=x", "Endpoint=sb://ns.example/"] {
            let message = preset(wrong).bootstrap().unwrap_err().to_string();
            assert!(message.contains("Endpoint=sb://NAMESPACE/") && !message.contains("a2V5"), "{message}");
        }
        assert!(Connection::default().bootstrap().unwrap_err().to_string().contains("`brokers: host:port`"));
    }

    #[test]
    fn no_secret_is_ever_shown() {
        let mut connection = connection(&[
            ("sasl.password", "hush1"),
            ("ssl.key.pem", "hush2"),
            ("sasl.oauthbearer.client.secret", "hush3"),
            ("sasl.username", "alice"),
        ]);
        connection.preset = Some(Preset::EventHubs { connection_string: Some("hush4".to_owned()) });
        let shown = format!("{connection:?}");
        assert!(shown.contains("alice") && !shown.contains("hush"), "{shown}");

        let config = ClientConfig::new().set("ssl.key.password", "hush5").clone();
        assert!(config.create_native_config().is_ok());
        let refused = KafkaError::ClientConfig(
            rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_INVALID,
            "Invalid value".into(),
            "sasl.password".into(),
            "hush6".into(),
        );
        let message = explain_config(refused).to_string();
        assert!(message.contains("`sasl.password: …`"), "{message}");
    }

    #[test]
    fn a_property_that_does_not_exist_is_named() {
        let config = connection(&[("fetch.min.byte", "1")]).config(Role::Consumer).unwrap();
        let message = explain_config(config.create_native_config().err().unwrap()).to_string();
        assert!(message.contains("`fetch.min.byte: 1`"), "{message}");
    }
}
