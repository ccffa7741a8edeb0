//! One threshold rule, checked when it is made: SEMANTICS S11.

use std::collections::BTreeSet;
use std::fmt;

use super::error::RuleError;
use super::verdict::Verdict;
use crate::metric::Metric;
use crate::statistic::Score;

/// Two levels of one direction, in the unit of what is compared; an absent level never fires.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// Beyond it the verdict is `warn`.
    pub warn: Option<f64>,
    /// Beyond it the verdict is `drift`.
    pub drift: Option<f64>,
}

impl Bounds {
    /// No bound at all.
    pub const NONE: Self = Self { warn: None, drift: None };

    /// Whether neither level is set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.warn.is_none() && self.drift.is_none()
    }

    /// The levels that are set, with their names.
    fn levels(self) -> impl Iterator<Item = (&'static str, f64)> {
        [("warn", self.warn), ("drift", self.drift)]
            .into_iter()
            .filter_map(|(name, bound)| Some((name, bound?)))
    }

    /// The level reached, when `beyond(bound)` says whether a bound is passed.
    fn grade(self, beyond: impl Fn(f64) -> bool) -> Verdict {
        if self.drift.is_some_and(&beyond) {
            Verdict::Drift
        } else if self.warn.is_some_and(&beyond) {
            Verdict::Warn
        } else {
            Verdict::Ok
        }
    }
}

/// Which number of a score a rule compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The estimate itself; its absolute value for the signed metrics `mean_shift` and `sd_shift`.
    Value,
    /// The estimate less what sampling alone adds on average (`psi` and `kl`).
    Corrected,
    /// The probability of such a value if nothing had changed.
    PValue,
}

impl On {
    /// What a rule on `metric` compares when it does not say: `corrected` for `psi` and `kl`, else `value`.
    #[must_use]
    pub fn default_for(metric: Metric) -> Self {
        if metric.has_corrected() { Self::Corrected } else { Self::Value }
    }

    /// The word in rules, such as `p_value`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Corrected => "corrected",
            Self::PValue => "p_value",
        }
    }

    /// What that word names, if anything.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Value, Self::Corrected, Self::PValue].into_iter().find(|on| on.name() == name)
    }

    /// The number of `score` that is compared with bounds; `None` if the score has no such number or it is NaN.
    #[must_use]
    pub fn observe(self, metric: Metric, score: &Score) -> Option<f64> {
        let number = match self {
            Self::Value if metric.is_signed() => score.value.map(f64::abs),
            Self::Value => score.value,
            Self::Corrected => score.corrected,
            Self::PValue => score.p_value,
        };
        number.filter(|x| !x.is_nan())
    }

    /// The least and the greatest number that can be observed.
    fn range(self, metric: Metric) -> (f64, f64) {
        match self {
            Self::PValue => (0.0, 1.0),
            Self::Value if metric.is_signed() => (0.0, f64::INFINITY),
            Self::Value | Self::Corrected => metric.range(),
        }
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// When a rule also demands that the change be significant, beyond passing a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// In windows with fewer than [`GATED_ROWS`](super::default::GATED_ROWS) rows, except on `p_value` and `row_count`.
    #[default]
    SmallWindows,
    /// In every window.
    Significance,
    /// Never.
    None,
}

impl Gate {
    /// The gate of that word in rules (`significance`, `none`), if there is one; the default has no word.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "significance" => Some(Self::Significance),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

/// A rule as written, not yet checked.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSpec {
    /// The metric it bounds.
    pub metric: Metric,
    /// The features it holds for; `None` for all.
    pub features: Option<Vec<String>>,
    /// The segments it holds for, by their text (see [`id::segment`](crate::id::segment)), `None` inside for the
    /// whole; `None` outside for the whole and every segment.
    pub segments: Option<Vec<Option<String>>>,
    /// What it compares; `None` for [`On::default_for`].
    pub on: Option<On>,
    /// Fires when the number is greater than a bound.
    pub above: Bounds,
    /// Fires when the number is less than a bound.
    pub below: Bounds,
    /// When it also demands significance.
    pub gate: Gate,
}

impl RuleSpec {
    /// A rule on `metric` for every feature and segment, still without bounds.
    #[must_use]
    pub fn of(metric: Metric) -> Self {
        Self {
            metric,
            features: None,
            segments: None,
            on: None,
            above: Bounds::NONE,
            below: Bounds::NONE,
            gate: Gate::SmallWindows,
        }
    }
}

/// A threshold rule that can fire.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    metric: Metric,
    features: Option<BTreeSet<String>>,
    segments: Option<BTreeSet<Option<String>>>,
    on: On,
    above: Bounds,
    below: Bounds,
    gate: Gate,
}

impl Rule {
    /// Checks a rule.
    ///
    /// # Errors
    /// When the rule could not do what it says: no bound; a bound that is NaN or outside the range of what is
    /// compared; `warn` beyond `drift`; `corrected` or `p_value` of a metric that has none; a `p_value` bounded from above; the
    /// value of a distance bounded from below; an empty or repeated list of features or segments; `features` on
    /// `row_count`, which is a window's.
    pub fn new(spec: RuleSpec) -> Result<Self, RuleError> {
        let RuleSpec { metric, features, segments, on, above, below, gate } = spec;
        let on = on.unwrap_or_else(|| On::default_for(metric));
        if above.is_empty() && below.is_empty() {
            return Err(RuleError::NoBound { metric });
        }
        match on {
            On::Corrected if !metric.has_corrected() => return Err(RuleError::NoCorrected { metric }),
            On::PValue if !metric.has_p_value() => return Err(RuleError::NoPValue { metric }),
            On::PValue if !above.is_empty() => return Err(RuleError::PValueAbove { metric }),
            On::Value | On::Corrected if !below.is_empty() && !metric.small_can_be_bad() => {
                return Err(RuleError::SmallIsGood { metric });
            }
            On::Value | On::Corrected | On::PValue => {}
        }
        let (least, greatest) = on.range(metric);
        for (level, bound) in above.levels() {
            if bound.is_nan() {
                return Err(RuleError::NotANumber { metric, level });
            }
            // `> greatest` never fires and `> x` for an x below the least always does: neither is a threshold.
            if !(least <= bound && bound < greatest) {
                return Err(RuleError::OutOfRange { metric, on, level, bound, least, greatest });
            }
        }
        for (level, bound) in below.levels() {
            if bound.is_nan() {
                return Err(RuleError::NotANumber { metric, level });
            }
            if !(least < bound && bound <= greatest && bound.is_finite()) {
                return Err(RuleError::OutOfRange { metric, on, level, bound, least, greatest });
            }
        }
        if let (Some(warn), Some(drift)) = (above.warn, above.drift)
            && warn > drift
        {
            return Err(RuleError::WarnBeyondDrift { metric, warn, drift, below: false });
        }
        if let (Some(warn), Some(drift)) = (below.warn, below.drift)
            && warn < drift
        {
            return Err(RuleError::WarnBeyondDrift { metric, warn, drift, below: true });
        }
        if let (Some(high), Some(low)) = (least_of(above), greatest_of(below))
            && low > high
        {
            return Err(RuleError::AlwaysFires { metric, above: high, below: low });
        }
        if segments.is_some() && metric == Metric::Freshness {
            return Err(RuleError::SegmentsOnModel { metric });
        }
        if features.is_some() && metric.is_of_no_feature() {
            return Err(RuleError::FeaturesOnWindow { metric });
        }
        let features = features.map(|list| distinct(metric, "features", list, Clone::clone)).transpose()?;
        let whole = |name: &Option<String>| name.clone().unwrap_or_else(|| "null".to_owned());
        let segments = segments.map(|list| distinct(metric, "segments", list, whole)).transpose()?;
        Ok(Self { metric, features, segments, on, above, below, gate })
    }

    /// The metric it bounds.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The features it names, in order; `None` for all.
    #[must_use]
    pub fn features(&self) -> Option<&BTreeSet<String>> {
        self.features.as_ref()
    }

    /// The segments it names, the whole as `None`; `None` outside for all.
    #[must_use]
    pub fn segments(&self) -> Option<&BTreeSet<Option<String>>> {
        self.segments.as_ref()
    }

    /// What it compares.
    #[must_use]
    pub fn on(&self) -> On {
        self.on
    }

    /// The bounds that fire when the number is greater.
    #[must_use]
    pub fn above(&self) -> Bounds {
        self.above
    }

    /// The bounds that fire when the number is less.
    #[must_use]
    pub fn below(&self) -> Bounds {
        self.below
    }

    /// When it also demands significance.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.gate
    }

    /// The level that `score` reaches, by strict comparison; `None` if it has nothing to compare. NaN is nothing.
    #[must_use]
    pub fn grade(&self, score: &Score) -> Option<Verdict> {
        let x = self.on.observe(self.metric, score)?;
        Some(self.above.grade(|bound| x > bound).max(self.below.grade(|bound| x < bound)))
    }
}

fn least_of(bounds: Bounds) -> Option<f64> {
    bounds.levels().map(|(_, bound)| bound).reduce(f64::min)
}

fn greatest_of(bounds: Bounds) -> Option<f64> {
    bounds.levels().map(|(_, bound)| bound).reduce(f64::max)
}

fn distinct<T: Ord + Clone>(
    metric: Metric,
    list: &'static str,
    items: Vec<T>,
    name: impl Fn(&T) -> String,
) -> Result<BTreeSet<T>, RuleError> {
    if items.is_empty() {
        return Err(RuleError::EmptyList { metric, list });
    }
    let mut set = BTreeSet::new();
    for item in items {
        if set.contains(&item) {
            return Err(RuleError::Repeated { metric, list, name: name(&item) });
        }
        set.insert(item);
    }
    Ok(set)
}
