//! An experiment: what is drawn, at which sizes, and what is asked of its tests.

use driftlead_engine::Result;
use rayon::prelude::*;

use crate::tally::{Demand, Tally};

/// A baseline's rows, and the windows' rows that are held against each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Rows of the baseline.
    pub baseline: u64,
    /// Rows of the windows.
    pub windows: Vec<u64>,
    /// Only every so many replicates are run: more than one where they are dear.
    pub every: u64,
}

/// One replicate's p-values: for each window size, one for each test.
pub type Replicate = Vec<Vec<Option<f64>>>;

/// One replicate of a seed: all windows of these sizes against one fresh baseline.
pub type Draw = Box<dyn Fn(u64, &Sizes) -> Result<Replicate> + Sync>;

/// What is drawn and tested.
pub struct Experiment {
    /// A name, unique.
    pub name: &'static str,
    /// What is drawn, for a reader of the record.
    pub what: &'static str,
    /// The sizes.
    pub grid: Vec<Sizes>,
    /// The tests, in the order of their p-values.
    pub tests: Vec<(&'static str, Demand)>,
    /// One replicate of that seed: all windows against one fresh baseline.
    pub replicate: Draw,
}

/// One test at one pair of sizes.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The experiment.
    pub experiment: &'static str,
    /// The test.
    pub test: &'static str,
    /// Rows of the baseline.
    pub baseline: u64,
    /// Rows of the window.
    pub n: u64,
    /// What is asked.
    pub demand: Demand,
    /// What was found.
    pub tally: Tally,
}

/// Runs replicates 0 to `replicates` - 1 of `experiment`, in parallel; the result does not depend on the threads.
///
/// # Errors
///
/// As the engine's.
pub fn run(experiment: &Experiment, replicates: u64) -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for sizes in &experiment.grid {
        let zero = || vec![vec![Tally::default(); experiment.tests.len()]; sizes.windows.len()];
        let tallies = (0..replicates.div_ceil(sizes.every))
            .into_par_iter()
            .try_fold(zero, |mut tallies, seed| {
                for (tallies, p_values) in tallies.iter_mut().zip((experiment.replicate)(seed, sizes)?) {
                    for (tally, p) in tallies.iter_mut().zip(p_values) {
                        tally.add(p);
                    }
                }
                Ok::<_, driftlead_engine::Error>(tallies)
            })
            .try_reduce(zero, |a, b| {
                let add =
                    |(a, b): (Vec<Tally>, Vec<Tally>)| a.into_iter().zip(b).map(|(a, b)| a.plus(b)).collect();
                Ok(a.into_iter().zip(b).map(add).collect())
            })?;
        for (n, tallies) in sizes.windows.iter().zip(tallies) {
            for ((test, demand), tally) in experiment.tests.iter().zip(tallies) {
                cells.push(Cell {
                    experiment: experiment.name,
                    test,
                    baseline: sizes.baseline,
                    n: *n,
                    demand: *demand,
                    tally,
                });
            }
        }
    }
    Ok(cells)
}

/// The sizes of the grid, powers of ten but for the smallest, which is the fewest rows that are judged.
pub const ROWS: [u64; 5] = [200, 1_000, 10_000, 100_000, 1_000_000];

/// One of four replicates is run where a pair of sizes is dear.
pub const DEAR: u64 = 4;

/// One of ten is run where a side has a million rows.
pub const DEAREST: u64 = 10;

/// Every pair of sizes up to `baseline` and `window` rows. Pairs whose product is over `cheap` are run less often, and
/// those with a million rows least, unless all are cheap.
#[must_use]
pub fn grid(baseline: u64, window: u64, cheap: u64) -> Vec<Sizes> {
    let up_to = |most: u64| ROWS.into_iter().filter(move |rows| *rows <= most);
    let mut grid = Vec::new();
    for baseline in up_to(baseline) {
        let every = |n: u64| match n.max(baseline) {
            1_000_000 if cheap < u64::MAX => DEAREST,
            _ if n * baseline > cheap => DEAR,
            _ => 1,
        };
        for at in [1, DEAR, DEAREST] {
            let windows: Vec<u64> = up_to(window).filter(|n| every(*n) == at).collect();
            if !windows.is_empty() {
                grid.push(Sizes { baseline, windows, every: at });
            }
        }
    }
    grid
}
