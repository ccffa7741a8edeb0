//! `check` against numbers that numpy and scipy computed from the same files (`fixtures/*/PROVENANCE.md`).
//!
//! The full data sets are fetched by `scripts/data`, which `make test` runs first.

use std::fs::{self, File};
use std::path::PathBuf;

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use driftlead::report::wire::{Feature, Report};
use driftlead_engine::Metric;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::support::checkout::workspace;
use crate::support::folder::Folder;
use crate::support::program::{feature, json, measure, only, parsed, value};

/// Up to so many rows a baseline's deciles are exact (SEMANTICS S5).
const EXACT_ROWS: u64 = 64 * 1024;
/// Up to so many distinct values every one of them is counted apart.
const EXACT_VALUES: u64 = 4096;
/// The cells of a compressed state.
const COMPRESSED_CELLS: f64 = 513.0;

#[test]
fn flights_agree_with_scipy() {
    committed_pairs("fixtures/flights");
}

#[test]
fn employment_agrees_with_scipy() {
    committed_pairs("fixtures/employment");
}

fn committed_pairs(folder: &str) {
    let pairs = expected(&format!("{folder}/expected.json"));
    assert!(!pairs.is_empty(), "{folder} expects nothing");
    for pair in &pairs {
        let file = |key: &str| format!("{folder}/{}", pair[key].as_str().expect("a file name"));
        compare(pair, &reproducible(&file("baseline"), &file("current")));
    }
}

#[test]
fn three_years_of_employment_agree_with_scipy() {
    for pair in &expected("fixtures/employment/expected-full.json") {
        let file = |key: &str| data(pair[key].as_str().expect("a file name")).display().to_string();
        let report = reproducible(&file("baseline"), &file("current"));
        compare(pair, &report);
        // `id` only counts upwards; nobody has to say that it is no feature (SEMANTICS S10).
        assert!(report.skipped.iter().any(|skipped| skipped.name == "id"), "{:?}", report.skipped);
    }
}

#[test]
fn half_a_year_of_all_flights_agrees_with_scipy() {
    let folder = Folder::new();
    let mut baseline: Option<String> = None;
    for (index, pair) in expected("fixtures/flights/expected-3m.json").iter().enumerate() {
        let range = |key: &str| {
            let ends: Vec<usize> = serde_json::from_value(pair[key].clone()).expect("two row numbers");
            (ends[0], ends[1])
        };
        let baseline =
            baseline.get_or_insert_with(|| month(&folder, "january.parquet", range("baseline_row_range")));
        let current = month(&folder, &format!("month-{index}.parquet"), range("current_row_range"));
        compare(pair, &reproducible(baseline, &current));
        fs::remove_file(current).expect("removed");
    }
    assert!(baseline.is_some(), "nothing was expected");
}

/// Cuts rows out of the full set of flights.
fn month(folder: &Folder, name: &str, (start, end): (usize, usize)) -> String {
    let file = File::open(data("flights-3m.parquet")).expect("opened");
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
    let columns = ["delay", "distance", "origin", "destination"];
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns);
    let reader = builder.with_projection(mask).with_offset(start).with_limit(end - start);
    let reader = reader.with_batch_size(65_536).build().expect("a reader");
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().expect("rows");
    let rows = concat_batches(&batches[0].schema(), &batches).expect("one table");
    assert_eq!(rows.num_rows(), end - start);
    folder.rows(name, &rows, 100_000)
}

/// A file of the data folder.
fn data(name: &str) -> PathBuf {
    let folder = std::env::var_os("DRIFTLEAD_DATA").map(PathBuf::from).or_else(|| {
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
        Some(cache.join("driftlead/data"))
    });
    let path = folder.expect("HOME is set").join(name);
    assert!(path.is_file(), "{} is missing: scripts/data fetches it", path.display());
    path
}

fn expected(path: &str) -> Vec<Value> {
    let text = fs::read_to_string(workspace().join(path)).expect("expected numbers");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    all["pairs"].as_array().expect("pairs").clone()
}

fn reproducible(baseline: &str, current: &str) -> Report {
    parsed(&json(&["--baseline", baseline, current]))
}

fn compare(pair: &Value, report: &Report) {
    let window = only(report);
    for (name, truth) in pair["columns"].as_object().expect("columns") {
        let found = feature(window, name);
        let (baseline, current) = (&truth["baseline"], &truth["current"]);
        let rows = |side: &Value| count(&side["rows"]);
        let held = |side: &Value| rows(side) - count(&side["nulls"]) - side["nans"].as_u64().unwrap_or(0);
        assert_eq!(report.baseline.rows, rows(baseline), "{name}");
        assert_eq!((window.rows, found.rows), (rows(current), rows(current)), "{name}");
        assert_eq!(found.nulls, count(&current["nulls"]), "{name}");
        for (metric, measure) in &found.metrics.0 {
            if !metric.is_rate() {
                assert_eq!(measure.n, Some(held(current)), "{name} {metric}");
                assert_eq!(measure.n_baseline, Some(held(baseline)), "{name} {metric}");
            }
        }
        let mut has_deciles = true;
        if truth["kind"] == "numeric" {
            assert_eq!(found.nans, count(&current["nans"]), "{name}");
            let is_exact = count(&baseline["distinct"]) <= EXACT_VALUES;
            has_deciles = is_exact || rows(baseline) <= EXACT_ROWS;
            numeric(found, truth, is_exact, held(baseline));
        } else {
            let new = count(&current["new_rows"]) as f64 / held(current) as f64;
            near(name, value(found, Metric::NewCategoryRate), new, 0.0, 1e-15);
        }
        if has_deciles {
            cells(found, &truth["cells"]);
        }
    }
}

fn numeric(found: &Feature, truth: &Value, is_exact: bool, n_baseline: u64) {
    let name = &found.name;
    let ks = measure(found, Metric::Ks);
    let (ks_value, ks_high) = (value(found, Metric::Ks), ks.high.expect("a bound"));
    let ks_truth = number(&truth["ks"]);
    if is_exact {
        near(&format!("ks of {name}"), ks_value, ks_truth, 0.0, 1e-15);
        near(&format!("high of ks of {name}"), ks_high, ks_truth, 0.0, 1e-15);
    } else {
        let width = 1.5 / COMPRESSED_CELLS + 1.0 / n_baseline as f64;
        assert!(ks_value <= ks_truth + 1e-15, "ks of {name}: {ks_value} is above {ks_truth}");
        assert!(ks_truth <= ks_high + 1e-15, "ks of {name}: {ks_truth} is above {ks_high}");
        assert!(ks_high - ks_value <= width, "ks of {name}: {ks_value} to {ks_high} is wider than {width}");
    }

    let wasserstein = measure(found, Metric::Wasserstein);
    let (low, high) = (wasserstein.low.expect("a bound"), wasserstein.high.expect("a bound"));
    let (estimate, w1) = (value(found, Metric::Wasserstein), number(&truth["wasserstein"]));
    let rounding = 1e-12 * w1;
    assert!(low - rounding <= w1 && w1 <= high + rounding, "{name}: {w1} is outside of {low} to {high}");
    near(&format!("wasserstein of {name}"), estimate, w1, 0.07, 0.0);

    let (baseline, current) = (&truth["baseline"], &truth["current"]);
    let sd = number(&baseline["sd"]);
    if sd > 0.0 {
        let shift = (number(&current["mean"]) - number(&baseline["mean"])) / sd;
        near(&format!("mean_shift of {name}"), value(found, Metric::MeanShift), shift, 1e-9, 1e-12);
        if number(&current["sd"]) > 0.0 {
            let shift = (number(&current["sd"]) / sd).ln();
            near(&format!("sd_shift of {name}"), value(found, Metric::SdShift), shift, 1e-9, 1e-12);
        }
    } else {
        let shift = measure(found, Metric::MeanShift);
        assert!(shift.value.is_none() && shift.reason.is_some(), "{name}: {shift:?}");
    }
}

/// The divergences, which share one set of cells (SEMANTICS S2, S3).
fn cells(found: &Feature, truth: &Value) {
    const METRICS: [Metric; 7] =
        [Metric::Psi, Metric::Kl, Metric::Js, Metric::Hellinger, Metric::Tvd, Metric::Linf, Metric::Chi2];
    let n_cells = truth["baseline"].as_array().expect("cells").len() as u64;
    for metric in METRICS {
        let own = measure(found, metric);
        let what = format!("{metric} of {}", found.name);
        let Some(truth) = truth["metrics"].as_object() else {
            assert!(own.value.is_none() && own.reason.is_some(), "{what}: one cell cannot move: {own:?}");
            continue;
        };
        assert_eq!(own.cells, Some(n_cells), "{what}");
        near(&what, value(found, metric), number(&truth[metric.name()]), 1e-9, 1e-12);
        match metric {
            Metric::Psi => {
                let corrected = own.corrected.expect("corrected");
                near(&format!("corrected {what}"), corrected, number(&truth["psi_corrected"]), 1e-9, 1e-12);
            }
            Metric::Chi2 => {
                let p = own.p_value.expect("a p-value");
                near(&format!("p of {what}"), p, number(&truth["chi2_p_value"]), 1e-9, 1e-12);
            }
            _ => {}
        }
    }
}

fn near(what: &str, found: f64, truth: f64, relative: f64, absolute: f64) {
    let bound = (relative * truth.abs()).max(absolute);
    assert!((found - truth).abs() <= bound, "{what}: {found} is not {truth}");
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}
