//! False alarms under no change, and under a change that is just tolerated, by simulation with fixed seeds.

use crate::Metric;
use crate::splitmix;
use crate::statistic::{chi2, pool, psi, significance};

const REPLICATES: u32 = 400;
const NOMINAL: f64 = 0.05;

/// A stream of random numbers.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        (splitmix::next(&mut self.0) >> 11) as f64 * 2.0_f64.powi(-53)
    }

    /// Rows drawn from cells of these shares.
    fn rows(&mut self, n: u32, shares: &[f64]) -> Vec<u64> {
        let mut counts = vec![0; shares.len()];
        for _ in 0..n {
            let mut rest = self.unit();
            let cell = shares.iter().position(|share| {
                rest -= share;
                rest < 0.0
            });
            counts[cell.unwrap_or(shares.len() - 1)] += 1;
        }
        counts
    }
}

/// Whether `alarms` of the replicates is compatible, at 99 %, with some rate in `[low, high]`.
fn compatible(alarms: u32, low: f64, high: f64) -> bool {
    let rate = f64::from(alarms) / f64::from(REPLICATES);
    let noise = |p: f64| 2.576 * (p * (1.0 - p) / f64::from(REPLICATES)).sqrt();
    rate >= low - noise(low) && rate <= high + noise(high)
}

#[test]
fn chi2_on_deciles_alarms_as_often_as_it_says() {
    for (n, seed) in [(200, 11), (1000, 12)] {
        let mut random = Random(seed);
        let shares = [0.1; 10];
        let mut alarms = [0, 0];
        for _ in 0..REPLICATES {
            let pooled = pool(&random.rows(20 * n, &shares), &random.rows(n, &shares), &[]);
            let chi2 = significance::test(Metric::Chi2, chi2(&pooled.baseline, &pooled.window), 1.0);
            let psi = significance::test(Metric::Psi, psi(&pooled.baseline, &pooled.window), 1.0);
            alarms[0] += u32::from(chi2.p_value < Some(NOMINAL));
            alarms[1] += u32::from(psi.p_value < Some(NOMINAL));
        }
        assert!(compatible(alarms[0], 0.5 * NOMINAL, 1.5 * NOMINAL), "chi2, n = {n}: {alarms:?}");
        assert!(compatible(alarms[1], 0.5 * NOMINAL, 1.5 * NOMINAL), "psi, n = {n}: {alarms:?}");
    }
}

#[test]
fn many_rare_categories_do_not_alarm_by_themselves() {
    // A long tail: without the REST rule its empty and single-row cells alarm on nearly every window.
    let mut shares: Vec<f64> = (1..=300).map(f64::from).map(|rank| 1.0 / rank).collect();
    let total: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= total);
    let mut random = Random(13);
    let baseline = random.rows(40_000, &shares);
    let mut alarms = 0;
    for _ in 0..REPLICATES {
        let pooled = pool(&baseline, &random.rows(500, &shares), &[]);
        let score = significance::test(Metric::Psi, psi(&pooled.baseline, &pooled.window), 1.0);
        alarms += u32::from(score.p_value < Some(NOMINAL));
    }
    assert!(compatible(alarms, 0.0, 1.5 * NOMINAL), "{alarms}");
}

#[test]
fn a_change_of_exactly_the_minimum_effect_is_tolerated() {
    // Shares tilted until their psi is delta: the hardest case of the hypothesis psi <= delta.
    let even = [0.1; 10];
    let tilted = |tilt: f64| {
        let mut shares = even;
        for (cell, share) in shares.iter_mut().enumerate() {
            *share *= 1.0 + tilt * (cell as f64 - 4.5) / 4.5;
        }
        shares
    };
    let true_psi = |shares: &[f64]| shares.iter().zip(even).map(|(q, p)| (q - p) * (q / p).ln()).sum::<f64>();
    let (mut low, mut high) = (0.0, 0.9);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if true_psi(&tilted(middle)) < significance::PSI_EFFECT { low = middle } else { high = middle }
    }
    let shares = tilted(low);
    let mut random = Random(14);
    for n in [500, 3000] {
        let mut alarms = 0;
        for _ in 0..REPLICATES {
            let score = psi(&random.rows(10 * n, &even), &random.rows(n, &shares));
            let score = significance::test(Metric::Psi, score, 1.0);
            alarms += u32::from(score.p_effect < Some(NOMINAL));
        }
        assert!(compatible(alarms, 0.0, 1.5 * NOMINAL), "n = {n}: {alarms}");
    }
}
