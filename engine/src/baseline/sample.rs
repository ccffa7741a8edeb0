//! Which rows the cuts are drawn from: a seeded, stratified sample of at most 64 Ki rows (SEMANTICS S5).
//!
//! Rows are taken in short runs, because a run costs about as much to read as a single row. The runs are spread evenly
//! over all rows, each at a pseudo-random place within its stretch, so that neither a sorted nor a periodic file can
//! hide a part of itself: in a sorted column no cut falls between two runs, so that the rows between them must be
//! fewer than the bound of KS leaves room for. The quality of the sample decides how well the cuts fall, never whether a number is right:
//! every row is counted afterwards.

use std::ops::Range;

use crate::random::mixed;

/// The most rows that cuts are drawn from.
pub const SAMPLE_ROWS: u64 = 65_536;

/// The rows of one run; 1,024 runs in all.
const RUN: u64 = 64;

/// The seed of the places; part of what a baseline is, so it never changes.
const SEED: u64 = 0x6472_6966_746c_6561;

/// For each part of a data set, given its number of rows, which of its rows to sample; sorted, disjoint.
///
/// With [`SAMPLE_ROWS`] rows or fewer in all, every row.
#[must_use]
pub fn sample_plan(part_rows: &[u64]) -> Vec<Vec<Range<u64>>> {
    let total: u64 = part_rows.iter().sum();
    if total <= SAMPLE_ROWS {
        return part_rows
            .iter()
            .map(|rows| Some(0..*rows).filter(|range| !range.is_empty()).into_iter().collect())
            .collect();
    }
    let n_runs = SAMPLE_ROWS / RUN;
    let mut runs = (0..n_runs).map(|i| {
        let wide = |k: u64| u128::from(total) * u128::from(k) / u128::from(n_runs);
        let (from, to) = (wide(i), wide(i + 1));
        let room = to - from - u128::from(RUN);
        let start = from + u128::from(mixed(SEED ^ i)) % (room + 1);
        #[expect(clippy::cast_possible_truncation, reason = "at most the total, a u64")]
        let start = start as u64;
        start..start + RUN
    });
    let mut plan = Vec::with_capacity(part_rows.len());
    let mut offset = 0;
    let mut open = runs.next();
    for rows in part_rows {
        let end = offset + rows;
        let mut ranges = Vec::new();
        while let Some(run) = open.clone().filter(|run| run.start < end) {
            ranges.push(run.start - offset..run.end.min(end) - offset);
            // A run across the border of two parts goes on in the next one.
            open = if run.end > end { Some(end..run.end) } else { runs.next() };
            if run.end > end {
                break;
            }
        }
        plan.push(ranges);
        offset = end;
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parts: &[u64]) {
        let plan = sample_plan(parts);
        assert_eq!(plan.len(), parts.len());
        let mut sampled = 0;
        for (ranges, rows) in plan.iter().zip(parts) {
            let mut last = 0;
            for range in ranges {
                assert!(
                    range.start >= last && range.start < range.end && range.end <= *rows,
                    "{ranges:?} of {rows}"
                );
                last = range.end;
                sampled += range.end - range.start;
            }
        }
        let total: u64 = parts.iter().sum();
        assert_eq!(sampled, total.min(SAMPLE_ROWS), "{parts:?}");
    }

    #[test]
    fn small_sets_are_taken_whole_and_large_ones_spread() {
        check(&[]);
        check(&[0, 5, 0]);
        check(&[SAMPLE_ROWS]);
        check(&[SAMPLE_ROWS, 1]);
        check(&[100_000, 1, 0, 7, 2_000_000]);
        check(&[3; 50_000]);
        check(&[u64::from(u32::MAX) * 1000]);
    }

    #[test]
    fn a_sorted_file_is_cut_finely_enough_for_the_bound_of_ks() {
        for total in [70_000_u64, 131_072, 1_000_000, 24_000_000, 3_000_000_000] {
            let plan = sample_plan(&[total]);
            let unvisited = plan[0].windows(2).map(|pair| pair[1].start - pair[0].end).max();
            let most = unvisited.into_iter().chain([plan[0][0].start]).max().unwrap_or(0);
            assert!(
                (most as f64) < 1.5 / 513.0 * total as f64,
                "{most} of {total} rows lie between two runs"
            );
        }
    }
}
