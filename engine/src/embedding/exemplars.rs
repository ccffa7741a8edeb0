//! Ids of some rows of each cluster: so that whoever sees a cluster grow can look at what is in it. No vector is kept.
//!
//! Law: of each cluster those are kept whose ids have the smallest seeded hashes, so that what is kept depends on which
//! rows there are and on nothing else: not on their order, nor on how they were split or merged (I-GROUP). An id that comes
//! again is one. What was merged cannot be taken apart again: a state from which another is subtracted has no ids.

use std::collections::BTreeMap;

use arrow_array::Array;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::CODES;
use crate::Result;
use crate::accumulate::{NO_NAME, row_names};

/// Ids that are kept of each cluster.
pub const EXEMPLARS: usize = 3;
/// The bytes of the longest id that is kept. A part of an id would name no row, so longer ones are only counted.
pub const MAX_ID: usize = 128;
const SEED: u64 = 0x6578_656d_706c_6172;

/// Where an id stands in the order in which ids are chosen.
fn rank(id: &str) -> u64 {
    xxh3_64_with_seed(id.as_bytes(), SEED)
}

/// The ids of a batch's rows.
#[derive(Debug)]
pub struct RowIds {
    /// For each row the place of its id.
    rows: Vec<u32>,
    /// Ids with their ranks; one that is too long is empty.
    ids: Vec<(u64, String)>,
}

impl RowIds {
    /// The ids in `array`: texts, integers, or booleans, as text.
    ///
    /// # Errors
    ///
    /// `Schema` if its values have no names: nested ones, dates, times.
    pub fn of(array: &dyn Array) -> Result<Self> {
        let (rows, names) = row_names(array)?;
        let ranked = |id: String| if id.len() > MAX_ID { (0, String::new()) } else { (rank(&id), id) };
        Ok(Self { rows, ids: names.into_iter().map(ranked).collect() })
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The ids of all rows.
    #[must_use]
    pub fn all(&self) -> Ids<'_> {
        Ids { rows: &self.rows, ids: &self.ids }
    }
}

/// The ids of some rows that follow each other.
#[derive(Clone, Copy, Debug)]
pub struct Ids<'a> {
    rows: &'a [u32],
    ids: &'a [(u64, String)],
}

impl Ids<'_> {
    /// Those of some of the rows.
    ///
    /// # Panics
    ///
    /// If there are no such rows.
    #[must_use]
    pub fn slice(&self, rows: std::ops::Range<usize>) -> Self {
        Self { rows: &self.rows[rows], ids: self.ids }
    }

    /// The rank and id of a row; `None` if it has none, an empty one, or one that is too long.
    fn of(&self, row: usize) -> Option<(u64, &str)> {
        let number = self.rows.get(row).copied().filter(|number| *number != NO_NAME)?;
        let (rank, id) = self.ids.get(number as usize)?;
        (!id.is_empty()).then_some((*rank, id))
    }
}

/// What a state keeps of the ids of its vectors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exemplars {
    /// Of each cluster at most [`EXEMPLARS`], by rank, then bytes.
    kept: BTreeMap<u8, Vec<(u64, String)>>,
    /// Vectors that are in a cluster and have no id that could be kept.
    pub unnamed: u64,
}

impl Exemplars {
    /// Takes the row of a vector in cluster `code`.
    pub(super) fn add(&mut self, code: u8, ids: Ids<'_>, row: usize) {
        match ids.of(row) {
            Some((rank, id)) => self.offer(code, rank, id),
            None => self.unnamed += 1,
        }
    }

    fn offer(&mut self, code: u8, rank: u64, id: &str) {
        let own = self.kept.entry(code).or_default();
        let place = own.binary_search_by(|(other, name)| (*other, name.as_str()).cmp(&(rank, id)));
        if let Err(place) = place
            && place < EXEMPLARS
        {
            own.insert(place, (rank, id.to_owned()));
            own.truncate(EXEMPLARS);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (code, ids) in &other.kept {
            ids.iter().for_each(|(rank, id)| self.offer(*code, *rank, id));
        }
        self.unnamed += other.unnamed;
    }

    /// The ids kept of cluster `code`, in the order in which they were chosen.
    pub fn of(&self, code: usize) -> impl Iterator<Item = &str> {
        let own = u8::try_from(code).ok().and_then(|code| self.kept.get(&code));
        own.into_iter().flatten().map(|(_, id)| id.as_str())
    }

    /// The clusters of which ids are kept, ascending.
    pub(crate) fn clusters(
        &self,
    ) -> impl ExactSizeIterator<Item = (u8, impl ExactSizeIterator<Item = &str>)> {
        self.kept.iter().map(|(code, ids)| (*code, ids.iter().map(|(_, id)| id.as_str())))
    }

    /// Puts a cluster back that was stored; `None` if it cannot be one.
    pub(crate) fn restore(&mut self, code: u8, ids: &[&str]) -> Option<()> {
        let ranked: Vec<(u64, String)> = ids.iter().map(|id| (rank(id), (*id).to_owned())).collect();
        let is_sound = (1..=EXEMPLARS).contains(&ids.len())
            && ids.iter().all(|id| (1..=MAX_ID).contains(&id.len()))
            && ranked.windows(2).all(|pair| pair[0] < pair[1])
            && usize::from(code) < CODES
            && self.kept.last_key_value().is_none_or(|(last, _)| *last < code);
        is_sound.then(|| {
            self.kept.insert(code, ranked);
        })
    }

    /// Whether so many vectors in each cluster can have these ids.
    pub(super) fn fit(&self, codes: &[u64], values: u64) -> bool {
        self.unnamed <= values
            && self.kept.iter().all(|(code, ids)| {
                codes.get(usize::from(*code)).is_some_and(|vectors| *vectors >= ids.len() as u64)
            })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn ids(exemplars: &Exemplars, code: usize) -> Vec<&str> {
        exemplars.of(code).collect()
    }

    #[test]
    fn the_smallest_ranks_are_kept_whatever_the_order() {
        let names: Vec<String> = (0..200).map(|i| format!("row-{i}")).collect();
        let mut expected = names.clone();
        expected.sort_by_key(|id| rank(id));
        expected.truncate(EXEMPLARS);
        let array: ArrayRef = Arc::new(StringArray::from(names));
        let all = RowIds::of(&array).unwrap();
        let mut forwards = Exemplars::default();
        (0..200).for_each(|row| forwards.add(7, all.all(), row));
        let mut backwards = Exemplars::default();
        // Twice: an id that comes again is one.
        (0..200).rev().chain(0..50).for_each(|row| backwards.add(7, all.all(), row));
        let mut merged = Exemplars::default();
        for part in [150..200, 0..30, 30..150] {
            let (mut own, of_part) = (Exemplars::default(), all.all().slice(part.clone()));
            (0..part.len()).for_each(|row| own.add(7, of_part, row));
            merged.merge(&own);
        }
        assert_eq!(ids(&forwards, 7), expected);
        assert_eq!([&backwards, &merged], [&forwards; 2]);
        assert!(ids(&forwards, 6).is_empty());
    }

    #[test]
    fn numbers_are_ids_and_long_ones_are_counted() {
        let long = "x".repeat(MAX_ID + 1);
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("12"), None, Some(&long), Some("")]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![12]));
        let (texts, numbers) = (RowIds::of(&texts).unwrap(), RowIds::of(&numbers).unwrap());
        let (mut of_texts, mut of_numbers) = (Exemplars::default(), Exemplars::default());
        (0..4).for_each(|row| of_texts.add(0, texts.all(), row));
        of_numbers.add(0, numbers.all(), 0);
        assert_eq!((ids(&of_texts, 0), of_texts.unnamed), (vec!["12"], 3));
        assert_eq!((ids(&of_numbers, 0), of_numbers.unnamed), (vec!["12"], 0));
        let longest: ArrayRef = Arc::new(StringArray::from(vec!["é".repeat(MAX_ID / 2)]));
        of_numbers.add(1, RowIds::of(&longest).unwrap().all(), 0);
        assert_eq!(of_numbers.of(1).map(str::len).collect::<Vec<_>>(), [MAX_ID]);
    }
}
