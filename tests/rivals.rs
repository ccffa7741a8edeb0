//! What other tools were measured to get wrong, and that driftlead does not. `docs/rivals.md` has a row for each test.

use arrow_array::ArrayRef;
use driftlead::report::Verdict;
use driftlead::report::wire::{Direction, Feature, Report};
use driftlead_engine::Metric;

use crate::support::folder::{Folder, floats, table, texts};
use crate::support::program::{Ended, driftlead, feature, measure, only, program, report, value};
use crate::support::random::Random;

const CITIES: [&str; 8] = ["ATL", "BOS", "CLE", "DEN", "EWR", "FLL", "GSO", "HNL"];

/// Compares two columns of one name.
fn compare(baseline: ArrayRef, window: ArrayRef) -> Feature {
    let report = reported(vec![("x", baseline)], vec![("x", window)]);
    feature(only(&report), "x").clone()
}

fn reported(baseline: Vec<(&str, ArrayRef)>, window: Vec<(&str, ArrayRef)>) -> Report {
    let folder = Folder::new();
    let (baseline, window) = (folder.parquet("b.parquet", baseline), folder.parquet("w.parquet", window));
    report(&["--baseline", &baseline, &window])
}

fn is_calm(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Ok | Verdict::Info)
}

#[test]
fn one_outlier_does_not_hide_a_shift() {
    let mut random = Random::new(1);
    let (baseline, mut window) = (floats(random.normals(10_000, 0.0)), random.normals(10_000, 0.3));
    let without = compare(baseline.clone(), floats(window.clone()));
    window[5_000] = 1e4;
    let with = compare(baseline, floats(window));
    for metric in [Metric::Psi, Metric::Js, Metric::Ks] {
        let (before, after) = (value(&without, metric), value(&with, metric));
        assert!((after - before).abs() < 0.01 * before, "{metric}: {before} became {after}");
    }
    assert!(value(&with, Metric::Psi) > 0.07);
    assert_eq!(with.verdict, without.verdict);
    assert!(!is_calm(with.verdict), "{with:?}");
}

#[test]
fn a_shift_down_is_seen_as_a_shift_up_is() {
    let mut random = Random::new(2);
    // Of two decimals, so that every value is counted apart and both answers are exact.
    let mut draw = |mean: f64| -> Vec<f64> {
        random.normals(5_000, mean).into_iter().map(|x| (x * 100.0).round() / 100.0).collect()
    };
    let (baseline, window) = (draw(0.0), draw(0.3));
    let mirror = |values: &[f64]| floats(values.iter().map(|x| -x));
    let up = compare(floats(baseline.clone()), floats(window.clone()));
    let down = compare(mirror(&baseline), mirror(&window));
    let (ks_up, ks_down) = (measure(&up, Metric::Ks), measure(&down, Metric::Ks));
    assert!((value(&up, Metric::Ks) - value(&down, Metric::Ks)).abs() < 1e-12);
    let (p_up, p_down) = (ks_up.p_value.expect("p"), ks_down.p_value.expect("p"));
    assert!(p_up < 1e-20 && (p_up - p_down).abs() <= 1e-6 * p_up, "{p_up} up, {p_down} down");
    assert_eq!((ks_up.direction, ks_down.direction), (Some(Direction::Up), Some(Direction::Down)));
    assert_eq!(up.verdict, down.verdict);
    assert!(!is_calm(down.verdict));
}

#[test]
fn a_small_baseline_does_not_alarm_on_large_windows() {
    for seed in 0..20 {
        let mut random = Random::new(100 + seed);
        let found = compare(texts(random.zipf(500, &CITIES)), texts(random.zipf(5_000, &CITIES)));
        assert!(is_calm(found.verdict), "seed {seed}: {found:?}");
    }
}

#[test]
fn one_new_category_is_no_drift() {
    let mut random = Random::new(3);
    let (baseline, mut window) = (random.zipf(10_000, &CITIES), random.zipf(1_000, &CITIES));
    window[17] = "new";
    let found = compare(texts(baseline), texts(window));
    assert!(is_calm(found.verdict), "{found:?}");
    assert_eq!(value(&found, Metric::NewCategoryRate), 0.001);
}

#[test]
fn an_unseen_category_loses_no_row() {
    let mut random = Random::new(4);
    let mut window = random.zipf(1_000, &CITIES);
    window[999] = "unseen";
    let number = |random: &mut Random, n: usize| floats(random.normals(n, 0.0));
    let columns = vec![("city", texts(random.zipf(1_000, &CITIES))), ("x", number(&mut random, 1_000))];
    let report = reported(columns, vec![("city", texts(window)), ("x", number(&mut random, 1_000))]);
    for own in &only(&report).features {
        assert_eq!((own.rows, own.nulls, own.type_errors), (1_000, 0, 0), "{own:?}");
        assert_eq!(measure(own, Metric::Psi).n, Some(1_000), "{own:?}");
    }
}

#[test]
fn a_flood_of_one_new_category_is_named() {
    let mut random = Random::new(5);
    let (baseline, mut window) = (random.zipf(1_000, &CITIES), random.zipf(1_000, &CITIES));
    window[..500].fill("flood");
    let found = compare(texts(baseline), texts(window));
    assert_eq!(found.verdict, Verdict::Drift);
    assert_eq!(value(&found, Metric::NewCategoryRate), 0.5);
    // The newcomers share a cell with the rarest known category (SEMANTICS S3).
    assert!(value(&found, Metric::Psi) > 1.0 && value(&found, Metric::Tvd) > 0.45, "{found:?}");
    let first = &found.top[0];
    assert!(first.label.contains("flood (500)"), "{first:?}");
    assert!(first.window >= 0.5 && first.window < 0.55, "{first:?}");
}

#[test]
fn an_empty_cell_does_not_explode_psi() {
    // Deciles of 1,000 rows each; the window has none in the last.
    let baseline: Vec<f64> = (0..10_000).map(f64::from).collect();
    let mut last = f64::INFINITY;
    for every in [1, 5, 45] {
        let window: Vec<f64> = (0..9_000).step_by(every).map(f64::from).collect();
        let n = window.len() as f64;
        let found = compare(floats(baseline.clone()), floats(window));
        let (q_full, q_empty) = ((n / 9.0 + 0.5) / (n + 5.0), 0.5 / (n + 5.0));
        let truth = 9.0 * (q_full - 0.1) * (q_full / 0.1).ln() + (q_empty - 0.1) * (q_empty / 0.1).ln();
        let psi = value(&found, Metric::Psi);
        // Counts of a ninth are not whole for every step.
        assert!((psi - truth).abs() < 0.01, "{n} rows: {psi} is not {truth}");
        assert!(psi < last && psi < 0.8, "{n} rows bear out no more than {psi}");
        last = psi;
    }
}

#[test]
fn one_huge_baseline_value_does_not_blind_ks() {
    let mut random = Random::new(6);
    let mut lognormal = |n: usize, factor: f64| -> Vec<f64> {
        (0..n).map(|_| factor * (2.0 * random.normal()).exp()).collect()
    };
    let (mut baseline, window) = (lognormal(12_000, 1.0), lognormal(12_000, 1.7));
    let before = value(&compare(floats(baseline.clone()), floats(window.clone())), Metric::Ks);
    baseline[6_000] = 1e9;
    let after = value(&compare(floats(baseline), floats(window)), Metric::Ks);
    assert!(before > 0.08, "{before}");
    assert!((after - before).abs() <= 1.0 / 12_000.0 + 1e-12, "{before} became {after}");
}

#[test]
fn false_alarms_do_not_depend_on_sizes() {
    const SEEDS: u64 = 20;
    for (n_baseline, n_window) in
        [(100_000, 1_000), (10_000, 1_000), (10_000, 10_000), (1_000, 1_000), (1_000, 10_000)]
    {
        let mut alarms = Vec::new();
        for seed in 0..SEEDS {
            let mut random = Random::new(1_000 + seed);
            let mut columns = |n: usize| {
                let lognormal = floats((0..n).map(|_| (2.0 * random.normal()).exp()).collect::<Vec<_>>());
                let city = texts(random.zipf(n, &CITIES));
                vec![("normal", floats(random.normals(n, 0.0))), ("lognormal", lognormal), ("city", city)]
            };
            let report = reported(columns(n_baseline), columns(n_window));
            assert_eq!(only(&report).features.len(), 3);
            if !is_calm(report.verdict) {
                alarms.push((seed, report.verdict));
            }
        }
        // The bound on false discoveries is 5 % of windows (SEMANTICS S9), and a minimum effect is asked for besides.
        assert!(alarms.is_empty(), "{n_baseline} rows against {n_window}: {alarms:?} of {SEEDS}");
    }
}

#[test]
fn a_harmless_shift_at_100k_rows_is_no_drift() {
    let mut random = Random::new(7);
    let found = compare(floats(random.normals(100_000, 0.0)), floats(random.normals(100_000, 0.02)));
    assert!(is_calm(found.verdict), "{found:?}");
    // It is seen, and it is too small to matter.
    assert!(measure(&found, Metric::Ks).p_value.expect("p") < 0.01, "{found:?}");
    let ks = value(&found, Metric::Ks);
    assert!(ks > 0.004 && ks < 0.02, "{ks}");
}

#[test]
fn half_nan_against_itself_is_no_drift() {
    let mut random = Random::new(8);
    let half: Vec<f64> =
        (0..5_000).map(|_| if random.uniform() < 0.5 { f64::NAN } else { random.normal() }).collect();
    let nans = half.iter().filter(|x| x.is_nan()).count() as u64;
    let found = compare(floats(half.clone()), floats(half));
    assert_eq!((value(&found, Metric::Psi), value(&found, Metric::Ks)), (0.0, 0.0));
    assert_eq!((found.nans, measure(&found, Metric::Psi).n), (nans, Some(5_000 - nans)));
    let rate = measure(&found, Metric::NanRate);
    assert_eq!((rate.value, rate.baseline), (Some(nans as f64 / 5_000.0), Some(nans as f64 / 5_000.0)));
    assert_eq!(found.verdict, Verdict::Ok);
}

#[test]
fn sixty_percent_zeros_leave_no_empty_cells() {
    let mut random = Random::new(9);
    let mut zeros = |n: usize| {
        floats((0..n).map(|row| if row % 5 < 3 { 0.0 } else { 1.0 + random.uniform() }).collect::<Vec<f64>>())
    };
    let found = compare(zeros(10_000), zeros(10_000));
    // One cell for the zeros, which are the first six deciles, and one for each of the other four.
    assert_eq!(measure(&found, Metric::Psi).cells, Some(5), "{found:?}");
    assert_eq!(found.verdict, Verdict::Ok);
}

#[test]
fn a_feature_with_few_rows_stops_no_other() {
    let mut random = Random::new(10);
    let sparse = |random: &mut Random, every: usize| {
        floats((0..3_000).map(|row| (row % every == 0).then(|| random.normal())).collect::<Vec<_>>())
    };
    let baseline = vec![("few", sparse(&mut random, 20)), ("many", floats(random.normals(3_000, 0.0)))];
    let window = vec![("few", sparse(&mut random, 20)), ("many", floats(random.normals(3_000, 1.0)))];
    let report = reported(baseline, window);
    let few = feature(only(&report), "few");
    assert_eq!((few.verdict, few.missing_rows), (Verdict::Insufficient, Some(50)), "{few:?}");
    assert!(few.reason.as_deref().is_some_and(|reason| reason.contains("150")), "{few:?}");
    assert_eq!(feature(only(&report), "many").verdict, Verdict::Drift);
    assert_eq!(report.verdict, Verdict::Drift);
}

#[test]
fn an_all_null_column_stops_nothing() {
    let nulls = || floats(vec![None::<f64>; 3_000]);
    let mut random = Random::new(11);
    let mut number = |mean: f64| floats(random.normals(3_000, mean));
    let both =
        reported(vec![("void", nulls()), ("x", number(0.0))], vec![("void", nulls()), ("x", number(1.0))]);
    assert_eq!(feature(only(&both), "void").verdict, Verdict::Insufficient);
    assert_eq!(feature(only(&both), "x").verdict, Verdict::Drift);

    // A column that becomes null is judged by its rate of nulls, which needs no value.
    let lost = reported(
        vec![("void", number(0.0)), ("x", number(0.0))],
        vec![("void", nulls()), ("x", number(0.0))],
    );
    let void = feature(only(&lost), "void");
    assert_eq!((value(void, Metric::NullRate), void.nulls), (1.0, 3_000));
    assert_eq!(feature(only(&lost), "x").verdict, Verdict::Ok);
    assert!(lost.errors.is_empty() && both.errors.is_empty());
}

#[test]
fn an_excluded_column_costs_nothing_and_says_nothing() {
    let folder = Folder::new();
    let mut random = Random::new(12);
    let mut x = || ("x", floats(random.normals(2_000, 0.0)));
    let baseline = folder.parquet("b.parquet", vec![x(), ("junk", floats(vec![1.0; 2_000]))]);
    // Of another type: reading it as a feature would be an error.
    let window = folder.parquet("w.parquet", vec![x(), ("junk", texts(vec!["?"; 2_000]))]);
    let args = ["check", "--baseline", &baseline, &window];
    assert_eq!(driftlead(&args).code, Some(2));
    let ended = driftlead(&[&args[..], &["--exclude", "junk"]].concat());
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    assert!(!ended.out.contains("error"), "{ended:?}");
    let report = report(&["--baseline", &baseline, &window, "--exclude", "junk"]);
    assert!(report.errors.is_empty() && only(&report).features.iter().all(|own| own.name != "junk"));
}

#[test]
fn check_needs_nothing_but_two_files() {
    let folder = Folder::new();
    let mut random = Random::new(13);
    folder.parquet("b.parquet", vec![("x", floats(random.normals(2_000, 0.0)))]);
    folder.parquet("w.parquet", vec![("x", floats(random.normals(2_000, 1.0)))]);
    let output = program(&["check", "--baseline", "b.parquet", "w.parquet"])
        .current_dir(folder.path(""))
        .env_clear()
        .output()
        .expect("it runs");
    let ended = Ended::from(output);
    assert_eq!((ended.code, ended.err.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.out.starts_with("drift: "), "{ended:?}");
    assert_eq!(folder.names(), ["b.parquet", "w.parquet"]);
}

#[test]
fn ks_has_no_largest_sample() {
    for n in [9_999, 10_000, 12_000, 100_000] {
        let mut random = Random::new(14);
        let found = compare(floats(random.normals(n, 0.0)), floats(random.normals(n, 0.5)));
        let ks = value(&found, Metric::Ks);
        // Of two normal distributions half a standard deviation apart: 2 Phi(1/4) - 1.
        assert!((ks - 0.1974).abs() < 2.0 / (n as f64).sqrt(), "{n} rows: {ks}");
        assert!(measure(&found, Metric::Ks).p_value.expect("p") < 1e-50);
        assert_eq!(found.verdict, Verdict::Drift);
    }
}

#[test]
fn the_largest_value_is_counted() {
    let mut random = Random::new(15);
    let mut baseline = random.normals(12_000, 0.0);
    baseline[0] = 1e9;
    // A tenth of the window at the baseline's maximum, a tenth beyond.
    let window: Vec<f64> = (0..12_000)
        .map(|row| match row % 10 {
            0 => 1e9,
            1 => 1e12,
            _ => random.normal(),
        })
        .collect();
    let found = compare(floats(baseline), floats(window));
    assert_eq!(measure(&found, Metric::Js).n, Some(12_000));
    // Those beyond, and perhaps a few below the least.
    let outside = value(&found, Metric::OutOfRangeRate);
    assert!((0.1..0.101).contains(&outside), "{outside}");
    assert!(value(&found, Metric::Js) > 0.1, "{found:?}");
    let last = found.top.iter().find(|cell| cell.low.is_some() && cell.high.is_none()).expect("a last cell");
    assert!(last.window > 0.25, "a fifth, and a tenth of the rest: {last:?}");
    assert_eq!(found.verdict, Verdict::Drift);
}

/// The most memory that a check held, in bytes. The report is larger than a pipe holds, so that the program waits for
/// its reader at the end of its work, and can be asked there.
#[cfg(target_os = "linux")]
fn peak_memory(baseline: &str, window: &str) -> u64 {
    use std::io::Read as _;
    use std::process::Stdio;

    let args = ["check", "--format", "json", "--threads", "2", "--baseline", baseline, window];
    let mut child = program(&args).stdout(Stdio::piped()).spawn().expect("the program runs");
    let mut out = child.stdout.take().expect("a pipe");
    out.read_exact(&mut [0]).expect("the report begins");
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("its status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    let mut rest = Vec::new();
    out.read_to_end(&mut rest).expect("the report");
    assert!(rest.len() > 70_000, "{} bytes fit into a pipe", rest.len());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    kib * 1024
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_rows() {
    const MIB: u64 = 1 << 20;
    let folder = Folder::new();
    let mut random = Random::new(20);
    let mut file = |name: &str, rows: usize| {
        let column = |random: &mut Random| floats((0..rows).map(|_| random.uniform()).collect::<Vec<f64>>());
        let (a, b) = (column(&mut random), column(&mut random));
        let names: Vec<String> = (0..48).map(|number| format!("x{number}")).collect();
        let columns = names
            .iter()
            .enumerate()
            .map(|(at, name)| (name.as_str(), if at % 2 == 0 { a.clone() } else { b.clone() }));
        // One row group: nothing but the reader keeps it from being held as a whole.
        folder.rows(name, &table(columns.collect()), rows)
    };
    let (small, large) = (file("small.parquet", 80_000), file("large.parquet", 800_000));
    let (before, after) = (peak_memory(&small, &small), peak_memory(&large, &large));
    // The larger file's values alone take 293 MiB.
    assert!(after < before + 40 * MIB, "{} MiB became {} MiB", before / MIB, after / MIB);
    assert!(after < 200 * MIB, "{} MiB", after / MIB);
}

/// A full queue that drops rows, and errors that do not reach whoever sent them.
#[cfg(feature = "kafka")]
#[test]
fn a_slow_store_slows_the_source_and_loses_no_row() {
    crate::serve::slow::a_slow_store_slows_the_source_and_loses_no_row();
}

/// Vectors of 32 numbers in four clusters.
fn vectors(random: &mut Random, n: usize, clusters: usize) -> ArrayRef {
    let rows = (0..n).map(|_| {
        let cluster = random.below(clusters);
        let numbers =
            (0..32).map(|j| Some((random.normal() + if j % 4 == cluster { 2.0 } else { 0.0 }) as f32));
        Some(numbers.collect::<Vec<_>>())
    });
    std::sync::Arc::new(arrow_array::ListArray::from_iter_primitive::<arrow_array::types::Float32Type, _, _>(
        rows,
    ))
}

#[test]
fn embeddings_without_drift_do_not_alarm() {
    let mut random = Random::new(31);
    let baseline = vectors(&mut random, 3_000, 4);
    let mut alarms = 0;
    for _ in 0..20 {
        let own = compare(baseline.clone(), vectors(&mut random, 500, 4));
        assert!(value(&own, Metric::EmbeddingDrift) < 0.6, "{own:?}");
        alarms += usize::from(!is_calm(own.verdict));
    }
    assert!(alarms <= 2, "{alarms} of 20");
    // And they can: a cluster that is gone is named.
    let gone = compare(baseline, vectors(&mut random, 500, 3));
    assert_eq!(gone.verdict, Verdict::Drift, "{gone:?}");
    assert!(gone.top.iter().any(|cell| cell.label.starts_with("cluster") && cell.window < cell.baseline));
}

/// Evidently has methods of its own for vectors; the others have none: ours stand alone there, and theirs beside the other columns.
#[test]
fn of_other_tools_only_evidently_has_metrics_of_embeddings() {
    let mut random = Random::new(32);
    let mut table = |n: usize| vec![("v", vectors(&mut random, n, 4)), ("x", floats(random.normals(n, 0.0)))];
    let folder = Folder::new();
    let (baseline, window) =
        (folder.parquet("b.parquet", table(1_000)), folder.parquet("w.parquet", table(500)));
    for tool in ["evidently", "azureml", "nannyml", "scouter"] {
        let report = report(&["--baseline", &baseline, &window, "--compat", tool]);
        let of_vectors = feature(only(&report), "v").compat.len();
        assert_eq!(of_vectors, if tool == "evidently" { 7 } else { 0 }, "{tool}");
        assert!(!feature(only(&report), "x").compat.is_empty(), "{tool}");
    }
}
