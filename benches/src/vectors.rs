//! Embeddings against the matrix product alone, in one run.
//!
//! A vector is multiplied with a matrix of 96 columns (32 components, 64 codes); all else that is done with it (reading,
//! centring, locating, adding) should cost little beside. Both turn by turn: the product of blocks of 128 rows by the
//! fastest crate for it, and the engine's whole way from a column to a state. Usage: `vectors [ROWS [ROUNDS]]`.
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{Array, ArrayRef, FixedSizeListArray, Float32Array};
use arrow_schema::{DataType, Field};
use driftlead_engine::accumulate::{Accumulator, Column, SlotKey, Slots};
use driftlead_engine::baseline::{Baseline, FeatureSpec, Sampler};
use driftlead_engine::embedding::{CODES, COMPONENTS};
use driftlead_engine::feature::ValueType;
use driftlead_engine::{Kind, Result};

const BLOCK: usize = 128;
const COLUMNS: usize = COMPONENTS + CODES;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| arguments.get(i).and_then(|a| a.parse::<usize>().ok());
    let (rows, rounds) = (number(0).unwrap_or(20_000).next_multiple_of(BLOCK), number(1).unwrap_or(15));
    println!("one core; {rows} vectors a round, medians of {rounds} rounds");
    println!("{:>5} {:>28} {:>12} {:>9} {:>9}", "dim", "", "vectors/s", "GFLOP/s", "of best");
    for dim in [384, 768, 1536] {
        measure(dim, rows, rounds)?;
    }
    Ok(())
}

fn measure(dim: usize, rows: usize, rounds: usize) -> Result<()> {
    let mut random = Random(dim as u64);
    let rows_of_baseline = column(dim, &random.vectors(dim, 12 * dim));
    let (plain, with_mmd) = (baseline(&rows_of_baseline, false)?, baseline(&rows_of_baseline, true)?);
    let values = random.vectors(dim, rows);
    let array = column(dim, &values);
    let basis: Vec<f32> = (0..dim * COLUMNS).map(|_| random.number()).collect();
    let mut accumulators = [plain.accumulator(), plain.accumulator(), with_mmd.accumulator()];
    let jobs = [
        "the product alone, faer",
        "the product alone, ndarray",
        "driftlead",
        "driftlead, 50 segments",
        "driftlead, with mmd",
    ];
    let mut seconds = vec![Vec::new(); jobs.len()];
    let segments: Vec<Arc<str>> = (0..50).map(|i| Arc::from(format!("s{i}"))).collect();
    for round in 0..=rounds {
        for (at, seconds) in seconds.iter_mut().enumerate() {
            let started = Instant::now();
            match at {
                0 => faer_products(&values, &basis, dim),
                1 => ndarray_products(&values, &basis, dim),
                2 => whole(&mut accumulators[0], &array),
                3 => in_segments(&mut accumulators[1], &array, &segments),
                _ => whole(&mut accumulators[2], &array),
            }
            // The first round fills caches.
            if round > 0 {
                seconds.push(started.elapsed().as_secs_f64());
            }
        }
    }
    let medians: Vec<f64> = seconds
        .iter_mut()
        .map(|own| {
            own.sort_by(f64::total_cmp);
            own[own.len() / 2]
        })
        .collect();
    let best = medians[0].min(medians[1]);
    for (name, median) in jobs.iter().zip(&medians) {
        let speed = rows as f64 / median;
        let flop = 2.0 * (dim * COLUMNS) as f64 * speed / 1e9;
        println!("{dim:5} {name:>28} {speed:12.0} {flop:9.0} {:8.0}%", 100.0 * best / median);
    }
    println!(
        "target: vectors of {dim} against the product alone, vectors/s | {:.0} % | >= 60 % | the product",
        100.0 * best / medians[2]
    );
    Ok(())
}

fn whole(accumulator: &mut Accumulator, array: &ArrayRef) {
    let slot = accumulator.slot(&SlotKey::default());
    add(accumulator, array, &[Slots::All(slot)]);
}

fn in_segments(accumulator: &mut Accumulator, array: &ArrayRef, segments: &[Arc<str>]) {
    let whole = accumulator.slot(&SlotKey::default());
    let slots: Vec<u32> = segments
        .iter()
        .map(|segment| accumulator.slot(&SlotKey { pane: None, segment: Some(segment.clone()) }))
        .collect();
    let each: Vec<u32> = (0..array.len()).map(|row| slots[row % slots.len()]).collect();
    add(accumulator, array, &[Slots::All(whole), Slots::Each(&each)]);
}

fn add(accumulator: &mut Accumulator, array: &ArrayRef, slots: &[Slots<'_>]) {
    accumulator.add_rows(array.len() as u64, slots);
    accumulator.update(0, Column { array: array.as_ref(), errors: None }, slots);
}

fn faer_products(values: &[f32], basis: &[f32], dim: usize) {
    let basis = faer::MatRef::from_row_major_slice(basis, dim, COLUMNS);
    let mut products = vec![0.0_f32; BLOCK * COLUMNS];
    for block in values.chunks_exact(BLOCK * dim) {
        let block = faer::MatRef::from_row_major_slice(block, BLOCK, dim);
        let to = faer::MatMut::from_row_major_slice_mut(&mut products, BLOCK, COLUMNS);
        faer::linalg::matmul::matmul(to, faer::Accum::Replace, block, basis, 1.0_f32, faer::Par::Seq);
        black_box(&products);
    }
}

fn ndarray_products(values: &[f32], basis: &[f32], dim: usize) {
    let mut products = vec![0.0_f32; BLOCK * COLUMNS];
    for block in values.chunks_exact(BLOCK * dim) {
        let views = (
            ndarray::ArrayView2::from_shape((BLOCK, dim), block),
            ndarray::ArrayView2::from_shape((dim, COLUMNS), basis),
            ndarray::ArrayViewMut2::from_shape((BLOCK, COLUMNS), &mut products),
        );
        if let (Ok(block), Ok(basis), Ok(mut to)) = views {
            ndarray::linalg::general_mat_mul(1.0, &block, &basis, 0.0, &mut to);
        }
        black_box(&products);
    }
}

fn baseline(array: &ArrayRef, mmd: bool) -> Result<Baseline> {
    let spec = FeatureSpec {
        name: "x".to_owned(),
        kind: Kind::Embedding,
        value_type: ValueType::VECTOR,
        edges: Vec::new(),
        dim: None,
        mmd,
        inferred: false,
    };
    let mut sampler = Sampler::new(Arc::new(vec![spec]));
    sampler.add(0, 0, array.as_ref());
    let mut counter = sampler.draft(true).counter();
    counter.add_rows(array.len() as u64);
    counter.update(0, Column { array: array.as_ref(), errors: None });
    counter.freeze()
}

fn column(dim: usize, values: &[f32]) -> ArrayRef {
    let item = Arc::new(Field::new_list_field(DataType::Float32, false));
    let values = Arc::new(Float32Array::from(values.to_vec()));
    Arc::new(FixedSizeListArray::new(item, i32::try_from(dim).unwrap_or(i32::MAX), values, None))
}

/// SplitMix64's output function over a counter.
struct Random(u64);

impl Random {
    /// Around 0, with a variance of 1.
    fn number(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // The sum of four uniform numbers.
        let sum: u64 = (0..4).map(|i| (z >> (16 * i)) & 0xffff).sum();
        (sum as f32 / 65_536.0 - 2.0) * 1.732
    }

    fn vectors(&mut self, dim: usize, rows: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(rows * dim);
        for _ in 0..rows {
            let latent: [f32; 8] = std::array::from_fn(|_| self.number());
            values.extend((0..dim).map(|j| latent[j % 8] + self.number() + 0.5));
        }
        values
    }
}
