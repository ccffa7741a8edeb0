//! Bytes of baselines and states: they come back, they stay what they were, and damage is noticed or harmless.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float32Array, Float64Array, Int64Array, StringArray, UInt64Array};
use driftlead_engine::accumulate::{Accumulator, Column, SlotKey, Slots};
use driftlead_engine::baseline::{Baseline, BaselineFeature, FeatureSpec};
use driftlead_engine::codec::{VERSION, decode_feature, decode_state, encode_feature, encode_state};
use driftlead_engine::embedding::RowIds;
use driftlead_engine::score::{describe, measure};
use driftlead_engine::{ErrorKind, Kind, Metric};

use crate::columns::{Rng, SORTS, baseline_with, spec, state, vectors};

#[test]
fn every_kind_comes_back_equal() {
    for (seed, sort) in SORTS.iter().enumerate() {
        let mut rng = Rng(seed as u64 + 300);
        // The second has more values than are counted one by one, where the sort has as many.
        let few = if sort.kind == Kind::Embedding { 400 } else { 40 };
        for rows in [few, 6_000] {
            let rows = (sort.make)(&mut rng, rows);
            let mut own = baseline_with(spec("x", sort.kind, &rows), std::slice::from_ref(&rows));
            let segment = state(&own, &rows.slice(3, 20));
            own.features_mut()[0].set_segment(r#"{"a":"b"}"#.into(), segment.clone());
            own.features_mut()[0].set_design_effect(3_600_000_000, 1.25).unwrap();
            own.features_mut()[0].set_design_effect(86_400_000_000, 2.5).unwrap();
            let bytes = encode_feature(&own.features()[0]);
            let feature = decode_feature(&bytes).unwrap();
            assert_eq!(feature, own.features()[0], "{}", sort.name);
            assert_eq!(encode_feature(&feature), bytes, "{}", sort.name);
            assert_eq!(feature.cutset_id(), own.features()[0].cutset_id());
            let again = Baseline::new(own.rows(), vec![feature], Vec::new(), Vec::new());
            assert_eq!(again.id(), own.id(), "{}", sort.name);
            let bytes = encode_state(&segment);
            assert_eq!(decode_state(&bytes).unwrap(), segment, "{}", sort.name);
        }
    }
}

#[test]
fn what_a_baseline_holds_is_in_its_id() {
    let build = |rows: &[i64]| {
        let rows: ArrayRef = Arc::new(Int64Array::from(rows.to_vec()));
        baseline_with(spec("x", Kind::Numeric, &rows), std::slice::from_ref(&rows))
    };
    let own = build(&[1, 2, 2, 3]);
    let mut others =
        vec![own.id(), build(&[1, 2, 3, 3]).id(), build(&[1, 2, 2, 4]).id(), build(&[1, 2, 2]).id()];
    let mut segmented = build(&[1, 2, 2, 3]);
    let part = segmented.features()[0].state(None).unwrap().clone();
    segmented.features_mut()[0].set_segment("s".into(), part);
    others.push(segmented.id());
    for segments in [&[("a", 2), ("b", 2)][..], &[("a", 4)], &[("b", 4)]] {
        let mut own = build(&[1, 2, 2, 3]);
        own.set_segments(segments.iter().map(|(name, rows)| (Arc::from(*name), *rows)).collect());
        others.push(own.id());
    }
    let mut calibrated = build(&[1, 2, 2, 3]);
    calibrated.features_mut()[0].set_design_effect(3_600_000_000, 2.0).unwrap();
    assert_eq!(calibrated.id(), own.id(), "the windows that are asked for are not part of it");
    let n = others.len();
    others.sort();
    others.dedup();
    assert_eq!(others.len(), n);
    assert_eq!(build(&[3, 2, 1, 2]).id(), own.id(), "the order of rows is not part of it");
}

/// The features and the window states whose bytes are kept, by the names of their files.
fn samples() -> Vec<(&'static str, BaselineFeature, ArrayRef)> {
    let f64s: ArrayRef = Arc::new(Float64Array::from(vec![
        Some(1.5),
        None,
        Some(-2.25),
        Some(f64::NAN),
        Some(1.5),
        Some(f64::INFINITY),
        Some(-0.0),
    ]));
    let f32s: ArrayRef = Arc::new(Float32Array::from(vec![Some(0.1), Some(0.2), None, Some(0.1)]));
    let i64s: ArrayRef = Arc::new(Int64Array::from(vec![Some(-3), Some(1 << 60), None, Some(7), Some(7)]));
    let u64s: ArrayRef = Arc::new(UInt64Array::from(vec![Some(u64::MAX), Some(5), None, Some(5)]));
    let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("ü"), None, Some("a"), Some("")]));
    let strange: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("new"), Some("newer")]));
    [
        ("f64", Kind::Numeric, &f64s, &f32s),
        ("f32", Kind::Numeric, &f32s, &f64s),
        ("i64", Kind::Numeric, &i64s, &u64s),
        ("i128", Kind::Numeric, &u64s, &i64s),
        ("categorical", Kind::Categorical, &words, &strange),
    ]
    .into_iter()
    .map(|(name, kind, rows, window)| {
        let own = baseline_with(spec(name, kind, rows), std::slice::from_ref(rows));
        let mut feature = own.features()[0].clone();
        if name == "f64" {
            feature.set_design_effect(3_600_000_000, 1.5).unwrap();
        }
        if name == "categorical" {
            feature.set_segment(r#"{"k":null}"#.into(), state(&own, &rows.slice(1, 3)));
        }
        (name, feature, window.clone())
    })
    .collect()
}

fn window_of(feature: &BaselineFeature, rows: &ArrayRef) -> driftlead_engine::accumulate::FeatureState {
    let mut accumulator = Accumulator::new([feature.cells().clone()]);
    let slot = accumulator.slot(&SlotKey::default());
    // Only embeddings keep ids of their rows; two of three rows have one here.
    let names: StringArray =
        (0..rows.len()).map(|row| (row % 3 > 0).then(|| format!("row {}", row % 30))).collect();
    let ids = RowIds::of(&names).unwrap();
    let column = Column { array: rows.as_ref(), errors: None };
    accumulator.update_named(0, column, Some(ids.all()), &[Slots::All(slot)]);
    accumulator.state(0, &SlotKey::default()).unwrap()
}

/// The bytes that version 1 wrote: they are written today, and they are read.
#[test]
fn version_1_is_what_it_was() {
    let golden = |file: &str| {
        std::fs::read(format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap_or_default()
    };
    let mut changed = Vec::new();
    for (name, feature, rows) in samples() {
        let window = window_of(&feature, &rows);
        let files = [format!("{name}.feature.bin"), format!("{name}.state.bin")];
        for (file, bytes) in files.iter().zip([encode_feature(&feature), encode_state(&window)]) {
            if golden(file) != bytes {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                changed.push(format!("{file} is now {hex}"));
            }
        }
        assert!(golden(&files[0]).is_empty() || decode_feature(&golden(&files[0])).as_ref() == Ok(&feature));
        assert!(golden(&files[1]).is_empty() || decode_state(&golden(&files[1])).as_ref() == Ok(&window));
    }
    assert!(changed.is_empty(), "the bytes of version 1 changed:\n{}", changed.join("\n"));
}

/// Everything that is done with a feature that was read: nothing of it may panic.
fn use_feature(feature: &BaselineFeature, columns: &[ArrayRef]) {
    let own = feature.state(None).unwrap();
    let mut accumulator = Accumulator::new([feature.cells().clone()]);
    let slot = accumulator.slot(&SlotKey::default());
    for rows in columns {
        let each = vec![slot; rows.len()];
        accumulator.update(
            0,
            Column { array: rows.as_ref(), errors: None },
            &[Slots::All(slot), Slots::Each(&each)],
        );
    }
    if let Ok(window) = accumulator.state(0, &SlotKey::default()) {
        drop(measure(feature.cells(), own, &window, 1.0));
        let mut sum = own.clone();
        drop(sum.merge(&window));
        drop(sum.subtract(own));
    }
    drop(measure(feature.cells(), own, own, feature.design_effect(3_600_000_000).unwrap_or(1.0)));
    let _ = describe(feature.cells(), own);
    for segment in feature.segments().values() {
        drop(measure(feature.cells(), segment, own, 1.0));
    }
    let again = decode_feature(&encode_feature(feature)).unwrap();
    assert_eq!(again.cutset_id(), feature.cutset_id());
}

/// Cuts and flips every `step`th byte of a feature, and every byte of a window's state, by each of `flips`.
fn damage(name: &str, feature: &BaselineFeature, rows: &ArrayRef, step: usize, flips: &[u8]) {
    let bytes = encode_feature(feature);
    assert!(decode_feature(&[&bytes[..], &[0]].concat()).is_err());
    for at in (0..bytes.len()).step_by(step) {
        assert_eq!(decode_feature(&bytes[..at]).unwrap_err().kind(), ErrorKind::Codec, "{name} to {at}");
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            match decode_feature(&damaged) {
                Ok(feature) => use_feature(&feature, std::slice::from_ref(rows)),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Codec, "{name} at {at}"),
            }
        }
    }
    let window = window_of(feature, rows);
    let bytes = encode_state(&window);
    // A thousand sums of waves are alike.
    for at in (0..bytes.len()).step_by(1 + bytes.len() / 2_000) {
        assert!(decode_state(&bytes[..at]).is_err(), "{name} to {at}");
        for flip in flips {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            if let Ok(state) = decode_state(&damaged) {
                drop(measure(feature.cells(), &window, &state, 1.0));
                let mut sum = window.clone();
                drop(sum.merge(&state));
                drop(sum.subtract(&window));
            }
        }
    }
}

#[test]
fn damaged_bytes_give_an_error_or_a_value() {
    for (name, feature, rows) in samples() {
        damage(name, &feature, &rows, 1, &(1..=255).collect::<Vec<u8>>());
    }
}

/// An embedding of vectors of 7 numbers, and rows of it.
fn embedding(mmd: bool) -> (BaselineFeature, ArrayRef) {
    let mut rng = Rng(9);
    let rows = vectors(&mut rng, 500);
    let spec = FeatureSpec { mmd, ..spec("vectors", Kind::Embedding, &rows) };
    let mut own = baseline_with(spec, std::slice::from_ref(&rows));
    (own.features_mut()[0].clone(), vectors(&mut rng, 40))
}

#[test]
fn damaged_vectors_give_an_error_or_a_value() {
    for (mmd, step) in [(false, 61), (true, 211)] {
        let (feature, rows) = embedding(mmd);
        damage("vectors", &feature, &rows, step, &[0x01, 0x80, 0xff]);
    }
}

/// What version 1 wrote of an embedding is read, and written again as it was. It is not made anew: a fit on other
/// instructions differs in its last bits.
#[test]
fn vectors_of_version_1_are_read() {
    let golden = |file: &str| {
        let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_GOLDEN_VECTORS").is_some() {
            let (feature, rows) = embedding(file.contains("mmd"));
            let is_state = file.contains("state");
            let bytes =
                if is_state { encode_state(&window_of(&feature, &rows)) } else { encode_feature(&feature) };
            std::fs::write(&path, bytes).unwrap();
        }
        std::fs::read(path).unwrap()
    };
    for name in ["vectors", "vectors.mmd"] {
        let bytes = golden(&format!("{name}.feature.bin"));
        let feature = decode_feature(&bytes).unwrap();
        assert_eq!(encode_feature(&feature), bytes);
        let stored = golden(&format!("{name}.state.bin"));
        let state = decode_state(&stored).unwrap();
        assert_eq!(encode_state(&state), stored);
        let measured = measure(feature.cells(), feature.state(None).unwrap(), &state, 1.0).unwrap();
        assert_eq!((measured.rows, measured.n), (40, 31));
        assert_eq!(measured.scores.contains_key(&Metric::Mmd), name.contains("mmd"));
    }
}

/// Panes of no length, effects below 1 and lengths out of order were written by nobody.
#[test]
fn design_effects_that_cannot_be_are_refused() {
    let (_, mut feature, _) = samples().remove(0);
    assert!(feature.set_design_effect(0, 2.0).is_err() && feature.set_design_effect(1, 0.5).is_err());
    assert!(feature.set_design_effect(1, f64::NAN).is_err());
    feature.set_design_effect(86_400_000_000, 2.5).unwrap();
    let bytes = encode_feature(&feature);
    let (hour, day) = (3_600_000_000_i64.to_le_bytes(), 86_400_000_000_i64.to_le_bytes());
    let at = |length: &[u8]| bytes.windows(8).position(|eight| eight == length).unwrap();
    let mut swapped = bytes.clone();
    swapped[at(&hour)..][..8].copy_from_slice(&day);
    let error = decode_feature(&swapped).unwrap_err();
    assert!(error.to_string().contains("design effects of panes of"), "{error}");
}

#[test]
fn a_newer_version_and_foreign_bytes_say_so() {
    let (_, feature, rows) = samples().remove(0);
    let window = window_of(&feature, &rows);
    let mut bytes = encode_feature(&feature);
    bytes[4] = VERSION + 1;
    let message = decode_feature(&bytes).unwrap_err().to_string();
    assert!(message.contains("version `2`") && message.contains("update driftlead"), "{message}");
    let mut bytes = encode_state(&window);
    bytes[4] = VERSION + 1;
    assert!(decode_state(&bytes).unwrap_err().to_string().contains("version `2`"));
    assert!(decode_state(&encode_feature(&feature)).is_err());
    assert!(decode_feature(b"PAR1").is_err() && decode_feature(&[]).is_err());
}

/// A claim of many items in few bytes is refused before memory is asked for.
#[test]
fn lengths_are_checked_against_what_is_left() {
    let mut bytes = encode_state(&window_of(&samples()[0].1, &samples()[0].2));
    // The number of cells, then of filled cells, as the largest count there is.
    bytes.splice(6.., [[0xff; 9].as_slice(), &[1]].concat());
    assert!(decode_state(&bytes).is_err());
    let most = [b"dls\0".as_slice(), &[VERSION, 0, 0xff, 0xff, 3, 0, 0]].concat();
    assert!(decode_state(&most).is_err(), "65,535 cells are one more than there can be");
}
