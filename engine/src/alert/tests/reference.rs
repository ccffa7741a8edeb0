//! A naive track: it keeps every window for ever, looks at all of them again at each closing, and follows the words of
//! `docs/decisions/0030-alerts.md` one by one.

use std::collections::{BTreeMap, BTreeSet};

use crate::alert::{Change, ChangeKind, Policy, Reason, Severity};
use crate::id::alert_id;
use crate::policy::Verdict;
use crate::window::Span;

/// What a window says of one segment.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) verdict: Verdict,
    pub(super) features: Vec<&'static str>,
    pub(super) verdict_id: String,
    pub(super) revision: u64,
}

/// One closing.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) index: i64,
    pub(super) span: Span,
    pub(super) is_final: bool,
    pub(super) is_partial: bool,
    pub(super) words: BTreeMap<Option<&'static str>, Word>,
}

pub(super) const JUDGED: u32 = 4;

type Segment = Option<&'static str>;
type Known = (Severity, BTreeSet<String>, BTreeSet<String>);

struct Alert {
    opening: i64,
    confirmed: Option<i64>,
    id: String,
    first: Span,
    revision: u64,
    /// What was told, and the window and verdict by which it was.
    told: Option<(Known, Span, String, u64)>,
}

pub(super) struct Reference {
    policy: Policy,
    windows: BTreeMap<i64, Shown>,
    settled: i64,
    alerts: BTreeMap<Segment, Alert>,
    ended: BTreeMap<Segment, i64>,
    revisions: BTreeMap<String, u64>,
    segments: BTreeSet<Segment>,
}

impl Reference {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            policy,
            windows: BTreeMap::new(),
            settled: i64::MIN,
            alerts: BTreeMap::new(),
            ended: BTreeMap::new(),
            revisions: BTreeMap::new(),
            segments: BTreeSet::new(),
        }
    }

    fn word(&self, segment: Segment, index: i64) -> Option<&Word> {
        let shown = self.windows.get(&index).filter(|shown| !shown.is_partial)?;
        shown.words.get(&segment).filter(|word| word.verdict.is_judged())
    }

    fn drifts(&self, segment: Segment, index: i64) -> bool {
        self.word(segment, index).is_some_and(|word| word.verdict == Verdict::Drift)
    }

    fn is_calm(&self, segment: Segment, index: i64) -> bool {
        self.word(segment, index).is_some_and(|word| word.verdict <= Verdict::Info)
    }

    /// The judged windows that share no row with each other, from `index` back.
    fn chain(&self, segment: Segment, index: i64) -> Vec<i64> {
        let least = self.windows.keys().next().copied().unwrap_or(index);
        let mut chain = Vec::new();
        let mut at = index;
        while at >= least {
            if self.word(segment, at).is_some() {
                chain.push(at);
            }
            at -= self.policy.stride;
        }
        chain
    }

    fn quorum(&self, segment: Segment, index: i64) -> Vec<i64> {
        let mut chain = self.chain(segment, index);
        chain.truncate(self.policy.last as usize);
        chain.retain(|at| self.drifts(segment, *at));
        chain
    }

    /// Every window that is not settled, or only just, and opens.
    fn openers(&self, segment: Segment, settled_before: i64) -> Vec<i64> {
        let may_open = |index: &i64| {
            *index > settled_before
                && self.drifts(segment, *index)
                && self.quorum(segment, *index).len() >= self.policy.needed as usize
                && self
                    .ended
                    .get(&segment)
                    .is_none_or(|ended| self.windows[index].span.end - ended >= self.policy.cooldown)
        };
        self.windows.keys().copied().filter(may_open).collect()
    }

    pub(super) fn observe(&mut self, shown: &Shown) -> Vec<Change> {
        if shown.index <= self.settled {
            return Vec::new();
        }
        let before = self.settled;
        self.windows.insert(shown.index, shown.clone());
        self.segments.extend(shown.words.keys().copied());
        let mut over: BTreeMap<Segment, (Alert, Reason)> = BTreeMap::new();
        for segment in self.segments.clone() {
            let openers = self.openers(segment, before);
            if let Some(opening) = openers.first().copied()
                && !self.alerts.contains_key(&segment)
            {
                let alert = self.begin(segment, opening);
                self.alerts.insert(segment, alert);
            }
            if shown.is_final
                && let Some(reason) = self.judge(segment, shown.index, &openers)
            {
                over.insert(segment, (self.alerts.remove(&segment).unwrap(), reason));
                self.ended.insert(segment, shown.span.end);
            }
        }
        if shown.is_final {
            self.settled = shown.index;
        }
        self.tell(shown, over)
    }

    fn begin(&self, segment: Segment, opening: i64) -> Alert {
        let verdict = &self.word(segment, opening).unwrap().verdict_id;
        let id = alert_id("m", "1", "w", segment, verdict);
        let first = *self.quorum(segment, opening).last().unwrap();
        let revision = self.revisions.get(&id).copied().unwrap_or(0);
        Alert { opening, confirmed: None, id, first: self.windows[&first].span, revision, told: None }
    }

    fn judge(&mut self, segment: Segment, index: i64, openers: &[i64]) -> Option<Reason> {
        let alert = self.alerts.get_mut(&segment)?;
        if alert.confirmed.is_none() {
            match openers.first() {
                None => return Some(Reason::Amended),
                Some(first) if *first <= index => alert.confirmed = Some(*first),
                Some(_) => {}
            }
        }
        let confirmed = alert.confirmed?;
        self.word(segment, index)?;
        let row = self.chain(segment, index);
        let calm = row.iter().take_while(|at| **at > confirmed && self.is_calm(segment, **at)).count();
        let newer = self.windows.keys().filter(|at| **at > index);
        let is_uneasy =
            newer.into_iter().any(|at| self.word(segment, *at).is_some() && !self.is_calm(segment, *at));
        (calm >= self.policy.resolve_after as usize && !is_uneasy).then_some(Reason::Calm)
    }

    fn tell(&mut self, shown: &Shown, mut over: BTreeMap<Segment, (Alert, Reason)>) -> Vec<Change> {
        let is_whole = self.alerts.contains_key(&None);
        let folded: BTreeSet<String> = if is_whole {
            self.alerts.keys().filter_map(|segment| segment.map(str::to_owned)).collect()
        } else {
            BTreeSet::new()
        };
        let mut changes = Vec::new();
        for segment in self.segments.clone() {
            let word = shown.words.get(&segment).filter(|_| !shown.is_partial);
            if let Some((mut alert, reason)) = over.remove(&segment) {
                changes.extend(resolve(&mut alert, segment, reason, shown, word));
                self.revisions.insert(alert.id.clone(), alert.revision);
            }
            let Some(mut alert) = self.alerts.remove(&segment) else { continue };
            if is_whole && segment.is_some() {
                changes.extend(resolve(&mut alert, segment, Reason::Folded, shown, word));
            } else {
                let folded = if segment.is_none() { folded.clone() } else { BTreeSet::new() };
                changes.extend(self.say(&mut alert, segment, folded, shown));
            }
            self.alerts.insert(segment, alert);
        }
        changes
    }

    fn say(
        &self,
        alert: &mut Alert,
        segment: Segment,
        folded: BTreeSet<String>,
        shown: &Shown,
    ) -> Option<Change> {
        let own = self.windows.range(alert.opening..).map(|(at, _)| *at);
        let drifting: Vec<i64> = own.filter(|at| self.drifts(segment, *at)).collect();
        let newest = *drifting.last().filter(|at| **at >= shown.index)?;
        let mut known: Known = (Severity::Major, BTreeSet::new(), folded);
        for at in drifting {
            let features: BTreeSet<&str> = self.word(segment, at).unwrap().features.iter().copied().collect();
            known.0 = known.0.max(Severity::of(features.len(), JUDGED));
            known.1.extend(features.into_iter().map(str::to_owned));
        }
        let kind = match &alert.told {
            None => ChangeKind::Opened,
            Some((before, ..)) => {
                if !shown.is_final {
                    known.0 = known.0.max(before.0);
                    known.1.extend(before.1.iter().cloned());
                    known.2.extend(before.2.iter().cloned());
                }
                if *before == known {
                    return None;
                }
                ChangeKind::Updated
            }
        };
        let word = self.word(segment, newest).unwrap();
        let told = (known, self.windows[&newest].span, word.verdict_id.clone(), word.revision);
        let change = change(alert, segment, kind, &told);
        alert.told = Some(told);
        Some(change)
    }
}

fn resolve(
    alert: &mut Alert,
    segment: Segment,
    reason: Reason,
    shown: &Shown,
    word: Option<&Word>,
) -> Option<Change> {
    let mut told = alert.told.take()?;
    if let Some(word) = word {
        told = (told.0, shown.span, word.verdict_id.clone(), word.revision);
    }
    Some(change(alert, segment, ChangeKind::Resolved { reason }, &told))
}

fn change(
    alert: &mut Alert,
    segment: Segment,
    kind: ChangeKind,
    told: &(Known, Span, String, u64),
) -> Change {
    let ((severity, features, folded), window, verdict_id, verdict_revision) = told;
    let revision = alert.revision;
    alert.revision += 1;
    Change {
        alert_id: alert.id.clone(),
        segment: segment.map(str::to_owned),
        kind,
        revision,
        severity: *severity,
        first_window: alert.first,
        window: *window,
        verdict_id: verdict_id.clone(),
        verdict_revision: *verdict_revision,
        features: features.iter().cloned().collect(),
        folded_segments: folded.iter().cloned().collect(),
    }
}
