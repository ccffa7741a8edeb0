//! What the cluster holds now: which partitions the topics have, where their logs begin and end.
//!
//! The answers take as long as the network does, so they are awaited on a thread of their own, with a client of its own.
//! It looks again after every `refresh`, after a second if something was not known, and at once when asked.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::MetadataTopic;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use regex::Regex;

use super::explain;
use super::native::Client;
use super::plan::{Bounds, Start};
use super::waker::Waker;
use crate::error::{Error, Result};

/// How long one answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// When to look again if something was not known.
const RETRY: Duration = Duration::from_secs(1);
/// Above this many topics, one question for all of the cluster's costs less than one each.
const FEW: usize = 8;

/// The topics to read.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) names: Vec<String>,
    pub(super) patterns: Vec<Regex>,
}

impl Wanted {
    /// Names as they are, and regular expressions, which begin with `^` and match whole names.
    ///
    /// # Errors
    /// If there are none, or an expression is none.
    pub(super) fn parse(topics: &[String]) -> Result<Self> {
        let mut wanted = Self { names: Vec::new(), patterns: Vec::new() };
        for topic in topics {
            if !topic.starts_with('^') {
                wanted.names.push(topic.clone());
                continue;
            }
            let pattern =
                Regex::new(&format!("^(?:{})$", topic.trim_start_matches('^').trim_end_matches('$')));
            wanted.patterns.push(pattern.map_err(|e| {
                let reason = e.to_string().lines().last().unwrap_or_default().to_owned();
                Error::misconfigured(format!(
                    "the topic `{topic}` begins with `^` and is no regular expression: {reason}"
                ))
            })?);
        }
        if wanted.names.is_empty() && wanted.patterns.is_empty() {
            return Err(Error::misconfigured("no Kafka topics are named: expected `topics: [NAME]`"));
        }
        Ok(wanted)
    }

    /// Whether it was named; otherwise a pattern found it.
    pub(super) fn names(&self, topic: &str) -> bool {
        self.names.iter().any(|name| name == topic)
    }

    /// Topics that begin with two underscores are Kafka's own: a pattern never means them.
    fn matches(&self, topic: &str) -> bool {
        self.names(topic)
            || (!topic.starts_with("__") && self.patterns.iter().any(|pattern| pattern.is_match(topic)))
    }
}

/// What is known of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Its partitions; a partition without a leader, or whose leader did not tell, has no bounds.
    There(BTreeMap<i32, Option<Bounds>>),
    /// It does not exist.
    Missing,
    /// The cluster does not tell, for now or for good.
    Silent(Code),
}

/// What is known of the topics: those that were named, and those that a pattern found.
pub(super) type Survey = BTreeMap<String, Seen>;

/// A look and what it was for: the number of questions that were asked before it began.
pub(super) type Answer = (u64, Result<Survey>);

/// The thread that looks.
pub(super) struct Scout {
    latest: Arc<Mutex<Option<Answer>>>,
    client: Arc<Client>,
    asked: u64,
    /// `None` once it should end.
    asks: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Scout {
    /// Looks now, and then again and again; `waker` rings when something was seen. Of `start` a time is looked for.
    pub(super) fn start(
        client: Arc<Client>,
        wanted: Arc<Wanted>,
        start: Start,
        brokers: String,
        refresh: Duration,
        waker: Arc<Waker>,
    ) -> Result<Self> {
        let latest = Arc::new(Mutex::new(None));
        let (asks, asked) = mpsc::channel();
        let thread = {
            let (latest, client) = (Arc::clone(&latest), Arc::clone(&client));
            let look = move || look(&client, &wanted, start, &brokers);
            std::thread::Builder::new()
                .name("kafka-survey".to_owned())
                .spawn(move || watch(look, &asked, refresh, &latest, &waker))
                .map_err(|e| Error::unavailable("no thread could be started").with_source(e))?
        };
        Ok(Self { latest, client, asked: 0, asks: Some(asks), thread: Some(thread) })
    }

    /// Has it look at once; the number of the question. What was seen by a look with a lower number may be older.
    pub(super) fn ask(&mut self) -> u64 {
        if let Some(asks) = &self.asks {
            let _ = asks.send(());
            self.asked += 1;
        }
        self.asked
    }

    /// What was seen since the last call.
    pub(super) fn latest(&self) -> Option<Answer> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Serves what its client has to say; what it says arrives in its context.
    pub(super) fn serve(&self) {
        let _ = self.client.poll(Duration::ZERO);
    }
}

impl Drop for Scout {
    /// Waits for the answer that is on its way, if one is: up to a few seconds.
    fn drop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch(
    look: impl Fn() -> Result<Survey>,
    asked: &Receiver<()>,
    refresh: Duration,
    latest: &Mutex<Option<Answer>>,
    waker: &Waker,
) {
    let mut number = 0;
    loop {
        number += asked.try_iter().count() as u64;
        let survey = look();
        let pause = if survey.as_ref().is_ok_and(is_complete) { refresh } else { RETRY.min(refresh) };
        *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, survey));
        waker.ring();
        match asked.recv_timeout(pause) {
            Ok(()) => number += 1,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn is_complete(survey: &Survey) -> bool {
    survey.values().all(|seen| match seen {
        Seen::There(partitions) => partitions.values().all(Option::is_some),
        Seen::Missing | Seen::Silent(_) => false,
    })
}

/// Asks the cluster.
fn look(client: &Client, wanted: &Wanted, start: Start, brokers: &str) -> Result<Survey> {
    let mut survey = Survey::new();
    let explain = |e: &KafkaError, what: &str| explain::request(e.rdkafka_error_code(), what, brokers);
    if wanted.patterns.is_empty() && wanted.names.len() <= FEW {
        for name in &wanted.names {
            let metadata = client
                .fetch_metadata(Some(name), PATIENCE)
                .map_err(|e| explain(&e, &format!("which partitions the topic `{name}` has")))?;
            let seen = metadata.topics().iter().find(|topic| topic.name() == name).map_or(Seen::Missing, see);
            survey.insert(name.clone(), seen);
        }
    } else {
        let metadata =
            client.fetch_metadata(None, PATIENCE).map_err(|e| explain(&e, "which topics there are"))?;
        survey.extend(wanted.names.iter().map(|name| (name.clone(), Seen::Missing)));
        let topics = metadata.topics().iter().filter(|topic| wanted.matches(topic.name()));
        survey.extend(topics.map(|topic| (topic.name().to_owned(), see(topic))));
    }
    let (lows, highs) = (ends(client, &survey, Offset::Beginning), ends(client, &survey, Offset::End));
    let (lows, highs) = match (lows, highs) {
        (Ok(lows), Ok(highs)) => (lows, highs),
        (Err(e), _) | (_, Err(e)) => return Err(explain(&e, "where the logs begin and end")),
    };
    // After the ends, so that a record that is written between the two questions lies at or beyond the answer.
    let since = match start {
        Start::Time(millis) => {
            // Below zero are librdkafka's words for the ends of a log.
            let found = ends(client, &survey, Offset::Offset(millis.max(0)))
                .map_err(|e| explain(&e, "which records are of the time in `start`"))?;
            Some(found)
        }
        Start::Beginning | Start::End => None,
    };
    for (topic, seen) in &mut survey {
        let Seen::There(partitions) = seen else { continue };
        for (number, bounds) in partitions {
            let key = (topic.clone(), *number);
            let end = |told: &BTreeMap<_, Option<i64>>| told.get(&key).copied().flatten();
            let (Some(low), Some(high)) = (end(&lows), end(&highs)) else {
                *bounds = None;
                continue;
            };
            let since = match &since {
                None => Some(high),
                Some(since) => since.get(&key).map(|first| first.unwrap_or(high)),
            };
            *bounds = since.map(|since| Bounds { low, high, since });
        }
    }
    Ok(survey)
}

/// A topic's partitions; bounds of nothing stand for a leader that can be asked.
fn see(topic: &MetadataTopic) -> Seen {
    match topic.error().map(Code::from) {
        Some(code) if explain::is_missing(code) => Seen::Missing,
        Some(code) => Seen::Silent(code),
        None => Seen::There(
            topic
                .partitions()
                .iter()
                .map(|p| (p.id(), (p.leader() >= 0).then_some(Bounds { low: 0, high: 0, since: 0 })))
                .collect(),
        ),
    }
}

/// The first or the last offset of every partition that has a leader, or the first one of a time or later (`Offset` of
/// milliseconds since the epoch), which may be nowhere. One that does not answer is left out.
fn ends(
    client: &Client,
    survey: &Survey,
    end: Offset,
) -> Result<BTreeMap<(String, i32), Option<i64>>, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (topic, seen) in survey {
        let Seen::There(partitions) = seen else { continue };
        for (number, _) in partitions.iter().filter(|(_, leader)| leader.is_some()) {
            list.add_partition_offset(topic, *number, end)?;
        }
    }
    if list.count() == 0 {
        return Ok(BTreeMap::new());
    }
    let answer = client.offsets_for_times(list, PATIENCE)?;
    let told = answer.elements().into_iter().filter_map(|element| {
        let offset = match (element.error(), element.offset()) {
            (Ok(()), Offset::Offset(offset)) => Some(offset),
            // Nothing is of that time or later.
            (Ok(()), Offset::End) => None,
            _ => return None,
        };
        Some(((element.topic().to_owned(), element.partition()), offset))
    });
    Ok(told.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(topics: &[&str]) -> Result<Wanted> {
        Wanted::parse(&topics.iter().map(|&t| t.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn patterns_match_whole_names_and_never_kafkas_own() {
        let wanted = wanted(&["plain.name", "^flights-.*", "^__.*|x$"]).unwrap();
        for (topic, matches) in [
            ("plain.name", true),
            ("plainxname", false),
            ("flights-", true),
            ("flights-2001", true),
            ("old-flights-2001", false),
            ("x", true),
            ("xx", false),
            ("__consumer_offsets", false),
        ] {
            assert_eq!(wanted.matches(topic), matches, "{topic}");
        }
        assert!(wanted.names("plain.name") && !wanted.names("flights-2001"));
    }

    #[test]
    fn what_names_no_topic_is_refused() {
        assert!(wanted(&[]).unwrap_err().to_string().contains("`topics: [NAME]`"));
        let message = wanted(&["^flights-("]).unwrap_err().to_string();
        assert!(message.contains("`^flights-(`") && message.contains("regular expression"), "{message}");
    }

    /// A question that comes while a look is on is answered by the next look, not by that one.
    #[test]
    fn an_answer_is_never_older_than_its_question() {
        let (asks, asked) = mpsc::channel();
        let (latest, waker) = (Mutex::new(None), Waker::default());
        let looks = std::cell::Cell::new(0);
        let answers = std::cell::RefCell::new(Vec::new());
        let asks = std::cell::RefCell::new(Some(asks));
        let look = || {
            answers.borrow_mut().extend(latest.lock().unwrap().take().map(|(number, _): Answer| number));
            looks.set(looks.get() + 1);
            match looks.get() {
                1 => asks.borrow().iter().for_each(|asks| asks.send(()).unwrap()),
                2 => asks.borrow().iter().for_each(|asks| (0..2).for_each(|_| asks.send(()).unwrap())),
                3 => {}
                _ => *asks.borrow_mut() = None,
            }
            Ok(Survey::new())
        };
        watch(look, &asked, Duration::ZERO, &latest, &waker);
        assert_eq!(*answers.borrow(), [0, 1, 3]);
    }

    #[test]
    fn a_look_that_left_something_open_is_repeated() {
        let whole = Some(Bounds { low: 0, high: 1, since: 1 });
        let survey = |seen| Survey::from([("t".to_owned(), seen)]);
        assert!(is_complete(&survey(Seen::There(BTreeMap::from([(0, whole), (1, whole)])))));
        assert!(!is_complete(&survey(Seen::There(BTreeMap::from([(0, whole), (1, None)])))));
        assert!(!is_complete(&survey(Seen::Missing)));
        assert!(!is_complete(&survey(Seen::Silent(Code::LeaderNotAvailable))));
    }
}
