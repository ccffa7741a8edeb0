//! The metrics of one tool for one feature, as the report has them.

use driftlead_engine::compat::vectors::{self, Distance, Vectors};
use driftlead_engine::compat::{Columns, CompatScore, Tool, evidently, nannyml, score};
use driftlead_engine::{Kind, Metric};

use super::side::Side;
use crate::report::wire::CompatMetric;

/// The most rows of both sides together for evidently's `TVD`, which permutes all of them a thousand times.
const TVD_ROWS: usize = 1_000_000;

/// What is known of a feature beside its values.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct About {
    /// Whether both sides are columns of an integer type.
    pub(super) integer: bool,
    /// Whether all numeric features of the model are, without a missing value on either side.
    pub(super) integer_frame: bool,
}

/// All metrics that `tool` has for a feature of this kind.
pub(super) fn metrics(
    tool: Tool,
    reference: &Side<'_>,
    current: &Side<'_>,
    about: About,
) -> Vec<CompatMetric> {
    match (reference, current) {
        (Side::Numbers { in_order, sorted }, Side::Numbers { sorted: now, .. }) => {
            let integer = match tool {
                Tool::Scouter => about.integer_frame,
                _ => about.integer && reference.is_complete() && current.is_complete(),
            };
            let columns = Columns::Numeric { reference: sorted, current: now, integer };
            let by_row = Columns::Numeric { reference: in_order, current: now, integer };
            let mut list: Vec<CompatMetric> = tool
                .metrics(Kind::Numeric)
                .iter()
                .map(|metric| match (tool, metric) {
                    // Doane's rule sums over the reference in the order of rows.
                    (Tool::NannyMl, Metric::Js) => of(tool, *metric, nannyml::jensen_shannon(by_row)),
                    (Tool::NannyMl, Metric::Hellinger) => of(tool, *metric, nannyml::hellinger(by_row)),
                    _ => of(tool, *metric, score(tool, *metric, columns)),
                })
                .collect();
            choose(tool, columns, &mut list);
            list
        }
        (Side::Names { counts, .. }, Side::Names { counts: now, .. }) => {
            let columns = Columns::Categorical { reference: counts, current: now };
            let mut list: Vec<CompatMetric> = tool
                .metrics(Kind::Categorical)
                .iter()
                .map(|metric| match (tool, metric) {
                    (Tool::Evidently, Metric::Tvd) => tvd(reference, current, about),
                    _ => of(tool, *metric, score(tool, *metric, columns)),
                })
                .collect();
            if tool == Tool::Evidently {
                list.push(named(tool, evidently::Test::Z.name(), evidently::z(columns)));
            }
            choose(tool, columns, &mut list);
            list
        }
        (Side::Vectors { dim, numbers }, Side::Vectors { dim: of_now, numbers: now })
            if tool == Tool::Evidently =>
        {
            of_vectors(Vectors::new(*dim, numbers), Vectors::new(*of_now, now))
        }
        _ => Vec::new(),
    }
}

/// Evidently's methods for vectors; it takes the classifier by itself.
fn of_vectors(reference: Vectors<'_>, current: Vectors<'_>) -> Vec<CompatMetric> {
    let own = |name, score| named(Tool::Evidently, name, score);
    let distances =
        Distance::ALL.into_iter().map(|of| own(of.name(), vectors::distance(reference, current, of)));
    let mut list: Vec<CompatMetric> = distances.collect();
    list.push(own("ratio", vectors::ratio(reference, current)));
    list.push(own("mmd", vectors::mmd(reference, current)));
    let model = own("model", vectors::default_model(reference, current));
    list.push(CompatMetric { chosen: model.value.is_some(), ..model });
    list
}

/// Why evidently's metrics of vectors are not computed, for each of them.
pub(super) fn refused_vectors(reason: &str) -> Vec<CompatMetric> {
    let names = Distance::ALL.into_iter().map(Distance::name).chain(["ratio", "mmd", "model"]);
    names
        .map(|name| CompatMetric { reason: Some(reason.to_owned()), ..blank(Tool::Evidently, name) })
        .collect()
}

/// The same list with one reason for all.
pub(super) fn refused(tool: Tool, kind: Kind, reason: &str) -> Vec<CompatMetric> {
    let names = tool.metrics(kind).iter().filter_map(|metric| tool.metric_name(*metric));
    names.map(|name| CompatMetric { reason: Some(reason.to_owned()), ..blank(tool, name) }).collect()
}

/// Marks the metric that the tool takes by itself, and adds it if it is taken by itself only.
fn choose(tool: Tool, columns: Columns<'_>, list: &mut Vec<CompatMetric>) {
    if tool != Tool::Evidently {
        return;
    }
    let Ok(test) = evidently::default_metric(columns) else { return };
    if !list.iter().any(|own| own.metric == test.name()) {
        let score = match test {
            evidently::Test::ChiSquare => evidently::chisquare(columns),
            evidently::Test::Z => evidently::z(columns),
            evidently::Test::Ks => evidently::ks(columns),
            evidently::Test::JensenShannon => evidently::jensenshannon(columns),
            evidently::Test::Wasserstein => evidently::wasserstein(columns),
        };
        list.push(named(tool, test.name(), score));
    }
    list.iter_mut().filter(|own| own.metric == test.name()).for_each(|own| own.chosen = true);
}

/// Evidently's permutation test, where its answer does not depend on the process that computes it.
fn tvd(reference: &Side<'_>, current: &Side<'_>, about: About) -> CompatMetric {
    let refuse = |reason: &str| CompatMetric {
        reason: Some(reason.to_owned()),
        ..blank(Tool::Evidently, Tool::Evidently.metric_name(Metric::Tvd).unwrap_or("TVD"))
    };
    let codes = reference.codes().zip(current.codes()).filter(|_| about.integer);
    let Some((reference, current)) = codes.filter(|(a, b)| are_dense(a, b)) else {
        return refuse(
            "the order of a Python set decides it, which is known for integers 0, 1, .. up to 31 only",
        );
    };
    if reference.len() + current.len() > TVD_ROWS {
        return refuse("it permutes all rows 1,000 times, which is done for up to 1,000,000 rows only");
    }
    of(Tool::Evidently, Metric::Tvd, evidently::tvd(&reference, &current))
}

/// Whether both sides together hold each of 0 to at most 31, and nothing else.
fn are_dense(reference: &[u32], current: &[u32]) -> bool {
    let mut seen = 0_u32;
    for code in reference.iter().chain(current) {
        match 1_u32.checked_shl(*code) {
            Some(bit) => seen |= bit,
            None => return false,
        }
    }
    seen.wrapping_add(1) & seen == 0
}

fn of(tool: Tool, metric: Metric, score: driftlead_engine::Result<CompatScore>) -> CompatMetric {
    named(tool, tool.metric_name(metric).unwrap_or(metric.name()), score)
}

fn named(tool: Tool, name: &str, score: driftlead_engine::Result<CompatScore>) -> CompatMetric {
    match score {
        Ok(score) => CompatMetric {
            value: Some(score.value),
            p_value: score.p_value,
            drift: score.drifted(),
            ..blank(tool, name)
        },
        Err(error) => CompatMetric { reason: Some(error.to_string()), ..blank(tool, name) },
    }
}

fn blank(tool: Tool, name: &str) -> CompatMetric {
    CompatMetric { tool: tool.name().to_owned(), metric: name.to_owned(), ..CompatMetric::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_dense_from_0_to_31() {
        assert!(are_dense(&[0, 1, 1], &[2]) && are_dense(&[], &[0]));
        assert!(!are_dense(&[0, 2], &[0]) && !are_dense(&[1], &[1]) && !are_dense(&[0, 32], &[]));
        let all: Vec<u32> = (0..32).collect();
        assert!(are_dense(&all, &[]));
    }
}
