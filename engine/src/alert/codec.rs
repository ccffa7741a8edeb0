//! A track as bytes, versioned; the layout stands in `docs/formats/state.md`.
//!
//! Equal tracks have equal bytes. Reading checks everything it relies on: damaged or foreign bytes give an error or a
//! track that can go on, never a panic.

use std::collections::{BTreeMap, BTreeSet};

use super::course::{Course, Name};
use super::history::{Drift, History, Mood, Saying, Settled};
use super::run::{Run, Sum, Told, Witness};
use super::{Policy, Severity, Track};
use crate::codec::bytes::{Reader, Writer, damaged};
use crate::window::Span;
use crate::{Error, ErrorKind, Result};

/// The version of a track's bytes.
pub const VERSION: u8 = 1;

const MAGIC: &[u8; 4] = b"dla\0";

impl Track {
    /// The track as bytes, without its policy.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.raw(MAGIC);
        writer.byte(VERSION);
        for name in [&self.name.model, &self.name.version, &self.name.window] {
            writer.text(name);
        }
        writer.byte(u8::from(self.is_superseded));
        write_option(&mut writer, self.settled.as_ref(), |writer, settled| writer.long(*settled));
        writer.count(self.courses.len() as u64);
        for (segment, course) in &self.courses {
            write_option(&mut writer, segment.as_ref(), |writer, segment| writer.text(segment));
            write_course(&mut writer, course, self.settled);
        }
        writer.into_bytes()
    }

    /// The track that [`encode`](Self::encode) wrote, under `policy`, whose stride must be the one it was written under.
    ///
    /// # Errors
    /// `Codec` if the bytes are damaged, foreign, or of a newer version; `Plan` if the policy cannot be carried out.
    pub fn decode(bytes: &[u8], policy: Policy) -> Result<Self> {
        policy.ensure()?;
        let mut reader = Reader::new(bytes);
        if reader.raw(MAGIC.len())? != MAGIC {
            return Err(damaged("it does not begin as the state of alerts does".to_owned()));
        }
        let version = reader.byte()?;
        if version != VERSION {
            return Err(Error::new(
                ErrorKind::Codec,
                format!(
                    "the state of alerts has version `{version}`, this driftlead reads `{VERSION}`: update driftlead"
                ),
            ));
        }
        let [model, version, window] = [reader.text()?, reader.text()?, reader.text()?].map(str::to_owned);
        let is_superseded = reader.flag()?;
        let settled = read_option(&mut reader, Reader::long)?;
        let mut courses: BTreeMap<Option<String>, Course> = BTreeMap::new();
        for _ in 0..reader.length(1)? {
            let segment = read_option(&mut reader, |reader| Ok(reader.text()?.to_owned()))?;
            if courses.last_key_value().is_some_and(|(before, _)| *before >= segment) {
                return Err(damaged("the segments of alerts are not in their order".to_owned()));
            }
            courses.insert(segment, read_course(&mut reader, &policy, settled)?);
        }
        reader.ensure_end()?;
        let name = Name { model, version, window };
        let track = Self { name, policy, settled, is_superseded, courses };
        track.ensure_one_page()?;
        Ok(track)
    }

    /// One fault, one page: no segment has an open alert beside the whole's, and a superseded track has none at all.
    fn ensure_one_page(&self) -> Result<()> {
        if self.is_superseded && !self.courses.is_empty() {
            return Err(damaged("alerts go on after the model was superseded".to_owned()));
        }
        let whole = self.courses.get(&None).and_then(|course| course.run.as_ref());
        let n_open = self.open().count();
        if whole.is_some_and(|run| run.told.is_none() || n_open != 1) {
            return Err(damaged("a segment has an alert beside that of the whole".to_owned()));
        }
        Ok(())
    }
}

fn write_course(writer: &mut Writer, course: &Course, settled: Option<i64>) {
    let windows = course.history.settled();
    writer.count(windows.len() as u64);
    for (index, own) in windows {
        // Settled windows are not newer than the newest.
        writer.count(settled.unwrap_or(index).abs_diff(index));
        match own.span {
            None => writer.byte(mood_byte(own.mood)),
            Some(span) => {
                writer.byte(DRIFT_AT);
                write_span(writer, span);
            }
        }
    }
    let windows = course.history.pending();
    writer.count(windows.len() as u64);
    for (index, saying) in windows {
        writer.long(index);
        writer.byte(mood_byte(saying.mood()));
        if let Saying::Drift(drift) = saying {
            write_span(writer, drift.span);
            writer.text(&drift.verdict_id);
            writer.count(drift.revision);
            writer.byte(severity_byte(drift.severity));
            write_names(writer, drift.features.iter());
        }
    }
    write_option(writer, course.run.as_ref(), write_run);
    write_option(writer, course.ended.as_ref(), |writer, ended| writer.long(*ended));
    writer.count(course.undone.len() as u64);
    for (opening, revision) in &course.undone {
        writer.long(*opening);
        writer.count(*revision);
    }
}

fn read_course(reader: &mut Reader<'_>, policy: &Policy, settled: Option<i64>) -> Result<Course> {
    let mut old: BTreeMap<i64, Settled> = BTreeMap::new();
    for _ in 0..reader.length(2)? {
        let back = reader.count()?;
        let index = settled.and_then(|settled| settled.checked_sub_unsigned(back));
        let index = index.filter(|index| old.last_key_value().is_none_or(|(before, _)| before < index));
        let index = index.ok_or_else(|| damaged("settled windows are not in their order".to_owned()))?;
        old.insert(index, read_settled(reader)?);
    }
    let mut pending: BTreeMap<i64, Saying> = BTreeMap::new();
    for _ in 0..reader.length(9)? {
        let index = reader.long()?;
        let last = pending.last_key_value().map(|(before, _)| *before).max(settled);
        if last.is_some_and(|last| index <= last) {
            return Err(damaged("pending windows are not in their order".to_owned()));
        }
        let saying = match read_mood(reader)? {
            Mood::Calm => Saying::Calm,
            Mood::Warn => Saying::Warn,
            Mood::Drift => Saying::Drift(Drift {
                span: read_span(reader)?,
                verdict_id: reader.text()?.to_owned(),
                revision: reader.count()?,
                severity: read_severity(reader)?,
                features: read_names(reader)?.into_iter().collect(),
            }),
        };
        pending.insert(index, saying);
    }
    let run = read_option(reader, read_run)?;
    let ended = read_option(reader, Reader::long)?;
    let mut undone: BTreeMap<i64, u64> = BTreeMap::new();
    for _ in 0..reader.length(9)? {
        let opening = reader.long()?;
        if undone.last_key_value().is_some_and(|(before, _)| *before >= opening) {
            return Err(damaged("undone alerts are not in their order".to_owned()));
        }
        undone.insert(opening, read_revision(reader)?);
    }
    Ok(Course { history: History::restored(policy, old, pending), run, ended, undone })
}

fn write_run(writer: &mut Writer, run: &Run) {
    writer.long(run.opening);
    write_option(writer, run.confirmed.as_ref(), |writer, confirmed| writer.long(*confirmed));
    writer.text(&run.alert_id);
    write_span(writer, run.first_window);
    writer.count(run.revision);
    write_names(writer, run.settled.features.iter());
    write_option(writer, run.settled.severity.as_ref(), |writer, severity| {
        writer.byte(severity_byte(*severity));
    });
    write_option(writer, run.settled.newest.as_ref(), |writer, (index, witness)| {
        writer.long(*index);
        write_witness(writer, witness);
    });
    write_option(writer, run.told.as_ref(), |writer, told| {
        writer.byte(severity_byte(told.severity));
        write_names(writer, told.features.iter());
        write_names(writer, told.folded.iter());
        write_witness(writer, &told.witness);
    });
}

fn read_run(reader: &mut Reader<'_>) -> Result<Run> {
    let run = Run {
        opening: reader.long()?,
        confirmed: read_option(reader, Reader::long)?,
        alert_id: reader.text()?.to_owned(),
        first_window: read_span(reader)?,
        revision: read_revision(reader)?,
        settled: Sum {
            features: read_names(reader)?,
            severity: read_option(reader, read_severity)?,
            newest: read_option(reader, |reader| Ok((reader.long()?, read_witness(reader)?)))?,
        },
        told: read_option(reader, |reader| {
            Ok(Told {
                severity: read_severity(reader)?,
                features: read_names(reader)?,
                folded: read_names(reader)?,
                witness: read_witness(reader)?,
            })
        })?,
    };
    if run.told.is_some() && run.revision == 0 {
        return Err(damaged("an open alert was never told".to_owned()));
    }
    Ok(run)
}

/// A revision that can still be counted on.
fn read_revision(reader: &mut Reader<'_>) -> Result<u64> {
    let revision = reader.count()?;
    if revision > u64::MAX / 2 {
        return Err(damaged(format!("an alert has the revision {revision}")));
    }
    Ok(revision)
}

fn write_witness(writer: &mut Writer, witness: &Witness) {
    write_span(writer, witness.span);
    writer.text(&witness.verdict_id);
    writer.count(witness.revision);
}

fn read_witness(reader: &mut Reader<'_>) -> Result<Witness> {
    Ok(Witness { span: read_span(reader)?, verdict_id: reader.text()?.to_owned(), revision: reader.count()? })
}

fn write_span(writer: &mut Writer, span: Span) {
    writer.long(span.start);
    writer.long(span.end);
}

fn read_span(reader: &mut Reader<'_>) -> Result<Span> {
    Ok(Span { start: reader.long()?, end: reader.long()? })
}

fn write_names<'a>(writer: &mut Writer, names: impl ExactSizeIterator<Item = &'a String>) {
    writer.count(names.len() as u64);
    for name in names {
        writer.text(name);
    }
}

fn read_names(reader: &mut Reader<'_>) -> Result<BTreeSet<String>> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for _ in 0..reader.length(1)? {
        let name = reader.text()?;
        if names.last().is_some_and(|before| before.as_str() >= name) {
            return Err(damaged("names are not in their order".to_owned()));
        }
        names.insert(name.to_owned());
    }
    Ok(names)
}

fn write_option<T>(writer: &mut Writer, value: Option<&T>, write: impl FnOnce(&mut Writer, &T)) {
    writer.byte(u8::from(value.is_some()));
    if let Some(value) = value {
        write(writer, value);
    }
}

fn read_option<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T>,
) -> Result<Option<T>> {
    if reader.flag()? { read(reader).map(Some) } else { Ok(None) }
}

fn mood_byte(mood: Mood) -> u8 {
    match mood {
        Mood::Calm => 0,
        Mood::Warn => 1,
        Mood::Drift => 2,
    }
}

/// A settled window that drifts, with its time.
const DRIFT_AT: u8 = 3;

fn read_settled(reader: &mut Reader<'_>) -> Result<Settled> {
    match reader.byte()? {
        DRIFT_AT => Ok(Settled { mood: Mood::Drift, span: Some(read_span(reader)?) }),
        other => Ok(Settled { mood: mood_of(other)?, span: None }),
    }
}

fn read_mood(reader: &mut Reader<'_>) -> Result<Mood> {
    mood_of(reader.byte()?)
}

fn mood_of(byte: u8) -> Result<Mood> {
    match byte {
        0 => Ok(Mood::Calm),
        1 => Ok(Mood::Warn),
        2 => Ok(Mood::Drift),
        other => Err(damaged(format!("a window says {other}, not calm, warn or drift"))),
    }
}

fn severity_byte(severity: Severity) -> u8 {
    match severity {
        Severity::Major => 0,
        Severity::Critical => 1,
    }
}

fn read_severity(reader: &mut Reader<'_>) -> Result<Severity> {
    match reader.byte()? {
        0 => Ok(Severity::Major),
        1 => Ok(Severity::Critical),
        other => Err(damaged(format!("an alert has the severity {other}"))),
    }
}
