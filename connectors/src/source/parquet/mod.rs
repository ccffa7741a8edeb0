//! Parquet: one group a row group, columns read by themselves, page by page.
//!
//! Strings of a row group that are dictionary-encoded throughout come as Dictionary(Int32, Utf8), and all batches of
//! that group share one `values` array: whoever counts categories needs to look at each of them once, not at each row.
//! A row group in which the writer gave the dictionary up is decoded to plain Utf8 instead, because the reader would
//! otherwise build a new dictionary for every batch.

mod batches;
mod cache;
mod explain;

use std::ops::Range;
use std::sync::Arc;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
    RowSelectionPolicy,
};
use ::parquet::file::metadata::{
    ColumnChunkMask, ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader,
};
use arrow_array::Array;
use arrow_schema::SchemaRef;

use self::batches::ParquetBatches;
use self::cache::Opened;
pub(crate) use self::cache::{MetadataCache, string_dictionary};
pub(crate) use self::explain::check_frame;
use super::{DecodedBatch, Group, Source, Statistics, Stream};
use crate::error::{Error, Result};
use crate::location::{Object, ObjectReader};

/// What is fetched of a remote file's end before it is known how long its footer is, bytes.
const FOOTER_GUESS: u64 = 64 << 10;

/// One Parquet file. Its footer is kept by the cache that all files of a data set share.
#[derive(Debug)]
pub(crate) struct ParquetFile {
    object: Object,
    id: usize,
    schema: SchemaRef,
    groups: Vec<Group>,
    cache: Arc<MetadataCache>,
}

impl ParquetFile {
    /// Reads the footer and checks that all it points at lies within the file. `id` is the file's key in `cache`.
    pub(crate) fn open(object: Object, id: usize, cache: Arc<MetadataCache>) -> Result<Self> {
        let opened = load(&object)?;
        let groups = opened
            .metadata()
            .row_groups()
            .iter()
            .map(|group| Group {
                rows: Some(group.num_rows().unsigned_abs()),
                bytes: group.columns().iter().map(|column| column.compressed_size().unsigned_abs()).sum(),
            })
            .collect();
        let schema = Arc::clone(opened.schema());
        cache.insert(id, opened);
        Ok(Self { object, id, schema, groups, cache })
    }

    fn opened(&self) -> Result<Arc<Opened>> {
        self.cache.find(self.id).map_or_else(|| Ok(self.cache.insert(self.id, load(&self.object)?)), Ok)
    }

    fn stream(
        &self,
        group: usize,
        columns: &[usize],
        rows: Option<RowSelection>,
        batch_rows: usize,
    ) -> Result<Stream> {
        let opened = self.opened()?;
        let leaves = leaves_below(opened.metadata(), columns);
        let metadata =
            opened.reader_metadata(group).map_err(|error| explain::corrupt(self.object.name(), &error))?;
        let chunks = opened.metadata().row_group(group).columns();
        let ranges: Vec<Range<u64>> = leaves.iter().map(|leaf| chunk_range(&chunks[*leaf])).collect();
        let reader = self.object.open(&ranges)?;
        let metadata = match rows {
            Some(_) if self.object.is_remote() => {
                self.with_offset_index(&metadata, &reader, group, &leaves)?
            }
            _ => metadata,
        };
        let expected = match &rows {
            Some(selection) => selection.row_count(),
            None => opened.metadata().row_group(group).num_rows().unsigned_abs() as usize,
        };
        let mask = ProjectionMask::roots(metadata.parquet_schema(), columns.iter().copied());
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(reader.clone(), metadata)
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(batch_rows);
        if let Some(selection) = rows {
            // Selectors skip within a page without decoding; a mask would decode first and filter then.
            builder = builder
                .with_row_selection(selection)
                .with_row_selection_policy(RowSelectionPolicy::Selectors);
        }
        let place = explain::Place {
            file: self.object.name().to_owned(),
            group,
            groups: self.groups.len(),
            columns: columns.iter().map(|column| self.schema.field(*column).name().clone()).collect(),
        };
        let batches = ParquetBatches::new(builder, reader, place, columns, expected)?;
        Ok(Box::new(batches.map(|batch| batch.map(DecodedBatch::typed))))
    }

    /// The same metadata with the places of the pages that hold the wanted columns, so that pages without a wanted row
    /// need not be fetched. Only remote files: a local page header is cheaper to read than an index.
    fn with_offset_index(
        &self,
        metadata: &ArrowReaderMetadata,
        reader: &ObjectReader,
        group: usize,
        leaves: &[usize],
    ) -> Result<ArrowReaderMetadata> {
        let mut footer = ParquetMetaDataReader::new_with_metadata(metadata.metadata().as_ref().clone())
            .with_column_index_policy(PageIndexPolicy::Skip)
            .with_offset_index_policy(PageIndexPolicy::Optional)
            .with_offset_index_mask(ColumnChunkMask::row_groups_and_columns([group], leaves.iter().copied()));
        let parquet = explain::guarded(|| {
            footer.read_page_indexes(reader)?;
            footer.finish()
        })
        .map_err(|error| {
            reader.take_failure().unwrap_or_else(|| explain::corrupt(self.object.name(), &error))
        })?;
        ArrowReaderMetadata::try_new(
            Arc::new(parquet),
            ArrowReaderOptions::new().with_schema(Arc::clone(metadata.schema())),
        )
        .map_err(|error| explain::corrupt(self.object.name(), &error))
    }
}

impl Source for ParquetFile {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn groups(&self) -> &[Group] {
        &self.groups
    }

    fn column_bytes(&self, group: usize, column: usize) -> Result<Option<u64>> {
        let opened = self.opened()?;
        let chunks = opened.metadata().row_group(group).columns();
        let leaves = leaves_below(opened.metadata(), &[column]);
        Ok(Some(leaves.iter().map(|leaf| chunks[*leaf].compressed_size().unsigned_abs()).sum()))
    }

    fn read(&self, group: usize, columns: &[usize], batch_rows: usize) -> Result<Stream> {
        self.stream(group, columns, None, batch_rows)
    }

    fn read_rows(
        &self,
        group: usize,
        columns: &[usize],
        ranges: &[Range<u64>],
        batch_rows: usize,
    ) -> Result<Stream> {
        let total = self.groups[group].rows.unwrap_or(0) as usize;
        let ranges = ranges.iter().map(|range| range.start as usize..range.end as usize);
        let selection = RowSelection::from_consecutive_ranges(ranges, total);
        self.stream(group, columns, Some(selection), batch_rows)
    }

    fn statistics(&self, group: usize, column: usize) -> Result<Option<Statistics>> {
        let opened = self.opened()?;
        let leaves = leaves_below(opened.metadata(), &[column]);
        let row_group = opened.metadata().row_group(group);
        let [leaf] = leaves[..] else { return Ok(None) };
        let Some(given) = row_group.column(leaf).statistics() else { return Ok(None) };
        let corrupt = |error| explain::corrupt(self.object.name(), &error);
        let parquet = opened.metadata().file_metadata().schema_descr();
        // The converter finds the leaf by the column's place, so that it needs the whole schema.
        let converter = StatisticsConverter::try_new(self.schema.field(column).name(), &self.schema, parquet)
            .map_err(corrupt)?;
        let min = converter.row_group_mins([row_group]).map_err(corrupt)?;
        let max = converter.row_group_maxes([row_group]).map_err(corrupt)?;
        if min.is_null(0) && max.is_null(0) && given.null_count_opt().is_none() {
            return Ok(None);
        }
        Ok(Some(Statistics {
            min,
            max,
            nulls: given.null_count_opt(),
            exact: given.min_is_exact() && given.max_is_exact(),
        }))
    }
}

/// Reads and checks the footer of a file.
fn load(object: &Object) -> Result<Opened> {
    let name = object.name();
    let size = object.size();
    let tail = size.saturating_sub(FOOTER_GUESS)..size;
    let reader = object.open(&[tail])?;
    check_frame(name, size, &reader)?;
    let metadata = explain::guarded(|| ArrowReaderMetadata::load(&reader, ArrowReaderOptions::new()))
        .map_err(|error| reader.take_failure().unwrap_or_else(|| explain::corrupt_footer(name, &error)))?;
    explain::check_chunks(name, size, metadata.metadata())?;
    Opened::new(&metadata).map_err(|why| explain::unusable(name, &why))
}

/// The leaf columns below top-level columns.
fn leaves_below(metadata: &ParquetMetaData, roots: &[usize]) -> Vec<usize> {
    let schema = metadata.file_metadata().schema_descr();
    (0..schema.num_columns()).filter(|leaf| roots.contains(&schema.get_column_root_idx(*leaf))).collect()
}

/// Where a column chunk lies. Checked to be sound when the footer was read.
fn chunk_range(chunk: &ColumnChunkMetaData) -> Range<u64> {
    let (start, length) = chunk.byte_range();
    start..start + length
}

/// An error whose text is all there is to say.
fn plain(text: String) -> Error {
    Error::malformed(text)
}
