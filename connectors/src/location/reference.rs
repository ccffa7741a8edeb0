//! Files that another file points at: read where they lie in the same container or folder, and nowhere else.
//!
//! What a line of data says must not lead to other accounts with the credentials of this one, nor about this machine.

use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use super::Object;
use super::object::Place;
use crate::error::{Error, Result};
use crate::source::MAX_RECORD_BYTES;

/// What an address in a file comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Referred {
    /// The bytes there.
    Content(Vec<u8>),
    /// There is nothing.
    Missing,
    /// It is longer than a record may be.
    TooLong,
    /// It is not in the container or folder of this file.
    Elsewhere,
}

impl Object {
    /// Reads what lies at an address that stands in this file: a URL, or a path as seen from the file's folder.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub(crate) fn referred(&self, address: &str) -> Result<Referred> {
        let object = match self.place() {
            Place::Local(own) => {
                let Some(path) = below(own, address) else { return Ok(Referred::Elsewhere) };
                if !path.is_file() {
                    return Ok(Referred::Missing);
                }
                let name = path.display().to_string();
                Self::local(&path, name, Vec::new())?
            }
            Place::Remote { store, .. } => {
                let Some(key) = store.key_of(address) else { return Ok(Referred::Elsewhere) };
                let Some(meta) = store.head(&key)? else { return Ok(Referred::Missing) };
                Self::remote(store.clone(), meta, Vec::new())
            }
        };
        if object.size() > MAX_RECORD_BYTES as u64 {
            return Ok(Referred::TooLong);
        }
        let (mut reader, bytes) = object.open_sequential()?;
        let mut content = Vec::new();
        match reader.read_to_end(&mut content) {
            Ok(_) => Ok(Referred::Content(content)),
            Err(error) => Err(bytes.take_failure().unwrap_or_else(|| {
                Error::unavailable(format!("cannot read `{}`", object.name())).with_source(error)
            })),
        }
    }
}

/// The path of an address that leads into the folder of `own` or below it.
fn below(own: &Path, address: &str) -> Option<PathBuf> {
    let folder = own.parent()?;
    let path = match address.split_once("://") {
        None => PathBuf::from(address),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => {
            let path = rest.strip_prefix("localhost").unwrap_or(rest);
            PathBuf::from(percent_encoding::percent_decode_str(path).decode_utf8().ok()?.into_owned())
        }
        Some(_) => return None,
    };
    let path = if path.is_absolute() {
        path.strip_prefix(folder.canonicalize().ok()?).ok()?.to_owned()
    } else {
        path
    };
    let is_below = path.components().all(|own| matches!(own, Component::Normal(_) | Component::CurDir));
    is_below.then(|| folder.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_beside_or_below_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("in/raw")).unwrap();
        for name in ["secret", "in/a.jsonl", "in/raw/b.json"] {
            std::fs::write(root.join(name), name).unwrap();
        }
        let own = Object::local(&root.join("in/a.jsonl"), "a".to_owned(), Vec::new()).unwrap();
        let read = |address: &str| own.referred(address).unwrap();
        let content = Referred::Content(b"in/raw/b.json".to_vec());
        assert_eq!(read("raw/b.json"), content);
        assert_eq!(read(&format!("file://{}/in/raw/b%2Ejson", root.display())), content);
        assert_eq!(read("raw/none.json"), Referred::Missing);
        for address in
            ["../secret", "raw/../../secret", "/etc/passwd", "https://a.blob.core.windows.net/c/k", ""]
        {
            let found = read(address);
            assert!(matches!(found, Referred::Elsewhere | Referred::Missing), "{address}: {found:?}");
        }
        assert_eq!(read("../secret"), Referred::Elsewhere);
        assert_eq!(read("file:///etc/passwd"), Referred::Elsewhere);
    }
}
