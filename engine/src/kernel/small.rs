//! Counting by few edges: for each edge, how many rows are above it, and nothing else.
//!
//! The counters are cumulative (`C[j] = #{x > e[j]}`), so a row costs one comparison and one subtraction per edge in
//! vector registers: no histogram, no scatter, no look-up, no branch. NaN is above no edge and so needs no care here.
//! Four edges a pass: more would spill the counters; the rows of a block stay in the first-level cache between passes.

use crate::kernel::native::Lane;

/// The most edges that this kernel takes: beyond, a table is faster.
pub(super) const MAX_SMALL: usize = 18;

/// How many rows stay cached between passes; also bounds the narrow counters.
pub(super) const SMALL_BLOCK: usize = 2048;

/// Adds, for each edge, the number of `rows` above it to `above`. At most [`SMALL_BLOCK`] rows.
#[inline(always)]
pub(super) fn count_above<T: Lane>(edges: &[T], rows: &[T], above: &mut [u64]) {
    let mut done = 0;
    while edges.len() - done >= 4 {
        pass::<T, 4>(&edges[done..], rows, &mut above[done..]);
        done += 4;
    }
    match edges.len() - done {
        1 => pass::<T, 1>(&edges[done..], rows, &mut above[done..]),
        2 => pass::<T, 2>(&edges[done..], rows, &mut above[done..]),
        3 => pass::<T, 3>(&edges[done..], rows, &mut above[done..]),
        _ => {}
    }
}

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

/// Writes the cell of each row within `edges`; the cell of NaN is 0.
#[inline(always)]
pub(super) fn locate<T: Lane>(edges: &[T], rows: &[T], cells: &mut [u16]) {
    let cells = &mut cells[..rows.len()];
    cells.fill(0);
    for e in edges {
        for (cell, x) in cells.iter_mut().zip(rows) {
            *cell += u16::from(*x > *e);
        }
    }
}
