//! The hot loops: which cell a value lies in, how many rows lie in each cell, scaled integer sums, extent.
//!
//! The law (I-KERNEL): every kernel, on every instruction set, gives what the scalar definitions give, cell for cell and
//! bit for bit. A cell is right-closed and `cell(x) = #{e < x}` over the sorted edges; NaN and nulls lie in no cell.
//!
//! | file | kernel | for |
//! |---|---|---|
//! | `small` | counts `x > e` per edge in vector registers: no histogram, no look-up | up to 16 core edges |
//! | `table` | a monotone bucket map, a table of first cells, few comparisons, sub-histograms | up to 65,533 edges |
//! | `packed` | a finer map, and all that a row needs in one look-up; for `table`, with AVX-512 | the same |
//! | `search` | a binary search per row | i128, and rows outside the core |
//! | `sums` | SEMANTICS S1: summands scaled by a power of two, rounded, added as integers | any column |
//! | `extent` | smallest and largest value | any column |
//! | `gram` | products of vectors with vectors | a kernel distance of another tool |
//! | `vectors` | centred, located, summed rows of an embedding | vectors |
//! | `waves` | cosines and sines of an embedding's phases, summed | vectors, where `mmd` is asked for |
//!
//! Loops are written once, over slices, so that the compiler turns them into vector code; [`level`] compiles each for
//! several instruction sets and picks one at run time. Counters and sums are integers, hence the width of the vectors
//! cannot change a result. Nulls never reach a loop: a block that holds any is copied with its null rows replaced by a
//! value whose effect is known and taken out afterwards. Only `avx2` and `avx512` are
//! written in intrinsics, where that was measured to pay; `--cfg driftlead_portable` leaves them out.
//!
//! All `unsafe` code of the engine is in this module.
#![allow(unsafe_code, reason = "run-time dispatch and unchecked look-ups; each block states why it is sound")]

#[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
mod avx2;
#[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
mod avx512;
mod extent;
mod gram;
mod level;
mod locator;
mod map;
mod native;
#[cfg(test)]
mod oracle;
#[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
mod packed;
mod small;
mod sums;
mod table;
#[cfg(test)]
mod tests;
mod validity;
mod vectors;
mod waves;
#[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
mod wide;

pub use extent::extent;
pub(crate) use gram::{GRAM, gram};
pub use locator::{Locator, MAX_EDGES, NAN_CELL, NULL_CELL, Tally};
pub use native::Native;
pub use sums::{Sums, sums};
pub use validity::Validity;
pub(crate) use vectors::{BLOCK, Column, RowSize, VectorKernel};
pub(crate) use waves::WAVE_SCALE;
