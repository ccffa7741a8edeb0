//! Queries, read by the language's own parser with the tables of a template: a column that is not there is an error.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};

const PACKAGE: &str = "@kusto/language-service-next";
const VERSION: &str = "12.4.1";

/// Takes `{tables: [[name, columns]], queries: [text]}` and gives the messages for each query.
const RUN: &str = "const [root] = process.argv.slice(1);
globalThis.self = globalThis;
require(root + '/bridge.min.js');
require(root + '/Kusto.Language.Bridge.min.js');
const { tables, queries } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const { GlobalState, KustoCode, Symbols } = Kusto.Language;
const symbols = tables.map(([name, columns]) => new Symbols.TableSymbol.$ctor7(name, columns, null));
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor('db', symbols));
console.log(JSON.stringify(queries.map((query) => {
  const found = KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics();
  return Array.from({ length: found.Count }, (_, at) => found.getItem(at).Message);
})));";

/// What the parser says of each query, with the tables of this template.
pub(crate) fn parse(template: &Json, queries: &[String]) -> Vec<Vec<String>> {
    let kind = "Microsoft.OperationalInsights/workspaces/tables";
    let made = template["resources"].as_array().expect("a list").iter().filter(|own| own["type"] == kind);
    let tables: Vec<Json> = made
        .map(|own| {
            let schema = &own["properties"]["schema"];
            let columns: Vec<String> = schema["columns"]
                .as_array()
                .expect("columns")
                .iter()
                .map(|own| {
                    let kind =
                        own["type"].as_str().expect("a type").to_lowercase().replace("boolean", "bool");
                    format!("{}: {kind}", own["name"].as_str().expect("a name"))
                })
                .collect();
            json!([schema["name"], format!("({})", columns.join(", "))])
        })
        .collect();
    assert!(!tables.is_empty());
    let mut process = Command::new("node")
        .args(["-e", RUN, "--"])
        .arg(install().join("node_modules").join(PACKAGE))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs: install Node.js to run these tests");
    let mut input = process.stdin.take().expect("its input");
    input.write_all(json!({"tables": tables, "queries": queries}).to_string().as_bytes()).expect("written");
    drop(input);
    let output = process.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the parser failed");
    let all: Vec<Vec<String>> = serde_json::from_slice(&output.stdout).expect("messages");
    assert_eq!(all.len(), queries.len());
    all
}

/// The folder with the parser. Test binaries that run at the same time install it once.
fn install() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kusto-{VERSION}"));
    fs::create_dir_all(&root).expect("a folder");
    let lock = File::create(root.join("lock")).expect("a lock");
    lock.lock().expect("locked");
    let done = root.join("installed");
    if !done.exists() {
        let status = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--no-save", "--loglevel=error", "--prefix"])
            .arg(&root)
            .arg(format!("{PACKAGE}@{VERSION}"))
            .stdout(Stdio::null())
            .status()
            .expect("npm runs: install Node.js with npm to run these tests");
        assert!(status.success(), "npm could not install {PACKAGE}@{VERSION}");
        File::create(done).expect("a mark");
    }
    root
}
