//! CSV and its relatives, split into records by `csv-core` and typed field by field.
//!
//! `arrow-csv` is not used because one field that does not parse, or one row that is a field short, ends its file.
//! Here such a field is null and a type error, and such a row is a bad record; neither touches its neighbours.
//!
//! A row with more or fewer fields than the header is *ragged*. If it spans lines, an opening quote was probably never
//! closed, so reading goes on at its second line: a stray quote then costs one row and not the rest of the file. (Where it
//! pairs with a later quote and the pieces happen to make the right number of fields, no reader could tell.)

mod delimiter;
mod infer;
mod records;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

pub use self::infer::infer;
pub(crate) use self::records::Row;

use self::records::{Next, Records};
use super::column::{Column, decoded_type};
use super::{BadReason, BadRecords, BatchSize, DecodedBatch};
use crate::error::{Error, Result};
use crate::source::decoded::unless_empty;
use crate::suggest;

/// How a file is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The byte between fields; `None` finds out which of `,` `;` tab and `|` it is.
    pub delimiter: Option<u8>,
    /// The byte around fields that hold delimiters, line ends or quotes; doubled inside.
    pub quote: u8,
    /// Whether the first record holds the names; without it they are `column_1`, `column_2` and so on.
    pub header: bool,
    /// Fields that are null, compared byte for byte.
    pub null_values: Vec<String>,
}

impl Default for Options {
    /// Delimiter to be found, quote `"`, a header, and only the empty field is null.
    fn default() -> Self {
        Self { delimiter: None, quote: b'"', header: true, null_values: vec![String::new()] }
    }
}

/// One column to decode: its name, the header it stands under, and its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    name: String,
    header: String,
    data_type: DataType,
    epoch: Option<TimeUnit>,
}

impl Selection {
    /// The column under the header `name`.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        let name = name.into();
        Self { header: name.clone(), name, data_type, epoch: None }
    }

    /// The same column, taken from under another header.
    #[must_use]
    pub fn under(mut self, header: impl Into<String>) -> Self {
        self.header = header.into();
        self
    }

    /// For timestamp columns: numbers count this unit since the epoch; without it they are type errors.
    #[must_use]
    pub fn epoch(mut self, unit: TimeUnit) -> Self {
        self.epoch = Some(unit);
        self
    }
}

/// The batches of a CSV file.
///
/// Iteration ends with the input or after the first error. A batch may have no rows, if only bad records are
/// left to report.
pub struct Reader<R> {
    records: Records<R>,
    schema: SchemaRef,
    /// Each with the position of its field.
    columns: Vec<(usize, Column)>,
    null_values: Vec<String>,
    size: BatchSize,
    ended: bool,
}

impl<R: Read + Send> Reader<R> {
    /// Reads the header of `read` and prepares to read `columns`; `label` names the file in errors.
    ///
    /// # Errors
    /// Misconfigured, if a column is not in the header, has a name twice, or a type that cannot be decoded from text;
    /// Malformed, if the header cannot be read or the file is of another format; Unavailable, if reading fails.
    pub fn new(
        read: R,
        label: &str,
        columns: &[Selection],
        options: &Options,
        size: BatchSize,
    ) -> Result<Self> {
        let (records, header) = Records::open(read, label, options)?;
        let mut fields: Vec<Field> = Vec::with_capacity(columns.len());
        let mut built = Vec::with_capacity(columns.len());
        for Selection { name, header: wanted, data_type, epoch } in columns {
            if fields.iter().any(|field| field.name() == name) {
                return Err(Error::misconfigured(format!(
                    "column `{name}` is asked for twice: give each a name"
                )));
            }
            let names = || header.iter().map(String::as_str);
            let Some(position) = names().position(|h| h == wanted) else {
                let advice = suggest::phrase(&suggest::candidates(wanted, names()), names());
                return Err(Error::misconfigured(format!(
                    "`{label}`: no column `{wanted}` in the header: {advice}"
                )));
            };
            let column = Column::new(data_type, *epoch, BatchSize::default().rows)
                .map_err(|reason| Error::misconfigured(format!("column `{name}`: {reason}")))?;
            built.push((position, column));
            fields.push(Field::new(name, decoded_type(data_type), true));
        }
        Ok(Self {
            records,
            schema: Arc::new(Schema::new(fields)),
            columns: built,
            null_values: options.null_values.clone(),
            size,
            ended: false,
        })
    }

    /// The schema of the batches; strings of any encoding asked for come as `Utf8`.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn next_batch(&mut self) -> Result<DecodedBatch> {
        let mut bad_records = BadRecords::default();
        let (mut rows, mut bytes) = (0, 0);
        while rows < self.size.rows && bytes < self.size.bytes && !bad_records.is_full() {
            match self.records.next()? {
                None => {
                    self.ended = true;
                    break;
                }
                Some((_, Next::Row(row))) => {
                    bytes += row.len();
                    rows += 1;
                    append(&mut self.columns, &self.null_values, row);
                }
                Some((line, fault @ Next::Ragged { .. })) => {
                    bad_records.add(line, BadReason::Ragged, || fault.detail());
                }
                Some((line, fault @ Next::TooLong)) => {
                    bad_records.add(line, BadReason::TooLong, || fault.detail());
                }
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let (arrays, type_errors) = self.columns.iter_mut().map(|(_, column)| column.finish()).unzip();
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .expect("every row was appended to every column, in the types of the schema");
        Ok(DecodedBatch { batch, type_errors, bad_records })
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

/// Appends one row.
fn append(columns: &mut [(usize, Column)], null_values: &[String], row: Row<'_>) {
    for (position, column) in columns {
        push_field(column, null_values, row.text(*position));
    }
}

/// Appends a field; one that is not UTF-8 (`None`) fits no column.
pub(crate) fn push_field(column: &mut Column, null_values: &[String], field: Option<&str>) {
    match field {
        None => column.push_type_error(),
        Some(text) if null_values.iter().any(|null| null == text) => column.push_null(),
        Some(text) => column.push_text(text),
    }
}
