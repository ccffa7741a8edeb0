//! Alert rules on custom metrics, in the namespace of the sink `azure_metrics`.
//!
//! They are faster than those on logs and know less: no N of M, no significance, no correction of what was said. So they
//! notify only if a parameter asks for it, and there is one for the verdict of a window and one for each bound of `drift`
//! on a value. They are made only if the parameter names the resource on which the metrics are kept, before the first
//! metric has arrived (`skipMetricValidation`).

use super::kql::Of;
use super::name;
use super::parameter;
use super::period::Period;
use super::resource::{Kind, Resource};
use super::value::{Condition, Value, list, map, when};
use super::{ACTIONS, logs};
use crate::config::{Config, Rule};

/// The namespace of the metrics.
const NAMESPACE: &str = "driftlead";
/// What the dimension holds for the whole.
const WHOLE: &str = "(whole)";
/// The verdict `drift`, as a number.
const DRIFT: f64 = 3.0;
/// The most values that a dimension of a criterion names.
const MOST_VALUES: usize = 10;

/// The rules of a model.
pub(super) fn rules(config: &Config) -> Vec<Resource> {
    let shortest = config.windows.iter().filter_map(|window| window.cut).map(|cut| cut.every.micros()).min();
    let period = Period::of_metrics(shortest.unwrap_or(i64::MAX));
    let mut all = vec![rule(
        config,
        &["verdict"],
        format!("Model {}: a window drifts.", config.model),
        period,
        vec![
            ("metricName", "verdict".into()),
            ("dimensions", dimensions(config, None)),
            ("operator", "GreaterThanOrEqual".into()),
            ("threshold", DRIFT.into()),
            ("timeAggregation", "Maximum".into()),
        ],
    )];
    for (at, own) in config.rules.iter().enumerate().filter(|(_, own)| logs::compares_value(own)) {
        all.extend(of_rule(config, at, own, period));
    }
    all
}

fn of_rule(config: &Config, at: usize, own: &Rule, period: Period) -> Vec<Resource> {
    let metric = own.rule.metric();
    if own.rule.segments().is_some_and(|all| !all.contains(&None)) {
        return Vec::new();
    }
    let sides = [
        (own.rule.above().drift, "above", "GreaterThan", "Maximum"),
        (own.rule.below().drift, "below", "LessThan", "Minimum"),
    ];
    let number = (at + 1).to_string();
    sides
        .into_iter()
        .filter_map(|(bound, side, operator, aggregation)| {
            let bound = bound?;
            Some(rule(
                config,
                &[metric.name(), &number, side],
                format!("Model {}: {metric} {side} {bound}.", config.model),
                period,
                vec![
                    ("metricName", metric.name().into()),
                    ("dimensions", dimensions(config, Some(logs::of(config, at)))),
                    ("operator", operator.into()),
                    ("threshold", bound.into()),
                    ("timeAggregation", aggregation.into()),
                ],
            ))
        })
        .collect()
}

fn dimensions(config: &Config, of: Option<Of<'_>>) -> Value {
    let dimension = |name: &str, operator: &str, values: Value| {
        map([("name", name.into()), ("operator", operator.into()), ("values", values)])
    };
    let all = |values: Vec<&str>| list(values);
    let mut dimensions = vec![
        dimension("Model", "Include", all(vec![&config.model])),
        dimension("WindowName", "Include", all(vec!["*"])),
        dimension("Segment", "Include", all(vec![WHOLE])),
    ];
    match of {
        // The number of rows belongs to no feature.
        None | Some(Of::Window) => {}
        Some(Of::Only(some)) if some.len() <= MOST_VALUES => {
            dimensions.push(dimension("Feature", "Include", all(some)));
        }
        Some(Of::AllBut(some)) if !some.is_empty() && some.len() <= MOST_VALUES => {
            dimensions.push(dimension("Feature", "Exclude", all(some)));
        }
        Some(_) => dimensions.push(dimension("Feature", "Include", all(vec!["*"]))),
    }
    Value::List(dimensions)
}

fn rule(
    config: &Config,
    what: &[&str],
    about: String,
    period: Period,
    special: Vec<(&'static str, Value)>,
) -> Resource {
    let parts: Vec<&str> =
        [config.model.as_str(), "metric"].into_iter().chain(what.iter().copied()).collect();
    let mut criterion = vec![
        ("name", "drift".into()),
        ("criterionType", "StaticThresholdCriterion".into()),
        ("metricNamespace", NAMESPACE.into()),
    ];
    criterion.extend(special);
    criterion.push(("skipMetricValidation", true.into()));
    let action = map([("actionGroupId", Value::Id(ACTIONS.to_owned()))]);
    let mut resource = Resource::new(name::symbol(&parts), Kind::MetricAlert, name::name(&parts))
        .location("global".into())
        .properties([
            ("description", about.into()),
            ("severity", 2.into()),
            ("enabled", true.into()),
            ("scopes", list([Value::Parameter(parameter::METRICS)])),
            ("evaluationFrequency", period.min(Period::FIVE_MINUTES).iso().into()),
            ("windowSize", period.iso().into()),
            (
                "criteria",
                map([
                    ("odata.type", "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria".into()),
                    ("allOf", list([Value::Map(criterion)])),
                ]),
            ),
            ("autoMitigate", true.into()),
            ("actions", when(Condition::IsTrue(parameter::DETAILS), list([action]))),
        ]);
    resource.condition = Some(Condition::Given(parameter::METRICS));
    resource
}
