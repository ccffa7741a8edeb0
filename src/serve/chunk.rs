//! What a source thread hands to the engine thread: rows of one partition, decoded, and the records that became none.

use std::collections::BTreeMap;

use driftlead_connectors::source::DecodedBatch;
use driftlead_connectors::store::SeenFile;
use driftlead_connectors::stream::{Partition, Position};

use super::intake::Request;

/// Rows of one partition, in its order.
#[derive(Debug)]
pub(super) struct Chunk {
    /// The place of the source in the service.
    pub(super) source: usize,
    /// The partition.
    pub(super) partition: Partition,
    /// Where the next chunk begins.
    pub(super) position: Position,
    /// The columns that the source's models want.
    pub(super) decoded: DecodedBatch,
    /// Places among them of columns that the rows' file does not have, which are null in every row, and what to say of it.
    pub(super) absent: BTreeMap<usize, String>,
    /// For each of the source's time columns the event time of each row; `None` where the row was set aside.
    pub(super) times: Vec<Vec<Option<i64>>>,
    /// Records that were set aside.
    pub(super) dead: Vec<DeadLetter>,
    /// Records read, those set aside included.
    pub(super) records: u64,
    /// The file of these rows, where they come from files, as it is to be known from now on.
    pub(super) file: Option<SeenFile>,
    /// When the first of them was received, in microseconds since the epoch.
    pub(super) received: i64,
    /// Who sent these rows and waits for their commit, where they come from a request.
    pub(super) request: Option<Box<Request>>,
}

impl Chunk {
    /// How many records were set aside for each reason.
    pub(super) fn dead_by_reason(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for dead in &self.dead {
            *counts.entry(dead.reason).or_default() += 1;
        }
        counts
    }
}

/// A record that could not be counted (SEMANTICS S17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeadLetter {
    /// The class: a stable name.
    pub(super) reason: &'static str,
    /// What was expected, for a person; never holds the payload.
    pub(super) detail: String,
    /// Where the record stands.
    pub(super) offset: i64,
    /// Where it stands, where it is a line of a file in a folder.
    pub(super) line: Option<FileLine>,
    /// What is kept of it.
    pub(super) payload: Kept,
}

/// A line of a file in a folder, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileLine {
    /// The file.
    pub(super) file: String,
    /// The line, from 1.
    pub(super) line: u64,
    /// The place among the line's records, from 0, where it has several.
    pub(super) record: Option<u64>,
}

/// What is kept of a dead record: payloads may be personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// Nothing.
    None,
    /// The length, and SHA-256 as 64 hexadecimal digits.
    Hash {
        /// Bytes.
        length: usize,
        /// The hash.
        sha256: String,
    },
    /// All of it.
    Full(Vec<u8>),
}
