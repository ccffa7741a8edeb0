//! Windows and alerts as Parquet, for tools that know no store: `driftlead store export`.
//!
//! `docs/formats/store.md` lists the columns. Both files are of one moment; a reader of them sees the old file or the new
//! one, also if the export is killed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::reader::Reader;
use crate::error::{Error, Result};

/// What was exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Rows of `windows.parquet`: every revision that is kept.
    pub windows: u64,
    /// Rows of `alerts.parquet`.
    pub alerts: u64,
}

/// Writes `windows.parquet` and `alerts.parquet` of a folder's store into the folder `out`, which is created if only its
/// last part is missing. It may run beside the service.
///
/// # Errors
/// If there is no store or it cannot be read, or the files cannot be written.
pub fn export(folder: &Path, out: &Path) -> Result<Exported> {
    let reader = Reader::open(folder)?;
    if !out.is_dir() {
        fs::create_dir(out).map_err(|error| unwritable(out, error))?;
    }
    let transaction = reader.connection().unchecked_transaction().map_err(|error| reader.fault(error))?;
    let write = |name: &str, columns: &[Column], sql: &str| {
        table(&transaction, columns, sql, &out.join(name)).map_err(|failure| match failure {
            Failure::Store(error) => reader.fault(error),
            Failure::File(path, error) => unwritable(&path, error),
        })
    };
    Ok(Exported {
        windows: write(
            "windows.parquet",
            WINDOWS,
            "SELECT id, revision, model, version, name, segment, start, \"end\", verdict, final, newest, committed,
                    document FROM windows ORDER BY seq",
        )?,
        alerts: write(
            "alerts.parquet",
            ALERTS,
            "SELECT id, revision, model, version, name, segment, status, severity, opened, resolved, acknowledged_by,
                    acknowledged_at, acknowledged_comment, document FROM alerts ORDER BY seq",
        )?,
    })
}

/// A column's name, its type, and whether it may be null.
type Column = (&'static str, Kind, bool);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Flag,
    Time,
}

const WINDOWS: &[Column] = &[
    ("id", Kind::Text, false),
    ("revision", Kind::Number, false),
    ("model", Kind::Text, false),
    ("version", Kind::Text, false),
    ("window", Kind::Text, false),
    ("segment", Kind::Text, true),
    ("start", Kind::Time, true),
    ("end", Kind::Time, true),
    ("verdict", Kind::Text, false),
    ("final", Kind::Flag, false),
    ("newest", Kind::Flag, false),
    ("committed", Kind::Time, false),
    (DOCUMENT, Kind::Text, true),
];

const ALERTS: &[Column] = &[
    ("id", Kind::Text, false),
    ("revision", Kind::Number, false),
    ("model", Kind::Text, false),
    ("version", Kind::Text, false),
    ("window", Kind::Text, false),
    ("segment", Kind::Text, true),
    ("status", Kind::Text, false),
    ("severity", Kind::Text, false),
    ("opened", Kind::Time, false),
    ("resolved", Kind::Time, true),
    ("acknowledged_by", Kind::Text, true),
    ("acknowledged_at", Kind::Time, true),
    ("acknowledged_comment", Kind::Text, true),
    (DOCUMENT, Kind::Text, false),
];

const DOCUMENT: &str = "document";

enum Failure {
    Store(rusqlite::Error),
    File(PathBuf, std::io::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error)
    }
}

/// Writes the answer of a query beside `path`, and puts it in its place when it is whole and on the disk.
fn table(connection: &Connection, columns: &[Column], sql: &str, path: &Path) -> Result<u64, Failure> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written = fill(connection, columns, sql, &temporary).and_then(|rows| {
        fs::rename(&temporary, path).map_err(|error| Failure::File(path.to_owned(), error))?;
        Ok(rows)
    });
    if written.is_err() {
        // What is left of the attempt is of no use; that it cannot be removed either is not the error to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn fill(connection: &Connection, columns: &[Column], sql: &str, path: &Path) -> Result<u64, Failure> {
    let failed = |error: std::io::Error| Failure::File(path.to_owned(), error);
    let failed_parquet = |error: ParquetError| failed(std::io::Error::other(error));
    let schema = schema(columns);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by(concat!("driftlead version ", env!("CARGO_PKG_VERSION")).to_owned())
        // No two documents are equal.
        .set_column_dictionary_enabled(ColumnPath::from(DOCUMENT), false)
        .build();
    let file = File::create(path).map_err(failed)?;
    let mut writer =
        ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).map_err(failed_parquet)?;
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    loop {
        let mut builders: Vec<Builder> = columns.iter().map(|(_, kind, _)| Builder::new(*kind)).collect();
        let (mut taken, mut bytes) = (0, 0);
        while taken < BATCH_ROWS && bytes < BATCH_BYTES {
            let Some(row) = rows.next()? else { break };
            for (i, builder) in builders.iter_mut().enumerate() {
                bytes += builder.append(row, i)?;
            }
            taken += 1;
        }
        if taken == 0 {
            break;
        }
        count += taken;
        let arrays = builders.into_iter().map(Builder::finish).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)
            .map_err(|error| failed_parquet(ParquetError::from(error)))?;
        writer.write(&batch).map_err(failed_parquet)?;
        if writer.in_progress_size() > GROUP_BYTES {
            writer.flush().map_err(failed_parquet)?;
        }
    }
    let file = writer.into_inner().map_err(failed_parquet)?;
    file.sync_all().map_err(failed)?;
    Ok(count)
}

fn schema(columns: &[Column]) -> Arc<Schema> {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, kind, nullable)| {
            let data_type = match kind {
                Kind::Text => DataType::Utf8,
                Kind::Number => DataType::Int64,
                Kind::Flag => DataType::Boolean,
                Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            };
            Field::new(*name, data_type, *nullable)
        })
        .collect();
    Arc::new(Schema::new(fields))
}

enum Builder {
    Text(StringBuilder),
    Number(Int64Builder),
    Flag(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
}

impl Builder {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Number => Self::Number(Int64Builder::new()),
            Kind::Flag => Self::Flag(BooleanBuilder::new()),
            Kind::Time => Self::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
        }
    }

    /// Appends a value of a row; answers its bytes.
    fn append(&mut self, row: &Row<'_>, i: usize) -> rusqlite::Result<usize> {
        match self {
            Self::Text(builder) => match row.get_ref(i)? {
                ValueRef::Null => builder.append_null(),
                value => {
                    let text = value.as_str()?;
                    builder.append_value(text);
                    return Ok(text.len());
                }
            },
            Self::Number(builder) => builder.append_option(row.get(i)?),
            Self::Flag(builder) => builder.append_option(row.get(i)?),
            Self::Time(builder) => builder.append_option(row.get(i)?),
        }
        Ok(8)
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut builder) => Arc::new(builder.finish()),
            Self::Number(mut builder) => Arc::new(builder.finish()),
            Self::Flag(mut builder) => Arc::new(builder.finish()),
            Self::Time(mut builder) => Arc::new(builder.finish()),
        }
    }
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    let message = format!(
        "`{}` cannot be written: {error}; expected a folder that exists and in which this user may write",
        path.display()
    );
    Error::misconfigured(message).with_source(error)
}

/// What is gathered before it is handed to the writer.
const BATCH_ROWS: u64 = 1_024;
const BATCH_BYTES: usize = 8 << 20;

/// What the writer gathers before it ends a row group.
const GROUP_BYTES: usize = 32 << 20;
