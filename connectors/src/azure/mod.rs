//! What Azure Monitor takes: records, not messages.
//!
//! A webhook is sent one message; the services of Azure take many small records in one request, answer for some of them,
//! and bound the size. So a [`RecordSink`] is given the records of several messages and answers for each; who composes the
//! records and remembers which of a message have arrived is elsewhere. The requests are those that Microsoft documents and
//! its own clients send; what was verified, and what only a subscription can show, stands in docs/azure.md.

mod attempt;
mod cloud;
mod connection;
mod examine;
mod insights;
mod logs;
mod metrics;
mod poster;
mod prometheus;

use std::future::Future;

pub use self::cloud::Cloud;
pub use self::connection::ConnectionString;
pub use self::examine::{Claims, Examination, Fault, Finding, Outcome, fault};
pub use self::insights::{ApplicationInsights, InsightsSettings, Kind, Telemetry};
pub use self::logs::{LogRecord, LogsIngestion, LogsSettings, Rule};
pub use self::metrics::{CustomMetrics, MetricRecord, MetricsSettings, Resource};
pub use self::poster::{Access, Login};
pub use self::prometheus::{RemoteWrite, RemoteWriteSettings, Sample};
use crate::sink::Delivery;

/// Something that takes records, many at a time.
pub trait RecordSink {
    /// A record.
    type Record;

    /// Tries once, in as many requests as it takes, and answers for each record, in their order. `now` is the time of the
    /// attempt in microseconds since the epoch.
    fn send(&self, records: &[Self::Record], now: i64) -> impl Future<Output = Vec<Delivery>> + Send;
}
