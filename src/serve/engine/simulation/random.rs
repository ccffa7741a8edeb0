//! Seeded choices.

#[path = "../../../../tests/support/splitmix.rs"]
mod splitmix;

/// A stream of random numbers, the same on every machine.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// In `[0, 1)`.
    pub(super) fn uniform(&mut self) -> f64 {
        (splitmix::next(&mut self.0) >> 11) as f64 * (-53_f64).exp2()
    }

    /// In `0..end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        ((u128::from(splitmix::next(&mut self.0)) * end as u128) >> 64) as usize
    }

    /// In `from..to`.
    pub(super) fn between(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.below(usize::try_from(to - from).unwrap())).unwrap()
    }

    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}
