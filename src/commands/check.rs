//! `driftlead check`

use std::sync::Arc;

use driftlead_connectors::dataset::Remotes;

use super::validate;
use crate::cli::{Check, Format};
use crate::config::Config;
use crate::exit::{Error, Result};
use crate::job::check;
use crate::job::windows::Bounds;
use crate::output;
use crate::report::{exit_code, markdown, table};

/// Compares, prints the report, and tells the exit code.
///
/// # Errors
///
/// If the comparison cannot be made.
pub fn run(args: &Check) -> Result<u8> {
    let target = args.target()?;
    if let Some(note) = &target.note {
        output::complain(note);
    }
    let mut config = match &target.model {
        Some(file) => validate::load(file)?,
        None => Config::first_look(),
    };
    config.features.exclude.extend(args.exclude.iter().cloned());
    config.features.declared.retain(|feature| !args.exclude.contains(&feature.name));
    if args.filter.is_some() {
        config.filter.clone_from(&args.filter);
        config.origin.forget("where");
    }
    config.compat.extend(&args.compat);
    let baseline = match (&args.baseline[..], &config.baseline) {
        ([], Some(baseline)) => baseline.paths.clone(),
        ([], None) => {
            return Err(Error::input(
                "the model file names no baseline: add `baseline: {path: ...}` to it, or use `--baseline REF`",
            ));
        }
        (paths, _) => paths.to_vec(),
    };
    let data = if target.data.is_empty() { config.data.clone() } else { target.data };
    if data.is_empty() {
        return Err(Error::input("no data to judge: name it after the model file, or as `data:` in it"));
    }
    super::use_threads(args.threads)?;
    let check = check::Check {
        model_file: target.model.map(|file| file.display().to_string()),
        bounds: Bounds {
            since: args.since.map(crate::time::Timestamp::micros),
            until: args.until.map(crate::time::Timestamp::micros),
        },
        config,
        baseline,
        data,
    };
    let mut report = check.run(&Arc::new(Remotes::default()))?;
    if args.reproducible {
        report.make_reproducible();
    }
    match args.format {
        Format::Table => output::print(&table::render(&report, table::Style::of_stdout()))?,
        Format::Json => output::print(&format!("{}\n", report.to_json()))?,
        Format::Markdown => output::print(&markdown::render(&report))?,
    }
    Ok(exit_code(&report, args.fail_on))
}
