//! Counting by few edges, and the extent, with AVX2, written out.
//!
//! Measured clearly better than what the compiler makes of the plain loops (docs/decisions/0010-kernels.md). It makes no
//! vectors of a smallest float at all, because of NaN. Counting gains for three reasons: one pass keeps all counters in registers, rows are asked for ahead of time line by line, and the edges
//! beyond the first few are counted by the integer units (mask to bits, count the bits), which have nothing else to do.

use std::arch::x86_64::{
    __m256, __m256d, __m256i, _CMP_GT_OQ, _mm256_and_si256, _mm256_andnot_si256, _mm256_blendv_epi8,
    _mm256_castpd_si256, _mm256_castps_si256, _mm256_castsi256_pd, _mm256_castsi256_ps, _mm256_cmp_pd,
    _mm256_cmp_ps, _mm256_cmpgt_epi32, _mm256_cmpgt_epi64, _mm256_loadu_pd, _mm256_loadu_ps,
    _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_movemask_pd, _mm256_movemask_ps, _mm256_set1_epi8,
    _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_set1_pd, _mm256_set1_ps, _mm256_setzero_si256,
    _mm256_storeu_si256, _mm256_sub_epi32, _mm256_sub_epi64,
};

use crate::kernel::level::prefetch;
use crate::kernel::native::Lane;
use crate::kernel::small::MAX_SMALL;

/// How many bytes ahead rows are asked for.
const AHEAD: usize = 4096;

/// How many edges are counted in vector registers if a few others are left to the integer units.
const IN_VECTORS: usize = 8;

/// 32 bytes of rows.
///
/// # Safety
/// All functions need AVX2; `load` reads 32 bytes at `from` and `store` writes 32 at `to`.
pub trait Vector: Copy {
    /// The type of a row.
    type Row: Copy;
    /// Reads 32 bytes.
    unsafe fn load(from: *const Self::Row) -> Self;
    /// The same value in every lane.
    unsafe fn splat(x: Self::Row) -> Self;
    /// All bits of each lane in which `self` is greater.
    unsafe fn above(self, other: Self) -> __m256i;
    /// `other` where the mask is set, else `self`.
    unsafe fn choose(self, other: Self, mask: __m256i) -> Self;
    /// Writes 32 bytes.
    unsafe fn store(self, to: *mut Self::Row);
    /// One bit for each lane.
    unsafe fn bits(mask: __m256i) -> u32;
    /// Subtracts lane by lane.
    unsafe fn subtract(a: __m256i, b: __m256i) -> __m256i;
}

macro_rules! vector {
    ($v:ident, $t:ident, $load:expr, $splat:expr, $above:expr, $bits:expr, $subtract:ident) => {
        #[derive(Clone, Copy)]
        pub struct $v(__m256i);

        // SAFETY (all): plain register operations but for the load and the store, whose addresses the caller vouches for,
        // as for AVX2.
        impl Vector for $v {
            type Row = $t;
            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                // SAFETY: as above.
                unsafe { Self($load(from)) }
            }
            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                // SAFETY: as above.
                unsafe { Self($splat(x)) }
            }
            #[inline(always)]
            unsafe fn above(self, other: Self) -> __m256i {
                // SAFETY: as above.
                unsafe { $above(self.0, other.0) }
            }
            #[inline(always)]
            unsafe fn choose(self, other: Self, mask: __m256i) -> Self {
                // SAFETY: as above.
                unsafe { Self(_mm256_blendv_epi8(self.0, other.0, mask)) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                // SAFETY: as above.
                unsafe { _mm256_storeu_si256(to.cast(), self.0) }
            }
            #[inline(always)]
            unsafe fn bits(mask: __m256i) -> u32 {
                // SAFETY: as above.
                unsafe { $bits(mask) }
            }
            #[inline(always)]
            unsafe fn subtract(a: __m256i, b: __m256i) -> __m256i {
                // SAFETY: as above.
                unsafe { $subtract(a, b) }
            }
        }
    };
}

vector!(
    F32s,
    f32,
    |from| _mm256_castps_si256(_mm256_loadu_ps(from)),
    |x| _mm256_castps_si256(_mm256_set1_ps(x)),
    |a, b| _mm256_castps_si256(_mm256_cmp_ps::<_CMP_GT_OQ>(floats(a), floats(b))),
    |mask| _mm256_movemask_ps(floats(mask)) as u32,
    _mm256_sub_epi32
);
vector!(
    F64s,
    f64,
    |from| _mm256_castpd_si256(_mm256_loadu_pd(from)),
    |x| _mm256_castpd_si256(_mm256_set1_pd(x)),
    |a, b| _mm256_castpd_si256(_mm256_cmp_pd::<_CMP_GT_OQ>(doubles(a), doubles(b))),
    |mask| _mm256_movemask_pd(doubles(mask)) as u32,
    _mm256_sub_epi64
);
vector!(
    I32s,
    i32,
    |from: *const i32| _mm256_loadu_si256(from.cast()),
    |x| _mm256_set1_epi32(x),
    |a, b| _mm256_cmpgt_epi32(a, b),
    |mask| _mm256_movemask_ps(floats(mask)) as u32,
    _mm256_sub_epi32
);
vector!(
    I64s,
    i64,
    |from: *const i64| _mm256_loadu_si256(from.cast()),
    |x| _mm256_set1_epi64x(x),
    |a, b| _mm256_cmpgt_epi64(a, b),
    |mask| _mm256_movemask_pd(doubles(mask)) as u32,
    _mm256_sub_epi64
);

/// Stands in for a type without vectors; never used.
#[derive(Clone, Copy)]
pub struct I128s;

// SAFETY: 128-bit integers are counted by search alone, so that none of these is reached; they touch no memory.
impl Vector for I128s {
    type Row = i128;
    unsafe fn load(_: *const i128) -> Self {
        Self
    }
    unsafe fn splat(_: i128) -> Self {
        Self
    }
    unsafe fn above(self, _: Self) -> __m256i {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_setzero_si256() }
    }
    unsafe fn choose(self, _: Self, _: __m256i) -> Self {
        self
    }
    unsafe fn store(self, _: *mut i128) {}
    unsafe fn bits(_: __m256i) -> u32 {
        0
    }
    unsafe fn subtract(a: __m256i, _: __m256i) -> __m256i {
        a
    }
}

#[inline(always)]
unsafe fn floats(bits: __m256i) -> __m256 {
    // SAFETY: the caller has AVX2.
    unsafe { _mm256_castsi256_ps(bits) }
}

#[inline(always)]
unsafe fn doubles(bits: __m256i) -> __m256d {
    // SAFETY: the caller has AVX2.
    unsafe { _mm256_castsi256_pd(bits) }
}

/// As [`crate::kernel::small::count_above`]; also whether any row is NaN, at most `bounds.0` or above `bounds.1`.
///
/// # Safety
/// The machine has AVX2 and POPCNT.
///
/// # Panics
/// If there are more than [`MAX_SMALL`] edges, or fewer counters than edges.
#[target_feature(enable = "avx2,popcnt")]
pub(super) unsafe fn count_above<V>(
    edges: &[V::Row],
    rows: &[V::Row],
    bounds: (V::Row, V::Row),
    above: &mut [u64],
) -> bool
where
    V: Vector,
    V::Row: Lane,
{
    assert!(edges.len() <= MAX_SMALL && above.len() >= edges.len());
    // SAFETY: the caller has AVX2, so `pass` may use it.
    unsafe {
        match edges.len() {
            0 => pass::<V, 0, 0, true>(edges, rows, bounds, above),
            1..=2 => pass::<V, 2, 0, true>(edges, rows, bounds, above),
            3..=4 => pass::<V, 4, 0, true>(edges, rows, bounds, above),
            5..=6 => pass::<V, 6, 0, true>(edges, rows, bounds, above),
            7..=8 => pass::<V, IN_VECTORS, 0, true>(edges, rows, bounds, above),
            9 => pass::<V, IN_VECTORS, 1, true>(edges, rows, bounds, above),
            10 => pass::<V, IN_VECTORS, 2, true>(edges, rows, bounds, above),
            // Two passes over a cached block: the registers hold no more counters.
            11..=12 => {
                let is_odd = pass::<V, 6, 0, true>(&edges[..6], rows, bounds, above);
                pass::<V, 6, 0, false>(&edges[6..], rows, bounds, &mut above[6..]);
                is_odd
            }
            _ => {
                let is_odd = pass::<V, IN_VECTORS, 0, true>(&edges[..8], rows, bounds, above);
                pass::<V, IN_VECTORS, 0, false>(&edges[8..], rows, bounds, &mut above[8..]);
                is_odd
            }
        }
    }
}

/// Counts by the first `N` edges in vector registers and by the next `M` with the integer units, and may look for rows
/// beyond the bounds.
#[inline(always)]
unsafe fn pass<V, const N: usize, const M: usize, const BOUNDS: bool>(
    edges: &[V::Row],
    rows: &[V::Row],
    bounds: (V::Row, V::Row),
    above: &mut [u64],
) -> bool
where
    V: Vector,
    V::Row: Lane,
{
    let lanes = 32 / size_of::<V::Row>();
    // Nothing is above the greatest value, so that it fills up the last places.
    let edge = |j: usize| edges.get(j).copied().unwrap_or(V::Row::GREATEST);
    let (vectors, rest) = rows.split_at(rows.len() - rows.len() % lanes);
    let (mut counts, mut sums);
    let is_inside;
    // SAFETY: the caller has AVX2; each load reads the `lanes` rows of `vector`.
    unsafe {
        let first: [V; N] = std::array::from_fn(|j| V::splat(edge(j)));
        let others: [V; M] = std::array::from_fn(|j| V::splat(edge(N + j)));
        let (low, high) = (V::splat(bounds.0), V::splat(bounds.1));
        let mut inside = _mm256_set1_epi8(-1);
        counts = [_mm256_setzero_si256(); N];
        sums = [0_u64; M];
        // One vector a turn: with two the compiler keeps the edges in registers and the counters in memory.
        for vector in vectors.chunks_exact(lanes) {
            prefetch(vector.as_ptr(), AHEAD / size_of::<V::Row>());
            let x = V::load(vector.as_ptr());
            for j in 0..N {
                counts[j] = V::subtract(counts[j], x.above(first[j]));
            }
            for j in 0..M {
                sums[j] += u64::from(V::bits(x.above(others[j])).count_ones());
            }
            if BOUNDS {
                inside = _mm256_and_si256(inside, _mm256_andnot_si256(x.above(high), x.above(low)));
            }
        }
        is_inside = _mm256_movemask_epi8(inside) == -1;
    }
    for (above, count) in above.iter_mut().zip(counts) {
        let mut lanes_of_4 = [0_u32; 8];
        let mut lanes_of_8 = [0_u64; 4];
        // SAFETY: both arrays have 32 bytes; the caller has AVX2.
        unsafe {
            _mm256_storeu_si256(lanes_of_4.as_mut_ptr().cast(), count);
            _mm256_storeu_si256(lanes_of_8.as_mut_ptr().cast(), count);
        }
        *above += if size_of::<V::Row>() == 4 {
            lanes_of_4.iter().map(|n| u64::from(*n)).sum::<u64>()
        } else {
            lanes_of_8.iter().sum()
        };
    }
    for (above, sum) in above[N.min(edges.len())..].iter_mut().zip(sums) {
        *above += sum;
    }
    let mut is_odd = !is_inside;
    for x in rest {
        for (above, e) in above.iter_mut().zip(edges) {
            *above += u64::from(*x > *e);
        }
        is_odd |= BOUNDS && !(*x > bounds.0 && *x <= bounds.1);
    }
    is_odd
}

/// Widens `(low, high)` to the rows; NaN is above nothing and nothing is above it, so that it changes nothing.
///
/// # Safety
/// The machine has AVX2. Not for i128.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn extent<V>(rows: &[V::Row], (mut low, mut high): (V::Row, V::Row)) -> (V::Row, V::Row)
where
    V: Vector,
    V::Row: Lane,
{
    let lanes = 32 / size_of::<V::Row>();
    let (pairs, rest) = rows.split_at(rows.len() - rows.len() % (2 * lanes));
    let (mut lows, mut highs) = ([[low; 8]; 2], [[high; 8]; 2]);
    // SAFETY: the caller has AVX2; each load reads one of the two halves of `pair`, which has `2 * lanes` rows; eight
    // values of a type have 32 bytes at least.
    unsafe {
        let mut least = [V::splat(low); 2];
        let mut greatest = [V::splat(high); 2];
        for pair in pairs.chunks_exact(2 * lanes) {
            prefetch(pair.as_ptr(), AHEAD / size_of::<V::Row>());
            for half in 0..2 {
                let x = V::load(pair.as_ptr().add(half * lanes));
                least[half] = least[half].choose(x, least[half].above(x));
                greatest[half] = greatest[half].choose(x, x.above(greatest[half]));
            }
        }
        for half in 0..2 {
            least[half].store(lows[half].as_mut_ptr());
            greatest[half].store(highs[half].as_mut_ptr());
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
