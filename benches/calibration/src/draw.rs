//! Columns without drift, and with a drift whose size is known.
//!
//! Continuous values are `(u - 1/2) / (u (1 - u))` of a uniform `u`: no moments, and cheap. Every statistic judged here is
//! blind to increasing transformations, so a drift is defined on `u`.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, StringArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};

use crate::random::Random;

/// How a window's `u` differs from the baseline's uniform one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drift {
    /// Not at all.
    None,
    /// Density `1 + t (2u - 1)`: D is `t/4`.
    Tilt(f64),
    /// Density `1 - t` on the lower half, `1 + t` on the upper: D is `t/2`, reached at one place.
    Step(f64),
    /// The lowest share `t` moves to the top: D is `t`, on a wide plateau, the hardest case for KS.
    Carry(f64),
    /// One tenth of the line, the third, holds `0.1 + t` instead of 0.1; the rest shrinks in proportion.
    Cell(f64),
}

impl Drift {
    /// A draw from the drifted distribution on `(0, 1)`.
    pub fn unit(self, random: &mut Random) -> f64 {
        let u = random.unit();
        match self {
            Self::None => u,
            // The inverse of F(u) = (1 - t) u + t u^2.
            Self::Tilt(t) => {
                let a = 1.0 - t;
                (2.0 * u / (a + (a * a + 4.0 * t * u).sqrt())).clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON)
            }
            Self::Step(t) => {
                let half = 0.5 * (1.0 - t);
                if u < half { u / (1.0 - t) } else { 0.5 + (u - half) / (1.0 + t) }
            }
            Self::Carry(t) => {
                if u < t {
                    1.0 - u
                } else {
                    u
                }
            }
            Self::Cell(t) => {
                if random.unit() < 0.1 + t {
                    0.2 + 0.1 * u
                } else {
                    let v = 0.9 * u;
                    if v < 0.2 { v } else { v + 0.1 }
                }
            }
        }
    }

    /// The population PSI against the uniform distribution on its ten deciles (of the continuous density for the tilt,
    /// which bounds it).
    #[must_use]
    pub fn psi(self) -> f64 {
        let term = |q: f64, p: f64| (q - p) * (q / p).ln();
        match self {
            Self::None => 0.0,
            Self::Tilt(t) => {
                // Simpson's rule on (q - p) ln(q / p).
                let steps = 400_u32;
                let f = |i: u32| term(1.0 + t * (2.0 * f64::from(i) / f64::from(steps) - 1.0), 1.0);
                let inner: f64 = (1..steps).map(|i| f64::from(2 + 2 * (i % 2)) * f(i)).sum();
                (f(0) + inner + f(steps)) / (3.0 * f64::from(steps))
            }
            Self::Step(t) => 0.5 * (term(1.0 - t, 1.0) + term(1.0 + t, 1.0)),
            Self::Carry(t) => term(0.1 - t, 0.1) + term(0.1 + t, 0.1),
            Self::Cell(t) => term(0.1 + t, 0.1) + term(0.9 - t, 0.9),
        }
    }

    /// The drift of this kind whose PSI is `psi`, by halving; the sign of `t` is that of `self`'s.
    #[must_use]
    pub fn of_psi(self, psi: f64) -> Self {
        let with = |t: f64| match self {
            Self::None => Self::None,
            Self::Tilt(own) => Self::Tilt(t.copysign(own)),
            Self::Step(own) => Self::Step(t.copysign(own)),
            Self::Carry(own) => Self::Carry(t.copysign(own)),
            Self::Cell(own) => Self::Cell(t.copysign(own)),
        };
        let most = match self {
            Self::Carry(_) => 0.0999,
            Self::Cell(own) if own < 0.0 => 0.0999,
            Self::Cell(_) => 0.8,
            _ => 0.999,
        };
        let (mut low, mut high) = (0.0, most);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if with(middle).psi() < psi { low = middle } else { high = middle }
        }
        with(low)
    }
}

/// What a column looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Continuous.
    Continuous,
    /// Three of five values are 0, the rest continuous.
    MostlyZero,
    /// 0 or 1, three of ten are 1.
    Binary,
    /// Normal, rounded to thirds of a standard deviation: integers.
    Rounded,
    /// Continuous, and every other row is null.
    HalfNull,
    /// Categories, the k-th of so many with a weight of 1/k.
    Zipf(u32),
    /// Categories as above, and every other row is null.
    HalfNullZipf(u32),
    /// So many categories, all equally frequent.
    Even(u32),
}

impl Shape {
    /// A column of `n` rows.
    #[must_use]
    pub fn column(self, n: u64, drift: Drift, random: &mut Random) -> ArrayRef {
        let values = || 0..n;
        match self {
            Self::Continuous => {
                Arc::new(Float64Array::from_iter_values(values().map(|_| spread(drift.unit(random)))))
            }
            Self::HalfNull => {
                let numbers: Vec<f64> = values().map(|_| spread(drift.unit(random))).collect();
                Arc::new(Float64Array::new(numbers.into(), Some(half(n, random))))
            }
            Self::MostlyZero => Arc::new(Float64Array::from_iter_values(values().map(|_| {
                let u = drift.unit(random);
                if u < 0.6 { 0.0 } else { 1.0 + spread((u - 0.6) / 0.4).abs() }
            }))),
            Self::Binary => {
                Arc::new(Int64Array::from_iter_values(values().map(|_| i64::from(drift.unit(random) > 0.7))))
            }
            Self::Rounded => Arc::new(Int64Array::from_iter_values(values().map(|_| {
                // A logistic distribution: as rounded as a normal one, by a closed form.
                let u = drift.unit(random);
                #[expect(clippy::cast_possible_truncation, reason = "below 200")]
                let rounded = (1.8 * (u / (1.0 - u)).ln()).round() as i64;
                rounded
            }))),
            Self::Zipf(categories) => Arc::new(named(n, &Ranks::zipf(categories), drift, None, random)),
            Self::HalfNullZipf(categories) => {
                let nulls = half(n, random);
                Arc::new(named(n, &Ranks::zipf(categories), drift, Some(nulls), random))
            }
            Self::Even(categories) => Arc::new(named(n, &Ranks::even(categories), drift, None, random)),
        }
    }
}

/// An increasing map of `(0, 1)` onto the line, with tails as heavy as Cauchy's.
#[must_use]
pub fn spread(u: f64) -> f64 {
    (u - 0.5) / (u * (1.0 - u))
}

fn half(n: u64, random: &mut Random) -> NullBuffer {
    NullBuffer::new(BooleanBuffer::from_iter((0..n).map(|_| random.bits() & 1 == 0)))
}

fn named(
    n: u64,
    ranks: &Ranks,
    drift: Drift,
    nulls: Option<NullBuffer>,
    random: &mut Random,
) -> DictionaryArray<Int32Type> {
    let keys: Vec<i32> = (0..n).map(|_| ranks.rank(drift.unit(random))).collect();
    let names = StringArray::from_iter_values((0..ranks.cumulated.len()).map(|rank| format!("c{rank}")));
    DictionaryArray::new(Int32Array::new(keys.into(), nulls), Arc::new(names))
}

/// Ranks with given weights, found by a table of first ranks and a short walk.
struct Ranks {
    cumulated: Vec<f64>,
    first: Vec<i32>,
}

impl Ranks {
    fn zipf(categories: u32) -> Self {
        Self::new(categories, |rank| 1.0 / f64::from(rank))
    }

    fn even(categories: u32) -> Self {
        Self::new(categories, |_| 1.0)
    }

    fn new(categories: u32, weight: impl Fn(u32) -> f64) -> Self {
        let total: f64 = (1..=categories).map(&weight).sum();
        let cumulated: Vec<f64> = (1..=categories)
            .scan(0.0, |sum, rank| {
                *sum += weight(rank) / total;
                Some(*sum)
            })
            .collect();
        let first = (0..4096)
            .map(|slot| {
                let at = f64::from(slot) / 4096.0;
                i32::try_from(cumulated.partition_point(|share| *share <= at)).unwrap_or(i32::MAX)
            })
            .collect();
        Self { cumulated, first }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ranks and slots are small")]
    fn rank(&self, u: f64) -> i32 {
        let last = self.cumulated.len() - 1;
        let mut rank = (self.first[(u * 4096.0) as usize] as usize).min(last);
        while rank < last && self.cumulated[rank] <= u {
            rank += 1;
        }
        rank as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The population D and PSI that a drift claims, against a million draws.
    #[test]
    fn drifts_are_as_large_as_they_say() {
        for (drift, d) in [
            (Drift::Tilt(0.2), 0.05),
            (Drift::Step(0.1), 0.05),
            (Drift::Carry(0.05), 0.05),
            (Drift::Cell(0.05), 0.0389),
            (Drift::Cell(-0.05), 0.0389),
        ] {
            let mut random = Random::new(1, 1);
            let mut counts = [0_u32; 10];
            let n = 400_000;
            for _ in 0..n {
                counts[(10.0 * drift.unit(&mut random)) as usize] += 1;
            }
            let shares = counts.map(|count| f64::from(count) / f64::from(n));
            let psi: f64 = shares.iter().map(|q| (q - 0.1) * (q / 0.1).ln()).sum();
            assert!((psi / drift.psi() - 1.0).abs() < 0.06, "{drift:?}: {psi} {}", drift.psi());
            let mut f = 0.0;
            let found = (0..10).fold(0.0_f64, |most, cell| {
                f += shares[cell];
                most.max((f - 0.1 * (cell as f64 + 1.0)).abs())
            });
            assert!((found - d).abs() < 0.003, "{drift:?}: {found}");
            let again = drift.of_psi(drift.psi());
            assert!((again.psi() - drift.psi()).abs() < 1e-9, "{again:?}");
        }
    }

    #[test]
    fn ranks_have_their_weights() {
        let (ranks, mut random, mut counts) = (Ranks::zipf(5), Random::new(2, 2), [0_u32; 5]);
        (0..100_000).for_each(|_| counts[ranks.rank(random.unit()) as usize] += 1);
        for (rank, count) in (1..).zip(counts) {
            assert!(
                (f64::from(count) / 1e5 - 60.0 / 137.0 / f64::from(rank)).abs() < 0.006,
                "{rank}: {count}"
            );
        }
    }
}
