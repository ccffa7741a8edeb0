//! What can go wrong in the engine, by what the caller should do about it.

/// An engine error: what kind, and a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// What the caller should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A feature's data has another type or shape than the baseline's: correct the data or the model file.
    Schema,
    /// Two states that cannot be combined: they were counted on different edges.
    Mismatch,
    /// Bytes that are not a state this version can read.
    Codec,
    /// A configuration that cannot be carried out.
    Plan,
}

impl Error {
    /// An error of `kind`; `message` is a lowercase fragment with its values in backticks.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What the caller should do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// The result of an engine call.
pub type Result<T, E = Error> = std::result::Result<T, E>;
