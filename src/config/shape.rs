//! What a settings file may say: the vocabulary in which `keys.rs` writes its table.
//!
//! One table has three readers: [`check`] finds everything in a file that does not fit, `schema.rs` writes the JSON
//! Schema for editors, and a test holds `docs/configuration.md` to it.

use driftlead_engine::metric;

use super::duration::Duration;
use super::node::{Node, Value};
use super::problem::{Problem, quote, suggest};
use super::quorum::Quorum;
use super::secret::Setting;
use super::size::Size;

/// What one value may be.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Text: a path, an SQL expression.
    Text,
    /// One character of ASCII that can stand between fields: no quote and no line break.
    Separator,
    /// A name or value from the data; numbers and booleans are taken as they are written.
    Label,
    /// `true` or `false`.
    Flag,
    /// A finite number.
    Number,
    /// A whole number, no less than this.
    Count(u64),
    /// A length of time, such as `6h`.
    Duration,
    /// A number of bytes, such as `5GiB`.
    Size,
    /// `N of M`.
    Quorum,
    /// Text, a number or a boolean, in which `${NAME}` stands for a variable of the environment.
    Setting,
    /// What must not stand in a file: text with a `${NAME}` in it, or `{file: PATH}`.
    Secret,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// The name of a metric.
    Metric,
    /// A list of at least one such value.
    List(&'static Self),
    /// One such value or a list of them.
    Several(&'static Self),
    /// A mapping with these keys.
    Record(&'static Record),
    /// A mapping with free keys, each with such a value.
    Table(&'static Self),
    /// A mapping from a segment's columns to their values, null being a value; or null itself for the whole.
    Segment,
    /// A short form (no mapping) or the long form (a mapping).
    ShortOr(&'static Self, &'static Record),
}

/// A mapping with fixed keys.
#[derive(Debug)]
pub struct Record {
    /// What it is, for messages: `a threshold rule`.
    pub name: &'static str,
    /// Its keys, in the order of documentation.
    pub keys: &'static [Key],
    /// Keys of which exactly one must be there, for each list.
    pub one_of: &'static [&'static [&'static str]],
}

/// One key of a [`Record`].
#[derive(Debug)]
pub struct Key {
    /// The key as written.
    pub name: &'static str,
    /// What its value may be.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// What holds when it is left out, in words; empty if nothing.
    pub default: &'static str,
    /// A value that would do, in YAML.
    pub example: &'static str,
    /// What it means: a sentence without full stop.
    pub doc: &'static str,
}

impl Shape {
    /// What a person is told to write.
    fn expected(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Separator => "one character".to_owned(),
            Self::Label => "a name or value".to_owned(),
            Self::Flag => "`true` or `false`".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Count(least) => format!("a whole number of at least {least}"),
            Self::Duration => "a duration".to_owned(),
            Self::Size => "a number of bytes".to_owned(),
            Self::Quorum => "a number of windows".to_owned(),
            Self::Setting => "a value".to_owned(),
            Self::Secret => "a secret".to_owned(),
            Self::Choice(words) => format!("one of {}", quote(words)),
            Self::Metric => "the name of a metric".to_owned(),
            Self::List(item) => format!("a list, each item {}", item.expected()),
            Self::Several(item) => format!("{} or a list of such", item.expected()),
            Self::Record(Record { name, keys: [first, ..], .. }) => {
                format!("{name} with keys such as `{}`", first.name)
            }
            Self::Record(record) => format!("{}, which has no keys", record.name),
            Self::Table(_) => "a mapping from names to settings".to_owned(),
            Self::Segment => "a segment: a mapping from column to value".to_owned(),
            Self::ShortOr(short, record) => format!("{} or {}", short.expected(), record.name),
        }
    }
}

/// Calls `f` with `record` and every record below it, each once.
pub fn for_each_record(record: &'static Record, f: &mut dyn FnMut(&'static Record)) {
    fn go(record: &'static Record, seen: &mut Vec<&'static str>, f: &mut dyn FnMut(&'static Record)) {
        if seen.contains(&record.name) {
            return;
        }
        seen.push(record.name);
        f(record);
        for key in record.keys {
            let mut shape = key.shape;
            while let Shape::List(inner) | Shape::Several(inner) | Shape::Table(inner) = shape {
                shape = *inner;
            }
            if let Shape::Record(below) | Shape::ShortOr(_, below) = shape {
                go(below, seen, f);
            }
        }
    }
    go(record, &mut Vec::new(), f);
}

/// Adds to `problems` everything in `root` that does not fit `record`.
pub fn check(root: &Node, record: &'static Record, problems: &mut Vec<Problem>) {
    if !matches!(root.value, Value::Map(_)) {
        let first = &record.keys[0];
        let (key, write) = (first.name, code(first.name, first.example));
        let found = root.describe();
        let message = format!(
            "{} is a mapping of keys such as `{key}`, but here is {found}: write {write}",
            record.name
        );
        problems.push(Problem::new(root.place, message));
        return;
    }
    let example = record.keys.first().map_or("", |key| key.example);
    Checker { problems }.value(root, Shape::Record(record), record.name, example);
}

struct Checker<'a> {
    problems: &'a mut Vec<Problem>,
}

impl Checker<'_> {
    /// Checks one value; `name` and `example` are of the key it stands under.
    fn value(&mut self, node: &Node, shape: Shape, name: &str, example: &str) {
        match (shape, &node.value) {
            (Shape::Text | Shape::Label, Value::Text(text)) => self.text(node, name, text),
            (Shape::Separator, Value::Text(text)) if is_separator(text) => {}
            (Shape::Label, Value::Number(..) | Value::Bool(_)) => {}
            (Shape::Flag, Value::Bool(_)) => {}
            (Shape::Number, Value::Number(number, _)) if number.is_finite() => {}
            (Shape::Count(least), Value::Number(number, _)) if is_count(*number, least) => {}
            (Shape::Duration, Value::Text(text)) => self.parsed::<Duration>(node, name, text),
            (Shape::Size, Value::Text(text)) => self.parsed::<Size>(node, name, text),
            (Shape::Quorum, Value::Text(text)) => self.parsed::<Quorum>(node, name, text),
            (Shape::Setting, Value::Number(..) | Value::Bool(_)) => {}
            (Shape::Setting, Value::Text(text)) => self.setting(node, name, text),
            (Shape::Secret, _) => self.secret(node, name, example),
            (Shape::Choice(words), Value::Text(word)) if words.contains(&word.as_str()) => {}
            (Shape::Choice(words), Value::Text(word)) => {
                let hint = suggest(word, words.iter().copied());
                self.say(node, format!("`{name}` cannot be `{word}`: {hint}"));
            }
            (Shape::Metric, Value::Text(word)) => {
                if metric::Metric::parse(word).is_none() {
                    let hint = suggest(word, metric::ALL.iter().map(|metric| metric.name()));
                    self.say(node, format!("there is no metric `{word}`: {hint}"));
                }
            }
            (Shape::List(item) | Shape::Several(item), Value::List(items)) => {
                if items.is_empty() {
                    self.say(
                        node,
                        format!(
                            "`{name}` is an empty list: leave the key out or write {}",
                            code(name, example)
                        ),
                    );
                }
                for node in items {
                    self.value(node, *item, name, example);
                }
            }
            (Shape::Several(item), Value::Text(_) | Value::Number(..) | Value::Bool(_)) => {
                self.value(node, *item, name, example);
            }
            (Shape::Several(item @ Shape::Segment), Value::Map(_)) => self.value(node, *item, name, example),
            (Shape::Record(record) | Shape::ShortOr(_, record), Value::Map(_)) => self.record(node, record),
            (Shape::ShortOr(short, _), Value::Text(_) | Value::List(_)) => {
                self.value(node, *short, name, example)
            }
            (Shape::Table(item), Value::Map(entries)) => {
                self.repeated(node, name);
                for (key, node) in entries {
                    self.value(node, *item, &key.name, example);
                }
            }
            // In a list alone: under the key itself null counts as absent.
            (Shape::Segment, Value::Null) => {}
            (Shape::Segment, Value::Map(entries)) => {
                self.repeated(node, name);
                for (_, node) in entries {
                    if node.text().is_none() && node.value != Value::Null {
                        self.say(
                            node,
                            format!(
                                "a segment's value is one value of its column, but here is {}",
                                node.describe()
                            ),
                        );
                    }
                }
            }
            _ => {
                let hint = if example.is_empty() {
                    String::new()
                } else {
                    format!(": write {}", code(name, example))
                };
                self.say(
                    node,
                    format!("`{name}` expects {}, but here is {}{hint}", shape.expected(), node.describe()),
                );
            }
        }
    }

    fn record(&mut self, node: &Node, record: &'static Record) {
        self.repeated(node, record.name);
        for (key, value) in node.entries() {
            match record.keys.iter().find(|known| known.name == key.name) {
                // `where:` with nothing behind it is as good as no `where`.
                Some(known) if value.value == Value::Null && !known.required => {}
                Some(known) => self.value(value, known.shape, known.name, known.example),
                None => {
                    let hint = suggest(&key.name, record.keys.iter().map(|known| known.name));
                    let message = format!("unknown key `{}` in {}: {hint}", key.name, record.name);
                    self.problems.push(Problem::new(key.place, message));
                }
            }
        }
        for names in record.one_of {
            self.one_of(node, record, names);
        }
        for known in record.keys.iter().filter(|known| known.required && node.child(known.name).is_none()) {
            self.say(
                node,
                format!(
                    "`{}` is missing in {}: write {}",
                    known.name,
                    record.name,
                    code(known.name, known.example)
                ),
            );
        }
    }

    fn repeated(&mut self, node: &Node, name: &str) {
        let entries = node.entries();
        for (index, (key, _)) in entries.iter().enumerate() {
            if let Some((first, _)) = entries[..index].iter().find(|(before, _)| before.name == key.name) {
                let message = format!(
                    "`{}` stands twice in {name}: it is already on line {}",
                    key.name, first.place.line
                );
                self.problems.push(Problem::new(key.place, message));
            }
        }
    }

    fn text(&mut self, node: &Node, name: &str, text: &str) {
        if text.trim().is_empty() {
            self.say(node, format!("`{name}` is empty: write a value or leave the key out"));
        } else if text.contains("${") {
            // Expanding them everywhere would put secrets into reports and ids.
            self.say(node, format!("`${{…}}` in `{name}` is not expanded: only secrets, in a service's file, come from the environment"));
        }
    }

    /// Exactly one of `names` stands in `node`.
    fn one_of(&mut self, node: &Node, record: &'static Record, names: &[&str]) {
        let is_there = |name: &&&str| node.child(name).is_some_and(|child| child.value != Value::Null);
        let there: Vec<&str> = names.iter().filter(is_there).copied().collect();
        match there.as_slice() {
            [_] => {}
            [] => {
                if let Some(name) = names.iter().find(|name| node.child(name).is_some()) {
                    let message =
                        format!("`{name}` has nothing behind it: write `{name}: {{}}`, or its settings");
                    self.say(node, message);
                    return;
                }
                let example = record.keys.iter().find(|key| names.contains(&key.name));
                let example = example.map(|key| code(key.name, key.example)).unwrap_or_default();
                let what = record.name;
                self.say(node, format!("{what} needs one of {}: write such as {example}", quote(names)));
            }
            [first, rest @ ..] => {
                for name in rest {
                    let place = node.entries().iter().find(|(key, _)| key.name == *name);
                    let place = place.map_or(node.place, |(key, _)| key.place);
                    let message =
                        format!("{} has `{first}` already: leave out either it or `{name}`", record.name);
                    self.problems.push(Problem::new(place, message));
                }
            }
        }
    }

    fn setting(&mut self, node: &Node, name: &str, text: &str) {
        if text.trim().is_empty() {
            self.say(node, format!("`{name}` is empty: write a value or leave the key out"));
        } else if let Err(error) = Setting::check(text) {
            self.say(node, format!("`{name}`: {error}"));
        }
    }

    /// Whatever is wrong with a secret, it is not shown.
    fn secret(&mut self, node: &Node, name: &str, example: &str) {
        let wrong = match &node.value {
            Value::Map(entries) => match entries.as_slice() {
                [(key, value)] if key.name == "file" => match value.text() {
                    Some(text) if !text.trim().is_empty() && !text.contains("${") => return,
                    _ => "`file` expects the path of a mounted file".to_owned(),
                },
                _ => "expected text or `{file: PATH}`".to_owned(),
            },
            Value::Text(text) if text.contains("${") => match Setting::check(text) {
                Ok(()) => return,
                Err(error) => error,
            },
            _ => "a secret never stands in a file".to_owned(),
        };
        let message =
            format!("`{name}`: {wrong}; write such as {}, or `{{file: PATH}}`", code(name, example));
        self.problems.push(Problem::hidden(node.place, message));
    }

    fn parsed<T: std::str::FromStr<Err = String>>(&mut self, node: &Node, name: &str, text: &str) {
        if let Err(error) = text.parse::<T>() {
            self.say(node, format!("`{name}`: {error}"));
        }
    }

    fn say(&mut self, node: &Node, message: String) {
        self.problems.push(Problem::new(node.place, message));
    }
}

fn is_separator(text: &str) -> bool {
    matches!(text.as_bytes(), [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte))
}

fn is_count(number: f64, least: u64) -> bool {
    // Above 2^53 an f64 no longer tells neighbours apart.
    number.fract() == 0.0 && number >= least as f64 && number <= 9_007_199_254_740_992.0
}

fn code(name: &str, example: &str) -> String {
    format!("`{name}: {example}`")
}
