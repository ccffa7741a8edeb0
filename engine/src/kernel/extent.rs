//! The smallest and the largest value of a column.

use crate::kernel::level::{Level, Task, prefetch};
use crate::kernel::native::Native;
use crate::kernel::validity::Validity;

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
    let (low, high) = level.run(ExtentTask { values, validity, fill });
    (low <= high).then(|| (low.unsigned_zero(), high.unsigned_zero()))
}

/// So many that the loop over them is turned into vector code as it stands.
const LANES: usize = 64;
const BLOCK: usize = 2048;

/// How far ahead rows are asked for.
const AHEAD_ROWS: usize = 1024;

struct ExtentTask<'a, T> {
    values: &'a [T],
    validity: Option<Validity<'a>>,
    fill: T,
}

impl<T: Native> Task for ExtentTask<'_, T> {
    type Output = (T, T);

    #[inline(always)]
    fn run(self) -> (T, T) {
        let Self { values, validity, fill } = self;
        let (mut low, mut high) = ([T::GREATEST; LANES], [T::LEAST; LANES]);
        let mut filled = [fill; BLOCK];
        for (i, rows) in values.chunks(BLOCK).enumerate() {
            let mut rows = rows;
            if let Some(mask) = validity
                && mask.count_nulls(i * BLOCK, rows.len()) > 0
            {
                mask.fill_nulls(i * BLOCK, rows, fill, &mut filled);
                rows = &filled[..rows.len()];
            }
            let (lanes, rest) = rows.as_chunks::<LANES>();
            for lane in lanes {
                for line in (0..LANES).step_by(64 / size_of::<T>()) {
                    prefetch(lane.as_ptr(), line + AHEAD_ROWS);
                }
                for (low, x) in low.iter_mut().zip(lane) {
                    *low = least(*low, *x);
                }
                for (high, x) in high.iter_mut().zip(lane) {
                    *high = greatest(*high, *x);
                }
            }
            for x in rest {
                (low[0], high[0]) = (least(low[0], *x), greatest(high[0], *x));
            }
        }
        (low.into_iter().fold(T::GREATEST, least), high.into_iter().fold(T::LEAST, greatest))
    }
}

/// The smaller of two; NaN compares with nothing and changes nothing.
#[inline(always)]
fn least<T: Copy + PartialOrd>(low: T, x: T) -> T {
    if x < low { x } else { low }
}

/// The greater of two; NaN as above.
#[inline(always)]
fn greatest<T: Copy + PartialOrd>(high: T, x: T) -> T {
    if x > high { x } else { high }
}
