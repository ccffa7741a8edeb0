//! The traffic of a model, row by row, as JSON of about 266 bytes or as Avro of about 90: an envelope, a time, nine
//! columns that a model reads, and some that none does.

use std::io::Write as _;

use driftlead::time::Timestamp;
use driftlead_connectors::decode::{FieldSpec, Place, Pointer};

use crate::Failure;
use arrow_schema::{DataType, TimeUnit};

/// 2001-09-09T01:46:40Z, in milliseconds.
pub(crate) const BEGIN: u64 = 1_000_000_000_000;

const CARRIERS: [&str; 6] = ["AA", "CO", "DL", "NW", "UA", "WN"];
const AIRPORTS: [&str; 5] = ["ATL", "DFW", "EWR", "ORD", "SFO"];

/// One record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Milliseconds since the epoch.
    time: u64,
    id: u64,
    carrier: &'static str,
    origin: &'static str,
    destination: &'static str,
    delay: i64,
    distance: i64,
    fare: f64,
    score: f64,
    temperature: f64,
    wind: f64,
    load: f64,
    age: f64,
    is_cancelled: bool,
}

impl Row {
    /// The row of that number, `spacing` milliseconds after the one before.
    pub(crate) fn new(number: usize, spacing: u64, random: &mut Random) -> Self {
        let mut real = |scale: f64| random.below(10_000_000) as f64 / scale;
        let (score, temperature, wind, load, age) = (real(1e6), real(1e4), real(1e5), real(1e6), real(1e3));
        Self {
            time: BEGIN + number as u64 * spacing,
            id: random.below(u64::MAX),
            carrier: CARRIERS[random.below(6) as usize],
            origin: AIRPORTS[random.below(5) as usize],
            destination: AIRPORTS[random.below(5) as usize],
            delay: random.below(240) as i64 - 30,
            distance: random.below(3000) as i64,
            fare: (4_000 + random.below(90_000)) as f64 / 100.0,
            score,
            temperature,
            wind,
            load,
            age,
            is_cancelled: random.below(50) == 0,
        }
    }

    pub(crate) fn json(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let Self { time, id, carrier, origin, destination, delay, distance, fare, score, .. } = self;
        let Self { temperature, wind, load, age, is_cancelled, .. } = self;
        write!(out, "{{\"meta\":{{\"ts\":{time},\"id\":\"{id:016x}\"}},\"model\":\"flights\",")?;
        write!(out, "\"carrier\":\"{carrier}\",\"origin\":\"{origin}\",\"destination\":\"{destination}\",")?;
        write!(out, "\"delay\":{delay},\"distance\":{distance},\"fare\":{fare},\"score\":{score},")?;
        write!(out, "\"temperature\":{temperature},\"wind\":{wind},\"load\":{load},\"age\":{age},")?;
        write!(out, "\"cancelled\":{is_cancelled}}}")?;
        Ok(())
    }

    pub(crate) fn avro(&self, out: &mut Vec<u8>) {
        let long = |out: &mut Vec<u8>, value: i64| {
            let mut rest = (value << 1 ^ value >> 63) as u64;
            while rest >= 0x80 {
                out.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            out.push(rest as u8);
        };
        long(out, self.time as i64);
        for text in [self.carrier, self.origin, self.destination] {
            long(out, text.len() as i64);
            out.extend_from_slice(text.as_bytes());
        }
        long(out, self.delay);
        long(out, self.distance);
        for real in [self.fare, self.score, self.temperature, self.wind, self.load, self.age] {
            out.extend_from_slice(&real.to_le_bytes());
        }
        out.push(u8::from(self.is_cancelled));
    }
}

/// The schema of [`Row::avro`].
pub(crate) fn avro_schema() -> String {
    let field = |name: &str, of: &str| format!(r#"{{"name":"{name}","type":"{of}"}}"#);
    let texts = ["carrier", "origin", "destination"].map(|name| field(name, "string"));
    let longs = ["delay", "distance"].map(|name| field(name, "long"));
    let reals = ["fare", "score", "temperature", "wind", "load", "age"].map(|name| field(name, "double"));
    let mut fields = vec![field("ts", "long")];
    fields.extend(texts.into_iter().chain(longs).chain(reals));
    fields.push(field("cancelled", "boolean"));
    format!(r#"{{"type":"record","name":"Flight","fields":[{}]}}"#, fields.join(","))
}

/// The columns that the model reads, as the service asks its decoder for them.
pub(crate) fn fields(time: &str) -> Result<Vec<FieldSpec>, Failure> {
    let texts = ["carrier", "destination", "origin"].map(|name| (name, DataType::Utf8));
    let longs = ["delay", "distance"].map(|name| (name, DataType::Int64));
    let reals = ["fare", "score", "temperature", "wind"].map(|name| (name, DataType::Float64));
    let mut fields: Vec<FieldSpec> =
        texts.into_iter().chain(longs).chain(reals).map(|(name, kind)| FieldSpec::new(name, kind)).collect();
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let time =
        FieldSpec::new("ts", micros).at(Place::Payload(Pointer::parse(time)?)).epoch(TimeUnit::Millisecond);
    fields.push(time);
    Ok(fields)
}

/// A model file of those columns.
pub(crate) fn model(window: &str) -> String {
    format!(
        "model: flights\nversion: \"1\"\nbaseline: baseline.ndjson\nsource: flights\ntime: ts\n{window}\nfeatures:\n  \
         carrier: categorical\n  origin: categorical\n  destination: categorical\n  delay: numeric\n  distance: numeric\n  \
         fare: numeric\n  score: numeric\n  temperature: numeric\n  wind: numeric\n"
    )
}

/// 20,000 rows as lines.
pub(crate) fn baseline() -> Result<Vec<u8>, Failure> {
    let mut random = Random::new(2);
    let mut out = Vec::new();
    for number in 0..20_000 {
        let row = Row::new(number, 50, &mut random);
        row.json(&mut out)?;
        // The model's time column stands at the top level of a file.
        out.pop();
        writeln!(out, ",\"ts\":\"{}\"}}", Timestamp::from_micros(i64::try_from(row.time)? * 1_000))?;
    }
    Ok(out)
}

/// SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// In `0..end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(splitmix::next(&mut self.0)) * u128::from(end)) >> 64) as u64
    }
}

#[path = "../../../tests/support/splitmix.rs"]
mod splitmix;
