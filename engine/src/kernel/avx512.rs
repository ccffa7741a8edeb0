//! The hot loops with AVX-512, written out: counting by few edges, locating by a packed table, extent, nulls.
//!
//! Measured better than both AVX2 and what the compiler makes of the plain loops (docs/decisions/0010-kernels.md). A
//! comparison leaves one bit a row, and a masked subtraction takes it from there; all counters of sixteen edges fit the
//! registers; one gather looks up sixteen words; a word of a validity mask is a mask as it is.

use std::arch::x86_64::{
    __m512i, __mmask16, _mm256_storeu_si256, _mm512_and_si512, _mm512_cmpeq_epi32_mask,
    _mm512_cmpgt_epi32_mask, _mm512_cvtepi32_epi16, _mm512_i32gather_epi32, _mm512_loadu_epi32,
    _mm512_mask_add_epi32, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_slli_epi32, _mm512_srli_epi32,
    _mm512_srlv_epi32, _mm512_test_epi32_mask,
};

use crate::kernel::level::prefetch;
use crate::kernel::native::Lane;
use crate::kernel::packed::{CELL_AT, PAIR, PLACE, Packed};
use crate::kernel::small::MAX_SMALL;
use crate::kernel::wide::{ROWS, Wide};

/// How many bytes ahead rows are asked for.
const AHEAD: usize = 4096;

/// Asks for [`ROWS`] rows some way behind `of`. Twice for each line of the cache: asked once, a part of them still came late.
#[inline(always)]
fn ask_ahead<T>(of: *const T) {
    for half_line in (0..ROWS).step_by(32 / size_of::<T>()) {
        prefetch(of, AHEAD / size_of::<T>() + half_line);
    }
}

/// As [`crate::kernel::small::count_above`]; also whether any row is NaN, at most `bounds.0` or above `bounds.1`.
///
/// # Safety
/// The machine has AVX-512 F, VL, DQ and BW.
///
/// # Panics
/// If there are more than [`MAX_SMALL`] edges, or fewer counters than edges.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,bmi1,bmi2,popcnt")]
pub(super) unsafe fn count_above<T: Lane>(
    edges: &[T],
    rows: &[T],
    bounds: (T, T),
    above: &mut [u64],
) -> bool {
    assert!(edges.len() <= MAX_SMALL && above.len() >= edges.len());
    // SAFETY: the caller has AVX-512, so `pass` may use it.
    unsafe {
        match edges.len() {
            0..=2 => pass::<T, 2>(edges, rows, bounds, above),
            3..=4 => pass::<T, 4>(edges, rows, bounds, above),
            5..=6 => pass::<T, 6>(edges, rows, bounds, above),
            7..=8 => pass::<T, 8>(edges, rows, bounds, above),
            9 => pass::<T, 9>(edges, rows, bounds, above),
            10 => pass::<T, 10>(edges, rows, bounds, above),
            11..=12 => pass::<T, 12>(edges, rows, bounds, above),
            // In one pass, though the registers hold no more than fourteen edges and counters: the second of two would
            // ask memory for nothing.
            _ => pass::<T, MAX_SMALL>(edges, rows, bounds, above),
        }
    }
}

/// Counts by `N` edges, and looks for rows beyond the bounds.
#[inline(always)]
unsafe fn pass<T: Lane, const N: usize>(edges: &[T], rows: &[T], bounds: (T, T), above: &mut [u64]) -> bool {
    let (sixteens, rest) = rows.split_at(rows.len() / ROWS * ROWS);
    let (mut is_odd, mut counted) = (false, [0; N]);
    // SAFETY: the caller has AVX-512; each load reads the rows of one chunk.
    unsafe {
        // Nothing is above the greatest value, so that it fills up the last places.
        let edges: [T::Avx512; N] =
            std::array::from_fn(|j| T::Avx512::splat(edges.get(j).copied().unwrap_or(T::GREATEST)));
        let (low, high) = (T::Avx512::splat(bounds.0), T::Avx512::splat(bounds.1));
        let one = T::Avx512::one();
        let mut counts = [_mm512_setzero_si512(); N];
        let mut inside: __mmask16 = u16::MAX;
        for sixteen in sixteens.chunks_exact(ROWS) {
            ask_ahead(sixteen.as_ptr());
            let x = T::Avx512::load(sixteen.as_ptr());
            for j in 0..N {
                counts[j] = x.count_above(edges[j], counts[j], one);
            }
            inside = x.within(low, high, inside);
        }
        is_odd |= inside != u16::MAX;
        for j in 0..N {
            counted[j] = T::Avx512::total(counts[j]);
        }
    }
    for ((above, e), n) in above.iter_mut().zip(edges).zip(counted) {
        *above += n + rest.iter().filter(|x| **x > *e).count() as u64;
    }
    is_odd | rest.iter().any(|x| !(*x > bounds.0 && *x <= bounds.1))
}

/// Widens `(low, high)` to the rows; NaN changes nothing.
///
/// # Safety
/// The machine has AVX-512 F, VL, DQ and BW. Not for i128.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,bmi1,bmi2,popcnt")]
pub(super) unsafe fn extent<T: Lane>(rows: &[T], (mut low, mut high): (T, T)) -> (T, T) {
    const AT_ONCE: usize = 2;
    let (chunks, rest) = rows.split_at(rows.len() / (AT_ONCE * ROWS) * (AT_ONCE * ROWS));
    let (mut lows, mut highs) = ([[low; ROWS]; AT_ONCE], [[high; ROWS]; AT_ONCE]);
    // SAFETY: the caller has AVX-512; each load reads `ROWS` of the `AT_ONCE * ROWS` rows of a chunk.
    unsafe {
        let mut least = [T::Avx512::splat(low); AT_ONCE];
        let mut greatest = [T::Avx512::splat(high); AT_ONCE];
        for chunk in chunks.chunks_exact(AT_ONCE * ROWS) {
            for i in 0..AT_ONCE {
                let from = chunk.as_ptr().add(i * ROWS);
                ask_ahead(from);
                let x = T::Avx512::load(from);
                least[i] = x.least(least[i]);
                greatest[i] = x.greatest(greatest[i]);
            }
        }
        for i in 0..AT_ONCE {
            least[i].store(lows[i].as_mut_ptr());
            greatest[i].store(highs[i].as_mut_ptr());
        }
    }
    for x in lows.as_flattened().iter().chain(rest) {
        low = if *x < low { *x } else { low };
    }
    for x in highs.as_flattened().iter().chain(rest) {
        high = if *x > high { *x } else { high };
    }
    (low, high)
}

/// Writes the cells of the first rows, as many as are a multiple of [`ROWS`], of which `keys` are the keys.
///
/// # Safety
/// The machine has AVX-512 F, VL, DQ and BW. The keys are of `packed`'s map; `edges` are its edges, then two values at
/// least that no row is above.
///
/// # Panics
/// If the slices differ in length.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,bmi1,bmi2,popcnt")]
pub(super) unsafe fn locate<T: Lane>(
    packed: &Packed<T>,
    edges: &[T],
    rows: &[T],
    keys: &[u32],
    cells: &mut [u16],
) {
    // SAFETY: as above.
    unsafe {
        if packed.has_pairs {
            locate_with::<T, true>(packed, edges, rows, keys, cells);
        } else {
            locate_with::<T, false>(packed, edges, rows, keys, cells);
        }
    }
}

#[inline(always)]
unsafe fn locate_with<T: Lane, const PAIRS: bool>(
    packed: &Packed<T>,
    edges: &[T],
    rows: &[T],
    keys: &[u32],
    cells: &mut [u16],
) {
    assert!(rows.len() == keys.len() && rows.len() == cells.len());
    let bits = packed.map.bits();
    let words = packed.words.as_ptr().cast::<i32>();
    // SAFETY: the caller has AVX-512. Each turn reads and writes `ROWS` elements from `start` on, within the slices. A key
    // without its lowest bits is a bucket, for which there is a word; the cell in it is the place of an edge, or that of
    // the first value beyond them, and there is one more.
    unsafe {
        let place_of_key = _mm512_set1_epi32(((1 << bits) - 1) << 1);
        let place_of_edge = _mm512_set1_epi32(PLACE as i32);
        let bits = _mm512_set1_epi32(bits as i32);
        let one = _mm512_set1_epi32(1);
        let is_pair = _mm512_set1_epi32(PAIR as i32);
        for start in (0..rows.len() / ROWS * ROWS).step_by(ROWS) {
            ask_ahead(rows.as_ptr().add(start));
            let key = _mm512_loadu_epi32(keys.as_ptr().add(start).cast());
            let word = _mm512_i32gather_epi32::<4>(_mm512_srlv_epi32(key, bits), words);
            let place = _mm512_and_si512(_mm512_slli_epi32::<1>(key), place_of_key);
            let edge = _mm512_and_si512(word, place_of_edge);
            let above = _mm512_cmpgt_epi32_mask(place, edge);
            let equal = _mm512_cmpeq_epi32_mask(place, edge);
            let first = _mm512_srli_epi32::<CELL_AT>(word);
            let mut cell = _mm512_mask_add_epi32(first, above, first, one);
            let mut pairs = 0;
            if PAIRS {
                pairs = _mm512_test_epi32_mask(word, is_pair);
                cell = _mm512_mask_add_epi32(cell, above & pairs, cell, one);
            }
            if equal != 0 {
                let row = T::Avx512::load(rows.as_ptr().add(start));
                cell = add_equal::<T>(row, edges.as_ptr(), first, equal, pairs, cell);
            }
            _mm256_storeu_si256(cells.as_mut_ptr().add(start).cast(), _mm512_cvtepi32_epi16(cell));
        }
    }
}

/// The cells, with the edges that rows at the places of edges are above: those from `first` on, one or a pair.
///
/// # Safety
/// As [`locate`]; `first` are places of `edges` with another behind them.
#[cold]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,bmi1,bmi2,popcnt")]
unsafe fn add_equal<T: Lane>(
    row: T::Avx512,
    edges: *const T,
    first: __m512i,
    equal: __mmask16,
    pairs: __mmask16,
    mut cell: __m512i,
) -> __m512i {
    // SAFETY: as above.
    unsafe {
        let one = _mm512_set1_epi32(1);
        let last = _mm512_mask_add_epi32(first, pairs, first, one);
        let (above, same) = row.compared_with(edges, last, equal);
        // The first edge of a pair is below the second, which a row of a discrete column is equal to.
        cell = _mm512_mask_add_epi32(cell, above, cell, one);
        cell = _mm512_mask_add_epi32(cell, (above | same) & pairs, cell, one);
        let unknown = equal & pairs & !above & !same;
        if unknown != 0 {
            let (above, _) = row.compared_with(edges, first, unknown);
            cell = _mm512_mask_add_epi32(cell, above, cell, one);
        }
        cell
    }
}

/// Copies rows to `to`, with `fill` where bits of `words` (64 rows each, the first lowest) are not set.
///
/// # Safety
/// The machine has AVX-512 F, VL, DQ and BW. Not for i128.
///
/// # Panics
/// If `to` is shorter than `rows`.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,bmi1,bmi2,popcnt")]
pub(super) unsafe fn fill_nulls<T: Lane>(rows: &[T], words: impl Fn(usize) -> u64, fill: T, to: &mut [T]) {
    let to = &mut to[..rows.len()];
    // SAFETY: the caller has AVX-512; each load and store is of the `ROWS` rows of a chunk.
    unsafe {
        let filling = T::Avx512::splat(fill);
        for (i, (from, to)) in rows.chunks(64).zip(to.chunks_mut(64)).enumerate() {
            let mut word = words(i * 64);
            for (from, to) in from.chunks(ROWS).zip(to.chunks_mut(ROWS)) {
                if from.len() == ROWS {
                    // Whoever reads the copy cannot.
                    ask_ahead(from.as_ptr());
                    let x = T::Avx512::load(from.as_ptr());
                    x.where_set(word as __mmask16, filling).store(to.as_mut_ptr());
                } else {
                    for (j, (from, to)) in from.iter().zip(to).enumerate() {
                        *to = if word >> j & 1 == 1 { *from } else { fill };
                    }
                }
                word >>= ROWS;
            }
        }
    }
}
