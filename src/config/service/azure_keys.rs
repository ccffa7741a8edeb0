//! The keys of sinks in Azure Monitor: part of the table in [`keys`](super::keys).

use super::cluster_keys::ENTRA_KEYS;
use super::keys::{MAX_AGE, SENDS, TIMEOUT, TLS_KEY};
use crate::config::keys::{optional, required};
use crate::config::shape::{Key, Record, Shape};

/// The clouds of Azure.
pub(super) const CLOUDS: [&str; 3] = ["public", "china", "government"];

pub(super) const ENTRA: Key = optional(
    "entra",
    Shape::Record(&ENTRA_KEYS),
    "{}: the one of the environment",
    "{client: 11111111-2222-3333-4444-555555555555}",
    "By which identity of Microsoft Entra; it needs the role Monitoring Metrics Publisher there",
);
pub(super) const CLOUD: Key = optional(
    "cloud",
    Shape::Choice(&CLOUDS),
    "public",
    "government",
    "Which Azure: each has an Entra and audiences of its own",
);
const SEND: Key = optional(
    "send",
    Shape::Several(&Shape::Choice(&SENDS)),
    "[alerts, verdicts]",
    "[alerts]",
    "What is sent",
);
const ENDPOINT: Key = required(
    "endpoint",
    Shape::Setting,
    "\"https://drift-x1y2.westeurope-1.ingest.monitor.azure.com\"",
    "The endpoint for logs ingestion, of a data collection endpoint or of a rule of kind Direct",
);
const RULE: Key = required(
    "rule",
    Shape::Setting,
    "dcr-00000000000000000000000000000000",
    "The immutable id of the data collection rule",
);
const STREAM: Shape = Shape::Label;

pub(super) static AZURE_LOGS: Record = Record {
    name: "a sink of Azure Monitor's logs",
    keys: &[
        ENDPOINT,
        RULE,
        optional(
            "second",
            Shape::Record(&SECOND),
            "none",
            "{endpoint: \"https://drift-x1y2.northeurope-1.ingest.monitor.azure.com\", rule: dcr-11111111111111111111111111111111}",
            "Where records go while the first endpoint fails",
        ),
        optional(
            "streams",
            Shape::Record(&STREAMS),
            "those of `driftlead azure template`",
            "{alerts: Custom-OurAlerts}",
            "The streams of the rule",
        ),
        ENTRA,
        CLOUD,
        TLS_KEY,
        TIMEOUT,
        SEND,
        MAX_AGE,
    ],
    one_of: &[],
};

static SECOND: Record = Record { name: "a second endpoint", keys: &[ENDPOINT, RULE], one_of: &[] };

static STREAMS: Record = Record {
    name: "streams",
    keys: &[
        optional(
            "verdicts",
            STREAM,
            "Custom-DriftleadVerdicts",
            "Custom-OurVerdicts",
            "A record for each window",
        ),
        optional(
            "metrics",
            STREAM,
            "Custom-DriftleadMetrics",
            "Custom-OurMetrics",
            "A record for each metric of each feature of a window",
        ),
        optional(
            "alerts",
            STREAM,
            "Custom-DriftleadAlerts",
            "Custom-OurAlerts",
            "A record for each state of an alert",
        ),
    ],
    one_of: &[],
};
