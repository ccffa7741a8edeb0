//! When to try again: exponential backoff with jitter, and a breaker that spares a sink that is down.
//!
//! Pure: the time and the seed are arguments. Jitter is drawn from a hash of the seed and the attempt (AWS's "full
//! jitter": anywhere between nothing and the bound), so that a thousand messages that failed together do not come back
//! together, and a test sees the same schedule twice.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How waits grow, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The bound of the first wait.
    pub first: i64,
    /// The bound of every wait from some attempt on.
    pub most: i64,
}

impl Default for Backoff {
    /// A second at first, ten minutes at most.
    fn default() -> Self {
        Self { first: 1_000_000, most: 600_000_000 }
    }
}

impl Backoff {
    /// The wait after so many failed attempts, in microseconds: at least half of the bound, so that no retry is
    /// immediate, and at most the bound. `seed` is what is tried, such as a delivery key.
    #[must_use]
    pub fn wait(self, failures: u32, seed: &str) -> i64 {
        let doublings = failures.saturating_sub(1).min(40);
        let bound = self.first.saturating_mul(1_i64 << doublings).clamp(1, self.most.max(1));
        let half = bound / 2;
        let draw = xxh3_64_with_seed(seed.as_bytes(), u64::from(failures));
        let span = u64::try_from(bound - half).unwrap_or(1).max(1);
        half.saturating_add(i64::try_from(draw % span).unwrap_or(0))
    }
}

/// Whether a sink is tried at all.
///
/// Closed, it lets everything through. After [`Breaker::THRESHOLD`] failures in a row it opens: nothing is tried until
/// the wait is over, then one message; its fate closes or opens it again, for longer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
    open_until: Option<i64>,
}

impl Breaker {
    /// Failures in a row after which the breaker opens.
    pub const THRESHOLD: u32 = 5;

    /// How many messages may be tried at `now`.
    #[must_use]
    pub fn admits(&self, now: i64) -> Admission {
        match self.open_until {
            None => Admission::All,
            Some(until) if now >= until => Admission::One,
            Some(until) => Admission::None { until },
        }
    }

    /// A message arrived: all is well again.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The sink did not answer, or said that it cannot now. `at_least` is what it asked for, in microseconds.
    pub fn failed(&mut self, now: i64, backoff: Backoff, sink: &str, at_least: Option<i64>) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= Self::THRESHOLD || at_least.is_some() {
            let opened = self.failures.saturating_sub(Self::THRESHOLD).saturating_add(1);
            let wait = backoff.wait(opened, sink).max(at_least.unwrap_or(0));
            self.open_until = Some(now.saturating_add(wait));
        }
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Until when nothing is tried.
    #[must_use]
    pub fn open_until(&self) -> Option<i64> {
        self.open_until
    }
}

/// What a [`Breaker`] lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Everything.
    All,
    /// One message, to see whether the sink is back.
    One,
    /// Nothing before this time.
    None {
        /// Microseconds since the epoch.
        until: i64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_bound_and_are_spread() {
        let backoff = Backoff { first: 1_000, most: 60_000 };
        for (failures, bound) in [(1, 1_000), (2, 2_000), (3, 4_000), (6, 32_000), (7, 60_000), (90, 60_000)]
        {
            let waits: Vec<i64> = (0..200).map(|i| backoff.wait(failures, &format!("key {i}"))).collect();
            assert!(waits.iter().all(|wait| (bound / 2..=bound).contains(wait)), "{failures}: {waits:?}");
            let (least, most) = (waits.iter().min(), waits.iter().max());
            assert!(most > least, "{failures}: no jitter");
        }
        assert_eq!(backoff.wait(3, "a"), backoff.wait(3, "a"), "the same twice");
    }

    #[test]
    fn a_breaker_opens_probes_and_closes() {
        let backoff = Backoff { first: 1_000, most: 8_000 };
        let mut breaker = Breaker::default();
        for _ in 1..Breaker::THRESHOLD {
            breaker.failed(0, backoff, "hook", None);
            assert_eq!(breaker.admits(0), Admission::All);
        }
        breaker.failed(0, backoff, "hook", None);
        let Admission::None { until } = breaker.admits(0) else { panic!("{breaker:?}") };
        assert!((500..=1_000).contains(&until), "{until}");
        assert_eq!(breaker.admits(until), Admission::One);
        breaker.failed(until, backoff, "hook", None);
        let Admission::None { until: later } = breaker.admits(until) else { panic!("{breaker:?}") };
        assert!(later - until >= 1_000, "a failed probe waits longer: {}", later - until);
        breaker.succeeded();
        assert_eq!(breaker.admits(later), Admission::All);
    }

    #[test]
    fn what_a_sink_asks_for_is_honoured_at_once() {
        let mut breaker = Breaker::default();
        breaker.failed(10, Backoff::default(), "hook", Some(90_000_000));
        assert_eq!(breaker.admits(90_000_009), Admission::None { until: 90_000_010 });
    }
}
