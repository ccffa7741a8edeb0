//! How much more a baseline's panes vary than independent rows would.
//!
//! Each pane is compared with the rest of the baseline, which is the baseline less the pane: integers, so the rest is
//! exact. Under independence `n_e PSI` is close to chi-squared with `B - 1` degrees of freedom and `n_e D^2` to the square
//! of Kolmogorov's variable. Rows that resemble their neighbours move whole stretches of the distribution together: both
//! grow, KS more than PSI, and both spread out more, in the limit as the square of a single normal variable. So the panes'
//! values are fitted by a scaled chi-squared with their mean and variance (Satterthwaite, Biometrics Bulletin 2, 1946),
//! and the design effect is what carries its 95 % point to that of independent rows; the larger one of the two metrics
//! serves both (measured in docs/decisions).
//!
//! An embedding has the length of its whitened mean, its clusters, and the cells of each score instead. Of so many
//! estimates the largest is above 1 by chance alone; what chance adds on average is taken off (Blom, Statistical Estimates
//! and Transformed Beta-Variables, 1958). Its panes lack the rows that were fitted: what moves a pane's rows together grows
//! with how many they are, so a window of all rows has as much more of it.

use statrs::distribution::{ContinuousCDF as _, Normal};

use super::embedding;
use crate::Metric;
use crate::accumulate::FeatureState;
use crate::embedding::SCORES;
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
    let (mut single, mut scores) = ([Panes::default(), Panes::default()], vec![Panes::default(); SCORES]);
    let (mut counted, mut fitted) = (0_u64, 0_u64);
    for pane in panes {
        let mut rest = whole.clone();
        if pane.rows() < MIN_PANE_ROWS || rest.subtract(&pane).is_err() {
            continue;
        }
        if let (
            FeatureCells::Embedding(cells),
            FeatureState::Embedding(rest),
            FeatureState::Embedding(pane),
        ) = (cells, &rest, &pane)
        {
            counted += pane.values();
            fitted += pane.fitted;
            let (of_pane, of_scores) = embedding::statistics(cells, rest, pane);
            let all = single.iter_mut().chain(&mut scores).zip(of_pane.into_iter().chain(of_scores));
            for (panes, found) in all {
                if let Some(ratio) = found {
                    panes.add(ratio.value, (1.0, ratio.freedom));
                }
            }
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
    let [mean, clusters] = single;
    let effects = [psi.effect(), ks.effect(), mean.effect(), clusters.effect(), largest_of(&scores)];
    let effect = effects.into_iter().flatten().reduce(f64::max)?.max(1.0);
    #[expect(clippy::cast_precision_loss, reason = "a ratio of rows")]
    let thinned = 1.0 + fitted as f64 / counted.max(1) as f64;
    Some(1.0 + thinned * (effect - 1.0))
}

/// The largest effect of several metrics that are much alike, over what the largest of so many is when all are 1.
fn largest_of(metrics: &[Panes]) -> Option<f64> {
    let found: Vec<(f64, f64)> =
        metrics.iter().filter_map(|panes| Some((panes.effect()?, panes.deviation()))).collect();
    let largest = found.iter().copied().reduce(|a, b| if b.0 > a.0 { b } else { a })?;
    #[expect(clippy::cast_precision_loss, reason = "a few metrics")]
    let n = found.len() as f64;
    let normal = Normal::standard().inverse_cdf((n - 0.375) / (n + 0.25));
    Some(largest.0 / (1.0 + normal.max(0.0) * largest.1))
}

/// One metric in all panes, each in units of its mean under independence.
#[derive(Clone, Default)]
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

    /// The standard deviation of the mean under independence.
    #[expect(clippy::cast_precision_loss, reason = "a number of panes")]
    fn deviation(&self) -> f64 {
        (2.0 / self.freedom / self.ratios.len() as f64).sqrt()
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
    fn the_largest_of_many_is_not_above_one_by_chance() {
        // Chi-squared quantiles in other orders: each mean is a little beside 1, as chance would have it.
        let mut random = crate::random::Random::new(4);
        let mut metrics = vec![Panes::default(); 35];
        for panes in &mut metrics {
            for _ in 0..20 {
                let squares: f64 =
                    (0..15).map(|_| (0..12).map(|_| random.signed()).sum::<f64>() / 2.0).map(|z| z * z).sum();
                panes.add(squares / 15.0, (1.0, 15.0));
            }
        }
        let plain = metrics.iter().filter_map(Panes::effect).fold(0.0, f64::max);
        let corrected = largest_of(&metrics).expect("twenty panes");
        assert!(plain > 1.15 && corrected < 1.1, "{plain} {corrected}");
        metrics[7].ratios.iter_mut().for_each(|ratio| *ratio *= 4.0);
        let corrected = largest_of(&metrics).expect("twenty panes");
        assert!((2.8..4.5).contains(&corrected), "{corrected}");
    }

    #[test]
    fn equal_panes_have_their_mean() {
        let mut panes = Panes::default();
        (0..10).for_each(|_| panes.add(3.0, (1.5, 5.0)));
        assert_eq!(panes.effect(), Some(2.0));
    }
}
