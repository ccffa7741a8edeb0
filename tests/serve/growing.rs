//! Files of lines that grow in a folder: each line once, whatever happens in between, and what `check` says of the whole.

use std::fmt::Write as _;
use std::io::Write as _;

use super::rows::{self, Row};
use super::same::{assert_finals, checked_file, end_of, finals};
use super::service;
use crate::support::folder::Folder;
use crate::support::service::{Service, eventually, metric};

const SOURCE: &str = "{files: {path: ./in, every: 50ms}, dead_letter: {file: ./dead.ndjson}}";

/// Adds to a file of the folder `in`.
fn append(folder: &Folder, name: &str, text: &str) {
    let path = folder.path(&format!("in/{name}"));
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("a file");
    file.write_all(text.as_bytes()).expect("written");
}

fn ndjson(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("{}\n", row.json)).collect()
}

fn csv(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let value: serde_json::Value = serde_json::from_str(&row.json).expect("JSON");
        let word = |key: &str| value[key].as_str().expect("text").to_owned();
        // A line end inside of quotes is none.
        writeln!(text, "{},{},{},{},\"two\nlines\"", word("ts"), value["x"], value["y"], word("c"))
            .expect("written");
    }
    text
}

fn counted(address: &str, rows: usize) -> bool {
    metric(address, "driftlead_rows_total") == rows as u64
}

#[test]
fn lines_that_are_added_are_counted_once_through_stops_and_a_power_cut() {
    for (name, text, head) in [
        ("a.ndjson", ndjson as fn(&[Row]) -> String, ""),
        ("a.csv", csv as fn(&[Row]) -> String, "ts,x,y,c,note\n"),
    ] {
        let folder = Folder::new();
        std::fs::create_dir_all(folder.path("in")).expect("a folder");
        service(&folder, SOURCE, "");
        let rows = rows::rows(12_000, 3, 30, 221);
        append(&folder, name, head);
        append(&folder, name, &text(&rows[..3_000]));
        let mut running = Service::start(&folder, &[]);
        let address = running.address();
        eventually("the first rows are counted", || counted(&address, 3_000));
        // While it runs, and amid a line: the rest of that line comes after a power cut.
        let more = text(&rows[3_000..6_000]);
        let (whole, half) = more.split_at(more.len() - 20);
        append(&folder, name, whole);
        eventually("all whole lines are counted", || metric(&address, "driftlead_rows_total") >= 5_999);
        append(&folder, name, half);
        append(&folder, name, &text(&rows[6_000..9_000]));
        running.kill();
        let mut running = Service::start(&folder, &[]);
        running.wait_for("caught up");
        running.stop_well();
        append(&folder, name, &text(&rows[9_000..]));
        let mut running = Service::start(&folder, &[]);
        let until = rows.iter().map(|row| row.time).max().expect("rows") - 900_000_000;
        running.wait_for("listening");
        eventually("all is counted", || finals(&folder).values().any(|window| end_of(window) >= until));
        running.stop_well();
        let end = finals(&folder).values().map(end_of).max().expect("windows");
        assert_finals(&folder, &checked_file(&folder, &folder.path("in")), end);
        let dead = std::fs::read_to_string(folder.path("dead.ndjson")).unwrap_or_default();
        assert_eq!(dead, "", "{name}");
    }
}

#[test]
fn a_bad_line_that_is_added_is_a_dead_letter_with_its_line() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("in")).expect("a folder");
    service(&folder, SOURCE, "");
    let rows = rows::rows(1_000, 3, 30, 222);
    append(&folder, "a.ndjson", &ndjson(&rows[..500]));
    append(&folder, "b.csv", &format!("ts,x,y,c,note\n{}", csv(&rows[500..600])));
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    eventually("the first rows are counted", || counted(&address, 600));
    // Nothing but a bad line.
    append(&folder, "a.ndjson", "no row\n");
    append(&folder, "b.csv", "1,2\n");
    let letters = || std::fs::read_to_string(folder.path("dead.ndjson")).unwrap_or_default();
    eventually("both are told", || letters().lines().count() == 2);
    append(&folder, "a.ndjson", &ndjson(&rows[600..]));
    eventually("what follows is counted", || counted(&address, 1_000));
    running.stop_well();
    let mut places: Vec<(String, u64)> = letters()
        .lines()
        .map(|line| {
            let letter: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let file = letter["file"].as_str().expect("a file");
            (file.rsplit('/').next().expect("a name").to_owned(), letter["line"].as_u64().expect("a line"))
        })
        .collect();
    places.sort();
    assert_eq!(places, [("a.ndjson".to_owned(), 501), ("b.csv".to_owned(), 202)]);
}

#[test]
fn a_last_line_without_its_end_is_taken_when_nothing_follows() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("in")).expect("a folder");
    service(&folder, SOURCE, "");
    let rows = rows::rows(1_000, 3, 30, 223);
    append(&folder, "a.ndjson", ndjson(&rows).trim_end());
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    eventually("all rows are counted", || counted(&address, 1_000));
    // It was the last one: what goes on with it is another file.
    append(&folder, "a.ndjson", ", 1}\n");
    let trouble = running.wait_for("had no end when it was read");
    assert!(trouble.contains("a.ndjson"), "{trouble}");
    running.stop_well();
}

#[test]
fn a_file_that_did_not_only_grow_is_told_and_the_others_go_on() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("in")).expect("a folder");
    service(&folder, SOURCE, "");
    let rows = rows::rows(2_000, 3, 30, 224);
    append(&folder, "a.ndjson", &ndjson(&rows[..500]));
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    eventually("the first file is counted", || counted(&address, 500));
    folder.write("in/a.ndjson", ndjson(&rows[500..1_500]));
    let trouble = running.wait_for("are not those that were read before");
    assert!(trouble.contains("a.ndjson") && trouble.contains("give new content a new name"), "{trouble}");
    append(&folder, "b.ndjson", &ndjson(&rows[1_500..]));
    eventually("the second file is counted", || counted(&address, 1_000));
    folder.write("in/a.ndjson", ndjson(&rows[..10]));
    let trouble = running.wait_for("were read before: a file of lines may only grow");
    assert!(trouble.contains("a.ndjson"), "{trouble}");
    running.stop_well();
}
