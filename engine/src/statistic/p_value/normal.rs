//! The normal distribution's tails.

use super::gamma;

/// `P(Z > z)` for a standard normal Z; relative error below 1e-9 down to 1e-250.
#[must_use]
pub fn upper(z: f64) -> f64 {
    let half = 0.5 * two_sided(z);
    if z < 0.0 { 1.0 - half } else { half }
}

/// `P(|Z| > |z|)` for a standard normal Z.
#[must_use]
pub fn two_sided(z: f64) -> f64 {
    if z.is_infinite() { 0.0 } else { gamma::upper(0.5, 0.5 * z * z) }
}

/// `P(Z > z / sqrt(deff))` where `p = P(Z > z)`: a p-value as it is when rows come in clusters that make each worth only
/// `1/deff` of one. `p` in `[0, 1]`, `deff >= 1`; 0 and 1 stay.
#[must_use]
pub fn diluted(p: f64, deff: f64) -> f64 {
    if deff <= 1.0 || p <= 0.0 || p >= 1.0 {
        return p;
    }
    let z = std::f64::consts::SQRT_2 * statrs::function::erf::erfc_inv(2.0 * p);
    upper(z / deff.sqrt())
}
