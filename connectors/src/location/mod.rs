//! What a person typed, as the objects that it names.
//!
//! An input is a file, a glob (`*`, `?`, `[..]`, `{a,b}`, `**`), a directory (read recursively) or a URL of an object
//! store with any of these as its path; `mdc:` before it says that its lines are events of Azure ML's Model Data Collector,
//! which no name and no first byte tells. Inputs become one list of objects, sorted by name and without repetitions, so
//! that neither the order of the arguments nor that of a listing can matter.
//!
//! In directories and globs, names that begin with `.` or `_` are left out, as Spark, Hive and pyarrow do (`_SUCCESS`,
//! `_temporary`, `.part-0.crc`), unless the pattern spells that beginning out or the name is a partition (`_k=v`).

mod glob;
mod growing;
mod hive;
mod local;
mod object;
mod reference;

pub(crate) use glob::{Pattern, is_hidden};
pub use growing::{Grown, Known};
pub(crate) use hive::Partition;
pub use object::{Object, Stamp};
pub(crate) use object::{ObjectReader, SequentialReader, Stretch, changed, delta_table};
pub(crate) use reference::Referred;

use crate::dataset::Format;
use crate::error::{Error, Result};
use crate::remote::Remotes;

/// A parsed input: a path of this machine, or an address in an object store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// A path as typed.
    Local(String),
    /// `scheme://authority` and the key below it, without a leading slash and taken literally (no percent-decoding).
    Remote { base: String, key: String },
}

impl Location {
    /// Parses what was typed. Only a text with `://` in it is a URL, so that `C:\data` and `k=v` stay paths.
    pub(crate) fn parse(typed: &str) -> Result<Self> {
        if typed.is_empty() {
            return Err(Error::misconfigured(
                "an input path is empty: expected a file, a directory, a glob or a URL",
            ));
        }
        let Some((scheme, rest)) = typed.split_once("://") else { return Ok(Self::Local(typed.to_owned())) };
        let scheme = scheme.to_ascii_lowercase();
        if scheme == "file" {
            return file_url(typed);
        }
        let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
        let mut base = format!("{scheme}://{authority}");
        let mut key = key.to_owned();
        match scheme.as_str() {
            "az" | "azure" | "adl" | "abfs" | "abfss" | "s3" | "s3a" | "gs" if authority.is_empty() => {
                return Err(Error::misconfigured(format!(
                    "`{typed}` names no container or bucket: expected `{scheme}://CONTAINER/path`"
                )));
            }
            "az" | "azure" | "adl" | "abfs" | "abfss" | "s3" | "s3a" | "gs" | "memory" => {}
            // The blob and dfs endpoints of a storage account, as the portal shows them: the container is in the path.
            "https" if is_azure_host(authority) => {
                let (container, below) = key.split_once('/').unwrap_or((key.as_str(), ""));
                base = format!("{base}/{container}");
                key = below.to_owned();
            }
            _ => {
                return Err(Error::misconfigured(format!(
                    "`{typed}`: scheme `{scheme}` is not supported; expected a path, or one of file://, az://, \
                     abfss://, adl://, s3://, gs://, https://ACCOUNT.blob.core.windows.net/CONTAINER/"
                )));
            }
        }
        Ok(Self::Remote { base, key })
    }
}

/// Whether `host` is a storage endpoint of Azure or OneLake.
fn is_azure_host(host: &str) -> bool {
    host.contains(".blob.core.") || host.contains(".dfs.core.") || host.ends_with(".fabric.microsoft.com")
}

/// `file://` URLs name local paths; here, percent-escapes are decoded, as every writer of such URLs encodes.
fn file_url(typed: &str) -> Result<Location> {
    let refused =
        |why: &str| Error::misconfigured(format!("`{typed}`: {why}; expected `file:///absolute/path`"));
    let path = &typed["file://".len()..];
    let path = path.strip_prefix("localhost").unwrap_or(path);
    if !path.starts_with('/') {
        return Err(refused("the path of a file URL must be absolute"));
    }
    let path = percent_encoding::percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| refused("its percent-escapes are not UTF-8"))?;
    Ok(Location::Local(path.into_owned()))
}

/// The objects that `inputs` name: sorted by name, each once. `accepts` says, for the files met in a directory, whether
/// a name can be data at all (a README beside the data is none); what a person or a glob names is always taken.
pub(crate) fn expand(inputs: &[String], remotes: &Remotes, accepts: fn(&str) -> bool) -> Result<Vec<Object>> {
    if inputs.is_empty() {
        return Err(Error::misconfigured("no input: expected at least one file, directory, glob or URL"));
    }
    let mut found = Vec::new();
    for input in inputs {
        let (format, input) = Format::of_input(input);
        // Whatever else lies in a folder of events is none.
        let accepts = if format.is_some() { Format::is_lines } else { accepts };
        let objects = match Location::parse(input)? {
            Location::Local(path) => local::expand(&path, accepts)?,
            Location::Remote { base, key } => remotes.expand(input, &base, &key, accepts)?,
        };
        if objects.is_empty() {
            return Err(nothing_found(input));
        }
        found.extend(objects.into_iter().map(|object| object.with_format(format)));
    }
    found.sort_by(|a, b| a.name().cmp(b.name()));
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|object| seen.insert(object.identity().to_owned()));
    Ok(found)
}

fn nothing_found(input: &str) -> Error {
    if Pattern::is_glob(input) {
        Error::misconfigured(format!(
            "no file matches `{input}`: check the pattern (`*` stays within one directory, `**` crosses them, \
             hidden files and names beginning with `_` are left out)"
        ))
    } else {
        Error::misconfigured(format!(
            "directory `{input}` holds no data file: expected files ending in {}",
            Format::EXTENSIONS.join(", ")
        ))
    }
}
