//! Formats: how one file of each kind yields RecordBatches of bounded size.
//!
//! The line formats, [`ndjson`], [`csv`] and `mdc`, are tolerant. A field that does not fit its column is null there, and is
//! marked as a type error (SEMANTICS S3a counts it apart from null). A record that cannot be read at all is counted with
//! its line and reason. Neither touches its neighbours, and neither is an `Err`: only what ends a file is. [`ipc`] and
//! Parquet carry their own types.

pub mod csv;
pub mod ipc;
pub(crate) mod mdc;
pub mod ndjson;
pub(crate) mod parquet;
pub(crate) mod whole;

pub(crate) mod column;
mod datetime;
mod decoded;
mod head;
mod infer;
mod number;
pub(crate) mod path;
mod refill;

use std::fmt::Debug;
use std::ops::Range;

use arrow_array::ArrayRef;
use arrow_schema::{Schema, SchemaRef};

pub use self::decoded::{BadReason, BadRecord, BadRecords, DecodedBatch};
pub use self::infer::{Inferred, InferredColumn, SkippedColumn};
use crate::error::Result;

/// Batches of one part of one file. Synchronous; may be moved to any thread.
pub(crate) type Stream = Box<dyn Iterator<Item = Result<DecodedBatch>> + Send>;

/// One open file.
///
/// An implementation MUST hold no more of a file in memory than its schema, what it needs to find its groups, and (while
/// a stream lives) a bounded piece of the data; it MUST name the file in every error.
pub(crate) trait Source: Debug + Send + Sync {
    /// The top-level columns. Strings are Utf8 here and Utf8 or Dictionary(Int32, Utf8) in batches.
    fn schema(&self) -> &SchemaRef;

    /// Told once, before anything is read: columns that other files of the set have. A format in which a record may
    /// leave keys out takes them for its own.
    fn expect(&mut self, _names: &[String]) {}

    /// Told once, after all files are open: the schema of the set. Text is parsed into its types; formats with types of
    /// their own keep these.
    fn settle(&mut self, _schema: &Schema) {}

    /// The pieces that can be read independently, in file order; their numbers are indices into this.
    fn groups(&self) -> &[Group];

    /// Compressed bytes of a column in a group, if columns can be read by themselves.
    fn column_bytes(&self, group: usize, column: usize) -> Result<Option<u64>>;

    /// The rows of a group, in order: batches of at most `batch_rows` rows with exactly `columns`, in that order.
    fn read(&self, group: usize, columns: &[usize], batch_rows: usize) -> Result<Stream>;

    /// The same for some rows only: `ranges` are sorted, disjoint and within the group.
    fn read_rows(
        &self,
        group: usize,
        columns: &[usize],
        ranges: &[Range<u64>],
        batch_rows: usize,
    ) -> Result<Stream>;

    /// What the file says about a column of a group, if it says anything.
    fn statistics(&self, group: usize, column: usize) -> Result<Option<Statistics>>;
}

/// A piece of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// Rows, where the format says it beforehand.
    pub(crate) rows: Option<u64>,
    /// Compressed bytes.
    pub(crate) bytes: u64,
}

/// What a file's metadata says about one column of one part. It is a writer's claim, to plan by and not to count by.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// The smallest value, as an array of one element (null if not given). NaN is left out by those who write it right;
    /// a text may be cut short, see `exact`.
    pub min: ArrayRef,
    /// The largest value, likewise.
    pub max: ArrayRef,
    /// Nulls, if given.
    pub nulls: Option<u64>,
    /// Whether `min` and `max` are values of the column; if not, they only bound them.
    pub exact: bool,
}

/// How large one batch of decoded text may grow. Either bound ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSize {
    /// Rows; at least 1.
    pub rows: usize,
    /// Bytes of the records; a batch ends with the one that reaches it.
    pub bytes: usize,
}

impl Default for BatchSize {
    /// 8,192 rows and 32 MiB.
    fn default() -> Self {
        Self { rows: 8192, bytes: 32 << 20 }
    }
}

/// The longest record that is read; a longer one is a bad record, so that memory stays bounded.
pub(crate) const MAX_RECORD_BYTES: usize = 64 << 20;
