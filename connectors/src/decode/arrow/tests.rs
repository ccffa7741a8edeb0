//! Streams by hand and mutated.

use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, FixedSizeListArray, Float64Array,
    Int16Array, Int64Array, ListArray, NullArray, RecordBatch, StringArray, StringViewArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::{DataType, Field, TimeUnit};
use proptest::prelude::*;

use crate::decode::tests::{at, bad, cases, flush, payload};
use crate::decode::{BadReason, FieldSpec, Format, Outcome, RecordDecoder};

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}

fn stream(batches: &[RecordBatch], compression: Option<CompressionType>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut writer = StreamWriter::try_new_with_options(&mut bytes, &batches[0].schema(), options).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    drop(writer);
    bytes
}

fn compressions() -> [Option<CompressionType>; 3] {
    [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)]
}

/// Three rows with one column of nearly every kind.
fn everything() -> RecordBatch {
    let mut dictionary = StringDictionaryBuilder::<Int32Type>::new();
    dictionary.append_value("a");
    dictionary.append_null();
    dictionary.append_value("é");
    let inner: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(3.0)]));
    let fields = vec![Arc::new(Field::new("x", DataType::Float64, true))];
    let nulls = Some(vec![true, true, false].into());
    let lists = vec![Some(vec![Some(1.5), None]), None, Some(vec![])];
    let fixed = vec![Some(vec![Some(1.0), Some(2.0)]), None, Some(vec![None, Some(4.0)])];
    batch(vec![
        ("i", Arc::new(Int16Array::from(vec![Some(1), None, Some(300)]))),
        ("f", Arc::new(Float64Array::from(vec![2.0, 2.5, f64::NAN]))),
        ("d", Arc::new(Decimal128Array::from(vec![1999, 100, 5]).with_precision_and_scale(10, 2).unwrap())),
        ("b", Arc::new(BooleanArray::from(vec![true, false, true]))),
        ("s", Arc::new(StringArray::from(vec![Some("x"), None, Some("")]))),
        ("v", Arc::new(StringViewArray::from(vec!["a view of a longer text", "b", "c"]))),
        ("dict", Arc::new(dictionary.finish())),
        ("t", Arc::new(TimestampMicrosecondArray::from(vec![1_999, -1, 0]))),
        ("day", Arc::new(Date32Array::from(vec![0, 1, -1]))),
        ("l", Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(lists))),
        ("e", Arc::new(FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(fixed, 2))),
        ("st", Arc::new(StructArray::new(fields.into(), vec![inner], nulls))),
        ("n", Arc::new(NullArray::new(3))),
    ])
}

fn fields() -> Vec<FieldSpec> {
    let item = Arc::new(Field::new_list_field(DataType::Float64, true));
    let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
    vec![
        FieldSpec::new("i", DataType::Int8),
        FieldSpec::new("f", DataType::Int64),
        FieldSpec::new("d", DataType::Float64),
        FieldSpec::new("b", DataType::Boolean),
        FieldSpec::new("s", DataType::Utf8),
        FieldSpec::new("v", DataType::Utf8),
        FieldSpec::new("dict", DataType::Utf8),
        FieldSpec::new("t", millis.clone()),
        FieldSpec::new("day", millis),
        FieldSpec::new("l", DataType::List(Arc::clone(&item))),
        FieldSpec::new("e", DataType::FixedSizeList(item, 2)),
        FieldSpec::new("x", DataType::Float64).at(at("/st/x")),
        FieldSpec::new("n", DataType::Int64),
        FieldSpec::new("absent", DataType::Int64),
        FieldSpec::new("wrong", DataType::Int64).at(at("/s")),
        FieldSpec::new("no struct", DataType::Int64).at(at("/i/x")),
    ]
}

#[test]
fn columns_move_by_the_rule_of_types() {
    for compression in compressions() {
        let mut decoder = RecordDecoder::new(&Format::Arrow, &fields()).unwrap();
        let whole = everything();
        let bytes = stream(&[whole.slice(0, 1), whole.slice(1, 2)], compression);
        assert_eq!(decoder.decode(&payload(&bytes)), Outcome::Rows(3));
        // A payload stands at any address.
        let shifted = [&[0], &bytes[..]].concat();
        assert_eq!(decoder.decode(&payload(&shifted[1..])), Outcome::Rows(3));
        let (columns, errors) = flush(&mut decoder);
        let first = |column: usize| columns[column].slice(0, 3);
        let doubles = |column: usize| first(column).as_primitive::<Float64Type>().iter().collect::<Vec<_>>();
        let texts = |column: usize| {
            let texts = first(column);
            texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>()
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(first(1).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(2), None, None]);
        assert_eq!(doubles(2), [Some(19.99), Some(1.0), Some(0.05)]);
        assert_eq!(first(3).as_boolean().iter().collect::<Vec<_>>(), [Some(true), Some(false), Some(true)]);
        assert_eq!(texts(4), [some("x"), None, some("")]);
        assert_eq!(texts(5), [some("a view of a longer text"), some("b"), some("c")]);
        assert_eq!(texts(6), [some("a"), None, some("é")]);
        let times =
            |column: usize| first(column).as_primitive::<TimestampMillisecondType>().values().to_vec();
        assert_eq!(times(7), [1, -1, 0]);
        assert_eq!(times(8), [0, 86_400_000, -86_400_000]);
        let list = first(9).as_list::<i32>().value(0);
        assert_eq!(list.as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), [Some(1.5), None]);
        assert!(first(9).is_null(1) && first(9).as_list::<i32>().value_length(2) == 0);
        let fixed = first(10).as_fixed_size_list().value(2);
        assert_eq!(fixed.as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), [None, Some(4.0)]);
        assert_eq!(doubles(11), [Some(1.0), None, None], "a null struct has null fields");
        assert_eq!([12, 13].map(|column| columns[column].null_count()), [6, 6]);
        let none = Vec::new();
        let of = |rows: &[usize]| {
            rows.iter()
                .chain(&rows.iter().map(|row| row + 3).collect::<Vec<_>>())
                .copied()
                .collect::<Vec<_>>()
        };
        for (column, errors) in errors.iter().enumerate() {
            let expected = match column {
                0 => of(&[2]),
                1 => of(&[1, 2]),
                14 => of(&[0, 2]),
                15 => of(&[0, 1, 2]),
                _ => none.clone(),
            };
            assert_eq!(*errors, expected, "column {column}");
        }
    }
}

#[test]
fn many_streams_become_one_batch() {
    let mut decoder = RecordDecoder::new(&Format::Arrow, &[FieldSpec::new("x", DataType::Int64)]).unwrap();
    let ids = |values: Vec<i64>| {
        stream(&[batch(vec![("x", Arc::new(Int64Array::from(values)) as ArrayRef)])], None)
    };
    let other = stream(&[batch(vec![("y", Arc::new(Int64Array::from(vec![9])) as ArrayRef)])], None);
    let nothing = ids(vec![]);
    let mut open = ids(vec![4]);
    open.truncate(open.len() - 8); // without its end mark, which is allowed
    for (bytes, rows) in [(ids(vec![1, 2]), 2), (nothing, 0), (other, 1), (open, 1)] {
        assert_eq!(decoder.decode(&payload(&bytes)), Outcome::Rows(rows));
        for poison in [&bytes[..bytes.len() / 2], b"", b"ARROW1\0\0", br#"{"x":1}"#] {
            assert!(matches!(decoder.decode(&payload(poison)), Outcome::Bad(_)));
        }
        let twice = [ids(vec![7]), bytes].concat();
        assert_eq!(bad(decoder.decode(&payload(&twice))).reason, BadReason::TrailingData);
    }
    let (columns, errors) = flush(&mut decoder);
    let found: Vec<_> = columns[0].as_primitive::<Int64Type>().iter().collect();
    assert_eq!(found, [Some(1), Some(2), None, Some(4)]);
    assert_eq!(errors, [[0; 0]]);
}

#[test]
fn little_that_stands_for_much_is_refused() {
    let refused = |batches: &[RecordBatch], field: FieldSpec| {
        let mut decoder = RecordDecoder::new(&Format::Arrow, &[field]).unwrap();
        let bytes = stream(batches, Some(CompressionType::ZSTD));
        assert!(bytes.len() < 1 << 20, "{} bytes", bytes.len());
        bad(decoder.decode(&payload(&bytes))).reason
    };
    let nulls = batch(vec![("x", Arc::new(NullArray::new(2 << 20)) as ArrayRef)]);
    assert_eq!(refused(&[nulls], FieldSpec::new("x", DataType::Int64)), BadReason::TooLong);
    // One long text, meant a hundred thousand times.
    let long = "x".repeat(1 << 16);
    let mut dictionary = StringDictionaryBuilder::<Int32Type>::new();
    (0..100_000).for_each(|_| dictionary.append_value(&long));
    let texts = batch(vec![("x", Arc::new(dictionary.finish()) as ArrayRef)]);
    assert_eq!(refused(&[texts], FieldSpec::new("x", DataType::Utf8)), BadReason::TooLong);
    // Rows without an embedding of many dimensions.
    let item = Arc::new(Field::new_list_field(DataType::Float32, true));
    let nulls = batch(vec![("y", Arc::new(NullArray::new(1 << 20)) as ArrayRef)]);
    let embedding = FieldSpec::new("x", DataType::FixedSizeList(item, 4096));
    assert_eq!(refused(&[nulls], embedding), BadReason::TooLong);
}

proptest! {
    #![proptest_config(cases(3000))]

    /// What is cut, flipped or random never panics, and the record after it is as if it had been alone.
    #[test]
    fn mutations_leave_no_trace(
        at in any::<u32>(), more in any::<u32>(), word in any::<u64>(), which in 0_usize..3,
        junk in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let good = stream(&[everything(), everything()], compressions()[which]);
        let mut alone = RecordDecoder::new(&Format::Arrow, &fields()).unwrap();
        prop_assert_eq!(alone.decode(&payload(&good)), Outcome::Rows(6));
        let expected = alone.flush().batch;
        let place = |at: u32| at as usize % good.len();
        let mut flipped = good.clone();
        flipped[place(at)] ^= 1 << (more % 8);
        let mut twice = flipped.clone();
        twice[place(more)] = word as u8;
        // Lengths and offsets are words: a wild one at an aligned place reaches deeper than a bit.
        let mut wild = good.clone();
        let start = place(at) / 8 * 8;
        let end = (start + 8).min(good.len());
        wild[start..end].copy_from_slice(&word.to_le_bytes()[..end - start]);
        let mut decoder = RecordDecoder::new(&Format::Arrow, &fields()).unwrap();
        for mutant in [&good[..place(at)], &flipped, &twice, &wild, &junk] {
            decoder.decode(&payload(mutant));
            let before = decoder.rows();
            prop_assert_eq!(decoder.decode(&payload(&good)), Outcome::Rows(6));
            prop_assert_eq!(&decoder.flush().batch.slice(before, 6), &expected);
        }
    }
}
