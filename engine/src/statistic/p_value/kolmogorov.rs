//! The one-sample Kolmogorov-Smirnov statistic, two-sided, for any n.
//!
//! The choice of methods follows Simard and L'Ecuyer, "Computing the two-sided Kolmogorov-Smirnov distribution"
//! (Journal of Statistical Software 39(11), 2011), as scipy's `kstwo` does:
//!
//! - closed forms at both ends (Ruben and Gambino);
//! - Durbin's matrix in the form of Marsaglia, Tsang and Wang (JSS 8(18), 2003): exact, for small n or small D;
//! - twice Smirnov's one-sided tail (Miller) where both sides can hardly be exceeded at once;
//! - the expansion of Pelz and Good (JRSS B 38, 1976) for large n near the centre.
//!
//! Pomeranz' recursion, the paper's choice for n <= 140 between the second and the third, is not needed: the matrix is
//! as exact there and costs little.

use std::f64::consts::{FRAC_PI_2, PI};

use super::gamma::stirling;
use super::smirnov;

/// `P(D_n >= d)` for the two-sided one-sample statistic of `n >= 1` rows; 1 for `d <= 0`, 0 for `d >= 1`.
///
/// Agrees with scipy's `kstwo.sf` to 1e-6 relative for n up to 10^6; beyond, scipy's far tail is an approximation and
/// this one is not. 0 where `n d^2 >= 370`, below the smallest double.
#[must_use]
pub fn upper(d: f64, n: u64) -> f64 {
    if d <= 0.0 || n == 0 {
        return 1.0;
    }
    if d >= 1.0 {
        return 0.0;
    }
    let rows = n as f64;
    let t = rows * d;
    let square = t * d;
    if t <= 0.5 {
        return 1.0;
    }
    if t <= 1.0 {
        return 1.0 - (ln_factorial_ratio(rows) + rows * (2.0 * t - 1.0).ln()).exp();
    }
    if t >= rows - 1.0 {
        return 2.0 * (rows * (-d).ln_1p()).exp();
    }
    if square >= 370.0 {
        return 0.0;
    }
    let p = if d >= 0.5 {
        2.0 * smirnov::upper(n, d)
    } else if n <= 140 {
        if square <= 4.0 { 1.0 - durbin(n, d) } else { 2.0 * smirnov::upper(n, d) }
    } else if square >= 2.2 {
        2.0 * smirnov::upper(n, d)
    } else if square <= 0.03 {
        // The limit distribution holds less than 1e-17 here, and D_n is stochastically smaller.
        1.0
    } else if n <= 100_000 && t * d.sqrt() <= 1.4 {
        1.0 - durbin(n, d)
    } else {
        1.0 - pelz_good(rows, d)
    };
    p.clamp(0.0, 1.0)
}

/// `ln(n! / n^n)`.
fn ln_factorial_ratio(n: f64) -> f64 {
    0.5 * (2.0 * PI * n).ln() - n + stirling(n)
}

/// `P(D_n < d)` as `n!/n^n` times the middle element of the n-th power of Durbin's matrix, of order `2 floor(nd) + 1`.
fn durbin(n: u64, d: f64) -> f64 {
    let t = n as f64 * d;
    let k = t.floor() as usize + 1;
    let order = 2 * k - 1;
    let h = k as f64 - t;

    let mut matrix = vec![0.0; order * order];
    for row in 0..order {
        for column in 0..order.min(row + 2) {
            let corner = row + 1 - column;
            let mut value = 1.0;
            if column == 0 {
                value -= h.powi(row as i32 + 1);
            }
            if row == order - 1 {
                value -= h.powi((order - column) as i32);
            }
            if column == 0 && row == order - 1 {
                value += (2.0 * h - 1.0).max(0.0).powi(order as i32);
            }
            matrix[row * order + column] = (1..=corner).fold(value, |value, factor| value / factor as f64);
        }
    }

    // The row of the middle element times the matrix's powers by the bits of n, all in units of e^scale.
    let mut middle = vec![0.0; order];
    middle[k - 1] = 1.0;
    let (mut scale, mut matrix_scale) = (0.0, 0.0);
    let mut bits = n;
    loop {
        if bits & 1 == 1 {
            middle = row_times(&middle, &matrix, order);
            scale += matrix_scale + rescale(&mut middle);
        }
        bits >>= 1;
        if bits == 0 {
            break;
        }
        let rows = matrix.chunks_exact(order).flat_map(|row| row_times(row, &matrix, order)).collect();
        matrix = rows;
        matrix_scale = 2.0 * matrix_scale + rescale(&mut matrix);
    }
    middle[k - 1] * (scale + ln_factorial_ratio(n as f64)).exp()
}

fn row_times(row: &[f64], matrix: &[f64], order: usize) -> Vec<f64> {
    let mut product = vec![0.0; order];
    for (factor, line) in row.iter().zip(matrix.chunks_exact(order)) {
        for (sum, element) in product.iter_mut().zip(line) {
            *sum += factor * element;
        }
    }
    product
}

/// Divides by the largest element and returns its logarithm.
fn rescale(values: &mut [f64]) -> f64 {
    let most = values.iter().fold(0.0_f64, |most, value| most.max(*value));
    if most == 0.0 {
        return 0.0;
    }
    for value in values {
        *value /= most;
    }
    most.ln()
}

/// `P(D_n < d)` by Pelz and Good's expansion in powers of `n^(-1/2)` up to the third.
fn pelz_good(n: f64, d: f64) -> f64 {
    let z = d * n.sqrt();
    let z2 = z * z;
    let (z4, z6) = (z2 * z2, z2 * z2 * z2);
    let pi2 = PI * PI;
    let root = FRAC_PI_2.sqrt();

    // Sums over all integers k of terms in odd (k + 1/2) and even (k) multiples of pi; each term occurs twice.
    let (mut k0, mut k1, mut k2, mut k3) = (0.0, 0.0, 0.0, 0.0);
    let (mut even2, mut even3) = (0.0, 0.0);
    for k in 0..32 {
        let odd = (f64::from(k) + 0.5) * (f64::from(k) + 0.5) * pi2;
        let weight = 2.0 * (-0.5 * odd / z2).exp();
        k0 += weight;
        k1 += weight * (odd - z2);
        k2 += weight * (6.0 * z6 + 2.0 * z4 + odd * (2.0 * z4 - 5.0 * z2) + odd * odd * (1.0 - 2.0 * z2));
        k3 += weight
            * (odd * odd * odd * (5.0 - 30.0 * z2)
                + odd * odd * (212.0 * z4 - 60.0 * z2)
                + odd * (135.0 * z4 - 96.0 * z6)
                - 30.0 * z6
                - 90.0 * z4 * z4);
        let even = f64::from(k) * f64::from(k) * pi2;
        let weight = 2.0 * (-0.5 * even / z2).exp();
        even2 += weight * even;
        even3 += weight * even * (3.0 * z2 - even);
    }
    let first = root / z * k0;
    let second = root / (6.0 * z4) * k1;
    let third = root / (72.0 * z6 * z) * k2 - root / (36.0 * z2 * z) * even2;
    let fourth = root / (6480.0 * z4 * z6) * k3 + root / (216.0 * z6) * even3;
    first + second / n.sqrt() + third / n + fourth / (n * n.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_two_rows_have_closed_forms() {
        // n = 1: D = max(u, 1-u), so P(D >= d) = 2(1-d) above 1/2.
        for d in [0.5, 0.6, 0.9, 0.999] {
            assert!((upper(d, 1) - 2.0 * (1.0 - d)).abs() < 1e-15, "{d}");
        }
        // n = 2, 1/4 <= d <= 1/2: P(D < d) = 2 (2d - 1/2)^2.
        for d in [0.25_f64, 0.3, 0.45, 0.5] {
            let exact = 1.0 - 2.0 * (2.0 * d - 0.5) * (2.0 * d - 0.5);
            assert!((upper(d, 2) - exact).abs() < 1e-14, "{d}");
        }
        assert_eq!((upper(0.0, 5), upper(0.1, 5), upper(1.0, 5)), (1.0, 1.0, 0.0));
    }

    #[test]
    fn methods_agree_where_they_meet() {
        // The expansion against the exact matrix, and twice one side against both.
        for n in [141_u64, 400, 2000] {
            for z in [0.6, 1.0, 1.4] {
                let d = z / (n as f64).sqrt();
                let (expansion, exact) = (pelz_good(n as f64, d), durbin(n, d));
                // The first term left out is of order n^-2.
                assert!((expansion - exact).abs() < 0.06 / (n * n) as f64, "{n} {z}: {expansion} {exact}");
            }
            let d = 2.0 / (n as f64).sqrt();
            let (both, twice) = (1.0 - durbin(n, d), 2.0 * smirnov::upper(n, d));
            assert!((both / twice - 1.0).abs() < 1e-9, "{n}: {both} {twice}");
        }
    }

    #[test]
    fn it_falls_with_d() {
        for n in [3, 50, 140, 141, 5000, 100_001, 1_000_000_000_000] {
            let mut last = 1.0;
            for step in 1..100 {
                let d = f64::from(step) * 0.2 / (n as f64).sqrt();
                let p = upper(d, n);
                assert!(p <= last * (1.0 + 2e-6), "n={n} d={d}: {p} after {last}");
                last = p;
            }
        }
    }
}
