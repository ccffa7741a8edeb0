//! Many features over many windows, judged by the default policy: 30 with a harmless drift, 5 with a real one.

use driftlead_engine::policy::{FeatureInput, Policy, Verdict, judge_window};
use driftlead_engine::{Kind, Result};
use rayon::prelude::*;

use crate::draw::{Drift, Shape};
use crate::pipeline;
use crate::random::Random;

/// Features whose PSI has become 0.002.
const HARMLESS: usize = 30;
/// Features whose PSI has become 0.15.
const REAL: usize = 5;

/// The size of the experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// Features in all.
    pub features: usize,
    /// Windows.
    pub windows: u64,
    /// Rows of the baseline.
    pub baseline: u64,
    /// Rows of each window.
    pub rows: u64,
}

/// What the policy said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Windows judged.
    pub windows: u64,
    /// Features without a real drift that were `warn` or `drift`, over all windows.
    pub false_alerts: u64,
    /// Features without a real drift that were `info`, over all windows.
    pub false_infos: u64,
    /// Features with a real drift that were `warn` or `drift`, over all windows.
    pub found: u64,
    /// How many there were to find.
    pub real: u64,
}

impl Outcome {
    /// False alerts a window.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "hundreds of windows")]
    pub fn false_alerts_a_window(self) -> f64 {
        self.false_alerts as f64 / self.windows as f64
    }

    /// The share of real drifts that were found.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    pub fn recall(self) -> f64 {
        self.found as f64 / self.real as f64
    }

    /// At most 0.01 false alerts a window, and at least 99 of 100 real drifts found.
    #[must_use]
    pub fn is_met(self) -> bool {
        self.false_alerts_a_window() <= 0.01 && self.recall() >= 0.99
    }

    fn plus(self, other: Self) -> Self {
        Self {
            windows: self.windows + other.windows,
            false_alerts: self.false_alerts + other.false_alerts,
            false_infos: self.false_infos + other.false_infos,
            found: self.found + other.found,
            real: self.real + other.real,
        }
    }
}

/// Carries the experiment out; the result does not depend on the threads.
///
/// # Errors
///
/// As the engine's.
pub fn run(fleet: Fleet) -> Result<Outcome> {
    let drift = |feature: usize| match feature {
        f if f < REAL => Drift::Tilt(1.0).of_psi(0.15),
        f if f < REAL + HARMLESS => Drift::Tilt(1.0).of_psi(0.002),
        _ => Drift::None,
    };
    // Half of the features are numbers, half are categories.
    let shape = |feature: usize| if feature.is_multiple_of(2) { Shape::Continuous } else { Shape::Zipf(12) };
    let kind = |feature: usize| if feature.is_multiple_of(2) { Kind::Numeric } else { Kind::Categorical };
    let drifts: Vec<Drift> = (0..fleet.features).map(drift).collect();
    let baselines = (0..fleet.features)
        .into_par_iter()
        .map(|feature| {
            let mut random = Random::new(feature as u64, 1);
            let rows = shape(feature).column(fleet.baseline, Drift::None, &mut random);
            pipeline::baseline(kind(feature), &[rows])
        })
        .collect::<Result<Vec<_>>>()?;
    let names: Vec<String> = (0..fleet.features).map(|feature| format!("x{feature}")).collect();
    (0..fleet.windows)
        .into_par_iter()
        .map(|window| {
            let measured = (0..fleet.features)
                .map(|feature| {
                    let mut random = Random::new(window, 2 + feature as u64);
                    let rows = shape(feature).column(fleet.rows, drifts[feature], &mut random);
                    pipeline::scores(&baselines[feature], &rows)
                })
                .collect::<Result<Vec<_>>>()?;
            let inputs: Vec<FeatureInput<'_>> = measured
                .iter()
                .enumerate()
                .map(|(feature, measured)| FeatureInput {
                    feature: &names[feature],
                    kind: kind(feature),
                    segment: None,
                    rows: measured.rows,
                    n: measured.n,
                    baseline_rows: measured.baseline_rows,
                    baseline_n: measured.baseline_n,
                    calibrated: true,
                    scores: &measured.scores,
                    error: None,
                    skipped: None,
                    lacks: None,
                })
                .collect();
            let mut outcome = Outcome { windows: 1, ..Outcome::default() };
            let judged = judge_window(&Policy::default(), &inputs, &[]);
            for (feature, judged) in judged.features.iter().enumerate() {
                let alerts = matches!(judged.verdict, Verdict::Warn | Verdict::Drift);
                if feature < REAL {
                    outcome.real += 1;
                    outcome.found += u64::from(alerts);
                } else {
                    outcome.false_alerts += u64::from(alerts);
                    outcome.false_infos += u64::from(judged.verdict == Verdict::Info);
                }
            }
            Ok(outcome)
        })
        .try_reduce(Outcome::default, |a, b| Ok(a.plus(b)))
}
