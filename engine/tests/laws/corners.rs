//! Baselines and windows at the edge of what there is.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use driftlead_engine::accumulate::FeatureState;
use driftlead_engine::baseline::{Baseline, SAMPLE_ROWS};
use driftlead_engine::feature::{FeatureCells, NumericCells};
use driftlead_engine::{Kind, Metric};

use crate::columns::{
    Rng, baseline_with, categorical, compare, decimals, doubles, longs, numeric, scored, spec, state, texts,
    value,
};
use crate::oracle;

fn cells(baseline: &Baseline) -> &NumericCells {
    let FeatureCells::Numeric(cells) = baseline.features()[0].cells().as_ref() else {
        unreachable!("numeric")
    };
    cells
}

#[test]
fn sides_without_values_have_reasons_instead_of_numbers() {
    let nothing: ArrayRef = Arc::new(Float64Array::from(vec![None, Some(f64::NAN), None]));
    let no_integers: ArrayRef = Arc::new(Int64Array::from(vec![None, None]));
    let no_words: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>, None]));
    let cases = [
        (Kind::Numeric, nothing, doubles(&[1.0, 2.0])),
        (Kind::Numeric, no_integers, longs(&[1, i64::MIN, i64::MAX])),
        (Kind::Categorical, no_words, texts(&["a", "b"])),
    ];
    for (kind, empty, full) in cases {
        for (own, window) in [(&empty, &full), (&full, &empty), (&empty, &empty), (&full, &full.slice(0, 0))]
        {
            let baseline = baseline_with(spec("x", kind, own), std::slice::from_ref(own));
            let measured = scored(&baseline, window);
            for metric in [Metric::Psi, Metric::Ks, Metric::Wasserstein, Metric::MeanShift, Metric::Chi2] {
                let Some(score) = measured.scores.get(&metric) else { continue };
                assert!(score.value.is_none() && score.reason.is_some(), "{metric}: {score:?}");
            }
        }
    }
}

#[test]
fn one_and_two_rows_are_enough_to_compare() {
    let one = numeric(doubles(&[3.0]));
    assert_eq!(value(&scored(&one, &doubles(&[3.0])), Metric::Ks), 0.0);
    assert_eq!(value(&scored(&one, &doubles(&[4.0])), Metric::Ks), 1.0);
    let w1 = &scored(&one, &doubles(&[4.0])).scores[&Metric::Wasserstein];
    assert!((w1.low.unwrap() - 1.0).abs() < 1e-6 && w1.high >= w1.low, "{w1:?}");
    let two = numeric(longs(&[i64::MIN, i64::MAX]));
    let measured = scored(&two, &longs(&[i64::MIN, 0]));
    assert_eq!((value(&measured, Metric::Ks), value(&measured, Metric::OutOfRangeRate)), (0.5, 0.0));
}

#[test]
fn a_constant_sees_what_leaves_it() {
    for x in [0.0, 5.0, -1e300, 5e-324, f64::MAX, f64::MIN] {
        let own = numeric(doubles(&[x; 50]));
        assert_eq!(value(&scored(&own, &doubles(&[x; 20])), Metric::Ks), 0.0);
        for other in [x.next_up(), x.next_down()] {
            let measured = scored(&own, &doubles(&[other; 20]));
            assert_eq!(value(&measured, Metric::Ks), 1.0, "{x} to {other}");
            assert_eq!(value(&measured, Metric::OutOfRangeRate), 1.0, "{x} to {other}");
        }
    }
}

#[test]
fn infinities_alone_are_values() {
    let (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
    let own = numeric(doubles(&[low, high, high, high]));
    let measured = scored(&own, &doubles(&[low, low, high, high]));
    assert_eq!((value(&measured, Metric::Ks), measured.infinities), (0.25, 4));
    assert!(measured.scores[&Metric::Wasserstein].value.is_none());
    // Against integers they have no cells of their own, and are counted apart.
    let own = numeric(longs(&[1, 2, 3, 4]));
    let FeatureState::Numeric(window) = state(&own, &doubles(&[low, high, high, 2.0])) else {
        unreachable!("numeric")
    };
    assert_eq!(window.infinities, (1, 2));
    let measured = compare(&own, &FeatureState::Numeric(window));
    assert_eq!((measured.infinities, value(&measured, Metric::OutOfRangeRate)), (3, 0.75));
    let w1 = value(&measured, Metric::Wasserstein);
    assert!((w1 - oracle::w1(&[1.0, 2.0, 3.0, 4.0], &[2.0])).abs() < 1e-9, "{w1}");
}

/// The least integer has no value below it; its rows are not out of range.
#[test]
fn the_extremes_of_a_type_are_in_range() {
    let own = numeric(longs(&[i64::MIN, i64::MIN, 0, 5, i64::MAX]));
    let measured = scored(&own, &longs(&[i64::MIN, i64::MAX, 1, i64::MIN]));
    let rate = &measured.scores[&Metric::OutOfRangeRate];
    // One row of five is alone at its end: so often rows like the baseline's fall outside of the others' range.
    assert_eq!((rate.value, rate.baseline), (Some(0.0), Some(0.2)));
    assert_eq!(value(&measured, Metric::Ks), 0.15);
    let own = numeric(longs(&[i64::MIN + 1, 3]));
    assert_eq!(value(&scored(&own, &longs(&[i64::MIN, 3])), Metric::OutOfRangeRate), 0.5);
    let own = numeric(doubles(&[f64::MIN, 0.0, f64::MAX]));
    assert_eq!(value(&scored(&own, &doubles(&[f64::MIN, f64::MAX])), Metric::OutOfRangeRate), 0.0);
}

#[test]
fn up_to_64_ki_rows_are_exact_and_one_more_is_sampled() {
    let mut rng = Rng(5);
    let rows: Vec<f64> = (0..=SAMPLE_ROWS).map(|_| rng.normal()).collect();
    let all = numeric(doubles(&rows[..SAMPLE_ROWS as usize]));
    assert!(!cells(&all).sampled);
    let window: Vec<f64> = rows[..3_000].iter().map(|x| x * 1.1).collect();
    let measured = scored(&all, &doubles(&window));
    let truth = oracle::psi(&rows[..SAMPLE_ROWS as usize], &window);
    assert!((value(&measured, Metric::Psi) - truth).abs() < 1e-9);
    let sampled = numeric(doubles(&rows));
    assert!(cells(&sampled).sampled);
    let measured = scored(&sampled, &doubles(&window));
    assert_eq!(measured.baseline_n, SAMPLE_ROWS + 1);
    assert!((value(&measured, Metric::Psi) - truth).abs() < 0.02, "the nearest counted cuts");
}

#[test]
fn twenty_values_are_cells_and_twenty_one_are_deciles() {
    let rows = |n: usize| (0..40 * n).map(|i| (i % n) as i64).collect::<Vec<_>>();
    let (few, many) = (numeric(longs(&rows(20))), numeric(longs(&rows(21))));
    assert_eq!((cells(&few).psi.n_cells, cells(&few).psi.between), (21, Some(20)));
    assert_eq!((cells(&many).psi.n_cells, cells(&many).psi.between), (10, None));
    assert!(cells(&few).exact && cells(&many).exact);
    let values: Vec<f64> = rows(21).iter().map(|x| *x as f64).collect();
    let window: Vec<f64> = values.iter().map(|x| (x * 0.8).floor()).collect();
    let truth = oracle::psi(&values, &window);
    assert!((value(&scored(&many, &doubles(&window)), Metric::Psi) - truth).abs() < 1e-12);
}

#[test]
fn values_beside_the_few_known_ones_are_seen() {
    let own = numeric(doubles(&[[1.0; 100], [2.0; 100], [3.0; 100]].concat()));
    let FeatureState::Numeric(window) = state(&own, &doubles(&[[1.0; 50], [2.5; 50], [9.0; 50]].concat()))
    else {
        unreachable!("numeric")
    };
    let folded = cells(&own).psi.fold(&window.cells.to_vec());
    assert_eq!(folded, [50, 0, 0, 100]);
    let measured = compare(&own, &FeatureState::Numeric(window));
    assert!(value(&measured, Metric::Psi) > 0.5, "{measured:?}");
}

/// Far from zero, guard edges must not fall into the data: cells would lose their rows.
#[test]
fn guard_edges_lie_outside_however_large_the_values() {
    for base in [0, 1_i64 << 58, (1 << 62) + 12_345, i64::MAX - 6_000, i64::MIN, -(1 << 61) - 77] {
        let rows: Vec<i64> = (0..6_000).map(|i| base + i).collect();
        let own = numeric(longs(&rows));
        assert!(!cells(&own).exact);
        // Counted again, the rows fall into the cells that the baseline says.
        let again = state(&own, &longs(&rows));
        assert_eq!(again, *own.features()[0].state(None).unwrap(), "{base}");
        let measured = compare(&own, &again);
        assert_eq!(
            (value(&measured, Metric::Ks), value(&measured, Metric::OutOfRangeRate)),
            (0.0, 0.0),
            "{base}"
        );
        let wide: Vec<i128> = rows.iter().map(|x| i128::from(*x) * 3 + (1 << 99)).collect();
        let own = numeric(decimals(&wide, 38, 2));
        assert_eq!(state(&own, &decimals(&wide, 38, 2)), *own.features()[0].state(None).unwrap(), "{base}");
    }
    for unit in [5e-324, 1e-300, 1.0, 1e290, f64::MAX / 6_000.0] {
        for center in [0.0, 6e15 * unit] {
            let rows: Vec<f64> =
                (0..6_000).map(|i| f64::from(i - 3_000) * unit + center).filter(|x| x.is_finite()).collect();
            if rows.is_empty() {
                continue;
            }
            let own = numeric(doubles(&rows));
            let again = state(&own, &doubles(&rows));
            assert_eq!(again, *own.features()[0].state(None).unwrap(), "{unit} around {center}");
        }
    }
}

/// Counting a baseline's rows again gives its own state, also where the cuts came from a sample.
#[test]
fn a_sampled_baseline_is_its_own_window() {
    let mut rng = Rng(8);
    let rows: Vec<f64> = (0..70_000)
        .map(|_| match rng.below(500) {
            0 => f64::INFINITY,
            1 => -1e9 * rng.unit(),
            2 => f64::NAN,
            _ => rng.normal(),
        })
        .collect();
    let own = numeric(doubles(&rows));
    let again = state(&own, &doubles(&rows));
    assert_eq!(again, *own.features()[0].state(None).unwrap());
}

#[test]
fn edges_that_are_no_numbers_are_left_out() {
    let mut rng = Rng(9);
    let array = doubles(&(0..6_000).map(|_| rng.normal()).collect::<Vec<_>>());
    let mut asked = spec("x", Kind::Numeric, &array);
    asked.edges = vec![f64::INFINITY, f64::NAN, f64::NEG_INFINITY, 0.25, -0.0, 1e308];
    let own = baseline_with(asked, std::slice::from_ref(&array));
    let positions = cells(&own).positions();
    assert!(positions.contains(&0.25) && positions.contains(&1e308));
    assert_eq!((positions[0], positions[positions.len() - 1]), (f64::NEG_INFINITY, f64::MAX));
    assert_eq!(state(&own, &array), *own.features()[0].state(None).unwrap());
}

#[test]
fn new_categories_are_judged_by_the_baselines_singletons() {
    // Two hundred rows of which ten categories come once: 0.05 are expected to be new.
    let mut rows: Vec<String> = (0..190).map(|i| format!("often {}", i % 5)).collect();
    rows.extend((0..10).map(|i| format!("once {i}")));
    let words = |rows: &[String]| -> ArrayRef { Arc::new(rows.iter().map(Some).collect::<StringArray>()) };
    let own = categorical(words(&rows));
    let window: Vec<String> =
        (0..100).map(|i| if i % 4 == 0 { format!("new {i}") } else { "often 1".into() }).collect();
    let rate = &scored(&own, &words(&window)).scores[&Metric::NewCategoryRate];
    assert_eq!((rate.value, rate.baseline), (Some(0.25), Some(0.05)));
    let FeatureState::Categorical(state) = state(&own, &words(&window)) else { unreachable!("categorical") };
    assert_eq!(state.newcomers.top().len(), 25);
    // Beyond the dictionary a category is OTHER, not new.
    let many: Vec<String> = (0..1_500).map(|i| format!("{i:04}")).collect();
    let own = categorical(words(&many));
    let measured = scored(&own, &words(&many[1_100..1_200]));
    assert_eq!(value(&measured, Metric::NewCategoryRate), 0.0);
}

/// A baseline of 200 rows that happens to hold 31 of a category of 23 compares it, but a test of any change would say so in
/// every window: there is none, with the reason, while verdicts keep the test of a minimum effect.
#[test]
fn no_test_of_any_change_rests_on_a_lucky_cell() {
    let words = |often: usize, n: usize| -> ArrayRef {
        let rest = (often..n).map(|i| format!("rare {}", i % 97));
        Arc::new((0..often).map(|_| "often".to_owned()).chain(rest).map(Some).collect::<StringArray>())
    };
    let own = categorical(words(31, 200));
    let tested = [Metric::Psi, Metric::Kl, Metric::Js, Metric::Hellinger, Metric::Chi2];
    let as_it_is = scored(&own, &words(1_150, 10_000));
    for metric in tested {
        let score = &as_it_is.scores[&metric];
        assert!(score.value.is_some() && score.p_value.is_none(), "{metric}: {score:?}");
        let reason = "both sides together hold too few rows outside of one cell for a p-value";
        assert_eq!(score.reason, Some(reason), "{metric}");
        assert_eq!(score.p_effect.is_some(), metric == Metric::Psi);
    }
    let more = scored(&own, &words(2_000, 10_000));
    for metric in tested {
        let score = &more.scores[&metric];
        assert!(score.p_value.is_some() && score.reason.is_none(), "{metric}: {score:?}");
    }
}

/// A category that comes up is seen where the baseline knows it too little to compare it by value.
#[test]
fn what_the_baseline_hardly_holds_is_tested_once_it_comes() {
    let words = |rare: usize| -> ArrayRef {
        let name = |i: usize| match i {
            i if i < rare => "rare".to_owned(),
            i => format!("often {}", i % 5),
        };
        Arc::new((0..1_000).map(|i| Some(name(i))).collect::<StringArray>())
    };
    let measured = scored(&categorical(words(5)), &words(80));
    let psi = &measured.scores[&Metric::Psi];
    assert_eq!(psi.cells, Some(5), "the value's cells are chosen by the baseline alone");
    assert!(psi.corrected < Some(0.02) && psi.p_effect < Some(1e-6), "{psi:?}");
}

/// A truth value that the baseline never held is new.
#[test]
fn the_other_truth_value_is_a_new_category() {
    let bools = |rows: &[bool]| -> ArrayRef { Arc::new(BooleanArray::from(rows.to_vec())) };
    let own = categorical(bools(&[false; 80]));
    let measured = scored(&own, &bools(&[false, true, true, false]));
    assert_eq!(value(&measured, Metric::NewCategoryRate), 0.5);
    let FeatureCells::Categorical(dictionary) = own.features()[0].cells().as_ref() else {
        unreachable!("bool")
    };
    assert_eq!(dictionary.names(), ["false"]);
}
