//! Embeddings: vectors of one fixed length, compared without keeping any of them.
//!
//! No single statistic sees every way in which vectors move: the distance of centroids is blind to scale, rotation and
//! contamination, a reconstruction error to reweighted clusters. So a window keeps five mergeable parts, all of them
//! counts and integer sums (SEMANTICS S1), and their p-values are combined by Bonferroni:
//!
//! | part | state | sees |
//! |---|---|---|
//! | mean | sum of each component | shifts of the mean, sparse or dense |
//! | components | 16 cells for each of 32 principal components | one direction at a time |
//! | shape | 16 cells for reconstruction error, norm, distance within the components | scale, rotation, contamination |
//! | covariance | sums of the 528 products of two components | directions that begin to move together |
//! | clusters | rows per cell of a codebook of 64 | topics that come, go or change their share |
//!
//! Where `mmd` is asked for, a window also keeps the sums of random waves ([`Waves`]). For pictures only stand there the
//! joint counts of the cells of the first two components, and, where rows have ids, the ids of some rows of each cluster
//! ([`Exemplars`]).
//!
//! What the vectors are measured with ([`EmbeddingCells`]) is fitted on one half of the baseline's vectors, chosen by a
//! hash of their bytes, and calibrated and counted on the other half: a basis fits the rows it was made from better than
//! any others, and with many dimensions that difference alone would alarm.

mod block;
mod cells;
mod codebook;
mod counter;
mod exemplars;
mod fit;
mod linear;
mod product;
mod state;
mod vectors;
mod waves;

pub(crate) use cells::moment_at;
pub use cells::{EmbeddingCells, Whitening};
pub(crate) use counter::EmbeddingCounter;
pub use exemplars::{EXEMPLARS, Exemplars, Ids, MAX_ID, RowIds};
pub(crate) use fit::{Fit, is_fitted};
pub(crate) use linear::{eigenvalues, matrix_root};
pub use state::EmbeddingState;
pub(crate) use vectors::{Found, Vectors, is_vectors};
pub use vectors::{append_vectors, can_hold_vectors};
pub(crate) use waves::WAVES;
pub use waves::{FREQUENCIES, Waves};

/// Principal components that are followed.
pub const COMPONENTS: usize = 32;
/// The largest codebook.
pub const CODES: usize = 64;
/// Columns of the matrix that every vector is multiplied with.
pub(crate) const COLUMNS: usize = COMPONENTS + CODES;
/// Numbers of a vector that have cells: its components, then [`ERROR`], [`NORM`] and [`DISTANCE`].
pub const SCORES: usize = COMPONENTS + 3;
/// Cells of each score.
pub const SCORE_CELLS: usize = 16;
/// Products of two components.
pub const MOMENTS: usize = COMPONENTS * (COMPONENTS + 1) / 2;
/// Cells of the map: each cell of the first component with each of the second, row by row of the first's.
pub const MAP_CELLS: usize = SCORE_CELLS * SCORE_CELLS;
/// Cells of a state: those of the scores, then one for each code, then the map.
pub const CELLS: usize = SCORES * SCORE_CELLS + CODES + MAP_CELLS;

/// The score that is the reconstruction error: the length of what the components leave over.
pub const ERROR: usize = COMPONENTS;
/// The score that is the distance to the baseline's mean.
pub const NORM: usize = COMPONENTS + 1;
/// The score that is the Mahalanobis distance within the components.
pub const DISTANCE: usize = COMPONENTS + 2;

/// The largest number that a vector may hold: squared lengths stay within single precision.
pub const MAX_NUMBER: f32 = 1e15;

/// The most dimensions that a vector may have.
pub const MAX_DIM: usize = 4096;
