//! From counts to scores: every metric of one feature, in one window, against one baseline state.
//!
//! Here frozen cells meet the statistics: which cells a metric looks at, which rows it speaks of, which side is which.

mod categorical;
mod describe;
mod design_effect;
mod direction;
mod embedding;
mod mmd;
mod numeric;

use std::collections::BTreeMap;

pub use describe::{Description, describe};
pub use design_effect::design_effect;
pub use direction::{Direction, PART_P, Way};

use crate::accumulate::FeatureState;
use crate::feature::FeatureCells;
use crate::statistic::{
    Pooled, Score, chi2, contributions, hellinger, js, kl, linf, pool, pool_tested, psi, significance, tvd,
};
use crate::{Error, ErrorKind, Metric, Result};

/// Everything measured of one feature in one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Rows of the window, whatever they hold.
    pub rows: u64,
    /// Of these, nulls.
    pub nulls: u64,
    /// Of these, NaN.
    pub nans: u64,
    /// Of these, infinities of either sign.
    pub infinities: u64,
    /// Of these, values that could not be read as the feature's type.
    pub type_errors: u64,
    /// Rows that carry a value.
    pub n: u64,
    /// Rows of the baseline, whatever they hold.
    pub baseline_rows: u64,
    /// Of these, those that carry a value.
    pub baseline_n: u64,
    /// Whether float32 rows met a float64 baseline (SEMANTICS S4).
    pub narrowed: bool,
    /// The metrics.
    pub scores: BTreeMap<Metric, Score>,
    /// The cells that PSI compared, largest contribution first; of an embedding its clusters.
    pub cells: Vec<Moved>,
    /// The ways in which an embedding's vectors moved, by part, the surest first.
    pub directions: Vec<Direction>,
    /// Vectors without an id that could be kept, of an embedding whose rows have ids.
    pub unnamed: u64,
    /// The map of an embedding; `None` of other kinds.
    pub map: Option<JointCounts>,
}

/// Vectors in each cell of the first two principal components of an embedding: 16 cells of the second for each cell of the
/// first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JointCounts {
    /// Of the baseline.
    pub baseline: Vec<u64>,
    /// Of the window.
    pub window: Vec<u64>,
}

/// How one cell's share moved.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    /// What the cell holds.
    pub place: Place,
    /// Its share of the baseline's values, in `[0, 1]`.
    pub baseline: f64,
    /// Its share of the window's values, in `[0, 1]`.
    pub window: f64,
    /// Its share of the feature's PSI, in `[0, 1]`.
    pub contribution: f64,
    /// The ids of some of the window's rows in it; of a cluster only, and only where rows have ids.
    pub ids: Vec<String>,
}

/// What a compared cell holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// Values above the first and up to the second number, in the feature's unit; `None` where it has no end.
    Range(Option<f64>, Option<f64>),
    /// One value.
    Value(f64),
    /// Vectors nearest to the code of this number.
    Cluster(usize),
    /// One category.
    Category(String),
    /// The cells too small to compare alone, with the names of some new categories and their rows.
    Rest(Vec<(String, u64)>),
}

/// Whose rows a window is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Against {
    /// Those from which the cells were made, or a part of them: a baseline, a segment of it.
    Frozen,
    /// Those of other windows. What the cells know beside their edges (means, the range, the categories seen once) is then
    /// not known of them, and is not taken for theirs.
    Moving,
}

/// Measures `window` against `baseline`, two states of a feature with these `cells`.
///
/// `design_effect` divides the effective sample size of p-values and does nothing else (SEMANTICS S6).
///
/// # Errors
///
/// `Mismatch` if the states are not of these cells.
pub fn measure(
    cells: &FeatureCells,
    baseline: &FeatureState,
    window: &FeatureState,
    design_effect: f64,
) -> Result<Measured> {
    compare(cells, (Against::Frozen, baseline), window, design_effect)
}

/// Measures `window` against the windows `before` it, whose rows were counted on the same `cells` and are not those that
/// the cells were made from (SEMANTICS S25).
///
/// # Errors
///
/// As [`measure`].
pub fn measure_moving(
    cells: &FeatureCells,
    before: &FeatureState,
    window: &FeatureState,
    design_effect: f64,
) -> Result<Measured> {
    compare(cells, (Against::Moving, before), window, design_effect)
}

fn compare(
    cells: &FeatureCells,
    (against, baseline): (Against, &FeatureState),
    window: &FeatureState,
    design_effect: f64,
) -> Result<Measured> {
    let n_cells = |state: &FeatureState| match state {
        FeatureState::Numeric(state) => state.cells.n_cells(),
        FeatureState::Categorical(state) => state.cells.n_cells(),
        FeatureState::Embedding(state) => state.cells.n_cells(),
    };
    if [n_cells(baseline), n_cells(window)] != [cells.n_cells(); 2] {
        return Err(Error::new(ErrorKind::Mismatch, "the states were counted on different edges"));
    }
    match (cells, baseline, window) {
        (FeatureCells::Numeric(cells), FeatureState::Numeric(baseline), FeatureState::Numeric(window)) => {
            Ok(numeric::measure(cells, baseline, window, against, design_effect))
        }
        (
            FeatureCells::Categorical(cells),
            FeatureState::Categorical(baseline),
            FeatureState::Categorical(window),
        ) => Ok(categorical::measure(cells, baseline, window, against, design_effect)),
        (
            FeatureCells::Embedding(cells),
            FeatureState::Embedding(baseline),
            FeatureState::Embedding(window),
        ) => Ok(embedding::measure(cells, baseline, window, design_effect)),
        _ => Err(Error::new(ErrorKind::Mismatch, "the states are not of this feature's kind")),
    }
}

/// A pooled cell's members, by the numbers of the cells before pooling.
struct Pool {
    baseline: Vec<u64>,
    window: Vec<u64>,
    members: Vec<Vec<usize>>,
    rest: Option<usize>,
    contributions: Vec<f64>,
}

/// A metric of two sets of counts on the same cells, baseline first.
type Statistic = fn(&[u64], &[u64]) -> Score;

/// The metrics that share one set of cells.
const FAMILY: [(Metric, Statistic); 7] = [
    (Metric::Psi, psi),
    (Metric::Kl, kl),
    (Metric::Js, js),
    (Metric::Hellinger, hellinger),
    (Metric::Tvd, tvd),
    (Metric::Linf, linf),
    (Metric::Chi2, chi2),
];

/// `shown` with the p-values of `metric` on the cells that are tested.
fn with_p(
    metric: Metric,
    statistic: Statistic,
    shown: Score,
    (tested, refusal): (&Pooled, Option<&'static str>),
    deff: f64,
) -> Score {
    let (p, q) = (&tested.baseline, &tested.window);
    let value = match metric {
        // Without smoothing a square root makes much of a cell that happens to be nearly empty: js and hellinger keep their
        // plain value, and are tested by the one with Jeffreys' half a row more in each cell.
        Metric::Js | Metric::Hellinger => {
            let [p, q] = [p, q].map(|counts| counts.iter().map(|count| 2 * count + 1).collect::<Vec<u64>>());
            statistic(&p, &q)
        }
        _ => statistic(p, q),
    };
    let cells = value.cells;
    let found = significance::test(metric, Score { value: value.value, cells, ..shown.clone() }, deff);
    let p_value = found.p_value.filter(|_| refusal.is_none());
    let reason = refusal.filter(|_| found.p_value.is_some());
    Score { p_value, p_effect: found.p_effect, deff: found.deff, reason, ..shown }
}

/// The metrics of the PSI family on two sets of counts (SEMANTICS S2, S3).
fn family(
    baseline: &[u64],
    window: &[u64],
    always_rest: &[usize],
    deff: f64,
    scores: &mut BTreeMap<Metric, Score>,
) -> Pool {
    let pooled = pool(baseline, window, always_rest);
    let (tested, refusal) = pool_tested(baseline, window, always_rest);
    for (metric, statistic) in FAMILY {
        let shown = statistic(&pooled.baseline, &pooled.window);
        let score = if shown.value.is_some() {
            with_p(metric, statistic, shown, (&tested, refusal), deff)
        } else {
            significance::test(metric, shown, deff)
        };
        scores.insert(metric, score);
    }
    let contributions = contributions(&pooled);
    let mut members = vec![Vec::new(); pooled.len()];
    for (cell, to) in pooled.cell_of.iter().enumerate() {
        if let Some(to) = to {
            members[*to].push(cell);
        }
    }
    Pool { baseline: pooled.baseline, window: pooled.window, members, rest: pooled.rest, contributions }
}

impl Pool {
    /// The compared cells, largest contribution first; `place` names a cell from its members.
    #[expect(clippy::cast_precision_loss, reason = "shares")]
    fn moved(&self, place: impl Fn(&[usize], bool) -> Place) -> Vec<Moved> {
        let share = |counts: &[u64], cell: usize| {
            let total: u64 = counts.iter().sum();
            if total == 0 { 0.0 } else { counts[cell] as f64 / total as f64 }
        };
        let mut moved: Vec<Moved> = (0..self.members.len())
            .map(|cell| Moved {
                place: place(&self.members[cell], self.rest == Some(cell)),
                baseline: share(&self.baseline, cell),
                window: share(&self.window, cell),
                contribution: self.contributions.get(cell).copied().unwrap_or(0.0),
                ids: Vec::new(),
            })
            .collect();
        moved.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
        moved
    }
}
