//! Footers, kept while they fit: a data set of thousands of files must not hold all of theirs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::{Encoding, Type as Physical};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

/// What all kept footers may take, bytes.
const BUDGET: usize = 32 << 20;

/// The footers used last.
#[derive(Debug, Default)]
pub(crate) struct MetadataCache {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Least recently used first.
    footers: VecDeque<(usize, Arc<Opened>)>,
    bytes: usize,
}

impl MetadataCache {
    /// The footer of file `id`, if it is still kept.
    pub(super) fn find(&self, id: usize) -> Option<Arc<Opened>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let position = kept.footers.iter().rposition(|(held, _)| *held == id)?;
        let entry = kept.footers.remove(position)?;
        let opened = Arc::clone(&entry.1);
        kept.footers.push_back(entry);
        Some(opened)
    }

    /// Keeps a footer, at the expense of those used longest ago.
    pub(super) fn insert(&self, id: usize, opened: Opened) -> Arc<Opened> {
        let opened = Arc::new(opened);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.footers.iter().any(|(held, _)| *held == id) {
            kept.bytes += opened.bytes;
            kept.footers.push_back((id, Arc::clone(&opened)));
        }
        while kept.bytes > BUDGET && kept.footers.len() > 1 {
            let Some((_, gone)) = kept.footers.pop_front() else { break };
            kept.bytes -= gone.bytes;
        }
        opened
    }
}

/// A footer, and the Arrow types to read its columns as.
#[derive(Debug)]
pub(crate) struct Opened {
    metadata: Arc<ParquetMetaData>,
    schema: SchemaRef,
    /// Of each top-level column, its leaf if it is a string.
    strings: Vec<Option<usize>>,
    /// Reader metadata by which columns are read as dictionaries: row groups mostly agree.
    readers: Mutex<BTreeMap<Vec<bool>, ArrowReaderMetadata>>,
    bytes: usize,
}

impl Opened {
    /// Settles the types. The error says what makes the file unusable.
    pub(super) fn new(native: &ArrowReaderMetadata) -> Result<Self, String> {
        let parquet = native.metadata().file_metadata().schema_descr();
        let mut leaf_of = vec![None; native.schema().fields().len()];
        for leaf in 0..parquet.num_columns() {
            let root = parquet.get_column_root_idx(leaf);
            if let Some(slot) =
                leaf_of.get_mut(root).filter(|_| parquet.column(leaf).path().parts().len() == 1)
            {
                *slot = Some(leaf);
            }
        }
        let mut fields: Vec<Field> = Vec::new();
        let mut strings = Vec::new();
        for (field, leaf) in native.schema().fields().iter().zip(&leaf_of) {
            if fields.iter().any(|earlier| earlier.name() == field.name()) {
                return Err(format!("it has two columns named `{}`; rename one", field.name()));
            }
            let int96 = leaf.is_some_and(|leaf| parquet.column(leaf).physical_type() == Physical::INT96);
            let data_type = reading_type(field.data_type(), int96);
            strings.push(leaf.filter(|_| data_type == DataType::Utf8));
            fields.push(field.as_ref().clone().with_data_type(data_type));
        }
        let bytes = native.metadata().memory_size() + fields.len() * 256;
        Ok(Self {
            metadata: Arc::clone(native.metadata()),
            schema: Arc::new(Schema::new(fields)),
            strings,
            readers: Mutex::new(BTreeMap::new()),
            bytes,
        })
    }

    pub(super) fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }

    /// The top-level columns, strings as Utf8.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How to read a row group: strings as dictionaries where they are stored so throughout.
    pub(super) fn reader_metadata(&self, group: usize) -> Result<ArrowReaderMetadata, ParquetError> {
        let chunks = self.metadata.row_group(group).columns();
        let as_dictionary: Vec<bool> = self
            .strings
            .iter()
            .map(|leaf| leaf.and_then(|leaf| chunks.get(leaf)).is_some_and(is_dictionary_encoded))
            .collect();
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = readers.get(&as_dictionary) {
            return Ok(reader.clone());
        }
        let fields: Vec<Field> = self
            .schema
            .fields()
            .iter()
            .zip(&as_dictionary)
            .map(|(field, as_dictionary)| match as_dictionary {
                true => field.as_ref().clone().with_data_type(string_dictionary()),
                false => field.as_ref().clone(),
            })
            .collect();
        let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
        let reader = ArrowReaderMetadata::try_new(Arc::clone(&self.metadata), options)?;
        readers.insert(as_dictionary, reader.clone());
        Ok(reader)
    }
}

/// The type of strings that are read by key.
pub(crate) fn string_dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// One type a logical type, where Arrow has several and a writer's choice means nothing here. INT96 is read in
/// microseconds, which is what Spark has; in nanoseconds, its years before 1678 and after 2262 would wrap around.
fn reading_type(native: &DataType, int96: bool) -> DataType {
    match native {
        DataType::Dictionary(_, values) => reading_type(values, int96),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Timestamp(TimeUnit::Nanosecond, zone) if int96 => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        other => other.clone(),
    }
}

/// Whether all data pages of a chunk are keys of its dictionary. Writers that say nothing about their pages are taken at
/// the word of their list of encodings; if that was too hopeful, rows are still right, only slower.
fn is_dictionary_encoded(chunk: &ColumnChunkMetaData) -> bool {
    let is_dictionary = |encoding| matches!(encoding, Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY);
    match chunk.page_encoding_stats_mask() {
        Some(mask) => mask.is_only(Encoding::PLAIN_DICTIONARY) || mask.is_only(Encoding::RLE_DICTIONARY),
        // Some writers name neither the pages' encodings nor the dictionary's place. A plain string takes four bytes for
        // its length alone, so where values take less than that most pages are by dictionary; if a few are not, they
        // are read more slowly, and as rightly.
        None => {
            let is_short = chunk.uncompressed_size() < 4 * chunk.num_values();
            (chunk.dictionary_page_offset().is_some() || is_short) && chunk.encodings().any(is_dictionary)
        }
    }
}
