//! An alert that Azure Monitor sends, in its common alert schema: metric, log and activity log alerts.
//!
//! Only what is needed to show it and to pair its beginning with its end is looked at; all else is kept as it came, so that
//! a schema that grows is no error. Source: "Common alert schema", Azure Monitor documentation.

use driftlead_connectors::store::{AlertStatus, ExternalAlert};
use serde_json::Value as Json;

use crate::time::Timestamp;

/// Whose alerts these are.
pub const ORIGIN: &str = "azure";

/// The most characters of an id or a model's name.
const MAX_NAME: usize = 2_000;

/// The alert of a body that came at `now`, in microseconds since the epoch. It names a model under
/// `data.customProperties.model`, or none.
///
/// # Errors
///
/// It is no alert of the schema; names the field, and says what was expected.
pub fn read(body: &Json, now: i64) -> Result<ExternalAlert, String> {
    let schema = text(body, "schemaId")?;
    if schema != "azureMonitorCommonAlertSchema" {
        return Err(format!(
            "`schemaId` is `{schema}`: expected `azureMonitorCommonAlertSchema`; switch the common alert schema on in the \
             action group"
        ));
    }
    let data = object(body, "data")?;
    let essentials = object(data, "data.essentials")?;
    let own = |key: &str| text(essentials, &format!("data.essentials.{key}"));
    let status = match own("monitorCondition")? {
        "Fired" => AlertStatus::Open,
        "Resolved" => AlertStatus::Resolved,
        other => {
            return Err(format!(
                "`data.essentials.monitorCondition` is `{other}`: expected `Fired` or `Resolved`"
            ));
        }
    };
    let severity = own("severity")?;
    if !["Sev0", "Sev1", "Sev2", "Sev3", "Sev4"].contains(&severity) {
        return Err(format!("`data.essentials.severity` is `{severity}`: expected `Sev0` to `Sev4`"));
    }
    own("alertRule")?;
    let time = |key: &str| -> Result<i64, String> {
        let text = own(key)?;
        let time = text.parse::<Timestamp>().map_err(|error| format!("`data.essentials.{key}`: {error}"))?;
        Ok(time.micros())
    };
    let fired = time("firedDateTime")?;
    let resolved = match status {
        AlertStatus::Open => None,
        AlertStatus::Resolved => Some(time("resolvedDateTime")?),
    };
    let model = match data.pointer("/customProperties/model") {
        None | Some(Json::Null) => None,
        Some(Json::String(model)) => Some(short("data.customProperties.model", model)?),
        Some(other) => return Err(format!("`data.customProperties.model` is `{other}`: expected text")),
    };
    Ok(ExternalAlert {
        origin: ORIGIN.to_owned(),
        id: short("data.essentials.originAlertId", own("originAlertId")?)?,
        model: model.filter(|model| !model.is_empty()),
        status,
        fired,
        resolved,
        received: now,
        document: body.to_string(),
    })
}

/// The last part of a path, as the key of an object.
fn key(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn object<'a>(of: &'a Json, path: &str) -> Result<&'a Json, String> {
    match of.get(key(path)) {
        Some(own) if own.is_object() => Ok(own),
        Some(_) => Err(format!("`{path}` is no object: expected an alert of the common alert schema")),
        None => Err(format!("`{path}` is missing: expected an alert of the common alert schema")),
    }
}

fn text<'a>(of: &'a Json, path: &str) -> Result<&'a str, String> {
    match of.get(key(path)) {
        Some(Json::String(own)) if !own.is_empty() => Ok(own),
        Some(Json::String(_)) => Err(format!("`{path}` is empty: expected text")),
        Some(other) => {
            let shown: String = other.to_string().chars().take(100).collect();
            Err(format!("`{path}` is `{shown}`: expected text"))
        }
        None => Err(format!("`{path}` is missing: expected an alert of the common alert schema")),
    }
}

fn short(path: &str, own: &str) -> Result<String, String> {
    let length = own.chars().count();
    if length > MAX_NAME {
        return Err(format!("`{path}` has {length} characters: expected at most {MAX_NAME}"));
    }
    Ok(own.to_owned())
}
