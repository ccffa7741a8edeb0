//! Embeddings: vectors that look like those of a text model, with and without a shift.
//!
//! A mixture of 20 clusters in a latent space of 32 dimensions, taken into d dimensions by a random map, with noise
//! whose variance falls as a power law, a common offset, and unit length.

use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array};
use arrow_schema::{DataType, Field};
use driftlead_engine::score::design_effect;
use driftlead_engine::{Kind, Metric, Result};

use crate::experiment::{Experiment, Sizes};
use crate::pipeline;
use crate::random::Random;
use crate::tally::Demand;

const LATENT: usize = 32;
const CLUSTERS: usize = 20;

/// Where vectors come from.
#[derive(Debug)]
pub struct World {
    dim: usize,
    offset: Vec<f64>,
    /// [`LATENT`] rows of `dim`.
    map: Vec<f64>,
    centers: Vec<[f64; LATENT]>,
    noise: Vec<f64>,
    /// A direction of length 1 in latent space.
    direction: [f64; LATENT],
}

/// How a window differs from its baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// Not at all.
    None,
    /// Five dimensions by 0.3 standard deviations of their noise.
    SparseMean,
    /// One latent direction by 0.12.
    DenseMean,
    /// Everything is 3 % farther from the offset.
    Scale,
    /// The map is turned by 8 degrees in every pair of dimensions, so that the components leave more over.
    Rotation,
    /// One cluster of twenty is gone.
    ModeDrop,
    /// Half of the clusters have 1.35 times the share of the others.
    Reweight,
    /// 2 % of the vectors are noise of another kind.
    Contamination,
}

/// Every shift, with its name in the record.
pub const SHIFTS: [(&str, Shift); 7] = [
    ("sparse mean", Shift::SparseMean),
    ("dense mean", Shift::DenseMean),
    ("scale", Shift::Scale),
    ("rotation", Shift::Rotation),
    ("mode drop", Shift::ModeDrop),
    ("reweight", Shift::Reweight),
    ("contamination", Shift::Contamination),
];

/// [`SHIFTS`], as names of experiments with `mmd`.
const MMD_SHIFTS: [&str; 7] = [
    "mmd sparse mean",
    "mmd dense mean",
    "mmd scale",
    "mmd rotation",
    "mmd mode drop",
    "mmd reweight",
    "mmd contamination",
];

impl World {
    /// The world of `dim` dimensions; the same for every replicate.
    #[must_use]
    pub fn new(dim: usize) -> Self {
        let mut random = Random::new(dim as u64, 99);
        let mut normal = || random.normal();
        let mut direction = [0.0; LATENT].map(|_: f64| normal());
        let length = direction.iter().map(|x| x * x).sum::<f64>().sqrt();
        direction.iter_mut().for_each(|x| *x /= length);
        let root = (dim as f64).sqrt();
        Self {
            dim,
            offset: (0..dim).map(|_| 1.5 * normal() / root).collect(),
            map: (0..LATENT * dim).map(|_| normal() / root).collect(),
            centers: (0..CLUSTERS).map(|_| [0.0; LATENT].map(|_: f64| 0.35 * normal())).collect(),
            noise: (0..dim).map(|j| 0.9 / root / (1.0 + 6.0 * j as f64 / dim as f64)).collect(),
            direction,
        }
    }

    /// `n` vectors, one after the other.
    #[must_use]
    pub fn draw(&self, n: usize, shift: Shift, random: &mut Random) -> Vec<f32> {
        self.draw_runs(n, shift, 0.0, random)
    }

    /// As [`draw`](Self::draw), where a vector is of the cluster of the one before with probability `stay`.
    fn draw_runs(&self, n: usize, shift: Shift, stay: f64, random: &mut Random) -> Vec<f32> {
        let mut last = None;
        let mut rows = Vec::with_capacity(n * self.dim);
        let mut row = vec![0.0_f64; self.dim];
        let (sin, cos) = 8.0_f64.to_radians().sin_cos();
        for _ in 0..n {
            let kept = last.filter(|_| stay > 0.0 && random.unit() < stay);
            last = self.fill(&mut row, shift, kept, random);
            if shift == Shift::Rotation {
                for pair in row.as_chunks_mut::<2>().0 {
                    *pair = [cos * pair[0] - sin * pair[1], sin * pair[0] + cos * pair[1]];
                }
            }
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            #[expect(clippy::cast_possible_truncation, reason = "vectors are float32")]
            rows.extend(row.iter().map(|x| (x / length) as f32));
            if shift == Shift::Scale {
                let from = rows.len() - self.dim;
                let whole = self.offset.iter().map(|x| x * x).sum::<f64>().sqrt();
                for (x, offset) in rows[from..].iter_mut().zip(&self.offset) {
                    #[expect(clippy::cast_possible_truncation, reason = "vectors are float32")]
                    let center = (0.8 * offset / whole) as f32;
                    *x = center + 1.03 * (*x - center);
                }
            }
        }
        rows
    }

    /// A vector, of this cluster or of one by chance, and which that was.
    fn fill(&self, row: &mut [f64], shift: Shift, kept: Option<usize>, random: &mut Random) -> Option<usize> {
        if shift == Shift::Contamination && random.unit() < 0.02 {
            let root = (self.dim as f64).sqrt();
            row.iter_mut()
                .zip(&self.offset)
                .for_each(|(x, offset)| *x = offset + 1.1 * random.normal() / root);
            return None;
        }
        let drawn = loop {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 20")]
            let cluster = (random.unit() * CLUSTERS as f64) as usize;
            let keep = match shift {
                Shift::ModeDrop => cluster != 0,
                Shift::Reweight => cluster < CLUSTERS / 2 || random.unit() < 1.0 / 1.35,
                _ => true,
            };
            if keep {
                break cluster;
            }
        };
        let cluster = kept.unwrap_or(drawn);
        let mut latent = self.centers[cluster];
        for (k, x) in latent.iter_mut().enumerate() {
            *x += 0.30 * random.normal();
            if shift == Shift::DenseMean {
                *x += 0.12 * self.direction[k];
            }
        }
        row.copy_from_slice(&self.offset);
        for (z, map) in latent.iter().zip(self.map.chunks_exact(self.dim)) {
            row.iter_mut().zip(map).for_each(|(x, m)| *x += z * m);
        }
        for (j, (x, sd)) in row.iter_mut().zip(&self.noise).enumerate() {
            let mut noise = random.normal();
            if shift == Shift::SparseMean && j % (self.dim / 5) == 7 {
                noise += 0.3;
            }
            *x += sd * noise;
        }
        Some(cluster)
    }
}

/// The vectors as a column.
#[must_use]
pub fn column(dim: usize, rows: Vec<f32>) -> ArrayRef {
    let item = Arc::new(Field::new_list_field(DataType::Float32, false));
    let dim = i32::try_from(dim).unwrap_or(i32::MAX);
    Arc::new(FixedSizeListArray::new(item, dim, Arc::new(Float32Array::from(rows)), None))
}

/// A test, and its name in the record.
type Test = (&'static str, Metric);

/// What is asked for beside, which makes all of it some times as dear.
const MMD: [Test; 1] = [("mmd", Metric::Mmd)];

/// The parts, then their combination.
const METRICS: [Test; 6] = [
    ("mean", Metric::EmbeddingMean),
    ("components", Metric::EmbeddingComponents),
    ("shape", Metric::EmbeddingShape),
    ("covariance", Metric::EmbeddingCovariance),
    ("clusters", Metric::EmbeddingClusters),
    ("embedding_drift", Metric::EmbeddingDrift),
];

/// One replicate: a fresh baseline, and a window of each size.
fn replicate(
    world: &World,
    tests: &[Test],
    seed: u64,
    sizes: &Sizes,
    shift: Shift,
) -> Result<Vec<Vec<Option<f64>>>> {
    let mut random = Random::new(seed, 41);
    let size = |n: u64| usize::try_from(n).unwrap_or(0);
    let rows = world.draw(size(sizes.baseline), Shift::None, &mut random);
    let mmd = tests.iter().any(|(_, metric)| *metric == Metric::Mmd);
    let baseline = pipeline::baseline_with(Kind::Embedding, &[column(world.dim, rows)], mmd)?;
    sizes
        .windows
        .iter()
        .map(|n| {
            let window = column(world.dim, world.draw(size(*n), shift, &mut random));
            let measured = pipeline::scores(&baseline, &window)?;
            Ok(tests.iter().map(|(_, metric)| measured.scores.get(metric)?.p_value).collect())
        })
        .collect()
}

fn experiment(
    name: &'static str,
    what: &'static str,
    tests: &'static [Test],
    (dim, baseline): (usize, u64),
    shift: Shift,
) -> Experiment {
    let world = World::new(dim);
    let demand = |metric| match (shift, metric) {
        (Shift::None, Metric::EmbeddingDrift) => Demand::AtMost,
        (Shift::None, Metric::Mmd) => Demand::Near,
        (Shift::None, _) => Demand::AtMostTwice,
        _ => Demand::Shown,
    };
    let windows = if shift == Shift::None { vec![500, 2_000, 10_000] } else { vec![500, 2_000] };
    Experiment {
        name,
        what,
        grid: vec![Sizes { baseline, windows, every: if shift == Shift::None { 1 } else { 20 } }],
        tests: tests.iter().map(|(name, metric)| (*name, demand(*metric))).collect(),
        replicate: Box::new(move |seed, sizes| replicate(&world, tests, seed, sizes, shift)),
    }
}

/// Vectors that come in runs of a cluster, as those of one user or one document do, against 30 baseline panes of the
/// window's length.
fn runs(name: &'static str, stay: f64) -> Experiment {
    const PANES: u64 = 30;
    const PANE: u64 = 1_000;
    let world = World::new(48);
    let replicate = move |seed: u64, sizes: &Sizes| -> Result<Vec<Vec<Option<f64>>>> {
        let mut random = Random::new(seed, 43);
        let size = |n: u64| usize::try_from(n).unwrap_or(0);
        let mut draw = |n: u64| column(48, world.draw_runs(size(n), Shift::None, stay, &mut random));
        let rows = draw(sizes.baseline);
        let mut baseline = pipeline::baseline(Kind::Embedding, std::slice::from_ref(&rows))?;
        let panes = (0..PANES)
            .map(|i| pipeline::pane(&baseline, &rows.slice(size(i * PANE), size(PANE))))
            .collect::<Result<Vec<_>>>()?;
        let feature = &baseline.features()[0];
        let effect = feature.state(None).and_then(|whole| design_effect(feature.cells(), whole, panes));
        if let Some(effect) = effect {
            baseline.features_mut()[0].set_design_effect(1, effect)?;
        }
        let measured = pipeline::scores(&baseline, &draw(PANE))?;
        Ok(vec![METRICS.iter().map(|(_, metric)| measured.scores.get(metric)?.p_value).collect()])
    };
    Experiment {
        name,
        what: "vectors of 48 numbers without drift, in runs, against 30 baseline panes of the window's length",
        grid: vec![Sizes { baseline: PANES * PANE, windows: vec![PANE], every: 4 }],
        tests: METRICS
            .iter()
            .map(|(name, metric)| {
                let is_whole = *metric == Metric::EmbeddingDrift;
                (*name, if is_whole { Demand::AtMost } else { Demand::AtMostTwice })
            })
            .collect(),
        replicate: Box::new(replicate),
    }
}

/// Every experiment.
#[must_use]
pub fn experiments() -> Vec<Experiment> {
    let none = |name, what, tests, sizes| experiment(name, what, tests, sizes, Shift::None);
    let mut all = vec![
        none("embedding 48", "vectors of 48 numbers without drift", &METRICS, (48, 3_000)),
        none("embedding 384", "vectors of 384 numbers without drift", &METRICS, (384, 40_000)),
        none("embedding 384 small", "the same against few vectors", &METRICS, (384, 10_000)),
        none("embedding 1536", "vectors of 1536 numbers without drift", &METRICS, (1_536, 20_000)),
        none("mmd 64", "vectors of 64 numbers without drift", &MMD, (64, 4_000)),
        none("mmd 384", "vectors of 384 numbers without drift", &MMD, (384, 10_000)),
    ];
    all.extend([runs("embedding in no runs", 0.0), runs("embedding in runs", 0.9)]);
    for (name, shift) in SHIFTS {
        all.push(experiment(name, "power at 384 numbers", &METRICS, (384, 10_000), shift));
    }
    for ((_, shift), name) in SHIFTS.into_iter().zip(MMD_SHIFTS) {
        all.push(experiment(name, "power of mmd at 384 numbers", &MMD, (384, 10_000), shift));
    }
    all
}
