//! Why a threshold rule is refused.

use super::rule::On;
use crate::error::{Error, ErrorKind};
use crate::kind::Kind;
use crate::metric::Metric;

/// A rule that could not do what it says; a configuration error.
///
/// Rules in a [`RuleSet`](super::rules::RuleSet) are numbered from 0, in the order in which they were given.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// Neither `warn` nor `drift`.
    #[error("a rule on `{metric}` has no bound: give `warn`, `drift` or both")]
    NoBound {
        /// The rule's metric.
        metric: Metric,
    },
    /// A bound that is NaN.
    #[error("`{level}` of the rule on `{metric}` is not a number")]
    NotANumber {
        /// The rule's metric.
        metric: Metric,
        /// `warn` or `drift`.
        level: &'static str,
    },
    /// A bound that could never fire, or would always.
    #[error(
        "`{level}: {bound}` can never tell windows apart: the {} of `{metric}` {}",
        noun(*.on), span(*.least, *.greatest)
    )]
    OutOfRange {
        /// The rule's metric.
        metric: Metric,
        /// What it compares.
        on: On,
        /// `warn` or `drift`.
        level: &'static str,
        /// The bound as written.
        bound: f64,
        /// The least number that can be compared.
        least: f64,
        /// The greatest number that can be compared.
        greatest: f64,
    },
    /// A `warn` that is harder to reach than `drift`.
    #[error(
        "`warn: {warn}` of the rule on `{metric}` lies beyond `drift: {drift}`: `warn` must {} `drift`",
        if *.below { "not be less than" } else { "not be greater than" }
    )]
    WarnBeyondDrift {
        /// The rule's metric.
        metric: Metric,
        /// The bound of `warn`.
        warn: f64,
        /// The bound of `drift`.
        drift: f64,
        /// Whether the bounds fire below.
        below: bool,
    },
    /// Bounds on both sides that overlap.
    #[error("the rule on `{metric}` fires for every value: above `{above}` and below `{below}`")]
    AlwaysFires {
        /// The rule's metric.
        metric: Metric,
        /// The least bound that fires above.
        above: f64,
        /// The greatest bound that fires below.
        below: f64,
    },
    /// `on: corrected` where nothing is corrected.
    #[error("`{metric}` has no corrected value: only `psi` and `kl` have one; leave `on` out")]
    NoCorrected {
        /// The rule's metric.
        metric: Metric,
    },
    /// `on: p_value` where there is none.
    #[error("`{metric}` has no p_value: bound its value, or the p_value of `psi` or `ks`")]
    NoPValue {
        /// The rule's metric.
        metric: Metric,
    },
    /// `on: p_value` with bounds that fire above.
    #[error(
        "a large p_value is no sign of drift: write `below: {{drift: 0.001}}` in the rule on the p_value of `{metric}`"
    )]
    PValueAbove {
        /// The rule's metric.
        metric: Metric,
    },
    /// `below` on a distance.
    #[error(
        "a small `{metric}` is no sign of drift: `below` is for `row_count`, for rates and for `on: p_value`"
    )]
    SmallIsGood {
        /// The rule's metric.
        metric: Metric,
    },
    /// `features` on a metric of a window or model.
    #[error("`{metric}` belongs to no feature: leave `features` out")]
    FeaturesOnWindow {
        /// The rule's metric.
        metric: Metric,
    },
    /// Segments on a metric of the model.
    #[error("`{metric}` is of the model, not of a segment: leave `segments` out")]
    SegmentsOnModel {
        /// The rule's metric.
        metric: Metric,
    },
    /// An empty list of features or segments.
    #[error("`{list}` of the rule on `{metric}` is empty: leave it out to mean all")]
    EmptyList {
        /// The rule's metric.
        metric: Metric,
        /// `features` or `segments`.
        list: &'static str,
    },
    /// A name that stands twice in one list.
    #[error("`{name}` stands twice in `{list}` of the rule on `{metric}`")]
    Repeated {
        /// The rule's metric.
        metric: Metric,
        /// `features` or `segments`.
        list: &'static str,
        /// The name.
        name: String,
    },
    /// A feature that the model does not have.
    #[error("the rule on `{metric}` names the feature `{feature}`, which the model does not have")]
    UnknownFeature {
        /// The rule's place.
        rule: usize,
        /// The rule's metric.
        metric: Metric,
        /// The name as written.
        feature: String,
        /// The names that would be right, in the model's order.
        candidates: Vec<String>,
    },
    /// A segment that the baseline does not have.
    #[error("the rule on `{metric}` names the segment `{segment}`, which the baseline does not have")]
    UnknownSegment {
        /// The rule's place.
        rule: usize,
        /// The rule's metric.
        metric: Metric,
        /// The text as written.
        segment: String,
        /// The texts that would be right, in the baseline's order.
        candidates: Vec<String>,
    },
    /// A feature of a kind for which the metric is not computed.
    #[error("`{metric}` is not computed for the {kind} feature `{feature}`")]
    DoesNotApply {
        /// The rule's place.
        rule: usize,
        /// The rule's metric.
        metric: Metric,
        /// The feature.
        feature: String,
        /// Its kind.
        kind: Kind,
    },
    /// A metric that is measured where somebody asks, of a feature of which the baseline holds nothing to measure it with.
    #[error(
        "the rule on `{metric}` asks for it of `{feature}`, but the baseline was made without it: write \
         `{metric}: true` at that feature and make the baseline anew"
    )]
    NotMeasured {
        /// The rule's place.
        rule: usize,
        /// The rule's metric.
        metric: Metric,
        /// The feature.
        feature: String,
    },
    /// A rule for all features, none of which has the metric.
    #[error("the rule on `{metric}` matches nothing: the model has no feature for which it is computed")]
    MatchesNothing {
        /// The rule's place.
        rule: usize,
        /// The rule's metric.
        metric: Metric,
    },
}

impl RuleError {
    /// The place of the rule in its set, if the rule was refused there.
    #[must_use]
    pub fn rule(&self) -> Option<usize> {
        match self {
            Self::UnknownFeature { rule, .. }
            | Self::UnknownSegment { rule, .. }
            | Self::DoesNotApply { rule, .. }
            | Self::NotMeasured { rule, .. }
            | Self::MatchesNothing { rule, .. } => Some(*rule),
            _ => None,
        }
    }

    /// The name that is wrong and the names that would be right, from which a caller picks a suggestion.
    #[must_use]
    pub fn candidates(&self) -> Option<(&str, &[String])> {
        match self {
            Self::UnknownFeature { feature, candidates, .. } => Some((feature, candidates)),
            Self::UnknownSegment { segment, candidates, .. } => Some((segment, candidates)),
            _ => None,
        }
    }
}

impl From<RuleError> for Error {
    fn from(error: RuleError) -> Self {
        Self::new(ErrorKind::Plan, error.to_string())
    }
}

/// What a rule compares, as a noun.
fn noun(on: On) -> &'static str {
    match on {
        On::Corrected => "corrected value",
        On::Value | On::PValue => on.name(),
    }
}

fn span(least: f64, greatest: f64) -> String {
    if greatest.is_finite() {
        format!("lies between `{least}` and `{greatest}`")
    } else {
        format!("is a number from `{least}` up")
    }
}
