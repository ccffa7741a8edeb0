//! SEMANTICS S4: widths, units, scales and encodings of one logical type are compared as values.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, Decimal32Array, Decimal64Array, DictionaryArray, Float32Array, Float64Array, Int8Array,
    Int32Array, Int64Array, LargeStringArray, StringArray, StringViewArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt32Array, UInt64Array,
};
use driftlead_engine::accumulate::{FeatureState, SlotKey, Slots};
use driftlead_engine::codec::{decode_state, encode_state};
use driftlead_engine::{ErrorKind, Kind, Metric};

use crate::columns::{
    Rng, add, baseline_with, categorical, compare, decimals, doubles, longs, numeric, scored, spec, state,
    texts, try_state, value,
};
use crate::oracle;

/// Every one of `windows` gives the state and the scores of the first, on every one of `baselines`.
fn assert_alike(kind: Kind, baselines: &[ArrayRef], windows: &[ArrayRef]) {
    for rows in baselines {
        let own = baseline_with(spec("x", kind, rows), std::slice::from_ref(rows));
        let first = state(&own, &windows[0]);
        for window in &windows[1..] {
            let what =
                format!("{} and {} on {}", windows[0].data_type(), window.data_type(), rows.data_type());
            let other = state(&own, window);
            assert_eq!(other, first, "{what}");
            assert_eq!(compare(&own, &other), compare(&own, &first), "{what}");
        }
    }
}

fn some(rng: &mut Rng, n: usize, from: i64, below: usize) -> Vec<Option<i64>> {
    (0..n).map(|_| (rng.below(13) > 0).then(|| from + rng.below(below) as i64)).collect()
}

#[test]
fn integers_of_every_width_and_whole_floats_are_alike() {
    let mut rng = Rng(1);
    for spread in [15, 90, 120] {
        let columns = |rows: Vec<Option<i64>>| -> Vec<ArrayRef> {
            let to = |rows: &[Option<i64>]| rows.to_vec();
            vec![
                Arc::new(Int64Array::from(to(&rows))),
                Arc::new(Int32Array::from(rows.iter().map(|x| x.map(|x| x as i32)).collect::<Vec<_>>())),
                Arc::new(Int8Array::from(rows.iter().map(|x| x.map(|x| x as i8)).collect::<Vec<_>>())),
                Arc::new(UInt32Array::from(rows.iter().map(|x| x.map(|x| x as u32)).collect::<Vec<_>>())),
                Arc::new(UInt64Array::from(rows.iter().map(|x| x.map(|x| x as u64)).collect::<Vec<_>>())),
                Arc::new(Float64Array::from(rows.iter().map(|x| x.map(|x| x as f64)).collect::<Vec<_>>())),
            ]
        };
        let baselines = columns(some(&mut rng, 800, 0, spread));
        let windows = columns(some(&mut rng, 500, 3, spread));
        assert_alike(Kind::Numeric, &baselines, &windows);
        assert_alike(Kind::Categorical, &baselines, &windows);
    }
}

#[test]
fn times_of_every_unit_are_alike() {
    let mut rng = Rng(2);
    let columns = |rows: Vec<Option<i64>>| -> Vec<ArrayRef> {
        let of = |factor: i64| rows.iter().map(|x| x.map(|x| x * factor)).collect::<Vec<_>>();
        vec![
            Arc::new(TimestampSecondArray::from(of(1))),
            Arc::new(TimestampMillisecondArray::from(of(1_000))),
            Arc::new(TimestampMicrosecondArray::from(of(1_000_000)).with_timezone("Europe/Berlin")),
            Arc::new(TimestampNanosecondArray::from(of(1_000_000_000))),
        ]
    };
    for below in [40, 100_000] {
        let baselines = columns(some(&mut rng, 6_000, 1_600_000_000, below));
        let windows = columns(some(&mut rng, 500, 1_600_000_010, below));
        assert_alike(Kind::Numeric, &baselines, &windows);
    }
}

#[test]
fn decimals_of_every_scale_are_alike() {
    let mut rng = Rng(3);
    let columns = |rows: &[i128]| -> Vec<ArrayRef> {
        let times = |factor: i128| rows.iter().map(|x| x * factor).collect::<Vec<_>>();
        vec![decimals(rows, 10, 2), decimals(&times(100), 18, 4), decimals(&times(10_000_000), 30, 9)]
    };
    let rows = |rng: &mut Rng, n: usize, spread: f64| -> Vec<i128> {
        (0..n).map(|_| (rng.normal() * spread) as i128).collect()
    };
    for spread in [4.0, 900.0, 1e6] {
        let (own, other) = (rows(&mut rng, 6_000, spread), rows(&mut rng, 600, spread * 1.1));
        assert_alike(Kind::Numeric, &columns(&own), &columns(&other));
        assert_alike(Kind::Categorical, &columns(&own)[..1], &columns(&other));
    }
}

/// Edges below and above what 64 bits hold, and rows that 32 and 64 bits hold.
#[test]
fn narrow_integers_meet_a_baseline_of_128_bits() {
    let huge = 1_i128 << 100;
    let mut rng = Rng(7);
    let near: Vec<i128> = (0..600).map(|_| rng.below(4_000) as i128 - 2_000).collect();
    let window: Vec<i128> = (0..300).map(|_| rng.below(4_400) as i128 - 2_200).collect();
    let with = |far: &[i128]| -> Vec<i128> { near.iter().chain(far).copied().collect() };
    let far = |sign: i128| near.iter().map(|x| sign * huge + x).collect::<Vec<i128>>();
    for baseline in [
        with(&far(-1)),
        with(&far(1)),
        with(&[far(-1), far(1)].concat()),
        with(&[
            i128::from(i64::MIN) - 1,
            i128::from(i64::MIN),
            i128::from(i64::MAX),
            i128::from(i64::MAX) + 1,
        ]),
        far(-1),
        far(1),
    ] {
        let baseline = [decimals(&baseline, 38, 0)];
        let narrow = window.iter().map(|x| *x as i64);
        let windows: Vec<ArrayRef> = vec![
            decimals(&window, 38, 0),
            Arc::new(Int64Array::from_iter_values(narrow.clone())),
            Arc::new(Int32Array::from_iter_values(narrow.map(|x| x as i32))),
        ];
        assert_alike(Kind::Numeric, &baseline, &windows);
        // Rows between the baseline's steps are seen between them, whatever lies below what their type can hold.
        let tenths: Vec<i128> = window.iter().map(|x| x * 10 + 5).collect();
        let middle = Decimal64Array::from_iter_values(tenths.iter().map(|x| *x as i64));
        let small = Decimal32Array::from_iter_values(tenths.iter().map(|x| *x as i32));
        let windows: Vec<ArrayRef> = vec![
            decimals(&tenths, 38, 1),
            Arc::new(middle.with_precision_and_scale(18, 1).unwrap()),
            Arc::new(small.with_precision_and_scale(9, 1).unwrap()),
        ];
        assert_alike(Kind::Numeric, &baseline, &windows);
    }
}

/// A double that was made from a decimal is its nearest double, on either side.
#[test]
fn decimals_meet_the_doubles_made_from_them() {
    let cents: Vec<i128> = (0..2_000).map(|i| i * 7 % 501 - 200).collect();
    let floats: Vec<f64> = cents.iter().map(|x| *x as f64 / 100.0).collect();
    let (decimal, float) = (decimals(&cents, 12, 2), doubles(&floats));
    let pairs = [(&decimal, &float), (&float, &decimal)];
    for (own, window) in pairs {
        let measured = scored(&numeric(own.clone()), window);
        assert_eq!(value(&measured, Metric::Ks), 0.0, "{} on {}", window.data_type(), own.data_type());
        assert_eq!(value(&measured, Metric::Psi), 0.0);
        assert!(value(&measured, Metric::Wasserstein) < 1e-12, "{measured:?}");
    }
    for (own, window) in pairs {
        let measured = scored(&categorical(own.clone()), window);
        assert_eq!(value(&measured, Metric::NewCategoryRate), 0.0);
    }
}

#[test]
fn strings_of_every_encoding_are_alike() {
    let mut rng = Rng(4);
    let columns = |rng: &mut Rng, n: usize, kinds: usize| -> Vec<ArrayRef> {
        let words: Vec<Option<String>> =
            (0..n).map(|_| (rng.below(9) > 0).then(|| format!("word {}", rng.below(kinds)))).collect();
        let words = || words.iter().map(Option::as_deref);
        vec![
            Arc::new(words().collect::<StringArray>()),
            Arc::new(words().collect::<LargeStringArray>()),
            Arc::new(words().collect::<StringViewArray>()),
            Arc::new(words().collect::<DictionaryArray<Int32Type>>()),
        ]
    };
    let (baselines, windows) = (columns(&mut rng, 4_000, 1_500), columns(&mut rng, 900, 1_900));
    assert_alike(Kind::Categorical, &baselines, &windows);
    let ids: Vec<String> = baselines.iter().map(|rows| categorical(rows.clone()).id()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

/// Rows between an integer baseline's neighbours are not the upper neighbour (SEMANTICS S4): whole numbers turned into
/// floats, finer decimals, finer times.
#[test]
fn what_lies_between_integers_is_seen() {
    let mut rng = Rng(51);
    // Few values, which PSI knows one by one; some hundreds, all atoms; thousands, of which most share cells.
    for distinct in [3, 700, 9_000] {
        let integers: Vec<i64> = (0..20_000).map(|_| rng.below(distinct) as i64 - 1).collect();
        let own = numeric(longs(&integers));
        let reals: Vec<f64> = integers.iter().map(|x| *x as f64).collect();
        // A half below, in steps of the baseline: every row leaves its atom, and a third does not.
        for every in [1, 3] {
            let halves: Vec<f64> = (0..3_000)
                .map(|i| rng.below(distinct) as f64 - 1.0 - if i % every == 0 { 0.5 } else { 0.0 })
                .collect();
            let cents: Vec<i128> = halves.iter().map(|x| (x * 100.0) as i128).collect();
            let narrow: Vec<f32> = halves.iter().map(|x| *x as f32).collect();
            let windows: [ArrayRef; 3] =
                [doubles(&halves), decimals(&cents, 12, 2), Arc::new(Float32Array::from(narrow))];
            for window in windows {
                let what = format!("{distinct} values, every {every}, {}", window.data_type());
                let measured = scored(&own, &window);
                let (ks, truth) = (&measured.scores[&Metric::Ks], oracle::ks(&reals, &halves));
                if distinct < 4_096 {
                    assert!((ks.value.unwrap() - truth).abs() < 1e-12, "{what}: {truth} {ks:?}");
                } else {
                    assert!(
                        ks.value.unwrap() <= truth && truth <= ks.high.unwrap(),
                        "{what}: {truth} {ks:?}"
                    );
                }
                let (w1, truth) = (&measured.scores[&Metric::Wasserstein], oracle::w1(&reals, &halves));
                assert!(w1.low.unwrap() <= truth * (1.0 + 1e-9), "{what}: {truth} {w1:?}");
                assert!(truth <= w1.high.unwrap() * (1.0 + 1e-9), "{what}: {truth} {w1:?}");
                let below = halves.iter().filter(|x| **x < -1.0).count() as f64 / 3_000.0;
                let outside = value(&measured, Metric::OutOfRangeRate);
                // A cell of many values tells the least of them only from what lies a whole step below.
                assert!(
                    outside == below || (distinct > 4_096 && outside < below),
                    "{what}: {outside} {below}"
                );
                if distinct == 3 && every == 1 {
                    assert!(value(&measured, Metric::Psi) > 5.0, "no row is one of the three: {measured:?}");
                }
                // Row by row, as with windows and segments, the same.
                let mut accumulator = own.accumulator();
                let slot = accumulator.slot(&SlotKey::default());
                let slots = vec![slot; window.len()];
                add(&mut accumulator, &window, &[Slots::Each(&slots)]);
                let each = accumulator.state(0, &SlotKey::default()).unwrap();
                assert_eq!(each, state(&own, &window), "{what}");
                assert_eq!(decode_state(&encode_state(&each)).unwrap(), each, "{what}");
                let mut none = each.clone();
                none.merge(&each).unwrap();
                none.subtract(&each).unwrap();
                assert_eq!(none.rows(), each.rows());
            }
        }
        // Whole floats are the integers themselves.
        let whole: Vec<f64> = (0..3_000).map(|_| rng.below(distinct) as f64 - 1.0).collect();
        let as_integers: Vec<i64> = whole.iter().map(|x| *x as i64).collect();
        assert_eq!(state(&own, &doubles(&whole)), state(&own, &longs(&as_integers)));
    }
}

#[test]
fn single_precision_rows_meet_a_double_precision_baseline() {
    let rows = |n: usize| (0..n).map(|i| [0.1, 0.2, 0.3][i % 3]).collect::<Vec<f64>>();
    let own = numeric(doubles(&rows(300)));
    let narrow: ArrayRef = Arc::new(Float32Array::from_iter_values(rows(150).iter().map(|x| *x as f32)));
    let measured = scored(&own, &narrow);
    assert!(measured.narrowed);
    assert_eq!((value(&measured, Metric::Ks), value(&measured, Metric::Psi)), (0.0, 0.0));
    assert!(value(&measured, Metric::Wasserstein) < 1e-7, "{measured:?}");
    assert!(!scored(&own, &doubles(&rows(150))).narrowed);
    let other: ArrayRef = Arc::new(Float32Array::from(vec![0.1_f32; 60]));
    assert!((value(&scored(&own, &other), Metric::Ks) - 2.0 / 3.0).abs() < 1e-15);
}

/// Infinities keep the outermost cells in either precision, and large doubles become large singles.
#[test]
fn narrowed_infinities_are_infinities() {
    let rows: Vec<f64> = (0..1_000)
        .map(|i| match i % 10 {
            0 => f64::INFINITY,
            1 => f64::NEG_INFINITY,
            i => f64::from(i) * 1e37,
        })
        .collect();
    let own = numeric(doubles(&rows));
    let narrow: ArrayRef = Arc::new(Float32Array::from_iter_values(rows.iter().map(|x| *x as f32)));
    let measured = scored(&own, &narrow);
    assert_eq!((measured.infinities, measured.n), (200, 1_000));
    assert_eq!((value(&measured, Metric::Ks), value(&measured, Metric::Psi)), (0.0, 0.0), "{measured:?}");
    assert_eq!(value(&measured, Metric::OutOfRangeRate), 0.2);
    let w1 = value(&measured, Metric::WassersteinNormalized);
    assert!(w1 < 1e-6, "{measured:?}");
    let FeatureState::Numeric(state) = state(&own, &narrow) else { unreachable!("numeric") };
    assert_eq!(state.infinities, (0, 0), "float cells hold the infinities themselves");
}

/// Doubles closer than singles can tell apart are merged on both sides, and their means with them.
#[test]
fn narrowed_cells_that_collide_have_common_means() {
    let mut rng = Rng(6);
    let rows: Vec<f64> = (0..30_000).map(|_| 1e6 + rng.normal()).collect();
    let own = numeric(doubles(&rows));
    let narrow: Vec<f32> = rows.iter().map(|x| *x as f32).collect();
    let measured = scored(&own, &(Arc::new(Float32Array::from(narrow)) as ArrayRef));
    let (ks, w1) = (value(&measured, Metric::Ks), value(&measured, Metric::WassersteinNormalized));
    assert!(ks < 0.06 && w1 < 0.06, "a step of single precision here is a sixteenth: ks {ks}, w1 {w1}");
}

/// The files of a baseline may differ in unit and width: what they hold is counted as values, exactly.
#[test]
fn a_baseline_of_several_units_and_widths_is_one() {
    let nanos = TimestampNanosecondArray::from(vec![1_000_000, 2_000_000, 2_000_000]);
    let millis: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![Some(3), None, Some(4)]));
    let alone: ArrayRef =
        Arc::new(TimestampNanosecondArray::from(vec![Some(3_000_000), None, Some(4_000_000)]));
    let nanos: ArrayRef = Arc::new(nanos);
    let of = |parts: &[ArrayRef]| baseline_with(spec("x", Kind::Numeric, &nanos), parts).id();
    assert_eq!(of(&[nanos.clone(), millis]), of(&[nanos.clone(), alone]));

    let far: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX]));
    let own = baseline_with(spec("x", Kind::Numeric, &nanos), &[nanos.clone(), far]);
    assert!(own.failed()[0].reason.contains("too large"), "{:?}", own.failed());

    let big = |x: u64| (1_u64 << 63) + x;
    let unsigned: ArrayRef = Arc::new(UInt64Array::from(vec![big(0), big(1), big(1), u64::MAX]));
    let own = baseline_with(spec("x", Kind::Numeric, &unsigned), &[longs(&[-1, 5]), unsigned.clone()]);
    let window: ArrayRef = Arc::new(UInt64Array::from(vec![5, big(0), big(1), big(1), u64::MAX]));
    // Of six rows one lies at -1, of five none; neighbours above i64::MAX are told apart.
    assert!((value(&scored(&own, &window), Metric::Ks) - 1.0 / 6.0).abs() < 1e-15);
    let moved: ArrayRef = Arc::new(UInt64Array::from(vec![5, big(0), big(0), big(0), u64::MAX]));
    assert!((value(&scored(&own, &moved), Metric::Ks) - (4.0 / 5.0 - 3.0 / 6.0)).abs() < 1e-15);
    // A baseline of signed integers meets them too.
    let signed = numeric(longs(&[1, 2, 3, i64::MAX]));
    let beyond: ArrayRef = Arc::new(UInt64Array::from(vec![1, 2, 3, big(0)]));
    assert_eq!(value(&scored(&signed, &beyond), Metric::Ks), 0.25);
}

#[test]
fn another_logical_type_is_an_error_that_says_both() {
    let (number, text) = (longs(&[1, 2, 2]), texts(&["a", "b", "b"]));
    let time: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![1, 2, 2]));
    let truth: ArrayRef = Arc::new(arrow_array::BooleanArray::from(vec![true, false, false]));
    let cases: [(Kind, &ArrayRef, &ArrayRef, [&str; 2]); 6] = [
        (Kind::Numeric, &number, &text, ["`integer`", "`text`"]),
        (Kind::Numeric, &number, &time, ["`integer`", "`time`"]),
        (Kind::Numeric, &time, &number, ["`time`", "`integer`"]),
        (Kind::Categorical, &text, &number, ["`text`", "`integer`"]),
        (Kind::Categorical, &number, &text, ["`number`", "`text`"]),
        (Kind::Categorical, &truth, &text, ["`bool`", "`text`"]),
    ];
    for (kind, own, window, words) in cases {
        let baseline = baseline_with(spec("x", kind, own), std::slice::from_ref(own));
        let error = try_state(&baseline, window).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema);
        assert!(words.iter().all(|word| error.to_string().contains(word)), "{error}");
    }
    assert_eq!(number.len(), 3);
}
