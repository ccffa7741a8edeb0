//! Every way of showing a report, on one that has every verdict.

use std::collections::BTreeMap;

use driftlead_engine::policy::{self, FailOn, MetricVerdict};
use driftlead_engine::statistic::Score;
use driftlead_engine::{Kind, Metric};
use unicode_width::UnicodeWidthStr;

use super::table::{self, Style};
use super::wire::*;
use super::{Verdict, exit_code, markdown, sentence};
use crate::time::Timestamp;

const DAY: i64 = 86_400_000_000;

fn feature(name: &str, kind: Kind, verdict: Verdict, psi: f64) -> Feature {
    let measure = Measure {
        value: Some(psi),
        corrected: Some((psi - 0.009).max(0.0)),
        p_value: Some(1e-60),
        p_effect: Some(1e-40),
        q_value: Some(if verdict == Verdict::Ok { 0.7 } else { 4e-40 }),
        n: Some(997),
        n_baseline: Some(1_000_000),
        cells: Some(10),
        deff: Some(1.0),
        threshold_source: Some(ThresholdSource::Default),
        verdict: Some(verdict),
        ..Measure::default()
    };
    Feature {
        name: name.to_owned(),
        kind,
        rows: 1000,
        nulls: 3,
        nans: 0,
        infinities: 0,
        type_errors: 0,
        cutset_id: Some("9f2c41d07be35a88".to_owned()),
        dtype_narrowed: false,
        verdict,
        reason: None,
        missing_rows: None,
        calibrated: Some(true),
        contribution: None,
        metrics: Metrics(BTreeMap::from([(Metric::Psi, measure)])),
        top: Vec::new(),
        directions: Vec::new(),
        vectors_without_id: 0,
        map: None,
        compat: Vec::new(),
    }
}

fn cell(label: &str, baseline: f64, window: f64, contribution: f64) -> Cell {
    let label = label.to_owned();
    Cell { label, low: None, high: None, category: None, baseline, window, contribution, ids: Vec::new() }
}

fn delay() -> Feature {
    let mut delay = feature("delay", Kind::Numeric, Verdict::Drift, 0.31);
    let ks = Measure {
        value: Some(0.12),
        high: Some(0.1204),
        p_value: Some(7e-13),
        direction: Some(Direction::Up),
        drift: Some(0.1),
        threshold_source: Some(ThresholdSource::Model),
        verdict: Some(Verdict::Drift),
        ..Measure::default()
    };
    let infinite = Measure {
        value: Some(f64::INFINITY),
        reason: Some("the value is infinite".to_owned()),
        ..Measure::default()
    };
    delay.metrics.0.extend([(Metric::Ks, ks), (Metric::Wasserstein, infinite)]);
    delay.contribution = Some(0.8);
    delay.top = vec![
        Cell { low: Some(10.0), high: Some(20.0), ..cell("(10, 20]", 0.051, 0.093, 0.61) },
        Cell { low: Some(60.0), high: None, ..cell("(60, ∞)", 0.02, 0.041, 0.3) },
    ];
    delay
}

fn window(start: Option<i64>, segment: Option<Segment>, features: Vec<Feature>) -> Window {
    Window {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        name: "default".to_owned(),
        ordinal: None,
        start: start.map(Timestamp::from_micros),
        end: start.map(|start| Timestamp::from_micros(start + DAY)),
        segment,
        rows: 1000,
        reference: None,
        arrival: Some(Arrival { late_rows: 0, revision: 0, is_final: true, partial: false }),
        verdict: super::of_windows(features.iter().map(|feature| feature.verdict)),
        metrics: Metrics::default(),
        features,
    }
}

fn report(windows: Vec<Window>) -> Report {
    Report {
        schema: SCHEMA.to_owned(),
        model: Model { name: "flights".to_owned(), version: "2001-01".to_owned() },
        baseline: Baseline {
            id: "3f2a9c01d4e5b6a7c8d9".to_owned(),
            rows: 1_000_000,
            excluded_rows: 0,
            moving_windows: None,
        },
        verdict: super::of_windows(windows.iter().map(|window| window.verdict)),
        input: Input { rows: 1000, ..Input::default() },
        windows,
        gaps: Vec::new(),
        skipped: Vec::new(),
        errors: Vec::new(),
        run: None,
    }
}

/// One window with every verdict, 23 features that are ok, and names that try to break things.
fn everything() -> Report {
    let mut nulls = feature("carrier", Kind::Categorical, Verdict::Warn, 0.004);
    nulls.metrics.0.insert(
        Metric::NullRate,
        Measure {
            value: Some(0.034),
            baseline: Some(0.0007),
            q_value: Some(0.0021),
            threshold_source: Some(ThresholdSource::Default),
            verdict: Some(Verdict::Warn),
            ..Measure::default()
        },
    );
    if let Some(psi) = nulls.metrics.0.get_mut(&Metric::Psi) {
        psi.verdict = Some(Verdict::Ok);
    }
    let mut little = feature(
        "Flugzeugkennzeichen_mit_einem_sehr_langen_Namen_漢字_und_noch_mehr",
        Kind::Categorical,
        Verdict::Info,
        0.041,
    );
    little.top = vec![cell("new categories", 0.0, 0.0321, 0.9)];
    let mut few = feature("rare", Kind::Numeric, Verdict::Insufficient, 0.0);
    few.metrics = Metrics::default();
    few.reason = Some("88 of 200 rows with a value".to_owned());
    few.missing_rows = Some(112);
    let mut lost = feature("ta|il`num\u{1b}[31m", Kind::Categorical, Verdict::Error, 0.0);
    lost.metrics = Metrics::default();
    lost.cutset_id = None;
    lost.reason = Some("expected `string`, found `int64`".to_owned());
    let mut features = vec![nulls, little, few, lost, delay()];
    features.extend((1..=23).map(|n| feature(&format!("f{n:02}"), Kind::Numeric, Verdict::Ok, 0.001)));

    let mut report = report(vec![window(None, None, features)]);
    report.input = Input { rows: 1234, excluded_rows: 234, outside_rows: 0, untimed_rows: 0, bad_records: 0 };
    report.skipped = vec![Skipped { name: "date".to_owned(), reason: "a timestamp".to_owned() }];
    report.errors = vec![Failed {
        name: "ta|il`num\u{1b}[31m".to_owned(),
        reason: "expected `string`, found `int64`".to_owned(),
    }];
    report.run = Some(Run {
        version: "0.1.0".to_owned(),
        seconds: 0.4,
        rows_per_second: Some(2_503_085.0),
        paths: Paths {
            model: None,
            baseline: vec!["ref.parquet".to_owned()],
            data: vec!["cur.parquet".to_owned()],
        },
    });
    report
}

/// Three days, one of them with a segment that drifts, and a long silence.
fn several() -> Report {
    let first = 981_158_400_000_000;
    let ok = || feature("delay", Kind::Numeric, Verdict::Ok, 0.001);
    let atlanta = Segment(vec![("origin".to_owned(), Some("ATL".to_owned())), ("carrier".to_owned(), None)]);
    let mut empty = window(Some(first + 2 * DAY), None, Vec::new());
    empty.rows = 0;
    empty.arrival = Some(Arrival { late_rows: 0, revision: 0, is_final: true, partial: true });
    let mut report = report(vec![
        window(Some(first), None, vec![ok()]),
        window(Some(first + DAY), None, vec![ok(), feature("origin", Kind::Categorical, Verdict::Ok, 0.002)]),
        window(Some(first + DAY), Some(atlanta), vec![delay()]),
        empty,
    ]);
    report.gaps = vec![Gap {
        name: "default".to_owned(),
        start: Timestamp::from_micros(first + 3 * DAY),
        end: Timestamp::from_micros(first + 2000 * DAY),
        windows: 1997,
    }];
    report.input = Input { rows: 3010, excluded_rows: 0, outside_rows: 7, untimed_rows: 3, bad_records: 0 };
    report
}

fn theirs(tool: &str, metric: &str, value: f64, drift: Option<bool>) -> CompatMetric {
    CompatMetric {
        tool: tool.to_owned(),
        metric: metric.to_owned(),
        value: Some(value),
        drift,
        ..CompatMetric::default()
    }
}

/// What two other tools say: one agrees about the first feature and sees drift in one that is fine.
fn migrating() -> Report {
    let mut delay = delay();
    delay.compat = vec![
        theirs("azureml", "population_stability_index", 0.29, None),
        CompatMetric {
            reason: Some("refused from `10000` rows on".to_owned()),
            value: None,
            ..theirs("azureml", "two_sample_kolmogorov_smirnov_test", 0.0, None)
        },
        theirs("evidently", "psi", 0.043, Some(false)),
        CompatMetric { p_value: Some(6e-14), ..theirs("evidently", "ks", 6e-14, Some(true)) },
        CompatMetric { chosen: true, ..theirs("evidently", "wasserstein", 0.34, Some(true)) },
    ];
    let mut origin = feature("origin", Kind::Categorical, Verdict::Ok, 0.002);
    origin.compat = vec![
        theirs("evidently", "psi", 0.2, Some(true)),
        CompatMetric { chosen: true, ..theirs("evidently", "jensenshannon", 0.05, Some(false)) },
        CompatMetric { p_value: Some(0.92), ..theirs("evidently", "z", 0.92, Some(false)) },
    ];
    let mut carrier = feature("carrier", Kind::Categorical, Verdict::Ok, 0.003);
    carrier.compat =
        vec![CompatMetric { chosen: true, ..theirs("evidently", "jensenshannon", 0.11, Some(true)) }];
    report(vec![window(None, None, vec![delay, origin, carrier])])
}

#[test]
fn other_tools_stand_beside_ours() {
    let single = migrating();
    insta::assert_snapshot!(table::render(&single, Style::PLAIN));
    insta::assert_snapshot!(table::render(&single, Style { color: false, width: Some(60) }));
    insta::assert_snapshot!(markdown::render(&single));
    let json: serde_json::Value = serde_json::from_str(&single.to_json()).expect("json");
    insta::assert_snapshot!(
        serde_json::to_string_pretty(&json["windows"][0]["features"][0]["compat"]).expect("json")
    );
    let back: Report = serde_json::from_str(&single.to_json()).expect("reads back");
    assert_eq!(back.windows[0].features[0].compat, single.windows[0].features[0].compat);
}

#[test]
fn other_tools_are_heard_where_ours_is_calm_but_never_decide() {
    let features = &migrating().windows[0].features;
    let calm = || vec![features[1].clone(), features[2].clone()];
    let two = report((0..2).map(|day| window(Some(day * DAY), None, calm())).collect());
    assert_eq!(two.verdict, Verdict::Ok);
    let drawn = table::render(&two, Style::PLAIN);
    // Of the folded features the one that the tool's own choice calls drift.
    assert!(drawn.contains("carrier") && !drawn.contains("origin"), "{drawn}");
    let year = report((0..365).map(|day| window(Some(day * DAY), None, calm())).collect());
    let drawn = table::render(&year, Style::PLAIN);
    assert!(drawn.contains("365 windows are ok, 1970-01-01 to 1971-01-01; evidently would see drift in 365"));
}

#[test]
fn a_table_shows_the_worst_first_and_folds_what_is_fine() {
    insta::assert_snapshot!(table::render(&everything(), Style::PLAIN));
}

#[test]
fn a_table_of_several_windows_tells_only_news() {
    insta::assert_snapshot!(table::render(&several(), Style::PLAIN));
}

#[test]
fn a_table_of_a_calm_year_is_short() {
    let day = |n: i64| window(Some(n * DAY), None, vec![feature("delay", Kind::Numeric, Verdict::Ok, 0.001)]);
    let mut windows: Vec<Window> = (0..365).map(day).collect();
    windows[200] = window(Some(200 * DAY), None, vec![delay()]);
    let drawn = table::render(&report(windows), Style::PLAIN);
    assert!(drawn.lines().count() < 16, "{drawn}");
    assert!(drawn.contains("200 windows are ok, 1970-01-01 to 1970-07-20"), "{drawn}");
}

#[test]
fn a_table_fits_its_terminal() {
    for (report, width) in
        [30, 40, 60, 80, 100, 140].into_iter().flat_map(|width| [(everything(), width), (migrating(), width)])
    {
        let drawn = table::render(&report, Style { color: false, width: Some(width) });
        let table = drawn.lines().filter(|line| line.starts_with("  "));
        for line in table {
            assert!(line.width() <= width, "{width}: {} {line}", line.width());
        }
    }
    insta::assert_snapshot!(table::render(&everything(), Style { color: false, width: Some(72) }));
}

#[test]
fn colours_change_nothing_but_colour() {
    let plain = table::render(&everything(), Style { color: false, width: Some(120) });
    let colored = table::render(&everything(), Style { color: true, width: Some(120) });
    assert!(colored.contains("\u{1b}[1;31mdrift\u{1b}[0m"));
    let mut stripped = String::new();
    let mut rest = colored.as_str();
    while let Some(at) = rest.find("\u{1b}[") {
        stripped.push_str(&rest[..at]);
        let end = rest[at..].find('m').expect("an escape ends");
        rest = &rest[at + end + 1..];
    }
    stripped.push_str(rest);
    assert_eq!(stripped, plain);
}

#[test]
fn markdown_is_short_and_escapes_what_data_says() {
    insta::assert_snapshot!(markdown::render(&everything()));
    insta::assert_snapshot!(markdown::render(&several()));
}

#[test]
fn markdown_shows_names_in_our_sentences_as_code_and_lets_no_markup_through() {
    let mut own = delay();
    own.name = "a`*b*`<i>|@me".to_owned();
    own.reason = Some("expected `list<item: f|32>`, found `null".to_owned());
    let drawn = markdown::render(&report(vec![window(None, None, vec![own])]));
    // The name's own backticks make other pieces code, but no piece markup.
    assert!(drawn.contains("worst is `a`\\*b\\*`<i>|@me` (psi 0.310, up)"), "{drawn}");
    assert!(drawn.contains("expected `list<item: f\\|32>`, found \\`null |"), "{drawn}");

    let mut calm = migrating().windows[0].features.clone();
    calm.truncate(2);
    let segment = Segment(vec![("tail_no".to_owned(), Some("<N_1>".to_owned()))]);
    let windows = vec![window(Some(0), Some(segment), calm), window(Some(DAY), None, vec![delay()])];
    let drawn = markdown::render(&report(windows));
    // Within HTML a backslash would be seen.
    assert!(drawn.contains("in 1 feature, 1970-01-01, tail_no = &lt;N_1&gt;</summary>"), "{drawn}");
}

#[test]
fn markdown_stays_below_the_limit_of_a_comment() {
    let long = "n".repeat(60);
    let features: Vec<Feature> =
        (0..400).map(|n| feature(&format!("{long}{n}"), Kind::Numeric, Verdict::Drift, 0.3)).collect();
    let windows = |features: &[Feature]| {
        (0..60).map(|day| window(Some(day * DAY), None, features.to_vec())).collect::<Vec<Window>>()
    };
    assert!(markdown::render(&report(windows(&features))).len() < 60_000);
    let mut features = features;
    for feature in &mut features {
        feature.compat = vec![theirs("azureml", "population_stability_index", 0.29, None); 8];
    }
    let drawn = markdown::render(&report(windows(&features)));
    assert!(drawn.len() < 61_000 && drawn.contains("stands in `--format json`"), "{}", drawn.len());
}

#[test]
fn json_is_the_documented_contract() {
    let json: serde_json::Value = serde_json::from_str(&everything().to_json()).expect("json");
    let mut short = json.clone();
    // One feature of each shape is enough to read.
    short["windows"][0]["features"].as_array_mut().expect("features").truncate(5);
    insta::assert_snapshot!(serde_json::to_string_pretty(&short).expect("json"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&several()).expect("json"));
}

#[test]
fn json_reads_back() {
    for report in [everything(), several()] {
        let json = report.to_json();
        let back: Report = serde_json::from_str(&json).expect("reads back");
        assert_eq!(back.to_json(), json);
        assert_eq!(sentence(&back), sentence(&report));
    }
}

#[test]
fn a_reproducible_report_has_nothing_of_its_run() {
    let (mut a, mut b) = (everything(), everything());
    if let Some(run) = &mut b.run {
        run.seconds = 9.0;
        run.paths.data = vec!["elsewhere".to_owned()];
    }
    b.windows[0].arrival = Some(Arrival { late_rows: 5, revision: 2, is_final: false, partial: true });
    assert_ne!(a.to_json(), b.to_json());
    a.make_reproducible();
    b.make_reproducible();
    assert_eq!(a.to_json(), b.to_json());
    assert!(!a.to_json().contains("\"run\"") && !a.to_json().contains("\"arrival\""));
}

#[test]
fn metrics_stand_in_the_order_of_the_engine() {
    let json = everything().to_json();
    let at = |name: &str| json.find(&format!("\"{name}\":{{")).expect(name);
    assert!(at("psi") < at("ks") && at("ks") < at("wasserstein"));
}

#[test]
fn no_number_that_json_does_not_know_is_written() {
    let score = Score { p_value: Some(f64::NAN), high: Some(f64::INFINITY), ..Score::of(f64::NEG_INFINITY) };
    let measure = Measure::from(&score);
    let json = serde_json::to_string(&measure).expect("json");
    assert!(json.starts_with(r#"{"value":null,"#), "{json}");
    assert!(json.ends_with(r#""reason":"the value is infinite"}"#), "{json}");
    let missing = Measure::from(&Score::none("fewer than two cells"));
    assert_eq!((missing.value, missing.reason.as_deref()), (None, Some("fewer than two cells")));
}

#[test]
fn a_judged_score_carries_its_bounds() {
    let verdict = MetricVerdict {
        verdict: policy::Verdict::Ok,
        source: policy::ThresholdSource::Model,
        applied: policy::Applied {
            on: policy::On::PValue,
            above: policy::Bounds::NONE,
            below: policy::Bounds { warn: None, drift: Some(0.01) },
        },
        q_value: Some(0.2),
        held_back: Some(policy::Verdict::Drift),
        reason: Some("not significant".to_owned()),
    };
    let measure = Measure::judged(Metric::Ks, &Score::of(0.3), Some(&verdict));
    let json = serde_json::to_string(&measure).expect("json");
    assert_eq!(
        json,
        r#"{"value":0.3,"q_value":0.2,"n":0,"n_baseline":0,"on":"p_value","below":{"drift":0.01},"threshold_source":"model","verdict":"ok","held_back":"drift","reason":"not significant"}"#
    );
    assert_eq!(Measure::judged(Metric::Ks, &Score::of(0.3), None).verdict, None);
}

#[test]
fn the_sentence_says_what_matters() {
    assert_eq!(
        sentence(&everything()),
        "drift: 2 of 28 features moved; worst is `delay` (psi 0.310, up); 1 feature could not be compared"
    );
    assert_eq!(
        sentence(&several()),
        "drift: 1 of 2 features moved in 1 of 3 judged windows; worst is `delay` (psi 0.310, up) in 2001-02-04, origin = ATL, carrier = null"
    );
    let ok = report(vec![window(None, None, vec![feature("a", Kind::Numeric, Verdict::Ok, 0.0)])]);
    assert_eq!(sentence(&ok), "ok: none of 1 feature moved");
    let mut none = report(Vec::new());
    assert_eq!(sentence(&none), "insufficient: nothing could be judged");
    none.input = Input { rows: 1000, outside_rows: 990, untimed_rows: 10, ..Input::default() };
    assert_eq!(
        sentence(&none),
        "insufficient: nothing could be judged; 990 of 1,000 rows are outside `--since` and `--until`"
    );
}

#[test]
fn drift_wins_over_errors_and_never_silences_both() {
    let drift = everything();
    assert_eq!(exit_code(&drift, FailOn::Drift), 1);
    assert_eq!(exit_code(&drift, FailOn::Never), 0);
    let mut calm = everything();
    calm.windows[0].verdict = Verdict::Warn;
    assert_eq!(exit_code(&calm, FailOn::Drift), 2);
    assert_eq!(exit_code(&calm, FailOn::Warn), 1);
    let mut ok = several();
    for window in &mut ok.windows {
        window.verdict = Verdict::Ok;
    }
    assert_eq!(exit_code(&ok, FailOn::Insufficient), 0);
    ok.windows[3].verdict = Verdict::Insufficient;
    assert_eq!((exit_code(&ok, FailOn::Insufficient), exit_code(&ok, FailOn::Warn)), (1, 0));
    ok.errors = drift.errors;
    assert_eq!((exit_code(&ok, FailOn::Drift), exit_code(&ok, FailOn::Never)), (2, 0));
}
