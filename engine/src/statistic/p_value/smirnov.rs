//! The one-sided one-sample Kolmogorov-Smirnov statistic's upper tail.
//!
//! Smirnov's formula, a sum of positive terms, exact at every n:
//!
//! ```text
//! P(D+ >= x) = sum over 0 <= j < n(1-x) of  C(n,j) (1-x-j/n)^(n-j) (x+j/n)^(j-1) x
//! ```
//!
//! Each term is formed from Stirling's corrections and `ln(1+y) - y`, so that logarithms of size n never cancel. As a
//! function of j/n the term is smooth and vanishes at both ends with all its derivatives that matter, so for large n
//! equidistant nodes give the whole sum to rounding error.

use std::f64::consts::PI;

use super::gamma::{ln_1p_less, stirling};

/// Up to here every term is summed.
const DIRECT: u64 = 4096;
/// Beyond it, this many nodes: the error is near `exp(-sqrt(2 pi NODES n x^2))`, below 1e-70 for `n x^2 >= 2`.
const NODES: u32 = 2048;

/// `P(D+ >= x)` for a sample of `n >= 1` and `0 < x < 1`; for `n > 4096` only where `n x^2 >= 2`.
pub(super) fn upper(n: u64, x: f64) -> f64 {
    if n > DIRECT {
        let stride = n as f64 / f64::from(NODES);
        return (0..NODES).fold(0.0, |sum, node| sum + term(n, (f64::from(node) + 0.5) * stride, x)) * stride;
    }
    let none = (n as f64 * (-x).ln_1p()).exp();
    (1..n)
        .map(|j| j as f64)
        .take_while(|&j| j < n as f64 * (1.0 - x))
        .fold(none, |sum, j| sum + term(n, j, x))
}

/// The term of `0 < j < n`.
fn term(n: u64, j: f64, x: f64) -> f64 {
    let n = n as f64;
    let rest = n - j;
    // C(n,j) (j/n)^j (1-j/n)^(n-j), then (1 + nx/j)^j (1 - nx/(n-j))^(n-j), whose first orders cancel.
    let shrink = -n * x / rest;
    if shrink <= -1.0 {
        return 0.0;
    }
    let binomial = stirling(n) - stirling(j) - stirling(rest) + 0.5 * (n / (2.0 * PI * j * rest)).ln();
    let bend = j * ln_1p_less(n * x / j) + rest * ln_1p_less(shrink);
    (binomial + bend).exp() * (x / (x + j / n))
}
