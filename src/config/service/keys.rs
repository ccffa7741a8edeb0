//! The table of every key of a service file: the one place from which checks, schema and documentation follow.

use super::azure_keys::{AZURE_LOGS, INSIGHTS};
use super::cluster_keys::{BROKERS, CONNECTION, ENTRA, KAFKA_PROPERTIES, NAMESPACE, PRESET};
use super::metrics_keys::{AZURE_METRICS, PROMETHEUS};
use crate::config::keys::{optional, required};
use crate::config::shape::{Key, Record, Shape};

/// The scopes of a token, from the least.
pub const SCOPES: [&str; 3] = ["read", "write", "admin"];
/// Units of times that are numbers since 1970.
pub const UNITS: [&str; 4] = ["s", "ms", "us", "ns"];
/// How much of a bad record is kept (SEMANTICS S17).
pub const PAYLOADS: [&str; 3] = ["full", "hash", "none"];
/// What a sink may receive.
pub const SENDS: [&str; 3] = ["alerts", "verdicts", "diagnostics"];
/// Message templates that come with the program.
pub const TEMPLATES: [&str; 4] = ["teams", "slack", "pagerduty", "common_alert_schema"];

/// Where records may come from.
pub const INPUTS: [&str; 5] = ["kafka", "files", "stdin", "lines", "ingest"];
/// Where messages may go.
pub const TARGETS: [&str; 8] = [
    "webhook",
    "kafka",
    "azure_logs",
    "azure_metrics",
    "application_insights",
    "prometheus",
    "file",
    "stdout",
];
/// What records may be.
pub const FORMATS: [&str; 6] = ["json", "avro", "protobuf", "arrow", "csv", "mdc"];

const LABELS: Shape = Shape::Several(&Shape::Label);

/// A service file.
pub static SERVICE: Record = Record {
    name: "a service file",
    keys: &[
        optional(
            "listen",
            Shape::Text,
            "127.0.0.1:7070",
            "127.0.0.1:7070",
            "The address of the HTTP API: an IP address and a port; any but a loopback address needs `tokens`",
        ),
        required("store", Shape::Text, "./state", "The folder of the store, on a local disk"),
        required(
            "models",
            Shape::Several(&Shape::Text),
            "[models/*.yaml]",
            "The model files: paths or patterns",
        ),
        optional(
            "tokens",
            Shape::List(&Shape::Record(&TOKEN)),
            "none: only this machine is let in",
            "[{name: grafana, scope: read, secret: \"${GRAFANA_TOKEN}\"}]",
            "Who may use the HTTP API, and for what",
        ),
        optional(
            "commit_every",
            Shape::Duration,
            "2s",
            "2s",
            "How often the state is stored, beside every closing of a window",
        ),
        required(
            "sources",
            Shape::Table(&Shape::Record(&SOURCE)),
            "{flights: {kafka: {brokers: \"127.0.0.1:9092\", topics: flights}}}",
            "Where records come from: a name for each",
        ),
        optional(
            "sinks",
            Shape::Table(&Shape::Record(&SINK)),
            "none: verdicts and alerts are kept in the store only",
            "{record: {file: {path: ./events.ndjson}}}",
            "Where alerts and verdicts go: a name for each",
        ),
        optional(
            "retention",
            Shape::Record(&RETENTION),
            "",
            "{verdicts: 90d}",
            "How long things are kept in the store; open alerts and undelivered messages always are",
        ),
    ],
    one_of: &[],
};

static TOKEN: Record = Record {
    name: "a token",
    keys: &[
        required("name", Shape::Label, "grafana", "Whose it is; stands in the log"),
        required(
            "scope",
            Shape::Choice(&SCOPES),
            "read",
            "What it allows: each scope includes those before it",
        ),
        optional(
            "sha256",
            Shape::Text,
            "",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "SHA-256 of the token, as 64 hexadecimal digits",
        ),
        optional("secret", Shape::Secret, "", "\"${GRAFANA_TOKEN}\"", "The token itself"),
    ],
    one_of: &[&["sha256", "secret"]],
};

static SOURCE: Record = Record {
    name: "a source",
    keys: &[
        optional(
            "kafka",
            Shape::Record(&KAFKA_SOURCE),
            "",
            "{brokers: \"127.0.0.1:9092\", topics: flights}",
            "Topics of Kafka or Event Hubs",
        ),
        optional(
            "files",
            Shape::Record(&FILES),
            "",
            "{path: az://ml/live}",
            "A folder to which files are added",
        ),
        optional(
            "lines",
            Shape::Record(&LINES),
            "",
            "{path: live.ndjson}",
            "A file to which lines are added",
        ),
        optional(
            "stdin",
            Shape::Record(&STDIN),
            "",
            "{}",
            "Lines of the standard input, each counted at most once",
        ),
        optional("ingest", Shape::Record(&INGEST), "", "{}", "Rows sent to `/api/v1/ingest/{model}`"),
        optional(
            "format",
            Shape::ShortOr(&Shape::Choice(&FORMATS), &FORMAT),
            "`json`",
            "json",
            "What a record is; `files` are known by their names unless they are `mdc`, and `ingest` by the request's Content-Type",
        ),
        optional(
            "time",
            Shape::ShortOr(&Shape::Text, &TIME),
            "the model's `time` column",
            "{field: /meta/ts, unit: ms}",
            "Where a record's event time stands",
        ),
        optional(
            "fields",
            Shape::Table(&Shape::ShortOr(&Shape::Text, &FIELD)),
            "the key of the column's name, at the top level",
            "{delay: /payload/delay, region: {header: region}}",
            "Where columns stand in a record: a JSON pointer, or names with dots between them",
        ),
        optional(
            "dead_letter",
            Shape::Record(&DEAD_LETTER),
            "none: bad records are counted only",
            "{file: ./dead/flights.ndjson}",
            "Where records go that cannot be read",
        ),
    ],
    one_of: &[&INPUTS],
};

static KAFKA_SOURCE: Record = Record {
    name: "a Kafka source",
    keys: &[
        BROKERS,
        optional("topics", LABELS, "", "[flights]", "The topics"),
        optional(
            "pattern",
            Shape::Text,
            "",
            "\"flights-.*\"",
            "A regular expression that the topics' whole names match, in place of `topics`",
        ),
        optional(
            "start",
            Shape::Text,
            "earliest",
            "earliest",
            "Where a topic is begun that was never read: `earliest`, `latest`, or a time in RFC 3339",
        ),
        PRESET,
        CONNECTION,
        NAMESPACE,
        ENTRA,
        KAFKA_PROPERTIES,
    ],
    one_of: &[&["topics", "pattern"]],
};

static FILES: Record = Record {
    name: "a source of files",
    keys: &[
        required(
            "path",
            Shape::Text,
            "az://ml/live",
            "A folder, pattern or URL: Parquet, CSV, NDJSON or Arrow files",
        ),
        optional("every", Shape::Duration, "30s", "30s", "How often it is looked at for new files"),
    ],
    one_of: &[],
};

static LINES: Record = Record {
    name: "a source of lines",
    keys: &[required("path", Shape::Text, "live.ndjson", "The file; it may grow, and nothing else")],
    one_of: &[],
};

static STDIN: Record = Record { name: "`stdin`", keys: &[], one_of: &[] };
static INGEST: Record = Record {
    name: "`ingest`",
    keys: &[optional(
        "max_body",
        Shape::Size,
        "8MiB",
        "8MiB",
        "The most bytes of a request's body, up to `64MiB`",
    )],
    one_of: &[],
};
static JSON: Record = Record { name: "`json`", keys: &[], one_of: &[] };
static ARROW: Record = Record { name: "`arrow`", keys: &[], one_of: &[] };

static FORMAT: Record = Record {
    name: "a format with its options",
    keys: &[
        optional("json", Shape::Record(&JSON), "", "{}", "A JSON object"),
        optional(
            "avro",
            Shape::Record(&AVRO),
            "",
            "{registry: {url: \"http://127.0.0.1:8081\"}}",
            "Avro, with the schema's id before it if there is a registry",
        ),
        optional(
            "protobuf",
            Shape::Record(&PROTOBUF),
            "",
            "{descriptors: flights.binpb, message: acme.Flight}",
            "A Protobuf message",
        ),
        optional("arrow", Shape::Record(&ARROW), "", "{}", "A stream of Arrow IPC"),
        optional("csv", Shape::Record(&CSV), "", "{header: [date, delay]}", "Lines of CSV"),
    ],
    one_of: &[&FORMATS],
};

static AVRO: Record = Record {
    name: "Avro",
    keys: &[
        optional(
            "registry",
            Shape::Record(&REGISTRY),
            "",
            "{url: \"http://127.0.0.1:8081\"}",
            "The registry that knows the schemas by the ids before the records",
        ),
        optional("schema", Shape::Text, "", "flight.avsc", "A file with the schema of all records"),
    ],
    one_of: &[&["registry", "schema"]],
};

static REGISTRY: Record = Record {
    name: "a schema registry",
    keys: &[
        required("url", Shape::Setting, "\"http://127.0.0.1:8081\"", "Its address, without `/schemas`"),
        optional("username", Shape::Setting, "", "reader", "For basic authentication, with `password`"),
        optional("password", Shape::Secret, "", "\"${REGISTRY_PASSWORD}\"", "For basic authentication"),
        optional("token", Shape::Secret, "", "\"${REGISTRY_TOKEN}\"", "For bearer authentication"),
        HEADERS,
        TLS_KEY,
    ],
    one_of: &[],
};

static PROTOBUF: Record = Record {
    name: "Protobuf",
    keys: &[
        required(
            "descriptors",
            Shape::Text,
            "flights.binpb",
            "A descriptor set, as `protoc --include_imports --descriptor_set_out` writes it",
        ),
        required("message", Shape::Label, "acme.Flight", "The full name of the message"),
        optional(
            "framing",
            Shape::Choice(&["none", "confluent"]),
            "none",
            "confluent",
            "What stands before the message: nothing, or the id and index of a schema registry",
        ),
    ],
    one_of: &[],
};

static CSV: Record = Record {
    name: "CSV",
    keys: &[
        required("header", Shape::List(&Shape::Label), "[date, delay]", "The columns of a line, in order"),
        optional("delimiter", Shape::Separator, "\",\"", "\";\"", "The character between fields"),
    ],
    one_of: &[],
};

static TIME: Record = Record {
    name: "an event time",
    keys: &[
        optional(
            "field",
            Shape::ShortOr(&Shape::Text, &FIELD),
            "",
            "/meta/ts",
            "Where it stands in the record",
        ),
        optional(
            "record",
            Shape::Choice(&["timestamp"]),
            "",
            "timestamp",
            "The timestamp that Kafka keeps beside the record",
        ),
        optional(
            "unit",
            Shape::Choice(&UNITS),
            "times are text in RFC 3339",
            "ms",
            "Of times that are numbers since 1970",
        ),
    ],
    one_of: &[&["field", "record"]],
};

static FIELD: Record = Record {
    name: "a place in a record",
    keys: &[
        optional("header", Shape::Label, "", "region", "The header of this name, as text"),
        optional("key", Shape::Flag, "", "true", "The record's key, as text"),
    ],
    one_of: &[&["header", "key"]],
};

static DEAD_LETTER: Record = Record {
    name: "a place for dead letters",
    keys: &[
        optional(
            "file",
            Shape::Text,
            "",
            "./dead/flights.ndjson",
            "A file to which they are added, one a line",
        ),
        optional("topic", Shape::Label, "", "flights.dead", "A topic of the same brokers"),
        optional(
            "payload",
            Shape::Choice(&PAYLOADS),
            "hash",
            "full",
            "What is kept of the record beside the reason; it may be personal data",
        ),
    ],
    one_of: &[&["file", "topic"]],
};

static SINK: Record = Record {
    name: "a sink",
    keys: &[
        optional(
            "webhook",
            Shape::Record(&WEBHOOK),
            "",
            "{url: \"https://example.org/hook\"}",
            "A POST for each message",
        ),
        optional(
            "kafka",
            Shape::Record(&KAFKA_SINK),
            "",
            "{brokers: \"127.0.0.1:9092\", topic: drift}",
            "A topic of Kafka or Event Hubs",
        ),
        optional(
            "azure_logs",
            Shape::Record(&AZURE_LOGS),
            "",
            "{endpoint: \"${DCE}\", rule: \"${DCR}\"}",
            "Tables of a Log Analytics workspace, by the Logs Ingestion API of Azure Monitor",
        ),
        optional(
            "azure_metrics",
            Shape::Record(&AZURE_METRICS),
            "",
            "{endpoint: \"https://westeurope.monitoring.azure.com\", resource: \"${RESOURCE}\"}",
            "Custom metrics of a resource of Azure",
        ),
        optional(
            "prometheus",
            Shape::Record(&PROMETHEUS),
            "",
            "{url: \"https://prometheus.example.org/api/v1/write\"}",
            "Samples by remote write, for Azure's managed Prometheus or any other",
        ),
        optional(
            "application_insights",
            Shape::Record(&INSIGHTS),
            "",
            "{connection_string: \"${APPLICATIONINSIGHTS_CONNECTION_STRING}\"}",
            "Custom events, metrics and availability of an Application Insights resource",
        ),
        optional("file", Shape::Record(&FILE), "", "{path: ./events.ndjson}", "A file, one message a line"),
        optional("stdout", Shape::Record(&STDOUT), "", "{}", "The standard output, one message a line"),
    ],
    one_of: &[&TARGETS],
};

const SEND: Key = optional(
    "send",
    Shape::Several(&Shape::Choice(&SENDS)),
    "[alerts]",
    "[alerts, verdicts]",
    "What is sent",
);
pub(super) const TIMEOUT: Key =
    optional("timeout", Shape::Duration, "10s", "10s", "How long an answer may take");
pub(super) const MAX_AGE: Key = optional(
    "max_age",
    Shape::Duration,
    "7d",
    "7d",
    "After how long a message that cannot be delivered is set aside; it stays in the store and can be retried",
);
pub(super) const HEADERS: Key = optional(
    "headers",
    Shape::Table(&Shape::Setting),
    "",
    "{Authorization: \"Bearer ${HOOK_TOKEN}\"}",
    "Headers of each request; `${NAME}` stands for a variable of the environment",
);
pub(super) const TLS_KEY: Key =
    optional("tls", Shape::Record(&TLS), "", "{ca: /etc/ca.pem}", "How the server is known, and this client");

static WEBHOOK: Record = Record {
    name: "a webhook",
    keys: &[
        optional(
            "url",
            Shape::Setting,
            "that of PagerDuty with `template: pagerduty`",
            "\"https://example.org/hook\"",
            "Where messages are sent; `${NAME}` stands for a variable of the environment",
        ),
        optional(
            "secret",
            Shape::Secret,
            "none: messages are not signed",
            "\"${HOOK_SECRET}\"",
            "Signs each message as Standard Webhooks say",
        ),
        HEADERS,
        optional(
            "template",
            Shape::Text,
            "the message as it is",
            "slack",
            "How a message is written: `teams`, `slack`, `pagerduty`, `common_alert_schema`, or a file of your own",
        ),
        optional(
            "routing_key",
            Shape::Secret,
            "",
            "\"${PAGERDUTY_KEY}\"",
            "The integration key that `template: pagerduty` needs",
        ),
        optional(
            "resource",
            Shape::Setting,
            "",
            "/subscriptions/S/resourceGroups/G/providers/Microsoft.MachineLearningServices/workspaces/W",
            "The resource of Azure that `template: common_alert_schema` says an alert is about",
        ),
        TLS_KEY,
        optional(
            "allow_private",
            Shape::Flag,
            "false",
            "true",
            "Whether a redirect may lead to an address of a private network",
        ),
        TIMEOUT,
        SEND,
        MAX_AGE,
    ],
    one_of: &[],
};

static TLS: Record = Record {
    name: "TLS settings",
    keys: &[
        optional("ca", Shape::Text, "those of the system", "/etc/ca.pem", "Certificates to trust, in PEM"),
        optional(
            "certificate",
            Shape::Text,
            "",
            "client.pem",
            "This client's certificate, in PEM, with `key`",
        ),
        optional("key", Shape::Text, "", "client.key", "This client's key, a file in PEM"),
        optional("insecure", Shape::Flag, "false", "true", "Whether any certificate will do: for tests"),
    ],
    one_of: &[],
};

static KAFKA_SINK: Record = Record {
    name: "a Kafka sink",
    keys: &[
        BROKERS,
        required("topic", Shape::Label, "drift", "The topic"),
        PRESET,
        CONNECTION,
        NAMESPACE,
        ENTRA,
        KAFKA_PROPERTIES,
        SEND,
        MAX_AGE,
    ],
    one_of: &[],
};

static FILE: Record = Record {
    name: "a file sink",
    keys: &[required("path", Shape::Text, "./events.ndjson", "The file; it is only added to"), SEND, MAX_AGE],
    one_of: &[],
};

static STDOUT: Record = Record { name: "a standard output sink", keys: &[SEND, MAX_AGE], one_of: &[] };

static RETENTION: Record = Record {
    name: "a retention",
    keys: &[
        optional("verdicts", Shape::Duration, "90d", "90d", "How long verdicts are kept"),
        optional("delivered", Shape::Duration, "7d", "7d", "How long messages are kept that were delivered"),
        optional(
            "counts",
            Shape::Duration,
            "14d",
            "14d",
            "How long the counts of panes are kept whose windows are final, for `driftlead baseline --from-store`",
        ),
        optional(
            "size",
            Shape::Size,
            "5GiB",
            "5GiB",
            "The most that the store may take; the oldest go first",
        ),
    ],
    one_of: &[],
};
