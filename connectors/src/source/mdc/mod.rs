//! The files of Azure ML's Model Data Collector: lines of events, each with the records of one or several requests.
//!
//! A row is one record with [`COLUMNS`] of its event beside its own. A record that cannot be read is told with its line and
//! its place in `data`, from 0, which is the index in the id of its row. A payload of more than 4 MB lies in a file of its
//! own, which is read where it lies in the store of its event.

mod event;
#[cfg(test)]
mod tests;

use std::io::Read;

pub(crate) use self::event::COLUMNS;
use self::event::{Event, Parsed};
use super::ndjson::lines::{Line, Lines};
use super::ndjson::{Decoder, Outcome, Sample, Sampler, Selection};
use super::{BadReason, BadRecords, BatchSize, DecodedBatch, Inferred};
use crate::error::Result;
use crate::location::{Object, Referred};
use crate::source::decoded::unless_empty;

/// The records of a file, one after the other.
struct Records<R> {
    lines: Lines<R>,
    /// The file, near which others may lie.
    file: Object,
    current: Option<Current>,
    record: String,
}

/// The event whose records are being given out.
struct Current {
    event: Event,
    line: u64,
    next: usize,
}

/// What comes next of a file.
enum Next<'a> {
    Record {
        line: u64,
        index: u64,
        text: &'a str,
    },
    /// An event of which no record can be had.
    Bad {
        line: u64,
        reason: BadReason,
        detail: String,
    },
    End,
}

impl<R: Read> Records<R> {
    fn new(read: R, file: &Object) -> Self {
        let lines = Lines::new(read, file.name().to_owned());
        Self { lines, file: file.clone(), current: None, record: String::new() }
    }

    fn next(&mut self) -> Result<Next<'_>> {
        loop {
            if let Some(current) = &mut self.current
                && current.next < current.event.n_records()
            {
                let index = current.next;
                current.next += 1;
                current.event.write(index, &mut self.record);
                return Ok(Next::Record { line: current.line, index: index as u64, text: &self.record });
            }
            self.current = None;
            let Some((line, found)) = self.lines.next_line()? else { return Ok(Next::End) };
            let read = match found {
                Line::Record(bytes) => event_of(bytes, &self.file)?,
                Line::TooLong => Err((
                    BadReason::TooLong,
                    "expected at most 64 MiB a line: is this one event a line?".to_owned(),
                )),
            };
            match read {
                Ok(event) => self.current = Some(Current { event, line, next: 0 }),
                Err((reason, detail)) => return Ok(Next::Bad { line, reason, detail }),
            }
        }
    }
}

/// The event of a line with its records, or why there are none.
fn event_of(line: &[u8], file: &Object) -> Result<std::result::Result<Event, (BadReason, String)>> {
    let Ok(text) = std::str::from_utf8(line) else {
        return Ok(Err((BadReason::NotUtf8, "expected UTF-8".to_owned())));
    };
    let (address, event) = match Event::parse(text) {
        Ok(Parsed::Here(event)) => return Ok(Ok(event)),
        Ok(Parsed::At(address, event)) => (address, event),
        Err(fault) => return Ok(Err((fault.reason, fault.to_string()))),
    };
    // What stands behind may be a signature that lets anybody read.
    let shown = address.split(['?', '#']).next().unwrap_or_default();
    let elsewhere = |what: &str| {
        let detail = format!("the event's records are in `{shown}`, {what}");
        Ok(Err((BadReason::DataElsewhere, detail)))
    };
    match file.referred(&address)? {
        Referred::Content(bytes) => match String::from_utf8(bytes) {
            Ok(content) => Ok(event
                .with_content(content)
                .map_err(|fault| (fault.reason, format!("in `{shown}`: {fault}")))),
            Err(_) => elsewhere("which is no UTF-8 text: only JSON can be read as records"),
        },
        Referred::Missing => {
            elsewhere("which does not exist: put the file back, and give the event in a file of a new name")
        }
        Referred::TooLong => elsewhere("which has more than 64 MiB"),
        Referred::Elsewhere => elsewhere(
            "which is not in the container or folder of its event: copy that file into it and say so in `dataref`, or \
             collect into one container",
        ),
    }
}

/// The columns of a file: those of its events, then the keys of its first records.
///
/// # Errors
/// Those of reading.
pub(crate) fn infer(read: impl Read, file: &Object, sample: Sample) -> Result<Inferred> {
    let mut sampler = Sampler::new(sample);
    let mut records = Records::new(read, file);
    while !sampler.is_full() {
        match records.next()? {
            Next::Record { line, text, .. } => sampler.take(line, text),
            Next::Bad { line, detail, .. } => sampler.fail(line, detail),
            Next::End => break,
        }
    }
    Ok(sampler.finish())
}

/// The batches of a file.
///
/// Iteration ends with the file or after the first error. A batch may have no rows, if only bad records are to be reported.
pub(crate) struct Reader<R> {
    records: Records<R>,
    decoder: Decoder,
    size: BatchSize,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads `columns` from `read`, the bytes of `file`.
    ///
    /// # Errors
    /// Those of [`Decoder::new`].
    pub(crate) fn new(read: R, file: &Object, columns: &[Selection], size: BatchSize) -> Result<Self> {
        Ok(Self { records: Records::new(read, file), decoder: Decoder::new(columns)?, size, ended: false })
    }

    fn next_batch(&mut self) -> Result<DecodedBatch> {
        let mut bad_records = BadRecords::default();
        while !self.decoder.is_full(self.size) && !bad_records.is_full() {
            match self.records.next()? {
                Next::Record { line, index, text } => {
                    if let Outcome::Bad(fault) = self.decoder.decode(text.as_bytes()) {
                        bad_records.add_part(line, index, fault.reason, || fault.to_string());
                    }
                }
                Next::Bad { line, reason, detail } => bad_records.add(line, reason, || detail),
                Next::End => {
                    self.ended = true;
                    break;
                }
            }
        }
        Ok(DecodedBatch { bad_records, ..self.decoder.flush() })
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<DecodedBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_batch();
        unless_empty(next, &mut self.ended)
    }
}
