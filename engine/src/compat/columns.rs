//! What a tool is given: the two sides of one feature.

use std::collections::BTreeMap;

use super::numpy;
use crate::{Error, ErrorKind, Result};

/// Rows by category, nulls left out.
pub type Counts = BTreeMap<String, u64>;

/// The two sides of one feature.
#[derive(Clone, Copy, Debug)]
pub enum Columns<'a> {
    /// Numbers, in the order of rows. A missing value is NaN, or is left out where the tool does not count it.
    Numeric {
        /// The reference side.
        reference: &'a [f64],
        /// The current side.
        current: &'a [f64],
        /// Whether both sides are integer columns without nulls: numpy makes their bins at least 1 wide.
        integer: bool,
    },
    /// Categories.
    Categorical {
        /// The reference side.
        reference: &'a Counts,
        /// The current side.
        current: &'a Counts,
    },
}

/// Two sides of numbers, each sorted, none of them empty, NaN or (where so asked) infinite.
pub(super) struct Sorted {
    pub(super) reference: Vec<f64>,
    pub(super) current: Vec<f64>,
}

impl Sorted {
    /// The values of both sides that `keep` keeps.
    pub(super) fn of(reference: &[f64], current: &[f64], keep: fn(f64) -> bool) -> Result<Self> {
        let side = |values: &[f64]| {
            let kept: Vec<f64> = values.iter().copied().filter(|x| keep(*x)).collect();
            numpy::sorted(&kept)
        };
        let both = Self { reference: side(reference), current: side(current) };
        not_empty(both.reference.len(), both.current.len())?;
        Ok(both)
    }

    /// The least and the greatest value of both sides.
    pub(super) fn extent(&self) -> (f64, f64) {
        let low = self.reference[0].min(self.current[0]);
        let high = self.reference[self.reference.len() - 1].max(self.current[self.current.len() - 1]);
        (low, high)
    }

    /// Rows per distinct value of either side, values ascending: `(value, reference, current)`.
    pub(super) fn values(&self) -> Vec<(f64, u64, u64)> {
        let (mut i, mut j) = (0, 0);
        let mut values = Vec::new();
        let next = |side: &[f64], at: usize| side.get(at).copied().unwrap_or(f64::INFINITY);
        while i < self.reference.len() || j < self.current.len() {
            let value = next(&self.reference, i).min(next(&self.current, j));
            let (from_i, from_j) = (i, j);
            while i < self.reference.len() && self.reference[i] <= value {
                i += 1;
            }
            while j < self.current.len() && self.current[j] <= value {
                j += 1;
            }
            values.push((value, (i - from_i) as u64, (j - from_j) as u64));
        }
        values
    }
}

/// Rows per category of either side, categories in the order of their bytes: `(reference, current)`. Categories
/// without a row are left out.
pub(super) fn categories(reference: &Counts, current: &Counts) -> Result<Vec<(u64, u64)>> {
    not_empty(total(reference), total(current))?;
    let mut union: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (category, rows) in reference {
        union.entry(category).or_default().0 += rows;
    }
    for (category, rows) in current {
        union.entry(category).or_default().1 += rows;
    }
    Ok(union.into_values().filter(|rows| *rows != (0, 0)).collect())
}

fn total(counts: &Counts) -> usize {
    counts.values().map(|rows| *rows as usize).sum()
}

fn not_empty(reference: usize, current: usize) -> Result<()> {
    for (side, rows) in [("reference", reference), ("current", current)] {
        if rows == 0 {
            return Err(Error::new(
                ErrorKind::Plan,
                format!("the {side} side has no value that is not missing"),
            ));
        }
    }
    Ok(())
}

/// Refuses the metric `name` of a tool for the kind of column at hand.
pub(super) fn wrong_kind<T>(name: &str, expected: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Plan, format!("`{name}` is defined for {expected} features only")))
}

/// Both columns of pairs as shares of their own totals.
pub(super) fn shares(rows: &[(u64, u64)]) -> (Vec<f64>, Vec<f64>) {
    let n = rows.iter().map(|r| r.0).sum::<u64>() as f64;
    let m = rows.iter().map(|r| r.1).sum::<u64>() as f64;
    rows.iter().map(|(a, b)| (*a as f64 / n, *b as f64 / m)).unzip()
}
