//! How far each partition of each source was read.

use rusqlite::{Connection, Transaction, params};

use super::commit::Commit;
use super::fault::Fault;
use crate::stream::{Partition, Position};

/// The number by which a partition is known, in this store only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub i64);

/// A partition of a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionKey {
    /// The source's name in the service's file.
    pub source: String,
    /// Its partition.
    pub partition: Partition,
}

/// How far a partition was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionState {
    /// See [`PartitionId`].
    pub id: PartitionId,
    /// Where reading goes on.
    pub position: Position,
    /// What else is known of it, such as its clock, as bytes.
    pub note: Vec<u8>,
}

/// Gives the rows of new partitions their ids.
pub(super) fn reserve(
    transaction: &Transaction<'_>,
    new: &[(PartitionId, PartitionKey)],
) -> rusqlite::Result<()> {
    if new.is_empty() {
        return Ok(());
    }
    let mut insert =
        transaction.prepare("INSERT INTO partitions (id, source, topic, number) VALUES (?1, ?2, ?3, ?4)")?;
    for (id, key) in new {
        insert.execute(params![id.0, key.source, key.partition.topic, key.partition.number])?;
    }
    Ok(())
}

pub(super) fn write(transaction: &Transaction<'_>, commit: &Commit) -> Result<(), Fault> {
    if commit.partitions.is_empty() {
        return Ok(());
    }
    let mut update =
        transaction.prepare("UPDATE partitions SET next = ?2, mark = ?3, note = ?4 WHERE id = ?1")?;
    for state in &commit.partitions {
        let mark = state.position.mark.map(u64::cast_signed);
        if update.execute(params![state.id.0, state.position.next, mark, state.note])? == 0 {
            return Err(Fault::refused(format!(
                "partition `{}` does not exist: expected an id that the store gave out",
                state.id.0
            )));
        }
    }
    Ok(())
}

/// All partitions by id.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<(PartitionKey, PartitionState)>> {
    connection
        .prepare("SELECT id, source, topic, number, next, mark, note FROM partitions ORDER BY id")?
        .query_map([], |row| {
            let key = PartitionKey {
                source: row.get(1)?,
                partition: Partition { topic: row.get(2)?, number: row.get(3)? },
            };
            let mark: Option<i64> = row.get(5)?;
            let state = PartitionState {
                id: PartitionId(row.get(0)?),
                position: Position { next: row.get(4)?, mark: mark.map(i64::cast_unsigned) },
                note: row.get(6)?,
            };
            Ok((key, state))
        })?
        .collect()
}
