//! The alerts of one window name of one model's version, the whole and its segments together.

use std::collections::{BTreeMap, BTreeSet};

use super::course::{Closing, Course, Name};
use super::history::{Drift, Mood, Saying};
use super::run::{Run, Told, Witness};
use super::{Change, ChangeKind, Observation, Part, Policy, Reason, Severity};
use crate::Result;

/// The alerts of one (model, version, window name): SEMANTICS S19.
///
/// It is shown every closing of every window by [`observe`](Self::observe), the FINAL ones in the order of their windows.
/// After that the answer is complete: there is nothing to poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    pub(super) name: Name,
    pub(super) policy: Policy,
    /// The last window that is FINAL.
    pub(super) settled: Option<i64>,
    pub(super) is_superseded: bool,
    /// The whole under `None`, which sorts first.
    pub(super) courses: BTreeMap<Option<String>, Course>,
}

impl Track {
    /// A track that has seen no window.
    ///
    /// # Errors
    /// `Plan` if the policy cannot be carried out: says why.
    pub fn new(model: &str, version: &str, window: &str, policy: Policy) -> Result<Self> {
        policy.ensure()?;
        let name = Name { model: model.to_owned(), version: version.to_owned(), window: window.to_owned() };
        Ok(Self { name, policy, settled: None, is_superseded: false, courses: BTreeMap::new() })
    }

    /// Takes in one closing of one window, in place of an earlier closing of the same window.
    ///
    /// The changes are those of the whole, then those of the segments in the order of their texts; usually none. A window
    /// that is settled already changes nothing, and neither does any window after [`supersede`](Self::supersede).
    pub fn observe(&mut self, seen: &Observation<'_>) -> Vec<Change> {
        let index = seen.window.0;
        if self.is_superseded || self.settled.is_some_and(|settled| index <= settled) {
            return Vec::new();
        }
        let mut parts: BTreeMap<Option<&str>, &Part<'_>> = BTreeMap::new();
        for part in seen.parts.iter().filter(|_| !seen.is_partial) {
            parts.insert(part.segment, part);
            if Mood::of(part.verdict).is_some() {
                self.courses.entry(part.segment.map(str::to_owned)).or_default();
            }
        }
        if seen.is_final {
            self.settled = Some(index);
        }
        let at = Closing { index, span: seen.span, is_final: seen.is_final };
        let mut ended = BTreeMap::new();
        for (segment, course) in &mut self.courses {
            let part = parts.get(&segment.as_deref()).copied();
            let saying = part.and_then(|part| saying(part, seen));
            if let Some(end) = course.step(&self.policy, &self.name, segment.as_deref(), at, saying) {
                ended.insert(segment.clone(), end);
            }
        }
        self.tell(seen, at, &parts, ended)
    }

    /// Ends everything, because another version of the model took its place. No window counts after it.
    pub fn supersede(&mut self) -> Vec<Change> {
        self.is_superseded = true;
        let mut changes = Vec::new();
        for (segment, course) in std::mem::take(&mut self.courses) {
            if let Some(mut run) = course.run
                && let Some(told) = run.told.take()
            {
                let kind = ChangeKind::Resolved { reason: Reason::Superseded };
                changes.push(run.say(segment.as_deref(), kind, &told));
            }
        }
        changes
    }

    /// Whether it was ended by [`supersede`](Self::supersede).
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        self.is_superseded
    }

    /// The open alerts: segment (`None` for the whole) and id, in the order of changes.
    pub fn open(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        self.courses.iter().filter_map(|(segment, course)| {
            let run = course.run.as_ref().filter(|run| run.told.is_some())?;
            Some((segment.as_deref(), run.alert_id.as_str()))
        })
    }

    /// The policy, from the next window on. History that the old one had no use for is not there for the new one.
    ///
    /// # Errors
    /// `Plan` if the policy cannot be carried out, or has another stride: those are other windows, and need a new track.
    pub fn set_policy(&mut self, policy: Policy) -> Result<()> {
        policy.ensure()?;
        if policy.stride != self.policy.stride {
            return Err(crate::Error::new(
                crate::ErrorKind::Plan,
                format!(
                    "windows are `{}` apart, not `{}`: other windows need a track of their own",
                    policy.stride, self.policy.stride
                ),
            ));
        }
        self.policy = policy;
        Ok(())
    }

    /// Whether the whole has an open alert.
    fn is_whole_open(&self) -> bool {
        self.courses.get(&None).is_some_and(|course| course.run.is_some())
    }

    /// The segments that drift, if the whole has an open alert of which they are causes.
    fn folded(&self) -> BTreeSet<String> {
        if !self.is_whole_open() {
            return BTreeSet::new();
        }
        let drifting = self.courses.iter().filter(|(_, course)| course.run.is_some());
        drifting.filter_map(|(segment, _)| segment.clone()).collect()
    }

    /// What a person should know, now that every course took its step.
    fn tell(
        &mut self,
        seen: &Observation<'_>,
        at: Closing,
        parts: &BTreeMap<Option<&str>, &Part<'_>>,
        mut ended: BTreeMap<Option<String>, (Run, Reason)>,
    ) -> Vec<Change> {
        let folded = self.folded();
        let is_whole_open = self.is_whole_open();
        let mut changes = Vec::new();
        for (segment, course) in &mut self.courses {
            let name = segment.as_deref();
            let part = parts.get(&name).copied();
            if let Some((mut run, reason)) = ended.remove(segment) {
                changes.extend(close(&mut run, name, reason, seen, part));
                course.keep_revision(&run, self.settled);
            }
            let Some(mut run) = course.run.take() else { continue };
            if is_whole_open && name.is_some() {
                changes.extend(close(&mut run, name, Reason::Folded, seen, part));
            } else {
                let folded = if name.is_none() { folded.clone() } else { BTreeSet::new() };
                changes.extend(open_or_update(course, &mut run, name, folded, at));
            }
            course.run = Some(run);
        }
        changes
    }
}

/// What the window says of one segment; `None` if it is not judged.
fn saying(part: &Part<'_>, seen: &Observation<'_>) -> Option<Saying> {
    Some(match Mood::of(part.verdict)? {
        Mood::Calm => Saying::Calm,
        Mood::Warn => Saying::Warn,
        Mood::Drift => {
            let features: BTreeSet<&str> = part.features.iter().copied().collect();
            Saying::Drift(Drift {
                span: seen.span,
                verdict_id: part.verdict_id.to_owned(),
                revision: part.revision,
                severity: Severity::of(features.len(), part.judged),
                features: features.into_iter().map(str::to_owned).collect(),
            })
        }
    })
}

/// The change that resolves `run`, if anybody was told of it.
fn close(
    run: &mut Run,
    segment: Option<&str>,
    reason: Reason,
    seen: &Observation<'_>,
    part: Option<&Part<'_>>,
) -> Option<Change> {
    let mut told = run.told.take()?;
    if let Some(part) = part {
        told.witness =
            Witness { span: seen.span, verdict_id: part.verdict_id.to_owned(), revision: part.revision };
    }
    Some(run.say(segment, ChangeKind::Resolved { reason }, &told))
}

/// The change that opens or updates `run`, if there is something new to say.
///
/// Only a window that drifts says so: this one, or one after it that is not FINAL yet. A segment that outlasts the
/// whole's alert has none of its own before it drifts once more.
fn open_or_update(
    course: &Course,
    run: &mut Run,
    segment: Option<&str>,
    folded: BTreeSet<String>,
    at: Closing,
) -> Option<Change> {
    let sum = course.sum(run);
    let (_, witness) = sum.newest.filter(|(newest, _)| *newest >= at.index)?;
    let severity = sum.severity.unwrap_or(Severity::Major);
    let now = Told { severity, features: sum.features, folded, witness };
    let (kind, told) = match &run.told {
        None => (ChangeKind::Opened, now),
        Some(before) => {
            let told = before.after(now, at.is_final);
            if !told.differs(before) {
                return None;
            }
            (ChangeKind::Updated, told)
        }
    };
    let change = run.say(segment, kind, &told);
    run.told = Some(told);
    Some(change)
}
