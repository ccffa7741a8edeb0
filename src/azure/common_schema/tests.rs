use serde_json::json;

use super::*;
use crate::time::Timestamp;

#[path = "../../../tests/support/common_alert.rs"]
mod common_alert;

const RESOURCE: &str =
    "/subscriptions/s-1/resourceGroups/g-1/providers/Microsoft.MachineLearningServices/workspaces/w-1";

fn alert(status: &str) -> Json {
    let mut alert = json!({
        "schema": "driftlead.event/1", "type": "alert", "id": "a1", "revision": 0,
        "time": "2001-01-01T12:00:05.000000Z", "opened": "2001-01-01T12:00:05.000000Z",
        "model": {"name": "flights", "version": "2001-01"},
        "status": status, "severity": "critical", "window": "default", "segment": {"origin": "ATL", "gate": null},
        "first_window": {"start": "2001-01-01T00:00:00.000000Z", "end": "2001-01-01T06:00:00.000000Z"},
        "last_window": {"id": "v2", "start": "2001-01-01T06:00:00.000000Z", "end": "2001-01-01T12:00:00.000000Z"},
        "causes": [
            {"feature": "delay", "metric": "psi", "value": 0.31, "threshold": 0.2, "share": 0.9, "top": []},
            {"feature": "x", "metric": "ks", "value": 0.001, "threshold": 0.01, "share": 0.1, "top": []},
            {"feature": "", "metric": "row_count", "value": 12.0, "threshold": 10.0, "share": null, "top": []}],
    });
    if status == "resolved" {
        alert["time"] = json!("2001-01-02T00:00:07.000000Z");
        alert["reason"] = json!("calm");
        alert["causes"] = json!([]);
    }
    alert
}

fn bytes(alert: Json) -> Vec<u8> {
    let event: Event = serde_json::from_value(alert).expect("an event");
    CommonSchema::of(RESOURCE).expect("a resource").body(&event).expect("a body")
}

fn body(alert: Json) -> Json {
    let body = bytes(alert);
    common_alert::check(&body).expect("the schema");
    serde_json::from_slice(&body).expect("JSON")
}

#[test]
fn every_state_is_of_the_schema_and_resolved_tells_when_it_fired() {
    let (fired, went_on, over) = (body(alert("open")), body(alert("update")), body(alert("resolved")));
    let of = |body: &Json, key: &str| body["data"]["essentials"][key].clone();
    let conditions = [&fired, &went_on, &over].map(|body| of(body, "monitorCondition"));
    assert_eq!(conditions, [json!("Fired"), json!("Fired"), json!("Resolved")]);
    for key in ["originAlertId", "alertId", "alertRule", "firedDateTime", "severity", "alertTargetIDs"] {
        assert_eq!(of(&fired, key), of(&over, key), "{key}");
    }
    assert_eq!(of(&fired, "originAlertId"), "a1");
    assert_eq!(of(&over, "firedDateTime"), "2001-01-01T12:00:05.000000Z");
    assert_eq!(of(&over, "resolvedDateTime"), "2001-01-02T00:00:07.000000Z");
    assert_eq!(of(&fired, "alertId"), "/subscriptions/s-1/providers/Driftlead/alerts/a1");
    assert_eq!(of(&fired, "severity"), "Sev0");
    assert_eq!(of(&fired, "configurationItems"), json!(["w-1"]));
    assert_eq!(of(&fired, "targetResourceType"), "microsoft.machinelearningservices/workspaces");
}

#[test]
fn a_cause_is_a_criterion_with_its_bound_as_text_and_its_value_as_number() {
    let fired = body(alert("open"));
    let condition = &fired["data"]["alertContext"]["condition"];
    let first = json!({
        "metricName": "psi", "metricNamespace": "driftlead", "operator": "GreaterThan", "threshold": "0.2",
        "timeAggregation": "Average", "metricValue": 0.31,
        "dimensions": [{"name": "Feature", "value": "delay"}, {"name": "origin", "value": "ATL"}, {"name": "gate", "value": "null"}],
    });
    assert_eq!(condition["allOf"][0], first);
    assert_eq!(condition["allOf"][1]["operator"], "LessThan");
    assert_eq!(condition["allOf"][2]["dimensions"][0]["name"], "origin", "a window has no feature");
    assert_eq!(
        (&condition["windowSize"], &condition["windowStartTime"]),
        (&json!("PT6H"), &json!("2001-01-01T06:00:00.000000Z"))
    );
    let custom = &fired["data"]["customProperties"];
    assert_eq!(custom["topFeatures"], "delay 90 %, x 10 %");
    assert_eq!(custom["segment"], r#"{"origin":"ATL","gate":null}"#);
    assert_eq!((&custom["model"], &custom["version"]), (&json!("flights"), &json!("2001-01")));
}

#[test]
fn a_body_stays_below_256_kb_and_says_what_was_left_out() {
    let mut large = alert("open");
    let long = "f".repeat(5_000);
    let cause = |at: usize| json!({"feature": format!("{at}{long}"), "metric": "psi", "value": 0.3, "threshold": 0.2, "share": 0.001, "top": []});
    large["causes"] = (0..2_000).map(cause).collect();
    large["segments"] = (0..2_000).map(|at| json!({"origin": format!("{at}")})).collect();
    let large = body(large);
    let shown = large["data"]["alertContext"]["condition"]["allOf"].as_array().expect("a list").len();
    let left_out = large["data"]["customProperties"]["causesLeftOut"].as_str().expect("a number");
    assert!(shown > 50, "{shown}");
    assert_eq!(left_out.parse::<usize>().expect("a number") + shown, 2_000);
}

#[test]
fn a_value_that_cannot_be_computed_is_null_and_an_old_opening_is_that_of_its_window() {
    let mut odd = alert("open");
    odd["causes"][0]["value"] = Json::Null;
    odd.as_object_mut().expect("an object").remove("opened");
    odd["severity"] = json!("major");
    let odd = body(odd);
    assert_eq!(odd["data"]["alertContext"]["condition"]["allOf"][0]["metricValue"], Json::Null);
    assert_eq!(odd["data"]["essentials"]["firedDateTime"], "2001-01-01T06:00:00.000000Z");
    assert_eq!(odd["data"]["essentials"]["severity"], "Sev1");
}

#[test]
fn windows_have_lengths_of_iso_8601() {
    let of = |seconds: i64| {
        let at = Timestamp::from_micros;
        duration(Period { start: Some(at(0)), end: Some(at(seconds * 1_000_000)) })
    };
    let shown = [300, 3_600, 5_400, 86_400, 604_800, 90_000, 61, 0].map(of);
    assert_eq!(shown, ["PT5M", "PT1H", "PT1H30M", "P1D", "P7D", "PT25H", "PT1M1S", "PT0S"]);
}

#[test]
fn the_checker_refuses_what_the_schema_does() {
    let right = body(alert("open"));
    let refused = |pointer: &str, wrong: Json| {
        let mut body = right.clone();
        *body.pointer_mut(pointer).expect(pointer) = wrong;
        common_alert::check(body.to_string().as_bytes()).expect_err(pointer)
    };
    let first = "/data/alertContext/condition/allOf/0";
    assert!(refused(&format!("{first}/threshold"), json!(0.2)).contains("threshold"));
    assert!(refused(&format!("{first}/metricValue"), json!("0.31")).contains("metricValue"));
    assert!(refused("/data/essentials/severity", json!("critical")).contains("severity"));
    assert!(
        refused("/data/essentials/firedDateTime", json!("2001-01-01 06:00:00")).contains("firedDateTime")
    );
    assert!(refused("/data/essentials/monitorCondition", json!("Resolved")).contains("resolvedDateTime"));
    assert!(refused("/data/customProperties/model", json!(1)).contains("customProperties"));
    assert!(refused("/data/essentials/alertTargetIDs", json!([])).contains("alertTargetIDs"));
    assert!(refused("/schemaId", json!("other")).contains("schemaId"));
}

#[test]
fn only_a_resource_is_a_target_and_only_an_alert_is_sent() {
    for wrong in [
        "",
        "w-1",
        "/subscriptions/s-1/resourceGroups/g-1",
        "/subscriptions/s/resourceGroups/g/providers/P/kinds",
        "/subscriptions//resourceGroups/g/providers/P/kinds/n",
        "subscriptions/s/resourceGroups/g/providers/P/kinds/n",
    ] {
        let error = CommonSchema::of(wrong).expect_err(wrong);
        assert!(error.starts_with(&format!("`{wrong}`")), "{error}");
    }
    let nested = CommonSchema::of(&format!("{RESOURCE}/onlineEndpoints/e-1")).expect("a child");
    assert_eq!(
        (&*nested.kind, &*nested.name),
        ("microsoft.machinelearningservices/workspaces/onlineendpoints", "e-1")
    );
    let verdict = json!({
        "schema": "driftlead.event/1", "type": "verdict", "id": "v1", "revision": 0,
        "time": "2001-01-01T00:00:00.000000Z", "model": {"name": "flights", "version": "2001-01"},
        "window": {"id": "v1", "name": "default", "start": null, "end": null, "segment": null, "rows": 10,
            "verdict": "drift", "features": []}
    });
    let event: Event = serde_json::from_value(verdict).expect("an event");
    let error = CommonSchema::of(RESOURCE).expect("a resource").body(&event).expect_err("no alert");
    assert!(error.contains("verdict"), "{error}");
}
