//! What the monitor of Azure ML keeps of a window beside its metrics: histograms, rows, and rates of bad rows.
//!
//! These are its numbers, with what is odd about them: a missing value is filled in with the median or the most frequent
//! value of its own side before bounds are looked at, and counts as of the wrong type where it is not filled in (of
//! whole numbers as categories, and of booleans). Only windows of the whole: Azure has no segments.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Schema};
use driftlead_connectors::dataset::Remotes;
use driftlead_engine::compat::Counts;
use driftlead_engine::compat::azureml::{Bar, bars};
use driftlead_engine::feature::Family;
use driftlead_engine::score::describe;

use super::places::Places;
use super::side::Side;
use super::{Feature, Job, Rows};
use crate::exit::Result;
use crate::job::baseline;
use crate::job::windows::Bounds;
use crate::report::wire;

/// A pair of numbers: of the baseline, and of the window.
pub type Pair = [u64; 2];

/// What is kept of a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extract {
    /// Its place among the windows of the report.
    pub window: usize,
    /// Rows.
    pub rows: Pair,
    /// Rows with a value in every feature.
    pub complete: Pair,
    /// The features that can be compared.
    pub features: Vec<FeatureExtract>,
}

/// What is kept of a feature.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureExtract {
    /// Its place among the features of the window.
    pub index: usize,
    /// Its histogram, or why there is none.
    pub histogram: std::result::Result<Histogram, String>,
    /// Rows without a value.
    pub nulls: Pair,
    /// Rows whose value is not of the baseline's type.
    pub type_errors: Pair,
    /// Rows beyond the baseline's range, or with a text that it does not have; `None` where Azure does not look.
    pub out_of_bounds: Option<Pair>,
}

/// Bars of both sides.
#[derive(Clone, Debug, PartialEq)]
pub enum Histogram {
    /// Of numbers.
    Numeric(Vec<Bar>),
    /// Of categories, those of the baseline first and by frequency; `None` is what is missing.
    Categorical(Vec<(Option<String>, Pair)>),
}

/// The most categories with a bar of their own; the others are one, `Other`.
const MAX_CATEGORIES: usize = 100;

impl Job<'_> {
    /// What is kept of each window of the whole that has rows. Reads the rows once more.
    ///
    /// # Errors
    ///
    /// If rows cannot be read.
    pub(in crate::job) fn extracts(
        &self,
        windows: &[wire::Window],
        remotes: &Arc<Remotes>,
    ) -> Result<Vec<Extract>> {
        // Refused before: a baseline of counts has no rows.
        let Some(paths) = self.baseline_rows else { return Ok(Vec::new()) };
        let opened = baseline::open(self.config, paths, remotes)?;
        let features = self.features(Some(&opened), windows);
        let places = Places::read(&opened, None, Bounds::default(), self.segments)?;
        let complete = Some(vec![true; places.n_rows]);
        let mut before = Rows { input: &opened, places, complete };
        let places = Places::read(self.data, self.time, self.bounds, self.segments)?;
        let complete = Some(vec![true; places.n_rows]);
        let mut now = Rows { input: self.data, places, complete };

        let span = |window: &wire::Window| {
            window.start.zip(window.end).map(|(start, end)| (start.micros(), end.micros()))
        };
        let mut extracts: Vec<Extract> = windows
            .iter()
            .enumerate()
            .filter(|(_, window)| window.segment.is_none() && window.rows > 0)
            .map(|(window, own)| Extract {
                window,
                rows: [before.places.rows(None, None).len(), now.places.rows(None, span(own)).len()]
                    .map(|n| n as u64),
                ..Extract::default()
            })
            .collect();
        let rows = before.places.n_rows + now.places.n_rows;
        let at_once = usize::try_from(self.max_values / (rows as u64).max(1)).unwrap_or(usize::MAX).max(1);
        for group in features.chunks(at_once) {
            let of_baseline = before.columns(group, |f| f.baseline)?;
            let of_data = now.columns(group, |f| Some(f.data))?;
            before.mark_missing(&of_baseline);
            now.mark_missing(&of_data);
            for (at, feature) in group.iter().enumerate() {
                for extract in &mut extracts {
                    let window = &windows[extract.window];
                    let sides = [
                        before.side(&of_baseline[at], None, None, false),
                        now.side(&of_data[at], None, span(window), false),
                    ];
                    let is_text = is_text(opened.schema(), feature);
                    let seen = &window.features[feature.index];
                    extract.features.push(of_feature(feature, &sides, extract.rows, is_text, seen));
                }
            }
        }
        for extract in &mut extracts {
            let span = span(&windows[extract.window]);
            let count = |rows: &Rows<'_>, span| {
                let complete = rows.complete.as_deref().unwrap_or_default();
                rows.places.rows(None, span).iter().filter(|row| complete[**row]).count() as u64
            };
            extract.complete = [count(&before, None), count(&now, span)];
        }
        Ok(extracts)
    }
}

fn is_text(schema: &Schema, feature: &Feature<'_>) -> bool {
    let of =
        |data_type: &DataType| matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    feature.baseline.is_some_and(|place| match schema.field(place).data_type() {
        DataType::Dictionary(_, values) => of(values),
        data_type => of(data_type),
    })
}

fn of_feature(
    feature: &Feature<'_>,
    sides: &[Side<'_>; 2],
    rows: Pair,
    is_text: bool,
    seen: &wire::Feature,
) -> FeatureExtract {
    let before =
        feature.own.state(None).map(|state| describe(feature.own.cells(), state)).unwrap_or_default();
    let nulls = [before.nulls, seen.nulls];
    let mut type_errors = [0, seen.type_errors];
    let mut out_of_bounds = None;
    let histogram = match sides {
        _ if feature.family() == Family::Time => Err("dates and times are no numbers to Azure ML".to_owned()),
        [Side::Numbers { sorted: base, .. }, Side::Numbers { sorted: prod, .. }] => {
            out_of_bounds = Some([0, beyond(base, prod)]);
            let smaller = usize::try_from(rows[0].min(rows[1])).unwrap_or(usize::MAX);
            bars(base, prod, smaller).map(Histogram::Numeric).map_err(|error| error.to_string())
        }
        [Side::Names { counts: base, .. }, Side::Names { counts: prod, .. }] => {
            for (side, counts) in [base, prod].into_iter().enumerate() {
                let most = counts.values().max().copied().unwrap_or(0);
                if !is_text || nulls[side] > most {
                    type_errors[side] += nulls[side];
                }
            }
            if is_text {
                out_of_bounds = Some([0, unknown(base, prod, nulls[1])]);
            }
            Ok(Histogram::Categorical(categories(base, prod, nulls)))
        }
        _ => Err("its two sides are not of one kind".to_owned()),
    };
    FeatureExtract { index: feature.index, histogram, nulls, type_errors, out_of_bounds }
}

/// How many of `prod` lie beyond the values of `base`, what is missing filled in with the median. Both are sorted, NaN at
/// the ends. NaN in the baseline is its greatest value, as Spark orders it.
fn beyond(base: &[f64], prod: &[f64]) -> u64 {
    let there = |side: &[f64]| -> Vec<f64> { side.iter().copied().filter(|x| !x.is_nan()).collect() };
    let (own, values) = (there(base), there(prod));
    let (Some(least), Some(greatest)) = (own.first(), own.last()) else { return 0 };
    let is_beyond = |x: f64| x < *least || x > *greatest;
    let median = values.get(values.len().div_ceil(2).saturating_sub(1));
    let filled = median.filter(|median| is_beyond(**median)).map_or(0, |_| prod.len() - values.len());
    (values.into_iter().filter(|x| is_beyond(*x)).count() + filled) as u64
}

/// How many of `prod` have a text that `base` has not, what is missing filled in with the most frequent one.
fn unknown(base: &Counts, prod: &Counts, nulls: u64) -> u64 {
    let new: u64 = prod.iter().filter(|(name, _)| !base.contains_key(*name)).map(|(_, rows)| rows).sum();
    let most = prod.iter().max_by_key(|(_, rows)| **rows);
    let filled = most.is_some_and(|(name, rows)| *rows >= nulls && !base.contains_key(name));
    new + if filled { nulls } else { 0 }
}

/// The categories by their rows in the baseline, then by name; what is beyond the first hundred is `Other`.
fn categories(base: &Counts, prod: &Counts, nulls: Pair) -> Vec<(Option<String>, Pair)> {
    let names: BTreeSet<&String> = base.keys().chain(prod.keys()).collect();
    let count = |counts: &Counts, name: &str| counts.get(name).copied().unwrap_or(0);
    let mut list: Vec<(Option<String>, Pair)> =
        names.into_iter().map(|name| (Some(name.clone()), [count(base, name), count(prod, name)])).collect();
    if nulls != [0, 0] {
        list.push((None, nulls));
    }
    list.sort_by(|(a, x), (b, y)| (y[0], y[1]).cmp(&(x[0], x[1])).then_with(|| a.cmp(b)));
    let rest = list.split_off(list.len().min(MAX_CATEGORIES));
    if !rest.is_empty() {
        let sum = |side: usize| rest.iter().map(|(_, rows)| rows[side]).sum();
        list.push((Some("Other".to_owned()), [sum(0), sum(1)]));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_filled_in_before_bounds_are_looked_at() {
        let nan = f64::NAN;
        assert_eq!(beyond(&[1.0, 2.0, 3.0], &[0.0, 2.0, 4.0, nan]), 2);
        assert_eq!(beyond(&[1.0, 2.0, 3.0], &[4.0, 5.0, nan, nan]), 4);
        assert_eq!(beyond(&[nan], &[1.0]), 0);
        let counts =
            |list: &[(&str, u64)]| -> Counts { list.iter().map(|(n, c)| ((*n).to_owned(), *c)).collect() };
        let base = counts(&[("a", 5)]);
        assert_eq!(unknown(&base, &counts(&[("a", 3), ("b", 2)]), 2), 2);
        assert_eq!(unknown(&base, &counts(&[("a", 1), ("b", 4)]), 2), 6);
        assert_eq!(unknown(&base, &counts(&[("b", 1)]), 2), 1);
    }

    #[test]
    fn beyond_a_hundred_categories_the_others_are_counted() {
        let base: Counts = (0..150_u64).map(|i| (format!("c{i:03}"), 1_000 - i)).collect();
        let prod = Counts::from([("c149".to_owned(), 7), ("new".to_owned(), 3)]);
        let list = categories(&base, &prod, [0, 1]);
        assert_eq!(list.len(), 101);
        assert_eq!(list[0], (Some("c000".to_owned()), [1_000, 0]));
        let rest: u64 = (100..150).map(|i| 1_000 - i).sum();
        assert_eq!(list[100], (Some("Other".to_owned()), [rest, 11]));
    }
}
