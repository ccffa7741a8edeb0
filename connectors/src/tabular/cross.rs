//! Columns to polars and back, by the Arrow C data interface, without copying where the memory layouts agree.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, make_array};
use arrow_buffer::Buffer;
use arrow_cast::cast;
use arrow_data::ArrayData;
use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{DataType, TimeUnit};
use polars::prelude as pl;
use polars_arrow::ffi as theirs;

use crate::error::{Error, Result};

/// The type as which a column goes to polars, whose build here knows few types; `None` if it cannot.
pub(super) fn crossing_type(data_type: &DataType) -> Option<DataType> {
    use DataType as T;
    Some(match data_type {
        T::Null | T::Boolean | T::Date32 => data_type.clone(),
        T::Int8 | T::Int16 | T::Int32 => T::Int32,
        T::UInt8 | T::UInt16 | T::UInt32 => T::UInt32,
        T::Int64 | T::UInt64 | T::Float64 => data_type.clone(),
        T::Float16 | T::Float32 => T::Float32,
        &T::Decimal32(p, s) | &T::Decimal64(p, s) | &T::Decimal128(p, s) if s >= 0 => T::Decimal128(p, s),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => T::LargeUtf8,
        T::Timestamp(TimeUnit::Second, _) | T::Date64 => T::Timestamp(TimeUnit::Millisecond, None),
        T::Timestamp(unit, _) => T::Timestamp(*unit, None),
        T::Duration(TimeUnit::Second) => T::Duration(TimeUnit::Millisecond),
        T::Duration(unit) => T::Duration(*unit),
        T::Dictionary(_, value) => crossing_type(value)?,
        _ => return None,
    })
}

/// A column as polars sees it; `to` is its [`crossing_type`].
///
/// # Errors
/// Malformed, if a value does not fit `to`, such as seconds too far away for milliseconds.
pub(super) fn to_polars(name: &str, array: &ArrayRef, to: &DataType) -> Result<pl::Series> {
    let refuse = || Error::malformed(format!("column `{name}` cannot be used in an expression as `{to}`"));
    let array = as_type(array, to).map_err(|error| refuse().with_source(error))?;
    let field = FFI_ArrowSchema::try_from(to).map_err(|error| refuse().with_source(error))?;
    let array = export(&array, &field).map_err(|error| refuse().with_source(error))?;
    pl::Series::try_from((pl::PlSmallStr::from(name), array)).map_err(|error| refuse().with_source(error))
}

/// Casts exactly, taking the zone off timestamps first: their values are UTC already.
fn as_type(array: &ArrayRef, to: &DataType) -> std::result::Result<ArrayRef, arrow_schema::ArrowError> {
    let array = match array.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            let naive = DataType::Timestamp(*unit, None);
            make_array(array.to_data().into_builder().data_type(naive).build()?)
        }
        DataType::Dictionary(_, value) => {
            let values = cast(array, value)?;
            return as_type(&values, to);
        }
        _ => Arc::clone(array),
    };
    if array.data_type() == to { Ok(array) } else { cast(&array, to) }
}

#[expect(unsafe_code, reason = "the Arrow C data interface is a contract between pointers")]
fn export(
    array: &ArrayRef,
    field: &FFI_ArrowSchema,
) -> pl::PolarsResult<Box<dyn polars_arrow::array::Array>> {
    const {
        assert!(size_of::<FFI_ArrowSchema>() == size_of::<theirs::ArrowSchema>());
        assert!(size_of::<FFI_ArrowArray>() == size_of::<theirs::ArrowArray>());
    }
    let exported = ManuallyDrop::new(FFI_ArrowArray::new(&array.to_data()));
    // SAFETY: both types are `repr(C)` renderings of the same struct of the C data interface.
    let field = unsafe { &*std::ptr::from_ref(field).cast::<theirs::ArrowSchema>() };
    // SAFETY: as above; ownership moves to the copy, since the original is never dropped.
    let exported = unsafe { std::ptr::from_ref(&*exported).cast::<theirs::ArrowArray>().read() };
    // SAFETY: the struct was filled by arrow's exporter and lives through the call.
    let field = unsafe { theirs::import_field_from_c(field) }?;
    // SAFETY: the array was filled by arrow's exporter for just this type; it is released once, by polars.
    unsafe { theirs::import_array_from_c(exported, field.dtype) }
}

/// The arrow type of a polars type; `None` for those that expressions on one row should not give.
pub(super) fn arrow_type(data_type: &pl::DataType) -> Option<DataType> {
    use pl::DataType as P;
    let unit = |unit: &pl::TimeUnit| match unit {
        pl::TimeUnit::Milliseconds => TimeUnit::Millisecond,
        pl::TimeUnit::Microseconds => TimeUnit::Microsecond,
        pl::TimeUnit::Nanoseconds => TimeUnit::Nanosecond,
    };
    Some(match data_type {
        P::Boolean => DataType::Boolean,
        P::Int8 => DataType::Int8,
        P::Int16 => DataType::Int16,
        P::Int32 => DataType::Int32,
        P::Int64 => DataType::Int64,
        P::UInt8 => DataType::UInt8,
        P::UInt16 => DataType::UInt16,
        P::UInt32 => DataType::UInt32,
        P::UInt64 => DataType::UInt64,
        P::Float32 => DataType::Float32,
        P::Float64 => DataType::Float64,
        P::String => DataType::LargeUtf8,
        P::Date => DataType::Date32,
        P::Datetime(u, None) => DataType::Timestamp(unit(u), None),
        P::Duration(u) => DataType::Duration(unit(u)),
        P::Decimal(precision, scale) => {
            DataType::Decimal128(u8::try_from(*precision).ok()?, i8::try_from(*scale).ok()?)
        }
        _ => return None,
    })
}

/// A polars column as an arrow array of `data_type`, its [`arrow_type`].
///
/// # Errors
/// Malformed, if polars hands over something else.
pub(super) fn to_arrow(series: &pl::Series, data_type: &DataType) -> Result<ArrayRef> {
    let series = series.rechunk();
    let array = import(series.to_arrow(0, pl::CompatLevel::oldest()), data_type);
    array.map(make_array).map_err(|error| {
        let message =
            format!("column `{}` did not come back from its expression as `{data_type}`", series.name());
        Error::malformed(message).with_source(error)
    })
}

#[expect(unsafe_code, reason = "the Arrow C data interface is a contract between pointers")]
fn import(
    array: Box<dyn polars_arrow::array::Array>,
    data_type: &DataType,
) -> std::result::Result<ArrayData, arrow_schema::ArrowError> {
    let mut exported = ManuallyDrop::new(theirs::export_array_to_c(array));
    // SAFETY: both types are `repr(C)` renderings of the same struct (their sizes are compared in `export`); the
    // original is never dropped, so the array is released once, by ours.
    let array = unsafe { FFI_ArrowArray::from_raw((&raw mut *exported).cast()) };
    let array = Arc::new(array);
    let rows = array.len() + array.offset();
    let buffer = |index: usize, bytes: usize| match NonNull::new(array.buffer(index).cast_mut()) {
        Some(start) if bytes > 0 => {
            // SAFETY: the C data interface promises a buffer of this size for `rows` values, as computed below by the
            // type's layout, which lives until the array is released: that is when the last buffer drops `array`.
            unsafe { Buffer::from_custom_allocation(start, bytes, Arc::clone(&array) as _) }
        }
        _ => Buffer::from(Vec::<u64>::new()),
    };

    let mut builder = ArrayData::builder(data_type.clone()).len(array.len()).offset(array.offset());
    if array.null_count_opt() != Some(0) && !array.buffer(0).is_null() {
        builder = builder.null_bit_buffer(Some(buffer(0, rows.div_ceil(8))));
    }
    builder = match data_type {
        DataType::Boolean => builder.add_buffer(buffer(1, rows.div_ceil(8))),
        DataType::LargeUtf8 => {
            let offsets = buffer(1, (rows + 1) * size_of::<i64>());
            let bytes = offsets.typed_data::<i64>().last().map_or(0, |&end| end as usize);
            let offsets = if offsets.is_empty() { Buffer::from(vec![0_i64]) } else { offsets };
            builder.add_buffer(offsets).add_buffer(buffer(2, bytes))
        }
        other => builder.add_buffer(buffer(1, rows * other.primitive_width().unwrap_or(0))),
    };
    // Built with checks: what polars handed over must have the layout, and be valid UTF-8.
    builder.align_buffers(true).build()
}
