//! One state by itself: the numbers that describe it to a person.

use crate::accumulate::FeatureState;
use crate::feature::FeatureCells;
use crate::score::numeric;

/// A state in a few numbers, in the feature's unit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Description {
    /// All rows, whatever they hold.
    pub rows: u64,
    /// Of these, nulls.
    pub nulls: u64,
    /// Of these, NaN.
    pub nans: u64,
    /// The least value; `None` without values or where it is not known.
    pub min: Option<f64>,
    /// The greatest value.
    pub max: Option<f64>,
    /// The mean of the finite values.
    pub mean: Option<f64>,
    /// Their standard deviation (divisor `n`).
    pub sd: Option<f64>,
}

/// Describes `state`, a state on `cells`.
#[must_use]
pub fn describe(cells: &FeatureCells, state: &FeatureState) -> Description {
    match (cells, state) {
        (FeatureCells::Numeric(cells), FeatureState::Numeric(state)) => {
            let moments = numeric::moments(cells, state, &state.cells.to_vec());
            let ratio = cells.ratio();
            Description {
                rows: state.rows,
                nulls: state.nulls,
                nans: state.nans,
                min: state.extent.map(|(low, _)| low * ratio),
                max: state.extent.map(|(_, high)| high * ratio),
                mean: moments.map(|moments| moments.mean),
                sd: moments.map(|moments| moments.variance.sqrt()),
            }
        }
        (_, FeatureState::Categorical(state)) => {
            Description { rows: state.rows, nulls: state.nulls, nans: state.nans, ..Description::default() }
        }
        (_, FeatureState::Embedding(state)) => {
            Description { rows: state.rows, nulls: state.nulls, nans: state.nans, ..Description::default() }
        }
        (_, FeatureState::Numeric(state)) => {
            Description { rows: state.rows, nulls: state.nulls, nans: state.nans, ..Description::default() }
        }
    }
}
