//! What is asked for a token, and what the answers mean.

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder};
use serde_json::Value as Json;
use url::form_urlencoded::Serializer;
use url::{Host, Url};

use super::{AccessToken, Application, Identity, certificate};
use crate::error::{Error, ErrorKind, Result};

/// How a workload's own token is said to be one.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Who is asked, for people.
pub(super) fn whom(identity: &Identity) -> String {
    match identity {
        Identity::Secret { application, .. }
        | Identity::Certificate { application, .. }
        | Identity::Workload { application, .. } => format!("Entra at `{}`", application.authority),
        Identity::Cli { .. } => "Azure CLI".to_owned(),
        Identity::AppService { .. } => "the app service's identity endpoint".to_owned(),
        Identity::Machine { endpoint, .. } => format!("the machine's metadata service at `{endpoint}`"),
    }
}

/// # Errors
/// Misconfigured: an address that is none, or that would carry a secret over a network without TLS.
pub(super) fn check(identity: &Identity) -> Result<()> {
    let (key, address) = match identity {
        Identity::Secret { application, .. }
        | Identity::Certificate { application, .. }
        | Identity::Workload { application, .. } => ("authority", &application.authority),
        Identity::Cli { .. } => return Ok(()),
        Identity::AppService { endpoint, .. } => ("IDENTITY_ENDPOINT", endpoint),
        Identity::Machine { endpoint, .. } => ("AZURE_POD_IDENTITY_AUTHORITY_HOST", endpoint),
    };
    let url = parse(key, address)?;
    if let Identity::Secret { application, .. }
    | Identity::Certificate { application, .. }
    | Identity::Workload { application, .. } = identity
    {
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(v4)) => v4.is_loopback(),
            Some(Host::Ipv6(v6)) => v6.is_loopback(),
            None => false,
        };
        if url.scheme() != "https" && !is_here {
            return Err(Error::misconfigured(format!(
                "`{key}: {address}` would send a secret unprotected: write `https://`"
            )));
        }
        for (key, value) in [("tenant", &application.tenant), ("client", &application.client)] {
            if value.is_empty() || value.contains(['/', '?', '#', ' ']) {
                return Err(Error::misconfigured(format!(
                    "`{key}: {value}` is none of Entra: expected an id such as `72f988bf-86f1-41af-91ab-2d7cd011db47`"
                )));
            }
        }
    }
    Ok(())
}

fn parse(key: &str, address: &str) -> Result<Url> {
    let url =
        Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| {
        Error::misconfigured(format!(
            "`{key}` is `{address}`, which is no address of a web server: expected such as `https://login.microsoftonline.com`"
        ))
    })
}

/// The request of a token for `resource`, at `now` in milliseconds since the epoch.
pub(super) fn build(
    client: &Client,
    identity: &Identity,
    resource: &str,
    now: i64,
) -> Result<RequestBuilder> {
    let chosen = |url: &mut Url, version: &str, client: &Option<String>| {
        let mut query = url.query_pairs_mut();
        query.append_pair("api-version", version).append_pair("resource", resource);
        if let Some(client) = client {
            query.append_pair("client_id", client);
        }
    };
    match identity {
        Identity::Secret { application, secret } => {
            post(client, application, resource, &[("client_secret", secret)])
        }
        Identity::Certificate { application, file } => {
            let audience = endpoint(application)?;
            let assertion = certificate::assertion(file, application, audience.as_str(), now)?;
            let proof = [("client_assertion_type", JWT_BEARER), ("client_assertion", &assertion)];
            post(client, application, resource, &proof)
        }
        // It is a program, which is not asked over HTTP.
        Identity::Cli { .. } => Err(Error::misconfigured("Azure CLI has no address")),
        Identity::Workload { application, token_file } => {
            let name = token_file.display();
            let token = std::fs::read_to_string(token_file).map_err(|error| {
                Error::misconfigured(format!("cannot read the workload's token in `{name}`"))
                    .with_source(error)
            })?;
            let token = token.trim();
            if token.is_empty() {
                return Err(Error::misconfigured(format!(
                    "the workload's token in `{name}` is empty: is the service account of the pod set up for it?"
                )));
            }
            let proof = [("client_assertion_type", JWT_BEARER), ("client_assertion", token)];
            post(client, application, resource, &proof)
        }
        Identity::AppService { endpoint, header, client: own } => {
            let mut url = parse("IDENTITY_ENDPOINT", endpoint)?;
            chosen(&mut url, "2019-08-01", own);
            let mut secret = HeaderValue::from_str(header)
                .map_err(|_| Error::misconfigured("`IDENTITY_HEADER` holds what a header cannot"))?;
            secret.set_sensitive(true);
            Ok(client.get(url).header("x-identity-header", secret))
        }
        Identity::Machine { endpoint, client: own } => {
            let mut url = parse("AZURE_POD_IDENTITY_AUTHORITY_HOST", endpoint)?;
            url.set_path("/metadata/identity/oauth2/token");
            chosen(&mut url, "2018-02-01", own);
            Ok(client.get(url).header("metadata", "true"))
        }
    }
}

/// Where Entra gives tokens to an application.
fn endpoint(application: &Application) -> Result<Url> {
    let mut url = parse("authority", &application.authority)?;
    url.set_path(&format!("/{}/oauth2/v2.0/token", application.tenant));
    Ok(url)
}

fn post(
    client: &Client,
    application: &Application,
    resource: &str,
    proof: &[(&str, &str)],
) -> Result<RequestBuilder> {
    let url = endpoint(application)?;
    let scope = format!("{resource}/.default");
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials")
        .append_pair("client_id", &application.client)
        .append_pair("scope", &scope);
    form.extend_pairs(proof);
    Ok(client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.finish()))
}

/// What an answer means. `now` is when it was asked for, in milliseconds since the epoch.
pub(super) fn answer(identity: &Identity, status: u16, body: &[u8], now: i64) -> Result<AccessToken> {
    let json = serde_json::from_slice::<Json>(body).ok().filter(Json::is_object);
    let (who, whom) = (identity.describe(), whom(identity));
    if status != 200 {
        let said = json.as_ref().map(said).unwrap_or_default();
        let (kind, advice) = match status {
            400 | 401 | 403 => (ErrorKind::Rejected, advice(identity, &said)),
            // The metadata service is being renewed, or not there yet.
            404 | 410 | 408 | 429 | 500..=599 => (ErrorKind::Unavailable, "it is asked again"),
            _ => (ErrorKind::Misconfigured, "is this its address?"),
        };
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        return Err(Error::new(
            kind,
            format!("no token for {who}: {whom} answers with status {status}{said}; {advice}"),
        ));
    }
    let malformed = |what: &str| {
        Error::malformed(format!("no token for {who}: {whom} answers without `{what}`: is this its address?"))
    };
    let json = json.ok_or_else(|| malformed("access_token"))?;
    let value = json.get("access_token").and_then(Json::as_str).filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| malformed("access_token"))?.to_owned();
    // Numbers at Entra, text at the endpoints of machines.
    let number = |key: &str| {
        let own = json.get(key)?;
        own.as_i64().or_else(|| own.as_str()?.parse().ok()).filter(|seconds| *seconds > 0)
    };
    let life = number("expires_in").map(|seconds| now.saturating_add(seconds.saturating_mul(1_000)));
    let end = number("expires_on").map(|seconds| seconds.saturating_mul(1_000));
    let expires = end.or(life).filter(|end| *end > now).ok_or_else(|| malformed("expires_in"))?;
    Ok(AccessToken { value, expires })
}

/// What a person can do about a refusal.
fn advice(identity: &Identity, said: &str) -> &'static str {
    match identity {
        Identity::Secret { .. } if said.contains("AADSTS7000222") => "the secret has expired: make a new one",
        Identity::Secret { .. } => "check `tenant`, `client` and `secret`",
        Identity::Certificate { .. } if said.contains("AADSTS700027") => {
            "the certificate is not one of the application's, or has expired: register it there"
        }
        Identity::Certificate { .. } => "check `tenant`, `client` and `certificate`",
        Identity::Cli { .. } => "sign in with `az login`",
        Identity::Workload { .. } => {
            "check `tenant`, `client` and the federated credential: its issuer, subject and audience must be the token's"
        }
        Identity::AppService { .. } | Identity::Machine { .. } => {
            "check that the identity is assigned here; if there are several, name one as `client`"
        }
    }
}

/// The first line of what an answer says of itself: further lines are numbers of traces.
fn said(json: &Json) -> String {
    let text = |key: &str| json.get(key).and_then(Json::as_str).filter(|text| !text.is_empty());
    let text =
        text("error_description").or_else(|| text("message")).or_else(|| text("error")).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default().trim_end_matches('.');
    let line = line.split(" Trace ID:").next().unwrap_or_default().trim_end().trim_end_matches('.');
    line.chars().take(300).collect()
}
