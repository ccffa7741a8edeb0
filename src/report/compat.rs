//! The metrics of other tools beside ours, as rows of a table: one a metric, so that names may be as long as the tools have
//! them.

use driftlead_engine::compat::{Tool, vectors};
use driftlead_engine::{Metric, metric};

use super::format::{NONE, clean, probability, value};
use super::wire::{CompatMetric, Feature, Window};

/// One metric of one feature, as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// By the tool's own name.
    pub(super) metric: String,
    /// The tool's number, or a dash.
    pub(super) theirs: String,
    /// Our number of the same metric: our p-value where theirs is one.
    pub(super) ours: String,
    /// What the tool would say, or why it says nothing.
    pub(super) says: String,
    /// Whether the tool would call it drift.
    pub(super) is_drift: bool,
}

/// The tools that have something to say about a window, in the order of their first metric.
pub(super) fn tools(window: &Window) -> Vec<&str> {
    let mut tools: Vec<&str> = Vec::new();
    for own in window.features.iter().flat_map(|feature| &feature.compat) {
        if !tools.contains(&own.tool.as_str()) {
            tools.push(&own.tool);
        }
    }
    tools
}

/// The rows of one tool for a feature.
pub(super) fn rows(feature: &Feature, tool: &str) -> Vec<Row> {
    let own = feature.compat.iter().filter(|own| own.tool == tool);
    own.map(|own| {
        let is_p = own.value.is_some() && own.value == own.p_value;
        let shown = if is_p { probability } else { value };
        let ours = counterpart(own).and_then(|metric| feature.metrics.of(metric));
        let ours = ours.and_then(|ours| if is_p { ours.p_value } else { ours.value });
        let says = match (own.drift, &own.reason) {
            (_, Some(reason)) => clean(reason),
            (Some(true), None) => "drift".to_owned(),
            (Some(false), None) => "no drift".to_owned(),
            (None, None) => String::new(),
        };
        let chosen = if own.chosen { " (its choice)" } else { "" };
        Row {
            metric: format!("{}{chosen}", clean(&own.metric)),
            theirs: own.value.map_or_else(|| NONE.to_owned(), |x| shown(Some(x))),
            ours: ours.map_or_else(|| NONE.to_owned(), |x| shown(Some(x))),
            says,
            is_drift: own.drift == Some(true),
        }
    })
    .collect()
}

/// Whether the tool by itself would call the feature drifted: by the metric of its choice, if it has one, else by any.
pub(super) fn calls_drift(feature: &Feature, tool: &str) -> bool {
    let own = || feature.compat.iter().filter(|own| own.tool == tool);
    let chooses = own().any(|own| own.chosen);
    own().any(|own| own.drift == Some(true) && (own.chosen || !chooses))
}

/// Our metric of the same name.
fn counterpart(own: &CompatMetric) -> Option<Metric> {
    let tool = Tool::parse(&own.tool)?;
    let named = metric::ALL.into_iter().find(|metric| tool.metric_name(*metric) == Some(own.metric.as_str()));
    named.or_else(|| vectors::counterpart(&own.metric).filter(|_| tool == Tool::Evidently))
}
