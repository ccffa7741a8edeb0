//! Inputs to begin with, as files: a folder for each target, and the files of `fuzz/seeds/arrow`, which need a writer that
//! the tests do not have.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Float32Array, Float64Array, Int64Array,
    RecordBatch, StringArray, StructArray, TimestampMillisecondArray, UInt8Array, types::Int32Type,
};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::{DataType, Field};

use crate::targets;

type Failure = Box<dyn std::error::Error>;

/// Makes a folder in `folder` for each target; and the committed files of Arrow anew, in `folder/committed`.
pub(crate) fn write(folder: &str) -> Result<(), Failure> {
    for target in targets::ALL {
        let own = Path::new(folder).join(target.name);
        std::fs::create_dir_all(&own)?;
        let found = targets::files(&format!("fuzz/found/{}", target.name));
        for (at, seed) in (target.seeds)().into_iter().chain(found).enumerate() {
            std::fs::write(own.join(format!("seed-{at:03}")), seed)?;
        }
    }
    committed(&Path::new(folder).join("committed"))
}

fn committed(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    let one = rows(1)?;
    let options = IpcWriteOptions::default;
    let compressed = |with| options().try_with_compression(Some(with));
    for (name, batches, options) in [
        ("a-row", vec![one.clone()], options()),
        ("b-rows", vec![rows(3)?, rows(2)?, rows(0)?], options()),
        ("c-lz4", vec![rows(40)?], compressed(CompressionType::LZ4_FRAME)?),
        ("d-zstd", vec![rows(40)?], compressed(CompressionType::ZSTD)?),
    ] {
        let mut bytes = Vec::new();
        let mut writer = StreamWriter::try_new_with_options(&mut bytes, &one.schema(), options)?;
        for batch in &batches {
            writer.write(batch)?;
        }
        writer.finish()?;
        drop(writer);
        std::fs::write(folder.join(format!("{name}.arrow")), bytes)?;
    }
    Ok(())
}

/// Rows of which the first has no null.
fn rows(n: usize) -> Result<RecordBatch, Failure> {
    let some = |at: usize| at % 5 != 3;
    let words: DictionaryArray<Int32Type> = (0..n).map(|at| Some(["a", "bb", ""][at % 3])).collect();
    let deep: ArrayRef = Arc::new((0..n).map(|at| some(at).then_some(at as f64)).collect::<Float64Array>());
    let inside = StructArray::from(vec![(Arc::new(Field::new("deep", DataType::Float64, true)), deep)]);
    let columns: [(&str, ArrayRef); 10] = [
        ("x", Arc::new((0..n).map(|at| some(at).then_some(at as f64 / 3.0)).collect::<Float64Array>())),
        ("n", Arc::new((0..n as i64).map(|at| at - 7).collect::<Int64Array>())),
        ("u", Arc::new((0..n).map(|at| some(at).then_some(at as u8)).collect::<UInt8Array>())),
        ("f", Arc::new((0..n).map(|at| Some(at as f32 / 7.0)).collect::<Float32Array>())),
        ("s", Arc::new(words)),
        ("b", Arc::new((0..n).map(|at| some(at).then_some(at % 2 == 0)).collect::<BooleanArray>())),
        ("d", Arc::new((0..n as i128).collect::<Decimal128Array>().with_precision_and_scale(12, 3)?)),
        (
            "t",
            Arc::new(
                (0..n as i64).map(|at| Some(978_307_200_000 + at)).collect::<TimestampMillisecondArray>(),
            ),
        ),
        ("in", Arc::new(inside)),
        ("unused", Arc::new((0..n).map(|at| some(at).then_some("text")).collect::<StringArray>())),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}
