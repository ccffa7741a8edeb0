//! Every answer of the tools themselves in `fixtures/compat`, against ours.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

/// What is told apart: relative to the tool's answer, or absolute where that is tiny.
const NEAR: f64 = 1e-9;
const NEAR_ZERO: f64 = 1e-15;
/// Azure ML stores float32.
const NEAR_F32: f64 = 1e-6;

macro_rules! fixture {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../fixtures/compat/", $name)))
            .expect("a fixture is JSON")
    };
}

struct Case {
    reference: Vec<f64>,
    current: Vec<f64>,
    integer: bool,
}

impl Case {
    fn columns(&self) -> Columns<'_> {
        Columns::Numeric { reference: &self.reference, current: &self.current, integer: self.integer }
    }
}

fn numbers(values: &Value) -> Vec<f64> {
    let number = |v: &Value| v.as_f64().or_else(|| v.as_str().and_then(|s| s.parse().ok()));
    values.as_array().unwrap().iter().map(|v| number(v).unwrap()).collect()
}

fn numeric() -> BTreeMap<String, Case> {
    let file = fixture!("numeric.json");
    let side = |case: &Value, side: &str| {
        let stored = &case[side];
        let Some(of) = stored.get("of") else { return numbers(stored) };
        let mut values = numbers(&file[of.as_str().unwrap()][side]);
        values.extend(numbers(&stored["append"]));
        values
    };
    let case = |value: &Value| Case {
        reference: side(value, "reference"),
        current: side(value, "current"),
        integer: value["integer"].as_bool().unwrap(),
    };
    file.as_object().unwrap().iter().map(|(name, value)| (name.clone(), case(value))).collect()
}

fn counts(value: &Value) -> Counts {
    value.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.as_u64().unwrap())).collect()
}

fn categorical() -> BTreeMap<String, (Counts, Counts)> {
    let file = fixture!("categorical.json");
    let sides = |value: &Value| (counts(&value["reference"]), counts(&value["current"]));
    file.as_object().unwrap().iter().map(|(name, value)| (name.clone(), sides(value))).collect()
}

/// What is wrong with `got`, if anything, against a tool's answer: a number, a refusal, or no number.
fn wrong(
    got: &Result<CompatScore>,
    pick: fn(&CompatScore) -> f64,
    answer: &Value,
    near: f64,
) -> Option<String> {
    match (got, answer.as_f64()) {
        (Ok(score), Some(expected)) => {
            let value = pick(score);
            let off = (value - expected).abs();
            (off.is_nan() || off > near * expected.abs() && off > NEAR_ZERO)
                .then(|| format!("`{value}` against `{expected}`"))
        }
        (Err(_), None) => None,
        (Ok(score), None) => Some(format!("`{}` where the tool says {answer}", score.value)),
        (Err(error), Some(_)) => Some(format!("refused ({error}) where the tool says {answer}")),
    }
}

fn value(score: &CompatScore) -> f64 {
    score.value
}

fn p_value(score: &CompatScore) -> f64 {
    score.p_value.unwrap()
}

type Compute = fn(Columns<'_>) -> Result<CompatScore>;
type Pick = fn(&CompatScore) -> f64;

/// Compares every case with every metric of `metrics`, and says how many answers that were.
fn compare(
    answers: &Value,
    near: f64,
    on_numbers: &[(&str, Compute, Pick)],
    on_counts: &[(&str, Compute, Pick)],
) -> usize {
    let mut wrongs = Vec::new();
    let mut compared = 0;
    let mut check = |case: &str, columns: Columns<'_>, metrics: &[(&str, Compute, Pick)]| {
        for (metric, compute, pick) in metrics {
            let answer = &answers[case][metric];
            assert!(!answer.is_null(), "no answer stored for `{metric}` of `{case}`");
            compared += 1;
            if let Some(wrong) = wrong(&compute(columns), *pick, answer, near) {
                wrongs.push(format!("{case} {metric}: {wrong}"));
            }
        }
    };
    for (name, case) in &numeric() {
        check(name, case.columns(), on_numbers);
    }
    for (name, (reference, current)) in &categorical() {
        check(&format!("categorical/{name}"), Columns::Categorical { reference, current }, on_counts);
    }
    assert!(wrongs.is_empty(), "{} of {compared} differ:\n{}", wrongs.len(), wrongs.join("\n"));
    compared
}

#[test]
fn evidently_agrees() {
    let both: [(&str, Compute, Pick); 4] = [
        ("psi", evidently::psi, value),
        ("kl_div", evidently::kl_div, value),
        ("jensenshannon", evidently::jensenshannon, value),
        ("hellinger", evidently::hellinger, value),
    ];
    let on_numbers =
        [&both[..], &[("wasserstein", evidently::wasserstein as Compute, value as Pick)]].concat();
    let on_counts = [
        &both[..],
        &[("chisquare", evidently::chisquare as Compute, value as Pick), ("z", evidently::z, value)],
    ]
    .concat();
    compare(&fixture!("evidently.json"), NEAR, &on_numbers, &on_counts);
}

fn chosen(test: evidently::Test, columns: Columns<'_>) -> Option<Result<CompatScore>> {
    match test {
        evidently::Test::Ks => None,
        evidently::Test::ChiSquare => Some(evidently::chisquare(columns)),
        evidently::Test::Z => Some(evidently::z(columns)),
        evidently::Test::JensenShannon => Some(evidently::jensenshannon(columns)),
        evidently::Test::Wasserstein => Some(evidently::wasserstein(columns)),
    }
}

#[test]
fn evidently_chooses_alike() {
    let answers = fixture!("evidently.json");
    let shown = |test| match test {
        evidently::Test::Ks => "K-S p_value",
        evidently::Test::ChiSquare => "chi-square p_value",
        evidently::Test::Z => "Z-test p_value",
        evidently::Test::JensenShannon => "Jensen-Shannon distance",
        evidently::Test::Wasserstein => "Wasserstein distance (normed)",
    };
    let check = |case: &str, columns: Columns<'_>| {
        let answer = &answers[case]["default"];
        let test = evidently::default_metric(columns).unwrap();
        assert_eq!(answer["method"].as_str().unwrap(), shown(test), "{case}");
        let wrong = chosen(test, columns).and_then(|got| wrong(&got, value, &answer["value"], NEAR));
        assert_eq!(wrong, None, "{case}");
    };
    for (name, case) in &numeric() {
        check(name, case.columns());
    }
    for (name, (reference, current)) in &categorical() {
        check(&format!("categorical/{name}"), Columns::Categorical { reference, current });
    }
}

#[test]
fn evidently_permutes_alike() {
    let answers = fixture!("evidently.json");
    for (name, case) in fixture!("coded.json").as_object().unwrap() {
        let codes = |side: &str| -> Vec<u32> {
            case[side].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
        };
        let got = evidently::tvd(&codes("reference"), &codes("current"));
        assert_eq!(wrong(&got, value, &answers[format!("coded/{name}")]["TVD"], NEAR), None, "{name}");
    }
}

#[test]
fn nannyml_agrees() {
    let both: [(&str, Compute, Pick); 2] =
        [("jensen_shannon", nannyml::jensen_shannon, value), ("hellinger", nannyml::hellinger, value)];
    let on_numbers = [
        &both[..],
        &[
            ("kolmogorov_smirnov", nannyml::kolmogorov_smirnov as Compute, value as Pick),
            ("wasserstein", nannyml::wasserstein, value),
        ],
    ]
    .concat();
    let on_counts = [
        &both[..],
        &[
            ("l_infinity", nannyml::l_infinity as Compute, value as Pick),
            ("chi2", nannyml::chi2, value),
            ("chi2_p", nannyml::chi2, p_value),
        ],
    ]
    .concat();
    compare(&fixture!("nannyml.json"), NEAR, &on_numbers, &on_counts);
}

#[test]
fn scouter_agrees() {
    let psi: [(&str, Compute, Pick); 1] =
        [("psi", |columns| scouter::psi(columns, scouter::Threshold::default()), value)];
    compare(&fixture!("scouter.json"), NEAR, &psi, &psi);
}

#[test]
fn azureml_agrees() {
    let both: [(&str, Compute, Pick); 2] = [("js", azureml::js, value), ("psi", azureml::psi, value)];
    let on_numbers =
        [&both[..], &[("wasserstein_normalized", azureml::wasserstein_normalized as Compute, value as Pick)]]
            .concat();
    let on_counts = [&both[..], &[("chi2", azureml::chi2 as Compute, value as Pick)]].concat();
    compare(&fixture!("azureml.json"), NEAR_F32, &on_numbers, &on_counts);
}

/// The numbers that Microsoft's own code gave under Spark.
#[test]
fn azureml_golden_values() {
    let file = fixture!("azureml_golden.json");
    let (base, prod) = (numbers(&file["x"][0]), numbers(&file["x"][1]));
    let x = Columns::Numeric { reference: &base, current: &prod, integer: false };
    let (c, d) = (counts(&file["c"][0]), counts(&file["c"][1]));
    let c = Columns::Categorical { reference: &c, current: &d };
    let (k, l) = (counts(&file["k"][0]), counts(&file["k"][1]));
    let k = Columns::Categorical { reference: &k, current: &l };
    let checks: [(&str, &str, Compute, Columns<'_>); 7] = [
        ("x", "wasserstein_normalized", azureml::wasserstein_normalized, x),
        ("x", "js", azureml::js, x),
        ("x", "psi", azureml::psi, x),
        ("c", "js", azureml::js, c),
        ("c", "psi", azureml::psi, c),
        ("c", "chi2", azureml::chi2, c),
        ("k", "js", azureml::js, k),
    ];
    for (column, metric, compute, columns) in checks {
        let answer = &file["answers"][column][metric];
        assert_eq!(wrong(&compute(columns), value, answer, NEAR_F32), None, "{column} {metric}");
    }
    assert_eq!(wrong(&azureml::psi(k), value, &file["answers"]["k"]["psi"], NEAR_F32), None);
}

/// Rows with a null in any column are dropped before, as the service does: what is left of its null case.
#[test]
fn azureml_golden_null_case() {
    let x = Columns::Numeric { reference: &[2.0, 3.0, 4.0], current: &[1.0, 9.0], integer: false };
    let base = Counts::from([("a".into(), 2), ("b".into(), 1)]);
    let prod = Counts::from([("a".into(), 1), ("b".into(), 1)]);
    let near = |got: Result<CompatScore>, expected: f64| (got.unwrap().value - expected).abs() < 1e-7;
    assert!(near(azureml::wasserstein_normalized(x), 3.333_333_3));
    assert!(near(azureml::js(Columns::Categorical { reference: &base, current: &prod }), 0.143_947_3));
}

#[test]
fn every_named_metric_is_computed_and_no_other() {
    let values: Vec<f64> = (0..40).map(f64::from).collect();
    let numbers = Columns::Numeric { reference: &values, current: &values[5..], integer: true };
    let counts = Counts::from([("a".into(), 3), ("b".into(), 4)]);
    let categories = Columns::Categorical { reference: &counts, current: &counts };
    for tool in Tool::ALL {
        assert_eq!(Tool::parse(tool.name()), Some(tool));
        for metric in crate::metric::ALL {
            let computed = [numbers, categories].iter().any(|columns| score(tool, metric, *columns).is_ok());
            // A permutation of rows cannot be had from counts.
            let expected =
                tool.metric_name(metric).is_some() && (tool, metric) != (Tool::Evidently, Metric::Tvd);
            assert_eq!(computed, expected, "{} {metric}", tool.name());
        }
    }
}

#[test]
fn empty_sides_are_refused() {
    let counts = Counts::from([("a".into(), 3)]);
    let none = Counts::from([("a".into(), 0)]);
    for tool in Tool::ALL {
        for metric in crate::metric::ALL {
            let numeric = Columns::Numeric { reference: &[1.0], current: &[], integer: false };
            assert!(score(tool, metric, numeric).is_err());
            assert!(
                score(tool, metric, Columns::Categorical { reference: &none, current: &counts }).is_err()
            );
            assert!(
                score(tool, metric, Columns::Categorical { reference: &counts, current: &none }).is_err()
            );
        }
    }
}

#[test]
fn rules_are_the_tools_own() {
    assert!(Rule::AtLeast(0.1).breached(0.1) && !Rule::Above(0.1).breached(0.1));
    assert!(Rule::AtMost(0.1).breached(0.1) && !Rule::Below(0.1).breached(0.1));
    assert!(!Rule::AtLeast(0.1).breached(f64::NAN) && !Rule::Below(0.1).breached(f64::NAN));
    let reference = Counts::from([("a".into(), 300), ("b".into(), 200)]);
    let current = Counts::from([("a".into(), 120), ("b".into(), 80), ("c".into(), 1)]);
    let columns = Columns::Categorical { reference: &reference, current: &current };
    // nannyml reports a statistic and judges its p-value.
    let score = nannyml::chi2(columns).unwrap();
    assert_eq!((score.value > 0.05, score.drifted()), (true, Some(false)));
    // evidently reports a p-value; one row of a new category makes it 0.
    assert_eq!(evidently::chisquare(columns).unwrap().drifted(), Some(true));
}
