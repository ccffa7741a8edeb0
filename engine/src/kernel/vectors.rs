//! Vectors of an embedding: centred, scored, located, added.
//!
//! Sums of floats stay within one row and have one order, that of sixteen lanes, whatever the instruction set.

use super::level::{Level, Task};

/// Lanes of a sum within a row.
const LANES: usize = 16;

/// What a row is before it is multiplied.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RowSize {
    /// The squared length of the row less the center.
    pub(crate) square: f32,
    /// The largest number of the row less the center, without its sign; infinite if a number is not finite.
    pub(crate) largest: f32,
    /// Whether the row itself is all zero.
    pub(crate) is_zero: bool,
}

/// The loops for one set of instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VectorKernel(Level);

impl VectorKernel {
    pub(crate) fn detect() -> Self {
        Self(Level::detect())
    }

    /// Takes `center` from `row`, and measures what is left.
    pub(crate) fn center(self, row: &mut [f32], center: &[f32]) -> RowSize {
        self.0.run(Center { row, center })
    }

    /// How many of the `edges` are less than each score: the score's cell.
    pub(crate) fn locate(self, scores: &[f32], edges: &[[f32; 16]], cells: &mut [u8]) {
        self.0.run(Locate { scores, edges, cells });
    }

    /// The code that is nearest: the greatest `along - offset`, the first of equals.
    pub(crate) fn nearest(self, along: &[f32; 64], offsets: &[f32; 64]) -> usize {
        self.0.run(Nearest { along, offsets })
    }

    /// Adds each number, scaled and rounded half to even, to its sum. Scaled numbers lie within 31 bits.
    pub(crate) fn add_scaled(self, sums: &mut [i64], row: &[f32], scale: f32) {
        self.0.run(AddScaled { sums, row, scale });
    }

    /// Adds each product of two of the numbers, as [`add_scaled`](Self::add_scaled), in the order of rows of the upper
    /// triangle.
    pub(crate) fn add_products(self, sums: &mut [i64], z: &[f32], scale: f32) {
        self.0.run(AddProducts { sums, z, scale });
    }
}

struct Center<'a> {
    row: &'a mut [f32],
    center: &'a [f32],
}

impl Task for Center<'_> {
    type Output = RowSize;

    #[inline(always)]
    fn run(self) -> RowSize {
        let Self { row, center } = self;
        let mut squares = [0.0_f32; LANES];
        let mut largest = [0_u32; LANES];
        let mut raw = [0_u32; LANES];
        let (row_lanes, row_rest) = row.as_chunks_mut::<LANES>();
        let (center_lanes, center_rest) = center.as_chunks::<LANES>();
        for (row, center) in row_lanes.iter_mut().zip(center_lanes) {
            for lane in 0..LANES {
                raw[lane] |= row[lane].to_bits() & 0x7fff_ffff;
                let x = row[lane] - center[lane];
                row[lane] = x;
                squares[lane] += x * x;
                largest[lane] = largest[lane].max(x.to_bits() & 0x7fff_ffff);
            }
        }
        for (lane, (x, center)) in row_rest.iter_mut().zip(center_rest).enumerate() {
            raw[lane] |= x.to_bits() & 0x7fff_ffff;
            *x -= center;
            squares[lane] += *x * *x;
            largest[lane] = largest[lane].max(x.to_bits() & 0x7fff_ffff);
        }
        let mut square = 0.0;
        let mut bits = 0;
        let mut any = 0;
        for lane in 0..LANES {
            square += squares[lane];
            bits = bits.max(largest[lane]);
            any |= raw[lane];
        }
        let largest = f32::from_bits(bits);
        RowSize { square, largest: if largest.is_nan() { f32::INFINITY } else { largest }, is_zero: any == 0 }
    }
}

struct Locate<'a> {
    scores: &'a [f32],
    edges: &'a [[f32; 16]],
    cells: &'a mut [u8],
}

impl Task for Locate<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for ((score, edges), cell) in self.scores.iter().zip(self.edges).zip(self.cells) {
            let mut below = 0_u32;
            for edge in edges {
                below += u32::from(*edge < *score);
            }
            // 16 only if every edge, the unused last one too, is below: it is infinite, so never.
            *cell = below.min(15) as u8;
        }
    }
}

struct Nearest<'a> {
    along: &'a [f32; 64],
    offsets: &'a [f32; 64],
}

impl Task for Nearest<'_> {
    type Output = usize;

    #[inline(always)]
    fn run(self) -> usize {
        let mut closeness = [0.0_f32; 64];
        let mut greatest = [f32::NEG_INFINITY; LANES];
        for i in 0..64 {
            closeness[i] = self.along[i] - self.offsets[i];
            let lane = i % LANES;
            greatest[lane] = if closeness[i] > greatest[lane] { closeness[i] } else { greatest[lane] };
        }
        let mut most = f32::NEG_INFINITY;
        for value in greatest {
            most = if value > most { value } else { most };
        }
        closeness.iter().position(|value| *value == most).unwrap_or(0)
    }
}

/// The nearest integer, half to even.
#[inline(always)]
fn rounded(x: f32) -> i64 {
    // SAFETY: callers scale so that the number lies within 31 bits, and it is not NaN.
    i64::from(unsafe { x.round_ties_even().to_int_unchecked::<i32>() })
}

struct AddScaled<'a> {
    sums: &'a mut [i64],
    row: &'a [f32],
    scale: f32,
}

impl Task for AddScaled<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (sum, x) in self.sums.iter_mut().zip(self.row) {
            *sum += rounded((x * self.scale).clamp(-BOUND, BOUND));
        }
    }
}

struct AddProducts<'a> {
    sums: &'a mut [i64],
    z: &'a [f32],
    scale: f32,
}

impl Task for AddProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { mut sums, z, scale } = self;
        for (i, x) in z.iter().enumerate() {
            let scaled = x * scale;
            let (own, rest) = sums.split_at_mut(z.len() - i);
            for (sum, y) in own.iter_mut().zip(&z[i..]) {
                *sum += rounded((scaled * y).clamp(-BOUND, BOUND));
            }
            sums = rest;
        }
    }
}

/// Scaled numbers lie well within it, so that it only keeps [`rounded`] sound; NaN does not come here.
const BOUND: f32 = 1_073_741_824.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splitmix;

    #[test]
    fn every_level_gives_the_same_bits() {
        let mut seed = 5;
        let mut number = move || (splitmix::next(&mut seed) >> 40) as f32 / 65536.0 - 128.0;
        for d in [1, 15, 16, 17, 100, 384] {
            let row: Vec<f32> = (0..d).map(|_| number()).collect();
            let center: Vec<f32> = (0..d).map(|_| number()).collect();
            let scores: [f32; 3] = [number(), number(), f32::INFINITY];
            let mut edges = [[f32::INFINITY; 16]; 3];
            for edges in &mut edges {
                let mut inner: Vec<f32> = (0..15).map(|_| number()).collect();
                inner.sort_by(f32::total_cmp);
                edges[..15].copy_from_slice(&inner);
            }
            let along: [f32; 64] = std::array::from_fn(|_| number().round());
            let offsets: [f32; 64] =
                std::array::from_fn(|i| if i > 50 { f32::INFINITY } else { number().round() });
            let mut answers = Vec::new();
            for level in Level::available() {
                let kernel = VectorKernel(level);
                let mut centered = row.clone();
                let size = kernel.center(&mut centered, &center);
                let mut cells = [0; 3];
                kernel.locate(&scores, &edges, &mut cells);
                let expected =
                    [0, 1, 2].map(|i| edges[i][..15].iter().filter(|e| **e < scores[i]).count() as u8);
                assert_eq!(cells, expected);
                let code = kernel.nearest(&along, &offsets);
                let best = (0..64).map(|i| along[i] - offsets[i]).fold(f32::NEG_INFINITY, f32::max);
                assert_eq!(Some(code), (0..64).find(|i| along[*i] - offsets[*i] == best));
                let mut sums = vec![1_i64; d];
                kernel.add_scaled(&mut sums, &centered, 1024.0);
                for (sum, x) in sums.iter().zip(&centered) {
                    assert_eq!(*sum, 1 + (f64::from(*x) * 1024.0).round_ties_even() as i64);
                }
                let z: Vec<f32> = centered.iter().take(32).copied().collect();
                let mut moments = vec![0_i64; z.len() * (z.len() + 1) / 2];
                kernel.add_products(&mut moments, &z, 16.0);
                answers.push((centered, size.square.to_bits(), size, cells, code, sums, moments));
            }
            assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{d}");
        }
    }

    #[test]
    fn what_is_no_number_is_seen() {
        let kernel = VectorKernel::detect();
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut row = [1.0; 33];
            row[32] = bad;
            assert_eq!(kernel.center(&mut row, &[0.5; 33]).largest, f32::INFINITY);
        }
        assert!(kernel.center(&mut [0.0, -0.0], &[1.0, 2.0]).is_zero);
        assert!(!kernel.center(&mut [0.0, 1e-40], &[0.0; 2]).is_zero);
    }
}
