//! The tables, their versions, and the way from one to the next.
//!
//! The version is `PRAGMA user_version`: how many of [`STEPS`] the file has taken. A step is one transaction, so a file
//! is of one version or the next, whatever is killed when. A published step never changes: what is wrong with it is
//! mended by another. `docs/formats/store.md` describes what the steps lead to.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::fault::{DAMAGED, Fault};
use crate::error::{Error, Result};

/// Marks the file as ours: `dlft` in ASCII, as `PRAGMA application_id`.
const APPLICATION: i32 = 0x646c_6674;

/// Blobs are tens of kilobytes: larger pages mean fewer to chain.
const PAGE_BYTES: i64 = 16_384;

/// The way from an empty file to this version, step by step.
pub(super) const STEPS: &[&str] = &[
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
];

/// Makes a new file a store, and brings an older store to the version of the last step.
pub(super) fn prepare(connection: &mut Connection, file: &Path, steps: &[&str], now: i64) -> Result<()> {
    let fault = |error: Fault| error.at(file, "cannot be opened");
    let found = inspect(connection, file, steps.len())?;
    if found == 0 {
        // Both hold only if they are said before anything is written.
        connection.pragma_update(None, "page_size", PAGE_BYTES).map_err(|error| fault(error.into()))?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(|error| fault(error.into()))?;
    }
    log_ahead(connection, file)?;
    migrate(connection, found, steps, now).map_err(fault)
}

/// The version of a file that is a store or will be one: 0 for an empty one.
///
/// # Errors
/// Misconfigured for a file of another program or of a newer version; malformed for a damaged one.
pub(super) fn inspect(connection: &Connection, file: &Path, newest: usize) -> Result<usize> {
    let ask = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let found = (|| -> rusqlite::Result<_> {
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
        Ok((ask("application_id")?, ask("user_version")?, tables))
    })();
    let (application, version, tables) =
        found.map_err(|error| Fault::from(error).at(file, "cannot be opened"))?;
    match (application, usize::try_from(version)) {
        (0, Ok(0)) if tables == 0 => Ok(0),
        (APPLICATION, Ok(version)) if version > newest => Err(Error::misconfigured(format!(
            "the store `{}` is of version {version}, and this driftlead knows up to {newest}: update driftlead, or name \
             another `store` folder",
            file.display()
        ))),
        (APPLICATION, Ok(version)) if version > 0 && tables > 0 => Ok(version),
        (APPLICATION, _) => Err(Error::malformed(format!(
            "the store `{}` cannot be opened: it is damaged (version {version}, {tables} tables); {DAMAGED}",
            file.display()
        ))),
        _ => Err(Error::misconfigured(format!(
            "`{}` is a database of another program: expected one made by driftlead; name another `store` folder",
            file.display()
        ))),
    }
}

fn log_ahead(connection: &Connection, file: &Path) -> Result<()> {
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(|error| Fault::from(error).at(file, "cannot be opened"))?;
    if mode == "wal" {
        return Ok(());
    }
    Err(Error::misconfigured(format!(
        "the store `{}` cannot be opened: its file system cannot keep a write-ahead log (journal mode is `{mode}`, \
         expected `wal`); name a folder on a local disk as `store`",
        file.display()
    )))
}

/// Takes the steps after `found`, one transaction each.
fn migrate(connection: &mut Connection, found: usize, steps: &[&str], now: i64) -> Result<(), Fault> {
    if found == steps.len() {
        return Ok(());
    }
    // A step may build a table anew, which to SQLite is a deletion; what it leaves is checked before it is committed.
    connection.pragma_update(None, "foreign_keys", false)?;
    for (taken, step) in steps.iter().enumerate().skip(found) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        if taken == 0 {
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction
                .execute("INSERT INTO settings (name, value) VALUES ('created', ?1)", [now.to_string()])?;
        }
        let orphans = transaction.prepare("PRAGMA foreign_key_check")?.exists([])?;
        if orphans {
            return Err(Fault::refused(format!(
                "the step to version {} leaves rows without what they belong to; {DAMAGED}",
                taken + 1
            )));
        }
        transaction.pragma_update(None, "user_version", i32::try_from(taken + 1).unwrap_or(i32::MAX))?;
        transaction.commit()?;
    }
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}
