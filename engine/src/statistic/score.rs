//! One metric's answer for one feature in one window.

/// What a statistic says: a value with its uncertainty, or the reason why there is none.
///
/// A field is `None` where the metric has no such thing. No field is ever NaN; an unbounded one is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// The estimate, in the metric's unit.
    pub value: Option<f64>,
    /// The baseline's own value, where the metric compares two values of one kind: the `p` of SEMANTICS S3a for rates.
    pub baseline: Option<f64>,
    /// The estimate less what sampling alone adds on average (psi, kl).
    pub corrected: Option<f64>,
    /// A certified lower bound (wasserstein).
    pub low: Option<f64>,
    /// A certified upper bound (ks, wasserstein).
    pub high: Option<f64>,
    /// The probability of a value this large if nothing had changed.
    pub p_value: Option<f64>,
    /// The probability of a value this large if the change were no more than the minimum effect.
    pub p_effect: Option<f64>,
    /// The window's rows that entered the metric.
    pub n: u64,
    /// The baseline's rows that entered the metric.
    pub n_baseline: u64,
    /// The cells compared, where the metric has cells.
    pub cells: Option<usize>,
    /// The design effect by which the p-values' sample size was divided; at least 1.
    pub deff: f64,
    /// Which way the window moved, where the metric can tell.
    pub direction: Option<Direction>,
    /// Why `value` is `None`, or `p_value` where the metric has one: a lowercase fragment for a person.
    pub reason: Option<&'static str>,
}

/// Which way a window moved against the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Larger values or shares than the baseline.
    Up,
    /// Smaller values or shares than the baseline.
    Down,
}

impl Score {
    /// A score of `value`, with nothing else known.
    #[must_use]
    pub fn of(value: f64) -> Self {
        Self { value: Some(value), deff: 1.0, ..Self::default() }
    }

    /// No score, because of `reason`.
    #[must_use]
    pub fn none(reason: &'static str) -> Self {
        Self { deff: 1.0, reason: Some(reason), ..Self::default() }
    }

    /// This score with `value` set.
    pub(super) fn with_value(self, value: f64) -> Self {
        Self { value: Some(value), ..self }
    }
}
