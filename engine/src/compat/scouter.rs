//! Scouter: PSI on the deciles of the reference.
//!
//! Edges are the R-7 quantiles 0.1 to 0.9 of the reference's finite values, cells right-closed, ties not merged; both
//! shares get 1e-10. A missing or infinite value of the current side stays in the denominator, as does a category that
//! the reference lacks, and has no cell. Source: scouter-ml 0.25.0, `scouter_types/src/binning/quantile.rs`,
//! `scouter_drift/src/psi/monitor.rs`, `scouter_types/src/psi/alert.rs`.

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};

use super::columns::{Columns, categories, shares};
use super::{CompatScore, Rule, numpy};
use crate::{Error, ErrorKind, Result};

const EPSILON: f64 = 1e-10;
const BINS: usize = 10;

/// How scouter finds the bound of PSI: from the rows of the current side alone, the reference being taken as exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// The quantile `1 - alpha` of chi-squared with `B - 1` degrees of freedom, over the rows.
    ChiSquare {
        /// The share of false alarms aimed at, in `(0, 1)`.
        alpha: f64,
    },
    /// The normal approximation of the same.
    Normal {
        /// The share of false alarms aimed at, in `(0, 1)`.
        alpha: f64,
    },
    /// A constant; scouter's own is 0.25.
    Fixed(f64),
}

impl Default for Threshold {
    fn default() -> Self {
        Self::ChiSquare { alpha: 0.05 }
    }
}

impl Threshold {
    /// The bound for `rows` current rows in `bins` cells.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Plan`] where `alpha` is not in `(0, 1)`, there are no rows, or fewer than 2 cells leave
    /// nothing to compare.
    pub fn bound(self, rows: u64, bins: usize) -> Result<f64> {
        let (rows, freedom) = (rows as f64, bins.saturating_sub(1) as f64);
        if let Self::ChiSquare { alpha } | Self::Normal { alpha } = self
            && !(alpha > 0.0 && alpha < 1.0 && rows > 0.0 && freedom > 0.0)
        {
            return Err(Error::new(
                ErrorKind::Plan,
                format!(
                    "scouter's threshold needs alpha in (0, 1), rows and 2 cells: `{alpha}`, `{rows}`, `{bins}`"
                ),
            ));
        }
        match self {
            Self::ChiSquare { alpha } => {
                let chi = ChiSquared::new(freedom).map_err(|error| {
                    Error::new(ErrorKind::Plan, format!("chi-squared of `{freedom}`: {error}"))
                })?;
                Ok(chi.inverse_cdf(1.0 - alpha) / rows)
            }
            Self::Normal { alpha } => {
                let z = Normal::standard().inverse_cdf(1.0 - alpha);
                Ok(freedom / rows + z * ((2.0 * freedom).sqrt() / rows))
            }
            Self::Fixed(bound) => Ok(bound),
        }
    }
}

/// Population stability index in nats; drift above `threshold`.
///
/// The score has no rule where the threshold has no bound (a single category).
///
/// # Errors
/// As [`super::score`].
pub fn psi(columns: Columns<'_>, threshold: Threshold) -> Result<CompatScore> {
    let (p, q, rows) = match columns {
        Columns::Numeric { reference, current, integer } => {
            let finite: Vec<f64> = reference.iter().copied().filter(|x| x.is_finite()).collect();
            if finite.is_empty() || current.is_empty() {
                return Err(Error::new(
                    ErrorKind::Plan,
                    "scouter needs finite reference values and current rows",
                ));
            }
            let (finite, current, blend) = if integer {
                (narrowed(&finite), narrowed(current), blend_f32 as Blend)
            } else {
                (finite, current.to_vec(), blend_f64 as Blend)
            };
            let edges = deciles(&numpy::sorted(&finite), blend);
            (rates(&finite, &edges), rates(&current, &edges), current.len() as u64)
        }
        Columns::Categorical { reference, current } => {
            let (p, q) = shares(&categories(reference, current)?);
            let (p, q) = p.into_iter().zip(q).filter(|(p, _)| *p > 0.0).unzip();
            (p, q, current.values().sum())
        }
    };
    let value = p.iter().zip(&q).fold(0.0, |sum, (p, q)| {
        let (p, q) = (p + EPSILON, q + EPSILON);
        sum + (p - q) * (p / q).ln()
    });
    CompatScore::distance(value, threshold.bound(rows, p.len()).ok().map(Rule::Above))
}

/// How two neighbouring values are blended: `(1 - h) * low + h * high`.
type Blend = fn(f64, f64, f64) -> f64;

fn blend_f64(h: f64, low: f64, high: f64) -> f64 {
    (1.0 - h) * low + h * high
}

/// As the tool does for integer columns, which its Python client turns into float32. Between two equal integers the
/// edge may then fall beside them, and another way than in float64.
fn blend_f32(h: f64, low: f64, high: f64) -> f64 {
    f64::from((1.0 - h) as f32 * low as f32 + h as f32 * high as f32)
}

fn narrowed(values: &[f64]) -> Vec<f64> {
    values.iter().map(|x| f64::from(*x as f32)).collect()
}

/// The R-7 quantiles (Hyndman and Fan 1996, type 7) 0.1 to 0.9 of sorted values.
fn deciles(sorted: &[f64], blend: Blend) -> Vec<f64> {
    let n = sorted.len();
    (1..BINS)
        .map(|k| {
            let p = k as f64 / BINS as f64;
            let at = n as f64 * p + (1.0 - p);
            let floor = at.floor();
            let j = (floor as usize).saturating_sub(1);
            blend(at - floor, sorted[j], sorted[(j + 1).min(n - 1)])
        })
        .collect()
}

/// Shares of the cells `(-inf, e0], (e0, e1], .., (e8, inf]`, of all values with or without a cell: NaN and negative
/// infinity have none.
fn rates(values: &[f64], edges: &[f64]) -> Vec<f64> {
    let n = values.len() as f64;
    let mut sorted: Vec<f64> =
        values.iter().copied().filter(|x| !x.is_nan() && *x > f64::NEG_INFINITY).collect();
    sorted.sort_by(f64::total_cmp);
    let up_to = |edge: f64| sorted.partition_point(|x| *x <= edge);
    (0..=edges.len())
        .map(|cell| {
            let low = if cell == 0 { 0 } else { up_to(edges[cell - 1]) };
            let high = edges.get(cell).map_or(sorted.len(), |edge| up_to(*edge));
            // Tied edges leave cells between them that nothing can enter.
            high.saturating_sub(low) as f64 / n
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_those_of_the_paper() {
        // scipy.stats.chi2.ppf(0.95, 9) / 400 and (9 + norm.ppf(0.95) * sqrt(18)) / 400; Yurdakul (2018), table 3.1.
        let near = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-9;
        assert!(near(Threshold::default().bound(400, 10).unwrap(), 0.042_297_444_011_551_12));
        assert!(near(Threshold::Normal { alpha: 0.05 }.bound(400, 10).unwrap(), 0.039_946_307_305_150_1));
        assert!(near(Threshold::Fixed(0.25).bound(400, 10).unwrap(), 0.25));
        assert!(Threshold::default().bound(400, 1).is_err());
        assert!(Threshold::Normal { alpha: 1.0 }.bound(400, 10).is_err());
    }

    #[test]
    fn deciles_interpolate() {
        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        assert_eq!(deciles(&ten, blend_f64)[4], 5.5);
        assert!((deciles(&ten, blend_f64)[0] - 1.9).abs() < 1e-15);
        assert_eq!(deciles(&[3.0], blend_f64), [3.0; 9]);
    }

    #[test]
    fn missing_rows_stay_in_the_denominator() {
        let reference: Vec<f64> = (0..1000).map(f64::from).collect();
        let mut current = reference.clone();
        current.extend(vec![f64::NAN; 1000]);
        let columns = Columns::Numeric { reference: &reference, current: &current, integer: false };
        let score = psi(columns, Threshold::Fixed(0.25)).unwrap();
        assert!((score.value - 0.5 * 2.0_f64.ln()).abs() < 1e-6);
        assert_eq!(score.drifted(), Some(true));
    }
}
