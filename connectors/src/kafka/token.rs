//! OAUTHBEARER: tokens from whoever can get them.

use std::fmt;

use crate::entra::Entra;
use crate::error::Result;

/// A token for SASL OAUTHBEARER.
#[derive(Clone)]
pub struct Token {
    /// The token itself, as it is sent.
    pub value: String,
    /// Whom it names; what a broker logs.
    pub principal: String,
    /// When it ends, in milliseconds since the epoch. A new one is asked for after four fifths of its life.
    pub expires: i64,
}

/// The token is a secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("principal", &self.principal)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Where tokens come from.
pub trait TokenSource: Send + Sync {
    /// A token that is valid now. Called on the thread that polls the source or the producer, which waits for it.
    ///
    /// # Errors
    /// If there is none to be had now: it is asked for again after ten seconds, and an older token serves until it
    /// ends.
    fn token(&self) -> Result<Token>;
}

/// Event Hubs take Entra's tokens as they are; whom one names, it says itself.
impl TokenSource for Entra {
    fn token(&self) -> Result<Token> {
        let token = Self::token(self)?;
        Ok(Token { value: token.value, principal: "driftlead".to_owned(), expires: token.expires })
    }
}
