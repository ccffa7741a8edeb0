//! A look at a service of Azure before anything is sent: is there a token, is there a server, would it take records?
//! A service that has no question of its own is sent what writes nothing: a list of nothing, or what is a day too old.
//!
//! Each step is a [`Finding`], and a step that fails leaves out those that need it. What a sink is asked is its own
//! affair, as long as it writes nothing; what the findings mean to a person, and the commands that mend them, stand with
//! the command that shows them. No finding holds a token or a secret: of a token only for whom and for what it is.

use std::net::ToSocketAddrs as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use serde_json::Value as Json;

use super::metrics::moment;
use super::poster::{Answer, Login, Poster, is_here};
use crate::entra::Entra;
use crate::error::ErrorKind;

/// What a step has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: an identity, a host, a stream.
    pub of: String,
    /// What was found.
    pub outcome: Outcome,
}

/// Well, or what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is wrong; what is, for a person.
    Well(String),
    /// It cannot be told.
    Unknown(String),
    /// Something is wrong, and what was said of it.
    Fault(Fault, String),
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// No token can be had.
    NoToken,
    /// The token is for another resource.
    OtherAudience,
    /// The host's name is not known.
    NoAddress,
    /// Nothing answers there.
    NoAnswer,
    /// The token is not taken.
    TokenRefused,
    /// The identity has not the right.
    NoRight,
    /// There is no such rule, stream or resource.
    NotFound,
    /// The request itself is refused.
    Refused,
    /// It has too much to do.
    Busy,
    /// The quota is used up: waiting does not mend it soon.
    Exhausted,
    /// Something else answers than a service of Azure.
    OtherServer,
}

/// What an identity is known to be by its token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// For whom: the id of the object to which roles are given.
    pub object: Option<String>,
    /// For what.
    pub audience: Option<String>,
    /// The application that asks.
    pub application: Option<String>,
    /// Until when, in seconds since the epoch.
    pub expires: Option<i64>,
}

impl Claims {
    /// What a token says, by the names that it has there; empty for a token that says nothing.
    fn shown(&self) -> String {
        let text = |name: &str, own: &Option<String>| own.as_ref().map(|own| format!("{name} `{own}`"));
        let end = self.expires.map(|end| format!("exp {}", moment(end.saturating_mul(1_000_000))));
        let all =
            [text("aud", &self.audience), text("appid", &self.application), text("oid", &self.object), end];
        let all: Vec<String> = all.into_iter().flatten().collect();
        if all.is_empty() { String::new() } else { format!(" ({})", all.join(", ")) }
    }
}

/// All findings about one sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examination {
    /// In the order of the steps.
    pub findings: Vec<Finding>,
    /// Who asks, as far as the token says.
    pub claims: Claims,
}

impl Examination {
    pub(super) fn note(&mut self, of: impl Into<String>, outcome: Outcome) {
        self.findings.push(Finding { of: of.into(), outcome });
    }

    /// Whether every step so far was well.
    #[must_use]
    pub fn is_well(&self) -> bool {
        !self.findings.iter().any(|finding| matches!(finding.outcome, Outcome::Fault(..)))
    }
}

/// The steps that all sinks have in common: a token for the right resource, and hosts with an address.
pub(super) async fn begin(poster: &Poster, places: &[Url]) -> Examination {
    let mut examination = Examination::default();
    if let Login::Entra(entra) = poster.login() {
        identity(entra, &mut examination).await;
    }
    for place in places {
        let host = place.host_str().unwrap_or_default().to_owned();
        let port = place.port_or_known_default().unwrap_or(443);
        let asked = (host.trim_matches(['[', ']']).to_owned(), port);
        let found =
            tokio::task::spawn_blocking(move || asked.to_socket_addrs().map(|mut all| all.next())).await;
        let outcome = match found {
            Ok(Ok(Some(_))) => Outcome::Well("its name is known".to_owned()),
            Ok(Ok(None)) => Outcome::Fault(Fault::NoAddress, "the name has no address".to_owned()),
            Ok(Err(error)) => Outcome::Fault(Fault::NoAddress, error.to_string()),
            Err(_) => Outcome::Unknown("asking for its address broke off".to_owned()),
        };
        examination.note(format!("host `{host}`"), outcome);
    }
    examination
}

async fn identity(entra: &Arc<Entra>, examination: &mut Examination) {
    let asked = entra.clone();
    let token = tokio::task::spawn_blocking(move || asked.token()).await;
    let who = entra.describe();
    let outcome = match token {
        Ok(Ok(token)) => {
            examination.claims = claims(&token.value);
            let audience = examination.claims.audience.as_deref();
            let expected = entra.resource().trim_end_matches('/');
            match audience.filter(|own| own.trim_end_matches('/') != expected) {
                // Entra may name a resource by the id of its application: that says nothing.
                Some(other) if other.contains("://") => {
                    let said = format!("the token is for `{other}`, expected `{}`", entra.resource());
                    Outcome::Fault(Fault::OtherAudience, said)
                }
                _ => {
                    let claims = examination.claims.shown();
                    Outcome::Well(format!("has a token for `{}`{claims}", entra.resource()))
                }
            }
        }
        Ok(Err(error)) if error.kind() == ErrorKind::Unavailable => {
            Outcome::Fault(Fault::NoAnswer, error.to_string())
        }
        Ok(Err(error)) => Outcome::Fault(Fault::NoToken, error.to_string()),
        Err(_) => Outcome::Fault(Fault::NoToken, "asking for a token broke off".to_owned()),
    };
    examination.note(who, outcome);
}

/// What a token says of itself. It is not verified: that is the server's part.
fn claims(token: &str) -> Claims {
    let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let json: Json = payload.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let text = |key: &str| json.get(key).and_then(Json::as_str).map(str::to_owned);
    // Tokens of version 2 call the application `azp`.
    let application = text("appid").or_else(|| text("azp"));
    let expires = json.get("exp").and_then(Json::as_i64);
    Claims { object: text("oid"), audience: text("aud"), application, expires }
}

/// What a server is asked that is to write nothing.
pub(super) struct Question {
    /// Which statuses are success.
    pub(super) well: std::ops::RangeInclusive<u16>,
    /// What is sent, for a person.
    pub(super) sent: &'static str,
    /// Whether an identity asks.
    pub(super) has_identity: bool,
}

/// What an answer means.
pub(super) fn outcome(answer: &Answer, question: &Question) -> Outcome {
    let said = answer.reason();
    let Answer::Status { status, .. } = answer else { return Outcome::Fault(Fault::NoAnswer, said) };
    if question.well.contains(status) {
        return Outcome::Well(format!("takes records (status {status})"));
    }
    if *status == 400 {
        // Whether nothing is taken is not documented, nor whether rights are looked at before.
        let it = if question.has_identity { "it is there and takes the identity" } else { "it is there" };
        return Outcome::Unknown(format!("{it}, but says of {}: {said}", question.sent));
    }
    Outcome::Fault(fault(*status), said)
}

/// What is wrong where a request is answered with this status, which is none of success.
#[must_use]
pub fn fault(status: u16) -> Fault {
    match status {
        401 => Fault::TokenRefused,
        403 => Fault::NoRight,
        404 => Fault::NotFound,
        400 | 413 | 415 | 422 => Fault::Refused,
        402 | 439 => Fault::Exhausted,
        408 | 429 | 500..=599 => Fault::Busy,
        _ => Fault::OtherServer,
    }
}

/// What an address says of itself: of a machine's own, such as in tests, nothing.
pub(super) fn host_of(place: &Url) -> Option<&str> {
    if is_here(place) { None } else { place.host_str() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_for_whom_and_for_what_it_is() {
        let payload = URL_SAFE_NO_PAD
            .encode(r#"{"oid":"o-1","aud":"https://monitor.azure.com","azp":"c-1","exp":1767600900}"#);
        let known = claims(&format!("e30.{payload}.x"));
        assert_eq!(known.object.as_deref(), Some("o-1"));
        assert_eq!(known.audience.as_deref(), Some("https://monitor.azure.com"));
        assert_eq!(
            known.shown(),
            " (aud `https://monitor.azure.com`, appid `c-1`, oid `o-1`, exp 2026-01-05T08:15:00Z)"
        );
        for odd in ["", "token", "a.b.c", "e30.e30.x"] {
            assert_eq!(claims(odd), Claims::default(), "{odd}");
        }
    }
}
