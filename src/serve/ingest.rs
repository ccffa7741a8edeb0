//! The thread of a source to which rows are sent: bodies of requests in, a chunk for each out.
//!
//! Every model of the source has a partition of its own, `ingest/MODEL`, because a request names the model that it is for;
//! the rows of all who send to a model are one sequence in the order in which their bodies came in. A request is one chunk,
//! however long: it is counted in one commit or in none, which is what its key promises (SEMANTICS S17).

use std::collections::BTreeMap;

use crossbeam_channel::{Receiver, Sender, select, unbounded};
use driftlead_connectors::decode::{FieldSpec, Format, Outcome, RecordDecoder};
use driftlead_connectors::stream::{Partition, Position, Record};
use driftlead_engine::digest::sha256_hex;

use super::chunk::Chunk;
use super::event::Event;
use super::files::usable_times;
use super::intake::{Answer, Door, Intake, Key, Kind, Parcel, Request, Room, Sent, Target, Way};
use super::reader::{Control, Open, ReadPlan, Stop, TimeColumn, from_connectors};
use crate::exit::Result;

/// Reads what is sent until it is told to stop.
pub(super) struct IngestReader {
    source: usize,
    lanes: Vec<Lane>,
    queue: Receiver<Sent>,
    events: Sender<Event>,
    control: Receiver<Control>,
}

/// Requests that came in and that nobody has looked at.
pub(super) struct Requests {
    /// The models by their lanes.
    models: Vec<String>,
    queue: Receiver<Sent>,
}

impl Requests {
    /// Lets them in again. To a model that takes none any more nothing can be sent: its senders are told that it has ended.
    pub(super) fn pass_on(self, intake: &Intake) {
        for Sent { lane, parcel, answer } in self.queue.try_iter() {
            match self.models.get(lane).and_then(|model| intake.door(model)) {
                Some(door) => door.let_in(parcel, answer),
                None => drop(answer.send(Answer::Ending)),
            }
        }
    }
}

/// What is sent to one model.
struct Lane {
    model: String,
    plan: ReadPlan,
    partition: Partition,
    /// The ordinal of the next record.
    next: i64,
    lines: Open,
    arrow: RecordDecoder,
}

/// What a body has become.
enum Read {
    Chunk(Box<Chunk>),
    Unreadable(String),
}

impl Lane {
    /// The lane of a model, read by this plan, of lines.
    fn new(model: String, plan: ReadPlan, positions: &BTreeMap<Partition, Position>) -> Result<Self> {
        let lines = Open::new(&plan, 0)?;
        let arrow = RecordDecoder::new(&Format::Arrow, &plan.fields)
            .map_err(|error| from_connectors(&plan.name, &error))?;
        let partition = Door::partition_of(&model);
        let next = positions.get(&partition).map_or(0, |position| position.next);
        Ok(Self { model, plan, partition, next, lines, arrow })
    }

    fn read(&mut self, parcel: &Parcel) -> Result<Read> {
        match parcel.kind {
            Kind::Lines => self.read_lines(&parcel.body, parcel.received),
            Kind::Arrow => self.read_arrow(&parcel.body, parcel.received),
        }
    }

    /// A line that is no row is set aside, as from any other source.
    fn read_lines(&mut self, body: &[u8], received: i64) -> Result<Read> {
        self.lines.received = received;
        for line in body.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let record = self.record(line);
            let outcome = self.lines.decoder.decode(&record);
            self.lines.take(&self.plan, &record, outcome, received)?;
            self.next += 1;
        }
        Ok(match self.lines.chunk(&self.plan, &self.partition)? {
            Some(chunk) => Read::Chunk(Box::new(chunk)),
            None => Read::Unreadable("expected a JSON object a line, found blank lines only".to_owned()),
        })
    }

    /// A stream is one piece: there are no rows in one that is damaged, and its sender still has it.
    fn read_arrow(&mut self, body: &[u8], received: i64) -> Result<Read> {
        let record = self.record(body);
        if let Outcome::Bad(bad) = self.arrow.decode(&record) {
            return Ok(Read::Unreadable(bad.detail));
        }
        let decoded = self.arrow.flush();
        let n_rows = decoded.batch.num_rows();
        let mut dead = Vec::new();
        let times = usable_times(&self.plan, &decoded, self.next, received, &mut dead)?;
        self.next += i64::try_from(n_rows).unwrap_or(0);
        Ok(Read::Chunk(Box::new(Chunk {
            source: self.plan.source,
            partition: self.partition.clone(),
            position: Position { next: self.next, mark: None },
            decoded,
            times,
            dead,
            records: n_rows as u64,
            absent: BTreeMap::new(),
            file: None,
            received,
            request: None,
        })))
    }

    fn record<'a>(&self, payload: &'a [u8]) -> Record<'a> {
        Record { offset: self.next, stamp: None, key: None, payload: Some(payload), headers: &[], mark: None }
    }
}

impl IngestReader {
    /// A source of these models, each with the columns and times that it wants, and a way in to each. `plan` has all else.
    ///
    /// # Errors
    ///
    /// A column that cannot be decoded.
    pub(super) fn open(
        plan: &ReadPlan,
        models: impl Iterator<Item = (String, Vec<FieldSpec>, Vec<TimeColumn>)>,
        max_body: usize,
        positions: &BTreeMap<Partition, Position>,
        events: Sender<Event>,
        control: Receiver<Control>,
    ) -> Result<(Self, Vec<Way>)> {
        let (room, (sender, queue)) = (Room::new(max_body), unbounded());
        let (mut lanes, mut ways) = (Vec::new(), Vec::new());
        for (model, fields, times) in models {
            let target = Target { lane: lanes.len(), room: room.clone(), queue: sender.clone() };
            ways.push(Way { source: plan.source, model: model.clone(), target });
            let (name, format) = (plan.name.clone(), plan.format.clone());
            let needed = BTreeMap::new();
            let own = ReadPlan { source: plan.source, name, format, fields, times, needed, keep: plan.keep };
            lanes.push(Lane::new(model, own, positions)?);
        }
        Ok((Self { source: plan.source, lanes, queue, events, control }, ways))
    }

    /// The thread's whole life. Who is still in the queue at its end is told so, or is left to the thread that comes after
    /// this one.
    pub(super) fn run(mut self) -> Option<Requests> {
        let end = self.read();
        let is_handed_over = matches!(end, Err(Stop::HandedOver));
        if !is_handed_over {
            // A client that has hung up needs no telling, here as below.
            self.queue.try_iter().for_each(|sent| drop(sent.answer.send(Answer::Ending)));
        }
        drop(self.events.send(Stop::event(self.source, end)));
        let models = self.lanes.into_iter().map(|lane| lane.model).collect();
        is_handed_over.then_some(Requests { models, queue: self.queue })
    }

    fn read(&mut self) -> Result<(), Stop> {
        for lane in &self.lanes {
            let (source, partition) = (self.source, lane.partition.clone());
            let position = Position { next: lane.next, mark: None };
            self.send(Event::Assigned { source, partition: partition.clone(), position })?;
            // There is nothing in it that was not counted.
            self.send(Event::CaughtUp { source, partition, lag: Default::default() })?;
        }
        loop {
            select! {
                recv(self.control) -> told => match told {
                    Ok(Control::Committed(_) | Control::AskAgain) => {}
                    Ok(Control::HandOver) => return Err(Stop::HandedOver),
                    Ok(Control::Stop) | Err(_) => return Err(Stop::Told),
                },
                recv(self.queue) -> sent => match sent {
                    Ok(sent) => self.take(sent)?,
                    Err(_) => return Err(Stop::Told),
                },
            }
        }
    }

    fn take(&mut self, sent: Sent) -> Result<(), Stop> {
        let Sent { lane, parcel, answer } = sent;
        let Some(lane) = self.lanes.get_mut(lane) else { return Ok(()) };
        let mut chunk = match lane.read(&parcel)? {
            Read::Chunk(chunk) => chunk,
            Read::Unreadable(why) => {
                drop(answer.send(Answer::Unreadable(why)));
                return Ok(());
            }
        };
        let Parcel { kind, body, key, pass, .. } = parcel;
        let key = key.map(|text| Key { text, sha256: fingerprint(kind, &body) });
        chunk.request = Some(Box::new(Request { model: lane.model.clone(), key, answer, pass }));
        self.send(Event::Chunk(chunk))
    }

    fn send(&self, event: Event) -> Result<(), Stop> {
        self.events.send(event).map_err(|_| Stop::Told)
    }
}

/// By what the same body is known again.
fn fingerprint(kind: Kind, body: &[u8]) -> String {
    sha256_hex(&[kind.word().as_bytes(), b":", body].concat())
}
