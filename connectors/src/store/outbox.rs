//! The delivery workers' side of the outbox.
//!
//! At least once: a message is pending until a worker says that it was delivered, so a crash between sending and saying
//! sends it again under the same key (SEMANTICS S20, S22). Handing out claims nothing: a sink has one worker. Every
//! call that writes is one short transaction, and waits while the store's owner commits.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::connection::{self, Access};
use super::external::{self, ExternalAlert, Heard};
use super::gate::Writer;
use super::guard::Shared;
use super::message::{self, Delivery, MessageState};
use crate::error::{Error, Result};

/// A worker's connection to the store; it may be sent to the worker's thread.
#[derive(Debug)]
pub struct Outbox {
    pub(super) connection: Connection,
    shared: Arc<Shared>,
}

/// Which of the messages that were given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection<'a> {
    /// All.
    All,
    /// Those of one sink.
    Sink(&'a str),
    /// The one of this delivery key.
    Key(&'a str),
}

impl Outbox {
    pub(super) fn of(shared: Arc<Shared>) -> Result<Self> {
        let connection = connection::open(shared.file(), Access::Write)?;
        Ok(Self { connection, shared })
    }

    /// Up to `limit` messages of a sink whose time has come, by that time and then by age. Of one lane there is only
    /// the first that is pending: a later message waits until that one is delivered, expired or given up.
    ///
    /// # Errors
    /// Unavailable, if the disk failed; malformed, if the file is damaged.
    pub fn due(&self, sink: &str, now: i64, limit: usize) -> Result<Vec<Delivery>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = || -> rusqlite::Result<Vec<Delivery>> {
            self.connection
                .prepare(&format!(
                    "SELECT {} FROM outbox
                     WHERE sink = ?1 AND state = 'pending' AND held = 0 AND next_attempt <= ?2
                     ORDER BY next_attempt, seq LIMIT ?3",
                    message::COLUMNS
                ))?
                .query_map(params![sink, now, limit], message::read)?
                .collect()
        };
        read().map_err(|error| self.shared.fault("cannot be read", error))
    }

    /// When the next message of a sink may be tried; `None` if none is pending.
    ///
    /// # Errors
    /// As [`Outbox::due`].
    pub fn next_due(&self, sink: &str) -> Result<Option<i64>> {
        self.connection
            .query_row(
                "SELECT min(next_attempt) FROM outbox WHERE sink = ?1 AND state = 'pending' AND held = 0",
                [sink],
                |row| row.get(0),
            )
            .map_err(|error| self.shared.fault("cannot be read", error))
    }

    /// The sink has these messages. Saying it again, or of one that was given up meanwhile, is no error.
    ///
    /// # Errors
    /// Misconfigured for a key that is not in the outbox; unavailable, if the disk is full or failed: then none is
    /// marked, and the call may be repeated.
    pub fn delivered(&mut self, keys: &[&str], now: i64) -> Result<()> {
        self.finish(keys, MessageState::Delivered, None, now)
    }

    /// The message was given up; it stays, and can be retried.
    ///
    /// # Errors
    /// As [`Outbox::delivered`].
    pub fn dead(&mut self, key: &str, reason: &str, now: i64) -> Result<()> {
        self.finish(&[key], MessageState::Dead, Some(reason), now)
    }

    /// The message has come too late to be of use, and is not sent any more.
    ///
    /// # Errors
    /// As [`Outbox::delivered`].
    pub fn expired(&mut self, key: &str, reason: &str, now: i64) -> Result<()> {
        self.finish(&[key], MessageState::Expired, Some(reason), now)
    }

    /// An attempt failed; the next one is not before `next_attempt`. Later messages of its lane go on waiting.
    ///
    /// # Errors
    /// As [`Outbox::delivered`].
    pub fn failed(&mut self, key: &str, error: &str, next_attempt: i64) -> Result<()> {
        self.write("cannot note an attempt", |connection| {
            let changed = connection.execute(
                "UPDATE outbox SET attempts = attempts + 1, error = ?2, next_attempt = ?3
                 WHERE key = ?1 AND state = 'pending'",
                params![key, error, next_attempt],
            )?;
            if changed == 0 { find(connection, key).map(drop) } else { Ok(()) }
        })
    }

    /// Makes messages that were given up pending again, due at once, with no attempts counted, each in its old place in
    /// its lane. Answers how many there were.
    ///
    /// # Errors
    /// Misconfigured, if a single key is asked for that is not in the outbox; else as [`Outbox::delivered`].
    pub fn retry(&mut self, selection: Selection<'_>, now: i64) -> Result<usize> {
        const DEAD: &str = "SELECT seq, sink, lane FROM outbox WHERE state = 'dead'";
        self.write("cannot retry", |connection| {
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let dead: Vec<(i64, String, Option<String>)> = match selection {
                Selection::All => connection.prepare(DEAD)?.query_map([], read)?.collect::<Result<_, _>>()?,
                Selection::Sink(sink) => connection
                    .prepare(&format!("{DEAD} AND sink = ?1"))?
                    .query_map([sink], read)?
                    .collect::<Result<_, _>>()?,
                Selection::Key(key) => {
                    find(connection, key)?;
                    connection
                        .prepare(&format!("{DEAD} AND key = ?1"))?
                        .query_map([key], read)?
                        .collect::<Result<_, _>>()?
                }
            };
            let mut revive = connection.prepare(
                "UPDATE outbox SET state = 'pending', held = 0, queued = ?2, next_attempt = ?2, attempts = 0,
                        finished = NULL WHERE seq = ?1",
            )?;
            let mut lanes = BTreeSet::new();
            for (seq, sink, lane) in &dead {
                revive.execute(params![seq, now])?;
                if let Some(lane) = lane {
                    lanes.insert((sink, lane));
                }
            }
            for (sink, lane) in lanes {
                message::align(connection, sink, lane)?;
            }
            Ok(dead.len())
        })
    }

    fn finish(&mut self, keys: &[&str], state: MessageState, reason: Option<&str>, now: i64) -> Result<()> {
        self.write("cannot note a delivery", |connection| {
            // What a sink has, it has: later news that it was given up or expired does not undo that.
            let mut update = connection.prepare(
                "UPDATE outbox SET state = ?2, error = coalesce(?3, error), finished = ?4, held = 0
                 WHERE key = ?1 AND state <> 'delivered'",
            )?;
            for key in keys {
                let (sink, lane) = find(connection, key)?;
                update.execute(params![key, state.name(), reason, now])?;
                if let Some(lane) = lane {
                    message::release(connection, &sink, &lane)?;
                }
            }
            Ok(())
        })
    }

    /// Keeps an alert of somebody else, unless the store has it or a newer one.
    ///
    /// # Errors
    /// Unavailable, if the disk is full or failed: then nothing is kept, and the call may be repeated.
    pub fn hear(&mut self, alert: &ExternalAlert) -> Result<Heard> {
        self.write("cannot keep an alert", |connection| Ok(external::write(connection, alert)?))
    }

    fn write<T>(&mut self, what: &str, change: impl FnOnce(&Connection) -> Result<T, Refusal>) -> Result<T> {
        let _pass = self.shared.gate.enter(Writer::Worker);
        let transact = || {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = change(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        };
        transact().map_err(|refusal| match refusal {
            Refusal::Sql(error) => self.shared.fault(what, error),
            Refusal::Unknown(key) => Error::misconfigured(format!(
                "the store `{}` {what}: there is no message `{key}`; expected the key of one that is in the outbox \
                 (delivered ones are deleted after a while)",
                self.shared.file().display()
            )),
        })
    }
}

/// Why a worker's write was not done.
enum Refusal {
    Sql(rusqlite::Error),
    Unknown(String),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

fn find(connection: &Connection, key: &str) -> Result<(String, Option<String>), Refusal> {
    connection
        .query_row("SELECT sink, lane FROM outbox WHERE key = ?1", [key], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?
        .ok_or_else(|| Refusal::Unknown(key.to_owned()))
}
