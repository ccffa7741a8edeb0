//! Where a registry is and who asks it. Secrets never show.

use std::fmt;
use std::time::Duration;

use crate::http::Tls;

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    /// Nobody in particular.
    None,
    /// A user and a password; an API key and its secret at Confluent Cloud.
    Basic {
        /// Who.
        user: String,
        /// Never shown.
        password: String,
    },
    /// A token; never shown.
    Bearer(String),
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Basic { user, .. } => f.debug_struct("Basic").field("user", user).finish_non_exhaustive(),
            Self::Bearer(_) => f.write_str("Bearer(..)"),
        }
    }
}

/// Where a registry is and how to ask it.
#[derive(Clone, Debug)]
pub struct RegistryOptions {
    /// The address that `/schemas/ids/...` is appended to.
    pub url: String,
    /// Who asks.
    pub auth: Auth,
    /// Further headers, sent with every request. Their values may be secret too.
    pub headers: Headers,
    /// How its certificate is checked, and which one is shown to it.
    pub tls: Tls,
    /// How long one request may take.
    pub timeout: Duration,
}

impl RegistryOptions {
    /// No authentication, no headers, the system's authorities, 10 seconds.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            auth: Auth::None,
            headers: Headers(Vec::new()),
            tls: Tls::default(),
            timeout: Duration::from_secs(10),
        }
    }
}

/// Names and values of headers; shows only the names.
#[derive(Clone, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
