//! Alerts with their acknowledgement, and silences.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::commit::Commit;
use super::fault::Fault;

/// Whether an alert is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertStatus {
    /// It lasts.
    Open,
    /// It is over.
    Resolved,
}

impl AlertStatus {
    /// `open` or `resolved`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
        }
    }
}

/// An alert, at its newest revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its id (SEMANTICS S20).
    pub id: String,
    /// Counted from 0; each change of an alert has a larger one.
    pub revision: u32,
    /// The model.
    pub model: String,
    /// Its version.
    pub version: String,
    /// The name of the window in the model file.
    pub name: String,
    /// The segment as text; `None` for the whole.
    pub segment: Option<String>,
    /// Whether it is over.
    pub status: AlertStatus,
    /// Its severity's name.
    pub severity: String,
    /// When it was opened, in event time.
    pub opened: i64,
    /// When it was resolved, in event time.
    pub resolved: Option<i64>,
    /// All of it, as JSON.
    pub document: String,
    /// Who has seen it. In a commit this is left as it is in the store; [`Commit::acknowledged`] sets it.
    pub acknowledged: Option<Acknowledgement>,
}

/// Who has seen an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// When.
    pub at: i64,
    /// What they said.
    pub comment: Option<String>,
}

/// A time in which some alerts are not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Its id.
    pub id: String,
    /// Which alerts, as JSON.
    pub matcher: String,
    /// Who asked for it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// From when.
    pub starts: i64,
    /// Until when; to lift a silence is to commit it again with an earlier end.
    pub expires: i64,
}

pub(super) fn write(transaction: &Transaction<'_>, commit: &Commit) -> Result<(), Fault> {
    if !commit.alerts.is_empty() {
        write_alerts(transaction, commit)?;
    }
    if !commit.acknowledged.is_empty() {
        let mut acknowledge = transaction.prepare(
            "UPDATE alerts SET acknowledged_by = ?2, acknowledged_at = ?3, acknowledged_comment = ?4 WHERE id = ?1",
        )?;
        for (id, said) in &commit.acknowledged {
            if acknowledge.execute(params![id, said.by, said.at, said.comment])? == 0 {
                return Err(Fault::refused(format!(
                    "alert `{id}` does not exist and cannot be acknowledged: expected the id of a stored one"
                )));
            }
        }
    }
    if !commit.silences.is_empty() {
        let mut silence = transaction.prepare(
            "INSERT INTO silences (id, matcher, author, reason, starts, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (id) DO UPDATE SET matcher = excluded.matcher, author = excluded.author,
                 reason = excluded.reason, starts = excluded.starts, expires = excluded.expires",
        )?;
        for row in &commit.silences {
            silence.execute(params![row.id, row.matcher, row.author, row.reason, row.starts, row.expires])?;
        }
    }
    Ok(())
}

fn write_alerts(transaction: &Transaction<'_>, commit: &Commit) -> Result<(), Fault> {
    let mut revision = transaction.prepare("SELECT revision FROM alerts WHERE id = ?1")?;
    let mut write = transaction.prepare(
        "INSERT INTO alerts (id, revision, model, version, name, segment, status, severity, opened, resolved,
                             committed, document)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, status = excluded.status,
             severity = excluded.severity, resolved = excluded.resolved, committed = excluded.committed,
             document = excluded.document",
    )?;
    for alert in &commit.alerts {
        let before: Option<u32> = revision.query_row([&alert.id], |row| row.get(0)).optional()?;
        if let Some(before) = before.filter(|before| *before >= alert.revision) {
            return Err(Fault::refused(format!(
                "revision {} of alert `{}` comes after revision {before}: expected a larger number",
                alert.revision, alert.id
            )));
        }
        write.execute(params![
            alert.id,
            alert.revision,
            alert.model,
            alert.version,
            alert.name,
            alert.segment,
            alert.status.name(),
            alert.severity,
            alert.opened,
            alert.resolved,
            commit.now,
            alert.document,
        ])?;
    }
    Ok(())
}

/// The columns that [`read`] expects, in its order, from table `alerts`.
pub(super) const COLUMNS: &str = "id, revision, model, version, name, segment, status, severity, opened, resolved, \
                                  document, acknowledged_by, acknowledged_at, acknowledged_comment";

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Alert> {
    let status = match row.get_ref(6)?.as_str()? {
        "open" => AlertStatus::Open,
        // The column holds one of the two.
        _ => AlertStatus::Resolved,
    };
    let by: Option<String> = row.get(11)?;
    let acknowledged = match by {
        Some(by) => Some(Acknowledgement { by, at: row.get(12)?, comment: row.get(13)? }),
        None => None,
    };
    Ok(Alert {
        id: row.get(0)?,
        revision: row.get(1)?,
        model: row.get(2)?,
        version: row.get(3)?,
        name: row.get(4)?,
        segment: row.get(5)?,
        status,
        severity: row.get(7)?,
        opened: row.get(8)?,
        resolved: row.get(9)?,
        document: row.get(10)?,
        acknowledged,
    })
}

/// The open alerts, the oldest first.
pub(super) fn open(connection: &Connection) -> rusqlite::Result<Vec<Alert>> {
    connection
        .prepare(&format!("SELECT {COLUMNS} FROM alerts WHERE status = 'open' ORDER BY opened, seq"))?
        .query_map([], read)?
        .collect()
}

/// The silences that end after `since`, by id.
pub(super) fn silences(connection: &Connection, since: i64) -> rusqlite::Result<Vec<Silence>> {
    connection
        .prepare(
            "SELECT id, matcher, author, reason, starts, expires FROM silences WHERE expires > ?1 ORDER BY id",
        )?
        .query_map([since], |row| {
            Ok(Silence {
                id: row.get(0)?,
                matcher: row.get(1)?,
                author: row.get(2)?,
                reason: row.get(3)?,
                starts: row.get(4)?,
                expires: row.get(5)?,
            })
        })?
        .collect()
}
