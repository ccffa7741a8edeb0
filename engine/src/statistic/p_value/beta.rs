//! The regularised incomplete beta function in logarithms, and the test of two binomial shares that rests on it.
//!
//! `I(a, b; x)` by the continued fraction of DiDonato and Morris (ACM TOMS 18, 1992, as in `student`), on the side where it converges in `O(sqrt(a + b))` steps. The common factor `x^a (1-x)^b / B(a, b)` is written with Stirling's
//! correction, so that its large parts cancel before rounding.

use std::f64::consts::PI;

use super::gamma::{ln_1p_less, stirling};
use super::student::fraction;

/// `ln(x^a (1-x)^b / B(a, b))` for `a, b > 0` and `x` in `(0, 1)`.
fn ln_front(a: f64, b: f64, x: f64) -> f64 {
    let sum = a + b;
    let mean = a / sum;
    // a ln(x/mean) + b ln((1-x)/(1-mean)), whose first-order parts cancel.
    let (up, down) = ((x - mean) / mean, (mean - x) / (1.0 - mean));
    let near = |r: f64, ratio: f64| if r > -0.9 { ln_1p_less(r) } else { ratio.ln() - r };
    let distance = a * near(up, x / mean) + b * near(down, (1.0 - x) / (1.0 - mean));
    distance + 0.5 * (a * b / (2.0 * PI * sum)).ln() + stirling(sum) - stirling(a) - stirling(b)
}

/// `ln I(a, b; x)`, the logarithm of the share of a beta distribution below `x`; for `a, b > 0`.
#[must_use]
pub(super) fn ln_lower(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if x >= 1.0 {
        return 0.0;
    }
    let front = ln_front(a, b, x);
    if x < (a + 1.0) / (a + b + 2.0) {
        front + (fraction(a, b, x) / a).ln()
    } else {
        let rest = (front.exp() * fraction(b, a, 1.0 - x) / b).min(1.0);
        (-rest).ln_1p()
    }
}

/// `ln` of the share of a beta distribution above `x`.
fn ln_upper(a: f64, b: f64, x: f64) -> f64 {
    ln_lower(b, a, 1.0 - x)
}

/// `ln` of the density of a beta distribution at `x` in `(0, 1)`.
fn ln_density(a: f64, b: f64, x: f64) -> f64 {
    ln_front(a, b, x) - x.ln() - (-x).ln_1p()
}

/// A beta distribution with `a, b >= 1`, so that its density and both tails are log-concave.
#[derive(Clone, Copy)]
struct Beta {
    a: f64,
    b: f64,
}

impl Beta {
    fn variance(self) -> f64 {
        let sum = self.a + self.b;
        self.a * self.b / (sum * sum * (sum + 1.0))
    }
}

/// The one-sided p of `H0: q - p <= delta` for `x` of `n` (q) and `y` of `m` (p), `0 <= delta < 1`: the melding of the
/// exact tests of the two sides (Fay, Proschan and Brittain, Biometrics 71, 2015),
///
/// ```text
/// P(Q - P <= delta),  Q ~ Beta(x, n - x + 1),  P ~ Beta(y + 1, m - y)
/// ```
///
/// It is the exact binomial test where `m` is unlimited, and Fisher's exact test where `delta` is 0. Relative error about
/// 1e-7, with ten rows 5e-6.
#[must_use]
pub fn melded(x: u64, n: u64, y: u64, m: u64, delta: f64) -> f64 {
    if x == 0 || y == m {
        // Q is 0, or P is 1: no evidence whatever the other side.
        return 1.0;
    }
    let (x, n, y, m) = (x as f64, n as f64, y as f64, m as f64);
    let (window, baseline) = (Beta { a: x, b: n - x + 1.0 }, Beta { a: y + 1.0, b: m - y });
    // Over the narrower of the two; the tail of the wider one is smooth there.
    if window.variance() < baseline.variance() {
        integral(
            |q| ln_density(window.a, window.b, q) + ln_upper(baseline.a, baseline.b, q - delta),
            window.variance().sqrt(),
        )
    } else {
        integral(
            |p| ln_density(baseline.a, baseline.b, p) + ln_lower(window.a, window.b, p + delta),
            baseline.variance().sqrt(),
        )
    }
}

/// The integral of `exp(f)` over `(0, 1)` for a concave `f` that is no narrower than `scale`.
///
/// Golden sections find the peak and halving the places on both sides where `f` has fallen by 40; three panels a side of Gauss and
/// Legendre's rule do the rest.
fn integral(f: impl Fn(f64) -> f64, scale: f64) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let (mut from, mut to) = (0.0, 1.0);
    let (mut left, mut right) = (to - GOLDEN * (to - from), from + GOLDEN * (to - from));
    let (mut at_left, mut at_right) = (f(left), f(right));
    while to - from > 0.01 * scale && left > from && right < to {
        if at_left >= at_right {
            (to, right, at_right) = (right, left, at_left);
            left = to - GOLDEN * (to - from);
            at_left = f(left);
        } else {
            (from, left, at_left) = (left, right, at_right);
            right = from + GOLDEN * (to - from);
            at_right = f(right);
        }
    }
    let (peak, top) = if at_left >= at_right { (left, at_left) } else { (right, at_right) };
    if top == f64::NEG_INFINITY {
        return 0.0;
    }
    let ends = [0.0, 1.0].map(|end| {
        let (mut inside, mut outside) = (peak, end);
        for _ in 0..80 {
            let middle = 0.5 * (inside + outside);
            if f(middle) > top - 40.0 {
                inside = middle
            } else {
                outside = middle
            }
            if (outside - inside).abs() <= 0.02 * (inside - peak).abs().max(0.01 * scale) {
                break;
            }
        }
        outside
    });
    // The eight positive nodes and weights of the rule of sixteen points.
    const RULE: [(f64, f64); 8] = [
        (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
        (0.281_603_550_779_258_9, 0.182_603_415_044_923_6),
        (0.458_016_777_657_227_4, 0.169_156_519_395_002_54),
        (0.617_876_244_402_643_7, 0.149_595_988_816_576_73),
        (0.755_404_408_355_003, 0.124_628_971_255_533_87),
        (0.865_631_202_387_831_7, 0.095_158_511_682_492_78),
        (0.944_575_023_073_232_6, 0.062_253_523_938_647_89),
        (0.989_400_934_991_649_9, 0.027_152_459_411_754_095),
    ];
    const PANELS: i32 = 3;
    let mut sum = 0.0;
    for (from, to) in [(ends[0], peak), (peak, ends[1])] {
        let width = (to - from) / f64::from(PANELS);
        for panel in 0..PANELS {
            let middle = from + (f64::from(panel) + 0.5) * width;
            for (node, weight) in RULE {
                let reach = 0.5 * width * node;
                sum += 0.5
                    * width
                    * weight
                    * ((f(middle - reach) - top).exp() + (f(middle + reach) - top).exp());
            }
        }
    }
    (sum * top.exp()).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_shapes_have_closed_forms() {
        for x in [1e-9_f64, 0.003, 0.2, 0.5, 0.9, 0.999] {
            // I(1, b; x) = 1 - (1-x)^b and I(2, 2; x) = x^2 (3 - 2x).
            for b in [1.0, 3.0, 200.0] {
                let exact = (-(b * (-x).ln_1p()).exp_m1()).ln();
                assert!((ln_lower(1.0, b, x) - exact).abs() < 1e-11 * exact.abs().max(1e-3), "{b} {x}");
            }
            let exact = (x * x * (3.0 - 2.0 * x)).ln();
            assert!((ln_lower(2.0, 2.0, x) - exact).abs() < 1e-11, "{x}");
        }
    }

    /// The binomial tail, added up.
    fn binomial(x: u64, n: u64, share: f64) -> f64 {
        let mut term = (n as f64 * (-share).ln_1p()).exp();
        let mut below = 0.0;
        for k in 0..x {
            below += term;
            term *= (n - k) as f64 / (k + 1) as f64 * share / (1.0 - share);
        }
        1.0 - below
    }

    #[test]
    fn against_an_endless_baseline_it_is_the_binomial_test() {
        for (x, n) in [(1, 200), (5, 200), (7, 250), (20, 1_000), (40, 2_000)] {
            let exact = binomial(x, n, 0.01);
            let found = melded(x, n, 0, 1 << 50, 0.01);
            assert!((found / exact - 1.0).abs() < 1e-6, "{x} of {n}: {found} {exact}");
        }
    }

    /// Fisher's exact test, added up.
    fn fisher(x: u64, n: u64, y: u64, m: u64) -> f64 {
        let ln_choose =
            |n: u64, k: u64| -> f64 { (0..k).map(|i| ((n - i) as f64 / (i + 1) as f64).ln()).sum() };
        let hits = x + y;
        (x..=hits.min(n))
            .filter(|k| hits - k <= m)
            .map(|k| (ln_choose(n, k) + ln_choose(m, hits - k) - ln_choose(n + m, hits)).exp())
            .sum()
    }

    #[test]
    fn without_a_tolerance_it_is_fishers_test() {
        for (x, n, y, m) in [
            (3, 10, 1, 12),
            (8, 200, 2, 300),
            (30, 200, 10, 200),
            (1, 50, 0, 50),
            (60, 100, 5, 100),
            (9, 9, 0, 9),
        ] {
            let (exact, found) = (fisher(x, n, y, m), melded(x, n, y, m, 0.0));
            assert!((found / exact - 1.0).abs() < 1e-7, "{x} of {n}, {y} of {m}: {found} {exact}");
        }
    }

    #[test]
    fn tails_are_far_and_ends_are_ends() {
        assert_eq!(melded(0, 500, 3, 1_000, 0.01), 1.0);
        assert_eq!(melded(500, 500, 1_000, 1_000, 0.01), 1.0);
        // All of 500 rows against none of 10,000: below any bound, and not yet 0.
        let p = melded(500, 500, 0, 10_000, 0.01);
        assert!(p < 1e-300, "{p}");
        let p = melded(100, 500, 0, 10_000, 0.01);
        assert!(p < 1e-60 && p > 1e-120, "{p}");
    }
}
