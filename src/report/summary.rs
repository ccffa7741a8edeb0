//! What a report comes down to: the sentence at its top, the order of its features, and what moved in each.

use std::collections::BTreeMap;

use driftlead_engine::Metric;
use driftlead_engine::metric::EMBEDDING_PARTS;
use driftlead_engine::score::PART_P;

use super::format::{clean, count, percent, plural, value};
use super::verdict::Verdict;
use super::wire::{Baseline, Cell, Direction, Feature, Input, Measure, Report, Way, Window};

/// What windows are compared with, the baseline's `id` as it is to be shown: `baseline 3f2a9c01d4e5 of 1,000 rows`.
pub(super) fn compared_with(baseline: &Baseline, id: &str) -> String {
    let rows = plural(baseline.rows, "row");
    match baseline.moving_windows {
        None => format!("baseline {id} of {rows}"),
        Some(1) => format!("against the window before each, on cells {id} of {rows}"),
        Some(windows) => {
            format!("against the {} windows before each, on cells {id} of {rows}", count(windows))
        }
    }
}

/// The report in one sentence: `drift: 2 of 25 features moved; worst is `delay` (psi 0.310, up)`.
#[must_use]
pub fn sentence(report: &Report) -> String {
    let mut worst_of: BTreeMap<&str, Verdict> = BTreeMap::new();
    for feature in report.windows.iter().flat_map(|window| &window.features) {
        let worst = worst_of.entry(&feature.name).or_insert(feature.verdict);
        if feature.verdict.severity() > worst.severity() {
            *worst = feature.verdict;
        }
    }
    let how_many =
        |wanted: &[Verdict]| worst_of.values().filter(|verdict| wanted.contains(verdict)).count() as u64;
    let features =
        plural(worst_of.values().filter(|verdict| **verdict != Verdict::Skipped).count() as u64, "feature");
    let moved = how_many(&[Verdict::Warn, Verdict::Drift]);
    let slightly = how_many(&[Verdict::Info]);
    let mut text = format!("{}: ", report.verdict.name());
    match report.verdict {
        Verdict::Drift | Verdict::Warn => {
            text += &format!("{} of {features} moved", count(moved));
            if report.windows.len() > 1 {
                let of = |wanted: &dyn Fn(&Window) -> bool| {
                    report.windows.iter().filter(|window| wanted(window)).count() as u64
                };
                let judged = of(&|window| window.verdict != Verdict::Insufficient);
                let what = if judged < report.windows.len() as u64 { "judged window" } else { "window" };
                let hit = of(&|window| window.verdict == report.verdict);
                text += &format!(" in {} of {}", count(hit), plural(judged, what));
            }
            text += &worst(report).map_or_else(String::new, |worst| format!("; worst is {worst}"));
        }
        Verdict::Info => {
            text += &format!("{} of {features} moved, but by little", count(slightly));
            text += &worst(report).map_or_else(String::new, |worst| format!("; most of all {worst}"));
        }
        Verdict::Ok => text += &format!("none of {features} moved"),
        Verdict::Insufficient | Verdict::Error | Verdict::Skipped => {
            text += "nothing could be judged";
            let first = report.windows.iter().flat_map(|window| &window.features);
            if let Some((feature, reason)) = first.clone().find_map(|f| Some((f, f.reason.as_ref()?))) {
                text += &format!("; `{}`: {}", clean(&feature.name), clean(reason));
            } else if let Some(why) = nowhere(&report.input) {
                text += &format!("; {why}");
            }
        }
    }
    let failed = how_many(&[Verdict::Error]).max(report.errors.len() as u64);
    if failed > 0 {
        text += &format!("; {} could not be compared", plural(failed, "feature"));
    }
    text
}

/// Why no row is in any window: what took the most of them.
fn nowhere(input: &Input) -> Option<String> {
    let lost = [
        (input.outside_rows, "outside `--since` and `--until`"),
        (input.untimed_rows, "without a readable time"),
        (input.excluded_rows, "left out by `where`"),
    ];
    let all = lost.iter().map(|(rows, _)| rows).sum::<u64>() == input.rows;
    let (rows, why) = lost.into_iter().filter(|(rows, _)| all && *rows > 0).max_by_key(|(rows, _)| *rows)?;
    let are = if rows == 1 { "is" } else { "are" };
    Some(format!("{} of {} {are} {why}", count(rows), plural(input.rows, "row")))
}

/// The feature that moved most, over all windows: `` `delay` (psi 0.310, up) ``.
fn worst(report: &Report) -> Option<String> {
    let of_windows =
        report.windows.iter().flat_map(|window| window.features.iter().map(move |f| (window, f)));
    let (window, feature) = of_windows.max_by(|(_, a), (_, b)| weight(a).total_cmp(&weight(b)))?;
    let mut what = headline(feature).unwrap_or_default();
    if let Some(direction) = direction(feature) {
        let comma = if what.is_empty() { "" } else { ", " };
        what += &format!("{comma}{direction}");
    }
    let place = place(window).filter(|_| report.windows.len() > 1);
    let place = place.map_or_else(String::new, |place| format!(" in {place}"));
    let what = if what.is_empty() { what } else { format!(" ({what})") };
    Some(format!("`{}`{what}{place}", clean(&feature.name)))
}

/// Which window it is, for a person: time and segment; `None` if there is but one and it is the whole.
pub(super) fn place(window: &Window) -> Option<String> {
    let number = window.ordinal.map(number_of);
    let time = number.or_else(|| window.start.map(|start| start.short()));
    let segment = window.segment.as_ref().map(|segment| clean(&segment.to_string()));
    match (time, segment) {
        (None, None) => None,
        (time, segment) => Some([time, segment].into_iter().flatten().collect::<Vec<_>>().join(", ")),
    }
}

/// What a window of rows is called: its number as the report has it.
pub(super) fn number_of(ordinal: u64) -> String {
    format!("window {ordinal}")
}

/// The features in the order in which a person should look at them: by severity, then by how much they moved.
pub(super) fn ranked(features: &[Feature]) -> Vec<&Feature> {
    let mut ranked: Vec<&Feature> = features.iter().collect();
    ranked.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then_with(|| a.name.cmp(&b.name)));
    ranked
}

/// Severity first; the contribution to the window's drift, or else the PSI, decides among equals.
fn weight(feature: &Feature) -> f64 {
    let psi = feature.metrics.of(Metric::Psi);
    let moved =
        feature.contribution.or_else(|| psi.and_then(|psi| psi.corrected.or(psi.value))).unwrap_or(0.0);
    // Squeezed below 1, so that no contribution outweighs a severity.
    f64::from(feature.verdict.severity()) + moved.max(0.0) / (1.0 + moved.max(0.0))
}

/// The measure that speaks loudest: `psi 0.310`.
fn headline(feature: &Feature) -> Option<String> {
    let judged =
        feature.metrics.0.iter().filter_map(|(metric, measure)| Some((metric, measure, measure.verdict?)));
    // The first of equals, in the order of metrics.
    let (metric, measure, _) = judged.rev().max_by_key(|(_, _, verdict)| verdict.severity())?;
    let number = if metric.is_rate() { percent(measure.value?) } else { value(measure.value) };
    Some(format!("{metric} {number}"))
}

/// `up` or `down`, from the first metric that can tell, distances of the distribution before rates.
fn direction(feature: &Feature) -> Option<&'static str> {
    let told =
        [Metric::Ks, Metric::MeanShift, Metric::Wasserstein, Metric::WassersteinNormalized, Metric::Psi];
    let direction = told.iter().find_map(|metric| feature.metrics.of(*metric)?.direction)?;
    Some(match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    })
}

/// What moved, in a few words: rates that breached, the direction, the two cells that moved most; or why nothing is
/// said. Empty for a feature that is fine.
pub(super) fn what_moved(feature: &Feature) -> String {
    if let Some(reason) = &feature.reason {
        return clean(reason);
    }
    if matches!(feature.verdict, Verdict::Ok | Verdict::Skipped) {
        return String::new();
    }
    let mut parts = Vec::new();
    for (metric, measure) in feature.metrics.0.iter().filter(|(metric, _)| metric.is_rate()) {
        if matches!(measure.verdict, Some(Verdict::Warn | Verdict::Drift)) {
            parts.push(rate(*metric, measure));
        }
    }
    let is_shifted = feature.metrics.0.iter().any(|(metric, measure)| {
        !metric.is_rate() && measure.verdict.is_some_and(|v| v.severity() > Verdict::Ok.severity())
    });
    if is_shifted {
        parts.extend(direction(feature).map(str::to_owned));
        let embedded = moved_parts(feature);
        // The clusters' shares are only of interest where they moved.
        if embedded.is_empty() || embedded.contains(&"clusters") {
            parts.extend(feature.top.iter().take(2).map(cell));
        }
        // The surest way of each part that moved.
        for part in &embedded {
            let of_part = |own: &&Way| own.part.strip_prefix("embedding_") == Some(*part);
            let told = feature.directions.iter().filter(|own| own.kind != "within_components");
            parts.extend(told.clone().find(of_part).map(|own| clean(&own.label)));
        }
        if !embedded.is_empty() {
            parts.insert(0, embedded.join(", "));
        }
    }
    parts.join("; ")
}

/// Which parts of an embedding moved, the surest first; empty for other kinds.
fn moved_parts(feature: &Feature) -> Vec<&'static str> {
    let mut moved: Vec<(f64, &str)> = EMBEDDING_PARTS
        .iter()
        .filter_map(|metric| {
            let name = metric.name();
            Some((feature.metrics.of(*metric)?.p_value?, name.strip_prefix("embedding_").unwrap_or(name)))
        })
        .filter(|(p, _)| *p <= PART_P)
        .collect();
    moved.sort_by(|a, b| a.0.total_cmp(&b.0));
    moved.into_iter().map(|(_, name)| name).collect()
}

fn rate(metric: Metric, measure: &Measure) -> String {
    let name = match metric {
        Metric::NullRate => "nulls",
        Metric::NanRate => "NaN",
        Metric::NewCategoryRate => "new categories",
        Metric::OutOfRangeRate => "out of range",
        Metric::TypeErrorRate => "type errors",
        Metric::ZeroRate => "zero vectors",
        other => other.name(),
    };
    let now = measure.value.map_or_else(|| value(None), percent);
    match measure.baseline {
        Some(before) => format!("{name} {} → {now}", percent(before)),
        None => format!("{name} {now}"),
    }
}

fn cell(cell: &Cell) -> String {
    format!("{} {} → {}", clean(&cell.label), percent(cell.baseline), percent(cell.window))
}

/// The p- or q-value that a person is shown: of the feature's family, else the smallest of a metric's own.
pub(super) fn significance(feature: &Feature) -> Option<f64> {
    let of = |pick: fn(&Measure) -> Option<f64>| {
        feature.metrics.0.values().filter_map(pick).filter(|p| p.is_finite()).reduce(f64::min)
    };
    of(|measure| measure.q_value).or_else(|| of(|measure| measure.p_value))
}
