//! Columns of strings.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::StringBuilder;

use super::{Json, Value, Values};

/// A column of strings, whatever they hold; the empty string is a value.
pub(super) struct Strings(StringBuilder);

impl Strings {
    pub(super) fn new(rows: usize) -> Self {
        Self(StringBuilder::with_capacity(rows, rows * 8))
    }
}

impl Values for Strings {
    fn push_json(&mut self, value: Json<'_>) -> bool {
        match value {
            Json::Text(text) => self.push_text(text),
            _ => false,
        }
    }

    fn push_text(&mut self, text: &str) -> bool {
        self.0.append_value(text);
        true
    }

    fn push_value(&mut self, value: Value<'_>) -> bool {
        match value {
            Value::Text(text) => self.push_text(text),
            _ => false,
        }
    }

    fn push_null(&mut self) {
        self.0.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}
