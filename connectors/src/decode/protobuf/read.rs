//! One message, from its first byte to its last.
//!
//! Source: "Encoding" and "Field Presence" of the Protocol Buffers documentation. Of a field that is written twice the
//! last value counts, messages merge, repeated numbers go on, and a member of a `oneof` clears the others. A value whose
//! wire type is not that of the declared type is a type error of that field: to pass over it, as other readers do, would
//! turn a changed producer into columns of zeros.

use super::plan::{Field, Left, Message, Plan, Scalar, Step};
use crate::decode::slots::{Slot, Slots};
use crate::decode::wire::{MAX_DEPTH, Wire};
use crate::source::ndjson::Fault;

/// Which messages have been met in the record at hand.
#[derive(Default)]
pub(super) struct Met {
    ordinals: Vec<u64>,
    record: u64,
}

/// Reads a whole message into slots.
pub(super) fn read(plan: &Plan, wire: Wire<'_>, slots: &mut Slots, met: &mut Met) -> Result<(), Fault> {
    met.record += 1;
    met.ordinals.resize(plan.messages.len(), 0);
    Reader { messages: &plan.messages, slots, met }.message(0, wire)
}

struct Reader<'a> {
    messages: &'a [Message],
    slots: &'a mut Slots,
    met: &'a mut Met,
}

impl Reader<'_> {
    fn message(&mut self, id: usize, mut wire: Wire<'_>) -> Result<(), Fault> {
        let messages = self.messages;
        let message = &messages[id];
        if self.met.ordinals[id] != self.met.record {
            self.met.ordinals[id] = self.met.record;
            message.defaults.iter().for_each(|(slot, scalar)| self.set_default(*slot, scalar));
        }
        // Writers keep to the order of numbers, so the next field is nearly always the one after the last.
        let mut next = 0;
        while wire.remaining() > 0 {
            let (number, kind) = tag(&mut wire)?;
            let place = match message.fields.get(next) {
                Some(field) if field.number == number => Ok(next),
                _ => message.fields.binary_search_by_key(&number, |field| field.number),
            };
            match place {
                Err(_) => skip(&mut wire, number, kind, 0)?,
                Ok(place) => {
                    next = place + 1;
                    self.field(&message.fields[place], kind, &mut wire)?;
                }
            }
        }
        Ok(())
    }

    fn field(&mut self, field: &Field, kind: u8, wire: &mut Wire<'_>) -> Result<(), Fault> {
        field.clears.iter().for_each(|left| self.clear(left));
        match (&field.step, kind) {
            (Step::Skip, _) => skip(wire, field.number, kind, 0)?,
            (Step::Scalar { slot, scalar, below }, _) => {
                self.slots.fill(below.clone(), Slot::Unreachable);
                match slot {
                    None => skip(wire, field.number, kind, 0)?,
                    Some(slot) => self.scalar(*slot, scalar, field.number, kind, wire)?,
                }
            }
            (Step::Numbers { slot, scalar }, _) => self.numbers(*slot, scalar, field.number, kind, wire)?,
            (Step::Time { slot }, LENGTH) => {
                let inner = sub_message(wire)?;
                let time = time(inner, self.slots.of(*slot))?;
                self.slots.set(*slot, time);
            }
            (Step::Message { slot, id }, LENGTH) => {
                let inner = sub_message(wire)?;
                if let Some(slot) = slot {
                    self.slots.set(*slot, Slot::Other);
                }
                self.message(*id, inner)?;
            }
            (Step::Map { slot, key, wanted }, LENGTH) => {
                let entry = sub_message(wire)?;
                if let Some(slot) = slot {
                    self.slots.set(*slot, Slot::Other);
                }
                self.entry(key, wanted, entry)?;
            }
            (Step::Other { slot } | Step::Time { slot }, _) => {
                skip(wire, field.number, kind, 0)?;
                self.slots.set(*slot, Slot::Other);
            }
            (Step::Message { id, .. }, _) => {
                skip(wire, field.number, kind, 0)?;
                // Whatever it is, it is not this message: all below it is out of reach.
                self.unreachable(*id);
            }
            (Step::Map { wanted, .. }, _) => {
                skip(wire, field.number, kind, 0)?;
                wanted.iter().for_each(|(_, left)| self.slots.fill(left.slots.clone(), Slot::Unreachable));
            }
        }
        Ok(())
    }

    fn unreachable(&mut self, id: usize) {
        let messages = self.messages;
        for field in &messages[id].fields {
            match &field.step {
                Step::Skip => {}
                Step::Scalar { slot, below, .. } => {
                    if let Some(slot) = slot {
                        self.slots.set(*slot, Slot::Unreachable);
                    }
                    self.slots.fill(below.clone(), Slot::Unreachable);
                }
                Step::Numbers { slot, .. } | Step::Time { slot } | Step::Other { slot } => {
                    self.slots.set(*slot, Slot::Unreachable);
                }
                Step::Message { slot, id } => {
                    if let Some(slot) = slot {
                        self.slots.set(*slot, Slot::Unreachable);
                    }
                    self.unreachable(*id);
                }
                Step::Map { wanted, .. } => {
                    wanted
                        .iter()
                        .for_each(|(_, left)| self.slots.fill(left.slots.clone(), Slot::Unreachable));
                }
            }
        }
    }

    fn clear(&mut self, left: &Left) {
        self.slots.fill(left.slots.clone(), Slot::Empty);
        self.met.ordinals[left.messages.clone()].fill(0);
    }

    fn set_default(&mut self, slot: usize, scalar: &Scalar) {
        self.slots.set(
            slot,
            match scalar {
                Scalar::Double => Slot::Double(0.0),
                Scalar::Float => Slot::Single(0.0),
                Scalar::Bool => Slot::Bool(false),
                Scalar::String => Slot::Text(0, 0),
                Scalar::Bytes => Slot::Bytes(0, 0),
                Scalar::Enum(names, default) => return self.set_name(slot, names, *default),
                _ => Slot::Int(0),
            },
        );
    }

    /// A number without a name, from a newer schema, goes by its digits, as in Protobuf's JSON.
    fn set_name(&mut self, slot: usize, names: &[(i32, String)], number: i32) {
        let name = names.binary_search_by_key(&number, |(number, _)| *number);
        self.slots.set_made(slot, |out| match name {
            Ok(at) => out.push_str(&names[at].1),
            Err(_) => out.push_str(&number.to_string()),
        });
    }

    #[inline]
    fn scalar(
        &mut self,
        slot: usize,
        scalar: &Scalar,
        number: u32,
        kind: u8,
        wire: &mut Wire<'_>,
    ) -> Result<(), Fault> {
        let value = match (scalar, kind) {
            (Scalar::Enum(names, _), VARINT) => {
                let value = wire.varint()? as i32;
                self.set_name(slot, names, value);
                return Ok(());
            }
            (Scalar::Bool, VARINT) => Slot::Bool(wire.varint()? != 0),
            (Scalar::String, LENGTH) => {
                let (start, end) = run(wire)?;
                Slot::Text(start as u32, end as u32)
            }
            (Scalar::Bytes, LENGTH) => {
                let (start, end) = run(wire)?;
                Slot::Bytes(start as u32, end as u32)
            }
            (scalar, kind) if kind == wire_type(scalar) => numeric(scalar, wire)?,
            _ => {
                skip(wire, number, kind, 0)?;
                Slot::Other
            }
        };
        self.slots.set(slot, value);
        Ok(())
    }

    fn numbers(
        &mut self,
        slot: usize,
        scalar: &Scalar,
        number: u32,
        kind: u8,
        wire: &mut Wire<'_>,
    ) -> Result<(), Fault> {
        if kind == wire_type(scalar) {
            let value = numeric(scalar, wire)?;
            self.slots.list(slot).push(as_double(value));
        } else if kind == LENGTH {
            let (start, end) = run(wire)?;
            if start == end {
                // No numbers are the same as no field: both are null.
                return Ok(());
            }
            let list = self.slots.list(slot);
            if let Scalar::Float = scalar {
                let (items, rest) = wire.slice(start, end).as_chunks::<4>();
                if !rest.is_empty() {
                    return Err(wire.fault("packed floats of 4 bytes each"));
                }
                list.extend(items.iter().map(|&item| Some(f64::from(f32::from_le_bytes(item)))));
            } else {
                let mut packed = wire.within(start, end);
                while packed.remaining() > 0 {
                    list.push(as_double(numeric(scalar, &mut packed)?));
                }
            }
        } else {
            skip(wire, number, kind, 0)?;
            self.slots.set(slot, Slot::Other);
        }
        Ok(())
    }

    /// An entry of a map: a message of a key and a value.
    fn entry(&mut self, key: &Scalar, wanted: &[(Box<str>, Left)], entry: Wire<'_>) -> Result<(), Fault> {
        let mut found = None;
        let mut wire = entry;
        let matches = |text: &str| wanted.binary_search_by(|(name, _)| name.as_ref().cmp(text)).ok();
        while wire.remaining() > 0 {
            let (number, kind) = tag(&mut wire)?;
            match (number, key) {
                (1, Scalar::String) if kind == LENGTH => {
                    let (start, end) = run(&mut wire)?;
                    found = Some(std::str::from_utf8(wire.slice(start, end)).ok().and_then(matches));
                }
                (1, Scalar::Bool) if kind == VARINT => {
                    found = Some(matches(if wire.varint()? == 0 { "false" } else { "true" }));
                }
                (1, key) if key.is_number() && kind == wire_type(key) => {
                    found = Some(match numeric(key, &mut wire)? {
                        Slot::Int(key) => matches(&key.to_string()),
                        Slot::UInt(key) => matches(&key.to_string()),
                        _ => None,
                    });
                }
                _ => skip(&mut wire, number, kind, 0)?,
            }
        }
        let default = || match key {
            Scalar::String => matches(""),
            Scalar::Bool => matches("false"),
            _ => matches("0"),
        };
        if let Some(at) = found.unwrap_or_else(default) {
            let left = &wanted[at].1;
            self.clear(left);
            self.message(left.messages.start, entry)?;
            // A value that is not written is its type's default, a message too.
            let messages = self.messages;
            if let Some(Step::Message { id, .. }) =
                messages[left.messages.start].fields.first().map(|f| &f.step)
                && self.met.ordinals[*id] != self.met.record
            {
                self.message(*id, entry.within(0, 0))?;
            }
        }
        Ok(())
    }
}

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const LENGTH: u8 = 2;
const GROUP: u8 = 3;
const GROUP_END: u8 = 4;
const FIXED32: u8 = 5;

/// A field's number and wire type.
#[inline]
fn tag(wire: &mut Wire<'_>) -> Result<(u32, u8), Fault> {
    let tag = wire.varint()?;
    match u32::try_from(tag) {
        Ok(tag) if tag >= 8 => Ok((tag >> 3, (tag & 7) as u8)),
        _ => Err(wire.fault("a field number from 1 to 536870911")),
    }
}

fn wire_type(scalar: &Scalar) -> u8 {
    match scalar {
        Scalar::Double | Scalar::Fixed64 | Scalar::SFixed64 => FIXED64,
        Scalar::Float | Scalar::Fixed32 | Scalar::SFixed32 => FIXED32,
        Scalar::String | Scalar::Bytes => LENGTH,
        _ => VARINT,
    }
}

/// A number; nothing else is asked for.
#[inline]
fn numeric(scalar: &Scalar, wire: &mut Wire<'_>) -> Result<Slot, Fault> {
    let unfold = |value: u64| (value >> 1) as i64 ^ -((value & 1) as i64);
    Ok(match scalar {
        Scalar::Double => Slot::Double(f64::from_le_bytes(wire.fixed()?)),
        Scalar::Float => Slot::Single(f32::from_le_bytes(wire.fixed()?)),
        Scalar::Int32 => Slot::Int((wire.varint()? as i32).into()),
        Scalar::Int64 => Slot::Int(wire.varint()? as i64),
        Scalar::UInt32 => Slot::Int((wire.varint()? as u32).into()),
        Scalar::UInt64 => Slot::UInt(wire.varint()?),
        Scalar::SInt32 => Slot::Int(unfold((wire.varint()? as u32).into())),
        Scalar::SInt64 => Slot::Int(unfold(wire.varint()?)),
        Scalar::Fixed32 => Slot::Int(u32::from_le_bytes(wire.fixed()?).into()),
        Scalar::Fixed64 => Slot::UInt(u64::from_le_bytes(wire.fixed()?)),
        Scalar::SFixed32 => Slot::Int(i32::from_le_bytes(wire.fixed()?).into()),
        Scalar::SFixed64 => Slot::Int(i64::from_le_bytes(wire.fixed()?)),
        Scalar::Bool | Scalar::String | Scalar::Bytes | Scalar::Enum(..) => Slot::Other,
    })
}

fn as_double(value: Slot) -> Option<f64> {
    match value {
        Slot::Double(value) => Some(value),
        Slot::Single(value) => Some(value.into()),
        Slot::Int(value) => Some(value as f64),
        Slot::UInt(value) => Some(value as f64),
        _ => None,
    }
}

/// A length and as many bytes; answers where they are.
#[inline]
fn run(wire: &mut Wire<'_>) -> Result<(usize, usize), Fault> {
    let length = wire.varint()?;
    let start = wire.skip(usize::try_from(length).unwrap_or(usize::MAX))?;
    Ok((start, wire.at()))
}

fn sub_message<'a>(wire: &mut Wire<'a>) -> Result<Wire<'a>, Fault> {
    let (start, end) = run(wire)?;
    Ok(wire.within(start, end))
}

/// Passes over a value.
fn skip(wire: &mut Wire<'_>, number: u32, kind: u8, depth: u32) -> Result<(), Fault> {
    match kind {
        VARINT => wire.varint().map(drop),
        FIXED64 => wire.skip(8).map(drop),
        LENGTH => run(wire).map(drop),
        FIXED32 => wire.skip(4).map(drop),
        GROUP if depth < MAX_DEPTH => loop {
            match tag(wire)? {
                (end, GROUP_END) if end == number => return Ok(()),
                (_, GROUP_END) => return Err(wire.fault("the end of the group that is open")),
                (inner, kind) => skip(wire, inner, kind, depth + 1)?,
            }
        },
        GROUP => Err(wire.too_deep()),
        GROUP_END => Err(wire.fault("a field, not the end of a group")),
        _ => Err(wire.fault("a wire type from 0 to 5")),
    }
}

/// `google.protobuf.Timestamp`: seconds and nanoseconds since the epoch, on top of what was written `before`.
fn time(mut wire: Wire<'_>, before: Slot) -> Result<Slot, Fault> {
    let (mut seconds, mut nanos) = match before {
        Slot::Moment(seconds, nanos) => (seconds, nanos),
        _ => (0, 0),
    };
    while wire.remaining() > 0 {
        match tag(&mut wire)? {
            (1, VARINT) => seconds = wire.varint()? as i64,
            (2, VARINT) => nanos = wire.varint()? as i32,
            (number, kind) => skip(&mut wire, number, kind, 0)?,
        }
    }
    Ok(Slot::Moment(seconds, nanos))
}
