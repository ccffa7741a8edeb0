//! Files of lines that grow: what of them is complete, and by what their beginning is known again (SEMANTICS S17).
//!
//! A line that has no end yet may be half of one, so a stretch ends behind a line end. The bytes before it are hashed: a
//! file may grow and nothing else, and what was read is told by its hash, not by a time of change. A line end inside of
//! quotes is no end of a line of CSV.

use std::io::{BufRead as _, BufReader};

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use super::{Object, Stretch};
use crate::error::{Error, Result};

/// Bytes looked at at a time.
const READ: usize = 256 << 10;
/// The longest header of CSV that stands before a stretch.
const MAX_HEAD: usize = 1 << 20;

/// Where a file of lines was read to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Bytes from its beginning.
    pub bytes: u64,
    /// Their hash.
    pub hash: u64,
    /// The line ends among them.
    pub lines: u64,
    /// Whether the last of them ends a line.
    pub is_whole: bool,
}

impl Known {
    /// Nothing was read.
    pub const NOTHING: Self = Self { bytes: 0, hash: 0, lines: 0, is_whole: true };
}

impl Default for Known {
    fn default() -> Self {
        Self::NOTHING
    }
}

/// What a file holds now.
#[derive(Clone, Debug)]
pub struct Grown {
    /// To where it may be read.
    pub known: Known,
    /// Whether more bytes follow, of a line whose end has not come.
    pub has_rest: bool,
    /// The first line, where it is a header.
    head: Bytes,
}

impl Object {
    /// What there is to read of a file of lines of which `known` was read: to its last line end, or to its end with
    /// `takes_rest`. `is_csv` says that the first line is a header, and that quotes hide line ends.
    ///
    /// # Errors
    /// If it cannot be read; malformed, if it is shorter than what was read, if its beginning is another one, or if a line
    /// that was taken without its end goes on.
    pub fn grown(&self, known: Known, is_csv: bool, takes_rest: bool) -> Result<Grown> {
        let whole = Stretch { head: Bytes::new(), bytes: 0..self.size() };
        let (reader, _) = self.clone().with_stretch(whole).open_sequential()?;
        let mut reader = BufReader::with_capacity(READ, reader);
        let mut scan = Scan { is_csv, ..Scan::default() };
        let mut hash = (known.bytes == 0).then(|| scan.hash.digest());
        loop {
            let bytes = reader.fill_buf().map_err(|error| {
                Error::unavailable(format!("cannot read `{}`", self.name())).with_source(error)
            })?;
            if bytes.is_empty() {
                break;
            }
            // Stop where the known bytes end, to see their hash.
            let most = known.bytes.checked_sub(scan.at).filter(|left| *left > 0);
            let most =
                most.map_or(bytes.len(), |left| usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len()));
            scan.take(&bytes[..most]);
            reader.consume(most);
            if scan.at == known.bytes {
                hash = Some(scan.hash.digest());
            }
        }
        let name = self.name();
        let Some(hash) = hash else {
            return Err(Error::malformed(format!(
                "`{name}` has {} bytes, and {} were read before: a file of lines may only grow; give new content a new name",
                scan.at, known.bytes
            )));
        };
        if known.bytes > 0 && hash != known.hash {
            return Err(Error::malformed(format!(
                "the first {} bytes of `{name}` are not those that were read before: a file of lines may only grow; give \
                 new content a new name",
                known.bytes
            )));
        }
        if !known.is_whole && scan.at > known.bytes {
            return Err(Error::malformed(format!(
                "the last line of `{name}` had no end when it was read, and goes on now: write whole lines, or put the file \
                 in place when it is complete",
            )));
        }
        let has_rest = scan.at > scan.complete.bytes;
        let known = if takes_rest || !has_rest {
            Known { bytes: scan.at, hash: scan.hash.digest(), lines: scan.lines, is_whole: !has_rest }
        } else {
            scan.complete
        };
        Ok(Grown { known, has_rest, head: Bytes::from(scan.head) })
    }

    /// The lines from `from` on, as far as `grown` says, behind the header of CSV. The first of them has the number
    /// `from.lines + 1` in the file.
    #[must_use]
    pub fn lines_after(self, from: Known, grown: &Grown) -> Self {
        let head = if from.bytes > 0 { grown.head.clone() } else { Bytes::new() };
        self.with_stretch(Stretch { head, bytes: from.bytes..grown.known.bytes })
    }
}

impl Grown {
    /// The same, as if the file ended where `known` does, which it must not end before.
    #[must_use]
    pub fn until(self, known: Known) -> Self {
        Self { known, ..self }
    }

    /// What has to be added to the number of a line of [`Object::lines_after`] to have that in the file.
    #[must_use]
    pub fn lines_before(&self, from: Known) -> u64 {
        let head = memchr::memchr_iter(b'\n', &self.head).count() as u64;
        if from.bytes > 0 { from.lines.saturating_sub(head) } else { 0 }
    }
}

/// A file as it is looked at.
#[derive(Default)]
struct Scan {
    is_csv: bool,
    at: u64,
    hash: Xxh3,
    lines: u64,
    is_quoted: bool,
    head: Vec<u8>,
    /// What lies before the last line end.
    complete: Known,
}

impl Scan {
    fn take(&mut self, bytes: &[u8]) {
        let (mut end, mut lines) = (None, self.lines);
        for at in memchr::memchr2_iter(b'\n', b'"', bytes) {
            if bytes[at] == b'"' {
                self.is_quoted ^= self.is_csv;
                continue;
            }
            // What is counted are lines of the file, also those inside of quotes.
            lines += 1;
            if !self.is_quoted {
                if self.is_csv && end.is_none() && self.complete.bytes == 0 {
                    let rest = bytes[..=at].get(..MAX_HEAD).unwrap_or(&bytes[..=at]);
                    self.head.extend_from_slice(rest);
                }
                end = Some((at + 1, lines));
            }
        }
        if self.is_csv && end.is_none() && self.complete.bytes == 0 && self.head.len() < MAX_HEAD {
            self.head.extend_from_slice(bytes);
        }
        let before = end.map_or(0, |(end, _)| end);
        if let Some((end, lines)) = end {
            self.hash.update(&bytes[..end]);
            self.complete =
                Known { bytes: self.at + end as u64, hash: self.hash.digest(), lines, is_whole: true };
        }
        self.hash.update(&bytes[before..]);
        self.lines = lines;
        self.at += bytes.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::path::Path;

    use super::*;

    fn object(path: &Path) -> Object {
        Object::local(path, "f".to_owned(), Vec::new()).unwrap()
    }

    fn text(object: &Object) -> String {
        let mut text = String::new();
        object.open_sequential().unwrap().0.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn lines_are_taken_when_they_are_complete_behind_the_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.csv");
        std::fs::write(&path, "a,b\n1,\"x\ny\"\n2,\"z\n").unwrap();
        let first = object(&path).grown(Known::NOTHING, true, false).unwrap();
        assert_eq!((first.known.bytes, first.known.lines, first.has_rest), (12, 3, true));
        assert_eq!(text(&object(&path).lines_after(Known::NOTHING, &first)), "a,b\n1,\"x\ny\"\n");
        std::fs::write(&path, "a,b\n1,\"x\ny\"\n2,\"z\n\"\n3,w\n").unwrap();
        let second = object(&path).grown(first.known, true, false).unwrap();
        assert_eq!((second.known.lines, second.has_rest), (6, false));
        assert_eq!(text(&object(&path).lines_after(first.known, &second)), "a,b\n2,\"z\n\"\n3,w\n");
    }

    #[test]
    fn the_cut_of_reads_does_not_show() {
        let text = b"a,b\n1,\"x\ny\"\n2,z\n3";
        let mut whole = Scan { is_csv: true, ..Scan::default() };
        whole.take(text);
        for cut in 0..text.len() {
            let mut parts = Scan { is_csv: true, ..Scan::default() };
            parts.take(&text[..cut]);
            parts.take(&text[cut..]);
            assert_eq!(
                (parts.complete, &parts.head, parts.lines),
                (whole.complete, &whole.head, whole.lines),
                "{cut}"
            );
            assert_eq!(parts.hash.digest(), whole.hash.digest());
        }
    }

    #[test]
    fn a_file_that_did_not_only_grow_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.ndjson");
        let known = |text: &str, takes_rest: bool| {
            std::fs::write(&path, text).unwrap();
            object(&path).grown(Known::NOTHING, false, takes_rest).unwrap().known
        };
        let refused = |known: Known, text: &str| {
            std::fs::write(&path, text).unwrap();
            object(&path).grown(known, false, false).unwrap_err().to_string()
        };
        let whole = known("{\"a\":1}\n{\"a\":2}\n", false);
        assert!(refused(whole, "{\"a\":1}\n").contains("has 8 bytes, and 16 were read before"));
        assert!(refused(whole, "{\"a\":1}\n{\"a\":3}\n").contains("the first 16 bytes of `f` are not those"));
        let half = known("{\"a\":1}\n{\"a\":2", true);
        assert!(!half.is_whole);
        assert!(refused(half, "{\"a\":1}\n{\"a\":22}\n").contains("goes on now: write whole lines"));
        // The same bytes are no change, whatever the time of the file.
        std::fs::write(&path, "{\"a\":1}\n{\"a\":2").unwrap();
        assert_eq!(object(&path).grown(half, false, true).unwrap().known, half);
    }
}
