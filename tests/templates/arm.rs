//! A template in JSON, read into the form in which [`bicep`](super::bicep) reads the other language.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::expression::{as_call, value};

/// Reads a file; the expressions in it have to be well formed.
pub(crate) fn read(template: &Json) -> Result<Json, String> {
    let mut out = json!({"parameters": {}, "resources": [], "outputs": {}});
    out["about"] = template["metadata"]["description"].clone();
    for (name, own) in template["parameters"].as_object().into_iter().flatten() {
        let default = value(&own["defaultValue"])?;
        out["parameters"][name] =
            json!({"type": own["type"], "default": default, "about": own["metadata"]["description"]});
    }
    for own in template["resources"].as_array().into_iter().flatten() {
        let needs = own["dependsOn"].as_array().into_iter().flatten();
        let needs = needs.map(|own| Ok(value(own)?.to_string())).collect::<Result<BTreeSet<_>, String>>()?;
        let name = value(&own["name"])?;
        let names = match as_call(&name) {
            Some(("format", with)) if with[0].as_str().is_some_and(|form| form.starts_with("{0}/{1}")) => {
                with[1..].to_vec()
            }
            _ => vec![name],
        };
        out["resources"].as_array_mut().expect("a list").push(json!({
            "type": own["type"], "apiVersion": own["apiVersion"], "name": names,
            "condition": value(&own["condition"])?, "scope": value(&own["scope"])?, "dependsOn": needs,
            "location": value(&own["location"])?, "kind": value(&own["kind"])?,
            "properties": value(&own["properties"])?,
        }));
    }
    for (name, own) in template["outputs"].as_object().into_iter().flatten() {
        out["outputs"][name] = json!({"type": own["type"], "value": value(&own["value"])?});
    }
    Ok(out)
}
