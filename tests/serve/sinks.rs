//! Alerts reach the sinks, in order, under stable keys, through outages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use driftlead_connectors::sink::{Key, sign};

use super::rows;
use super::{piped, service};
use crate::support::folder::Folder;
use crate::support::service::{Service, asked, eventually};
use crate::support::stub::{Answer, Stub};

#[test]
fn an_alert_opens_at_the_webhook_after_an_outage_signed_and_once_by_key() {
    let folder = Folder::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    // Down at first, then well.
    let stub = Stub::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Some(Answer::of(503).with("retry-after", "1")),
        1 => None,
        _ => Some(Answer::of(204)),
    });
    let hook =
        format!("  hook: {{webhook: {{url: \"{}/hook\", secret: \"${{HOOK_SECRET}}\"}}}}\n", stub.url());
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", &hook);
    let model = super::MODEL.replace("sinks: [record]", "sinks: [record, hook]");
    folder.write("model.yaml", model);
    rows::file(&folder, "rows.ndjson", &rows::rows(6_000, 3, 30, 21));
    let running = Service::start(&folder, &[("HOOK_SECRET", "s3cr3t")]);
    eventually("the alert arrived", || stub.requests().len() >= 3);
    let log = running.stop_well();
    assert!(!log.join("\n").contains("s3cr3t"), "{log:#?}");

    let requests = stub.requests();
    let key = Key::of_secret("s3cr3t").expect("a key");
    let delivered = &requests[2];
    let id = delivered.header("webhook-id").expect("an id");
    assert_eq!(requests[0].header("webhook-id"), Some(id), "the same key in every attempt");
    let timestamp: i64 = delivered.header("webhook-timestamp").expect("a time").parse().expect("seconds");
    assert_eq!(
        delivered.header("webhook-signature"),
        Some(sign(&key, id, timestamp, &delivered.body).as_str())
    );
    let event: serde_json::Value = serde_json::from_slice(&delivered.body).expect("JSON");
    assert_eq!((&event["schema"], &event["type"]), (&"driftlead.event/1".into(), &"alert".into()));
    assert_eq!((&event["status"], &event["revision"]), (&"open".into(), &0.into()));
    assert_eq!(event["model"]["name"], "rows");
    assert_eq!(event["causes"][0]["feature"], "x", "{event}");
    assert!(event["causes"][0]["top"][0]["label"].is_string(), "{event}");
    assert_eq!(id, format!("{}:0:hook", event["id"].as_str().expect("an id")));
}

#[test]
fn the_face_shows_health_and_openmetrics() {
    let folder = Folder::new();
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", "");
    rows::file(&folder, "rows.ndjson", &rows::rows(6_000, 3, 30, 23));
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    let get = |path: &str| asked(&address, path);
    assert!(get("/healthz").starts_with("HTTP/1.1 200"), "{}", get("/healthz"));
    eventually("it is ready", || get("/readyz").starts_with("HTTP/1.1 200"));
    let counted = r#"driftlead_rows_total{model="rows",window="default"} 6000"#;
    eventually("all rows are counted", || get("/metrics").contains(counted));
    // Once the file was silent for long enough, and its windows are judged.
    let value = r#"driftlead_metric_value{model="rows",window="default",feature="x",metric="psi"}"#;
    eventually("values are shown", || get("/metrics").contains(value));
    let metrics = get("/metrics");
    assert!(metrics.contains("application/openmetrics-text"), "{metrics:.300}");
    assert!(metrics.trim_end().ends_with("# EOF"));
    running.stop_well();
}

#[test]
fn what_waits_in_the_outbox_is_delivered_by_the_next_start() {
    let folder = Folder::new();
    service(&folder, "{stdin: {}, format: json}", "");
    let rows = rows::rows(6_000, 3, 30, 22);
    // A folder in the file's place: nothing can be delivered.
    std::fs::create_dir(folder.path("events.ndjson")).expect("a folder");
    piped(&folder, &rows);
    std::fs::remove_dir(folder.path("events.ndjson")).expect("empty");
    let (running, input) = Service::with_input(&folder);
    let read = || std::fs::read_to_string(folder.path("events.ndjson")).unwrap_or_default();
    eventually("an alert was written", || read().contains(r#""type":"alert""#));
    drop(input);
    running.wait();
    let keys: Vec<String> = read()
        .lines()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
            format!("{}:{}", event["id"].as_str().expect("an id"), event["revision"])
        })
        .collect();
    let mut once = keys.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), keys.len(), "each message once");
}
