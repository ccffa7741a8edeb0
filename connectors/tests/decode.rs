//! Files of all formats through the public readers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Cursor;
use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{DictionaryHandling, FileWriter, IpcWriteOptions, StreamWriter};
use arrow_schema::{DataType, Field, Schema};
use driftlead_connectors::ErrorKind;
use driftlead_connectors::source::{BatchSize, DecodedBatch, csv, ipc, ndjson};

const ROWS: usize = 1000;

fn frame() -> RecordBatch {
    let ids = Int64Array::from_iter_values((0..ROWS as i64).map(|i| i + (1 << 53)));
    let delays: Float64Array = (0..ROWS).map(|i| (i % 7 != 0).then_some(i as f64 / 3.0)).collect();
    let origins: StringArray =
        (0..ROWS).map(|i| (i % 11 != 0).then_some(["ATL", "JFK, NY", "Zürich \"Z\""][i % 3])).collect();
    let columns: [(&str, ArrayRef); 3] =
        [("id", Arc::new(ids)), ("delay", Arc::new(delays)), ("origin", Arc::new(origins))];
    let fields: Vec<_> =
        columns.iter().map(|(name, c)| Field::new(*name, c.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, c)| c).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn file(batches: &[RecordBatch], options: IpcWriteOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = FileWriter::try_new_with_options(&mut bytes, &batches[0].schema(), options).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    drop(writer);
    bytes
}

fn stream(batches: &[RecordBatch], options: IpcWriteOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new_with_options(&mut bytes, &batches[0].schema(), options).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    drop(writer);
    bytes
}

fn compressed() -> Vec<IpcWriteOptions> {
    [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)]
        .map(|c| IpcWriteOptions::default().try_with_compression(c).unwrap())
        .to_vec()
}

fn open(bytes: &[u8], columns: Option<&[String]>) -> driftlead_connectors::Result<Vec<DecodedBatch>> {
    let size = BatchSize { rows: 300, ..BatchSize::default() };
    ipc::Reader::open(Cursor::new(bytes), "x.arrow", columns, size)?.collect()
}

/// The rows of all batches, which keep to the bound and have no errors.
fn whole(batches: &[DecodedBatch]) -> RecordBatch {
    assert!(batches.iter().all(|b| (1..=300).contains(&b.batch.num_rows())));
    assert!(
        batches.iter().all(|b| b.bad_records.is_empty() && b.type_error_counts().iter().all(|&n| n == 0))
    );
    let batches: Vec<_> = batches.iter().map(|b| b.batch.clone()).collect();
    arrow_select::concat::concat_batches(&batches[0].schema(), &batches).unwrap()
}

#[test]
fn every_format_gives_the_same_rows() {
    let expected = frame();
    let (mut json, mut text) = (String::new(), "id;delay;origin\n".to_owned());
    let (ids, delays) = (expected.column(0).as_primitive::<Int64Type>(), expected.column(1));
    let delays = delays.as_primitive::<arrow_array::types::Float64Type>();
    let origins = expected.column(2).as_string::<i32>();
    for i in 0..ROWS {
        let delay = delays.is_valid(i).then(|| delays.value(i));
        let origin = origins.is_valid(i).then(|| origins.value(i));
        let record = serde_json::json!({"origin": origin, "delay": delay, "other": [i], "id": ids.value(i)});
        json += &format!("{record}\n");
        let quoted = origin.map_or_else(String::new, |o| format!("\"{}\"", o.replace('"', "\"\"")));
        text += &format!("{};{};{quoted}\n", ids.value(i), delay.map_or_else(String::new, |d| d.to_string()));
    }
    let size = BatchSize { rows: 300, ..BatchSize::default() };

    let inferred = ndjson::infer(json.as_bytes(), "x", ndjson::Sample::default()).unwrap();
    assert_eq!(inferred.skipped.len(), 0);
    let columns: Vec<_> = expected
        .schema()
        .fields()
        .iter()
        .map(|f| {
            let found = inferred.columns.iter().find(|c| c.name == *f.name()).unwrap();
            ndjson::Selection::new(&found.name, found.data_type.clone())
        })
        .collect();
    let reader = ndjson::Reader::new(json.as_bytes(), "x", &columns, size).unwrap();
    assert_eq!(whole(&reader.map(Result::unwrap).collect::<Vec<_>>()), expected);

    let options = csv::Options::default();
    let inferred = csv::infer(text.as_bytes(), "x", &options, ndjson::Sample::default()).unwrap();
    let columns: Vec<_> =
        inferred.columns.iter().map(|c| csv::Selection::new(&c.name, c.data_type.clone())).collect();
    let reader = csv::Reader::new(text.as_bytes(), "x", &columns, &options, size).unwrap();
    assert_eq!(whole(&reader.map(Result::unwrap).collect::<Vec<_>>()), expected);

    for options in compressed() {
        let halves = [expected.slice(0, 450), expected.slice(450, ROWS - 450)];
        for bytes in [file(&halves, options.clone()), stream(&halves, options)] {
            assert_eq!(whole(&open(&bytes, None).unwrap()), expected);
        }
    }
}

#[test]
fn projection_reads_the_columns_asked_for() {
    let expected = frame();
    for bytes in [
        file(std::slice::from_ref(&expected), IpcWriteOptions::default()),
        stream(std::slice::from_ref(&expected), IpcWriteOptions::default()),
    ] {
        let names = ["origin".to_owned(), "id".to_owned()];
        assert_eq!(whole(&open(&bytes, Some(&names)).unwrap()), expected.project(&[0, 2]).unwrap());
        let error = open(&bytes, Some(&["orign".to_owned()])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert_eq!(error.to_string(), "`x.arrow`: no column `orign`: did you mean `origin`?");
    }
}

#[test]
fn dictionaries_may_grow_by_deltas() {
    let batch = |values: &[&str]| {
        let mut builder = StringDictionaryBuilder::<Int32Type>::new();
        for value in ["a", "b", "c", "d"].iter().take(values.len()) {
            builder.append(value).unwrap();
        }
        let keys = builder.finish();
        let field = Field::new("v", keys.data_type().clone(), true);
        RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![Arc::new(keys)]).unwrap()
    };
    let batches = [batch(&["a", "b"]), batch(&["a", "b", "c"]), batch(&["a", "b", "c", "d"])];
    let options = IpcWriteOptions::default().with_dictionary_handling(DictionaryHandling::Delta);
    for bytes in [file(&batches, options.clone()), stream(&batches, options)] {
        let found: Vec<_> = open(&bytes, None)
            .unwrap()
            .iter()
            .flat_map(|b| {
                let column = arrow_cast::cast(b.batch.column(0), &DataType::Utf8).unwrap();
                column.as_string::<i32>().iter().map(|v| v.unwrap().to_owned()).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(found.concat(), "ababcabcd");
    }
}

#[test]
fn what_is_cut_off_says_so() {
    let batches = [frame(), frame()];
    let bytes = file(&batches, IpcWriteOptions::default());
    for cut in [bytes.len() - 1, bytes.len() / 2, 100, 8] {
        let error = open(&bytes[..cut], None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{cut}");
        let message = "`x.arrow`: expected an Arrow file with a footer: it may be cut off, copy it again";
        assert_eq!(error.to_string(), message);
        assert!(std::error::Error::source(&error).is_some());
    }

    let bytes = stream(&batches, IpcWriteOptions::default());
    let error = open(&bytes[..bytes.len() * 3 / 4], None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    let message = "`x.arrow`: batch 2 cannot be read: the file may be cut off or damaged, copy it again";
    assert_eq!(error.to_string(), message);

    for junk in [&b""[..], b"x", b"neither of the two formats"] {
        assert_eq!(open(junk, None).unwrap_err().kind(), ErrorKind::Malformed, "{junk:?}");
    }
}

/// A build without SQL takes models that need none, and says what is missing for the others.
#[cfg(not(feature = "sql"))]
#[test]
fn without_sql_expressions_are_refused() {
    use driftlead_connectors::tabular::Prepare;

    let batch = frame();
    let nothing = Prepare::new(None, &[], batch.schema_ref()).unwrap();
    assert_eq!(nothing.apply(&batch).unwrap().batch, batch);
    let refusal = Prepare::new(Some("delay > 0"), &[], batch.schema_ref()).err().unwrap();
    let message = "where: `delay > 0`: this build has no SQL: build with the feature `sql`, or leave out `where:` and \
                   derived columns";
    assert_eq!(refusal.to_string(), message);
}
