//! Ids that a replay computes again: SEMANTICS S20.
//!
//! An id is the first 32 hexadecimal digits of SHA-256 over the compact JSON array of its fields (RFC 8259: UTF-8,
//! no spaces, the short escapes where they exist, other control characters as `\u00xx` in lower case, nothing else
//! escaped). Any language with a JSON writer can compute it; Python's is
//! `json.dumps(fields, separators=(",", ":"), ensure_ascii=False)`.
//!
//! No threshold and no revision enters an id: the same window of the same model keeps its id whatever is decided
//! about it, and however often.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// One field of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// A JSON string.
    Str(&'a str),
    /// A JSON number without fraction.
    Int(i64),
    /// `null`.
    Null,
}

impl<'a> From<Option<&'a str>> for Field<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Str)
    }
}

/// Which rows a verdict speaks of, within its model and segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent<'a> {
    /// Event time `[start, end)` in microseconds since 1970-01-01T00:00:00Z.
    Time {
        /// The first microsecond.
        start: i64,
        /// The first microsecond after.
        end: i64,
    },
    /// A batch without a time column: the hash of the window's state.
    State(&'a str),
    /// A count window: its ordinal in the source, from 0.
    Ordinal(u64),
}

/// The hash of a list of fields: 32 lower-case hexadecimal digits.
#[must_use]
pub fn hash(fields: &[Field<'_>]) -> String {
    let digest = Sha256::digest(json(fields).as_bytes());
    digest.iter().take(16).fold(String::with_capacity(32), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The id of the verdict on one window of one segment.
///
/// `baseline` is the baseline's id, or the id of the grid for a moving baseline; `segment` is `None` for the whole,
/// else the text of [`segment`]. An [`Extent::Time`] gives two fields, start and end; any other one field.
#[must_use]
pub fn verdict_id(
    model: &str,
    version: &str,
    baseline: &str,
    window: &str,
    segment: Option<&str>,
    extent: Extent<'_>,
) -> String {
    let mut fields = vec![
        Field::Str(model),
        Field::Str(version),
        Field::Str(baseline),
        Field::Str(window),
        Field::from(segment),
    ];
    let ordinal;
    match extent {
        Extent::Time { start, end } => fields.extend([Field::Int(start), Field::Int(end)]),
        Extent::State(state) => fields.push(Field::Str(state)),
        Extent::Ordinal(n) => match i64::try_from(n) {
            Ok(n) => fields.push(Field::Int(n)),
            Err(_) => {
                ordinal = n.to_string();
                fields.push(Field::Str(&ordinal));
            }
        },
    }
    hash(&fields)
}

/// The id of the alert that the verdict `opening` opened.
#[must_use]
pub fn alert_id(model: &str, version: &str, window: &str, segment: Option<&str>, opening: &str) -> String {
    hash(&[
        Field::Str(model),
        Field::Str(version),
        Field::Str(window),
        Field::from(segment),
        Field::Str(opening),
    ])
}

/// The key by which one sink knows one revision of a verdict or an alert again.
#[must_use]
pub fn delivery_key(id: &str, revision: u64, sink: &str) -> String {
    format!("{id}:{revision}:{sink}")
}

/// The text by which a segment is named in rules, reports and ids: a compact JSON object in the order of the split's
/// columns, such as `{"origin":"ATL"}`; a null value is `{"origin":null}` (SEMANTICS S18).
#[must_use]
pub fn segment(columns: &[(&str, Option<&str>)]) -> String {
    let mut text = String::from("{");
    for (i, (column, value)) in columns.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        push_string(&mut text, column);
        text.push(':');
        push_field(&mut text, Field::from(*value));
    }
    text.push('}');
    text
}

fn json(fields: &[Field<'_>]) -> String {
    let mut text = String::from("[");
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        push_field(&mut text, *field);
    }
    text.push(']');
    text
}

fn push_field(text: &mut String, field: Field<'_>) {
    match field {
        Field::Str(value) => push_string(text, value),
        Field::Int(value) => {
            let _ = write!(text, "{value}");
        }
        Field::Null => text.push_str("null"),
    }
}

fn push_string(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oracle() -> serde_json::Value {
        let answers = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/oracle/policy.json"));
        serde_json::from_str(answers).unwrap()
    }

    #[test]
    fn s20_hashes_agree_with_python() {
        let answers = oracle();
        let cases = answers["ids"].as_array().unwrap();
        assert_eq!(cases.len(), 9);
        for case in cases {
            let fields: Vec<Field<'_>> = case["fields"]
                .as_array()
                .unwrap()
                .iter()
                .map(|field| match field {
                    serde_json::Value::String(text) => Field::Str(text),
                    serde_json::Value::Number(n) => Field::Int(n.as_i64().unwrap()),
                    _ => Field::Null,
                })
                .collect();
            assert_eq!(json(&fields), case["json"].as_str().unwrap());
            assert_eq!(hash(&fields), case["hash"].as_str().unwrap(), "{case}");
        }
    }

    /// The two verdict ids among the oracle's answers: the whole, and a segment.
    #[test]
    fn s20_a_verdict_id_hashes_seven_fields() {
        let answers = oracle();
        let expected = |i: usize| answers["ids"][i]["hash"].as_str().unwrap().to_owned();
        let extent = Extent::Time { start: 978_307_200_000_000, end: 978_310_800_000_000 };
        let baseline = "b".repeat(64);
        let id = |segment| verdict_id("flights", "2001-01", &baseline, "default", segment, extent);
        assert_eq!(id(None), expected(4));
        assert_eq!(id(Some(&segment(&[("origin", Some("ATL"))]))), expected(5));
    }

    #[test]
    fn s20_another_field_is_another_id() {
        let at = |start| Extent::Time { start, end: 60 };
        let mut ids = vec![
            verdict_id("m", "1", "b", "w", None, at(0)),
            verdict_id("n", "1", "b", "w", None, at(0)),
            verdict_id("m", "2", "b", "w", None, at(0)),
            verdict_id("m", "1", "c", "w", None, at(0)),
            verdict_id("m", "1", "b", "v", None, at(0)),
            verdict_id("m", "1", "b", "w", Some("{\"a\":null}"), at(0)),
            verdict_id("m", "1", "b", "w", Some("null"), at(0)),
            verdict_id("m", "1", "b", "w", None, at(1)),
            verdict_id("m", "1", "b", "w", None, Extent::State("0")),
            verdict_id("m", "1", "b", "w", None, Extent::Ordinal(0)),
            verdict_id("m", "1", "b", "w", None, Extent::Ordinal(u64::MAX)),
            // Fields do not run into each other.
            verdict_id("m1", "", "b", "w", None, at(0)),
            alert_id("m", "1", "w", None, "b"),
        ];
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())));
        let n_ids = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), n_ids);
    }

    #[test]
    fn s20_an_alert_is_named_by_the_verdict_that_opened_it() {
        let fields = [
            Field::Str("flights"),
            Field::Str("2001-01"),
            Field::Str("default"),
            Field::Null,
            Field::Str("0123"),
        ];
        assert_eq!(alert_id("flights", "2001-01", "default", None, "0123"), hash(&fields));
        assert_eq!(delivery_key("0123", 2, "oncall"), "0123:2:oncall");
    }

    #[test]
    fn s18_segments_are_named_as_compact_objects() {
        assert_eq!(segment(&[("origin", Some("ATL"))]), r#"{"origin":"ATL"}"#);
        assert_eq!(segment(&[("origin", None)]), r#"{"origin":null}"#);
        assert_eq!(segment(&[("a", Some("\"x\"")), ("b", Some("null"))]), r#"{"a":"\"x\"","b":"null"}"#);
    }
}
