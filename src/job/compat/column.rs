//! One column of an input in memory: what the other tools hold too, and the reason why they need so much of it.

use std::collections::BTreeMap;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_schema::DataType;
use driftlead_engine::accumulate::{NO_NAME, row_names};
use driftlead_engine::compat::Counts;
use driftlead_engine::embedding::append_vectors;
use driftlead_engine::feature::FeatureCells;

use super::super::input::Input;
use super::super::read::Reading;
use crate::exit::{Error, Result};
use crate::progress::Progress;

/// A column, its rows in the order of the files.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Column {
    /// Numbers as doubles; what is missing is NaN.
    Numbers(Vec<f64>),
    /// Categories.
    Names(Names),
    /// Vectors.
    Vectors(Vectors),
}

/// A column of vectors of one length.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Vectors {
    pub(super) dim: usize,
    /// One vector after the other; all NaN where a row has none that is complete.
    pub(super) numbers: Vec<f32>,
}

/// A column of categories.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Names {
    /// Of each row the number of its name; [`NO_NAME`] where it is missing.
    pub(super) rows: Vec<u32>,
    /// The names by number.
    pub(super) names: Vec<String>,
    numbers: BTreeMap<String, u32>,
}

impl Column {
    fn empty(cells: &FeatureCells) -> Self {
        match cells {
            FeatureCells::Numeric(_) => Self::Numbers(Vec::new()),
            FeatureCells::Categorical(_) => Self::Names(Names::default()),
            FeatureCells::Embedding(cells) => {
                Self::Vectors(Vectors { dim: cells.dim(), numbers: Vec::new() })
            }
        }
    }

    /// Clears the mark of every row that is missing here.
    pub(super) fn mark_missing(&self, complete: &mut [bool]) {
        match self {
            Self::Numbers(values) => {
                complete.iter_mut().zip(values).for_each(|(complete, x)| *complete &= !x.is_nan());
            }
            Self::Names(names) => {
                complete
                    .iter_mut()
                    .zip(&names.rows)
                    .for_each(|(complete, name)| *complete &= *name != NO_NAME);
            }
            // No tool that asks for complete rows has vectors in its frame.
            Self::Vectors(_) => {}
        }
    }

    /// Adds the rows of one batch.
    fn push(&mut self, array: &dyn Array) -> Result<()> {
        match self {
            Self::Numbers(values) => {
                let cast = |array: &dyn Array, to| {
                    arrow_cast::cast(array, to)
                        .map_err(|error| Error::input(format!("expected numbers: {error}")))
                };
                // Of times it matters only which are missing; they become no doubles by themselves.
                let cast = if array.data_type().is_temporal() {
                    cast(&cast(array, &DataType::Int64)?, &DataType::Float64)?
                } else {
                    cast(array, &DataType::Float64)?
                };
                values.extend(cast.as_primitive::<Float64Type>().iter().map(|x| x.unwrap_or(f64::NAN)));
            }
            Self::Names(own) => {
                let (rows, names) = row_names(array).map_err(|error| Error::input(error.to_string()))?;
                own.extend(&rows, &names);
            }
            Self::Vectors(own) => append_vectors(array, own.dim, &mut own.numbers)
                .map_err(|error| Error::input(error.to_string()))?,
        }
        Ok(())
    }

    fn append(&mut self, other: Self) {
        match (self, other) {
            (Self::Numbers(own), Self::Numbers(other)) if own.is_empty() => *own = other,
            (Self::Numbers(own), Self::Numbers(other)) => own.extend(other),
            (Self::Names(own), Self::Names(other)) if own.rows.is_empty() => *own = other,
            (Self::Names(own), Self::Names(other)) => own.extend(&other.rows, &other.names),
            (Self::Vectors(own), Self::Vectors(other)) => own.numbers.extend(other.numbers),
            // All parts are read as the same kinds.
            (Self::Numbers(_) | Self::Names(_) | Self::Vectors(_), _) => {}
        }
    }
}

impl Names {
    /// Adds rows whose names have numbers of their own.
    fn extend(&mut self, rows: &[u32], names: &[String]) {
        let numbers: Vec<u32> = names.iter().map(|name| self.number(name)).collect();
        self.rows.extend(rows.iter().map(|row| numbers.get(*row as usize).copied().unwrap_or(NO_NAME)));
    }

    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        // Fewer than 2^32 - 1 names: each would take more memory than there is.
        let number = u32::try_from(self.names.len()).unwrap_or(NO_NAME - 1);
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// How often each name stands in `rows`.
    pub(super) fn count(&self, rows: impl Iterator<Item = usize>) -> Counts {
        let mut counts = vec![0_u64; self.names.len()];
        for row in rows {
            if let Some(count) = counts.get_mut(self.rows[row] as usize) {
                *count += 1;
            }
        }
        let named = self.names.iter().cloned().zip(counts);
        named.filter(|(_, count)| *count > 0).collect()
    }
}

/// Reads columns, named by their place in the schema, whole and in the order of the files.
pub(super) fn read(input: &Input, columns: &[(usize, &FeatureCells)]) -> Result<Vec<Column>> {
    let places: Vec<usize> = columns.iter().map(|(place, _)| *place).collect();
    let progress = Progress::rows("reading for compat", input.dataset().n_rows());
    let reading = Reading::of_rows(input, &places, &progress);
    let empty = || -> Vec<Column> { columns.iter().map(|(_, cells)| Column::empty(cells)).collect() };
    let parts = reading.by_part(empty, |own, piece| {
        own.iter_mut().zip(&piece.rows.columns).try_for_each(|(column, array)| column.push(array.as_ref()))
    })?;
    progress.finish();
    let mut whole = empty();
    for part in parts {
        whole.iter_mut().zip(part).for_each(|(whole, part)| whole.append(part));
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Float32Type;
    use arrow_array::{Decimal128Array, Int32Array, ListArray, StringArray};

    use super::*;

    #[test]
    fn numbers_of_any_type_become_doubles_and_nulls_nan() {
        let mut column = Column::Numbers(Vec::new());
        column.push(&Int32Array::from(vec![Some(3), None])).unwrap();
        let decimals = Decimal128Array::from(vec![125]).with_precision_and_scale(5, 2).unwrap();
        column.push(&decimals).unwrap();
        let Column::Numbers(values) = &column else { panic!("{column:?}") };
        assert!(values[0] == 3.0 && values[1].is_nan() && values[2] == 1.25, "{values:?}");
        let mut complete = [true; 3];
        column.mark_missing(&mut complete);
        assert_eq!(complete, [true, false, true]);
    }

    #[test]
    fn a_vector_that_is_not_complete_is_none() {
        let mut column = Column::Vectors(Vectors { dim: 2, numbers: Vec::new() });
        let rows = [Some(vec![Some(1.0), Some(2.0)]), None, Some(vec![Some(1.0)])];
        let more = [Some(vec![Some(3.0), None]), Some(vec![Some(f32::INFINITY), Some(0.0)])];
        let list = |rows: Vec<_>| ListArray::from_iter_primitive::<Float32Type, _, _>(rows);
        column.push(&list(rows.to_vec())).unwrap();
        let mut other = Column::Vectors(Vectors { dim: 2, numbers: Vec::new() });
        other.push(&list(more.to_vec())).unwrap();
        column.append(other);
        let Column::Vectors(vectors) = &column else { panic!("{column:?}") };
        assert_eq!(vectors.numbers[..2], [1.0, 2.0]);
        assert!(
            vectors.numbers.len() == 10 && vectors.numbers[2..].iter().all(|x| x.is_nan()),
            "{vectors:?}"
        );
    }

    #[test]
    fn names_keep_their_rows_when_parts_are_joined() {
        let part = |names: Vec<Option<&str>>| {
            let mut column = Column::Names(Names::default());
            column.push(&StringArray::from(names)).unwrap();
            column
        };
        let mut whole = part(vec![Some("b"), None, Some("a")]);
        whole.append(part(vec![Some("a"), Some("c"), None]));
        let Column::Names(names) = &whole else { panic!("{whole:?}") };
        let counts = names.count([0, 1, 2, 3, 5].into_iter());
        assert_eq!(counts, Counts::from([("a".into(), 2), ("b".into(), 1)]));
        let mut complete = [true; 6];
        whole.mark_missing(&mut complete);
        assert_eq!(complete, [true, false, true, true, true, false]);
    }
}
