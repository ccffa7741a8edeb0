//! Verdicts, how they add up, and what they mean for the exit code (SEMANTICS S12).

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::wire::Report;
use crate::exit::code;

/// What is said of a metric, a feature, a window or a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing moved that matters.
    Ok,
    /// Something moved for certain, but by little.
    Info,
    /// Something moved by more than the first bound.
    Warn,
    /// Something moved by more than the second bound.
    Drift,
    /// Too few rows to say.
    Insufficient,
    /// The data cannot be compared, and the reason says why.
    Error,
}

impl Verdict {
    /// The word for it in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Drift => "drift",
            Self::Insufficient => "insufficient",
            Self::Error => "error",
        }
    }

    /// How far up a list it stands: drift first, then what could not be judged, then the rest.
    #[must_use]
    pub const fn severity(self) -> u8 {
        match self {
            Self::Drift => 5,
            Self::Error => 4,
            Self::Warn => 3,
            Self::Info => 2,
            Self::Insufficient => 1,
            Self::Ok => 0,
        }
    }

    /// Whether rows were compared and an answer found.
    #[must_use]
    pub const fn is_judged(self) -> bool {
        matches!(self, Self::Ok | Self::Info | Self::Warn | Self::Drift)
    }

    /// The verdict of a whole from those of its parts: the worst that was judged, `insufficient` only if none could
    /// be. Errors do not count here; they are listed apart. Of nothing at all it is `insufficient`.
    #[must_use]
    pub fn of_parts(parts: impl IntoIterator<Item = Self>) -> Self {
        parts
            .into_iter()
            .filter(|part| part.is_judged())
            .max_by_key(|part| part.severity())
            .unwrap_or(Self::Insufficient)
    }
}

/// The lowest verdict of a window that makes the exit code 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// `warn` or `drift`.
    Warn,
    /// `drift` alone.
    #[default]
    Drift,
    /// `warn`, `drift`, or a window that could not be judged.
    Insufficient,
    /// Nothing: the exit code is 0 whenever the run succeeds.
    Never,
}

impl FailOn {
    /// The exit code of a finished run: drift wins over errors, and `never` silences both.
    #[must_use]
    pub fn exit_code(self, report: &Report) -> u8 {
        let fails = |verdict: Verdict| match self {
            Self::Warn => matches!(verdict, Verdict::Warn | Verdict::Drift),
            Self::Drift => verdict == Verdict::Drift,
            Self::Insufficient => matches!(verdict, Verdict::Warn | Verdict::Drift | Verdict::Insufficient),
            Self::Never => false,
        };
        if report.windows.iter().any(|window| fails(window.verdict)) {
            code::DRIFT
        } else if self != Self::Never && report.has_errors() {
            code::INPUT
        } else {
            code::OK
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_judged_part_speaks_for_the_whole() {
        use Verdict::*;
        assert_eq!(Verdict::of_parts([Ok, Error, Insufficient]), Ok);
        assert_eq!(Verdict::of_parts([Warn, Drift, Info]), Drift);
        assert_eq!(Verdict::of_parts([Insufficient, Error]), Insufficient);
        assert_eq!(Verdict::of_parts([]), Insufficient);
    }
}
