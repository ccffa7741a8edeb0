//! The rows of one row group as batches, with errors that say where.

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::explain::{self, Place};
use crate::error::Result;
use crate::location::ObjectReader;

/// Batches of a row group: columns in the order asked for, and as many rows as the footer promises.
pub(super) struct ParquetBatches {
    inner: Option<ParquetRecordBatchReader>,
    reader: ObjectReader,
    place: Place,
    /// Where each wanted column stands among those read, unless they already are in order.
    order: Option<Vec<usize>>,
    expected: usize,
    seen: usize,
}

impl ParquetBatches {
    /// `columns` are distinct top-level columns.
    pub(super) fn new(
        builder: ParquetRecordBatchReaderBuilder<ObjectReader>,
        reader: ObjectReader,
        place: Place,
        columns: &[usize],
        expected: usize,
    ) -> Result<Self> {
        let inner = explain::guarded(|| builder.build())
            .map_err(|error| reader.take_failure().unwrap_or_else(|| explain::undecodable(&place, &error)))?;
        let order = (!columns.is_sorted()).then(|| {
            columns.iter().map(|column| columns.iter().filter(|other| *other < column).count()).collect()
        });
        Ok(Self { inner: Some(inner), reader, place, order, expected, seen: 0 })
    }

    fn advance(&mut self) -> Result<Option<RecordBatch>> {
        let Some(inner) = &mut self.inner else { return Ok(None) };
        let batch = explain::guarded(|| inner.next().transpose().map_err(Into::into)).map_err(|error| {
            self.reader.take_failure().unwrap_or_else(|| explain::undecodable(&self.place, &error))
        })?;
        let Some(batch) = batch else {
            self.inner = None;
            if self.seen != self.expected {
                return Err(explain::miscounted(&self.place, self.expected, self.seen));
            }
            return Ok(None);
        };
        self.seen += batch.num_rows();
        match &self.order {
            None => Ok(Some(batch)),
            Some(order) => batch
                .project(order)
                .map(Some)
                .map_err(|error| explain::undecodable(&self.place, &error.into())),
        }
    }
}

impl Iterator for ParquetBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            // After an error nothing that follows can be trusted.
            self.inner = None;
        }
        next.transpose()
    }
}
