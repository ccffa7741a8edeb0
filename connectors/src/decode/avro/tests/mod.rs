//! Avro data by hand, at random against a model and against `arrow-avro`, and mutated.

mod model;
mod random;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_schema::{DataType, Field, TimeUnit};

use crate::decode::tests::{at, bad, flush, payload};
use crate::decode::{Answer, AvroSchema, BadReason, FieldSpec, Format, Outcome, RecordDecoder, SchemaText};

fn plain(schema: &str, fields: &[FieldSpec]) -> RecordDecoder {
    RecordDecoder::new(&Format::Avro(AvroSchema::Plain(schema.to_owned())), fields).unwrap()
}

fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#)
}

fn text(kind: &str, schema: &str, references: &[&str]) -> Answer {
    let references = references.iter().map(|&text| text.to_owned()).collect();
    Answer::Schema(SchemaText { kind: kind.to_owned(), schema: schema.to_owned(), references })
}

fn ints(column: &ArrayRef) -> Vec<Option<i64>> {
    column.as_primitive::<Int64Type>().iter().collect()
}

/// Pieces of the binary encoding.
pub(super) fn zigzag(value: i64) -> Vec<u8> {
    let mut rest = (value << 1) as u64 ^ (value >> 63) as u64;
    let mut out = Vec::new();
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out
}

#[test]
fn schemas_are_found_by_id() {
    let format = Format::Avro(AvroSchema::Registry);
    let mut decoder = RecordDecoder::new(&format, &[FieldSpec::new("x", DataType::Int64)]).unwrap();
    let framed = |id: u8, datum: &[u8]| [&[0, 0, 0, 0, id], datum].concat();
    assert_eq!(decoder.decode(&payload(&framed(7, &[2]))), Outcome::Unresolved(7));
    decoder.resolve(7, &text("AVRO", &record(r#"{"name":"x","type":"int"}"#), &[]));
    decoder.resolve(
        8,
        &text("AVRO", &record(r#"{"name":"y","type":"int"},{"name":"x","type":["null","double"]}"#), &[]),
    );
    decoder.resolve(9, &Answer::Missing);
    decoder.resolve(10, &text("PROTOBUF", "syntax = \"proto3\";", &[]));
    decoder.resolve(11, &text("AVRO", r#"{"type":"record"}"#, &[]));
    let inner = r#"{"type":"record","name":"In","namespace":"a.b","fields":[{"name":"x","type":"long"}]}"#;
    decoder.resolve(12, &text("AVRO", r#""a.b.In""#, &[inner]));

    assert_eq!(decoder.decode(&payload(&framed(7, &[2]))), Outcome::Rows(1));
    let double = [&[8, 2], &3.0_f64.to_le_bytes()[..]].concat();
    assert_eq!(decoder.decode(&payload(&framed(8, &double))), Outcome::Rows(1));
    let missing = bad(decoder.decode(&payload(&framed(9, &[2]))));
    assert_eq!(missing.reason.as_str(), "unknown_schema");
    assert_eq!(missing.detail, "expected a schema of the registry, found id 9, which it has not");
    let other = bad(decoder.decode(&payload(&framed(10, &[2]))));
    assert_eq!(other.reason.as_str(), "unusable_schema");
    assert_eq!(other.detail, "schema 10: expected a schema of kind `AVRO`, found `PROTOBUF`");
    let broken = bad(decoder.decode(&payload(&framed(11, &[2]))));
    assert_eq!(broken.detail, "schema 11: expected the `name` of a named type");
    assert_eq!(decoder.decode(&payload(&framed(12, &[5]))), Outcome::Rows(1));
    assert_eq!(bad(decoder.decode(&payload(b"{}"))).reason.as_str(), "not_framed");

    decoder.forget_missing();
    assert_eq!(decoder.decode(&payload(&framed(9, &[2]))), Outcome::Unresolved(9));
    assert_eq!(decoder.decode(&payload(&framed(7, &[4]))), Outcome::Rows(1));
    let (columns, errors) = flush(&mut decoder);
    assert_eq!(ints(&columns[0]), [Some(1), Some(3), Some(-3), Some(2)]);
    assert_eq!(errors, [[0; 0]]);
}

#[test]
fn ids_without_end_do_not_fill_memory() {
    let format = Format::Avro(AvroSchema::Registry);
    let mut decoder = RecordDecoder::new(&format, &[FieldSpec::new("x", DataType::Int64)]).unwrap();
    for id in 0..10_000_u32 {
        let framed = [&[0], &id.to_be_bytes()[..]].concat();
        assert_eq!(decoder.decode(&payload(&framed)), Outcome::Unresolved(id));
        decoder.resolve(id, &Answer::Missing);
        assert_eq!(bad(decoder.decode(&payload(&framed))).reason, BadReason::UnknownSchema);
    }
}

#[test]
fn single_objects_are_found_by_fingerprint() {
    use arrow_avro::schema::{AvroSchema as Oracle, Fingerprint, FingerprintAlgorithm};

    let schemas = [
        record(
            r#"{"name":"x","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"d","default":1}"#,
        ),
        r#"{ "fields" : [ {"name":"x","type":["null",{"type":"enum","symbols":["A","B"],"name":"E"}]},
            {"name":"f","type":{"type":"fixed","name":"F","size":3,"namespace":"other"}},
            {"name":"m","type":{"values":{"type":"array","items":"E"},"type":"map"}},
            {"name":"again","type":"other.F"}],
           "name":"R2", "aliases":["x"], "type":"record", "namespace":"n.s"}"#
            .to_owned(),
    ];
    let format = Format::Avro(AvroSchema::SingleObject(schemas.to_vec()));
    let mut decoder = RecordDecoder::new(&format, &[FieldSpec::new("x", DataType::Utf8)]).unwrap();
    let data = [vec![2], [&[2, 2][..], b"abc", &[0], b"def"].concat()];
    for (schema, datum) in schemas.iter().zip(&data) {
        let Fingerprint::Rabin(fingerprint) =
            Oracle::new(schema.clone()).fingerprint(FingerprintAlgorithm::Rabin).unwrap()
        else {
            panic!("another kind of fingerprint");
        };
        let framed = [&[0xc3, 1], &fingerprint.to_le_bytes()[..], datum].concat();
        assert_eq!(decoder.decode(&payload(&framed)), Outcome::Rows(1), "{schema}");
        let mut other = framed.clone();
        other[4] ^= 1;
        assert_eq!(bad(decoder.decode(&payload(&other))).reason, BadReason::UnknownSchema);
        assert_eq!(bad(decoder.decode(&payload(&framed[1..]))).reason, BadReason::NotFramed);
        assert_eq!(bad(decoder.decode(&payload(&framed[..9]))).reason, BadReason::NotFramed);
    }
    let (columns, errors) = flush(&mut decoder);
    assert_eq!(columns[0].as_string::<i32>().iter().collect::<Vec<_>>(), [None, Some("B")]);
    assert_eq!(errors, [[0]]);
}

#[test]
fn logical_types_have_their_meaning() {
    let schema = record(
        r#"{"name":"day","type":{"type":"int","logicalType":"date"}},
           {"name":"clock","type":{"type":"int","logicalType":"time-millis"}},
           {"name":"clock2","type":{"type":"long","logicalType":"time-micros"}},
           {"name":"ms","type":{"type":"long","logicalType":"timestamp-millis"}},
           {"name":"us","type":{"type":"long","logicalType":"local-timestamp-micros"}},
           {"name":"ns","type":{"type":"long","logicalType":"timestamp-nanos"}},
           {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
           {"name":"total","type":{"type":"fixed","name":"T","size":20,"logicalType":"decimal","precision":40,"scale":2}},
           {"name":"id","type":{"type":"string","logicalType":"uuid"}},
           {"name":"id2","type":{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}},
           {"name":"span","type":{"type":"fixed","name":"D","size":12,"logicalType":"duration"}},
           {"name":"odd","type":{"type":"string","logicalType":"date"}},
           {"name":"wide","type":{"type":"bytes","logicalType":"decimal","precision":2,"scale":5}}"#,
    );
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let decimal = DataType::Decimal128(12, 3);
    let fields = [
        ("day", micros.clone()),
        ("clock", DataType::Int64),
        ("clock2", DataType::Utf8),
        ("ms", micros.clone()),
        ("us", micros.clone()),
        ("ns", micros.clone()),
        ("price", decimal.clone()),
        ("total", decimal),
        ("id", DataType::Utf8),
        ("id2", DataType::Utf8),
        ("span", DataType::Utf8),
        ("odd", DataType::Utf8),
        ("wide", DataType::Utf8),
    ]
    .map(|(name, data_type)| FieldSpec::new(name, data_type));
    let mut decoder = plain(&schema, &fields);
    let datum = |total: [u8; 20], price: &[u8]| {
        let mut bytes = Vec::new();
        [1, 5, 6, -1, 1_700_000_000_000_001, 1999].into_iter().for_each(|n| bytes.extend(zigzag(n)));
        bytes.extend(zigzag(price.len() as i64));
        bytes.extend_from_slice(price);
        bytes.extend_from_slice(&total);
        bytes.extend(zigzag(2));
        bytes.extend_from_slice(b"id");
        bytes.extend(0..16);
        bytes.extend_from_slice(&[0; 12]);
        bytes.extend(zigzag(1));
        bytes.extend_from_slice(b"x");
        bytes.extend(zigzag(0));
        bytes
    };
    let (mut small, mut large) = ([0xff; 20], [0; 20]);
    small[19] = 0x85;
    large[1] = 1;
    // An unsigned reading of -1 in 17 bytes would be huge; zero may have no bytes at all.
    for (total, price) in [(small, &[0x07, 0xcf][..]), (large, &[0xff; 17]), ([0; 20], &[])] {
        assert_eq!(decoder.decode(&payload(&datum(total, price))), Outcome::Rows(1));
    }
    let (columns, errors) = flush(&mut decoder);
    let time = |column: usize| columns[column].as_primitive::<TimestampMicrosecondType>().value(0);
    assert_eq!([time(0), time(3), time(4), time(5)], [86_400_000_000, -1000, 1_700_000_000_000_001, 1]);
    let decimals =
        |column: usize| columns[column].as_primitive::<Decimal128Type>().iter().collect::<Vec<_>>();
    assert_eq!(decimals(6), [Some(19_990), Some(-10), Some(0)]);
    assert_eq!(decimals(7), [Some(-1230), None, Some(0)]);
    assert_eq!(columns[8].as_string::<i32>().value(0), "id");
    assert_eq!(columns[9].as_string::<i32>().value(0), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    assert_eq!(columns[11].as_string::<i32>().value(0), "x", "a logical type of another base is ignored");
    let all = vec![0, 1, 2];
    for (column, expected) in [(1, &all), (2, &all), (7, &vec![1]), (10, &all), (12, &all), (11, &vec![])] {
        assert_eq!(&errors[column], expected, "column {column}");
    }
}

#[test]
fn unions_maps_and_lists_are_passed_through() {
    let schema = r#"{"type":"record","name":"Node","namespace":"n","fields":[
        {"name":"value","type":["null","long","string",{"type":"record","name":"Box","fields":[{"name":"inside","type":"double"}]}]},
        {"name":"next","type":["null","Node"]},
        {"name":"attrs","type":{"type":"map","values":["null","string","n.Box"]}},
        {"name":"items","type":{"type":"array","items":"Box"}},
        {"name":"emb","type":["null",{"type":"array","items":["null","float"]}]}]}"#;
    let list = DataType::List(std::sync::Arc::new(Field::new_list_field(DataType::Float64, true)));
    let fields = [
        FieldSpec::new("value", DataType::Int64),
        FieldSpec::new("inside", DataType::Float64).at(at("/value/inside")),
        FieldSpec::new("next", DataType::Int64).at(at("/next/next/value")),
        FieldSpec::new("attr", DataType::Utf8).at(at("/attrs/a~1b")),
        FieldSpec::new("boxed", DataType::Float64).at(at("/attrs/box/inside")),
        FieldSpec::new("second", DataType::Float64).at(at("/items/1/inside")),
        FieldSpec::new("emb", list),
        FieldSpec::new("first", DataType::Float64).at(at("/emb/0")),
    ];
    let mut decoder = plain(schema, &fields);
    let string = |text: &str| [zigzag(text.len() as i64), text.as_bytes().to_vec()].concat();
    let double = |value: f64| value.to_le_bytes().to_vec();
    let (zero, one) = (zigzag(0), zigzag(1));
    let rest = [&zero[..], &zero, &zero].concat();
    let leaf = |value: Vec<u8>| [value, zero.clone(), rest.clone()].concat();
    let full = [
        zigzag(1),
        zigzag(5),
        one.clone(),
        // next: a box, whose next is a long
        [zigzag(3), double(9.0), one.clone(), leaf([one.clone(), zigzag(42)].concat()), rest.clone()]
            .concat(),
        // attrs: one block with its size, one without; of the key that stands twice the last counts
        [zigzag(-2), zigzag(1000), string("a/b"), one.clone(), string("old"), string("x"), zero.clone()]
            .concat(),
        [zigzag(2), string("box"), zigzag(2), double(2.5), string("a/b"), one.clone(), string("new")]
            .concat(),
        zero.clone(),
        [zigzag(1), double(1.0), zigzag(2), double(2.0), double(3.0), zero.clone()].concat(),
        [one.clone(), zigzag(2), one.clone(), 1.5_f32.to_le_bytes().to_vec(), zero.clone()].concat(),
        [zigzag(1), one.clone(), (-2.0_f32).to_le_bytes().to_vec(), zero.clone()].concat(),
    ]
    .concat();
    let sparse = [
        leaf([zigzag(2), string("text")].concat()),
        leaf([zigzag(3), double(0.5)].concat()),
        leaf(zero.clone()),
    ];
    for datum in [&full, &sparse[0], &sparse[1], &sparse[2]] {
        assert_eq!(decoder.decode(&payload(datum)), Outcome::Rows(1));
        for end in 0..datum.len() {
            assert_eq!(bad(decoder.decode(&payload(&datum[..end]))).reason, BadReason::Truncated, "{end}");
        }
        assert_eq!(
            bad(decoder.decode(&payload(&[&datum[..], &[0]].concat()))).reason,
            BadReason::TrailingData
        );
    }
    let (columns, errors) = flush(&mut decoder);
    let doubles = |column: usize| columns[column].as_primitive::<Float64Type>().iter().collect::<Vec<_>>();
    assert_eq!(ints(&columns[0]), [Some(5), None, None, None]);
    assert_eq!(doubles(1), [None, None, Some(0.5), None]);
    assert_eq!(ints(&columns[2]), [Some(42), None, None, None]);
    assert_eq!(columns[3].as_string::<i32>().iter().collect::<Vec<_>>(), [Some("new"), None, None, None]);
    assert_eq!(doubles(4), [Some(2.5), None, None, None]);
    assert_eq!(doubles(5), [Some(2.0), None, None, None]);
    let embedding = columns[6].as_list::<i32>().value(0);
    let items: Vec<_> = embedding.as_primitive::<Float64Type>().iter().collect();
    assert_eq!(items, [Some(1.5), None, Some(-2.0)]);
    assert_eq!(doubles(7), [Some(1.5), None, None, None]);
    let none: Vec<usize> = Vec::new();
    assert_eq!(errors[0], [1, 2], "a text and a record are no numbers");
    assert_eq!(errors[1], [0, 1], "nothing is inside of a number or a text");
    assert_eq!(errors[2..], [none.clone(), none.clone(), none.clone(), none.clone(), none.clone(), none]);
}

#[test]
fn hostile_lengths_cost_nothing() {
    let schema = record(
        r#"{"name":"empty","type":{"type":"array","items":"null"}},
           {"name":"s","type":"string"},
           {"name":"nested","type":{"type":"array","items":{"type":"record","name":"N","fields":[{"name":"n","type":"null"}]}}},
           {"name":"e","type":{"type":"array","items":"double"}},
           {"name":"f","type":{"type":"array","items":"boolean"}}"#,
    );
    let list = DataType::List(std::sync::Arc::new(Field::new_list_field(DataType::Float64, true)));
    let mut decoder = plain(&schema, &[FieldSpec::new("s", DataType::Utf8), FieldSpec::new("e", list)]);
    let huge = [zigzag(i64::MAX), zigzag(0)].concat();
    let (empty, zero) = (zigzag(0), [0]);
    let good = [&huge[..], &[2, b'x'], &huge, &zero, &zero].concat();
    assert_eq!(decoder.decode(&payload(&good)), Outcome::Rows(1), "2^63 nulls have no bytes");
    for datum in [
        [&zero[..], &zigzag(i64::MAX)].concat(),
        [&zero[..], &empty, &zero, &zigzag(i64::MAX), &[0; 64]].concat(),
        [&zero[..], &empty, &zero, &zigzag(i64::MIN), &zigzag(i64::MAX), &[0; 64]].concat(),
        [&zero[..], &empty, &zero, &zigzag(1 << 61), &[0; 64]].concat(),
        [&zero[..], &empty, &zero, &zero, &zigzag(i64::MAX), &[0; 64]].concat(),
    ] {
        assert_eq!(bad(decoder.decode(&payload(&datum))).reason, BadReason::Truncated);
    }
    for datum in [[&zero[..], &zigzag(-1)].concat(), [&zero[..], &[0xff; 11]].concat()] {
        assert_eq!(bad(decoder.decode(&payload(&datum))).reason, BadReason::NotAvro);
    }
    // A record that holds itself without end.
    let schema =
        r#"{"type":"record","name":"R","fields":[{"name":"x","type":"int"},{"name":"r","type":"R"}]}"#;
    let mut decoder = plain(schema, &[FieldSpec::new("x", DataType::Int64)]);
    assert_eq!(bad(decoder.decode(&payload(&[2; 1000]))).reason, BadReason::TooDeep);
    let schema = r#"{"type":"record","name":"R","fields":[{"name":"x","type":"int"},
        {"name":"l","type":{"type":"array","items":{"type":"record","name":"A","fields":[{"name":"a","type":"A"}]}}}]}"#;
    let mut decoder = plain(schema, &[FieldSpec::new("x", DataType::Int64)]);
    assert_eq!(bad(decoder.decode(&payload(&[2, 2, 0]))).reason, BadReason::TooDeep);
}

#[test]
fn broken_values_have_reasons() {
    let schema = record(
        r#"{"name":"b","type":"boolean"},{"name":"e","type":{"type":"enum","name":"E","symbols":["A"]}},
           {"name":"u","type":["null","int"]},{"name":"i","type":"int"},{"name":"s","type":"string"}"#,
    );
    for wanted in ["b", "i", "s"] {
        let data_type = if wanted == "b" { DataType::Boolean } else { DataType::Utf8 };
        let mut decoder = plain(&schema, &[FieldSpec::new(wanted, data_type)]);
        let tail = zigzag(i64::from(i32::MAX) + 1);
        for (datum, detail) in [
            (vec![2], "expected a boolean of 0 or 1 at byte 1"),
            (vec![1, 2], "expected an index of the enum's symbols at byte 2"),
            (vec![1, 0, 4], "expected an index of the union's branches at byte 3"),
            (vec![1, 0, 1], "expected an index of the union's branches at byte 3"),
            ([&[1, 0, 0][..], &tail].concat(), "expected an int of 32 bits at byte 8"),
        ] {
            let found = bad(decoder.decode(&payload(&datum)));
            assert_eq!((found.reason, found.detail.as_str()), (BadReason::NotAvro, detail), "{wanted}");
        }
        assert_eq!(decoder.decode(&payload(&[1, 0, 0, 0, 2, 0xff])), Outcome::Rows(1));
        let (_, errors) = flush(&mut decoder);
        assert_eq!(errors[0].len(), usize::from(wanted != "b"), "text that is not UTF-8 is a type error");
    }
}

#[test]
fn schemas_are_read_or_refused() {
    let fail = |schema: &str| {
        let format = Format::Avro(AvroSchema::Plain(schema.to_owned()));
        RecordDecoder::new(&format, &[FieldSpec::new("x", DataType::Int64)]).err().unwrap().to_string()
    };
    for (schema, message) in [
        ("{", "avro schema: expected JSON: EOF while parsing an object at line 1 column 1"),
        ("7", "avro schema: expected a type, found `7`"),
        (r#""R""#, "avro schema: type `R` is used before it is declared"),
        (r#"{"type":"record","name":"R"}"#, "avro schema: expected a record's `fields`"),
        (
            r#"{"type":"fixed","name":"R","size":-1}"#,
            "avro schema: expected a fixed's `size` from 0 to 67108864",
        ),
        (
            r#"{"type":"enum","name":"R","symbols":[1]}"#,
            "avro schema: expected an enum's `symbols` as strings",
        ),
        (
            r#"[{"type":"fixed","name":"R","size":1},{"type":"fixed","name":"R","size":2}]"#,
            "avro schema: type `R` is declared twice",
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"y","type":"int"}]}"#,
            "column `x`: the avro schema has nothing at `/x`: correct the pointer under `fields`",
        ),
    ] {
        assert_eq!(fail(schema), message);
    }
    // A schema that is no record is no error of the schema: its data has no fields.
    let mut decoder = plain("string", &[]);
    assert_eq!(decoder.decode(&payload(&[2, b'x'])), Outcome::Rows(1));
    assert_eq!(decoder.flush().batch.num_rows(), 1);
    let deep = "[".repeat(10_000);
    assert!(fail(&deep).starts_with("avro schema: expected JSON: recursion limit"));
}
