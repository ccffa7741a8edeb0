//! A column of vectors, whatever its form: lists of floats, little-endian bytes, or these as base64 text.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrowPrimitiveType, GenericListArray, OffsetSizeTrait};
use arrow_schema::DataType;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::{Error, ErrorKind, Result};

/// What a row holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    Null,
    /// A value that is no vector.
    Unreadable,
    /// A vector of so many numbers.
    Length(usize),
}

/// The vectors of a column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vectors<'a> {
    array: &'a dyn Array,
}

/// Whether columns of this type can hold vectors by their type alone: lists of floats.
pub(crate) fn is_vectors(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            item.data_type().is_floating()
        }
        _ => false,
    }
}

/// Whether columns of this type can hold vectors, if somebody says so: lists of floats, bytes, and base64 text.
#[must_use]
pub fn can_hold_vectors(data_type: &DataType) -> bool {
    use DataType as D;
    is_vectors(data_type)
        || matches!(
            data_type,
            D::Utf8 | D::LargeUtf8 | D::Utf8View | D::Binary | D::LargeBinary | D::FixedSizeBinary(_)
        )
}

/// Appends the vectors of `array`, `dim` numbers a row: NaN for all of them where a row is null, no vector, of another
/// length, or holds what is not finite.
///
/// # Errors
///
/// `Schema` if the column can hold no vectors.
pub fn append_vectors(array: &dyn Array, dim: usize, to: &mut Vec<f32>) -> Result<()> {
    let vectors = Vectors::of(array)?;
    for row in 0..array.len() {
        let start = to.len();
        to.resize(start + dim, f32::NAN);
        let own = &mut to[start..];
        if vectors.read(row, own) != Found::Length(dim) || own.iter().any(|x| !x.is_finite()) {
            own.fill(f32::NAN);
        }
    }
    Ok(())
}

impl<'a> Vectors<'a> {
    /// The vectors of `array`.
    ///
    /// # Errors
    ///
    /// `Schema` if the column can hold none.
    pub(crate) fn of(array: &'a dyn Array) -> Result<Self> {
        let found = array.data_type();
        if can_hold_vectors(found) {
            return Ok(Self { array });
        }
        Err(Error::new(
            ErrorKind::Schema,
            format!(
                "expected vectors (lists of floats, or little-endian float32 as bytes or base64 text), found type `{found}`"
            ),
        ))
    }

    /// The vector of `row`, where it lies if it can be read there, or else in `to`; nothing unless it has as many numbers as
    /// `to`.
    pub(crate) fn find<'b>(&'b self, row: usize, to: &'b mut [f32]) -> (Found, &'b [f32]) {
        if !self.array.is_null(row)
            && let Some((values, start, length)) = self.list(row)
            && length == to.len()
            && values.null_count() == 0
            && let Some(values) = values.as_primitive_opt::<Float32Type>()
        {
            return (Found::Length(length), &values.values()[start..start + length]);
        }
        match self.read(row, to) {
            found @ Found::Length(length) if length == to.len() => (found, to),
            found => (found, &[]),
        }
    }

    /// Where the list of `row` lies: what holds it, where it starts, how long it is.
    fn list(&self, row: usize) -> Option<(&dyn Array, usize, usize)> {
        fn between<T: OffsetSizeTrait>(list: &GenericListArray<T>, row: usize) -> (&dyn Array, usize, usize) {
            let [start, end] = [list.value_offsets()[row], list.value_offsets()[row + 1]].map(T::as_usize);
            (list.values(), start, end - start)
        }
        match self.array.data_type() {
            DataType::FixedSizeList(_, width) => {
                let list = self.array.as_fixed_size_list();
                Some((list.values(), list.value_offset_at(row), usize::try_from(*width).unwrap_or(0)))
            }
            DataType::List(_) => Some(between(self.array.as_list::<i32>(), row)),
            DataType::LargeList(_) => Some(between(self.array.as_list::<i64>(), row)),
            _ => None,
        }
    }

    /// Writes the vector of `row` to `to`; all of it only if it has as many numbers.
    pub(crate) fn read(&self, row: usize, to: &mut [f32]) -> Found {
        use DataType as D;
        let array = self.array;
        if array.is_null(row) {
            return Found::Null;
        }
        if let Some((values, start, length)) = self.list(row) {
            return numbers(values, start, length, to);
        }
        match array.data_type() {
            D::Utf8 => text(array.as_string::<i32>().value(row), to),
            D::LargeUtf8 => text(array.as_string::<i64>().value(row), to),
            D::Utf8View => text(array.as_string_view().value(row), to),
            D::Binary => bytes(array.as_binary::<i32>().value(row), to),
            D::LargeBinary => bytes(array.as_binary::<i64>().value(row), to),
            D::FixedSizeBinary(_) => bytes(array.as_fixed_size_binary().value(row), to),
            _ => Found::Unreadable,
        }
    }
}

/// A null within a vector is no number.
fn numbers(values: &dyn Array, start: usize, length: usize, to: &mut [f32]) -> Found {
    fn convert<T: ArrowPrimitiveType>(
        values: &dyn Array,
        start: usize,
        to: &mut [f32],
        number: impl Fn(T::Native) -> f32,
    ) {
        let from = &values.as_primitive::<T>().values()[start..start + to.len()];
        for (to, x) in to.iter_mut().zip(from) {
            *to = number(*x);
        }
    }
    if length != to.len() {
        return Found::Length(length);
    }
    match values.data_type() {
        DataType::Float32 => {
            to.copy_from_slice(&values.as_primitive::<Float32Type>().values()[start..start + length]);
        }
        #[expect(clippy::cast_possible_truncation, reason = "vectors are compared as float32")]
        DataType::Float64 => convert::<Float64Type>(values, start, to, |x| x as f32),
        _ => convert::<Float16Type>(values, start, to, f32::from),
    }
    if let Some(nulls) = values.nulls().filter(|nulls| nulls.null_count() > 0) {
        for (i, to) in to.iter_mut().enumerate() {
            if nulls.is_null(start + i) {
                *to = f32::NAN;
            }
        }
    }
    Found::Length(length)
}

fn text(text: &str, to: &mut [f32]) -> Found {
    match BASE64_STANDARD.decode(text) {
        Ok(decoded) => bytes(&decoded, to),
        Err(_) => Found::Unreadable,
    }
}

fn bytes(bytes: &[u8], to: &mut [f32]) -> Found {
    let (numbers, []) = bytes.as_chunks::<4>() else { return Found::Unreadable };
    if numbers.len() == to.len() {
        for (to, number) in to.iter_mut().zip(numbers) {
            *to = f32::from_le_bytes(*number);
        }
    }
    Found::Length(numbers.len())
}
