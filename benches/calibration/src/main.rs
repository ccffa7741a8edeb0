//! `make calibrate`: every experiment with 2,000 replicates a cell, and the record of what was found.
//!
//! Usage: `calibrate [REPLICATES [NAME [RECORD]]]`; with a name only the experiments whose names contain it run, and with
//! a path the record is written there. Exits with 1 if a cell is not what is asked.
#![expect(clippy::print_stdout, reason = "it reports on standard output")]

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use driftlead_calibration::fleet::{self, Fleet};
use driftlead_calibration::{Cell, Demand, Experiment, effect, embedding, rates, run, stream, volume, zero};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let replicates: u64 = arguments.first().and_then(|a| a.parse().ok()).unwrap_or(2_000);
    let wanted = arguments.get(1).map_or("", String::as_str);
    match all(replicates, wanted) {
        Ok((text, is_met)) => {
            let written = arguments.get(2).map(|path| std::fs::write(path, &text));
            if let Some(Err(error)) = written {
                println!("the record could not be written: {error}");
                return ExitCode::from(2);
            }
            ExitCode::from(u8::from(!is_met))
        }
        Err(error) => {
            println!("{error}");
            ExitCode::from(2)
        }
    }
}

fn all(replicates: u64, wanted: &str) -> driftlead_engine::Result<(String, bool)> {
    let mut experiments: Vec<Experiment> = zero::experiments();
    experiments.extend(effect::experiments());
    experiments.extend(rates::experiments(1_000_000));
    experiments.extend(volume::experiments());
    experiments.extend(embedding::experiments());
    experiments.extend(stream::experiments(2_000));
    let mut text = String::new();
    let mut failures = Vec::new();
    let (mut n_cells, mut untested) = (0, 0);
    let mut say = |line: &str| {
        println!("{line}");
        text.push_str(line);
        text.push('\n');
    };
    say(&format!(
        "# Calibration\n\nHow often tests alarm, in per cent of {replicates} replicates (seeds 0 to {}), with Wilson's 99 % interval; N rows in \
         the baseline, n in the window, a fresh baseline in each replicate. Nominal: 5 %. `near 5`: the interval meets [2.5, \
         7.5], of the replicates that have a p-value; `or less`: it meets [0, 7.5]. `at most 7.5`: its upper end does, of all replicates, since one without a \
         p-value does not alarm. Nothing asked: a power, at twice the tolerated change. `p in k`: so many replicates have a \
         p-value, if not all. `no p`: none has, or fewer than one of fifty; there are too few rows for a test. What misses is \
         **bold**. Dear pairs of sizes run a quarter of the replicates (nN above 1e7 or 1e8), pairs with \
         a million rows a tenth, the AR(1) streams half.",
        replicates.saturating_sub(1)
    ));
    for experiment in experiments.iter().filter(|experiment| experiment.name.contains(wanted)) {
        let started = Instant::now();
        let cells = run(experiment, replicates)?;
        n_cells += cells.iter().filter(|cell| cell.demand != Demand::Shown).count();
        untested +=
            cells.iter().filter(|cell| cell.demand != Demand::Shown && !cell.tally.is_tested()).count();
        say(&format!("\n### {}: {}\n", experiment.name, experiment.what));
        table(experiment, &cells).lines().for_each(&mut say);
        println!("\n({:.0} s)", started.elapsed().as_secs_f64());
        failures.extend(cells.into_iter().filter(|cell| !cell.demand.is_met(cell.tally)));
    }
    let mut is_met = failures.is_empty();
    if "fleet".contains(wanted) {
        let fleet = Fleet { features: 200, windows: 300, baseline: 100_000, rows: 5_000 };
        let outcome = fleet::run(fleet)?;
        is_met &= outcome.is_met();
        say("\n### fleet: 200 features, 300 windows, the default policy\n");
        say(&format!(
            "5,000 rows against 100,000; 30 features with psi 0.002, 5 with psi 0.15: {:.4} false alerts a window (at most \
             0.01), {} `info` in all, recall {:.4} (at least 0.99): {}",
            outcome.false_alerts_a_window(),
            outcome.false_infos,
            outcome.recall(),
            if outcome.is_met() { "met" } else { "**NOT MET**" }
        ));
    }
    say(&format!(
        "\n{n_cells} cells with a demand, {untested} of them without a p-value, {} not met",
        failures.len()
    ));
    for cell in &failures {
        let tally = cell.demand.counted(cell.tally);
        let (low, high) = tally.interval();
        say(&format!(
            "- {}, {}, N = {}, n = {}: {:.2} % in [{:.2}, {:.2}], {} without a p-value",
            cell.experiment,
            cell.test,
            cell.baseline,
            cell.n,
            100.0 * tally.rate(),
            100.0 * low,
            100.0 * high,
            cell.tally.without
        ));
    }
    Ok((text, is_met))
}

/// One row for each test and baseline size, one column for each window size: the rate in per cent and its 99 % interval.
fn table(experiment: &Experiment, cells: &[Cell]) -> String {
    let mut text = String::new();
    let mut windows: Vec<u64> = cells.iter().map(|cell| cell.n).collect();
    windows.sort_unstable();
    windows.dedup();
    let _ = write!(text, "| test | asked | N |");
    for n in &windows {
        let _ = write!(text, " n = {n} |");
    }
    let _ = writeln!(text, "\n|---|---|---|{}", "---|".repeat(windows.len()));
    for (test, demand) in &experiment.tests {
        let mut baselines: Vec<u64> = experiment.grid.iter().map(|sizes| sizes.baseline).collect();
        baselines.dedup();
        for baseline in baselines {
            let asked = match demand {
                Demand::Near => "near 5",
                Demand::NearOrLess => "near 5 or less",
                Demand::AtMost => "at most 7.5",
                Demand::AtMostTwice => "at most 10",
                Demand::Shown => "",
            };
            let _ = write!(text, "| {test} | {asked} | {baseline} |");
            for n in &windows {
                let cell = cells.iter().find(|c| c.test == *test && c.baseline == baseline && c.n == *n);
                match cell {
                    Some(cell) if cell.tally.judged() == 0 => text.push_str(" no p |"),
                    Some(cell) if !cell.tally.is_tested() => {
                        let _ = write!(text, " no p (p in {}) |", cell.tally.judged());
                    }
                    Some(cell) => {
                        let tally = demand.counted(cell.tally);
                        let (low, high) = tally.interval();
                        let bold = if demand.is_met(cell.tally) { "" } else { "**" };
                        let _ = write!(
                            text,
                            " {bold}{:.1}{bold} [{:.1}, {:.1}]",
                            100.0 * tally.rate(),
                            100.0 * low,
                            100.0 * high
                        );
                        if cell.tally.without > 0 {
                            let _ = write!(text, " (p in {})", cell.tally.judged());
                        }
                        text.push_str(" |");
                    }
                    None => text.push_str(" |"),
                }
            }
            text.push('\n');
        }
    }
    text
}
