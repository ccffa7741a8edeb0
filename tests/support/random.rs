//! Seeded random numbers that are the same on every machine: SplitMix64 and the Box-Muller transform. Nothing here is
//! shared with driftlead.

use super::splitmix;

/// A stream of random numbers.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn bits(&mut self) -> u64 {
        splitmix::next(&mut self.0)
    }

    /// In `[0, 1)`.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (-53_f64).exp2()
    }

    /// In `0..end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }

    /// Standard normal.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// `n` of a normal distribution with that mean and standard deviation 1.
    pub(crate) fn normals(&mut self, n: usize, mean: f64) -> Vec<f64> {
        (0..n).map(|_| mean + self.normal()).collect()
    }

    /// `n` of `categories`, the k-th with a weight of 1/k.
    pub(crate) fn zipf<'a>(&mut self, n: usize, categories: &[&'a str]) -> Vec<&'a str> {
        let total: f64 = (1..=categories.len()).map(|rank| 1.0 / rank as f64).sum();
        let mut draw = || {
            let mut left = self.uniform() * total;
            for (index, name) in categories.iter().enumerate() {
                left -= 1.0 / (index + 1) as f64;
                if left < 0.0 {
                    return *name;
                }
            }
            categories[0]
        };
        (0..n).map(|_| draw()).collect()
    }

    /// The numbers `0..n` in random order (Fisher and Yates).
    pub(crate) fn order(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for end in (2..=n).rev() {
            order.swap(end - 1, self.below(end));
        }
        order
    }
}
