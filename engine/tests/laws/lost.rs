//! I-LOST: every row is in a cell, or counted as null, NaN or type error, whatever its type.

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float16Type, Int8Type, UInt16Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Date64Array, Decimal32Array, Decimal64Array, Decimal128Array,
    DictionaryArray, Float16Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    LargeStringArray, StringArray, StringViewArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use driftlead_engine::Kind;
use driftlead_engine::accumulate::{Column, FeatureState, SlotKey, Slots};
use driftlead_engine::codec::{decode_state, encode_state};

use crate::columns::{baseline_with, some_errors, spec};

/// Extremes, an ordinary value and nulls of an integer type.
macro_rules! integers {
    ($($array:ident: $t:ty),*) => {
        vec![$((
            stringify!($array),
            Arc::new($array::from(vec![
                Some(<$t>::MIN), None, Some(0), Some(<$t>::MAX), Some(7), None, Some(<$t>::MIN), None, Some(7), None,
            ])) as ArrayRef,
        )),*]
    };
}

fn numbers() -> Vec<(&'static str, ArrayRef)> {
    let mut columns = integers!(
        Int8Array: i8, Int16Array: i16, Int32Array: i32, Int64Array: i64, UInt8Array: u8, UInt16Array: u16,
        UInt32Array: u32, UInt64Array: u64, Date32Array: i32, Date64Array: i64, TimestampSecondArray: i64,
        TimestampMillisecondArray: i64, TimestampMicrosecondArray: i64, TimestampNanosecondArray: i64
    );
    let floats = [
        Some(f64::NAN),
        None,
        Some(f64::INFINITY),
        Some(f64::NEG_INFINITY),
        Some(-0.0),
        Some(5e-324),
        None,
        Some(f64::MAX),
        Some(f64::MIN),
        Some(0.1),
    ];
    columns.push(("Float64", Arc::new(Float64Array::from(floats.to_vec()))));
    let singles: Vec<Option<f32>> = floats.iter().map(|x| x.map(|x| x as f32)).collect();
    columns.push(("Float32", Arc::new(Float32Array::from(singles.clone()))));
    let halves: Vec<_> =
        singles.iter().map(|x| x.map(<Float16Type as ArrowPrimitiveType>::Native::from_f32)).collect();
    columns.push(("Float16", Arc::new(Float16Array::from(halves))));
    let steps = [
        Some(-999_999_999),
        None,
        Some(0),
        Some(999_999_999),
        Some(15),
        Some(150),
        None,
        Some(-1),
        None,
        Some(3),
    ];
    for scale in [0, 2, 9] {
        let narrow = Decimal32Array::from(steps.to_vec()).with_precision_and_scale(9, scale).unwrap();
        columns.push(("Decimal32", Arc::new(narrow)));
    }
    for scale in [-3, 0, 2, 18] {
        let wide = Decimal64Array::from(steps.map(|x| x.map(i64::from)).to_vec());
        columns.push(("Decimal64", Arc::new(wide.with_precision_and_scale(18, scale).unwrap())));
    }
    for (precision, scale) in [(10, 2), (18, 4), (38, -5), (38, 0), (38, 20), (38, 37)] {
        let wide = Decimal128Array::from(steps.map(|x| x.map(i128::from)).to_vec());
        columns.push(("Decimal128", Arc::new(wide.with_precision_and_scale(precision, scale).unwrap())));
    }
    columns
}

fn names() -> Vec<(&'static str, ArrayRef)> {
    let words =
        [Some("a"), None, Some(""), Some("b"), None, Some("a"), Some("ü\u{0}"), None, Some("b"), Some("a")];
    let bools =
        [Some(true), None, Some(false), Some(true), None, None, Some(true), None, Some(true), Some(true)];
    // A dictionary whose values hold a null and a NaN: rows are null or NaN by way of their key.
    let keys = Int8Array::from(vec![
        Some(0),
        None,
        Some(1),
        Some(2),
        Some(3),
        None,
        Some(3),
        Some(0),
        Some(1),
        Some(1),
    ]);
    let some_null: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("c"), Some("a")]));
    let some_nan: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.5), Some(f64::NAN), None, Some(2.0)]));
    let mut columns: Vec<(&'static str, ArrayRef)> = vec![
        ("Utf8", Arc::new(StringArray::from(words.to_vec()))),
        ("LargeUtf8", Arc::new(LargeStringArray::from(words.to_vec()))),
        ("Utf8View", Arc::new(StringViewArray::from(words.to_vec()))),
        ("Dictionary", Arc::new(words.iter().copied().collect::<DictionaryArray<UInt16Type>>())),
        ("Dictionary with a null", Arc::new(DictionaryArray::<Int8Type>::new(keys.clone(), some_null))),
        ("Dictionary with NaN", Arc::new(DictionaryArray::<Int8Type>::new(keys, some_nan))),
        ("Boolean", Arc::new(BooleanArray::from(bools.to_vec()))),
    ];
    // Dates and times have no names.
    columns
        .extend(numbers().into_iter().filter(|(name, _)| !name.contains("Date") && !name.contains("Time")));
    columns
}

/// What a state says of its rows: in cells, null, NaN, type errors.
fn parts(state: &FeatureState) -> [u64; 4] {
    match state {
        FeatureState::Numeric(s) => [s.cells.total(), s.nulls, s.nans, s.type_errors],
        FeatureState::Categorical(s) => [s.cells.total(), s.nulls, s.nans, s.type_errors],
        FeatureState::Embedding(s) => [s.values(), s.nulls, s.nans, s.type_errors],
    }
}

/// What the rows themselves say.
fn expected(array: &ArrayRef, n_errors: u64) -> [u64; 4] {
    let nulls = array.logical_null_count() as u64;
    let float = |row: usize| -> Option<f64> {
        let array: &dyn Array = array.as_ref();
        if let Some(dictionary) = array.as_any().downcast_ref::<DictionaryArray<Int8Type>>() {
            let values = dictionary.values().as_any().downcast_ref::<Float64Array>()?;
            let key = dictionary.key(row)?;
            return values.is_valid(key).then(|| values.value(key));
        }
        if array.is_null(row) {
            return None;
        }
        let any = array.as_any();
        any.downcast_ref::<Float64Array>()
            .map(|a| a.value(row))
            .or_else(|| any.downcast_ref::<Float32Array>().map(|a| f64::from(a.value(row))))
            .or_else(|| any.downcast_ref::<Float16Array>().map(|a| f64::from(a.value(row).to_f32())))
    };
    let nans = (0..array.len()).filter(|row| float(*row).is_some_and(f64::is_nan)).count() as u64;
    [array.len() as u64 - nulls - nans, nulls - n_errors, nans, n_errors]
}

#[test]
fn every_row_is_somewhere() {
    let columns = numbers().into_iter().map(|column| (Kind::Numeric, column));
    for (kind, (name, array)) in columns.chain(names().into_iter().map(|column| (Kind::Categorical, column)))
    {
        let baseline =
            baseline_with(spec("x", kind, &array), &[array.slice(0, 3), array.slice(3, array.len() - 3)]);
        assert_eq!(baseline.failed(), [], "{name}");
        let own = baseline.features()[0].state(None).unwrap();
        assert_eq!((own.rows(), parts(own)), (10, expected(&array, 0)), "{name}: {array:?}");

        let errors = some_errors(&array);
        let n_errors = errors.count_set_bits() as u64;
        for each in [false, true] {
            let mut accumulator = baseline.accumulator();
            let slot = accumulator.slot(&SlotKey::default());
            let slots = vec![slot; array.len()];
            let slots = if each { Slots::Each(&slots) } else { Slots::All(slot) };
            let column = Column { array: array.as_ref(), errors: Some(&errors) };
            accumulator.update(0, column, &[slots]);
            let state = accumulator.state(0, &SlotKey::default()).unwrap();
            assert_eq!((state.rows(), parts(&state)), (10, expected(&array, n_errors)), "{name}");
            // The window is the baseline again: its cells are the same.
            let cells = |state: &FeatureState| match state {
                FeatureState::Numeric(state) => state.cells.to_vec(),
                FeatureState::Categorical(state) => state.cells.to_vec(),
                FeatureState::Embedding(state) => state.cells.to_vec(),
            };
            assert_eq!(cells(&state), cells(own), "{name}");
            assert_eq!(decode_state(&encode_state(&state)).unwrap(), state, "{name}");
        }
    }
}

/// Every numeric column against every baseline of its family: no row is lost on the way between types.
#[test]
fn no_row_is_lost_between_types() {
    let columns = numbers();
    let mut compared = 0;
    for (own, rows) in &columns {
        let baseline = baseline_with(spec("x", Kind::Numeric, rows), std::slice::from_ref(rows));
        for (name, window) in &columns {
            let mut accumulator = baseline.accumulator();
            let slot = accumulator.slot(&SlotKey::default());
            accumulator.update(0, Column { array: window.as_ref(), errors: None }, &[Slots::All(slot)]);
            let Ok(state) = accumulator.state(0, &SlotKey::default()) else { continue };
            let [values, ..] = expected(window, 0);
            assert_eq!(parts(&state)[0], values, "{own} against {name}");
            assert_eq!(parts(&state).iter().sum::<u64>(), 10, "{own} against {name}");
            let measured = crate::columns::compare(&baseline, &state);
            for (metric, score) in &measured.scores {
                let numbers =
                    [score.value, score.low, score.high, score.p_value, score.p_effect, score.corrected];
                assert!(
                    numbers.into_iter().flatten().all(f64::is_finite),
                    "{own} against {name}: {metric} {score:?}"
                );
            }
            compared += 1;
        }
    }
    assert!(compared > 400, "{compared}");
}
