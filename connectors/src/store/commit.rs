//! The one way in: everything that an event changed, in one transaction.

use std::sync::Arc;

use rusqlite::{Transaction, TransactionBehavior, params};

use super::Store;
use super::alert::{self, Acknowledgement, Alert, Silence};
use super::fault::Fault;
use super::gap::{self, Gap};
use super::gate::Writer;
use super::kept::{self, Kept};
use super::message::{self, Message};
use super::partition::{self, PartitionState};
use super::seen::{self, Idempotency, SeenFile};
use super::series::{self, SeriesId, Slot, SlotKey};
use super::window::{self, Window};
use crate::error::Result;

/// What changed since the last commit; what is not named stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// The time of the commit, from which retention counts.
    pub now: i64,
    /// Heads of series.
    pub heads: Vec<(SeriesId, Vec<u8>)>,
    /// States of alerts, by series.
    pub tracks: Vec<(SeriesId, Vec<u8>)>,
    /// States of panes that changed.
    pub slots: Vec<Slot>,
    /// Panes that are over, and whose counts are kept for a while; done before they and their series are forgotten.
    pub kept: Vec<Kept>,
    /// Panes that are over; those that are not there are no error.
    pub forgotten_slots: Vec<SlotKey>,
    /// Series that are over, with their head, panes and track. Done last.
    pub forgotten_series: Vec<SeriesId>,
    /// Partitions that were read on.
    pub partitions: Vec<PartitionState>,
    /// New revisions of windows.
    pub windows: Vec<Window>,
    /// Stretches of windows without rows. One that is there already stays as it is.
    pub gaps: Vec<Gap>,
    /// Alerts that opened, changed or were resolved.
    pub alerts: Vec<Alert>,
    /// Who has seen which alert, by its id; one of this commit's or an earlier one.
    pub acknowledged: Vec<(String, Acknowledgement)>,
    /// Silences that are new or changed.
    pub silences: Vec<Silence>,
    /// What is to be sent. A key that is there already is the same message, and stays as it is.
    pub messages: Vec<Message>,
    /// Files that were read, or read on.
    pub files: Vec<SeenFile>,
    /// Files to know no longer, by source and path.
    pub forgotten_files: Vec<(String, String)>,
    /// Requests that were taken in.
    pub idempotency: Vec<Idempotency>,
    /// Counters by name, as JSON.
    pub counters: Vec<(String, String)>,
    /// Free settings by name; `None` forgets one.
    pub settings: Vec<(String, Option<String>)>,
}

impl Store {
    /// Writes all of `commit`, or nothing, and returns when it is on the disk.
    ///
    /// It waits for at most one transaction of a worker, however many there are. After an error the store is as before
    /// and can be used on; the same commit may then be tried again.
    ///
    /// # Errors
    /// Unavailable, if the disk is full or failed; malformed, if it breaks a rule of the store: a revision that exists
    /// already or follows a final one (SEMANTICS S15), an id that the store did not give out, the acknowledgement of an
    /// unknown alert. Such a commit never succeeds.
    pub fn commit(&mut self, commit: &Commit) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let _pass = shared.gate.enter(Writer::Owner);
        self.transact(commit).map_err(|fault| shared.fault("cannot take a commit", fault))?;
        self.new_series.clear();
        self.new_partitions.clear();
        if !commit.forgotten_series.is_empty() {
            self.series.retain(|_, id| !commit.forgotten_series.contains(id));
        }
        Ok(())
    }

    fn transact(&mut self, commit: &Commit) -> Result<(), Fault> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        series::reserve(&transaction, &self.new_series)?;
        partition::reserve(&transaction, &self.new_partitions)?;
        window::write(&transaction, commit)?;
        gap::write(&transaction, commit)?;
        alert::write(&transaction, commit)?;
        message::write(&transaction, commit)?;
        seen::write(&transaction, commit)?;
        write_values(&transaction, commit)?;
        partition::write(&transaction, commit)?;
        kept::write(&transaction, commit)?;
        series::write(&transaction, commit)?;
        transaction.commit()?;
        Ok(())
    }
}

fn write_values(transaction: &Transaction<'_>, commit: &Commit) -> rusqlite::Result<()> {
    if !commit.counters.is_empty() {
        let mut counter = transaction.prepare(
            "INSERT INTO counters (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?;
        for (name, value) in &commit.counters {
            counter.execute([name, value])?;
        }
    }
    for (name, value) in &commit.settings {
        match value {
            Some(value) => transaction.execute(
                "INSERT INTO settings (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                [name, value],
            )?,
            None => transaction.execute("DELETE FROM settings WHERE name = ?1", params![name])?,
        };
    }
    Ok(())
}
