//! Arrow payloads: one IPC stream a record, whose rows become rows.
//!
//! Columns are found by name, structs on the way are passed through, dictionaries are decoded. Values move one by one by
//! the rule of SEMANTICS S4, as from every other typed format: a column of another family is all type errors, and so is a
//! value that the wanted type cannot hold.

mod guard;
mod layout;
#[cfg(test)]
mod tests;
mod values;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_buffer::{Buffer, NullBuffer};
use arrow_ipc::reader::StreamDecoder;
use arrow_schema::{ArrowError, DataType};

use self::values::Found;
use super::decoder::Bad;
use super::field::FieldSpec;
use crate::error::Result;
use crate::source::BadReason;
use crate::source::column::Column;
use crate::source::ndjson::Pointer;

/// The payload's columns.
pub(super) struct Streams {
    columns: Vec<Column>,
    pointers: Vec<Pointer>,
    /// Values in a row of all columns, those of lists included.
    cells: usize,
    scratch: Vec<Option<f64>>,
}

/// A column in a batch.
enum Place {
    Found(Found),
    /// There is none of this name: null.
    Absent,
    /// What is on the way is no struct: a type error.
    Unreachable,
}

impl Place {
    fn push(&self, rows: usize, column: &mut Column, scratch: &mut Vec<Option<f64>>) {
        match self {
            Self::Found(found) => found.push(column, scratch),
            Self::Absent => (0..rows).for_each(|_| column.push_null()),
            Self::Unreachable => (0..rows).for_each(|_| column.push_type_error()),
        }
    }
}

/// Appends one column of a batch.
#[cfg(test)]
pub(super) fn push(batch: &RecordBatch, pointer: &Pointer, column: &mut Column) {
    find(batch, pointer).push(batch.num_rows(), column, &mut Vec::new());
}

impl Streams {
    pub(super) fn new(fields: &[(&FieldSpec, Pointer)]) -> Result<Self> {
        let (mut columns, mut pointers, mut cells) = (Vec::new(), Vec::new(), 0);
        for (field, pointer) in fields {
            columns.push(field.column()?);
            pointers.push(pointer.clone());
            cells += match field.data_type() {
                DataType::FixedSizeList(_, length) => usize::try_from(*length).unwrap_or(0).max(1),
                _ => 1,
            };
        }
        Ok(Self { columns, pointers, cells, scratch: Vec::new() })
    }

    /// Decodes a stream; answers how many rows it had.
    pub(super) fn decode(&mut self, payload: &[u8]) -> Result<usize, Bad> {
        let batches = read(payload)?;
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let places: Vec<Vec<Place>> = batches
            .iter()
            .map(|batch| self.pointers.iter().map(|pointer| find(batch, pointer)).collect())
            .collect();
        let texts: usize = places
            .iter()
            .flatten()
            .map(|place| if let Place::Found(found) = place { found.text_bytes() } else { 0 })
            .sum();
        if rows.saturating_mul(self.cells) > MOST_CELLS || texts > guard::MOST_BYTES as usize {
            let detail = format!("expected fewer rows in a record, found {rows}: send smaller batches");
            return Err(Bad { reason: BadReason::TooLong, detail });
        }
        for (batch, places) in batches.iter().zip(&places) {
            for (column, place) in self.columns.iter_mut().zip(places) {
                place.push(batch.num_rows(), column, &mut self.scratch);
            }
        }
        Ok(rows)
    }

    pub(super) fn columns_mut(&mut self) -> &mut [Column] {
        &mut self.columns
    }
}

/// The batches of a stream.
fn read(payload: &[u8]) -> Result<Vec<RecordBatch>, Bad> {
    guard::check(payload)?;
    let mut bytes = Buffer::from(payload);
    let decode = move || {
        let mut decoder = StreamDecoder::new();
        let mut batches = Vec::new();
        while !bytes.is_empty() {
            batches.extend(decoder.decode(&mut bytes)?);
        }
        decoder.finish()?;
        Ok::<_, ArrowError>(batches)
    };
    let refuse = |detail: String| Bad { reason: BadReason::NotArrow, detail };
    // The guard leaves no panic that is known; one that is not must not stop a partition at its record for ever.
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(batches)) => Ok(batches),
        Ok(Err(_)) => Err(refuse("expected batches that fit their schema, found damaged ones".to_owned())),
        // In tests it is a hole in the guard.
        Err(panic) if cfg!(test) => resume_unwind(panic),
        Err(_) => Err(refuse("expected an arrow stream, found one that no reader survives".to_owned())),
    }
}

fn find(batch: &RecordBatch, pointer: &Pointer) -> Place {
    let Some((first, rest)) = pointer.keys().split_first() else { return Place::Absent };
    let Some(column) = batch.column_by_name(first) else { return Place::Absent };
    let mut array = Arc::clone(column);
    let mut above: Option<NullBuffer> = None;
    for key in rest {
        let Some(parent) = array.as_struct_opt() else { return Place::Unreachable };
        above = NullBuffer::union(above.as_ref(), parent.nulls());
        match parent.column_by_name(key) {
            None => return Place::Absent,
            Some(child) => {
                let child = Arc::clone(child);
                array = child;
            }
        }
    }
    Place::Found(Found { array, above })
}

/// The most values that one record may add to all columns.
const MOST_CELLS: usize = 1 << 26;
