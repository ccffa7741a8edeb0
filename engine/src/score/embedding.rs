//! Scores of an embedding: five tests of counts and sums, and what they say together.
//!
//! How large a change is, is said by the area under the curve of a classifier that looks along one direction, the worst
//! one: 0.5 where window and baseline cannot be told apart, 1 where they do not overlap. A p-value says whether there is a
//! change at all (SEMANTICS S9).

use std::collections::BTreeMap;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

use ndarray::Array2;

use super::{JointCounts, Measured, Moved, Place};
use crate::Metric;
use crate::embedding::{
    CELLS, CODES, COLUMNS, COMPONENTS, EmbeddingCells, EmbeddingState, MAP_CELLS, SCORE_CELLS, SCORES,
    eigenvalues, matrix_root, moment_at,
};
use crate::metric::EMBEDDING_PARTS as PARTS;
use crate::statistic::p_value::{chi_squared, normal};
use crate::statistic::significance::{self, effective_size};
use crate::statistic::{Score, chi2, ks, pool_tested, rate};

/// A dimension whose mean moved by more of the baseline's standard deviations has drifted. The distance of means is never
/// above Wasserstein's, for which others use the same bound.
const DIMENSION_SHIFT: f64 = 0.1;

pub(super) fn measure(
    cells: &EmbeddingCells,
    baseline: &EmbeddingState,
    window: &EmbeddingState,
    deff: f64,
) -> Measured {
    let (n, baseline_n) = (window.values(), baseline.values());
    let deff = deff.max(1.0);
    let mut scores = BTreeMap::new();
    let (mut moved, mut directions) = (Vec::new(), Vec::new());
    if n == 0 || baseline_n == 0 {
        let reason = if n == 0 { "the window has no vectors" } else { "the baseline has no vectors" };
        for metric in PARTS.into_iter().chain([
            Metric::EmbeddingDrift,
            Metric::CentroidCosine,
            Metric::CentroidEuclidean,
            Metric::DimensionDriftShare,
            Metric::Frechet,
            Metric::SlicedKs,
        ]) {
            scores.insert(metric, Score { n, n_baseline: baseline_n, ..Score::none(reason) });
        }
    } else {
        let sides = Sides { cells, baseline, window, deff };
        let means = sides.means();
        scores.insert(Metric::EmbeddingMean, sides.mean_part(&means));
        let [components, shape, sliced] = sides.cell_parts();
        scores.insert(Metric::EmbeddingComponents, components);
        scores.insert(Metric::EmbeddingShape, shape);
        scores.insert(Metric::SlicedKs, sliced);
        scores.insert(Metric::EmbeddingCovariance, sides.covariance_part());
        let clusters = sides.cluster_part();
        moved = clusters.1;
        scores.insert(Metric::EmbeddingClusters, clusters.0);
        scores.insert(Metric::EmbeddingDrift, combine(&scores, &sides));
        for (metric, value) in sides.centroids(&means) {
            scores.insert(metric, sides.shown(value));
        }
        scores.insert(Metric::Frechet, sides.shown(sides.frechet(&means)));
        directions = super::direction::directions(&sides, &means, &scores);
    }
    if let Some(waves) = &cells.waves {
        scores.insert(Metric::Mmd, super::mmd::score(waves, baseline, window, deff));
    }
    let mut add_rate = |metric, of: fn(&EmbeddingState) -> u64| {
        scores.insert(metric, rate(of(window), window.rows, of(baseline), baseline.rows, deff));
    };
    add_rate(Metric::NullRate, |state| state.nulls);
    add_rate(Metric::NanRate, |state| state.nans);
    add_rate(Metric::ZeroRate, |state| state.zeros);
    add_rate(Metric::TypeErrorRate, |state| state.type_errors + state.wrong_dims);
    Measured {
        rows: window.rows,
        nulls: window.nulls,
        nans: window.nans,
        infinities: 0,
        type_errors: window.type_errors + window.wrong_dims,
        n,
        baseline_rows: baseline.rows,
        baseline_n: baseline_n + baseline.fitted,
        narrowed: false,
        scores,
        cells: moved,
        directions,
        unnamed: window.exemplars.unnamed,
        map: Some(JointCounts { baseline: baseline.map(), window: window.map() }),
    }
}

/// How far a window is from a baseline, in units of what that is on average where nothing has changed, and the degrees of
/// freedom of that.
pub(super) struct Ratio {
    pub(super) value: f64,
    pub(super) freedom: f64,
}

/// The ratios of the mean and the clusters, and those of each score's cells.
pub(super) fn statistics(
    cells: &EmbeddingCells,
    baseline: &EmbeddingState,
    window: &EmbeddingState,
) -> ([Option<Ratio>; 2], Vec<Option<Ratio>>) {
    let sides = Sides { cells, baseline, window, deff: 1.0 };
    let of_cells = |baseline: &[u64], window: &[u64]| {
        let (tested, refusal) = pool_tested(baseline, window, &[]);
        let score = chi2(&tested.baseline, &tested.window);
        let freedom = score.cells.filter(|cells| refusal.is_none() && *cells > 1)? as f64 - 1.0;
        Some(Ratio { value: score.value? / freedom, freedom })
    };
    let mean = sides
        .whitened(&sides.means())
        .map(|own| Ratio { value: own.square / own.sampling, freedom: own.freedom });
    let (of_baseline, of_window) = (baseline.cells.to_vec(), window.cells.to_vec());
    let scores = (0..SCORES)
        .map(|score| {
            let at = score * SCORE_CELLS..(score + 1) * SCORE_CELLS;
            of_cells(&of_baseline[at.clone()], &of_window[at])
        })
        .collect();
    ([mean, of_cells(&baseline.codes(), &window.codes())], scores)
}

/// The least p of the parts, times how many there are; the largest area among those that have one, with their least p: an
/// area must not be called significant because something without an area is.
fn combine(scores: &BTreeMap<Metric, Score>, sides: &Sides<'_>) -> Score {
    let with_area = |metric: &Metric| *metric != Metric::EmbeddingCovariance;
    let least = |is_part: fn(&Metric) -> bool| {
        let parts = PARTS.iter().filter(|metric| is_part(metric)).filter_map(|metric| scores.get(metric));
        let tested: Vec<f64> = parts.filter_map(|score| score.p_value).collect();
        tested.iter().copied().reduce(f64::min).map(|p| (p * tested.len() as f64).min(1.0))
    };
    let areas = PARTS.iter().filter(|metric| with_area(metric));
    let value = areas.filter_map(|metric| scores.get(metric)?.value).reduce(f64::max);
    Score { value, p_value: least(|_| true), p_effect: least(with_area), ..sides.shown(0.5) }
}

/// A window and its baseline, both with vectors.
pub(super) struct Sides<'a> {
    pub(super) cells: &'a EmbeddingCells,
    pub(super) baseline: &'a EmbeddingState,
    pub(super) window: &'a EmbeddingState,
    deff: f64,
}

/// The squared length of a whitened difference of means, what sampling alone makes of it on average, and the degrees of
/// freedom of a scaled chi-squared that it follows then (Satterthwaite).
struct Whitened {
    square: f64,
    sampling: f64,
    freedom: f64,
}

/// The means of both sides, less the center.
pub(super) struct Means {
    pub(super) baseline: Vec<f64>,
    pub(super) window: Vec<f64>,
}

impl Sides<'_> {
    pub(super) fn summed_size(&self) -> f64 {
        effective_size(self.window.summed(), self.baseline.summed(), self.deff)
    }

    fn shown(&self, value: f64) -> Score {
        Score {
            n: self.window.values(),
            n_baseline: self.baseline.values(),
            deff: self.deff,
            ..Score::of(value)
        }
    }

    fn without(&self, reason: &'static str) -> Score {
        Score {
            n: self.window.values(),
            n_baseline: self.baseline.values(),
            deff: self.deff,
            ..Score::none(reason)
        }
    }

    fn means(&self) -> Means {
        let scale = f64::from(self.cells.scale);
        let mean = |state: &EmbeddingState| -> Vec<f64> {
            let n = state.summed().max(1) as f64;
            (0..self.cells.dim)
                .map(|j| state.sums.get(j).map_or(0.0, |sum| *sum as f64 / scale / n))
                .collect()
        };
        Means { baseline: mean(self.baseline), window: mean(self.window) }
    }

    /// How far apart the means are, whitened; `None` without a factor to whiten with, or without sums.
    fn whitened(&self, means: &Means) -> Option<Whitened> {
        let whitening = self.cells.whitening.as_ref()?;
        let size = effective_size(self.window.summed(), self.baseline.summed(), 1.0);
        if size == 0.0 {
            return None;
        }
        let mut difference: Vec<f64> = means.window.iter().zip(&means.baseline).map(|(w, b)| w - b).collect();
        whitening.whiten(&mut difference);
        let square = difference.iter().map(|y| y * y).sum();
        Some(Whitened {
            square,
            sampling: whitening.trace / size,
            freedom: whitening.trace.powi(2) / whitening.square_trace,
        })
    }

    /// Part (i): the squared length of the whitened difference of means against a scaled chi-squared (Satterthwaite).
    fn mean_part(&self, means: &Means) -> Score {
        if self.cells.whitening.is_none() {
            return self.without("fewer than ten baseline vectors for each dimension: the mean is compared along the principal components only");
        }
        let Some(whitened) = self.whitened(means) else {
            return self.without("no vector is close enough to the baseline's for a sum");
        };
        let Whitened { square, sampling, freedom } = whitened;
        let p = chi_squared::upper(square / sampling * freedom / self.deff, freedom);
        // Less what sampling alone adds; the design effect divides p-values only.
        let distance = (square - sampling).max(0.0).sqrt();
        Score { p_value: Some(p), ..self.shown(1.0 - normal::upper(distance * FRAC_1_SQRT_2)) }
    }

    /// Parts (ii) and (iii), and the largest distance of distribution functions along a component.
    fn cell_parts(&self) -> [Score; 3] {
        let mut parts = [(None::<f64>, 0.5_f64, 0_usize); 2];
        let mut sliced = 0.0_f64;
        for score in 0..SCORES {
            let [b, w] = self.counts(score);
            let (b, w) = (b.as_slice(), w.as_slice());
            let part = &mut parts[usize::from(score >= COMPONENTS)];
            part.1 = part.1.max(separation(b, w));
            if score < COMPONENTS {
                let folded = [fold(b), fold(w)];
                part.1 = part.1.max(separation(&folded[0], &folded[1]));
                sliced = sliced.max(ks(b, w, &[true; SCORE_CELLS]).map_or(0.0, |ks| ks.d));
            }
            if let Some(p) = self.cell_test(b, w) {
                part.0 = Some(part.0.map_or(p, |least| least.min(p)));
                part.2 += 1;
            }
        }
        let [components, shape] = parts.map(|(least, value, tests)| Score {
            p_value: least.map(|p| (p * tests as f64).min(1.0)),
            reason: if least.is_none() { Some("too few vectors in its cells") } else { None },
            ..self.shown(value)
        });
        [components, shape, self.shown(sliced)]
    }

    /// Rows per cell of a score, of baseline and window.
    pub(super) fn counts(&self, score: usize) -> [Vec<u64>; 2] {
        let at = score * SCORE_CELLS..(score + 1) * SCORE_CELLS;
        [self.baseline, self.window].map(|state| state.cells.to_vec()[at.clone()].to_vec())
    }

    /// Whether two sets of counts differ; `None` if they are too few to tell.
    pub(super) fn cell_test(&self, baseline: &[u64], window: &[u64]) -> Option<f64> {
        let (tested, refusal) = pool_tested(baseline, window, &[]);
        let own = significance::test(Metric::Chi2, chi2(&tested.baseline, &tested.window), self.deff);
        own.p_value.filter(|_| refusal.is_none())
    }

    /// The mean of a product of two components.
    pub(super) fn moment_mean(&self, state: &EmbeddingState, at: usize) -> f64 {
        let scale = f64::from(self.cells.moment_scale);
        state.moments.get(at).map_or(0.0, |sum| *sum as f64 / scale / state.summed().max(1) as f64)
    }

    /// How much the mean of each product changed, in its own standard deviations; `None` of one that does not vary.
    pub(super) fn moment_changes(&self) -> Vec<Option<f64>> {
        let floor = self.cells.moment_variances.iter().fold(0.0_f64, |a, b| a.max(*b)) * 1e-18;
        let change = |at: usize, variance: f64| {
            let moved = self.moment_mean(self.window, at) - self.moment_mean(self.baseline, at);
            (variance > floor).then(|| moved.abs() / variance.sqrt())
        };
        self.cells.moment_variances.iter().enumerate().map(|(at, variance)| change(at, *variance)).collect()
    }

    /// A point, less the center, along the principal components.
    pub(super) fn along_components(&self, point: &[f64]) -> Vec<f64> {
        let along = |k: usize| {
            let terms =
                point.iter().enumerate().map(|(j, x)| x * f64::from(self.cells.basis[j * COLUMNS + k]));
            terms.sum()
        };
        (0..COMPONENTS).map(along).collect()
    }

    /// The point, less the center, that lies so far along each principal component.
    pub(super) fn spanned(&self, along: &[f64]) -> Vec<f64> {
        let row = |j: usize| &self.cells.basis[j * COLUMNS..j * COLUMNS + COMPONENTS];
        let at = |j: usize| row(j).iter().zip(along).map(|(x, length)| f64::from(*x) * length).sum();
        (0..self.cells.dim).map(at).collect()
    }

    /// Part (iv): the largest change of a product's mean, in its own standard deviations.
    fn covariance_part(&self) -> Score {
        let size = self.summed_size();
        let changes = self.moment_changes();
        let tests = changes.iter().flatten().count();
        let largest = changes.iter().flatten().fold(0.0_f64, |a, b| a.max(*b));
        if tests == 0 || size == 0.0 {
            return self.without("no principal component varies");
        }
        let p = (normal::two_sided(largest * size.sqrt()) * tests as f64).min(1.0);
        Score { p_value: Some(p), ..self.shown(largest) }
    }

    /// Part (v), with the clusters whose share moved.
    fn cluster_part(&self) -> (Score, Vec<Moved>) {
        let (baseline, window) = (self.baseline.codes(), self.window.codes());
        let (n, big) = (self.window.values() as f64, self.baseline.values() as f64);
        let shares = |i: usize| (baseline[i] as f64 / big, window[i] as f64 / n);
        let size = effective_size(self.window.values(), self.baseline.values(), 1.0);
        let (mut apart, mut sampling) = (0.0, 0.0);
        for code in 0..CODES {
            let (p, q) = shares(code);
            apart += 0.5 * (q - p).abs();
            let pooled = (baseline[code] + window[code]) as f64 / (big + n);
            sampling += 0.5 * (2.0 * pooled * (1.0 - pooled) / (PI * size)).sqrt();
        }
        let (tested, refusal) = pool_tested(&baseline, &window, &[]);
        let own = significance::test(Metric::Chi2, chi2(&tested.baseline, &tested.window), self.deff);
        let value = 0.5 + 0.5 * (apart - sampling).max(0.0);
        let score = Score {
            p_value: own.p_value.filter(|_| refusal.is_none()),
            cells: own.cells,
            reason: refusal.or(own.reason),
            ..self.shown(value)
        };
        let mut moved: Vec<Moved> = (0..CODES)
            .filter(|code| baseline[*code] + window[*code] > 0)
            .map(|code| {
                let (p, q) = shares(code);
                let contribution = if apart > 0.0 { 0.5 * (q - p).abs() / apart } else { 0.0 };
                let of_window = self.window.exemplars.of(code).map(str::to_owned);
                let ids = if q > p { of_window.collect() } else { Vec::new() };
                Moved { place: Place::Cluster(code), baseline: p, window: q, contribution, ids }
            })
            .collect();
        moved.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
        (score, moved)
    }

    fn centroids(&self, means: &Means) -> [(Metric, f64); 3] {
        let center = &self.cells.center;
        let whole =
            |mean: &[f64]| -> Vec<f64> { mean.iter().zip(center).map(|(m, c)| m + f64::from(*c)).collect() };
        let (b, w) = (whole(&means.baseline), whole(&means.window));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let lengths = (dot(&b, &b) * dot(&w, &w)).sqrt();
        let cosine = if lengths > 0.0 { 1.0 - dot(&b, &w) / lengths } else { 1.0 };
        let square: f64 = b.iter().zip(&w).map(|(b, w)| (w - b) * (w - b)).sum();
        let shifted = (b.iter().zip(&w).zip(&self.cells.spread))
            .filter(|((b, w), spread)| (**w - **b).abs() > DIMENSION_SHIFT * f64::from(**spread))
            .count();
        [
            (Metric::CentroidCosine, cosine.clamp(0.0, 2.0)),
            (Metric::CentroidEuclidean, square.sqrt()),
            (Metric::DimensionDriftShare, shifted as f64 / self.cells.dim as f64),
        ]
    }

    /// Fréchet's distance of the normal distributions with the two means and covariances along the principal components
    /// (Dowson & Landau, J. Multivar. Anal. 12, 1982).
    fn frechet(&self, means: &Means) -> f64 {
        let covariance = |state: &EmbeddingState, mean: &[f64]| {
            Array2::from_shape_fn((COMPONENTS, COMPONENTS), |(i, j)| {
                self.moment_mean(state, moment_at(i.min(j), i.max(j))) - mean[i] * mean[j]
            })
        };
        let (b, w) = (self.along_components(&means.baseline), self.along_components(&means.window));
        let (cb, cw) = (covariance(self.baseline, &b), covariance(self.window, &w));
        let root = matrix_root(cb.clone());
        let shared: f64 = eigenvalues(root.dot(&cw).dot(&root)).iter().map(|x| x.max(0.0).sqrt()).sum();
        let apart: f64 = b.iter().zip(&w).map(|(b, w)| (w - b) * (w - b)).sum();
        (apart + cb.diag().sum() + cw.diag().sum() - 2.0 * shared).max(0.0)
    }
}

/// The area under the curve of the score as a classifier, whichever way round is better.
pub(super) fn separation(baseline: &[u64], window: &[u64]) -> f64 {
    let (n, big) = (window.iter().sum::<u64>() as f64, baseline.iter().sum::<u64>() as f64);
    if n == 0.0 || big == 0.0 {
        return 0.5;
    }
    let (mut below, mut area) = (0.0, 0.0);
    for (b, w) in baseline.iter().zip(window) {
        area += *w as f64 * (below + 0.5 * *b as f64);
        below += *b as f64;
    }
    let area = area / (n * big);
    area.max(1.0 - area)
}

/// The cells by their distance from the middle.
pub(super) fn fold(counts: &[u64]) -> Vec<u64> {
    let half = counts.len() / 2;
    (0..half).map(|i| counts[half + i] + counts[half - 1 - i]).collect()
}

const _: () = assert!(CELLS == SCORES * SCORE_CELLS + CODES + MAP_CELLS);
