//! `driftlead baseline`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use driftlead_connectors::baseline_file;
use driftlead_connectors::dataset::Remotes;

use super::validate;
use crate::cli::Baseline;
use crate::exit::{Error, Result, code};
use crate::job::baseline;
use crate::output;
use crate::report::plural;

/// Builds a baseline from the model file's rows and writes it.
///
/// # Errors
///
/// If the rows cannot be read or the file cannot be written; then nothing half-written is left.
pub fn run(args: &Baseline) -> Result<u8> {
    let config = validate::load(&args.model)?;
    let Some(from) = &config.baseline else {
        return Err(Error::input(format!(
            "`{}` names no baseline: add `baseline: {{path: ...}}` to it",
            args.model.display()
        )));
    };
    super::use_threads(args.threads)?;
    let output = args.output.clone().unwrap_or_else(|| beside(&args.model));
    let remotes = Arc::new(Remotes::default());
    ensure_writable(&output, &remotes)?;
    let loaded = baseline::build(&config, &from.paths, &remotes)?;
    let location = output.to_string_lossy();
    baseline::write(&config, &loaded, &location, &remotes)?;
    let own = &loaded.baseline;
    let mut text = format!(
        "{location}: {} of {}, baseline {}\n",
        plural(own.features().len() as u64, "feature"),
        plural(own.rows(), "row"),
        own.id().get(..12).unwrap_or_default()
    );
    for skipped in &loaded.skipped {
        text.push_str(&format!("  skipped `{}`: {}\n", skipped.name, skipped.reason));
    }
    for failed in &loaded.failed {
        text.push_str(&format!("  error in `{}`: {}\n", failed.name, failed.reason));
    }
    output::print(&text)?;
    Ok(if loaded.failed.is_empty() { code::OK } else { code::INPUT })
}

/// Refuses to write over a file that is something else than an older baseline, and into a folder that is not there:
/// before the rows are read, which may take long.
fn ensure_writable(output: &Path, remotes: &Remotes) -> Result<()> {
    if output.to_string_lossy().contains("://") {
        return Ok(());
    }
    let place = output.display();
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(Error::input(format!(
            "cannot write `{place}`: there is no folder `{}`",
            folder.display()
        )));
    }
    if output.is_dir() {
        return Err(Error::input(format!("`{place}` is a folder: name a file in it")));
    }
    if output.exists() && !baseline_file::is_baseline(&output.to_string_lossy(), remotes).unwrap_or(false) {
        return Err(Error::input(format!(
            "`{place}` exists and is no baseline file: it is not written over; choose another name, or remove it first"
        )));
    }
    Ok(())
}

/// `flights.yaml` -> `flights.baseline.parquet`.
fn beside(model: &Path) -> PathBuf {
    model.with_extension("baseline.parquet")
}
