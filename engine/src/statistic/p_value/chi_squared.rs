//! The chi-squared distribution's upper tail.

use super::gamma;

/// `P(X > x)` for chi-squared with `freedom > 0` degrees of freedom; 1 for `x <= 0`, 0 at infinity.
///
/// Relative error below 1e-9 down to 1e-250 for up to 10,000 degrees of freedom.
#[must_use]
pub fn upper(x: f64, freedom: f64) -> f64 {
    if x <= 0.0 {
        1.0
    } else if x == f64::INFINITY {
        0.0
    } else {
        gamma::upper(0.5 * freedom, 0.5 * x).clamp(0.0, 1.0)
    }
}
