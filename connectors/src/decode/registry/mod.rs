//! A client of schema registries: Confluent's API, which Apicurio (below `/apis/ccompat/v7`), Karapace and Redpanda speak
//! too.
//!
//! Law: what a registry cannot say now is never taken for what it does not have. Only its own "schema not found" makes a
//! record bad; an address that is no registry, refused credentials and silence are errors, and the record waits.

mod options;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use serde_json::Value as Json;
use tokio::runtime::Handle;
use url::Url;

pub use self::options::{Auth, Headers, RegistryOptions};

use crate::error::{Error, ErrorKind, Result};
use crate::http::{Clients, explain};

/// What a registry says of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This schema.
    Schema(SchemaText),
    /// There is none.
    Missing,
}

/// A schema as a registry holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaText {
    /// `AVRO`, `PROTOBUF` or `JSON`.
    pub kind: String,
    /// Its text.
    pub schema: String,
    /// The texts of the schemas that it refers to, each after those that it refers to itself.
    pub references: Vec<String>,
}

/// An asynchronous client.
#[derive(Clone, Debug)]
pub struct Registry {
    clients: Arc<Clients>,
    base: Url,
}

impl Registry {
    /// A client; asks nothing yet.
    ///
    /// # Errors
    /// Misconfigured, if the address is no HTTP URL, a header cannot be sent, or a certificate cannot be used.
    pub fn new(options: &RegistryOptions) -> Result<Self> {
        let RegistryOptions { url, auth, headers, tls, timeout } = options;
        let refuse = |reason: &str| {
            Error::misconfigured(format!(
                "schema registry `{url}`: {reason}: expected an address such as `https://registry.example.org`"
            ))
        };
        let mut base = Url::parse(url).map_err(|error| refuse(&error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(refuse("not an HTTP address"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(Error::misconfigured(
                "schema registry: the address holds credentials, which would be logged with it: put them under `auth`",
            ));
        }
        base.set_query(None);
        base.set_fragment(None);
        let mut sent = HeaderMap::new();
        sent.insert(
            ACCEPT,
            HeaderValue::from_static("application/vnd.schemaregistry.v1+json, application/json"),
        );
        for (name, value) in &headers.0 {
            let refuse = || {
                Error::misconfigured(format!("schema registry: header `{name}` holds what a header cannot"))
            };
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse())?;
            sent.insert(key, secret(value).ok_or_else(refuse)?);
        }
        let authorization = match auth {
            Auth::None => None,
            Auth::Basic { user, password } => {
                let pair = format!("{user}:{password}");
                Some(format!("Basic {}", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, pair)))
            }
            Auth::Bearer(token) => Some(format!("Bearer {token}")),
        };
        if let Some(authorization) = authorization {
            let refuse = || Error::misconfigured("schema registry: the token holds what a header cannot");
            sent.insert(AUTHORIZATION, secret(&authorization).ok_or_else(refuse)?);
        }
        // Credentials follow no redirect.
        let timeout = *timeout;
        let clients = Clients::new(tls.clone(), move || {
            reqwest::Client::builder().default_headers(sent.clone()).timeout(timeout).redirect(Policy::none())
        })
        .map_err(|error| Error::new(error.kind(), format!("schema registry `{base}`: {error}")))?;
        Ok(Self { clients: Arc::new(clients), base })
    }

    /// The schema of an id, with all that it refers to.
    ///
    /// # Errors
    /// Unavailable, if the registry does not answer or says that it cannot now; Rejected, if it refuses; Misconfigured, if
    /// what answers is no registry; Malformed, if its answer is not one.
    pub async fn fetch(&self, id: u32) -> Result<Answer> {
        let Some(found) = self.ask(&format!("schemas/ids/{id}")).await? else { return Ok(Answer::Missing) };
        let kind = found.get("schemaType").and_then(Json::as_str).unwrap_or("AVRO").to_owned();
        let schema = self.text(&found)?;
        let references = self.references(&found).await?;
        Ok(Answer::Schema(SchemaText { kind, schema, references }))
    }

    /// A client for threads outside of a runtime, which must be multi-threaded or driven by a thread of its own.
    #[must_use]
    pub fn blocking(self, handle: Handle) -> BlockingRegistry {
        BlockingRegistry { registry: self, handle }
    }

    /// All that a schema refers to, directly or not, each after those that it refers to itself.
    async fn references(&self, schema: &Json) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        let mut seen = BTreeSet::new();
        // Names still to be asked for, and, below what they refer to, texts that are waiting for it.
        let mut stack: Vec<Pending> = pending(schema);
        while let Some(next) = stack.pop() {
            let (subject, version) = match next {
                Pending::Text(text) => {
                    texts.push(text);
                    continue;
                }
                Pending::Name { subject, version } => (subject, version),
            };
            if !seen.insert((subject.clone(), version)) {
                continue;
            }
            if seen.len() > MOST_REFERENCES {
                return Err(Error::malformed(format!(
                    "schema registry `{}`: expected at most {MOST_REFERENCES} references of a schema",
                    self.base
                )));
            }
            let escaped = utf8_percent_encode(&subject, NON_ALPHANUMERIC);
            let found = self.ask(&format!("subjects/{escaped}/versions/{version}")).await?;
            let found = found.ok_or_else(|| {
                Error::malformed(format!(
                    "schema registry `{}`: a schema refers to version {version} of `{subject}`, which is not there",
                    self.base
                ))
            })?;
            stack.push(Pending::Text(self.text(&found)?));
            stack.extend(pending(&found));
        }
        Ok(texts)
    }

    fn text(&self, found: &Json) -> Result<String> {
        found.get("schema").and_then(Json::as_str).map(str::to_owned).ok_or_else(|| {
            Error::malformed(format!(
                "schema registry `{}`: expected an answer with the key `schema`: is this a registry?",
                self.base
            ))
        })
    }

    /// A JSON object, or `None` if the registry says that it has no such schema.
    async fn ask(&self, path: &str) -> Result<Option<Json>> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        let silent = |error: reqwest::Error| {
            let why = explain(&error);
            Error::unavailable(format!(
                "schema registry `{}` does not answer: is it running? ({why})",
                self.base
            ))
            .with_source(error.without_url())
        };
        let mut response = self.clients.current().get(url).send().await.map_err(silent)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(silent)? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(Error::malformed(format!(
                    "schema registry `{}`: expected an answer of at most 16 MiB",
                    self.base
                )));
            }
            body.extend_from_slice(&chunk);
        }
        let json = serde_json::from_slice::<Json>(&body).ok().filter(Json::is_object);
        let code = json.as_ref().and_then(|json| json.get("error_code")).and_then(Json::as_i64);
        match status.as_u16() {
            200 => json.map(Some).ok_or_else(|| {
                Error::malformed(format!(
                    "schema registry `{}`: expected a JSON object, found something else: is this a registry?",
                    self.base
                ))
            }),
            // A page that is not there, which has the code 404 or none, is not a schema that is not there.
            404 if code.is_some_and(|code| (40_400..40_500).contains(&code)) => Ok(None),
            401 | 403 => Err(Error::rejected(format!(
                "schema registry `{}` refuses with status {status}: check `auth` and the permissions of its user",
                self.base
            ))),
            408 | 425 | 429 | 500..=599 => Err(Error::unavailable(format!(
                "schema registry `{}` answers with status {status}: it cannot now",
                self.base
            ))),
            _ => Err(Error::new(
                ErrorKind::Misconfigured,
                format!(
                    "schema registry `{}` answers with status {status}: expected a schema; check the address, which for \
                     Apicurio ends in `/apis/ccompat/v7`",
                    self.base
                ),
            )),
        }
    }
}

enum Pending {
    Name { subject: String, version: i64 },
    Text(String),
}

/// The references that stand in an answer.
fn pending(schema: &Json) -> Vec<Pending> {
    let references = schema.get("references").and_then(Json::as_array);
    let name = |reference: &Json| {
        let subject = reference.get("subject")?.as_str()?.to_owned();
        Some(Pending::Name { subject, version: reference.get("version")?.as_i64()? })
    };
    references.map(|list| list.iter().filter_map(name).collect()).unwrap_or_default()
}

fn secret(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A client for a plain thread, such as the one that decodes.
#[derive(Clone, Debug)]
pub struct BlockingRegistry {
    registry: Registry,
    handle: Handle,
}

impl BlockingRegistry {
    /// As [`Registry::fetch`], waiting for the answer.
    ///
    /// # Errors
    /// As for [`Registry::fetch`].
    ///
    /// # Panics
    /// If called from within an asynchronous task, which must not wait.
    pub fn fetch(&self, id: u32) -> Result<Answer> {
        self.handle.block_on(self.registry.fetch(id))
    }
}

/// A longer answer is no schema.
const LONGEST_ANSWER: usize = 16 << 20;
/// More references are no schema that a person wrote.
const MOST_REFERENCES: usize = 256;
