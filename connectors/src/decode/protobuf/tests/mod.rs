//! Messages by hand, at random against `prost-reflect`, and mutated.

mod random;
mod shop;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field, TimeUnit};
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, MapKey, Value};

use self::shop::{descriptor, descriptors};
use crate::decode::tests::{at, bad, flush, payload};
use crate::decode::{BadReason, FieldSpec, Format, Framing, Outcome, ProtobufMessage, RecordDecoder};

fn format(name: &str, framing: Framing) -> Format {
    Format::Protobuf(ProtobufMessage {
        descriptors: descriptors(),
        name: name.to_owned(),
        framing,
        index: None,
    })
}

fn decoder(fields: &[FieldSpec]) -> RecordDecoder {
    RecordDecoder::new(&format("shop.Order", Framing::Plain), fields).unwrap()
}

fn list() -> DataType {
    DataType::List(std::sync::Arc::new(Field::new_list_field(DataType::Float64, true)))
}

/// All columns that the tests by way of the oracle compare.
fn wanted() -> Vec<(&'static str, DataType)> {
    let (int, double, text) = (DataType::Int64, DataType::Float64, DataType::Utf8);
    vec![
        ("/f1", double.clone()),
        ("/f2", DataType::Float32),
        ("/f3", int.clone()),
        ("/f4", int.clone()),
        ("/f5", int.clone()),
        ("/f6", DataType::UInt64),
        ("/f7", int.clone()),
        ("/f8", int.clone()),
        ("/f9", int.clone()),
        ("/f10", DataType::UInt64),
        ("/f11", int.clone()),
        ("/f12", int.clone()),
        ("/f13", DataType::Boolean),
        ("/f14", text.clone()),
        ("/f15", text.clone()),
        ("/status", text.clone()),
        ("/maybe", int.clone()),
        ("/inner/x", double.clone()),
        ("/inner/name", text.clone()),
        ("/inner", text.clone()),
        ("/made", DataType::Timestamp(TimeUnit::Nanosecond, None)),
        ("/score", double.clone()),
        ("/emb", list()),
        ("/counts", list()),
        ("/tags", text.clone()),
        ("/attrs/a", text.clone()),
        ("/by_id/-1/x", double.clone()),
        ("/by_id/0/name", text.clone()),
        ("/card", text.clone()),
        ("/cash/x", double),
        ("/parent/parent/f4", int),
        ("/parent/card", text),
    ]
}

fn all_fields() -> Vec<FieldSpec> {
    wanted()
        .into_iter()
        .map(|(pointer, data_type)| FieldSpec::new(pointer, data_type).at(at(pointer)))
        .collect()
}

fn ints(column: &ArrayRef) -> Vec<Option<i64>> {
    column.as_primitive::<Int64Type>().iter().collect()
}

#[test]
fn presence_and_defaults() {
    let mut decoder = decoder(&all_fields());
    let mut order = DynamicMessage::new(descriptor());
    assert_eq!(decoder.decode(&payload(&[])), Outcome::Rows(1));
    order.set_field_by_name("maybe", Value::I64(0));
    order.set_field_by_name("status", Value::EnumNumber(77));
    order.set_field_by_name("f4", Value::I64(-5));
    let mut inner = DynamicMessage::new(descriptor().child_messages().next().unwrap());
    order.set_field_by_name("inner", Value::Message(inner.clone()));
    inner.set_field_by_name("x", Value::F64(2.5));
    order.set_field_by_name("cash", Value::Message(inner.clone()));
    order.set_field_by_name("by_id", Value::Map([(MapKey::I32(-1), Value::Message(inner))].into()));
    let bytes = [order.encode_to_vec(), vec![0x9a, 1, 4, 8, 2, 16, 3]].concat();
    assert_eq!(decoder.decode(&payload(&bytes)), Outcome::Rows(1));

    let (columns, errors) = flush(&mut decoder);
    let column = |pointer: &str| &columns[wanted().iter().position(|(known, _)| *known == pointer).unwrap()];
    let text = |pointer: &str| column(pointer).as_string::<i32>().iter().collect::<Vec<_>>();
    let doubles = |pointer: &str| column(pointer).as_primitive::<Float64Type>().iter().collect::<Vec<_>>();
    assert_eq!(ints(column("/f4")), [Some(0), Some(-5)]);
    assert_eq!(ints(column("/maybe")), [None, Some(0)]);
    assert_eq!(text("/status"), [Some("NEW"), Some("77")]);
    assert_eq!(text("/f14"), [Some(""), Some("")]);
    assert_eq!(doubles("/inner/x"), [None, Some(0.0)]);
    assert_eq!(doubles("/cash/x"), [None, Some(2.5)]);
    assert_eq!(doubles("/by_id/-1/x"), [None, Some(2.5)]);
    assert_eq!(text("/card"), [None, None]);
    let times: Vec<_> = column("/made").as_primitive::<TimestampNanosecondType>().iter().collect();
    assert_eq!(times, [None, Some(2_000_000_003)]);
    assert!(column("/emb").is_null(0) && column("/counts").is_null(1), "empty and unset are the same here");
    for (pointer, errors) in wanted().iter().map(|(pointer, _)| *pointer).zip(errors) {
        let expected = match pointer {
            "/f15" => vec![0, 1],
            "/inner" => vec![1],
            _ => vec![],
        };
        assert_eq!(errors, expected, "{pointer}");
    }
}

#[test]
fn changed_types_are_type_errors() {
    let fields = [
        FieldSpec::new("f4", DataType::Int64),
        FieldSpec::new("x", DataType::Float64).at(at("/inner/x")),
        FieldSpec::new("emb", list()),
        FieldSpec::new("attr", DataType::Utf8).at(at("/attrs/a")),
    ];
    let mut decoder = decoder(&fields);
    let renamed = [
        // f4 as text, inner as varint, emb as fixed64, attrs as fixed32
        &[0x22, 1, b'x', 0x90, 1, 7, 0xa9, 1][..],
        &[0; 8],
        &[0xc5, 1, 0, 0, 0, 0],
    ]
    .concat();
    assert_eq!(decoder.decode(&payload(&renamed)), Outcome::Rows(1));
    assert_eq!(flush(&mut decoder).1, [[0], [0], [0], [0]]);
}

#[test]
fn framing_names_the_message() {
    let fields = [FieldSpec::new("f4", DataType::Int64)];
    let mut decoder = RecordDecoder::new(&format("shop.Order", Framing::Registry), &fields).unwrap();
    let framed = |index: &[u8]| [&[0, 0, 0, 0, 9], index, &[0x20, 5]].concat();
    assert_eq!(decoder.decode(&payload(&framed(&[2, 2]))), Outcome::Rows(1));
    for index in [&[0][..], &[2, 0], &[4, 2, 0], &[1], &[0x80, 0x80, 0x80, 0x80, 0x10]] {
        let found = bad(decoder.decode(&payload(&framed(index))));
        assert_eq!(found.reason.as_str(), "other_message", "{index:?}");
        let detail = "expected message `shop.Order` at position [1] of its file, found another: is this topic of one message?";
        assert_eq!(found.detail, detail);
    }
    assert_eq!(bad(decoder.decode(&payload(&[0, 0, 0, 0, 9, 2]))).reason, BadReason::Truncated);
    assert_eq!(bad(decoder.decode(&payload(&[0x20, 5]))).reason, BadReason::NotFramed);
    assert_eq!(flush(&mut decoder).0[0].as_primitive::<Int64Type>().values(), &[5]);

    let mut first = RecordDecoder::new(&format("shop.First", Framing::Registry), &[]).unwrap();
    for index in [&[0][..], &[2, 0]] {
        assert_eq!(first.decode(&payload(&framed(index))), Outcome::Rows(1));
    }
    let Format::Protobuf(message) = format("shop.Order.Inner", Framing::Registry) else { panic!() };
    let message = ProtobufMessage { index: Some(vec![3, 1]), ..message };
    let mut inner = RecordDecoder::new(&Format::Protobuf(message), &[]).unwrap();
    assert_eq!(inner.decode(&payload(&framed(&[4, 6, 2]))), Outcome::Rows(1));
}

#[test]
fn proto2_has_presence_and_unpacked_lists() {
    let fields = [FieldSpec::new("x", DataType::Int64), FieldSpec::new("e", list())];
    let mut decoder = RecordDecoder::new(&format("Legacy", Framing::Plain), &fields).unwrap();
    let one = [&[0x11][..], &1.5_f64.to_le_bytes()].concat();
    let packed = [&[0x12, 16][..], &2.5_f64.to_le_bytes(), &3.5_f64.to_le_bytes()].concat();
    for bytes in [vec![], [&one[..], &[8, 4], &packed, &one].concat()] {
        assert_eq!(decoder.decode(&payload(&bytes)), Outcome::Rows(1));
    }
    let (columns, _) = flush(&mut decoder);
    assert_eq!(ints(&columns[0]), [None, Some(4)]);
    let items = columns[1].as_list::<i32>().value(1);
    assert_eq!(items.as_primitive::<Float64Type>().values(), &[1.5, 2.5, 3.5, 1.5]);
}

#[test]
fn broken_messages_have_reasons() {
    let mut decoder = decoder(&all_fields());
    let deep: Vec<u8> = std::iter::repeat_n([0x93, 0x3e], 500).flatten().collect();
    for (bytes, reason) in [
        (&[0x20][..], BadReason::Truncated),
        (&[0x72, 5, b'a'], BadReason::Truncated),
        (&[0x72, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], BadReason::Truncated),
        (&[0x92, 1, 9, 9], BadReason::Truncated),
        (&[0x09, 1], BadReason::Truncated),
        (&[0, 1], BadReason::NotProtobuf),
        (&[0x26, 1], BadReason::NotProtobuf),
        (&[0x24], BadReason::NotProtobuf),
        (&[0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], BadReason::NotProtobuf),
        (&[0xaa, 1, 3, 0, 0, 0], BadReason::NotProtobuf),
        (&deep, BadReason::TooDeep),
    ] {
        assert_eq!(bad(decoder.decode(&payload(bytes))).reason, reason, "{bytes:?}");
    }
    assert_eq!(decoder.rows(), 0);
    // A group that nobody asked for.
    assert_eq!(decoder.decode(&payload(&[0x93, 0x3e, 0x20, 7, 0x94, 0x3e])), Outcome::Rows(1));
}

#[test]
fn misconfiguration_says_what_there_is() {
    let fail = |name: &str, pointer: &str| {
        let field = FieldSpec::new("x", DataType::Utf8).at(at(pointer));
        RecordDecoder::new(&format(name, Framing::Plain), &[field]).err().unwrap().to_string()
    };
    assert!(
        fail("shop.Ordr", "/x")
            .starts_with("protobuf descriptors: no message `shop.Ordr`: did you mean `shop.Order`")
    );
    assert_eq!(
        fail("shop.Order", "/inner/nam"),
        "no field `nam` in message `shop.Order.Inner`: did you mean `name`?"
    );
    assert!(fail("shop.Order", "/tags/0").starts_with("field `shop.Order.tags` is repeated"));
    let Format::Protobuf(message) = format("shop.Order", Framing::Plain) else { panic!() };
    let broken = ProtobufMessage { descriptors: b"syntax = \"proto3\";".to_vec(), ..message };
    let error = RecordDecoder::new(&Format::Protobuf(broken), &[]).err().unwrap();
    assert!(error.to_string().starts_with("protobuf descriptors: expected a descriptor set"));
}

/// A fault in the first file: what the crate would say of it, it cannot.
#[test]
fn a_descriptor_set_that_contradicts_itself_is_refused() {
    let found = include_bytes!("../../../../../fuzz/found/descriptors/an-error-in-no-file.bin");
    let error = super::pool(found).unwrap_err();
    assert!(error.to_string().contains("expected a descriptor set"), "{error}");
}
