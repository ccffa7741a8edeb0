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
    #[cfg(target_arch = "x86_64")]
    type Avx2: crate::kernel::avx2::Vector<Row = Self>;

    /// Whether the type has NaN and infinities.
    const FLOAT: bool;
    /// Whether vector kernels exist for the type.
    const VECTOR: bool;
    /// A value that is above none: pads the edges.
    const GREATEST: Self;
    /// A value that is below none (floats: the negative infinity).
    const LEAST: Self;
    /// Stands for a null in a loop: NaN for floats, any value for integers.
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
    /// Zero without a sign, every other value as it is.
    fn unsigned_zero(self) -> Self;

    /// The parameter of [`Lane::even_bucket`] for about `n_buckets` from `lo` to `hi`; none if they are too near or far.
    fn even_step(lo: Self, hi: Self, n_buckets: u32) -> Option<EvenStep<Self>>;
    /// The bucket of an even map: non-decreasing in `self`, at most `step.top`; 0 for NaN.
    fn even_bucket(self, step: &EvenStep<Self>) -> u16;
}

/// Buckets of equal width from `lo` to `hi`: floats multiply by `scale`, integers shift.
#[derive(Clone, Copy, Debug)]
pub struct EvenStep<T> {
    pub lo: T,
    pub hi: T,
    pub scale: T,
    pub shift: u32,
    pub top: u16,
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
    ($t:ident, $bits:ident, $signed:ident, $fraction:literal, $avx2:ident) => {
        impl Native for $t {}

        impl Lane for $t {
            type Count = $bits;
            type Real = Self;
            #[cfg(target_arch = "x86_64")]
            type Avx2 = crate::kernel::avx2::$avx2;
            const FLOAT: bool = true;
            const VECTOR: bool = true;
            const GREATEST: Self = Self::INFINITY;
            const LEAST: Self = Self::NEG_INFINITY;
            const FILL: Self = Self::NAN;

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
            #[inline(always)]
            fn unsigned_zero(self) -> Self {
                self + 0.0
            }

            fn even_step(lo: Self, hi: Self, n_buckets: u32) -> Option<EvenStep<Self>> {
                // The first and the last bucket are for what lies beyond the ends, so that it shares none with an end.
                #[allow(clippy::cast_precision_loss, reason = "at most 65,535")]
                let scale = (n_buckets - 3) as Self / (hi - lo);
                let lo = lo - 1.0 / scale;
                (n_buckets > 3 && scale > 0.0 && scale < Self::INFINITY && lo.is_finite())
                    .then_some(EvenStep { lo, hi, scale, shift: 0, top: (n_buckets - 1) as u16 })
            }
            #[inline(always)]
            fn even_bucket(self, step: &EvenStep<Self>) -> u16 {
                let at = (self - step.lo) * step.scale;
                // Not `max` and `min`: these compile to one instruction each, and send NaN to 0.
                let at = if at > 0.0 { at } else { 0.0 };
                let top = Self::from(step.top);
                let at = if at < top { at } else { top };
                // SAFETY: `at` is in `0..=65535`.
                let bucket: i32 = unsafe { at.to_int_unchecked() };
                bucket as u16
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

float!(f32, u32, i32, 23, F32s);
float!(f64, u64, i64, 52, F64s);

macro_rules! integer {
    ($t:ident, $unsigned:ident, $count:ident, $vector:literal, $avx2:ident) => {
        impl Native for $t {}

        impl Lane for $t {
            type Count = $count;
            type Real = f64;
            #[cfg(target_arch = "x86_64")]
            type Avx2 = crate::kernel::avx2::$avx2;
            const FLOAT: bool = false;
            const VECTOR: bool = $vector;
            const GREATEST: Self = Self::MAX;
            const LEAST: Self = Self::MIN;
            const FILL: Self = Self::MIN;

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
            #[inline(always)]
            fn unsigned_zero(self) -> Self {
                self
            }

            fn even_step(lo: Self, hi: Self, n_buckets: u32) -> Option<EvenStep<Self>> {
                let used = |width: $unsigned| $unsigned::BITS - width.leading_zeros();
                let shift = used(hi.wrapping_sub(lo) as $unsigned).saturating_sub(n_buckets.ilog2());
                // As for floats: room for one bucket beyond each end.
                let (lo, hi) = (lo.saturating_sub(1 << shift), hi.saturating_add(1 << shift));
                let top = ((hi.wrapping_sub(lo) as $unsigned) >> shift) as u16;
                Some(EvenStep { lo, hi, scale: lo, shift, top })
            }
            #[inline(always)]
            fn even_bucket(self, step: &EvenStep<Self>) -> u16 {
                let x = if self > step.lo { self } else { step.lo };
                let x = if x < step.hi { x } else { step.hi };
                ((x.wrapping_sub(step.lo) as $unsigned) >> step.shift) as u16
            }
        }
    };
}

integer!(i32, u32, u32, true, I32s);
integer!(i64, u64, u64, true, I64s);
integer!(i128, u128, u64, false, I128s);
