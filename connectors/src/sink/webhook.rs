//! Messages by HTTP POST.
//!
//! The address a person wrote is asked as it is, private or not: it is theirs. A redirect is the receiver's idea, so it is
//! followed only with the method kept (307, 308), at most three times, never from `https` to `http`, without
//! the custom headers and the client's certificate once the host changes (they are credentials), and to public addresses alone unless the settings
//! allow others: every address to which its name resolves is checked at the moment of connecting.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, Response, Url, redirect};

use super::signature::{Key, sign};
use super::{Delivery, Message, is_private, retry_after, verdict_of_status};
use crate::error::{Error, Result};
use crate::http::{Clients, Tls, custom_headers, explain};

/// Redirects followed in one attempt.
const MAX_REDIRECTS: usize = 3;

/// How much of an answer is read: enough for a reason.
const MAX_ANSWER: usize = 4 * 1024;

/// How a webhook is reached.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// The address; `http` or `https`.
    pub url: String,
    /// The key of signatures; without it messages are not signed.
    pub key: Option<Key>,
    /// Headers sent besides; values may be secrets.
    pub headers: Vec<(String, String)>,
    /// How the other side's certificate is checked, and which one is shown to it.
    pub tls: Tls,
    /// Whether a redirect may lead to a private address.
    pub allow_private_redirects: bool,
    /// The longest an attempt may take.
    pub timeout: Duration,
}

/// A sink by HTTP POST.
pub struct Webhook {
    url: Url,
    key: Option<Key>,
    headers: HeaderMap,
    /// For the address that the settings name.
    direct: Clients,
    /// For other hosts, which a redirect names.
    redirected: Clients,
    allow_private: bool,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the path: it is the secret of many services.
        write!(f, "Webhook({})", self.url.host_str().unwrap_or("?"))
    }
}

impl Webhook {
    /// Checks the settings; nothing is sent.
    ///
    /// # Errors
    ///
    /// Misconfigured: an address that is none or of another scheme, a header that cannot be sent, a certificate file
    /// that cannot be read.
    pub fn new(settings: &WebhookSettings) -> Result<Self> {
        // The address itself may be a secret and is never repeated in a message.
        let url = Url::parse(&settings.url).map_err(|error| {
            Error::misconfigured(format!("the webhook's `url` is not an address: {error}"))
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            let message =
                format!("the webhook's `url` begins with `{}:`, expected `https:` or `http:`", url.scheme());
            return Err(Error::misconfigured(message));
        }
        let is_own = |name: &str| RESERVED.contains(&name);
        let headers = custom_headers(&settings.headers, "the webhook's header", is_own)?;
        let (timeout, allow_private) = (settings.timeout, settings.allow_private_redirects);
        Ok(Self {
            url,
            key: settings.key.clone(),
            headers,
            direct: Clients::new(settings.tls.clone(), move || client(timeout))?,
            redirected: Clients::new(settings.tls.anonymous(), move || {
                if allow_private {
                    client(timeout)
                } else {
                    client(timeout).dns_resolver(Arc::new(PublicOnly)).no_proxy()
                }
            })?,
            allow_private,
        })
    }

    pub(super) async fn deliver(&self, message: &Message, now: i64) -> Delivery {
        let mut url = self.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = match self.post(&url, message, now).await {
                Ok(response) => response,
                Err(error) => return Delivery::Retry { after: None, reason: explain(&error) },
            };
            let status = response.status().as_u16();
            if !(300..400).contains(&status) {
                let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                let after = after.and_then(|value| retry_after(value, now));
                let detail = if status < 300 { String::new() } else { beginning(response).await };
                return verdict_of_status(status, after, &detail);
            }
            match self.follow(&url, &response) {
                Ok(next) => url = next,
                Err(reason) => return Delivery::Refused { reason },
            }
        }
        Delivery::Refused { reason: format!("more than {MAX_REDIRECTS} redirects") }
    }

    async fn post(&self, url: &Url, message: &Message, now: i64) -> reqwest::Result<Response> {
        let is_own = url.origin() == self.url.origin();
        let clients = if is_own { &self.direct } else { &self.redirected };
        let mut request = clients
            .current()
            .post(url.clone())
            .header(CONTENT_TYPE, &message.content_type)
            .header("webhook-id", &message.key)
            .header("webhook-timestamp", now.to_string())
            .header("idempotency-key", &message.key);
        if let Some(key) = &self.key {
            request = request.header("webhook-signature", sign(key, &message.key, now, &message.body));
        }
        if is_own {
            request = request.headers(self.headers.clone());
        }
        request.body(message.body.clone()).send().await
    }

    /// Where a redirect leads, or why it is not followed.
    fn follow(&self, from: &Url, response: &Response) -> std::result::Result<Url, String> {
        let status = response.status().as_u16();
        if !matches!(status, 307 | 308) {
            return Err(format!(
                "status {status}: a redirect that would turn POST into GET; correct the `url`"
            ));
        }
        let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let target = target.and_then(|target| from.join(target).ok());
        let Some(target) = target else {
            return Err(format!("status {status} without an address to go to"));
        };
        if !matches!(target.scheme(), "http" | "https") {
            return Err(format!("a redirect to `{}:`", target.scheme()));
        }
        if from.scheme() == "https" && target.scheme() == "http" {
            return Err("a redirect from https to http".to_owned());
        }
        let literal = match target.host() {
            Some(url::Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
            Some(url::Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
            _ => None,
        };
        if !self.allow_private && literal.is_some_and(is_private) {
            return Err(refusal(target.host_str().unwrap_or("?")));
        }
        Ok(target)
    }
}

/// Headers that the sink writes itself.
const RESERVED: [&str; 8] = [
    "content-type",
    "content-length",
    "host",
    "idempotency-key",
    "transfer-encoding",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

fn client(timeout: Duration) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("driftlead/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(timeout.min(Duration::from_secs(10)))
        .timeout(timeout)
}

/// Resolves names to public addresses only.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let addresses: Vec<_> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            if addresses.iter().any(|address| is_private(address.ip())) {
                return Err(refusal(&host).into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

fn refusal(host: &str) -> String {
    format!("a redirect to the private address of `{host}`: set `allow_private` if that is meant")
}

/// The beginning of an answer as text; an answer that breaks off is as good as its beginning.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ANSWER {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    bytes.truncate(MAX_ANSWER);
    String::from_utf8_lossy(&bytes).into_owned()
}
