//! What a baseline freezes for a categorical feature: its dictionary, and which other categories it has seen.
//!
//! The cells are the most frequent categories, then OTHER (seen by the baseline, not in the dictionary) and NEW (never
//! seen): SEMANTICS S3. Rare categories are known by a 64-bit hash only, pinned to xxh3 with seed 0.

use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_64;

use crate::digest::sha256_hex;
use crate::feature::ValueType;

/// The hash by which a category is known.
#[must_use]
pub(crate) fn category_hash(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}

/// Passes 64-bit hashes through; the keys are already mixed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PassHash(u64);

impl std::hash::Hasher for PassHash {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A map from category hashes, pinned so that it behaves the same everywhere.
pub(crate) type HashIndex<T> = HashMap<u64, T, std::hash::BuildHasherDefault<PassHash>>;

/// The frozen cells of a categorical feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Categories {
    /// The baseline's type.
    pub value_type: ValueType,
    names: Vec<String>,
    rare: Vec<u64>,
    singletons: u64,
    index: HashIndex<u16>,
}

/// Where a category falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category<'a> {
    /// A category of the dictionary.
    Named(&'a str),
    /// Any category that the baseline has seen but that is not in the dictionary.
    Other,
    /// Any category that the baseline has never seen.
    New,
}

impl Categories {
    /// The largest dictionary.
    pub const MAX_NAMED: usize = 1024;

    /// A dictionary of `names`, in the order of cells; `rare` are the hashes of categories seen but not named;
    /// `singletons` is how many categories occurred once.
    ///
    /// # Panics
    ///
    /// If there are more than [`Categories::MAX_NAMED`] names.
    #[must_use]
    pub fn new(value_type: ValueType, names: Vec<String>, mut rare: Vec<u64>, singletons: u64) -> Self {
        assert!(names.len() <= Self::MAX_NAMED, "{} names", names.len());
        rare.sort_unstable();
        rare.dedup();
        #[expect(clippy::cast_possible_truncation, reason = "at most 1,024 names")]
        let other = names.len() as u16;
        let mut index: HashIndex<u16> = rare.iter().map(|hash| (*hash, other)).collect();
        for (cell, name) in (0_u16..).zip(&names) {
            index.insert(category_hash(name), cell);
        }
        Self { value_type, names, rare, singletons, index }
    }

    /// How many cells: the names, OTHER and NEW.
    #[must_use]
    pub fn n_cells(&self) -> usize {
        self.names.len() + 2
    }

    /// The cell of OTHER.
    #[must_use]
    pub fn other(&self) -> usize {
        self.names.len()
    }

    /// The cell of NEW.
    #[must_use]
    pub fn new_cell(&self) -> usize {
        self.names.len() + 1
    }

    /// The dictionary in the order of cells.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The hashes of categories seen but not named, sorted.
    #[must_use]
    pub fn rare(&self) -> &[u64] {
        &self.rare
    }

    /// How many categories the baseline saw exactly once.
    #[must_use]
    pub fn singletons(&self) -> u64 {
        self.singletons
    }

    /// How many different categories the baseline saw.
    #[must_use]
    pub fn n_distinct(&self) -> usize {
        self.names.len() + self.rare.len()
    }

    /// The cell of the category with that hash.
    #[must_use]
    pub(crate) fn cell(&self, hash: u64) -> u16 {
        #[expect(clippy::cast_possible_truncation, reason = "at most 1,024 names")]
        self.index.get(&hash).copied().unwrap_or((self.names.len() + 1) as u16)
    }

    /// What `cell` holds.
    #[must_use]
    pub fn category(&self, cell: usize) -> Category<'_> {
        match self.names.get(cell) {
            Some(name) => Category::Named(name),
            None if cell == self.other() => Category::Other,
            None => Category::New,
        }
    }

    /// The name of this set of cells (I-EDGES).
    #[must_use]
    pub fn cutset_id(&self) -> String {
        let mut bytes = format!("{:?}|{}|", self.value_type, self.names.len()).into_bytes();
        for name in &self.names {
            bytes.extend((name.len() as u64).to_le_bytes());
            bytes.extend(name.as_bytes());
        }
        for hash in &self.rare {
            bytes.extend(hash.to_le_bytes());
        }
        let mut id = sha256_hex(&bytes);
        id.truncate(32);
        id
    }
}
