//! I-COUNTS, I-GROUP, I-EDGES, I-ONE: the same rows give the same bits, however they come.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float32Array, Float64Array};
use arrow_buffer::BooleanBuffer;
use driftlead_engine::accumulate::{Accumulator, Column, FeatureState, NO_SLOT, SlotKey, Slots};
use driftlead_engine::baseline::{Baseline, Sampler};
use driftlead_engine::codec::encode_state;
use driftlead_engine::{ErrorKind, Kind};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::columns::{
    Rng, SORTS, Sort, baseline_with, doubles, longs, numeric, some_errors, spec, state, texts, try_state,
};

fn key(pane: i64) -> SlotKey {
    SlotKey { pane: Some(pane), segment: None }
}

fn update(accumulator: &mut Accumulator, array: &ArrayRef, errors: &BooleanBuffer, slots: &[Slots<'_>]) {
    accumulator.add_rows(array.len() as u64, slots);
    accumulator.update(0, Column { array: array.as_ref(), errors: Some(errors) }, slots);
}

fn assert_same(left: &FeatureState, right: &FeatureState, what: &str) {
    assert_eq!(left, right, "{what}");
    assert_eq!(encode_state(left), encode_state(right), "{what}");
}

fn of_sort(sort: &Sort, seed: u64) -> (Baseline, ArrayRef, BooleanBuffer) {
    let mut rng = Rng(seed);
    let rows = (sort.make)(&mut rng, 700);
    let baseline = baseline_with(spec("x", sort.kind, &rows), &[rows]);
    let window = (sort.window)(&mut rng, 500);
    let errors = some_errors(&window);
    (baseline, window, errors)
}

/// One split of the rows: where batches end, and in which order they are added.
fn check_split(sort: &Sort, seed: u64, mut ends: Vec<usize>) {
    let (baseline, window, errors) = of_sort(sort, seed);
    let n = window.len();
    let mut whole = baseline.accumulator();
    let slot = whole.slot(&key(0));
    update(&mut whole, &window, &errors, &[Slots::All(slot)]);
    let whole = whole.state(0, &key(0)).unwrap();

    ends.iter_mut().for_each(|end| *end %= n + 1);
    ends.extend([0, n]);
    ends.sort_unstable();
    let mut batches: Vec<(usize, usize)> = ends.windows(2).map(|pair| (pair[0], pair[1] - pair[0])).collect();
    let middle = batches.len() / 2;
    batches.rotate_left(middle);

    // One accumulator for all batches, and one for each, merged backwards.
    let mut one = baseline.accumulator();
    let mut merged = baseline.accumulator();
    let mut parts = Vec::new();
    for (from, len) in &batches {
        let (rows, errors) = (window.slice(*from, *len), errors.slice(*from, *len));
        let slot = one.slot(&key(0));
        update(&mut one, &rows, &errors, &[Slots::All(slot)]);
        let mut part = baseline.accumulator();
        part.slot(&key(7));
        let slot = part.slot(&key(0));
        let each = vec![slot; *len];
        update(&mut part, &rows, &errors, &[Slots::Each(&each)]);
        parts.push(part);
    }
    parts.iter().rev().for_each(|part| merged.merge(part).unwrap());
    assert_same(&whole, &one.state(0, &key(0)).unwrap(), sort.name);
    assert_same(&whole, &merged.state(0, &key(0)).unwrap(), sort.name);

    // Rows scattered over slots add up to those of no grouping, and both groupings can be asked for at once.
    let mut scattered = baseline.accumulator();
    let slots: Vec<u32> = (0..4).map(|pane| scattered.slot(&key(pane))).collect();
    let all = scattered.slot(&key(9));
    let each: Vec<u32> = (0..n).map(|row| slots[(row * row) % 4]).collect();
    update(&mut scattered, &window, &errors, &[Slots::All(all), Slots::Each(&each)]);
    assert_same(&whole, &scattered.state(0, &key(9)).unwrap(), sort.name);
    let mut sum = FeatureState::empty(baseline.features()[0].cells());
    for pane in [2, 0, 3, 1] {
        sum.merge(&scattered.state(0, &key(pane)).unwrap()).unwrap();
    }
    assert_same(&whole, &sum, sort.name);

    // A row without a slot is nowhere; each slot holds the rows that name it.
    let mut gaps = baseline.accumulator();
    let slot = gaps.slot(&key(0));
    let some: Vec<u32> = (0..n).map(|row| if row % 2 == 0 { slot } else { NO_SLOT }).collect();
    update(&mut gaps, &window, &errors, &[Slots::Each(&some)]);
    assert_eq!(gaps.state(0, &key(0)).unwrap().rows(), n.div_ceil(2) as u64);
    assert_eq!(gaps.rows_of(&[key(0)]), n.div_ceil(2) as u64);
}

#[test]
fn any_split_order_and_grouping_give_equal_bits() {
    let config = Config { cases: 4, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let splits = (any::<u64>(), prop::collection::vec(any::<usize>(), 0..9));
    runner
        .run(&splits, |(seed, ends)| {
            SORTS.iter().for_each(|sort| check_split(sort, seed, ends.clone()));
            Ok(())
        })
        .unwrap();
}

#[test]
fn adding_then_subtracting_gives_back_the_state() {
    for (seed, sort) in SORTS.iter().enumerate() {
        let (baseline, window, _) = of_sort(sort, seed as u64);
        let (a, b) = (state(&baseline, &window.slice(0, 170)), state(&baseline, &window.slice(170, 330)));
        let mut sum = a.clone();
        sum.merge(&b).unwrap();
        let whole = sum.clone();
        sum.subtract(&b).unwrap();
        match (&mut sum, &a) {
            (FeatureState::Numeric(sum), FeatureState::Numeric(a)) => {
                assert_eq!(sum.extent, None, "an extent cannot be taken away");
                sum.extent = a.extent;
            }
            (FeatureState::Categorical(sum), FeatureState::Categorical(a)) => {
                sum.newcomers = a.newcomers.clone();
            }
            (FeatureState::Embedding(_), FeatureState::Embedding(_)) => {}
            _ => unreachable!("kinds stay"),
        }
        assert_same(&sum, &a, sort.name);
        // What was never added is refused, and nothing changes.
        let mut small = a.clone();
        assert_eq!(small.subtract(&whole).unwrap_err().kind(), ErrorKind::Mismatch, "{}", sort.name);
        assert_same(&small, &a, sort.name);
    }
}

#[test]
fn an_empty_batch_changes_nothing() {
    let baseline = numeric(doubles(&[1.0, 2.0, 3.0]));
    let empty: ArrayRef = Arc::new(Float32Array::from(Vec::<f32>::new()));
    assert_eq!(state(&baseline, &empty), FeatureState::empty(baseline.features()[0].cells()));
}

/// Counts `parts` in counters of their own and merges them from `first` on.
fn counted(sample: &[ArrayRef], parts: &[ArrayRef], complete: bool, first: usize, kind: Kind) -> Baseline {
    let mut sampler = Sampler::new(Arc::new(vec![spec("x", kind, &parts[0])]));
    sample.iter().enumerate().for_each(|(i, rows)| sampler.add(0, i, rows.as_ref()));
    let plan = sampler.draft(complete);
    let mut whole = plan.counter();
    for i in 0..parts.len() {
        let part = &parts[(first + i) % parts.len()];
        let mut counter = plan.counter();
        counter.add_rows(part.len() as u64);
        counter.update(0, Column { array: part.as_ref(), errors: None });
        whole.merge(counter);
    }
    whole.freeze().unwrap()
}

#[test]
fn a_baseline_does_not_depend_on_how_its_rows_were_split() {
    for (seed, sort) in SORTS.iter().enumerate() {
        let mut rng = Rng(seed as u64 + 100);
        let rows = (sort.make)(&mut rng, 900);
        let whole = counted(std::slice::from_ref(&rows), std::slice::from_ref(&rows), true, 0, sort.kind);
        let parts = [rows.slice(0, 1), rows.slice(1, 0), rows.slice(1, 500), rows.slice(501, 399)];
        for first in 0..4 {
            let split = counted(std::slice::from_ref(&rows), &parts, true, first, sort.kind);
            assert_eq!(split, whole, "{}", sort.name);
            assert_eq!(split.id(), whole.id(), "{}", sort.name);
        }
    }
}

/// The sample holds ten values; one part alone holds more distinct values than are counted one by one.
#[test]
fn the_switch_from_values_to_cuts_does_not_depend_on_the_split() {
    for n_distinct in [4_086_i64, 4_087, 5_000] {
        let few: Vec<i64> = (0..600).map(|i| i % 10).collect();
        let many: Vec<i64> = (10..10 + n_distinct).map(|i| i * 37 - 9_000).collect();
        let halves = [longs(&many[..2_100]), longs(&many[2_100..])];
        let layouts: [Vec<ArrayRef>; 4] = [
            vec![longs(&[&few[..], &many[..]].concat())],
            vec![longs(&few), longs(&many)],
            vec![longs(&many), longs(&few), longs(&few[..0])],
            vec![halves[0].clone(), longs(&few), halves[1].clone()],
        ];
        let baselines: Vec<Baseline> = layouts
            .iter()
            .flat_map(|parts| {
                (0..parts.len()).map(|first| counted(&[longs(&few)], parts, false, first, Kind::Numeric))
            })
            .collect();
        for baseline in &baselines[1..] {
            assert_eq!(*baseline, baselines[0]);
            assert_eq!(baseline.id(), baselines[0].id());
        }
        // The same for floats, infinities and signed zeros among them.
        let float = |rows: &[i64]| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|x| match x % 300 {
                299 => f64::INFINITY,
                7 => -0.0,
                _ => *x as f64 / 8.0,
            })))
        };
        let one = counted(&[float(&few)], &[float(&few), float(&many)], false, 0, Kind::Numeric);
        let other =
            counted(&[float(&few)], &[float(&[&many[..], &few[..]].concat())], false, 0, Kind::Numeric);
        assert_eq!(one, other);
        assert_eq!(one.id(), other.id());
    }
}

#[test]
fn the_order_of_rows_does_not_show_in_the_id() {
    let mut rows = vec![-0.0, 3.0, -1.5, 0.0, 0.0, -0.0, 2.0, -1.5, -0.0];
    let id = numeric(doubles(&rows)).id();
    for _ in 0..rows.len() {
        rows.rotate_left(1);
        assert_eq!(numeric(doubles(&rows)).id(), id);
    }
    rows.reverse();
    assert_eq!(numeric(doubles(&rows)).id(), id);
    let mut constant = [-0.0, 0.0];
    let id = numeric(doubles(&constant)).id();
    constant.reverse();
    assert_eq!(numeric(doubles(&constant)).id(), id);
}

#[test]
fn counts_on_other_edges_are_refused() {
    // As many cells, on other edges.
    let (a, b) = (numeric(longs(&[101, 105, 109, 113])), numeric(longs(&[102, 106, 110, 114])));
    assert_eq!(a.features()[0].cells().n_cells(), b.features()[0].cells().n_cells());
    assert_ne!(a.features()[0].cutset_id(), b.features()[0].cutset_id());
    let mut own = a.accumulator();
    assert_eq!(own.merge(&b.accumulator()).unwrap_err().kind(), ErrorKind::Mismatch);
    // Equal cells of two baselines are the same edges.
    assert!(own.merge(&numeric(longs(&[101, 105, 109, 113])).accumulator()).is_ok());
    let text = baseline_with(spec("x", Kind::Categorical, &texts(&["a"])), &[texts(&["a"])]);
    assert!(own.merge(&text.accumulator()).is_err());
}

#[test]
fn one_bad_feature_never_stops_the_others() {
    let (numbers, words) = (longs(&[1, 2, 3, 3]), texts(&["a", "b", "c", "c"]));
    let specs: Vec<_> = ["a", "b", "c"].iter().map(|name| spec(name, Kind::Numeric, &numbers)).collect();
    let mut sampler = Sampler::new(Arc::new(specs));
    let column = |bad: usize, feature: usize| if feature == bad { &words } else { &numbers };
    (0..3).for_each(|feature| sampler.add(feature, 0, column(1, feature).as_ref()));
    let mut counter = sampler.draft(true).counter();
    counter.add_rows(4);
    for feature in 0..3 {
        counter.update(feature, Column { array: column(1, feature).as_ref(), errors: None });
    }
    let baseline = counter.freeze().unwrap();
    let names: Vec<&str> = baseline.features().iter().map(|feature| feature.name()).collect();
    assert_eq!((names, baseline.failed()[0].name.as_str()), (vec!["a", "c"], "b"));

    let mut accumulator = baseline.accumulator();
    let slot = accumulator.slot(&SlotKey::default());
    accumulator.add_rows(4, &[Slots::All(slot)]);
    for feature in 0..2 {
        let column = Column { array: column(0, feature).as_ref(), errors: None };
        accumulator.update(feature, column, &[Slots::All(slot)]);
    }
    let error = accumulator.state(0, &SlotKey::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert_eq!(accumulator.state(1, &SlotKey::default()).unwrap().rows(), 4);
    // The error travels through a merge, and the good feature's counts with it.
    let mut merged = baseline.accumulator();
    merged.merge(&accumulator).unwrap();
    assert_eq!(merged.state(0, &SlotKey::default()).unwrap_err(), error);
    assert_eq!(merged.state(1, &SlotKey::default()).unwrap().rows(), 4);
    assert!(try_state(&numeric(longs(&[1])), &texts(&["1"])).is_err());
    assert_eq!(numbers.len(), 4);
}

/// In a stream an error belongs to the panes whose rows could not be read, and stays with them.
#[test]
fn an_error_in_one_slot_leaves_the_others_alone() {
    let baseline = numeric(longs(&[1, 2, 3]));
    let (numbers, words) = (longs(&[1, 2]), texts(&["a", "b"]));
    let mut accumulator = baseline.accumulator();
    let slots: Vec<u32> = (0..3).map(|pane| accumulator.slot(&key(pane))).collect();
    for (array, pane) in [(&numbers, 0), (&words, 1), (&numbers, 1), (&numbers, 2)] {
        let column = Column { array: array.as_ref(), errors: None };
        accumulator.update_within(0, column, None, &[Slots::All(slots[pane])]);
    }
    accumulator.fail_within(0, "b", &[Slots::Each(&[NO_SLOT, slots[2]])]);
    accumulator.fail_within(0, "a", &[Slots::Each(&[slots[2], slots[2]]), Slots::All(slots[2])]);
    let mut merged = baseline.accumulator();
    merged.slot(&key(7));
    merged.merge(&accumulator).unwrap();
    for own in [&accumulator, &merged] {
        assert_eq!(own.state(0, &key(0)).unwrap().rows(), 2);
        assert!(own.state(0, &key(1)).unwrap_err().to_string().contains("type changed"));
        assert_eq!(own.state(0, &key(2)).unwrap_err().to_string(), "a", "the least of its messages");
    }
    // With its slot goes the error.
    assert_eq!(accumulator.remove_pane(2), [key(2)]);
    let slot = accumulator.slot(&key(3));
    assert_eq!(slot, slots[2], "the place is used again");
    assert_eq!(accumulator.state(0, &key(3)).unwrap(), FeatureState::empty(baseline.features()[0].cells()));
}
