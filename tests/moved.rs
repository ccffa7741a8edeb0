//! Embeddings from the outside: what is told of what moved, ids of rows, and settings that do not fit.

use std::sync::Arc;

use arrow_array::types::Float32Type;
use arrow_array::{ArrayRef, Float64Array, Int64Array, ListArray};
use driftlead::report::Verdict;
use driftlead_engine::Metric;

use crate::support::folder::Folder;
use crate::support::program::{driftlead, feature, json, only, parsed};
use crate::support::random::Random;

const DIM: usize = 8;
/// A kind of row for each: the last is rare in the baseline.
const CENTERS: [[f64; 2]; 4] = [[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]];

/// Vectors, and the kind of each; one in `rare` is of the last kind.
fn draw(random: &mut Random, n: usize, rare: usize) -> (Vec<Vec<f32>>, Vec<usize>) {
    let kinds: Vec<usize> =
        (0..n).map(|_| if random.below(rare) == 0 { 3 } else { random.below(3) }).collect();
    let of = |kind: usize, random: &mut Random| {
        let center = CENTERS[kind];
        (0..DIM).map(|j| (center[j % 2] + random.normal() + 2.0) as f32).collect::<Vec<f32>>()
    };
    (kinds.iter().map(|kind| of(*kind, random)).collect(), kinds)
}

fn lists(rows: &[Vec<f32>]) -> ArrayRef {
    let rows = rows.iter().map(|row| Some(row.iter().map(|x| Some(*x)).collect::<Vec<_>>()));
    Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(rows))
}

fn folder(model: &str) -> Folder {
    let folder = Folder::new();
    let mut random = Random::new(17);
    folder.parquet("baseline.parquet", vec![("v", lists(&draw(&mut random, 3_000, 20).0))]);
    folder.write("model.yaml", model);
    folder
}

const MODEL: &str =
    "model: prompts\nbaseline: baseline.parquet\nid: request\nfeatures:\n  v: {kind: embedding, dim: 8}\n";

#[test]
fn what_moved_is_told_with_the_ids_of_rows_that_did() {
    let folder = folder(MODEL);
    let (rows, kinds) = draw(&mut Random::new(18), 1_200, 4);
    let ids: ArrayRef = Arc::new((0..1_200).map(|at| (at % 100 != 0).then_some(at)).collect::<Int64Array>());
    let data = folder.parquet("live.parquet", vec![("v", lists(&rows)), ("request", ids)]);
    let lines = rows.iter().enumerate().map(|(at, row)| {
        let id = if at % 100 == 0 { "null".to_owned() } else { format!("\"{at}\"") };
        format!("{{\"request\":{id},\"v\":{row:?}}}\n")
    });
    let text = folder.write("live.ndjson", lines.collect::<String>());
    let model = folder.path("model.yaml");
    let found = json(&[&model, &data]);
    // Ids as numbers and as text are the same ids, and rows in another order are the same rows.
    assert_eq!(json(&[&model, &text]), found);
    let order = Random::new(19).order(rows.len());
    let mixed: Vec<Vec<f32>> = order.iter().map(|at| rows[*at].clone()).collect();
    let of = |at: &usize| (!at.is_multiple_of(100)).then_some(*at as i64);
    let ids: ArrayRef = Arc::new(order.iter().map(of).collect::<Int64Array>());
    let again = folder.parquet("mixed.parquet", vec![("v", lists(&mixed)), ("request", ids)]);
    assert_eq!(json(&[&model, &again]), found);

    let report = parsed(&found);
    let own = feature(only(&report), "v");
    assert_eq!((own.verdict, own.vectors_without_id), (Verdict::Drift, 12), "{own:?}");
    let grown: Vec<_> = own.top.iter().filter(|cell| cell.window > cell.baseline).collect();
    assert!(!grown.is_empty(), "{:?}", own.top);
    for cell in &grown {
        assert_eq!(cell.ids.len(), 3, "{cell:?}");
        for id in &cell.ids {
            assert_eq!(kinds[id.parse::<usize>().unwrap()], 3, "{cell:?}");
        }
    }
    assert!(own.top.iter().all(|cell| cell.window > cell.baseline || cell.ids.is_empty()));
    // The rare kind lies out along both: the sum of the two directions is where the mean goes.
    let labels: Vec<&str> = own.directions.iter().map(|own| own.label.as_str()).collect();
    assert!(labels.iter().any(|label| label.contains("% of the shift of the mean")), "{labels:?}");
    let component = own.directions.iter().find(|own| own.kind == "component_mean").expect("a component");
    let share: f64 = component.share.expect("a share");
    assert!(share > 0.3 && component.auc.is_some_and(|auc| auc > 0.55), "{component:?}");
    // Every vector is in one place of the map.
    let map = own.map.as_ref().expect("a map");
    let drift = own.metrics.of(Metric::EmbeddingDrift).expect("measured");
    assert_eq!((map.first.len(), map.second.len()), (15, 15));
    assert_eq!(Some(map.window.iter().sum::<u64>()), drift.n);
    assert_eq!(Some(map.baseline.iter().sum::<u64>()), drift.n_baseline);
    assert_eq!((map.baseline.len(), map.window.len()), (256, 256));
    let table = driftlead(&["check", &model, &data]).out;
    assert!(table.contains(&component.label[..11]), "{table}");
}

#[test]
fn settings_that_fit_no_vector_or_row_are_told_at_their_line() {
    let folder = folder(&MODEL.replace("dim: 8", "dim: 384"));
    let mut random = Random::new(20);
    let numbers: ArrayRef = Arc::new((0..400).map(|at| Some(f64::from(at))).collect::<Float64Array>());
    let vectors = lists(&draw(&mut random, 400, 20).0);
    let data = folder.parquet("live.parquet", vec![("v", vectors), ("request", numbers)]);
    let (model, stored) = (folder.path("model.yaml"), folder.path("made.parquet"));
    let says = |args: &[&str], texts: &[&str]| {
        let ended = driftlead(args);
        assert_eq!(ended.code, Some(2), "{args:?}: {}{}", ended.out, ended.err);
        for text in texts {
            assert!(ended.err.contains(text), "{args:?}: `{text}` is not in {}", ended.err);
        }
    };
    let lengths =
        ["model.yaml:5:", "`dim: 384` is the length of no sampled vector", "3000 have 8 numbers", "`dim: 8`"];
    says(&["baseline", &model, "-o", &stored], &lengths);
    // An id through a double might name another row.
    says(&["check", &model, &data], &["model.yaml:3:", "`request` of type `float64`", "text or integers"]);
    folder.write("model.yaml", MODEL.replace("dim: 8", "dim: 384").replace("id: request\n", ""));
    says(&["check", &model, &data], &["model.yaml:4:", lengths[1], lengths[2]]);
    folder.write("model.yaml", MODEL.replace("id: request", "id: requests"));
    says(&["check", &model, &data], &["model.yaml:3:", "`id` names the column `requests`", "request"]);
    // The baseline file is held to the model file by the same word.
    folder.write("model.yaml", MODEL.replace("id: request\n", ""));
    let made = driftlead(&["baseline", &model, "-o", &stored]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    folder.write(
        "model.yaml",
        MODEL
            .replace("id: request\n", "")
            .replace("dim: 8", "dim: 9")
            .replace("baseline.parquet", "made.parquet"),
    );
    says(&["check", &model, &data], &["model.yaml:4:", "`dim: 9`", "have 8 numbers", "make it again"]);
    folder.write("model.yaml", MODEL.replace("id: request", "id: at\ntime: at"));
    says(&["validate", &model], &["model.yaml:3:", "`id` and `time` name the same column"]);
}
