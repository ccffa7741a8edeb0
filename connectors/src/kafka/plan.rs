//! Where reading of a partition goes on: a function of what is held and what the log holds (SEMANTICS S16).
//!
//! | held | log | goes on |
//! |---|---|---|
//! | nothing | | at the beginning, the end or a time, as the caller says |
//! | a position within | | there, after the record before it was compared with the mark |
//! | a position before the beginning | records were deleted | at the beginning: a gap |
//! | a position beyond the end | made anew, or truncated | at the beginning: a gap |
//! | a position after another record than was read | made anew | at the beginning: a gap |
//!
//! A log that was truncated looks like one made anew. Both are read from the beginning: rows that were counted before are
//! late by then and dropped as late, whereas rows that nobody reads are lost for good.

use crate::stream::Position;

/// Where a partition begins of which nothing is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record there is.
    #[default]
    Beginning,
    /// After the newest record there is. A partition that appears later is read from its beginning all the same.
    End,
    /// At the first record whose own timestamp is this or later, in milliseconds since the epoch; after the newest one
    /// where none is. The same for partitions that appear later.
    Time(i64),
}

/// What is held of a partition that was read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) position: Position,
    /// The record before it turned out to be another one than was read.
    pub(super) other: bool,
}

/// The first offset that a log holds, and the one that its next record will have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) low: i64,
    pub(super) high: i64,
    /// The first offset of the caller's time or later; `high` if none is, or the caller asks for no time.
    pub(super) since: i64,
}

/// Where to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The position of the first record to hand over.
    pub(super) position: Position,
    /// Fetch the record before it first, and compare it with the mark.
    pub(super) check: bool,
    /// Records were lost, or are others: where reading should have gone on, and why.
    pub(super) gap: Option<(i64, String)>,
}

impl Plan {
    /// The first offset to fetch.
    pub(super) fn fetch_from(&self) -> i64 {
        self.position.next - i64::from(self.check)
    }
}

/// Where reading goes on.
pub(super) fn plan(held: Option<Held>, log: Bounds, start: Start) -> Plan {
    let at = |next, gap| Plan { position: Position { next, mark: None }, check: false, gap };
    let Some(Held { position, other }) = held else {
        return match start {
            Start::Beginning => at(log.low, None),
            Start::End => at(log.high, None),
            // What retention has deleted since the log was asked is not there to begin with.
            Start::Time(_) => at(log.since.max(log.low), None),
        };
    };
    let next = position.next;
    let Bounds { low, high, .. } = log;
    let lost = |reason: String| at(low, Some((next, reason)));
    if other {
        lost(format!("the record before offset {next} is not the one that was read: the topic was made anew"))
    } else if next > high {
        lost(format!("offset {next} is beyond the log's end at {high}: the topic was made anew or truncated"))
    } else if next < low {
        let days = "they were deleted before they were read: lengthen the topic's retention";
        lost(format!("the log begins at offset {low} now, {} offsets further on; {days}", low - next))
    } else {
        // A record that retention has deleted proves nothing.
        Plan { position, check: position.mark.is_some() && next > low, gap: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: Bounds = Bounds { low: 100, high: 200, since: 150 };

    fn held(next: i64, mark: Option<u64>) -> Option<Held> {
        Some(Held { position: Position { next, mark }, other: false })
    }

    #[test]
    fn nothing_held_begins_where_the_caller_says() {
        for (start, next) in [(Start::Beginning, 100), (Start::End, 200), (Start::Time(7), 150)] {
            let plan = plan(None, LOG, start);
            assert_eq!(plan, Plan { position: Position { next, mark: None }, check: false, gap: None });
        }
    }

    #[test]
    fn a_position_within_the_log_is_kept_and_proven() {
        for next in [101, 150, 200] {
            let plan = plan(held(next, Some(7)), LOG, Start::End);
            assert_eq!(
                (plan.position, plan.check, &plan.gap),
                (Position { next, mark: Some(7) }, true, &None)
            );
            assert_eq!(plan.fetch_from(), next - 1);
        }
        assert!(!plan(held(150, None), LOG, Start::End).check, "without a mark there is nothing to compare");
        let first = plan(held(100, Some(7)), LOG, Start::End);
        assert_eq!((first.fetch_from(), first.gap), (100, None), "the record before the first is gone");
    }

    #[test]
    fn outside_of_the_log_is_a_gap_to_its_beginning() {
        for (next, word) in [(99, "retention"), (0, "retention"), (201, "made anew or truncated")] {
            let plan = plan(held(next, Some(7)), LOG, Start::End);
            let (expected, reason) = plan.gap.clone().unwrap();
            assert_eq!(
                (expected, plan.position, plan.check),
                (next, Position { next: 100, mark: None }, false)
            );
            assert!(reason.contains(word), "{reason}");
        }
    }

    #[test]
    fn another_record_is_another_topic() {
        let position = Position { next: 150, mark: Some(7) };
        let plan = plan(Some(Held { position, other: true }), LOG, Start::End);
        assert_eq!(plan.position, Position { next: 100, mark: None });
        assert!(plan.gap.unwrap().1.contains("is not the one that was read"));
    }

    #[test]
    fn an_empty_log_is_no_gap_at_its_end() {
        let empty = Bounds { low: 0, high: 0, since: 0 };
        assert_eq!(plan(held(0, None), empty, Start::End).gap, None);
        assert!(plan(held(1, Some(7)), empty, Start::End).gap.is_some());
    }
}
