//! Counting by few edges: for each edge, how many rows are above it, and nothing else.
//!
//! The counters are cumulative (`C[j] = #{x > e[j]}`), so a row costs one comparison and one subtraction per edge in
//! vector registers: no histogram, no scatter, no look-up, no branch. NaN is above no edge and so needs no care here.
//! The plain form makes one pass per four edges, over a block that stays cached; `avx2` and `avx512` hold faster ones.

use crate::kernel::level::Level;
use crate::kernel::native::Lane;
#[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
use crate::kernel::{avx2, avx512};

/// The most edges that this kernel takes: beyond, a table is faster.
pub(super) const MAX_SMALL: usize = 16;

/// The longest block in rows: it stays cached between passes, and bounds the narrow counters.
pub(super) const SMALL_BLOCK: usize = 2048;

/// Adds, for each edge, the number of `rows` above it to `above`. At most [`MAX_SMALL`] edges and [`SMALL_BLOCK`] rows.
///
/// The answer is whether any row is NaN, at most `bounds.0` or above `bounds.1`.
#[inline(always)]
pub(super) fn count_above<T: Lane>(
    level: Level,
    edges: &[T],
    rows: &[T],
    bounds: (T, T),
    above: &mut [u64],
) -> bool {
    match level {
        Level::Baseline => {
            count_above_plainly(edges, rows, above);
            count_outside(bounds, rows) > 0
        }
        // SAFETY: the level has AVX2 and POPCNT.
        #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
        Level::Avx2 => unsafe { avx2::count_above::<T::Avx2>(edges, rows, bounds, above) },
        // SAFETY: the level has AVX-512.
        #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
        Level::Avx512 => unsafe { avx512::count_above(edges, rows, bounds, above) },
    }
}

/// [`count_above`] for any machine.
#[inline(always)]
fn count_above_plainly<T: Lane>(edges: &[T], rows: &[T], above: &mut [u64]) {
    let (fours, rest) = edges.as_chunks::<4>();
    for (i, four) in fours.iter().enumerate() {
        pass::<T, 4>(four, rows, &mut above[4 * i..]);
    }
    let above = &mut above[4 * fours.len()..];
    match rest.len() {
        1 => pass::<T, 1>(rest, rows, above),
        2 => pass::<T, 2>(rest, rows, above),
        3 => pass::<T, 3>(rest, rows, above),
        _ => {}
    }
}

/// One pass over a block. A plain reduction: with explicit lanes the compiler gives up on vectors.
#[inline(always)]
fn pass<T: Lane, const N: usize>(edges: &[T], rows: &[T], above: &mut [u64]) {
    let edges: [T; N] = std::array::from_fn(|j| edges[j]);
    let mut counts = [T::Count::default(); N];
    for x in rows {
        for j in 0..N {
            counts[j] += T::one_if(*x > edges[j]);
        }
    }
    for (above, count) in above.iter_mut().zip(counts) {
        *above += count.into();
    }
}

/// How many rows are not above `low` or above `high`; NaN is one.
#[inline(always)]
pub(super) fn count_outside<T: Lane>((low, high): (T, T), rows: &[T]) -> usize {
    let mut count = T::Count::default();
    for x in rows {
        count += T::one_if(!((*x > low) & (*x <= high)));
    }
    count.into() as usize
}

/// Writes the cell of each row within `edges`; the cell of NaN is 0. At most [`SMALL_BLOCK`] rows.
#[inline(always)]
pub(super) fn locate<T: Lane>(edges: &[T], rows: &[T], cells: &mut [u16]) {
    let mut wide = [T::Count::default(); SMALL_BLOCK];
    let wide = &mut wide[..rows.len()];
    for e in edges.chunks(4) {
        // Nothing is above the greatest value, so that it fills up a group.
        let e: [T; 4] = std::array::from_fn(|j| e.get(j).copied().unwrap_or(T::GREATEST));
        for (wide, x) in wide.iter_mut().zip(rows) {
            for e in e {
                *wide += T::one_if(*x > e);
            }
        }
    }
    for (cell, wide) in cells.iter_mut().zip(wide) {
        *cell = T::low_half(*wide);
    }
}
