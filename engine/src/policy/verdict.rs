//! The seven states, how they roll up into a window, and the exit code of a run: SEMANTICS S12.

use std::fmt;

/// What is said of a metric, a feature or a window.
///
/// Ordered by severity from `ok` to `drift`; the states that are no judgement follow, and take no part in a roll-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Judged: no change worth a word.
    Ok,
    /// Judged: a change that is certain, and small.
    Info,
    /// Judged: a change to look at.
    Warn,
    /// Judged: a change to act on.
    Drift,
    /// Not judged: too few rows, or nothing that could be compared.
    Insufficient,
    /// Not judged: the data do not fit the baseline (a lost column, another type).
    Error,
    /// Not judged, by choice or because this kind of feature is not looked at.
    Skipped,
}

impl Verdict {
    /// The word in reports, such as `drift`.
    #[must_use]
    pub fn name(self) -> &'static str {
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

    /// Whether this is an answer: `ok`, `info`, `warn` or `drift`.
    #[must_use]
    pub fn is_judged(self) -> bool {
        self <= Self::Drift
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The verdict of a window from those of its features (and of its `row_count`, where that is judged): the worst of
/// the judged ones; `insufficient` only if none could be judged. Errors do not enter: they are listed apart.
///
/// A window without any feature is `insufficient`.
#[must_use]
pub fn window_verdict(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    verdicts.into_iter().filter(|verdict| verdict.is_judged()).max().unwrap_or(Verdict::Insufficient)
}

/// What an exit code has to know of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowOutcome {
    /// The window's verdict, from [`window_verdict`].
    pub verdict: Verdict,
    /// Whether a feature of the window is in [`Verdict::Error`].
    pub has_errors: bool,
}

/// The lowest level at which a run exits with 1: `insufficient` < `warn` < `drift`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailOn {
    /// A window that could not be judged, `warn` and `drift`.
    Insufficient,
    /// `warn` and `drift`.
    Warn,
    /// `drift`.
    #[default]
    Drift,
    /// Nothing: the run exits with 0 whatever it finds, errors included.
    Never,
}

impl FailOn {
    /// Every level, from the strictest.
    pub const ALL: [Self; 4] = [Self::Insufficient, Self::Warn, Self::Drift, Self::Never];

    /// The word on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Insufficient => "insufficient",
            Self::Warn => "warn",
            Self::Drift => "drift",
            Self::Never => "never",
        }
    }

    /// The level of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    fn is_reached_by(self, verdict: Verdict) -> bool {
        match self {
            Self::Insufficient => {
                matches!(verdict, Verdict::Insufficient | Verdict::Warn | Verdict::Drift)
            }
            Self::Warn => matches!(verdict, Verdict::Warn | Verdict::Drift),
            Self::Drift => verdict == Verdict::Drift,
            Self::Never => false,
        }
    }
}

/// The exit code of a run that was carried out: 1 if a window reaches `fail_on`, else 2 if a feature is in error,
/// else 0; under [`FailOn::Never`] always 0.
#[must_use]
pub fn exit_code(windows: impl IntoIterator<Item = WindowOutcome>, fail_on: FailOn) -> u8 {
    let mut has_errors = false;
    for window in windows {
        if fail_on.is_reached_by(window.verdict) {
            return 1;
        }
        has_errors |= window.has_errors;
    }
    if has_errors && fail_on != FailOn::Never { 2 } else { 0 }
}
