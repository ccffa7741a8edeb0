//! Broken files and sets that do not fit together: each message names the file, what was expected, and what to do.

use std::fs;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, NullArray, StringArray};
use arrow_schema::DataType;
use driftlead_connectors::dataset::ReadOptions;
use driftlead_connectors::error::ErrorKind;
use parquet::basic::Compression;

use super::files::{Folder, batch, failure, flights, open, read};

#[test]
fn an_empty_file() {
    let folder = Folder::new();
    let path = folder.bytes("a.parquet", b"");
    let error = failure(&[&path]);
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert_eq!(
        error.to_string(),
        format!("`{path}` is empty (0 bytes): expected a Parquet file; remove it or write it again")
    );
}

#[test]
fn not_a_parquet_file() {
    let folder = Folder::new();
    let path = folder.bytes("a.parquet", b"id,delay,origin\n1,2.0,ATL\n");
    let message = failure(&[&path]).to_string();
    assert!(
        message.starts_with(&format!(
            "`{path}` is not a Parquet file: expected it to begin and end with `PAR1`, found `id,d`"
        )),
        "{message}"
    );
    let path = folder.bytes("b.parquet", b"PAR1");
    assert!(failure(&[&path]).to_string().contains("is not a Parquet file"));
}

#[test]
fn an_unknown_format() {
    let folder = Folder::new();
    let path = folder.bytes("a.docx", b"PK\x03\x04rest");
    let message = failure(&[&path]).to_string();
    assert!(
        message.starts_with(&format!("`{path}` has no known format: its name ends in none of .parquet")),
        "{message}"
    );
    assert!(message.contains(r"begins with `PK\x03\x04"), "{message}");
}

#[test]
fn a_cut_off_file() {
    let folder = Folder::new();
    let whole = fs::read(folder.parquet("whole.parquet", &flights(0, 1000))).unwrap();
    let path = folder.bytes("cut.parquet", &whole[..whole.len() - 100]);
    let message = failure(&[&path]).to_string();
    assert!(
        message.starts_with(&format!("`{path}` is truncated: it begins as a Parquet file but its end")),
        "{message}"
    );
    assert!(message.ends_with("copy or write it again"), "{message}");
}

#[test]
fn a_row_group_that_is_not_there() {
    let folder = Folder::new();
    let whole = fs::read(folder.parquet("whole.parquet", &flights(0, 100_000))).unwrap();
    // The end of the file with its footer, and little before it: the footer points at bytes that are gone.
    let bytes = [b"PAR1", &whole[whole.len() - 2000..]].concat();
    let path = folder.bytes("rump.parquet", &bytes);
    let error = failure(&[&path]);
    assert_eq!(error.kind(), ErrorKind::Malformed);
    let message = error.to_string();
    assert!(
        message.starts_with(&format!(
            "`{path}` is truncated or corrupt: row group 1 of 1, column `id` should lie at bytes"
        )),
        "{message}"
    );
    assert!(message.contains(&format!("but the file has only {}", bytes.len())), "{message}");
}

#[test]
fn an_encrypted_file() {
    let folder = Folder::new();
    let path = folder.bytes("a.parquet", b"PARE0123456789PARE");
    let message = failure(&[&path]).to_string();
    assert!(message.starts_with(&format!("`{path}` is an encrypted Parquet file")), "{message}");
}

#[test]
fn a_corrupt_footer() {
    let folder = Folder::new();
    let mut bytes = fs::read(folder.parquet("whole.parquet", &flights(0, 1000))).unwrap();
    let end = bytes.len();
    bytes[end - 300..end - 50].fill(0xff);
    let path = folder.bytes("bad.parquet", &bytes);
    let message = failure(&[&path]).to_string();
    assert!(
        message.starts_with(&format!("`{path}` is a corrupt Parquet file: its footer cannot be read")),
        "{message}"
    );
    assert!(message.ends_with("copy or write it again"), "{message}");
}

#[test]
fn corrupt_pages_name_file_row_group_and_column() {
    let folder = Folder::new();
    let path = folder.parquet_with("a.parquet", &flights(0, 3000), |properties| {
        properties
            .set_max_row_group_row_count(Some(1000))
            .set_dictionary_enabled(false)
            .set_compression(Compression::ZSTD(Default::default()))
    });
    let data = open(&[&path]).unwrap();
    let [.., last] = data.parts() else { panic!("three row groups") };
    // The last row group is the last thing before the footer: damage the compressed bytes of its columns.
    let mut bytes = fs::read(&path).unwrap();
    let footer = u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap()) as usize;
    let end = bytes.len() - 8 - footer;
    bytes[end - usize::try_from(last.bytes).unwrap()..end - 600].fill(0xa5);
    let path = folder.bytes("bad.parquet", &bytes);
    let data = open(&[&path]).unwrap();
    let parts = data.parts();
    assert_eq!(read(&data, &parts[0], &["id"], 1000).len(), 1, "the other row groups are sound");
    let mut batches = data.read(&parts[2], &[0], &ReadOptions::default()).unwrap();
    let error = batches.next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    let message = error.to_string();
    assert!(
        message.starts_with(&format!("`{path}`, row group 3 of 3, column `id` cannot be decoded: ")),
        "{message}"
    );
    assert!(message.ends_with("copy or write it again"), "{message}");
    assert!(batches.next().is_none(), "nothing follows an error");
}

/// Wherever a byte is wrong, reading ends in an error or in rows, never in a panic or a loop.
#[test]
fn no_damage_takes_the_process_with_it() {
    let folder = Folder::new();
    let whole = fs::read(folder.parquet_with("whole.parquet", &flights(0, 500), |properties| {
        properties
            .set_compression(Compression::SNAPPY)
            .set_data_page_row_count_limit(100)
            .set_write_batch_size(50)
    }))
    .unwrap();
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut failed = 0;
    for position in (4..whole.len()).step_by(11) {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x55;
        let path = folder.bytes("bad.parquet", &bytes);
        let outcome = open(&[&path]).and_then(|data| {
            for part in data.parts() {
                for batch in data.read(part, &[0, 1, 2], &ReadOptions::default())? {
                    batch?;
                }
            }
            Ok(())
        });
        if let Err(error) = outcome {
            failed += 1;
            assert!(error.to_string().contains("bad.parquet"), "byte {position}: {error}");
        }
    }
    std::panic::set_hook(quiet);
    assert!(failed > 30, "only {failed} of the damages were seen");
}

#[test]
fn a_file_that_changes_while_it_is_read() {
    let folder = Folder::new();
    let path = folder.parquet("a.parquet", &flights(0, 1000));
    let data = open(&[&path]).unwrap();
    folder.parquet("a.parquet", &flights(0, 2000));
    let error = data.read(&data.parts()[0], &[0], &ReadOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert_eq!(
        error.to_string(),
        format!("`{path}` changed while it was being read: run again once it is written completely")
    );
}

#[cfg(unix)]
#[test]
fn an_unreadable_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.parquet("a.parquet", &flights(0, 10));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser may read everything; then there is nothing to see.
    if fs::File::open(&path).is_err() {
        let error = failure(&[&path]);
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert_eq!(
            error.to_string(),
            format!("`{path}` cannot be read: permission denied; allow this user to read it")
        );
    }
    // A folder in the place of a file's folder is unreadable for everyone.
    let below = format!("{path}/b.parquet");
    let message = failure(&[&below]).to_string();
    assert!(message.starts_with(&format!("`{below}` cannot be read: ")), "{message}");
}

#[test]
fn a_column_of_another_logical_type() {
    let folder = Folder::new();
    let a = folder
        .parquet("a.parquet", &batch(vec![("delay", Arc::new(Float64Array::from(vec![1.0])) as ArrayRef)]));
    let b = folder
        .parquet("b.parquet", &batch(vec![("delay", Arc::new(StringArray::from(vec!["1"])) as ArrayRef)]));
    let error = failure(&[&a, &b]);
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert_eq!(
        error.to_string(),
        format!(
            "column `delay` is `Float64` in `{a}` and `string` in `{b}`: files of one set must agree; convert one of \
             them, or check them apart"
        )
    );
}

#[test]
fn a_column_that_one_file_lacks() {
    let folder = Folder::new();
    let a = folder.parquet("a.parquet", &flights(0, 1));
    let b = folder.parquet("b.parquet", &flights(1, 1).project(&[0, 2]).unwrap());
    let c = folder.parquet("c.parquet", &flights(1, 1));
    for inputs in [[a.as_str(), b.as_str()], [b.as_str(), c.as_str()]] {
        let message = failure(&inputs).to_string();
        let other = if inputs[0] == a { &a } else { &c };
        assert!(
            message.starts_with(&format!(
                "`{b}` has no column `delay`, which `{other}` has: files of one set must"
            )),
            "{message}"
        );
    }
}

#[test]
fn widths_may_differ_and_stay_native() {
    let folder = Folder::new();
    let column = |array: ArrayRef| batch(vec![("n", array)]);
    folder.parquet("data/a.parquet", &column(Arc::new(Int32Array::from(vec![1, 2]))));
    folder.parquet("data/b.parquet", &column(Arc::new(Int64Array::from(vec![3]))));
    folder.parquet("data/c.parquet", &column(Arc::new(NullArray::new(2))));
    let data = open(&[&folder.text("data")]).unwrap();
    assert_eq!(data.schema().field(0).data_type(), &DataType::Int64);
    let batches: Vec<_> = data.parts().iter().flat_map(|part| read(&data, part, &["n"], 10)).collect();
    let types: Vec<DataType> = batches.iter().map(|batch| batch.column(0).data_type().clone()).collect();
    assert_eq!(types, [DataType::Int32, DataType::Int64, DataType::Int64]);
    assert_eq!(batches[2].column(0).null_count(), 2);
}

#[test]
fn integers_with_a_gap_are_floats_in_one_file() {
    let folder = Folder::new();
    folder.parquet("data/a.parquet", &batch(vec![("n", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]));
    let gap = Float64Array::from(vec![Some(1.0), None]);
    folder.parquet("data/b.parquet", &batch(vec![("n", Arc::new(gap) as ArrayRef)]));
    assert_eq!(open(&[&folder.text("data")]).unwrap().schema().field(0).data_type(), &DataType::Float64);

    let flag = BooleanArray::from(vec![true]);
    folder.parquet("data/c.parquet", &batch(vec![("n", Arc::new(flag) as ArrayRef)]));
    let message = failure(&[&folder.text("data")]).to_string();
    assert!(message.starts_with("column `n` is `Float64` in `"), "{message}");
    assert!(message.contains("and `Boolean` in `"), "{message}");
    assert!(
        message.contains("b.parquet") && message.contains("c.parquet"),
        "both files are named: {message}"
    );
}

#[test]
fn files_without_rows_are_no_error() {
    let folder = Folder::new();
    let a = folder.parquet("a.parquet", &flights(0, 0));
    let b = folder.parquet("b.parquet", &flights(0, 3));
    let data = open(&[&a]).unwrap();
    assert_eq!((data.n_rows(), data.parts().len()), (Some(0), 0));
    let data = open(&[&a, &b]).unwrap();
    assert_eq!((data.n_rows(), data.parts().len()), (Some(3), 1));
}
