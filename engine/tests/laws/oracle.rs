//! The statistics from the rows themselves, by sorting and looping.

/// The two-sample Kolmogorov-Smirnov distance.
pub(crate) fn ks<T: PartialOrd + Copy>(baseline: &[T], window: &[T]) -> f64 {
    let sorted = |rows: &[T]| {
        let mut rows = rows.to_vec();
        rows.sort_by(|a, b| a.partial_cmp(b).unwrap());
        rows
    };
    let (p, q) = (sorted(baseline), sorted(window));
    let mut largest = 0_u128;
    for x in p.iter().chain(&q) {
        let g = p.partition_point(|y| y <= x) as u128 * q.len() as u128;
        let f = q.partition_point(|y| y <= x) as u128 * p.len() as u128;
        largest = largest.max(f.abs_diff(g));
    }
    largest as f64 / (p.len() as u128 * q.len() as u128) as f64
}

/// The area between the two empirical distribution functions.
pub(crate) fn w1(baseline: &[f64], window: &[f64]) -> f64 {
    let mut steps: Vec<(f64, f64)> = baseline
        .iter()
        .map(|x| (*x, 1.0 / baseline.len() as f64))
        .chain(window.iter().map(|x| (*x, -1.0 / window.len() as f64)))
        .collect();
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut height, mut area) = (0.0_f64, 0.0);
    for pair in steps.windows(2) {
        height += pair[0].1;
        area += height.abs() * (pair[1].0 - pair[0].0);
    }
    area
}

/// PSI with Jeffreys smoothing on the distinct inverted-CDF deciles, for sides so large that no cell is small.
pub(crate) fn psi(baseline: &[f64], window: &[f64]) -> f64 {
    let mut sorted = baseline.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let mut deciles: Vec<f64> = (1..10).map(|d| sorted[(d * n).div_ceil(10) - 1]).collect();
    deciles.dedup();
    deciles.retain(|decile| *decile < sorted[n - 1]);
    let cells = deciles.len() + 1;
    let counts = |rows: &[f64]| {
        let mut counts = vec![0_usize; cells];
        rows.iter().for_each(|x| counts[deciles.iter().filter(|d| *d < x).count()] += 1);
        counts
    };
    let share = |count: usize, n: usize| (count as f64 + 0.5) / (n as f64 + cells as f64 / 2.0);
    let (p, q) = (counts(baseline), counts(window));
    p.iter()
        .zip(&q)
        .map(|(p, q)| {
            let (p, q) = (share(*p, baseline.len()), share(*q, window.len()));
            (q - p) * (q / p).ln()
        })
        .sum()
}

/// Mean and population variance, summed from a value near the mean so that little cancels.
pub(crate) fn moments(rows: &[f64]) -> (f64, f64) {
    let (n, near) = (rows.len() as f64, rows[0]);
    let mean = rows.iter().map(|x| x - near).sum::<f64>() / n;
    (near + mean, rows.iter().map(|x| (x - near - mean) * (x - near - mean)).sum::<f64>() / n)
}
