//! Beside Azure ML: what becomes of the YAML of its monitors.

use std::fs;

use super::support::checkout::workspace;
use super::support::folder::{Folder, floats, texts};
use super::support::program::{Ended, driftlead};
use super::support::random::Random;

fn fixture(name: &str) -> String {
    format!("fixtures/azureml/monitors/{name}.yaml")
}

/// The files that `init` writes, after each was found valid; and all that it says.
fn files(name: &str, more: &[&str]) -> (Ended, Vec<(String, String)>) {
    let folder = Folder::new();
    let ended = driftlead(&[&["init", &fixture(name), "-o", &folder.path("")], more].concat());
    let mut files = Vec::new();
    for file in folder.names().into_iter().filter(|name| name.ends_with(".yaml")) {
        let valid = driftlead(&["validate", &folder.path(&file)]);
        assert_eq!((valid.code, valid.err.as_str()), (Some(0), ""), "{file}");
        files.push((file.clone(), fs::read_to_string(folder.path(&file)).unwrap()));
    }
    (ended, files)
}

#[test]
fn monitors_become_model_files_and_nothing_is_dropped_without_a_word() {
    for (name, expected) in [
        ("credit", &["credit-inputs_move.yaml", "credit-outputs_move.yaml"][..]),
        ("spellings", &["spellings-numbers.yaml", "spellings-words.yaml"]),
        ("older", &["older.yaml"]),
        ("bare", &["bare-data-drift-signal.yaml", "bare-prediction-drift-signal.yaml"]),
        ("rolling", &["rolling.yaml"]),
    ] {
        let (ended, files) = files(name, &[]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), expected);
        // What is said is in the files, with its line; and every line exists.
        let lines = fs::read_to_string(workspace().join(fixture(name))).unwrap().lines().count();
        for said in ended.err.lines() {
            let at = said.strip_prefix(&format!("note: {}:", fixture(name))).unwrap();
            let (line, text) = at.split_once(": ").unwrap();
            assert!((1..=lines).contains(&line.parse().unwrap()), "{said}");
            assert!(
                files.iter().any(|(_, file)| file.contains(&format!("#   line {line}: {text}"))),
                "{said}"
            );
        }
        let shown: Vec<String> = files.iter().map(|(name, text)| format!("==> {name}\n{text}")).collect();
        insta::assert_snapshot!(format!("monitor_{name}"), format!("{}\n{}", shown.join("\n"), ended.err));
    }
}

#[test]
fn a_monitor_of_foreign_signals_alone_is_refused_with_each() {
    let (ended, files) = files("foreign", &[]);
    assert_eq!((ended.code, files.len()), (Some(2), 0));
    for (line, said) in [
        (
            6,
            "`answers` (generation_safety_quality) is left out with all it says: answers of language models are not graded",
        ),
        (9, "`tokens` (generation_token_statistics)"),
        (11, "`right` (model_performance)"),
        (14, "`mine` (custom)"),
    ] {
        let found = ended
            .err
            .lines()
            .any(|own| own.contains(&format!("foreign.yaml:{line}: ")) && own.contains(said));
        assert!(found, "{said}: {}", ended.err);
    }
    assert!(
        ended.err.ends_with(
            "none of the signals of `fixtures/azureml/monitors/foreign.yaml` can be carried over\n"
        )
    );
}

#[test]
fn with_rows_each_rule_names_the_features_of_its_kind_and_the_model_runs() {
    let folder = Folder::new();
    let mut random = Random::new(9);
    let n = 4_000;
    let mut rows = |name: &str, mean: f64, names: [&'static str; 3]| {
        let x = floats(random.normals(n, mean));
        folder.parquet(
            name,
            vec![
                ("x", x),
                ("c", texts((0..n).map(|i| names[i % 3]))),
                ("default", texts((0..n).map(|i| names[i % 2]))),
            ],
        )
    };
    let (train, live) =
        (rows("train.parquet", 0.0, ["a", "b", "c"]), rows("live.parquet", 0.5, ["a", "b", "b"]));
    let monitor = folder.write(
        "m.yaml",
        "name: m\ntrigger: {type: recurrence, frequency: day, interval: 1}\ncreate_monitor:\n  monitoring_signals:\n    \
         s:\n      type: data_drift\n      reference_data:\n        input_data: {path: \"azureml:train:1\"}\n        \
         target_column_name: default\n      metric_thresholds:\n        numerical: {jensen_shannon_distance: 0.9}\n        \
         categorical: {jensen_shannon_distance: 0.05}\n",
    );
    let model = folder.path("model.yaml");
    let ended = driftlead(&["init", &monitor, "--baseline", &train, "-o", &model]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.err.contains("kinds of columns"), "{ended:?}");
    let text = fs::read_to_string(&model).unwrap();
    assert!(text.contains("- {metric: js, features: [x], drift: 0.9}\n"), "{text}");
    assert!(text.contains("- {metric: js, features: [c], drift: 0.05}\n"), "{text}");
    assert!(text.contains("exclude: [default]"), "{text}");
    // Rows without a time are one window.
    let text = text.replace("\ntime: ", "\n# time: ").replace("\nwindow: ", "\n# window: ");
    folder.write("model.yaml", text);
    let ended = driftlead(&["check", &model, &live, "--format", "json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let report = super::support::program::parsed(&ended.out);
    let window = super::support::program::only(&report);
    let js = |name: &str| {
        let feature = super::support::program::feature(window, name);
        super::support::program::measure(feature, driftlead_engine::Metric::Js).clone()
    };
    let verdict = |name: &str| js(name).verdict.map(|verdict| format!("{verdict:?}"));
    assert_eq!((verdict("x").as_deref(), verdict("c").as_deref()), (Some("Ok"), Some("Drift")), "{window:?}");
    assert_eq!(window.features.len(), 2);
}

#[test]
fn what_is_no_monitor_is_no_monitor() {
    let folder = Folder::new();
    let other =
        folder.write("job.yaml", "$schema: https://example.org/commandJob.schema.json\ncommand: ls\n");
    let ended = driftlead(&["init", &other]);
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.err.contains("job.yaml:1:1: neither data nor a monitor of Azure ML: expected `create_monitor`"),
        "{ended:?}"
    );
    let forced = driftlead(&["init", "--azureml", &other]);
    assert_eq!(forced.code, Some(2));
    assert!(
        forced
            .err
            .contains("job.yaml:1:1: this is no monitor of Azure ML: expected a mapping `create_monitor`"),
        "{forced:?}"
    );
    // The schema alone says so too; and the flag takes a file of any name.
    let schema =
        "$schema: https://azuremlschemas.azureedge.net/latest/monitorSchedule.schema.json\nname: m\n";
    let ended = driftlead(&["init", &folder.write("m.yaml", schema)]);
    assert!(ended.err.contains("m.yaml:1:1: this is no monitor of Azure ML"), "{ended:?}");
    let text = fs::read_to_string(workspace().join(fixture("older"))).unwrap();
    let ended = driftlead(&["init", "--azureml", &folder.write("older.txt", text)]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("\nmodel: older\n"), "{ended:?}");
    let ended = driftlead(&["init", "--baseline", "a.parquet", "fixtures/flights/newark-2001-01.parquet"]);
    assert!(ended.err.contains("`--baseline` goes with a monitor of Azure ML"), "{ended:?}");
}

#[test]
fn several_model_files_need_a_folder_and_none_is_written_over() {
    let folder = Folder::new();
    let file = folder.path("credit.yaml");
    let ended = driftlead(&["init", &fixture("credit"), "-o", &file]);
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.err.contains("the monitor makes 2 model files (`credit-inputs_move`, `credit-outputs_move`)"),
        "{ended:?}"
    );
    assert!(folder.names().is_empty());
    let printed = driftlead(&["init", &fixture("credit")]);
    assert_eq!(
        printed.out.split("---\n").filter(|text| text.contains("\nmodel: credit-")).count(),
        2,
        "{printed:?}"
    );
    let run = || driftlead(&["init", &fixture("credit"), "-o", &folder.path("")]);
    assert_eq!(run().code, Some(0));
    assert_eq!(folder.names(), ["credit-inputs_move.yaml", "credit-outputs_move.yaml", "model.schema.json"]);
    let again = run();
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("exists: it is not written over"), "{again:?}");
}
