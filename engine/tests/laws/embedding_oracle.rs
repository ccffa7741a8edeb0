//! An embedding's scores against numpy's, scipy's and scikit-learn's, stored by `fixtures/oracle/embedding.py`.

use std::path::Path;

use arrow_array::ArrayRef;
use driftlead_engine::accumulate::FeatureState;
use driftlead_engine::embedding::FREQUENCIES;
use driftlead_engine::feature::FeatureCells;
use driftlead_engine::score::{Measured, Way};
use driftlead_engine::{Kind, Metric, metric};

use crate::columns::{Rng, baseline_with, compare, fixed_lists, spec, state};

const DIM: usize = 40;

/// A whole number, about normal, of standard deviation 37,837.
fn number(rng: &mut Rng) -> i64 {
    let x = rng.next();
    (0..4).map(|i| (x >> (16 * i) & 0xffff) as i64).sum::<i64>() - 131_070
}

fn draw(seed: u64, rows: usize, moved: bool) -> ArrayRef {
    let mut rng = Rng(seed);
    let mut values = Vec::new();
    for _ in 0..rows {
        let mut latent: [i64; 6] = std::array::from_fn(|_| number(&mut rng));
        if rng.next().is_multiple_of(if moved { 2 } else { 4 }) {
            latent[0] += 150_000;
        }
        for j in 0..DIM {
            let mut x = latent[j % 6] * (9 - j as i64 / 6) + 2 * number(&mut rng) * (1 + j as i64 % 5);
            if moved && j == 3 {
                x += 60_000;
            }
            values.push((x.div_euclid(4096) + 40) as f32 / 64.0);
        }
    }
    fixed_lists(DIM, values)
}

#[test]
fn every_part_is_what_numpy_says() {
    let rows = draw(11, 2_500, false);
    let baseline = baseline_with(spec("x", Kind::Embedding, &rows), std::slice::from_ref(&rows));
    let feature = &baseline.features()[0];
    let FeatureCells::Embedding(cells) = feature.cells().as_ref() else { panic!("no embedding") };
    let codes: Vec<Vec<f64>> = (0..cells.n_codes()).map(|code| cells.code(code)).collect();
    if std::env::var_os("UPDATE_CODES").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/oracle/embedding_codes.json");
        std::fs::write(path, serde_json::to_string(&codes).unwrap()).unwrap();
    }
    let expected: serde_json::Value =
        serde_json::from_str(include_str!("../../../fixtures/oracle/embedding.json")).unwrap();
    let stored: Vec<Vec<f64>> =
        serde_json::from_str(include_str!("../../../fixtures/oracle/embedding_codes.json")).unwrap();
    // Another instruction set fits a codebook that differs in its last bits.
    for (own, stored) in codes.iter().flatten().zip(stored.iter().flatten()) {
        assert!((own - stored).abs() < 1e-3, "{own} {stored}: run with UPDATE_CODES=1, then the script");
    }
    let window = state(&baseline, &draw(12, 600, true));
    let measured = compare(&baseline, &window);
    let (Some(FeatureState::Embedding(own)), FeatureState::Embedding(moved)) = (feature.state(None), &window)
    else {
        panic!("no embedding")
    };
    assert_eq!(own.fitted, expected["fitted"].as_u64().unwrap());
    for (counts, name) in [(own.codes(), "baseline"), (moved.codes(), "window")] {
        let stored: Vec<u64> = serde_json::from_value(expected["clusters"][name].clone()).unwrap();
        let moved: u64 = counts.iter().zip(&stored).map(|(a, b)| a.abs_diff(*b)).sum();
        assert!(moved <= 2, "{name}: {counts:?} {stored:?}");
    }
    let mut compared = 0;
    for metric in metric::ALL {
        let stored = &expected[metric.name()];
        let score = measured.scores.get(&metric);
        for (own, key) in
            [(score.and_then(|own| own.value), "value"), (score.and_then(|own| own.p_value), "p_value")]
        {
            let Some(stored) = stored[key].as_f64() else { continue };
            let own = own.unwrap_or(f64::NAN);
            compared += 1;
            // Scores are single precision; a p-value magnifies their errors by its exponent.
            let most = if key == "value" { 2e-5 } else { 1e-4 * (1.0 - stored.ln()) };
            assert!((own / stored - 1.0).abs() < most, "{metric} {key}: {own}, numpy says {stored}");
        }
    }
    assert_eq!(compared, 15);
    for (counts, name) in [(own.map(), "baseline"), (moved.map(), "window")] {
        let stored: Vec<u64> = serde_json::from_value(expected["map"][name].clone()).unwrap();
        let moved: u64 = counts.iter().zip(&stored).map(|(a, b)| a.abs_diff(*b)).sum();
        // A row on an edge may fall on either side of it in single precision.
        assert!(moved <= 4, "{name}: {counts:?} {stored:?}");
    }
    check_ways(&measured, &expected["ways"]);

    // The waves themselves, and what they stand for: the Gaussian kernel of all pairs, and its permutations.
    let number = |of: &serde_json::Value| of.as_f64().unwrap();
    let waves = cells.waves().unwrap();
    assert!((waves.bandwidth() / number(&expected["bandwidth"]) - 1.0).abs() < 1e-6);
    for (half, stored) in expected["waves"].as_array().unwrap().iter().enumerate() {
        for (at, stored) in stored.as_array().unwrap().iter().enumerate() {
            let own = moved.waves[half * FREQUENCIES + at] as f64 / 65_536.0 / moved.summed() as f64;
            assert!((own - number(stored)).abs() < 2e-6, "{own} {stored}");
        }
    }
    let exact = &expected["mmd_exact"];
    let mmd = measured.scores[&Metric::Mmd].value.unwrap();
    assert!((mmd - number(&exact["value"])).abs() < 4.0 * number(&exact["error"]), "{mmd}, not {exact}");
    let same = compare(&baseline, &state(&baseline, &draw(13, 600, false)));
    let p = same.scores[&Metric::Mmd].p_value.unwrap();
    assert!((p - number(&expected["mmd_of_same"]["p_value"])).abs() < 1e-4, "{p}");
    assert!((p - number(&expected["mmd_of_same"]["permuted"])).abs() < 0.03, "{p}");
    assert!((p - number(&expected["mmd_of_same"]["kernel_permuted"])).abs() < 0.1, "{p}");
}

/// What moved in each part: the same things in the same order, with the same numbers.
fn check_ways(measured: &Measured, expected: &serde_json::Value) {
    let mut compared = 0;
    for (part, stored) in expected.as_object().unwrap() {
        let stored = stored.as_array().unwrap();
        let own: Vec<_> = measured.directions.iter().filter(|own| own.part.name() == part).collect();
        let names: Vec<String> = own
            .iter()
            .map(|own| match own.way {
                Way::Component(k) => format!("component {k}"),
                Way::Spread(k) => format!("spread {k}"),
                Way::Error => "error".to_owned(),
                Way::Norm => "norm".to_owned(),
                Way::Distance => "distance".to_owned(),
                Way::Product(i, j) => format!("product {i} {j}"),
                Way::Within => "within".to_owned(),
                Way::Dimension(j) => format!("dimension {j}"),
            })
            .collect();
        let expected: Vec<&str> = stored.iter().map(|own| own["way"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{part}");
        for (own, stored) in own.iter().zip(stored) {
            for (number, key) in [
                (own.baseline, "baseline"),
                (own.window, "window"),
                (own.auc, "auc"),
                (own.share.filter(|_| own.way != Way::Within), "share"),
            ] {
                let expected = stored[key].as_f64();
                let near = |(own, stored): (f64, f64)| (own - stored).abs() < 1e-4 * stored.abs().max(1.0);
                let is_same = number.zip(expected).map_or(number == expected, near);
                assert!(is_same, "{part} {:?} {key}: {number:?}, numpy says {expected:?}", own.way);
                compared += usize::from(expected.is_some());
            }
        }
    }
    assert_eq!(compared, 19);
}
