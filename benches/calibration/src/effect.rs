//! The change is exactly the one that is tolerated: tests of a minimum effect on their boundary, and their power at
//! twice that.

use driftlead_engine::policy::feature_p;
use driftlead_engine::score::Measured;
use driftlead_engine::statistic::significance::{KS_EFFECT, PSI_EFFECT};
use driftlead_engine::{Kind, Metric, Result};

use crate::draw::{Drift, Shape};
use crate::experiment::{Experiment, Sizes, grid};
use crate::pipeline;
use crate::random::Random;
use crate::tally::Demand;
use crate::zero::kind;

/// Which p-value is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `p_effect` of a metric.
    Of(Metric),
    /// The feature's, which enters its family.
    Feature,
}

impl Asked {
    fn p(self, kind: Kind, measured: &Measured) -> Option<f64> {
        match self {
            Self::Of(metric) => measured.scores.get(&metric).and_then(|score| score.p_effect),
            Self::Feature => feature_p(kind, &measured.scores),
        }
    }
}

/// An experiment on a boundary: `tolerated` must not alarm too often, `twice` should.
#[must_use]
pub fn experiment(
    name: &'static str,
    what: &'static str,
    shape: Shape,
    asked: Asked,
    [tolerated, twice]: [Drift; 2],
    grid: Vec<Sizes>,
) -> Experiment {
    let kind = kind(shape);
    let replicate = move |seed: u64, sizes: &Sizes| -> Result<Vec<Vec<Option<f64>>>> {
        let mut random = Random::new(seed, sizes.baseline);
        let baseline = pipeline::baseline(kind, &[shape.column(sizes.baseline, Drift::None, &mut random)])?;
        sizes
            .windows
            .iter()
            .map(|n| {
                [tolerated, twice]
                    .into_iter()
                    .map(|drift| {
                        let window = shape.column(*n, drift, &mut random);
                        Ok(asked.p(kind, &pipeline::scores(&baseline, &window)?))
                    })
                    .collect()
            })
            .collect()
    };
    let tests = vec![("p_delta", Demand::AtMost), ("power", Demand::Shown)];
    Experiment { name, what, grid, tests, replicate: Box::new(replicate) }
}

/// The experiments on boundaries.
#[must_use]
pub fn experiments() -> Vec<Experiment> {
    let psi = Asked::Of(Metric::Psi);
    let ks = Asked::Of(Metric::Ks);
    let of_psi = |drift: Drift| [drift.of_psi(PSI_EFFECT), drift.of_psi(2.0 * PSI_EFFECT)];
    let d = KS_EFFECT;
    let wide = grid(10_000, 10_000, 100_000_000);
    let narrow = grid(10_000, 10_000, 10_000_000);
    vec![
        experiment(
            "psi, tilt",
            "psi 0.02 by a linear density",
            Shape::Continuous,
            psi,
            of_psi(Drift::Tilt(1.0)),
            wide.clone(),
        ),
        experiment(
            "psi, one decile up",
            "psi 0.02 by one decile",
            Shape::Continuous,
            psi,
            of_psi(Drift::Cell(1.0)),
            narrow.clone(),
        ),
        experiment(
            "psi, one decile down",
            "psi 0.02 by one decile",
            Shape::Continuous,
            psi,
            of_psi(Drift::Cell(-1.0)),
            narrow.clone(),
        ),
        experiment(
            "psi, zipf 50",
            "psi 0.02 before it is cut into 50 categories",
            Shape::Zipf(50),
            psi,
            of_psi(Drift::Tilt(1.0)),
            wide.clone(),
        ),
        experiment(
            "psi, even 33",
            "psi 0.02 of 33 equally frequent categories",
            Shape::Even(33),
            psi,
            of_psi(Drift::Tilt(1.0)),
            wide.clone(),
        ),
        experiment(
            "psi, even 333",
            "psi 0.02 of 333 equally frequent categories",
            Shape::Even(333),
            psi,
            of_psi(Drift::Tilt(1.0)),
            narrow.clone(),
        ),
        experiment(
            "psi, binary",
            "psi 0.02 of 30 % ones",
            Shape::Binary,
            psi,
            binary_of_psi(),
            grid(10_000, 1_000, 10_000_000),
        ),
        experiment(
            "ks, plateau",
            "D 0.05 nearly everywhere",
            Shape::Continuous,
            ks,
            [Drift::Carry(d), Drift::Carry(2.0 * d)],
            wide,
        ),
        experiment(
            "ks, one place",
            "D 0.05 at the median",
            Shape::Continuous,
            ks,
            [Drift::Step(2.0 * d), Drift::Step(4.0 * d)],
            narrow.clone(),
        ),
        experiment(
            "ks, mostly zero",
            "D 0.05, 60 % zeros",
            Shape::MostlyZero,
            ks,
            [Drift::Carry(d), Drift::Carry(2.0 * d)],
            narrow.clone(),
        ),
        experiment(
            "ks, binary",
            "D 0.05, 30 % ones",
            Shape::Binary,
            ks,
            [Drift::Carry(d), Drift::Carry(2.0 * d)],
            narrow.clone(),
        ),
        experiment(
            "ks, rounded",
            "D 0.05, integers",
            Shape::Rounded,
            ks,
            [Drift::Carry(d), Drift::Carry(2.0 * d)],
            narrow.clone(),
        ),
        experiment(
            "feature, tilt",
            "D 0.05 and psi 0.013",
            Shape::Continuous,
            Asked::Feature,
            [Drift::Tilt(4.0 * d), Drift::Tilt(8.0 * d)],
            narrow,
        ),
    ]
}

/// 30 % ones become so many that psi is 0.02 and 0.04: the lowest share moves to the top.
fn binary_of_psi() -> [Drift; 2] {
    [PSI_EFFECT, 2.0 * PSI_EFFECT].map(|psi| {
        let of = |t: f64| t * ((0.3 + t) / 0.3).ln() - t * ((0.7 - t) / 0.7).ln();
        let (mut low, mut high) = (0.0, 0.5);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if of(middle) < psi { low = middle } else { high = middle }
        }
        Drift::Carry(low)
    })
}
