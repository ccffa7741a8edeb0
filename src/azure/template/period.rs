//! The lengths of time that alert rules of Azure know.

/// A length of time that a rule may name, in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Period(i64);

/// Those over which a rule on logs may look; it may run as often as any of them but the last.
const OF_LOGS: [i64; 14] = [1, 5, 10, 15, 30, 45, 60, 120, 180, 240, 300, 360, 1_440, 2_880];
/// Those over which a rule on metrics may look.
const OF_METRICS: [i64; 8] = [1, 5, 15, 30, 60, 360, 720, 1_440];

const MINUTE: i64 = 60_000_000;

impl Period {
    /// Five minutes.
    pub(super) const FIVE_MINUTES: Self = Self(5);
    /// A quarter of an hour.
    pub(super) const QUARTER: Self = Self(15);
    /// An hour.
    pub(super) const HOUR: Self = Self(60);
    /// Two days: further back no rule on logs looks.
    pub(super) const TWO_DAYS: Self = Self(2_880);

    /// The shortest of rules on logs that is at least so many microseconds; `None` beyond two days.
    #[must_use]
    pub(super) fn of_logs(micros: i64) -> Option<Self> {
        OF_LOGS.into_iter().find(|own| own * MINUTE >= micros).map(Self)
    }

    /// The shortest of rules on metrics that is at least so many microseconds, else the longest.
    #[must_use]
    pub(super) fn of_metrics(micros: i64) -> Self {
        let found = OF_METRICS.into_iter().find(|own| own * MINUTE >= micros);
        Self(found.unwrap_or(OF_METRICS[OF_METRICS.len() - 1]))
    }

    /// How often a rule on logs that looks so far back runs: as often, but at least every hour.
    #[must_use]
    pub(super) fn frequency(self) -> Self {
        self.min(Self::HOUR)
    }

    /// Its length in microseconds.
    #[must_use]
    pub(super) const fn micros(self) -> i64 {
        self.0 * MINUTE
    }

    /// As Azure writes it: `PT15M`, `PT1H`, `P1D`.
    #[must_use]
    pub(super) fn iso(self) -> String {
        match self.0 {
            days if days % 1_440 == 0 => format!("P{}D", days / 1_440),
            hours if hours % 60 == 0 => format!("PT{}H", hours / 60),
            minutes => format!("PT{minutes}M"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_the_next_longer_one() {
        let logs = |minutes: i64| Period::of_logs(minutes * MINUTE).map(Period::iso);
        assert_eq!(logs(1).as_deref(), Some("PT1M"));
        assert_eq!(logs(46).as_deref(), Some("PT1H"));
        assert_eq!(logs(361).as_deref(), Some("P1D"));
        assert_eq!(logs(2_880).as_deref(), Some("P2D"));
        assert_eq!(logs(2_881), None);
        assert_eq!(Period::of_metrics(7 * 1_440 * MINUTE).iso(), "P1D");
        assert_eq!(Period::of_metrics(61 * MINUTE).iso(), "PT6H");
    }
}
