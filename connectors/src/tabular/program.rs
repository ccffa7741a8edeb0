//! Checked expressions, planned by polars once and evaluated batch by batch.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, FieldRef, Schema};
use polars::prelude as pl;
use polars::prelude::{DslPlan, Expr, FunctionExpr, IntoLazy, LiteralValue, StringFunction};
use polars::sql::SQLContext;

use super::cross::{arrow_type, crossing_type, to_arrow, to_polars};
use super::syntax::{Checked, Fault, check};
use super::{Refusal, refuse};
use crate::error::{Error, Result};

/// What is evaluated on each batch.
pub(super) struct Program {
    /// The columns that cross over, sorted by name, with the type as which they do.
    inputs: Vec<(String, DataType)>,
    input_columns: Vec<String>,
    condition: Option<Step>,
    derived: Vec<Step>,
    fields: Vec<FieldRef>,
}

/// One expression.
struct Step {
    /// Its name in error messages; `None` for the condition.
    column: Option<String>,
    source: String,
    expr: Expr,
    /// The type that polars gives, as arrow sees it.
    data_type: DataType,
    inputs: Vec<String>,
}

impl Program {
    pub(super) fn new(
        where_sql: Option<&str>,
        derived: &[(&str, &str)],
        schema: &Schema,
    ) -> std::result::Result<Self, Refusal> {
        let condition = where_sql.map(|sql| Step::new(None, sql, schema)).transpose()?;
        if let Some(step) = &condition
            && step.data_type != DataType::Boolean
        {
            let reason =
                format!("expected a condition, found a value of type `{}`: compare it", step.data_type);
            return Err(refuse(None, &step.source, reason));
        }
        let derived: Vec<Step> = derived
            .iter()
            .map(|(name, sql)| Step::new(Some(name), sql, schema))
            .collect::<std::result::Result<_, _>>()?;

        let names: BTreeSet<&String> =
            condition.iter().chain(&derived).flat_map(|step| &step.inputs).collect();
        let inputs = names.into_iter().filter_map(|name| {
            let field = schema.field_with_name(name).ok()?;
            Some((name.clone(), crossing_type(field.data_type())?))
        });
        let inputs: Vec<_> = inputs.collect();
        let input_columns = inputs.iter().map(|(name, _)| name.clone()).collect();
        let field = |step: &Step| {
            let name = step.column.as_deref().unwrap_or_default();
            Arc::new(Field::new(name, output_type(&step.data_type), true))
        };
        let fields = derived.iter().map(field).collect();
        Ok(Self { inputs, input_columns, condition, derived, fields })
    }

    pub(super) fn derived(&self) -> &[FieldRef] {
        &self.fields
    }

    pub(super) fn input_columns(&self) -> &[String] {
        &self.input_columns
    }

    /// The columns that a derived column reads.
    pub(super) fn inputs_of(&self, derived: usize) -> &[String] {
        &self.derived[derived].inputs
    }

    /// The condition and the derived columns, for every row of the batch.
    pub(super) fn evaluate(&self, batch: &RecordBatch) -> Result<(Option<BooleanArray>, Vec<ArrayRef>)> {
        let rows = batch.num_rows();
        let mut columns = Vec::with_capacity(self.inputs.len());
        for (name, to) in &self.inputs {
            let array = batch.column_by_name(name).ok_or_else(|| {
                Error::malformed(format!("no column `{name}`, which an expression needs: read it along"))
            })?;
            columns.push(to_polars(name, array, to)?.into());
        }
        let steps: Vec<&Step> = self.condition.iter().chain(&self.derived).collect();
        let results = run(rows, columns, &steps).map_err(|error| {
            let sources: Vec<_> = steps.iter().map(|step| format!("`{}`", step.source)).collect();
            Error::malformed(format!("cannot evaluate {}", sources.join(", "))).with_source(error)
        })?;

        let mut arrays = Vec::with_capacity(steps.len());
        for (step, series) in steps.iter().zip(&results) {
            let array = to_arrow(series, &step.data_type)?;
            let array = cast(&array, &output_type(&step.data_type)).map_err(|error| {
                Error::malformed(format!("cannot convert the values of `{}`", step.source)).with_source(error)
            })?;
            arrays.push(array);
        }
        let condition = self.condition.as_ref().map(|_| arrays.remove(0).as_boolean().clone());
        Ok((condition, arrays))
    }
}

impl Step {
    fn new(column: Option<&str>, sql: &str, schema: &Schema) -> std::result::Result<Self, Refusal> {
        let refuse_fault = |Fault { position, reason, candidates }: Fault| Refusal {
            position,
            candidates,
            ..refuse(column, sql, reason)
        };
        let Checked { sql: checked, columns } = check(sql, schema).map_err(refuse_fault)?;
        let mut frame = Vec::with_capacity(columns.len());
        for name in &columns {
            let field = schema.field_with_name(name).map_err(|e| refuse(column, sql, e.to_string()))?;
            let Some(to) = crossing_type(field.data_type()) else {
                let reason =
                    format!("column `{name}` has type `{}`, which SQL cannot use here", field.data_type());
                return Err(refuse(column, sql, reason));
            };
            let nulls = new_null_array(&to, 1);
            let series = to_polars(name, &nulls, &to).map_err(|e| refuse(column, sql, e.to_string()))?;
            frame.push(series.into());
        }

        let refuse_polars = |error: pl::PolarsError| refuse(column, sql, first_line(&error.to_string()));
        let mut expr = plan(&checked, frame.clone()).map_err(refuse_polars)?;
        admit(&mut expr).map_err(|what| {
            refuse(
                column,
                sql,
                format!("{what} looks at other rows: only expressions on one row are possible"),
            )
        })?;
        // One row of nulls shows what fails for all data, such as a comparison of text with numbers.
        let mut step = Self {
            column: column.map(str::to_owned),
            source: sql.to_owned(),
            expr,
            data_type: DataType::Null,
            inputs: columns.into_iter().collect(),
        };
        let result = run(1, frame, &[&step]).map_err(refuse_polars)?;
        let found = result[0].dtype();
        step.data_type = arrow_type(found).ok_or_else(|| {
            refuse(column, sql, format!("gives `{found}`, which is no column type here: cast it"))
        })?;
        Ok(step)
    }
}

/// The arrow type that is handed on: strings as `Utf8`.
fn output_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::LargeUtf8 => DataType::Utf8,
        other => other.clone(),
    }
}

/// The polars expression of a checked SQL expression, resolved against the types of the frame's columns.
fn plan(sql: &str, columns: Vec<pl::Column>) -> pl::PolarsResult<Expr> {
    let frame = pl::DataFrame::new(1, columns)?;
    let mut context = SQLContext::new();
    context.register("batch", frame.lazy());
    let planned = context.execute(&format!("SELECT ({sql}) AS derived FROM batch"))?;
    match planned.logical_plan {
        DslPlan::Select { mut expr, .. } if expr.len() == 1 => Ok(expr.remove(0)),
        _ => Err(pl::PolarsError::SQLInterface("expected an expression on one row".into())),
    }
}

/// Evaluates the steps on a frame of `rows` rows; each answer has as many.
fn run(rows: usize, columns: Vec<pl::Column>, steps: &[&Step]) -> pl::PolarsResult<Vec<pl::Series>> {
    let name = |i: usize| format!("\u{1}{i}");
    let exprs: Vec<Expr> =
        steps.iter().enumerate().map(|(i, step)| step.expr.clone().alias(name(i))).collect();
    let answer = pl::DataFrame::new(rows, columns)?.lazy().with_columns(exprs).collect()?;
    (0..steps.len()).map(|i| answer.column(&name(i)).map(|c| c.as_materialized_series().clone())).collect()
}

/// The second fence, behind the syntax: whatever polars made of the SQL must be of nodes that work on one row. On the
/// way parsing of times is made lenient: a text that does not fit the format is null.
fn admit(expr: &mut Expr) -> std::result::Result<(), String> {
    match expr {
        Expr::Column(_) | Expr::Literal(_) => Ok(()),
        Expr::Alias(inner, _) | Expr::Cast { expr: inner, .. } | Expr::KeepName(inner) => {
            admit(Arc::make_mut(inner))
        }
        Expr::BinaryExpr { left, right, .. } => {
            admit(Arc::make_mut(left))?;
            admit(Arc::make_mut(right))
        }
        Expr::Ternary { predicate, truthy, falsy } => {
            admit(Arc::make_mut(predicate))?;
            admit(Arc::make_mut(truthy))?;
            admit(Arc::make_mut(falsy))
        }
        Expr::Function { input, function } => {
            if let FunctionExpr::StringExpr(StringFunction::Strptime(_, options)) = function {
                options.strict = false;
            }
            input.iter_mut().try_for_each(admit)
        }
        // The list of `IN`.
        Expr::Agg(pl::AggExpr::Implode { input, .. })
            if matches!(&**input, Expr::Literal(LiteralValue::Series(_))) =>
        {
            Ok(())
        }
        other => Err(format!("`{other:?}`")),
    }
}

/// Polars' messages go on for lines about the query plan.
fn first_line(message: &str) -> String {
    let line = message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("cannot be planned");
    let mut characters = line.chars();
    let first: String = characters.next().into_iter().flat_map(char::to_lowercase).collect();
    (first + characters.as_str()).trim_end_matches('.').to_owned()
}
