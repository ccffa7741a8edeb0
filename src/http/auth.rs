//! Who may do what: bearer tokens with scopes.
//!
//! Settings hold the SHA-256 of a token, never the token. A token that is shown is hashed and compared with every entry in
//! constant time, so that neither its bytes nor which entry it is like can be measured. Without tokens everybody may do
//! everything, which is why other addresses than loopback are refused then.

use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What a token permits; each scope includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// See everything.
    Read,
    /// Send rows, acknowledge alerts, silence them.
    Write,
    /// Reload, and retry deliveries.
    Admin,
}

impl Scope {
    /// The word for it in settings.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// A token as the settings have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose it is: the author of what is done with it.
    pub name: String,
    /// What it permits.
    pub scope: Scope,
    /// SHA-256 of the token's bytes.
    pub sha256: [u8; 32],
}

/// All tokens of a service. Clones are the same tokens: what replaces them, replaces them for all.
#[derive(Clone, Debug, Default)]
pub struct Tokens(Arc<RwLock<Arc<Vec<Token>>>>);

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no token, or one that nobody knows.
    Unknown,
    /// The token does not permit this.
    Forbidden {
        /// What it would take.
        needed: Scope,
    },
}

/// The name under which things are done where no tokens are set.
pub const ANYBODY: &str = "anonymous";

impl Tokens {
    /// These tokens; none lets everybody do everything.
    #[must_use]
    pub fn new(tokens: Vec<Token>) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(tokens))))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.now().is_empty()
    }

    /// Takes those of `others` instead of these, for whoever asks from now on.
    pub fn replace(&self, others: Self) {
        let others = others.now();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = others;
    }

    fn now(&self) -> Arc<Vec<Token>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whose request this is, if its `Authorization` header permits `needed`.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn admit(&self, header: Option<&str>, needed: Scope) -> Result<String, Refusal> {
        let tokens = self.now();
        if tokens.is_empty() {
            return Ok(ANYBODY.to_owned());
        }
        let shown = header.and_then(bearer).ok_or(Refusal::Unknown)?;
        let digest: [u8; 32] = Sha256::digest(shown.as_bytes()).into();
        // Every entry is compared, whether one before it matched or not.
        let mut found = None;
        for token in tokens.iter() {
            if bool::from(token.sha256.ct_eq(&digest)) {
                found = Some(token);
            }
        }
        match found {
            None => Err(Refusal::Unknown),
            Some(token) if token.scope < needed => Err(Refusal::Forbidden { needed }),
            Some(token) => Ok(token.name.clone()),
        }
    }
}

/// The token of `Bearer TOKEN`; the word may be written in any case (RFC 9110, section 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        let token = |name: &str, scope, text: &str| Token {
            name: name.to_owned(),
            scope,
            sha256: Sha256::digest(text.as_bytes()).into(),
        };
        Tokens::new(vec![token("grafana", Scope::Read, "r"), token("ops", Scope::Admin, "a")])
    }

    #[test]
    fn a_token_permits_its_scope_and_those_below() {
        let tokens = tokens();
        assert_eq!(tokens.admit(Some("Bearer r"), Scope::Read), Ok("grafana".to_owned()));
        assert_eq!(tokens.admit(Some("bearer  a "), Scope::Write), Ok("ops".to_owned()));
        let forbidden = Err(Refusal::Forbidden { needed: Scope::Write });
        assert_eq!(tokens.admit(Some("Bearer r"), Scope::Write), forbidden);
    }

    #[test]
    fn what_is_no_token_is_unknown() {
        for header in
            [None, Some("r"), Some("Basic r"), Some("Bearer "), Some("Bearer R"), Some("Bearer r r")]
        {
            assert_eq!(tokens().admit(header, Scope::Read), Err(Refusal::Unknown), "{header:?}");
        }
        assert_eq!(Tokens::default().admit(None, Scope::Admin), Ok(ANYBODY.to_owned()));
    }

    #[test]
    fn tokens_are_replaced_for_all_who_hold_them() {
        let (held, mut others) = (tokens(), Vec::new());
        let clone = held.clone();
        others.push(Token { name: "new".to_owned(), scope: Scope::Read, sha256: Sha256::digest("n").into() });
        held.replace(Tokens::new(others));
        assert_eq!(clone.admit(Some("Bearer n"), Scope::Read), Ok("new".to_owned()));
        assert_eq!(clone.admit(Some("Bearer r"), Scope::Read), Err(Refusal::Unknown));
    }
}
