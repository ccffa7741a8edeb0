//! What a track says: an alert opened, changed or resolved.

use std::fmt;

use super::Severity;
use crate::window::Span;

/// One thing that happened to one alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The alert's id: hash of model, version, window name, segment and the verdict that opened it (SEMANTICS S20).
    pub alert_id: String,
    /// The segment; `None` for the whole.
    pub segment: Option<String>,
    /// What happened.
    pub kind: ChangeKind,
    /// Counts the changes of this alert, from 0, without gaps.
    pub revision: u64,
    /// How bad it is; of a resolve, how bad it was said to be last.
    pub severity: Severity,
    /// The first window that drifts, among those that opened the alert.
    pub first_window: Span,
    /// The window that says so: for `Opened` and `Updated` the newest that drifts, else the one that ended the alert.
    pub window: Span,
    /// The id of that window's verdict.
    pub verdict_id: String,
    /// The revision of that verdict.
    pub verdict_revision: u64,
    /// The features that drift in the alert's windows, sorted.
    pub features: Vec<String>,
    /// The segments that drift and are causes of this alert, not alerts of their own; sorted, and empty for segments.
    pub folded_segments: Vec<String>,
}

/// What happened to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is open from now on. A segment's alert that was folded into the whole's may open again, under its old id and
    /// with its next revision.
    Opened,
    /// Its severity, its features or its folded segments changed.
    Updated,
    /// It is over.
    Resolved {
        /// Why.
        reason: Reason,
    },
}

/// Why an alert is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Enough calm windows in a row.
    Calm,
    /// The FINAL windows show that it should never have opened.
    Amended,
    /// A new version of the model took its place.
    Superseded,
    /// The alert of the whole opened and has this segment among its causes.
    Folded,
}

impl Reason {
    /// The word in messages, such as `amended`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Amended => "amended",
            Self::Superseded => "superseded",
            Self::Folded => "folded",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
