//! The engine under schedules drawn from seeds: partitions that interleave, clocks that jump, crashes, reloads, silences.
//!
//! Nothing here has a thread or waits: the clock is moved by hand, events are handed to [`Engine::step`](super::Engine)
//! as its thread would, and a crash is an engine that is dropped. What must hold:
//!
//! - the same seed gives the same bytes: what is said, and everything in the store;
//! - a revision is said once, after the commit that holds it, and nothing follows the last word (I-ORDER, S15);
//! - every row read is counted, late, or untimed, once, whatever crashed when (I-ONCE, I-ASIDE);
//! - where no partition is idle, FINAL windows are a function of the rows: any two schedules agree on every byte, and
//!   on the number of rows with the rule of SEMANTICS S14 applied to each partition alone (I-FINAL).

mod random;
mod rows;
mod run;
mod world;

use std::collections::BTreeMap;

use driftlead_connectors::store::MessageFilter;
use driftlead_connectors::stream::Partition;

use self::rows::{BEGIN, Input, Row, SECOND};
use self::run::{Outcome, chunk, run};
use self::world::{Process, Temper, World, contents, store_folder};
use crate::clock::{Clock as _, ManualClock};
use crate::exit::Error;
use crate::serve::event::Event;
use crate::serve::wire::{self, Level, Operation};

const MINUTE: i64 = 60 * SECOND;

/// Every row of a source is somewhere, once.
fn assert_adds_up(input: &Input, outcome: &Outcome) {
    for ((model, window), totals) in &outcome.totals {
        let n_rows = input.n_rows(usize::from(model == "beta"));
        let sum = totals.counted + totals.late + totals.late_after_final + totals.untimed;
        assert_eq!(sum, n_rows, "{model} {window}: {totals:?}");
        let finals = outcome.finals.iter().filter(|((own, _), last)| own == model && last.name == *window);
        let (mut whole, mut split) = (0, 0);
        for (_, last) in finals {
            *(if last.segment.is_none() { &mut whole } else { &mut split }) += last.rows;
        }
        // A row stands in as many windows as overlap.
        let overlap = if window == "long" { 4 } else { 1 };
        assert_eq!(whole, totals.counted * overlap, "{model} {window}: rows of FINAL windows");
        assert_eq!(split, whole, "{model} {window}: rows of its segments");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let world = World::new();
    for seed in 0..25 {
        for temper in [Temper::Patient, Temper::Eager] {
            let input = Input::new(seed);
            let mut one = run(&world, &input, temper, seed);
            let mut two = run(&world, &input, temper, seed);
            assert!(!one.heard.is_empty());
            assert_eq!(one.heard, two.heard, "seed {seed}, {temper:?}");
            assert!(one.store() == two.store(), "seed {seed}, {temper:?}: the stores differ");
        }
    }
}

#[test]
fn any_schedule_gives_the_same_final_windows_and_those_of_the_rule() {
    let world = World::new();
    let mut steps: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..60 {
        let input = Input::new(seed);
        let outcomes: Vec<Outcome> =
            (0..2).map(|schedule| run(&world, &input, Temper::Patient, 1_000 * seed + schedule)).collect();
        for outcome in &outcomes {
            assert_adds_up(&input, outcome);
            assert_eq!(outcome.finals, outcomes[0].finals, "seed {seed}");
            outcome.steps.iter().for_each(|(name, n)| *steps.entry(name).or_default() += n);
        }
        for (model, window, source, pane, panes) in [
            ("alpha", "short", 0, MINUTE, 1),
            ("alpha", "long", 0, MINUTE, 4),
            ("beta", "wide", 1, 2 * MINUTE, 1),
        ] {
            let (rule, late) = input.by_rule(source, pane);
            let totals = outcomes[0].totals[&(model.to_owned(), window.to_owned())];
            assert_eq!((totals.late, totals.late_after_final), (late, 0), "seed {seed}: {model} {window}");
            for (_, last) in
                outcomes[0].finals.iter().filter(|((own, _), last)| own == model && last.name == window)
            {
                let rows: u64 = (0..panes).filter_map(|at| rule.get(&(last.end - at * pane))).sum();
                let own = if last.segment.is_none() { last.rows } else { rows };
                assert_eq!(own, rows, "seed {seed}: {model} {window} that ends at {}", last.end);
            }
        }
    }
    // A schedule that never crashes proves nothing.
    assert_eq!(steps.len(), 13, "{steps:?}");
    assert!(steps.values().all(|n| *n >= 40), "{steps:?}");
}

#[test]
fn rows_add_up_also_where_partitions_are_idle() {
    let world = World::new();
    let mut after_final = 0;
    for seed in 100..200 {
        let input = Input::new(seed);
        let outcome = run(&world, &input, Temper::Eager, seed);
        assert_adds_up(&input, &outcome);
        after_final += outcome.totals.values().map(|own| own.late_after_final).sum::<u64>();
    }
    assert!(after_final > 1_000, "only {after_final} rows came after the last word");
}

/// Between two commits, and without one: what is shown moves, and nothing else does.
#[test]
fn a_source_that_is_behind_shows_how_far_without_a_commit() {
    let world = World::new();
    let folder = store_folder();
    let clock = ManualClock::at(BEGIN + 600 * SECOND);
    let mut process = world.start(folder.path(), &clock, Temper::Patient);
    let rows: Vec<Row> =
        (0..3).map(|at| Row { time: Some(BEGIN + at * SECOND), x: Some(0.5), c: "a" }).collect();
    let partition = Partition { topic: "right".to_owned(), number: 0 };
    let chunk = chunk(1, partition.clone(), 0, &rows, &process.columns[1], clock.now());
    process.engine.step(Some(Event::Chunk(Box::new(chunk)))).unwrap();
    let shown = |process: &Process, line: &str| -> Option<f64> {
        let text = process.engine.counters.text();
        text.lines().find_map(|own| own.strip_prefix(line)).and_then(|number| number.trim().parse().ok())
    };
    let lag_of = "driftlead_source_lag_records{source=\"right\",topic=\"right\",partition=\"0\"}";
    let delay_of = "driftlead_watermark_delay_seconds{model=\"beta\",window=\"wide\"}";
    let before = contents(&mut process.engine);
    assert_eq!((shown(&process, lag_of), shown(&process, delay_of)), (None, None));
    for (tenths, behind) in [(3, 500), (6, 400), (9, 410)] {
        clock.set(BEGIN + 600 * SECOND + tenths * SECOND / 10);
        let lag = BTreeMap::from([(partition.clone(), behind)]);
        process.engine.step(Some(Event::Lag { source: 1, lag })).unwrap();
        assert_eq!(shown(&process, lag_of), Some(behind as f64));
        // The newest row is two seconds after the first, and rows may be five out of order.
        let expected = 600.0 - 2.0 + 5.0 + tenths as f64 / 10.0;
        let delay = shown(&process, delay_of).unwrap();
        assert!((delay - expected).abs() < 1e-9, "{delay} after {tenths} tenths of a second");
    }
    assert_eq!(contents(&mut process.engine), before, "nothing was committed");
    let other = "driftlead_watermark_delay_seconds{model=\"alpha\"";
    assert!(!process.engine.counters.text().contains(other), "another source's model");
}

#[test]
fn the_diary_says_each_five_minutes_once_and_what_ends_the_service_last() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let mut now = BEGIN;
    let clock = ManualClock::at(now);
    let mut process = world.start(folder.path(), &clock, Temper::Patient);
    let begin = now.div_euclid(5 * MINUTE);
    for step in 0..200_i64 {
        // Through more than an hour, with a clock that is put back by a quarter of an hour once.
        now += if step == 120 { -15 * MINUTE } else { 27 * SECOND };
        clock.set(now);
        assert!(process.engine.step(None).unwrap().is_none());
        if step % 17 == 3 {
            drop(process);
            process = world.start(folder.path(), &clock, Temper::Patient);
        }
    }
    let partition = Partition { topic: "t".to_owned(), number: 0 };
    for event in [
        Event::Trouble { source: 0, message: "no broker".to_owned() },
        Event::Trouble { source: 0, message: "still none".to_owned() },
        Event::CaughtUp { source: 0, partition, lag: BTreeMap::new() },
        Event::Trouble { source: 1, message: "not there".to_owned() },
    ] {
        assert!(process.engine.step(Some(event)).unwrap().is_none());
    }
    let error = Error::run("the topic is gone");
    assert!(process.engine.step(Some(Event::Failed { source: 1, error })).is_err());

    let filter = MessageFilter { sink: Some("diagnostics".to_owned()), ..MessageFilter::default() };
    let page = process.engine.reader.messages(&filter, None, 1_000).unwrap();
    let mut said: Vec<wire::Diagnostic> = Vec::new();
    for message in &page.items {
        let event: wire::Event = serde_json::from_str(&message.body).unwrap();
        let wire::Body::Diagnostic(own) = event.body else { panic!("{message:?}") };
        let is_status = own.operation == Operation::Status;
        assert_eq!(message.lane.as_deref() == Some("status"), is_status, "{message:?}");
        said.push(own);
    }
    said.sort_by_key(|own| own.time);
    let (status, rest): (Vec<_>, Vec<_>) =
        said.into_iter().partition(|own| own.operation == Operation::Status);
    let slots: Vec<i64> = status.iter().map(|own| own.time.micros().div_euclid(5 * MINUTE)).collect();
    assert!(status.iter().all(|own| own.time.micros() % (5 * MINUTE) == 0), "at full five minutes");
    assert_eq!(slots, (begin + 1..=now.div_euclid(5 * MINUTE)).collect::<Vec<_>>());
    let names: Vec<&str> = rest.iter().map(|own| own.operation.word()).collect();
    assert_eq!(names.iter().filter(|name| **name == "source_trouble").count(), 2, "{names:?}");
    let of = |operation| rest.iter().find(|own| own.operation == operation).unwrap();
    let recovered = of(Operation::SourceRecovered);
    let trouble = rest.iter().find(|own| own.id == recovered.id && own.revision == 0);
    let trouble = trouble.expect("the beginning of what has ended");
    assert_eq!((trouble.operation, recovered.revision), (Operation::SourceTrouble, 1));
    assert_eq!(
        (trouble.correlation.as_deref(), &trouble.correlation),
        (Some("left"), &recovered.correlation)
    );
    assert!(trouble.message.ends_with("no broker"), "{trouble:?}");
    let failed = of(Operation::Failed);
    assert!(failed.level == Level::Error && failed.message.contains("the topic is gone"), "{failed:?}");
}
