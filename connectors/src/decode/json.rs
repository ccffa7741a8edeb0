//! JSON payloads: the NDJSON decoder, one record at a time.

use super::decoder::{Bad, Finished};
use super::field::FieldSpec;
use super::{Framing, frame};
use crate::error::Result;
use crate::source::ndjson::{Decoder, Outcome, Pointer, Selection};

/// The payload's columns.
pub(super) struct Objects {
    decoder: Decoder,
    framing: Framing,
}

impl Objects {
    pub(super) fn new(fields: &[(&FieldSpec, Pointer)], framing: Framing) -> Result<Self> {
        Ok(Self { decoder: decoder(fields)?, framing })
    }

    pub(super) fn decode(&mut self, payload: &[u8]) -> Result<usize, Bad> {
        let object = match self.framing {
            Framing::Plain => payload,
            Framing::Registry => frame::split(payload)?.1,
        };
        match self.decoder.decode(object) {
            Outcome::Row => Ok(1),
            Outcome::Bad(fault) => Err(fault.into()),
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Finished>) {
        finish(&mut self.decoder, out);
    }
}

/// A decoder of values at pointers; also serves keys that are JSON.
pub(super) fn decoder(fields: &[(&FieldSpec, Pointer)]) -> Result<Decoder> {
    let selections: Vec<_> = fields
        .iter()
        .map(|(field, pointer)| {
            let selection = Selection::new(field.name(), field.data_type().clone()).at(pointer.clone());
            match field.epoch_unit() {
                None => selection,
                Some(unit) => selection.epoch(unit),
            }
        })
        .collect();
    Decoder::new(&selections)
}

pub(super) fn finish(decoder: &mut Decoder, out: &mut Vec<Finished>) {
    let decoded = decoder.flush();
    out.extend(decoded.batch.columns().iter().cloned().zip(decoded.type_errors));
}
