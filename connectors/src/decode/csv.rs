//! CSV payloads: a line a record, or several.
//!
//! A record is split from end to end before anything is appended: one ragged line makes the whole record a bad one,
//! because half a record would be a guess.

use csv_core::ReadRecordResult;

use super::CsvFormat;
use super::decoder::Bad;
use super::field::FieldSpec;
use crate::error::{Error, Result};
use crate::source::BadReason;
use crate::source::column::Column;
use crate::source::csv::{Row, push_field};
use crate::source::ndjson::Pointer;
use crate::suggest;

/// The payload's columns.
pub(super) struct Lines {
    core: csv_core::Reader,
    columns: Vec<Column>,
    /// For each column the field that it reads.
    positions: Vec<usize>,
    null_values: Vec<String>,
    width: usize,
    /// The fields of all lines of the record at hand, unquoted, and where each ends.
    fields: Vec<u8>,
    ends: Vec<usize>,
    /// For each line the end of its bytes in `fields`.
    lines: Vec<usize>,
}

impl Lines {
    pub(super) fn new(fields: &[(&FieldSpec, Pointer)], format: &CsvFormat) -> Result<Self> {
        let names = || format.header.iter().map(String::as_str);
        if format.header.is_empty() {
            return Err(Error::misconfigured("csv: expected the names of the fields under `header`"));
        }
        for (at, name) in format.header.iter().enumerate() {
            if format.header[..at].contains(name) {
                return Err(Error::misconfigured(format!(
                    "csv: the header names `{name}` twice: rename one"
                )));
            }
        }
        let (mut columns, mut positions) = (Vec::new(), Vec::new());
        for (field, pointer) in fields {
            let found = match pointer.keys() {
                [key] => names().position(|name| name == key),
                _ => None,
            };
            let Some(position) = found else {
                let wanted = pointer.keys().first().map_or("", String::as_str);
                let advice = suggest::phrase(&suggest::candidates(wanted, names()), names());
                return Err(Error::misconfigured(format!(
                    "column `{}`: no field `{pointer}` in the csv header: {advice}",
                    field.name()
                )));
            };
            columns.push(field.column()?);
            positions.push(position);
        }
        let core = csv_core::ReaderBuilder::new().delimiter(format.delimiter).quote(format.quote).build();
        Ok(Self {
            core,
            columns,
            positions,
            null_values: format.null_values.clone(),
            width: format.header.len(),
            fields: vec![0; 1024],
            ends: vec![0; 64],
            lines: Vec::new(),
        })
    }

    pub(super) fn decode(&mut self, payload: &[u8]) -> Result<usize, Bad> {
        self.split(payload)?;
        let mut start = 0;
        for (line, &end) in self.lines.iter().enumerate() {
            let ends = &self.ends[line * self.width..(line + 1) * self.width];
            let row = Row::new(&self.fields[start..end], ends);
            for (column, &position) in self.columns.iter_mut().zip(&self.positions) {
                push_field(column, &self.null_values, row.text(position));
            }
            start = end;
        }
        Ok(self.lines.len())
    }

    pub(super) fn columns_mut(&mut self) -> &mut [Column] {
        &mut self.columns
    }

    /// Splits the payload into `fields`, `ends` and `lines`.
    fn split(&mut self, payload: &[u8]) -> Result<(), Bad> {
        self.core.reset();
        self.lines.clear();
        let payload = payload.strip_prefix("\u{feff}".as_bytes()).unwrap_or(payload);
        let (mut at, mut n_bytes, mut n_ends) = (0, 0, 0);
        let mut closing: &[u8] = b"\n";
        loop {
            let input = if at < payload.len() { &payload[at..] } else { closing };
            let (result, used, written, ended) =
                self.core.read_record(input, &mut self.fields[n_bytes..], &mut self.ends[n_ends..]);
            if at < payload.len() {
                at += used
            } else {
                closing = &closing[used..]
            }
            n_bytes += written;
            n_ends += ended;
            match result {
                ReadRecordResult::OutputFull => self.fields.resize(self.fields.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::InputEmpty if at < payload.len() || !closing.is_empty() => {}
                ReadRecordResult::InputEmpty => {
                    let begun = self.lines.last().copied().unwrap_or(0);
                    return if n_bytes == begun && n_ends == self.lines.len() * self.width {
                        self.check_lines()
                    } else {
                        Err(Bad {
                            reason: BadReason::Truncated,
                            detail: "expected the closing quote of the last field".to_owned(),
                        })
                    };
                }
                ReadRecordResult::Record => {
                    let found = n_ends - self.lines.len() * self.width;
                    if found != self.width {
                        let (line, width) = (self.lines.len() + 1, self.width);
                        return Err(Bad {
                            reason: BadReason::Ragged,
                            detail: format!("expected {width} fields, found {found} in line {line}"),
                        });
                    }
                    self.lines.push(n_bytes);
                }
                ReadRecordResult::End => return self.check_lines(),
            }
        }
    }

    fn check_lines(&self) -> Result<(), Bad> {
        if self.lines.is_empty() {
            let (reason, detail) = (BadReason::Ragged, format!("expected {} fields, found none", self.width));
            return Err(Bad { reason, detail });
        }
        Ok(())
    }
}
