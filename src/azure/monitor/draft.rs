//! Model files from a monitor: one for all signals that look at the same data in the same way.
//!
//! The files are made to be edited. What a person has to fill in is marked with PUT, and every line says from which line
//! of the monitor it comes. They always read back ([`crate::config::Config::parse`]).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use driftlead_engine::Kind;
use driftlead_engine::policy::On;

use super::rules::{Known, Rule, rules};
use super::{Data, Monitor, Note, Signal, SignalKind};
use crate::config::Duration;
use crate::config::template::{one_line, quoted};

/// A model file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The model's name.
    pub model: String,
    /// The file.
    pub text: String,
    /// What of its signals is not carried over, or not quite, by line.
    pub notes: Vec<Note>,
}

/// Rows that stand for the reference of a monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Where they lie, as the model file has to name it.
    pub path: String,
    /// The kinds of the columns that can be features.
    pub kinds: BTreeMap<String, Kind>,
    /// The first column of times.
    pub time: Option<String>,
}

/// The most panes of a window: an `every` of a minute and a `length` of a month would be 43,200.
const MAX_PANES: i64 = 1_500;

/// The model files of `monitor`, whose file is called `file`.
#[must_use]
pub fn drafts(monitor: &Monitor, file: &str, rows: Option<&Rows>) -> Vec<Draft> {
    let mut groups: Vec<Vec<&Signal>> = Vec::new();
    for signal in &monitor.signals {
        match groups.iter_mut().find(|group| is_alike(group[0], signal)) {
            Some(group) => group.push(signal),
            None => groups.push(vec![signal]),
        }
    }
    let is_single = groups.len() == 1;
    groups
        .iter()
        .map(|signals| {
            let model = match is_single {
                true => monitor.name.clone(),
                false => format!("{}-{}", monitor.name, signals[0].name),
            };
            Group { monitor, file, rows, signals, notes: Vec::new() }.write(model)
        })
        .collect()
}

/// Whether two signals look at the same rows in the same way.
fn is_alike(a: &Signal, b: &Signal) -> bool {
    let place = |data: &Data| (data.path.clone(), data.window, data.offset, data.fixed.clone());
    let of = |signal: &Signal| {
        (
            collection(signal).to_owned(),
            place(&signal.production),
            signal.reference.as_ref().map(place),
            signal.segment.clone(),
        )
    };
    of(a) == of(b)
}

/// What of the deployment a signal looks at.
fn collection(signal: &Signal) -> &str {
    match (&signal.production.context, signal.kind) {
        (Some(context), _) => context,
        (None, SignalKind::PredictionDrift) => "model_outputs",
        (None, SignalKind::DataDrift | SignalKind::DataQuality) => "model_inputs",
    }
}

struct Group<'a> {
    monitor: &'a Monitor,
    file: &'a str,
    rows: Option<&'a Rows>,
    signals: &'a [&'a Signal],
    notes: Vec<Note>,
}

impl Group<'_> {
    fn write(mut self, model: String) -> Draft {
        let mut body = String::new();
        let _ = writeln!(body, "model: {}", quoted(&model));
        let _ = writeln!(body, "version: \"1\"            # results of different versions are kept apart");
        let time = self.rows.and_then(|rows| rows.time.clone());
        let column = time.clone().unwrap_or_else(|| "time".to_owned());
        let length = self.window_of().0;
        self.write_baseline(&mut body, &column, length);
        self.write_data(&mut body);
        let put = if time.is_some() {
            ""
        } else {
            "      # PUT here the column of event time: Azure goes by folders of an hour"
        };
        let _ = writeln!(body, "\ntime: {}{put}", quoted(&column));
        self.write_window(&mut body);
        self.write_features(&mut body);
        self.write_rules(&mut body);
        body.push_str(
            "\n# Azure tells of every run that breaches.\nalert: {windows: 1 of 1, resolve_after: 1}\n",
        );
        if let Some((line, what)) = &self.monitor.alert {
            let _ = writeln!(body, "# sinks: [NAME]          # line {line}: {}", one_line(what));
        }
        self.notes.extend(self.signals.iter().flat_map(|signal| signal.notes.iter().cloned()));
        self.notes.sort();
        self.notes.dedup();
        Draft { model, text: format!("{}{body}", self.head()), notes: self.notes }
    }

    fn head(&self) -> String {
        let mut head = format!("# Written by `driftlead init` from {}:\n", one_line(self.file));
        for signal in self.signals {
            let what = match signal.kind {
                SignalKind::DataDrift => "data drift",
                SignalKind::PredictionDrift => "prediction drift",
                SignalKind::DataQuality => "data quality",
            };
            let _ = writeln!(head, "#   line {}: {what}, signal {}", signal.line, one_line(&signal.name));
        }
        head.push_str(
            "# Lines with PUT need you. `driftlead validate` checks the file, `driftlead check` compares, and with `--compat\n\
             # azureml` it shows Azure's own numbers beside. Under 1,000 rows a rule here asks for significance too (`gate:\n\
             # none` does not), and what no rule names is judged by driftlead's own policy.\n",
        );
        let all: Vec<&Note> = self.monitor.notes.iter().chain(&self.notes).collect();
        if !all.is_empty() {
            head.push_str("#\n# Not carried over, or not quite:\n");
            for note in all {
                let _ = writeln!(head, "#   line {}: {}", note.line, one_line(&note.text));
            }
        }
        head.push('\n');
        head
    }

    fn note(&mut self, line: u64, text: impl Into<String>) {
        self.notes.push(Note { line, text: text.into() });
    }

    fn write_baseline(&mut self, body: &mut String, time: &str, length: Duration) {
        let signal = self.signals[0];
        let reference = signal.reference.clone().unwrap_or_default();
        let given = self.rows.map(|rows| (rows.path.clone(), "the rows given with `--baseline`".to_owned()));
        let (path, comment) = match (given, &signal.reference) {
            (Some(given), _) => given,
            (None, Some(reference)) if reference.path.is_some() => place(reference, "training"),
            (None, _) => place(&signal.production, collection(signal)),
        };
        let moving = match &signal.reference {
            None => {
                self.note(
                    signal.line,
                    "no `reference_data`: Azure compares with the production data before, and so does `moving`; the rows of \
                     `path` make its cells",
                );
                Some(2)
            }
            Some(reference) => reference.window.map(|window| {
                let n = window.micros() / length.micros().max(1);
                if n < 1 || !window.is_multiple_of(length) {
                    self.note(
                        reference.line,
                        format!(
                            "a reference of {window} is no whole number of windows of {length}: {} windows before here",
                            n.max(1)
                        ),
                    );
                }
                let gap = Duration::from_micros(
                    length.micros() + signal.production.offset.unwrap_or_default().micros(),
                );
                if reference.offset.unwrap_or_default() != gap {
                    self.note(
                        reference.line,
                        format!(
                            "`moving` compares with the windows directly before, which end {gap} before a run; this \
                             reference ends {} before",
                            reference.offset.unwrap_or_default()
                        ),
                    );
                }
                n.max(1)
            }),
        };
        let _ = writeln!(body, "\nbaseline:");
        let _ = writeln!(body, "  path: {}   # {}", quoted(&path), one_line(&comment));
        if let Some(windows) = moving {
            let _ =
                writeln!(body, "  moving: {{windows: {windows}}}   # the production data before each window");
        }
        if let Some((start, end)) = reference.fixed {
            let column = format!("\"{}\"", time.replace('"', "\"\""));
            let bounds = [(start, ">="), (end, "<")].into_iter().filter_map(|(bound, sign)| {
                bound.map(|bound| format!("{column} {sign} '{}'", bound.replace('\'', "''")))
            });
            let filter = bounds.collect::<Vec<_>>().join(" AND ");
            let _ =
                writeln!(body, "  where: {}   # line {}: its data_window", quoted(&filter), reference.line);
        }
    }

    fn write_data(&mut self, body: &mut String) {
        let signal = self.signals[0];
        let (path, comment) = place(&signal.production, collection(signal));
        let from = match &self.monitor.deployment {
            Some(id) if signal.production.path.is_none() => format!("{comment}, collected of {id}"),
            _ => comment,
        };
        let _ = writeln!(body, "data: {}   # {}", quoted(&path), one_line(&from));
        let _ = writeln!(body, "# source: NAME           # for `driftlead serve`, in place of `data`");
        if let Some((start, end)) = &signal.production.fixed {
            let span = [start, end].map(|bound| bound.clone().unwrap_or_else(|| "the end".to_owned()));
            self.note(
                signal.production.line,
                format!(
                    "production data from {} to {}: every window is judged; `--since` and `--until` of `check` bound them",
                    span[0], span[1]
                ),
            );
        }
    }

    /// The window's length, and from one end to the next.
    fn window_of(&self) -> (Duration, Duration) {
        let trigger = self.monitor.trigger;
        let length =
            self.signals[0].production.window.filter(|window| !window.is_zero()).unwrap_or(trigger.window);
        // The longest that divides both: then a window ends wherever a run would have been.
        let every = trigger.every.map(|runs| gcd(length.micros(), runs.micros()));
        let every = every.filter(|every| length.micros() / every <= MAX_PANES).map(Duration::from_micros);
        (length, every.unwrap_or(length))
    }

    fn write_window(&mut self, body: &mut String) {
        let trigger = self.monitor.trigger;
        let production = &self.signals[0].production;
        let (length, every) = self.window_of();
        let line = if production.window.is_some() { production.line } else { self.signals[0].line };
        if let Some(runs) = trigger.every.filter(|runs| *runs != every) {
            let text = if runs > length {
                format!("a run each {runs} looks at {length} of them only; here a window ends each {every}")
            } else {
                format!(
                    "a run each {runs} over {length}: here a window ends each {every}, which has to divide `length`"
                )
            };
            self.note(line, text);
        }
        let period = every.micros();
        let after = trigger.offset.micros() - production.offset.unwrap_or_default().micros();
        let offset = Duration::from_micros(after.rem_euclid(period.max(1)));
        let mut parts = format!("length: {length}");
        if every != length {
            let _ = write!(parts, ", every: {every}");
        }
        if !offset.is_zero() {
            let _ = write!(parts, ", offset: {offset}");
        }
        let why = if offset.is_zero() {
            ""
        } else {
            "   # ends when the monitor runs, less its lookback offset; UTC"
        };
        let _ = writeln!(body, "window: {{{parts}}}{why}");
        if let Some(segment) = &self.signals[0].segment {
            let _ = writeln!(body, "segments: [{}]", quoted(segment));
        }
    }

    fn kinds(&self) -> BTreeMap<String, Kind> {
        let mut kinds = self.rows.map(|rows| rows.kinds.clone()).unwrap_or_default();
        for signal in self.signals {
            kinds.extend(signal.kinds.iter().map(|(name, kind)| (name.clone(), *kind)));
        }
        kinds
    }

    /// The columns that a reference has for the model's target, which production data do not.
    fn target(&self) -> Option<(u64, String)> {
        let is_outputs = self.signals.iter().any(|signal| signal.kind == SignalKind::PredictionDrift);
        let targets = self.signals.iter().filter_map(|signal| signal.reference.as_ref());
        let found = targets.filter_map(|data| Some((data.line, data.target.clone()?))).next();
        found.filter(|(_, name)| {
            let is_named = |signal: &&Signal| signal.features.iter().flatten().any(|own| own == name);
            !is_outputs && !self.signals.iter().any(is_named)
        })
    }

    /// The features named, if every signal names its own.
    fn declared(&self) -> Option<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        for signal in self.signals {
            let own = signal.features.as_ref()?;
            names.extend(own.iter().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
        }
        Some(names)
    }

    fn write_features(&mut self, body: &mut String) {
        let mut overrides = BTreeMap::new();
        for signal in self.signals {
            overrides.extend(signal.kinds.iter().map(|(name, kind)| (name.clone(), *kind)));
        }
        let declared = self.declared();
        if self.rows.is_some() || !overrides.is_empty() {
            body.push_str(
                "\n# Azure takes whole numbers as categorical if fewer than 5 % of the rows are distinct; say so here: `NAME:\n\
                 # categorical`.\n",
            );
        } else {
            body.push('\n');
        }
        if let Some(names) = &declared {
            body.push_str("features:\n");
            for name in names {
                let kind = self.kinds().get(name).map_or("{}", |kind| kind.name());
                let _ = writeln!(body, "  {}: {kind}", quoted(name));
            }
        } else if !overrides.is_empty() {
            body.push_str("features:\n");
            for (name, kind) in &overrides {
                let _ = writeln!(body, "  {}: {}", quoted(name), kind.name());
            }
            body.push_str("  \"*\": {}               # and every other column\n");
        } else {
            body.push_str(
                "# features:              # every column is judged; name some to judge these alone\n",
            );
        }
        if let Some((line, target)) = self.target().filter(|_| declared.is_none()) {
            let _ = writeln!(body, "exclude: [{}]   # line {line}: the target column", quoted(&target));
        }
    }

    fn write_rules(&mut self, body: &mut String) {
        let mut kinds = self.kinds();
        if let Some((_, target)) = self.target() {
            kinds.remove(&target);
        }
        let declared = self.declared();
        let known = Known { kinds: &kinds, is_all: self.rows.is_some(), declared: declared.as_deref() };
        let mut notes = Vec::new();
        let list = rules(self.signals, known, &mut notes);
        self.notes.extend(notes);
        if list.iter().all(|rule| rule.is_beaten) {
            body.push_str("\n# thresholds:            # none to carry over\n");
            return;
        }
        body.push_str("\nthresholds:\n");
        for rule in &list {
            let _ = writeln!(body, "  # {}", one_line(&rule.comment));
            let beaten = if rule.is_beaten { "# " } else { "" };
            let _ = writeln!(body, "  {beaten}- {{{}}}", spelled(rule));
        }
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

fn spelled(rule: &Rule) -> String {
    let mut out = format!("metric: {}", rule.metric);
    match rule.on {
        On::PValue => out.push_str(", on: p_value"),
        // Only these compare another number if nothing is said.
        On::Value if rule.metric.has_corrected() => out.push_str(", on: value"),
        On::Value | On::Corrected => {}
    }
    if let Some(features) = &rule.features {
        let names: Vec<String> = features.iter().map(|name| quoted(name)).collect();
        let _ = write!(out, ", features: [{}]", names.join(", "));
    }
    if rule.is_below {
        let _ = write!(out, ", below: {{drift: {}}}", rule.bound);
    } else {
        let _ = write!(out, ", drift: {}", rule.bound);
    }
    out
}

/// A path for `data`, and what a person has to know about it.
fn place(data: &Data, collection: &str) -> (String, String) {
    let Some(path) = &data.path else {
        return (
            format!("azureml/{collection}/*.parquet"),
            format!("PUT here where the rows of {collection} lie"),
        );
    };
    let said = format!("line {}: {path}", data.line);
    if let Some(rest) = path.strip_prefix("azureml://") {
        let inside = rest.split_once("/paths/").map_or(rest, |(_, inside)| inside);
        let path = format!("azureml/{}", inside.trim_matches('/'));
        return (
            path,
            format!("{said}; PUT here az://CONTAINER/{inside} with the container of the datastore"),
        );
    }
    if let Some(asset) = path.strip_prefix("azureml:") {
        let (name, version) = asset.split_once([':', '@']).unwrap_or((asset, "latest"));
        let version = if version.is_empty() { "latest" } else { version };
        let which =
            if version == "latest" { "--label latest".to_owned() } else { format!("--version {version}") };
        return (
            format!("azureml/{name}/{version}/*.parquet"),
            format!(
                "{said}; PUT here where its files lie, as az:// or abfss:// (no MLTable): `az ml data show --name {name} \
                 {which} --query path`"
            ),
        );
    }
    let blob = |account: &str, rest: &str| {
        (format!("az://{rest}"), format!("{said}; set AZURE_STORAGE_ACCOUNT_NAME={account}"))
    };
    let host = |host: &str| host.split_once('.').map_or(host.to_owned(), |(account, _)| account.to_owned());
    if let Some((container, rest)) = ["wasbs://", "wasb://"]
        .iter()
        .find_map(|scheme| path.strip_prefix(scheme))
        .and_then(|rest| rest.split_once('@'))
    {
        let (at, inside) = rest.split_once('/').unwrap_or((rest, ""));
        return blob(&host(at), &format!("{container}/{inside}"));
    }
    if let Some((at, inside)) = path.strip_prefix("https://").and_then(|rest| rest.split_once('/'))
        && (at.contains(".blob.core.") || at.contains(".dfs.core."))
    {
        return blob(&host(at), inside);
    }
    (path.clone(), said)
}
