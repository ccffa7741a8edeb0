//! Columns of every type from a seeded generator, and the shortest way from columns to baselines, states and scores.

use std::sync::Arc;

use arrow_array::types::{Float32Type, Int32Type};
use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, FixedSizeListArray, Float32Array, Float64Array,
    Int32Array, Int64Array, ListArray, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, Field};
use driftlead_engine::accumulate::{Accumulator, Column, FeatureState, SlotKey, Slots};
use driftlead_engine::baseline::{Baseline, FeatureSpec, SAMPLE_ROWS, Sampler, sample_plan};
use driftlead_engine::feature::ValueType;
use driftlead_engine::score::{Measured, measure};
use driftlead_engine::{Kind, Metric};

#[path = "../../../tests/support/splitmix.rs"]
mod splitmix;

/// SplitMix64.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        splitmix::next(&mut self.0)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// In (0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}

pub(crate) fn spec(name: &str, kind: Kind, array: &ArrayRef) -> FeatureSpec {
    FeatureSpec {
        name: name.to_owned(),
        kind,
        value_type: ValueType::of(array.data_type()).unwrap(),
        edges: Vec::new(),
        dim: None,
        // The laws hold with it as without; `vectors.rs` has embeddings without.
        mmd: kind == Kind::Embedding,
        inferred: false,
    }
}

/// A baseline of one feature, read as a command would: sampled where it is large, a counter for each part.
pub(crate) fn baseline_with(spec: FeatureSpec, parts: &[ArrayRef]) -> Baseline {
    let rows: Vec<u64> = parts.iter().map(|part| part.len() as u64).collect();
    let mut sampler = Sampler::new(Arc::new(vec![spec]));
    for (i, (part, ranges)) in parts.iter().zip(sample_plan(&rows)).enumerate() {
        for range in ranges {
            let slice = part.slice(range.start as usize, (range.end - range.start) as usize);
            sampler.add(0, i, slice.as_ref());
        }
    }
    let plan = sampler.draft(rows.iter().sum::<u64>() <= SAMPLE_ROWS);
    let mut whole = plan.counter();
    for part in parts {
        let mut counter = plan.counter();
        counter.add_rows(part.len() as u64);
        counter.update(0, Column { array: part.as_ref(), errors: None });
        whole.merge(counter);
    }
    whole.freeze().unwrap()
}

pub(crate) fn numeric(array: ArrayRef) -> Baseline {
    baseline_with(spec("x", Kind::Numeric, &array), &[array])
}

pub(crate) fn categorical(array: ArrayRef) -> Baseline {
    baseline_with(spec("x", Kind::Categorical, &array), &[array])
}

pub(crate) fn add(accumulator: &mut Accumulator, array: &ArrayRef, slots: &[Slots<'_>]) {
    accumulator.add_rows(array.len() as u64, slots);
    accumulator.update(0, Column { array: array.as_ref(), errors: None }, slots);
}

pub(crate) fn state(baseline: &Baseline, array: &ArrayRef) -> FeatureState {
    try_state(baseline, array).unwrap()
}

pub(crate) fn try_state(baseline: &Baseline, array: &ArrayRef) -> driftlead_engine::Result<FeatureState> {
    let mut accumulator = baseline.accumulator();
    let slot = accumulator.slot(&SlotKey::default());
    add(&mut accumulator, array, &[Slots::All(slot)]);
    accumulator.state(0, &SlotKey::default())
}

pub(crate) fn compare(baseline: &Baseline, window: &FeatureState) -> Measured {
    let feature = &baseline.features()[0];
    measure(feature.cells(), feature.state(None).unwrap(), window, 1.0).unwrap()
}

pub(crate) fn scored(baseline: &Baseline, array: &ArrayRef) -> Measured {
    compare(baseline, &state(baseline, array))
}

pub(crate) fn value(measured: &Measured, metric: Metric) -> f64 {
    let score = &measured.scores[&metric];
    score.value.unwrap_or_else(|| panic!("{metric}: {score:?}"))
}

/// Vectors of `dim` numbers each, one after the other.
pub(crate) fn fixed_lists(dim: usize, numbers: Vec<f32>) -> ArrayRef {
    let item = Arc::new(Field::new_list_field(DataType::Float32, true));
    let values = Arc::new(Float32Array::from(numbers));
    Arc::new(FixedSizeListArray::new(item, i32::try_from(dim).unwrap(), values, None))
}

pub(crate) fn doubles(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

pub(crate) fn longs(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

pub(crate) fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub(crate) fn decimals(values: &[i128], precision: u8, scale: i8) -> ArrayRef {
    let array = Decimal128Array::from(values.to_vec());
    Arc::new(array.with_precision_and_scale(precision, scale).unwrap())
}

/// A kind of column: how it is compared, and rows of it.
pub(crate) struct Sort {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) make: fn(&mut Rng, usize) -> ArrayRef,
    /// Rows of the window, where they come in another type than the baseline's.
    pub(crate) window: fn(&mut Rng, usize) -> ArrayRef,
}

fn optional<T>(rng: &mut Rng, n: usize, mut one: impl FnMut(&mut Rng) -> T) -> Vec<Option<T>> {
    (0..n).map(|_| if rng.below(11) == 0 { None } else { Some(one(rng)) }).collect()
}

fn special(rng: &mut Rng) -> f64 {
    const SPECIAL: [f64; 12] = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.0,
        -0.0,
        5e-324,
        -5e-324,
        1e-310,
        f64::MAX,
        f64::MIN,
        1e300,
        f64::MIN_POSITIVE,
    ];
    if rng.below(8) == 0 { SPECIAL[rng.below(SPECIAL.len())] } else { (rng.normal() * 50.0).round() / 4.0 }
}

fn f64s(rng: &mut Rng, n: usize) -> ArrayRef {
    Arc::new(Float64Array::from(optional(rng, n, special)))
}

fn plain_f64s(rng: &mut Rng, n: usize) -> ArrayRef {
    Arc::new(Float64Array::from(optional(rng, n, Rng::normal)))
}

fn f32s(rng: &mut Rng, n: usize) -> ArrayRef {
    Arc::new(Float32Array::from(optional(rng, n, |rng| special(rng) as f32)))
}

fn i32s(rng: &mut Rng, n: usize) -> ArrayRef {
    Arc::new(Int32Array::from(optional(rng, n, |rng| (rng.normal() * 300.0) as i32)))
}

fn i64s(rng: &mut Rng, n: usize) -> ArrayRef {
    Arc::new(Int64Array::from(optional(rng, n, |rng| match rng.below(20) {
        0 => i64::MIN,
        1 => i64::MAX,
        2 => (1 << 60) + rng.below(9) as i64,
        _ => (rng.normal() * 300.0) as i64,
    })))
}

fn u64s(rng: &mut Rng, n: usize) -> ArrayRef {
    Arc::new(UInt64Array::from(optional(rng, n, |rng| match rng.below(9) {
        0 => u64::MAX - rng.below(3) as u64,
        _ => rng.below(5_000) as u64,
    })))
}

fn cents(rng: &mut Rng, n: usize) -> ArrayRef {
    let values = optional(rng, n, |rng| (rng.normal() * 1_000.0) as i128);
    Arc::new(Decimal128Array::from(values).with_precision_and_scale(30, 2).unwrap())
}

fn micros(rng: &mut Rng, n: usize) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(optional(rng, n, |rng| {
        1_600_000_000_000_000 + 1_000 * rng.below(100_000) as i64
    })))
}

fn words(rng: &mut Rng, n: usize) -> ArrayRef {
    // A few frequent words, and more rare ones than a dictionary or a sample of newcomers keeps.
    Arc::new(StringArray::from(optional(rng, n, |rng| {
        let i = if rng.below(2) == 0 { rng.below(5) } else { rng.below(3_000) };
        format!("w{i}")
    })))
}

fn dictionary(rng: &mut Rng, n: usize) -> ArrayRef {
    let words = optional(rng, n, |rng| format!("w{}", rng.below(200)));
    Arc::new(words.iter().map(Option::as_deref).collect::<DictionaryArray<Int32Type>>())
}

/// Vectors of 7 numbers, some of which are null, of another length, not finite, zero, or very far out.
pub(crate) fn vectors(rng: &mut Rng, n: usize) -> ArrayRef {
    let rows = optional(rng, n, |rng| {
        let length = if rng.below(30) == 0 { rng.below(9) } else { 7 };
        let factor = [0.0, 1e4, 1e30][rng.below(3)];
        let factor = if rng.below(12) == 0 { factor } else { 1.0 };
        let odd = (rng.below(25) == 0).then(|| rng.below(7));
        let vector = (0..length).map(|j| match odd {
            Some(at) if at == j => [None, Some(f32::NAN), Some(f32::INFINITY)][rng.below(3)],
            _ => Some((factor * (rng.normal() * (1.0 + j as f64) + 3.0)) as f32),
        });
        vector.collect::<Vec<_>>()
    });
    Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(rows))
}

fn bools(rng: &mut Rng, n: usize) -> ArrayRef {
    Arc::new(BooleanArray::from(optional(rng, n, |rng| rng.below(3) == 0)))
}

pub(crate) const SORTS: &[Sort] = &[
    Sort { name: "f64", kind: Kind::Numeric, make: f64s, window: f64s },
    Sort { name: "f64, many values", kind: Kind::Numeric, make: plain_f64s, window: plain_f64s },
    Sort { name: "f32", kind: Kind::Numeric, make: f32s, window: f32s },
    Sort { name: "f64, f32 rows", kind: Kind::Numeric, make: f64s, window: f32s },
    Sort { name: "f32, f64 rows", kind: Kind::Numeric, make: f32s, window: f64s },
    Sort { name: "i64", kind: Kind::Numeric, make: i64s, window: i64s },
    Sort { name: "i64, i32 rows", kind: Kind::Numeric, make: i64s, window: i32s },
    Sort { name: "i64, f64 rows", kind: Kind::Numeric, make: i64s, window: f64s },
    Sort { name: "i32, u64 rows", kind: Kind::Numeric, make: i32s, window: u64s },
    Sort { name: "u64", kind: Kind::Numeric, make: u64s, window: i64s },
    Sort { name: "decimal", kind: Kind::Numeric, make: cents, window: cents },
    Sort { name: "decimal, f64 rows", kind: Kind::Numeric, make: cents, window: f64s },
    Sort { name: "f64, decimal rows", kind: Kind::Numeric, make: f64s, window: cents },
    Sort { name: "time", kind: Kind::Numeric, make: micros, window: micros },
    Sort { name: "text", kind: Kind::Categorical, make: words, window: words },
    Sort { name: "text, dictionary rows", kind: Kind::Categorical, make: words, window: dictionary },
    Sort { name: "bool", kind: Kind::Categorical, make: bools, window: bools },
    Sort { name: "categories of i64", kind: Kind::Categorical, make: i64s, window: f64s },
    Sort { name: "categories of f64", kind: Kind::Categorical, make: f64s, window: i32s },
    Sort { name: "vectors", kind: Kind::Embedding, make: vectors, window: vectors },
];

/// Marks some of the null rows as values that could not be read.
pub(crate) fn some_errors(array: &ArrayRef) -> BooleanBuffer {
    (0..array.len()).map(|row| array.is_null(row) && row % 3 == 0).collect()
}
