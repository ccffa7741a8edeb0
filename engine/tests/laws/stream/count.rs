//! Windows of so many rows: in the order of the rows, whatever the batches and interruptions.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use driftlead_engine::ErrorKind;
use driftlead_engine::accumulate::SlotKey;
use driftlead_engine::stream::{Added, CountClosing, CountSeries};

use super::rows::{Row, cells, counted_at_once, merged, segments, with_batch};
use crate::columns::Rng;

fn length(rows: u64) -> NonZeroU64 {
    NonZeroU64::new(rows).unwrap()
}

fn add(series: &mut CountSeries, rows: &[Row]) -> Added {
    with_batch(rows, |batch| series.add(batch))
}

fn numbered(times: impl IntoIterator<Item = Option<i64>>) -> Vec<Row> {
    (0..).zip(times).map(|(number, time)| Row { time, number }).collect()
}

#[test]
fn s26_a_window_closes_when_it_is_full() {
    let mut series = CountSeries::new(length(3), cells());
    assert_eq!(series.poll(), None);
    // Time plays no part; a row that was set aside takes no place.
    let added = add(&mut series, &numbered([Some(50), None, Some(10)]));
    assert_eq!(added, Added { counted: 2, untimed: 1, ..Added::default() });
    assert_eq!(series.poll(), None);
    add(&mut series, &numbered([Some(7); 8]));
    let full = |ordinal| Some(CountClosing { ordinal, rows: 3, is_partial: false });
    assert_eq!(
        [series.poll(), series.poll(), series.poll(), series.poll()],
        [full(0), full(1), full(2), None]
    );
    let released: Vec<Option<i64>> = series.release().iter().map(|key| key.pane).collect();
    assert_eq!(released.iter().filter(|pane| **pane == Some(2)).count(), 4, "the whole and three segments");
    assert_eq!(series.accumulator().slots().count(), 2, "one row of the next window");
    series.end();
    assert_eq!(series.poll(), Some(CountClosing { ordinal: 3, rows: 1, is_partial: true }));
    assert_eq!(series.poll(), None);
    assert_eq!(add(&mut series, &numbered([Some(60)])).late_after_final, 1);
    assert_eq!((series.poll(), series.newest()), (None, Some(60)));
    assert_eq!(
        series.totals(),
        Added { counted: 10, late_after_final: 1, untimed: 1, late: 0 },
        "the counters add up to all rows"
    );
}

/// Any batches, commits and crashes: the windows are the rows in slices.
#[test]
fn s26_windows_are_slices_of_the_rows() {
    let cells = cells();
    for seed in 0..40 {
        let mut rng = Rng(seed);
        let size = 1 + rng.below(40) as u64;
        let rows = numbered((0..200 + rng.below(200)).map(|_| (rng.below(9) > 0).then_some(5)));
        let counted: Vec<Row> = rows.iter().filter(|row| row.time.is_some()).copied().collect();
        let expected: Vec<&[Row]> = counted.chunks(size as usize).collect();

        let mut series = CountSeries::new(length(size), cells.clone());
        let (mut slots, mut at, mut said) = (BTreeMap::new(), 0, Vec::new());
        let (mut head, mut stored) = (series.head(), (0, 0));
        loop {
            while let Some(closing) = series.poll() {
                let own = expected[closing.ordinal as usize];
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
                    series = CountSeries::restore(length(size), cells.clone(), &head, slots).unwrap();
                    assert_eq!(series.head(), head);
                    at = stored.0;
                    said.truncate(stored.1);
                }
                _ => assert!(released.len() <= 4 * said.len()),
            }
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
        let all: Vec<u64> = (0..expected.len() as u64).collect();
        assert_eq!(said, all, "seed {seed}: each window once");
        assert_eq!(series.accumulator().slots().count(), 0);
    }
}

#[test]
fn damaged_bytes_give_an_error_or_a_series() {
    let mut series = CountSeries::new(length(4), cells());
    add(&mut series, &numbered((0..11).map(|i| (i != 3).then_some(i))));
    assert!(series.poll().is_some());
    drop(series.release());
    let (head, slots): (_, BTreeMap<SlotKey, Vec<u8>>) = (series.head(), series.dirty_slots().collect());
    let restore = |head: &[u8], slots: &BTreeMap<SlotKey, Vec<u8>>| {
        CountSeries::restore(length(4), cells(), head, slots.clone().into_iter())
    };
    for end in 0..head.len() {
        assert_eq!(restore(&head[..end], &slots).unwrap_err().kind(), ErrorKind::Codec, "to {end}");
    }
    for at in 0..head.len() {
        for flip in 1..=255 {
            let mut damaged = head.clone();
            damaged[at] ^= flip;
            let Ok(mut series) = restore(&damaged, &slots) else { continue };
            add(&mut series, &numbered([Some(1); 9]));
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
    let other = CountSeries::restore(length(5), cells(), &head, slots.clone().into_iter()).unwrap_err();
    assert!(other.kind() == ErrorKind::Mismatch && other.to_string().contains("other windows"), "{other}");
}
