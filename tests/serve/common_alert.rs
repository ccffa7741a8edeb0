//! Alerts reach a webhook in Azure Monitor's common alert schema, from the settings to the request and from the opening to
//! the end, with a power cut in between.

use serde_json::Value as Json;

use super::rows::{self, BEGIN, Row};
use super::service;
use crate::support::common_alert::check;
use crate::support::folder::Folder;
use crate::support::service::{Service, eventually};
use crate::support::stub::{Answer, Stub};

const MINUTE: i64 = 60_000_000;

#[test]
fn fired_and_resolved_share_their_id_and_the_time_of_the_opening_through_a_power_cut() {
    let folder = Folder::new();
    let stub = Stub::start(|_| Some(Answer::of(200)));
    let resource =
        "/subscriptions/s-1/resourceGroups/g-1/providers/Microsoft.MachineLearningServices/workspaces/w-1";
    let sink = format!(
        "  monitor:\n    webhook: {{url: \"{}/hook\", template: common_alert_schema, resource: \"{resource}\"}}\n",
        stub.url()
    );
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", &sink);
    folder.write("model.yaml", super::MODEL.replace("sinks: [record]", "sinks: [record, monitor]"));
    // An hour of calm and one of drift.
    rows::file(&folder, "rows.ndjson", &rows::rows(4_000, 2, 0, 61));
    let running = Service::start(&folder, &[]);
    let bodies = || -> Vec<Json> {
        let parse = |body: &[u8]| {
            check(body).expect("the schema");
            serde_json::from_slice(body).expect("JSON")
        };
        stub.requests().iter().map(|request| parse(&request.body)).collect()
    };
    eventually("it fired", || !bodies().is_empty());
    running.kill();

    // Two hours of calm.
    let calm = rows::rows(16_000, 8, 0, 62).into_iter();
    let calm: Vec<Row> =
        calm.filter(|row| (BEGIN + 120 * MINUTE..BEGIN + 240 * MINUTE).contains(&row.time)).collect();
    rows::append(&folder, "rows.ndjson", &calm);
    let running = Service::start(&folder, &[]);
    let of = |body: &Json, key: &str| body["data"]["essentials"][key].clone();
    let is_over = |body: &&Json| {
        of(body, "monitorCondition") == "Resolved" && body["data"]["customProperties"]["reason"] == "calm"
    };
    eventually("it is over", || bodies().iter().any(|body| is_over(&body)));
    running.stop_well();

    let all = bodies();
    let over = all.iter().find(is_over).expect("the end");
    let is_begin = |body: &&Json| {
        of(body, "originAlertId") == of(over, "originAlertId") && of(body, "monitorCondition") == "Fired"
    };
    let fired = all.iter().find(is_begin).expect("its beginning");
    for key in ["firedDateTime", "alertId", "alertRule", "alertTargetIDs"] {
        assert_eq!(of(fired, key), of(over, key), "{key}");
    }
    assert!(of(over, "resolvedDateTime").as_str() > of(over, "firedDateTime").as_str(), "{over}");
    let first = &fired["data"]["alertContext"]["condition"]["allOf"][0];
    assert_eq!((&first["metricName"], &first["threshold"]), (&"psi".into(), &"0.2".into()), "{first}");
    assert_eq!(first["dimensions"][0]["value"], "x", "{first}");
    assert_eq!(fired["data"]["customProperties"]["model"], "rows", "{fired}");
}
