//! Scores of a categorical feature (SEMANTICS S3).

use std::collections::BTreeMap;

use super::{Against, Measured, Place, family};
use crate::Metric;
use crate::accumulate::CategoricalState;
use crate::feature::{Categories, Category};
use crate::statistic::{new_category, rate};

/// How many new categories are named beside the rest.
const NAMED_NEWCOMERS: usize = 5;

pub(super) fn measure(
    cells: &Categories,
    baseline: &CategoricalState,
    window: &CategoricalState,
    against: Against,
    deff: f64,
) -> Measured {
    let (p, q) = (baseline.cells.to_vec(), window.cells.to_vec());
    let mut scores = BTreeMap::new();
    let pool = family(&p, &q, &[cells.other(), cells.new_cell()], deff, &mut scores);
    let (n, baseline_n) = (window.values(), baseline.values());
    let new = q[cells.new_cell()];
    let new_rate = match against {
        // Good-Turing speaks of the whole baseline; a segment has no count of singletons of its own.
        Against::Frozen => new_category(new, n, cells.singletons().min(baseline_n), baseline_n, deff),
        // What is new to the dictionary came at a rate that was counted.
        Against::Moving => rate(new, n, p[cells.new_cell()], baseline_n, deff),
    };
    scores.insert(Metric::NewCategoryRate, new_rate);
    scores.insert(Metric::NullRate, rate(window.nulls, window.rows, baseline.nulls, baseline.rows, deff));
    scores.insert(
        Metric::TypeErrorRate,
        rate(window.type_errors, window.rows, baseline.type_errors, baseline.rows, deff),
    );
    let newcomers: Vec<(String, u64)> = window
        .newcomers
        .top()
        .into_iter()
        .take(NAMED_NEWCOMERS)
        .map(|(name, rows)| (name.to_owned(), rows))
        .collect();
    let moved = pool.moved(|members, is_rest| match (members, is_rest) {
        ([cell], false) => match cells.category(*cell) {
            Category::Named(name) => Place::Category(name.to_owned()),
            Category::Other | Category::New => Place::Rest(newcomers.clone()),
        },
        _ => Place::Rest(newcomers.clone()),
    });
    Measured {
        rows: window.rows,
        nulls: window.nulls,
        nans: window.nans,
        infinities: 0,
        type_errors: window.type_errors,
        n,
        baseline_rows: baseline.rows,
        baseline_n,
        narrowed: false,
        scores,
        cells: moved,
        ..Measured::default()
    }
}
