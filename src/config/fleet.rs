//! A service file and the model files that it names, read and checked together.
//!
//! What no file can tell by itself is checked here: that the sources and sinks of models exist, that models have names
//! of their own, and that each has what a stream needs. Every problem of every file is reported at once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use driftlead_engine::Metric;

use super::problem::{closest, suggest};
use super::service::{Input, Service, Source, Topics, is_service};
use super::{Config, view};
use crate::exit::{Error, Result};

/// A service and its models.
#[derive(Clone, Debug, PartialEq)]
pub struct Fleet {
    /// The service.
    pub service: Service,
    /// Its models, in the order of their files; at least one.
    pub models: Vec<Model>,
}

/// A model and its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The file.
    pub file: PathBuf,
    /// What it says; has a source of the service, a baseline, and windows.
    pub config: Config,
}

impl Fleet {
    /// Reads the service file `file` and the models that it names.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or has problems, or the files do not fit together; all of it is in the message.
    pub fn load(file: &Path) -> Result<Self> {
        let service = Service::parse(file, &read(file, "service")?)?;
        let mut wrong: Vec<String> = Vec::new();
        let mut files: Vec<PathBuf> = Vec::new();
        for pattern in &service.models {
            match expand(pattern) {
                Ok(found) => {
                    // `*.yaml` in the service's own folder finds the service too.
                    let found: Vec<PathBuf> = found.into_iter().filter(|found| found != file).collect();
                    if found.is_empty() {
                        let message = format!("`{pattern}` matches no file: a model file is needed");
                        wrong.push(service.origin.locate("models", pattern, &message));
                    }
                    files.extend(found);
                }
                Err(error) => {
                    let message = format!("cannot look for `{pattern}`: {error}");
                    wrong.push(service.origin.locate("models", pattern, &message));
                }
            }
        }
        files.sort();
        files.dedup();
        let mut models: Vec<Model> = Vec::new();
        for file in files {
            match read(&file, "model").and_then(|text| Ok(Config::parse(&file, &text)?)) {
                Ok(config) => models.push(Model { file, config }),
                Err(error) => wrong.push(error.chain()),
            }
        }
        let mut names: BTreeMap<&str, &Path> = BTreeMap::new();
        for Model { file, config } in &models {
            check(&service, config, &mut wrong);
            if let Some(first) = names.insert(&config.model, file) {
                let message =
                    format!("there are two models `{}`: the other is `{}`", config.model, first.display());
                wrong.push(config.origin.locate("model", &config.model, &message));
            }
        }
        if wrong.is_empty() { Ok(Self { service, models }) } else { Err(Error::input(wrong.join("\n"))) }
    }

    /// What the files mean, a line a setting, with the secrets that are missing here.
    #[must_use]
    pub fn view(&self, environment: impl Fn(&str) -> Option<String>) -> String {
        let mut text = super::service::view::text(&self.service);
        for Model { file, config } in &self.models {
            let sinks = match config.sinks.as_slice() {
                [] => "no sink".to_owned(),
                sinks => sinks.join(", "),
            };
            let _ = writeln!(
                text,
                "{:<12} {} {}: {} -> {sinks} ({})",
                "model",
                config.model,
                config.version,
                config.source.as_deref().unwrap_or_default(),
                file.display()
            );
            for window in &config.windows {
                let _ = writeln!(text, "{:<12} {}", "  window", view::describe_window(window));
            }
        }
        for source in &self.service.sources {
            if self.models.iter().all(|model| model.config.source.as_ref() != Some(&source.name)) {
                let _ = writeln!(text, "{:<12} no model reads the source {}", "note", source.name);
            }
        }
        let missing =
            self.service.secrets().into_iter().filter_map(|setting| setting.open(&environment).err());
        let mut missing: Vec<String> = missing.collect();
        missing.sort();
        missing.dedup();
        for message in missing {
            let _ = writeln!(text, "{:<12} {message}", "note");
        }
        text
    }
}

/// What `serve` needs of a model, and the service has to have for it.
fn check(service: &Service, config: &Config, wrong: &mut Vec<String>) {
    let of_model = |message: &str| config.origin.locate("model", &config.model, message);
    match &config.source {
        None => {
            let example = service.sources.first().map_or("flights", |source| &source.name);
            let message =
                format!("model `{}` names no source: write such as `source: {example}`", config.model);
            wrong.push(of_model(&message));
        }
        Some(name) if service.source(name).is_none() => {
            let hint = suggest(name, service.sources.iter().map(|source| source.name.as_str()));
            let message = format!("the service has no source `{name}`: {hint}");
            wrong.push(config.origin.locate("source", name, &message));
        }
        Some(_) => {}
    }
    for name in config.sinks.iter().filter(|name| service.sink(name).is_none()) {
        let hint = suggest(name, service.sinks.iter().map(|sink| sink.name.as_str()));
        wrong.push(config.origin.locate("sinks", name, &format!("the service has no sink `{name}`: {hint}")));
    }
    if config.baseline.is_none() {
        let message =
            format!("model `{}` has no baseline: write such as `baseline: train/*.parquet`", config.model);
        wrong.push(of_model(&message));
    }
    if config.windows.iter().any(|window| !window.is_cut()) {
        let message = format!(
            "model `{}` cuts time into no windows, and a stream has no end: write `time: COLUMN` and such as `window: \
             {{length: 1h}}`, or `window: {{rows: 10000}}`",
            config.model
        );
        wrong.push(of_model(&message));
    }
    if let (Some(window), Some(source)) =
        (config.windows.iter().find(|window| window.rows.is_some()), config.source.as_ref())
        && let Some(why) = service.source(source).and_then(without_order)
    {
        let message = format!(
            "window `{}` of model `{}` is of rows in their order, and the rows of source `{source}` have none: {why}; cut \
             event time with such as `length: 1h`, or name a source of one partition",
            window.name, config.model
        );
        wrong.push(of_model(&message));
    }
    if config.time.is_none() && config.rules.iter().any(|rule| rule.rule.metric() == Metric::Freshness) {
        let message = format!(
            "model `{}` bounds `freshness`, which is asked of event time: write `time: COLUMN`, or leave out the rule",
            config.model
        );
        wrong.push(of_model(&message));
    }
}

/// Why the rows of a source are in no order that is theirs alone, as far as its settings tell (SEMANTICS S26). A topic may
/// still turn out to have several partitions: that is found when they are assigned.
fn without_order(source: &Source) -> Option<String> {
    match &source.input {
        Input::Kafka { topics: Topics::Named(names), .. } if names.len() == 1 => None,
        Input::Kafka { topics: Topics::Named(names), .. } => Some(format!("it reads {} topics", names.len())),
        Input::Kafka { topics: Topics::Pattern(pattern), .. } => {
            Some(format!("it reads every topic that matches `{pattern}`"))
        }
        Input::Ingest { .. } => Some("requests of several clients come in any order".to_owned()),
        Input::Files { .. } | Input::Lines { .. } | Input::Stdin => None,
    }
}

/// The text of the file of a `what`.
fn read(file: &Path, what: &str) -> Result<String> {
    let cannot = |reason: String| {
        Error::input(format!("cannot read the {what} file `{}`", file.display())).because(reason)
    };
    let bytes = std::fs::read(file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            let shown = file.display();
            let hint = near(file).unwrap_or_else(|| match what {
                "model" => format!("`driftlead init DATA -o {shown}` writes one"),
                _ => "docs/configuration.md shows one".to_owned(),
            });
            Error::input(format!("there is no {what} file `{shown}`: {hint}"))
        }
        ErrorKind::PermissionDenied => cannot("permission denied; allow this user to read it".to_owned()),
        ErrorKind::IsADirectory => cannot("it is a folder: name a file in it".to_owned()),
        _ => cannot(error.to_string()),
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        cannot(format!("byte {} is not UTF-8 text: is this a data file?", error.utf8_error().valid_up_to()))
    })?;
    match what {
        "model" if is_service(&text) => {
            Err(cannot("it describes a service: expected a model, which has a key `model`".to_owned()))
        }
        _ => Ok(text),
    }
}

/// `did you mean` for a file that is not there, if another in its folder has a name like it.
fn near(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let models =
        names.iter().map(String::as_str).filter(|name| name.ends_with(".yaml") || name.ends_with(".yml"));
    // The ending is the same in all and says nothing about how alike two names are.
    let stem = |name: &str| name.rsplit_once('.').map_or(name.to_owned(), |(stem, _)| stem.to_owned());
    let stems: Vec<(String, &str)> = models.map(|name| (stem(name), name)).collect();
    let close = closest(&stem(name), stems.iter().map(|(stem, _)| stem.as_str()))?;
    let (_, name) = stems.iter().find(|(stem, _)| stem == close)?;
    Some(format!("did you mean `{}`?", file.with_file_name(name).display()))
}

/// Reads the text of a model file.
///
/// # Errors
///
/// It cannot be read, is no text, or describes a service.
pub fn read_model(file: &Path) -> Result<String> {
    read(file, "model")
}

/// Whether the file describes a service rather than a model; false if it cannot be read.
#[must_use]
pub fn is_service_file(file: &Path) -> bool {
    std::fs::read_to_string(file).is_ok_and(|text| is_service(&text))
}

/// The files that `pattern` names, sorted: itself; those of a folder whose names end in `.yaml` or `.yml`; or those that
/// match, where `*` and `?` stand for characters of one name. Names that begin with a dot are found only if spelled.
fn expand(pattern: &str) -> std::io::Result<Vec<PathBuf>> {
    let path = Path::new(pattern);
    if path.is_dir() {
        let ends = |name: &str| matches(b"*.yaml", name.as_bytes()) || matches(b"*.yml", name.as_bytes());
        let is_yaml = |name: &str| !name.starts_with('.') && ends(name);
        return list(path, &is_yaml);
    }
    let mut found = vec![PathBuf::new()];
    for part in path.components() {
        let part = part.as_os_str();
        let wild = part.to_str().filter(|text| text.contains(['*', '?']));
        let mut next = Vec::new();
        for base in found {
            match wild {
                Some(wild) => {
                    let hides = !wild.starts_with('.');
                    let accepts = |name: &str| {
                        !(hides && name.starts_with('.')) && matches(wild.as_bytes(), name.as_bytes())
                    };
                    next.extend(list(&base, &accepts)?);
                }
                None => next.push(base.join(part)),
            }
        }
        found = next;
    }
    // A path without a pattern that does not exist is no match either.
    found.retain(|found| found.is_file());
    found.sort();
    Ok(found)
}

/// The entries of `folder` whose names are accepted, sorted; none if there is no such folder.
fn list(folder: &Path, accepts: &dyn Fn(&str) -> bool) -> std::io::Result<Vec<PathBuf>> {
    let shown = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut found = Vec::new();
    if !shown.is_dir() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(shown)? {
        let name = entry?.file_name();
        if name.to_str().is_some_and(accepts) {
            found.push(folder.join(name));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether `*` (any characters) and `?` (one) of `pattern` can stand for what is in `name`.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // A star is tried with ever more characters; the last one alone may have to give way.
    let (mut at, mut of) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < name.len() {
        match pattern.get(of) {
            Some(b'*') => {
                retry = Some((of, at));
                of += 1;
            }
            Some(c) if *c == b'?' || *c == name[at] => (at, of) = (at + 1, of + 1),
            _ => match &mut retry {
                Some((star, from)) => {
                    *from += 1;
                    (at, of) = (*from, *star + 1);
                }
                None => return false,
            },
        }
    }
    pattern[of..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "\
store: state
models: models
sources: {flights: {ingest: {}}}
sinks: {oncall: {stdout: {}}, record: {file: {path: e.ndjson}}}
";

    const MODEL: &str = "\
model: flights
source: flights
baseline: train.parquet
time: date
window: {length: 1h}
sinks: [oncall]
";

    fn load(service: &str, models: &[(&str, &str)]) -> (tempfile::TempDir, Result<Fleet>) {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("service.yaml");
        std::fs::write(&file, service).expect("written");
        std::fs::create_dir(folder.path().join("models")).expect("folder");
        for (name, text) in models {
            std::fs::write(folder.path().join("models").join(name), text).expect("written");
        }
        let fleet = Fleet::load(&file);
        (folder, fleet)
    }

    #[test]
    fn a_service_is_read_with_its_models() {
        let second = MODEL.replace("model: flights", "model: second");
        let (_folder, fleet) = load(SERVICE, &[("b.yml", MODEL), ("a.yaml", &second), ("c.txt", "no model")]);
        let fleet = fleet.expect("valid");
        let names: Vec<_> = fleet.models.iter().map(|model| model.config.model.as_str()).collect();
        assert_eq!(names, ["second", "flights"]);
    }

    #[test]
    fn what_does_not_fit_together_is_said_of_every_file_at_once() {
        let strange = "model: strange\nsource: flihgts\nsinks: [oncal, record, azure]\nbaseline: t.parquet\n";
        let (_folder, fleet) = load(
            SERVICE,
            &[
                ("a.yaml", MODEL),
                ("b.yaml", MODEL),
                ("c.yaml", strange),
                ("d.yaml", "model: bare\n"),
                ("e.yaml", "modle: x\n"),
            ],
        );
        let error = fleet.expect_err("refused");
        assert_eq!(error.code(), crate::exit::code::INPUT);
        let message = error.chain();
        for expected in [
            "b.yaml:1:8: there are two models `flights`: the other is `",
            "c.yaml:2:9: the service has no source `flihgts`: did you mean `flights`?",
            "c.yaml:3:9: the service has no sink `oncal`: did you mean `oncall`?",
            "c.yaml:3:24: the service has no sink `azure`: expected one of `oncall`, `record`",
            "c.yaml:1:8: model `strange` cuts time into no windows",
            "d.yaml:1:8: model `bare` names no source: write such as `source: flights`",
            "d.yaml:1:8: model `bare` has no baseline",
            "e.yaml:1:1: unknown key `modle`",
        ] {
            assert!(message.contains(expected), "{expected}\n---\n{message}");
        }
    }

    #[test]
    fn patterns_that_match_nothing_and_files_of_services_are_refused() {
        let service = SERVICE.replace("models: models", "models: [models/*.yaml, none/*.yaml, no.yaml]");
        let (_folder, fleet) = load(&service, &[("a.yaml", MODEL), ("s.yaml", SERVICE)]);
        let message = fleet.expect_err("refused").chain();
        for expected in ["none/*.yaml` matches no file", "no.yaml` matches no file", "it describes a service"]
        {
            assert!(message.contains(expected), "{expected}\n---\n{message}");
        }
        assert!(message.contains("service.yaml:2:25: "), "{message}");
    }

    #[test]
    fn stars_and_question_marks_stand_for_characters_of_a_name() {
        for (pattern, name, expected) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", ".yaml", true),
            ("*.yaml", "a.yml", false),
            ("a?c*", "abc", true),
            ("a?c*", "ac", false),
            ("*a*b", "xaybab", true),
            ("*a*b", "xayba", false),
            ("", "", true),
            ("**", "anything", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
        let folder = tempfile::tempdir().expect("folder");
        for name in ["a/x.yaml", "b/x.yaml", "b/.y.yaml", "b/z.yml"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("folder")).expect("folders");
            std::fs::write(path, "").expect("written");
        }
        let found = |pattern: &str| {
            let found = expand(&format!("{}/{pattern}", folder.path().display())).expect("listed");
            found
                .iter()
                .map(|path| path.strip_prefix(folder.path()).expect("below").display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(found("*/*.yaml"), ["a/x.yaml", "b/x.yaml"]);
        assert_eq!(found("b/.*.yaml"), ["b/.y.yaml"]);
        assert_eq!(found("b"), ["b/.y.yaml", "b/x.yaml", "b/z.yml"][1..]);
        assert_eq!(found("c/*.yaml"), [""; 0]);
    }

    #[test]
    fn the_view_says_which_secrets_are_missing_and_which_source_nobody_reads() {
        let service = SERVICE
            .replace("{ingest: {}}", "{ingest: {}}, spare: {stdin: {}}")
            .replace("stdout: {}", "webhook: {url: \"${HOOK}\", secret: \"${KEY}\"}");
        let (_folder, fleet) = load(&service, &[("a.yaml", MODEL)]);
        let view = fleet.expect("valid").view(|name| (name == "HOOK").then(|| "https://s3cr3t".to_owned()));
        assert!(!view.contains("s3cr3t") && view.contains("webhook to *** from HOOK"), "{view}");
        assert!(view.contains("the environment variable `KEY` is not set"), "{view}");
        assert!(view.contains("no model reads the source spare"), "{view}");
        assert!(view.contains("flights unversioned: flights -> oncall ("), "{view}");
    }
}
