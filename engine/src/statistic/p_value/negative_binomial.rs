//! The negative binomial distribution by its mean and variance, and its limit, the Poisson distribution.
//!
//! With mean `m` and variance `v > m` its size is `r = m^2/(v - m)`, and its tails are incomplete beta functions:
//! `P(Y <= y) = I(r, y + 1; r/(r + m))` and `P(Y >= y) = I(y, r; m/(r + m))`. Without excess variance they are incomplete
//! gamma functions of `m`.

use super::beta::ln_lower;
use super::gamma;

/// Excess variance, in units of the mean, below which the distribution is taken for Poisson's: its deviation moves a
/// tail at `z` standard deviations by about `z^2` times as much.
const NO_EXCESS: f64 = 1e-9;

/// `P(Y <= y)` and `P(Y >= y)` of a count with this mean, above 0, and this variance; one below the mean counts as the
/// mean. Both lie in `(0, 1]`, and add up to 1 and the probability of `y`.
#[must_use]
pub fn tails(y: u64, mean: f64, variance: f64) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "2^53 rows a window are beyond every source")]
    let y = y as f64;
    let excess = variance - mean;
    if excess <= NO_EXCESS * mean {
        let upper = if y > 0.0 { gamma::lower(y, mean) } else { 1.0 };
        return (gamma::upper(y + 1.0, mean), upper);
    }
    let size = mean * (mean / excess);
    // r/(r + m) = m/v and m/(r + m) = (v - m)/v, each without cancellation.
    let lower = ln_lower(size, y + 1.0, mean / variance).exp();
    let upper = if y > 0.0 { ln_lower(y, size, excess / variance).exp() } else { 1.0 };
    (lower, upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_geometric_count_has_closed_forms() {
        // Size 1: P(Y >= y) = (m/(1 + m))^y.
        let mean = 3.0_f64;
        for y in [0_u64, 1, 2, 7, 40, 300] {
            let (lower, upper) = tails(y, mean, mean + mean * mean);
            let exact = 0.75_f64.powf(y as f64);
            assert!((upper / exact - 1.0).abs() < 1e-12, "{y}: {upper} {exact}");
            assert!((lower - (1.0 - 0.75 * exact)).abs() < 1e-12, "{y}: {lower}");
        }
    }

    #[test]
    fn the_limit_is_poisson() {
        for y in [0_u64, 1, 5, 10, 20, 60] {
            let (own, limit) = (tails(y, 10.0, 10.0 * (1.0 + 1e-8)), tails(y, 10.0, 10.0));
            assert!((own.0 / limit.0 - 1.0).abs() < 1e-5 && (own.1 / limit.1 - 1.0).abs() < 1e-5, "{y}");
        }
        assert!(
            (tails(0, 2.0, 1.0).0 / (-2.0_f64).exp() - 1.0).abs() < 1e-14,
            "less than Poisson's is Poisson's"
        );
    }
}
