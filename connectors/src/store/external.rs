//! Alerts that others have sent: shown beside the service's own, and of no weight to it.
//!
//! Each is known by its origin and the id that it has there, so a message that comes twice changes nothing, and one that
//! comes late never undoes a newer one. They are not part of the service's decisions: whoever takes a request writes them,
//! not the owner. Open ones may never be resolved by their sender, so those go by age too, and there are at most [`MOST`].

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::alert::AlertStatus;

/// The most that are kept; the ones that were heard of longest ago go first.
pub(super) const MOST: i64 = 1_000;

/// An alert of somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalAlert {
    /// Whose: `azure`.
    pub origin: String,
    /// Its id there, the same from its beginning to its end.
    pub id: String,
    /// The model that it is about; `None` if it names none.
    pub model: Option<String>,
    /// Whether it is over.
    pub status: AlertStatus,
    /// When it fired.
    pub fired: i64,
    /// When it was resolved.
    pub resolved: Option<i64>,
    /// When it was last heard of.
    pub received: i64,
    /// All of it, as JSON.
    pub document: String,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is what the store has now.
    News,
    /// The store has it already, or a newer one.
    Known,
}

/// Keeps a message, unless a newer one was kept.
pub(super) fn write(connection: &Connection, alert: &ExternalAlert) -> rusqlite::Result<Heard> {
    let before = connection
        .query_row(
            "SELECT fired, status, document FROM external_alerts WHERE origin = ?1 AND id = ?2",
            [&alert.origin, &alert.id],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)),
        )
        .optional()?;
    if let Some((fired, status, document)) = before {
        let was_over = status == AlertStatus::Resolved.name();
        // An older firing, or the firing of what is over by now.
        let is_late =
            alert.fired < fired || (alert.fired == fired && was_over && alert.status == AlertStatus::Open);
        if is_late || document == alert.document {
            return Ok(Heard::Known);
        }
    }
    connection.execute(
        "INSERT INTO external_alerts (origin, id, model, status, fired, resolved, received, document)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (origin, id) DO UPDATE SET model = excluded.model, status = excluded.status,
             fired = excluded.fired, resolved = excluded.resolved, received = excluded.received,
             document = excluded.document",
        params![
            alert.origin,
            alert.id,
            alert.model,
            alert.status.name(),
            alert.fired,
            alert.resolved,
            alert.received,
            alert.document
        ],
    )?;
    connection.execute(
        "DELETE FROM external_alerts WHERE seq IN (
             SELECT seq FROM external_alerts ORDER BY received DESC, seq DESC LIMIT -1 OFFSET ?1)",
        [MOST],
    )?;
    Ok(Heard::News)
}

/// The columns that [`read`] expects, in its order, from table `external_alerts`.
const COLUMNS: &str = "origin, id, model, status, fired, resolved, received, document";

fn read(row: &Row<'_>) -> rusqlite::Result<ExternalAlert> {
    let status = match row.get_ref(3)?.as_str()? {
        "open" => AlertStatus::Open,
        // The column holds one of the two.
        _ => AlertStatus::Resolved,
    };
    Ok(ExternalAlert {
        origin: row.get(0)?,
        id: row.get(1)?,
        model: row.get(2)?,
        status,
        fired: row.get(4)?,
        resolved: row.get(5)?,
        received: row.get(6)?,
        document: row.get(7)?,
    })
}

/// Those of a status, if it is named, that are `wanted`, the last fired first, up to `limit`. One is held at a time beside
/// those that are answered: each may have a document of 256 KB.
pub(super) fn list(
    connection: &Connection,
    status: Option<AlertStatus>,
    limit: usize,
    mut wanted: impl FnMut(&ExternalAlert) -> bool,
) -> rusqlite::Result<Vec<ExternalAlert>> {
    connection
        .prepare(&format!(
            "SELECT {COLUMNS} FROM external_alerts WHERE ?1 IS NULL OR status = ?1 ORDER BY fired DESC, seq DESC"
        ))?
        .query_map([status.map(AlertStatus::name)], read)?
        .filter(|alert| alert.as_ref().map_or(true, &mut wanted))
        .take(limit)
        .collect()
}

/// The one of an origin and an id.
pub(super) fn one(
    connection: &Connection,
    origin: &str,
    id: &str,
) -> rusqlite::Result<Option<ExternalAlert>> {
    connection
        .query_row(
            &format!("SELECT {COLUMNS} FROM external_alerts WHERE origin = ?1 AND id = ?2"),
            [origin, id],
            read,
        )
        .optional()
}
