//! Where records come from.

use std::path::Path;

use super::format::{self, Format};
use super::kafka::{self, Cluster};
use super::record::{self, DeadLetter, Time, Where};
use super::{check_name, duration, has, path, place_of, size};
use crate::config::duration::Duration;
use crate::config::labels;
use crate::config::node::{Key, Node};
use crate::config::problem::Problem;
use crate::config::secret::Setting;
use crate::config::size::Size;
use crate::time::Timestamp;

/// One source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// By which models name it.
    pub name: String,
    /// Where its records come from.
    pub input: Input,
    /// What a record is; `None` where the data say so themselves ([`Input::Files`] but for [`Format::Mdc`], [`Input::Ingest`]).
    pub format: Option<Format>,
    /// Where a record's event time stands; `None` for the model's `time` column.
    pub time: Option<Time>,
    /// Where columns stand that are not at the key of their name, in the file's order.
    pub fields: Vec<(String, Where)>,
    /// Where bad records go; `None` if they are counted only.
    pub dead_letter: Option<DeadLetter>,
}

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Topics of Kafka or Event Hubs.
    Kafka {
        /// How they are reached.
        cluster: Box<Cluster>,
        /// Which they are.
        topics: Topics,
        /// Where a topic is begun that was never read.
        start: Start,
    },
    /// A folder, pattern or URL to which files are added.
    Files {
        /// The path as seen from the working folder, or a URL.
        path: String,
        /// How often it is looked at; more than 0.
        every: Duration,
    },
    /// A file to which lines are added.
    Lines {
        /// The path as seen from the working folder.
        path: String,
    },
    /// The standard input, each line at most once (SEMANTICS S17).
    Stdin,
    /// What is sent to the HTTP API.
    Ingest {
        /// The most bytes of a request's body: from 1 to 64 MiB.
        max_body: Size,
    },
}

/// Which topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topics {
    /// These; at least one, each once.
    Named(Vec<String>),
    /// Those whose whole name matches this regular expression.
    Pattern(String),
}

/// Where a topic is begun that was never read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record there is.
    #[default]
    Earliest,
    /// With the next record that is written.
    Latest,
    /// With the first record of this time or later, in microseconds since the epoch.
    At(i64),
}

impl Input {
    /// The key by which the file names it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Kafka { .. } => "kafka",
            Self::Files { .. } => "files",
            Self::Lines { .. } => "lines",
            Self::Stdin => "stdin",
            Self::Ingest { .. } => "ingest",
        }
    }
}

impl Source {
    /// Every setting that may have to be fetched.
    #[must_use]
    pub fn settings(&self) -> Vec<&Setting> {
        let mut all = Vec::new();
        if let Input::Kafka { cluster, .. } = &self.input {
            all.extend(cluster.settings());
        }
        if let Some(Format::AvroRegistry(registry)) = &self.format {
            all.extend(registry.settings());
        }
        all
    }
}

pub(super) fn read(root: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Vec<Source> {
    let Some(table) = root.child("sources") else { return Vec::new() };
    if table.entries().is_empty() && matches!(table.value, crate::config::node::Value::Map(_)) {
        let message = "`sources` names none: without a source there is nothing to watch";
        problems.push(Problem::new(table.place, message));
    }
    table.entries().iter().filter_map(|(key, node)| source(key, node, folder, problems)).collect()
}

fn source(key: &Key, node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<Source> {
    check_name("source", key, problems);
    let input = input(node, folder, problems)?;
    let is_kafka = matches!(input, Input::Kafka { .. });
    let format = format::read(node, folder, problems);
    let told_by = match input {
        Input::Files { .. } => Some("files are known by their names"),
        Input::Ingest { .. } => Some("a request says it in its Content-Type"),
        Input::Kafka { .. } | Input::Lines { .. } | Input::Stdin => None,
    };
    let is_mdc = format == Some(Format::Mdc);
    let is_files = matches!(input, Input::Files { .. });
    if is_mdc && !is_files {
        let message = format!(
            "`{}` gives no events of the Model Data Collector: `format: mdc` is for `files`",
            input.name()
        );
        problems.push(Problem::new(place_of(node, "format"), message));
        return None;
    }
    if let Some(told_by) = told_by.filter(|_| has(node, "format") && !is_mdc) {
        let message = format!("`format` has no use with `{}`: {told_by}", input.name());
        problems.push(Problem::new(place_of(node, "format"), message));
    }
    if let Some(format) = format.as_ref().filter(|format| !is_kafka && !format.is_lines())
        && told_by.is_none()
    {
        let message = format!(
            "`{}` gives lines, and {} is no line: expected `json` or `csv`",
            input.name(),
            format.name()
        );
        problems.push(Problem::new(place_of(node, "format"), message));
    }
    if is_files && has(node, "fields") {
        let message = "the columns of files keep their names: write `derive` in the model file instead";
        problems.push(Problem::new(place_of(node, "fields"), message));
    }
    let format = match told_by {
        Some(_) => format.filter(|_| is_mdc),
        None => Some(format.unwrap_or(Format::Json)),
    };
    let time = record::time(node, is_kafka, problems);
    let fields = record::fields(node, is_kafka, problems);
    let dead_letter = record::dead_letter(node, folder, is_kafka, problems);
    Some(Source { name: key.name.clone(), input, format, time, fields, dead_letter })
}

/// `None` if the file names none, which is in the list of problems.
fn input(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<Input> {
    if let Some(node) = node.child("kafka").filter(|_| has(node, "kafka")) {
        let cluster = Box::new(kafka::read(node, folder, problems));
        return Some(Input::Kafka { cluster, topics: topics(node, problems), start: start(node, problems) });
    }
    if let Some(node) = node.child("files") {
        let every = duration(node, "every").unwrap_or(Duration::from_secs(30));
        if every.is_zero() {
            let message = "`every: 0s` would look without end: write such as `every: 30s`";
            problems.push(Problem::new(place_of(node, "every"), message));
        }
        return Some(Input::Files { path: path(node, "path", folder)?, every });
    }
    if let Some(node) = node.child("lines") {
        let path = path(node, "path", folder)?;
        if path.contains("://") {
            let message =
                format!("`{path}` is no file of this machine: a growing folder of a store is `files`");
            problems.push(Problem::new(place_of(node, "path"), message));
        }
        return Some(Input::Lines { path });
    }
    if has(node, "stdin") {
        return Some(Input::Stdin);
    }
    has(node, "ingest").then(|| Input::Ingest { max_body: max_body(node.child("ingest"), problems) })
}

/// How much a request may send: no more than a record of any source, because an Arrow stream is read as one.
fn max_body(node: Option<&Node>, problems: &mut Vec<Problem>) -> Size {
    const DEFAULT: Size = Size::mib(8);
    const MOST: Size = Size::mib(64);
    let Some(node) = node else { return DEFAULT };
    let size = size(node, "max_body").unwrap_or(DEFAULT);
    if size.bytes() == 0 || size > MOST {
        let message =
            "`max_body` is out of bounds: expected from `1B` to `64MiB`; send more in several requests";
        problems.push(Problem::new(place_of(node, "max_body"), message));
    }
    size.clamp(Size::mib(0), MOST)
}

fn topics(node: &Node, problems: &mut Vec<Problem>) -> Topics {
    if let Some(pattern) = crate::config::label(node, "pattern") {
        return Topics::Pattern(pattern);
    }
    let mut topics = labels(node, "topics");
    topics.sort();
    if let Some(twice) = topics.windows(2).find(|pair| pair[0] == pair[1]) {
        let message = format!("the topic `{}` stands twice", twice[0]);
        problems.push(Problem::new(place_of(node, "topics"), message));
    }
    Topics::Named(labels(node, "topics"))
}

fn start(node: &Node, problems: &mut Vec<Problem>) -> Start {
    let Some(text) = crate::config::label(node, "start") else { return Start::default() };
    match text.as_str() {
        "earliest" => Start::Earliest,
        "latest" => Start::Latest,
        _ => match text.parse::<Timestamp>() {
            Ok(time) => Start::At(time.micros()),
            Err(error) => {
                let place = node.child("start").map_or(node.place, |node| node.place);
                problems.push(Problem::new(place, format!("{error}, or `earliest` or `latest`")));
                Start::default()
            }
        },
    }
}
