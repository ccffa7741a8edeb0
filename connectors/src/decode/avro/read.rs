//! One datum, from its first byte to its last.
//!
//! Source: Avro 1.12 specification, "Binary Encoding". Values that are passed over are checked as far as that costs
//! nothing, so that a datum by another schema seldom looks like a good one.

use super::plan::{Part, Parts, Plan, Step};
use super::schema::{Schema, Type, TypeId};
use crate::decode::slots::{Slot, Slots};
use crate::decode::wire::{MAX_DEPTH, Wire};
use crate::source::BadReason;
use crate::source::column::Ticks;
use crate::source::ndjson::Fault;

/// Reads a whole datum into slots.
pub(super) fn read(plan: &Plan, datum: &[u8], slots: &mut Slots) -> Result<(), Fault> {
    let mut reader = Reader { schema: &plan.schema, wire: Wire::new(datum, BadReason::NotAvro), slots };
    reader.step(&plan.step, 0)?;
    if reader.wire.remaining() > 0 {
        let reason = BadReason::TrailingData;
        return Err(Fault { reason, at: reader.wire.at(), expected: "the end of the datum" });
    }
    Ok(())
}

struct Reader<'a> {
    schema: &'a Schema,
    wire: Wire<'a>,
    slots: &'a mut Slots,
}

impl<'a> Reader<'a> {
    fn step(&mut self, step: &Step, depth: u32) -> Result<(), Fault> {
        match step {
            Step::Skip(of) => self.skip(*of, depth),
            Step::Take { slot, of } => self.take(*slot, *of, depth),
            Step::Block { slot, of, below } => {
                self.slots.fill(below.clone(), Slot::Unreachable);
                match slot {
                    None => self.skip(*of, depth),
                    Some(slot) => self.take(*slot, *of, depth),
                }
            }
            Step::Record { slot, fields } => {
                if let Some(slot) = slot {
                    self.slots.set(*slot, Slot::Other);
                }
                fields.iter().try_for_each(|field| self.step(field, depth + 1))
            }
            Step::Union(branches) => {
                let branch = self.index(branches.len(), "an index of the union's branches")?;
                self.step(&branches[branch], depth + 1)
            }
            Step::Numbers { slot, items } => self.numbers(*slot, *items),
            Step::Parts(parts) => self.parts(parts, depth),
        }
    }

    /// An index below `n`, as unions and enums have it.
    #[inline]
    fn index(&mut self, n: usize, expected: &'static str) -> Result<usize, Fault> {
        let index = self.wire.zigzag()?;
        usize::try_from(index).ok().filter(|&index| index < n).ok_or_else(|| self.wire.fault(expected))
    }

    #[inline]
    fn int(&mut self) -> Result<i32, Fault> {
        i32::try_from(self.wire.zigzag()?).map_err(|_| self.wire.fault("an int of 32 bits"))
    }

    /// A length and as many bytes; answers where they are.
    #[inline]
    fn run(&mut self) -> Result<(u32, u32), Fault> {
        let length = self.wire.zigzag()?;
        let length = usize::try_from(length).map_err(|_| self.wire.fault("a length that is not negative"))?;
        let start = self.wire.skip(length)?;
        Ok((start as u32, (start + length) as u32))
    }

    fn boolean(&mut self) -> Result<bool, Fault> {
        match self.wire.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.wire.fault("a boolean of 0 or 1")),
        }
    }

    #[inline]
    fn take(&mut self, slot: usize, of: TypeId, depth: u32) -> Result<(), Fault> {
        let schema = self.schema;
        let value = match schema.of(of) {
            Type::Null => return Ok(()),
            Type::Boolean => Slot::Bool(self.boolean()?),
            Type::Int => Slot::Int(self.int()?.into()),
            Type::Long => Slot::Int(self.wire.zigzag()?),
            Type::Float => Slot::Single(f32::from_le_bytes(self.wire.fixed()?)),
            Type::Double => Slot::Double(f64::from_le_bytes(self.wire.fixed()?)),
            Type::Bytes => {
                let (start, end) = self.run()?;
                Slot::Bytes(start, end)
            }
            Type::String => {
                let (start, end) = self.run()?;
                Slot::Text(start, end)
            }
            Type::Fixed(size) => {
                let start = self.wire.skip(*size)?;
                Slot::Bytes(start as u32, (start + size) as u32)
            }
            Type::Enum(symbols) => {
                let symbol = self.index(symbols.len(), "an index of the enum's symbols")?;
                self.slots.set_made(slot, |out| out.push_str(&symbols[symbol]));
                return Ok(());
            }
            Type::Date => Slot::Days(self.int()?.into()),
            Type::Timestamp(unit) => Slot::Time(Ticks::new(self.wire.zigzag()?, *unit)),
            Type::Decimal { size, scale } => {
                let (start, end) = match size {
                    None => self.run()?,
                    Some(size) => {
                        let start = self.wire.skip(*size)?;
                        (start as u32, (start + size) as u32)
                    }
                };
                match integer(self.wire.slice(start as usize, end as usize)) {
                    None => Slot::Other,
                    Some(unscaled) => Slot::Decimal(unscaled, *scale),
                }
            }
            Type::Uuid => {
                let bytes: [u8; 16] = self.wire.fixed()?;
                self.slots.set_made(slot, |out| write_uuid(bytes, out));
                return Ok(());
            }
            Type::TimeOfDay { .. } | Type::Array(_) | Type::Map(_) | Type::Union(_) | Type::Record(_) => {
                self.skip(of, depth)?;
                Slot::Other
            }
        };
        self.slots.set(slot, value);
        Ok(())
    }

    /// Passes over a value.
    fn skip(&mut self, of: TypeId, depth: u32) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(self.wire.too_deep());
        }
        let schema = self.schema;
        match schema.of(of) {
            Type::Null => Ok(()),
            Type::Boolean => self.boolean().map(drop),
            Type::Int | Type::Date | Type::TimeOfDay { long: false } => self.int().map(drop),
            Type::Long | Type::Timestamp(_) | Type::TimeOfDay { long: true } => self.wire.zigzag().map(drop),
            Type::Float => self.wire.skip(4).map(drop),
            Type::Double => self.wire.skip(8).map(drop),
            Type::Bytes | Type::String | Type::Decimal { size: None, .. } => self.run().map(drop),
            Type::Fixed(size) | Type::Decimal { size: Some(size), .. } => self.wire.skip(*size).map(drop),
            Type::Uuid => self.wire.skip(16).map(drop),
            Type::Enum(symbols) => self.index(symbols.len(), "an index of the enum's symbols").map(drop),
            Type::Union(branches) => {
                let branch = self.index(branches.len(), "an index of the union's branches")?;
                self.skip(branches[branch], depth + 1)
            }
            Type::Record(fields) => fields.iter().try_for_each(|(_, field)| self.skip(*field, depth + 1)),
            Type::Array(items) => self.blocks(*items, false, |reader| reader.skip(*items, depth + 1)),
            Type::Map(values) => self.blocks(*values, true, |reader| {
                reader.run()?;
                reader.skip(*values, depth + 1)
            }),
        }
    }

    /// The items of an array or map, block by block. A block's count is believed only while its bytes last; items
    /// without any bytes are not counted through, since there may be 2^63.
    fn blocks(
        &mut self,
        items: TypeId,
        is_map: bool,
        mut each: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let is_empty = !is_map && self.schema.is_empty(items);
        while let Some(count) = self.block()? {
            if is_empty {
                continue;
            }
            if count > self.wire.remaining() as u64 {
                return Err(self.wire.cut("as many items as the block's count says"));
            }
            for _ in 0..count {
                each(self)?;
            }
        }
        Ok(())
    }

    /// The count of the next block, or `None` at the end.
    fn block(&mut self) -> Result<Option<u64>, Fault> {
        let count = self.wire.zigzag()?;
        if count < 0 {
            // The block's bytes follow, for those who want to pass over it.
            self.wire.zigzag()?;
        }
        Ok((count != 0).then(|| count.unsigned_abs()))
    }

    fn numbers(&mut self, slot: usize, items: TypeId) -> Result<(), Fault> {
        self.slots.begin_list(slot);
        let schema = self.schema;
        while let Some(count) = self.block()? {
            if count > self.wire.remaining() as u64 {
                return Err(self.wire.cut("as many items as the block's count says"));
            }
            let count = count as usize;
            match schema.of(items) {
                Type::Float => {
                    let start = self.wire.skip(count.saturating_mul(4))?;
                    let (items, _) = self.wire.slice(start, start + count * 4).as_chunks::<4>();
                    let list = self.slots.list(slot);
                    list.extend(items.iter().map(|&item| Some(f64::from(f32::from_le_bytes(item)))));
                }
                Type::Double => {
                    let start = self.wire.skip(count.saturating_mul(8))?;
                    let (items, _) = self.wire.slice(start, start + count * 8).as_chunks::<8>();
                    self.slots.list(slot).extend(items.iter().map(|&item| Some(f64::from_le_bytes(item))));
                }
                _ => {
                    for _ in 0..count {
                        let number = self.number(items)?;
                        self.slots.list(slot).push(number);
                    }
                }
            }
        }
        Ok(())
    }

    /// An item of a list of numbers, which a plan has seen to be one.
    fn number(&mut self, of: TypeId) -> Result<Option<f64>, Fault> {
        let schema = self.schema;
        Ok(match schema.of(of) {
            Type::Int => Some(self.int()?.into()),
            Type::Long => Some(self.wire.zigzag()? as f64),
            Type::Float => Some(f32::from_le_bytes(self.wire.fixed()?).into()),
            Type::Double => Some(f64::from_le_bytes(self.wire.fixed()?)),
            Type::Union(branches) => {
                let branch = self.index(branches.len(), "an index of the union's branches")?;
                match schema.of(branches[branch]) {
                    Type::Union(_) => None,
                    _ => self.number(branches[branch])?,
                }
            }
            _ => None,
        })
    }

    fn parts(&mut self, parts: &Parts, depth: u32) -> Result<(), Fault> {
        match parts.slot {
            Some(slot) if parts.numbers => {
                let start = self.wire.at();
                self.numbers(slot, parts.of)?;
                self.wire.seek(start);
            }
            Some(slot) => self.slots.set(slot, Slot::Other),
            None => {}
        }
        let mut index = 0;
        self.blocks(parts.of, parts.is_map, |reader| {
            let wanted = if parts.is_map {
                let (start, end) = reader.run()?;
                let key = reader.wire.slice(start as usize, end as usize);
                parts.wanted.binary_search_by(|part| part.key.as_ref().cmp(key)).ok()
            } else {
                index += 1;
                parts.wanted.iter().position(|part| part.index == Some(index - 1))
            };
            match wanted {
                None => reader.skip(parts.of, depth + 1),
                Some(at) => {
                    // Of a key that stands twice the last counts, as in JSON.
                    let Part { slots, step, .. } = &parts.wanted[at];
                    reader.slots.fill(slots.clone(), Slot::Empty);
                    reader.step(step, depth + 1)
                }
            }
        })
    }
}

/// A big-endian integer in two's complement; `None` if it has more than 128 bits.
fn integer(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first().is_some_and(|&byte| byte >= 0x80);
    let fill = if negative { 0xff } else { 0 };
    let (above, kept) = bytes.split_at(bytes.len().saturating_sub(16));
    let mut wide = [fill; 16];
    wide[16 - kept.len()..].copy_from_slice(kept);
    let value = i128::from_be_bytes(wide);
    (above.iter().all(|&byte| byte == fill) && (value < 0) == negative).then_some(value)
}

fn write_uuid(bytes: [u8; 16], out: &mut String) {
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            out.extend(char::from_digit(digit.into(), 16));
        }
    }
}
