//! The public contract `driftlead.report/1` (DESIGN section 7, SEMANTICS S12, S18, S20, S23), field by field.
//!
//! The order of fields is the order of keys. No number here is NaN or infinite: [`value::finite`] turns such into null,
//! and a null `value` stands beside a `reason`. What differs between equal runs (paths, durations, the version, order of
//! arrival) stands under `run` and `arrival` alone, so that [`Report::make_reproducible`] need only drop those two.
//! Adding a key is no new version of the contract; renaming, removing or redefining one is.

mod feature;
mod measure;
mod run;
mod segment;
mod value;
mod window;

use serde::{Deserialize, Serialize};

pub use self::feature::{Cell, CompatMetric, Feature, Map, Way};
pub use self::measure::{Bounds, Direction, Measure, Metrics, On, ThresholdSource};
pub use self::run::{Paths, Run};
pub use self::segment::Segment;
use self::value::is_zero;
pub(crate) use self::value::{instant, moment};
pub use self::window::{Arrival, Reference, Window};
use super::verdict::Verdict;
use crate::time::Timestamp;

/// The name and version of this contract.
pub const SCHEMA: &str = "driftlead.report/1";

/// The result of one `driftlead check`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// The model.
    pub model: Model,
    /// What was compared with.
    pub baseline: Baseline,
    /// The worst of the windows.
    pub verdict: Verdict,
    /// Where the rows went that the windows do not show.
    pub input: Input,
    /// The windows: by name in the model file's order, then start, then the whole before its segments.
    pub windows: Vec<Window>,
    /// Stretches without rows that are too long to list window by window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// Columns that were not judged, by name.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// Features that could not be compared at all, by name.
    #[serde(default)]
    pub errors: Vec<Failed>,
    /// What belongs to this run alone; left out by `--reproducible`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
}

/// The model that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The baseline that was compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The hash of its state: equal baselines have equal ids wherever they were made.
    pub id: String,
    /// Its rows.
    pub rows: u64,
    /// Rows of its files that `where` left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub excluded_rows: u64,
    /// How many windows before each it is compared with, if not with these rows: they only make the cells then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving_windows: Option<u64>,
}

/// Every row of the data is in a window or in one of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Rows read.
    pub rows: u64,
    /// Rows that `where` left out: false or null.
    pub excluded_rows: u64,
    /// Rows outside `--since` and `--until`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub outside_rows: u64,
    /// Rows whose event time is null or unreadable.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub untimed_rows: u64,
    /// Records of text files that could not become a row; not among the rows read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bad_records: u64,
}

/// A stretch of more than 1,000 windows without rows (SEMANTICS S13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The windows' name.
    pub name: String,
    /// The start of the first.
    #[serde(with = "instant")]
    pub start: Timestamp,
    /// The end of the last.
    #[serde(with = "instant")]
    pub end: Timestamp,
    /// How many there are.
    pub windows: u64,
}

/// A column that was not judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The column.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// A feature that could not be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The column.
    pub name: String,
    /// What was expected and found.
    pub reason: String,
}

impl Report {
    /// Drops what differs between equal runs, so that equal inputs give equal bytes (SEMANTICS S23).
    pub fn make_reproducible(&mut self) {
        self.run = None;
        for window in &mut self.windows {
            window.arrival = None;
        }
    }

    /// The report as JSON in one line, without a line end.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Writing to a string fails only for maps with keys that are no strings; here are none.
        serde_json::to_string(self).expect("every key is a string")
    }
}
