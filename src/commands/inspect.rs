//! `driftlead inspect`: what a baseline file holds, with a small histogram of each feature.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use driftlead_connectors::baseline_file::{self, FeatureRow};
use driftlead_connectors::dataset::Remotes;
use driftlead_engine::accumulate::FeatureState;
use driftlead_engine::codec;
use driftlead_engine::embedding::{EmbeddingCells, EmbeddingState};
use driftlead_engine::feature::FeatureCells;

use crate::cli::Inspect;
use crate::config::Duration;
use crate::exit::{Error, Result, code};
use crate::output;
use crate::report::{count, histogram, number, plural};

/// The columns of a histogram.
const BARS: usize = 24;
/// The categories that are listed.
const CATEGORIES: usize = 8;
/// The width of a line of bars.
const WIDTH: usize = 72;

/// Prints the baseline.
///
/// # Errors
///
/// If the file is no baseline, damaged, or of a newer version.
pub fn run(args: &Inspect) -> Result<u8> {
    let location = args.file.to_string_lossy();
    let (rows, metadata) = baseline_file::read(&location, &Remotes::default())
        .map_err(|error| Error::input(error.to_string()))?;
    output::print(&text(&location, &rows, &metadata)?)?;
    Ok(code::OK)
}

fn text(location: &str, rows: &[FeatureRow], metadata: &BTreeMap<String, String>) -> Result<String> {
    let known = |key: &str| metadata.get(key).map_or("unknown", String::as_str);
    let mut out = String::new();
    let whole = rows.iter().filter(|row| row.segment.is_none());
    let rows_of_all = known("driftlead.rows");
    let n_rows = rows_of_all.parse().map_or_else(|_| format!("{rows_of_all} rows"), |n| plural(n, "row"));
    let _ = writeln!(
        out,
        "{location}\nbaseline {} of {n_rows}, model {}",
        known("driftlead.baseline_id"),
        known("driftlead.model")
    );
    if let (Some(source), Some(span)) = (metadata.get("driftlead.source"), metadata.get("driftlead.span")) {
        let _ = writeln!(out, "from {source}, {span}, on the cells of {}", known("driftlead.cells_of"));
    }
    for row in whole {
        let segments =
            rows.iter().filter(|other| other.segment.is_some() && other.feature == row.feature).count();
        out.push('\n');
        feature(&mut out, row, segments).map_err(|error| {
            Error::input(format!("baseline file `{location}`, feature `{}`: {error}", row.feature))
        })?;
    }
    Ok(out)
}

fn feature(out: &mut String, row: &FeatureRow, segments: usize) -> driftlead_engine::Result<()> {
    let own = codec::decode_feature(&row.state)?;
    let _ = write!(out, "{}  {} ({})", row.feature, row.kind, row.data_type);
    let _ = write!(out, "  {}", plural(row.rows, "row"));
    for (number, what) in [(row.nulls, "null"), (row.nans, "NaN")] {
        if number > 0 {
            let _ = write!(out, ", {} {what}", count(number));
        }
    }
    if segments > 0 {
        let _ = write!(out, ", {}", plural(segments as u64, "segment"));
    }
    for (length, effect) in own.design_effects() {
        let _ = write!(out, ", design effect {} over {}", number(*effect), Duration::from_micros(*length));
    }
    let _ = writeln!(out, "\n  cells {}", &own.cutset_id()[..12]);
    match (own.cells().as_ref(), own.state(None)) {
        (FeatureCells::Numeric(cells), Some(FeatureState::Numeric(state))) => {
            if let (Some(min), Some(max)) = (row.min, row.max) {
                let moments = match (row.mean, row.sd) {
                    (Some(mean), Some(sd)) => format!("  mean {}  sd {}", number(mean), number(sd)),
                    _ => String::new(),
                };
                let _ = writeln!(out, "  min {}{moments}  max {}", number(min), number(max));
                let counts = state.cells.to_vec();
                let _ = writeln!(out, "  quantiles {}", quantiles(&cells.positions(), &counts));
                let _ = writeln!(
                    out,
                    "  {} {} {}",
                    number(min),
                    histogram::sparkline(&equal_width(&cells.positions(), &counts, min, max)),
                    number(max)
                );
            }
            let kind = if cells.exact { "every value has a cell" } else { "cells between cuts" };
            let _ = writeln!(
                out,
                "  {}, {kind}; psi compares {}",
                plural(cells.edges.len() as u64, "edge"),
                plural(cells.psi.n_cells as u64, "cell")
            );
        }
        (FeatureCells::Categorical(cells), Some(FeatureState::Categorical(state))) => {
            let counts = state.cells.to_vec();
            let mut bars: Vec<(String, u64)> =
                cells.names().iter().cloned().zip(counts.iter().copied()).take(CATEGORIES).collect();
            let rest: u64 = counts.iter().skip(bars.len()).sum();
            if rest > 0 {
                bars.push((format!("({} more)", cells.n_distinct() - bars.len()), rest));
            }
            for line in histogram::bars(&bars, WIDTH).lines() {
                let _ = writeln!(out, "  {line}");
            }
        }
        (FeatureCells::Embedding(cells), Some(FeatureState::Embedding(state))) => vectors(out, cells, state),
        _ => {}
    }
    Ok(())
}

fn vectors(out: &mut String, cells: &EmbeddingCells, state: &EmbeddingState) {
    let _ = writeln!(
        out,
        "  vectors of {} numbers: {} fitted, {} to compare with",
        cells.dim(),
        count(state.fitted),
        count(state.values())
    );
    let apart = [(state.zeros, "all zero"), (state.wrong_dims, "of another length")];
    for (number, what) in apart.into_iter().filter(|(number, _)| *number > 0) {
        let _ = writeln!(out, "  {} {what}", count(number));
    }
    let codes: Vec<u64> = state.codes().into_iter().take(cells.n_codes()).collect();
    let _ = writeln!(out, "  {} {}", plural(codes.len() as u64, "cluster"), histogram::sparkline(&codes));
    if cells.whitening().is_none() {
        let _ = writeln!(out, "  too few for `embedding_mean`: ten for each number");
    }
    if let Some(waves) = cells.waves() {
        let _ = writeln!(out, "  measured with `mmd`, its kernel {} wide", number(waves.bandwidth()));
    }
}

/// Five quantiles, each the edge at which that share of the rows is reached.
fn quantiles(positions: &[f64], counts: &[u64]) -> String {
    let total: u64 = counts.iter().sum();
    [1_u64, 25, 50, 75, 99]
        .iter()
        .map(|percent| {
            let wanted = (u128::from(total) * u128::from(*percent)).div_ceil(100);
            let mut sum = 0_u128;
            let at = counts.iter().position(|count| {
                sum += u128::from(*count);
                sum >= wanted
            });
            let x = at.and_then(|at| positions.get(at)).copied().unwrap_or(f64::NAN);
            format!("{percent}% {}", number(x))
        })
        .collect::<Vec<_>>()
        .join("  ")
}

/// Rows in stretches of equal width between `min` and `max`; a cell's rows count where its right edge lies.
fn equal_width(positions: &[f64], counts: &[u64], min: f64, max: f64) -> Vec<u64> {
    let mut bars = vec![0_u64; BARS];
    let width = (max - min) / BARS as f64;
    for (cell, rows) in counts.iter().enumerate().filter(|(_, rows)| **rows > 0) {
        let x = positions.get(cell).copied().unwrap_or(max).clamp(min, max);
        let bar = if width > 0.0 && width.is_finite() { ((x - min) / width) as usize } else { 0 };
        bars[bar.min(BARS - 1)] += rows;
    }
    bars
}
