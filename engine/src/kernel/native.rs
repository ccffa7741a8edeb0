//! The types that kernels count, and what a loop needs to know of each.

/// A column's type as kernels see it: f32, f64, i32, i64 and i128, compared natively. Sealed.
///
/// Narrower and unsigned integers are widened by the caller, exactly.
pub trait Native: Lane + Copy + PartialOrd + Send + Sync + std::fmt::Debug + 'static {}

/// What the loops need; in a private module, so that [`Native`] is sealed.
pub trait Lane: Copy + PartialOrd + Send + Sync + std::fmt::Debug + 'static {
    /// A counter as wide as a value, so that a comparison's mask is subtracted without widening.
    type Count: Copy + Default + std::ops::AddAssign + Into<u64>;
    /// The float type of the bent bucket map.
    type Real: Real;

    /// The type's vector of 32 bytes.
    #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
    type Avx2: crate::kernel::avx2::Vector<Row = Self>;
    /// The type's vector of 64 bytes.
    #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
    type Avx512: crate::kernel::wide::Wide<Row = Self>;

    /// Whether the type has NaN and infinities.
    const FLOAT: bool;
    /// Whether vector kernels exist for the type.
    const VECTOR: bool;
    /// A value that is above none: pads the edges.
    const GREATEST: Self;
    /// A value that is below none (floats: the negative infinity).
    const LEAST: Self;
    /// Any value, in place of nulls where there is no edge.
    const FILL: Self;

    /// 1 if `yes`.
    fn one_if(yes: bool) -> Self::Count;
    /// The lowest 16 bits of a counter.
    fn low_half(count: Self::Count) -> u16;
    /// The nearest double.
    fn nearest_double(self) -> f64;
    /// A non-decreasing map to a float type.
    fn to_real(self) -> Self::Real;
    /// Whether the value is neither NaN nor an infinity.
    fn is_number(self) -> bool;
    /// A value about half way to `other`, which is not less; any value but NaN if there is none.
    fn middle(self, other: Self) -> Self;
    /// Zero without a sign, every other value as it is.
    fn unsigned_zero(self) -> Self;

    /// The parameter of [`Lane::even_key`] for about `n_buckets` from `lo` to `hi`, each cut into `2^bits` keys if the
    /// type is as fine as that; none if they are too near or far.
    fn even_step(lo: Self, hi: Self, n_buckets: u32, bits: u32) -> Option<EvenStep<Self>>;
    /// The key of an even map: non-decreasing in `self`, at most `step.top`; 0 for NaN.
    fn even_key(self, step: &EvenStep<Self>) -> u32;
    /// Whether a row is above `self` just when its key is greater than that of `self`.
    fn is_told_by_key(self, step: &EvenStep<Self>) -> bool;
}

/// Buckets of equal width from `lo` to `hi`: floats multiply by `scale`, integers shift.
#[derive(Clone, Copy, Debug)]
pub struct EvenStep<T> {
    pub lo: T,
    pub hi: T,
    pub scale: T,
    pub shift: u32,
    /// The greatest key; a float holds it without rounding.
    pub top: u32,
    /// A key without its lowest `bits` is a bucket.
    pub bits: u32,
}

/// A float whose bits the bent map cuts into buckets.
pub trait Real: Copy + PartialOrd + std::fmt::Debug + Send + Sync + 'static {
    /// How many bits hold the fraction.
    const FRACTION_BITS: u32;
    /// The nearest value.
    fn narrow(x: f64) -> Self;
    /// The same value as a double.
    fn widen(self) -> f64;
    /// Whether the value is neither NaN nor an infinity.
    fn is_finite(self) -> bool;
    /// `(bits(|clamp(self) - middle| + knee) - bits(knee)) >> shift`, negative below `middle`; NaN counts as `lo`.
    fn bent(self, lo: Self, hi: Self, middle: Self, knee: Self, shift: u32) -> i32;
}

macro_rules! float {
    ($t:ident, $bits:ident, $signed:ident, $fraction:literal, $avx2:ident, $avx512:ident) => {
        impl Native for $t {}

        impl Lane for $t {
            type Count = $bits;
            type Real = Self;
            #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
            type Avx2 = crate::kernel::avx2::$avx2;
            #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
            type Avx512 = crate::kernel::wide::$avx512;
            const FLOAT: bool = true;
            const VECTOR: bool = true;
            const GREATEST: Self = Self::INFINITY;
            const LEAST: Self = Self::NEG_INFINITY;
            const FILL: Self = 0.0;

            #[inline(always)]
            fn one_if(yes: bool) -> $bits {
                $bits::from(yes)
            }
            #[inline(always)]
            fn low_half(count: $bits) -> u16 {
                count as u16
            }
            #[inline(always)]
            #[allow(clippy::unnecessary_cast, trivial_numeric_casts, reason = "one macro for both widths")]
            fn nearest_double(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn to_real(self) -> Self {
                self
            }
            #[inline(always)]
            fn is_number(self) -> bool {
                self.abs() < Self::INFINITY
            }
            fn middle(self, other: Self) -> Self {
                let middle = self / 2.0 + other / 2.0;
                if middle.is_nan() { self } else { middle }
            }
            #[inline(always)]
            fn unsigned_zero(self) -> Self {
                self + 0.0
            }

            fn even_step(lo: Self, hi: Self, n_buckets: u32, bits: u32) -> Option<EvenStep<Self>> {
                // The first and the last bucket are for what lies beyond the ends, so that it shares none with an end.
                #[allow(clippy::cast_precision_loss, reason = "at most 16 bits, and a power of two")]
                let (inner, width) = ((n_buckets - 3) as Self, (1_u32 << bits) as Self);
                let scale = inner * width / (hi - lo);
                let lo = lo - width / scale;
                (n_buckets > 3 && scale > 0.0 && scale < Self::INFINITY && lo.is_finite())
                    .then_some(EvenStep { lo, hi, scale, shift: 0, top: (n_buckets - 1) << bits, bits })
            }
            #[inline(always)]
            fn even_key(self, step: &EvenStep<Self>) -> u32 {
                let at = (self - step.lo) * step.scale;
                // Not `max` and `min`: these compile to one instruction each, and send NaN to 0.
                let at = if at > 0.0 { at } else { 0.0 };
                #[allow(clippy::cast_precision_loss, reason = "at most 16 bits and zeros")]
                let top = step.top as Self;
                let at = if at < top { at } else { top };
                // SAFETY: `at` is in `0..=2^30`.
                let key: i32 = unsafe { at.to_int_unchecked() };
                key as u32
            }
            #[inline(always)]
            fn is_told_by_key(self, _: &EvenStep<Self>) -> bool {
                false
            }
        }

        impl Real for $t {
            const FRACTION_BITS: u32 = $fraction;
            #[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation, reason = "rounds to nearest")]
            fn narrow(x: f64) -> Self {
                x as Self
            }
            #[allow(clippy::unnecessary_cast, trivial_numeric_casts, reason = "one macro for both widths")]
            fn widen(self) -> f64 {
                self as f64
            }
            fn is_finite(self) -> bool {
                self.is_finite()
            }
            #[inline(always)]
            fn bent(self, lo: Self, hi: Self, middle: Self, knee: Self, shift: u32) -> i32 {
                let x = if self > lo { self } else { lo };
                let x = if x < hi { x } else { hi };
                let from_middle = x - middle;
                let bits = (from_middle.abs() + knee).to_bits().wrapping_sub(knee.to_bits()) >> shift;
                let sign = (from_middle.to_bits() as $signed) >> ($signed::BITS - 1);
                (((bits as $signed) ^ sign).wrapping_sub(sign)) as i32
            }
        }
    };
}

float!(f32, u32, i32, 23, F32s, WideF32);
float!(f64, u64, i64, 52, F64s, WideF64);

macro_rules! integer {
    ($t:ident, $unsigned:ident, $count:ident, $vector:literal, $avx2:ident, $avx512:ident) => {
        impl Native for $t {}

        impl Lane for $t {
            type Count = $count;
            type Real = f64;
            #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
            type Avx2 = crate::kernel::avx2::$avx2;
            #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
            type Avx512 = crate::kernel::wide::$avx512;
            const FLOAT: bool = false;
            const VECTOR: bool = $vector;
            const GREATEST: Self = Self::MAX;
            const LEAST: Self = Self::MIN;
            const FILL: Self = 0;

            #[inline(always)]
            fn one_if(yes: bool) -> $count {
                $count::from(yes)
            }
            #[inline(always)]
            fn low_half(count: $count) -> u16 {
                count as u16
            }
            #[inline(always)]
            #[allow(clippy::cast_precision_loss, clippy::cast_lossless, reason = "rounds to nearest")]
            fn nearest_double(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn to_real(self) -> f64 {
                self.nearest_double()
            }
            #[inline(always)]
            fn is_number(self) -> bool {
                true
            }
            fn middle(self, other: Self) -> Self {
                self.wrapping_add((other.wrapping_sub(self) as $unsigned >> 1) as Self)
            }
            #[inline(always)]
            fn unsigned_zero(self) -> Self {
                self
            }

            fn even_step(lo: Self, hi: Self, n_buckets: u32, bits: u32) -> Option<EvenStep<Self>> {
                let used = |width: $unsigned| $unsigned::BITS - width.leading_zeros();
                let shift = used(hi.wrapping_sub(lo) as $unsigned).saturating_sub(n_buckets.ilog2());
                // As for floats: room for one bucket beyond each end.
                let (lo, hi) = (lo.saturating_sub(1 << shift), hi.saturating_add(1 << shift));
                let bits = bits.min(shift);
                let shift = shift - bits;
                let top = ((hi.wrapping_sub(lo) as $unsigned) >> shift) as u32;
                Some(EvenStep { lo, hi, scale: lo, shift, top, bits })
            }
            #[inline(always)]
            fn even_key(self, step: &EvenStep<Self>) -> u32 {
                let x = if self > step.lo { self } else { step.lo };
                let x = if x < step.hi { x } else { step.hi };
                ((x.wrapping_sub(step.lo) as $unsigned) >> step.shift) as u32
            }
            #[inline(always)]
            fn is_told_by_key(self, step: &EvenStep<Self>) -> bool {
                // What lies beyond an end has the end's key.
                step.shift == 0 && self >= step.lo && self < step.hi
            }
        }
    };
}

integer!(i32, u32, u32, true, I32s, WideI32);
integer!(i64, u64, u64, true, I64s, WideI64);
integer!(i128, u128, u64, false, I128s, WideI128);
