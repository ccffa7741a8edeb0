//! kernel (scalar placeholder until the real one is merged)
#![allow(missing_docs)]
use std::ops::Range;
pub trait Native: Copy + PartialOrd + Send + Sync + std::fmt::Debug + 'static {
    fn f(self) -> f64;
}
macro_rules! n { ($($t:ident)*) => {$(impl Native for $t { fn f(self) -> f64 { self as f64 } })*} }
n!(f32 f64 i32 i64 i128);
#[derive(Clone, Copy, Debug)]
pub struct Validity<'a> {
    bytes: &'a [u8],
    offset: usize,
}
impl<'a> Validity<'a> {
    pub fn new(bytes: &'a [u8], offset: usize, _len: usize) -> Self {
        Self { bytes, offset }
    }
    pub fn is_valid(&self, i: usize) -> bool {
        let b = i + self.offset;
        self.bytes[b / 8] >> (b % 8) & 1 == 1
    }
}
#[derive(Debug)]
pub struct Locator<T> {
    edges: Vec<T>,
}
#[derive(Debug, Default)]
pub struct Tally {
    pub nulls: u64,
    pub nans: u64,
}
pub const MAX_EDGES: usize = 65_533;
pub const NULL_CELL: u16 = u16::MAX;
pub const NAN_CELL: u16 = u16::MAX - 1;
#[derive(Debug, Default)]
pub struct Sums {
    pub x: i128,
    pub xx: i128,
    pub overflow_x: u64,
    pub overflow_xx: u64,
}
impl<T: Native> Locator<T> {
    pub fn new(edges: Vec<T>) -> Self {
        Self { edges }
    }
    pub fn with_core(edges: Vec<T>, _core: Range<usize>) -> Self {
        Self { edges }
    }
    pub fn n_cells(&self) -> usize {
        self.edges.len() + 1
    }
    pub fn cell(&self, x: T) -> usize {
        self.edges.partition_point(|e| *e < x)
    }
    pub fn count(&self, values: &[T], validity: Option<Validity<'_>>, counts: &mut [u64]) -> Tally {
        let mut cells = vec![0; values.len()];
        let t = self.locate(values, validity, &mut cells);
        for c in cells {
            if c < NAN_CELL {
                counts[usize::from(c)] += 1;
            }
        }
        t
    }
    pub fn locate(&self, values: &[T], validity: Option<Validity<'_>>, cells: &mut [u16]) -> Tally {
        let mut t = Tally::default();
        for (i, x) in values.iter().enumerate() {
            cells[i] = if validity.is_some_and(|v| !v.is_valid(i)) {
                t.nulls += 1;
                NULL_CELL
            } else if x.partial_cmp(x).is_none() {
                t.nans += 1;
                NAN_CELL
            } else {
                self.cell(*x) as u16
            };
        }
        t
    }
}
pub fn sums<T: Native>(values: &[T], validity: Option<Validity<'_>>, center: f64, ex: i32, exx: i32) -> Sums {
    let mut s = Sums::default();
    let (a, b) = (crate::feature::power_of_two(ex), crate::feature::power_of_two(exx));
    for (i, x) in values.iter().enumerate() {
        if validity.is_some_and(|v| !v.is_valid(i)) || !x.f().is_finite() {
            continue;
        }
        let d = x.f() - center;
        let big = 2.0_f64.powi(94);
        let r = (d * a).round_ties_even();
        if r.abs() < big {
            s.x += r as i128
        } else {
            s.overflow_x += 1
        }
        let r = (d * d * b).round_ties_even();
        if r.abs() < big { s.xx += r as i128 } else { s.overflow_xx += 1 }
    }
    s
}
pub fn extent<T: Native>(values: &[T], validity: Option<Validity<'_>>) -> Option<(T, T)> {
    let mut e: Option<(T, T)> = None;
    for (i, x) in values.iter().enumerate() {
        if validity.is_some_and(|v| !v.is_valid(i)) || x.partial_cmp(x).is_none() {
            continue;
        }
        e = Some(e.map_or((*x, *x), |(l, h)| (if *x < l { *x } else { l }, if *x > h { *x } else { h })));
    }
    e
}
