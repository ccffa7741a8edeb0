//! One run of drift in one segment, from the window that opened it: an alert, whether or not anybody was told.

use std::collections::BTreeSet;

use super::history::Drift;
use super::{Change, ChangeKind, Severity};
use crate::window::Span;

/// A run of drift that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The number of the window that opened it.
    pub(super) opening: i64,
    /// The settled window whose quorum is met, once there is one: before that, FINAL windows may undo the run.
    pub(super) confirmed: Option<i64>,
    pub(super) alert_id: String,
    pub(super) first_window: Span,
    /// The revision of the next change.
    pub(super) revision: u64,
    /// What its settled windows add up to.
    pub(super) settled: Sum,
    /// What a person knows of it; `None` while nobody was told.
    pub(super) told: Option<Told>,
}

/// What several windows add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) features: BTreeSet<String>,
    /// The highest; `None` if no window drifts.
    pub(super) severity: Option<Severity>,
    /// The newest window that drifts.
    pub(super) newest: Option<(i64, Witness)>,
}

/// The window and verdict by which something is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    pub(super) span: Span,
    pub(super) verdict_id: String,
    pub(super) revision: u64,
}

/// What was said of an alert last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) severity: Severity,
    pub(super) features: BTreeSet<String>,
    pub(super) folded: BTreeSet<String>,
    pub(super) witness: Witness,
}

impl Sum {
    /// Adds a window that drifts.
    pub(super) fn add(&mut self, index: i64, drift: &Drift) {
        self.features.extend(drift.features.iter().cloned());
        self.severity = self.severity.max(Some(drift.severity));
        if self.newest.as_ref().is_none_or(|(newest, _)| *newest <= index) {
            let Drift { span, verdict_id, revision, .. } = drift;
            let witness = Witness { span: *span, verdict_id: verdict_id.clone(), revision: *revision };
            self.newest = Some((index, witness));
        }
    }
}

impl Told {
    /// What is known after `now` was learned: a FINAL window replaces what was said, a provisional one only adds to it.
    pub(super) fn after(&self, mut now: Self, is_final: bool) -> Self {
        if !is_final {
            now.severity = now.severity.max(self.severity);
            now.features.extend(self.features.iter().cloned());
            now.folded.extend(self.folded.iter().cloned());
        }
        now
    }

    /// Whether a person should know of the difference.
    pub(super) fn differs(&self, other: &Self) -> bool {
        (self.severity, &self.features, &self.folded) != (other.severity, &other.features, &other.folded)
    }
}

impl Run {
    /// Says `told` of this run, as its next change.
    pub(super) fn say(&mut self, segment: Option<&str>, kind: ChangeKind, told: &Told) -> Change {
        let revision = self.revision;
        self.revision += 1;
        Change {
            alert_id: self.alert_id.clone(),
            segment: segment.map(str::to_owned),
            kind,
            revision,
            severity: told.severity,
            first_window: self.first_window,
            window: told.witness.span,
            verdict_id: told.witness.verdict_id.clone(),
            verdict_revision: told.witness.revision,
            features: told.features.iter().cloned().collect(),
            folded_segments: told.folded.iter().cloned().collect(),
        }
    }
}
