//! Which rows of an input belong to which window and segment, without holding them a second time.
//!
//! The rows are put in order once for the whole, by time, and once for each split, by segment and then time; a window of
//! a segment is then a stretch of one of these orders.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::columns::lacking;
use super::super::input::Input;
use super::super::read::Reading;
use super::super::segments::{Segments, pairs_of};
use super::super::time::event_times;
use super::super::windows::Bounds;
use crate::exit::{Error, Result};
use crate::progress::Progress;
use crate::report::wire;

/// Where the rows of an input belong.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// How many rows there are, those that belong nowhere included.
    pub(super) n_rows: usize,
    times: Option<Vec<i64>>,
    /// Of each split the segment of each row.
    segments: Vec<Vec<u32>>,
    /// The orders: of the whole, then of each split.
    orders: Vec<Vec<usize>>,
    /// The split and the number of each segment that is followed.
    numbers: BTreeMap<wire::Segment, (usize, u32)>,
}

/// What is read of one part.
#[derive(Debug, Default)]
struct Part {
    n_rows: usize,
    times: Vec<Option<i64>>,
    segments: Vec<Vec<u32>>,
}

impl Places {
    /// Reads the event time, if one is named, and the columns of the splits.
    pub(super) fn read(
        input: &Input,
        time: Option<&str>,
        bounds: Bounds,
        segments: &Segments,
    ) -> Result<Self> {
        let schema = input.schema();
        let mut columns: Vec<usize> = Vec::new();
        let mut place = |name: &str, key: &str| -> Result<usize> {
            let place = schema.index_of(name).map_err(|_| Error::input(lacking(schema, name, key)))?;
            Ok(columns.iter().position(|own| *own == place).unwrap_or_else(|| {
                columns.push(place);
                columns.len() - 1
            }))
        };
        let time = time.map(|name| Ok::<_, Error>((place(name, "`time`")?, name))).transpose()?;
        let of_splits = segments
            .columns()
            .into_iter()
            .map(|name| Ok((name, place(name, "`segments`")?)))
            .collect::<Result<BTreeMap<&str, usize>>>()?;
        let texts: BTreeMap<&Arc<str>, u32> = segments.texts().zip(0..).collect();

        let progress = Progress::rows("reading for compat", input.dataset().n_rows());
        let reading = Reading::of_rows(input, &columns, &progress);
        let parts = reading.by_part(Part::default, |part, piece| {
            part.n_rows += piece.rows.n_rows;
            if let Some((at, name)) = time {
                part.times.extend(event_times(&piece.rows.columns[at], name)?);
            }
            let column = |name: &str| of_splits.get(name).map(|at| piece.rows.columns[*at].clone());
            let of_rows = segments.of_rows(piece.rows.n_rows, column)?;
            part.segments.resize(of_rows.len(), Vec::new());
            for (own, of_split) in part.segments.iter_mut().zip(&of_rows) {
                let number = |text| texts.get(text).copied().unwrap_or(u32::MAX);
                let numbers: Vec<u32> = of_split.segments.iter().map(number).collect();
                own.extend(of_split.rows.iter().map(|segment| numbers[*segment as usize]));
            }
            Ok(())
        })?;
        progress.finish();

        let mut whole = Part::default();
        for part in parts {
            whole.n_rows += part.n_rows;
            whole.times.extend(part.times);
            whole.segments.resize(part.segments.len(), Vec::new());
            for (own, other) in whole.segments.iter_mut().zip(part.segments) {
                own.extend(other);
            }
        }
        let splits: Vec<usize> = segments.split_of_texts();
        let numbers = segments
            .texts()
            .zip(0..)
            .zip(splits)
            .filter_map(|((text, number), split)| Some((wire::Segment(pairs_of(text)?), (split, number))))
            .collect();
        Ok(Self::arranged(whole, time.is_some(), bounds, numbers))
    }

    fn arranged(
        part: Part,
        is_timed: bool,
        bounds: Bounds,
        numbers: BTreeMap<wire::Segment, (usize, u32)>,
    ) -> Self {
        let Part { n_rows, times, segments } = part;
        let admitted: Vec<usize> = if is_timed {
            (0..n_rows).filter(|row| times[*row].is_some_and(|time| bounds.admit(time))).collect()
        } else {
            (0..n_rows).collect()
        };
        // Rows without a time are in no order, so theirs is never looked at.
        let times = is_timed.then(|| times.into_iter().map(Option::unwrap_or_default).collect::<Vec<i64>>());
        let time = |row: usize| times.as_ref().map_or(0, |times| times[row]);
        let mut orders = Vec::with_capacity(1 + segments.len());
        for split in &segments {
            let mut order = admitted.clone();
            // A stable sort: equal ones stay in the order of the files.
            order.sort_by_key(|row| (split[*row], time(*row)));
            orders.push(order);
        }
        let mut whole = admitted;
        if is_timed {
            whole.sort_by_key(|row| time(*row));
        }
        orders.insert(0, whole);
        Self { n_rows, times, segments, orders, numbers }
    }

    /// The rows of a segment, or of the whole, from the first instant and before the second, if there are two.
    pub(super) fn rows(&self, segment: Option<&wire::Segment>, span: Option<(i64, i64)>) -> &[usize] {
        let place = match segment {
            None => Some((0, None)),
            Some(segment) => self.numbers.get(segment).map(|(split, number)| (split + 1, Some(*number))),
        };
        let Some((order, number)) = place else { return &[] };
        let Some(rows) = self.orders.get(order) else { return &[] };
        let time = |row: usize| self.times.as_ref().map_or(0, |times| times[row]);
        let key = |row: usize| (number.map_or(0, |_| self.segments[order - 1][row]), time(row));
        let number = number.unwrap_or(0);
        let (start, end) = span.unwrap_or((i64::MIN, i64::MAX));
        let first = rows.partition_point(|row| key(*row) < (number, start));
        let last = rows.partition_point(|row| {
            let (own, time) = key(*row);
            own < number || own == number && (span.is_none() || time < end)
        });
        rows.get(first..last).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(value: &str) -> wire::Segment {
        wire::Segment(vec![("c".to_owned(), Some(value.to_owned()))])
    }

    #[test]
    fn windows_and_segments_are_stretches_of_the_orders() {
        let part = Part {
            n_rows: 6,
            times: vec![Some(30), Some(10), None, Some(20), Some(10), Some(99)],
            segments: vec![vec![1, 0, 0, 1, 1, 0]],
        };
        let numbers = BTreeMap::from([(segment("a"), (0, 0)), (segment("b"), (0, 1))]);
        let bounds = Bounds { since: None, until: Some(90) };
        let places = Places::arranged(part, true, bounds, numbers);
        assert_eq!(places.rows(None, None), [1, 4, 3, 0]);
        assert_eq!(places.rows(None, Some((10, 20))), [1, 4]);
        assert_eq!(places.rows(None, Some((11, 20))), [0_usize; 0]);
        assert_eq!(places.rows(Some(&segment("a")), None), [1]);
        assert_eq!(places.rows(Some(&segment("b")), None), [4, 3, 0]);
        assert_eq!(places.rows(Some(&segment("b")), Some((20, 31))), [3, 0]);
        assert_eq!(places.rows(Some(&segment("z")), None), [0_usize; 0]);
    }

    #[test]
    fn without_time_rows_stay_as_they_are() {
        let part = Part { n_rows: 3, times: Vec::new(), segments: vec![vec![1, 0, 1]] };
        let numbers = BTreeMap::from([(segment("a"), (0, 0)), (segment("b"), (0, 1))]);
        let places = Places::arranged(part, false, Bounds::default(), numbers);
        assert_eq!(places.rows(None, None), [0, 1, 2]);
        assert_eq!(places.rows(Some(&segment("b")), None), [0, 2]);
    }
}
