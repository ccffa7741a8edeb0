//! What the statistics on shared cells have in common: their input, and differences of shares without cancellation.
//!
//! The shares are `p = b/N` of the baseline and `q = w/n` of the window. Both are fractions of integers, so a
//! difference or ratio is formed from integers and rounded once; subtracting two rounded shares would leave nothing
//! but rounding error where a window agrees with its baseline. Row counts must stay below 2^63.

use super::Score;

/// Two sets of counts on the same cells that can be compared.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) baseline: &'a [u64],
    pub(super) window: &'a [u64],
    /// The baseline's rows; at least 1.
    pub(super) n_baseline: u64,
    /// The window's rows; at least 1.
    pub(super) n: u64,
}

impl<'a> Pair<'a> {
    /// The pair, or why the two cannot be compared.
    ///
    /// # Panics
    ///
    /// If the two sides have different numbers of cells.
    pub(super) fn new(baseline: &'a [u64], window: &'a [u64]) -> Result<Self, Refusal> {
        assert_eq!(baseline.len(), window.len(), "both sides are counted on the same cells");
        let n_baseline = baseline.iter().sum();
        let n = window.iter().sum();
        let reason = match (n_baseline, n) {
            (0, _) => Some("the baseline has no rows"),
            (_, 0) => Some("the window has no rows"),
            _ if baseline.len() < 2 => Some("fewer than two cells hold enough rows"),
            _ => None,
        };
        match reason {
            Some(reason) => Err(Refusal { reason, n_baseline, n, cells: baseline.len() }),
            None => Ok(Self { baseline, window, n_baseline, n }),
        }
    }

    /// The score of `value` on these cells.
    pub(super) fn score(&self, value: f64) -> Score {
        Score { n: self.n, n_baseline: self.n_baseline, cells: Some(self.baseline.len()), ..Score::of(value) }
    }

    /// The cells' shares, unsmoothed.
    pub(super) fn shares(&self) -> impl Iterator<Item = Shares> {
        let (big, small) = (u128::from(self.n_baseline), u128::from(self.n));
        self.baseline.iter().zip(self.window).map(move |(&b, &w)| Shares {
            p: u128::from(b) * small,
            q: u128::from(w) * big,
            whole: big * small,
        })
    }

    /// The cells' shares under Jeffreys smoothing, `(count + 1/2) / (rows + B/2)`: none is 0 or 1.
    pub(super) fn smoothed(&self) -> impl Iterator<Item = Shares> {
        let cells = self.baseline.len() as u128;
        let (big, small) = (2 * u128::from(self.n_baseline) + cells, 2 * u128::from(self.n) + cells);
        self.baseline.iter().zip(self.window).map(move |(&b, &w)| Shares {
            p: (2 * u128::from(b) + 1) * small,
            q: (2 * u128::from(w) + 1) * big,
            whole: big * small,
        })
    }

    /// What sampling alone adds to PSI on average when nothing has changed: `(B-1)(1/n + 1/N)`.
    pub(super) fn psi_bias(&self) -> f64 {
        (self.baseline.len() - 1) as f64 * (1.0 / self.n as f64 + 1.0 / self.n_baseline as f64)
    }
}

/// Why two sets of counts cannot be compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    reason: &'static str,
    n_baseline: u64,
    n: u64,
    cells: usize,
}

impl Refusal {
    /// The score that says so.
    pub(super) fn score(self) -> Score {
        Score { n: self.n, n_baseline: self.n_baseline, cells: Some(self.cells), ..Score::none(self.reason) }
    }
}

/// One cell's shares of the baseline and the window, as exact fractions of one `whole`.
#[derive(Clone, Copy)]
pub(super) struct Shares {
    p: u128,
    q: u128,
    whole: u128,
}

impl Shares {
    /// The baseline's share.
    pub(super) fn p(self) -> f64 {
        self.p as f64 / self.whole as f64
    }

    /// The window's share.
    pub(super) fn q(self) -> f64 {
        self.q as f64 / self.whole as f64
    }

    /// `|q - p|` as a numerator over `nN`: sums of these are exact.
    pub(super) fn distance(self) -> u128 {
        self.q.abs_diff(self.p)
    }

    /// `q - p`.
    pub(super) fn difference(self) -> f64 {
        signed(self.q, self.p) / self.whole as f64
    }

    /// `(q - p) / p`; infinite where the baseline's share is 0.
    pub(super) fn excess(self) -> f64 {
        signed(self.q, self.p) / self.p as f64
    }

    /// `(q - p) / (q + p)`, in `[-1, 1]`; 0 where both shares are 0.
    pub(super) fn contrast(self) -> f64 {
        if self.p + self.q == 0 { 0.0 } else { signed(self.q, self.p) / (self.q + self.p) as f64 }
    }

    /// `ln(q/p)`; both shares must be positive.
    pub(super) fn log_ratio(self) -> f64 {
        let (low, high) = (self.p.min(self.q), self.p.max(self.q));
        let log = ((high - low) as f64 / low as f64).ln_1p();
        if self.q < self.p { -log } else { log }
    }
}

fn signed(a: u128, b: u128) -> f64 {
    if a >= b { (a - b) as f64 } else { -((b - a) as f64) }
}

/// `(1+x) ln(1+x) - x`, the amount by which `r ln r` exceeds its tangent at 1, without cancellation.
///
/// It is never negative; at `x = -1` it is 1. `KL(q||p)` is its mean over `p` with `x = q/p - 1`, a sum of positive
/// terms, where `sum q ln(q/p)` would cancel.
pub(super) fn entropy_excess(x: f64) -> f64 {
    if x <= -1.0 {
        return 1.0;
    }
    if x.abs() > 0.1 {
        return (1.0 + x) * x.ln_1p() - x;
    }
    // sum over k >= 2 of (-x)^k / (k (k-1)); below 0.1 twenty terms reach full precision.
    let mut power = -x;
    let mut sum = 0.0;
    for k in 2..22 {
        power *= -x;
        sum += power / f64::from(k * (k - 1));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_excess_joins_its_two_branches() {
        for x in [-0.1_f64, 0.1] {
            let series = entropy_excess(x);
            let direct = (1.0 + x) * x.ln_1p() - x;
            assert!((series - direct).abs() <= 1e-16, "{series} {direct}");
        }
        assert_eq!(entropy_excess(0.0), 0.0);
        assert_eq!(entropy_excess(-1.0), 1.0);
        // x^2/2 - x^3/6 to leading order: the naive form has no correct digit here.
        let tiny = entropy_excess(1e-9);
        assert!((tiny / 5e-19 - 1.0).abs() < 1e-9, "{tiny}");
    }

    #[test]
    fn what_cannot_be_compared_says_why() {
        let reason = |b: &[u64], w: &[u64]| Pair::new(b, w).err().map(|refusal| refusal.reason);
        assert_eq!(reason(&[0, 0], &[1, 2]), Some("the baseline has no rows"));
        assert_eq!(reason(&[1, 1], &[0, 0]), Some("the window has no rows"));
        assert_eq!(reason(&[4], &[4]), Some("fewer than two cells hold enough rows"));
        assert_eq!(reason(&[4, 1], &[4, 0]), None);
    }
}
