//! Holds answers against `openapi.json`, more strictly than a client should: a key that is not described is an error.

use serde_json::Value;

use super::world::Reply;
use crate::http::operate::DOCUMENT;

/// The document.
pub(super) fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

/// Panics unless the answer's status is one that the document names for the request, with the type and body it says.
pub(super) fn check(method: &str, target: &str, reply: &Reply) {
    let document = document();
    let path = target.split('?').next().unwrap();
    let operation = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .find(|(template, _)| fits(template, path))
        .and_then(|(_, item)| item.get(method.to_ascii_lowercase()));
    let Some(operation) = operation else {
        // What the document does not have, the service does not do.
        assert!(matches!(reply.status, 403..=405), "{method} {target} is not described: {reply:?}");
        validate(
            &document,
            &serde_json::json!({"$ref": "#/components/schemas/Error"}),
            &reply.json(),
            "error",
        );
        return;
    };
    let response = &operation["responses"][reply.status.to_string()];
    assert!(!response.is_null(), "{method} {target}: status {} is not described: {reply:?}", reply.status);
    let response = resolve(&document, response);
    let kind = reply.header("content-type");
    let essence = kind.split(';').next().unwrap().trim();
    let media = &response["content"][essence];
    assert!(!media.is_null(), "{method} {target}: type {kind} is not described: {reply:?}");
    assert_eq!(
        (reply.header("cache-control"), reply.header("x-content-type-options")),
        ("no-store", "nosniff")
    );
    for name in response["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
        assert!(!reply.header(name).is_empty(), "{method} {target}: no header {name}: {reply:?}");
    }
    if essence == "application/json" {
        validate(&document, &media["schema"], &reply.json(), &format!("{method} {target}"));
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    let is_same = |(own, found): (&&str, &&str)| own.starts_with('{') && !found.is_empty() || own == found;
    template.len() == path.len() && template.iter().zip(&path).all(is_same)
}

/// What a `$ref` stands for.
pub(super) fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        None => value,
        Some(pointer) => {
            let found = document.pointer(pointer.trim_start_matches('#'));
            resolve(document, found.unwrap_or_else(|| panic!("{pointer} leads nowhere")))
        }
    }
}

/// Panics unless `value` is what `schema` says.
fn validate(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Err(wrong) = problem(document, schema, value, at) {
        panic!("{wrong}");
    }
}

/// What is wrong with `value`, of the keywords that the document uses.
pub(super) fn problem(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = resolve(document, schema);
    if let Some(choices) = schema.get("oneOf").and_then(Value::as_array)
        && choices.iter().all(|choice| choice.get("required").is_none())
    {
        let tried: Vec<String> =
            choices.iter().filter_map(|choice| problem(document, choice, value, at).err()).collect();
        if tried.len() + 1 != choices.len() {
            return Err(format!(
                "{at}: fits {} of {}: {tried:?}",
                choices.len() - tried.len(),
                choices.len()
            ));
        }
        return Ok(());
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(own) => vec![own],
        Value::Array(own) => own.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = |name: &&str| match *name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{at}: unknown type {other} in the document"),
    };
    if !types.is_empty() && !types.iter().any(is) {
        return Err(format!("{at}: expected {types:?}, found {value}"));
    }
    if schema.get("const").is_some_and(|own| own != value) {
        return Err(format!("{at}: expected {}, found {value}", schema["const"]));
    }
    if !value.is_null()
        && schema.get("enum").and_then(Value::as_array).is_some_and(|words| !words.contains(value))
    {
        return Err(format!("{at}: expected one of {}, found {value}", schema["enum"]));
    }
    if let Some(number) = value.as_f64() {
        let outside = |key: &str, is_outside: fn(f64, f64) -> bool| {
            schema[key].as_f64().is_some_and(|bound| is_outside(number, bound))
        };
        if outside("minimum", |x, bound| x < bound) || outside("maximum", |x, bound| x > bound) {
            return Err(format!("{at}: {number} is out of bounds"));
        }
    }
    if let Some(text) = value.as_str()
        && schema["format"] == "date-time"
        && !(text.len() == 27 && text.ends_with('Z') && text.parse::<crate::time::Timestamp>().is_ok())
    {
        return Err(format!("{at}: {text} is not a time in UTC with microseconds"));
    }
    if let Some(items) = value.as_array() {
        for (index, item) in items.iter().enumerate() {
            problem(document, &schema["items"], item, &format!("{at}[{index}]"))?;
        }
    }
    if let Some(object) = value.as_object() {
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(key) {
                return Err(format!("{at}: no `{key}` in {value}"));
            }
        }
        let is_any = schema.get("properties").is_none() && schema.get("additionalProperties").is_none();
        for (key, own) in object {
            let described = schema["properties"]
                .get(key)
                .or_else(|| schema.get("additionalProperties").filter(|own| own.is_object()));
            match described {
                Some(described) => problem(document, described, own, &format!("{at}.{key}"))?,
                None if is_any => {}
                None => return Err(format!("{at}: `{key}` is not described")),
            }
        }
    }
    Ok(())
}
