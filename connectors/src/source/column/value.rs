//! Values of formats that carry types: Avro, Protobuf, Arrow.
//!
//! The rule is SEMANTICS S4: the column's type decides, and a value of the same family (number, time, text, boolean)
//! becomes that type exactly or not at all. Integers, decimals and times never pass through a float. Numbers meet float
//! columns by rounding once to the nearest. Floats meet integer columns by their exact value, and decimal columns by the
//! shortest decimal that reads back as the same float, as a row does that is written as JSON.

use std::fmt::{self, Write};

use arrow_schema::TimeUnit;

use crate::source::datetime::per_second;

/// A typed value on its way into a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Single(f32),
    Double(f64),
    /// `unscaled` times 10^-`scale`.
    Decimal {
        unscaled: i128,
        scale: i32,
    },
    Text(&'a str),
    /// Bytes that are no text; in a column of lists they are little-endian float32.
    Bytes(&'a [u8]),
    /// Days since the epoch.
    Days(i64),
    Time(Ticks),
    /// A list of numbers.
    Floats(&'a [Option<f64>]),
    /// A value of a type that fits no column.
    Other,
}

/// A point in time: `count` of `unit` since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticks {
    pub(crate) count: i64,
    pub(crate) unit: TimeUnit,
    /// Nanoseconds on top, below one `unit`.
    pub(crate) nanos: u32,
}

impl Ticks {
    pub(crate) fn new(count: i64, unit: TimeUnit) -> Self {
        Self { count, unit, nanos: 0 }
    }

    /// Counts of `unit`, rounded towards the past; `None` if that does not fit.
    pub(crate) fn in_unit(self, unit: TimeUnit) -> Option<i64> {
        let (from, to) = (per_second(self.unit), per_second(unit));
        if to <= from {
            return Some(self.count.div_euclid(from / to));
        }
        let finer = i128::from(self.count) * i128::from(to / from);
        let part = i64::from(self.nanos) / (per_second(TimeUnit::Nanosecond) / to);
        i64::try_from(finer + i128::from(part)).ok()
    }

    /// Days since the epoch, if this is a midnight.
    pub(crate) fn whole_days(self) -> Option<i32> {
        let day = 86_400 * per_second(self.unit);
        let midnight = self.nanos == 0 && self.count.rem_euclid(day) == 0;
        midnight.then(|| self.count.div_euclid(day)).and_then(|days| i32::try_from(days).ok())
    }
}

/// The text of a number, on the stack: as JSON would write it, for the parsers that every format shares.
pub(crate) struct Digits {
    bytes: [u8; 64],
    length: usize,
}

impl Digits {
    /// The shortest decimal that reads back as `value`; `None` for NaN and infinities.
    pub(crate) fn of_double(value: f64) -> Option<Self> {
        value.is_finite().then(|| Self::of(format_args!("{value:e}")))?
    }

    /// The same for single precision, where fewer digits are needed.
    pub(crate) fn of_single(value: f32) -> Option<Self> {
        value.is_finite().then(|| Self::of(format_args!("{value:e}")))?
    }

    pub(crate) fn of_decimal(unscaled: i128, scale: i32) -> Option<Self> {
        Self::of(format_args!("{unscaled}e{}", -i64::from(scale)))
    }

    pub(crate) fn of_integer(value: i128) -> Option<Self> {
        Self::of(format_args!("{value}"))
    }

    fn of(text: fmt::Arguments<'_>) -> Option<Self> {
        let mut digits = Self { bytes: [0; 64], length: 0 };
        digits.write_fmt(text).ok()?;
        Some(digits)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// The literal of a number of any type, or `None` if it is no finite number.
pub(super) fn digits(value: Value<'_>) -> Option<Digits> {
    match value {
        Value::Int(value) => Digits::of_integer(value.into()),
        Value::UInt(value) => Digits::of_integer(value.into()),
        Value::Single(value) => Digits::of_single(value),
        Value::Double(value) => Digits::of_double(value),
        Value::Decimal { unscaled, scale } => Digits::of_decimal(unscaled, scale),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{
        Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int64Type, TimestampMillisecondType,
        UInt64Type,
    };
    use arrow_array::{Array, ArrayRef};
    use arrow_schema::{DataType, Field};
    use proptest::prelude::*;

    use super::super::{Column, Json};
    use super::*;

    fn column(data_type: &DataType, values: &[Value<'_>]) -> (ArrayRef, Vec<usize>) {
        column_in(data_type, None, values)
    }

    fn column_in(
        data_type: &DataType,
        epoch: Option<TimeUnit>,
        values: &[Value<'_>],
    ) -> (ArrayRef, Vec<usize>) {
        let mut column = Column::new(data_type, epoch, 4).unwrap();
        values.iter().for_each(|&value| column.push_value(value));
        let (array, errors) = column.finish();
        assert_eq!(array.len(), values.len());
        (array, errors.map(|mask| mask.set_indices().collect()).unwrap_or_default())
    }

    #[test]
    fn numbers_fit_exactly_or_not_at_all() {
        let values = [
            Value::Int(-128),
            Value::Int(128),
            Value::UInt(7),
            Value::Double(3.0),
            Value::Double(3.5),
            Value::Single(-0.0),
            Value::Double(f64::NAN),
            Value::Decimal { unscaled: 1200, scale: 2 },
            Value::Decimal { unscaled: 1201, scale: 2 },
            Value::Bool(true),
            Value::Text("1"),
            Value::Null,
        ];
        let (array, errors) = column(&DataType::Int8, &values);
        assert_eq!(errors, [1, 4, 6, 8, 9, 10]);
        let kept: Vec<_> = array.as_primitive::<Int8Type>().iter().collect();
        let expected =
            [Some(-128), None, Some(7), Some(3), None, Some(0), None, Some(12), None, None, None, None];
        assert_eq!(kept, expected);

        let edges = [
            Value::Int(i64::MAX),
            Value::UInt(u64::MAX),
            Value::Double(9_223_372_036_854_775_808.0),
            Value::Double(-9_223_372_036_854_775_808.0),
        ];
        let (array, errors) = column(&DataType::Int64, &edges);
        assert_eq!(errors, [1, 2]);
        assert_eq!(array.as_primitive::<Int64Type>().value(0), i64::MAX);
        assert_eq!(array.as_primitive::<Int64Type>().value(3), i64::MIN);
        let (array, errors) = column(&DataType::UInt64, &[Value::UInt(u64::MAX), Value::Int(-1)]);
        assert_eq!(errors, [1]);
        assert_eq!(array.as_primitive::<UInt64Type>().value(0), u64::MAX);
    }

    #[test]
    fn numbers_round_once_into_floats() {
        let values = [
            Value::Int(9_007_199_254_740_993),
            Value::Decimal { unscaled: 9_007_199_254_740_993, scale: 1 },
            Value::Single(0.1),
            Value::Double(f64::NEG_INFINITY),
            Value::UInt(u64::MAX),
            Value::Text("1.5"),
        ];
        let (array, errors) = column(&DataType::Float64, &values);
        assert_eq!(errors, [5]);
        let floats = array.as_primitive::<Float64Type>();
        assert_eq!(floats.value(0), 9_007_199_254_740_992.0);
        assert_eq!(floats.value(1), "900719925474099.3".parse::<f64>().unwrap());
        assert_eq!(floats.value(2), f64::from(0.1_f32));
        assert_eq!(floats.value(3), f64::NEG_INFINITY);
        assert_eq!(floats.value(4), 18_446_744_073_709_551_616.0);
        // 2^24 + 1 + 2^-30: by way of f64 it would round to even, straight it rounds up.
        let (array, _) = column(
            &DataType::Float32,
            &[Value::Int((1 << 54) + (1 << 30) + 1), Value::Double(0.1), Value::Double(1e300)],
        );
        let floats = array.as_primitive::<Float32Type>();
        assert_eq!(floats.value(0), ((1_u64 << 54) + (1 << 31)) as f32);
        assert_eq!((floats.value(1), floats.value(2)), (0.1, f32::INFINITY));
    }

    #[test]
    fn decimals_are_exact() {
        let values = [
            Value::Double(19.99),
            Value::Single(19.99),
            Value::Int(7),
            Value::Decimal { unscaled: 19_990, scale: 3 },
            Value::Decimal { unscaled: 19_991, scale: 3 },
            Value::Double(1e10),
        ];
        let (array, errors) = column(&DataType::Decimal128(6, 2), &values);
        assert_eq!(errors, [4, 5]);
        let kept: Vec<_> = array.as_primitive::<Decimal128Type>().iter().flatten().collect();
        assert_eq!(kept, [1999, 1999, 700, 1999]);
    }

    #[test]
    fn times_keep_their_instant() {
        let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
        let values = [
            Value::Time(Ticks::new(-1, TimeUnit::Microsecond)),
            Value::Time(Ticks { count: 2, unit: TimeUnit::Second, nanos: 999_999_999 }),
            Value::Days(1),
            Value::Text("1970-01-01T00:00:01Z"),
            Value::Int(5),
            Value::Time(Ticks::new(i64::MAX, TimeUnit::Second)),
            Value::Text("soon"),
        ];
        let (array, errors) = column(&millis, &values);
        assert_eq!(errors, [4, 5, 6], "a bare number has no unit");
        let kept: Vec<_> = array.as_primitive::<TimestampMillisecondType>().iter().flatten().collect();
        assert_eq!(kept, [-1, 2999, 86_400_000, 1000]);

        let numbers = [Value::Int(5), Value::Double(1.5), Value::Decimal { unscaled: -15, scale: 1 }];
        let (array, errors) = column_in(&millis, Some(TimeUnit::Second), &numbers);
        assert_eq!(errors, [0_usize; 0]);
        let kept: Vec<_> = array.as_primitive::<TimestampMillisecondType>().iter().flatten().collect();
        assert_eq!(kept, [5000, 1500, -1500]);

        let days = [
            Value::Days(-1),
            Value::Time(Ticks::new(86_400_000, TimeUnit::Millisecond)),
            Value::Time(Ticks::new(1, TimeUnit::Millisecond)),
            Value::Text("1970-01-03"),
            Value::Int(1),
        ];
        let (array, errors) = column(&DataType::Date32, &days);
        assert_eq!(errors, [2, 4]);
        assert_eq!(array.as_primitive::<Date32Type>().values(), &[-1, 1, 0, 2, 0]);
    }

    #[test]
    fn lists_come_as_numbers_or_as_bytes() {
        let item = std::sync::Arc::new(Field::new_list_field(DataType::Float32, true));
        let bytes: Vec<u8> = [1.5_f32, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let values = [
            Value::Floats(&[Some(1.5), Some(-2.0)]),
            Value::Bytes(&bytes),
            Value::Text("AADAPwAAAMA="),
            Value::Text("AADAPwAAAMA"),
            Value::Floats(&[Some(1.0)]),
            Value::Bytes(&bytes[..7]),
            Value::Text("AADAPw!="),
            Value::Double(1.0),
        ];
        let (array, errors) = column(&DataType::FixedSizeList(std::sync::Arc::clone(&item), 2), &values);
        assert_eq!(errors, [4, 5, 6, 7]);
        for row in 0..4 {
            let list = array.as_fixed_size_list().value(row);
            assert_eq!(list.as_primitive::<Float32Type>().values(), &[1.5, -2.0], "row {row}");
        }
        let (array, errors) = column(&DataType::List(item), &values);
        assert_eq!(errors, [5, 6, 7]);
        assert_eq!(array.as_list::<i32>().value_length(4), 1);
    }

    #[test]
    fn texts_and_booleans_are_not_mixed() {
        let values = [Value::Text(""), Value::Int(1), Value::Bool(true), Value::Bytes(b"x"), Value::Other];
        assert_eq!(column(&DataType::Utf8, &values).1, [1, 2, 3, 4]);
        assert_eq!(column(&DataType::Boolean, &values).1, [0, 1, 3, 4]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(5), failure_persistence: None, ..ProptestConfig::default() })]

        /// A row has the same values whether it comes typed or as JSON.
        #[test]
        fn agrees_with_json(bits in any::<u64>(), number in any::<i64>()) {
            let double = f64::from_bits(bits);
            let decimal = DataType::Decimal128(38, 10);
            for data_type in [DataType::Float64, DataType::Float32, DataType::Int64, DataType::UInt8, decimal] {
                let near = (number >> 11) as f64;
                let pairs = [
                    (Value::Int(number), number.to_string()),
                    (Value::Double(near), format!("{near}")),
                    (Value::Double(double), format!("{double:e}")),
                ];
                for (value, text) in pairs {
                    // Beyond 2^53 a double's shortest decimal is seldom its exact value.
                    let is_far = double.abs() > near.abs() && data_type == DataType::Int64;
                    if text.contains(['N', 'i']) || (is_far && text.contains('e')) {
                        continue;
                    }
                    let mut json = Column::new(&data_type, None, 1).unwrap();
                    json.push_json(Json::Number(&text));
                    let mut typed = Column::new(&data_type, None, 1).unwrap();
                    typed.push_value(value);
                    prop_assert_eq!(typed.finish(), json.finish(), "{} as {}", text, data_type);
                }
            }
        }
    }
}
