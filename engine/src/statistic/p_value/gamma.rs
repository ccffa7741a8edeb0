//! The regularised incomplete gamma function and its relatives, in logarithms.
//!
//! `Q(a, x) = Gamma(a, x) / Gamma(a)`: the power series of `P = 1 - Q` where `x < a + 1`, the continued fraction of
//! Legendre (by Lentz's method) elsewhere; both converge in `O(sqrt a)` steps at worst. The common factor
//! `x^a e^-x / Gamma(a + 1)` is written with Stirling's correction, so that its large parts cancel before rounding.

use std::f64::consts::PI;

use statrs::function::gamma::ln_gamma;

/// `ln(1 + x) - x` for `x > -1`, without cancellation near 0.
pub(super) fn ln_1p_less(x: f64) -> f64 {
    if x.abs() > 0.2 {
        return x.ln_1p() - x;
    }
    // ln((1+r)/(1-r)) = 2 atanh r with r = x/(2+x), of which the first term is 2r = x - x r.
    let r = x / (2.0 + x);
    let square = r * r;
    let mut power = 2.0 * r;
    let mut sum = -x * r;
    for k in 1..16 {
        power *= square;
        sum += power / f64::from(2 * k + 1);
    }
    sum
}

/// `ln Gamma(a) - ((a - 1/2) ln a - a + ln(2 pi)/2)`, Stirling's correction, for `a > 0`; about `1/(12 a)`.
pub(super) fn stirling(a: f64) -> f64 {
    if a < 10.0 {
        return ln_gamma(a) - ((a - 0.5) * a.ln() - a + 0.5 * (2.0 * PI).ln());
    }
    let square = 1.0 / (a * a);
    let series = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
        -3617.0 / 122_400.0,
    ];
    series.iter().rev().fold(0.0, |sum, term| sum * square + term) / a
}

/// `ln(x^a e^-x / Gamma(a + 1))`, for `a > 0` and `x > 0`: the Poisson probability of `a` at mean `x`.
pub(super) fn ln_poisson(a: f64, x: f64) -> f64 {
    // a ln(x/a) + a - x = a (ln(1+t) - t) with t = (x-a)/a, unless t is so close to -1 that 1+t has lost its digits.
    let distance = if x < 0.5 * a { a * (x / a).ln() + (a - x) } else { a * ln_1p_less((x - a) / a) };
    distance - 0.5 * (2.0 * PI * a).ln() - stirling(a)
}

/// `ln Q(a, x)` for `a > 0` and `x >= 0`; 0 at `x = 0`.
pub(super) fn ln_upper(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x < a + 1.0 {
        return (-lower_series(a, x)).ln_1p();
    }
    ln_poisson(a, x) + (a / x).ln() + continued_fraction(a, x).ln()
}

/// `Q(a, x)` for `a > 0` and `x >= 0`.
pub(super) fn upper(a: f64, x: f64) -> f64 {
    if x > 0.0 && x < a + 1.0 { 1.0 - lower_series(a, x) } else { ln_upper(a, x).exp() }
}

/// `P(a, x) = 1 - Q(a, x)` for `a > 0` and `x >= 0`, computed as such where it is small.
pub(super) fn lower(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x < a + 1.0 { lower_series(a, x) } else { 1.0 - ln_upper(a, x).exp() }
}

/// `P(a, x) = x^a e^-x / Gamma(a+1) (1 + x/(a+1) + x^2/((a+1)(a+2)) + ...)`.
fn lower_series(a: f64, x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    let mut k = a;
    while term > sum * 1e-17 {
        k += 1.0;
        term *= x / k;
        sum += term;
    }
    (ln_poisson(a, x).exp() * sum).min(1.0)
}

/// `Gamma(a, x) x^(1-a) e^x`, as `x / (x+1-a - 1(1-a)/(x+3-a - 2(2-a)/(x+5-a - ...)))`.
fn continued_fraction(a: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut fraction = d;
    let mut k = 0.0;
    loop {
        k += 1.0;
        let numerator = -k * (k - a);
        b += 2.0;
        d = numerator * d + b;
        if d.abs() < TINY {
            d = TINY;
        }
        d = 1.0 / d;
        c = b + numerator / c;
        if c.abs() < TINY {
            c = TINY;
        }
        let step = d * c;
        fraction *= step;
        // At sizes of 1e12 rounding keeps the steps from settling closer to 1 than a few ulps.
        if (step - 1.0).abs() < 1e-15 || k > 1e8 {
            return fraction * x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_meet() {
        for x in [-0.2_f64, 0.2] {
            assert!((ln_1p_less(x) - (x.ln_1p() - x)).abs() < 1e-16);
        }
        let direct = ln_gamma(10.0) - (9.5 * 10.0_f64.ln() - 10.0 + 0.5 * (2.0 * PI).ln());
        assert!((stirling(10.0) - direct).abs() < 1e-14);
        for a in [0.5, 3.0, 80.0, 5000.0] {
            let (below, above) = (upper(a, (a + 1.0) * (1.0 - 1e-15)), upper(a, a + 1.0));
            assert!((below / above - 1.0).abs() < 1e-12, "{a}: {below} {above}");
        }
    }

    #[test]
    fn integer_shapes_are_poisson_sums() {
        // Q(3, x) = e^-x (1 + x + x^2/2).
        for x in [0.1_f64, 1.0, 4.0, 30.0, 500.0] {
            let exact = -x + (1.0 + x + x * x / 2.0).ln();
            assert!((ln_upper(3.0, x) - exact).abs() < 1e-12 * exact.abs().max(1.0), "{x}");
        }
    }
}
