//! What a baseline freezes for a numeric feature: its edges, and what turns counts into statistics.

use crate::digest::sha256_hex;
use crate::feature::{Domain, Edges, Family, ValueType};

/// The frozen cells of a numeric feature.
#[derive(Clone, Debug, PartialEq)]
pub struct NumericCells {
    /// The baseline's type, which decides how windows are compared.
    pub value_type: ValueType,
    /// The sorted edges.
    pub edges: Edges,
    /// The edges between the baseline's minimum and maximum, where nearly all rows fall.
    pub core: std::ops::Range<usize>,
    /// Whether every distinct value of the baseline is an atom, so that statistics are exact.
    pub exact: bool,
    /// How many rows the cuts were drawn from, of how many: the certified bound of KS depends on it.
    pub sampled: bool,
    /// The cells of the baseline's least and greatest finite value; `None` without such rows.
    pub range: Option<(usize, usize)>,
    /// The cells of PSI and its family.
    pub psi: PsiCells,
    /// The mean of the baseline's rows in each cell, in the feature's unit; the cell's middle where it is empty.
    pub means: Vec<f64>,
    /// How many rows the means speak of: the whole baseline's rows that carry a value.
    pub values: u64,
    /// How sums are scaled.
    pub scale: Scale,
}

/// How the cells of the state become the few cells of PSI (SEMANTICS S2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PsiCells {
    /// For each cell of the state, its cell of PSI.
    pub cell_of: Vec<u16>,
    /// How many there are.
    pub n_cells: usize,
    /// A cell that holds what lies between the baseline's few distinct values; it always joins REST.
    pub between: Option<usize>,
}

impl PsiCells {
    /// Counts of the state's cells, as counts of PSI's cells.
    #[must_use]
    pub fn fold(&self, counts: &[u64]) -> Vec<u64> {
        let mut folded = vec![0; self.n_cells];
        for (cell, count) in self.cell_of.iter().zip(counts) {
            folded[usize::from(*cell)] += count;
        }
        folded
    }
}

/// How float summands become integers (SEMANTICS S1): `(x - center)` and its square are scaled by powers of two, chosen
/// from the baseline, and rounded half to even.
///
/// The center keeps the precision of the spread where the values are far from zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Subtracted from every value, in steps of the feature's unit.
    pub center: f64,
    /// `x - center` is multiplied by two to this power.
    pub exponent_x: i32,
    /// `(x - center)^2` is multiplied by two to this power.
    pub exponent_xx: i32,
}

impl Scale {
    /// The scale for values whose distance from `center` is at most `reach`.
    #[must_use]
    pub fn new(center: f64, reach: f64) -> Self {
        let exponent = |largest: f64| {
            let bits = if largest.is_finite() && largest > 0.0 { largest.log2().ceil() } else { 0.0 };
            #[expect(clippy::cast_possible_truncation, reason = "between -1074 and 1024")]
            let bits = bits as i32;
            (52 - bits).clamp(-1000, 1000)
        };
        // -0.0 becomes 0.0, so that the order of rows cannot show.
        let center = if center.is_finite() { center + 0.0 } else { 0.0 };
        Self { center, exponent_x: exponent(reach), exponent_xx: exponent(reach * reach) }
    }

    /// The summand of `x`, if it is in range.
    #[must_use]
    pub fn summand(&self, x: f64) -> Option<i128> {
        scaled(x - self.center, self.exponent_x)
    }

    /// The summand of `x`'s square, if it is in range.
    #[must_use]
    pub fn square(&self, x: f64) -> Option<i128> {
        let distance = x - self.center;
        scaled(distance * distance, self.exponent_xx)
    }

    /// The mean of `count` values whose summands add up to `sum`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a mean is a float")]
    pub fn mean(&self, sum: i128, count: u64) -> f64 {
        sum as f64 / count as f64 * power_of_two(-self.exponent_x) + self.center
    }

    /// The population variance of `count` values from their sums.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a variance is a float")]
    pub fn variance(&self, sum: i128, squares: i128, count: u64) -> f64 {
        let mean = sum as f64 / count as f64 * power_of_two(-self.exponent_x);
        let square = squares as f64 / count as f64 * power_of_two(-self.exponent_xx);
        (square - mean * mean).max(0.0)
    }
}

/// The largest scaled summand that enters a sum: 2^94 leaves room for 2^33 rows in an i128.
const LARGEST_SUMMAND: f64 = 19_807_040_628_566_084_398_385_987_584.0;

fn scaled(f: f64, exponent: i32) -> Option<i128> {
    let scaled = (f * power_of_two(exponent)).round_ties_even();
    #[expect(clippy::cast_possible_truncation, reason = "an integer in range")]
    (scaled.abs() < LARGEST_SUMMAND).then_some(scaled as i128)
}

/// `2^exponent` as the kernels compute it; exact from -1022 to 1023.
#[must_use]
pub(crate) fn power_of_two(exponent: i32) -> f64 {
    let biased = u64::try_from(exponent.clamp(-1022, 1023) + 1023).unwrap_or(0);
    f64::from_bits(biased << 52)
}

impl NumericCells {
    /// How many cells the state has.
    #[must_use]
    pub fn n_cells(&self) -> usize {
        self.edges.len() + 1
    }

    /// The name of this set of edges: states of other names never combine (I-EDGES).
    #[must_use]
    pub fn cutset_id(&self) -> String {
        let mut bytes = format!("{:?}|{:?}|", self.value_type, self.scale).into_bytes();
        bytes.extend(self.edges.to_bytes());
        let mut id = sha256_hex(&bytes);
        id.truncate(32);
        id
    }

    /// The two cells that reach to infinity (but do not hold the infinities themselves).
    #[must_use]
    pub fn unbounded(&self) -> (usize, usize) {
        let last = self.n_cells() - 1;
        match self.value_type.domain {
            Domain::F32 | Domain::F64 => (1.min(last), last.saturating_sub(1)),
            Domain::I64 | Domain::I128 => (0, last),
        }
    }

    /// The cells from the first up to (not with) the second hold the baseline's range; those before and after lie below
    /// and above it. The unbounded cells are never inside, whatever they hold.
    #[must_use]
    pub fn inside(&self) -> (usize, usize) {
        let (low, high) = self.unbounded();
        let (first, last) = self.range.unwrap_or((low + 1, high.saturating_sub(1)));
        (first.max(low + 1), (last + 1).min(high))
    }

    /// The cells of -inf and +inf, for floats.
    #[must_use]
    pub fn infinite(&self) -> Option<(usize, usize)> {
        match self.value_type.domain {
            Domain::F32 | Domain::F64 if self.n_cells() >= 3 => Some((0, self.n_cells() - 1)),
            _ => None,
        }
    }

    /// The edges as doubles, in the unit of [`NumericCells::ratio`].
    #[must_use]
    pub fn positions(&self) -> Vec<f64> {
        self.edges.positions(self.ratio())
    }

    /// What one step of the stored numbers is worth to a reader: the decimal's scale; times stay in the column's steps.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        if self.value_type.family == Family::Time { 1.0 } else { self.value_type.unit.ratio() }
    }
}
