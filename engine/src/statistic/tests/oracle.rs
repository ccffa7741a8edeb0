//! Values against scipy's and mpmath's, stored by `fixtures/oracle/statistics.py`.

use serde_json::Value;

use super::cut::Cut;
use crate::Metric;
use crate::statistic::p_value::beta::melded;
use crate::statistic::rate::ScoreTest;
use crate::statistic::{
    Moments, RATE_EFFECT, Score, chi2, hellinger, js, kl, ks, linf, mean_shift, psi, significance, tvd,
};

pub(super) fn stored(text: &str) -> Value {
    serde_json::from_str(text).expect("the fixture is JSON")
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().expect("the fixture holds a list")
}

pub(super) fn number(value: &Value) -> f64 {
    value.as_f64().expect("the fixture holds a number")
}

pub(super) fn count(value: &Value) -> u64 {
    value.as_u64().expect("the fixture holds a count")
}

/// `relative` applies to everything above the smallest normal double.
#[track_caller]
pub(super) fn near(ours: f64, theirs: f64, relative: f64, what: &str) {
    let allowed = relative * theirs.abs() + f64::MIN_POSITIVE;
    assert!((ours - theirs).abs() <= allowed, "{what}: {ours:e} is not {theirs:e}");
}

#[test]
fn divergences_agree_to_1e_12() {
    let file = stored(include_str!("../../../../fixtures/oracle/divergences.json"));
    let counts = |value: &Value| list(value).iter().map(count).collect::<Vec<_>>();
    let cases = list(&file["cases"]);
    assert!(cases.len() > 30);
    for case in cases {
        let (b, w) = (counts(&case["baseline"]), counts(&case["window"]));
        let name = case["name"].as_str().unwrap_or_default();
        let check = |metric: Metric, score: Score, key: &str| {
            let score = significance::test(metric, score, 1.0);
            let what = format!("{key} of `{name}`");
            let value = score.value.expect("the case can be compared");
            near(value, number(&case[key]), 1e-12, &what);
            let corrected = &case[format!("{key}_corrected")];
            if !corrected.is_null() {
                let ours = score.corrected.expect("psi and kl are corrected");
                assert!((ours - number(corrected)).abs() <= 1e-12 * value, "{what}, corrected: {ours:e}");
            }
            let p = &case[format!("{key}_p")];
            if !p.is_null() {
                near(score.p_value.expect("the metric has a test"), number(p), 1e-9, &what);
            }
            if let Some(effect) = case[format!("{key}_effect")].as_f64() {
                near(score.p_effect.expect("psi has a minimum effect"), effect, 1e-9, &what);
            }
        };
        check(Metric::Psi, psi(&b, &w), "psi");
        check(Metric::Kl, kl(&b, &w), "kl");
        check(Metric::Js, js(&b, &w), "js");
        check(Metric::Hellinger, hellinger(&b, &w), "hellinger");
        check(Metric::Tvd, tvd(&b, &w), "tvd");
        check(Metric::Linf, linf(&b, &w), "linf");
        check(Metric::Chi2, chi2(&b, &w), "chi2");
    }
}

#[test]
fn ks_and_wasserstein_agree_with_the_raw_samples() {
    let file = stored(include_str!("../../../../fixtures/oracle/samples.json"));
    let values = |value: &Value| list(value).iter().map(number).collect::<Vec<_>>();
    for group in list(&file["groups"]) {
        let baseline = values(&group["baseline"]);
        for case in list(&group["windows"]) {
            let window = values(&case["window"]);
            let what = format!("{} {}", group["name"], case["name"]);
            let (d, w1) = (number(&case["d"]), number(&case["w1"]));

            let cut = Cut::exact(&baseline, &window);
            let exact = ks(&cut.baseline, &cut.window, &cut.is_atom).expect("both sides hold rows");
            assert!((exact.d - d).abs() <= 1e-15, "{what}: {} is not {d}", exact.d);
            assert_eq!(exact.d.to_bits(), exact.high.to_bits(), "{what}: all baseline values are atoms");
            assert!((exact.d_plus - number(&case["d_plus"])).abs() <= 1e-15, "{what}");
            assert!((exact.d_minus - number(&case["d_minus"])).abs() <= 1e-15, "{what}");
            let score = significance::test(Metric::Ks, exact.score(), 1.0);
            near(score.p_value.expect("ks has a test"), number(&case["p"]), 1e-9, &what);
            contains(&cut.wasserstein(), w1, &what);

            for cuts in [4, 16, 100, 512] {
                let what = format!("{what} with {cuts} cuts");
                let cut = Cut::compressed(&baseline, &window, cuts);
                let open = ks(&cut.baseline, &cut.window, &cut.is_atom).expect("both sides hold rows");
                assert!(open.d <= d + 1e-15 && d <= open.high + 1e-15, "{what}: {open:?} without {d}");
                contains(&cut.wasserstein(), w1, &what);
            }
        }
    }
}

/// The interval must hold the truth; the truth's own rounding is that of scipy's sum.
#[track_caller]
fn contains(score: &Score, truth: f64, what: &str) {
    let (low, high) = (score.low.expect("low"), score.high.expect("high"));
    let value = score.value.expect("value");
    let rounding = 1e-12 * truth;
    assert!(low <= value && value <= high, "{what}: {score:?}");
    assert!(low <= truth + rounding && truth - rounding <= high, "{what}: {score:?} without {truth:e}");
}

#[test]
fn without_new_values_the_wasserstein_interval_is_a_point() {
    let file = stored(include_str!("../../../../fixtures/oracle/samples.json"));
    let values = |value: &Value| list(value).iter().map(number).collect::<Vec<_>>();
    for group in list(&file["groups"]) {
        let baseline = values(&group["baseline"]);
        for case in list(&group["windows"]).iter().filter(|case| case["name"] == "itself") {
            let cut = Cut::exact(&baseline, &values(&case["window"]));
            let score = cut.wasserstein();
            let truth = number(&case["w1"]);
            let reach = baseline.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
            let width = score.high.unwrap() - score.low.unwrap();
            assert!(width <= 1e-11 * truth + 4e-15 * reach, "{}: {score:?}", group["name"]);
            // scipy's own sum rounds values of the size of `reach`.
            let error = (score.value.unwrap() - truth).abs();
            assert!(error <= 1e-10 * truth + 4e-15 * reach, "{}: {score:?} {truth}", group["name"]);
        }
    }
}

#[test]
fn the_wasserstein_estimate_is_close_where_cells_are_many() {
    let file = stored(include_str!("../../../../fixtures/oracle/samples.json"));
    let values = |value: &Value| list(value).iter().map(number).collect::<Vec<_>>();
    let mut seen = 0;
    for group in list(&file["groups"]).iter().filter(|group| group["name"] == "normal") {
        let baseline = values(&group["baseline"]);
        for case in list(&group["windows"]) {
            if ["null", "shifted", "spread"].iter().any(|name| case["name"] == **name) {
                let cut = Cut::compressed(&baseline, &values(&case["window"]), 512);
                near(cut.wasserstein().value.unwrap(), number(&case["w1"]), 0.01, "normal");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 3);
}

#[test]
fn rates_agree_with_the_closed_form() {
    let file = stored(include_str!("../../../../fixtures/oracle/rates.json"));
    for row in list(&file["rates"]) {
        let row = list(row);
        let [x, n, y, m] = [0, 1, 2, 3].map(|at| count(&row[at]));
        near(ScoreTest::new(x, n, y, m, RATE_EFFECT).p(1.0), number(&row[4]), 1e-9, &format!("{row:?}"));
        if let Some(p) = row[5].as_f64() {
            near(ScoreTest::new(x, n, y, m, 0.0).p(1.0), p, 1e-9, &format!("{row:?}"));
        }
    }
    for row in list(&file["melded"]) {
        let row = list(row);
        let [x, n, y, m] = [0, 1, 2, 3].map(|at| count(&row[at]));
        near(melded(x, n, y, m, number(&row[4])), number(&row[5]), 5e-6, &format!("{row:?}"));
    }
}

#[test]
fn mean_shifts_agree_with_welch() {
    let file = stored(include_str!("../../../../fixtures/oracle/rates.json"));
    for row in list(&file["mean_shifts"]) {
        let row = list(row);
        let side = |at: usize| Moments {
            n: count(&row[at]),
            mean: number(&row[at + 1]),
            variance: number(&row[at + 2]),
        };
        let score = mean_shift(&side(3), &side(0), 1.0);
        near(score.value.unwrap(), number(&row[6]), 1e-12, &format!("{row:?}"));
        near(score.p_value.unwrap(), number(&row[7]), 1e-8, &format!("{row:?}"));
    }
}
