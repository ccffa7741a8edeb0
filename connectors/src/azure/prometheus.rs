//! Prometheus remote write, version 1.0: samples of labelled series, as Azure's managed Prometheus and every other receiver
//! of it takes them.
//!
//! The body is the Protobuf message `prometheus.WriteRequest`, in Snappy's block format. Labels of a series are sorted and
//! none is empty; samples of a series stand in the order of time, one for each millisecond (the specification,
//! sections "Labels" and "Ordering"). Any 2xx is success; 429, 5xx and no answer ask for patience. Another 4xx means that
//! something in the request is bad: it is halved until the sample at fault stands alone. What a receiver calls out of
//! order, a duplicate or too old came too late to be of use, and has expired (SEMANTICS S22).
//!
//! Many receivers take no sample before the newest of its series, which after an outage may be thousands: what failed and
//! is tried again overtakes itself. So the newest that was taken is remembered, and once a receiver complains of order all
//! that are older are taken out together. Two values of one millisecond are taken by none.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use prost::Message;
use reqwest::Url;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use xxhash_rust::xxh3::Xxh3;

use super::attempt::{Attempt, halves};
use super::examine::{self, Examination, Fault, Outcome, Question};
use super::poster::{Answer, Login, Poster, place};
use super::{Access, RecordSink};
use crate::error::{Error, Result};
use crate::http::custom_headers;
use crate::sink::Delivery;

/// Samples of one request: what Prometheus itself sends at most.
const MAX_SAMPLES: usize = 2_000;
/// Requests of one attempt; what is left then is tried again later.
const MAX_REQUESTS: usize = 128;
/// Series of which the newest sample is remembered. The caller bounds series; this bounds memory whatever it does.
const MAX_KNOWN: usize = 100_000;
/// The version of the protocol, as the header has it.
const VERSION: &str = "0.1.0";
/// Headers that are this client's.
const RESERVED: [&str; 6] = [
    "content-type",
    "content-encoding",
    "content-length",
    "host",
    "user-agent",
    "x-prometheus-remote-write-version",
];
/// What receivers say of a sample that came too late: Prometheus, Mimir, Thanos and Cortex use these words.
const LATE: [&str; 6] =
    ["out of order", "out-of-order", "duplicate sample", "out of bounds", "too old", "too far in the past"];

/// One value of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Names and values, `__name__` among them; an empty value is the same as no label.
    pub labels: BTreeMap<String, String>,
    /// Of when it is, in microseconds since the epoch; a receiver keeps milliseconds.
    pub time: i64,
    /// The value.
    pub value: f64,
}

/// The ends of the names of workspaces.
const WORKSPACES: [&str; 3] = [
    ".metrics.ingest.monitor.azure.com",
    ".metrics.ingest.monitor.azure.us",
    ".metrics.ingest.monitor.azure.cn",
];

/// How a receiver is reached.
#[derive(Clone, Debug)]
pub struct RemoteWriteSettings {
    /// Its whole address; plain HTTP to another machine only without a token.
    pub url: String,
    /// Headers of each request; values may be secrets.
    pub headers: Vec<(String, String)>,
    /// Who sends.
    pub access: Access,
}

/// A client of remote write.
#[derive(Debug)]
pub struct RemoteWrite {
    poster: Poster,
    places: Vec<Url>,
    headers: HeaderMap,
    newest: Newest,
}

/// By the hash of a series, its newest sample that was taken: milliseconds, and the bits of the value.
type Known = BTreeMap<u64, (i64, u64)>;

#[derive(Debug, Default)]
struct Newest(Mutex<Known>);

impl Newest {
    fn with<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, samples: impl Iterator<Item = (u64, (i64, u64))>) {
        self.with(|known| {
            for (series, last) in samples {
                if known.len() >= MAX_KNOWN && !known.contains_key(&series) {
                    known.clear();
                }
                let newest = known.entry(series).or_insert(last);
                // Of two in one millisecond the later record counts.
                if last.0 >= newest.0 {
                    *newest = last;
                }
            }
        });
    }

    /// Whether another value of this very millisecond was taken.
    fn is_other(&self, series: u64, sample: (i64, u64)) -> bool {
        self.with(|known| known.get(&series).is_some_and(|last| last.0 == sample.0 && last.1 != sample.1))
    }

    fn is_older(&self, series: u64, sample: (i64, u64)) -> bool {
        self.with(|known| known.get(&series).is_some_and(|last| last.0 > sample.0))
    }
}

impl RemoteWrite {
    /// Checks the settings; nothing is sent.
    ///
    /// # Errors
    /// Misconfigured: an address that is none, or one without TLS for a token; a header that cannot be sent.
    pub fn new(settings: &RemoteWriteSettings) -> Result<Self> {
        let has_token = matches!(settings.access.login, Login::Entra(_));
        Ok(Self {
            places: vec![address(&settings.url, has_token)?],
            headers: headers(&settings.headers, has_token)?,
            poster: Poster::new(&settings.access)?,
            newest: Newest::default(),
        })
    }
}

/// The address may be a secret, and is never repeated.
fn address(text: &str, has_token: bool) -> Result<Url> {
    let url = Url::parse(text).map_err(|error| {
        Error::misconfigured(format!("the `url` of Prometheus is not an address: {error}"))
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        let message =
            format!("the `url` of Prometheus begins with `{}:`, expected `https:` or `http:`", url.scheme());
        return Err(Error::misconfigured(message));
    }
    if has_token && place(text, "").is_err() {
        return Err(Error::misconfigured("the `url` of Prometheus is not `https`: a token must not be read"));
    }
    Ok(url)
}

fn headers(own: &[(String, String)], has_token: bool) -> Result<HeaderMap> {
    let is_own = |name: &str| RESERVED.contains(&name) || (has_token && name == "authorization");
    let mut headers = custom_headers(own, "the header", is_own)?;
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("snappy"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    headers.insert(
        HeaderName::from_static("x-prometheus-remote-write-version"),
        HeaderValue::from_static(VERSION),
    );
    Ok(headers)
}

impl RemoteWrite {
    /// Looks whether samples would be taken, at `now` in microseconds since the epoch. What is sent is a message without
    /// series, which writes nothing.
    pub async fn examine(&self, now: i64) -> Examination {
        let mut found = examine::begin(&self.poster, &self.places).await;
        for place in &self.places {
            if let Some((host, fault)) =
                examine::host_of(place).and_then(|host| Some((host, misled(host, place)?)))
            {
                found.note(format!("address at `{host}`"), Outcome::Fault(Fault::NotFound, fault));
            }
        }
        if !found.is_well() {
            return found;
        }
        let sent = "a message without series";
        let question = Question { well: 200..=299, sent, has_identity: self.poster.has_identity() };
        let empty = body(&[], &[]);
        for place in &self.places {
            let host = place.host_str().unwrap_or_default();
            let answer = self.poster.post(std::slice::from_ref(place), &self.headers, &empty, now).await;
            found.note(format!("remote write at `{host}`"), examine::outcome(&answer, &question));
        }
        found
    }
}

/// What is wrong with the address of a workspace of Azure; nothing for one of anybody else. The address is not repeated.
fn misled(host: &str, place: &Url) -> Option<String> {
    if !WORKSPACES.iter().any(|end| host.ends_with(end)) {
        return None;
    }
    let path: Vec<&str> = place.path_segments().into_iter().flatten().collect();
    let is_rule = |id: &str| id.starts_with("dcr-");
    let is_path = matches!(
        path[..],
        ["dataCollectionRules", id, "streams", "Microsoft-PrometheusMetrics", "api", "v1", "write"] if is_rule(id)
    );
    let has_version = place.query_pairs().any(|(name, value)| name == "api-version" && !value.is_empty());
    let wrong = match (is_path, has_version) {
        (true, true) => return None,
        (false, _) => "its path",
        (true, false) => "its `api-version`",
    };
    Some(format!(
        "{wrong} is not that of a workspace: expected `/dataCollectionRules/dcr-…/streams/Microsoft-PrometheusMetrics/api/v1/\
         write?api-version=2023-04-24`"
    ))
}

impl RecordSink for RemoteWrite {
    type Record = Sample;

    async fn send(&self, records: &[Sample], now: i64) -> Vec<Delivery> {
        let mut attempt = Attempt::new(records.len(), MAX_REQUESTS);
        // Oldest first over all requests: a receiver that has seen a later sample may take no earlier one. The sort is
        // stable: of two in the same millisecond the later record is the one that counts.
        let keys: Vec<(u64, (i64, u64))> = records.iter().map(key).collect();
        let mut order: Vec<usize> = (0..records.len()).collect();
        order.sort_by_key(|at| millis(&records[*at]));
        order.retain(|at| {
            let is_other = self.newest.is_other(keys[*at].0, keys[*at].1);
            if is_other {
                let reason = "another value of this millisecond was taken".to_owned();
                attempt.settle(&[*at], &Delivery::Expired { reason });
            }
            !is_other
        });
        let mut waiting: Vec<Vec<usize>> = order.chunks(MAX_SAMPLES).rev().map(<[usize]>::to_vec).collect();
        while let Some(chunk) = waiting.pop() {
            if !attempt.admits(&chunk) {
                continue;
            }
            let body = body(&chunk, records);
            let answer = self.poster.post(&self.places, &self.headers, &body, now).await;
            match &answer {
                Answer::Status { status: 200..=299, .. } => {
                    self.newest.note(chunk.iter().map(|at| keys[*at]));
                    attempt.settle(&chunk, &Delivery::Delivered);
                }
                // Faults of the set-up, which a person will mend, and a wish for patience.
                Answer::Status { status: 401 | 403 | 404 | 407 | 408 | 425 | 429, .. } => {
                    attempt.stop(&chunk, answer.retry());
                }
                Answer::Status { status: 400..=499, .. } if chunk.len() > 1 => {
                    let is_old = |at: &usize| self.newest.is_older(keys[*at].0, keys[*at].1);
                    let refusal = refusal(answer.reason());
                    if matches!(refusal, Delivery::Expired { .. }) && chunk.iter().any(is_old) {
                        let (old, rest): (Vec<usize>, Vec<usize>) = chunk.into_iter().partition(is_old);
                        attempt.settle(&old, &refusal);
                        waiting.extend(Some(rest).filter(|rest| !rest.is_empty()));
                    } else {
                        waiting.extend(halves(&chunk).map(<[usize]>::to_vec));
                    }
                }
                Answer::Status { status: 400..=499, .. } => attempt.settle(&chunk, &refusal(answer.reason())),
                _ => attempt.stop(&chunk, answer.retry()),
            }
        }
        attempt.deliveries()
    }
}

/// A sample that is taken by nobody: because it is late, or for good.
fn refusal(reason: String) -> Delivery {
    let said = reason.to_ascii_lowercase();
    if LATE.iter().any(|word| said.contains(word)) {
        return Delivery::Expired { reason };
    }
    Delivery::Refused { reason }
}

/// By which a series is known again, and its sample.
fn key(sample: &Sample) -> (u64, (i64, u64)) {
    let mut hash = Xxh3::new();
    for part in sample.labels.iter().flat_map(|(name, value)| [name, value]) {
        hash.update(&part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    (hash.digest(), (millis(sample), sample.value.to_bits()))
}

fn millis(sample: &Sample) -> i64 {
    sample.time.div_euclid(1_000)
}

/// `chunk` is in the order of time.
fn body(chunk: &[usize], records: &[Sample]) -> Vec<u8> {
    let mut series: BTreeMap<&BTreeMap<String, String>, BTreeMap<i64, f64>> = BTreeMap::new();
    for at in chunk {
        let sample = &records[*at];
        series.entry(&sample.labels).or_default().insert(millis(sample), sample.value);
    }
    let series = series.into_iter().map(|(labels, samples)| wire::TimeSeries {
        // A BTreeMap is sorted by the bytes of its keys, as the specification asks.
        labels: labels
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| wire::Label { name: name.clone(), value: value.clone() })
            .collect(),
        samples: samples.into_iter().map(|(timestamp, value)| wire::Sample { value, timestamp }).collect(),
    });
    let message = wire::WriteRequest { timeseries: series.collect() }.encode_to_vec();
    // Fails only beyond 4 GB.
    snap::raw::Encoder::new().compress_vec(&message).expect("a request is small")
}

/// The messages of `prometheus.WriteRequest`, as the specification numbers their fields.
mod wire {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct WriteRequest {
        #[prost(message, repeated, tag = "1")]
        pub(super) timeseries: Vec<TimeSeries>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct TimeSeries {
        #[prost(message, repeated, tag = "1")]
        pub(super) labels: Vec<Label>,
        #[prost(message, repeated, tag = "2")]
        pub(super) samples: Vec<Sample>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Label {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        #[prost(string, tag = "2")]
        pub(super) value: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Sample {
        #[prost(double, tag = "1")]
        pub(super) value: f64,
        #[prost(int64, tag = "2")]
        pub(super) timestamp: i64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_workspace_is_whole() {
        let base = "https://amw-x1y2.westeurope-1.metrics.ingest.monitor.azure.com";
        let path = "/dataCollectionRules/dcr-1/streams/Microsoft-PrometheusMetrics/api/v1/write";
        let said = |rest: &str| {
            let url = Url::parse(&format!("{base}{rest}")).expect(rest);
            misled(url.host_str().expect("a host"), &url)
        };
        assert_eq!(said(&format!("{path}?api-version=2023-04-24")), None);
        for (rest, expected) in [
            ("/api/v1/write?api-version=2023-04-24".to_owned(), "its path"),
            (format!("{}?api-version=1", path.replace("dcr-", "dce-")), "its path"),
            (path.to_owned(), "its `api-version`"),
            (format!("{path}?api-version="), "its `api-version`"),
        ] {
            let said = said(&rest).expect(&rest);
            assert!(said.starts_with(expected) && !said.contains("dcr-1"), "{rest}: {said}");
        }
        let other = Url::parse("https://prometheus.example.org/api/v1/write").expect("an address");
        assert_eq!(misled("prometheus.example.org", &other), None);
    }
}
