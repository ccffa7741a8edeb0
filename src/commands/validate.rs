//! `driftlead validate`: every problem of a model file, or what it means.

use std::io::ErrorKind;
use std::path::Path;

use crate::cli::Validate;
use crate::config::problem::closest;
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
    let bytes = std::fs::read(file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            let shown = file.display();
            let hint = near(file).unwrap_or_else(|| format!("`driftlead init DATA -o {shown}` writes one"));
            Error::input(format!("there is no model file `{shown}`: {hint}"))
        }
        ErrorKind::PermissionDenied => cannot("permission denied; allow this user to read it".to_owned()),
        ErrorKind::IsADirectory => cannot("it is a folder: name a file in it".to_owned()),
        _ => cannot(error.to_string()),
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        cannot(format!("byte {} is not UTF-8 text: is this a data file?", error.utf8_error().valid_up_to()))
    })?;
    Ok(Config::parse(file, &text)?)
}

/// `did you mean` for a model file that is not there, if another in its folder has a name like it.
fn near(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let models =
        names.iter().map(String::as_str).filter(|name| name.ends_with(".yaml") || name.ends_with(".yml"));
    // The ending is the same in all and says nothing about how alike two names are.
    let stem = |name: &str| name.rsplit_once('.').map_or(name.to_owned(), |(stem, _)| stem.to_owned());
    let stems: Vec<(String, &str)> = models.map(|name| (stem(name), name)).collect();
    let close = closest(&stem(name), stems.iter().map(|(stem, _)| stem.as_str()))?;
    let (_, name) = stems.iter().find(|(stem, _)| stem == close)?;
    Some(format!("did you mean `{}`?", file.with_file_name(name).display()))
}
