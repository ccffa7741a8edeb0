//! What can go wrong outside the engine, by what the caller should do about it.
//!
//! Four coarse kinds, and a message that is complete by itself: it names the file or address, says what was expected,
//! and what to do. The cause of the layer below, where there is one, is the error's `source` and is not repeated.

use std::error::Error as StdError;

/// An error of reading or writing: its kind, a sentence for a person, and the cause below it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What the caller should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The other side did not answer, or said that it cannot now: try again later.
    Unavailable,
    /// The other side answered and refused: credentials, permissions, a missing container.
    Rejected,
    /// The bytes are not what they should be: an empty, truncated or corrupt file, or files that do not fit together.
    Malformed,
    /// What was asked for cannot be done: a path that matches nothing, an unknown scheme, an unset variable.
    Misconfigured,
}

impl Error {
    /// An error of `kind`; `message` is a lowercase fragment with its values in backticks.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// See [`ErrorKind::Unavailable`].
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// See [`ErrorKind::Rejected`].
    pub fn rejected(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Rejected, message)
    }

    /// See [`ErrorKind::Malformed`].
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Malformed, message)
    }

    /// See [`ErrorKind::Misconfigured`].
    pub fn misconfigured(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Misconfigured, message)
    }

    /// The same error with the cause below it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller should do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later without anything being changed.
    #[must_use]
    pub fn retryable(&self) -> bool {
        self.kind == ErrorKind::Unavailable
    }
}

/// The result of reading or writing.
pub type Result<T, E = Error> = std::result::Result<T, E>;
