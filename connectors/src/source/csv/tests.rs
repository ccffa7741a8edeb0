//! CSV as people write it, well and badly.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;
use crate::source::ndjson::Sample;

fn read(text: &[u8], columns: &[Selection], options: &Options) -> Result<Vec<DecodedBatch>> {
    Reader::new(text, "t.csv", columns, options, BatchSize::default())?.collect()
}

/// The column `name` of a file as strings, and its bad records.
fn strings(text: &[u8], name: &str) -> (Vec<Option<String>>, BadRecords) {
    let mut values = Vec::new();
    let mut bad = BadRecords::default();
    for decoded in read(text, &[Selection::new(name, DataType::Utf8)], &Options::default()).unwrap() {
        values.extend(decoded.batch.column(0).as_string::<i32>().iter().map(|v| v.map(str::to_owned)));
        bad.merge(decoded.bad_records);
    }
    (values, bad)
}

fn some(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|v| (!v.is_empty()).then(|| (*v).to_owned())).collect()
}

#[test]
fn fields_that_do_not_fit_are_marked() {
    let text = b"i,f,b,s,gone\n1,1.5,true,x,9\n,,,,\nno,no,no,\"a \"\"b\"\", c\",9\n+7, -2e3 ,F,,9\n3.0,nan,0,\xe9,9\n";
    let columns = [
        Selection::new("f", DataType::Float64),
        Selection::new("i", DataType::Int64),
        Selection::new("b", DataType::Boolean),
        Selection::new("text", DataType::LargeUtf8).under("s"),
    ];
    let batches = read(text, &columns, &Options::default()).unwrap();
    let [decoded] = &batches[..] else { panic!("one batch") };
    let floats: Vec<_> = decoded.batch.column(0).as_primitive::<Float64Type>().iter().collect();
    assert_eq!(floats[..4], [Some(1.5), None, None, Some(-2000.0)]);
    assert!(floats[4].unwrap().is_nan());
    let ints: Vec<_> = decoded.batch.column(1).as_primitive::<Int64Type>().iter().collect();
    assert_eq!(ints, [Some(1), None, None, Some(7), Some(3)]);
    let bools: Vec<_> = decoded.batch.column(2).as_boolean().iter().collect();
    assert_eq!(bools, [Some(true), None, None, Some(false), Some(false)]);
    let texts: Vec<_> = decoded.batch.column(3).as_string::<i32>().iter().collect();
    assert_eq!(texts, [Some("x"), None, Some("a \"b\", c"), None, None]);
    assert_eq!(decoded.type_error_counts(), [1, 1, 1, 1]);
    assert_eq!(decoded.type_errors[0].as_ref().unwrap().set_indices().collect::<Vec<_>>(), [2]);
    assert_eq!(decoded.type_errors[3].as_ref().unwrap().set_indices().collect::<Vec<_>>(), [4]);
    assert!(decoded.bad_records.is_empty());
}

#[test]
fn ragged_rows_are_counted_with_their_lines() {
    let (values, bad) = strings(b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n3\r\n4,5,6\r\n\"x\r\ny\",7\r\n8", "a");
    assert_eq!(values, some(&["1", "x\r\ny"]));
    let examples: Vec<_> = bad.examples().map(|r| (r.line, r.detail.as_str())).collect();
    assert_eq!(
        examples,
        [
            (4, "expected 2 fields, found 1"),
            (5, "expected 2 fields, found 3"),
            (8, "expected 2 fields, found 1"),
        ]
    );
}

#[test]
fn an_open_quote_costs_one_row() {
    for end in ["", "\n"] {
        let text = format!("a,b\n1,2\n\"3,4\n5,6\n7,8{end}");
        let (values, bad) = strings(text.as_bytes(), "a");
        assert_eq!(values, some(&["1", "5", "7"]));
        assert_eq!(bad.examples().map(|r| r.line).collect::<Vec<_>>(), [3]);
    }
    // The stray quote pairs with the opening quote of a later line.
    let (values, bad) = strings(b"a,b\n3,\"4\n5,6\n\"7\",8\n9,10\n", "a");
    assert_eq!(values, some(&["5", "7", "9"]));
    assert_eq!(bad.total(), 1);
}

#[test]
fn records_of_any_size_meet_the_buffers() {
    let long = "x".repeat(700_000);
    let many = vec!["1"; 300].join(",");
    let names = (0..300).map(|i| format!("c{i}")).collect::<Vec<_>>().join(",");
    let (values, bad) = strings(format!("a,b\n1,{long}\n{long},2\n").as_bytes(), "a");
    assert_eq!((values, bad.total()), (some(&["1", &long]), 0));
    let (values, bad) = strings(format!("{names}\n{many}\n{many}").as_bytes(), "c299");
    assert_eq!((values, bad.total()), (some(&["1", "1"]), 0));
}

#[test]
fn a_record_beyond_the_bound_is_passed_over() {
    let text = (&b"a,b\n1,2\n3,\""[..]).chain(std::io::repeat(b'x').take(70 << 20)).chain(&b"\n5,6\n"[..]);
    let columns = [Selection::new("a", DataType::Int64)];
    let mut reader = Reader::new(text, "t", &columns, &Options::default(), BatchSize::default()).unwrap();
    let decoded = reader.next().unwrap().unwrap();
    assert_eq!(decoded.batch.column(0).as_primitive::<Int64Type>().values(), &[1, 5]);
    let [bad] = &decoded.bad_records.examples().collect::<Vec<_>>()[..] else { panic!("one") };
    assert_eq!((bad.line, bad.reason), (3, BadReason::TooLong));
}

#[test]
fn delimiters_are_found() {
    for (delimiter, text) in [
        (b',', "a,b\n1,2\n"),
        (b';', "a;b\n1,5;2,5\n"),
        (b'\t', "a\tb, c\n1\t2\n"),
        (b'|', "a|b\n1|2;3\n"),
        (b',', "a\n1\n2\n"),
        (b',', ""),
        (b';', "\"a,b\";c\n\"1,2\";3"),
    ] {
        assert_eq!(char::from(delimiter::find(text.as_bytes(), b'"')), char::from(delimiter), "{text:?}");
    }
    let told = Options { delimiter: Some(b','), ..Options::default() };
    let error = read(b"a;b\n1;2\n", &[Selection::new("a", DataType::Int64)], &told).unwrap_err();
    assert_eq!(error.to_string(), "`t.csv`: no column `a` in the header: there are `a;b`");
}

#[test]
fn headers_are_checked() {
    let error = |text: &[u8], name: &str| {
        read(text, &[Selection::new(name, DataType::Int64)], &Options::default()).unwrap_err()
    };
    let missing = error(b"id,delay,origin\n", "Delai");
    assert_eq!(missing.kind(), ErrorKind::Misconfigured);
    assert_eq!(missing.to_string(), "`t.csv`: no column `Delai` in the header: did you mean `delay`?");
    assert_eq!(error(b"a,b,a\n", "b").to_string(), "`t.csv`: the header names column `a` twice: rename one");
    assert_eq!(error(b"", "b").to_string(), "`t.csv`: expected a header, found an empty file");
    assert_eq!(error(b"PAR1....", "b").kind(), ErrorKind::Malformed);

    let bare = Options { header: false, ..Options::default() };
    let batches = read(b"1,2\n3,4\n", &[Selection::new("column_2", DataType::Int64)], &bare).unwrap();
    assert_eq!(batches[0].batch.column(0).as_primitive::<Int64Type>().values(), &[2, 4]);
}

#[test]
fn nulls_are_what_the_options_say() {
    let options = Options { null_values: vec!["NA".into(), "-".into()], ..Options::default() };
    let columns = [Selection::new("a", DataType::Int64), Selection::new("b", DataType::Utf8)];
    let batches = read(b"a,b\nNA,-\n,\n1,x\n", &columns, &options).unwrap();
    assert_eq!(batches[0].type_error_counts(), [1, 0]);
    assert_eq!(batches[0].batch.column(0).null_count(), 2);
    assert_eq!(
        batches[0].batch.column(1).as_string::<i32>().iter().collect::<Vec<_>>(),
        [None, Some(""), Some("x")]
    );
}

#[test]
fn inference_needs_nearly_all_fields() {
    let mut text = "int,float,bool,zip,code,day,when,none,mostly\n".to_owned();
    for i in 0..100 {
        let code = if i % 10 == 0 { "A1".to_owned() } else { i.to_string() };
        let mostly = if i == 7 { "n/a".to_owned() } else { i.to_string() };
        text += &format!("{i},{i}.5,True,0{i:04},{code},2001-01-10,2001-01-10 07:45:00,,{mostly}\n");
    }
    text += "ragged\n";
    let types = |temporal: bool| {
        let sample = Sample { temporal, ..Sample::default() };
        let inferred = infer(text.as_bytes(), "t", &Options::default(), sample).unwrap();
        assert_eq!((inferred.records, inferred.bad_records), (100, 1));
        inferred.columns.into_iter().map(|c| c.data_type).collect::<Vec<_>>()
    };
    use DataType as T;
    assert_eq!(
        types(false),
        [T::Int64, T::Float64, T::Boolean, T::Utf8, T::Utf8, T::Utf8, T::Utf8, T::Null, T::Int64]
    );
    assert_eq!(types(true)[5..7], [T::Date32, T::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))]);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_lose_no_line(
        rows in proptest::collection::vec("[a-c,;\"\r\t|é ]{0,12}", 0..20), noise in proptest::collection::vec(any::<u8>(), 0..60)
    ) {
        let mut text = b"a,b\n".to_vec();
        text.extend_from_slice(rows.join("\n").as_bytes());
        text.extend_from_slice(&noise);
        let _ = infer(&text[..], "t", &Options::default(), Sample::default());
        let comma = Options { delimiter: Some(b','), ..Options::default() };
        let columns = [Selection::new("a", DataType::Int64), Selection::new("b", DataType::Utf8)];
        for decoded in Reader::new(&text[..], "t", &columns, &comma, BatchSize { rows: 3, bytes: 1 << 20 }).unwrap() {
            prop_assert!(decoded.unwrap().batch.num_rows() <= 3);
        }
    }

    #[test]
    fn fields_round_trip(rows in proptest::collection::vec(("\\PC{0,8}[\r\n\",x]{0,3}", "[a-z]{1,3}"), 0..20)) {
        let quoted = |field: &str| format!("\"{}\"", field.replace('"', "\"\""));
        let mut text = "a,b\r\n".to_owned();
        for (a, b) in &rows {
            text += &format!("{},{}\r\n", quoted(a), b);
        }
        let comma = Options { delimiter: Some(b','), null_values: vec![], ..Options::default() };
        let columns = [Selection::new("a", DataType::Utf8), Selection::new("b", DataType::Utf8)];
        let mut found = Vec::new();
        for decoded in read(text.as_bytes(), &columns, &comma).unwrap() {
            prop_assert!(decoded.bad_records.is_empty());
            let (a, b) = (decoded.batch.column(0).as_string::<i32>(), decoded.batch.column(1).as_string::<i32>());
            found.extend((0..a.len()).map(|i| (a.value(i).to_owned(), b.value(i).to_owned())));
        }
        prop_assert_eq!(found, rows);
    }
}
