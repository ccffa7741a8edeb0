//! Retention: what is old goes, a little at a time (SEMANTICS S22).
//!
//! Ages count from the commit, not from event time, so that a history that is read today is kept as long as today's
//! data. Open alerts and messages that were not delivered are never deleted, dead ones neither; if what is left of them
//! alone is beyond the bound of size, [`Swept::too_large`] says so and nothing more is done.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::Store;
use super::gate::Writer;
use crate::error::Result;

/// What is kept, and how much one sweep may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long windows, resolved alerts, alerts of others and silences that are over are kept; 90 days.
    pub windows: Duration,
    /// How long messages are kept that were delivered or came too late; 7 days.
    pub delivered: Duration,
    /// How long the counts of panes are kept whose windows are final; 14 days.
    pub counts: Duration,
    /// How long idempotency keys are kept; 24 hours (SEMANTICS S17).
    pub idempotency: Duration,
    /// Bytes that the store may use, 5 GiB; beyond them the oldest of the above go before their time.
    pub bytes: u64,
    /// The most rows of each table that one sweep deletes, at least 1; 200.
    pub rows: u32,
    /// The most pages that one sweep gives back to the file system; 256, which are 4 MiB.
    pub pages: u32,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self {
            windows: DAY * 90,
            delivered: DAY * 7,
            counts: DAY * 14,
            idempotency: DAY,
            bytes: 5 << 30,
            rows: 200,
            pages: 256,
        }
    }
}

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Revisions of windows that were deleted.
    pub windows: u64,
    /// Gaps between windows that were deleted.
    pub gaps: u64,
    /// Resolved alerts that were deleted.
    pub alerts: u64,
    /// Alerts of others that were deleted.
    pub external_alerts: u64,
    /// Messages that were deleted.
    pub messages: u64,
    /// Idempotency keys that were deleted.
    pub idempotency: u64,
    /// Kept counts of panes that were deleted, one for each segment.
    pub kept: u64,
    /// Silences that were deleted.
    pub silences: u64,
    /// Bytes in use afterwards, without the log and without free pages.
    pub bytes: u64,
    /// Whether another sweep at the same time would find more to do.
    pub more: bool,
    /// Whether more bytes are in use than allowed and nothing is left that may be deleted.
    pub too_large: bool,
}

impl Store {
    /// Deletes some of what is beyond `retention`, and gives some of the free pages back: bounded work, to be repeated
    /// while [`Swept::more`], between commits.
    ///
    /// # Errors
    /// As [`Store::commit`]; nothing is half done then, and the next sweep goes on.
    pub fn sweep(&mut self, now: i64, retention: &Retention) -> Result<Swept> {
        let shared = Arc::clone(&self.shared);
        let _pass = shared.gate.enter(Writer::Owner);
        self.sweep_some(now, retention).map_err(|error| shared.fault("cannot be swept", error))
    }

    fn sweep_some(&mut self, now: i64, retention: &Retention) -> rusqlite::Result<Swept> {
        let retention = &Retention { rows: retention.rows.max(1), ..*retention };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut swept = by_age(&transaction, now, retention)?;
        let rows = u64::from(retention.rows);
        swept.more = [
            swept.windows,
            swept.gaps,
            swept.alerts,
            swept.external_alerts,
            swept.messages,
            swept.idempotency,
            swept.silences,
            swept.kept,
        ]
        .iter()
        .any(|deleted| *deleted >= rows);
        let before = used(&transaction)?;
        // Rows that are too old go first: they may be enough.
        if before > retention.bytes && !swept.more {
            let deleted = by_size(&transaction, retention.rows, &mut swept)?;
            swept.too_large = deleted == 0;
            swept.more = deleted > 0 && used(&transaction)? > retention.bytes;
        }
        transaction.commit()?;
        swept.bytes = used(&self.connection)?;
        swept.more |= shrink(&self.connection, retention.pages)?;
        Ok(swept)
    }
}

fn by_age(transaction: &Transaction<'_>, now: i64, retention: &Retention) -> rusqlite::Result<Swept> {
    let delete = |sql: &str, age: Duration| -> rusqlite::Result<u64> {
        let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        let deleted = transaction.execute(sql, params![now.saturating_sub(age), retention.rows])?;
        Ok(deleted as u64)
    };
    Ok(Swept {
        windows: delete(
            "DELETE FROM windows WHERE seq IN (
                 SELECT seq FROM windows WHERE committed < ?1 ORDER BY committed LIMIT ?2)",
            retention.windows,
        )?,
        gaps: delete(
            "DELETE FROM gaps WHERE seq IN (
                 SELECT seq FROM gaps WHERE committed < ?1 ORDER BY committed LIMIT ?2)",
            retention.windows,
        )?,
        alerts: delete(
            "DELETE FROM alerts WHERE seq IN (
                 SELECT seq FROM alerts WHERE status = 'resolved' AND committed < ?1 ORDER BY committed LIMIT ?2)",
            retention.windows,
        )?,
        // Who sends them may never say that one is over.
        external_alerts: delete(
            "DELETE FROM external_alerts WHERE seq IN (
                 SELECT seq FROM external_alerts WHERE received < ?1 ORDER BY received LIMIT ?2)",
            retention.windows,
        )?,
        silences: delete(
            "DELETE FROM silences WHERE id IN (SELECT id FROM silences WHERE expires < ?1 LIMIT ?2)",
            retention.windows,
        )?,
        messages: delete(
            "DELETE FROM outbox WHERE seq IN (
                 SELECT seq FROM outbox WHERE state IN ('delivered', 'expired') AND finished < ?1
                 ORDER BY finished LIMIT ?2)",
            retention.delivered,
        )?,
        kept: delete(
            "DELETE FROM kept WHERE seq IN (
                 SELECT seq FROM kept WHERE committed < ?1 ORDER BY committed LIMIT ?2)",
            retention.counts,
        )?,
        idempotency: delete(
            "DELETE FROM idempotency WHERE (scope, key) IN (
                 SELECT scope, key FROM idempotency WHERE created < ?1 ORDER BY created LIMIT ?2)",
            retention.idempotency,
        )?,
        ..Swept::default()
    })
}

/// Deletes the oldest rows of all that may be deleted; answers how many.
fn by_size(transaction: &Transaction<'_>, rows: u32, swept: &mut Swept) -> rusqlite::Result<u64> {
    let oldest: Vec<(String, i64)> = transaction
        .prepare(
            "SELECT kind, seq FROM (
                 SELECT * FROM (SELECT 'windows' AS kind, seq, committed AS at FROM windows
                                ORDER BY committed LIMIT ?1)
                 UNION ALL
                 SELECT * FROM (SELECT 'gaps', seq, committed FROM gaps ORDER BY committed LIMIT ?1)
                 UNION ALL
                 SELECT * FROM (SELECT 'alerts', seq, committed FROM alerts WHERE status = 'resolved'
                                ORDER BY committed LIMIT ?1)
                 UNION ALL
                 SELECT * FROM (SELECT 'kept', seq, committed FROM kept ORDER BY committed LIMIT ?1)
                 UNION ALL
                 SELECT * FROM (SELECT 'outbox', seq, finished FROM outbox WHERE state IN ('delivered', 'expired')
                                ORDER BY finished LIMIT ?1))
             ORDER BY at LIMIT ?1",
        )?
        .query_map([rows], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut window = transaction.prepare("DELETE FROM windows WHERE seq = ?1")?;
    let mut gap = transaction.prepare("DELETE FROM gaps WHERE seq = ?1")?;
    let mut alert = transaction.prepare("DELETE FROM alerts WHERE seq = ?1")?;
    let mut kept = transaction.prepare("DELETE FROM kept WHERE seq = ?1")?;
    let mut message = transaction.prepare("DELETE FROM outbox WHERE seq = ?1")?;
    for (kind, seq) in &oldest {
        let (statement, count) = match kind.as_str() {
            "windows" => (&mut window, &mut swept.windows),
            "gaps" => (&mut gap, &mut swept.gaps),
            "alerts" => (&mut alert, &mut swept.alerts),
            "kept" => (&mut kept, &mut swept.kept),
            _ => (&mut message, &mut swept.messages),
        };
        statement.execute([seq])?;
        *count += 1;
    }
    Ok(oldest.len() as u64)
}

/// Bytes of pages that hold something.
fn used(connection: &Connection) -> rusqlite::Result<u64> {
    let [pages, free, size] =
        ["page_count", "freelist_count", "page_size"].map(|name| number(connection, name));
    Ok((pages? - free?).cast_unsigned() * size?.cast_unsigned())
}

/// Gives up to `most` free pages back, but keeps some, because the next commit wants pages again. Answers whether there
/// are more to give.
fn shrink(connection: &Connection, most: u32) -> rusqlite::Result<bool> {
    let (pages, free) = (number(connection, "page_count")?, number(connection, "freelist_count")?);
    // After x were given back, the file has pages - x, and free - x of them are FREE_PAGES and a sixteenth of it.
    let spare = (16 * (free - FREE_PAGES) - pages) / 15;
    if spare <= 0 || most == 0 {
        return Ok(false);
    }
    // Every step gives back one page; the statement must be taken to its end.
    let mut statement =
        connection.prepare(&format!("PRAGMA incremental_vacuum({})", spare.min(i64::from(most))))?;
    let mut steps = statement.query([])?;
    while steps.next()?.is_some() {}
    Ok(spare > i64::from(most))
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

/// Free pages that are kept beside a sixteenth of the file: 4 MiB.
const FREE_PAGES: i64 = 256;
