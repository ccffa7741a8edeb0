//! What belongs to one run alone, and is left out of reports that are to be equal.

use serde::{Deserialize, Serialize};

use super::value::{finite, share};

/// What belongs to one run alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The version of driftlead.
    pub version: String,
    /// Wall-clock seconds.
    #[serde(with = "share")]
    pub seconds: f64,
    /// Rows read per second, baseline included.
    #[serde(default, with = "finite", skip_serializing_if = "Option::is_none")]
    pub rows_per_second: Option<f64>,
    /// What was read.
    pub paths: Paths,
}

/// What a run read, as typed or written in the model file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// The model file.
    pub model: Option<String>,
    /// The baseline.
    pub baseline: Vec<String>,
    /// The data.
    pub data: Vec<String>,
}
