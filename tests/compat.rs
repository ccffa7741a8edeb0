//! `check --compat` gives the numbers that the other tools gave for the same rows (`fixtures/compat`, SEMANTICS S24), end
//! to end; they stand beside ours and change nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use driftlead::report::wire::{CompatMetric, Report, Window};
use serde_json::Value;

use crate::support::checkout::workspace;
use crate::support::folder::{Folder, floats, texts, times};
use crate::support::program::{driftlead, feature, only, parsed};

const ALL: [&str; 8] =
    ["--compat", "azureml", "--compat", "evidently", "--compat", "nannyml", "--compat", "scouter"];
const FROZEN: [&str; 4] = ["--compat", "nannyml", "--compat", "scouter"];
const DAY: i64 = 86_400_000_000;

fn fixture(name: &str) -> Value {
    let path = workspace().join("fixtures/compat").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).expect("a fixture")).expect("JSON")
}

/// Two columns of a case.
struct Case {
    reference: ArrayRef,
    current: ArrayRef,
}

/// Numbers as a column; what is missing is NaN in one row and null in the next, which the tools do not tell apart.
fn column(values: &[f64], integer: bool) -> ArrayRef {
    if integer {
        return Arc::new(values.iter().map(|x| *x as i64).collect::<Int64Array>());
    }
    floats(values.iter().enumerate().map(|(row, x)| (!x.is_nan() || row % 2 == 0).then_some(*x)))
}

fn numbers(values: &Value) -> Vec<f64> {
    let number = |v: &Value| v.as_f64().or_else(|| v.as_str().and_then(|s| s.parse().ok()));
    values.as_array().expect("a list").iter().map(|v| number(v).expect("a number")).collect()
}

/// The rows of one side of a numeric case.
fn side(file: &Value, case: &str, side: &str) -> Vec<f64> {
    let stored = &file[case][side];
    let Some(of) = stored.get("of") else { return numbers(stored) };
    let mut values = numbers(&file[of.as_str().expect("a name")][side]);
    values.extend(numbers(&stored["append"]));
    values
}

fn numeric_cases() -> BTreeMap<String, Case> {
    let file = fixture("numeric.json");
    let case = |name: &str| {
        let integer = file[name]["integer"] == true;
        let column = |what: &str| column(&side(&file, name, what), integer);
        Case { reference: column("reference"), current: column("current") }
    };
    file.as_object().expect("cases").keys().map(|name| (name.clone(), case(name))).collect()
}

/// Rows of these counts.
fn expanded(counts: &Value) -> ArrayRef {
    let rows = counts.as_object().expect("counts").iter().flat_map(|(name, rows)| {
        std::iter::repeat_n(name.as_str(), rows.as_u64().expect("a count") as usize)
    });
    Arc::new(rows.map(Some).collect::<StringArray>())
}

fn categorical_cases() -> BTreeMap<String, Case> {
    let file = fixture("categorical.json");
    let case = |value: &Value| Case {
        reference: expanded(&value["reference"]),
        current: expanded(&value["current"]),
    };
    let cases = file.as_object().expect("cases").iter();
    cases.map(|(name, value)| (format!("categorical/{name}"), case(value))).collect()
}

/// Where an answer of the fixtures stands in a report: the tool's metric, and whether it is the p-value beside it.
fn places(tool: &str, key: &str) -> (String, bool) {
    let metric = match (tool, key) {
        ("azureml", "js") => "jensen_shannon_distance",
        ("azureml", "psi") => "population_stability_index",
        ("azureml", "wasserstein_normalized") => "normalized_wasserstein_distance",
        ("azureml", "ks") => "two_sample_kolmogorov_smirnov_test",
        ("azureml", "chi2") => "pearsons_chi_squared_test",
        ("nannyml", "chi2_p") => return ("chi2".to_owned(), true),
        (_, key) => key,
    };
    (metric.to_owned(), false)
}

fn found<'a>(compat: &'a [CompatMetric], tool: &str, metric: &str) -> &'a CompatMetric {
    let own = compat.iter().find(|own| own.tool == tool && own.metric == metric);
    own.unwrap_or_else(|| panic!("no `{metric}` of `{tool}` among {compat:?}"))
}

/// Whether a number of the report is the tool's own answer, which may be a refusal or no number.
fn agrees(tool: &str, own: &CompatMetric, value: Option<f64>, answer: &Value, loose: bool) {
    let near = if tool == "azureml" || loose { 1e-6 } else { 1e-9 };
    let zero = if tool == "azureml" { f64::from(f32::MIN_POSITIVE) } else { 1e-15 };
    match (answer.as_f64(), value) {
        (Some(expected), Some(value)) => {
            let off = (value - expected).abs();
            assert!(off <= near * expected.abs() || off <= zero, "{own:?}: {value} is not {expected}");
        }
        (None, None) => assert!(own.reason.as_ref().is_some_and(|reason| !reason.is_empty()), "{own:?}"),
        _ => panic!("{own:?}, and the tool says {answer}"),
    }
}

/// Every answer of `tool` for a case, against a feature's metrics. `rows` are those of the larger side.
fn all_agree(tool: &str, answers: &Value, compat: &[CompatMetric], rows: usize) {
    let mut expected = 0;
    for (key, answer) in answers.as_object().expect("answers").iter().filter(|(key, _)| *key != "default") {
        let (metric, is_p) = places(tool, key);
        let own = found(compat, tool, &metric);
        // Above 10,000 rows scipy's p is an approximation (docs/compat.md).
        let loose = tool == "evidently" && key == "ks" && rows > 10_000;
        agrees(tool, own, if is_p { own.p_value } else { own.value }, answer, loose);
        expected += usize::from(!is_p);
    }
    let listed = compat.iter().filter(|own| own.tool == tool && own.metric != "TVD");
    // Evidently's choice for numbers may be a metric that it has for categories only.
    let alone = |own: &&CompatMetric| own.chosen && answers.get(&own.metric).is_none();
    assert_eq!(listed.filter(|own| !alone(own)).count(), expected, "{tool}: {compat:?}");
    if let Some(default) = answers.get("default") {
        let chosen: Vec<&CompatMetric> = compat.iter().filter(|own| own.chosen).collect();
        assert_eq!(chosen.len(), 1, "{chosen:?}");
        let names = BTreeMap::from([
            ("K-S p_value", "ks"),
            ("chi-square p_value", "chisquare"),
            ("Z-test p_value", "z"),
            ("Jensen-Shannon distance", "jensenshannon"),
            ("Wasserstein distance (normed)", "wasserstein"),
        ]);
        assert_eq!(chosen[0].metric, names[default["method"].as_str().expect("a method")]);
        agrees(tool, chosen[0], chosen[0].value, &default["value"], rows > 10_000);
    }
}

fn check(args: &[&[&str]]) -> Report {
    let args = [&["check", "--format", "json", "--reproducible"], args.concat().as_slice()].concat();
    let ended = driftlead(&args);
    assert!(ended.err.is_empty() && !ended.out.is_empty(), "{args:?}: {ended:?}");
    parsed(&ended.out)
}

fn model(folder: &Folder, kind: &str) -> String {
    let settings = "model: m\nversion: 1\nbaseline: baseline.parquet\n";
    folder.write("model.yaml", format!("{settings}features: {{x: {{kind: {kind}}}}}\n"))
}

fn cases_agree(kind: &str, cases: &BTreeMap<String, Case>) {
    let answers: Vec<(&str, Value)> = ["azureml", "evidently", "nannyml", "scouter"]
        .into_iter()
        .map(|tool| (tool, fixture(&format!("{tool}.json"))))
        .collect();
    let folder = Folder::new();
    let model = model(&folder, kind);
    let mut inexact = Vec::new();
    for (name, case) in cases {
        let baseline = folder.parquet("baseline.parquet", vec![("x", case.reference.clone())]);
        let current = folder.parquet("current.parquet", vec![("x", case.current.clone())]);
        let rows = case.reference.len().max(case.current.len());
        let report = check(&[&[&model, &current, "--baseline", &baseline], &ALL]);
        for (tool, answers) in &answers {
            all_agree(tool, &answers[name], &feature(only(&report), "x").compat, rows);
        }

        // A frozen baseline holds counts: they are all that nannyml and scouter need, where they are exact.
        let frozen = folder.path("frozen.parquet");
        let ended = driftlead(&["baseline", &model, "-o", &frozen]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let report = check(&[&[&model, &current, "--baseline", &frozen], &FROZEN]);
        let compat = &feature(only(&report), "x").compat;
        let is_exact = compat.iter().all(|own| !own.reason.as_ref().is_some_and(|r| r.contains("4,096")));
        if is_exact {
            for (tool, answers) in answers.iter().filter(|(tool, _)| FROZEN.contains(tool)) {
                all_agree(tool, &answers[name], compat, rows);
            }
        } else {
            assert!(compat.iter().all(|own| own.value.is_none()), "{compat:?}");
            inexact.push(name.as_str());
        }
    }
    let expected: &[&str] =
        if kind == "numeric" { &["rows_10000_beyond", "rows_12000", "rows_12000_one_1e9"] } else { &[] };
    assert_eq!(inexact, expected);
}

#[test]
fn every_answer_about_numbers_comes_out_of_check() {
    let cases = numeric_cases();
    assert_eq!(cases.len(), 37);
    cases_agree("numeric", &cases);
}

#[test]
fn every_answer_about_categories_comes_out_of_check() {
    let cases = categorical_cases();
    assert_eq!(cases.len(), 20);
    cases_agree("categorical", &cases);
}

#[test]
fn the_permutations_of_evidently_come_out_of_check() {
    let answers = fixture("evidently.json");
    let folder = Folder::new();
    let model = model(&folder, "categorical");
    let mut compared = 0;
    for (name, case) in fixture("coded.json").as_object().expect("cases") {
        let column = |side: &str| column(&numbers(&case[side]), true);
        let baseline = folder.parquet("baseline.parquet", vec![("x", column("reference"))]);
        let current = folder.parquet("current.parquet", vec![("x", column("current"))]);
        let report = check(&[&[&model, &current, "--baseline", &baseline, "--compat", "evidently"]]);
        let own = found(&feature(only(&report), "x").compat, "evidently", "TVD");
        assert_eq!(own.value, answers[format!("coded/{name}")]["TVD"].as_f64(), "{name}: {own:?}");
        compared += 1;
    }
    assert_eq!(compared, 4);
}

/// What Microsoft's own code gave for a frame of three columns.
#[test]
fn azureml_compares_the_rows_without_a_missing_value_in_any_column() {
    let golden = fixture("azureml_golden.json");
    let folder = Folder::new();
    let settings = "model: m\nfeatures: {x: {kind: numeric}, c: categorical, k: categorical}\n";
    let model = folder.write("model.yaml", settings);
    let mut files = Vec::new();
    for (side, name) in ["baseline.parquet", "current.parquet"].into_iter().enumerate() {
        let x = numbers(&golden["x"][side]);
        let names = |key: &str| {
            let column = expanded(&golden[key][side]);
            let names = column.as_any().downcast_ref::<StringArray>().expect("text");
            let own: Vec<Option<String>> = names.iter().map(|name| name.map(str::to_owned)).collect();
            assert_eq!(own.len(), x.len());
            own
        };
        let (mut c, mut k) = (names("c"), names("k"));
        let mut x: Vec<Option<f64>> = x.into_iter().map(Some).collect();
        // Rows that the service drops: each lacks one value, and would change every metric.
        for row in 0..300 {
            x.push((row % 3 != 0).then_some(1e6 + f64::from(row)));
            c.push((row % 3 != 1).then(|| format!("new-{side}")));
            k.push((row % 3 != 2).then(|| format!("new-{row}")));
        }
        let text = |names: &[Option<String>]| texts(names.iter().map(Option::as_deref));
        files.push(folder.parquet(name, vec![("x", floats(x)), ("c", text(&c)), ("k", text(&k))]));
    }
    let report = check(&[&[&model, &files[1], "--baseline", &files[0], "--compat", "azureml"]]);
    for name in ["x", "c", "k"] {
        let compat = &feature(only(&report), name).compat;
        for (key, answer) in golden["answers"][name].as_object().expect("answers") {
            let own = found(compat, "azureml", &places("azureml", key).0);
            agrees("azureml", own, own.value, answer, false);
        }
    }
}

/// Two cases with one reference as two days, and another case as a segment of its own.
#[test]
fn windows_and_segments_are_compared_with_their_own_rows() {
    let file = fixture("numeric.json");
    let folder = Folder::new();
    let settings = "model: m\ntime: at\nwindow: {length: 1d}\nsegments: [s]\nderive: {y: \"x * 1.0\"}\n\
                    where: \"used\"\nfeatures: {y: {kind: numeric}}\n";
    let model = folder.write("model.yaml", settings);
    // Day, segment, case; the days come in no order, and every fifth row is not to be used.
    let write = |name: &str, what: &str, parts: &[(i64, &str, &str)]| {
        let (mut at, mut s, mut x, mut used) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (day, segment, case) in parts {
            for (row, value) in side(&file, case, what).into_iter().enumerate() {
                let instant = day * DAY + row as i64;
                if row % 5 == 0 {
                    at.push(instant);
                    s.push(*segment);
                    x.push(1e9);
                    used.push(Some(false));
                }
                at.push(instant);
                s.push(*segment);
                x.push(value);
                used.push(Some(true));
            }
        }
        let used: ArrayRef = Arc::new(used.into_iter().collect::<arrow_array::BooleanArray>());
        folder.parquet(name, vec![("at", times(at)), ("s", texts(s)), ("x", floats(x)), ("used", used)])
    };
    let baseline = write("baseline.parquet", "reference", &[(0, "a", "without_outlier"), (0, "b", "normal")]);
    let parts = [(3, "a", "one_outlier"), (2, "a", "without_outlier"), (2, "b", "normal")];
    let current = write("current.parquet", "current", &parts);
    let report = check(&[&[&model, &current, "--baseline", &baseline], &ALL]);

    let of = |day: i64, segment: &str| -> &Window {
        let found = report.windows.iter().find(|window| {
            let own = window.segment.as_ref().is_some_and(|own| own.0[0].1.as_deref() == Some(segment));
            own && window.start.is_some_and(|start| start.micros() == day * DAY)
        });
        found.unwrap_or_else(|| panic!("no window of day {day} and segment {segment}"))
    };
    for (day, segment, case) in parts {
        let window = of(day, segment);
        let rows = side(&file, case, "current").len();
        assert_eq!(window.rows, rows as u64);
        for tool in ["azureml", "evidently", "nannyml", "scouter"] {
            let answers = &fixture(&format!("{tool}.json"))[case];
            all_agree(tool, answers, &feature(window, "y").compat, rows);
        }
    }
    // A window without rows has nothing to compare.
    let empty = of(3, "b");
    assert!(empty.rows == 0 && feature(empty, "y").compat.is_empty(), "{empty:?}");
}

#[test]
fn other_tools_change_nothing_of_ours() {
    let (baseline, current) = flights();
    let plain = check(&[&["--baseline", &baseline, &current]]);
    let mut with = check(&[&["--baseline", &baseline, &current], &ALL]);
    let mut metrics = 0;
    for feature in with.windows.iter_mut().flat_map(|window| &mut window.features) {
        metrics += feature.compat.len();
        feature.compat.clear();
    }
    assert!(metrics > 40, "{metrics}");
    assert_eq!(with, plain);
    // Naming a tool twice, or in the model file too, is naming it once.
    let twice = check(&[&["--baseline", &baseline, &current, "--compat", "scouter", "--compat", "scouter"]]);
    assert_eq!(feature(only(&twice), "delay").compat.len(), 1);
}

#[test]
fn a_frozen_baseline_is_refused_by_the_tools_that_need_its_rows() {
    let folder = Folder::new();
    let (baseline, current) = flights();
    let raw = workspace().join(&baseline).display().to_string();
    let model = folder.write("model.yaml", format!("model: flights\nbaseline: {raw}\ncompat: [scouter]\n"));
    let frozen = folder.path("frozen.parquet");
    let ended = driftlead(&["baseline", &model, "-o", &frozen]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for tool in ["azureml", "evidently"] {
        let ended = driftlead(&["check", &model, &current, "--baseline", &frozen, "--compat", tool]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:?}");
        let says = format!(
            "driftlead: `{tool}` lays its bins over the rows of both sides, and the baseline file `{frozen}` holds no \
             rows: name the baseline's raw rows with `--baseline`, or leave out `{tool}`\n"
        );
        assert_eq!(ended.err, says);
    }
    // The model file's own tool works with it.
    let report = check(&[&[&model, &current, "--baseline", &frozen]]);
    let own = &feature(only(&report), "delay").compat;
    assert!(own.len() == 1 && own[0].value.is_some() && own[0].drift == Some(true), "{own:?}");
}

#[test]
fn a_table_shows_their_numbers_beside_ours() {
    let (baseline, current) = flights();
    let tools = ["--compat", "evidently", "--compat", "scouter"];
    let ended = driftlead(&[&["check", "--baseline", &baseline, &current], &tools[..]].concat());
    assert_eq!((ended.code, ended.err.as_str()), (Some(1), ""));
    // The last line tells how long it took.
    let (table, _) = ended.out.trim_end().rsplit_once('\n').expect("lines");
    insta::assert_snapshot!(table);
}

fn flights() -> (String, String) {
    let file = |month: &str| format!("fixtures/flights/newark-2001-{month}.parquet");
    (file("01"), file("02"))
}
