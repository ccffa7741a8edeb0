//! A baseline as a plain Parquet file: one row per feature and segment.
//!
//! Any Parquet reader shows what a baseline holds: rows, nulls, moments, edges and counts, or labels and counts. Only the
//! column `state` is read back by the engine; it holds the exact bytes of its codec, and where the other columns are
//! rounded (edges of timestamps and large integers as float64), `state` is right.
//!
//! The key `driftlead.baseline` of the file's metadata holds the version of this layout. A newer version is refused; a
//! Parquet file without the key is no baseline. A file appears whole or not at all.

mod place;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, ListBuilder, StringBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

pub use self::place::{Replaces, look};
use crate::error::{Error, Result};
use crate::location::{self, Object, ObjectReader};
use crate::remote::Remotes;

/// The key that makes a Parquet file a baseline file; its value is the version of the layout.
pub const KEY: &str = "driftlead.baseline";
/// The layout that is written, and the newest that is read.
pub const VERSION: u32 = 1;
/// Where Arrow keeps its schema: bookkeeping, not metadata of the baseline.
const ARROW_KEY: &str = "ARROW:schema";

/// One feature in one segment, for people and for other tools; `state` is for the engine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureRow {
    /// The feature's name; a column of the data, or an alias given by the model.
    pub feature: String,
    /// The segment as a JSON object (SEMANTICS S18); `None` is the whole.
    pub segment: Option<String>,
    /// `numeric`, `categorical`, ..
    pub kind: String,
    /// The baseline's own type, as Arrow writes it.
    pub data_type: String,
    /// All rows, null and NaN included.
    pub rows: u64,
    /// Rows that are null.
    pub nulls: u64,
    /// Rows that are NaN.
    pub nans: u64,
    /// Smallest value; `None` where there is none.
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Mean of the finite values.
    pub mean: Option<f64>,
    /// Standard deviation of the finite values.
    pub sd: Option<f64>,
    /// Categories, in the order of `counts`; empty for numeric features.
    pub labels: Vec<String>,
    /// Edges between cells, ascending, rounded to float64; empty for categorical features.
    pub edges: Vec<f64>,
    /// Rows per cell or category.
    pub counts: Vec<u64>,
    /// The engine's codec bytes. Authoritative.
    pub state: Vec<u8>,
}

/// Writes a baseline file to a path or URL: a reader sees the old file or the new one, also after a crash. `replaces` is what
/// [`look`] found there. `metadata` is kept beside [`KEY`] in the file's metadata.
///
/// # Errors
/// If the folder or container does not exist or may not be written to, or an object store has got an object of this name
/// since [`look`] found none.
pub fn write(
    location: &str,
    replaces: Replaces,
    rows: &[FeatureRow],
    metadata: &BTreeMap<String, String>,
    remotes: &Remotes,
) -> Result<()> {
    let bytes = encode(rows, metadata).map_err(|error| {
        Error::malformed(format!("the baseline for `{location}` cannot be encoded")).with_source(error)
    })?;
    place::write(location, replaces, bytes, remotes)
}

/// Reads a baseline file: its rows in the order written, and its metadata without [`KEY`].
///
/// # Errors
/// Misconfigured, if the file does not exist, is a Parquet file but no baseline, or was written by a newer version;
/// malformed, if it is no Parquet file or damaged.
pub fn read(location: &str, remotes: &Remotes) -> Result<(Vec<FeatureRow>, BTreeMap<String, String>)> {
    let object = single(location, remotes)?;
    let (reader, metadata) = open(&object)?;
    let mut metadata = metadata;
    let Some(version) = metadata.remove(KEY) else {
        return Err(Error::misconfigured(format!(
            "`{location}` is a Parquet file but no baseline file (its metadata lack `{KEY}`): make one with `driftlead \
             baseline`, or name it as raw rows"
        )));
    };
    match version.parse::<u32>() {
        Ok(version) if version <= VERSION => {}
        Ok(version) => {
            return Err(Error::misconfigured(format!(
                "`{location}` is a baseline file of layout {version}, and this driftlead knows up to {VERSION}: update \
                 driftlead, or make the baseline again with this one"
            )));
        }
        Err(_) => {
            return Err(damaged(location, &format!("its layout version is `{version}`, expected a number")));
        }
    }
    let mut rows = Vec::new();
    for batch in reader.build().map_err(|error| damaged(location, &error.to_string()))? {
        let batch = batch.map_err(|error| damaged(location, &error.to_string()))?;
        decode(&batch, &mut rows).map_err(|why| damaged(location, &why))?;
    }
    Ok((rows, metadata))
}

/// Whether `location` is one file that is a baseline; anything else that exists, such as a folder of raw rows, is not.
///
/// # Errors
/// As [`read`], except that Parquet files without the key, other formats and sets of files are an answer.
pub fn is_baseline(location: &str, remotes: &Remotes) -> Result<bool> {
    let objects = location::expand(&[location.to_owned()], remotes, crate::dataset::Format::accepts)?;
    let [object] = &objects[..] else { return Ok(false) };
    let reader = object.open(&[])?;
    if object.size() < 12 || reader.read(object.size() - 4, 4)?.as_ref() != b"PAR1" {
        return Ok(false);
    }
    Ok(open(object)?.1.contains_key(KEY))
}

fn single(location: &str, remotes: &Remotes) -> Result<Object> {
    let mut objects = location::expand(&[location.to_owned()], remotes, crate::dataset::Format::accepts)?;
    match objects.pop() {
        Some(object) if objects.is_empty() => Ok(object),
        _ => Err(Error::misconfigured(format!(
            "`{location}` names {} files: a baseline file is one",
            objects.len() + 1
        ))),
    }
}

type Reader = ParquetRecordBatchReaderBuilder<ObjectReader>;

/// Opens a Parquet file and reads the key-value pairs of its footer.
fn open(object: &Object) -> Result<(Reader, BTreeMap<String, String>)> {
    let whole = 0..object.size();
    let reader = object.open(std::slice::from_ref(&whole))?;
    crate::source::parquet::check_frame(object.name(), object.size(), &reader)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(reader.clone()).map_err(|error| {
        reader.take_failure().unwrap_or_else(|| damaged(object.name(), &error.to_string()))
    })?;
    let pairs = builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let metadata = pairs
        .into_iter()
        .filter(|pair| pair.key != ARROW_KEY)
        .map(|pair| (pair.key, pair.value.unwrap_or_default()))
        .collect();
    Ok((builder, metadata))
}

fn damaged(location: &str, why: &str) -> Error {
    Error::malformed(format!(
        "baseline file `{location}` is damaged: {why}; make it again with `driftlead baseline`, or copy it again"
    ))
}

fn schema() -> Schema {
    let list = |item| DataType::List(Arc::new(Field::new_list_field(item, true)));
    Schema::new(vec![
        Field::new("feature", DataType::Utf8, false),
        Field::new("segment", DataType::Utf8, true),
        Field::new("kind", DataType::Utf8, false),
        Field::new("data_type", DataType::Utf8, false),
        Field::new("rows", DataType::Int64, false),
        Field::new("nulls", DataType::Int64, false),
        Field::new("nans", DataType::Int64, false),
        Field::new("min", DataType::Float64, true),
        Field::new("max", DataType::Float64, true),
        Field::new("mean", DataType::Float64, true),
        Field::new("sd", DataType::Float64, true),
        Field::new("labels", list(DataType::Utf8), false),
        Field::new("edges", list(DataType::Float64), false),
        Field::new("counts", list(DataType::Int64), false),
        Field::new("state", DataType::Binary, false),
    ])
}

fn encode(rows: &[FeatureRow], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, ParquetError> {
    let mut pairs = vec![KeyValue::new(KEY.to_owned(), VERSION.to_string())];
    pairs.extend(
        metadata.iter().filter(|(key, _)| *key != KEY).map(|(k, v)| KeyValue::new(k.clone(), v.clone())),
    );
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by(concat!("driftlead version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(pairs))
        .build();
    let schema = Arc::new(schema());
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns(rows)?)?;
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, schema, Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(bytes)
}

fn columns(rows: &[FeatureRow]) -> Result<Vec<ArrayRef>, ParquetError> {
    let text =
        |of: fn(&FeatureRow) -> &str| Arc::new(rows.iter().map(|row| Some(of(row))).collect::<StringArray>());
    let float = |of: fn(&FeatureRow) -> Option<f64>| Arc::new(rows.iter().map(of).collect::<Float64Array>());
    let count = |of: fn(&FeatureRow) -> u64| -> Result<ArrayRef, ParquetError> {
        let values: Vec<i64> =
            rows.iter().map(|row| Ok(i64::try_from(of(row))?)).collect::<Result<_, ParquetError>>()?;
        Ok(Arc::new(Int64Array::from(values)))
    };
    let mut labels = ListBuilder::new(StringBuilder::new());
    let mut edges = ListBuilder::new(Float64Builder::new());
    let mut counts = ListBuilder::new(Int64Builder::new());
    for row in rows {
        labels.append_value(row.labels.iter().map(Some));
        edges.append_value(row.edges.iter().copied().map(Some));
        for value in &row.counts {
            counts.values().append_value(i64::try_from(*value)?);
        }
        counts.append(true);
    }
    Ok(vec![
        text(|row| &row.feature),
        Arc::new(rows.iter().map(|row| row.segment.as_deref()).collect::<StringArray>()),
        text(|row| &row.kind),
        text(|row| &row.data_type),
        count(|row| row.rows)?,
        count(|row| row.nulls)?,
        count(|row| row.nans)?,
        float(|row| row.min),
        float(|row| row.max),
        float(|row| row.mean),
        float(|row| row.sd),
        Arc::new(labels.finish()),
        Arc::new(edges.finish()),
        Arc::new(counts.finish()),
        Arc::new(rows.iter().map(|row| Some(&row.state[..])).collect::<BinaryArray>()),
    ])
}

/// Appends the rows of a batch; the error says what is wrong with it.
fn decode(batch: &RecordBatch, rows: &mut Vec<FeatureRow>) -> Result<(), String> {
    let column = |name: &str| -> Result<&ArrayRef, String> {
        let expected = schema();
        let expected = expected.field_with_name(name).map_err(|error| error.to_string())?.data_type();
        let array = batch.column_by_name(name).ok_or_else(|| format!("column `{name}` is missing"))?;
        if array.data_type() != expected {
            return Err(format!("column `{name}` is `{}`, expected `{expected}`", array.data_type()));
        }
        Ok(array)
    };
    let text = |name: &str| column(name).map(|array| array.as_string::<i32>());
    let float = |name: &str| column(name).map(|array| array.as_primitive::<Float64Type>());
    let count = |name: &str| column(name).map(|array| array.as_primitive::<Int64Type>());
    let list = |name: &str| column(name).map(|array| array.as_list::<i32>());
    let natural =
        |value: i64| u64::try_from(value).map_err(|_| format!("a count is `{value}`, expected 0 or more"));

    let (feature, segment) = (text("feature")?, text("segment")?);
    let (kind, data_type) = (text("kind")?, text("data_type")?);
    let (n_rows, nulls, nans) = (count("rows")?, count("nulls")?, count("nans")?);
    let (min, max, mean, sd) = (float("min")?, float("max")?, float("mean")?, float("sd")?);
    let (labels, edges, counts) = (list("labels")?, list("edges")?, list("counts")?);
    let state = column("state")?.as_binary::<i32>();
    for i in 0..batch.num_rows() {
        let optional = |array: &Float64Array| array.is_valid(i).then(|| array.value(i));
        rows.push(FeatureRow {
            feature: feature.value(i).to_owned(),
            segment: segment.is_valid(i).then(|| segment.value(i).to_owned()),
            kind: kind.value(i).to_owned(),
            data_type: data_type.value(i).to_owned(),
            rows: natural(n_rows.value(i))?,
            nulls: natural(nulls.value(i))?,
            nans: natural(nans.value(i))?,
            min: optional(min),
            max: optional(max),
            mean: optional(mean),
            sd: optional(sd),
            labels: labels
                .value(i)
                .as_string::<i32>()
                .iter()
                .map(|label| label.unwrap_or_default().to_owned())
                .collect(),
            edges: edges.value(i).as_primitive::<Float64Type>().values().to_vec(),
            counts: counts
                .value(i)
                .as_primitive::<Int64Type>()
                .values()
                .iter()
                .map(|value| natural(*value))
                .collect::<Result<_, String>>()?,
            state: state.value(i).to_vec(),
        });
    }
    Ok(())
}
