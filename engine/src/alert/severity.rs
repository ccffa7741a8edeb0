//! How bad an alert is.

use std::fmt;

/// How bad an alert is: how much of what is watched drifts.
///
/// Two levels, because a person has two answers: look today, or look now. One feature that drifts is most often a cause
/// of its own; when half of them drift at once, the fault is above them (a join, a unit, a pipeline).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Fewer than half of the judged features drift.
    Major,
    /// Half of the judged features drift, or more.
    Critical,
}

impl Severity {
    /// Every level, from the lowest.
    pub const ALL: [Self; 2] = [Self::Major, Self::Critical];

    /// The severity of `drifting` of `judged` features; `Major` if no feature drifts (the number of rows alone did).
    #[must_use]
    pub fn of(drifting: usize, judged: u32) -> Self {
        let half = drifting.saturating_mul(2) >= usize::try_from(judged).unwrap_or(usize::MAX);
        if drifting > 0 && half { Self::Critical } else { Self::Major }
    }

    /// The word in messages, such as `critical`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
