//! What Azure Resource Manager and the services behind it demand of a template, as far as their documentation says it and
//! a file shows it: structure, references, names and limits.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::expression::as_call;
use super::{arm, detail};

const FUNCTIONS: [&str; 12] = [
    "parameters",
    "resourceGroup",
    "resourceId",
    "subscriptionResourceId",
    "reference",
    "guid",
    "if",
    "not",
    "empty",
    "format",
    "createArray",
    "createObject",
];

/// Problems of one template.
pub(crate) struct Problems(pub(crate) Vec<String>);

impl Problems {
    pub(crate) fn add(&mut self, at: &str, what: impl std::fmt::Display) {
        self.0.push(format!("{at}: {what}"));
    }

    pub(crate) fn demand(&mut self, is_well: bool, at: &str, what: impl std::fmt::Display) {
        if !is_well {
            self.add(at, what);
        }
    }
}

/// All that is wrong with a template.
pub(crate) fn check(template: &Json) -> Vec<String> {
    let mut problems = Problems(Vec::new());
    head(template, &mut problems);
    let read = match arm::read(template) {
        Ok(read) => read,
        Err(error) => {
            problems.add("expressions", error);
            return problems.0;
        }
    };
    let resources = read["resources"].as_array().expect("a list");
    let ids: Vec<String> = resources.iter().map(|own| id(own).to_string()).collect();
    let mut names = BTreeSet::new();
    for (own, id) in resources.iter().zip(&ids) {
        problems.demand(names.insert(id.to_lowercase()), id, "stands twice");
        let kind = own["type"].as_str().unwrap_or_default();
        let segments = own["name"].as_array().map_or(0, Vec::len);
        let expected = kind.matches('/').count();
        problems.demand(segments == expected, id, format!("a name of {segments} parts for {expected}"));
        let needs: Vec<&str> =
            own["dependsOn"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        for need in &needs {
            problems.demand(
                ids.iter().any(|own| own == need),
                id,
                format!("waits for {need}, which is not made"),
            );
        }
        let mut named = Vec::new();
        for key in ["name", "scope", "condition", "location", "properties"] {
            walk(&own[key], &mut |value| expression(value, resources, id, &mut named, &mut problems));
        }
        for other in named.iter().filter(|other| ids.contains(other) && *other != id) {
            problems.demand(needs.contains(&other.as_str()), id, format!("does not wait for {other}"));
        }
        let scope = &own["scope"];
        problems.demand(
            scope.is_null() || ids.contains(&scope.to_string()),
            id,
            format!("is about {scope}, which is not made"),
        );
        detail::check(own, resources, id, &mut problems);
    }
    cycles(resources, &ids, &mut problems);
    for (name, own) in read["outputs"].as_object().into_iter().flatten() {
        problems.demand(own["type"] == "string", name, "is no text");
        walk(&own["value"], &mut |value| expression(value, resources, name, &mut Vec::new(), &mut problems));
    }
    parameters(template, &mut problems);
    problems.0
}

fn head(template: &Json, problems: &mut Problems) {
    let schema = template["$schema"].as_str().unwrap_or_default();
    problems.demand(schema.ends_with("/2019-04-01/deploymentTemplate.json#"), "$schema", schema);
    problems.demand(template["contentVersion"] == "1.0.0.0", "contentVersion", &template["contentVersion"]);
    let known = ["$schema", "contentVersion", "metadata", "parameters", "resources", "outputs"];
    for key in template.as_object().into_iter().flatten().map(|(key, _)| key) {
        problems.demand(known.contains(&key.as_str()), key, "is no part of a template");
    }
    let bytes = template.to_string().len();
    problems.demand(bytes <= 4 << 20, "template", format!("{bytes} bytes, and 4 MB are taken"));
    let resources = template["resources"].as_array().map_or(0, Vec::len);
    problems.demand((1..=800).contains(&resources), "resources", resources);
    let count = |key: &str| template[key].as_object().map_or(0, serde_json::Map::len);
    problems.demand(count("parameters") <= 256, "parameters", "more than 256");
    problems.demand(count("outputs") <= 64, "outputs", "more than 64");
    for own in template["resources"].as_array().into_iter().flatten() {
        for key in ["type", "apiVersion", "name"] {
            let is_there = own[key].as_str().is_some_and(|text| !text.is_empty());
            problems.demand(is_there, &own["name"].to_string(), format!("has no `{key}`"));
        }
        let version = own["apiVersion"].as_str().unwrap_or_default().as_bytes();
        let is_date = version.len() == 10
            && version
                .iter()
                .enumerate()
                .all(|(at, c)| if at == 4 || at == 7 { *c == b'-' } else { c.is_ascii_digit() });
        problems.demand(is_date, &own["name"].to_string(), "`apiVersion` is no date");
    }
    walk(template, &mut |own| {
        let length = own.as_str().map_or(0, str::len);
        problems.demand(length <= 131_072, "template", format!("a text of {length} bytes"));
        let is_expression = own.as_str().is_some_and(|text| text.starts_with('[') && !text.starts_with("[["));
        problems.demand(
            !is_expression || length <= 24_576,
            "template",
            "an expression of more than 24,576 characters",
        );
    });
}

/// Whether all parameters are declared well, and used.
fn parameters(template: &Json, problems: &mut Problems) {
    let text = template.to_string();
    for (name, own) in template["parameters"].as_object().into_iter().flatten() {
        let kind = own["type"].as_str().unwrap_or_default();
        problems.demand(["string", "securestring", "bool"].contains(&kind), name, format!("type `{kind}`"));
        let default = &own["defaultValue"];
        problems.demand(kind != "securestring" || *default == "", name, "a secret with a default");
        problems.demand(kind != "bool" || default.is_boolean(), name, "a default of another type");
        problems.demand(text.contains(&format!("parameters('{name}')")), name, "is not used");
    }
    walk(template, &mut |own| {
        for part in own.as_str().unwrap_or_default().split("parameters('").skip(1) {
            let name = part.split('\'').next().unwrap_or_default();
            problems.demand(!template["parameters"][name].is_null(), name, "is no parameter");
        }
    });
}

/// Calls are of known functions, with arguments that lead somewhere.
fn expression(own: &Json, resources: &[Json], at: &str, named: &mut Vec<String>, problems: &mut Problems) {
    let Some((name, with)) = as_call(own) else { return };
    problems.demand(FUNCTIONS.contains(&name), at, format!("`{name}` is no function that is known here"));
    let kinds: BTreeMap<&str, usize> = resources
        .iter()
        .filter_map(|own| own["type"].as_str())
        .map(|kind| (kind, kind.matches('/').count()))
        .collect();
    match name {
        "resourceId" => {
            let kind = with.first().and_then(Json::as_str).unwrap_or_default();
            problems.demand(
                with.len() == kind.matches('/').count() + 1,
                at,
                format!("`resourceId` of {kind} with {} names", with.len().saturating_sub(1)),
            );
            let is_made = resources.iter().any(|other| id(other) == *own);
            // The workspace alone is there before.
            problems.demand(
                is_made || (kind == "Microsoft.OperationalInsights/workspaces" && !kinds.contains_key(kind)),
                at,
                format!("{own} is not made"),
            );
            named.push(own.to_string());
        }
        "reference" => {
            let of = with.first().unwrap_or(&Json::Null);
            let is_id = as_call(of).is_some_and(|(name, _)| name == "resourceId" || name == "parameters");
            problems.demand(is_id && with.len() == 2, at, format!("{own} refers to nothing"));
        }
        "if" => problems.demand(with.len() == 3, at, "`if` takes three"),
        "not" | "empty" | "parameters" => problems.demand(with.len() == 1, at, format!("`{name}` takes one")),
        _ => {}
    }
}

/// Nothing waits for itself.
fn cycles(resources: &[Json], ids: &[String], problems: &mut Problems) {
    let mut made: BTreeSet<&str> = BTreeSet::new();
    loop {
        let before = made.len();
        for (own, id) in resources.iter().zip(ids) {
            let mut needs = own["dependsOn"].as_array().into_iter().flatten().filter_map(Json::as_str);
            if needs.all(|need| made.contains(need) || !ids.iter().any(|id| id == need)) {
                made.insert(id);
            }
        }
        if made.len() == before {
            break;
        }
    }
    for id in ids.iter().filter(|id| !made.contains(id.as_str())) {
        problems.add(id, "waits for itself");
    }
}

/// The id of a resource, as expressions name it.
pub(crate) fn id(own: &Json) -> Json {
    let names = own["name"].as_array().into_iter().flatten().cloned();
    super::expression::call("resourceId", std::iter::once(own["type"].clone()).chain(names).collect())
}

/// Every value within a value, itself first.
pub(crate) fn walk(own: &Json, visit: &mut dyn FnMut(&Json)) {
    visit(own);
    match own {
        Json::Array(all) => all.iter().for_each(|own| walk(own, visit)),
        Json::Object(all) => all.values().for_each(|own| walk(own, visit)),
        _ => {}
    }
}
