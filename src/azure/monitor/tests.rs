use std::path::Path;

use super::*;
use crate::config::Config;

const CREDIT: &str = include_str!("../../../fixtures/azureml/monitors/credit.yaml");

fn monitor(text: &str) -> Monitor {
    match read(Path::new("monitor.yaml"), text) {
        Ok(monitor) => monitor,
        Err(problems) => panic!("{problems}"),
    }
}

/// All notes on a monitor, those of its model files included, after each file was read back.
fn notes(text: &str) -> Vec<Note> {
    let monitor = monitor(text);
    let mut notes = monitor.notes.clone();
    for draft in drafts(&monitor, "monitor.yaml", None) {
        Config::parse(Path::new("m.yaml"), &draft.text)
            .unwrap_or_else(|error| panic!("{error}\n{}", draft.text));
        for note in &draft.notes {
            let shown = format!("line {}: {}", note.line, crate::config::template::one_line(&note.text));
            assert!(
                draft.text.contains(&shown),
                "a note that the file does not have: {shown}\n{}",
                draft.text
            );
        }
        notes.extend(draft.notes);
    }
    notes
}

/// A monitor with one signal of `kind` and one threshold.
fn with(kind: &str, features: &str, metric: &str, bound: &str) -> String {
    format!(
        "name: m\ntrigger: {{type: cron, expression: '0 0 * * *'}}\ncreate_monitor:\n  monitoring_signals:\n    s:\n      \
         type: {kind}\n      reference_data: {{input_data: {{path: a.parquet}}}}\n      metric_thresholds:\n        \
         {features}: {{{metric}: {bound}}}\n"
    )
}

#[test]
fn every_metric_in_every_spelling_becomes_the_rule_that_means_it() {
    let cases = [
        ("data_drift", "numerical", "jensen_shannon_distance", "js", false),
        ("data_drift", "numerical", "normalized_wasserstein_distance", "wasserstein_normalized", false),
        ("data_drift", "numerical", "population_stability_index", "psi", false),
        ("data_drift", "numerical", "two_sample_kolmogorov_smirnov_test", "ks", true),
        ("data_drift", "categorical", "jensen_shannon_distance", "js", false),
        ("data_drift", "categorical", "population_stability_index", "psi", false),
        ("data_drift", "categorical", "pearsons_chi_squared_test", "chi2", true),
        ("data_drift", "categorical", "chi_squared_test", "chi2", true),
        ("prediction_drift", "numerical", "jensen_shannon_distance", "js", false),
        ("prediction_drift", "categorical", "chi_squared_test", "chi2", true),
        ("data_quality", "numerical", "null_value_rate", "null_rate", false),
        ("data_quality", "numerical", "data_type_error_rate", "type_error_rate", false),
        ("data_quality", "numerical", "out_of_bounds_rate", "out_of_range_rate", false),
        ("data_quality", "categorical", "null_value_rate", "null_rate", false),
        ("data_quality", "categorical", "data_type_error_rate", "type_error_rate", false),
        ("data_quality", "categorical", "out_of_bounds_rate", "new_category_rate", false),
    ];
    let pascal = |name: &str| -> String {
        name.split('_').map(|word| format!("{}{}", word[..1].to_uppercase(), &word[1..])).collect()
    };
    for (kind, features, name, ours, is_below) in cases {
        let camel = format!("{}{}", &name[..1], &pascal(name)[1..]);
        for (kind, name) in
            [(kind.to_owned(), name.to_owned()), (pascal(kind), pascal(name)), (kind.to_owned(), camel)]
        {
            let monitor = monitor(&with(&kind, features, &name, "0.25"));
            let [draft] = &drafts(&monitor, "m.yaml", None)[..] else { panic!("one file") };
            let config = Config::parse(Path::new("m.yaml"), &draft.text).unwrap();
            let [rule] = &config.rules[..] else { panic!("{}", draft.text) };
            assert_eq!(rule.rule.metric().name(), ours, "{name}");
            let bounds = if is_below { rule.rule.below() } else { rule.rule.above() };
            assert_eq!(bounds.drift, Some(0.25), "{name} of {kind}: {}", draft.text);
            // What Azure compares is the number itself, or the p-value; never a corrected one.
            let on = if is_below {
                driftlead_engine::policy::On::PValue
            } else {
                driftlead_engine::policy::On::Value
            };
            assert_eq!(rule.rule.on(), on, "{name}");
        }
    }
}

#[test]
fn whatever_is_added_to_a_monitor_is_reported_with_its_line() {
    let whole = notes(CREDIT).len();
    let lines: Vec<&str> = CREDIT.lines().collect();
    let (mut tried, mut in_mapping) = (0, 0);
    let why = lines.iter().position(|line| line.trim() == "why:").unwrap();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        // What a signal says that is left out as a whole is left out with it.
        let is_left_out = at > why && line.starts_with("      ");
        let indent = line.len() - line.trim_start().len();
        // The names of signals are anybody's; what they hold is not.
        let names_signal = indent == 4 && lines[..at].iter().any(|line| line.trim() == "monitoring_signals:");
        let mut texts = Vec::new();
        if !is_left_out && !names_signal {
            let added = format!("{}zzz: 1", " ".repeat(indent));
            let mut more = lines.clone();
            more.insert(at, &added);
            texts.push((more.join("\n"), at + 1));
        }
        for (brace, _) in line.match_indices('{').filter(|_| !is_left_out && !line.contains("compute:")) {
            // `feature_type_override` has names of features in it, which are anybody's too, but no kind is 1.
            let added = format!("{}zzz: 1, {}", &line[..=brace], &line[brace + 1..]);
            let mut more = lines.clone();
            more[at] = &added;
            texts.push((more.join("\n"), at + 1));
            in_mapping += 1;
        }
        for (text, line) in texts {
            tried += 1;
            match read(Path::new("monitor.yaml"), &text) {
                Err(problems) => {
                    let shown = problems.to_string();
                    assert!(
                        shown.contains("zzz") && shown.contains(&format!("monitor.yaml:{line}:")),
                        "{shown}\n{text}"
                    );
                }
                Ok(_) => {
                    let all = notes(&text);
                    let found = all.iter().any(|note| note.text.contains("`zzz") && note.line == line as u64);
                    assert!(found && all.len() == whole + 1, "line {line} {all:?}\n{text}");
                }
            }
        }
    }
    assert!(tried > 50 && in_mapping > 15, "{tried} {in_mapping}");
}

#[test]
fn what_is_wrong_says_where_and_what_was_expected() {
    let good = with("data_drift", "numerical", "jensen_shannon_distance", "0.1");
    for (from, to, line, expected) in [
        ("data_drift", "data_drfit", 6, "`data_drfit` is no type of signal: did you mean `data_drift`?"),
        (
            "type: data_drift",
            "typ: data_drift",
            5,
            "the signal `s` has no `type`: expected one of `data_drift`",
        ),
        ("0.1", "lots", 9, "`jensen_shannon_distance` is `lots`: expected a number"),
        ("0.1", "1.5", 9, "the threshold of `jensen_shannon_distance`: "),
        ("0.1", "-1", 9, "the threshold of `jensen_shannon_distance`: "),
        (
            "jensen_shannon_distance",
            "jensen_distance",
            9,
            "is no metric of numerical features of this signal",
        ),
        ("jensen_shannon_distance", "null_value_rate", 9, "expected one of `jensen_shannon_distance`"),
        ("numerical", "numercial", 9, ""),
        ("'0 0 * * *'", "'0 0 *'", 2, "expected five fields"),
        ("type: cron", "type: sometimes", 2, "`sometimes` is no trigger: expected `recurrence` or `cron`"),
        (
            "{input_data: {path: a.parquet}}",
            "a.parquet",
            7,
            "`reference_data` is `a.parquet`: expected a mapping",
        ),
        ("{path: a.parquet}", "{path: a.parquet}, data_window: {lookback_window_size: 7D}", 7, "ISO 8601"),
        ("{path: a.parquet}", "{path: [a]}", 7, "`path` is a list: expected text"),
        (
            "    s:\n",
            "    s:\n      features: {top_n_feature_importance: few}\n",
            6,
            "expected a whole number of 1 or more",
        ),
        ("    s:\n", "    s:\n      features: some\n", 6, "expected a list of columns, `all_features`"),
        (
            "    s:\n",
            "    s:\n      feature_type_override: {a: text}\n",
            6,
            "expected `numerical` or `categorical`",
        ),
        ("name: m", "name: m\nname: n", 2, "`name` stands twice"),
        ("create_monitor:\n", "create_monitor: now\nx:\n", 3, "this is no monitor of Azure ML"),
        ("trigger: {", "trigger: [", 2, "not readable as YAML"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let read = read(Path::new("monitor.yaml"), &text);
        if expected.is_empty() {
            // A misspelt group of thresholds is no error of the SDK's grammar, but nothing is dropped without a word.
            let note = notes(&text).into_iter().find(|note| note.line == line).unwrap();
            assert!(note.text.contains("did you mean `numerical`?"), "{note:?}");
            continue;
        }
        let shown = read.expect_err(to).to_string();
        assert!(
            shown.contains(&format!("monitor.yaml:{line}:")) && shown.contains(expected),
            "{to}: {shown}"
        );
    }
}

#[test]
fn windows_end_where_runs_are() {
    let of = |trigger: &str, window: &str| {
        let text = with("data_drift", "numerical", "jensen_shannon_distance", "0.1")
            .replace("{type: cron, expression: '0 0 * * *'}", trigger)
            .replace(
                "      reference",
                &format!("      production_data: {{data_window: {window}}}\n      reference"),
            );
        let [draft] = &drafts(&monitor(&text), "m.yaml", None)[..] else { panic!("one file") };
        draft
            .text
            .lines()
            .find(|line| line.starts_with("window: "))
            .unwrap()
            .split("   #")
            .next()
            .unwrap()
            .to_owned()
    };
    let week = "{type: recurrence, frequency: week, interval: 1, schedule: {hours: 2, minutes: 30, week_days: wednesday}}";
    for (trigger, window, expected) in [
        ("{type: cron, expression: '15 3 * * *'}", "{}", "window: {length: 7d, every: 1d, offset: 3h15m}"),
        ("{type: recurrence, frequency: day, interval: 1}", "{}", "window: {length: 1d}"),
        ("{type: recurrence, frequency: hour, interval: 6}", "{}", "window: {length: 1d, every: 6h}"),
        (week, "{}", "window: {length: 7d, offset: 2d2h30m}"),
        (week, "{lookback_window_size: P60D}", "window: {length: 60d, every: 1d, offset: 2h30m}"),
        (
            "{type: recurrence, frequency: day, interval: 1, schedule: {hours: 3, minutes: 0}}",
            "{lookback_window_size: P1D, lookback_window_offset: PT5H}",
            "window: {length: 1d, offset: 22h}",
        ),
        (
            "{type: recurrence, frequency: week, interval: 1}",
            "{lookback_window_size: P1D}",
            "window: {length: 1d}",
        ),
        ("{type: recurrence, frequency: month, interval: 1}", "{}", "window: {length: 30d}"),
        (
            "{type: recurrence, frequency: minute, interval: 1}",
            "{lookback_window_size: P30D}",
            "window: {length: 30d}",
        ),
        (
            "{type: cron, expression: '0 9-17 * * *'}",
            "{lookback_window_size: default}",
            "window: {length: 7d}",
        ),
    ] {
        assert_eq!(of(trigger, window), expected, "{trigger} {window}");
    }
}

#[test]
fn names_that_yaml_would_take_for_something_else_stay_names() {
    let hostile = "\"a\\n- {metric: psi} # '\\\"}: \\u2028x\"";
    let text = with("data_quality", "numerical", "null_value_rate", "0.5")
        .replace("name: m", &format!("name: {hostile}"))
        .replace("    s:", &format!("    {hostile}:\n      features: [{hostile}, \"no\", \"1\"]"))
        .replace("path: a.parquet", &format!("path: {hostile}"));
    let monitor = monitor(&text);
    let [draft] = &drafts(&monitor, "a\nb.yaml", None)[..] else { panic!("one file") };
    let config = Config::parse(Path::new(""), &draft.text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.model, monitor.name);
    assert_eq!(config.features.declared.len(), 3, "{}", draft.text);
    assert!(config.features.includes("no") && config.features.includes(&monitor.name));
}
