//! Which rows are not null: a bit mask as Arrow lays it out, and the block copy that replaces nulls.

#[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
use crate::kernel::avx512;
use crate::kernel::level::Level;
use crate::kernel::native::Lane;

/// A mask of the rows that hold a value: bit `offset + i` (least significant first) is 1 if row `i` is valid.
#[derive(Clone, Copy, Debug)]
pub struct Validity<'a> {
    bytes: &'a [u8],
    offset: usize,
    len: usize,
}

/// How many rows' bits are spread at a time.
const FILL_GROUP: usize = 256;

impl<'a> Validity<'a> {
    /// A mask of `len` rows that starts `offset` bits into `bytes`.
    ///
    /// # Panics
    /// If `bytes` holds fewer than `offset + len` bits.
    #[must_use]
    pub fn new(bytes: &'a [u8], offset: usize, len: usize) -> Self {
        assert!(bytes.len() * 8 >= offset + len, "a mask of `{len}` rows needs `{}` bits", offset + len);
        Self { bytes: &bytes[offset / 8..], offset: offset % 8, len }
    }

    /// How many rows the mask covers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the mask covers no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The mask of `len` rows from row `start` on.
    pub(super) fn slice(&self, start: usize, len: usize) -> Self {
        debug_assert!(start + len <= self.len);
        let bit = self.offset + start;
        Self { bytes: &self.bytes[bit / 8..], offset: bit % 8, len }
    }

    /// Whether row `i` holds a value.
    ///
    /// # Panics
    /// If `i` is not below [`Validity::len`].
    #[must_use]
    pub fn is_valid(&self, i: usize) -> bool {
        assert!(i < self.len, "row `{i}` of a mask of `{}` rows", self.len);
        let bit = self.offset + i;
        self.bytes[bit / 8] >> (bit % 8) & 1 == 1
    }

    /// The bits of rows `start..start + 64`, row `start` in the lowest bit; rows past the end read as null.
    #[inline]
    pub(super) fn word(&self, start: usize) -> u64 {
        let n_rows = self.len.saturating_sub(start).min(64);
        if n_rows == 0 {
            return 0;
        }
        let first = (self.offset + start) / 8;
        let shift = (self.offset + start) % 8;
        let mut low = [0; 8];
        let mut high = 0;
        if let Some(bytes) = self.bytes.get(first..first + 8) {
            low.copy_from_slice(bytes);
            high = self.bytes.get(first + 8).copied().unwrap_or(0);
        } else {
            let rest = &self.bytes[first..];
            low[..rest.len()].copy_from_slice(rest);
        }
        let word = (u128::from(u64::from_le_bytes(low)) | u128::from(high) << 64) >> shift;
        (word as u64) & (u64::MAX >> (64 - n_rows))
    }

    /// How many rows of `start..start + n_rows` are null.
    #[inline]
    pub(super) fn count_nulls(&self, start: usize, n_rows: usize) -> usize {
        let mut valid = 0;
        for at in (0..n_rows).step_by(64) {
            let kept = u64::MAX >> (64 - (n_rows - at).min(64));
            valid += (self.word(start + at) & kept).count_ones() as usize;
        }
        n_rows - valid
    }

    /// Copies `rows`, which are the rows from `start` on, to `to`, with `fill` in place of each null.
    #[inline(always)]
    pub(super) fn fill_nulls<T: Lane>(&self, level: Level, start: usize, rows: &[T], fill: T, to: &mut [T]) {
        #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
        if level == Level::Avx512 && T::VECTOR {
            // SAFETY: the level has AVX-512.
            return unsafe { avx512::fill_nulls(rows, |i| self.word(start + i), fill, to) };
        }
        let _ = level;
        // Bits become bytes first, eight at a time; then the choice is a loop that the compiler turns into vector code.
        let to = &mut to[..rows.len()];
        for (group, (from, to)) in rows.chunks(FILL_GROUP).zip(to.chunks_mut(FILL_GROUP)).enumerate() {
            let mut is_valid = [0_u8; FILL_GROUP];
            for (i, bytes) in is_valid.as_chunks_mut::<64>().0.iter_mut().enumerate() {
                let word = self.word(start + group * FILL_GROUP + i * 64);
                for (byte, eight) in word.to_le_bytes().into_iter().zip(bytes.as_chunks_mut::<8>().0) {
                    // Byte `k` keeps bit `k` only.
                    *eight =
                        ((u64::from(byte) * 0x0101_0101_0101_0101) & 0x8040_2010_0804_0201).to_le_bytes();
                }
            }
            for ((to, from), is_valid) in to.iter_mut().zip(from).zip(&is_valid) {
                *to = if *is_valid != 0 { *from } else { fill };
            }
        }
    }
}
