//! The ingestion of Application Insights (`/v2.1/track`): events, metrics and availability, under the key of a connection
//! string.
//!
//! A request is a JSON array, not compressed, of at most 64,000 items with at most 64 KB each; that it has at most 1 MB is
//! this client's own bound. An answer speaks of each item: of a 206 only those are sent again that may yet be taken. The
//! request holds the key, and perhaps a token, so a redirect is followed to places of the same cloud only.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderMap;
use serde_json::{Value as Json, json};

use super::attempt::{Attempt, halves};
use super::examine::{self, Examination, Finding, Question};
use super::logs::chunks;
use super::poster::{Answer, Poster, is_here, json_headers};
use super::{Access, ConnectionString, RecordSink};
use crate::error::Result;
use crate::sink::Delivery;

/// The most bytes of an item.
const MAX_ITEM: usize = 64 << 10;
/// The most items of a request.
const MAX_ITEMS: usize = 64_000;
/// Requests of one attempt; what is left then is tried again later.
const MAX_REQUESTS: usize = 128;
/// Redirects that are followed in a row.
const MAX_REDIRECTS: usize = 5;
/// What may still be taken later.
const RETRYABLE: [u16; 8] = [401, 403, 408, 429, 500, 502, 503, 504];
/// No more is taken for long: the resource's quota is used up.
const EXHAUSTED: [u16; 2] = [402, 439];
/// What is said of an item that the resource's own sampling left out.
const SAMPLED: &str = "telemetry sampled out.";
/// The places of each cloud.
const CLOUDS: [&[&str]; 3] = [
    &[".applicationinsights.azure.com", ".monitor.azure.com", ".services.visualstudio.com"],
    &[".applicationinsights.azure.us", ".monitor.azure.us"],
    &[".applicationinsights.azure.cn", ".monitor.azure.cn"],
];

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something that happened: a row of `customEvents`.
    Event,
    /// A number: a row of `customMetrics`.
    Metric,
    /// Whether something works: a row of `availabilityResults`.
    Availability,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Event => "Microsoft.ApplicationInsights.Event",
            Self::Metric => "Microsoft.ApplicationInsights.Metric",
            Self::Availability => "Microsoft.ApplicationInsights.Availability",
        }
    }

    const fn base(self) -> &'static str {
        match self {
            Self::Event => "EventData",
            Self::Metric => "MetricData",
            Self::Availability => "AvailabilityData",
        }
    }
}

/// One item.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// What it is.
    pub kind: Kind,
    /// When it happened: RFC 3339, in UTC.
    pub time: String,
    /// What it belongs together with, such as the id of a window; empty for nothing.
    pub operation: String,
    /// Its `baseData`: an object.
    pub data: Json,
}

/// How a resource is reached, and who speaks.
#[derive(Clone, Debug)]
pub struct InsightsSettings {
    /// Where, and under which key.
    pub connection: ConnectionString,
    /// What the application map calls the service.
    pub role: String,
    /// Which of several it is.
    pub instance: String,
    /// Who asks: the key alone, or an identity.
    pub access: Access,
}

/// A client of the ingestion.
pub struct ApplicationInsights {
    poster: Poster,
    connection: ConnectionString,
    role: String,
    instance: String,
    /// Where a permanent redirect led.
    moved: Mutex<Option<Url>>,
}

impl fmt::Debug for ApplicationInsights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApplicationInsights")
            .field("connection", &self.connection)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// What the service says of the items of a request.
struct Reply {
    accepted: u64,
    errors: Vec<ItemError>,
}

/// What it says of one that was not taken.
struct ItemError {
    index: usize,
    status: u16,
    message: String,
}

/// What an answer means for the items of a request.
enum Outcome {
    /// For each its own.
    Each(Vec<Delivery>),
    /// The same for all of them.
    All(Delivery),
    /// The same for all of them, and for every request that would follow.
    Wall(Delivery),
    /// Some item is at fault, and it does not say which.
    Halve,
}

impl ApplicationInsights {
    /// Nothing is sent.
    ///
    /// # Errors
    /// Misconfigured: a file of certificates that cannot be read.
    pub fn new(settings: &InsightsSettings) -> Result<Self> {
        Ok(Self {
            poster: Poster::new(&settings.access)?,
            connection: settings.connection.clone(),
            role: settings.role.clone(),
            instance: settings.instance.clone(),
            moved: Mutex::default(),
        })
    }

    /// Looks whether items would be taken, at `now` in microseconds since the epoch. What is sent is a list of no items,
    /// which writes nothing.
    pub async fn examine(&self, now: i64) -> Examination {
        let place = self.connection.track();
        let mut found = examine::begin(&self.poster, std::slice::from_ref(place)).await;
        let fields = Finding { of: "connection string".to_owned(), outcome: self.connection.look() };
        found.findings.insert(0, fields);
        if !found.is_well() {
            return found;
        }
        let answer = self.post(&json_headers(), b"[]", now).await;
        let host = place.host_str().unwrap_or_default();
        let of = format!("ingestion at `{host}`");
        let sent = "a list without items";
        let question = Question { well: 200..=299, sent, has_identity: self.poster.has_identity() };
        let outcome = match (examine::outcome(&answer, &question), &answer) {
            // Anybody answers with 200; the ingestion counts what it was sent.
            (examine::Outcome::Well(_), Answer::Status { status, body, .. })
                if Reply::read(body).is_none() =>
            {
                examine::Outcome::Unknown(format!("status {status}, but no word of items"))
            }
            (examine::Outcome::Unknown(said), _) => examine::Outcome::Unknown(self.hide(&said)),
            (examine::Outcome::Fault(fault, said), _) => examine::Outcome::Fault(fault, self.hide(&said)),
            (well, _) => well,
        };
        found.note(of, outcome);
        found
    }

    /// An item as it is sent.
    fn envelope(&self, item: &Telemetry) -> String {
        let mut tags = json!({"ai.cloud.role": self.role, "ai.cloud.roleInstance": self.instance});
        if !item.operation.is_empty() {
            tags["ai.operation.id"] = json!(item.operation);
        }
        tags["ai.internal.sdkVersion"] = json!(concat!("driftlead:", env!("CARGO_PKG_VERSION")));
        let envelope = json!({
            "name": item.kind.name(),
            "iKey": self.connection.key(),
            "tags": tags,
            "time": item.time,
            "data": {"baseType": item.kind.base(), "baseData": item.data},
        });
        envelope.to_string()
    }

    /// Posts to where the string says, or to where that leads.
    async fn post(&self, headers: &HeaderMap, body: &[u8], now: i64) -> Answer {
        let moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut place = moved.unwrap_or_else(|| self.connection.track().clone());
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.poster.post(std::slice::from_ref(&place), headers, body, now).await;
            let Answer::Status { status: status @ (307 | 308), location, .. } = &answer else {
                if matches!(answer, Answer::Silent(_) | Answer::Status { status: 404 | 500..=599, .. }) {
                    // The place to which it moved may be gone: the next attempt asks the first one again.
                    self.move_to(None);
                }
                return answer;
            };
            let next = location.as_deref().and_then(|location| place.join(location).ok());
            let Some(next) = next else {
                return Answer::Silent(format!("status {status} that leads nowhere"));
            };
            if !may_lead(&place, &next) {
                let host = next.host_str().unwrap_or("?");
                return Answer::Silent(format!(
                    "status {status} leads to `{host}`, which is no place of the same cloud: not followed, because \
                     the request holds the resource's key"
                ));
            }
            if *status == 308 {
                self.move_to(Some(next.clone()));
            }
            place = next;
        }
        self.move_to(None);
        Answer::Silent(format!("more than {MAX_REDIRECTS} redirects in a row"))
    }

    fn move_to(&self, place: Option<Url>) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    /// What an answer means for `count` items.
    fn judge(&self, answer: &Answer, count: usize) -> Outcome {
        let Answer::Status { status, after, body, .. } = answer else {
            return Outcome::Wall(answer.retry());
        };
        let reply = Reply::read(body);
        match (*status, reply) {
            (200, None) => Outcome::All(Delivery::Delivered),
            (200 | 206, Some(reply)) => Outcome::Each(self.each(&reply, count, *after)),
            (206, None) => Outcome::All(Delivery::Retry {
                after: *after,
                reason: "status 206, and not which items were taken".to_owned(),
            }),
            (400, Some(reply)) if reply.names(count) == count => {
                Outcome::Each(self.each(&reply, count, *after))
            }
            (400 | 413, _) if count > 1 => Outcome::Halve,
            (400 | 413, _) => Outcome::All(Delivery::Refused { reason: self.hide(&answer.reason()) }),
            (status, _) if EXHAUSTED.contains(&status) => Outcome::Wall(Delivery::Refused {
                reason: format!("{}: the resource's quota is used up", self.hide(&answer.reason())),
            }),
            // Others are faults of the set-up that a person will mend.
            _ => Outcome::Wall(Delivery::Retry { after: *after, reason: self.hide(&answer.reason()) }),
        }
    }

    fn each(&self, reply: &Reply, count: usize, after: Option<Duration>) -> Vec<Delivery> {
        // At least once: if fewer were taken than that, and it does not say which, all that are not named may be lost.
        let is_clear =
            reply.names(count) >= count.saturating_sub(usize::try_from(reply.accepted).unwrap_or(usize::MAX));
        let unnamed = || {
            if is_clear {
                return Delivery::Delivered;
            }
            let reason = format!("{} of {count} items were taken, and not which", reply.accepted);
            Delivery::Retry { after, reason }
        };
        let mut each: Vec<Option<Delivery>> = vec![None; count];
        for error in &reply.errors {
            if let Some(own) = each.get_mut(error.index) {
                *own = Some(self.of_item(error, after));
            }
        }
        each.into_iter().map(|own| own.unwrap_or_else(unnamed)).collect()
    }

    fn of_item(&self, error: &ItemError, after: Option<Duration>) -> Delivery {
        if error.message.eq_ignore_ascii_case(SAMPLED) {
            // It arrived; that the resource keeps a part only is its owner's will.
            return Delivery::Delivered;
        }
        let message: String = self.hide(&error.message).chars().take(300).collect();
        let reason = format!("status {} of the item: {message}", error.status);
        if RETRYABLE.contains(&error.status) {
            Delivery::Retry { after, reason }
        } else {
            Delivery::Refused { reason }
        }
    }

    /// What the other side says may repeat the key.
    fn hide(&self, text: &str) -> String {
        let key = self.connection.key();
        [key, &key.to_ascii_lowercase(), &key.to_ascii_uppercase()]
            .iter()
            .fold(text.to_owned(), |text, key| text.replace(*key, "***"))
    }
}

impl Reply {
    /// `None` if it says nothing of items.
    fn read(body: &[u8]) -> Option<Self> {
        let json: Json = serde_json::from_slice(body).ok()?;
        let error = |own: &Json| {
            Some(ItemError {
                index: usize::try_from(own.get("index")?.as_u64()?).ok()?,
                status: u16::try_from(own.get("statusCode")?.as_u64()?).ok()?,
                message: own.get("message").and_then(Json::as_str).unwrap_or_default().to_owned(),
            })
        };
        let errors = json.get("errors").and_then(Json::as_array).into_iter().flatten();
        Some(Self {
            accepted: json.get("itemsAccepted")?.as_u64()?,
            errors: errors.filter_map(error).collect(),
        })
    }

    /// How many of the items it names.
    fn names(&self, count: usize) -> usize {
        let mut named: Vec<usize> = self.errors.iter().map(|error| error.index).collect();
        named.sort_unstable();
        named.dedup();
        named.iter().filter(|index| **index < count).count()
    }
}

impl RecordSink for ApplicationInsights {
    type Record = Telemetry;

    async fn send(&self, records: &[Telemetry], now: i64) -> Vec<Delivery> {
        let mut attempt = Attempt::new(records.len(), MAX_REQUESTS);
        let mut envelopes = vec![String::new(); records.len()];
        let mut fit = Vec::new();
        for (at, record) in records.iter().enumerate() {
            let own = self.envelope(record);
            if own.len() > MAX_ITEM {
                let reason = format!("an item of {} bytes; the service takes {MAX_ITEM}", own.len());
                attempt.settle(&[at], &Delivery::Refused { reason });
            } else {
                envelopes[at] = own;
                fit.push(at);
            }
        }
        let headers = json_headers();
        // Newest last, so that what comes off the end is in order.
        let mut waiting = chunks(&fit, MAX_ITEMS, |at| envelopes[at].len());
        waiting.reverse();
        while let Some(chunk) = waiting.pop() {
            if !attempt.admits(chunk) {
                continue;
            }
            let answer = self.post(&headers, &body(chunk, &envelopes), now).await;
            match self.judge(&answer, chunk.len()) {
                Outcome::Each(each) => {
                    chunk.iter().zip(&each).for_each(|(at, own)| attempt.settle([at], own))
                }
                Outcome::All(own) => attempt.settle(chunk, &own),
                Outcome::Wall(own) => attempt.stop(chunk, own),
                Outcome::Halve => waiting.extend(halves(chunk)),
            }
        }
        attempt.deliveries()
    }
}

/// A JSON array.
fn body(chunk: &[usize], envelopes: &[String]) -> Vec<u8> {
    let own: Vec<&str> = chunk.iter().map(|at| envelopes[*at].as_str()).collect();
    format!("[{}]", own.join(",")).into_bytes()
}

/// Whether a redirect may be followed: to the same host, or to another one of the same cloud; without TLS, or to this
/// machine, only from this machine.
fn may_lead(from: &Url, to: &Url) -> bool {
    if is_here(from) || is_here(to) {
        return is_here(from) && is_here(to) && matches!(to.scheme(), "http" | "https");
    }
    let (Some(from), "https", Some(host)) = (from.host_str(), to.scheme(), to.host_str()) else {
        return false;
    };
    let is_of = |host: &str, cloud: &[&str]| cloud.iter().any(|suffix| host.ends_with(suffix));
    from == host || CLOUDS.iter().any(|cloud| is_of(from, cloud) && is_of(host, cloud))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_stays_in_its_cloud() {
        let may = |from: &str, to: &str| may_lead(&Url::parse(from).expect(from), &Url::parse(to).expect(to));
        let global = "https://dc.services.visualstudio.com/v2.1/track";
        let regional = "https://westeurope-5.in.applicationinsights.azure.com/v2.1/track";
        assert!(may(global, regional) && may(regional, global) && may(regional, regional));
        assert!(may("https://dc.contoso.com/a", "https://dc.contoso.com/b"));
        assert!(may("http://127.0.0.1:1/a", "http://127.0.0.1:2/a"));
        for to in [
            "http://westeurope-5.in.applicationinsights.azure.com/v2.1/track",
            "https://usgovvirginia.in.applicationinsights.azure.us/v2.1/track",
            "https://applicationinsights.azure.com.evil.example/v2.1/track",
            "https://evilmonitor.azure.com/",
            "https://127.0.0.1/v2.1/track",
            "http://localhost/v2.1/track",
        ] {
            assert!(!may(global, to), "{to}");
        }
        assert!(!may("http://127.0.0.1:1/a", regional), "what is for tests stays here");
        assert!(!may("https://dc.contoso.com/a", regional), "a place of one's own is no cloud");
    }
}
