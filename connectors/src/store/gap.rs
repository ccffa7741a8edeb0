//! Stretches of windows without rows that are too long to list window by window (SEMANTICS S13).
//!
//! A gap is said when it is over and can shrink no more, so it has no revisions.

use rusqlite::{Connection, Row, Transaction, params};

use super::commit::Commit;
use super::fault::Fault;
use super::page::Cursor;
use crate::error::Result;

/// A stretch of windows of one name without rows, of the whole as of every segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The model.
    pub model: String,
    /// Its version.
    pub version: String,
    /// The name of the windows in the model file.
    pub name: String,
    /// The start of the first, in event time.
    pub start: i64,
    /// The end of the last, in event time; after `start`.
    pub end: i64,
    /// How many there are, at least 1.
    pub windows: u64,
}

/// Which gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GapFilter {
    /// Of this model; it must be named.
    pub model: String,
    /// Of this version.
    pub version: Option<String>,
    /// Of windows of this name.
    pub name: Option<String>,
    /// That end after this event time.
    pub since: Option<i64>,
    /// That start before this event time.
    pub until: Option<i64>,
}

/// Keeps what a commit says. A gap that is there already, because records were read again, stays as it is.
pub(super) fn write(transaction: &Transaction<'_>, commit: &Commit) -> Result<(), Fault> {
    if commit.gaps.is_empty() {
        return Ok(());
    }
    let mut insert = transaction.prepare(
        "INSERT INTO gaps (model, version, name, start, \"end\", windows, committed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO NOTHING",
    )?;
    for Gap { model, version, name, start, end, windows } in &commit.gaps {
        let windows = i64::try_from(*windows).unwrap_or(i64::MAX);
        insert.execute(params![model, version, name, start, end, windows, commit.now])?;
    }
    Ok(())
}

/// The gaps asked for that end at `page.start` or later and before `page.end`, the latest end first.
pub(super) fn read(
    connection: &Connection,
    filter: &GapFilter,
    page: (i64, i64),
) -> rusqlite::Result<Vec<Gap>> {
    let GapFilter { model, version, name, since, until } = filter;
    connection
        .prepare(
            "SELECT model, version, name, start, \"end\", windows FROM gaps
             WHERE model = ?1 AND (?2 IS NULL OR version = ?2) AND (?3 IS NULL OR name = ?3)
               AND (?4 IS NULL OR \"end\" > ?4) AND (?5 IS NULL OR start < ?5) AND \"end\" >= ?6 AND \"end\" < ?7
             ORDER BY \"end\" DESC, seq DESC",
        )?
        .query_map(params![model, version, name, since, until, page.0, page.1], gap)?
        .collect()
}

/// The stretch of ends that a page of windows covers, from its cursor to the next one: pages side by side cover every
/// end once.
pub(super) fn covered(cursor: Option<&str>, next: Option<&str>) -> Result<(i64, i64)> {
    let until = Cursor::parse(cursor)?.at;
    let from = next.map(|next| Cursor::parse(Some(next))).transpose()?;
    Ok((from.map_or(i64::MIN, |next| next.at), until))
}

fn gap(row: &Row<'_>) -> rusqlite::Result<Gap> {
    let windows: i64 = row.get(5)?;
    Ok(Gap {
        model: row.get(0)?,
        version: row.get(1)?,
        name: row.get(2)?,
        start: row.get(3)?,
        end: row.get(4)?,
        windows: windows.cast_unsigned(),
    })
}
