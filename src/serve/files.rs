//! Files as a stream: a folder or prefix in which snapshots arrive, or a set that is read once.
//!
//! The files of one look are read in the order of their names, and all of them are one partition: whoever writes snapshots
//! names them in the order of time, and a watermark a file would hold back every window until the last file has begun. A
//! file is known by path, size and etag or time of change (SEMANTICS S17); it is noted in the commit that holds its first
//! rows, with the ordinal at which it begins, so that a restart goes on in the middle of it.
//! One that lacks a column without which its rows cannot be counted holds up those behind it: rows that are counted after
//! newer ones may be late.
//!
//! A file of lines may grow. What is new of it is a stretch, read like a file of its own; what was read before must hash
//! the same. A last line without its end waits, because half of it may be missing, until the file has stayed the same for ten seconds.

mod lines;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{Field, Schema, SchemaRef};
use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, TryRecvError};
use driftlead_connectors::dataset::{
    Dataset, Format, Object, OpenOptions, Part, ReadOptions, Remotes, Stamp, list,
};
use driftlead_connectors::source::{BadRecord, DecodedBatch};
use driftlead_connectors::store::SeenFile;
use driftlead_connectors::stream::{Partition, Position};
use tracing::warn;

use self::lines::Note;
use super::chunk::{Chunk, DeadLetter, FileLine, Kept};
use super::event::Event;
use super::reader::{Control, ReadPlan, Stop};
use crate::clock::Clock;
use crate::exit::{Error, Result};
use crate::job::{event_times, lacking};

/// How long a full queue is waited for before the thread looks whether it should end.
const PATIENCE: Duration = Duration::from_millis(200);

/// Reads files until it is told to stop, or once.
pub(super) struct FileReader {
    pub(super) plan: Arc<ReadPlan>,
    pub(super) paths: Vec<String>,
    /// How often to look for new files; `None` reads what is there once.
    pub(super) every: Option<Duration>,
    pub(super) remotes: Arc<Remotes>,
    pub(super) seen: BTreeMap<String, SeenFile>,
    /// Rows handed over so far.
    pub(super) next: i64,
    /// Files of lines as they were when last looked at, and since when.
    pub(super) looked: BTreeMap<String, (Look, i64)>,
    /// Whether the file at hand lacks a column without which its rows cannot be counted.
    pub(super) lacks_column: bool,
    pub(super) events: Sender<Event>,
    pub(super) control: Receiver<Control>,
    pub(super) clock: Arc<dyn Clock>,
}

/// How long a file stays the same before a last line without an end is taken for one, in microseconds.
const SETTLED: i64 = 10_000_000;

/// A file as it was: its size and what tells its version.
type Look = (u64, String);

impl FileReader {
    /// The thread's whole life.
    pub(super) fn run(mut self) {
        let end = self.read();
        drop(self.events.send(Stop::event(self.plan.source, end)));
    }

    fn read(&mut self) -> Result<(), Stop> {
        let source = self.plan.source;
        let partition = self.partition();
        let position = Position { next: self.next, mark: None };
        self.send(Event::Assigned { source, partition: partition.clone(), position })?;
        let mut told = None;
        loop {
            let trouble = match self.round() {
                Ok(trouble) => trouble,
                Err(Stop::Failed(error)) if self.every.is_some() => Some(error.chain()),
                Err(stop) => return Err(stop),
            };
            let Some(every) = self.every else {
                return match trouble {
                    None => Ok(()),
                    Some(message) => Err(Stop::Failed(Error::input(message))),
                };
            };
            match &trouble {
                None => {
                    let lag = BTreeMap::new();
                    self.send(Event::CaughtUp { source, partition: partition.clone(), lag })?;
                }
                // The same again is no news.
                Some(message) if told.as_ref() != Some(message) => {
                    self.send(Event::Trouble { source, message: message.clone() })?;
                }
                Some(_) => {}
            }
            told = trouble;
            match self.control.recv_timeout(every) {
                Ok(Control::Stop | Control::HandOver) => return Err(Stop::Told),
                Ok(Control::Committed(_) | Control::AskAgain) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Stop::Told),
            }
        }
    }

    /// Reads what is new. A file that cannot be read is passed over until the next look, and told of; one of which rows
    /// were handed over has to be read on before any other, and one that lacks a column is waited for.
    fn round(&mut self) -> Result<Option<String>, Stop> {
        let mut trouble = None;
        for file in self.look()? {
            let (before, is_begun) = (self.next, self.is_begun(file.name()));
            self.lacks_column = false;
            match self.file(file) {
                Ok(()) => {}
                Err(Stop::Failed(error)) if self.next == before && !is_begun && !self.lacks_column => {
                    trouble.get_or_insert(error.chain());
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(trouble)
    }

    /// Whether rows of it were handed over and more are to come.
    fn is_begun(&self, name: &str) -> bool {
        let note = self.seen.get(name).and_then(|seen| Note::of(&seen.note));
        note.is_some_and(|note| note.rows.is_none())
    }

    /// The files that are not read to their end, in their order; one of which rows were handed over comes first, because
    /// the ordinals of its rows follow those.
    fn look(&mut self) -> Result<Vec<Object>> {
        let options = OpenOptions { remotes: self.remotes.clone(), ..OpenOptions::default() };
        let files = list(&self.paths, &options).map_err(|error| self.explain(&error))?;
        let files_named: Vec<String> = files.iter().map(|file| file.name().to_owned()).collect();
        let mut found = Vec::new();
        for file in files {
            match self.seen.get(file.name()) {
                // Its beginning is looked at before more of it is read.
                Some(seen) if seen.prefix.is_some() => {
                    let is_done = Note::of(&seen.note).is_some_and(|note| note.rows.is_some());
                    let is_same = seen.size == file.size() && seen.version == version(&file);
                    if !(is_done && is_same) {
                        found.push(file);
                    }
                }
                Some(seen) if seen.size != file.size() || seen.version != version(&file) => {
                    let message = format!(
                        "source `{}`: `{}` has changed since it was read: a file that was counted cannot be counted \
                         again; give new content a new name",
                        self.plan.name,
                        file.name()
                    );
                    return Err(Error::input(message));
                }
                Some(seen) if Note::of(&seen.note).is_some_and(|note| note.rows.is_some()) => {}
                _ => found.push(file),
            }
        }
        let is_gone = |name: &String| files_named.iter().all(|own| own != name);
        let gone: Vec<String> =
            self.seen.keys().filter(|name| self.is_begun(name) && is_gone(name)).cloned().collect();
        for name in gone {
            warn!(
                source = self.plan.name,
                file = name,
                "a file is gone that was not read to its end: the rest is lost"
            );
            if let Some(seen) = self.seen.get_mut(&name)
                && let Some(note) = Note::of(&seen.note)
            {
                seen.note = Note { rows: Some(self.next - note.first), ..note }.bytes();
            }
        }
        found.sort_by_key(|file| !self.is_begun(file.name()));
        Ok(found)
    }

    fn file(&mut self, file: Object) -> Result<(), Stop> {
        let seen = self.seen.get(file.name());
        let is_old = seen.is_some_and(|seen| seen.prefix.is_none());
        let format = Format::of_object(&file).map_err(|error| self.explain(&error))?;
        if !is_old && format.is_text() {
            return self.lines(file, format == Format::Csv);
        }
        let known = seen.and_then(|seen| Note::of(&seen.note));
        let note = known.unwrap_or_else(|| Note::at(self.next));
        let seen = SeenFile {
            source: self.plan.name.clone(),
            path: file.name().to_owned(),
            size: file.size(),
            version: version(&file),
            prefix: None,
            note: note.bytes(),
        };
        self.stretch(file, note, seen, 0)
    }

    /// What is new of a file of lines.
    fn lines(&mut self, file: Object, is_csv: bool) -> Result<(), Stop> {
        let seen = self.seen.get(file.name());
        let known =
            seen.and_then(|seen| lines::known(seen.size, seen.prefix.as_deref()?)).unwrap_or_default();
        let begun = seen.and_then(|seen| Note::of(&seen.note)).filter(|note| note.rows.is_none());
        let (look, now) = ((file.size(), version(&file)), self.clock.now());
        let since = self.looked.get(file.name()).filter(|(own, _)| *own == look).map(|(_, since)| *since);
        let takes_rest = self.every.is_none() || since.is_some_and(|since| now - since >= SETTLED);
        // There is nothing new in it, or only a line that may go on.
        if since.is_some() && begun.is_none() && !(takes_rest && known.bytes < file.size()) {
            return Ok(());
        }
        let grown = file.grown(known, is_csv, takes_rest).map_err(|error| self.explain(&error))?;
        // What was begun is ended as it was begun, however much more there is.
        let (grown, note) = match begun {
            Some(note) => (grown.until(known), note),
            None => (grown, Note { from: known, ..Note::at(self.next) }),
        };
        let is_waited_for = self.every.is_some() || known.bytes > 0;
        if begun.is_none() && grown.known.bytes == known.bytes && is_waited_for {
            self.looked.insert(file.name().to_owned(), (look, since.unwrap_or(now)));
            return Ok(());
        }
        let seen = SeenFile {
            source: self.plan.name.clone(),
            path: file.name().to_owned(),
            size: grown.known.bytes,
            version: version(&file),
            prefix: Some(lines::prefix(grown.known)),
            note: note.bytes(),
        };
        let (name, lines_before) = (file.name().to_owned(), grown.lines_before(note.from));
        self.stretch(file.lines_after(note.from, &grown), note, seen, lines_before)?;
        // One that cannot be read is looked at again, though it stays the same.
        self.looked.insert(name, (look, since.unwrap_or(now)));
        Ok(())
    }

    /// A file, or what is new of it, whose lines are numbered behind `lines_before`.
    fn stretch(&mut self, file: Object, note: Note, seen: SeenFile, lines_before: u64) -> Result<(), Stop> {
        let (mut note, mut seen) = (note, seen);
        let mut skip = u64::try_from(self.next - note.first).unwrap_or(0);
        let types = self.plan.fields.iter().map(|field| (field.name().to_owned(), field.data_type().clone()));
        let options =
            OpenOptions { remotes: self.remotes.clone(), types: types.collect(), ..OpenOptions::default() };
        let dataset = Dataset::of(vec![file], &options).map_err(|error| self.explain(&error))?;
        let columns = Columns::find(&self.plan, &dataset).inspect_err(|_| self.lacks_column = true)?;
        for part in dataset.parts() {
            if let Some(rows) = part.rows.filter(|rows| *rows <= skip) {
                skip -= rows;
                continue;
            }
            self.part(&dataset, part, &columns, &mut skip, (&seen, lines_before))?;
        }
        note.rows = Some(self.next - note.first);
        seen.note = note.bytes();
        self.seen.insert(seen.path.clone(), seen.clone());
        // The end of a file is news by itself: a file without rows must be known too.
        let chunk = self.chunk(DecodedBatch::typed(columns.empty()?), Vec::new(), &columns, seen)?;
        self.send(Event::Chunk(Box::new(chunk)))
    }

    fn part(
        &mut self,
        dataset: &Dataset,
        part: &Part,
        columns: &Columns,
        skip: &mut u64,
        (seen, lines_before): (&SeenFile, u64),
    ) -> Result<(), Stop> {
        let options = ReadOptions::default();
        let mut batches =
            dataset.read(part, &columns.sources, &options).map_err(|error| self.explain(&error))?;
        while let Some(decoded) = batches.next_decoded() {
            let decoded = decoded.map_err(|error| self.explain(&error))?;
            let n_rows = decoded.batch.num_rows() as u64;
            // One without rows behind the last that was counted is news: it has the lines that are none.
            if *skip > 0 && *skip >= n_rows {
                *skip -= n_rows;
                continue;
            }
            let decoded = columns.arrange(decoded, usize::try_from(std::mem::take(skip)).unwrap_or(0))?;
            let dead = self.bad_lines(&decoded, &seen.path, lines_before);
            self.next += i64::try_from(decoded.batch.num_rows()).unwrap_or(0);
            let chunk = self.chunk(decoded, dead, columns, seen.clone())?;
            self.send(Event::Chunk(Box::new(chunk)))?;
            // Should the rest of it fail, the next look goes on behind these rows.
            self.seen.insert(seen.path.clone(), seen.clone());
        }
        Ok(())
    }

    /// The lines of a batch that are no rows. Nothing is kept of them: they stand in the file, and the letter says where.
    fn bad_lines(&self, decoded: &DecodedBatch, path: &str, lines_before: u64) -> Vec<DeadLetter> {
        let letter = |bad: &BadRecord| DeadLetter {
            reason: bad.reason.as_str(),
            detail: bad.detail.clone(),
            offset: self.next,
            line: Some(FileLine { file: path.to_owned(), line: lines_before + bad.line, record: bad.record }),
            payload: Kept::None,
        };
        decoded.bad_records.examples().map(letter).collect()
    }

    /// A chunk of the rows before `self.next`, whose rows without a usable time are set aside.
    fn chunk(
        &self,
        decoded: DecodedBatch,
        mut dead: Vec<DeadLetter>,
        columns: &Columns,
        seen: SeenFile,
    ) -> Result<Chunk> {
        let now = self.clock.now();
        let first = self.next - i64::try_from(decoded.batch.num_rows()).unwrap_or(0);
        let times = usable_times(&self.plan, &decoded, first, now, &mut dead)?;
        Ok(Chunk {
            source: self.plan.source,
            partition: self.partition(),
            position: Position { next: self.next, mark: None },
            records: decoded.batch.num_rows() as u64 + decoded.bad_records.total(),
            decoded,
            times,
            absent: columns.absent.clone(),
            dead,
            received: now,
            file: Some(seen),
            request: None,
        })
    }

    fn partition(&self) -> Partition {
        Self::partition_of(&self.paths)
    }

    /// The one partition of these paths.
    pub(super) fn partition_of(paths: &[String]) -> Partition {
        Partition { topic: paths.join(","), number: 0 }
    }

    fn send(&self, event: Event) -> Result<(), Stop> {
        let mut event = event;
        loop {
            if let Ok(Control::Stop | Control::HandOver) | Err(TryRecvError::Disconnected) =
                self.control.try_recv()
            {
                return Err(Stop::Told);
            }
            match self.events.send_timeout(event, PATIENCE) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Disconnected(_)) => return Err(Stop::Told),
                Err(SendTimeoutError::Timeout(back)) => event = back,
            }
        }
    }

    fn explain(&self, error: &driftlead_connectors::Error) -> Error {
        let message = format!("source `{}`: {error}", self.plan.name);
        match error.kind() {
            driftlead_connectors::ErrorKind::Unavailable => Error::run(message),
            _ => Error::input(message),
        }
    }
}

/// The event times of rows that came as columns, the first of them at the offset `first`. A row without a usable time is
/// set aside by itself; nothing is kept of it, because a row of columns has no bytes of its own.
pub(super) fn usable_times(
    plan: &ReadPlan,
    decoded: &DecodedBatch,
    first: i64,
    now: i64,
    dead: &mut Vec<DeadLetter>,
) -> Result<Vec<Vec<Option<i64>>>> {
    let mut times = Vec::with_capacity(plan.times.len());
    for time in &plan.times {
        let name = plan.fields[time.column].name();
        let mut of_rows = event_times(decoded.batch.column(time.column), name)?;
        let limit = now.saturating_add(time.future);
        for (row, own) in of_rows.iter_mut().enumerate() {
            let (reason, detail) = match own {
                None => ("missing_time", format!("`{name}` holds no time that can be read")),
                Some(at) if *at > limit => {
                    let ahead = (*at - now) / 1_000_000;
                    ("far_future", format!("`{name}` is {ahead} s ahead of the clock"))
                }
                Some(_) => continue,
            };
            *own = None;
            let offset = first + i64::try_from(row).unwrap_or(0);
            dead.push(DeadLetter { reason, detail, offset, line: None, payload: Kept::None });
        }
        times.push(of_rows);
    }
    Ok(times)
}

fn version(file: &Object) -> String {
    match file.stamp() {
        Stamp::Modified(nanos) => nanos.to_string(),
        Stamp::Tag(tag) => tag.clone(),
    }
}

/// The columns of a plan among those of a file.
struct Columns {
    /// Places in the data set.
    sources: Vec<usize>,
    /// For each field of the plan its place in `sources`; `None` if the file does not have it.
    places: Vec<Option<usize>>,
    fields: Vec<Field>,
    /// The places of the plan's fields that the file does not have, with the words of `check`.
    absent: BTreeMap<usize, String>,
}

impl Columns {
    fn find(plan: &ReadPlan, dataset: &Dataset) -> Result<Self> {
        let (mut sources, mut places, mut fields) = (Vec::new(), Vec::new(), Vec::new());
        let mut absent = BTreeMap::new();
        for (at, field) in plan.fields.iter().enumerate() {
            let found = dataset.column(field.name());
            let needed = plan.times.iter().any(|time| time.column == at).then_some("`time`");
            let needed = needed.or_else(|| plan.needed.get(&at).map(String::as_str));
            if let (None, Some(reader)) = (found, needed) {
                let file = dataset.files().next().map_or("", Object::name);
                return Err(Error::input(format!(
                    "source `{}`: `{file}`: {}; it and the files behind it wait until it is put right or taken away",
                    plan.name,
                    lacking(dataset.schema(), field.name(), reader)
                )));
            }
            if found.is_none() {
                absent.insert(at, lacking(dataset.schema(), field.name(), "the baseline"));
            }
            places.push(found.map(|column| {
                sources.push(column);
                sources.len() - 1
            }));
            fields.push(Field::new(field.name(), field.data_type().clone(), true));
        }
        Ok(Self { sources, places, fields, absent })
    }

    /// A batch in the plan's order, without its first `skip` rows. What a file does not have is null.
    fn arrange(&self, decoded: DecodedBatch, skip: usize) -> Result<DecodedBatch> {
        let n_rows = decoded.batch.num_rows() - skip;
        let (mut columns, mut errors, mut fields) = (Vec::new(), Vec::new(), Vec::new());
        for (place, field) in self.places.iter().zip(&self.fields) {
            let (array, mask): (ArrayRef, _) = match place {
                Some(place) => (
                    decoded.batch.column(*place).slice(skip, n_rows),
                    decoded.type_errors[*place].as_ref().map(|mask| mask.slice(skip, n_rows)),
                ),
                None => (new_null_array(field.data_type(), n_rows), None),
            };
            fields.push(Field::new(field.name(), array.data_type().clone(), true));
            columns.push(array);
            errors.push(mask);
        }
        let batch = batch(Arc::new(Schema::new(fields)), columns, n_rows)?;
        Ok(DecodedBatch { batch, type_errors: errors, bad_records: decoded.bad_records })
    }

    fn empty(&self) -> Result<RecordBatch> {
        let columns = self.fields.iter().map(|field| new_null_array(field.data_type(), 0)).collect();
        batch(Arc::new(Schema::new(self.fields.clone())), columns, 0)
    }
}

fn batch(schema: SchemaRef, columns: Vec<ArrayRef>, n_rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
    RecordBatch::try_new_with_options(schema, columns, &options)
        .map_err(|error| Error::run("a file's columns do not fit each other").because(error))
}
