//! Verdicts as they are written, and what a finished run means for the exit code (SEMANTICS S12).

use driftlead_engine::policy::{self, FailOn, WindowOutcome};
use serde::{Deserialize, Serialize};

use super::wire::Report;

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
    /// Not looked at, and the reason says why.
    Skipped,
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
            Self::Skipped => "skipped",
        }
    }

    /// How far up a list it stands: drift first, then what could not be compared, then the rest.
    #[must_use]
    pub const fn severity(self) -> u8 {
        match self {
            Self::Drift => 6,
            Self::Error => 5,
            Self::Warn => 4,
            Self::Info => 3,
            Self::Insufficient => 2,
            Self::Ok => 1,
            Self::Skipped => 0,
        }
    }
}

impl From<policy::Verdict> for Verdict {
    fn from(verdict: policy::Verdict) -> Self {
        match verdict {
            policy::Verdict::Ok => Self::Ok,
            policy::Verdict::Info => Self::Info,
            policy::Verdict::Warn => Self::Warn,
            policy::Verdict::Drift => Self::Drift,
            policy::Verdict::Insufficient => Self::Insufficient,
            policy::Verdict::Error => Self::Error,
            policy::Verdict::Skipped => Self::Skipped,
        }
    }
}

impl From<Verdict> for policy::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Ok => Self::Ok,
            Verdict::Info => Self::Info,
            Verdict::Warn => Self::Warn,
            Verdict::Drift => Self::Drift,
            Verdict::Insufficient => Self::Insufficient,
            Verdict::Error => Self::Error,
            Verdict::Skipped => Self::Skipped,
        }
    }
}

/// The verdict of a report: the worst of its windows that were judged, `insufficient` if none was.
#[must_use]
pub fn of_windows(windows: impl IntoIterator<Item = Verdict>) -> Verdict {
    policy::window_verdict(windows.into_iter().map(policy::Verdict::from)).into()
}

/// The exit code of a finished run: drift wins over errors, and `never` silences both.
#[must_use]
pub fn exit_code(report: &Report, fail_on: FailOn) -> u8 {
    let windows = report.windows.iter().map(|window| WindowOutcome {
        verdict: window.verdict.into(),
        has_errors: window.features.iter().any(|feature| feature.verdict == Verdict::Error),
    });
    // A feature that no window could even hold is an error of the run as a whole.
    let lost = WindowOutcome { verdict: policy::Verdict::Ok, has_errors: !report.errors.is_empty() };
    policy::exit_code(windows.chain([lost]), fail_on)
}
