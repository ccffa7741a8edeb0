//! One partition being read: what librdkafka fetched becomes events, exactly once and in order.
//!
//! The law: a lane hands over a record only if its offset is not below the lane's position, and only after the record
//! before that position has been proven to be the one that was read (SEMANTICS S16). From the moment that the log may be
//! another one, the lane is in [`Doubt`] and hands over nothing more: whatever still comes out of its queue is thrown
//! away, and a new lane begins where the next survey says.

use rdkafka::error::RDKafkaErrorCode as Code;

use super::explain;
use super::mark::mark;
use super::native::{Message, PartitionQueue};
use crate::error::Error;
use crate::stream::{Event, Partition, Position, Record};

/// Why a lane stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Its position is outside of the log.
    Outside,
    /// The topic or partition is not there.
    Gone,
    /// The record before its position is another one.
    Other,
    /// It may not be read.
    Refused,
}

/// A partition being read.
pub(super) struct Lane {
    partition: Partition,
    queue: PartitionQueue,
    position: Position,
    /// The record before the position comes first, to be compared with the mark.
    check: bool,
    doubt: Option<Doubt>,
    /// librdkafka could not make records of some bytes: the next record shows whether any were lost.
    broken: Option<String>,
    /// The offset up to which the partition was read, once its end was reached. Beyond the position if what is last in the
    /// log are no records, such as the ends of transactions.
    end: i64,
    /// Whether its end was ever reached.
    was_at_end: bool,
}

impl Lane {
    /// Reads `partition` from `position`; with `check`, the queue begins one record earlier.
    pub(super) fn new(partition: Partition, queue: PartitionQueue, position: Position, check: bool) -> Self {
        let end = position.next;
        Self { partition, queue, position, check, doubt: None, broken: None, end, was_at_end: false }
    }

    /// Which partition.
    pub(super) fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Where it goes on.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// Why it stands still, if it does.
    pub(super) fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    /// Whether all is read of a log that ends at `high`. That its end is reached for the first time, the fetches tell.
    pub(super) fn is_read_to(&self, high: i64) -> bool {
        self.was_at_end && !self.check && self.doubt.is_none() && self.end() >= high
    }

    /// Lets it stand still.
    pub(super) fn stop(&mut self, doubt: Doubt) {
        self.doubt = Some(doubt);
    }

    /// The first offset of which nothing is known yet.
    pub(super) fn end(&self) -> i64 {
        self.end.max(self.position.next)
    }

    /// Hands over what was fetched, up to one batch; whether there was anything.
    pub(super) fn step(&mut self, headers: bool, handle: &mut dyn FnMut(Event<'_>)) -> bool {
        let Self { partition, queue, position, check, doubt, broken, end, was_at_end } = self;
        let batch = queue.take();
        if batch.is_empty() || doubt.is_some() {
            return !batch.is_empty();
        }
        let mut run = Run { partition, position, headers, messages: Vec::new() };
        for message in batch.messages() {
            let offset = message.offset();
            match message.error() {
                None => {
                    if std::mem::take(check)
                        && offset == run.next() - 1
                        && run.position.mark != Some(mark(message.stamp(), message.key(), message.payload()))
                    {
                        *doubt = Some(Doubt::Other);
                        break;
                    }
                    if offset < run.next() {
                        continue;
                    }
                    if let Some(reason) = broken.take()
                        && offset > run.next()
                    {
                        run.hand_over(handle);
                        let expected = run.next();
                        handle(Event::Gap { partition, expected, found: offset, reason });
                    }
                    run.messages.push(message);
                }
                Some(Code::PartitionEOF) => {
                    run.hand_over(handle);
                    // The record to compare with may have been compacted away, but then the log goes beyond it.
                    if std::mem::take(check) && offset < run.next() {
                        *doubt = Some(Doubt::Outside);
                        break;
                    }
                    *end = offset;
                    *was_at_end = true;
                    handle(Event::CaughtUp { partition });
                }
                Some(code) => {
                    run.hand_over(handle);
                    *doubt = match code {
                        Code::AutoOffsetReset | Code::OffsetOutOfRange => Some(Doubt::Outside),
                        code if explain::is_missing(code) => Some(Doubt::Gone),
                        code if explain::is_authorization(code) => Some(Doubt::Refused),
                        _ => None,
                    };
                    if doubt.is_some() {
                        break;
                    }
                    let reason =
                        format!("`{partition}` could not be read at offset {offset}: {}", message.reason());
                    handle(Event::Trouble(Error::unavailable(reason.clone())));
                    *broken = Some(reason);
                }
            }
        }
        run.hand_over(handle);
        true
    }
}

/// Consecutive records on their way to the handler.
struct Run<'l, 'b> {
    partition: &'l Partition,
    position: &'l mut Position,
    headers: bool,
    messages: Vec<Message<'b>>,
}

impl Run<'_, '_> {
    /// The lowest offset that may come next.
    fn next(&self) -> i64 {
        self.messages.last().map_or(self.position.next, |last| last.offset() + 1)
    }

    /// Hands over the records and moves the position behind them.
    fn hand_over(&mut self, handle: &mut dyn FnMut(Event<'_>)) {
        let Some(last) = self.messages.last() else { return };
        let mark = mark(last.stamp(), last.key(), last.payload());
        let after = Position { next: last.offset() + 1, mark: Some(mark) };
        let (mut headers, mut ends) = (Vec::new(), Vec::new());
        if self.headers {
            for message in &self.messages {
                message.headers(&mut headers);
                ends.push(headers.len());
            }
        }
        let mut records = Vec::with_capacity(self.messages.len());
        let mut begin = 0;
        for (at, message) in self.messages.iter().enumerate() {
            let end = ends.get(at).copied().unwrap_or(0);
            records.push(Record {
                offset: message.offset(),
                stamp: message.stamp(),
                key: message.key(),
                payload: message.payload(),
                headers: &headers[begin..end],
                mark: None,
            });
            begin = end;
        }
        if let Some(last) = records.last_mut() {
            last.mark = after.mark;
        }
        // Moved first: a handler that panics has had the records.
        *self.position = after;
        handle(Event::Records { partition: self.partition, records: &records });
        self.messages.clear();
    }
}
