//! Files that the tests write, and short ways to read them back.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use driftlead_connectors::dataset::{Dataset, OpenOptions, Part, ReadOptions};
use driftlead_connectors::error::Error;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use tempfile::TempDir;

/// A folder that is removed at the end of the test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The absolute path of a name in it, its folders made.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn bytes(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        self.text(name)
    }

    pub(crate) fn parquet(&self, name: &str, batch: &RecordBatch) -> String {
        self.parquet_with(name, batch, |properties| properties)
    }

    pub(crate) fn parquet_with(
        &self,
        name: &str,
        batch: &RecordBatch,
        set: impl FnOnce(WriterPropertiesBuilder) -> WriterPropertiesBuilder,
    ) -> String {
        write_parquet(&self.path(name), batch, set(WriterProperties::builder()).build());
        self.text(name)
    }
}

pub(crate) fn write_parquet(path: &Path, batch: &RecordBatch, properties: WriterProperties) {
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

/// Rows `start..start + rows`: `id` counts on, `delay` is a tenth of it with every seventh null, `origin` cycles.
pub(crate) fn flights(start: i64, rows: usize) -> RecordBatch {
    const ORIGINS: [&str; 5] = ["ATL", "DEN", "JFK", "LAX", "ORD"];
    let ids = (start..).take(rows);
    let delay: Float64Array = ids.clone().map(|id| (id % 7 != 0).then_some(id as f64 / 10.0)).collect();
    let origin: StringArray = ids.clone().map(|id| Some(ORIGINS[id as usize % 5])).collect();
    batch(vec![
        ("id", Arc::new(Int64Array::from_iter_values(ids))),
        ("delay", Arc::new(delay)),
        ("origin", Arc::new(origin)),
    ])
}

pub(crate) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}

pub(crate) fn open(inputs: &[&str]) -> Result<Dataset, Error> {
    let inputs: Vec<String> = inputs.iter().map(|&input| input.to_owned()).collect();
    Dataset::open(&inputs, &OpenOptions::default())
}

/// The message with which opening, or reading all of it, fails.
pub(crate) fn failure(inputs: &[&str]) -> Error {
    match open(inputs) {
        Err(error) => error,
        Ok(data) => {
            let columns: Vec<usize> = (0..data.schema().fields().len()).collect();
            let mut batches = data.parts().iter().flat_map(|part| {
                data.read(part, &columns, &ReadOptions::default())
                    .map_or_else(|e| vec![Err(e)], Iterator::collect)
            });
            batches.find_map(Result::err).expect("some part cannot be read")
        }
    }
}

/// All batches of a part.
pub(crate) fn read(data: &Dataset, part: &Part, columns: &[&str], batch_rows: usize) -> Vec<RecordBatch> {
    let columns: Vec<usize> = columns.iter().map(|name| data.column(name).unwrap()).collect();
    data.read(part, &columns, &ReadOptions { batch_rows }).unwrap().map(Result::unwrap).collect()
}

/// A column of integers over all parts.
pub(crate) fn integers(data: &Dataset, column: &str) -> Vec<i64> {
    let batches = data.parts().iter().flat_map(|part| read(data, part, &[column], 1000));
    batches.flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

/// A column of strings over all parts, whatever their encoding.
pub(crate) fn strings(data: &Dataset, column: &str) -> Vec<Option<String>> {
    let batches = data.parts().iter().flat_map(|part| read(data, part, &[column], 1000));
    batches.flat_map(|batch| texts(batch.column(0))).collect()
}

/// The texts of one array, plain or dictionary.
pub(crate) fn texts(array: &ArrayRef) -> Vec<Option<String>> {
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect(),
        DataType::Dictionary(..) => {
            let dictionary = array.as_dictionary::<Int32Type>();
            let values = dictionary.values().as_string::<i32>();
            dictionary.keys().iter().map(|key| key.map(|key| values.value(key as usize).to_owned())).collect()
        }
        other => panic!("`{other}` is no string"),
    }
}
