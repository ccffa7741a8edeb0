//! Embeddings: every form of a column, rows set apart, blocks of any size, and what the tests see.

use std::sync::Arc;

use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, LargeListArray, ListArray, StringArray};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use driftlead_engine::accumulate::{Accumulator, Column, FeatureState, SlotKey, Slots};
use driftlead_engine::baseline::{Baseline, FeatureSpec};
use driftlead_engine::codec::{decode_state, encode_state};
use driftlead_engine::embedding::{CODES, EXEMPLARS, EmbeddingState, RowIds};
use driftlead_engine::feature::ValueType;
use driftlead_engine::score::{Place, Way};
use driftlead_engine::{Kind, Metric};

use crate::columns::{Rng, baseline_with, fixed_lists, scored, state, value};

const DIM: usize = 40;

/// Numbers that half precision holds exactly.
fn numbers(rng: &mut Rng, n: usize, shift: f64) -> Vec<Vec<f32>> {
    (0..n)
        .map(|_| {
            let latent = [rng.normal(), rng.normal(), rng.normal()];
            let vector = (0..DIM).map(|j| {
                let x = latent[j % 3] * 2.0 + rng.normal() + if j == 5 { shift } else { 0.0 } + 4.0;
                (x * 64.0).round() as f32 / 64.0
            });
            vector.collect()
        })
        .collect()
}

fn fixed(rows: &[Vec<f32>]) -> ArrayRef {
    fixed_lists(DIM, rows.concat())
}

fn bytes(row: &[f32]) -> Vec<u8> {
    row.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// The same vectors in every form that a column can have.
fn forms(rows: &[Vec<f32>]) -> Vec<(&'static str, ArrayRef)> {
    let singles = || rows.iter().map(|row| Some(row.iter().map(|x| Some(*x)).collect::<Vec<_>>()));
    let doubles = rows.iter().map(|row| Some(row.iter().map(|x| Some(f64::from(*x))).collect::<Vec<_>>()));
    let halves =
        rows.iter().map(|row| Some(row.iter().map(|x| Some(half::f16::from_f32(*x))).collect::<Vec<_>>()));
    let encoded: Vec<String> = rows.iter().map(|row| BASE64_STANDARD.encode(bytes(row))).collect();
    let raw: Vec<Vec<u8>> = rows.iter().map(|row| bytes(row)).collect();
    vec![
        ("fixed-size list", fixed(rows)),
        ("list", Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(singles()))),
        ("large list", Arc::new(LargeListArray::from_iter_primitive::<Float32Type, _, _>(singles()))),
        ("doubles", Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(doubles))),
        ("halves", Arc::new(ListArray::from_iter_primitive::<Float16Type, _, _>(halves))),
        ("base64", Arc::new(StringArray::from(encoded))),
        ("bytes", Arc::new(BinaryArray::from_iter_values(raw))),
    ]
}

fn baseline(array: ArrayRef) -> Baseline {
    asked(array, false)
}

/// With or without `mmd`.
fn asked(array: ArrayRef, mmd: bool) -> Baseline {
    let spec = FeatureSpec {
        name: "x".to_owned(),
        kind: Kind::Embedding,
        value_type: ValueType::VECTOR,
        edges: Vec::new(),
        dim: None,
        mmd,
        inferred: false,
    };
    let dim = if ValueType::of(array.data_type()).is_ok_and(|own| own == ValueType::VECTOR) {
        None
    } else {
        Some(DIM)
    };
    baseline_with(FeatureSpec { dim, ..spec }, &[array])
}

fn embedding(state: &FeatureState) -> &EmbeddingState {
    match state {
        FeatureState::Embedding(state) => state,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_form_of_a_column_is_the_same_vectors() {
    let mut rng = Rng(1);
    let (rows, window) = (numbers(&mut rng, 1_500, 0.0), numbers(&mut rng, 300, 0.0));
    let expected = baseline(fixed(&rows));
    let own = state(&expected, &fixed(&window));
    assert_eq!(embedding(&own).values(), 300);
    for ((name, array), (_, window)) in forms(&rows).into_iter().zip(forms(&window)) {
        assert_eq!(baseline(array).id(), expected.id(), "{name}");
        assert_eq!(state(&expected, &window), own, "{name}");
    }
}

#[test]
fn what_is_no_vector_of_this_length_is_set_apart() {
    let mut rng = Rng(2);
    let baseline = baseline(fixed(&numbers(&mut rng, 1_500, 0.0)));
    let good = |rng: &mut Rng| Some(numbers(rng, 1, 0.0)[0].iter().map(|x| Some(*x)).collect::<Vec<_>>());
    let with = |rng: &mut Rng, at: usize, x: Option<f32>| {
        let mut row = good(rng);
        row.as_mut().unwrap()[at] = x;
        row
    };
    let rows = vec![
        None,
        good(&mut rng),
        Some(vec![Some(1.0); DIM - 1]),
        Some(Vec::new()),
        with(&mut rng, 3, Some(f32::NAN)),
        with(&mut rng, 39, Some(f32::NEG_INFINITY)),
        with(&mut rng, 0, None),
        Some(vec![Some(0.0); DIM]),
        Some(vec![Some(-0.0); DIM]),
        with(&mut rng, 7, Some(1e30)),
        with(&mut rng, 7, Some(1e5)),
    ];
    let array: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(rows));
    let own = state(&baseline, &array);
    let own = embedding(&own);
    assert_eq!(
        (own.rows, own.nulls, own.wrong_dims, own.nans, own.zeros, own.values(), own.overflow),
        (11, 1, 2, 4, 2, 2, 1)
    );
    // Text that is no base64, or no whole number of floats, is a type error.
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("%"), Some("AAA="), None, Some("AACAPw==")]));
    let own = state(&baseline, &texts);
    let own = embedding(&own);
    assert_eq!((own.rows, own.nulls, own.type_errors, own.wrong_dims), (4, 1, 2, 1));
}

/// A row's numbers do not depend on its neighbours: one by one, and in blocks that do not divide the rows.
#[test]
fn blocks_of_any_size_give_the_same_bits() {
    let mut rng = Rng(3);
    let baseline = asked(fixed(&numbers(&mut rng, 1_500, 0.0)), true);
    let rows = numbers(&mut rng, 300, 0.3);
    let whole = state(&baseline, &fixed(&rows));
    for size in [1, 7, 127, 128, 129] {
        let mut parts = rows.chunks(size).map(|part| state(&baseline, &fixed(part)));
        let mut sum = parts.next().unwrap();
        parts.for_each(|part| sum.merge(&part).unwrap());
        assert_eq!(sum, whole, "{size}");
    }
    let mut backwards = rows;
    backwards.reverse();
    assert_eq!(state(&baseline, &fixed(&backwards)), whole);
    assert_eq!(embedding(&whole).waves.len(), 1024);
}

/// What nobody asks for is in no baseline, no state and no score; all else is the same to the last bit with it.
#[test]
fn mmd_is_measured_where_it_is_asked_for() {
    let mut rng = Rng(6);
    let rows = fixed(&numbers(&mut rng, 3_000, 0.0));
    let (without, with) = (asked(rows.clone(), false), asked(rows, true));
    assert_ne!(without.id(), with.id());
    for (shift, is_seen) in [(0.0, false), (2.5, true)] {
        let window = fixed(&numbers(&mut rng, 1_000, shift));
        let (plain, mut measured) = (scored(&without, &window), scored(&with, &window));
        assert!(embedding(&state(&without, &window)).waves.is_empty());
        assert!(!plain.scores.contains_key(&Metric::Mmd));
        let mmd = measured.scores.remove(&Metric::Mmd).unwrap();
        assert_eq!(measured, plain);
        let (value, p) = (mmd.value.unwrap(), mmd.p_value.unwrap());
        assert!((0.0..=2.0).contains(&value));
        assert_eq!((p < 1e-6, p > 0.05), (is_seen, !is_seen), "{shift}: {mmd:?}");
        // Without bias, and not below 0 as shown.
        assert!(if is_seen { value > 0.001 } else { value < 0.001 }, "{shift}: {mmd:?}");
    }
    // Rows too far out for a sum are in no wave either; of one row there are no pairs.
    let mut far = numbers(&mut rng, 3, 0.0);
    far[1][7] = 1e6;
    far[2][7] = 1e6;
    let own = state(&with, &fixed(&far));
    assert_eq!(embedding(&own).waves, embedding(&state(&with, &fixed(&far[..1]))).waves);
    let mmd = &scored(&with, &fixed(&far)).scores[&Metric::Mmd];
    assert!(mmd.value.is_none() && mmd.reason.unwrap().contains("fewer than two"), "{mmd:?}");
}

#[test]
fn a_shift_of_one_dimension_is_seen_and_none_is_not() {
    let mut rng = Rng(4);
    let baseline = baseline(fixed(&numbers(&mut rng, 4_000, 0.0)));
    let p = |measured: &driftlead_engine::score::Measured, metric: Metric| {
        measured.scores[&metric].p_value.unwrap()
    };
    let same = scored(&baseline, &fixed(&numbers(&mut rng, 2_000, 0.0)));
    assert!(p(&same, Metric::EmbeddingDrift) > 0.05, "{:?}", same.scores);
    assert!(value(&same, Metric::EmbeddingDrift) < 0.55);
    let moved = scored(&baseline, &fixed(&numbers(&mut rng, 2_000, 0.8)));
    assert!(p(&moved, Metric::EmbeddingMean) < 1e-12);
    assert!(p(&moved, Metric::EmbeddingDrift) < 1e-11);
    assert!(value(&moved, Metric::EmbeddingDrift) > 0.6, "{:?}", moved.scores[&Metric::EmbeddingDrift]);
    assert!(value(&moved, Metric::CentroidEuclidean) > 0.7);
    assert_eq!(value(&moved, Metric::DimensionDriftShare), 1.0 / DIM as f64);
}

#[test]
fn too_few_vectors_are_refused_with_the_number_that_is_needed() {
    let mut rng = Rng(5);
    let few = baseline(fixed(&numbers(&mut rng, 150, 0.0)));
    assert!(few.features().is_empty());
    assert!(few.skipped()[0].reason.contains("needs about 300"), "{:?}", few.skipped());
    // Enough for the parts, but not for the mean in all its directions.
    let rows = numbers(&mut rng, 1_200, 0.0);
    let wide: Vec<Option<Vec<Option<f32>>>> =
        rows.iter().map(|row| Some((0..160).map(|j| Some(row[j % DIM] + j as f32)).collect())).collect();
    let array: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(wide));
    let own = baseline(array.clone());
    let measured = scored(&own, &array.slice(0, 400));
    assert!(measured.scores[&Metric::EmbeddingMean].p_value.is_none());
    assert!(measured.scores[&Metric::EmbeddingDrift].p_value.is_some());
}

/// Of each cluster the same ids are kept, whatever the batches, the order, the grouping and the merges (I-GROUP).
#[test]
fn ids_of_clusters_are_the_same_however_rows_come() {
    let mut rng = Rng(6);
    let baseline = baseline(fixed(&numbers(&mut rng, 1_500, 0.0)));
    let rows = numbers(&mut rng, 900, 0.4);
    let names: Vec<Option<String>> = (0..900).map(|i| (i % 10 > 0).then(|| format!("id-{i}"))).collect();
    let key = SlotKey::default();
    let add = |accumulator: &mut Accumulator, order: &[usize], scattered: bool| {
        let array = fixed(&order.iter().map(|i| rows[*i].clone()).collect::<Vec<_>>());
        let ids = RowIds::of(&order.iter().map(|i| names[*i].clone()).collect::<StringArray>()).unwrap();
        let slot = accumulator.slot(&key);
        let each = vec![slot; order.len()];
        let slots = if scattered { Slots::Each(&each) } else { Slots::All(slot) };
        let column = Column { array: array.as_ref(), errors: None };
        accumulator.add_rows(order.len() as u64, &[slots]);
        accumulator.update_named(0, column, Some(ids.all()), &[slots]);
    };
    let counted = |order: &[usize], size: usize, scattered: bool| {
        let mut merged = baseline.accumulator();
        for part in order.chunks(size) {
            let mut own = baseline.accumulator();
            add(&mut own, part, scattered);
            merged.merge(&own).unwrap();
        }
        merged.state(0, &key).unwrap()
    };
    let forwards: Vec<usize> = (0..900).collect();
    let whole = counted(&forwards, 900, false);
    let own = embedding(&whole);
    assert_eq!(own.exemplars.unnamed, 90);
    for (code, vectors) in own.codes().into_iter().enumerate() {
        let kept = own.exemplars.of(code).count();
        assert!(kept <= EXEMPLARS && (kept > 0 || vectors < 20), "{code}: {kept} of {vectors}");
    }
    assert!((0..CODES).any(|code| own.exemplars.of(code).count() == EXEMPLARS));
    let mixed: Vec<usize> = (0..900).map(|i| i * 7 % 900).collect();
    for (order, size, scattered) in
        [(&forwards, 1, false), (&forwards, 130, true), (&mixed, 900, true), (&mixed, 77, false)]
    {
        let again = counted(order, size, scattered);
        assert_eq!(again, whole, "{size} {scattered}");
        assert_eq!(encode_state(&again), encode_state(&whole));
    }
    assert_eq!(decode_state(&encode_state(&whole)).as_ref(), Ok(&whole));
    // Counts come back when a state is taken away again; ids cannot, and none are claimed.
    let mut sum = whole.clone();
    let other = counted(&mixed[..300], 300, false);
    sum.merge(&other).unwrap();
    sum.subtract(&other).unwrap();
    let left = embedding(&sum);
    assert_eq!((&left.cells, &left.sums, left.rows), (&own.cells, &own.sums, own.rows));
    assert!((0..CODES).all(|code| left.exemplars.of(code).count() == 0));
    assert!(decode_state(&encode_state(&sum)).is_ok());
    // Clusters that grew show the ids of their rows, others none.
    let measured = crate::columns::compare(&baseline, &whole);
    for cell in &measured.cells {
        let Place::Cluster(code) = cell.place else { panic!("{cell:?}") };
        let expected: Vec<&str> =
            if cell.window > cell.baseline { own.exemplars.of(code).collect() } else { Vec::new() };
        assert_eq!(cell.ids, expected, "{code}");
    }
    assert_eq!(measured.unnamed, 90);
}

/// Ids that would not have been kept are bytes that nobody wrote.
#[test]
fn stored_ids_out_of_order_are_refused() {
    let mut rng = Rng(7);
    let baseline = baseline(fixed(&numbers(&mut rng, 1_500, 0.0)));
    let mut accumulator = baseline.accumulator();
    let slot = accumulator.slot(&SlotKey::default());
    let rows = numbers(&mut rng, 1, 0.0);
    let array = fixed(&[rows[0].clone(), rows[0].clone()]);
    let ids = RowIds::of(&StringArray::from(vec!["first-id", "other-id"])).unwrap();
    let column = Column { array: array.as_ref(), errors: None };
    accumulator.update_named(0, column, Some(ids.all()), &[Slots::All(slot)]);
    let bytes = encode_state(&accumulator.state(0, &SlotKey::default()).unwrap());
    let mut swapped = bytes.clone();
    swapped[at_of(&bytes, b"first-id")..][..8].copy_from_slice(b"other-id");
    swapped[at_of(&bytes, b"other-id")..][..8].copy_from_slice(b"first-id");
    assert!(decode_state(&bytes).is_ok());
    let error = decode_state(&swapped).unwrap_err();
    assert!(error.to_string().contains("are not those that would be kept"), "{error}");
    let mut twice = bytes;
    let first = at_of(&twice, b"first-id");
    twice[first..first + 8].copy_from_slice(b"other-id");
    assert!(decode_state(&twice).is_err());
}

fn at_of(bytes: &[u8], text: &[u8]) -> usize {
    bytes.windows(text.len()).position(|part| part == text).unwrap()
}

#[test]
fn the_ways_are_those_that_moved() {
    let mut rng = Rng(4);
    let baseline = baseline(fixed(&numbers(&mut rng, 4_000, 0.0)));
    let same = scored(&baseline, &fixed(&numbers(&mut rng, 2_000, 0.0)));
    assert_eq!(same.directions, []);
    // One dimension that the components hardly see.
    let moved = scored(&baseline, &fixed(&numbers(&mut rng, 2_000, 1.5)));
    let dimensions: Vec<_> =
        moved.directions.iter().filter(|own| matches!(own.way, Way::Dimension(_))).collect();
    assert!(matches!(dimensions[..], [own] if own.way == Way::Dimension(5)), "{:?}", moved.directions);
    assert!(dimensions[0].share.unwrap() > 0.9, "{dimensions:?}");
    // Everything twice as far from the mean: no component is shifted, all are wider.
    let mut wide = numbers(&mut rng, 2_000, 0.0);
    wide.iter_mut().flatten().for_each(|x| *x = (*x - 4.0) * 2.0 + 4.0);
    let wide = scored(&baseline, &fixed(&wide));
    let of = |wanted: Way| {
        let found = wide.directions.iter().find(|own| own.way == wanted);
        found.unwrap_or_else(|| panic!("{wanted:?}: {:?}", wide.directions))
    };
    for way in [Way::Error, Way::Norm, Way::Distance] {
        let own = of(way);
        assert!(own.window.unwrap() > 0.8 && (own.baseline.unwrap() - 0.5).abs() < 0.01, "{own:?}");
    }
    let spread: Vec<f64> = wide
        .directions
        .iter()
        .filter(|own| matches!(own.way, Way::Spread(_)))
        .filter_map(|own| own.window)
        .collect();
    assert!(spread.len() == 3 && spread.iter().all(|sd| (1.8..2.2).contains(sd)), "{spread:?}");
    assert!(matches!(
        wide.directions.iter().find(|own| matches!(own.way, Way::Product(..))),
        Some(own) if (own.window.unwrap() / own.baseline.unwrap() - 4.0).abs() < 0.5
    ));
}

/// A length that no vector has is told apart from vectors that cannot be used, with the lengths there are.
#[test]
fn a_length_that_no_vector_has_names_those_that_there_are() {
    let mut rng = Rng(9);
    let mut rows = numbers(&mut rng, 400, 0.0);
    rows.iter_mut().take(30).for_each(|row| row.truncate(7));
    rows[30].truncate(3);
    let lists = rows.iter().map(|row| Some(row.iter().map(|x| Some(*x))));
    let array: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(lists));
    let spec = |dim| FeatureSpec { dim, ..crate::columns::spec("x", Kind::Embedding, &array) };
    let plan = |dim| {
        let mut sampler = driftlead_engine::baseline::Sampler::new(Arc::new(vec![spec(dim)]));
        sampler.add(0, 0, array.as_ref());
        sampler.draft(true)
    };
    let wrong = plan(Some(384));
    let (name, found) = wrong.wrong_dims().next().unwrap();
    assert_eq!((name, &found.lengths), ("x", &vec![(DIM, 369), (7, 30), (3, 1)]));
    assert_eq!(
        found.to_string(),
        "`dim: 384` is the length of no sampled vector of the baseline: 369 have 40 numbers, 30 have 7 numbers, \
         1 has 3 numbers; write `dim: 40`, or leave `dim` out to take the length that most have"
    );
    let failed = baseline_with(spec(Some(384)), std::slice::from_ref(&array));
    assert_eq!(failed.failed()[0].reason, found.to_string());
    // Vectors of the length, but too few of them, are refused for another reason.
    for dim in [Some(7), None] {
        assert_eq!(plan(dim).wrong_dims().count(), 0);
    }
    assert_eq!(plan(Some(DIM)).wrong_dims().count(), 0);
}
