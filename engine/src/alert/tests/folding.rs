//! One fault, one page: segments that drift are causes of the whole's alert (SEMANTICS S19).

use super::story::{NOTHING, Says, policy, story};
use crate::alert::Policy;
use crate::policy::Verdict::{Drift, Ok, Warn};

const A: Option<&str> = Some("A");
const B: Option<&str> = Some("B");

fn drift(segment: Option<&'static str>) -> Says<'static> {
    (segment, Drift, &["x"])
}

fn calm(segment: Option<&'static str>) -> Says<'static> {
    (segment, Ok, &[])
}

#[test]
fn a_segment_that_drifts_alone_has_its_own_alert() {
    let mut story = story(policy());
    story.fin(0, &[calm(None), calm(B), drift(A)]);
    assert_eq!(story.fin(1, &[calm(None), drift(A), calm(B)]), ["open@1 major A [x] since 0 r0"]);
    assert_eq!(story.fin(2, &[calm(None), calm(A)]), NOTHING);
    assert_eq!(story.fin(3, &[calm(None), calm(A)]), ["calm@3 A r1"]);
}

#[test]
fn segments_that_drift_with_the_whole_are_causes_of_it() {
    let mut story = story(policy());
    story.fin(0, &[drift(None), drift(A), calm(B)]);
    assert_eq!(
        story.fin(1, &[drift(None), drift(A), drift(B)]),
        ["open@1 major whole [x] +A since 0 r0"],
        "B has no quorum yet"
    );
    assert_eq!(story.fin(2, &[drift(None), drift(A), drift(B)]), ["update@2 major whole [x] +A +B r1"]);
    assert_eq!(story.fin(3, &[drift(None), drift(A), drift(B)]), NOTHING);
    assert_eq!(story.track.open().count(), 1);
}

#[test]
fn a_segments_alert_is_folded_when_the_whole_opens() {
    let mut story = story(policy());
    story.fin(0, &[calm(None), drift(B), drift(A)]);
    assert_eq!(
        story.fin(1, &[drift(None), drift(A), drift(B)]),
        ["open@1 major A [x] since 0 r0", "open@1 major B [x] since 0 r0"]
    );
    assert_eq!(
        story.fin(2, &[drift(None), drift(A), calm(B)]),
        ["open@2 major whole [x] +A +B since 1 r0", "folded@2 A r1", "folded@2 B r1"]
    );
    assert_eq!(story.track.open().count(), 1);
}

#[test]
fn a_segment_that_outlasts_the_whole_has_its_alert_again() {
    let mut story = story(policy());
    let first = {
        story.show(0, true, &[calm(None), drift(A)]);
        story.show(1, true, &[drift(None), drift(A)])
    };
    assert_eq!(story.fin(2, &[drift(None), drift(A)]).len(), 2);
    assert_eq!(story.fin(3, &[calm(None), drift(A)]), NOTHING);
    assert_eq!(story.fin(4, &[calm(None), (A, Warn, &[])]), ["calm@4 whole r1"], "A does not drift just now");
    let again = story.show(5, true, &[calm(None), drift(A)]);
    assert_eq!((&again[0].alert_id, again[0].revision), (&first[0].alert_id, 2), "it is the same alert");
    assert_eq!(again[0].segment.as_deref(), A);
}

#[test]
fn a_segment_that_was_only_ever_a_cause_opens_when_it_is_alone() {
    let mut story = story(policy());
    story.fin(0, &[drift(None), drift(A)]);
    story.fin(1, &[drift(None), drift(A)]);
    story.fin(2, &[calm(None), drift(A)]);
    assert_eq!(
        story.fin(3, &[calm(None), drift(A)]),
        ["calm@3 whole r1", "open@3 major A [x] since 0 r0"],
        "the whole first"
    );
}

#[test]
fn a_segment_that_became_calm_under_the_whole_says_nothing() {
    let mut story = story(policy());
    story.fin(0, &[drift(None), drift(A)]);
    story.fin(1, &[drift(None), drift(A)]);
    story.fin(2, &[drift(None), calm(A)]);
    assert_eq!(story.fin(3, &[(None, Warn, &[]), calm(A)]), NOTHING, "told with the next window that drifts");
    assert_eq!(story.fin(4, &[drift(None), calm(A)]), ["update@4 major whole [x] r1"]);
    story.fin(5, &[calm(None), calm(A)]);
    assert_eq!(story.fin(6, &[calm(None), calm(A)]), ["calm@6 whole r2"]);
}

#[test]
fn a_cause_has_its_cooldown_too() {
    let slow = Policy { cooldown: 10 * super::story::MINUTE, ..policy() };
    let mut story = story(slow);
    story.fin(0, &[drift(None), drift(A)]);
    story.fin(1, &[drift(None), drift(A)]);
    story.fin(2, &[calm(None), calm(A)]);
    assert_eq!(story.fin(3, &[calm(None), calm(A)]), ["calm@3 whole r1"]);
    // The same fault again, within the cooldown: neither the whole nor what it was told with pages.
    story.fin(4, &[drift(None), drift(A)]);
    assert_eq!(story.fin(5, &[drift(None), drift(A)]), NOTHING);
}

#[test]
fn segments_have_their_alerts_back_when_the_wholes_is_amended() {
    let mut story = story(policy());
    story.fin(0, &[calm(None), drift(A)]);
    story.early(1, &[drift(None), drift(A)]);
    assert_eq!(
        story.early(2, &[drift(None), drift(A)]),
        ["open@2 major whole [x] +A since 1 r0", "folded@2 A r1"]
    );
    assert_eq!(
        story.fin(1, &[calm(None), drift(A)]),
        ["amended@1 whole r1", "open@2 major A [x] since 0 r2"]
    );
}

#[test]
fn a_segment_that_is_left_out_was_not_judged() {
    let mut story = story(policy());
    story.fin(0, &[calm(None), drift(A)]);
    assert_eq!(story.early(1, &[calm(None), drift(A)]).len(), 1);
    assert_eq!(story.fin(1, &[calm(None)]), ["amended@1 A r1"]);
}

#[test]
fn a_new_version_resolves_every_open_alert_once() {
    let mut story = story(policy());
    story.fin(0, &[calm(None), drift(A), drift(B)]);
    story.fin(1, &[calm(None), drift(A), drift(B)]);
    let changes = story.track.supersede();
    let told: Vec<_> = changes.iter().map(|change| change.segment.as_deref()).collect();
    assert_eq!(told, [A, B]);
    assert_eq!(story.track.open().count(), 0);
}
