//! Families of tests: SEMANTICS S9.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::kind::Kind;
use crate::metric::Metric;
use crate::policy::{benjamini_hochberg, feature_p, hard_p};
use crate::splitmix;
use crate::statistic::Score;

#[test]
fn s9_q_values_agree_with_scipy() {
    let answers = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/oracle/policy.json"));
    let answers: serde_json::Value = serde_json::from_str(answers).unwrap();
    let cases = answers["families"].as_array().unwrap();
    assert_eq!(cases.len(), 18);
    for case in cases {
        let numbers = |key: &str| -> Vec<f64> {
            case[key].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
        };
        let p: Vec<Option<f64>> = numbers("p").into_iter().map(Some).collect();
        let q = benjamini_hochberg(&p);
        for (q, expected) in q.iter().zip(numbers("q")) {
            let q = q.unwrap();
            assert!((q - expected).abs() <= 1e-14 * expected, "{q} is not {expected} in {case}");
        }
    }
}

#[test]
fn s9_members_without_a_p_value_stay_outside() {
    let alone = benjamini_hochberg(&[Some(0.04), Some(0.03)]);
    let among = benjamini_hochberg(&[None, Some(0.04), Some(f64::NAN), Some(0.03), None]);
    assert_eq!(among, [None, alone[0], None, alone[1], None]);
    assert_eq!(benjamini_hochberg(&[]), []);
    assert_eq!(benjamini_hochberg(&[None]), [None]);
}

#[test]
fn s9_the_p_of_a_feature() {
    let score = |p_effect: Option<f64>| Score { p_effect, p_value: Some(1e-9), ..Score::of(0.3) };
    let scores = |psi: Option<f64>, ks: Option<f64>| {
        BTreeMap::from([(Metric::Psi, score(psi)), (Metric::Ks, score(ks)), (Metric::Js, score(Some(1e-9)))])
    };
    let numeric = |psi, ks| feature_p(Kind::Numeric, &scores(psi, ks));
    assert_eq!(numeric(Some(0.01), Some(0.2)), Some(0.02));
    assert_eq!(numeric(Some(0.3), Some(0.002)), Some(0.004));
    assert_eq!(numeric(Some(0.8), Some(0.7)), Some(1.0));
    assert_eq!(numeric(None, Some(0.2)), Some(0.2));
    assert_eq!(numeric(Some(f64::NAN), Some(0.2)), Some(0.2));
    assert_eq!(numeric(None, None), None);
    assert_eq!(feature_p(Kind::Categorical, &scores(Some(0.01), Some(1e-5))), Some(0.01));
    assert_eq!(feature_p(Kind::Embedding, &scores(Some(0.01), Some(1e-5))), None);
}

#[test]
fn s9_hard_checks_bring_their_own_p() {
    let score = Score { p_effect: Some(0.1), p_value: Some(0.2), ..Score::of(0.3) };
    assert_eq!(hard_p(Metric::NullRate, &score), Some(0.1));
    assert_eq!(hard_p(Metric::NewCategoryRate, &score), Some(0.1));
    assert_eq!(hard_p(Metric::RowCount, &score), Some(0.2));
    assert_eq!(hard_p(Metric::Psi, &score), None);
}

/// Forty clean features, 20,000 windows: at most one window in twenty has a rejection. One in four or more would
/// without the correction (1 - 0.95^40 = 87 %).
#[test]
fn s9_clean_windows_stay_quiet() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut uniform = || (splitmix::next(&mut state) >> 11) as f64 / (1u64 << 53) as f64;
    let (mut noisy, mut uncorrected) = (0, 0);
    for _ in 0..20_000 {
        let p: Vec<Option<f64>> = (0..40).map(|_| Some(uniform())).collect();
        uncorrected += usize::from(p.iter().any(|p| p.unwrap() <= 0.05));
        noisy += usize::from(benjamini_hochberg(&p).iter().any(|q| q.unwrap() <= 0.05));
    }
    // 5 % of 20,000 is 1,000, with a standard deviation of 31.
    assert!((880..=1_120).contains(&noisy), "{noisy} of 20000 windows");
    assert!(uncorrected > 17_000, "{uncorrected} of 20000 windows");
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(9),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// The textbook: reject the k smallest, for the largest k with p_(k) <= level k / m.
    #[test]
    fn s9_rejections_are_those_of_the_step_up_procedure(
        p in prop::collection::vec(prop_oneof![0.0..1.0f64, 0.0..0.1f64, 0.0..0.001f64], 1..60),
        level in prop_oneof![Just(0.05), 0.001..0.9f64],
    ) {
        let mut sorted = p.clone();
        sorted.sort_by(f64::total_cmp);
        let m = p.len() as f64;
        let n_rejected = (1..=p.len()).filter(|&k| sorted[k - 1] * (m / k as f64) <= level).max().unwrap_or(0);
        let q = benjamini_hochberg(&p.iter().copied().map(Some).collect::<Vec<_>>());
        prop_assert_eq!(q.iter().filter(|q| q.unwrap() <= level).count(), n_rejected);
        for (p_i, q_i) in p.iter().zip(&q) {
            prop_assert!(q_i.unwrap() >= *p_i && q_i.unwrap() <= 1.0);
            for (p_j, q_j) in p.iter().zip(&q) {
                prop_assert!(p_i > p_j || q_i.unwrap() <= q_j.unwrap());
            }
        }
    }

    /// The order of the features is no evidence.
    #[test]
    fn s9_order_changes_nothing(p in prop::collection::vec(0.0..1.0f64, 1..40), by in 0usize..40) {
        let p: Vec<Option<f64>> = p.into_iter().map(Some).collect();
        let mut rotated = p.clone();
        rotated.rotate_left(by % p.len());
        let mut q = benjamini_hochberg(&p);
        q.rotate_left(by % p.len());
        prop_assert_eq!(benjamini_hochberg(&rotated), q);
    }
}
