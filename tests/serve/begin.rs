//! `start` at a time: what a topic that was never read is begun with.

use super::rows::{self, BEGIN, Row};
use super::same::{assert_same, checked, end_of, finals};
use super::service;
use crate::support::broker::{Message, broker};
use crate::support::folder::Folder;
use crate::support::service::{Service, eventually};

#[test]
fn a_topic_is_begun_at_the_time_in_start_and_read_on_where_it_was() {
    let rows = rows::rows(6_000, 3, 30, 51);
    let since = BEGIN + 3_600_000_000;
    let topic = broker().topic("begin", 2);
    let parts: [Vec<Row>; 2] =
        [0, 1].map(|part| rows.iter().skip(part).step_by(2).cloned().collect::<Vec<Row>>());
    for (partition, part) in (0..).zip(&parts) {
        let messages: Vec<Message> =
            part.iter().map(|row| Message::new("k", row.json.clone(), row.time / 1_000)).collect();
        broker().produce(&topic, partition, &messages);
    }
    // Each partition from its first record of that time on; some after it are older, as rows are out of order.
    let read: Vec<Row> =
        parts.iter().flat_map(|part| part.iter().skip_while(|row| row.time < since)).cloned().collect();
    assert!(read.iter().any(|row| row.time < since) && read.len() < rows.len());

    let folder = Folder::new();
    let source = |start: &str| {
        format!(
            "{{kafka: {{brokers: \"{}\", topics: [{topic}], start: {start}}}, format: json}}",
            broker().bootstrap()
        )
    };
    service(&folder, &source("2001-01-01T01:00:00Z"), "");
    let mut running = Service::start(&folder, &[]);
    let line = running.wait_for("as it was never read");
    let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert!(line["offset"].as_i64().is_some_and(|offset| offset > 500), "{line}");
    let until = rows.iter().map(|row| row.time).max().expect("rows") - 60_000_000;
    let complete = checked(&folder, &read).values().filter(|window| end_of(window) <= until).count();
    eventually("all windows are final", || finals(&folder).len() >= complete);
    running.kill();

    // The store's positions win over another time.
    service(&folder, &source("2001-01-01T00:00:00Z"), "");
    let mut running = Service::start(&folder, &[]);
    running.wait_for("caught up");
    let log = running.stop_well();
    assert!(!log.join("\n").contains("as it was never read"), "{log:#?}");
    assert_same(&folder, &read, until);
}
