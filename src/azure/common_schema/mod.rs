//! An alert as Azure Monitor's common alert schema has it: what Logic Apps, Functions and ITSM connectors made for Azure
//! alerts take unchanged.
//!
//! Law: a function of the event and the settings alone. All states of an alert share `originAlertId`, and a `Resolved`
//! names the `firedDateTime` of its `Fired`. Thresholds are strings and metric values are numbers, as the schema of metric
//! alerts has them; a number that cannot be computed is null. A body is at most 256 KB: what drifts least is left out, and
//! counted. Source: "Common alert schema", Azure Monitor documentation.

use serde_json::{Map, Value as Json, json};

use crate::report::wire::Segment;
use crate::serve::wire::{Alert, Body, Cause, Event, Period, Status};

/// The most bytes of a body.
const MAX_BODY: usize = 256 * 1024;
/// The most characters of one text in it.
const MAX_TEXT: usize = 1_000;
/// The most features that are named under `customProperties`.
const TOP: usize = 10;

/// How alerts are written: with the resource of Azure that they speak of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommonSchema {
    resource: String,
    subscription: String,
    group: String,
    kind: String,
    name: String,
}

impl CommonSchema {
    /// Alerts on this resource, by its id.
    ///
    /// # Errors
    ///
    /// It is no id of a resource in a resource group; says what one looks like.
    pub fn of(resource: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "`{resource}` is no id of a resource of Azure: expected such as `/subscriptions/S/resourceGroups/G/providers/\
                 Microsoft.MachineLearningServices/workspaces/W`; `az resource show` has it as `id`"
            )
        };
        let parts: Vec<&str> = resource.strip_prefix('/').ok_or_else(refused)?.split('/').collect();
        if parts.iter().any(|part| part.is_empty() || part.contains(char::is_whitespace)) {
            return Err(refused());
        }
        let is = |at: usize, word: &str| parts.get(at).is_some_and(|part| part.eq_ignore_ascii_case(word));
        // After the provider's name come pairs of kind and name.
        if !is(0, "subscriptions")
            || !is(2, "resourceGroups")
            || !is(4, "providers")
            || parts.len() < 8
            || parts.len() % 2 == 1
        {
            return Err(refused());
        }
        let kinds: Vec<&str> = parts[6..].iter().step_by(2).copied().collect();
        Ok(Self {
            resource: resource.to_owned(),
            subscription: parts[1].to_owned(),
            group: parts[3].to_owned(),
            kind: format!("{}/{}", parts[5], kinds.join("/")).to_lowercase(),
            name: parts[parts.len() - 1].to_owned(),
        })
    }

    /// The body for an event.
    ///
    /// # Errors
    ///
    /// The event is a verdict or a gap, which the schema has no place for.
    pub fn body(&self, event: &Event) -> Result<Vec<u8>, String> {
        let Body::Alert(alert) = &event.body else {
            return Err(
                "the common alert schema is for alerts: it has no place for verdicts and gaps".to_owned()
            );
        };
        let mut shown = alert.causes.len();
        loop {
            let body = self.document(alert, shown).to_string().into_bytes();
            // Without causes all that is left is bounded by `MAX_TEXT`.
            if body.len() <= MAX_BODY || shown == 0 {
                return Ok(body);
            }
            shown /= 2;
        }
    }

    fn document(&self, alert: &Alert, shown: usize) -> Json {
        json!({
            "schemaId": "azureMonitorCommonAlertSchema",
            "data": {
                "essentials": self.essentials(alert),
                "alertContext": context(alert, shown),
                "customProperties": custom(alert, shown),
            },
        })
    }

    fn essentials(&self, alert: &Alert) -> Json {
        // Of an alert that an older version opened, the opening's time is not known, but the window that brought it.
        let fired = alert.opened.or(alert.first_window.end).unwrap_or(alert.time);
        let is_over = alert.status == Status::Resolved;
        let mut essentials = json!({
            // Receivers take the subscription from its place in this path. The provider says whose alert it is.
            "alertId": format!("/subscriptions/{}/providers/Driftlead/alerts/{}", self.subscription, alert.id),
            "alertRule": cut(&format!("driftlead {} {}", alert.model.name, alert.window)),
            "severity": severity(&alert.severity),
            "signalType": "Metric",
            "monitorCondition": if is_over { "Resolved" } else { "Fired" },
            // That of metric alerts: receivers choose by it how they read `alertContext`.
            "monitoringService": "Platform",
            "alertTargetIDs": [self.resource],
            "configurationItems": [self.name],
            "originAlertId": alert.id,
            "firedDateTime": fired.to_string(),
            "description": cut(&description(alert)),
            "essentialsVersion": "1.0",
            "alertContextVersion": "1.0",
            "targetResourceGroup": self.group,
            "targetResourceType": self.kind,
        });
        if is_over {
            essentials["resolvedDateTime"] = json!(alert.time.to_string());
        }
        essentials
    }
}

fn severity(own: &str) -> &'static str {
    match own {
        "critical" => "Sev0",
        "major" => "Sev1",
        _ => "Sev2",
    }
}

fn context(alert: &Alert, shown: usize) -> Json {
    let period = alert.last_window.period;
    let all: Vec<Json> = alert.causes.iter().take(shown).map(|cause| criterion(alert, cause)).collect();
    json!({
        "properties": {},
        "conditionType": "SingleResourceMultipleMetricCriteria",
        "condition": {
            "windowSize": duration(period),
            "allOf": all,
            // Rows without times leave the time of the decision, because receivers read one.
            "windowStartTime": period.start.unwrap_or(alert.time).to_string(),
            "windowEndTime": period.end.unwrap_or(alert.time).to_string(),
        },
    })
}

fn criterion(alert: &Alert, cause: &Cause) -> Json {
    let dimension = |name: &str, value: &str| json!({"name": cut(name), "value": cut(value)});
    let mut dimensions = Vec::new();
    if !cause.feature.is_empty() {
        dimensions.push(dimension("Feature", &cause.feature));
    }
    for (column, value) in alert.segment.iter().flat_map(|own| &own.0) {
        dimensions.push(dimension(column, value.as_deref().unwrap_or("null")));
    }
    json!({
        "metricName": cause.metric,
        "metricNamespace": "driftlead",
        "operator": operator(cause),
        "threshold": cause.threshold.map_or(String::new(), |own| own.to_string()),
        "timeAggregation": "Average",
        "dimensions": dimensions,
        "metricValue": cause.value,
    })
}

/// A bound is passed strictly, so the two numbers say on which side.
fn operator(cause: &Cause) -> &'static str {
    match (cause.value, cause.threshold) {
        (Some(value), Some(threshold)) if value < threshold => "LessThan",
        _ => "GreaterThan",
    }
}

/// What a receiver may choose by: every value is text.
fn custom(alert: &Alert, shown: usize) -> Json {
    let mut all = Map::new();
    let mut put = |key: &str, value: String| all.insert(key.to_owned(), Json::String(cut(&value)));
    put("model", alert.model.name.clone());
    put("version", alert.model.version.clone());
    put("window", alert.window.clone());
    put("windowId", alert.last_window.id.clone());
    put("segment", alert.segment.as_ref().map_or_else(String::new, segment));
    put("status", alert.status.word().to_owned());
    put("revision", alert.revision.to_string());
    put("topFeatures", top(&alert.causes));
    if !alert.segments.is_empty() {
        put("segments", alert.segments.iter().map(segment).collect::<Vec<_>>().join(" "));
    }
    if let Some(reason) = &alert.reason {
        put("reason", reason.clone());
    }
    if shown < alert.causes.len() {
        put("causesLeftOut", (alert.causes.len() - shown).to_string());
    }
    Json::Object(all)
}

fn segment(own: &Segment) -> String {
    json!(own).to_string()
}

/// The features with the largest shares: `delay 90 %, carrier 10 %`.
fn top(causes: &[Cause]) -> String {
    let named = causes.iter().filter(|cause| !cause.feature.is_empty()).take(TOP);
    let shown = named.map(|cause| match cause.share {
        Some(share) => format!("{} {:.0} %", cause.feature, share * 100.0),
        None => cause.feature.clone(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn description(alert: &Alert) -> String {
    let of = format!("{} {}", alert.model.name, alert.model.version);
    let what = match (alert.status, alert.causes.first()) {
        (Status::Resolved, _) => {
            format!("the alert on {of} is over: {}", alert.reason.as_deref().unwrap_or("calm"))
        }
        (_, None) => format!("{of} drifts"),
        (_, Some(cause)) => {
            let feature = if cause.feature.is_empty() { "the window" } else { &cause.feature };
            let number = |own: Option<f64>| own.map_or_else(|| "unknown".to_owned(), |own| own.to_string());
            let (value, bound) = (number(cause.value), number(cause.threshold));
            format!("{of} drifts: {feature}, {} {value}, limit {bound}", cause.metric)
        }
    };
    let rest = alert.causes.len().saturating_sub(1);
    if rest == 0 { what } else { format!("{what}, and {rest} more") }
}

/// ISO 8601: `PT6H`, `P1D`, `PT1H30M`; `PT0S` of rows without times.
fn duration(period: Period) -> String {
    let of = period.start.zip(period.end);
    let micros = of.map_or(0, |(start, end)| end.micros().saturating_sub(start.micros()).max(0));
    let seconds = micros / 1_000_000;
    if seconds > 0 && seconds % 86_400 == 0 {
        return format!("P{}D", seconds / 86_400);
    }
    let parts = [(seconds / 3_600, 'H'), (seconds % 3_600 / 60, 'M'), (seconds % 60, 'S')];
    let shown: String =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if shown.is_empty() { "PT0S".to_owned() } else { format!("PT{shown}") }
}

/// A text that is not too long.
fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests;
