//! A byte stream as CSV records, in bounded memory.

use std::io::Read;

use csv_core::ReadRecordResult;
use memchr::{memchr, memchr_iter};

use super::{Options, delimiter};
use crate::error::{Error, Result};
use crate::source::refill::refill;
use crate::source::{MAX_RECORD_BYTES, head};

/// The next record.
pub(super) enum Next<'a> {
    Row(Row<'a>),
    /// Another number of fields than the header.
    Ragged {
        expected: usize,
        found: usize,
    },
    /// Longer than 64 MiB.
    TooLong,
}

impl Next<'_> {
    /// What is wrong with a record that is no row, for a person.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::Row(_) => String::new(),
            Self::Ragged { expected, found } => format!("expected {expected} fields, found {found}"),
            Self::TooLong => "expected at most 64 MiB a record: is a quote not closed?".to_owned(),
        }
    }
}

/// The fields of a record, unquoted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    bytes: &'a [u8],
    ends: &'a [usize],
    /// All fields, if all are UTF-8.
    text: Option<&'a str>,
}

impl<'a> Row<'a> {
    /// The fields that end at `ends` in `bytes`.
    pub(crate) fn new(bytes: &'a [u8], ends: &'a [usize]) -> Self {
        Self { bytes, ends, text: std::str::from_utf8(bytes).ok() }
    }

    /// A field, or `None` if it is not UTF-8.
    pub(crate) fn text(self, field: usize) -> Option<&'a str> {
        let range = field.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[field];
        match self.text.and_then(|text| text.get(range.clone())) {
            Some(text) => Some(text),
            None => std::str::from_utf8(&self.bytes[range]).ok(),
        }
    }

    /// Bytes of all fields.
    pub(super) fn len(self) -> usize {
        self.bytes.len()
    }

    fn n_fields(self) -> usize {
        self.ends.len()
    }
}

/// The records of a reader, the header left out.
pub(super) struct Records<R> {
    read: R,
    label: String,
    core: csv_core::Reader,
    input: Vec<u8>,
    /// The record at hand began at `input[start]`; `input[at..end]` is not yet split.
    start: usize,
    at: usize,
    end: usize,
    at_end: bool,
    /// The line on which `input[start]` stands, from 1.
    line: u64,
    fields: Vec<u8>,
    ends: Vec<usize>,
    /// How many fields a record should have.
    width: usize,
}

impl<R: Read> Records<R> {
    /// Reads the header; answers the names.
    ///
    /// # Errors
    /// As for [`super::Reader::new`].
    pub(super) fn open(read: R, label: &str, options: &Options) -> Result<(Self, Vec<String>)> {
        let mut records = Self {
            read,
            label: label.to_owned(),
            core: csv_core::Reader::new(),
            input: vec![0; CHUNK],
            start: 0,
            at: 0,
            end: 0,
            at_end: false,
            line: 1,
            fields: vec![0; 4096],
            ends: vec![0; 64],
            width: 0,
        };
        while records.end < delimiter::SAMPLE && !records.at_end {
            records.fill()?;
        }
        records.start = head::skip_mark(&records.input[..records.end], label, "text with delimiters")?;
        records.at = records.start;
        let sample = &records.input[records.start..records.end];
        let delimiter = options.delimiter.unwrap_or_else(|| delimiter::find(sample, options.quote));
        records.core = csv_core::ReaderBuilder::new().delimiter(delimiter).quote(options.quote).build();

        let header = records.header(options.header)?;
        records.width = header.len();
        Ok((records, header))
    }

    fn header(&mut self, has_names: bool) -> Result<Vec<String>> {
        let refuse =
            |label: &str, what: &str| Error::malformed(format!("`{label}`: expected a header, found {what}"));
        let (from, from_line) = (self.start, self.line);
        let names = match self.split()? {
            Split::End if has_names => return Err(refuse(&self.label, "an empty file")),
            Split::End => return Ok(Vec::new()),
            Split::TooLong => return Err(refuse(&self.label, "a record of more than 64 MiB")),
            Split::Record(fields, ends) => {
                let row = Row::new(&self.fields[..fields], &self.ends[..ends]);
                let name = |field| row.text(field).map(str::to_owned);
                (0..row.n_fields()).map(name).collect::<Option<Vec<_>>>()
            }
        };
        if !has_names {
            let width = names.map_or(self.ends.len(), |names| names.len());
            self.rewind(from, from_line);
            return Ok((1..=width).map(|i| format!("column_{i}")).collect());
        }
        self.pass();
        let names = names.ok_or_else(|| refuse(&self.label, "bytes that are not UTF-8: convert the file"))?;
        for (i, name) in names.iter().enumerate() {
            if names[..i].contains(name) {
                return Err(Error::malformed(format!(
                    "`{}`: the header names column `{name}` twice: rename one",
                    self.label
                )));
            }
        }
        Ok(names)
    }

    /// The next record and the line it starts on; `None` at the end.
    ///
    /// # Errors
    /// Unavailable, if reading fails.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Next<'_>)>> {
        let (n_bytes, n_ends) = match self.split()? {
            Split::End => return Ok(None),
            Split::TooLong => {
                let line = self.line;
                self.pass_line()?;
                return Ok(Some((line, Next::TooLong)));
            }
            Split::Record(n_bytes, n_ends) => (n_bytes, n_ends),
        };
        let line = self.line;
        if n_ends != self.width {
            let inner = self.at - usize::from(self.at > self.start && self.input[self.at - 1] == b'\n');
            match memchr(b'\n', &self.input[self.start..inner]) {
                Some(first) => self.rewind(self.start + first + 1, line + 1),
                None => self.pass(),
            }
            return Ok(Some((line, Next::Ragged { expected: self.width, found: n_ends })));
        }
        self.pass();
        Ok(Some((line, Next::Row(Row::new(&self.fields[..n_bytes], &self.ends[..n_ends])))))
    }

    /// Splits the next record into `fields` and `ends`; its text stays in `input[start..at]` until it is passed.
    fn split(&mut self) -> Result<Split> {
        self.pass_line_ends()?;
        let (mut n_bytes, mut n_ends) = (0, 0);
        loop {
            let input = &self.input[self.at..self.end];
            let (result, used, written, ended) =
                self.core.read_record(input, &mut self.fields[n_bytes..], &mut self.ends[n_ends..]);
            self.at += used;
            n_bytes += written;
            n_ends += ended;
            match result {
                ReadRecordResult::Record => return Ok(Split::Record(n_bytes, n_ends)),
                ReadRecordResult::End => return Ok(Split::End),
                ReadRecordResult::OutputFull => self.fields.resize(self.fields.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::InputEmpty => {
                    if self.at - self.start > MAX_RECORD_BYTES {
                        return Ok(Split::TooLong);
                    }
                    self.fill()?;
                }
            }
        }
    }

    /// Moves past the record at hand.
    fn pass(&mut self) {
        self.line += memchr_iter(b'\n', &self.input[self.start..self.at]).count() as u64;
        self.start = self.at;
    }

    /// Begins anew at an earlier byte.
    fn rewind(&mut self, to: usize, line: u64) {
        self.core.reset();
        (self.start, self.at, self.line) = (to, to, line);
    }

    /// Passes blank lines, so that a record's line number is that of its first byte.
    fn pass_line_ends(&mut self) -> Result<()> {
        loop {
            while self.start < self.end {
                match self.input[self.start] {
                    b'\n' => self.line += 1,
                    b'\r' => {}
                    _ => break,
                }
                self.start += 1;
            }
            self.at = self.start;
            if self.start < self.end || self.at_end {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Passes over the rest of the line on which a record began that is too long.
    fn pass_line(&mut self) -> Result<()> {
        loop {
            if let Some(found) = memchr(b'\n', &self.input[self.start..self.end]) {
                self.rewind(self.start + found + 1, self.line + 1);
                return Ok(());
            }
            self.rewind(self.end, self.line);
            if self.at_end {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Reads more; the record at hand moves to the front.
    fn fill(&mut self) -> Result<()> {
        let kept = self.start..self.end;
        let n = refill(&mut self.read, &mut self.input, kept.clone(), &self.label, self.line)?;
        (self.start, self.at, self.end) = (0, self.at - kept.start, kept.len() + n);
        self.at_end = n == 0;
        Ok(())
    }
}

/// What `split` found: how many bytes and ends of a record, or none.
enum Split {
    Record(usize, usize),
    TooLong,
    End,
}

const CHUNK: usize = 256 << 10;
