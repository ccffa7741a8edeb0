//! The rows of a baseline's panes, against which the number of a window's rows is held (SEMANTICS S21).
//!
//! One more reading of the event time alone: windows are sums of panes of their own `every`, which are shorter than the
//! panes on which the features are calibrated.

use std::collections::BTreeMap;

use driftlead_engine::baseline::{Baseline, Stretch, Volume};
use driftlead_engine::window::Grid;
use serde::{Deserialize, Serialize};

use super::input::Input;
use super::read::Reading;
use super::time::event_times;
use crate::config::Config;
use crate::exit::Result;
use crate::progress::Progress;

/// Counts the panes of every window of the model file; without an event time there is nothing to count.
///
/// # Errors
///
/// If the rows cannot be read.
pub(super) fn count(input: &Input, config: &Config, baseline: &mut Baseline) -> Result<()> {
    let Some(time) = config.time.as_deref() else { return Ok(()) };
    let Ok(place) = input.schema().index_of(time) else { return Ok(()) };
    let mut grids: BTreeMap<(i64, i64), Grid> = BTreeMap::new();
    for cut in config.windows.iter().filter_map(|window| window.cut) {
        let grid = cut.grid()?;
        grids.entry((grid.every_us(), grid.base_us())).or_insert(grid);
    }
    if grids.is_empty() {
        return Ok(());
    }
    let grids: Vec<Grid> = grids.into_values().collect();
    let progress = Progress::rows("counting the baseline's panes", input.dataset().n_rows());
    let places = [place];
    let reading = Reading::of_rows(input, &places, &progress);
    let panes = reading.run(
        || vec![BTreeMap::<i64, u64>::new(); grids.len()],
        |panes, piece| {
            let Some(array) = piece.rows.columns.first() else { return Ok(()) };
            for time in event_times(array, time)?.into_iter().flatten() {
                for (grid, panes) in grids.iter().zip(&mut *panes) {
                    *panes.entry(grid.pane_of(time).0).or_default() += 1;
                }
            }
            Ok(())
        },
        |own, other| {
            for (own, other) in own.iter_mut().zip(other) {
                for (pane, rows) in other {
                    *own.entry(pane).or_default() += rows;
                }
            }
            Ok(())
        },
    )?;
    progress.finish();
    for (grid, panes) in grids.iter().zip(&panes) {
        baseline.set_volume((grid.every_us(), grid.base_us()), Volume::of_panes(grid, panes));
    }
    Ok(())
}

/// A volume in the metadata of a baseline file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredVolume {
    /// The distance between the borders of panes, in microseconds.
    every_us: i64,
    /// The first border at or after the epoch, in microseconds.
    base_us: i64,
    /// Panes that follow each other: the number of the first, and the rows of each.
    panes: Vec<(i64, Vec<u64>)>,
}

/// The volumes of a baseline as its file holds them.
pub(super) fn stored(baseline: &Baseline) -> Vec<StoredVolume> {
    let panes = |volume: &Volume| {
        volume.stretches().iter().map(|stretch| (stretch.first, stretch.rows.clone())).collect()
    };
    baseline
        .volumes()
        .iter()
        .map(|((every_us, base_us), volume)| StoredVolume {
            every_us: *every_us,
            base_us: *base_us,
            panes: panes(volume),
        })
        .collect()
}

/// Gives a baseline the volumes of its file.
pub(super) fn restore(baseline: &mut Baseline, stored: Vec<StoredVolume>) {
    for own in stored {
        let stretches = own.panes.into_iter().map(|(first, rows)| Stretch { first, rows }).collect();
        baseline.set_volume((own.every_us, own.base_us), Volume::of_stretches(stretches));
    }
}
