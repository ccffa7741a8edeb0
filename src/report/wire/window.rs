//! A window of event time, of so many rows, or of all rows, and what is said of it.

use serde::{Deserialize, Serialize};

use super::value::moment;
use super::{Feature, Metrics, Segment};
use crate::report::verdict::Verdict;
use crate::time::Timestamp;

/// One window of the whole or of one segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// A stable id: the same window of the same model, version and baseline has it in every run (SEMANTICS S20).
    pub id: String,
    /// The window's name in the model file.
    pub name: String,
    /// Its number in the source, from 0, if it is of so many rows (SEMANTICS S26).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordinal: Option<u64>,
    /// Its first moment; null without event time. Of a window of rows the first event time that it saw.
    #[serde(with = "moment")]
    pub start: Option<Timestamp>,
    /// The first moment after it; null without event time. Of a window of rows the last event time that it saw.
    #[serde(with = "moment")]
    pub end: Option<Timestamp>,
    /// The segment; null for the whole.
    pub segment: Option<Segment>,
    /// Its rows.
    pub rows: u64,
    /// The windows before it, if those are what it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// What depends on when rows arrived; left out by `--reproducible`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<Arrival>,
    /// The worst of its judged features.
    pub verdict: Verdict,
    /// Metrics of the window as a whole: `row_count`.
    #[serde(default, skip_serializing_if = "Metrics::is_empty")]
    pub metrics: Metrics,
    /// The features, in the baseline's order.
    pub features: Vec<Feature>,
}

/// The windows before a window, as what it is compared with (SEMANTICS S25).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// How many of them there are: with fewer than `of` nothing is judged.
    pub windows: u64,
    /// How many the model file asks for.
    pub of: u64,
    /// Their rows, of the window's segment.
    pub rows: u64,
}

/// What depends on when rows arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// Rows that came too late to count.
    pub late_rows: u64,
    /// How often the window was corrected by late rows.
    pub revision: u64,
    /// Whether no further correction can come.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Whether the window is cut by `--since`, `--until` or the end of the data.
    pub partial: bool,
}
