//! `driftlead baseline`

use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    let location = output.to_string_lossy();
    let replaces = baseline::look(&location, &remotes)?;
    let loaded = baseline::build(&config, &from.paths, &remotes)?;
    baseline::write(&config, &loaded, &location, replaces, &remotes)?;
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

/// `flights.yaml` -> `flights.baseline.parquet`.
fn beside(model: &Path) -> PathBuf {
    model.with_extension("baseline.parquet")
}
