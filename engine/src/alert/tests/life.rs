//! The sentences of SEMANTICS S19 on one course: opening, resolving, cooldown, revisions.

use super::story::{NOTHING, Says, policy, span, story, verdict_id};
use crate::alert::{ChangeKind, Observation, Part, Policy, Reason, Track};
use crate::id::alert_id;
use crate::policy::Verdict::{Drift, Info, Insufficient, Ok, Warn};
use crate::window::{Span, WindowIndex};

const DRIFT: &[Says<'static>] = &[(None, Drift, &["a"])];
const CALM: &[Says<'static>] = &[(None, Ok, &[])];

#[test]
fn two_of_three_open() {
    assert_eq!(story(policy()).finals(0, "..d.."), NOTHING);
    assert_eq!(story(policy()).finals(0, "d..d"), NOTHING, "the first is the fourth last");
    assert_eq!(story(policy()).finals(0, ".dd"), ["open@2 major whole [a] since 1 r0"]);
    assert_eq!(story(policy()).finals(0, "d.d"), ["open@2 major whole [a] since 0 r0"]);
}

#[test]
fn one_of_one_opens_at_once() {
    let daily = Policy { needed: 1, last: 1, resolve_after: 1, ..policy() };
    assert_eq!(
        story(daily).finals(0, "d.d"),
        ["open@0 major whole [a] since 0 r0", "calm@1 whole r1", "open@2 major whole [a] since 2 r0"]
    );
}

#[test]
fn windows_that_are_not_judged_are_skipped() {
    assert_eq!(story(policy()).finals(0, "d???eee_d"), ["open@8 major whole [a] since 0 r0"]);
    assert_eq!(story(policy()).finals(0, "dd.?e_.")[1..], ["calm@6 whole r1"]);
}

#[test]
fn a_window_that_does_not_drift_opens_nothing() {
    // Once over, the alert does not come back for the drift that it was told of.
    let hasty = Policy { resolve_after: 1, ..policy() };
    assert_eq!(story(hasty).finals(0, "dd..")[1..], ["calm@2 whole r1"]);
}

#[test]
fn the_drifting_feature_may_differ() {
    let mut story = story(policy());
    assert_eq!(story.fin(0, &[(None, Drift, &["a"])]), NOTHING);
    assert_eq!(story.fin(1, &[(None, Drift, &["b"])]), ["open@1 major whole [b] since 0 r0"]);
}

#[test]
fn calm_windows_in_a_row_resolve() {
    assert_eq!(story(policy()).finals(0, "dd..")[1..], ["calm@3 whole r1"]);
    assert_eq!(story(policy()).finals(0, "ddi.")[1..], ["calm@3 whole r1"], "info counts towards it");
    assert_eq!(story(policy()).finals(0, "dd.w.")[1..], NOTHING, "warn keeps it open");
    assert_eq!(story(policy()).finals(0, "dd.d.")[1..], NOTHING, "so does drift");
    assert_eq!(story(policy()).finals(0, "dd.w..")[1..], ["calm@5 whole r1"]);
    assert_eq!(story(policy()).finals(0, "ddwwwwwww")[1..], NOTHING);
}

#[test]
fn windows_that_overlap_are_not_counted_together() {
    // Three windows to a length: each looks at those three and six before it.
    let sliding = Policy { stride: 3, ..policy() };
    assert_eq!(story(sliding).finals(0, "ddd."), NOTHING, "these share their rows");
    assert_eq!(story(sliding).finals(0, "d..d"), ["open@3 major whole [a] since 0 r0"]);
    assert_eq!(story(sliding).finals(0, "d..?.._d")[..], NOTHING, "7 looks at 4 and 1");
    assert_eq!(story(sliding).finals(0, "d..?..d"), ["open@6 major whole [a] since 0 r0"]);
    // After 3 opened it, 4 and 7 are the first two of a kind that are calm and came later.
    assert_eq!(story(sliding).finals(0, "d..d...")[1..], NOTHING);
    assert_eq!(story(sliding).finals(0, "d..d....")[1..], ["calm@7 whole r1"]);
}

#[test]
fn cooldown_is_event_time_from_the_resolve_to_the_next_open() {
    let slow = Policy { cooldown: 4 * super::story::MINUTE, ..policy() };
    let told = story(slow).finals(0, "dd..ddddd");
    assert_eq!(told[1..], ["calm@3 whole r1", "open@7 major whole [a] since 5 r0"]);
    let told = story(slow).finals(0, "dd..___dd");
    assert_eq!(told[1..], ["calm@3 whole r1", "open@8 major whole [a] since 7 r0"]);
    // Without one, it opens as soon as enough windows drift.
    assert_eq!(story(policy()).finals(0, "dd..dd")[2..], ["open@5 major whole [a] since 4 r0"]);
}

#[test]
fn on_time_may_open_and_final_confirms() {
    let mut story = story(policy());
    story.finals(0, "d");
    assert_eq!(story.early(1, DRIFT), ["open@1 major whole [a] since 0 r0"]);
    assert_eq!(story.early(1, CALM), NOTHING, "a LATE revision is not the last word");
    assert_eq!(story.fin(1, DRIFT), NOTHING);
    assert_eq!(story.early(2, CALM), NOTHING);
    assert_eq!(story.early(3, CALM), NOTHING, "only FINAL windows resolve");
    assert_eq!(story.fin(2, CALM), NOTHING);
    assert_eq!(story.fin(3, CALM), ["calm@3 whole r1"]);
}

#[test]
fn a_final_that_undoes_the_opening_amends() {
    let mut story = story(policy());
    story.finals(0, "d");
    assert_eq!(story.early(1, DRIFT).len(), 1);
    assert_eq!(story.fin(1, CALM), ["amended@1 whole r1"]);
    assert_eq!(story.track.open().count(), 0);
}

#[test]
fn the_final_of_an_earlier_window_may_undo_the_opening() {
    let mut story = story(policy());
    story.early(0, DRIFT);
    assert_eq!(story.early(1, DRIFT), ["open@1 major whole [a] since 0 r0"]);
    let changes = story.show(0, true, CALM);
    assert_eq!(changes[0].kind, ChangeKind::Resolved { reason: Reason::Amended });
    assert_eq!(changes[0].verdict_id, verdict_id(None, 0), "this is the verdict that undid it");
    // A revision that does it again opens the same alert again, with its next revision.
    assert_eq!(story.fin(1, DRIFT), NOTHING);
    assert_eq!(story.fin(2, DRIFT), ["open@2 major whole [a] since 1 r0"]);
}

#[test]
fn an_alert_that_opens_again_at_its_window_keeps_its_revisions() {
    let mut story = story(policy());
    story.early(0, DRIFT);
    story.early(1, CALM);
    let first = story.show(2, false, DRIFT);
    assert_eq!(story.fin(0, CALM), ["amended@0 whole r1"]);
    let again = story.show(1, false, DRIFT);
    assert_eq!((&again[0].alert_id, again[0].revision), (&first[0].alert_id, 2));
}

#[test]
fn another_window_can_bear_the_alert_out() {
    let mut story = story(policy());
    story.finals(0, "d");
    story.early(1, DRIFT);
    story.early(2, DRIFT);
    // Without window 1, windows 0 and 2 are two of three.
    assert_eq!(story.fin(1, CALM), NOTHING);
    assert_eq!(story.fin(2, DRIFT), NOTHING);
    assert_eq!(story.fin(3, CALM), NOTHING);
    assert_eq!(story.fin(4, CALM), ["calm@4 whole r1"]);
}

#[test]
fn once_confirmed_it_cannot_be_amended() {
    let mut story = story(policy());
    story.finals(0, "dd");
    assert_eq!(story.early(2, DRIFT), NOTHING);
    assert_eq!(story.fin(2, CALM), NOTHING);
    assert_eq!(story.fin(3, CALM), ["calm@3 whole r1"]);
}

#[test]
fn calm_windows_before_the_opening_do_not_resolve_it() {
    let daily = Policy { needed: 1, last: 1, ..policy() };
    let mut story = story(daily);
    story.early(2, DRIFT);
    assert_eq!(story.fin(0, CALM), NOTHING);
    assert_eq!(story.fin(1, CALM), NOTHING);
    assert_eq!(story.fin(2, DRIFT), NOTHING);
}

#[test]
fn a_newer_window_that_may_still_drift_keeps_it_open() {
    let mut story = story(policy());
    story.finals(0, "dd");
    story.early(4, &[(None, Warn, &[])]);
    assert_eq!(story.fin(2, CALM), NOTHING);
    assert_eq!(story.fin(3, CALM), NOTHING, "window 4 warns");
    assert_eq!(story.fin(4, &[(None, Info, &[])]), ["calm@4 whole r1"]);
}

#[test]
fn a_revision_replaces_the_earlier_verdict() {
    let mut story = story(policy());
    story.early(0, DRIFT);
    story.early(0, CALM);
    assert_eq!(story.early(1, DRIFT), NOTHING);
    assert_eq!(story.early(0, DRIFT), ["open@1 major whole [a] since 0 r0"], "by the newest that drifts");
    // Not judged after all: window 0 is passed over.
    assert_eq!(story.fin(0, &[(None, Insufficient, &[])]), ["amended@0 whole r1"]);
}

#[test]
fn a_partial_window_never_alerts() {
    let mut story = story(policy());
    story.finals(0, "d");
    assert!(story.show_as(1, true, true, DRIFT).is_empty());
    assert_eq!(story.finals(2, "d"), ["open@2 major whole [a] since 0 r0"], "it is as if there was none");
    assert_eq!(story.finals(3, "."), NOTHING);
    assert!(story.show_as(4, true, true, CALM).is_empty());
    assert_eq!(story.finals(5, "."), ["calm@5 whole r1"]);
}

#[test]
fn what_is_settled_stays() {
    let mut story = story(policy());
    story.finals(0, "d..");
    assert_eq!(story.early(1, DRIFT), NOTHING);
    assert_eq!(story.fin(2, DRIFT), NOTHING);
    assert_eq!(story.finals(3, "d"), NOTHING);
}

#[test]
fn a_final_settles_every_window_before_it() {
    let mut story = story(policy());
    story.early(0, DRIFT);
    story.early(1, DRIFT);
    // Window 1 never became FINAL.
    assert_eq!(story.fin(2, CALM), NOTHING);
    assert_eq!(story.fin(1, CALM), NOTHING);
    assert_eq!(story.fin(3, CALM), ["calm@3 whole r1"]);
}

#[test]
fn s20_an_alert_is_named_after_the_verdict_that_opened_it() {
    let mut story = story(policy());
    story.show(0, true, DRIFT);
    let changes = story.show(1, true, DRIFT);
    assert_eq!(changes[0].alert_id, alert_id("flights", "1", "default", None, "whole/1"));
    assert_eq!((changes[0].verdict_id.as_str(), changes[0].verdict_revision), ("whole/1", 1));
    assert_eq!((changes[0].first_window, changes[0].window), (span(0, 1), span(1, 1)));
    let open: Vec<_> = story.track.open().collect();
    assert_eq!(open, [(None, changes[0].alert_id.as_str())]);
}

#[test]
fn a_new_version_supersedes() {
    let mut story = story(policy());
    story.finals(0, "dd");
    let changes = story.track.supersede();
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (changes[0].kind, changes[0].revision),
        (ChangeKind::Resolved { reason: Reason::Superseded }, 1)
    );
    assert_eq!(story.finals(2, "ddd"), NOTHING, "windows that still close speak of the old version");
    assert!(story.track.supersede().is_empty());
}

#[test]
fn a_policy_can_change_between_windows() {
    let mut story = story(policy());
    story.finals(0, "d.");
    story.track.set_policy(Policy { needed: 1, last: 1, ..policy() }).unwrap();
    assert_eq!(story.finals(2, "d"), ["open@2 major whole [a] since 2 r0"]);
    let error = story.track.set_policy(Policy { stride: 2, ..policy() }).unwrap_err();
    assert!(error.to_string().contains("a track of their own"), "{error}");
}

#[test]
fn a_policy_that_cannot_be_is_refused() {
    for (policy, expected) in [
        (Policy { needed: 4, ..policy() }, "`4 of 3` windows can never be met"),
        (Policy { needed: 0, ..policy() }, "`0 of 3`"),
        (Policy { resolve_after: 0, ..policy() }, "`0` calm windows"),
        (Policy { cooldown: -1, ..policy() }, "`-1` us is negative"),
        (Policy { stride: 0, ..policy() }, "a stride of `0`"),
    ] {
        let error = Track::new("m", "1", "w", policy).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// The time of a window of rows follows from no other's: that of the first which drifts is kept, through a restart too.
#[test]
fn s19_uneven_windows_tell_the_time_of_the_first_that_drifts() {
    let uneven = Policy { is_even: false, ..policy() };
    let mut track = Track::new("flights", "1", "rows", uneven).unwrap();
    // Rows came late, so that a later window may be of earlier times.
    let spans = [(0, 10), (90, 400), (50, 60), (40, 41), (30, 31), (20, 700), (1, 2)];
    let says = [Ok, Drift, Drift, Ok, Ok, Drift, Drift];
    let mut told = Vec::new();
    for (index, ((start, end), verdict)) in (0..).zip(spans.into_iter().zip(says)) {
        let id = format!("v{index}");
        let features: &[&str] = if verdict == Drift { &["x"] } else { &[] };
        let parts = [Part { segment: None, verdict_id: &id, revision: 0, verdict, judged: 5, features }];
        let span = Span { start, end };
        let window = WindowIndex(index);
        let seen = Observation { window, span, is_final: true, is_partial: false, parts: &parts };
        told.extend(track.observe(&seen));
        track = Track::decode(&track.encode(), uneven).unwrap();
    }
    let kinds: Vec<ChangeKind> = told.iter().map(|change| change.kind).collect();
    let calm = ChangeKind::Resolved { reason: Reason::Calm };
    assert_eq!(kinds, [ChangeKind::Opened, calm, ChangeKind::Opened], "no cooldown asks for later times");
    assert_eq!(
        (told[0].first_window, told[0].window),
        (Span { start: 90, end: 400 }, Span { start: 50, end: 60 })
    );
    assert_eq!(
        (told[2].first_window, told[2].window),
        (Span { start: 20, end: 700 }, Span { start: 1, end: 2 })
    );
}
