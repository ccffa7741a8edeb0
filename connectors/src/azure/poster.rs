//! POST with a token, to one of two places.
//!
//! A place that does not answer, or fails by itself (5xx), is left alone for a minute if there is a second one, and that is
//! asked at once: an outage of a region costs no message. A refusal is the same in both and is no reason to change. A token
//! that is refused is asked for anew, once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Client, Response, Url, redirect};
use sha2::{Digest as _, Sha256};

use crate::entra::Entra;
use crate::error::{Error, Result};
use crate::http::{Clients, Tls, explain};
use crate::sink::{Delivery, retry_after};

/// How long a place that failed is left alone, in microseconds.
const AWAY: i64 = 60_000_000;
/// How much of an answer is read: 64,000 records may each have a word.
const MAX_ANSWER: usize = 8 << 20;
/// How much of it stands in a reason, in characters.
const EXCERPT: usize = 300;

/// Who asks.
#[derive(Clone, Debug)]
pub enum Login {
    /// Nobody in particular: the key is in the body.
    None,
    /// An identity of Entra; the tokens are for the right resource.
    Entra(Arc<Entra>),
}

/// How servers are reached.
#[derive(Clone, Debug)]
pub struct Access {
    /// Who asks.
    pub login: Login,
    /// How the other side's certificate is checked.
    pub tls: Tls,
    /// The longest an attempt may take.
    pub timeout: Duration,
}

/// What came back.
#[derive(Debug)]
pub(super) enum Answer {
    /// A status.
    Status {
        status: u16,
        /// What `Retry-After` asked for.
        after: Option<Duration>,
        /// Where a redirect leads.
        location: Option<String>,
        body: Vec<u8>,
    },
    /// None; the reason, for a person.
    Silent(String),
}

/// A client that posts.
pub(super) struct Poster {
    clients: Clients,
    login: Login,
    /// Until when the first place is left alone, in microseconds since the epoch.
    away_until: AtomicI64,
}

impl fmt::Debug for Poster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poster").field("login", &self.login).finish_non_exhaustive()
    }
}

impl Poster {
    /// Nothing is sent.
    ///
    /// # Errors
    /// Misconfigured: a file of certificates that cannot be read.
    pub(super) fn new(access: &Access) -> Result<Self> {
        let timeout = access.timeout;
        Ok(Self {
            clients: Clients::new(access.tls.clone(), move || client(timeout))?,
            login: access.login.clone(),
            away_until: AtomicI64::new(i64::MIN),
        })
    }

    /// Who asks.
    pub(super) fn login(&self) -> &Login {
        &self.login
    }

    /// Whether an identity asks.
    pub(super) fn has_identity(&self) -> bool {
        matches!(self.login, Login::Entra(_))
    }

    /// Posts `body` to the first of the places that can be had; `places` has one or two.
    pub(super) async fn post(&self, places: &[Url], headers: &HeaderMap, body: &[u8], now: i64) -> Answer {
        let is_away = now < self.away_until.load(Ordering::Relaxed);
        let first = if places.len() > 1 && is_away { &places[1..] } else { places };
        let mut answer = Answer::Silent("there is no address to ask".to_owned());
        for place in first {
            answer = self.ask(place, headers, body, now).await;
            let has_failed = match &answer {
                Answer::Silent(_) => true,
                Answer::Status { status, .. } => matches!(status, 500..=599),
            };
            if !has_failed {
                return answer;
            }
            if places.len() > 1 && *place == places[0] {
                let host = place.host_str().unwrap_or("?");
                tracing::warn!(
                    host,
                    reason = answer.reason(),
                    "the first endpoint fails: the second is asked"
                );
                self.away_until.store(now.saturating_add(AWAY), Ordering::Relaxed);
            }
        }
        answer
    }

    async fn ask(&self, place: &Url, headers: &HeaderMap, body: &[u8], now: i64) -> Answer {
        for is_last in [false, true] {
            let mut request = self.clients.current().post(place.clone()).headers(headers.clone());
            if let Login::Entra(entra) = &self.login {
                match bearer(entra).await {
                    Ok(token) => request = request.header(AUTHORIZATION, token),
                    Err(error) => return Answer::Silent(error.to_string()),
                }
            }
            let response = match request.body(body.to_vec()).send().await {
                Ok(response) => response,
                Err(error) => return Answer::Silent(explain(&error)),
            };
            if let (401, Login::Entra(entra), false) = (response.status().as_u16(), &self.login, is_last) {
                entra.forget();
                continue;
            }
            return read(response, now).await;
        }
        Answer::Silent("no token is taken".to_owned())
    }
}

impl Answer {
    /// What happened, for a person.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Silent(reason) => reason.clone(),
            Self::Status { status, body, .. } => {
                let said = said(body);
                if said.is_empty() { format!("status {status}") } else { format!("status {status}: {said}") }
            }
        }
    }

    /// The same for all records of the request: to be tried again.
    pub(super) fn retry(&self) -> Delivery {
        let after = match self {
            Self::Status { after, .. } => *after,
            Self::Silent(_) => None,
        };
        Delivery::Retry { after, reason: self.reason() }
    }
}

/// The bytes of an address that people wrote, with a path of its own behind it.
///
/// # Errors
/// Misconfigured: no address, or one without TLS on another machine than this: a token would be read by everybody.
pub(super) fn place(base: &str, what: &str) -> Result<Url> {
    let url = Url::parse(base).map_err(|error| {
        Error::misconfigured(format!("{what} `{base}` is not an address: {error}; expected `https://…`"))
    })?;
    if url.scheme() != "https" && !(url.scheme() == "http" && is_here(&url)) {
        return Err(Error::misconfigured(format!(
            "{what} `{base}` is not `https`: a token must not be read"
        )));
    }
    Ok(url)
}

/// Whether it is on this machine.
pub(super) fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(v4)) => v4.is_loopback(),
        Some(url::Host::Ipv6(v6)) => v6.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// An address with more segments at the end of its path.
pub(super) fn beneath(mut url: Url, segments: &[&str]) -> Url {
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// Those of a request in JSON that is answered in JSON.
pub(super) fn json_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

/// By which a person at Azure finds a request again. Made of what is sent and when, so that a test can foretell it.
pub(super) fn name_request(headers: &mut HeaderMap, body: &[u8], now: i64) {
    let hash = Sha256::new().chain_update(now.to_be_bytes()).chain_update(body).finalize();
    let digits: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    // The form of a random UUID (RFC 9562, section 5.8: one that is made by a rule of one's own).
    let id = format!(
        "{}-{}-8{}-8{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[13..16],
        &digits[17..20],
        &digits[20..]
    );
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static("x-ms-client-request-id"), id);
    }
}

async fn bearer(entra: &Arc<Entra>) -> Result<HeaderValue> {
    let entra = entra.clone();
    let token = tokio::task::spawn_blocking(move || entra.token())
        .await
        .map_err(|_| Error::unavailable("asking for a token broke off"))??;
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.value))
        .map_err(|_| Error::malformed("the token holds what no header may"))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn read(mut response: Response, now: i64) -> Answer {
    let text = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let after = text(RETRY_AFTER).and_then(|value| retry_after(value, now.div_euclid(1_000_000)));
    let location = text(LOCATION).map(str::to_owned);
    let status = response.status().as_u16();
    let mut body = Vec::new();
    // An answer that breaks off is as good as its beginning.
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            break;
        }
    }
    Answer::Status { status, after, location, body }
}

/// What Azure says of an error: `error.code` and `error.message`, else the beginning of the text.
fn said(body: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let error = json.as_ref().and_then(|json| json.get("error"));
    let text = |key: &str| error.and_then(|error| error.get(key)).and_then(serde_json::Value::as_str);
    let said = match (text("code"), text("message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => String::from_utf8_lossy(body).into_owned(),
    };
    said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(EXCERPT).collect()
}

fn client(timeout: Duration) -> reqwest::ClientBuilder {
    Client::builder()
        .user_agent(concat!("driftlead/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(timeout.min(Duration::from_secs(10)))
        .timeout(timeout)
}
