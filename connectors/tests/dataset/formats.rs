//! CSV, NDJSON and Arrow files as data sets: the same questions as for Parquet, the same answers.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::writer::FileWriter;
use arrow_schema::DataType;
use driftlead_connectors::dataset::{Dataset, Format, OpenOptions, ReadOptions, Remotes};
use driftlead_connectors::error::ErrorKind;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use super::files::{Folder, batch, failure, flights, integers, open, read, strings};

/// The text of `flights` as CSV.
fn csv(start: i64, rows: usize) -> String {
    let lines = flights_as_text(start, rows).map(|(id, delay, origin)| {
        format!("{id},{},{origin}\n", delay.map_or(String::new(), |delay| delay.to_string()))
    });
    ["id,delay,origin\n".to_owned()].into_iter().chain(lines).collect()
}

fn ndjson(start: i64, rows: usize) -> String {
    flights_as_text(start, rows)
        .map(|(id, delay, origin)| {
            let delay = delay.map_or("null".to_owned(), |delay| delay.to_string());
            format!("{{\"id\": {id}, \"delay\": {delay}, \"origin\": \"{origin}\"}}\n")
        })
        .collect()
}

fn flights_as_text(start: i64, rows: usize) -> impl Iterator<Item = (i64, Option<f64>, &'static str)> {
    let origins = ["ATL", "DEN", "JFK", "LAX", "ORD"];
    (start..).take(rows).map(move |id| {
        (id, (id % 7 != 0).then_some(id as f64 / 10.0), origins[usize::try_from(id).unwrap() % 5])
    })
}

fn arrow(folder: &Folder, name: &str, rows: &RecordBatch) -> String {
    let mut writer = FileWriter::try_new(File::create(folder.path(name)).unwrap(), &rows.schema()).unwrap();
    writer.write(rows).unwrap();
    writer.finish().unwrap();
    folder.text(name)
}

/// The same rows in every format.
fn in_every_format(folder: &Folder, start: i64, rows: usize, name: &str) -> Vec<String> {
    vec![
        folder.parquet(&format!("{name}.parquet"), &flights(start, rows)),
        folder.bytes(&format!("{name}.csv"), csv(start, rows).as_bytes()),
        folder.bytes(&format!("{name}.jsonl"), ndjson(start, rows).as_bytes()),
        arrow(folder, &format!("{name}.arrow"), &flights(start, rows)),
    ]
}

#[test]
fn one_set_of_rows_is_the_same_in_every_format() {
    let folder = Folder::new();
    let formats = [Format::Parquet, Format::Csv, Format::Ndjson, Format::Arrow];
    for (path, format) in in_every_format(&folder, 0, 2500, "a").iter().zip(formats) {
        let data = open(&[path]).unwrap();
        assert_eq!(data.format(), format);
        let types: Vec<&DataType> = data.schema().fields().iter().map(|field| field.data_type()).collect();
        assert_eq!(types, [&DataType::Int64, &DataType::Float64, &DataType::Utf8], "{path}");
        assert_eq!(integers(&data, "id"), (0..2500).collect::<Vec<i64>>(), "{path}");
        assert_eq!(strings(&data, "origin")[6], Some("DEN".to_owned()), "{path}");
        let batches = read(&data, &data.parts()[0], &["origin", "delay"], 1000);
        assert!(batches.iter().all(|batch| batch.num_rows() <= 1000), "{path}");
        let delay = batches[0].column(1).as_primitive::<Float64Type>();
        assert_eq!((delay.value(1), delay.is_null(7)), (0.1, true), "{path}");
        let counted: usize = read(&data, &data.parts()[0], &[], 1000).iter().map(RecordBatch::num_rows).sum();
        assert_eq!(counted, 2500, "{path}");
    }
}

#[test]
fn chosen_rows_of_a_whole_file() {
    let folder = Folder::new();
    for path in in_every_format(&folder, 0, 2500, "a") {
        let data = open(&[&path]).unwrap();
        let ranges = [0..1, 99..101, 700..1300, 2499..2500];
        let expected: Vec<i64> =
            ranges.iter().flat_map(|range| range.start as i64..range.end as i64).collect();
        let batches =
            data.read_rows(&data.parts()[0], &[0], &ranges, &ReadOptions { batch_rows: 100 }).unwrap();
        let ids: Vec<i64> = batches
            .flat_map(|batch| batch.unwrap().column(0).as_primitive::<Int64Type>().values().to_vec())
            .collect();
        assert_eq!(ids, expected, "{path}");
    }
}

#[test]
fn a_whole_file_is_one_part_and_one_group() {
    let folder = Folder::new();
    folder.bytes("k=v/a.csv", csv(0, 10).as_bytes());
    folder.bytes("k=w/a.csv", csv(10, 10).as_bytes());
    let data = open(&[&folder.text("")]).unwrap();
    assert_eq!(data.n_rows(), None);
    let rows: Vec<(Option<u64>, Option<u64>)> =
        data.parts().iter().map(|part| (part.rows, part.first_row)).collect();
    assert_eq!(rows, [(None, Some(0)), (None, None)]);
    assert_eq!(data.column_groups(&data.parts()[0], &[0, 1, 2]).unwrap(), [[0, 1, 2]]);
    assert_eq!(strings(&data, "k")[10], Some("w".to_owned()));
    assert!(data.statistics(&data.parts()[0], 0).unwrap().is_none());
}

#[test]
fn text_is_parsed_into_one_type_for_all_files() {
    let folder = Folder::new();
    folder.bytes("data/a.csv", b"n,s\n1,\n2,\n");
    folder.bytes("data/b.csv", b"n,s\n2.5,\n,\n");
    let data = open(&[&folder.text("data")]).unwrap();
    let batches: Vec<RecordBatch> =
        data.parts().iter().flat_map(|part| read(&data, part, &["n", "s"], 10)).collect();
    for batch in &batches {
        assert_eq!(batch.column(0).data_type(), &DataType::Float64);
        assert_eq!(batch.column(1).data_type(), &DataType::Utf8, "a column without values is one of strings");
    }
    assert_eq!(batches[0].column(0).as_primitive::<Float64Type>().values(), &[1.0, 2.0]);
}

#[test]
fn declared_types_win_and_what_does_not_fit_is_counted() {
    let folder = Folder::new();
    let csv = folder.bytes("a.csv", b"n,zip\n1,01234\nx,99999\n,5\n");
    let json = folder.bytes(
        "a.ndjson",
        b"{\"n\":1,\"zip\":\"01234\"}\n{\"n\":\"x\",\"zip\":\"99999\"}\nnonsense\n{\"zip\":\"5\"}\n",
    );
    let types = BTreeMap::from([("n".to_owned(), DataType::Int32), ("zip".to_owned(), DataType::Utf8)]);
    let options = OpenOptions { types, ..OpenOptions::default() };
    for (path, bad) in [(csv, 0), (json, 1)] {
        let data = Dataset::open(&[path], &options).unwrap();
        assert_eq!(data.schema().field(0).data_type(), &DataType::Int32);
        assert_eq!(strings(&data, "zip")[0], Some("01234".to_owned()));
        let mut batches = data.read(&data.parts()[0], &[1, 0], &ReadOptions::default()).unwrap();
        let decoded = batches.next_decoded().unwrap().unwrap();
        assert_eq!(decoded.batch.num_rows(), 3);
        assert_eq!(decoded.type_error_counts(), [0, 1]);
        assert_eq!(decoded.bad_records.total(), bad);
        assert_eq!(decoded.batch.column(1).null_count(), 2);
    }
}

#[test]
fn json_records_may_leave_keys_out() {
    let folder = Folder::new();
    folder.bytes("data/a.jsonl", b"{\"id\": 1}\n{\"id\": 2}\n");
    folder.bytes("data/b.jsonl", b"{\"id\": 3, \"gate\": \"A\"}\n");
    let data = open(&[&folder.text("data")]).unwrap();
    assert_eq!(integers(&data, "id"), [1, 2, 3]);
    assert_eq!(strings(&data, "gate"), [None, None, Some("A".to_owned())]);

    folder.bytes("tables/a.csv", b"id\n1\n");
    folder.bytes("tables/b.csv", b"id,gate\n3,A\n");
    let message = failure(&[&folder.text("tables")]).to_string();
    assert!(
        message.contains("a.csv` has no column `gate`, which `"),
        "a CSV row has all its fields: {message}"
    );
}

#[test]
fn dictionaries_of_arrow_files_have_wide_keys() {
    let folder = Folder::new();
    let narrow = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::LargeUtf8));
    let array = arrow_cast::cast(flights(0, 10).column(2), &narrow).unwrap();
    let path = arrow(&folder, "a.feather", &batch(vec![("origin", array)]));
    let data = open(&[&path]).unwrap();
    assert_eq!(data.schema().field(0).data_type(), &DataType::Utf8);
    let batches = read(&data, &data.parts()[0], &["origin"], 100);
    let expected = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    assert_eq!(batches[0].column(0).data_type(), &expected);
    assert_eq!(strings(&data, "origin")[9], Some("ORD".to_owned()));
}

#[test]
fn text_in_an_object_store() {
    let store = Arc::new(InMemory::new());
    let put = |key: &str, text: String| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(store.put(&key.into(), text.into())).unwrap();
    };
    // Larger than a block, so that the blocks must join.
    put("data/month=1/a.csv", csv(0, 400_000));
    put("data/month=2/a.csv", csv(400_000, 10));
    let remotes =
        Remotes::new([]).with_store("memory://text", Arc::clone(&store) as Arc<dyn ObjectStore>).unwrap();
    let options = OpenOptions { remotes: Arc::new(remotes), ..OpenOptions::default() };
    let data = Dataset::open(&["memory://text/data".to_owned()], &options).unwrap();
    assert_eq!(integers(&data, "id"), (0..400_010).collect::<Vec<i64>>());
}

#[test]
fn formats_do_not_mix() {
    let folder = Folder::new();
    let a = folder.parquet("data/a.parquet", &flights(0, 1));
    let b = folder.bytes("data/b.csv", csv(1, 1).as_bytes());
    let error = failure(&[&folder.text("data")]);
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert_eq!(
        error.to_string(),
        format!("`{a}` is Parquet and `{b}` is CSV: files of one set must have one format; name them apart")
    );
}

#[test]
fn broken_text_and_arrow_files_are_explained() {
    let folder = Folder::new();
    for (name, expected) in
        [("a.csv", "a header and rows"), ("a.jsonl", "one JSON object a line"), ("a.arrow", "an Arrow file")]
    {
        let path = folder.bytes(name, b"");
        assert_eq!(
            failure(&[&path]).to_string(),
            format!("`{path}` is empty (0 bytes): expected {expected}; remove it or write it again")
        );
    }
    let path = folder.bytes("b.jsonl", b"id,delay\n1,2\n");
    let message = failure(&[&path]).to_string();
    assert!(
        message.starts_with(&format!("`{path}`: none of the first 2 records could be read")),
        "{message}"
    );

    let whole = std::fs::read(arrow(&folder, "whole.arrow", &flights(0, 1000))).unwrap();
    let path = folder.bytes("cut.arrow", &whole[..whole.len() / 2]);
    let error = failure(&[&path]);
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains(&path), "{error}");
}

#[test]
fn formats_without_an_ending_are_known_by_their_first_bytes() {
    let folder = Folder::new();
    let bytes = std::fs::read(arrow(&folder, "a.arrow", &flights(0, 10))).unwrap();
    assert_eq!(open(&[&folder.bytes("arrow", &bytes)]).unwrap().format(), Format::Arrow);
    assert_eq!(
        open(&[&folder.bytes("events.json", ndjson(0, 10).as_bytes())]).unwrap().format(),
        Format::Ndjson
    );
}
