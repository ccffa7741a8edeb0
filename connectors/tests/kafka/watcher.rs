//! A source being watched: all that it hands over, kept and checked as it comes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use driftlead_connectors::kafka::{Connection, KafkaSettings, KafkaSource, Start};
use driftlead_connectors::stream::{Event, Partition, Polled, Position, Source, Stamp};
use driftlead_connectors::{Error, ErrorKind};

use crate::broker::{Broker, Message};

/// Longer than a slow machine needs, so that a failure is one.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type Positions = BTreeMap<Partition, Position>;

/// A record, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) offset: i64,
    pub(crate) stamp: Option<Stamp>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

/// A gap, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) partition: Partition,
    pub(crate) expected: i64,
    pub(crate) found: i64,
    pub(crate) reason: String,
}

/// A source and what it has handed over.
pub(crate) struct Watcher {
    source: KafkaSource,
    /// The records since the last gap, by partition.
    pub(crate) records: BTreeMap<Partition, Vec<Kept>>,
    /// The lengths of the runs in which they came.
    pub(crate) runs: Vec<usize>,
    /// Where each partition would go on.
    pub(crate) positions: Positions,
    /// The partitions of which everything was read at some time since they were last assigned.
    pub(crate) caught_up: BTreeSet<Partition>,
    pub(crate) assigned: Vec<(Partition, i64)>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) troubles: Vec<(ErrorKind, String)>,
}

/// Settings for topics of a broker, with a look at the cluster every 100 ms.
pub(crate) fn settings(broker: &Broker, topics: &[&str]) -> KafkaSettings {
    let refresh = ("topic.metadata.refresh.interval.ms".to_owned(), "100".to_owned());
    KafkaSettings {
        connection: Connection {
            brokers: broker.bootstrap().to_owned(),
            properties: BTreeMap::from([refresh]),
            ..Connection::default()
        },
        topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
        headers: false,
    }
}

/// A partition by its name.
pub(crate) fn partition(topic: &str, number: i32) -> Partition {
    Partition { topic: topic.to_owned(), number }
}

impl Watcher {
    pub(crate) fn open(settings: &KafkaSettings, positions: &Positions, start: Start) -> Self {
        Self {
            source: KafkaSource::open(settings, positions, start).unwrap(),
            records: BTreeMap::new(),
            runs: Vec::new(),
            positions: positions.clone(),
            caught_up: BTreeSet::new(),
            assigned: Vec::new(),
            gaps: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// Reads the topics of a broker from their beginning.
    pub(crate) fn of(broker: &Broker, topics: &[&str]) -> Self {
        Self::open(&settings(broker, topics), &Positions::new(), Start::Beginning)
    }

    pub(crate) fn source(&mut self) -> &mut KafkaSource {
        &mut self.source
    }

    /// Polls once and checks what comes against the contract of sources.
    pub(crate) fn poll(&mut self, wait: Duration) -> Result<Polled, Error> {
        let Self { source, records, runs, positions, caught_up, assigned, gaps, troubles } = self;
        source.poll(wait, &mut |event| match event {
            Event::Assigned { partition, position } => {
                let before = positions.insert(partition.clone(), position);
                assert!(
                    before.is_none_or(|before| before.next == position.next),
                    "{partition} is assigned at {position:?} and stood at {before:?}"
                );
                caught_up.remove(partition);
                assigned.push((partition.clone(), position.next));
            }
            Event::Records { partition, records: run } => {
                assert!((1..=1024).contains(&run.len()), "a run of {} records", run.len());
                let (last, before) = run.split_last().unwrap();
                assert!(last.mark.is_some() && before.iter().all(|record| record.mark.is_none()));
                runs.push(run.len());
                let kept = records.entry(partition.clone()).or_default();
                for record in run {
                    let next = positions[partition].next;
                    assert!(record.offset >= next, "{partition}: offset {} after {next}", record.offset);
                    positions
                        .insert(partition.clone(), Position { next: record.offset + 1, mark: record.mark });
                    kept.push(Kept {
                        offset: record.offset,
                        stamp: record.stamp,
                        key: record.key.map(<[u8]>::to_vec),
                        payload: record.payload.map(<[u8]>::to_vec),
                        headers: record.headers.iter().map(|&(k, v)| (k.to_owned(), v.to_vec())).collect(),
                    });
                }
            }
            Event::CaughtUp { partition } => {
                assert!(
                    positions.contains_key(partition),
                    "{partition} is at its end and was never assigned"
                );
                caught_up.insert(partition.clone());
            }
            Event::Gap { partition, expected, found, reason } => {
                let next = positions[partition].next;
                assert_eq!(expected, next, "{partition}: a gap that begins elsewhere");
                records.remove(partition);
                caught_up.remove(partition);
                positions.insert(partition.clone(), Position { next: found, mark: None });
                gaps.push(Gap { partition: partition.clone(), expected, found, reason });
            }
            // It may be told with every look; what it leads to is the service's to show.
            Event::Lost { partition } => assert!(!partition.topic.is_empty()),
            Event::Trouble(error) => troubles.push((error.kind(), error.to_string())),
        })
    }

    /// Polls until `done`.
    pub(crate) fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while !done(self) {
            self.poll(Duration::from_millis(200)).unwrap();
            assert!(
                begin.elapsed() < PATIENCE,
                "{what}: never; assigned {:?}, positions {:?}, caught up {:?}, gaps {:?}, troubles {:?}",
                self.assigned,
                self.positions,
                self.caught_up,
                self.gaps,
                self.troubles
            );
        }
    }

    /// Polls until the source fails.
    pub(crate) fn failure(&mut self) -> Error {
        let begin = Instant::now();
        loop {
            if let Err(error) = self.poll(Duration::from_millis(200)) {
                return error;
            }
            assert!(begin.elapsed() < PATIENCE, "no error; troubles {:?}", self.troubles);
        }
    }

    /// Polls until this many records of a partition have come, since the last gap.
    pub(crate) fn until_records(&mut self, partition: &Partition, count: usize) {
        self.until(&format!("{count} records of {partition}"), |w| w.of_partition(partition).len() >= count);
    }

    /// Polls until these partitions of a topic are read to their end.
    pub(crate) fn until_caught_up(&mut self, topic: &str, partitions: i32) {
        let all: BTreeSet<_> = (0..partitions).map(|number| partition(topic, number)).collect();
        self.until("the end of all partitions", |w| w.caught_up.is_superset(&all));
    }

    pub(crate) fn of_partition(&self, partition: &Partition) -> &[Kept] {
        self.records.get(partition).map_or(&[], Vec::as_slice)
    }

    /// The payloads of a partition as text.
    pub(crate) fn payloads(&self, partition: &Partition) -> Vec<String> {
        let text = |kept: &Kept| String::from_utf8(kept.payload.clone().unwrap()).unwrap();
        self.of_partition(partition).iter().map(text).collect()
    }
}

/// Messages `prefix-0`, `prefix-1`, … with one timestamp after the other.
pub(crate) fn numbered(prefix: &str, numbers: std::ops::Range<i64>) -> Vec<Message> {
    numbers.map(|n| Message::new("k", format!("{prefix}-{n}"), 1_000_000_000_000 + n)).collect()
}

/// Their payloads.
pub(crate) fn texts(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|m| String::from_utf8(m.payload.clone().unwrap()).unwrap()).collect()
}
