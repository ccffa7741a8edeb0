//! The smallest and the largest value of a column.

use crate::kernel::level::{Level, Task};
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

const LANES: usize = 16;
const BLOCK: usize = 2048;

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
                for i in 0..LANES {
                    (low[i], high[i]) = stretch(low[i], high[i], lane[i]);
                }
            }
            for x in rest {
                (low[0], high[0]) = stretch(low[0], high[0], *x);
            }
        }
        let low = low.into_iter().reduce(|a, b| if b < a { b } else { a });
        let high = high.into_iter().reduce(|a, b| if b > a { b } else { a });
        (low.unwrap_or(T::GREATEST), high.unwrap_or(T::LEAST))
    }
}

/// Widens a range by one value; NaN compares with nothing and changes nothing.
#[inline(always)]
fn stretch<T: PartialOrd + Copy>(low: T, high: T, x: T) -> (T, T) {
    (if x < low { x } else { low }, if x > high { x } else { high })
}
