//! Where every partition would go on: what the caller had stored, and what a reader left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::lane::{Doubt, Lane};
use super::plan::{Bounds, Held, Plan, Start, plan};
use super::survey::Wanted;
use crate::stream::{Partition, Position};

/// The positions of partitions that are not being read.
pub(super) struct Ledger {
    held: BTreeMap<Partition, Held>,
    /// Topics of which a position was given, or that were read: further partitions of them are new.
    known: BTreeSet<String>,
    start: Start,
    wanted: Arc<Wanted>,
}

impl Ledger {
    /// The caller's positions; partitions without one begin at `start`, unless they are new.
    pub(super) fn new(positions: &BTreeMap<Partition, Position>, start: Start, wanted: Arc<Wanted>) -> Self {
        let held = positions.iter().map(|(partition, &position)| {
            let position = Position { next: position.next.max(0), ..position };
            (partition.clone(), Held { position, other: false })
        });
        let known = positions.keys().map(|partition| partition.topic.clone()).collect();
        Self { held: held.collect(), known, start, wanted }
    }

    /// The partitions that it holds.
    pub(super) fn held(&self) -> impl Iterator<Item = &Partition> {
        self.held.keys()
    }

    /// Where a partition that it holds stands.
    pub(super) fn position(&self, partition: &Partition) -> Option<Position> {
        self.held.get(partition).map(|held| held.position)
    }

    /// Holds the partitions of a reader that ends, where they stand.
    pub(super) fn keep(&mut self, lanes: &[Lane]) {
        self.held.extend(lanes.iter().map(|lane| (lane.partition().clone(), held_by(lane))));
    }

    /// These are read from now on.
    pub(super) fn release(&mut self, plans: &BTreeMap<Partition, Plan>) {
        for partition in plans.keys() {
            self.held.remove(partition);
            self.known.insert(partition.topic.clone());
        }
    }

    /// Where each partition goes on that can: those that are read without doubt do so also if the bounds of their logs
    /// are not known now.
    pub(super) fn plans(
        &self,
        found: &BTreeMap<Partition, Option<Bounds>>,
        lanes: &[Lane],
    ) -> BTreeMap<Partition, Plan> {
        let lanes: BTreeMap<_, _> = lanes.iter().map(|lane| (lane.partition(), lane)).collect();
        let mut plans = BTreeMap::new();
        for (partition, bounds) in found {
            let lane = lanes.get(partition);
            let held = lane.map(|lane| held_by(lane)).or_else(|| self.held.get(partition).copied());
            let plan = match (bounds, lane) {
                (Some(bounds), _) => plan(held, *bounds, self.start_of(partition)),
                (None, Some(lane)) if lane.doubt().is_none() => {
                    let position = lane.position();
                    Plan { position, check: position.mark.is_some() && position.next > 0, gap: None }
                }
                (None, _) => continue,
            };
            plans.insert(partition.clone(), plan);
        }
        plans
    }

    /// Where a partition begins of which nothing is held. One that is new was not there when somebody asked for the end;
    /// a time means the same whenever somebody asks.
    fn start_of(&self, partition: &Partition) -> Start {
        if matches!(self.start, Start::Time(_)) {
            return self.start;
        }
        let new_partition = self.known.contains(&partition.topic);
        let new_topic = !self.wanted.names(&partition.topic) && !self.known.is_empty();
        if new_partition || new_topic { Start::Beginning } else { self.start }
    }
}

fn held_by(lane: &Lane) -> Held {
    Held { position: lane.position(), other: lane.doubt() == Some(Doubt::Other) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: Option<Bounds> = Some(Bounds { low: 100, high: 200, since: 150 });

    fn ledger(stored: &[(&str, i32, i64)], topics: &[&str]) -> Ledger {
        ledger_from(stored, topics, Start::End)
    }

    fn ledger_from(stored: &[(&str, i32, i64)], topics: &[&str], start: Start) -> Ledger {
        let wanted = Wanted::parse(&topics.iter().map(|&t| t.to_owned()).collect::<Vec<_>>()).unwrap();
        let positions = stored
            .iter()
            .map(|&(topic, number, next)| (partition(topic, number), Position { next, mark: Some(7) }));
        Ledger::new(&positions.collect(), start, Arc::new(wanted))
    }

    fn partition(topic: &str, number: i32) -> Partition {
        Partition { topic: topic.to_owned(), number }
    }

    fn begins(ledger: &Ledger, topic: &str, number: i32) -> i64 {
        let found = BTreeMap::from([(partition(topic, number), LOG)]);
        ledger.plans(&found, &[])[&partition(topic, number)].position.next
    }

    #[test]
    fn only_what_was_there_when_the_end_was_asked_for_begins_there() {
        let fresh = ledger(&[], &["a", "^b.*"]);
        assert_eq!([begins(&fresh, "a", 0), begins(&fresh, "b1", 0)], [200, 200]);

        let mut stored = ledger(&[("a", 0, 150)], &["a", "c", "^b.*"]);
        assert_eq!(begins(&stored, "a", 0), 150);
        assert_eq!(begins(&stored, "a", 1), 100, "a partition that was added while nobody read");
        assert_eq!(begins(&stored, "b1", 0), 100, "a topic that a pattern did not match before");
        assert_eq!(begins(&stored, "c", 0), 200, "a topic that somebody has added to the list");

        let found = BTreeMap::from([(partition("c", 0), LOG)]);
        stored.release(&stored.plans(&found, &[]));
        assert_eq!(begins(&stored, "c", 1), 100, "a partition that was added since");
    }

    #[test]
    fn a_time_is_where_everything_begins_that_was_never_read() {
        let stored = ledger_from(&[("a", 0, 120)], &["a", "^b.*"], Start::Time(7));
        assert_eq!(begins(&stored, "a", 0), 120, "what is stored wins");
        assert_eq!([begins(&stored, "a", 1), begins(&stored, "b1", 0)], [150, 150]);
    }

    #[test]
    fn without_bounds_nothing_begins() {
        let ledger = ledger(&[("a", 0, 150)], &["a"]);
        let found = BTreeMap::from([(partition("a", 0), None), (partition("a", 1), LOG)]);
        assert!(ledger.plans(&found, &[]).keys().eq([&partition("a", 1)]));
        assert!(ledger.held().eq([&partition("a", 0)]));
    }

    #[test]
    fn a_position_before_every_log_is_its_beginning() {
        let ledger = ledger(&[("a", 0, -5)], &["a"]);
        let found = BTreeMap::from([(partition("a", 0), Some(Bounds { low: 0, high: 0, since: 0 }))]);
        assert_eq!(ledger.plans(&found, &[])[&partition("a", 0)].gap, None);
    }
}
