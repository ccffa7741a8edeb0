//! Messages that are to be sent.
//!
//! A message is known by its delivery key, `id:revision:sink` (SEMANTICS S20), and is put down once however often it is
//! committed. Those of one sink and lane (an alert) are delivered in the order in which they were committed: only the
//! first pending one of a lane may be handed out, the others are `held`. The flag is kept when messages come and go, so
//! that a million held messages cost a worker nothing.

use rusqlite::{Connection, Row, Transaction, params};

use super::commit::Commit;

/// A message for one sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The delivery key, `id:revision:sink`.
    pub key: String,
    /// The sink's name.
    pub sink: String,
    /// What it must keep its order with, such as an alert's id; `None` if with nothing.
    pub lane: Option<String>,
    /// What is sent.
    pub body: String,
}

/// A message as it stands in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The delivery key.
    pub key: String,
    /// The sink's name.
    pub sink: String,
    /// What it keeps its order with.
    pub lane: Option<String>,
    /// What is sent.
    pub body: String,
    /// When it was committed.
    pub created: i64,
    /// When it began to wait: as `created`, or when it was retried after it had been given up. Its age counts from here.
    pub queued: i64,
    /// How it stands.
    pub state: MessageState,
    /// Failed attempts since it began to wait.
    pub attempts: u32,
    /// Not to be tried before.
    pub next_attempt: i64,
    /// When it was delivered or given up.
    pub finished: Option<i64>,
    /// Why the last attempt failed, or why it was given up.
    pub error: Option<String>,
}

/// How a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageState {
    /// It is to be sent.
    Pending,
    /// The sink has it.
    Delivered,
    /// It was given up and can be retried; it is kept for ever.
    Dead,
    /// It came too late to be of use, and is not sent any more (SEMANTICS S22).
    Expired,
}

impl MessageState {
    /// `pending`, `delivered`, `dead` or `expired`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Expired => "expired",
        }
    }

    pub(super) fn parse(name: &str) -> Self {
        match name {
            "pending" => Self::Pending,
            "delivered" => Self::Delivered,
            "dead" => Self::Dead,
            // The column holds one of the four.
            _ => Self::Expired,
        }
    }
}

pub(super) fn write(transaction: &Transaction<'_>, commit: &Commit) -> rusqlite::Result<()> {
    if commit.messages.is_empty() {
        return Ok(());
    }
    let mut insert = transaction.prepare(
        "INSERT INTO outbox (key, sink, lane, created, queued, state, held, next_attempt, body)
         VALUES (?1, ?2, ?3, ?4, ?4, 'pending',
                 EXISTS (SELECT 1 FROM outbox WHERE sink = ?2 AND lane = ?3 AND state = 'pending'), ?4, ?5)
         ON CONFLICT (key) DO NOTHING",
    )?;
    for message in &commit.messages {
        insert.execute(params![message.key, message.sink, message.lane, commit.now, message.body])?;
    }
    Ok(())
}

/// Lets the first pending message of a lane be handed out, after the one before it was finished.
pub(super) fn release(connection: &Connection, sink: &str, lane: &str) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE outbox SET held = 0
         WHERE seq = (SELECT min(seq) FROM outbox WHERE sink = ?1 AND lane = ?2 AND state = 'pending')",
        [sink, lane],
    )?;
    Ok(())
}

/// After messages came back: makes the first pending message of a lane the one that may be handed out, and holds the others.
pub(super) fn align(connection: &Connection, sink: &str, lane: &str) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE outbox SET held = 1 - held
         WHERE sink = ?1 AND lane = ?2 AND state = 'pending' AND held = (
             seq = (SELECT min(seq) FROM outbox WHERE sink = ?1 AND lane = ?2 AND state = 'pending'))",
        [sink, lane],
    )?;
    Ok(())
}

/// The columns that [`read`] expects, in its order, from table `outbox`.
pub(super) const COLUMNS: &str =
    "key, sink, lane, body, created, queued, state, attempts, next_attempt, finished, error";

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        key: row.get(0)?,
        sink: row.get(1)?,
        lane: row.get(2)?,
        body: row.get(3)?,
        created: row.get(4)?,
        queued: row.get(5)?,
        state: MessageState::parse(row.get_ref(6)?.as_str()?),
        attempts: row.get(7)?,
        next_attempt: row.get(8)?,
        finished: row.get(9)?,
        error: row.get(10)?,
    })
}
