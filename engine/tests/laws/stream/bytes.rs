//! A series as bytes: they stay what they were, and damage is noticed or harmless.

use std::collections::{BTreeMap, BTreeSet};

use driftlead_engine::ErrorKind;
use driftlead_engine::accumulate::SlotKey;
use driftlead_engine::codec::{VERSION, decode_slot, encode_slot};
use driftlead_engine::stream::{Closing, PartitionId, Rows, Series, Timing};

use super::rows::{Row, add, cells, timing};
use crate::columns::numeric;

const EVERY: i64 = 1_000;

fn settings() -> Timing {
    timing(3, EVERY, 100, 2_000, 50)
}

/// The same for windows that are compared with those before them: panes of windows that are final are kept.
fn moving() -> Timing {
    Timing { keep: 4, ..settings() }
}

type Slots = BTreeMap<SlotKey, Vec<u8>>;

/// A series in the middle of its life, with something in every field, and what is stored of it.
fn sample() -> (Series, Vec<u8>, Slots) {
    sample_of(settings())
}

fn sample_of(timing: Timing) -> (Series, Vec<u8>, Slots) {
    let mut series = Series::new(timing, cells());
    series.begin_after(-700);
    let rows = |series: &mut Series, partition: u32, times: &[i64]| {
        let numbers = series.totals().counted as u32 + 10 * partition;
        let rows: Vec<Row> =
            (numbers..).zip(times).map(|(number, time)| Row { time: Some(*time), number }).collect();
        add(series, partition, &rows);
        while series.poll(7).is_some() {}
    };
    rows(&mut series, 3, &[-500, 100, 900, 1_800]);
    rows(&mut series, 4, &[2_400, 2_500, 3_300]);
    series.set_idle(PartitionId(3), true);
    rows(&mut series, 4, &[5_200, 20, 4_100, 4_200, 6_500, 3_900]);
    rows(&mut series, 3, &[2_900, 5_500, 5_600]);
    series.set_idle(PartitionId(9), true);
    add(&mut series, 4, &[Row { time: None, number: 0 }]);
    // One feature of the newest pane cannot be read.
    let times = [Some(8_050)];
    series.add(
        PartitionId(4),
        &Rows {
            times: &times,
            features: &[],
            failed: &[(0, "no such field"), (1, "no such word")],
            splits: &[],
            ids: None,
        },
    );
    let slots = series.dirty_slots().collect();
    let head = series.head();
    (series, head, slots)
}

/// The bytes that version 1 wrote: they are written today, and they are read.
#[test]
fn version_1_is_what_it_was() {
    let (series, head, slots) = sample();
    let golden = |file: &str| {
        std::fs::read(format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap_or_default()
    };
    let (pane, bytes) = slots.iter().find(|(key, _)| key.segment.is_some()).unwrap();
    let (_, failed) = slots.last_key_value().unwrap();
    let mut changed = Vec::new();
    for (file, bytes) in [("series.head.bin", &head), ("slot.bin", bytes), ("slot.failed.bin", failed)] {
        if golden(file) != *bytes {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            changed.push(format!("{file} is now {hex}"));
        }
    }
    assert!(changed.is_empty(), "the bytes of version 1 changed:\n{}", changed.join("\n"));
    let again =
        Series::restore(settings(), cells(), &golden("series.head.bin"), slots.clone().into_iter()).unwrap();
    assert_eq!(again.head(), head);
    assert_eq!(
        (again.watermark(), again.newest(), again.totals()),
        (series.watermark(), series.newest(), series.totals())
    );
    assert_eq!((again.oldest(), again.begins()), (Some(-500), Some(0)));
    assert_eq!((series.oldest(), series.begins()), (Some(-500), Some(0)));
    assert_eq!(Series::newest_of(&head).unwrap(), series.newest());
    assert_eq!(decode_slot(&golden("slot.bin"), &cells()).unwrap().rows, 1);
    assert_eq!(encode_slot(again.accumulator(), pane).as_deref(), Some(&bytes[..]));
    assert_eq!(encode_slot(again.accumulator(), &SlotKey::default()), None);
}

/// The sample is worth keeping: nothing in it is empty.
#[test]
fn the_sample_has_something_of_everything() {
    let (series, _, slots) = sample();
    let totals = series.totals();
    assert!(totals.counted > 0 && totals.late > 0 && totals.late_after_final > 0 && totals.untimed == 1);
    assert!(series.next_deadline().is_some(), "a window took rows after it was on time");
    assert!(slots.len() > 6);
    let state = series.accumulator().state(0, slots.last_key_value().unwrap().0);
    assert_eq!(state.unwrap_err().to_string(), "no such field");
    let (mut series, mut missed) = (series, (0, 0));
    series.end();
    while let Some(closing) = series.poll(7) {
        if let Closing::Window { late_rows, late_after_final, .. } = closing {
            missed = (missed.0.max(late_rows), missed.1.max(late_after_final));
        }
    }
    assert_eq!(missed, (1, 1), "panes remember what they missed");
}

/// The bytes of a series that keeps panes, by a magic of their own: written today, and read with what they keep.
#[test]
fn a_series_that_keeps_panes_is_what_it_was() {
    let (mut series, head, _) = sample_of(moving());
    // What is not released is kept.
    drop(series.release());
    let slots: Slots = series.dirty_slots().collect();
    let golden = std::fs::read(format!("{}/tests/golden/series.moving.head.bin", env!("CARGO_MANIFEST_DIR")));
    let golden = golden.unwrap_or_default();
    let hex: String = head.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(golden == head, "series.moving.head.bin is now {hex}");
    let again = Series::restore(moving(), cells(), &golden, slots.clone().into_iter()).unwrap();
    assert_eq!(again.head(), head);
    assert_eq!((again.first_pane(), again.oldest()), (series.first_pane(), Some(-500)));
    assert_eq!(Series::newest_of(&golden).unwrap(), series.newest());
    let panes = |series: &Series| -> BTreeSet<Option<i64>> {
        series.accumulator().slots().map(|(key, _)| key.pane).collect()
    };
    assert_eq!(panes(&again), panes(&series));
    let (mut plain, plain_head, _) = sample();
    drop(plain.release());
    let kept = panes(&series).difference(&panes(&plain)).count();
    assert!(
        kept > 1 && panes(&plain).is_subset(&panes(&series)),
        "{kept} panes are kept beside those of open windows"
    );
    // Neither is read as the other, and another number of panes is another series.
    for (timing, found) in [
        (settings(), ErrorKind::Codec),
        (Timing { keep: 5, ..moving() }, ErrorKind::Mismatch),
        (Timing { grid: timing(2, EVERY, 0, 0, 0).grid, ..moving() }, ErrorKind::Mismatch),
    ] {
        let error = Series::restore(timing, cells(), &head, slots.clone().into_iter()).unwrap_err();
        assert_eq!(error.kind(), found, "{error}");
    }
    let error = Series::restore(moving(), cells(), &plain_head, slots.clone().into_iter()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec, "{error}");
}

/// A pane that lies before the first row was never counted.
#[test]
fn a_kept_pane_before_the_first_row_is_refused() {
    let (series, head, slots) = sample_of(moving());
    let (first, whole) = slots.iter().find(|(key, _)| key.segment.is_none()).unwrap();
    assert_eq!(first.pane, series.first_pane(), "the first pane is still kept");
    let mut early = slots.clone();
    early.insert(SlotKey { pane: first.pane.map(|pane| pane - 1), segment: None }, whole.clone());
    let error = Series::restore(moving(), cells(), &head, early.into_iter()).unwrap_err();
    assert!(error.kind() == ErrorKind::Codec && error.to_string().contains("before the first"), "{error}");
}

/// Everything that is done with a series that was read: nothing of it may panic or go on for ever.
fn use_series(mut series: Series) {
    let mut most = 0;
    for times in [[6_600, 8_100], [100, 4_500], [20_000, 2_000_000], [i64::MIN, i64::MAX]] {
        let rows = times.map(|time| Row { time: Some(time), number: 5 });
        add(&mut series, 4, &rows);
        series.set_idle(PartitionId(3), true);
        while let Some(_closing) = series.poll(1_000) {
            most += 1;
            assert!(most < 10_000, "it does not end");
        }
        drop(series.release());
    }
    series.end();
    while series.poll(0).is_some() {
        most += 1;
        assert!(most < 10_000, "it does not end");
    }
    drop((series.head(), series.dirty_slots().count(), series.next_deadline()));
}

#[test]
fn damaged_bytes_give_an_error_or_a_series() {
    damage(settings());
}

#[test]
fn damaged_bytes_of_a_series_that_keeps_panes_give_an_error_or_a_series() {
    damage(moving());
}

fn damage(timing: Timing) {
    let (_, head, slots) = sample_of(timing);
    let restore =
        |head: &[u8], slots: &Slots| Series::restore(timing, cells(), head, slots.clone().into_iter());
    for end in 0..head.len() {
        assert_eq!(restore(&head[..end], &slots).unwrap_err().kind(), ErrorKind::Codec, "to {end}");
    }
    assert!(restore(&[&head[..], &[0]].concat(), &slots).is_err());
    let mut read = 0;
    for at in 0..head.len() {
        for flip in [0x01, 0x10, 0x80, 0xff] {
            let mut damaged = head.clone();
            damaged[at] ^= flip;
            match restore(&damaged, &slots) {
                Ok(series) => {
                    read += 1;
                    use_series(series);
                }
                Err(error) => {
                    assert!(
                        matches!(error.kind(), ErrorKind::Codec | ErrorKind::Mismatch),
                        "at {at}: {error}"
                    );
                }
            }
        }
    }
    assert!(read > 50, "some damage cannot be seen, such as another time: {read}");
    for (key, bytes) in slots.iter().step_by(3).chain(slots.last_key_value()) {
        for at in 0..bytes.len() {
            for damaged in [bytes[..at].to_vec(), {
                let mut bytes = bytes.clone();
                bytes[at] ^= 0x81;
                bytes
            }] {
                let mut slots = slots.clone();
                slots.insert(key.clone(), damaged);
                match restore(&head, &slots) {
                    Ok(series) => use_series(series),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Codec);
                        assert!(error.to_string().starts_with("pane `"), "{error}");
                    }
                }
            }
        }
    }
}

#[test]
fn other_features_windows_and_versions_say_so() {
    let (_, head, slots) = sample();
    let error = |timing: Timing, cells, head: &[u8]| {
        Series::restore(timing, cells, head, slots.clone().into_iter()).unwrap_err()
    };
    let other = vec![numeric(crate::columns::doubles(&[1.0, 2.0])).features()[0].cells().clone(); 2];
    let found = error(settings(), other, &head);
    assert!(found.kind() == ErrorKind::Mismatch && found.to_string().contains("other features"), "{found}");
    for timing in [timing(2, EVERY, 100, 2_000, 50), timing(3, 2 * EVERY, 100, 2_000, 50)] {
        let found = error(timing, cells(), &head);
        assert!(
            found.kind() == ErrorKind::Mismatch && found.to_string().contains("other windows"),
            "{found}"
        );
    }
    let mut newer = head.clone();
    newer[4] = VERSION + 1;
    assert!(error(settings(), cells(), &newer).to_string().contains("version `2`"));
    assert_eq!(error(settings(), cells(), slots.values().next().unwrap()).kind(), ErrorKind::Codec);
    // Other waiting times are not other windows.
    let patient = Timing { lateness: 90_000, debounce: 0, ..settings() };
    assert!(Series::restore(patient, cells(), &head, slots.clone().into_iter()).is_ok());
}

#[test]
fn slots_that_cannot_be_are_refused_by_name() {
    let (_, head, slots) = sample();
    let error = |slots: Slots| {
        Series::restore(settings(), cells(), &head, slots.into_iter()).unwrap_err().to_string()
    };
    let whole = slots.keys().find(|key| key.segment.is_none()).unwrap().clone();
    let mut headless = slots.clone();
    headless.remove(&whole);
    let found = error(headless);
    assert!(found.contains("has segments and no whole"), "{found}");
    for (key, what) in [
        (SlotKey::default(), "a slot without a pane: "),
        (SlotKey { pane: Some(i64::MAX), segment: None }, "pane `9223372036854775807`: "),
    ] {
        let mut wrong = slots.clone();
        wrong.insert(key, slots[&whole].clone());
        let found = error(wrong);
        assert!(found.starts_with(what) && found.contains("no row can lie there"), "{found}");
    }
    let twice = slots.clone().into_iter().chain(slots.clone());
    assert!(Series::restore(settings(), cells(), &head, twice).is_err());
}
