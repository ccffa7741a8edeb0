//! Little-endian bytes with variable-length integers: what every state is written in.

use crate::{Error, ErrorKind, Result};

/// Appends values to a buffer.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// LEB128, 7 bits a byte, least significant first.
    pub(crate) fn count(&mut self, mut count: u64) {
        while count >= 0x80 {
            self.bytes.push((count & 0x7f) as u8 | 0x80);
            count >>= 7;
        }
        self.bytes.push(count as u8);
    }

    pub(crate) fn float(&mut self, x: f64) {
        self.raw(&x.to_bits().to_le_bytes());
    }

    pub(crate) fn narrow(&mut self, x: f32) {
        self.raw(&x.to_bits().to_le_bytes());
    }

    pub(crate) fn long(&mut self, x: i64) {
        self.raw(&x.to_le_bytes());
    }

    pub(crate) fn wide(&mut self, x: i128) {
        self.raw(&x.to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.count(text.len() as u64);
        self.raw(text.as_bytes());
    }
}

/// Takes values from a buffer; every read is checked.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) fn raw(&mut self, n: usize) -> Result<&'a [u8]> {
        let Some((head, tail)) = self.bytes.split_at_checked(n) else {
            return Err(damaged(format!("{n} more bytes were expected, {} are left", self.bytes.len())));
        };
        self.bytes = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.raw(N)?);
        Ok(array)
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn flag(&mut self) -> Result<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(damaged(format!("expected 0 or 1, found {other}"))),
        }
    }

    pub(crate) fn count(&mut self) -> Result<u64> {
        let mut count = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            count |= bits << shift;
            if byte < 0x80 {
                return Ok(count);
            }
        }
        Err(damaged("a count is longer than 64 bits".to_owned()))
    }

    /// A number of things that each take at least `least` bytes: bounded by what is left, so that damaged bytes cannot
    /// ask for more memory than there is.
    pub(crate) fn length(&mut self, least: usize) -> Result<usize> {
        let count = self.count()?;
        let room = self.bytes.len() / least.max(1);
        usize::try_from(count).ok().filter(|count| *count <= room).ok_or_else(|| {
            damaged(format!("{count} items cannot stand in the {} bytes left", self.bytes.len()))
        })
    }

    pub(crate) fn float(&mut self) -> Result<f64> {
        Ok(f64::from_bits(u64::from_le_bytes(self.array()?)))
    }

    pub(crate) fn hash(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn wide(&mut self) -> Result<i128> {
        Ok(i128::from_le_bytes(self.array()?))
    }

    pub(crate) fn narrow(&mut self) -> Result<f32> {
        Ok(f32::from_bits(u32::from_le_bytes(self.array()?)))
    }

    pub(crate) fn long(&mut self) -> Result<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub(crate) fn short(&mut self) -> Result<i32> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    pub(crate) fn text(&mut self) -> Result<&'a str> {
        let length = self.length(1)?;
        std::str::from_utf8(self.raw(length)?).map_err(|_| damaged("a name is not UTF-8".to_owned()))
    }

    pub(crate) fn ensure_end(&self) -> Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        Err(damaged(format!("{} bytes follow the end", self.bytes.len())))
    }
}

pub(crate) fn damaged(detail: String) -> Error {
    Error::new(ErrorKind::Codec, format!("the stored state is damaged: {detail}"))
}
