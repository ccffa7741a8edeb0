//! What a model file means, for a person: `driftlead validate`.
//!
//! Every line is a setting as it will be used. What the file leaves unsaid is marked, so that nobody has to know the
//! defaults to know what will happen.

use std::fmt::Write as _;

use driftlead_engine::policy::{Gate, On, Rule, default};

use super::{Config, Window};

const DEFAULT: &str = "  (default)";

/// The resolved settings, a line each.
#[must_use]
pub fn text(config: &Config) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: &str, is_default: bool| {
        let mark = if is_default { DEFAULT } else { "" };
        let _ = writeln!(out, "{name:<11} {value}{mark}");
    };
    line("model", &config.model, false);
    line("version", &config.version, config.version == "unversioned");
    match &config.baseline {
        Some(baseline) => {
            line("baseline", &baseline.paths.join(", "), false);
            if let Some(filter) = &baseline.filter {
                line("", &format!("where {filter}"), false);
            }
            if let Some(moving) = baseline.moving {
                let which = match moving.windows() {
                    1 => "window".to_owned(),
                    several => format!("{several} windows"),
                };
                line(
                    "",
                    &format!("makes the cells; each window is compared with the {which} before it"),
                    false,
                );
            }
        }
        None => line("baseline", "none: `check` needs `--baseline`", true),
    }
    match config.data.as_slice() {
        [] => line("data", "as named on the command line", true),
        data => line("data", &data.join(", "), false),
    }
    if let Some(source) = &config.source {
        line("source", source, false);
    }
    line("time", config.time.as_deref().unwrap_or("none: no windows over time"), config.time.is_none());
    if let Some(id) = &config.id {
        line("id", &format!("{id}: three of each cluster of an embedding are kept"), false);
    }
    for window in &config.windows {
        line("window", &describe_window(window), *window == Window::whole());
    }
    match config.segments.as_slice() {
        [] => line("segments", "none: only the whole is judged", true),
        splits => {
            for split in splits {
                line("segments", &format!("by {}, and the whole", split.join(" x ")), false);
            }
        }
    }
    line("where", config.filter.as_deref().unwrap_or("every row"), config.filter.is_none());
    for (name, sql) in &config.derive {
        line("derive", &format!("{name} = {sql}"), false);
    }
    features(config, &mut line);
    if config.rules.is_empty() {
        let policy = format!(
            "the default policy: significant, and psi from {} (warn) or {} (drift), or ks from {} or {}",
            default::PSI_WARN,
            default::PSI_DRIFT,
            default::KS_WARN,
            default::KS_DRIFT
        );
        line("thresholds", &policy, true);
    }
    for rule in &config.rules {
        line("threshold", &describe_rule(&rule.rule), false);
    }
    for window in &config.windows {
        let quorum = config.alert.quorum(window);
        let calm = config.alert.resolve_after(window);
        let value = format!(
            "{}: opens when {quorum} windows drift, resolves after {calm} calm, cooldown {}",
            window.name, config.alert.cooldown
        );
        line("alert", &value, config.alert == super::Alert::default());
    }
    if !config.sinks.is_empty() {
        line("sinks", &config.sinks.join(", "), false);
    }
    if !config.azure.is_empty() {
        let (resources, rules) = (config.azure.resources.len(), config.azure.rules.len());
        line("azure", &format!("alerts of Azure on {resources} resources or of {rules} rules"), false);
    }
    if !config.compat.is_empty() {
        let tools: Vec<_> = config.compat.iter().map(|tool| tool.name()).collect();
        line("compat", &tools.join(", "), false);
    }
    out
}

fn features(config: &Config, line: &mut impl FnMut(&str, &str, bool)) {
    let features = &config.features;
    for feature in &features.declared {
        let mut value =
            format!("{}: {}", feature.name, feature.kind.map_or("inferred kind", |kind| kind.name()));
        if let Some(logical_type) = &feature.logical_type {
            let _ = write!(value, ", type {logical_type}");
        }
        if let Some(dim) = feature.dim {
            let _ = write!(value, ", dim {dim}");
        }
        if feature.mmd {
            value.push_str(", with mmd");
        }
        if !feature.edges.is_empty() {
            let edges: Vec<_> = feature.edges.iter().map(f64::to_string).collect();
            let _ = write!(value, ", edges {}", edges.join(" "));
        }
        line("feature", &value, false);
    }
    if features.others {
        let what = if features.declared.is_empty() { "every column" } else { "every other column" };
        line("features", &format!("{what}, with inferred kinds"), features.declared.is_empty());
    }
    if !features.exclude.is_empty() {
        line("exclude", &features.exclude.join(", "), false);
    }
}

/// A window in words.
pub(super) fn describe_window(window: &Window) -> String {
    let mut value = format!("{}: ", window.name);
    match (window.cut, window.rows) {
        (Some(cut), _) => {
            let _ = write!(value, "{} long, every {}", cut.length, cut.every);
            if !cut.offset.is_zero() {
                let _ = write!(value, ", offset {}", cut.offset);
            }
        }
        (None, Some(rows)) => {
            let _ = write!(value, "{rows} rows, in their order");
        }
        (None, None) => value.push_str("all rows at once"),
    }
    let _ = write!(value, ", at least {} rows", window.min_rows);
    if window.cut.is_some() {
        let _ = write!(
            value,
            "; lateness {}, out of order {}, idle {}, future {}",
            window.lateness, window.out_of_orderness, window.idle, window.future
        );
    }
    value
}

fn describe_rule(rule: &Rule) -> String {
    let mut value = rule.metric().to_string();
    if rule.on() != On::Value {
        let _ = write!(value, " ({})", rule.on());
    }
    let (above, below) = (rule.above(), rule.below());
    for (name, above, below) in [("warn", above.warn, below.warn), ("drift", above.drift, below.drift)] {
        if let Some(bound) = above {
            let _ = write!(value, ", {name} above {bound}");
        }
        if let Some(bound) = below {
            let _ = write!(value, ", {name} below {bound}");
        }
    }
    if let Some(features) = rule.features() {
        let features: Vec<&str> = features.iter().map(String::as_str).collect();
        let _ = write!(value, ", for {}", features.join(", "));
    }
    if let Some(segments) = rule.segments() {
        let segments: Vec<&str> =
            segments.iter().map(|text| text.as_deref().unwrap_or("the whole")).collect();
        let _ = write!(value, ", in {}", segments.join(", "));
    }
    match rule.gate() {
        Gate::SmallWindows => {
            let _ = write!(value, ", if significant or from {} rows", default::GATED_ROWS);
        }
        Gate::None => value.push_str(", even if not significant"),
        Gate::Significance => value.push_str(", if significant"),
    }
    value
}
