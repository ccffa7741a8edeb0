//! A baseline file: what is written is read, any Parquet reader opens it, and other files are told from it.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use driftlead_connectors::baseline_file::{self, FeatureRow, Replaces};
use driftlead_connectors::dataset::Remotes;
use driftlead_connectors::error::ErrorKind;
use object_store::memory::InMemory;
use parquet::file::metadata::KeyValue;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::files::{Folder, flights};

fn rows() -> Vec<FeatureRow> {
    vec![
        FeatureRow {
            feature: "delay".to_owned(),
            segment: None,
            kind: "numeric".to_owned(),
            data_type: "Float64".to_owned(),
            rows: 1000,
            nulls: 3,
            nans: 1,
            min: Some(-0.0),
            max: Some(f64::INFINITY),
            mean: Some(12.5),
            sd: None,
            labels: vec![],
            edges: vec![f64::NEG_INFINITY, -1.5, 0.1 + 0.2, f64::MAX],
            counts: vec![0, 10, 990, u64::from(u32::MAX), 1 << 60],
            state: vec![0, 255, 1, 2],
        },
        FeatureRow {
            feature: "origin".to_owned(),
            segment: Some(r#"{"origin":null}"#.to_owned()),
            kind: "categorical".to_owned(),
            data_type: "Utf8".to_owned(),
            rows: 2,
            labels: vec!["ATL".to_owned(), String::new(), "é\u{0}".to_owned()],
            counts: vec![1, 1, 0],
            ..FeatureRow::default()
        },
    ]
}

fn metadata() -> BTreeMap<String, String> {
    [("driftlead.id", "abc"), ("driftlead.model", "flights")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into()
}

#[test]
fn what_is_written_is_read() {
    let folder = Folder::new();
    let path = folder.text("flights.baseline.parquet");
    let remotes = Remotes::default();
    baseline_file::write(&path, Replaces::Nothing, &[], &BTreeMap::new(), &remotes).unwrap();
    baseline_file::write(&path, Replaces::Nothing, &rows(), &metadata(), &remotes).unwrap();
    let (read, meta) = baseline_file::read(&path, &remotes).unwrap();
    assert_eq!(read, rows());
    assert_eq!(read[0].min.map(f64::to_bits), Some((-0.0f64).to_bits()));
    assert_eq!(meta, metadata());
    assert!(baseline_file::is_baseline(&path, &remotes).unwrap());
    let left: Vec<_> =
        std::fs::read_dir(folder.text("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["flights.baseline.parquet"], "no temporary file is left");
}

#[test]
fn an_object_store_holds_it_too() {
    let remotes = Remotes::default().with_store("memory://test", Arc::new(InMemory::new())).unwrap();
    let url = "memory://test/models/flights.parquet";
    baseline_file::write(url, Replaces::Nothing, &rows(), &metadata(), &remotes).unwrap();
    assert_eq!(baseline_file::read(url, &remotes).unwrap(), (rows(), metadata()));
}

/// What is no baseline is written over neither on disk nor in a store, and that is known before there is anything to write.
#[test]
fn only_a_baseline_is_written_over() {
    let store = Arc::new(InMemory::new());
    let remotes = Remotes::default().with_store("memory://test", Arc::clone(&store) as _).unwrap();
    let folder = Folder::new();
    let raw = folder.parquet("raw.parquet", &flights(0, 10));
    folder.bytes("notes.txt", b"notes");
    folder.bytes("empty", b"");
    std::fs::create_dir(folder.text("models")).unwrap();
    for name in ["raw.parquet", "notes.txt", "empty", "models/kept"] {
        let path = if name == "models/kept" { &raw } else { &folder.text(name) };
        super::azurite::upload(store.as_ref(), name, path);
    }
    for base in [folder.text(""), "memory://test/".to_owned()] {
        let place = |name: &str| format!("{}/{name}", base.trim_end_matches('/'));
        let refused = |name: &str| {
            let error = baseline_file::look(&place(name), &remotes).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error}");
            error.to_string()
        };
        for name in ["raw.parquet", "notes.txt", "empty"] {
            let other = place(name);
            assert_eq!(
                refused(name),
                format!(
                    "`{other}` exists and is no baseline file: it is not written over; choose another name, or remove it \
                     first"
                )
            );
        }
        assert_eq!(refused("models"), format!("`{}` is a folder: name a file in it", place("models")));

        let free = place("b.parquet");
        assert_eq!(baseline_file::look(&free, &remotes).unwrap(), Replaces::Nothing);
        baseline_file::write(&free, Replaces::Nothing, &[], &BTreeMap::new(), &remotes).unwrap();
        assert_eq!(baseline_file::look(&free, &remotes).unwrap(), Replaces::Baseline);
        baseline_file::write(&free, Replaces::Baseline, &rows(), &metadata(), &remotes).unwrap();
        assert_eq!(baseline_file::read(&free, &remotes).unwrap(), (rows(), metadata()));
    }
    let refused = |url: &str| baseline_file::look(url, &remotes).unwrap_err().to_string();
    assert_eq!(refused("memory://test/m/"), "`memory://test/m/` is a folder: name a file in it");
    assert_eq!(refused("memory://test"), "`memory://test` is a folder: name a file in it");
    assert_eq!(refused("memory://test/*.p"), "`memory://test/*.p` is a pattern: name the one file to write");

    // Looked at, and then somebody else was faster.
    let late = "memory://test/raw.parquet";
    let error = baseline_file::write(late, Replaces::Nothing, &rows(), &metadata(), &remotes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(
        error.to_string().starts_with(&format!("`{late}` appeared while the baseline was made: ")),
        "{error}"
    );
    assert!(!baseline_file::is_baseline(late, &remotes).unwrap(), "what was there is there");
}

/// The row reader of the Parquet crate knows nothing of Arrow: what it reads, pandas and pyarrow read.
#[test]
fn a_plain_reader_opens_it() {
    let folder = Folder::new();
    let path = folder.text("b.parquet");
    baseline_file::write(&path, Replaces::Nothing, &rows(), &metadata(), &Remotes::default()).unwrap();
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap();
    assert!(pairs.contains(&KeyValue::new("driftlead.baseline".to_owned(), "1".to_owned())));
    let json: Vec<serde_json::Value> =
        reader.get_row_iter(None).unwrap().map(|row| plain(&row.unwrap())).collect();
    assert_eq!(json[0]["feature"], "delay");
    assert_eq!(json[0]["rows"], 1000);
    assert_eq!(json[0]["counts"][2], 990);
    assert_eq!(json[0]["edges"][1], -1.5);
    assert_eq!(json[0]["segment"], serde_json::Value::Null);
    assert_eq!(json[1]["labels"], serde_json::json!(["ATL", "", "é\u{0}"]));
    assert_eq!(json[1]["segment"], r#"{"origin":null}"#);
}

fn plain(row: &parquet::record::Row) -> serde_json::Value {
    use parquet::record::Field;
    fn value(field: &Field) -> serde_json::Value {
        match field {
            Field::Str(text) => text.as_str().into(),
            Field::Long(number) => (*number).into(),
            Field::Double(number) => (*number).into(),
            Field::Bytes(bytes) => bytes.data().into(),
            Field::ListInternal(list) => list.elements().iter().map(value).collect(),
            Field::Null => serde_json::Value::Null,
            other => panic!("unexpected {other:?}"),
        }
    }
    row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
}

#[test]
fn other_files_are_told_from_it() {
    let folder = Folder::new();
    let remotes = Remotes::default();
    let raw = folder.parquet("raw.parquet", &flights(0, 10));
    let error = baseline_file::read(&raw, &remotes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    let message = error.to_string();
    assert!(message.starts_with(&format!("`{raw}` is a Parquet file but no baseline file")), "{message}");
    assert!(message.contains("`driftlead baseline`"), "{message}");
    assert!(!baseline_file::is_baseline(&raw, &remotes).unwrap());
    assert!(!baseline_file::is_baseline(&folder.text(""), &remotes).unwrap() || folder.text("").is_empty());

    let csv = folder.bytes("a.csv", b"id,delay\n1,2\n");
    assert!(!baseline_file::is_baseline(&csv, &remotes).unwrap());
    let message = baseline_file::read(&csv, &remotes).unwrap_err().to_string();
    assert!(message.contains("is not a Parquet file"), "{message}");

    let gone = folder.text("gone.parquet");
    let message = baseline_file::is_baseline(&gone, &remotes).unwrap_err().to_string();
    assert!(message.starts_with(&format!("`{gone}` does not exist")), "{message}");
}

#[test]
fn a_newer_layout_asks_for_an_update() {
    let folder = Folder::new();
    let path = folder.parquet_with("b.parquet", &flights(0, 1), |properties| {
        properties.set_key_value_metadata(Some(vec![KeyValue::new(
            "driftlead.baseline".to_owned(),
            "2".to_owned(),
        )]))
    });
    let message = baseline_file::read(&path, &Remotes::default()).unwrap_err().to_string();
    assert_eq!(
        message,
        format!(
            "`{path}` is a baseline file of layout 2, and this driftlead knows up to 1: update driftlead, or make the \
             baseline again with this one"
        )
    );
}

#[test]
fn a_damaged_file_is_explained() {
    let folder = Folder::new();
    let path = folder.parquet_with("b.parquet", &flights(0, 1), |properties| {
        properties.set_key_value_metadata(Some(vec![KeyValue::new(
            "driftlead.baseline".to_owned(),
            "1".to_owned(),
        )]))
    });
    let error = baseline_file::read(&path, &Remotes::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(
        error
            .to_string()
            .starts_with(&format!("baseline file `{path}` is damaged: column `feature` is missing")),
        "{error}"
    );
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = Folder::new();
    let path = folder.text("no/such/folder/b.parquet");
    let message = baseline_file::write(&path, Replaces::Nothing, &rows(), &metadata(), &Remotes::default())
        .unwrap_err()
        .to_string();
    assert_eq!(message, format!("`{path}` cannot be written: its folder does not exist; create it first"));
}
