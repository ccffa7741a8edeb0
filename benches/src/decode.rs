//! The decoders of the stream from memory, on one thread: rows and CPU seconds per million rows.
//!
//! ```text
//! cargo run --release -p driftlead-bench --bin decode -- [RECORDS] [ROUNDS]
//! ```
//!
//! The same rows in every format: 15 fields, of which 13 become columns (3 integers, 6 doubles, 3 strings, a boolean);
//! JSON of about 266 bytes and Avro of about 123. Jobs take turns, so that a busy neighbour hurts all alike, and the best
//! round counts. CPU seconds are those of this thread.
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use std::hint::black_box;
use std::time::Instant;

use arrow_schema::DataType;
use driftlead_connectors::decode::{
    AvroSchema, BatchSize, CsvFormat, FieldSpec, Format, Framing, Outcome, ProtobufMessage, RecordDecoder,
};
use driftlead_connectors::stream::Record;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().map_or(Ok(default), |text| text.parse());
    let (records, rounds) = (number(200_000)?, number(7)?);

    let mut random = Random(1);
    let rows: Vec<Row> = (0..records as i64).map(|id| Row::random(id, &mut random)).collect();
    let names = || FIELDS.iter().map(|(name, _)| *name);
    let avro = AvroSchema::Plain(avro_schema());
    let protobuf = ProtobufMessage {
        descriptors: descriptors(),
        name: "R".to_owned(),
        framing: Framing::Plain,
        index: None,
    };
    let mut jobs = vec![
        Job::new("json", Format::Json { framing: Framing::Plain }, &rows, Row::json)?,
        Job::new("avro", Format::Avro(avro), &rows, Row::avro)?,
        Job::new("protobuf", Format::Protobuf(protobuf), &rows, Row::protobuf)?,
        Job::new("csv", Format::Csv(CsvFormat::new(names())), &rows, Row::csv)?,
    ];
    for _ in 0..=rounds {
        for job in &mut jobs {
            job.round()?;
        }
    }
    println!("| format | bytes | rows/s | CPU s per million |\n|---|---|---|---|");
    for job in &jobs {
        let bytes = job.records.iter().map(Vec::len).sum::<usize>() as f64 / records as f64;
        let (wall, cpu) = (job.wall, job.cpu / records as f64 * 1e6);
        println!("| {} | {bytes:.0} | {:.2} M | {cpu:.3} |", job.name, records as f64 / wall / 1e6);
    }
    Ok(())
}

struct Job {
    name: &'static str,
    decoder: RecordDecoder,
    records: Vec<Vec<u8>>,
    /// Seconds of the best round.
    wall: f64,
    cpu: f64,
}

impl Job {
    fn new(
        name: &'static str,
        format: Format,
        rows: &[Row],
        write: fn(&Row) -> Vec<u8>,
    ) -> Result<Self, Failure> {
        let fields: Vec<_> = FIELDS
            .iter()
            .filter(|(name, _)| !UNUSED.contains(name))
            .map(|(name, kind)| FieldSpec::new(*name, kind.data_type()))
            .collect();
        let decoder = RecordDecoder::new(&format, &fields)?;
        let records = rows.iter().map(write).collect();
        Ok(Self { name, decoder, records, wall: f64::INFINITY, cpu: f64::INFINITY })
    }

    fn round(&mut self) -> Result<(), Failure> {
        let (start, cpu) = (Instant::now(), cpu_seconds()?);
        for bytes in &self.records {
            let record =
                Record { offset: 0, stamp: None, key: None, payload: Some(bytes), headers: &[], mark: None };
            match self.decoder.decode(&record) {
                Outcome::Rows(1) => {}
                other => return Err(format!("{}: expected a row, found {other:?}", self.name).into()),
            }
            if self.decoder.is_full(BatchSize::default()) {
                let decoded = black_box(self.decoder.flush());
                if decoded.type_error_counts().iter().any(|&errors| errors > 0) {
                    return Err(format!("{}: expected no type errors", self.name).into());
                }
            }
        }
        black_box(self.decoder.flush());
        self.wall = self.wall.min(start.elapsed().as_secs_f64());
        self.cpu = self.cpu.min(cpu_seconds()? - cpu);
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Long,
    Double,
    Text,
    Bool,
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Self::Long => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Text => DataType::Utf8,
            Self::Bool => DataType::Boolean,
        }
    }
}

const FIELDS: [(&str, Kind); 15] = [
    ("ts", Kind::Long),
    ("id", Kind::Text),
    ("dist", Kind::Double),
    ("delay", Kind::Double),
    ("fare", Kind::Double),
    ("lat", Kind::Double),
    ("lon", Kind::Double),
    ("score", Kind::Double),
    ("items", Kind::Long),
    ("age", Kind::Long),
    ("origin", Kind::Text),
    ("carrier", Kind::Text),
    ("chan", Kind::Text),
    ("new", Kind::Bool),
    ("note", Kind::Text),
];

/// In every record, in no column.
const UNUSED: [&str; 2] = ["id", "note"];

enum Value {
    Long(i64),
    Double(f64),
    Text(String),
    Bool(bool),
}

struct Row(Vec<Value>);

impl Row {
    fn random(id: i64, random: &mut Random) -> Self {
        let mut value = |name: &str, kind: Kind| match (name, kind) {
            ("ts", _) => Value::Long(1_700_000_000_000 + id),
            (_, Kind::Long) => Value::Long(random.below(90) as i64),
            ("lat" | "lon", _) => Value::Double(random.unit() * 180.0 - 90.0),
            (_, Kind::Double) => Value::Double((random.unit() * 1e5).round() / 100.0),
            ("id", _) => Value::Text(format!("{:036x}", random.below(1 << 63))),
            ("note", _) => Value::Text("checkout".to_owned()),
            (_, Kind::Text) => {
                Value::Text(["ATL", "JFK", "ZRH", "online", "WN"][random.below(5) as usize].to_owned())
            }
            (_, Kind::Bool) => Value::Bool(random.below(2) == 1),
        };
        Self(FIELDS.iter().map(|(name, kind)| value(name, *kind)).collect())
    }

    fn json(&self) -> Vec<u8> {
        let member = |((name, _), value): (&(&str, Kind), &Value)| match value {
            Value::Long(value) => format!("\"{name}\":{value}"),
            Value::Double(value) => format!("\"{name}\":{value:?}"),
            Value::Text(value) => format!("\"{name}\":\"{value}\""),
            Value::Bool(value) => format!("\"{name}\":{value}"),
        };
        format!("{{{}}}", FIELDS.iter().zip(&self.0).map(member).collect::<Vec<_>>().join(",")).into_bytes()
    }

    fn csv(&self) -> Vec<u8> {
        let field = |value: &Value| match value {
            Value::Long(value) => value.to_string(),
            Value::Double(value) => format!("{value:?}"),
            Value::Text(value) => value.clone(),
            Value::Bool(value) => value.to_string(),
        };
        self.0.iter().map(field).collect::<Vec<_>>().join(",").into_bytes()
    }

    /// Doubles may be null, as is usual.
    fn avro(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for value in &self.0 {
            match value {
                Value::Long(value) => varint((value << 1 ^ value >> 63) as u64, &mut out),
                Value::Double(value) => {
                    out.push(2);
                    out.extend(value.to_le_bytes());
                }
                Value::Text(value) => {
                    varint(value.len() as u64 * 2, &mut out);
                    out.extend(value.as_bytes());
                }
                Value::Bool(value) => out.push((*value).into()),
            }
        }
        out
    }

    fn protobuf(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, value) in (1..).zip(&self.0) {
            match value {
                Value::Long(value) => {
                    out.push(number << 3);
                    varint(*value as u64, &mut out);
                }
                Value::Double(value) => {
                    out.push(number << 3 | 1);
                    out.extend(value.to_le_bytes());
                }
                Value::Text(value) => bytes(number, value.as_bytes(), &mut out),
                Value::Bool(value) => out.extend([number << 3, (*value).into()]),
            }
        }
        out
    }
}

fn avro_schema() -> String {
    let field = |(name, kind): &(&str, Kind)| {
        let of = match kind {
            Kind::Long => "\"long\"",
            Kind::Double => "[\"null\",\"double\"]",
            Kind::Text => "\"string\"",
            Kind::Bool => "\"boolean\"",
        };
        format!(r#"{{"name":"{name}","type":{of}}}"#)
    };
    let fields = FIELDS.iter().map(field).collect::<Vec<_>>().join(",");
    format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#)
}

/// A `FileDescriptorSet` of one message, as a compiler would write it.
fn descriptors() -> Vec<u8> {
    let mut message = Vec::new();
    bytes(1, b"R", &mut message);
    for (number, (name, kind)) in (1..).zip(FIELDS) {
        let of = match kind {
            Kind::Double => 1,
            Kind::Long => 3,
            Kind::Bool => 8,
            Kind::Text => 9,
        };
        let mut field = Vec::new();
        bytes(1, name.as_bytes(), &mut field);
        field.extend([3 << 3, number, 4 << 3, 1, 5 << 3, of]);
        bytes(2, &field, &mut message);
    }
    let mut file = Vec::new();
    bytes(1, b"r.proto", &mut file);
    bytes(4, &message, &mut file);
    bytes(12, b"proto3", &mut file);
    let mut set = Vec::new();
    bytes(1, &file, &mut set);
    set
}

fn bytes(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    varint(bytes.len() as u64, out);
    out.extend(bytes);
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Nanoseconds that this thread has run, from the scheduler: finer than clock ticks.
fn cpu_seconds() -> Result<f64, Failure> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos: f64 = text.split_whitespace().next().ok_or("expected a number")?.parse()?;
    Ok(nanos / 1e9)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn unit(&mut self) -> f64 {
        self.below(1 << 53) as f64 / (1_u64 << 53) as f64
    }
}
