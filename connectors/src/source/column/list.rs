//! Columns of float lists: embeddings.
//!
//! A list is a value as a whole: one item that is no number makes the list a type error, since a distance to half an
//! embedding means nothing. Null items stay null items. Besides arrays of numbers there is base64 of little-endian
//! float32, which is how embeddings are sent where size matters; formats with bytes send those as they are.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{FixedSizeListBuilder, ListBuilder, PrimitiveBuilder};
use arrow_array::types::ArrowPrimitiveType;
use arrow_schema::FieldRef;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::scalar::FloatText;
use super::{Json, Value, Values};

/// Lists of any length.
pub(super) struct Lists<T: ArrowPrimitiveType> {
    values: ListBuilder<PrimitiveBuilder<T>>,
    items: Items<T::Native>,
}

/// Lists of one length; a longer or shorter one does not fit.
pub(super) struct FixedLists<T: ArrowPrimitiveType> {
    values: FixedSizeListBuilder<PrimitiveBuilder<T>>,
    items: Items<T::Native>,
}

impl<T: ArrowPrimitiveType> Lists<T> {
    pub(super) fn new(item: &FieldRef) -> Self {
        let values = ListBuilder::new(PrimitiveBuilder::new()).with_field(Arc::clone(item));
        Self { values, items: Items { values: Vec::new(), bytes: Vec::new() } }
    }
}

impl<T: ArrowPrimitiveType> FixedLists<T> {
    pub(super) fn new(item: &FieldRef, length: i32) -> Self {
        let values = FixedSizeListBuilder::new(PrimitiveBuilder::new(), length).with_field(Arc::clone(item));
        Self { values, items: Items { values: Vec::new(), bytes: Vec::new() } }
    }
}

impl<T> Lists<T>
where
    T: ArrowPrimitiveType,
    T::Native: FloatText,
{
    fn push(&mut self, read: Option<()>) -> bool {
        if read.is_none() {
            return false;
        }
        self.values.values().extend(self.items.values.iter().copied());
        self.values.append(true);
        true
    }
}

impl<T> FixedLists<T>
where
    T: ArrowPrimitiveType,
    T::Native: FloatText,
{
    fn push(&mut self, read: Option<()>) -> bool {
        let length = self.values.value_length() as usize;
        if read.is_none() || self.items.values.len() != length {
            return false;
        }
        self.values.values().extend(self.items.values.iter().copied());
        self.values.append(true);
        true
    }
}

impl<T> Values for Lists<T>
where
    T: ArrowPrimitiveType,
    T::Native: FloatText,
{
    fn push_json(&mut self, value: Json<'_>) -> bool {
        let read = self.items.json(value);
        self.push(read)
    }

    fn push_text(&mut self, text: &str) -> bool {
        let read = self.items.text(text);
        self.push(read)
    }

    fn push_value(&mut self, value: Value<'_>) -> bool {
        let read = self.items.typed(value);
        self.push(read)
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
        let read = self.items.json(value);
        self.push(read)
    }

    fn push_text(&mut self, text: &str) -> bool {
        let read = self.items.text(text);
        self.push(read)
    }

    fn push_value(&mut self, value: Value<'_>) -> bool {
        let read = self.items.typed(value);
        self.push(read)
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

/// The items of the list at hand.
struct Items<F> {
    values: Vec<Option<F>>,
    bytes: Vec<u8>,
}

impl<F: FloatText> Items<F> {
    fn json(&mut self, value: Json<'_>) -> Option<()> {
        match value {
            Json::Array(text) => self.array(text),
            Json::Text(text) => self.base64(text),
            _ => None,
        }
    }

    fn text(&mut self, text: &str) -> Option<()> {
        let text = text.trim();
        if text.starts_with('[') { self.array(text) } else { self.base64(text) }
    }

    fn typed(&mut self, value: Value<'_>) -> Option<()> {
        self.values.clear();
        match value {
            Value::Floats(items) => self.values.extend(items.iter().map(|item| item.map(F::of_f64))),
            Value::Bytes(bytes) => Self::singles(&mut self.values, bytes)?,
            Value::Text(text) => self.base64(text)?,
            _ => return None,
        }
        Some(())
    }

    /// Reads `[a, b, ...]`. Nothing but numbers and `null` survives, so splitting at commas is safe: a string or a nested
    /// list leaves a piece that is no number.
    fn array(&mut self, text: &str) -> Option<()> {
        self.values.clear();
        let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
        if inner.is_empty() {
            return Some(());
        }
        for item in inner.split(',') {
            let item = item.trim();
            self.values.push(if item == "null" { None } else { Some(F::of_text(item)?) });
        }
        Some(())
    }

    fn base64(&mut self, text: &str) -> Option<()> {
        self.bytes.clear();
        BASE64.decode_vec(text, &mut self.bytes).ok()?;
        Self::singles(&mut self.values, &self.bytes)
    }

    fn singles(values: &mut Vec<Option<F>>, bytes: &[u8]) -> Option<()> {
        values.clear();
        let (singles, rest) = bytes.as_chunks::<4>();
        values.extend(singles.iter().map(|&single| Some(F::of_f64(f32::from_le_bytes(single).into()))));
        rest.is_empty().then_some(())
    }
}

/// Producers disagree about padding; the length says the same.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
