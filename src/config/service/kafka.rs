//! How a cluster of Kafka brokers is reached: the same for a source and for a sink.

use std::path::Path;

use super::entra::{self, Entra};
use super::{has, place_of};
use crate::config::label;
use crate::config::node::{Node, Value};
use crate::config::problem::Problem;
use crate::config::secret::Setting;
use crate::config::several_nodes;

/// A cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Where it is.
    pub access: Access,
    /// Settings of librdkafka, in the file's order; they win over driftlead's own.
    pub properties: Vec<(String, Setting)>,
}

/// Where a cluster is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// The brokers to ask first, each `host:port` or several with commas between.
    Brokers(Vec<Setting>),
    /// A namespace of Event Hubs, whose connection string has its address.
    EventHubs {
        /// The connection string.
        connection_string: Setting,
    },
    /// A namespace of Event Hubs that knows its clients by Entra.
    Namespace {
        /// Its host; with a port, if it is not Azure's.
        host: String,
        /// By which identity it is used.
        entra: Entra,
    },
}

/// Properties that have a key of their own, or would lose or repeat rows, and what to do instead.
const REFUSED: [(&str, &str); 6] = [
    ("bootstrap.servers", "write `brokers`"),
    ("metadata.broker.list", "write `brokers`"),
    ("auto.offset.reset", "write `start`"),
    ("enable.auto.commit", "leave it out, the store keeps the positions"),
    ("enable.auto.offset.store", "leave it out, the store keeps the positions"),
    ("enable.partition.eof", "leave it out, it is what tells that a partition is idle"),
];

impl Cluster {
    /// Every setting that may have to be fetched.
    pub(super) fn settings(&self) -> impl Iterator<Item = &Setting> {
        let access: &[Setting] = match &self.access {
            Access::Brokers(brokers) => brokers,
            Access::EventHubs { connection_string } => std::slice::from_ref(connection_string),
            Access::Namespace { entra, .. } => entra.secret.as_slice(),
        };
        access.iter().chain(self.properties.iter().map(|(_, setting)| setting))
    }
}

pub(super) fn read(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Cluster {
    let brokers: Vec<Setting> = node
        .child("brokers")
        .map(several_nodes)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|node| Setting::read(node, folder))
        .collect();
    let connection = super::setting(node, "connection_string", folder);
    let namespace = namespace(node, folder, problems);
    let mut refuse = |key: &str, message: &str| problems.push(Problem::new(place_of(node, key), message));
    if has(node, "preset") {
        if has(node, "brokers") {
            refuse(
                "brokers",
                "the connection string or namespace names the brokers: leave out either it or `brokers`",
            );
        }
        if !has(node, "connection_string") && !has(node, "namespace") {
            let message = "`preset: event_hubs` needs a connection string: write `connection_string: \"${EVENT_HUBS}\"`, \
                           or `namespace` and `entra`";
            refuse("preset", message);
        }
    } else if has(node, "namespace") {
        refuse("namespace", "a namespace is Event Hubs': write `preset: event_hubs` beside it");
    } else if has(node, "connection_string") {
        refuse(
            "connection_string",
            "a connection string is Event Hubs': write `preset: event_hubs` beside it",
        );
    } else if !has(node, "brokers") && matches!(node.value, Value::Map(_)) {
        let message =
            "`brokers` are missing: write such as `brokers: \"127.0.0.1:9092\"`, or `preset: event_hubs`";
        problems.push(Problem::new(node.place, message));
    }
    let access = match (connection, namespace) {
        (Some(connection_string), _) => Access::EventHubs { connection_string },
        (None, Some(namespace)) => namespace,
        (None, None) => Access::Brokers(brokers),
    };
    Cluster { access, properties: properties(node, folder, problems) }
}

/// A namespace that is used by an identity of Entra.
fn namespace(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<Access> {
    let entra = entra::read(node, folder, problems);
    let host = label(node, "namespace");
    let mut refuse = |key: &str, message: String| problems.push(Problem::new(place_of(node, key), message));
    if has(node, "connection_string") && has(node, "namespace") {
        refuse(
            "namespace",
            "the connection string names the namespace: leave out either it or `namespace`".to_owned(),
        );
    }
    match (host, entra) {
        (Some(host), Some(entra)) => {
            if !host.contains(['.', ':']) || host.contains(['/', ' ', ',', '@']) {
                let name = host.split('.').next().unwrap_or_default();
                refuse(
                    "namespace",
                    format!(
                        "`{host}` is not the host of a namespace: write all of it, such as \
                         `{}.servicebus.windows.net`",
                        if name.is_empty() || name.contains(['/', ' ', ',', '@', ':']) {
                            "orders"
                        } else {
                            name
                        }
                    ),
                );
            }
            Some(Access::Namespace { host, entra })
        }
        (Some(_), None) => {
            if !has(node, "connection_string") {
                refuse(
                    "namespace",
                    "a namespace without a connection string needs `entra: {}` beside it".to_owned(),
                );
            }
            None
        }
        (None, Some(_)) => {
            refuse("entra", "`entra` needs the host of a `namespace` beside it".to_owned());
            None
        }
        (None, None) => None,
    }
}

fn properties(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Vec<(String, Setting)> {
    for (key, value) in node.child("properties").map(Node::entries).unwrap_or_default() {
        if let Some((name, instead)) = REFUSED.iter().find(|(name, _)| *name == key.name) {
            problems.push(Problem::new(key.place, format!("`{name}` cannot be set here: {instead}")));
        }
        let is_plain = Setting::read(value, folder).is_some_and(|setting| setting.plain().is_some());
        if is_secret(&key.name) && is_plain {
            let message = format!(
                "`{}`: a secret never stands in a file; write such as `\"${{KAFKA_SECRET}}\"`",
                key.name
            );
            problems.push(Problem::hidden(value.place, message));
        }
    }
    super::settings(node, "properties", folder)
}

/// Whether the property or header `name` holds a secret by its name.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // `ssl.key.pem` and `...private.key.pem` hold a key, `ssl.key.location` only says where one is.
    ["password", "passphrase", "secret"].iter().any(|part| name.contains(part)) || name.ends_with("key.pem")
}
