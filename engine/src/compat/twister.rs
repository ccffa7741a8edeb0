//! numpy's legacy generator, for the metrics that shuffle or draw rows with a fixed seed.
//!
//! MT19937 of Matsumoto and Nishimura (1998), seeded and drawn from as `numpy.random.seed`,
//! `numpy.random.permutation`, `numpy.random.randint` and `numpy.random.rand` do.

const STATE: usize = 624;
const SHIFT: usize = 397;

/// A Mersenne twister.
pub(super) struct Twister {
    state: [u32; STATE],
    next: usize,
}

impl Twister {
    /// The generator after `numpy.random.seed(seed)`.
    pub(super) fn new(seed: u32) -> Self {
        let mut state = [seed; STATE];
        for k in 1..STATE {
            let last = state[k - 1];
            state[k] = 1_812_433_253_u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(k as u32);
        }
        Self { state, next: STATE }
    }

    fn next_u32(&mut self) -> u32 {
        if self.next == STATE {
            for k in 0..STATE {
                let y = (self.state[k] & 0x8000_0000) | (self.state[(k + 1) % STATE] & 0x7fff_ffff);
                let magic = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[k] = self.state[(k + SHIFT) % STATE] ^ (y >> 1) ^ magic;
            }
            self.next = 0;
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// A number in `[0, max]`: draws are masked and rejected, as the legacy generator does.
    pub(super) fn up_to(&mut self, max: u32) -> u32 {
        let mask = u32::MAX.checked_shr(max.leading_zeros()).unwrap_or(0);
        loop {
            let draw = self.next_u32() & mask;
            if draw <= max {
                return draw;
            }
        }
    }

    /// A number in `[0, 1)` of 53 bits, from two draws.
    pub(super) fn unit(&mut self) -> f64 {
        let (high, low) = (u64::from(self.next_u32() >> 5), u64::from(self.next_u32() >> 6));
        ((high << 26) | low) as f64 / (1_u64 << 53) as f64
    }

    /// `numpy.random.permutation(n)`, for `n` below 2^32.
    pub(super) fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            let j = self.up_to(i as u32) as usize;
            order.swap(i, j);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_mersenne_twister() {
        // The 10,000th draw of the reference implementation seeded with 5489.
        let mut twister = Twister::new(5489);
        let last = (0..10_000).map(|_| twister.next_u32()).last();
        assert_eq!(last, Some(4_123_659_995));
    }

    #[test]
    fn a_permutation_is_numpys() {
        // numpy.random.seed(0); numpy.random.permutation(10), twice.
        let mut twister = Twister::new(0);
        assert_eq!(twister.permutation(10), [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]);
        assert_eq!(twister.permutation(10), [3, 5, 1, 2, 9, 8, 0, 6, 7, 4]);
    }

    #[test]
    fn numbers_and_bounds_are_numpys() {
        // numpy.random.seed(0); numpy.random.rand(3).
        let mut twister = Twister::new(0);
        let drawn = [twister.unit(), twister.unit(), twister.unit()];
        assert_eq!(drawn, [0.548_813_503_927_324_8, 0.715_189_366_372_419_5, 0.602_763_376_071_643_9]);
        // RandomState(42): randint(1, 2**31 - 1), then randint(2**31 - 1).
        let mut twister = Twister::new(42);
        assert_eq!(twister.up_to(2_147_483_645) + 1, 1_608_637_543);
        assert_eq!(twister.up_to(2_147_483_646), 1_273_642_419);
    }
}
