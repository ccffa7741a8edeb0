//! A look at the first rows of a data set: what a person sees of each column before a model file is written.

use std::sync::Arc;

use driftlead_engine::accumulate::Column;
use driftlead_engine::baseline::{Baseline, SAMPLE_ROWS, Sampler, sample_plan};
use driftlead_engine::feature::FeatureCells;
use driftlead_engine::score::describe;

use super::columns::Columns;
use super::input::Input;
use super::read::Reading;
use crate::exit::{Error, Result};
use crate::progress::Progress;
use crate::report::number;

/// What was seen of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Numbers and names for a person; may be empty.
    pub seen: String,
    /// Why the column would not be a feature, if it looks like none.
    pub skipped: Option<String>,
}

/// How many categories are named.
const NAMED: usize = 3;

/// Looks at a sample of the rows of each feature.
///
/// # Errors
///
/// If the rows cannot be read, or there are none.
pub fn look(input: &Input, columns: &Columns) -> Result<Vec<Look>> {
    let baseline = sampled_baseline(input, columns)?;
    Ok(columns
        .features
        .iter()
        .map(|spec| {
            let of = |list: &[driftlead_engine::baseline::Skipped]| {
                list.iter().find(|own| own.name == spec.name).map(|own| own.reason.clone())
            };
            if let Some(reason) = of(baseline.skipped()).or_else(|| of(baseline.failed())) {
                return Look { seen: String::new(), skipped: Some(reason) };
            }
            let feature = baseline.features().iter().find(|own| own.name() == spec.name);
            Look { seen: feature.map(seen).unwrap_or_default(), skipped: None }
        })
        .collect())
}

fn seen(feature: &driftlead_engine::baseline::BaselineFeature) -> String {
    let Some(state) = feature.state(None) else { return String::new() };
    let about = describe(feature.cells(), state);
    let mut parts = Vec::new();
    match feature.cells().as_ref() {
        FeatureCells::Numeric(_) => {
            if let (Some(min), Some(max)) = (about.min, about.max) {
                parts.push(format!("{} to {}", number(min), number(max)));
            }
            if let Some(mean) = about.mean {
                parts.push(format!("mean {}", number(mean)));
            }
        }
        FeatureCells::Embedding(cells) => {
            parts.push(format!("vectors of {} numbers", cells.dim()));
        }
        FeatureCells::Categorical(cells) => {
            let names: Vec<&str> = cells.names().iter().take(NAMED).map(String::as_str).collect();
            parts.push(format!("{} distinct, such as {}", cells.n_distinct(), names.join(", ")));
        }
    }
    if about.nulls > 0 && about.rows > 0 {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = about.nulls as f64 / about.rows as f64 * 100.0;
        parts.push(format!("{share:.1}% null"));
    }
    parts.join(", ")
}

/// A baseline of the sampled rows alone.
fn sampled_baseline(input: &Input, columns: &Columns) -> Result<Baseline> {
    let parts = input.dataset().parts();
    // A format that does not say how many rows it has is read from its beginning.
    let part_rows: Vec<u64> = parts.iter().map(|part| part.rows.unwrap_or(0)).collect();
    let known = parts.iter().all(|part| part.rows.is_some());
    let ranges = sample_plan(&part_rows);
    let features = Arc::new(columns.features.clone());
    let progress = Progress::rows("looking", known.then(|| part_rows.iter().sum::<u64>().min(SAMPLE_ROWS)));
    let reading = Reading {
        input,
        columns: &columns.places,
        together: true,
        ranges: known.then_some(ranges.as_slice()),
        progress: &progress,
        tells_bad_records: false,
    };
    let gathered = reading.run(
        Vec::new,
        |gathered, piece| {
            // Of a format read from its beginning, the first rows of each file.
            if known || piece.first_row < SAMPLE_ROWS {
                gathered.push((piece.part.index, piece.rows.columns.clone()));
            }
            Ok(())
        },
        |own, other| {
            own.extend(other);
            Ok(())
        },
    )?;
    progress.finish();
    let mut sampler = Sampler::new(features);
    for (part, arrays) in &gathered {
        for (place, array) in arrays.iter().enumerate() {
            sampler.add(place, *part, array.as_ref());
        }
    }
    let mut counter = sampler.draft(true).counter();
    for (_, arrays) in &gathered {
        counter.add_rows(arrays.first().map_or(0, |array| array.len() as u64));
        for (place, array) in arrays.iter().enumerate() {
            counter.update(place, Column { array: array.as_ref(), errors: None });
        }
    }
    counter.freeze().map_err(|error| Error::input(error.to_string()))
}
