//! The decoder against `serde_json`, and every way in which a record or a field can be wrong.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Decimal128Array};
use arrow_schema::{DataType, Field, TimeUnit};
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::error::ErrorKind;

/// Decodes one column `v` from records; the column and the rows that were type errors.
fn column(data_type: DataType, records: &[&str]) -> (ArrayRef, Vec<usize>) {
    selected(Selection::new("v", data_type), records)
}

fn selected(selection: Selection, records: &[&str]) -> (ArrayRef, Vec<usize>) {
    let mut decoder = Decoder::new(&[selection]).unwrap();
    for record in records {
        assert_eq!(decoder.decode(record.as_bytes()), Outcome::Row, "{record}");
    }
    let decoded = decoder.flush();
    let errors = decoded.type_errors[0].as_ref().map_or(vec![], |mask| mask.set_indices().collect());
    (Arc::clone(decoded.batch.column(0)), errors)
}

fn bad(record: impl AsRef<[u8]>) -> BadReason {
    let mut decoder = Decoder::new(&[Selection::new("v", DataType::Float64)]).unwrap();
    assert_eq!(decoder.decode(br#"{"v":1}"#), Outcome::Row);
    let Outcome::Bad(fault) = decoder.decode(record.as_ref()) else {
        panic!("{:?} was taken", String::from_utf8_lossy(record.as_ref()))
    };
    assert_eq!(decoder.decode(br#"{"v":2}"#), Outcome::Row);
    let batch = decoder.flush().batch;
    assert_eq!(batch.column(0).as_primitive::<Float64Type>().values(), &[1.0, 2.0], "neighbours");
    fault.reason
}

#[test]
fn wrong_types_are_null_and_marked() {
    let records = [
        r#"{"v":1}"#,
        r#"{"v":"1.5"}"#,
        r#"{"v":null}"#,
        r#"{}"#,
        r#"{"v":true}"#,
        r#"{"v":[1]}"#,
        r#"{"v":{"x":1}}"#,
        r#"{"v":2.5}"#,
    ];
    let (values, errors) = column(DataType::Float64, &records);
    let values: Vec<_> = values.as_primitive::<Float64Type>().iter().collect();
    assert_eq!(values, [Some(1.0), None, None, None, None, None, None, Some(2.5)]);
    assert_eq!(errors, [1, 4, 5, 6]);

    assert_eq!(column(DataType::Int64, &records).1, [1, 4, 5, 6, 7]);
    assert_eq!(column(DataType::Utf8, &records).1, [0, 4, 5, 6, 7]);
    assert_eq!(column(DataType::Boolean, &records).1, [0, 1, 5, 6, 7]);
    assert_eq!(column(DataType::Null, &records).1, [0, 1, 4, 5, 6, 7]);
}

#[test]
fn integers_keep_every_digit() {
    let (values, errors) = column(
        DataType::Int64,
        &[
            r#"{"v":9007199254740993}"#,
            r#"{"v":-9223372036854775808}"#,
            r#"{"v":3.0}"#,
            r#"{"v":1e3}"#,
            r#"{"v":9223372036854775808}"#,
            r#"{"v":NaN}"#,
        ],
    );
    let values: Vec<_> = values.as_primitive::<Int64Type>().iter().collect();
    assert_eq!(values, [Some(9_007_199_254_740_993), Some(i64::MIN), Some(3), Some(1000), None, None]);
    assert_eq!(errors, [4, 5]);
    assert_eq!(column(DataType::UInt8, &[r#"{"v":255}"#, r#"{"v":256}"#, r#"{"v":-1}"#]).1, [1, 2]);
}

#[test]
fn floats_are_rounded_once() {
    // Halfway between two floats plus a little: by way of f64 the little is lost and the tie goes to even.
    let text = "1.00000005960464477540";
    assert_ne!(text.parse::<f64>().unwrap() as f32, text.parse::<f32>().unwrap());
    let record = format!(r#"{{"v":{text}}}"#);
    let (values, _) = column(DataType::Float32, &[&record, r#"{"v":-Infinity}"#, r#"{"v":1e39}"#]);
    let expected = [text.parse().unwrap(), f32::NEG_INFINITY, f32::INFINITY];
    assert_eq!(values.as_primitive::<Float32Type>().values(), &expected);

    let (values, errors) = column(DataType::Float64, &[r#"{"v":NaN}"#, r#"{"v":Infinity}"#, r#"{"v":-0.0}"#]);
    let values = values.as_primitive::<Float64Type>();
    assert!(
        values.value(0).is_nan() && values.value(1) == f64::INFINITY && values.value(2).is_sign_negative()
    );
    assert_eq!(errors, [0; 0]);
}

#[test]
fn decimals_are_exact() {
    let (values, errors) = column(
        DataType::Decimal128(6, 2),
        &[r#"{"v":1234.5}"#, r#"{"v":0.10}"#, r#"{"v":0.105}"#, r#"{"v":10000}"#, r#"{"v":-1e3}"#],
    );
    let values = values.as_any().downcast_ref::<Decimal128Array>().unwrap();
    assert_eq!(values.iter().collect::<Vec<_>>(), [Some(123_450), Some(10), None, None, Some(-100_000)]);
    assert_eq!(errors, [2, 3]);
}

#[test]
fn times_are_read_when_told() {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let records = [r#"{"v":"1970-01-01T00:00:01.5+00:00"}"#, r#"{"v":1.5}"#, r#"{"v":"soon"}"#];
    let (values, errors) = column(micros.clone(), &records);
    assert_eq!(values.data_type(), &micros);
    let values: Vec<_> =
        values.as_primitive::<arrow_array::types::TimestampMicrosecondType>().iter().collect();
    assert_eq!(values, [Some(1_500_000), None, None]);
    assert_eq!(errors, [1, 2], "a number of unknown unit is no time");

    let (values, errors) = selected(Selection::new("v", micros).epoch(TimeUnit::Second), &records);
    let values: Vec<_> =
        values.as_primitive::<arrow_array::types::TimestampMicrosecondType>().iter().collect();
    assert_eq!(values, [Some(1_500_000), Some(1_500_000), None]);
    assert_eq!(errors, [2]);

    let (dates, errors) = column(DataType::Date32, &[r#"{"v":"1970-01-03"}"#, r#"{"v":3}"#]);
    assert_eq!(dates.as_primitive::<arrow_array::types::Date32Type>().value(0), 2);
    assert_eq!(errors, [1]);
}

#[test]
fn lists_are_values_as_a_whole() {
    let item = Arc::new(Field::new_list_field(DataType::Float32, false));
    let records = [
        r#"{"v":[1, -2.5e0,null]}"#,
        r#"{"v":[]}"#,
        r#"{"v":[1,"2",3]}"#,
        r#"{"v":[[1,2,3]]}"#,
        r#"{"v":[NaN,Infinity,1]}"#,
        r#"{"v":null}"#,
    ];
    let (values, errors) = column(DataType::List(Arc::clone(&item)), &records);
    let lists = values.as_list::<i32>();
    assert_eq!(errors, [2, 3]);
    assert_eq!(lists.value_length(0), 3);
    assert_eq!(
        lists.value(0).as_primitive::<Float32Type>().iter().collect::<Vec<_>>(),
        [Some(1.0), Some(-2.5), None]
    );
    assert!(lists.is_valid(1) && lists.value_length(1) == 0);
    assert!(lists.value(4).as_primitive::<Float32Type>().value(0).is_nan());

    let (values, errors) = column(DataType::FixedSizeList(item, 3), &records);
    assert_eq!(errors, [1, 2, 3], "a shorter list does not fit");
    assert_eq!(values.len(), 6);
}

#[test]
fn strings_are_unescaped() {
    let (values, errors) = column(
        DataType::LargeUtf8,
        &[
            r#"{"v":"a\"\\\/\b\f\n\r\tz"}"#,
            r#"{"v":"\u00e9\ud83d\ude00é😀"}"#,
            r#"{"v":"\ud83d"}"#,
            r#"{"\u0076":""}"#,
            r#"{"v":"\ud83d\u0041"}"#,
        ],
    );
    let values: Vec<_> = values.as_string::<i32>().iter().collect();
    assert_eq!(values, [Some("a\"\\/\u{8}\u{c}\n\r\tz"), Some("é😀é😀"), None, Some(""), None]);
    assert_eq!(errors, [2, 4], "half a surrogate pair is no character");
}

#[test]
fn bad_records_have_reasons() {
    for record in
        ["{", r#"{"v""#, r#"{"v":"#, r#"{"v":1"#, r#"{"v":1,"#, r#"{"v":tru"#, r#"{"v":"a"#, r#"{"v":[1,"#]
    {
        assert_eq!(bad(record), BadReason::Truncated, "{record}");
    }
    for record in [
        "",
        "x",
        r#"{"v":1,}"#,
        r#"{v:1}"#,
        r#"{'v':1}"#,
        r#"{"v":01}"#,
        r#"{"v":+1}"#,
        r#"{"v":.5}"#,
        r#"{"v":1.}"#,
        r#"{"v":1e}"#,
        r#"{"v":1 "w":2}"#,
        r#"{"v":trap}"#,
        r#"{"v":"\x"}"#,
        r#"{"v":"\u12g4"}"#,
        "{\"v\":\"a\tb\"}",
        r#"{"w":[1,]}"#,
        r#"{"w":[1}"#,
        r#"{"w":{"x":[}]}"#,
        r#"{"w":{"x":1]}"#,
        r#"{,}"#,
    ] {
        let expected = if record.is_empty() { BadReason::Truncated } else { BadReason::NotJson };
        assert_eq!(bad(record), expected, "{record}");
    }
    for record in ["[1]", "1", "-1", "\"v\"", "null", "true", "NaN"] {
        assert_eq!(bad(record), BadReason::NotAnObject, "{record}");
    }
    for record in [r#"{"v":1}{"v":2}"#, r#"{"v":1} {"v":2}"#, r#"{"v":1},"#, r#"{} x"#] {
        assert_eq!(bad(record), BadReason::TrailingData, "{record}");
    }
    assert_eq!(bad(b"{\"v\":\"\xff\"}"), BadReason::NotUtf8);
    let nested = |depth: usize| format!(r#"{{"w":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert_eq!(bad(nested(128)), BadReason::TooDeep);
    assert_eq!(bad(nested(1_000_000)), BadReason::TooDeep);
    let mut decoder = Decoder::new(&[Selection::new("v", DataType::Float64)]).unwrap();
    assert_eq!(decoder.decode(nested(127).as_bytes()), Outcome::Row);
}

#[test]
fn the_last_of_two_keys_counts() {
    let (values, errors) = column(
        DataType::Int64,
        &[r#"{"v":1,"v":2}"#, r#"{"v":"x","v":3}"#, r#"{"v":1,"v":null}"#, r#"{"v":1,"v":"x"}"#],
    );
    assert_eq!(values.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(2), Some(3), None, None]);
    assert_eq!(errors, [3]);

    let nested = Selection::new("v", DataType::Int64).at(Pointer::parse("/a/v").unwrap());
    let records = [r#"{"a":{"v":1},"a":{"w":2}}"#, r#"{"a":{"w":1},"a":{"v":2}}"#, r#"{"a":7,"a":{"v":3}}"#];
    let (values, errors) = selected(nested, &records);
    assert_eq!(values.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [None, Some(2), Some(3)]);
    assert_eq!(errors, [0; 0]);
}

#[test]
fn pointers_reach_into_objects_and_arrays() {
    let at = |pointer: &str| Selection::new(pointer, DataType::Int64).at(Pointer::parse(pointer).unwrap());
    let mut decoder = Decoder::new(&[
        at("/a/b/c"),
        at("/a~1b/~0"),
        at("/list/1"),
        at("/list/1/x"),
        at("/a/b"),
        Selection::new("again", DataType::Int64).at(Pointer::parse("/a/b/c").unwrap()),
    ])
    .unwrap();
    let mut row = |record: &str| {
        assert_eq!(decoder.decode(record.as_bytes()), Outcome::Row, "{record}");
        let decoded = decoder.flush();
        let cell = |(i, column): (usize, &ArrayRef)| {
            let error = decoded.type_errors[i].is_some();
            assert!(!(error && column.is_valid(0)));
            (column.is_valid(0).then(|| column.as_primitive::<Int64Type>().value(0)), error)
        };
        decoded.batch.columns().iter().enumerate().map(cell).collect::<Vec<_>>()
    };
    assert_eq!(
        row(r#"{"a":{"x":[{}],"b":{"c":1}},"a/b":{"~":2},"list":[9,3,8]}"#),
        [(Some(1), false), (Some(2), false), (Some(3), false), (None, true), (None, true), (Some(1), false),]
    );
    assert_eq!(
        row(r#"{"list":[null,{"x":4}],"a":{"b":5}}"#),
        [(None, true), (None, false), (None, true), (Some(4), false), (Some(5), false), (None, true),]
    );
    assert_eq!(row(r#"{"list":[],"a":null}"#), [(None, false); 6]);

    assert!(Pointer::parse("a").is_err() && Pointer::parse("").is_err() && Pointer::parse("/~2").is_err());
}

#[test]
fn what_cannot_be_decoded_is_refused() {
    let error = |selections: &[Selection]| Decoder::new(selections).err().unwrap();
    let twice = error(&[Selection::new("v", DataType::Int64), Selection::new("v", DataType::Utf8)]);
    assert_eq!(twice.kind(), ErrorKind::Misconfigured);
    assert_eq!(twice.to_string(), "column `v` is asked for twice: give each a name");
    let binary = error(&[Selection::new("v", DataType::Binary)]);
    assert!(binary.to_string().starts_with("column `v`: text cannot be decoded to `Binary`"), "{binary}");
}

#[test]
fn batches_are_bounded_and_bad_records_have_lines() {
    let text = "\u{feff}{\"v\":1}\r\n\r\n{\"v\":2\n{\"v\":3}\n[]\n{\"v\":4}\n{\"v\":5}{\n";
    let columns = [Selection::new("v", DataType::Int64)];
    let size = BatchSize { rows: 2, ..BatchSize::default() };
    let batches: Vec<_> =
        Reader::new(text.as_bytes(), "t", &columns, size).unwrap().map(std::result::Result::unwrap).collect();
    let values = |b: &DecodedBatch| b.batch.column(0).as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(batches.iter().map(values).collect::<Vec<_>>(), [vec![1, 3], vec![4]]);
    let mut all = BadRecords::default();
    batches.into_iter().for_each(|b| all.merge(b.bad_records));
    let lines: Vec<_> = all.examples().map(|r| (r.line, r.reason, r.detail.as_str())).collect();
    assert_eq!(
        lines,
        [
            (3, BadReason::Truncated, "expected `,` or `}` at byte 6"),
            (5, BadReason::NotAnObject, "expected an object at byte 0"),
            (7, BadReason::TrailingData, "expected the end of the record at byte 7"),
        ]
    );

    let size = BatchSize { bytes: 8, ..BatchSize::default() };
    let rows: Vec<_> = Reader::new(&b"{\"v\":1}\n{\"v\":2}\n{\"v\":3}"[..], "t", &columns, size)
        .unwrap()
        .map(|b| b.unwrap().batch.num_rows())
        .collect();
    assert_eq!(rows, [2, 1]);
}

#[test]
fn a_batch_has_each_bad_record_and_batches_together_the_first_ten_of_a_reason() {
    let text = "{\n".repeat(2_000) + &"[]\n".repeat(3);
    let batches = Reader::new(text.as_bytes(), "t", &[], BatchSize::default()).unwrap();
    let mut all = BadRecords::default();
    let mut lines = Vec::new();
    for decoded in batches.map(Result::unwrap) {
        assert_eq!(decoded.batch.num_rows(), 0);
        assert!(decoded.bad_records.total() <= BadRecords::BATCH, "{}", decoded.bad_records.total());
        lines.extend(decoded.bad_records.examples().map(|bad| bad.line));
        all.merge(decoded.bad_records);
    }
    lines.sort_unstable();
    assert_eq!(lines, (1..=2_003).collect::<Vec<u64>>());
    assert_eq!(all.total(), 2_003);
    assert_eq!(all.examples().count(), 13);
    assert_eq!(all.examples().map(|bad| bad.line).max(), Some(2_003));
}

#[test]
fn inference_takes_the_majority() {
    let text = r#"{"i":1,"f":1,"b":true,"s":"x","t":"2001-01-10T07:45:00Z","e":[1,2.5],"n":null,"o":{"x":1},"u":18446744073709551615}
{"i":2,"f":2.5,"b":false,"s":"y","t":"2001-01-10T07:45:00Z","e":[],"n":null,"o":[{}],"u":18446744073709551614}
{"i":"bad","f":NaN,"b":1,"s":null,"t":"2001-01-10T07:45:00Z","e":null,"late":3}
{"i":3,"#;
    let types = |temporal: bool| {
        let inferred = infer(text.as_bytes(), "t", Sample { temporal, ..Sample::default() }).unwrap();
        assert_eq!((inferred.records, inferred.bad_records), (3, 1));
        assert_eq!(inferred.skipped.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["o"]);
        inferred.columns.into_iter().map(|c| (c.name, c.data_type)).collect::<Vec<_>>()
    };
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)));
    let expected = [
        ("i", DataType::Int64),
        ("f", DataType::Float64),
        ("b", DataType::Boolean),
        ("s", DataType::Utf8),
        ("t", DataType::Utf8),
        ("e", list),
        ("n", DataType::Null),
        ("u", DataType::UInt64),
        ("late", DataType::Int64),
    ]
    .map(|(name, data_type)| (name.to_owned(), data_type));
    assert_eq!(types(false), expected);
    assert_eq!(types(true)[4].1, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
}

/// Any JSON value of modest depth.
fn json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter_map("JSON has no NaN", |v| serde_json::Number::from_f64(v).map(Value::Number)),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number,
        "\\PC{0,12}".prop_map(Value::String),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::vec(("[abv\\\\\"é]{0,2}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    proptest::collection::vec(("[abv\\\\\"é]{0,2}", json()), 0..8).prop_map(|m| m.into_iter().collect())
}

fn selections() -> Vec<Selection> {
    let at = |name: &str, pointer: &str, data_type| {
        Selection::new(name, data_type).at(Pointer::parse(pointer).unwrap())
    };
    vec![
        at("i", "/v", DataType::Int64),
        at("f", "/v", DataType::Float64),
        at("s", "/v", DataType::Utf8),
        at("b", "/a", DataType::Boolean),
        at("deep", "/a/b", DataType::Float64),
        at("item", "/b/0", DataType::Utf8),
    ]
}

/// What `serde_json` says each cell of `record` should hold: the value as JSON, null where it does not fit.
fn oracle(record: &Value, pointer: &str, data_type: &DataType) -> Value {
    let Some(value) = record.pointer(pointer) else { return Value::Null };
    match (data_type, value) {
        (DataType::Int64, Value::Number(n)) => {
            let integral = n.as_f64().filter(|f| n.is_f64() && f.fract() == 0.0 && f.abs() < 9.0e18);
            n.as_i64().or(integral.map(|f| f as i64)).map_or(Value::Null, Value::from)
        }
        (DataType::Float64, Value::Number(n)) => n.as_f64().map_or(Value::Null, Value::from),
        (DataType::Utf8, Value::String(s)) => Value::from(s.as_str()),
        (DataType::Boolean, Value::Bool(b)) => Value::from(*b),
        _ => Value::Null,
    }
}

fn cell(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).into(),
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        _ => column.as_boolean().value(row).into(),
    }
}

proptest! {
    #[test]
    fn valid_records_agree_with_serde_json(
        records in proptest::collection::vec((object(), any::<bool>()), 1..12)
    ) {
        let mut decoder = Decoder::new(&selections()).unwrap();
        for (record, pretty) in &records {
            let text = if *pretty { serde_json::to_string_pretty(record) } else { serde_json::to_string(record) };
            prop_assert_eq!(decoder.decode(text.unwrap().as_bytes()), Outcome::Row);
        }
        let decoded = decoder.flush();
        prop_assert_eq!(decoded.batch.num_rows(), records.len());
        let pointers = ["/v", "/v", "/v", "/a", "/a/b", "/b/0"];
        for (i, column) in decoded.batch.columns().iter().enumerate() {
            for (row, (record, _)) in records.iter().enumerate() {
                let record = Value::Object(record.clone());
                let expected = oracle(&record, pointers[i], column.data_type());
                prop_assert_eq!(cell(column, row), expected.clone(), "{} {}", pointers[i], record);
                let given = record.pointer(pointers[i]).is_some_and(|v| !v.is_null());
                let marked = decoded.type_errors[i].as_ref().is_some_and(|mask| mask.value(row));
                prop_assert!(!given || marked == expected.is_null(), "a value is either there or an error");
            }
        }
    }

    #[test]
    fn records_are_good_exactly_when_serde_json_says_so(text in "[\\[\\]{}\",:0-9eE.+\\-\\\\untrfals \t]{0,40}") {
        let text = format!("{{\"v\":{text}}}");
        let mut decoder = Decoder::new(&selections()).unwrap();
        let ours = decoder.decode(text.as_bytes()) == Outcome::Row;
        // `serde_json` also refuses numbers beyond f64 and half surrogate pairs, which are grammatical.
        let theirs = serde_json::from_str::<Map<String, Value>>(&text);
        match theirs {
            Ok(_) => prop_assert!(ours, "{}", text),
            Err(error) if error.to_string().starts_with("number out of range") => {}
            Err(error) if error.to_string().contains("surrogate") => {}
            Err(error) => prop_assert!(!ours, "{} {}", text, error),
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_never_touch_neighbours(
        noise in proptest::collection::vec(any::<u8>(), 0..80),
        cut in 0_usize..64,
    ) {
        let mut decoder = Decoder::new(&selections()).unwrap();
        let good = br#"{"v":12,"a":{"b":1.5,"c":[1,{"x":"\u00e9"}]},"b":["s",null]}"#;
        let before = decoder.decode(good);
        let mut rows = 2;
        for record in [&noise[..], &good[..cut.min(good.len())]] {
            rows += usize::from(decoder.decode(record) == Outcome::Row);
        }
        prop_assert_eq!(before, Outcome::Row);
        prop_assert_eq!(decoder.decode(good), Outcome::Row);
        let batch = decoder.flush().batch;
        prop_assert_eq!(batch.num_rows(), rows);
        for column in batch.columns() {
            prop_assert_eq!(cell(column, 0), cell(column, rows - 1));
        }
    }

    #[test]
    fn a_flipped_byte_never_panics(at in 0_usize..64, byte in any::<u8>()) {
        let mut record = br#"{"v":12,"a":{"b":1.5,"c":[1,{"x":"\u00e9"}]},"b":["s",null]}"#.to_vec();
        let at = at % record.len();
        record[at] = byte;
        let mut decoder = Decoder::new(&selections()).unwrap();
        let _ = decoder.decode(&record);
        decoder.flush();
    }
}
