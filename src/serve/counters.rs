//! What the service counts of itself, for `/metrics` (OpenMetrics) and `/api/v1/status`.
//!
//! Names follow the OpenMetrics rules: a base unit in the name, counters end in `_total`. Each metric stands in
//! docs/operations.md with what to do when it moves.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use driftlead_connectors::stream::Partition;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::report::Verdict;

/// Series of metric values beyond which no new ones are shown: a scrape must stay a scrape.
pub const MAX_VALUES: usize = 10_000;

type FloatGauge = Gauge<f64, std::sync::atomic::AtomicU64>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfSource {
    pub(crate) source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfReason {
    pub(crate) source: String,
    pub(crate) reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfPartition {
    pub(crate) source: String,
    pub(crate) topic: String,
    pub(crate) partition: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfModel {
    pub(crate) model: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfWindow {
    pub(crate) model: String,
    pub(crate) window: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfVerdict {
    pub(crate) model: String,
    pub(crate) window: String,
    pub(crate) verdict: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfSink {
    pub(crate) sink: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
pub(crate) struct OfValue {
    pub(crate) model: String,
    pub(crate) window: String,
    pub(crate) feature: String,
    pub(crate) metric: String,
}

/// What a window may be.
const VERDICTS: [Verdict; 7] = [
    Verdict::Ok,
    Verdict::Info,
    Verdict::Warn,
    Verdict::Drift,
    Verdict::Insufficient,
    Verdict::Error,
    Verdict::Skipped,
];

/// Every counter of one service.
pub struct Counters {
    registry: Registry,
    pub(crate) records: Family<OfSource, Counter>,
    pub(crate) bad_records: Family<OfReason, Counter>,
    pub(crate) gaps: Family<OfSource, Counter>,
    pub(crate) lag: Family<OfPartition, Gauge>,
    pub(crate) rows: Family<OfWindow, Counter>,
    pub(crate) excluded: Family<OfModel, Counter>,
    pub(crate) late_rows: Family<OfWindow, Counter>,
    pub(crate) late_after_final: Family<OfWindow, Counter>,
    pub(crate) watermark_delay: Family<OfWindow, FloatGauge>,
    pub(crate) freshness: Family<OfModel, FloatGauge>,
    pub(crate) windows: Family<OfVerdict, Counter>,
    pub(crate) close_latency: Histogram,
    pub(crate) commit_latency: Histogram,
    pub(crate) commits: Counter,
    pub(crate) outbox: Family<OfSink, Gauge>,
    pub(crate) delivered: Family<OfSink, Counter>,
    pub(crate) sink_errors: Family<OfSink, Counter>,
    pub(crate) sink_expired: Family<OfSink, Counter>,
    pub(crate) sink_left_out: Family<OfSink, Counter>,
    pub(crate) open_alerts: Gauge,
    values: Family<OfValue, FloatGauge>,
    known: Mutex<BTreeSet<OfValue>>,
    dropped: Counter,
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counters")
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self::new()
    }
}

impl Counters {
    /// All at nothing.
    #[must_use]
    pub fn new() -> Self {
        let seconds = || Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]);
        let mut counters = Self {
            registry: Registry::with_prefix("driftlead"),
            records: Family::default(),
            bad_records: Family::default(),
            gaps: Family::default(),
            lag: Family::default(),
            rows: Family::default(),
            excluded: Family::default(),
            late_rows: Family::default(),
            late_after_final: Family::default(),
            watermark_delay: Family::default(),
            freshness: Family::default(),
            windows: Family::default(),
            close_latency: seconds(),
            commit_latency: seconds(),
            commits: Counter::default(),
            outbox: Family::default(),
            delivered: Family::default(),
            sink_errors: Family::default(),
            sink_expired: Family::default(),
            sink_left_out: Family::default(),
            open_alerts: Gauge::default(),
            values: Family::default(),
            known: Mutex::default(),
            dropped: Counter::default(),
        };
        counters.register();
        counters
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("source_records", "Records read", self.records.clone());
        registry.register(
            "source_bad_records",
            "Records set aside as dead letters",
            self.bad_records.clone(),
        );
        registry.register(
            "source_gaps",
            "Stretches of records that were lost before they were read",
            self.gaps.clone(),
        );
        registry.register(
            "source_lag_records",
            "Records of a partition that wait to be read",
            self.lag.clone(),
        );
        registry.register("rows", "Rows counted in windows", self.rows.clone());
        registry.register("excluded_rows", "Rows that `where` left out", self.excluded.clone());
        registry.register("late_rows", "Rows that came too late to count", self.late_rows.clone());
        registry.register(
            "late_after_final_rows",
            "Rows held up in an idle partition until their window was final",
            self.late_after_final.clone(),
        );
        registry.register_with_unit(
            "watermark_delay",
            "How far event time is behind the clock",
            Unit::Seconds,
            self.watermark_delay.clone(),
        );
        registry.register_with_unit(
            "freshness",
            "The clock less the newest event time of a model",
            Unit::Seconds,
            self.freshness.clone(),
        );
        registry.register("windows", "Windows judged, revisions included, by verdict", self.windows.clone());
        registry.register_with_unit(
            "window_close_latency",
            "From the chunk that closed a window to its commit",
            Unit::Seconds,
            self.close_latency.clone(),
        );
        registry.register_with_unit(
            "commit_latency",
            "Duration of a commit, the sync to disk included",
            Unit::Seconds,
            self.commit_latency.clone(),
        );
        registry.register("commits", "Commits", self.commits.clone());
        registry.register("outbox_messages", "Messages that wait for delivery", self.outbox.clone());
        registry.register("sink_delivered", "Messages delivered", self.delivered.clone());
        registry.register("sink_errors", "Attempts at delivery that failed", self.sink_errors.clone());
        registry.register(
            "sink_expired",
            "Messages dropped because the sink takes nothing so old",
            self.sink_expired.clone(),
        );
        registry.register(
            "sink_left_out",
            "Numbers not sent because the sink has as many series as it may have",
            self.sink_left_out.clone(),
        );
        registry.register("open_alerts", "Alerts that are open", self.open_alerts.clone());
        registry.register(
            "metric_value",
            "The newest value of each metric of the whole, by model, window name and feature",
            self.values.clone(),
        );
        registry.register(
            "metric_values_dropped",
            "Values not shown because there are too many series",
            self.dropped.clone(),
        );
    }

    /// Shows the newest value of a metric, unless there are [`MAX_VALUES`] others already.
    pub(crate) fn set_value(&self, of: &OfValue, value: f64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(of) {
            if known.len() >= MAX_VALUES {
                self.dropped.inc();
                return;
            }
            known.insert(of.clone());
        }
        self.values.get_or_create(of).set(value);
    }

    /// Shows nothing more of a window name that is gone, and of its model's values for it.
    pub(crate) fn forget(&self, model: &str, window: &str) {
        let of = OfWindow { model: model.to_owned(), window: window.to_owned() };
        for family in [&self.rows, &self.late_rows, &self.late_after_final] {
            family.remove(&of);
        }
        self.watermark_delay.remove(&of);
        for verdict in VERDICTS {
            let (model, window) = (model.to_owned(), window.to_owned());
            self.windows.remove(&OfVerdict { model, window, verdict: verdict.name().to_owned() });
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|own| {
            let is_gone = own.model == model && own.window == window;
            if is_gone {
                self.values.remove(own);
            }
            !is_gone
        });
    }

    /// Shows nothing more of a model that is gone.
    pub(crate) fn forget_model(&self, model: &str) {
        let of = OfModel { model: model.to_owned() };
        self.freshness.remove(&of);
        self.excluded.remove(&of);
    }

    /// Shows nothing more of a source that is gone.
    pub(crate) fn forget_source(&self, source: &str) {
        let of = OfSource { source: source.to_owned() };
        self.records.remove(&of);
        self.gaps.remove(&of);
    }

    /// Shows no more how far behind a partition is, until that is told again.
    pub(crate) fn forget_lag(&self, source: &str, partition: &Partition) {
        self.lag.remove(&OfPartition {
            source: source.to_owned(),
            topic: partition.topic.clone(),
            partition: partition.number,
        });
    }

    /// The OpenMetrics text of all of them.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_openmetrics_and_bounded() {
        let counters = Counters::new();
        counters.records.get_or_create(&OfSource { source: "fl\"ights\n".to_owned() }).inc_by(3);
        for at in 0..MAX_VALUES + 5 {
            let of = OfValue {
                model: "m".to_owned(),
                window: "w".to_owned(),
                feature: at.to_string(),
                metric: "psi".to_owned(),
            };
            counters.set_value(&of, 0.5);
        }
        let text = counters.text();
        assert!(text.contains(r#"driftlead_source_records_total{source="fl\"ights\n"} 3"#), "{text:.400}");
        assert_eq!(
            text.lines().filter(|line| line.starts_with("driftlead_metric_value{")).count(),
            MAX_VALUES
        );
        assert!(text.contains("driftlead_metric_values_dropped_total 5"));
        assert!(text.ends_with("# EOF\n"));
    }
}
