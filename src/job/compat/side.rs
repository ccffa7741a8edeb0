//! One side of a comparison, as the other tools take it: values, or counts of categories.

use std::borrow::Cow;

use driftlead_engine::accumulate::FeatureState;
use driftlead_engine::baseline::BaselineFeature;
use driftlead_engine::compat::Counts;
use driftlead_engine::feature::FeatureCells;

use super::column::{Column, Names, Vectors};

/// The rows of one feature on one side.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Side<'a> {
    /// Numbers; a missing value is NaN.
    Numbers {
        /// In the order of rows, for what rounds by it.
        in_order: Cow<'a, [f64]>,
        /// Sorted, NaN at the ends, for all else: the tools' functions sort what they get, and this is sorted already.
        sorted: Vec<f64>,
    },
    /// Categories.
    Names {
        /// Rows by category, without the missing ones.
        counts: Counts,
        /// The rows behind, if there are any: their column, and which of it in the order of the files.
        rows: Option<(&'a Names, Vec<usize>)>,
    },
    /// Vectors of one length, one after the other in the order of the files: those that are complete.
    Vectors {
        /// Their length.
        dim: usize,
        /// Their numbers.
        numbers: Vec<f32>,
    },
}

impl<'a> Side<'a> {
    /// The rows `rows` of `column`, without those that `complete` does not mark.
    pub(super) fn of_rows(column: &'a Column, rows: &[usize], complete: Option<&[bool]>) -> Self {
        let is_kept = |row: &usize| complete.is_none_or(|complete| complete[*row]);
        match column {
            Column::Numbers(values) => {
                let all = complete.is_none()
                    && rows.len() == values.len()
                    && rows.iter().enumerate().all(|(at, row)| at == *row);
                let in_order: Cow<'a, [f64]> = if all {
                    Cow::Borrowed(values)
                } else {
                    rows.iter().filter(|row| is_kept(row)).map(|row| values[*row]).collect()
                };
                let mut sorted = in_order.to_vec();
                sorted.sort_unstable_by(f64::total_cmp);
                Self::Numbers { in_order, sorted }
            }
            Column::Names(names) => {
                let mut rows: Vec<usize> = rows.iter().copied().filter(is_kept).collect();
                rows.sort_unstable();
                let counts = names.count(rows.iter().copied());
                Self::Names { counts, rows: Some((names, rows)) }
            }
            Column::Vectors(Vectors { dim, numbers }) => {
                let mut rows = rows.to_vec();
                rows.sort_unstable();
                let of_row = |row: usize| &numbers[row * dim..(row + 1) * dim];
                let is_there = |row: &&[f32]| row.first().is_some_and(|x| !x.is_nan());
                let kept = rows.into_iter().map(of_row).filter(is_there);
                Self::Vectors { dim: *dim, numbers: kept.flatten().copied().collect() }
            }
        }
    }

    /// The values of a stored state, or why it does not hold them.
    pub(super) fn of_state(feature: &BaselineFeature, segment: Option<&str>) -> Result<Self, String> {
        let refuse = |what: &str| {
            Err(format!(
                "the baseline file holds {what}: name the baseline's raw rows with `--baseline` to get it"
            ))
        };
        let state = feature.state(segment);
        match (feature.cells().as_ref(), state) {
            (FeatureCells::Numeric(cells), state) => {
                let mut sorted = Vec::new();
                if let Some(FeatureState::Numeric(state)) = state {
                    let values = cells.positions().into_iter().chain([f64::INFINITY]);
                    for ((value, is_atom), count) in values
                        .zip(cells.edges.atoms())
                        .zip(state.cells.to_vec())
                        .filter(|(_, count)| *count > 0)
                    {
                        if !cells.exact || !is_atom {
                            return refuse(
                                "counts between edges, for there are more than 4,096 distinct values",
                            );
                        }
                        sorted.extend(std::iter::repeat_n(value, usize::try_from(count).unwrap_or(0)));
                    }
                }
                Ok(Self::Numbers { in_order: Cow::Owned(sorted.clone()), sorted })
            }
            (FeatureCells::Embedding(_), _) => refuse("sums and counts of vectors"),
            (FeatureCells::Categorical(cells), state) => {
                let mut counts = Counts::new();
                if let Some(FeatureState::Categorical(state)) = state {
                    let rows = state.cells.to_vec();
                    if rows.iter().skip(cells.other()).any(|count| *count > 0) {
                        return refuse("the 1,024 most frequent categories, and there are more");
                    }
                    let named = cells.names().iter().cloned().zip(rows);
                    counts = named.filter(|(_, count)| *count > 0).collect();
                }
                Ok(Self::Names { counts, rows: None })
            }
        }
    }

    /// Whether no value is missing. Categories are not asked.
    pub(super) fn is_complete(&self) -> bool {
        match self {
            // NaN sorts to an end, by its sign.
            Self::Numbers { sorted, .. } => {
                !sorted.first().is_some_and(|x| x.is_nan()) && !sorted.last().is_some_and(|x| x.is_nan())
            }
            Self::Names { .. } | Self::Vectors { .. } => false,
        }
    }

    /// The codes of the rows with a value, in the order of the files, if all are small integers.
    pub(super) fn codes(&self) -> Option<Vec<u32>> {
        let Self::Names { rows: Some((names, rows)), .. } = self else { return None };
        let of_name: Vec<Option<u32>> = names.names.iter().map(|name| name.parse().ok()).collect();
        rows.iter().filter_map(|row| of_name.get(names.rows[*row] as usize).copied()).collect()
    }
}
