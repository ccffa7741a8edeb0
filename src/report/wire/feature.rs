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
    /// Its share of the feature's PSI, from 0 to 1.
    #[serde(with = "share")]
    pub contribution: f64,
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
