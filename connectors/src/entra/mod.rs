//! Tokens of Microsoft Entra: who this service is, proven by a secret, by a certificate, by a token that a cluster signs
//! (workload identity), by the machine that it runs on (managed identity), or by who has signed in with Azure CLI.
//!
//! A token is kept and given out again in the first half of its life; after that a new one is asked for, and the old one
//! serves for as long as none can be had. So an outage of Entra shorter than half a token's life is not seen. Neither a
//! secret nor a token stands in a message; what Entra says of a refusal does, by its first line.
//!
//! The requests are those that Microsoft documents for the OAuth 2.0 client credentials flow, for the metadata service of
//! virtual machines (`2018-02-01`) and for App Service (`2019-08-01`).

mod certificate;
mod cli;
mod request;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response};

use crate::error::{Error, Result};
use crate::http::explain;

/// How long one answer may take; who waits for a token reads nothing meanwhile.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A longer answer holds no token, in bytes.
const LONGEST_ANSWER: usize = 256 << 10;
/// An older token that ends so soon is no answer any more, in milliseconds.
const MARGIN: i64 = 30_000;

/// Where Entra is asked, unless the settings say otherwise (national clouds do).
pub const AUTHORITY: &str = "https://login.microsoftonline.com";
/// The metadata service of a virtual machine.
pub const METADATA: &str = "http://169.254.169.254";

/// By what this service proves who it is. No `Debug` shows a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Identity {
    /// An application, by its secret.
    Secret {
        /// Where it is registered.
        application: Application,
        /// Never shown.
        secret: String,
    },
    /// An application, by a certificate.
    Certificate {
        /// Where it is registered.
        application: Application,
        /// The file in PEM with certificate and key, which is renewed from time to time.
        file: PathBuf,
    },
    /// An application, by a token that somebody signs whom Entra trusts for it, such as a Kubernetes cluster.
    Workload {
        /// Where it is registered.
        application: Application,
        /// The file with that token, which is renewed from time to time.
        token_file: PathBuf,
    },
    /// The managed identity of an App Service or container app, which names an endpoint in its environment.
    AppService {
        /// `IDENTITY_ENDPOINT`.
        endpoint: String,
        /// `IDENTITY_HEADER`; never shown.
        header: String,
        /// Which identity, if there are several.
        client: Option<String>,
    },
    /// The managed identity of a virtual machine.
    Machine {
        /// The address of the metadata service; [`METADATA`] but for tests and sidecars.
        endpoint: String,
        /// Which identity, if there are several.
        client: Option<String>,
    },
    /// Whoever has signed in with Azure CLI on this machine: for those who develop.
    Cli {
        /// The program, which is looked for in `PATH`: `az`.
        program: PathBuf,
        /// The directory, if it is not that of the account.
        tenant: Option<String>,
    },
}

/// An application that is registered with Entra.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The address of Entra; see [`AUTHORITY`].
    pub authority: String,
    /// The directory: an id or a domain.
    pub tenant: String,
    /// The application's id.
    pub client: String,
}

impl Identity {
    /// What it is, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let of = |client: &Option<String>| match client {
            Some(client) => format!(" `{client}`"),
            None => String::new(),
        };
        match self {
            Self::Secret { application, .. } => {
                format!("the application `{}` with its secret", application.client)
            }
            Self::Certificate { application, file } => {
                format!(
                    "the application `{}` with the certificate in `{}`",
                    application.client,
                    file.display()
                )
            }
            Self::Workload { application, token_file } => {
                format!(
                    "the application `{}` with the token in `{}`",
                    application.client,
                    token_file.display()
                )
            }
            Self::AppService { client, .. } => {
                format!("the managed identity{} of the app service", of(client))
            }
            Self::Machine { client, .. } => format!("the managed identity{} of the machine", of(client)),
            Self::Cli { .. } => "the account of Azure CLI".to_owned(),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

/// A token.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The token itself; never shown.
    pub value: String,
    /// When it ends, in milliseconds since the epoch.
    pub expires: i64,
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Milliseconds since the epoch, now.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Tokens for one resource, such as `https://NAMESPACE.servicebus.windows.net`.
pub struct Entra {
    identity: Identity,
    resource: String,
    client: Client,
    now: Now,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    token: AccessToken,
    /// When it was asked for.
    since: i64,
}

impl fmt::Debug for Entra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entra")
            .field("identity", &self.identity)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

impl Entra {
    /// Tokens for `resource`; asks for none yet. A slash at its end is part of it: the scope of Application Insights has two.
    ///
    /// # Errors
    /// Misconfigured: an address that is none, or one of Entra without TLS on another machine than this.
    pub fn new(identity: Identity, resource: impl Into<String>, now: Now) -> Result<Self> {
        let resource = resource.into();
        request::check(&identity)?;
        let builder = Client::builder()
            .user_agent(concat!("driftlead/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .connect_timeout(TIMEOUT / 2)
            .redirect(Policy::none());
        // What knows the machine is on the machine, never behind a proxy.
        let builder = match identity {
            Identity::AppService { .. } | Identity::Machine { .. } => builder.no_proxy(),
            Identity::Secret { .. }
            | Identity::Certificate { .. }
            | Identity::Workload { .. }
            | Identity::Cli { .. } => builder,
        };
        let client =
            builder.build().map_err(|error| Error::misconfigured("cannot set up HTTP").with_source(error))?;
        Ok(Self { identity, resource, client, now, kept: Mutex::new(None) })
    }

    /// A token that is valid now. Waits for the answer if one has to be asked for, ten seconds at most; may be called from
    /// any thread, which it blocks.
    ///
    /// # Errors
    /// If none can be had and none is kept that is still valid: Unavailable if Entra or the machine does not answer or
    /// cannot now, Rejected if it refuses, Misconfigured for a token file that cannot be read, Malformed if the answer is
    /// none.
    pub fn token(&self) -> Result<AccessToken> {
        // Others wait for the one that asks, and then have its token.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.now)();
        if let Some(kept) = kept.as_ref().filter(|kept| now < kept.since.midpoint(kept.token.expires)) {
            return Ok(kept.token.clone());
        }
        match self.ask_apart(now) {
            Ok(token) => {
                tracing::debug!(resource = self.resource, expires = token.expires, "a token of Entra");
                *kept = Some(Kept { token: token.clone(), since: now });
                Ok(token)
            }
            Err(error) => match kept.as_ref().filter(|kept| now < kept.token.expires - MARGIN) {
                Some(kept) => {
                    tracing::warn!(%error, "no new token of Entra: the old one serves until it ends");
                    Ok(kept.token.clone())
                }
                None => Err(error),
            },
        }
    }

    /// Who asks, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        self.identity.describe()
    }

    /// For what the tokens are.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The token that is kept was refused: the next one is asked for.
    pub fn forget(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Asks on a thread of its own: the caller's may drive asynchronous tasks, and must not drive another.
    fn ask_apart(&self, now: i64) -> Result<AccessToken> {
        std::thread::scope(|scope| {
            let asking = std::thread::Builder::new().name("entra".to_owned()).spawn_scoped(scope, || {
                if let Identity::Cli { program, tenant } = &self.identity {
                    return cli::ask(program.as_os_str(), tenant.as_deref(), &self.resource, now);
                }
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime
                    .map_err(|error| Error::unavailable("no runtime could be started").with_source(error))?;
                runtime.block_on(self.ask(now))
            });
            let asking = asking
                .map_err(|error| Error::unavailable("no thread could be started").with_source(error))?;
            asking.join().unwrap_or_else(|_| Err(Error::unavailable("asking for a token broke off")))
        })
    }

    async fn ask(&self, now: i64) -> Result<AccessToken> {
        let request = request::build(&self.client, &self.identity, &self.resource, now)?;
        let who = self.identity.describe();
        let silent = |error: reqwest::Error| {
            let where_ = request::whom(&self.identity);
            Error::unavailable(format!("no token for {who}: {where_} does not answer ({})", explain(&error)))
        };
        let response = request.send().await.map_err(silent)?;
        let status = response.status().as_u16();
        let body = read(response).await.map_err(silent)?;
        request::answer(&self.identity, status, &body, now)
    }
}

async fn read(mut response: Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_ANSWER {
            break;
        }
    }
    Ok(body)
}
