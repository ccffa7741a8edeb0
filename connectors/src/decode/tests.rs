//! The decoder as a whole: places, poison, framing, and the formats that are text.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field, TimeUnit};
use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;
use crate::stream::{Record, Stamp};

/// A record of nothing but a payload.
pub(super) fn payload(bytes: &[u8]) -> Record<'_> {
    Record { offset: 0, stamp: None, key: None, payload: Some(bytes), headers: &[], mark: None }
}

pub(super) fn bad(outcome: Outcome) -> Bad {
    match outcome {
        Outcome::Bad(bad) => bad,
        other => panic!("expected a bad record, found {other:?}"),
    }
}

/// The last batch's columns and, for each, the rows that were type errors.
pub(super) fn flush(decoder: &mut RecordDecoder) -> (Vec<ArrayRef>, Vec<Vec<usize>>) {
    let rows = decoder.rows();
    let decoded = decoder.flush();
    assert_eq!(decoded.batch.num_rows(), rows);
    let errors = decoded.type_errors.iter().map(|mask| {
        let Some(mask) = mask else { return Vec::new() };
        assert_eq!(mask.len(), rows);
        mask.set_indices().collect()
    });
    (decoded.batch.columns().to_vec(), errors.collect())
}

pub(super) fn at(pointer: &str) -> Place {
    Place::Payload(Pointer::parse(pointer).unwrap())
}

/// Random cases, the same ones every time.
pub(super) fn cases(cases: u32) -> ProptestConfig {
    let rng_seed = proptest::test_runner::RngSeed::Fixed(23);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

pub(super) const JSON: Format = Format::Json { framing: Framing::Plain };

#[test]
fn every_place_is_read() {
    let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let fields = [
        FieldSpec::new("stamp", micros).at(Place::RecordTimestamp),
        FieldSpec::new("tenant", DataType::Int64).at(Place::Key(Some(Pointer::key("tenant")))),
        FieldSpec::new("delay", DataType::Float64).at(at("/payload/delay")),
        FieldSpec::new("key", DataType::Utf8).at(Place::Key(None)),
        FieldSpec::new("region", DataType::LargeUtf8).at(Place::Header("region".to_owned())),
        FieldSpec::new("time", millis).at(at("/payload/ts")).epoch(TimeUnit::Second),
        FieldSpec::new("retries", DataType::Int64).at(Place::Header("retries".to_owned())),
    ];
    let mut decoder = RecordDecoder::new(&JSON, &fields).unwrap();
    let names: Vec<_> = decoder.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["stamp", "tenant", "delay", "key", "region", "time", "retries"]);
    let headers = [("region", &b"us"[..]), ("retries", b"3"), ("region", b"eu")];
    let mut record = payload(br#"{"schema":{},"payload":{"delay":1.5,"ts":7}}"#);
    record.key = Some(br#"{"tenant":12}"#);
    record.stamp = Some(Stamp::Appended(1_700_000_000_000_001));
    record.headers = &headers;
    assert_eq!(decoder.decode(&record), Outcome::Rows(1));
    record.key = Some(b"\xff");
    record.headers = &[("region", b"\xff"), ("retries", b"x")];
    record.stamp = None;
    assert_eq!(decoder.decode(&record), Outcome::Rows(1));
    record.key = None;
    record.headers = &[];
    assert_eq!(decoder.decode(&record), Outcome::Rows(1));

    let (columns, errors) = flush(&mut decoder);
    let stamps: Vec<_> = columns[0].as_primitive::<TimestampMicrosecondType>().iter().collect();
    assert_eq!(stamps, [Some(1_700_000_000_000_001), None, None]);
    assert_eq!(columns[1].as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(12), None, None]);
    assert_eq!(columns[2].as_primitive::<Float64Type>().values(), &[1.5; 3]);
    let keys: Vec<_> = columns[3].as_string::<i32>().iter().collect();
    assert_eq!(keys, [Some(r#"{"tenant":12}"#), None, None]);
    let regions: Vec<_> = columns[4].as_string::<i32>().iter().collect();
    assert_eq!(regions, [Some("eu"), None, None], "the last header of a name counts");
    assert_eq!(
        columns[5].as_any().downcast_ref::<arrow_array::TimestampMillisecondArray>().unwrap().value(0),
        7000
    );
    assert_eq!(columns[6].as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(3), None, None]);
    assert_eq!(errors, [vec![], vec![1], vec![], vec![1], vec![1], vec![], vec![1]]);
}

#[test]
fn poison_leaves_no_trace() {
    let fields =
        [FieldSpec::new("x", DataType::Float64), FieldSpec::new("key", DataType::Utf8).at(Place::Key(None))];
    let mut decoder = RecordDecoder::new(&JSON, &fields).unwrap();
    let poison: [(&[u8], BadReason); 6] = [
        (br#"{"x":1"#, BadReason::Truncated),
        (br#"{"x":1}{"x":2}"#, BadReason::TrailingData),
        (b"[1]", BadReason::NotAnObject),
        (b"\xff", BadReason::NotUtf8),
        (b"", BadReason::Truncated),
        (b"{x:1}", BadReason::NotJson),
    ];
    for (row, (bytes, reason)) in poison.into_iter().enumerate() {
        let mut good = payload(br#"{"x":0.1}"#);
        good.key = Some(b"k");
        assert_eq!(decoder.decode(&good), Outcome::Rows(1));
        let mut record = payload(bytes);
        record.key = Some(b"poison");
        let found = bad(decoder.decode(&record));
        assert_eq!(found.reason, reason, "{bytes:?}");
        assert!(!found.detail.contains("0.1"));
        assert_eq!(decoder.rows(), row + 1);
    }
    let mut tombstone = payload(b"");
    tombstone.payload = None;
    assert_eq!(bad(decoder.decode(&tombstone)).reason.as_str(), "tombstone");
    let (columns, errors) = flush(&mut decoder);
    assert_eq!(columns[0].as_primitive::<Float64Type>().values(), &[0.1; 6]);
    assert!(columns[1].as_string::<i32>().iter().all(|key| key == Some("k")));
    assert_eq!(errors, [vec![0; 0], vec![]]);
    assert_eq!(flush(&mut decoder).0[0].len(), 0);
}

#[test]
fn bounds_end_a_batch() {
    let mut decoder = RecordDecoder::new(&JSON, &[FieldSpec::new("x", DataType::Int64)]).unwrap();
    let size = |rows, bytes| BatchSize { rows, bytes };
    assert!(!decoder.is_full(size(1, 1)));
    let mut record = payload(br#"{"x":1}"#);
    record.key = Some(b"123");
    decoder.decode(&record);
    assert!(decoder.is_full(size(1, 100)) && decoder.is_full(size(2, 10)) && !decoder.is_full(size(2, 11)));
    flush(&mut decoder);
    assert!(!decoder.is_full(size(1, 1)));
}

#[test]
fn registry_framing_of_json_is_passed_over() {
    let format = Format::Json { framing: Framing::Registry };
    let mut decoder = RecordDecoder::new(&format, &[FieldSpec::new("x", DataType::Int64)]).unwrap();
    assert_eq!(decoder.decode(&payload(b"\0\0\0\0\x07{\"x\":1}")), Outcome::Rows(1));
    for bytes in [&b"{\"x\":1}"[..], b"", b"\0\0\0\0"] {
        assert_eq!(bad(decoder.decode(&payload(bytes))).reason, BadReason::NotFramed, "{bytes:?}");
    }
}

#[test]
fn misconfiguration_says_what_to_do() {
    let fail = |format: &Format, field: FieldSpec| {
        let error = RecordDecoder::new(format, &[field]).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        error.to_string()
    };
    let x = || FieldSpec::new("x", DataType::Int64);
    assert_eq!(
        fail(&JSON, x().at(Place::RecordTimestamp)),
        "column `x`: a record's timestamp cannot be `Int64`: expected a timestamp"
    );
    let error = RecordDecoder::new(&JSON, &[x(), x().at(Place::Key(None))]).err().unwrap();
    assert_eq!(error.to_string(), "column `x` is asked for twice: give each a name");
    assert!(fail(&JSON, FieldSpec::new("x", DataType::Binary)).starts_with("column `x`: text cannot be"));
    let csv = Format::Csv(CsvFormat::new(["delay", "origin"]));
    assert_eq!(
        fail(&csv, FieldSpec::new("dely", DataType::Int64)),
        "column `dely`: no field `/dely` in the csv header: did you mean `delay`?"
    );
    assert_eq!(
        fail(&Format::Csv(CsvFormat::new(["a", "a"])), x()),
        "csv: the header names `a` twice: rename one"
    );
}

#[test]
fn csv_records_hold_lines() {
    let mut format = CsvFormat::new(["id", "name", "delay"]);
    format.delimiter = b';';
    let fields = [FieldSpec::new("delay", DataType::Float64), FieldSpec::new("name", DataType::Utf8)];
    let mut decoder = RecordDecoder::new(&Format::Csv(format), &fields).unwrap();
    let good: [(&[u8], usize); 6] = [
        (b"1;a;1.5", 1),
        (b"1;\"b;\"\"c\"\"\nd\";2\r\n", 1),
        (b"1;e;3\n2;;\n", 2),
        (b"\n1;5\" disk;x\n\n", 1),
        ("\u{feff}1;é;4".as_bytes(), 1),
        (b"1;\xff;5", 1),
    ];
    let poison: [(&[u8], BadReason); 6] = [
        (b"", BadReason::Ragged),
        (b"\r\n", BadReason::Ragged),
        (b"1;2", BadReason::Ragged),
        (b"1;2;3\n1;2;3;4", BadReason::Ragged),
        (b"1;2;\"3", BadReason::Truncated),
        (b"1;2;3\n1;2;\"", BadReason::Truncated),
    ];
    for ((bytes, rows), (poison, reason)) in good.into_iter().zip(poison) {
        assert_eq!(decoder.decode(&payload(bytes)), Outcome::Rows(rows), "{bytes:?}");
        assert_eq!(bad(decoder.decode(&payload(poison))).reason, reason, "{poison:?}");
    }
    let detail = bad(decoder.decode(&payload(b"1;2;3\n1;2"))).detail;
    assert_eq!(detail, "expected 3 fields, found 2 in line 2");
    let (columns, errors) = flush(&mut decoder);
    let delays: Vec<_> = columns[0].as_primitive::<Float64Type>().iter().collect();
    assert_eq!(delays, [Some(1.5), Some(2.0), Some(3.0), None, None, Some(4.0), Some(5.0)]);
    let names: Vec<_> = columns[1].as_string::<i32>().iter().collect();
    let expected = [Some("a"), Some("b;\"c\"\nd"), Some("e"), None, Some("5\" disk"), Some("é"), None];
    assert_eq!(names, expected);
    assert_eq!(errors, [vec![4], vec![6]]);
}

#[test]
fn csv_rows_may_outgrow_the_buffers() {
    let names: Vec<String> = (0..300).map(|i| format!("c{i}")).collect();
    let fields = [FieldSpec::new("c299", DataType::Utf8), FieldSpec::new("c0", DataType::Utf8)];
    let mut decoder = RecordDecoder::new(&Format::Csv(CsvFormat::new(names)), &fields).unwrap();
    let line = |last: &str| format!("first{}{last}", ",".repeat(299));
    let long = "x".repeat(5000);
    let record = format!("{}\n{}\n", line("a"), line(&long));
    assert_eq!(decoder.decode(&payload(record.as_bytes())), Outcome::Rows(2));
    let (columns, _) = flush(&mut decoder);
    let texts: Vec<_> = columns[0].as_string::<i32>().iter().flatten().collect();
    assert_eq!(texts, ["a", long.as_str()]);
}

#[test]
fn embeddings_come_as_numbers_or_base64() {
    let item = std::sync::Arc::new(Field::new_list_field(DataType::Float32, true));
    let field = FieldSpec::new("e", DataType::FixedSizeList(item, 2));
    let mut decoder = RecordDecoder::new(&JSON, std::slice::from_ref(&field)).unwrap();
    for text in [r#"{"e":[1.5,-2]}"#, r#"{"e":"AADAPwAAAMA="}"#, r#"{"e":"AADAPw"}"#, r#"{"e":null}"#] {
        assert_eq!(decoder.decode(&payload(text.as_bytes())), Outcome::Rows(1));
    }
    let (columns, errors) = flush(&mut decoder);
    assert_eq!(errors, [[2]]);
    for row in [0, 1] {
        let list = columns[0].as_fixed_size_list().value(row);
        assert_eq!(list.as_primitive::<Float32Type>().values(), &[1.5, -2.0]);
    }
    let csv = Format::Csv(CsvFormat::new(["e"]));
    let mut decoder = RecordDecoder::new(&csv, &[field]).unwrap();
    assert_eq!(decoder.decode(&payload(b"\"[1.5,-2]\"\nAADAPwAAAMA\n")), Outcome::Rows(2));
    let (columns, errors) = flush(&mut decoder);
    assert_eq!(errors, [[0; 0]]);
    assert_eq!(columns[0].as_fixed_size_list().value(1).as_primitive::<Float32Type>().values(), &[1.5, -2.0]);
}

proptest! {
    #![proptest_config(cases(2000))]

    /// Doubles of up to 17 digits, which some parsers return inexactly, are exact.
    #[test]
    fn doubles_are_exact(bits in any::<u64>()) {
        let expected = f64::from_bits(bits);
        prop_assume!(expected.is_finite());
        let mut decoder = RecordDecoder::new(&JSON, &[FieldSpec::new("x", DataType::Float64)]).unwrap();
        for text in [format!("{{\"x\":{expected:?}}}"), format!("{{\"x\":{expected:.16e}}}")] {
            prop_assert_eq!(decoder.decode(&payload(text.as_bytes())), Outcome::Rows(1));
        }
        let (columns, _) = flush(&mut decoder);
        for row in [0, 1] {
            prop_assert_eq!(columns[0].as_primitive::<Float64Type>().value(row).to_bits(), bits);
        }
    }

    /// What is cut, flipped or random never panics, and the record after it is as if it had been alone.
    #[test]
    fn mutations_of_text_leave_no_trace(
        cut in 0_usize..200, at in 0_usize..1600, junk in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let json = br#"{"x":0.1,"s":"a\u00e9\n","deep":{"y":[1,2,{"z":null}]},"b":true,"e":[1.5,2]}"#;
        let csv = b"0.1,\"a \"\"quoted\"\" text\",true\n0.1,\"s\",false\n";
        let item = std::sync::Arc::new(Field::new_list_field(DataType::Float32, true));
        let fields = |last: FieldSpec| {
            [FieldSpec::new("x", DataType::Float64), FieldSpec::new("s", DataType::Utf8), last]
        };
        let formats: [(Format, &[u8], _); 2] = [
            (JSON, json, fields(FieldSpec::new("e", DataType::List(item)))),
            (Format::Csv(CsvFormat::new(["x", "s", "b"])), csv, fields(FieldSpec::new("b", DataType::Boolean))),
        ];
        for (format, good, fields) in formats {
            let mut alone = RecordDecoder::new(&format, &fields).unwrap();
            alone.decode(&payload(good));
            let expected = alone.flush().batch;
            let mut flipped = good.to_vec();
            flipped[at / 8 % good.len()] ^= 1 << (at % 8);
            let mut decoder = RecordDecoder::new(&format, &fields).unwrap();
            for mutant in [&good[..cut % good.len()], &flipped, &junk] {
                decoder.decode(&payload(mutant));
                decoder.flush();
                decoder.decode(&payload(mutant));
                let before = decoder.rows();
                prop_assert_eq!(decoder.decode(&payload(good)), Outcome::Rows(expected.num_rows()));
                let rows = decoder.flush().batch.slice(before, expected.num_rows());
                prop_assert_eq!(&rows, &expected);
            }
        }
    }
}
