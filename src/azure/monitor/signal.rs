//! A signal of a monitor, read: its data, its features, its thresholds.

use std::collections::BTreeMap;

use driftlead_engine::Kind;
use driftlead_engine::policy::{self, Bounds, RuleSpec};

use super::name::{self, Metric, plain};
use super::read::{Reader, child, items};
use super::{Data, Signal, SignalKind, Threshold};
use crate::config::Place;
use crate::config::node::{Node, Value};
use crate::config::problem::{quote, suggest};

/// The signals that Azure ML takes if a monitor names none.
pub(super) fn by_default(line: u64) -> Vec<Signal> {
    let signal = |name: &str, kind| Signal {
        name: name.to_owned(),
        line,
        kind,
        features: None,
        kinds: BTreeMap::new(),
        segment: None,
        thresholds: Vec::new(),
        production: Data::default(),
        reference: None,
        notes: Vec::new(),
    };
    vec![
        signal("data-drift-signal", SignalKind::DataDrift),
        signal("prediction-drift-signal", SignalKind::PredictionDrift),
        signal("data-quality-signal", SignalKind::DataQuality),
    ]
}

/// Reads one signal; `None` if it cannot be carried over, which is noted, or is wrong.
pub(super) fn read(name: &str, place: Place, node: &Node, reader: &mut Reader) -> Option<Signal> {
    if !matches!(node.value, Value::Map(_)) {
        reader.refuse(node.place, format!("the signal `{name}` is {}: expected a mapping", node.describe()));
        return None;
    }
    let Some(word) = reader.text(node, &["type"]) else {
        if node.child("type").is_none_or(|node| node.value == Value::Null) {
            let types = quote(&name::signals());
            reader.refuse(place, format!("the signal `{name}` has no `type`: expected one of {types}"));
        }
        return None;
    };
    let kind = match name::signal(&word) {
        Some(Ok(kind)) => kind,
        Some(Err(why)) => {
            reader.note(place, format!("the signal `{name}` ({word}) is left out with all it says: {why}"));
            return None;
        }
        None => {
            let at = child(node, &["type"]).map_or(place, |node| node.place);
            reader.refuse(at, format!("`{word}` is no type of signal: {}", suggest(&word, name::signals())));
            return None;
        }
    };
    reader.keys(
        node,
        &format!("the signal `{name}`"),
        &[
            "production_data",
            "reference_data",
            "features",
            "metric_thresholds",
            "feature_type_override",
            "data_segment",
        ],
        &["type", "alert_enabled", "properties", "target_dataset", "baseline_dataset", "model_type"],
    );
    if child(node, &["alert_enabled"]).is_some_and(|node| node.value == Value::Bool(false)) {
        let at = child(node, &["alert_enabled"]).map_or(place, |node| node.place);
        reader.note(
            at,
            "`alert_enabled: false`: a model file has no such switch; leave out `sinks`, and nobody is told",
        );
    }
    let kinds = kinds(node, reader);
    let features = features(node, reader);
    let thresholds = thresholds(node, kind, name, place, reader);
    Some(Signal {
        name: name.to_owned(),
        line: place.line,
        kind,
        features,
        kinds,
        segment: segment(node, reader),
        thresholds,
        production: data(node, &["production_data", "target_dataset"], reader).unwrap_or_default(),
        reference: data(node, &["reference_data", "baseline_dataset"], reader),
        notes: Vec::new(),
    })
}

fn kinds(node: &Node, reader: &mut Reader) -> BTreeMap<String, Kind> {
    let Some(node) = reader.map(node, &["feature_type_override"]) else { return BTreeMap::new() };
    let mut kinds = BTreeMap::new();
    for (key, value) in node.entries() {
        match value.text().and_then(|word| name::kind(&word)) {
            Some(kind) => drop(kinds.insert(key.name.clone(), kind)),
            None => reader.refuse(
                value.place,
                format!(
                    "{} is no kind of `{}`: expected `numerical` or `categorical`",
                    value.describe(),
                    key.name
                ),
            ),
        }
    }
    kinds
}

fn features(node: &Node, reader: &mut Reader) -> Option<Vec<String>> {
    let node = child(node, &["features"])?;
    match &node.value {
        Value::List(items) => {
            let names: Vec<String> = items.iter().filter_map(Node::text).collect();
            if names.len() < items.len() || names.is_empty() {
                reader.refuse(node.place, "`features` is no list of names: expected the names of columns");
            }
            Some(names)
        }
        Value::Map(_) => {
            reader.keys(node, "`features`", &["top_n_feature_importance"], &[]);
            if let Some(top) = child(node, &["top_n_feature_importance"]) {
                let n = top.text().unwrap_or_default();
                if n.parse::<u32>().is_ok_and(|n| n > 0) {
                    reader.note(
                        top.place,
                        format!(
                            "`top_n_feature_importance: {n}`: importances are not computed, so every column is judged; \
                             name those that matter under `features`"
                        ),
                    );
                } else {
                    reader.refuse(
                        top.place,
                        format!(
                            "`top_n_feature_importance` is {}: expected a whole number of 1 or more",
                            top.describe()
                        ),
                    );
                }
            }
            None
        }
        _ => {
            let word = node.text().unwrap_or_default();
            if !["allfeatures", "all"].contains(&plain(&word).as_str()) {
                reader.refuse(
                    node.place,
                    format!(
                        "`features` is {}: expected a list of columns, `all_features`, or `top_n_feature_importance`",
                        node.describe()
                    ),
                );
            }
            None
        }
    }
}

fn segment(node: &Node, reader: &mut Reader) -> Option<String> {
    let node = reader.map(node, &["data_segment"])?;
    reader.keys(node, "`data_segment`", &["feature_name", "feature_values"], &[]);
    let name = reader.text(node, &["feature_name"])?;
    if let Some(values) = child(node, &["feature_values"]) {
        let values: Vec<String> = items(values).iter().filter_map(Node::text).collect();
        reader.note(
            node.place,
            format!(
                "`data_segment`: every value of `{name}` is judged apart, and the whole, not {} alone",
                quote(&values.iter().map(String::as_str).collect::<Vec<_>>())
            ),
        );
    }
    Some(name)
}

/// Production or reference data, also as older files spell them.
fn data(signal: &Node, keys: &[&str], reader: &mut Reader) -> Option<Data> {
    let node = reader.map(signal, keys)?;
    let node = match child(node, &["dataset"]) {
        Some(_) => {
            reader.keys(node, &format!("`{}`", keys[1]), &["dataset"], &[]);
            reader.map(node, &["dataset"])?
        }
        None => node,
    };
    let what = format!("`{}`", keys[0]);
    reader.keys(
        node,
        &what,
        &[
            "input_data",
            "data_context",
            "data_window",
            "data_column_names",
            "pre_processing_component",
            "target_column_name",
        ],
        &["input_dataset", "dataset_context", "type", "data_window_size"],
    );
    let mut data = Data {
        line: node.place.line,
        context: reader.text(node, &["data_context", "dataset_context"]),
        target: reader.text(node, &["target_column_name"]),
        window: reader.duration(node, "data_window_size"),
        ..Data::default()
    };
    if let Some(input) = reader.map(node, &["input_data", "input_dataset"]) {
        reader.keys(input, "`input_data`", &["path", "type"], &["mode"]);
        data.path = reader.text(input, &["path"]);
        if let Some(path) = child(input, &["path"]) {
            data.line = path.place.line;
        }
    }
    if let Some(component) = child(node, &["pre_processing_component"]) {
        let name = component.text().unwrap_or_default();
        reader.note(
            component.place,
            format!("`pre_processing_component: {name}` is not run: name data that have gone through it"),
        );
    }
    if let Some(names) = reader.map(node, &["data_column_names"]) {
        for (key, value) in names.entries() {
            match (plain(&key.name).as_str(), value.text()) {
                ("targetcolumn" | "targetcolumnname", Some(column)) => data.target = Some(column),
                (_, column) => reader.note(
                    key.place,
                    format!(
                        "`{}: {}` is left out: no column has that role here",
                        key.name,
                        column.unwrap_or_default()
                    ),
                ),
            }
        }
    }
    if let Some(window) = reader.map(node, &["data_window"]) {
        reader.keys(
            window,
            "`data_window`",
            &["lookback_window_size", "lookback_window_offset", "window_start", "window_end"],
            &["trailing_window_size", "trailing_window_offset"],
        );
        for (size, offset) in [
            ("lookback_window_size", "lookback_window_offset"),
            ("trailing_window_size", "trailing_window_offset"),
        ] {
            data.window = reader.duration(window, size).or(data.window);
            data.offset = reader.duration(window, offset).or(data.offset);
        }
        let (start, end) = (reader.text(window, &["window_start"]), reader.text(window, &["window_end"]));
        data.fixed = (start.is_some() || end.is_some()).then_some((start, end));
    }
    Some(data)
}

fn thresholds(
    node: &Node,
    kind: SignalKind,
    name: &str,
    place: Place,
    reader: &mut Reader,
) -> Vec<Threshold> {
    let Some(node) = child(node, &["metric_thresholds"]) else {
        let defaults = match kind {
            SignalKind::DataQuality => "0.0 for every rate, so that one bad row fires",
            _ => "0.1 for `normalized_wasserstein_distance` and `jensen_shannon_distance`",
        };
        reader.note(
            place,
            format!(
                "`{name}` has no `metric_thresholds`: the SDK's are {defaults}; driftlead's own policy judges instead"
            ),
        );
        return Vec::new();
    };
    let mut list = Vec::new();
    match &node.value {
        Value::Map(_) => {
            reader.keys(node, "`metric_thresholds`", &["numerical", "categorical"], &[]);
            for (word, kind_of) in [("numerical", Kind::Numeric), ("categorical", Kind::Categorical)] {
                let Some(metrics) = reader.map(node, &[word]) else { continue };
                for (at, (key, value)) in metrics.entries().iter().enumerate() {
                    let Some(metric) = metric(&key.name, key.place, kind, kind_of, reader) else { continue };
                    let is_drift = kind != SignalKind::DataQuality;
                    if is_drift && at > 0 {
                        reader.note(
                            key.place,
                            format!(
                                "`{}`: the SDK sends only one metric of each kind to Azure; here each of them counts",
                                key.name
                            ),
                        );
                    }
                    list.extend(threshold(&key.name, metric, kind_of, value, reader));
                }
            }
        }
        // What older files have.
        Value::List(items) => {
            for item in items {
                reader.keys(
                    item,
                    "a threshold",
                    &["applicable_feature_type", "metric_name", "threshold"],
                    &["data_type"],
                );
                let word = reader.text(item, &["applicable_feature_type", "data_type"]).unwrap_or_default();
                let Some(kind_of) = name::kind(&word) else {
                    reader.refuse(
                        item.place,
                        format!(
                            "`{word}` is no `applicable_feature_type`: expected `numerical` or `categorical`"
                        ),
                    );
                    continue;
                };
                let Some(spelled) = reader.text(item, &["metric_name"]) else {
                    reader.refuse(item.place, "a threshold without `metric_name`: name one");
                    continue;
                };
                let at = child(item, &["metric_name"]).map_or(item.place, |node| node.place);
                let Some(metric) = metric(&spelled, at, kind, kind_of, reader) else { continue };
                match item.child("threshold") {
                    Some(value) => list.extend(threshold(&spelled, metric, kind_of, value, reader)),
                    None => reader
                        .note(at, format!("`{spelled}` has no threshold: driftlead's own policy judges it")),
                }
            }
        }
        _ => reader.refuse(
            node.place,
            "`metric_thresholds` is no mapping: expected `numerical` and `categorical` in it",
        ),
    }
    list
}

/// The metric that `word` names for a signal and kind of features, or what is wrong with it.
fn metric(word: &str, place: Place, signal: SignalKind, kind: Kind, reader: &mut Reader) -> Option<Metric> {
    let has = Metric::of(signal, kind);
    let found = Metric::parse(word).filter(|metric| has.contains(metric));
    if found.is_none() {
        if plain(word).contains("chebyshev") {
            reader.note(
                place,
                format!("`{word}` is left out: it stands in documents of Azure, and none of its code has it"),
            );
            return None;
        }
        let what = if kind == Kind::Categorical { "categorical" } else { "numerical" };
        let known: Vec<&str> = has.iter().map(|metric| metric.name()).collect();
        let hint = match Metric::parse(word) {
            Some(_) => format!("expected one of {}", quote(&known)),
            None => suggest(word, known),
        };
        reader.refuse(place, format!("`{word}` is no metric of {what} features of this signal: {hint}"));
    }
    found
}

/// The bound, if it is one that our metric can have.
fn threshold(
    spelled: &str,
    metric: Metric,
    kind: Kind,
    value: &Node,
    reader: &mut Reader,
) -> Option<Threshold> {
    let bound = match &value.value {
        Value::Null => {
            reader
                .note(value.place, format!("`{spelled}` has no threshold: driftlead's own policy judges it"));
            return None;
        }
        Value::Number(bound, _) => *bound,
        _ => {
            reader.refuse(value.place, format!("`{spelled}` is {}: expected a number", value.describe()));
            return None;
        }
    };
    let (ours, on, is_below) = metric.ours(kind);
    let bounds = Bounds { warn: None, drift: Some(bound) };
    let (above, below) = if is_below { (Bounds::default(), bounds) } else { (bounds, Bounds::default()) };
    if let Err(error) = policy::Rule::new(RuleSpec { on: Some(on), above, below, ..RuleSpec::of(ours) }) {
        reader.refuse(value.place, format!("the threshold of `{spelled}`: {error}"));
        return None;
    }
    if bound == 0.0 && metric < Metric::NullRate {
        reader.note(
            value.place,
            format!("`{spelled}: 0` is no threshold to the SDK, which takes 0 for none; here it is one"),
        );
    }
    Some(Threshold { line: value.place.line, kind, metric, bound })
}
