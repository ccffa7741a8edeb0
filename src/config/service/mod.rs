//! Settings of the service: what `service.yaml` says, checked, with every default filled in once.
//!
//! It is read like a model file: the text becomes a tree with a place for every value, the tree is held to the table in
//! [`keys`], and what comes out is a [`Service`], resolved and free of YAML. Nothing is opened on the way, and no secret
//! is fetched: a file can be checked where neither the models nor the environment of the service are.

mod azure;
mod azure_keys;
mod cluster_keys;
mod entra;
mod format;
mod kafka;
pub mod keys;
mod pointer;
mod record;
mod sink;
mod source;
mod token;
pub mod view;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::Path;

pub use self::azure::{Access as AzureAccess, AzureLogs, Rule, Streams};
pub use self::entra::Entra;
pub use self::format::{Csv, Format, Login, Registry};
pub use self::kafka::{Access, Cluster};
pub use self::record::{Aside, DeadLetter, Payload, Time, Unit, Where};
pub use self::sink::{Send, Sink, Target, Template, Tls, Webhook};
pub use self::source::{Input, Source, Start, Topics};
pub use self::token::{Proof, Scope, Token};

use super::duration::Duration;
use super::node::{Node, Value};
use super::origin::Origin;
use super::problem::{Problem, Problems};
use super::secret::Setting;
use super::size::Size;
use super::{beside, keys as model_keys, label, labels, shape};

/// The settings of a service, resolved and valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// The address of the HTTP API; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The folder of the store.
    pub store: String,
    /// Paths and patterns of model files.
    pub models: Vec<String>,
    /// Who may use the HTTP API; empty only if `listen` is a loopback address.
    pub tokens: Vec<Token>,
    /// How often the state is stored; more than 0.
    pub commit_every: Duration,
    /// Where records come from, in the file's order; at least one.
    pub sources: Vec<Source>,
    /// Where alerts and verdicts go, in the file's order.
    pub sinks: Vec<Sink>,
    /// How long things are kept.
    pub retention: Retention,
    /// Where the file says all this.
    pub origin: Origin,
}

/// How long things are kept in the store (SEMANTICS S22).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Verdicts.
    pub verdicts: Duration,
    /// Messages that were delivered.
    pub delivered: Duration,
    /// Counts of panes whose windows are final, from which a new baseline can be made.
    pub counts: Duration,
    /// The most that the store may take.
    pub size: Size,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |n: i64| Duration::from_micros(n * Duration::DAY.micros());
        Self { verdicts: days(90), delivered: days(7), counts: days(14), size: Size::gib(5) }
    }
}

impl Service {
    /// Reads `text`, the content of the service file `file`.
    ///
    /// Relative paths in it become relative to the file's folder; URLs stay as they are. Nothing is opened.
    ///
    /// # Errors
    ///
    /// Every problem of the file, each with its line and column.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Problems> {
        let root = Node::parse(text).map_err(|problem| Problems::new(file, text, vec![problem]))?;
        let mut problems = Vec::new();
        shape::check(&root, &keys::SERVICE, &mut problems);
        let mut service = resolve(&root, file, &mut problems);
        service.origin = Origin::of_service(file, text, &root);
        if problems.is_empty() { Ok(service) } else { Err(Problems::new(file, text, problems)) }
    }

    /// The source of that name.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.name == name)
    }

    /// The sink of that name.
    #[must_use]
    pub fn sink(&self, name: &str) -> Option<&Sink> {
        self.sinks.iter().find(|sink| sink.name == name)
    }

    /// Every setting that has to be fetched when the service starts, in no order to rely on.
    #[must_use]
    pub fn secrets(&self) -> Vec<&Setting> {
        let mut all: Vec<&Setting> = self.tokens.iter().filter_map(Token::secret).collect();
        all.extend(self.sources.iter().flat_map(Source::settings));
        all.extend(self.sinks.iter().flat_map(Sink::settings));
        all.retain(|setting| setting.plain().is_none());
        all
    }
}

/// Whether `text` describes a service rather than a model: it has more keys that only a service file knows.
///
/// Text that is not YAML describes a model, whose reader says what is wrong with it.
#[must_use]
pub fn is_service(text: &str) -> bool {
    let Ok(root) = Node::parse(text) else { return false };
    let count = |own: &shape::Record, other: &shape::Record| {
        let knows = |record: &shape::Record, name: &str| record.keys.iter().any(|key| key.name == name);
        let only = |name: &str| knows(own, name) && !knows(other, name);
        root.entries().iter().filter(|(key, _)| only(&key.name)).count()
    };
    count(&keys::SERVICE, &model_keys::MODEL) > count(&model_keys::MODEL, &keys::SERVICE)
}

fn resolve(root: &Node, file: &Path, problems: &mut Vec<Problem>) -> Service {
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    let tokens = token::read(root, folder, problems);
    Service {
        listen: listen(root, !tokens.is_empty(), problems),
        store: label(root, "store").map(|path| beside(folder, &path)).unwrap_or_default(),
        models: labels(root, "models").iter().map(|path| beside(folder, path)).collect(),
        tokens,
        commit_every: commit_every(root, problems),
        sources: source::read(root, folder, problems),
        sinks: sink::read(root, folder, problems),
        retention: retention(root),
        origin: Origin::default(),
    }
}

fn listen(root: &Node, has_tokens: bool, problems: &mut Vec<Problem>) -> SocketAddr {
    let default = SocketAddr::from(([127, 0, 0, 1], 7070));
    // What is no text is complained of as such.
    let Some((node, Value::Text(text))) = root.child("listen").map(|node| (node, &node.value)) else {
        return default;
    };
    let spelt = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let Ok(address) = spelt.as_deref().unwrap_or(text).parse::<SocketAddr>() else {
        let message = format!(
            "`{text}` is not an address to listen on: expected an IP address and a port, such as `127.0.0.1:7070`"
        );
        problems.push(Problem::new(node.place, message));
        return default;
    };
    if !address.ip().is_loopback() && !has_tokens {
        let message = format!(
            "`{address}` can be reached from other machines: write `tokens`, or listen on `127.0.0.1:{}`",
            address.port()
        );
        problems.push(Problem::new(node.place, message));
    }
    address
}

fn commit_every(root: &Node, problems: &mut Vec<Problem>) -> Duration {
    let every = duration(root, "commit_every").unwrap_or(Duration::from_secs(2));
    if let Some(node) = root.child("commit_every").filter(|_| every.is_zero()) {
        let message =
            "`commit_every: 0s` would store the state without end: write such as `commit_every: 2s`";
        problems.push(Problem::new(node.place, message));
    }
    every
}

fn retention(root: &Node) -> Retention {
    let base = Retention::default();
    let Some(node) = root.child("retention") else { return base };
    Retention {
        verdicts: duration(node, "verdicts").unwrap_or(base.verdicts),
        delivered: duration(node, "delivered").unwrap_or(base.delivered),
        counts: duration(node, "counts").unwrap_or(base.counts),
        size: size(node, "size").unwrap_or(base.size),
    }
}

fn duration(node: &Node, key: &str) -> Option<Duration> {
    label(node, key)?.parse().ok()
}

fn size(node: &Node, key: &str) -> Option<Size> {
    label(node, key)?.parse().ok()
}

fn flag(node: &Node, key: &str) -> Option<bool> {
    match node.child(key)?.value {
        Value::Bool(flag) => Some(flag),
        _ => None,
    }
}

fn path(node: &Node, key: &str, folder: &Path) -> Option<String> {
    label(node, key).map(|path| beside(folder, &path))
}

fn setting(node: &Node, key: &str, folder: &Path) -> Option<Setting> {
    Setting::read(node.child(key)?, folder)
}

/// The entries of a table of settings.
fn settings(node: &Node, key: &str, folder: &Path) -> Vec<(String, Setting)> {
    let entries = node.child(key).map(Node::entries).unwrap_or_default();
    entries.iter().filter_map(|(key, node)| Some((key.name.clone(), Setting::read(node, folder)?))).collect()
}

/// The place of `key` in `node`, for a problem with its presence.
fn place_of(node: &Node, key: &str) -> super::Place {
    node.entries().iter().find(|(own, _)| own.name == key).map_or(node.place, |(own, _)| own.place)
}

/// Whether `key` is there, with something behind it.
fn has(node: &Node, key: &str) -> bool {
    node.child(key).is_some_and(|child| child.value != Value::Null)
}

/// Names of sources and sinks stand in ids and addresses: letters, digits and a few signs.
fn check_name(kind: &str, key: &super::node::Key, problems: &mut Vec<Problem>) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if key.name.is_empty() || !key.name.chars().all(is_plain) {
        let message = format!(
            "`{}` cannot name a {kind}: expected letters, digits, `-`, `_` and `.`, such as `flights-eu`",
            key.name
        );
        problems.push(Problem::new(key.place, message));
    }
}
