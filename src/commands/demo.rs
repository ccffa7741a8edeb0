//! `driftlead demo`: the service at work on half a year of real flights, which travel inside the program.
//!
//! It is the service that `driftlead serve` runs, with a folder of Parquet files for a source: windows close as their days
//! go by, alerts open and are resolved. Only the replay is faster than life.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use driftlead_connectors::dataset::Remotes;
use driftlead_connectors::store::Retention;

use crate::clock::{Clock, SystemClock};
use crate::exit::{Error, Result, code};
use crate::output;
use crate::report::wire::{Cell, Feature, Window};
use crate::report::{Verdict, number};
use crate::serve::Service;
use crate::serve::plan::{Plan, SourceKind, SourcePlan};
use crate::serve::wire::{Alert, Body, Status};

/// Flights from and to Newark; see fixtures/flights/PROVENANCE.md.
const MONTHS: [(&str, &[u8]); 6] = [
    ("newark-2001-01.parquet", include_bytes!("../../fixtures/flights/newark-2001-01.parquet")),
    ("newark-2001-02.parquet", include_bytes!("../../fixtures/flights/newark-2001-02.parquet")),
    ("newark-2001-03.parquet", include_bytes!("../../fixtures/flights/newark-2001-03.parquet")),
    ("newark-2001-04.parquet", include_bytes!("../../fixtures/flights/newark-2001-04.parquet")),
    ("newark-2001-05.parquet", include_bytes!("../../fixtures/flights/newark-2001-05.parquet")),
    ("newark-2001-06.parquet", include_bytes!("../../fixtures/flights/newark-2001-06.parquet")),
];

const MODEL: &str = "\
model: newark
version: \"2001-01\"
baseline: data/newark-2001-01.parquet   # January, as the model was trained
source: flights
time: date
window: {length: 1d, out_of_orderness: 0s, lateness: 0s}
features: {delay: numeric, distance: numeric}
alert: {windows: 1 of 1, resolve_after: 1}
";

const SERVICE: &str = "\
store: ./state
models: [model.yaml]
sources:
  flights: {files: {path: data}}
";

/// Writes the data and the settings to a folder, runs the service over them, and prints what it says.
///
/// # Errors
///
/// If the folder cannot be written to.
pub fn run() -> Result<u8> {
    let folder = std::env::temp_dir().join(format!("driftlead-demo-{}", std::process::id()));
    let cannot = |error: std::io::Error| {
        Error::run(format!("cannot write the demo's data to `{}`", folder.display())).because(error)
    };
    let data = folder.join("data");
    std::fs::create_dir_all(&data).map_err(cannot)?;
    for (name, bytes) in MONTHS {
        std::fs::write(data.join(name), bytes).map_err(cannot)?;
    }
    std::fs::write(folder.join("model.yaml"), MODEL).map_err(cannot)?;
    std::fs::write(folder.join("service.yaml"), SERVICE).map_err(cannot)?;
    output::print(&format!(
        "Real flights at Newark, January to June 2001, replayed through the service: a window a day,\n\
         compared with January.\n\n$ driftlead serve {}\n\n",
        folder.join("service.yaml").display()
    ))?;
    let days = replay(&folder, &data)?;
    output::print(&format!(
        "\n{days} days judged. The data and the store stay in {folder}. Next:\n  \
         driftlead check {folder}/model.yaml {folder}/data/newark-2001-02.parquet    # the same days as a batch job\n  \
         driftlead init {folder}/data/newark-2001-01.parquet                         # a model file to begin with\n",
        folder = folder.display()
    ))?;
    Ok(code::OK)
}

/// Runs the service until its files are read, printing each verdict and alert; answers how many windows there were.
fn replay(folder: &Path, data: &Path) -> Result<usize> {
    let (sender, heard) = crossbeam_channel::unbounded();
    let plan = Plan {
        file: Some(folder.join("service.yaml")),
        store: folder.join("state"),
        models: vec![folder.join("model.yaml")],
        sources: vec![SourcePlan::json(
            "flights",
            SourceKind::Files { paths: vec![data.display().to_string()], every: None },
        )],
        sinks: Vec::new(),
        commit_every: Duration::from_secs(2),
        listener: Some(sender),
        retention: Retention::default(),
    };
    std::fs::create_dir_all(&plan.store)
        .map_err(|error| Error::run(format!("cannot make `{}`", plan.store.display())).because(error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::run("cannot start the runtime").because(error))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let service = Service::start(plan, &Arc::new(Remotes::default()), &clock, runtime.handle())?;
    let mut days = 0;
    // The channel closes when the service has ended.
    for body in heard {
        match body {
            Body::Verdict(verdict) => {
                days += 1;
                output::print(&verdict_line(&verdict.window))?;
            }
            Body::Alert(alert) => output::print(&alert_line(&alert))?,
            Body::Gap(_) | Body::Diagnostic(_) => {}
        }
    }
    service.wait()?;
    Ok(days)
}

/// `2001-02-15  drift  356 rows  delay psi 1.32: > 43, 5.4% → 23%`.
fn verdict_line(window: &Window) -> String {
    let day = window.start.map(|start| start.to_string()[..10].to_owned()).unwrap_or_default();
    let worst = window.features.iter().find(|feature| feature.verdict == Verdict::Drift);
    format!(
        "{day}  {:<12} {:>4} rows{}\n",
        window.verdict.name(),
        window.rows,
        worst.map(|feature| format!("  {}", describe(feature))).unwrap_or_default()
    )
}

fn describe(feature: &Feature) -> String {
    let psi = feature.metrics.of(driftlead_engine::Metric::Psi).and_then(|psi| psi.value);
    let moved: Vec<String> = feature.top.iter().take(1).map(cell).collect();
    format!("{} psi {}: {}", feature.name, psi.map(number).unwrap_or_default(), moved.join("; "))
}

fn cell(cell: &Cell) -> String {
    format!("{} was {:.1} %, is {:.1} %", cell.label, 100.0 * cell.baseline, 100.0 * cell.window)
}

fn alert_line(alert: &Alert) -> String {
    let causes: Vec<&str> = alert.causes.iter().map(|cause| cause.feature.as_str()).collect();
    let what = match alert.status {
        Status::Open => format!("opened, {}: {} drifts", alert.severity, causes.join(", ")),
        Status::Update => format!("goes on, {}: {}", alert.severity, causes.join(", ")),
        Status::Resolved => format!("resolved: {}", alert.reason.as_deref().unwrap_or_default()),
    };
    format!("            ==> alert {} {what}\n", &alert.id[..8])
}
