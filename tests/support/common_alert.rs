//! The common alert schema for metric alerts, as Azure Monitor documents it, written down as a checker that refuses all
//! else. `tests/serve` and the unit tests of the bodies share it.

use serde_json::{Map, Value as Json};

type Check = Result<(), String>;

/// Whether a body is a metric alert of the common alert schema.
pub(crate) fn check(body: &[u8]) -> Check {
    if body.len() > 256 * 1024 {
        return Err(format!("{} bytes", body.len()));
    }
    let json: Json = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let root = object("", &json)?;
    only("", root, &["schemaId", "data"], &[])?;
    word("schemaId", root, &["azureMonitorCommonAlertSchema"])?;
    let data = object("data", &root["data"])?;
    only("data", data, &["essentials", "alertContext", "customProperties"], &[])?;
    essentials(object("essentials", &data["essentials"])?)?;
    context(object("alertContext", &data["alertContext"])?)?;
    for (key, value) in object("customProperties", &data["customProperties"])? {
        if !value.is_string() {
            return Err(format!("customProperties.{key} is {value}: not a string"));
        }
    }
    Ok(())
}

fn essentials(own: &Map<String, Json>) -> Check {
    let required = [
        "alertId",
        "alertRule",
        "severity",
        "signalType",
        "monitorCondition",
        "monitoringService",
        "alertTargetIDs",
        "configurationItems",
        "originAlertId",
        "firedDateTime",
        "description",
        "essentialsVersion",
        "alertContextVersion",
    ];
    let optional =
        ["resolvedDateTime", "alertRuleID", "investigationLink", "targetResourceGroup", "targetResourceType"];
    only("essentials", own, &required, &optional)?;
    for key in ["alertId", "alertRule", "monitoringService", "originAlertId", "description"] {
        if own[key].as_str().is_none_or(str::is_empty) {
            return Err(format!("essentials.{key} is {}", own[key]));
        }
    }
    if !own["alertId"].as_str().is_some_and(|id| id.starts_with("/subscriptions/")) {
        return Err(format!("essentials.alertId is {}", own["alertId"]));
    }
    word("severity", own, &["Sev0", "Sev1", "Sev2", "Sev3", "Sev4"])?;
    word("signalType", own, &["Metric"])?;
    word("monitorCondition", own, &["Fired", "Resolved"])?;
    word("essentialsVersion", own, &["1.0"])?;
    word("alertContextVersion", own, &["1.0"])?;
    for key in ["alertTargetIDs", "configurationItems"] {
        let all = own[key].as_array().filter(|all| !all.is_empty());
        if all.is_none_or(|all| all.iter().any(|item| !item.is_string())) {
            return Err(format!("essentials.{key} is {}", own[key]));
        }
    }
    time("firedDateTime", own)?;
    if own["monitorCondition"] == "Resolved" {
        return time("resolvedDateTime", own);
    }
    if own.contains_key("resolvedDateTime") {
        return Err("a Fired has a resolvedDateTime".to_owned());
    }
    Ok(())
}

fn context(own: &Map<String, Json>) -> Check {
    only("alertContext", own, &["conditionType", "condition"], &["properties"])?;
    word("conditionType", own, &["SingleResourceMultipleMetricCriteria"])?;
    let condition = object("condition", &own["condition"])?;
    only("condition", condition, &["windowSize", "allOf", "windowStartTime", "windowEndTime"], &[])?;
    let size = condition["windowSize"].as_str().unwrap_or_default();
    if !size.starts_with('P') || !size.ends_with(['D', 'H', 'M', 'S']) || size == "PT" {
        return Err(format!("windowSize is `{size}`"));
    }
    time("windowStartTime", condition)?;
    time("windowEndTime", condition)?;
    let all = condition["allOf"].as_array().ok_or("allOf is no list")?;
    for criterion in all {
        let criterion = object("allOf", criterion)?;
        let keys = [
            "metricName",
            "metricNamespace",
            "operator",
            "threshold",
            "timeAggregation",
            "dimensions",
            "metricValue",
        ];
        only("allOf", criterion, &keys, &[])?;
        for key in ["metricName", "metricNamespace"] {
            if !criterion[key].is_string() {
                return Err(format!("{key} is {}", criterion[key]));
            }
        }
        word("operator", criterion, &["GreaterThan", "LessThan"])?;
        word("timeAggregation", criterion, &["Average", "Minimum", "Maximum", "Total", "Count"])?;
        if criterion["threshold"].as_str().is_none_or(|own| own.parse::<f64>().is_err()) {
            return Err(format!("threshold is {}: not a number in a string", criterion["threshold"]));
        }
        if !criterion["metricValue"].is_number() && !criterion["metricValue"].is_null() {
            return Err(format!("metricValue is {}: not a number", criterion["metricValue"]));
        }
        for dimension in criterion["dimensions"].as_array().ok_or("dimensions is no list")? {
            let dimension = object("dimensions", dimension)?;
            only("dimensions", dimension, &["name", "value"], &[])?;
            if dimension.values().any(|text| !text.is_string()) {
                return Err(format!("a dimension is {dimension:?}"));
            }
        }
    }
    Ok(())
}

fn object<'a>(at: &str, own: &'a Json) -> Result<&'a Map<String, Json>, String> {
    own.as_object().ok_or_else(|| format!("{at} is {own}: not an object"))
}

fn only(at: &str, own: &Map<String, Json>, required: &[&str], optional: &[&str]) -> Check {
    if let Some(missing) = required.iter().find(|key| !own.contains_key(**key)) {
        return Err(format!("{at} has no {missing}"));
    }
    let is_known = |key: &str| required.contains(&key) || optional.contains(&key);
    match own.keys().find(|key| !is_known(key)) {
        Some(unknown) => Err(format!("{at} has {unknown}")),
        None => Ok(()),
    }
}

fn word(key: &str, own: &Map<String, Json>, words: &[&str]) -> Check {
    match own[key].as_str() {
        Some(own) if words.contains(&own) => Ok(()),
        _ => Err(format!("{key} is {}", own[key])),
    }
}

fn time(key: &str, own: &Map<String, Json>) -> Check {
    let text = own.get(key).and_then(Json::as_str).unwrap_or_default();
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if shape.starts_with("0000-00-00T00:00:00") && shape.ends_with('Z') {
        return Ok(());
    }
    Err(format!("{key} is `{text}`"))
}
