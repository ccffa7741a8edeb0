//! Threshold rules of a model file (SEMANTICS S11).
//!
//! What a rule may say is the engine's to judge ([`driftlead_engine::policy::Rule`]); here rules are read, their
//! problems put in their places, and what the file itself contradicts is refused: features that it leaves out,
//! segments by which it does not split. Whether a rule matches a column of the data is seen once the data is open;
//! [`problem`] then finds the place of that error.

use driftlead_engine::policy::{self, Bounds, Gate, On, RuleError, RuleSpec};
use driftlead_engine::{Kind, Metric, id};

use super::feature::Features;
use super::keys::THRESHOLD;
use super::node::{Node, Value};
use super::problem::{Place, Problem, quote, suggest};
use super::{label, labels, number};

/// A rule that replaces the default policy for a metric, and perhaps for some features and segments only.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Where it stands in the file.
    pub place: Place,
    /// The rule itself.
    pub rule: policy::Rule,
}

/// Where and what is wrong, for an error of [`policy::RuleSet::new`] over these rules.
#[must_use]
pub fn problem(rules: &[Rule], error: &RuleError) -> Problem {
    let place = error.rule().and_then(|index| rules.get(index)).map_or(Place::START, |rule| rule.place);
    let hint = error.candidates().map_or_else(String::new, |(word, known)| {
        format!(": {}", suggest(word, known.iter().map(String::as_str)))
    });
    Problem::new(place, format!("{error}{hint}"))
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
    let before = problems.len();
    let bounds = |node: &Node| Bounds { warn: number(node, "warn"), drift: number(node, "drift") };
    let spec = RuleSpec {
        metric,
        features: node.child("features").map(|_| labels(node, "features")),
        segments: segments(node, splits, problems),
        on: label(node, "on").and_then(|on| On::parse(&on)),
        above: bounds(node),
        below: node.child("below").map(bounds).unwrap_or_default(),
        gate: label(node, "gate").and_then(|gate| Gate::parse(&gate)).unwrap_or_default(),
    };
    check_features(node, metric, features, problems);
    if is_misshapen(node) || problems.len() > before {
        // Its problems are in the list; what is missing because of them is not worth a second one.
        return None;
    }
    match policy::Rule::new(spec) {
        Ok(rule) => Some(Rule { place: node.place, rule }),
        Err(error) => {
            problems.push(Problem::new(place_of(&error, node), error.to_string()));
            None
        }
    }
}

/// Whether a bound is there that is no number, so that the rule as read is not the rule as meant.
fn is_misshapen(node: &Node) -> bool {
    let is_bad = |node: &Node, key: &str| node.child(key).is_some() && number(node, key).is_none();
    let below = node.child("below");
    ["warn", "drift"].iter().any(|key| is_bad(node, key) || below.is_some_and(|below| is_bad(below, key)))
        || node.entries().iter().any(|(key, _)| THRESHOLD.keys.iter().all(|known| known.name != key.name))
}

/// The place of the key at fault, as near as the error tells.
fn place_of(error: &RuleError, node: &Node) -> Place {
    let below = node.child("below");
    let under = |keys: &[&str]| {
        let found =
            keys.iter().find_map(|key| node.child(key).or_else(|| below.and_then(|below| below.child(key))));
        found.map_or(node.place, |node| node.place)
    };
    match error {
        RuleError::OutOfRange { level, bound, .. } => [Some(node), below]
            .into_iter()
            .flatten()
            .filter_map(|node| node.child(level))
            .find(|node| matches!(node.value, Value::Number(number, _) if number == *bound))
            .map_or(node.place, |node| node.place),
        RuleError::NotANumber { level, .. } => under(&[level]),
        RuleError::WarnBeyondDrift { below: true, .. } => {
            below.and_then(|below| below.child("warn")).map_or(node.place, |node| node.place)
        }
        RuleError::WarnBeyondDrift { .. } => under(&["warn"]),
        RuleError::NoCorrected { .. } => under(&["on"]),
        RuleError::PValueAbove { .. } => under(&["drift", "warn"]),
        RuleError::SmallIsGood { .. } => under(&["below"]),
        RuleError::FeaturesOnWindow { .. } => under(&["features"]),
        RuleError::SegmentsOnModel { .. } => under(&["segments"]),
        RuleError::EmptyList { list, .. } | RuleError::Repeated { list, .. } => under(&[list]),
        _ => node.place,
    }
}

/// Features that the file leaves out, and metrics that a feature's declared kind does not have.
fn check_features(node: &Node, metric: Metric, features: &Features, problems: &mut Vec<Problem>) {
    let Some(at) = node.child("features").filter(|_| !metric.is_of_no_feature()) else { return };
    let items = match &at.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(at),
    };
    for item in items {
        let Some(name) = item.text() else { continue };
        if !features.includes(&name) {
            let hint = if features.exclude.contains(&name) {
                "it is under `exclude`".to_owned()
            } else {
                suggest(&name, features.declared.iter().map(|feature| feature.name.as_str()))
            };
            let message = format!("the rule on `{metric}` names `{name}`, which is not judged: {hint}");
            problems.push(Problem::new(item.place, message));
        } else if let Some(kind) = features.declared(&name).and_then(|feature| feature.kind)
            && !metric.applies_to(kind)
        {
            let kinds: Vec<&str> =
                Kind::ALL.iter().filter(|k| metric.applies_to(**k)).map(|k| k.name()).collect();
            let message =
                format!("`{metric}` is for {} features, but `{name}` is {kind}", kinds.join(" and "));
            problems.push(Problem::new(item.place, message));
        }
    }
}

/// The segments of a rule, as the texts of [`id::segment`]; each must name exactly the columns of one split.
fn segments(node: &Node, splits: &[Vec<String>], problems: &mut Vec<Problem>) -> Option<Vec<Option<String>>> {
    let at = node.child("segments").filter(|node| node.value != Value::Null)?;
    let items = match &at.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(at),
    };
    let mut segments = Vec::new();
    for item in items {
        if item.value == Value::Null {
            segments.push(None);
            continue;
        }
        let named = item.entries();
        let split = splits.iter().find(|split| {
            split.len() == named.len() && split.iter().all(|column| item.child(column).is_some())
        });
        if let Some(split) = split {
            // In the order of the split, so that equal segments are equal texts.
            let values: Vec<(&str, Option<String>)> = split
                .iter()
                .map(|column| (column.as_str(), item.child(column).and_then(Node::text)))
                .collect();
            let columns: Vec<(&str, Option<&str>)> =
                values.iter().map(|(column, value)| (*column, value.as_deref())).collect();
            segments.push(Some(id::segment(&columns)));
        } else if matches!(item.value, Value::Map(_)) {
            let columns: Vec<&str> = named.iter().map(|(key, _)| key.name.as_str()).collect();
            let message = format!(
                "the rule names a segment by {}, but `segments` has no such split: add one, or name the columns of one",
                quote(&columns)
            );
            problems.push(Problem::new(item.place, message));
        }
    }
    Some(segments)
}
