//! What a window's accumulator holds of one slot (a pane and a segment), as bytes.
//!
//! One blob a slot, because slots are what changes between two commits. A feature whose rows could not be read is in it
//! with the reason, so that a restart does not make it whole.

use std::sync::Arc;

use super::state;
use super::{Reader, Writer, damaged};
use crate::Result;
use crate::accumulate::{Accumulator, SlotKey, SlotState};
use crate::feature::FeatureCells;

const STATE: u8 = 0;
const ERROR: u8 = 1;

/// Writes the slot; says whether there is one.
pub(super) fn write(writer: &mut Writer, accumulator: &Accumulator, key: &SlotKey) -> bool {
    let Some((rows, features)) = accumulator.view(key) else { return false };
    writer.count(rows);
    writer.count(features.len() as u64);
    for feature in features {
        match feature {
            Ok(view) => {
                writer.byte(STATE);
                state::write_view(writer, view);
            }
            Err(message) => {
                writer.byte(ERROR);
                writer.text(message);
            }
        }
    }
    true
}

pub(super) fn read(reader: &mut Reader<'_>, cells: &[Arc<FeatureCells>]) -> Result<SlotState> {
    let rows = reader.count()?;
    let n_features = reader.length(2)?;
    if n_features != cells.len() {
        return Err(damaged(format!("a slot has {n_features} features, not {}", cells.len())));
    }
    let features = cells
        .iter()
        .map(|cells| match reader.byte()? {
            STATE => {
                let state = state::fit(state::read(reader)?, cells)?;
                if state.rows() != rows {
                    return Err(damaged(format!("a feature has {} of the slot's {rows} rows", state.rows())));
                }
                Ok(Ok(state))
            }
            ERROR => Ok(Err(reader.text()?.to_owned())),
            other => Err(damaged(format!("expected a state or an error, found kind {other}"))),
        })
        .collect::<Result<_>>()?;
    Ok(SlotState { rows, features })
}
