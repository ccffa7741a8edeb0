//! `driftlead baseline`

use std::path::PathBuf;
use std::sync::Arc;

use driftlead_connectors::dataset::Remotes;

use super::validate;
use crate::cli::Baseline;
use crate::exit::{Error, Result, code};
use crate::job::baseline;
use crate::output;

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
    let loaded = baseline::build(&config, &from.paths, &remotes)?;
    let location = output.to_string_lossy();
    baseline::write(&config, &loaded, &location, &remotes)?;
    let own = &loaded.baseline;
    let mut text = format!(
        "{location}: {} features of {} rows, baseline {}\n",
        own.features().len(),
        own.rows(),
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
fn beside(model: &std::path::Path) -> PathBuf {
    model.with_extension("baseline.parquet")
}
