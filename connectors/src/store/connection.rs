//! Opening the file: the settings that every connection has.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::fault::Fault;
use crate::error::Result;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The owner's: creates the file.
    Create,
    /// A worker's.
    Write,
    /// A reader's.
    Read,
}

/// Opens a connection; nothing is read yet, and a file that is none of ours is not touched.
pub(super) fn open(file: &Path, access: Access) -> Result<Connection> {
    connect(file, access).map_err(|error| Fault::from(error).at(file, "cannot be opened"))
}

fn connect(file: &Path, access: Access) -> rusqlite::Result<Connection> {
    let flags = match access {
        Access::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let connection = Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // Writers of one process wait for each other at the gate; what is left are readers beside a checkpoint or recovery.
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // A view or trigger of a foreign file must not run anything.
    connection.pragma_update(None, "trusted_schema", false)?;
    match access {
        Access::Create => {
            connection.pragma_update(None, "cache_size", -OWNER_CACHE_KIB)?;
            connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES)?;
        }
        // The owner's commits bring the log back into the file; a worker does so only if the owner is silent.
        Access::Write => {
            connection.pragma_update(None, "wal_autocheckpoint", 4 * CHECKPOINT_PAGES)?;
            connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES)?;
        }
        Access::Read => {}
    }
    Ok(connection)
}

/// Pages of the owner's connection kept in memory.
const OWNER_CACHE_KIB: i64 = 8 * 1024;

/// What is left of the log's file after it was brought back.
const JOURNAL_BYTES: i64 = 64 << 20;

/// SQLite's own default for when the log is brought back.
const CHECKPOINT_PAGES: i64 = 1_000;
