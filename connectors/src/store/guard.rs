//! One store, one process: the lock file, and what all connections of the process share.
//!
//! The lock is the operating system's (`flock`), so that it ends with the process, however it ends; what the lock file
//! says is for people. A network file system is refused, because there neither locks nor shared memory can be relied
//! upon (SEMANTICS S16, S27).

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::fault::Fault;
use super::gate::Gate;
use crate::error::{Error, Result};

/// The lock file's name within the store's folder.
const LOCK: &str = "driftlead.lock";

/// What the connections of one process to one store share. The lock lasts until the last of them is closed.
#[derive(Debug)]
pub(super) struct Shared {
    file: PathBuf,
    pub(super) gate: Gate,
    lock: File,
}

impl Shared {
    /// Takes the store of `folder` for this process.
    pub(super) fn lock(folder: &Path, now: i64) -> Result<Self> {
        create(folder)?;
        refuse_network(folder)?;
        let path = folder.join(LOCK);
        let mut lock =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(
                |error| {
                    let message = format!(
                        "`{}` cannot be opened: {}; let this user write to the store's folder, or name another one",
                        path.display(),
                        error.kind()
                    );
                    Error::rejected(message).with_source(error)
                },
            )?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(folder, &mut lock)),
            Err(TryLockError::Error(error)) => {
                let message = format!(
                    "`{}` cannot be locked: {error}; expected a local disk that can lock files: name a folder on one as \
                     `store`",
                    path.display()
                );
                return Err(Error::misconfigured(message).with_source(error));
            }
        }
        // What it says is for people only: a disk too full to take it is no reason not to start.
        let _ = describe(&mut lock, now);
        Ok(Self { file: folder.join(super::FILE), gate: Gate::default(), lock })
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// An error of this store's file; `what` says what failed.
    pub(super) fn fault(&self, what: &str, fault: impl Into<Fault>) -> Error {
        fault.into().at(&self.file, what)
    }
}

impl Drop for Shared {
    /// Closing the file would do, were it not that a process that is just being started still has it open as well.
    fn drop(&mut self) {
        // The lock ends with the process at the latest.
        let _ = self.lock.unlock();
    }
}

fn create(folder: &Path) -> Result<()> {
    match fs::create_dir(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => {
            let why = match error.kind() {
                // Only its last part is created: a disk that is not mounted should not look like a new store.
                ErrorKind::NotFound => "the folder above it does not exist; create it first".to_owned(),
                ErrorKind::AlreadyExists => "it is a file; name a folder".to_owned(),
                kind => format!("{kind}; name a folder that this user may create"),
            };
            let message = format!("the store's folder `{}` cannot be created: {why}", folder.display());
            Err(Error::misconfigured(message).with_source(error))
        }
    }
}

fn describe(lock: &mut File, now: i64) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}\n{now}", std::process::id())
}

fn in_use(folder: &Path, lock: &mut File) -> Error {
    let mut text = String::new();
    // Unreadable is as good as empty: the number only helps.
    let _ = lock.read_to_string(&mut text);
    let owner = match text.lines().next().map(str::parse::<u32>) {
        Some(Ok(process)) => format!("process `{process}`"),
        _ => "another process".to_owned(),
    };
    Error::misconfigured(format!(
        "the store `{}` is in use by {owner}: stop that one first, or give this one a `store` folder of its own",
        folder.display()
    ))
}

fn refuse_network(folder: &Path) -> Result<()> {
    // Where the system does not say what is mounted, there is nothing to go by.
    let (Ok(mounts), Ok(folder)) = (fs::read_to_string("/proc/self/mountinfo"), fs::canonicalize(folder))
    else {
        return Ok(());
    };
    match file_system(&mounts, &folder) {
        Some(kind) if is_network(&kind) => Err(Error::misconfigured(format!(
            "the store's folder `{}` is on a network file system (`{kind}`), where locks cannot be relied upon: name a \
             folder on a local disk or block volume as `store`",
            folder.display()
        ))),
        _ => Ok(()),
    }
}

/// The type of the file system that holds `folder`, an absolute path without links, by Linux' table of mounts.
///
/// The table is asked, not `statfs`, because it names what is behind FUSE: `fuse.sshfs` is remote, others are not.
fn file_system(mounts: &str, folder: &Path) -> Option<String> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let Some((mount, kind)) = line.split_once(" - ") else { continue };
        let Some(point) = mount.split(' ').nth(4).map(unescape) else { continue };
        let length = point.len();
        // Of two on one point the later lies on top.
        if folder.starts_with(&point) && best.is_none_or(|(longest, _)| length >= longest) {
            let mut words = kind.split(' ');
            let kind = words.next().unwrap_or_default();
            // A daemon that names no subtype names itself as what is mounted.
            best = Some((length, if kind == "fuse" { words.next().unwrap_or(kind) } else { kind }));
        }
    }
    best.map(|(_, kind)| kind.to_owned())
}

/// Blanks, tabs, newlines and backslashes stand as three octal digits in the table of mounts.
fn unescape(text: &str) -> String {
    ["\\040", "\\011", "\\012", "\\134"]
        .iter()
        .zip([" ", "\t", "\n", "\\"])
        .fold(text.to_owned(), |text, (escape, character)| text.replace(escape, character))
}

fn is_network(kind: &str) -> bool {
    let kind = kind.strip_prefix("fuse.").unwrap_or(kind);
    NETWORK.contains(&kind)
}

/// File systems behind which there is another machine, and those that hand a host's folders to a guest by messages.
const NETWORK: [&str; 30] = [
    "9p",
    "afpfs",
    "afs",
    "beegfs",
    "blobfuse",
    "blobfuse2",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "gcsfuse",
    "glusterfs",
    "goofys",
    "gpfs",
    "juicefs",
    "lustre",
    "mountpoint-s3",
    "ncpfs",
    "nfs",
    "nfs4",
    "orangefs",
    "pvfs2",
    "rclone",
    "s3fs",
    "smb3",
    "smbfs",
    "sshfs",
    "vboxsf",
    "vmhgfs",
    "vmhgfs-fuse",
];

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /data rw,relatime - nfs4 server:/export rw,vers=4.2
31 30 8:2 / /data/local rw,relatime - xfs /dev/sdb1 rw
32 22 0:41 / /mnt/my\\040share rw - cifs //server/share rw
33 22 0:42 / /mnt/remote rw - fuse.sshfs host:/ rw
34 22 0:43 / /mnt/disk rw - fuse.ntfs-3g /dev/sdc1 rw
35 22 8:3 / /twice rw - ext4 /dev/sdd1 rw
37 22 0:45 / /mnt/bucket rw - fuse mountpoint-s3 rw
36 35 0:44 / /twice rw - smb3 //server/share rw
";

    #[test]
    fn network_file_systems_are_told_by_the_table_of_mounts() {
        for (folder, kind, network) in [
            ("/state", "ext4", false),
            ("/data/state", "nfs4", true),
            ("/database", "ext4", false),
            ("/data/local/state", "xfs", false),
            ("/mnt/my share/state", "cifs", true),
            ("/mnt/remote/state", "fuse.sshfs", true),
            ("/mnt/disk/state", "fuse.ntfs-3g", false),
            ("/mnt/bucket/state", "mountpoint-s3", true),
            ("/twice/state", "smb3", true),
        ] {
            let found = file_system(MOUNTS, Path::new(folder));
            assert_eq!(found.as_deref(), Some(kind), "{folder}");
            assert_eq!(is_network(kind), network, "{folder} on {kind}");
        }
    }

    #[test]
    fn a_machine_without_a_table_of_mounts_is_not_refused() {
        assert_eq!(file_system("", Path::new("/state")), None);
        assert_eq!(file_system("not a table", Path::new("/state")), None);
    }
}
