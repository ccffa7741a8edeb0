//! The Logs Ingestion API (`2023-01-01`): records into tables of a Log Analytics workspace, by a data collection rule.
//!
//! A request holds at most 1 MB, before and after compression; what is counted here is the real body. Only 204 is success.
//! A request that is refused as a whole (400, 413) is halved until the record at fault stands alone, so that one bad record
//! takes no other with it.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::{Compression, GzBuilder};
use reqwest::Url;
use reqwest::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};

use super::attempt::{Attempt, halves};
use super::examine::{self, Examination, Question};
use super::poster::{Answer, Poster, beneath, json_headers, name_request, place};
use super::{Access, RecordSink};
use crate::error::Result;
use crate::sink::Delivery;

/// The most bytes of a body before compression. The limit is 1 MB; whichever is meant, this is less.
const MAX_BODY: usize = 1_000_000;
/// Requests of one attempt; what is left then is tried again later.
const MAX_REQUESTS: usize = 128;
/// The version of the API.
const VERSION: &str = "2023-01-01";

/// One record of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// The stream of the data collection rule, such as `Custom-DriftleadAlerts`.
    pub stream: String,
    /// A JSON object.
    pub json: String,
}

/// Where records are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The endpoint of data collection: `https://NAME.REGION-1.ingest.monitor.azure.com`.
    pub endpoint: String,
    /// The immutable id of the data collection rule: `dcr-` and 32 digits.
    pub rule: String,
}

/// How the API is reached.
#[derive(Clone, Debug)]
pub struct LogsSettings {
    /// Where records are sent.
    pub first: Rule,
    /// Where they are sent while that fails, such as in another region.
    pub second: Option<Rule>,
    /// Who sends.
    pub access: Access,
}

/// A client of the Logs Ingestion API.
#[derive(Debug)]
pub struct LogsIngestion {
    poster: Poster,
    /// One or two, without the stream.
    rules: Vec<Url>,
}

impl LogsIngestion {
    /// Checks the settings; nothing is sent.
    ///
    /// # Errors
    /// Misconfigured: an endpoint that is no address, or one without TLS on another machine than this.
    pub fn new(settings: &LogsSettings) -> Result<Self> {
        let rules = std::iter::once(&settings.first).chain(&settings.second);
        let rule = |own: &Rule| -> Result<Url> {
            let base = place(&own.endpoint, "the endpoint of data collection")?;
            Ok(beneath(base, &["dataCollectionRules", &own.rule]))
        };
        Ok(Self { poster: Poster::new(&settings.access)?, rules: rules.map(rule).collect::<Result<_>>()? })
    }

    /// The addresses of a stream.
    fn places(&self, stream: &str) -> Vec<Url> {
        let place = |rule: &Url| {
            let mut url = beneath(rule.clone(), &["streams", stream]);
            url.set_query(Some(&format!("api-version={VERSION}")));
            url
        };
        self.rules.iter().map(place).collect()
    }

    /// Looks whether the streams would be taken, each at every endpoint, at `now` in microseconds since the epoch. What is
    /// sent is a list of no records, which writes nothing.
    pub async fn examine(&self, streams: &[&str], now: i64) -> Examination {
        let mut found = examine::begin(&self.poster, &self.rules).await;
        if !found.is_well() {
            return found;
        }
        let sent = "a list without records";
        let question = Question { well: 204..=204, sent, has_identity: self.poster.has_identity() };
        let empty = gzip(b"[]");
        for stream in streams {
            for place in self.places(stream) {
                let host = place.host_str().unwrap_or_default().to_owned();
                let answer = self.poster.post(&[place], &headers(&empty, now), &empty, now).await;
                found.note(format!("stream `{stream}` at `{host}`"), examine::outcome(&answer, &question));
            }
        }
        found
    }
}

impl RecordSink for LogsIngestion {
    type Record = LogRecord;

    async fn send(&self, records: &[LogRecord], now: i64) -> Vec<Delivery> {
        let mut attempt = Attempt::new(records.len(), MAX_REQUESTS);
        let mut streams: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, record) in records.iter().enumerate() {
            // With its brackets.
            if record.json.len() + 2 > MAX_BODY {
                let reason = format!("a record of {} bytes; a request takes {MAX_BODY}", record.json.len());
                attempt.settle(&[at], &Delivery::Refused { reason });
            } else {
                streams.entry(&record.stream).or_default().push(at);
            }
        }
        for (stream, all) in streams {
            attempt.go_on();
            let places = self.places(stream);
            // Newest last, so that what comes off the end is in order.
            let mut waiting: Vec<&[usize]> = chunks(&all, usize::MAX, |at| records[at].json.len());
            waiting.reverse();
            while let Some(chunk) = waiting.pop() {
                if !attempt.admits(chunk) {
                    continue;
                }
                let body = body(chunk, records);
                let answer = self.poster.post(&places, &headers(&body, now), &body, now).await;
                match &answer {
                    Answer::Status { status: 204, .. } => attempt.settle(chunk, &Delivery::Delivered),
                    Answer::Status { status: 400 | 413, .. } if chunk.len() > 1 => {
                        waiting.extend(halves(chunk))
                    }
                    Answer::Status { status: 400 | 413, .. } => {
                        attempt.settle(chunk, &Delivery::Refused { reason: answer.reason() });
                    }
                    Answer::Status { status: 200..=299, .. } => {
                        let reason = format!(
                            "{}, expected 204: is this an endpoint of data collection?",
                            answer.reason()
                        );
                        attempt.stop(chunk, Delivery::Retry { after: None, reason });
                    }
                    // The others of this stream would meet the same.
                    _ => attempt.stop(chunk, answer.retry()),
                }
            }
        }
        attempt.deliveries()
    }
}

/// Stretches of at most so many whose bodies, with brackets and commas, are within the bound.
pub(super) fn chunks(all: &[usize], most: usize, size: impl Fn(usize) -> usize) -> Vec<&[usize]> {
    let mut chunks = Vec::new();
    let (mut begin, mut bytes) = (0, 2);
    for (place, at) in all.iter().enumerate() {
        let own = size(*at) + 1;
        if place > begin && (bytes + own > MAX_BODY || place - begin >= most) {
            chunks.push(&all[begin..place]);
            (begin, bytes) = (place, 2);
        }
        bytes += own;
    }
    if begin < all.len() {
        chunks.push(&all[begin..]);
    }
    chunks
}

fn headers(body: &[u8], now: i64) -> HeaderMap {
    let mut headers = json_headers();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    name_request(&mut headers, body, now);
    headers
}

/// A JSON array, compressed.
fn body(chunk: &[usize], records: &[LogRecord]) -> Vec<u8> {
    let mut json = Vec::with_capacity(chunk.iter().map(|at| records[*at].json.len() + 1).sum::<usize>() + 2);
    json.push(b'[');
    for (place, at) in chunk.iter().enumerate() {
        if place > 0 {
            json.push(b',');
        }
        json.extend_from_slice(records[*at].json.as_bytes());
    }
    json.push(b']');
    gzip(&json)
}

/// Compressed as the official client does it: no name, no time.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new().write(Vec::with_capacity(bytes.len() / 4), Compression::new(6));
    // Writing to memory does not fail.
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("memory takes every byte")
}
