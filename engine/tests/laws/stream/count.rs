//! Windows of so many rows: in the order of the rows, whatever the batches and interruptions.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use driftlead_engine::ErrorKind;
use driftlead_engine::accumulate::SlotKey;
use driftlead_engine::stream::{Added, CountClosing, CountSeries, PartitionId, RowCut, Series};
use driftlead_engine::window::Span;

use super::rows::{Row, cells, counted_at_once, merged, segments, with_batch};
use crate::columns::Rng;

const ONLY: PartitionId = PartitionId(3);

fn cut(rows: u64, keep: u64) -> RowCut {
    RowCut { rows: NonZeroU64::new(rows).unwrap(), keep, is_timed: true }
}

fn add(series: &mut CountSeries, rows: &[Row]) -> Added {
    with_batch(rows, |batch| series.add(ONLY, batch)).unwrap()
}

fn numbered(times: impl IntoIterator<Item = Option<i64>>) -> Vec<Row> {
    (0..).zip(times).map(|(number, time)| Row { time, number }).collect()
}

#[test]
fn s26_a_window_closes_when_it_is_full() {
    let mut series = CountSeries::new(cut(3, 0), 0, cells());
    assert_eq!(series.poll(), None);
    // Time plays no part; a row that was set aside takes no place.
    let added = add(&mut series, &numbered([Some(50), None, Some(10)]));
    assert_eq!(added, Added { counted: 2, untimed: 1, ..Added::default() });
    assert_eq!(series.poll(), None);
    add(&mut series, &numbered([Some(7); 8]));
    let full = |ordinal, start, end| {
        Some(CountClosing { ordinal, rows: 3, seen: Some(Span { start, end }), is_partial: false })
    };
    assert_eq!(
        [series.poll(), series.poll(), series.poll(), series.poll()],
        [full(0, 7, 50), full(1, 7, 7), full(2, 7, 7), None],
        "and each window knows the times that it saw"
    );
    let released: Vec<Option<i64>> = series.release().iter().map(|key| key.pane).collect();
    assert_eq!(released.iter().filter(|pane| **pane == Some(2)).count(), 4, "the whole and three segments");
    assert_eq!(series.accumulator().slots().count(), 2, "one row of the next window");
    series.end();
    let seen = Some(Span { start: 7, end: 7 });
    assert_eq!(series.poll(), Some(CountClosing { ordinal: 3, rows: 1, seen, is_partial: true }));
    assert_eq!(series.poll(), None);
    assert_eq!(add(&mut series, &numbered([Some(60)])).late_after_final, 1);
    assert_eq!((series.poll(), series.newest()), (None, Some(60)));
    assert_eq!(
        series.totals(),
        Added { counted: 10, late_after_final: 1, untimed: 1, late: 0 },
        "the counters add up to all rows"
    );
}

/// The rows of two partitions have no order, so which share a window would be chance.
#[test]
fn s26_only_one_partition_is_counted() {
    let mut series = CountSeries::new(cut(3, 0), 0, cells());
    assert_eq!((series.partition(), series.first_pane()), (None, None));
    series.assign(ONLY).unwrap();
    add(&mut series, &numbered([Some(1), Some(2)]));
    let (head, slots): (_, Vec<_>) = (series.head(), series.dirty_slots().collect());
    let other = with_batch(&numbered([Some(3)]), |batch| series.add(PartitionId(4), batch)).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Plan);
    assert!(other.to_string().contains("partition `3`, and rows of `4`"), "{other}");
    assert_eq!((series.poll(), series.head()), (None, head.clone()), "nothing was counted");
    let mut again = CountSeries::restore(cut(3, 0), cells(), &head, slots.into_iter()).unwrap();
    assert_eq!(again.partition(), Some(ONLY), "a restart does not forget which");
    again.assign(PartitionId(4)).unwrap_err();
}

/// A series that begins where another ended: its windows are numbered on, and none before them was seen.
#[test]
fn s20_windows_are_numbered_from_where_the_series_begins() {
    let mut series = CountSeries::new(RowCut { is_timed: false, ..cut(2, 1) }, 7, cells());
    add(&mut series, &numbered([Some(5); 5]));
    let closed = |ordinal| Some(CountClosing { ordinal, rows: 2, seen: None, is_partial: false });
    assert_eq!([series.poll(), series.poll(), series.poll()], [closed(7), closed(8), None]);
    assert_eq!((series.first_pane(), series.newest()), (Some(7), None), "rows without times have no newest");
    let released: Vec<Option<i64>> = series.release().iter().map(|key| key.pane).collect();
    assert!(!released.is_empty() && released.iter().all(|pane| *pane == Some(7)), "8 is compared with");
    let slots: Vec<_> = series.dirty_slots().collect();
    let cut = RowCut { is_timed: false, ..cut(2, 1) };
    let again = CountSeries::restore(cut, cells(), &series.head(), slots.clone().into_iter()).unwrap();
    assert_eq!((again.head(), again.first_pane()), (series.head(), Some(7)));
    let kept = slots.iter().filter(|(key, _)| key.pane != Some(8)).cloned();
    let error = CountSeries::restore(cut, cells(), &series.head(), kept).unwrap_err();
    assert!(error.to_string().contains("before window 9 is missing"), "{error}");
}

/// Any batches, commits and crashes: the windows are the rows in slices.
#[test]
fn s26_windows_are_slices_of_the_rows() {
    let cells = cells();
    for seed in 0..40 {
        let mut rng = Rng(seed);
        let size = 1 + rng.below(40) as u64;
        let (keep, first) = (rng.below(3) as u64, rng.below(2) as u64 * 1_000);
        let cut = cut(size, keep);
        let rows = numbered(
            (0..200 + rng.below(200)).map(|i| (rng.below(9) > 0).then(|| i as i64 - rng.below(50) as i64)),
        );
        let counted: Vec<Row> = rows.iter().filter(|row| row.time.is_some()).copied().collect();
        let expected: Vec<&[Row]> = counted.chunks(size as usize).collect();

        let mut series = CountSeries::new(cut, first, cells.clone());
        let (mut slots, mut at, mut said) = (BTreeMap::new(), 0, Vec::new());
        let (mut head, mut stored) = (series.head(), (0, 0));
        loop {
            while let Some(closing) = series.poll() {
                let own = expected[(closing.ordinal - first) as usize];
                let times = || own.iter().filter_map(|row| row.time);
                let seen = Span { start: times().min().unwrap(), end: times().max().unwrap() };
                assert_eq!(closing.seen, Some(seen));
                assert_eq!(closing.rows, own.len() as u64);
                assert_eq!(closing.is_partial, own.len() < size as usize);
                let pane = closing.ordinal as i64;
                let whole = merged(series.accumulator(), pane..=pane, None);
                assert_eq!(whole, (closing.rows, counted_at_once(&cells, own)), "seed {seed}");
                for (number, segment) in (0..).zip(&segments()) {
                    let of_segment: Vec<Row> =
                        own.iter().filter(|row| row.segment() == number).copied().collect();
                    assert_eq!(
                        merged(series.accumulator(), pane..=pane, Some(segment)),
                        (of_segment.len() as u64, counted_at_once(&cells, &of_segment))
                    );
                }
                said.push(closing.ordinal);
            }
            let released = series.release();
            match rng.below(4) {
                0 => {
                    slots.extend(series.dirty_slots());
                    series.mark_clean();
                    slots.retain(|key: &SlotKey, _| series.accumulator().slots().any(|(own, _)| own == key));
                    (head, stored) = (series.head(), (at, said.len()));
                }
                1 if at < rows.len() => {
                    let slots = slots.clone().into_iter();
                    series = CountSeries::restore(cut, cells.clone(), &head, slots).unwrap();
                    assert_eq!(series.head(), head);
                    at = stored.0;
                    said.truncate(stored.1);
                }
                _ => assert!(released.len() <= 4 * said.len()),
            }
            // What is compared with stays, and nothing before it.
            let next = said.last().map_or(first, |last| last + 1);
            let held = series.accumulator().slots().filter_map(|(key, _)| key.pane).min();
            assert!(held.is_none_or(|pane| pane as u64 == next.saturating_sub(keep).max(first)));
            if at == rows.len() {
                series.end();
                at += 1;
                continue;
            } else if at > rows.len() {
                break;
            }
            let most = (at + 1 + rng.below(60)).min(rows.len());
            add(&mut series, &rows[at..most]);
            at = most;
        }
        let all: Vec<u64> = (first..first + expected.len() as u64).collect();
        assert_eq!(said, all, "seed {seed}: each window once");
        assert_eq!(Series::newest_of(&series.head()).unwrap(), series.newest());
    }
}

#[test]
fn damaged_bytes_give_an_error_or_a_series() {
    let mut series = CountSeries::new(cut(4, 1), 2, cells());
    add(&mut series, &numbered((0..15).map(|i| (i != 3).then_some(i))));
    assert!(series.poll().is_some() && series.poll().is_some());
    drop(series.release());
    let (head, slots): (_, BTreeMap<SlotKey, Vec<u8>>) = (series.head(), series.dirty_slots().collect());
    let restore = |head: &[u8], slots: &BTreeMap<SlotKey, Vec<u8>>| {
        CountSeries::restore(cut(4, 1), cells(), head, slots.clone().into_iter())
    };
    for end in 0..head.len() {
        assert_eq!(restore(&head[..end], &slots).unwrap_err().kind(), ErrorKind::Codec, "to {end}");
    }
    for at in 0..head.len() {
        for flip in 1..=255 {
            let mut damaged = head.clone();
            damaged[at] ^= flip;
            let Ok(mut series) = restore(&damaged, &slots) else { continue };
            drop(with_batch(&numbered([Some(1); 9]), |batch| series.add(ONLY, batch)));
            series.end();
            let closed = std::iter::from_fn(|| series.poll()).count();
            assert!(closed < 20, "it ends");
            drop((series.release(), series.head()));
        }
    }
    for key in slots.keys() {
        let mut fewer = slots.clone();
        fewer.remove(key);
        if key.segment.is_none() {
            assert_eq!(restore(&head, &fewer).unwrap_err().kind(), ErrorKind::Codec, "{key:?} is missed");
        }
    }
    for other in [cut(5, 1), cut(4, 2), RowCut { is_timed: false, ..cut(4, 1) }] {
        let other = CountSeries::restore(other, cells(), &head, slots.clone().into_iter()).unwrap_err();
        assert!(
            other.kind() == ErrorKind::Mismatch && other.to_string().contains("other windows"),
            "{other}"
        );
    }
}

/// The bytes that version 1 wrote: they are written today, and they are read.
#[test]
fn version_1_is_what_it_was() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/count.head.bin");
    let golden = std::fs::read(path).unwrap_or_default();
    let mut series = CountSeries::new(cut(4, 1), 9, cells());
    add(&mut series, &numbered([Some(-5), None, Some(2), Some(3), Some(1), Some(8), Some(6)]));
    assert!(series.poll().is_some());
    let head = series.head();
    let hex: String = head.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(golden == head, "count.head.bin is now {hex}");
    let slots: Vec<_> = series.dirty_slots().collect();
    let mut again = CountSeries::restore(cut(4, 1), cells(), &golden, slots.into_iter()).unwrap();
    assert_eq!((again.head(), again.totals(), again.partition()), (head, series.totals(), Some(ONLY)));
    again.end();
    let last = CountClosing { ordinal: 10, rows: 2, seen: Some(Span { start: 6, end: 8 }), is_partial: true };
    assert_eq!(again.poll(), Some(last));
}
