//! Seeded random numbers, the same on every machine: xoshiro256++ (Blackman and Vigna, ACM TOMS 47(4), 2021), seeded by
//! SplitMix64. Own code, so that no crate's update moves a record.

#[path = "../../../tests/support/splitmix.rs"]
mod splitmix;

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random([u64; 4]);

impl Random {
    /// The stream number `stream` of `seed`; streams do not overlap in practice.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut state = seed ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03);
        let mut next = || splitmix::next(&mut state);
        Self([next(), next(), next(), next()])
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// In `(0, 1)`.
    #[expect(clippy::cast_precision_loss, reason = "52 bits")]
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) * 2.0_f64.powi(-52)
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// How many of `trials` succeed, each with probability `share` in `[0, 1)`: from success to success.
    pub fn successes(&mut self, trials: u64, share: f64) -> u64 {
        if share <= 0.0 {
            return 0;
        }
        let ln_miss = (-share).ln_1p();
        let (mut place, mut found) = (0_u64, 0);
        loop {
            // The failures before the next success are geometric.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
            let misses = (self.unit().ln() / ln_miss) as u64;
            place = place.saturating_add(misses).saturating_add(1);
            if place > trials {
                return found;
            }
            found += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successes_have_their_mean_and_variance() {
        for share in [0.01, 0.3, 0.98] {
            let mut random = Random::new(3, 4);
            let draws: Vec<f64> = (0..4_000).map(|_| random.successes(200, share) as f64).collect();
            let mean = draws.iter().sum::<f64>() / 4_000.0;
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 4_000.0;
            let truth = 200.0 * share * (1.0 - share);
            assert!((mean - 200.0 * share).abs() < 4.0 * (truth / 4_000.0).sqrt(), "{share}: {mean}");
            assert!((variance / truth - 1.0).abs() < 0.1, "{share}: {variance}");
        }
        assert_eq!(Random::new(0, 0).successes(9, 0.0), 0);
    }
}
