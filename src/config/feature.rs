//! The columns to judge (SEMANTICS S4, S10).

use driftlead_engine::Kind;

use super::node::{Node, Value};
use super::problem::Problem;
use super::{count, label, labels};

/// Which columns are judged, and what the file says about each.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// The columns that the file names, in its order.
    pub declared: Vec<Feature>,
    /// Whether the columns that it does not name are judged too, with inferred kinds.
    pub others: bool,
    /// Columns never to judge.
    pub exclude: Vec<String>,
}

/// What the file says of one column.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// The column.
    pub name: String,
    /// How it is compared; `None` if that is inferred from the baseline.
    pub kind: Option<Kind>,
    /// The logical type that the data must have, one of [`super::keys::TYPES`]; `None` for the baseline's.
    pub logical_type: Option<String>,
    /// The length of an embedding's vectors; `None` for the baseline's.
    pub dim: Option<u64>,
    /// Whether `mmd` of an embedding is measured.
    pub mmd: bool,
    /// Bounds that the cells of a numeric feature must respect, strictly ascending.
    pub edges: Vec<f64>,
}

impl Default for Features {
    /// Every column, with inferred kinds.
    fn default() -> Self {
        Self { declared: Vec::new(), others: true, exclude: Vec::new() }
    }
}

impl Features {
    /// What the file says of the column `name`, if it names it.
    #[must_use]
    pub fn declared(&self, name: &str) -> Option<&Feature> {
        self.declared.iter().find(|feature| feature.name == name)
    }

    /// Whether the column `name` is to be judged, as far as the file can tell.
    #[must_use]
    pub fn includes(&self, name: &str) -> bool {
        self.declared(name).is_some() || (self.others && !self.exclude.iter().any(|column| column == name))
    }
}

pub(super) fn read(root: &Node, problems: &mut Vec<Problem>) -> Features {
    let exclude = labels(root, "exclude");
    let entries = match root.child("features") {
        Some(node) if node.value != Value::Null => node.entries(),
        _ => return Features { exclude, ..Features::default() },
    };
    if entries.is_empty()
        && let Some(node) = root.child("features").filter(|node| matches!(node.value, Value::Map(_)))
    {
        let message = "`features` names no column: leave it out to judge every column";
        problems.push(Problem::new(node.place, message));
    }
    let mut features = Features { declared: Vec::new(), others: false, exclude };
    for (key, node) in entries {
        if key.name == "*" {
            features.others = true;
            if !node.entries().is_empty() || node.text().is_some() {
                let message = "`\"*\"` stands for columns with inferred kinds: write `\"*\": {}`";
                problems.push(Problem::new(node.place, message));
            }
            continue;
        }
        if features.exclude.contains(&key.name) {
            let message =
                format!("feature `{}` is also under `exclude`: leave it out of one of them", key.name);
            problems.push(Problem::new(key.place, message));
        }
        features.declared.push(feature(&key.name, node, problems));
    }
    features
}

fn feature(name: &str, node: &Node, problems: &mut Vec<Problem>) -> Feature {
    let kind = node.text().or_else(|| label(node, "kind")).and_then(|kind| Kind::parse(&kind));
    let edges = edges(node, problems);
    for key in ["dim", "mmd"] {
        if let (Some(at), Some(kind)) = (node.child(key), kind.filter(|kind| *kind != Kind::Embedding)) {
            let message = format!("`{key}` is for embeddings, but `{name}` is {kind}");
            problems.push(Problem::new(at.place, message));
        }
    }
    if let (Some(at), Some(kind)) = (node.child("edges"), kind.filter(|kind| *kind != Kind::Numeric)) {
        let message = format!("`edges` are for numeric features, but `{name}` is {kind}");
        problems.push(Problem::new(at.place, message));
    }
    let mmd = matches!(node.child("mmd"), Some(Node { value: Value::Bool(true), .. }));
    let logical_type = label(node, "type");
    Feature { name: name.to_owned(), kind, logical_type, dim: count(node, "dim"), mmd, edges }
}

fn edges(node: &Node, problems: &mut Vec<Problem>) -> Vec<f64> {
    let Some(Node { value: Value::List(items), .. }) = node.child("edges") else { return Vec::new() };
    let mut edges: Vec<f64> = Vec::new();
    for item in items {
        let Value::Number(edge, _) = item.value else { continue };
        if edges.last().is_some_and(|last| edge <= *last) {
            let message = format!("edges must ascend, but `{edge}` follows `{}`", edges[edges.len() - 1]);
            problems.push(Problem::new(item.place, message));
        }
        edges.push(edge);
    }
    edges
}
