//! Codecs of state. Bytes are refused, or they are a state that is written and read again as itself, and goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use arrow_array::{ArrayRef, Float64Array, StringArray};
use driftlead_connectors::baseline_file::{self, FeatureRow};
use driftlead_connectors::dataset::Remotes;
use driftlead_engine::accumulate::{Column, Split};
use driftlead_engine::alert::{Policy, Track};
use driftlead_engine::codec;
use driftlead_engine::feature::FeatureCells;
use driftlead_engine::stream::{PartitionId, Rows, Series, Timing};
use driftlead_engine::window::Grid;

use super::files;

/// Features, the states of features, and slots.
pub(super) fn accumulate(data: &[u8]) {
    if let Ok(feature) = codec::decode_feature(data) {
        let bytes = codec::encode_feature(&feature);
        assert_eq!(codec::decode_feature(&bytes).expect("what was written"), feature);
    }
    if let Ok(state) = codec::decode_state(data) {
        let bytes = codec::encode_state(&state);
        assert_eq!(codec::decode_state(&bytes).expect("what was written"), state);
        let mut twice = state.clone();
        if twice.merge(&state).is_ok() {
            twice.subtract(&state).expect("what was added");
            assert_eq!(twice.rows(), state.rows(), "added and subtracted");
            // Names of new categories stay, and extents go: neither can be taken away.
        }
    }
    drop(codec::decode_slot(data, cells()));
}

pub(super) fn accumulate_seeds() -> Vec<Vec<u8>> {
    let slots = slots(0).into_iter().map(|(_, bytes)| bytes);
    files("engine/tests/golden").into_iter().chain(slots).collect()
}

/// The cells of two features.
fn cells() -> &'static [Arc<FeatureCells>] {
    static CELLS: OnceLock<Vec<Arc<FeatureCells>>> = OnceLock::new();
    CELLS.get_or_init(|| {
        let golden = |name: &str| {
            let path = super::checkout().join("engine/tests/golden").join(name);
            let bytes = std::fs::read(path).expect("a golden file");
            codec::decode_feature(&bytes).expect("a feature").cells().clone()
        };
        vec![golden("f64.feature.bin"), golden("categorical.feature.bin")]
    })
}

const SECOND: i64 = 1_000_000;

fn timing(keep: i64) -> Timing {
    let grid = Grid::new(60 * SECOND, 20 * SECOND, 0).expect("a grid");
    Timing { grid, out_of_orderness: 5 * SECOND, lateness: 10 * SECOND, debounce: SECOND, keep }
}

/// Panes that a series keeps to compare its windows with, whose head begins with `dlv`.
const KEPT: i64 = 3;

/// Rows at these seconds.
fn add(series: &mut Series, partition: u32, seconds: &[i64]) {
    let times: Vec<Option<i64>> = seconds.iter().map(|at| Some(at * SECOND)).collect();
    let numbers: Float64Array = seconds.iter().map(|at| (at % 7 != 0).then_some(*at as f64 / 3.0)).collect();
    let words: StringArray = seconds.iter().map(|at| Some(["a", "new", ""][(at % 3) as usize])).collect();
    let (numbers, words): (ArrayRef, ArrayRef) = (Arc::new(numbers), Arc::new(words));
    let features = [
        (0, Column { array: numbers.as_ref(), errors: None }),
        (1, Column { array: words.as_ref(), errors: None }),
    ];
    let segments: [Arc<str>; 2] = ["{\"s\":\"a\"}".into(), "{\"s\":null}".into()];
    let rows: Vec<u32> = seconds.iter().map(|at| u32::from(at % 2 == 0)).collect();
    let splits = [Split { segments: &segments, rows: &rows }];
    series.add(
        PartitionId(partition),
        &Rows { times: &times, features: &features, failed: &[], splits: &splits, ids: None },
    );
    while series.poll(0).is_some() {}
}

type Slots = Vec<(driftlead_engine::accumulate::SlotKey, Vec<u8>)>;

/// A series in the middle of its life.
fn series(keep: i64) -> Series {
    let mut series = Series::new(timing(keep), cells().to_vec());
    add(&mut series, 1, &[3, 14, 15, 92, 65]);
    add(&mut series, 2, &[35, 89, 79, 132, 4]);
    series.set_idle(PartitionId(2), true);
    add(&mut series, 1, &[150, 147, 90, 8]);
    series
}

fn slots(keep: i64) -> Slots {
    series(keep).dirty_slots().collect()
}

/// A series' head, with slots that are sound.
pub(super) fn stream(data: &[u8]) {
    static SLOTS: OnceLock<[Slots; 2]> = OnceLock::new();
    let keep = if data.starts_with(b"dlv") { KEPT } else { 0 };
    let slots = &SLOTS.get_or_init(|| [slots(0), slots(KEPT)])[usize::from(keep > 0)];
    let restore =
        |head: &[u8]| Series::restore(timing(keep), cells().to_vec(), head, slots.clone().into_iter());
    let Ok(mut series) = restore(data) else { return };
    assert_eq!(restore(&series.head()).expect("what was written").head(), series.head());
    assert!(series.accumulator().slots().all(|(_, rows)| rows > 0), "a slot without rows");
    add(&mut series, 1, &[200, 201]);
    add(&mut series, 3, &[10]);
    let _: Vec<_> = series.release();
    series.end();
    // The ends of time are a gap away, or as many windows as a gap must have.
    let closed = std::iter::from_fn(|| series.poll(i64::MAX)).take(1_000_000).count();
    assert!(closed < 1_000_000, "the series does not end");
}

pub(super) fn stream_seeds() -> Vec<Vec<u8>> {
    [0, KEPT]
        .into_iter()
        .flat_map(|keep| [series(keep), Series::new(timing(keep), cells().to_vec())])
        .map(|series| series.head())
        .collect()
}

/// The policy of the golden track.
const POLICY: Policy =
    Policy { needed: 2, last: 3, resolve_after: 2, cooldown: 60, stride: 1, is_even: true };

pub(super) fn alert(data: &[u8]) {
    if let Ok(mut track) = Track::decode(data, POLICY) {
        let again = Track::decode(&track.encode(), POLICY).expect("what was written");
        assert_eq!(again, track);
        track.supersede();
        drop(track.encode());
    }
}

pub(super) fn alert_seeds() -> Vec<Vec<u8>> {
    let new = Track::new("model", "1", "hourly", POLICY).expect("a policy");
    let golden = files("engine/tests/golden").into_iter().filter(|bytes| bytes.starts_with(b"dla"));
    golden.chain([new.encode()]).collect()
}

/// A file that claims to be a baseline.
pub(super) fn baseline(data: &[u8]) {
    let file = tempfile::Builder::new().suffix(".parquet").tempfile().expect("a temporary file");
    std::fs::write(file.path(), data).expect("written");
    let path = file.path().to_str().expect("an ASCII path");
    let Ok((rows, _)) = baseline_file::read(path, &Remotes::default()) else { return };
    for row in rows {
        accumulate(&row.state);
    }
}

pub(super) fn baseline_seeds() -> Vec<Vec<u8>> {
    let row = |(name, state): (&str, Vec<u8>)| FeatureRow {
        feature: name.to_owned(),
        kind: "numeric".to_owned(),
        data_type: "Float64".to_owned(),
        rows: 7,
        edges: vec![-0.5, 1.5],
        counts: vec![1, 2, 3],
        labels: vec!["a".to_owned()],
        min: Some(-1.0),
        state,
        ..FeatureRow::default()
    };
    let features = files("engine/tests/golden").into_iter().filter(|bytes| bytes.starts_with(b"dlf"));
    let rows: Vec<FeatureRow> =
        ["f64", "f32", "i64", "i128", "c"].into_iter().zip(features).map(row).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.baseline.parquet");
    let path = path.to_str().expect("an ASCII path");
    let metadata = BTreeMap::from([("made by".to_owned(), "a test".to_owned())]);
    let replaces = baseline_file::look(path, &Remotes::default()).expect("a folder");
    baseline_file::write(path, replaces, &rows, &metadata, &Remotes::default()).expect("written");
    vec![std::fs::read(path).expect("what was written")]
}
