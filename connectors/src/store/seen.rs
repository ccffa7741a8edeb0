//! What was taken in already: files, and requests by their idempotency key (SEMANTICS S17).

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::commit::Commit;

/// A file that a source has read, and by what it is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenFile {
    /// The source's name in the service's file.
    pub source: String,
    /// The file's path or address.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its etag or time of change, as text.
    pub version: String,
    /// A hash of the bytes read so far, where a file may grow.
    pub prefix: Option<Vec<u8>>,
    /// What else the source knows of it, as bytes.
    pub note: Vec<u8>,
}

/// A request that was taken in, and what was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Where the key counts, such as a model.
    pub scope: String,
    /// The key that the sender chose.
    pub key: String,
    /// When it was committed.
    pub created: i64,
    /// The answer, and whatever else tells the same request from another under the same key.
    pub answer: String,
}

pub(super) fn write(transaction: &Transaction<'_>, commit: &Commit) -> rusqlite::Result<()> {
    if !commit.files.is_empty() {
        let mut file = transaction.prepare(
            "INSERT INTO files (source, path, size, version, prefix, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (source, path) DO UPDATE SET size = excluded.size, version = excluded.version,
                 prefix = excluded.prefix, note = excluded.note",
        )?;
        for row in &commit.files {
            let size = row.size.cast_signed();
            file.execute(params![row.source, row.path, size, row.version, row.prefix, row.note])?;
        }
    }
    if !commit.forgotten_files.is_empty() {
        let mut forget = transaction.prepare("DELETE FROM files WHERE source = ?1 AND path = ?2")?;
        for (source, path) in &commit.forgotten_files {
            forget.execute([source, path])?;
        }
    }
    if !commit.idempotency.is_empty() {
        let mut remember = transaction.prepare(
            "INSERT INTO idempotency (scope, key, created, answer) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (scope, key) DO UPDATE SET created = excluded.created, answer = excluded.answer",
        )?;
        for row in &commit.idempotency {
            remember.execute(params![row.scope, row.key, row.created, row.answer])?;
        }
    }
    Ok(())
}

/// All files, by source and path.
pub(super) fn files(connection: &Connection) -> rusqlite::Result<Vec<SeenFile>> {
    connection
        .prepare("SELECT source, path, size, version, prefix, note FROM files ORDER BY source, path")?
        .query_map([], |row| {
            let size: i64 = row.get(2)?;
            Ok(SeenFile {
                source: row.get(0)?,
                path: row.get(1)?,
                size: size.cast_unsigned(),
                version: row.get(3)?,
                prefix: row.get(4)?,
                note: row.get(5)?,
            })
        })?
        .collect()
}

/// What a key was answered, unless that is older than `since`.
pub(super) fn idempotency(
    connection: &Connection,
    scope: &str,
    key: &str,
    since: i64,
) -> rusqlite::Result<Option<Idempotency>> {
    connection
        .prepare("SELECT created, answer FROM idempotency WHERE scope = ?1 AND key = ?2 AND created >= ?3")?
        .query_row(params![scope, key, since], |row| {
            Ok(Idempotency {
                scope: scope.to_owned(),
                key: key.to_owned(),
                created: row.get(0)?,
                answer: row.get(1)?,
            })
        })
        .optional()
}
