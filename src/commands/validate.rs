//! `driftlead validate`: every problem of a model or service file, or what it means.

use std::path::Path;

use crate::cli::{SchemaOf, Validate};
use crate::config::fleet::{self, Fleet};
use crate::config::{Config, schema, view};
use crate::exit::{Result, code};
use crate::output;

/// Prints the resolved settings, or a schema. A service file is read with the models that it names.
///
/// # Errors
///
/// A file cannot be read, or has problems; all of them are in the message.
pub fn run(args: &Validate) -> Result<u8> {
    let text = match (&args.file, args.schema) {
        (Some(file), _) if fleet::is_service_file(file) => {
            let fleet = Fleet::load(file)?;
            format!("{} is valid\n\n{}", file.display(), fleet.view(|name| std::env::var(name).ok()))
        }
        (Some(file), _) => format!("{} is valid\n\n{}", file.display(), view::text(&load(file)?)),
        (None, Some(SchemaOf::Service)) => schema::service(),
        (None, _) => schema::text(),
    };
    output::print(&text)?;
    Ok(code::OK)
}

/// Reads the model file `file`.
///
/// # Errors
///
/// The file cannot be read, or has problems; all of them are in the message.
pub fn load(file: &Path) -> Result<Config> {
    Ok(Config::parse(file, &fleet::read_model(file)?)?)
}
