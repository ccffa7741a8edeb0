//! A byte stream as lines, in bounded memory.

use std::io::Read;

use memchr::memchr;

use crate::error::Result;
use crate::source::refill::refill;
use crate::source::{MAX_RECORD_BYTES, head};

/// One line, without its end (`\n` or `\r\n`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Line<'a> {
    Record(&'a [u8]),
    /// Longer than 64 MiB; its bytes were passed over.
    TooLong,
}

/// Lines of a reader; blank ones are left out, and so is a byte order mark.
pub(in crate::source) struct Lines<R> {
    read: R,
    label: String,
    buffer: Vec<u8>,
    /// The bytes not yet given out are `buffer[start..end]`; those before `seen` hold no line end.
    start: usize,
    seen: usize,
    end: usize,
    line: u64,
    at_end: bool,
    opened: bool,
}

impl<R: Read> Lines<R> {
    pub(in crate::source) fn new(read: R, label: String) -> Self {
        Self {
            read,
            label,
            buffer: vec![0; CHUNK],
            start: 0,
            seen: 0,
            end: 0,
            line: 0,
            at_end: false,
            opened: false,
        }
    }

    /// The next line that is not blank and its number, from 1.
    ///
    /// # Errors
    /// Unavailable, if reading fails; Malformed, if the first bytes are those of another format.
    pub(in crate::source) fn next_line(&mut self) -> Result<Option<(u64, Line<'_>)>> {
        self.open()?;
        loop {
            let Some(line) = self.take_line()? else { return Ok(None) };
            match line {
                None => return Ok(Some((self.line, Line::TooLong))),
                Some((from, to)) => {
                    let blank = self.buffer[from..to].iter().all(|b| matches!(b, b' ' | b'\t' | b'\r'));
                    if !blank {
                        return Ok(Some((self.line, Line::Record(trim_end(&self.buffer[from..to])))));
                    }
                }
            }
        }
    }

    fn open(&mut self) -> Result<()> {
        if !self.opened {
            self.opened = true;
            while self.end < 8 && !self.at_end {
                self.fill()?;
            }
            self.start = head::skip_mark(&self.buffer[..self.end], &self.label, "lines of JSON")?;
            self.seen = self.start;
        }
        Ok(())
    }

    /// The bounds of the next line in the buffer, `Some(None)` for one that is too long, or `None` at the end.
    fn take_line(&mut self) -> Result<Option<Option<(usize, usize)>>> {
        loop {
            if let Some(found) = memchr(b'\n', &self.buffer[self.seen..self.end]) {
                let (from, to) = (self.start, self.seen + found);
                self.start = to + 1;
                self.seen = self.start;
                self.line += 1;
                return Ok(Some(Some((from, to))));
            }
            self.seen = self.end;
            if self.at_end {
                if self.start == self.end {
                    return Ok(None);
                }
                let rest = (self.start, self.end);
                self.start = self.end;
                self.line += 1;
                return Ok(Some(Some(rest)));
            }
            if self.end - self.start > MAX_RECORD_BYTES + 1 {
                self.pass_line()?;
                self.line += 1;
                return Ok(Some(None));
            }
            self.fill()?;
        }
    }

    /// Passes over the rest of a line that is too long, and gives its memory back.
    fn pass_line(&mut self) -> Result<()> {
        self.buffer = vec![0; CHUNK];
        loop {
            (self.start, self.seen, self.end) = (0, 0, 0);
            self.fill()?;
            if let Some(found) = memchr(b'\n', &self.buffer[..self.end]) {
                self.start = found + 1;
                self.seen = self.start;
                return Ok(());
            }
            if self.at_end {
                self.start = self.end;
                self.seen = self.end;
                return Ok(());
            }
        }
    }

    /// Reads more; the line begun moves to the front.
    fn fill(&mut self) -> Result<()> {
        let kept = self.start..self.end;
        let n = refill(&mut self.read, &mut self.buffer, kept.clone(), &self.label, self.line)?;
        (self.start, self.seen, self.end) = (0, self.seen - kept.start, kept.len() + n);
        self.at_end = n == 0;
        Ok(())
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

const CHUNK: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// Gives out a few bytes at a time, so that lines meet the buffer's end in all positions.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let n = self.1.min(self.0.len()).min(out.len());
            out[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn lines(read: impl Read) -> Vec<(u64, String)> {
        let mut lines = Lines::new(read, "t".into());
        let mut found = Vec::new();
        while let Some((number, line)) = lines.next_line().unwrap() {
            let text = match line {
                Line::Record(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Line::TooLong => "too long".into(),
            };
            found.push((number, text));
        }
        found
    }

    #[test]
    fn marks_blanks_and_ends_are_left_out() {
        let text = b"\xef\xbb\xbfa\r\n\n  \r\nb\nc";
        for step in 1..=text.len() {
            let expected = [(1, "a".to_owned()), (4, "b".to_owned()), (5, "c".to_owned())];
            assert_eq!(lines(Drip(text, step)), expected, "{step}");
        }
        assert_eq!(lines(&b""[..]), []);
        assert_eq!(lines(&b"\n\n"[..]), []);
    }

    #[test]
    fn a_line_beyond_the_bound_is_passed_over_in_bounded_memory() {
        let long = std::io::repeat(b'x').take(3 * MAX_RECORD_BYTES as u64);
        let mut lines = Lines::new((&b"a\n"[..]).chain(long).chain(&b"\nb\n"[..]), "t".into());
        assert_eq!(lines.next_line().unwrap(), Some((1, Line::Record(b"a"))));
        assert_eq!(lines.next_line().unwrap(), Some((2, Line::TooLong)));
        assert!(lines.buffer.len() <= 2 * MAX_RECORD_BYTES);
        assert_eq!(lines.next_line().unwrap(), Some((3, Line::Record(b"b"))));
        assert_eq!(lines.next_line().unwrap(), None);
    }

    #[test]
    fn other_formats_are_named() {
        let error =
            Lines::new(&b"\x1f\x8b\x08\x00\x00\x00\x00\x00"[..], "x.json".into()).next_line().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(
            error.to_string().contains("`x.json`: expected lines of JSON, found compressed with gzip"),
            "{error}"
        );
    }
}
