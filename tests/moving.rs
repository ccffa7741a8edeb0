//! Moving baselines (SEMANTICS S25): a window against those before it is what it would be against a frozen baseline of
//! their rows, on the same cells.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use driftlead::report::Verdict;
use driftlead::report::wire::{Feature, Report, Window};
use driftlead_engine::Metric;

use crate::support::folder::{Folder, texts, times};
use crate::support::program::{driftlead, report};
use crate::support::random::Random;

const DAY: i64 = 86_400_000_000;
/// 2001-01-01T00:00:00Z.
const BEGIN: i64 = 978_307_200_000_000;
const ROWS: usize = 4_000;
const WORDS: [&str; 3] = ["a", "b", "c"];

/// The rows of one day, few-valued, so that any day has the same cells: `x` has a step on day 5 that stays, and nulls.
fn day(day: i64, n: usize) -> Vec<(&'static str, ArrayRef)> {
    let mut random = Random::new(100 + day.unsigned_abs());
    let step = if day >= 5 { 3.0 } else { 0.0 };
    let x: Int64Array = (0..n)
        .map(|at| (at % 40 != 0).then(|| ((random.uniform() * 9.0 + step) as i64).min(11 - (at as i64 % 2))))
        .collect();
    // Every value on every day.
    let x: Int64Array =
        x.iter().enumerate().map(|(at, x)| if at < 24 { Some(at as i64 / 2) } else { x }).collect();
    let words: Vec<&str> = (0..n).map(|_| WORDS[random.below(5).min(2)]).collect();
    let at = times((0..n as i64).map(|row| BEGIN + day * DAY + row * (DAY / n as i64)));
    vec![("at", at), ("x", Arc::new(x)), ("word", texts(words))]
}

fn concat(days: impl IntoIterator<Item = i64>, with_time: bool) -> Vec<(&'static str, ArrayRef)> {
    let days: Vec<_> = days.into_iter().map(|own| day(own, ROWS)).collect();
    let column = |at: usize| {
        let parts: Vec<&dyn arrow_array::Array> = days.iter().map(|day| day[at].1.as_ref()).collect();
        (days[0][at].0, arrow_select::concat::concat(&parts).expect("one type"))
    };
    (if with_time { 0 } else { 1 }..3).map(column).collect()
}

fn model(folder: &Folder, name: &str, baseline: &str) -> String {
    let text = format!(
        "model: steps\nbaseline: {baseline}\ntime: at\nwindow: {{length: 1d}}\nsegments: [word]\n\
         features: {{x: numeric, word: categorical}}\n"
    );
    folder.write(name, text)
}

/// The window of that day, of the whole or of a segment.
fn window<'a>(report: &'a Report, day: i64, segment: Option<&str>) -> &'a Window {
    let start = BEGIN + day * DAY;
    let is_wanted = |own: &&Window| {
        let text = own.segment.as_ref().and_then(|own| own.0[0].1.clone());
        own.start.is_some_and(|at| at.micros() == start) && text.as_deref() == segment
    };
    report.windows.iter().find(is_wanted).unwrap_or_else(|| panic!("no window {day} of {segment:?}"))
}

/// A metric's name, its numbers, and its verdict.
type Compared = (String, Vec<Option<f64>>, Option<Verdict>);

/// What rests on counts alone, and on the range and scale of neither.
fn compared(feature: &Feature) -> Vec<Compared> {
    let left_out = [
        Metric::Wasserstein,
        Metric::WassersteinNormalized,
        Metric::OutOfRangeRate,
        Metric::NewCategoryRate,
        Metric::MeanShift,
        Metric::SdShift,
    ];
    feature
        .metrics
        .0
        .iter()
        .filter(|(metric, _)| !left_out.contains(metric))
        .map(|(metric, own)| {
            let numbers = vec![own.value, own.corrected, own.p_value, own.p_effect, own.baseline];
            (metric.to_string(), numbers, own.verdict)
        })
        .collect()
}

/// The same verdicts and numbers, but for the last bit: a dictionary is in the order of its own baseline's frequencies, and
/// floats do not add up in any order.
fn assert_alike(own: &[Compared], wanted: &[Compared], what: &str) {
    assert!(own.len() == wanted.len() && own.len() >= 7, "{what}: {own:?}");
    for ((name, numbers, verdict), (other, expected, as_verdict)) in own.iter().zip(wanted) {
        assert_eq!((name, verdict), (other, as_verdict), "{what}");
        for (own, wanted) in numbers.iter().zip(expected) {
            let is_alike = match (own, wanted) {
                (Some(own), Some(wanted)) => (own - wanted).abs() <= 1e-12 * wanted.abs().max(1e-3),
                (own, wanted) => own == wanted,
            };
            assert!(is_alike, "{what}: {name}: {own:?} {wanted:?}");
        }
    }
}

#[test]
fn a_window_is_judged_as_against_a_frozen_baseline_of_the_windows_before_it() {
    let folder = Folder::new();
    folder.parquet("grid.parquet", concat([-40], false));
    let data = folder.parquet("data.parquet", concat(0..9, true));
    for windows in [1, 3] {
        let path =
            model(&folder, "moving.yaml", &format!("{{path: grid.parquet, moving: {{windows: {windows}}}}}"));
        let moving = report(&[&path, &data]);
        assert_eq!(moving.baseline.moving_windows, Some(windows as u64));
        for of in windows..9 {
            folder.parquet("frozen.parquet", concat(of - windows..of, false));
            let only = folder.parquet("day.parquet", concat([of], true));
            let frozen = report(&[&model(&folder, "frozen.yaml", "frozen.parquet"), &only]);
            for segment in [None, Some("a"), Some("b"), Some("c")] {
                let (own, wanted) = (window(&moving, of, segment), window(&frozen, of, segment));
                let reference = own.reference.expect("what it was compared with");
                assert_eq!((reference.windows, reference.of), (windows as u64, windows as u64));
                for (own, wanted) in own.features.iter().zip(&wanted.features) {
                    let what = format!("day {of} of {segment:?}: {}", own.name);
                    assert_alike(&compared(own), &compared(wanted), &what);
                    let top = |feature: &Feature| -> Vec<(String, f64)> {
                        feature.top.iter().map(|cell| (cell.label.clone(), cell.baseline)).collect()
                    };
                    assert_eq!(top(own), top(wanted), "day {of} of {segment:?}");
                    for metric in [Metric::MeanShift, Metric::SdShift] {
                        let of = |feature: &Feature| feature.metrics.of(metric).and_then(|own| own.value);
                        if let (Some(own), Some(wanted)) = (of(own), of(wanted)) {
                            assert!((own - wanted).abs() < 1e-9, "{metric}: {own} {wanted}");
                        }
                    }
                }
            }
            assert_eq!(
                window(&moving, of, None).reference.map(|own| own.rows),
                Some(windows as u64 * ROWS as u64)
            );
        }
        // A step is seen where it happens, and for as long as a window before it is from before.
        let verdicts: Vec<Verdict> =
            (0..9).map(|day| window(&moving, day, None).features[0].verdict).collect();
        for (day, verdict) in (0..).zip(&verdicts) {
            match day {
                day if day < windows => assert_eq!(*verdict, Verdict::Insufficient, "{verdicts:?}"),
                5 => assert_eq!(*verdict, Verdict::Drift, "{verdicts:?}"),
                day if day < 5 || day >= 5 + windows => {
                    assert!(matches!(verdict, Verdict::Ok | Verdict::Info), "{verdicts:?}");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn too_few_windows_before_are_said_and_bounds_cut_them() {
    let folder = Folder::new();
    folder.parquet("grid.parquet", concat([-40], false));
    let data = folder.parquet("data.parquet", concat(0..5, true));
    let path = model(&folder, "m.yaml", "{path: grid.parquet, moving: {windows: 2}}");
    let whole = report(&[&path, &data]);
    let reason = |day: i64| window(&whole, day, None).features[0].reason.clone();
    assert_eq!(reason(0).as_deref(), Some("0 of the 2 windows before it were seen whole"));
    assert_eq!(reason(1).as_deref(), Some("1 of the 2 windows before it were seen whole"));
    assert_eq!(reason(2), None);
    // What stands outside of the bounds is not there: a day that is cut does not count as seen.
    let cut = report(&[&path, &data, "--since", "2001-01-02T06:00:00Z"]);
    let seen: Vec<u64> =
        (1..5).map(|day| window(&cut, day, None).reference.map_or(9, |own| own.windows)).collect();
    assert_eq!(seen, [0, 0, 1, 2]);
    // The same window has the same id whatever was before it, and another one with other windows before it.
    let id = |report: &Report| window(report, 4, None).id.clone();
    assert_eq!(id(&whole), id(&cut));
    let path = model(&folder, "m.yaml", "{path: grid.parquet, moving: previous}");
    assert_ne!(id(&whole), id(&report(&[&path, &data])));
}

#[test]
fn other_rows_that_make_the_same_cells_change_no_id_and_compat_is_refused() {
    let folder = Folder::new();
    folder.parquet("grid.parquet", concat([-40], false));
    let data = folder.parquet("data.parquet", concat(0..3, true));
    let path = model(&folder, "m.yaml", "{path: grid.parquet, moving: previous}");
    let own = report(&[&path, &data]);
    let frozen = report(&[&model(&folder, "f.yaml", "grid.parquet"), &data]);
    assert_ne!(own.baseline.id, frozen.baseline.id, "it is the grid's, not the rows'");
    assert!(driftlead(&["check", &path, &data]).out.contains("against the window before each"));
    let refused = driftlead(&["check", &path, &data, "--compat", "nannyml"]);
    assert!(refused.code == Some(2) && refused.err.contains("baseline moves"), "{refused:?}");
}

#[test]
fn what_a_moving_baseline_cannot_be_is_refused_with_its_place_and_what_to_write() {
    let folder = Folder::new();
    let refused = |baseline: &str, rest: &str| {
        let text = format!("model: m\nbaseline: {baseline}\n{rest}\nfeatures: {{x: numeric}}\n");
        let ended = driftlead(&["validate", &folder.write("m.yaml", text)]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        // The line of the file, with the mark below, follows each problem.
        let problems: Vec<String> = ended
            .err
            .lines()
            .filter_map(|line| line.split_once("m.yaml:").map(|(_, problem)| problem.to_owned()))
            .collect();
        problems.join("\n")
    };
    let cut = "time: at\nwindow: {length: 10m}";
    for (moving, rest, expected) in [
        ("next", cut, "2:33: `moving` cannot be `next`: expected one of `previous`"),
        (
            "3",
            cut,
            "2:33: `moving` expects one of `previous` or a moving baseline, but here is the number `3`: write `moving: \
             {windows: 7}`",
        ),
        ("{}", cut, "2:33: `windows` is missing in a moving baseline: write `windows: 7`"),
        (
            "{window: 3}",
            cut,
            "2:33: `windows` is missing in a moving baseline: write `windows: 7`\n2:34: unknown key `window` in a moving \
             baseline: did you mean `windows`?",
        ),
        (
            "{windows: 0}",
            cut,
            "2:43: `windows` expects a whole number of at least 1, but here is the number `0`: write `windows: 7`",
        ),
        (
            "{windows: 2.5}",
            cut,
            "2:43: `windows` expects a whole number of at least 1, but here is the number `2.5`: write `windows: 7`",
        ),
        (
            "{windows: 10000}",
            cut,
            "2:33: `10000` windows before each of `default` are more than 10000 panes of its `every`: name fewer, or a \
             longer `every`",
        ),
        (
            "previous",
            "time: at",
            "2:33: window `default` is all rows, and nothing precedes it: cut time with `time: COLUMN` and such as \
             `window: {length: 1h}`",
        ),
        (
            "previous",
            "time: at\nwindow: {length: 10m}\ncompat: [nannyml]",
            "2:33: `compat` compares with the baseline's own rows: leave out either it or `moving`",
        ),
    ] {
        assert_eq!(
            refused(&format!("{{path: b.csv, moving: {moving}}}"), rest),
            expected,
            "{moving}, {rest}"
        );
    }
    let expected = "2:11: `path` is missing in a baseline: write `path: train/*.parquet`";
    assert_eq!(refused("{moving: previous}", cut), expected, "it needs rows to make cells of");
}
