//! Windows and alerts as Parquet.

use std::fs::{self, File};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

fn read(path: &Path) -> (Vec<String>, Vec<RecordBatch>) {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let fields = builder.schema().fields();
    let columns = fields.iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect();
    (columns, builder.build().unwrap().map(Result::unwrap).collect())
}

#[test]
fn windows_and_alerts_become_tables() {
    let folder = folder();
    let mut store = open(&folder);
    let mut model = Model::default();
    for n in 1..=6 {
        let commit = step(&mut store, n);
        store.commit(&commit).unwrap();
        model.apply(&commit);
    }
    let out = folder.path().join("out");
    for _ in 0..2 {
        // Beside the service, and over an older export.
        assert_eq!(export(folder.path(), &out).unwrap(), Exported { windows: 11, alerts: 6 });
    }
    let names: BTreeSet<_> =
        fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(["alerts.parquet".to_owned(), "windows.parquet".to_owned()]));

    let time = "Timestamp(µs, \"UTC\")";
    let (columns, batches) = read(&out.join("windows.parquet"));
    let expected = [
        "id Utf8",
        "revision Int64",
        "model Utf8",
        "version Utf8",
        "window Utf8",
        "segment Utf8",
        &format!("start {time}"),
        &format!("end {time}"),
        "verdict Utf8",
        "final Boolean",
        "newest Boolean",
        &format!("committed {time}"),
        "document Utf8",
    ];
    assert_eq!(columns, expected);
    let mut windows = BTreeMap::new();
    for batch in &batches {
        let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
        let flag = |name: &str| batch.column_by_name(name).unwrap().as_boolean().clone();
        let (id, document, is_final, newest) = (text("id"), text("document"), flag("final"), flag("newest"));
        let revision = batch.column_by_name("revision").unwrap().as_primitive::<Int64Type>();
        let end = batch.column_by_name("end").unwrap().as_primitive::<TimestampMicrosecondType>();
        for i in 0..batch.num_rows() {
            let document = document.is_valid(i).then(|| document.value(i).to_owned());
            assert_eq!(newest.value(i), document.is_some());
            assert_eq!(end.value(i), 3_600_000_000);
            assert!(text("segment").is_null(i));
            let key = (id.value(i).to_owned(), u32::try_from(revision.value(i)).unwrap());
            windows.insert(key, (is_final.value(i), document));
        }
    }
    assert_eq!(windows, model.windows);

    let (columns, batches) = read(&out.join("alerts.parquet"));
    assert_eq!(columns.len(), 14);
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, 6);
    let batch = &batches[0];
    let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
    assert_eq!(
        text("status").iter().map(Option::unwrap).collect::<Vec<_>>(),
        ["resolved"; 5].into_iter().chain(["open"]).collect::<Vec<_>>()
    );
    assert_eq!(text("acknowledged_comment").iter().collect::<Vec<_>>()[..2], [None, Some("seen")]);
    let resolved = batch.column_by_name("resolved").unwrap().as_primitive::<TimestampMicrosecondType>();
    assert_eq!((resolved.value(0), resolved.is_null(5)), (9, true));
}

#[test]
fn large_stores_are_exported_in_groups() {
    let folder = folder();
    let mut store = open(&folder);
    // Texts that no compression makes small, 60 MB in all.
    let mut random: u64 = 7;
    for now in 0..60 {
        let mut commit = Commit { now, ..Commit::default() };
        for i in 0..10 {
            let text: String = (0..100_000)
                .map(|_| {
                    random = random
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    char::from(33 + ((random >> 57) as u8) % 94)
                })
                .collect();
            commit.windows.push(Window { document: text, ..window(&format!("w{now}.{i}"), 0) });
        }
        store.commit(&commit).unwrap();
    }
    let out = folder.path().join("out");
    assert_eq!(export(folder.path(), &out).unwrap().windows, 600);
    let file = File::open(out.join("windows.parquet")).unwrap();
    let groups = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().metadata().num_row_groups();
    assert!(groups > 1, "{groups} group");
    let (_, batches) = read(&out.join("windows.parquet"));
    let ids = batches.iter().flat_map(|batch| {
        batch
            .column_by_name("id")
            .unwrap()
            .as_string::<i32>()
            .iter()
            .map(|id| id.unwrap().to_owned())
            .collect::<Vec<_>>()
    });
    assert_eq!(ids.collect::<BTreeSet<_>>().len(), 600);
}

#[test]
fn where_it_cannot_write_it_says_so() {
    let folder = folder();
    drop(open(&folder));
    fs::write(folder.path().join("file"), "x").unwrap();
    let error = export(folder.path(), &folder.path().join("file")).unwrap_err();
    assert!(error.to_string().contains("cannot be written"), "{error}");
    let empty = super::folder();
    let error = export(empty.path(), &empty.path().join("out")).unwrap_err();
    assert!(error.to_string().contains("holds no store"), "{error}");
}
