//! The JSON of a signal and of a histogram, as `model_monitor_output_metrics` lays them out (version 1.0.0).
//!
//! Runs of MLflow are Azure's, so `runId` is null, as it is there outside of an experiment.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{DriftRow, QualityRow, VERSION, encoded, kind_name};
use crate::job::compat::azureml::{Histogram, Pair};

/// A signal of drift.
pub(super) fn drift(
    name: &str,
    kind: &str,
    rows: &[DriftRow],
    counts: Pair,
    with_histogram: impl Fn(&DriftRow) -> bool,
) -> Value {
    let mut features: BTreeMap<&str, Feature> = BTreeMap::new();
    for row in rows {
        let path =
            with_histogram(row).then(|| format!("signals/{name}/{}.histogram.json", encoded(&row.feature)));
        let own = features.entry(&row.feature).or_insert_with(|| Feature::new(kind_name(row.kind), path));
        let metric = json!({"metricName": row.metric.wire(), "metricValue": f64::from(row.value)});
        own.push(row.metric.wire(), metric, row.threshold.map(f64::from));
    }
    signal(name, kind, features, counts)
}

/// The signal of data quality.
pub(super) fn quality(name: &str, rows: &[QualityRow], counts: Pair) -> Value {
    let mut features: BTreeMap<&str, Feature> = BTreeMap::new();
    for row in rows {
        let own = features.entry(&row.feature).or_insert_with(|| Feature::new(kind_name(row.kind), None));
        let metric = json!({"metricName": row.metric.wire(), "targetValue": row.target, "baselineValue": row.baseline});
        own.push(row.metric.wire(), metric, row.threshold);
    }
    signal(name, "DataQuality", features, counts)
}

/// The histogram of a feature.
pub(super) fn histogram(name: &str, histogram: &Histogram) -> Value {
    let bars: Vec<Value> = match histogram {
        Histogram::Numeric(bars) => bars
            .iter()
            .map(|bar| {
                json!({
                    "baselineCount": bar.reference,
                    "lowerBound": bar.low,
                    "upperBound": bar.high,
                    "targetCount": bar.current,
                })
            })
            .collect(),
        Histogram::Categorical(list) => list
            .iter()
            .map(|(category, rows)| json!({"baselineCount": rows[0], "category": category, "targetCount": rows[1]}))
            .collect(),
    };
    json!({"featureName": name, "histogram": bars})
}

struct Feature {
    data_type: &'static str,
    histogram: Option<String>,
    metrics: Vec<Value>,
    run_metrics: Vec<Value>,
}

impl Feature {
    fn new(data_type: &'static str, histogram: Option<String>) -> Self {
        Self { data_type, histogram, metrics: Vec::new(), run_metrics: Vec::new() }
    }

    fn push(&mut self, name: &str, mut metric: Value, threshold: Option<f64>) {
        if let (Some(threshold), Value::Object(metric)) = (threshold, &mut metric) {
            metric.insert("threshold".to_owned(), json!(threshold));
        }
        self.metrics.push(metric);
        self.run_metrics.push(json!({"runId": null, "metricName": name, "runMetricName": "value"}));
    }

    fn value(self) -> Value {
        let mut map = Map::new();
        map.insert("dataType".to_owned(), self.data_type.into());
        if let Some(path) = self.histogram {
            map.insert("histogram".to_owned(), path.into());
        }
        map.insert("metrics".to_owned(), self.metrics.into());
        map.insert("runMetrics".to_owned(), self.run_metrics.into());
        Value::Object(map)
    }
}

fn signal(name: &str, kind: &str, features: BTreeMap<&str, Feature>, counts: Pair) -> Value {
    let features: Map<String, Value> =
        features.into_iter().map(|(name, feature)| (name.to_owned(), feature.value())).collect();
    #[expect(clippy::cast_precision_loss, reason = "a count that Azure keeps as a float")]
    let [baseline, target] = counts.map(|count| count as f64);
    json!({
        "signalName": name,
        "signalType": kind,
        "version": VERSION,
        "metrics": {"features": features, "rowCount": {"baselineCount": baseline, "targetCount": target}},
    })
}
