//! The keys of sinks of numbers: part of the table in [`keys`](super::keys).

use super::azure_keys::{CLOUD, ENTRA, SEND};
use super::cluster_keys::ENTRA_KEYS;
use super::keys::{HEADERS, MAX_AGE, TIMEOUT, TLS_KEY};
use crate::config::keys::{optional, required};
use crate::config::shape::{Key, Record, Shape};

const SEGMENTS: Key = optional(
    "segments",
    Shape::Flag,
    "false",
    "true",
    "Whether the numbers of segments are sent beside those of the whole",
);
const MAX_SERIES: Key = optional(
    "max_series",
    Shape::Count(1),
    "2000",
    "10000",
    "The most series, up to 50000; numbers of others are left out, and counted",
);
const ENDPOINT: Key = required(
    "endpoint",
    Shape::Setting,
    "\"https://westeurope.monitoring.azure.com\"",
    "The address of the resource's region",
);
const RESOURCE: Key = required(
    "resource",
    Shape::Setting,
    "/subscriptions/S/resourceGroups/G/providers/Microsoft.EventHub/namespaces/orders",
    "The id of the resource on which metrics are kept",
);

pub(super) static AZURE_METRICS: Record = Record {
    name: "a sink of Azure's custom metrics",
    keys: &[
        ENDPOINT,
        RESOURCE,
        optional(
            "second",
            Shape::Record(&SECOND),
            "none",
            "{endpoint: \"https://northeurope.monitoring.azure.com\", resource: \
             /subscriptions/S/resourceGroups/H/providers/Microsoft.EventHub/namespaces/orders-2}",
            "Where metrics go while the first endpoint fails",
        ),
        optional(
            "namespace",
            Shape::Label,
            "driftlead",
            "drift",
            "The namespace of the metrics, by which charts and rules find them",
        ),
        SEGMENTS,
        MAX_SERIES,
        ENTRA,
        CLOUD,
        TLS_KEY,
        TIMEOUT,
        SEND,
        MAX_AGE,
    ],
    one_of: &[],
};

static SECOND: Record =
    Record { name: "a second resource of metrics", keys: &[ENDPOINT, RESOURCE], one_of: &[] };

pub(super) static PROMETHEUS: Record = Record {
    name: "a sink of Prometheus",
    keys: &[
        required(
            "url",
            Shape::Setting,
            "\"https://prometheus.example.org/api/v1/write\"",
            "The whole address at which remote write is taken",
        ),
        optional(
            "entra",
            Shape::Record(&ENTRA_KEYS),
            "none",
            "{}",
            "By which identity of Microsoft Entra; `{}` for the one of the environment",
        ),
        optional(
            "audience",
            Shape::Text,
            "that of the cloud's Azure Monitor",
            "\"https://monitor.azure.com\"",
            "For what the tokens of `entra` are",
        ),
        CLOUD,
        HEADERS,
        optional(
            "labels",
            Shape::Table(&Shape::Label),
            "none",
            "{job: driftlead, cluster: eu}",
            "Labels of every sample",
        ),
        SEGMENTS,
        MAX_SERIES,
        TLS_KEY,
        TIMEOUT,
        SEND,
        MAX_AGE,
    ],
    one_of: &[],
};
