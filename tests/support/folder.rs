//! A temporary folder with the files of a test.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

/// A folder that is removed when it goes out of scope.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// The path of an entry, whether it exists or not.
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("temporary paths are ASCII").to_owned()
    }

    /// The names of all entries, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("the folder is there");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The lines of a file that is being written, as far as they are whole; none of one that is not there yet.
    pub(crate) fn whole_lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.split_inclusive('\n').filter_map(|line| Some(line.strip_suffix('\n')?.to_owned())).collect()
    }

    /// Writes a file and returns its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        if let Some(parent) = PathBuf::from(&path).parent() {
            fs::create_dir_all(parent).expect("folders");
        }
        fs::write(&path, content).expect("written");
        path
    }

    /// Writes columns as one Parquet file with row groups of 10,000 rows and returns its path.
    pub(crate) fn parquet(&self, name: &str, columns: Vec<(&str, ArrayRef)>) -> String {
        self.rows(name, &table(columns), 10_000)
    }

    /// Writes rows as one Parquet file and returns its path.
    pub(crate) fn rows(&self, name: &str, rows: &RecordBatch, row_group: usize) -> String {
        let path = self.write(name, "");
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(row_group))
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let file = File::create(&path).expect("created");
        let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).expect("a schema");
        writer.write(rows).expect("rows");
        writer.close().expect("a footer");
        path
    }
}

/// Columns as rows. Every column may be null, whether this one is or not.
pub(crate) fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns of one length")
}

pub(crate) fn floats<T: Into<Option<f64>>>(values: impl IntoIterator<Item = T>) -> ArrayRef {
    Arc::new(values.into_iter().map(Into::into).collect::<Float64Array>())
}

pub(crate) fn texts<'a, T: Into<Option<&'a str>>>(values: impl IntoIterator<Item = T>) -> ArrayRef {
    Arc::new(values.into_iter().map(Into::into).collect::<StringArray>())
}

/// Instants in microseconds since 1970.
pub(crate) fn times(micros: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(micros))
}
