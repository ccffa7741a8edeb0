//! The worked examples with embeddings: a page whose commands print what it says, vectors of real speeches, and an array of
//! sensors that ages.

use std::fs;

use driftlead::report::Verdict;
use driftlead::report::wire::{Feature, Report};
use driftlead_engine::Metric;
use serde_json::Value;

use crate::support::checkout::workspace;
use crate::support::folder::Folder;
use crate::support::program::{driftlead, feature, json, measure, only, report, value};

const MODEL: &str = "fixtures/speeches/model.yaml";
const PARTS: [Metric; 5] = [
    Metric::EmbeddingMean,
    Metric::EmbeddingComponents,
    Metric::EmbeddingShape,
    Metric::EmbeddingCovariance,
    Metric::EmbeddingClusters,
];

fn speeches(name: &str) -> String {
    format!("fixtures/speeches/{name}.parquet")
}

fn passages(report: &Report) -> &Feature {
    feature(only(report), "embedding")
}

/// The parts whose own p-value is below 1 %.
fn fired(feature: &Feature) -> Vec<Metric> {
    let is_small = |metric: &Metric| measure(feature, *metric).p_value.is_some_and(|p| p < 0.01);
    PARTS.into_iter().filter(is_small).collect()
}

/// Every command of the page, in its order, with what it prints, but for how long it took and the baseline's name.
#[test]
fn the_page_prints_what_the_commands_print() {
    let page = fs::read_to_string(workspace().join("docs/examples/embeddings.md")).expect("the page");
    let folder = Folder::new();
    let mut n_commands = 0;
    for block in page.split("```\n").filter(|block| block.starts_with("$ driftlead ")) {
        let mut printed = String::new();
        for line in block.lines() {
            let Some(command) = line.strip_prefix("$ driftlead ") else { continue };
            n_commands += 1;
            let file = folder.path("passages.parquet");
            let args: Vec<&str> =
                command.split(' ').map(|arg| if arg == "passages.parquet" { &file } else { arg }).collect();
            let ended = driftlead(&args);
            assert!(ended.code.is_some_and(|code| code <= 1), "{command}: {ended:?}");
            let out = ended.out.replace(&file, "passages.parquet");
            printed += &format!("{line}\n{}\n", stable(&out));
        }
        assert_eq!(stable(block), printed.trim_end(), "the page is left, the program right");
    }
    assert!(n_commands >= 7, "{n_commands} commands");
}

/// The lines without trailing blanks, without the one that says how long it took, and without the baseline's name: what is
/// fitted differs in its last bits from one instruction set to another.
fn stable(text: &str) -> String {
    let lines = text.lines().map(str::trim_end).filter(|line| !line.contains(" rows in "));
    let unnamed = lines.map(|line| match line.split_once("baseline ") {
        Some((before, after)) if after.as_bytes().iter().take(12).all(u8::is_ascii_hexdigit) => {
            format!("{before}baseline{}", after.get(12..).unwrap_or_default())
        }
        _ => line.to_owned(),
    });
    unnamed.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

#[test]
fn speeches_drift_with_the_years_and_not_within_them() {
    let judge = |name: &str| report(&[MODEL, &speeches(name)]);
    let same = judge("held-out");
    assert_eq!(passages(&same).verdict, Verdict::Ok, "{same:?}");
    assert!(measure(passages(&same), Metric::EmbeddingDrift).p_value.expect("a test") > 0.05);
    assert!(fired(passages(&same)).is_empty());
    for years in ["1993-2000", "2001-2008"] {
        let later = judge(years);
        assert_eq!(passages(&later).verdict, Verdict::Drift, "{years}");
        assert_eq!(fired(passages(&later)), PARTS, "{years}");
        assert!(value(passages(&later), Metric::EmbeddingDrift) > 0.9, "{years}");
        // Topics that have come stand first.
        let top = passages(&later).top.first().expect("what moved");
        assert!(top.label.starts_with("cluster ") && top.window > 2.0 * top.baseline, "{top:?}");
    }
    // One passage in ten is of another century: no single direction has it, the mean and the shape have.
    let mixed = judge("mixed");
    assert_eq!(passages(&mixed).verdict, Verdict::Drift, "{mixed:?}");
    let of_mixed = fired(passages(&mixed));
    assert!(of_mixed.contains(&Metric::EmbeddingMean) && of_mixed.contains(&Metric::EmbeddingShape));
    assert!(!of_mixed.contains(&Metric::EmbeddingComponents), "{of_mixed:?}");
}

#[test]
fn a_baseline_file_of_vectors_gives_the_report_of_its_rows() {
    let folder = Folder::new();
    let file = folder.path("passages.parquet");
    let ended = driftlead(&["baseline", MODEL, "-o", &file]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let rows = fs::metadata(workspace().join(speeches("baseline"))).expect("the rows").len();
    assert!(fs::metadata(&file).expect("written").len() < rows / 4);
    let shown = driftlead(&["inspect", &file]).out;
    assert!(shown.contains("vectors of 384 numbers: 1,974 fitted, 2,026 to compare with"), "{shown}");
    assert!(shown.contains("64 clusters "), "{shown}");
    for name in ["held-out", "mixed"] {
        let [of_rows, of_file] =
            [report(&[MODEL, &speeches(name)]), report(&[MODEL, &speeches(name), "--baseline", &file])];
        assert_eq!(only(&of_rows).features, only(&of_file).features, "{name}");
    }
}

/// Evidently's answers on the same files (`fixtures/compat/vectors.py`).
#[test]
fn evidently_agrees_on_speeches() {
    let text = fs::read_to_string(workspace().join("fixtures/compat/vectors.json")).expect("the answers");
    let answers: Value = serde_json::from_str(&text).expect("JSON");
    let mut compared = 0;
    for (name, methods) in answers["speeches"].as_object().expect("windows") {
        let own: Value =
            serde_json::from_str(&json(&[MODEL, &speeches(name), "--compat", "evidently"])).expect("JSON");
        let list = own["windows"][0]["features"][0]["compat"].as_array().expect("metrics").clone();
        assert_eq!(list.len() + 1, methods.as_object().expect("methods").len(), "{list:?}");
        for metric in list {
            let method = metric["metric"].as_str().expect("a name");
            // Of 1,000 and more rows the choice of its own is judged by the method's threshold.
            let answer = &methods[method];
            let (value, expected) = (metric["value"].as_f64(), answer["value"].as_f64());
            let (value, expected) = (value.expect("a number"), expected.expect("a number"));
            assert!(
                (value - expected).abs() <= 1e-9 * expected,
                "{name} {method}: {value} against {expected}"
            );
            assert_eq!(metric["drift"], answer["drift"], "{name} {method}");
            compared += 1;
        }
    }
    assert_eq!(compared, 4 * 7);
}

#[test]
fn ageing_sensors_are_seen_from_the_window_on_in_which_they_age() {
    let folder = Folder::new();
    let baseline = workspace().join("fixtures/sensors/baseline.parquet");
    let model = format!(
        "model: sensors\nbaseline: {}\ntime: at\nwindow: {{length: 28d}}\nfeatures: {{reading: {{kind: embedding, dim: 128}}}}\n",
        baseline.display()
    );
    let model = folder.write("sensors.yaml", model);
    let report = report(&[&model, "fixtures/sensors/windows.parquet"]);
    assert_eq!(report.windows.len(), 10);
    let mut last = 0.0;
    for (number, window) in (1..).zip(&report.windows) {
        let reading = feature(window, "reading");
        assert_eq!(window.rows, 300, "window {number}");
        if number < 5 {
            assert_eq!(reading.verdict, Verdict::Ok, "window {number}: {reading:?}");
            continue;
        }
        assert_eq!(reading.verdict, Verdict::Drift, "window {number}: {reading:?}");
        assert!(fired(reading).contains(&Metric::EmbeddingMean), "window {number}");
        // The mix of gases stays as it was: no topic comes or goes.
        assert!(!fired(reading).contains(&Metric::EmbeddingClusters), "window {number}");
        let drift = value(reading, Metric::EmbeddingDrift);
        assert!(drift > last, "window {number}: {drift} after {last}");
        last = drift;
    }
}
