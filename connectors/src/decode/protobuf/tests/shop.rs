//! The messages of the tests, as a compiler would describe them.

use prost_reflect::prost::Message;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, MessageOptions, OneofDescriptorProto,
};
use prost_reflect::{DescriptorPool, MessageDescriptor};

fn field(name: &str, number: i32, of: Type) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(of.into()),
        ..FieldDescriptorProto::default()
    }
}

fn of_type(name: &str, number: i32, of: Type, type_name: &str) -> FieldDescriptorProto {
    FieldDescriptorProto { type_name: Some(type_name.to_owned()), ..field(name, number, of) }
}

fn repeated(field: FieldDescriptorProto) -> FieldDescriptorProto {
    FieldDescriptorProto { label: Some(Label::Repeated.into()), ..field }
}

fn in_oneof(index: i32, field: FieldDescriptorProto) -> FieldDescriptorProto {
    FieldDescriptorProto { oneof_index: Some(index), ..field }
}

fn message(name: &str, field: Vec<FieldDescriptorProto>) -> DescriptorProto {
    DescriptorProto { name: Some(name.to_owned()), field, ..DescriptorProto::default() }
}

fn map_entry(name: &str, key: Type, value: FieldDescriptorProto) -> DescriptorProto {
    let options = Some(MessageOptions { map_entry: Some(true), ..MessageOptions::default() });
    DescriptorProto { options, ..message(name, vec![field("key", 1, key), value]) }
}

/// Every type of field there is, in proto3.
fn order() -> DescriptorProto {
    let scalars = [
        Type::Double,
        Type::Float,
        Type::Int32,
        Type::Int64,
        Type::Uint32,
        Type::Uint64,
        Type::Sint32,
        Type::Sint64,
        Type::Fixed32,
        Type::Fixed64,
        Type::Sfixed32,
        Type::Sfixed64,
        Type::Bool,
        Type::String,
        Type::Bytes,
    ];
    let mut fields: Vec<_> =
        (1..).zip(scalars).map(|(number, of)| field(&format!("f{number}"), number, of)).collect();
    fields.extend([
        of_type("status", 16, Type::Enum, ".shop.Status"),
        FieldDescriptorProto { proto3_optional: Some(true), ..in_oneof(1, field("maybe", 17, Type::Int64)) },
        of_type("inner", 18, Type::Message, ".shop.Order.Inner"),
        of_type("made", 19, Type::Message, ".google.protobuf.Timestamp"),
        of_type("score", 20, Type::Message, ".google.protobuf.DoubleValue"),
        repeated(field("emb", 21, Type::Float)),
        repeated(field("counts", 22, Type::Sint64)),
        repeated(field("tags", 23, Type::String)),
        repeated(of_type("attrs", 24, Type::Message, ".shop.Order.AttrsEntry")),
        repeated(of_type("by_id", 25, Type::Message, ".shop.Order.ByIdEntry")),
        in_oneof(0, field("card", 26, Type::String)),
        in_oneof(0, of_type("cash", 27, Type::Message, ".shop.Order.Inner")),
        in_oneof(0, field("free", 28, Type::Bool)),
        of_type("parent", 3000, Type::Message, ".shop.Order"),
    ]);
    let oneof =
        |name: &str| OneofDescriptorProto { name: Some(name.to_owned()), ..OneofDescriptorProto::default() };
    DescriptorProto {
        nested_type: vec![
            message("Inner", vec![field("x", 1, Type::Double), field("name", 2, Type::String)]),
            map_entry("AttrsEntry", Type::String, field("value", 2, Type::String)),
            map_entry("ByIdEntry", Type::Sint32, of_type("value", 2, Type::Message, ".shop.Order.Inner")),
        ],
        oneof_decl: vec![oneof("payment"), oneof("_maybe")],
        ..message("Order", fields)
    }
}

pub(super) fn descriptors() -> Vec<u8> {
    let value = |name: &str, number| EnumValueDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        ..EnumValueDescriptorProto::default()
    };
    let shop = FileDescriptorProto {
        name: Some("shop.proto".to_owned()),
        package: Some("shop".to_owned()),
        syntax: Some("proto3".to_owned()),
        dependency: vec![
            "google/protobuf/timestamp.proto".to_owned(),
            "google/protobuf/wrappers.proto".to_owned(),
        ],
        message_type: vec![message("First", vec![]), order()],
        enum_type: vec![EnumDescriptorProto {
            name: Some("Status".to_owned()),
            value: vec![value("NEW", 0), value("PAID", 1), value("LOST", -3)],
            ..EnumDescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    };
    let legacy = FileDescriptorProto {
        name: Some("legacy.proto".to_owned()),
        message_type: vec![message(
            "Legacy",
            vec![field("x", 1, Type::Int64), repeated(field("e", 2, Type::Double))],
        )],
        ..FileDescriptorProto::default()
    };
    let known = DescriptorPool::global();
    let mut file: Vec<_> = ["google/protobuf/timestamp.proto", "google/protobuf/wrappers.proto"]
        .map(|name| known.get_file_by_name(name).unwrap().file_descriptor_proto().clone())
        .into();
    file.extend([shop, legacy]);
    FileDescriptorSet { file }.encode_to_vec()
}

pub(super) fn descriptor() -> MessageDescriptor {
    DescriptorPool::decode(descriptors().as_slice()).unwrap().get_message_by_name("shop.Order").unwrap()
}
