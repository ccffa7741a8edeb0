//! `where:` and derived columns: SQL expressions on record batches, evaluated by polars.
//!
//! Expressions are **row-wise**: the value for a row depends on that row alone, so the answer cannot depend on how rows
//! are split into batches. Aggregates, window functions, subqueries and functions that look at other rows are refused.
//! Null in `where` is false (SEMANTICS S12). A cast or `STRPTIME` of a value that does not fit is null and does not end
//! the run. As everywhere in polars NaN equals itself and is greater than all numbers; integers wrap on overflow, and
//! `/` divides as floats.
//!
//! Only the columns that an expression names cross over to polars, by the Arrow C data interface; all others are only
//! filtered, and keep their types. Timestamps with a zone are compared as UTC, as are those without (SEMANTICS S13);
//! dictionaries as their values; half floats as single.
//!
//! This folder alone imports polars; without the feature `sql` it still takes the empty request and refuses others.

#[cfg(feature = "sql")]
mod cross;
#[cfg(feature = "sql")]
mod program;
#[cfg(feature = "sql")]
mod syntax;
#[cfg(test)]
#[cfg(feature = "sql")]
mod tests;

use std::fmt;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{FieldRef, Schema, SchemaRef};
use arrow_select::filter::{FilterBuilder, FilterPredicate};

#[cfg(feature = "sql")]
use self::program::Program;
use crate::error::{Error, Result};
use crate::source::DecodedBatch;

/// Expressions parsed and checked against a schema, ready for its batches.
///
/// Cheap to share between threads: [`Prepare::apply`] takes `&self`.
pub struct Prepare {
    program: Option<Program>,
    derived: Vec<FieldRef>,
    input_columns: Vec<String>,
    schema: SchemaRef,
}

/// What [`Prepare::apply`] made of a batch.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The rows for which `where` is true, with the derived columns behind the others.
    pub batch: RecordBatch,
    /// For each row of the batch given whether it was kept; `None` if all were.
    pub kept: Option<BooleanBuffer>,
    /// Rows for which `where` is false or null.
    pub excluded: u64,
}

/// Why an expression cannot be used, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The name of the derived column; `None` for `where`.
    pub column: Option<String>,
    /// The expression as written.
    pub expression: String,
    /// Line and column of the fault, from 1, if known.
    pub position: Option<(u64, u64)>,
    /// What is wrong, and what to do.
    pub reason: String,
    /// For an unknown column or function the known names that are like it, closest first.
    pub candidates: Vec<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            None => f.write_str("where")?,
            Some(name) => write!(f, "derived column `{name}`")?,
        }
        write!(f, ": `{}`", self.expression)?;
        match self.position {
            Some((1, column)) => write!(f, ", character {column}")?,
            Some((line, column)) => write!(f, ", line {line}, character {column}")?,
            None => {}
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::misconfigured(refusal.to_string())
    }
}

impl Prepare {
    /// Checks the condition and the derived columns, each a name and an expression, against the schema of the batches
    /// to come. Expressions see the columns of the schema, not each other.
    ///
    /// # Errors
    /// The first expression that is not SQL, names an unknown column, is not row-wise, mixes types that do not go
    /// together, or, for `where`, is not a condition; or a derived name that is taken. Without the feature `sql`, the
    /// first expression.
    pub fn new(
        where_sql: Option<&str>,
        derived: &[(&str, &str)],
        schema: &Schema,
    ) -> std::result::Result<Self, Refusal> {
        for (i, (name, expression)) in derived.iter().enumerate() {
            let taken =
                schema.column_with_name(name).is_some() || derived[..i].iter().any(|(n, _)| n == name);
            if taken {
                let reason = format!("there is a column `{name}` already: choose another name");
                return Err(refuse(Some(name), expression, reason));
            }
        }
        let program = match (where_sql, derived) {
            (None, []) => None,
            _ => Some(Program::new(where_sql, derived, schema)?),
        };
        let derived = program.as_ref().map_or_else(Vec::new, |p| p.derived().to_vec());
        let input_columns = program.as_ref().map_or_else(Vec::new, |p| p.input_columns().to_vec());
        let fields: Vec<FieldRef> = schema.fields().iter().chain(&derived).map(Arc::clone).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        Ok(Self { program, derived, input_columns, schema })
    }

    /// The columns that the expressions name, sorted.
    pub fn input_columns(&self) -> &[String] {
        &self.input_columns
    }

    /// The schema given with the derived columns behind it.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Evaluates the expressions on a batch with the schema given to [`Prepare::new`]; a batch that holds only some of
    /// its columns will do, if [`Prepare::input_columns`] are among them.
    ///
    /// # Errors
    /// Malformed, if a column is missing or has another type than the schema said.
    pub fn apply(&self, batch: &RecordBatch) -> Result<Prepared> {
        let Some(program) = &self.program else {
            return Ok(Prepared { batch: batch.clone(), kept: None, excluded: 0 });
        };
        let (condition, derived) = program.evaluate(batch)?;
        let kept = condition.as_ref().map(true_rows);
        let n_kept = kept.as_ref().map_or(batch.num_rows(), BooleanBuffer::count_set_bits);
        let kept = kept.filter(|_| n_kept < batch.num_rows());

        let columns: Vec<ArrayRef> = batch.columns().iter().chain(&derived).map(Arc::clone).collect();
        let columns = match &kept {
            None => columns,
            Some(kept) => filter(&columns, kept)?,
        };
        // The batch's own fields: it may hold as a dictionary what the schema calls text.
        let fields: Vec<FieldRef> =
            batch.schema_ref().fields().iter().chain(&self.derived).map(Arc::clone).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, batch.schema_ref().metadata().clone()));
        let options = RecordBatchOptions::new().with_row_count(Some(n_kept));
        let prepared = RecordBatch::try_new_with_options(schema, columns, &options).map_err(|error| {
            Error::malformed("a batch does not have the schema that the expressions were checked against")
                .with_source(error)
        })?;
        Ok(Prepared { batch: prepared, kept, excluded: (batch.num_rows() - n_kept) as u64 })
    }

    /// The same for a batch with marks of type errors; answers it and how many rows were excluded. Where a derived
    /// value is null and an input of it was a type error, it is one too.
    ///
    /// # Errors
    /// As for [`Prepare::apply`].
    pub fn apply_decoded(&self, decoded: DecodedBatch) -> Result<(DecodedBatch, u64)> {
        let prepared = self.apply(&decoded.batch)?;
        let mut type_errors: Vec<Option<BooleanBuffer>> = match &prepared.kept {
            None => decoded.type_errors,
            Some(kept) => {
                let predicate = predicate(kept);
                let mask = |m: Option<BooleanBuffer>| m.map(|m| filter_mask(&predicate, m)).transpose();
                decoded.type_errors.into_iter().map(mask).collect::<Result<_>>()?
            }
        };
        let first_derived = prepared.batch.num_columns() - self.derived.len();
        for (i, column) in prepared.batch.columns()[first_derived..].iter().enumerate() {
            let inputs = self.program.as_ref().map_or(&[][..], |p| p.inputs_of(i));
            let masks = inputs
                .iter()
                .filter_map(|name| type_errors[prepared.batch.schema_ref().index_of(name).ok()?].as_ref());
            let any_error = masks.cloned().reduce(|a, b| &a | &b);
            let errors = any_error.zip(column.logical_nulls()).map(|(mask, nulls)| &mask & &!nulls.inner());
            type_errors.push(errors.filter(|mask| mask.count_set_bits() > 0));
        }
        let DecodedBatch { bad_records, .. } = decoded;
        Ok((DecodedBatch { batch: prepared.batch, type_errors, bad_records }, prepared.excluded))
    }
}

/// The rows for which a condition is true: null is false (SEMANTICS S12).
fn true_rows(condition: &BooleanArray) -> BooleanBuffer {
    match condition.nulls().map(NullBuffer::inner) {
        None => condition.values().clone(),
        Some(valid) => condition.values() & valid,
    }
}

fn predicate(kept: &BooleanBuffer) -> FilterPredicate {
    FilterBuilder::new(&BooleanArray::new(kept.clone(), None)).optimize().build()
}

fn filter(columns: &[ArrayRef], kept: &BooleanBuffer) -> Result<Vec<ArrayRef>> {
    let predicate = predicate(kept);
    columns.iter().map(|column| predicate.filter(column).map_err(unfilterable)).collect()
}

/// A mask without the rows left out, and none if no bit is left.
fn filter_mask(predicate: &FilterPredicate, mask: BooleanBuffer) -> Result<BooleanBuffer> {
    let mask = predicate.filter(&BooleanArray::new(mask, None)).map_err(unfilterable)?;
    Ok(arrow_array::cast::AsArray::as_boolean(&mask).values().clone())
}

fn unfilterable(error: arrow_schema::ArrowError) -> Error {
    Error::malformed("a column of this type cannot be filtered: leave it out with `exclude:`")
        .with_source(error)
}

fn refuse(column: Option<&str>, expression: &str, reason: String) -> Refusal {
    Refusal {
        column: column.map(str::to_owned),
        expression: expression.to_owned(),
        position: None,
        reason,
        candidates: Vec::new(),
    }
}

/// Stands for polars in a build without it.
#[cfg(not(feature = "sql"))]
struct Program(std::convert::Infallible);

#[cfg(not(feature = "sql"))]
impl Program {
    fn new(
        where_sql: Option<&str>,
        derived: &[(&str, &str)],
        _: &Schema,
    ) -> std::result::Result<Self, Refusal> {
        let first =
            where_sql.map(|sql| (None, sql)).or(derived.first().map(|&(name, sql)| (Some(name), sql)));
        let (column, sql) = first.unwrap_or_default();
        let reason =
            "this build has no SQL: build with the feature `sql`, or leave out `where:` and derived columns";
        Err(refuse(column, sql, reason.to_owned()))
    }

    fn derived(&self) -> &[FieldRef] {
        match self.0 {}
    }

    fn input_columns(&self) -> &[String] {
        match self.0 {}
    }

    fn inputs_of(&self, _: usize) -> &[String] {
        match self.0 {}
    }

    fn evaluate(&self, _: &RecordBatch) -> Result<(Option<BooleanArray>, Vec<ArrayRef>)> {
        match self.0 {}
    }
}
