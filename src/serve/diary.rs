//! What the service says of itself, for the sinks that want `diagnostics`: which records there are, and how many.
//!
//! They go through the outbox like all messages, in the commit of what they speak of. Where no sink wants them nothing is
//! made, written or woken.
//!
//! How much waits in an outage is bounded. A status is for five minutes of the clock and known by them, so that a crash
//! says none twice; those of a sink wait in one lane, one behind the other, and expire after an hour. A source that has
//! trouble again and again is spoken of once in five minutes. The rest is what people do, and starts and ends: few, each is
//! wanted, and all keep the sink's `max_age`.

use std::collections::BTreeMap;

use driftlead_connectors::store;
use driftlead_engine::id::{self, Field};

use super::plan::SinkPlan;
use super::wire::{Body, Category, Diagnostic, Event, Level, Operation, SCHEMA};
use crate::time::Timestamp;

/// How often a status is said, in microseconds; availability tests may not come more often.
pub(super) const EVERY: i64 = 300_000_000;
/// The lane of statuses: each sink has its own.
pub(super) const STATUS_LANE: &str = "status";
/// After how long a status is of no use, in microseconds.
pub(super) const STATUS_AGE: i64 = 3_600_000_000;

/// Who is told, and what was said.
#[derive(Debug)]
pub(super) struct Diary {
    instance: String,
    /// The sinks that want it.
    sinks: Vec<String>,
    /// The five minutes that were looked at last, counted from 1970.
    slot: i64,
    troubles: BTreeMap<String, Trouble>,
    /// How much memory is in use: a simulation has none of its own.
    pub(super) memory: fn() -> Option<u64>,
}

/// The newest trouble of a source that was spoken of.
#[derive(Debug)]
struct Trouble {
    id: String,
    since: i64,
    is_open: bool,
}

impl Diary {
    /// Of a service that starts `now`: its first status comes with the next full five minutes.
    pub(super) fn new(instance: String, sinks: &[SinkPlan], now: i64) -> Self {
        let slot = now.div_euclid(EVERY);
        Self { instance, sinks: Self::wanted(sinks), slot, troubles: BTreeMap::new(), memory }
    }

    /// One that tells these sinks.
    #[cfg(test)]
    pub(super) fn telling(instance: &str, sinks: &[&str], now: i64) -> Self {
        let mut diary = Self::new(instance.to_owned(), &[], now);
        diary.memory = || None;
        diary.sinks = sinks.iter().map(|sink| (*sink).to_owned()).collect();
        diary
    }

    /// The names of those that want to know.
    pub(super) fn wanted(sinks: &[SinkPlan]) -> Vec<String> {
        sinks.iter().filter(|sink| sink.diagnostics).map(|sink| sink.name.clone()).collect()
    }

    /// Tells these sinks from now on.
    pub(super) fn tell_from_now_on(&mut self, sinks: Vec<String>) {
        self.sinks = sinks;
    }

    /// Whether somebody wants to know.
    pub(super) fn is_wanted(&self) -> bool {
        !self.sinks.is_empty()
    }

    /// A record of what happened at `time`, to be completed.
    pub(super) fn entry(&self, operation: Operation, correlation: Option<&str>, time: i64) -> Diagnostic {
        let category = match operation {
            Operation::Reloaded | Operation::Acknowledged | Operation::Silenced => Category::Audit,
            _ => Category::Service,
        };
        let level = match operation {
            Operation::Failed => Level::Error,
            Operation::SourceTrouble => Level::Warning,
            _ => Level::Info,
        };
        let fields = [
            Field::Str(operation.word()),
            Field::Str(&self.instance),
            Field::Int(time),
            Field::from(correlation),
        ];
        Diagnostic {
            id: id::hash(&fields),
            revision: 0,
            time: Timestamp::from_micros(time),
            category,
            operation,
            level,
            instance: self.instance.clone(),
            correlation: correlation.map(str::to_owned),
            duration_ms: None,
            message: String::new(),
            properties: BTreeMap::new(),
        }
    }

    /// The messages of a record, one for each sink that wants it.
    pub(super) fn messages(&self, own: Diagnostic) -> Vec<store::Message> {
        let (id, revision) = (own.id.clone(), own.revision);
        let lane = if own.operation == Operation::Status { STATUS_LANE } else { id.as_str() };
        let event = Event { schema: SCHEMA.to_owned(), body: Body::Diagnostic(own) };
        // Text and finite numbers: such a record is always JSON.
        let Ok(body) = serde_json::to_string(&event) else { return Vec::new() };
        let message = |sink: &String| store::Message {
            key: id::delivery_key(&id, revision, sink),
            sink: sink.clone(),
            lane: Some(lane.to_owned()),
            body: body.clone(),
        };
        self.sinks.iter().map(message).collect()
    }

    /// When the five minutes began that a status is due for, in microseconds since the epoch. Those that nobody saw, as
    /// when the clock jumps, are not made up for; after a clock that went back the outbox knows which were said.
    pub(super) fn status_due(&mut self, now: i64) -> Option<i64> {
        let slot = now.div_euclid(EVERY);
        let before = std::mem::replace(&mut self.slot, slot);
        (slot > before && self.is_wanted()).then_some(slot * EVERY)
    }

    /// A source has trouble; answers with a record unless it was spoken of a short while ago.
    pub(super) fn trouble(&mut self, source: &str, now: i64) -> Option<Diagnostic> {
        let is_known = |own: &Trouble| own.is_open || (0..EVERY).contains(&now.saturating_sub(own.since));
        if !self.is_wanted() || self.troubles.get(source).is_some_and(is_known) {
            return None;
        }
        let entry = self.entry(Operation::SourceTrouble, Some(source), now);
        let trouble = Trouble { id: entry.id.clone(), since: now, is_open: true };
        self.troubles.insert(source.to_owned(), trouble);
        Some(entry)
    }

    /// A source is read again; answers with a record if its trouble was spoken of: under the same id.
    pub(super) fn recovered(&mut self, source: &str, now: i64) -> Option<Diagnostic> {
        let trouble = self.troubles.get_mut(source).filter(|own| own.is_open)?;
        trouble.is_open = false;
        let (id, lasted) = (trouble.id.clone(), now.saturating_sub(trouble.since));
        let entry = self.entry(Operation::SourceRecovered, Some(source), now);
        Some(Diagnostic { id, revision: 1, duration_ms: Some(milliseconds(lasted)), ..entry })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a duration in milliseconds")]
pub(super) fn milliseconds(micros: i64) -> f64 {
    micros.max(0) as f64 / 1e3
}

/// What a service calls itself: the machine's or container's name.
pub(super) fn instance(environment: &dyn Fn(&str) -> Option<String>) -> String {
    let name = environment("HOSTNAME").or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok());
    let name = name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    name.unwrap_or("driftlead").to_owned()
}

/// The sum of a metric's series in the text of `/metrics`.
pub(super) fn total(text: &str, name: &str) -> f64 {
    let numbers = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']))?;
        rest.rsplit(' ').next()?.parse::<f64>().ok()
    });
    numbers.sum()
}

/// How much memory this process has in use, in bytes, where the system says it.
fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::super::carrier::Carrier;
    use super::super::template::Template;
    use super::*;

    fn sink(name: &str, diagnostics: bool) -> SinkPlan {
        SinkPlan {
            name: name.to_owned(),
            carrier: Carrier::Message {
                sink: Box::new(driftlead_connectors::sink::Sink::Stdout(
                    driftlead_connectors::sink::StdoutSink,
                )),
                template: Box::new(Template::plain()),
            },
            verdicts: true,
            alerts: true,
            diagnostics,
            max_age: std::time::Duration::from_secs(1),
        }
    }

    #[test]
    fn a_status_is_due_once_in_five_minutes_of_a_clock_that_jumps() {
        let mut diary = Diary::new("i-1".to_owned(), &[sink("a", true)], 7 * EVERY + 5);
        assert_eq!(diary.status_due(7 * EVERY + 6), None, "the five minutes in which it started");
        assert_eq!(diary.status_due(8 * EVERY), Some(8 * EVERY));
        assert_eq!(diary.status_due(9 * EVERY - 1), None);
        assert_eq!(diary.status_due(20 * EVERY + 3), Some(20 * EVERY), "one, however long it was away");
        assert_eq!(diary.status_due(8 * EVERY + 1), None, "the clock went back");
        assert_eq!(diary.status_due(9 * EVERY), Some(9 * EVERY));
        let status = |diary: &Diary| diary.entry(Operation::Status, None, 9 * EVERY).id;
        let again = Diary::new("i-1".to_owned(), &[], 0);
        assert_eq!(status(&diary), status(&again), "known by its five minutes");
        assert_ne!(status(&diary), status(&Diary::new("i-2".to_owned(), &[], 0)));
    }

    #[test]
    fn nobody_is_told_who_does_not_want_to_know() {
        let mut diary = Diary::new("i-1".to_owned(), &[sink("a", false)], 0);
        assert!(!diary.is_wanted() && diary.status_due(EVERY).is_none() && diary.trouble("s", 1).is_none());
        diary.tell_from_now_on(Diary::wanted(&[sink("a", false), sink("b", true)]));
        let keys: Vec<String> = diary
            .messages(diary.entry(Operation::Started, None, 1))
            .into_iter()
            .map(|message| message.key)
            .collect();
        assert_eq!(keys.len(), 1);
        assert!(keys[0].ends_with(":0:b"), "{keys:?}");
    }

    #[test]
    fn a_source_that_flaps_is_spoken_of_once_in_five_minutes() {
        let mut diary = Diary::new("i-1".to_owned(), &[sink("a", true)], 0);
        let begun = diary.trouble("s", 10).expect("new");
        assert!(diary.trouble("s", 11).is_none(), "it is known");
        let ended = diary.recovered("s", 2_010).expect("spoken of");
        assert_eq!((&ended.id, ended.revision, ended.duration_ms), (&begun.id, 1, Some(2.0)));
        assert!(diary.recovered("s", 13).is_none());
        assert!(diary.trouble("s", EVERY).is_none() && diary.recovered("s", EVERY).is_none(), "too soon");
        assert_ne!(diary.trouble("s", 10 + EVERY).expect("new").id, begun.id);
        assert!(diary.trouble("t", 12).is_some(), "another source");
    }

    #[test]
    fn sums_are_of_one_metric() {
        let text = "# TYPE a counter\na_total{source=\"x y\"} 3\na_total{source=\"z\"} 4.5\na_total_more 9\nb 2\n# EOF\n";
        assert_eq!((total(text, "a_total"), total(text, "b"), total(text, "c")), (7.5, 2.0, 0.0));
    }
}
