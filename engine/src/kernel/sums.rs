//! Sums as integers: SEMANTICS S1.
//!
//! Each summand is `f * 2^exponent`, rounded half to even; the sum is exact, so any split of the rows gives the same bits.
//! A rounded summand `r` below 2^94 is split into `h * 2^44 + l` with `|h| <= 2^50` and `|l| <= 2^43`. Adding 1.5 * 2^52
//! to a float below 2^51 rounds it half to even and leaves the integer in its low bits; so both halves become integers
//! by one float addition each, and are added as integers, with the constant taken out afterwards. Splitting before
//! rounding is exact: `h * 2^44` is an even integer, and `v - h * 2^44` has no more bits than `v`.

use crate::kernel::level::{Level, Task};
use crate::kernel::native::{Lane, Native};
use crate::kernel::validity::Validity;

/// Integer sums over a column, and how many summands were too large for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// The sum of `(x - center) * 2^exponent_x`, each rounded half to even.
    pub x: i128,
    /// The sum of `(x - center)^2 * 2^exponent_xx`, each rounded half to even.
    pub xx: i128,
    /// Finite values whose summand of `x` has a magnitude of 2^94 or more; they are not in `x`.
    pub overflow_x: u64,
    /// Finite values whose summand of `xx` has a magnitude of 2^94 or more; they are not in `xx`.
    pub overflow_xx: u64,
}

/// The sums over the valid, finite values; nulls, NaN and infinities are skipped.
///
/// Exponents count as at least -1022 and at most 1023. Integers become the nearest double first. 2^33 rows fit the sums.
///
/// # Panics
/// If the mask is not as long as `values`.
#[must_use]
pub fn sums<T: Native>(
    values: &[T],
    validity: Option<Validity<'_>>,
    center: f64,
    exponent_x: i32,
    exponent_xx: i32,
) -> Sums {
    sums_at(Level::detect(), values, validity, center, exponent_x, exponent_xx)
}

/// [`sums`] with the instructions of `level`.
pub(super) fn sums_at<T: Native>(
    level: Level,
    values: &[T],
    validity: Option<Validity<'_>>,
    center: f64,
    exponent_x: i32,
    exponent_xx: i32,
) -> Sums {
    if let Some(mask) = validity {
        assert!(mask.len() == values.len(), "a mask of `{}` rows for `{}`", mask.len(), values.len());
    }
    level.run(SumTask { level, values, validity, scaling: Scaling::new(center, exponent_x, exponent_xx) })
}

/// How summands are made of values.
#[derive(Clone, Copy, Debug)]
struct Scaling {
    center: f64,
    x: f64,
    xx: f64,
    /// Up to this `|x - center|` both summands are certainly below 2^94.
    near: f64,
    /// Up to this `|x - center|` both summands are at most 2^51 and become integers by one addition.
    nearest: f64,
}

impl Scaling {
    fn new(center: f64, exponent_x: i32, exponent_xx: i32) -> Self {
        let (x, xx) = (power_of_two(exponent_x), power_of_two(exponent_xx));
        // Half the range leaves room for the rounding of this bound; the square itself must be finite, too.
        let near = (LIMIT / 2.0 / x).min((LIMIT / 2.0 / xx).sqrt()).min((f64::MAX / 2.0).sqrt());
        // A little less than the bound, for the rounding of the bound itself.
        let nearest = (SINGLE / x).min((SINGLE / xx).sqrt()).min(near);
        Self { center, x, xx, near, nearest }
    }
}

/// 2^`exponent`, from -1022 to 1023.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent.clamp(-1022, 1023) + 1023) as u64) << 52)
}

/// 2^94: summands of this magnitude or more enter no sum.
const LIMIT: f64 = 19_807_040_628_566_084_398_385_987_584.0;

/// 1.5 * 2^52: added to a float below 2^51, it rounds it to an integer.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// A little less than 2^51, up to which one addition of [`ROUNDER`] rounds.
const SINGLE: f64 = 2_251_799_813_685_000.0;

/// 2^44, the weight of the high half.
const HIGH: f64 = 17_592_186_044_416.0;

/// How many rows are added before the halves go to the sums: 2^9 * 2^51 is below 2^63.
const SUM_BLOCK: usize = 512;

/// How many blocks are added in halves, untried, after one that needed them: values spread evenly over their range need
/// them in every block, normal ones in few.
const HALVES_FOR: u32 = 15;

struct SumTask<'a, T> {
    level: Level,
    values: &'a [T],
    validity: Option<Validity<'a>>,
    scaling: Scaling,
}

impl<T: Native> Task for SumTask<'_, T> {
    type Output = Sums;

    #[inline(always)]
    fn run(self) -> Sums {
        let Self { level, values, validity, scaling } = self;
        let mut sums = Sums::default();
        let mut in_halves = 0;
        let (mut doubles, mut filled) = ([0.0; SUM_BLOCK], [0.0; SUM_BLOCK]);
        for (i, rows) in values.chunks(SUM_BLOCK).enumerate() {
            let start = i * SUM_BLOCK;
            match validity {
                Some(mask) if mask.count_nulls(start, rows.len()) > 0 => {
                    let doubles = &mut doubles[..rows.len()];
                    for (double, x) in doubles.iter_mut().zip(rows) {
                        *double = x.nearest_double();
                    }
                    mask.fill_nulls(level, start, doubles, f64::NAN, &mut filled);
                    add_block(&filled[..rows.len()], scaling, &mut sums, &mut in_halves);
                }
                _ => add_block(rows, scaling, &mut sums, &mut in_halves),
            }
        }
        sums
    }
}

/// Adds at most [`SUM_BLOCK`] rows.
#[inline(always)]
fn add_block<T: Lane>(rows: &[T], scaling: Scaling, sums: &mut Sums, in_halves: &mut u32) {
    if *in_halves == 0 {
        if add_near_block(rows, scaling, sums) {
            return;
        }
        *in_halves = HALVES_FOR;
    } else {
        *in_halves -= 1;
    }
    add_halved_block(rows, scaling, sums);
}

/// Adds rows whose summands are all at most 2^51; else adds none and says so.
#[inline(always)]
fn add_near_block<T: Lane>(rows: &[T], scaling: Scaling, sums: &mut Sums) -> bool {
    let Scaling { center, x: scale_x, xx: scale_xx, nearest, .. } = scaling;
    let (mut x_sum, mut xx_sum, mut n_far) = (0_u64, 0_u64, 0_u64);
    for x in rows {
        let x = x.nearest_double();
        let f = if x.abs() < f64::INFINITY { x - center } else { 0.0 };
        #[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN counts as far")]
        let is_far = !(f.abs() <= nearest);
        n_far += u64::from(is_far);
        x_sum = x_sum.wrapping_add((f * scale_x + ROUNDER).to_bits());
        xx_sum = xx_sum.wrapping_add((f * f * scale_xx + ROUNDER).to_bits());
    }
    if n_far > 0 {
        return false;
    }
    let bias = ROUNDER.to_bits().wrapping_mul(rows.len() as u64);
    sums.x += i128::from(x_sum.wrapping_sub(bias) as i64);
    sums.xx += i128::from(xx_sum.wrapping_sub(bias) as i64);
    true
}

/// Adds at most [`SUM_BLOCK`] rows in two halves each.
#[inline(always)]
fn add_halved_block<T: Lane>(rows: &[T], scaling: Scaling, sums: &mut Sums) {
    let Scaling { center, x: scale_x, xx: scale_xx, near, .. } = scaling;
    let (mut x_high, mut x_low, mut xx_high, mut xx_low, mut n_far) = (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    for x in rows {
        let x = x.nearest_double();
        let f = if x.abs() < f64::INFINITY { x - center } else { 0.0 };
        #[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN counts as far")]
        let is_far = !(f.abs() <= near);
        n_far += u64::from(is_far);
        let (high, low) = halves(f * scale_x);
        x_high = x_high.wrapping_add(high);
        x_low = x_low.wrapping_add(low);
        let (high, low) = halves(f * f * scale_xx);
        xx_high = xx_high.wrapping_add(high);
        xx_low = xx_low.wrapping_add(low);
    }
    if n_far > 0 {
        return add_far_block(rows, scaling, sums);
    }
    let bias = ROUNDER.to_bits().wrapping_mul(rows.len() as u64);
    let whole = |high: u64, low: u64| {
        let (high, low) = (high.wrapping_sub(bias) as i64, low.wrapping_sub(bias) as i64);
        (i128::from(high) << 44) + i128::from(low)
    };
    sums.x += whole(x_high, x_low);
    sums.xx += whole(xx_high, xx_low);
}

/// The two halves of `v` rounded half to even, each as the bits of `ROUNDER` plus the half.
#[inline(always)]
fn halves(v: f64) -> (u64, u64) {
    let high = v * (1.0 / HIGH) + ROUNDER;
    let low = (v - (high - ROUNDER) * HIGH) + ROUNDER;
    (high.to_bits(), low.to_bits())
}

/// Adds a block some of whose summands may be too large, row by row.
#[cold]
#[inline(never)]
fn add_far_block<T: Lane>(rows: &[T], scaling: Scaling, sums: &mut Sums) {
    for x in rows {
        let x = x.nearest_double();
        if x.is_finite() {
            let f = x - scaling.center;
            add_far(f * scaling.x, &mut sums.x, &mut sums.overflow_x);
            add_far(f * f * scaling.xx, &mut sums.xx, &mut sums.overflow_xx);
        }
    }
}

fn add_far(scaled: f64, sum: &mut i128, overflow: &mut u64) {
    let rounded = scaled.round_ties_even();
    if rounded.abs() < LIMIT {
        *sum += rounded as i128;
    } else {
        *overflow += 1;
    }
}
