//! What the engine hears, and in which order, of a source that says several things in one poll.

use arrow_schema::DataType;
use crossbeam_channel::unbounded;
use driftlead_connectors::decode::Framing;

use super::*;
use crate::clock::ManualClock;

/// What a source says in one poll; records hold a time and nothing else.
#[derive(Clone, Copy)]
enum Says {
    Assigned(i32),
    /// The record of a partition with this offset.
    Record(i32, i64),
    CaughtUp(i32),
    Trouble,
}

/// A source that says what it was given, a poll after the other, and then ends; and how far behind it is all the time.
struct Scripted(std::vec::IntoIter<Vec<Says>>, u64);

fn partition(number: i32) -> Partition {
    Partition { topic: "t".to_owned(), number }
}

impl Source for Scripted {
    fn poll(
        &mut self,
        _: Duration,
        handle: &mut dyn FnMut(SourceEvent<'_>),
    ) -> driftlead_connectors::Result<Polled> {
        let Some(said) = self.0.next() else { return Ok(Polled::Ended) };
        for says in said {
            match says {
                Says::Assigned(number) => handle(SourceEvent::Assigned {
                    partition: &partition(number),
                    position: Position { next: 0, mark: None },
                }),
                Says::Record(number, offset) => {
                    let payload = Some(&b"{\"x\":1}"[..]);
                    let record = Record { offset, stamp: None, key: None, payload, headers: &[], mark: None };
                    handle(SourceEvent::Records { partition: &partition(number), records: &[record] });
                }
                Says::CaughtUp(number) => handle(SourceEvent::CaughtUp { partition: &partition(number) }),
                Says::Trouble => {
                    handle(SourceEvent::Trouble(driftlead_connectors::Error::unavailable("away")));
                }
            }
        }
        Ok(Polled::More)
    }

    fn keep_alive(&mut self) {}

    fn committed(&mut self, _: &BTreeMap<Partition, Position>) {}

    fn lag(&self) -> BTreeMap<Partition, u64> {
        BTreeMap::from([(partition(9), self.1)])
    }
}

/// What the engine hears of these polls, as one word each: chunks as their partition and where it is then. The clock
/// stands: no chunk is closed because it has waited.
fn heard(polls: Vec<Vec<Says>>) -> Vec<String> {
    heard_by(Arc::new(ManualClock::at(0)), 7, polls)
}

fn heard_by(clock: Arc<dyn Clock>, lag: u64, polls: Vec<Vec<Says>>) -> Vec<String> {
    let (events, heard) = unbounded();
    let (_control, told) = unbounded();
    let plan = ReadPlan {
        source: 0,
        name: "s".to_owned(),
        format: Format::Json { framing: Framing::Plain },
        fields: vec![FieldSpec::new("x", DataType::Float64)],
        times: Vec::new(),
        needed: BTreeMap::new(),
        keep: Keep::Nothing,
    };
    let reader = Reader {
        source: Box::new(Scripted(polls.into_iter(), lag)),
        plan: Arc::new(plan),
        registry: None,
        events,
        control: told,
        clock,
    };
    reader.run();
    let word = |event| match event {
        Event::Assigned { partition, .. } => format!("assigned {}", partition.number),
        Event::Chunk(chunk) => format!("rows of {} up to {}", chunk.partition.number, chunk.position.next),
        Event::CaughtUp { partition, lag, .. } => {
            assert_eq!(lag.values().sum::<u64>(), 7, "the lag goes with it");
            format!("{} is read to its end", partition.number)
        }
        Event::Lag { lag, .. } => format!("behind by {}", lag.values().sum::<u64>()),
        Event::Trouble { .. } => "trouble".to_owned(),
        Event::Ended { .. } => "ended".to_owned(),
        _ => "something else".to_owned(),
    };
    heard.try_iter().map(word).collect()
}

/// Its rows before it, so that an idle partition holds nothing back; and no other's, which may go on.
#[test]
fn s15_a_partition_is_read_to_its_end_after_its_rows() {
    let said =
        vec![Says::Assigned(0), Says::Assigned(1), Says::Record(1, 0), Says::Record(0, 0), Says::CaughtUp(0)];
    assert_eq!(
        heard(vec![said, vec![Says::Record(1, 1)]]),
        [
            "assigned 0",
            "assigned 1",
            "rows of 0 up to 1",
            "0 is read to its end",
            "rows of 1 up to 2",
            "ended"
        ]
    );
}

/// What came after its end was told shows that there is more: the partition is not at its end any more.
#[test]
fn s15_rows_after_the_end_of_a_partition_take_it_back() {
    let said = vec![Says::Assigned(0), Says::Record(0, 0), Says::CaughtUp(0), Says::Record(0, 1)];
    assert_eq!(
        heard(vec![said]),
        ["assigned 0", "rows of 0 up to 1", "0 is read to its end", "rows of 0 up to 2", "ended"]
    );
}

/// What a trouble hides may have come after the end that was told before it.
#[test]
fn s15_a_trouble_takes_back_the_ends_that_were_told_before_it() {
    assert_eq!(
        heard(vec![vec![Says::Assigned(0), Says::CaughtUp(0), Says::Trouble]]),
        ["assigned 0", "0 is read to its end", "trouble", "ended"]
    );
    assert_eq!(
        heard(vec![vec![Says::Assigned(0), Says::Trouble, Says::CaughtUp(0)]]),
        ["assigned 0", "trouble", "0 is read to its end", "ended"]
    );
}

/// A clock that goes on by 0.3 s at each look, of which a poll that brings nothing takes two.
#[derive(Debug)]
struct Ticking(ManualClock);

impl Clock for Ticking {
    fn now(&self) -> i64 {
        let now = self.0.now();
        self.0.set(now + 300_000);
        now
    }
}

/// However often it polls; and a source that is not behind says nothing at all, so that nobody is woken for it.
#[test]
fn a_source_that_is_behind_says_so_once_a_second() {
    let polls = || vec![Vec::new(); 8];
    let behind = heard_by(Arc::new(Ticking(ManualClock::at(0))), 7, polls());
    // The looks at the clock after the polls are 0.6 s apart from 0.6 s on: 1.2, 2.4, 3.6 and 4.8 s are those that tell.
    assert_eq!(behind, ["behind by 7", "behind by 7", "behind by 7", "behind by 7", "ended"]);
    assert_eq!(heard_by(Arc::new(Ticking(ManualClock::at(0))), 0, polls()), ["ended"]);
}
