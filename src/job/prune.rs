//! Parts of an input that need not be read, because their files say that all their event times are out of bounds.
//!
//! Only what a writer states exactly is believed, and only of times: minimum and maximum of a time column have one order,
//! where those of text have another. The rows left out are counted as if they had been read.

use std::ops::Range;

use arrow_schema::DataType;

use super::input::{Input, from_connectors};
use super::time::event_times;
use super::windows::Bounds;
use crate::exit::Result;

/// What need not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pruned {
    /// The rows of each part that are read: all, or none. `None` if every part is.
    pub(super) ranges: Option<Vec<Vec<Range<u64>>>>,
    /// Rows left out whose time lies outside of the bounds.
    pub(super) outside_rows: u64,
    /// Rows left out that have no time.
    pub(super) untimed_rows: u64,
}

/// The parts of `input` that `bounds` leave to be read; `time` is the event-time column.
///
/// # Errors
///
/// If a file has to be looked at again, and cannot be.
pub(super) fn prune(input: &Input, time: &str, bounds: Bounds) -> Result<Pruned> {
    let dataset = input.dataset();
    // Behind a condition nobody knows which of the rows it would have left out.
    let column = if bounds.is_open() || input.is_prepared() { None } else { dataset.column(time) };
    let Some(column) = column else { return Ok(Pruned::default()) };
    let mut pruned = Pruned::default();
    let mut ranges = Vec::with_capacity(dataset.parts().len());
    for part in dataset.parts() {
        let stated = dataset.statistics(part, column).map_err(|error| from_connectors(&error))?;
        let (Some(rows), Some(stated)) = (part.rows, stated) else {
            // A part of unknown length is never left out, and the others are not worth a special case.
            return Ok(Pruned::default());
        };
        let is_time =
            matches!(stated.min.data_type(), DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
        let end = |array| -> Result<Option<i64>> {
            Ok(if is_time { event_times(array, time)?.first().copied().flatten() } else { None })
        };
        let outside = match (end(&stated.min)?, end(&stated.max)?, stated.nulls) {
            (Some(min), Some(max), Some(nulls)) if stated.exact && nulls <= rows => {
                bounds.since.is_some_and(|since| max < since)
                    || bounds.until.is_some_and(|until| min >= until)
            }
            _ => false,
        };
        if outside {
            let nulls = stated.nulls.unwrap_or(0);
            pruned.outside_rows += rows - nulls;
            pruned.untimed_rows += nulls;
            ranges.push(Vec::new());
        } else {
            ranges.push(std::iter::once(0..rows).collect());
        }
    }
    pruned.ranges = ranges.iter().any(Vec::is_empty).then_some(ranges);
    Ok(pruned)
}
