//! Columns of float lists: embeddings.
//!
//! A list is a value as a whole: one item that is no number makes the list a type error, since a distance to half an
//! embedding means nothing. Null items stay null items.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{FixedSizeListBuilder, ListBuilder, PrimitiveBuilder};
use arrow_array::types::ArrowPrimitiveType;
use arrow_schema::FieldRef;

use super::scalar::FloatText;
use super::{Json, Values};

/// Lists of any length.
pub(super) struct Lists<T: ArrowPrimitiveType> {
    values: ListBuilder<PrimitiveBuilder<T>>,
    items: Vec<Option<T::Native>>,
}

/// Lists of one length; a longer or shorter one does not fit.
pub(super) struct FixedLists<T: ArrowPrimitiveType> {
    values: FixedSizeListBuilder<PrimitiveBuilder<T>>,
    items: Vec<Option<T::Native>>,
}

impl<T: ArrowPrimitiveType> Lists<T> {
    pub(super) fn new(item: &FieldRef) -> Self {
        let values = ListBuilder::new(PrimitiveBuilder::new()).with_field(Arc::clone(item));
        Self { values, items: Vec::new() }
    }
}

impl<T: ArrowPrimitiveType> FixedLists<T> {
    pub(super) fn new(item: &FieldRef, length: i32) -> Self {
        let values = FixedSizeListBuilder::new(PrimitiveBuilder::new(), length).with_field(Arc::clone(item));
        Self { values, items: Vec::new() }
    }
}

impl<T> Values for Lists<T>
where
    T: ArrowPrimitiveType,
    T::Native: FloatText,
{
    fn push_json(&mut self, value: Json<'_>) -> bool {
        matches!(value, Json::Array(text) if self.push_text(text))
    }

    fn push_text(&mut self, text: &str) -> bool {
        if parse(text, &mut self.items).is_none() {
            return false;
        }
        self.values.values().extend(self.items.iter().copied());
        self.values.append(true);
        true
    }

    fn push_null(&mut self) {
        self.values.append(false);
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.values.finish())
    }
}

impl<T> Values for FixedLists<T>
where
    T: ArrowPrimitiveType,
    T::Native: FloatText,
{
    fn push_json(&mut self, value: Json<'_>) -> bool {
        matches!(value, Json::Array(text) if self.push_text(text))
    }

    fn push_text(&mut self, text: &str) -> bool {
        let length = self.values.value_length() as usize;
        if parse(text, &mut self.items).is_none() || self.items.len() != length {
            return false;
        }
        self.values.values().extend(self.items.iter().copied());
        self.values.append(true);
        true
    }

    fn push_null(&mut self) {
        let length = self.values.value_length() as usize;
        self.values.values().append_nulls(length);
        self.values.append(false);
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.values.finish())
    }
}

/// Reads `[a, b, ...]` into `items`. Nothing but numbers and `null` survives, so splitting at commas is safe: a string
/// or a nested list leaves a piece that is no number.
fn parse<F: FloatText>(text: &str, items: &mut Vec<Option<F>>) -> Option<()> {
    items.clear();
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
    if inner.is_empty() {
        return Some(());
    }
    for item in inner.split(',') {
        let item = item.trim();
        items.push(if item == "null" { None } else { Some(F::of_text(item)?) });
    }
    Some(())
}
