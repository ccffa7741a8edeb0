//! How much more a baseline's panes vary than independent rows would.
//!
//! Each pane is compared with the rest of the baseline, which is the baseline less the pane: integers, so the rest is
//! exact. Under independence `n_e PSI` is close to chi-squared with `B - 1` degrees of freedom and `n_e D^2` to the square
//! of Kolmogorov's variable. Rows that resemble their neighbours move whole stretches of the distribution together: both
//! grow, KS more than PSI, and both spread out more, in the limit as the square of a single normal variable. So the panes'
//! values are fitted by a scaled chi-squared with their mean and variance (Satterthwaite, Biometrics Bulletin 2, 1946),
//! and the design effect is what carries its 95 % point to that of independent rows; the larger one of the two metrics
//! serves both (measured in docs/decisions).

use crate::Metric;
use crate::accumulate::FeatureState;
use crate::feature::FeatureCells;
use crate::score::measure;
use crate::statistic::Score;
use crate::statistic::p_value::chi_squared;
use crate::statistic::significance::effective_size;

/// With fewer panes there is no estimate (SEMANTICS S6).
const MIN_PANES: usize = 10;

/// A pane with fewer rows says nothing about full panes.
const MIN_PANE_ROWS: u64 = 100;

/// Mean and, as a scaled chi-squared, degrees of freedom of the square of Kolmogorov's variable: the mean is `pi^2 / 12`,
/// the fourth moment `7 pi^4 / 720`.
const KOLMOGOROV_SQUARE: (f64, f64) = (std::f64::consts::PI * std::f64::consts::PI / 12.0, 5.0);

/// The design effect of a feature, at least 1, from the states of the baseline's panes; `None` from fewer than ten.
#[must_use]
pub fn design_effect(
    cells: &FeatureCells,
    whole: &FeatureState,
    panes: impl IntoIterator<Item = FeatureState>,
) -> Option<f64> {
    let (mut psi, mut ks) = (Panes::default(), Panes::default());
    for pane in panes {
        let mut rest = whole.clone();
        if pane.rows() < MIN_PANE_ROWS || rest.subtract(&pane).is_err() {
            continue;
        }
        let Ok(measured) = measure(cells, &rest, &pane, 1.0) else { continue };
        let valued = |metric| measured.scores.get(&metric).and_then(|score| Some((score, score.value?)));
        let size = |score: &Score| effective_size(score.n, score.n_baseline, 1.0);
        if let Some((score, value)) = valued(Metric::Psi)
            && let Some(n_cells) = score.cells.filter(|n| *n > 1)
        {
            #[expect(clippy::cast_precision_loss, reason = "a few cells")]
            let freedom = (n_cells - 1) as f64;
            psi.add(size(score) * value, (freedom, freedom));
        }
        if let Some((score, value)) = valued(Metric::Ks) {
            ks.add(size(score) * value * value, KOLMOGOROV_SQUARE);
        }
    }
    let effects = [psi.effect(), ks.effect()];
    effects.into_iter().flatten().reduce(f64::max).map(|effect| effect.max(1.0))
}

/// One metric in all panes, each in units of its mean under independence.
#[derive(Default)]
struct Panes {
    ratios: Vec<f64>,
    /// The degrees of freedom under independence; those of the last pane, since all panes have about the same cells.
    freedom: f64,
}

impl Panes {
    fn add(&mut self, value: f64, (mean, freedom): (f64, f64)) {
        self.ratios.push(value / mean);
        self.freedom = freedom;
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    fn effect(&self) -> Option<f64> {
        if self.ratios.len() < MIN_PANES {
            return None;
        }
        let n = self.ratios.len() as f64;
        let mean = self.ratios.iter().sum::<f64>() / n;
        let variance =
            self.ratios.iter().map(|ratio| (ratio - mean) * (ratio - mean)).sum::<f64>() / (n - 1.0);
        // Between a single normal variable and independence.
        let fitted = (2.0 * mean * mean / variance).min(self.freedom).max(1.0);
        Some(mean * upper_point(fitted) / upper_point(self.freedom))
    }
}

/// The 95 % point of chi-squared with that many degrees of freedom, in units of its mean.
fn upper_point(freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if chi_squared::upper(middle * freedom, freedom) > 0.05 { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_those_of_the_tables() {
        for (freedom, point) in [(1.0, 3.841), (5.0, 11.070), (9.0, 16.919)] {
            assert!((upper_point(freedom) * freedom - point).abs() < 1e-3, "{freedom}");
        }
    }

    #[test]
    fn a_single_wave_has_the_effect_of_its_point() {
        // Squares of normal quantiles times 4: the mean is 4, and one degree of freedom is left.
        let mut panes = Panes::default();
        for ratio in [0.01, 0.1, 0.4, 1.0, 2.0, 4.0, 8.0, 12.5] {
            panes.add(ratio, (1.0, 9.0));
        }
        assert_eq!(panes.effect(), None, "eight panes are too few");
        for ratio in [0.02, 0.2, 0.6, 15.0] {
            panes.add(ratio, (1.0, 9.0));
        }
        let mean = panes.ratios.iter().sum::<f64>() / 12.0;
        let effect = panes.effect().expect("twelve panes");
        assert!(effect > 1.5 * mean && effect <= mean * 3.8415 / (16.919 / 9.0), "{effect} {mean}");
    }

    #[test]
    fn equal_panes_have_their_mean() {
        let mut panes = Panes::default();
        (0..10).for_each(|_| panes.add(3.0, (1.5, 5.0)));
        assert_eq!(panes.effect(), Some(2.0));
    }
}
