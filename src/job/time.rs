//! Event times as microseconds since the epoch; naive ones are UTC (SEMANTICS S13).

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};

use crate::exit::{Error, Result};
use crate::time::Timestamp;

/// Whether a column of this type can hold event times.
pub(super) fn is_time(data_type: &DataType) -> bool {
    match data_type {
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) | DataType::Utf8 => true,
        DataType::Dictionary(_, values) => **values == DataType::Utf8,
        _ => false,
    }
}

/// Why a column is no event time.
pub(super) fn no_time(name: &str, found: &DataType) -> String {
    format!(
        "`time` names the column `{name}` of type `{found}`: expected a timestamp, a date, or RFC 3339 text"
    )
}

/// The event time of each row; `None` where it is null, unreadable, or out of range.
pub(crate) fn event_times(column: &ArrayRef, name: &str) -> Result<Vec<Option<i64>>> {
    const DAY: i64 = 86_400_000_000;
    let times = |value: &dyn Fn(usize) -> Option<i64>| {
        (0..column.len()).map(|row| if column.is_valid(row) { value(row) } else { None }).collect()
    };
    Ok(match column.data_type() {
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>();
            times(&|row| i64::from(days.value(row)).checked_mul(DAY))
        }
        DataType::Date64 => {
            let millis = column.as_primitive::<Date64Type>();
            times(&|row| millis.value(row).checked_mul(1_000))
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            let seconds = column.as_primitive::<TimestampSecondType>();
            times(&|row| seconds.value(row).checked_mul(1_000_000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            let millis = column.as_primitive::<TimestampMillisecondType>();
            times(&|row| millis.value(row).checked_mul(1_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>();
            times(&|row| Some(micros.value(row)))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let nanos = column.as_primitive::<TimestampNanosecondType>();
            times(&|row| Some(nanos.value(row).div_euclid(1_000)))
        }
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            times(&|row| texts.value(row).parse::<Timestamp>().ok().map(Timestamp::micros))
        }
        DataType::Dictionary(_, values) if **values == DataType::Utf8 => {
            let dictionary = column.as_any_dictionary();
            let parsed = event_times(dictionary.values(), name)?;
            let keys = dictionary.normalized_keys();
            times(&|row| parsed[keys[row]])
        }
        other => {
            return Err(Error::input(no_time(name, other)));
        }
    })
}
