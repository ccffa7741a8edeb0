//! Where rows come in that are sent: a door for each model that takes some, and what becomes of who came through.
//!
//! What is inside at a time is bounded by its bytes, and the place is taken before a body is read: a service that cannot
//! keep up turns requests away at the door, and drops no row that it has let in. Inside, a request goes to the source's
//! thread, from there as a chunk to the engine, and is answered after the commit that holds its counts (SEMANTICS S17).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use axum::body::Bytes;
use crossbeam_channel::Sender;
use driftlead_connectors::stream::Partition;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Room is given out in pieces of so many bytes.
const PIECE: usize = 1024;
/// What a request takes up beside its body, in pieces.
const OVERHEAD: usize = 4;
/// Bodies of the largest size that may be inside of a source at a time.
const BODIES: usize = 4;
/// What may be inside at least, in bytes, however small the largest body is.
const LEAST: usize = 8 << 20;

/// The doors of a service, by the names of the models behind them.
#[derive(Debug, Default)]
pub struct Intake(RwLock<BTreeMap<String, Arc<Door>>>);

impl Intake {
    /// The door of a model; `None` if its rows come from elsewhere.
    #[must_use]
    pub(crate) fn door(&self, model: &str) -> Option<Arc<Door>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(model).cloned()
    }

    /// The models that take what is sent, by name.
    pub(crate) fn models(&self) -> Vec<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// From now on these are the ways in, and there are no others: a door that was there leads that way, so that who is on
    /// its threshold comes in all the same. Answers each with the place of its source.
    pub(super) fn aim(&self, ways: Vec<Way>) -> Vec<(usize, Arc<Door>)> {
        let mut doors = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *doors);
        let mut aimed = Vec::with_capacity(ways.len());
        for Way { source, model, target } in ways {
            let door = match before.remove(&model) {
                Some(door) => {
                    *door.target.write().unwrap_or_else(PoisonError::into_inner) = target;
                    door
                }
                None => Arc::new(Door::new(&model, target)),
            };
            doors.insert(model, door.clone());
            aimed.push((source, door));
        }
        aimed
    }
}

/// The way in to one model of a source.
pub(super) struct Way {
    /// The place of the source.
    pub(super) source: usize,
    pub(super) model: String,
    pub(super) target: Target,
}

/// Where a door leads.
#[derive(Debug)]
pub(super) struct Target {
    /// The model's place among those of its source.
    pub(super) lane: usize,
    pub(super) room: Room,
    pub(super) queue: Sender<Sent>,
}

/// How much may be inside of one source at a time.
#[derive(Clone, Debug)]
pub(super) struct Room {
    max_body: usize,
    pieces: Arc<Semaphore>,
}

impl Room {
    /// Room for some bodies of up to `max_body` bytes.
    pub(super) fn new(max_body: usize) -> Self {
        let bytes = max_body.saturating_mul(BODIES).max(LEAST);
        Self { max_body, pieces: Arc::new(Semaphore::new(bytes / PIECE + BODIES * OVERHEAD)) }
    }
}

/// The way in to one model.
#[derive(Debug)]
pub(crate) struct Door {
    model: String,
    /// Requests that came in and are not answered.
    inside: Arc<AtomicUsize>,
    /// Where it leads; a reload may change that.
    target: RwLock<Target>,
}

/// Why somebody is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The body has more than so many bytes.
    TooLarge(usize),
    /// There is no room now.
    Full,
}

impl Door {
    pub(super) fn new(model: &str, target: Target) -> Self {
        Self { model: model.to_owned(), inside: Arc::default(), target: RwLock::new(target) }
    }

    /// The model behind it.
    pub(super) fn model(&self) -> &str {
        &self.model
    }

    /// The partition into which all who come through it write.
    pub(super) fn partition(&self) -> Partition {
        Self::partition_of(&self.model)
    }

    /// The partition of what is sent to a model.
    pub(super) fn partition_of(model: &str) -> Partition {
        Partition { topic: format!("ingest/{model}"), number: 0 }
    }

    /// The most bytes of a body.
    pub(crate) fn max_body(&self) -> usize {
        self.room().max_body
    }

    fn room(&self) -> Room {
        self.target.read().unwrap_or_else(PoisonError::into_inner).room.clone()
    }

    /// Whether nobody is inside: what is still being read or counted may be older than what was.
    pub(super) fn is_quiet(&self) -> bool {
        self.inside.load(Ordering::SeqCst) == 0
    }

    /// Takes a place for a body of `length` bytes; one that does not say is taken for the largest.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub(crate) fn enter(&self, length: Option<u64>) -> Result<Pass, Refusal> {
        let Room { max_body, pieces: room } = self.room();
        let length = match length {
            None => max_body,
            Some(length) => usize::try_from(length)
                .ok()
                .filter(|length| *length <= max_body)
                .ok_or(Refusal::TooLarge(max_body))?,
        };
        let pieces = u32::try_from(length.div_ceil(PIECE) + OVERHEAD).map_err(|_| Refusal::Full)?;
        let place = room.try_acquire_many_owned(pieces).map_err(|_| Refusal::Full)?;
        self.inside.fetch_add(1, Ordering::SeqCst);
        Ok(Pass { inside: Arc::clone(&self.inside), _place: place })
    }

    /// Hands a body over; the answer comes when it is counted and committed, or never, if the service ends before.
    pub(crate) fn send(&self, parcel: Parcel) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        self.let_in(parcel, answer);
        answered
    }

    /// Has somebody in whom `answer` is for.
    pub(super) fn let_in(&self, parcel: Parcel, answer: oneshot::Sender<Answer>) {
        // Held until it is in the queue: after a door was aimed elsewhere nobody comes the old way any more.
        let target = self.target.read().unwrap_or_else(PoisonError::into_inner);
        // Where nobody listens any more the answer's other end is dropped with it.
        drop(target.queue.send(Sent { lane: target.lane, parcel, answer }));
    }
}

/// A place inside, for as long as it is held.
#[derive(Debug)]
pub(crate) struct Pass {
    inside: Arc<AtomicUsize>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// JSON objects, one a line.
    Lines,
    /// An Arrow IPC stream.
    Arrow,
}

impl Kind {
    /// A word that tells bodies of the same bytes apart.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Arrow => "arrow",
        }
    }
}

/// What a request brings.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) kind: Kind,
    pub(crate) body: Bytes,
    /// By which its sender knows it again.
    pub(crate) key: Option<String>,
    /// When it was there as a whole, in microseconds since the epoch.
    pub(crate) received: i64,
    pub(crate) pass: Pass,
}

/// A request on its way to the source's thread.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) lane: usize,
    pub(super) parcel: Parcel,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// Who waits for the commit of a chunk.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) model: String,
    pub(super) key: Option<Key>,
    pub(super) answer: oneshot::Sender<Answer>,
    pub(super) pass: Pass,
}

/// By what a request is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The sender's choice.
    pub(super) text: String,
    /// SHA-256 of what was sent, as 64 hexadecimal digits.
    pub(super) sha256: String,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is counted, and that is committed.
    Committed {
        /// What was counted, as JSON.
        receipt: String,
        /// Whether it was by an earlier request under the same key.
        is_replay: bool,
    },
    /// The key was used for another body.
    OtherBody,
    /// The body as a whole cannot be read, and why; nothing is counted.
    Unreadable(String),
    /// The service ends; nothing is counted.
    Ending,
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::unbounded;

    use super::*;

    fn door(max_body: usize) -> Door {
        Door::new("flights", Target { lane: 0, room: Room::new(max_body), queue: unbounded().0 })
    }

    #[test]
    fn what_is_inside_is_bounded_and_a_place_is_given_back() {
        let door = door(LEAST);
        let inside: Vec<Pass> = (0..BODIES).map(|_| door.enter(Some(LEAST as u64)).expect("room")).collect();
        assert!(!door.is_quiet());
        assert_eq!(door.enter(Some(1)).err(), Some(Refusal::Full));
        drop(inside);
        assert!(door.is_quiet());
        assert!(door.enter(None).is_ok(), "one that does not say how long it is");
    }

    #[test]
    fn a_body_beyond_the_limit_is_not_let_in() {
        let door = door(100);
        assert!(door.enter(Some(100)).is_ok());
        for length in [101, u64::MAX] {
            assert_eq!(door.enter(Some(length)).err(), Some(Refusal::TooLarge(100)));
        }
        assert!(door.is_quiet());
    }

    #[tokio::test]
    async fn a_request_to_a_service_that_has_ended_is_not_kept_waiting() {
        let door = door(100);
        let pass = door.enter(Some(2)).expect("room");
        let body = Bytes::from_static(b"{}");
        let parcel = Parcel { kind: Kind::Lines, body, key: None, received: 0, pass };
        assert!(door.send(parcel).await.is_err());
        assert!(door.is_quiet());
    }
}
