//! `driftlead baseline`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use driftlead_connectors::dataset::Remotes;

use super::{store, validate};
use crate::cli::Baseline;
use crate::config::Config;
use crate::config::fleet::{Fleet, is_service_file};
use crate::config::problem::suggest;
use crate::exit::{Error, Result, code};
use crate::job::baseline::{self, Loaded};
use crate::job::seen;
use crate::job::windows::Bounds;
use crate::output;
use crate::report::plural;

/// Builds a baseline from the model file's rows, or from what a service has counted, and writes it.
///
/// # Errors
///
/// If the rows or counts cannot be read or the file cannot be written; then nothing half-written is left.
pub fn run(args: &Baseline) -> Result<u8> {
    let model = model_file(args)?;
    let config = validate::load(&model)?;
    let Some(from) = &config.baseline else {
        return Err(Error::input(format!(
            "`{}` names no baseline: add `baseline: {{path: ...}}` to it",
            model.display()
        )));
    };
    super::use_threads(args.threads)?;
    let output = args.output.clone().unwrap_or_else(|| beside(&model));
    let remotes = Arc::new(Remotes::default());
    let location = output.to_string_lossy();
    let replaces = baseline::look(&location, &remotes)?;
    let (loaded, lines) = match &args.from_store {
        None => (baseline::build(&config, &from.paths, &remotes)?, Vec::new()),
        Some(named) => seen(&config, named, args, &remotes)?,
    };
    baseline::write(&config, &loaded, &location, replaces, &remotes)?;
    let own = &loaded.baseline;
    let mut text = format!(
        "{location}: {} of {}, baseline {}\n",
        plural(own.features().len() as u64, "feature"),
        plural(own.rows(), "row"),
        own.id().get(..12).unwrap_or_default()
    );
    for line in lines {
        text.push_str(&format!("  {line}\n"));
    }
    for skipped in &loaded.skipped {
        text.push_str(&format!("  skipped `{}`: {}\n", skipped.name, skipped.reason));
    }
    for failed in &loaded.failed {
        text.push_str(&format!("  error in `{}`: {}\n", failed.name, failed.reason));
    }
    output::print(&text)?;
    Ok(if loaded.failed.is_empty() { code::OK } else { code::INPUT })
}

/// A baseline from a store, and what to say of it.
fn seen(
    config: &Config,
    named: &Path,
    args: &Baseline,
    remotes: &Arc<Remotes>,
) -> Result<(Loaded, Vec<String>)> {
    let micros = |time: Option<crate::time::Timestamp>| time.map(crate::time::Timestamp::micros);
    let bounds = Bounds { since: micros(args.since), until: micros(args.until) };
    let seen = seen::build(config, &store::folder(named)?, bounds, remotes)?;
    let (first, end) = seen.span;
    let mut lines = vec![
        format!("made of {} from {first} to {end}", plural(seen.panes as u64, "pane")),
        "it has the cells of the old baseline; give the model a new `version` with it".to_owned(),
    ];
    lines.extend(seen.notes.into_iter().map(|note| format!("note: {note}")));
    Ok((seen.loaded, lines))
}

/// The model file: the one that is named, or the one of that name among the service's.
fn model_file(args: &Baseline) -> Result<PathBuf> {
    let named = match (&args.model, &args.from_store) {
        (Some(model), _) => return Ok(model.clone()),
        (None, Some(named)) if is_service_file(named) => named,
        _ => {
            return Err(Error::input(
                "a store knows no model file: name it, `driftlead baseline MODEL.yaml --from-store DIR`, or name the \
                 service file in place of the folder",
            ));
        }
    };
    let fleet = Fleet::load(named)?;
    let names = || fleet.models.iter().map(|own| own.config.model.as_str());
    match (&args.name, fleet.models.as_slice()) {
        (None, [only]) => Ok(only.file.clone()),
        (None, _) => Err(Error::input(format!(
            "`{}` names several models: say which with `--model NAME`, one of `{}`",
            named.display(),
            names().collect::<Vec<_>>().join("`, `")
        ))),
        (Some(name), models) => match models.iter().find(|own| own.config.model == *name) {
            Some(own) => Ok(own.file.clone()),
            None => Err(Error::input(format!(
                "`{}` has no model `{name}`: {}",
                named.display(),
                suggest(name, names())
            ))),
        },
    }
}

/// `flights.yaml` -> `flights.baseline.parquet`.
fn beside(model: &Path) -> PathBuf {
    model.with_extension("baseline.parquet")
}
