//! Columns as category names: each distinct name of a batch once, with the rows that hold it.
//!
//! Dictionary columns are grouped by key, so that a name is hashed once a batch and not once a row. A name is the text
//! of the value: `true`, `-7`, and floats without a fraction as integers, because pandas stores nullable integers as
//! floats (SEMANTICS S4).

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_schema::DataType;

use crate::accumulate::column::{Values, numeric_values};
use crate::accumulate::text::{Keys, Texts};
use crate::feature::{Family, HashIndex, Unit, ValueType, category_hash};
use crate::{Error, ErrorKind, Result};

/// The rows of a batch that hold one name.
pub(crate) enum NameRows<'a> {
    /// These rows.
    Listed(&'a [u32]),
    /// This row alone.
    One(usize),
}

impl NameRows<'_> {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Listed(rows) => rows.len() as u64,
            Self::One(_) => 1,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let (listed, one) = match self {
            Self::Listed(rows) => (*rows, None),
            Self::One(row) => (&[][..], Some(*row)),
        };
        listed.iter().map(|row| *row as usize).chain(one)
    }
}

/// Rows without a name.
#[derive(Debug, Default)]
pub(crate) struct Unnamed {
    pub(crate) nans: u64,
    pub(crate) nan_rows: Vec<usize>,
}

/// For each row of a column the number of its name, [`NO_NAME`] for null and NaN; and the names by number.
///
/// # Errors
///
/// `Schema` if the column's values have no names: nested ones, dates, times.
pub fn row_names(array: &dyn Array) -> Result<(Vec<u32>, Vec<String>)> {
    let family = ValueType::of(array.data_type())?.family;
    let mut numbers = vec![NO_NAME; array.len()];
    let mut names: Vec<String> = Vec::new();
    let mut number_of: HashIndex<u32> = HashIndex::default();
    for_each_name(array, family, |name, rows| {
        #[expect(clippy::cast_possible_truncation, reason = "a batch has fewer than 2^32 rows")]
        let number = *number_of.entry(category_hash(name)).or_insert_with(|| {
            names.push(name.to_owned());
            names.len() as u32 - 1
        });
        rows.iter().for_each(|row| numbers[row] = number);
    })?;
    Ok((numbers, names))
}

/// A row without a name.
pub const NO_NAME: u32 = u32::MAX;

/// Calls `f` with names and their rows until every row that has a name was seen once. A name may come more than once.
///
/// # Errors
///
/// `Schema` if the column's values are not of `family`.
pub(crate) fn for_each_name(
    array: &dyn Array,
    family: Family,
    mut f: impl FnMut(&str, NameRows<'_>),
) -> Result<Unnamed> {
    visit(array, family, &mut f)
}

fn visit(array: &dyn Array, family: Family, f: &mut dyn FnMut(&str, NameRows<'_>)) -> Result<Unnamed> {
    use DataType as D;
    let mut unnamed = Unnamed::default();
    match (array.data_type(), family) {
        (D::Utf8 | D::LargeUtf8 | D::Utf8View, Family::Text) => {
            if let Some(texts) = Texts::of(array) {
                each(texts, f);
            }
        }
        (D::Boolean, Family::Bool) => {
            let values = array.as_boolean();
            let (mut yes, mut no) = (Vec::new(), Vec::new());
            for row in (0..array.len()).filter(|row| array.is_valid(*row)) {
                #[expect(clippy::cast_possible_truncation, reason = "a batch has fewer than 2^32 rows")]
                if values.value(row) { yes.push(row as u32) } else { no.push(row as u32) }
            }
            // A name without rows would make a category that nobody has seen.
            for (name, rows) in
                [("true", &yes), ("false", &no)].into_iter().filter(|(_, rows)| !rows.is_empty())
            {
                f(name, NameRows::Listed(rows));
            }
        }
        (D::Dictionary(..), family) => {
            let values = array.as_any_dictionary().values();
            if ValuesFamily::of(values.data_type()) != Some(family) {
                return Err(wrong_family(array.data_type(), family));
            }
            let keys = rows_by_key(array, values.len());
            let inner = visit(values.as_ref(), family, &mut |name, entries| {
                for entry in entries.iter() {
                    if let Some(rows) = keys.get(entry).filter(|rows| !rows.is_empty()) {
                        f(name, NameRows::Listed(rows));
                    }
                }
            })?;
            for entry in inner.nan_rows {
                unnamed.nan_rows.extend(keys[entry].iter().map(|row| *row as usize));
            }
            unnamed.nans = unnamed.nan_rows.len() as u64;
        }
        (data_type, Family::Number) if ValuesFamily::of(data_type) == Some(Family::Number) => {
            numbers(array, &mut unnamed, f)?;
        }
        (data_type, family) => return Err(wrong_family(data_type, family)),
    }
    Ok(unnamed)
}

fn wrong_family(found: &DataType, expected: Family) -> Error {
    let found = ValueType::of(found).map_or_else(|_| found.to_string(), |known| known.to_string());
    Error::new(
        ErrorKind::Schema,
        format!(
            "type changed: the baseline holds `{}`, found `{found}`; convert the column or make a new baseline",
            expected.name()
        ),
    )
}

struct ValuesFamily;

impl ValuesFamily {
    fn of(data_type: &DataType) -> Option<Family> {
        ValueType::of(data_type).ok().map(|value_type| value_type.family)
    }
}

fn each(texts: Texts<'_>, f: &mut dyn FnMut(&str, NameRows<'_>)) {
    // Group by hash first where names repeat: columns of categories mostly do.
    let mut rows_of: HashIndex<Vec<u32>> = HashIndex::default();
    let mut order = Vec::new();
    texts.for_each(&mut |row, text| {
        let hash = category_hash(text);
        let rows = rows_of.entry(hash).or_default();
        if rows.is_empty() {
            order.push((hash, text));
        }
        #[expect(clippy::cast_possible_truncation, reason = "a batch has fewer than 2^32 rows")]
        rows.push(row as u32);
    });
    for (hash, name) in order {
        if let Some(rows) = rows_of.get(&hash) {
            f(name, NameRows::Listed(rows));
        }
    }
}

/// For each of a dictionary's entries, the rows that hold it.
fn rows_by_key(array: &dyn Array, n_entries: usize) -> Vec<Vec<u32>> {
    let mut rows_of = vec![Vec::new(); n_entries];
    if let Some(keys) = Keys::of(array) {
        #[expect(clippy::cast_possible_truncation, reason = "a batch has fewer than 2^32 rows")]
        keys.for_each(&mut |row, entry| rows_of[entry].push(row as u32));
    }
    rows_of
}

fn numbers(array: &dyn Array, unnamed: &mut Unnamed, f: &mut dyn FnMut(&str, NameRows<'_>)) -> Result<()> {
    let values = numeric_values(array)?;
    let unit = ValueType::of(array.data_type())?.unit;
    let integer = |row: usize| -> Option<i128> {
        match &values {
            Values::F32(x) => whole(f64::from(x[row])),
            Values::F64(x) => whole(x[row]),
            Values::I32(x) => Some(i128::from(x[row])),
            Values::I64(x) => Some(i128::from(x[row])),
            Values::I128(x) => Some(x[row]),
        }
    };
    let nan = |row: usize| match &values {
        Values::F32(x) => x[row].is_nan(),
        Values::F64(x) => x[row].is_nan(),
        _ => false,
    };
    let mut rows_of: std::collections::BTreeMap<i128, Vec<u32>> = std::collections::BTreeMap::new();
    for row in (0..array.len()).filter(|row| array.is_valid(*row)) {
        if nan(row) {
            unnamed.nans += 1;
            unnamed.nan_rows.push(row);
        } else if let Some(integer) = integer(row) {
            #[expect(clippy::cast_possible_truncation, reason = "a batch has fewer than 2^32 rows")]
            rows_of.entry(integer).or_default().push(row as u32);
        } else {
            let name = match &values {
                Values::F32(x) => x[row].to_string(),
                Values::F64(x) => x[row].to_string(),
                _ => continue,
            };
            f(&name, NameRows::One(row));
        }
    }
    for (integer, rows) in rows_of {
        f(&number_name(integer, unit), NameRows::Listed(&rows));
    }
    Ok(())
}

/// The name of `integer` steps of `unit`, without trailing zeros: 1.5 at every scale, as a float is written.
fn number_name(integer: i128, unit: Unit) -> String {
    if unit.denominator == 1 {
        return integer.checked_mul(unit.numerator).unwrap_or(integer).to_string();
    }
    let (sign, magnitude) = (if integer < 0 { "-" } else { "" }, integer.unsigned_abs());
    let denominator = unit.denominator.unsigned_abs();
    let (whole, fraction) = (magnitude / denominator, magnitude % denominator);
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let digits = denominator.ilog10() as usize;
    let fraction = format!("{fraction:0digits$}");
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

/// The integer that a float is, if it is one.
fn whole(x: f64) -> Option<i128> {
    #[expect(clippy::cast_possible_truncation, reason = "checked: an integer below 2^63")]
    (x.fract() == 0.0 && x.abs() < 9_223_372_036_854_775_808.0).then_some(x as i128)
}
