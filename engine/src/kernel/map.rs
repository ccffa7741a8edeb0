//! Monotone maps from a value to a bucket, or to one of several keys in a bucket.
//!
//! All that a table needs of a map is that it never decreases: then the edges of lower buckets are below a row and those of
//! higher buckets are not. Rounding inside the map does no harm, because edges and rows pass through the same
//! instructions. An even map suits most columns; a bent one (even near the middle, logarithmic far from it, on both
//! sides) suits heavy tails, which would leave an even map with nearly all edges in one bucket.

use crate::kernel::native::{EvenStep, Lane, Real};

/// A non-decreasing map to `0..n_buckets`; NaN is in bucket 0.
#[derive(Clone, Copy, Debug)]
pub(super) enum Map<T> {
    Even(EvenStep<T>),
    Bent(Bent),
}

/// `sign(d) * log2(1 + |d| / knee)` for `d = x - middle`, but with the bits of the float as the logarithm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bent {
    /// These four are values of the type that the map computes in, widened.
    lo: f64,
    hi: f64,
    middle: f64,
    knee: f64,
    shift: u32,
    offset: i32,
    top: u32,
    bits: u32,
}

impl<T: Lane> Map<T> {
    /// Buckets of equal width between `lo` and `hi`, each of up to `2^bits` keys.
    pub(super) fn even(lo: T, hi: T, n_buckets: u32, bits: u32) -> Option<Self> {
        if !(lo < hi && lo.is_number() && hi.is_number()) {
            return None;
        }
        T::even_step(lo.unsigned_zero(), hi.unsigned_zero(), n_buckets, bits).map(Self::Even)
    }

    /// At most `n_buckets` of up to `2^bits` keys, whose width grows with the distance from `middle` beyond `knee`.
    pub(super) fn bent(lo: T, hi: T, middle: T, knee: f64, n_buckets: u32, bits: u32) -> Option<Self> {
        // As in an even map, what lies beyond an end shares no bucket with it.
        let (lo, hi, middle) = (lo.to_real().widen(), hi.to_real().widen(), middle.to_real().widen());
        let lo = lo - (middle - lo + knee) / 8.0;
        let hi = hi + (hi - middle + knee) / 8.0;
        let [lo, hi, middle, knee] = [lo, hi, middle, knee].map(T::Real::narrow);
        let usable = lo < middle
            && middle < hi
            && lo.is_finite()
            && hi.is_finite()
            && knee.is_finite()
            && knee > T::Real::narrow(0.0);
        if !usable {
            return None;
        }
        for shift in 0..=T::Real::FRACTION_BITS {
            // Without a shift a bucket need not fit an i32: begin where the widest float does.
            if T::Real::FRACTION_BITS - shift > 18 {
                continue;
            }
            let (low, high) = (lo.bent(lo, hi, middle, knee, shift), hi.bent(lo, hi, middle, knee, shift));
            let top = high - low;
            if (0..n_buckets as i32).contains(&top) {
                // Keys are the same bits, cut off later.
                let bits = bits.min(shift);
                let shift = shift - bits;
                let (low, high) =
                    (lo.bent(lo, hi, middle, knee, shift), hi.bent(lo, hi, middle, knee, shift));
                let (lo, hi, middle, knee) = (lo.widen(), hi.widen(), middle.widen(), knee.widen());
                let top = (high - low) as u32;
                return Some(Self::Bent(Bent { lo, hi, middle, knee, shift, offset: -low, top, bits }));
            }
        }
        None
    }

    /// How many buckets there are.
    pub(super) fn n_buckets(&self) -> usize {
        let (top, bits) = match self {
            Self::Even(step) => (step.top, step.bits),
            Self::Bent(bent) => (bent.top, bent.bits),
        };
        (top >> bits) as usize + 1
    }

    /// A key without its lowest `bits` is a bucket.
    pub(super) fn bits(&self) -> u32 {
        match self {
            Self::Even(step) => step.bits,
            Self::Bent(bent) => bent.bits,
        }
    }

    /// Whether a row is above `edge` just when its key is greater than that of the edge.
    #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
    pub(super) fn tells(&self, edge: T) -> bool {
        match self {
            Self::Even(step) => edge.is_told_by_key(step),
            Self::Bent(_) => false,
        }
    }

    /// The bucket of each row, of a map without further bits. `buckets` must be as long as `rows`.
    #[inline(always)]
    pub(super) fn buckets(&self, rows: &[T], buckets: &mut [u16]) {
        debug_assert!(self.bits() == 0);
        self.each_key(rows, buckets, |key| key as u16);
    }

    /// The key of each row. `keys` must be as long as `rows`.
    #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
    #[inline(always)]
    pub(super) fn keys(&self, rows: &[T], keys: &mut [u32]) {
        self.each_key(rows, keys, |key| key);
    }

    #[inline(always)]
    fn each_key<K>(&self, rows: &[T], keys: &mut [K], to: impl Fn(u32) -> K) {
        match self {
            Self::Even(step) => {
                let step = *step;
                for (key, x) in keys.iter_mut().zip(rows) {
                    *key = to(x.even_key(&step));
                }
            }
            Self::Bent(bent) => {
                let Bent { shift, offset, .. } = *bent;
                let [lo, hi, middle, knee] = [bent.lo, bent.hi, bent.middle, bent.knee].map(T::Real::narrow);
                for (key, x) in keys.iter_mut().zip(rows) {
                    *key = to((x.to_real().bent(lo, hi, middle, knee, shift) + offset) as u32);
                }
            }
        }
    }
}
