//! What a feature's values are, apart from how wide a file happens to store them (SEMANTICS S4).

use std::fmt;

use arrow_schema::{DataType, TimeUnit};

use crate::{Error, ErrorKind, Result};

/// The machine type in which a numeric feature's edges are held and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
    /// Integers of 64 bits.
    I64,
    /// Integers of 128 bits: `uint64` and decimals of more than 18 digits.
    I128,
}

/// The value of one step of an integer column: `numerator / denominator` of the feature's unit.
///
/// A decimal of scale 2 has `1/100`; time is in nanoseconds, so milliseconds have `1_000_000/1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit {
    /// Multiplies the stored integer.
    pub numerator: i128,
    /// Divides the stored integer.
    pub denominator: i128,
}

impl Unit {
    /// Plain numbers.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    fn decimal(scale: i8) -> Result<Self> {
        let power = 10_i128.checked_pow(u32::from(scale.unsigned_abs())).ok_or_else(|| {
            Error::new(
                ErrorKind::Schema,
                format!("decimal scale `{scale}` is out of range: expected -38 to 38"),
            )
        })?;
        Ok(if scale >= 0 {
            Self { numerator: 1, denominator: power }
        } else {
            Self { numerator: power, denominator: 1 }
        })
    }

    fn time(nanoseconds: i128) -> Self {
        Self { numerator: nanoseconds, denominator: 1 }
    }

    /// The unit as a float, to turn stored integers into values of the feature.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "powers of ten up to 22 are exact, larger ones round once"
    )]
    pub fn ratio(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// One step of this unit in steps of `own`: the first number divided by the second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "powers of ten up to 22 are exact")]
    pub(crate) fn steps_of(self, own: Self) -> (f64, f64) {
        let products =
            self.numerator.checked_mul(own.denominator).zip(own.numerator.checked_mul(self.denominator));
        let Some((up, down)) = products else { return (self.ratio() / own.ratio(), 1.0) };
        let shared = gcd(up, down).max(1);
        ((up / shared) as f64, (down / shared) as f64)
    }

    /// One step of this unit in steps of `own`, if that is a whole number.
    #[must_use]
    pub(crate) fn whole_steps_of(self, own: Self) -> Option<i128> {
        let up = self.numerator.checked_mul(own.denominator)?;
        let down = own.numerator.checked_mul(self.denominator)?;
        (up % down == 0).then(|| up / down)
    }
}

/// The greatest common divisor of two numbers that are not negative.
pub(crate) fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The family in which values can be compared at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Integers, floats, decimals.
    Number,
    /// Dates and timestamps, in nanoseconds since the epoch.
    Time,
    /// Strings.
    Text,
    /// True and false.
    Bool,
    /// Lists of numbers of one length.
    Vector,
}

impl Family {
    /// The name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Time => "time",
            Self::Text => "text",
            Self::Bool => "bool",
            Self::Vector => "vector",
        }
    }
}

/// The logical type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueType {
    /// What it can be compared with.
    pub family: Family,
    /// The machine type of its numbers; `I64` for text and bool, where it has no meaning.
    pub domain: Domain,
    /// The value of one step of an integer.
    pub unit: Unit,
}

impl ValueType {
    /// Vectors; compared as float32.
    pub const VECTOR: Self = Self { family: Family::Vector, domain: Domain::F32, unit: Unit::ONE };

    /// The logical type of an Arrow type.
    ///
    /// # Errors
    ///
    /// `Schema` for types that no feature can have: nested ones, binary, intervals, decimals over 38 digits.
    pub fn of(data_type: &DataType) -> Result<Self> {
        use DataType as D;
        let number = |domain| Ok(Self { family: Family::Number, domain, unit: Unit::ONE });
        let time = |nanoseconds| {
            Ok(Self { family: Family::Time, domain: Domain::I64, unit: Unit::time(nanoseconds) })
        };
        match data_type {
            D::Int8 | D::Int16 | D::Int32 | D::Int64 | D::UInt8 | D::UInt16 | D::UInt32 => {
                number(Domain::I64)
            }
            D::UInt64 => number(Domain::I128),
            D::Float16 | D::Float32 => number(Domain::F32),
            D::Float64 => number(Domain::F64),
            D::Decimal32(_, scale) | D::Decimal64(_, scale) => {
                Ok(Self { family: Family::Number, domain: Domain::I64, unit: Unit::decimal(*scale)? })
            }
            D::Decimal128(precision, scale) => {
                let domain = if *precision <= 18 { Domain::I64 } else { Domain::I128 };
                Ok(Self { family: Family::Number, domain, unit: Unit::decimal(*scale)? })
            }
            D::Date32 => time(86_400_000_000_000),
            D::Date64 | D::Timestamp(TimeUnit::Millisecond, _) => time(1_000_000),
            D::Timestamp(TimeUnit::Second, _) => time(1_000_000_000),
            D::Timestamp(TimeUnit::Microsecond, _) => time(1_000),
            D::Timestamp(TimeUnit::Nanosecond, _) => time(1),
            D::Utf8 | D::LargeUtf8 | D::Utf8View => {
                Ok(Self { family: Family::Text, domain: Domain::I64, unit: Unit::ONE })
            }
            D::Boolean => Ok(Self { family: Family::Bool, domain: Domain::I64, unit: Unit::ONE }),
            D::Dictionary(_, values) => Self::of(values),
            vectors if crate::embedding::is_vectors(vectors) => Ok(Self::VECTOR),
            other => Err(Error::new(
                ErrorKind::Schema,
                format!(
                    "type `{other}` cannot be a feature: expected a number, text, bool, date or timestamp"
                ),
            )),
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.family != Family::Number {
            return f.write_str(self.family.name());
        }
        match (self.domain, self.unit) {
            (Domain::F32, _) => f.write_str("float32"),
            (Domain::F64, _) => f.write_str("float64"),
            (_, Unit::ONE) => f.write_str("integer"),
            _ => f.write_str("decimal"),
        }
    }
}
