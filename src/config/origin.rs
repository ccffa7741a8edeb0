//! The file behind the settings: where it names what, for problems that only show once the data are open.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::node::{Node, Value};
use super::problem::{Place, Problem, Problems};
use super::several_nodes;

/// Where a file names columns, expressions, sources and sinks; empty for settings that come from no file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    file: PathBuf,
    text: String,
    places: BTreeMap<(&'static str, String), Place>,
}

impl Origin {
    pub(super) fn new(file: &Path, text: &str, root: &Node) -> Self {
        let mut places = BTreeMap::new();
        // The first of several places, which is the one that a person finds first.
        let mut note = |key: &'static str, name: String, place: Place| {
            places.entry((key, name)).or_insert(place);
        };
        for key in ["features", "derive"] {
            for (name, _) in root.child(key).map(Node::entries).unwrap_or_default() {
                note(key, name.name.clone(), name.place);
            }
        }
        for (name, feature) in root.child("features").map(Node::entries).unwrap_or_default() {
            if let Some(dim) = feature.child("dim") {
                note("dim", name.name.clone(), dim.place);
            }
        }
        for key in ["model", "source", "time", "id", "exclude", "segments", "sinks"] {
            let columns = root.child(key).map(several_nodes).unwrap_or_default();
            for node in columns.into_iter().flat_map(several_nodes) {
                if let Some(name) = node.text() {
                    note(key, name, node.place);
                }
            }
        }
        if let Some(node) = root.child("baseline") {
            note("baseline", String::new(), node.place);
        }
        let own = root.child("baseline").filter(|node| matches!(node.value, Value::Map(_)));
        for (key, node) in [("where", Some(root)), ("baseline.where", own)] {
            if let Some(node) = node.and_then(|node| node.child("where")) {
                note(key, String::new(), node.place);
            }
        }
        Self { file: file.to_owned(), text: text.to_owned(), places }
    }

    /// Where a service file names its sources and sinks, and each path of its models.
    pub(super) fn of_service(file: &Path, text: &str, root: &Node) -> Self {
        let mut places = BTreeMap::new();
        for key in ["sources", "sinks"] {
            for (name, _) in root.child(key).map(Node::entries).unwrap_or_default() {
                places.entry((key, name.name.clone())).or_insert(name.place);
            }
        }
        for node in root.child("models").map(several_nodes).unwrap_or_default() {
            if let Some(path) = node.text() {
                let folder = file.parent().unwrap_or_else(|| Path::new(""));
                places.entry(("models", super::beside(folder, &path))).or_insert(node.place);
            }
        }
        Self { file: file.to_owned(), text: text.to_owned(), places }
    }

    /// Forgets where `key` stands, for what the command line has replaced.
    pub fn forget(&mut self, key: &str) {
        self.places.retain(|(own, _), _| *own != key);
    }

    /// `message` with the file, line and column at which `key` names `name`, and that line of the file; the message
    /// alone if no file says so. Expressions have an empty name.
    #[must_use]
    pub fn locate(&self, key: &'static str, name: &str, message: &str) -> String {
        match self.places.get(&(key, name.to_owned())) {
            Some(place) => self.at(*place, message),
            None => message.to_owned(),
        }
    }

    /// `message` at a place of the file; the message alone if there is no file.
    #[must_use]
    pub fn at(&self, place: Place, message: &str) -> String {
        if self.file.as_os_str().is_empty() {
            return message.to_owned();
        }
        Problems::new(&self.file, &self.text, vec![Problem::new(place, message)]).to_string()
    }
}
