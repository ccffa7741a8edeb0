//! Custom metrics of Azure Monitor by REST: numbers with dimensions, on a resource of Azure, at an endpoint of its region.
//!
//! A request holds one metric at one time, with all of its series: as many values as names in each, at most ten. The service
//! keeps minutes, so the records of a metric in one minute are one request, and those of one series in it are one
//! entry with their min, max, sum and count. It takes nothing that is more than 20 minutes old or 5 minutes ahead: what
//! is too old at the attempt has expired (SEMANTICS S22). Which status means what is not documented: any 2xx is taken as
//! success. A request that is refused as a whole is halved until the series at fault stands alone.

use std::collections::BTreeMap;

use arrow_array::temporal_conversions::timestamp_s_to_datetime;
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::attempt::{Attempt, halves};
use super::examine::{self, Examination, Outcome, Question};
use super::poster::{Answer, Poster, beneath, json_headers, name_request, place};
use super::{Access, RecordSink};
use crate::error::{Error, Result};
use crate::sink::Delivery;

/// The age, in microseconds, beyond which nothing is taken.
const OLDEST: i64 = 20 * 60_000_000;
/// How far ahead of the clock a time may be.
const AHEAD: i64 = 5 * 60_000_000;
/// What the service keeps apart.
const MINUTE: i64 = 60_000_000;
/// The most dimensions of a metric.
const MAX_DIMENSIONS: usize = 10;
/// The most characters of a name or of a value of a dimension.
const MAX_NAME: usize = 256;
/// Endpoints, behind the name of the region.
const ENDPOINTS: [&str; 3] = [".monitoring.azure.com", ".monitoring.azure.us", ".monitoring.azure.cn"];
/// Series of one request. No limit is documented; this is about 100 KB.
const MAX_SERIES: usize = 500;
/// Requests of one attempt; what is left then is tried again later.
const MAX_REQUESTS: usize = 256;

/// One number of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricRecord {
    /// The metric's name; at most 256 characters.
    pub metric: String,
    /// Of when it is, in microseconds since the epoch.
    pub time: i64,
    /// Names and values of its dimensions; at most ten, names of at most 256 characters. A longer value is cut, and ends
    /// with a hash then, so that two of them stay two.
    pub dimensions: Vec<(&'static str, String)>,
    /// The number; finite.
    pub value: f64,
}

/// On what metrics are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The endpoint of the resource's region: `https://REGION.monitoring.azure.com`.
    pub endpoint: String,
    /// The resource's id: `/subscriptions/…/providers/…`.
    pub resource: String,
}

/// How the API is reached.
#[derive(Clone, Debug)]
pub struct MetricsSettings {
    /// Where metrics go.
    pub first: Resource,
    /// Where they go while that fails: a resource in another region.
    pub second: Option<Resource>,
    /// The namespace that they stand in.
    pub namespace: String,
    /// Who sends. The tokens are for another resource than those of the Logs Ingestion API.
    pub access: Access,
}

/// A client of the custom metrics API.
#[derive(Debug)]
pub struct CustomMetrics {
    poster: Poster,
    /// One or two.
    places: Vec<Url>,
    namespace: String,
}

impl CustomMetrics {
    /// Checks the settings; nothing is sent.
    ///
    /// # Errors
    /// Misconfigured: an endpoint that is no address, or one without TLS on another machine than this; an id that is not
    /// that of a resource.
    pub fn new(settings: &MetricsSettings) -> Result<Self> {
        let all = std::iter::once(&settings.first).chain(&settings.second);
        let one = |own: &Resource| -> Result<Url> {
            let base = place(&own.endpoint, "the endpoint of metrics")?;
            let is_resource = own.resource.starts_with("/subscriptions/")
                && own.resource.to_ascii_lowercase().contains("/providers/");
            if !is_resource {
                return Err(Error::misconfigured(format!(
                    "`{}` is not the id of a resource: expected \
                     `/subscriptions/…/resourceGroups/…/providers/…`, as `az resource show` says it; metrics are kept on \
                     nothing else",
                    own.resource
                )));
            }
            let mut path: Vec<&str> = own.resource.split('/').filter(|part| !part.is_empty()).collect();
            path.push("metrics");
            Ok(beneath(base, &path))
        };
        Ok(Self {
            poster: Poster::new(&settings.access)?,
            places: all.map(one).collect::<Result<_>>()?,
            namespace: settings.namespace.clone(),
        })
    }

    /// Looks whether metrics would be taken at every endpoint, at `now` in microseconds since the epoch. What is sent is a
    /// metric of a day ago without any series, which writes nothing.
    pub async fn examine(&self, now: i64) -> Examination {
        let mut found = examine::begin(&self.poster, &self.places).await;
        for host in self.places.iter().filter_map(examine::host_of) {
            if !ENDPOINTS.iter().any(|end| host.strip_suffix(end).is_some_and(|own| !own.contains('.'))) {
                let said = "an endpoint of custom metrics is `REGION.monitoring.azure.com`, `.us` or `.cn`";
                found.note(format!("address `{host}`"), Outcome::Unknown(said.to_owned()));
            }
        }
        if !found.is_well() {
            return found;
        }
        let sent = "a metric of yesterday without series";
        let question = Question { well: 200..=299, sent, has_identity: self.poster.has_identity() };
        let old = now.saturating_sub(24 * 60 * MINUTE);
        let base = json!({"metric": "driftlead", "namespace": self.namespace, "dimNames": [], "series": []});
        let body = json!({"time": moment(old), "data": {"baseData": base}}).to_string().into_bytes();
        for place in &self.places {
            let host = place.host_str().unwrap_or_default();
            let answer =
                self.poster.post(std::slice::from_ref(place), &headers(&body, now), &body, now).await;
            found.note(format!("resource at `{host}`"), examine::outcome(&answer, &question));
        }
        found
    }
}

/// What one request has in common: the minute, the metric and the names of its dimensions. The oldest come first.
type Common<'a> = (i64, &'a str, Vec<&'static str>);

impl RecordSink for CustomMetrics {
    type Record = MetricRecord;

    async fn send(&self, records: &[MetricRecord], now: i64) -> Vec<Delivery> {
        let mut attempt = Attempt::new(records.len(), MAX_REQUESTS);
        let mut groups: BTreeMap<Common<'_>, BTreeMap<Vec<String>, Vec<usize>>> = BTreeMap::new();
        for (at, record) in records.iter().enumerate() {
            if let Some(delivery) = unfit(record, now) {
                attempt.settle(&[at], &delivery);
                continue;
            }
            let names = record.dimensions.iter().map(|(name, _)| *name).collect();
            let values = record.dimensions.iter().map(|(_, value)| bounded(value)).collect();
            let group = groups.entry((record.time.div_euclid(MINUTE), &record.metric, names)).or_default();
            group.entry(values).or_default().push(at);
        }
        for ((_, metric, names), series) in &groups {
            let series: Vec<Series<'_>> =
                series.iter().map(|(values, all)| Series { values, records: all }).collect();
            let mut waiting: Vec<&[Series<'_>]> = series.chunks(MAX_SERIES).rev().collect();
            while let Some(chunk) = waiting.pop() {
                let all = || chunk.iter().flat_map(|series| series.records);
                if !attempt.admits(all()) {
                    continue;
                }
                let body = body(&self.namespace, metric, names, chunk, records);
                let answer = self.poster.post(&self.places, &headers(&body, now), &body, now).await;
                match &answer {
                    Answer::Status { status: 200..=299, .. } => attempt.settle(all(), &Delivery::Delivered),
                    Answer::Status { status: 400 | 413 | 422, .. } if chunk.len() > 1 => {
                        waiting.extend(halves(chunk));
                    }
                    Answer::Status { status: 400 | 413 | 422, .. } => {
                        attempt.settle(all(), &Delivery::Refused { reason: answer.reason() });
                    }
                    // All others would meet the same.
                    _ => attempt.stop(all(), answer.retry()),
                }
            }
        }
        attempt.deliveries()
    }
}

/// A series in one minute.
struct Series<'a> {
    values: &'a [String],
    /// At least one.
    records: &'a [usize],
}

/// What can be said of a record without asking.
fn unfit(record: &MetricRecord, now: i64) -> Option<Delivery> {
    let refused = |reason: String| Some(Delivery::Refused { reason });
    let (metric, names) = (&record.metric, &record.dimensions);
    if names.len() > MAX_DIMENSIONS {
        return refused(format!(
            "`{metric}` has {} dimensions; a metric takes {MAX_DIMENSIONS}",
            names.len()
        ));
    }
    let is_name = |name: &str| (1..=MAX_NAME).contains(&name.chars().count());
    if !is_name(metric) || !names.iter().all(|(name, _)| is_name(name)) {
        return refused(format!(
            "`{metric:.40}` or one of its dimensions has no name of 1 to {MAX_NAME} characters"
        ));
    }
    if !record.value.is_finite() {
        return refused(format!("`{metric}` is not finite"));
    }
    let age = now.saturating_sub(record.time);
    if age > OLDEST {
        let reason = format!("{} minutes old; custom metrics are taken for 20", age / MINUTE);
        return Some(Delivery::Expired { reason });
    }
    if age < -AHEAD {
        let reason = format!(
            "{} minutes ahead of the clock; custom metrics are taken for 5: was the clock put back?",
            -age / MINUTE
        );
        return refused(reason);
    }
    None
}

/// A value as a dimension takes it.
fn bounded(value: &str) -> String {
    if value.is_empty() {
        return "(empty)".to_owned();
    }
    if value.chars().count() <= MAX_NAME {
        return value.to_owned();
    }
    let hash: String = Sha256::digest(value).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let mut cut: String = value.chars().take(MAX_NAME - 1 - hash.len()).collect();
    cut.push('~');
    cut.push_str(&hash);
    cut
}

fn headers(body: &[u8], now: i64) -> HeaderMap {
    let mut headers = json_headers();
    name_request(&mut headers, body, now);
    headers
}

/// One metric of one minute. Its time is that of the oldest record, in whole seconds.
fn body(
    namespace: &str,
    metric: &str,
    names: &[&str],
    chunk: &[Series<'_>],
    records: &[MetricRecord],
) -> Vec<u8> {
    let all = || chunk.iter().flat_map(|series| series.records.iter().map(|at| &records[*at]));
    let oldest = all().map(|record| record.time).min().unwrap_or(0);
    let series: Vec<_> = chunk
        .iter()
        .map(|series| {
            let values = || series.records.iter().map(|at| records[*at].value);
            json!({
                "dimValues": series.values,
                "min": values().fold(f64::INFINITY, f64::min),
                "max": values().fold(f64::NEG_INFINITY, f64::max),
                "sum": values().sum::<f64>(),
                "count": series.records.len(),
            })
        })
        .collect();
    let base = json!({"metric": metric, "namespace": namespace, "dimNames": names, "series": series});
    json!({"time": moment(oldest), "data": {"baseData": base}}).to_string().into_bytes()
}

/// `2026-01-05T08:15:00Z`.
pub(super) fn moment(micros: i64) -> String {
    let time = timestamp_s_to_datetime(micros.div_euclid(1_000_000)).unwrap_or_default();
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_stay_apart() {
        let long = |end: &str| format!("{}{end}", "ü".repeat(300));
        let (a, b) = (bounded(&long("a")), bounded(&long("b")));
        assert_eq!((a.chars().count(), b.chars().count()), (256, 256));
        assert_ne!(a, b);
        assert_eq!(bounded(&"x".repeat(256)), "x".repeat(256));
        assert_eq!(bounded(""), "(empty)");
    }

    #[test]
    fn a_time_is_rfc_3339_without_a_space() {
        assert_eq!(moment(1_767_600_900_999_999), "2026-01-05T08:15:00Z");
    }
}
