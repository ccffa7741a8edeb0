//! All that can happen to the service, as one closed enum: the engine thread's only input.

use std::collections::BTreeMap;

use driftlead_connectors::store::{Acknowledgement, Silence};
use driftlead_connectors::stream::{Partition, Position};

use super::chunk::Chunk;
use super::reload::Draft;
use crate::exit::{Error, Result};

/// One thing that happened.
pub(super) enum Event {
    /// Rows came.
    Chunk(Box<Chunk>),
    /// A partition is read from now on.
    Assigned { source: usize, partition: Partition, position: Position },
    /// A partition has been read to its end; and how far behind each partition of the source is.
    CaughtUp { source: usize, partition: Partition, lag: BTreeMap<Partition, u64> },
    /// How far behind each partition is of a source that is behind; told about once a second.
    Lag { source: usize, lag: BTreeMap<Partition, u64> },
    /// Records were lost before they could be read.
    Gap { source: usize, partition: Partition, expected: i64, found: i64, reason: String },
    /// A partition is not there, for now or for good.
    Lost { source: usize, partition: Partition },
    /// A passing trouble of a source.
    Trouble { source: usize, message: String },
    /// A source has given all that it ever will.
    Ended { source: usize },
    /// A source was told to stop, and has.
    Stopped { source: usize },
    /// A source cannot go on.
    Failed { source: usize, error: Error },
    /// Settings were read again: take them, and say what changed.
    Reload { draft: Box<Draft>, by: String, answer: Sender<Result<Vec<String>>> },
    /// Somebody has seen an alert; answered once that is committed, with whether there is such an alert.
    Acknowledge { alert: String, acknowledgement: Acknowledgement, answer: Sender<Result<bool>> },
    /// A silence is new or changed; answered once that is committed.
    Silence { silence: Silence, by: String, answer: Sender<Result<()>> },
    /// End, with everything read so far committed.
    Stop,
}

/// Where an answer goes.
pub(super) type Sender<T> = crossbeam_channel::Sender<T>;
