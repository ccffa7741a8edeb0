//! Paths in, batches of bounded size out, in parallel.
//!
//! A [`Dataset`] is a set of files of one format with one schema. It is cut into [`Part`]s, the units that can be read
//! independently and in parallel: a row group of a Parquet file, or a whole file of a format that can only be read from
//! its beginning. Parts have a stable order, that of the sorted names and the rows within a file.
//!
//! ```no_run
//! use driftlead_connectors::dataset::{Dataset, OpenOptions, ReadOptions};
//!
//! let data = Dataset::open(&["flights/*.parquet".to_owned()], &OpenOptions::default())?;
//! let delay = data.column("delay").expect("flights have a delay");
//! for part in data.parts() {
//!     for batch in data.read(part, &[delay], &ReadOptions::default())? {
//!         println!("{} rows", batch?.num_rows());
//!     }
//! }
//! # Ok::<(), driftlead_connectors::error::Error>(())
//! ```
//!
//! Memory: footers are kept up to a fixed size; a reader of one column holds a dictionary page, a data page and a batch,
//! and of a remote file three blocks of 4 MiB. Nothing grows with the number of rows.

mod batches;
mod format;
mod open;
mod schema;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{DataType, Field, SchemaRef};

pub use batches::Batches;
pub use format::Format;

pub use crate::location::{Grown, Known, Object, Stamp};
pub use crate::remote::Remotes;
pub use crate::source::Statistics;

use crate::error::{Error, Result};
use crate::source::{Group, Source};
use schema::Origin;

/// Columns are read together until they have this many compressed bytes: a unit of work worth its overhead.
const LOCAL_GROUP_BYTES: u64 = 256 << 10;
/// The same where every read costs a request.
const REMOTE_GROUP_BYTES: u64 = 4 << 20;
/// More columns at once would make blocks small and batches large.
const GROUP_COLUMNS: usize = 12;

/// How a data set is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// The columns that exist, in this order; `None`: all. Files may differ in the others.
    pub columns: Option<Vec<String>>,
    /// Types of columns that are stored as text (CSV, NDJSON), by name: those of the model or the baseline (SEMANTICS
    /// S4). Columns without one get the type that most values of a sample of every file have. Files with types of their
    /// own keep these.
    pub types: BTreeMap<String, DataType>,
    /// Connections to object stores; share them between data sets.
    pub remotes: Arc<Remotes>,
}

/// How a part is read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The most rows of a batch; at least 1 is used. 16 Ki by default: with eight bytes a value a column of a batch
    /// takes 128 KiB, which stays in the cache between decoding and counting.
    pub batch_rows: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { batch_rows: 16 << 10 }
    }
}

/// A unit of parallel reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Place among [`Dataset::parts`].
    pub index: usize,
    /// Place among [`Dataset::files`].
    pub file: usize,
    /// Place within the file.
    pub group: usize,
    /// Rows, where the format says it beforehand.
    pub rows: Option<u64>,
    /// The ordinal in the whole data set of the part's first row, if all parts before it say how many rows they have.
    pub first_row: Option<u64>,
    /// Compressed bytes of all columns of the file.
    pub bytes: u64,
}

/// The files that `inputs` name, as [`Dataset::open`] would open them, sorted by name; none is opened.
///
/// # Errors
/// If an input matches nothing or cannot be listed.
pub fn list(inputs: &[String], options: &OpenOptions) -> Result<Vec<Object>> {
    open::list(inputs, options)
}

/// A set of files with one schema. Cheap to share between threads; all methods take `&self`.
#[derive(Debug)]
pub struct Dataset {
    format: Format,
    schema: SchemaRef,
    files: Vec<File>,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct File {
    object: Object,
    source: Box<dyn Source>,
    /// Of each column of the schema; shared by files that agree.
    origins: Arc<[Origin]>,
}

impl Dataset {
    /// Opens all that `inputs` name: files, globs, directories and URLs of object stores (`az://`, `abfss://`, `adl://`,
    /// `s3://`, `gs://`, `file://`). Folders `key=value/` found below an input become string columns. Reads every file's
    /// schema, and no data.
    ///
    /// # Errors
    /// If an input matches nothing or cannot be read, if a file is empty, truncated or corrupt, or if files differ in
    /// format, columns or logical types. The message names the file.
    pub fn open(inputs: &[String], options: &OpenOptions) -> Result<Self> {
        open::open(open::list(inputs, options)?, options)
    }

    /// Opens these files, which [`list`] has found.
    ///
    /// # Errors
    /// As [`Dataset::open`]; also if there is none.
    pub fn of(files: Vec<Object>, options: &OpenOptions) -> Result<Self> {
        open::open(files, options)
    }

    /// The format of all files.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The columns: those of the files in the order of the first one, then partitions. A field's type holds the values
    /// of all files; a batch has its file's own width, unit or encoding. Strings are Utf8 here, and Utf8 or
    /// Dictionary(Int32, Utf8) in batches. All fields are nullable.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The place of a column in the schema.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.schema.index_of(name).ok()
    }

    /// All rows, if every part says how many it has.
    #[must_use]
    pub fn n_rows(&self) -> Option<u64> {
        self.parts.iter().map(|part| part.rows).sum()
    }

    /// Bytes of all files.
    #[must_use]
    pub fn n_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.object.size()).sum()
    }

    /// The files, sorted by name, each once.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &Object> {
        self.files.iter().map(|file| &file.object)
    }

    /// The units of parallel reading. A file without rows has none.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Cuts `columns` into groups that are worth reading by themselves: one each if they are large, several if they are
    /// small, and all together where columns cannot be read apart. Parts times groups are the units of work.
    ///
    /// # Errors
    /// As [`Dataset::read`], if the file has to be looked at again.
    pub fn column_groups(&self, part: &Part, columns: &[usize]) -> Result<Vec<Vec<usize>>> {
        let file = &self.files[part.file];
        let target = if file.object.is_remote() { REMOTE_GROUP_BYTES } else { LOCAL_GROUP_BYTES };
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut bytes = target;
        for column in columns {
            let size = match file.origins[*column] {
                Origin::Column(index) => match file.source.column_bytes(part.group, index)? {
                    Some(size) => size,
                    None => return Ok(vec![columns.to_vec()]),
                },
                Origin::Partition(_) => 0,
            };
            match groups.last_mut() {
                Some(group) if bytes + size <= target && group.len() < GROUP_COLUMNS => group.push(*column),
                _ => {
                    groups.push(vec![*column]);
                    bytes = 0;
                }
            }
            bytes += size;
        }
        Ok(groups)
    }

    /// Reads `columns` (places in the schema) of a part of this data set: batches of at most `batch_rows` rows, in the
    /// order of the rows, with exactly these columns in this order. Without columns, batches only have a row count.
    ///
    /// # Errors
    /// If the file cannot be opened, or has changed since the data set was opened. Batches give an error if their bytes
    /// cannot be read or decoded; it names file, row group and column.
    pub fn read(&self, part: &Part, columns: &[usize], options: &ReadOptions) -> Result<Batches> {
        self.check_columns(columns)?;
        let file = &self.files[part.file];
        let stream = file.source.read(part.group, &wanted(file, columns), options.batch_rows.max(1))?;
        Ok(self.batches(file, columns, stream))
    }

    /// The same for some rows only: `ranges` count from the part's first row, are sorted and disjoint. Their rows come
    /// one after the other. What is skipped is not decoded, and pages in which nothing is wanted are not decompressed.
    ///
    /// # Errors
    /// As [`Dataset::read`]; misconfigured, if ranges overlap, are not sorted or reach beyond the part.
    pub fn read_rows(
        &self,
        part: &Part,
        columns: &[usize],
        ranges: &[Range<u64>],
        options: &ReadOptions,
    ) -> Result<Batches> {
        self.check_columns(columns)?;
        let end = part.rows.unwrap_or(u64::MAX);
        let mut before = 0;
        for range in ranges {
            if range.start < before || range.end < range.start || range.end > end {
                return Err(Error::misconfigured(format!(
                    "rows {range:?} of `{}` were asked for: ranges must be sorted and disjoint, and end at row {end}",
                    self.files[part.file].object.name()
                )));
            }
            before = range.end;
        }
        let file = &self.files[part.file];
        let batch_rows = options.batch_rows.max(1);
        let stream = file.source.read_rows(part.group, &wanted(file, columns), ranges, batch_rows)?;
        Ok(self.batches(file, columns, stream))
    }

    /// What the file's metadata says about a column of a part; `None` if nothing, or for partition columns.
    ///
    /// # Errors
    /// As [`Dataset::read`], if the file has to be looked at again.
    pub fn statistics(&self, part: &Part, column: usize) -> Result<Option<Statistics>> {
        self.check_columns(&[column])?;
        let file = &self.files[part.file];
        match file.origins[column] {
            Origin::Column(index) => file.source.statistics(part.group, index),
            Origin::Partition(_) => Ok(None),
        }
    }

    fn batches(&self, file: &File, columns: &[usize], stream: crate::source::Stream) -> Batches {
        let outputs: Vec<(&Field, Origin)> =
            columns.iter().map(|column| (self.schema.field(*column), file.origins[*column])).collect();
        Batches::new(stream, &outputs, file.object.partitions(), file.object.name())
    }

    fn check_columns(&self, columns: &[usize]) -> Result<()> {
        for (position, column) in columns.iter().enumerate() {
            if *column >= self.schema.fields().len() || columns[..position].contains(column) {
                return Err(Error::misconfigured(format!(
                    "columns {columns:?} were asked for: expected distinct numbers below {}",
                    self.schema.fields().len()
                )));
            }
        }
        Ok(())
    }
}

/// The columns that come from the file itself.
fn wanted(file: &File, columns: &[usize]) -> Vec<usize> {
    columns
        .iter()
        .filter_map(|column| match file.origins[*column] {
            Origin::Column(index) => Some(index),
            Origin::Partition(_) => None,
        })
        .collect()
}

/// The parts of a file's groups, numbered on from `parts`.
fn add_parts(parts: &mut Vec<Part>, file: usize, groups: &[Group]) {
    for (group, Group { rows, bytes }) in groups.iter().enumerate() {
        if *rows == Some(0) {
            continue;
        }
        let first_row = match parts.last() {
            None => Some(0),
            Some(last) => last.first_row.zip(last.rows).map(|(first, rows)| first + rows),
        };
        parts.push(Part { index: parts.len(), file, group, rows: *rows, first_row, bytes: *bytes });
    }
}
