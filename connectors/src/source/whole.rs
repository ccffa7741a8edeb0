//! Formats that are read from beginning to end: CSV, NDJSON, events and Arrow IPC. A file is one part.
//!
//! Text has no types of its own. Those of the data set are settled once all files are open (what the caller declares,
//! else what a sample of every file shows), and then text is parsed straight into them, so that two files of one set
//! never differ by what their first rows happened to look like.

use std::io::BufReader;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch, RecordBatchOptions};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;

use super::{BatchSize, DecodedBatch, Group, Inferred, Source, Statistics, Stream, csv, ipc, mdc, ndjson};
use crate::error::{Error, Result};
use crate::location::{Object, ObjectReader, SequentialReader};

/// Bytes asked for at a time.
const READ: usize = 256 << 10;

/// Which of the formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Csv,
    Ndjson,
    Arrow,
    Mdc,
}

/// One file that is read as a whole.
#[derive(Debug)]
pub(crate) struct WholeFile {
    object: Object,
    kind: Kind,
    schema: SchemaRef,
    groups: [Group; 1],
}

impl WholeFile {
    /// Reads what tells the columns: a sample of a text file, the schema of an Arrow file.
    pub(crate) fn open(object: Object, kind: Kind) -> Result<Self> {
        if object.length() == 0 {
            let expected = match kind {
                Kind::Csv => "a header and rows",
                Kind::Ndjson => "one JSON object a line",
                Kind::Arrow => "an Arrow file",
                Kind::Mdc => "one event a line",
            };
            return Err(Error::malformed(format!(
                "`{}` is empty (0 bytes): expected {expected}; remove it or write it again",
                object.name()
            )));
        }
        let (reader, bytes) = begin(&object)?;
        let name = object.name();
        let schema = match kind {
            Kind::Csv => csv::infer(reader, name, &csv::Options::default(), ndjson::Sample::default())
                .and_then(|i| inferred(&object, i)),
            Kind::Ndjson => {
                ndjson::infer(reader, name, ndjson::Sample::default()).and_then(|i| inferred(&object, i))
            }
            Kind::Mdc => mdc::infer(reader, &object, ndjson::Sample::default())
                .and_then(|i| inferred(&object, i))
                .map(|schema| with_envelope(&schema)),
            Kind::Arrow => {
                ipc::Reader::open(reader, name, None, BatchSize::default()).map(|r| Arc::clone(r.schema()))
            }
        };
        let schema = schema.map_err(|error| bytes.take_failure().unwrap_or(error))?;
        let fields: Vec<Field> = schema
            .fields()
            .iter()
            .map(|field| Field::new(field.name(), reading_type(field.data_type()), true))
            .collect();
        let groups = [Group { rows: None, bytes: object.length() }];
        Ok(Self { object, kind, schema: Arc::new(Schema::new(fields)), groups })
    }

    fn decode(&self, columns: &[usize], rows: usize) -> Result<Stream> {
        let size = BatchSize { rows, ..BatchSize::default() };
        let name = self.object.name();
        let (reader, bytes) = begin(&self.object)?;
        let fields: Vec<&Field> = columns.iter().map(|column| self.schema.field(*column)).collect();
        let stream: Result<Stream> = match self.kind {
            Kind::Csv => {
                let of = |field: &&Field| csv::Selection::new(field.name(), parsing_type(field.data_type()));
                let columns: Vec<csv::Selection> = fields.iter().map(of).collect();
                csv::Reader::new(reader, name, &columns, &csv::Options::default(), size)
                    .map(|reader| Box::new(reader) as _)
            }
            Kind::Ndjson => {
                let of =
                    |field: &&Field| ndjson::Selection::new(field.name(), parsing_type(field.data_type()));
                let columns: Vec<ndjson::Selection> = fields.iter().map(of).collect();
                ndjson::Reader::new(reader, name, &columns, size).map(|reader| Box::new(reader) as _)
            }
            Kind::Mdc => {
                let of =
                    |field: &&Field| ndjson::Selection::new(field.name(), parsing_type(field.data_type()));
                let columns: Vec<ndjson::Selection> = fields.iter().map(of).collect();
                mdc::Reader::new(reader, &self.object, &columns, size).map(|reader| Box::new(reader) as _)
            }
            Kind::Arrow => {
                let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
                let label = name.to_owned();
                ipc::Reader::open(reader, name, Some(&names), size).map(|batches| {
                    Box::new(
                        batches
                            .map(move |batch| batch.and_then(|batch| ordered(&label, &batch.batch, &names))),
                    ) as _
                })
            }
        };
        let stream = stream.map_err(|error| bytes.take_failure().unwrap_or(error))?;
        // What failed below says more than that reading failed.
        Ok(Box::new(stream.map(move |batch| batch.map_err(|error| bytes.take_failure().unwrap_or(error)))))
    }
}

impl Source for WholeFile {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn settle(&mut self, schema: &Schema) {
        if self.kind == Kind::Arrow {
            return;
        }
        let settled = |field: &Arc<Field>| match schema.field_with_name(field.name()) {
            Ok(common) => field.as_ref().clone().with_data_type(common.data_type().clone()),
            Err(_) => field.as_ref().clone(),
        };
        self.schema = Arc::new(Schema::new(self.schema.fields().iter().map(settled).collect::<Vec<Field>>()));
    }

    fn expect(&mut self, names: &[String]) {
        if !matches!(self.kind, Kind::Ndjson | Kind::Mdc) {
            return;
        }
        let mut fields: Vec<Field> =
            self.schema.fields().iter().map(|field| field.as_ref().clone()).collect();
        for name in names {
            if self.schema.column_with_name(name).is_none() {
                fields.push(Field::new(name, DataType::Null, true));
            }
        }
        self.schema = Arc::new(Schema::new(fields));
    }

    fn groups(&self) -> &[Group] {
        &self.groups
    }

    fn column_bytes(&self, _: usize, _: usize) -> Result<Option<u64>> {
        Ok(None)
    }

    fn read(&self, _: usize, columns: &[usize], batch_rows: usize) -> Result<Stream> {
        self.decode(columns, batch_rows)
    }

    fn read_rows(
        &self,
        _: usize,
        columns: &[usize],
        ranges: &[Range<u64>],
        batch_rows: usize,
    ) -> Result<Stream> {
        let name = self.object.name().to_owned();
        Ok(Box::new(Chosen {
            name,
            inner: self.decode(columns, batch_rows)?,
            ranges: ranges.to_vec(),
            next: 0,
            row: 0,
        }))
    }

    fn statistics(&self, _: usize, _: usize) -> Result<Option<Statistics>> {
        Ok(None)
    }
}

/// Opens a file at its beginning; the second says what went wrong below a decoder.
fn begin(object: &Object) -> Result<(BufReader<SequentialReader>, ObjectReader)> {
    let (reader, bytes) = object.open_sequential()?;
    Ok((BufReader::with_capacity(READ, reader), bytes))
}

/// The columns that a sample shows. Of a file that goes on the beginning was read: it is of this format.
fn inferred(object: &Object, inferred: Inferred) -> Result<SchemaRef> {
    let name = object.name();
    if inferred.records == 0 && inferred.bad_records > 0 && !object.goes_on() {
        let bad = inferred.bad_records;
        let records = if bad == 1 {
            "the first record could not".to_owned()
        } else {
            format!("none of the first {bad} records could")
        };
        let first =
            inferred.first_bad.map_or_else(String::new, |(line, why)| format!(" (line {line}: {why})"));
        return Err(Error::malformed(format!(
            "`{name}`: {records} be read{first}; is this the format that the name says?"
        )));
    }
    let columns = inferred.columns.into_iter().map(|column| Field::new(column.name, column.data_type, true));
    Ok(Arc::new(Schema::new(columns.collect::<Vec<Field>>())))
}

/// The columns of events before those of their records, also where no event has a value for one.
fn with_envelope(schema: &Schema) -> SchemaRef {
    let is_own = |name: &str| mdc::COLUMNS.contains(&name);
    let own = mdc::COLUMNS.iter().map(|name| Field::new(*name, DataType::Utf8, true));
    let others =
        schema.fields().iter().filter(|field| !is_own(field.name())).map(|field| field.as_ref().clone());
    Arc::new(Schema::new(own.chain(others).collect::<Vec<Field>>()))
}

/// The type of a text column; one in which the samples only had nulls is read as strings.
fn parsing_type(data_type: &DataType) -> DataType {
    if data_type.is_null() { DataType::Utf8 } else { data_type.clone() }
}

/// As for Parquet: one type a logical type.
fn reading_type(native: &DataType) -> DataType {
    match native {
        DataType::Dictionary(_, values) => reading_type(values),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        other => other.clone(),
    }
}

/// The batch of an Arrow file with its columns as asked for. Dictionaries of strings stay such, with 32-bit keys.
fn ordered(name: &str, batch: &RecordBatch, columns: &[String]) -> Result<DecodedBatch> {
    let failed = |why: &str| Error::malformed(format!("`{name}`: a batch cannot be used: {why}"));
    let mut fields = Vec::with_capacity(columns.len());
    let mut arrays = Vec::with_capacity(columns.len());
    for column in columns {
        let array =
            batch.column_by_name(column).ok_or_else(|| failed(&format!("it has no column `{column}`")))?;
        let wanted = match (array.data_type(), reading_type(array.data_type())) {
            (DataType::Dictionary(..), DataType::Utf8) => super::parquet::string_dictionary(),
            (_, plain) => plain,
        };
        let array = if *array.data_type() == wanted {
            Arc::clone(array)
        } else {
            cast(array, &wanted).map_err(|error| failed(&error.to_string()))?
        };
        fields.push(Field::new(column, wanted, true));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map(DecodedBatch::typed)
        .map_err(|error| failed(&error.to_string()))
}

/// The chosen rows of a stream.
struct Chosen {
    name: String,
    inner: Stream,
    ranges: Vec<Range<u64>>,
    /// The first range that is not over.
    next: usize,
    /// The first row of the next batch.
    row: u64,
}

impl Chosen {
    fn choose(&mut self, decoded: DecodedBatch) -> Result<DecodedBatch> {
        let (start, end) = (self.row, self.row + decoded.batch.num_rows() as u64);
        self.row = end;
        let mut pieces: Vec<(usize, usize)> = Vec::new();
        while let Some(range) = self.ranges.get(self.next).filter(|range| range.start < end) {
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                pieces.push(((from - start) as usize, (to - from) as usize));
            }
            if range.end > end {
                break;
            }
            self.next += 1;
        }
        let slices: Vec<RecordBatch> =
            pieces.iter().map(|(at, rows)| decoded.batch.slice(*at, *rows)).collect();
        let batch = concat_batches(&decoded.batch.schema(), &slices)
            .map_err(|error| Error::malformed(format!("`{}`: {error}", self.name)).with_source(error))?;
        let chosen = |mask: arrow_buffer::BooleanBuffer| {
            pieces
                .iter()
                .flat_map(|(at, rows)| mask.slice(*at, *rows).iter().collect::<Vec<bool>>())
                .collect()
        };
        let type_errors = decoded.type_errors.into_iter().map(|mask| mask.map(chosen)).collect();
        Ok(DecodedBatch { batch, type_errors, bad_records: decoded.bad_records })
    }
}

impl Iterator for Chosen {
    type Item = Result<DecodedBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.next < self.ranges.len() {
            let decoded = match self.inner.next()? {
                Ok(decoded) => decoded,
                Err(error) => return Some(Err(error)),
            };
            match self.choose(decoded) {
                Ok(chosen) if chosen.batch.num_rows() == 0 => {}
                chosen => return Some(chosen),
            }
        }
        None
    }
}
