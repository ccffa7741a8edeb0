//! The service's whole state as rows of bytes and text, in one SQLite file.
//!
//! What the bytes mean is the caller's to know. The store's part is a law: what one [`Store::commit`] holds is there
//! as a whole or not at all, whatever is killed when, and a committed revision never changes (SEMANTICS S15, S16). It
//! waits for the disk (WAL, `synchronous=FULL`) and belongs to one process (S27).
//!
//! One thread owns the [`Store`] and with it the decisions. Delivery workers have an [`Outbox`] each, readers a
//! [`Reader`]; all are connections of their own to the same file, and the [`gate`] lets one of them write at a time, the
//! owner first. `docs/formats/store.md` describes the file.
//!
//! All times are microseconds since the epoch, as arguments: nothing here asks a clock.

mod alert;
mod check;
mod commit;
mod connection;
mod export;
mod external;
mod fault;
mod gap;
mod gate;
mod guard;
mod kept;
mod load;
mod message;
mod outbox;
mod page;
mod partition;
mod reader;
mod schema;
mod seen;
mod series;
mod sweep;
mod window;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use crate::error::Result;
use connection::Access;
use fault::Fault;
use guard::Shared;

pub use alert::{Acknowledgement, Alert, AlertStatus, Silence};
pub use check::{Finding, check};
pub use commit::Commit;
pub use export::{Exported, export};
pub use external::{ExternalAlert, Heard};
pub use gap::{Gap, GapFilter};
pub use kept::{Kept, KeptFilter, KeptPane};
pub use load::Loaded;
pub use message::{Delivery, Message, MessageState};
pub use outbox::{Outbox, Selection};
pub use page::Page;
pub use partition::{PartitionId, PartitionKey, PartitionState};
pub use reader::{AlertFilter, MessageFilter, Reader, Segments, SinkSummary, WindowFilter};
pub use seen::{Idempotency, SeenFile};
pub use series::{Series, SeriesId, SeriesKey, Slot, SlotKey};
pub use sweep::{Retention, Swept};
pub use window::{StoredWindow, Window};

/// The file's name within the store's folder.
pub const FILE: &str = "driftlead.db";

/// The state of one service, opened for writing: at most one at a time, in one process.
///
/// Everything that changes it is written by [`Store::commit`]. Ids of series and partitions are handed out at once and
/// become rows with the next commit.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    shared: Arc<Shared>,
    series: BTreeMap<SeriesKey, SeriesId>,
    partitions: BTreeMap<PartitionKey, PartitionId>,
    /// Handed out, and not yet rows.
    new_series: Vec<(SeriesId, SeriesKey)>,
    new_partitions: Vec<(PartitionId, PartitionKey)>,
}

impl Store {
    /// Opens the store of a folder, which is created if only its last part is missing. A store of an older version is
    /// brought to this one. `now` is noted in a new store and in the lock file.
    ///
    /// # Errors
    /// Misconfigured, if another process has it open, the folder is on a network file system (SEMANTICS S27), its file
    /// is of a newer version or belongs to another program; malformed, if it is damaged; rejected, if it may not be
    /// written to.
    pub fn open(folder: &Path, now: i64) -> Result<Self> {
        Self::open_with(folder, now, schema::STEPS)
    }

    fn open_with(folder: &Path, now: i64, steps: &[&str]) -> Result<Self> {
        let shared = Arc::new(Shared::lock(folder, now)?);
        let file = shared.file();
        let mut connection = connection::open(file, Access::Create)?;
        schema::prepare(&mut connection, file, steps, now)?;
        let (series, partitions) =
            load::ids(&connection).map_err(|fault: Fault| fault.at(file, "cannot be read"))?;
        Ok(Self {
            connection,
            shared,
            series,
            partitions,
            new_series: Vec::new(),
            new_partitions: Vec::new(),
        })
    }

    /// The id of a series: the one it has, or the next free one, which the next commit writes down.
    pub fn series(&mut self, key: &SeriesKey) -> SeriesId {
        if let Some(id) = self.series.get(key) {
            return *id;
        }
        let id = SeriesId(self.series.values().map(|id| id.0).max().unwrap_or(0) + 1);
        self.series.insert(key.clone(), id);
        self.new_series.push((id, key.clone()));
        id
    }

    /// The id of a partition of a source, as [`Store::series`].
    pub fn partition(&mut self, key: &PartitionKey) -> PartitionId {
        if let Some(id) = self.partitions.get(key) {
            return *id;
        }
        let id = PartitionId(self.partitions.values().map(|id| id.0).max().unwrap_or(0) + 1);
        self.partitions.insert(key.clone(), id);
        self.new_partitions.push((id, key.clone()));
        id
    }

    /// The answer that an idempotency key was given, if it is not older than `since` (SEMANTICS S17: 24 hours).
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn idempotency(&self, scope: &str, key: &str, since: i64) -> Result<Option<Idempotency>> {
        seen::idempotency(&self.connection, scope, key, since)
            .map_err(|error| self.shared.fault("cannot be read", error))
    }

    /// A connection for a thread that only reads; it sees what was committed before each of its calls.
    ///
    /// # Errors
    /// If the file cannot be opened once more.
    pub fn reader(&self) -> Result<Reader> {
        Reader::of(Arc::clone(&self.shared))
    }

    /// A connection for a delivery worker.
    ///
    /// # Errors
    /// If the file cannot be opened once more.
    pub fn outbox(&self) -> Result<Outbox> {
        Outbox::of(Arc::clone(&self.shared))
    }
}
