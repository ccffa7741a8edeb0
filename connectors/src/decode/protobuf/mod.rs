//! Protobuf payloads: a plan compiled from a descriptor, straight from the wire to the columns.
//!
//! `prost-reflect` reads the descriptors; its messages are maps of values and serve the tests as the oracle.

mod plan;
mod read;
#[cfg(test)]
mod tests;

use std::panic::catch_unwind;

use prost_reflect::DescriptorPool;

use self::plan::Plan;
use self::read::Met;
use super::decoder::Bad;
use super::field::FieldSpec;
use super::slots::Places;
use super::wire::Wire;
use super::{Framing, ProtobufMessage, frame};
use crate::error::{Error, Result};
use crate::source::BadReason;
use crate::source::column::Column;
use crate::source::ndjson::Pointer;
use crate::suggest;

/// The payload's columns.
pub(super) struct Messages {
    places: Places,
    plan: Plan,
    met: Met,
    framing: Framing,
    name: String,
    index: Vec<i32>,
}

/// The types of a descriptor set.
fn pool(descriptors: &[u8]) -> Result<DescriptorPool> {
    let expected = || {
        let expected = "a descriptor set, as `protoc --include_imports --descriptor_set_out` writes it";
        Error::misconfigured(format!("protobuf descriptors: expected {expected}"))
    };
    // Where a name of the first file is at fault, prost-reflect looks the file up before it has it, and panics.
    match catch_unwind(|| DescriptorPool::decode(descriptors)) {
        Ok(Ok(pool)) => Ok(pool),
        Ok(Err(error)) => Err(expected().with_source(error)),
        Err(_) => Err(expected()),
    }
}

impl Messages {
    pub(super) fn new(fields: &[(&FieldSpec, Pointer)], message: &ProtobufMessage) -> Result<Self> {
        let pool = pool(&message.descriptors)?;
        let descriptor = pool.get_message_by_name(&message.name).ok_or_else(|| {
            let names: Vec<String> = pool.all_messages().map(|known| known.full_name().to_owned()).collect();
            let names = || names.iter().map(String::as_str);
            let advice = suggest::phrase(&suggest::candidates(&message.name, names()), names());
            Error::misconfigured(format!("protobuf descriptors: no message `{}`: {advice}", message.name))
        })?;
        let mut columns = Vec::with_capacity(fields.len());
        for (field, pointer) in fields {
            columns.push((field.column()?, pointer.clone()));
        }
        let places = Places::new(columns);
        let plan = Plan::new(&descriptor, &places.tree)?;
        // A descriptor's path alternates between the kind of what is declared and its position.
        let position = || descriptor.path().iter().skip(1).step_by(2).copied().collect();
        let index = message.index.clone().unwrap_or_else(position);
        let name = descriptor.full_name().to_owned();
        Ok(Self { places, plan, met: Met::default(), framing: message.framing, name, index })
    }

    /// Decodes a message into a row.
    pub(super) fn decode(&mut self, payload: &[u8]) -> Result<(), Bad> {
        let mut wire = Wire::new(payload, BadReason::NotProtobuf);
        if self.framing == Framing::Registry {
            let (_, rest) = frame::split(payload)?;
            wire.seek(payload.len() - rest.len());
            self.check_index(&mut wire)?;
        }
        self.places.slots.begin();
        read::read(&self.plan, wire, &mut self.places.slots, &mut self.met)?;
        self.places.push_row(payload);
        Ok(())
    }

    pub(super) fn columns_mut(&mut self) -> &mut [Column] {
        self.places.columns_mut()
    }

    /// Reads the position of the message in its file: how many steps there are and each step; no steps are `[0]`.
    fn check_index(&self, wire: &mut Wire<'_>) -> Result<(), Bad> {
        let steps = wire.zigzag()?;
        let matches = if steps == 0 {
            self.index == [0]
        } else {
            let mut matches = usize::try_from(steps).is_ok_and(|steps| steps == self.index.len());
            for expected in &self.index {
                matches = matches && wire.zigzag()? == i64::from(*expected);
            }
            matches
        };
        if matches {
            return Ok(());
        }
        Err(Bad {
            reason: BadReason::OtherMessage,
            detail: format!(
                "expected message `{}` at position {:?} of its file, found another: is this topic of one message?",
                self.name, self.index
            ),
        })
    }
}
