//! What a reader yields: a batch, which of its values did not fit their column, and which records could not be read.

use std::collections::BTreeMap;
use std::fmt;

use arrow_array::RecordBatch;
use arrow_buffer::BooleanBuffer;

use crate::error::Result;

/// One batch of decoded rows.
///
/// A value that did not fit its column is null in `batch` and set in `type_errors`, so that a column's null rate and
/// its type error rate (SEMANTICS S3a) can be told apart: nulls proper are the nulls of the column minus its type
/// errors. Sources that carry their own types (Parquet, Arrow IPC) never have type errors: see [`DecodedBatch::typed`].
#[derive(Debug, Clone)]
pub struct DecodedBatch {
    /// The rows.
    pub batch: RecordBatch,
    /// For each column of `batch`, the rows whose value did not fit; `None` if all did.
    pub type_errors: Vec<Option<BooleanBuffer>>,
    /// Records met while this batch was read that could not become a row.
    pub bad_records: BadRecords,
}

impl DecodedBatch {
    /// A batch from a source that carries its own types: no type errors and no bad records.
    pub fn typed(batch: RecordBatch) -> Self {
        let type_errors = vec![None; batch.num_columns()];
        Self { batch, type_errors, bad_records: BadRecords::default() }
    }

    /// How many values of each column did not fit it.
    pub fn type_error_counts(&self) -> Vec<u64> {
        let count = |mask: &Option<BooleanBuffer>| mask.as_ref().map_or(0, |m| m.count_set_bits() as u64);
        self.type_errors.iter().map(count).collect()
    }
}

/// What an iterator of batches gives of the batch `next`: nothing of an empty one, which is the last. An error is the last
/// too, which `ended` notes.
pub(crate) fn unless_empty(next: Result<DecodedBatch>, ended: &mut bool) -> Option<Result<DecodedBatch>> {
    *ended |= next.is_err();
    match next {
        Ok(decoded) if decoded.batch.num_rows() == 0 && decoded.bad_records.is_empty() => None,
        next => Some(next),
    }
}

/// Why a record could not become a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BadReason {
    /// The record ends in the middle of a value.
    Truncated,
    /// The record breaks the grammar of JSON.
    NotJson,
    /// A JSON value, but not an object.
    NotAnObject,
    /// Something follows the value: for example two objects on one line.
    TrailingData,
    /// Values nest deeper than 128 levels.
    TooDeep,
    /// The bytes are not UTF-8.
    NotUtf8,
    /// Longer than 64 MiB.
    TooLong,
    /// A CSV row with more or fewer fields than the header.
    Ragged,
    /// A record of a stream without a payload: a deletion, which is no row.
    Tombstone,
    /// The bytes in front of the payload are not those of the framing that was configured.
    NotFramed,
    /// The registry has no schema of the id that the record names.
    UnknownSchema,
    /// The schema that the record names cannot be used: it is of another kind, or not valid.
    UnusableSchema,
    /// The payload is of another message type than the one configured.
    OtherMessage,
    /// The bytes are no value of the Avro schema.
    NotAvro,
    /// The bytes are not in the wire format of Protobuf.
    NotProtobuf,
    /// The bytes are no Arrow IPC stream, or a damaged one.
    NotArrow,
    /// An event of the Model Data Collector without an array of records.
    NoRecords,
    /// An event whose records are in a file that is not there, or must not be read.
    DataElsewhere,
}

impl BadReason {
    /// A stable name for counters and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::TrailingData => "trailing_data",
            Self::TooDeep => "too_deep",
            Self::NotUtf8 => "not_utf8",
            Self::TooLong => "too_long",
            Self::Ragged => "ragged",
            Self::Tombstone => "tombstone",
            Self::NotFramed => "not_framed",
            Self::UnknownSchema => "unknown_schema",
            Self::UnusableSchema => "unusable_schema",
            Self::OtherMessage => "other_message",
            Self::NotAvro => "not_avro",
            Self::NotProtobuf => "not_protobuf",
            Self::NotArrow => "not_arrow",
            Self::NoRecords => "no_records",
            Self::DataElsewhere => "data_elsewhere",
        }
    }
}

impl fmt::Display for BadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One record that could not become a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// The line it starts on, from 1.
    pub line: u64,
    /// Its place among the records of that line, from 0, where a line has several.
    pub record: Option<u64>,
    /// Why.
    pub reason: BadReason,
    /// What was expected and where, for a person. Never holds the payload, which may be personal data (SEMANTICS S17).
    pub detail: String,
}

/// Counts of bad records by reason. A batch has each of them by itself; of batches together the first ten of each reason
/// are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BadRecords {
    reasons: BTreeMap<BadReason, Tally>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Tally {
    count: u64,
    first: Vec<BadRecord>,
}

impl BadRecords {
    /// How many examples of each reason are kept of batches together.
    pub const EXAMPLES: usize = 10;
    /// A batch ends at so many, so that each can be told and memory stays bounded.
    pub const BATCH: u64 = 1024;

    /// Whether the batch must end, because it has as many as can be told of one.
    pub fn is_full(&self) -> bool {
        self.total() >= Self::BATCH
    }

    /// Counts one record; `detail` is asked for only if the record is kept, as all are until it is full.
    pub fn add(&mut self, line: u64, reason: BadReason, detail: impl FnOnce() -> String) {
        self.add_at(line, None, reason, detail);
    }

    /// The same for one of several records of a line, with its place among them, from 0.
    pub fn add_part(&mut self, line: u64, record: u64, reason: BadReason, detail: impl FnOnce() -> String) {
        self.add_at(line, Some(record), reason, detail);
    }

    fn add_at(&mut self, line: u64, record: Option<u64>, reason: BadReason, detail: impl FnOnce() -> String) {
        let tally = self.reasons.entry(reason).or_default();
        tally.count += 1;
        if (tally.first.len() as u64) < Self::BATCH {
            tally.first.push(BadRecord { line, record, reason, detail: detail() });
        }
    }

    /// Adds the counts of `later`, whose records come after those of `self` in the same file, and keeps the first
    /// [`Self::EXAMPLES`] of each reason.
    pub fn merge(&mut self, later: Self) {
        for (reason, tally) in later.reasons {
            let mine = self.reasons.entry(reason).or_default();
            mine.count += tally.count;
            mine.first.extend(tally.first);
            mine.first.truncate(Self::EXAMPLES);
        }
    }

    /// All bad records.
    pub fn total(&self) -> u64 {
        self.reasons.values().map(|t| t.count).sum()
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// The count of each reason that occurred.
    pub fn counts(&self) -> impl Iterator<Item = (BadReason, u64)> {
        self.reasons.iter().map(|(&reason, tally)| (reason, tally.count))
    }

    /// The records that are kept, by reason and then by line.
    pub fn examples(&self) -> impl Iterator<Item = &BadRecord> {
        self.reasons.values().flat_map(|t| &t.first)
    }
}
