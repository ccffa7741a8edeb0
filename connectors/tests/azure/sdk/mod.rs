//! Microsoft's own Python clients beside ours, at the same servers with the same records: what both send is compared, and
//! every difference is one that is listed here. `scripts/azure-sdk` installs them; `client.py` makes them send.

mod entra;
mod insights;
mod logs;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value as Json;
use url::Url;

use crate::stub::Request;

/// What became of a step.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    /// What the client says if it is not content.
    pub(crate) said: Option<String>,
    /// How long it would have waited between its attempts, in seconds.
    pub(crate) sleeps: Vec<f64>,
}

/// Makes the official clients do these steps, in a process of their own without anything of this one's environment.
pub(crate) fn official(steps: &[Json]) -> Vec<Told> {
    let home = tempfile::tempdir().expect("a folder");
    let mut python = Command::new(python())
        .arg(root().join("connectors/tests/azure/sdk/client.py"))
        .env_clear()
        .env("HOME", home.path())
        .env("TMPDIR", home.path())
        .env("NO_PROXY", "*")
        // What the exporter would say of itself, and ask, elsewhere.
        .env("APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL", "true")
        .env("APPLICATIONINSIGHTS_SDKSTATS_DISABLED", "true")
        .env("APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED", "true")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let mut input = python.stdin.take().expect("its input");
    input.write_all(Json::from(steps).to_string().as_bytes()).expect("written");
    drop(input);
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the clients failed");
    let all: Vec<Json> = serde_json::from_slice(&output.stdout).expect("results");
    assert_eq!(all.len(), steps.len());
    let told = |own: &Json| Told {
        said: own["said"].as_str().map(str::to_owned),
        sleeps: own["sleeps"].as_array().expect("a list").iter().filter_map(Json::as_f64).collect(),
    };
    all.iter().map(told).collect()
}

/// The same, for one step with which the client has to be content.
pub(crate) fn official_well(step: Json) {
    let told = official(&[step]);
    assert_eq!(told, [Told { said: None, sleeps: Vec::new() }]);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let script = Command::new(root().join("scripts/azure-sdk"))
            .stderr(Stdio::inherit())
            .output()
            .expect("bash runs");
        assert!(script.status.success(), "scripts/azure-sdk could not install the clients");
        String::from_utf8(script.stdout).expect("a path").trim().into()
    })
}

/// By which headers two requests may differ.
pub(crate) struct Allowed {
    /// What only ours has.
    pub(crate) ours: &'static [&'static str],
    /// What only theirs has.
    pub(crate) theirs: &'static [&'static str],
    /// What both have, with other values.
    pub(crate) values: &'static [&'static str],
}

/// Compares all but the body. The clients of Python say of every connection that it stays open, and name two ways of
/// compressing an answer, of which none of these services makes use; ours says neither.
pub(crate) fn compare(ours: &Request, theirs: &Request, allowed: &Allowed) {
    const THEIRS: [&str; 2] = ["accept-encoding", "connection"];
    const VALUES: [&str; 2] = ["content-length", "user-agent"];
    assert_eq!(ours.method, theirs.method);
    assert_eq!(target(ours), target(theirs), "{} and {}", ours.target, theirs.target);
    let (own, other) = (headers(ours), headers(theirs));
    let only = |one: &BTreeMap<String, String>, two: &BTreeMap<String, String>| -> BTreeSet<String> {
        one.keys().filter(|name| !two.contains_key(*name)).cloned().collect()
    };
    let set = |names: &[&[&str]]| -> BTreeSet<String> {
        names.iter().flat_map(|names| names.iter()).map(|name| (*name).to_owned()).collect()
    };
    assert_eq!(only(&own, &other), set(&[allowed.ours]), "headers of ours alone: {ours:?}");
    assert_eq!(only(&other, &own), set(&[allowed.theirs, &THEIRS]), "headers of theirs alone: {theirs:?}");
    let differ = set(&[allowed.values, &VALUES]);
    for (name, value) in &own {
        if let Some(theirs) = other.get(name).filter(|_| !differ.contains(name)) {
            assert_eq!(value, theirs, "`{name}`");
        }
    }
    // An allowance that nobody makes use of would hide what changes.
    for name in allowed.values {
        assert_ne!(own.get(*name).expect(name), other.get(*name).expect(name), "`{name}` is the same");
    }
}

/// The path, and what is asked for, with nothing escaped: who escapes more than he must asks the same.
pub(crate) fn target(request: &Request) -> (String, Vec<(String, String)>) {
    let url = Url::parse("http://127.0.0.1").and_then(|base| base.join(&request.target)).expect("a target");
    (url.path().to_owned(), url.query_pairs().into_owned().collect())
}

fn headers(request: &Request) -> BTreeMap<String, String> {
    let all: BTreeMap<String, String> = request.headers.iter().cloned().collect();
    assert_eq!(all.len(), request.headers.len(), "a header stands twice: {request:?}");
    all
}
