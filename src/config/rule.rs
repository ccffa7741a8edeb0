//! Threshold rules of a model file (SEMANTICS S11).
//!
//! What can be judged without data is judged here: bounds that can never or always fire, rules for features or segments
//! that the file does not have. Whether a rule matches a column of the data is seen once the data is open;
//! [`Rule::place`] is kept for that message.

use driftlead_engine::Metric;

use super::feature::{Features, Kind};
use super::label;
use super::node::{Node, Value};
use super::problem::{Place, Problem, quote, suggest};
use super::{labels, number};

/// A rule that replaces the default policy for a metric, and perhaps for some features and segments only.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Where it stands in the file.
    pub place: Place,
    /// The metric.
    pub metric: Metric,
    /// The features to which it applies; empty for all.
    pub features: Vec<String>,
    /// The segments to which it applies; empty for the whole and every segment.
    pub segments: Vec<SegmentMatch>,
    /// Which number is compared.
    pub on: On,
    /// Strictly above these.
    pub above: Bounds,
    /// Strictly below these.
    pub below: Bounds,
    /// Whether a breach must also be significant; `None` if that depends on the window's rows.
    pub gate: Option<Gate>,
}

/// A segment named by a rule: column and value, a value of `None` being null.
pub type SegmentMatch = Vec<(String, Option<String>)>;

/// The bounds of the two verdicts; at least one of a rule's four is set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// The bound of `warn`.
    pub warn: Option<f64>,
    /// The bound of `drift`.
    pub drift: Option<f64>,
}

impl Bounds {
    fn is_empty(self) -> bool {
        self.warn.is_none() && self.drift.is_none()
    }
}

/// Which number of a metric a rule compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The metric itself.
    Value,
    /// The metric less what sampling alone adds (psi, kl).
    Corrected,
    /// The probability of such a value without drift.
    PValue,
}

impl On {
    /// The word for it in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Corrected => "corrected",
            Self::PValue => "p_value",
        }
    }
}

/// What a breach needs besides a number beyond its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Nothing.
    Open,
    /// Significance.
    Significance,
}

pub(super) fn read(
    root: &Node,
    splits: &[Vec<String>],
    features: &Features,
    problems: &mut Vec<Problem>,
) -> Vec<Rule> {
    let Some(Node { value: Value::List(items), .. }) = root.child("thresholds") else { return Vec::new() };
    items.iter().filter_map(|node| rule(node, splits, features, problems)).collect()
}

fn rule(
    node: &Node,
    splits: &[Vec<String>],
    features: &Features,
    problems: &mut Vec<Problem>,
) -> Option<Rule> {
    let metric = label(node, "metric").and_then(|name| Metric::parse(&name))?;
    let corrects = matches!(metric, Metric::Psi | Metric::Kl);
    let on = match label(node, "on").as_deref() {
        Some("value") => On::Value,
        Some("corrected") => On::Corrected,
        Some("p_value") => On::PValue,
        _ if corrects => On::Corrected,
        _ => On::Value,
    };
    if let Some(at) = node.child("on").filter(|_| on == On::Corrected && !corrects) {
        let message = format!("`{metric}` has no corrected value: write `on: value` or leave `on` out");
        problems.push(Problem::new(at.place, message));
    }
    let bounds = |node: &Node| Bounds { warn: number(node, "warn"), drift: number(node, "drift") };
    let below = node.child("below");
    let rule = Rule {
        place: node.place,
        metric,
        features: labels(node, "features"),
        segments: segments(node, splits, problems),
        on,
        above: bounds(node),
        below: below.map(bounds).unwrap_or_default(),
        gate: match label(node, "gate").as_deref() {
            Some("none") => Some(Gate::Open),
            Some("significance") => Some(Gate::Significance),
            _ => None,
        },
    };
    check_bounds(node, &rule, problems);
    check_features(node, &rule, features, problems);
    Some(rule)
}

/// A bound that can never or always fire, and one verdict hidden behind the other.
fn check_bounds(node: &Node, rule: &Rule, problems: &mut Vec<Problem>) {
    let metric = rule.metric;
    let place_in =
        |parent: Option<&Node>, key: &str| parent.and_then(|n| n.child(key)).map_or(node.place, |n| n.place);
    let below = node.child("below");
    let says_bounds = ["warn", "drift", "below"].iter().any(|key| node.child(key).is_some());
    if !says_bounds || (rule.above.is_empty() && below.is_some_and(|node| node.entries().is_empty())) {
        let message = format!(
            "the rule for `{metric}` has no bound: add `drift: NUMBER`, `warn: NUMBER` or `below: …`"
        );
        problems.push(Problem::new(node.place, message));
    }
    if rule.on == On::PValue && !rule.above.is_empty() {
        let key = if rule.above.drift.is_some() { "drift" } else { "warn" };
        let message = "a small p-value is the bad one: write `below: {warn: 0.05, drift: 0.01}`";
        problems.push(Problem::new(place_in(Some(node), key), message));
        return;
    }
    let (low, high) = if rule.on == On::PValue { (0.0, 1.0) } else { metric.range() };
    let subject = if rule.on == On::PValue { "a p-value".to_owned() } else { format!("`{metric}`") };
    for (key, bound) in [("warn", rule.above.warn), ("drift", rule.above.drift)] {
        let Some(bound) = bound else { continue };
        if bound >= high || bound < low {
            let why = if bound >= high { "is never above" } else { "is always above" };
            let message = format!("{subject} {why} `{bound}`: it lies {}", between(low, high));
            problems.push(Problem::new(place_in(Some(node), key), message));
        }
    }
    for (key, bound) in [("warn", rule.below.warn), ("drift", rule.below.drift)] {
        let Some(bound) = bound else { continue };
        if bound <= low || bound > high {
            let why = if bound <= low { "is never below" } else { "is always below" };
            let message = format!("{subject} {why} `{bound}`: it lies {}", between(low, high));
            problems.push(Problem::new(place_in(below, key), message));
        }
    }
    if let Bounds { warn: Some(warn), drift: Some(drift) } = rule.above {
        if warn > drift {
            let message = format!(
                "`warn: {warn}` is beyond `drift: {drift}`: a warning comes first, so make it the smaller one"
            );
            problems.push(Problem::new(place_in(Some(node), "warn"), message));
        }
    }
    if let Bounds { warn: Some(warn), drift: Some(drift) } = rule.below {
        if warn < drift {
            let message = format!(
                "`warn: {warn}` is beyond `drift: {drift}`: a warning comes first, so make it the larger one here"
            );
            problems.push(Problem::new(place_in(below, "warn"), message));
        }
    }
}

fn between(low: f64, high: f64) -> String {
    if high.is_finite() { format!("between {low} and {high}") } else { format!("at {low} or above") }
}

/// Features that the file leaves out, and metrics that a feature's declared kind does not have.
fn check_features(node: &Node, rule: &Rule, features: &Features, problems: &mut Vec<Problem>) {
    let metric = rule.metric;
    let Some(at) = node.child("features") else { return };
    if metric == Metric::RowCount {
        problems.push(Problem::new(at.place, "`row_count` is of the whole window: leave `features` out"));
        return;
    }
    let places: Vec<Place> = match &at.value {
        Value::List(items) => {
            items.iter().filter(|item| item.text().is_some()).map(|item| item.place).collect()
        }
        _ => vec![at.place],
    };
    for (name, place) in rule.features.iter().zip(places) {
        if !features.includes(name) {
            let hint = if features.exclude.contains(name) {
                "it is under `exclude`".to_owned()
            } else {
                suggest(name, features.declared.iter().map(|feature| feature.name.as_str()))
            };
            problems
                .push(Problem::new(place, format!("the rule names `{name}`, which is not judged: {hint}")));
        } else if let Some(kind) = features.declared(name).and_then(|feature| feature.kind) {
            if let Some(needed) = needed_kind(metric).filter(|needed| *needed != kind) {
                let message =
                    format!("`{metric}` is for {} features, but `{name}` is {}", needed.name(), kind.name());
                problems.push(Problem::new(place, message));
            }
        }
    }
}

/// The only kind of feature that has `metric`, if there is one such kind.
fn needed_kind(metric: Metric) -> Option<Kind> {
    match metric {
        Metric::Ks
        | Metric::Wasserstein
        | Metric::WassersteinNormalized
        | Metric::MeanShift
        | Metric::SdShift
        | Metric::NanRate
        | Metric::OutOfRangeRate => Some(Kind::Numeric),
        Metric::NewCategoryRate => Some(Kind::Categorical),
        Metric::Psi
        | Metric::Kl
        | Metric::Js
        | Metric::Hellinger
        | Metric::Tvd
        | Metric::Linf
        | Metric::Chi2
        | Metric::NullRate
        | Metric::TypeErrorRate
        | Metric::RowCount => None,
    }
}

/// The segments of a rule; each must name exactly the columns of one split.
fn segments(node: &Node, splits: &[Vec<String>], problems: &mut Vec<Problem>) -> Vec<SegmentMatch> {
    let Some(at) = node.child("segments") else { return Vec::new() };
    let items = match &at.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(at),
    };
    let mut segments = Vec::new();
    for item in items.iter().filter(|item| matches!(item.value, Value::Map(_))) {
        let mut named: SegmentMatch =
            item.entries().iter().map(|(key, value)| (key.name.clone(), value.text())).collect();
        let split = splits.iter().find(|split| {
            split.len() == named.len()
                && split.iter().all(|column| named.iter().any(|(name, _)| name == column))
        });
        let Some(split) = split else {
            let columns: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
            let message = format!(
                "the rule names a segment by {}, but `segments` has no such split: add one, or name the columns of one",
                quote(&columns)
            );
            problems.push(Problem::new(item.place, message));
            continue;
        };
        // In the order of the split, so that equal segments are equal values.
        named.sort_by_key(|(name, _)| split.iter().position(|column| column == name));
        segments.push(named);
    }
    segments
}
