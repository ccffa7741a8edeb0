//! Sixteen rows in the registers of AVX-512, of any type.

use std::arch::x86_64::{
    __m512, __m512d, __m512i, __mmask8, __mmask16, _CMP_EQ_OQ, _CMP_GT_OQ, _CMP_LE_OQ,
    _mm512_castsi512_si256, _mm512_cmp_pd_mask, _mm512_cmp_ps_mask, _mm512_cmpeq_epi32_mask,
    _mm512_cmpeq_epi64_mask, _mm512_cmpgt_epi32_mask, _mm512_cmpgt_epi64_mask, _mm512_extracti64x4_epi64,
    _mm512_loadu_epi32, _mm512_loadu_epi64, _mm512_loadu_pd, _mm512_loadu_ps, _mm512_mask_cmp_pd_mask,
    _mm512_mask_cmp_ps_mask, _mm512_mask_cmpgt_epi32_mask, _mm512_mask_cmpgt_epi64_mask,
    _mm512_mask_cmple_epi32_mask, _mm512_mask_cmple_epi64_mask, _mm512_mask_i32gather_epi32,
    _mm512_mask_i32gather_epi64, _mm512_mask_i32gather_pd, _mm512_mask_i32gather_ps, _mm512_mask_mov_epi32,
    _mm512_mask_mov_epi64, _mm512_mask_mov_pd, _mm512_mask_mov_ps, _mm512_mask_sub_epi32,
    _mm512_mask_sub_epi64, _mm512_max_epi32, _mm512_max_epi64, _mm512_max_pd, _mm512_max_ps,
    _mm512_min_epi32, _mm512_min_epi64, _mm512_min_pd, _mm512_min_ps, _mm512_reduce_add_epi32,
    _mm512_reduce_add_epi64, _mm512_set1_epi32, _mm512_set1_epi64, _mm512_set1_pd, _mm512_set1_ps,
    _mm512_setzero_pd, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_storeu_epi32, _mm512_storeu_epi64,
    _mm512_storeu_pd, _mm512_storeu_ps,
};

use std::hint::black_box;

/// How many rows are taken at a time.
pub(super) const ROWS: usize = 16;

/// [`ROWS`] rows, and what the loops of `avx512` do with them.
///
/// # Safety
/// All functions need AVX-512 F, VL, DQ and BW. `load` reads [`ROWS`] rows at `from`, `store` writes as many at `to`, and
/// `compared_with` reads the edges at the places of the rows of `which`.
pub trait Wide: Copy {
    /// The type of a row.
    type Row: Copy;
    /// Reads [`ROWS`] rows.
    unsafe fn load(from: *const Self::Row) -> Self;
    /// Writes [`ROWS`] rows.
    unsafe fn store(self, to: *mut Self::Row);
    /// The same value everywhere.
    unsafe fn splat(x: Self::Row) -> Self;
    /// One in every lane of counters. Where the compiler knew that it is one, it would make two instructions of each
    /// masked subtraction.
    unsafe fn one() -> __m512i;
    /// Takes `one` from lanes of `counts` where `self` is above `edge`; each row has a lane, and a lane two rows at most.
    unsafe fn count_above(self, edge: Self, counts: __m512i, one: __m512i) -> __m512i;
    /// How many rows were taken from the lanes of `counts`.
    unsafe fn total(counts: __m512i) -> u64;
    /// All bits of `inside` if no row is at most `low`, above `high` or NaN; else, some of them not.
    unsafe fn within(self, low: Self, high: Self, inside: __mmask16) -> __mmask16;
    /// `self` where it is the smaller, else `other`, and so where `self` is NaN.
    unsafe fn least(self, other: Self) -> Self;
    /// `self` where it is the greater, else `other`, and so where `self` is NaN.
    unsafe fn greatest(self, other: Self) -> Self;
    /// `self` where the mask is set, else `other`.
    unsafe fn where_set(self, mask: __mmask16, other: Self) -> Self;
    /// Which rows of `which` are above, and which are equal to, the edge at their place of `at` in `edges`.
    unsafe fn compared_with(
        self,
        edges: *const Self::Row,
        at: __m512i,
        which: __mmask16,
    ) -> (__mmask16, __mmask16);
}

/// One mask of two.
#[inline(always)]
fn both(low: __mmask8, high: __mmask8) -> __mmask16 {
    u16::from(low) | u16::from(high) << 8
}

/// A type with 16 rows in a register.
macro_rules! one_register {
    ($v:ident, $t:ident, $register:ident, $load:expr, $store:expr, $splat:ident, $above:expr, $equal:expr,
     $above_if:expr, $at_most_if:expr, $least:ident, $greatest:ident, $move:ident, $look_up:expr) => {
        #[derive(Clone, Copy)]
        pub struct $v($register);

        // SAFETY (all): plain register operations but for loads, stores and look-ups, whose addresses the caller vouches
        // for, as for AVX-512.
        impl Wide for $v {
            type Row = $t;
            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                // SAFETY: as above.
                unsafe { Self($load(from)) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                // SAFETY: as above.
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                // SAFETY: as above.
                unsafe { Self($splat(x)) }
            }
            #[inline(always)]
            unsafe fn one() -> __m512i {
                // SAFETY: as above.
                unsafe { black_box(_mm512_set1_epi32(1)) }
            }
            #[inline(always)]
            unsafe fn count_above(self, edge: Self, counts: __m512i, one: __m512i) -> __m512i {
                // SAFETY: as above.
                unsafe { _mm512_mask_sub_epi32(counts, $above(self.0, edge.0), counts, one) }
            }
            #[inline(always)]
            unsafe fn total(counts: __m512i) -> u64 {
                // SAFETY: as above.
                unsafe { u64::from(_mm512_reduce_add_epi32(counts).unsigned_abs()) }
            }
            #[inline(always)]
            unsafe fn within(self, low: Self, high: Self, inside: __mmask16) -> __mmask16 {
                // SAFETY: as above.
                unsafe { $at_most_if($above_if(inside, self.0, low.0), self.0, high.0) }
            }
            #[inline(always)]
            unsafe fn least(self, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { Self($least(self.0, other.0)) }
            }
            #[inline(always)]
            unsafe fn greatest(self, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { Self($greatest(self.0, other.0)) }
            }
            #[inline(always)]
            unsafe fn where_set(self, mask: __mmask16, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { Self($move(other.0, mask, self.0)) }
            }
            #[inline(always)]
            unsafe fn compared_with(
                self,
                edges: *const $t,
                at: __m512i,
                which: __mmask16,
            ) -> (__mmask16, __mmask16) {
                // SAFETY: as above.
                unsafe {
                    let edge = $look_up(which, at, edges);
                    (which & $above(self.0, edge), which & $equal(self.0, edge))
                }
            }
        }
    };
}

/// A type with 16 rows in two registers.
macro_rules! two_registers {
    ($v:ident, $t:ident, $register:ident, $load:expr, $store:expr, $splat:ident, $above:expr, $equal:expr,
     $above_if:expr, $at_most_if:expr, $least:ident, $greatest:ident, $move:ident, $look_up:expr) => {
        #[derive(Clone, Copy)]
        pub struct $v($register, $register);

        // SAFETY (all): as for one register.
        impl Wide for $v {
            type Row = $t;
            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                // SAFETY: as above.
                unsafe { Self($load(from), $load(from.add(ROWS / 2))) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                // SAFETY: as above.
                unsafe {
                    $store(to, self.0);
                    $store(to.add(ROWS / 2), self.1);
                }
            }
            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                // SAFETY: as above.
                unsafe { Self($splat(x), $splat(x)) }
            }
            #[inline(always)]
            unsafe fn one() -> __m512i {
                // SAFETY: as above.
                unsafe { black_box(_mm512_set1_epi64(1)) }
            }
            #[inline(always)]
            unsafe fn count_above(self, edge: Self, counts: __m512i, one: __m512i) -> __m512i {
                // SAFETY: as above.
                unsafe {
                    let counts = _mm512_mask_sub_epi64(counts, $above(self.0, edge.0), counts, one);
                    _mm512_mask_sub_epi64(counts, $above(self.1, edge.1), counts, one)
                }
            }
            #[inline(always)]
            unsafe fn total(counts: __m512i) -> u64 {
                // SAFETY: as above.
                unsafe { _mm512_reduce_add_epi64(counts).unsigned_abs() }
            }
            #[inline(always)]
            unsafe fn within(self, low: Self, high: Self, inside: __mmask16) -> __mmask16 {
                // SAFETY: as above.
                unsafe {
                    let inside = inside as __mmask8;
                    let inside = $at_most_if($above_if(inside, self.0, low.0), self.0, high.0);
                    let inside = $at_most_if($above_if(inside, self.1, low.1), self.1, high.1);
                    // A row outside clears the bits of both halves.
                    both(inside, inside)
                }
            }
            #[inline(always)]
            unsafe fn least(self, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { Self($least(self.0, other.0), $least(self.1, other.1)) }
            }
            #[inline(always)]
            unsafe fn greatest(self, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { Self($greatest(self.0, other.0), $greatest(self.1, other.1)) }
            }
            #[inline(always)]
            unsafe fn where_set(self, mask: __mmask16, other: Self) -> Self {
                let (low, high) = (mask as __mmask8, (mask >> 8) as __mmask8);
                // SAFETY: as above.
                unsafe { Self($move(other.0, low, self.0), $move(other.1, high, self.1)) }
            }
            #[inline(always)]
            unsafe fn compared_with(
                self,
                edges: *const $t,
                at: __m512i,
                which: __mmask16,
            ) -> (__mmask16, __mmask16) {
                // SAFETY: as above.
                unsafe {
                    let (low, high) = (_mm512_castsi512_si256(at), _mm512_extracti64x4_epi64::<1>(at));
                    let low = $look_up(which as __mmask8, low, edges);
                    let high = $look_up((which >> 8) as __mmask8, high, edges);
                    let above = both($above(self.0, low), $above(self.1, high));
                    (which & above, which & both($equal(self.0, low), $equal(self.1, high)))
                }
            }
        }
    };
}

one_register!(
    WideF32,
    f32,
    __m512,
    |from| _mm512_loadu_ps(from),
    |to, x| _mm512_storeu_ps(to, x),
    _mm512_set1_ps,
    |x, e| _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, e),
    |x, e| _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(x, e),
    |mask, x, e| _mm512_mask_cmp_ps_mask::<_CMP_GT_OQ>(mask, x, e),
    |mask, x, e| _mm512_mask_cmp_ps_mask::<_CMP_LE_OQ>(mask, x, e),
    _mm512_min_ps,
    _mm512_max_ps,
    _mm512_mask_mov_ps,
    |which, at, edges| _mm512_mask_i32gather_ps::<4>(_mm512_setzero_ps(), which, at, edges)
);
two_registers!(
    WideF64,
    f64,
    __m512d,
    |from| _mm512_loadu_pd(from),
    |to, x| _mm512_storeu_pd(to, x),
    _mm512_set1_pd,
    |x, e| _mm512_cmp_pd_mask::<_CMP_GT_OQ>(x, e),
    |x, e| _mm512_cmp_pd_mask::<_CMP_EQ_OQ>(x, e),
    |mask, x, e| _mm512_mask_cmp_pd_mask::<_CMP_GT_OQ>(mask, x, e),
    |mask, x, e| _mm512_mask_cmp_pd_mask::<_CMP_LE_OQ>(mask, x, e),
    _mm512_min_pd,
    _mm512_max_pd,
    _mm512_mask_mov_pd,
    |which, at, edges| _mm512_mask_i32gather_pd::<8>(_mm512_setzero_pd(), which, at, edges)
);
one_register!(
    WideI32,
    i32,
    __m512i,
    |from| _mm512_loadu_epi32(from),
    |to, x| _mm512_storeu_epi32(to, x),
    _mm512_set1_epi32,
    |x, e| _mm512_cmpgt_epi32_mask(x, e),
    |x, e| _mm512_cmpeq_epi32_mask(x, e),
    |mask, x, e| _mm512_mask_cmpgt_epi32_mask(mask, x, e),
    |mask, x, e| _mm512_mask_cmple_epi32_mask(mask, x, e),
    _mm512_min_epi32,
    _mm512_max_epi32,
    _mm512_mask_mov_epi32,
    |which, at, edges| _mm512_mask_i32gather_epi32::<4>(_mm512_setzero_si512(), which, at, edges)
);
two_registers!(
    WideI64,
    i64,
    __m512i,
    |from| _mm512_loadu_epi64(from),
    |to, x| _mm512_storeu_epi64(to, x),
    _mm512_set1_epi64,
    |x, e| _mm512_cmpgt_epi64_mask(x, e),
    |x, e| _mm512_cmpeq_epi64_mask(x, e),
    |mask, x, e| _mm512_mask_cmpgt_epi64_mask(mask, x, e),
    |mask, x, e| _mm512_mask_cmple_epi64_mask(mask, x, e),
    _mm512_min_epi64,
    _mm512_max_epi64,
    _mm512_mask_mov_epi64,
    |which, at, edges| _mm512_mask_i32gather_epi64::<8>(_mm512_setzero_si512(), which, at, edges)
);

/// Stands in for a type without vectors; never used.
#[derive(Clone, Copy)]
pub struct WideI128;

// SAFETY: 128-bit integers are counted by search alone, so that none of these is reached; they touch no memory.
impl Wide for WideI128 {
    type Row = i128;
    unsafe fn load(_: *const i128) -> Self {
        Self
    }
    unsafe fn store(self, _: *mut i128) {}
    unsafe fn splat(_: i128) -> Self {
        Self
    }
    unsafe fn one() -> __m512i {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_setzero_si512() }
    }
    unsafe fn count_above(self, _: Self, counts: __m512i, _: __m512i) -> __m512i {
        counts
    }
    unsafe fn total(_: __m512i) -> u64 {
        0
    }
    unsafe fn within(self, _: Self, _: Self, inside: __mmask16) -> __mmask16 {
        inside
    }
    unsafe fn least(self, _: Self) -> Self {
        self
    }
    unsafe fn greatest(self, _: Self) -> Self {
        self
    }
    unsafe fn where_set(self, _: __mmask16, _: Self) -> Self {
        self
    }
    unsafe fn compared_with(self, _: *const i128, _: __m512i, _: __mmask16) -> (__mmask16, __mmask16) {
        (0, 0)
    }
}
