//! Counts of panes that no open window needs any more: what a new baseline can be made from, until retention takes them.
//!
//! They do not hang on their series, which ends with a version: what it has counted stays true.

use rusqlite::{Connection, Row, Transaction, params};

use super::commit::Commit;
use super::fault::Fault;
use super::series::SlotKey;

/// The last state of a pane, to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where it stood.
    pub key: SlotKey,
    /// The first microsecond of event time of the pane.
    pub start: i64,
    /// The first microsecond after it.
    pub end: i64,
    /// Its bytes.
    pub state: Vec<u8>,
}

/// A pane's counts as they were kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPane {
    /// The segment; `None` for the whole.
    pub segment: Option<String>,
    /// The first microsecond of event time.
    pub start: i64,
    /// The first microsecond after it.
    pub end: i64,
    /// Its bytes.
    pub state: Vec<u8>,
}

/// Which panes are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptFilter {
    /// Of this model.
    pub model: String,
    /// Of this version.
    pub version: String,
    /// Counted on the cells of this baseline.
    pub baseline: String,
    /// Of the window of this name.
    pub name: String,
    /// That start at this instant or later.
    pub since: Option<i64>,
    /// That end at this instant or earlier.
    pub until: Option<i64>,
}

/// Keeps what a commit says. A pane that is there already, because records were read again, stays as it is.
pub(super) fn write(transaction: &Transaction<'_>, commit: &Commit) -> Result<(), Fault> {
    if commit.kept.is_empty() {
        return Ok(());
    }
    let mut keep = transaction.prepare(
        "INSERT OR IGNORE INTO kept (model, version, baseline, name, grid, pane, segment, shard, start, \"end\",
                                     committed, state)
         SELECT model, version, baseline, name, grid, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM series WHERE id = ?1",
    )?;
    for Kept { key, start, end, state } in &commit.kept {
        let segment = key.segment.as_deref().unwrap_or("");
        keep.execute(params![key.series.0, key.pane, segment, key.shard, start, end, commit.now, state])?;
    }
    Ok(())
}

/// The panes asked for, by start and segment, the whole first.
pub(super) fn read(connection: &Connection, filter: &KeptFilter) -> rusqlite::Result<Vec<KeptPane>> {
    let KeptFilter { model, version, baseline, name, since, until } = filter;
    connection
        .prepare(
            "SELECT segment, start, \"end\", state FROM kept
             WHERE model = ?1 AND version = ?2 AND baseline = ?3 AND name = ?4
               AND start >= ?5 AND \"end\" <= ?6
             ORDER BY start, segment, seq",
        )?
        .query_map(
            params![model, version, baseline, name, since.unwrap_or(i64::MIN), until.unwrap_or(i64::MAX)],
            pane,
        )?
        .collect()
}

fn pane(row: &Row<'_>) -> rusqlite::Result<KeptPane> {
    let segment: String = row.get(0)?;
    Ok(KeptPane {
        segment: (!segment.is_empty()).then_some(segment),
        start: row.get(1)?,
        end: row.get(2)?,
        state: row.get(3)?,
    })
}
