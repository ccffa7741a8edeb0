//! What holds for every pair of counts.

use proptest::prelude::*;

use super::cut::{Cut, ks_of_samples, wasserstein_of_samples};
use crate::Metric;
use crate::statistic::{
    Score, chi2, contributions, hellinger, js, kl, ks, linf, pool, psi, significance, tvd,
};

type Divergence = fn(&[u64], &[u64]) -> Score;

const DIVERGENCES: [(Metric, Divergence); 7] = [
    (Metric::Psi, psi),
    (Metric::Kl, kl),
    (Metric::Js, js),
    (Metric::Hellinger, hellinger),
    (Metric::Tvd, tvd),
    (Metric::Linf, linf),
    (Metric::Chi2, chi2),
];

/// Both sides on the same two or more cells, small and large counts mixed, each side with at least one row.
fn counts() -> impl Strategy<Value = (Vec<u64>, Vec<u64>)> {
    let cell = prop_oneof![Just(0_u64), 0..10_u64, 0..2000_u64, 0..1_000_000_000_u64];
    prop::collection::vec((cell.clone(), cell), 2..20)
        .prop_map(|cells| cells.into_iter().unzip())
        .prop_filter("both sides hold rows", |(b, w): &(Vec<u64>, Vec<u64>)| {
            b.iter().sum::<u64>() > 0 && w.iter().sum::<u64>() > 0
        })
}

/// Samples with ties and a heavy tail.
fn sample() -> impl Strategy<Value = Vec<f64>> {
    let value =
        prop_oneof![(-5..6_i32).prop_map(f64::from), -1.0..1.0_f64, (-8.0..8.0_f64).prop_map(|x| x * x * x),];
    prop::collection::vec(value, 1..60)
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-11 * a.abs().max(b.abs()) + 1e-300
}

proptest! {
    #[test]
    fn divergences_stay_in_range_and_have_no_order((b, w) in counts(), turn in 0..20_usize) {
        let rotated = |counts: &[u64]| {
            let mut counts = counts.to_vec();
            counts.rotate_left(turn % b.len());
            counts
        };
        for (metric, divergence) in DIVERGENCES {
            let Some(value) = divergence(&b, &w).value else { continue };
            let (least, most) = metric.range();
            prop_assert!(value >= least && value <= most, "{metric} {value}");
            let turned = divergence(&rotated(&b), &rotated(&w)).value;
            prop_assert!(turned.is_some_and(|turned| close(turned, value)), "{metric} {value} {turned:?}");
            let score = significance::test(metric, divergence(&b, &w), 1.5);
            for p in [score.p_value, score.p_effect].into_iter().flatten() {
                prop_assert!((0.0..=1.0).contains(&p), "{metric} {p}");
            }
        }
    }

    #[test]
    fn roles_may_be_exchanged_except_in_kl((b, w) in counts()) {
        for (metric, divergence) in DIVERGENCES {
            let (one, other) = (divergence(&b, &w).value, divergence(&w, &b).value);
            match (one, other) {
                (Some(one), Some(other)) if metric != Metric::Kl => {
                    prop_assert!(close(one, other), "{metric} {one} {other}");
                }
                (Some(_), Some(_)) | (None, None) => {}
                _ => prop_assert!(false, "{metric} {one:?} {other:?}"),
            }
        }
        let both = kl(&b, &w).value.unwrap_or(0.0) + kl(&w, &b).value.unwrap_or(0.0);
        prop_assert!(close(both, psi(&b, &w).value.unwrap_or(0.0)), "psi is the sum of both kl");
    }

    #[test]
    fn equal_counts_are_at_distance_zero(b in prop::collection::vec(1..1_000_000_u64, 2..20), k in 1..50_u64) {
        let w: Vec<u64> = b.iter().map(|count| count * k).collect();
        for (metric, divergence) in DIVERGENCES {
            let value = divergence(&b, &b).value;
            prop_assert_eq!(value, Some(0.0), "{}", metric);
            // Smoothing adds the same half row to sides of different sizes, so only the others see equal shares.
            if !matches!(metric, Metric::Psi | Metric::Kl) {
                prop_assert_eq!(divergence(&b, &w).value, Some(0.0), "{}", metric);
            }
        }
    }

    #[test]
    fn known_inequalities_hold((b, w) in counts()) {
        let value = |divergence: Divergence| divergence(&b, &w).value.unwrap_or(0.0);
        let (h, t, l) = (value(hellinger), value(tvd), value(linf));
        prop_assert!(h * h <= t * (1.0 + 1e-12) && t <= h * 2.0_f64.sqrt() * (1.0 + 1e-12), "Le Cam {h} {t}");
        prop_assert!(l <= t * (1.0 + 1e-12), "a cell's gain is lost by others {l} {t}");
        let js = value(js);
        prop_assert!(js * js <= t * (1.0 + 1e-12), "Lin {js} {t}");
    }

    #[test]
    fn pooling_loses_no_row_and_heeds_its_limits((b, w) in counts(), rest in prop::collection::vec(0..20_usize, 0..3)) {
        let pooled = pool(&b, &w, &rest);
        prop_assert_eq!(pooled.baseline.iter().sum::<u64>(), b.iter().sum::<u64>());
        prop_assert_eq!(pooled.window.iter().sum::<u64>(), w.iter().sum::<u64>());
        let mut again = vec![0; pooled.len()];
        for (cell, to) in pooled.cell_of.iter().enumerate() {
            match to {
                Some(to) => again[*to] += b[cell],
                None => prop_assert_eq!((b[cell], w[cell]), (0, 0)),
            }
        }
        prop_assert_eq!(&again, &pooled.baseline);
        let (big, small): (u64, u64) = (b.iter().sum(), w.iter().sum());
        for &count in pooled.baseline.iter().filter(|_| pooled.len() > 1) {
            prop_assert!(count >= 30 && u128::from(count) * u128::from(small) >= 5 * u128::from(big));
        }
        let shares = contributions(&pooled);
        let total: f64 = shares.iter().sum();
        prop_assert!(shares.iter().all(|share| *share >= 0.0) && (total == 0.0 || close(total, 1.0)));
    }

    #[test]
    fn intervals_hold_the_samples_distance(b in sample(), w in sample(), cuts in 1..12_usize) {
        let (d, w1) = (ks_of_samples(&b, &w), wasserstein_of_samples(&b, &w));
        for cut in [Cut::exact(&b, &w), Cut::compressed(&b, &w, cuts)] {
            let found = ks(&cut.baseline, &cut.window, &cut.is_atom).expect("both sides hold rows");
            prop_assert!(found.d <= d && d <= found.high && found.high <= 1.0, "{found:?} without {d}");
            prop_assert!(close(found.d, found.d_plus.max(found.d_minus)));
            let line = cut.wasserstein();
            let (low, value, high) = (line.low.unwrap(), line.value.unwrap(), line.high.unwrap());
            prop_assert!(low <= value && value <= high, "{line:?}");
            prop_assert!(low <= w1 && w1 <= high, "{line:?} without {w1}");
        }
        let exact = Cut::exact(&b, &w);
        let found = ks(&exact.baseline, &exact.window, &exact.is_atom).expect("both sides hold rows");
        prop_assert_eq!(found.d, d);
        prop_assert_eq!(found.high, d);
    }

    #[test]
    fn without_a_tail_sum_only_the_lower_bound_is_left(b in sample(), w in sample()) {
        let truth = wasserstein_of_samples(&b, &w);
        let mut cut = Cut::exact(&b, &w);
        cut.window_tails = [None, None];
        cut.means = None;
        let line = cut.wasserstein();
        prop_assert!(line.low.is_some_and(|low| low <= truth));
        let outside = cut.window[0] > 0 || cut.window[cut.window.len() - 1] > 0;
        prop_assert_eq!(line.value.is_none(), outside);
        prop_assert_eq!(line.high.is_none(), outside);
        prop_assert_eq!(line.reason.is_some(), outside);
    }
}
