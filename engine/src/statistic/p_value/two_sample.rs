//! The exact two-sample Kolmogorov-Smirnov test.
//!
//! If nothing has changed and no two values are tied, every order of the n + N rows is equally likely: a random lattice
//! path from (0, 0) to (n, N), of which D reaches d where `|i N - j n| >= d n N` at some point. Let A(i, j) be the
//! probability that a path to (i, j) has been outside that band. It is 1 outside, and inside
//!
//! ```text
//! A(i, j) = i/(i+j) A(i-1, j) + j/(i+j) A(i, j-1)
//! ```
//!
//! because a random path to (i, j) comes from (i-1, j) with probability i/(i+j). Every number is a positive average, so
//! far tails keep their digits. Only the band is visited, one antidiagonal after another: a step is independent of its
//! neighbours, and memory is one antidiagonal. With ties fewer orders are distinct and the p is too large, never too
//! small.

/// `P(D >= numerator / (n N))` for two samples of `n` and `n_baseline` rows from one continuous distribution.
///
/// 1 for a numerator of 0 or an empty side; 0 where the p is below the smallest double. Takes `2 d n N` steps.
#[must_use]
pub fn upper(n: u64, n_baseline: u64, numerator: u128) -> f64 {
    let (short, long) = (n.min(n_baseline), n.max(n_baseline));
    let whole = u128::from(short) * u128::from(long);
    if numerator == 0 || short == 0 {
        return 1.0;
    }
    if numerator > whole {
        return 0.0;
    }
    // Wei and Dudley: P <= e 2 exp(-2 n_e d^2) for all sizes, so this is below 1e-324.
    let d = numerator as f64 / whole as f64;
    if whole as f64 / (short + long) as f64 * d * d > 375.0 {
        return 0.0;
    }

    let total = u128::from(short + long);
    let width = short as usize + 3;
    // Entry i + 1 is A(i, s - i). What lies beside the band reads as 1; what is off the lattice has weight 0.
    let index: Vec<f64> = (0..width).map(|entry| entry as f64 - 1.0).collect();
    let mut before = vec![1.0; width];
    let mut here = vec![1.0; width];
    before[1] = 0.0;
    for s in 1..=short + long {
        // Inside: s n - numerator < i (n + N) < s n + numerator.
        let centre = u128::from(s) * u128::from(short);
        let low = match centre.checked_sub(numerator) {
            Some(reach) => (reach / total) as u64 + 1,
            None => 0,
        };
        let low = low.max(s.saturating_sub(long));
        let high = (((centre + numerator).div_ceil(total) - 1) as u64).min(short).min(s);
        if low > high {
            return 1.0;
        }
        let (first, last) = (low as usize + 1, high as usize + 1);
        let steps = s as f64;
        let share = 1.0 / steps;
        let from_i = &before[first - 1..last];
        let from_j = &before[first..=last];
        let targets = &mut here[first..=last];
        for (((target, i), a), b) in targets.iter_mut().zip(&index[first..=last]).zip(from_i).zip(from_j) {
            *target = (i * a + (steps - i) * b) * share;
        }
        here[first - 1] = 1.0;
        here[last + 1] = 1.0;
        std::mem::swap(&mut before, &mut here);
    }
    before[short as usize + 1].clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts paths with whole numbers.
    fn counted(n: u64, m: u64, numerator: u128) -> f64 {
        let inside = |i: u64, j: u64| (u128::from(i * m)).abs_diff(u128::from(j * n)) < numerator;
        let mut paths = vec![vec![0_u128; m as usize + 1]; n as usize + 1];
        let mut all = paths.clone();
        for i in 0..=n {
            for j in 0..=m {
                let (x, y) = (i as usize, j as usize);
                let sum = |table: &Vec<Vec<u128>>| match (x, y) {
                    (0, 0) => 1,
                    (0, _) => table[0][y - 1],
                    (_, 0) => table[x - 1][0],
                    _ => table[x - 1][y] + table[x][y - 1],
                };
                all[x][y] = sum(&all);
                paths[x][y] = if inside(i, j) { sum(&paths) } else { 0 };
            }
        }
        let (n, m) = (n as usize, m as usize);
        (all[n][m] - paths[n][m]) as f64 / all[n][m] as f64
    }

    #[test]
    fn small_samples_by_counting_every_path() {
        for (n, m) in [(1, 1), (1, 5), (2, 3), (4, 4), (5, 7), (6, 9), (12, 10), (30, 25)] {
            for numerator in 0..=u128::from(n * m) {
                let (exact, p) = (counted(n, m, numerator), upper(n, m, numerator));
                assert!((p / exact - 1.0).abs() < 1e-12, "{n} {m} {numerator}: {p} {exact}");
                assert_eq!(p, upper(m, n, numerator));
            }
        }
    }
}
