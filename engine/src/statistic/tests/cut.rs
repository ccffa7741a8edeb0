//! Cells from raw samples, built the slow and obvious way, for tests.

use crate::statistic::{Line, Score, wasserstein};

/// Two samples counted on the cells of the first.
pub(super) struct Cut {
    pub(super) edges: Vec<f64>,
    pub(super) is_atom: Vec<bool>,
    pub(super) baseline: Vec<u64>,
    pub(super) window: Vec<u64>,
    pub(super) baseline_means: Vec<f64>,
    pub(super) window_tails: [Option<f64>; 2],
    pub(super) means: Option<[f64; 2]>,
}

impl Cut {
    /// Every distinct baseline value is an atom: the state of exact mode.
    pub(super) fn exact(baseline: &[f64], window: &[f64]) -> Self {
        let mut edges = sorted(baseline);
        edges.dedup();
        let edges = edges.iter().flat_map(|value| [value.next_down(), *value]).collect();
        Self::on(edges, baseline, window)
    }

    /// About `cuts` order statistics of the baseline, its extremes included; the minimum alone is an atom.
    pub(super) fn compressed(baseline: &[f64], window: &[f64], cuts: usize) -> Self {
        let values = sorted(baseline);
        let mut edges: Vec<f64> = (0..=cuts).map(|cut| values[cut * (values.len() - 1) / cuts]).collect();
        edges.push(values[0].next_down());
        Self::on(sorted(&edges), baseline, window)
    }

    fn on(mut edges: Vec<f64>, baseline: &[f64], window: &[f64]) -> Self {
        edges.dedup();
        let cells = edges.len() + 1;
        let cell_of = |value: f64| edges.partition_point(|edge| *edge < value);
        let count = |values: &[f64]| {
            let mut counts = vec![0; cells];
            let mut sums = vec![0.0; cells];
            for &value in values {
                counts[cell_of(value)] += 1;
                sums[cell_of(value)] += value;
            }
            (counts, sums)
        };
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (baseline_counts, baseline_sums) = count(baseline);
        let (window_counts, window_sums) = count(window);
        let baseline_means = baseline_sums
            .iter()
            .zip(&baseline_counts)
            .map(|(sum, &rows): (_, &u64)| sum / rows as f64)
            .collect();
        let is_atom =
            (0..cells).map(|cell| cell > 0 && cell < cells - 1 && edges[cell - 1] == edges[cell].next_down());
        Self {
            is_atom: is_atom.collect(),
            baseline: baseline_counts,
            window: window_counts,
            baseline_means,
            window_tails: [Some(window_sums[0]), Some(window_sums[cells - 1])],
            means: Some([mean(baseline), mean(window)]),
            edges,
        }
    }

    pub(super) fn wasserstein(&self) -> Score {
        wasserstein(&Line {
            edges: &self.edges,
            is_atom: &self.is_atom,
            baseline: &self.baseline,
            window: &self.window,
            baseline_means: &self.baseline_means,
            window_tails: self.window_tails,
            means: self.means,
        })
    }
}

/// Wasserstein-1 of two samples by its definition, from every value of both.
pub(super) fn wasserstein_of_samples(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (sorted(a), sorted(b));
    let all = sorted(&[a.clone(), b.clone()].concat());
    let share = |values: &[f64], x: f64| values.partition_point(|v| *v <= x) as f64 / values.len() as f64;
    all.windows(2).map(|step| (share(&a, step[0]) - share(&b, step[0])).abs() * (step[1] - step[0])).sum()
}

/// Kolmogorov-Smirnov of two samples by its definition.
pub(super) fn ks_of_samples(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (sorted(a), sorted(b));
    let below = |values: &[f64], x: f64| values.partition_point(|v| *v <= x) as i128;
    let (n, m) = (a.len() as i128, b.len() as i128);
    let most = a.iter().chain(&b).map(|x| (below(&a, *x) * m - below(&b, *x) * n).abs()).max();
    most.unwrap_or(0) as f64 / (n * m) as f64
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}
