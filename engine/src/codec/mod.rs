//! Baselines and states as bytes, versioned; the layout stands in `docs/formats/state.md`.
//!
//! Equal content has equal bytes, whatever way it was counted, so the bytes' hash is the content's name. Reading checks
//! everything it relies on: damaged or foreign bytes give an error, never a wrong number or a panic.

pub(crate) mod bytes;
mod cells;
mod embedding;
mod slot;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use bytes::{Reader, Writer, damaged};

use crate::accumulate::{Accumulator, FeatureState, SlotKey, SlotState};
use crate::baseline::BaselineFeature;
use crate::feature::FeatureCells;
use crate::{Error, ErrorKind, Result};

/// The version of the bytes.
pub const VERSION: u8 = 1;

const FEATURE: &[u8; 4] = b"dlf\0";
const STATE: &[u8; 4] = b"dls\0";
const SLOT: &[u8; 4] = b"dlp\0";

/// A feature of a baseline, its segments and design effects included.
#[must_use]
pub fn encode_feature(feature: &BaselineFeature) -> Vec<u8> {
    write_feature(feature, feature.design_effects())
}

/// What a feature's counts stand on, without any count: its name and cells.
pub(crate) fn encode_grid(feature: &BaselineFeature) -> Vec<u8> {
    let mut writer = begin(FEATURE);
    writer.text(feature.name());
    cells::write(&mut writer, feature.cells());
    writer.into_bytes()
}

/// The same without design effects: what a baseline is named after.
pub(crate) fn encode_content(feature: &BaselineFeature) -> Vec<u8> {
    write_feature(feature, &BTreeMap::new())
}

fn write_feature(feature: &BaselineFeature, design_effects: &BTreeMap<i64, f64>) -> Vec<u8> {
    let mut writer = begin(FEATURE);
    writer.text(feature.name());
    cells::write(&mut writer, feature.cells());
    if let Some(whole) = feature.state(None) {
        state::write(&mut writer, whole);
    }
    writer.count(design_effects.len() as u64);
    for (length, effect) in design_effects {
        writer.long(*length);
        writer.float(*effect);
    }
    writer.count(feature.segments().len() as u64);
    for (segment, of_segment) in feature.segments() {
        writer.text(segment);
        state::write(&mut writer, of_segment);
    }
    writer.into_bytes()
}

/// The feature that [`encode_feature`] wrote.
///
/// # Errors
///
/// `Codec` if the bytes are damaged, foreign, or of a newer version; says which.
pub fn decode_feature(bytes: &[u8]) -> Result<BaselineFeature> {
    let mut reader = open(bytes, FEATURE)?;
    let name = reader.text()?.to_owned();
    let cells = cells::read(&mut reader)?;
    let whole = state::fit(state::read(&mut reader)?, &cells)?;
    let mut feature = BaselineFeature::new(name, cells, whole);
    let own = feature.cells().clone();
    let mut before = 0;
    for _ in 0..reader.length(16)? {
        let (length, effect) = (reader.long()?, reader.float()?);
        if length <= before {
            return Err(damaged(format!("design effects of panes of {length} after those of {before}")));
        }
        before = length;
        feature.set_design_effect(length, effect).map_err(|error| damaged(error.to_string()))?;
    }
    for _ in 0..reader.length(2)? {
        let segment: Arc<str> = reader.text()?.into();
        feature.set_segment(segment, state::fit(state::read(&mut reader)?, &own)?);
    }
    reader.ensure_end()?;
    Ok(feature)
}

/// One state, as a window's panes are stored.
#[must_use]
pub fn encode_state(state: &FeatureState) -> Vec<u8> {
    let mut writer = begin(STATE);
    state::write(&mut writer, state);
    writer.into_bytes()
}

/// The state that [`encode_state`] wrote.
///
/// # Errors
///
/// `Codec` if the bytes are damaged, foreign, or of a newer version; says which.
pub fn decode_state(bytes: &[u8]) -> Result<FeatureState> {
    let mut reader = open(bytes, STATE)?;
    let state = state::read(&mut reader)?;
    reader.ensure_end()?;
    Ok(state)
}

/// What an accumulator holds of one slot, as panes are stored; `None` if it has no such slot.
#[must_use]
pub fn encode_slot(accumulator: &Accumulator, key: &SlotKey) -> Option<Vec<u8>> {
    let mut writer = begin(SLOT);
    slot::write(&mut writer, accumulator, key).then(|| writer.into_bytes())
}

/// The slot that [`encode_slot`] wrote, of features with these cells.
///
/// # Errors
///
/// `Codec` if the bytes are damaged, foreign, of a newer version, or of other features; says which.
pub fn decode_slot(bytes: &[u8], cells: &[Arc<FeatureCells>]) -> Result<SlotState> {
    let mut reader = open(bytes, SLOT)?;
    let state = slot::read(&mut reader, cells)?;
    reader.ensure_end()?;
    Ok(state)
}

pub(crate) fn begin(magic: &[u8; 4]) -> Writer {
    let mut writer = Writer::default();
    writer.raw(magic);
    writer.byte(VERSION);
    writer
}

pub(crate) fn open<'a>(bytes: &'a [u8], magic: &[u8; 4]) -> Result<Reader<'a>> {
    let mut reader = Reader::new(bytes);
    if reader.raw(magic.len())? != magic {
        return Err(damaged("it does not begin as a state does".to_owned()));
    }
    match reader.byte()? {
        VERSION => Ok(reader),
        newer => Err(Error::new(
            ErrorKind::Codec,
            format!(
                "the state has version `{newer}`, this driftlead reads `{VERSION}`: update driftlead or make a new baseline"
            ),
        )),
    }
}
