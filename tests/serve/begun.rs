//! A file that fails amid its rows: what was handed over of it is not counted again, and no other file comes between.

use std::fs::File;
use std::time::SystemTime;

use super::folder::{SOURCE, arrives, border, has_final_until};
use super::rows::{self, Row};
use super::same::{assert_finals, checked_file, end_of, finals};
use super::service;
use crate::support::folder::Folder;
use crate::support::service::{Service, asked, eventually, metric};

/// Rows of the first row group, the only one that can be read at first.
const READABLE: u64 = 10_000;

/// A file that is damaged in its second row group, and can be mended without being another one.
struct Damaged {
    path: String,
    whole: Vec<u8>,
    damaged: Vec<u8>,
    modified: SystemTime,
}

impl Damaged {
    fn arrives(folder: &Folder, name: &str, rows: &[Row]) -> Self {
        std::fs::create_dir_all(folder.path("in")).expect("a folder");
        arrives(folder, "unseen.tmp", rows, &[]);
        let path = folder.path(&format!("in/{name}"));
        let whole = std::fs::read(folder.path("in/unseen.tmp")).expect("read");
        std::fs::remove_file(folder.path("in/unseen.tmp")).expect("removed");
        let mut damaged = whole.clone();
        let (from, to) = (damaged.len() / 2, damaged.len() * 6 / 10);
        damaged[from..to].fill(0xaa);
        let modified = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        let file = Self { path, whole, damaged, modified };
        file.put(folder, &file.damaged);
        file
    }

    fn mend(&self, folder: &Folder) {
        self.put(folder, &self.whole);
    }

    /// As damaged as before, of another time.
    fn touch(&self, folder: &Folder) {
        let part = folder.write("part.parquet", &self.damaged);
        std::fs::rename(part, &self.path).expect("moved");
    }

    /// Under its name at once, of the same time.
    fn put(&self, folder: &Folder, bytes: &[u8]) {
        let part = folder.write("part.parquet", bytes);
        let file = File::options().write(true).open(&part).expect("opened");
        file.set_modified(self.modified).expect("a time");
        std::fs::rename(part, &self.path).expect("moved");
    }
}

fn records(address: &str) -> u64 {
    metric(address, "driftlead_source_records_total")
}

fn assert_as_check(folder: &Folder) {
    let end = finals(folder).values().map(end_of).max().expect("windows");
    assert_finals(folder, &checked_file(folder, &folder.path("in")), end);
}

#[test]
fn a_file_that_fails_amid_its_rows_is_read_on_behind_those_that_were_counted() {
    let folder = Folder::new();
    service(&folder, SOURCE, "");
    let rows = rows::rows(26_000, 3, 30, 251);
    let file = Damaged::arrives(&folder, "b.parquet", &rows);
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    let trouble = running.wait_for("the source has trouble");
    assert!(trouble.contains("b.parquet"), "{trouble}");
    eventually("what can be read is counted", || records(&address) >= READABLE);
    file.mend(&folder);
    eventually("all is counted", || has_final_until(&folder, border(&rows)));
    assert_eq!(records(&address), 26_000);
    running.stop_well();
    assert_as_check(&folder);
}

#[test]
fn a_file_that_was_begun_is_not_overtaken_by_one_whose_name_comes_before() {
    for is_stopped in [false, true] {
        let folder = Folder::new();
        service(&folder, SOURCE, "");
        let rows = rows::rows(36_000, 3, 30, 252);
        let file = Damaged::arrives(&folder, "b.parquet", &rows[..26_000]);
        let mut running = Service::start(&folder, &[]);
        let address = running.address();
        running.wait_for("the source has trouble");
        eventually("what can be read is counted", || records(&address) >= READABLE);
        if is_stopped {
            running.stop_well();
            arrives(&folder, "a.parquet", &rows[26_000..], &[]);
            file.mend(&folder);
            running = Service::start(&folder, &[]);
            running.wait_for("listening");
        } else {
            arrives(&folder, "a.parquet", &rows[26_000..], &[]);
            // The words change twice, so that a whole look has found the new file beside the damaged one.
            let told = |text: &str| asked(&address, "/readyz").contains(text);
            file.touch(&folder);
            eventually("another fault is told", || told("has changed since it was read"));
            file.put(&folder, &file.damaged);
            eventually("the first fault is told again", || !told("has changed since it was read"));
            assert_eq!(records(&address), READABLE);
            file.mend(&folder);
        }
        eventually("all is counted", || has_final_until(&folder, border(&rows)));
        running.stop_well();
        assert_as_check(&folder);
    }
}
