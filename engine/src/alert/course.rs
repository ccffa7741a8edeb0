//! The course of one segment, or of the whole: its history, and the run of drift that it is in.
//!
//! A course knows nothing of other segments: whether anybody is told of its run is the [`Track`](super::Track)'s matter.
//!
//! A window *opens* if it drifts, N of the last M judged windows of its chain do, and the cooldown is over. No run begins
//! without such a window, and none ends as long as a pending one is left. The rule for each closing is therefore short:
//!
//! - no run: one begins at the first window that now opens;
//! - a run whose opening is not settled: the FINAL that settles it confirms the run, or undoes it if no window opens;
//! - a confirmed run: a FINAL that is the last of enough calm windows in a row ends it, unless a newer window that is
//!   not final yet drifts or warns. Without that, the run would end and begin again for one fault.

use std::collections::BTreeMap;

use super::history::{Drift, History, Saying};
use super::run::{Run, Sum};
use super::{Policy, Reason};
use crate::id;
use crate::window::Span;

/// What alert ids are made of, beside the segment and the opening verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) model: String,
    pub(super) version: String,
    pub(super) window: String,
}

/// The window that closes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closing {
    pub(super) index: i64,
    pub(super) span: Span,
    pub(super) is_final: bool,
}

/// The course of one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Course {
    pub(super) history: History,
    pub(super) run: Option<Run>,
    /// The event time at which the last run ended.
    pub(super) ended: Option<i64>,
    /// The next revision of alerts that were told and undone, by the pending window that opened them: they may open
    /// again at that window, under the same id.
    pub(super) undone: BTreeMap<i64, u64>,
}

impl Course {
    /// Takes in what the closing window says, `None` if it is not judged. The run that this ended, and why.
    pub(super) fn step(
        &mut self,
        policy: &Policy,
        name: &Name,
        segment: Option<&str>,
        at: Closing,
        saying: Option<Saying>,
    ) -> Option<(Run, Reason)> {
        self.history.say(policy, at.index, saying);
        // Without a cooldown no time has to pass: windows of rows need not follow each other in event time.
        let ended = self.ended.filter(|_| policy.cooldown > 0);
        let not_before = ended.map_or(i64::MIN, |ended| ended.saturating_add(policy.cooldown));
        if self.run.is_none()
            && let Some((opening, drift)) = self.history.opening_from(policy, at.index, not_before)
        {
            self.run = Some(self.begin(policy, name, segment, opening, drift));
        }
        let mut end = None;
        if at.is_final
            && let Some(run) = &mut self.run
        {
            if run.confirmed.is_none() {
                match self.history.opening(policy, not_before) {
                    Some(opening) if opening <= at.index => run.confirmed = Some(opening),
                    Some(_) => {}
                    None => end = Some(Reason::Amended),
                }
            }
            if let Some(confirmed) = run.confirmed {
                let calm = self.history.calm_run(policy, at.index, confirmed);
                if calm >= policy.resolve_after as usize && !self.history.is_uneasy_after(at.index) {
                    end = Some(Reason::Calm);
                }
            }
        }
        if at.is_final {
            for (index, drift) in self.history.settle(policy, at.index) {
                if let Some(run) = self.run.as_mut().filter(|run| run.opening <= index) {
                    run.settled.add(index, &drift);
                }
            }
            self.undone.retain(|opening, _| *opening > at.index);
        }
        let ended = end.and_then(|reason| Some((self.run.take()?, reason)));
        if ended.is_some() {
            self.ended = Some(at.span.end);
        }
        ended
    }

    /// Keeps the revision of a run that ended, if its alert may open again.
    pub(super) fn keep_revision(&mut self, run: &Run, settled: Option<i64>) {
        if run.revision > 0 && settled.is_none_or(|settled| settled < run.opening) {
            self.undone.insert(run.opening, run.revision);
        }
    }

    /// What the windows of `run`, settled and pending, add up to.
    pub(super) fn sum(&self, run: &Run) -> Sum {
        let mut sum = run.settled.clone();
        for (index, drift) in self.history.drifts().filter(|(index, _)| *index >= run.opening) {
            sum.add(index, drift);
        }
        sum
    }

    fn begin(&self, policy: &Policy, name: &Name, segment: Option<&str>, opening: i64, drift: &Drift) -> Run {
        Run {
            opening,
            confirmed: None,
            alert_id: id::alert_id(&name.model, &name.version, &name.window, segment, &drift.verdict_id),
            first_window: self.history.first_window(policy, opening, drift.span),
            revision: self.undone.get(&opening).copied().unwrap_or(0),
            settled: Sum::default(),
            told: None,
        }
    }
}
