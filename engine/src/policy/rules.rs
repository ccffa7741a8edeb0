//! All rules of a model, and which of them holds where: SEMANTICS S11.

use std::collections::{BTreeMap, BTreeSet};

use super::error::RuleError;
use super::rule::Rule;
use crate::kind::Kind;
use crate::metric::Metric;

/// The rules of one model, each of which matches something.
///
/// The most specific rule wins: one that names segments over one that names features over one for the metric alone;
/// of equals the later one, as a whole. The default set is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleSet {
    /// By metric, the rules in the order in which they win.
    by_metric: BTreeMap<Metric, Vec<Rule>>,
}

impl RuleSet {
    /// The set of `rules`, for a model with these features (name and kind) and a baseline with these segments
    /// (texts of [`id::segment`](crate::id::segment), without the whole).
    ///
    /// # Errors
    /// When a rule names a feature or a segment that is not there, or bounds a metric that no feature has: it would
    /// never fire, and nobody would notice.
    pub fn new(rules: Vec<Rule>, features: &[(&str, Kind)], segments: &[&str]) -> Result<Self, RuleError> {
        let kinds: BTreeMap<&str, Kind> = features.iter().copied().collect();
        let known: BTreeSet<&str> = segments.iter().copied().collect();
        let mut by_metric: BTreeMap<Metric, Vec<Rule>> = BTreeMap::new();
        for (place, rule) in rules.into_iter().enumerate() {
            let metric = rule.metric();
            for feature in rule.features().into_iter().flatten() {
                let Some(&kind) = kinds.get(feature.as_str()) else {
                    return Err(RuleError::UnknownFeature {
                        rule: place,
                        metric,
                        feature: feature.clone(),
                        candidates: features.iter().map(|(name, _)| (*name).to_owned()).collect(),
                    });
                };
                if !metric.applies_to(kind) {
                    return Err(RuleError::DoesNotApply {
                        rule: place,
                        metric,
                        feature: feature.clone(),
                        kind,
                    });
                }
            }
            if !metric.is_of_no_feature() && !kinds.values().any(|kind| metric.applies_to(*kind)) {
                return Err(RuleError::MatchesNothing { rule: place, metric });
            }
            for segment in rule.segments().into_iter().flatten().flatten() {
                if !known.contains(segment.as_str()) {
                    return Err(RuleError::UnknownSegment {
                        rule: place,
                        metric,
                        segment: segment.clone(),
                        candidates: segments.iter().map(|text| (*text).to_owned()).collect(),
                    });
                }
            }
            by_metric.entry(metric).or_default().push(rule);
        }
        for rules in by_metric.values_mut() {
            rules.reverse();
            rules.sort_by_key(|rule| (rule.segments().is_none(), rule.features().is_none()));
        }
        Ok(Self { by_metric })
    }

    /// The rule that holds for `metric` of `feature` in `segment` (`None` for the whole), if one does.
    ///
    /// `feature` is `None` for a metric of the window (`row_count`) or model (`freshness`).
    #[must_use]
    pub fn resolve(&self, metric: Metric, feature: Option<&str>, segment: Option<&str>) -> Option<&Rule> {
        self.by_metric.get(&metric)?.iter().find(|rule| {
            let names_feature = match (rule.features(), feature) {
                (None, _) => true,
                (Some(list), Some(feature)) => list.contains(feature),
                (Some(_), None) => false,
            };
            names_feature
                && rule.segments().is_none_or(|list| list.iter().any(|named| named.as_deref() == segment))
        })
    }

    /// Whether there is no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_metric.is_empty()
    }
}
