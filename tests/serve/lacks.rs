//! A file of a folder that lacks a column which is no feature but which `where`, `derive` or `segments` reads: as `check`
//! refuses it, the service waits for it, and goes on when it is put right.

use std::fmt::Write as _;

use super::folder::{SOURCE, arrives, border, has_final_until};
use super::rows::{self, Row};
use super::same::{assert_finals, checked_file, end_of, finals};
use super::service;
use crate::support::folder::Folder;
use crate::support::program::driftlead;
use crate::support::service::{Service, eventually, metric};

/// Rows as CSV under its name, without some columns.
fn arrives_as_text(folder: &Folder, name: &str, rows: &[Row], without: &[&str]) {
    let columns: Vec<&str> = ["ts", "x", "y", "c"].into_iter().filter(|own| !without.contains(own)).collect();
    let mut text = columns.join(",") + "\n";
    for row in rows {
        let value: serde_json::Value = serde_json::from_str(&row.json).expect("JSON");
        let field = |name: &&str| match &value[*name] {
            serde_json::Value::Null => String::new(),
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        writeln!(text, "{}", columns.iter().map(field).collect::<Vec<_>>().join(",")).expect("written");
    }
    let path = folder.write("part.csv", text);
    std::fs::rename(path, folder.path(&format!("in/{name}"))).expect("moved");
}

type Arrives = fn(&Folder, &str, &[Row], &[&str]);

fn waits_until_it_is_put_right(model: &str, (ending, arrives): (&str, Arrives), column: &str, key: &str) {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("in")).expect("a folder");
    service(&folder, SOURCE, "");
    folder.write("model.yaml", model);
    let rows = rows::rows(12_000, 3, 30, 241);
    let name = |of: &str| format!("{of}.{ending}");
    arrives(&folder, &name("a"), &rows[..4_000], &[]);
    arrives(&folder, &name("b"), &rows[4_000..8_000], &[column]);
    arrives(&folder, &name("c"), &rows[8_000..], &[]);
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    let trouble = running.wait_for("the source has trouble");
    for part in [&name("b"), &format!("{key} of model `rows` names the column `{column}`")] {
        assert!(trouble.contains(part), "no {part}: {trouble}");
    }
    let records = || metric(&address, "driftlead_source_records_total");
    eventually("what lies before it is counted", || records() == 4_000);
    let refused =
        driftlead(&["check", &folder.path("model.yaml"), &folder.path(&format!("in/{}", name("b")))]);
    assert!(refused.code == Some(2) && refused.err.contains(&format!("`{column}`")), "{refused:?}");
    arrives(&folder, &name("b"), &rows[4_000..8_000], &[]);
    eventually("all is counted", || records() == 12_000 && has_final_until(&folder, border(&rows)));
    running.stop_well();
    // None of what waited was late, as `finals` sees.
    let end = finals(&folder).values().map(end_of).max().expect("windows");
    assert_finals(&folder, &checked_file(&folder, &folder.path("in")), end);
}

fn model(features: &str, cut: &str) -> String {
    let own = super::MODEL.replace("segments: [c]\n", cut);
    own.replace("features: {x: numeric, y: numeric, c: categorical}\n", features)
}

#[test]
fn a_file_without_a_column_of_segments_waits_until_it_is_put_right() {
    let model = model("features: {x: numeric, y: numeric}\nexclude: [c]\n", "segments: [c]\n");
    for arrives in [("parquet", arrives as Arrives), ("csv", arrives_as_text)] {
        waits_until_it_is_put_right(&model, arrives, "c", "`segments`");
    }
}

#[test]
fn a_file_without_a_column_of_where_or_derive_waits_until_it_is_put_right() {
    let parquet = ("parquet", arrives as Arrives);
    let filtered = model("features: {x: numeric, y: numeric}\nexclude: [c]\n", "where: \"c <> 'b'\"\n");
    waits_until_it_is_put_right(&filtered, parquet, "c", "`where`");
    let derived = model("features: {x: numeric, z: numeric}\nexclude: [y, c]\n", "derive: {z: \"y * 2\"}\n");
    waits_until_it_is_put_right(&derived, parquet, "y", "`derive`");
}
