//! The calibration suite in its small form: the small cells, few replicates, the same code; deterministic.
//!
//! With 200 to 400 replicates only a rate that is clearly wrong is seen: a test fails where the 99 % interval of its rate
//! lies wholly outside of what is asked. `make calibrate` asks the same of 2,000.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails there")]

use driftlead_calibration::fleet::{self, Fleet};
use driftlead_calibration::{Cell, Experiment, Sizes, effect, embedding, rates, run, stream, volume, zero};

/// Runs the experiment of that name on the given sizes, and holds each of its cells to what is asked.
fn hold(
    experiments: Vec<Experiment>,
    name: &str,
    baselines: &[u64],
    windows: &[u64],
    replicates: u64,
) -> Vec<Cell> {
    let mut experiment = experiments.into_iter().find(|experiment| experiment.name == name).unwrap();
    if !baselines.is_empty() {
        let windows = windows.to_vec();
        experiment.grid = baselines
            .iter()
            .map(|baseline| Sizes { baseline: *baseline, windows: windows.clone(), every: 1 })
            .collect();
    }
    let cells = run(&experiment, replicates).unwrap();
    assert!(!cells.is_empty());
    for cell in &cells {
        assert!(cell.demand.is_compatible(cell.tally), "{cell:?}");
    }
    cells
}

#[test]
fn without_drift_tests_alarm_as_often_as_they_say() {
    for name in ["continuous", "mostly zero", "binary", "rounded", "zipf 50"] {
        hold(zero::experiments(), name, &[1_000, 10_000], &[200, 1_000], 200);
    }
}

/// Categories whose shares of the baseline are near the least that is compared: whichever of them is kept for the rows that
/// it happens to have shows it in every window, and a test on those cells alarms in 20 to 80 % of them.
#[test]
fn the_cells_that_are_tested_are_not_those_that_were_lucky() {
    for (name, baselines, windows, replicates) in [
        ("even 33", [1_000], [200, 1_000, 10_000].as_slice(), 200),
        ("even 333", [10_000], &[1_000, 10_000], 100),
        ("rounded", [200], &[200, 1_000], 300),
        ("zipf 3000", [200], &[200, 1_000], 300),
    ] {
        hold(zero::experiments(), name, &baselines, windows, replicates);
    }
    for (name, baselines, windows) in
        [("psi, even 33", [1_000], [1_000, 10_000]), ("psi, zipf 50", [1_000], [1_000, 10_000])]
    {
        hold(effect::experiments(), name, &baselines, &windows, 200);
    }
}

#[test]
fn vectors_without_drift_alarm_as_often_as_they_say() {
    hold(embedding::experiments(), "embedding 48", &[3_000], &[500, 2_000], 100);
}

#[test]
fn what_disturbs_is_no_drift() {
    for name in ["outlier in window", "outlier in baseline", "new category", "half null", "half null zipf"] {
        hold(zero::experiments(), name, &[2_000], &[400], 200);
    }
}

/// 200 baseline rows: their range leaves one row of a hundred outside without any drift.
#[test]
fn the_range_of_few_rows_is_no_bound() {
    let cells = hold(zero::experiments(), "continuous", &[200], &[200, 1_000], 300);
    let outside = cells.iter().filter(|cell| cell.test.contains("out_of_range"));
    outside.for_each(|cell| assert!(cell.tally.rate() <= 0.02, "{cell:?}"));
}

#[test]
fn a_tolerated_change_is_tolerated_and_twice_as_much_is_found() {
    for (name, least) in [
        ("psi, tilt", 0.3),
        ("psi, one decile up", 0.2),
        ("psi, zipf 50", 0.2),
        ("ks, plateau", 0.5),
        ("ks, mostly zero", 0.5),
        ("feature, tilt", 0.4),
    ] {
        let cells = hold(effect::experiments(), name, &[10_000], &[1_000], 200);
        let power = cells.iter().find(|cell| cell.test == "power").unwrap();
        assert!(power.tally.rate() >= least, "{power:?}");
    }
}

/// At 200 rows and a baseline rate of 0 the score test alone alarms in 5 % of windows where it says 1.7 %.
#[test]
fn rates_with_few_hits_are_judged_exactly() {
    for name in ["rate 0", "rate 0.001", "rate 0.01", "rate 0.5", "rate 0.98"] {
        let cells = hold(rates::experiments(10_000), name, &[], &[], 400);
        for cell in cells.iter().filter(|cell| cell.test == "p_delta") {
            assert!(cell.tally.far_rate() <= 0.035, "at a hundredth: {cell:?}");
        }
    }
}

/// A prediction that takes the estimates of thirty windows for the truth alarms in 7 % of clean windows of size 0.7.
#[test]
fn thirty_windows_predict_how_many_rows_come() {
    for name in ["row count, Poisson", "row count, size 10", "row count, size 0.7"] {
        let cells = hold(volume::experiments(), name, &[30, 100], &[50], 400);
        for cell in cells.iter().filter(|cell| cell.test == "p_value") {
            assert!(cell.tally.far_rate() <= 0.025, "at a hundredth: {cell:?}");
        }
        if name == "row count, Poisson" {
            let power = cells.iter().find(|cell| cell.test == "power").unwrap();
            assert!(power.tally.rate() >= 0.9, "{power:?}");
        }
    }
}

#[test]
fn rows_like_their_neighbours_are_no_drift() {
    hold(stream::experiments(1_000), "AR(1) 0.9", &[], &[], 160);
}

/// The experiment of 200 features over 300 windows, on 100 features over 20.
#[test]
fn false_alarms_stay_near_what_is_stated() {
    let fleet = Fleet { features: 100, windows: 20, baseline: 20_000, rows: 5_000 };
    let outcome = fleet::run(fleet).unwrap();
    assert!(outcome.is_met(), "{outcome:?}");
    assert_eq!(outcome.real, 100);
}
