//! Newline-delimited JSON: one object a line.
//!
//! Each record and each field stands alone: see [`Decoder`], which the streaming service uses on its own. Lines may be
//! up to 64 MiB and end in `\n` or `\r\n`; a byte order mark and blank lines are passed over. Besides JSON, `NaN`,
//! `Infinity` and `-Infinity` are read as Python writes them.

mod decoder;
mod infer;
pub(super) mod lines;
pub(super) mod scan;
#[cfg(test)]
mod tests;

use std::io::Read;

pub use self::decoder::{Decoder, Outcome, Selection};
pub(super) use self::infer::Sampler;
pub use self::infer::{Sample, infer};
pub use self::scan::Fault;
pub use super::path::Pointer;

use self::lines::{Line, Lines};
use super::{BadReason, BadRecords, BatchSize, DecodedBatch};
use crate::error::Result;
use crate::source::decoded::unless_empty;

/// The batches of an NDJSON file.
///
/// Iteration ends with the input or after the first error. A batch may have no rows, if only bad records are to be
/// reported.
pub struct Reader<R> {
    lines: Lines<R>,
    decoder: Decoder,
    size: BatchSize,
    ended: bool,
}

impl<R: Read + Send> Reader<R> {
    /// Reads `columns` from `read`; `label` names it in errors.
    ///
    /// # Errors
    /// Those of [`Decoder::new`].
    pub fn new(read: R, label: &str, columns: &[Selection], size: BatchSize) -> Result<Self> {
        let decoder = Decoder::new(columns)?;
        Ok(Self { lines: Lines::new(read, label.to_owned()), decoder, size, ended: false })
    }

    /// The schema of the batches.
    pub fn schema(&self) -> &arrow_schema::SchemaRef {
        self.decoder.schema()
    }

    fn next_batch(&mut self) -> Result<DecodedBatch> {
        let mut bad_records = BadRecords::default();
        while !self.decoder.is_full(self.size) && !bad_records.is_full() {
            let Some((number, line)) = self.lines.next_line()? else {
                self.ended = true;
                break;
            };
            match line {
                Line::Record(record) => {
                    if let Outcome::Bad(fault) = self.decoder.decode(record) {
                        bad_records.add(number, fault.reason, || fault.to_string());
                    }
                }
                Line::TooLong => bad_records.add(number, BadReason::TooLong, || {
                    "expected at most 64 MiB a line: is this one object a line?".to_owned()
                }),
            }
        }
        Ok(DecodedBatch { bad_records, ..self.decoder.flush() })
    }
}

impl<R: Read + Send> Iterator for Reader<R> {
    type Item = Result<DecodedBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_batch();
        unless_empty(next, &mut self.ended)
    }
}
