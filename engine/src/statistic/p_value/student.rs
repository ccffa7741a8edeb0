//! Student's t, two-sided.
//!
//! `P(|T| > |t|) = I(nu/2, 1/2; nu/(nu + t^2))`, the regularised incomplete beta function by its continued fraction
//! (DiDonato and Morris, ACM TOMS 18, 1992; Lentz's method), on the side where it converges in `O(sqrt nu)` steps; for
//! many degrees of freedom Hill's expansion around the normal distribution.

use std::f64::consts::PI;

use super::gamma::stirling;
use super::normal;

/// Beyond this, `x` is too close to 1 for the continued fraction and Hill's expansion is exact to rounding.
const NORMAL_FREEDOM: f64 = 1e5;

/// `P(|T| > |t|)` for Student's t with `freedom > 0` degrees of freedom, which need not be whole; 0 at infinity.
#[must_use]
pub fn two_sided(t: f64, freedom: f64) -> f64 {
    if t == 0.0 {
        return 1.0;
    }
    if t.is_infinite() {
        return 0.0;
    }
    if freedom > NORMAL_FREEDOM {
        return hill(t, freedom);
    }
    let ratio = t * t / freedom;
    let (x, y) = (1.0 / (1.0 + ratio), ratio / (1.0 + ratio));
    let a = 0.5 * freedom;
    // ln x = -ln(1 + t^2/nu), which is exact for huge nu where x rounds to 1.
    let ln_front = -a * ratio.ln_1p() + 0.5 * y.ln() - ln_beta_half(a);
    if x < (a + 1.0) / (a + 2.5) {
        (ln_front.exp() * fraction(a, 0.5, x) / a).clamp(0.0, 1.0)
    } else {
        (1.0 - ln_front.exp() * fraction(0.5, a, y) / 0.5).clamp(0.0, 1.0)
    }
}

/// The normal deviate with the same tail as t, to the second order in `1/freedom` (Hill, CACM 13, 1970).
fn hill(t: f64, freedom: f64) -> f64 {
    let a = freedom - 0.5;
    let z = (a * (t * t / freedom).ln_1p()).sqrt();
    normal::two_sided(z + (z * z * z + 3.0 * z) / (48.0 * a * a))
}

/// `ln B(a, 1/2)`, from Stirling's form so that the difference of two large logarithms never appears.
fn ln_beta_half(a: f64) -> f64 {
    // ln Gamma(a) - ln Gamma(a+1/2) = -ln(a)/2 - (a ln(1 + 1/(2a)) - 1/2) + stirling(a) - stirling(a + 1/2)
    let half_step = a * (0.5 / a).ln_1p() - 0.5;
    0.5 * PI.ln() - 0.5 * a.ln() - half_step + stirling(a) - stirling(a + 0.5)
}

/// The continued fraction of `I(a, b; x)` without its factor `x^a (1-x)^b / (a B(a,b))`.
pub(super) fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let floor = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / floor(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    let mut m = 0.0;
    loop {
        m += 1.0;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / floor(1.0 + even * d);
        c = floor(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / floor(1.0 + odd * d);
        c = floor(1.0 + odd / c);
        let step = d * c;
        value *= step;
        if (step - 1.0).abs() < 1e-15 || m > 1e8 {
            return value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_two_degrees_have_closed_forms() {
        for t in [1e-3_f64, 0.5, 1.0, 3.0, 1e4] {
            let cauchy = 2.0 / PI * (1.0 / t).atan();
            assert!((two_sided(t, 1.0) / cauchy - 1.0).abs() < 1e-13, "{t}");
            let root = (2.0 + t * t).sqrt();
            let two = 2.0 / (root * (root + t));
            assert!((two_sided(t, 2.0) / two - 1.0).abs() < 1e-13, "{t}");
        }
    }

    #[test]
    fn the_expansion_takes_over_where_the_fraction_ends() {
        for t in [0.01, 1.0, 5.0, 30.0] {
            let (fraction, expansion) = (two_sided(t, NORMAL_FREEDOM), hill(t, NORMAL_FREEDOM));
            assert!((fraction / expansion - 1.0).abs() < 1e-9, "{t}: {fraction} {expansion}");
        }
    }

    #[test]
    fn many_degrees_are_normal() {
        for t in [0.1, 2.0, 8.0] {
            assert!((two_sided(t, 1e12) / normal::two_sided(t) - 1.0).abs() < 1e-8, "{t}");
        }
    }
}
