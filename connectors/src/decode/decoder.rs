//! The decoder of one stream's records.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::field::{FieldSpec, Place};
use super::{Format, arrow, avro, csv, json, protobuf, registry};
use crate::error::{Error, Result};
use crate::source::column::{Column, Ticks, Value, decoded_type};
use crate::source::ndjson::{self, Fault, Pointer};
use crate::source::{BadReason, BadRecords, BatchSize, DecodedBatch, MAX_RECORD_BYTES};
use crate::stream::Record;

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// So many rows were appended to every column: one, or those of an Arrow stream or of several CSV lines, which may
    /// be none.
    Rows(usize),
    /// Nothing was appended: the record is for the dead letters.
    Bad(Bad),
    /// Nothing was appended: the schema of this id is not known yet. Ask a [`registry::Registry`], hand its answer to
    /// [`RecordDecoder::resolve`], and decode the same record again.
    Unresolved(u32),
}

/// Why a record could not become a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// The class, for counters.
    pub reason: BadReason,
    /// What was expected and where, for a person. Never holds the payload, which may be personal data (SEMANTICS S17).
    pub detail: String,
}

impl From<Fault> for Bad {
    fn from(fault: Fault) -> Self {
        Self { reason: fault.reason, detail: fault.to_string() }
    }
}

/// A finished column and its type errors.
pub(super) type Finished = (ArrayRef, Option<BooleanBuffer>);

/// Decodes records one by one into columns.
///
/// ```
/// use arrow_schema::DataType;
/// use driftlead_connectors::decode::{FieldSpec, Format, Framing, Outcome, Place, RecordDecoder};
/// use driftlead_connectors::stream::Record;
///
/// let fields = [
///     FieldSpec::new("delay", DataType::Float64),
///     FieldSpec::new("region", DataType::Utf8).at(Place::Header("region".to_owned())),
/// ];
/// let mut decoder = RecordDecoder::new(&Format::Json { framing: Framing::Plain }, &fields)?;
/// let headers = [("region", &b"eu"[..])];
/// let mut record =
///     Record { offset: 0, stamp: None, key: None, payload: Some(br#"{"delay":1.5}"#), headers: &headers, mark: None };
/// assert_eq!(decoder.decode(&record), Outcome::Rows(1));
/// record.payload = Some(br#"{"delay":"#);
/// assert!(matches!(decoder.decode(&record), Outcome::Bad(_)));
/// assert_eq!(decoder.flush().batch.num_rows(), 1);
/// # Ok::<(), driftlead_connectors::Error>(())
/// ```
pub struct RecordDecoder {
    schema: SchemaRef,
    payload: Payload,
    aside: Aside,
    /// For each column its place among the finished ones: those of the payload, then those aside.
    order: Vec<usize>,
    rows: usize,
    bytes: usize,
}

/// The columns that come from payloads.
enum Payload {
    Json(Box<json::Objects>),
    Avro(Box<avro::Data>),
    Protobuf(Box<protobuf::Messages>),
    Arrow(arrow::Streams),
    Csv(Box<csv::Lines>),
}

/// The columns that come from elsewhere in a record.
struct Aside {
    keys: Vec<Column>,
    key_values: Option<ndjson::Decoder>,
    headers: Vec<(String, Column)>,
    stamps: Vec<Column>,
}

impl RecordDecoder {
    /// A decoder of these columns, in this order.
    ///
    /// # Errors
    /// Misconfigured, if two columns have one name, a type cannot be decoded, a pointer leads nowhere (where the format
    /// has a fixed schema), a record timestamp is asked for as anything but a timestamp, or a schema of the format is
    /// missing or not valid.
    pub fn new(format: &Format, fields: &[FieldSpec]) -> Result<Self> {
        let schema = schema(fields)?;
        let mut inside: Vec<(&FieldSpec, Pointer)> = Vec::new();
        let mut in_key: Vec<(&FieldSpec, Pointer)> = Vec::new();
        let (mut keys, mut headers, mut stamps) = (Vec::new(), Vec::new(), Vec::new());
        // Where each column will be: its group, and its position there.
        let mut places = Vec::with_capacity(fields.len());
        for field in fields {
            let place = match field.place() {
                Place::Payload(pointer) => (0, push(&mut inside, (field, pointer.clone()))),
                Place::Key(None) => (1, push(&mut keys, field.column()?)),
                Place::Key(Some(pointer)) => (2, push(&mut in_key, (field, pointer.clone()))),
                Place::Header(name) => (3, push(&mut headers, (name.clone(), field.column()?))),
                Place::RecordTimestamp => {
                    if !matches!(field.data_type(), DataType::Timestamp(..)) {
                        return Err(Error::misconfigured(format!(
                            "column `{}`: a record's timestamp cannot be `{}`: expected a timestamp",
                            field.name(),
                            field.data_type()
                        )));
                    }
                    (4, push(&mut stamps, field.column()?))
                }
            };
            places.push(place);
        }
        let sizes = [inside.len(), keys.len(), in_key.len(), headers.len()];
        let order = places.iter().map(|&(group, at)| sizes[..group].iter().sum::<usize>() + at).collect();
        let payload = match format {
            Format::Json { framing } => Payload::Json(Box::new(json::Objects::new(&inside, *framing)?)),
            Format::Avro(schema) => Payload::Avro(Box::new(avro::Data::new(&inside, schema)?)),
            Format::Protobuf(message) => {
                Payload::Protobuf(Box::new(protobuf::Messages::new(&inside, message)?))
            }
            Format::Arrow => Payload::Arrow(arrow::Streams::new(&inside)?),
            Format::Csv(csv) => Payload::Csv(Box::new(csv::Lines::new(&inside, csv)?)),
        };
        let key_values = if in_key.is_empty() { None } else { Some(json::decoder(&in_key)?) };
        let aside = Aside { keys, key_values, headers, stamps };
        Ok(Self { schema, payload, aside, order, rows: 0, bytes: 0 })
    }

    /// The schema of the batches; strings of any encoding asked for come as `Utf8`.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows since the last flush.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether the rows since the last flush, or the records they came from, reach a bound.
    #[must_use]
    pub fn is_full(&self, size: BatchSize) -> bool {
        self.rows >= size.rows || self.bytes >= size.bytes
    }

    /// Decodes one record. Flush long before a column holds 2 GiB: see [`RecordDecoder::is_full`].
    pub fn decode(&mut self, record: &Record<'_>) -> Outcome {
        let bad = |reason, detail: &str| Outcome::Bad(Bad { reason, detail: detail.to_owned() });
        let Some(payload) = record.payload else {
            return bad(BadReason::Tombstone, "expected a payload, found a deletion of the key");
        };
        if payload.len() > MAX_RECORD_BYTES {
            return bad(BadReason::TooLong, "expected at most 64 MiB a record");
        }
        let rows = match &mut self.payload {
            Payload::Json(objects) => objects.decode(payload),
            Payload::Avro(data) => match data.decode(payload) {
                Ok(()) => Ok(1),
                Err(avro::Refusal::Bad(bad)) => Err(bad),
                Err(avro::Refusal::Unresolved(id)) => return Outcome::Unresolved(id),
            },
            Payload::Protobuf(messages) => messages.decode(payload).map(|()| 1),
            Payload::Arrow(streams) => streams.decode(payload),
            Payload::Csv(lines) => lines.decode(payload),
        };
        match rows {
            Ok(rows) => {
                for _ in 0..rows {
                    self.aside.push_row(record);
                }
                self.rows += rows;
                self.bytes += payload.len() + record.key.map_or(0, <[u8]>::len);
                Outcome::Rows(rows)
            }
            Err(bad) => Outcome::Bad(bad),
        }
    }

    /// Tells what a registry says of a schema id, in answer to [`Outcome::Unresolved`]. Other formats take no notice.
    pub fn resolve(&mut self, id: u32, answer: &registry::Answer) {
        if let Payload::Avro(data) = &mut self.payload {
            data.resolve(id, answer);
        }
    }

    /// Forgets the ids that a registry did not know, so that they are asked for again: a schema may arrive late.
    pub fn forget_missing(&mut self) {
        if let Payload::Avro(data) = &mut self.payload {
            data.forget_missing();
        }
    }

    /// Takes the rows since the last flush. Bad records are the caller's to count: there are none in the answer.
    ///
    /// # Panics
    /// Never: the columns grow together and have the types of the schema.
    pub fn flush(&mut self) -> DecodedBatch {
        let mut finished = Vec::with_capacity(self.order.len());
        match &mut self.payload {
            Payload::Json(objects) => objects.finish(&mut finished),
            Payload::Avro(data) => finish(data.columns_mut(), &mut finished),
            Payload::Protobuf(messages) => finish(messages.columns_mut(), &mut finished),
            Payload::Arrow(streams) => finish(streams.columns_mut(), &mut finished),
            Payload::Csv(lines) => finish(lines.columns_mut(), &mut finished),
        }
        self.aside.finish(&mut finished);
        let (arrays, type_errors) = self.order.iter().map(|&at| finished[at].clone()).unzip();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .expect("every row was appended to every column, in the types of the schema");
        (self.rows, self.bytes) = (0, 0);
        DecodedBatch { batch, type_errors, bad_records: BadRecords::default() }
    }
}

impl Aside {
    fn push_row(&mut self, record: &Record<'_>) {
        for column in &mut self.keys {
            push_bytes(column, record.key);
        }
        if let Some(decoder) = &mut self.key_values {
            match record.key {
                None => decoder.push_missing(false),
                Some(key) => {
                    if let ndjson::Outcome::Bad(_) = decoder.decode(key) {
                        decoder.push_missing(true);
                    }
                }
            }
        }
        for (name, column) in &mut self.headers {
            let header = record.headers.iter().rev().find(|(found, _)| found == name);
            push_bytes(column, header.map(|(_, value)| *value));
        }
        for column in &mut self.stamps {
            column.push_value(match record.stamp {
                None => Value::Null,
                Some(stamp) => Value::Time(Ticks::new(stamp.micros(), TimeUnit::Microsecond)),
            });
        }
    }

    fn finish(&mut self, out: &mut Vec<Finished>) {
        finish(&mut self.keys, out);
        if let Some(decoder) = &mut self.key_values {
            json::finish(decoder, out);
        }
        out.extend(self.headers.iter_mut().map(|(_, column)| column.finish()));
        finish(&mut self.stamps, out);
    }
}

/// Appends a text that came as bytes.
fn push_bytes(column: &mut Column, bytes: Option<&[u8]>) {
    match bytes.map(std::str::from_utf8) {
        None => column.push_null(),
        Some(Ok(text)) => column.push_text(text),
        Some(Err(_)) => column.push_type_error(),
    }
}

fn finish(columns: &mut [Column], out: &mut Vec<Finished>) {
    out.extend(columns.iter_mut().map(Column::finish));
}

fn push<T>(group: &mut Vec<T>, item: T) -> usize {
    group.push(item);
    group.len() - 1
}

fn schema(fields: &[FieldSpec]) -> Result<SchemaRef> {
    let mut built: Vec<Field> = Vec::with_capacity(fields.len());
    for field in fields {
        if built.iter().any(|other| other.name() == field.name()) {
            return Err(Error::misconfigured(format!(
                "column `{}` is asked for twice: give each a name",
                field.name()
            )));
        }
        built.push(Field::new(field.name(), decoded_type(field.data_type()), true));
    }
    Ok(Arc::new(Schema::new(built)))
}
