//! From columns to scores, by the engine's own way: sample, cuts, counting pass, window, measure.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use driftlead_engine::accumulate::{Accumulator, Column, FeatureState, SlotKey, Slots};
use driftlead_engine::baseline::{Baseline, FeatureSpec, SAMPLE_ROWS, Sampler, sample_plan};
use driftlead_engine::feature::ValueType;
use driftlead_engine::score::{Measured, measure};
use driftlead_engine::{Kind, Result};

/// A baseline of these columns, all of equal length, as a command would build it.
///
/// # Errors
///
/// As the engine's: a column of a type that no feature can have, or no rows.
pub fn baseline(kind: Kind, columns: &[ArrayRef]) -> Result<Baseline> {
    baseline_with(kind, columns, false)
}

/// [`baseline`], with what `mmd` is measured with if that is asked for.
///
/// # Errors
///
/// As [`baseline`].
pub fn baseline_with(kind: Kind, columns: &[ArrayRef], mmd: bool) -> Result<Baseline> {
    let specs = columns
        .iter()
        .enumerate()
        .map(|(i, column)| {
            Ok(FeatureSpec {
                name: format!("x{i}"),
                kind,
                value_type: ValueType::of(column.data_type())?,
                edges: Vec::new(),
                dim: None,
                mmd,
                inferred: false,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let rows = columns.first().map_or(0, |column| column.len());
    let mut sampler = Sampler::new(Arc::new(specs));
    for range in sample_plan(&[rows as u64]).into_iter().flatten() {
        #[expect(clippy::cast_possible_truncation, reason = "places in a slice")]
        let (from, n) = (range.start as usize, (range.end - range.start) as usize);
        for (feature, column) in columns.iter().enumerate() {
            sampler.add(feature, 0, column.slice(from, n).as_ref());
        }
    }
    let mut counter = sampler.draft(rows as u64 <= SAMPLE_ROWS).counter();
    counter.add_rows(rows as u64);
    for (feature, column) in columns.iter().enumerate() {
        counter.update(feature, Column { array: column.as_ref(), errors: None });
    }
    counter.freeze()
}

/// The states of a window's columns on the baseline's cells.
///
/// # Errors
///
/// As the engine's: a column of another type than the baseline's.
pub fn states(baseline: &Baseline, columns: &[ArrayRef]) -> Result<Vec<FeatureState>> {
    states_by(baseline.accumulator(), columns)
}

fn states_by(mut accumulator: Accumulator, columns: &[ArrayRef]) -> Result<Vec<FeatureState>> {
    let slot = accumulator.slot(&SlotKey::default());
    accumulator.add_rows(columns.first().map_or(0, |column| column.len() as u64), &[Slots::All(slot)]);
    for (feature, column) in columns.iter().enumerate() {
        accumulator.update(feature, Column { array: column.as_ref(), errors: None }, &[Slots::All(slot)]);
    }
    (0..columns.len()).map(|feature| accumulator.state(feature, &SlotKey::default())).collect()
}

/// The state of a pane of the baseline's own rows, of which those that were fitted are not counted.
///
/// # Errors
///
/// As [`states`].
pub fn pane(baseline: &Baseline, column: &ArrayRef) -> Result<FeatureState> {
    Ok(states_by(baseline.own_accumulator(), std::slice::from_ref(column))?.swap_remove(0))
}

/// Measures a window of one column against its baseline, under the baseline's design effect.
///
/// # Errors
///
/// As [`states`].
pub fn scores(baseline: &Baseline, window: &ArrayRef) -> Result<Measured> {
    let states = states(baseline, std::slice::from_ref(window))?;
    measured(baseline, 0, &states[0])
}

/// Measures the state of feature number `feature`.
///
/// # Errors
///
/// `Mismatch` if the state is not of the baseline's cells, or the baseline skipped the feature.
pub fn measured(baseline: &Baseline, feature: usize, state: &FeatureState) -> Result<Measured> {
    let missing = || driftlead_engine::Error::new(driftlead_engine::ErrorKind::Mismatch, "no such feature");
    let feature = baseline.features().get(feature).ok_or_else(missing)?;
    let own = feature.state(None).ok_or_else(missing)?;
    // Panes have no length here: there is one design effect, or none.
    let effect = feature.design_effects().values().next().copied();
    measure(feature.cells(), own, state, effect.unwrap_or(1.0))
}
