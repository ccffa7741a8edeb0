//! Waves of an embedding: cosine and sine of each phase, rounded and added.
//!
//! A phase is in turns, so that what is left of whole turns is exact; a polynomial does the rest, the same on every
//! instruction set.

use super::level::Task;
use super::vectors::{BLOCK, Column, VectorKernel, rounded};

/// What cosines and sines are multiplied with before they are rounded. Rounding adds less than 2^-33 to a variance of
/// about a half, and a block of rows has 23 bits.
pub(crate) const WAVE_SCALE: f32 = 65_536.0;

/// Phases farther out have no digits behind the point left that say anything.
const FARTHEST: f32 = 4_194_304.0;

impl VectorKernel {
    /// Adds cosine and sine of each phase to their sums, for the rows with a weight above zero. `sums` holds the cosines of
    /// all frequencies, then the sines; `phases` a column for each frequency.
    pub(crate) fn add_waves(self, sums: &mut [i64], phases: &[Column<f32>], weights: &Column<f32>) {
        self.run(AddWaves { sums, phases, weights });
    }

    /// [`add_waves`](Self::add_waves) of one row.
    pub(crate) fn add_wave(self, sums: &mut [i64], phases: &[f32]) {
        self.run(AddWave { sums, phases });
    }
}

/// Cosine and sine of a phase in turns.
#[inline(always)]
fn wave(phase: f32) -> [f32; 2] {
    // NaN becomes one of the bounds.
    let held = if phase < FARTHEST { phase } else { FARTHEST };
    let held = if held > -FARTHEST { held } else { -FARTHEST };
    let turn = held - held.round_ties_even();
    let size = turn.abs();
    let sine = quarter(0.25 - (size - 0.25).abs());
    [quarter(0.25 - size), if turn < 0.0 { -sine } else { sine }]
}

/// `sin(2 pi x)` up to a quarter of a turn, by its series: the first term left out is below 1e-9.
#[inline(always)]
fn quarter(x: f32) -> f32 {
    const TERMS: [f32; 7] =
        [std::f32::consts::TAU, -41.341_7, 81.605_25, -76.705_86, 42.058_693, -15.094_643, 3.819_952_5];
    let square = x * x;
    let mut sum = TERMS[6];
    for term in (0..6).rev() {
        sum = sum * square + TERMS[term];
    }
    sum * x
}

struct AddWaves<'a> {
    sums: &'a mut [i64],
    phases: &'a [Column<f32>],
    weights: &'a Column<f32>,
}

impl Task for AddWaves<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { sums, phases, weights } = self;
        let mut scales = [0.0_f32; BLOCK];
        for row in 0..BLOCK {
            scales[row] = if weights[row] > 0.0 { WAVE_SCALE } else { 0.0 };
        }
        let (cosines, sines) = sums.split_at_mut(phases.len());
        for ((cosine, sine), phases) in cosines.iter_mut().zip(sines).zip(phases) {
            let (mut of_cosine, mut of_sine) = (0_i32, 0_i32);
            for row in 0..BLOCK {
                let [cosine, sine] = wave(phases[row]);
                of_cosine += rounded(cosine * scales[row]);
                of_sine += rounded(sine * scales[row]);
            }
            *cosine += i64::from(of_cosine);
            *sine += i64::from(of_sine);
        }
    }
}

struct AddWave<'a> {
    sums: &'a mut [i64],
    phases: &'a [f32],
}

impl Task for AddWave<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { sums, phases } = self;
        let (cosines, sines) = sums.split_at_mut(phases.len());
        for ((cosines, sines), phases) in cosines.iter_mut().zip(sines).zip(phases) {
            let [cosine, sine] = wave(*phases);
            *cosines += i64::from(rounded(cosine * WAVE_SCALE));
            *sines += i64::from(rounded(sine * WAVE_SCALE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::level::Level;
    use super::*;
    use crate::splitmix;

    #[test]
    fn every_level_gives_the_cosine_and_sine_of_each_row() {
        let mut seed = 7;
        let mut number = move || (splitmix::next(&mut seed) >> 40) as f32 / 524_288.0 - 16.0;
        let mut phases: Vec<Column<f32>> = (0..21).map(|_| std::array::from_fn(|_| number())).collect();
        phases[0][..9].copy_from_slice(&[0.0, -0.0, 0.25, -0.25, 0.5, -0.5, 0.75, 1e-30, 3.5]);
        let weights: Column<f32> = std::array::from_fn(|row| if row % 9 == 4 { 0.0 } else { 64.0 });
        let mut answers = Vec::new();
        for level in Level::available() {
            let kernel = VectorKernel::of(level);
            let (mut sums, mut one_by_one) = (vec![1_i64; 42], vec![1_i64; 42]);
            kernel.add_waves(&mut sums, &phases, &weights);
            for row in (0..BLOCK).filter(|row| weights[*row] > 0.0) {
                let own: Vec<f32> = phases.iter().map(|column| column[row]).collect();
                kernel.add_wave(&mut one_by_one, &own);
                let mut single = vec![0_i64; 42];
                kernel.add_wave(&mut single, &own);
                for (frequency, phase) in own.iter().enumerate() {
                    let (sin, cos) = (std::f64::consts::TAU * f64::from(*phase)).sin_cos();
                    for (found, exact) in [(single[frequency], cos), (single[21 + frequency], sin)] {
                        let exact = exact * f64::from(WAVE_SCALE);
                        assert!((found as f64 - exact).abs() < 0.52, "{phase}: {found}, not {exact}");
                    }
                }
            }
            assert_eq!(sums, one_by_one);
            answers.push(sums);
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn what_is_no_phase_stays_within_bounds() {
        let kernel = VectorKernel::detect();
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, f32::MIN_POSITIVE];
        let mut sums = [0; 12];
        kernel.add_wave(&mut sums, &odd);
        assert!(sums.iter().all(|sum| sum.unsigned_abs() <= 65_537), "{sums:?}");
    }
}
