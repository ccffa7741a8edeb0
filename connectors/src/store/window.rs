//! Windows and their revisions.
//!
//! A committed revision never changes (SEMANTICS S15): a later one is a row of its own, with a larger revision, and none
//! follows a final one. Of the older ones the row stays, with a hash of what its document was; the document itself is
//! kept for the newest only, because a window that late rows correct sixty times would else be kept sixty times.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use sha2::{Digest, Sha256};

use super::commit::Commit;
use super::fault::Fault;

/// One revision of a window's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The verdict's id (SEMANTICS S20).
    pub id: String,
    /// Counted from 0.
    pub revision: u32,
    /// The model.
    pub model: String,
    /// Its version.
    pub version: String,
    /// The name of the window in the model file.
    pub name: String,
    /// The segment as text; `None` for the whole.
    pub segment: Option<String>,
    /// Where it begins, in event time; `None` without event time.
    pub start: Option<i64>,
    /// Where it ends, in event time; `None` without event time.
    pub end: Option<i64>,
    /// The verdict's name.
    pub verdict: String,
    /// Whether no correction can come any more.
    pub is_final: bool,
    /// All of it, as JSON.
    pub document: String,
}

/// A revision as it stands in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWindow {
    /// The verdict's id.
    pub id: String,
    /// Counted from 0.
    pub revision: u32,
    /// The model.
    pub model: String,
    /// Its version.
    pub version: String,
    /// The name of the window in the model file.
    pub name: String,
    /// The segment as text; `None` for the whole.
    pub segment: Option<String>,
    /// Where it begins, in event time.
    pub start: Option<i64>,
    /// Where it ends, in event time.
    pub end: Option<i64>,
    /// The verdict's name.
    pub verdict: String,
    /// Whether no correction can come any more.
    pub is_final: bool,
    /// When it was committed.
    pub committed: i64,
    /// SHA-256 of the document.
    pub digest: [u8; 32],
    /// The document as JSON; `None` once a newer revision is there.
    pub document: Option<String>,
}

/// The columns that [`read`] expects, in its order, from table `windows`.
pub(super) const COLUMNS: &str = "id, revision, model, version, name, segment, start, \"end\", verdict, final, \
                                  committed, digest, document";

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<StoredWindow> {
    Ok(StoredWindow {
        id: row.get(0)?,
        revision: row.get(1)?,
        model: row.get(2)?,
        version: row.get(3)?,
        name: row.get(4)?,
        segment: row.get(5)?,
        start: row.get(6)?,
        end: row.get(7)?,
        verdict: row.get(8)?,
        is_final: row.get(9)?,
        committed: row.get(10)?,
        digest: row.get(11)?,
        document: row.get(12)?,
    })
}

pub(super) fn write(transaction: &Transaction<'_>, commit: &Commit) -> Result<(), Fault> {
    if commit.windows.is_empty() {
        return Ok(());
    }
    let mut newest = transaction.prepare(
        "SELECT seq, place, revision, final FROM windows WHERE id = ?1 ORDER BY revision DESC LIMIT 1",
    )?;
    let mut step_aside =
        transaction.prepare("UPDATE windows SET newest = 0, document = NULL WHERE seq = ?1")?;
    let mut insert = transaction.prepare(
        "INSERT INTO windows (seq, id, revision, newest, model, version, name, segment, start, \"end\", at, place,
                              verdict, final, committed, digest, document)
         VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?;
    let mut last: i64 =
        transaction.query_row("SELECT coalesce(max(seq), 0) FROM windows", [], |row| row.get(0))?;
    for window in &commit.windows {
        let before = newest
            .query_row([&window.id], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, u32>(2)?,
                    row.get::<_, bool>(3)?,
                ))
            })
            .optional()?;
        last += 1;
        // A correction stands where the first revision stood, so that pages hold still.
        let mut place = last;
        if let Some((seq, first, revision, is_final)) = before {
            refuse_change(window, revision, is_final)?;
            step_aside.execute([seq])?;
            place = first;
        }
        insert.execute(params![
            last,
            window.id,
            window.revision,
            window.model,
            window.version,
            window.name,
            window.segment,
            window.start,
            window.end,
            window.end.unwrap_or(commit.now),
            place,
            window.verdict,
            window.is_final,
            commit.now,
            digest(&window.document),
            window.document,
        ])?;
    }
    Ok(())
}

fn refuse_change(window: &Window, revision: u32, is_final: bool) -> Result<(), Fault> {
    if is_final {
        return Err(Fault::refused(format!(
            "revision {} of window `{}` follows revision {revision}, which is final: expected no more of them",
            window.revision, window.id
        )));
    }
    if window.revision <= revision {
        return Err(Fault::refused(format!(
            "revision {} of window `{}` comes after revision {revision}: a committed revision never changes, expected a \
             larger number",
            window.revision, window.id
        )));
    }
    Ok(())
}

pub(super) fn digest(document: &str) -> [u8; 32] {
    Sha256::digest(document.as_bytes()).into()
}
