//! The values of an Arrow array, one by one, on their way into a column.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type,
    Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, OffsetSizeTrait};
use arrow_buffer::{ArrowNativeType, NullBuffer};
use arrow_schema::{DataType, TimeUnit};

use crate::source::column::{Column, Ticks, Value};

/// Where a column's values are in a batch.
pub(super) struct Found {
    pub(super) array: ArrayRef,
    /// Nulls of the structs around it.
    pub(super) above: Option<NullBuffer>,
}

impl Found {
    /// Appends all values.
    pub(super) fn push(&self, column: &mut Column, scratch: &mut Vec<Option<f64>>) {
        let nulls = NullBuffer::union(self.array.logical_nulls().as_ref(), self.above.as_ref());
        let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        match reader(self.array.as_ref()) {
            Reader::Plain(value) => {
                for row in 0..self.array.len() {
                    column.push_value(if is_null(row) { Value::Null } else { value(row) });
                }
            }
            Reader::Lists { range, item } => {
                for row in 0..self.array.len() {
                    if is_null(row) {
                        column.push_null();
                        continue;
                    }
                    scratch.clear();
                    scratch.extend(range(row).map(&item));
                    column.push_value(Value::Floats(scratch));
                }
            }
        }
    }

    /// Bytes of all texts, each counted as often as it is meant: dictionaries and views may mean one text a million
    /// times.
    pub(super) fn text_bytes(&self) -> usize {
        let repeats = matches!(self.array.data_type(), DataType::Dictionary(..) | DataType::Utf8View);
        match reader(self.array.as_ref()) {
            Reader::Plain(value) if repeats => (0..self.array.len())
                .filter(|&row| self.array.is_valid(row))
                .map(|row| if let Value::Text(text) = value(row) { text.len() } else { 0 })
                .sum(),
            _ => 0,
        }
    }
}

type At<'a, T> = Box<dyn Fn(usize) -> T + 'a>;

/// Reads a row that is not null.
enum Reader<'a> {
    Plain(At<'a, Value<'a>>),
    Lists { range: At<'a, Range<usize>>, item: At<'a, Option<f64>> },
}

fn reader(array: &dyn Array) -> Reader<'_> {
    use DataType as T;

    match array.data_type() {
        T::List(_) => lists::<i32>(array),
        T::LargeList(_) => lists::<i64>(array),
        T::FixedSizeList(_, length) => {
            let list = array.as_fixed_size_list();
            let length = usize::try_from(*length).unwrap_or(0);
            match number(list.values().as_ref()) {
                None => Reader::Plain(Box::new(|_| Value::Other)),
                Some(item) => Reader::Lists {
                    range: Box::new(move |row| {
                        let start = list.value_offset_at(row);
                        start..start + length
                    }),
                    item,
                },
            }
        }
        _ => Reader::Plain(value(array)),
    }
}

fn lists<O: OffsetSizeTrait>(array: &dyn Array) -> Reader<'_> {
    let list = array.as_list::<O>();
    match number(list.values().as_ref()) {
        None => Reader::Plain(Box::new(|_| Value::Other)),
        Some(item) => {
            let offsets = list.value_offsets();
            Reader::Lists {
                range: Box::new(|row| offsets[row].as_usize()..offsets[row + 1].as_usize()),
                item,
            }
        }
    }
}

/// The items of a list of numbers.
fn number(items: &dyn Array) -> Option<At<'_, Option<f64>>> {
    if !items.data_type().is_integer() && !items.data_type().is_floating() {
        return None;
    }
    let value = value(items);
    Some(Box::new(move |at| {
        if items.is_null(at) {
            return None;
        }
        match value(at) {
            Value::Int(value) => Some(value as f64),
            Value::UInt(value) => Some(value as f64),
            Value::Single(value) => Some(value.into()),
            Value::Double(value) => Some(value),
            _ => None,
        }
    }))
}

fn value(array: &dyn Array) -> At<'_, Value<'_>> {
    use DataType as T;

    match array.data_type() {
        T::Boolean => {
            let array = array.as_boolean();
            Box::new(|row| Value::Bool(array.value(row)))
        }
        T::Int8 => primitive::<Int8Type>(array, |value| Value::Int(value.into())),
        T::Int16 => primitive::<Int16Type>(array, |value| Value::Int(value.into())),
        T::Int32 => primitive::<Int32Type>(array, |value| Value::Int(value.into())),
        T::Int64 => primitive::<Int64Type>(array, Value::Int),
        T::UInt8 => primitive::<UInt8Type>(array, |value| Value::Int(value.into())),
        T::UInt16 => primitive::<UInt16Type>(array, |value| Value::Int(value.into())),
        T::UInt32 => primitive::<UInt32Type>(array, |value| Value::Int(value.into())),
        T::UInt64 => primitive::<UInt64Type>(array, Value::UInt),
        T::Float16 => primitive::<Float16Type>(array, |value| Value::Single(value.to_f32())),
        T::Float32 => primitive::<Float32Type>(array, Value::Single),
        T::Float64 => primitive::<Float64Type>(array, Value::Double),
        T::Decimal32(_, scale) => decimal::<Decimal32Type>(array, *scale),
        T::Decimal64(_, scale) => decimal::<Decimal64Type>(array, *scale),
        T::Decimal128(_, scale) => decimal::<Decimal128Type>(array, *scale),
        T::Date32 => primitive::<Date32Type>(array, |value| Value::Days(value.into())),
        T::Date64 => time::<Date64Type>(array, TimeUnit::Millisecond),
        T::Timestamp(TimeUnit::Second, _) => time::<TimestampSecondType>(array, TimeUnit::Second),
        T::Timestamp(TimeUnit::Millisecond, _) => {
            time::<TimestampMillisecondType>(array, TimeUnit::Millisecond)
        }
        T::Timestamp(TimeUnit::Microsecond, _) => {
            time::<TimestampMicrosecondType>(array, TimeUnit::Microsecond)
        }
        T::Timestamp(TimeUnit::Nanosecond, _) => time::<TimestampNanosecondType>(array, TimeUnit::Nanosecond),
        T::Utf8 => {
            let array = array.as_string::<i32>();
            Box::new(|row| Value::Text(array.value(row)))
        }
        T::LargeUtf8 => {
            let array = array.as_string::<i64>();
            Box::new(|row| Value::Text(array.value(row)))
        }
        T::Utf8View => {
            let array = array.as_string_view();
            Box::new(|row| Value::Text(array.value(row)))
        }
        T::Binary => {
            let array = array.as_binary::<i32>();
            Box::new(|row| Value::Bytes(array.value(row)))
        }
        T::LargeBinary => {
            let array = array.as_binary::<i64>();
            Box::new(|row| Value::Bytes(array.value(row)))
        }
        T::BinaryView => {
            let array = array.as_binary_view();
            Box::new(|row| Value::Bytes(array.value(row)))
        }
        T::FixedSizeBinary(_) => {
            let array = array.as_fixed_size_binary();
            Box::new(|row| Value::Bytes(array.value(row)))
        }
        T::Dictionary(key, _) => match key.as_ref() {
            T::Int8 => dictionary::<Int8Type>(array),
            T::Int16 => dictionary::<Int16Type>(array),
            T::Int32 => dictionary::<Int32Type>(array),
            T::Int64 => dictionary::<Int64Type>(array),
            T::UInt8 => dictionary::<UInt8Type>(array),
            T::UInt16 => dictionary::<UInt16Type>(array),
            T::UInt32 => dictionary::<UInt32Type>(array),
            _ => dictionary::<UInt64Type>(array),
        },
        T::Null => Box::new(|_| Value::Null),
        _ => Box::new(|_| Value::Other),
    }
}

fn primitive<'a, T: ArrowPrimitiveType>(
    array: &'a dyn Array,
    wrap: impl Fn(T::Native) -> Value<'a> + 'a,
) -> At<'a, Value<'a>> {
    let values = array.as_primitive::<T>().values();
    Box::new(move |row| wrap(values[row]))
}

fn decimal<T>(array: &dyn Array, scale: i8) -> At<'_, Value<'_>>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i128>,
{
    primitive::<T>(array, move |value| Value::Decimal { unscaled: value.into(), scale: scale.into() })
}

fn time<T: ArrowPrimitiveType<Native = i64>>(array: &dyn Array, unit: TimeUnit) -> At<'_, Value<'_>> {
    primitive::<T>(array, move |count| Value::Time(Ticks::new(count, unit)))
}

/// Dictionaries may also hold null.
fn dictionary<K: ArrowDictionaryKeyType>(array: &dyn Array) -> At<'_, Value<'_>> {
    let dictionary = array.as_dictionary::<K>();
    let (keys, values) = (dictionary.keys().values(), dictionary.values());
    let value = value(values.as_ref());
    Box::new(move |row| {
        let key = keys[row].as_usize();
        if values.is_null(key) { Value::Null } else { value(key) }
    })
}
