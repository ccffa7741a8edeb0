//! Series, their panes' states, and their alert tracks.
//!
//! A pane's state is addressed by (model, window grid, segment, pane, shard) (SEMANTICS S16): model and grid stand in
//! the series' key, the rest in the slot's. The shard is 0 as long as one process owns all partitions.

use rusqlite::{Connection, Row, Transaction, params};

use super::commit::Commit;
use super::fault::Fault;

/// The number by which rows refer to a series, in this store only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub i64);

/// What tells one series from another: another baseline, version or grid begins a new one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// The model.
    pub model: String,
    /// Its version.
    pub version: String,
    /// The id of the baseline.
    pub baseline: String,
    /// The name of the window in the model file.
    pub name: String,
    /// Its grid, in words of the caller's.
    pub grid: String,
}

/// A series as it was last committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// See [`SeriesId`].
    pub id: SeriesId,
    /// See [`SeriesKey`].
    pub key: SeriesKey,
    /// What it knows beside its panes, as bytes; empty if none was committed.
    pub head: Vec<u8>,
    /// The state of its alerts as bytes; `None` if none was committed.
    pub track: Option<Vec<u8>>,
}

/// Where the state of a pane stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotKey {
    /// The series.
    pub series: SeriesId,
    /// The pane, by a number of the caller's.
    pub pane: i64,
    /// The segment as text, never empty; `None` for the whole.
    pub segment: Option<String>,
    /// The shard; 0 in one process.
    pub shard: u32,
}

/// The state of a pane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Where it stands.
    pub key: SlotKey,
    /// Its bytes.
    pub state: Vec<u8>,
}

/// Writes heads, tracks and slots, then forgets slots, then whole series.
pub(super) fn write(transaction: &Transaction<'_>, commit: &Commit) -> Result<(), Fault> {
    if !commit.heads.is_empty() {
        let mut head = transaction.prepare("UPDATE series SET head = ?2 WHERE id = ?1")?;
        for (id, bytes) in &commit.heads {
            if head.execute(params![id.0, bytes])? == 0 {
                return Err(unknown(*id));
            }
        }
    }
    if !commit.tracks.is_empty() {
        let mut track = transaction.prepare(
            "INSERT INTO tracks (series, state) VALUES (?1, ?2)
             ON CONFLICT (series) DO UPDATE SET state = excluded.state",
        )?;
        for (id, bytes) in &commit.tracks {
            track.execute(params![id.0, bytes])?;
        }
    }
    if !commit.slots.is_empty() {
        let mut slot = transaction.prepare(
            "INSERT INTO slots (series, pane, segment, shard, state) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (series, pane, segment, shard) DO UPDATE SET state = excluded.state",
        )?;
        for Slot { key, state } in &commit.slots {
            slot.execute(params![key.series.0, key.pane, segment_text(key)?, key.shard, state])?;
        }
    }
    if !commit.forgotten_slots.is_empty() {
        let mut forget = transaction
            .prepare("DELETE FROM slots WHERE series = ?1 AND pane = ?2 AND segment = ?3 AND shard = ?4")?;
        for key in &commit.forgotten_slots {
            forget.execute(params![key.series.0, key.pane, segment_text(key)?, key.shard])?;
        }
    }
    if !commit.forgotten_series.is_empty() {
        let mut forget = transaction.prepare("DELETE FROM series WHERE id = ?1")?;
        for id in &commit.forgotten_series {
            forget.execute([id.0])?;
        }
    }
    Ok(())
}

/// Gives the rows of new series their ids.
pub(super) fn reserve(transaction: &Transaction<'_>, new: &[(SeriesId, SeriesKey)]) -> rusqlite::Result<()> {
    if new.is_empty() {
        return Ok(());
    }
    let mut insert = transaction.prepare(
        "INSERT INTO series (id, model, version, baseline, name, grid) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (id, key) in new {
        insert.execute(params![id.0, key.model, key.version, key.baseline, key.name, key.grid])?;
    }
    Ok(())
}

/// All series by id.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Series>> {
    connection
        .prepare(
            "SELECT id, model, version, baseline, name, grid, head, state FROM series
             LEFT JOIN tracks ON tracks.series = series.id ORDER BY id",
        )?
        .query_map([], |row| {
            Ok(Series {
                id: SeriesId(row.get(0)?),
                key: SeriesKey {
                    model: row.get(1)?,
                    version: row.get(2)?,
                    baseline: row.get(3)?,
                    name: row.get(4)?,
                    grid: row.get(5)?,
                },
                head: row.get(6)?,
                track: row.get(7)?,
            })
        })?
        .collect()
}

/// The slots of all series, or of one, by series, pane, segment and shard.
pub(super) fn slots(connection: &Connection, of: Option<SeriesId>) -> rusqlite::Result<Vec<Slot>> {
    const COLUMNS: &str = "SELECT series, pane, segment, shard, state FROM slots";
    const ORDER: &str = "ORDER BY series, pane, segment, shard";
    match of {
        None => connection.prepare(&format!("{COLUMNS} {ORDER}"))?.query_map([], slot)?.collect(),
        Some(id) => connection
            .prepare(&format!("{COLUMNS} WHERE series = ?1 {ORDER}"))?
            .query_map([id.0], slot)?
            .collect(),
    }
}

fn slot(row: &Row<'_>) -> rusqlite::Result<Slot> {
    let segment: String = row.get(2)?;
    Ok(Slot {
        key: SlotKey {
            series: SeriesId(row.get(0)?),
            pane: row.get(1)?,
            segment: (!segment.is_empty()).then_some(segment),
            shard: row.get(3)?,
        },
        state: row.get(4)?,
    })
}

/// The whole stands as the empty text, because SQL holds no two nulls for equal.
fn segment_text(key: &SlotKey) -> Result<&str, Fault> {
    match key.segment.as_deref() {
        None => Ok(""),
        Some("") => Err(Fault::refused(
            "a segment is empty text: expected its columns and values, or none for the whole",
        )),
        Some(text) => Ok(text),
    }
}

fn unknown(id: SeriesId) -> Fault {
    Fault::refused(format!("series `{}` does not exist: expected an id that the store gave out", id.0))
}
