//! `check --azureml` against what Azure ML's own components leave for the same rows (fixtures/azureml/output).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;

use arrow_array::{Array, Float32Array, Float64Array, Int64Array, StringArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::support::checkout::workspace;
use super::support::folder::{Folder, floats};
use super::support::program::{Ended, driftlead};
use super::support::random::Random;

const FIXTURES: &str = "fixtures/azureml/output";
const NUMERIC: &str = "[amount, small, fixed, age]";
const CATEGORICAL: &str = "[plan, level, paid]";

fn captured() -> Value {
    let text = fs::read_to_string(workspace().join(FIXTURES).join("captured.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Runs a check of the fixture with these rules, and returns the folder that it wrote.
fn run(folder: &Folder, name: &str, rules: &str, more: &[&str]) -> (Ended, String) {
    let baseline = workspace().join(FIXTURES).join("baseline.parquet");
    let model = folder.write(
        &format!("{name}.yaml"),
        format!(
            "model: m\nbaseline: {}\nwindow: {{min_rows: 100}}\nfeatures: {{amount: numeric, small: numeric, fixed: numeric, age: numeric, plan: \
             categorical, level: categorical, paid: categorical}}\nthresholds:\n{rules}",
            baseline.display()
        ),
    );
    let out = folder.path(name);
    let words =
        ["check", &model, &format!("{FIXTURES}/production.parquet"), "--azureml", &out, "--fail-on", "never"];
    (driftlead(&[&words[..], more].concat()), out)
}

/// A row by its columns.
type Row = BTreeMap<String, Value>;

/// The rows of a table that was written, and the types of its columns.
fn rows(folder: &str, table: &str) -> (Vec<(String, String)>, Vec<Row>) {
    let text = fs::read_to_string(format!("{folder}/{table}/MLTable")).unwrap();
    assert!(text.contains("pattern: ./data/*.parquet") && text.contains("- read_parquet"), "{text}");
    let file = File::open(format!("{folder}/{table}/data/part-00000.parquet")).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let types = builder
        .schema()
        .fields()
        .iter()
        .map(|f| (f.name().clone(), format!("{:?}", f.data_type())))
        .collect();
    let mut rows = Vec::new();
    for batch in builder.build().unwrap() {
        let batch = batch.unwrap();
        for at in 0..batch.num_rows() {
            let value = |array: &dyn Array| -> Value {
                if array.is_null(at) {
                    return Value::Null;
                }
                let any = array.as_any();
                if let Some(own) = any.downcast_ref::<StringArray>() {
                    own.value(at).into()
                } else if let Some(own) = any.downcast_ref::<Float32Array>() {
                    f64::from(own.value(at)).into()
                } else if let Some(own) = any.downcast_ref::<Float64Array>() {
                    own.value(at).into()
                } else {
                    any.downcast_ref::<Int64Array>().unwrap().value(at).into()
                }
            };
            let names = batch.schema();
            let names = names.fields().iter().map(|field| field.name().clone());
            rows.push(names.zip(batch.columns().iter().map(|array| value(array.as_ref()))).collect());
        }
    }
    (types, rows)
}

/// Equal, numbers to float32's digits.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-6 * b.abs() + 1e-15,
        _ => a == b,
    }
}

fn read(folder: &str, file: &str) -> Value {
    let text = fs::read_to_string(Path::new(folder).join(file)).unwrap();
    // Four spaces a level, as there.
    assert!(text.starts_with("{\n    \"") && !text.contains("\n  \""), "{text}");
    serde_json::from_str(&text).unwrap()
}

/// The breaches of a signal that the tag tells: feature and metric.
fn breaches(folder: &str, signal: &str) -> Vec<Value> {
    let file = format!("{folder}/tags.json");
    let Ok(text) = fs::read_to_string(file) else { return Vec::new() };
    let tags: Value = serde_json::from_str(&text).unwrap();
    let text = tags["azureml_modelmonitor_threshold_breached"].as_str().unwrap();
    let head =
        format!("The signal '{signal}' has failed due to one or more features violating metric thresholds.");
    let lines =
        text.lines().skip_while(|line| *line != head).skip(1).take_while(|line| line.starts_with('{'));
    let parse = |line: &str| -> Value { serde_json::from_str(line).unwrap() };
    let mut list: Vec<Value> =
        lines.map(parse).map(|row| json!([row["group"], row["metric_name"]])).collect();
    list.sort_by_key(Value::to_string);
    list
}

#[test]
fn rows_of_drift_are_those_of_azure_and_so_is_what_breaches() {
    let (captured, folder) = (captured(), Folder::new());
    let below = |metric: &str, features: &str| {
        format!("  - {{metric: {metric}, on: p_value, features: {features}, below: {{drift: 0.01}}}}\n")
    };
    let above = |metric: &str, features: &str, bound: &str| {
        format!("  - {{metric: {metric}, features: {features}, drift: {bound}}}\n")
    };
    let mut compared = 0;
    for (name, rules) in [
        ("wj", above("wasserstein_normalized", NUMERIC, "0.3") + &above("js", CATEGORICAL, "0.2")),
        ("jp", above("js", NUMERIC, "0.2") + &above("psi", CATEGORICAL, "0.25")),
        ("pc", above("psi", NUMERIC, "0.2") + &below("chi2", CATEGORICAL)),
        ("kc", below("ks", NUMERIC) + &below("chi2", CATEGORICAL)),
    ] {
        let (ended, out) = run(&folder, name, &rules, &[]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
        let (types, own) = rows(&out, "signal_metrics/data-drift-signal");
        let theirs = &captured["drift"][name];
        let spark: BTreeMap<String, String> = types
            .iter()
            .map(|(name, own)| (name.clone(), if own == "Float32" { "float" } else { "string" }.to_owned()))
            .collect();
        assert_eq!(json!(spark), theirs["types"]);
        let mut with_bounds = 0;
        for row in theirs["rows"].as_array().unwrap() {
            let is_it = |own: &&Row| {
                own["feature_name"] == row["feature_name"] && own["metric_name"] == row["metric_name"]
            };
            let own = own.iter().find(is_it).unwrap_or_else(|| panic!("no row like {row}"));
            for (key, value) in own {
                // What has no bound is NaN there, which Spark takes for the largest number.
                let expected = if row[key] == "NaN" { &Value::Null } else { &row[key] };
                assert!(is_same(value, expected), "{name} {key}: {own:?} {row}");
            }
            with_bounds += usize::from(!own["threshold_value"].is_null());
            compared += 1;
        }
        // The metrics that Azure was not asked for have no bound here either.
        assert_eq!(own.iter().filter(|row| !row["threshold_value"].is_null()).count(), with_bounds);
        assert_eq!(own.len(), 4 * 4 + 3 * 3 + 2);
        assert_eq!(json!(breaches(&out, "data-drift-signal")), captured["breaches"][name], "{name}");
    }
    assert_eq!(compared, 4 * 9);
}

const RATES: &str = "  - {metric: null_rate, features: [amount, small, fixed, age], drift: 0.05}\n  - {metric: null_rate, features: \
                     [plan, level, paid], drift: 0.03}\n  - {metric: type_error_rate, features: [amount, small, fixed, age], drift: \
                     0.05}\n  - {metric: type_error_rate, features: [plan, level, paid], drift: 0.03}\n  - {metric: \
                     out_of_range_rate, drift: 0.05}\n  - {metric: new_category_rate, drift: 0.03}\n";

#[test]
fn rows_of_data_quality_are_those_of_azure_but_for_the_bound_of_the_row_count() {
    let (captured, folder) = (captured(), Folder::new());
    let (ended, out) = run(&folder, "quality", RATES, &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let (types, own) = rows(&out, "signal_metrics/data-quality-signal");
    let theirs = &captured["quality"];
    let spark: BTreeMap<String, String> = types
        .iter()
        .map(|(name, own)| (name.clone(), if own == "Float64" { "double" } else { "string" }.to_owned()))
        .collect();
    assert_eq!(json!(spark), theirs["types"]);
    let list = theirs["rows"].as_array().unwrap();
    assert_eq!((own.len(), list.len()), (20, 20));
    for row in list {
        let is_it = |own: &&Row| {
            own["feature_name"] == row["feature_name"] && own["metric_name"] == row["metric_name"]
        };
        let own = own.iter().find(is_it).unwrap_or_else(|| panic!("no row like {row}"));
        for (key, value) in own {
            if row["metric_name"] == "RowCount" && key == "threshold_value" {
                // There it is a count and a share, and a window with more rows than the baseline breaches it.
                assert!(value.is_null() && row[key] == json!(600.03), "{row}");
            } else {
                let same = value
                    .as_f64()
                    .zip(row[key].as_f64())
                    .map_or(value == &row[key], |(a, b)| (a - b).abs() < 1e-9);
                assert!(same, "{key}: {own:?} {row}");
            }
        }
    }
    assert_eq!(json!(breaches(&out, "data-quality-signal")), captured["breaches"]["quality"]);
}

#[test]
fn signals_and_the_manifest_have_the_keys_and_values_of_azure() {
    let (captured, folder) = (captured(), Folder::new());
    let rules = format!(
        "  - {{metric: wasserstein_normalized, drift: 0.3}}\n  - {{metric: js, features: {CATEGORICAL}, drift: 0.2}}\n{RATES}"
    );
    let (ended, out) = run(&folder, "all", &rules, &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut metrics = 0;
    for signal in ["data-drift-signal", "data-quality-signal"] {
        let file = format!("signals/{signal}.json");
        let (own, theirs) = (read(&out, &file), &captured["files"][&file]);
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(keys(&own), keys(theirs));
        assert_eq!(keys(&own["metrics"]), keys(&theirs["metrics"]));
        for key in ["signalName", "signalType", "version"] {
            assert_eq!(own[key], theirs[key]);
        }
        assert_eq!(own["metrics"]["rowCount"], theirs["metrics"]["rowCount"]);
        assert_eq!(keys(&own["metrics"]["features"]), keys(&theirs["metrics"]["features"]));
        for (name, feature) in theirs["metrics"]["features"].as_object().unwrap() {
            let mine = &own["metrics"]["features"][name];
            assert_eq!(keys(mine), keys(feature), "{name}");
            assert_eq!(
                (&mine["dataType"], &mine["histogram"]),
                (&feature["dataType"], &feature["histogram"])
            );
            let named = |value: &Value, list: &str, metric: &Value| {
                let list = value[list].as_array().unwrap();
                list.iter()
                    .find(|own| own["metricName"] == *metric)
                    .cloned()
                    .unwrap_or_else(|| panic!("{name} {metric}"))
            };
            for metric in feature["metrics"].as_array().unwrap() {
                let mine = named(mine, "metrics", &metric["metricName"]);
                assert_eq!(keys(&mine), keys(metric), "{name}");
                for (key, value) in metric.as_object().unwrap() {
                    assert!(is_same(&mine[key], value), "{name} {key}: {mine} {metric}");
                }
                metrics += 1;
            }
            for metric in feature["runMetrics"].as_array().unwrap() {
                assert_eq!(named(mine, "runMetrics", &metric["metricName"]), *metric);
            }
        }
    }
    assert_eq!(metrics, 7 + 19);
    // With predictions there are the three signals that the capture has.
    let (ended, out) = run(&folder, "predicted", &rules, &["--predictions", "plan"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(read(&out, "manifest.json"), captured["files"]["manifest.json"]);
    let prediction = read(&out, "signals/prediction-drift-signal.json");
    assert_eq!(
        prediction["signalType"],
        captured["files"]["signals/prediction-drift-signal.json"]["signalType"]
    );
    assert_eq!(prediction["metrics"]["features"].as_object().unwrap().keys().collect::<Vec<_>>(), ["plan"]);
    assert!(read(&out, "signals/data-drift-signal.json")["metrics"]["features"].get("plan").is_none());
}

#[test]
fn histograms_are_those_of_azure_where_it_loses_no_bars() {
    let (captured, folder) = (captured(), Folder::new());
    let (ended, out) = run(&folder, "bars", "  - {metric: js, drift: 0.2}\n", &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let count = |bar: &Value, side: &str| bar.get(side).and_then(Value::as_u64).unwrap_or(0);
    for name in ["amount", "fixed", "age", "small", "plan", "level", "paid"] {
        let file = format!("signals/data-drift-signal/{name}.histogram.json");
        let (own, theirs) = (read(&out, &file), &captured["files"][&file]);
        assert_eq!(own["featureName"], theirs["featureName"]);
        let (own, theirs) = (own["histogram"].as_array().unwrap(), theirs["histogram"].as_array().unwrap());
        match name {
            // Rounded to two decimals, all bars of a small feature are one there, and it keeps the last.
            "small" => {
                assert_eq!((own.len(), theirs.len()), (10, 1));
                for (side, key) in [("baseline", "baselineCount"), ("target", "targetCount")] {
                    // Their rows have all bars; the greatest value may be in none, by a rounding of Spark's.
                    let rows = captured["histograms"][side]["rows"].as_array().unwrap();
                    let rows = rows.iter().filter(|row| row["feature_bucket"] == name);
                    let expected: u64 = rows.map(|row| row["bucket_count"].as_u64().unwrap()).sum();
                    assert_eq!(own.iter().map(|bar| count(bar, key)).sum::<u64>(), expected);
                    assert!(
                        theirs.iter().map(|bar| count(bar, key)).sum::<u64>() * 2 < expected,
                        "{theirs:?}"
                    );
                }
            }
            "plan" | "level" | "paid" => {
                for bar in own {
                    let same = theirs.iter().find(|their| their["category"] == bar["category"]);
                    match same {
                        Some(same) => {
                            for side in ["baselineCount", "targetCount"] {
                                assert_eq!(count(bar, side), count(same, side), "{name} {bar}");
                            }
                        }
                        // A category that is new has no bar there.
                        None => assert!(bar["category"] == "team" && count(bar, "targetCount") > 0, "{bar}"),
                    }
                }
                assert_eq!(own.len(), theirs.len() + usize::from(name == "plan"));
            }
            _ => {
                assert_eq!(own.len(), theirs.len(), "{name}");
                for (bar, their) in own.iter().zip(theirs) {
                    for side in ["baselineCount", "targetCount"] {
                        assert_eq!(count(bar, side), count(their, side), "{name} {bar} {their}");
                    }
                    for bound in ["lowerBound", "upperBound"] {
                        let (mine, rounded) = (bar[bound].as_f64().unwrap(), their[bound].as_f64().unwrap());
                        assert!((mine - rounded).abs() <= 0.005 + 1e-5, "{name} {bar} {their}");
                    }
                }
            }
        }
    }
    for (side, key) in [("baseline", "baselineCount"), ("target", "targetCount")] {
        let (types, own) = rows(&out, &format!("{side}_histogram/data-drift-signal"));
        let theirs = captured["histograms"][side]["rows"].as_array().unwrap();
        let names: Vec<&str> = types.iter().map(|(name, _)| name.as_str()).collect();
        let expected: BTreeSet<&str> =
            captured["histograms"][side]["types"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names.iter().copied().collect::<BTreeSet<_>>(), expected);
        // Bar by bar: the same counts, feature by feature; and those of the files.
        for name in ["amount", "small", "fixed", "age", "plan", "level", "paid"] {
            let mine = own.iter().filter(|row| row["feature_bucket"] == name);
            let mut counts: Vec<i64> =
                mine.map(|row| row["bucket_count"].as_i64().unwrap()).filter(|n| *n > 0).collect();
            let their = theirs.iter().filter(|row| row["feature_bucket"] == name);
            let mut their: Vec<i64> =
                their.map(|row| row["bucket_count"].as_i64().unwrap()).filter(|n| *n > 0).collect();
            counts.sort_unstable();
            their.sort_unstable();
            assert_eq!(counts, their, "{side} {name}");
            let file = read(&out, &format!("signals/data-drift-signal/{name}.histogram.json"));
            let bars = file["histogram"].as_array().unwrap();
            assert_eq!(
                bars.iter().map(|bar| count(bar, key)).sum::<u64>(),
                counts.iter().sum::<i64>().unsigned_abs()
            );
        }
    }
}

#[test]
fn what_azure_refuses_has_no_row_and_a_larger_window_breaches_nothing() {
    let folder = Folder::new();
    let mut random = Random::new(4);
    let baseline = folder.parquet("b.parquet", vec![("x", floats(random.normals(9_000, 0.0)))]);
    let live = folder.parquet("l.parquet", vec![("x", floats(random.normals(10_000, 0.0)))]);
    let model = folder.write(
        "m.yaml",
        format!("model: m\nbaseline: {baseline}\nthresholds:\n  - {{metric: ks, on: p_value, below: {{drift: 0.01}}}}\n"),
    );
    let out = folder.path("out");
    let ended = driftlead(&["check", &model, &live, "--azureml", &out]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.err.starts_with(
            "note: `two_sample_kolmogorov_smirnov_test` of `x` has a threshold and no row: azureml's"
        ),
        "{ended:?}"
    );
    let (_, list) = rows(&out, "signal_metrics/data-drift-signal");
    assert!(list.iter().all(|row| row["metric_name"] != "TwoSampleKolmogorovSmirnovTest"), "{list:?}");
    // A bound that is the baseline's rows and a share would be breached by this window.
    assert!(!Path::new(&format!("{out}/tags.json")).exists());
}

#[test]
fn several_windows_have_folders_and_none_is_written_over() {
    let folder = Folder::new();
    let model = folder.write("m.yaml", "model: m\ntime: date\nwindow: {length: 7d, min_rows: 100}\nfeatures: {delay: numeric, origin: categorical}\n");
    let january = workspace().join("fixtures/flights/newark-2001-01.parquet");
    let february = workspace().join("fixtures/flights/newark-2001-02.parquet");
    let out = folder.path("out");
    let words = [
        "check",
        &model,
        february.to_str().unwrap(),
        "--baseline",
        january.to_str().unwrap(),
        "--azureml",
        &out,
        "--fail-on",
        "never",
    ];
    let ended = driftlead(&words);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let windows: Vec<_> =
        fs::read_dir(format!("{out}/default")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(windows.len() >= 4, "{windows:?}");
    let mut total = 0.0;
    for window in &windows {
        let manifest = read(window.to_str().unwrap(), "manifest.json");
        for file in manifest["metricsFiles"].as_object().unwrap().values() {
            let signal = read(window.to_str().unwrap(), file.as_str().unwrap());
            if signal["signalType"] == "DataQuality" {
                total += signal["metrics"]["rowCount"]["targetCount"].as_f64().unwrap();
            }
        }
    }
    let ended = driftlead(&[
        "check",
        &model,
        february.to_str().unwrap(),
        "--baseline",
        january.to_str().unwrap(),
        "--format",
        "json",
        "--fail-on",
        "never",
    ]);
    let report = super::support::program::parsed(&ended.out);
    let expected: u64 = report.windows.iter().map(|window| window.rows).sum();
    assert!((total - expected as f64).abs() < 0.5, "{total} {expected}");

    let again = driftlead(&words);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("is there already and is not written over"), "{again:?}");
    let other = folder.path("other");
    let ended = driftlead(&[&words[..5], &["--azureml", &other, "--predictions", "dealy"]].concat());
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.err.contains("`--predictions` names `dealy`, which is not judged: did you mean `delay`?"),
        "{ended:?}"
    );
    assert!(!Path::new(&other).exists());
}
