//! A YAML file as a tree whose every value and key knows its line and column.
//!
//! The tree holds what the file says and nothing else: no defaults, no meaning. Reading into a tree first, rather than
//! straight into typed settings, is what lets one run report every problem of a file instead of the first one.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use super::problem::{Place, Problem};

/// The deepest nesting that is read; no setting needs more than six levels.
const MAX_DEPTH: usize = 32;

/// A value of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// What it says.
    pub value: Value,
}

/// What a value says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, and how it is written: `1.10` as a version is not `1.1`.
    Number(f64, String),
    /// Text, quoted or not.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the file's order, with repeated keys kept.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Where it begins.
    pub place: Place,
    /// The key.
    pub name: String,
}

impl Node {
    /// Reads `text` as one YAML document.
    ///
    /// # Errors
    ///
    /// Text that is not YAML; the problem says where.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let options = serde_saphyr::options! {
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
            strict_booleans: true,
            with_snippet: false,
            budget: serde_saphyr::budget! { max_depth: MAX_DEPTH },
        };
        let tree: Spanned<Raw> =
            serde_saphyr::from_str_with_options(text, options).map_err(syntax_problem)?;
        Ok(finish(tree, text))
    }

    /// The node under `key`, if this is a mapping that has it.
    #[must_use]
    pub fn child(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(k, _)| k.name == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The entries of a mapping; none if it is something else.
    #[must_use]
    pub fn entries(&self) -> &[(Key, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// A scalar as it is written, numbers and booleans included; `None` for null, lists and mappings.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) | Value::Number(_, text) => Some(text.clone()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// What a person would call this value in an error message.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(flag) => format!("`{flag}`"),
            Value::Number(_, text) => format!("the number `{text}`"),
            Value::Text(text) => format!("`{}`", shorten(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }
}

fn shorten(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(std::iter::once('…')).collect()
}

fn syntax_problem(error: serde_saphyr::Error) -> Problem {
    let place = error
        .location()
        .map_or(Place::START, |location| Place { line: location.line(), column: location.column() });
    // The parser's message ends with its own account of the place, which the problem states already.
    let message = error.without_snippet().to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    let message = message.lines().next().unwrap_or_default();
    Problem::new(place, format!("not readable as YAML: {message}"))
}

/// The tree as serde delivers it; numbers have lost their spelling, which [`finish`] takes back from the text.
enum Raw {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

fn finish(tree: Spanned<Raw>, text: &str) -> Node {
    let at = tree.referenced;
    let place = Place { line: at.line(), column: at.column() };
    let value = match tree.value {
        Raw::Null => Value::Null,
        Raw::Bool(flag) => Value::Bool(flag),
        Raw::Text(text) => Value::Text(text),
        Raw::Number(number) => Value::Number(number, spelling(&tree.defined, text, number)),
        Raw::List(items) => Value::List(items.into_iter().map(|item| finish(item, text)).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let place = Place { line: key.referenced.line(), column: key.referenced.column() };
                    (Key { place, name: key.value }, finish(value, text))
                })
                .collect(),
        ),
    };
    Node { place, value }
}

/// The number as written, taken from the text if its span is known and reads back as that number.
fn spelling(at: &serde_saphyr::Location, text: &str, number: f64) -> String {
    let span = at.span();
    let written = span
        .byte_offset()
        .zip(span.byte_len())
        .and_then(|(start, len)| text.get(usize::try_from(start).ok()?..usize::try_from(start + len).ok()?))
        .map(str::trim)
        .filter(|written| written.parse::<f64>() == Ok(number));
    written.map_or_else(|| number.to_string(), str::to_owned)
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(flag))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Number(number as f64))
    }

    fn visit_i128<E: de::Error>(self, number: i128) -> Result<Raw, E> {
        Ok(Raw::Number(number as f64))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Number(number as f64))
    }

    fn visit_u128<E: de::Error>(self, number: u128) -> Result<Raw, E> {
        Ok(Raw::Number(number as f64))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Number(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u64, column: u64) -> Place {
        Place { line, column }
    }

    #[test]
    fn every_value_and_key_knows_its_place() {
        let tree = Node::parse("model: a\nwindow: {length: 6h,\n  every: 1h}\nlist:\n  - 1\n  - x: y\n")
            .expect("yaml");
        assert_eq!(tree.child("model").map(|node| node.place), Some(at(1, 8)));
        let window = tree.child("window").expect("window");
        assert_eq!(window.entries()[1].0.place, at(3, 3));
        assert_eq!(window.entries()[1].1.place, at(3, 10));
        let Value::List(items) = &tree.child("list").expect("list").value else { panic!("a list") };
        assert_eq!(items[1].entries()[0].1.place, at(6, 8));
    }

    #[test]
    fn numbers_keep_their_spelling_and_words_stay_words() {
        let tree = Node::parse("a: 1.10\nb: 2001-01\nc: NO\nd: \"7\"\ne: 0x10\non: yes\n").expect("yaml");
        let text = |key: &str| tree.child(key).and_then(Node::text);
        assert_eq!(text("a").as_deref(), Some("1.10"));
        assert_eq!(text("b").as_deref(), Some("2001-01"));
        assert_eq!(tree.child("c").map(|node| &node.value), Some(&Value::Text("NO".to_owned())));
        assert_eq!(tree.child("d").map(|node| &node.value), Some(&Value::Text("7".to_owned())));
        assert_eq!(tree.child("on").map(|node| &node.value), Some(&Value::Text("yes".to_owned())));
    }

    #[test]
    fn repeated_keys_are_kept_for_the_checker() {
        let tree = Node::parse("a: 1\na: 2\n").expect("yaml");
        assert_eq!(tree.entries().len(), 2);
    }

    #[test]
    fn text_that_is_not_yaml_says_where() {
        let problem = Node::parse("model: a\nwindow: {length: 6h\n").expect_err("unclosed");
        assert!(problem.place.line >= 2, "{problem:?}");
        assert!(problem.message.starts_with("not readable as YAML: "), "{problem:?}");
        assert!(!problem.message.contains("line"), "{problem:?}");
    }

    #[test]
    fn anchors_and_depth_are_bounded() {
        let deep = "[".repeat(10_000);
        assert!(Node::parse(&deep).is_err());
        let tree = Node::parse("a: &x {length: 1h}\nb: *x\n").expect("yaml");
        assert_eq!(
            tree.child("b").and_then(|node| node.child("length")).and_then(Node::text).as_deref(),
            Some("1h")
        );
    }
}
