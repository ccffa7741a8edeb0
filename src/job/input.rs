//! What a job reads: one data set, and what is done to its batches before anything is counted.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_buffer::BooleanBuffer;
use arrow_schema::SchemaRef;
use driftlead_connectors::dataset::{Dataset, OpenOptions, Remotes};
use driftlead_connectors::source::DecodedBatch;
use driftlead_connectors::tabular::Prepare;
use driftlead_engine::accumulate::Column;

use crate::exit::{Error, Result};

/// An opened data set with its columns as the job sees them.
pub struct Input {
    dataset: Dataset,
    schema: SchemaRef,
    prepare: Option<Prepare>,
}

/// A batch as the job sees it.
#[derive(Debug)]
pub(super) struct Rows {
    /// The columns asked for, in that order.
    pub(super) columns: Vec<ArrayRef>,
    /// How many rows.
    pub(super) n_rows: usize,
    /// How many the condition left out.
    pub(super) excluded: u64,
    /// For each column, the rows whose value could not be read as its type.
    pub(super) errors: Vec<Option<BooleanBuffer>>,
}

impl Rows {
    /// The column at `at`, as the engine takes it.
    pub(super) fn column(&self, at: usize) -> Column<'_> {
        Column { array: self.columns[at].as_ref(), errors: self.errors[at].as_ref() }
    }
}

impl Input {
    /// Opens `paths`. Rows that do not meet `filter` are left out, and `derived` columns are added.
    ///
    /// # Errors
    ///
    /// If the files cannot be read or disagree, or an expression does not fit their columns.
    pub fn open(
        paths: &[String],
        remotes: &Arc<Remotes>,
        filter: Option<&str>,
        derived: &[(String, String)],
    ) -> Result<Self> {
        let options = OpenOptions { remotes: remotes.clone(), ..OpenOptions::default() };
        let dataset = Dataset::open(paths, &options).map_err(|error| from_connectors(&error))?;
        let prepare = if filter.is_none() && derived.is_empty() {
            None
        } else {
            let derived: Vec<(&str, &str)> =
                derived.iter().map(|(name, expression)| (name.as_str(), expression.as_str())).collect();
            let prepare = Prepare::new(filter, &derived, dataset.schema());
            Some(prepare.map_err(|refusal| Error::input(refusal.to_string()))?)
        };
        let schema = prepare
            .as_ref()
            .map_or_else(|| dataset.schema().clone(), |prepare| prepare.output_schema().clone());
        Ok(Self { dataset, schema, prepare })
    }

    /// The columns, derived ones included.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The data set behind.
    #[must_use]
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Whether rows pass through SQL, so that a batch must hold all columns it needs at once.
    pub(super) fn is_prepared(&self) -> bool {
        self.prepare.is_some()
    }

    /// The columns to read from the data set so that `columns` of the job's schema can be had.
    pub(super) fn sources(&self, columns: &[usize]) -> Vec<usize> {
        let Some(prepare) = &self.prepare else { return columns.to_vec() };
        let names = columns.iter().map(|column| self.schema.field(*column).name().as_str());
        let mut sources: Vec<usize> = names
            .chain(prepare.input_columns().iter().map(String::as_str))
            .filter_map(|name| self.dataset.column(name))
            .collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }

    /// Prepares a batch of the columns that [`Input::sources`] named.
    pub(super) fn prepare(&self, decoded: DecodedBatch, columns: &[usize]) -> Result<Rows> {
        let Some(prepare) = &self.prepare else {
            let DecodedBatch { batch, type_errors, .. } = decoded;
            let n_rows = batch.num_rows();
            return Ok(Rows { columns: batch.columns().to_vec(), n_rows, excluded: 0, errors: type_errors });
        };
        let (prepared, excluded) = prepare.apply_decoded(decoded).map_err(|error| from_connectors(&error))?;
        let (mut arrays, mut errors) = (Vec::new(), Vec::new());
        for column in columns {
            let name = self.schema.field(*column).name();
            let at = prepared
                .batch
                .schema_ref()
                .index_of(name)
                .map_err(|_| Error::run(format!("the column `{name}` was lost while preparing rows")))?;
            arrays.push(prepared.batch.column(at).clone());
            errors.push(prepared.type_errors.get(at).cloned().flatten());
        }
        Ok(Rows { columns: arrays, n_rows: prepared.batch.num_rows(), excluded, errors })
    }
}

/// An error of the connectors as one of the driver.
pub(super) fn from_connectors(error: &driftlead_connectors::Error) -> Error {
    use driftlead_connectors::ErrorKind;
    match error.kind() {
        ErrorKind::Unavailable => Error::run(error.to_string()),
        _ => Error::input(error.to_string()),
    }
}
