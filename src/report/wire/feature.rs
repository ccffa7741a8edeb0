//! A feature in one window, the cells that moved, and what other tools say of it.

use driftlead_engine::Kind;
use serde::{Deserialize, Serialize};

use super::Metrics;
use super::value::{finite, is_zero, kind, share};
use crate::report::verdict::Verdict;

/// One feature in one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// The column.
    pub name: String,
    /// How it is compared.
    #[serde(with = "kind")]
    pub kind: Kind,
    /// Its rows.
    pub rows: u64,
    /// Of these, nulls.
    pub nulls: u64,
    /// Of these, NaN.
    pub nans: u64,
    /// Of these, infinities of either sign.
    pub infinities: u64,
    /// Of these, values that could not be read as the feature's type.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub type_errors: u64,
    /// The hash of the edges on which it was counted; null if it was not counted.
    pub cutset_id: Option<String>,
    /// Set if float32 rows were compared with a float64 baseline (SEMANTICS S4).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dtype_narrowed: bool,
    /// What is said of it.
    pub verdict: Verdict,
    /// Why it was not judged, or whatever else a person should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Rows with a value that are missing before it could be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_rows: Option<u64>,
    /// Whether a design effect was measured on the baseline (SEMANTICS S6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<bool>,
    /// Its share in the window's drift, from 0 to 1.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub contribution: Option<f64>,
    /// Its metrics.
    pub metrics: Metrics,
    /// The cells that moved most, by contribution.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<Cell>,
    /// The ways in which an embedding's vectors moved, the surest part first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directions: Vec<Way>,
    /// Vectors without an id that could be kept, where the model names a column of ids.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub vectors_without_id: u64,
    /// Where an embedding's vectors lie along its first two principal components; of the whole only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<Map>,
    /// The metrics of other tools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compat: Vec<CompatMetric>,
}

/// A cell of a feature's distribution, and how its share moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// What a person would call it: `(10, 20]`, `ATL`, `new categories`.
    pub label: String,
    /// The number above which it begins; null if it has no lower end. Numeric features only.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The number with which it ends; null if it has no upper end. Numeric features only.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// The category, where the cell is one; the label may be shortened, this never is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Its share of the baseline's rows.
    #[serde(with = "share")]
    pub baseline: f64,
    /// Its share of the window's rows.
    #[serde(with = "share")]
    pub window: f64,
    /// Its share of the feature's PSI, from 0 to 1; of a cluster its share of the total variation.
    #[serde(with = "share")]
    pub contribution: f64,
    /// Ids of some of the window's rows in a cluster that grew, where the model names a column of ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
}

/// One way in which an embedding's vectors moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// The metric that saw it: `embedding_mean`, `embedding_components`, `embedding_shape` or `embedding_covariance`.
    pub part: String,
    /// What `baseline` and `window` are: `component_mean`, `component_sd`, `reconstruction_error`, `norm`, `distance`,
    /// `component_product`, `within_components` or `dimension_mean`.
    pub kind: String,
    /// Which components, from 1, or which dimension, from 0 as in the vector.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<u64>,
    /// What a person would call it.
    pub label: String,
    /// The number of the baseline.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// The number of the window.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub window: Option<f64>,
    /// The area under the curve of a classifier that looks at it alone, from 0.5 to 1.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub auc: Option<f64>,
    /// Its share of the squared distance of the means, from 0 to 1.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
}

/// Vectors in each cell of the first two principal components.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Map {
    /// The edges of cells along the first component, from the baseline's center; there is one cell more.
    pub first: Vec<f64>,
    /// The same along the second.
    pub second: Vec<f64>,
    /// The baseline's vectors: 16 cells of the second component for each of 16 of the first; cells beyond the edges' are
    /// empty.
    pub baseline: Vec<u64>,
    /// The window's.
    pub window: Vec<u64>,
}

/// A metric as another tool computes it (SEMANTICS S24). It never enters a verdict of ours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompatMetric {
    /// The tool.
    pub tool: String,
    /// The metric, by the tool's own name.
    pub metric: String,
    /// Its value, as the tool reports it; null with a `reason`.
    #[serde(with = "finite")]
    pub value: Option<f64>,
    /// The p-value, where the tool computes one; where it reports that, the same as `value`.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// What the tool itself would say by its default bound; left out where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<bool>,
    /// Whether this is the metric that the tool takes for this feature if it is not told which.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub chosen: bool,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
