//! The connection string of an Application Insights resource: where telemetry goes, and under which key.
//!
//! `KEY=VALUE` with semicolons between them, the keys in any case, one semicolon too many at the end allowed: the
//! documentation's own examples end in one. The key is no password, but who has it can write: neither it nor any value that
//! may hold it stands in an error or in `Debug`.

use std::fmt;

use reqwest::Url;

use super::examine::Outcome;
use super::poster::{beneath, is_here};
use crate::error::{Error, Result};

/// The most characters of a connection string.
const LONGEST: usize = 4_096;
/// Where telemetry goes if the string does not say it.
const ENDPOINT: &str = "https://dc.services.visualstudio.com";
/// The API's path under the endpoint.
const PATH: [&str; 2] = ["v2.1", "track"];

/// What a connection string says.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionString {
    key: String,
    track: Url,
    audience: Option<String>,
    application: Option<String>,
    /// Whether the string says where telemetry goes.
    has_place: bool,
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionString")
            .field("host", &self.track.host_str())
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

impl ConnectionString {
    /// Reads one. Keys that are of no use here, such as `LiveEndpoint`, are left alone.
    ///
    /// # Errors
    /// Misconfigured: too long, a part without `=`, a key twice, no `InstrumentationKey` or one that is no UUID, an endpoint
    /// that is no address or has no TLS. Names keys, never values.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Err(Error::misconfigured(format!(
                "the connection string {what}; expected `InstrumentationKey=…;IngestionEndpoint=https://…`, as the \
                 resource's overview shows it"
            )))
        };
        if text.chars().count() > LONGEST {
            return wrong(&format!("is longer than {LONGEST} characters"));
        }
        let mut parts: Vec<(String, &str)> = Vec::new();
        for (at, part) in text.split(';').enumerate().filter(|(_, part)| !part.trim().is_empty()) {
            let Some((name, value)) = part.split_once('=') else {
                return wrong(&format!("has no `=` in its part {}", at + 1));
            };
            let name = name.trim().to_ascii_lowercase();
            if let Some(known) = KEYS.iter().find(|known| name.eq_ignore_ascii_case(known)) {
                if parts.iter().any(|(own, _)| *own == name) {
                    return wrong(&format!("has `{known}` twice"));
                }
                parts.push((name, value.trim()));
            }
        }
        let find = |name: &str| {
            let found = parts.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
            found.map(|(_, value)| *value).filter(|value| !value.is_empty())
        };
        if find(AUTHORIZATION).is_some_and(|own| !own.eq_ignore_ascii_case("ikey")) {
            return wrong("has another `Authorization` than `ikey`");
        }
        let Some(key) = find(KEY) else { return wrong("has no `InstrumentationKey`") };
        if !is_uuid(key) {
            return wrong("has an `InstrumentationKey` that is no UUID");
        }
        let endpoint = match (find(INGESTION), find(SUFFIX), find(LOCATION)) {
            (Some(endpoint), _, _) => endpoint.to_owned(),
            (None, Some(suffix), Some(location)) => format!("https://{location}.dc.{suffix}"),
            (None, Some(suffix), None) => format!("https://dc.{suffix}"),
            (None, None, _) => ENDPOINT.to_owned(),
        };
        let Ok(mut track) = Url::parse(&endpoint) else {
            return wrong("has an `IngestionEndpoint` that is no address");
        };
        if track.scheme() != "https" && !(track.scheme() == "http" && is_here(&track)) {
            return wrong("has an `IngestionEndpoint` that is not `https`: the key must not be read");
        }
        if !track.username().is_empty() || track.password().is_some() {
            return wrong("has an `IngestionEndpoint` with a user in it");
        }
        track.set_query(None);
        track.set_fragment(None);
        let audience = find(AUDIENCE).map(str::to_owned);
        let application = find(APPLICATION).map(str::to_owned);
        let has_place = find(INGESTION).or(find(SUFFIX)).is_some();
        Ok(Self { key: key.to_owned(), track: beneath(track, &PATH), audience, application, has_place })
    }

    /// What it says, but for the key.
    pub(super) fn look(&self) -> Outcome {
        let host = self.track.host_str().unwrap_or_default();
        if !self.has_place {
            return Outcome::Unknown(format!(
                "it names no `IngestionEndpoint`: all goes to `{host}`, and not to the resource's own region"
            ));
        }
        let audience = match &self.audience {
            Some(audience) => format!("tokens are for its `AADAudience` `{audience}`"),
            None => "it names no `AADAudience`".to_owned(),
        };
        // REGION-NUMBER.in.applicationinsights.azure.com
        let first = host.split('.').next().unwrap_or_default();
        let region = match first.rsplit_once('-') {
            Some((region, number)) if host.contains(".in.") && number.chars().all(|c| c.is_ascii_digit()) => {
                format!(", in `{region}`")
            }
            _ => String::new(),
        };
        Outcome::Well(format!("all goes to `{host}`{region}; {audience}"))
    }

    /// The id of the resource's application, if the string names it: `ApplicationId`.
    #[must_use]
    pub fn application(&self) -> Option<&str> {
        self.application.as_deref()
    }

    /// The resource of its tokens, as the string has it; a slash at its end is part of it.
    #[must_use]
    pub fn audience(&self) -> Option<&str> {
        self.audience.as_deref()
    }

    /// The key of the resource, for the wire.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Where telemetry is posted.
    pub(super) fn track(&self) -> &Url {
        &self.track
    }
}

const KEY: &str = "InstrumentationKey";
const INGESTION: &str = "IngestionEndpoint";
const SUFFIX: &str = "EndpointSuffix";
const LOCATION: &str = "Location";
const AUDIENCE: &str = "AADAudience";
const AUTHORIZATION: &str = "Authorization";
const APPLICATION: &str = "ApplicationId";
const KEYS: [&str; 7] = [KEY, INGESTION, SUFFIX, LOCATION, AUDIENCE, AUTHORIZATION, APPLICATION];

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.chars().all(|c| c.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "5ec2e700-0000-4000-8000-00000000beef";

    fn track(text: &str) -> String {
        ConnectionString::parse(text).expect(text).track.to_string()
    }

    #[test]
    fn it_says_where_and_under_which_key() {
        let whole = format!(
            "InstrumentationKey={UUID};IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/;\
             LiveEndpoint=https://westeurope.livediagnostics.monitor.azure.com/;ApplicationId=1;\
             AADAudience=https://monitor.azure.us/;"
        );
        let own = ConnectionString::parse(&whole).expect("a connection string");
        assert_eq!(own.key(), UUID);
        assert_eq!(
            own.track().as_str(),
            "https://westeurope-5.in.applicationinsights.azure.com/v2.1/track",
            "one slash"
        );
        assert_eq!(own.audience(), Some("https://monitor.azure.us/"), "with its slash");
        assert_eq!(own.application(), Some("1"));
        let Outcome::Well(said) = own.look() else { panic!("{:?}", own.look()) };
        assert!(said.contains("in `westeurope`; tokens are for its `AADAudience`"), "{said}");
        let bare = ConnectionString::parse(&format!("InstrumentationKey={UUID}")).expect("a string");
        let Outcome::Unknown(said) = bare.look() else { panic!("{:?}", bare.look()) };
        assert!(said.contains("no `IngestionEndpoint`") && !said.contains(UUID), "{said}");
        let other =
            whole.replace("InstrumentationKey", " instrumentationKEY ").replace("Ingestion", "INGESTION");
        assert_eq!(ConnectionString::parse(&other).expect("keys in any case"), own);
        assert_eq!(
            track(&format!("InstrumentationKey={UUID}")),
            "https://dc.services.visualstudio.com/v2.1/track"
        );
        let suffix = format!("InstrumentationKey={UUID};EndpointSuffix=ai.contoso.com");
        assert_eq!(track(&suffix), "https://dc.ai.contoso.com/v2.1/track");
        assert_eq!(track(&format!("{suffix};Location=eu")), "https://eu.dc.ai.contoso.com/v2.1/track");
        let here = format!("InstrumentationKey={UUID};IngestionEndpoint=http://127.0.0.1:9/under");
        assert_eq!(track(&here), "http://127.0.0.1:9/under/v2.1/track");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_key() {
        let long = format!("InstrumentationKey={UUID};ApplicationId={}", "1".repeat(LONGEST));
        for (text, expected) in [
            (String::new(), "no `InstrumentationKey`"),
            (UUID.to_owned(), "no `=` in its part 1"),
            (format!("InstrumentationKey={UUID}x"), "no UUID"),
            (format!("InstrumentationKey={UUID},IngestionEndpoint=https://a"), "no UUID"),
            (format!("InstrumentationKey={UUID};instrumentationkey={UUID}"), "`InstrumentationKey` twice"),
            (format!("InstrumentationKey={UUID};IngestionEndpoint={UUID}"), "is no address"),
            (format!("InstrumentationKey={UUID};IngestionEndpoint=http://a.example/{UUID}"), "not `https`"),
            (format!("InstrumentationKey={UUID};IngestionEndpoint=https://{UUID}@a.example"), "a user in it"),
            (format!("Authorization=basic;InstrumentationKey={UUID}"), "another `Authorization`"),
            (long, "longer than 4096 characters"),
        ] {
            let error = ConnectionString::parse(&text).expect_err(&text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains(UUID), "{error}");
        }
        let own =
            ConnectionString::parse(&format!("InstrumentationKey={UUID}")).expect("a connection string");
        assert!(!format!("{own:?}").contains(UUID), "{own:?}");
    }
}
