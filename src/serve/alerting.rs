//! From judged windows to alerts: what a track is shown, and what a person is told.

use driftlead_engine::alert::{Change, ChangeKind, Observation, Part};
use driftlead_engine::window::{Span, WindowIndex};
use driftlead_engine::{Metric, id, policy};

use super::wire::{Alert, Cause, Period, Status, WindowRef};
use crate::job::segments::pairs_of;
use crate::report::Verdict;
use crate::report::wire::{Feature, Measure, Model, On, Segment, ThresholdSource, Window};
use crate::time::Timestamp;

/// Shows the windows of one closing, whole and segments, to `see` as a track takes them.
pub(super) fn observe<T>(
    windows: &[Window],
    segments: &[Option<String>],
    at: (WindowIndex, Span),
    see: impl FnOnce(&Observation<'_>) -> T,
) -> T {
    let features: Vec<Vec<&str>> = windows.iter().map(|window| drifting(window).collect()).collect();
    let parts: Vec<Part<'_>> = windows
        .iter()
        .zip(segments)
        .zip(&features)
        .map(|((window, segment), features)| Part {
            segment: segment.as_deref(),
            verdict_id: &window.id,
            revision: window.arrival.map_or(0, |arrival| arrival.revision),
            verdict: told(window),
            judged: judged(window),
            features,
        })
        .collect();
    let arrival = windows.first().and_then(|window| window.arrival);
    see(&Observation {
        window: at.0,
        span: at.1,
        is_final: arrival.is_none_or(|arrival| arrival.is_final),
        is_partial: arrival.is_some_and(|arrival| arrival.partial),
        parts: &parts,
    })
}

/// The message of a change, of a model whose rows have event times or not, but for when the alert was opened. `window` is the
/// window that brought it, where it is at hand.
pub(super) fn message(
    (model, is_timed): (Model, bool),
    name: &str,
    change: &Change,
    window: Option<&Window>,
    now: i64,
) -> Alert {
    let period = |span: Span| Period {
        start: is_timed.then(|| Timestamp::from_micros(span.start)),
        end: is_timed.then(|| Timestamp::from_micros(span.end)),
    };
    Alert {
        id: change.alert_id.clone(),
        revision: change.revision,
        time: Timestamp::from_micros(now),
        opened: None,
        model,
        status: match change.kind {
            ChangeKind::Opened => Status::Open,
            ChangeKind::Updated => Status::Update,
            ChangeKind::Resolved { .. } => Status::Resolved,
        },
        severity: change.severity.name().to_owned(),
        window: name.to_owned(),
        segment: segment(change.segment.as_deref()),
        first_window: period(change.first_window),
        last_window: WindowRef { id: change.verdict_id.clone(), period: period(change.window) },
        reason: match change.kind {
            ChangeKind::Resolved { reason } => Some(reason.name().to_owned()),
            _ => None,
        },
        causes: window.map(causes).unwrap_or_default(),
        segments: change.folded_segments.iter().filter_map(|text| segment(Some(text))).collect(),
    }
}

/// A segment's text as the contract writes it.
pub(super) fn segment(text: Option<&str>) -> Option<Segment> {
    text.and_then(pairs_of).map(Segment)
}

/// A segment as the engine's text (SEMANTICS S18).
pub(super) fn segment_text(segment: &Segment) -> String {
    let pairs: Vec<(&str, Option<&str>)> =
        segment.0.iter().map(|(column, value)| (column.as_str(), value.as_deref())).collect();
    id::segment(&pairs)
}

/// The verdict of a window as far as alerts go: without what the default says of its number of rows. That is `warn` at
/// most, so it opens nothing; and it may be so for months (a baseline that is a sample, traffic that has grown), in which
/// an alert on a feature that is calm again must not stay open for it. A rule on `row_count` is somebody's wish, and counts.
fn told(window: &Window) -> policy::Verdict {
    let source = window.metrics.of(Metric::RowCount).and_then(|count| count.threshold_source);
    match source {
        Some(ThresholdSource::Default) => {
            policy::window_verdict(window.features.iter().map(|feature| verdict_of(feature.verdict)))
        }
        Some(ThresholdSource::Model) | None => verdict_of(window.verdict),
    }
}

fn drifting(window: &Window) -> impl Iterator<Item = &str> {
    window.features.iter().filter(|feature| feature.verdict == Verdict::Drift).map(|own| own.name.as_str())
}

fn judged(window: &Window) -> u32 {
    let is_judged = |verdict| matches!(verdict, Verdict::Ok | Verdict::Info | Verdict::Warn | Verdict::Drift);
    let judged = window.features.iter().filter(|feature| is_judged(feature.verdict)).count();
    u32::try_from(judged).unwrap_or(u32::MAX)
}

/// What moved in a window: drifting features by share, then their worst metric.
fn causes(window: &Window) -> Vec<Cause> {
    let mut features: Vec<&Feature> =
        window.features.iter().filter(|feature| feature.verdict == Verdict::Drift).collect();
    features.sort_by(|a, b| {
        let share = |feature: &Feature| feature.contribution.unwrap_or(0.0);
        share(b).total_cmp(&share(a)).then_with(|| a.name.cmp(&b.name))
    });
    let mut causes: Vec<Cause> = features
        .into_iter()
        .map(|feature| {
            let worst = breached(feature.metrics.0.iter());
            Cause {
                feature: feature.name.clone(),
                metric: worst.as_ref().map(|(name, ..)| name.clone()).unwrap_or_default(),
                value: worst.as_ref().and_then(|(_, value, _)| *value),
                threshold: worst.and_then(|(.., threshold)| threshold),
                share: feature.contribution,
                top: feature.top.clone(),
                directions: feature.directions.clone(),
            }
        })
        .collect();
    // The number of rows belongs to no feature.
    if let Some((metric, value, threshold)) = breached(window.metrics.0.iter()) {
        causes.push(Cause {
            feature: String::new(),
            metric,
            value,
            threshold,
            share: None,
            top: Vec::new(),
            directions: Vec::new(),
        });
    }
    causes
}

/// The metric that drifts by the largest multiple of its bound: name, the number compared, the bound.
fn breached<'a>(
    metrics: impl Iterator<Item = (&'a Metric, &'a Measure)>,
) -> Option<(String, Option<f64>, Option<f64>)> {
    let excess = |metric: Metric, measure: &Measure| {
        let (Some(value), Some(bound)) = (compared(metric, measure), measure.drift) else { return 0.0 };
        if bound > 0.0 { value / bound } else { value }
    };
    metrics
        .filter(|(_, measure)| measure.verdict == Some(Verdict::Drift))
        .max_by(|(a, of_a), (b, of_b)| excess(**a, of_a).total_cmp(&excess(**b, of_b)))
        .map(|(metric, measure)| {
            let below = measure.below.and_then(|below| below.drift);
            (metric.to_string(), compared(*metric, measure), measure.drift.or(below))
        })
}

/// The number that a bound was held against (SEMANTICS S11).
fn compared(metric: Metric, measure: &Measure) -> Option<f64> {
    match measure.on {
        Some(On::Corrected) => measure.corrected,
        Some(On::PValue) => measure.p_value,
        Some(On::Value) => measure.value,
        None if matches!(metric, Metric::Psi | Metric::Kl) => measure.corrected.or(measure.value),
        None => measure.value,
    }
}

fn verdict_of(verdict: Verdict) -> policy::Verdict {
    match verdict {
        Verdict::Ok => policy::Verdict::Ok,
        Verdict::Info => policy::Verdict::Info,
        Verdict::Warn => policy::Verdict::Warn,
        Verdict::Drift => policy::Verdict::Drift,
        Verdict::Insufficient => policy::Verdict::Insufficient,
        Verdict::Error => policy::Verdict::Error,
        Verdict::Skipped => policy::Verdict::Skipped,
    }
}
