//! `driftlead validate`: every problem of a model file, or what it means.

use std::path::Path;

use crate::cli::Validate;
use crate::config::{Config, schema, view};
use crate::exit::{Error, Result, code};
use crate::output;

/// Prints the resolved settings, or the schema.
///
/// # Errors
///
/// The file cannot be read, or has problems; all of them are in the message.
pub fn run(args: &Validate) -> Result<u8> {
    let Some(file) = &args.file else {
        output::print(&schema::text())?;
        return Ok(code::OK);
    };
    let config = load(file)?;
    output::print(&format!("{} is valid\n\n{}", file.display(), view::text(&config)))?;
    Ok(code::OK)
}

/// Reads the model file `file`.
///
/// # Errors
///
/// The file cannot be read, or has problems; all of them are in the message.
pub fn load(file: &Path) -> Result<Config> {
    let cannot = |reason: String| {
        Error::input(format!("cannot read the model file `{}`", file.display())).because(reason)
    };
    let bytes = std::fs::read(file).map_err(|error| cannot(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        cannot(format!("byte {} is not UTF-8 text: is this a data file?", error.utf8_error().valid_up_to()))
    })?;
    Ok(Config::parse(file, &text)?)
}
