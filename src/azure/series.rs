//! Numbers as series: the custom metrics of Azure and the samples of Prometheus, and how many series there may be.
//!
//! A series is paid for and kept by the other side for hours or months, so what names one is bounded: no time, no id, no
//! version; segments only if they are asked for; and beyond a number of series no new ones are begun.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use driftlead_connectors::azure::{MetricRecord, Sample};

use super::points::{Point, What, points};
use crate::serve::wire::Event;

/// What the dimension of a segment holds for the whole: a dimension cannot be empty.
pub const WHOLE: &str = "(whole)";

/// Which numbers a sink gets, and how many series they may make.
#[derive(Debug)]
pub struct Selection {
    /// Whether segments are sent beside the whole.
    pub segments: bool,
    /// The most series.
    pub max: usize,
    /// Labels of every sample of Prometheus.
    pub labels: BTreeMap<String, String>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    series: BTreeSet<Vec<String>>,
    has_told: bool,
}

impl Selection {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(segments: bool, max: usize, labels: BTreeMap<String, String>) -> Self {
        Self { segments, max, labels, known: Mutex::default() }
    }

    /// Whether a series may be sent. What was once let in always is, and what was once left out never: the records of a
    /// message stay at their places over all attempts.
    fn admits(&self, series: Vec<String>) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.series.contains(&series) {
            return true;
        }
        if known.series.len() < self.max {
            known.series.insert(series);
            return true;
        }
        if !known.has_told {
            known.has_told = true;
            tracing::warn!(
                max_series = self.max,
                first = series.join("/"),
                "there are more series than the sink may have: new ones are left out until the service starts or reads its settings again"
            );
        }
        false
    }

    /// What `of` makes of each number whose series may be sent, and how many others there are.
    fn select<T>(&self, event: &Event, of: impl Fn(&Self, &Point<'_>) -> T) -> (Vec<T>, u64) {
        let mut left_out = 0;
        let mut all = Vec::new();
        for point in points(event, self.segments) {
            if self.admits(key(&point)) {
                all.push(of(self, &point));
            } else {
                left_out += 1;
            }
        }
        (all, left_out)
    }

    /// The custom metrics of an event, and how many were left out.
    #[must_use]
    pub fn metrics(&self, event: &Event) -> (Vec<MetricRecord>, u64) {
        self.select(event, |_, point| metric(point))
    }

    /// The samples of an event, and how many were left out.
    #[must_use]
    pub fn samples(&self, event: &Event) -> (Vec<Sample>, u64) {
        self.select(event, Self::sample)
    }

    fn sample(&self, point: &Point<'_>) -> Sample {
        let name = match point.what {
            What::Value(_) => "driftlead_metric_value",
            What::Rows => "driftlead_window_rows",
            What::Verdict => "driftlead_verdict",
            What::FeatureVerdict => "driftlead_feature_verdict",
            What::OpenAlert => "driftlead_open_alert",
        };
        let mut labels = self.labels.clone();
        let mut put = |name: &str, value: String| labels.insert(name.to_owned(), value);
        put("__name__", name.to_owned());
        put("model", point.model.to_owned());
        put("window", point.window.to_owned());
        if let What::Value(metric) = point.what {
            put("metric", metric.name().to_owned());
        }
        if let Some(feature) = point.feature {
            put("feature", feature.to_owned());
        }
        if let Some(segment) = point.segment {
            put("segment", segment.to_string());
        }
        Sample { labels, time: point.time, value: point.value }
    }
}

/// By what a series is told from the others.
fn key(point: &Point<'_>) -> Vec<String> {
    let segment = point.segment.map(ToString::to_string).unwrap_or_default();
    let feature = point.feature.unwrap_or_default();
    [metric_name(point.what), point.model, point.window, feature, &segment].map(str::to_owned).to_vec()
}

fn metric_name(what: What) -> &'static str {
    match what {
        What::Value(metric) => metric.name(),
        What::Rows => "row_count",
        What::Verdict => "verdict",
        What::FeatureVerdict => "feature_verdict",
        What::OpenAlert => "open_alerts",
    }
}

fn metric(point: &Point<'_>) -> MetricRecord {
    let segment = point.segment.map_or_else(|| WHOLE.to_owned(), ToString::to_string);
    let mut dimensions = vec![("Model", point.model.to_owned()), ("WindowName", point.window.to_owned())];
    if let Some(feature) = point.feature {
        dimensions.push(("Feature", feature.to_owned()));
    }
    dimensions.push(("Segment", segment));
    MetricRecord {
        metric: metric_name(point.what).to_owned(),
        time: point.time,
        dimensions,
        value: point.value,
    }
}

#[cfg(test)]
mod tests {
    use driftlead_engine::Metric;

    use super::*;
    use crate::report::wire::Segment;

    #[test]
    fn a_number_is_named_by_what_is_bounded() {
        let segment = Segment(vec![("region".to_owned(), Some("eu".to_owned())), ("tier".to_owned(), None)]);
        let own = Selection::new(true, 10, BTreeMap::from([("job".to_owned(), "driftlead".to_owned())]));
        let all = [
            (What::Value(Metric::Psi), Some("age"), "psi", "driftlead_metric_value"),
            (What::FeatureVerdict, Some("age"), "feature_verdict", "driftlead_feature_verdict"),
            (What::Verdict, None, "verdict", "driftlead_verdict"),
            (What::Rows, None, "row_count", "driftlead_window_rows"),
            (What::OpenAlert, None, "open_alerts", "driftlead_open_alert"),
        ];
        for (what, feature, name, sample_name) in all {
            for segment in [None, Some(&segment)] {
                let point =
                    Point { what, model: "orders", window: "hourly", segment, feature, time: 7, value: 0.5 };
                let metric = metric(&point);
                let mut dimensions = vec![("Model", "orders"), ("WindowName", "hourly")];
                dimensions.extend(feature.map(|feature| ("Feature", feature)));
                dimensions.push(("Segment", segment.map_or("(whole)", |_| "region = eu, tier = null")));
                let shown: Vec<(&str, &str)> =
                    metric.dimensions.iter().map(|(name, value)| (*name, value.as_str())).collect();
                assert_eq!((metric.metric.as_str(), shown), (name, dimensions));

                let sample = own.sample(&point);
                let mut labels = vec![
                    ("__name__", sample_name),
                    ("job", "driftlead"),
                    ("model", "orders"),
                    ("window", "hourly"),
                ];
                labels.extend(feature.map(|feature| ("feature", feature)));
                labels.extend((name == "psi").then_some(("metric", "psi")));
                labels.extend(segment.map(|_| ("segment", "region = eu, tier = null")));
                labels.sort_unstable();
                let shown: Vec<(&str, &str)> =
                    sample.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                assert_eq!(shown, labels);
                assert_eq!((metric.time, metric.value, sample.time, sample.value), (7, 0.5, 7, 0.5));
            }
        }
    }
}
