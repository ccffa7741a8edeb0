//! Vectors of an embedding: centred, scored, located, added.
//!
//! A block of rows is worked on at once, one number of all rows after the other, so that vectors of the machine hold
//! rows: no number of one row is ever added to that of another, but as integers. Sums of floats stay within one row and
//! have one order, whatever the instruction set.

// The bodies of closures and iterators are not always compiled with a level's instructions; a counted loop is.
#![expect(clippy::needless_range_loop, reason = "counted loops over lanes and rows become vector code")]

use super::level::{Level, Task};

/// Rows of a block.
pub(crate) const BLOCK: usize = 128;
/// Lanes of a sum of floats within a row.
const LANES: usize = 16;

/// One number of each row of a block.
pub(crate) type Column<T> = [T; BLOCK];

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

    #[cfg(test)]
    pub(super) fn of(level: Level) -> Self {
        Self(level)
    }

    /// Runs one more loop over vectors.
    #[inline]
    pub(super) fn run<K: Task>(self, task: K) -> K::Output {
        self.0.run(task)
    }

    /// Writes `row` less `center` to `to`, and measures it.
    pub(crate) fn center(self, row: &[f32], center: &[f32], to: &mut [f32]) -> RowSize {
        self.0.run(Center { row, center, to })
    }

    /// Turns [`BLOCK`] rows of as many numbers as there are columns, which follow each other, into those columns.
    pub(crate) fn transpose(self, rows: &[f32], to: &mut [Column<f32>]) {
        self.0.run(Transpose { rows, to });
    }

    /// The weighted sums of squares of each row's components: plain, and by their `precisions`; and the largest component
    /// without its sign.
    pub(crate) fn squares(self, z: &[Column<f32>], precisions: &[f32]) -> [Column<f32>; 3] {
        self.0.run(Squares { z, precisions })
    }

    /// How many of the `edges` are less than each row's score: the score's cell.
    pub(crate) fn locate(self, score: &Column<f32>, edges: &[f32; 16]) -> Column<u8> {
        self.0.run(Locate { score, edges })
    }

    /// The code that is nearest to each row: the greatest `along - offset`, the first of equals.
    pub(crate) fn nearest(self, along: &[Column<f32>], offsets: &[f32]) -> Column<u8> {
        self.0.run(Nearest { along, offsets })
    }

    /// Adds each number of the rows, which follow each other, to its sum: scaled by the row's weight, and rounded half to
    /// even. Scaled numbers lie within 24 bits, so that no block overflows.
    pub(crate) fn add_block(self, sums: &mut [i64], rows: &[f32], weights: &Column<f32>) {
        self.0.run(AddBlock { sums, rows, weights });
    }

    /// Adds each product of two components, as [`add_block`](Self::add_block), in the order of rows of the upper triangle.
    pub(crate) fn add_products(self, sums: &mut [i64], z: &[Column<f32>], weights: &Column<f32>) {
        self.0.run(AddProducts { sums, z, weights });
    }

    /// [`add_block`](Self::add_block) of one row.
    pub(crate) fn add_row(self, sums: &mut [i64], row: &[f32], weight: f32) {
        self.0.run(AddRow { sums, row, weight });
    }
}

struct Center<'a> {
    row: &'a [f32],
    center: &'a [f32],
    to: &'a mut [f32],
}

impl Task for Center<'_> {
    type Output = RowSize;

    #[inline(always)]
    fn run(self) -> RowSize {
        let n = self.row.len();
        let (row, center, to) = (self.row, &self.center[..n], &mut self.to[..n]);
        let (mut largest, mut any) = (0_u32, 0_u32);
        for i in 0..n {
            let x = row[i] - center[i];
            to[i] = x;
            any |= row[i].to_bits() & 0x7fff_ffff;
            largest = largest.max(x.to_bits() & 0x7fff_ffff);
        }
        let (lanes, rest) = to.as_chunks::<LANES>();
        let mut squares = [0.0_f32; LANES];
        for numbers in lanes {
            for lane in 0..LANES {
                squares[lane] += numbers[lane] * numbers[lane];
            }
        }
        for (square, x) in squares.iter_mut().zip(rest) {
            *square += x * x;
        }
        let mut square = 0.0;
        for own in squares {
            square += own;
        }
        let largest = f32::from_bits(largest);
        RowSize { square, largest: if largest.is_nan() { f32::INFINITY } else { largest }, is_zero: any == 0 }
    }
}

struct Transpose<'a> {
    rows: &'a [f32],
    to: &'a mut [Column<f32>],
}

impl Task for Transpose<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { rows, to } = self;
        let width = to.len();
        let mut at = 0;
        let (fours, rest) = to.as_chunks_mut::<4>();
        for [a, b, c, d] in fours {
            for row in 0..BLOCK {
                let numbers = &rows[row * width + at..][..4];
                (a[row], b[row], c[row], d[row]) = (numbers[0], numbers[1], numbers[2], numbers[3]);
            }
            at += 4;
        }
        for column in rest {
            for row in 0..BLOCK {
                column[row] = rows[row * width + at];
            }
            at += 1;
        }
    }
}

struct Squares<'a> {
    z: &'a [Column<f32>],
    precisions: &'a [f32],
}

impl Task for Squares<'_> {
    type Output = [Column<f32>; 3];

    #[inline(always)]
    fn run(self) -> [Column<f32>; 3] {
        let (mut plain, mut weighted, mut largest) = ([0.0; BLOCK], [0.0; BLOCK], [0.0_f32; BLOCK]);
        for (z, precision) in self.z.iter().zip(self.precisions) {
            for row in 0..BLOCK {
                let square = z[row] * z[row];
                plain[row] += square;
                weighted[row] += square * precision;
                let size = z[row].abs();
                largest[row] = if size > largest[row] { size } else { largest[row] };
            }
        }
        [plain, weighted, largest]
    }
}

struct Locate<'a> {
    score: &'a Column<f32>,
    edges: &'a [f32; 16],
}

impl Task for Locate<'_> {
    type Output = Column<u8>;

    #[inline(always)]
    fn run(self) -> Column<u8> {
        let mut below = [0_u32; BLOCK];
        // The last edge is infinite: nothing lies above it.
        for edge in &self.edges[..15] {
            for row in 0..BLOCK {
                below[row] += u32::from(*edge < self.score[row]);
            }
        }
        let mut cells = [0; BLOCK];
        for row in 0..BLOCK {
            cells[row] = below[row] as u8;
        }
        cells
    }
}

struct Nearest<'a> {
    along: &'a [Column<f32>],
    offsets: &'a [f32],
}

impl Task for Nearest<'_> {
    type Output = Column<u8>;

    #[inline(always)]
    fn run(self) -> Column<u8> {
        let mut most = [f32::NEG_INFINITY; BLOCK];
        let mut best = [0_u32; BLOCK];
        for (code, (along, offset)) in self.along.iter().zip(self.offsets).enumerate() {
            for row in 0..BLOCK {
                let closeness = along[row] - offset;
                let is_closer = closeness > most[row];
                most[row] = if is_closer { closeness } else { most[row] };
                best[row] = if is_closer { code as u32 } else { best[row] };
            }
        }
        let mut codes = [0; BLOCK];
        for row in 0..BLOCK {
            codes[row] = best[row] as u8;
        }
        codes
    }
}

/// Scaled numbers lie within it, so that a block of them fits 32 bits; the clamp only keeps [`rounded`] sound.
const BOUND: f32 = 16_777_215.0;

/// The nearest integer, half to even.
#[inline(always)]
pub(super) fn rounded(x: f32) -> i32 {
    // NaN becomes one of the bounds.
    let held = if x < BOUND { x } else { BOUND };
    let held = if held > -BOUND { held } else { -BOUND };
    // SAFETY: it lies within 24 bits and is not NaN.
    unsafe { held.round_ties_even().to_int_unchecked::<i32>() }
}

struct AddBlock<'a> {
    sums: &'a mut [i64],
    rows: &'a [f32],
    weights: &'a Column<f32>,
}

impl Task for AddBlock<'_> {
    type Output = ();

    /// Stripes of columns whose sums stay in the nearest cache, four rows at a time.
    #[inline(always)]
    fn run(self) {
        const STRIPE: usize = 256;
        let Self { sums, rows, weights } = self;
        let dim = sums.len();
        for (at, sums) in sums.chunks_mut(STRIPE).enumerate() {
            let mut block = [0_i32; STRIPE];
            let block = &mut block[..sums.len()];
            for (rows, weights) in rows.chunks_exact(4 * dim).zip(weights.as_chunks::<4>().0) {
                let part = |row: usize| &rows[row * dim + at * STRIPE..][..sums.len()];
                let (a, b, c, d) = (part(0), part(1), part(2), part(3));
                for i in 0..block.len() {
                    let [a, b, c, d] =
                        [a[i] * weights[0], b[i] * weights[1], c[i] * weights[2], d[i] * weights[3]];
                    block[i] += (rounded(a) + rounded(b)) + (rounded(c) + rounded(d));
                }
            }
            for (sum, own) in sums.iter_mut().zip(block) {
                *sum += i64::from(*own);
            }
        }
    }
}

struct AddProducts<'a> {
    sums: &'a mut [i64],
    z: &'a [Column<f32>],
    weights: &'a Column<f32>,
}

impl Task for AddProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { sums, z, weights } = self;
        let mut sums = sums.iter_mut();
        for (i, first) in z.iter().enumerate() {
            let mut scaled = [0.0_f32; BLOCK];
            for row in 0..BLOCK {
                scaled[row] = first[row] * weights[row];
            }
            for (second, sum) in z[i..].iter().zip(&mut sums) {
                // A plain sum of integers becomes vector code; lanes written out do not.
                let mut block = 0_i32;
                for row in 0..BLOCK {
                    block += rounded(scaled[row] * second[row]);
                }
                *sum += i64::from(block);
            }
        }
    }
}

struct AddRow<'a> {
    sums: &'a mut [i64],
    row: &'a [f32],
    weight: f32,
}

impl Task for AddRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (sum, x) in self.sums.iter_mut().zip(self.row) {
            *sum += i64::from(rounded(x * self.weight));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splitmix;

    #[test]
    fn every_level_gives_what_the_rows_give() {
        let mut seed = 5;
        let mut number = move || (splitmix::next(&mut seed) >> 40) as f32 / 65_536.0 - 128.0;
        for d in [1, 15, 16, 17, 100] {
            let rows: Vec<f32> = (0..BLOCK * d).map(|_| number()).collect();
            let center: Vec<f32> = (0..d).map(|_| number()).collect();
            let z: Vec<Column<f32>> = (0..5).map(|_| std::array::from_fn(|_| number())).collect();
            let mut edges = [f32::INFINITY; 16];
            edges[..14].iter_mut().for_each(|edge| *edge = number());
            edges.sort_by(f32::total_cmp);
            edges[3] = z[0][7];
            edges.sort_by(f32::total_cmp);
            let along: Vec<Column<f32>> =
                (0..64).map(|_| std::array::from_fn(|_| number().round())).collect();
            let offsets: Vec<f32> =
                (0..64).map(|i| if i > 50 { f32::INFINITY } else { number().round() }).collect();
            let weights: Column<f32> = std::array::from_fn(|row| if row % 9 == 4 { 0.0 } else { 64.0 });
            let mut answers = Vec::new();
            for level in Level::available() {
                let kernel = VectorKernel(level);
                let mut centered = vec![0.0; d];
                let size = kernel.center(&rows[..d], &center, &mut centered);
                let mut columns = vec![[0.0; BLOCK]; d];
                kernel.transpose(&rows, &mut columns);
                assert!((0..BLOCK * d).all(|at| columns[at % d][at / d] == rows[at]), "{d}");
                let cells = kernel.locate(&z[0], &edges);
                let codes = kernel.nearest(&along, &offsets);
                for row in 0..BLOCK {
                    assert_eq!(
                        usize::from(cells[row]),
                        edges.iter().filter(|edge| **edge < z[0][row]).count()
                    );
                    let close = |code: usize| along[code][row] - offsets[code];
                    let best = (0..64).map(close).fold(f32::NEG_INFINITY, f32::max);
                    assert_eq!(Some(usize::from(codes[row])), (0..64).find(|code| close(*code) == best));
                }
                let (mut sums, mut one_by_one) = (vec![1_i64; d], vec![1_i64; d]);
                kernel.add_block(&mut sums, &rows, &weights);
                for (row, weight) in rows.chunks_exact(d).zip(&weights) {
                    kernel.add_row(&mut one_by_one, row, *weight);
                }
                assert_eq!(sums, one_by_one, "{d}");
                let exact = |at: usize| -> i64 {
                    let of =
                        |(row, weight): (&[f32], &f32)| f64::from(row[at] * weight).round_ties_even() as i64;
                    rows.chunks_exact(d).zip(&weights).map(of).sum()
                };
                assert_eq!(sums[0] - 1, exact(0));
                let mut moments = vec![0_i64; 15];
                kernel.add_products(&mut moments, &z, &weights);
                let mut expected = Vec::new();
                for i in 0..5 {
                    for j in i..5 {
                        let of = |row: usize| {
                            f64::from(z[i][row] * weights[row] * z[j][row]).round_ties_even() as i64
                        };
                        expected.push((0..BLOCK).map(of).sum::<i64>());
                    }
                }
                assert_eq!(moments, expected);
                let squares = kernel.squares(&z, &[1.0, 0.5, 0.0, 2.0, 3.0]).map(|own| own.map(f32::to_bits));
                answers.push((centered, size.square.to_bits(), size, cells, codes, sums, squares));
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
            assert_eq!(kernel.center(&row, &[0.5; 33], &mut [0.0; 33]).largest, f32::INFINITY);
        }
        assert!(kernel.center(&[0.0, -0.0], &[1.0, 2.0], &mut [0.0; 2]).is_zero);
        assert!(!kernel.center(&[0.0, 1e-40], &[0.0; 2], &mut [0.0; 2]).is_zero);
        // Whatever comes, nothing is undefined.
        let mut sums = [0; 3];
        kernel.add_row(&mut sums, &[f32::NAN, f32::INFINITY, -1e30], 1.0);
        assert!(sums.iter().all(|sum| sum.unsigned_abs() <= 16_777_215));
    }
}
