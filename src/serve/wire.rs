//! The public contract `driftlead.event/1`: what sinks receive, one JSON object a message.
//!
//! A verdict carries its window exactly as `driftlead.report/1` has it; an alert carries what a person on call asks first:
//! since when, how bad, what moved and by how much. Adding a key is no new version; renaming or removing one is.

use serde::{Deserialize, Serialize};

use crate::report::wire::{Cell, Model, Segment, Window, instant, moment};
use crate::time::Timestamp;

/// The name and version of this contract.
pub const SCHEMA: &str = "driftlead.event/1";

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// [`SCHEMA`].
    pub schema: String,
    /// Which of the two it is, with what belongs to it.
    #[serde(flatten)]
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Body {
    /// A window closed, or was corrected.
    Verdict(Verdict),
    /// An alert opened, changed or was resolved.
    Alert(Alert),
}

/// A verdict on one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The window's id.
    pub id: String,
    /// 0 at first; each correction is one more.
    pub revision: u64,
    /// When it was decided.
    #[serde(with = "instant")]
    pub time: Timestamp,
    /// The model.
    pub model: Model,
    /// The window.
    pub window: Window,
}

/// One state of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// A stable id, the same from the opening to the end.
    pub id: String,
    /// 0 when it opens; each message is one more.
    pub revision: u64,
    /// When it was decided.
    #[serde(with = "instant")]
    pub time: Timestamp,
    /// When its opening was decided; `None` if an older version opened it.
    #[serde(default, with = "moment", skip_serializing_if = "Option::is_none")]
    pub opened: Option<Timestamp>,
    /// The model.
    pub model: Model,
    /// What has become of it.
    pub status: Status,
    /// How bad it is.
    pub severity: String,
    /// The name of the windows.
    pub window: String,
    /// The segment; null for the whole.
    pub segment: Option<Segment>,
    /// The earliest drifting window of those that opened it.
    pub first_window: Period,
    /// The window that brought this message.
    pub last_window: WindowRef,
    /// Why it was resolved: `calm`, `amended`, `superseded` or `folded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What moved, the largest share first.
    pub causes: Vec<Cause>,
    /// Segments that drift too and are part of this alert.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<Segment>,
}

/// What has become of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is new.
    Open,
    /// It goes on, and something about it changed.
    Update,
    /// It is over.
    Resolved,
}

impl Status {
    /// The word for it in messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Update => "update",
            Self::Resolved => "resolved",
        }
    }
}

/// A stretch of event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// Its first moment.
    #[serde(with = "instant")]
    pub start: Timestamp,
    /// The first moment after it.
    #[serde(with = "instant")]
    pub end: Timestamp,
}

/// A window, by id and time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowRef {
    /// The verdict's id.
    pub id: String,
    /// When it begins and ends.
    #[serde(flatten)]
    pub period: Period,
}

/// A feature that drifts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// The column.
    pub feature: String,
    /// The metric whose bound was passed.
    pub metric: String,
    /// Its value, or whichever number the bound was held against.
    pub value: Option<f64>,
    /// The bound.
    pub threshold: Option<f64>,
    /// The feature's share in the window's drift, from 0 to 1.
    pub share: Option<f64>,
    /// The cells that moved most.
    pub top: Vec<Cell>,
}
