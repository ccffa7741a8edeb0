//! Alerts of Azure Monitor come in, are shown beside the service's own, and end.

use serde_json::{Value, json};

use super::world::{HOUR, NOW, READER, WRITER, World, ask};
use crate::http::external::LARGEST;

const PATH: &str = "/api/v1/azure/alerts";

/// The shape of a metric alert, written from the field list of the documentation.
fn metric(condition: &str) -> Value {
    let mut alert = json!({
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": "/subscriptions/s-1/providers/Microsoft.AlertsManagement/alerts/n-1",
                "alertRule": "psi of age", "severity": "Sev2", "signalType": "Metric", "monitorCondition": condition,
                "monitoringService": "Platform", "alertTargetIDs": ["/subscriptions/s-1/resourcegroups/g/providers/p/k/n"],
                "configurationItems": ["n"], "originAlertId": "o-1", "firedDateTime": "2001-01-31T23:00:00.1234567Z",
                "description": "", "essentialsVersion": "1.0", "alertContextVersion": "1.0"
            },
            "alertContext": {
                "properties": null, "conditionType": "SingleResourceMultipleMetricCriteria",
                "condition": {"windowSize": "PT5M", "allOf": [{"metricName": "psi", "metricNamespace": "drift",
                    "operator": "GreaterThan", "threshold": "0.2", "timeAggregation": "Average",
                    "dimensions": [{"name": "Feature", "value": "age"}], "metricValue": 0.31}],
                    "windowStartTime": "2001-01-31T22:50:00Z", "windowEndTime": "2001-01-31T22:55:00Z"}
            },
            "customProperties": {"model": "flights"}
        }
    });
    if condition == "Resolved" {
        alert["data"]["essentials"]["resolvedDateTime"] = json!("2001-01-31T23:30:00.7654321Z");
    }
    alert
}

#[test]
fn fired_and_resolved_are_shown_as_one_alert_beside_the_service_s_own() {
    let world = World::guarded();
    let send = |alert: &Value| {
        let reply = world.send("POST", PATH, &[WRITER], Some(&alert.to_string()));
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()
    };
    let fired = send(&metric("Fired"));
    assert_eq!((&fired["state"], &fired["news"]), (&json!("open"), &json!(true)), "{fired}");
    assert_eq!(fired["fired"], "2001-01-31T23:00:00.123456Z");
    assert_eq!(send(&metric("Fired"))["news"], false);
    world.clock.set(NOW + HOUR);
    let over = send(&metric("Resolved"));
    assert_eq!(
        (&over["state"], &over["resolved"]),
        (&json!("resolved"), &json!("2001-01-31T23:30:00.765432Z"))
    );
    assert_eq!(send(&metric("Fired"))["state"], "resolved", "what comes late opens nothing");

    let list = |query: &str| world.get(&format!("/api/v1/alerts{query}")).json()["external"].clone();
    let shown = list("");
    assert_eq!(shown.as_array().map(Vec::len), Some(1), "{shown}");
    assert_eq!(
        (&shown[0]["origin"], &shown[0]["rule"], &shown[0]["severity"]),
        (&json!("azure"), &json!("psi of age"), &json!("Sev2"))
    );
    assert_eq!(shown[0]["document"], metric("Resolved"), "nothing is lost");
    assert_eq!(list("?status=open"), json!([]));
    assert_eq!(list("?model=flights&status=resolved"), shown);
}

#[test]
fn an_alert_that_names_no_model_is_of_those_that_lay_claim_to_its_target_or_rule() {
    let world = World::open();
    let send = |id: &str, rule: &str, target: &str, model: Value| {
        let mut alert = metric("Fired");
        let essentials = &mut alert["data"]["essentials"];
        essentials["originAlertId"] = json!(id);
        essentials["alertRule"] = json!(rule);
        essentials["alertTargetIDs"] = json!([target]);
        alert["data"]["customProperties"] = model;
        let reply = world.post(PATH, &alert);
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["models"].clone()
    };
    // Azure writes ids in whichever case.
    let beneath = "/subscriptions/S-1/resourcegroups/g/providers/p/k/FLIGHTS/deployments/blue";
    assert_eq!(send("by-target", "cpu", beneath, Value::Null), json!(["flights"]));
    assert_eq!(send("by-rule", "Flights are slow", "/subscriptions/s-2", Value::Null), json!(["flights"]));
    assert_eq!(send("nobody's", "cpu", &beneath.replace("FLIGHTS", "flights-2"), Value::Null), json!([]));
    assert_eq!(
        send("named", "cpu", beneath, json!({"model": "trains"})),
        json!(["trains"]),
        "a name counts more"
    );
    assert_eq!(send("own", "cpu", "/x", json!({"model": "flights"})), json!(["flights"]));
    let ids = |query: &str| -> Vec<String> {
        let all = world.get(&format!("/api/v1/alerts{query}")).json()["external"].clone();
        let mut ids: Vec<String> =
            all.as_array().unwrap().iter().map(|own| own["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids("?model=flights"), ["by-rule", "by-target", "own"]);
    assert_eq!(ids("?model=flights&status=open"), ["by-rule", "by-target", "own"]);
    assert_eq!(ids("?model=trains"), ["named"]);
    assert_eq!(ids("").len(), 5);
    assert!(ids("?model=flights&status=resolved").is_empty());
}

#[test]
fn log_and_activity_log_alerts_are_taken_with_whatever_else_they_say() {
    let world = World::open();
    let other = |id: &str, signal: &str, context: Value| {
        let mut alert = metric("Fired");
        let essentials = &mut alert["data"]["essentials"];
        (essentials["originAlertId"], essentials["signalType"]) = (json!(id), json!(signal));
        essentials["investigationLink"] = json!("https://portal.example/alert");
        alert["data"]["alertContext"] = context;
        alert["data"]["customProperties"] = Value::Null;
        alert
    };
    let log = other(
        "o-2",
        "Log",
        json!({"properties": {}, "conditionType": "LogQueryCriteria", "condition": {"windowSize": "PT1H", "allOf": [
            {"searchQuery": "DriftleadAlerts_CL", "metricMeasureColumn": null, "targetResourceTypes": "[]",
             "operator": "GreaterThan", "threshold": "0", "timeAggregation": "Count", "dimensions": [], "metricValue": 3.0,
             "failingPeriods": {"numberOfEvaluationPeriods": 1, "minFailingPeriodsToAlert": 1}}]}}),
    );
    let activity = other(
        "o-3",
        "Activity Log",
        json!({"authorization": {"action": "a", "scope": "s"}, "channels": "Operation", "eventSource": "Administrative",
               "level": "Informational", "operationName": "o", "status": "Succeeded"}),
    );
    for alert in [&log, &activity] {
        let reply = world.post(PATH, alert);
        assert_eq!((reply.status, &reply.json()["document"]), (200, alert), "{reply:?}");
        assert!(reply.json()["model"].is_null());
    }
}

#[test]
fn what_is_no_alert_is_refused_by_the_name_of_its_field() {
    let world = World::open();
    let refused = |pointer: &str, wrong: Option<Value>| {
        let mut alert = metric("Resolved");
        match wrong {
            Some(wrong) => *alert.pointer_mut(pointer).unwrap() = wrong,
            None => {
                let (of, key) = pointer.rsplit_once('/').unwrap();
                alert.pointer_mut(of).unwrap().as_object_mut().unwrap().remove(key);
            }
        }
        let reply = world.post(PATH, &alert);
        assert_eq!(reply.status, 422, "{pointer}: {reply:?}");
        let field = pointer.trim_start_matches('/').replace('/', ".");
        assert!(reply.error().contains(&format!("`{field}`")), "{pointer}: {reply:?}");
    };
    refused("/schemaId", Some(json!("AzureMonitorMetricAlert")));
    refused("/data", Some(json!([])));
    refused("/data/essentials", None);
    for key in
        ["originAlertId", "monitorCondition", "severity", "firedDateTime", "resolvedDateTime", "alertRule"]
    {
        refused(&format!("/data/essentials/{key}"), None);
        refused(&format!("/data/essentials/{key}"), Some(json!(5)));
        refused(&format!("/data/essentials/{key}"), Some(json!("")));
    }
    refused("/data/essentials/monitorCondition", Some(json!("Acknowledged")));
    refused("/data/essentials/severity", Some(json!("critical")));
    refused("/data/essentials/firedDateTime", Some(json!("yesterday")));
    refused("/data/essentials/originAlertId", Some(json!("x".repeat(2_001))));
    refused("/data/customProperties/model", Some(json!(7)));
    assert_eq!(world.get("/api/v1/alerts").json()["external"], json!([]), "nothing was kept");
}

#[test]
fn only_a_writer_s_json_of_a_bounded_length_is_taken() {
    let world = World::guarded();
    let body = metric("Fired").to_string();
    assert_eq!(world.send("POST", PATH, &[READER], Some(&body)).status, 403);
    assert_eq!(ask(world.address, "POST", PATH, &[], Some(&body)).status, 401);
    let mut long = metric("Fired");
    long["data"]["alertContext"]["properties"] = json!({"text": "x".repeat(200 * 1024)});
    assert_eq!(world.send("POST", PATH, &[WRITER], Some(&long.to_string())).status, 200);
    long["data"]["alertContext"]["properties"] = json!({"text": "x".repeat(LARGEST)});
    assert_eq!(world.send("POST", PATH, &[WRITER], Some(&long.to_string())).status, 413);
    assert_eq!(world.send("POST", PATH, &[WRITER], Some("[]")).status, 400);
}
