//! `driftlead demo`: a check of two months of real flights, which travel inside the program.

use std::sync::Arc;

use driftlead_connectors::dataset::Remotes;

use crate::config::Config;
use crate::exit::{Error, Result, code};
use crate::job::check::Check;
use crate::job::windows::Bounds;
use crate::output;
use crate::report::table;

/// Flights from and to Newark; see fixtures/flights/PROVENANCE.md.
const MONTHS: [(&str, &[u8]); 2] = [
    ("newark-2001-01.parquet", include_bytes!("../../fixtures/flights/newark-2001-01.parquet")),
    ("newark-2001-02.parquet", include_bytes!("../../fixtures/flights/newark-2001-02.parquet")),
];

/// Writes the two files to a folder of their own, compares them and prints the report.
///
/// # Errors
///
/// If the folder cannot be written to.
pub fn run() -> Result<u8> {
    let folder = std::env::temp_dir().join(format!("driftlead-demo-{}", std::process::id()));
    let cannot = |error: std::io::Error| {
        Error::run(format!("cannot write the demo's data to `{}`", folder.display())).because(error)
    };
    std::fs::create_dir_all(&folder).map_err(cannot)?;
    let mut paths = Vec::new();
    for (name, bytes) in MONTHS {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(cannot)?;
        paths.push(path.to_string_lossy().into_owned());
    }
    output::print(&format!(
        "Flights at Newark: did February 2001 drift from January?\n\n$ driftlead check --baseline {} {}\n\n",
        paths[0], paths[1]
    ))?;
    let check = Check {
        config: Config::first_look(),
        model_file: None,
        baseline: vec![paths[0].clone()],
        data: vec![paths[1].clone()],
        bounds: Bounds::default(),
    };
    let report = check.run(&Arc::new(Remotes::default()))?;
    output::print(&table::render(&report, table::Style::of_stdout()))?;
    output::print(&format!(
        "\nThe data stay in {}. Next: `driftlead init {} > model.yaml`\n",
        folder.display(),
        paths[0]
    ))?;
    // The demo's data drift; that it found so is a success.
    Ok(code::OK)
}
