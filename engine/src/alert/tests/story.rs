//! The vocabulary in which the stories are told.
//!
//! Windows are a minute long and `every` a minute over the stride; window `k` ends at `k + 1` times that. Changes are
//! told as lines: `open@3 major whole [a] r0`, where 3 is the window that says so.

use crate::alert::{Change, ChangeKind, Observation, Part, Policy, Track};
use crate::policy::Verdict;
use crate::window::{Span, WindowIndex};

pub(super) const MINUTE: i64 = 60_000_000;

/// What a window says of one segment: the segment, the verdict, the features that drift.
pub(super) type Says<'a> = (Option<&'a str>, Verdict, &'a [&'a str]);

pub(super) struct Story {
    pub(super) track: Track,
    stride: i64,
}

/// `2 of 3`, two calm windows, no cooldown, windows side by side.
pub(super) fn policy() -> Policy {
    Policy { needed: 2, last: 3, resolve_after: 2, cooldown: 0, stride: 1, is_even: true }
}

pub(super) fn story(policy: Policy) -> Story {
    Story { track: Track::new("flights", "1", "default", policy).unwrap(), stride: policy.stride }
}

pub(super) fn span(index: i64, stride: i64) -> Span {
    let every = MINUTE / stride;
    Span { start: (index + 1 - stride) * every, end: (index + 1) * every }
}

pub(super) fn verdict_id(segment: Option<&str>, index: i64) -> String {
    format!("{}/{index}", segment.unwrap_or("whole"))
}

impl Story {
    /// Shows a closing of window `index` and gives the changes back.
    pub(super) fn show(&mut self, index: i64, is_final: bool, says: &[Says<'_>]) -> Vec<Change> {
        self.show_as(index, is_final, false, says)
    }

    pub(super) fn show_as(
        &mut self,
        index: i64,
        is_final: bool,
        is_partial: bool,
        says: &[Says<'_>],
    ) -> Vec<Change> {
        let ids: Vec<String> = says.iter().map(|(segment, ..)| verdict_id(*segment, index)).collect();
        let parts: Vec<Part<'_>> = says
            .iter()
            .zip(&ids)
            .map(|((segment, verdict, features), id)| Part {
                segment: *segment,
                verdict_id: id,
                revision: u64::from(is_final),
                verdict: *verdict,
                judged: 4,
                features,
            })
            .collect();
        self.track.observe(&Observation {
            window: WindowIndex(index),
            span: span(index, self.stride),
            is_final,
            is_partial,
            parts: &parts,
        })
    }

    /// Shows FINAL windows of the whole from `first` on, one a letter, and tells the changes.
    ///
    /// `d` drift, `w` warn, `i` info, `.` ok, `?` insufficient, `e` error, `_` no window at all.
    pub(super) fn finals(&mut self, first: i64, letters: &str) -> Vec<String> {
        let mut told = Vec::new();
        for (index, letter) in (first..).zip(letters.chars()) {
            if letter != '_' {
                told.extend(self.fin(index, &[(None, read(letter), features(letter))]));
            }
        }
        told
    }

    /// A FINAL closing.
    pub(super) fn fin(&mut self, index: i64, says: &[Says<'_>]) -> Vec<String> {
        tell(self.stride, &self.show(index, true, says))
    }

    /// An ON_TIME or LATE closing.
    pub(super) fn early(&mut self, index: i64, says: &[Says<'_>]) -> Vec<String> {
        tell(self.stride, &self.show(index, false, says))
    }
}

pub(super) fn read(letter: char) -> Verdict {
    match letter {
        'd' => Verdict::Drift,
        'w' => Verdict::Warn,
        'i' => Verdict::Info,
        '.' => Verdict::Ok,
        '?' => Verdict::Insufficient,
        'e' => Verdict::Error,
        other => panic!("`{other}` is no verdict"),
    }
}

fn features(letter: char) -> &'static [&'static str] {
    if letter == 'd' { &["a"] } else { &[] }
}

/// Changes as lines.
pub(super) fn tell(stride: i64, changes: &[Change]) -> Vec<String> {
    let number = |span: Span| span.end / (MINUTE / stride) - 1;
    changes
        .iter()
        .map(|change| {
            let at = number(change.window);
            let segment = change.segment.as_deref().unwrap_or("whole");
            let folded = change.folded_segments.iter().map(|segment| format!(" +{segment}"));
            let folded: String = folded.collect();
            let known = format!("{} {segment} [{}]{folded}", change.severity, change.features.join(" "));
            let revision = change.revision;
            match change.kind {
                ChangeKind::Opened => {
                    format!("open@{at} {known} since {} r{revision}", number(change.first_window))
                }
                ChangeKind::Updated => format!("update@{at} {known} r{revision}"),
                ChangeKind::Resolved { reason } => format!("{reason}@{at} {segment} r{revision}"),
            }
        })
        .collect()
}

pub(super) const NOTHING: [&str; 0] = [];
