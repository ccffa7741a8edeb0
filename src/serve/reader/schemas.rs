//! Where schemas come from that records name, and which of them a registry did not know.
//!
//! Law: an id that the registry does not know is asked for again a minute later, or after a reload, and not before: a schema
//! may be registered after its first record was written, and a record that names nonsense must not become a request each.
//! What was passed over meanwhile is a dead letter and stays one.

use std::collections::BTreeMap;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use driftlead_connectors::decode::{Answer, BlockingRegistry, Outcome, RecordDecoder};
use driftlead_connectors::stream::Record;

use super::{Control, PATIENCE, ReadPlan, Stop};
use crate::clock::Clock;
use crate::exit::Error;
use crate::serve::event::Event;

/// How long an id that the registry did not know is not asked for again, in microseconds.
const UNKNOWN_FOR: i64 = 60_000_000;
/// The most ids that are noted; hostile records name many, and beyond that the oldest answers are worth nothing.
const MOST: usize = 4_096;

/// The ids that a registry did not know, for all partitions of a source: each decoder would ask for itself.
#[derive(Debug, Default)]
pub(super) struct Unknown {
    /// When the registry said so.
    since: BTreeMap<u32, i64>,
    /// Whether decoders remember ids that stand here no more.
    is_stale: bool,
}

impl Unknown {
    /// Notes that the registry does not know an id `now`.
    fn note(&mut self, id: u32, now: i64) {
        if self.since.len() >= MOST {
            self.forget();
        }
        self.since.insert(id, now);
    }

    /// Whether the registry did not know an id less than a minute ago. A clock that went back makes nothing last longer.
    fn has(&self, id: u32, now: i64) -> bool {
        self.since.get(&id).is_some_and(|since| is_recent(*since, now))
    }

    /// Everything is asked for again.
    pub(super) fn forget(&mut self) {
        self.is_stale |= !self.since.is_empty();
        self.since.clear();
    }

    /// Drops what is a minute old; answers whether the decoders have to forget what they know of unknown ids. What is not
    /// as old they are told again from here, and no registry is asked.
    pub(super) fn take_stale(&mut self, now: i64) -> bool {
        let before = self.since.len();
        self.since.retain(|_, since| is_recent(*since, now));
        let is_stale = std::mem::take(&mut self.is_stale);
        is_stale || self.since.len() < before
    }
}

fn is_recent(since: i64, now: i64) -> bool {
    (0..UNKNOWN_FOR).contains(&now.saturating_sub(since))
}

/// A registry as a source uses it, and who may end the waiting for one.
pub(super) struct Schemas<'a> {
    pub(super) registry: Option<&'a BlockingRegistry>,
    pub(super) control: &'a Receiver<Control>,
    /// Who is told that it waits.
    pub(super) events: &'a Sender<Event>,
    pub(super) unknown: &'a mut Unknown,
    pub(super) clock: &'a dyn Clock,
}

impl Schemas<'_> {
    /// Decodes a record, asking the registry for a schema that is not known yet.
    ///
    /// A registry that does not answer holds the partition up, however long: its record may be fine, so it is neither
    /// passed over nor set aside.
    pub(super) fn decode(
        &mut self,
        plan: &ReadPlan,
        decoder: &mut RecordDecoder,
        record: &Record<'_>,
    ) -> Result<Outcome, Stop> {
        let source = &plan.name;
        let outcome = decoder.decode(record);
        let (Outcome::Unresolved(id), Some(registry)) = (&outcome, self.registry) else { return Ok(outcome) };
        if self.unknown.has(*id, self.clock.now()) {
            decoder.resolve(*id, &Answer::Missing);
            return Ok(decoder.decode(record));
        }
        let mut has_told = false;
        loop {
            match registry.fetch(*id) {
                Ok(answer) => {
                    if matches!(answer, Answer::Missing) {
                        self.unknown.note(*id, self.clock.now());
                    }
                    decoder.resolve(*id, &answer);
                    return Ok(decoder.decode(record));
                }
                Err(error) if error.retryable() => {
                    if !has_told {
                        let message =
                            format!("the schema registry does not answer: waiting for schema {id}: {error}");
                        // An engine without room hears of it at the next try.
                        let told = self.events.try_send(Event::Trouble { source: plan.source, message });
                        has_told = told.is_ok();
                    }
                }
                Err(error) => {
                    let message = format!("source `{source}`: the registry does not give schema {id}");
                    return Err(Stop::Failed(Error::input(message).because(error)));
                }
            }
            match self.control.recv_timeout(PATIENCE) {
                Ok(Control::Stop | Control::HandOver) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(Stop::Told);
                }
                Ok(Control::AskAgain) => self.unknown.forget(),
                // Positions that are shown to others can wait.
                Ok(Control::Committed(_)) | Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_id_is_known_to_be_so_for_a_minute_or_until_a_reload() {
        let mut unknown = Unknown::default();
        assert!(!unknown.take_stale(0));
        unknown.note(7, 0);
        unknown.note(8, UNKNOWN_FOR / 2);
        assert!(unknown.has(7, UNKNOWN_FOR - 1) && !unknown.has(9, 0));
        assert!(!unknown.take_stale(UNKNOWN_FOR - 1), "nothing is a minute old");
        assert!(unknown.take_stale(UNKNOWN_FOR));
        assert!(!unknown.has(7, UNKNOWN_FOR) && unknown.has(8, UNKNOWN_FOR), "each has a minute of its own");
        assert!(!unknown.take_stale(UNKNOWN_FOR), "that is said once");
        assert!(!unknown.has(8, 0), "a clock that went back");
        unknown.forget();
        assert!(!unknown.has(8, UNKNOWN_FOR) && unknown.take_stale(UNKNOWN_FOR));
    }

    #[test]
    fn ids_without_end_do_not_fill_memory() {
        let mut unknown = Unknown::default();
        for id in 0..10_000 {
            unknown.note(id, 0);
            assert!(unknown.has(id, 0) && unknown.since.len() <= MOST);
        }
        assert!(unknown.take_stale(0), "what fell out is forgotten by decoders too");
    }
}
