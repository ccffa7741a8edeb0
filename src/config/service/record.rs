//! Where in a record each value stands, and where bad records go.

use std::path::Path;

use super::{flag, has, path, place_of, pointer};
use crate::config::label;
use crate::config::node::{Node, Value};
use crate::config::problem::Problem;

/// Where a value stands in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// At this JSON pointer (RFC 6901) of the payload.
    Payload(String),
    /// In the header of this name, as text.
    Header(String),
    /// In the key, all of it, as text.
    Key,
}

/// Where a record's event time stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Time {
    /// In the record.
    Field {
        /// Where.
        at: Where,
        /// The unit of numbers since 1970; `None` for text in RFC 3339.
        unit: Option<Unit>,
    },
    /// It is the timestamp that Kafka keeps beside the record.
    Record,
}

/// The unit of a number since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Second,
    /// Milliseconds.
    Millisecond,
    /// Microseconds.
    Microsecond,
    /// Nanoseconds.
    Nanosecond,
}

/// Where bad records go (SEMANTICS S17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where.
    pub to: Aside,
    /// What is kept of the record beside the reason and its position.
    pub payload: Payload,
}

/// A place for what is set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aside {
    /// A file, as seen from the working folder; one record a line.
    File(String),
    /// A topic of the source's own brokers.
    Topic(String),
}

/// What is kept of a bad record's payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Payload {
    /// All of it.
    Full,
    /// Its hash, because it may be personal data.
    #[default]
    Hash,
    /// Nothing.
    None,
}

impl Unit {
    /// The word in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Millisecond => "ms",
            Self::Microsecond => "us",
            Self::Nanosecond => "ns",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let all = [Self::Second, Self::Millisecond, Self::Microsecond, Self::Nanosecond];
        all.into_iter().find(|unit| unit.name() == name)
    }
}

impl Payload {
    /// The word in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Hash => "hash",
            Self::None => "none",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Full, Self::Hash, Self::None].into_iter().find(|payload| payload.name() == name)
    }
}

/// The event time of a source.
pub(super) fn time(source: &Node, is_kafka: bool, problems: &mut Vec<Problem>) -> Option<Time> {
    let node = source.child("time")?;
    if !matches!(node.value, Value::Map(_)) {
        return Some(Time::Field { at: place(node, is_kafka, problems)?, unit: None });
    }
    if has(node, "record") {
        if !is_kafka {
            let message = "only Kafka keeps a timestamp beside a record: write `time: {field: ...}`";
            problems.push(Problem::new(place_of(node, "record"), message));
        }
        if has(node, "unit") {
            let message = "the timestamp beside a record has its own unit: leave `unit` out";
            problems.push(Problem::new(place_of(node, "unit"), message));
        }
        return Some(Time::Record);
    }
    let at = place(node.child("field")?, is_kafka, problems)?;
    let unit = label(node, "unit").and_then(|unit| Unit::parse(&unit));
    Some(Time::Field { at, unit })
}

/// The places of a source's columns.
pub(super) fn fields(source: &Node, is_kafka: bool, problems: &mut Vec<Problem>) -> Vec<(String, Where)> {
    let entries = source.child("fields").map(Node::entries).unwrap_or_default();
    entries
        .iter()
        .filter_map(|(key, node)| Some((key.name.clone(), place(node, is_kafka, problems)?)))
        .collect()
}

fn place(node: &Node, is_kafka: bool, problems: &mut Vec<Problem>) -> Option<Where> {
    if let Value::Text(text) = &node.value {
        return match pointer::canonical(text) {
            Ok(pointer) => Some(Where::Payload(pointer)),
            Err(error) => {
                problems.push(Problem::new(node.place, error));
                None
            }
        };
    }
    if !is_kafka && matches!(node.value, Value::Map(_)) {
        let message =
            "only records of Kafka have headers and keys: write where the value stands in the record";
        problems.push(Problem::new(node.place, message));
        return None;
    }
    if let Some(header) = label(node, "header") {
        return Some(Where::Header(header));
    }
    match flag(node, "key")? {
        true => Some(Where::Key),
        false => {
            let message = "`key: false` names no place: write `key: true` or another place";
            problems.push(Problem::new(node.place, message));
            None
        }
    }
}

/// Where the bad records of a source go.
pub(super) fn dead_letter(
    source: &Node,
    folder: &Path,
    is_kafka: bool,
    problems: &mut Vec<Problem>,
) -> Option<DeadLetter> {
    let node = source.child("dead_letter")?;
    let payload = label(node, "payload").and_then(|word| Payload::parse(&word)).unwrap_or_default();
    if let Some(file) = path(node, "file", folder) {
        return Some(DeadLetter { to: Aside::File(file), payload });
    }
    let topic = label(node, "topic")?;
    if !is_kafka {
        let message = "this source has no brokers: write `dead_letter: {file: PATH}`";
        problems.push(Problem::new(place_of(node, "topic"), message));
    }
    Some(DeadLetter { to: Aside::Topic(topic), payload })
}
