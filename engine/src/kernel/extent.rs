//! The smallest and the largest value of a column.

use crate::kernel::level::{Level, Task};
use crate::kernel::native::Native;
use crate::kernel::validity::Validity;
#[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
use crate::kernel::{avx2, avx512};

/// The smallest and the largest value that is neither null nor NaN, infinities included; none if there is no such value.
/// Zero comes without a sign, so that the order of rows does not matter.
///
/// # Panics
/// If the mask is not as long as `values`.
#[must_use]
pub fn extent<T: Native>(values: &[T], validity: Option<Validity<'_>>) -> Option<(T, T)> {
    extent_at(Level::detect(), values, validity)
}

/// [`extent`] with the instructions of `level`.
pub(super) fn extent_at<T: Native>(
    level: Level,
    values: &[T],
    validity: Option<Validity<'_>>,
) -> Option<(T, T)> {
    let mut fill = T::FILL;
    if let Some(mask) = validity {
        assert!(mask.len() == values.len(), "a mask of `{}` rows for `{}`", mask.len(), values.len());
        // A value of the column itself in place of a null changes neither end.
        let first = (0..values.len()).step_by(64).find_map(|start| {
            let word = mask.word(start);
            (word != 0).then(|| start + word.trailing_zeros() as usize)
        })?;
        fill = values[first];
    }
    let (low, high) = level.run(ExtentTask { level, values, validity, fill });
    (low <= high).then(|| (low.unsigned_zero(), high.unsigned_zero()))
}

/// How many rows are copied at a time where there are nulls.
const BLOCK: usize = 1024;

struct ExtentTask<'a, T> {
    level: Level,
    values: &'a [T],
    validity: Option<Validity<'a>>,
    fill: T,
}

impl<T: Native> Task for ExtentTask<'_, T> {
    type Output = (T, T);

    #[inline(always)]
    fn run(self) -> (T, T) {
        let Self { level, values, validity, fill } = self;
        let nothing = (T::GREATEST, T::LEAST);
        let Some(mask) = validity else { return widen(level, values, nothing) };
        let mut filled = [fill; BLOCK];
        let mut ends = nothing;
        // Not a fold: the body of a closure is not compiled with the level's instructions.
        for (i, mut rows) in values.chunks(BLOCK).enumerate() {
            if mask.count_nulls(i * BLOCK, rows.len()) > 0 {
                mask.fill_nulls(level, i * BLOCK, rows, fill, &mut filled);
                rows = &filled[..rows.len()];
            }
            ends = widen(level, rows, ends);
        }
        ends
    }
}

/// The ends of a range and of rows; NaN compares with nothing and changes nothing.
#[inline(always)]
fn widen<T: Native>(level: Level, rows: &[T], ends: (T, T)) -> (T, T) {
    match level {
        // SAFETY: the level has AVX2.
        #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
        Level::Avx2 if T::VECTOR => unsafe { avx2::extent::<T::Avx2>(rows, ends) },
        // SAFETY: the level has AVX-512.
        #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
        Level::Avx512 if T::VECTOR => unsafe { avx512::extent(rows, ends) },
        _ => rows.iter().fold(ends, |(low, high), x| {
            (if *x < low { *x } else { low }, if *x > high { *x } else { high })
        }),
    }
}
