//! The SQL that is accepted, checked on its syntax tree before polars sees it.
//!
//! Everything is refused that is not listed: a function added to polars later cannot slip in unexamined.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use arrow_schema::{DataType, Schema};
use sqlparser::ast::{
    CastKind, DataType as SqlType, Expr, Function, FunctionArguments, Ident, ObjectNamePart, Spanned, Value,
    ValueWithSpan, visit_expressions, visit_expressions_mut,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token};

use crate::suggest;

/// One expression, safe to hand to polars.
pub(super) struct Checked {
    /// The expression as polars is to read it: casts that do not fit give null, and floats have a decimal point.
    pub(super) sql: String,
    /// The columns it names.
    pub(super) columns: BTreeSet<String>,
}

/// What is wrong with an expression.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) position: Option<(u64, u64)>,
    pub(super) reason: String,
    pub(super) candidates: Vec<String>,
}

impl Fault {
    fn at(position: Location, reason: impl Into<String>) -> Self {
        let position = (position.line > 0).then_some((position.line, position.column));
        Self { position, reason: reason.into(), candidates: Vec::new() }
    }
}

/// Parses one expression and checks that it is row-wise and that its columns are known.
pub(super) fn check(sql: &str, schema: &Schema) -> Result<Checked, Fault> {
    let mut expression = parse(sql)?;
    let mut columns = BTreeSet::new();
    let checked = visit_expressions(&expression, |expr| match admit(expr, schema, &mut columns) {
        Ok(()) => ControlFlow::Continue(()),
        Err(fault) => ControlFlow::Break(fault),
    });
    if let ControlFlow::Break(fault) = checked {
        return Err(fault);
    }
    if columns.is_empty() {
        let reason = "names no column: leave it out, or compare a column with something";
        return Err(Fault { position: None, reason: reason.to_owned(), candidates: Vec::new() });
    }
    let _: ControlFlow<()> = visit_expressions_mut(&mut expression, |expr| {
        match expr {
            Expr::Cast { kind, .. } => *kind = CastKind::TryCast,
            Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) => point(digits),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    Ok(Checked { sql: expression.to_string(), columns })
}

fn parse(sql: &str) -> Result<Expr, Fault> {
    let broken = |error: ParserError| {
        let text = match error {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
            ParserError::RecursionLimitExceeded => "nests too deeply".to_owned(),
        };
        let (reason, position) = split_position(&text);
        Fault { position, reason: decapitalized(reason), candidates: Vec::new() }
    };
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(sql).map_err(broken)?;
    let expression = parser.parse_expr().map_err(broken)?;
    let next = parser.peek_token();
    match next.token {
        Token::EOF => Ok(expression),
        token => {
            let reason = format!("expected the end of the expression, found `{token}`");
            Err(Fault::at(next.span.start, reason))
        }
    }
}

/// Whether one node of the tree may stand here; the visitor brings all of them.
fn admit(expr: &Expr, schema: &Schema, columns: &mut BTreeSet<String>) -> Result<(), Fault> {
    let start = expr.span().start;
    match expr {
        Expr::Identifier(ident) => column(ident, schema).map(|name| {
            columns.insert(name);
        }),
        Expr::CompoundIdentifier(parts) => {
            let name: Vec<_> = parts.iter().map(|p| p.value.as_str()).collect();
            let reason =
                format!("a column whose name has a dot stands in double quotes: `\"{}\"`", name.join("."));
            Err(Fault::at(start, reason))
        }
        Expr::Function(call) => function(call),
        Expr::Cast { expr, data_type, .. } => cast(expr, data_type, schema),
        Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) => {
            number(digits).map_err(|reason| Fault::at(start, reason))
        }
        Expr::Value(_)
        | Expr::TypedString(_)
        | Expr::Interval(_)
        | Expr::Nested(_)
        | Expr::BinaryOp { .. }
        | Expr::UnaryOp { .. }
        | Expr::Between { .. }
        | Expr::InList { .. }
        | Expr::Like { .. }
        | Expr::ILike { .. }
        | Expr::RLike { .. }
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::Case { .. }
        | Expr::Extract { .. }
        | Expr::Ceil { .. }
        | Expr::Floor { .. }
        | Expr::Position { .. }
        | Expr::Substring { .. }
        | Expr::Trim { .. } => Ok(()),
        Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
            Err(Fault::at(start, "a subquery looks at other rows: only expressions on one row are possible"))
        }
        other => Err(Fault::at(
            start,
            format!(
                "`{other}` is not possible here: use comparisons, arithmetic, CASE, IN, \
             BETWEEN, LIKE, CAST or functions on one row"
            ),
        )),
    }
}

fn column(ident: &Ident, schema: &Schema) -> Result<String, Fault> {
    let name = &ident.value;
    if schema.column_with_name(name).is_some() {
        return Ok(name.clone());
    }
    let names = || schema.fields().iter().map(|field| field.name().as_str());
    let candidates = suggest::candidates(name, names());
    let advice = suggest::phrase(&candidates, names());
    let quotes = if ident.quote_style == Some('"') { " (text stands in single quotes)" } else { "" };
    let reason = format!("no column `{name}`{quotes}: {advice}");
    Err(Fault { candidates, ..Fault::at(ident.span.start, reason) })
}

fn function(call: &Function) -> Result<(), Fault> {
    let start = match call.name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => ident.span.start,
        _ => call.name.span().start,
    };
    let name = call.name.to_string().to_lowercase();
    if call.over.is_some() {
        let reason =
            format!("`{name} ... OVER` looks at other rows: only expressions on one row are possible");
        return Err(Fault::at(start, reason));
    }
    if ROW_WISE.contains(&name.as_str()) {
        let plain = call.filter.is_none()
            && call.null_treatment.is_none()
            && call.within_group.is_empty()
            && matches!(&call.args, FunctionArguments::List(list)
                if list.clauses.is_empty() && list.duplicate_treatment.is_none());
        let reason = format!("`{name}` takes plain arguments in parentheses");
        return if plain { Ok(()) } else { Err(Fault::at(start, reason)) };
    }
    if OTHER_ROWS.contains(&name.as_str()) {
        let reason = format!("`{name}` looks at other rows: only expressions on one row are possible");
        return Err(Fault::at(start, reason));
    }
    if TIME_FROM_TEXT.contains(&name.as_str()) {
        return Err(Fault::at(start, guesses_format(&name)));
    }
    let candidates = suggest::candidates(&name, ROW_WISE.iter().copied());
    let advice = suggest::phrase(&candidates, ROW_WISE.iter().copied());
    Err(Fault { candidates, ..Fault::at(start, format!("no function `{name}`: {advice}")) })
}

/// Whether a number is one that polars holds: a 64-bit integer, or with a point or an exponent a finite float.
fn number(digits: &str) -> Result<(), String> {
    if digits.contains(['.', 'e', 'E']) {
        let fits = digits.parse().is_ok_and(f64::is_finite);
        let reason = || format!("`{digits}` is beyond the largest 64-bit float, about 1.8e308");
        return if fits { Ok(()) } else { Err(reason()) };
    }
    let reason = |_| {
        format!(
            "`{digits}` is beyond the largest 64-bit integer, 9223372036854775807: write `{digits}.0` to use the float \
             that is nearest"
        )
    };
    digits.parse::<i64>().map(drop).map_err(reason)
}

/// `1e9` -> `1.0e9`: for polars a number is a float if it has a decimal point, and else must be digits alone.
fn point(digits: &mut String) {
    if let Some(exponent) = digits.find(['e', 'E']).filter(|_| !digits.contains('.')) {
        digits.insert_str(exponent, ".0");
    }
}

/// Polars guesses the format of a date from the first text it meets, so the answer would depend on the batch.
fn cast(inner: &Expr, to: &SqlType, schema: &Schema) -> Result<(), Fault> {
    let temporal = |t: &SqlType| {
        matches!(t, SqlType::Date | SqlType::Timestamp(..) | SqlType::Datetime(_) | SqlType::Time(..))
    };
    let safe = match inner {
        Expr::Value(_) | Expr::TypedString(_) => true,
        Expr::Cast { data_type, .. } => temporal(data_type),
        Expr::Function(call) => call.name.to_string().eq_ignore_ascii_case("strptime"),
        Expr::Identifier(ident) => {
            schema.field_with_name(&ident.value).map_or(true, |field| !is_text(field.data_type()))
        }
        Expr::Nested(inner) => return cast(inner, to, schema),
        _ => false,
    };
    if !temporal(to) || safe { Ok(()) } else { Err(Fault::at(inner.span().start, guesses_format("a cast"))) }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

fn guesses_format(what: &str) -> String {
    format!(
        "{what} guesses the format of a time from the first row: say `STRPTIME(column, '%Y-%m-%d %H:%M:%S')`"
    )
}

/// `text at Line: 1, Column: 7` in two.
fn split_position(text: &str) -> (&str, Option<(u64, u64)>) {
    let split = || {
        let (reason, position) = text.rsplit_once(" at Line: ")?;
        let (line, column) = position.split_once(", Column: ")?;
        Some((reason, (line.parse().ok()?, column.parse().ok()?)))
    };
    split().map_or((text, None), |(reason, position)| (reason, Some(position)))
}

fn decapitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first: String = characters.next().into_iter().flat_map(char::to_lowercase).collect();
    first + characters.as_str()
}

/// Functions whose value for a row depends on that row alone. Without LPAD and RPAD: a length taken from a column of
/// large numbers would fill the memory.
pub(super) const ROW_WISE: &[&str] = &[
    "abs",
    "acos",
    "acosd",
    "asin",
    "asind",
    "atan",
    "atan2",
    "atan2d",
    "atand",
    "bit_length",
    "cbrt",
    "ceil",
    "ceiling",
    "char_length",
    "character_length",
    "coalesce",
    "concat",
    "concat_ws",
    "cos",
    "cosd",
    "cot",
    "cotd",
    "date_part",
    "degrees",
    "div",
    "ends_with",
    "exp",
    "floor",
    "greatest",
    "if",
    "ifnull",
    "least",
    "left",
    "length",
    "ln",
    "log",
    "log10",
    "log1p",
    "log2",
    "lower",
    "ltrim",
    "mod",
    "nullif",
    "octet_length",
    "pow",
    "power",
    "radians",
    "regexp_like",
    "replace",
    "reverse",
    "right",
    "round",
    "rtrim",
    "sign",
    "sin",
    "sind",
    "split_part",
    "sqrt",
    "starts_with",
    "strftime",
    "strpos",
    "strptime",
    "substr",
    "tan",
    "tand",
    "trunc",
    "truncate",
    "upper",
];

/// Functions that look at other rows.
const OTHER_ROWS: &[&str] = &[
    "any_value",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar",
    "covar_pop",
    "covar_samp",
    "cume_dist",
    "dense_rank",
    "every",
    "first",
    "first_value",
    "group_concat",
    "lag",
    "last",
    "last_value",
    "lead",
    "listagg",
    "max",
    "mean",
    "median",
    "min",
    "mode",
    "ntile",
    "percent_rank",
    "percentile_cont",
    "quantile_cont",
    "quantile_disc",
    "rank",
    "row_number",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "stdev",
    "stdev_samp",
    "string_agg",
    "sum",
    "total",
    "unnest",
    "var",
    "var_pop",
    "var_samp",
    "variance",
];

/// Functions that turn text into times without being told how it is written.
const TIME_FROM_TEXT: &[&str] = &["date", "datetime", "time", "timestamp"];

#[cfg(test)]
mod tests {
    use arrow_schema::Field;

    use super::*;

    #[test]
    fn numbers_reach_polars_as_it_reads_them() {
        let schema = Schema::new(vec![Field::new("x", DataType::Float64, true)]);
        let read = |sql: &str| check(sql, &schema).map(|checked| checked.sql).map_err(|fault| fault.reason);
        for (written, handed_on) in [
            ("x < 1e9", "x < 1.0e9"),
            ("x < 1E-9", "x < 1.0E-9"),
            ("x < -2e+3", "x < -2.0e+3"),
            ("x < 1.5e3", "x < 1.5e3"),
            ("x < 1.e3", "x < 1.e3"),
            ("x < .5e3", "x < .5e3"),
            ("x IN (1e1, 10, 1.5)", "x IN (1.0e1, 10, 1.5)"),
            ("x = 9223372036854775807", "x = 9223372036854775807"),
            ("x = 9223372036854775808.0", "x = 9223372036854775808.0"),
        ] {
            let sql = read(written).expect(written);
            assert_eq!(sql, handed_on);
            assert_eq!(read(&sql).as_deref(), Ok(handed_on), "read again it is the same");
        }
        for beyond in ["x = 9223372036854775808", "x < 1e309", "x < -1e309"] {
            let fault = check(beyond, &schema).err().expect(beyond);
            assert!(fault.reason.contains(" is beyond the largest 64-bit "), "{fault:?}");
            assert_eq!(
                fault.position,
                Some((1, beyond.find(|c: char| c.is_ascii_digit()).expect("a number") as u64 + 1))
            );
        }
    }
}
