//! The ways in which an embedding's vectors moved: for each part that saw something, what in it saw it.
//!
//! Everything is computed from the two states that are compared. What is listed would be significant among its own kind (the
//! components, the shapes, the products, the dimensions), so that none of it is noise that happens to be largest.

use std::collections::BTreeMap;

use super::embedding::{Means, Sides, fold, separation};
use crate::Metric;
use crate::embedding::{COMPONENTS, DISTANCE, ERROR, NORM, SCORE_CELLS, moment_at};
use crate::metric::EMBEDDING_PARTS;
use crate::statistic::Score;
use crate::statistic::p_value::normal;

/// A part of an embedding saw something if its p-value is not above this: there are five, and one in twenty is a lot.
pub const PART_P: f64 = 0.01;

/// The most ways that are named of each part.
const MOST: usize = 3;

/// One way in which an embedding's vectors moved.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction {
    /// The part that saw it.
    pub part: Metric,
    /// What moved.
    pub way: Way,
    /// The number that `way` names, of the baseline; `None` where the baseline or the window has no sums.
    pub baseline: Option<f64>,
    /// The same of the window.
    pub window: Option<f64>,
    /// The area under the curve of a classifier that looks at this number alone, from 0.5 to 1, in cells; `None` where there
    /// are no cells of it.
    pub auc: Option<f64>,
    /// Its share of the squared distance of the two means, from 0 to 1, where it has one.
    pub share: Option<f64>,
}

/// What moved. Components and dimensions are numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The mean along a principal component, from the baseline's center, in the baseline's standard deviations along it.
    Component(usize),
    /// The standard deviation along a principal component, in the baseline's.
    Spread(usize),
    /// The share of vectors whose reconstruction error is above the baseline's median.
    Error,
    /// The share of vectors that are farther from the baseline's center than its median.
    Norm,
    /// The share of vectors whose Mahalanobis distance within the components is above the baseline's median.
    Distance,
    /// The mean of the product of two components, or of the square of one, over the baseline's root mean squares.
    Product(usize, usize),
    /// The share of the squared whitened distance of means that lies within the components; of the window only.
    Within,
    /// The mean of one dimension, from the baseline's center, in the baseline's standard deviations.
    Dimension(usize),
}

impl Way {
    fn of_shape(score: usize) -> Self {
        match score {
            ERROR => Self::Error,
            NORM => Self::Norm,
            _ => Self::Distance,
        }
    }
}

const _: () = assert!(ERROR == COMPONENTS && NORM == ERROR + 1 && DISTANCE == NORM + 1);

/// The ways, by part, the part with the least p first; none of parts that saw nothing.
pub(super) fn directions(
    sides: &Sides<'_>,
    means: &Means,
    scores: &BTreeMap<Metric, Score>,
) -> Vec<Direction> {
    let p_of = |part: &Metric| scores.get(part).and_then(|score| score.p_value).filter(|p| *p <= PART_P);
    let mut parts: Vec<(f64, Metric)> =
        EMBEDDING_PARTS.iter().filter_map(|part| Some((p_of(part)?, *part))).collect();
    parts.sort_by(|a, b| a.0.total_cmp(&b.0));
    let along = Along::of(sides, means);
    let of_part = |part: Metric| match part {
        Metric::EmbeddingMean => of_mean(sides, means, &along),
        Metric::EmbeddingComponents => of_components(sides, &along),
        Metric::EmbeddingShape => of_shape(sides),
        Metric::EmbeddingCovariance => of_covariance(sides),
        // Which clusters moved is told beside.
        _ => Vec::new(),
    };
    parts.into_iter().flat_map(|(_, part)| of_part(part)).collect()
}

/// Both sides along the principal components, from the center.
struct Along {
    /// Mean and standard deviation along each component, of the baseline.
    baseline: Vec<(f64, f64)>,
    /// The same of the window.
    window: Vec<(f64, f64)>,
    /// The squared distance of the means in all dimensions.
    square: f64,
    /// Whether both sides have vectors in their sums.
    is_summed: bool,
}

impl Along {
    fn of(sides: &Sides<'_>, means: &Means) -> Self {
        let side = |state, mean: &[f64]| -> Vec<(f64, f64)> {
            let projected = sides.along_components(mean).into_iter().enumerate();
            projected
                .map(|(k, mean)| {
                    let square = sides.moment_mean(state, moment_at(k, k));
                    (mean, (square - mean * mean).max(0.0).sqrt())
                })
                .collect()
        };
        Self {
            baseline: side(sides.baseline, &means.baseline),
            window: side(sides.window, &means.window),
            square: squared(means.window.iter().zip(&means.baseline)),
            is_summed: sides.summed_size() > 0.0,
        }
    }
}

fn squared<'a>(pairs: impl Iterator<Item = (&'a f64, &'a f64)>) -> f64 {
    pairs.map(|(w, b)| (w - b) * (w - b)).sum()
}

/// What share `part` is of `whole`.
fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| (part / whole).clamp(0.0, 1.0))
}

/// The first few, the largest first.
fn largest(mut found: Vec<(f64, Direction)>) -> Vec<Direction> {
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.truncate(MOST);
    found.into_iter().map(|(_, direction)| direction).collect()
}

fn of_components(sides: &Sides<'_>, along: &Along) -> Vec<Direction> {
    let found = (0..COMPONENTS).filter_map(|k| {
        let [b, w] = sides.counts(k);
        sides.cell_test(&b, &w).filter(|p| p * COMPONENTS as f64 <= PART_P)?;
        let (ordered, folded) = (separation(&b, &w), separation(&fold(&b), &fold(&w)));
        let ((mean_b, sd_b), (mean_w, sd_w)) = (along.baseline[k], along.window[k]);
        let in_sd = |x: f64| (along.is_summed && sd_b > 0.0).then_some(x / sd_b);
        let (way, baseline, window) = if ordered >= folded {
            (Way::Component(k), in_sd(mean_b), in_sd(mean_w))
        } else {
            (Way::Spread(k), in_sd(sd_b), in_sd(sd_w))
        };
        let auc = ordered.max(folded);
        let of_distance = in_sd(0.0).and_then(|_| share((mean_w - mean_b).powi(2), along.square));
        let part = Metric::EmbeddingComponents;
        Some((auc, Direction { part, way, baseline, window, auc: Some(auc), share: of_distance }))
    });
    largest(found.collect())
}

fn of_shape(sides: &Sides<'_>) -> Vec<Direction> {
    let found = (ERROR..=DISTANCE).filter_map(|score| {
        let [b, w] = sides.counts(score);
        sides.cell_test(&b, &w).filter(|p| p * (DISTANCE + 1 - ERROR) as f64 <= PART_P)?;
        let (n_b, n_w) = (b.iter().sum::<u64>(), w.iter().sum::<u64>());
        // The cell in which the baseline's median lies ends what is not above it.
        let mut below = 0;
        let first = 1 + b.iter().position(|count| {
            below += count;
            2 * u128::from(below) >= u128::from(n_b)
        })?;
        let above = |counts: &[u64], n: u64| counts[first..].iter().sum::<u64>() as f64 / n as f64;
        let auc = separation(&b, &w);
        Some((
            auc,
            Direction {
                part: Metric::EmbeddingShape,
                way: Way::of_shape(score),
                baseline: Some(above(&b, n_b)),
                window: Some(above(&w, n_w)),
                auc: Some(auc),
                share: None,
            },
        ))
    });
    largest(found.collect())
}

fn of_covariance(sides: &Sides<'_>) -> Vec<Direction> {
    let size = sides.summed_size();
    let changes = sides.moment_changes();
    let tests = changes.iter().flatten().count() as f64;
    let root = |k: usize| sides.moment_mean(sides.baseline, moment_at(k, k)).max(0.0).sqrt();
    let mut found = Vec::new();
    for i in 0..COMPONENTS {
        for j in i..COMPONENTS {
            let at = moment_at(i, j);
            let Some(change) = changes[at] else { continue };
            let scale = root(i) * root(j);
            if normal::two_sided(change * size.sqrt()) * tests > PART_P || scale <= 0.0 {
                continue;
            }
            let of = |state| Some(sides.moment_mean(state, at) / scale);
            found.push((
                change,
                Direction {
                    part: Metric::EmbeddingCovariance,
                    way: Way::Product(i, j),
                    baseline: of(sides.baseline),
                    window: of(sides.window),
                    auc: None,
                    share: None,
                },
            ));
        }
    }
    largest(found)
}

fn of_mean(sides: &Sides<'_>, means: &Means, along: &Along) -> Vec<Direction> {
    let Some(whitening) = sides.cells.whitening() else { return Vec::new() };
    let mut whole: Vec<f64> = means.window.iter().zip(&means.baseline).map(|(w, b)| w - b).collect();
    // The part within the components is their sum, each as long as the difference along it.
    let steps: Vec<f64> = along.window.iter().zip(&along.baseline).map(|((w, _), (b, _))| w - b).collect();
    let mut within = sides.spanned(&steps);
    whitening.whiten(&mut whole);
    whitening.whiten(&mut within);
    let square = |x: &[f64]| x.iter().map(|y| y * y).sum::<f64>();
    let part = Metric::EmbeddingMean;
    let inside = share(square(&within), square(&whole));
    let mut out =
        vec![Direction { part, way: Way::Within, baseline: None, window: inside, auc: None, share: inside }];
    let root_size = sides.summed_size().sqrt();
    let dim = means.window.len() as f64;
    let dimensions = sides.cells.spread.iter().enumerate().filter_map(|(j, spread)| {
        let sd = f64::from(*spread);
        let (b, w) = (means.baseline[j], means.window[j]);
        let steps = (w - b).abs() / sd;
        let is_sure = sd > 0.0 && normal::two_sided(steps * root_size) * dim <= PART_P;
        let of_distance = share((w - b).powi(2), along.square);
        is_sure.then(|| {
            let (baseline, window) = (Some(b / sd), Some(w / sd));
            let way = Way::Dimension(j);
            (steps, Direction { part, way, baseline, window, auc: None, share: of_distance })
        })
    });
    out.extend(largest(dimensions.collect()));
    out
}

const _: () = assert!(SCORE_CELLS.is_multiple_of(2), "cells can be folded");
