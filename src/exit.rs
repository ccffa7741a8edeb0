//! How a run ends: an error's kind, its chain of causes as one message, and the exit code (SEMANTICS S12).

use std::error::Error as _;
use std::fmt;

/// The exit codes of driftlead.
pub mod code {
    /// No drift, or nothing to judge.
    pub const OK: u8 = 0;
    /// Drift, at or above `--fail-on`.
    pub const DRIFT: u8 = 1;
    /// Bad usage, configuration or data: correct the input.
    pub const INPUT: u8 = 2;
    /// The run failed: the input may be fine, try again.
    pub const RUN: u8 = 3;
    /// Ended by Ctrl-C.
    pub const INTERRUPTED: u8 = 130;
    /// Ended by SIGTERM.
    pub const TERMINATED: u8 = 143;
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What a person should do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Correct the command line, the configuration or the data.
    Input,
    /// Try again, or look at the machine.
    Run,
    /// Nothing: it was the person's wish.
    Interrupted,
    /// Nothing: it was the machine's wish.
    Terminated,
}

/// The result of a command.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The command line, the configuration or the data is at fault. `message` is a lowercase fragment.
    pub fn input(message: impl Into<String>) -> Self {
        Self { kind: Kind::Input, message: message.into(), source: None }
    }

    /// The run failed. `message` is a lowercase fragment.
    pub fn run(message: impl Into<String>) -> Self {
        Self { kind: Kind::Run, message: message.into(), source: None }
    }

    /// Ctrl-C was pressed.
    #[must_use]
    pub fn interrupted() -> Self {
        let message = "interrupted: nothing was written".to_owned();
        Self { kind: Kind::Interrupted, message, source: None }
    }

    /// SIGTERM came.
    #[must_use]
    pub fn terminated() -> Self {
        let message = "terminated: nothing was written".to_owned();
        Self { kind: Kind::Terminated, message, source: None }
    }

    /// Adds the cause, which the message must not repeat.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What a person should do.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self.kind {
            Kind::Input => code::INPUT,
            Kind::Run => code::RUN,
            Kind::Interrupted => code::INTERRUPTED,
            Kind::Terminated => code::TERMINATED,
        }
    }

    /// The message and its causes, from the outermost to the root, as one text.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            let next = error.to_string();
            // Some libraries repeat their source in their own message; say it once.
            if !text.contains(&next) {
                text.push_str(if next.contains('\n') { ":\n" } else { ": " });
                text.push_str(&next);
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<driftlead_engine::Error> for Error {
    fn from(error: driftlead_engine::Error) -> Self {
        use driftlead_engine::ErrorKind;
        match error.kind() {
            ErrorKind::Schema | ErrorKind::Codec | ErrorKind::Plan => Self::input(error.to_string()),
            ErrorKind::Mismatch => Self::run(error.to_string()),
        }
    }
}

impl From<crate::config::Problems> for Error {
    fn from(problems: crate::config::Problems) -> Self {
        Self::input(problems.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_says_each_cause_once() {
        let root = std::io::Error::other("disk on fire");
        let error = Error::run("cannot write `a.json`").because(Error::run("disk on fire").because(root));
        assert_eq!(error.chain(), "cannot write `a.json`: disk on fire");
        assert_eq!(error.code(), code::RUN);
        assert_eq!((Error::interrupted().code(), Error::terminated().code()), (130, 143));
    }
}
