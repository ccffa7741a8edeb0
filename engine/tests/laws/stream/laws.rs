//! The laws of a series: it is the rules as they are written, whatever happens, and whenever it is interrupted.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use driftlead_engine::accumulate::SlotKey;
use driftlead_engine::feature::FeatureCells;
use driftlead_engine::stream::{Closing, PartitionId, Phase, Series, Timing};
use driftlead_engine::window::{Pane, Preceding, Slot, WindowIndex};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError};

use super::reference::Reference;
use super::rows::{Row, add, cells, counted_at_once, merged, segments, timing};
use crate::columns::Rng;

/// The shortest pane there is.
const EVERY: i64 = 1_000;

#[derive(Clone, Debug)]
enum Op {
    /// Rows of a partition, each so much later than the one before.
    Rows(u32, Vec<Option<i64>>),
    Idle(u32, bool),
    Assign(u32),
    Wait(i64),
    Retime {
        out_of_orderness: i64,
        lateness: i64,
        debounce: i64,
    },
    End,
}

fn op() -> impl Strategy<Value = Op> {
    let step = prop_oneof![
        10 => Just(None),
        300 => (0_i64..700).prop_map(Some),
        200 => (-3_000_i64..3_000).prop_map(Some),
        40 => (-20_000_i64..20_000).prop_map(Some),
        2 => (900_000_i64..1_100_000).prop_map(Some),
    ];
    let partition = 0_u32..7;
    prop_oneof![
        30 => (partition.clone(), prop::collection::vec(step, 1..12)).prop_map(|(p, steps)| Op::Rows(p, steps)),
        6 => (partition.clone(), any::<bool>()).prop_map(|(p, is_idle)| Op::Idle(p, is_idle)),
        1 => partition.prop_map(Op::Assign),
        4 => (0_i64..60).prop_map(Op::Wait),
        1 => (0_i64..3_000, 0_i64..6_000, 0_i64..60).prop_map(|(out_of_orderness, lateness, debounce)| {
            Op::Retime { out_of_orderness, lateness, debounce }
        }),
    ]
}

/// What happens, with the times made absolute: each partition goes on from where it was.
#[derive(Clone, Debug)]
enum Event {
    Rows(u32, Vec<Row>),
    Other(Op),
}

fn events(ops: Vec<Op>) -> Vec<Event> {
    let mut at: BTreeMap<u32, i64> = BTreeMap::new();
    let mut numbers = 0..;
    ops.into_iter()
        .map(|op| match op {
            Op::Rows(partition, steps) => {
                let at = at.entry(partition).or_default();
                let rows = steps.into_iter().zip(&mut numbers).map(|(step, number)| {
                    *at += step.unwrap_or(0);
                    Row { time: step.map(|_| *at), number }
                });
                Event::Rows(partition, rows.collect())
            }
            other => Event::Other(other),
        })
        .chain([Event::Other(Op::End)])
        .collect()
}

fn retimed(timing: Timing, (out_of_orderness, lateness, debounce): (i64, i64, i64)) -> Timing {
    Timing { out_of_orderness, lateness, debounce, ..timing }
}

/// A driver that commits what a real one would, into memory.
struct Driver {
    cells: Vec<Arc<FeatureCells>>,
    series: Series,
    timing: Timing,
    now: i64,
    /// The next event.
    at: usize,
    log: Vec<Closing>,
    released: Vec<SlotKey>,
    stored: Stored,
}

#[derive(Clone, Default)]
struct Stored {
    head: Vec<u8>,
    slots: BTreeMap<SlotKey, Vec<u8>>,
    timing: Option<Timing>,
    now: i64,
    at: usize,
    n_closings: usize,
}

impl Driver {
    fn new(cells: &[Arc<FeatureCells>], timing: Timing) -> Self {
        let series = Series::new(timing, cells.to_vec());
        let mut driver = Self {
            cells: cells.to_vec(),
            series,
            timing,
            now: 0,
            at: 0,
            log: Vec::new(),
            released: Vec::new(),
            stored: Stored::default(),
        };
        driver.commit();
        driver
    }

    fn mutate(&mut self, event: &Event) {
        self.at += 1;
        match event {
            Event::Rows(partition, rows) => drop(add(&mut self.series, *partition, rows)),
            Event::Other(Op::Idle(partition, is_idle)) => {
                self.series.set_idle(PartitionId(*partition), *is_idle);
            }
            Event::Other(Op::Assign(partition)) => self.series.assign(PartitionId(*partition)),
            Event::Other(Op::Wait(time)) => self.now += time,
            Event::Other(Op::Retime { out_of_orderness, lateness, debounce }) => {
                self.timing = retimed(self.timing, (*out_of_orderness, *lateness, *debounce));
                self.series.retime(self.timing).unwrap();
            }
            Event::Other(Op::End) => self.series.end(),
            Event::Other(Op::Rows(..)) => unreachable!("made absolute"),
        }
    }

    /// One closing, or the clearing up after the last.
    fn poll(&mut self) -> Option<Closing> {
        let closing = self.series.poll(self.now);
        match closing {
            Some(closing) => self.log.push(closing),
            None => self.released.extend(self.series.release()),
        }
        closing
    }

    fn commit(&mut self) {
        self.stored.slots.extend(self.series.dirty_slots());
        self.series.mark_clean();
        for key in self.released.drain(..) {
            // One that came and went between two commits was never stored.
            self.stored.slots.remove(&key);
        }
        self.stored.head = self.series.head();
        (self.stored.timing, self.stored.now, self.stored.at) = (Some(self.timing), self.now, self.at);
        self.stored.n_closings = self.log.len();
        assert_eq!(self.series.dirty_slots().count(), 0);
    }

    fn crash(&mut self) {
        let Stored { head, slots, timing, now, at, n_closings } = self.stored.clone();
        (self.timing, self.now, self.at) = (timing.unwrap(), now, at);
        self.log.truncate(n_closings);
        self.released.clear();
        self.series = Series::restore(self.timing, self.cells.clone(), &head, slots.into_iter()).unwrap();
        assert_eq!(self.series.head(), head);
    }
}

/// Everything that a series says and holds, against the reference, event by event.
fn check_against_reference(timing: Timing, events: &[Event]) -> Result<(), TestCaseError> {
    let cells = cells();
    let mut driver = Driver::new(&cells, timing);
    let mut reference = Reference::new(timing);
    for event in events {
        driver.mutate(event);
        match event {
            Event::Rows(partition, rows) => reference.add(*partition, rows),
            Event::Other(Op::Idle(partition, is_idle)) => reference.set_idle(*partition, *is_idle),
            Event::Other(Op::Assign(partition)) => reference.assign(*partition),
            Event::Other(Op::Retime { .. }) => reference.retime(driver.timing),
            Event::Other(Op::End) => reference.end_input(),
            Event::Other(_) => {}
        }
        let series = &driver.series;
        prop_assert_eq!(series.watermark(), reference.watermark());
        prop_assert_eq!(series.newest(), reference.newest());
        prop_assert_eq!(series.totals(), reference.totals);
        for expected in reference.drain(driver.now) {
            prop_assert_eq!(driver.poll(), Some(expected));
            if let Closing::Window { index, .. } = expected {
                check_window(&driver.series, &cells, index, &reference.rows_of(index.0))?;
                check_before(&driver.series, &cells, index, &reference)?;
            }
        }
        prop_assert_eq!(driver.poll(), None);
        prop_assert_eq!(driver.series.next_deadline(), reference.next_deadline());
        // What no window needs is gone, and what one needs is there.
        let held: Vec<(i64, u64)> = whole_slots(&driver.series);
        let mut needed: BTreeMap<i64, u64> = BTreeMap::new();
        for (pane, _) in reference.counted.iter().filter(|(pane, _)| reference.needs(*pane)) {
            *needed.entry(*pane).or_default() += 1;
        }
        prop_assert_eq!(held, needed.into_iter().collect::<Vec<_>>());
    }
    prop_assert_eq!(final_slots(&driver.log), reference.list());
    if timing.keep == 0 {
        prop_assert_eq!(driver.series.accumulator().slots().count(), 0, "all is said");
    }
    Ok(())
}

fn whole_slots(series: &Series) -> Vec<(i64, u64)> {
    let slots = series.accumulator().slots().filter(|(key, _)| key.segment.is_none());
    slots.map(|(key, rows)| (key.pane.unwrap(), rows)).collect()
}

/// What a window holds is what its rows hold when they are counted at once: the whole and each segment.
fn check_window(
    series: &Series,
    cells: &[Arc<FeatureCells>],
    index: WindowIndex,
    rows: &[Row],
) -> Result<(), TestCaseError> {
    let panes = series.timing().grid.panes_of_window(index);
    let panes = panes.start().0..=panes.end().0;
    if rows.is_empty() {
        prop_assert_eq!(merged(series.accumulator(), panes, None).0, 0);
        return Ok(());
    }
    let expected = (rows.len() as u64, counted_at_once(cells, rows));
    prop_assert_eq!(merged(series.accumulator(), panes.clone(), None), expected);
    for (number, segment) in (0..).zip(&segments()) {
        let own: Vec<Row> = rows.iter().filter(|row| row.segment() == number).copied().collect();
        let expected = (own.len() as u64, counted_at_once(cells, &own));
        prop_assert_eq!(merged(series.accumulator(), panes.clone(), Some(segment)), expected);
    }
    Ok(())
}

/// What the windows before it hold is what their rows hold, for as long as it can be asked for.
fn check_before(
    series: &Series,
    cells: &[Arc<FeatureCells>],
    index: WindowIndex,
    reference: &Reference,
) -> Result<(), TestCaseError> {
    let timing = series.timing();
    let panes = timing.grid.panes_per_window();
    let Some(windows) = u32::try_from(timing.keep / panes).ok().and_then(NonZeroU32::new) else {
        return Ok(());
    };
    let preceding = Preceding::new(windows);
    let rows = reference.rows_before(index.0);
    let before = merged(series.accumulator(), preceding.panes_before(index.0, panes), None);
    prop_assert_eq!(before, (rows.len() as u64, counted_at_once(cells, &rows)));
    let seen = preceding.seen_since(series.first_pane(), index.0, panes);
    prop_assert_eq!(seen, reference.seen_before(index.0));
    Ok(())
}

/// The final closings as `check` would list them.
fn final_slots(log: &[Closing]) -> Vec<Slot> {
    log.iter()
        .filter_map(|closing| match *closing {
            Closing::Gap { first, last } => Some(Slot::Gap { first, last }),
            Closing::Window { index, phase: Phase::Final, is_empty, .. } => {
                Some(if is_empty { Slot::Empty(index) } else { Slot::Occupied(index) })
            }
            Closing::Window { .. } => None,
        })
        .collect()
}

/// Runs all events; between any two steps it may commit or crash: `fate` says whether it crashed.
fn run(driver: &mut Driver, events: &[Event], mut fate: impl FnMut(&mut Driver) -> bool) {
    loop {
        // Also after a crash: what was left to say is said before anything else happens.
        let has_spoken = driver.poll().is_some();
        if fate(driver) || has_spoken {
            continue;
        }
        let Some(event) = events.get(driver.at) else { break };
        driver.mutate(event);
        fate(driver);
    }
}

fn timings() -> impl Strategy<Value = Timing> {
    let panes = prop_oneof![2 => Just(1_i64), 3 => 2_i64..7];
    let before = prop_oneof![2 => Just(0_i64), 1 => 1_i64..4];
    (panes, before, 0_i64..3_000, prop_oneof![Just(0), 0_i64..6_000], 0_i64..60).prop_map(
        |(panes, before, orderness, lateness, debounce)| Timing {
            keep: before * panes,
            ..timing(panes, EVERY, orderness, lateness, debounce)
        },
    )
}

fn config(cases: u32, seed: u64) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(config(300, 130))]

    #[test]
    fn a_series_is_the_rules_as_they_are_written(
        timing in timings(),
        ops in prop::collection::vec(op(), 1..50),
    ) {
        check_against_reference(timing, &events(ops))?;
    }
}

proptest! {
    #![proptest_config(config(400, 140))]

    /// Interrupted at random and restored from what was last committed, it says the same, and ends with the same bytes.
    #[test]
    fn an_interrupted_series_goes_on_as_if_nothing_had_been(
        timing in timings(),
        ops in prop::collection::vec(op(), 1..60),
        seed in any::<u64>(),
    ) {
        let (cells, events) = (cells(), events(ops));
        let mut whole = Driver::new(&cells, timing);
        run(&mut whole, &events, |_| false);
        whole.commit();
        let mut rng = Rng(seed);
        let mut broken = Driver::new(&cells, timing);
        let mut crashes = 0;
        run(&mut broken, &events, |driver| {
            let chance = rng.below(10);
            let is_crash = chance == 4 && crashes < 40;
            match chance {
                0..4 => driver.commit(),
                _ if is_crash => driver.crash(),
                _ => {}
            }
            crashes += usize::from(is_crash);
            is_crash
        });
        broken.commit();
        prop_assert_eq!(&broken.log, &whole.log);
        prop_assert_eq!(broken.stored.head, whole.stored.head);
        prop_assert_eq!(broken.stored.slots, whole.stored.slots);
    }
}

/// Rows of partitions, each out of order by less than is allowed, in any interleaving and any batches.
#[derive(Clone, Debug)]
struct Input {
    timing: Timing,
    partitions: Vec<Vec<Row>>,
}

fn input() -> impl Strategy<Value = Input> {
    let advance = prop_oneof![200 => 0_i64..600, 30 => 0_i64..9_000, 1 => Just(1_050_000_i64)];
    let partition = prop::collection::vec((advance, 0_i64..6_000), 0..60);
    (timings(), prop::collection::vec(partition, 1..8)).prop_map(|(timing, partitions)| {
        let mut numbers = 0..;
        let partitions = partitions
            .into_iter()
            .map(|steps| {
                let mut newest = 0;
                let rows = steps.into_iter().zip(&mut numbers).map(|((advance, back), number)| {
                    newest += advance;
                    let back = back.min(timing.out_of_orderness + timing.lateness);
                    Row { time: Some(newest - back), number }
                });
                rows.collect()
            })
            .collect();
        Input { timing, partitions }
    })
}

proptest! {
    #![proptest_config(config(100, 150))]

    /// I-FINAL: in any partition order within lateness, the final windows are those of all rows, seen at once.
    #[test]
    fn final_windows_do_not_depend_on_how_rows_came(input in input(), seed in any::<u64>()) {
        let cells = cells();
        let mut rng = Rng(seed);
        let Input { timing, partitions } = &input;
        let mut panes: Vec<(i64, Row)> = partitions
            .iter()
            .flatten()
            .map(|row| (timing.grid.pane_of(row.time.unwrap()).0, *row))
            .collect();
        panes.sort_unstable();
        let occupied = panes.iter().map(|(pane, _)| Pane(*pane));
        let expected: Vec<Slot> = timing.grid.slots(occupied).collect();
        for _ in 0..3 {
            let mut series = Series::new(*timing, cells.clone());
            (0..).zip(partitions).for_each(|(partition, _)| series.assign(PartitionId(partition)));
            let mut rest: Vec<&[Row]> = partitions.iter().map(|rows| &rows[..]).collect();
            let mut log = Vec::new();
            while rest.iter().any(|rows| !rows.is_empty()) {
                let partition = rng.below(rest.len());
                let (batch, left) = rest[partition].split_at((1 + rng.below(9)).min(rest[partition].len()));
                rest[partition] = left;
                let added = add(&mut series, partition as u32, batch);
                prop_assert_eq!(added.counted, batch.len() as u64, "none is late");
                // Sometimes several batches before it is asked, and the time is anything.
                let mut is_over = rng.below(3) == 0;
                if rest.iter().all(|rows| rows.is_empty()) {
                    series.end();
                    is_over = true;
                }
                let now = rng.below(1_000) as i64;
                while is_over && let Some(closing) = series.poll(now) {
                    log.push(closing);
                    let Closing::Window { index, phase: Phase::Final, .. } = closing else { continue };
                    let own: Vec<Row> = panes
                        .iter()
                        .filter(|(pane, _)| timing.grid.panes_of_window(index).contains(&Pane(*pane)))
                        .map(|(_, row)| *row)
                        .collect();
                    check_window(&series, &cells, index, &own)?;
                }
                if is_over {
                    drop(series.release());
                }
            }
            prop_assert_eq!(final_slots(&log), expected.clone());
            if timing.keep == 0 {
                prop_assert_eq!(series.accumulator().slots().count(), 0);
            }
        }
    }
}

/// The same rows in other batches: what is counted, what is late and what is final stay, idle partitions or not.
#[test]
fn where_a_batch_ends_does_not_show() {
    let cells = cells();
    for seed in 0..60 {
        let mut rng = Rng(seed);
        let timing = timing(3, EVERY, 500, 1_500, 10);
        // Bursts of one partition, with idle and active between them.
        let mut bursts: Vec<(u32, bool, Vec<Row>)> = Vec::new();
        let mut at = [0_i64; 4];
        for burst in 0..30_u32 {
            let partition = rng.below(4);
            let rows = (0..rng.below(40) as u32).map(|row| {
                at[partition] += 150;
                let jump = if rng.below(20) == 0 { rng.below(9_000) as i64 - 5_000 } else { 0 };
                Row { time: Some(at[partition] + jump), number: burst * 100 + row }
            });
            let rows = rows.collect();
            bursts.push((partition as u32, rng.below(3) == 0, rows));
        }
        let outcome = |most: usize, rng: &mut Rng| {
            let mut series = Series::new(timing, cells.clone());
            let mut finals = Vec::new();
            let drain = |series: &mut Series, finals: &mut Vec<_>| {
                while let Some(closing) = series.poll(0) {
                    if let Closing::Window { index, phase: Phase::Final, is_empty, .. } = closing {
                        let panes = timing.grid.panes_of_window(index);
                        let states = merged(series.accumulator(), panes.start().0..=panes.end().0, None);
                        finals.push((index, is_empty, states));
                    }
                }
                drop(series.release());
            };
            for (partition, is_idle, rows) in &bursts {
                let mut rest = &rows[..];
                while !rest.is_empty() {
                    let (batch, left) = rest.split_at((1 + rng.below(most)).min(rest.len()));
                    add(&mut series, *partition, batch);
                    drain(&mut series, &mut finals);
                    rest = left;
                }
                series.set_idle(PartitionId(*partition), *is_idle);
                drain(&mut series, &mut finals);
            }
            series.end();
            drain(&mut series, &mut finals);
            (finals, series.totals())
        };
        let whole = outcome(1_000, &mut Rng(1));
        assert!(seed > 0 || whole.1.late > 0, "some rows are late: {:?}", whole.1);
        for most in [1, 3, 17] {
            assert!(outcome(most, &mut rng) == whole, "seed {seed}, batches of up to {most}");
        }
    }
}

/// Long runs of a pane are counted run by run, others row by row: the bytes are the same.
#[test]
fn long_runs_are_counted_as_rows_are() {
    let (cells, timing) = (cells(), timing(2, 1_000 * EVERY, 0, 0, 10));
    // Three panes, the first again when it is late, and rows that were set aside, hundreds of each.
    let ends =
        [(300, Some(0)), (700, Some(1)), (1_000, None), (1_400, Some(2)), (1_700, Some(0)), (2_000, Some(2))];
    let rows: Vec<Row> = (0..2_000_u32)
        .map(|number| {
            let (_, pane) = ends.iter().find(|(end, _)| number < *end).unwrap();
            let time = pane.map(|pane: i64| pane * 1_000 * EVERY + i64::from(number));
            Row { time, number }
        })
        .collect();
    let stored = |most: usize| {
        let mut series = Series::new(timing, cells.clone());
        for batch in rows.chunks(most) {
            add(&mut series, 0, batch);
        }
        (series.totals(), series.dirty_slots().collect::<BTreeMap<_, _>>())
    };
    let (totals, slots) = stored(rows.len());
    assert_eq!((totals.counted, totals.late, totals.untimed), (1_400, 300, 300));
    assert_eq!(slots.len(), 3 * 4, "the whole and three segments in each pane");
    for most in [1_999, 100, 7] {
        assert!(stored(most) == (totals, slots.clone()), "batches of {most}");
    }
}
