//! The public contract `driftlead.event/1`: what sinks receive, one JSON object a message.
//!
//! A verdict carries its window exactly as `driftlead.report/1` has it, and so does a gap, which stands for more than 1,000
//! windows without rows in a row (SEMANTICS S13); an alert carries what a person on call asks first: since when, how bad,
//! what moved and by how much; a diagnostic is what the service says of itself. Adding a key or a type is no new version;
//! renaming or removing one is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::report::wire::{self as report, Cell, Model, Segment, Way, Window, instant, moment};
use crate::time::Timestamp;

/// The name and version of this contract.
pub const SCHEMA: &str = "driftlead.event/1";

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// [`SCHEMA`].
    pub schema: String,
    /// Which of the four it is, with what belongs to it.
    #[serde(flatten)]
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Body {
    /// A window closed, or was corrected.
    Verdict(Verdict),
    /// Many windows without rows closed at once.
    Gap(Gap),
    /// An alert opened, changed or was resolved.
    Alert(Alert),
    /// Something happened to the service itself.
    Diagnostic(Diagnostic),
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

/// A stretch of windows without rows, in place of a verdict on each; it says nothing new of the series later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// A stable id: of the model, its version, the windows' name, and the stretch.
    pub id: String,
    /// Always 0: what is a gap is final.
    pub revision: u64,
    /// When it was decided.
    #[serde(with = "instant")]
    pub time: Timestamp,
    /// The model.
    pub model: Model,
    /// The stretch.
    pub gap: report::Gap,
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
    /// Why it was resolved: `calm`, `amended`, `superseded`, `folded` or `removed`.
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

/// A stretch of event time; nothing where rows have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// Its first moment.
    #[serde(with = "moment")]
    pub start: Option<Timestamp>,
    /// The first moment after it; of a window of rows the last that it saw.
    #[serde(with = "moment")]
    pub end: Option<Timestamp>,
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
    /// The ways in which an embedding's vectors moved, the surest part first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directions: Vec<Way>,
}

/// What the service says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Its id; the end of a trouble has that of its beginning.
    pub id: String,
    /// 0, and 1 for the end of a trouble.
    pub revision: u64,
    /// When it happened; of a status, the five minutes that it is for.
    #[serde(with = "instant")]
    pub time: Timestamp,
    /// Who would want to know.
    pub category: Category,
    /// What happened.
    pub operation: Operation,
    /// How bad it is.
    pub level: Level,
    /// Which service says it: the machine's name.
    pub instance: String,
    /// What it is about: the id of an alert or a silence, the name of a source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// A sentence for a person.
    pub message: String,
    /// What belongs to it: text, numbers and truth.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, serde_json::Value>,
}

/// Who would want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Who keeps account: a person changed something.
    Audit,
    /// Who runs the service.
    Service,
}

impl Category {
    /// The word for it in messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Service => "service",
        }
    }
}

/// What happened to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// It has started.
    Started,
    /// It ends, with everything committed.
    Stopped,
    /// It ends, because it cannot go on.
    Failed,
    /// It took new settings.
    Reloaded,
    /// Somebody has seen an alert.
    Acknowledged,
    /// Somebody keeps alerts back, or lets them go again.
    Silenced,
    /// A source has trouble.
    SourceTrouble,
    /// A source is read again.
    SourceRecovered,
    /// How it is, every five minutes.
    Status,
}

impl Operation {
    /// The word for it in messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Reloaded => "reloaded",
            Self::Acknowledged => "acknowledged",
            Self::Silenced => "silenced",
            Self::SourceTrouble => "source_trouble",
            Self::SourceRecovered => "source_recovered",
            Self::Status => "status",
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Info,
    /// It goes on, and somebody should look.
    Warning,
    /// It does not go on.
    Error,
}

impl Level {
    /// The word for it in messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}
