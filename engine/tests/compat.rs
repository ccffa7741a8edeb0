//! Every answer of the tools themselves in `fixtures/compat`, against ours.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture of another shape fails the test at the place where it is read"
)]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use driftlead_engine::compat::vectors::{self, Distance, Vectors};
use driftlead_engine::compat::{
    Columns, CompatScore, Counts, Rule, Tool, azureml, evidently, nannyml, score, scouter,
};
use driftlead_engine::{Kind, Metric, Result, metric};
use serde_json::Value;

/// A metric of a tool, and how near ours must be to the tool's answer: relative to it, or within `zero` of it.
#[derive(Clone, Copy)]
struct Check {
    name: &'static str,
    compute: fn(Columns<'_>) -> Result<CompatScore>,
    pick: fn(&CompatScore) -> f64,
    near: f64,
    zero: f64,
}

impl Check {
    /// A distance or a statistic.
    fn value(name: &'static str, compute: fn(Columns<'_>) -> Result<CompatScore>) -> Self {
        Self { name, compute, pick: |score| score.value, near: 1e-9, zero: 1e-15 }
    }

    /// A p-value, with all its digits down to the smallest.
    fn p_value(name: &'static str, compute: fn(Columns<'_>) -> Result<CompatScore>) -> Self {
        let pick = |score: &CompatScore| score.p_value.expect("a test has a p-value");
        Self { pick, zero: 0.0, ..Self::value(name, compute) }
    }

    /// What is stored as float32, the smallest normal one of which is the last with all its digits.
    fn float32(name: &'static str, compute: fn(Columns<'_>) -> Result<CompatScore>) -> Self {
        Self { near: 1e-6, zero: f64::from(f32::MIN_POSITIVE), ..Self::value(name, compute) }
    }

    /// What is wrong with ours, if anything: against a number, or against a refusal or no number, where ours must
    /// refuse too.
    fn wrong(&self, columns: Columns<'_>, answer: &Value) -> Option<String> {
        match ((self.compute)(columns), answer.as_f64()) {
            (Ok(score), Some(expected)) => {
                let value = (self.pick)(&score);
                let off = (value - expected).abs();
                let agree = off <= self.near * expected.abs() || off <= self.zero;
                (!agree).then(|| format!("`{value}` against `{expected}`"))
            }
            (Err(_), None) => None,
            (Ok(score), None) => Some(format!("`{}` where the tool says {answer}", score.value)),
            (Err(error), Some(_)) => Some(format!("refused ({error}) where the tool says {answer}")),
        }
    }
}

macro_rules! fixture {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../fixtures/compat/", $name)))
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

/// Compares every case with every metric.
fn compare(answers: &Value, on_numbers: &[Check], on_counts: &[Check]) {
    let mut wrongs = Vec::new();
    let mut one = |case: &str, columns: Columns<'_>, checks: &[Check]| {
        for check in checks {
            let answer = &answers[case][check.name];
            assert!(!answer.is_null(), "no answer stored for `{}` of `{case}`", check.name);
            wrongs
                .extend(check.wrong(columns, answer).map(|wrong| format!("{case} {}: {wrong}", check.name)));
        }
    };
    for (name, case) in &numeric() {
        one(name, case.columns(), on_numbers);
    }
    for (name, (reference, current)) in &categorical() {
        one(&format!("categorical/{name}"), Columns::Categorical { reference, current }, on_counts);
    }
    assert!(wrongs.is_empty(), "{} differ:\n{}", wrongs.len(), wrongs.join("\n"));
}

#[test]
fn evidently_agrees() {
    let both = [
        Check::value("psi", evidently::psi),
        Check::value("kl_div", evidently::kl_div),
        Check::value("jensenshannon", evidently::jensenshannon),
        Check::value("hellinger", evidently::hellinger),
    ];
    let on_numbers = [&both[..], &[Check::value("wasserstein", evidently::wasserstein)]].concat();
    // Evidently computes z as 1 less the distribution function, so it has no digits below 1e-16.
    let z = Check::value("z", evidently::z);
    let on_counts = [&both[..], &[Check::p_value("chisquare", evidently::chisquare), z]].concat();
    compare(&fixture!("evidently.json"), &on_numbers, &on_counts);
}

#[test]
fn evidently_ks_agrees() {
    let answers = fixture!("evidently.json");
    let exact = Check::p_value("ks", evidently::ks);
    for (name, case) in &numeric() {
        // Above that, scipy's p is an approximation, and the Kolmogorov distribution behind it agrees to 1e-6 (S7).
        let above = case.reference.len().max(case.current.len()) > 10_000;
        let check = if above { Check { near: 1e-6, ..exact } } else { exact };
        assert_eq!(check.wrong(case.columns(), &answers[name]["ks"]), None, "{name}");
    }
}

#[test]
fn evidently_chooses_alike() {
    let answers = fixture!("evidently.json");
    let test = |columns: Columns<'_>| match evidently::default_metric(columns).unwrap() {
        evidently::Test::Ks => Check { near: 1e-6, ..Check::p_value("K-S p_value", evidently::ks) },
        evidently::Test::ChiSquare => Check::p_value("chi-square p_value", evidently::chisquare),
        evidently::Test::Z => Check::value("Z-test p_value", evidently::z),
        evidently::Test::JensenShannon => Check::value("Jensen-Shannon distance", evidently::jensenshannon),
        evidently::Test::Wasserstein => Check::value("Wasserstein distance (normed)", evidently::wasserstein),
    };
    let one = |case: &str, columns: Columns<'_>| {
        let (answer, check) = (&answers[case]["default"], test(columns));
        assert_eq!(answer["method"], check.name, "{case}");
        assert_eq!(check.wrong(columns, &answer["value"]), None, "{case}");
    };
    for (name, case) in &numeric() {
        one(name, case.columns());
    }
    for (name, (reference, current)) in &categorical() {
        one(&format!("categorical/{name}"), Columns::Categorical { reference, current });
    }
}

#[test]
fn evidently_permutes_alike() {
    let answers = fixture!("evidently.json");
    for (name, case) in fixture!("coded.json").as_object().unwrap() {
        let codes = |side: &str| -> Vec<u32> {
            case[side].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
        };
        let score = evidently::tvd(&codes("reference"), &codes("current")).unwrap();
        assert_eq!(Some(score.value), answers[format!("coded/{name}")]["TVD"].as_f64(), "{name}");
    }
}

#[test]
fn nannyml_agrees() {
    let both = [
        Check::value("jensen_shannon", nannyml::jensen_shannon),
        Check::value("hellinger", nannyml::hellinger),
    ];
    let lines = [
        Check::value("kolmogorov_smirnov", nannyml::kolmogorov_smirnov),
        Check::value("wasserstein", nannyml::wasserstein),
    ];
    let tables = [
        Check::value("l_infinity", nannyml::l_infinity),
        Check::value("chi2", nannyml::chi2),
        Check::p_value("chi2_p", nannyml::chi2),
    ];
    compare(&fixture!("nannyml.json"), &[&both[..], &lines].concat(), &[&both[..], &tables].concat());
}

#[test]
fn scouter_agrees() {
    let psi = [Check::value("psi", |columns| scouter::psi(columns, scouter::Threshold::default()))];
    compare(&fixture!("scouter.json"), &psi, &psi);
}

#[test]
fn azureml_agrees() {
    let both = [Check::float32("js", azureml::js), Check::float32("psi", azureml::psi)];
    let lines = [
        Check::float32("wasserstein_normalized", azureml::wasserstein_normalized),
        Check::float32("ks", azureml::ks),
    ];
    let on_counts = [&both[..], &[Check::float32("chi2", azureml::chi2)]].concat();
    compare(&fixture!("azureml.json"), &[&both[..], &lines].concat(), &on_counts);
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
    let (js, psi) = (Check::float32("js", azureml::js), Check::float32("psi", azureml::psi));
    let wasserstein = Check::float32("wasserstein_normalized", azureml::wasserstein_normalized);
    let ks = Check::float32("ks", azureml::ks);
    let chi2 = Check::float32("chi2", azureml::chi2);
    for (column, columns, checks) in
        [("x", x, vec![wasserstein, js, psi, ks]), ("c", c, vec![js, psi, chi2]), ("k", k, vec![js, psi])]
    {
        let answers = &file["answers"][column];
        assert_eq!(answers.as_object().unwrap().len(), checks.len());
        for check in checks {
            assert_eq!(check.wrong(columns, &answers[check.name]), None, "{column} {}", check.name);
        }
    }
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

/// Of the classifier the order and the steps of training are the same; what rounds differently moves a pair of rows at most.
#[test]
fn evidently_agrees_on_vectors() {
    let fixture = fixture!("vectors.json");
    let cases = fixture["cases"].as_object().unwrap();
    let (mut wrong, mut answers) = (Vec::new(), 0);
    for (name, case) in cases {
        let dim = usize::try_from(case["dim"].as_u64().unwrap()).unwrap();
        let [reference, current] = ["reference", "current"].map(|side| floats(&case[side]));
        let (reference, current) = (Vectors::new(dim, &reference), Vectors::new(dim, &current));
        let score = |method: &str| match method {
            "ratio" => vectors::ratio(reference, current),
            "mmd" => vectors::mmd(reference, current),
            "model" => vectors::model(reference, current),
            "default" => vectors::default_model(reference, current),
            _ => {
                let of = Distance::ALL.into_iter().find(|of| of.name() == method).unwrap();
                vectors::distance(reference, current, of)
            }
        };
        for (method, answer) in case["answers"].as_object().unwrap() {
            answers += 1;
            let agree = match (score(method), answer["value"].as_f64()) {
                (Ok(own), Some(expected)) => {
                    let off = (own.value - expected).abs();
                    let near = off <= 1e-9 * expected.abs() || off <= 1e-15;
                    near && own.drifted() == answer["drift"].as_bool()
                }
                (own, expected) => own.is_err() && expected.is_none(),
            };
            if !agree {
                wrong.push(format!("{name} {method}: {:?} against {answer}", score(method)));
            }
        }
    }
    assert!(answers >= 18 * 8, "{answers}");
    assert!(wrong.is_empty(), "{} of {answers}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Little-endian single precision in base64.
fn floats(text: &Value) -> Vec<f32> {
    let bytes = BASE64_STANDARD.decode(text.as_str().unwrap()).unwrap();
    bytes.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect()
}

#[test]
fn every_named_metric_is_computed_and_no_other() {
    let values: Vec<f64> = (0..40).map(f64::from).collect();
    let numbers = Columns::Numeric { reference: &values, current: &values[5..], integer: true };
    let counts = Counts::from([("a".into(), 3), ("b".into(), 4)]);
    let categories = Columns::Categorical { reference: &counts, current: &counts };
    for tool in Tool::ALL {
        assert_eq!(Tool::parse(tool.name()), Some(tool));
        for metric in metric::ALL {
            let computed = [numbers, categories].iter().any(|columns| score(tool, metric, *columns).is_ok());
            // A permutation of rows cannot be had from counts.
            let expected =
                tool.metric_name(metric).is_some() && (tool, metric) != (Tool::Evidently, Metric::Tvd);
            assert_eq!(computed, expected, "{} {metric}", tool.name());
        }
    }
}

#[test]
fn the_metrics_of_a_kind_are_those_that_are_computed_for_it() {
    let values: Vec<f64> = (0..40).map(f64::from).collect();
    let numbers = Columns::Numeric { reference: &values, current: &values[5..], integer: true };
    let counts = Counts::from([("a".into(), 3), ("b".into(), 4)]);
    let categories = Columns::Categorical { reference: &counts, current: &counts };
    for tool in Tool::ALL {
        for (kind, columns) in [(Kind::Numeric, numbers), (Kind::Categorical, categories)] {
            let rows_only =
                |metric| (tool, kind, metric) == (Tool::Evidently, Kind::Categorical, Metric::Tvd);
            let by_name = |metric: &Metric| {
                // Evidently takes it for numbers too, but only by itself.
                let own_choice = (tool, kind, *metric) == (Tool::Evidently, Kind::Numeric, Metric::Chi2);
                rows_only(*metric) || score(tool, *metric, columns).is_ok() && !own_choice
            };
            let computed: Vec<Metric> = metric::ALL.into_iter().filter(by_name).collect();
            assert_eq!(tool.metrics(kind), computed, "{} {kind}", tool.name());
        }
        assert!(tool.metrics(Kind::Embedding).is_empty());
    }
}

#[test]
fn empty_sides_are_refused() {
    let counts = Counts::from([("a".into(), 3)]);
    let none = Counts::from([("a".into(), 0)]);
    for tool in Tool::ALL {
        for metric in metric::ALL {
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
