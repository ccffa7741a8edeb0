//! Files, directories and globs of this machine.

use std::path::{Path, PathBuf};

use super::Pattern;
use super::glob::is_hidden;
use super::hive::Partition;
use super::object::Object;
use crate::error::{Error, Result};

/// Deeper than any data set and shallower than the stack: what a loop of symbolic links runs into.
const MAX_DEPTH: usize = 64;

/// The objects that `typed` names; empty if a directory or glob holds none.
pub(super) fn expand(typed: &str, accepts: fn(&str) -> bool) -> Result<Vec<Object>> {
    let path = Path::new(typed);
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            refuse_table(path, typed)?;
            let mut walk = Walk { root: path, shown: typed, objects: Vec::new() };
            walk.descend(path, "", 0, &|name, _| !is_hidden(name), &|below| accepts(below))?;
            Ok(walk.objects)
        }
        // A file whose name has brackets in it is that file, not a pattern.
        Ok(_) => Ok(vec![Object::local(path, typed.to_owned(), Vec::new())?]),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && Pattern::is_glob(typed) => glob(typed),
        Err(error) => Err(unreadable(typed, error)),
    }
}

fn glob(typed: &str) -> Result<Vec<Object>> {
    let pattern = Pattern::compile(typed, typed)?;
    let base = if pattern.base.is_empty() { "." } else { pattern.base.as_str() };
    let root = PathBuf::from(base);
    match std::fs::metadata(&root) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::misconfigured(format!(
                "no file matches `{typed}`: there is no directory `{base}`"
            )));
        }
        Err(error) => return Err(unreadable(base, error)),
    }
    let mut walk = Walk { root: &root, shown: &pattern.base, objects: Vec::new() };
    let enters =
        |name: &str, depth: usize| pattern.enters(name) && pattern.depth.is_none_or(|limit| depth < limit);
    walk.descend(&root, "", 0, &enters, &|below| pattern.matches(below))?;
    Ok(walk.objects)
}

/// A walk below `root`; `shown` is how the root was typed.
struct Walk<'a> {
    root: &'a Path,
    shown: &'a str,
    objects: Vec<Object>,
}

impl Walk<'_> {
    /// Visits `folder`, which lies at `below` (empty, or ending in a slash) of the root.
    fn descend(
        &mut self,
        folder: &Path,
        below: &str,
        depth: usize,
        enters: &dyn Fn(&str, usize) -> bool,
        takes: &dyn Fn(&str) -> bool,
    ) -> Result<()> {
        if depth >= MAX_DEPTH {
            return Err(Error::misconfigured(format!(
                "`{}` is nested more than {MAX_DEPTH} directories deep: is there a loop of symbolic links below `{}`?",
                folder.display(),
                self.root.display()
            )));
        }
        let entries =
            std::fs::read_dir(folder).map_err(|error| unreadable(&folder.display().to_string(), error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(&folder.display().to_string(), error))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if !enters(name, depth) {
                continue;
            }
            let path = entry.path();
            let relative = format!("{below}{name}");
            let metadata = match std::fs::metadata(&path) {
                Ok(metadata) => metadata,
                // A link that leads nowhere is no data.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(unreadable(&path.display().to_string(), error)),
            };
            if metadata.is_dir() && leads_back(folder, &entry) {
                continue;
            }
            if metadata.is_dir() {
                self.descend(&path, &format!("{relative}/"), depth + 1, enters, takes)?;
            } else if metadata.is_file() && takes(&relative) {
                let separator = if self.shown.is_empty() || self.shown.ends_with('/') { "" } else { "/" };
                let shown = format!("{}{separator}{relative}", self.shown);
                self.objects.push(Object::local(&path, shown, Partition::of_path(&relative))?);
            }
        }
        Ok(())
    }
}

/// Whether an entry is a link to the folder it lies in or to one above: all that is there is met anyway.
fn leads_back(folder: &Path, entry: &std::fs::DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_symlink())
        && match (folder.canonicalize(), entry.path().canonicalize()) {
            (Ok(here), Ok(target)) => here.starts_with(target),
            _ => false,
        }
}

/// A Delta table's folder holds deleted rows beside living ones: to read all its files would be silently wrong.
fn refuse_table(path: &Path, typed: &str) -> Result<()> {
    if path.join("_delta_log").is_dir() {
        return Err(super::object::delta_table(typed));
    }
    Ok(())
}

/// What a person may have meant by a path that leads nowhere: the name most like it in the same folder, with up to a third of
/// its letters wrong, or the same name with another ending.
fn near(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stem =
        |name: &str| Path::new(name).file_stem().map_or(0, |stem| stem.to_string_lossy().chars().count());
    let distance = |name: &str| {
        let is_renamed = Path::new(name).file_stem() == Path::new(wanted).file_stem();
        let distance = if is_renamed {
            0
        } else {
            strsim::damerau_levenshtein(&wanted.to_lowercase(), &name.to_lowercase())
        };
        (distance * 3 <= stem(name)).then_some(distance)
    };
    let entries =
        std::fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let (_, name) = entries.filter_map(|name| Some((distance(&name)?, name))).min()?;
    Some(path.with_file_name(name).display().to_string())
}

pub(super) fn unreadable(path: &str, error: std::io::Error) -> Error {
    let error_text = match error.kind() {
        std::io::ErrorKind::NotFound => {
            let hint = near(Path::new(path)).map_or_else(
                || "expected a file, a directory, a glob or a URL".to_owned(),
                |name| format!("did you mean `{name}`?"),
            );
            format!("`{path}` does not exist: {hint}")
        }
        std::io::ErrorKind::PermissionDenied => {
            format!("`{path}` cannot be read: permission denied; allow this user to read it")
        }
        _ => format!("`{path}` cannot be read: {error}"),
    };
    Error::misconfigured(error_text).with_source(error)
}
