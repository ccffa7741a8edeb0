//! The default policy (algorithms as in `docs/verdicts.md`) and rules at work: SEMANTICS S3a, S9, S11.

use super::sheet::{SEGMENT, Sheet, above, below, judge_all, policy};
use crate::metric::Metric;
use crate::policy::{Gate, On, Policy, RuleSpec, ThresholdSource, Verdict};
use crate::statistic::Score;

use Verdict::{Drift, Info, Insufficient, Ok, Warn};

fn by_default(sheet: &Sheet) -> Verdict {
    sheet.judged_by(&Policy::default()).verdict
}

#[test]
fn defaults_grade_a_significant_change_by_its_size() {
    // Corrected psi, ks, verdict.
    let table = [
        (0.0, 0.0, Info),
        (0.099, 0.099, Info),
        (0.1, 0.0, Warn),
        (0.0, 0.1, Warn),
        (0.199, 0.149, Warn),
        (0.2, 0.0, Drift),
        (0.0, 0.15, Drift),
        (3.0, 1.0, Drift),
    ];
    for (psi, ks, expected) in table {
        let sheet = Sheet::numeric("x").psi(psi, 1e-6).ks(ks, 0.8);
        assert_eq!(by_default(&sheet), expected, "psi {psi}, ks {ks}");
    }
    for (psi, expected) in [(0.05, Info), (0.1, Warn), (0.2, Drift)] {
        assert_eq!(by_default(&Sheet::categorical("c").psi(psi, 1e-6)), expected, "psi {psi}");
    }
}

#[test]
fn defaults_ask_for_evidence_before_size() {
    assert_eq!(by_default(&Sheet::numeric("x").psi(3.0, 0.3).ks(0.9, 0.3)), Ok);
    assert_eq!(by_default(&Sheet::categorical("c").psi(3.0, 0.051)), Ok);
    assert_eq!(by_default(&Sheet::categorical("c").psi(3.0, 0.05)), Drift);
}

#[test]
fn s9_a_numeric_feature_pays_for_its_two_tests() {
    let sheet = |p| Sheet::numeric("x").psi(0.5, p).ks(0.0, 1.0);
    assert_eq!(by_default(&sheet(0.025)), Drift);
    assert_eq!(by_default(&sheet(0.026)), Ok);
}

#[test]
fn defaults_show_their_bounds() {
    let verdict = Sheet::numeric("x").psi(0.3, 1e-6).ks(0.12, 1e-6).judged_by(&Policy::default());
    let psi = &verdict.metrics[&Metric::Psi];
    assert_eq!((psi.source, psi.applied.on), (ThresholdSource::Default, On::Corrected));
    assert_eq!((psi.applied.above.warn, psi.applied.above.drift), (Some(0.1), Some(0.2)));
    let ks = &verdict.metrics[&Metric::Ks];
    assert_eq!((ks.verdict, ks.applied.above.warn, ks.applied.above.drift), (Warn, Some(0.1), Some(0.15)));
    assert_eq!((verdict.q_value, psi.q_value, ks.q_value), (Some(2e-6), Some(2e-6), Some(2e-6)));
    assert!(verdict.calibrated);
}

#[test]
fn metrics_that_are_only_shown_have_no_verdict() {
    let sheet = Sheet::numeric("x").psi(0.0, 1.0).ks(0.0, 1.0).score(Metric::Js, Score::of(0.9));
    let verdict = sheet.judged_by(&Policy::default());
    assert_eq!(verdict.verdict, Ok);
    assert_eq!(verdict.metrics.keys().copied().collect::<Vec<_>>(), [Metric::Psi, Metric::Ks]);
}

#[test]
fn s9_one_family_holds_all_features_and_segments_of_a_window() {
    // p = 0.04 alone is significant; among 20 quiet ones it is not, whether they are features or segments.
    let loud = Sheet::categorical("c").psi(0.5, 0.04);
    assert_eq!(by_default(&loud), Drift);
    let quiet = |i: usize| Sheet::categorical(&format!("q{i}")).psi(0.0, 0.9);
    let mut features = vec![loud.clone()];
    features.extend((0..20).map(quiet));
    assert_eq!(judge_all(&Policy::default(), &features)[0].verdict, Ok);
    let mut segments = vec![loud];
    segments.extend((0..20).map(|i| quiet(0).segment(&format!("{{\"a\":\"{i}\"}}"))));
    let verdicts = judge_all(&Policy::default(), &segments);
    assert_eq!(verdicts[0].verdict, Ok);
    assert_eq!(verdicts[0].q_value, Some(0.04 * 21.0));
}

#[test]
fn s9_hard_checks_are_a_family_of_their_own() {
    let spoilt = Sheet::categorical("c").psi(0.0, 1.0).rate(Metric::NullRate, 0.2, 0.0, 0.04);
    let mut sheets = vec![spoilt];
    sheets.extend((0..50).map(|i| Sheet::categorical(&format!("q{i}")).psi(0.0, 0.9)));
    let among = judge_all(&Policy::default(), &sheets);
    assert_eq!(among[0].metrics[&Metric::NullRate].q_value, Some(0.04));
    assert_eq!(among[0].verdict, Drift);
    // And the other way round: many hard checks do not dilute the features.
    let mut sheets = vec![Sheet::categorical("c").psi(0.5, 0.04)];
    sheets.extend(
        (0..50).map(|i| {
            Sheet::categorical(&format!("q{i}")).rows(5_000, 10).rate(Metric::NullRate, 0.0, 0.0, 1.0)
        }),
    );
    assert_eq!(judge_all(&Policy::default(), &sheets)[0].verdict, Drift);
}

#[test]
fn s9_hard_checks_share_one_family() {
    let mut sheets = vec![Sheet::categorical("c").psi(0.0, 1.0).rate(Metric::NullRate, 0.2, 0.0, 0.04)];
    sheets.extend((0..20).map(|i| {
        let sheet = Sheet::categorical(&format!("q{i}")).psi(0.0, 1.0);
        sheet.rate(Metric::NewCategoryRate, 0.0, 0.0, 0.9)
    }));
    assert_eq!(judge_all(&Policy::default(), &sheets)[0].verdict, Ok);
}

#[test]
fn s3a_a_rejected_rate_warns_and_drifts_beyond_five_points() {
    for metric in [Metric::NullRate, Metric::TypeErrorRate, Metric::NewCategoryRate] {
        let sheet = |q, p_effect| Sheet::categorical("c").psi(0.0, 1.0).rate(metric, q, 0.25, p_effect);
        assert_eq!(by_default(&sheet(0.30, 1e-6)), Warn, "{metric}: five points exactly");
        assert_eq!(by_default(&sheet(0.31, 1e-6)), Drift, "{metric}");
        assert_eq!(by_default(&sheet(0.27, 1e-6)), Warn, "{metric}");
        assert_eq!(by_default(&sheet(0.90, 0.06)), Ok, "{metric}: not rejected");
        let verdict = sheet(0.31, 1e-6).metric(&Policy::default(), metric);
        assert_eq!((verdict.applied.above.warn, verdict.applied.above.drift), (None, Some(0.30)));
    }
    for metric in [Metric::OutOfRangeRate, Metric::NanRate] {
        let sheet = Sheet::numeric("x").psi(0.0, 1.0).ks(0.0, 1.0).rate(metric, 0.4, 0.0, 1e-6);
        assert_eq!(by_default(&sheet), Drift, "{metric}");
    }
}

#[test]
fn s3a_without_the_baseline_s_rate_a_rejected_rate_warns() {
    let score = Score { p_effect: Some(1e-9), ..Score::of(0.9) };
    assert_eq!(by_default(&Sheet::categorical("c").psi(0.0, 1.0).score(Metric::NullRate, score)), Warn);
}

#[test]
fn a_metric_without_a_value_never_breaches() {
    let none = Score { p_effect: Some(0.0), ..Score::none("one cell") };
    let constant = Sheet::numeric("x").score(Metric::Psi, none.clone()).ks(0.01, 0.9);
    let verdict = constant.judged_by(&Policy::default());
    assert_eq!((verdict.verdict, verdict.q_value), (Ok, Some(0.9)), "its p is no evidence either");
    assert_eq!(verdict.metrics[&Metric::Psi].verdict, Insufficient);
    assert_eq!(verdict.metrics[&Metric::Psi].reason.as_deref(), Some("one cell"));
    let nan = Score { corrected: Some(f64::NAN), p_effect: Some(f64::NAN), ..Score::of(f64::NAN) };
    let verdict =
        Sheet::categorical("c").score(Metric::Psi, nan).judged_by(&policy([above(Metric::Psi, 0.0, 0.1)]));
    assert_eq!(verdict.verdict, Insufficient);
    assert_eq!(verdict.reason.as_deref(), Some("`psi` has no corrected"));
}

#[test]
fn s11_a_rule_on_a_p_value_that_is_not_there_says_why() {
    let reason = "too few rows for a p-value";
    let score = Score { reason: Some(reason), p_effect: Some(1e-9), corrected: Some(0.3), ..Score::of(0.3) };
    let sheet = Sheet::categorical("c").score(Metric::Psi, score);
    let found =
        sheet.judged_by(&policy([RuleSpec { on: Some(On::PValue), ..below(Metric::Psi, 0.05, 0.01) }]));
    let psi = &found.metrics[&Metric::Psi];
    assert_eq!((psi.verdict, psi.reason.as_deref()), (Insufficient, Some(reason)));
    // Everything else has the minimum effect's p: the default policy, and a rule gated by significance.
    assert_eq!(by_default(&sheet), Drift);
    assert_eq!(sheet.judged_by(&policy([above(Metric::Psi, None, 0.2)])).verdict, Drift);
}

/// A constant category has one cell and no psi; its hard check sees every value.
#[test]
fn s10_a_constant_category_is_vouched_for_by_its_hard_check() {
    let constant = |q, p_effect| {
        Sheet::categorical("c").score(Metric::Psi, Score::none("fewer than two cells")).rate(
            Metric::NewCategoryRate,
            q,
            0.0,
            p_effect,
        )
    };
    let calm = constant(0.0, 1.0).judged_by(&Policy::default());
    assert_eq!((calm.verdict, calm.reason), (Ok, None));
    assert_eq!(by_default(&constant(0.5, 1e-9)), Drift);
}

#[test]
fn s10_nothing_to_compare_is_insufficient_and_says_why() {
    let verdict = Sheet::categorical("c")
        .score(Metric::Psi, Score::none("fewer than two cells"))
        .rate(Metric::NullRate, 0.0, 0.0, 1.0)
        .judged_by(&Policy::default());
    assert_eq!(verdict.verdict, Insufficient);
    assert_eq!(verdict.reason.as_deref(), Some("fewer than two cells"));
    assert_eq!(verdict.missing_rows, None);
}

#[test]
fn s11_a_rule_replaces_the_default_for_its_metric_alone() {
    let policy = policy([above(Metric::Psi, None, 0.5)]);
    let sheet = Sheet::numeric("x").psi(0.3, 1e-9).ks(0.05, 1e-9);
    assert_eq!(by_default(&sheet), Drift);
    let verdict = sheet.judged_by(&policy);
    assert_eq!(verdict.verdict, Info, "ks is still judged by default");
    assert_eq!(verdict.metrics[&Metric::Psi].verdict, Ok);
    assert_eq!(verdict.metrics[&Metric::Psi].source, ThresholdSource::Model);
    assert_eq!(verdict.metrics[&Metric::Psi].applied.above.drift, Some(0.5));
    assert_eq!(verdict.metrics[&Metric::Ks].source, ThresholdSource::Default);
}

#[test]
fn s11_a_rule_needs_no_significance_from_a_thousand_rows_on() {
    let policy = policy([above(Metric::Js, None, 0.1)]);
    let sheet = |n| {
        let sheet = Sheet::numeric("x").rows(5_000, n).psi(0.0, 0.8).ks(0.0, 0.8);
        sheet.score(Metric::Js, Score::of(0.15)).metric(&policy, Metric::Js)
    };
    assert_eq!((sheet(1_000).verdict, sheet(1_000).held_back), (Drift, None));
    let held = sheet(999);
    assert_eq!((held.verdict, held.held_back), (Ok, Some(Drift)));
    assert_eq!(held.reason.as_deref(), Some("`drift` by its bound, but not significant in `999` rows"));
    assert_eq!(held.q_value, None, "js takes part in no test of its own");
}

#[test]
fn s11_a_small_window_with_evidence_breaks_the_rule() {
    let policy = policy([above(Metric::Js, None, 0.1)]);
    let sheet =
        Sheet::numeric("x").rows(300, 300).psi(0.05, 1e-4).ks(0.0, 0.8).score(Metric::Js, Score::of(0.15));
    assert_eq!(sheet.judged_by(&policy).verdict, Drift);
}

#[test]
fn s11_the_gate_can_be_set() {
    let verdict = |gate, n, p| {
        let policy = policy([RuleSpec { gate, ..above(Metric::Ks, None, 0.1) }]);
        Sheet::numeric("x").rows(n, n).psi(0.0, 1.0).ks(0.4, p).metric(&policy, Metric::Ks).verdict
    };
    assert_eq!(verdict(Gate::None, 200, 0.9), Drift);
    assert_eq!(verdict(Gate::Significance, 100_000, 0.9), Ok);
    assert_eq!(verdict(Gate::Significance, 100_000, 1e-9), Drift);
    assert_eq!(verdict(Gate::SmallWindows, 200, 0.9), Ok);
    assert_eq!(verdict(Gate::SmallWindows, 200, 1e-9), Drift);
}

#[test]
fn s11_a_gate_without_a_test_is_open_unless_the_rule_set_it() {
    let verdict = |gate| {
        let policy = policy([RuleSpec { gate, ..above(Metric::Wasserstein, None, 1.0) }]);
        let sheet = Sheet::numeric("x").rows(300, 300).score(Metric::Wasserstein, Score::of(2.0));
        sheet.metric(&policy, Metric::Wasserstein).verdict
    };
    assert_eq!(verdict(Gate::SmallWindows), Drift);
    assert_eq!(verdict(Gate::Significance), Ok);
}

#[test]
fn s11_a_rate_s_gate_is_its_own_test() {
    let policy = policy([above(Metric::NullRate, None, 0.1)]);
    let sheet = |p_effect| {
        let sheet = Sheet::numeric("x").rows(400, 300).psi(0.0, 1.0).ks(0.0, 1.0);
        sheet.rate(Metric::NullRate, 0.25, 0.2, p_effect).metric(&policy, Metric::NullRate)
    };
    assert_eq!((sheet(0.001).verdict, sheet(0.001).q_value), (Drift, Some(0.001)));
    assert_eq!(sheet(0.2).verdict, Ok);
}

#[test]
fn s11_a_p_value_rule_is_its_own_evidence() {
    let policy = policy([RuleSpec { on: Some(On::PValue), ..below(Metric::Ks, None, 0.01) }]);
    let ks = Score { p_value: Some(0.001), p_effect: Some(0.9), ..Score::of(0.1) };
    let sheet = Sheet::numeric("x").rows(300, 300).psi(0.0, 1.0).score(Metric::Ks, ks);
    assert_eq!(sheet.judged_by(&policy).verdict, Drift);
}

#[test]
fn s11_rules_of_segments_hold_there() {
    let spec = RuleSpec { segments: Some(vec![Some(SEGMENT.to_owned())]), ..above(Metric::Psi, None, 0.5) };
    let policy = policy([spec]);
    let whole = Sheet::categorical("c").psi(0.3, 1e-9);
    let segment = whole.clone().segment(SEGMENT);
    let verdicts = judge_all(&policy, &[whole, segment]);
    assert_eq!((verdicts[0].verdict, verdicts[1].verdict), (Drift, Ok));
}

#[test]
fn s11_a_rule_on_what_was_not_measured_is_insufficient() {
    let verdict = Sheet::numeric("x")
        .psi(0.0, 1.0)
        .ks(0.0, 1.0)
        .metric(&policy([above(Metric::Kl, None, 0.5)]), Metric::Kl);
    assert_eq!((verdict.verdict, verdict.reason.as_deref()), (Insufficient, Some("`kl` was not measured")));
}

#[test]
fn verdicts_come_in_the_order_of_the_inputs() {
    let sheets: Vec<Sheet> = (0..30)
        .map(|i| Sheet::categorical(&format!("c{i}")).psi(f64::from(i) / 100.0, 1e-6 * f64::from(i + 1)))
        .collect();
    let forward = judge_all(&Policy::default(), &sheets);
    let reversed: Vec<Sheet> = sheets.into_iter().rev().collect();
    let mut backward = judge_all(&Policy::default(), &reversed);
    backward.reverse();
    assert_eq!(forward, backward);
    assert_eq!((forward[0].verdict, forward[15].verdict, forward[25].verdict), (Info, Warn, Drift));
}
