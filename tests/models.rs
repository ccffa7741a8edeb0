//! Model files and baseline files together: what one says is what the other does, whatever the format of the rows.

use std::fmt::Write as _;

use driftlead::report::Verdict;
use driftlead::report::wire::{Feature, Report};
use driftlead_engine::Metric;

use crate::support::folder::{Folder, floats, texts, times};
use crate::support::program::{Ended, driftlead, feature, measure, only, report, value};
use crate::support::random::Random;

const HOUR: i64 = 3_600_000_000;

/// Rows of twenty days, two in each minute; the level of `x` changes from day to day.
fn days(seed: u64) -> Vec<(&'static str, arrow_array::ArrayRef)> {
    let mut random = Random::new(seed);
    let n = 20 * 24 * 120;
    let levels: Vec<f64> = (0..20).map(|_| 0.2 * random.normal()).collect();
    let x: Vec<f64> = (0..n).map(|row| levels[row / (24 * 120)] + random.normal()).collect();
    let at = (0..n as i64).map(|row| row * HOUR / 120);
    vec![("at", times(at)), ("x", floats(x)), ("city", texts(random.zipf(n, &["ATL", "BOS", "EWR"])))]
}

fn of_window<'a>(report: &'a Report, name: &str) -> &'a Feature {
    let window = report.windows.iter().find(|window| window.name == name).expect("a window of that name");
    feature(window, "x")
}

/// SEMANTICS S6: hours vary less than days do, so each window's length has a design effect of its own.
#[test]
fn every_window_has_a_design_effect_of_its_own_length() {
    let folder = Folder::new();
    let rows = folder.parquet("rows.parquet", days(1));
    let text =
        |windows: &str| format!("model: m\nbaseline: rows.parquet\ntime: at\nwindows: {{{windows}}}\n");
    let both = folder
        .write("both.yaml", text("hourly: {length: 1h, min_rows: 100}, daily: {length: 24h, every: 12h}"));
    let raw = report(&[&both, &rows]);
    let effect =
        |report: &Report, name: &str| measure(of_window(report, name), Metric::Ks).deff.expect("deff");
    let (hourly, daily) = (effect(&raw, "hourly"), effect(&raw, "daily"));
    assert!(hourly >= 1.0 && daily > 3.0 * hourly, "{hourly} an hour, {daily} a day");
    assert_eq!(of_window(&raw, "daily").calibrated, Some(true));

    // A file holds them both, and no others.
    let frozen = folder.path("frozen.parquet");
    let ended = driftlead(&["baseline", &both, "-o", &frozen]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    let again = report(&[&both, &rows, "--baseline", &frozen]);
    assert_eq!((effect(&again, "hourly"), effect(&again, "daily")), (hourly, daily));
    assert_eq!(again.baseline.id, raw.baseline.id);
    let shown = driftlead(&["inspect", &frozen]);
    assert!(shown.out.contains(" over 1h") && shown.out.contains(" over 1d"), "{shown:?}");
    let other = folder.write("other.yaml", text("daily: {length: 24h}, weekly: {length: 7d}"));
    let other = report(&[&other, &rows, "--baseline", &frozen]);
    assert_eq!(effect(&other, "daily"), daily);
    assert_eq!(effect(&other, "weekly"), 1.0);
    assert_eq!(of_window(&other, "weekly").calibrated, Some(false));
    assert_eq!(other.baseline.id, raw.baseline.id, "the windows asked for are no part of a baseline");
}

#[test]
fn a_baseline_without_times_says_that_it_is_not_calibrated() {
    let folder = Folder::new();
    let timeless = days(1).into_iter().filter(|(name, _)| *name != "at").collect();
    folder.parquet("rows.parquet", timeless);
    let model = folder.write("m.yaml", "model: m\nbaseline: rows.parquet\ntime: at\nwindow: {length: 1d}\n");
    let ended = driftlead(&["baseline", &model]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("m.yaml:3:7: `time` names the column `at`"), "{ended:?}");
    assert!(
        ended.err.starts_with("note: ") && ended.err.contains("the baseline is not calibrated"),
        "{ended:?}"
    );
}

#[test]
fn a_baseline_that_is_not_there_is_said_with_its_place_in_the_model_file() {
    let folder = Folder::new();
    let rows = folder.parquet("rows.parquet", days(1));
    let model = folder.write("m.yaml", "model: m\nbaseline: row.parquet\n");
    let ended = driftlead(&["check", &model, &rows]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("m.yaml:2:11: `") && ended.err.contains("does not exist"), "{ended:?}");
}

/// All columns of a file at once, strings as dictionaries: what the condition was checked against is not what comes.
#[test]
fn a_condition_holds_where_every_column_is_needed() {
    let folder = Folder::new();
    let rows = folder.parquet("rows.parquet", days(1));
    let model = folder.write(
        "m.yaml",
        "model: m\nbaseline: rows.parquet\ntime: at\nwindow: {length: 10d}\nsegments: [city]\nwhere: \"x > 0 AND city <> 'BOS'\"\n",
    );
    let report = report(&[&model, &rows]);
    assert!(report.input.excluded_rows > report.input.rows / 2, "{:?}", report.input);
    assert_eq!(report.verdict, Verdict::Ok);
    assert!(
        report
            .windows
            .iter()
            .all(|window| !format!("{:?}", window.segment).contains("BOS") || window.rows == 0)
    );
}

#[test]
fn a_baseline_file_is_held_to_what_the_model_file_says_by_now() {
    let folder = Folder::new();
    let rows = folder.parquet("rows.parquet", days(1));
    let model = folder.write("m.yaml", "model: m\nbaseline: rows.parquet\n");
    let frozen = folder.path("frozen.parquet");
    assert_eq!(driftlead(&["baseline", &model, "-o", &frozen]).code, Some(0));
    let names =
        |report: &Report| only(report).features.iter().map(|own| own.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&report(&[&model, &rows, "--baseline", &frozen])), ["x", "city"]);
    let without = report(&[&model, &rows, "--baseline", &frozen, "--exclude", "city"]);
    assert_eq!(names(&without), ["x"]);
    assert!(without.skipped.iter().any(|own| own.name == "city" && own.reason == "excluded"));
    assert_eq!(
        without.baseline.id,
        report(&[&model, &rows, "--exclude", "city"]).baseline.id,
        "what is left is the same baseline, from the file and from the rows"
    );
    let some = folder.write("some.yaml", "model: m\nfeatures: {city: categorical}\n");
    assert_eq!(names(&report(&[&some, &rows, "--baseline", &frozen])), ["city"]);

    for (features, message) in [
        ("{cty: {}}", ":2:12: `features` names `cty`, which the baseline file"),
        ("{x: categorical}", ":2:12: feature `x` is categorical, but the baseline file"),
    ] {
        let model = folder.write("bad.yaml", format!("model: m\nfeatures: {features}\n"));
        let ended = driftlead(&["check", &model, &rows, "--baseline", &frozen]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains(message), "{ended:?}");
    }
}

/// SEMANTICS S10: dates that are written as text are no categories, in any format.
#[test]
fn dates_written_as_text_are_set_aside_with_the_reason() {
    let folder = Folder::new();
    let stamps: Vec<String> =
        (0..600).map(|row| format!("2001-01-{:02}T{:02}:00:00Z", row % 28 + 1, row % 24)).collect();
    let (mut csv, mut ndjson) = ("day,at,x\n".to_owned(), String::new());
    for (row, at) in stamps.iter().enumerate() {
        let (day, x) = (&at[..10], row % 11);
        let _ = writeln!(csv, "{day},{at},{x}");
        let _ = writeln!(ndjson, r#"{{"day":"{day}","at":"{at}","x":{x}}}"#);
    }
    let parquet = folder.parquet(
        "rows.parquet",
        vec![
            ("day", texts(stamps.iter().map(|at| &at[..10]))),
            ("at", texts(stamps.iter().map(String::as_str))),
            ("x", floats((0..600).map(|row| f64::from(row % 11)))),
        ],
    );
    for rows in [folder.write("rows.csv", csv), folder.write("rows.ndjson", ndjson), parquet] {
        let found = report(&["--baseline", &rows, &rows]);
        let skipped: Vec<&str> = found.skipped.iter().map(|own| own.name.as_str()).collect();
        assert_eq!(skipped, ["at", "day"], "{rows}");
        assert!(found.skipped.iter().all(|own| own.reason.starts_with("dates and times, written as text")));
        assert_eq!(only(&found).features.len(), 1);
        // They can be the event time, and `init` says so.
        let begun = driftlead(&["init", &rows]);
        assert!(begun.out.contains("\ntime: day  # string\n# time: at  # string\n"), "{begun:?}");
        let model =
            folder.write("m.yaml", format!("model: m\nbaseline: {rows}\ntime: at\nwindow: {{length: 1d}}\n"));
        assert_eq!(report(&[&model, &rows]).windows.len(), 28);
        // And be asked for.
        let asked =
            folder.write("a.yaml", format!("model: m\nbaseline: {rows}\nfeatures: {{day: categorical}}\n"));
        assert_eq!(only(&report(&[&asked, &rows])).features[0].name, "day");
    }
}

/// SEMANTICS S4: the baseline's type decides, never what the window's text looks like.
#[test]
fn text_is_read_as_the_type_of_the_baseline() {
    let folder = Folder::new();
    let csv = |name: &str, code: &dyn Fn(usize) -> String, n: &dyn Fn(usize) -> String| {
        let rows: String = (0..1_000).map(|row| format!("{},{}\n", code(row), n(row))).collect();
        folder.write(name, format!("code,n\n{rows}"))
    };
    let number = |row: usize| (row % 9).to_string();
    let baseline =
        csv("b.csv", &|row| if row % 3 == 0 { "A1".into() } else { format!("{}", 10 + row % 3) }, &number);
    // Only codes that look like numbers, and numbers of which most are none.
    let window = csv("w.csv", &|row| format!("{}", 11 + row % 2), &|row| {
        if row % 2 == 0 { "n/k".into() } else { number(row) }
    });
    let found = report(&["--baseline", &baseline, &window]);
    assert!(found.errors.is_empty(), "{:?}", found.errors);
    let code = feature(only(&found), "code");
    assert_eq!((code.verdict, value(code, Metric::NewCategoryRate)), (Verdict::Drift, 0.0));
    let n = feature(only(&found), "n");
    assert_eq!((n.type_errors, value(n, Metric::TypeErrorRate)), (500, 0.5));
    assert_eq!(n.verdict, Verdict::Drift);

    // A model file says it before there is a baseline.
    let codes = csv("codes.csv", &|row| (10 + row % 5).to_string(), &number);
    let model =
        folder.write("m.yaml", "model: m\nbaseline: codes.csv\nfeatures: {code: {type: string}, n: {}}\n");
    let found = report(&[&model, &codes]);
    assert_eq!(feature(only(&found), "code").kind, driftlead_engine::Kind::Categorical);
}

/// A constant has no distribution to compare, and what leaves it is seen all the same.
#[test]
fn what_leaves_a_constant_is_never_silently_ok() {
    let share = |part: usize, one: f64, other: f64| {
        floats((0..4_000).map(move |row| if row % 1_000 < part { other } else { one }).collect::<Vec<f64>>())
    };
    let names =
        |part: usize| texts((0..4_000).map(move |row| if row % 1_000 < part { "new" } else { "one" }));
    let compare = |baseline, window| {
        let folder = Folder::new();
        let (b, w) = (
            folder.parquet("b.parquet", vec![("x", baseline)]),
            folder.parquet("w.parquet", vec![("x", window)]),
        );
        let found = report(&["--baseline", &b, &w]);
        feature(only(&found), "x").clone()
    };
    for (part, expected) in
        [(0, Verdict::Ok), (30, Verdict::Warn), (100, Verdict::Drift), (1_000, Verdict::Drift)]
    {
        let above = compare(share(0, 7.0, 0.0), share(part, 7.0, 8.0));
        assert_eq!(above.verdict, expected, "{part} of 1,000 above: {above:?}");
        let below = compare(share(0, 7.0, 0.0), share(part, 7.0, 6.0));
        assert_eq!(below.verdict, expected, "{part} of 1,000 below: {below:?}");
        let named = compare(names(0), names(part));
        assert_eq!(named.verdict, expected, "{part} of 1,000 named: {named:?}");
        let psi = measure(&named, Metric::Psi);
        assert!(psi.value.is_some() || psi.reason.is_some(), "{psi:?}");
        let nulls = compare(
            share(0, 7.0, 0.0),
            floats((0..4_000).map(|row| (row % 1_000 >= part).then_some(7.0)).collect::<Vec<_>>()),
        );
        assert_eq!(nulls.verdict, expected, "{part} of 1,000 null: {nulls:?}");
    }
}

#[test]
fn many_windows_with_too_few_rows_do_not_hide_the_others() {
    let folder = Folder::new();
    let rows = folder.parquet("rows.parquet", days(1));
    let model = folder
        .write("m.yaml", "model: m\nbaseline: rows.parquet\ntime: at\nwindow: {length: 1h, min_rows: 500}\n");
    let ended: Ended = driftlead(&["check", &model, &rows]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("480 windows are insufficient (too few rows)"), "{ended:?}");
    assert!(ended.out.lines().count() < 10, "{ended:?}");
}
