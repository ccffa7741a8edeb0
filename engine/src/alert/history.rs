//! What the windows so far have said of one segment.
//!
//! A window is *pending* until it or a later one is FINAL, then *settled*: its verdict never changes again, and the
//! verdict is all that is kept of it, and of a drift its time where that follows from no other's. Windows that share no
//! row, `stride` apart, are looked at together; the *chain* of a window is itself and those before it in this sense, of
//! which only judged ones are here. So N of M is a question about the first M links of a chain (SEMANTICS S19).

use std::collections::BTreeMap;

use super::{Policy, Severity};
use crate::policy::Verdict;
use crate::window::Span;

/// What a pending window says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Saying {
    /// `ok` or `info`.
    Calm,
    /// `warn`.
    Warn,
    /// `drift`, with what a person would have to know of it.
    Drift(Drift),
}

/// A window that drifts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Drift {
    pub(super) span: Span,
    pub(super) verdict_id: String,
    pub(super) revision: u64,
    pub(super) severity: Severity,
    /// Sorted, each once.
    pub(super) features: Vec<String>,
}

/// What is kept of a settled window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Calm,
    Warn,
    Drift,
}

impl Mood {
    /// `None` for what is not judged.
    pub(super) fn of(verdict: Verdict) -> Option<Self> {
        match verdict {
            Verdict::Ok | Verdict::Info => Some(Self::Calm),
            Verdict::Warn => Some(Self::Warn),
            Verdict::Drift => Some(Self::Drift),
            Verdict::Insufficient | Verdict::Error | Verdict::Skipped => None,
        }
    }
}

impl Saying {
    pub(super) fn mood(&self) -> Mood {
        match self {
            Self::Calm => Mood::Calm,
            Self::Warn => Mood::Warn,
            Self::Drift(_) => Mood::Drift,
        }
    }

    fn drift(&self) -> Option<&Drift> {
        match self {
            Self::Drift(drift) => Some(drift),
            Self::Calm | Self::Warn => None,
        }
    }
}

/// A window whose verdict never changes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) mood: Mood,
    /// Its event time, where it drifts and that follows from no other's.
    pub(super) span: Option<Span>,
}

/// The judged windows of one segment, by class (their number modulo the stride) and number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    settled: BTreeMap<(i64, i64), Settled>,
    pending: BTreeMap<(i64, i64), Saying>,
}

impl History {
    /// Sets what window `index` says, in place of what it said before; `None` if it is not judged.
    pub(super) fn say(&mut self, policy: &Policy, index: i64, saying: Option<Saying>) {
        let key = (policy.class(index), index);
        match saying {
            Some(saying) => drop(self.pending.insert(key, saying)),
            None => drop(self.pending.remove(&key)),
        }
    }

    /// Settles every window up to `index` and gives back those that drift, by number. What no question can reach any
    /// more is forgotten.
    pub(super) fn settle(&mut self, policy: &Policy, index: i64) -> Vec<(i64, Drift)> {
        let mut drifts = Vec::new();
        let all = std::mem::take(&mut self.pending);
        for ((class, own), saying) in all {
            if own > index {
                self.pending.insert((class, own), saying);
                continue;
            }
            let span = saying.drift().filter(|_| !policy.is_even).map(|drift| drift.span);
            self.settled.insert((class, own), Settled { mood: saying.mood(), span });
            // A later final may still revise what is pending, so the settled ones alone must answer every question.
            let of_class = (class, i64::MIN)..=(class, i64::MAX);
            while let Some(key) = self.settled.range(of_class.clone()).rev().nth(policy.depth()) {
                let key = *key.0;
                self.settled.remove(&key);
            }
            if let Saying::Drift(drift) = saying {
                drifts.push((own, drift));
            }
        }
        drifts.sort_by_key(|(own, _)| *own);
        drifts
    }

    /// Window `index` and the judged ones of its chain before it, newest first.
    fn chain(&self, policy: &Policy, index: i64) -> impl Iterator<Item = (i64, Mood)> {
        let class = policy.class(index);
        let range = (class, i64::MIN)..=(class, index);
        // Whatever is settled is older than whatever is pending.
        let pending = self.pending.range(range.clone()).rev().map(|((_, own), saying)| (*own, saying.mood()));
        pending.chain(self.settled.range(range).rev().map(|((_, own), settled)| (*own, settled.mood)))
    }

    /// The first window among the last M of the chain of `index` that drifts, if N of them do.
    fn quorum(&self, policy: &Policy, index: i64) -> Option<i64> {
        let drifting = self.chain(policy, index).take(policy.last as usize);
        let drifting: Vec<i64> =
            drifting.filter(|(_, mood)| *mood == Mood::Drift).map(|(own, _)| own).collect();
        drifting.last().copied().filter(|_| drifting.len() >= policy.needed as usize)
    }

    /// Whether an alert may open at this pending window: it drifts, its quorum is met, and it does not end before
    /// `not_before`.
    fn opens(&self, policy: &Policy, index: i64, drift: &Drift, not_before: i64) -> bool {
        drift.span.end >= not_before && self.quorum(policy, index).is_some()
    }

    /// The first pending window from `index` on, in its class, at which an alert may open: those whose question a
    /// change of window `index` can touch.
    pub(super) fn opening_from(&self, policy: &Policy, index: i64, not_before: i64) -> Option<(i64, &Drift)> {
        let class = policy.class(index);
        let touched = self.pending.range((class, index)..=(class, i64::MAX));
        touched
            .filter_map(|((_, own), saying)| Some((*own, saying.drift()?)))
            .find(|(own, drift)| self.opens(policy, *own, drift, not_before))
    }

    /// The first of all pending windows at which an alert may open.
    pub(super) fn opening(&self, policy: &Policy, not_before: i64) -> Option<i64> {
        self.drifts()
            .filter(|(own, drift)| self.opens(policy, *own, drift, not_before))
            .map(|(own, _)| own)
            .min()
    }

    /// The time of the first drifting window among those that make the quorum of the pending window `index`.
    pub(super) fn first_window(&self, policy: &Policy, index: i64, span: Span) -> Span {
        let first = self.quorum(policy, index).unwrap_or(index);
        if !policy.is_even {
            return self.drifted(policy, first).unwrap_or(span);
        }
        // Links of a chain are whole lengths apart.
        let lengths = (i128::from(index) - i128::from(first)) / i128::from(policy.stride);
        let back = lengths * (i128::from(span.end) - i128::from(span.start));
        let earlier = |t: i64| i64::try_from(i128::from(t) - back).unwrap_or(i64::MIN);
        Span { start: earlier(span.start), end: earlier(span.end) }
    }

    /// The kept time of a window that drifts.
    fn drifted(&self, policy: &Policy, index: i64) -> Option<Span> {
        let key = (policy.class(index), index);
        let pending = self.pending.get(&key).and_then(Saying::drift).map(|drift| drift.span);
        pending.or_else(|| self.settled.get(&key)?.span)
    }

    /// How many windows in a row are calm at the end of the chain of `index`, counting only those after `after`; 0 if
    /// window `index` itself is not judged.
    pub(super) fn calm_run(&self, policy: &Policy, index: i64, after: i64) -> usize {
        let mut chain = self.chain(policy, index).peekable();
        if chain.peek().is_none_or(|(own, _)| *own != index) {
            return 0;
        }
        chain.take_while(|(own, mood)| *own > after && *mood == Mood::Calm).count()
    }

    /// Whether a pending window after `index` drifts or warns.
    pub(super) fn is_uneasy_after(&self, index: i64) -> bool {
        self.pending.iter().any(|((_, own), saying)| *own > index && saying.mood() != Mood::Calm)
    }

    /// The pending windows that drift, in no order to rely on.
    pub(super) fn drifts(&self) -> impl Iterator<Item = (i64, &Drift)> {
        self.pending.iter().filter_map(|((_, own), saying)| Some((*own, saying.drift()?)))
    }

    /// The settled windows by number.
    pub(super) fn settled(&self) -> BTreeMap<i64, Settled> {
        self.settled.iter().map(|((_, own), settled)| (*own, *settled)).collect()
    }

    /// The pending windows by number.
    pub(super) fn pending(&self) -> BTreeMap<i64, &Saying> {
        self.pending.iter().map(|((_, own), saying)| (*own, saying)).collect()
    }

    /// A history read back; `settled` are all older than `pending`.
    pub(super) fn restored(
        policy: &Policy,
        settled: BTreeMap<i64, Settled>,
        pending: BTreeMap<i64, Saying>,
    ) -> Self {
        let key = |own: i64| (policy.class(own), own);
        Self {
            settled: settled.into_iter().map(|(own, settled)| (key(own), settled)).collect(),
            pending: pending.into_iter().map(|(own, saying)| (key(own), saying)).collect(),
        }
    }
}
