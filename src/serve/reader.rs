//! The source thread: records in, chunks out.
//!
//! Each partition has a decoder of its own, because a chunk is of one partition. A chunk is closed when it is large, when
//! its first row has waited long enough, or when the source is quiet. While the engine has no room for a chunk, nothing is
//! read and the source is kept alive, so that back-pressure reaches the broker and memory stays bounded.
//!
//! A record whose event time is missing, unreadable or too far in the future is set aside here, where its payload still is
//! (SEMANTICS S14, S17). The decision leaves with the chunk, whose position is committed with it.

mod schemas;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TryRecvError};
use driftlead_connectors::decode::{BlockingRegistry, FieldSpec, Format, Outcome, RecordDecoder};
use driftlead_connectors::source::BatchSize;
use driftlead_connectors::stream::{
    Event as SourceEvent, Partition, Polled, Position, Record, Source, Stamp,
};
use driftlead_engine::digest::sha256_hex;

use self::schemas::{Schemas, Unknown};
use super::chunk::{Chunk, DeadLetter, Kept};
use super::event::Event;
use super::plan::Keep;
use crate::clock::Clock;
use crate::exit::{Error, Result};
use crate::job::event_times;

/// A chunk is closed at so many rows or bytes of payload.
const CHUNK: BatchSize = BatchSize { rows: 16 * 1024, bytes: 8 << 20 };
/// How long a row waits for others, in microseconds.
const LINGER: i64 = 100_000;
/// How long a poll may wait for a first record.
const WAIT: Duration = Duration::from_millis(50);
/// How long a registry that does not answer is left alone.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a source that is behind says how far, in microseconds.
const LAG_EVERY: i64 = 1_000_000;
/// How often a source is kept alive while the engine has no room.
const KEEP_ALIVE: Duration = Duration::from_millis(200);

/// What a source's records become.
#[derive(Debug)]
pub(super) struct ReadPlan {
    /// The place of the source in the service.
    pub(super) source: usize,
    /// Its name.
    pub(super) name: String,
    /// How payloads are written.
    pub(super) format: Format,
    /// The columns that its models want.
    pub(super) fields: Vec<FieldSpec>,
    /// Which of them hold event times.
    pub(super) times: Vec<TimeColumn>,
    /// Which of them a file of typed columns must have, and what reads them: without one `where`, `derive` or `segments`
    /// would see nulls that nobody wrote.
    pub(super) needed: BTreeMap<usize, String>,
    /// What is kept of dead records.
    pub(super) keep: Keep,
}

/// A column of event times.
#[derive(Clone, Debug)]
pub(super) struct TimeColumn {
    /// Its place in [`ReadPlan::fields`].
    pub(super) column: usize,
    /// How far ahead of its arrival a time may be, in microseconds.
    pub(super) future: i64,
}

/// What the engine tells a source thread.
#[derive(Debug)]
pub(super) enum Control {
    /// These positions are stored.
    Committed(BTreeMap<Partition, Position>),
    /// Settings were read again: what a schema registry did not know it may know now.
    AskAgain,
    /// Read no further, and leave to the next run what it cannot read again.
    HandOver,
    /// Read no further.
    Stop,
}

/// Reads one source until it ends or is told to stop.
pub(super) struct Reader {
    pub(super) source: Box<dyn Source>,
    pub(super) plan: Arc<ReadPlan>,
    pub(super) registry: Option<BlockingRegistry>,
    pub(super) events: Sender<Event>,
    pub(super) control: Receiver<Control>,
    pub(super) clock: Arc<dyn Clock>,
}

/// What a partition has given since its last chunk.
pub(super) struct Open {
    pub(super) decoder: RecordDecoder,
    /// Payloads of the rows, for those that are set aside later.
    arena: Vec<u8>,
    held: Vec<Held>,
    dead: Vec<DeadLetter>,
    records: u64,
    position: Option<Position>,
    /// When the first record came.
    pub(super) received: i64,
}

/// A record that became rows.
struct Held {
    offset: i64,
    rows: usize,
    payload: Range<usize>,
    /// Against what its event time is held: when the log took it, or when we did.
    arrived: i64,
}

/// Why reading stops before its end.
pub(super) enum Stop {
    /// The engine is gone or said so.
    Told,
    /// The engine said so, and another thread goes on.
    HandedOver,
    /// What no waiting mends.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Stop {
    /// How a source thread ended, as the engine hears it.
    pub(super) fn event(source: usize, end: Result<(), Self>) -> Event {
        match end {
            Ok(()) => Event::Ended { source },
            Err(Self::Told | Self::HandedOver) => Event::Stopped { source },
            Err(Self::Failed(error)) => Event::Failed { source, error },
        }
    }
}

impl Reader {
    /// The thread's whole life. What ends it is told to the engine; the source is given back, for one that cannot be opened
    /// again.
    pub(super) fn run(mut self) -> Box<dyn Source> {
        let end = self.read();
        // An engine that is gone needs no telling.
        drop(self.events.send(Stop::event(self.plan.source, end)));
        self.source
    }

    fn read(&mut self) -> Result<(), Stop> {
        let mut open: BTreeMap<Partition, Open> = BTreeMap::new();
        let mut unknown = Unknown::default();
        let mut lag_told_at = self.clock.now();
        loop {
            loop {
                match self.control.try_recv() {
                    Ok(Control::Committed(positions)) => self.source.committed(&positions),
                    Ok(Control::AskAgain) => unknown.forget(),
                    Ok(Control::Stop | Control::HandOver) => {
                        // What was read is handed over: not every source can be read again.
                        self.send_all(&mut open, i64::MAX)?;
                        return Err(Stop::Told);
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Err(Stop::Told),
                }
            }
            if unknown.take_stale(self.clock.now()) {
                open.values_mut().for_each(|own| own.decoder.forget_missing());
            }
            let schemas = Schemas {
                registry: self.registry.as_ref(),
                control: &self.control,
                events: &self.events,
                unknown: &mut unknown,
                clock: self.clock.as_ref(),
            };
            let mut heard = Heard::new(&self.plan, schemas, &mut open, self.clock.as_ref());
            let polled = self.source.poll(WAIT, &mut |event| heard.take(event));
            let Heard { told, failed, .. } = heard;
            let polled = polled.map_err(|error| from_connectors(&self.plan.name, &error))?;
            if let Some(stop) = failed {
                return Err(stop);
            }
            for mut event in told {
                if let Event::CaughtUp { lag, .. } = &mut event {
                    *lag = self.source.lag();
                }
                self.send(event)?;
            }
            let now = self.clock.now();
            self.tell_lag(&mut lag_told_at, now)?;
            match polled {
                Polled::More => self.send_all(&mut open, now)?,
                Polled::Quiet => self.send_all(&mut open, i64::MAX)?,
                Polled::Ended => {
                    self.send_all(&mut open, i64::MAX)?;
                    return Ok(());
                }
            }
        }
    }

    /// Says once in a while how far behind the source is. One that is not behind says nothing, and wakes nobody: that its
    /// partitions were read to their ends was told with them.
    fn tell_lag(&mut self, told_at: &mut i64, now: i64) -> Result<(), Stop> {
        // A clock that went back must not end it.
        if (0..LAG_EVERY).contains(&now.saturating_sub(*told_at)) {
            return Ok(());
        }
        *told_at = now;
        let lag = self.source.lag();
        if lag.values().all(|records| *records == 0) {
            return Ok(());
        }
        self.send(Event::Lag { source: self.plan.source, lag })
    }

    /// Closes the chunks that are full, or whose first row came before `now` less the linger.
    fn send_all(&mut self, open: &mut BTreeMap<Partition, Open>, now: i64) -> Result<(), Stop> {
        for (partition, own) in open {
            if own.records > 0 && (own.decoder.is_full(CHUNK) || now.saturating_sub(own.received) >= LINGER) {
                self.close(partition, own)?;
            }
        }
        Ok(())
    }

    fn close(&mut self, partition: &Partition, open: &mut Open) -> Result<(), Stop> {
        match open.chunk(&self.plan, partition)? {
            Some(chunk) => self.send(Event::Chunk(Box::new(chunk))),
            None => Ok(()),
        }
    }

    /// Hands an event to the engine; until there is room, the source is kept alive.
    fn send(&mut self, event: Event) -> Result<(), Stop> {
        let mut event = event;
        loop {
            match self.events.send_timeout(event, KEEP_ALIVE) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Disconnected(_)) => return Err(Stop::Told),
                Err(SendTimeoutError::Timeout(back)) => event = back,
            }
            self.source.keep_alive();
        }
    }
}

impl Open {
    /// Nothing yet of a partition that is read by this plan.
    pub(super) fn new(plan: &ReadPlan, now: i64) -> Result<Self> {
        let decoder = RecordDecoder::new(&plan.format, &plan.fields)
            .map_err(|error| from_connectors(&plan.name, &error))?;
        Ok(Self {
            decoder,
            arena: Vec::new(),
            held: Vec::new(),
            dead: Vec::new(),
            records: 0,
            position: None,
            received: now,
        })
    }

    /// Takes a record of which `outcome` was decoded and that arrived then.
    pub(super) fn take(
        &mut self,
        plan: &ReadPlan,
        record: &Record<'_>,
        outcome: Outcome,
        arrived: i64,
    ) -> Result<()> {
        match outcome {
            Outcome::Rows(rows) => {
                let begin = self.arena.len();
                if plan.keep != Keep::Nothing && !plan.times.is_empty() {
                    self.arena.extend_from_slice(record.payload.unwrap_or_default());
                }
                let payload = begin..self.arena.len();
                self.held.push(Held { offset: record.offset, rows, payload, arrived });
            }
            Outcome::Bad(bad) => self.dead.push(DeadLetter {
                reason: bad.reason.as_str(),
                detail: bad.detail,
                offset: record.offset,
                line: None,
                payload: kept(plan.keep, record.payload.unwrap_or_default()),
            }),
            Outcome::Unresolved(id) => {
                let message = format!("source `{}`: the schema {id} is still unknown", plan.name);
                return Err(Error::run(message));
            }
        }
        self.records += 1;
        self.position = Some(Position { next: record.offset + 1, mark: record.mark });
        Ok(())
    }

    /// The rows since the last chunk as one, with the records that became none; `None` if there was no record.
    pub(super) fn chunk(&mut self, plan: &ReadPlan, partition: &Partition) -> Result<Option<Chunk>> {
        let Some(position) = self.position.take() else { return Ok(None) };
        let decoded = self.decoder.flush();
        let mut times = Vec::with_capacity(plan.times.len());
        let mut aside = BTreeSet::new();
        for time in &plan.times {
            let name = plan.fields[time.column].name();
            let mut of_rows = event_times(decoded.batch.column(time.column), name)?;
            self.set_aside(&mut of_rows, time, name, plan.keep, &mut aside);
            times.push(of_rows);
        }
        let chunk = Chunk {
            source: plan.source,
            partition: partition.clone(),
            position,
            decoded,
            times,
            dead: std::mem::take(&mut self.dead),
            records: std::mem::take(&mut self.records),
            received: self.received,
            absent: BTreeMap::new(),
            file: None,
            request: None,
        };
        self.held.clear();
        self.arena.clear();
        Ok(Some(chunk))
    }

    /// Takes the rows without a usable time out of `times`, and their records to the dead letters; `aside` has those that
    /// went there already.
    fn set_aside(
        &mut self,
        times: &mut [Option<i64>],
        column: &TimeColumn,
        name: &str,
        keep: Keep,
        aside: &mut BTreeSet<i64>,
    ) {
        let mut row = 0;
        for held in &self.held {
            let limit = held.arrived.saturating_add(column.future);
            let own = &mut times[row..row + held.rows];
            row += held.rows;
            let fault = own.iter().find_map(|time| match time {
                None => Some(("missing_time", format!("`{name}` holds no time that can be read"))),
                Some(time) if *time > limit => {
                    let ahead = (time - held.arrived) / 1_000_000;
                    Some(("far_future", format!("`{name}` is {ahead} s ahead of the record's arrival")))
                }
                Some(_) => None,
            });
            let Some((reason, detail)) = fault else { continue };
            for time in own.iter_mut().filter(|time| time.is_some_and(|time| time > limit)) {
                *time = None;
            }
            // A record is one dead letter, however many models miss its time.
            if !aside.insert(held.offset) {
                continue;
            }
            let payload = kept(keep, &self.arena[held.payload.clone()]);
            self.dead.push(DeadLetter { reason, detail, offset: held.offset, line: None, payload });
        }
    }
}

/// Takes a poll's events into the open chunks.
struct Heard<'a> {
    plan: &'a ReadPlan,
    schemas: Schemas<'a>,
    open: &'a mut BTreeMap<Partition, Open>,
    clock: &'a dyn Clock,
    /// What the engine is to hear before the records that are still open, in the order in which it happened.
    told: Vec<Event>,
    failed: Option<Stop>,
}

impl<'a> Heard<'a> {
    fn new(
        plan: &'a ReadPlan,
        schemas: Schemas<'a>,
        open: &'a mut BTreeMap<Partition, Open>,
        clock: &'a dyn Clock,
    ) -> Self {
        Self { plan, schemas, open, clock, told: Vec::new(), failed: None }
    }

    fn take(&mut self, event: SourceEvent<'_>) {
        let source = self.plan.source;
        match event {
            SourceEvent::Records { partition, records } => {
                // After a failure nothing more is taken: what follows is read again.
                if self.failed.is_none()
                    && let Err(stop) = self.records(partition, records)
                {
                    self.failed = Some(stop);
                }
            }
            SourceEvent::CaughtUp { partition } => self.catch_up(partition),
            SourceEvent::Assigned { partition, position } => {
                self.tell(Event::Assigned { source, partition: partition.clone(), position });
            }
            SourceEvent::Gap { partition, expected, found, reason } => {
                self.tell(Event::Gap { source, partition: partition.clone(), expected, found, reason });
            }
            SourceEvent::Lost { partition } => {
                self.tell(Event::Lost { source, partition: partition.clone() });
            }
            SourceEvent::Trouble(error) => {
                self.tell(Event::Trouble { source, message: error.to_string() });
            }
        }
    }

    /// Notes what happened after the rows read so far and before those that follow: an assigned partition holds the
    /// watermark before rows of another one move it.
    fn tell(&mut self, event: Event) {
        let all: Vec<Partition> = self.open.keys().cloned().collect();
        all.iter().for_each(|partition| self.flush(partition));
        self.told.push(event);
    }

    /// Notes that a partition was read to its end: after its rows so far, and before those that follow in the same poll.
    /// They, or a trouble, say that it is not at its end any more; told after them, it would be idle with rows to come
    /// (SEMANTICS S15).
    fn catch_up(&mut self, partition: &Partition) {
        self.flush(partition);
        // How far behind the source is, it can say once the poll is over.
        let (source, partition, lag) = (self.plan.source, partition.clone(), BTreeMap::new());
        self.told.push(Event::CaughtUp { source, partition, lag });
    }

    /// Closes what is open of a partition, to be heard next.
    fn flush(&mut self, partition: &Partition) {
        let Some(open) = self.open.get_mut(partition) else { return };
        match open.chunk(self.plan, partition) {
            Ok(chunk) => self.told.extend(chunk.map(|chunk| Event::Chunk(Box::new(chunk)))),
            Err(error) => self.failed = Some(error.into()),
        }
    }

    fn records(&mut self, partition: &Partition, records: &[Record<'_>]) -> Result<(), Stop> {
        let now = self.clock.now();
        if !self.open.contains_key(partition) {
            self.open.insert(partition.clone(), Open::new(self.plan, now)?);
        }
        let Some(open) = self.open.get_mut(partition) else { return Ok(()) };
        if open.records == 0 {
            open.received = now;
        }
        for record in records {
            let arrived = match record.stamp {
                Some(Stamp::Appended(micros)) => micros,
                _ => now,
            };
            let outcome = self.schemas.decode(self.plan, &mut open.decoder, record)?;
            open.take(self.plan, record, outcome, arrived)?;
        }
        Ok(())
    }
}

fn kept(keep: Keep, payload: &[u8]) -> Kept {
    match keep {
        Keep::Nothing => Kept::None,
        Keep::Hash => Kept::Hash { length: payload.len(), sha256: sha256_hex(payload) },
        Keep::Full => Kept::Full(payload.to_vec()),
    }
}

pub(super) fn from_connectors(source: &str, error: &driftlead_connectors::Error) -> Error {
    let message = format!("source `{source}`: {error}");
    match error.kind() {
        driftlead_connectors::ErrorKind::Unavailable => Error::run(message),
        _ => Error::input(message),
    }
}

#[cfg(test)]
mod tests;
