//! Rows that resemble their neighbours: a Gaussian AR(1), judged with the design effect that the baseline's panes give.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array};
use driftlead_engine::score::design_effect;
use driftlead_engine::{Kind, Metric, Result};

use crate::experiment::{Experiment, Sizes};
use crate::pipeline;
use crate::random::Random;
use crate::tally::Demand;
use crate::zero;

/// Panes in a baseline.
const PANES: u64 = 30;

/// The correlations of neighbours, and the experiments' names.
const CORRELATIONS: [(f64, &str); 3] = [(0.5, "AR(1) 0.5"), (0.9, "AR(1) 0.9"), (0.97, "AR(1) 0.97")];

/// The experiments on streams: a baseline of 30 panes, a window as long as a pane.
#[must_use]
pub fn experiments(pane: u64) -> Vec<Experiment> {
    CORRELATIONS
        .into_iter()
        .map(|(correlation, name)| {
            let replicate = move |seed: u64, sizes: &Sizes| -> Result<Vec<Vec<Option<f64>>>> {
                let mut random = Random::new(seed, sizes.baseline);
                let mut last = random.normal();
                let rows = walk(sizes.baseline, correlation, &mut last, &mut random);
                let mut baseline = pipeline::baseline(Kind::Numeric, std::slice::from_ref(&rows))?;
                let window = pane;
                #[expect(clippy::cast_possible_truncation, reason = "thousands of rows")]
                let panes = (0..PANES)
                    .map(|i| {
                        let rows = rows.slice((i * pane) as usize, pane as usize);
                        Ok(pipeline::states(&baseline, &[rows])?.swap_remove(0))
                    })
                    .collect::<Result<Vec<_>>>()?;
                let feature = &baseline.features()[0];
                let effect =
                    feature.state(None).and_then(|whole| design_effect(feature.cells(), whole, panes));
                if let Some(effect) = effect {
                    baseline.features_mut()[0].set_design_effect(1, effect)?;
                }
                // Long after the baseline: independent of it.
                let mut last = random.normal();
                let window = walk(window, correlation, &mut last, &mut random);
                let measured = pipeline::scores(&baseline, &window)?;
                let p = |metric| measured.scores.get(&metric);
                Ok(vec![vec![
                    p(Metric::Psi).and_then(|score| score.p_value),
                    p(Metric::Chi2).and_then(|score| score.p_value),
                    p(Metric::Ks).and_then(|score| score.p_value),
                    zero::p_values(Kind::Numeric, &measured)[6],
                ]])
            };
            Experiment {
                name,
                what: "a Gaussian AR(1), 30 baseline panes of the window's length",
                grid: vec![Sizes { baseline: PANES * pane, windows: vec![pane], every: 2 }],
                tests: vec![
                    ("psi", Demand::AtMost),
                    ("chi2", Demand::AtMost),
                    ("ks", Demand::Near),
                    ("p_delta, feature", Demand::AtMost),
                ],
                replicate: Box::new(replicate),
            }
        })
        .collect()
}

/// `n` rows of a stationary AR(1) with standard normal margins, after `last`.
fn walk(n: u64, correlation: f64, last: &mut f64, random: &mut Random) -> ArrayRef {
    let noise = (1.0 - correlation * correlation).sqrt();
    Arc::new(Float64Array::from_iter_values((0..n).map(|_| {
        *last = correlation * *last + noise * random.normal();
        *last
    })))
}
