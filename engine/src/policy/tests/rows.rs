//! Minimum rows, and what is judged without them: SEMANTICS S6.

use super::sheet::{SEGMENT, Sheet, below, judge_all, policy};
use crate::metric::Metric;
use crate::policy::{FeatureInput, Policy, Verdict, VolumeInput, judge, judge_window, window_verdict};
use crate::statistic::Score;

#[test]
fn s6_two_hundred_rows_with_a_value_are_enough() {
    let sheet = |n| Sheet::numeric("x").rows(5_000, n).psi(0.5, 1e-9).ks(0.3, 1e-9);
    let enough = sheet(200).judged_by(&Policy::default());
    assert_eq!((enough.verdict, enough.missing_rows, enough.reason), (Verdict::Drift, None, None));
    let few = sheet(199).judged_by(&Policy::default());
    assert_eq!((few.verdict, few.missing_rows), (Verdict::Insufficient, Some(1)));
    assert_eq!(few.reason.as_deref(), Some("199 rows with a value, 200 are needed"));
    assert_eq!(few.q_value, None);
    assert_eq!(few.metrics[&Metric::Psi].verdict, Verdict::Insufficient);
}

#[test]
fn s6_the_model_says_how_many() {
    let sheet = Sheet::numeric("x").rows(300, 300).psi(0.5, 1e-9).ks(0.3, 1e-9);
    let verdict = |min_rows| sheet.judged_by(&Policy { min_rows, ..Policy::default() }).verdict;
    assert_eq!(verdict(301), Verdict::Insufficient);
    assert_eq!(verdict(300), Verdict::Drift);
    assert_eq!(verdict(0), Verdict::Drift);
}

#[test]
fn s6_a_segment_needs_a_thousand_baseline_rows() {
    let sheet = |n| Sheet::categorical("c").segment(SEGMENT).baseline(9_000, n).psi(0.5, 1e-9);
    assert_eq!(sheet(1_000).judged_by(&Policy::default()).verdict, Verdict::Drift);
    let few = sheet(999).judged_by(&Policy::default());
    assert_eq!((few.verdict, few.missing_rows), (Verdict::Insufficient, None));
    let reason = "999 rows with a value in the segment's baseline, 1000 are needed";
    assert_eq!(few.reason.as_deref(), Some(reason));
    let whole = Sheet::categorical("c").baseline(500, 500).psi(0.5, 1e-9);
    assert_eq!(whole.judged_by(&Policy::default()).verdict, Verdict::Drift, "the whole has no such minimum");
}

/// The distances of a column that turned all null cannot be judged; its null rate is, and must be heard.
#[test]
fn s6_a_column_that_turns_all_null_drifts() {
    let sheet = Sheet::numeric("x")
        .rows(5_000, 0)
        .score(Metric::Psi, Score::none("no rows with a value"))
        .score(Metric::Ks, Score::none("no rows with a value"))
        .rate(Metric::NullRate, 1.0, 0.02, 0.0)
        .rate(Metric::NanRate, 0.0, 0.0, 1.0);
    let verdict = sheet.judged_by(&Policy::default());
    assert_eq!(verdict.verdict, Verdict::Drift);
    assert_eq!(verdict.metrics[&Metric::NullRate].verdict, Verdict::Drift);
    assert_eq!(verdict.metrics[&Metric::Psi].verdict, Verdict::Insufficient);
    assert_eq!(verdict.missing_rows, Some(200));
    assert_eq!(verdict.reason.as_deref(), Some("0 rows with a value, 200 are needed"));
    assert_eq!(window_verdict([verdict.verdict]), Verdict::Drift);
}

#[test]
fn s6_a_column_that_turns_all_nan_drifts() {
    let sheet = Sheet::numeric("x").rows(5_000, 0).rate(Metric::NanRate, 1.0, 0.0, 0.0);
    assert_eq!(sheet.judged_by(&Policy::default()).verdict, Verdict::Drift);
}

/// A column that was always empty: its null rate is as ever, which says nothing of its values.
#[test]
fn s6_a_quiet_hard_check_does_not_vouch_for_the_values() {
    let sheet = Sheet::numeric("x").rows(5_000, 20).rate(Metric::NullRate, 0.996, 0.996, 0.9);
    let verdict = sheet.judged_by(&Policy::default());
    assert_eq!(verdict.metrics[&Metric::NullRate].verdict, Verdict::Ok);
    assert_eq!(verdict.verdict, Verdict::Insufficient);
    assert_eq!(verdict.missing_rows, Some(180));
}

/// A handful of rows proves nothing of a rate either.
#[test]
fn s6_hard_checks_need_as_many_rows() {
    let sheet = |rows| Sheet::numeric("x").rows(rows, 0).rate(Metric::NullRate, 1.0, 0.0, 1e-9);
    assert_eq!(sheet(199).judged_by(&Policy::default()).verdict, Verdict::Insufficient);
    assert_eq!(sheet(200).judged_by(&Policy::default()).verdict, Verdict::Drift);
    let segment = |rows| sheet(5_000).segment(SEGMENT).baseline(rows, 0);
    assert_eq!(segment(999).judged_by(&Policy::default()).verdict, Verdict::Insufficient);
    assert_eq!(segment(1_000).judged_by(&Policy::default()).verdict, Verdict::Drift);
}

#[test]
fn s6_rates_of_values_need_rows_with_a_value() {
    let sheet = Sheet::categorical("c").rows(5_000, 100).rate(Metric::NewCategoryRate, 0.9, 0.0, 0.0);
    assert_eq!(sheet.judged_by(&Policy::default()).verdict, Verdict::Insufficient);
}

#[test]
fn s13_an_empty_window_is_insufficient() {
    let sheet = Sheet::numeric("x").rows(0, 0);
    let verdict = sheet.judged_by(&Policy::default());
    assert_eq!(verdict.verdict, Verdict::Insufficient);
    assert_eq!(verdict.reason.as_deref(), Some("0 rows with a value, 200 are needed"));
    assert!(verdict.metrics.is_empty());
}

#[test]
fn s21_an_empty_window_can_break_a_row_count_rule() {
    let policy = policy([below(Metric::RowCount, 1_000.0, 10.0)]);
    let empty = Sheet::numeric("x").rows(0, 0);
    let count = Score::of(0.0);
    let judgement = judge_window(&policy, &[empty.input()], &[VolumeInput { segment: None, score: &count }]);
    let volume = judgement.volumes[0].as_ref().unwrap();
    assert_eq!(volume.verdict, Verdict::Drift);
    assert_eq!(window_verdict([judgement.features[0].verdict, volume.verdict]), Verdict::Drift);
}

/// Rows are counted, not sampled: a row count rule asks for no significance, however few the rows.
#[test]
fn s21_a_row_count_rule_has_no_gate() {
    let policy = policy([below(Metric::RowCount, None, 1_000.0)]);
    let score = Score { p_value: Some(0.9), ..Score::of(300.0) };
    let judgement = judge_window(&policy, &[], &[VolumeInput { segment: None, score: &score }]);
    let volume = judgement.volumes[0].as_ref().unwrap();
    assert_eq!((volume.verdict, volume.held_back, volume.q_value), (Verdict::Drift, None, Some(0.9)));
}

#[test]
fn s21_row_count_without_rule_is_judged_by_its_p_value() {
    let volume = |p_value| {
        let score = Score { p_value, ..Score::of(3.0) };
        let judgement =
            judge_window(&Policy::default(), &[], &[VolumeInput { segment: None, score: &score }]);
        judgement.volumes.into_iter().next().unwrap()
    };
    assert_eq!(volume(None), None, "too few baseline panes: only by an explicit threshold");
    assert_eq!(volume(Some(0.2)).unwrap().verdict, Verdict::Ok);
    let surprising = volume(Some(1e-6)).unwrap();
    assert_eq!((surprising.verdict, surprising.q_value), (Verdict::Warn, Some(1e-6)));
}

#[test]
fn errors_and_skips_say_why_and_stay_outside() {
    let sheet = Sheet::numeric("x").psi(0.5, 1e-9).ks(0.3, 1e-9);
    let lost = FeatureInput { error: Some("the window has no column `x`"), ..sheet.input() };
    let dated = FeatureInput { skipped: Some("a date"), ..sheet.input() };
    let verdicts = judge(&Policy::default(), &[lost, dated]);
    assert_eq!(verdicts[0].verdict, Verdict::Error);
    assert_eq!(verdicts[0].reason.as_deref(), Some("the window has no column `x`"));
    assert_eq!(verdicts[1].verdict, Verdict::Skipped);
    assert_eq!(verdicts[1].reason.as_deref(), Some("a date"));
    assert!(verdicts.iter().all(|v| v.q_value.is_none() && v.metrics.is_empty()));
}

#[test]
fn s9_insufficient_features_do_not_dilute_the_family() {
    let loud = Sheet::numeric("x").psi(0.5, 0.01).ks(0.3, 0.01);
    let alone = loud.judged_by(&Policy::default());
    assert_eq!((alone.verdict, alone.q_value), (Verdict::Drift, Some(0.02)));
    let mut sheets = vec![loud];
    sheets.extend((0..50).map(|i| Sheet::numeric(&format!("sparse{i}")).rows(5_000, 10).psi(0.0, 1.0)));
    let among = judge_all(&Policy::default(), &sheets);
    assert_eq!(among[0], alone);
}

#[test]
fn s9_hard_checks_without_enough_rows_do_not_dilute_theirs() {
    let loud = Sheet::categorical("c").psi(0.0, 1.0).rate(Metric::NullRate, 0.2, 0.0, 0.04);
    let mut sheets = vec![loud];
    sheets.extend((0..50).map(|i| {
        Sheet::categorical(&format!("sparse{i}")).rows(10, 10).rate(Metric::NullRate, 0.0, 0.0, 1.0)
    }));
    let among = judge_all(&Policy::default(), &sheets);
    assert_eq!((among[0].verdict, among[0].metrics[&Metric::NullRate].q_value), (Verdict::Drift, Some(0.04)));
}
