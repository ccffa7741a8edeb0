//! The edges of a numeric feature: sorted, in the feature's own type, right-closed.
//!
//! Cell `j` is `(e[j-1], e[j]]` and `cell(x) = #{e < x}`, so an atom `v` is two edges, `pred(v)` and `v`.
//! A window of another type is counted on converted *edges*: rounding an edge down keeps `e < x` true for the same
//! rows. Only float32 rows against float64 edges are rounded to nearest, because such rows are themselves rounded.

use crate::feature::value_type::gcd;
use crate::feature::{Domain, Unit, ValueType};

/// A type in which edges can be held.
pub trait Value: Copy + PartialOrd + Send + Sync + std::fmt::Debug + 'static {
    /// The next smaller value, or the value itself if there is none.
    #[must_use]
    fn pred(self) -> Self;
    /// The nearest double.
    #[must_use]
    fn to_f64(self) -> f64;
    /// The nearest value of this type; saturates.
    #[must_use]
    fn from_f64(x: f64) -> Self;
    /// A value near the middle of two, `a <= mid < b` for `a < b`.
    #[must_use]
    fn midpoint(a: Self, b: Self) -> Self;
    /// Whether the value is neither NaN nor an infinity.
    #[must_use]
    fn is_finite(self) -> bool;
    /// A key that sorts as the value does; equal for -0.0 and 0.0. Not for NaN.
    #[must_use]
    fn order_key(self) -> i128;
    /// The smallest and the largest finite value.
    const EXTREMES: (Self, Self);
    /// Zero.
    const ZERO: Self;
}

macro_rules! float_value {
    ($t:ident) => {
        impl Value for $t {
            const EXTREMES: (Self, Self) = (Self::MIN, Self::MAX);
            const ZERO: Self = 0.0;
            fn pred(self) -> Self {
                self.next_down()
            }
            #[allow(clippy::unnecessary_cast, trivial_numeric_casts, reason = "one macro for both widths")]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[allow(clippy::cast_possible_truncation, clippy::unnecessary_cast, reason = "rounds to nearest")]
            fn from_f64(x: f64) -> Self {
                x as Self
            }
            fn midpoint(a: Self, b: Self) -> Self {
                let middle = a / 2.0 + b / 2.0;
                if middle >= a && middle < b { middle } else { a }
            }
            fn is_finite(self) -> bool {
                self.is_finite()
            }
            fn order_key(self) -> i128 {
                let x = self + 0.0;
                let magnitude = i128::from(x.abs().to_bits());
                if x < 0.0 { -magnitude } else { magnitude }
            }
        }
    };
}

macro_rules! integer_value {
    ($t:ident) => {
        impl Value for $t {
            const EXTREMES: (Self, Self) = (Self::MIN, Self::MAX);
            const ZERO: Self = 0;
            fn pred(self) -> Self {
                self.saturating_sub(1)
            }
            #[allow(clippy::cast_precision_loss, reason = "rounds to nearest")]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[allow(clippy::cast_possible_truncation, reason = "saturates")]
            fn from_f64(x: f64) -> Self {
                x as Self
            }
            fn midpoint(a: Self, b: Self) -> Self {
                Self::midpoint(a, b).clamp(a, b.saturating_sub(1).max(a))
            }
            fn is_finite(self) -> bool {
                true
            }
            #[allow(clippy::cast_lossless, trivial_numeric_casts, reason = "one macro for both widths")]
            fn order_key(self) -> i128 {
                self as i128
            }
        }
    };
}

float_value!(f32);
float_value!(f64);
integer_value!(i64);
integer_value!(i128);

/// Sorted, distinct edges in one of the four domains. Never NaN.
#[derive(Clone, Debug, PartialEq)]
pub enum Edges {
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
    /// 64-bit integers, in steps of the feature's unit.
    I64(Vec<i64>),
    /// 128-bit integers, in steps of the feature's unit.
    I128(Vec<i128>),
}

/// Runs `$body` with `$edges` bound to the vector inside.
macro_rules! for_edges {
    ($value:expr, $edges:ident => $body:expr) => {
        match $value {
            $crate::feature::Edges::F32($edges) => $body,
            $crate::feature::Edges::F64($edges) => $body,
            $crate::feature::Edges::I64($edges) => $body,
            $crate::feature::Edges::I128($edges) => $body,
        }
    };
}

impl Edges {
    /// How many edges.
    #[must_use]
    pub fn len(&self) -> usize {
        for_edges!(self, edges => edges.len())
    }

    /// Whether there are none: then there is one cell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The edges as doubles, each step worth `ratio`, for reports and for distances; not for comparing rows.
    #[must_use]
    pub fn positions(&self, ratio: f64) -> Vec<f64> {
        for_edges!(self, edges => edges.iter().map(|e| e.to_f64() * ratio).collect())
    }

    /// For each cell, whether it holds exactly one representable value and so has no interior.
    #[must_use]
    pub fn atoms(&self) -> Vec<bool> {
        for_edges!(self, edges => {
            let mut atoms = vec![false; edges.len() + 1];
            for (j, pair) in edges.windows(2).enumerate() {
                atoms[j + 1] = pair[1].pred() == pair[0];
            }
            // The first cell of float edges that begin at -inf is {-inf}; the last after f64::MAX is {+inf}.
            if let (Some(first), Some(last)) = (edges.first(), edges.last()) {
                let n = atoms.len() - 1;
                atoms[0] = !first.is_finite();
                atoms[n] = is_greatest(*last);
            }
            atoms
        })
    }

    /// The domain in which the edges are held.
    #[must_use]
    pub fn domain(&self) -> Domain {
        match self {
            Self::F32(_) => Domain::F32,
            Self::F64(_) => Domain::F64,
            Self::I64(_) => Domain::I64,
            Self::I128(_) => Domain::I128,
        }
    }

    /// The edges in little-endian bytes, for hashing and storing; -0.0 is written as 0.0.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::F32(edges) => edges.iter().flat_map(|e| (e + 0.0).to_le_bytes()).collect(),
            Self::F64(edges) => edges.iter().flat_map(|e| (e + 0.0).to_le_bytes()).collect(),
            Self::I64(edges) => edges.iter().flat_map(|e| e.to_le_bytes()).collect(),
            Self::I128(edges) => edges.iter().flat_map(|e| e.to_le_bytes()).collect(),
        }
    }

    /// These edges as integers in steps of `unit`, each rounded down, so that `e < x` holds for the same integers.
    #[must_use]
    pub fn floor_to_integers(&self, own: ValueType, unit: Unit) -> Vec<i128> {
        match self {
            Self::F32(edges) => edges.iter().map(|e| floor_float(f64::from(*e), unit)).collect(),
            Self::F64(edges) => edges.iter().map(|e| floor_float(*e, unit)).collect(),
            Self::I64(edges) => edges.iter().map(|e| rescale(i128::from(*e), own.unit, unit)).collect(),
            Self::I128(edges) => edges.iter().map(|e| rescale(*e, own.unit, unit)).collect(),
        }
    }

    /// These edges as doubles. Integers are rounded down; decimals to nearest, because a double that was made from a
    /// decimal is its nearest double.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "mended by the step down where the cast rounded up")]
    pub fn to_doubles(&self, own: ValueType) -> Vec<f64> {
        let integer = |e: i128| {
            if own.unit == Unit::ONE {
                let rounded = e as f64;
                if compare_exactly(rounded, e).is_gt() { rounded.next_down() } else { rounded }
            } else {
                e as f64 * own.unit.numerator as f64 / own.unit.denominator as f64
            }
        };
        match self {
            Self::F32(edges) => edges.iter().map(|e| f64::from(*e)).collect(),
            Self::F64(edges) => edges.clone(),
            Self::I64(edges) => edges.iter().map(|e| integer(i128::from(*e))).collect(),
            Self::I128(edges) => edges.iter().map(|e| integer(*e)).collect(),
        }
    }
}

/// Whether `x` is the greatest finite value of its type.
fn is_greatest<T: Value>(x: T) -> bool {
    x == T::EXTREMES.1
}

/// Compares a double with an integer without rounding either.
fn compare_exactly(x: f64, e: i128) -> std::cmp::Ordering {
    // 2^127 is the first double that i128 cannot hold.
    if x >= 170_141_183_460_469_231_731_687_303_715_884_105_728.0 {
        return std::cmp::Ordering::Greater;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "in range, and a double this compares has no fraction"
    )]
    let truncated = x as i128;
    truncated.cmp(&e)
}

/// `floor(e * own / unit)`, saturating.
fn rescale(e: i128, own: Unit, unit: Unit) -> i128 {
    if own == unit {
        return e;
    }
    // Each side is a power of ten (times 86,400 for days): reduce before multiplying, so that only true overflows
    // saturate. An edge that saturates still sorts as it should.
    let (mut up, mut down) = (own.numerator, unit.numerator);
    let shared = gcd(up, down);
    up /= shared;
    down /= shared;
    let (mut up_denominator, mut down_denominator) = (unit.denominator, own.denominator);
    let shared = gcd(up_denominator, down_denominator);
    up_denominator /= shared;
    down_denominator /= shared;
    let Some(product) = up.checked_mul(up_denominator).and_then(|factor| e.checked_mul(factor)) else {
        return if e < 0 { i128::MIN } else { i128::MAX };
    };
    let Some(divisor) = down.checked_mul(down_denominator) else {
        return if e < 0 { -1 } else { 0 };
    };
    product.div_euclid(divisor)
}

/// `floor(x / unit)` without rounding, for units of at most 18 decimals; saturating.
#[expect(clippy::cast_possible_truncation, reason = "saturation is meant")]
fn floor_float(x: f64, unit: Unit) -> i128 {
    if x.is_infinite() {
        return if x < 0.0 { i128::MIN } else { i128::MAX };
    }
    if unit.denominator == 1 {
        return (x.floor() as i128).div_euclid(unit.numerator);
    }
    let whole = x.trunc();
    let fraction = x - whole;
    let Some(scaled) = (whole as i128).checked_mul(unit.denominator) else {
        return if x < 0.0 { i128::MIN } else { i128::MAX };
    };
    // |fraction| = m / 2^k exactly, with m < 2^53; the denominator is a power of ten.
    let bits = fraction.abs().to_bits();
    let exponent = i32::try_from(bits >> 52).unwrap_or(0);
    if fraction == 0.0 {
        return scaled;
    }
    let mantissa = i128::from((bits & ((1 << 52) - 1)) | (1 << 52));
    let k = 1075 - exponent;
    let part = match mantissa.checked_mul(unit.denominator) {
        Some(product) if k < 127 && fraction > 0.0 => product >> k,
        Some(product) if k < 127 => -product >> k,
        Some(_) => {
            if fraction > 0.0 {
                0
            } else {
                -1
            }
        }
        None => (fraction * unit.ratio().recip()).floor() as i128,
    };
    scaled.saturating_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::Family;

    const CENTS: Unit = Unit { numerator: 1, denominator: 100 };

    #[test]
    fn a_float_edge_rounds_down_to_integers() {
        let float = ValueType { family: Family::Number, domain: Domain::F64, unit: Unit::ONE };
        let edges = Edges::F64(vec![f64::NEG_INFINITY, -2.5, -2.0, 0.0, 2.5, 1e300]);
        assert_eq!(edges.floor_to_integers(float, Unit::ONE), [i128::MIN, -3, -2, 0, 2, i128::MAX]);
    }

    #[test]
    fn a_float_edge_rounds_down_to_cents_exactly() {
        // 0.29 is below 29/100 as a double, 0.07 above 7/100.
        assert_eq!(floor_float(0.29, CENTS), 28);
        assert_eq!(floor_float(0.07, CENTS), 7);
        assert_eq!(floor_float(-0.5, CENTS), -50);
        assert_eq!(floor_float(1e-300, CENTS), 0);
        assert_eq!(floor_float(-1e-300, CENTS), -1);
    }

    #[test]
    fn integers_above_two_to_the_53_compare_exactly_with_doubles() {
        let integer = ValueType { family: Family::Number, domain: Domain::I64, unit: Unit::ONE };
        let big = (1_i64 << 53) + 1;
        let edges = Edges::I64(vec![big, i64::MAX]).to_doubles(integer);
        assert_eq!(edges[0], 9_007_199_254_740_992.0);
        assert!(edges[1] < 9_223_372_036_854_775_808.0);
    }

    #[test]
    fn times_of_other_units_rescale() {
        let milli = Unit { numerator: 1_000_000, denominator: 1 };
        let micro = Unit { numerator: 1_000, denominator: 1 };
        assert_eq!(rescale(7, milli, micro), 7_000);
        assert_eq!(rescale(-1, micro, milli), -1);
        assert_eq!(rescale(1_999, micro, milli), 1);
        assert_eq!(rescale(150, CENTS, Unit::ONE), 1);
    }

    #[test]
    fn atoms_are_cells_of_one_value() {
        let edges = Edges::F64(vec![f64::NEG_INFINITY, 1.0_f64.next_down(), 1.0, 3.0, f64::MAX]);
        assert_eq!(edges.atoms(), [true, false, true, false, false, true]);
        assert_eq!(Edges::I64(vec![0, 1, 3]).atoms(), [false, true, false, false]);
    }
}
