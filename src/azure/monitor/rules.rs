//! The thresholds of signals as rules of a model file.
//!
//! Azure has a bound for numerical features and another for categorical ones; a rule of ours holds for a metric and for
//! features by name. Where the kinds of columns are known, rules name their features. Where they are not, a rule holds for
//! all that have the metric, and of two bounds that would then meet the stricter one holds: said either way.

use std::collections::BTreeMap;

use driftlead_engine::policy::On;
use driftlead_engine::{Kind, Metric as Ours};

use super::{Note, Signal, Threshold};
use crate::config::problem::quote;

/// A rule to be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    /// Our metric.
    pub(super) metric: Ours,
    /// The number of it that is compared.
    pub(super) on: On,
    /// Whether it fires below the bound.
    pub(super) is_below: bool,
    /// The bound.
    pub(super) bound: f64,
    /// The features; `None` for all that have the metric.
    pub(super) features: Option<Vec<String>>,
    /// What it comes from.
    pub(super) comment: String,
    /// Whether another rule holds in its place, so that it is written as a comment only.
    pub(super) is_beaten: bool,
}

/// What is known of the columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// The kinds of columns.
    pub(super) kinds: &'a BTreeMap<String, Kind>,
    /// Whether these are all columns that are judged.
    pub(super) is_all: bool,
    /// The features that the model file names, if it names all of them.
    pub(super) declared: Option<&'a [String]>,
}

/// The rules of some signals, and what they cannot say as the monitor meant it.
pub(super) fn rules(signals: &[&Signal], known: Known<'_>, notes: &mut Vec<Note>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for signal in signals {
        for threshold in &signal.thresholds {
            let Some(rule) = rule(signal, threshold, known, notes) else { continue };
            add(rule, threshold.line, &mut rules, notes);
        }
    }
    rules
}

fn rule(signal: &Signal, threshold: &Threshold, known: Known<'_>, notes: &mut Vec<Note>) -> Option<Rule> {
    let Threshold { line, kind, metric, bound } = *threshold;
    let (ours, on, is_below) = metric.ours(kind);
    let word = if kind == Kind::Categorical { "categorical" } else { "numerical" };
    let mut note = |text: String| notes.push(Note { line, text });
    let is_of_both = ours.applies_to(Kind::Numeric) && ours.applies_to(Kind::Categorical);
    let candidates: Option<Vec<String>> = match &signal.features {
        Some(names) => Some(names.clone()),
        None => known.is_all.then(|| known.kinds.keys().cloned().collect()),
    };
    let of = |name: &String| known.kinds.get(name);
    let features = match candidates {
        Some(names) => {
            let own: Vec<String> =
                names.into_iter().filter(|name| of(name).is_none_or(|own| *own == kind)).collect();
            if own.is_empty() {
                note(format!("`{}` is left out: no feature is {word}", metric.name()));
                return None;
            }
            let unknown: Vec<&str> =
                own.iter().filter(|name| of(name).is_none()).map(String::as_str).collect();
            // Where all features that are judged are meant, the metric itself finds those that have it.
            let is_everything = known.declared.is_some_and(|all| all.iter().all(|name| own.contains(name)));
            if !unknown.is_empty() && (is_of_both || !is_everything) {
                note(format!(
                    "`{}` is meant for {word} features, and the kinds of {} are not known here: leave those that are not \
                     out of the rule's `features`, or give `--baseline ROWS`",
                    metric.name(),
                    quote(&unknown)
                ));
            }
            if !unknown.is_empty() && is_everything { None } else { Some(own) }
        }
        None if is_of_both => {
            note(format!(
                "`{}` is meant for {word} features, and the kinds of columns are not known here, so its rule holds for all \
                 features: name those that are meant as its `features`, or give `--baseline ROWS`",
                metric.name()
            ));
            None
        }
        None => None,
    };
    let comment = format!("line {line}: {word} {}, {}", metric.name(), metric.differs());
    Some(Rule { metric: ours, on, is_below, bound, features, comment, is_beaten: false })
}

/// Adds a rule; one that says the same becomes the same rule, and of two that contradict each other the stricter holds.
fn add(mut rule: Rule, line: u64, rules: &mut Vec<Rule>, notes: &mut Vec<Note>) {
    for own in rules.iter_mut().filter(|own| own.metric == rule.metric && !own.is_beaten) {
        let same_features = own.features == rule.features;
        if (own.on, own.is_below, own.bound) == (rule.on, rule.is_below, rule.bound) {
            if !same_features && let (Some(mine), Some(its)) = (&mut own.features, &rule.features) {
                mine.extend(its.iter().filter(|name| !mine.contains(name)).cloned().collect::<Vec<_>>());
            } else if !same_features {
                continue;
            }
            // Once is enough for what differs.
            let from = rule.comment.split_once(", ").map_or(rule.comment.as_str(), |(from, _)| from);
            own.comment = format!("{from}; {}", own.comment);
            return;
        }
        let meet = match (&own.features, &rule.features) {
            (Some(mine), Some(its)) => mine.iter().any(|name| its.contains(name)),
            (mine, its) => mine.is_none() && its.is_none(),
        };
        if !meet {
            continue;
        }
        let is_stricter = if rule.is_below { rule.bound > own.bound } else { rule.bound < own.bound };
        let (loser, winner) = if is_stricter { (own.bound, rule.bound) } else { (rule.bound, own.bound) };
        notes.push(Note {
            line,
            text: format!(
                "two bounds on `{}` of the same features, {winner} and {loser}: the stricter holds, {winner}; the other \
                 stands beside it as a comment",
                rule.metric
            ),
        });
        if is_stricter {
            own.is_beaten = true;
        } else {
            rule.is_beaten = true;
        }
        break;
    }
    rules.push(rule);
}
