//! Where a baseline file is written: what may be there already, and how it gets there whole or not at all.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::is_baseline;
use crate::error::{Error, ErrorKind, Result};
use crate::location::{Location, Pattern};
use crate::remote::Remotes;

/// What stands at the place of a file to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaces {
    /// Nothing.
    Nothing,
    /// An older baseline.
    Baseline,
}

/// Looks at a place before there is anything to write, for making a baseline may take long: nothing is written over but an
/// older baseline.
///
/// # Errors
/// Misconfigured, if the place is a folder or pattern, lies in a folder that is not there, or holds something else than a
/// baseline; as for reading, if a store cannot be asked.
pub fn look(location: &str, remotes: &Remotes) -> Result<Replaces> {
    let is_taken = match Location::parse(location)? {
        Location::Local(path) => local(Path::new(&path), location)?,
        Location::Remote { base, key } => {
            if Pattern::is_glob(&key) {
                return Err(Error::misconfigured(format!(
                    "`{location}` is a pattern: name the one file to write"
                )));
            }
            let store = remotes.store(&base)?;
            let size = if key.is_empty() || key.ends_with('/') { None } else { store.size(&key)? };
            // A folder of a hierarchical namespace answers like an empty object. Asking what is below also tells whether
            // there is a container at all.
            if key.is_empty() || key.ends_with('/') || size.unwrap_or(0) == 0 && store.is_folder(&key)? {
                return Err(folder(location));
            }
            size.is_some()
        }
    };
    if !is_taken {
        return Ok(Replaces::Nothing);
    }
    match is_baseline(location, remotes) {
        Ok(true) => Ok(Replaces::Baseline),
        Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Rejected) => Err(error),
        // What cannot be read as a baseline is something else.
        Ok(false) | Err(_) => Err(Error::misconfigured(format!(
            "`{location}` exists and is no baseline file: it is not written over; choose another name, or remove it first"
        ))),
    }
}

/// Whether there is a file of this name; an error if there cannot be one.
fn local(path: &Path, location: &str) -> Result<bool> {
    let parent = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(parent) = parent.filter(|folder| !folder.is_dir()) {
        return Err(Error::misconfigured(format!(
            "cannot write `{location}`: there is no folder `{}`",
            parent.display()
        )));
    }
    if path.is_dir() {
        return Err(folder(location));
    }
    Ok(path.exists())
}

fn folder(location: &str) -> Error {
    Error::misconfigured(format!("`{location}` is a folder: name a file in it"))
}

/// Writes a whole file.
pub(super) fn write(location: &str, replaces: Replaces, bytes: Vec<u8>, remotes: &Remotes) -> Result<()> {
    match Location::parse(location)? {
        Location::Local(path) => replace_file(Path::new(&path), &bytes),
        Location::Remote { base, key } => {
            let store = remotes.store(&base)?;
            match replaces {
                Replaces::Baseline => store.put(&key, bytes),
                Replaces::Nothing if store.create(&key, bytes)? => Ok(()),
                Replaces::Nothing => Err(Error::misconfigured(format!(
                    "`{location}` appeared while the baseline was made: it is not written over; choose another name, or \
                     run this again to replace it if it is a baseline"
                ))),
            }
        }
    }
}

/// Writes beside the target, syncs, and renames over it; then syncs the folder, so that the rename lasts too.
fn replace_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "its folder does not exist; create it first".to_owned(),
            std::io::ErrorKind::PermissionDenied => {
                "permission denied; allow this user to write there".to_owned()
            }
            _ => error.to_string(),
        };
        Error::misconfigured(format!("`{}` cannot be written: {why}", path.display())).with_source(error)
    };
    let Some(name) = path.file_name() else {
        return Err(Error::misconfigured(format!(
            "`{}` is no file name: expected one to write to",
            path.display()
        )));
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let temporary = folder.join(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
    let written = (|| {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if let Err(error) = written {
        // What is left of the attempt is of no use; that it cannot be removed either is not the error to report.
        let _ = fs::remove_file(&temporary);
        return Err(failed(error));
    }
    sync_folder(&folder).map_err(failed)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}
