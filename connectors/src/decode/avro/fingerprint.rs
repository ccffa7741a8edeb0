//! Which schema a single-object datum was written by.
//!
//! The fingerprint is CRC-64-AVRO of the schema's Parsing Canonical Form. Source: Avro 1.12 specification, "Transforming
//! into Parsing Canonical Form", "Schema Fingerprints", "Single-object encoding".

use std::fmt::Write;

use serde_json::{Map, Value as Json};

use super::schema::{full_name, primitive};

/// The fingerprint of a schema's text.
///
/// # Errors
/// What is wrong, for a person.
pub(super) fn fingerprint(schema: &str) -> Result<u64, String> {
    let json: Json = serde_json::from_str(schema).map_err(|error| format!("expected JSON: {error}"))?;
    let mut canonical = String::new();
    write_type(&json, "", &mut canonical)?;
    Ok(canonical.bytes().fold(EMPTY, |hash, byte| (hash >> 8) ^ TABLE[usize::from(hash as u8 ^ byte)]))
}

fn write_type(json: &Json, namespace: &str, out: &mut String) -> Result<(), String> {
    match json {
        Json::String(name) if primitive(name).is_some() => write_string(name, out),
        Json::String(name) => write_string(&full_name(name, namespace), out),
        Json::Array(branches) => {
            write_list('[', ']', branches, out, |branch, out| write_type(branch, namespace, out))?
        }
        Json::Object(object) => write_object(object, namespace, out)?,
        other => return Err(format!("expected a type, found `{other}`")),
    }
    Ok(())
}

fn write_object(object: &Map<String, Json>, namespace: &str, out: &mut String) -> Result<(), String> {
    let kind = match object.get("type") {
        Some(Json::String(kind)) => kind.as_str(),
        Some(inner) => return write_type(inner, namespace, out),
        None => return Err("expected the key `type` in a type's declaration".to_owned()),
    };
    let part = |key: &str| object.get(key).ok_or_else(|| format!("expected the key `{key}` of a `{kind}`"));
    let list = |key: &str| part(key)?.as_array().ok_or_else(|| format!("expected a list as `{key}`"));
    let named = |out: &mut String| -> Result<String, String> {
        let name = object.get("name").and_then(Json::as_str).ok_or("expected the `name` of a named type")?;
        let outer = object.get("namespace").and_then(Json::as_str).unwrap_or(namespace);
        let full = full_name(name, outer);
        out.push_str("{\"name\":");
        write_string(&full, out);
        let _ = write!(out, ",\"type\":\"{kind}\"");
        Ok(full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned())
    };
    match kind {
        "record" | "error" => {
            let inner = named(out)?;
            out.push_str(",\"fields\":");
            write_list('[', ']', list("fields")?, out, |field, out| {
                let name =
                    field.get("name").and_then(Json::as_str).ok_or("expected the `name` of a field")?;
                out.push_str("{\"name\":");
                write_string(name, out);
                out.push_str(",\"type\":");
                let declared = field.get("type").ok_or("expected the `type` of a field")?;
                write_type(declared, &inner, out)?;
                out.push('}');
                Ok(())
            })?;
        }
        "enum" => {
            named(out)?;
            out.push_str(",\"symbols\":");
            write_list('[', ']', list("symbols")?, out, |symbol, out| {
                write_string(symbol.as_str().ok_or("expected an enum's `symbols` as strings")?, out);
                Ok(())
            })?;
        }
        "fixed" => {
            named(out)?;
            let size = part("size")?.as_u64().ok_or("expected a fixed's `size` as an integer")?;
            let _ = write!(out, ",\"size\":{size}");
        }
        "array" => {
            out.push_str("{\"type\":\"array\",\"items\":");
            write_type(part("items")?, namespace, out)?;
        }
        "map" => {
            out.push_str("{\"type\":\"map\",\"values\":");
            write_type(part("values")?, namespace, out)?;
        }
        _ => return write_type(&Json::String(kind.to_owned()), namespace, out),
    }
    out.push('}');
    Ok(())
}

fn write_list<T>(
    open: char,
    close: char,
    items: &[T],
    out: &mut String,
    mut write: impl FnMut(&T, &mut String) -> Result<(), String>,
) -> Result<(), String> {
    out.push(open);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(item, out)?;
    }
    out.push(close);
    Ok(())
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    out.push_str(text);
    out.push('"');
}

const EMPTY: u64 = 0xc15d_213a_a4d7_a795;

const TABLE: [u64; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut hash = at as u64;
        let mut bit = 0;
        while bit < 8 {
            hash = (hash >> 1) ^ (EMPTY & (hash & 1).wrapping_neg());
            bit += 1;
        }
        table[at] = hash;
        at += 1;
    }
    table
};
