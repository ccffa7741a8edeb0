//! Files that are there whole or not at all, and a standard output that may be closed.
//!
//! A file is written under a temporary name in its own folder, synced, and renamed over the old one: a reader sees the
//! old file or the new one. Whatever ends the run before the rename, an error, a panic or Ctrl-C, removes the temporary.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::exit::{Error, Result};

/// Temporaries that exist now; a second Ctrl-C removes them before it ends the process.
static PENDING: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A file being written. Dropped without [`Atomic::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct Atomic {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    is_committed: bool,
}

impl Atomic {
    /// Begins to write `target`, in a temporary file beside it.
    ///
    /// # Errors
    ///
    /// The folder is missing or closed to writing.
    pub fn create(target: &Path) -> Result<Self> {
        let Some(name) = target.file_name() else {
            return Err(Error::input(format!("`{}` is not a file to write: name one", target.display())));
        };
        if target.is_dir() {
            return Err(Error::input(format!("`{}` is a folder: name a file in it", target.display())));
        }
        ensure_folder(target)?;
        let temporary =
            target.with_file_name(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
        let cannot =
            |error: io::Error| Error::input(format!("cannot write `{}`", target.display())).because(error);
        // Noted first: a file that exists must be in the list.
        pending().insert(temporary.clone());
        let opened = OpenOptions::new().write(true).create_new(true).open(&temporary);
        let file = match opened {
            Ok(file) => file,
            Err(error) => {
                pending().remove(&temporary);
                return Err(cannot(error));
            }
        };
        Ok(Self { file, temporary, target: target.to_owned(), is_committed: false })
    }

    /// Puts the file in place, synced to the disk.
    ///
    /// # Errors
    ///
    /// The disk is full or failing, or Ctrl-C was pressed; then the old file, if any, is still there.
    pub fn commit(mut self) -> Result<()> {
        crate::interrupt::check()?;
        let renamed = self.file.sync_all().and_then(|()| fs::rename(&self.temporary, &self.target));
        renamed.map_err(|error| {
            Error::run(format!("cannot write `{}`", self.target.display())).because(error)
        })?;
        self.is_committed = true;
        pending().remove(&self.temporary);
        // Makes the new name last through a power cut. Some file systems refuse to sync a folder: nothing to be done.
        if let Some(folder) = self.target.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            drop(File::open(folder).and_then(|folder| folder.sync_all()));
        }
        Ok(())
    }
}

impl Write for Atomic {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Atomic {
    fn drop(&mut self) {
        if !self.is_committed {
            drop(fs::remove_file(&self.temporary));
            pending().remove(&self.temporary);
        }
    }
}

/// Refuses a file to write in a folder that is not there.
///
/// # Errors
///
/// The folder is missing, or a file.
pub fn ensure_folder(target: &Path) -> Result<()> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        Some(folder) => Err(Error::input(format!(
            "cannot write `{}`: there is no folder `{}`",
            target.display(),
            folder.display()
        ))),
        None => Ok(()),
    }
}

/// Writes `bytes` to `target`, whole or not at all.
///
/// # Errors
///
/// As [`Atomic::create`] and [`Atomic::commit`].
pub fn write_file(target: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = Atomic::create(target)?;
    file.write_all(bytes)
        .map_err(|error| Error::run(format!("cannot write `{}`", target.display())).because(error))?;
    file.commit()
}

/// Removes every temporary that exists now.
pub(crate) fn remove_pending() {
    for path in pending().iter() {
        drop(fs::remove_file(path));
    }
}

fn pending() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes `text` to standard output. A reader that has gone, as `| head` does, is no error.
///
/// # Errors
///
/// Standard output leads to a file on a full or failing disk.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::run("cannot write to standard output").because(error))
        }
        _ => Ok(()),
    }
}

/// Writes a line for a person to standard error, if there is one.
pub fn complain(line: &str) {
    drop(writeln!(io::stderr().lock(), "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("folder");
        entries.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_replaces_the_old_one_at_once() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("out.txt");
        fs::write(&path, "old").expect("old");
        let mut file = Atomic::create(&path).expect("create");
        file.write_all(b"new").expect("write");
        assert_eq!(fs::read_to_string(&path).expect("old is there"), "old");
        file.commit().expect("commit");
        assert_eq!(fs::read_to_string(&path).expect("new is there"), "new");
        assert_eq!(names(folder.path()), ["out.txt"]);
    }

    #[test]
    fn what_is_not_committed_leaves_nothing() {
        let folder = tempfile::tempdir().expect("folder");
        let mut file = Atomic::create(&folder.path().join("out.txt")).expect("create");
        file.write_all(b"half").expect("write");
        assert_eq!(names(folder.path()).len(), 1);
        drop(file);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_the_users_to_correct() {
        let folder = tempfile::tempdir().expect("folder");
        for path in [folder.path().join("no/such/folder.txt"), folder.path().to_owned(), PathBuf::from("/")] {
            let error = Atomic::create(&path).expect_err("refused");
            assert_eq!(error.code(), 2, "{error}");
        }
        assert!(names(folder.path()).is_empty());
    }
}
