//! A template as JSON of Azure Resource Manager.

use serde_json::{Map, Value as Json, json};

use super::resource::{Output, Parameter, ParameterKind, Resource, Template};
use super::value::{Condition, Value};

const SCHEMA: &str = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#";

/// The text of the file.
#[must_use]
pub fn write(template: &Template) -> String {
    let writer = Writer { template };
    let mut parameters = Map::new();
    for own in &template.parameters {
        parameters.insert(own.name.to_owned(), writer.parameter(own));
    }
    let made = template.resources.iter().filter(|own| !own.exists);
    let resources: Vec<Json> = made.map(|own| writer.resource(own)).collect();
    let mut outputs = Map::new();
    for Output { name, value } in &template.outputs {
        outputs.insert((*name).to_owned(), json!({"type": "string", "value": writer.value(value)}));
    }
    let whole = json!({
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "metadata": {"description": template.about},
        "parameters": parameters,
        "resources": resources,
        "outputs": outputs,
    });
    format!("{whole:#}\n")
}

struct Writer<'a> {
    template: &'a Template,
}

impl Writer<'_> {
    fn parameter(&self, own: &Parameter) -> Json {
        let kind = match own.kind {
            ParameterKind::Text => "string",
            ParameterKind::Secret => "securestring",
            ParameterKind::Bool => "bool",
        };
        let mut json = Map::new();
        json.insert("type".to_owned(), kind.into());
        if let Some(default) = &own.default {
            json.insert("defaultValue".to_owned(), self.value(default));
        }
        json.insert("metadata".to_owned(), json!({"description": own.about}));
        Json::Object(json)
    }

    fn resource(&self, own: &Resource) -> Json {
        let mut json = Map::new();
        let mut put = |key: &str, value: Json| json.insert(key.to_owned(), value);
        if let Some(condition) = own.condition {
            put("condition", format!("[{}]", ask(condition)).into());
        }
        put("type", own.kind.path().into());
        put("apiVersion", own.kind.version().into());
        put("name", self.name(own));
        if let Some(scope) = &own.scope {
            put("scope", format!("[{}]", self.id(scope)).into());
        }
        for (key, value) in &own.head {
            put(key, self.value(value));
        }
        let made = |symbol: &String| self.template.resource(symbol).is_some_and(|own| !own.exists);
        let needs: Vec<Json> = own
            .needs()
            .iter()
            .filter(|symbol| made(symbol))
            .map(|symbol| format!("[{}]", self.id(symbol)).into())
            .collect();
        if !needs.is_empty() {
            put("dependsOn", needs.into());
        }
        put("properties", self.map(&own.properties));
        Json::Object(json)
    }

    /// The name with those of the parents.
    fn name(&self, own: &Resource) -> Json {
        match self.names(own).as_slice() {
            [only] => self.value(only),
            several => {
                let places: Vec<String> = (0..several.len()).map(|at| format!("{{{at}}}")).collect();
                let names: Vec<String> = several.iter().map(|own| self.expression(own)).collect();
                format!("[format('{}', {})]", places.join("/"), names.join(", ")).into()
            }
        }
    }

    fn names(&self, own: &Resource) -> Vec<Value> {
        let parent = own.parent.as_ref().and_then(|symbol| self.template.resource(symbol));
        let mut names = parent.map(|parent| self.names(parent)).unwrap_or_default();
        names.push(own.name.clone());
        names
    }

    fn id(&self, symbol: &str) -> String {
        let Some(own) = self.template.resource(symbol) else {
            debug_assert!(false, "no resource {symbol}");
            return String::new();
        };
        let names: Vec<String> = self.names(own).iter().map(|name| self.expression(name)).collect();
        format!("resourceId('{}', {})", own.kind.path(), names.join(", "))
    }

    fn map(&self, entries: &[(&'static str, Value)]) -> Json {
        entries.iter().map(|(key, value)| ((*key).to_owned(), self.value(value))).collect()
    }

    fn value(&self, own: &Value) -> Json {
        match own {
            Value::Text(text) => literal(text).into(),
            Value::Int(number) => json!(number),
            Value::Real(number) => json!(number),
            Value::Bool(own) => json!(own),
            Value::List(items) => items.iter().map(|own| self.value(own)).collect(),
            Value::Map(entries) => self.map(entries),
            _ => format!("[{}]", self.expression(own)).into(),
        }
    }

    /// A value within an expression.
    fn expression(&self, own: &Value) -> String {
        let all =
            |items: &[Value]| items.iter().map(|own| self.expression(own)).collect::<Vec<_>>().join(", ");
        match own {
            Value::Text(text) => quoted(text),
            Value::Int(number) => number.to_string(),
            Value::Real(number) => format!("json('{}')", json!(number)),
            Value::Bool(own) => format!("{own}()"),
            Value::List(items) => format!("createArray({})", all(items)),
            Value::Map(entries) => {
                let pairs: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| format!("{}, {}", quoted(key), self.expression(value)))
                    .collect();
                format!("createObject({})", pairs.join(", "))
            }
            Value::Parameter(name) => format!("parameters('{name}')"),
            Value::Location => "resourceGroup().location".to_owned(),
            Value::Group => "resourceGroup().id".to_owned(),
            Value::Id(symbol) => self.id(symbol),
            Value::State(symbol, path) => {
                let version = self.template.resource(symbol).map_or("", |own| own.kind.version());
                format!("reference({}, '{version}').{}", self.id(symbol), path.join("."))
            }
            Value::StateOf(parameter, version, path) => {
                format!("reference(parameters('{parameter}'), '{version}').{}", path.join("."))
            }
            Value::Role(id) => {
                format!("subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{id}')")
            }
            Value::Guid(parts) => format!("guid({})", all(parts)),
            Value::When(condition, then, other) => {
                format!("if({}, {}, {})", ask(*condition), self.expression(then), self.expression(other))
            }
        }
    }
}

fn ask(condition: Condition) -> String {
    match condition {
        Condition::Given(parameter) => format!("not(empty(parameters('{parameter}')))"),
        Condition::IsTrue(parameter) => format!("parameters('{parameter}')"),
    }
}

/// A text that would be read as an expression says with a second bracket that it is none.
fn literal(text: &str) -> String {
    if text.starts_with('[') && text.ends_with(']') { format!("[{text}") } else { text.to_owned() }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_never_taken_for_expressions() {
        assert_eq!(literal("[x]"), "[[x]");
        assert_eq!(literal("[x"), "[x");
        assert_eq!(quoted("it's"), "'it''s'");
    }
}
