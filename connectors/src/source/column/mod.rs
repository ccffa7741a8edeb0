//! Columns that grow value by value, for the formats that are read record by record.
//!
//! A column takes a value whatever it is: one that does not fit becomes null and is remembered as a type error, so no
//! value can end a record or a file. JSON values must already have the column's JSON type (`"1.5"` is no number), values
//! of typed formats one of its family; CSV fields have no types, so any text that reads as the column's type will do.

mod list;
mod scalar;
mod text;
mod value;

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{BooleanBuilder, NullBuilder};
use arrow_array::types::{
    Decimal32Type, Decimal64Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use arrow_schema::{DataType, FieldRef, TimeUnit};

use self::list::{FixedLists, Lists};
use self::scalar::{Days, Decimal, Float, Integer, Scalars, Timestamp};
use self::text::Strings;
pub(crate) use self::value::{Ticks, Value};

/// A JSON value on its way into a column. Texts are unescaped; numbers and arrays are still text.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// A literal in JSON's grammar.
    Number(&'a str),
    /// NaN or an infinity, as Python writes them.
    NonFinite(f64),
    Text(&'a str),
    /// A whole array, brackets included.
    Array(&'a str),
    Object,
}

/// The values of one column. A `push` that returns false has appended nothing.
trait Values: Send {
    fn push_json(&mut self, value: Json<'_>) -> bool;
    fn push_text(&mut self, text: &str) -> bool;
    fn push_value(&mut self, value: Value<'_>) -> bool;
    fn push_null(&mut self);
    fn finish(&mut self) -> ArrayRef;
}

/// One column of the batch being built.
pub(crate) struct Column {
    values: Box<dyn Values>,
    rows: u32,
    type_errors: Vec<u32>,
}

impl Column {
    /// A column of `data_type`; numbers in a timestamp column count `epoch` units since the epoch, or are type errors
    /// if it is `None`.
    ///
    /// # Errors
    /// The reason, if text cannot be decoded to the type.
    pub(crate) fn new(data_type: &DataType, epoch: Option<TimeUnit>, rows: usize) -> Result<Self, String> {
        let values = values(&decoded_type(data_type), epoch, rows)?;
        Ok(Self { values, rows: 0, type_errors: Vec::new() })
    }

    pub(crate) fn push_json(&mut self, value: Json<'_>) {
        let fits = match value {
            Json::Null => {
                self.values.push_null();
                true
            }
            value => self.values.push_json(value),
        };
        self.end_row(fits);
    }

    /// Appends a value of a format that carries types.
    #[inline]
    pub(crate) fn push_value(&mut self, value: Value<'_>) {
        let fits = match value {
            Value::Null => {
                self.values.push_null();
                true
            }
            value => self.values.push_value(value),
        };
        self.end_row(fits);
    }

    /// Appends a text without a type, such as a CSV field or a header, that is not null.
    pub(crate) fn push_text(&mut self, text: &str) {
        let fits = self.values.push_text(text);
        self.end_row(fits);
    }

    pub(crate) fn push_null(&mut self) {
        self.values.push_null();
        self.end_row(true);
    }

    /// Appends null and counts a type error.
    pub(crate) fn push_type_error(&mut self) {
        self.end_row(false);
    }

    fn end_row(&mut self, fits: bool) {
        if !fits {
            self.values.push_null();
            self.type_errors.push(self.rows);
        }
        self.rows += 1;
    }

    /// Takes the rows so far and the mask of type errors, if there was one.
    pub(crate) fn finish(&mut self) -> (ArrayRef, Option<BooleanBuffer>) {
        let mask = (!self.type_errors.is_empty()).then(|| {
            let mut mask = BooleanBufferBuilder::new(self.rows as usize);
            mask.append_n(self.rows as usize, false);
            self.type_errors.drain(..).for_each(|row| mask.set_bit(row as usize, true));
            mask.finish()
        });
        self.rows = 0;
        (self.values.finish(), mask)
    }
}

/// The type that a column asked for as `data_type` is decoded to: every encoding of strings becomes `Utf8`, since they
/// are one logical type (SEMANTICS S4), and items of lists may be null, since text cannot promise otherwise.
pub(crate) fn decoded_type(data_type: &DataType) -> DataType {
    let nullable = |item: &FieldRef| Arc::new(item.as_ref().clone().with_nullable(true));
    match data_type {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Dictionary(_, value) => decoded_type(value),
        DataType::List(item) => DataType::List(nullable(item)),
        DataType::FixedSizeList(item, length) => DataType::FixedSizeList(nullable(item), *length),
        other => other.clone(),
    }
}

fn values(data_type: &DataType, epoch: Option<TimeUnit>, rows: usize) -> Result<Box<dyn Values>, String> {
    use DataType as T;

    macro_rules! scalars {
        ($arrow:ty, $parse:expr) => {
            Ok(Box::new(Scalars::<$arrow, _>::new(data_type, $parse, rows)))
        };
    }
    match data_type {
        T::Null => Ok(Box::new(NullBuilder::new())),
        T::Boolean => Ok(Box::new(BooleanBuilder::with_capacity(rows))),
        T::Int8 => scalars!(Int8Type, Integer),
        T::Int16 => scalars!(Int16Type, Integer),
        T::Int32 => scalars!(Int32Type, Integer),
        T::Int64 => scalars!(Int64Type, Integer),
        T::UInt8 => scalars!(UInt8Type, Integer),
        T::UInt16 => scalars!(UInt16Type, Integer),
        T::UInt32 => scalars!(UInt32Type, Integer),
        T::UInt64 => scalars!(UInt64Type, Integer),
        T::Float16 => scalars!(Float16Type, Float),
        T::Float32 => scalars!(Float32Type, Float),
        T::Float64 => scalars!(Float64Type, Float),
        &T::Decimal32(precision, scale) => scalars!(Decimal32Type, Decimal { precision, scale }),
        &T::Decimal64(precision, scale) => scalars!(Decimal64Type, Decimal { precision, scale }),
        &T::Decimal128(precision, scale) => scalars!(Decimal128Type, Decimal { precision, scale }),
        T::Date32 => scalars!(arrow_array::types::Date32Type, Days),
        &T::Timestamp(unit, _) => {
            let parse = Timestamp { unit, epoch };
            match unit {
                TimeUnit::Second => scalars!(TimestampSecondType, parse),
                TimeUnit::Millisecond => scalars!(TimestampMillisecondType, parse),
                TimeUnit::Microsecond => scalars!(TimestampMicrosecondType, parse),
                TimeUnit::Nanosecond => scalars!(TimestampNanosecondType, parse),
            }
        }
        T::Utf8 => Ok(Box::new(Strings::new(rows))),
        T::List(item) => match item.data_type() {
            T::Float16 => Ok(Box::new(Lists::<Float16Type>::new(item))),
            T::Float32 => Ok(Box::new(Lists::<Float32Type>::new(item))),
            T::Float64 => Ok(Box::new(Lists::<Float64Type>::new(item))),
            other => Err(unsupported(other, "lists hold float16, float32 or float64 here")),
        },
        T::FixedSizeList(item, length) => match item.data_type() {
            T::Float16 => Ok(Box::new(FixedLists::<Float16Type>::new(item, *length))),
            T::Float32 => Ok(Box::new(FixedLists::<Float32Type>::new(item, *length))),
            T::Float64 => Ok(Box::new(FixedLists::<Float64Type>::new(item, *length))),
            other => Err(unsupported(other, "lists hold float16, float32 or float64 here")),
        },
        other => Err(unsupported(
            other,
            "expected a boolean, number, decimal of up to 128 bits, string, date, timestamp or list of floats",
        )),
    }
}

fn unsupported(data_type: &DataType, expected: &str) -> String {
    format!("text cannot be decoded to `{data_type}`: {expected}")
}

impl Values for NullBuilder {
    fn push_json(&mut self, _: Json<'_>) -> bool {
        false
    }

    fn push_text(&mut self, _: &str) -> bool {
        false
    }

    fn push_value(&mut self, _: Value<'_>) -> bool {
        false
    }

    fn push_null(&mut self) {
        self.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(Self::finish(self))
    }
}

impl Values for BooleanBuilder {
    fn push_json(&mut self, value: Json<'_>) -> bool {
        let Json::Bool(value) = value else { return false };
        self.append_value(value);
        true
    }

    /// `true`, `false`, `t`, `f`, `1` and `0`, in any case.
    fn push_text(&mut self, text: &str) -> bool {
        let is = |words: [&str; 3]| words.iter().any(|w| text.trim().eq_ignore_ascii_case(w));
        if is(["true", "t", "1"]) {
            self.append_value(true);
        } else if is(["false", "f", "0"]) {
            self.append_value(false);
        } else {
            return false;
        }
        true
    }

    fn push_value(&mut self, value: Value<'_>) -> bool {
        let Value::Bool(value) = value else { return false };
        self.append_value(value);
        true
    }

    fn push_null(&mut self) {
        self.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(Self::finish(self))
    }
}
