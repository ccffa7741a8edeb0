//! Rules and which of them wins: SEMANTICS S11.

use super::sheet::{SEGMENT, above, below};
use crate::error::{Error, ErrorKind};
use crate::kind::Kind;
use crate::metric::{self, Metric};
use crate::policy::{Bounds, Gate, On, Rule, RuleError, RuleSet, RuleSpec, Verdict};
use crate::statistic::Score;

const FEATURES: [(&str, Kind); 3] =
    [("delay", Kind::Numeric), ("distance", Kind::Numeric), ("origin", Kind::Categorical)];

fn names(list: &[&str]) -> Option<Vec<String>> {
    Some(list.iter().map(|name| (*name).to_owned()).collect())
}

fn refusal(spec: RuleSpec) -> String {
    Rule::new(spec).unwrap_err().to_string()
}

fn set(specs: Vec<RuleSpec>) -> Result<RuleSet, RuleError> {
    let rules = specs.into_iter().map(|spec| Rule::new(spec).unwrap()).collect();
    RuleSet::new(rules, &FEATURES, &[SEGMENT])
}

#[test]
fn s11_comparison_is_strict() {
    let rule = Rule::new(above(Metric::Ks, 0.1, 0.2)).unwrap();
    let grade = |x| rule.grade(&Score::of(x)).unwrap();
    assert_eq!(grade(0.1), Verdict::Ok);
    assert_eq!(grade(0.1f64.next_up()), Verdict::Warn);
    assert_eq!(grade(0.2), Verdict::Warn);
    assert_eq!(grade(0.2f64.next_up()), Verdict::Drift);
    let rule = Rule::new(below(Metric::RowCount, 1000.0, 10.0)).unwrap();
    let grade = |x| rule.grade(&Score::of(x)).unwrap();
    assert_eq!(grade(1000.0), Verdict::Ok);
    assert_eq!(grade(999.0), Verdict::Warn);
    assert_eq!(grade(10.0), Verdict::Warn);
    assert_eq!(grade(9.0), Verdict::Drift);
}

#[test]
fn s11_one_level_is_enough() {
    let drift_only = Rule::new(above(Metric::Psi, None, 0.2)).unwrap();
    let score = |x| Score { corrected: Some(x), ..Score::default() };
    assert_eq!(drift_only.grade(&score(0.15)), Some(Verdict::Ok));
    assert_eq!(drift_only.grade(&score(0.25)), Some(Verdict::Drift));
    let warn_only = Rule::new(above(Metric::Psi, 0.1, None)).unwrap();
    assert_eq!(warn_only.grade(&score(9.0)), Some(Verdict::Warn));
}

#[test]
fn s11_psi_and_kl_compare_corrected_others_value() {
    for metric in metric::ALL {
        let expected = if matches!(metric, Metric::Psi | Metric::Kl) { On::Corrected } else { On::Value };
        assert_eq!(Rule::new(above(metric, None, 0.5)).unwrap().on(), expected, "{metric}");
    }
    let score = Score { corrected: Some(0.05), ..Score::of(0.3) };
    let mut spec = above(Metric::Psi, None, 0.2);
    assert_eq!(Rule::new(spec.clone()).unwrap().grade(&score), Some(Verdict::Ok));
    spec.on = Some(On::Value);
    assert_eq!(Rule::new(spec).unwrap().grade(&score), Some(Verdict::Drift));
}

#[test]
fn s11_small_p_values_are_bad() {
    let spec = RuleSpec { on: Some(On::PValue), ..below(Metric::Ks, 0.01, 0.001) };
    let rule = Rule::new(spec).unwrap();
    let grade = |p| rule.grade(&Score { p_value: Some(p), ..Score::of(0.9) }).unwrap();
    assert_eq!(grade(0.01), Verdict::Ok);
    assert_eq!(grade(0.009), Verdict::Warn);
    assert_eq!(grade(0.0), Verdict::Drift);
    let upside_down = RuleSpec { on: Some(On::PValue), ..above(Metric::Ks, None, 0.05) };
    assert!(refusal(upside_down).contains("write `below: {drift: 0.001}`"));
}

#[test]
fn s11_below_is_for_what_is_bad_when_small() {
    for metric in metric::ALL {
        let is_accepted = Rule::new(below(metric, None, 0.5)).is_ok();
        assert_eq!(is_accepted, metric.is_rate() || metric == Metric::RowCount, "{metric}");
    }
    assert!(refusal(below(Metric::Psi, None, 0.5)).contains("a small `psi` is no sign of drift"));
}

#[test]
fn s11_both_directions_in_one_rule() {
    let mut spec = above(Metric::RowCount, 2000.0, None);
    spec.below = Bounds { warn: None, drift: Some(100.0) };
    let rule = Rule::new(spec.clone()).unwrap();
    let grade = |x| rule.grade(&Score::of(x)).unwrap();
    assert_eq!([grade(99.0), grade(500.0), grade(2001.0)], [Verdict::Drift, Verdict::Ok, Verdict::Warn]);
    spec.below.drift = Some(3000.0);
    assert!(refusal(spec).contains("fires for every value"));
}

#[test]
fn s11_signed_metrics_compare_their_size() {
    let rule = Rule::new(above(Metric::MeanShift, 0.1, 0.5)).unwrap();
    let grade = |x| rule.grade(&Score::of(x)).unwrap();
    assert_eq!([grade(-0.6), grade(0.6), grade(-0.2)], [Verdict::Drift, Verdict::Drift, Verdict::Warn]);
    assert!(refusal(above(Metric::SdShift, None, -0.5)).contains("is a number from `0` up"));
}

#[test]
fn s11_what_is_missing_never_breaches() {
    let rule = Rule::new(above(Metric::Ks, 0.0, 0.1)).unwrap();
    assert_eq!(rule.grade(&Score::none("no rows")), None);
    assert_eq!(rule.grade(&Score::of(f64::NAN)), None);
    let rule = Rule::new(above(Metric::Psi, None, 0.1)).unwrap();
    assert_eq!(rule.grade(&Score::of(0.9)), None, "no corrected value");
    let rule = Rule::new(RuleSpec { on: Some(On::PValue), ..below(Metric::Psi, None, 0.1) }).unwrap();
    assert_eq!(rule.grade(&Score { p_value: Some(f64::NAN), ..Score::of(0.9) }), None);
}

#[test]
fn s11_a_bound_outside_the_range_is_refused() {
    let outside = [
        above(Metric::Js, None, 1.0),
        above(Metric::Js, None, 1.5),
        above(Metric::Ks, -0.1, None),
        above(Metric::Psi, None, -1.0),
        above(Metric::Psi, None, f64::INFINITY),
        above(Metric::NullRate, None, 5.0),
        below(Metric::NullRate, None, 0.0),
        below(Metric::NullRate, None, 1.1),
        below(Metric::RowCount, None, 0.0),
        below(Metric::RowCount, None, f64::INFINITY),
        RuleSpec { on: Some(On::PValue), ..below(Metric::Psi, None, 0.0) },
        RuleSpec { on: Some(On::PValue), ..below(Metric::Psi, None, 2.0) },
    ];
    for spec in outside {
        let error = Rule::new(spec.clone()).unwrap_err();
        assert!(matches!(error, RuleError::OutOfRange { .. }), "{spec:?}: {error}");
    }
    let message = "`drift: 1.5` can never tell windows apart: the value of `js` lies between `0` and `1`";
    assert_eq!(refusal(above(Metric::Js, None, 1.5)), message);
    let message =
        "`drift: -1` can never tell windows apart: the corrected value of `psi` is a number from `0` up";
    assert_eq!(refusal(above(Metric::Psi, None, -1.0)), message);
    let inside = [
        above(Metric::NullRate, None, 0.0),
        above(Metric::Psi, None, 12.0),
        below(Metric::NullRate, None, 1.0),
        RuleSpec { on: Some(On::PValue), ..below(Metric::Psi, None, 1.0) },
    ];
    for spec in inside {
        assert!(Rule::new(spec.clone()).is_ok(), "{spec:?}");
    }
}

#[test]
fn s11_nan_is_no_bound() {
    for spec in [above(Metric::Psi, f64::NAN, 0.2), below(Metric::RowCount, None, f64::NAN)] {
        assert!(refusal(spec).ends_with("is not a number"));
    }
}

#[test]
fn s11_a_rule_needs_a_bound() {
    assert_eq!(
        refusal(RuleSpec::of(Metric::Psi)),
        "a rule on `psi` has no bound: give `warn`, `drift` or both"
    );
}

#[test]
fn s11_warn_beyond_drift_is_refused() {
    let expected =
        "`warn: 0.3` of the rule on `psi` lies beyond `drift: 0.2`: `warn` must not be greater than `drift`";
    assert_eq!(refusal(above(Metric::Psi, 0.3, 0.2)), expected);
    assert!(refusal(below(Metric::RowCount, 10.0, 20.0)).ends_with("`warn` must not be less than `drift`"));
    assert!(Rule::new(above(Metric::Psi, 0.2, 0.2)).is_ok());
}

#[test]
fn s11_only_psi_and_kl_are_corrected() {
    let spec = RuleSpec { on: Some(On::Corrected), ..above(Metric::Ks, None, 0.2) };
    assert!(refusal(spec).contains("only `psi` and `kl`"));
}

#[test]
fn s11_some_metrics_have_no_p_value() {
    let spec = |metric| RuleSpec { on: Some(On::PValue), ..below(metric, None, 0.01) };
    for metric in [Metric::Tvd, Metric::Linf, Metric::Wasserstein, Metric::WassersteinNormalized] {
        let expected = format!("`{metric}` has no p_value: bound its value, or the p_value of `psi` or `ks`");
        assert_eq!(refusal(spec(metric)), expected);
    }
    assert!(Rule::new(spec(Metric::Psi)).is_ok() && Rule::new(spec(Metric::RowCount)).is_ok());
}

#[test]
fn s11_lists_are_neither_empty_nor_repeated() {
    let with = |features, segments| RuleSpec { features, segments, ..above(Metric::Psi, None, 0.2) };
    assert!(refusal(with(names(&["a", "b", "a"]), None)).contains("`a` stands twice in `features`"));
    assert!(refusal(with(None, Some(vec![None, None]))).contains("`null` stands twice in `segments`"));
    assert!(refusal(with(Some(vec![]), None)).contains("`features` of the rule on `psi` is empty"));
    assert!(refusal(with(None, Some(vec![]))).contains("`segments` of the rule on `psi` is empty"));
}

#[test]
fn s11_row_count_belongs_to_the_window() {
    let spec = RuleSpec { features: names(&["delay"]), ..below(Metric::RowCount, None, 100.0) };
    assert!(refusal(spec).contains("leave `features` out"));
    assert!(set(vec![below(Metric::RowCount, None, 100.0)]).is_ok());
}

#[test]
fn s21_freshness_belongs_to_the_model() {
    let rule =
        |features, segments| RuleSpec { features, segments, ..above(Metric::Freshness, 600.0, 3600.0) };
    assert!(refusal(rule(names(&["delay"]), None)).contains("leave `features` out"));
    assert!(refusal(rule(None, Some(vec![Some(SEGMENT.to_owned())]))).contains("leave `segments` out"));
    assert!(refusal(below(Metric::Freshness, None, 10.0)).contains("no sign of drift"));
    let rules = set(vec![rule(None, None)]).unwrap();
    let grade = |age| rules.resolve(Metric::Freshness, None, None).unwrap().grade(&Score::of(age)).unwrap();
    assert_eq!(
        [600.0, 601.0, 3_600.0, 3_601.0].map(grade),
        [Verdict::Ok, Verdict::Warn, Verdict::Warn, Verdict::Drift]
    );
}

#[test]
fn s11_the_most_specific_rule_wins() {
    let psi = |drift, features, segments| RuleSpec { features, segments, ..above(Metric::Psi, None, drift) };
    let segment = || Some(vec![Some(SEGMENT.to_owned())]);
    // Most specific first, so that place cannot be what decides.
    let rules = set(vec![
        psi(0.4, names(&["delay"]), segment()),
        psi(0.3, None, segment()),
        psi(0.2, names(&["delay"]), None),
        psi(0.1, None, None),
    ])
    .unwrap();
    let drift =
        |feature, segment| rules.resolve(Metric::Psi, Some(feature), segment).unwrap().above().drift.unwrap();
    assert_eq!(drift("delay", Some(SEGMENT)), 0.4);
    assert_eq!(drift("distance", Some(SEGMENT)), 0.3);
    assert_eq!(drift("delay", None), 0.2);
    assert_eq!(drift("delay", Some("{\"a\":\"__other__\"}")), 0.2);
    assert_eq!(drift("distance", None), 0.1);
    assert_eq!(rules.resolve(Metric::Js, Some("delay"), None), None);

    let rules = set(vec![psi(0.3, None, segment()), psi(0.2, names(&["delay"]), None)]).unwrap();
    let rule = rules.resolve(Metric::Psi, Some("delay"), Some(SEGMENT)).unwrap();
    assert_eq!(rule.above().drift, Some(0.3), "a segment is more specific than a feature");
    assert!(!rules.is_empty() && RuleSet::default().is_empty());
}

#[test]
fn s11_the_later_of_equals_wins() {
    let rules =
        set(vec![above(Metric::Psi, 0.1, 0.2), above(Metric::Ks, None, 0.5), above(Metric::Psi, None, 0.3)])
            .unwrap();
    let rule = rules.resolve(Metric::Psi, Some("delay"), None).unwrap();
    assert_eq!(rule.above(), Bounds { warn: None, drift: Some(0.3) });
}

#[test]
fn s18_the_whole_can_be_named() {
    let rules = set(vec![RuleSpec { segments: Some(vec![None]), ..above(Metric::Psi, None, 0.2) }]).unwrap();
    assert!(rules.resolve(Metric::Psi, Some("delay"), None).is_some());
    assert!(rules.resolve(Metric::Psi, Some("delay"), Some(SEGMENT)).is_none());
}

#[test]
fn s11_a_rule_that_matches_nothing_is_refused() {
    let spec = RuleSpec { features: names(&["delay", "dely"]), ..above(Metric::Psi, None, 0.2) };
    let error = set(vec![above(Metric::Ks, None, 0.1), spec]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the rule on `psi` names the feature `dely`, which the model does not have"
    );
    assert_eq!(error.rule(), Some(1));
    let (wrong, right) = error.candidates().unwrap();
    assert_eq!((wrong, right), ("dely", &names(&["delay", "distance", "origin"]).unwrap()[..]));

    let spec =
        RuleSpec { segments: Some(vec![Some("{\"a\":\"2\"}".to_owned())]), ..above(Metric::Psi, None, 0.2) };
    let error = set(vec![spec]).unwrap_err();
    assert_eq!(error.candidates().unwrap().1, [SEGMENT.to_owned()]);

    let spec = RuleSpec { features: names(&["origin"]), ..above(Metric::Ks, None, 0.2) };
    let error = set(vec![spec]).unwrap_err();
    assert_eq!(error.to_string(), "`ks` is not computed for the categorical feature `origin`");
    assert_eq!(Error::from(error).kind(), ErrorKind::Plan);

    let rule = Rule::new(above(Metric::NewCategoryRate, None, 0.2)).unwrap();
    let error = RuleSet::new(vec![rule], &FEATURES[..2], &[]).unwrap_err();
    assert!(matches!(error, RuleError::MatchesNothing { rule: 0, metric: Metric::NewCategoryRate }));
}

#[test]
fn words_of_rules_parse_back() {
    for on in [On::Value, On::Corrected, On::PValue] {
        assert_eq!(On::parse(on.name()), Some(on));
    }
    assert_eq!(On::parse("p"), None);
    assert_eq!(Gate::parse("significance"), Some(Gate::Significance));
    assert_eq!(Gate::parse("none"), Some(Gate::None));
    assert_eq!(Gate::parse("default"), None);
}
