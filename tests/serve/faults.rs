//! What happens to a cluster while the service reads it: what can be read is counted once, what cannot is told.

use super::rows::{self, Row};
use super::same::{assert_complete, horizon};
use super::service;
use super::topic::{PARTITIONS, append, append_to, source, source_on};
use super::truth::{assert_true, assert_true_on};
use crate::support::broker::{Broker, broker};
use crate::support::folder::Folder;
use crate::support::service::{Service, asked, eventually, metric};

const GAP: &str = "records were lost before they were read";

fn halves(seed: u64) -> (Vec<Row>, usize) {
    (rows::rows(8_000, 3, 30, seed), 4_000)
}

#[test]
fn a_broker_that_is_killed_under_it_costs_no_row() {
    let rows = rows::rows(8_000, 3, 30, 61);
    let mut broker = Broker::start();
    let topic = broker.topic("rows", PARTITIONS);
    append_to(&broker, &topic, PARTITIONS, &rows, 61);
    let folder = Folder::new();
    service(&folder, &source_on(&broker, &topic, "json"), "");
    let mut running = Service::start(&folder, &[]);
    running.wait_for("started");
    broker.kill();
    running.wait_for("has trouble");
    broker.restart();
    assert_complete(&folder, &rows);
    running.stop_well();
    assert_true_on(&broker, &folder, &topic, horizon(&rows));
}

#[test]
fn partitions_that_are_added_are_read_from_their_beginning() {
    let (rows, half) = halves(63);
    let topic = broker().topic("rows", 3);
    append_to(broker(), &topic, 3, &rows[..half], 63);
    let folder = Folder::new();
    service(&folder, &source(&topic), "");
    // What comes is a burst of hours: none of the old partitions may be idle when it does.
    folder.write("model.yaml", super::MODEL.replace("idle: 1s", "idle: 5s"));
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    running.wait_for("caught up");
    broker().grow_topic(&topic, PARTITIONS as usize);
    // Found by the next look at the cluster; nothing waits for what nobody knows of.
    eventually("it knows of the last one", || asked(&address, "/metrics").contains(r#"partition="6""#));
    append(&topic, &rows[half..], 64);
    assert_complete(&folder, &rows);
    running.stop_well();
    assert_true(&folder, &topic, horizon(&rows));
}

#[test]
fn a_topic_made_anew_is_read_from_its_beginning_and_told() {
    let rows = rows::rows(9_000, 3, 30, 65);
    let (first, rest) = rows.split_at(3_000);
    let (second, third) = rest.split_at(3_000);
    let topic = broker().topic("rows", PARTITIONS);
    append(&topic, first, 65);
    let folder = Folder::new();
    service(&folder, &source(&topic), "");
    let mut running = Service::start(&folder, &[]);
    assert_complete_so_far(&folder, first);

    broker().delete_topic(&topic);
    running.wait_for("have no topic");
    broker().create_topic(&topic, PARTITIONS, &[]);
    append(&topic, second, 66);
    running.wait_for(GAP);
    assert_complete_so_far(&folder, &rows[..6_000]);
    running.stop_well();

    broker().delete_topic(&topic);
    broker().create_topic(&topic, PARTITIONS, &[]);
    append(&topic, third, 67);
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    let line = running.wait_for(GAP);
    assert!(line.contains("made anew"), "{line}");
    assert_complete(&folder, &rows);
    assert!(metric(&address, "driftlead_source_gaps_total") >= 1);
    running.stop_well();
}

/// As [`assert_complete`], and no window is open but the last: what comes next is in time for its partition.
fn assert_complete_so_far(folder: &Folder, rows: &[Row]) {
    let until = horizon(rows);
    let complete = super::same::checked(folder, rows)
        .values()
        .filter(|window| super::same::end_of(window) <= until)
        .count();
    eventually("all windows are final", || super::same::finals(folder).len() >= complete);
}

#[test]
fn retention_that_overtakes_it_is_a_gap_that_is_told() {
    let rows = rows::rows(9_000, 3, 30, 68);
    let topic = broker().topic("rows", PARTITIONS);
    append(&topic, &rows[..3_000], 68);
    let folder = Folder::new();
    service(&folder, &source(&topic), "");
    let mut running = Service::start(&folder, &[]);
    running.wait_for("started");
    assert_complete_so_far(&folder, &rows[..3_000]);
    running.stop_well();

    append(&topic, &rows[3_000..6_000], 69);
    for partition in 0..PARTITIONS {
        let (_, high) = broker().bounds(&topic, partition);
        broker().delete_records(&topic, partition, high);
    }
    append(&topic, &rows[6_000..], 70);
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    let line = running.wait_for(GAP);
    assert!(line.contains("deleted before they were read"), "{line}");
    let read = [&rows[..3_000], &rows[6_000..]].concat();
    assert_complete(&folder, &read);
    assert_eq!(metric(&address, "driftlead_source_gaps_total"), PARTITIONS as u64);
    running.stop_well();
}

/// A partition that the store knows and nobody has any more holds nothing up.
#[test]
fn a_topic_made_anew_with_fewer_partitions_goes_on() {
    let (rows, half) = halves(71);
    let topic = broker().topic("rows", PARTITIONS);
    append(&topic, &rows[..half], 71);
    let folder = Folder::new();
    service(&folder, &source(&topic), "");
    // Killed before any partition is idle: as the store has it, all of them hold the watermark.
    let fault = (driftlead::serve::fault::VARIABLE, "after_commit:2");
    let (status, log) = Service::start(&folder, &[fault]).wait();
    assert!(!status.success(), "{log:#?}");

    broker().delete_topic(&topic);
    broker().create_topic(&topic, 2, &[]);
    append_to(broker(), &topic, 2, &rows[half..], 72);
    let mut running = Service::start(&folder, &[]);
    running.wait_for(GAP);
    let until = horizon(&rows);
    eventually("the last window is final", || {
        super::same::finals(&folder).values().any(|window| {
            let end = super::same::end_of(window);
            end <= until && end > until - 600_000_000
        })
    });
    running.stop_well();
}
