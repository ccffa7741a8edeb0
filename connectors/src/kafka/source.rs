//! Kafka topics as a [`Source`]: all partitions, from the caller's positions, for as long as it is polled.
//!
//! One cycle brings every change about: the [survey](super::survey) says what the cluster holds, the
//! [plan](super::plan) where each partition goes on, and a new [`Reader`] begins there. It runs when the set of
//! partitions changes, and when a partition stands in doubt. Partitions that are read without doubt go on at their
//! positions, proven again by the mark of their last record (SEMANTICS S16).
//!
//! Before the cluster has told of the topics for the first time, what a person has to mend (a topic that does not exist, a
//! wrong password) is an error of [`Source::poll`]. After that the same is an [`Event::Trouble`]: a topic comes back, a
//! password is set right, and the service has gone on by itself.
//!
//! One way for a topic to be made anew stays unseen while it is read: if it is deleted, made again and filled beyond the
//! position between two fetches. librdkafka shows its user no topic ids.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;

use super::connection::{Connection, Role, explain_config};
use super::context::Context;
use super::explain;
use super::lane::Doubt;
use super::native::Client;
use super::plan::{Bounds, Held, Plan, Start, plan};
use super::reader::Reader;
use super::survey::{Scout, Seen, Survey, Wanted};
use super::waker::Waker;
use crate::error::{Error, Result};
use crate::stream::{Event, Partition, Polled, Position, Source};

/// How often the cluster is looked at, unless `topic.metadata.refresh.interval.ms` says otherwise.
const REFRESH: Duration = Duration::from_secs(30);
/// The group under which progress is shown, unless `group.id` says otherwise.
const GROUP: &str = "driftlead";
/// Progress is shown at most this often: Event Hubs take four commits a second and partition.
const SHOW_EVERY: Duration = Duration::from_secs(3);

/// What to read.
#[derive(Clone, Debug, Default)]
pub struct KafkaSettings {
    /// How to reach the cluster.
    pub connection: Connection,
    /// Names, and regular expressions, which begin with `^` and match whole names. Topics that an expression matches later
    /// are read from their beginning.
    pub topics: Vec<String>,
    /// Hand over the headers of records, which costs time.
    pub headers: bool,
}

/// Kafka topics as a source.
pub struct KafkaSource {
    wanted: Arc<Wanted>,
    headers: bool,
    start: Start,
    brokers: String,
    config: ClientConfig,
    context: Context,
    waker: Arc<Waker>,
    /// Partitions that are not being read, where they would go on.
    held: BTreeMap<Partition, Held>,
    /// Topics of which a position was given, or that were seen: further partitions of them are new.
    known: BTreeSet<String>,
    /// What cannot be read now and has been told of.
    told: BTreeSet<String>,
    /// The cluster has told of the topics.
    joined: bool,
    /// A survey was asked for and has not come.
    asked: bool,
    unshown: BTreeMap<Partition, Position>,
    shown: Option<Instant>,
    reader: Option<Reader>,
    scout: Scout,
}

impl KafkaSource {
    /// Reads the topics of `settings`: each partition from its position, those without one from `start`. Asks nothing of
    /// the cluster yet: what it says, and whether it is there, is told by the first polls.
    ///
    /// Positions of partitions that do not exist (any more) are kept until they do.
    ///
    /// # Errors
    /// If a property does not exist, is refused or does not fit, or no topic is named.
    pub fn open(
        settings: &KafkaSettings,
        positions: &BTreeMap<Partition, Position>,
        start: Start,
    ) -> Result<Self> {
        let KafkaSettings { connection, topics, headers } = settings;
        let wanted = Arc::new(Wanted::parse(topics)?);
        let brokers = connection.bootstrap()?;
        let mut config = connection.config(Role::Consumer)?;
        if config.get("group.id").is_none() {
            config.set("group.id", GROUP);
        }
        config.create_native_config().map_err(explain_config)?;
        let refresh =
            match config.get("topic.metadata.refresh.interval.ms").and_then(|text| text.parse().ok()) {
                Some(millis) => Duration::from_millis(millis),
                None => REFRESH,
            };

        let (context, waker) = (Context::new(connection.tokens.clone()), Arc::new(Waker::default()));
        let mut config_of_scout = connection.config(Role::Lookout)?;
        // Without a group it is no consumer to the cluster.
        config_of_scout.remove("group.id");
        let mut client: Client =
            config_of_scout.create_with_context(context.clone()).map_err(explain_config)?;
        client.set_nonempty_callback({
            let waker = Arc::clone(&waker);
            move || waker.ring()
        });
        let scout = Scout::start(
            Arc::new(client),
            Arc::clone(&wanted),
            brokers.clone(),
            refresh,
            Arc::clone(&waker),
        )?;
        let held = positions.iter().map(|(partition, &position)| {
            (
                partition.clone(),
                Held { position: Position { next: position.next.max(0), ..position }, other: false },
            )
        });
        Ok(Self {
            wanted,
            headers: *headers,
            start,
            brokers,
            config,
            context,
            waker,
            held: held.collect(),
            known: positions.keys().map(|partition| partition.topic.clone()).collect(),
            told: BTreeSet::new(),
            joined: false,
            asked: false,
            unshown: BTreeMap::new(),
            shown: None,
            reader: None,
            scout,
        })
    }

    /// Serves what the clients have to say beside records.
    fn serve(&mut self) {
        self.scout.serve();
        if let Some(reader) = &mut self.reader {
            reader.serve();
        }
        self.show(false);
    }

    /// Hands over errors of the clients, and acts on what was seen of the cluster.
    fn attend(&mut self, handle: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        for fault in self.context.faults() {
            self.report(explain::fault(&fault, &self.brokers), handle)?;
        }
        match self.scout.latest() {
            Some(Ok(survey)) => {
                self.asked = false;
                self.follow(&survey, handle)
            }
            Some(Err(error)) => self.report(error, handle),
            None => Ok(()),
        }
    }

    /// An error that ends the source if it was never well and waiting does not mend it; else a passing trouble.
    fn report(&self, error: Error, handle: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        if !self.joined && !error.retryable() {
            return Err(error);
        }
        handle(Event::Trouble(error));
        Ok(())
    }

    /// As [`Self::report`], once until `what` is well again.
    fn tell(&mut self, what: String, error: Error, handle: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        if self.told.insert(what) { self.report(error, handle) } else { Ok(()) }
    }

    /// Goes on as what was seen of the cluster demands.
    fn follow(&mut self, survey: &Survey, handle: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        let found = self.found(survey, handle)?;
        self.joined = true;
        let lanes = self.reader.as_ref().map(Reader::lanes).unwrap_or_default();
        let standing = lanes.iter().filter(|lane| lane.doubt().is_some()).count();
        let set: BTreeSet<&Partition> = lanes.iter().map(super::lane::Lane::partition).collect();
        let plans = self.plans(&found);
        if standing == 0 && set.iter().copied().eq(plans.keys()) {
            return Ok(());
        }
        let flowing: BTreeSet<Partition> =
            lanes.iter().filter(|lane| lane.doubt().is_none()).map(|lane| lane.partition().clone()).collect();
        self.halt();
        self.known.extend(found.keys().map(|partition| partition.topic.clone()));
        for partition in plans.keys() {
            self.held.remove(partition);
        }
        for (partition, plan) in &plans {
            if let Some((expected, reason)) = &plan.gap {
                let (expected, found, reason) = (*expected, plan.position.next, reason.clone());
                handle(Event::Gap { partition, expected, found, reason });
            }
            if plan.gap.is_some() || !flowing.contains(partition) {
                handle(Event::Assigned { partition, position: plan.position });
            }
        }
        if !plans.is_empty() {
            self.reader = Some(Reader::open(&self.config, self.context.clone(), &self.waker, &plans)?);
        }
        Ok(())
    }

    /// The partitions of the wanted topics, with the bounds of their logs where these are known. Tells what is missing.
    fn found(
        &mut self,
        survey: &Survey,
        handle: &mut dyn FnMut(Event<'_>),
    ) -> Result<BTreeMap<Partition, Option<Bounds>>> {
        let mut found = BTreeMap::new();
        let mut well = BTreeSet::new();
        for (topic, seen) in survey {
            let error = match seen {
                Seen::There(partitions) => {
                    for (&number, &bounds) in partitions {
                        found.insert(Partition { topic: topic.clone(), number }, bounds);
                    }
                    well.insert(topic.clone());
                    continue;
                }
                Seen::Missing => Error::misconfigured(format!(
                    "the Kafka brokers `{}` have no topic `{topic}`: create it, or name another in `topics`",
                    self.brokers
                )),
                Seen::Silent(code) => {
                    explain::request(Some(*code), &format!("of the topic `{topic}`"), &self.brokers)
                }
            };
            self.tell(topic.clone(), error, handle)?;
        }
        if survey.is_empty() {
            let patterns: Vec<_> = self.wanted.patterns.iter().map(|p| format!("`{p}`")).collect();
            let text =
                format!("no topic of the Kafka brokers `{}` matches {}", self.brokers, patterns.join(" or "));
            self.tell(String::new(), Error::unavailable(text), handle)?;
        } else {
            well.insert(String::new());
        }
        for (partition, bounds) in &found {
            let name = partition.to_string();
            if bounds.is_some() {
                well.insert(name);
            } else {
                let text = format!("the Kafka brokers `{}` have no leader for `{name}` now", self.brokers);
                self.tell(name, Error::unavailable(text), handle)?;
            }
        }
        self.told.retain(|what| !well.contains(what));
        Ok(found)
    }

    /// Where each partition goes on that can: those that are read without doubt do so also if nothing is known of them
    /// now.
    fn plans(&self, found: &BTreeMap<Partition, Option<Bounds>>) -> BTreeMap<Partition, Plan> {
        let lanes = self.reader.as_ref().map(Reader::lanes).unwrap_or_default();
        let lanes: BTreeMap<_, _> = lanes.iter().map(|lane| (lane.partition(), lane)).collect();
        let mut plans = BTreeMap::new();
        for (partition, bounds) in found {
            let lane = lanes.get(partition);
            let held = match lane {
                Some(lane) => {
                    Some(Held { position: lane.position(), other: lane.doubt() == Some(Doubt::Other) })
                }
                None => self.held.get(partition).copied(),
            };
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

    /// Where a partition begins of which nothing is held. One that is new was not there when somebody asked for the end.
    fn start_of(&self, partition: &Partition) -> Start {
        let new_partition = self.known.contains(&partition.topic);
        let new_topic = !self.wanted.names(&partition.topic) && !self.known.is_empty();
        if new_partition || new_topic { Start::Beginning } else { self.start }
    }

    /// Ends the reader; its partitions are held where they stand.
    fn halt(&mut self) {
        self.show(true);
        let Some(reader) = self.reader.take() else { return };
        for lane in reader.lanes() {
            let held = Held { position: lane.position(), other: lane.doubt() == Some(Doubt::Other) };
            self.held.insert(lane.partition().clone(), held);
        }
    }

    /// Asks for a survey if a partition stands in a doubt that one can end.
    fn ask(&mut self) {
        let lanes = self.reader.as_ref().map(Reader::lanes).unwrap_or_default();
        let ends = |doubt| matches!(doubt, Some(Doubt::Outside | Doubt::Gone | Doubt::Other));
        if !self.asked && lanes.iter().any(|lane| ends(lane.doubt())) {
            self.asked = true;
            self.scout.ask();
        }
    }

    /// Commits the group's offsets, unless that was done a moment ago.
    fn show(&mut self, now: bool) {
        if self.unshown.is_empty() || !(now || self.shown.is_none_or(|at| at.elapsed() >= SHOW_EVERY)) {
            return;
        }
        if let Some(reader) = &self.reader {
            reader.commit(&std::mem::take(&mut self.unshown));
            self.shown = Some(Instant::now());
        }
    }
}

impl Source for KafkaSource {
    fn poll(&mut self, wait: Duration, handle: &mut dyn FnMut(Event<'_>)) -> Result<Polled> {
        for wait in [wait, Duration::ZERO] {
            self.serve();
            self.attend(handle)?;
            let handed = self.reader.as_mut().is_some_and(|reader| reader.step(self.headers, handle));
            self.ask();
            if handed {
                return Ok(Polled::More);
            }
            if !self.waker.wait(wait) {
                return Ok(Polled::Quiet);
            }
        }
        Ok(Polled::More)
    }

    fn keep_alive(&mut self) {
        self.serve();
    }

    fn committed(&mut self, positions: &BTreeMap<Partition, Position>) {
        self.unshown.extend(positions.iter().map(|(partition, position)| (partition.clone(), *position)));
        self.show(false);
    }

    fn lag(&self) -> BTreeMap<Partition, u64> {
        self.reader.as_ref().map(Reader::lag).unwrap_or_default()
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.show(true);
    }
}
