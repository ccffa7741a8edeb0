//! Nothing has changed: the tests of any change at all, and beside them those of a minimum effect.

use arrow_array::builder::Float64Builder;
use arrow_array::{Array, ArrayRef, Float64Array, StringArray};
use driftlead_engine::policy::feature_p;
use driftlead_engine::score::Measured;
use driftlead_engine::{Kind, Metric, Result};
use std::sync::Arc;

use crate::draw::{Drift, Shape};
use crate::experiment::{Experiment, Sizes, grid};
use crate::pipeline;
use crate::random::Random;
use crate::tally::Demand;

/// What disturbs a column without being a drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// Nothing.
    None,
    /// One row of the window is 1e9.
    OutlierInWindow,
    /// One row of the baseline is 1e9.
    OutlierInBaseline,
    /// One row of the window holds a category that was never seen.
    NewCategory,
}

/// The tests of an experiment without drift, on a column of `shape`.
#[must_use]
pub fn tests(shape: Shape) -> Vec<(&'static str, Demand)> {
    // Jeffreys' half rows make kl careful where many cells hold few rows each.
    let kl = if matches!(shape, Shape::Even(_)) { Demand::NearOrLess } else { Demand::Near };
    let mut tests = vec![
        ("psi", Demand::Near),
        ("kl", kl),
        ("js", Demand::Near),
        ("hellinger", Demand::Near),
        ("chi2", Demand::Near),
    ];
    match shape {
        Shape::Continuous | Shape::HalfNull => tests.push(("ks", Demand::Near)),
        // Ties make KS careful.
        Shape::MostlyZero | Shape::Binary | Shape::Rounded => tests.push(("ks", Demand::AtMost)),
        Shape::Zipf(_) | Shape::HalfNullZipf(_) | Shape::Even(_) => {}
    }
    tests.extend([("p_delta, feature", Demand::AtMost), ("p_delta, null_rate", Demand::AtMost)]);
    if kind(shape) == Kind::Categorical {
        tests.push(("p_delta, new_category_rate", Demand::AtMost));
    } else {
        tests.push(("p_delta, out_of_range_rate", Demand::AtMost));
    }
    tests
}

/// How a column of `shape` is compared.
#[must_use]
pub fn kind(shape: Shape) -> Kind {
    match shape {
        Shape::Zipf(_) | Shape::HalfNullZipf(_) | Shape::Even(_) => Kind::Categorical,
        _ => Kind::Numeric,
    }
}

/// The p-values of [`tests`], in order.
#[must_use]
pub fn p_values(kind: Kind, measured: &Measured) -> Vec<Option<f64>> {
    let p_value = |metric| measured.scores.get(&metric).and_then(|score| score.p_value);
    let p_effect = |metric| measured.scores.get(&metric).and_then(|score| score.p_effect);
    let mut p_values: Vec<_> =
        [Metric::Psi, Metric::Kl, Metric::Js, Metric::Hellinger, Metric::Chi2].map(p_value).into();
    if kind == Kind::Numeric {
        p_values.push(p_value(Metric::Ks));
    }
    p_values.push(feature_p(kind, &measured.scores));
    p_values.push(p_effect(Metric::NullRate));
    p_values.push(match kind {
        Kind::Categorical => p_effect(Metric::NewCategoryRate),
        _ => p_effect(Metric::OutOfRangeRate),
    });
    p_values
}

/// An experiment without drift.
#[must_use]
pub fn experiment(
    name: &'static str,
    what: &'static str,
    shape: Shape,
    disturbance: Disturbance,
    grid: Vec<Sizes>,
) -> Experiment {
    let kind = kind(shape);
    let replicate = move |seed: u64, sizes: &Sizes| -> Result<Vec<Vec<Option<f64>>>> {
        let mut random = Random::new(seed, sizes.baseline);
        let mut rows = shape.column(sizes.baseline, Drift::None, &mut random);
        if disturbance == Disturbance::OutlierInBaseline {
            rows = with_outlier(&rows, &mut random);
        }
        let baseline = pipeline::baseline(kind, &[rows])?;
        let mut replicate = Vec::with_capacity(sizes.windows.len());
        for n in &sizes.windows {
            let mut window = shape.column(*n, Drift::None, &mut random);
            match disturbance {
                Disturbance::OutlierInWindow => window = with_outlier(&window, &mut random),
                Disturbance::NewCategory => window = with_new_category(&window, &mut random),
                _ => {}
            }
            replicate.push(p_values(kind, &pipeline::scores(&baseline, &window)?));
        }
        Ok(replicate)
    };
    Experiment { name, what, grid, tests: tests(shape), replicate: Box::new(replicate) }
}

fn any_row(rows: usize, random: &mut Random) -> usize {
    usize::try_from(random.bits() % rows.max(1) as u64).unwrap_or(0)
}

fn with_outlier(column: &ArrayRef, random: &mut Random) -> ArrayRef {
    let Some(column) = column.as_any().downcast_ref::<Float64Array>() else { return column.clone() };
    let row = any_row(column.len(), random);
    let mut builder = Float64Builder::with_capacity(column.len());
    builder.append_slice(column.values());
    let mut values = builder.finish().values().to_vec();
    values[row] = 1e9;
    Arc::new(Float64Array::from(values))
}

fn with_new_category(column: &ArrayRef, random: &mut Random) -> ArrayRef {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    let Some(column) = column.as_dictionary_opt::<Int32Type>() else { return column.clone() };
    let Some(names) = column.values().as_string_opt::<i32>() else { return Arc::new(column.clone()) };
    let row = any_row(column.len(), random);
    let mut keys = column.keys().values().to_vec();
    let mut all: Vec<&str> = names.iter().flatten().collect();
    keys[row] = i32::try_from(all.len()).unwrap_or(0);
    all.push("never seen");
    Arc::new(arrow_array::DictionaryArray::<Int32Type>::new(
        arrow_array::Int32Array::new(keys.into(), column.keys().nulls().cloned()),
        Arc::new(StringArray::from(all)),
    ))
}

/// The experiments without drift.
#[must_use]
pub fn experiments() -> Vec<Experiment> {
    use Disturbance as D;
    let whole = || grid(1_000_000, 1_000_000, 100_000_000);
    let middle = || grid(100_000, 100_000, 10_000_000);
    let small = || grid(10_000, 1_000, 10_000_000);
    vec![
        experiment("continuous", "continuous values", Shape::Continuous, D::None, whole()),
        experiment("zipf 50", "50 categories, the k-th 1/k as frequent", Shape::Zipf(50), D::None, whole()),
        experiment(
            "zipf 3000",
            "3,000 categories, the k-th 1/k as frequent",
            Shape::Zipf(3_000),
            D::None,
            middle(),
        ),
        experiment(
            "even 33",
            "33 equally frequent categories: about 30 rows each of 1,000",
            Shape::Even(33),
            D::None,
            grid(10_000, 100_000, 10_000_000),
        ),
        experiment(
            "even 333",
            "333 equally frequent categories: about 30 rows each of 10,000",
            Shape::Even(333),
            D::None,
            grid(10_000, 100_000, 10_000_000),
        ),
        experiment("mostly zero", "60 % zeros, the rest continuous", Shape::MostlyZero, D::None, middle()),
        experiment("binary", "30 % ones", Shape::Binary, D::None, middle()),
        experiment("rounded", "integers, about twenty of them common", Shape::Rounded, D::None, middle()),
        experiment(
            "outlier in window",
            "continuous, one window row is 1e9",
            Shape::Continuous,
            D::OutlierInWindow,
            small(),
        ),
        experiment(
            "outlier in baseline",
            "continuous, one baseline row is 1e9",
            Shape::Continuous,
            D::OutlierInBaseline,
            small(),
        ),
        experiment(
            "new category",
            "50 categories, one window row of a new one",
            Shape::Zipf(50),
            D::NewCategory,
            small(),
        ),
        experiment(
            "half null",
            "continuous, half of the rows null on both sides",
            Shape::HalfNull,
            D::None,
            small(),
        ),
        experiment(
            "half null zipf",
            "50 categories, half of the rows null on both sides",
            Shape::HalfNullZipf(50),
            D::None,
            small(),
        ),
    ]
}
