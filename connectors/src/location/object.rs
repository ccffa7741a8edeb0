//! One file or object: what it is called, where it lies, and its bytes by position.
//!
//! Bytes are read by position, never through a shared cursor, so that any number of threads may read one file. An object
//! is known by its size and its modification time or entity tag (SEMANTICS S17): if these change between the listing
//! and a read, the read fails instead of mixing two versions.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::hive::Partition;
use super::local::unreadable;
use crate::dataset::Format;
use crate::error::{Error, Result};
use crate::remote::{Blocks, Store};

/// The read-ahead of a page header, bytes. Headers take some tens of bytes, more only with long string statistics.
const HEADER_READ: usize = 2048;

/// A file of this machine or an object of a store, as it was when it was listed.
#[derive(Clone, Debug)]
pub struct Object {
    name: String,
    identity: String,
    size: u64,
    stamp: Stamp,
    partitions: Vec<Partition>,
    place: Place,
    /// What of it is read from its beginning to its end; `None`: all.
    stretch: Option<Stretch>,
    /// What it is, where a person said so.
    format: Option<Format>,
}

/// A part of a file of lines that is read as if it were a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// What stands before it, such as the header of CSV; empty if nothing does.
    pub(crate) head: Bytes,
    /// Which bytes.
    pub(crate) bytes: Range<u64>,
}

/// What tells one version of an object from the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Modification time, nanoseconds since the Unix epoch.
    Modified(i128),
    /// The entity tag that a store gave.
    Tag(String),
}

#[derive(Clone, Debug)]
pub(super) enum Place {
    Local(PathBuf),
    Remote { store: Arc<Store>, path: object_store::path::Path },
}

impl Object {
    /// A local file, called `name` in messages.
    pub(crate) fn local(path: &Path, name: String, partitions: Vec<Partition>) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|error| unreadable(&name, error))?;
        let identity = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Ok(Self {
            identity: identity.to_string_lossy().into_owned(),
            size: metadata.len(),
            stamp: modified(&metadata),
            partitions,
            place: Place::Local(path.to_owned()),
            stretch: None,
            format: None,
            name,
        })
    }

    /// An object of `store`.
    pub(crate) fn remote(
        store: Arc<Store>,
        meta: object_store::ObjectMeta,
        partitions: Vec<Partition>,
    ) -> Self {
        let name = store.name_of(meta.location.as_ref());
        let stamp = match meta.e_tag {
            Some(tag) => Stamp::Tag(tag),
            None => Stamp::Modified(i128::from(meta.last_modified.timestamp_micros()) * 1000),
        };
        Self {
            identity: name.clone(),
            size: meta.size,
            stamp,
            partitions,
            place: Place::Remote { store, path: meta.location },
            stretch: None,
            format: None,
            name,
        }
    }

    /// The path or URL for messages, as typed as far as it was typed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What tells this version from the next.
    #[must_use]
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// What a person said that it is.
    pub(crate) fn format(&self) -> Option<Format> {
        self.format
    }

    pub(super) fn with_format(self, format: Option<Format>) -> Self {
        Self { format, ..self }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether its bytes come over a network.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self.place, Place::Remote { .. })
    }

    /// The same for two names of one object.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    pub(crate) fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// Opens it for reads by position. `ranges` are the bytes that will be read, as far as known: of a remote object
    /// they are fetched in large blocks, ahead of use; all others are fetched as asked for.
    pub(crate) fn open(&self, ranges: &[Range<u64>]) -> Result<ObjectReader> {
        let bytes = match &self.place {
            Place::Local(path) => {
                let file = File::open(path).map_err(|error| unreadable(&self.name, error))?;
                let metadata = file.metadata().map_err(|error| unreadable(&self.name, error))?;
                // A stretch of a file that grows stays what it is.
                let is_same = match &self.stretch {
                    Some(stretch) => metadata.len() >= stretch.bytes.end,
                    None => metadata.len() == self.size && modified(&metadata) == self.stamp,
                };
                if !is_same {
                    return Err(changed(&self.name));
                }
                Source::Local(file)
            }
            Place::Remote { store, path } => {
                // A blob to which lines are added has another tag while it is read; a stretch of it stays what it is.
                let tag = match &self.stamp {
                    Stamp::Tag(tag) if self.stretch.is_none() => Some(tag.clone()),
                    Stamp::Tag(_) | Stamp::Modified(_) => None,
                };
                Source::Remote(Blocks::new(Arc::clone(store), path.clone(), tag, ranges))
            }
        };
        Ok(ObjectReader {
            shared: Arc::new(Shared {
                name: self.name.clone(),
                size: self.size,
                bytes,
                failure: Mutex::new(None),
            }),
        })
    }
}

impl Object {
    /// The same file, of which only a stretch is read. For formats that are read from beginning to end.
    pub(crate) fn with_stretch(self, stretch: Stretch) -> Self {
        Self { stretch: Some(stretch), ..self }
    }

    /// Bytes that are read.
    pub(crate) fn length(&self) -> u64 {
        match &self.stretch {
            Some(stretch) => stretch.head.len() as u64 + (stretch.bytes.end - stretch.bytes.start),
            None => self.size,
        }
    }

    /// Whether it is a stretch behind the beginning of its file.
    pub(crate) fn goes_on(&self) -> bool {
        self.stretch.as_ref().is_some_and(|stretch| stretch.bytes.start > 0)
    }

    /// Opens it for one read from beginning to end, in large blocks. The second reads the same bytes by position, and
    /// knows what failed.
    pub(crate) fn open_sequential(&self) -> Result<(SequentialReader, ObjectReader)> {
        let whole = Stretch { head: Bytes::new(), bytes: 0..self.size };
        let stretch = self.stretch.clone().unwrap_or(whole);
        let reader = self.open(std::slice::from_ref(&stretch.bytes))?;
        Ok((SequentialReader { reader: reader.clone(), stretch, position: 0 }, reader))
    }
}

/// The bytes of an object by position. Cheap to clone; clones share the fetched blocks.
#[derive(Clone, Debug)]
pub(crate) struct ObjectReader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    size: u64,
    bytes: Source,
    /// The first failure of a read: the Parquet decoder turns errors into text on their way up.
    failure: Mutex<Option<Error>>,
}

#[derive(Debug)]
enum Source {
    Local(File),
    Remote(Blocks),
}

impl ObjectReader {
    /// The failure to read bytes that made a decoder fail, if that was the reason.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// `length` bytes at `start`, which must lie within the object.
    pub(crate) fn read(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = start.saturating_add(length as u64);
        if end > self.shared.size {
            return Err(Error::malformed(format!(
                "`{}` is truncated or corrupt: it points at bytes {start} to {end}, but has only {}; \
                 copy or write it again",
                self.shared.name, self.shared.size
            )));
        }
        match &self.shared.bytes {
            Source::Local(file) => {
                let buffer = read_exact_at(file, start, length).map_err(|error| match error.kind() {
                    io::ErrorKind::UnexpectedEof => changed(&self.shared.name),
                    _ => unreadable(&self.shared.name, error),
                })?;
                Ok(buffer.into())
            }
            Source::Remote(blocks) => blocks.read(start..end),
        }
    }

    fn read_for_parquet(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.read(start, length).map_err(|error| {
            let text = error.to_string();
            self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            ParquetError::EOF(text)
        })
    }
}

impl Length for ObjectReader {
    fn len(&self) -> u64 {
        self.shared.size
    }
}

impl ChunkReader for ObjectReader {
    type T = BufReader<SequentialReader>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let stretch = Stretch { head: Bytes::new(), bytes: 0..self.shared.size };
        let reader = SequentialReader { reader: self.clone(), stretch, position: start };
        Ok(BufReader::with_capacity(HEADER_READ, reader))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.read_for_parquet(start, length)
    }
}

/// Reads on from a position to the end of a stretch.
#[derive(Debug)]
pub(crate) struct SequentialReader {
    reader: ObjectReader,
    stretch: Stretch,
    /// Counted from the beginning of what stands before the stretch.
    position: u64,
}

impl SequentialReader {
    fn length(&self) -> u64 {
        self.stretch.head.len() as u64 + (self.stretch.bytes.end - self.stretch.bytes.start)
    }
}

impl Read for SequentialReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length().saturating_sub(self.position);
        let length = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if length == 0 {
            return Ok(0);
        }
        let head = usize::try_from(self.position).ok().and_then(|at| self.stretch.head.get(at..));
        if let Some(mut head) = head.filter(|head| !head.is_empty()) {
            let count = head.read(&mut buffer[..length])?;
            self.position += count as u64;
            return Ok(count);
        }
        let at = self.position - self.stretch.head.len() as u64 + self.stretch.bytes.start;
        let count = match &self.reader.shared.bytes {
            Source::Local(file) => read_at(file, &mut buffer[..length], at)?,
            Source::Remote(_) => {
                let bytes = self.reader.read_for_parquet(at, length).map_err(io::Error::other)?;
                buffer[..length].copy_from_slice(&bytes);
                length
            }
        };
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for SequentialReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, position)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, position)
}

/// `length` bytes at `position`. The buffer is not zeroed first: pages are a tenth of what a scan touches.
#[cfg(unix)]
fn read_exact_at(file: &File, mut position: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut buffer = Vec::with_capacity(length);
    while buffer.len() < length {
        let missing = length - buffer.len();
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut buffer), position) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => position += count.min(missing) as u64,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    buffer.truncate(length);
    Ok(buffer)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut position: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; length];
    let mut rest = buffer.as_mut_slice();
    while !rest.is_empty() {
        match read_at(file, rest, position) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                rest = &mut rest[count..];
                position += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(buffer)
}

fn modified(metadata: &std::fs::Metadata) -> Stamp {
    let time = metadata.modified().ok().map_or(0, |time| match time.duration_since(std::time::UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
    });
    Stamp::Modified(time)
}

/// The object is not the one that was listed any more.
pub(crate) fn changed(name: &str) -> Error {
    Error::malformed(format!(
        "`{name}` changed while it was being read: run again once it is written completely"
    ))
}

/// Why a folder of a Delta table is not read as plain files.
pub(crate) fn delta_table(name: &str) -> Error {
    Error::misconfigured(format!(
        "`{name}` is a Delta table: its folder also holds the files of deleted and replaced rows, so reading all of \
         them would count wrongly; export the table as plain Parquet, or name the live files themselves"
    ))
}
