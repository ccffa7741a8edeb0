//! Which slot each row of a batch belongs to: its pane's, for the whole and for each split into segments.
//!
//! A batch and a stream place rows in panes each in their own way; from there on they are the same, so that the same
//! rows have the same counts (I-FINAL). Rows of one pane mostly follow each other, so panes come as runs.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::accumulate::{Accumulator, NO_SLOT, SlotKey, Slots};

/// Where a row lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In no pane: it is counted nowhere.
    Nowhere,
    /// In the pane of this number; `None` without windows.
    Pane(Option<i64>),
}

/// Where the rows of a batch lie, in their order.
#[derive(Clone, Debug, Default)]
pub struct Placement {
    runs: Vec<Run>,
    n_rows: usize,
    panes: Vec<Option<i64>>,
    numbers: BTreeMap<Option<i64>, usize>,
}

#[derive(Clone, Debug)]
struct Run {
    place: Place,
    /// The place of its pane among `panes`.
    pane: Option<usize>,
    n_rows: usize,
}

/// The segments of a batch's rows by one split (SEMANTICS S18).
#[derive(Clone, Copy, Debug)]
pub struct Split<'a> {
    /// Segments that a row of the batch may have.
    pub segments: &'a [Arc<str>],
    /// For each row, the place of its segment in `segments`.
    pub rows: &'a [u32],
}

/// One grouping of a batch's rows into slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// All rows in one slot: that is counted faster.
    All(u32),
    /// Each row's slot, or [`NO_SLOT`].
    Each(Vec<u32>),
}

impl Grouping {
    fn of(slots: Vec<u32>) -> Self {
        match slots.first() {
            Some(first) if *first != NO_SLOT && slots.iter().all(|slot| slot == first) => Self::All(*first),
            _ => Self::Each(slots),
        }
    }

    /// The same as the counters take it.
    #[must_use]
    pub fn as_slots(&self) -> Slots<'_> {
        match self {
            Self::All(slot) => Slots::All(*slot),
            Self::Each(slots) => Slots::Each(slots),
        }
    }
}

/// A table of panes by segments is used up to this size, whatever the number of rows.
const SMALL_TABLE: usize = 1 << 16;

impl Placement {
    /// No rows; what was allocated is kept.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.n_rows = 0;
        self.panes.clear();
        self.numbers.clear();
    }

    /// The next `n_rows` rows lie in `place`.
    pub fn push(&mut self, place: Place, n_rows: usize) {
        self.n_rows += n_rows;
        match self.runs.last_mut() {
            Some(last) if last.place == place => last.n_rows += n_rows,
            _ if n_rows > 0 => {
                let pane = match place {
                    Place::Nowhere => None,
                    Place::Pane(pane) => Some(*self.numbers.entry(pane).or_insert_with(|| {
                        self.panes.push(pane);
                        self.panes.len() - 1
                    })),
                };
                self.runs.push(Run { place, pane, n_rows });
            }
            _ => {}
        }
    }

    /// Where rows that follow each other lie, and which they are: neighbours lie in different places.
    pub fn runs(&self) -> impl ExactSizeIterator<Item = (Place, Range<usize>)> {
        let mut next = 0;
        self.runs.iter().map(move |run| {
            let first = next;
            next += run.n_rows;
            (run.place, first..next)
        })
    }

    /// The panes in which rows lie, each once.
    #[must_use]
    pub fn panes(&self) -> &[Option<i64>] {
        &self.panes
    }

    /// How many rows there are, in panes or nowhere.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The slots of the rows: of the whole first, then of each split. Slots that are new are made.
    ///
    /// # Panics
    ///
    /// If a split has fewer rows than there are here, or names a segment that it does not have.
    pub fn group(&self, accumulator: &mut Accumulator, splits: &[Split<'_>]) -> Vec<Grouping> {
        let mut groupings = Vec::with_capacity(1 + splits.len());
        let whole: Vec<u32> =
            self.panes.iter().map(|pane| accumulator.slot(&SlotKey { pane: *pane, segment: None })).collect();
        let slot_of = |at: Option<usize>| at.map_or(NO_SLOT, |at| whole[at]);
        groupings.push(match self.runs[..] {
            [Run { pane: Some(only), .. }] => Grouping::All(whole[only]),
            _ => {
                let mut slots = Vec::with_capacity(self.n_rows);
                for run in &self.runs {
                    slots.extend(std::iter::repeat_n(slot_of(run.pane), run.n_rows));
                }
                Grouping::Each(slots)
            }
        });
        for split in splits {
            groupings.push(self.group_split(accumulator, split));
        }
        groupings
    }

    fn group_split(&self, accumulator: &mut Accumulator, split: &Split<'_>) -> Grouping {
        let segments = split.segments;
        // Rows all over many panes would need a large table for few rows: they are looked up one by one.
        let size = self.panes.len().saturating_mul(segments.len());
        let is_table = size <= SMALL_TABLE.max(self.n_rows.saturating_mul(4));
        let mut table = vec![NO_SLOT; if is_table { size } else { 0 }];
        let mut slots = vec![NO_SLOT; self.n_rows];
        for (run, (_, rows)) in self.runs.iter().zip(self.runs()) {
            let Some(at) = run.pane else { continue };
            for (slot, segment) in slots[rows.clone()].iter_mut().zip(&split.rows[rows]) {
                let segment = *segment as usize;
                assert!(segment < segments.len(), "segment {segment} of {}", segments.len());
                let known = table.get(at * segments.len() + segment).copied().unwrap_or(NO_SLOT);
                *slot = if known == NO_SLOT {
                    let key = SlotKey { pane: self.panes[at], segment: Some(segments[segment].clone()) };
                    let slot = accumulator.slot(&key);
                    if is_table {
                        table[at * segments.len() + segment] = slot;
                    }
                    slot
                } else {
                    known
                };
            }
        }
        Grouping::of(slots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pane: i64, segment: Option<&str>) -> SlotKey {
        SlotKey { pane: Some(pane), segment: segment.map(Arc::from) }
    }

    fn placed(places: &[Option<i64>]) -> Placement {
        let mut placement = Placement::default();
        for place in places {
            placement.push(place.map_or(Place::Nowhere, |pane| Place::Pane(Some(pane))), 1);
        }
        placement
    }

    /// Each row's slots by key, as a row by itself would find them.
    fn assert_groups(places: &[Option<i64>], segments: &[Arc<str>], rows: &[u32]) {
        let mut accumulator = Accumulator::new([]);
        let groupings = placed(places).group(&mut accumulator, &[Split { segments, rows }]);
        let slot = |grouping: &Grouping, row: usize| match grouping {
            Grouping::All(slot) => *slot,
            Grouping::Each(slots) => slots[row],
        };
        for (row, place) in places.iter().enumerate() {
            for (grouping, segment) in
                groupings.iter().zip([None, Some(segments[rows[row] as usize].as_ref())])
            {
                let expected = place.map_or(NO_SLOT, |pane| accumulator.slot(&key(pane, segment)));
                assert_eq!(slot(grouping, row), expected, "row {row} in segment {segment:?}");
            }
        }
        let mut keys: Vec<(i64, Option<u32>)> =
            places.iter().zip(rows).filter_map(|(place, row)| place.map(|pane| (pane, Some(*row)))).collect();
        keys.extend(places.iter().flatten().map(|pane| (*pane, None)));
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(accumulator.slots().count(), keys.len(), "no slot is made for no row");
    }

    #[test]
    fn rows_of_one_pane_are_one_slot() {
        let mut accumulator = Accumulator::new([]);
        let segments: [Arc<str>; 2] = ["a".into(), "b".into()];
        let split = |rows| Split { segments: &segments, rows };
        let groupings =
            placed(&[Some(3); 4]).group(&mut accumulator, &[split(&[1, 1, 1, 1]), split(&[0, 1, 0, 0])]);
        assert!(matches!(groupings[..], [Grouping::All(0), Grouping::All(1), Grouping::Each(_)]));
        // A row that lies nowhere keeps the others from being all.
        assert!(matches!(
            placed(&[Some(3), None]).group(&mut accumulator, &[])[..],
            [Grouping::Each(ref slots)] if slots[..] == [0, NO_SLOT]
        ));
        assert_eq!(placed(&[]).group(&mut accumulator, &[]), [Grouping::Each(Vec::new())]);
    }

    #[test]
    fn every_row_finds_its_slots() {
        let segments: Vec<Arc<str>> = (0..200).map(|i| Arc::from(i.to_string())).collect();
        let mixed: Vec<Option<i64>> =
            (0..600_i64).map(|i| (i % 7 != 0).then_some(if i < 300 { i / 50 } else { i * i % 11 })).collect();
        let rows: Vec<u32> = (0..600).map(|i| (i * 37) % 200).collect();
        assert_groups(&mixed, &segments, &rows);
        // A pane for each row: 600 panes by 200 segments are more than the table holds.
        let scattered: Vec<Option<i64>> = (0..600).map(|i| Some((i * 7_919) % 600 - 300)).collect();
        assert_groups(&scattered, &segments, &rows);
    }
}
