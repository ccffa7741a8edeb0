//! Lines as a stream: a file that grows, and standard input.
//!
//! A line is a record. Its offset is that of its last byte, the line end, so that the position after it is where the next
//! line begins. A file may grow and nothing else: the mark of a position is a hash of every byte before it, and a file
//! whose known beginning is another one is refused (SEMANTICS S17). A last line without its end is not complete: it waits
//! for the end, because a writer may be in the middle of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use xxhash_rust::xxh3::Xxh3;

use super::{Event, Partition, Polled, Position, Record, Source};
use crate::error::{Error, Result};

/// Lines handed over at once.
const RUN: usize = 1024;
/// The longest line that is taken whole; what is longer is handed over in its first bytes, which are no record.
const MAX_LINE: usize = 64 << 20;

/// A file of lines that grows.
pub struct LineFile {
    path: PathBuf,
    partition: Partition,
    reader: BufReader<File>,
    /// Where the next line begins.
    next: u64,
    /// Of every byte before `next`.
    hash: Xxh3,
    /// The beginning of a line whose end has not come.
    open: Vec<u8>,
    is_new: bool,
    is_caught_up: bool,
    /// Whether the file is read once and not waited for.
    ends: bool,
}

impl LineFile {
    /// Opens a file where `positions` say, or at its beginning. With `ends` it is read to its end once, and a last line
    /// without a line end is a line.
    ///
    /// # Errors
    ///
    /// Misconfigured, if the file cannot be read; malformed, if it is shorter than the position or its beginning is not
    /// the one that was read.
    pub fn open(path: &Path, positions: &BTreeMap<Partition, Position>, ends: bool) -> Result<Self> {
        let partition = Self::partition_of(path);
        let mut file = File::open(path).map_err(|error| {
            Error::misconfigured(format!("cannot read `{}`", path.display())).with_source(error)
        })?;
        let mut hash = Xxh3::new();
        let mut next = 0;
        if let Some(position) = positions.get(&partition) {
            next = u64::try_from(position.next).unwrap_or(0);
            let read = hash_prefix(&mut file, next, &mut hash).map_err(|error| unreadable(path, error))?;
            if read < next {
                return Err(Error::malformed(format!(
                    "`{}` has {read} bytes, and {next} were read before: a file of lines may only grow; give the new \
                     one another name",
                    path.display()
                )));
            }
            if position.mark.is_some_and(|mark| mark != hash.digest()) {
                return Err(Error::malformed(format!(
                    "the first {next} bytes of `{}` are not those that were read before: a file of lines may only \
                     grow; give the new one another name",
                    path.display()
                )));
            }
        }
        Ok(Self {
            path: path.to_owned(),
            partition,
            reader: BufReader::with_capacity(1 << 20, file),
            next,
            hash,
            open: Vec::new(),
            is_new: true,
            is_caught_up: false,
            ends,
        })
    }

    /// The one partition of this path.
    #[must_use]
    pub fn partition_of(path: &Path) -> Partition {
        Partition { topic: path.display().to_string(), number: 0 }
    }

    fn position(&self) -> Position {
        Position { next: i64::try_from(self.next).unwrap_or(i64::MAX), mark: Some(self.hash.digest()) }
    }
}

impl Source for LineFile {
    fn poll(&mut self, wait: Duration, handle: &mut dyn FnMut(Event<'_>)) -> Result<Polled> {
        if std::mem::take(&mut self.is_new) {
            handle(Event::Assigned { partition: &self.partition, position: self.position() });
        }
        let mut run = Run::default();
        let mut at_end = false;
        while run.ends.len() < RUN && !at_end {
            at_end = !read_line(&mut self.reader, &mut self.open)
                .map_err(|error| unreadable(&self.path, error))?;
            if at_end && (!self.ends || self.open.is_empty()) {
                break;
            }
            self.next += self.open.len() as u64;
            self.hash.update(&self.open);
            run.push(&self.open, self.next);
            self.open.clear();
        }
        if !run.ends.is_empty() {
            run.hand_over(&self.partition, Some(self.hash.digest()), handle);
            self.is_caught_up = false;
        }
        if !at_end {
            return Ok(Polled::More);
        }
        if !std::mem::replace(&mut self.is_caught_up, true) {
            handle(Event::CaughtUp { partition: &self.partition });
        }
        if self.ends {
            return Ok(Polled::Ended);
        }
        if run.ends.is_empty() {
            // Nothing tells that a file has grown, on every file system: look again after a while.
            std::thread::park_timeout(wait);
            return Ok(Polled::Quiet);
        }
        Ok(Polled::More)
    }
}

/// Standard input, or any other pipe: read once, never again.
pub struct LinePipe {
    partition: Partition,
    lines: Receiver<std::io::Result<Vec<u8>>>,
    next: u64,
    is_new: bool,
}

impl LinePipe {
    /// Reads `pipe`, named `name`, on a thread of its own, because a pipe cannot be waited for with a limit.
    pub fn new(name: &str, pipe: impl Read + Send + 'static) -> Self {
        let (sender, lines) = bounded(4 * RUN);
        std::thread::spawn(move || {
            let mut reader = BufReader::with_capacity(1 << 16, pipe);
            loop {
                let mut line = Vec::new();
                let sent = match read_line(&mut reader, &mut line) {
                    Ok(_) if !line.is_empty() => sender.send(Ok(line)),
                    Ok(_) => return,
                    Err(error) => sender.send(Err(error)),
                };
                if sent.is_err() {
                    return;
                }
            }
        });
        let partition = Partition { topic: name.to_owned(), number: 0 };
        Self { partition, lines, next: 0, is_new: true }
    }
}

impl Source for LinePipe {
    fn poll(&mut self, wait: Duration, handle: &mut dyn FnMut(Event<'_>)) -> Result<Polled> {
        if std::mem::take(&mut self.is_new) {
            handle(Event::Assigned {
                partition: &self.partition,
                position: Position { next: 0, mark: None },
            });
        }
        let mut run = Run::default();
        let mut polled = Polled::More;
        while run.ends.len() < RUN {
            let line = match self.lines.try_recv() {
                Ok(line) => Ok(line),
                Err(_) if !run.ends.is_empty() => break,
                Err(_) => self.lines.recv_timeout(wait),
            };
            match line {
                Ok(line) => {
                    let line = line.map_err(|error| unreadable(Path::new(&self.partition.topic), error))?;
                    self.next += line.len() as u64;
                    run.push(&line, self.next);
                }
                Err(RecvTimeoutError::Timeout) => {
                    polled = Polled::Quiet;
                    break;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    polled = Polled::Ended;
                    break;
                }
            }
        }
        if !run.ends.is_empty() {
            run.hand_over(&self.partition, None, handle);
        } else if polled == Polled::Quiet {
            handle(Event::CaughtUp { partition: &self.partition });
        }
        Ok(polled)
    }

    fn is_replayable(&self) -> bool {
        false
    }
}

/// Lines on their way to the handler.
#[derive(Default)]
struct Run {
    bytes: Vec<u8>,
    /// For each line where it ends in `bytes`, and the position after it.
    ends: Vec<(usize, u64)>,
}

impl Run {
    /// Takes a line, without its line end. Blank lines are passed over: their bytes belong to what is before.
    fn push(&mut self, line: &[u8], next: u64) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().all(u8::is_ascii_whitespace) {
            if let Some((_, last)) = self.ends.last_mut() {
                *last = next;
            }
            return;
        }
        self.bytes.extend_from_slice(&line[..line.len().min(MAX_LINE)]);
        self.ends.push((self.bytes.len(), next));
    }

    fn hand_over(&self, partition: &Partition, mark: Option<u64>, handle: &mut dyn FnMut(Event<'_>)) {
        let mut begin = 0;
        let last = self.ends.len() - 1;
        let records: Vec<Record<'_>> = self
            .ends
            .iter()
            .enumerate()
            .map(|(at, (end, next))| {
                let payload = &self.bytes[begin..*end];
                begin = *end;
                Record {
                    offset: i64::try_from(*next).unwrap_or(i64::MAX) - 1,
                    stamp: None,
                    key: None,
                    payload: Some(payload),
                    headers: &[],
                    mark: mark.filter(|_| at == last),
                }
            })
            .collect();
        handle(Event::Records { partition, records: &records });
    }
}

/// Reads to the next line end into `line`, which may hold the line's beginning; answers whether the end came.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    reader.read_until(b'\n', line)?;
    Ok(line.last() == Some(&b'\n'))
}

/// Hashes the first `length` bytes; answers how many there were.
fn hash_prefix(file: &mut File, length: u64, hash: &mut Xxh3) -> std::io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let mut left = length;
    let mut buffer = vec![0; 1 << 20];
    while left > 0 {
        let most = usize::try_from(left.min(buffer.len() as u64)).unwrap_or(buffer.len());
        let read = file.read(&mut buffer[..most])?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        left -= read as u64;
    }
    Ok(length - left)
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::unavailable(format!("cannot read on in `{}`", path.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// What a source gives until it is quiet or ended: payloads, the last position, and how often it was caught up.
    fn drain(source: &mut dyn Source) -> (Vec<String>, Option<Position>, u32) {
        let (mut lines, mut position, mut caught_up) = (Vec::new(), None, 0);
        loop {
            let polled = source
                .poll(Duration::ZERO, &mut |event| match event {
                    Event::Records { records, .. } => {
                        for record in records {
                            lines.push(
                                String::from_utf8_lossy(record.payload.unwrap_or_default()).into_owned(),
                            );
                            position = Some(Position { next: record.offset + 1, mark: record.mark });
                        }
                    }
                    Event::CaughtUp { .. } => caught_up += 1,
                    _ => {}
                })
                .expect("read");
            if polled != Polled::More {
                return (lines, position, caught_up);
            }
        }
    }

    fn append(path: &Path, text: &str) {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
    }

    #[test]
    fn a_file_grows_and_is_read_on_from_its_position() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("rows.ndjson");
        append(&path, "a\r\n\n  \nb\nhal");
        let mut source = LineFile::open(&path, &BTreeMap::new(), false).expect("opened");
        let (lines, position, caught_up) = drain(&mut source);
        assert_eq!((lines, caught_up), (vec!["a".to_owned(), "b".to_owned()], 1));
        append(&path, "f\nc\n");
        let (lines, later, _) = drain(&mut source);
        assert_eq!(lines, ["half", "c"]);

        let positions = BTreeMap::from([(source.partition.clone(), position.expect("a position"))]);
        let mut again = LineFile::open(&path, &positions, false).expect("opened again");
        let (lines, position, _) = drain(&mut again);
        assert_eq!((lines, position), (vec!["half".to_owned(), "c".to_owned()], later));
    }

    #[test]
    fn a_file_that_is_not_the_one_that_was_read_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("rows.ndjson");
        append(&path, "a\nb\n");
        let mut source = LineFile::open(&path, &BTreeMap::new(), false).expect("opened");
        let (_, position, _) = drain(&mut source);
        let positions = BTreeMap::from([(source.partition.clone(), position.expect("a position"))]);
        let refused = |content: &str| {
            std::fs::write(&path, content).expect("written");
            LineFile::open(&path, &positions, false).err().expect("refused").to_string()
        };
        assert!(refused("a\n").contains("has 2 bytes, and 4 were read"), "{}", refused("a\n"));
        assert!(refused("x\nb\nc\n").contains("first 4 bytes"), "{}", refused("x\nb\nc\n"));
    }

    #[test]
    fn what_ends_gives_its_last_line_without_an_end() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("rows.ndjson");
        append(&path, "a\nb");
        let mut source = LineFile::open(&path, &BTreeMap::new(), true).expect("opened");
        assert_eq!(drain(&mut source).0, ["a", "b"]);
        let mut pipe = LinePipe::new("stdin", std::io::Cursor::new(b"a\n\nb".to_vec()));
        assert!(!pipe.is_replayable());
        let mut lines = Vec::new();
        while lines.len() < 2 {
            lines.extend(drain(&mut pipe).0);
        }
        assert_eq!(lines, ["a", "b"]);
    }
}
