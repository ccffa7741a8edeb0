//! Which categories are new: a few of them by name, with exact counts, however many there are.
//!
//! Bottom-k by hash: a category that is among the k smallest hashes of the whole is among the k smallest of every part
//! that holds it, so its count is exact after any merge, in any order (Cohen & Kaplan 2007, "Summarizing data using
//! bottom-k sketches"). Which categories are kept is a random choice, pinned by the hash.

use std::collections::BTreeMap;

/// How many new categories are named.
const KEPT: usize = 32;

/// A mergeable sample of categories with their counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Newcomers {
    by_hash: BTreeMap<u64, (String, u64)>,
}

impl Newcomers {
    /// Adds `count` rows of `name`, whose hash is `hash`.
    pub fn add(&mut self, hash: u64, name: &str, count: u64) {
        if let Some((_, total)) = self.by_hash.get_mut(&hash) {
            *total += count;
            return;
        }
        let full = self.by_hash.len() >= KEPT;
        if full && self.by_hash.last_key_value().is_some_and(|(last, _)| *last < hash) {
            return;
        }
        self.by_hash.insert(hash, (name.to_owned(), count));
        if full {
            self.by_hash.pop_last();
        }
    }

    /// Adds another sample.
    pub fn merge(&mut self, other: &Self) {
        for (hash, (name, count)) in &other.by_hash {
            self.add(*hash, name, *count);
        }
    }

    /// The sampled categories, most rows first, ties by name.
    #[must_use]
    pub fn top(&self) -> Vec<(&str, u64)> {
        let mut top: Vec<_> = self.by_hash.values().map(|(name, count)| (name.as_str(), *count)).collect();
        top.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        top
    }

    /// The sample by hash, for the codec.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u64, &str, u64)> {
        self.by_hash.iter().map(|(hash, (name, count))| (*hash, name.as_str(), *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_count_is_exact_after_any_split() {
        // A fixed permutation of 0..1000 stands for hashes.
        let rows: Vec<u64> = (0..5_000_u64).map(|i| (i * 7_919) % 1_000).collect();
        let mut whole = Newcomers::default();
        rows.iter().for_each(|hash| whole.add(*hash, &hash.to_string(), 1));
        for split in [1, 17, 2_500, 4_999] {
            let (mut a, mut b) = (Newcomers::default(), Newcomers::default());
            rows[..split].iter().for_each(|hash| a.add(*hash, &hash.to_string(), 1));
            rows[split..].iter().for_each(|hash| b.add(*hash, &hash.to_string(), 1));
            b.merge(&a);
            assert_eq!(b, whole);
        }
        assert!(whole.top().iter().all(|(_, count)| *count == 5));
        assert_eq!(whole.top().len(), KEPT);
    }
}
