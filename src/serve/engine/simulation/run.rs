//! One run: a schedule drawn from a seed over one input, and the laws that hold after each of its steps.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use crossbeam_channel::bounded;
use driftlead_connectors::source::DecodedBatch;
use driftlead_connectors::store::{Acknowledgement, Silence};
use driftlead_connectors::stream::{Partition, Position};
use driftlead_engine::stream::Added;
use tempfile::TempDir;

use super::random::Random;
use super::rows::{BEGIN, Input, Row, SECOND};
use super::world::{PATIENCE, Process, SOURCES, Temper, World, contents, store_folder};
use crate::clock::{Clock as _, ManualClock};
use crate::serve::chunk::{Chunk, DeadLetter, Kept};
use crate::serve::engine::{self, End};
use crate::serve::event::Event;
use crate::serve::reader::Control;
use crate::serve::reload::Draft;
use crate::serve::wire::{Body, Status};

/// What a run came to.
pub(super) struct Outcome {
    /// The FINAL windows by model and id, without what depends on arrival.
    pub(super) finals: BTreeMap<(String, String), Final>,
    /// What became of the rows, by model and window name.
    pub(super) totals: BTreeMap<(String, String), Added>,
    /// All that was said, in its order.
    pub(super) heard: Vec<String>,
    /// The process at its end.
    pub(super) process: Process,
    /// How often each kind of step was taken.
    pub(super) steps: BTreeMap<&'static str, usize>,
    _folder: TempDir,
}

impl Outcome {
    /// Everything in the store, as text.
    pub(super) fn store(&mut self) -> String {
        contents(&mut self.process.engine)
    }
}

/// A FINAL window.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Final {
    pub(super) name: String,
    pub(super) segment: Option<String>,
    /// In microseconds.
    pub(super) end: i64,
    pub(super) rows: u64,
    pub(super) document: String,
}

/// Where a source stands in its partitions.
#[derive(Clone, Debug)]
struct Reading {
    partition: Partition,
    next: usize,
    /// Rows that have been written so far.
    written: usize,
    is_assigned: bool,
}

/// The last of what was said of a window or an alert.
#[derive(Clone, Copy, Debug)]
struct Said {
    revision: u64,
    is_over: bool,
}

struct Run<'a> {
    world: &'a World,
    input: &'a Input,
    temper: Temper,
    random: Random,
    clock: ManualClock,
    folder: TempDir,
    process: Option<Process>,
    readings: Vec<Vec<Reading>>,
    windows: BTreeMap<String, Said>,
    alerts: BTreeMap<String, Said>,
    finals: BTreeMap<(String, String), Final>,
    heard: Vec<String>,
    steps: BTreeMap<&'static str, usize>,
}

/// Runs one schedule to the end of the input.
pub(super) fn run(world: &World, input: &Input, temper: Temper, seed: u64) -> Outcome {
    let readings = input.0.iter().zip(SOURCES).map(|(partitions, source)| {
        let reading = |number: usize| Reading {
            partition: Partition { topic: source.to_owned(), number: i32::try_from(number).unwrap() },
            next: 0,
            written: 0,
            is_assigned: false,
        };
        (0..partitions.len()).map(reading).collect()
    });
    let mut run = Run {
        world,
        input,
        temper,
        random: Random::new(seed),
        clock: ManualClock::at(BEGIN),
        folder: store_folder(),
        process: None,
        readings: readings.collect(),
        windows: BTreeMap::new(),
        alerts: BTreeMap::new(),
        finals: BTreeMap::new(),
        heard: Vec::new(),
        steps: BTreeMap::new(),
    };
    run.start();
    while !run.is_read() {
        run.any_step();
    }
    run.finish()
}

impl Run<'_> {
    fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap()
    }

    fn is_read(&self) -> bool {
        self.readings.iter().zip(&self.input.0).all(|(readings, partitions)| {
            readings.iter().zip(partitions).all(|(reading, rows)| reading.next == rows.len())
        })
    }

    /// A process on the store as it is; its sources begin at the stored positions.
    fn start(&mut self) {
        let process = self.world.start(self.folder.path(), &self.clock, self.temper);
        for (source, readings) in self.readings.iter_mut().enumerate() {
            for reading in readings {
                let known = process.engine.feeds[source].partitions.get(&reading.partition);
                let position = known.and_then(|own| own.position).map_or(0, |position| position.next);
                reading.next = usize::try_from(position).unwrap();
                reading.is_assigned = false;
            }
        }
        self.process = Some(process);
        // One that is not known holds nothing up: the patient know all from the beginning.
        if self.temper == Temper::Patient {
            for source in 0..SOURCES.len() {
                for at in 0..self.readings[source].len() {
                    let event = self.assigned(source, at);
                    self.deliver(vec![event]);
                }
            }
        }
    }

    fn any_step(&mut self) {
        let (name, events) = match self.random.below(100) {
            0..50 => ("chunks", self.chunks()),
            50..60 => ("written", self.write()),
            60..68 => ("caught up", self.caught_up()),
            68..85 => ("time", self.pass(0, 3 * SECOND)),
            85..87 => ("a long time", self.pass(20 * SECOND, 60 * SECOND)),
            87..89 => ("time goes back", self.pass(-40 * SECOND, 0)),
            89..91 => ("crash", self.crash()),
            91 => ("restart", self.restart()),
            92..94 => ("reload", self.reload()),
            94..97 => ("silence", self.silence()),
            97 => ("acknowledge", self.acknowledge()),
            98 => ("lag", self.lag()),
            _ => ("trouble", vec![Event::Trouble { source: 0, message: "no broker answers".to_owned() }]),
        };
        *self.steps.entry(name).or_default() += 1;
        self.deliver(events);
    }

    /// Some partition, by source and place.
    fn any_partition(&mut self) -> (usize, usize) {
        let source = usize::from(self.random.one_in(4));
        (source, self.random.below(self.readings[source].len()))
    }

    fn write(&mut self) -> Vec<Event> {
        let (source, at) = self.any_partition();
        let n = self.input.0[source][at].len();
        let more = 1 + self.random.below(120);
        let reading = &mut self.readings[source][at];
        reading.written = (reading.written + more).min(n);
        Vec::new()
    }

    /// Up to three chunks, which wait together.
    fn chunks(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            let (source, at) = self.any_partition();
            if !self.readings[source][at].is_assigned {
                events.push(self.assigned(source, at));
            }
            let most = 1 + self.random.below(60);
            let reading = &mut self.readings[source][at];
            let range = reading.next..(reading.next + most).min(reading.written);
            if range.is_empty() {
                continue;
            }
            reading.next = range.end;
            let partition = reading.partition.clone();
            let rows = &self.input.0[source][at][range.clone()];
            let columns = &self.process.as_ref().unwrap().columns[source];
            events.push(Event::Chunk(Box::new(chunk(
                source,
                partition,
                range.start,
                rows,
                columns,
                self.clock.now(),
            ))));
        }
        events
    }

    fn assigned(&mut self, source: usize, at: usize) -> Event {
        let reading = &mut self.readings[source][at];
        reading.is_assigned = true;
        let position = Position { next: i64::try_from(reading.next).unwrap(), mark: None };
        Event::Assigned { source, partition: reading.partition.clone(), position }
    }

    fn caught_up(&mut self) -> Vec<Event> {
        let (source, at) = self.any_partition();
        let reading = &self.readings[source][at];
        if !reading.is_assigned || reading.next < reading.written {
            return Vec::new();
        }
        let partition = reading.partition.clone();
        vec![Event::CaughtUp { source, partition, lag: BTreeMap::new() }]
    }

    fn lag(&mut self) -> Vec<Event> {
        let (source, at) = self.any_partition();
        let reading = &self.readings[source][at];
        let behind = (reading.written - reading.next.min(reading.written)) as u64;
        vec![Event::Lag { source, lag: BTreeMap::from([(reading.partition.clone(), behind)]) }]
    }

    fn pass(&mut self, from: i64, to: i64) -> Vec<Event> {
        let by = self.random.between(from, to);
        self.clock.set(self.clock.now() + by);
        Vec::new()
    }

    /// What was not committed never was.
    fn crash(&mut self) -> Vec<Event> {
        self.process = None;
        self.start();
        Vec::new()
    }

    fn restart(&mut self) -> Vec<Event> {
        let process = self.process();
        for source in 0..SOURCES.len() {
            process.events.send(Event::Stopped { source }).unwrap();
        }
        let end = process.engine.step(Some(Event::Stop)).unwrap();
        assert!(matches!(end, Some(engine::Outcome::Ended(End::Stopped))));
        self.look();
        let read: Vec<Vec<usize>> =
            self.readings.iter().map(|own| own.iter().map(|own| own.next).collect()).collect();
        self.process = None;
        self.start();
        let goes_on: Vec<Vec<usize>> =
            self.readings.iter().map(|own| own.iter().map(|own| own.next).collect()).collect();
        assert_eq!(goes_on, read, "a service that was asked to end reads nothing twice");
        Vec::new()
    }

    fn reload(&mut self) -> Vec<Event> {
        let layout = self.world.layout(self.temper, self.random.below(2));
        let (sources, partitions) = (Vec::new(), BTreeMap::new());
        let draft = Box::new(Draft { layout, settings: None, sources, partitions });
        let (answer, answered) = bounded(1);
        self.deliver(vec![Event::Reload { draft, by: "somebody".to_owned(), answer }]);
        answered.recv_timeout(PATIENCE).unwrap().unwrap();
        Vec::new()
    }

    fn silence(&mut self) -> Vec<Event> {
        let now = self.clock.now();
        let id = format!("silence-{}", self.random.below(3));
        let model = ["alpha", "beta"][self.random.below(2)];
        let silence = Silence {
            id,
            matcher: format!(r#"{{"model":"{model}"}}"#),
            author: "somebody".to_owned(),
            reason: "a test".to_owned(),
            starts: now,
            // Some are lifted at once.
            expires: now + self.random.between(0, 60) * SECOND,
        };
        let (answer, answered) = bounded(1);
        self.deliver(vec![Event::Silence { silence, by: "somebody".to_owned(), answer }]);
        answered.recv_timeout(PATIENCE).unwrap().unwrap();
        Vec::new()
    }

    fn acknowledge(&mut self) -> Vec<Event> {
        let open: Vec<String> = self.process().engine.open.keys().cloned().collect();
        let known = !open.is_empty() && !self.random.one_in(4);
        let alert = if known { open[self.random.below(open.len())].clone() } else { "none".to_owned() };
        let acknowledgement =
            Acknowledgement { by: "somebody".to_owned(), at: self.clock.now(), comment: None };
        let (answer, answered) = bounded(1);
        self.deliver(vec![Event::Acknowledge { alert, acknowledgement, answer }]);
        assert_eq!(answered.recv_timeout(PATIENCE).unwrap().unwrap(), known);
        Vec::new()
    }

    /// Lets events wait together and the engine take them one after the other; without one it looks at the clock.
    fn deliver(&mut self, events: Vec<Event>) {
        let process = self.process();
        if events.is_empty() {
            assert!(process.engine.step(None).unwrap().is_none());
        }
        for event in events {
            process.events.send(event).unwrap();
        }
        while let Ok(event) = process.engine.events.try_recv() {
            assert!(process.engine.step(Some(event)).unwrap().is_none());
        }
        self.look();
    }

    /// Hears what was said since the last look, and holds it to the store and to what was said before.
    fn look(&mut self) {
        let process = self.process.as_mut().unwrap();
        while let Ok(body) = process.heard.try_recv() {
            match &body {
                Body::Verdict(verdict) => {
                    let stored = process.engine.reader.revisions(&verdict.id).unwrap();
                    let newest = stored.first().expect("what is said is stored (I-ORDER)");
                    let arrival = verdict.window.arrival.unwrap();
                    assert!(u64::from(newest.revision) >= verdict.revision, "{verdict:?}");
                    // A segment of which the first row came late has no earlier revision.
                    let begins = verdict.revision == 0 || verdict.window.segment.is_some();
                    follow(&mut self.windows, &verdict.id, (verdict.revision, begins), arrival.is_final);
                    if arrival.is_final {
                        let mut window = verdict.window.clone();
                        window.arrival = None;
                        let own = Final {
                            name: window.name.clone(),
                            segment: window.segment.as_ref().map(|own| format!("{own:?}")),
                            end: window.end.unwrap().micros(),
                            rows: window.rows,
                            document: serde_json::to_string(&window).unwrap(),
                        };
                        self.finals.insert((verdict.model.name.clone(), verdict.id.clone()), own);
                    }
                }
                Body::Alert(alert) => {
                    let stored = process.engine.reader.alert(&alert.id).unwrap();
                    let stored = stored.expect("what is said is stored (I-ORDER)");
                    assert!(u64::from(stored.revision) >= alert.revision, "{alert:?}");
                    assert_eq!(alert.revision == 0, alert.status == Status::Open, "{alert:?}");
                    let revision = (alert.revision, alert.revision == 0);
                    follow(&mut self.alerts, &alert.id, revision, alert.status == Status::Resolved);
                }
                Body::Gap(gap) => assert!(gap.gap.windows > 1_000, "{gap:?}"),
                Body::Diagnostic(own) => panic!("listeners hear of windows and alerts: {own:?}"),
            }
            self.heard.push(serde_json::to_string(&body).unwrap());
        }
        for (source, control) in process.controls.iter().enumerate() {
            while let Ok(told) = control.try_recv() {
                let Control::Committed(positions) = told else { continue };
                for (partition, position) in positions {
                    let at = usize::try_from(partition.number).unwrap();
                    let read = self.readings[source][at].next;
                    assert!(usize::try_from(position.next).unwrap() <= read, "{partition} at {position:?}");
                }
            }
        }
    }

    /// Ends all sources, which makes every window final.
    fn finish(mut self) -> Outcome {
        let process = self.process.as_mut().unwrap();
        let mut end = None;
        for source in 0..SOURCES.len() {
            end = process.engine.step(Some(Event::Ended { source })).unwrap();
        }
        assert!(matches!(end, Some(engine::Outcome::Ended(End::Exhausted))));
        self.look();
        let process = self.process.unwrap();
        let mut totals = BTreeMap::new();
        for working in &process.engine.models {
            for watch in &working.watches {
                let name = working.model.config.windows[watch.window].name.clone();
                totals.insert((working.model.config.model.clone(), name), watch.flow.totals());
            }
        }
        Outcome {
            finals: self.finals,
            totals,
            heard: self.heard,
            steps: self.steps,
            process,
            _folder: self.folder,
        }
    }
}

/// Revisions are said once each, in their order, and nothing follows the last word. With a revision stands whether it may
/// be the first.
fn follow(said: &mut BTreeMap<String, Said>, id: &str, (revision, begins): (u64, bool), is_over: bool) {
    match said.get(id) {
        None => assert!(begins, "the first word on {id} is revision {revision}"),
        Some(last) => {
            assert!(!last.is_over, "{id} was over at revision {}, and then came {revision}", last.revision);
            assert_eq!(revision, last.revision + 1, "{id}");
        }
    }
    said.insert(id.to_owned(), Said { revision, is_over });
}

/// Rows as a source thread hands them over; those without a time are dead letters too.
pub(super) fn chunk(
    source: usize,
    partition: Partition,
    first: usize,
    rows: &[Row],
    columns: &[String],
    now: i64,
) -> Chunk {
    let column = |name: &String| -> (&str, ArrayRef) {
        match name.as_str() {
            "x" => ("x", Arc::new(rows.iter().map(|row| row.x).collect::<Float64Array>())),
            "c" => ("c", Arc::new(rows.iter().map(|row| Some(row.c)).collect::<StringArray>())),
            _ => {
                let times: TimestampMicrosecondArray = rows.iter().map(|row| row.time).collect();
                ("t", Arc::new(times.with_timezone("UTC")))
            }
        }
    };
    let offset = |at: usize| i64::try_from(first + at).unwrap();
    let untimed = rows.iter().enumerate().filter(|(_, row)| row.time.is_none());
    Chunk {
        source,
        partition,
        position: Position { next: offset(rows.len()), mark: None },
        decoded: DecodedBatch::typed(RecordBatch::try_from_iter(columns.iter().map(column)).unwrap()),
        times: vec![rows.iter().map(|row| row.time).collect()],
        dead: untimed
            .map(|(at, _)| DeadLetter {
                reason: "missing_time",
                detail: "`t` holds no time that can be read".to_owned(),
                offset: offset(at),
                payload: Kept::None,
                line: None,
            })
            .collect(),
        records: rows.len() as u64,
        absent: BTreeMap::new(),
        file: None,
        request: None,
        received: now,
    }
}
