//! The tables in a Log Analytics workspace: their columns, once for the records that fill them and for the templates that
//! make them.
//!
//! Names keep the rules of custom tables: a letter first, letters and digits, 45 at most, none of the reserved ones. A
//! time that is older than two days is replaced on arrival, so `TimeGenerated` is when a thing was decided; event time
//! stands in columns of its own.

/// What a column holds: a type of data collection rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// RFC 3339, in UTC.
    DateTime,
    /// Text.
    String,
    /// A whole number of 64 bits.
    Long,
    /// A finite number.
    Real,
    /// True or false.
    Boolean,
    /// JSON.
    Dynamic,
}

impl Type {
    /// The word for it in a data collection rule and in a table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DateTime => "datetime",
            Self::String => "string",
            Self::Long => "long",
            Self::Real => "real",
            Self::Boolean => "boolean",
            Self::Dynamic => "dynamic",
        }
    }
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Type,
    /// What it means.
    pub about: &'static str,
}

/// A table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// What a sink calls it: `verdicts`.
    pub key: &'static str,
    /// Its stream, unless the settings name another; the table's name is the part behind `Custom-`, with `_CL`.
    pub stream: &'static str,
    /// Its columns, in order.
    pub columns: &'static [Column],
}

const fn column(name: &'static str, kind: Type, about: &'static str) -> Column {
    Column { name, kind, about }
}

const TIME: Column = column("TimeGenerated", Type::DateTime, "When it was decided");
const EVENT: Column = column("EventId", Type::String, "The same in every copy of this record");
const MODEL: Column = column("Model", Type::String, "The model's name");
const VERSION: Column = column("ModelVersion", Type::String, "The model's version");
const WINDOW: Column = column("WindowName", Type::String, "The windows' name in the model file");
const START: Column = column("WindowStart", Type::DateTime, "The window's first moment, in event time");
const END: Column = column("WindowEnd", Type::DateTime, "The first moment after the window");
const SEGMENT: Column = column("Segment", Type::String, "The segment as JSON; empty for the whole");
const VERDICT_ID: Column = column("VerdictId", Type::String, "The window's id");
const REVISION: Column = column("Revision", Type::Long, "0 at first; each correction is one more");

/// A record for each window that closed or was corrected.
pub const VERDICTS: Table = Table {
    key: "verdicts",
    stream: "Custom-DriftleadVerdicts",
    columns: &[
        TIME,
        EVENT,
        VERDICT_ID,
        REVISION,
        MODEL,
        VERSION,
        WINDOW,
        START,
        END,
        SEGMENT,
        column("Rows", Type::Long, "The window's rows"),
        column("LateRows", Type::Long, "Rows that came too late to count"),
        column("IsFinal", Type::Boolean, "Whether no correction can follow"),
        column("IsPartial", Type::Boolean, "Whether the window is not covered whole"),
        column("Verdict", Type::String, "`ok`, `info`, `warn`, `drift`, `insufficient` or `error`"),
        column("Features", Type::Dynamic, "The features that warn or drift, the largest share first"),
    ],
};

/// A record for each metric of each feature of such a window.
pub const METRICS: Table = Table {
    key: "metrics",
    stream: "Custom-DriftleadMetrics",
    columns: &[
        TIME,
        EVENT,
        VERDICT_ID,
        REVISION,
        MODEL,
        VERSION,
        WINDOW,
        START,
        END,
        SEGMENT,
        column("IsFinal", Type::Boolean, "Whether no correction can follow"),
        column("Feature", Type::String, "The feature; empty for a metric of the window as a whole"),
        column("Kind", Type::String, "`numeric` or `categorical`; empty for the window as a whole"),
        column("Metric", Type::String, "The metric: `psi`, `ks` …"),
        column("Value", Type::Real, "Its value; null if it cannot be computed"),
        column("Corrected", Type::Real, "The value less what sampling alone adds"),
        column("PValue", Type::Real, "The probability of such a value without any drift"),
        column("PEffect", Type::Real, "The same under the smallest drift that matters"),
        column("QValue", Type::Real, "The feature's p after Benjamini-Hochberg"),
        column("TargetRows", Type::Long, "The window's rows that entered"),
        column("BaselineRows", Type::Long, "The baseline's rows that entered"),
        column("Warn", Type::Real, "The bound of `warn`"),
        column("Drift", Type::Real, "The bound of `drift`"),
        column("ThresholdSource", Type::String, "`default` or `model`; empty if it is not judged"),
        column("Direction", Type::String, "`up` or `down`; empty if unknown"),
        column("Verdict", Type::String, "What is said of it; empty if it is not judged"),
        column("Share", Type::Real, "The feature's share in the window's drift"),
    ],
};

/// A record for each state of an alert.
pub const ALERTS: Table = Table {
    key: "alerts",
    stream: "Custom-DriftleadAlerts",
    columns: &[
        TIME,
        EVENT,
        column("AlertId", Type::String, "The alert's id, the same from its opening to its end"),
        REVISION,
        MODEL,
        VERSION,
        WINDOW,
        SEGMENT,
        column("Status", Type::String, "`open`, `update` or `resolved`"),
        column("Severity", Type::String, "`critical` or `major`"),
        column("Reason", Type::String, "Why it was resolved; empty before"),
        column("FirstWindowStart", Type::DateTime, "The earliest drifting window among those that opened it"),
        column("FirstWindowEnd", Type::DateTime, "Its end"),
        column("LastWindowStart", Type::DateTime, "The window that brought this state"),
        column("LastWindowEnd", Type::DateTime, "Its end"),
        VERDICT_ID,
        column("Causes", Type::Dynamic, "What moved: feature, metric, value, threshold, share and top cells"),
        column("Segments", Type::Dynamic, "Segments that drift too and are part of this alert"),
    ],
};

/// All tables.
pub const ALL: [&Table; 3] = [&VERDICTS, &METRICS, &ALERTS];

impl Table {
    /// The table in the workspace.
    #[must_use]
    pub fn name(&self) -> String {
        table_of(self.stream)
    }
}

/// The table that a stream fills by the templates.
#[must_use]
pub fn table_of(stream: &str) -> String {
    format!("{}_CL", stream.strip_prefix("Custom-").unwrap_or(stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_the_rules_of_custom_tables() {
        const RESERVED: [&str; 7] =
            ["_ResourceId", "id", "_SubscriptionId", "TenantId", "Type", "UniqueId", "Title"];
        for table in ALL {
            assert_eq!(table.columns[0].name, "TimeGenerated", "{}", table.key);
            for column in table.columns {
                let name = column.name;
                assert!(name.len() <= 45 && name.starts_with(|c: char| c.is_ascii_alphabetic()), "{name}");
                assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
                assert!(!RESERVED.iter().any(|own| own.eq_ignore_ascii_case(name)), "{name}");
                assert_eq!(table.columns.iter().filter(|own| own.name == name).count(), 1, "{name}");
            }
        }
        assert_eq!(ALERTS.name(), "DriftleadAlerts_CL");
    }
}
