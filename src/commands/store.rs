//! `driftlead store`: looks after the store of a service, from outside of it.

use std::path::{Path, PathBuf};

use driftlead_connectors::store;

use crate::cli::{Store, StoreCommand};
use crate::config::fleet::{Fleet, is_service_file};
use crate::exit::{Error, Result, code};
use crate::output;

/// Checks or exports.
///
/// # Errors
///
/// There is no store, or it cannot be read; files cannot be written.
pub fn run(args: &Store) -> Result<u8> {
    match &args.command {
        StoreCommand::Check { store } => check(&folder(store)?),
        StoreCommand::Export { store, output } => export(&folder(store)?, output),
    }
}

fn check(folder: &Path) -> Result<u8> {
    let findings = store::check(folder).map_err(|error| from_store(&error))?;
    if findings.is_empty() {
        output::print(&format!("the store in {} is sound\n", folder.display()))?;
        return Ok(code::OK);
    }
    for finding in &findings {
        output::print(&format!("{}: {}\n", finding.table, finding.message))?;
    }
    let problems = if findings.len() == 1 { "problem" } else { "problems" };
    Err(Error::input(format!(
        "the store in `{}` has {} {problems}: go back to a copy, or keep it aside and start with an empty folder",
        folder.display(),
        findings.len()
    )))
}

fn export(folder: &Path, out: &Path) -> Result<u8> {
    let exported = store::export(folder, out).map_err(|error| from_store(&error))?;
    output::print(&format!(
        "{}: {} windows (windows.parquet), {} alerts (alerts.parquet)\n",
        out.display(),
        exported.windows,
        exported.alerts
    ))?;
    Ok(code::OK)
}

/// The store's folder: `named` itself, or the one that it names if it is a service file.
pub(super) fn folder(named: &Path) -> Result<PathBuf> {
    if is_service_file(named) {
        return Ok(PathBuf::from(Fleet::load(named)?.service.store));
    }
    if named.is_file() {
        return Err(Error::input(format!(
            "`{}` is neither a service file nor the folder of a store",
            named.display()
        )));
    }
    Ok(named.to_owned())
}

/// An error of the store as one of the driver.
pub(super) fn from_store(error: &driftlead_connectors::Error) -> Error {
    match error.kind() {
        driftlead_connectors::ErrorKind::Unavailable => Error::run(error.to_string()),
        _ => Error::input(error.to_string()),
    }
}
