//! A report as the monitor of Azure ML would have left it: `driftlead check --azureml DIR`.
//!
//! For each signal the rows of its metrics and histograms as tables, `signals/NAME.json` of version 1.0.0 with a histogram a
//! feature, and `manifest.json`. What has one of Azure's names is Azure's number (`engine/src/compat/azureml.rs`,
//! [`crate::job::compat::azureml`]), as float32 where the service keeps float32. The bounds are those of the model's rules.
//!
//! A bound that is not there is null, and is never breached; which side is bad is said for every metric by name. Both are
//! other than in Azure's own code, on purpose (docs/azure.md).

mod breach;
mod signal;
mod table;
#[cfg(test)]
mod tests;

use driftlead_engine::Kind;
use serde_json::{Map, Value, json};

pub use self::breach::breached;
use self::signal::{drift, quality};
use self::table::{drift_rows, histogram_rows, quality_rows};
use super::monitor::Metric;
use crate::exit::{Error, Result};
use crate::job::compat::azureml::{Extract, FeatureExtract, Histogram};
use crate::report::wire::{Feature, Report, ThresholdSource, Window};

/// What the SDK calls the signals that it makes by itself.
const DATA_DRIFT: &str = "data-drift-signal";
const PREDICTION_DRIFT: &str = "prediction-drift-signal";
const DATA_QUALITY: &str = "data-quality-signal";

/// The version of the layout.
const VERSION: &str = "1.0.0";

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path from the folder, with `/` between names.
    pub path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// A metric of a feature, as a row.
#[derive(Clone, Debug, PartialEq)]
struct DriftRow {
    feature: String,
    kind: Kind,
    metric: Metric,
    value: f32,
    threshold: Option<f32>,
}

/// A rate of bad rows of a feature, as a row.
#[derive(Clone, Debug, PartialEq)]
struct QualityRow {
    feature: String,
    kind: Kind,
    metric: Metric,
    baseline: f64,
    target: f64,
    threshold: Option<f64>,
}

/// The files of a report, and what has to be said about them. Features among `predictions` are those of prediction drift.
///
/// # Errors
///
/// A table cannot be written.
pub fn files(
    report: &Report,
    extracts: &[Extract],
    predictions: &[String],
) -> Result<(Vec<File>, Vec<String>)> {
    let (mut files, mut notes) = (Vec::new(), Vec::new());
    for extract in extracts {
        let Some(window) = report.windows.get(extract.window) else { continue };
        let folder = if extracts.len() == 1 { String::new() } else { folder(window) };
        of_window(window, extract, predictions, &folder, &mut files, &mut notes)?;
    }
    Ok((files, notes))
}

/// The folder of one of several windows.
fn folder(window: &Window) -> String {
    let start = window.start.map_or_else(|| "all".to_owned(), |start| start.to_string().replace(':', ""));
    format!("{}/{start}/", encoded(&window.name))
}

/// A name that is one name in a path, and of no other name.
fn encoded(name: &str) -> String {
    let is_plain = |c: char| !matches!(c, '/' | '\\' | '%' | ':') && !c.is_control();
    let mut out = String::new();
    for (at, c) in name.chars().enumerate() {
        if is_plain(c) && !(at == 0 && c == '.') {
            out.push(c);
        } else {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|byte| out.push_str(&format!("%{byte:02X}")));
        }
    }
    out
}

fn of_window(
    window: &Window,
    extract: &Extract,
    predictions: &[String],
    folder: &str,
    files: &mut Vec<File>,
    notes: &mut Vec<String>,
) -> Result<()> {
    let of = |is_prediction: bool| -> Vec<(&Feature, &FeatureExtract)> {
        let pairs = extract.features.iter().filter_map(|own| Some((window.features.get(own.index)?, own)));
        pairs.filter(|(feature, _)| predictions.contains(&feature.name) == is_prediction).collect()
    };
    let (mut names, mut breaches) = (Vec::new(), Vec::new());
    let mut put = |path: String, bytes: Vec<u8>| files.push(File { path: format!("{folder}{path}"), bytes });
    for (name, kind, features) in
        [(DATA_DRIFT, "DataDrift", of(false)), (PREDICTION_DRIFT, "PredictionDrift", of(true))]
    {
        if features.is_empty() {
            continue;
        }
        let rows = drift_rows_of(&features, notes);
        put_table(&format!("signal_metrics/{name}"), &drift_rows(&rows, extract.complete)?, &mut put)?;
        for (side, at) in [("baseline", 0), ("target", 1)] {
            let table = histogram_rows(&features, at)?;
            put_table(&format!("{side}_histogram/{name}"), &table, &mut put)?;
        }
        for (feature, own) in &features {
            let Ok(histogram) = &own.histogram else { continue };
            let path = format!("signals/{name}/{}.histogram.json", encoded(&feature.name));
            put(path, pretty(&signal::histogram(&feature.name, histogram)));
        }
        let with_histogram = |row: &DriftRow| {
            let own = features.iter().find(|(feature, _)| feature.name == row.feature);
            own.is_some_and(|(_, own)| own.histogram.is_ok())
        };
        put(
            format!("signals/{name}.json"),
            pretty(&drift(name, kind, &rows, extract.complete, with_histogram)),
        );
        let breached = rows.iter().filter(|row| {
            breached(row.metric.wire(), Some(row.value.into()), row.threshold.map(f64::from)) == Some(true)
        });
        let of_rows: Vec<Value> = breached
            .map(|row| {
                breach::entry(&row.feature, row.metric, row.value.into(), row.threshold.map(f64::from))
            })
            .collect();
        names.push(name);
        breaches.extend(breach::message(name, &of_rows));
    }
    let features = of(false);
    if !features.is_empty() {
        let rows = quality_rows_of(&features, extract);
        put_table(&format!("signal_metrics/{DATA_QUALITY}"), &quality_rows(&rows, extract.rows)?, &mut put)?;
        put(format!("signals/{DATA_QUALITY}.json"), pretty(&quality(DATA_QUALITY, &rows, extract.rows)));
        let breached = rows
            .iter()
            .filter(|row| breached(row.metric.wire(), Some(row.target), row.threshold) == Some(true));
        let of_rows: Vec<Value> =
            breached.map(|row| breach::entry(&row.feature, row.metric, row.target, row.threshold)).collect();
        names.push(DATA_QUALITY);
        breaches.extend(breach::message(DATA_QUALITY, &of_rows));
    }
    if !breaches.is_empty() {
        put("tags.json".to_owned(), pretty(&json!({ breach::TAG: breaches.join("\n") })));
    }
    let list: Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), format!("signals/{name}.json").into())).collect();
    put("manifest.json".to_owned(), pretty(&json!({"version": VERSION, "metricsFiles": list})));
    Ok(())
}

/// A table as a folder that Azure ML reads as an MLTable.
fn put_table(
    path: &str,
    rows: &arrow_array::RecordBatch,
    put: &mut impl FnMut(String, Vec<u8>),
) -> Result<()> {
    let bytes = driftlead_connectors::parquet_file::bytes(rows)
        .map_err(|error| Error::run(format!("cannot write the table `{path}`")).because(error))?;
    put(format!("{path}/data/part-00000.parquet"), bytes);
    let text = "paths:\n- pattern: ./data/*.parquet\ntransformations:\n- read_parquet\n";
    put(format!("{path}/MLTable"), text.as_bytes().to_vec());
    Ok(())
}

/// JSON with four spaces before each level, as there.
fn pretty(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    // Writing to memory does not fail, and every key is a string.
    drop(serde::Serialize::serialize(value, &mut serializer));
    bytes
}

/// The metrics that Azure has of each feature, in the order of features. One that it refuses has no row.
fn drift_rows_of(features: &[(&Feature, &FeatureExtract)], notes: &mut Vec<String>) -> Vec<DriftRow> {
    let mut rows = Vec::new();
    for (feature, _) in features {
        let tool = driftlead_engine::compat::Tool::AzureMl.name();
        for own in feature.compat.iter().filter(|own| own.tool == tool) {
            let Some(metric) = Metric::parse(&own.metric) else { continue };
            let threshold = threshold(feature, metric);
            match own.value {
                #[expect(clippy::cast_possible_truncation, reason = "the service keeps float32")]
                Some(value) => rows.push(DriftRow {
                    feature: feature.name.clone(),
                    kind: feature.kind,
                    metric,
                    value: value as f32,
                    threshold: threshold.map(|bound| bound as f32),
                }),
                None if threshold.is_some() => notes.push(format!(
                    "`{}` of `{}` has a threshold and no row: {}",
                    own.metric,
                    feature.name,
                    own.reason.as_deref().unwrap_or("it has no value")
                )),
                None => {}
            }
        }
    }
    rows
}

fn quality_rows_of(features: &[(&Feature, &FeatureExtract)], extract: &Extract) -> Vec<QualityRow> {
    #[expect(clippy::cast_precision_loss, reason = "a rate of five digits")]
    let rate = |count: u64, side: usize| {
        let rows = extract.rows[side].max(1) as f64;
        (count as f64 / rows * 1e5).round() / 1e5
    };
    let mut rows = Vec::new();
    for (feature, own) in features {
        let metrics = [
            (Metric::NullRate, Some(own.nulls)),
            (Metric::TypeErrorRate, Some(own.type_errors)),
            (Metric::OutOfBoundsRate, own.out_of_bounds),
        ];
        for (metric, counts) in metrics {
            let Some([before, now]) = counts else { continue };
            let baseline = rate(before, 0);
            rows.push(QualityRow {
                feature: feature.name.clone(),
                kind: feature.kind,
                metric,
                baseline,
                target: rate(now, 1),
                threshold: threshold(feature, metric).map(|more| baseline + more),
            });
        }
    }
    rows
}

/// The bound that the model has for what Azure calls `metric`: that of a rule on the number which means the same.
fn threshold(feature: &Feature, metric: Metric) -> Option<f64> {
    let (ours, on, is_below) = metric.ours(feature.kind);
    let measure =
        feature.metrics.of(ours).filter(|own| own.threshold_source == Some(ThresholdSource::Model))?;
    let is_p = measure.on == Some(crate::report::wire::On::PValue);
    let bound = if is_below { measure.below.and_then(|below| below.drift) } else { measure.drift };
    bound.filter(|bound| bound.is_finite() && is_p == (on == driftlead_engine::policy::On::PValue))
}

/// What Azure calls a kind.
fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Numeric => "Numerical",
        Kind::Categorical | Kind::Embedding => "Categorical",
    }
}

/// Whether a histogram is of numbers.
fn is_numeric(histogram: &Histogram) -> bool {
    matches!(histogram, Histogram::Numeric(_))
}
