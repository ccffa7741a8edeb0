//! The noncentral chi-squared distribution's upper tail.
//!
//! A mixture of central ones over a Poisson variable of mean `lambda/2`:
//! `P(X > x) = sum_j Poisson(j; lambda/2) Q(k/2 + j, x/2)`. Every term is positive, so the sum keeps its relative
//! accuracy in far tails, where forms that subtract do not. The terms are log-concave in j. Their mode is bounded from
//! below, the sum starts nine standard deviations before that and runs upwards, the direction in which
//! `Q(a+1, x) = Q(a, x) + x^a e^-x / Gamma(a+1)` only adds.

use super::{chi_squared, gamma};

/// `P(X > x)` for noncentral chi-squared with `freedom > 0` degrees of freedom and noncentrality `lambda >= 0`.
///
/// 1 for `x <= 0`, 0 at infinity. Relative error below 1e-9 down to 1e-250; takes `O(sqrt(lambda) + sqrt(x))` steps.
#[must_use]
pub fn upper(x: f64, freedom: f64, lambda: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x == f64::INFINITY {
        return 0.0;
    }
    if lambda <= 0.0 {
        return chi_squared::upper(x, freedom);
    }
    let (mean, half_freedom, y) = (0.5 * lambda, 0.5 * freedom, 0.5 * x);

    // term(j+1)/term(j) = mean/(j+1) Q(a+1,y)/Q(a,y) exceeds both mean/(j+1) and mean/(j+1) y/a with a = k/2 + j, so
    // wherever one of these is at least 1 the mode is still ahead.
    let root = (half_freedom * half_freedom + 4.0 * mean * y).sqrt();
    let ahead = 2.0 * mean * y / (half_freedom + root);
    let mode = (mean - 1.0).max(ahead - 1.0).max(0.0);
    let first = (mode - 9.0 * (mode + 1.0).sqrt() - 10.0).max(0.0).floor();

    let ln_first = if first == 0.0 { -mean } else { gamma::ln_poisson(first, mean) };
    let ln_tail = gamma::ln_upper(half_freedom + first, y);
    // In units of the first term: `term` is Poisson times Q, `step` is Poisson times what Q gains next.
    let mut term = 1.0;
    let mut step = (gamma::ln_poisson(half_freedom + first, y) - ln_tail).exp();
    let mut sum = term;
    let mut j = first;
    loop {
        let ratio = mean / (j + 1.0);
        let next = ratio * (term + step);
        step *= ratio * y / (half_freedom + j + 1.0);
        j += 1.0;
        sum += next;
        // Past the mode the ratios only fall, so the rest is less than a geometric series.
        let fall = next / term;
        term = next;
        if fall < 1.0 && term * fall <= sum * (1.0 - fall) * 1e-16 {
            break;
        }
    }
    (ln_first + ln_tail + sum.ln()).exp().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_noncentrality_is_central_and_more_of_it_is_larger() {
        let central = chi_squared::upper(20.0, 9.0);
        assert_eq!(upper(20.0, 9.0, 0.0), central);
        assert!((upper(20.0, 9.0, 1e-12) / central - 1.0).abs() < 1e-9);
        let mut last = 0.0;
        for lambda in [0.0, 0.5, 2.0, 10.0, 100.0, 1e4, 1e6] {
            let p = upper(20.0, 9.0, lambda);
            assert!(p >= last && p <= 1.0, "{lambda}: {p}");
            last = p;
        }
        assert_eq!((upper(0.0, 9.0, 3.0), upper(f64::INFINITY, 9.0, 3.0)), (1.0, 0.0));
    }
}
