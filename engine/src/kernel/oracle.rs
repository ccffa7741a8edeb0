//! What every kernel must give, written for reading: one row at a time, no vectors, no tables, no float sums.

use crate::kernel::{NAN_CELL, NULL_CELL, Native, Sums, Tally};

/// The cell of each row by binary search among the edges.
pub(super) fn locate<T: Native>(edges: &[T], values: &[T], valid: &[bool]) -> (Vec<u16>, Tally) {
    let mut tally = Tally::default();
    let cells = values.iter().zip(valid).map(|(x, is_valid)| {
        if !is_valid {
            tally.nulls += 1;
            NULL_CELL
        } else if x.partial_cmp(x).is_none() {
            tally.nans += 1;
            NAN_CELL
        } else {
            edges.iter().filter(|e| *e < x).count() as u16
        }
    });
    let cells = cells.collect();
    (cells, tally)
}

/// The number of rows in each cell.
pub(super) fn counts(n_cells: usize, cells: &[u16]) -> Vec<u64> {
    let mut counts = vec![0; n_cells];
    for cell in cells.iter().filter(|cell| **cell < NAN_CELL) {
        counts[usize::from(*cell)] += 1;
    }
    counts
}

/// SEMANTICS S1, with the rounding done on the bits of the summand.
pub(super) fn sums<T: Native>(values: &[T], valid: &[bool], center: f64, exponents: (i32, i32)) -> Sums {
    let mut sums = Sums::default();
    for (x, is_valid) in values.iter().zip(valid) {
        let x = x.nearest_double();
        if *is_valid && x.is_finite() {
            let f = x - center;
            match scaled(f, exponents.0) {
                Some(r) => sums.x += r,
                None => sums.overflow_x += 1,
            }
            match scaled(f * f, exponents.1) {
                Some(r) => sums.xx += r,
                None => sums.overflow_xx += 1,
            }
        }
    }
    sums
}

/// `f * 2^exponent` rounded half to even by integer arithmetic; none from 2^94 on.
fn scaled(f: f64, exponent: i32) -> Option<i128> {
    if !f.is_finite() {
        return None;
    }
    let bits = f.to_bits();
    let biased = (bits >> 52 & 0x7ff) as i32;
    let fraction = i128::from(bits & ((1 << 52) - 1));
    let mantissa = if biased == 0 { fraction } else { fraction | 1 << 52 };
    let power = biased.max(1) - 1075 + exponent;
    let magnitude = if mantissa == 0 {
        0
    } else if power >= 0 {
        // A mantissa has at most 53 bits; a denormal one fewer, but then `power` is far below 0 in any use.
        if power > 70 {
            return None;
        }
        mantissa << power
    } else if power < -60 {
        0
    } else {
        let (whole, rest) = (mantissa >> -power, mantissa & ((1 << -power) - 1));
        let half = 1_i128 << (-power - 1);
        whole + i128::from(rest > half || (rest == half && whole % 2 == 1))
    };
    (magnitude < 1 << 94).then_some(if f < 0.0 { -magnitude } else { magnitude })
}

/// The ends of the valid, ordered values.
pub(super) fn extent<T: Native>(values: &[T], valid: &[bool]) -> Option<(T, T)> {
    let mut ends: Option<(T, T)> = None;
    for (x, _) in values.iter().zip(valid).filter(|(x, is_valid)| **is_valid && x.partial_cmp(x).is_some()) {
        let x = x.unsigned_zero();
        ends =
            Some(ends.map_or((x, x), |(low, high)| {
                (if x < low { x } else { low }, if x > high { x } else { high })
            }));
    }
    ends
}
