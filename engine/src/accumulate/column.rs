//! An Arrow column as a native slice and a bit mask, the form in which kernels see it.
//!
//! The widths that kernels know (f32, f64, i32, i64, i128) pass through without a copy; the others are widened.

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_schema::{DataType, TimeUnit};

use crate::kernel::Validity;
use crate::{Error, ErrorKind, Result};

/// The values of a column in one of the types that kernels count.
#[derive(Debug)]
pub(crate) enum Values<'a> {
    F32(Cow<'a, [f32]>),
    F64(Cow<'a, [f64]>),
    I32(Cow<'a, [i32]>),
    I64(Cow<'a, [i64]>),
    I128(Cow<'a, [i128]>),
}

/// Runs `$body` with `$slice` bound to the values inside.
macro_rules! for_values {
    ($values:expr, $slice:ident => $body:expr) => {
        match $values {
            $crate::accumulate::column::Values::F32($slice) => $body,
            $crate::accumulate::column::Values::F64($slice) => $body,
            $crate::accumulate::column::Values::I32($slice) => $body,
            $crate::accumulate::column::Values::I64($slice) => $body,
            $crate::accumulate::column::Values::I128($slice) => $body,
        }
    };
}
pub(crate) use for_values;

/// A numeric column's values; null rows hold anything.
///
/// # Errors
///
/// `Schema` if the column is not numeric.
pub(crate) fn numeric_values(array: &dyn Array) -> Result<Values<'_>> {
    use DataType as D;
    use TimeUnit as T;
    fn plain<T: ArrowPrimitiveType>(array: &dyn Array) -> Cow<'_, [T::Native]> {
        Cow::Borrowed(array.as_primitive::<T>().values())
    }
    fn widen<T: ArrowPrimitiveType, W>(array: &dyn Array, to: impl Fn(T::Native) -> W) -> Cow<'_, [W]>
    where
        [W]: ToOwned<Owned = Vec<W>>,
    {
        Cow::Owned(array.as_primitive::<T>().values().iter().map(|x| to(*x)).collect())
    }
    Ok(match array.data_type() {
        D::Float16 => Values::F32(widen::<Float16Type, _>(array, f32::from)),
        D::Float32 => Values::F32(plain::<Float32Type>(array)),
        D::Float64 => Values::F64(plain::<Float64Type>(array)),
        D::Int8 => Values::I32(widen::<Int8Type, _>(array, i32::from)),
        D::Int16 => Values::I32(widen::<Int16Type, _>(array, i32::from)),
        D::Int32 => Values::I32(plain::<Int32Type>(array)),
        D::Int64 => Values::I64(plain::<Int64Type>(array)),
        D::UInt8 => Values::I32(widen::<UInt8Type, _>(array, i32::from)),
        D::UInt16 => Values::I32(widen::<UInt16Type, _>(array, i32::from)),
        D::UInt32 => Values::I64(widen::<UInt32Type, _>(array, i64::from)),
        D::UInt64 => Values::I128(widen::<UInt64Type, _>(array, i128::from)),
        D::Decimal32(..) => Values::I32(plain::<Decimal32Type>(array)),
        D::Decimal64(..) => Values::I64(plain::<Decimal64Type>(array)),
        D::Decimal128(..) => Values::I128(plain::<Decimal128Type>(array)),
        D::Date32 => Values::I32(plain::<Date32Type>(array)),
        D::Date64 => Values::I64(plain::<Date64Type>(array)),
        D::Timestamp(T::Second, _) => Values::I64(plain::<TimestampSecondType>(array)),
        D::Timestamp(T::Millisecond, _) => Values::I64(plain::<TimestampMillisecondType>(array)),
        D::Timestamp(T::Microsecond, _) => Values::I64(plain::<TimestampMicrosecondType>(array)),
        D::Timestamp(T::Nanosecond, _) => Values::I64(plain::<TimestampNanosecondType>(array)),
        other => {
            return Err(Error::new(
                ErrorKind::Schema,
                format!("expected a number, date or timestamp, found type `{other}`"),
            ));
        }
    })
}

/// The validity mask of a column, if any row is null.
pub(crate) fn validity(array: &dyn Array) -> Option<Validity<'_>> {
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0)?;
    Some(Validity::new(nulls.validity(), nulls.offset(), nulls.len()))
}
