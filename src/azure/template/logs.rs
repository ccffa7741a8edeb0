//! Alert rules on logs: one that notifies for each window or model, and those that tell more.
//!
//! One fault, one page: what notifies is either the rule that counts drifting windows itself, as the model's `alert` says
//! (N of the last M as failing periods), or, where periods cannot say that, the rule that follows the alerts of driftlead.
//! Rules on single metrics notify only if a parameter asks for it.

use driftlead_engine::Metric;
use driftlead_engine::policy::{Bounds, On};

use super::kql::{self, Beyond, Of};
use super::name;
use super::parameter;
use super::period::Period;
use super::resource::{Kind, Resource};
use super::value::{Condition, Value, list, map, when};
use crate::config::{Config, FRESHNESS, Quorum, Rule, Window};

/// The severities of Azure: `Error`, `Warning`, `Informational`.
const ERROR: i64 = 1;
const WARNING: i64 = 2;
const INFORMATIONAL: i64 = 3;
/// The most periods that a rule counts.
const MOST_PERIODS: u32 = 6;

/// A rule.
struct LogAlert {
    parts: Vec<String>,
    about: String,
    severity: i64,
    query: String,
    looks_at: Period,
    quorum: Quorum,
    /// A column and where it breaks; `None` if any row does.
    measure: Option<Measure>,
    dimensions: &'static [&'static str],
    notifies: bool,
}

struct Measure {
    bound: f64,
    is_below: bool,
}

const ONCE: Quorum = Quorum { needed: 1, last: 1 };

/// The rules of a model, and what a person should know of them.
pub(super) fn rules(config: &Config) -> (Vec<Resource>, Vec<String>) {
    let mut notes = Vec::new();
    let mut alerts = Vec::new();
    let mut others = Vec::new();
    for window in &config.windows {
        match fits(config, window) {
            Ok(period) => alerts.push(counting(config, window, period)),
            Err(why) => {
                notes.push(format!(
                    "`{}`: the rule for windows `{}` follows driftlead's own alerts: {why}",
                    config.model, window.name
                ));
                others.push(window.name.clone());
            }
        }
    }
    if config.rules.iter().any(|rule| rule.rule.metric() == Metric::Freshness) {
        others.push(FRESHNESS.to_owned());
    }
    if !others.is_empty() {
        alerts.push(following(config, &others));
    }
    match silence(config) {
        Some(alert) => alerts.push(alert),
        None => notes.push(format!(
            "`{}`: its windows are too far apart for a rule that tells of silence: no rule on logs looks back further than \
             two days",
            config.model
        )),
    }
    for (at, rule) in config.rules.iter().enumerate() {
        alerts.extend(beyond(config, at, rule));
    }
    (alerts.into_iter().map(LogAlert::resource).collect(), notes)
}

/// The period in which exactly one window ends, if a rule can count with it.
fn fits(config: &Config, window: &Window) -> Result<Period, String> {
    let Some(cut) = window.cut else { return Err("they are not cut from time".to_owned()) };
    let quorum = config.alert.quorum(window);
    let exact = Period::of_logs(cut.every.micros()).filter(|own| own.micros() == cut.every.micros());
    if cut.length != cut.every {
        return Err("they overlap".to_owned());
    }
    if !config.segments.is_empty() {
        return Err("segments that drift are hushed while the whole does".to_owned());
    }
    if !config.alert.cooldown.is_zero() {
        return Err("Azure's rules have no `cooldown` that lets them resolve".to_owned());
    }
    let Some(period) = exact.filter(|own| *own >= Period::FIVE_MINUTES) else {
        return Err(format!("no period of Azure's rules is {} long", cut.every));
    };
    if quorum.last > MOST_PERIODS {
        return Err(format!("`{quorum}` is more than the {MOST_PERIODS} periods that a rule counts"));
    }
    if period.micros() * i64::from(quorum.last) > Period::TWO_DAYS.micros() {
        return Err(format!("`{quorum}` of {} looks back further than two days", cut.every));
    }
    Ok(period)
}

fn counting(config: &Config, window: &Window, period: Period) -> LogAlert {
    let quorum = config.alert.quorum(window);
    LogAlert {
        parts: vec![config.model.clone(), "drift".to_owned(), window.name.clone()],
        about: format!("Model {}: {quorum} windows {} of {} drift.", config.model, window.name, period.iso()),
        severity: ERROR,
        query: kql::drifting_windows(&config.model, &window.name),
        looks_at: period,
        quorum,
        measure: None,
        dimensions: &[],
        notifies: true,
    }
}

fn following(config: &Config, windows: &[String]) -> LogAlert {
    LogAlert {
        parts: vec![config.model.clone(), "alerts".to_owned()],
        about: format!("Model {}: driftlead has an open alert of {}.", config.model, windows.join(", ")),
        severity: ERROR,
        query: kql::open_alerts(&config.model, windows),
        looks_at: Period::TWO_DAYS,
        quorum: ONCE,
        measure: None,
        dimensions: &["AlertId", "WindowName", "Segment"],
        notifies: true,
    }
}

/// The watcher itself is silent: for more than two windows, and all that may hold them up.
fn silence(config: &Config) -> Option<LogAlert> {
    let gap = |window: &Window| {
        let every = window.cut?.every.micros();
        let held = window.lateness.micros() + window.out_of_orderness.micros() + window.idle.micros();
        Some(every.saturating_mul(2).saturating_add(held))
    };
    let period = config.windows.iter().filter_map(gap).min().and_then(Period::of_logs)?.max(Period::QUARTER);
    Some(LogAlert {
        parts: vec![config.model.clone(), "silent".to_owned()],
        about: format!(
            "Model {}: driftlead has said nothing for {}: is it running, and are rows coming in?",
            config.model,
            period.iso()
        ),
        severity: ERROR,
        query: kql::silence(&config.model),
        looks_at: period,
        quorum: ONCE,
        measure: None,
        dimensions: &[],
        notifies: true,
    })
}

/// The rules for one entry of `thresholds`: one for each bound.
fn beyond(config: &Config, at: usize, own: &Rule) -> Vec<LogAlert> {
    let (rule, metric) = (&own.rule, own.rule.metric());
    if metric == Metric::Freshness {
        return Vec::new();
    }
    let sides = [(rule.above(), false), (rule.below(), true)];
    let levels = |bounds: Bounds| [(bounds.drift, true), (bounds.warn, false)];
    let bounds = sides.into_iter().flat_map(|(bounds, is_below)| {
        levels(bounds).map(move |(bound, only_drift)| bound.map(|bound| (bound, only_drift, is_below)))
    });
    let shortest = config.windows.iter().filter_map(|window| window.cut).map(|cut| cut.every.micros()).min();
    let looks_at = shortest.and_then(Period::of_logs).unwrap_or(Period::TWO_DAYS).max(Period::FIVE_MINUTES);
    let alert = |(bound, only_drift, is_below): (f64, bool, bool)| {
        let level = if only_drift { "drift" } else { "warn" };
        let side = if is_below { "below" } else { "above" };
        LogAlert {
            parts: vec![
                config.model.clone(),
                metric.name().to_owned(),
                (at + 1).to_string(),
                side.to_owned(),
                level.to_owned(),
            ],
            about: format!("Model {}: {metric} {side} {bound} ({level}).", config.model),
            severity: if only_drift { WARNING } else { INFORMATIONAL },
            query: Beyond {
                model: &config.model,
                metric,
                on: rule.on(),
                of: of(config, at),
                segments: rule
                    .segments()
                    .map(|all| all.iter().map(|own| own.as_deref().unwrap_or_default()).collect()),
                only_drift,
            }
            .query(),
            looks_at,
            quorum: ONCE,
            measure: Some(Measure { bound, is_below }),
            dimensions: &["WindowName", "Segment", "Feature"],
            notifies: false,
        }
    };
    bounds.flatten().map(alert).collect()
}

/// The features of the rule at this place: of those that a more specific one names, that one speaks.
pub(super) fn of(config: &Config, at: usize) -> Of<'_> {
    let rule = &config.rules[at].rule;
    if rule.metric() == Metric::RowCount {
        return Of::Window;
    }
    let names = |rule: &Rule| rule.rule.features().cloned().unwrap_or_default();
    let same =
        |other: &&Rule| other.rule.metric() == rule.metric() && other.rule.segments() == rule.segments();
    match rule.features() {
        Some(own) => {
            let later: Vec<String> = config.rules[at + 1..].iter().filter(same).flat_map(names).collect();
            let left: Vec<&str> = own.iter().filter(|own| !later.contains(own)).map(String::as_str).collect();
            if left.is_empty() { Of::Only(own.iter().map(String::as_str).collect()) } else { Of::Only(left) }
        }
        None => {
            let mut all: Vec<&str> = config
                .rules
                .iter()
                .filter(same)
                .filter_map(|own| own.rule.features())
                .flat_map(|all| all.iter().map(String::as_str))
                .collect();
            all.sort_unstable();
            all.dedup();
            Of::AllBut(all)
        }
    }
}

impl LogAlert {
    fn resource(self) -> Resource {
        let parts: Vec<&str> = self.parts.iter().map(String::as_str).collect();
        let dimension = |name: &&str| {
            map([("name", (*name).into()), ("operator", "Include".into()), ("values", list(["*"]))])
        };
        let mut criterion = vec![("query", self.query.into())];
        let (bound, operator) = match self.measure {
            None => {
                criterion.push(("timeAggregation", "Count".into()));
                (Value::Int(0), "GreaterThan")
            }
            Some(Measure { bound, is_below }) => {
                let (aggregation, operator) =
                    if is_below { ("Minimum", "LessThan") } else { ("Maximum", "GreaterThan") };
                criterion.push(("timeAggregation", aggregation.into()));
                criterion.push(("metricMeasureColumn", "Observed".into()));
                (Value::Real(bound), operator)
            }
        };
        criterion.push(("dimensions", Value::List(self.dimensions.iter().map(dimension).collect())));
        criterion.push(("operator", operator.into()));
        criterion.push(("threshold", bound));
        criterion.push((
            "failingPeriods",
            map([
                ("numberOfEvaluationPeriods", i64::from(self.quorum.last).into()),
                ("minFailingPeriodsToAlert", i64::from(self.quorum.needed).into()),
            ]),
        ));
        let groups = list([Value::Id(super::ACTIONS.to_owned())]);
        let groups = if self.notifies { groups } else { when(Condition::IsTrue(parameter::DETAILS), groups) };
        let full = name::name(&parts);
        let mut resource = Resource::new(name::symbol(&parts), Kind::LogAlert, full.clone())
            .location(Value::Parameter(parameter::LOCATION))
            .kind("LogAlert")
            .properties([
                ("displayName", full.into()),
                ("description", self.about.into()),
                ("severity", self.severity.into()),
                ("enabled", true.into()),
                ("scopes", list([Value::Id(super::WORKSPACE.to_owned())])),
                ("evaluationFrequency", self.looks_at.frequency().iso().into()),
                ("windowSize", self.looks_at.iso().into()),
                ("criteria", map([("allOf", list([Value::Map(criterion)]))])),
                ("autoMitigate", true.into()),
                // A table that was made a minute ago may not be known yet to who checks queries.
                ("skipQueryValidation", true.into()),
                ("actions", map([("actionGroups", groups)])),
            ]);
        resource.after = super::tables();
        resource
    }
}

/// Whether a rule on metrics can compare the same number: what is sent as a metric is the value.
pub(super) fn compares_value(own: &Rule) -> bool {
    let rule = &own.rule;
    let special = matches!(rule.metric(), Metric::Freshness) || rule.metric().is_signed();
    rule.on() == On::Value && !special
}
