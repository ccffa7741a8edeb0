//! Settings of a model, and of the [`service`]: what a file says, checked, with every default filled in once.
//!
//! A file goes through two stages. [`node`] reads it as it stands, with a place for every value, and [`shape`] holds it
//! to the table in [`keys`]. [`Config`] is what comes out: resolved, valid, and free of YAML. Both stages collect
//! problems instead of stopping, so that one run of `driftlead validate` shows all of them.

mod azure;
mod baseline;
pub mod duration;
mod feature;
pub mod fleet;
pub mod keys;
pub mod node;
mod origin;
pub mod problem;
mod quorum;
pub mod rule;
pub mod schema;
pub mod secret;
pub mod service;
pub mod shape;
pub mod size;
pub mod template;
pub mod view;
mod window;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use self::azure::AzureAlerts;
pub use self::baseline::Baseline;
pub use self::duration::Duration;
pub use self::feature::{Feature, Features};
pub use self::origin::Origin;
pub use self::problem::{Place, Problem, Problems};
pub use self::quorum::Quorum;
pub use self::rule::{Rule, problem as rule_problem};
pub(crate) use self::window::FRESHNESS;
pub use self::window::{Alert, Cut, Window};

use driftlead_connectors::dataset::Format;
use driftlead_engine::window::Preceding;

use self::node::{Node, Value};

/// A model's settings, resolved and valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The model's name.
    pub model: String,
    /// The model's version; `unversioned` if the file has none.
    pub version: String,
    /// What windows are compared with; `None` if only the command line says so.
    pub baseline: Option<Baseline>,
    /// What `check` judges when the command line names no data.
    pub data: Vec<String>,
    /// The source of the service file, for `serve`.
    pub source: Option<String>,
    /// The event-time column; without it all rows are one window.
    pub time: Option<String>,
    /// The column of the rows' ids, of which embeddings keep some.
    pub id: Option<String>,
    /// At least one window; with a [`Cut`] only if `time` is set.
    pub windows: Vec<Window>,
    /// The splits into segments: the columns of each, at least one. The whole is always judged besides.
    pub segments: Vec<Vec<String>>,
    /// The SQL condition on baseline and windows alike.
    pub filter: Option<String>,
    /// Derived columns in the file's order: name and SQL expression.
    pub derive: Vec<(String, String)>,
    /// The columns to judge.
    pub features: Features,
    /// Threshold rules in the file's order; of two equally specific ones the later wins.
    pub rules: Vec<Rule>,
    /// When alerts open and resolve.
    pub alert: Alert,
    /// The names of the sinks that receive alerts.
    pub sinks: Vec<String>,
    /// Which alerts of Azure Monitor are about the model.
    pub azure: AzureAlerts,
    /// The tools whose metrics are computed besides.
    pub compat: Vec<Compat>,
    /// Where the file says all this.
    pub origin: Origin,
}

/// Why no tool's metrics stand beside windows of so many rows.
pub(crate) const COMPAT_OF_ROWS: &str = "`compat` finds the rows of a window by their event time, and windows of so many `rows` have none of their own: leave \
     out either";

/// A tool whose metrics are computed exactly as it does (SEMANTICS S24).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compat {
    /// Azure ML's model monitor.
    AzureMl,
    /// Evidently.
    Evidently,
    /// NannyML.
    NannyMl,
    /// Scouter.
    Scouter,
}

impl Compat {
    /// Every tool.
    pub const ALL: [Self; 4] = [Self::AzureMl, Self::Evidently, Self::NannyMl, Self::Scouter];

    /// The word for it in files, arguments and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AzureMl => "azureml",
            Self::Evidently => "evidently",
            Self::NannyMl => "nannyml",
            Self::Scouter => "scouter",
        }
    }

    /// The tool of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }
}

impl Config {
    /// How many windows before each it is compared with; `None` if it is the baseline's rows (SEMANTICS S25).
    #[must_use]
    pub fn moving(&self) -> Option<Preceding> {
        self.baseline.as_ref().and_then(|baseline| baseline.moving)
    }

    /// The settings of a first look, `driftlead check --baseline REF CUR`: every column, inferred kinds, one window.
    #[must_use]
    pub fn first_look() -> Self {
        Self {
            model: "first look".to_owned(),
            version: "unversioned".to_owned(),
            baseline: None,
            data: Vec::new(),
            source: None,
            time: None,
            id: None,
            windows: vec![Window::whole()],
            segments: Vec::new(),
            filter: None,
            derive: Vec::new(),
            features: Features::default(),
            rules: Vec::new(),
            alert: Alert::default(),
            sinks: Vec::new(),
            azure: AzureAlerts::default(),
            compat: Vec::new(),
            origin: Origin::default(),
        }
    }

    /// Reads `text`, the content of the model file `file`.
    ///
    /// Relative paths in it become relative to the file's folder; URLs stay as they are. Nothing is opened.
    ///
    /// # Errors
    ///
    /// Every problem of the file, each with its line and column.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Problems> {
        let root = Node::parse(text).map_err(|problem| Problems::new(file, text, vec![problem]))?;
        let mut problems = Vec::new();
        shape::check(&root, &keys::MODEL, &mut problems);
        // Rules that tie several keys together are tried even if some key is wrong: a value of a wrong shape reads as
        // absent below, and its problem is already in the list.
        let mut config = resolve(&root, file, &mut problems);
        config.origin = Origin::new(file, text, &root);
        if problems.is_empty() { Ok(config) } else { Err(Problems::new(file, text, problems)) }
    }
}

fn resolve(root: &Node, file: &Path, problems: &mut Vec<Problem>) -> Config {
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    let time = label(root, "time");
    let segments = splits(root, problems);
    let features = feature::read(root, problems);
    let windows = window::read(root, time.is_some(), problems);
    let baseline = baseline::read(root, folder, &windows, problems);
    let moving = baseline.as_ref().and_then(|baseline| baseline.moving);
    let alert = window::read_alert(root, moving, time.is_some(), problems);
    if let Some(compat) = root.child("compat").filter(|compat| compat.value != Value::Null)
        && windows.iter().any(|window| window.rows.is_some())
    {
        problems.push(Problem::new(compat.place, COMPAT_OF_ROWS));
    }
    if let Some(id) = root.child("id").filter(|id| time.is_some() && id.text() == time) {
        problems.push(Problem::new(id.place, "`id` and `time` name the same column: a time names no row"));
    }
    Config {
        model: label(root, "model").unwrap_or_default(),
        version: label(root, "version").unwrap_or_else(|| "unversioned".to_owned()),
        baseline,
        data: root.child("data").map(|node| paths(node, folder)).unwrap_or_default(),
        source: label(root, "source"),
        windows,
        time,
        id: label(root, "id"),
        filter: label(root, "where"),
        derive: derived(root),
        rules: rule::read(root, &segments, &features, problems),
        segments,
        features,
        alert,
        sinks: labels(root, "sinks"),
        azure: azure::read(root, problems),
        compat: labels(root, "compat").iter().filter_map(|name| Compat::parse(name)).collect(),
        origin: Origin::default(),
    }
}

fn derived(root: &Node) -> Vec<(String, String)> {
    let entries = root.child("derive").map(Node::entries).unwrap_or_default();
    entries.iter().filter_map(|(key, node)| Some((key.name.clone(), node.text()?))).collect()
}

/// The splits of `segments`; one that stands twice, or names a column twice, is a problem (SEMANTICS S18).
fn splits(root: &Node, problems: &mut Vec<Problem>) -> Vec<Vec<String>> {
    let mut splits: Vec<Vec<String>> = Vec::new();
    let Some(Node { value: Value::List(items), .. }) = root.child("segments") else { return splits };
    for node in items {
        let columns = several(node);
        if let Some(column) = columns.iter().enumerate().find(|(at, column)| columns[..*at].contains(column))
        {
            problems.push(Problem::new(node.place, format!("a cross names `{}` twice", column.1)));
        } else if splits.contains(&columns) {
            let message = format!("the split by `{}` stands twice", columns.join("`, `"));
            problems.push(Problem::new(node.place, message));
        } else if !columns.is_empty() {
            splits.push(columns);
        }
    }
    splits
}

/// The paths of `baseline` or `data`, in their short or long form, each with its format before it where that must be said.
fn paths(node: &Node, folder: &Path) -> Vec<String> {
    let (paths, format) = match &node.value {
        Value::Map(_) => (labels(node, "path"), label(node, "format")),
        _ => (several(node), None),
    };
    let is_mdc = format.as_deref() == Some("mdc");
    let mark = |path: String| if is_mdc { Format::Mdc.mark(&path) } else { path };
    paths.iter().map(|path| mark(beside(folder, path))).collect()
}

/// A path as seen from the working folder: `path` itself if it is a URL or absolute, else inside `folder`.
fn beside(folder: &Path, path: &str) -> String {
    if let (Some(format), rest) = Format::of_input(path) {
        return format.mark(&beside(folder, rest));
    }
    let is_url = path.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    if is_url || path == "-" || Path::new(path).is_absolute() || folder.as_os_str().is_empty() {
        return path.to_owned();
    }
    let mut joined = PathBuf::from(folder);
    joined.push(path.strip_prefix("./").unwrap_or(path));
    joined.to_string_lossy().into_owned()
}

fn label(node: &Node, key: &str) -> Option<String> {
    node.child(key).and_then(Node::text)
}

fn labels(node: &Node, key: &str) -> Vec<String> {
    node.child(key).map(several).unwrap_or_default()
}

/// One text or a list of texts.
fn several(node: &Node) -> Vec<String> {
    several_nodes(node).into_iter().filter_map(Node::text).collect()
}

/// The items of a list, or the value itself.
fn several_nodes(node: &Node) -> Vec<&Node> {
    match &node.value {
        Value::List(items) => items.iter().collect(),
        _ => vec![node],
    }
}

fn number(node: &Node, key: &str) -> Option<f64> {
    match node.child(key)?.value {
        Value::Number(number, _) if number.is_finite() => Some(number),
        _ => None,
    }
}

fn count(node: &Node, key: &str) -> Option<u64> {
    number(node, key).filter(|number| number.fract() == 0.0 && *number >= 0.0).map(|number| number as u64)
}
