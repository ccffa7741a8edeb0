//! What a person types: files, directories, globs, partitions, URLs.

use driftlead_connectors::dataset::{Dataset, OpenOptions};
use driftlead_connectors::error::ErrorKind;

use super::files::{Folder, batch, failure, flights, integers, open, strings};

fn names(data: &Dataset, folder: &Folder) -> Vec<String> {
    let root = folder.text("");
    data.files().map(|file| file.name().strip_prefix(&root).unwrap_or(file.name()).to_owned()).collect()
}

#[test]
fn one_file() {
    let folder = Folder::new();
    let path = folder.parquet("a.parquet", &flights(0, 10));
    let data = open(&[&path]).unwrap();
    assert_eq!(data.n_rows(), Some(10));
    assert_eq!(data.parts().len(), 1);
    assert_eq!(integers(&data, "id"), (0..10).collect::<Vec<i64>>());
    assert_eq!(data.n_bytes(), std::fs::metadata(&path).unwrap().len());
}

#[test]
fn files_are_sorted_and_taken_once() {
    let folder = Folder::new();
    let b = folder.parquet("b.parquet", &flights(10, 10));
    let a = folder.parquet("a.parquet", &flights(0, 10));
    let again = folder.text("./a.parquet");
    let glob = folder.text("*.parquet");
    let data = open(&[&b, &glob, &a, &again]).unwrap();
    assert_eq!(data.files().len(), 2);
    assert_eq!(integers(&data, "id"), (0..20).collect::<Vec<i64>>());
    let first_rows: Vec<Option<u64>> = data.parts().iter().map(|part| part.first_row).collect();
    assert_eq!(first_rows, [Some(0), Some(10)]);
}

#[test]
fn a_directory_is_read_recursively_without_bookkeeping() {
    let folder = Folder::new();
    folder.parquet("data/x/b.parquet", &flights(10, 10));
    folder.parquet("data/a.PARQUET", &flights(0, 10));
    folder.parquet("data/part-00000", &flights(20, 5));
    folder.parquet("data/_temporary/c.parquet", &flights(90, 10));
    folder.parquet("data/.hidden/c.parquet", &flights(90, 10));
    folder.bytes("data/_SUCCESS", b"");
    folder.bytes("data/.a.parquet.crc", b"crc");
    folder.bytes("data/README.md", b"# about");
    let data = open(&[&folder.text("data")]).unwrap();
    assert_eq!(names(&data, &folder), ["data/a.PARQUET", "data/part-00000", "data/x/b.parquet"]);
    assert_eq!(data.n_rows(), Some(25));
    let slash = open(&[&folder.text("data/")]).unwrap();
    assert_eq!(names(&slash, &folder), names(&data, &folder));
}

#[test]
fn globs_select() {
    let folder = Folder::new();
    for month in 1..=4 {
        folder.parquet(&format!("y=1/m=0{month}/a.parquet"), &flights(month, 1));
    }
    folder.parquet("y=1/m=01/deep/er/b.parquet", &flights(9, 1));
    let ids = |pattern: &str| integers(&open(&[&folder.text(pattern)]).unwrap(), "id");
    assert_eq!(ids("y=1/m=0[12]/*.parquet"), [1, 2]);
    assert_eq!(ids("y=1/m=0{1,4}/*.parquet"), [1, 4]);
    assert_eq!(ids("y=1/m=0?/a.*"), [1, 2, 3, 4]);
    assert_eq!(ids("y=1/**/*.parquet"), [1, 9, 2, 3, 4]);
    assert_eq!(ids("*/m=03/*"), [3]);
}

#[test]
fn a_file_whose_name_looks_like_a_glob_is_that_file() {
    let folder = Folder::new();
    let path = folder.parquet("a[1].parquet", &flights(5, 1));
    folder.parquet("a1.parquet", &flights(6, 1));
    assert_eq!(integers(&open(&[&path]).unwrap(), "id"), [5]);
}

#[test]
fn a_file_url_is_a_path() {
    let folder = Folder::new();
    let path = folder.parquet("with space.parquet", &flights(5, 1));
    let url = format!("file://{}", path.replace(' ', "%20"));
    assert_eq!(integers(&open(&[&url]).unwrap(), "id"), [5]);
}

#[test]
fn partitions_become_columns() {
    let folder = Folder::new();
    folder.parquet("data/month=2001-01/origin=A%2FB/a.parquet", &batch_without_origin(0, 2));
    folder.parquet(
        "data/month=2001-02/origin=__HIVE_DEFAULT_PARTITION__/a.parquet",
        &batch_without_origin(2, 1),
    );
    let data = open(&[&folder.text("data")]).unwrap();
    let fields: Vec<&str> = data.schema().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(fields, ["id", "month", "origin"]);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(strings(&data, "month"), [some("2001-01"), some("2001-01"), some("2001-02")]);
    assert_eq!(strings(&data, "origin"), [some("A/B"), some("A/B"), None]);

    // Chosen by the person, the month is no column: it would differ from any baseline's.
    let month = open(&[&folder.text("data/month=2001-01")]).unwrap();
    assert_eq!(month.column("month"), None);
    assert_eq!(strings(&month, "origin"), [some("A/B"), some("A/B")]);
}

#[test]
fn a_column_of_the_file_wins_over_a_partition_of_its_name() {
    let folder = Folder::new();
    folder.parquet("data/id=7/a.parquet", &batch_without_origin(3, 1));
    let data = open(&[&folder.text("data")]).unwrap();
    assert_eq!(integers(&data, "id"), [3]);
}

fn batch_without_origin(start: i64, rows: usize) -> arrow_array::RecordBatch {
    batch(vec![("id", flights(start, rows).column(0).clone())])
}

#[test]
fn named_columns_are_all_that_must_agree() {
    let folder = Folder::new();
    folder.parquet("data/a.parquet", &flights(0, 2));
    folder.parquet("data/b.parquet", &batch_without_origin(2, 2));
    let options = OpenOptions { columns: Some(vec!["id".to_owned()]), ..OpenOptions::default() };
    let data = Dataset::open(&[folder.text("data")], &options).unwrap();
    assert_eq!(integers(&data, "id"), [0, 1, 2, 3]);
    assert_eq!(data.schema().fields().len(), 1);

    let options = OpenOptions { columns: Some(vec!["gate".to_owned()]), ..OpenOptions::default() };
    let error = Dataset::open(&[folder.text("data/a.parquet")], &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`{}` has no column `gate`: it has `id`, `delay`, `origin`", folder.text("data/a.parquet"))
    );
}

#[test]
fn nothing_found_is_explained() {
    let folder = Folder::new();
    folder.bytes("empty/README.md", b"");
    folder.bytes("empty/_SUCCESS", b"");
    let missing = folder.text("none.parquet");
    let error = failure(&[&missing]);
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert_eq!(
        error.to_string(),
        format!("`{missing}` does not exist: expected a file, a directory, a glob or a URL")
    );

    let glob = folder.text("empty/*.parquet");
    let message = failure(&[&glob]).to_string();
    assert!(message.starts_with(&format!("no file matches `{glob}`: check the pattern")), "{message}");

    let glob = folder.text("gone/*.parquet");
    let message = failure(&[&glob]).to_string();
    assert_eq!(
        message,
        format!("no file matches `{glob}`: there is no directory `{}`", folder.text("gone/"))
    );

    let message = failure(&[&folder.text("empty")]).to_string();
    assert!(
        message.starts_with(&format!("directory `{}` holds no data file:", folder.text("empty"))),
        "{message}"
    );
    assert!(message.contains(".parquet"), "{message}");

    assert!(failure(&[]).to_string().starts_with("no input"));
    assert!(failure(&[""]).to_string().starts_with("an input path is empty"));
}

#[test]
fn odd_urls_are_explained() {
    let message = failure(&["ftp://host/a.parquet"]).to_string();
    assert!(
        message.starts_with("`ftp://host/a.parquet`: scheme `ftp` is not supported; expected"),
        "{message}"
    );
    let message = failure(&["az:///a.parquet"]).to_string();
    assert!(message.starts_with("`az:///a.parquet` names no container"), "{message}");
    let message = failure(&["file://a.parquet"]).to_string();
    assert!(message.contains("must be absolute"), "{message}");
}

#[test]
fn a_delta_table_is_not_read_as_plain_files() {
    let folder = Folder::new();
    folder.parquet("table/a.parquet", &flights(0, 1));
    folder.bytes("table/_delta_log/00000000000000000000.json", b"{}");
    let message = failure(&[&folder.text("table")]).to_string();
    assert!(message.starts_with(&format!("`{}` is a Delta table:", folder.text("table"))), "{message}");
}

#[cfg(unix)]
#[test]
fn a_loop_of_links_ends() {
    let folder = Folder::new();
    folder.parquet("data/a.parquet", &flights(0, 1));
    std::os::unix::fs::symlink(folder.text("data"), folder.text("data/again")).unwrap();
    let data = open(&[&folder.text("data")]).unwrap();
    assert_eq!(names(&data, &folder), ["data/a.parquet"]);
}
