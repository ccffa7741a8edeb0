//! The JSON Schemas of model and service files, for completion and checks in editors: written from the tables of keys.

use driftlead_engine::metric;
use serde_json::{Map, Value, json};

use super::keys;
use super::service;
use super::shape::{Key, Record, Shape};

/// What the schema of model files is called in itself.
pub const TITLE: &str = "driftlead model file";

/// The schema of model files, as the text of `docs/model.schema.json`.
#[must_use]
pub fn text() -> String {
    of(TITLE, &keys::MODEL)
}

/// The schema of service files, as the text of `docs/service.schema.json`.
#[must_use]
pub fn service() -> String {
    of("driftlead service file", &service::keys::SERVICE)
}

fn of(title: &str, root: &Record) -> String {
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
    });
    if let (Some(schema), Value::Object(record)) = (schema.as_object_mut(), record(root)) {
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
    match record.one_of {
        [] => {}
        [names] => schema["oneOf"] = either(names),
        several => {
            let all: Vec<Value> = several.iter().map(|names| json!({"oneOf": either(names)})).collect();
            schema["allOf"] = json!(all);
        }
    }
    schema
}

fn either(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"required": [name]})).collect()
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
        Shape::Separator => json!({"type": "string", "minLength": 1, "maxLength": 1}),
        Shape::Label => json!({"type": ["string", "number", "boolean"]}),
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Number => json!({"type": "number"}),
        Shape::Count(least) => json!({"type": "integer", "minimum": least}),
        Shape::Duration => json!({"type": "string", "pattern": "^([0-9]+(w|d|h|m|s|ms|us))+$"}),
        Shape::Size => json!({"type": "string", "pattern": "^[0-9]+(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$"}),
        Shape::Setting => json!({"type": ["string", "number", "boolean"]}),
        Shape::Secret => json!({"anyOf": [
            {"type": "string", "pattern": "\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}"},
            {
                "type": "object",
                "additionalProperties": false,
                "properties": {"file": {"type": "string", "minLength": 1}},
                "required": ["file"],
            },
        ]}),
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

    /// With `UPDATE_SCHEMA=1` in the environment the files are written anew instead.
    #[test]
    fn the_schemas_that_ship_are_current() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
        for (name, text) in [("model.schema.json", text()), ("service.schema.json", service())] {
            let path = format!("{folder}/{name}");
            if std::env::var_os("UPDATE_SCHEMA").is_some() {
                std::fs::write(&path, &text).expect(name);
            }
            let shipped = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(shipped == text, "docs/{name} is stale: run `UPDATE_SCHEMA=1 cargo test schema`");
        }
    }
}
