//! Segments: the rows of one value of a column, or of one combination of several, judged by themselves (SEMANTICS S18).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::ArrayRef;
use driftlead_engine::accumulate::{NO_NAME, row_names};
use driftlead_engine::id;

use crate::exit::{Error, Result};

/// The most segments of a split that are followed by name.
pub const MAX_SEGMENTS: usize = 200;

/// The value that stands for all segments not followed.
pub const OTHER: &str = "__other__";

/// The splits of a model, and the segments of each that are followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segments {
    splits: Vec<Split>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Split {
    columns: Vec<String>,
    /// The text of each segment followed.
    followed: BTreeSet<Arc<str>>,
    other: Arc<str>,
}

impl Segments {
    /// The splits of the model file, whose segments are chosen by `rows`: baseline rows by the text of the segment.
    #[must_use]
    pub fn choose(splits: &[Vec<String>], rows: &[BTreeMap<String, u64>]) -> Self {
        let splits = splits
            .iter()
            .zip(rows)
            .map(|(columns, rows)| {
                let mut by_rows: Vec<(&String, u64)> =
                    rows.iter().map(|(text, rows)| (text, *rows)).collect();
                // Most rows first, ties by bytes.
                by_rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
                by_rows.truncate(MAX_SEGMENTS);
                Split::new(columns, by_rows.into_iter().map(|(text, _)| Arc::from(text.as_str())).collect())
            })
            .collect();
        Self { splits }
    }

    /// The splits of the model file with the segments that a stored baseline has.
    ///
    /// # Errors
    ///
    /// If the baseline has no segment of a split: it was made without it.
    pub fn stored<'a>(
        splits: &[Vec<String>],
        segments: impl Iterator<Item = &'a Arc<str>> + Clone,
    ) -> Result<Self> {
        let mut chosen = Vec::new();
        for columns in splits {
            let own = |text: &&Arc<str>| columns_of(text).as_deref() == Some(columns);
            let split = Split::new(columns, segments.clone().filter(own).cloned().collect());
            if split.followed.is_empty() {
                return Err(Error::input(format!(
                    "the baseline has no segments by `{}`: make it again with this model file",
                    columns.join("`, `")
                )));
            }
            chosen.push(split);
        }
        Ok(Self { splits: chosen })
    }

    /// Whether there are no splits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.splits.is_empty()
    }

    /// Every segment that can be followed, those of all other rows included.
    pub fn texts(&self) -> impl Iterator<Item = &Arc<str>> {
        self.splits.iter().flat_map(|split| split.followed.iter().chain([&split.other]))
    }

    /// The split of each text of [`Segments::texts`], by its place.
    pub(super) fn split_of_texts(&self) -> Vec<usize> {
        let splits = self.splits.iter().enumerate();
        splits.flat_map(|(at, split)| std::iter::repeat_n(at, split.followed.len() + 1)).collect()
    }

    /// The columns that the splits need, each once.
    #[must_use]
    pub fn columns(&self) -> Vec<&str> {
        let mut columns: Vec<&str> =
            self.splits.iter().flat_map(|split| split.columns.iter().map(String::as_str)).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// For each split, the segment of each row. `column` finds a column by name.
    ///
    /// # Errors
    ///
    /// If a column is missing or its values have no names.
    pub(crate) fn of_rows(
        &self,
        n_rows: usize,
        column: impl Fn(&str) -> Option<ArrayRef>,
    ) -> Result<Vec<SegmentRows>> {
        self.splits
            .iter()
            .map(|split| {
                let texts = split_texts(&split.columns, n_rows, &column)?;
                // Rows of texts that are not followed share one segment, and so one number.
                let mut segments = vec![split.other.clone()];
                let numbers: Vec<u32> = texts
                    .names
                    .iter()
                    .map(|text| match split.followed.get(text.as_str()) {
                        None => 0,
                        Some(segment) => {
                            segments.push(segment.clone());
                            u32::try_from(segments.len() - 1).unwrap_or(u32::MAX)
                        }
                    })
                    .collect();
                let rows = texts.rows.iter().map(|number| numbers[*number as usize]).collect();
                Ok(SegmentRows { segments, rows })
            })
            .collect()
    }
}

/// The segments of a batch's rows by one split.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SegmentRows {
    /// Segments that a row of the batch may have.
    pub(crate) segments: Vec<Arc<str>>,
    /// For each row, the place of its segment in `segments`.
    pub(crate) rows: Vec<u32>,
}

impl Split {
    fn new(columns: &[String], mut followed: BTreeSet<Arc<str>>) -> Self {
        let pairs: Vec<(&str, Option<&str>)> =
            columns.iter().map(|column| (column.as_str(), Some(OTHER))).collect();
        let other: Arc<str> = id::segment(&pairs).into();
        followed.remove(&other);
        Self { columns: columns.to_vec(), followed, other }
    }
}

/// The segments of a batch by one split, followed or not: their texts, and the number of each row's.
pub(super) struct SplitTexts {
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<u32>,
}

/// The segment of each row by a split of these columns, whether it is followed or not.
pub(super) fn split_texts(
    columns: &[String],
    n_rows: usize,
    column: impl Fn(&str) -> Option<ArrayRef>,
) -> Result<SplitTexts> {
    let mut named = Vec::with_capacity(columns.len());
    for name in columns {
        let array = column(name).ok_or_else(|| {
            Error::input(format!("`segments` names the column `{name}`, which the data do not have"))
        })?;
        let names = row_names(&array)
            .map_err(|error| Error::input(format!("`segments` names the column `{name}`: {error}")))?;
        named.push(names);
    }
    // Column by column, the numbers of the values so far and the next become one number, with a row that has it.
    let (mut rows, mut examples): (Vec<u32>, Vec<usize>) = (vec![0; n_rows], vec![0]);
    for (numbers, _) in &named {
        let mut combined: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        let mut last = None;
        examples.clear();
        for (row, (own, next)) in rows.iter_mut().zip(numbers).enumerate() {
            let pair = (*own, *next);
            // Equal rows often follow each other.
            *own = match last {
                Some((known, number)) if known == pair => number,
                _ => *combined.entry(pair).or_insert_with(|| {
                    examples.push(row);
                    u32::try_from(examples.len() - 1).unwrap_or(u32::MAX)
                }),
            };
            last = Some((pair, *own));
        }
    }
    let names = examples
        .iter()
        .filter(|row| **row < n_rows)
        .map(|row| {
            let pairs: Vec<(&str, Option<&str>)> = columns
                .iter()
                .zip(&named)
                .map(|(column, (numbers, names))| {
                    let name = numbers[*row];
                    (column.as_str(), (name != NO_NAME).then(|| names[name as usize].as_str()))
                })
                .collect();
            id::segment(&pairs)
        })
        .collect();
    Ok(SplitTexts { names, rows })
}

/// The pairs of a segment's text.
#[must_use]
pub fn pairs_of(text: &str) -> Option<Vec<(String, Option<String>)>> {
    let segment: crate::report::wire::Segment = serde_json::from_str(text).ok()?;
    Some(segment.0)
}

fn columns_of(text: &str) -> Option<Vec<String>> {
    pairs_of(text).map(|pairs| pairs.into_iter().map(|(column, _)| column).collect())
}

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;

    use super::*;

    #[test]
    fn rare_and_unseen_values_share_one_segment() {
        let rows: BTreeMap<String, u64> =
            (0..300_u64).map(|i| (id::segment(&[("origin", Some(&format!("A{i:03}")))]), 1000 - i)).collect();
        let segments = Segments::choose(&[vec!["origin".to_owned()]], &[rows]);
        assert_eq!(segments.texts().count(), MAX_SEGMENTS + 1);
        let column: ArrayRef =
            Arc::new(StringArray::from(vec![Some("A000"), Some("A250"), None, Some("new")]));
        let of_rows = segments.of_rows(4, |_| Some(column.clone())).expect("segments");
        let other = r#"{"origin":"__other__"}"#;
        let found: Vec<&str> =
            of_rows[0].rows.iter().map(|at| of_rows[0].segments[*at as usize].as_ref()).collect();
        assert_eq!(found, [r#"{"origin":"A000"}"#, other, other, other]);
    }

    #[test]
    fn a_cross_names_both_columns_and_nulls_are_values() {
        let a: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None]));
        let columns = ["a".to_owned(), "b".to_owned()];
        let texts = split_texts(&columns, 2, |_| Some(a.clone())).expect("texts");
        assert_eq!(texts.names, [r#"{"a":"x","b":"x"}"#, r#"{"a":null,"b":null}"#]);
        assert_eq!(texts.rows, [0, 1]);
    }
}
