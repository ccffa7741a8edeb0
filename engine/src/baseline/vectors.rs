//! The sampled vectors of an embedding, until its measures are fitted.

use std::collections::BTreeMap;
use std::fmt;

use arrow_array::Array;

use crate::Result;
use crate::embedding::{EmbeddingCells, Fit, Found, MAX_DIM, MAX_NUMBER, Vectors};

/// Vectors by their length, by part, in the order of rows.
#[derive(Debug)]
pub(super) struct VectorSample {
    /// The length that they must have; `None` for the one that most of them have.
    dim: Option<usize>,
    /// Whether `mmd` is asked for.
    has_waves: bool,
    by_length: BTreeMap<usize, Vec<(usize, Vec<f32>)>>,
    /// Sampled vectors of other lengths than `dim`, by length.
    others: BTreeMap<usize, u64>,
    /// Whether a sampled vector has `dim` numbers, whatever they are.
    has_dim: bool,
}

/// The length that was asked for is that of no sampled vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongDim {
    /// The length that was asked for.
    pub dim: usize,
    /// The lengths there are with their sampled vectors, the most frequent first.
    pub lengths: Vec<(usize, u64)>,
}

/// Lengths that a message names.
const NAMED_LENGTHS: usize = 3;

impl fmt::Display for WrongDim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`dim: {}` is the length of no sampled vector of the baseline: ", self.dim)?;
        for (at, (length, vectors)) in self.lengths.iter().take(NAMED_LENGTHS).enumerate() {
            let (comma, verb) = (if at > 0 { ", " } else { "" }, if *vectors == 1 { "has" } else { "have" });
            write!(f, "{comma}{vectors} {verb} {length} numbers")?;
        }
        if self.lengths.len() > NAMED_LENGTHS {
            write!(f, ", and there are {} other lengths", self.lengths.len() - NAMED_LENGTHS)?;
        }
        let most = self.lengths.first().map_or(0, |(length, _)| *length);
        write!(f, "; write `dim: {most}`, or leave `dim` out to take the length that most have")
    }
}

/// Why nothing could be fitted.
#[derive(Debug)]
pub(super) enum Unfit {
    WrongDim(WrongDim),
    /// A lowercase fragment.
    Other(String),
}

impl VectorSample {
    pub(super) fn new(dim: Option<usize>, has_waves: bool) -> Self {
        let (by_length, others) = (BTreeMap::new(), BTreeMap::new());
        Self { dim, has_waves, by_length, others, has_dim: false }
    }

    /// Adds rows of part number `part`.
    ///
    /// # Errors
    ///
    /// `Schema` if the column can hold no vectors.
    pub(super) fn add(&mut self, part: usize, array: &dyn Array) -> Result<()> {
        let vectors = Vectors::of(array)?;
        let mut added: BTreeMap<usize, Vec<f32>> = BTreeMap::new();
        let mut vector = vec![0.0; self.dim.unwrap_or(0)];
        for row in 0..array.len() {
            let mut found = vectors.read(row, &mut vector);
            if let Found::Length(length) = found
                && self.dim.is_none()
                && length != vector.len()
                && (1..=MAX_DIM).contains(&length)
            {
                vector.resize(length, 0.0);
                found = vectors.read(row, &mut vector);
            }
            if let (Found::Length(length), Some(dim)) = (found, self.dim) {
                if length == dim {
                    self.has_dim = true;
                } else {
                    *self.others.entry(length).or_default() += 1;
                }
            }
            if found == Found::Length(vector.len())
                && vector.iter().all(|x| x.abs() <= MAX_NUMBER)
                && vector.iter().any(|x| *x != 0.0)
            {
                added.entry(vector.len()).or_default().extend_from_slice(&vector);
            }
        }
        for (length, rows) in added {
            self.by_length.entry(length).or_default().push((part, rows));
        }
        Ok(())
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.has_dim |= other.has_dim;
        for (length, vectors) in other.others {
            *self.others.entry(length).or_default() += vectors;
        }
        for (length, parts) in other.by_length {
            self.by_length.entry(length).or_default().extend(parts);
        }
    }

    /// The measures of the vectors of the length that most have.
    ///
    /// # Errors
    ///
    /// Why there are none.
    pub(super) fn fit(mut self) -> Result<EmbeddingCells, Unfit> {
        if let Some(dim) = self.dim.filter(|_| !self.has_dim && !self.others.is_empty()) {
            let mut lengths: Vec<(usize, u64)> = std::mem::take(&mut self.others).into_iter().collect();
            lengths.sort_by_key(|(length, vectors)| (std::cmp::Reverse(*vectors), *length));
            return Err(Unfit::WrongDim(WrongDim { dim, lengths }));
        }
        let count = |length: usize, parts: &Vec<(usize, Vec<f32>)>| {
            parts.iter().map(|(_, rows)| rows.len() / length).sum::<usize>()
        };
        // The shortest of those that are as frequent.
        let most = self.by_length.iter().rev().max_by_key(|(length, parts)| count(**length, parts));
        let Some(length) = most.map(|(length, _)| *length) else {
            return Err(Unfit::Other(match self.dim {
                Some(dim) => {
                    format!("no sampled row has a vector of `{dim}` numbers that are finite and not all zero")
                }
                None => "no sampled row has a vector whose numbers are finite and not all zero".to_owned(),
            }));
        };
        let mut parts = self.by_length.remove(&length).unwrap_or_default();
        parts.sort_by_key(|(part, _)| *part);
        let mut fit = Fit::new(length, self.has_waves);
        for (_, rows) in parts {
            rows.chunks_exact(length).for_each(|vector| fit.add(vector));
        }
        fit.finish().map_err(Unfit::Other)
    }
}
