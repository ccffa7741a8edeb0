//! What is said of an open alert, and when: calmly.

use super::story::{NOTHING, policy, story};
use crate::alert::Severity;
use crate::policy::Verdict::{Drift, Ok, Warn};

#[test]
fn severity_is_the_share_of_features() {
    for (drifting, judged, expected) in [
        (0, 0, Severity::Major),
        (0, 10, Severity::Major),
        (1, 1, Severity::Critical),
        (1, 2, Severity::Critical),
        (1, 3, Severity::Major),
        (4, 9, Severity::Major),
        (5, 10, Severity::Critical),
        (25, 25, Severity::Critical),
    ] {
        assert_eq!(Severity::of(drifting, judged), expected, "{drifting} of {judged}");
    }
}

#[test]
fn the_same_again_is_no_update() {
    let mut story = story(policy());
    assert_eq!(story.finals(0, "dddddddd"), ["open@1 major whole [a] since 0 r0"]);
    assert_eq!(story.finals(8, "w.dwd"), NOTHING);
}

#[test]
fn features_add_up_over_the_windows_of_the_alert() {
    let mut story = story(policy());
    story.finals(0, "dd");
    assert_eq!(story.fin(2, &[(None, Drift, &["b"])]), ["update@2 major whole [a b] r1"]);
    assert_eq!(story.fin(3, &[(None, Drift, &["a"])]), NOTHING, "it was said that b drifts");
    // Two of the four features that are judged, in one window.
    assert_eq!(story.fin(4, &[(None, Drift, &["b", "a", "b"])]), ["update@4 critical whole [a b] r2"]);
    assert_eq!(story.fin(5, &[(None, Drift, &["b"])]), NOTHING, "it was that bad");
}

#[test]
fn a_provisional_window_adds_and_its_final_takes_back() {
    let mut story = story(policy());
    story.finals(0, "dd");
    assert_eq!(story.early(2, &[(None, Drift, &["a", "b", "c"])]), ["update@2 critical whole [a b c] r1"]);
    assert_eq!(story.early(2, &[(None, Drift, &["a"])]), NOTHING, "not yet");
    assert_eq!(story.fin(2, &[(None, Drift, &["a", "b"])]), ["update@2 critical whole [a b] r2"]);
}

#[test]
fn what_was_opened_early_is_corrected_by_the_final() {
    let mut story = story(policy());
    story.finals(0, "d");
    assert_eq!(story.early(1, &[(None, Drift, &["b", "a"])]), ["open@1 critical whole [a b] since 0 r0"]);
    assert_eq!(story.fin(1, &[(None, Drift, &["c"])]), ["update@1 major whole [c] r1"]);
}

#[test]
fn only_a_window_that_drifts_updates() {
    let mut story = story(policy());
    story.finals(0, "dd");
    story.early(2, &[(None, Drift, &["b"])]);
    assert_eq!(story.fin(2, &[(None, Warn, &[])]), NOTHING, "that b drifts is taken back with the next word");
    assert_eq!(story.fin(3, &[(None, Drift, &["a"])]), ["update@3 major whole [a] r2"]);
}

#[test]
fn an_update_speaks_of_the_newest_window() {
    let mut story = story(policy());
    story.finals(0, "dd");
    story.early(2, &[(None, Drift, &["a"])]);
    story.early(3, &[(None, Drift, &["a"])]);
    assert_eq!(story.fin(2, &[(None, Drift, &["c"])]), ["update@3 major whole [a c] r1"]);
}

#[test]
fn the_number_of_rows_alone_may_drift() {
    let mut story = story(policy());
    story.fin(0, &[(None, Drift, &[])]);
    assert_eq!(story.fin(1, &[(None, Drift, &[])]), ["open@1 major whole [] since 0 r0"]);
    assert_eq!(story.fin(2, &[(None, Ok, &[])]), NOTHING);
}
