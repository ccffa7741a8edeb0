//! Products of two blocks of vectors in double precision, each vector with each.

use super::level::{Level, Task};

/// Vectors of a block.
pub(crate) const GRAM: usize = 16;
/// Rows whose sums are held in registers at once.
const AT_ONCE: usize = 2;

/// A block of vectors, number by number: the first number of each vector, then the second.
pub(crate) type Interleaved = [[f64; GRAM]];

/// The product of each vector of `left`, which follow each other, with each of `right`. What one pair gives depends on
/// nothing else, and its sum has one order.
pub(crate) fn gram(left: &[f64], right: &Interleaved) -> Vec<[f64; GRAM]> {
    Level::detect().run(Gram { left, right })
}

struct Gram<'a> {
    left: &'a [f64],
    right: &'a Interleaved,
}

impl Task for Gram<'_> {
    type Output = Vec<[f64; GRAM]>;

    #[inline(always)]
    fn run(self) -> Self::Output {
        let dim = self.right.len();
        if dim == 0 {
            return Vec::new();
        }
        let mut products = Vec::with_capacity(self.left.len() / dim);
        for rows in self.left.chunks(dim * AT_ONCE) {
            let (first, second) = rows.split_at(dim);
            if second.len() < dim {
                products.push(one(first, self.right));
            } else {
                products.extend(two(first, second, self.right));
            }
        }
        products
    }
}

#[inline(always)]
fn one(row: &[f64], right: &Interleaved) -> [f64; GRAM] {
    let mut sums = [0.0; GRAM];
    for (x, numbers) in row.iter().zip(right) {
        for lane in 0..GRAM {
            sums[lane] += x * numbers[lane];
        }
    }
    sums
}

#[inline(always)]
fn two(first: &[f64], second: &[f64], right: &Interleaved) -> [[f64; GRAM]; AT_ONCE] {
    let (mut a, mut b) = ([0.0; GRAM], [0.0; GRAM]);
    for ((x, y), numbers) in first.iter().zip(second).zip(right) {
        for lane in 0..GRAM {
            a[lane] += x * numbers[lane];
            b[lane] += y * numbers[lane];
        }
    }
    [a, b]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn every_level_gives_the_sums_of_products() {
        let mut random = Random::new(5);
        for (rows, dim) in [(5, 1), (6, 3), (1, 40), (0, 7)] {
            let left: Vec<f64> = (0..rows * dim).map(|_| random.signed()).collect();
            let right: Vec<[f64; GRAM]> =
                (0..dim).map(|_| std::array::from_fn(|_| random.signed())).collect();
            let expected: Vec<[f64; GRAM]> = (0..rows)
                .map(|row| {
                    std::array::from_fn(|lane| {
                        (0..dim).fold(0.0, |sum, k| sum + left[row * dim + k] * right[k][lane])
                    })
                })
                .collect();
            for level in Level::available() {
                assert_eq!(level.run(Gram { left: &left, right: &right }), expected, "{level:?}");
            }
        }
    }
}
