//! One schema for a set of files (SEMANTICS S4).
//!
//! Files of one set are written by different runs, and pandas writes a column of integers as floats in the month in
//! which one is missing. Widths, units, scales and encodings of one logical type may therefore differ between files; the
//! data set's schema names a type that holds them all, and batches keep each file's own. Another logical type, or a
//! column that only some files have, is an error.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use crate::error::{Error, Result};
use crate::location::Partition;

/// Where a column of the data set comes from in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A column of the file.
    Column(usize),
    /// A folder of its path.
    Partition(usize),
}

/// Columns and types of the files so far.
#[derive(Debug)]
pub(super) struct Union {
    first: String,
    fields: Vec<Field>,
    /// For each field the file whose type it has, for messages.
    typed_by: Vec<String>,
    wanted: Option<Vec<String>>,
}

impl Union {
    /// The schema of the first file. With `wanted`, only these columns exist, in that order.
    ///
    /// # Errors
    /// Misconfigured, if the file lacks a wanted column.
    pub(super) fn new(
        name: &str,
        schema: &Schema,
        partitions: &[Partition],
        wanted: Option<&[String]>,
    ) -> Result<(Self, Vec<Origin>)> {
        let (mut fields, mut origins) = columns_of(schema, partitions);
        if let Some(wanted) = wanted {
            let mut places = Vec::new();
            for column in wanted {
                let place = fields.iter().position(|field| field.name() == column);
                places.push(place.ok_or_else(|| {
                    let has: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
                    Error::misconfigured(format!(
                        "`{name}` has no column `{column}`: it has {}",
                        listed(&has)
                    ))
                })?);
            }
            fields = places.iter().map(|place| fields[*place].clone()).collect();
            origins = places.iter().map(|place| origins[*place]).collect();
        }
        let typed_by = vec![name.to_owned(); fields.len()];
        Ok((
            Self { first: name.to_owned(), fields, typed_by, wanted: wanted.map(<[String]>::to_vec) },
            origins,
        ))
    }

    /// Adds a file; says where each column of the data set comes from in it.
    ///
    /// # Errors
    /// Malformed, naming both files, if a column is missing, unexpected or of another logical type.
    pub(super) fn add(
        &mut self,
        name: &str,
        schema: &Schema,
        partitions: &[Partition],
    ) -> Result<Vec<Origin>> {
        let (fields, origins) = columns_of(schema, partitions);
        let mut found = Vec::with_capacity(self.fields.len());
        for (index, field) in self.fields.iter_mut().enumerate() {
            let Some(place) = fields.iter().position(|other| other.name() == field.name()) else {
                return Err(missing(field.name(), &self.first, name));
            };
            let other = fields[place].data_type();
            let Some(common) = unify(field.data_type(), other) else {
                return Err(Error::malformed(format!(
                    "column `{}` is {} in `{}` and {} in `{name}`: files of one set must agree; convert one of them, or \
                     check them apart",
                    field.name(),
                    shown(field.data_type()),
                    self.typed_by[index],
                    shown(other)
                )));
            };
            if common != *field.data_type() {
                if common == *other {
                    self.typed_by[index] = name.to_owned();
                }
                field.set_data_type(common);
            }
            found.push(origins[place]);
        }
        if self.wanted.is_none()
            && let Some(extra) =
                fields.iter().find(|field| self.fields.iter().all(|known| known.name() != field.name()))
        {
            return Err(missing(extra.name(), name, &self.first));
        }
        Ok(found)
    }

    pub(super) fn into_schema(self) -> SchemaRef {
        Arc::new(Schema::new(self.fields))
    }
}

fn missing(column: &str, has: &str, lacks: &str) -> Error {
    Error::malformed(format!(
        "`{lacks}` has no column `{column}`, which `{has}` has: files of one set must have the same columns; name only the \
         files that do, or leave the column out"
    ))
}

/// A file's own columns, then its partitions; a column that is both is taken from the file, which knows its type.
fn columns_of(schema: &Schema, partitions: &[Partition]) -> (Vec<Field>, Vec<Origin>) {
    let mut fields: Vec<Field> = Vec::new();
    let mut origins = Vec::new();
    for (index, field) in schema.fields().iter().enumerate() {
        fields.push(Field::new(field.name(), field.data_type().clone(), true));
        origins.push(Origin::Column(index));
    }
    for (index, partition) in partitions.iter().enumerate() {
        if schema.column_with_name(&partition.key).is_none() {
            fields.push(Field::new(&partition.key, DataType::Utf8, true));
            origins.push(Origin::Partition(index));
        }
    }
    (fields, origins)
}

/// A type that holds the values of both exactly, if they are of one logical type; int and float are one (a float column
/// may be integers with a gap), and a column that is null throughout fits all.
fn unify(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType as T;
    if a == b {
        return Some(a.clone());
    }
    Some(match (a, b) {
        (T::Null, other) | (other, T::Null) => other.clone(),
        (a, b) if a.is_integer() && b.is_integer() => wider_integer(a, b),
        (a, b) if a.is_floating() && b.is_floating() => {
            if *a == T::Float64 || *b == T::Float64 {
                T::Float64
            } else {
                T::Float32
            }
        }
        (a, b) if (a.is_integer() && b.is_floating()) || (a.is_floating() && b.is_integer()) => T::Float64,
        (a, b) if is_exact(a) && is_exact(b) => wider_decimal(a, b)?,
        (T::Timestamp(x, zone), T::Timestamp(y, other)) => {
            T::Timestamp(finer(*x, *y), zone.clone().or_else(|| other.clone()))
        }
        (T::Date32 | T::Date64, T::Date32 | T::Date64) => T::Date64,
        (T::Time32(x) | T::Time64(x), T::Time32(y) | T::Time64(y)) => match finer(*x, *y) {
            unit @ (TimeUnit::Second | TimeUnit::Millisecond) => T::Time32(unit),
            unit => T::Time64(unit),
        },
        (T::Duration(x), T::Duration(y)) => T::Duration(finer(*x, *y)),
        (T::Binary | T::FixedSizeBinary(_), T::Binary | T::FixedSizeBinary(_)) => T::Binary,
        (x, y) => match (element(x), element(y)) {
            (Some(x), Some(y)) => T::List(Arc::new(Field::new_list_field(unify(x, y)?, true))),
            // What is inside structs and maps is no feature: files may differ there.
            _ => match (x, y) {
                (T::Struct(_), T::Struct(_)) => T::Struct(Fields::empty()),
                (T::Map(..), T::Map(..)) => x.clone(),
                _ => return None,
            },
        },
    })
}

fn wider_integer(a: &DataType, b: &DataType) -> DataType {
    use DataType as T;
    let width = |t: &T| t.primitive_width().unwrap_or(8);
    let signed = a.is_signed_integer() || b.is_signed_integer();
    let unsigned = [a, b].into_iter().filter(|t| t.is_unsigned_integer()).map(width).max();
    let width = width(a).max(width(b));
    match (signed, unsigned) {
        (false, _) => match width {
            1 => T::UInt8,
            2 => T::UInt16,
            4 => T::UInt32,
            _ => T::UInt64,
        },
        // No integer type holds both.
        (true, Some(8)) => T::Decimal128(20, 0),
        // Signed needs the next width to hold the unsigned one.
        (true, unsigned) => match width.max(unsigned.map_or(0, |bytes| bytes * 2)) {
            1 => T::Int8,
            2 => T::Int16,
            4 => T::Int32,
            _ => T::Int64,
        },
    }
}

fn is_exact(data_type: &DataType) -> bool {
    data_type.is_integer() || data_type.is_decimal()
}

fn wider_decimal(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType as T;
    let digits = |t: &T| match t {
        T::Decimal32(p, s) | T::Decimal64(p, s) | T::Decimal128(p, s) | T::Decimal256(p, s) => Some((*p, *s)),
        _ => Some((20, 0)),
    };
    let ((p, s), (q, r)) = (digits(a)?, digits(b)?);
    let scale = s.max(r);
    let whole = (i16::from(p) - i16::from(s)).max(i16::from(q) - i16::from(r));
    let precision = u8::try_from(whole + i16::from(scale)).ok()?;
    match precision {
        0..=38 => Some(T::Decimal128(precision, scale)),
        39..=76 => Some(T::Decimal256(precision, scale)),
        _ => None,
    }
}

fn finer(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    a.max(b)
}

fn element(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _) => Some(field.data_type()),
        _ => None,
    }
}

/// A type in the words of a message: strings are `string`, whatever their encoding.
fn shown(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "`string`".to_owned(),
        DataType::Struct(_) => "`struct`".to_owned(),
        other => format!("`{other}`"),
    }
}

fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 20;
    let mut text: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    if names.len() > SHOWN {
        text.push(format!("and {} more", names.len() - SHOWN));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use DataType as T;

    #[test]
    fn widths_of_one_logical_type_unify() {
        assert_eq!(unify(&T::Int32, &T::Int64), Some(T::Int64));
        assert_eq!(unify(&T::UInt32, &T::Int32), Some(T::Int64));
        assert_eq!(unify(&T::UInt8, &T::Int8), Some(T::Int16));
        assert_eq!(unify(&T::UInt64, &T::Int8), Some(T::Decimal128(20, 0)));
        assert_eq!(unify(&T::Float32, &T::Float16), Some(T::Float32));
        assert_eq!(unify(&T::Int64, &T::Float64), Some(T::Float64));
        assert_eq!(unify(&T::Null, &T::Boolean), Some(T::Boolean));
        assert_eq!(unify(&T::Decimal128(10, 2), &T::Decimal128(8, 4)), Some(T::Decimal128(12, 4)));
        let utc = Some("UTC".into());
        assert_eq!(
            unify(
                &T::Timestamp(TimeUnit::Millisecond, None),
                &T::Timestamp(TimeUnit::Nanosecond, utc.clone())
            ),
            Some(T::Timestamp(TimeUnit::Nanosecond, utc))
        );
    }

    #[test]
    fn other_logical_types_do_not() {
        for (a, b) in [
            (T::Utf8, T::Int64),
            (T::Boolean, T::Int8),
            (T::Date32, T::Timestamp(TimeUnit::Second, None)),
            (T::Decimal128(10, 2), T::Float64),
            (T::Utf8, T::Binary),
        ] {
            assert_eq!(unify(&a, &b), None, "{a} {b}");
            assert_eq!(unify(&b, &a), None, "{b} {a}");
        }
    }

    #[test]
    fn embeddings_unify_by_element() {
        let list = |t: T| T::List(Arc::new(Field::new_list_field(t, true)));
        let fixed = T::FixedSizeList(Arc::new(Field::new_list_field(T::Float32, false)), 8);
        assert_eq!(unify(&fixed, &list(T::Float64)), Some(list(T::Float64)));
        assert_eq!(unify(&fixed, &T::Float32), None);
    }
}
