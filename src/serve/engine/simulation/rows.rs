//! What the partitions of a simulated service hold: rows with event times as they really come, and what must become of
//! each, by the rule as SEMANTICS S14 states it.

use std::collections::BTreeMap;

use super::random::Random;

/// 2001-01-01T00:00:00Z.
pub(super) const BEGIN: i64 = 978_307_200_000_000;
pub(super) const SECOND: i64 = 1_000_000;
/// The model files of [`super::world`] say so.
pub(super) const OUT_OF_ORDERNESS: i64 = 5 * SECOND;
pub(super) const LATENESS: i64 = 20 * SECOND;

/// A record.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Its event time, unless it was set aside.
    pub(super) time: Option<i64>,
    pub(super) x: Option<f64>,
    pub(super) c: &'static str,
}

/// All records of all partitions, by source.
#[derive(Clone, Debug)]
pub(super) struct Input(pub(super) [Vec<Vec<Row>>; 2]);

impl Input {
    /// Two to four partitions of the first source, one of the second, ten minutes each.
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let left = 2 + random.below(3);
        let mut partitions = |n: usize| (0..n).map(|_| partition(&mut random)).collect();
        Self([partitions(left), partitions(1)])
    }

    /// How many rows of a source each pane of this length holds by the rule, by its end; and how many rows come too late
    /// for their partition.
    pub(super) fn by_rule(&self, source: usize, pane: i64) -> (BTreeMap<i64, u64>, u64) {
        let (mut panes, mut late) = (BTreeMap::new(), 0);
        for partition in &self.0[source] {
            let mut newest = i64::MIN;
            for time in partition.iter().filter_map(|row| row.time) {
                let end = (time.div_euclid(pane) + 1) * pane;
                if end + LATENESS <= newest.saturating_sub(OUT_OF_ORDERNESS) {
                    late += 1;
                } else {
                    *panes.entry(end).or_default() += 1;
                }
                newest = newest.max(time);
            }
        }
        (panes, late)
    }

    pub(super) fn n_rows(&self, source: usize) -> u64 {
        self.0[source].iter().map(|rows| rows.len() as u64).sum()
    }
}

/// One partition: mostly in order, with stragglers, silences, rows without a time, and values that drift for a while.
fn partition(random: &mut Random) -> Vec<Row> {
    let mut cursor = BEGIN + random.between(0, 90) * SECOND;
    let mut rows = Vec::new();
    while cursor < BEGIN + 600 * SECOND {
        cursor += random.between(0, 9_000_000);
        if random.one_in(90) {
            cursor += random.between(100, 300) * SECOND;
        }
        let time = match random.below(40) {
            0 => None,
            1 => Some(cursor - random.between(60, 200) * SECOND),
            2 => Some(cursor - random.between(5, 40) * SECOND),
            _ => Some(cursor - random.between(0, 4_000_000)),
        };
        let drifts = (BEGIN + 180 * SECOND..BEGIN + 400 * SECOND).contains(&cursor);
        rows.push(Row { time, ..value(random, drifts) });
    }
    rows
}

/// A row without a time.
pub(super) fn value(random: &mut Random, drifts: bool) -> Row {
    let bulk: f64 = (0..4).map(|_| random.uniform()).sum();
    let x = (!random.one_in(30)).then_some(bulk + if drifts { 2.0 } else { 0.0 });
    let c = match random.below(10) {
        0 if drifts => "new",
        0..=5 => "a",
        _ => "b",
    };
    Row { time: None, x, c }
}
