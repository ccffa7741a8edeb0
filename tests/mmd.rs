//! `mmd`: asked for at a column, measured there and nowhere else, and refused where the baseline has nothing to measure it
//! with.

use std::sync::Arc;

use arrow_array::types::Float32Type;
use arrow_array::{ArrayRef, ListArray};
use driftlead::report::Verdict;
use driftlead_engine::Metric;

use crate::support::folder::Folder;
use crate::support::program::{driftlead, feature, measure, only, parsed};
use crate::support::random::Random;

/// Vectors of 12 numbers; those that moved lie twice as often on one side.
fn vectors(seed: u64, rows: usize, moved: bool) -> ArrayRef {
    let mut random = Random::new(seed);
    let rows = (0..rows).map(|_| {
        let side = if random.below(if moved { 3 } else { 2 }) == 0 { -1.5 } else { 1.5 };
        let numbers = (0..12).map(|j| Some((random.normal() + if j < 4 { side } else { 0.0 }) as f32));
        Some(numbers.collect::<Vec<_>>())
    });
    Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(rows))
}

/// A baseline, a window like it and one that moved, of two embeddings.
fn files(folder: &Folder) -> [String; 2] {
    let columns =
        |seed, rows, moved| vec![("a", vectors(seed, rows, moved)), ("b", vectors(seed + 1, rows, false))];
    folder.parquet("baseline.parquet", columns(1, 3_000, false));
    [
        folder.parquet("same.parquet", columns(3, 1_000, false)),
        folder.parquet("moved.parquet", columns(5, 1_000, true)),
    ]
}

const ASKED: &str =
    "model: m\nbaseline: baseline.parquet\nfeatures: {a: {kind: embedding, mmd: true}, b: embedding}\n";
const RULE: &str = "thresholds: [{metric: mmd, features: [a], warn: 0.005, drift: 0.01}]\n";

#[test]
fn it_is_measured_of_the_column_that_asks() {
    let folder = Folder::new();
    let [same, moved] = files(&folder);
    let model = folder.write("model.yaml", [ASKED, RULE].concat());
    let frozen = folder.path("frozen.parquet");
    assert_eq!(driftlead(&["baseline", &model, "-o", &frozen]).code, Some(0));
    for (data, verdict) in [(&same, Verdict::Ok), (&moved, Verdict::Drift)] {
        let mut found = Vec::new();
        for baseline in [&[][..], &["--baseline", &frozen]] {
            let report =
                parsed(&driftlead(&[&["check", &model, data, "--format", "json"], baseline].concat()).out);
            let window = only(&report);
            let own = measure(feature(window, "a"), Metric::Mmd);
            assert_eq!(own.verdict, Some(verdict), "{own:?}");
            assert!(own.p_value.is_some() && own.value.is_some_and(|value| value >= 0.0), "{own:?}");
            assert!(feature(window, "b").metrics.of(Metric::Mmd).is_none());
            found.push((own.value, own.p_value));
        }
        assert_eq!(found[0], found[1], "a stored baseline measures what raw rows do");
    }
}

#[test]
fn a_baseline_that_was_made_without_it_is_refused() {
    let folder = Folder::new();
    let [same, _] = files(&folder);
    let plain = folder.write("plain.yaml", "model: m\nbaseline: baseline.parquet\n");
    let frozen = folder.path("frozen.parquet");
    assert_eq!(driftlead(&["baseline", &plain, "-o", &frozen]).code, Some(0));
    let refused = |text: String, baseline: &[&str]| {
        let model = folder.write("model.yaml", text);
        let ended = driftlead(&[&["check", &model, &same], baseline].concat());
        assert_eq!(ended.code, Some(2), "{ended:?}");
        ended.err
    };
    let message = refused(ASKED.to_owned(), &["--baseline", &frozen]);
    assert!(message.contains("feature `a` asks for `mmd`") && message.contains("make it again"), "{message}");
    // A rule for all embeddings, one of which does not ask.
    let rule = "thresholds: [{metric: mmd, drift: 0.01}]\n";
    let message = refused([ASKED, rule].concat(), &[]);
    assert!(message.contains("model.yaml:4:14: the rule on `mmd` asks for it of `b`"), "{message}");
    assert!(message.contains("write `mmd: true` at that feature and make the baseline anew"), "{message}");
    let without = "model: m\nfeatures: {a: embedding, b: embedding}\n";
    let message = refused([without, RULE].concat(), &["--baseline", &frozen]);
    assert!(message.contains("the rule on `mmd` asks for it of `a`"), "{message}");
}
