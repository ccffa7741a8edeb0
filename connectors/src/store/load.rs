//! What a service needs to go on where it was.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::Store;
use super::alert::{self, Alert, Silence};
use super::fault::Fault;
use super::partition::{self, PartitionId, PartitionKey, PartitionState};
use super::seen::{self, SeenFile};
use super::series::{self, Series, SeriesId, SeriesKey, Slot};
use crate::error::Result;

/// The state as of the last commit. Windows, resolved alerts and messages are not in it: they are read page by page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// All series, by id.
    pub series: Vec<Series>,
    /// The states of all panes, by series, pane, segment (the whole first) and shard.
    pub slots: Vec<Slot>,
    /// All partitions, by id.
    pub partitions: Vec<(PartitionKey, PartitionState)>,
    /// The open alerts, the oldest first.
    pub alerts: Vec<Alert>,
    /// All silences that retention has left, by id, those that are over too.
    pub silences: Vec<Silence>,
    /// The files that were read, by source and path.
    pub files: Vec<SeenFile>,
    /// Counters by name, as JSON.
    pub counters: BTreeMap<String, String>,
    /// Settings by name; `created` is when the store was made.
    pub settings: BTreeMap<String, String>,
}

impl Store {
    /// Reads everything that is needed to go on.
    ///
    /// # Errors
    /// Malformed, if the file is damaged; unavailable, if its disk failed.
    pub fn load(&self) -> Result<Loaded> {
        self.read_all().map_err(|error| self.shared.fault("cannot be loaded", error))
    }

    fn read_all(&self) -> rusqlite::Result<Loaded> {
        Ok(Loaded {
            series: series::all(&self.connection)?,
            slots: series::slots(&self.connection, None)?,
            partitions: partition::all(&self.connection)?,
            alerts: alert::open(&self.connection)?,
            silences: alert::silences(&self.connection, i64::MIN)?,
            files: seen::files(&self.connection)?,
            counters: values(&self.connection, "SELECT name, value FROM counters")?,
            settings: values(&self.connection, "SELECT name, value FROM settings")?,
        })
    }
}

type Ids = (BTreeMap<SeriesKey, SeriesId>, BTreeMap<PartitionKey, PartitionId>);

/// The ids that were given out.
pub(super) fn ids(connection: &Connection) -> Result<Ids, Fault> {
    let series = series::all(connection)?.into_iter().map(|row| (row.key, row.id)).collect();
    let partitions = partition::all(connection)?.into_iter().map(|(key, state)| (key, state.id)).collect();
    Ok((series, partitions))
}

fn values(connection: &Connection, sql: &str) -> rusqlite::Result<BTreeMap<String, String>> {
    connection.prepare(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
