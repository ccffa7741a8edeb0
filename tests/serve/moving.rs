//! Moving baselines in the service (SEMANTICS S25): what `check` says of the same rows, though the windows before were
//! counted before a stop or a power cut, and are kept for it.

use super::crash::kill_at_random;
use super::rows;
use super::same::{assert_complete, assert_same, finals, horizon};
use super::topic;
use super::{moving_model, service};
use crate::support::folder::Folder;
use crate::support::service::Service;

/// Something was judged against the windows before it, something drifted, and the first ones had none.
fn assert_moves(folder: &Folder, wanted: u64) {
    let finals = finals(folder);
    let whole: Vec<_> = finals.values().filter(|window| window["segment"].is_null()).collect();
    let of_verdict =
        |verdict: &str| whole.iter().filter(|window| window["verdict"] == verdict).count() as u64;
    assert!(of_verdict("drift") > 0 && of_verdict("ok") + of_verdict("info") > 3, "{whole:#?}");
    let few = whole.iter().filter(|window| window["reference"]["windows"] != wanted).count() as u64;
    assert_eq!(few, wanted, "the first windows have too few before them");
    assert!(whole.iter().all(|window| window["reference"]["of"] == wanted));
}

#[test]
fn windows_before_a_stop_are_compared_with_after_it() {
    for (windows, cut) in [(1, "length: 10m"), (2, "length: 20m, every: 10m")] {
        let folder = Folder::new();
        service(&folder, "{lines: {path: rows.ndjson}, format: json}", "");
        folder.write("model.yaml", moving_model(windows).replace("length: 10m", cut));
        let rows = rows::rows(8_000, 3, 30, 21);
        let (first, second) = rows.split_at(4_321);
        rows::file(&folder, "rows.ndjson", first);
        let mut running = Service::start(&folder, &[]);
        running.wait_for("caught up");
        running.stop_well();

        rows::append(&folder, "rows.ndjson", second);
        let running = Service::start(&folder, &[]);
        assert_complete(&folder, &rows);
        running.stop_well();
        assert_same(&folder, &rows, horizon(&rows));
        if cut == "length: 10m" {
            assert_moves(&folder, u64::from(windows));
        }
    }
}

#[test]
fn killed_at_random_the_windows_before_are_neither_lost_nor_counted_twice() {
    let rows = rows::rows(8_000, 3, 30, 22);
    let folder = Folder::new();
    service(&folder, &topic::source(&topic::produce(&rows, 8)), "");
    folder.write("model.yaml", moving_model(2));
    kill_at_random(&folder, 6, 78);
    let running = Service::start(&folder, &[]);
    assert_complete(&folder, &rows);
    running.stop_well();
    assert_moves(&folder, 2);
}
