use std::path::Path;

use driftlead_engine::policy::{Bounds, Gate, On};
use driftlead_engine::{Kind, Metric};

use super::{Config, Cut, Duration, Quorum, service, shape};

fn read(text: &str) -> Config {
    match Config::parse(Path::new("models/flights.yaml"), text) {
        Ok(config) => config,
        Err(problems) => panic!("{problems}"),
    }
}

fn refuse(text: &str) -> String {
    match Config::parse(Path::new("m.yaml"), text) {
        Ok(config) => panic!("accepted: {config:?}"),
        Err(problems) => problems.to_string(),
    }
}

const FULL: &str = r#"
model: flights
version: "2001-01"
baseline: {path: az://ml/flights/2001-01/*.parquet}
source: flights
time: date
window: {length: 6h, every: 1h, lateness: 10m, min_rows: 500}
segments: [origin, [origin, carrier]]
where: "cancelled = false"
derive: {speed: "distance / minutes"}
features:
  delay: {kind: numeric, type: float64, edges: [0, 15, 60]}
  origin: categorical
  speed: {}
  prompt_embedding: {kind: embedding, dim: 384, mmd: true}
exclude: [id]
thresholds:
  - {metric: psi, warn: 0.1, drift: 0.2}
  - {metric: ks, features: [delay], drift: 0.1, gate: none}
  - metric: null_rate
    segments: [{origin: ATL}, {carrier: 9E, origin: null}, null]
    warn: 0.1
  - {metric: psi, on: p_value, below: {warn: 0.05, drift: 0.01}}
alert: {windows: 2 of 3, resolve_after: 2, cooldown: 1h}
sinks: [oncall, azure]
compat: [evidently, nannyml]
"#;

#[test]
fn a_full_file_is_read_to_the_last_key() {
    let config = read(FULL);
    assert_eq!((config.model.as_str(), config.version.as_str()), ("flights", "2001-01"));
    assert_eq!(config.baseline.expect("baseline").paths, ["az://ml/flights/2001-01/*.parquet"]);
    let window = &config.windows[0];
    assert_eq!((window.name.as_str(), window.min_rows), ("default", 500));
    let hours = |n: i64| Duration::from_micros(n * 3_600_000_000);
    assert_eq!(window.cut, Some(Cut { length: hours(6), every: hours(1), offset: Duration::ZERO }));
    assert_eq!(config.segments, [vec!["origin".to_owned()], vec!["origin".to_owned(), "carrier".to_owned()]]);
    assert_eq!(config.derive, [("speed".to_owned(), "distance / minutes".to_owned())]);
    let kinds: Vec<_> = config.features.declared.iter().map(|feature| feature.kind).collect();
    assert_eq!(kinds, [Some(Kind::Numeric), Some(Kind::Categorical), None, Some(Kind::Embedding)]);
    assert!(!config.features.others);
    assert_eq!(config.features.declared[0].edges, [0.0, 15.0, 60.0]);
    assert_eq!(config.features.declared[3].dim, Some(384));
    assert!(config.features.declared[3].mmd && !config.features.declared[0].mmd);

    let [psi, ks, nulls, p] = config.rules.as_slice() else { panic!("{:?}", config.rules) };
    assert_eq!(
        (psi.rule.metric(), psi.rule.on(), psi.rule.gate()),
        (Metric::Psi, On::Corrected, Gate::SmallWindows)
    );
    assert_eq!(psi.rule.above(), Bounds { warn: Some(0.1), drift: Some(0.2) });
    assert_eq!((ks.rule.on(), ks.rule.gate(), ks.place.line), (On::Value, Gate::None, 19));
    let segments: Vec<_> = nulls.rule.segments().into_iter().flatten().map(Option::as_deref).collect();
    // In the order of the split, however the rule writes it.
    assert_eq!(segments, [None, Some(r#"{"origin":"ATL"}"#), Some(r#"{"origin":null,"carrier":"9E"}"#)]);
    assert_eq!((p.rule.on(), p.rule.below()), (On::PValue, Bounds { warn: Some(0.05), drift: Some(0.01) }));

    assert_eq!(config.alert.quorum(window), Quorum { needed: 2, last: 3 });
    assert_eq!(config.compat.len(), 2);
}

#[test]
fn the_shortest_file_gets_every_default() {
    let config = read("model: m\n");
    let mut expected = Config::first_look();
    expected.model = "m".to_owned();
    expected.origin = config.origin.clone();
    assert_eq!(config, expected);
    assert!(config.features.includes("anything"));
}

#[test]
fn relative_paths_start_at_the_file_and_urls_stay() {
    let config = read("model: m\nbaseline: [./a.parquet, /b.parquet, s3://c/d, ../e]\ndata: live\n");
    assert_eq!(
        config.baseline.expect("baseline").paths,
        ["models/a.parquet", "/b.parquet", "s3://c/d", "models/../e"]
    );
    assert_eq!(config.data, ["models/live"]);
}

#[test]
fn a_format_that_no_name_tells_is_carried_before_the_path() {
    let config = read(
        "model: m\nbaseline: {path: [./a, /b], format: mdc, where: x}\ndata: {path: az://c/d, format: mdc}\n",
    );
    assert_eq!(config.baseline.expect("baseline").paths, ["mdc:models/a", "mdc:/b"]);
    assert_eq!(config.data, ["mdc:az://c/d"]);
    assert_eq!(read("model: m\ndata: {path: [a, \"mdc:b\"]}\n").data, ["models/a", "mdc:models/b"]);
    let refused = Config::parse(Path::new("m.yaml"), "model: m\ndata: {path: a, format: csv}\n").unwrap_err();
    assert!(refused.to_string().contains("mdc"), "{refused}");
}

#[test]
fn names_that_look_like_numbers_keep_their_spelling() {
    let config = read(
        "model: 007\nversion: 1.10\nsegments: [a]\nthresholds: [{metric: psi, segments: {a: NO}, drift: 1}]\n",
    );
    assert_eq!((config.model.as_str(), config.version.as_str()), ("007", "1.10"));
    let segments: Vec<_> =
        config.rules[0].rule.segments().into_iter().flatten().map(Option::as_deref).collect();
    assert_eq!(segments, [Some(r#"{"a":"NO"}"#)]);
}

#[test]
fn features_are_those_named_unless_the_star_adds_the_rest() {
    let named = read("model: m\nfeatures: {a: numeric}\n").features;
    assert!(named.includes("a") && !named.includes("b"));
    let all = read("model: m\nfeatures: {a: numeric, \"*\": {}}\nexclude: id\n").features;
    assert!(all.includes("a") && all.includes("b") && !all.includes("id"));
}

#[test]
fn several_windows_have_names_and_weeks_start_on_monday() {
    let config =
        read("model: m\ntime: t\nwindows: {hourly: {length: 1h, offset: 30m}, weekly: {length: 7d}}\n");
    let grids: Vec<_> =
        config.windows.iter().filter_map(|w| w.cut).map(|cut| cut.grid().expect("valid")).collect();
    let start = |index: usize, t: i64| grids[index].pane_span(grids[index].pane_of(t)).start;
    assert_eq!(start(0, 1_800_000_001), 1_800_000_000);
    assert_eq!(start(1, 5 * 86_400_000_000), 4 * 86_400_000_000);
    assert_eq!(config.alert.quorum(&config.windows[1]), Quorum { needed: 1, last: 1 });
    assert_eq!(config.alert.resolve_after(&config.windows[0]), 2);
}

#[test]
fn every_problem_of_a_file_is_reported_at_once() {
    insta::assert_snapshot!(refuse(
        r#"
modle: flights
version: ""
baseline: {paht: train.parquet}
time: date
window: {length: 6 hours, every: 1h, min_rows: many}
segments: origin
where: ${SECRET}
features:
  delay: {kind: numerical, dim: 3, mmd: perhaps}
  origin: {kind: categorical, edges: [1]}
  bins: {kind: numeric, edges: [1, 3, 2]}
  delay: numeric
exclude: [origin]
thresholds:
  - {metric: psy, drift: 0.2}
  - {metric: js, warn: 0.3, drift: 0.2}
  - {metric: js, drift: 1}
  - {metric: ks, drift: -0.1}
  - {metric: ks, features: [bin, origin], drift: 0.1}
  - {metric: tvd}
  - {metric: psi, on: p_value, drift: 0.05}
  - {metric: ks, on: corrected, drift: 0.1}
  - {metric: row_count, features: [bins], below: {drift: 100}}
  - {metric: psi, on: p_value, below: {warn: 0.01, drift: 0.05}}
  - {metric: psi, drift: 0.1, segments: [{carrier: AA}], gate: maybe}
  - {metric: psi, treshold: 0.1}
alert: {windows: 4 of 3, cooldown: 1h, resolve_after: 0}
sinks: []
compat: whylogs
"#
    ));
}

#[test]
fn windows_that_cannot_be_cut_are_refused() {
    let cases = [
        ("window: {length: 6h}\n", "no column is named for it: write `time: COLUMN`"),
        ("time: t\nwindows: {freshness: {length: 6h}}\n", "give the window another name"),
        ("time: t\nwindow: {length: 6h, every: 4h}\n", "does not divide"),
        ("time: t\nwindow: {length: 0s}\n", "a window of no length"),
        ("time: t\nwindow: {length: 1h, every: 0s}\n", "too short"),
        ("time: t\nwindow: {length: 1h, offset: 1h}\n", "must be less than `every: 1h`"),
        ("time: t\nwindow: {length: 365d, every: 1s}\n", "more than 10000 windows"),
        ("time: t\nwindow: {every: 1h}\n", "`every` needs a `length` beside it"),
        ("time: t\nwindow: {length: 1h}\nwindows: {a: {length: 1h}}\n", "either `window` or `windows`"),
        ("time: t\nwindows: {a: {min_rows: 1}}\n", "window `a` has neither `length` nor `rows`"),
        ("time: t\nwindow: {rows: 10, length: 1h}\n", "`length` is of windows of event time"),
        ("time: t\nwindow: {rows: 1000, lateness: 1h}\n", "`lateness` is of windows of event time"),
        ("window: {rows: 10, min_rows: 20}\n", "never has `min_rows: 20`"),
        ("window: {rows: 0}\n", "`rows`"),
        ("window: {rows: 1000}\nalert: {cooldown: 1h}\n", "`cooldown: 1h` is event time"),
        (
            "time: t\nwindow: {length: 90}\n",
            "expects a duration, but here is the number `90`: write `length: 6h`",
        ),
        ("segments: [[a, a]]\n", "a cross names `a` twice"),
        ("segments: [a, [a]]\n", "the split by `a` stands twice"),
        ("features: {}\n", "names no column"),
    ];
    for (text, expected) in cases {
        let shown = refuse(&format!("model: m\n{text}"));
        assert!(shown.contains(expected), "{text}: {shown}");
    }
}

#[test]
fn a_file_that_is_no_mapping_says_what_it_should_be() {
    let shown = refuse("- a\n");
    let expected =
        "a model file is a mapping of keys such as `model`, but here is a list: write `model: flights`";
    assert!(shown.contains(expected), "{shown}");
    assert!(refuse("").contains("m.yaml:1:1"), "{}", refuse(""));
    assert!(refuse("model: [\n").contains("not readable as YAML"));
}

/// The blocks of code in `language` of a page of documentation.
fn examples<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn every_example_of_the_documentation_is_valid() {
    let page = include_str!("../../docs/configuration.md");
    let examples = examples(page, "yaml");
    let (services, models): (Vec<_>, Vec<_>) =
        examples.into_iter().partition(|text| service::is_service(text));
    assert!(models.len() >= 6 && services.len() >= 4, "{} {}", models.len(), services.len());
    for example in models {
        read(example);
    }
    for example in services {
        if let Err(problems) = service::Service::parse(Path::new("service.yaml"), example) {
            panic!("{problems}");
        }
    }
}

/// Every example in the table fits its key. The keys that no row of `page` has in backticks.
fn undocumented(root: &'static shape::Record, page: &str) -> Vec<String> {
    let mut missing = Vec::new();
    shape::for_each_record(root, &mut |record| {
        for key in record.keys {
            if !page.contains(&format!("| `{}` |", key.name))
                && record.name != "bounds below"
                && key.name != "path"
            {
                missing.push(format!("{} of {}", key.name, record.name));
            }
            let text = format!("{}: {}\n", key.name, key.example);
            let node = super::node::Node::parse(&text).expect(&text);
            let mut problems = Vec::new();
            shape::check(&node, record, &mut problems);
            let about_others =
                |message: &str| message.contains("is missing in") || message.contains("needs one of");
            problems.retain(|problem| !about_others(&problem.message));
            assert!(problems.is_empty(), "{text}{problems:?}");
        }
    });
    missing
}

#[test]
fn every_key_is_documented_and_every_example_in_the_table_fits_it() {
    let page = include_str!("../../docs/configuration.md");
    let (model, service) = page.split_once("## The service").expect("a section on the service");
    let mut missing = undocumented(&super::keys::MODEL, model);
    missing.extend(undocumented(&service::keys::SERVICE, service));
    assert!(missing.is_empty(), "docs/configuration.md says nothing of {missing:?}");
    let metrics: Vec<_> = driftlead_engine::metric::ALL.iter().map(|metric| format!("`{metric}`")).collect();
    assert!(page.contains(&metrics.join(", ")), "docs/configuration.md lists other metrics");
    assert!(include_str!("../../docs/formats/report.md").replace(",\n", ", ").contains(&metrics.join(", ")));
}

#[test]
fn what_a_file_means_is_told_with_its_defaults_marked() {
    insta::assert_snapshot!("view_of_a_full_file", super::view::text(&read(FULL)));
    insta::assert_snapshot!("view_of_the_shortest_file", super::view::text(&read("model: m\n")));
}
