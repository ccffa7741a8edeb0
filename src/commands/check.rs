//! `driftlead check`

use std::path::Path;
use std::sync::Arc;

use driftlead_connectors::dataset::Remotes;

use super::validate;
use crate::azure::outputs;
use crate::cli::{Check, Format};
use crate::config::problem::suggest;
use crate::config::{Compat, Config};
use crate::exit::{Error, Result};
use crate::job::check;
use crate::job::compat::azureml::Extract;
use crate::job::windows::Bounds;
use crate::output;
use crate::report::wire::Report;
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
    if let Some(folder) = &args.azureml {
        ensure_new(folder)?;
        config.compat.push(Compat::AzureMl);
    }
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
    let mut extracts = Vec::new();
    let wanted = args.azureml.is_some().then_some(&mut extracts);
    let mut report = check.run_with(&Arc::new(Remotes::default()), wanted)?;
    if let Some(folder) = &args.azureml {
        write_outputs(folder, &report, &extracts, &args.predictions)?;
    }
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

/// Refuses a folder that holds something: a reader would take old files for new ones.
fn ensure_new(folder: &Path) -> Result<()> {
    let is_taken =
        folder.is_file() || std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if is_taken {
        return Err(Error::input(format!(
            "`--azureml {}` is there already and is not written over: name a new folder",
            folder.display()
        )));
    }
    output::ensure_folder(folder)
}

/// Writes what the monitor of Azure ML would have left, the manifests last.
fn write_outputs(folder: &Path, report: &Report, extracts: &[Extract], predictions: &[String]) -> Result<()> {
    let judged = report.windows.iter().flat_map(|window| &window.features);
    let known: Vec<&str> = judged.map(|feature| feature.name.as_str()).collect();
    if let Some(unknown) = predictions.iter().find(|name| !known.contains(&name.as_str())) {
        let hint = suggest(unknown, known.into_iter().collect::<std::collections::BTreeSet<_>>());
        return Err(Error::input(format!("`--predictions` names `{unknown}`, which is not judged: {hint}")));
    }
    let (files, notes) = outputs::files(report, extracts, predictions)?;
    if files.is_empty() {
        return Err(Error::input("no window has rows, so there is nothing for `--azureml` to write"));
    }
    for note in notes {
        output::complain(&format!("note: {note}"));
    }
    for file in files {
        let path = folder.join(&file.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| {
                Error::input(format!("cannot make the folder `{}`", parent.display())).because(error)
            })?;
        }
        output::write_file(&path, &file.bytes)?;
    }
    Ok(())
}
