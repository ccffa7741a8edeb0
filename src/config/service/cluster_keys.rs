//! The keys of a Kafka cluster, which a source and a sink share: part of the table in [`keys`](super::keys).

use crate::config::keys::optional;
use crate::config::shape::{Key, Record, Shape};

/// Sets of settings that come with the program.
const PRESETS: [&str; 1] = ["event_hubs"];

const PROPERTIES: Shape = Shape::Table(&Shape::Setting);

pub(super) const BROKERS: Key = optional(
    "brokers",
    Shape::Several(&Shape::Setting),
    "",
    "\"127.0.0.1:9092\"",
    "The brokers to ask first: `host:port`, or several; not with `preset: event_hubs`",
);
pub(super) const PRESET: Key = optional(
    "preset",
    Shape::Choice(&PRESETS),
    "none",
    "event_hubs",
    "Settings for a service that speaks Kafka: `event_hubs` needs `connection_string`, or `namespace` and `entra`",
);
pub(super) const CONNECTION: Key = optional(
    "connection_string",
    Shape::Secret,
    "",
    "\"${EVENT_HUBS}\"",
    "The connection string of an Event Hubs namespace",
);
pub(super) const NAMESPACE: Key = optional(
    "namespace",
    Shape::Text,
    "",
    "orders.servicebus.windows.net",
    "The host of an Event Hubs namespace, in place of a connection string",
);
pub(super) const ENTRA: Key = optional(
    "entra",
    Shape::Record(&ENTRA_KEYS),
    "",
    "{}",
    "By which identity of Microsoft Entra the namespace is used; `{}` for the one of the environment",
);

pub(super) static ENTRA_KEYS: Record = Record {
    name: "an identity of Entra",
    keys: &[
        optional("tenant", Shape::Label, "", "contoso.onmicrosoft.com", "The directory: an id or a domain"),
        optional(
            "client",
            Shape::Label,
            "",
            "11111111-2222-3333-4444-555555555555",
            "The id of the application, or of one of the machine's identities",
        ),
        optional("secret", Shape::Secret, "", "\"${ENTRA_SECRET}\"", "The application's secret"),
        optional(
            "certificate",
            Shape::Text,
            "",
            "app.pem",
            "The file in PEM with the application's certificate and key, in place of a secret",
        ),
        optional(
            "token_file",
            Shape::Text,
            "",
            "/var/run/secrets/azure/tokens/azure-identity-token",
            "The file with the workload's own token, in place of a secret",
        ),
        optional(
            "cli",
            Shape::Flag,
            "false",
            "true",
            "Whether the account is used that has signed in with Azure CLI: for those who develop",
        ),
        optional(
            "authority",
            Shape::Text,
            "https://login.microsoftonline.com",
            "https://login.microsoftonline.us",
            "The address of Entra, which national clouds have of their own",
        ),
    ],
    one_of: &[],
};

pub(super) const KAFKA_PROPERTIES: Key = optional(
    "properties",
    PROPERTIES,
    "",
    "{security.protocol: SSL, ssl.ca.location: /etc/ca.pem}",
    "Settings of librdkafka, by their names there; `${NAME}` stands for a variable of the environment",
);
