//! The file of a monitor, read: its schedule, and what its signals share.

use std::path::Path;

use super::name::plain;
use super::{Monitor, Note, Trigger, period, signal};
use crate::config::node::{Node, Value};
use crate::config::problem::{closest, quote};
use crate::config::{Duration, Place, Problem, Problems};

/// Whether a file is of a monitor: it creates one, or names the schema of one.
#[must_use]
pub fn is_monitor(root: &Node) -> bool {
    let names_schema = || {
        root.child("$schema").and_then(Node::text).is_some_and(|url| plain(&url).contains("monitorschedule"))
    };
    root.child("create_monitor").is_some() || names_schema()
}

/// Reads the text of `file`.
///
/// # Errors
///
/// Everything that is wrong with it, each with its line: no YAML, no monitor, a type of signal or a metric that there is
/// not, a bound or a period that is none.
pub fn read(file: &Path, text: &str) -> Result<Monitor, Problems> {
    let root = Node::parse(text).map_err(|problem| Problems::new(file, text, vec![problem]))?;
    let mut reader = Reader::default();
    let monitor = monitor(&root, &mut reader);
    if reader.problems.is_empty() { Ok(monitor) } else { Err(Problems::new(file, text, reader.problems)) }
}

/// What comes of reading beside the monitor.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
    /// What is not carried over.
    pub(super) notes: Vec<Note>,
}

impl Reader {
    /// Something is wrong.
    pub(super) fn refuse(&mut self, place: Place, message: impl Into<String>) {
        self.problems.push(Problem::new(place, message));
    }

    /// Something is not carried over.
    pub(super) fn note(&mut self, place: Place, text: impl Into<String>) {
        self.notes.push(Note { line: place.line, text: text.into() });
    }

    /// Notes the keys of `node` that are none of `known`, and refuses one that stands twice. `silent` are known too, and of
    /// no consequence here.
    pub(super) fn keys(&mut self, node: &Node, what: &str, known: &[&str], silent: &[&str]) {
        let entries = node.entries();
        for (at, (key, _)) in entries.iter().enumerate() {
            if entries[..at].iter().any(|(before, _)| before.name == key.name) {
                self.refuse(key.place, format!("`{}` stands twice in {what}: leave one out", key.name));
            } else if !known.contains(&key.name.as_str()) && !silent.contains(&key.name.as_str()) {
                let hint = closest(&key.name, known.iter().chain(silent).copied())
                    .map_or_else(String::new, |word| format!("; did you mean `{word}`?"));
                self.note(key.place, format!("`{}` of {what} is not known, and left out{hint}", key.name));
            }
        }
    }

    /// The mapping under the first of `keys` that is there.
    pub(super) fn map<'a>(&mut self, node: &'a Node, keys: &[&str]) -> Option<&'a Node> {
        let found = child(node, keys)?;
        if !matches!(found.value, Value::Map(_)) {
            self.refuse(
                found.place,
                format!("{} is {}: expected a mapping", quote(&keys[..1]), found.describe()),
            );
            return None;
        }
        Some(found)
    }

    /// The text under the first of `keys` that is there.
    pub(super) fn text(&mut self, node: &Node, keys: &[&str]) -> Option<String> {
        let found = child(node, keys)?;
        let text = found.text();
        if text.is_none() {
            self.refuse(found.place, format!("{} is {}: expected text", quote(&keys[..1]), found.describe()));
        }
        text
    }

    /// The duration under `key`; `default` stands for none.
    pub(super) fn duration(&mut self, node: &Node, key: &str) -> Option<Duration> {
        let text = self.text(node, &[key]).filter(|text| text != "default")?;
        let place = node.child(key)?.place;
        match period::duration(&text) {
            Ok((duration, months)) => {
                if months {
                    self.note(
                        place,
                        format!("`{text}` has no one length, and a window needs one: it is {duration} here"),
                    );
                }
                Some(duration)
            }
            Err(message) => {
                self.refuse(place, format!("{key}: {message}"));
                None
            }
        }
    }
}

/// The value of the first of `keys` that is there and says something.
pub(super) fn child<'a>(node: &'a Node, keys: &[&str]) -> Option<&'a Node> {
    keys.iter().find_map(|key| node.child(key)).filter(|node| node.value != Value::Null)
}

/// A scalar, or a list of such.
pub(super) fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items,
        _ => std::slice::from_ref(node),
    }
}

fn monitor(root: &Node, reader: &mut Reader) -> Monitor {
    let Some(created) = child(root, &["create_monitor"]).filter(|node| matches!(node.value, Value::Map(_)))
    else {
        let place = root.child("create_monitor").map_or(root.place, |node| node.place);
        reader.refuse(
            place,
            "this is no monitor of Azure ML: expected a mapping `create_monitor` with `monitoring_signals` in it",
        );
        return Monitor::default();
    };
    reader.keys(
        root,
        "the schedule",
        &["name", "trigger", "create_monitor"],
        &[
            "$schema",
            "display_name",
            "description",
            "tags",
            "properties",
            "is_enabled",
            "id",
            "creation_context",
        ],
    );
    reader.keys(
        created,
        "`create_monitor`",
        &["monitoring_signals", "monitoring_target", "alert_notification"],
        &["compute"],
    );
    let mut monitor = Monitor {
        name: reader.text(root, &["name"]).unwrap_or_else(|| "monitor".to_owned()),
        trigger: trigger(root, reader),
        ..Monitor::default()
    };
    if let Some(compute) = child(created, &["compute"]) {
        reader.note(
            compute.place,
            "`compute` is left out with all it says: nothing runs on Spark, driftlead counts where it is started",
        );
    }
    monitor.deployment = target(created, reader);
    monitor.alert = alert(created, reader);
    let signals = match child(created, &["monitoring_signals"]) {
        Some(_) => reader.map(created, &["monitoring_signals"]).map(Node::entries).unwrap_or_default(),
        None => {
            reader.note(
                created.place,
                "no `monitoring_signals`: Azure then looks for data drift, prediction drift and data quality of the \
                 deployment, and so do the files written here",
            );
            monitor.signals = signal::by_default(created.place.line);
            &[]
        }
    };
    monitor.notes = std::mem::take(&mut reader.notes);
    for (key, node) in signals {
        let read = signal::read(&key.name, key.place, node, reader);
        let notes = std::mem::take(&mut reader.notes);
        match read {
            Some(signal) => monitor.signals.push(super::Signal { notes, ..signal }),
            None => monitor.notes.extend(notes),
        }
    }
    monitor
}

fn target(created: &Node, reader: &mut Reader) -> Option<String> {
    let target = reader.map(created, &["monitoring_target"])?;
    reader.keys(target, "`monitoring_target`", &["endpoint_deployment_id", "model_id"], &["ml_task"]);
    if let Some(model) = child(target, &["model_id"]) {
        reader
            .note(model.place, "`model_id` is left out: `version` of a model file says which model it is of");
    }
    let id = reader.text(target, &["endpoint_deployment_id"])?;
    Some(id.strip_prefix("azureml:").unwrap_or(&id).to_owned())
}

/// Who is told, and where it says so.
fn alert(created: &Node, reader: &mut Reader) -> Option<(u64, String)> {
    let node = child(created, &["alert_notification"])?;
    let line = node.place.line;
    if let Some(word) = node.text() {
        if plain(&word) == "azmonitoring" {
            return Some((line, "metrics in Azure Monitor: `azure_metrics` is the sink for that".to_owned()));
        }
        reader.refuse(node.place, format!("`{word}` notifies nobody: expected `azmonitoring` or `emails`"));
        return None;
    }
    let node = reader.map(created, &["alert_notification"])?;
    reader.keys(node, "`alert_notification`", &["emails"], &["email_on"]);
    let emails = child(node, &["emails"]).map(items).unwrap_or_default();
    let sink =
        "driftlead sends no mail; `azure_logs` with the action group of `driftlead azure template` does";
    Some((line, format!("mail to {}: {sink}", crate::report::plural(emails.len() as u64, "recipient"))))
}

fn trigger(root: &Node, reader: &mut Reader) -> Trigger {
    // The SDK's own window for whatever has no period.
    let mut trigger = Trigger { window: Duration::WEEK, ..Trigger::default() };
    let Some(node) = reader.map(root, &["trigger"]) else { return trigger };
    reader.keys(
        node,
        "`trigger`",
        &["type", "frequency", "interval", "schedule", "expression", "start_time", "end_time", "time_zone"],
        &[],
    );
    if let Some(zone) = child(node, &["time_zone"]) {
        let name = zone.text().unwrap_or_default();
        if plain(&name) != "utc" {
            reader.note(
                zone.place,
                format!(
                    "`time_zone: {name}` is left out: windows lie in UTC; `offset` of `window` shifts them"
                ),
            );
        }
    }
    for key in ["start_time", "end_time"] {
        if let Some(at) = child(node, &[key]) {
            reader.note(
                at.place,
                format!("`{key}` is left out: a service watches from when it starts until it is stopped"),
            );
        }
    }
    match reader.text(node, &["type"]).map(|word| plain(&word)).as_deref() {
        Some("cron") => by_cron(node, reader, &mut trigger),
        Some("recurrence") => by_recurrence(node, reader, &mut trigger),
        Some(word) => {
            let place = child(node, &["type"]).map_or(node.place, |node| node.place);
            reader.refuse(place, format!("`{word}` is no trigger: expected `recurrence` or `cron`"));
        }
        None if node.child("type").is_none() => {
            reader.refuse(node.place, "the trigger has no `type`: expected `recurrence` or `cron`");
        }
        None => {}
    }
    trigger
}

fn by_cron(node: &Node, reader: &mut Reader, trigger: &mut Trigger) {
    let Some(expression) = reader.text(node, &["expression"]) else {
        reader.refuse(node.place, "a trigger of type `cron` needs an `expression`, such as `15 3 * * *`");
        return;
    };
    let place = child(node, &["expression"]).map_or(node.place, |node| node.place);
    match period::cron(&expression) {
        Ok(Some((every, offset))) => {
            (trigger.every, trigger.offset) = (Some(every), offset);
        }
        Ok(None) => reader.note(
            place,
            format!("`{expression}` has no one period: windows follow each other without a gap instead"),
        ),
        Err(message) => reader.refuse(place, message),
    }
}

fn by_recurrence(node: &Node, reader: &mut Reader, trigger: &mut Trigger) {
    let Some(frequency) = reader.text(node, &["frequency"]) else {
        reader.refuse(node.place, "a trigger of type `recurrence` needs a `frequency`, such as `day`");
        return;
    };
    let interval = match child(node, &["interval"]).map(|node| (node.place, &node.value)) {
        None => 1,
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
        Some((_, Value::Number(n, _))) if n.fract() == 0.0 && n.abs() < 1e6 => *n as i64,
        Some((place, _)) => {
            reader.refuse(place, "`interval` is no whole number: expected one of 1 or more");
            return;
        }
    };
    match period::recurrence(&frequency, interval) {
        Ok((every, window)) => (trigger.every, trigger.window) = (Some(every), window),
        Err(message) => {
            let key = if message.contains("frequency") { "frequency" } else { "interval" };
            reader.refuse(child(node, &[key]).map_or(node.place, |node| node.place), message);
            return;
        }
    }
    if plain(&frequency) == "month" {
        reader.note(node.place, "months have no one length, and a window needs one: a month is 30 days here");
        return;
    }
    let Some(schedule) = reader.map(node, &["schedule"]) else { return };
    reader.keys(schedule, "`schedule`", &["hours", "minutes", "week_days", "month_days"], &[]);
    let every = trigger.every.unwrap_or_default();
    if every < Duration::DAY {
        reader.note(
            schedule.place,
            "`schedule` is left out: it says nothing about a period of less than a day",
        );
        return;
    }
    let mut single = |key: &str| -> Option<String> {
        let node = child(schedule, &[key])?;
        match items(node) {
            [one] => one.text(),
            several => {
                let first = several.first()?.text();
                let shown = first.clone().unwrap_or_default();
                reader.note(
                    node.place,
                    format!("of several `{key}` the first is taken, `{shown}`: a window has one `every` and one `offset`"),
                );
                first
            }
        }
    };
    let (hour, minute, day) = (single("hours"), single("minutes"), single("week_days"));
    let number = |text: Option<String>, most: i64| {
        text.map_or(Some(0), |text| text.parse::<i64>().ok().filter(|n| (0..=most).contains(n)))
    };
    let (Some(hour), Some(minute)) = (number(hour, 23), number(minute, 59)) else {
        reader.refuse(
            schedule.place,
            "`hours` or `minutes` of the schedule are none: expected whole numbers up to 23 and 59",
        );
        return;
    };
    trigger.offset = period::time_of_day(hour, minute);
    if let Some(day) = day.filter(|_| every.is_multiple_of(Duration::WEEK)) {
        match period::weekday(&day) {
            Some(after) => trigger.offset = Duration::from_micros(trigger.offset.micros() + after.micros()),
            None => reader.refuse(
                schedule.place,
                format!("`{day}` is no day of the week: expected one such as `monday`"),
            ),
        }
    }
}
