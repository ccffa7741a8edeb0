//! A disk without room: the commit says so, nothing is half there, and with room it goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::error::ErrorKind;

/// Commits the history until the store says that there is no room; answers the number of the commit that failed.
fn until_full(store: &mut Store, model: &mut Model, mut n: u64) -> u64 {
    loop {
        let commit = step(store, n);
        match store.commit(&commit) {
            Ok(()) => model.apply(&commit),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                assert!(error.retryable());
                assert!(error.to_string().contains("no space is left; free some"), "{error}");
                return n;
            }
        }
        n += 1;
        assert!(n < 2_000, "it never gets full");
    }
}

fn go_on(store: &mut Store, model: &mut Model, from: u64) {
    for n in from..from + 5 {
        let commit = step(store, n);
        store.commit(&commit).unwrap();
        model.apply(&commit);
    }
    assert_eq!(Model::read(store), *model);
}

#[test]
fn a_file_that_may_not_grow_is_a_passing_trouble() {
    let folder = folder();
    let mut store = open(&folder);
    store.connection.pragma_update(None, "synchronous", "OFF").unwrap();
    let mut model = Model::default();
    store.connection.pragma_update_and_check(None, "max_page_count", 120, |_| Ok(())).unwrap();
    let failed = until_full(&mut store, &mut model, 1);
    assert!(failed > 3, "commit {failed}");
    assert_eq!(Model::read(&store), model, "what failed left nothing");
    assert_eq!(until_full(&mut store, &mut model, failed), failed, "again");
    store.connection.pragma_update_and_check(None, "max_page_count", 100_000, |_| Ok(())).unwrap();
    go_on(&mut store, &mut model, failed);
    assert_eq!(check(folder.path()).unwrap(), []);
}

/// A small file system of its own, unmounted at the end.
struct Mount(PathBuf);

impl Mount {
    /// `None` where mounting is not allowed.
    fn of(path: &Path) -> Option<Self> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=12m", "none"]).arg(path).output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(path.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Also when a failed test still holds files open.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Where mounting is not allowed, the test above is what is left: it fills the file, not the disk.
#[test]
fn a_full_disk_is_a_passing_trouble() {
    let folder = folder();
    let Some(mount) = Mount::of(folder.path()) else { return };
    let mut store = open(&folder);
    let mut model = Model::default();
    let ballast = mount.0.join("ballast");
    fs::write(&ballast, vec![0u8; 7 << 20]).unwrap();
    let failed = until_full(&mut store, &mut model, 1);
    assert!(failed > 3, "commit {failed}");
    assert_eq!(Model::read(&store), model, "what failed left nothing");
    assert_eq!(until_full(&mut store, &mut model, failed), failed, "again");
    // What was committed lasts, also if the process ends now, with the disk still full.
    drop(store);
    let mut store = open(&folder);
    assert_eq!(Model::read(&store), model);
    fs::remove_file(&ballast).unwrap();
    go_on(&mut store, &mut model, failed);
    drop(store);
    assert_eq!(check(folder.path()).unwrap(), []);
}
