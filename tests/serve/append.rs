//! Append blobs in Azure's Blob Storage, played by Azurite, that grow while they are read: each line once, whatever happens
//! in between, and what `check` says of the whole.

use super::rows::{self, Row};
use super::same::{assert_finals, checked_file, end_of, finals};
use super::service;
use crate::support::azurite::{Azurite, azurite, block_on};
use crate::support::folder::Folder;
use crate::support::service::{Service, eventually, metric};
use object_store::ObjectStoreExt as _;

/// A container of this test, with what is in its blobs as files of this machine.
pub(super) struct Blobs<'a> {
    pub(super) azurite: &'static Azurite,
    pub(super) container: String,
    folder: &'a Folder,
}

impl<'a> Blobs<'a> {
    pub(super) fn new(folder: &'a Folder) -> Self {
        let azurite = azurite();
        Self { azurite, container: azurite.container(), folder }
    }

    /// Adds to a blob, and to the file that is its copy.
    pub(super) fn append(&self, key: &str, text: &str) {
        self.azurite.append(&self.container, key, text);
        let path = self.folder.path(&format!("copy/{key}"));
        std::fs::create_dir_all(std::path::Path::new(&path).parent().expect("a folder")).expect("folders");
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("a file");
        std::io::Write::write_all(&mut file, text.as_bytes()).expect("written");
    }

    /// The source of a folder of blobs.
    pub(super) fn source(&self, folder: &str, more: &str) -> String {
        let path = format!("az://{}/{folder}", self.container);
        format!("{{files: {{path: \"{path}\", every: 50ms}}, dead_letter: {{file: ./dead.ndjson}}{more}}}")
    }

    pub(super) fn start(&self) -> Service {
        let variables = self.azurite.environment();
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Service::start(self.folder, &variables)
    }
}

fn ndjson(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("{}\n", row.json)).collect()
}

#[test]
fn lines_that_are_added_to_a_blob_are_counted_once_through_stops_and_a_power_cut() {
    let folder = Folder::new();
    let blobs = Blobs::new(&folder);
    service(&folder, &blobs.source("in", ""), "");
    let rows = rows::rows(12_000, 3, 30, 231);
    blobs.append("in/a.ndjson", &ndjson(&rows[..3_000]));
    let mut running = blobs.start();
    let address = running.address();
    let counted = || metric(&address, "driftlead_rows_total");
    eventually("the first rows are counted", || counted() == 3_000);
    // While it runs, each with another tag, and the last one amid a line, whose rest comes after a power cut.
    blobs.append("in/a.ndjson", &ndjson(&rows[3_000..4_000]));
    blobs.append("in/a.ndjson", &ndjson(&rows[4_000..5_000]));
    let more = ndjson(&rows[5_000..6_000]);
    let (whole, half) = more.split_at(more.len() - 20);
    blobs.append("in/a.ndjson", whole);
    eventually("all whole lines are counted", || counted() == 5_999);
    blobs.append("in/a.ndjson", half);
    blobs.append("in/a.ndjson", &ndjson(&rows[6_000..9_000]));
    running.kill();
    let mut running = blobs.start();
    running.wait_for("caught up");
    running.stop_well();
    blobs.append("in/a.ndjson", &ndjson(&rows[9_000..]));
    let mut running = blobs.start();
    let until = rows.iter().map(|row| row.time).max().expect("rows") - 900_000_000;
    running.wait_for("listening");
    eventually("all is counted", || finals(&folder).values().any(|window| end_of(window) >= until));
    let log = running.stop_well();
    assert!(!log.join("\n").contains("the source has trouble"), "{log:#?}");
    let end = finals(&folder).values().map(end_of).max().expect("windows");
    assert_finals(&folder, &checked_file(&folder, &folder.path("copy/in")), end);
    assert_eq!(std::fs::read_to_string(folder.path("dead.ndjson")).unwrap_or_default(), "");
}

#[test]
fn a_blob_that_is_written_anew_is_told_unless_it_begins_as_before() {
    let folder = Folder::new();
    let blobs = Blobs::new(&folder);
    service(&folder, &blobs.source("in", ""), "");
    let rows = rows::rows(2_000, 3, 30, 232);
    blobs.append("in/a.ndjson", &ndjson(&rows[..500]));
    let mut running = blobs.start();
    let address = running.address();
    let counted = |rows: u64| metric(&address, "driftlead_rows_total") == rows;
    eventually("the blob is counted", || counted(500));
    let client = blobs.azurite.client(&blobs.container);
    let put = |text: String| block_on(client.put(&"in/a.ndjson".into(), text.into())).expect("written");
    // Another blob with another tag: what was read of it is the same.
    put(ndjson(&rows[..1_000]));
    eventually("only what is new is counted", || counted(1_000));
    put(ndjson(&rows[500..2_000]));
    let trouble = running.wait_for("are not those that were read before");
    assert!(trouble.contains("a.ndjson") && trouble.contains("give new content a new name"), "{trouble}");
    assert!(counted(1_000));
    running.stop_well();
}
