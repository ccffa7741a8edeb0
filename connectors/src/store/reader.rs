//! Questions that people and the API ask, on a connection that cannot write.
//!
//! Every call sees the last commit before it, as a whole, and holds up neither the owner nor the workers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, Row};

use super::alert::{self, Alert, AlertStatus, Silence};
use super::connection::{self, Access};
use super::external::{self, ExternalAlert};
use super::fault::Fault;
use super::gap::{self, Gap, GapFilter};
use super::guard::Shared;
use super::kept::{self, KeptFilter, KeptPane};
use super::message::{self, Delivery, MessageState};
use super::page::{self, Cursor, Page};
use super::schema;
use super::seen::{self, Idempotency};
use super::series::{self, Series, SeriesId, Slot};
use super::window::{self, StoredWindow};
use crate::error::{Error, Result};

/// A connection that only reads; it may be sent to another thread.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    file: PathBuf,
    /// While the process writes too, the lock stays as long as its readers.
    _shared: Option<Arc<Shared>>,
}

/// Which windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowFilter {
    /// Of this model; it must be named.
    pub model: String,
    /// Of this version.
    pub version: Option<String>,
    /// Of this name in the model file.
    pub name: Option<String>,
    /// Of these segments.
    pub segment: Segments,
    /// That end after this event time.
    pub since: Option<i64>,
    /// That end at this event time or before.
    pub until: Option<i64>,
    /// That are final, or that are not.
    pub is_final: Option<bool>,
}

/// Which segments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Segments {
    /// The whole and every segment.
    #[default]
    Any,
    /// The whole only.
    Whole,
    /// One segment, by its text.
    One(String),
}

/// Which alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// Of this model.
    pub model: Option<String>,
    /// Of this status.
    pub status: Option<AlertStatus>,
}

/// Which messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// Of this sink.
    pub sink: Option<String>,
    /// In this state.
    pub state: Option<MessageState>,
}

/// How a sink's messages stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkSummary {
    /// The sink's name.
    pub sink: String,
    /// Messages to be sent.
    pub pending: u64,
    /// Messages that were delivered and are still kept.
    pub delivered: u64,
    /// Messages that were given up.
    pub dead: u64,
    /// Messages that came too late and are still kept.
    pub expired: u64,
    /// When the oldest pending message began to wait.
    pub oldest: Option<i64>,
    /// When the next message may be tried.
    pub next_attempt: Option<i64>,
    /// Why the attempt on the message that is tried next failed, if it did.
    pub error: Option<String>,
}

impl Reader {
    pub(super) fn of(shared: Arc<Shared>) -> Result<Self> {
        let connection = connection::open(shared.file(), Access::Read)?;
        Ok(Self { connection, file: shared.file().to_owned(), _shared: Some(shared) })
    }

    /// Opens the store of a folder to read it only, beside the process that it belongs to.
    ///
    /// # Errors
    /// Misconfigured, if the folder holds no store, or one of another version: a reader brings none to its own; the
    /// rest as [`super::Store::open`].
    pub fn open(folder: &Path) -> Result<Self> {
        let file = folder.join(super::FILE);
        if !file.is_file() {
            return Err(Error::misconfigured(format!(
                "`{}` holds no store: expected a file `{}` in it, as `driftlead serve` makes",
                folder.display(),
                super::FILE
            )));
        }
        let connection = connection::open(&file, Access::Read)?;
        let newest = schema::STEPS.len();
        let version = schema::inspect(&connection, &file, newest)?;
        if version != newest {
            return Err(Error::misconfigured(format!(
                "the store `{}` is of version {version}, and this driftlead reads {newest}: start `driftlead serve` once, \
                 which brings it there",
                file.display()
            )));
        }
        Ok(Self { connection, file, _shared: None })
    }

    /// The newest revisions of windows, the latest end first; those without event time stand where they were committed.
    /// A page has up to `limit` of them, from 1 to 1,000.
    ///
    /// # Errors
    /// Misconfigured for a cursor that is none; malformed, if the file is damaged.
    pub fn windows(
        &self,
        filter: &WindowFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<StoredWindow>> {
        let mut query = Query::new("windows", ["at", "place"], window::COLUMNS, cursor)?;
        query.require("newest = 1 AND model = ?", &filter.model);
        query.maybe("version = ?", filter.version.as_ref());
        query.maybe("name = ?", filter.name.as_ref());
        match &filter.segment {
            Segments::Any => {}
            Segments::Whole => query.sql.push_str(" AND segment IS NULL"),
            Segments::One(segment) => query.require("segment = ?", segment),
        }
        query.maybe("at > ?", filter.since.as_ref());
        query.maybe("at <= ?", filter.until.as_ref());
        query.maybe("final = ?", filter.is_final.as_ref());
        self.page(query, limit, window::read)
    }

    /// Every revision of a window, the newest first; only that one has its document. Empty for an unknown id.
    ///
    /// # Errors
    /// As [`Reader::windows`].
    pub fn revisions(&self, id: &str) -> Result<Vec<StoredWindow>> {
        self.rows(
            &format!("SELECT {} FROM windows WHERE id = ?1 ORDER BY revision DESC", window::COLUMNS),
            &[&id],
            window::read,
        )
    }

    /// Gaps, the latest end first: those whose end lies in the part that a page of windows covers, which begins at
    /// `cursor` and of which `next` is the one after it. So each gap is on one page, however many there are.
    ///
    /// # Errors
    /// As [`Reader::windows`].
    pub fn gaps(&self, filter: &GapFilter, cursor: Option<&str>, next: Option<&str>) -> Result<Vec<Gap>> {
        let page = gap::covered(cursor, next)?;
        self.asked(gap::read(&self.connection, filter, page))
    }

    /// Alerts, the last opened first. A page has up to `limit` of them, from 1 to 1,000.
    ///
    /// # Errors
    /// As [`Reader::windows`].
    pub fn alerts(&self, filter: &AlertFilter, cursor: Option<&str>, limit: usize) -> Result<Page<Alert>> {
        let status = filter.status.map(AlertStatus::name);
        let mut query = Query::new("alerts", ["opened", "seq"], alert::COLUMNS, cursor)?;
        query.maybe("model = ?", filter.model.as_ref());
        query.maybe("status = ?", status.as_ref());
        self.page(query, limit, alert::read)
    }

    /// One alert; `None` if the store has none of this id.
    ///
    /// # Errors
    /// As [`Reader::windows`].
    pub fn alert(&self, id: &str) -> Result<Option<Alert>> {
        self.asked(
            self.connection
                .query_row(&format!("SELECT {} FROM alerts WHERE id = ?1", alert::COLUMNS), [id], alert::read)
                .optional(),
        )
    }

    /// Alerts of others that are `wanted`, of a status if it is named, the last fired first, up to `limit`.
    ///
    /// # Errors
    /// As [`Reader::windows`].
    pub fn external_alerts(
        &self,
        status: Option<AlertStatus>,
        limit: usize,
        wanted: impl FnMut(&ExternalAlert) -> bool,
    ) -> Result<Vec<ExternalAlert>> {
        self.asked(external::list(&self.connection, status, limit, wanted))
    }

    /// One alert of others; `None` if the store has none of this id.
    ///
    /// # Errors
    /// As [`Reader::windows`].
    pub fn external_alert(&self, origin: &str, id: &str) -> Result<Option<ExternalAlert>> {
        self.asked(external::one(&self.connection, origin, id))
    }

    /// The counts that were kept of some panes, by start and segment, the whole first.
    ///
    /// # Errors
    /// As [`Reader::windows`].
    pub fn kept(&self, filter: &KeptFilter) -> Result<Vec<KeptPane>> {
        self.asked(kept::read(&self.connection, filter))
    }

    /// The silences that end after `since`, by id.
    ///
    /// # Errors
    /// As [`Reader::windows`].
    pub fn silences(&self, since: i64) -> Result<Vec<Silence>> {
        self.asked(alert::silences(&self.connection, since))
    }

    /// Messages, the last committed first. A page has up to `limit` of them, from 1 to 1,000.
    ///
    /// # Errors
    /// As [`Reader::windows`].
    pub fn messages(
        &self,
        filter: &MessageFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Delivery>> {
        let state = filter.state.map(MessageState::name);
        let mut query = Query::new("outbox", ["seq", "seq"], message::COLUMNS, cursor)?;
        query.maybe("sink = ?", filter.sink.as_ref());
        query.maybe("state = ?", state.as_ref());
        self.page(query, limit, message::read)
    }

    /// The sinks that were sent something in this lane, by name, as far as retention has left it.
    ///
    /// # Errors
    /// As [`Reader::windows`].
    pub fn told(&self, lane: &str) -> Result<Vec<String>> {
        self.rows("SELECT DISTINCT sink FROM outbox WHERE lane = ?1 ORDER BY sink", &[&lane], |row| {
            row.get(0)
        })
    }

    /// How the messages of each sink stand, by name; sinks without any are not there.
    ///
    /// # Errors
    /// As [`Reader::windows`].
    pub fn sinks(&self) -> Result<Vec<SinkSummary>> {
        let counts: Vec<(String, String, i64)> = self.rows(
            "SELECT sink, state, count(*) FROM outbox GROUP BY sink, state ORDER BY sink",
            &[],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let mut sinks: Vec<SinkSummary> = Vec::new();
        for (sink, state, count) in counts {
            if sinks.last().is_none_or(|last| last.sink != sink) {
                sinks.push(self.waiting(&sink)?);
            }
            let Some(summary) = sinks.last_mut() else { continue };
            let count = count.cast_unsigned();
            match MessageState::parse(&state) {
                MessageState::Pending => summary.pending = count,
                MessageState::Delivered => summary.delivered = count,
                MessageState::Dead => summary.dead = count,
                MessageState::Expired => summary.expired = count,
            }
        }
        Ok(sinks)
    }

    fn waiting(&self, sink: &str) -> Result<SinkSummary> {
        // What failed has an error; without a failure the oldest is as good as any.
        let (next_attempt, error) = self
            .asked(
                self.connection
                    .query_row(
                        "SELECT next_attempt, error FROM outbox WHERE sink = ?1 AND state = 'pending' AND held = 0
                         ORDER BY next_attempt, seq LIMIT 1",
                        [sink],
                        |row| Ok((row.get(0)?, row.get(1)?)),
                    )
                    .optional(),
            )?
            .unwrap_or((None, None));
        let oldest = self.asked(self.connection.query_row(
            "SELECT min(queued) FROM outbox WHERE sink = ?1 AND state = 'pending'",
            [sink],
            |row| row.get(0),
        ))?;
        Ok(SinkSummary { sink: sink.to_owned(), oldest, next_attempt, error, ..SinkSummary::default() })
    }

    /// All series, by id.
    ///
    /// # Errors
    /// As [`Reader::windows`].
    pub fn series(&self) -> Result<Vec<Series>> {
        self.asked(series::all(&self.connection))
    }

    /// The states of a series' panes, by pane, segment (the whole first) and shard.
    ///
    /// # Errors
    /// As [`Reader::windows`].
    pub fn slots(&self, series: SeriesId) -> Result<Vec<Slot>> {
        self.asked(series::slots(&self.connection, Some(series)))
    }

    /// As [`super::Store::idempotency`].
    ///
    /// # Errors
    /// As [`Reader::windows`].
    pub fn idempotency(&self, scope: &str, key: &str, since: i64) -> Result<Option<Idempotency>> {
        self.asked(seen::idempotency(&self.connection, scope, key, since))
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn fault(&self, error: rusqlite::Error) -> Error {
        Fault::from(error).at(&self.file, "cannot be read")
    }

    fn asked<T>(&self, answer: rusqlite::Result<T>) -> Result<T> {
        answer.map_err(|error| self.fault(error))
    }

    fn rows<T>(
        &self,
        sql: &str,
        values: &[&dyn ToSql],
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let read = || self.connection.prepare(sql)?.query_map(values, read)?.collect();
        self.asked(read())
    }

    fn page<T>(
        &self,
        query: Query<'_>,
        limit: usize,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Page<T>> {
        let limit = limit.clamp(1, page::MOST);
        let (sql, values) = query.finish(limit);
        let values: Vec<&dyn ToSql> = values.iter().map(|value| &**value).collect();
        let rows = || {
            self.connection
                .prepare(&sql)?
                .query_map(&values[..], |row| {
                    let cursor = Cursor { at: row.get("cursor_at")?, place: row.get("cursor_place")? };
                    Ok((cursor, read(row)?))
                })?
                .collect()
        };
        Ok(page::page(self.asked(rows())?, limit))
    }
}

/// A `SELECT` of one page that is put together from the conditions that were asked for, so that each finds its index.
struct Query<'a> {
    sql: String,
    values: Vec<Box<dyn ToSql + 'a>>,
    order: [&'static str; 2],
}

impl<'a> Query<'a> {
    /// `order` names the columns of a cursor's time and place.
    fn new(table: &str, order: [&'static str; 2], columns: &str, cursor: Option<&str>) -> Result<Self> {
        let after = Cursor::parse(cursor)?;
        let [at, place] = order;
        Ok(Self {
            sql: format!(
                "SELECT {columns}, {at} AS cursor_at, {place} AS cursor_place FROM {table}
                 WHERE ({at}, {place}) < (?, ?)"
            ),
            values: vec![Box::new(after.at), Box::new(after.place)],
            order,
        })
    }

    fn require(&mut self, condition: &str, value: &'a dyn ToSql) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.push(Box::new(value));
    }

    fn maybe<T: ToSql>(&mut self, condition: &str, value: Option<&'a T>) {
        if let Some(value) = value {
            self.require(condition, value);
        }
    }

    fn finish(mut self, limit: usize) -> (String, Vec<Box<dyn ToSql + 'a>>) {
        let [at, place] = self.order;
        self.sql.push_str(&format!(" ORDER BY {at} DESC, {place} DESC LIMIT ?"));
        self.values.push(Box::new(i64::try_from(limit + 1).unwrap_or(i64::MAX)));
        (self.sql, self.values)
    }
}
