//! Columns of numbers and times: text or a typed value straight to the column's own type, exactly or not at all.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::PrimitiveBuilder;
use arrow_array::types::{ArrowPrimitiveType, Date32Type};
use arrow_schema::{DataType, TimeUnit};

use super::value::digits;
use super::{Json, Ticks, Value, Values};
use crate::source::datetime;
use crate::source::number::{Excess, scaled};

/// How one type reads its values.
pub(super) trait Parse<T: ArrowPrimitiveType>: Send {
    fn json(&self, value: Json<'_>) -> Option<T::Native>;
    fn text(&self, text: &str) -> Option<T::Native>;
    fn typed(&self, value: Value<'_>) -> Option<T::Native>;
}

/// A column of `T`.
pub(super) struct Scalars<T: ArrowPrimitiveType, P> {
    values: PrimitiveBuilder<T>,
    parse: P,
}

impl<T: ArrowPrimitiveType, P: Parse<T>> Scalars<T, P> {
    pub(super) fn new(data_type: &DataType, parse: P, rows: usize) -> Self {
        let values = PrimitiveBuilder::with_capacity(rows).with_data_type(data_type.clone());
        Self { values, parse }
    }

    fn push(&mut self, value: Option<T::Native>) -> bool {
        value.map(|value| self.values.append_value(value)).is_some()
    }
}

impl<T: ArrowPrimitiveType, P: Parse<T>> Values for Scalars<T, P> {
    fn push_json(&mut self, value: Json<'_>) -> bool {
        let value = self.parse.json(value);
        self.push(value)
    }

    fn push_text(&mut self, text: &str) -> bool {
        let value = self.parse.text(text);
        self.push(value)
    }

    fn push_value(&mut self, value: Value<'_>) -> bool {
        let value = self.parse.typed(value);
        self.push(value)
    }

    fn push_null(&mut self) {
        self.values.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.values.finish())
    }
}

/// Integers: any literal whose value is integral and in range, so that `3.0`, which is how pandas writes a nullable
/// integer, is 3 (SEMANTICS S4).
pub(super) struct Integer;

impl<T> Parse<T> for Integer
where
    T: ArrowPrimitiveType,
    T::Native: TryFrom<i128> + TryFrom<i64>,
{
    fn json(&self, value: Json<'_>) -> Option<T::Native> {
        match value {
            Json::Number(text) => T::Native::try_from(scaled(text, 0, Excess::Refuse)?).ok(),
            _ => None,
        }
    }

    fn typed(&self, value: Value<'_>) -> Option<T::Native> {
        match value {
            Value::Int(value) => T::Native::try_from(value).ok(),
            Value::UInt(value) => T::Native::try_from(i128::from(value)).ok(),
            Value::Double(value) => T::Native::try_from(whole(value)?).ok(),
            Value::Single(value) => T::Native::try_from(whole(value.into())?).ok(),
            value => Parse::<T>::json(self, Json::Number(digits(value)?.as_str())),
        }
    }

    fn text(&self, text: &str) -> Option<T::Native> {
        T::Native::try_from(scaled(text.trim(), 0, Excess::Refuse)?).ok()
    }
}

/// The integer that a float is, if it is one of at most 127 bits.
fn whole(value: f64) -> Option<i128> {
    (value.trunc() == value && value.abs() < 2_f64.powi(127)).then_some(value as i128)
}

/// Floats, rounded once from the text to the nearest value of their own width; beyond the largest it is an infinity.
pub(super) struct Float;

impl<T> Parse<T> for Float
where
    T: ArrowPrimitiveType,
    T::Native: FloatText,
{
    fn json(&self, value: Json<'_>) -> Option<T::Native> {
        match value {
            Json::Number(text) => T::Native::of_text(text),
            Json::NonFinite(value) => Some(T::Native::of_f64(value)),
            _ => None,
        }
    }

    fn typed(&self, value: Value<'_>) -> Option<T::Native> {
        match value {
            Value::Double(value) => Some(T::Native::of_f64(value)),
            Value::Single(value) => Some(T::Native::of_f64(value.into())),
            Value::Int(value) => Some(T::Native::of_i64(value)),
            value => T::Native::of_text(digits(value)?.as_str()),
        }
    }

    /// Besides numbers also `nan`, `inf` and `infinity` in any case, with a sign.
    fn text(&self, text: &str) -> Option<T::Native> {
        T::Native::of_text(text.trim())
    }
}

/// A float type that can be read from text.
pub(super) trait FloatText: Sized {
    fn of_text(text: &str) -> Option<Self>;
    fn of_f64(value: f64) -> Self;
    fn of_i64(value: i64) -> Self;
}

impl FloatText for f64 {
    fn of_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn of_f64(value: f64) -> Self {
        value
    }

    fn of_i64(value: i64) -> Self {
        value as Self
    }
}

impl FloatText for f32 {
    fn of_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn of_f64(value: f64) -> Self {
        value as Self
    }

    fn of_i64(value: i64) -> Self {
        value as Self
    }
}

impl FloatText for half::f16 {
    /// By way of `f64`: only a text within 2^-53 of the middle between two half floats could round the other way.
    fn of_text(text: &str) -> Option<Self> {
        text.parse().ok().map(Self::from_f64)
    }

    fn of_f64(value: f64) -> Self {
        Self::from_f64(value)
    }

    fn of_i64(value: i64) -> Self {
        Self::from_f64(value as f64)
    }
}

/// Decimals: exact, so a literal with more digits than the scale holds does not fit.
pub(super) struct Decimal {
    pub(super) precision: u8,
    pub(super) scale: i8,
}

impl Decimal {
    /// A value of this scale, if it has no more digits than the precision.
    fn within<N: TryFrom<i128>>(&self, value: i128) -> Option<N> {
        let fits = value.unsigned_abs() < 10_u128.checked_pow(u32::from(self.precision))?;
        fits.then(|| N::try_from(value).ok()).flatten()
    }
}

impl<T> Parse<T> for Decimal
where
    T: ArrowPrimitiveType,
    T::Native: TryFrom<i128>,
{
    fn json(&self, value: Json<'_>) -> Option<T::Native> {
        match value {
            Json::Number(text) => Parse::<T>::text(self, text),
            _ => None,
        }
    }

    fn typed(&self, value: Value<'_>) -> Option<T::Native> {
        match value {
            Value::Decimal { unscaled, scale } if scale == i32::from(self.scale) => self.within(unscaled),
            value => Parse::<T>::text(self, digits(value)?.as_str()),
        }
    }

    fn text(&self, text: &str) -> Option<T::Native> {
        self.within(scaled(text.trim(), i32::from(self.scale), Excess::Refuse)?)
    }
}

/// Dates: `YYYY-MM-DD`, or a timestamp at midnight.
pub(super) struct Days;

impl Parse<Date32Type> for Days {
    fn json(&self, value: Json<'_>) -> Option<i32> {
        match value {
            Json::Text(text) => self.text(text),
            _ => None,
        }
    }

    fn typed(&self, value: Value<'_>) -> Option<i32> {
        match value {
            Value::Days(days) => i32::try_from(days).ok(),
            Value::Time(ticks) => ticks.whole_days(),
            Value::Text(text) => self.text(text),
            _ => None,
        }
    }

    fn text(&self, text: &str) -> Option<i32> {
        datetime::parse(text.trim())?.whole_days()
    }
}

/// Timestamps: RFC 3339, or numbers if their unit is known. Digits finer than the column's unit are dropped.
pub(super) struct Timestamp {
    pub(super) unit: TimeUnit,
    pub(super) epoch: Option<TimeUnit>,
}

impl Timestamp {
    fn count(&self, number: &str) -> Option<i64> {
        let finer = datetime::per_second(self.unit).ilog10() as i32;
        let scale = finer - datetime::per_second(self.epoch?).ilog10() as i32;
        i64::try_from(scaled(number, scale, Excess::Floor)?).ok()
    }
}

impl<T: ArrowPrimitiveType<Native = i64>> Parse<T> for Timestamp {
    fn json(&self, value: Json<'_>) -> Option<i64> {
        match value {
            Json::Text(text) => datetime::parse(text.trim())?.in_unit(self.unit),
            Json::Number(text) => self.count(text),
            _ => None,
        }
    }

    fn typed(&self, value: Value<'_>) -> Option<i64> {
        match value {
            Value::Time(ticks) => ticks.in_unit(self.unit),
            Value::Days(days) => Ticks::new(days.checked_mul(86_400)?, TimeUnit::Second).in_unit(self.unit),
            Value::Text(text) => datetime::parse(text.trim())?.in_unit(self.unit),
            value => {
                self.epoch?;
                self.count(digits(value)?.as_str())
            }
        }
    }

    fn text(&self, text: &str) -> Option<i64> {
        let text = text.trim();
        datetime::parse(text).and_then(|t| t.in_unit(self.unit)).or_else(|| self.count(text))
    }
}
