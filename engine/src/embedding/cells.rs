//! What vectors are measured with: fitted once, then frozen.

use super::{CODES, COLUMNS, COMPONENTS, FREQUENCIES, MOMENTS, SCORE_CELLS, SCORES, Waves};
use crate::digest::sha256_hex;

/// The frozen measures of an embedding.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingCells {
    /// How many numbers a vector has.
    pub(crate) dim: usize,
    /// The mean of the vectors that were fitted; all else is measured from there.
    pub(crate) center: Vec<f32>,
    /// `dim` rows of [`COLUMNS`]: the principal components, then the codes less the center. Columns without a
    /// component or code are zero.
    pub(crate) basis: Vec<f32>,
    /// Half the squared length of each code less the center; infinite for a code that there is not.
    pub(crate) offsets: Vec<f32>,
    /// One over the variance along each component; zero for a component without variance.
    pub(crate) precisions: Vec<f32>,
    /// For each score, the ascending right ends of its cells but the last; unused ones are infinite.
    pub(crate) edges: Vec<[f32; SCORE_CELLS]>,
    /// Components farther from the center are in no sum.
    pub(crate) limit: f32,
    /// What a component is multiplied with before it is rounded and summed; a power of two.
    pub(crate) scale: f32,
    /// Principal components farther out are in no sum of products.
    pub(crate) score_limit: f32,
    /// What a product of principal components is multiplied with; a power of two.
    pub(crate) moment_scale: f32,
    /// The variance of each product of two principal components over the rows held out.
    pub(crate) moment_variances: Vec<f64>,
    /// The baseline's standard deviation of each component.
    pub(crate) spread: Vec<f32>,
    /// What the mean is tested with; `None` if there were too few vectors for that.
    pub(crate) whitening: Option<Whitening>,
    /// What `mmd` is measured with; `None` where nobody asked for it.
    pub(crate) waves: Option<Waves>,
    /// The vectors that were fitted.
    pub(crate) fitted: u64,
}

/// What makes a difference of means comparable: the Cholesky factor of the ridged covariance, and how large the squared
/// length of a whitened difference is when nothing has changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Whitening {
    /// The rows of the lower triangle, each up to the diagonal.
    pub(crate) factor: Vec<f32>,
    /// The trace of the whitened covariance of the rows held out.
    pub(crate) trace: f64,
    /// The trace of its square, from two halves of them.
    pub(crate) square_trace: f64,
}

impl Whitening {
    /// `L^-1 x`, in place.
    pub(crate) fn whiten(&self, x: &mut [f64]) {
        let mut row = self.factor.as_slice();
        for i in 0..x.len() {
            let (own, rest) = row.split_at(i + 1);
            let sum: f64 = own[..i].iter().zip(&x[..i]).map(|(l, y)| f64::from(*l) * y).sum();
            x[i] = (x[i] - sum) / f64::from(own[i]);
            row = rest;
        }
    }
}

impl EmbeddingCells {
    /// How many numbers a vector has.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many codes there are, at most [`CODES`].
    #[must_use]
    pub fn n_codes(&self) -> usize {
        self.offsets.iter().filter(|offset| offset.is_finite()).count()
    }

    /// What the mean is tested with; `None` if the baseline had too few vectors for its length.
    #[must_use]
    pub fn whitening(&self) -> Option<&Whitening> {
        self.whitening.as_ref()
    }

    /// The edges of the map's cells along the first two principal components, ascending; a component has one cell more
    /// than edges. Numbers are distances from [`center`](Self::center) along the component.
    #[must_use]
    pub fn map_edges(&self) -> [Vec<f32>; 2] {
        [0, 1].map(|score: usize| self.edges[score].iter().copied().filter(|edge| edge.is_finite()).collect())
    }

    /// What `mmd` is measured with; `None` where the baseline was made without it.
    #[must_use]
    pub fn waves(&self) -> Option<&Waves> {
        self.waves.as_ref()
    }

    /// The vector that stands for cluster number `code`, below [`n_codes`](Self::n_codes).
    ///
    /// # Panics
    ///
    /// If there is no such code.
    #[must_use]
    pub fn code(&self, code: usize) -> Vec<f64> {
        assert!(code < CODES, "code {code} of {CODES}");
        let of = |j: usize| f64::from(self.basis[j * COLUMNS + COMPONENTS + code]);
        self.center.iter().enumerate().map(|(j, center)| f64::from(*center) + of(j)).collect()
    }

    /// The mean of the vectors that were fitted.
    #[must_use]
    pub fn center(&self) -> &[f32] {
        &self.center
    }

    /// The name of this set of cells: states of other names never combine (I-EDGES).
    #[must_use]
    pub fn cutset_id(&self) -> String {
        let mut bytes = b"embedding".to_vec();
        bytes.extend((self.dim as u64).to_le_bytes());
        for values in self.floats() {
            values.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
        }
        if let Some(waves) = &self.waves {
            bytes.extend(b"waves");
            waves.frequencies.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
        }
        sha256_hex(&bytes)
    }

    fn floats(&self) -> [&[f32]; 8] {
        [
            &self.center,
            &self.basis,
            &self.offsets,
            &self.precisions,
            self.edges.as_flattened(),
            std::slice::from_ref(&self.scale),
            std::slice::from_ref(&self.moment_scale),
            std::slice::from_ref(&self.limit),
        ]
    }

    /// Whether every part has the size that the others ask for.
    pub(crate) fn is_consistent(&self) -> bool {
        let is_power = |x: f32| x.is_finite() && x > 0.0 && x.to_bits().trailing_zeros() >= 23;
        self.dim > 0
            && self.dim <= super::MAX_DIM
            && self.center.len() == self.dim
            && self.basis.len() == self.dim * COLUMNS
            && self.offsets.len() == CODES
            && self.precisions.len() == COMPONENTS
            && self.edges.len() == SCORES
            && self.moment_variances.len() == MOMENTS
            && self.spread.len() == self.dim
            && is_power(self.scale)
            && is_power(self.moment_scale)
            && self.edges.iter().all(|edges| edges.windows(2).all(|pair| pair[0] <= pair[1]))
            && self.waves.as_ref().is_none_or(|own| own.frequencies.len() == self.dim * FREQUENCIES)
            && self.whitening.as_ref().is_none_or(|own| own.factor.len() == self.dim * (self.dim + 1) / 2)
    }
}

/// The place of the product of components `i <= j` among the moments.
#[inline]
pub(crate) fn moment_at(i: usize, j: usize) -> usize {
    i * COMPONENTS - i * (i + 1) / 2 + j
}
