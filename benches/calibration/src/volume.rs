//! Numbers of rows of windows like those of the baseline, and of windows with half as many (SEMANTICS S21).
//!
//! A baseline's "rows" are here its windows, whose counts are drawn one by one and given to the engine's prediction, and
//! a window's are the rows that it has on average.

use driftlead_engine::Result;
use driftlead_engine::statistic::{Past, row_count};

use crate::experiment::{Experiment, Sizes};
use crate::random::Random;
use crate::tally::Demand;

/// The size of the negative binomial from which counts come, and the experiments' names; without one it is Poisson's.
const SIZES: [(Option<f64>, &str); 5] = [
    (None, "row count, Poisson"),
    (Some(100.0), "row count, size 100"),
    (Some(10.0), "row count, size 10"),
    (Some(2.0), "row count, size 2"),
    (Some(0.7), "row count, size 0.7"),
];

/// Baselines of 30, 100 and 1,000 windows.
const WINDOWS: [u64; 3] = [30, 100, 1_000];

/// Rows of a window on average.
const MEANS: [u64; 3] = [3, 50, 400];

/// The experiments on numbers of rows.
#[must_use]
pub fn experiments() -> Vec<Experiment> {
    SIZES
        .into_iter()
        .map(|(size, name)| {
            let replicate = move |seed: u64, sizes: &Sizes| -> Result<Vec<Vec<Option<f64>>>> {
                let mut random = Random::new(seed, sizes.baseline);
                let of_mean = |mean: &u64| {
                    #[expect(clippy::cast_precision_loss, reason = "hundreds of rows")]
                    let mean = *mean as f64;
                    let mut past = Past::default();
                    (0..sizes.baseline).for_each(|_| past.add(count(&mut random, mean, size)));
                    let mut p = |mean: f64| row_count(&past, count(&mut random, mean, size)).p_value;
                    vec![p(mean), p(mean / 2.0)]
                };
                Ok(sizes.windows.iter().map(of_mean).collect())
            };
            Experiment {
                name,
                what: "N windows of the baseline, one more like them, and one with half as many rows; n on average",
                grid: WINDOWS
                    .into_iter()
                    .map(|baseline| Sizes { baseline, windows: MEANS.to_vec(), every: 1 })
                    .collect(),
                tests: vec![("p_value", Demand::AtMost), ("power", Demand::Shown)],
                replicate: Box::new(replicate),
            }
        })
        .collect()
}

/// A count with this mean: Poisson's, or a negative binomial as the mixture of Poisson's over a gamma.
fn count(random: &mut Random, mean: f64, size: Option<f64>) -> u64 {
    let mean = size.map_or(mean, |size| mean * gamma(random, size) / size);
    // Arrivals until the time is up.
    let (mut at, mut found) = (0.0, 0);
    loop {
        at -= random.unit().ln();
        if at > mean {
            return found;
        }
        found += 1;
    }
}

/// A gamma variable of this shape and scale 1 (Marsaglia and Tsang, ACM TOMS 26, 2000).
fn gamma(random: &mut Random, shape: f64) -> f64 {
    if shape < 1.0 {
        return gamma(random, shape + 1.0) * random.unit().powf(1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = random.normal();
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && random.unit().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_mean_and_variance() {
        for size in [None, Some(10.0), Some(0.7)] {
            let mut random = Random::new(5, 6);
            let draws: Vec<f64> = (0..20_000).map(|_| count(&mut random, 20.0, size) as f64).collect();
            let mean = draws.iter().sum::<f64>() / 20_000.0;
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
            let truth = size.map_or(20.0, |size| 20.0 + 400.0 / size);
            assert!((mean - 20.0).abs() < 4.0 * (truth / 20_000.0).sqrt(), "{size:?}: {mean}");
            assert!((variance / truth - 1.0).abs() < 0.1, "{size:?}: {variance}");
        }
    }
}
