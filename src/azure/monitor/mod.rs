//! A monitor of Azure ML as a beginning for driftlead: the YAML of its schedule, read, and written again as model files.
//!
//! The grammar is that of `azure-ai-ml` (the schemas of `MonitorSchedule`), with what older examples wrote in place of it.
//! What the file says and a model file cannot is never dropped: it becomes a [`Note`] with its line, which stands in the
//! model file and is said to whoever runs the command. What is wrong in the file itself is a [`Problem`], and nothing is
//! written.
//!
//! [`Problem`]: crate::config::Problem

mod draft;
mod name;
mod period;
mod read;
mod rules;
mod signal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use driftlead_engine::Kind;

pub use self::draft::{Draft, Rows, drafts};
pub use self::name::Metric;
pub use self::read::{is_monitor, read};

use crate::config::Duration;

/// Something that is not carried over, or not quite, and where the monitor says it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The line of the monitor's file, from 1.
    pub line: u64,
    /// What, and what to do: a lowercase fragment.
    pub text: String,
}

/// A monitor as its file says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Monitor {
    /// Its name; `monitor` if it has none.
    pub name: String,
    /// When it runs.
    pub trigger: Trigger,
    /// The deployment that it watches, as `ENDPOINT:DEPLOYMENT`.
    pub deployment: Option<String>,
    /// The signals that can be carried over, in the file's order.
    pub signals: Vec<Signal>,
    /// Who is told, and on which line it says so; `None` if nobody is.
    pub alert: Option<(u64, String)>,
    /// What cannot be carried over and belongs to no signal.
    pub notes: Vec<Note>,
}

/// When a monitor runs, as far as it has a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trigger {
    /// From one run to the next; `None` if that has no one length.
    pub every: Option<Duration>,
    /// How long after a multiple of `every` since 1970 (of weeks: since a Monday) it runs.
    pub offset: Duration,
    /// The window that production data have if the monitor does not say.
    pub window: Duration,
}

/// What a signal looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalKind {
    /// `data_drift`
    DataDrift,
    /// `prediction_drift`
    PredictionDrift,
    /// `data_quality`
    DataQuality,
}

/// A signal that can be carried over.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// Its name.
    pub name: String,
    /// The line of its name.
    pub line: u64,
    /// What it looks at.
    pub kind: SignalKind,
    /// The features named; `None` for all.
    pub features: Option<Vec<String>>,
    /// The kinds that the monitor gives to features.
    pub kinds: BTreeMap<String, Kind>,
    /// The column whose values are looked at apart.
    pub segment: Option<String>,
    /// The thresholds, in the file's order; none if the monitor has its defaults.
    pub thresholds: Vec<Threshold>,
    /// What is judged.
    pub production: Data,
    /// What it is compared with; `None` for the production data before.
    pub reference: Option<Data>,
    /// What of it cannot be carried over.
    pub notes: Vec<Note>,
}

/// A bound on a metric of the features of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The line.
    pub line: u64,
    /// Which features.
    pub kind: Kind,
    /// The metric.
    pub metric: Metric,
    /// The bound.
    pub bound: f64,
}

/// Data of a signal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// The line on which it begins; 0 if the file does not say it.
    pub line: u64,
    /// Where it lies, as the monitor says it.
    pub path: Option<String>,
    /// `model_inputs`, `model_outputs`, `training` ...
    pub context: Option<String>,
    /// How much of it is looked at, if that moves with the runs.
    pub window: Option<Duration>,
    /// How long before the run it ends.
    pub offset: Option<Duration>,
    /// From when to when, if that is fixed; either may be open.
    pub fixed: Option<(Option<String>, Option<String>)>,
    /// The column that the model predicts.
    pub target: Option<String>,
}
