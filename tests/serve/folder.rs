//! A folder in which files arrive: what `check` says of them, and a dead letter for each line that is no row.

use std::fmt::Write as _;

use super::rows::{self, BEGIN, Row};
use super::same::{assert_finals, checked_file, end_of, finals};
use super::service;
use crate::support::folder::{Folder, floats, texts, times};
use crate::support::service::{Service, eventually, metric};

pub(super) const SOURCE: &str = "{files: {path: ./in, every: 50ms}, dead_letter: {file: ./dead.ndjson}}";

/// Rows as a Parquet file that appears under its name at once, as one who writes snapshots makes it; without some columns.
pub(super) fn arrives(folder: &Folder, name: &str, rows: &[Row], without: &[&str]) {
    let values: Vec<serde_json::Value> =
        rows.iter().map(|row| serde_json::from_str(&row.json).expect("JSON")).collect();
    let y = arrow_array::Int64Array::from_iter(values.iter().map(|value| value["y"].as_i64()));
    let mut columns: Vec<(&str, arrow_array::ArrayRef)> = vec![
        ("ts", times(rows.iter().map(|row| row.time))),
        ("y", std::sync::Arc::new(y)),
        ("c", texts(values.iter().map(|value| value["c"].as_str()))),
    ];
    columns.push(("x", floats(values.iter().map(|value| value["x"].as_f64()))));
    columns.retain(|(name, _)| !without.contains(name));
    let path = folder.parquet("part.parquet", columns);
    std::fs::rename(path, folder.path(&format!("in/{name}"))).expect("moved");
}

pub(super) fn has_final_until(folder: &Folder, until: i64) -> bool {
    finals(folder).values().any(|window| end_of(window) >= until)
}

/// The border of windows of ten minutes at or before the end of all that these rows make final.
pub(super) fn border(rows: &[Row]) -> i64 {
    let newest = rows.iter().map(|row| row.time).max().expect("rows");
    (newest - 120_000_000).div_euclid(600_000_000) * 600_000_000
}

#[test]
fn parquet_files_that_arrive_while_it_runs_give_what_check_gives() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("in")).expect("a folder");
    service(&folder, SOURCE, "");
    let rows = rows::rows(40_000, 4, 30, 201);
    // The second file has several row groups, and one is in it when the power fails.
    let (first, rest) = rows.split_at(4_000);
    let (second, third) = rest.split_at(26_000);
    arrives(&folder, "a.parquet", first, &[]);
    let mut running = Service::start(&folder, &[]);
    running.wait_for("caught up");
    arrives(&folder, "b.parquet", second, &[]);
    let until = border(&rows[..30_000]);
    eventually("some of the second file is counted", || has_final_until(&folder, BEGIN + 3_600_000_000));
    running.kill();
    let mut running = Service::start(&folder, &[]);
    // All may be final already: what is asked to end before it listens ends otherwise.
    running.wait_for("listening");
    eventually("the second file is counted", || has_final_until(&folder, until));
    running.stop_well();
    arrives(&folder, "c.parquet", third, &[]);
    let mut running = Service::start(&folder, &[]);
    running.wait_for("listening");
    let until = border(&rows);
    eventually("the third file is counted", || has_final_until(&folder, until));
    running.stop_well();
    // Idle, it has closed up to its newest row.
    let end = finals(&folder).values().map(end_of).max().expect("windows");
    assert_finals(&folder, &checked_file(&folder, &folder.path("in")), end);
}

#[test]
fn a_line_that_is_no_row_is_a_dead_letter_with_its_file_and_line() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("in")).expect("a folder");
    service(&folder, SOURCE, "");
    let rows = rows::rows(3_000, 3, 30, 202);
    // More bad lines than a batch holds, and more than are examples.
    let mut text = String::new();
    for row in &rows[..1_500] {
        writeln!(text, "{}", row.json).expect("written");
    }
    text.push_str(&"{\n".repeat(1_500));
    folder.write("in/a.ndjson", text);
    let mut text = "ts,x,y,c\n".to_owned();
    for (at, row) in rows[1_500..].iter().enumerate() {
        let value: serde_json::Value = serde_json::from_str(&row.json).expect("JSON");
        let word = |key: &str| value[key].as_str().expect("text").to_owned();
        writeln!(text, "{},{},{},{}", word("ts"), value["y"], value["y"], word("c")).expect("written");
        if at % 500 == 0 {
            text.push_str("1,2\n");
        }
    }
    folder.write("in/b.csv", text);
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    eventually("both files are counted", || {
        metric(&address, "driftlead_source_bad_records_total") == 1_503
            && has_final_until(&folder, border(&rows))
    });
    running.stop_well();
    let dead = std::fs::read_to_string(folder.path("dead.ndjson")).expect("dead letters");
    let mut places: Vec<(String, String, u64)> = Vec::new();
    for line in dead.lines() {
        let letter: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let file = letter["file"].as_str().expect("a file");
        let name = file.rsplit('/').next().expect("a name").to_owned();
        let reason = letter["reason"].as_str().expect("a reason").to_owned();
        places.push((name, reason, letter["line"].as_u64().expect("a line")));
    }
    let json = (1_501..=3_000).map(|line| ("a.ndjson".to_owned(), "truncated".to_owned(), line));
    let csv = [3, 504, 1_005].map(|line| ("b.csv".to_owned(), "ragged".to_owned(), line));
    assert_eq!(places, json.chain(csv).collect::<Vec<_>>());
}

#[test]
fn a_feature_that_a_file_does_not_have_is_in_error_as_in_check() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("in")).expect("a folder");
    service(&folder, SOURCE, "");
    let rows = rows::rows(6_000, 3, 30, 203);
    arrives(&folder, "a.parquet", &rows, &["x"]);
    let running = Service::start(&folder, &[]);
    eventually("it is counted", || has_final_until(&folder, border(&rows)));
    running.stop_well();
    let finals = finals(&folder);
    let end = finals.values().map(end_of).max().expect("windows");
    for window in finals.values() {
        let features = window["features"].as_array().expect("features");
        let x = features.iter().find(|own| own["name"] == "x").expect("the feature");
        assert!(x.to_string().contains("which the data do not have"), "{x}");
        assert!(x["metrics"]["psi"]["value"].is_null(), "{x}");
    }
    assert_finals(&folder, &checked_file(&folder, &folder.path("in")), end);
}
