//! I-ORDER: what a kill between a commit and its delivery repeats, it repeats under the same keys and in the order of each
//! alert; and a sink that is slow delays no other.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use driftlead::serve::fault;

use super::rows;
use super::service;
use crate::support::folder::Folder;
use crate::support::service::{Service, eventually, stored_windows};
use crate::support::stub::{Answer, Stub};

/// Lines with drift in their second half, and the alerts and verdicts of them sent to `hook` too.
fn lines(seed: u64, hook: &Stub) -> Folder {
    let folder = Folder::new();
    let hook = format!("  hook: {{webhook: {{url: \"{}/hook\", send: [verdicts, alerts]}}}}\n", hook.url());
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", &hook);
    folder.write("model.yaml", super::MODEL.replace("sinks: [record]", "sinks: [record, hook]"));
    rows::file(&folder, "rows.ndjson", &rows::rows(6_000, 3, 30, seed));
    folder
}

#[test]
fn a_kill_around_delivery_repeats_the_same_keys_in_the_order_of_each_alert() {
    let stub = Stub::answering(vec![Answer::of(204)]);
    let folder = lines(81, &stub);
    // One sink, so that each point is passed by its worker.
    folder.write("model.yaml", super::MODEL.replace("sinks: [record]", "sinks: [hook]"));
    // Whoever is killed right after a delivery has not noted it.
    let faults =
        ["after_commit:1", "before_delivery:3", "after_delivery:2", "after_delivery:5", "before_delivery:9"];
    for fault in faults {
        let (status, log) = Service::start(&folder, &[(fault::VARIABLE, fault)]).wait();
        assert!(!status.success() && status.code().is_none(), "{fault} was not reached: {log:#?}");
    }
    let running = Service::start(&folder, &[]);
    let sent = || -> Vec<(String, u64)> {
        let requests = stub.requests();
        let keys = requests.iter().map(|own| own.header("webhook-id").expect("an id").to_owned());
        keys.map(|key| {
            let mut parts = key.split(':');
            let id = parts.next().expect("an id").to_owned();
            (id, parts.next().expect("a revision").parse().expect("a number"))
        })
        .collect()
    };
    let finals = || stored_windows(&folder, "rows").iter().filter(|window| window.is_final).count();
    let distinct = || sent().into_iter().collect::<std::collections::BTreeSet<_>>().len();
    eventually("every final verdict was sent", || finals() >= 48 && distinct() > finals());
    running.stop_well();

    let mut by_id: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (id, revision) in sent() {
        by_id.entry(id).or_default().push(revision);
    }
    let mut repeated = 0;
    for (id, revisions) in &by_id {
        // A repetition goes back to the last that was sent, and on from there; none is passed over.
        assert_eq!(revisions[0], 0, "{id}: {revisions:?}");
        for pair in revisions.windows(2) {
            assert!(pair[1] == pair[0] || pair[1] == pair[0] + 1, "{id}: {revisions:?}");
            repeated += usize::from(pair[1] == pair[0]);
        }
    }
    assert!(repeated >= 2, "{by_id:?}");
    // The same key is the same message.
    let mut bodies: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for request in stub.requests() {
        let key = request.header("webhook-id").expect("an id").to_owned();
        let first = bodies.entry(key.clone()).or_insert_with(|| request.body.clone());
        assert_eq!(*first, request.body, "{key}");
    }
}

#[test]
fn a_slow_sink_delays_no_other() {
    let (release, held) = channel::<()>();
    let held = Arc::new(Mutex::new(held));
    // Answers nothing until the test has seen enough.
    let slow = Stub::start(move |_| {
        let _ = held.lock().expect("no panic").recv();
        Some(Answer::of(204))
    });
    let folder = lines(82, &slow);
    let mut running = Service::start(&folder, &[]);
    running.wait_for("caught up");
    eventually("the slow sink was asked", || !slow.requests().is_empty());
    let written = || std::fs::read_to_string(folder.path("events.ndjson")).unwrap_or_default();
    eventually("all verdicts are written", || {
        let written = written();
        let windows = stored_windows(&folder, "rows");
        windows.len() >= 48 && windows.iter().all(|window| written.contains(&window.id))
    });
    assert_eq!(slow.requests().len(), 1, "it is still at the first");
    drop(release);
    eventually("the rest follows", || slow.requests().len() > 10);
    running.stop_well();
}
