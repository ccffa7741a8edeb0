//! Decoders of records. A record becomes rows or a dead letter; either way the columns agree with what was answered, and
//! the records before and after it are what they would have been without it.

use std::sync::OnceLock;

use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, TimeUnit};
use driftlead_connectors::decode::{
    AvroSchema, CsvFormat, FieldSpec, Format, Framing, Outcome, Place, Pointer, ProtobufMessage,
    RecordDecoder,
};
use driftlead_connectors::stream::Record;

use super::files;

fn fields() -> Vec<FieldSpec> {
    let at = |pointer: &str| Place::Payload(Pointer::parse(pointer).expect("a pointer"));
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    vec![
        FieldSpec::new("x", DataType::Float64),
        FieldSpec::new("n", DataType::Int64),
        FieldSpec::new("u", DataType::UInt8),
        FieldSpec::new("f", DataType::Float32),
        FieldSpec::new("s", DataType::Utf8),
        FieldSpec::new("b", DataType::Boolean),
        FieldSpec::new("d", DataType::Decimal128(12, 3)),
        FieldSpec::new("t", micros).epoch(TimeUnit::Millisecond),
        FieldSpec::new("deep", DataType::Float64).at(at("/in/deep")),
    ]
}

fn plain(payload: &[u8]) -> Record<'_> {
    Record { offset: 0, stamp: None, key: None, payload: Some(payload), headers: &[], mark: None }
}

/// Decodes `data` between two good records.
fn between(format: &Format, good: &[u8], data: &[u8]) {
    let mut fields = fields();
    if matches!(format, Format::Csv(_)) {
        // A line has no inside.
        fields.pop();
    }
    let decoder = RecordDecoder::new(format, &fields);
    let mut decoder = decoder.expect("a format and columns that were tried");
    assert_eq!(decoder.decode(&plain(good)), Outcome::Rows(1));
    let expected = decoder.flush();
    assert_eq!(decoder.decode(&plain(good)), Outcome::Rows(1));
    let rows = match decoder.decode(&plain(data)) {
        Outcome::Rows(rows) => rows,
        Outcome::Bad(bad) => {
            assert!(!bad.detail.is_empty(), "{bad:?}");
            0
        }
        Outcome::Unresolved(_) => 0,
    };
    assert_eq!(decoder.decode(&plain(good)), Outcome::Rows(1));
    assert_eq!(decoder.rows(), rows + 2);
    let decoded = decoder.flush();
    assert_eq!(decoded.batch.num_rows(), rows + 2);
    for (at, place) in [(0, "before"), (rows + 1, "after")] {
        assert_eq!(decoded.batch.slice(at, 1), expected.batch, "the record {place}");
        for (mask, own) in decoded.type_errors.iter().zip(&expected.type_errors) {
            let is_error =
                |mask: &Option<BooleanBuffer>, at| mask.as_ref().is_some_and(|mask| mask.value(at));
            assert_eq!(is_error(mask, at), is_error(own, 0), "type errors of the record {place}");
        }
    }
}

const GOOD_JSON: &str =
    r#"{"x":1.5,"n":-7,"u":200,"f":0.1,"s":"a","b":true,"d":12.345,"t":978307200000,"in":{"deep":2e-3}}"#;

pub(super) fn json(data: &[u8]) {
    let (framing, data) = match data.split_first() {
        Some((first, rest)) if first % 2 == 1 => (Framing::Registry, rest),
        Some((_, rest)) => (Framing::Plain, rest),
        None => return,
    };
    let good = match framing {
        Framing::Plain => GOOD_JSON.as_bytes().to_vec(),
        Framing::Registry => [b"\0\0\0\0\x01", GOOD_JSON.as_bytes()].concat(),
    };
    between(&Format::Json { framing }, &good, data);
}

pub(super) fn json_seeds() -> Vec<Vec<u8>> {
    let texts = [
        GOOD_JSON,
        r#"{"x":null,"n":1e400,"u":256,"f":"1","s":"\ud83d\ude00\n","b":0,"d":-0.0005,"t":"2001-01-01T00:00:00Z"}"#,
        r#" {"x" : 179769313486231570000e289 , "n":9223372036854775808,"s":["a"],"in":[{"deep":1}],"in":{"deep":1}} "#,
        r#"{"x":0.1000000000000000055511151231257827,"t":"2001-01-01 00:00:00.123456+01:00"}{"x":1}"#,
        "[]",
        "{}",
    ];
    let plain = texts.iter().map(|text| [b"\0", text.as_bytes()].concat());
    let framed = texts.iter().map(|text| [b"\x01\0\0\0\0\x02", text.as_bytes()].concat());
    plain.chain(framed).collect()
}

/// A schema with every kind of type; what has no column is passed over.
const AVRO: &str = r#"{"type":"record","name":"R","namespace":"a.b","fields":[
    {"name":"x","type":["null","double"]},{"name":"n","type":"long"},{"name":"u","type":"int"},
    {"name":"f","type":"float"},{"name":"s","type":{"type":"enum","name":"E","symbols":["a","bb"]}},
    {"name":"b","type":"boolean"},{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":3}},
    {"name":"t","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"more","type":{"type":"array","items":["null","string",{"type":"map","values":"bytes"}]}},
    {"name":"id","type":{"type":"fixed","name":"F","size":3}},
    {"name":"in","type":["null",{"type":"record","name":"I","fields":[
        {"name":"deep","type":["double","null"]},{"name":"again","type":["null","I"]}]}]}]}"#;

const GOOD_AVRO: &[u8] =
    b"\x02\0\0\0\0\0\0\xf8\x3f\x0d\x90\x03\xcd\xcc\xcc\x3d\0\x01\x04\x30\x39\x80\xe8\xf4\xe1\xf8\x38\
    \x04\0\x02\x02z\0abc\x02\0\0\0\0\0\0\0\xe0\x3f\0";

pub(super) fn avro(data: &[u8]) {
    between(&Format::Avro(AvroSchema::Plain(AVRO.to_owned())), GOOD_AVRO, data);
}

pub(super) fn avro_seeds() -> Vec<Vec<u8>> {
    let blocks = b"\0\x02\x04\0\0\0\0\0\x02\0\0\x03\x0e\x04\x02\x02k\x02v\0\0\0abc\0";
    vec![GOOD_AVRO.to_vec(), blocks.to_vec()]
}

/// A schema that anybody may have put into a registry, and a datum.
pub(super) fn avro_schema(data: &[u8]) {
    let (schema, datum) = data.split_at(data.iter().position(|byte| *byte == 0).unwrap_or(data.len()));
    let Ok(schema) = std::str::from_utf8(schema) else { return };
    let format = Format::Avro(AvroSchema::Plain(schema.to_owned()));
    // One that does not have the columns is refused.
    let own = [FieldSpec::new("x", DataType::Float64), FieldSpec::new("s", DataType::Utf8)];
    if let Ok(mut decoder) = RecordDecoder::new(&format, &own) {
        let outcome = decoder.decode(&plain(datum.get(1..).unwrap_or_default()));
        let rows = if let Outcome::Rows(rows) = outcome { rows } else { 0 };
        assert_eq!(decoder.flush().batch.num_rows(), rows);
    }
}

pub(super) fn avro_schema_seeds() -> Vec<Vec<u8>> {
    let small = r#"{"type":"record","name":"R","aliases":["Q"],"doc":"d","fields":[
        {"name":"x","type":"double","default":1},{"name":"s","type":["string","null"],"order":"ignore"}]}"#;
    let with = |schema: &str, datum: &[u8]| [schema.as_bytes(), b"\0", datum].concat();
    vec![with(AVRO, GOOD_AVRO), with(small, b"\0\0\0\0\0\0\xf8\x3f\0\x02a")]
}

/// A field of a message, tag and payload.
fn field(number: u8, payload: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(payload.len()).expect("short")], payload].concat()
}

/// A `FileDescriptorSet` with a message `R`, as a compiler writes it.
fn descriptor_set() -> &'static [u8] {
    static SET: OnceLock<Vec<u8>> = OnceLock::new();
    SET.get_or_init(|| {
        let scalar = |name: &str, number: u8, kind: u8| {
            field(2, &[field(1, name.as_bytes()), vec![3 << 3, number, 4 << 3, 1, 5 << 3, kind]].concat())
        };
        let of = |name: &str, number: u8, label: u8, kind: u8, of: &str| {
            let own = [field(1, name.as_bytes()), vec![3 << 3, number, 4 << 3, label, 5 << 3, kind]].concat();
            field(2, &[own, field(6, of.as_bytes())].concat())
        };
        let inner = [field(1, b"I"), scalar("deep", 1, 1), of("again", 2, 1, 11, ".R.I")].concat();
        // double, sint64, uint32, float, string, bool, string, int64, a message, and repeated numbers in no column.
        let message = [
            field(1, b"R"),
            scalar("x", 1, 1),
            scalar("n", 2, 18),
            scalar("u", 3, 13),
            scalar("f", 4, 2),
            scalar("s", 5, 9),
            scalar("b", 6, 8),
            scalar("d", 7, 9),
            scalar("t", 8, 3),
            of("in", 9, 1, 11, ".R.I"),
            field(2, &[field(1, b"many"), vec![3 << 3, 10, 4 << 3, 3, 5 << 3, 3]].concat()),
            field(3, &inner),
        ]
        .concat();
        let file: Vec<u8> = [field(1, b"r.proto"), long(4, &message), field(12, b"proto3")].concat();
        long(1, &file)
    })
}

/// A field of up to 16 KiB.
fn long(number: u8, payload: &[u8]) -> Vec<u8> {
    let n = payload.len();
    let length = [(n & 0x7f) as u8 | 0x80, (n >> 7) as u8];
    [&[number << 3 | 2], &length[..], payload].concat()
}

const GOOD_PROTOBUF: &[u8] =
    b"\x09\0\0\0\0\0\0\xf8\x3f\x10\x0d\x18\xc8\x01\x25\xcd\xcc\xcc\x3d\x2a\x01a\x30\x01\
    \x3a\x0612.345\x40\x80\xb4\xba\xb0\xbc\x1c\x4a\x09\x09\0\0\0\0\0\0\xe0\x3f";

pub(super) fn protobuf(data: &[u8]) {
    let message = ProtobufMessage {
        descriptors: descriptor_set().to_vec(),
        name: "R".to_owned(),
        framing: Framing::Plain,
        index: None,
    };
    between(&Format::Protobuf(message), GOOD_PROTOBUF, data);
}

pub(super) fn protobuf_seeds() -> Vec<Vec<u8>> {
    let twice =
        [GOOD_PROTOBUF, b"\x52\x03\x01\x02\x03\x50\x04\x5b\x08\x01\x5c\x4a\x04\x12\x02\x12\0"].concat();
    vec![GOOD_PROTOBUF.to_vec(), twice, GOOD_PROTOBUF[..20].to_vec()]
}

/// A `FileDescriptorSet` that a settings file names.
pub(super) fn descriptors(data: &[u8]) {
    let message = ProtobufMessage {
        descriptors: data.to_vec(),
        name: "R".to_owned(),
        framing: Framing::Plain,
        index: None,
    };
    let own = [FieldSpec::new("x", DataType::Float64), FieldSpec::new("n", DataType::Int64)];
    if let Ok(mut decoder) = RecordDecoder::new(&Format::Protobuf(message), &own) {
        let outcome = decoder.decode(&plain(GOOD_PROTOBUF));
        let rows = if let Outcome::Rows(rows) = outcome { rows } else { 0 };
        assert_eq!(decoder.flush().batch.num_rows(), rows);
    }
}

pub(super) fn descriptor_seeds() -> Vec<Vec<u8>> {
    vec![descriptor_set().to_vec()]
}

pub(super) fn arrow(data: &[u8]) {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    let good = GOOD
        .get_or_init(|| files("fuzz/seeds/arrow").into_iter().next().expect("fuzz/seeds/arrow/a-row.arrow"));
    between(&Format::Arrow, good, data);
}

pub(super) fn arrow_seeds() -> Vec<Vec<u8>> {
    files("fuzz/seeds/arrow")
}

const GOOD_CSV: &str = "1.5,-7,200,0.1,a,true,12.345,978307200000";

pub(super) fn csv(data: &[u8]) {
    let csv = CsvFormat::new(["x", "n", "u", "f", "s", "b", "d", "t"]);
    between(&Format::Csv(csv), GOOD_CSV.as_bytes(), data);
}

pub(super) fn csv_seeds() -> Vec<Vec<u8>> {
    let texts = [
        GOOD_CSV,
        "1,2,3,4,\"a \"\"quoted\"\", text\nof two lines\",false,-0.001,2001-01-01T00:00:00Z,\r\n",
        "nan,9223372036854775808,256,1e39,\u{e9},1,1e3,-1,inf\n1,2\n,,,,,,,,",
        "\"",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
