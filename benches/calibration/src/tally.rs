//! How often a test alarmed, with the interval in which its rate lies.

/// The level at which demands are made.
pub const NOMINAL: f64 = 0.05;

/// A second level, shown beside: 2,000 replicates are too few to hold a test to it.
pub const FAR: f64 = 0.01;

/// The 99 % interval's normal deviate, two-sided.
const DEVIATE: f64 = 2.575_829_303_548_901;

/// The alarms of one test in one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Replicates.
    pub replicates: u64,
    /// Of these, those with `p <= 0.05`.
    pub alarms: u64,
    /// Of these, those with `p <= 0.01`.
    pub far_alarms: u64,
    /// Of these, those without a p-value.
    pub without: u64,
}

impl Tally {
    /// Counts one replicate's p-value.
    pub fn add(&mut self, p: Option<f64>) {
        self.replicates += 1;
        match p {
            Some(p) => {
                self.alarms += u64::from(p <= NOMINAL);
                self.far_alarms += u64::from(p <= FAR);
            }
            None => self.without += 1,
        }
    }

    /// Adds another tally of the same test.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            replicates: self.replicates + other.replicates,
            alarms: self.alarms + other.alarms,
            far_alarms: self.far_alarms + other.far_alarms,
            without: self.without + other.without,
        }
    }

    /// The replicates that had a p-value.
    #[must_use]
    pub fn judged(self) -> u64 {
        self.replicates - self.without
    }

    /// Whether more than one replicate of fifty had a p-value: with fewer, no user sees an alarm more often than that.
    #[must_use]
    pub fn is_tested(self) -> bool {
        self.judged() * 50 > self.replicates
    }

    /// The tally with replicates that had no p-value counted as those that did not alarm.
    #[must_use]
    pub fn of_all(self) -> Self {
        Self { without: 0, ..self }
    }

    /// The share of judged replicates that alarmed at [`NOMINAL`].
    #[must_use]
    pub fn rate(self) -> f64 {
        share(self.alarms, self.judged())
    }

    /// The share of judged replicates that alarmed at [`FAR`].
    #[must_use]
    pub fn far_rate(self) -> f64 {
        share(self.far_alarms, self.judged())
    }

    /// Wilson's 99 % interval of the rate (JASA 22, 1927).
    #[must_use]
    pub fn interval(self) -> (f64, f64) {
        #[expect(clippy::cast_precision_loss, reason = "thousands of replicates")]
        let n = self.judged().max(1) as f64;
        let (rate, square) = (self.rate(), DEVIATE * DEVIATE);
        let centre = (rate + square / (2.0 * n)) / (1.0 + square / n);
        let reach = DEVIATE / (1.0 + square / n) * (rate * (1.0 - rate) / n + square / (4.0 * n * n)).sqrt();
        ((centre - reach).max(0.0), (centre + reach).min(1.0))
    }
}

#[expect(clippy::cast_precision_loss, reason = "thousands of replicates")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// What is asked of a test's rate of alarms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// The 99 % interval meets `[0.5, 1.5]` x nominal, of the replicates that had a p-value.
    Near,
    /// As [`Demand::Near`], but a test that may be too careful: the interval meets `[0, 1.5]` x nominal.
    NearOrLess,
    /// The upper end of the 99 % interval is at most 1.5 x nominal: a test that may be too careful. Of all replicates: one
    /// without a p-value does not alarm, and whoever watches sees as many false alarms as that.
    AtMost,
    /// As [`Demand::AtMost`], but at most 2 x nominal.
    AtMostTwice,
    /// Nothing: the rate is a power, or shown for comparison.
    Shown,
}

impl Demand {
    /// `tally` with the replicates counted that this demand speaks of.
    #[must_use]
    pub fn counted(self, tally: Tally) -> Tally {
        match self {
            Self::AtMost | Self::AtMostTwice => tally.of_all(),
            Self::Near | Self::NearOrLess | Self::Shown => tally,
        }
    }

    /// Whether `tally` is what is asked.
    #[must_use]
    pub fn is_met(self, tally: Tally) -> bool {
        if !tally.is_tested() {
            // Too few rows for a test (SEMANTICS S3): no alarm either.
            return true;
        }
        let (low, high) = self.counted(tally).interval();
        match self {
            Self::Near => low <= 1.5 * NOMINAL && high >= 0.5 * NOMINAL,
            Self::NearOrLess => low <= 1.5 * NOMINAL,
            Self::AtMost => high <= 1.5 * NOMINAL,
            Self::AtMostTwice => high <= 2.0 * NOMINAL,
            Self::Shown => true,
        }
    }

    /// As [`Demand::is_met`], with the upper limit of [`Demand::AtMost`] as far beyond 1.5 x nominal as chance takes
    /// the upper end of a test that alarms at exactly that rate: for runs of so few replicates that the interval of a
    /// good test reaches beyond the bound.
    #[must_use]
    pub fn is_compatible(self, tally: Tally) -> bool {
        match self {
            Self::AtMost => tally.of_all().interval().0 <= 1.5 * NOMINAL,
            Self::AtMostTwice => tally.of_all().interval().0 <= 2.0 * NOMINAL,
            other => other.is_met(tally),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        let tally = Tally { replicates: 2_000, alarms: 100, ..Tally::default() };
        let (low, high) = tally.interval();
        assert!((low - 0.038_83).abs() < 1e-4 && (high - 0.064_17).abs() < 1e-4, "{low} {high}");
        assert_eq!(Tally { replicates: 10, ..Tally::default() }.interval().0, 0.0);
    }

    #[test]
    fn demands_can_fail() {
        let of = |alarms| Tally { replicates: 2_000, alarms, ..Tally::default() };
        assert!(Demand::Near.is_met(of(100)) && Demand::AtMost.is_met(of(100)));
        assert!(!Demand::Near.is_met(of(10)) && Demand::AtMost.is_met(of(10)));
        assert!(!Demand::Near.is_met(of(200)) && !Demand::AtMost.is_met(of(200)));
        assert!(Demand::NearOrLess.is_met(of(10)) && Demand::NearOrLess.is_met(of(140)));
        assert!(!Demand::NearOrLess.is_met(of(200)));
        assert!(!Demand::AtMost.is_met(of(140)) && Demand::AtMost.is_compatible(of(140)));
        assert!(!Demand::AtMost.is_compatible(of(200)));
        // Those without a p-value are no replicates of the test.
        let few = Tally { replicates: 2_000, alarms: 100, without: 1_500, ..Tally::default() };
        assert!(!Demand::Near.is_met(few) && few.rate() == 0.2);
        assert!(Demand::Near.is_met(Tally { replicates: 9, without: 9, ..Tally::default() }));
        assert!(Demand::AtMost.is_met(few) && Demand::AtMost.counted(few).rate() == 0.05);
        let rare = Tally { replicates: 2_000, alarms: 40, without: 1_960, ..Tally::default() };
        assert!(!rare.is_tested() && Demand::Near.is_met(rare));
        let less_rare = Tally { alarms: 41, without: 1_959, ..rare };
        assert!(less_rare.is_tested() && !Demand::Near.is_met(less_rare));
    }
}
