//! Data sets of 25 columns.
//!
//! `Table` is what a feature table tends to be: columns that may be null (as pandas and Spark write all of them), a
//! third of the floats at full precision, a third rounded as prices and sensors are, whole numbers, text. `Normals` is
//! the hardest case for a reader that does more than decode: floats at full precision without nulls, which neither a
//! dictionary nor Snappy can shorten, so that decoding is little more than copying.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::Failure;

#[path = "../../../tests/support/splitmix.rs"]
mod splitmix;

#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Table,
    Normals,
}

/// Writes `rows` rows in row groups of 1 Mi; the first column is shifted by `shift` standard deviations.
pub(crate) fn file(path: &Path, shape: Shape, rows: usize, seed: u64, shift: f64) -> Result<String, Failure> {
    let mut random = Random(seed);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(1 << 20))
        .build();
    let mut writer: Option<ArrowWriter<File>> = None;
    let mut left = rows;
    while left > 0 {
        let n = left.min(64 << 10);
        left -= n;
        let columns = match shape {
            Shape::Table => table(&mut random, n, shift),
            Shape::Normals => normals(&mut random, n, shift),
        };
        let nullable = matches!(shape, Shape::Table);
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, array)| (name, array, nullable)),
        )?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(ArrowWriter::try_new(
                File::create(path)?,
                batch.schema(),
                Some(properties.clone()),
            )?),
        };
        writer.write(&batch)?;
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(path.to_string_lossy().into_owned())
}

fn table(random: &mut Random, n: usize, shift: f64) -> Vec<(String, ArrayRef)> {
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for i in 0..5 {
        let shift = if i == 0 { shift } else { 0.0 };
        let values: Float64Array =
            (0..n).map(|_| (i != 4 || random.uniform() > 0.05).then(|| random.normal() + shift)).collect();
        columns.push((format!("score_{i}"), Arc::new(values)));
    }
    for i in 0..5 {
        let values: Float64Array = (0..n)
            .map(|_| {
                (i != 4 || random.uniform() > 0.05)
                    .then(|| ((3.0 + random.normal()).exp() * 100.0).round() / 100.0)
            })
            .collect();
        columns.push((format!("price_{i}"), Arc::new(values)));
    }
    for i in 0..3 {
        let values: Float32Array =
            (0..n).map(|_| Some((random.normal() * 1000.0).round() as f32 / 100.0)).collect();
        columns.push((format!("sensor_{i}"), Arc::new(values)));
    }
    for i in 0..4 {
        let values: Int32Array = (0..n).map(|_| Some((random.normal() * 30.0) as i32)).collect();
        columns.push((format!("count_{i}"), Arc::new(values)));
    }
    for i in 0..2 {
        let values: Int64Array = (0..n).map(|_| Some((random.uniform() * 1e9) as i64)).collect();
        columns.push((format!("amount_{i}"), Arc::new(values)));
    }
    columns.extend((0..6).map(|i| text(random, n, i)));
    columns
}

fn normals(random: &mut Random, n: usize, shift: f64) -> Vec<(String, ArrayRef)> {
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for i in 0..12 {
        let shift = if i == 0 { shift } else { 0.0 };
        let values: Float64Array = (0..n).map(|_| Some(random.normal() + shift)).collect();
        columns.push((format!("normal_{i}"), Arc::new(values)));
    }
    for i in 0..4 {
        let values: Float64Array = (0..n).map(|_| Some((2.0 * random.normal()).exp())).collect();
        columns.push((format!("lognormal_{i}"), Arc::new(values)));
    }
    for i in 0..3 {
        let values: Float32Array = (0..n).map(|_| Some(random.normal() as f32)).collect();
        columns.push((format!("single_{i}"), Arc::new(values)));
    }
    for i in 0..3 {
        let values: Int32Array = (0..n).map(|_| Some((random.normal() * 30.0) as i32)).collect();
        columns.push((format!("integer_{i}"), Arc::new(values)));
    }
    columns.extend((0..3).map(|i| text(random, n, i)));
    columns
}

fn text(random: &mut Random, n: usize, i: i32) -> (String, ArrayRef) {
    let names: Vec<String> = (0..n)
        .map(|_| format!("category {}", (random.normal().abs() * f64::from(10 * (i + 1))) as i32))
        .collect();
    let values: DictionaryArray<Int32Type> = names.iter().map(|name| Some(name.as_str())).collect();
    (format!("text_{i}"), Arc::new(values))
}

/// SplitMix64, and normal values by Box and Muller.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        splitmix::next(&mut self.0)
    }

    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}
