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
use super::lane::{Doubt, Lane};
use super::ledger::Ledger;
use super::native::Client;
use super::plan::{Bounds, Start};
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
    brokers: String,
    config: ClientConfig,
    context: Context,
    waker: Arc<Waker>,
    ledger: Ledger,
    /// What cannot be read now and has been told of.
    told: BTreeSet<String>,
    /// The cluster has told of the topics.
    joined: bool,
    /// Errors of the clients that were told of since the cluster last answered or gave records.
    faults: BTreeSet<String>,
    /// How many partitions stood in doubt when a survey was last asked for.
    doubts: usize,
    /// The question that a survey must be the answer to, to be newer than every doubt.
    question: u64,
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
            start,
            brokers.clone(),
            refresh,
            Arc::clone(&waker),
        )?;
        Ok(Self {
            ledger: Ledger::new(positions, start, Arc::clone(&wanted)),
            wanted,
            headers: *headers,
            brokers,
            config,
            context,
            waker,
            told: BTreeSet::new(),
            joined: false,
            faults: BTreeSet::new(),
            doubts: 0,
            question: 0,
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
            self.complain(format!("{:?}", fault.code), explain::fault(&fault, &self.brokers), handle)?;
        }
        match self.scout.latest() {
            // Begun before somebody asked: what it saw may be older than the doubt.
            Some((question, Ok(_))) if question < self.question => Ok(()),
            Some((_, Ok(survey))) => {
                self.faults.clear();
                self.follow(&survey, handle)
            }
            Some((_, Err(error))) => self.complain("survey".to_owned(), error, handle),
            None => Ok(()),
        }
    }

    /// As [`Self::report`], once until the cluster has answered or given records.
    fn complain(&mut self, what: String, error: Error, handle: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        if self.faults.insert(what) || !error.retryable() {
            // What was seen before it says nothing of what has been written since.
            self.question = self.scout.ask();
            self.report(error, handle)
        } else {
            Ok(())
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
        let set: BTreeSet<&Partition> = lanes.iter().map(Lane::partition).collect();
        let plans = self.ledger.plans(&found, lanes);
        for partition in found.keys().filter(|partition| !plans.contains_key(*partition)) {
            // Its leader does not answer now, and what it holds is not known: nobody may go on without it.
            let position = self.ledger.position(partition).unwrap_or(Position { next: 0, mark: None });
            handle(Event::Assigned { partition, position });
        }
        if standing == 0 && set.iter().copied().eq(plans.keys()) {
            // After a trouble nobody else tells that there is nothing more: a partition's end is told once.
            let high = |lane: &Lane| found.get(lane.partition()).copied().flatten().map(|bounds| bounds.high);
            for lane in lanes.iter().filter(|lane| high(lane).is_some_and(|high| lane.is_read_to(high))) {
                handle(Event::CaughtUp { partition: lane.partition() });
            }
            self.miss(survey, &found, handle);
            return Ok(());
        }
        let flowing: BTreeSet<Partition> =
            lanes.iter().filter(|lane| lane.doubt().is_none()).map(|lane| lane.partition().clone()).collect();
        self.halt();
        self.ledger.release(&plans);
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
        self.miss(survey, &found, handle);
        Ok(())
    }

    /// Tells of the partitions that are held and not there. Of a topic that the cluster does not tell of nothing is known.
    fn miss(
        &self,
        survey: &Survey,
        found: &BTreeMap<Partition, Option<Bounds>>,
        handle: &mut dyn FnMut(Event<'_>),
    ) {
        for partition in self.ledger.held().filter(|partition| !found.contains_key(*partition)) {
            if !matches!(survey.get(&partition.topic), Some(Seen::Silent(_))) {
                handle(Event::Lost { partition });
            }
        }
    }

    /// The partitions of the wanted topics, with the bounds of their logs where these are known. Tells what is missing.
    fn found(
        &mut self,
        survey: &Survey,
        handle: &mut dyn FnMut(Event<'_>),
    ) -> Result<BTreeMap<Partition, Option<Bounds>>> {
        let mut found = BTreeMap::new();
        let (mut well, mut lost) = (BTreeSet::new(), BTreeSet::new());
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
                    // What is read of it goes on.
                    let lanes = self.reader.as_ref().map(Reader::lanes).unwrap_or_default();
                    let of_topic = lanes.iter().map(Lane::partition).filter(|p| p.topic == *topic);
                    found.extend(of_topic.map(|partition| (partition.clone(), None)));
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
            if matches!(survey.get(&partition.topic), Some(Seen::Silent(_))) {
                continue;
            }
            let name = partition.to_string();
            if bounds.is_some() {
                well.insert(name);
            } else {
                let text = format!("the Kafka brokers `{}` have no leader for `{name}` now", self.brokers);
                self.tell(name, Error::unavailable(text), handle)?;
            }
        }
        for partition in self.ledger.held() {
            let there = matches!(survey.get(&partition.topic), Some(Seen::There(_)));
            if there && !found.contains_key(partition) {
                lost.insert(partition.to_string());
            }
        }
        for name in lost {
            let text = format!(
                "the Kafka brokers `{}` have no partition `{name}` any more: what it held beyond its position is lost",
                self.brokers
            );
            self.tell(name, Error::unavailable(text), handle)?;
        }
        self.told.retain(|what| !well.contains(what));
        Ok(found)
    }

    /// Ends the reader; its partitions are held where they stand.
    fn halt(&mut self) {
        self.show(true);
        self.doubts = 0;
        if let Some(reader) = self.reader.take() {
            self.ledger.keep(reader.lanes());
        }
    }

    /// Asks for a survey if one more partition stands in a doubt that a survey can end.
    fn ask(&mut self) {
        let lanes = self.reader.as_ref().map(Reader::lanes).unwrap_or_default();
        let ends = |doubt| matches!(doubt, Some(Doubt::Outside | Doubt::Gone | Doubt::Other));
        let doubts = lanes.iter().filter(|lane| ends(lane.doubt())).count();
        if doubts > self.doubts {
            self.doubts = doubts;
            self.question = self.scout.ask();
        }
    }

    /// Hands over what there is; whether there were records or the like.
    fn round(&mut self, handle: &mut dyn FnMut(Event<'_>)) -> Result<bool> {
        self.serve();
        self.attend(handle)?;
        let handed = self.reader.as_mut().is_some_and(|reader| reader.step(self.headers, handle));
        self.ask();
        if handed {
            self.faults.clear();
        }
        Ok(handed)
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
        if self.round(handle)? {
            return Ok(Polled::More);
        }
        if !self.waker.wait(wait) {
            return Ok(Polled::Quiet);
        }
        self.round(handle)?;
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
