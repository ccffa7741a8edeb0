//! The queries: over the tables of [`table`](crate::azure::table), in the Kusto Query Language.
//!
//! Records arrive at least once, and a window that late rows change is told again with the next revision. So each query
//! first takes the newest record of each window or alert, `arg_max(Revision, *)`: of copies one, of corrections the last,
//! which is the final one as soon as there is one.

use driftlead_engine::Metric;
use driftlead_engine::policy::On;

use crate::azure::table::{ALERTS, METRICS, VERDICTS};

/// A text as the language writes it.
#[must_use]
pub fn text(own: &str) -> String {
    let mut out = String::from("\"");
    for c in own.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `Column in ("a", "b")`; `==` for a single one.
fn among<'a>(column: &str, all: impl IntoIterator<Item = &'a str>, is_in: bool) -> String {
    let all: Vec<String> = all.into_iter().map(text).collect();
    match (all.as_slice(), is_in) {
        ([only], true) => format!("{column} == {only}"),
        ([only], false) => format!("{column} != {only}"),
        (several, true) => format!("{column} in ({})", several.join(", ")),
        (several, false) => format!("{column} !in ({})", several.join(", ")),
    }
}

/// Windows that drift, of the whole. What the end of the data cuts never alerts (SEMANTICS S13).
pub(super) fn drifting_windows(model: &str, window: &str) -> String {
    format!(
        "{}\n| where Model == {} and WindowName == {} and Segment == \"\"\n\
         | summarize arg_max(Revision, *) by VerdictId\n\
         | where Verdict == \"drift\" and not(IsPartial)\n\
         | project TimeGenerated, VerdictId, Revision, IsFinal, ModelVersion, WindowStart, WindowEnd, Rows, Features",
        VERDICTS.name(),
        text(model),
        text(window),
    )
}

/// Alerts that are open.
pub(super) fn open_alerts(model: &str, windows: &[String]) -> String {
    format!(
        "{}\n| where Model == {} and {}\n\
         | summarize arg_max(Revision, *) by AlertId\n\
         | where Status != \"resolved\"\n\
         | project TimeGenerated, AlertId, Status, Severity, ModelVersion, WindowName, Segment, FirstWindowStart, \
         LastWindowEnd, Causes",
        ALERTS.name(),
        text(model),
        among("WindowName", windows.iter().map(String::as_str), true),
    )
}

/// How many verdicts there are, where there are none.
pub(super) fn silence(model: &str) -> String {
    format!(
        "{}\n| where Model == {}\n| summarize Verdicts = count()\n| where Verdicts == 0",
        VERDICTS.name(),
        text(model),
    )
}

/// Which features a rule on a metric is about.
pub(super) enum Of<'a> {
    /// The window as a whole.
    Window,
    /// All but these.
    AllBut(Vec<&'a str>),
    /// These.
    Only(Vec<&'a str>),
}

/// What a rule on a metric compares, where it was found beyond its bound.
pub(super) struct Beyond<'a> {
    pub(super) model: &'a str,
    pub(super) metric: Metric,
    pub(super) on: On,
    pub(super) of: Of<'a>,
    /// Segments by their text; empty for the whole. `None` for any.
    pub(super) segments: Option<Vec<&'a str>>,
    /// Whether only drift counts, or what warns too.
    pub(super) only_drift: bool,
}

impl Beyond<'_> {
    /// The query. The verdict in the record says whether the change was significant too where that is asked for
    /// (SEMANTICS S11).
    pub(super) fn query(&self) -> String {
        let features = match &self.of {
            Of::Window => "Feature == \"\"".to_owned(),
            Of::AllBut(none) if none.is_empty() => "Feature != \"\"".to_owned(),
            Of::AllBut(some) => among("Feature", std::iter::once("").chain(some.iter().copied()), false),
            Of::Only(some) => among("Feature", some.iter().copied(), true),
        };
        let segments = self
            .segments
            .as_ref()
            .map(|all| format!(" and {}", among("Segment", all.iter().copied(), true)))
            .unwrap_or_default();
        let verdicts: &[&str] = if self.only_drift { &["drift"] } else { &["warn", "drift"] };
        let observed = match self.on {
            On::Value if self.metric.is_signed() => "abs(Value)",
            On::Value => "Value",
            On::Corrected => "Corrected",
            On::PValue => "PValue",
        };
        format!(
            "{}\n| where Model == {} and Metric == {} and {features}{segments}\n\
             | summarize arg_max(Revision, *) by VerdictId, Feature\n\
             | where {}\n\
             | extend Observed = {observed}\n\
             | where isnotnull(Observed)\n\
             | project TimeGenerated, VerdictId, WindowName, WindowEnd, Segment, Feature, Observed",
            METRICS.name(),
            text(self.model),
            text(self.metric.name()),
            among("Verdict", verdicts.iter().copied(), true),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(text("a\"b\\\n\u{1}"), "\"a\\\"b\\\\\\n\\u0001\"");
        assert_eq!(among("F", ["a"], true), "F == \"a\"");
        assert_eq!(among("F", ["", "a"], false), "F !in (\"\", \"a\")");
    }
}
