//! Streams: partitions of records that can be read again from a position.
//!
//! A source promises this (SEMANTICS S16, S17):
//!
//! - Records of one partition come in the order of their positions; nothing is promised between partitions.
//! - A partition opened at a position gives that record next, or says with [`Event::Gap`] why it cannot.
//! - Nothing is acknowledged by reading. Positions are the caller's to keep; [`Source::committed`] is only told of them.
//!
//! A source that cannot be read again says so by [`Source::is_replayable`], and its rows are counted at most once.

mod lines;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub use self::lines::{LineFile, LinePipe};
use crate::error::{Error, Result};

/// One ordered sequence of records: a partition of a topic, a file, a pipe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// The topic; for files the path.
    pub topic: String,
    /// The number within the topic; 0 for files.
    pub number: i32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.topic, self.number)
    }
}

/// Where reading goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The offset of the next record. Offsets grow within a partition and may leave gaps.
    pub next: i64,
    /// A hash of the record before it, by which a topic that was made anew is told from the old one; `None` at the
    /// beginning, and where a source has no use for it.
    pub mark: Option<u64>,
}

/// What a record's own timestamp says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// When its writer says it was made, in microseconds since the epoch.
    Created(i64),
    /// When the log took it in, in microseconds since the epoch.
    Appended(i64),
}

impl Stamp {
    /// Microseconds since the epoch, whichever it is.
    #[must_use]
    pub fn micros(self) -> i64 {
        match self {
            Self::Created(micros) | Self::Appended(micros) => micros,
        }
    }
}

/// One record, borrowed from the source until the handler returns.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its offset; the position after it is this plus one.
    pub offset: i64,
    /// Its own timestamp, where it has one.
    pub stamp: Option<Stamp>,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// What it holds; `None` for a tombstone.
    pub payload: Option<&'a [u8]>,
    /// Its headers, if the source was opened with them; empty otherwise.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The [`Position::mark`] after this record; `None` where the source has no use for it. Sources that hash
    /// records do so for the last one of a run only.
    pub mark: Option<u64>,
}

/// What a source has to say.
#[derive(Debug)]
pub enum Event<'a> {
    /// A partition is read from now on, or again; or will be, as soon as somebody answers for it.
    Assigned {
        /// Which.
        partition: &'a Partition,
        /// Where it begins.
        position: Position,
    },
    /// Consecutive records of one partition; at least one.
    Records {
        /// Which.
        partition: &'a Partition,
        /// Its records, in order.
        records: &'a [Record<'a>],
    },
    /// Everything that the partition holds now has been read.
    CaughtUp {
        /// Which.
        partition: &'a Partition,
    },
    /// Records between the stored position and what is there now were lost, or the topic is another one.
    Gap {
        /// Which.
        partition: &'a Partition,
        /// Where reading should have gone on.
        expected: i64,
        /// Where it goes on.
        found: i64,
        /// Why, for a person.
        reason: String,
    },
    /// A partition that was read before is not there now: its topic was deleted, made anew with fewer partitions, or is not
    /// wanted any more. Told again whenever that is seen, until it is assigned: it may come back.
    Lost {
        /// Which.
        partition: &'a Partition,
    },
    /// A passing trouble, such as a broker that does not answer; the source goes on by itself.
    Trouble(Error),
}

/// How a poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// There may be more at once.
    More,
    /// Nothing came within the wait.
    Quiet,
    /// The source has ended and will give nothing more.
    Ended,
}

/// A stream of records.
pub trait Source: Send {
    /// Hands over what is there, waiting up to `wait` for the first; each event is borrowed for the call only.
    ///
    /// # Errors
    /// What no waiting mends: credentials, a topic that does not exist. Passing troubles are events.
    fn poll(&mut self, wait: Duration, handle: &mut dyn FnMut(Event<'_>)) -> Result<Polled>;

    /// Called at least every few hundred milliseconds while the caller is not ready for more records.
    fn keep_alive(&mut self) {}

    /// These positions are stored for good: what a source shows to others as progress. Never needed for exactness.
    fn committed(&mut self, positions: &BTreeMap<Partition, Position>) {
        let _ = positions;
    }

    /// How many records each partition holds beyond what was read, where that is known.
    fn lag(&self) -> BTreeMap<Partition, u64> {
        BTreeMap::new()
    }

    /// Whether a partition can be read again from an older position.
    fn is_replayable(&self) -> bool {
        true
    }
}
