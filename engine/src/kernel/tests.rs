//! Every kernel, on every instruction set of this machine, against the scalar definitions (I-KERNEL).

use proptest::prelude::*;

use crate::kernel::extent::extent_at;
use crate::kernel::level::Level;
use crate::kernel::sums::sums_at;
use crate::kernel::{Locator, Native, Sums, Validity, oracle};

/// A type whose awkward values are known.
trait Case: Native + PartialEq {
    fn awkward() -> Vec<Self>;
    /// A value from 64 random bits, often near others.
    fn from_bits(bits: u64) -> Self;
    fn is_edge(self) -> bool {
        self.partial_cmp(&self).is_some()
    }
}

macro_rules! float_case {
    ($t:ident, $bits:ident) => {
        impl Case for $t {
            fn awkward() -> Vec<Self> {
                let tiny = Self::from_bits(1);
                let mut values = vec![
                    0.0,
                    tiny,
                    Self::MIN_POSITIVE,
                    Self::MIN_POSITIVE - tiny,
                    1.0,
                    (1.0 as $t).next_down(),
                    (1.0 as $t).next_up(),
                    0.1,
                    1e10,
                    Self::MAX,
                    Self::INFINITY,
                    Self::NAN,
                ];
                values.extend(values.clone().into_iter().map(|x| -x));
                values
            }
            fn from_bits(bits: u64) -> Self {
                match bits % 8 {
                    // Any bit pattern at all, NaN with any payload among them.
                    0 => Self::from_bits((bits >> 3) as $bits),
                    1 => Self::awkward()[(bits >> 3) as usize % 24],
                    2..=4 => ((bits >> 3) % 1000) as Self / 100.0 - 5.0,
                    // A heavy tail on both sides.
                    5 => ((bits >> 4) as Self / 2e18 - 0.5).tan(),
                    _ => ((bits >> 4) as Self / 1e18).exp(),
                }
            }
        }
    };
}

float_case!(f32, u32);
float_case!(f64, u64);

macro_rules! integer_case {
    ($t:ident) => {
        impl Case for $t {
            fn awkward() -> Vec<Self> {
                vec![0, 1, -1, 2, Self::MIN, Self::MIN + 1, Self::MAX, Self::MAX - 1, Self::MAX / 2]
            }
            fn from_bits(bits: u64) -> Self {
                let rest = bits >> 3;
                match bits % 8 {
                    0 => (i128::from(rest as i64) * 0x1234_5678_9abc_def1) as Self,
                    1 => Self::awkward()[rest as usize % 9],
                    2..=5 => (rest % 300) as Self - 100,
                    // 2^53 and its neighbours are equal as doubles.
                    6 => ((1_i64 << 53) + (rest % 9) as i64) as Self,
                    _ => (1 as Self) << (rest % (u64::from(Self::BITS) - 1)),
                }
            }
        }
    };
}

integer_case!(i32);
integer_case!(i64);
integer_case!(i128);

/// A mask of `valid` that starts `offset` bits into its bytes, with ones all around it.
fn mask_bytes(valid: &[bool], offset: usize) -> Vec<u8> {
    let mut bytes = vec![0xff; (offset + valid.len()).div_ceil(8) + 1];
    for (i, _) in valid.iter().enumerate().filter(|(_, is_valid)| !**is_valid) {
        bytes[(offset + i) / 8] &= !(1 << ((offset + i) % 8));
    }
    bytes
}

fn edges_of<T: Case>(bits: &[u64]) -> Vec<T> {
    let mut edges: Vec<T> = bits.iter().map(|bits| T::from_bits(*bits)).filter(|x| x.is_edge()).collect();
    edges.sort_by(|a, b| a.partial_cmp(b).unwrap());
    edges
}

/// Counts and locates with every kernel, level and a few cores, and compares with the oracle.
fn check<T: Case>(edges: &[T], values: &[T], valid: Option<&[bool]>, offset: usize) {
    let all_valid = vec![true; values.len()];
    let (cells, tally) = oracle::locate(edges, values, valid.unwrap_or(&all_valid));
    let counts = oracle::counts(edges.len() + 1, &cells);
    let bytes = valid.map(|valid| mask_bytes(valid, offset));
    let mask = || bytes.as_ref().map(|bytes| Validity::new(bytes, offset, values.len()));
    let n = edges.len();
    for core in [0..n, n / 4..n - n / 4, n / 2..(n / 2 + 3).min(n), 0..n / 3, n - n / 3..n] {
        let chosen = Locator::with_core(edges.to_vec(), core.clone());
        let mut variants = vec![chosen.clone()];
        for kernel in chosen.every_kernel() {
            for level in Level::available() {
                let mut locator = chosen.clone();
                locator.force(kernel.clone(), level);
                variants.push(locator);
            }
        }
        for locator in variants {
            let mut got = vec![7; n + 1];
            assert_eq!(locator.count(values, mask(), &mut got), tally, "{locator:?}");
            got.iter_mut().for_each(|n| *n -= 7);
            assert_eq!(got, counts, "core {core:?} of {locator:?} on {values:?}");
            let mut got = vec![3; values.len()];
            assert_eq!(locator.locate(values, mask(), &mut got), tally);
            assert_eq!(got, cells, "core {core:?} of {locator:?} on {values:?}");
            for (x, cell) in values.iter().zip(&cells) {
                if *cell < crate::kernel::NAN_CELL {
                    assert_eq!(locator.cell(*x), usize::from(*cell));
                }
            }
        }
    }
}

/// Compares sums and extent with the oracle, whole and split at `split`.
fn check_sums<T: Case>(
    values: &[T],
    valid: &[bool],
    offset: usize,
    split: usize,
    center: f64,
    by: (i32, i32),
) {
    let expected = oracle::sums(values, valid, center, by);
    let ends = oracle::extent(values, valid);
    let bytes = mask_bytes(valid, offset);
    let split = split.min(values.len());
    for level in Level::available() {
        let part = |from: usize, to: usize| {
            let mask = Validity::new(&bytes, offset + from, to - from);
            sums_at(level, &values[from..to], Some(mask), center, by.0, by.1)
        };
        assert_eq!(part(0, values.len()), expected, "{values:?} {center} {by:?}");
        let (a, b) = (part(0, split), part(split, values.len()));
        let joined = Sums {
            x: a.x + b.x,
            xx: a.xx + b.xx,
            overflow_x: a.overflow_x + b.overflow_x,
            overflow_xx: a.overflow_xx + b.overflow_xx,
        };
        assert_eq!(joined, expected);
        if valid.iter().all(|is_valid| *is_valid) {
            assert_eq!(sums_at(level, values, None, center, by.0, by.1), expected);
            assert_eq!(extent_at(level, values, None), ends);
        }
        assert_eq!(extent_at(level, values, Some(Validity::new(&bytes, offset, values.len()))), ends);
    }
}

macro_rules! properties {
    ($($name:ident: $t:ident;)*) => {$(
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(ProptestConfig {
                    cases: 16, failure_persistence: None, rng_seed: prop::test_runner::RngSeed::Fixed(7),
                    ..ProptestConfig::default()
                })]

                #[test]
                fn counts_by_few_edges(
                    edges in prop::collection::vec(any::<u64>(), 0..22),
                    rows in prop::collection::vec(any::<(u64, bool)>(), 0..300),
                    offset in 0_usize..19,
                ) {
                    let values: Vec<$t> = rows.iter().map(|row| <$t as Case>::from_bits(row.0)).collect();
                    let valid: Vec<bool> = rows.iter().map(|row| row.1 || row.0 % 3 == 0).collect();
                    let edges = edges_of(&edges);
                    check(&edges, &values, None, 0);
                    check(&edges, &values, Some(&valid), offset);
                }

                #[test]
                fn counts_by_many_edges(
                    edges in prop::collection::vec(any::<u64>(), 30..400),
                    rows in prop::collection::vec(any::<(u64, bool)>(), 0..1100),
                    offset in 0_usize..19,
                ) {
                    let mut values: Vec<$t> = rows.iter().map(|row| <$t as Case>::from_bits(row.0)).collect();
                    let valid: Vec<bool> = rows.iter().map(|row| row.1).collect();
                    let edges = edges_of(&edges);
                    check(&edges, &values, Some(&valid), offset);
                    // The edges themselves are the rows that a wrong comparison misplaces.
                    values.extend_from_slice(&edges);
                    check(&edges, &values, None, 0);
                }

                #[test]
                fn sums_and_extent(
                    rows in prop::collection::vec(any::<(u64, bool)>(), 0..700),
                    offset in 0_usize..19,
                    split in 0_usize..700,
                    center in any::<u64>(),
                    exponents in (-80_i32..90, -120_i32..90),
                ) {
                    let values: Vec<$t> = rows.iter().map(|row| <$t as Case>::from_bits(row.0)).collect();
                    let valid: Vec<bool> = rows.iter().map(|row| row.1).collect();
                    let center = <f64 as Case>::from_bits(center);
                    let center = if center.is_finite() { center } else { 0.0 };
                    check_sums(&values, &valid, offset, split, center, exponents);
                    check_sums(&values, &vec![true; values.len()], 0, split, 0.0, (50, 48));
                }
            }

            #[test]
            fn awkward_values_and_lengths_around_blocks() {
                let awkward = <$t as Case>::awkward();
                let mut edges: Vec<$t> = awkward.iter().copied().filter(|x| x.is_edge()).collect();
                edges.sort_by(|a, b| a.partial_cmp(b).unwrap());
                edges.dedup();
                for length in [0, 1, 3, 7, 8, 15, 16, 17, 63, 64, 65, 511, 512, 513, 2047, 2048, 2049, 4100] {
                    let values: Vec<$t> = awkward.iter().copied().cycle().take(length).collect();
                    let valid: Vec<bool> = (0..length).map(|i| i % 5 != 0).collect();
                    check(&edges, &values, None, 0);
                    check(&edges, &values, Some(&valid), 3);
                    check(&edges, &values, Some(&vec![false; length]), 5);
                    check_sums(&values, &valid, 3, length / 3, 0.5, (40, 30));
                }
            }

            #[test]
            fn constants_and_colliding_edges() {
                let edges = vec![1 as $t; 40];
                for x in [0, 1, 2] {
                    check(&edges, &[x as $t; 700], None, 0);
                }
                check(&[1 as $t, 1 as $t, 2 as $t], &[1 as $t; 9], None, 0);
                check(&[], &[1 as $t; 9], Some(&[false; 9]), 1);
                let mut edges = vec![-5 as $t; 20];
                edges.extend([6 as $t; 20]);
                let values: Vec<$t> = (0..40).map(|i| (i - 20) as $t).collect();
                check(&edges, &values, None, 0);
            }
        }
    )*};
}

properties! {
    f32_rows: f32;
    f64_rows: f64;
    i32_rows: i32;
    i64_rows: i64;
    i128_rows: i128;
}

/// 1,024 quantiles of a distribution and structural edges far outside, as a baseline draws them.
fn drawn_edges(quantile: impl Fn(f64) -> f64) -> (Vec<f64>, std::ops::Range<usize>) {
    let core: Vec<f64> = (1..1024).map(|i| quantile(f64::from(i) / 1024.0)).collect();
    let (low, high) = (core[0], core[core.len() - 1]);
    let width = high - low;
    let mut edges = vec![f64::NEG_INFINITY, f64::MIN.next_up()];
    edges.extend((0..32).rev().map(|i| low - width * 2_f64.powi(i)));
    let start = edges.len();
    edges.extend(&core);
    let end = edges.len();
    edges.extend((0..32).map(|i| high + width * 2_f64.powi(i)));
    edges.push(f64::MAX);
    (edges, start..end)
}

#[test]
fn tables_of_real_shapes_compare_few_edges() {
    let normal = |u: f64| (u / (1.0 - u)).ln();
    let cauchy = |u: f64| (std::f64::consts::PI * (u - 0.5)).tan();
    let lognormal = |u: f64| (3.0 * (u / (1.0 - u)).ln()).exp();
    type Quantile<'a> = &'a dyn Fn(f64) -> f64;
    let shapes: [(&str, Quantile<'_>, usize); 4] = [
        ("uniform", &|u| u, 1),
        ("normal", &normal, 3),
        ("cauchy", &cauchy, 3),
        ("lognormal", &lognormal, 7),
    ];
    for (name, quantile, most) in shapes {
        let (edges, core) = drawn_edges(quantile);
        let locator = Locator::with_core(edges.clone(), core);
        let fullest = locator.fullest().unwrap();
        assert!(fullest <= most, "{name}: {fullest} edges in one bucket");
        assert!(
            locator.is_packed() || !Level::detect().packs() || name == "lognormal",
            "{name} is not packed"
        );
        let values: Vec<f64> = (0..20_000)
            .map(|i| {
                let x = quantile((f64::from(i) + 0.5) / 20_000.0);
                if i % 1000 == 0 { x * 1e6 } else { x }
            })
            .collect();
        check_one(locator, &edges, &values);
    }
}

#[test]
fn most_edges_fit() {
    let edges: Vec<i64> = (0..crate::kernel::MAX_EDGES as i64).map(|i| i * 3).collect();
    let values: Vec<i64> = (0..200_000).map(|i| i - 100).collect();
    let locator = Locator::new(edges);
    let mut counts = vec![0; locator.n_cells()];
    locator.count(&values, None, &mut counts);
    assert_eq!(counts[0], 101);
    assert_eq!(counts[1], 3);
    assert_eq!(counts[65_533], (200_000 - 100 - 1 - 65_532 * 3) as u64);
    let mut cells = vec![0; values.len()];
    locator.locate(&values, None, &mut cells);
    assert!(cells.iter().zip(&values).all(|(cell, x)| usize::from(*cell) == locator.cell(*x)));
}

#[test]
fn ties_round_to_even_and_limits_are_exact() {
    let values =
        [0.5, 1.5, 2.5, -0.5, -1.5, 2_f64.powi(43) + 0.5, 2_f64.powi(51) + 0.5, 2_f64.powi(52) + 1.0];
    check_sums(&values, &[true; 8], 0, 3, 0.0, (0, 0));
    let limit = 2_f64.powi(94);
    let values = [limit, limit.next_down(), -limit, -limit.next_down(), f64::MAX, f64::INFINITY, 1e-310, 3.0];
    check_sums(&values, &[true; 8], 0, 5, 0.0, (0, 0));
    let sums = crate::kernel::sums(&values, None, 0.0, 0, 0);
    assert_eq!((sums.x, sums.overflow_x), (3, 3));
    check_sums(&values, &[true; 8], 0, 5, -1e300, (0, -1000));
    check_sums(&values, &[true; 8], 0, 5, 0.0, (1023, 1023));
    check_sums(&values, &[true; 8], 0, 5, 0.0, (-1022, -1022));
}

#[test]
fn levels_end_with_the_one_that_is_dispatched() {
    let levels = Level::available();
    assert_eq!(levels.first(), Some(&Level::Baseline));
    assert_eq!(levels.last(), Some(&Level::detect()), "of {levels:?}");
}

/// Edges as a baseline draws them for a discrete column: each value and the float before it.
#[test]
fn atoms_and_their_neighbours_are_told_apart() {
    for (n_atoms, step) in [(25_i32, 0.5), (900, 0.01), (1100, 7.25)] {
        let atoms: Vec<f64> = (0..n_atoms).map(|i| f64::from(i - 9) * step).collect();
        let mut edges: Vec<f64> = atoms.iter().flat_map(|x| [x.next_down(), *x]).collect();
        let n = edges.len();
        edges.insert(0, -1e6);
        edges.push(1e6);
        let values: Vec<f64> = atoms
            .iter()
            .flat_map(|x| {
                let (down, up) = (x.next_down(), x.next_up());
                [*x, down, down.next_down(), up, up.next_up(), x + step / 3.0]
            })
            .chain([f64::NAN, -1e9, 1e9, f64::INFINITY])
            .collect();
        let locator = Locator::with_core(edges.clone(), 1..n + 1);
        // One look-up a row for these, too, where there is one at all.
        assert!(locator.is_packed() || !Level::detect().packs(), "{n_atoms} atoms");
        check_one(locator, &edges, &values);
    }
}

fn check_one(locator: Locator<f64>, edges: &[f64], values: &[f64]) {
    let (cells, tally) = oracle::locate(edges, values, &vec![true; values.len()]);
    let (mut counts, mut got) = (vec![0; locator.n_cells()], vec![0; values.len()]);
    assert_eq!(locator.count(values, None, &mut counts), tally);
    assert_eq!(counts, oracle::counts(locator.n_cells(), &cells));
    locator.locate(values, None, &mut got);
    assert_eq!(got, cells);
}
