//! The rows of signals as tables, with the columns and types that Azure ML's components have.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};

use super::{DriftRow, QualityRow, is_numeric, kind_name};
use crate::exit::{Error, Result};
use crate::job::compat::azureml::{FeatureExtract, Histogram, Pair};
use crate::report::wire::Feature;

/// The rows of drift, and those of the row counts, which have no bound.
pub(super) fn drift_rows(rows: &[DriftRow], counts: Pair) -> Result<RecordBatch> {
    #[expect(clippy::cast_precision_loss, reason = "the service keeps float32")]
    let counts = [("BaselineRowCount", counts[0] as f32), ("TargetRowCount", counts[1] as f32)];
    let no = counts.iter();
    let features =
        rows.iter().map(|row| row.feature.as_str()).chain(no.clone().map(|_| "")).collect::<Vec<_>>();
    let values = rows.iter().map(|row| row.value).chain(no.clone().map(|(_, count)| *count));
    let kinds = rows.iter().map(|row| kind_name(row.kind)).chain(no.clone().map(|_| ""));
    let names = rows.iter().map(|row| row.metric.wire()).chain(no.clone().map(|(name, _)| *name));
    let bounds = rows.iter().map(|row| row.threshold).chain(no.map(|_| None));
    table(vec![
        ("feature_name", texts(features.iter().copied())),
        ("metric_value", Arc::new(values.collect::<Float32Array>())),
        ("data_type", texts(kinds)),
        ("metric_name", texts(names)),
        ("group", texts(features.iter().copied())),
        ("group_pivot", texts(features.iter().map(|_| ""))),
        ("threshold_value", Arc::new(bounds.collect::<Float32Array>())),
    ])
}

/// The rows of data quality, and that of the row count: its bound is null, for in Azure it is the baseline's count and a
/// share, which every larger window breaches.
pub(super) fn quality_rows(rows: &[QualityRow], counts: Pair) -> Result<RecordBatch> {
    #[expect(clippy::cast_precision_loss, reason = "a count that Azure keeps as a float")]
    let [baseline, target] = counts.map(|count| count as f64);
    let features = rows.iter().map(|row| row.feature.as_str()).chain([""]).collect::<Vec<_>>();
    let names = rows.iter().map(|row| row.metric.wire()).chain(["RowCount"]);
    let kinds = rows.iter().map(|row| kind_name(row.kind)).chain([""]);
    let of = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
    let targets: Vec<f64> = rows.iter().map(|row| row.target).chain([target]).collect();
    let bounds = rows.iter().map(|row| row.threshold).chain([None]);
    table(vec![
        ("feature_name", texts(features.iter().copied())),
        ("metric_name", texts(names)),
        ("data_type", texts(kinds)),
        ("baseline_metric_value", of(rows.iter().map(|row| row.baseline).chain([baseline]).collect())),
        ("target_metric_value", of(targets.clone())),
        ("group", texts(features.iter().copied())),
        ("group_pivot", texts(features.iter().map(|_| ""))),
        ("metric_value", of(targets)),
        ("threshold_value", Arc::new(bounds.collect::<Float64Array>())),
    ])
}

/// Rows of a bar, from where to where it is, and its category.
type Bar<'a> = (u64, Option<f64>, Option<f64>, Option<&'a str>);

/// The bars of one side, 0 for the baseline's.
pub(super) fn histogram_rows(features: &[(&Feature, &FeatureExtract)], side: usize) -> Result<RecordBatch> {
    let (mut names, mut counts, mut lows, mut highs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut categories, mut kinds) = (Vec::new(), Vec::new());
    for (feature, own) in features {
        let Ok(histogram) = &own.histogram else { continue };
        let kind = if is_numeric(histogram) { "numerical" } else { "categorical" };
        let bars: Vec<Bar<'_>> = match histogram {
            Histogram::Numeric(bars) => bars
                .iter()
                .map(|bar| ([bar.reference, bar.current][side], Some(bar.low), Some(bar.high), Some("")))
                .collect(),
            Histogram::Categorical(list) => {
                list.iter().map(|(name, rows)| (rows[side], None, None, name.as_deref())).collect()
            }
        };
        for (count, low, high, category) in bars {
            names.push(feature.name.as_str());
            counts.push(i64::try_from(count).unwrap_or(i64::MAX));
            lows.push(low);
            highs.push(high);
            categories.push(category);
            kinds.push(kind);
        }
    }
    table(vec![
        ("feature_bucket", texts(names)),
        ("bucket_count", Arc::new(Int64Array::from(counts))),
        ("lower_bound", Arc::new(Float64Array::from(lows))),
        ("upper_bound", Arc::new(Float64Array::from(highs))),
        ("category_bucket", Arc::new(categories.into_iter().collect::<StringArray>())),
        ("data_type", texts(kinds)),
    ])
}

fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn table(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .map_err(|error| Error::run("the rows of a signal are no table").because(error))
}
