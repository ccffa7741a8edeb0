//! A template as Bicep. Of the language only what the templates need is written: parameters, resources, outputs.

use std::fmt::Write as _;

use serde_json::json;

use super::resource::{Output, Parameter, ParameterKind, Resource, Template};
use super::value::{Condition, Value};

/// The text of the file.
#[must_use]
pub fn write(template: &Template) -> String {
    let mut out = format!("metadata description = {}\n", text(&template.about));
    for own in &template.parameters {
        parameter(&mut out, own);
    }
    for own in &template.resources {
        resource(&mut out, own);
    }
    out.push('\n');
    for Output { name, value: own } in &template.outputs {
        let _ = writeln!(out, "output {name} string = {}", value(own, 0));
    }
    out
}

fn parameter(out: &mut String, own: &Parameter) {
    let kind = if own.kind == ParameterKind::Bool { "bool" } else { "string" };
    let _ = write!(out, "\n@description({})\n", text(own.about));
    if own.kind == ParameterKind::Secret {
        out.push_str("@secure()\n");
    }
    let _ = match &own.default {
        Some(default) => writeln!(out, "param {} {kind} = {}", own.name, value(default, 0)),
        None => writeln!(out, "param {} {kind}", own.name),
    };
}

fn resource(out: &mut String, own: &Resource) {
    let existing = if own.exists { "existing " } else { "" };
    let _ =
        write!(out, "\nresource {} '{}@{}' {existing}= ", own.symbol, own.kind.path(), own.kind.version());
    if let Some(condition) = own.condition {
        let _ = write!(out, "if ({}) ", ask(condition));
    }
    out.push_str("{\n");
    let mut line = |key: &str, value: String| {
        let _ = writeln!(out, "  {key}: {value}");
    };
    if let Some(parent) = &own.parent {
        line("parent", parent.clone());
    }
    line("name", value(&own.name, 1));
    if let Some(scope) = &own.scope {
        line("scope", scope.clone());
    }
    for (key, own) in &own.head {
        line(key, value(own, 1));
    }
    // What a value names, the language waits for by itself.
    if !own.after.is_empty() {
        let all = own.after.iter().map(|symbol| format!("    {symbol}\n")).collect::<String>();
        line("dependsOn", format!("[\n{all}  ]"));
    }
    if !own.exists {
        line("properties", map(&own.properties, 1));
    }
    out.push_str("}\n");
}

fn value(own: &Value, depth: usize) -> String {
    match own {
        Value::Text(own) => text(own),
        Value::Int(number) => number.to_string(),
        // The language has no numbers but whole ones.
        Value::Real(number) => format!("json('{}')", json!(number)),
        Value::Bool(own) => own.to_string(),
        Value::List(items) => list(items, depth),
        Value::Map(entries) => map(entries, depth),
        Value::Parameter(name) => (*name).to_owned(),
        Value::Location => "resourceGroup().location".to_owned(),
        Value::Group => "resourceGroup().id".to_owned(),
        Value::Id(symbol) => format!("{symbol}.id"),
        Value::State(symbol, path) => format!("{symbol}.properties.{}", path.join(".")),
        Value::StateOf(parameter, version, path) => {
            format!("reference({parameter}, '{version}').{}", path.join("."))
        }
        Value::Role(id) => {
            format!("subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{id}')")
        }
        Value::Guid(parts) => {
            let parts: Vec<String> = parts.iter().map(|own| value(own, depth)).collect();
            format!("guid({})", parts.join(", "))
        }
        Value::When(condition, then, other) => {
            format!("{} ? {} : {}", ask(*condition), value(then, depth), value(other, depth))
        }
    }
}

fn ask(condition: Condition) -> String {
    match condition {
        Condition::Given(parameter) => format!("!empty({parameter})"),
        Condition::IsTrue(parameter) => parameter.to_owned(),
    }
}

fn list(items: &[Value], depth: usize) -> String {
    if items.is_empty() {
        return "[]".to_owned();
    }
    let (outer, inner) = ("  ".repeat(depth), "  ".repeat(depth + 1));
    let lines: String = items.iter().map(|own| format!("{inner}{}\n", value(own, depth + 1))).collect();
    format!("[\n{lines}{outer}]")
}

fn map(entries: &[(&'static str, Value)], depth: usize) -> String {
    if entries.is_empty() {
        return "{}".to_owned();
    }
    let (outer, inner) = ("  ".repeat(depth), "  ".repeat(depth + 1));
    let lines: String = entries
        .iter()
        .map(|(name, own)| format!("{inner}{}: {}\n", key(name), value(own, depth + 1)))
        .collect();
    format!("{{\n{lines}{outer}}}")
}

fn key(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain { name.to_owned() } else { text(name) }
}

/// One line in quotes; several lines as they stand, if nothing in them ends them.
fn text(own: &str) -> String {
    let is_safe = !own.contains("'''") && !own.ends_with('\'') && !own.contains('\r');
    if own.contains('\n') && is_safe {
        // The first line break is not part of the text.
        return format!("'''\n{own}'''");
    }
    let mut out = String::from("'");
    let mut rest = own.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // `${` begins an expression.
            '$' if rest.peek() == Some(&'{') => out.push_str("\\$"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_what_they_are() {
        assert_eq!(text("it's ${x} \\ \u{1}"), "'it\\'s \\${x} \\\\ \\u{1}'");
        assert_eq!(text("a\nb"), "'''\na\nb'''");
        assert_eq!(text("a\nb'"), "'a\\nb\\''");
        assert_eq!(text("a\n'''"), "'a\\n\\'\\'\\''");
        assert_eq!(key("odata.type"), "'odata.type'");
    }
}
