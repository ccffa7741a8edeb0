//! Random messages: against `prost-reflect`, and mutated.

use arrow_array::ArrayRef;
use arrow_buffer::BooleanBuffer;
use arrow_schema::TimeUnit;
use proptest::prelude::*;
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, Kind, MapKey, MessageDescriptor, ReflectMessage, Value};

use super::shop::descriptor;
use super::{all_fields, decoder, wanted};
use crate::decode::tests::{cases, payload};
use crate::decode::wire::Wire;
use crate::decode::{BadReason, Outcome, RecordDecoder};
use crate::source::column::{Column, Ticks, Value as Cell};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn value(&mut self, field: &Kind, depth: u32) -> Value {
        use Kind as K;

        let shift = self.below(64);
        let integer = self.next() as i64 >> shift;
        match field {
            K::Double => Value::F64(f64::from_bits(self.next())),
            K::Float => Value::F32(f32::from_bits(self.next() as u32)),
            K::Int32 | K::Sint32 | K::Sfixed32 => Value::I32(integer as i32),
            K::Int64 | K::Sint64 | K::Sfixed64 => Value::I64(integer),
            K::Uint32 | K::Fixed32 => Value::U32(integer as u32),
            K::Uint64 | K::Fixed64 => Value::U64(integer as u64),
            K::Bool => Value::Bool(integer & 1 == 1),
            K::String => Value::String(["", "a", "é漢"][self.below(3) as usize].to_owned()),
            K::Bytes => Value::Bytes(vec![1; self.below(5) as usize].into()),
            K::Enum(_) => Value::EnumNumber([0, 1, -3, 9][self.below(4) as usize]),
            K::Message(message) => Value::Message(self.message(message, depth + 1)),
        }
    }

    fn message(&mut self, descriptor: &MessageDescriptor, depth: u32) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields() {
            if self.below(2) == 0 || depth > 3 {
                continue;
            }
            let n = self.below(4);
            let value = if field.is_map() {
                let Kind::Message(entry) = field.kind() else { panic!("a map has entries") };
                let kind = entry.map_entry_value_field().kind();
                let key = |random: &mut Self| match entry.map_entry_key_field().kind() {
                    Kind::String => MapKey::String(["a", "b", ""][random.below(3) as usize].to_owned()),
                    _ => MapKey::I32(random.below(4) as i32 - 2),
                };
                Value::Map((0..n).map(|_| (key(self), self.value(&kind, depth))).collect())
            } else if field.is_list() {
                Value::List((0..n).map(|_| self.value(&field.kind(), depth)).collect())
            } else {
                self.value(&field.kind(), depth)
            };
            message.set_field(&field, value);
        }
        message
    }
}

/// What `prost-reflect` says of a column.
fn expected(message: &DynamicMessage, pointer: &str, column: &mut Column) {
    let mut found = Value::Message(message.clone());
    let keys: Vec<&str> = pointer.split('/').skip(1).collect();
    for (place, key) in keys.iter().enumerate() {
        found = match &found {
            Value::Message(message) => {
                let field = message.descriptor().get_field_by_name(key).unwrap();
                let last = place + 1 == keys.len();
                if field.is_list() && message.get_field(&field).as_list().unwrap().is_empty() {
                    return column.push_null();
                }
                let absent = field.supports_presence() && !message.has_field(&field);
                if absent {
                    return column.push_null();
                }
                match (field.kind(), last) {
                    (Kind::Enum(of), true) => {
                        let number = message.get_field(&field).as_enum_number().unwrap();
                        let name =
                            of.get_value(number).map_or(number.to_string(), |value| value.name().to_owned());
                        return column.push_value(Cell::Text(&name));
                    }
                    _ => message.get_field(&field).into_owned(),
                }
            }
            Value::Map(map) => {
                let key = match map.keys().next() {
                    Some(MapKey::String(_)) => MapKey::String((*key).to_owned()),
                    _ => MapKey::I32(key.parse().unwrap_or(0)),
                };
                match map.get(&key) {
                    None => return column.push_null(),
                    Some(value) => value.clone(),
                }
            }
            other => panic!("`{pointer}` leads into {other:?}"),
        };
    }
    let double = |value: &Value| match value {
        Value::F32(value) => Some(f64::from(*value)),
        Value::I64(value) => Some(*value as f64),
        _ => None,
    };
    match &found {
        Value::Bool(value) => column.push_value(Cell::Bool(*value)),
        Value::I32(value) => column.push_value(Cell::Int((*value).into())),
        Value::I64(value) => column.push_value(Cell::Int(*value)),
        Value::U32(value) => column.push_value(Cell::Int((*value).into())),
        Value::U64(value) => column.push_value(Cell::UInt(*value)),
        Value::F32(value) => column.push_value(Cell::Single(*value)),
        Value::F64(value) => column.push_value(Cell::Double(*value)),
        Value::String(value) => column.push_value(Cell::Text(value)),
        Value::List(items) if matches!(items[0], Value::F32(_) | Value::I64(_)) => {
            column.push_value(Cell::Floats(&items.iter().map(double).collect::<Vec<_>>()));
        }
        Value::Message(message) if message.descriptor().name() == "DoubleValue" => {
            let value = message.get_field_by_name("value").unwrap().as_f64().unwrap();
            column.push_value(Cell::Double(value));
        }
        Value::Message(message) if message.descriptor().name() == "Timestamp" => {
            let count = message.get_field_by_name("seconds").unwrap().as_i64().unwrap();
            let nanos = message.get_field_by_name("nanos").unwrap().as_i32().unwrap();
            let nanos = u32::try_from(nanos).ok().filter(|&nanos| nanos < 1_000_000_000);
            column.push_value(
                nanos.map_or(Cell::Other, |nanos| Cell::Time(Ticks { count, unit: TimeUnit::Second, nanos })),
            );
        }
        _ => column.push_value(Cell::Other),
    }
}

/// The row that `prost-reflect` makes of a message, or `None` if it refuses it.
fn oracle(bytes: &[u8]) -> Option<Vec<(ArrayRef, Option<BooleanBuffer>)>> {
    let message = DynamicMessage::decode(descriptor(), bytes).ok()?;
    let columns = wanted().into_iter().map(|(pointer, data_type)| {
        let mut column = Column::new(&data_type, None, 1).unwrap();
        expected(&message, pointer, &mut column);
        column.finish()
    });
    Some(columns.collect())
}

/// Whether a map is written with another wire type, which the oracle does not look at.
fn is_lax(bytes: &[u8]) -> bool {
    let mut wire = Wire::new(bytes, BadReason::NotProtobuf);
    while wire.remaining() > 0 {
        let Ok(tag) = wire.varint() else { return false };
        if matches!(tag >> 3, 24 | 25) && tag & 7 != 2 {
            return true;
        }
        let start = wire.at();
        let passed = match tag & 7 {
            0 => wire.varint().map(drop),
            1 => wire.skip(8).map(drop),
            2 => wire.varint().and_then(|length| wire.skip(length as usize).map(drop)),
            5 => wire.skip(4).map(drop),
            _ => Ok(()),
        };
        if passed.is_err() {
            return false;
        }
        let inner = wire.slice(start, wire.at());
        if tag >> 3 == 3000 && tag & 7 == 2 {
            let skipped = inner.iter().position(|byte| byte & 0x80 == 0).map_or(0, |at| at + 1);
            if is_lax(&inner[skipped..]) {
                return true;
            }
        }
    }
    false
}

fn row(decoder: &mut RecordDecoder) -> Vec<(ArrayRef, Option<BooleanBuffer>)> {
    let decoded = decoder.flush();
    assert_eq!(decoded.batch.num_rows(), 1);
    decoded.batch.columns().iter().cloned().zip(decoded.type_errors).collect()
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn agrees_with_prost(seed in any::<u64>()) {
        let mut random = Random(seed);
        let mut decoder = decoder(&all_fields());
        // Two messages one after the other are one: fields merge, and members of a `oneof` replace each other.
        let parts: Vec<Vec<u8>> =
            (0..2).map(|_| random.message(&descriptor(), 0).encode_to_vec()).collect();
        for bytes in [&parts[0], &parts[1], &parts.concat()] {
            let expected = oracle(bytes).unwrap();
            prop_assert_eq!(decoder.decode(&payload(bytes)), Outcome::Rows(1));
            for ((found, expected), (pointer, _)) in row(&mut decoder).iter().zip(&expected).zip(wanted()) {
                prop_assert_eq!(found, expected, "{}", pointer);
            }
        }
    }

    /// What is cut, flipped or random never panics; what the oracle can read is read alike; what follows is untouched.
    #[test]
    fn mutations_leave_no_trace(seed in any::<u64>(), junk in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut random = Random(seed);
        let mut decoder = decoder(&all_fields());
        let good = random.message(&descriptor(), 0).encode_to_vec();
        let expected = oracle(&good).unwrap();
        let mut flipped = good.clone();
        if !good.is_empty() {
            flipped[random.below(good.len() as u64) as usize] ^= 1 << random.below(8);
        }
        let cut = &good[..random.below(good.len() as u64 + 1) as usize];
        for mutant in [cut, &flipped, &junk] {
            let outcome = decoder.decode(&payload(mutant));
            let alike = if is_lax(mutant) { None } else { oracle(mutant) };
            if let Some(alike) = alike {
                prop_assert_eq!(&outcome, &Outcome::Rows(1), "{:?}", mutant);
                for ((found, alike), (pointer, _)) in row(&mut decoder).iter().zip(&alike).zip(wanted()) {
                    prop_assert_eq!(found, alike, "{} of {:?}", pointer, mutant);
                }
            } else {
                decoder.flush();
            }
            prop_assert_eq!(decoder.decode(&payload(&good)), Outcome::Rows(1));
            prop_assert_eq!(&row(&mut decoder), &expected);
        }
    }
}
