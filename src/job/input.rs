//! What a job reads: one data set, and what is done to its batches before anything is counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, SchemaRef};
use driftlead_connectors::baseline_file;
use driftlead_connectors::dataset::{Dataset, Format, OpenOptions, Remotes};
use driftlead_connectors::source::DecodedBatch;
use driftlead_connectors::tabular::Prepare;
use driftlead_engine::accumulate::Column;
use driftlead_engine::feature::ValueType;

use crate::config::{Config, Origin};
use crate::exit::{Error, Result};

/// What is done to rows before they are counted.
#[derive(Clone, Debug, Default)]
pub struct Preparation {
    /// Rows that do not meet it are left out.
    pub filter: Option<String>,
    /// New columns, each a name and an expression.
    pub derived: Vec<(String, String)>,
    /// Where the expressions stand.
    pub origin: Origin,
    /// The key of the condition in the model file.
    pub filter_key: &'static str,
}

impl Preparation {
    /// What the model file says for baseline and windows alike.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            filter: config.filter.clone(),
            derived: config.derive.clone(),
            origin: config.origin.clone(),
            filter_key: "where",
        }
    }

    fn compile(&self, schema: &SchemaRef) -> Result<Option<Prepare>> {
        if self.filter.is_none() && self.derived.is_empty() {
            return Ok(None);
        }
        let derived: Vec<(&str, &str)> =
            self.derived.iter().map(|(name, expression)| (name.as_str(), expression.as_str())).collect();
        Prepare::new(self.filter.as_deref(), &derived, schema).map(Some).map_err(|refusal| {
            let (key, name) = match &refusal.column {
                Some(name) => ("derive", name.as_str()),
                None => (self.filter_key, ""),
            };
            Error::input(self.origin.locate(key, name, &refusal.to_string()))
        })
    }
}

/// An opened data set with its columns as the job sees them.
pub struct Input {
    paths: Vec<String>,
    remotes: Arc<Remotes>,
    preparation: Preparation,
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
    /// Opens `paths`, whose rows are prepared as `preparation` says.
    ///
    /// # Errors
    ///
    /// If the files cannot be read or disagree, are baseline files, or an expression does not fit their columns.
    pub fn open(paths: &[String], remotes: &Arc<Remotes>, preparation: Preparation) -> Result<Self> {
        let dataset = open(paths, remotes, BTreeMap::new())?;
        ensure_rows(&dataset, remotes)?;
        let prepare = preparation.compile(dataset.schema())?;
        let schema = schema_of(&dataset, prepare.as_ref());
        Ok(Self { paths: paths.to_vec(), remotes: remotes.clone(), preparation, dataset, schema, prepare })
    }

    /// Reads columns of text files as the types that a model or a baseline gives them, where what a sample of the text
    /// looks like is something else (SEMANTICS S4): a code is text even in the month in which all codes look like
    /// numbers; and a decimal never goes through a double. Files that have types of their own keep them, and other kinds
    /// of number are compared as they are.
    ///
    /// # Errors
    ///
    /// As [`Input::open`].
    pub fn retype<'a>(&mut self, wanted: impl Iterator<Item = (&'a str, ValueType, DataType)>) -> Result<()> {
        if !self.dataset.format().is_text() {
            return Ok(());
        }
        let schema = self.dataset.schema();
        let types: BTreeMap<String, DataType> = wanted
            .filter(|(name, own, data_type)| {
                let found = schema.field_with_name(name).ok().map(|field| ValueType::of(field.data_type()));
                let is_exact = data_type.is_decimal();
                found.is_some_and(|found| is_exact || !found.is_ok_and(|found| found.family == own.family))
            })
            .map(|(name, _, data_type)| (name.to_owned(), data_type))
            .collect();
        if types.is_empty() {
            return Ok(());
        }
        self.dataset = open(&self.paths, &self.remotes, types)?;
        self.prepare = self.preparation.compile(self.dataset.schema())?;
        self.schema = schema_of(&self.dataset, self.prepare.as_ref());
        Ok(())
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

fn open(paths: &[String], remotes: &Arc<Remotes>, types: BTreeMap<String, DataType>) -> Result<Dataset> {
    let options = OpenOptions { remotes: remotes.clone(), types, ..OpenOptions::default() };
    Dataset::open(paths, &options).map_err(|error| from_connectors(&error))
}

fn schema_of(dataset: &Dataset, prepare: Option<&Prepare>) -> SchemaRef {
    prepare.map_or_else(|| dataset.schema().clone(), |prepare| prepare.output_schema().clone())
}

/// Refuses files made by `driftlead baseline`, which hold counts: read as rows they would be compared without sense.
fn ensure_rows(dataset: &Dataset, remotes: &Remotes) -> Result<()> {
    let columns = ["feature", "segment", "edges", "counts", "state"];
    if dataset.format() != Format::Parquet || columns.iter().any(|name| dataset.column(name).is_none()) {
        return Ok(());
    }
    for file in dataset.files() {
        if baseline_file::is_baseline(file.name(), remotes).map_err(|error| from_connectors(&error))? {
            return Err(Error::input(format!(
                "`{}` is a baseline file, not rows: name it alone after `--baseline`, or as `baseline:` in a model file",
                file.name()
            )));
        }
    }
    Ok(())
}

/// An error of the connectors as one of the driver.
pub(super) fn from_connectors(error: &driftlead_connectors::Error) -> Error {
    use driftlead_connectors::ErrorKind;
    match error.kind() {
        ErrorKind::Unavailable => Error::run(error.to_string()),
        _ => Error::input(error.to_string()),
    }
}
