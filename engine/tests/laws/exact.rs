//! Statistics from counts against those from rows.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, UInt64Array};
use driftlead_engine::Metric;

use crate::columns::{Rng, baseline_with, decimals, doubles, longs, numeric, scored, spec, state, value};
use crate::oracle;

fn assert_near(found: f64, expected: f64, relative: f64, what: &str) {
    assert!((found - expected).abs() <= relative * expected.abs(), "{what}: {found}, expected {expected}");
}

#[test]
fn ks_of_few_values_is_that_of_the_rows() {
    let mut rng = Rng(1);
    let pool = [
        f64::NEG_INFINITY,
        -1e300,
        -3.5,
        -0.0,
        0.0,
        5e-324,
        0.1,
        0.1 + f64::EPSILON,
        2.0,
        1e15,
        f64::MAX,
        f64::INFINITY,
    ];
    for case in 0..60 {
        let own = 1 + rng.below(pool.len());
        let baseline: Vec<f64> = (0..1 + rng.below(300)).map(|_| pool[rng.below(own)]).collect();
        let from = rng.below(pool.len());
        let window: Vec<f64> = (0..1 + rng.below(300))
            .map(|_| match rng.below(4) {
                0 => rng.normal() * 3.0,
                _ => pool[from + rng.below(pool.len() - from)],
            })
            .collect();
        let measured = scored(&numeric(doubles(&baseline)), &doubles(&window));
        let ks = &measured.scores[&Metric::Ks];
        let truth = oracle::ks(&baseline, &window);
        assert!((ks.value.unwrap() - truth).abs() <= 1e-15, "case {case}: {ks:?}, {truth}");
        assert!((ks.high.unwrap() - truth).abs() <= 1e-15, "case {case}: {ks:?}, {truth}");
    }
}

#[test]
fn ks_of_integers_is_exact_beyond_doubles() {
    let mut rng = Rng(2);
    for base in [0_i64, 1 << 53, (1 << 62) - 3, i64::MAX - 40, i64::MIN + 2] {
        let near = |rng: &mut Rng, spread: usize| -> Vec<i64> {
            (0..400).map(|_| base.saturating_add(rng.below(spread) as i64)).collect()
        };
        let (baseline, window) = (near(&mut rng, 30), near(&mut rng, 33));
        let truth = oracle::ks(&baseline, &window);
        let own = numeric(longs(&baseline));
        assert!((value(&scored(&own, &longs(&window)), Metric::Ks) - truth).abs() <= 1e-15, "{base}");
        // Decimals of 38 digits far from what a double tells apart.
        let wide = |rows: &[i64]| rows.iter().map(|x| i128::from(*x) + (1 << 100)).collect::<Vec<_>>();
        let decimal = numeric(decimals(&wide(&baseline), 38, 4));
        let measured = scored(&decimal, &decimals(&wide(&window), 38, 4));
        assert!((value(&measured, Metric::Ks) - truth).abs() <= 1e-15, "{base}");
    }
    let ids =
        |from: u64| -> ArrayRef { Arc::new(UInt64Array::from_iter_values((0..100).map(|i| from - i % 50))) };
    assert_eq!(value(&scored(&numeric(ids(u64::MAX)), &ids(u64::MAX)), Metric::Ks), 0.0);
    assert_eq!(value(&scored(&numeric(ids(u64::MAX)), &ids(u64::MAX - 25)), Metric::Ks), 0.5);
}

/// Shapes of data, and how near the Wasserstein distance must be.
type Shape = (&'static str, f64, fn(&mut Rng) -> f64);

const SHAPES: [Shape; 5] = [
    ("normal", 0.07, Rng::normal),
    ("lognormal", 0.07, |rng| (2.0 * rng.normal()).exp()),
    ("pareto 1.1", 0.25, |rng| rng.unit().powf(-1.0 / 1.1)),
    ("two humps", 0.07, |rng| rng.normal() + if rng.below(3) == 0 { 40.0 } else { 0.0 }),
    ("half an atom", 0.07, |rng| if rng.below(2) == 0 { 0.0 } else { rng.normal() }),
];

#[test]
fn ks_and_wasserstein_of_a_sampled_baseline_are_certified() {
    for (i, (name, near, draw)) in SHAPES.into_iter().enumerate() {
        let mut rng = Rng(10 + i as u64);
        let baseline: Vec<f64> = (0..70_000).map(|_| draw(&mut rng)).collect();
        let parts = [doubles(&baseline[..30_000]), doubles(&baseline[30_000..])];
        let own = baseline_with(spec("x", driftlead_engine::Kind::Numeric, &parts[0]), &parts);
        for (shift, stretch, rows) in
            [(0.0, 1.0, 2_000), (0.1, 1.0, 4_000), (0.5, 1.3, 1_000), (-30.0, 1.0, 500)]
        {
            let window: Vec<f64> = (0..rows).map(|_| draw(&mut rng) * stretch + shift).collect();
            let measured = scored(&own, &doubles(&window));
            let what = format!("{name}, shifted by {shift}");

            let (ks, truth) = (&measured.scores[&Metric::Ks], oracle::ks(&baseline, &window));
            let (low, high) = (ks.value.unwrap(), ks.high.unwrap());
            assert!(low <= truth + 1e-15 && truth <= high + 1e-15, "{what}: {truth} in {ks:?}");
            assert!(truth - low <= 1.5 / 513.0 + 1.0 / 70_000.0, "{what}: {truth} far above {ks:?}");

            let (w1, truth) = (&measured.scores[&Metric::Wasserstein], oracle::w1(&baseline, &window));
            let rounding = 1e-9 * truth;
            assert!(
                w1.low.unwrap() <= truth + rounding && truth <= w1.high.unwrap() + rounding,
                "{what}: {truth} in {w1:?}"
            );
            assert_near(w1.value.unwrap(), truth, near, &what);
        }
    }
}

/// Beyond the baseline's range the window's sums say how far its rows are, however skewed the baseline is.
#[test]
fn wasserstein_beside_a_skewed_range_is_that_of_the_rows() {
    let mut rng = Rng(77);
    let baseline: Vec<f64> = (0..20_000).map(|_| (2.0 * rng.normal()).exp()).collect();
    let own = numeric(doubles(&baseline));
    let least = baseline.iter().copied().fold(f64::INFINITY, f64::min);
    for reach in [1e-4, 0.01, 1.0, 30.0, 1e6] {
        for outside in [1, 3, 9] {
            // One, three or nine rows of ten lie below the range, spread over `reach`.
            let window: Vec<f64> =
                (0..2_000)
                    .map(|i| {
                        if i % 10 < outside { least - reach * rng.unit() } else { (2.0 * rng.normal()).exp() }
                    })
                    .collect();
            let (w1, truth) = (
                &scored(&own, &doubles(&window)).scores[&Metric::Wasserstein],
                oracle::w1(&baseline, &window),
            );
            assert_near(w1.value.unwrap(), truth, 0.02, &format!("{outside} of 10 within {reach}"));
            let rounding = 1e-9 * truth;
            assert!(
                w1.low.unwrap() <= truth + rounding && truth <= w1.high.unwrap() + rounding,
                "{truth} in {w1:?}"
            );
        }
    }
}

/// 64 Ki rows or fewer: PSI's cells are the deciles of the rows themselves, infinities included.
#[test]
fn psi_is_that_of_the_baselines_deciles() {
    for (i, (name, _, draw)) in SHAPES.into_iter().enumerate() {
        for infinite in [0, 7] {
            let mut rng = Rng(30 + i as u64);
            let mut rows = |n: usize, shift: f64| -> Vec<f64> {
                (0..n)
                    .map(|row| match row % 10 {
                        // Seven of a hundred are infinite, more below than above.
                        _ if row % 100 < infinite => {
                            if row % 100 < 5 {
                                f64::NEG_INFINITY
                            } else {
                                f64::INFINITY
                            }
                        }
                        _ => draw(&mut rng) + shift,
                    })
                    .collect()
            };
            let (baseline, window) = (rows(20_000, 0.0), rows(3_000, 0.2));
            let own = numeric(doubles(&baseline));
            let measured = scored(&own, &doubles(&window));
            let truth = oracle::psi(&baseline, &window);
            assert!(
                (value(&measured, Metric::Psi) - truth).abs() <= 1e-9,
                "{name}, {infinite}: {measured:?} {truth}"
            );
            assert_eq!(value(&scored(&own, &doubles(&baseline)), Metric::Psi), 0.0, "{name}");
        }
    }
}

#[test]
fn moments_are_those_of_the_rows() {
    for (i, (name, _, draw)) in SHAPES.into_iter().enumerate().take(3) {
        for (center, unit) in [(0.0, 1.0), (1e6, 1.0), (-1e12, 1e3), (0.0, 1e-200), (0.0, 1e140)] {
            let mut rng = Rng(50 + i as u64);
            let mut rows =
                |n: usize| -> Vec<f64> { (0..n).map(|_| draw(&mut rng) * unit + center).collect() };
            let (baseline, window) = (rows(4_300), rows(1_000));
            let own = numeric(doubles(&baseline));
            let (mean, variance) = oracle::moments(&baseline);
            let (window_mean, window_variance) = oracle::moments(&window);
            let measured = scored(&own, &doubles(&window));
            let what = format!("{name} around {center} of {unit}");
            let shift = &measured.scores[&Metric::MeanShift];
            if variance == 0.0 || variance * unit == 0.0 {
                // Squares below the least double: no spread that could divide.
                assert!(shift.value.is_none(), "{what}: {shift:?}");
                continue;
            }
            let truth = (window_mean - mean) / variance.sqrt();
            // Relative to the means themselves: their difference cancels.
            let scale = truth.abs().max(1e-3) + 1e-6 * mean.abs() / variance.sqrt();
            assert!((shift.value.unwrap() - truth).abs() <= 1e-9 * scale, "{what}: {shift:?}, {truth}");
            let truth = (window_variance / variance).sqrt().ln();
            assert!((value(&measured, Metric::SdShift) - truth).abs() <= 2e-9, "{what}: {truth}");
        }
    }
}

/// A segment has means of its own within the cells, which are not stored: its bounds must hold all the same.
#[test]
fn bounds_hold_for_a_segment_of_the_baseline() {
    let mut rng = Rng(70);
    let rows: Vec<f64> = (0..20_000).map(|_| rng.normal()).collect();
    let own = numeric(doubles(&rows));
    // The segment holds what lies in the lower half of each of a hundred stretches.
    let segment: Vec<f64> = rows.iter().copied().filter(|x| (x * 100.0).rem_euclid(1.0) < 0.5).collect();
    let feature = &own.features()[0];
    let (baseline, window) = (state(&own, &doubles(&segment)), state(&own, &doubles(&segment)));
    let measured = driftlead_engine::score::measure(feature.cells(), &baseline, &window, 1.0).unwrap();
    let w1 = &measured.scores[&Metric::Wasserstein];
    assert!(w1.low == Some(0.0) && w1.value.unwrap() < 0.01, "{w1:?}");
    let shifted: Vec<f64> = segment.iter().map(|x| x + 0.005).collect();
    let measured =
        driftlead_engine::score::measure(feature.cells(), &baseline, &state(&own, &doubles(&shifted)), 1.0)
            .unwrap();
    let (w1, truth) = (&measured.scores[&Metric::Wasserstein], oracle::w1(&segment, &shifted));
    assert!(w1.low.unwrap() <= truth && truth <= w1.high.unwrap(), "{truth} in {w1:?}");
}

/// One row that the sample missed is too large for the sums; the bounds of the distance still hold.
#[test]
fn bounds_hold_beside_a_row_too_large_to_be_summed() {
    let mut rng = Rng(80);
    let mut rows: Vec<f64> = (0..70_000).map(|_| rng.normal()).collect();
    let window = rows[..1_000].to_vec();
    let part = doubles(&rows);
    let ranges = &driftlead_engine::baseline::sample_plan(&[70_000])[0];
    let missed = (0..70_000).find(|row| ranges.iter().all(|range| !range.contains(row))).unwrap();
    rows[missed as usize] = 1e60;
    let own = baseline_with(spec("x", driftlead_engine::Kind::Numeric, &part), &[doubles(&rows)]);
    let (w1, truth) =
        (&scored(&own, &doubles(&window)).scores[&Metric::Wasserstein], oracle::w1(&rows, &window));
    assert!(w1.high.is_none_or(|high| truth <= high * (1.0 + 1e-9)), "{truth} in {w1:?}");
    assert!(w1.low.is_none_or(|low| low <= truth * (1.0 + 1e-9)), "{truth} in {w1:?}");
}

#[test]
fn sums_never_take_in_a_square_beyond_doubles() {
    // The baseline's squares are close to the largest double, the window's are beyond it.
    let baseline: Vec<f64> = (0..500).map(|i| f64::from(i) * 2e151).collect();
    let own = numeric(doubles(&baseline));
    let window = state(&own, &doubles(&[1e200, 2e151]));
    let driftlead_engine::accumulate::FeatureState::Numeric(window) = &window else {
        unreachable!("numeric")
    };
    assert_eq!(window.overflow.1, 1, "{window:?}");
    let narrow: ArrayRef = Arc::new(Float32Array::from(vec![f32::MAX, 1.0]));
    assert_eq!(scored(&own, &narrow).n, 2);
}
