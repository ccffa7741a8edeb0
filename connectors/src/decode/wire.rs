//! A position in a record of a binary format, and the pieces that Avro and Protobuf share.
//!
//! No length is believed: a piece is a slice of what is there, or a fault.

use crate::source::BadReason;
use crate::source::ndjson::Fault;

/// A position in a record.
#[derive(Clone, Copy)]
pub(super) struct Wire<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What bytes that break the format are called.
    broken: BadReason,
}

impl<'a> Wire<'a> {
    pub(super) fn new(record: &'a [u8], broken: BadReason) -> Self {
        Self { bytes: record, at: 0, broken }
    }

    /// Reading that begins at `start` and ends at `end`; both count from the beginning of the record.
    pub(super) fn within(self, start: usize, end: usize) -> Self {
        Self { bytes: &self.bytes[..end.min(self.bytes.len())], at: start, ..self }
    }

    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn seek(&mut self, at: usize) {
        self.at = at;
    }

    #[inline]
    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// A fault of the format here.
    #[cold]
    pub(super) fn fault(&self, expected: &'static str) -> Fault {
        Fault { reason: self.broken, at: self.at, expected }
    }

    /// The record ends too early.
    #[cold]
    pub(super) fn cut(&self, expected: &'static str) -> Fault {
        Fault { reason: BadReason::Truncated, at: self.bytes.len(), expected }
    }

    #[cold]
    pub(super) fn too_deep(&self) -> Fault {
        Fault { reason: BadReason::TooDeep, at: self.at, expected: "at most 128 levels of nesting" }
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        let Some(&byte) = self.bytes.get(self.at) else { return Err(self.cut("a byte")) };
        self.at += 1;
        Ok(byte)
    }

    /// So many bytes; answers where they begin.
    #[inline]
    pub(super) fn skip(&mut self, length: usize) -> Result<usize, Fault> {
        if length > self.remaining() {
            return Err(self.cut("as many bytes as the length says"));
        }
        let start = self.at;
        self.at += length;
        Ok(start)
    }

    #[inline]
    pub(super) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let Some(&bytes) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()) else {
            return Err(self.cut("a number of fixed width"));
        };
        self.at += N;
        Ok(bytes)
    }

    /// A slice of the record.
    #[inline]
    pub(super) fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        &self.bytes[start..end]
    }

    /// An unsigned integer of up to 64 bits, seven to a byte, the lowest first.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, Fault> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Fault> {
        let rest = &self.bytes[self.at..];
        let mut value = 0;
        for (place, &byte) in rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                if place == 9 && byte > 1 {
                    return Err(self.fault("an integer of at most 64 bits"));
                }
                self.at += place + 1;
                return Ok(value);
            }
        }
        Err(if rest.len() < 10 {
            self.cut("the rest of an integer")
        } else {
            self.fault("an integer of at most 10 bytes")
        })
    }

    /// A signed integer, folded so that small magnitudes are short.
    #[inline]
    pub(super) fn zigzag(&mut self) -> Result<i64, Fault> {
        let folded = self.varint()?;
        Ok((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }
}

/// How deep values may nest.
pub(super) const MAX_DEPTH: u32 = 128;
