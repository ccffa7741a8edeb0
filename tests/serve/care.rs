//! Looking after a running service: reloads, refusals, and the store from outside.

use super::rows;
use super::service;
use crate::support::folder::Folder;
use crate::support::program::driftlead;
use crate::support::service::Service;

fn lines() -> Folder {
    let folder = Folder::new();
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", "");
    rows::file(&folder, "rows.ndjson", &rows::rows(6_000, 3, 30, 31));
    folder
}

#[test]
fn settings_are_read_again_and_a_bad_file_changes_nothing() {
    let folder = lines();
    let mut running = Service::start(&folder, &[]);
    running.wait_for("caught up");

    folder.write("model.yaml", format!("{}thresholds:\n  - {{metric: psi, drift: 0.5}}\n", super::MODEL));
    running.hang_up();
    assert!(running.wait_for("SIGHUP").contains("new settings for `rows`"));

    folder.write("model.yaml", super::MODEL.replace("numeric", "numerric"));
    running.hang_up();
    let line = running.wait_for("SIGHUP");
    assert!(line.contains("not reloaded") && line.contains("numerric"), "{line}");

    folder.write("model.yaml", super::MODEL.replace("length: 10m", "length: 20m"));
    running.hang_up();
    let line = running.wait_for(r#""message":"SIGHUP""#);
    assert!(line.contains("another version, baseline or window of `rows`"), "{line}");

    running.stop_well();
}

#[test]
fn a_second_service_on_the_store_is_refused_and_a_broken_file_is_explained() {
    let folder = lines();
    let mut running = Service::start(&folder, &[]);
    running.wait_for("caught up");
    let second = driftlead(&["serve", &folder.path("service.yaml")]);
    assert_eq!(second.code, Some(2), "{second:?}");
    assert!(
        second.err.contains("is in use by process") && second.err.contains("stop that one"),
        "{second:?}"
    );
    let retry = driftlead(&["alerts", "retry", &folder.path("service.yaml")]);
    assert_eq!(retry.code, Some(2), "{retry:?}");
    // Reading is no trouble beside it.
    let list = driftlead(&["alerts", "list", &folder.path("service.yaml"), "--all"]);
    assert_eq!((list.code, list.err.as_str()), (Some(0), ""), "{list:?}");
    running.stop_well();

    let nobody = driftlead(&["alerts", "retry", &folder.path("service.yaml"), "--sink", "nobody"]);
    assert!(nobody.code == Some(2) && nobody.err.contains("has no sink `nobody`"), "{nobody:?}");
    let sound = driftlead(&["store", "check", &folder.path("state")]);
    assert!(sound.code == Some(0) && sound.out.contains("is sound"), "{sound:?}");
    let out = folder.path("exported");
    let exported = driftlead(&["store", "export", &folder.path("service.yaml"), &out]);
    assert!(exported.code == Some(0) && exported.out.contains("windows.parquet"), "{exported:?}");
    let report = driftlead(&[
        "check",
        "--baseline",
        &folder.path("exported/windows.parquet"),
        &folder.path("exported/windows.parquet"),
    ]);
    assert!(report.code.is_some_and(|code| code <= 2), "any tool reads it: {report:?}");

    std::fs::write(folder.path("state/driftlead.db"), "no database at all, but long enough to be looked at")
        .expect("written");
    for args in [["serve", &folder.path("service.yaml")], ["store", &folder.path("state")]] {
        let args: Vec<&str> =
            if args[0] == "store" { vec!["store", "check", args[1]] } else { args.to_vec() };
        let refused = driftlead(&args);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.err.contains("driftlead.db"), "{refused:?}");
    }
}

#[test]
fn a_sink_is_tested_and_refusals_are_explained() {
    let folder = lines();
    let service = folder.path("service.yaml");
    let tested = driftlead(&["alerts", "test-sink", &service, "record"]);
    assert_eq!(
        (tested.code, tested.out.as_str()),
        (Some(0), "`record` took the test message\n"),
        "{tested:?}"
    );
    assert!(
        std::fs::read_to_string(folder.path("events.ndjson")).expect("events").contains("test of this sink")
    );
    let unknown = driftlead(&["alerts", "test-sink", &service, "recrod"]);
    assert!(unknown.code == Some(2) && unknown.err.contains("`record`"), "{unknown:?}");
    let nowhere = driftlead(&["alerts", "list", &folder.path("nowhere")]);
    assert!(nowhere.code == Some(2) && nowhere.err.contains("holds no store"), "{nowhere:?}");
}

#[test]
fn what_cannot_go_on_ends_with_its_reason_though_another_source_is_quiet() {
    let folder = Folder::new();
    let quiet = "{stdin: {}, format: json}";
    let broken = "{lines: {path: rows.ndjson}, format: json, dead_letter: {file: ./taken}}";
    service(&folder, &format!("{broken}\n  quiet: {quiet}"), "");
    // A folder in the place of the dead letters.
    std::fs::create_dir(folder.path("taken")).expect("a folder");
    folder.write("rows.ndjson", "no record\n");
    let (running, input) = Service::with_input(&folder);
    let (status, log) = running.wait();
    assert_eq!(status.code(), Some(3), "{log:#?}");
    let last = log.last().expect("a reason");
    assert!(last.contains("dead letters of `rows`") && last.contains("taken"), "{log:#?}");
    drop(input);
}
