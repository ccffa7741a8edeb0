//! Brokers that are away come back, and reading goes on as if they had never gone.

use driftlead_connectors::ErrorKind;

use crate::broker::Broker;
use crate::watcher::{Watcher, numbered, partition, texts};

#[test]
fn a_broker_that_is_killed_costs_no_record() {
    let mut broker = Broker::start();
    let topic = broker.topic("down", 3);
    for p in 0..3 {
        broker.produce(&topic, p, &numbered("m", 0..1000));
    }
    broker.kill();

    // Away at the start.
    let mut watcher = Watcher::of(&broker, &[&topic]);
    watcher.until("trouble", |w| !w.troubles.is_empty());
    let (kind, trouble) = &watcher.troubles[0];
    assert!(*kind == ErrorKind::Unavailable && trouble.contains(broker.bootstrap()), "{trouble}");
    broker.restart();
    watcher.until_caught_up(&topic, 3);

    // And while it is read, with positions stored by someone who reads it anew afterwards.
    for round in 1..=3 {
        let stored = watcher.positions.clone();
        let records = round * 1000..round * 1000 + 500;
        for p in 0..3 {
            broker.produce(&topic, p, &numbered("m", records.clone()));
        }
        watcher.until("some records", |w| w.positions != stored);
        broker.kill();
        watcher.troubles.clear();
        watcher.until("trouble", |w| !w.troubles.is_empty());
        broker.restart();
        for p in 0..3 {
            broker.produce(&topic, p, &numbered("m", records.end..(round + 1) * 1000));
        }
        let count = usize::try_from((round + 1) * 1000).unwrap();
        for p in 0..3 {
            watcher.until_records(&partition(&topic, p), count);
        }
    }
    for p in 0..3 {
        assert_eq!(watcher.payloads(&partition(&topic, p)), texts(&numbered("m", 0..4000)), "partition {p}");
    }
    assert!(watcher.gaps.is_empty(), "{:?}", watcher.gaps);
    assert!(
        watcher.troubles.iter().all(|(kind, _)| *kind == ErrorKind::Unavailable),
        "{:?}",
        watcher.troubles
    );
}
