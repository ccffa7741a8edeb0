//! The JSON Schema of model files, for completion and checks in editors: written from the table in `keys.rs`.

use driftlead_engine::metric;
use serde_json::{Map, Value, json};

use super::keys;
use super::shape::{Key, Record, Shape};

/// What the schema is called in itself.
pub const TITLE: &str = "driftlead model file";

/// The schema as the text of `docs/model.schema.json`.
#[must_use]
pub fn text() -> String {
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": TITLE,
    });
    if let (Some(schema), Value::Object(record)) = (schema.as_object_mut(), record(&keys::MODEL)) {
        schema.extend(record);
    }
    // A value tree has no map with keys that are no strings.
    let text = serde_json::to_string_pretty(&schema).expect("every key is a string");
    text + "\n"
}

fn record(record: &Record) -> Value {
    let properties: Map<String, Value> =
        record.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<&str> = record.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = json!({"type": "object", "additionalProperties": false, "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = shape(key.shape);
    let default = if key.default.is_empty() { String::new() } else { format!(". Default: {}", key.default) };
    schema["description"] = json!(format!("{}{default}", key.doc));
    if !key.required {
        // `where:` with nothing behind it is as good as no `where`.
        schema = json!({"description": schema["description"].take(), "anyOf": [schema_without_description(schema), {"type": "null"}]});
    }
    schema
}

fn schema_without_description(mut schema: Value) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("description");
    }
    schema
}

fn shape(of: Shape) -> Value {
    match of {
        Shape::Text => json!({"type": "string", "minLength": 1}),
        Shape::Label => json!({"type": ["string", "number", "boolean"]}),
        Shape::Number => json!({"type": "number"}),
        Shape::Count(least) => json!({"type": "integer", "minimum": least}),
        Shape::Duration => json!({"type": "string", "pattern": "^([0-9]+(w|d|h|m|s|ms|us))+$"}),
        Shape::Quorum => json!({"type": "string", "pattern": "^[0-9]+ of [0-9]+$"}),
        Shape::Choice(words) => json!({"enum": words}),
        Shape::Metric => json!({"enum": metric::ALL.map(|metric| metric.name())}),
        Shape::List(item) => list(item),
        Shape::Several(item) => json!({"anyOf": [shape(*item), list(item)]}),
        Shape::Record(of) => record(of),
        Shape::Table(item) => json!({"type": "object", "additionalProperties": shape(*item)}),
        Shape::Segment => json!({
            "type": ["object", "null"],
            "minProperties": 1,
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        }),
        Shape::ShortOr(short, long) => json!({"anyOf": [shape(*short), record(long)]}),
    }
}

fn list(item: &Shape) -> Value {
    json!({"type": "array", "minItems": 1, "items": shape(*item)})
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With `UPDATE_SCHEMA=1` in the environment the file is written anew instead.
    #[test]
    fn the_schema_that_ships_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/model.schema.json");
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(path, text()).expect("docs/model.schema.json is written");
        }
        let shipped = std::fs::read_to_string(path).expect("docs/model.schema.json");
        assert!(
            shipped == text(),
            "docs/model.schema.json is stale: run `UPDATE_SCHEMA=1 cargo test schema`"
        );
    }
}
