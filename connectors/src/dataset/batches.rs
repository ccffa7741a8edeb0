//! The batches of a part: the file's columns and its partition columns, in the order asked for.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Int32Array, RecordBatch, RecordBatchOptions, StringArray, new_null_array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::schema::Origin;
use crate::error::{Error, Result};
use crate::location::Partition;
use crate::source::{DecodedBatch, Stream};

/// An iterator over batches of bounded size, all from one part. It may be moved to any thread. After an error it ends.
pub struct Batches {
    stream: Stream,
    columns: Vec<Output>,
    file: String,
    /// The schema of the batch before: parts rarely change theirs.
    schema: Option<SchemaRef>,
}

/// Where an output column comes from.
struct Output {
    field: Field,
    from: From,
}

enum From {
    /// Column of the stream's batches.
    Stream(usize),
    /// A constant: the one-element dictionary of a partition's value, or none for null.
    Constant(Option<ArrayRef>),
}

impl Batches {
    /// `columns` name type and origin in the file; those of the file stand in `stream`'s batches in this same order.
    pub(super) fn new(
        stream: Stream,
        columns: &[(&Field, Origin)],
        partitions: &[Partition],
        file: &str,
    ) -> Self {
        let mut streamed = 0;
        let columns = columns
            .iter()
            .map(|(field, origin)| {
                let from = match origin {
                    Origin::Column(_) => {
                        streamed += 1;
                        From::Stream(streamed - 1)
                    }
                    Origin::Partition(index) => {
                        let value = partitions[*index].value.as_deref();
                        From::Constant(
                            value.map(|value| Arc::new(StringArray::from(vec![value])) as ArrayRef),
                        )
                    }
                };
                Output { field: (*field).clone(), from }
            })
            .collect();
        Self { stream, columns, file: file.to_owned(), schema: None }
    }

    /// The same with what text formats count beside the rows: values that did not fit their column, and records that
    /// could not be read. Parquet and Arrow have neither.
    pub fn next_decoded(&mut self) -> Option<Result<DecodedBatch>> {
        let decoded = self.stream.next()?;
        Some(decoded.and_then(|decoded| self.assemble(decoded)))
    }

    fn assemble(&mut self, decoded: DecodedBatch) -> Result<DecodedBatch> {
        let DecodedBatch { batch, mut type_errors, bad_records } = decoded;
        let rows = batch.num_rows();
        let mut arrays = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            arrays.push(match &column.from {
                From::Stream(index) => {
                    let array = batch.column(*index);
                    match array.data_type() {
                        // A file in which the column is null throughout may have no type for it.
                        DataType::Null => new_null_array(column.field.data_type(), rows),
                        _ => Arc::clone(array),
                    }
                }
                From::Constant(value) => constant(value.as_ref(), rows).map_err(|error| {
                    Error::malformed(format!("`{}`: {error}", self.file)).with_source(error)
                })?,
            });
        }
        let fits = |schema: &SchemaRef| {
            schema.fields().iter().zip(&arrays).all(|(field, array)| field.data_type() == array.data_type())
        };
        let schema = match self.schema.take().filter(fits) {
            Some(schema) => schema,
            None => Arc::new(Schema::new(
                self.columns
                    .iter()
                    .zip(&arrays)
                    .map(|(column, array)| column.field.clone().with_data_type(array.data_type().clone()))
                    .collect::<Vec<Field>>(),
            )),
        };
        self.schema = Some(Arc::clone(&schema));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options)
            .map_err(|error| Error::malformed(format!("`{}`: {error}", self.file)).with_source(error))?;
        let mut errors_of = |column: &Output| match column.from {
            From::Stream(index) => type_errors.get_mut(index).and_then(Option::take),
            From::Constant(_) => None,
        };
        let type_errors = self.columns.iter().map(&mut errors_of).collect();
        Ok(DecodedBatch { batch, type_errors, bad_records })
    }
}

/// A partition's value for `rows` rows: keys into a dictionary of one.
fn constant(value: Option<&ArrayRef>, rows: usize) -> Result<ArrayRef, arrow_schema::ArrowError> {
    let (keys, values) = match value {
        Some(value) => (Int32Array::from_value(0, rows), Arc::clone(value)),
        None => (Int32Array::new_null(rows), Arc::new(StringArray::from(Vec::<&str>::new())) as ArrayRef),
    };
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, values)?))
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.next_decoded()?.map(|decoded| decoded.batch))
    }
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches").field("file", &self.file).finish_non_exhaustive()
    }
}
