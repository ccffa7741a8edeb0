//! Which side of a bound is bad, for every metric that Azure ML names.

use serde_json::{Value, json};

use crate::azure::monitor::Metric;

/// The tag of a run in which something breached; subscriptions of Event Grid look for it.
pub(super) const TAG: &str = "azureml_modelmonitor_threshold_breached";

/// The metrics of which small is bad, by the names on the wire. In Azure's own list the three of model performance are
/// missing.
const SMALL_IS_BAD: [&str; 6] = [
    "TwoSampleKolmogorovSmirnovTest",
    "PearsonsChiSquaredTest",
    "NormalizedDiscountedCumulativeGain",
    "Accuracy",
    "Precision",
    "Recall",
];

/// Whether `value` breaches `threshold`, strictly; `None` if either is missing or NaN: what has no bound breaches nothing.
#[must_use]
pub fn breached(metric: &str, value: Option<f64>, threshold: Option<f64>) -> Option<bool> {
    let there = |x: Option<f64>| x.filter(|x| !x.is_nan());
    let (value, threshold) = (there(value)?, there(threshold)?);
    let is_score = metric.starts_with("Aggregated") && metric.ends_with("PassRate")
        || metric.starts_with("Average") && metric.ends_with("Score");
    let small_is_bad = is_score || SMALL_IS_BAD.contains(&metric);
    Some(if small_is_bad { value < threshold } else { value > threshold })
}

/// One breach.
pub(super) fn entry(feature: &str, metric: Metric, value: f64, threshold: Option<f64>) -> Value {
    json!({"metric_value": value, "metric_name": metric.wire(), "threshold_value": threshold, "group": feature})
}

/// What the tag says of a signal; `None` without a breach. The middle of the sentence is what filters look for.
pub(super) fn message(signal: &str, breaches: &[Value]) -> Option<String> {
    if breaches.is_empty() {
        return None;
    }
    let list: Vec<String> = breaches.iter().map(Value::to_string).collect();
    Some(format!(
        "The signal '{signal}' has failed due to one or more features violating metric thresholds.\n{}\n",
        list.join("\n")
    ))
}
