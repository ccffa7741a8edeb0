//! Rates that have risen by exactly the tolerated percentage point, and by two.
//!
//! The counts are drawn row by row and given to the engine's test; that the pipeline counts nulls right is held
//! elsewhere.

use driftlead_engine::Result;
use driftlead_engine::statistic::{RATE_EFFECT, rate};

use crate::experiment::{Experiment, Sizes, grid};
use crate::random::Random;
use crate::tally::Demand;

/// The baseline's rates, and the experiments' names.
const RATES: [(f64, &str); 6] = [
    (0.0, "rate 0"),
    (0.001, "rate 0.001"),
    (0.01, "rate 0.01"),
    (0.05, "rate 0.05"),
    (0.5, "rate 0.5"),
    (0.98, "rate 0.98"),
];

/// The experiments on rates, with sizes up to `most` rows.
#[must_use]
pub fn experiments(most: u64) -> Vec<Experiment> {
    RATES
        .into_iter()
        .map(|(share, name)| {
            let replicate = move |seed: u64, sizes: &Sizes| -> Result<Vec<Vec<Option<f64>>>> {
                let mut random = Random::new(seed, sizes.baseline);
                let known = random.successes(sizes.baseline, share);
                Ok(sizes
                    .windows
                    .iter()
                    .map(|n| {
                        let mut score = |share: f64| {
                            let found = random.successes(*n, share);
                            rate(found, *n, known, sizes.baseline, 1.0)
                        };
                        let none = score(share).p_value;
                        vec![
                            none,
                            score(share + RATE_EFFECT).p_effect,
                            score(share + 2.0 * RATE_EFFECT).p_effect,
                        ]
                    })
                    .collect())
            };
            Experiment {
                name,
                what: "a rate in the baseline, 0.01 more and 0.02 more in the window",
                // Draws cost as much as there are successes.
                grid: {
                    let most = most.min(if share > 0.02 { 100_000 } else { 1_000_000 });
                    grid(most, most, u64::MAX)
                },
                tests: vec![
                    ("p_value", Demand::AtMost),
                    ("p_delta", Demand::AtMost),
                    ("power", Demand::Shown),
                ],
                replicate: Box::new(replicate),
            }
        })
        .collect()
}
