//! Counting a baseline's rows of one categorical feature: every category, up to a limit (SEMANTICS S3).

use arrow_array::{Array, ArrayRef};
use arrow_buffer::BooleanBuffer;

use crate::Result;
use crate::accumulate::{CategoricalState, CellCounts, TextColumn, for_each_name, same_array};
use crate::feature::{Categories, Family, HashIndex, ValueType, category_hash};

/// More distinct categories than this are not followed.
pub(crate) const MAX_CATEGORIES: usize = 256 * 1024;

/// What the counting pass knows of one categorical feature.
#[derive(Debug)]
pub(crate) struct Census {
    value_type: ValueType,
    rows: u64,
    nulls: u64,
    nans: u64,
    type_errors: u64,
    /// `None` once there were too many.
    by_hash: Option<HashIndex<(String, u64)>>,
    /// Rows of the dictionary that the last batches shared, by entry: not yet in `by_hash`.
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    entries: ArrayRef,
    counts: Vec<u64>,
}

impl Census {
    pub(crate) fn new(value_type: ValueType) -> Self {
        Self {
            value_type,
            rows: 0,
            nulls: 0,
            nans: 0,
            type_errors: 0,
            by_hash: Some(HashIndex::default()),
            pending: None,
        }
    }

    /// Adds a column.
    ///
    /// # Errors
    ///
    /// `Schema` if it is not of the feature's family.
    pub(crate) fn update(&mut self, array: &dyn Array, errors: Option<&BooleanBuffer>) -> Result<()> {
        let n_errors = errors.map_or(0, |errors| errors.count_set_bits() as u64);
        let nulls = array.logical_null_count() as u64;
        let mut nans = 0;
        match TextColumn::of(array).filter(|_| self.value_type.family == Family::Text) {
            Some(TextColumn::Entries { entries, keys, .. }) => {
                if !self.pending.as_ref().is_some_and(|pending| same_array(&pending.entries, entries)) {
                    self.settle();
                    self.pending = Some(Pending { entries: entries.clone(), counts: vec![0; entries.len()] });
                }
                if let Some(pending) = &mut self.pending {
                    keys.for_each(&mut |_, entry| pending.counts[entry] += 1);
                }
            }
            Some(TextColumn::Plain(texts)) => {
                if let Some(by_hash) = &mut self.by_hash {
                    texts.for_each(&mut |_, text| add(by_hash, text, 1));
                }
                self.limit();
            }
            None => {
                let by_hash = &mut self.by_hash;
                let unnamed = for_each_name(array, self.value_type.family, |name, rows| {
                    if let Some(by_hash) = by_hash {
                        add(by_hash, name, rows.len());
                    }
                })?;
                nans = unnamed.nans;
                self.limit();
            }
        }
        self.rows += array.len() as u64;
        self.nulls += nulls - n_errors;
        self.nans += nans;
        self.type_errors += n_errors;
        Ok(())
    }

    /// Takes the pending rows in.
    fn settle(&mut self) {
        let Some(Pending { entries, counts }) = self.pending.take() else { return };
        if let (Some(by_hash), Some(TextColumn::Plain(texts))) =
            (&mut self.by_hash, TextColumn::of(entries.as_ref()))
        {
            // An entry that no row holds is no category.
            texts.for_each(&mut |entry, text| {
                if counts[entry] > 0 {
                    add(by_hash, text, counts[entry]);
                }
            });
        }
        self.limit();
    }

    fn limit(&mut self) {
        if self.by_hash.as_ref().is_some_and(|by_hash| by_hash.len() > MAX_CATEGORIES) {
            self.by_hash = None;
        }
    }

    /// Adds another census of the same feature.
    pub(crate) fn merge(&mut self, mut other: Self) {
        self.settle();
        other.settle();
        self.rows += other.rows;
        self.nulls += other.nulls;
        self.nans += other.nans;
        self.type_errors += other.type_errors;
        self.by_hash = match (self.by_hash.take(), other.by_hash) {
            (Some(mut own), Some(other)) => {
                for (hash, (name, count)) in other {
                    own.entry(hash).or_insert((name, 0)).1 += count;
                }
                Some(own).filter(|counts| counts.len() <= MAX_CATEGORIES)
            }
            _ => None,
        };
    }

    /// Rows that have a value.
    pub(crate) fn values(&self) -> u64 {
        self.rows - self.nulls - self.nans - self.type_errors
    }

    /// How many categories there are; `None` if too many to follow.
    pub(crate) fn n_distinct(&mut self) -> Option<usize> {
        self.settle();
        self.by_hash.as_ref().map(HashIndex::len)
    }

    /// Whether nearly all categories are dates or timestamps written as text.
    pub(crate) fn looks_temporal(&mut self) -> bool {
        self.settle();
        let Some(by_hash) = self.by_hash.as_ref().filter(|_| self.value_type.family == Family::Text) else {
            return false;
        };
        let temporal = by_hash.values().filter(|(name, _)| is_iso_time(name)).count();
        !by_hash.is_empty() && temporal * 20 >= by_hash.len() * 19
    }

    /// The frozen dictionary and the baseline's own state on it; `None` if there are too many categories.
    pub(crate) fn freeze(mut self) -> Option<(Categories, CategoricalState)> {
        self.settle();
        let mut counted: Vec<(u64, String, u64)> =
            self.by_hash?.into_iter().map(|(hash, (name, count))| (hash, name, count)).collect();
        // Most frequent first, ties by bytes.
        counted.sort_unstable_by(|a, b| b.2.cmp(&a.2).then_with(|| a.1.cmp(&b.1)));
        let singletons = counted.iter().filter(|(_, _, count)| *count == 1).count() as u64;
        let rare = counted.split_off(counted.len().min(Categories::MAX_NAMED));
        let mut counts: Vec<u64> = counted.iter().map(|(_, _, count)| *count).collect();
        counts.extend([rare.iter().map(|(_, _, count)| count).sum(), 0]);
        let names = counted.into_iter().map(|(_, name, _)| name).collect();
        let rare = rare.into_iter().map(|(hash, _, _)| hash).collect();
        let categories = Categories::new(self.value_type, names, rare, singletons);
        let mut state = CategoricalState::empty(categories.n_cells());
        state.cells = CellCounts::from_counts(&counts);
        state.rows = self.rows;
        state.nulls = self.nulls;
        state.nans = self.nans;
        state.type_errors = self.type_errors;
        Some((categories, state))
    }
}

fn add(by_hash: &mut HashIndex<(String, u64)>, name: &str, rows: u64) {
    by_hash.entry(category_hash(name)).or_insert_with(|| (name.to_owned(), 0)).1 += rows;
}

/// Whether `text` has the form of ISO 8601: `2001-02-03`, perhaps with a time of day behind `T` or a blank, perhaps with
/// seconds, a fraction and a zone.
fn is_iso_time(text: &str) -> bool {
    let form: Vec<u8> = text.trim().bytes().map(|b| if b.is_ascii_digit() { b'0' } else { b }).collect();
    let Some((b"0000-00-00", time)) = form.split_at_checked(10) else { return false };
    let time = match time {
        [] => return true,
        [b'T' | b't' | b' ', time @ ..] => time,
        _ => return false,
    };
    let Some(rest) = time.strip_prefix(b"00:00") else { return false };
    let mut rest = rest.strip_prefix(b":00").unwrap_or(rest);
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|b| **b == b'0').count();
        if digits == 0 {
            return false;
        }
        rest = &fraction[digits..];
    }
    let zone = rest.strip_prefix(b" ").unwrap_or(rest);
    matches!(zone, b"" | b"Z" | b"z" | b"UTC")
        || matches!(zone, [b'+' | b'-', offset @ ..] if matches!(offset, b"00" | b"0000" | b"00:00"))
}

#[cfg(test)]
mod tests {
    use super::is_iso_time;

    #[test]
    fn times_are_told_from_other_text() {
        for text in [
            "2001-02-03",
            "2001-02-03T04:05",
            "2001-02-03 04:05:06",
            "2001-02-03T04:05:06Z",
            "2001-02-03t04:05:06.123456789z",
            "2001-02-03T04:05:06.5+02:00",
            "2001-02-03 04:05:06 UTC",
        ] {
            assert!(is_iso_time(text), "{text}");
        }
        for text in
            ["", "2001", "2001-02", "2001-02-031", "01-02-2001", "2001-02-03 at noon", "2001-02-03T04", "ATL"]
        {
            assert!(!is_iso_time(text), "{text}");
        }
    }
}
